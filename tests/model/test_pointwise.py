"""What numpy says of observed and augmented rows is what the PyMC model says."""

from dataclasses import replace

import numpy as np
import pytest
from weighted_cases import GRAPH, MEDIA, SEASON, SPECS, TIED, density, points, world

import bayescausal as bc
from bayescausal.model.build import build
from bayescausal.model.errors import mixing
from bayescausal.model.predict import pointwise
from bayescausal.model.scm import calibrate, compile_scm
from bayescausal.model.weighted import augmented_rows, district_rows, row_density
from bayescausal.queries.loo import log_density

AR1 = {
    "errors with memory": (bc.Spec(GRAPH, {"tv": MEDIA}, noise=bc.AR1Noise()), {"history": 3}),
    "tied, with memory": (bc.Spec(TIED, {"tv": MEDIA}, noise=bc.AR1Noise()), {}),
    "panel with memory": (bc.Spec(GRAPH, {"tv": MEDIA}, noise=bc.AR1Noise()), {"units": 2}),
    "panel, Student": (
        bc.Spec(TIED, {"tv": MEDIA}, baseline=SEASON, noise=bc.StudentTNoise()),
        {"units": 2, "history": 2},
    ),
}
EVERY = [pytest.param(*case, id=name) for name, case in {**SPECS, **AR1}.items()]
ROWS = [
    pytest.param(*SPECS[name], id=name)
    for name in ("log mediator", "student", "district", "panel", "panel district")
] + [pytest.param(*AR1["panel, Student"], id="panel, Student")]


def thetas(model, scm, at):
    """Parameters at some points of the unconstrained space, draws first."""
    names = [p.name for p in scm.parameters]
    values = {v.name: v for v in model.unobserved_value_vars}
    run = model.compile_fn(
        [values[k] for k in names],
        inputs=model.value_vars,
        mode="FAST_COMPILE",
        on_unused_input="ignore",
    )
    drawn = [run(point) for point in at]
    return {name: np.stack([d[k] for d in drawn]) for k, name in enumerate(names)}


@pytest.mark.parametrize(("spec", "how"), EVERY)
def test_pointwise_is_the_density_of_each_observed_value(spec, how):
    """Elementwise, in original units, at several draws at once."""
    data = world(**how)
    model, scm = build(spec, data), compile_scm(spec, data)
    at = points(model)
    theta = thetas(model, scm, at)
    found = pointwise(scm, theta, calibrate(scm, theta, scm.factual))
    terms = model.logp(vars=[model[v] for v in spec.modelled], sum=False)
    run = model.compile_fn(
        terms, inputs=model.value_vars, mode="FAST_COMPILE", on_unused_input="ignore"
    )
    shape = (len(data.units), len(data.training)) if data.is_panel else (len(data.training),)
    for k, point in enumerate(at):
        for node, wanted in zip(spec.modelled, run(point), strict=True):
            assert wanted.shape == shape
            np.testing.assert_allclose(found[node][k], wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("spec", "how"), ROWS)
def test_rows_have_the_density_of_the_potentials(spec, how):
    """`row_density` over draws, weighted and summed, is what augmentation adds to the model."""
    data = world(**how)
    asked = replace(spec, augmentation=bc.Augmentation(weight=0.4, eta=0.7, budget=60))
    model, scm = build(asked, data), compile_scm(asked, data)
    at = points(model)
    theta, drawn = thetas(model, scm, at), augmented_rows(scm)
    edges, mix, count = calibrate(scm, theta, scm.factual), mixing(scm, theta), drawn.plan.rows
    potentials = {v.name: v for v in model.potentials}
    for district in scm.spec.structure.districts:
        nodes = tuple(v for v in spec.modelled if v in district)
        if not nodes:
            continue
        rows = district_rows(scm, drawn, nodes)
        weights = rows.weights * np.where(
            np.arange(len(rows.weights)) < len(rows.weights) - count, 0.7, 1
        )
        logs = sum(
            log_density(theta.get(f"{node}:nu"), *parts)
            for node, parts in row_density(scm, theta, mix, edges, rows).items()
        )
        assert logs.shape == (len(at), len(rows.weights))
        added = density(model, [potentials["augmented:" + "+".join(nodes)]])
        np.testing.assert_allclose(0.4 * logs @ weights, [added(point) for point in at], rtol=1e-8)
