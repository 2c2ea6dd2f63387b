"""Simulate the world behind `load_example`, and write it to the package.

python -m bayescausal.truth.bundle
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescausal._files import csv_text, write_file
from bayescausal.data.dataset import Dataset
from bayescausal.experiments.estimand import Estimand, Times, incremental
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.graph import Graph
from bayescausal.specs.adstock import GeometricAdstock
from bayescausal.specs.baseline import LinearTrend, YearlySeasonality
from bayescausal.specs.noise import NormalNoise
from bayescausal.specs.response import MeanContribution, Response
from bayescausal.specs.saturation import HillSaturation
from bayescausal.specs.spec import Spec
from bayescausal.truth.simulate import World, simulate

DATA = Path(__file__).parent / "data"
SEED = 20260301
GRAPH = """
demand -> search, sales, tv
tv     -> search, sales
social, price, search -> sales
"""
# The world states what its parameters mean; what is fitted to it leaves that to the defaults.
MEDIA = Response(GeometricAdstock(l_max=8), HillSaturation(), strength=MeanContribution())
BASELINE = (LinearTrend(), YearlySeasonality(2))
THETA: dict[str, Any] = {
    "search:intercept": 18.0,
    "search:trend": [2.0],
    "search:yearly": [0.5, -0.8, 0.2, 0.1],
    "demand->search": 34.0,
    "tv->search": 26.0,
    "tv->search:alpha": 0.35,
    "tv->search:half": 0.45,
    "tv->search:slope": 1.4,
    "search:sigma": 2.2,
    "sales:intercept": 560.0,
    "sales:trend": [45.0],
    "sales:yearly": [12.0, -18.0, 5.0, 3.0],
    "demand->sales": 210.0,
    "tv->sales": 185.0,
    "tv->sales:alpha": 0.6,
    "tv->sales:half": 0.5,
    "tv->sales:slope": 1.6,
    "social->sales": 150.0,
    "social->sales:alpha": 0.25,
    "social->sales:half": 0.55,
    "social->sales:slope": 1.2,
    "search->sales": 3.4,
    "price->sales": -240.0,
    "sales:sigma": 22.0,
}


def bundled_inputs(rng: np.random.Generator, weeks: int = 156) -> pd.DataFrame:
    """Draw demand, price and media plans; TV is bought when demand is high, which confounds it."""
    week = pd.date_range("2023-01-02", periods=weeks, freq="7D", name="week")
    season = np.cos(2 * np.pi * (week.day_of_year.to_numpy() - 340) / 365.25)
    shock = np.zeros(weeks)
    for t in range(weeks):
        shock[t] = 0.6 * shock[max(t - 1, 0)] * (t > 0) + rng.normal(0, 9)
    demand = np.clip(100 + 14 * season + shock, 40, None)
    flights = np.repeat(rng.random(weeks // 3 + 1) < 0.6, 3)[:weeks]
    demand_driven = 55 + 4.5 * (demand - 100) + rng.gamma(3, 14, weeks)
    tv = np.where(flights, np.clip(demand_driven, 0, None), 0)
    social = np.clip(900 * rng.gamma(4, 0.25, weeks) * (1 + 0.25 * season), 0, None)
    price = np.round(
        9.9
        - 1.5 * (rng.random(weeks) < 0.2)
        + 0.3 * np.linspace(0, 1, weeks)
        + rng.normal(0, 0.1, weeks),
        2,
    )
    return pd.DataFrame(
        {
            "tv": tv.round(1),
            "tv_cost": (0.62 * tv).round(2),
            "social": social.round(0),
            "social_cost": (0.031 * social).round(2),
            "price": price,
            "demand": demand.round(1),
        },
        index=week,
    )


SPEND = {"tv": "tv_cost", "social": "social_cost", "search": "search_cost"}
CLICK_COST = 0.42
TESTS = {
    "tv_winter": (incremental("tv").during("2025-01-27", "2025-03-09"), 120.0),
    "social_autumn": (incremental("social").during("2024-09-02", "2024-10-13"), 65.0),
}


def bundled_world(seed: int = SEED) -> World:
    """156 weeks, TV bought when demand is high, search as a mediator, sales as the outcome."""
    rng = np.random.default_rng(seed)
    frame = bundled_inputs(rng).reset_index()
    data = Dataset.from_frame(frame, time="week", spend={"tv": "tv_cost", "social": "social_cost"})
    spec = Spec(
        Graph.parse(GRAPH, outcome="sales"),
        responses={"tv": MEDIA, "social": MEDIA},
        baseline=BASELINE,
        noise=NormalNoise(),
    )
    return simulate(spec, data, THETA, rng)


def write(folder: Path = DATA) -> None:
    """Write the table, the spec with two measured lift tests, and the exact effects."""
    world = bundled_world()
    columns = {name: world.data.array(name) for name in world.data.columns}
    frame = pd.DataFrame(columns, index=world.data.time.rename("week")).reset_index()
    frame["search_cost"] = (CLICK_COST * frame["search"]).round(2)
    order = [
        "week",
        "tv",
        "tv_cost",
        "social",
        "social_cost",
        "search",
        "search_cost",
        "price",
        "demand",
        "sales",
    ]
    frame = frame[order].round({"search": 3, "sales": 3})

    rng = np.random.default_rng([SEED, 1])
    tests = tuple(
        Experiment(
            estimand,
            round(world.effect(estimand) + rng.normal(0, error), 1),
            error,
            "geo-rct",
            name=name,
        )
        for name, (estimand, error) in TESTS.items()
    )
    usual = Response(GeometricAdstock(l_max=8), HillSaturation())
    spec = Spec(
        world.scm.spec.graph,
        responses={"tv": usual, "social": usual},
        baseline=BASELINE,
        experiments=tests,
    )
    data_settings = {"time": "week", "spend": SPEND}
    truth = {"data": data_settings, "spec": spec.to_dict(), "truth": exact(world, frame)}
    write_file(folder / "example.csv", csv_text(frame, index=False))
    write_file(folder / "example.json", json.dumps(truth, indent=1))


def exact(world: World, frame: pd.DataFrame) -> dict[str, Any]:
    """Return the exact effects of the world, for the errors that it drew."""
    channels = ("tv", "social", "search")
    spend = {c: float(frame[SPEND[c]].sum()) for c in channels}
    step = 1e-4
    nudged = {
        c: world.effect(Estimand({c: Times(1 + step)}, {c: Times(1 - step)})) / (2 * step)
        for c in channels
    }
    effects = {c: world.paths(incremental(c)) for c in channels}
    return {
        "seed": SEED,
        "effects": effects,
        "tests": {name: world.effect(estimand) for name, (estimand, _) in TESTS.items()},
        "roas": {c: effects[c]["total"] / spend[c] for c in channels},
        "mroas": {c: nudged[c] / spend[c] for c in channels},
        "parameters": THETA,
    }


if __name__ == "__main__":
    write()
