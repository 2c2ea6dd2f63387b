"""How often each refuter flags models that are right, and models that are wrong; what they cost.

python benchmarks/validation/refuters.py rates [--worlds 20] [--file rates.jsonl]
python benchmarks/validation/refuters.py cost

A line a world and refuter is written as soon as it is known, so that a run that is stopped counts.
Run it with OPENBLAS_NUM_THREADS=1 on a shared machine.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import bayescausal as bc
from bayescausal.validation import refutation
from bayescausal.validation.refuters import REFUTERS, Refuter, as_refuter
from bayescausal.validation.world_refits import effect_draws_in, reduced

SEED, PERIODS, REFITS = 20270104, 104, 19
GRAPH = bc.Graph.parse("season -> tv, sales\ntv -> sales", outcome="sales")
PLAIN = bc.Spec(GRAPH, treatments=("tv",))
FORGETFUL = bc.Spec(GRAPH, treatments=("tv",), noise=bc.NormalNoise())
MEDIA = bc.Spec(
    GRAPH,
    {"tv": bc.Response(bc.GeometricAdstock(l_max=4), bc.HillSaturation())},
    baseline=(bc.YearlySeasonality(1),),
)
WORLDS = {
    "right, no effect": (PLAIN, {"effect": 0.0}),
    "right, an effect": (PLAIN, {"effect": 0.5}),
    "wrong: memory of errors ignored": (FORGETFUL, {"effect": 0.0, "phi": 0.8, "lasting": 0.8}),
    "wrong: one unrecorded burst": (PLAIN, {"effect": 0.0, "burst": 6.0}),
    "wrong: a hidden driver": (PLAIN, {"effect": 0.0, "hidden": 1.0}),
}


def ar1(phi: float, rng: np.random.Generator) -> np.ndarray:
    x = rng.standard_normal(PERIODS)
    for t in range(1, PERIODS):
        x[t] = phi * x[t - 1] + np.sqrt(1 - phi**2) * x[t]
    return x


def world(
    rng: np.random.Generator,
    effect: float,
    phi: float = 0.5,
    lasting: float = 0.3,
    burst: float = 0.0,
    hidden: float = 0.0,
) -> bc.Dataset:
    """Simulate two years: ``lasting`` is the memory of tv, ``phi`` that of the errors."""
    season, driver = np.sin(2 * np.pi * np.arange(PERIODS) / 52), ar1(0.3, rng)
    during = (np.arange(PERIODS) >= 60) & (np.arange(PERIODS) < 64)
    tv = 5 + season + 1.5 * ar1(lasting, rng) + hidden * driver + burst * during
    errors = ar1(phi, rng) + hidden * driver + burst * during
    tv = np.maximum(tv, 0.0)
    frame = pd.DataFrame(
        {
            "week": pd.date_range("2024-01-01", periods=PERIODS, freq="7D"),
            "tv": tv,
            "season": season,
            "sales": 50 + 3 * season + effect * tv + errors,
        }
    )
    return bc.Dataset.from_frame(frame, time="week", spend=["tv"])


def rates(worlds: int, path: Path) -> None:
    for number in range(worlds):
        for place, (name, (spec, settings)) in enumerate(WORLDS.items()):
            data = world(np.random.default_rng([SEED, place, number]), **settings)
            fit = bc.fit(spec, data, seed=number, progress=False)
            for method in REFUTERS:
                refits = 9 if method == "left-out blocks" else REFITS
                start = time.process_time()
                answer = bc.refute(fit, "tv", method, refits=refits, seed=number, progress=False)
                line = {
                    "world": name,
                    "number": number,
                    "method": method,
                    "status": answer.status,
                    "p": answer.p_value,
                    "mean z": float(answer.usable["z"].mean()),
                    "cpu": time.process_time() - start,
                    "refits": refits,
                }
                with path.open("a") as file:
                    file.write(json.dumps(line) + "\n")
            print(table(path).to_string(), flush=True)


def table(path: Path) -> pd.DataFrame:
    lines = pd.read_json(path, lines=True)
    lines["flagged"] = lines["status"].isin(["look", "fail"])
    lines["p low"] = (lines["p"] <= 0.05 + 1e-9).where(lines["p"].notna())
    groups = lines.groupby(["world", "method"], sort=False)
    columns = {
        "worlds": groups.size(),
        "flagged": groups["flagged"].mean(),
        "failed": groups["status"].agg(lambda s: (s == "fail").mean()),
        "not run": groups["status"].agg(lambda s: (s == "not run").mean()),
        "p at most 0.05": groups["p low"].mean(),
        "mean z": groups["mean z"].mean(),
        "cpu": groups["cpu"].mean(),
    }
    return pd.DataFrame(columns).round(2)


def cost() -> None:
    """Seconds of CPU of a refit: anew, of one compiled model by NUTS, and by a draft."""
    example = bc.load_example()
    small = world(np.random.default_rng([SEED, 9, 0]), effect=0.5)
    for name, spec, data in (("small", MEDIA, small), ("bundled", example.spec, example.data)):
        fit = bc.fit(spec, data, seed=1, progress=False)
        anew = cpu(lambda fit=fit: bc.refit(fit, seed=2, progress=False))
        print(f"{name}: a refit anew {anew:.2f}")
        for method in REFUTERS:
            print(f"  {method:20s} {drafts(fit, as_refuter(method))}", flush=True)


def drafts(fit: bc.Fit, method: Refuter, refits: int = 8) -> str:
    """Fit the same worlds by NUTS and by drafts, and compare."""
    estimand = bc.incremental("tv", outcome="sales")
    plan = method.plan(fit, estimand, refits, np.random.default_rng(1))
    seeds = np.random.SeedSequence(1).spawn(refits + 1)
    jobs = refutation.jobs_of(fit, plan, estimand, 0.9, False, seeds)
    rows = []
    for k in range(len(plan.worlds)):
        parts = []
        for name in ("nuts", "laplace"):
            job = jobs[k]._replace(settings=replace(jobs[k].settings, method=name))
            if k == 0:
                effect_draws_in(job)  # compiles
            start = time.process_time()
            draws, state = effect_draws_in(job)
            seconds = time.process_time() - start
            parts.append((reduced(draws.ravel(), 0.9), state, seconds))
        (exact, _, slow), (rough, state, fast) = parts
        gap = abs(rough["median"] - exact["median"]) / exact["sd"]
        spread = rough["sd"] / exact["sd"]
        rows.append([slow, fast, state.pareto_k, state.weighted_ess, state.converged, gap, spread])
    slow, fast, k, size, trusted, gap, spread = np.array(rows, float).T
    return (
        f"NUTS {slow.mean():.2f}, draft {fast.mean():.2f}; k {k.min():.2f} to {k.max():.2f}, worth "
        f"{size.min():.0f} or more, {trusted.sum():.0f} of {len(k)} trusted; medians off by "
        f"{gap.max():.2f} sd at most, sds {spread.min():.2f} to {spread.max():.2f} times, mean "
        f"{spread.mean():.3f}"
    )


def cpu(action) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["rates", "cost"])
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--file", type=Path, default=Path("refuters.jsonl"))
    arguments = parser.parse_args()
    if arguments.part == "rates":
        rates(arguments.worlds, arguments.file)
    else:
        cost()
