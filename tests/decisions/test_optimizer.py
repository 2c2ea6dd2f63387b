"""Allocations: the best spend by a posterior, against grids, closed forms and known worlds."""

import itertools
import json
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from allocation_worlds import HILL, ROOT, fit_of, media_fit, panel_fit, table
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_worlds import linear_fit

import bayescausal as bc
from bayescausal.decisions.decision import Decision, payoffs
from bayescausal.decisions.objectives import CVaR, Mean, MeanLessSD, Quantile
from bayescausal.decisions.optimizer import optimize
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import Estimand, Times
from bayescausal.model.contrast import scope

FREE = {"bounds": (0.01, 30.0), "allow": ["extrapolation"]}


def worlds(names, rows, window):
    """Plans whose factors are rows."""
    return [
        Estimand(dict(zip(names, map(Times, row), strict=True)), name=f"p{k}", window=window)
        for k, row in enumerate(rows)
    ]


def grid_best(fit, best, names, limit, steps):
    """The best mean payoff of a grid of plans that spend the budget; `payoffs` evaluates it."""
    plan, spend = best.plan, best.table["present"]
    axes = [np.linspace(*limit, steps)] * (len(names) - 1)
    rows = []
    for head in itertools.product(*axes):
        left = spend[list(names)].sum() - spend[list(names[:-1])].to_numpy() @ head
        last = left / spend[names[-1]]
        if limit[0] <= last <= limit[1]:
            rows.append((*head, last))
    pays = payoffs(fit, Decision(worlds(names, rows, plan.window)))
    means = pays.mean(("chain", "draw")).to_numpy()
    return means.max(), np.array(rows[int(means.argmax())])


# The optimum is right


def test_root_responses_have_a_closed_form():
    """``k sqrt(f)``: spend is proportional to ``k^2`` over the present spend."""
    fit = media_fit(prices={"b": 3.0, "c": 0.5})
    best = optimize(fit, **FREE)
    names, window = ["a", "b", "c"], best.plan.window
    brought = [float(bc.effect(fit, bc.incremental(c, window=window)).mean()) for c in names]
    spend = best.table.loc[names, "present"].to_numpy()
    weight = np.array(brought) ** 2 / spend
    want = spend.sum() * weight / weight.sum()
    np.testing.assert_allclose(best.table.loc[names, "optimum"], want, rtol=2e-3)
    assert best.solved
    assert best.table["mroas"].std() < 1e-3 * best.table["mroas"].mean()
    np.testing.assert_allclose(best.shadow_price, best.table["mroas"].mean(), rtol=1e-3)


@pytest.mark.parametrize("link", ["identity", "log"])
def test_two_channels_agree_with_a_grid(link):
    fit = media_fit(("a", "b"), response=HILL, link=link, draws=20)
    best = optimize(fit, allow=["extrapolation"])
    value, factors = grid_best(fit, best, ("a", "b"), (0.5, 1.5), 51)
    assert float(best.gain.mean()) >= value - 1e-9 * abs(value)
    np.testing.assert_allclose(best.table["factor"], factors, atol=0.012)


def test_channels_that_share_a_saturating_mediator_agree_with_a_grid():
    """What the two bring together is less than the sum of what each brings: no sum of curves."""
    text = "a, b -> search\nsearch, a, b -> sales"
    fit = media_fit(
        ("a", "b"),
        response=HILL,
        text=text,
        draws=12,
        strengths={"a->search": 0.6, "b->search": 0.3, "search->sales": 0.9},
        parts={"policy": {"search": "reacts"}},
        more={"search": bc.Response(bc.HillSaturation(), strength=bc.Coefficient())},
    )
    best = optimize(fit, allow=["extrapolation"])
    value, factors = grid_best(fit, best, ("a", "b"), (0.5, 1.5), 41)
    assert float(best.gain.mean()) >= value - 1e-9 * abs(value)
    np.testing.assert_allclose(best.table["factor"], factors, atol=0.015)


def test_a_paid_mediator_costs_what_it_reacts():
    text = "a -> search -> sales\na, b -> sales"
    weak = {"strengths": {"a->sales": 0.1, "a->search": 0.2, "search->sales": 0.3}}
    fit = media_fit(("a", "b"), text=text, paid=("search",), **weak)
    best = optimize(fit, channels=["a", "b"])
    keep = Estimand(dict.fromkeys("ab", Times(1.0)), window=best.plan.window, name="keep")
    pays = payoffs(fit, Decision([keep, best.plan])).sel(plan="optimum")
    np.testing.assert_allclose(best.gain, pays + best.spend_change, rtol=1e-9, atol=1e-6)
    free = media_fit(("a", "b"), text=text, **weak)
    assert optimize(free, channels=["a", "b"]).factors["a"] > best.factors["a"]


def test_three_channels_agree_with_a_grid():
    fit = media_fit(response=HILL, draws=5)
    best = optimize(fit, allow=["extrapolation"])
    value, factors = grid_best(fit, best, ("a", "b", "c"), (0.5, 1.5), 11)
    assert float(best.gain.mean()) >= value - 1e-9 * abs(value)
    np.testing.assert_allclose(best.table["factor"], factors, atol=0.08)


def test_a_panel_is_allocated_as_a_whole_and_agrees_with_a_grid():
    """One factor a channel in all units; spend, gain and largest week are sums over them."""
    fit = panel_fit()
    best = optimize(fit, allow=["extrapolation"])
    value, factors = grid_best(fit, best, ("a", "b"), (0.5, 1.5), 51)
    assert float(best.gain.mean()) >= value - 1e-9 * abs(value)
    np.testing.assert_allclose(best.table["factor"], factors, atol=0.012)
    window = slice(*best.plan.window)
    for name in "ab":
        spent = fit.data.table[f"{name}_cost"]
        assert best.table.loc[name, "present"] == pytest.approx(float(spent.sel(time=window).sum()))
    largest = fit.data.table["b_cost"].sum("unit")
    most = optimize(fit, bounds={"a": (0.0, 1.0), "b": (1.0, 9.0)}, budget=1e9)
    seen = float(largest.max() / largest.sel(time=window).mean())
    assert most.factors["b"] == pytest.approx(seen, rel=1e-6)
    assert most.table.loc["b", "at"] == "largest week"


def test_a_unit_without_spend_does_not_stop_a_panel():
    fit = panel_fit()
    table = fit.data.table.copy(deep=True)
    for column in ("a", "a_cost"):
        table[column].loc[{"unit": "m0"}] = 0.0
    idle = bc.Fit(fit.spec, replace(fit.data, table=table), fit.tree)
    best = optimize(idle)
    assert best.solved
    assert best.table.loc["a", "present"] < optimize(fit).table.loc["a", "present"]


def test_s_shaped_responses_are_not_left_at_the_nearest_hill():
    """Steep Hill curves: money belongs on one of two equal channels, not on both alike."""
    curve = {f"{c}->sales:slope": 6.0 for c in "ab"}
    curve |= {f"{c}->sales:half": 1.2 for c in "ab"}
    fit = media_fit(("a", "b"), response=HILL, draws=4, values=curve)
    best = optimize(fit, bounds=(0.0, 2.5), allow=["extrapolation"])
    value, _ = grid_best(fit, best, ("a", "b"), (0.0, 2.5), 51)
    assert float(best.gain.mean()) >= value * (1 - 1e-6)
    assert any("local optima" in line for line in best.statements)


def funnel(seed=11):
    """Tv works through search, radio directly: known parameters, no sampling."""
    frame, spend = table(("tv", "radio"), seed=seed)
    data = bc.Dataset.from_frame(frame.drop(columns=["sales", "search"]), time="week", spend=spend)
    graph = bc.Graph.parse("tv -> search -> sales\ntv, radio -> sales", outcome="sales")
    spec = bc.Spec(
        graph, {"tv": ROOT, "radio": ROOT}, noise=bc.NormalNoise(), treatments=("tv", "radio")
    )
    theta = {f"{e}:power": 0.5 for e in ("tv->search", "tv->sales", "radio->sales")}
    theta |= {"search:intercept": 20.0, "search:sigma": 1.0}
    theta |= {"sales:intercept": 500.0, "sales:sigma": 5.0, "tv->search": 60.0}
    theta |= {"tv->sales": 30.0, "radio->sales": 100.0, "search->sales": 2.5}
    return spec, data, theta


def test_a_plan_that_counts_the_funnel_reaches_the_optimum_where_direct_effects_do_not():
    spec, data, theta = funnel()
    world = bc.simulate(spec, data, theta, 5)
    fit = fit_of(world.scm.spec, world.data, {k: v[None] for k, v in world.theta.items()})
    vars(fit)["scm"] = world.scm  # its scales are 1: parameters are in natural units
    best = optimize(fit, **FREE)
    window = best.plan.window
    spend = best.table["present"]
    grid = np.linspace(0.01, spend.sum() / spend["radio"] - 0.01, 80)

    def brought(radio):
        tv = (spend.sum() - radio * spend["radio"]) / spend["tv"]
        active = {"radio": Times(radio), "tv": Times(tv)}
        return Estimand(active, {"radio": 0.0, "tv": 0.0}, window=window)

    total = np.array([world.effect(brought(f)) for f in grid])
    direct = np.array([world.paths(brought(f))["direct"] for f in grid])
    reached = world.effect(brought(best.factors["radio"]))
    assert reached >= 0.97 * total.max()
    assert total[direct.argmax()] < 0.9 * total.max()


def test_gain_is_the_payoff_of_the_plan_without_its_spend():
    fit = media_fit(link="log", response=HILL, value=2.5)
    best = optimize(fit, target_mroas=1.0)
    keep = Estimand(dict.fromkeys("abc", Times(1.0)), window=best.plan.window, name="keep")
    pays = payoffs(fit, Decision([keep, best.plan])).sel(plan="optimum")
    np.testing.assert_allclose(best.gain, pays + best.spend_change, rtol=1e-9)
    assert bc.counterfactual(fit, best.plan.active, window=best.plan.window)["sales"].size
    assert "counts 2.5" in best.gain.attrs["value"]


# Budgets and targets


@pytest.fixture(scope="module")
def curved():
    """A fit with saturating responses, and its best plan; neither is to be changed."""
    fit = media_fit(response=HILL)
    return fit, optimize(fit)


def test_more_budget_never_lowers_the_optimum(curved):
    fit, best = curved
    present = best.table["present"].sum()
    means = [float(optimize(fit, budget=share * present).gain.mean()) for share in (0.7, 1, 1.2)]
    assert (np.diff(means) > 0).all()


def test_shadow_price_is_what_the_next_unit_of_budget_brings(curved):
    fit, best = curved
    present = best.table["present"].sum()
    low, mid, high = (optimize(fit, budget=present * f) for f in (0.98, 1.0, 1.02))
    slope = float(high.gain.mean() - low.gain.mean()) / (0.04 * present)
    assert mid.shadow_price == pytest.approx(slope, rel=0.01)


def test_least_spend_for_a_target_inverts_the_fixed_budget(curved):
    fit, fixed = curved
    counted = fit.data.table["sales"].sel(time=slice(*fixed.plan.window))
    reached = _factual(fit, fixed) + float(fixed.gain.mean())
    assert reached >= float(counted.sum())
    least = optimize(fit, target_outcome=reached)
    assert least.solved
    np.testing.assert_allclose(
        least.table["optimum"].sum(), fixed.table["optimum"].sum(), rtol=1e-4
    )
    np.testing.assert_allclose(least.table["factor"], fixed.table["factor"], atol=0.02)
    np.testing.assert_allclose(least.shadow_price, 1 / fixed.shadow_price, rtol=0.01)


def _factual(fit, best):
    """The outcome in the window and its tail, as the plan counts it."""
    counts = scope(fit.scm, best.plan).counts
    return float(np.where(counts, fit.scm.factual["sales"], 0.0).sum())


def test_flexible_budget_stops_at_the_marginal_return():
    fit = media_fit()
    wanted = float(optimize(fit).table["mroas"].mean())
    best = optimize(fit, target_mroas=1.1 * wanted, **FREE)
    np.testing.assert_allclose(best.table["mroas"], 1.1 * wanted, rtol=1e-3)
    assert best.solved
    assert best.spend_change != 0


def test_mean_marginal_return_is_that_of_mroas(curved):
    fit, best = curved
    want = bc.mroas(fit, window=best.plan.window).mean(("chain", "draw"))
    np.testing.assert_allclose(best.table["mroas_present"], want, rtol=1e-5)


@settings(max_examples=5)
@given(
    budget=st.floats(0.55, 1.45),
    low=st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3),
    width=st.lists(st.floats(0.1, 1.5), min_size=3, max_size=3),
    share=st.floats(0.2, 0.9),
)
def test_limits_hold_or_are_named(budget, low, width, share):
    fit = media_fit(draws=5)
    present = {"a": 1.0, "b": 1.0, "c": 1.0}
    bounds = {c: (x, x + w) for c, x, w in zip(present, low, width, strict=True)}
    total = 53 * 600.0
    ask = {"bounds": bounds, "groups": {("a", "b"): (None, share * total)}, "allow": FREE["allow"]}
    spends = fit.data.table[["a_cost", "b_cost", "c_cost"]].isel(time=slice(8, 60)).sum()
    least = {c: float(spends[f"{c}_cost"]) * bounds[c][0] for c in present}
    if sum(least.values()) > budget * total or least["a"] + least["b"] > share * total:
        with pytest.raises(SpecError, match="No allocation meets all limits"):
            optimize(fit, budget=budget * total, draws=5, **ask)
        return
    best = optimize(fit, budget=budget * total, draws=5, **ask)
    spend = best.table["optimum"]
    assert spend.sum() <= budget * total * (1 + 1e-6)
    assert spend[["a", "b"]].sum() <= share * total * (1 + 1e-6)
    for c, (least, most) in bounds.items():
        assert least - 1e-9 <= best.factors[c] <= most + 1e-9


# What may not move


def test_a_channel_whose_effect_is_not_identified_is_held_until_it_is_allowed():
    text = "a, b, c -> sales\na <-> sales"
    fit = media_fit(text=text)
    best = optimize(fit)
    assert best.table.loc["a", "at"] == "not identified"
    assert best.factors["a"] == 1.0
    assert "a" not in best.plan.active
    assert "a (not identified)" in repr(best)
    freed = optimize(fit, allow=["a"])
    assert repr(freed).startswith("ALLOWED: a, whose effect the graph does not identify")
    assert freed.factors["a"] != 1.0
    assert freed.gain["status"] == "not identified"


def test_channels_without_spend_and_fixed_ones_are_held_and_named():
    fit = media_fit()
    best = optimize(fit, fixed=["b"])
    assert best.table.loc["b", "at"] == "fixed"
    assert best.table["optimum"].sum() == pytest.approx(best.table["present"].sum())
    frame, spend = table("abc")
    frame.loc[frame.index[5:], ["a", "a_cost"]] = 0.0
    data = bc.Dataset.from_frame(frame, time="week", spend=spend)
    paused = bc.Fit(fit.spec, data, fit.tree)
    assert "a (no spend)" in repr(optimize(paused))


def test_no_channel_spends_more_in_an_average_week_than_in_its_largest():
    fit = media_fit(strengths={"b->sales": 1e-4, "c->sales": 1e-4, "a->sales": 0.5})
    best = optimize(fit, bounds={"a": (0.5, 9.0), "b": (0.0, 1.0), "c": (0.0, 1.0)})
    exposure = fit.data.array("a")
    inside = fit.data.table["a"].sel(time=slice(*best.plan.window))
    assert best.factors["a"] == pytest.approx(float(exposure.max() / inside.mean()), rel=1e-6)
    assert best.table.loc["a", "at"] == "largest week"
    assert any("a at most what was seen" in price.name for price in best.binding)


# Risk and uncertainty


def test_risk_averse_objectives_prefer_the_channel_that_is_known():
    """Both return the same on average; ``a`` is uncertain."""
    rng = np.random.default_rng(1)
    sure, wide = np.full(400, 0.3), 0.3 * (1 + rng.standard_normal(400) * 0.9)
    fit = media_fit(("a", "b"), strengths={"a->sales": wide, "b->sales": sure})
    mean = optimize(fit)
    for objective in (CVaR(0.1), Quantile(0.1), MeanLessSD(1.0)):
        best = optimize(fit, objective=objective)
        assert best.solved
        assert best.factors["b"] > mean.factors["b"] + 0.05
        assert objective.value(np.ravel(best.gain)) != 0


@pytest.mark.parametrize("objective", [Mean(), Quantile(0.2), CVaR(0.2), MeanLessSD(0.7)])
def test_weights_are_the_derivative_of_the_value(objective):
    draws = np.random.default_rng(2).normal(size=200)
    change = np.random.default_rng(3).normal(size=200)
    step = 1e-6
    want = (objective.value(draws + step * change) - objective.value(draws - step * change)) / (
        2 * step
    )
    assert objective.weights(draws) @ change == pytest.approx(want, rel=1e-5)


def test_regret_and_scatter_are_of_single_draws():
    known = media_fit(strengths={f"{c}->sales": 0.3 for c in "abc"}, draws=1)
    sure = optimize(known)
    assert sure.regret["optimum"] == pytest.approx(0, abs=1e-3 * sure.regret["present"])
    assert sure.regret["present"] == pytest.approx(float(sure.gain.mean()), rel=1e-3)
    unsure = optimize(media_fit())
    assert 0 < unsure.regret["optimum"] < unsure.regret["present"]
    assert (unsure.table["scatter_5%"] < unsure.table["scatter_95%"]).any()


# The answer


def test_the_answer_prints_in_100_columns_and_is_frozen(curved):
    _, best = curved
    assert max(map(len, repr(best).splitlines())) <= 100
    assert "<table" in best._repr_html_()
    frame = best.to_frame()
    frame.loc["a", "optimum"] = 0.0
    assert best.table.loc["a", "optimum"] > 0
    with pytest.raises(FrozenInstanceError):
        best.solved = False
    assert bc.summarize(best.gain)["median"].item() > 0


def test_a_fit_that_has_not_converged_says_so():
    fit = media_fit()
    state = json.loads(fit.tree.attrs["convergence"]) | {"converged": False}
    fit.tree.attrs["convergence"] = json.dumps(state)
    best = optimize(fit)
    assert "NOT CONVERGED" in repr(best)
    assert best.gain.attrs["converged"] == 0


# Bad input


@pytest.fixture(scope="module")
def fit():
    return media_fit(draws=5)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        ({"budget": 0}, SpecError, "budget is above zero"),
        ({"budget": -5.0}, SpecError, "budget is above zero"),
        ({"budget": 1.0}, SpecError, "Budget: at most 1, but the bounds of its channels ask"),
        ({"budget": 1.0, "target_mroas": 1.0}, SpecError, "Give one of"),
        ({"budget": 1.0, "fixed": ["a"]}, SpecError, "less than what the channels spend"),
        ({"channels": ["sales"]}, DataError, "has no spend"),
        ({"channels": ["z"]}, DataError, "has no spend"),
        ({"fixed": ["a", "b", "c"]}, DataError, "No channel can move: a (fixed)"),
        ({"allow": ["z"]}, SpecError, "there is no 'z'"),
        ({"bounds": {"a": (2.0, 1.0)}}, SpecError, "A: between"),
        ({"bounds": {"a": (-1.0, 1.0)}}, SpecError, "cannot be negative"),
        ({"bounds": {"z": (0.5, 1.0)}}, SpecError, "there is no 'z'"),
        ({"bounds": {"a": 3}}, SpecError, "write (least, most)"),
        ({"bounds": {"a": (90.0, 99.0)}}, SpecError, "allow=['extrapolation']"),
        ({"groups": {("a", "b"): (1e9, None)}}, SpecError, "A + b: at least 1e+09"),
        ({"groups": {"z": (0, 1)}}, SpecError, "there is no 'z'"),
        ({"objective": "median"}, SpecError, "objective is 'mean', Quantile"),
        ({"draws": 0}, SpecError, "whole number, 1 or more"),
        ({"target_outcome": 1e12}, SpecError, "out of reach: within the bounds the most is"),
        ({"target_mroas": 0.0}, SpecError, "target_mroas is above zero"),
    ],
)
def test_bad_input_is_refused_with_advice(fit, ask, error, words):
    with pytest.raises(error) as caught:
        optimize(fit, **ask)
    assert words in str(caught.value)


def test_limits_that_conflict_are_named_one_by_one(fit):
    present = optimize(fit).table["present"]
    groups = {
        ("a", "b"): (0.8 * present[["a", "b"]].sum(), None),
        ("b", "c"): (0.8 * present[["b", "c"]].sum(), None),
        ("a", "c"): (0.8 * present[["a", "c"]].sum(), None),
    }
    with pytest.raises(SpecError) as caught:
        optimize(fit, budget=0.6 * present.sum(), groups=groups)
    assert "is missed by" in str(caught.value)
    with pytest.raises(SpecError) as caught:
        optimize(fit, bounds={"a": (2.0, 1.0), "b": (3.0, 1.0)})
    assert "A: between" in str(caught.value)
    assert "B: between" in str(caught.value)


def test_a_channel_that_does_not_reach_the_outcome_is_refused():
    fit = linear_fit("a, b -> y\nb -> m", spend={"a": "cost", "b": "b", "c": "c"})
    with pytest.raises((DataError, SpecError)):
        optimize(fit, channels=["c"])
