"""Allocations whose pattern in time is free: closed forms, grids, limits, and what is said."""

import itertools

import numpy as np
import pandas as pd
import pytest
from allocation_worlds import HILL, ROOT, fit_of, media_fit, panel_fit, table
from hypothesis import given, settings
from hypothesis import strategies as st

import bayescausal as bc
from bayescausal.decisions.decision import Decision, payoffs
from bayescausal.decisions.optimizer import optimize
from bayescausal.decisions.schedule import block_length, largest_amounts, schedule_of
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import Estimand, Times

FREE = {"bounds": (0.01, 30.0), "allow": ["extrapolation"]}
WINDOW = ("2024-03-04", "2024-09-29")


def spend_of(best, column="optimum"):
    """Spend by period and channel."""
    return best.schedule[column].unstack("channel")


def changed(fit, **columns):
    """The fit with other columns in its data."""
    frame = fit.data.table.to_dataframe().reset_index().assign(**columns)
    data = bc.Dataset.from_frame(
        frame, time="time", spend=fit.data.spend, value=fit.data.value or 1.0
    )
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
    best = optimize(
        fit, pattern=15, window=WINDOW, bounds=(0.3, 2.0), allow=["extrapolation"]
    )
    schedule = schedule_of(fit, ["a", "b"], {"window": WINDOW, "outcome": "sales"}, 15)
    spend = np.repeat(schedule.unit, 2)
    total, low, high = spend @ schedule.present, 0.3, 2.0
    plans, names = [], itertools.count()
    for head in itertools.product(np.linspace(0, 3, 13), repeat=3):
        amounts = np.array([*head, (total - spend[:3] @ head) / spend[3]])
        factors = schedule.matrix(amounts).sum(axis=1) / 2
        if amounts[3] >= 0 and (factors >= low).all() and (factors <= high).all():
            plans.append(
                Estimand(dict(schedule.paths(amounts)), window=WINDOW, name=f"p{next(names)}")
            )
    assert len(plans) > 300
    value = float(payoffs(fit, Decision(plans)).mean(("chain", "draw")).max())
    mean = float(best.gain.mean())
    assert mean >= value - 1e-9 * abs(value)
    assert mean <= value * 1.02  # a grid of 13 steps is not far from the optimum


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
        place = {"window": WINDOW, "outcome": "sales"}
        schedule = schedule_of(fit, ["a", "b"], place, 10)
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
