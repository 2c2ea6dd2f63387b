"""Kernels on the values of a block, and rules of thumb for their bandwidths.

A kernel measures how alike two values are, as a logarithm up to a constant; logarithms of several
columns, or several blocks, add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from scipy.spatial.distance import cdist

from bayescausal.augmentation.blocks import Block

type Rule = Literal["silverman", "scott", "likelihood"]

KERNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gaussian": lambda u: -0.5 * u**2,
    "epanechnikov": lambda u: _log(1 - u**2),
    "biweight": lambda u: 2 * _log(1 - u**2),
    "triweight": lambda u: 3 * _log(1 - u**2),
    "tricube": lambda u: 3 * _log(1 - np.abs(u) ** 3),
}
"""Log kernels of a scaled difference ``u``, up to a constant.

All but the Gaussian end at one bandwidth. The rules give them the bandwidth of the Gaussian, as
the reference implementation does; they are then two to three times narrower than it.
"""

CONSTANTS = {"silverman": 0.9, "scott": (4 / 3) ** 0.2}
"""Factor of ``min(sd, IQR / 1.349) n^(-1/5)``: Silverman's, and the normal reference rule."""


def _log(x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(x, 0.0))


def rule_of_thumb(values: np.ndarray, rule: str = "silverman") -> np.ndarray:
    """Return the bandwidth of each column: ``C min(sd, IQR / 1.349) n^(-1/5)``.

    C is 0.9, or (4/3)^(1/5) = 1.059 by Scott's rule, which is optimal for normal data.

    Notes
    -----
    The exponent is that of one dimension, whatever their number, as in the reference
    implementation of causal data augmentation. Source: Silverman (1986), section 3.4.

    Examples
    --------
    >>> rule_of_thumb(np.arange(32.0)[:, None]).round(3)
    array([4.221])
    """
    spread = values.std(axis=0, ddof=1)
    low, high = np.quantile(values, [0.25, 0.75], axis=0)
    robust = (high - low) / 1.349
    scale = np.where(robust > 0, np.minimum(spread, robust), spread)
    return CONSTANTS[rule] * np.where(scale > 0, scale, 1.0) * len(values) ** -0.2


def log_kernel(
    block: Block, points: np.ndarray, bandwidth: np.ndarray, kernel: str, mismatch: float
) -> np.ndarray:
    """Return the log kernel of points, shape ``(point, column)``, and rows: ``(point, row)``.

    Numbers have a bandwidth by column and one of `KERNELS`. Categories have `mismatch`, the kernel
    of two different ones relative to that of equal ones: 0 for identity.
    """
    if block.discrete:
        is_equal = points[:, :1] == block.values[:, 0]
        return np.where(is_equal, 0.0, _log(np.array(mismatch)))
    if kernel == "gaussian":
        return -0.5 * cdist(points / bandwidth, block.values / bandwidth, "sqeuclidean")
    total = np.zeros((len(points), len(block.values)))
    for column, h in enumerate(bandwidth):
        total += KERNELS[kernel]((points[:, column, None] - block.values[:, column]) / h)
    return total


def most_alike_rows(blocks: Sequence[Block], points: Sequence[np.ndarray]) -> np.ndarray:
    """Return which rows share most categories with points, shape ``(point, row)``.

    The unit of a panel counts more than all others together.
    """
    mismatches = np.zeros((len(points[0]), len(blocks[0].values)), int)
    for block, values in zip(blocks, points, strict=True):
        if block.discrete:
            weight = len(blocks) if block.divides else 1
            mismatches += weight * (values[:, :1] != block.values[:, 0])
    return mismatches == mismatches.min(axis=1, keepdims=True)


def nearest_rows(blocks: Sequence[Block], points: Sequence[np.ndarray]) -> np.ndarray:
    """Return which rows are nearest to points, shape ``(point, row)``; ties count all.

    Among the rows with most categories equal, those with the least sum of squared differences in
    standard deviations.

    Examples
    --------
    >>> x = Block("x", ("x",), np.array([[0.0], [2.0], [9.0]]))
    >>> nearest_rows([x], [np.array([[1.0], [100.0]])])
    array([[ True,  True, False],
           [False, False,  True]])
    """
    distance = np.where(most_alike_rows(blocks, points), 0.0, np.inf)
    for block, values in zip(blocks, points, strict=True):
        if not block.discrete:
            distance -= 2 * log_kernel(block, values, spread_of(block), "gaussian", 0.0)
    return distance == distance.min(axis=1, keepdims=True)


def spread_of(block: Block) -> np.ndarray:
    """Return the standard deviation of each column, 1 for a column that does not vary."""
    spread = block.values.std(axis=0, ddof=1)
    return np.where(spread > 0, spread, 1.0)


def aitchison_aitken(levels: int, rows: int) -> float:
    """Return the kernel of two different categories relative to equal ones.

        lambda / (c - 1) / (1 - lambda),    lambda = (c - 1) / c n^(-2/5)

    Source: Aitchison and Aitken (1976), Biometrika 63; the rate is that of Li and Racine (2007).
    """
    if levels < 2:
        return 0.0
    smooth = (levels - 1) / levels * rows**-0.4
    return smooth / (levels - 1) / (1 - smooth)
