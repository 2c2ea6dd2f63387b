"""How long until a converged posterior: cold, in a second process, and for other data in the same.

    python benchmarks/speed/speed.py [--sizes S S5 M L] [--pairs 2]
        [--against pymc-marketing --python PYTHON]

S has 179 weeks and 2 channels, S5 156 and 5, S20 156 and 20; M has 20 units and a mediator, L 100
units and 10 channels. Data are like PyMC-Marketing's example: weekly, saturating media with
carry-over, trend and season, simulated by `bayescausal.simulate`. Every row is a process of its
own (`one_fit.py`), from its start to a posterior with R-hat at most 1.01 and a bulk ESS of 400 of
every contribution; the caches of XLA, PyTensor and numba are empty for the first, and left by it
for the second, for both packages. Python's bytecode of both is there before, as pip writes it when
it installs. ``refit`` is another fit in that process, to the same weeks with other sales.

``--against pymc-marketing`` fits S, S5 and S20 in that package too, by `rival.py` in the
environment of the interpreter PYTHON, in turns: ours and theirs, then theirs and ours. It has the
same adstock, saturation, target acceptance and data, and its own priors and lengths of chains.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescausal as bc

HERE = Path(__file__).parent
SIZES = {
    "S": (179, 2, 1),
    "S5": (156, 5, 1),
    "S20": (156, 20, 1),
    "M": (156, 5, 20),
    "L": (156, 10, 100),
}
NATIONAL = ("S", "S5", "S20")
MEDIA = bc.Response(bc.GeometricAdstock(l_max=8), bc.HillSaturation())


def world(
    weeks: int, channels: int, units: int, seed: int, mediated: bool = False
) -> tuple[bc.Spec, bc.Dataset]:
    """Simulate sales of ``units`` markets from ``channels`` media, the first also by search."""
    rng = np.random.default_rng(seed)
    names = [f"x{k + 1}" for k in range(channels)]
    week = pd.date_range("2022-01-03", periods=weeks, freq="7D")
    frames = []
    for unit in range(units):
        spend = rng.gamma(2, 50, (weeks, channels)) * (rng.random((weeks, channels)) < 0.7)
        frames.append(pd.DataFrame(spend, columns=names).assign(week=week, unit=f"unit{unit}"))
    data = bc.Dataset.from_frame(
        pd.concat(frames),
        time="week",
        unit="unit" if units > 1 else None,
        spend=names,
        columns=names,
    )
    path = "\nx1 -> search -> sales" if mediated else ""
    spec = bc.Spec(
        bc.Graph.parse(f"{', '.join(names)} -> sales{path}", outcome="sales"),
        dict.fromkeys(names, MEDIA),
        (bc.LinearTrend(), bc.YearlySeasonality(2)),
        noise=bc.NormalNoise(),
    )
    theta: dict = {}
    for node, level in {"sales": 800.0, **({"search": 40.0} if mediated else {})}.items():
        theta |= {
            f"{node}:trend": [0.075 * level],
            f"{node}:yearly": [0.05 * level, -0.04 * level, 0.012 * level, 0.006 * level],
            f"{node}:sigma": 0.05 * level,
        }
        if units > 1:
            theta |= {
                f"{node}:intercept:mean": level,
                f"{node}:intercept:spread": 0.1 * level,
                f"{node}:intercept": rng.normal(level, 0.1 * level, units),
            }
        else:
            theta[f"{node}:intercept"] = level
    for edge in [*(f"{name}->sales" for name in names), *(["x1->search"] if mediated else [])]:
        theta |= {
            edge: rng.uniform(0.1, 0.3) * (40.0 if edge == "x1->search" else 800.0),
            f"{edge}:alpha": rng.beta(3, 4),
            f"{edge}:half": rng.uniform(0.2, 0.8),
            f"{edge}:slope": rng.uniform(0.9, 2.0),
        }
    for name in [n.removesuffix(":alpha") for n in theta if n.endswith(":alpha") and units > 1]:
        theta |= deviations(name, units, rng)
    for name in [n for n in theta if n.endswith(":sigma") and units > 1]:
        theta |= deviations(name, units, rng)
    if mediated:
        theta["search->sales"] = 4.0
    fitted = bc.Spec(spec.graph, spec.responses, spec.baseline)
    return fitted, bc.simulate(spec, data, theta, rng).data


def deviations(name: str, units: int, rng: np.random.Generator) -> dict[str, Any]:
    """How much the units of a panel differ, in logs."""
    logs = rng.normal(0, 0.2, units)
    return {f"{name}:spread": 0.2, f"{name}:unit": logs - logs.mean()}


def timed(command: list[str], cache: Path) -> dict:
    """Run a worker and read the numbers that it prints last."""
    environment = {
        **os.environ,
        "BAYESCAUSAL_CACHE": str(cache / "xla"),
        "PYTENSOR_FLAGS": f"base_compiledir={cache / 'pytensor'}",
    }
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def row(name: str, numbers: dict) -> str:
    first, again = numbers["fits"]
    return (
        f"{name:24s} {numbers['whole_wall']:7.1f} {numbers['whole_cpu']:7.1f} | "
        f"{again['wall']:6.1f} {again['cpu']:6.1f} | {first['sampling']:6.2f} {first['ess']:6.0f} "
        f"{first['ess'] / first['sampling']:8.0f} {first['leapfrogs']:8.0f} "
        f"{first['rhat']:.3f} {'yes' if first['converged'] else 'NO':3s} | {numbers['peak']:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=["S", "S5", "S20", "M"])
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--against", choices=["pymc-marketing"])
    parser.add_argument("--python", help="interpreter of the rival's environment")
    chosen = parser.parse_args()
    compileall.compile_dir(Path(bc.__file__).parent, quiet=1)
    print(date.today(), os.cpu_count(), "cores", platform.machine(), platform.python_version())
    print(f"{'':24s} {'to the first posterior':15s} | {'refit':13s} | sampling {'':34s} |")
    print(f"{'':24s} wall s  cpu s | wall s cpu s | s   ESS   ESS/s   leapfrogs R-hat ok | GB")
    for size in chosen.sizes:
        rivals = chosen.against and size in NATIONAL
        ratios = []
        for pair in range(chosen.pairs if rivals else 1):
            with tempfile.TemporaryDirectory() as folder:
                ours = [sys.executable, str(HERE / "one_fit.py"), size, str(chosen.seed)]
                data = Path(folder) / "data.csv"
                calls = {"ours": [*ours], "ours, second process": [*ours]}
                if rivals:
                    subprocess.run([*ours, "--write", str(data)], check=True)
                    theirs = [str(chosen.python), str(HERE / "rival.py"), str(data)]
                    calls |= {"theirs": theirs, "theirs, second process": theirs}
                names = list(calls)
                if pair % 2:
                    names = [*names[2:], *names[:2]]
                numbers = {name: timed(calls[name], Path(folder) / "cache") for name in names}
                for name in names:
                    print(row(f"{size} {name}", numbers[name]), flush=True)
                if rivals:
                    ratios.append(compared(numbers))
        if ratios:
            table = pd.DataFrame(ratios)
            print(f"{size} ratios, ours over theirs\n{table.round(3).to_string()}", flush=True)


def compared(numbers: dict) -> dict[str, float]:
    """Ratios of ours to theirs, of times by CPU and wall."""
    ours, theirs = numbers["ours"], numbers["theirs"]
    second = [numbers[f"{name}, second process"] for name in ("ours", "theirs")]
    a, b = ours["fits"], theirs["fits"]
    return {
        "cold, wall": ours["whole_wall"] / theirs["whole_wall"],
        "cold, cpu": ours["whole_cpu"] / theirs["whole_cpu"],
        "second process, wall": second[0]["whole_wall"] / second[1]["whole_wall"],
        "second process, cpu": second[0]["whole_cpu"] / second[1]["whole_cpu"],
        "refit, wall": a[1]["wall"] / b[1]["wall"],
        "refit, cpu": a[1]["cpu"] / b[1]["cpu"],
        "ESS per second of sampling": (a[0]["ess"] / a[0]["sampling"])
        / (b[0]["ess"] / b[0]["sampling"]),
        "ESS per leapfrog": (a[0]["ess"] / a[0]["leapfrogs"]) / (b[0]["ess"] / b[0]["leapfrogs"]),
    }


if __name__ == "__main__":
    main()
