"""Whether ranks are uniform: an exact test by their ECDF, and what their shape says."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import binom

_NULL_SAMPLES = 20_000
_SEED = 20260101  # of the reference distribution, so that equal ranks have equal p-values
_POWER_SAMPLES = 400
_POWER = 0.8


class Band(NamedTuple):
    """The ECDF of ranks at each point, less the point: between which curves it should stay."""

    points: np.ndarray
    low: np.ndarray
    high: np.ndarray


def uniformity_p(ranks: np.ndarray, draws: int) -> float:
    """Return the p-value of ranks in ``0..draws`` being uniform, by their whole ECDF.

        gamma = 2 min_i min(P(C_i <= c_i), P(C_i >= c_i)),    C_i ~ Binomial(n, i / (draws + 1))

    ``c_i`` counts ranks below i. The p-value is the share of uniform samples with so small a gamma,
    of 20,000: exact for ranks, ties included, but for that number. Not a chi-squared test of bins,
    which needs a number of bins and does not know that neighbors move together.

    Source: Säilynoja, Bürkner & Vehtari (2022), Graphical test for discrete uniformity.

    Examples
    --------
    >>> uniformity_p(np.arange(100), 99)
    1.0
    >>> uniformity_p(np.zeros(100, int), 99) < 0.001
    True
    """
    null = null_gammas(len(ranks), draws)
    below = np.searchsorted(null, gamma(ranks[None], draws)[0] * (1 + 1e-9), side="right")
    return float((1 + below) / (1 + len(null)))


def gamma(ranks: np.ndarray, draws: int) -> np.ndarray:
    """Return the statistic of each row of ranks, shape ``(sample, n)``: see `uniformity_p`."""
    points = np.arange(1, draws + 1)
    number = ranks.shape[1]
    offsets = (draws + 1) * np.arange(len(ranks))[:, None]
    counts = np.bincount((ranks + offsets).ravel(), minlength=(draws + 1) * len(ranks))
    below = counts.reshape(len(ranks), -1).cumsum(axis=1)[:, :-1]
    return _tails(number, draws)[below, points - 1].min(axis=1)


@lru_cache(maxsize=16)
def _tails(number: int, draws: int) -> np.ndarray:
    """Return twice the smaller tail of each count at each point, ``(count, point)``."""
    counts, shares = np.arange(number + 1)[:, None], np.arange(1, draws + 1) / (draws + 1)
    lower, upper = binom.cdf(counts, number, shares), binom.sf(counts - 1, number, shares)
    return 2 * np.minimum(lower, upper)


@lru_cache(maxsize=16)
def null_gammas(number: int, draws: int) -> np.ndarray:
    """Return the statistic of uniform samples, sorted."""
    rng = np.random.default_rng(_SEED)
    parts = [
        gamma(rng.integers(0, draws + 1, (_NULL_SAMPLES // 20, number)), draws) for _ in range(20)
    ]
    return np.sort(np.concatenate(parts))


def band(number: int, draws: int, level: float) -> Band:
    """Return the simultaneous band of the ECDF of uniform ranks, as differences from it."""
    points = np.arange(1, draws + 1) / (draws + 1)
    critical = np.quantile(null_gammas(number, draws), level)
    low, high = (binom.ppf(q, number, points) / number for q in (critical / 2, 1 - critical / 2))
    return Band(points, low - points, high - points)


class Shape(NamedTuple):
    """How ranks differ from uniform ones, by their normal scores, and in words.

    ``shift``: how far the posterior lies too high, in standard deviations. ``spread``: how many
    times as wide it should be. Both are exact for a normal posterior, and 0 and 1 when calibrated.
    """

    shift: float
    spread: float
    words: str


def shape(ranks: np.ndarray, draws: int) -> Shape:
    """Say how ranks differ from uniform ones most; a rank counts the draws below the truth."""
    scores = ndtri((ranks + 0.5) / (draws + 1))
    shift, spread = -float(scores.mean()), float(scores.std())
    z_shift, z_spread = shift * np.sqrt(len(ranks)), (spread - 1) * np.sqrt(2 * len(ranks))
    if max(abs(z_shift), abs(z_spread)) < 2:
        words = "uneven"
    elif abs(z_shift) > abs(z_spread):
        words = "biased high" if shift > 0 else "biased low"
    else:
        words = "too narrow" if spread > 1 else "too wide"
    return Shape(shift, spread, words)


@lru_cache(maxsize=16)
def detectable(number: int, draws: int, level: float) -> tuple[float, float]:
    """Return what would be seen in 8 of 10 such studies, of a posterior that is normal.

    Returns
    -------
    shift : float
        Of the posterior, in its standard deviations; NaN when none up to 2 would be.
    ratio : float
        Below 1: standard deviation of the posterior over the one it should have; NaN when none
        down to 0.2 would be.
    """
    rng = np.random.default_rng(_SEED + 1)
    truths = rng.standard_normal((_POWER_SAMPLES, number))
    critical = np.quantile(null_gammas(number, draws), level)

    def is_seen(shift: float, ratio: float) -> bool:
        ranks = rng.binomial(draws, ndtr((truths - shift) / ratio))
        return bool((gamma(ranks, draws) <= critical).mean() >= _POWER)

    shifts, ratios = np.arange(0.05, 2.01, 0.05), np.arange(0.95, 0.19, -0.05)
    shift = bisect_left(shifts, True, key=lambda s: is_seen(s, 1.0))
    ratio = bisect_left(ratios, True, key=lambda r: is_seen(0.0, r))
    return (
        float(shifts[shift]) if shift < len(shifts) else np.nan,
        float(ratios[ratio]) if ratio < len(ratios) else np.nan,
    )
