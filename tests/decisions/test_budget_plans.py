"""Reallocations of a budget: the same total, within bounds, the same in every call."""

import numpy as np
import pytest
from linear_worlds import linear_fit

from bayescausal.decisions.budget_plans import budget_plans
from bayescausal.decisions.decision import spend_change
from bayescausal.errors import DataError, GraphError, SpecError
from bayescausal.model.contrast import scope

PAID = {"a": "cost", "b": "b", "c": "c"}
WINDOW = ("2024-03-04", "2024-05-05")


@pytest.fixture(scope="module")
def fit():
    return linear_fit(spend=PAID)


def spent(fit, window=slice(*WINDOW)):
    """Spend by channel in the window, from the table itself."""
    table = fit.data.table.sel(time=window)
    return np.array([float(table[PAID[v]].sum()) for v in "abc"])


@pytest.mark.parametrize("shift", [0.1, 0.5, 1.0])
def test_every_plan_spends_the_budget_within_the_bounds(fit, shift):
    made = budget_plans(fit, shift=shift, window=WINDOW)
    factors = made.table()
    assert list(factors.columns) == ["a", "b", "c"]
    np.testing.assert_allclose(factors @ spent(fit), spent(fit).sum(), rtol=1e-12)
    assert (factors >= 1 - shift - 1e-12).all(axis=None)
    assert (factors <= 1 + shift + 1e-12).all(axis=None)
    for plan in made.plans:
        assert spend_change(fit.scm, plan) == pytest.approx(0, abs=1e-9)


def test_plans_are_status_quo_pairs_and_mixtures(fit):
    made = budget_plans(fit, mixtures=5, window=WINDOW)
    pairs = [f"{p} to {q}" for p in "abc" for q in "abc" if p != q]
    assert list(made.names) == ["status quo", *pairs, *(f"mix {k}" for k in range(1, 6))]
    factors = made.table()
    assert (factors.loc["status quo"] == 1).all()
    moved = factors.loc["a to b"]
    assert moved["c"] == 1
    at_bound = (moved["a"] == pytest.approx(0.5)) or (moved["b"] == pytest.approx(1.5))
    assert at_bound
    assert moved["a"] < 1 < moved["b"]


@pytest.mark.parametrize("channels", [["a", "b"], ["a", "b", "c"]])
def test_no_plan_stands_twice_and_mixtures_reach_out(fit, channels):
    factors = budget_plans(fit, channels, mixtures=64, window=WINDOW).table()
    assert len(factors.round(6).drop_duplicates()) == len(factors)
    mixed = factors[factors.index.str.startswith("mix")]
    for name in channels:
        for most, reached in ((factors.min(), mixed.min()), (factors.max(), mixed.max())):
            assert abs(reached[name] - 1) > 0.7 * abs(most[name] - 1)


def test_plans_are_the_same_in_every_call_whatever_the_order(fit):
    assert budget_plans(fit, window=WINDOW) == budget_plans(fit, window=WINDOW)
    some, others = (budget_plans(fit, names, window=WINDOW) for names in (["a", "b"], ["b", "a"]))
    assert some == others


def test_another_total_is_spent_by_every_plan(fit):
    total = 1.2 * spent(fit).sum()
    factors = budget_plans(fit, total=total, window=WINDOW).table()
    np.testing.assert_allclose(factors @ spent(fit), total, rtol=1e-12)
    assert (factors.loc["in proportion"] - 1.2).abs().max() < 1e-12
    assert "status quo" not in factors.index
    assert (factors <= 1.5 + 1e-12).all(axis=None)
    assert (factors >= 0.5 - 1e-12).all(axis=None)


def test_units_of_a_panel_share_the_factor():
    panel = linear_fit(spend=PAID, units=("east", "north"))
    factors = budget_plans(panel, window=WINDOW).table()
    np.testing.assert_allclose(factors @ spent(panel), spent(panel).sum(), rtol=1e-12)


def test_mediators_with_a_spend_react_unless_they_are_named():
    fit = linear_fit("a, b, m -> y\na -> m", spend={"a": "cost", "b": "b", "m": "m"})
    assert budget_plans(fit).treatments == ("a", "b")
    assert budget_plans(fit, ["a", "m"]).treatments == ("a", "m")


def test_default_window_is_the_last_year_whose_tail_the_data_hold(example_fit):
    plan = budget_plans(example_fit).plans[0]
    start, end = plan.window
    time = example_fit.data.training
    inside = time[(time >= start) & (time <= end)]
    assert len(inside) == 52
    assert end < time[-1]
    assert not scope(example_fit.scm, plan).truncated


def test_default_window_of_short_data_is_all_of_them(fit):
    assert budget_plans(fit).plans[0].window == (fit.data.time[0], fit.data.time[-1])


def test_outcome_without_paid_causes_is_refused_with_advice(fit):
    with pytest.raises(DataError, match="none that reaches 'a'"):
        budget_plans(fit, outcome="a")
    with pytest.raises(GraphError, match="'yy'"):
        budget_plans(fit, outcome="yy")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"channels": []}, "two channels or more; there is none"),
        ({"channels": "a"}, "two channels or more; there is a"),
        ({"channels": ["a", "a"]}, "'a' twice"),
        ({"channels": ["a", "d"]}, "'d' has no spend"),
        ({"channels": ["a", "bb"]}, "Did you mean 'b'"),
        ({"shift": 0}, "above 0 and up to 1"),
        ({"shift": 1.01}, "above 0 and up to 1"),
        ({"shift": -0.5}, "above 0 and up to 1"),
        ({"shift": "much"}, "shift must be a number"),
        ({"shift": float("nan")}, "shift must be finite"),
        ({"mixtures": -1}, "whole number"),
        ({"mixtures": 2.5}, "whole number"),
        ({"mixtures": True}, "whole number"),
        ({"total": 0}, "cannot be spent"),
        ({"total": -5}, "cannot be spent"),
        ({"total": 1e9}, "the budget lies between"),
        ({"total": "all"}, "total must be a number"),
        ({"window": ("2031", "2032")}, "no period of the data"),
        ({"window": "2024"}, "two dates"),
        ({"value": "y"}, "value must be a number"),
    ],
)
def test_bad_plans_are_refused_with_advice(fit, settings, words):
    with pytest.raises((SpecError, DataError), match=words):
        budget_plans(fit, **settings)


def test_data_without_spend_are_refused_with_advice():
    with pytest.raises(DataError, match=r"there is none.*from_frame\(spend"):
        budget_plans(linear_fit(spend=None))
    with pytest.raises(DataError, match=r"there is a.*Decision"):
        budget_plans(linear_fit())
