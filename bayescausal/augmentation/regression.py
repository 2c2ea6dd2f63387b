"""The regression behind residual bootstrap: linear, and curved as far as the rows bear it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag

from bayescausal.augmentation.blocks import Block

_ROWS_PER_FEATURE = 5

_PENALTIES = np.geomspace(1e-6, 1e2, 60)
"""Per row, in squared units of standardized features."""

_CAUTION = 1.4
"""What a degree of freedom of a bend counts for: Kim and Gu (2004)."""


@dataclass(frozen=True, eq=False)
class Mean:
    """A fitted regression ``m(z)`` of a node on its parents.

    Parameters
    ----------
    parents : tuple of Block
    location, scale : array, shape (feature,)
    coefficients : array, shape (1 + feature + bend,)
        The intercept first; features are standardized.
    indices : tuple of Index
        What bends; none where the mean is linear.
    products : bool
    residuals : array, shape (row,)
        Inflated by ``sqrt(n / (n - p))``, with mean zero.
    """

    parents: tuple[Block, ...]
    location: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    indices: tuple[Index, ...]
    products: bool
    residuals: np.ndarray

    def predict(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mean at values of the parents, each of shape ``(given, column)``."""
        x = (features(self.parents, values) - self.location) / self.scale
        every = np.concatenate([x, bends(x, self.indices, self.products)], axis=1)
        return self.coefficients[0] + every @ self.coefficients[1:]


class Index(NamedTuple):
    """One number for a parent: its contribution to the linear mean, in standard deviations.

    Parameters
    ----------
    columns : slice
        The parent's features.
    weights : array
    knots : array or None
        Of a natural cubic spline; None where it does not bend.
    """

    columns: slice
    weights: np.ndarray
    knots: np.ndarray | None

    @property
    def bends(self) -> int:
        """Columns of its curve."""
        return 0 if self.knots is None else len(self.knots) - 2

    def of(self, x: np.ndarray) -> np.ndarray:
        """Read it off standardized features."""
        return x[:, self.columns] @ self.weights


class Fitted(NamedTuple):
    """A ridge regression.

    Parameters
    ----------
    slopes : array
    freedom : float
        Degrees of freedom, with those spent before.
    score : float
        Of generalized cross-validation.
    """

    slopes: np.ndarray
    freedom: float
    score: float


def fit_mean(parents: Sequence[Block], own: Block, knots: int = 0, products: bool = False) -> Mean:
    """Regress a node on its parents, by least squares while rows are plenty, else by ridge.

        m(z) = a + b'z + sum_p s_p(u_p) + sum_{p<q} c_pq u_p u_q,    u_p = b_p'z_p / sd

    Bends, the curves s and the products c, have a ridge penalty of their own, by generalized
    cross-validation: for curves, for products or for both, down to none at all. A parent of
    several columns bends along its fitted contribution u, so that few rows suffice. Where the
    linear part itself needs a penalty nothing bends.

    Parameters
    ----------
    parents : sequence of Block
    own : Block
        One continuous column.
    knots : int
        Inner knots of each curve; 0 for no curves.
    products : bool
    """
    parents = tuple(parents)
    y = own.values[:, 0]
    raw = features(parents, [p.values for p in parents])
    location, spread = raw.mean(axis=0), raw.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    x, center = (raw - location) / scale, y.mean()
    straight = _ridge(x, y - center, np.zeros(1))
    plenty = (straight.freedom - 1) * _ROWS_PER_FEATURE <= len(y)
    if not plenty:
        straight = _ridge(x, y - center, _PENALTIES)
    residuals, freedom = y - center - x @ straight.slopes, straight.freedom
    coefficients = np.array([center, *straight.slopes])
    indices = _indices(parents, x, straight.slopes / (y.std() or 1.0), knots) if plenty else ()
    bent = bends(x, indices, products)
    if bent.shape[1]:
        shared = np.linalg.lstsq(x, bent - bent.mean(axis=0), rcond=None)[0]
        apart = bent - bent.mean(axis=0) - x @ shared
        found = _bent(apart, residuals, freedom, [i.bends for i in indices if i.bends])
        residuals, freedom = residuals - apart @ found.slopes, found.freedom
        coefficients[0] -= bent.mean(axis=0) @ found.slopes
        coefficients[1:] -= shared @ found.slopes
        coefficients = np.concatenate([coefficients, found.slopes])
    left_over = len(y) - min(freedom, len(y) - 1.0)
    residuals = (residuals - residuals.mean()) * np.sqrt(len(y) / left_over)
    return Mean(parents, location, scale, coefficients, indices, products, residuals)


def features(parents: Sequence[Block], values: Sequence[np.ndarray]) -> np.ndarray:
    """Columns of a regression: numbers as they are, categories as indicators."""
    columns = []
    for parent, given in zip(parents, values, strict=True):
        if parent.levels is not None:
            columns += [given[:, 0] == level for level in range(1, len(parent.levels))]
        else:
            columns += [*given.T]
    if not columns:  # a category of one level
        return np.empty((len(values[0]), 0))
    return np.stack([np.asarray(c, float) for c in columns], axis=1)


def bends(x: np.ndarray, indices: Sequence[Index], products: bool) -> np.ndarray:
    """Curves of each index beside the linear one, then the products of all pairs."""
    along = [index.of(x) for index in indices]
    columns = [c for i, u in zip(indices, along, strict=True) for c in _curved(u, i.knots)]
    columns += [u * v for u, v in combinations(along, 2)] if products else []
    return np.stack(columns, axis=1) if columns else np.empty((len(x), 0))


def _indices(
    parents: Sequence[Block], x: np.ndarray, slopes: np.ndarray, knots: int
) -> tuple[Index, ...]:
    out, at = [], 0
    for parent in parents:
        width = len(parent.levels) - 1 if parent.levels is not None else parent.values.shape[1]
        columns = slice(at, at + width)
        at += width
        weights = slopes[columns] if width > 1 else np.ones(width)
        along = x[:, columns] @ weights
        sd = along.std()
        if sd > 1e-9:
            out.append(Index(columns, weights / sd, _knots(along / sd, knots)))
    return tuple(out)


def _bent(apart: np.ndarray, y: np.ndarray, freedom: float, curves: Sequence[int]) -> Fitted:
    """Fit what the linear part left to the bends: to curves, to products, or to both.

    ``curves`` has the number of columns of each. A curve, or a product, is penalized by its
    variance over the rows, so that neither units nor the direction of a scale matter.
    """
    ends = np.cumsum([*curves, *np.ones(apart.shape[1] - sum(curves), int)])
    parts = [_even(apart[:, a:b]) for a, b in pairwise([0, *ends])]
    split = len(curves)
    best: Fitted | None = None
    for first, last in ((0, len(parts)), (0, split), (split, len(parts))):
        chosen = [part if first <= k < last else part[:, :0] for k, part in enumerate(parts)]
        even = block_diag(*chosen)
        found = _ridge(apart @ even, y, np.append(_PENALTIES, np.inf), freedom, _CAUTION)
        if best is None or found.score < best.score:
            best = found._replace(slopes=even @ found.slopes)
    assert best is not None
    return best


def _even(x: np.ndarray) -> np.ndarray:
    """Return the map to uncorrelated columns of variance one, that x's columns span."""
    _, values, right = np.linalg.svd(x / np.sqrt(len(x)), full_matrices=False)
    real = values > 1e-8
    return right[real].T / values[real]


def _ridge(
    x: np.ndarray,
    y: np.ndarray,
    penalties: np.ndarray,
    before: float = 1.0,
    caution: float = 1.0,
) -> Fitted:
    """Fit with the penalty of those given that has the least cross-validation score.

        |y - fit|^2 / (n - caution * freedom)^2

    Only penalties that leave half of the rows to the residuals: near interpolation the score is
    0/0, and there would be no residuals to resample.
    """
    left, values, right = np.linalg.svd(x, full_matrices=False)
    real = values > 1e-9 * max(1.0, values[:1].sum())
    left, values, right = left[:, real], values[real], right[real]
    seen = left.T @ y
    shrink = values**2 / (values**2 + len(y) * penalties[:, None])
    errors = y @ y - seen @ seen + ((1 - shrink) ** 2 * seen**2).sum(axis=1)
    freedom = before + shrink.sum(axis=1)
    kept = len(y) - freedom >= len(y) / 2
    scores = np.where(kept, errors, np.inf) / (len(y) - caution * freedom).clip(1e-9) ** 2
    k = int(scores.argmin())
    return Fitted(right.T @ (seen * shrink[k] / values), float(freedom[k]), float(scores[k]))


def _knots(x: np.ndarray, inner: int) -> np.ndarray | None:
    """Quantiles of the data; None where there are too few distinct values to bend."""
    if not inner:
        return None
    places = np.unique(np.quantile(x, np.linspace(0.05, 0.95, inner + 2)))
    return places if len(places) > 2 else None


def _curved(x: np.ndarray, knots: np.ndarray | None) -> list[np.ndarray]:
    """Natural cubic spline beside the linear column (Hastie et al. 2009, section 5.2.1)."""
    if knots is None:
        return []
    low, high, before = knots[0], knots[-1], knots[-2]

    def part(k: float) -> np.ndarray:
        cut = np.maximum(x - k, 0) ** 3 - np.maximum(x - high, 0) ** 3
        return cut / ((high - k) * (high - low))

    return [part(k) - part(before) for k in knots[:-2]]
