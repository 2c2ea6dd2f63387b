"""Simulated worlds whose effects are known exactly, and the one that ships with the package.

A world is made by the model's own `forward`, so its effects are exact for these equations and
these errors. Recovery from such worlds shows that the sampler and the queries agree with the
model; it does not show that a model is right. `benchmarks/` therefore also fits worlds made by
other families of curves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescausal._types import Node
from bayescausal.model.contrast import contrast, moved_spend, split
from bayescausal.model.predict import predict
from bayescausal.model.scm import SCM, calibrate, compile_scm
from bayescausal.specs.adstock import GeometricAdstock
from bayescausal.specs.baseline import LinearTrend, YearlySeasonality
from bayescausal.specs.dataset import Dataset
from bayescausal.specs.estimand import Estimand, incremental
from bayescausal.specs.experiment import Experiment
from bayescausal.specs.graph import Graph
from bayescausal.specs.response import Coefficient, Response
from bayescausal.specs.saturation import HillSaturation
from bayescausal.specs.spec import Spec

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class World:
    """A simulated data set, with the equations and errors that made it.

    Parameters
    ----------
    scm : SCM
        Its equations and data. Scales of modelled nodes are 1: parameters are in natural units.
    theta : dict of str to array
        The true parameters. Every strength is a `Coefficient`.
    """

    scm: SCM
    theta: dict[str, np.ndarray]

    @property
    def data(self) -> Dataset:
        """What an analyst sees."""
        return self.scm.data

    def effect(self, estimand: Estimand) -> float:
        """The exact total effect for the errors of this world, in units of the outcome."""
        x = self.scm.factual
        edges = calibrate(self.scm, self.theta, x)
        return float(contrast(self.scm, self.theta, x, edges, estimand).sum())

    def paths(self, estimand: Estimand) -> dict[str, float]:
        """Exact total, natural direct and natural indirect effect."""
        x = self.scm.factual
        edges = calibrate(self.scm, self.theta, x)
        parts = split(self.scm, self.theta, x, edges, estimand)
        return {name: float(path.sum()) for name, path in parts.items()}

    def roas(self, estimand: Estimand) -> float:
        """Exact incremental outcome per own spend."""
        return self.effect(estimand) / moved_spend(self.scm, estimand)


def simulate(
    spec: Spec, data: Dataset, theta: Mapping[str, Any], seed: int | np.random.Generator
) -> World:
    """Generate the modelled nodes of a world from its inputs.

    Parameters
    ----------
    spec : Spec
        Strengths are read as coefficients; baseline terms as they are.
    data : Dataset
        Paths of the input nodes. Columns of modelled nodes are replaced, or added.
    theta : mapping of str to float or array
        Every parameter by name, in natural units of the modelled nodes (inputs stay scaled).
    seed : int or numpy Generator

    Returns
    -------
    World
    """
    rng = np.random.default_rng(seed)
    plain = {
        str(edge): Response(*r.transforms, strength=Coefficient())
        for edge, r in spec.mechanisms.items()
        if r.transforms
    }
    spec = replace(spec, responses=plain, experiments=(), treatments=spec.treatments)
    blank = data.table.assign(
        {v: _placeholder(data) for v in spec.modelled if v not in data.columns}
    )
    scm = compile_scm(spec, replace(data, table=blank))
    scm = replace(scm, scale={**scm.scale, **dict.fromkeys(spec.modelled, np.ones(1))})
    theta = {name: np.asarray(value, dtype=float) for name, value in theta.items()}
    known = {p.name for p in scm.parameters}
    if known != set(theta):
        raise ValueError(
            f"theta must name every parameter. Missing: {sorted(known - set(theta))}; "
            f"unknown: {sorted(set(theta) - known)}."
        )
    uncentered = {
        edge: made._replace(center=np.zeros(1))
        for edge, made in calibrate(scm, theta, scm.factual).items()
    }
    paths = predict(scm, theta, uncentered, rng, generate=True)
    table = scm.data.table.assign(
        {v: (scm.data.dims, np.broadcast_to(path, scm.factual[v].shape).copy())
         for v, path in paths.items()}
    )
    return World(replace(scm, data=replace(scm.data, table=table)), theta)


def _placeholder(data: Dataset) -> Any:
    shape = tuple(data.table.sizes[d] for d in data.dims)
    return data.dims, np.arange(1.0, np.prod(shape) + 1).reshape(shape)


# -- the bundled world --------------------------------------------------------------------------

SEED = 20260301
GRAPH = """
demand -> search, sales, tv
tv     -> search, sales
social, price, search -> sales
"""
MEDIA = Response(GeometricAdstock(l_max=8), HillSaturation())
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
    """Demand, price and media plans; TV is bought when demand is high, which confounds it."""
    week = pd.date_range("2023-01-02", periods=weeks, freq="7D", name="week")
    season = np.cos(2 * np.pi * (week.dayofyear.to_numpy() - 340) / 365.25)
    shock = np.zeros(weeks)
    for t in range(weeks):
        shock[t] = 0.6 * shock[max(t - 1, 0)] * (t > 0) + rng.normal(0, 9)
    demand = np.clip(100 + 14 * season + shock, 40, None)
    flights = np.repeat(rng.random(weeks // 3 + 1) < 0.6, 3)[:weeks]
    wanted = 55 + 2.2 * (demand - 100) + rng.gamma(3, 14, weeks)
    tv = np.where(flights, np.clip(wanted, 0, None), 0)
    social = np.clip(900 * rng.gamma(4, 0.25, weeks) * (1 + 0.25 * season), 0, None)
    price = np.round(
        9.9 - 1.5 * (rng.random(weeks) < 0.2) + 0.3 * np.linspace(0, 1, weeks)
        + rng.normal(0, 0.1, weeks), 2,
    )
    return pd.DataFrame({
        "tv": tv.round(1), "tv_cost": (0.62 * tv).round(2),
        "social": social.round(0), "social_cost": (0.031 * social).round(2),
        "price": price, "demand": demand.round(1),
    }, index=week)


def bundled_world(seed: int = SEED) -> World:
    """The world behind `load_example`: 156 weeks, confounded TV, a mediator, rounded columns."""
    rng = np.random.default_rng(seed)
    frame = bundled_inputs(rng).reset_index()
    data = Dataset.from_frame(
        frame, time="week", spend={"tv": "tv_cost", "social": "social_cost"}
    )
    spec = Spec(
        Graph.parse(GRAPH, outcome="sales"),
        responses={"tv": MEDIA, "social": MEDIA},
        baseline=BASELINE,
    )
    return simulate(spec, data, THETA, rng)
