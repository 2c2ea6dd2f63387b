"""Choose sampling defaults on easy and hard worlds: effective draws per gradient, and coverage.

    python benchmarks/speed/worlds.py [--seeds 1 2] [--samplers blackjax nutpie]

Easy worlds are made by the model's own families. Hard ones by others (Weibull adstock, logistic
saturation), with five channels, a hidden season in the spend and a mediator; the model fits
geometric adstock and Hill saturation. Seeds below 100 tune; tests judge on seeds from 9,000.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

import bayescausal as bc

FITTED = bc.Response(bc.GeometricAdstock(l_max=8), bc.HillSaturation())
FOREIGN = bc.Response(bc.WeibullCDFAdstock(l_max=12), bc.LogisticSaturation())
BASELINE = (bc.LinearTrend(), bc.YearlySeasonality(2))


def world(kind: str, seed: int) -> tuple[bc.World, bc.Spec]:
    rng = np.random.default_rng([seed, kind == "hard"])
    channels = [f"x{k + 1}" for k in range(5 if kind == "hard" else 3)]
    weeks = 156
    week = pd.date_range("2023-01-02", periods=weeks, freq="7D", name="week")
    season = np.cos(2 * np.pi * np.arange(weeks) / 52.18)
    frame = pd.DataFrame(index=week)
    frame["demand"] = 100 + 12 * season + rng.normal(0, 8, weeks)
    for name in channels:
        on = rng.random(weeks) < rng.uniform(0.5, 1)
        tilt = np.exp(0.02 * (frame["demand"] - 100)) if kind == "hard" else 1.0
        frame[name] = on * rng.gamma(2.5, 40, weeks) * tilt
    data = bc.Dataset.from_frame(frame.reset_index(), time="week", spend=channels)
    media = ", ".join(channels)
    graph = bc.Graph.parse(
        f"demand -> {media}, search, sales\nx1 -> search -> sales\n{media} -> sales",
        outcome="sales",
    )
    made = FOREIGN if kind == "hard" else FITTED
    theta: dict = {
        "search:intercept": 20.0,
        "search:trend": [2.0],
        "search:yearly": [0.5, -0.8, 0.2, 0.1],
        "search:sigma": 2.0,
        "demand->search": 30.0,
        "sales:intercept": 500.0,
        "sales:trend": [40.0],
        "sales:yearly": [15.0, -20.0, 5.0, 3.0],
        "sales:sigma": 25.0,
        "sales:phi": 0.0,
        "search:phi": 0.0,
        "demand->sales": 200.0,
        "search->sales": 3.0,
    }
    for edge in ["x1->search", *(f"{name}->sales" for name in channels)]:
        theta[edge] = rng.uniform(15, 30) if edge == "x1->search" else rng.uniform(60, 220)
        if kind == "hard":
            theta |= {
                f"{edge}:shape": rng.uniform(0.7, 1.6),
                f"{edge}:scale": rng.uniform(1, 4),
                f"{edge}:lam": rng.uniform(1.5, 5),
            }
        else:
            theta |= {
                f"{edge}:alpha": rng.uniform(0.1, 0.7),
                f"{edge}:half": rng.uniform(0.2, 0.8),
                f"{edge}:slope": rng.uniform(0.9, 2.0),
            }
    truth = bc.simulate(bc.Spec(graph, dict.fromkeys(channels, made), BASELINE), data, theta, rng)
    return truth, bc.Spec(graph, dict.fromkeys(channels, FITTED), BASELINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--samplers", nargs="*", default=["blackjax", "nutpie"])
    chosen = parser.parse_args()
    print(
        "world sampler | min ESS effects, leapfrogs, ESS per 1,000 leapfrogs, divergences, "
        "max R-hat, covered, seconds"
    )
    for kind in ("easy", "hard"):
        for seed in chosen.seeds:
            truth, spec = world(kind, seed)
            for sampler in chosen.samplers:
                fit = bc.fit(spec, truth.data, seed=seed, progress=False, sampler=sampler)
                run, state = fit.info["run"], fit.convergence
                hits = 0
                for name in spec.treatments:
                    row = bc.summarize(bc.effect(fit, bc.incremental(name))).iloc[0]
                    hits += row["low"] <= truth.effect(bc.incremental(name)) <= row["high"]
                least, steps = state.min_ess_bulk, run["leapfrogs"]
                rate = 1000 * least / steps
                print(
                    f"{kind} {seed} {sampler:9s} | {least:6.0f} {steps:7d} "
                    f"{rate:6.1f} {run['divergences']:3d} {state.max_rhat:.3f} "
                    f"{hits}/{len(spec.treatments)} {run['sample_seconds']:.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
