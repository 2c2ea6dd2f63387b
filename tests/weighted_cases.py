"""Specs with every kind of equation that augmentation meets, and densities of their models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from modes import AS_WRITTEN
from scipy import stats

import bayescausal as bc
from bayescausal.model.mechanisms import edge_mechanisms

PLAIN = bc.Response(strength=bc.Coefficient(bc.Prior("Normal", mu=0, sigma=1)))
MEDIA = bc.Response(bc.GeometricAdstock(l_max=3), bc.HillSaturation())
CURVE = bc.Response(bc.HillSaturation())


def world(units=0, history=0, weeks=30, seed=1):
    rng = np.random.default_rng(seed)
    week = pd.date_range("2023-01-02", periods=weeks, freq="7D")
    frames = []
    for unit in range(max(1, units)):
        tv, search = rng.gamma(2, 3, weeks), rng.gamma(3, 2, weeks)
        sales = 20 + tv + 2 * search + rng.normal(0, 1, weeks)
        columns = {"tv": tv, "search": search, "sales": sales, "price": rng.normal(5, 1, weeks)}
        frames.append(pd.DataFrame({"week": week, "geo": f"g{unit}", **columns}))
    frame = pd.concat(frames)
    return bc.Dataset.from_frame(frame, time="week", unit="geo" if units else None, history=history)


GRAPH = bc.Graph.parse("tv -> search -> sales\ntv, price -> sales", outcome="sales")
TIED = bc.Graph.parse(
    "tv -> search -> sales\ntv, price -> sales\nsearch <-> sales", outcome="sales"
)
SEASON = (bc.LinearTrend(), bc.YearlySeasonality(order=1))
INDEPENDENT = bc.NormalNoise()


def independent(graph, responses, noise=INDEPENDENT, **settings):
    """A spec whose errors are those that augmentation has by default."""
    return bc.Spec(graph, responses, noise=noise, **settings)


SPECS = {
    "mediator": (independent(GRAPH, {"tv": MEDIA}, baseline=SEASON), {}),
    "curve of a mediator": (
        independent(GRAPH, {"tv": MEDIA, "search": CURVE}, policy={"search": "reacts"}),
        {},
    ),
    "adstock of a mediator": (
        independent(GRAPH, {"tv": MEDIA, "search": MEDIA}, policy={"search": "reacts"}),
        {"history": 4},
    ),
    "log link": (independent(GRAPH, {"tv": MEDIA}, links={"sales": "log"}), {}),
    "log mediator": (independent(GRAPH, {"tv": MEDIA}, links={"search": "log"}), {}),
    "student": (independent(GRAPH, {"tv": MEDIA}, noise=bc.StudentTNoise()), {}),
    "district": (independent(TIED, {"tv": MEDIA}, baseline=SEASON), {}),
    "panel": (independent(GRAPH, {"tv": MEDIA}, baseline=SEASON), {"units": 3, "history": 2}),
    "panel, curve of a mediator": (
        independent(
            GRAPH,
            {"tv": MEDIA, "search": CURVE},
            policy={"search": "reacts"},
            noise=bc.StudentTNoise(),
        ),
        {"units": 3},
    ),
    "panel district": (independent(TIED, {"tv": MEDIA}), {"units": 2}),
}


# What these are about, others that run always have in them too.
SLOW = (
    *("mediator", "curve of a mediator", "log link", "log mediator", "student", "district"),
    *("panel", "errors with memory", "panel with memory"),
)


def named(cases, slow=SLOW):
    """Cases by name as parameters; those that add little to the others are slow."""
    for name, case in cases.items():
        marks = pytest.mark.slow if name in slow else ()
        yield pytest.param(*case, id=name, marks=marks)


def points(model, count=3, seed=0):
    """Points of the unconstrained space."""
    rng = np.random.default_rng(seed)
    start = model.initial_point()
    return [
        {k: np.asarray(v) + rng.normal(0, 0.3, np.shape(v)) for k, v in start.items()}
        for _ in range(count)
    ]


def density(model):
    """Log density of a model by term, observed nodes under their names, as a function of a point.

    All terms from one derivation: this is what takes the time.
    """
    variables = [*model.basic_RVs, *model.potentials]
    terms = [term.sum() for term in model.logp(vars=variables, sum=False)]
    run = model.compile_fn(
        terms, inputs=model.value_vars, mode=AS_WRITTEN, on_unused_input="ignore"
    )
    names = [v.name for v in variables]
    return lambda point: dict(zip(names, map(float, run(point)), strict=True))


def total(terms):
    """The sum of the terms of a density."""
    return sum(terms.values())


def naive(scm, augmented, theta, node):
    """Weighted log likelihood of one node without siblings: one row after the other."""
    total, nu = 0.0, theta.get(f"{node}:nu")
    for weight, (mu, eta, unit) in zip(
        augmented.weights, means(scm, augmented, theta, node), strict=True
    ):
        sd = theta[f"{node}:sigma"] * own_factor(theta, f"{node}:sigma", unit)
        law = stats.norm(mu, sd) if nu is None else stats.t(nu, mu, sd)
        total += weight / augmented.mass * law.logpdf(eta)
    return total


def own_factor(theta, name, unit):
    """What a unit has of a strength or a scale, over all units."""
    apart = theta.get(f"{name}:unit")
    return 1.0 if apart is None else np.exp(apart[unit])


def means(scm, augmented, theta, node):
    """Mean and value of a node in each row, on the scale of its link, and the row's unit."""
    edges, start = edge_mechanisms(scm, theta, scm.factual), scm.data.history
    frame, found = augmented.values, []
    column = {v: k for k, v in enumerate(augmented.order)}
    weeks = len(scm.data.training)
    level = scm.baseline(node, theta)
    for i in range(len(augmented.weights)):
        unit = augmented.indices[i, column["unit"]] // weeks if scm.data.is_panel else None
        at = augmented.indices[i, column["time" if "time" in column else node]] % weeks

        def read(path, index, unit=unit):
            path = np.broadcast_to(path, scm.factual[node].shape)[..., start:]
            return path[index] if unit is None else path[index // weeks, index % weeks]

        mu = read(level, at if unit is None else unit * weeks + at)
        for edge in scm.spec.structure.incoming(node):
            way = edges[edge]
            if edge.source in augmented.plan.synthetic_nodes:
                x = frame[edge.source][i, 0]
                x = np.exp(x) if scm.spec.link(edge.source) == "log" else x
                own = {k: theta[f"{edge}:{k}"] for k in scm.spec.mechanisms[edge].priors}
                f = scm.spec.mechanisms[edge].curve(np, np.array([x]), own)[0]
                f = f * own_factor(theta, str(edge), unit)
                mu = mu + way.beta.ravel()[0] * (f - way.center.ravel()[0])
            else:
                index = augmented.indices[i, column[edge.source]]
                mu = mu + read(way.beta * (way.factual - way.center), index)
        found.append((float(np.ravel(mu)[0]), frame[node][i, 0], unit))
    return found
