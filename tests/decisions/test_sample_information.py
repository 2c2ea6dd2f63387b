"""Expected value of sample information, against closed forms of Gaussian problems."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bayescausal.decisions.sample_information import sample_information
from bayescausal.errors import DataError

N = 4000


def even(mean=0.0, seed=1, n=N):
    """Standard normal draws without Monte-Carlo error in their margins, in no order."""
    return mean + stats.norm.ppf((np.random.default_rng(seed).permutation(n) + 0.5) / n)


def unit_normal_loss(mean, sd):
    """``E max(0, M) - max(0, mean)`` for M ~ Normal(mean, sd)."""
    return mean * stats.norm.cdf(mean / sd) + sd * stats.norm.pdf(mean / sd) - max(0.0, mean)


def two_actions(t):
    return np.stack([0 * t, t], axis=1)


def naive(payoffs, tested, sd):
    """The estimate that chooses and judges with the same draws."""
    rng = np.random.default_rng(3)
    seen = tested + sd * rng.standard_normal(len(tested))
    weight = np.exp(-0.5 * ((seen[:, None] - tested) / sd) ** 2)
    means = weight / weight.sum(axis=1, keepdims=True) @ payoffs
    return means.max(axis=1).mean() - payoffs.mean(axis=0).max()


@pytest.mark.parametrize("sd", [0.05, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("mean", [0.0, 0.5, -1.0])
def test_two_actions_have_the_unit_normal_loss(mean, sd):
    """Raiffa and Schlaifer: the mean after the test is Normal(m, 1 / sqrt(1 + s^2)).

    ``error`` is the Monte-Carlo error given the choices. When both actions are equally good now,
    a quarter of the draws decides which one is called the best, which adds half as much again.
    """
    told = sample_information(two_actions(t := even(mean)), t, sd)
    exact = unit_normal_loss(mean, 1 / np.sqrt(1 + sd**2))
    assert told.evsi == pytest.approx(exact, abs=4 * told.error + 1e-3)
    assert told.evpi == pytest.approx(unit_normal_loss(mean, 1.0), abs=0.03)


def test_estimate_is_not_biased_over_many_samples():
    """The mean of 60 samples of 1000 draws is within 4 of its own standard errors."""
    rng = np.random.default_rng(11)
    draws = [0.3 + rng.standard_normal(1000) for _ in range(60)]
    found = np.array([sample_information(two_actions(t), t, 0.8).evsi for t in draws])
    exact = unit_normal_loss(0.3, 1 / np.sqrt(1 + 0.8**2))
    assert found.mean() == pytest.approx(exact, abs=4 * found.std() / np.sqrt(60))
    assert 4 * found.std() / np.sqrt(60) < 0.1 * exact


def test_many_plans_agree_with_the_integral_over_posterior_means():
    """u = A b with b independent; only E[b_1] moves, by sd_1^2 / sqrt(sd_1^2 + s^2)."""
    rng = np.random.default_rng(7)
    spread, sd = np.array([2.0, 1.0, 0.5]), 1.5
    b = np.stack([even(seed=k) for k in range(3)], axis=1) * spread
    plans = rng.standard_normal((3, 40))
    z = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    moves = spread[0] ** 2 / np.hypot(spread[0], sd) * z
    exact = (moves[:, None] * plans[0]).max(axis=1).mean()  # all means are 0 before the test
    told = sample_information(b @ plans, b[:, 0], sd)
    assert told.evsi == pytest.approx(exact, abs=5 * told.error)
    assert told.error < 0.05 * exact


@pytest.mark.parametrize("sd", [1e4, 1e-6])
def test_test_of_nothing_is_worth_exactly_nothing_when_the_best_plan_is_clear(sd):
    told = sample_information(two_actions(even(2.0)), np.zeros(N), sd)
    assert told.evsi == 0
    assert told.error == 0
    assert told.ess == pytest.approx(0.75 * N)


@pytest.mark.parametrize("sd", [0.01, 1.0, 100.0])
def test_unrelated_test_earns_nothing_by_noise(sd):
    """Forty plans that are alike: noise picks the best one, and must not be paid for it."""
    rng = np.random.default_rng(2)
    found, trapped = [], []
    for _ in range(12):
        payoffs = rng.standard_normal((1000, 3)) @ rng.standard_normal((3, 40))
        tested = rng.standard_normal(1000)
        found.append(sample_information(payoffs, tested, sd).evsi)
        trapped.append(naive(payoffs, tested, sd))
    assert np.mean(found) <= 4 * np.std(found) / np.sqrt(12)
    if sd < 0.1:  # what judging with other draws is there for
        assert min(trapped) > 0.1
        assert np.mean(found) < 0.1 * np.mean(trapped)


def test_better_test_is_worth_more_and_never_more_than_to_know_all():
    t = even(0.2)
    told = [sample_information(two_actions(t), t, sd) for sd in (10, 3, 1, 0.3, 0.1)]
    assert (np.diff([x.evsi for x in told]) > 0).all()
    assert told[-1].evsi <= told[-1].evpi
    assert len({x.evpi for x in told}) == 1
    assert (np.diff([x.ess for x in told]) < 0).all()


def test_precise_test_does_not_leave_the_choice_to_a_few_draws():
    """Forty plans a t + noise, the noise seven times as large: max_a a t = |t| is to be had.

    Choosing by the draws nearest to y alone would find nothing of it, in the mean of six samples;
    choosing and judging with the same draws finds more than there is.
    """
    t, found = even(n=1000), []
    for seed in range(4, 10):
        rng = np.random.default_rng(seed)
        noise = 3 * rng.standard_normal((1000, 3)) @ rng.standard_normal((3, 40))
        told = sample_information(t[:, None] * np.linspace(-1, 1, 40) + noise, t, 1e-6)
        assert told.ess > 100
        found.append(told.evsi)
    assert 0.3 * np.abs(t).mean() < np.mean(found) < np.abs(t).mean()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(8, 300),
    plans=st.integers(1, 6),
    sd=st.floats(1e-3, 1e3),
)
def test_value_is_bounded_by_that_of_perfect_information(seed, n, plans, sd):
    rng = np.random.default_rng(seed)
    payoffs = rng.standard_t(3, (n, plans))
    tested = payoffs[:, 0] + rng.standard_normal(n)
    told = sample_information(payoffs, tested, sd)
    assert told.evsi <= told.evpi + 1e-9 * max(1.0, told.evpi)
    assert np.isfinite(told).all()
    if plans == 1:
        assert told[:3] == (0, 0, 0)


def test_currency_and_a_common_sum_do_not_matter():
    t = even(0.2)
    plain = sample_information(two_actions(t), t, 0.7)
    dearer = sample_information(100 * two_actions(t) + 5000, 10 * t, 7.0)
    assert dearer.evsi == pytest.approx(100 * plain.evsi, rel=1e-6)
    assert dearer.evpi == pytest.approx(100 * plain.evpi, rel=1e-6)


def test_sign_of_what_is_tested_does_not_matter():
    t = even(0.2)
    one, other = (sample_information(two_actions(t), sign * t, 0.7).evsi for sign in (1, -1))
    assert one == pytest.approx(other, rel=1e-9)


def test_few_draws_are_refused():
    with pytest.raises(DataError, match="too few"):
        sample_information(np.zeros((7, 2)), np.zeros(7), 1.0)
