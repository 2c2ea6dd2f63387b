"""The regression behind residual bootstrap: linear or additive, least squares or ridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayescausal.augmentation.blocks import Block

_ROWS_PER_FEATURE = 5


@dataclass(frozen=True, eq=False)
class Mean:
    """A fitted regression ``m(z)`` of a node on its parents.

    Parameters
    ----------
    parents : tuple of Block
    knots : tuple of array or None
        By parent's column, in the order of `features`; None for a linear column.
    location, scale : array, shape (feature,)
    coefficients : array, shape (feature + 1,)
        The intercept first; features are standardized.
    residuals : array, shape (row,)
        Inflated by ``sqrt(n / (n - p))``, with mean zero.
    """

    parents: tuple[Block, ...]
    knots: tuple[np.ndarray | None, ...]
    location: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    residuals: np.ndarray

    def predict(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mean at values of the parents, each of shape ``(given, column)``."""
        raw = features(self.parents, values, self.knots)
        return self.coefficients[0] + ((raw - self.location) / self.scale) @ self.coefficients[1:]


def fit_mean(parents: Sequence[Block], own: Block, knots: int = 0) -> Mean:
    """Regress a node on its parents, by least squares while rows are plenty, else by ridge.

    Parameters
    ----------
    parents : sequence of Block
    own : Block
        One continuous column.
    knots : int
        Inner knots of a natural cubic spline in each continuous column.
    """
    parents = tuple(parents)
    y = own.values[:, 0]
    places = tuple(_knots(x, knots) for p in parents if not p.discrete for x in p.values.T)
    raw = features(parents, [p.values for p in parents], places)
    location, spread = raw.mean(axis=0), raw.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    x, center = (raw - location) / scale, y.mean()
    left, values, right = np.linalg.svd(x, full_matrices=False)
    real = values > 1e-9 * max(1.0, values[:1].sum())
    left, values, right = left[:, real], values[real], right[real]
    seen = left.T @ (y - center)
    penalty = 0.0
    if len(values) * _ROWS_PER_FEATURE > len(y):
        penalty = _cross_validated(y - center, left, values, seen)
    shrink = values**2 / (values**2 + penalty)
    slopes = right.T @ (seen * shrink / values)
    freedom = min(1 + shrink.sum(), len(y) - 1.0)
    residuals = y - center - x @ slopes
    residuals = (residuals - residuals.mean()) * np.sqrt(len(y) / (len(y) - freedom))
    return Mean(parents, places, location, scale, np.array([center, *slopes]), residuals)


def features(
    parents: Sequence[Block],
    values: Sequence[np.ndarray],
    knots: Sequence[np.ndarray | None],
) -> np.ndarray:
    """Columns of a regression: numbers as they are or as splines, categories as indicators."""
    columns, places = [], iter(knots)
    for parent, given in zip(parents, values, strict=True):
        if parent.levels is not None:
            columns += [given[:, 0] == level for level in range(1, len(parent.levels))]
            continue
        for x in given.T:
            columns += [x, *_curved(x, next(places))]
    if not columns:  # a category of one level
        return np.empty((len(values[0]), 0))
    return np.stack([np.asarray(c, float) for c in columns], axis=1)


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


def _cross_validated(
    y: np.ndarray, left: np.ndarray, values: np.ndarray, seen: np.ndarray
) -> float:
    """Ridge penalty with the least generalized cross-validation score.

    Only penalties that leave half of the rows to the residuals: near interpolation the score is
    0/0, and there would be no residuals to resample.
    """
    grid = np.geomspace(1e-4, 1e4, 60) * len(y) / 100
    shrink = values**2 / (values**2 + grid[:, None])
    outside = y @ y - seen @ seen
    errors = outside + ((1 - shrink) ** 2 * seen**2).sum(axis=1)
    left_over = len(y) - 1 - shrink.sum(axis=1)
    scores = np.where(left_over >= len(y) / 2, errors, np.inf) / left_over.clip(1e-9) ** 2
    return float(grid[scores.argmin()])
