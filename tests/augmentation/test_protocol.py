"""The evaluation harness measures what it says: distances, folds, worlds, weighted regression."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance

import bayescausal

FOLDER = Path(bayescausal.__file__).parents[1] / "benchmarks" / "augmentation"
NAMES = ("marketing_worlds", "metrics", "random_worlds", "rows", "weighted_regression")


@pytest.fixture(scope="module")
def load():
    """Import files of the benchmark, as its scripts do, and forget them afterwards."""
    if not FOLDER.exists():
        pytest.skip("installed without the benchmarks")
    modules = {name: sys.modules.pop(name, None) for name in NAMES}
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module
    sys.path.remove(str(FOLDER))
    for name in NAMES:
        sys.modules.pop(name, None)
        if modules[name] is not None:
            sys.modules[name] = modules[name]


@pytest.fixture(scope="module")
def metrics(load):
    return load("metrics")


def test_kl_of_normals_is_the_closed_form(metrics):
    rng = np.random.default_rng(1)
    truth, rows = rng.normal(size=(3000, 2)), rng.normal(0.5, 1.5, (3000, 2))
    exact = 2 * (np.log(1.5) + (1 + 0.25) / (2 * 1.5**2) - 0.5)
    assert metrics.kl_divergence(truth, rows) == pytest.approx(exact, abs=0.08)
    assert metrics.kl_divergence(truth, rng.normal(size=(3000, 2))) == pytest.approx(0, abs=0.08)


def test_kl_reads_weights_as_a_density(metrics):
    """Rows of a wide law with the weights of the truth are the truth; unweighted they are not."""
    rng = np.random.default_rng(2)
    truth, rows = rng.normal(size=(3000, 2)), rng.normal(0, 2, (6000, 2))
    weights = np.exp(-0.5 * (rows**2).sum(axis=1) * (1 - 1 / 4))
    assert metrics.kl_divergence(truth, rows, weights) == pytest.approx(0, abs=0.1)
    assert metrics.kl_divergence(truth, rows) > 0.5
    assert metrics.kl_divergence(truth, rows, weights) == pytest.approx(
        metrics.kl_divergence(truth, rows, 7 * weights), rel=1e-9
    )


def test_kl_adds_the_weights_of_tied_rows(metrics):
    rng = np.random.default_rng(3)
    truth, rows, weights = rng.normal(size=(200, 2)), rng.normal(size=(100, 2)), rng.random(100)
    twice, halves = np.tile(rows, (2, 1)), np.tile(weights / 2, 2)
    divergence = metrics.kl_divergence(truth, rows, weights)
    assert metrics.kl_divergence(truth, twice, halves) == pytest.approx(divergence, rel=1e-9)


def test_sliced_wasserstein_of_one_column_is_the_wasserstein_distance(metrics):
    rng = np.random.default_rng(4)
    a, b, weights = rng.normal(size=(60, 1)), rng.gamma(2, 1, (40, 1)), rng.random(40)
    exact = wasserstein_distance(a[:, 0], b[:, 0], v_weights=weights)
    assert metrics.sliced_wasserstein(a, b, weights, 5, rng) == pytest.approx(exact, rel=1e-9)


def test_exact_wasserstein_is_zero_for_the_same_rows_in_another_order(metrics):
    rng = np.random.default_rng(5)
    a = rng.normal(size=(80, 3))
    shifted_rows = rng.permutation(a) + np.array([0, 1, 0])
    assert metrics.exact_wasserstein(a, rng.permutation(a), np.ones(80), 80, rng) == pytest.approx(
        0
    )
    assert metrics.exact_wasserstein(a, shifted_rows, np.ones(80), 80, rng) == pytest.approx(1.0)


def test_systematic_resampling_keeps_expected_numbers(metrics):
    rng = np.random.default_rng(6)
    draws = metrics.systematic(np.array([1.0, 2.0, 3.0, 4.0]), 100, rng)
    assert np.bincount(draws).tolist() == [10, 20, 30, 40]


def test_relative_variance_difference_is_weighted(metrics):
    observed, rows = np.array([[0.0], [1.0]]), np.array([[0.0], [1.0], [10.0]])
    assert metrics.relative_variance_difference(observed, rows, np.array([1, 1, 0.0])) == 0
    assert metrics.relative_variance_difference(observed, rows, np.ones(3)) > 10


@pytest.mark.parametrize("scheme", ["refit", "index"])
def test_no_held_out_value_is_in_the_rows_that_a_fold_trains_on(load, scheme):
    """Kernel estimates lend observed values, so a leak would show as a value."""
    rows, worlds, metrics = load("rows"), load("random_worlds"), load("metrics")
    world = worlds.make_world(worlds.Setting(n=120, d=4), 3)
    train, fold = world.train, metrics.folds(len(world.train), 3, np.random.default_rng(0))
    augmented = rows.augmented(world.train, world, "kernels", 0.01, 1)
    splits = list(rows.held_out(world, "kernels", augmented, fold, scheme, 0.01))
    assert len(splits) >= 3
    targets = train.shape[1] if scheme == "index" else 1
    for k, (target, split) in enumerate(splits):
        holdout = train[fold == k // targets]
        for j, name in enumerate(train.columns):
            assert not np.isin(split.train.values[:, j], holdout[name]).any()
        if target is not None:
            assert np.isin(split.judge.values[:, target], holdout[train.columns[target]]).all()


def test_dealing_rows_at_random_leaks(load):
    """The published folds, so that the test above is known to see a leak."""
    rows, worlds, metrics = load("rows"), load("random_worlds"), load("metrics")
    world = worlds.make_world(worlds.Setting(n=120, d=4), 3)
    fold = metrics.folds(len(world.train), 3, np.random.default_rng(0))
    augmented = rows.augmented(world.train, world, "kernels", 0.01, 1)
    _, split = next(rows.held_out(world, "kernels", augmented, fold, "leaky", 0.01))
    assert np.isin(split.train.values[:, 0], split.judge.values[:, 0]).any()


def test_random_worlds_are_scaled_by_training_rows_and_repeat(load):
    worlds = load("random_worlds")
    world, repeat = (worlds.make_world(worlds.Setting(n=100, outliers=0.05), 5) for _ in range(2))
    pd.testing.assert_frame_equal(world.truth, repeat.truth)
    assert world.graph == repeat.graph
    assert (len(world.train), len(world.test)) == (70, 30)
    np.testing.assert_allclose(world.train.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(world.train.std(ddof=0), 1)
    clean = worlds.make_world(worlds.Setting(n=100), 5)
    assert clean.graph == world.graph
    assert (clean.test.std() < 2).all()


def test_weights_of_two_are_two_rows(load):
    regression = load("weighted_regression")
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"x": rng.normal(size=30), "z": rng.normal(size=30)})
    frame["y"] = frame["x"] - frame["x"] * frame["z"] + rng.normal(size=30)
    weights = np.repeat([1.0, 2.0], 15)
    weighted_fit = regression.fit(frame, weights, "y", ["x", "z", "x*z"])
    rows = pd.concat([frame, frame.iloc[15:]], ignore_index=True)
    repeated_fit = regression.fit(rows, np.ones(45), "y", ["x", "z", "x*z"])
    np.testing.assert_allclose(weighted_fit.mean, repeated_fit.mean)
    np.testing.assert_allclose(weighted_fit.scale, repeated_fit.scale)
    assert weighted_fit.freedom == repeated_fit.freedom


@pytest.mark.parametrize("kind", ["additive", "mediator", "interaction"])
def test_the_truth_of_a_marketing_world_is_what_many_weeks_show(load, kind):
    worlds, regression = load("marketing_worlds"), load("weighted_regression")
    world = worlds.make_world(kind, 40_000, 1)
    posterior = regression.fit(world.frame, np.ones(40_000), "sales", world.terms)
    for effect, reads in world.reads.items():
        estimate, error = posterior.of(dict(reads))
        assert abs(estimate - world.truth[effect]) < 4 * error, effect
        assert error < 0.03
