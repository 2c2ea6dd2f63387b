"""What a draft costs, and how far it is from NUTS: seconds, Pareto k, medians and intervals.

    OPENBLAS_NUM_THREADS=1 python benchmarks/speed/first_look.py [--fits bundled S S5] [--seeds 3]
        [--drafts-only] [--pathfinder]

A cold fit is a process of its own with nothing compiled, imports included; the others are further
fits of the structure in one process. Their effects are compared with one long run of NUTS, 4 x
4,000 draws: ordinary NUTS stands beside the draft, as it is what a draft saves. Distances are in
widths of the long run's 90 percent interval.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date

import blackjax
import jax
import numpy as np
import pandas as pd
from speed import SIZES, world

import bayescausal as bc
from bayescausal.inference.compile import compile_jax
from bayescausal.inference.evidence import totals
from bayescausal.inference.fit import total_effects
from bayescausal.inference.importance import Weights
from bayescausal.inference.nuts import Coordinates
from bayescausal.model.build import build

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


def cold(name: str, method: str) -> str:
    """Fit in a new process, with nothing compiled."""
    command = [sys.executable, __file__, "--fits", name, "--cold", method]
    with tempfile.TemporaryDirectory() as folder:
        caches = {"BAYESCAUSAL_CACHE": folder, "PYTENSOR_FLAGS": f"base_compiledir={folder}"}
        before = os.times()
        subprocess.run(command, check=True, env={**os.environ, **caches}, capture_output=True)
        after = os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    return f"cold process {after.elapsed - before.elapsed:.1f} s, {cpu:.1f} of CPU"


def compare(name: str, methods: list[str], seeds: int, reference: pd.DataFrame) -> None:
    """Print what fits cost in this process, and how far they are from the reference."""
    spec, data = model(name)
    width = reference["high"] - reference["low"]
    for method in methods:
        print(f"\n{name}, {method}: {cold(name, method)}")
        timed(spec, data, method=method, seed=0)  # compiles
        away = []
        for seed in range(1, seeds + 1):
            fit, wall, cpu = timed(spec, data, method=method, seed=seed)
            away.append(quantiles(fit).sub(reference).div(width, axis=0))
            state, sampling = fit.convergence, fit.info["run"]["sample_seconds"]
            quality = (
                f"k {state.pareto_k:.2f}, worth {state.weighted_ess:.0f}"
                if state.is_draft
                else f"R-hat {state.max_rhat:.3f}, ESS {state.min_ess_bulk:.0f}"
            )
            worst = away[-1].abs().max()
            print(
                f"  again {wall:.2f} s, {cpu:.2f} of CPU ({sampling:.2f} s of drawing), {quality}, "
                f"{'converged' if state.converged else 'NOT CONVERGED'}; off by at most: "
                f"low {worst['low']:.1%}, median {worst['median']:.1%}, high {worst['high']:.1%}",
                flush=True,
            )
        mean = sum(away) / len(away)
        print(mean.map("{:+.1%}".format).rename_axis("mean of seeds").to_string(), flush=True)


def pathfinder(name: str, seeds: int) -> None:
    """Print Pareto k of blackjax's Pathfinder, from the start of the search and about the mode."""
    density = compile_jax(build(*model(name)))
    numbers, start = density.numbers(), density.start
    flat = Coordinates(np.zeros(len(start)), np.eye(len(start)))
    for label, (center, scale) in (("as it is", flat), ("whitened", density.coordinates())):

        def approximate(key, z, center=center, scale=scale):
            def logp(z):
                return density.form.logp.function(center + scale @ z, *numbers)[0]

            state, _ = blackjax.vi.pathfinder.approximate(key, logp, z, 200, maxiter=60)
            return blackjax.vi.pathfinder.sample(key, state, 2000)

        begin = time.process_time()
        draw = jax.jit(approximate).lower(jax.random.key(0), start).compile()
        print(f"{name}, pathfinder {label}: {time.process_time() - begin:.1f} s of CPU to compile")
        for seed in range(seeds):
            away = 1.5 * np.random.default_rng(seed).standard_normal(len(start))
            begin = time.process_time()
            z, height = map(
                np.asarray, draw(jax.random.key(seed), start if center is flat[0] else away)
            )
            values = density.values(Coordinates(center, scale).natural(z))
            weights = Weights.of(np.maximum(values - height, (values - height).max() - 700))
            seconds = time.process_time() - begin
            print(f"  {seconds:.2f} of CPU, k {weights.k:.2f}, worth {weights.ess:.0f} of 2,000")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = ["bundled", *SIZES]
    parser.add_argument("--fits", nargs="*", choices=names, default=["bundled", "S", "S5"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--drafts-only", action="store_true", help="compared with each other")
    parser.add_argument("--pathfinder", action="store_true", help="Pareto k of it, and no more")
    parser.add_argument("--cold", metavar="METHOD", help="fit once and say nothing")
    chosen = parser.parse_args()
    if chosen.cold:
        timed(*model(chosen.fits[0]), method=chosen.cold, seed=0)
        return
    print(date.today(), os.cpu_count(), "cores", platform.python_version())
    for name in chosen.fits:
        if chosen.pathfinder:
            pathfinder(name, chosen.seeds)
            continue
        long = {"method": "laplace"} if chosen.drafts_only else LONG
        reference = quantiles(timed(*model(name), seed=99, **long)[0])
        methods = ["laplace"] if chosen.drafts_only else ["laplace", "nuts"]
        compare(name, methods, chosen.seeds, reference)


if __name__ == "__main__":
    main()
