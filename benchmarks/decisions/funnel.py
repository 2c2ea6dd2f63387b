"""Does a plan that counts the funnel reach the best one? Worlds where channels act through search.

    python benchmarks/decisions/funnel.py [--seeds 10] [--noise 12] [--no-fit]

Tv and video work mostly through search, which the model explains, radio and social directly. The
budget of the last year is to be split, each channel between 0.3 and 2 times its spend. The true
gain of a plan is that of the simulator; its best plan is found by a grid and a simplex search on
the simulator, not by `optimize`. Four allocators:

`true`             `optimize` at the true parameters
`true, direct`     the same, of what channels do directly: search does not react
`fitted`           `optimize` on a posterior
`fitted, direct`   the same on the same posterior, with the edges into search taken out
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import time
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import minimize

import bayescausal as bc
from bayescausal.inference.fit import Fit

CHANNELS = ("radio", "social", "tv", "video")
LOW, HIGH = 0.3, 2.0
MEDIA = bc.Response(bc.GeometricAdstock(l_max=6), bc.HillSaturation())
ASK = {"bounds": (LOW, HIGH), "allow": ["extrapolation"]}
STATE = {"converged": True, "max_rhat": 1.0, "worst": "", "min_ess_bulk": 1e3}
STATE |= {"min_ess_tail": 1e3, "divergences": 0, "draws": 1}


def world(seed: int, noise: float) -> tuple[bc.World, bc.Spec]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"week": pd.date_range("2023-01-02", periods=156, freq="7D")})
    for name in CHANNELS:
        frame[name] = rng.gamma(2.5, rng.uniform(20, 60), 156) * (rng.random(156) < 0.8)
    data = bc.Dataset.from_frame(frame, time="week", spend=list(CHANNELS))
    graph = bc.Graph.parse(
        f"tv, video -> search -> sales\n{', '.join(CHANNELS)} -> sales", outcome="sales"
    )
    spec = bc.Spec(
        graph, dict.fromkeys(CHANNELS, MEDIA), noise=bc.NormalNoise(), treatments=CHANNELS
    )
    theta = {"search:intercept": 40.0, "search:sigma": noise / 6, "search->sales": 2.0}
    theta |= {"sales:intercept": 500.0, "sales:sigma": noise}
    for source, target, low, high in (
        ("tv", "search", 30, 80),
        ("video", "search", 10, 50),
        ("tv", "sales", 10, 40),
        ("video", "sales", 10, 60),
        ("radio", "sales", 60, 140),
        ("social", "sales", 60, 140),
    ):
        edge = f"{source}->{target}"
        theta |= {edge: rng.uniform(low, high), f"{edge}:alpha": rng.uniform(0.1, 0.6)}
        theta |= {f"{edge}:half": rng.uniform(0.2, 0.7), f"{edge}:slope": rng.uniform(0.9, 1.6)}
    return bc.simulate(spec, data, theta, seed), spec


def known(made: bc.World) -> Fit:
    """A fit of one draw, the truth."""
    draws = {
        p.name: (
            ("chain", "draw", *([p.dim] if p.dim else [])),
            np.asarray(made.theta[p.name], float).reshape(1, 1, *([p.size] if p.dim else [])),
        )
        for p in made.scm.parameters
    }
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(draws)})
    tree.attrs["convergence"] = json.dumps(STATE)
    fit = Fit(made.scm.spec, made.data, tree)
    vars(fit)["scm"] = made.scm  # its scales are 1: parameters are in natural units
    return fit


def without_funnel(fit: Fit) -> Fit:
    """The same draws, in which no channel moves search."""
    posterior = fit.tree["posterior"].to_dataset()
    zero = {v: posterior[v] * 0.0 for v in ("tv->search", "video->search")}
    tree = xr.DataTree.from_dict({"posterior": posterior.assign(zero)})
    tree.attrs = fit.tree.attrs
    thin = Fit(fit.spec, fit.data, tree)
    vars(thin)["scm"] = fit.scm
    return thin


def best_plan(gain, spend: np.ndarray, steps: int = 9) -> tuple[np.ndarray, float]:
    """The best split by a grid over all but the last channel, then a simplex search."""

    def whole(head: np.ndarray) -> np.ndarray:
        return np.append(head, (spend.sum() - spend[:-1] @ head) / spend[-1])

    def loss(head: np.ndarray) -> float:
        plan = whole(head)
        outside = np.maximum(LOW - plan, 0).sum() + np.maximum(plan - HIGH, 0).sum()
        return 1e3 * outside - gain(np.clip(plan, LOW, HIGH)) if outside < 1e-3 else 1e3 * outside

    rows = [np.array(p) for p in itertools.product(np.linspace(LOW, HIGH, steps), repeat=3)]
    rows = [head for head in rows if LOW <= whole(head)[-1] <= HIGH]
    starts = sorted(rows, key=loss)[:3]
    ends = [
        minimize(loss, s, method="Nelder-Mead", options={"xatol": 1e-4, "maxiter": 400})
        for s in starts
    ]
    top = min(ends, key=lambda r: r.fun)
    return whole(top.x), -float(top.fun)


def judged(seed: int, noise: float, fits: bool) -> list[dict]:
    made, spec = world(seed, noise)
    truth = known(made)
    first = bc.optimize(truth, **ASK)
    spend = first.table.loc[list(CHANNELS), "present"].to_numpy()
    place = {"window": first.plan.window}

    def gain(factors: np.ndarray) -> float:
        plan = dict(zip(CHANNELS, map(bc.Times, map(float, factors)), strict=True))
        return made.effect(bc.Estimand(plan, **place))

    factors, top = best_plan(gain, spend)
    plans = {"true": first, "true, direct": bc.optimize(without_funnel(truth), **ASK)}
    state = ""
    if fits:
        fit = bc.fit(replace(spec), made.data, seed=seed, progress=False)
        state = f"{fit.convergence.converged}"
        plans |= {
            "fitted": bc.optimize(fit, **ASK),
            "fitted, direct": bc.optimize(without_funnel(fit), **ASK),
        }
    brought = made.effect(bc.Estimand(control=dict.fromkeys(CHANNELS, 0.0), **place))
    return [
        {
            "seed": seed,
            "allocator": name,
            "best": top,
            "of media": top / brought,
            "share": gain(np.array([plan.factors[c] for c in CHANNELS])) / top,
            "p_gain": plan.p_gain,
            "promised": float(plan.gain.mean()) / top,
            "solved": plan.solved,
            "converged": state,
            "plan": " ".join(f"{plan.factors[c]:.2f}" for c in CHANNELS),
            "truth": " ".join(f"{f:.2f}" for f in factors),
        }
        for name, plan in plans.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--noise", type=float, default=12.0)
    parser.add_argument("--no-fit", action="store_true")
    chosen = parser.parse_args()
    print(f"{date.today()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    rows = []
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        wall, cpu = time.perf_counter(), time.process_time()
        rows += judged(seed, chosen.noise, not chosen.no_fit)
        took = f"{time.perf_counter() - wall:.0f} s, CPU {time.process_time() - cpu:.0f} s"
        one = pd.DataFrame([r for r in rows if r["seed"] == seed]).drop(columns=["seed", "truth"])
        print(f"\nseed {seed} ({took}); best plan {', '.join(CHANNELS)}: {rows[-1]['truth']}")
        print(one.round(3).to_string(index=False), flush=True)
    table = pd.DataFrame(rows)
    print("\nShare of the best plan's true gain, by allocator:")
    groups = table.groupby("allocator", sort=False)["share"]
    print(groups.agg(["mean", "median", "min", "max"]).round(3).to_string())
    print(table.groupby("allocator", sort=False)["promised"].mean().round(2).to_string())


if __name__ == "__main__":
    main()
