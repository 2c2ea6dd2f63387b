"""Laws of adstock: linear, causal, time-invariant, mass-preserving; three readings agree."""

import numpy as np
import oracle
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescausal.errors import SpecError
from bayescausal.specs.adstock import (
    ADSTOCKS,
    BinomialAdstock,
    DelayedAdstock,
    GeometricAdstock,
    NoAdstock,
    WeibullCDFAdstock,
    WeibullPDFAdstock,
    lags,
    shift,
)
from bayescausal.specs.prior import Prior

laws = settings(deadline=None, max_examples=40, derandomize=True)
# Sums of at most 40 terms of one sign: rounding stays below 40 * 2^-53, about 5e-15.
EXACT = {"rtol": 1e-12, "atol": 1e-12}
RANGES = {
    "GeometricAdstock": {"alpha": (0.01, 0.99)},
    "DelayedAdstock": {"alpha": (0.05, 0.95), "theta": (0.0, 6.0)},
    "WeibullPDFAdstock": {"shape": (0.4, 4.0), "scale": (0.5, 6.0)},
    "WeibullCDFAdstock": {"shape": (0.4, 4.0), "scale": (0.5, 6.0)},
    "BinomialAdstock": {"alpha": (0.05, 0.95)},
    "NoAdstock": {},
}
KINDS = sorted(ADSTOCKS)
CARRYING = [k for k in KINDS if k != "NoAdstock"]


@st.composite
def adstocks(draw, kinds=KINDS, normalize=None):
    """An adstock and parameters."""
    kind = draw(st.sampled_from(kinds))
    l_max = 0 if kind == "NoAdstock" else draw(st.integers(0, 12))
    mass = draw(st.booleans()) if normalize is None else normalize
    theta = {k: np.array(draw(st.floats(*ends))) for k, ends in RANGES[kind].items()}
    return ADSTOCKS[kind](l_max=l_max, normalize=mass), theta


def exposures(size=20):
    return st.lists(st.floats(0, 100), min_size=size, max_size=size).map(np.array)


def symbols(theta):
    return {k: pt.tensor(k, shape=np.shape(v), dtype="float64") for k, v in theta.items()}


def compiled(inputs, outputs):
    return pytensor.function(inputs, outputs, mode="FAST_COMPILE")


def test_every_adstock_is_tested():
    assert set(RANGES) == set(ADSTOCKS)
    for kind, made in ADSTOCKS.items():
        assert set(RANGES[kind]) == set(made.defaults)


# Laws


@laws
@given(adstocks(), exposures(), exposures(), st.floats(-3, 3))
def test_adstock_is_linear(case, x, y, factor):
    step, theta = case
    together = step.apply(np, x + factor * y, theta)
    apart = step.apply(np, x, theta) + factor * step.apply(np, y, theta)
    mass = max(1.0, step.weights(np, theta).sum())
    # Values up to 400 * mass, sums of 13 terms: rounding below 400 * 13 * 2^-53 * mass = 6e-13.
    assert np.allclose(together, apart, rtol=0, atol=1e-11 * mass)


@laws
@given(adstocks(), exposures(), st.integers(1, 19), st.floats(0.1, 100))
def test_adstock_is_causal(case, x, when, more):
    step, theta = case
    later = x.copy()
    later[when:] += more
    before, after = step.apply(np, x, theta), step.apply(np, later, theta)
    assert np.array_equal(before[:when], after[:when])
    mass = step.weights(np, theta)
    if mass[0] * more > 1e-9 * (1 + mass.sum() * 100):  # visible beyond rounding
        assert after[when] > before[when]


@laws
@given(adstocks(), exposures(), st.integers(0, 25))
def test_adstock_is_time_invariant(case, x, delay):
    step, theta = case
    late = step.apply(np, shift(np, x, delay), theta)
    assert np.allclose(late, shift(np, step.apply(np, x, theta), delay), **EXACT)


@laws
@given(adstocks(normalize=True), exposures())
def test_normalized_adstock_preserves_mass_when_the_tail_fits(case, x):
    step, theta = case
    padded = np.concatenate([x, np.zeros(step.l_max)])
    # 32 sums of numbers up to 100: rounding below 1e-10.
    assert step.apply(np, padded, theta).sum() == pytest.approx(x.sum(), rel=1e-12, abs=1e-10)
    assert (step.weights(np, theta) >= 0).all()


@laws
@given(adstocks(CARRYING, normalize=False), exposures())
def test_unnormalized_adstock_multiplies_mass_by_the_sum_of_its_weights(case, x):
    step, theta = case
    padded = np.concatenate([x, np.zeros(step.l_max)])
    expected = x.sum() * step.weights(np, theta).sum()
    assert step.apply(np, padded, theta).sum() == pytest.approx(expected, rel=1e-11, abs=1e-10)


@laws
@given(adstocks(), st.integers(0, 19))
def test_a_pulse_returns_the_weights_and_nothing_after_the_reach(case, when):
    step, theta = case
    pulse = np.zeros(40)
    pulse[when] = 1.0
    out, last = step.apply(np, pulse, theta), when + step.reach
    assert np.allclose(out[when : last + 1], step.weights(np, theta), rtol=1e-14, atol=0)
    assert not out[:when].any()
    assert not out[last + 1 :].any()


@laws
@given(adstocks(normalize=True), st.floats(0.1, 50))
def test_constant_exposure_settles_at_its_own_level(case, level):
    step, theta = case
    out = step.apply(np, np.full(30, level), theta)
    assert np.allclose(out[step.l_max :], level, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_zero_reach_adstock_is_the_identity(kind):
    theta = {k: np.array(sum(ends) / 2) for k, ends in RANGES[kind].items()}
    x = np.random.default_rng(1).gamma(2, 3, 15)
    step = ADSTOCKS[kind](l_max=0)
    assert step.reach == 0
    assert np.allclose(step.apply(np, x, theta), x, rtol=1e-15)


def test_adstock_longer_than_the_data_is_cut_by_them():
    theta = {"alpha": np.array(0.8)}
    x = np.random.default_rng(2).gamma(2, 3, 4)
    long = GeometricAdstock(l_max=9, normalize=False).apply(np, x, theta)
    short = GeometricAdstock(l_max=3, normalize=False).apply(np, x, theta)
    assert np.allclose(long, short, rtol=1e-14)


# The oracle


@laws
@given(adstocks(), exposures())
def test_adstock_equals_the_oracle(case, x):
    step, theta = case
    weights = oracle.adstock_weights(step, {k: float(v) for k, v in theta.items()})
    assert np.allclose(step.weights(np, theta), weights, rtol=1e-12, atol=1e-300)
    expected = oracle.spread(weights, x.tolist())
    assert np.allclose(step.apply(np, x, theta), expected, rtol=1e-11, atol=1e-11)


# Numbers that a textbook or another library gives


def test_geometric_weights_halve_at_the_stated_rate():
    w = GeometricAdstock(l_max=10, normalize=False).weights(np, {"alpha": np.array(0.5)})
    assert np.array_equal(w, 0.5 ** np.arange(11))


@pytest.mark.parametrize("peak", [0, 3, 6])
def test_delayed_adstock_peaks_where_it_says_and_is_symmetric_there(peak):
    theta = {"alpha": np.array(0.6), "theta": np.array(float(peak))}
    w = DelayedAdstock(l_max=12).weights(np, theta)
    assert w.argmax() == peak
    assert np.allclose(w[: peak + 1], w[peak : 2 * peak + 1][::-1], rtol=1e-14)


def test_weibull_pdf_with_shape_one_is_geometric():
    scale = 2.5
    theta = {"shape": np.array(1.0), "scale": np.array(scale)}
    geometric = GeometricAdstock(l_max=7).weights(np, {"alpha": np.array(np.exp(-1 / scale))})
    assert np.allclose(WeibullPDFAdstock(l_max=7).weights(np, theta), geometric, rtol=1e-13)


def test_weibull_pdf_peaks_late_above_shape_one():
    early = {"shape": np.array(0.8), "scale": np.array(4.0)}
    late = {"shape": np.array(3.0), "scale": np.array(4.0)}
    assert WeibullPDFAdstock(l_max=8).weights(np, early).argmax() == 0
    assert WeibullPDFAdstock(l_max=8).weights(np, late).argmax() > 0


def test_weibull_cdf_retention_decays():
    theta = {"shape": np.array(1.7), "scale": np.array(3.0)}
    w = WeibullCDFAdstock(l_max=6, normalize=False).weights(np, theta)
    retention = w[1:] / w[:-1]
    assert w[0] == 1
    assert np.allclose(retention, np.exp(-((np.arange(1, 7) / 3.0) ** 1.7)), rtol=1e-13)
    assert (np.diff(retention) < 0).all()


def test_binomial_weights_are_linear_at_one_half_and_would_be_zero_after_the_window():
    w = BinomialAdstock(l_max=4, normalize=False).weights(np, {"alpha": np.array(0.5)})
    assert np.allclose(w, [1, 0.8, 0.6, 0.4, 0.2], rtol=1e-14)


# numpy, PyTensor, draws


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_numpy_equals_pytensor(kind, normalize):
    rng = np.random.default_rng(3)
    step = ADSTOCKS[kind](l_max=0 if kind == "NoAdstock" else 5, normalize=normalize)
    theta = {k: rng.uniform(*ends, size=()) for k, ends in RANGES[kind].items()}
    own = symbols(theta)
    flat, panel = pt.dvector("flat"), pt.dmatrix("panel")
    outputs = [
        step.weights(pt, own),
        step.apply(pt, flat, own),
        step.apply(pt, panel, own, 2),
        step.apply(pt, panel, own, 1),  # the branch for exposure with draw dims
    ]
    x, y = rng.gamma(2, 3, 11), rng.gamma(2, 3, (3, 11))
    found = compiled([flat, panel, *own.values()], outputs)(x, y, *theta.values())
    expected = [
        step.weights(np, theta),
        step.apply(np, x, theta),
        step.apply(np, y, theta, 2),
        step.apply(np, y, theta, 1),
    ]
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        assert np.allclose(a, b, **EXACT)


@pytest.mark.parametrize("draws", [(4,), (2, 3)])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_broadcasting_over_draws_equals_a_loop(kind, depth, draws):
    rng = np.random.default_rng(4)
    step = ADSTOCKS[kind](l_max=0 if kind == "NoAdstock" else 5)
    theta = {k: rng.uniform(*ends, size=draws) for k, ends in RANGES[kind].items()}
    shape = (3, 11) if depth == 2 else (11,)
    fixed = rng.gamma(2, 3, shape)
    varying = rng.gamma(2, 3, (*draws, *shape))
    whole = np.broadcast_to(step.apply(np, fixed, theta, depth), varying.shape)
    moving = step.apply(np, varying, theta, depth)
    for k in np.ndindex(draws):
        own = {name: value[k] for name, value in theta.items()}
        assert np.allclose(whole[k], step.apply(np, fixed, own, depth), **EXACT)
        assert np.allclose(moving[k], step.apply(np, varying[k], own, depth), **EXACT)


@pytest.mark.parametrize("kind", CARRYING)
def test_gradient_of_the_weights_is_finite_and_right(kind):
    step = ADSTOCKS[kind](l_max=4)
    theta = {k: np.array(a + 0.6 * (b - a)) for k, (a, b) in RANGES[kind].items()}
    check_gradient(step, theta)


def test_gradient_of_weibull_cdf_is_finite_below_shape_one():
    check_gradient(WeibullCDFAdstock(l_max=4), {"shape": np.array(0.7), "scale": np.array(2.0)})


def check_gradient(step, theta):
    own = symbols(theta)
    mean_lag = (step.weights(pt, own) * np.arange(step.l_max + 1.0)).sum()
    gradient = compiled(list(own.values()), pytensor.grad(mean_lag, list(own.values())))
    for name, slope in zip(own, gradient(*theta.values()), strict=True):
        up, down = ({**theta, name: theta[name] + h} for h in (1e-6, -1e-6))
        rise = ((step.weights(np, up) - step.weights(np, down)) * np.arange(step.l_max + 1.0)).sum()
        # Central difference: truncation about 1e-12, rounding about 1e-16 / 1e-6 = 1e-10.
        assert slope == pytest.approx(rise / 2e-6, rel=1e-6, abs=1e-8), name


# Helpers and refusals


def test_shift_fills_with_zeros_and_keeps_the_length():
    x = np.arange(1.0, 5.0)
    assert shift(np, x, 0) is x
    assert shift(np, x, 2).tolist() == [0, 0, 1, 2]
    assert shift(np, x, 4).tolist() == [0, 0, 0, 0]
    assert shift(np, x, 9).tolist() == [0, 0, 0, 0]
    assert lags(np, x, 1).tolist() == [[1, 2, 3, 4], [0, 1, 2, 3]]


@pytest.mark.parametrize("l_max", [-1, 2.0, True, "4"])
def test_l_max_that_counts_no_periods_is_refused(l_max):
    with pytest.raises(SpecError, match="l_max, a number of periods, is a whole number"):
        GeometricAdstock(l_max=l_max)


def test_no_adstock_refuses_a_reach():
    with pytest.raises(SpecError, match="no carry-over"):
        NoAdstock(l_max=2)


def test_unknown_parameter_is_refused_with_a_suggestion():
    with pytest.raises(SpecError, match="Did you mean 'alpha'"):
        GeometricAdstock(priors={"alhpa": oracle})


def test_a_default_reach_waits_for_data_and_is_not_written():
    adstock = GeometricAdstock()
    assert "l_max" not in adstock.to_dict()
    assert GeometricAdstock.from_dict(adstock.to_dict()) == adstock
    assert adstock.lasting(8, 7.0) == GeometricAdstock(l_max=8)
    assert GeometricAdstock(l_max=3).lasting(56, 1.0) == GeometricAdstock(l_max=3)
    assert NoAdstock().lasting(56, 1.0) == NoAdstock()
    for use in (
        lambda: adstock.reach,
        lambda: adstock.weights(np, {"alpha": np.array(0.5)}),
        lambda: BinomialAdstock().weights(np, {"alpha": np.array(0.5)}),
    ):
        with pytest.raises(SpecError, match=r"data decide how far it reaches.*l_max=8"):
            use()


@pytest.mark.parametrize("kind", [GeometricAdstock, WeibullPDFAdstock, WeibullCDFAdstock])
@pytest.mark.parametrize("days", [1.0, 14.0])
def test_default_carry_over_lasts_as_long_whatever_a_period_is(kind, days):
    """Mean time of an effect, in weeks, at the middle of the prior.

    A lag of l periods stands for anything from l to l + 1 of them, so the centers of one curve read
    in two kinds of periods may differ by the longer of these.
    """
    weekly, other = kind().lasting(60, 7.0), kind().lasting(int(420 / days), days)

    def center(step, length):
        draws = {name: _middle(prior) for name, prior in step.priors.items()}
        weights = step.weights(np, draws)
        return float((weights * np.arange(len(weights))).sum()) * length / 7

    assert center(other, days) == pytest.approx(center(weekly, 7.0), abs=max(days, 7.0) / 7)
    assert weekly.priors == kind.defaults


def _middle(prior):
    values = dict(prior.parameters)
    if prior.distribution == "Beta":
        return np.array(values["alpha"] / (values["alpha"] + values["beta"]))
    return np.exp(np.array(values["mu"]))


def test_a_retention_of_days_has_the_moments_of_the_seventh_root_of_that_of_weeks():
    prior = dict(GeometricAdstock().lasting(56, 1.0).priors["alpha"].parameters)
    draws = np.random.default_rng(1).beta(2, 3, 400_000) ** (1 / 7)
    mean = prior["alpha"] / (prior["alpha"] + prior["beta"])
    size = prior["alpha"] + prior["beta"]
    assert mean == pytest.approx(draws.mean(), abs=5 * draws.std() / 400_000**0.5)
    assert mean * (1 - mean) / (size + 1) == pytest.approx(draws.var(), rel=0.02)


def test_stated_priors_and_stated_lags_are_in_periods_as_they_stand():
    own = Prior("Beta", alpha=9, beta=1)
    assert GeometricAdstock(priors={"alpha": own}).lasting(56, 1.0).priors["alpha"] == own
    assert GeometricAdstock(l_max=8).lasting(56, 1.0) == GeometricAdstock(l_max=8)
