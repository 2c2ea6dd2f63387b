"""Cross-moment estimators and their block bootstrap, against least squares."""

import math

import numpy as np
import pytest

from bayescausal.experiments.block_bootstrap import block_length
from bayescausal.validation.linear_design import (
    coefficients,
    moments,
    resampling_counts,
    residuals,
)


def autoregression(rng, n, r, repeats=1):
    """Unit-variance AR(1) paths, shape ``(repeats, n)``."""
    out = rng.normal(size=(repeats, n))
    for t in range(1, n):
        out[:, t] = r * out[:, t - 1] + math.sqrt(1 - r**2) * out[:, t]
    return out


@pytest.mark.parametrize("by_unit", [False, True])
def test_coefficients_are_those_of_least_squares(by_unit):
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(6, 3, 40))
    columns[0] = 1.0
    whole = moments(columns, by_unit).sum(axis=0)
    flat = columns.reshape(6, -1).T
    both = np.linalg.lstsq(flat[:, [0, 1, 2, 3, 4]], flat[:, 5], rcond=None)[0]
    assert coefficients(whole, 5, [3, 4], [0, 1, 2]) == pytest.approx(both[3:], rel=1e-10)
    error = flat[:, 5] - flat[:, :5] @ both
    assert residuals(columns, 5, [0, 1, 2, 3, 4]).ravel() == pytest.approx(error, abs=1e-12)


def test_coefficients_of_an_instrument_are_two_stage_least_squares():
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(5, 1, 50))
    columns[0] = 1.0
    flat = columns.reshape(5, -1).T
    first = np.linalg.lstsq(flat[:, [0, 1, 2]], flat[:, 3], rcond=None)[0]
    fitted = np.column_stack([flat[:, [0, 1]], flat[:, [0, 1, 2]] @ first])
    second = np.linalg.lstsq(fitted, flat[:, 4], rcond=None)[0]
    whole = moments(columns).sum(axis=0)
    assert coefficients(whole, 4, [3], [0, 1], [2])[0] == pytest.approx(second[2], rel=1e-9)


def test_a_treatment_that_does_not_vary_has_no_coefficient():
    columns = np.random.default_rng(2).normal(size=(3, 1, 20))
    columns[0] = 1.0
    columns[1] = 4.0
    assert np.isnan(coefficients(moments(columns).sum(axis=0), 2, [1], [0])).all()


def test_weighted_moments_are_those_of_the_repeated_rows():
    rng = np.random.default_rng(3)
    columns = rng.normal(size=(3, 2, 12))
    counts = resampling_counts(12, 3, 1, rng)[0]
    again = np.repeat(columns, counts, axis=2)
    weighted = np.tensordot(counts, moments(columns), axes=1)
    assert weighted == pytest.approx(moments(again).sum(axis=0), rel=1e-12)


@pytest.mark.parametrize(("count", "block"), [(10, 1), (10, 3), (10, 10), (7, 4)])
def test_resamples_keep_the_number_of_rows_and_favor_none(count, block):
    drawn = resampling_counts(count, block, 4000, np.random.default_rng(4))
    assert (drawn.sum(axis=1) == count).all()
    # A period's count has a variance below `block` plus 1; 5 standard errors of its mean.
    assert drawn.mean(axis=0) == pytest.approx(
        np.ones(count), abs=5 * math.sqrt((block + 1) / 4000)
    )


def test_a_block_is_drawn_as_a_whole():
    drawn = resampling_counts(20, 5, 200, np.random.default_rng(5))
    rows = [np.flatnonzero(row) for row in drawn]
    around = [np.isin((row[:, None] + [-1, 1]) % 20, row).any(axis=1) for row in rows]
    assert all(neighbor.all() for neighbor in around)


def test_blocks_grow_with_the_number_of_periods_and_their_memory():
    rng = np.random.default_rng(6)
    white, slow = rng.normal(size=(1, 1000)), autoregression(rng, 1000, 0.8)
    assert block_length(white, 4) == 10
    expected = (math.sqrt(6) * 0.8 / (1 - 0.8**2)) ** (2 / 3) * 10
    assert block_length(slow, 4) == pytest.approx(expected, rel=0.25)  # r is estimated: sd 0.02
    assert block_length(np.cumsum(white)[None, :16], 4) <= 4  # a quarter of the periods
    assert block_length(np.zeros((1, 27)), 4) == 3


def test_under_autocorrelation_blocks_cover_more_often_than_rows():
    """Slope zero, regressor and error AR(1) of 0.8, 156 weeks, 90% intervals, 200 worlds.

    Rows are expected to cover about two times in three: the variance of the slope is larger by
    ``(1 + .64) / (1 - .64) = 4.6``, so their interval spans 1.645 / 2.13 = 0.77 standard
    deviations, which hold 56%. Blocks recover most of it and not all: n / block is about 14.
    The bounds leave four standard errors of a share of 200, ``4 * sqrt(.25 / 200) = 0.14``.
    """
    rng = np.random.default_rng(7)
    n, worlds, repeats = 156, 200, 200
    x, y = (autoregression(rng, n, 0.8, worlds) for _ in range(2))
    covered = {"rows": 0, "blocks": 0}
    only_blocks = only_rows = 0
    for k in range(worlds):
        columns = np.stack([np.ones(n), x[k], y[k]])[:, None]
        each = moments(columns)
        score = residuals(columns, 2, [0, 1]) * residuals(columns, 1, [0])
        hit = {}
        for name, block in (("rows", 1), ("blocks", block_length(score, 4))):
            counts = resampling_counts(n, block, repeats, rng)
            drawn = coefficients(np.tensordot(counts, each, axes=1), 2, [1], [0])[:, 0]
            low, high = np.quantile(drawn, [0.05, 0.95])
            hit[name] = low <= 0 <= high
            covered[name] += hit[name]
        only_blocks += hit["blocks"] and not hit["rows"]
        only_rows += hit["rows"] and not hit["blocks"]
    shares = {name: count / worlds for name, count in covered.items()}
    assert shares["rows"] < 0.56 + 0.14
    assert shares["blocks"] > 0.84 - 0.14
    # Were both alike, either kind of discordant world were as likely: four standard errors.
    assert only_blocks - only_rows > 4 * math.sqrt(only_blocks + only_rows)
