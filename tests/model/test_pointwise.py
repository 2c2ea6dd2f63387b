"""What numpy says of observed and augmented rows is what the PyMC model says."""

from dataclasses import replace

import numpy as np
import pytest
from modes import AS_WRITTEN
from weighted_cases import GRAPH, MEDIA, SEASON, SPECS, TIED, named, points, world

import bayescausal as bc
from bayescausal.model.build import build
from bayescausal.model.errors import mixing
from bayescausal.model.predict import pointwise
from bayescausal.model.scm import bind, compile_scm
from bayescausal.model.weighted import augmented_rows, district_rows, row_density
from bayescausal.validation.leave_one_out import log_density

AR1 = {
    "errors with memory": (bc.Spec(GRAPH, {"tv": MEDIA}, noise=bc.AR1Noise()), {"history": 3}),
    "tied, with memory": (bc.Spec(TIED, {"tv": MEDIA}, noise=bc.AR1Noise()), {}),
    "panel with memory": (bc.Spec(GRAPH, {"tv": MEDIA}, noise=bc.AR1Noise()), {"units": 2}),
    "panel, Student": (
        bc.Spec(TIED, {"tv": MEDIA}, baseline=SEASON, noise=bc.StudentTNoise()),
        {"units": 2, "history": 2},
    ),
}
EVERY = [*named({**SPECS, **AR1})]
ROWS = [pytest.param(*SPECS[name], id=name) for name in ("log mediator", "panel district")] + [
    pytest.param(*AR1["panel, Student"], id="panel, Student")
]


def evaluated(model, scm, terms):
    """Parameters, draws first, and terms of the log density, at some points: one compilation."""
    names = [p.name for p in scm.parameters]
    values = {v.name: v for v in model.unobserved_value_vars}
    run = model.compile_fn(
        [*(values[k] for k in names), *terms],
        inputs=model.value_vars,
        mode=AS_WRITTEN,
        on_unused_input="ignore",
    )
    drawn = [np.stack(parts) for parts in zip(*map(run, points(model)), strict=True)]
    return dict(zip(names, drawn, strict=False)), drawn[len(names) :]


@pytest.mark.parametrize(("spec", "how"), EVERY)
def test_pointwise_is_the_density_of_each_observed_value(spec, how):
    """Elementwise, in original units, at several draws at once."""
    data = world(**how)
    model, scm = build(spec, data), compile_scm(spec, data)
    terms = model.logp(vars=[model[v] for v in spec.modelled], sum=False)
    theta, told = evaluated(model, scm, terms)
    found = pointwise(bind(scm, theta))
    shape = (len(data.units), len(data.training)) if data.is_panel else (len(data.training),)
    for node, wanted in zip(spec.modelled, told, strict=True):
        assert wanted.shape[1:] == shape
        np.testing.assert_allclose(found[node], wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("spec", "how"), ROWS)
def test_rows_have_the_density_of_the_potentials(spec, how):
    """`row_density` over draws, weighted and summed, is what augmentation adds to the model."""
    data = world(**how)
    asked = replace(
        spec, augmentation=bc.Augmentation(weight=0.4, eta=0.7, method=bc.Ancestral(60))
    )
    model, scm = build(asked, data), compile_scm(asked, data)
    theta, potentials = evaluated(model, scm, model.logp(vars=model.potentials, sum=False))
    drawn = augmented_rows(scm)
    mix, count = mixing(scm, theta), drawn.plan.rows
    told = dict(zip((v.name for v in model.potentials), potentials, strict=True))
    for district in scm.spec.structure.districts:
        nodes = tuple(v for v in spec.modelled if v in district)
        if not nodes:
            continue
        rows = district_rows(scm, drawn, nodes)
        weights = np.where(rows.weights > 0, 0.7 * rows.weights, rows.weights)
        logs = sum(
            log_density(theta.get(f"{node}:nu"), *parts)
            for node, parts in row_density(bind(scm, theta), mix, rows).items()
        )
        assert logs.shape[1:] == rows.weights.shape
        added = told.pop("augmented:" + "+".join(nodes)).ravel()
        np.testing.assert_allclose(0.4 * logs @ weights, added, rtol=1e-8)
        assert (rows.weights < 0).sum() == count
    assert not told
