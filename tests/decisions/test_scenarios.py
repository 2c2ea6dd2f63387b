"""Plans of the time to come against one of them."""

import numpy as np
import pytest
from allocation_worlds import HILL, media_fit

import bayescausal as bc
from bayescausal.decisions.scenarios import plan as _module_plan
from bayescausal.errors import NotIdentified, SpecError


@pytest.fixture(scope="module")
def ahead(example_fit):
    return bc.Future.like(example_fit.data, periods=13)


def test_a_plan_without_a_channel_loses_what_the_channel_brings(example_fit, ahead):
    draws = bc.plan(example_fit, {"same": ahead, "dark": ahead.assign(tv=0.0)}, scale="outcome")
    longer = ahead.followed_by(example_fit.data, 8)
    question = bc.incremental("tv").during(*ahead.window)
    brings = bc.effect(bc.extend(example_fit, longer), question)
    np.testing.assert_allclose(draws.sel(plan="dark"), -brings, rtol=0, atol=1e-8)
    assert draws.attrs["carry_over_counted"] == "8 periods after the last one"


def test_net_is_value_less_spend(example_fit, ahead):
    plans = {"same": ahead, "more": ahead.assign(tv=bc.Times(1.3), social=bc.Times(0.8))}
    value = bc.plan(example_fit, plans, scale="value")
    net = bc.plan(example_fit, plans)
    extra = 0.3 * ahead.array("tv_cost").sum() - 0.2 * ahead.array("social_cost").sum()
    np.testing.assert_allclose(net.coords["extra_spend"], [extra])
    paid = value - net - extra  # the clicks of search that tv brings are paid too
    assert float(paid.mean()) > 0
    assert float(abs(paid).max()) < abs(extra)


def test_the_order_of_two_plans_changes_the_sign_alone():
    fit = media_fit(response=HILL, draws=20)
    low = bc.Future.like(fit.data, 8)
    high = low.assign(a=bc.Times(1.4))
    forth = bc.plan(fit, {"low": low, "high": high}, scale="outcome").sel(plan="high")
    back = bc.plan(fit, {"low": low, "high": high}, reference="high", scale="outcome")
    tails = {"low": low, "high": high}
    assert {*tails} == {"low", "high"}
    # the tail of carry-over meets another level of spend, which is that of the reference
    np.testing.assert_allclose(forth, -back.sel(plan="low"), rtol=0.05)


def test_gains_of_linear_responses_are_the_closed_form():
    """Without carry-over and curvature a plan gains its coefficient times what it adds."""
    fit = media_fit(response=bc.Response(strength=bc.Coefficient()), draws=15)
    low = bc.Future.like(fit.data, 8)
    high = low.assign(a=bc.Times(1.25))
    draws = bc.plan(fit, {"low": low, "high": high}, scale="outcome").sel(plan="high")
    coefficient = fit.theta()["a->sales"] * fit.scm.scale["sales"] / fit.scm.scale["a"]
    expected = coefficient * 0.25 * low.array("a").sum()
    np.testing.assert_allclose(draws.to_numpy().ravel(), expected, rtol=1e-9)


def test_a_plan_of_a_confounded_channel_is_graded_x():
    fit = media_fit(
        ("a", "b"), text="a, b -> sales\na <-> sales", draws=6, values={"a<->sales": 0.3}
    )
    low = bc.Future.like(fit.data, 8)
    plans = {"low": low, "a": low.assign(a=bc.Times(1.2)), "b": low.assign(b=bc.Times(1.2))}
    draws = bc.plan(fit, plans)
    assert draws["grade"].to_numpy().tolist()[0] == "X"
    assert draws["grade"].to_numpy().tolist()[1] != "X"
    with pytest.raises(NotIdentified):
        bc.plan(fit, plans, strict=True)


@pytest.mark.parametrize(
    ("plans", "more", "words"),
    [
        (lambda f: f, {}, "two futures or more"),
        (lambda f: {"one": f}, {}, "two futures or more"),
        (lambda f: {"one": f, "two": f}, {}, "sets nothing otherwise"),
        (lambda f: {"one": f, "two": f.assign(tv=0.0)}, {"reference": "oen"}, "oen"),
        (lambda f: {"one": f, "two": f.assign(tv=0.0)}, {"scale": "nte"}, "Did you mean 'net'"),
    ],
)
def test_bad_plans_are_refused_with_advice(example_fit, ahead, plans, more, words):
    with pytest.raises(SpecError, match=words):
        bc.plan(example_fit, plans(ahead), **more)


def test_plans_are_of_the_same_periods(example_fit, ahead):
    with pytest.raises(SpecError, match="Compare plans of the same periods"):
        bc.plan(example_fit, {"one": ahead, "two": bc.Future.like(example_fit.data, 4)})


def test_the_public_name_is_this_verb():
    assert bc.plan is _module_plan
