"""Alike edges are one array in a compiled model, and the numbers are those of edges one by one."""

import numpy as np
import pandas as pd
import pytensor.tensor as pt
import pytest
from modes import AS_WRITTEN

import bayescausal as bc
from bayescausal.model import build as building
from bayescausal.model import mechanisms
from bayescausal.model.mechanisms import stacks
from bayescausal.model.scm import compile_scm

CHANNELS = ("tv", "radio", "print")


def world(units):
    rng = np.random.default_rng(3)
    weeks = pd.date_range("2024-01-01", periods=30, freq="7D")
    parts = []
    for unit in units or ("all",):
        part = pd.DataFrame({"week": weeks, "unit": unit})
        for channel in CHANNELS:
            part[channel] = rng.gamma(2.0, 10.0, 30)
        part["price"] = rng.normal(10, 1, 30)
        part["sales"] = 100 + part[list(CHANNELS)].sum(axis=1) + rng.normal(0, 5, 30)
        parts.append(part)
    geo = {"unit": "unit"} if units else {}
    table = pd.concat(parts) if units else parts[0].drop(columns="unit")
    data = bc.Dataset.from_frame(table, time="week", spend=list(CHANNELS), **geo)
    curve = bc.Response(bc.GeometricAdstock(l_max=4), bc.LogisticSaturation())
    responses = {
        "tv": curve,
        "radio": bc.Response(
            bc.GeometricAdstock(l_max=4, priors={"alpha": bc.Prior("Beta", alpha=1, beta=3)}),
            bc.LogisticSaturation(),
            strength=bc.MediaContribution(bc.Prior("Normal", mu=0.1, sigma=0.2)),
        ),
        "print": bc.Response(bc.GeometricAdstock(l_max=3), bc.LogisticSaturation()),
    }
    graph = bc.Graph.parse(f"{', '.join([*CHANNELS, 'price'])} -> sales", outcome="sales")
    return bc.Spec(graph, responses), data


@pytest.mark.parametrize(
    "units",
    [
        pytest.param(None, id="national", marks=pytest.mark.slow),  # a panel has all of it too
        pytest.param(("north", "south"), id="panel"),
    ],
)
def test_stacked_edges_have_the_density_and_gradient_of_edges_one_by_one(units, monkeypatch):
    spec, data = world(units)
    scm = compile_scm(spec, data)
    assert max(map(len, stacks(scm))) == 2, "priors may differ within a stack; a reach may not"
    together = bc.build(spec, data)
    single = [(edge,) for edge in scm.spec.mechanisms]
    monkeypatch.setattr(building, "stacks", lambda _: single)
    monkeypatch.setattr(mechanisms, "stacks", lambda _: single)
    apart = bc.build(spec, data)
    rng, start = np.random.default_rng(0), together.initial_point()
    assert start.keys() == apart.initial_point().keys()
    point = {k: np.asarray(v) + rng.normal(0, 0.5, np.shape(v)) for k, v in start.items()}
    (first, gradient), (second, other) = (value_and_gradient(m, point) for m in (together, apart))
    assert first == pytest.approx(second, rel=1e-12)
    for name in start:
        assert gradient[name] == pytest.approx(other[name], rel=1e-9, abs=1e-9), name


def value_and_gradient(model, point):
    """Log density at a point of the unconstrained space, and its gradient by parameter."""
    density = sum(term.sum() for term in model.logp(sum=False))
    run = model.compile_fn(
        [density, *pt.grad(density, model.value_vars)], inputs=model.value_vars, mode=AS_WRITTEN
    )
    value, *gradient = run(point)
    return value, dict(zip((v.name for v in model.value_vars), gradient, strict=True))
