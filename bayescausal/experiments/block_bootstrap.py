"""Block bootstrap of a time series: how long the blocks are, and which periods are drawn."""

from __future__ import annotations

import math

import numpy as np


def autocorrelation(series: np.ndarray) -> float:
    """Return the first autocorrelation, zero for series without variation.

    Series of several units, shape ``(unit, time)``, are centered one by one and pooled.
    """
    centered = series - series.mean(axis=-1, keepdims=True)
    power = float((centered**2).sum())
    return float((centered[..., 1:] * centered[..., :-1]).sum()) / power if power else 0.0


def block_rule(n: int, r: float) -> int:
    """Return the block length for the mean of ``n`` periods with autocorrelation ``r``.

        (sqrt(6) r / (1 - r^2))^(2/3) n^(1/3),  at least n^(1/3),  rounded up

    It minimizes the squared error of the variance of a mean if the series is AR(1).

    Source: Carlstein (1986), Ann. Statist. 14; Politis and White (2004), Econometric Reviews 23.

    Examples
    --------
    >>> block_rule(64, 0.0), block_rule(64, 0.8)
    (4, 13)
    """
    r = min(max(r, 0.0), 0.97)
    longer = max(1.0, (math.sqrt(6) * r / (1 - r**2)) ** (2 / 3))
    return math.ceil(longer * n ** (1 / 3) - 1e-9)  # a root that rounds up is not one more


def block_length(series: np.ndarray, fewest_blocks: int, least: int = 1) -> int:
    """Return the length that `block_rule` asks for, at least `least`, so that some blocks fit."""
    n = series.shape[-1]
    return max(1, min(n // fewest_blocks, max(least, block_rule(n, autocorrelation(series)))))


def draw_blocks(
    starts: int, length: int, blocks: int, repeats: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw blocks of neighboring periods, one after the other; each begins before `starts`.

    Returns
    -------
    array of int, shape ``(repeats, blocks * length)``
        Positions of periods. Those of circular blocks are taken modulo the number of periods.

    Notes
    -----
    Source: Künsch (1989), Ann. Statist. 17; Politis and Romano (1992), in Exploring the Limits
    of Bootstrap, for circular blocks.
    """
    first = rng.integers(starts, size=(repeats, blocks, 1))
    return (first + np.arange(length)).reshape(repeats, -1)
