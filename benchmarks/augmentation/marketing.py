"""What augmentation does to channel effects: bias, error and coverage, in worlds with known ones.

    python benchmarks/augmentation/marketing.py --quick
    python benchmarks/augmentation/marketing.py [--first 9000] [--out records.csv]

The question that the papers do not ask. Each world (see `marketing_worlds.py`) is analyzed by the
conjugate regression with known transforms, total weight n: (1 - lambda) on observed weeks, lambda
on augmented rows, eta = 1. Intervals are 90 percent.

Two arms have no augmented rows and are there to compare with. ``none, shrunk``: a prior around zero
for the effects, as wide as the evidence makes it; what it gains is shrinkage, without a graph.
``none, factorized`` (mediator): one regression for each equation of the graph, effects multiplied,
which is what a model that is the graph does anyway. Seeds from 1; from 9,000 judge.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from marketing_worlds import KINDS, ROOT, World, make_world
from tables import heading, table
from weighted_regression import Posterior, fit, shrunk

import bayescausal as bc

WEEKS = (52, 104, 156, 300)
LAMBDAS = (0.5, 1.0)
ARMS = {
    "NadarayaWatson": bc.NadarayaWatson("silverman"),
    "NadarayaWatson x 0.001": bc.NadarayaWatson("scott", temperature=1e-3),
    "KNearest": bc.KNearest(),
    "ResidualBootstrap": bc.ResidualBootstrap(),
    "ResidualBootstrap, linear": bc.ResidualBootstrap(knots=0, products=False),
    "LocalLinear": bc.LocalLinear(),
    "Forest": bc.Forest(),
}
"""Where augmented rows are from; ``x 0.001`` is the bandwidth of the published runs."""


def analyses(
    world: World, arms: Sequence[str], budget: int, seed: int
) -> Iterator[tuple[str, float, str, Any]]:
    """Yield arm, lambda, effect and its (estimate, low, high)."""
    observed, n = world.frame, len(world.frame)
    ones = np.ones(n)
    yield from _read(world, "none", 0.0, fit(observed, ones, "sales", world.terms))
    effects = [term for term in world.terms if term not in ROOT]
    yield from _read(world, "none, shrunk", 0.0, shrunk(observed, "sales", world.terms, effects))
    if "search" in observed:
        yield "none, factorized", 0.0, "tv", factorized(world, ones, seed)
    for arm in arms:
        rows = bc.augment(
            observed,
            world.graph,
            method=bc.Ancestral(budget),
            conditional=ARMS[arm],
            together=[ROOT],
            seed=seed,
        )
        made = rows.to_frame()
        both = pd.concat([observed, made[list(observed.columns)]], ignore_index=True)
        share = made["weight"].to_numpy() / made["weight"].sum()
        for lam in LAMBDAS:
            weights = np.r_[(1 - lam) * ones, lam * n * share]
            yield from _read(world, arm, lam, fit(both, weights, "sales", world.terms))


def _read(
    world: World, arm: str, lam: float, posterior: Posterior
) -> Iterator[tuple[str, float, str, Any]]:
    for effect, reads in world.reads.items():
        low, high = posterior.interval(dict(reads))
        yield arm, lam, effect, (posterior.of(dict(reads))[0], low, high)


def factorized(world: World, ones: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Total effect of tv as search per tv times sales per search, from observed weeks alone."""
    rng, root = np.random.default_rng(seed), ["sine", "cosine", "demand"]
    first = fit(world.frame, ones, "search", ["tv", *root])
    second = fit(world.frame, ones, "sales", ["search", "social", "radio", *root])
    product = first.draws("tv", 4000, rng) * second.draws("search", 4000, rng)
    low, high = np.quantile(product, [0.05, 0.95])
    return float(product.mean()), float(low), float(high)


def run(kind: str, weeks: int, seed: int, *, arms: Sequence[str], budget: int) -> pd.DataFrame:
    """One world: a record for each arm, lambda and effect."""
    records = []
    world = make_world(kind, weeks, seed)
    for arm, lam, effect, (estimate, low, high) in analyses(world, arms, budget, seed):
        truth = world.truth[effect]
        records.append(
            {
                "kind": kind,
                "weeks": weeks,
                "seed": seed,
                "arm": arm,
                "lambda": lam,
                "effect": effect,
                "error": (estimate - truth) / truth,
                "covered": low <= truth <= high,
                "width": (high - low) / truth,
            }
        )
    return pd.DataFrame(records)


def group(record: pd.DataFrame) -> pd.Series:
    """What is averaged: all channels alike, but the effect that a world is about by itself."""
    special = {"mediator": ("tv",), "interaction": ("tv, much social",), "additive": ()}
    named = [
        effect if effect in special[kind] else "channels"
        for kind, effect in zip(record["kind"], record["effect"], strict=True)
    ]
    return pd.Series(named, index=record.index).replace({"tv": "tv, total"})


def cell(mine: pd.DataFrame, none: pd.DataFrame) -> str:
    """Bias, root mean squared error and coverage; the error as a ratio to no augmentation."""
    mine, none = mine.set_index(["seed", "effect"]), none.set_index(["seed", "effect"])
    bias = mine["error"].groupby("seed").mean()
    square = (mine["error"] ** 2).groupby("seed").mean()
    base = (none["error"].loc[mine.index] ** 2).groupby("seed").mean()
    worse = square - base
    sure = abs(worse.mean()) > 2 * worse.std() / np.sqrt(len(worse)) > 0
    ratio = np.sqrt(square.mean() / base.mean())
    error = f"{ratio:.2f}{'*' if sure and abs(ratio - 1) > 0.01 else ''}"
    if (mine["arm"] == "none").all():
        error = f"{100 * np.sqrt(square.mean()):.0f} %"
    wide = mine["width"].mean() / none["width"].loc[mine.index].mean()
    standard = 100 * bias.std() / np.sqrt(len(bias))
    first = f"{100 * bias.mean():+.1f} ({standard:.1f})"
    return f"{first}, {error}, {100 * mine['covered'].mean():.0f}, {wide:.2f}"


def lines(records: pd.DataFrame) -> list[list[str]]:
    """Rows of the table: arms and lambdas by world and effect; a column for each n."""
    out = []
    records = records.assign(effects=group(records))
    for key, part in records.groupby(["kind", "effects"], sort=False):
        none = part[part["arm"] == "none"]
        for (arm, lam), mine in part.groupby(["arm", "lambda"], sort=False):
            cells = [
                cell(mine[mine["weeks"] == weeks], none[none["weeks"] == weeks])
                for weeks in sorted(mine["weeks"].unique())
            ]
            out.append([*map(str, key), arm, f"{lam:g}", *cells])
    return out


KEY = """Cells: bias in percent of the effect (standard error over worlds), root mean squared error
relative to no augmentation (of "none": in percent of the effect), coverage of 90 percent intervals
in percent, width of the intervals relative to no augmentation. * the error differs by more than one
percent, and the squared error by more than two paired standard errors."""


def package_fits(worlds: int, first: int, weeks: int = 104) -> list[list[str]]:
    """The package's own fits, NUTS and plain edges: lambda 0.5 beside the fit without."""
    rows = []
    for kind in ("additive", "mediator"):
        for seed in range(first, first + worlds):
            world = make_world(kind, weeks, seed)
            when = pd.date_range("2022-01-03", periods=weeks, freq="7D")
            data = bc.Dataset.from_frame(world.frame.assign(week=when), time="week")
            for name in ("residual-bootstrap", "nadaraya-watson"):
                how = {v: name for v in ("search", "sales") if v in world.frame}
                given = bc.Augmentation(weight=0.5, conditional=how)
                spec = bc.Spec(world.graph, treatments=tuple(world.truth), augmentation=given)
                made = bc.fit(spec, data, seed=seed, draws=300, tune=200, progress=False)
                assert made.plain is not None
                for arm, one in (("none", made.plain), (name, made)):
                    if (arm, name) == ("none", "nadaraya-watson"):
                        continue  # the same fit as beside the other arm
                    for channel, truth in world.truth.items():
                        asked = bc.Estimand({channel: bc.Plus(1)}, scale="mean")
                        found = bc.summarize(bc.effect(one, asked)).iloc[0]
                        inside = found["low"] <= truth <= found["high"]
                        width = found["high"] - found["low"]
                        rows.append((kind, arm, truth, found["median"] - truth, inside, width))
            print(kind, seed, "done", file=sys.stderr, flush=True)
    columns = ["kind", "arm", "truth", "error", "inside", "width"]
    records = pd.DataFrame(rows, columns=columns)
    out = []
    for (kind, arm), part in records.groupby(["kind", "arm"], sort=False):
        bias = 100 * part["error"].sum() / part["truth"].sum()
        rmse = 100 * np.sqrt((part["error"] ** 2).mean()) / part["truth"].mean()
        cover = f"{int(part['inside'].sum())} of {len(part)}"
        numbers = [f"{bias:+.1f} %", f"{rmse:.0f} %", cover, f"{part['width'].mean():.3f}"]
        out.append([str(kind), str(arm), *numbers])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="40 worlds a cell, n 52 and 156")
    parser.add_argument("--full", action="store_true", help="fits with the package itself, n 104")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument(
        "--arms", nargs="*", choices=list(ARMS), help="all but the forest by default"
    )
    parser.add_argument("--worlds", type=int, help="worlds a cell; 200, or 40 with --quick")
    parser.add_argument("--budget", type=int, help="augmented rows; 10,000, or 4,000 with --quick")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--first", type=int, default=1, help="first seed")
    parser.add_argument("--out", help="file for the records of all worlds")
    chosen = parser.parse_args()
    if chosen.full:
        print(heading("Fits of the package with augmented rows and without", ("pymc", "nutpie")))
        header = ["world", "rows from", "bias", "RMSE", "covered", "width"]
        print("\n" + table(header, package_fits(chosen.worlds or 10, chosen.first)))
        return
    worlds = chosen.worlds or (40 if chosen.quick else 200)
    budget = chosen.budget or (4000 if chosen.quick else 10_000)
    arms = chosen.arms or list(ARMS)[:-1]
    print(heading("Channel effects with and without augmentation", ("numpy", "scipy")))
    print(f"\n{worlds} worlds a cell, {budget:,} augmented rows.\n", flush=True)
    seeds = range(chosen.first, chosen.first + worlds)
    weeks = (52, 156) if chosen.quick else WEEKS
    cases = [(kind, n, seed) for kind in chosen.kinds for n in weeks for seed in seeds]
    one = partial(run, arms=arms, budget=budget)
    with ProcessPoolExecutor(chosen.jobs) as pool:
        kept = list(pool.map(one, *zip(*cases, strict=True), chunksize=5))
    records = pd.concat(kept, ignore_index=True)
    columns = [f"n = {weeks}" for weeks in sorted(records["weeks"].unique())]
    print(KEY + "\n")
    print(table(["world", "effects", "rows from", "lambda", *columns], lines(records)))
    if chosen.out:
        records.to_csv(chosen.out, index=False)


if __name__ == "__main__":
    main()
