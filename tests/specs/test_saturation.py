"""Laws of saturation: from zero, increasing, bounded, differentiable; three readings agree."""

import math

import numpy as np
import oracle
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bayescausal.specs.saturation import (
    SATURATIONS,
    ExponentialSaturation,
    HillSaturation,
    LogisticSaturation,
    MichaelisMentenSaturation,
    NoSaturation,
    RootSaturation,
    TanhSaturation,
)

laws = settings(deadline=None, max_examples=60, derandomize=True)
RANGES = {
    "HillSaturation": {"half": (0.05, 3.0), "slope": (0.5, 4.0)},
    "LogisticSaturation": {"lam": (0.05, 8.0)},
    "ExponentialSaturation": {"lam": (0.05, 8.0)},
    "MichaelisMentenSaturation": {"half": (0.05, 3.0)},
    "TanhSaturation": {"knee": (0.05, 3.0)},
    "RootSaturation": {"power": (0.1, 0.95)},
    "NoSaturation": {},
}
KINDS = sorted(SATURATIONS)
BOUNDED = [k for k in KINDS if k not in ("RootSaturation", "NoSaturation")]
CURVED = [k for k in KINDS if k != "NoSaturation"]


@st.composite
def saturations(draw, kinds=KINDS):
    kind = draw(st.sampled_from(kinds))
    return SATURATIONS[kind](), {k: np.array(draw(st.floats(*v))) for k, v in RANGES[kind].items()}


def middle(kind):
    return {k: np.array(a + 0.4 * (b - a)) for k, (a, b) in RANGES[kind].items()}


def compiled(inputs, outputs):
    return pytensor.function(inputs, outputs, mode="FAST_COMPILE")


def test_every_saturation_is_tested():
    assert set(RANGES) == set(SATURATIONS)
    for kind, made in SATURATIONS.items():
        assert set(RANGES[kind]) == set(made.defaults)


# Laws


@laws
@given(saturations(), st.integers(1, 3))
def test_saturation_is_zero_at_zero(case, depth):
    step, theta = case
    assert not step.apply(np, np.zeros((2,) * depth), theta, depth).any()


@laws
@given(saturations(CURVED), st.floats(-50, -1e-9))
def test_exposure_below_zero_counts_as_none(case, x):
    step, theta = case
    assert step.apply(np, np.array([x]), theta).item() == 0


@laws
@given(saturations(), st.floats(1e-3, 2), st.floats(1e-3, 1))
def test_saturation_is_increasing(case, x, more):
    step, theta = case
    low, high = step.apply(np, np.array([x, x + more]), theta)
    assert low > 0
    assert low <= high
    if high < 1 - 1e-9:  # where doubles can still tell the curve from its ceiling
        assert low < high


@laws
@given(saturations(BOUNDED), st.floats(0, 1e6))
def test_bounded_saturation_stays_below_its_ceiling_of_one(case, x):
    step, theta = case
    assert 0 <= step.apply(np, np.array([x]), theta).item() <= 1


@pytest.mark.parametrize("kind", BOUNDED)
def test_bounded_saturation_reaches_its_ceiling(kind):
    # The slowest is Hill with slope 1.9, or half / x of Michaelis-Menten: 1e-8 below one.
    top = SATURATIONS[kind]().apply(np, np.array([1e10]), middle(kind)).item()
    assert top == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("kind", ["RootSaturation", "NoSaturation"])
def test_unbounded_saturation_passes_any_level(kind):
    theta = {k: np.array(0.5) for k in RANGES[kind]}
    assert SATURATIONS[kind]().apply(np, np.array([1e10]), theta).item() >= 1e5 * (1 - 1e-12)


@laws
@given(
    saturations(
        [
            "LogisticSaturation",
            "ExponentialSaturation",
            "MichaelisMentenSaturation",
            "TanhSaturation",
            "RootSaturation",
        ]
    ),
    st.floats(0, 4),
    st.floats(0, 4),
)
def test_saturation_without_a_slope_has_diminishing_returns(case, x, y):
    step, theta = case
    low, mid, high = step.apply(np, np.array([x, (x + y) / 2, y]), theta)
    assert mid >= (low + high) / 2 - 1e-14


@laws
@given(saturations(), st.floats(0, 20))
def test_saturation_equals_the_oracle(case, x):
    step, theta = case
    assume(x == 0 or x > 1e-12)
    expected = oracle.saturate(step, {k: float(v) for k, v in theta.items()}, x)
    # The oracle's 1 - exp(-x) cancels at small x: 1e-16 absolute.
    found = step.apply(np, np.array([x]), theta).item()
    assert found == pytest.approx(expected, rel=1e-11, abs=1e-15)


# Known values


@laws
@given(st.floats(1e-3, 1e3), st.floats(0.2, 6))
def test_hill_is_one_half_at_half(half, slope):
    theta = {"half": np.array(half), "slope": np.array(slope)}
    found = HillSaturation().apply(np, np.array([half]), theta).item()
    assert found == pytest.approx(0.5, rel=1e-14)


@laws
@given(st.floats(0.01, 5), st.floats(0.05, 3))
def test_hill_with_slope_one_is_michaelis_menten(x, half):
    theta = {"half": np.array(half), "slope": np.array(1.0)}
    found = HillSaturation().apply(np, np.array([x]), theta)
    expected = MichaelisMentenSaturation().apply(np, np.array([x]), {"half": theta["half"]})
    assert found == pytest.approx(expected, rel=1e-13)


def test_hill_slope_is_the_closed_form():
    """MODEL.md section 6.6, case 4: s k^s x^(s-1) / (k^s + x^s)^2."""
    x, k, s = pt.dscalars("x", "k", "s")
    slope = pytensor.grad(HillSaturation().curve(pt, x, {"half": k, "slope": s}), x)
    found = compiled([x, k, s], slope)
    for level, half, steep in [(0.3, 0.5, 2.0), (1.2, 0.5, 0.7), (0.01, 0.9, 3.5), (4.0, 0.2, 1.0)]:
        expected = steep * half**steep * level ** (steep - 1) / (half**steep + level**steep) ** 2
        assert found(level, half, steep) == pytest.approx(expected, rel=1e-12)


@laws
@given(st.floats(0, 10), st.floats(0.1, 5))
def test_logistic_is_in_pymc_marketing_form(x, lam):
    found = LogisticSaturation().apply(np, np.array([x]), {"lam": np.array(lam)}).item()
    assert found == pytest.approx((1 - math.exp(-lam * x)) / (1 + math.exp(-lam * x)), abs=1e-15)


@laws
@given(st.floats(0, 3), st.floats(0, 3), st.floats(0.1, 5))
def test_exponential_takes_a_constant_share_of_what_is_left(x, y, lam):
    theta = {"lam": np.array(lam)}
    a, b, both = ExponentialSaturation().apply(np, np.array([x, y, x + y]), theta)
    assert 1 - both == pytest.approx((1 - a) * (1 - b), abs=1e-14)


def test_curves_at_a_known_point():
    x = np.array([0.5])
    assert TanhSaturation().apply(np, x, {"knee": np.array(0.5)}).item() == math.tanh(1)
    assert MichaelisMentenSaturation().apply(np, x, {"half": np.array(1.5)}).item() == 0.25
    assert RootSaturation().apply(np, x / 2, {"power": np.array(0.5)}).item() == pytest.approx(0.5)
    assert NoSaturation().apply(np, -x, {}).item() == -0.5


# numpy, PyTensor, draws


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_equals_pytensor(kind):
    step, theta = SATURATIONS[kind](), middle(kind)
    own = {k: pt.dscalar(k) for k in theta}
    x = pt.dmatrix("x")
    level = np.random.default_rng(5).gamma(1, 1, (3, 9)) * (np.arange(9) % 4 > 0)
    found = compiled([x, *own.values()], step.apply(pt, x, own, 2))(level, *theta.values())
    # One exp and one log more or less: a few units in the last place.
    assert np.allclose(found, step.apply(np, level, theta, 2), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("kind", CURVED)
def test_gradient_is_finite_at_zero_and_right_beyond(kind):
    step, theta = SATURATIONS[kind](), middle(kind)
    x, own = pt.dvector("x"), {k: pt.dscalar(k) for k in theta}
    wrt = [x, *own.values()]
    slopes = compiled(wrt, pytensor.grad(step.apply(pt, x, own).sum(), wrt))
    at_zero = slopes(np.zeros(2), *theta.values())
    assert all(np.isfinite(g).all() for g in at_zero)
    assert not any(np.any(g) for g in at_zero[1:])  # no parameter moves a curve at zero
    level = np.array([0.4])
    found = slopes(level, *theta.values())
    for k, name in enumerate(own):
        up, down = (
            step.apply(np, level, {**theta, name: theta[name] + h}).item() for h in (1e-6, -1e-6)
        )
        # Central difference: rounding 1e-16 / 1e-6, truncation 1e-12.
        assert found[k + 1] == pytest.approx((up - down) / 2e-6, abs=1e-8)
    up, down = (step.apply(np, level + h, theta).item() for h in (1e-6, -1e-6))
    assert found[0].item() == pytest.approx((up - down) / 2e-6, abs=1e-8)


def test_hill_gradient_is_finite_at_tiny_exposure():
    # What is left of a pulse after 12 periods at a retention of 1e-8: alpha^12 = 1e-96.
    x, half, slope = pt.dscalars("x", "half", "slope")
    curve = HillSaturation().curve(pt, x, {"half": half, "slope": slope})
    slopes = compiled([x, half, slope], pytensor.grad(curve, [half, slope]))
    assert np.isfinite(slopes(1e-96, 0.5, 3.5)).all()


@pytest.mark.parametrize("draws", [(4,), (2, 3)])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_broadcasting_over_draws_equals_a_loop(kind, depth, draws):
    rng = np.random.default_rng(6)
    step, shape = SATURATIONS[kind](), (3, 7)[-depth:]
    theta = {k: rng.uniform(*ends, size=draws) for k, ends in RANGES[kind].items()}
    fixed, varying = rng.gamma(1, 1, shape), rng.gamma(1, 1, (*draws, *shape))
    whole = np.broadcast_to(step.apply(np, fixed, theta, depth), varying.shape)
    moving = step.apply(np, varying, theta, depth)
    for k in np.ndindex(draws):
        own = {name: value[k] for name, value in theta.items()}
        # Not bit for bit: vectorized exp may round the tail of an array otherwise.
        assert np.allclose(whole[k], step.apply(np, fixed, own, depth), rtol=1e-14)
        assert np.allclose(moving[k], step.apply(np, varying[k], own, depth), rtol=1e-14)
