"""Estimators of a node given its parents: formulas and corners."""

import numpy as np
import pandas as pd
import pytest

from bayescausal.augmentation import conditionals
from bayescausal.augmentation.augment import augment
from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.conditionals import (
    KNearest,
    NadarayaWatson,
    ResidualBootstrap,
    default_conditional,
)
from bayescausal.augmentation.donors import Conditional, ParentValues
from bayescausal.augmentation.forest import Forest
from bayescausal.augmentation.local_linear import LocalLinear
from bayescausal.augmentation.regression import features, fit_mean
from bayescausal.errors import SpecError
from bayescausal.graphs.graph import Graph
from bayescausal.specs.row_methods import Ancestral

EVERY = [
    NadarayaWatson(),
    NadarayaWatson("scott", mismatch=None),
    NadarayaWatson("likelihood"),
    NadarayaWatson(0.3, kernel="epanechnikov"),
    KNearest(),
    ResidualBootstrap(),
    ResidualBootstrap(knots=2, local=True),
    LocalLinear(),
    Forest(trees=10),
]


def number(values, name="x"):
    values = np.asarray(values, float)
    values = values.reshape(len(values), -1)
    return Block(name, tuple(f"{name}@{k}" for k in range(values.shape[1])), values)


def category(codes, levels, name="c"):
    return Block(name, (name,), np.asarray(codes, float)[:, None], tuple(levels))


def one_row(*values):
    """One given row."""
    return [ParentValues(np.atleast_2d(np.asarray(v, float))) for v in values]


def mixed(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    x = number(np.round(rng.normal(size=rows), 1))  # with ties
    window = number(rng.normal(size=(rows, 3)), "w")
    c = category(rng.integers(0, 3, rows), "abc")
    y = x.values[:, 0] + window.values[:, 0] + c.values[:, 0] + 0.3 * rng.normal(size=rows)
    return (c, window, x), number(y, "y")


@pytest.mark.parametrize("conditional", EVERY, ids=repr)
def test_probabilities_are_probabilities_of_observed_and_of_far_values(conditional):
    parents, child = mixed()
    fitted = conditional.fit(parents, child)
    rows = np.array([0, 7, 7, 39])
    observed = [ParentValues(p.values[rows], rows) for p in parents]
    synthetic = [ParentValues(g.values) for g in observed]
    outliers = one_row([2.0], [1e5, -1e5, 0], [1e9])
    for points in (observed, synthetic, outliers):
        chosen = fitted.probabilities(points)
        assert chosen.shape == (len(points[0].values), 40)
        assert (chosen >= 0).all()
        np.testing.assert_allclose(chosen.sum(axis=1), 1, rtol=1e-12)
        assert np.isfinite(fitted.donate(chosen.argmax(axis=1), points)).all()
    np.testing.assert_allclose(
        fitted.probabilities(observed), fitted.probabilities(synthetic), rtol=1e-9, atol=1e-300
    )


@pytest.mark.parametrize("conditional", EVERY, ids=repr)
def test_units_of_measurement_do_not_matter(conditional):
    parents, child = mixed()
    c, window, x = parents
    scaled = c, number(window.values * 1e4, "w"), number(x.values / 256 + 5, "x")
    rows = np.arange(40)
    original_odds = conditional.fit(parents, child).probabilities(
        [ParentValues(p.values, rows) for p in parents]
    )
    scaled_odds = conditional.fit(scaled, child).probabilities(
        [ParentValues(p.values, rows) for p in scaled]
    )
    # L-BFGS stops a little apart
    np.testing.assert_allclose(original_odds, scaled_odds, rtol=1e-3, atol=1e-5)


def test_nadaraya_watson_is_its_formula():
    parents, child = mixed(12)
    c, window, x = parents
    conditional = NadarayaWatson(0.5, mismatch=0.2)
    points = one_row([1.0], window.values[3] + 0.1, [0.3])
    expected = np.ones(12)
    for k in range(12):
        for parent, z in ((window, points[1].values[0]), (x, points[2].values[0])):
            h = 0.5 * parent.values.std(axis=0, ddof=1)
            expected[k] *= np.exp(-(((z - parent.values[k]) / h) ** 2).sum() / 2)
        expected[k] *= 1 if c.values[k] == 1 else 0.2
    probability = conditional.fit(parents, child).probabilities(points)[0]
    np.testing.assert_allclose(probability, expected / expected.sum(), rtol=1e-10)


def test_tables_and_direct_evaluation_agree(monkeypatch):
    parents, child = mixed()
    rows = np.arange(40)
    points = [ParentValues(p.values, rows) for p in parents]
    for conditional in (NadarayaWatson(), NadarayaWatson(mismatch=None)):
        tabulated = conditional.fit(parents, child).probabilities(points)
        with monkeypatch.context() as patch:
            patch.setattr(conditionals, "TABLE_CELLS", 0)
            direct = conditional.fit(parents, child).probabilities(points)
        np.testing.assert_allclose(tabulated, direct, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("kernel", ["epanechnikov", "biweight", "triweight", "tricube"])
def test_out_of_reach_of_a_kernel_the_nearest_row_donates(kernel):
    x = number([0.0, 1.0, 1.0, 9.0])
    fitted = NadarayaWatson(0.01, kernel=kernel).fit([x], x)
    assert fitted.probabilities(one_row([0.7])).tolist() == [[0, 0.5, 0.5, 0]]
    assert fitted.probabilities(one_row([1e12])).tolist() == [[0, 0, 0, 1]]
    assert fitted.probabilities(one_row([9.0])).tolist() == [[0, 0, 0, 1]]


def test_far_from_all_rows_the_nearest_donates_and_nothing_is_lost():
    x = number(np.arange(10.0))
    chosen = NadarayaWatson().fit([x], x).probabilities(one_row([1e7]))
    assert chosen[0, 9] == pytest.approx(1)


def test_a_pair_of_categories_that_was_not_seen_has_the_most_similar_donors():
    a, b = category([0, 0, 1, 1], "pq", "a"), category([0, 0, 1, 2], "rst", "b")
    x = number([0.0, 1.0, 5.0, 0.0])
    chosen = NadarayaWatson().fit([a, b], x).probabilities(one_row([1.0], [0.0]))
    assert chosen.tolist() == [[0.25] * 4]  # one category of two, each of them
    with_number = NadarayaWatson(0.5).fit([a, b, x], x)
    points = one_row([0.0], [1.0], [0.9])  # a as in rows 0 and 1, b as in row 2
    weights = np.exp(-0.5 * ((0.9 - np.array([0, 1.0, 5])) / (0.5 * x.values.std(ddof=1))) ** 2)
    np.testing.assert_allclose(with_number.probabilities(points)[0, :3], weights / weights.sum())


def test_identity_kernel_gives_conditional_frequencies():
    rng = np.random.default_rng(3)
    a, b = category(rng.integers(0, 2, 60), "pq", "a"), category(rng.integers(0, 3, 60), "rst", "b")
    y = category(rng.integers(0, 4, 60), "wxyz", "y")
    fitted = NadarayaWatson().fit([a, b], y)
    for i in range(2):
        for j in range(3):
            cell = (a.values[:, 0] == i) & (b.values[:, 0] == j)
            chosen = fitted.probabilities(one_row([i], [j]))[0]
            for level in range(4):
                frequency = (y.values[cell, 0] == level).mean()
                assert chosen[y.values[:, 0] == level].sum() == pytest.approx(frequency)


def test_a_small_temperature_copies_rows():
    x = number(np.random.default_rng(0).normal(size=30))
    chosen = (
        NadarayaWatson("scott", temperature=0.001)
        .fit([x], x)
        .probabilities([ParentValues(x.values, np.arange(30))])
    )
    np.testing.assert_allclose(chosen, np.eye(30), atol=1e-12)


def test_k_nearest_shares_among_ties_and_counts_categories():
    x = number([0.0, 1.0, 1.0, 1.0, 9.0])
    chosen = KNearest(k=2).fit([x], x).probabilities(one_row([0.0]))
    np.testing.assert_allclose(chosen, [[1 / 2, 1 / 6, 1 / 6, 1 / 6, 0]])
    sd = x.values.std(ddof=1)
    c = category([0, 1, 0, 1, 0], "pq")
    # row 4, of the same category, is 8 / sd > 1 away; the others' category costs a distance of one
    assert 8 / sd > np.sqrt(1 + (7 / sd) ** 2) or 8 / sd > 1
    distance = ((1.0 - x.values[:, 0]) / sd) ** 2 + (c.values[:, 0] != 0)
    chosen = KNearest(k=3).fit([x, c], x).probabilities(one_row([1.0], [0.0]))[0]
    assert set(np.flatnonzero(chosen)) == set(np.flatnonzero(distance <= np.sort(distance)[2]))
    chosen = KNearest().fit([x], x).probabilities(one_row([9.0]))
    assert np.flatnonzero(chosen).size == 4  # k = 2, ties


# --- residual bootstrap -------------------------------------------------------------------------


def test_least_squares_and_the_scale_of_its_residuals():
    parents, child = mixed(60)
    mean = fit_mean(parents, child)
    c, window, x = parents
    design = np.column_stack(
        [np.ones(60), c.values == 1, c.values == 2, window.values, x.values]
    ).astype(float)
    slopes, rss, *_ = np.linalg.lstsq(design, child.values[:, 0], rcond=None)
    np.testing.assert_allclose(mean.predict([p.values for p in parents]), design @ slopes)
    assert mean.residuals.mean() == pytest.approx(0, abs=1e-12)
    assert (mean.residuals**2).mean() == pytest.approx(rss[0] / (60 - 7))


def test_many_features_get_the_ridge_penalty_of_cross_validation():
    rng = np.random.default_rng(5)
    x = number(rng.normal(size=(40, 20)))
    y = number(x.values @ np.r_[1.0, -1, np.zeros(18)] + rng.normal(size=40), "y")
    z = (x.values - x.values.mean(axis=0)) / x.values.std(axis=0)
    target = y.values[:, 0] - y.values.mean()
    scores = {}
    for penalty in np.geomspace(1e-4, 1e4, 60) * 40 / 100:
        hat = z @ np.linalg.solve(z.T @ z + penalty * np.eye(20), z.T)
        rss = ((target - hat @ target) ** 2).sum()
        scores[penalty] = rss / (40 - 1 - np.trace(hat)) ** 2
    best = min(scores, key=scores.get)
    slopes = np.linalg.solve(z.T @ z + best * np.eye(20), z.T @ target)
    np.testing.assert_allclose(fit_mean([x], y).coefficients[1:], slopes, rtol=1e-8)
    assert best > 1  # it does shrink


@pytest.mark.parametrize("columns", [29, 30, 80])
def test_as_many_features_as_rows_are_no_trouble(columns):
    rng = np.random.default_rng(6)
    x = number(np.c_[rng.normal(size=(30, columns)), np.ones(30)])  # and one that does not vary
    mean = fit_mean([x], number(rng.normal(size=30), "y"))
    assert np.isfinite(mean.residuals).all()
    assert np.isfinite(mean.predict([10 * x.values])).all()
    assert 0.2 < mean.residuals.std() < 5


def test_columns_that_are_sums_of_others_are_no_trouble():
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(2, 50))
    x = number(np.c_[a, b, a + b, a])
    y = number(2 * a - b + 0.1 * rng.normal(size=50), "y")
    design = np.c_[np.ones(50), a, b]
    expected = design @ np.linalg.lstsq(design, y.values[:, 0], rcond=None)[0]
    np.testing.assert_allclose(fit_mean([x], y).predict([x.values]), expected, atol=1e-9)


def test_the_spline_bends_inside_and_is_straight_beyond_the_data():
    rng = np.random.default_rng(8)
    x = number(rng.uniform(-2, 2, size=300))
    y = number(np.sin(2 * x.values[:, 0]) + 0.1 * rng.normal(size=300), "y")
    mean = fit_mean([x], y, knots=5)
    interior = np.linspace(-1.7, 1.7, 50)[:, None]
    assert abs(mean.predict([interior]) - np.sin(2 * interior[:, 0])).max() < 0.15
    for exterior in (np.linspace(2, 2.2, 20), np.linspace(-2.2, -2, 20)):
        curvature = np.diff(mean.predict([exterior[:, None]]), 2)
        assert abs(curvature).max() < 1e-8
    slope = mean.coefficients[1] / mean.scale[0]
    outlier_means = mean.predict([np.array([[50.0], [60.0]])])
    # the nonlinear part adds no more than near the rows
    assert np.diff(outlier_means) == pytest.approx(10 * slope)
    assert (mean.residuals**2).mean() == pytest.approx(0.01, rel=0.3)


def test_a_column_with_few_values_has_no_knots():
    x = number([0.0, 1.0] * 20)
    y = number(np.arange(40.0), "y")
    assert fit_mean([x], y, knots=4).nonlinear_part is None


def planned(rows, seed, synergy=0.0):
    """Two channels and a category, and an outcome on which the channels act with a synergy."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=rows), rng.normal(size=rows), rng.integers(0, 3, rows)
    mean = a + 0.5 * b + synergy * a * b + c
    parents = [number(a, "a"), number(b, "b"), category(c.astype(float), "xyz")]
    return parents, number(mean + 0.5 * rng.normal(size=rows), "y"), mean


def test_causes_that_reinforce_each_other_have_a_product():
    parents, y, mean = planned(300, 11, synergy=0.8)
    values = [p.values for p in parents]
    straight, bent = fit_mean(parents, y), fit_mean(parents, y, products=True)
    errors = [np.sqrt(((m.predict(values) - mean) ** 2).mean()) for m in (straight, bent)]
    assert errors[0] > 0.6
    assert errors[1] < 0.2
    points = [np.full((1, 1), x) for x in (1.5, -1.5, 0.0)]  # not among the rows
    assert bent.predict(points)[0] == pytest.approx(1.5 - 0.75 - 0.8 * 2.25, abs=0.35)


def test_where_nothing_bends_the_mean_stays_nearly_linear():
    """Over worlds: half bend not at all, and the mean is little worse than the linear one."""
    worse, freedoms = [], []
    for seed in range(40):
        parents, y, mean = planned(100, seed)
        values = [p.values for p in parents]
        means = [fit_mean(parents, y), fit_mean(parents, y, knots=3, products=True)]
        worse.append([((m.predict(values) - mean) ** 2).mean() for m in means])
        freedoms.append(len(y.values) * (1 - 1 / _inflation(means[1], y, values)))
    straight, bent = np.mean(worse, axis=0)
    assert straight < bent < 1.5 * straight
    assert np.median(freedoms) < 1 + 4 + 1


def _inflation(mean, y, values):
    """Factor by which residuals were inflated, squared: n / (n - p)."""
    raw = y.values[:, 0] - mean.predict(values)
    return mean.residuals.var() / raw.var()


def test_a_window_bends_along_its_contribution():
    """One index for the four weeks of a window: a product with another cause is one column."""
    rng = np.random.default_rng(12)
    window, noise = rng.normal(size=(2, 200, 4))
    reach, drive = window @ [1.0, 0.6, 0.3, 0.1], noise[:, 0]
    parents = [number(window, "window"), number(drive, "drive")]
    y = number(reach + drive + 0.7 * reach * drive + 0.3 * rng.normal(size=200), "y")
    mean = fit_mean(parents, y, products=True)
    assert len(mean.coefficients) == 1 + 5
    assert len(mean.nonlinear_part.slopes) == 1
    fitted = mean.predict([p.values for p in parents])
    assert np.corrcoef(fitted, y.values[:, 0])[0, 1] > 0.97


def test_a_linear_mean_is_asked_for_by_name():
    parents, y, _ = planned(120, 13, synergy=0.8)
    fitted = ResidualBootstrap(knots=0, products=False).fit(parents, y)
    assert fitted.mean.coefficients.tolist() == fit_mean(parents, y).coefficients.tolist()
    assert fitted.mean.nonlinear_part is None
    assert ResidualBootstrap().fit(parents, y).mean.nonlinear_part is not None


def test_nothing_bends_where_rows_are_few_for_the_linear_part():
    parents, y, _ = planned(18, 14, synergy=0.8)
    assert fit_mean(parents, y, knots=3, products=True).nonlinear_part is None


@pytest.mark.parametrize(("rows", "share"), [(30, 0.15), (52, 0.15), (104, 0.1)])
def test_channels_that_are_seldom_on_together_have_no_product(rows, share):
    """Linear truth; recombined weeks have channels on together: a product would be a guess."""
    worst = []
    for seed in range(60):
        rng = np.random.default_rng([rows, seed])
        x = np.exp(rng.normal(size=(rows, 3))) * (rng.random((rows, 3)) < share)
        if not x.std(axis=0).all():
            continue
        y = number(x.sum(axis=1) + rng.normal(size=rows), "y")
        parents = [number(column) for column in x.T]
        mixed_up = [rng.permutation(column)[:, None] for column in x.T]
        truth = sum(mixed_up)[:, 0]
        means = (fit_mean(parents, y), fit_mean(parents, y, knots=3, products=True))
        worst.append([np.sqrt(((m.predict(mixed_up) - truth) ** 2).mean()) for m in means])
    straight, bent = np.array(worst).T
    assert bent.max() < 1.5 * straight.max()
    assert np.median(bent) < 1.1 * np.median(straight)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-8, 1e-10, 1e-12])
def test_causes_that_are_nearly_copies_do_not_blow_up(gap):
    rng = np.random.default_rng(15)
    a = rng.normal(size=104)
    b = a + gap * rng.normal(size=104)
    y = number(a + b + rng.normal(size=104), "y")
    for settings in ({}, {"knots": 3, "products": True}):
        mean = fit_mean([number(a, "a"), number(b, "b")], y, **settings)
        prediction = mean.predict([np.array([[1.0]]), np.array([[-1.0]])])
        assert abs(prediction) < 10


def test_a_category_of_one_level_has_no_feature():
    c = category([0.0] * 9, "a")
    assert features([c], [c.values]).shape == (9, 0)
    assert fit_mean([c], number(np.arange(9.0), "y")).predict([c.values]).tolist() == [4.0] * 9


def test_local_residuals_follow_the_spread_and_global_ones_do_not():
    rng = np.random.default_rng(9)
    x = rng.uniform(0, 1, size=400)
    frame = pd.DataFrame({"x": x, "y": x + (0.1 + 2 * x) * rng.normal(size=400)})

    def ratio(local):
        conditional = {"y": ResidualBootstrap(local=local)}
        rows = augment(
            frame, Graph.parse("x -> y"), conditional=conditional, method=Ancestral(4000), seed=0
        )
        x_values, y_values = rows.values["x"][:, 0], rows.values["y"][:, 0]
        errors = y_values - np.polyval(np.polyfit(x_values, y_values, 1), x_values)
        return errors[x_values > 0.75].std() / errors[x_values < 0.25].std()

    assert 0.9 < ratio(local=False) < 1.1
    assert ratio(local=True) > 3  # 1.85 / 0.36 = 5.1 in truth, smoothed over a bandwidth


# --- local linear -------------------------------------------------------------------------------


def test_local_slopes_are_their_formula():
    parents, child = mixed(30)
    _, window, x = parents
    fitted = LocalLinear(NadarayaWatson("scott", mismatch=0.3)).fit(parents, child)
    points = one_row([1.0], [0.2, -0.1, 0.4], [0.5])
    p = fitted.kernels.probabilities(points)[0]
    columns = np.c_[window.values, x.values]
    sd = columns.std(axis=0, ddof=1)
    z, y = (columns - columns.mean(axis=0)) / sd, child.values[:, 0]
    zc, yc = z - p @ z, y - p @ y
    h = np.concatenate([fitted.kernels.bandwidths[1], fitted.kernels.bandwidths[2]]) / sd
    penalty = np.diag(4 * (p**2).sum() * np.minimum(h, 1) ** 2)
    squares, products = (zc * p[:, None]).T @ zc, (zc * p[:, None]).T @ yc
    coefficients = fit_mean(parents, child)
    everywhere = (coefficients.coefficients[1:] / coefficients.scale)[2:] * sd
    expected = everywhere + np.linalg.solve(squares + penalty, products - squares @ everywhere)
    np.testing.assert_allclose(fitted.slopes(points)[0], expected, rtol=1e-6)
    move = (np.r_[0.2, -0.1, 0.4, 0.5] - columns[7]) / sd
    donated = fitted.donate(np.array([7]), points)[0, 0]
    assert donated == pytest.approx(y[7] + move @ expected, rel=1e-6)


def test_local_linear_is_exact_on_a_line_however_far():
    x = number(np.random.default_rng(0).normal(size=(50, 2)))
    y = number(x.values @ [2.0, -1.0] + 3, "y")
    fitted = LocalLinear().fit([x], y)
    points = [ParentValues(np.array([[0.0, 0.0], [30.0, -40.0]]))]
    np.testing.assert_allclose(fitted.donate(np.array([3, 8]), points)[:, 0], [3, 103], rtol=1e-7)


def test_local_linear_follows_a_curve_that_one_slope_does_not():
    rng = np.random.default_rng(1)
    x = number(rng.uniform(-2, 2, size=300))
    y = number(x.values[:, 0] ** 2, "y")  # no noise: what is left is bias
    z = np.linspace(-1.8, 1.8, 40)

    def bias(conditional):
        fitted = conditional.fit([x], y)
        points = [ParentValues(z[:, None])]
        p = fitted.probabilities(points)
        # 100 donors at even places of each distribution
        cumulative = np.cumsum(p, axis=1)
        donors = [np.searchsorted(h, (np.arange(100) + 0.5) / 100) for h in cumulative]
        means = np.array(
            [
                fitted.donate(np.minimum(d, 299), [ParentValues(np.full((100, 1), v))]).mean()
                for d, v in zip(donors, z, strict=True)
            ]
        )
        return np.sqrt(((means - z**2) ** 2).mean())

    straight = bias(ResidualBootstrap(knots=0, products=False))
    assert bias(LocalLinear()) < bias(NadarayaWatson()) < straight
    assert bias(LocalLinear()) < 0.2 * straight
    assert bias(ResidualBootstrap()) < 0.2 * straight


def test_local_linear_with_categories_only_is_a_kernel_estimate():
    c, y = category([0, 1] * 10, "ab"), number(np.arange(20.0), "y")
    fitted = LocalLinear(NadarayaWatson()).fit([c], y)
    assert not fitted.moves
    assert fitted.donate(np.array([4]), one_row([0.0])).tolist() == [[4.0]]


def test_a_column_that_repeats_another_makes_no_singular_slope():
    rng = np.random.default_rng(2)
    a = rng.normal(size=60)
    x = number(np.c_[a, a, a])
    y = number(2 * a + 0.1 * rng.normal(size=60), "y")
    slopes = LocalLinear().fit([x], y).slopes([ParentValues(x.values, np.arange(60))])
    total_slope = slopes.sum(axis=1) / a.std(ddof=1)
    assert total_slope.mean() == pytest.approx(2, abs=0.05)
    assert abs(total_slope - 2).max() < 0.5  # noise of few neighbors, not of a singular design
    np.testing.assert_allclose(slopes[:, 0], slopes[:, 1], rtol=1e-6)


# --- forest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["number", "category", "window"])
def test_forest_weights_are_shares_of_leaves(kind):
    parents, y = mixed(30)
    child = {"number": y, "category": parents[0], "window": parents[1]}[kind]
    parents = [p for p in parents if p is not child]
    fitted = Forest(trees=7, smallest=3).fit(parents, child)
    points = [ParentValues(p.values[[2, 11]] + (0 if p.discrete else 0.05)) for p in parents]
    train = fitted.forest.apply(features(parents, [p.values for p in parents]))
    point_leaves = fitted.forest.apply(features(parents, [g.values for g in points]))
    expected = np.zeros((2, 30))
    for row in range(2):
        for tree in range(7):
            is_member = train[:, tree] == point_leaves[row, tree]
            expected[row] += is_member / is_member.sum() / 7
    np.testing.assert_allclose(fitted.probabilities(points), expected, atol=1e-12)


def test_a_forest_is_the_same_for_the_same_seed():
    parents, child = mixed(30)
    points = [ParentValues(p.values, np.arange(30)) for p in parents]
    first, second, third = (
        Forest(trees=5, seed=seed).fit(parents, child).probabilities(points) for seed in (1, 1, 2)
    )
    assert (first == second).all()
    assert (first != third).any()


# --- settings -----------------------------------------------------------------------------------

WRONG = {
    "bandwidth rule": (lambda: NadarayaWatson("scot"), "Did you mean 'scott'"),
    "bandwidth zero": (lambda: NadarayaWatson(0.0), "positive"),
    "bandwidth none": (lambda: NadarayaWatson(None), "bandwidth must be a number"),
    "temperature": (lambda: NadarayaWatson(temperature=-1), "positive"),
    "temperature text": (lambda: NadarayaWatson(temperature="hot"), "temperature must be a number"),
    "kernel": (lambda: NadarayaWatson(kernel="gauss"), "Did you mean 'gaussian'"),
    "mismatch": (lambda: NadarayaWatson(mismatch=2.0), "between 0"),
    "k": (lambda: KNearest(0), "number of rows"),
    "k above": (lambda: KNearest(9).fit([number([1, 2])], number([1, 2])), "k=9"),
    "knots": (lambda: ResidualBootstrap(knots=1.5), "inner knots"),
    "trees": (lambda: Forest(trees=0), "trees is a whole number"),
    "residual of a window": (
        lambda: ResidualBootstrap().fit([number([1, 2])], number([[1, 2], [3, 4]])),
        "several columns",
    ),
    "slope of a category": (
        lambda: LocalLinear().fit([number([1, 2])], category([0, 1], "ab")),
        "is a category",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_settings_are_refused_with_advice(case):
    make, message = WRONG[case]
    with pytest.raises(SpecError, match=message):
        make()


def test_the_default_is_residual_bootstrap_for_one_number():
    x, c = number([1, 2]), category([0, 1], "ab")
    assert default_conditional([c], x) == ResidualBootstrap()
    assert default_conditional([x], c) == NadarayaWatson()
    assert default_conditional([x], number([[1, 2], [3, 4]])) == NadarayaWatson()


def test_an_estimator_without_bind_says_so():
    with pytest.raises(NotImplementedError, match="bind"):
        Conditional().fit([number([1, 2])], number([1, 2]))
