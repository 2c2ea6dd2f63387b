"""What the defaults are worth: bias, error, coverage and width by family of worlds.

    python benchmarks/truth/defaults.py [--worlds 12] [--families plain null ...] [--memory 0.5]
        [--adstock WeibullPDFAdstock] [--noise NormalNoise] [--tv-link identity] [--single]
        [--errors 0.2] [--curve HillSaturation] [--priors '{"half": {"distribution": ...}}']
        [--against pymc-marketing --python PYTHON]

Each world of `worlds.py` is fitted with the response that the README recommends, a linear trend,
two yearly harmonics (of daily data three weekly ones too) and the defaults of everything else.
Asked is what each channel brought over all weeks: the posterior median and the central 90 percent
interval. Errors, widths and biases are parts of what all media brought together. Seeds from
`worlds.JUDGE` on; nothing was tuned on them.

Posteriors of one family are sampled together (`batch.py`), which is many times as fast;
``--single`` calls `bayescausal.fit` for each.

``--against pymc-marketing`` fits the same worlds in that package too, by `rival.py` in the
environment of the interpreter PYTHON, which needs pymc-marketing and nutpie and not this package.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from batch import sample
from worlds import FAMILIES, JUDGE, World, make_world

import bayescausal as bc
from bayescausal.inference.convergence import assess
from bayescausal.inference.fit import total_effect
from bayescausal.inference.groups import grouped
from bayescausal.model.scm import compile_scm

HERE = Path(__file__).parent
BATCH = 25


class Arm(NamedTuple):
    """What a family is like (memory and size of its errors), and what is fitted to it."""

    memory: float = 0.0
    adstock: str = "WeibullPDFAdstock"
    noise: str | None = None
    tv_link: str | None = None
    errors: float = 1.0
    curve: str = "HillSaturation"
    priors: str = "{}"
    """Of parameters of the curve, as JSON, where they are not the default."""


def claims(world: World, arm: Arm = Arm()) -> tuple[bc.Spec, bc.Dataset]:  # noqa: B008
    """Return what is fitted to a world: its graph, the recommended response, every default."""
    priors = {name: bc.Prior(**prior) for name, prior in json.loads(arm.priors).items()}
    media = bc.Response(getattr(bc, arm.adstock)(), getattr(bc, arm.curve)(priors=priors))
    tests = [
        bc.Experiment(
            bc.incremental(test.channel).during(
                world.frame["week"][test.weeks.start].date(),
                world.frame["week"][test.weeks.stop - 1].date(),
            ),
            lift=test.lift,
            std_error=test.std_error,
            design="geo-rct",
        )
        for test in world.tests
    ]
    baseline = (bc.LinearTrend(), bc.YearlySeasonality(2))
    if world.family == "daily":
        baseline = (*baseline, bc.WeeklySeasonality(3))
    spec = bc.Spec(
        bc.Graph.parse(world.graph, outcome="sales"),
        dict.fromkeys(world.channels, media),
        baseline=baseline,
        experiments=tests,
        noise=getattr(bc, arm.noise)() if arm.noise else None,
        links={"tv": arm.tv_link} if arm.tv_link else {},
    )
    unit = "market" if "market" in world.frame else None
    data = bc.Dataset.from_frame(world.frame, time="week", unit=unit, spend=list(world.channels))
    return spec, data


class Judged(NamedTuple):
    """Draws of the effect of each channel, ``(chain, draw)``, and whether to trust them."""

    world: World
    effects: dict[str, np.ndarray]
    converged: bool
    seconds: float

    def rows(self) -> list[dict]:
        """Compare the interval of each channel with the truth."""
        table = []
        for channel, draws in self.effects.items():
            low, median, high = map(float, np.quantile(draws, [0.05, 0.5, 0.95]))
            about = {"family": self.world.family, "seed": self.world.seed, "channel": channel}
            truth = {"truth": self.world.truth[channel], "all": sum(self.world.truth.values())}
            numbers = {"median": median, "low": low, "high": high}
            table.append(
                {**about, **truth, **numbers, "converged": self.converged, "seconds": self.seconds}
            )
        return table


def judge(task: tuple[str, Sequence[int], Arm]) -> list[dict]:
    """Fit worlds one by one, by `bayescausal.fit`."""
    family, seeds, arm = task
    rows = []
    for seed in seeds:
        world, start = make_world(family, seed, arm.memory, arm.errors), time.perf_counter()
        fit = bc.fit(*claims(world, arm), seed=seed, progress=False)
        effects = {c: total_effect(fit, bc.incremental(c)) for c in world.channels}
        took = time.perf_counter() - start
        rows += Judged(world, effects, fit.convergence.converged, took).rows()
    return rows


def judge_together(task: tuple[str, Sequence[int], Arm]) -> list[dict]:
    """Sample worlds of one family together: the same posteriors, see `batch.py`."""
    family, seeds, arm = task
    start = time.perf_counter()
    worlds = [make_world(family, seed, arm.memory, arm.errors) for seed in seeds]
    pairs = [claims(world, arm) for world in worlds]
    scms = [compile_scm(*pair) for pair in pairs]
    posteriors: dict[int, dict] = {}
    for links in {tuple(scm.spec.links.items()) for scm in scms}:  # a link is structure
        alike = [k for k, scm in enumerate(scms) if tuple(scm.spec.links.items()) == links]
        drawn = sample([bc.build(*pairs[k]) for k in alike], seeds[0])
        posteriors |= zip(alike, drawn, strict=True)
    judged = []
    for k, (world, (spec, data), scm) in enumerate(zip(worlds, pairs, scms, strict=True)):
        values = posteriors[k]
        posterior = grouped(scm, {p.name: values[p.name] for p in scm.parameters})
        fit = bc.Fit(spec, data, xr.DataTree.from_dict({"posterior": posterior}))
        effects = {c: total_effect(fit, bc.incremental(c)) for c in world.channels}
        state = assess(posterior, effects, {"divergences": 0, "interrupted": False})
        judged.append(Judged(world, effects, state.converged, 0.0))
    took = (time.perf_counter() - start) / len(worlds)
    return [row for one in judged for row in one._replace(seconds=took).rows()]


def judge_rival(python: str, families: list[str], seeds: range, memory: float) -> list[dict]:
    """Let `rival.py` judge the same worlds in an environment of its own."""
    call = [python, str(HERE / "rival.py"), "--families", *families, "--memory", str(memory)]
    call += ["--first", str(seeds.start), "--worlds", str(len(seeds))]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def summary(rows: list[dict]) -> pd.DataFrame:
    """Reduce judged effects to a row a family, and one for all."""
    table = pd.DataFrame(rows)
    table["error"] = (table["median"] - table["truth"]) / table["all"]
    table["width"] = (table["high"] - table["low"]) / table["all"]
    table["covered"] = (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])
    parts = [(family, part) for family, part in table.groupby("family", sort=False)]
    return pd.DataFrame(
        {
            name: {
                "effects": len(part),
                "bias": part["error"].mean(),
                "RMSE": np.sqrt((part["error"] ** 2).mean()),
                "covered": part["covered"].mean(),
                "width": part["width"].mean(),
                "converged": part.groupby("seed")["converged"].first().mean(),
                "seconds": part.groupby("seed")["seconds"].first().median(),
            }
            for name, part in [*parts, ("all", table)]
        }
    ).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=12)
    parser.add_argument("--first", type=int, default=JUDGE)
    parser.add_argument("--families", nargs="*", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--memory", type=float, default=0.0)
    parser.add_argument("--adstock", default="WeibullPDFAdstock")
    parser.add_argument("--noise", help="the default of the package if not stated")
    parser.add_argument("--tv-link", choices=["identity", "log"], help="as --noise")
    parser.add_argument("--errors", type=float, default=1.0, help="of sales, times ordinary ones")
    parser.add_argument("--curve", default="HillSaturation")
    parser.add_argument("--priors", default="{}", help="of the curve, as JSON; the default if none")
    parser.add_argument("--against", choices=["pymc-marketing"])
    parser.add_argument("--python", help="interpreter of the rival's environment")
    parser.add_argument("--single", action="store_true", help="fit one by one, by bayescausal.fit")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", type=Path, help="write every judged effect as JSON lines")
    chosen = parser.parse_args()
    if chosen.against and {"panel", "daily"} & {*chosen.families}:
        parser.error("the rival's settings are for national weeks: leave out panel and daily")
    if chosen.against and not chosen.python:
        parser.error("--against needs --python, the interpreter of that package's environment")
    seeds = range(chosen.first, chosen.first + chosen.worlds)
    size = 1 if chosen.single else BATCH
    parts = [seeds[k : k + size] for k in range(0, len(seeds), size)]
    arm = Arm(
        *(chosen.memory, chosen.adstock, chosen.noise, chosen.tv_link),
        *(chosen.errors, chosen.curve, chosen.priors),
    )
    tasks = [(f, part, arm) for part in parts for f in chosen.families]
    how, ours = judge if chosen.single else judge_together, []
    with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
        for rows in pool.map(how, tasks):
            ours += rows
            if chosen.rows:
                with chosen.rows.open("a") as file:
                    file.writelines(json.dumps(row) + "\n" for row in rows)
    print(f"bayescausal, {arm}\n{summary(ours).round(3).to_string()}")
    if chosen.against:
        theirs = judge_rival(chosen.python, chosen.families, seeds, chosen.memory)
        print(f"\n{chosen.against}\n{summary(theirs).round(3).to_string()}")
        ratio = summary(ours)["RMSE"] / summary(theirs)["RMSE"]
        print(f"\nRMSE, ours over theirs\n{ratio.round(2).to_string()}")


if __name__ == "__main__":
    main()
