"""How long until a converged posterior: compile, sample, effective draws, memory.

    python benchmarks/speed/speed.py [--weeks 179] [--channels 2] [--units 1] [--sampler blackjax]

The data are like PyMC-Marketing's example: weekly, saturating media with carry-over, trend and
season, simulated by `bayescausal.simulate` with the given size and seed.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import time
from datetime import date

import numpy as np
import pandas as pd

import bayescausal as bc

MEDIA = bc.Response(bc.GeometricAdstock(l_max=8), bc.HillSaturation())


def world(weeks: int, channels: int, units: int, seed: int) -> tuple[bc.Spec, bc.Dataset]:
    """Simulate sales of ``units`` markets from ``channels`` media."""
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
    spec = bc.Spec(
        bc.Graph.parse(f"{', '.join(names)} -> sales", outcome="sales"),
        dict.fromkeys(names, MEDIA),
        (bc.LinearTrend(), bc.YearlySeasonality(2)),
    )
    theta: dict = {
        "sales:trend": [60.0],
        "sales:yearly": [40.0, -30.0, 10.0, 5.0],
        "sales:sigma": 40.0,
        "sales:phi": 0.0,
    }
    if units > 1:
        theta |= {
            "sales:intercept:mean": 800.0,
            "sales:intercept:spread": 80.0,
            "sales:intercept": rng.normal(800, 80, units),
        }
    else:
        theta["sales:intercept"] = 800.0
    for name in names:
        theta |= {
            f"{name}->sales": rng.uniform(80, 260),
            f"{name}->sales:alpha": rng.beta(3, 4),
            f"{name}->sales:half": rng.uniform(0.2, 0.8),
            f"{name}->sales:slope": rng.uniform(0.9, 2.0),
        }
    return spec, bc.simulate(spec, data, theta, rng).data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("weeks", 179), ("channels", 2), ("units", 1), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("draws", 500), ("tune", 200), ("chains", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--sampler", default="blackjax")
    chosen = parser.parse_args()
    spec, data = world(chosen.weeks, chosen.channels, chosen.units, chosen.seed)
    start = time.perf_counter()
    fit = bc.fit(
        spec,
        data,
        seed=chosen.seed,
        progress=False,
        sampler=chosen.sampler,
        draws=chosen.draws,
        tune=chosen.tune,
        chains=chosen.chains,
    )
    whole = time.perf_counter() - start
    start = time.perf_counter()
    bc.contributions(fit, total=True)
    asked = time.perf_counter() - start
    run, state = fit.info["run"], fit.convergence
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    rows = {
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.python_version()}",
        "versions": ", ".join(f"{k} {v}" for k, v in fit.info["versions"].items()),
        "size": f"{chosen.weeks} weeks x {chosen.channels} channels x {chosen.units} units",
        "sampler": fit.info["settings"]["sampler"],
        "compile seconds": f"{run['compile_seconds']:.1f}",
        "sampling seconds": f"{run['sample_seconds']:.1f}",
        "whole fit, seconds": f"{whole:.1f}",
        "leapfrogs": run["leapfrogs"],
        "divergences": run["divergences"],
        "max R-hat": f"{state.max_rhat:.3f} ({state.worst})",
        "min bulk ESS of contributions": f"{state.min_ess_bulk:.0f}",
        "ESS per second of sampling": f"{state.min_ess_bulk / run['sample_seconds']:.0f}",
        "all contributions, seconds": f"{asked:.2f}",
        "peak memory, GB": f"{peak:.2f}",
        "verdict": str(state),
    }
    for label, value in rows.items():
        print(f"{label:32s} {value}")


if __name__ == "__main__":
    main()
