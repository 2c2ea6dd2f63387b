"""Allocations whose pattern in time is free: closed forms, grids, limits, and what is said."""

import itertools
from functools import partial

import numpy as np
import pandas as pd
import pytest
from allocation_worlds import HILL, ROOT, media_fit, panel_fit, table
from hypothesis import given, settings
from hypothesis import strategies as st

import bayescausal as bc
from bayescausal.decisions.decision import Decision, gain_of, payoffs
from bayescausal.decisions.optimizer import optimize
from bayescausal.decisions.plan_gains import PlanGains, ScheduleGains
from bayescausal.decisions.schedule import schedule_of
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import Estimand, Times

FREE = {"bounds": (0.01, 30.0), "allow": ["extrapolation"]}
WINDOW = ("2024-03-04", "2024-09-29")


def spend_of(best, column="optimum"):
    """Spend by period and channel."""
    return best.schedule[column].unstack("channel")


def flighted(names=("a", "b"), dark=slice(20, 40), **parts):
    """A fit of channels the first of which is dark for some weeks."""
    fit = media_fit(names, **parts)
    frame, spend = table(names)
    frame.loc[frame.index[dark], [names[0], f"{names[0]}_cost"]] = 0.0
    data = bc.Dataset.from_frame(frame, time="week", spend=spend)
    return bc.Fit(fit.spec, data, fit.tree)


# The optimum is right


def test_root_responses_are_spent_evenly_and_by_the_square_of_their_strength():
    """``k sqrt(a_t)`` in every week: as much in each, and between channels in proportion to k^2."""
    fit = media_fit(("a", "b"), draws=10)
    best = optimize(fit, pattern="free", **FREE)
    spend = spend_of(best)
    assert spend.std().max() < 1e-3 * spend.mean().min()
    whole = {c: float(bc.effect(fit, bc.incremental(c)).mean()) for c in "ab"}
    strength = {c: whole[c] / np.sqrt(fit.data.array(c)).sum() for c in "ab"}
    want = (strength["a"] / strength["b"]) ** 2
    assert spend["a"].sum() / spend["b"].sum() == pytest.approx(want, rel=1e-3)
    assert best.solved
    assert best.shadow_price == pytest.approx(best.table["mroas"].mean(), rel=1e-3)


def test_spend_follows_what_a_week_is_worth_and_what_it_costs():
    """``sum v_t k sqrt(a_t / p_t)``: spend is in proportion to ``v_t^2 / p_t``."""
    rng = np.random.default_rng(5)
    frame, spend = table("a")
    value, price = rng.uniform(0.5, 2.0, len(frame)), rng.uniform(0.5, 1.5, len(frame))
    frame = frame.assign(value=value, a_cost=price * frame["a"])
    data = bc.Dataset.from_frame(frame, time="week", spend=spend, value="value")
    plain = media_fit(("a",), draws=3)
    fit = bc.Fit(plain.spec, data, plain.tree)
    best = optimize(fit, pattern="free", bounds=(0.5, 1.5), allow=["extrapolation"])
    inside = frame["week"].isin(best.schedule.index.get_level_values("time")).to_numpy()
    weight = (value**2 / price)[inside]
    want = weight / weight.sum() * best.table.loc["a", "present"]
    np.testing.assert_allclose(spend_of(best)["a"], want, rtol=1e-3)
    assert "The price of a differs between periods" in repr(best)


@pytest.mark.parametrize("link", ["identity", "log"])
def test_two_channels_in_two_blocks_agree_with_a_grid(link):
    fit = media_fit(("a", "b"), response=HILL, link=link, draws=8)
    best = optimize(fit, pattern=15, window=WINDOW, bounds=(0.3, 2.0), allow=["extrapolation"])
    place = {"window": WINDOW, "outcome": "sales"}
    schedule = schedule_of(fit, ["a", "b"], place, 15)
    spend, equations = np.repeat(schedule.unit, 2), fit.equations()

    def gain(amounts):
        factors = schedule.matrix(amounts).sum(axis=1) / 2
        if amounts.min() < 0 or (factors < 0.3).any() or (factors > 2.0).any():
            return -np.inf
        plan = Estimand(dict(schedule.paths(amounts)), **place)
        return gain_of(equations, plan, {"sales": np.ones(1)}).mean()

    def grid_best(center, width):
        axes = [x + width * np.linspace(-1, 1, 7) for x in center[:3]]
        heads = np.array([*itertools.product(*axes)])
        last = (spend @ schedule.present - heads @ spend[:3]) / spend[3]
        plans = np.column_stack([heads, last])
        return plans[int(np.argmax([gain(amounts) for amounts in plans]))]

    point = np.full(4, 1.5)
    for width in (1.5, 0.5, 0.17, 0.06, 0.02):
        point = grid_best(point, width)
    mean = float(best.gain.mean())
    assert mean >= gain(point) - 1e-9 * abs(mean)
    assert mean == pytest.approx(gain(point), rel=1e-3)
    want = schedule.spend_by_period(point).ravel()
    np.testing.assert_allclose(best.schedule["optimum"], want, atol=0.1 * spend.mean() / 15)


def test_the_gain_is_the_payoff_of_the_plan_and_the_compiled_one():
    """Paid mediator, carry-over, log link: numpy's `payoffs` says what the search climbed."""
    text = "a -> search -> sales\na, b -> sales"
    fit = media_fit(("a", "b"), text=text, response=HILL, paid=("search",), link="log", draws=12)
    best = optimize(fit, channels=["a", "b"], pattern="free", window=WINDOW)
    keep = Estimand(dict.fromkeys("ab", Times(1.0)), window=best.plan.window, name="keep")
    pays = payoffs(fit, Decision([keep, best.plan])).sel(plan="optimum")
    np.testing.assert_allclose(best.gain, pays + best.spend_change, rtol=1e-9, atol=1e-6)
    assert "path" in repr(Decision([keep, best.plan]))
    assert bc.counterfactual(fit, best.plan.active, window=best.plan.window)["sales"].size


def test_the_slope_by_amounts_is_that_of_differences():
    """Reverse mode through feedback of sales on itself and through a mediator, in a panel too."""
    text = "a -> search -> sales\na, b -> sales\nsales -> sales @ 1"
    memory = {"sales->sales@1": 0.3}
    for fit in (
        media_fit(("a", "b"), text=text, response=HILL, strengths=memory, draws=4),
        panel_fit(units=2, draws=4),
    ):
        place = {"window": ("2024-12-02", "2025-02-02"), "outcome": "sales"}
        schedule = schedule_of(fit, ["a", "b"], place, 3)
        gains = gains_of(fit, schedule, place)
        amounts = schedule.present * np.linspace(0.5, 1.5, len(schedule.present))
        weights = np.array([0.1, 0.2, 0.3, 0.4])
        step = 1e-4
        slope = [
            weights @ (gains(amounts + h) - gains(amounts - h)) / (2 * step)
            for h in step * np.eye(len(amounts))
        ]
        np.testing.assert_allclose(gains.slope(amounts, weights), slope, rtol=1e-4)


def gains_of(fit, schedule, place):
    plans = PlanGains.of_fit(fit, ["a", "b"], place, {"sales": np.ones(1)}, np.arange(4))
    return ScheduleGains.of(plans, schedule)


# Against the kept pattern


@pytest.mark.parametrize(
    ("world", "pattern"),
    [
        (partial(flighted, response=HILL), "free"),
        (partial(media_fit, response=HILL), 4),
        (panel_fit, "free"),
        pytest.param(partial(flighted, response=HILL), 4, marks=pytest.mark.slow),
        pytest.param(partial(media_fit, response=HILL), "free", marks=pytest.mark.slow),
        pytest.param(panel_fit, 4, marks=pytest.mark.slow),
    ],
)
def test_a_free_pattern_is_never_worse_than_the_kept_one(world, pattern):
    fit = world()
    best, kept = optimize(fit, pattern=pattern), optimize(fit)
    assert best.gain.mean() >= kept.gain.mean()
    np.testing.assert_allclose(best.timing_gain, best.gain - kept.gain, atol=1e-6)
    assert kept.timing_gain is None
    assert best.table["optimum"].sum() <= best.table["present"].sum() * (1 + 1e-6)


def test_one_block_of_the_whole_window_is_the_kept_pattern():
    fit = media_fit(response=HILL)
    one, kept = optimize(fit, pattern=1000), optimize(fit)
    np.testing.assert_allclose(one.table["factor"], kept.table["factor"], atol=1e-3)
    np.testing.assert_allclose(one.timing_gain, 0.0, atol=1e-3 * float(abs(kept.gain).mean()))
    np.testing.assert_allclose(
        kept.schedule["optimum"],
        kept.schedule["present"] * kept.table["factor"].reindex(kept.schedule.index, level=0),
    )


def test_dark_weeks_open_where_the_kept_pattern_leaves_them_dark():
    """``k sqrt(a_t)``: 20 dark weeks of 52 are filled, and all weeks get the same."""
    fit = flighted(("a",), response=ROOT, draws=4)
    best = optimize(fit, pattern="free")
    spend, present = spend_of(best)["a"], spend_of(best, "present")["a"]
    assert (present == 0).sum() == 20
    assert spend.min() == pytest.approx(spend.mean(), rel=1e-3)
    assert "Periods with spend, of 52: a in 52 (now 32)." in repr(best)
    # sqrt of an even spend over that of the present one, exactly
    whole = float(bc.effect(fit, bc.incremental("a", window=best.plan.window)).mean())
    want = whole * (np.sqrt(spend).sum() / np.sqrt(present).sum() - 1)
    assert float(best.gain.mean()) == pytest.approx(want, rel=1e-3)
    assert spend_of(optimize(fit))["a"][present == 0].sum() == 0


def test_s_shaped_responses_are_flighted():
    """Where a little brings nothing a thin even spend is left for flights."""
    curve = {"a->sales:slope": 5.0, "a->sales:half": 0.7}
    step = bc.Response(bc.HillSaturation(), strength=bc.Coefficient())
    fit = media_fit(("a",), response=step, draws=2, values=curve)
    place = {"window": WINDOW, "bounds": (0.2, 1.0)}
    present = float(optimize(fit, **place).table["present"].sum())
    best = optimize(fit, pattern="free", budget=0.4 * present, **place)
    spend = spend_of(best)["a"]
    level = spend[spend > 0].mean()
    assert 3 <= (spend < 0.05 * level).sum() <= len(spend) - 3
    even = {"a": np.full(len(fit.data.time), spend.mean())}
    plans = [best.plan, Estimand(even, window=best.plan.window, name="even")]
    pays = payoffs(fit, Decision(plans)).mean(("chain", "draw"))
    assert pays.sel(plan="optimum") > pays.sel(plan="even")


# Limits


@settings(max_examples=4)
@given(
    budget=st.floats(0.5, 1.4),
    width=st.lists(st.floats(0.2, 1.5), min_size=2, max_size=2),
    share=st.floats(0.3, 0.9),
    most=st.floats(0.5, 3.0),
    pattern=st.sampled_from([3, 10]),
)
def test_limits_hold(budget, width, share, most, pattern):
    fit = flighted(response=HILL, draws=1)
    weeks = fit.data.table.sel(time=slice(*WINDOW))
    present = pd.Series({c: float(weeks[f"{c}_cost"].sum()) for c in "ab"})
    bounds = {c: (0.0, w) for c, w in zip("ab", width, strict=True)}
    weekly = most * float(present["b"]) / 30
    best = optimize(
        fit,
        pattern=pattern,
        budget=budget * present.sum(),
        bounds=bounds,
        groups={("b",): (None, share * present["b"])},
        period_bounds={"b": (0, weekly)},
        window=WINDOW,
    )
    spend, total = spend_of(best), best.table["optimum"]
    assert total.sum() <= budget * present.sum() * (1 + 1e-6)
    np.testing.assert_allclose(spend.sum(), total, rtol=1e-9)
    assert total["b"] <= share * present["b"] * (1 + 1e-6)
    for c, (_, high) in bounds.items():
        assert total[c] <= high * present[c] * (1 + 1e-6)
    assert (spend.to_numpy() >= 0).all()
    assert spend["b"].max() <= weekly * (1 + 1e-6)


def test_no_period_goes_beyond_the_largest_that_was_seen_by_spend_or_exposure():
    """``a`` is cheap in some weeks: there exposure is what ends first."""
    frame, spend = table(("a", "b"))
    cheap = np.where(np.arange(len(frame)) % 4 == 0, 0.2, 1.0)
    frame = frame.assign(a_cost=cheap * frame["a"])
    data = bc.Dataset.from_frame(frame, time="week", spend=spend)
    fit = media_fit(("a", "b"), response=HILL, draws=4)
    fit = bc.Fit(fit.spec, data, fit.tree)
    best = optimize(fit, pattern="free", bounds=(0.9, 1.0))
    assert spend_of(best)["a"].max() <= frame["a_cost"].max() * (1 + 1e-6)
    path = np.array(best.plan.active["a"])
    assert path.max() == pytest.approx(frame["a"].max(), rel=1e-3)
    wide = optimize(fit, pattern="free", bounds=(0.9, 3.0), budget=1e6, allow=["extrapolation"])
    assert repr(wide).startswith("ALLOWED: extrapolation, a, b: periods larger than any")


def test_targets_take_a_free_pattern():
    fit = media_fit(("a", "b"), response=HILL, draws=6)
    kept = optimize(fit)
    reached = _reached(fit, kept) + float(kept.gain.mean())
    least = optimize(fit, pattern="free", target_outcome=reached)
    assert least.table["optimum"].sum() < kept.table["optimum"].sum()
    assert float(least.gain.mean()) == pytest.approx(float(kept.gain.mean()), rel=1e-3)
    assert least.timing_gain.attrs["spend_change"] < 0
    margin = optimize(fit, pattern="free", target_mroas=0.6, bounds=(0.1, 3.0))
    assert margin.table["mroas"].min() == pytest.approx(0.6, rel=0.02)
    with pytest.raises(SpecError, match="out of reach: within the bounds the most is"):
        optimize(fit, pattern="free", target_outcome=1e12)


def _reached(fit, best):
    """The outcome in the window and its tail, as the plan counts it."""
    last = best.plan.window[1] + pd.Timedelta(weeks=4)
    return float(fit.data.table["sales"].sel(time=slice(best.plan.window[0], last)).sum())


def test_a_future_is_planned_by_week_and_says_what_is_not_counted():
    fit = media_fit(("a", "b"), response=HILL, draws=6)
    ahead = bc.extend(fit, bc.Future.like(fit.data, 13, fill="last"))
    best = optimize(ahead, pattern="free")
    assert len(spend_of(best)) == 13
    text = " ".join(repr(best).split())
    assert "which favors early periods. To count it, add periods to the future" in text


# The answer


def test_the_answer_holds_the_schedule_and_prints_in_100_columns():
    fit = flighted(response=HILL)
    best = optimize(fit, pattern="free", fixed=["b"])
    assert max(map(len, repr(best).splitlines())) <= 100
    assert "Of it beyond the best plan of the kept pattern:" in repr(best)
    spend = spend_of(best)
    np.testing.assert_allclose(spend["b"], spend_of(best, "present")["b"])
    np.testing.assert_allclose(spend.sum(), best.table["optimum"][["a", "b"]])
    assert bc.summarize(best.timing_gain)["median"].size == 1


def test_an_allocation_is_drawn_by_channel_and_period():
    best = optimize(flighted(response=HILL, draws=6), pattern=13, fixed=["b"])
    sheet = bc.plot_allocation(best)
    first, second = sheet.axes
    plan, present = first.lines[0].get_ydata(), spend_of(best, "present")["a"]
    np.testing.assert_allclose(plan, spend_of(best)["a"])
    assert len(plan) == len(present)
    assert "held: fixed" in second.get_title(loc="left")
    with pytest.raises(SpecError, match=r"takes an Allocation.*optimize\(fit\)"):
        bc.plot_allocation(best.table)


def test_a_reported_optimum_is_the_same_for_a_seed():
    fit = media_fit(("a", "b"), response=HILL, draws=6)
    first, second = (optimize(fit, pattern=13, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first.schedule, second.schedule)


# Bad input


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        ({"pattern": "fre"}, "pattern is 'kept', 'free' (an amount for each period), or"),
        ({"pattern": "fre"}, "Did you mean 'free'?"),
        ({"pattern": 0}, "got 0"),
        ({"pattern": True}, "got True"),
        ({"pattern": 1.5}, "got 1.5"),
        ({"period_bounds": {"a": (0, 1)}}, "write pattern='free'"),
        ({"pattern": "free", "period_bounds": {"z": (0, 1)}}, "there is no 'z'"),
        ({"pattern": "free", "period_bounds": (0, 1)}, "period_bounds is a mapping"),
        ({"pattern": "free", "period_bounds": {"a": (5, 1)}}, "between 5 and 1 there is nothing"),
        ({"pattern": "free", "period_bounds": {"a": (900, None)}}, "allow=['extrapolation']"),
        ({"pattern": "free", "period_bounds": {"a": (160, None)}}, "A in total: at most"),
        ({"pattern": "free", "budget": 1.0}, "Budget: at most 1, but"),
    ],
)
def test_bad_input_is_refused_with_advice(ask, words):
    with pytest.raises(SpecError) as caught:
        optimize(media_fit(("a", "b"), draws=3), **ask)
    assert words in str(caught.value)


def test_exposure_without_a_cost_is_refused():
    fit = media_fit(("a", "b"), draws=3)
    frame, spend = table(("a", "b"))
    frame.loc[frame.index[30:33], "a_cost"] = 0.0
    data = bc.Dataset.from_frame(frame, time="week", spend=spend)
    with pytest.raises(DataError, match="'a' ran without a cost in 3 periods of the window"):
        optimize(bc.Fit(fit.spec, data, fit.tree), pattern="free")
