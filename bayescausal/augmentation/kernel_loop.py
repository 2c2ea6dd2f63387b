"""One compiled loop that draws donors by Gaussian kernel weights, for many observed rows.

No array of rows x donors is made. Weights equal those of `donor_draw` up to rounding, so the same
uniforms draw the same donors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import lazy_loader as lazy
import numpy as np

numba = lazy.load("numba")  # takes longer to load than all of augmentation, which few fits use

NEGLIGIBLE = -37.0
"""Log weight relative to the nearest donor's below which a donor cannot be drawn: 1e-16."""


def draw_nearby(points: np.ndarray, data: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Draw a donor for each point by the inverse of its distribution function.

    P(k) ~ exp(-|point - data_k|^2 / 2),    both in bandwidths, columns last
    """
    donors = np.empty(len(u), np.int64)
    _compiled_draw()(np.ascontiguousarray(points), np.ascontiguousarray(data.T), u, donors)
    return donors


@cache
def _compiled_draw() -> Callable:
    return numba.njit(parallel=True, cache=True)(_draw)


def _draw(points: np.ndarray, data: np.ndarray, u: np.ndarray, donors: np.ndarray) -> None:
    columns, rows = data.shape
    for r in numba.prange(len(u)):
        score = np.zeros(rows)
        for c in range(columns):
            z = points[r, c]
            for k in range(rows):
                d = z - data[c, k]
                score[k] -= 0.5 * d * d
        top = score.max()
        total = 0.0
        for k in range(rows):
            log_weight = score[k] - top
            if log_weight > NEGLIGIBLE:
                total += np.exp(log_weight)
            score[k] = total  # scores are spent, so their memory holds the cumulative weights
        position = np.searchsorted(score, u[r] * total, side="right")
        donors[r] = min(position, rows - 1)
