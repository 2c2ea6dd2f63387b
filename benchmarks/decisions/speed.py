"""How long a decision takes: `optimize`, `decomposition` and forecasts, by channels and draws.

    python benchmarks/decisions/speed.py

Draws are made up, each parameter uniform over a usual range, and not sampled: the cost of a query
does not depend on where its draws come from. Each row runs in a process of its own, so that peak
memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import date

import numpy as np
import pandas as pd
import xarray as xr

import bayescausal as bc
from bayescausal.inference.fit import Fit
from bayescausal.model.scm import compile_scm

MEDIA = bc.Response(bc.GeometricAdstock(l_max=8), bc.HillSaturation(), strength=bc.Coefficient())
PATTERNS = {"optimize": "kept", "optimize, free by week": "free", "optimize, by 4 weeks": 4}
STATE = {"converged": True, "max_rhat": 1.0, "worst": "", "min_ess_bulk": 1e3}
STATE |= {"min_ess_tail": 1e3, "divergences": 0, "draws": 0}


def fit_of(weeks: int, channels: int, draws: int, seed: int = 1) -> Fit:
    """A fit of `channels` saturating media, the first of which also works through search."""
    rng = np.random.default_rng(seed)
    names = [f"x{k + 1}" for k in range(channels)]
    frame = pd.DataFrame(rng.gamma(2, 50, (weeks, channels)), columns=names)
    frame["week"] = pd.date_range("2022-01-03", periods=weeks, freq="7D")
    frame["sales"] = rng.gamma(100, 10, weeks)
    frame["search"] = rng.gamma(50, 3, weeks)
    data = bc.Dataset.from_frame(frame, time="week", spend=names)
    graph = bc.Graph.parse(f"x1 -> search -> sales\n{', '.join(names)} -> sales", outcome="sales")
    spec = bc.Spec(
        graph,
        dict.fromkeys(names, MEDIA),
        (bc.LinearTrend(), bc.YearlySeasonality(2)),
        noise=bc.NormalNoise(),
        treatments=names,
    )
    posterior = {}
    for p in compile_scm(spec, data).parameters:
        end = p.name.rsplit(":", 1)[-1]
        low, high = {"alpha": (0.2, 0.6), "half": (0.2, 0.9), "slope": (0.8, 1.6)}.get(
            end, (0.1, 0.4)
        )
        size = (4, draws // 4, *([p.size] if p.dim else []))
        dims = ("chain", "draw", *([p.dim] if p.dim else []))
        posterior[p.name] = (dims, rng.uniform(low, high, size))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(posterior)})
    tree.attrs["convergence"] = json.dumps(STATE)
    return Fit(spec, data, tree)


def measured(task: str, weeks: int, channels: int, draws: int) -> dict:
    fit = fit_of(weeks, channels, draws)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    wall, cpu = time.perf_counter(), time.process_time()
    if task in PATTERNS:
        window = fit.data.training[[0, -1]].tolist()
        best = bc.optimize(fit, window=window, draws=draws, pattern=PATTERNS[task])
        note = f"solved {best.solved}, P(gain > 0) {best.p_gain:.2f}"
    elif task == "forecast":
        future = bc.Future.like(fit.data, 52)
        note = f"{bc.forecast(fit, future).nbytes / 1e6:.0f} MB of draws"
    elif task == "plan":
        future = bc.Future.like(fit.data, 52)
        plans = {"same": future, "more": future.assign(x1=bc.Times(1.2))}
        note = f"P(better) {float((bc.plan(fit, plans) > 0).mean()):.2f}"
    else:
        total = task == "decomposition, total"
        note = f"{bc.decomposition(fit, total=total).nbytes / 1e9:.2f} GB of draws"
    return {
        "task": task,
        "weeks": weeks,
        "channels": channels,
        "draws": draws,
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "before": before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "note": note,
    }


RUNS = [
    *(("optimize", 52, channels, 500) for channels in (5, 10, 20)),
    *(("optimize, free by week", 52, channels, 500) for channels in (5, 10)),
    ("optimize, by 4 weeks", 52, 10, 500),
    *(("optimize", 52, 10, draws) for draws in (125, 2000)),
    ("decomposition", 179, 10, 2000),
    ("decomposition, total", 179, 10, 2000),
    *(("decomposition", 179, channels, 2000) for channels in (5, 20)),
    ("decomposition", 179, 10, 500),
    *(("forecast", 179, channels, 2000) for channels in (5, 10, 20)),
    ("forecast", 179, 10, 500),
    ("plan", 179, 10, 2000),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        task, *sizes = chosen.run
        print(json.dumps(measured(task, *map(int, sizes))))
        return
    print(f"{date.today()}, {os.cpu_count()} cores, Python {platform.python_version()},")
    print(f"NumPy {np.__version__}, load {os.getloadavg()[0]:.1f}\n")
    print("| | weeks | channels | draws | wall s | CPU s | peak GB (before) | |")
    print("|---|---|---|---|---|---|---|---|")
    for run in RUNS:
        command = [sys.executable, __file__, "--run", *map(str, run)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        r = json.loads(done.stdout.splitlines()[-1])
        print(
            f"| {r['task']} | {r['weeks']} | {r['channels']} | {r['draws']:,} | {r['wall']:.1f} | "
            f"{r['cpu']:.1f} | {r['peak']:.2f} ({r['before']:.2f}) | {r['note']} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
