"""Whether ranks are uniform: an exact test by their ECDF, and what their shape says."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr
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


def shape(ranks: np.ndarray, draws: int) -> tuple[str, float, float]:
    """Say how ranks differ from uniform ones most: words, and z of their mean and their variance.

    A rank counts draws below the truth. Low ranks: draws lie above it. Ranks at both ends: draws
    are too close together.
    """
    u, number = (ranks + 0.5) / (draws + 1), len(ranks)
    variance = (1 - (draws + 1) ** -2) / 12
    z_mean = float((u.mean() - 0.5) / np.sqrt(variance / number))
    z_spread = float((np.mean((u - 0.5) ** 2) / variance - 1) / np.sqrt(0.8 / number))
    if max(abs(z_mean), abs(z_spread)) < 2:
        return "uneven", z_mean, z_spread
    if abs(z_mean) > abs(z_spread):
        return "biased low" if z_mean > 0 else "biased high", z_mean, z_spread
    return "too narrow" if z_spread > 0 else "too wide", z_mean, z_spread


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
    z = rng.standard_normal((_POWER_SAMPLES, number))
    u = rng.random((_POWER_SAMPLES, number))
    critical = np.quantile(null_gammas(number, draws), level)

    def power(truths: np.ndarray) -> float:
        chance = ndtr(truths)  # of a draw below the truth
        ranks = binom.ppf(u, draws, chance).astype(int)
        return float((gamma(ranks, draws) <= critical).mean())

    shifts, ratios = np.arange(0.05, 2.01, 0.05), np.arange(0.95, 0.19, -0.05)
    shift = next((float(s) for s in shifts if power(z + s) >= _POWER), np.nan)
    ratio = next((float(r) for r in ratios if power(z / r) >= _POWER), np.nan)
    return shift, ratio
