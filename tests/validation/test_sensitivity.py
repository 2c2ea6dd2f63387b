"""`sensitivity`: the likelihood alone, of the total effect, and why where there is no answer."""

import numpy as np
import pytest
from linear_worlds import SPEND, linear_fit

import bayescausal as bc
from bayescausal.errors import DataError, SpecError
from bayescausal.validation.effect_regression import effect_regression
from bayescausal.validation.robustness_values import adjusted, robustness_value
from bayescausal.validation.sensitivity import NO_SUCH_DRIVER

ROWS = 60


def columns(fit, *names):
    return [fit.data.array(v) for v in names]


def slope(fit, treatment, *controls, outcome="y"):
    y, x, *z = columns(fit, outcome, treatment, *controls)
    design = np.column_stack([x, *z, np.ones(len(y))])
    return np.linalg.lstsq(design, y, rcond=None)[0][0], x.sum()


def test_the_effect_is_that_of_least_squares():
    fit = linear_fit(rows=ROWS)
    per_unit, exposure = slope(fit, "a", "b", "c")
    found = bc.sensitivity(fit)
    assert found.effects.loc["a", "estimate"] == pytest.approx(per_unit * exposure, rel=1e-9)
    assert list(found.effects.index) == ["a", "b", "c"]
    assert found.effects["dof"].between(2, ROWS - 4).all()


def test_neither_prior_nor_sign_of_the_posterior_is_credited():
    tight = {"a->y": (1.0, 0.001), "b->y": (1.0, 0.05), "c->y": (0.2, 0.05)}
    wide = {**tight, "a->y": (1.0, 5.0)}
    other = {**tight, "a->y": (-3.0, 0.001)}
    tables = [
        bc.sensitivity(linear_fit(coefficients=c, rows=ROWS)).effects for c in (tight, wide, other)
    ]
    for table in tables[1:]:
        assert table.loc["a", "rv"] == pytest.approx(tables[0].loc["a", "rv"], rel=1e-6)
        assert table.loc["a", "estimate"] == pytest.approx(tables[0].loc["a", "estimate"], rel=1e-6)


def test_a_mediator_is_not_adjusted_for():
    text = "a -> m\na, m, c -> y"
    fit = linear_fit(text, rows=ROWS, coefficients={"a->m": (0.5, 0.1), "m->y": (0.3, 0.1)})
    regression = effect_regression(fit, "a", "y")
    assert set(regression.controls) == {"c"}
    assert set(effect_regression(fit, "c", "y").controls) == {"a", "m"}
    # Linear edges: the response through both paths is proportional to a.
    per_unit, exposure = slope(fit, "a", "c")
    assert regression.effect.estimate == pytest.approx(per_unit * exposure, rel=1e-9)


def test_what_moves_a_mediator_is_adjusted_for():
    text = "a, b -> m\nm, c -> y"
    fit = linear_fit(text, rows=ROWS, coefficients={"a->m": (0.5, 0.1), "m->y": (0.3, 0.1)})
    assert set(effect_regression(fit, "a", "y").controls) == {"b", "c"}


def test_a_log_link_is_regressed_in_logs():
    fit = linear_fit(rows=ROWS, link="log", coefficients={"a->y": (0.01, 0.001)})
    y, a, b, c = columns(fit, "y", "a", "b", "c")
    design = np.column_stack([a, b, c, np.ones(len(y))])
    log_slope = np.linalg.lstsq(design, np.log(y), rcond=None)[0][0]
    regression = effect_regression(fit, "a", "y")
    ratio = regression.effect.estimate / regression.gain
    np.testing.assert_allclose(ratio * regression.x[0], log_slope * a, rtol=1e-6)


def test_units_of_a_panel_have_levels_of_their_own():
    fit = linear_fit(rows=ROWS, units=("north", "south"), parts={"noise": bc.NormalNoise()})
    regression = effect_regression(fit, "a", "y")
    assert regression.y.shape == (2, ROWS)
    demeaned = [v - v.mean(axis=1, keepdims=True) for v in (regression.y, regression.x)]
    controls = [c - c.mean(axis=-1, keepdims=True) for c in regression.controls.values()]
    design = np.concatenate([demeaned[1][None], *controls]).reshape(-1, 2 * ROWS).T
    coefficient = np.linalg.lstsq(design, demeaned[0].ravel(), rcond=None)[0][0]
    assert regression.effect.estimate == pytest.approx(coefficient * regression.gain, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "effect", "words"),
    [
        ("a, b -> y\na <-> y", "a", "No set of measured nodes"),
        ("a, b -> y\ny -> b @ 1", "a", "feed back"),
    ],
)
def test_what_no_regression_answers_has_a_reason(text, effect, words):
    fit = linear_fit(text, rows=ROWS, parts={"policy": {}})
    found = bc.sensitivity(fit)
    assert words in found.obstacles[effect]
    assert effect not in found.effects.index
    assert found.sentences[effect].startswith("No robustness value. ")


def test_too_few_rows_are_said():
    with pytest.raises(DataError, match="too few for 4 coefficients"):
        effect_regression(linear_fit(rows=12), "a", "y")


def test_benchmarks_are_the_formulas_applied_to_recorded_drivers():
    found = bc.sensitivity(linear_fit(rows=ROWS), multiples=(2,), prob=0.95)
    effect = found.linear_effect("a")
    row = found.effects.loc["a"]
    assert row["rv"] == robustness_value(effect)
    assert row["rv_interval"] == robustness_value(effect, prob=0.95)
    table = found.benchmarks.loc["a"].set_index("driver")
    assert set(table.index) == {"b", "c"}
    regression = effect_regression(linear_fit(rows=ROWS), "a", "y")
    a, b, c = (regression.x, regression.controls["b"], regression.controls["c"])
    centered = [v.ravel() - v.mean() for v in (a, b, c)]
    rest = [v - centered[2] * (v @ centered[2]) / (centered[2] @ centered[2]) for v in centered[:2]]
    r2 = np.corrcoef(rest)[0, 1] ** 2
    assert table.loc["b", "r2_channel"] == pytest.approx(2 * r2 / (1 - r2), rel=1e-9)
    hidden = type(regression.strength("b"))(*table.loc["b", ["r2_channel", "r2_outcome"]])
    assert table.loc["b", "estimate"] == pytest.approx(adjusted(effect, hidden).estimate)
    assert table.loc["b", "share"] == pytest.approx(table.loc["b", "estimate"] / effect.estimate)


def test_a_recorded_driver_that_is_all_but_the_channel_cannot_be_multiplied():
    text = "b -> a\na, b -> y"
    fit = linear_fit(text, rows=ROWS, parts={"policy": {"a": "held"}})
    table = bc.sensitivity(fit, ["a"], multiples=(1, 1e6)).benchmarks.set_index("k")
    assert table.loc[1, "note"] == ""
    assert table.loc[1e6, "note"] == NO_SUCH_DRIVER
    assert not table.loc[1e6, "survives"]


def test_break_even_needs_less_than_nothing_left():
    fit = linear_fit(rows=ROWS, spend=SPEND, value=1.0)
    row = bc.sensitivity(fit).effects.loc["a"]
    spend = fit.data.spend_of("a").sum()
    if row["estimate"] > spend:
        assert row["rv_break_even"] < row["rv"]
    else:
        assert np.isnan(row["rv_break_even"])
    rich = bc.sensitivity(linear_fit(rows=ROWS, spend=SPEND, value=1e6)).effects.loc["a"]
    assert rich["rv_break_even"] == pytest.approx(rich["rv"], rel=1e-3) or rich["estimate"] < 0
    assert np.isnan(bc.sensitivity(fit).effects.loc["b", "rv_break_even"])


def test_the_bundled_world_in_words(example_fit):
    found = bc.sensitivity(example_fit)
    assert found.to_frame().equals(found.effects)
    assert set(found.effects.index) == {"search", "social", "tv"}
    # tv's effect is strong, search's leans on few data: the order is the world's.
    assert found.effects["rv"].idxmin() == "search"
    assert found.effects["rv"].idxmax() == "tv"
    text = found.sentences["tv"]
    assert f"explain {found.effects.loc['tv', 'rv']:.0%} of what is left of both" in text
    assert "as strong as" in text
    assert "would turn its sign" in found.sentences["search"]
    assert "neither a prior nor a lift test" in str(found)
    assert found._repr_html_().count("<table") == 2


def test_wrong_arguments_are_advised(example_fit):
    with pytest.raises(SpecError, match="above zero"):
        bc.sensitivity(example_fit, multiples=(0, 1))
    with pytest.raises(SpecError, match="there is no 'radio'"):
        bc.sensitivity(example_fit, ["radio"])
