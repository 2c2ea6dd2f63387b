"""Seven channels, two of them near copies: how long `fit` goes on, and what it then knows.

    python benchmarks/truth/copies.py [--worlds 3] [--first 70000] [--apart none 0.1 0.03 0.01]

National weekly worlds made of the parts of `worlds.py`. ``apart`` is the standard deviation of the
logs by which the second channel differs from the first in each week; with ``none`` it is a channel
like any other. Each world is fitted by `bayescausal.fit` with its defaults, after one that is
thrown away, so that nobody waits for a compiler. Asked is what the two brought, alone and together:
posterior medians and 90 percent intervals, in parts of what all media brought.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from worlds import CHANNELS, WEEKS, autoregressive, carry_over, saturation, schedule

import bayescausal as bc
from bayescausal.errors import CopiedChannels

CHANNELS = CHANNELS[:7]
PAIR = CHANNELS[:2]


def make_world(seed: int, apart: float | None) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return a table of weeks, and what each channel brought."""
    rng = np.random.default_rng(seed)
    share = 300 * rng.dirichlet(np.full(len(CHANNELS), 3.0))
    spend = [
        schedule(rng) * np.exp(rng.uniform(0.2, 0.5) * autoregressive(rng, 0.5)) for _ in CHANNELS
    ]
    if apart is not None:
        spend[1] = spend[0] * np.exp(apart * rng.normal(size=WEEKS))
    noise, frame, truth = rng.normal(size=WEEKS), {}, {}
    sales = 700 + 30 * np.sin(2 * np.pi * np.arange(WEEKS) / 52.18) + 30 * noise
    for channel, part, path in zip(CHANNELS, share, spend, strict=True):
        frame[channel] = 60 * path / path.mean()
        carried = np.convolve(path, carry_over(rng))[:WEEKS]
        response = saturation(rng)(carried / carried.max())
        effect = part * response / response.mean()
        sales, truth[channel] = sales + effect, float(effect.sum())
    week = pd.date_range("2022-01-03", periods=WEEKS, freq="7D")
    return pd.DataFrame({"week": week, **frame, "sales": sales}), truth


def interval(fit: bc.Fit, channels: list[str], truth: dict[str, float]) -> str:
    """Write an effect and its truth, in parts of what all media brought."""
    row = bc.summarize(bc.effect(fit, bc.incremental(channels))).iloc[0]
    exact, everything = sum(truth[c] for c in channels), sum(truth.values())
    low, middle, high = (row[k] / everything for k in ("low", "median", "high"))
    covers = "" if row["low"] <= exact <= row["high"] else " MISSES"
    return f"{middle:.2f} [{low:.2f}, {high:.2f}] ({exact / everything:.2f}{covers})"


def judge(seed: int, apart: float | None) -> str:
    """Fit one world, and write a row of the table."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return _judge(seed, apart, caught)


def _judge(seed: int, apart: float | None, caught: list[warnings.WarningMessage]) -> str:
    frame, truth = make_world(seed, apart)
    media = bc.Response(bc.WeibullPDFAdstock(), bc.HillSaturation())
    spec = bc.Spec(
        bc.Graph.parse(f"{', '.join(CHANNELS)} -> sales", outcome="sales"),
        dict.fromkeys(CHANNELS, media),
        baseline=(bc.LinearTrend(), bc.YearlySeasonality(2)),
    )
    data = bc.Dataset.from_frame(frame, time="week", spend=list(CHANNELS))
    wall, cpu = time.perf_counter(), time.process_time()
    fit = bc.fit(spec, data, seed=seed, progress=False)
    seconds = f"{time.perf_counter() - wall:.0f} ({time.process_time() - cpu:.0f})"
    correlation = np.corrcoef(frame[PAIR[0]], frame[PAIR[1]])[0, 1]
    named = any(issubclass(w.category, CopiedChannels) for w in caught)
    state, run = fit.convergence, fit.info["run"]
    rounds = "; ".join(
        f"{r['tune']} + {r['draws']}: {', '.join(r['problems']) or 'converged'}"
        for r in run["rounds"]
    )
    numbers = [
        f"{'none' if apart is None else apart} | {seed} | {correlation:.4f}",
        "yes" if named else "no",
        rounds,
        f"{seconds} | {run['leapfrogs']:,} | {state.divergences} | {state.min_ess_bulk:.0f}",
        *(interval(fit, [c], truth) for c in PAIR),
        interval(fit, list(PAIR), truth),
    ]
    return f"| {' | '.join(numbers)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=3)
    parser.add_argument("--first", type=int, default=70_000)
    parser.add_argument("--apart", nargs="*", default=["none", "0.1", "0.03", "0.01"])
    chosen = parser.parse_args()
    judge(1, None)
    names = "apart | seed | correlation | named | rounds | s (CPU) | leapfrogs | divergences | ESS"
    print(f"| {names} | {' | '.join(PAIR)} | both |\n|{'---|' * 12}")
    for apart in chosen.apart:
        for seed in range(chosen.first, chosen.first + chosen.worlds):
            print(judge(seed, None if apart == "none" else float(apart)), flush=True)


if __name__ == "__main__":
    main()
