"""Panels whose markets differ: what a common response, or a common error, costs.

    python benchmarks/truth/panels.py [--worlds 20] [--first 9000] [--markets 8] [--weeks 104]

Each world is made by plain numpy: markets of very different size; observed demand moves tv and
sales; per head of a market tv does more in some than in others (standard deviation of the logs
0 to 0.6), and small markets are noisier. Specs have a common or a partially pooled response
(``Response(spread=)``), a common or a partially pooled scale of errors (``NormalNoise(spread=)``);
the default is both. Two more are told the size of each market (``Dataset.from_frame(size=)``), for
which the mean outcome stands in otherwise. Asked: the effect of tv in all markets together, and in
each. Seeds below 9000 are free for tuning; these judge.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd

import bayescausal as bc
from bayescausal.specs.prior import UNIT_SPECIFIC

ARMS = {
    "common": ("common", "common", False),
    "response": (UNIT_SPECIFIC, "common", False),
    "errors": ("common", UNIT_SPECIFIC, False),
    "both": (UNIT_SPECIFIC, UNIT_SPECIFIC, False),
    "common, size": ("common", "common", True),
    "both, size": (UNIT_SPECIFIC, UNIT_SPECIFIC, True),
}


def make_world(
    seed: int, markets: int, weeks: int, declared: bool
) -> tuple[bc.Dataset, np.ndarray, dict[str, float]]:
    """Return a panel, the effect of tv in each market, and how much the markets differ."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(0, 1, markets))
    apart = {"response": rng.uniform(0, 0.6), "errors": rng.uniform(0, 0.6)}
    season = np.sin(2 * np.pi * np.arange(weeks) / 52)
    demand = 100 + 8 * season + rng.normal(0, 4, (markets, weeks))
    on = rng.random((markets, weeks)) < 0.6
    tv = on * np.exp(0.03 * (demand - 100)) * rng.gamma(3, 1, (markets, weeks))
    alpha, half, slope = rng.uniform(0.1, 0.7), rng.uniform(0.2, 0.7), rng.uniform(1.0, 2.0)
    half, weights = half * tv.max(), alpha ** np.arange(9)
    carried = np.stack([np.convolve(x, weights / weights.sum())[:weeks] for x in tv])
    beta = rng.uniform(30, 120) * np.exp(rng.normal(0, apart["response"], markets))
    added = beta[:, None] * carried**slope / (half**slope + carried**slope)
    noise = rng.uniform(5, 12) * np.exp(rng.normal(0, apart["errors"], markets))
    noise = noise * size ** -rng.uniform(0, 0.3)
    level = 100 + rng.normal(0, 10, (markets, 1))
    head = level + 1.5 * (demand - 100) + added + noise[:, None] * rng.normal(size=tv.shape)
    week = pd.date_range("2022-01-03", periods=weeks, freq="7D")
    names = [f"market {k + 1:03d}" for k in range(markets)]
    frame = pd.DataFrame(
        {
            "week": np.tile(week, markets),
            "market": np.repeat(names, weeks),
            "people": np.repeat(size, weeks),
            "demand": demand.ravel(),
            "tv": (size[:, None] * tv).ravel(),
            "sales": (size[:, None] * head).ravel(),
        }
    )
    truth = size * added.sum(axis=1)
    said = "people" if declared else None
    return bc.Dataset.from_frame(frame, time="week", unit="market", size=said), truth, apart


def judge(seed: int, markets: int, weeks: int, arms: list[str]) -> list[dict]:
    """Fit each spec to a world, and compare its intervals with the truth."""
    graph = bc.Graph.parse("demand -> tv, sales\ntv -> sales", outcome="sales")
    rows = []
    for arm in arms:
        between, errors, declared = ARMS[arm]
        data, truth, apart = make_world(seed, markets, weeks, declared)
        media = bc.Response(bc.GeometricAdstock(l_max=8), bc.HillSaturation(), spread=between)
        spec = bc.Spec(graph, {"tv": media}, noise=bc.NormalNoise(spread=errors))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = bc.fit(spec, data, seed=seed, progress=False)
        asked = bc.incremental("tv")
        total = bc.summarize(bc.effect(fit, asked)).iloc[0]
        each = [
            bc.summarize(bc.effect(fit, bc.incremental("tv", units=(u,)))).iloc[0]
            for u in data.units
        ]
        low, high = (np.array([row[side] for row in each]) for side in ("low", "high"))
        median = np.array([row["median"] for row in each])
        run = fit.info["run"]
        rows.append(
            {
                "seed": seed,
                "arm": arm,
                "error": total["median"] / truth.sum() - 1,
                "inside": total["low"] <= truth.sum() <= total["high"],
                "width": (total["high"] - total["low"]) / truth.sum(),
                "each": np.mean((low <= truth) & (truth <= high)),
                "off": np.sqrt(np.mean((median / truth - 1) ** 2)),
                "wide": np.mean((high - low) / truth),
                "leapfrogs": run["leapfrogs"],
                "seconds": run["sample_seconds"],
                "converged": fit.convergence.converged,
            }
        )
        print(
            f"{seed} {arm:12s} spread {apart['response']:.2f} {apart['errors']:.2f}  "
            f"{rows[-1]['error']:+.3f} {'covers' if rows[-1]['inside'] else 'MISSES'}, "
            f"{rows[-1]['each']:.2f} of markets, {run['leapfrogs']} leapfrogs, {fit.convergence}",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--first", type=int, default=9000)
    parser.add_argument("--markets", type=int, default=8)
    parser.add_argument("--weeks", type=int, default=104)
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=list(ARMS))
    chosen = parser.parse_args()
    start, rows = time.time(), []
    for seed in range(chosen.first, chosen.first + chosen.worlds):
        rows += judge(seed, chosen.markets, chosen.weeks, chosen.arms)
    print(
        "\n| spec | all: bias | RMSE | covered | width | each: RMSE | covered | width "
        "| leapfrogs | s | converged |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for arm, part in pd.DataFrame(rows).groupby("arm", sort=False):
        print(
            f"| {arm} | {100 * part['error'].mean():+.1f} % "
            f"| {100 * np.sqrt((part['error'] ** 2).mean()):.1f} % "
            f"| {part['inside'].sum()} of {len(part)} | {100 * part['width'].mean():.0f} % "
            f"| {100 * np.sqrt((part['off'] ** 2).mean()):.0f} % | {100 * part['each'].mean():.0f} "
            f"in 100 | {100 * part['wide'].mean():.0f} % | {part['leapfrogs'].median():,.0f} "
            f"| {part['seconds'].median():.0f} | {part['converged'].sum()} of {len(part)} |"
        )
    print(f"{time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
