"""What a draft costs, and how far it is from NUTS: seconds, Pareto k, medians and intervals.

    OPENBLAS_NUM_THREADS=1 python benchmarks/speed/first_look.py [--fits bundled S S5] [--seeds 3]

Of each model and method the first fit, which may compile, and some more in the same process are
timed. Their effects are compared with one long run of NUTS, 4 x 4,000 draws: ordinary NUTS stands
beside the draft, as it is what a draft saves. Distances are in widths of the long run's 90 percent
interval.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from datetime import date

import pandas as pd
from speed import SIZES, world

import bayescausal as bc
from bayescausal.inference.evidence import totals
from bayescausal.inference.fit import total_effects

LONG = {"draws": 4000, "tune": 1000, "rounds": 2}


def model(name: str) -> tuple[bc.Spec, bc.Dataset]:
    if name == "bundled":
        example = bc.load_example()
        return example.spec, example.data
    return world(*SIZES[name], 1, mediated=name == "M")


def timed(spec: bc.Spec, data: bc.Dataset, **settings) -> tuple[bc.Fit, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    fit = bc.fit(spec, data, progress=False, **settings)
    return fit, time.perf_counter() - wall, time.process_time() - cpu


def quantiles(fit: bc.Fit) -> pd.DataFrame:
    """Return low, median and high of each total effect."""
    effects = total_effects(fit, totals(fit.spec, fit.data))
    table = pd.DataFrame({name: pd.Series(v.ravel()) for name, v in effects.items()})
    return table.quantile([0.05, 0.5, 0.95]).set_axis(["low", "median", "high"]).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--fits", nargs="*", choices=["bundled", *SIZES], default=["bundled", "S", "S5"]
    )
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    print(date.today(), os.cpu_count(), "cores", platform.python_version())
    for name in chosen.fits:
        spec, data = model(name)
        reference = quantiles(timed(spec, data, seed=99, **LONG)[0])
        width = reference["high"] - reference["low"]
        for method in ("laplace", "nuts"):
            _, wall, cpu = timed(spec, data, method=method, seed=0)
            print(f"\n{name}, {method}: first {wall:.1f} s, {cpu:.1f} of CPU")
            for seed in range(1, chosen.seeds + 1):
                fit, wall, cpu = timed(spec, data, method=method, seed=seed)
                off = quantiles(fit).sub(reference).div(width, axis=0)
                state, sampling = fit.convergence, fit.info["run"]["sample_seconds"]
                quality = (
                    f"k {state.pareto_k:.2f}, worth {state.weighted_ess:.0f}"
                    if state.is_draft
                    else f"R-hat {state.max_rhat:.3f}, ESS {state.min_ess_bulk:.0f}"
                )
                worst = off.abs().max()
                print(
                    f"  again {wall:.2f} s, {cpu:.2f} of CPU ({sampling:.2f} of drawing), {quality}"
                    f", {'converged' if state.converged else 'NOT CONVERGED'}; off by at most: "
                    f"low {worst['low']:.1%}, median {worst['median']:.1%}, "
                    f"high {worst['high']:.1%}",
                    flush=True,
                )
            print(off.map("{:+.1%}".format).to_string())


if __name__ == "__main__":
    main()
