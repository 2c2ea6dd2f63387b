"""Estimators of a geo test, against worlds in which lift and error are known.

Monte-Carlo tolerances. Over `WORLDS` replications the standard deviation of the lifts is known to
1 / sqrt(2 WORLDS) = 4%, so that a standard error that is right on average lies within 15% of it;
the mean of the lifts has a z value, which a seeded run fails by chance once in 2000 at 3.5.
"""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from geo_cases import AFTER, BEFORE, autoregression, panel
from scipy import stats

from bayescausal.experiments import geo_estimators
from bayescausal.experiments.block_bootstrap import autocorrelation, block_length
from bayescausal.experiments.geo_estimators import (
    block_bootstrap,
    difference_in_differences,
    drift,
    estimator,
    placebo_in_space,
    regression_error,
    standard_error,
    synthetic_control,
    time_based_regression,
)

WORLDS = 300


@pytest.fixture(scope="module")
def sales():
    return panel(np.random.default_rng(5), 2, 10)


@pytest.mark.parametrize(
    ("method", "treated", "controls", "r", "kind"),
    [
        ("did", 2, 9, 0.5, "placebo in space"),
        ("did", 1, 9, 0.5, "placebo in space"),
        ("did", 3, 4, 0.5, "block bootstrap"),
        ("did", 1, 1, 0.5, "block bootstrap"),
        ("synthetic-control", 1, 12, 0.5, "placebo in space"),
        ("synthetic-control", 3, 5, 0.5, "block bootstrap"),
        ("tbr", 4, 8, 0.5, "block bootstrap"),
        ("tbr", 4, 8, 0.0, "t formula"),
    ],
)
def test_lift_is_unbiased_and_its_error_is_right(method, treated, controls, r, kind):
    fitted, errors, kinds = estimator(method), [], []
    for seed in range(WORLDS):
        rng = np.random.default_rng([seed, treated, controls])
        sales = panel(rng, treated, controls, r)
        y, x = sales[:treated].mean(axis=0), sales[treated:]
        found = standard_error(method, (y, x), BEFORE, fitted, treated, rng)
        lift = float((y - fitted(y, x, BEFORE).path)[BEFORE:].sum())
        errors.append((lift, found.scale, stats.t.ppf(0.95, found.dof)))
        kinds.append(found.kind)
    lifts, scales, quantiles = np.array(errors).T
    sd = lifts.std()
    assert kinds.count(kind) > 0.85 * WORLDS
    assert abs(lifts.mean()) < 3.5 * sd / math.sqrt(WORLDS)
    assert 0.85 < scales.mean() / sd < 1.15
    assert 0.85 < np.sqrt((scales**2).mean()) / sd < 1.15
    assert 0.84 < (np.abs(lifts) < quantiles * scales).mean() < 0.96


def test_difference_in_differences_is_the_two_way_regression(sales):
    treated = np.arange(len(sales)) < 2
    y = sales[treated].mean(axis=0)
    path = difference_in_differences(y, sales[~treated], BEFORE).path
    unit, time = np.indices(sales.shape)
    active = (treated[:, None] & (time >= BEFORE)).ravel()
    dummies = pd.get_dummies(
        pd.DataFrame({"u": unit.ravel(), "t": time.ravel()}).astype(str), drop_first=True
    )
    design = np.column_stack([active, np.ones(sales.size), dummies]).astype(float)
    slope = np.linalg.lstsq(design, sales.ravel(), rcond=None)[0][0]
    assert math.isclose((y - path)[BEFORE:].mean(), slope, rel_tol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_synthetic_control_meets_the_conditions_of_an_optimum(seed, intercept):
    sales = panel(np.random.default_rng(seed), 1, 10)
    y, x = sales[0], sales[1:]
    made = synthetic_control(y, x, BEFORE, intercept=intercept)
    assert math.isclose(made.weights.sum(), 1)
    assert (made.weights >= 0).all()
    # The gradient is the same where weights are positive, and not smaller elsewhere.
    gradient = x[:, :BEFORE] @ (made.path - y)[:BEFORE]
    if intercept:
        gradient -= x[:, :BEFORE].mean(axis=1) * (made.path - y)[:BEFORE].sum()
    used = made.weights > 1e-12
    size = np.abs(gradient).max() + 1
    assert np.ptp(gradient[used]) < 1e-6 * size
    assert (gradient[~used] > gradient[used].min() - 1e-6 * size).all()
    assert np.ptp(made.weights @ x - made.path) < 1e-9


def test_an_intercept_matches_a_unit_of_another_level():
    rng = np.random.default_rng(2)
    sales = panel(rng, 1, 10)
    y, x = sales[0] + 500, sales[1:]
    shifted, plain = (synthetic_control(y, x, BEFORE, intercept=k) for k in (True, False))
    assert abs((y - shifted.path)[BEFORE:].mean()) < 10
    assert (y - plain.path)[BEFORE:].mean() > 400


def test_time_based_regression_is_that_of_statsmodels(sales):
    y, x = sales[:2].mean(axis=0), sales[2:]
    made = time_based_regression(y, x, BEFORE)
    design = sm.add_constant(x.mean(axis=0))
    fitted = sm.OLS(y[:BEFORE], design[:BEFORE]).fit()
    assert np.allclose(made.path, fitted.predict(design))
    after = design[BEFORE:].sum(axis=0)
    variance = after @ fitted.cov_params() @ after + AFTER * fitted.scale
    assert math.isclose(regression_error(y, made, BEFORE), math.sqrt(variance), rel_tol=1e-9)


def test_block_bootstrap_of_independent_errors_is_the_regression_error():
    rng = np.random.default_rng(3)
    ratios = []
    for _ in range(60):
        sales = panel(rng, 3, 8, r=0.0)
        y = sales[:3].mean(axis=0)
        made = time_based_regression(y, sales[3:], BEFORE)
        draws, _ = block_bootstrap(y, made, BEFORE, rng)
        ratios.append(draws.std() / regression_error(y, made, BEFORE))
    assert 0.93 < np.mean(ratios) < 1.07


def test_a_drift_is_told_from_the_memory_of_errors():
    rng = np.random.default_rng(4)
    quiet = [drift(autoregression(rng, (BEFORE,), 0.5, 1.0))[1] for _ in range(300)]
    assert (np.abs(quiet) > 2.5).mean() < 0.06
    slope, t = drift(0.2 * np.arange(BEFORE) + autoregression(rng, (BEFORE,), 0.5, 1.0))
    assert abs(slope - 0.2) < 0.05
    assert t > 2.5
    assert drift(2.0 * np.arange(4)) == (2.0, math.inf)


def test_blocks_are_as_long_as_the_window_and_leave_three():
    alternating = np.tile([1.0, -1.0], 32)
    assert [block_length(alternating, 3, h) for h in (1, 4, 9, 40)] == [4, 4, 9, 21]
    assert block_length(np.repeat([1.0, -1.0], 32), 3) == 21


def test_autocorrelation_of_a_constant_is_zero():
    assert autocorrelation(np.ones(5)) == 0
    assert autocorrelation(np.array([1.0, -1, 1, -1])) == -0.75


def test_sets_at_random_give_the_error_of_all_sets(monkeypatch):
    sales = panel(np.random.default_rng(6), 3, 12)
    y, x, did = sales[:3].mean(axis=0), sales[3:], estimator("did")
    drawn = standard_error("did", (y, x), BEFORE, did, 3, np.random.default_rng(1))
    monkeypatch.setattr(geo_estimators, "SETS", 220)
    whole = standard_error("did", (y, x), BEFORE, did, 3, np.random.default_rng(1))
    assert (len(drawn.draws), len(whole.draws)) == (200, 220)
    assert drawn.scale != whole.scale
    assert abs(drawn.scale / whole.scale - 1) < 0.1


def test_twins_are_left_out_of_the_placebos():
    sales = panel(np.random.default_rng(7), 1, 10)
    sales[10] = sales[9] + 5
    ratios, exact = placebo_in_space(
        sales[1:], BEFORE, estimator("synthetic-control"), 1, np.random.default_rng(1)
    )
    assert (len(ratios), exact) == (8, 2)
    found = standard_error(
        "synthetic-control",
        (sales[0], sales[1:]),
        BEFORE,
        estimator("synthetic-control"),
        1,
        np.random.default_rng(1),
    )
    assert found.notes == ["2 placebos were fitted exactly and are left out."]
