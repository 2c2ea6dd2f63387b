"""What the defaults are worth: bias, error, coverage and width by family of worlds.

    python benchmarks/truth/defaults.py [--worlds 12] [--families plain null ...] [--memory 0.5]
        [--adstock WeibullPDFAdstock] [--against pymc-marketing --python PYTHON] [--processes 2]

Each world of `worlds.py` is fitted with the response that the README recommends, a linear trend,
two yearly harmonics and the defaults of everything else. Asked is what each channel brought over
all weeks: the posterior median and the central 90 percent interval. Errors, widths and biases are
parts of what all media brought together. Seeds from `worlds.JUDGE` on; nothing was tuned on them.

``--against pymc-marketing`` fits the same worlds in that package too, by `rival.py` in the
environment of the interpreter PYTHON, which needs pymc-marketing and nutpie and not this package.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from worlds import FAMILIES, JUDGE, World, make_world

import bayescausal as bc

HERE = Path(__file__).parent


def fit_world(world: World, adstock: str = "WeibullPDFAdstock") -> bc.Fit:
    """Fit a world by its graph, with every default."""
    media = bc.Response(getattr(bc, adstock)(), bc.HillSaturation())
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
    spec = bc.Spec(
        bc.Graph.parse(world.graph, outcome="sales"),
        dict.fromkeys(world.channels, media),
        baseline=(bc.LinearTrend(), bc.YearlySeasonality(2)),
        experiments=tests,
    )
    data = bc.Dataset.from_frame(world.frame, time="week", spend=list(world.channels))
    return bc.fit(spec, data, seed=world.seed, progress=False)


def judge(task: tuple[str, int, float, str]) -> list[dict]:
    """Fit one world and compare the intervals of its channels with the truth."""
    family, seed, memory, adstock = task
    world, start = make_world(family, seed, memory), time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = fit_world(world, adstock)
        table = bc.summarize(bc.contributions(fit, total=True))
    seconds, run = time.perf_counter() - start, fit.info["run"]
    return [
        {
            "family": family,
            "seed": seed,
            "channel": channel,
            "truth": world.truth[channel],
            "all": sum(world.truth.values()),
            "median": float(table.loc[channel, "median"]),
            "low": float(table.loc[channel, "low"]),
            "high": float(table.loc[channel, "high"]),
            "converged": fit.convergence.converged,
            "rounds": len(run["rounds"]),
            "seconds": seconds,
        }
        for channel in world.channels
    ]


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
    parser.add_argument("--against", choices=["pymc-marketing"])
    parser.add_argument("--python", help="interpreter of the rival's environment")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", type=Path, help="write every judged effect as JSON lines")
    chosen = parser.parse_args()
    if chosen.against and not chosen.python:
        parser.error("--against needs --python, the interpreter of that package's environment")
    seeds = range(chosen.first, chosen.first + chosen.worlds)
    tasks = [(f, s, chosen.memory, chosen.adstock) for s in seeds for f in chosen.families]
    ours: list[dict] = []
    with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
        for rows in pool.map(judge, tasks):
            ours += rows
            if chosen.rows:
                with chosen.rows.open("a") as file:
                    file.writelines(json.dumps(row) + "\n" for row in rows)
    print(f"bayescausal, memory {chosen.memory:g}\n{summary(ours).round(3).to_string()}")
    if chosen.against:
        theirs = judge_rival(chosen.python, chosen.families, seeds, chosen.memory)
        print(f"\n{chosen.against}\n{summary(theirs).round(3).to_string()}")
        ratio = summary(ours)["RMSE"] / summary(theirs)["RMSE"]
        print(f"\nRMSE, ours over theirs\n{ratio.round(2).to_string()}")


if __name__ == "__main__":
    main()
