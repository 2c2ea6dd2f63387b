"""Augmented rows in the likelihood: the same equations, at other rows, with a stated weight."""

from dataclasses import replace

import numpy as np
import pytest
from modes import AS_WRITTEN
from weighted_cases import GRAPH, MEDIA, SLOW, SPECS, density, naive, named, points, total, world

import bayescausal as bc
from bayescausal.augmentation.augment import Augmented
from bayescausal.errors import SpecError
from bayescausal.model.build import build
from bayescausal.model.scm import compile_scm
from bayescausal.model.weighted import (
    WEIGHT,
    augmented_rows,
    blocks_of,
    centers,
    district_rows,
)
from bayescausal.specs.augmentation import Augmentation
from bayescausal.specs.row_methods import Ancestral, Reduce


def identity(augmented):
    """Every observed row once."""
    rows = np.arange(augmented.plan.rows)
    indices = np.repeat(rows[:, None], len(augmented.order), axis=1)
    return Augmented(augmented.plan, indices, np.full(len(rows), 1 / len(rows)), "ancestral")


@pytest.mark.parametrize(("spec", "how"), named(SPECS, (*SLOW, "adstock of a mediator")))
def test_observed_rows_have_the_likelihood_of_the_data(spec, how, monkeypatch):
    """With every observed row as the augmented ones, augmentation changes nothing at any weight."""
    data = world(**how)
    asked = replace(spec, augmentation=Augmentation(0.7, conditional="nadaraya-watson"))
    plain, drawn = build(spec, data), augmented_rows(compile_scm(asked, data))
    monkeypatch.setattr(
        "bayescausal.model.weighted.augmented_rows", lambda scm, shapes=None: identity(drawn)
    )
    weighted = build(asked, data)
    first, second = density(plain), density(weighted)
    for point in points(plain):
        np.testing.assert_allclose(total(second(point)), total(first(point)), rtol=1e-9)


UNTIED = [name for name, (spec, _) in SPECS.items() if not spec.graph.bidirected]
CASES = {name: (name, Ancestral(40)) for name in UNTIED} | {"reduced": ("mediator", Reduce(40))}


@pytest.mark.parametrize(("name", "method"), named(CASES))
def test_the_likelihood_is_the_weighted_sum_over_rows(name, method):
    """Against a loop over the rows, not merged, each from its own indices and values."""
    spec, how = SPECS[name]
    data = world(**how)
    given = Augmentation(weight=0.4, eta=0.8, method=method)
    asked = replace(spec, augmentation=given)
    scm, plain, weighted = compile_scm(asked, data), build(spec, data), build(asked, data)
    drawn = augmented_rows(scm)
    names = [p.name for p in scm.parameters]
    values = {v.name: v for v in plain.unobserved_value_vars}
    restore = plain.compile_fn(
        [values[k] for k in names],
        inputs=plain.value_vars,
        mode=AS_WRITTEN,
        on_unused_input="ignore",
    )
    first, second = density(plain), density(weighted)
    count = drawn.plan.rows
    found, wanted = [], []
    for point in points(plain):
        theta = dict(zip(names, map(np.asarray, restore(point)), strict=True))
        terms = first(point)
        data_part = sum(terms[v] for v in spec.modelled)
        found.append(total(second(point)) - total(terms) + 0.4 * data_part)
        size = min(count, drawn.effective_rows)
        wanted.append(0.4 * 0.8 * size * sum(naive(scm, drawn, theta, v) for v in spec.modelled))
    np.testing.assert_allclose(np.diff(found), np.diff(wanted), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("budget", [50, 5000])
def test_the_weight_does_not_grow_with_the_number_of_rows(budget):
    spec, how = SPECS["mediator"]
    scm = compile_scm(
        replace(spec, augmentation=Augmentation(method=Ancestral(budget), eta=0.5)), world(**how)
    )
    weights = district_rows(scm, augmented_rows(scm), ("sales",)).weights
    assert weights[weights > 0].sum() == pytest.approx(30)
    assert (weights[weights < 0] == -1).all()
    assert (weights < 0).sum() == 30


def test_rows_that_an_equation_cannot_tell_apart_are_one():
    """Search depends on where tv and its own residual came from, not on where price did."""
    graph = bc.Graph.parse("tv -> search\nsearch, price -> sales", outcome="sales")
    spec = bc.Spec(graph, {"tv": MEDIA}, augmentation=Augmentation(method=Ancestral(5000)))
    scm = compile_scm(spec, world())
    drawn = augmented_rows(scm)
    assert len(district_rows(scm, drawn, ("search",)).weights) <= 30 * 30 + 30
    told = {*district_rows(scm, drawn, ("search",)).indices}
    assert told == {"tv", "search"}


def test_a_treatment_is_moved_with_its_window():
    """Its block is its curve, and only observed weeks are donated; weeks of history have no row."""
    spec, how = SPECS["adstock of a mediator"]
    scm = compile_scm(spec, world(**how))
    table = blocks_of(scm, centers(scm))
    assert len(table) == 26
    assert not table.blocks["tv"].scalar
    assert not table.blocks["search"].scalar  # it acts with memory
    assert table.blocks["sales"].scalar


def test_the_calendar_is_one_block():
    scm = compile_scm(SPECS["mediator"][0], world())
    table = blocks_of(scm, centers(scm))
    assert table.blocks["time"].values.shape == (30, 3)
    assert set(table.graph.children("time")) == {"search", "sales"}


def test_rows_of_a_panel_stay_in_their_unit():
    spec, how = SPECS["panel"]
    scm = compile_scm(replace(spec, augmentation=Augmentation(method=Ancestral(500))), world(**how))
    drawn = augmented_rows(scm)
    units = drawn.indices[:, [k for k, v in enumerate(drawn.order) if v != "time"]] // 28
    assert (units == units[:, :1]).all()


def test_weight_zero_adds_nothing():
    spec, how = SPECS["mediator"]
    off = build(replace(spec, augmentation=Augmentation(weight=0)), world(**how))
    assert WEIGHT not in off.named_vars
    assert not off.potentials


def test_the_weight_can_be_set_in_a_made_model():
    spec, how = SPECS["mediator"]
    data = world(**how)
    weighted = build(
        replace(spec, augmentation=Augmentation(weight=0.6, method=Ancestral(100))), data
    )
    weighted.set_data(WEIGHT, 0.0)
    plain = build(spec, data)
    point = points(plain, 1)[0]
    assert total(density(weighted)(point)) == pytest.approx(total(density(plain)(point)))


def test_errors_with_memory_are_refused_with_the_reason():
    with pytest.raises(SpecError, match=r"remember the week before.*out of their order"):
        bc.Spec(GRAPH, {"tv": MEDIA}, noise=bc.AR1Noise(), augmentation=Augmentation())


def test_feedback_is_refused_with_the_reason():
    loop = bc.Graph.parse("tv -> sales\nsales -> tv @ 1", outcome="sales")
    with pytest.raises(SpecError, match="acts on its own future"):
        bc.Spec(loop, {"tv": MEDIA}, augmentation=Augmentation())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"weight": 1.2}, "between 0"),
        ({"eta": 0}, "above 0 and at most 1"),
        ({"eta": 2}, "never worth more"),
        ({"method": "ancestrol"}, "Did you mean 'ancestral'"),
        ({"conditional": "residual"}, "Did you mean 'residual-bootstrap'"),
        ({"weight": "0.3"}, "must be a number"),
    ],
)
def test_bad_settings_are_refused(given, says):
    with pytest.raises(SpecError, match=says):
        Augmentation(**given)


def test_a_node_that_is_not_there_is_refused():
    with pytest.raises(SpecError, match="'serach' is not in the graph"):
        bc.Spec(GRAPH, {"tv": MEDIA}, augmentation=Augmentation(conditional={"serach": "forest"}))


def test_a_spec_with_augmentation_is_written_and_read():
    given = Augmentation(weight=0.25, method="reduce", conditional={"sales": "nadaraya-watson"})
    spec = bc.Spec(GRAPH, {"tv": MEDIA}, augmentation=given)
    assert bc.Spec.from_yaml(spec.to_yaml()) == spec
    assert bc.Spec.from_yaml(bc.Spec(GRAPH, {"tv": MEDIA}).to_yaml()).augmentation is None


def test_the_calendar_holds_the_terms_of_every_equation():
    """Two equations with seasons of different order: neither takes the place of the other."""
    baseline = {
        "sales": (bc.YearlySeasonality(order=2),),
        "search": (bc.YearlySeasonality(order=1),),
    }
    scm = compile_scm(bc.Spec(GRAPH, {"tv": MEDIA}, baseline=baseline), world())
    assert blocks_of(scm, centers(scm)).blocks["time"].values.shape == (30, 2 + 4)
