"""Coverage of 90 percent intervals over simulated worlds whose effects the graph identifies.

    python benchmarks/truth/intervals.py [--worlds 100] [--first 9000] [--kinds instrument ...]

Four kinds in turn, 156 weeks each, parameters drawn anew for every seed, made by plain numpy and
not by the package's own equations:

* confounded: observed demand moves tv and sales; carry-over and a Hill curve; adjust for demand.
* instrument: an unobserved cause moves tv and sales, the price of air time moves tv only.
* funnel: tv moves search, both move sales, an unobserved cause moves search and sales. The total
  effect of tv is identified, its split is not.
* feedback: last week's sales set this week's budget, and sales have memory.

With ``--kinds tested``: an unobserved cause moves tv and sales, and an eight-week lift test, with a
standard error of 15 percent of a typical lift, is all that settles it.

Seeds below 9000 are free for tuning; these judge.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

import bayescausal as bc

WEEKS = 156
PLAIN = bc.Response(strength=bc.Coefficient(bc.Prior("Normal", mu=0, sigma=1)))
MEDIA = bc.Response(bc.GeometricAdstock(l_max=8), bc.HillSaturation())
World = tuple[bc.Spec, bc.Dataset, bc.Estimand, float]


def table(**columns: np.ndarray) -> bc.Dataset:
    week = pd.date_range("2022-01-03", periods=WEEKS, freq="7D")
    return bc.Dataset.from_frame(pd.DataFrame({"week": week, **columns}), time="week")


def autoregressive(rng: np.random.Generator, phi: float) -> np.ndarray:
    shocks = rng.normal(size=WEEKS) * np.sqrt(1 - phi**2)
    out = np.zeros(WEEKS)
    out[0] = rng.normal()
    for t in range(1, WEEKS):
        out[t] = phi * out[t - 1] + shocks[t]
    return out


def respond(x: np.ndarray, alpha: float, half: float, slope: float) -> np.ndarray:
    weights = alpha ** np.arange(9)
    carried = np.convolve(x / x.max(), weights / weights.sum())[:WEEKS]
    return carried**slope / (half**slope + carried**slope)


def confounded(rng: np.random.Generator) -> World:
    demand = 100 + 10 * autoregressive(rng, 0.7)
    on = rng.random(WEEKS) < 0.7
    tv = on * np.exp(0.03 * (demand - 100)) * rng.gamma(3, 30, WEEKS)
    beta = rng.uniform(30, 120)
    shape = rng.uniform(0.1, 0.7), rng.uniform(0.2, 0.7), rng.uniform(1.0, 2.0)
    noise = rng.normal(0, rng.uniform(8, 20), WEEKS)
    added = beta * respond(tv, *shape)
    sales = 300 + 3 * (demand - 100) + added + noise
    graph = bc.Graph.parse("demand -> tv, sales\ntv -> sales", outcome="sales")
    data = table(demand=demand, tv=tv, sales=sales)
    return bc.Spec(graph, {"tv": MEDIA}), data, bc.incremental("tv"), added.sum()


def instrument(rng: np.random.Generator) -> World:
    hidden = rng.normal(size=WEEKS)
    price = rng.normal(size=WEEKS)
    beta, into = rng.normal(1.5, 0.7), rng.choice([-1, 1]) * rng.uniform(1, 4)
    tv = 20 - 2 * price + rng.uniform(0.5, 2) * hidden + rng.normal(0, 1.5, WEEKS)
    sales = 150 + beta * tv + into * hidden + rng.normal(0, 3, WEEKS)
    graph = bc.Graph.parse("price -> tv -> sales\ntv <-> sales", outcome="sales")
    question = bc.Estimand({"tv": bc.Plus(1)}, scale="mean")
    data = table(price=price, tv=tv, sales=sales)
    return bc.Spec(graph, {"tv": PLAIN}), data, question, beta


def funnel(rng: np.random.Generator) -> World:
    hidden, season = rng.normal(size=WEEKS), autoregressive(rng, 0.8)
    tv = 20 + 3 * season + rng.normal(0, 4, WEEKS)
    a, b, c = rng.uniform(0.2, 1.2), rng.normal(1, 0.5), rng.normal(1.0, 0.6)
    search = 30 + a * tv + 2 * season + rng.uniform(1, 4) * hidden + rng.normal(0, 2, WEEKS)
    sales = 200 + b * search + c * tv + 4 * season + rng.normal(0, 4, WEEKS)
    sales += rng.choice([-1, 1]) * rng.uniform(2, 6) * hidden
    graph = bc.Graph.parse(
        "season -> tv, search, sales\ntv -> search -> sales\ntv -> sales\nsearch <-> sales",
        outcome="sales",
    )
    question = bc.Estimand({"tv": bc.Plus(1)}, scale="mean")
    data = table(season=season, tv=tv, search=search, sales=sales)
    return bc.Spec(graph, {"tv": PLAIN}), data, question, c + a * b


def feedback(rng: np.random.Generator) -> World:
    beta, memory, rule = rng.normal(1, 0.4), rng.uniform(0.2, 0.7), rng.uniform(0.1, 0.4)
    tv, sales = np.zeros(WEEKS), np.zeros(WEEKS)
    before = 150.0
    for t in range(WEEKS):
        tv[t] = 20 - rule * (before - 150) + rng.normal(0, 2)
        sales[t] = 150 + memory * (before - 150) + beta * (tv[t] - 20) + rng.normal(0, 4)
        before = sales[t]
    graph = bc.Graph.parse("tv -> sales\nsales -> tv @ 1\nsales -> sales @ 1", outcome="sales")
    week = ("2023-01-02", "2023-01-02")
    question = bc.Estimand({"tv": bc.Plus(1)}, window=week, carryover=False)
    return bc.Spec(graph, {"tv": PLAIN}), table(tv=tv, sales=sales), question, beta


def tested(rng: np.random.Generator) -> World:
    hidden = rng.normal(size=WEEKS)
    beta, into = rng.normal(2, 0.7), rng.choice([-1, 1]) * rng.uniform(2, 6)
    tv = 20 + rng.uniform(1, 3) * hidden + rng.normal(0, 2, WEEKS)
    sales = 150 + beta * tv + into * hidden + rng.normal(0, 3, WEEKS)
    data = table(tv=tv, sales=sales)
    window = slice(60, 68)
    error = 0.15 * 2 * tv[window].sum()
    test = bc.Experiment(
        bc.incremental("tv").during(data.time[60].date(), data.time[67].date()),
        lift=beta * tv[window].sum() + rng.normal(0, error),
        std_error=error,
        design="geo-rct",
    )
    graph = bc.Graph.parse("tv -> sales\ntv <-> sales", outcome="sales")
    question = bc.Estimand({"tv": bc.Plus(1)}, scale="mean")
    return bc.Spec(graph, {"tv": PLAIN}, experiments=(test,)), data, question, beta


def alone(seed: int) -> bool:
    """Whether the interval of the lift test alone, without a model, covers: what it can do."""
    spec, data, _, truth = tested(np.random.default_rng(seed))
    test = spec.experiments[0]
    return abs(test.lift - truth * data.array("tv")[60:68].sum()) <= 1.6449 * test.std_error


DEFAULT = ("confounded", "instrument", "funnel", "feedback")
KINDS: dict[str, Callable[[np.random.Generator], World]] = {
    f.__name__: f for f in (confounded, instrument, funnel, feedback, tested)
}


class Verdict(NamedTuple):
    """One world: whether the 90 percent interval covers, whether the fit converged, a line."""

    covers: bool
    converged: bool
    line: str


def judge(kind: str, seed: int) -> Verdict:
    """Make a world, fit it, and compare the interval of its effect with the truth."""
    spec, data, question, truth = KINDS[kind](np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bc.fit(spec, data, seed=seed, progress=False)
        row = bc.summarize(bc.effect(fit, question)).iloc[0]
    hit = bool(row["low"] <= truth <= row["high"])
    line = (
        f"{seed} {kind:10s} truth {truth:10.2f}  {row['median']:10.2f} "
        f"[{row['low']:.2f}, {row['high']:.2f}] {'covers' if hit else 'MISSES'} "
        f"{row['status']}, {fit.convergence}"
    )
    return Verdict(hit, fit.convergence.converged, line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--first", type=int, default=9000)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=DEFAULT)
    chosen = parser.parse_args()
    start = time.time()
    found: dict[str, list[Verdict]] = {kind: [] for kind in chosen.kinds}
    for k in range(chosen.worlds):
        kind = chosen.kinds[k % len(chosen.kinds)]
        verdict = judge(kind, chosen.first + k)
        found[kind].append(verdict)
        print(verdict.line, flush=True)
    for kind, verdicts in found.items():
        hits, failed = sum(v.covers for v in verdicts), sum(not v.converged for v in verdicts)
        print(f"{kind}: {hits} of {len(verdicts)} cover; {failed} not converged")
    if chosen.kinds == ["tested"]:
        hits = sum(alone(chosen.first + k) for k in range(chosen.worlds))
        print(f"the test alone: {hits} of {chosen.worlds} cover")
    total = sum(v.covers for verdicts in found.values() for v in verdicts)
    print(f"all: {total} of {chosen.worlds} cover, {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
