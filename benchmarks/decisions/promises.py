"""What plans promise and what they bring: ordinary worlds with default bounds, and funnels.

    python benchmarks/decisions/promises.py [--worlds 12] [--first 70000] [--free 4]
        [--families plain confounded funnel]

Worlds of `benchmarks/truth/worlds.py` without mediators, whose budget `optimize` splits again with
all of its defaults, and those of `funnel.py`, each channel between 0.3 and 2 times its spend. Fits
are the defaults (`batch.py` samples those of a family together). The true gain of a plan is that of
the world over the weeks that the plan counts; the best split of the kept pattern is found on the
truth: by dynamic programming over each channel's own curve, in a funnel by a simplex search.

Five kinds of plan: `kept`, what `optimize` chooses; `free`, with an amount for each week, in the
first worlds; `timing`, what that adds; `best`, the best split by the truth; and `random` splits
within the same bounds. Nothing chose the last two by the posterior: they tell what is wrong with it
from what comes of choosing by it. Nothing was tuned on seeds from 70000 on.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import funnel
import numpy as np
import pandas as pd
import xarray as xr

sys.path.insert(0, str(Path(__file__).parents[1] / "truth"))
from batch import sample
from defaults import Arm, claims
from worlds import World, make_world

import bayescausal as bc
from bayescausal.decisions.decision import gain_of
from bayescausal.inference.convergence import assess
from bayescausal.inference.fit import total_effect
from bayescausal.inference.groups import grouped
from bayescausal.model.contrast import scope
from bayescausal.model.scm import compile_scm

FAMILIES = ("plain", "confounded", "funnel")
STEPS = 4000
RANDOM = 20
NOISE = 12.0
COLUMNS = ["true", "promised", "sd", "P(gain > 0)", "positive", "covered", "regret", "z"]


class Case(NamedTuple):
    """A fitted world: what any plan really gains, and how `optimize` is asked."""

    family: str
    seed: int
    fit: bc.Fit
    gain: Callable[[bc.Estimand], float]
    ask: dict[str, Any]


def fits(pairs: list[tuple[bc.Spec, bc.Dataset]], seed: int) -> list[bc.Fit]:
    """Fit worlds of one structure together."""
    fitted = []
    for (spec, data), values in zip(
        pairs, sample([bc.build(*pair) for pair in pairs], seed), strict=True
    ):
        scm = compile_scm(spec, data)
        posterior = grouped(scm, {p.name: values[p.name] for p in scm.parameters})
        fit = bc.Fit(spec, data, xr.DataTree.from_dict({"posterior": posterior}))
        effects = {c: total_effect(fit, bc.incremental(c)) for c in data.spend}
        state = assess(posterior, effects, {"divergences": 0, "interrupted": False})
        fit.tree.attrs["convergence"] = json.dumps(vars(state))
        fitted.append(fit)
    return fitted


def cases(family: str, seeds: range) -> list[Case]:
    """Make and fit the worlds of a family."""
    if family == "funnel":
        made = [funnel.world(seed, NOISE) for seed in seeds]
        fitted = fits([(spec, world.data) for world, spec in made], seeds[0])
        return [
            Case(family, seed, fit, world.effect, funnel.ASK)
            for seed, fit, (world, _) in zip(seeds, fitted, made, strict=True)
        ]
    worlds = [make_world(family, seed) for seed in seeds]
    fitted = fits([claims(world, Arm()) for world in worlds], seeds[0])
    return [
        Case(family, world.seed, fit, lambda p, w=world, f=fit: true_gain(w, f, p), {})
        for world, fit in zip(worlds, fitted, strict=True)
    ]


def true_gain(world: World, fit: bc.Fit, plan: bc.Estimand) -> float:
    """What a plan really brings more than the present one, over the weeks that it counts."""
    window = scope(fit.scm, plan)
    total = 0.0
    for channel, value in plan.active.items():
        path = world.frame[channel].to_numpy()
        planned = np.where(window.acts, value(path) if callable(value) else value, path)
        change = world.respond(channel, planned) - world.respond(channel, path)
        total += float(change[window.counts].sum())
    return total


def split(factors: Any, table: pd.DataFrame, place: dict) -> bc.Estimand:
    """The plan of these factors."""
    return bc.Estimand(
        dict(zip(table.index, map(bc.Times, map(float, factors)), strict=True)), **place
    )


def best_split(case: Case, table: pd.DataFrame, place: dict) -> np.ndarray:
    """The factors of the best split by the truth, within the bounds that `optimize` used."""
    spend, low, high = (table[c].to_numpy() for c in ("present", "low", "high"))
    if case.family == "funnel":
        return funnel.best_plan(lambda f: case.gain(split(f, table, place)), spend)[0]
    # Max-plus convolutions: the largest sum of gains for each number of steps above the bounds.
    step = spend.sum() / STEPS
    best, choices = np.array([0.0]), []
    for c, channel in enumerate(table.index):
        levels = low[c] + step * np.arange(int((high[c] - low[c]) / step + 1e-6) + 1)
        gains = [
            case.gain(bc.Estimand({channel: bc.Times(float(level / spend[c]))}, **place))
            for level in levels
        ]
        longer = np.full(len(best) + len(gains) - 1, -np.inf)
        choice = np.zeros(len(longer), int)
        for k, value in enumerate(gains):
            part = slice(k, k + len(best))
            better = best + value > longer[part]
            longer[part] = np.where(better, best + value, longer[part])
            choice[part] = np.where(better, k, choice[part])
        best = longer
        choices.append(choice)
    left = int(best[: int((spend.sum() - low.sum()) / step + 1e-6) + 1].argmax())
    levels = low.copy()
    for c in reversed(range(len(spend))):
        levels[c] += step * choices[c][left]
        left -= choices[c][left]
    return levels / spend


def random_splits(table: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Factors within the bounds that spend the present budget."""
    spend = table["present"].to_numpy()
    low, high = table["low"] / spend, table["high"] / spend
    rows = []
    while len(rows) < RANDOM:
        factors = rng.uniform(low, high)
        factors = factors * spend.sum() / (factors @ spend)
        if (factors >= low).all() and (factors <= high).all():
            rows.append(factors)
    return np.array(rows)


def judged(case: Case, with_free: bool) -> list[dict]:
    """Compare what plans promise with what they bring."""
    fit, gain = case.fit, case.gain
    best = bc.optimize(fit, **case.ask)
    table, place = best.table, {"window": best.plan.window}
    equations = fit.equations()
    fixed = {"best": [best_split(case, table, place)]}
    fixed["random"] = [*random_splits(table, np.random.default_rng(case.seed))]
    plans = [(kind, split(f, table, place)) for kind, rows in fixed.items() for f in rows]
    promises = {
        k: np.asarray(gain_of(equations, plan, {"sales": np.ones(1)}))
        for k, (_, plan) in enumerate(plans)
    }
    about = {"family": case.family, "seed": case.seed, "converged": fit.convergence.converged}
    top = max(gain(plans[0][1]), gain(best.plan))

    def row(kind: str, true: float, draws: Any, regret: float = np.nan) -> dict:
        draws = np.ravel(draws)
        low, high = np.quantile(draws, [0.05, 0.95])
        searched = np.linspace(0, len(draws) - 1, 500).round().astype(int)
        return {
            **about,
            "best": top,
            "plan": kind,
            "true": true,
            "promised": float(draws.mean()),
            "by other draws": float(np.delete(draws, searched).mean()),
            "sd": float(draws.std()),
            "P(gain > 0)": float((draws > 0).mean()),
            "positive": float(true > 0),
            "covered": float(low <= true <= high),
            "regret": regret,
            "z": (true - float(draws.mean())) / float(draws.std()),
        }

    rows = [row("kept", gain(best.plan), best.gain, best.regret["optimum"])]
    if with_free:
        free = bc.optimize(fit, pattern="free", **case.ask)
        rows.append(row("free", gain(free.plan), free.gain, free.regret["optimum"]))
        rows.append(row("timing", gain(free.plan) - gain(best.plan), free.timing_gain))
    rows += [row(kind, gain(plan), promises[k]) for k, (kind, plan) in enumerate(plans)]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=12)
    parser.add_argument("--first", type=int, default=70_000)
    parser.add_argument("--families", nargs="*", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--free", type=int, default=0, help="worlds of each family planned by week")
    parser.add_argument("--rows", type=Path, help="write every plan as JSON lines")
    chosen = parser.parse_args()
    print(f"{date.today()}, Python {platform.python_version()}", flush=True)
    seeds, rows = range(chosen.first, chosen.first + chosen.worlds), []
    for family in chosen.families:
        start = time.process_time()
        fitted = cases(family, seeds)
        middle = time.process_time()
        for k, case in enumerate(fitted):
            rows += judged(case, k < chosen.free)
        took = time.process_time() - middle
        print(f"{family}: CPU {middle - start:.0f} s of fits, {took:.0f} s of plans", flush=True)
    if chosen.rows:
        chosen.rows.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = pd.DataFrame(rows)
    chosen_plans = table[table["plan"].isin(["kept", "free", "timing"])].copy()
    shares = ["true", "promised", "sd", "regret"]
    chosen_plans[shares] = chosen_plans[shares].div(chosen_plans["best"], axis=0)
    shown = ["family", "seed", "converged", "plan", "best", *shares, "P(gain > 0)", "covered"]
    print("Shares of the best split's gain:")
    print(chosen_plans[shown].round(2).to_string(index=False))
    print("Means, in units of sales:")
    means = table.groupby(["family", "plan"], sort=False)[["best", *COLUMNS, "by other draws"]]
    print(means.mean().round(2).to_string())
    kept = table[table["plan"] == "kept"].assign(optimism=lambda t: t["promised"] - t["true"])
    kept["lost"] = kept["best"] - kept["true"]
    for family, part in kept.groupby("family", sort=False):
        error = part["optimism"].std() / np.sqrt(len(part))
        print(
            f"{family}: promised less true {part['optimism'].mean():.1f} (standard error "
            f"{error:.1f}), regret expected {part['regret'].mean():.1f}, lost "
            f"{part['lost'].mean():.1f}"
        )


if __name__ == "__main__":
    main()
