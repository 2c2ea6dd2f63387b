"""Seconds and memory of augmentation, beside the reference implementation's.

    python benchmarks/augmentation/speed.py --quick
    python benchmarks/augmentation/speed.py [--reference FILE]

Random linear-Gaussian Erdos-Renyi DAGs, expected degree 3. Each case runs in a process of its own,
on one thread: seconds are those of a second call in it (the first has to load or compile), the
verdict is on CPU seconds, which on an idle machine are the same. The largest case has two threads
and is judged by wall time, of its only call. Memory is the peak of the process,
and that peak less what it held after the imports and the data. `engines` has the same draws made by
numpy and by the compiled step, in one run, so that their ratio does not depend on the machine; the
package chooses for itself.

The reference was run elsewhere on three graphs a cell with a limit of 30 seconds and 8 GiB; its
numbers are read from a file, and left out when that is not there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tables import heading, table

from bayescausal import (
    Augmentation,
    Graph,
    NadarayaWatson,
    ResidualBootstrap,
    augment,
    fit,
    load_example,
)
from bayescausal.augmentation.ancestral import ancestral
from bayescausal.augmentation.blocks import read_table
from bayescausal.augmentation.conditionals import KernelDonors
from bayescausal.augmentation.factorization import make_plan
from bayescausal.graphs.edge import Edge
from bayescausal.specs.row_methods import METHODS, Ancestral

KERNELS, RESIDUALS = "kernels (scott)", "residuals"
PATIENCE = 240  # seconds of wall time for a case
MB = 1024.0  # ru_maxrss is in kilobytes on Linux

TARGETS: list[dict[str, Any]] = [
    {"method": "ancestral", "n": 156, "d": 10, "budget": 10_000, "limit": (0.5, 200)},
    {"method": "threshold", "n": 500, "d": 10, "theta": 1e-3, "limit": (1.0, 256)},
    {"method": "reduce", "n": 156, "d": 10, "budget": 10_000, "limit": None},
    {
        "method": "ancestral",
        "n": 5000,
        "d": 25,
        "budget": 100_000,
        "threads": 2,
        "limit": (60.0, 2000),
    },
]
"""The sizes that were asked for, with their limits in seconds and megabytes."""

BESIDE = [
    (50, 5, 1e-4),
    (50, 10, 1e-4),
    (100, 5, 1e-4),
    (100, 10, 1e-4),
    (200, 5, 1e-3),
    (300, 8, 1e-3),
    (500, 5, 1e-3),
    (500, 10, 1e-3),
]
"""Cells (n, d, theta) of the reference to repeat."""


def linear_world(n: int, d: int, seed: int) -> tuple[pd.DataFrame, Graph]:
    """A random DAG of expected degree 3 (neighbors a node), linear, with normal noise."""
    rng = np.random.default_rng([seed, n, d])
    joined = np.triu(rng.random((d, d)) < 3 / (d - 1), 1)
    slopes = joined * rng.uniform(0.5, 1.5, (d, d)) * rng.choice([-1, 1], (d, d))
    x = np.empty((n, d))
    for j in range(d):
        x[:, j] = x[:, :j] @ slopes[:j, j] + rng.normal(size=n)
        x[:, j] /= x[:, j].std()
    names = [f"v{j:02d}" for j in range(d)]
    edges = tuple(Edge(names[i], names[j]) for i, j in zip(*np.nonzero(joined), strict=True))
    return pd.DataFrame(x, columns=names), Graph(edges=edges, isolated=tuple(names))


def job(case: dict[str, Any]) -> Callable[[], Any]:
    """Return the call that is timed: reading the data, fitting, and drawing."""
    frame, graph = linear_world(case["n"], case["d"], case["seed"])
    how = NadarayaWatson("scott") if case["rows"] == KERNELS else ResidualBootstrap()
    if case.get("engine"):
        return lambda: _forced(frame, graph, case["engine"], case["budget"])
    method = METHODS[case["method"]](case["theta"] if "theta" in case else case["budget"])
    return lambda: augment(frame, graph, method, conditional=how, seed=1)


def _forced(frame: pd.DataFrame, graph: Graph, engine: Any, budget: int) -> np.ndarray:
    plan = make_plan(read_table(frame, graph), NadarayaWatson("scott"))
    donors = {
        v: replace(one, engine=engine) if isinstance(one, KernelDonors) else one
        for v, one in plan.donors.items()
    }
    return ancestral(replace(plan, donors=donors), budget, "latin", np.random.default_rng(1))


def measured(case: dict[str, Any]) -> dict[str, Any]:
    """Time one case in this process: first call, best of the next, peak memory."""
    call = job(case)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB
    seconds, made = [], None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(case["repeats"]):
            start, cpu = time.perf_counter(), time.process_time()
            made = call()
            seconds.append((time.perf_counter() - start, time.process_time() - cpu))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB
    warm = min(seconds[1:] or seconds)
    out = {"first": seconds[0][0], "warm": warm[0], "cpu": warm[1], "peak": peak}
    out |= {"above": peak - before, "rows": len(made), "mass": getattr(made, "mass", 1.0)}
    if case.get("engine"):
        out["digest"] = int(np.asarray(made, np.int64).sum())
    return out


def alone(case: dict[str, Any]) -> dict[str, Any]:
    """Measure a case in a new process on one thread; its outcome, or why there is none."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    try:
        ran = subprocess.run(
            [sys.executable, __file__, "--case", json.dumps(case)],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            env={**os.environ, **dict.fromkeys(threads, str(case.get("threads", 1)))},
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"over {PATIENCE} s"}
    if ran.returncode:
        return {"failed": (ran.stderr.strip().splitlines() or ["killed"])[-1]}
    return json.loads(ran.stdout.splitlines()[-1])


def targets(graphs: int, repeats: int, quick: bool) -> list[list[str]]:
    """The sizes asked for: the slowest and the largest of some graphs."""
    lines = []
    for target in TARGETS:
        if quick and target["n"] == 5000:
            target = {**target, "budget": 10_000, "limit": None}
        kinds = [KERNELS] if target["method"] == "threshold" else [KERNELS, RESIDUALS]
        size = f"n {target['n']}, d {target['d']}, "
        size += f"theta {target['theta']:g}" if "theta" in target else f"M {target['budget']:,}"
        for rows in kinds:
            case = {k: v for k, v in target.items() if k != "limit"} | {"rows": rows}
            often = repeats if target["n"] < 5000 else 1
            several = graphs if target["n"] < 5000 else 1
            out = [alone({**case, "seed": s, "repeats": often}) for s in range(several)]
            failed = [o["failed"] for o in out if "failed" in o]
            line = [target["method"], size, rows]
            if failed:
                lines.append([*line, failed[0], "", "", "", "", "", "missed"])
                continue
            worst = {k: max(o[k] for o in out) for k in ("first", "warm", "cpu", "peak", "above")}
            limit = target["limit"]
            seconds = worst["cpu"] if target.get("threads", 1) == 1 else worst["warm"]
            kept = limit is None or (seconds < limit[0] and worst["above"] < limit[1])
            line += [f"{worst['first']:.2f}", f"{worst['warm']:.2f}", f"{worst['cpu']:.2f}"]
            line += [f"{worst['above']:.0f}", f"{worst['peak']:.0f}"]
            line += [f"{limit[0]:g} s, {limit[1]} MB" if limit else "-"]
            lines.append([*line, "-" if limit is None else "kept" if kept else "missed"])
            print(" ".join(lines[-1]), file=sys.stderr, flush=True)
    return lines


def engines(repeats: int) -> list[list[str]]:
    """The same draws by numpy and by the compiled step, in turn, and whether they are the same."""
    lines = []
    for n, d, budget in ((156, 10, 10_000), (500, 10, 10_000), (1500, 10, 20_000)):
        base = {"n": n, "d": d, "budget": budget, "rows": KERNELS, "seed": 0, "repeats": repeats}
        one, other = (alone({**base, "engine": e}) for e in ("numpy", "pytensor"))
        if "failed" in one or "failed" in other:
            lines.append([f"n {n}, d {d}, M {budget:,}", str(one), str(other), "", "", ""])
            continue
        ratio = one["cpu"] / other["cpu"]
        same = "yes" if one["digest"] == other["digest"] else "NO"
        lines.append(
            [
                f"n {n}, d {d}, M {budget:,}",
                f"{one['cpu']:.2f}",
                f"{other['cpu']:.2f}",
                f"{ratio:.2f}",
                f"{other['first']:.1f}",
                same,
            ]
        )
    return lines


def beside(file: Path, graphs: int) -> list[list[str]]:
    """Cells of the reference: what it took, and what ours takes on graphs made alike."""
    known = pd.read_csv(file)
    lines = []
    for n, d, theta in BESIDE:
        theirs = known[(known["n"] == n) & (known["d"] == d) & np.isclose(known["theta"], theta)]
        done = theirs[theirs["status"] == "ok"]
        case = {"method": "threshold", "n": n, "d": d, "theta": theta, "rows": KERNELS}
        out = [alone({**case, "seed": s, "repeats": 2}) for s in range(graphs)]
        good = [o for o in out if "failed" not in o]
        died = ", ".join(sorted(set(theirs["status"]) - {"ok"})) or "-"
        line = [f"{n}, {d}, {theta:g}", f"{len(done)}/{len(theirs)}", died]
        line += [_median(done["wall_s"], ".2f"), _median(done["rss_mb"], ".0f")]
        line += [_median(done["rows"], ".0f"), f"{len(good)}/{len(out)}"]
        for key, style in (("warm", ".3f"), ("peak", ".0f"), ("rows", ".0f"), ("mass", ".4f")):
            line.append(_median(pd.Series([o[key] for o in good], dtype=float), style))
        lines.append(line)
    return lines


def weighted_fit(budget: int = 10_000) -> list[list[str]]:
    """The bundled model with augmented rows and without: both are made by one call of `fit`."""
    example = load_example()
    spec = replace(example.spec, augmentation=Augmentation(method=Ancestral(budget)))
    made = fit(spec, example.data, seed=1, progress=False)
    assert made.plain is not None
    runs = [made.plain.info["run"], made.info["run"]]
    lines = []
    for key in ("compile_seconds", "sample_seconds"):
        without, given = (run[key] for run in runs)
        lines.append([key, f"{without:.1f}", f"{given:.1f}", f"{given / without:.2f}"])
    each = [1e6 * run["sample_seconds"] / run["leapfrogs"] for run in runs]
    lines.append(["us a leapfrog", *(f"{x:.0f}" for x in each), f"{each[1] / each[0]:.2f}"])
    whole = [run["compile_seconds"] + run["sample_seconds"] for run in runs]
    lines.append(["both", *(f"{x:.1f}" for x in whole), f"{whole[1] / whole[0]:.2f}"])
    return lines


def _median(x: pd.Series, style: str) -> str:
    return f"{x.median():{style}}" if len(x) else "-"


PARTS = ("targets", "engines", "fit", "reference")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="one graph a case, and a tenth of the largest"
    )
    parser.add_argument(
        "--reference", type=Path, default=Path("../shared/data/admgda_reference_timings.csv")
    )
    parser.add_argument(
        "--only", nargs="*", choices=PARTS, default=PARTS, help="parts to run, all by default"
    )
    parser.add_argument("--case", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.case:
        print(json.dumps(measured(json.loads(chosen.case))))
        return
    graphs, repeats = (1, 3) if chosen.quick else (3, 5)
    print(heading("Speed and memory", ("numpy", "pytensor", "numba")) + "\n")
    if "targets" in chosen.only:
        header = ["method", "size", "rows from", "first call s", "warm s", "CPU s"]
        header += ["MB above imports", "MB in all", "limit", "verdict"]
        print("\n" + table(header, targets(graphs, repeats, chosen.quick)) + "\n", flush=True)
    if "engines" in chosen.only:
        header = ["ancestral, kernels", "numpy CPU s", "PyTensor CPU s", "ratio"]
        print(table([*header, "first call s", "same draws"], engines(repeats)) + "\n", flush=True)
    if "fit" in chosen.only:
        header = ["bundled model, M 10,000", "without", "with", "ratio"]
        print(table(header, weighted_fit()) + "\n", flush=True)
    if "reference" in chosen.only and chosen.reference.exists():
        header = ["n, d, theta", "reference done", "else", "s", "MB", "rows"]
        header += ["ours done", "s", "MB", "rows", "mass"]
        print(table(header, beside(chosen.reference, graphs)))
    elif "reference" in chosen.only:
        print(f"No file {chosen.reference}: the reference is left out.")


if __name__ == "__main__":
    main()
