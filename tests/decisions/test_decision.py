"""What plans pay, and the rank of tests by what they are worth to a choice among plans."""

from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from linear_worlds import DRAWS, linear_fit
from scipy import stats

import bayescausal as bc
from bayescausal.decisions.budget_plans import budget_plans
from bayescausal.decisions.decision import Decision, payoffs
from bayescausal.decisions.experiment_ranking import Candidate, rank_experiments
from bayescausal.errors import DataError, GraphError, NotConverged, SpecError
from bayescausal.experiments.estimand import Estimand, Plus, Times, incremental
from bayescausal.inference.fit import effect_draws

PAID = {"a": "cost", "b": "b", "c": "c"}
WINDOW = ("2024-03-04", "2024-05-05")
KEEP = Estimand({"a": Times(1.0)}, name="keep")
STOP = Estimand({"a": Times(0.0)}, name="stop a")
MORE = Estimand({"a": Times(1.5), "b": Times(0.5)}, window=WINDOW, name="more a")
COLUMNS = ["evsi", "evsi_se", "evsi_ess", "evpi", "net_value", "best_plan_now"]


@pytest.fixture(scope="module")
def fit():
    return linear_fit(spend=PAID)


def asked(name):
    return incremental(name).during(*WINDOW)


def draws(fit, estimand):
    return effect_draws(fit, estimand).ravel()


def by_hand(fit, plan, costs, worth=1.0):
    """Payoff from whole counterfactual paths: value of the change less the change of costs.

    ``costs`` are columns whose node the plan moves, with their price.
    """
    world = bc.counterfactual(fit, plan.active, window=plan.window)
    data, dims = fit.data, tuple(fit.data.dims)
    gain = (worth * (world["y"] - data.table["y"].transpose(*dims))).sum(dims)
    inside = slice(*plan.window) if plan.window else slice(None)
    for node, price in costs.items():
        if node in plan.active:
            path = data.table[node].sel(time=inside)
            gain = gain - (price * (plan.active[node](path) - path)).sum()
        else:
            gain = gain - (price * (world[node] - data.table[node].transpose(*dims))).sum(dims)
    return gain.to_numpy()


# What plans pay


@pytest.mark.parametrize("link", ["identity", "log"])
@pytest.mark.parametrize("units", [(), ("east", "north")])
def test_payoff_is_value_of_the_change_less_what_it_costs(link, units):
    few = {"a->y": (0.3, 0.1), "b->y": (0.2, 0.1)}
    fit = linear_fit(spend=PAID, link=link, units=units, coefficients=few)
    pays = payoffs(fit, Decision([KEEP, MORE], value=3.0))
    assert pays.dims == ("chain", "draw", "plan")
    assert (pays.sel(plan="keep") == 0).all()
    want = by_hand(fit, MORE, {"a": 2.0, "b": 1.0}, worth=3.0)
    np.testing.assert_allclose(pays.sel(plan="more a"), want, rtol=1e-9, atol=1e-6)
    assert want.std() > 1


def test_value_of_the_data_may_change_from_week_to_week():
    fit = linear_fit(spend=PAID, value="worth")
    pays = payoffs(fit, Decision([KEEP, MORE]))
    want = by_hand(fit, MORE, {"a": 2.0, "b": 1.0}, worth=fit.data.table["worth"])
    np.testing.assert_allclose(pays.sel(plan="more a"), want, rtol=1e-9)
    assert "column 'worth'" in pays.attrs["value"]


def test_it_says_what_a_unit_of_the_outcome_counts(fit):
    assert payoffs(fit, Decision([KEEP, STOP])).attrs["value"] == (
        "a unit of 'y' counts 1: the Dataset's value, which is 1 unless given"
    )
    assert payoffs(fit, Decision([KEEP, STOP], 1.0)).attrs["value"] == "a unit of 'y' counts 1"
    priced = linear_fit(spend=PAID, value=2.5)
    assert payoffs(priced, Decision([KEEP, STOP])).attrs["value"] == "a unit of 'y' counts 2.5"


def test_paid_mediator_costs_what_it_reacts_unless_the_plan_sets_it():
    coefficients = {"a->m": (0.4, 0.1), "m->y": (1.0, 0.2), "a->y": (0.2, 0.1)}
    fit = linear_fit(
        "a, b, m -> y\na -> m",
        spend={"a": "cost", "b": "b", "m": "m"},
        coefficients=coefficients,
        set_to={"m:sigma": 0.1},
    )
    reacts = Estimand({"a": Times(1.5)}, window=WINDOW, name="reacts")
    fixed = Estimand({"a": Times(1.5), "m": Times(1.2)}, window=WINDOW, name="fixed")
    pays = payoffs(fit, Decision([reacts, fixed]))
    with_clicks = by_hand(fit, reacts, {"a": 2.0, "m": 1.0})
    np.testing.assert_allclose(pays.sel(plan="reacts"), with_clicks, rtol=1e-9)
    without = by_hand(fit, fixed, {"a": 2.0, "m": 1.0})
    np.testing.assert_allclose(pays.sel(plan="fixed"), without, rtol=1e-9)
    clicks = by_hand(fit, reacts, {"a": 2.0}) - with_clicks
    assert (clicks > 1).mean() > 0.9


@pytest.mark.parametrize("policy", ["held", "reacts"])
def test_treatment_that_is_held_costs_nothing_more(policy):
    """``a -> b``: a budget that is held keeps its path, one that reacts is paid for."""
    coefficients = {"a->b": (0.5, 0.1), "a->y": (1.0, 0.3), "b->y": (1.0, 0.1)}
    fit = linear_fit(
        "a, b, c -> y\na -> b",
        spend=PAID,
        coefficients=coefficients,
        set_to={"b:sigma": 0.1},
        parts={"policy": {"b": policy}},
    )
    stop = Estimand({"a": Times(0.5)}, window=WINDOW, name="less")
    pays = payoffs(fit, Decision([KEEP, stop])).sel(plan="less")
    costs = {"a": 2.0} if policy == "held" else {"a": 2.0, "b": 1.0}
    np.testing.assert_allclose(pays, by_hand(fit, stop, costs), rtol=1e-9)
    assert budget_plans(fit).treatments == (("a", "b", "c") if policy == "held" else ("a", "c"))


def test_thinned_draws_are_some_of_all(fit):
    plans = Decision([KEEP, MORE])
    all_draws, some = payoffs(fit, plans), payoffs(fit, plans, draws=100)
    assert some.sizes["draw"] == 100
    np.testing.assert_array_equal(some, all_draws.sel(draw=some["draw"]))
    assert int(some["draw"][-1]) == DRAWS - 1
    assert payoffs(fit, plans, draws=10**6).sizes["draw"] == DRAWS


def test_payoffs_are_summarized_with_their_grade(fit):
    table = bc.summarize(payoffs(fit, Decision([KEEP, MORE])))
    assert {*table.index} == {"keep", "more a"}
    assert {"status", "grade"} <= {*table.columns}
    assert table.attrs["scale"] == "currency"


def test_summary_of_payoffs_says_what_each_plan_spends_and_puts_the_best_first(fit):
    spent = fit.data.table.sel(time=slice(*WINDOW))
    half = spent["a"] / 2
    path = fit.data.array("a").copy()
    inside = np.isin(fit.data.time, spent["time"])
    path[inside] = half
    less = Estimand({"a": path}, window=WINDOW, name="less a")
    raised = Estimand({"b": Plus(3.0)}, window=WINDOW, name="raised")
    table = bc.summarize(payoffs(fit, Decision([KEEP, MORE, less, raised])))
    assert table["mean"].is_monotonic_decreasing
    assert list(table.index) != ["keep", "more a", "less a", "raised"]
    factors = table[["a factor", "b factor"]]
    cost, b = float(spent["cost"].sum()), float(spent["b"].sum())
    assert "c factor" not in table  # no plan moves it
    np.testing.assert_allclose(factors.loc["keep"], [1, 1])
    np.testing.assert_allclose(factors.loc["more a"], [1.5, 0.5])
    np.testing.assert_allclose(factors.loc["less a"], [0.5, 1])
    np.testing.assert_allclose(factors.loc["raised"], [1, 1 + 3 * len(half) / b])
    assert table.loc["more a", "spend"] == pytest.approx(1.5 * cost + 0.5 * b)
    everything = fit.data.table[["cost", "b"]].to_array().sum()
    assert table.loc["keep", "spend"] == pytest.approx(float(everything))


def test_summary_of_budget_plans_agrees_with_their_table(fit):
    plans = budget_plans(fit, mixtures=5, window=WINDOW)
    table = bc.summarize(payoffs(fit, plans))
    shown = table[[f"{c} factor" for c in "abc"]].loc[list(plans.names)]
    np.testing.assert_allclose(shown, plans.table())
    assert table["mean"].is_monotonic_decreasing
    assert np.ptp(table["spend"]) < 1e-6


def test_decision_is_a_value():
    one, same = Decision([KEEP, MORE]), Decision((KEEP, MORE))
    assert one == same
    assert hash(one) == hash(same)
    assert one != Decision([KEEP, MORE], 2.0)
    assert one.treatments == ("a", "b")
    assert one.table().loc["more a"].tolist() == [1.5, 0.5]
    assert np.isnan(one.table().loc["keep", "b"])
    assert repr(one).startswith("Decision(2 plans for a, b)")
    for row in str(one.table()).splitlines():
        assert row.rstrip() in repr(one)
    with pytest.raises(FrozenInstanceError):
        one.value = 3.0


# What a test is worth


def break_even(fit, plan):
    """Value at which a plan pays nothing on average, so that the choice is open."""
    gain = payoffs(fit, Decision([KEEP, plan], 1.0)).sel(plan=plan.name)
    cost = payoffs(fit, Decision([KEEP, plan], 0.0)).sel(plan=plan.name)
    return float(-cost.mean() / (gain - cost).mean())


@pytest.mark.parametrize("ratio", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("worth", [0.8, 1.0, 1.3])
def test_two_plans_have_the_closed_form(fit, ratio, worth):
    """Stop a or keep it: Gaussian payoff, so the unit normal loss of the mean after the test."""
    plans = Decision([KEEP, STOP], worth * break_even(fit, STOP))
    t, u = draws(fit, asked("a")), payoffs(fit, plans).sel(plan="stop a").to_numpy().ravel()
    sd = ratio * float(t.std())
    row = rank_experiments(fit, Candidate(asked("a"), sd, cost=10.0), utility=plans).iloc[0]
    after = u.std() / np.sqrt(1 + ratio**2)
    mean = u.mean()
    exact = mean * stats.norm.cdf(mean / after) + after * stats.norm.pdf(mean / after)
    exact -= max(0, mean)
    assert row["evsi"] == pytest.approx(exact, abs=4 * row["evsi_se"] + 0.02 * u.std())
    assert exact > 0.05 * u.std() or ratio > 1
    assert row["evsi"] <= row["evpi"]
    assert row["net_value"] == row["evsi"] - 10
    assert row["best_plan_now"] == ("stop a" if mean > 0 else "keep")


def test_uncertain_channel_that_the_budget_turns_on_ranks_first(fit):
    plans = budget_plans(fit, window=WINDOW, value=break_even(fit, STOP))
    tests = [Candidate(asked(v), 20.0, cost=1.0, name=v) for v in "cba"]
    table = rank_experiments(fit, tests, utility=plans)
    assert list(table.columns[-6:]) == COLUMNS
    assert table.index[0] == "a"
    assert table["evsi"].iloc[0] > 10 * table["evsi"].iloc[1:].abs().max()
    assert (table["evsi"] <= table["evpi"]).all()
    assert table["evpi"].nunique() == table["best_plan_now"].nunique() == 1


def test_nats_about_a_channel_that_no_plan_moves_are_worth_nothing(fit):
    plans = budget_plans(fit, ["b", "c"], window=WINDOW)
    tests = [Candidate(asked(v), 20.0, cost=1.0, name=v) for v in "ac"]
    assert rank_experiments(fit, tests).index[0] == "a"
    table = rank_experiments(fit, tests, utility=plans)
    assert table.loc["a", "eig_nats"] > table.loc["c", "eig_nats"]
    assert table.loc["a", "evsi"] <= 4 * table.loc["a", "evsi_se"]


def test_more_error_is_worth_less_and_price_decides(fit):
    plans = Decision([KEEP, STOP], break_even(fit, STOP))
    sizes = {"10": 1e9, "100": 50.0, "1000": 1.0, "free": None}
    tests = [
        Candidate(asked("a"), 500.0 if n == "free" else float(n), cost=c, name=n)
        for n, c in sizes.items()
    ]
    table = rank_experiments(fit, tests, utility=plans)
    assert table.loc["10", "evsi"] > table.loc["100", "evsi"] > table.loc["1000", "evsi"]
    assert table.index[-2:].tolist() == ["10", "free"]  # too dear; of unknown cost
    assert np.isnan(table.loc["free", "net_value"])
    assert table["net_value"].iloc[:3].is_monotonic_decreasing
    unpriced = [Candidate(asked("a"), s, name=f"{s:g}") for s in (900.0, 30.0, 300.0)]
    assert list(rank_experiments(fit, unpriced, utility=plans).index) == ["30", "300", "900"]


def test_rank_without_utility_is_as_before_and_does_not_depend_on_order(fit):
    tests = [Candidate(asked(v), 20.0, cost=1.0, name=v) for v in "abc"]
    plain = rank_experiments(fit, tests)
    assert not {*COLUMNS} & {*plain.columns}
    plans = budget_plans(fit, window=WINDOW)
    one, other = (rank_experiments(fit, some, utility=plans) for some in (tests, tests[::-1]))
    pd.testing.assert_frame_equal(one, other)
    same = one[plain.columns].sort_values("eig_nats", ascending=False)
    pd.testing.assert_frame_equal(same, plain)


# What it rests on


def test_table_says_what_payoffs_rest_on(fit):
    plans = Decision([KEEP, STOP])
    table = rank_experiments(fit, Candidate(asked("a"), 20.0), utility=plans)
    assert table.attrs["rests_on"].startswith("F, observational")
    assert "counts 1" in table.attrs["value"]
    assert table.attrs["statements"]
    assert table.columns.name is None
    assert "advice" not in table.attrs


def test_payoffs_that_priors_set_are_not_sold_as_effects():
    fit = linear_fit("a, b, c -> y\na <-> y", spend=PAID, set_to={"a:sigma": 0.1})
    open_plans, closed = Decision([KEEP, STOP]), budget_plans(fit, ["b", "c"])
    pays = payoffs(fit, open_plans)
    assert (pays["status"] == "not identified").all()
    assert (pays["grade"] == "X").all()
    table = rank_experiments(fit, Candidate(asked("a"), 20.0), utility=open_plans)
    assert table.columns.name == "NOT IDENTIFIED"
    assert table.attrs["rests_on"].startswith("X")
    assert "not identified by your graph" in table.attrs["advice"]
    fine = rank_experiments(fit, Candidate(asked("a"), 20.0), utility=closed)
    assert fine.columns.name is None


def test_fit_that_has_not_converged_says_so_over_the_columns():
    fit = linear_fit(spend=PAID, converged=False)
    with pytest.warns(NotConverged):
        table = rank_experiments(fit, Candidate(asked("a"), 20.0), utility=Decision([KEEP, STOP]))
    assert table.columns.name == "NOT CONVERGED"


def test_tests_of_the_bundled_world_are_ranked_for_its_budget(example_fit):
    tests = [
        Candidate(incremental(c).during("2025-03", "2025-04"), cost=10.0, name=c)
        for c in ("social", "search", "tv")
    ]
    plans = budget_plans(example_fit, ["social", "search", "tv"], mixtures=8)
    table = rank_experiments(example_fit, tests, utility=plans)
    assert np.isfinite(table[COLUMNS[:-1]]).all(axis=None)
    assert (table["evsi"] <= table["evpi"]).all()
    assert (table["evsi"] > -4 * table["evsi_se"] - 1e-9).all()
    assert set(table["best_plan_now"]) <= {*plans.names}
    assert table.attrs["tail_truncated"] == 0
    means = payoffs(example_fit, plans).mean(("chain", "draw"))
    best = table["best_plan_now"].iloc[0]
    assert float(means.sel(plan=best)) == pytest.approx(float(means.max()), abs=2)


# Advice


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Decision([]), "two plans or more; got 0"),
        (lambda: Decision([KEEP]), "two plans or more; got 1"),
        (lambda: Decision(KEEP), "among several plans"),
        (lambda: Decision("a"), "among several plans"),
        (lambda: Decision([KEEP, "stop"]), "A plan is an Estimand"),
        (lambda: Decision([KEEP, incremental("a")]), "Give the active world only"),
        (lambda: Decision([KEEP, KEEP]), "Two plans are named 'keep'"),
        (lambda: Decision([KEEP, Estimand({"a": 0}, scale="percent")]), "not on scale 'percent'"),
        (lambda: Decision([KEEP, Estimand({"a": 0}, scale="per_spend")]), "sum in currency"),
        (lambda: Decision([KEEP, Estimand({"a->y": 0})]), "not along one edge"),
        (lambda: Decision([KEEP, STOP], value="y"), "value must be a number"),
        (lambda: Decision([KEEP, STOP], value=np.inf), "finite"),
    ],
)
def test_bad_decision_is_refused_with_advice(make, words):
    with pytest.raises(SpecError, match=words):
        make()


def test_plan_off_the_panel_is_refused_with_advice():
    away = Estimand({"a": [1.0, 2.0]}, {"a": [0.0, 0.0]}, off_panel="path")
    with pytest.raises(SpecError, match="active world only"):
        Decision([KEEP, away])


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Estimand({"zz": Times(0.5)}), "'zz'"),
        (Estimand({"a": Plus(1)}, window=("2031", "2032")), "no period of the data"),
        (Estimand({"a": Times(0.5)}, units=("east",)), "national"),
    ],
)
def test_plan_that_cannot_be_carried_out_is_refused(fit, plan, words):
    plans = Decision([KEEP, plan.on("y")])
    with pytest.raises((SpecError, DataError, GraphError), match=words):
        payoffs(fit, plans)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda fit: payoffs(fit, [KEEP, STOP]), "Payoffs are of a Decision"),
        (lambda fit: payoffs(fit, Decision([KEEP, STOP]), draws=0), "one a chain"),
        (lambda fit: payoffs(fit, Decision([KEEP, STOP]), draws=2.5), "whole number"),
        (
            lambda fit: rank_experiments(fit, Candidate(asked("a"), 5.0), utility=STOP),
            "Payoffs are of a Decision",
        ),
    ],
)
def test_bad_question_is_refused_with_advice(fit, call, words):
    with pytest.raises(SpecError, match=words):
        call(fit)


def test_plan_for_what_is_not_paid_is_refused_with_advice():
    with pytest.raises(DataError, match="sets 'b', which has no spend"):
        payoffs(linear_fit(), Decision([KEEP, MORE]))


def test_outcome_without_a_value_is_refused_with_advice():
    fit = linear_fit(
        "a, b, m -> y\na -> m", spend={"a": "cost"}, coefficients={}, set_to={"m:sigma": 0.1}
    )
    plans = Decision([KEEP.on("m"), STOP.on("m")])
    with pytest.raises(SpecError, match="count 'm', which is no outcome"):
        payoffs(fit, plans)
    with pytest.raises(SpecError, match=r"different outcomes \(m, y\)"):
        payoffs(fit, Decision([KEEP, STOP.on("m")]))
    named = payoffs(fit, Decision([KEEP, STOP.on("y")]))
    np.testing.assert_array_equal(named, payoffs(fit, Decision([KEEP, STOP])))
