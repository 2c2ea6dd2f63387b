"""Marketing worlds with known effects, whose transforms are known too, so that fits are exact.

Each week has a calendar (a yearly wave), an observed demand that moves budgets and sales, channels
with geometric carry-over and saturation, and sales with additive noise. What acts on sales is the
saturated carry-over of a channel, and that is the channel's column and its node. Carry-over also
carries the demand of past weeks, a common cause of all channels: it is a column, ``carried``,
without which the claim that channels are independent given demand would be false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescausal import Graph

BEFORE = 30  # weeks of carry-over before the first
RETENTION = 0.4
ROOT = ("sine", "cosine", "demand", "carried")
"""Drawn together from one week."""

KINDS = ("additive", "mediator", "interaction")


@dataclass(frozen=True, eq=False)
class World:
    """Observed weeks, the graph, and what is asked.

    Parameters
    ----------
    frame : DataFrame
    graph : Graph
    terms : tuple of str
        Columns of the regression of sales; ``a*b`` is a product.
    truth : dict of str to float
        Effects, in sales for one standard deviation of a channel's saturated carry-over.
    reads : dict of str to mapping of term to float
        Each effect as a combination of the regression's coefficients.
    """

    frame: pd.DataFrame
    graph: Graph
    terms: tuple[str, ...]
    truth: dict[str, float]
    reads: dict[str, Mapping[str, float]]


def make_world(kind: str, weeks: int, seed: int) -> World:
    """Make a world of one of `KINDS`.

    * additive: four channels, additive and homoscedastic: the graph is right, but does not bear
      on the effects given the channels.
    * mediator: ``tv -> search -> sales`` and no ``tv -> sales``; asked is the total effect of tv,
      on which the missing edge bears.
    * interaction: tv and social reinforce each other, and noise grows with demand; asked is also
      the effect of tv in weeks with much social.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind), weeks])
    total = weeks + BEFORE
    t = np.arange(total)
    sine, cosine = np.sin(2 * np.pi * t / 52.18), np.cos(2 * np.pi * t / 52.18)
    demand = 0.6 * cosine + rng.normal(0, 0.8, total)
    frame = pd.DataFrame({"sine": sine, "cosine": cosine, "demand": demand})
    frame["carried"] = carried_over(demand)
    names = ["tv", "social", "radio"] + (["print"] if kind == "additive" else [])
    for name in names:
        planned = 1 + 0.25 * cosine + 0.3 * demand + 0.35 * (rng.gamma(2, 1, total) - 2) / 2**0.5
        path = carried_over(np.maximum(planned, 0))
        frame[name] = path / (path + np.median(path))
    frame = frame.iloc[BEFORE:].reset_index(drop=True)
    frame[names] = (frame[names] - frame[names].mean()) / frame[names].std(ddof=0)
    noise, effects = rng.normal(0, 1, weeks), rng.uniform(0.3, 0.8, len(names))
    base = 10 + 1.0 * frame["demand"] + 0.8 * frame["sine"] - 0.5 * frame["cosine"]
    truth = dict(zip(names, effects.tolist(), strict=True))
    terms = ("sine", "cosine", "demand", *names)
    reads: dict[str, Mapping[str, float]] = {name: {name: 1.0} for name in names}
    root = ", ".join(ROOT)
    lines = f"{root} -> {', '.join(names)}, sales\n{', '.join(names)} -> sales"
    direct = {name: truth[name] for name in names}
    if kind == "mediator":
        found = rng.uniform(0.6, 1.0)  # search per tv
        search = found * frame["tv"] + 0.5 * frame["demand"] + rng.normal(0, 0.8, weeks)
        per_search = rng.uniform(0.4, 0.8)
        base = base + per_search * search
        truth["tv"], direct["tv"] = found * per_search, 0.0
        frame["search"] = search
        lines = (
            f"{root} -> {', '.join(names)}, search, sales\n"
            "tv -> search -> sales\nsocial, radio -> sales"
        )
    mean = base + sum(direct[name] * frame[name] for name in names)
    if kind == "interaction":
        synergy = rng.uniform(0.25, 0.5)
        both = frame["tv"] * frame["social"]
        mean, high = mean + synergy * both, float(frame["social"].quantile(0.9))
        noise = noise * np.exp(0.4 * frame["demand"] - 0.16)
        terms, truth["tv, much social"] = (*terms, "tv*social"), truth["tv"] + synergy * high
        reads["tv, much social"] = {"tv": 1.0, "tv*social": high}
    frame["sales"] = mean + noise
    return World(frame, Graph.parse(lines, outcome="sales"), terms, truth, reads)


def carried_over(x: np.ndarray) -> np.ndarray:
    """Geometric carry-over: ``y_t = x_t + retention y_(t-1)``."""
    weights = RETENTION ** np.arange(BEFORE)
    return np.convolve(x, weights)[: len(x)]
