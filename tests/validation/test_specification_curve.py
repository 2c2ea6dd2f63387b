"""Other forms of the same claims: which there are, and how far they agree."""

import logging

import numpy as np
import pandas as pd
import pytest
from linear_worlds import linear_fit

import bayescausal as bc
from bayescausal.errors import SpecError
from bayescausal.validation.alternative_specs import without
from bayescausal.validation.specification_curve import AS_FITTED, _agreement, specification_curve


@pytest.fixture(scope="module")
def alternatives(example_fit):
    return bc.alternative_specs(example_fit)


def forms(spec, edge="tv->sales"):
    (response,) = (r for e, r in spec.mechanisms.items() if str(e).startswith(edge))
    return [type(step).__name__ for step in response.transforms]


def test_alternatives_differ_in_one_thing(example_fit, alternatives):
    assert list(alternatives) == [
        "adstock Weibull PDF",
        "adstock none",
        "saturation Logistic",
        "saturation Michaelis-Menten",
        "saturation Root",
        "saturation none",
        "media a period later",
        "without price",
    ]
    assert forms(alternatives["adstock none"]) == ["NoAdstock", "HillSaturation"]
    assert forms(alternatives["saturation Root"]) == ["GeometricAdstock", "RootSaturation"]
    later = alternatives["media a period later"]
    lags = {str(e): e.lag for e in later.graph.edges}
    assert lags["tv->sales@1"] == lags["tv->search@1"] == lags["social->sales@1"] == 1
    assert lags["demand->sales"] == lags["search->sales"] == 0
    assert forms(later) == ["GeometricAdstock", "HillSaturation"]
    for spec in alternatives.values():
        assert spec.experiments == example_fit.spec.experiments
        assert spec.treatments == example_fit.spec.treatments
        bc.build(spec, example_fit.data)  # it is a model


def test_only_a_cause_that_no_effect_needs_is_left_out(example_fit, alternatives):
    spec, data = example_fit.spec, example_fit.data
    assert without(spec, data, "demand") is None  # it confounds tv and search
    assert "price" not in alternatives["without price"].graph.nodes
    for effect in ("tv", "social", "search"):
        before = bc.identify(spec.graph, effect).status
        assert bc.identify(alternatives["without price"].graph, effect).status == before


def test_other_hidden_causes_stay_when_one_cause_is_left_out():
    text = "u -> a, y\nz -> y\na -> y\nw -> z\nlatent: u"
    graph = bc.Graph.parse(text, outcome="y")
    spec = bc.Spec(graph, treatments=("a",))
    reduced = without(spec, linear_fit().data, "z")
    assert reduced.graph == bc.Graph.parse("u -> a, y\na -> y\nw -> y\nlatent: u", outcome="y")


def test_crossed_forms(example_fit, alternatives):
    crossed = bc.alternative_specs(example_fit, crossed=True)
    pairs = [name for name in crossed if ", " in name]
    assert len(pairs) == 2 * 4  # those that are the fit's in one part stand there already
    assert forms(crossed["adstock none, saturation none"]) == ["NoAdstock", "NoSaturation"]
    assert list(crossed)[: len(alternatives)] == list(alternatives)


def test_media_without_forms_have_no_other_ones():
    assert list(bc.alternative_specs(linear_fit("a, b -> y\nz -> b", outcome="y"))) == []


@pytest.fixture(scope="module")
def small():
    """A short fit of two linear channels."""
    base = linear_fit("a, b -> y", spend={"a": "cost"}, parts={"baseline": (bc.Intercept(),)})
    settings = {"draws": 200, "tune": 200, "chains": 2, "progress": False}
    return bc.fit(base.spec, base.data, seed=1, **settings)


def test_the_curve_fits_what_there_is_time_for(small, caplog):
    wide = bc.Response(strength=bc.Coefficient(bc.Prior("Normal", mu=0, sigma=3)))
    spec = bc.Spec(small.spec.graph, {"a": wide}, noise=bc.NormalNoise(), treatments=("a", "b"))
    broken = bc.Spec(bc.Graph.parse("gone -> y", outcome="y"), treatments=("gone",))
    specs = {"wide": spec, "broken": broken, "again": spec}
    with caplog.at_level(logging.INFO, logger="bayescausal"):
        found = specification_curve(small, specs, budget=1e-3, seed=2)
    assert found.left_out == ("broken", "again")
    assert list(found.table.index.get_level_values("spec").unique()) == [AS_FITTED, "wide"]
    assert "1 of 3: wide" in caplog.text
    assert "Not fitted, for want of time: broken, again." in found.sentences
    fitted = bc.summarize(bc.effect(small, "a"))["median"].iloc[0]
    assert found.table.loc[(AS_FITTED, "a"), "median"] == pytest.approx(fitted)
    assert max(map(len, str(found).splitlines()[: len(found.sentences)])) < 250
    figure = bc.plot_specification_curve(found, "a")
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert AS_FITTED in labels
    assert any(label.startswith("wide (") for label in labels)


def test_a_spec_that_does_not_fit_the_data_is_named(small):
    broken = bc.Spec(bc.Graph.parse("gone -> y", outcome="y"), treatments=("gone",))
    found = specification_curve(small, {"broken": broken}, progress=False, seed=2)
    assert "gone" in found.obstacles["broken"]
    assert found.sentences[0] == "No other spec was fitted."
    assert np.isnan(found.agreement["sign"]).all()


def test_shares_count_other_specs():
    rows = [
        (AS_FITTED, "a", 2.0, 1.0, 3.0, 1),
        (AS_FITTED, "b", 1.0, -1.0, 3.0, 2),
        ("x", "a", 4.0, 2.0, 6.0, 2),
        ("x", "b", 5.0, 1.0, 9.0, 1),
        ("y", "a", 1.0, -1.0, 2.0, 1),
        ("y", "b", -1.0, -3.0, 1.0, 2),
    ]
    table = pd.DataFrame(rows, columns=["spec", "effect", "median", "low", "high", "rank"])
    found = _agreement(table.set_index(["spec", "effect"]))
    assert found.loc["a"].tolist() == [1.0, 0.5, 0.5, 1.0, 4.0]
    assert found.loc["b"].tolist() == [0.5, 0.5, 0.5, -1.0, 5.0]


def test_wrong_arguments_are_advised(small):
    with pytest.raises(SpecError, match="a mapping of a name to a Spec"):
        specification_curve(small, [small.spec])
    with pytest.raises(SpecError, match="takes a Spec"):
        specification_curve(small, {"x": 3})
    with pytest.raises(SpecError, match="budget must be a number"):
        specification_curve(small, {"x": small.spec}, budget="an hour")
