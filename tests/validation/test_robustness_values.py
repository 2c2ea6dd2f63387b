"""Robustness values equal published ones, what DoWhy computes, and least squares with the driver.

The algebra is exact: with a hidden driver made visible, least squares gives the adjusted numbers.
"""

import numpy as np
import pandas as pd
import pytest
from dowhy import CausalModel
from scipy import optimize

from bayescausal.validation.robustness_values import (
    LinearEffect,
    Strength,
    adjusted,
    robustness_value,
    times_as_strong,
)

DARFUR = LinearEffect(0.09731582, 0.02325654, 783)
GENDER = Strength(0.0090810652, 0.1090339154)
"""Partial R2 of gender with exposure to violence, and with the outcome, from the bound at k = 1;
those at 2 and 3 follow."""


def least_squares(y, *columns):
    """Coefficients, standard errors and degrees of freedom, with an intercept that stands last."""
    x = np.column_stack([*columns, np.ones(len(y))])
    inverse = np.linalg.inv(x.T @ x)
    b = inverse @ x.T @ y
    dof = len(y) - x.shape[1]
    errors = np.sqrt(np.diag(inverse) * ((y - x @ b) ** 2).sum() / dof)
    return b, errors, dof


def first(y, *columns):
    b, errors, dof = least_squares(y, *columns)
    return LinearEffect(float(b[0]), float(errors[0]), dof)


def partial_r2(y, x, *controls):
    """Share of what controls leave of y that x explains."""
    rest = [v - least_squares_fit(v, *controls) for v in (y, x)]
    return float(np.corrcoef(rest)[0, 1] ** 2)


def least_squares_fit(y, *columns):
    return np.column_stack([*columns, np.ones(len(y))]) @ least_squares(y, *columns)[0]


def world(seed, rows=156):
    rng = np.random.default_rng(seed)
    season, u = rng.normal(size=(2, rows))
    tv = 0.7 * season + 0.5 * u + rng.normal(size=rows)
    sales = 0.8 * tv + 0.5 * season + 0.6 * u + rng.normal(size=rows)
    return {"season": season, "u": u, "tv": tv, "sales": sales}


def test_published_values_of_darfur():
    # Cinelli and Hazlett (2020), section 5, with the digits that their software prints.
    assert DARFUR.partial_r2 == pytest.approx(0.02187, abs=5e-6)
    assert robustness_value(DARFUR) == pytest.approx(0.13878, abs=5e-6)
    assert robustness_value(DARFUR, prob=0.95) == pytest.approx(0.07626, abs=5e-6)


@pytest.mark.parametrize(
    ("k", "strength", "estimate", "error"),
    [
        (1, (0.0091642867, 0.1246409230), 0.0752202712, 0.0218733277),
        (2, (0.0183285734, 0.2493240642), 0.0529151724, 0.0203500621),
        (3, (0.0274928600, 0.3740504710), 0.0303960235, 0.0186700648),
    ],
)
def test_published_bounds_of_a_driver_as_strong_as_gender(k, strength, estimate, error):
    # The digits that the software of the paper's authors prints.
    hidden = times_as_strong(GENDER, k)
    assert hidden == pytest.approx(strength, abs=1e-7)
    left = adjusted(DARFUR, hidden)
    assert (left.estimate, left.std_error) == pytest.approx((estimate, error), abs=1e-7)


def test_the_value_that_dowhy_gave_with_the_interval_that_goes_with_it():
    # 156 weeks, five coefficients: 0.48473 fixes t, and the other value follows from it.
    f = 0.48473 / np.sqrt(1 - 0.48473)
    effect = LinearEffect(f * np.sqrt(151), 1.0, 151)
    assert robustness_value(effect) == pytest.approx(0.48473, abs=1e-9)
    assert robustness_value(effect, prob=0.95) == pytest.approx(0.39857, abs=5e-6)


def test_dowhy_agrees_on_its_own_regression():
    data = pd.DataFrame(world(5)).drop(columns="u")
    model = CausalModel(
        data, "tv", "sales", graph="digraph {season -> tv; season -> sales; tv -> sales;}"
    )
    estimand = model.identify_effect(proceed_when_unidentifiable=True)
    estimate = model.estimate_effect(
        estimand, method_name="backdoor.linear_regression", effect_modifiers=[]
    )
    theirs = model.refute_estimate(
        estimand,
        estimate,
        method_name="add_unobserved_common_cause",
        simulation_method="linear-partial-R2",
        benchmark_common_causes=["season"],
        effect_fraction_on_treatment=[0.5, 1],
        effect_fraction_on_outcome=[0.5, 1],
        plot_estimate=False,
    )
    season, tv, sales = (data[v].to_numpy() for v in ("season", "tv", "sales"))
    ours = first(sales, tv, season)
    assert robustness_value(ours) == pytest.approx(theirs.stats["robustness_value"], abs=1e-9)
    alpha = theirs.stats["robustness_value_alpha"]
    assert robustness_value(ours, prob=0.95) == pytest.approx(alpha, abs=1e-9)
    recorded = Strength(partial_r2(tv, season), partial_r2(sales, season, tv))
    for k, (_, row) in zip((0.5, 1), theirs.benchmarking_results.iterrows(), strict=True):
        hidden = times_as_strong(recorded, k)
        assert hidden == pytest.approx((row["r2tu_w"], row["r2yu_tw"]), abs=1e-9)
        left = adjusted(ours, hidden)
        assert left.estimate == pytest.approx(row["bias_adjusted_estimate"], abs=1e-9)
        assert left.std_error == pytest.approx(row["bias_adjusted_se"], abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_driver_that_becomes_visible_moves_the_estimate_by_the_formula(seed):
    w = world(seed)
    short = first(w["sales"], w["tv"], w["season"])
    long = first(w["sales"], w["tv"], w["season"], w["u"])
    driver = Strength(
        partial_r2(w["tv"], w["u"], w["season"]),
        partial_r2(w["sales"], w["u"], w["tv"], w["season"]),
    )
    assert short.estimate > long.estimate  # it had enlarged it
    assert adjusted(short, driver) == pytest.approx(long, abs=1e-10)


def test_the_correlation_of_errors_that_a_driver_makes():
    w = world(1)
    short = first(w["sales"], w["tv"], w["season"])
    driver = Strength(
        partial_r2(w["tv"], w["u"], w["season"]),
        partial_r2(w["sales"], w["u"], w["tv"], w["season"]),
    )
    left = adjusted(short, driver).estimate
    error_tv = w["tv"] - least_squares_fit(w["tv"], w["season"])
    error_sales = w["sales"] - left * w["tv"]
    error_sales -= least_squares_fit(error_sales, w["season"])
    assert driver.correlation == pytest.approx(np.corrcoef(error_tv, error_sales)[0, 1], abs=1e-10)


@pytest.mark.parametrize("t", [1.5, 3.0, 9.0, 40.0])
@pytest.mark.parametrize("q", [0.5, 1.0])
@pytest.mark.parametrize("prob", [None, 0.9])
def test_it_is_the_least_strength_that_does_it(t, q, prob):
    """Strength r is enough when some driver with both shares at most r reaches the goal."""
    effect = LinearEffect(t, 1.0, 60)
    goal = (1 - q) * t

    def distance(r):
        """How far the estimate, or the end of its interval, still is from the goal at best."""
        ends = [
            adjusted(effect, Strength(r, y)).interval(prob)[0]
            if prob
            else adjusted(effect, Strength(r, y)).estimate
            for y in np.linspace(0, r, 400)
        ]
        return min(ends) - goal

    rv = robustness_value(effect, q, prob)
    if distance(0.0) <= 0:
        assert rv == 0
    else:
        assert rv == pytest.approx(optimize.brentq(distance, 0, 0.9999), abs=2e-4)


def test_robustness_does_not_depend_on_units_and_grows_with_t():
    values = [robustness_value(LinearEffect(t, 1.0, 100), prob=0.9) for t in (1, 2, 4, 8, 16)]
    assert values == sorted(values)
    assert values[0] == 0
    assert robustness_value(LinearEffect(4e6, 1e6, 100)) == robustness_value(
        LinearEffect(-4, 1, 100)
    )


def test_a_driver_cannot_explain_more_than_there_is():
    assert times_as_strong(Strength(0.5, 0.1), 1) is None
    assert times_as_strong(Strength(0.3, 0.1), 3) is None
    assert times_as_strong(Strength(0.1, 0.6), 3).outcome == 1.0
