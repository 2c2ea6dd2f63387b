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

_RANK = 1e-9
"""Singular values below this part of the largest are none."""

_ALIKE = 1e3
"""Ratio of singular values above which causes are nearly copies of each other."""

_HANDFUL = 8.0
"""A bend that so few rows show, or fewer, is left out."""

_CAUTION = 1.4
"""What a degree of freedom of a bend counts for: Kim and Gu (2004)."""


@dataclass(frozen=True, eq=False)
class Mean:
    """A fitted regression ``m(z)`` of a node on its parents.

    Parameters
    ----------
    parents : tuple of Block
    location, scale : array, shape (feature,)
    coefficients : array, shape (1 + feature,)
        The intercept first; features are standardized.
    bend : Bend or None
        What is added to the linear mean.
    residuals : array, shape (row,)
        Inflated by ``sqrt(n / (n - p))``, with mean zero.
    """

    parents: tuple[Block, ...]
    location: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    bend: Bend | None
    residuals: np.ndarray

    def predict(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mean at values of the parents, each of shape ``(given, column)``."""
        x = (features(self.parents, values) - self.location) / self.scale
        straight = self.coefficients[0] + x @ self.coefficients[1:]
        return straight if self.bend is None else straight + self.bend.at(x)


@dataclass(frozen=True, eq=False)
class Bend:
    """What curves and products of causes add to a linear mean.

    It adds no more beyond the rows than three times what it does among them: rows recombine causes
    into places where a curve, and still more a product, is a guess.

    Parameters
    ----------
    indices : tuple of Index
    products : bool
    shared : array, shape (1 + feature, bend)
        The part of each column that the linear mean has already, the constant first.
    slopes : array, shape (bend,)
    low, high : float
    """

    indices: tuple[Index, ...]
    products: bool
    shared: np.ndarray
    slopes: np.ndarray
    low: float
    high: float

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return what is added at standardized features."""
        columns = bends(x, self.indices, self.products) - self.shared[0] - x @ self.shared[1:]
        return np.clip(columns @ self.slopes, self.low, self.high)


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
    condition : float
        Largest over smallest singular value.
    """

    slopes: np.ndarray
    freedom: float
    score: float
    condition: float


def fit_mean(parents: Sequence[Block], own: Block, knots: int = 0, products: bool = False) -> Mean:
    """Regress a node on its parents, by least squares while rows are plenty, else by ridge.

        m(z) = a + b'z + sum_p s_p(u_p) + sum_{p<q} c_pq u_p u_q,    u_p = b_p'z_p / sd

    Bends, the curves s and the products c, have a ridge penalty of their own, by generalized
    cross-validation: for curves, for products or for both, down to none at all. A parent of
    several columns bends along its fitted contribution u, so that few rows suffice. A bend that a
    handful of rows shows is left out, such as the product of channels that are seldom on together.
    Where rows are few for the linear part it has a penalty and nothing bends; causes that are
    nearly copies of each other have one too.

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
    if not plenty or straight.condition > _ALIKE:
        straight = _ridge(x, y - center, _PENALTIES)
    residuals, freedom = y - center - x @ straight.slopes, straight.freedom
    bend = None
    if plenty:
        indices = _indices(parents, x, straight.slopes / (y.std() or 1.0), knots)
        bend, freedom = _bend(x, residuals, freedom, indices, products)
    if bend is not None:
        residuals = residuals - bend.at(x)
    left_over = len(y) - min(freedom, len(y) - 1.0)
    residuals = (residuals - residuals.mean()) * np.sqrt(len(y) / left_over)
    coefficients = np.array([center, *straight.slopes])
    return Mean(parents, location, scale, coefficients, bend, residuals)


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


def _bend(
    x: np.ndarray, y: np.ndarray, freedom: float, indices: tuple[Index, ...], products: bool
) -> tuple[Bend | None, float]:
    """Fit bends to what the linear part left; None where there is nothing to bend."""
    columns = bends(x, indices, products)
    if not columns.shape[1]:
        return None, freedom
    design = np.column_stack([np.ones(len(x)), x])
    shared = np.linalg.lstsq(design, columns, rcond=_RANK)[0]
    found = _bent(columns - design @ shared, y, freedom, [i.bends for i in indices if i.bends])
    added = (columns - design @ shared) @ found.slopes
    low, high = added.min(), added.max()
    wide = high - low
    return Bend(indices, products, shared, found.slopes, low - wide, high + wide), found.freedom


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
    """Return the map to uncorrelated columns of variance one, that x's columns span.

    Without those that a handful of rows makes: ``(sum x^2)^2 / sum x^4`` counts them.
    """
    left, values, right = np.linalg.svd(x / np.sqrt(len(x)), full_matrices=False)
    shown = 1 / np.maximum((left**4).sum(axis=0), 1e-12)
    real = (values > 1e-8) & (shown > _HANDFUL)
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
    real = values > _RANK * max(1.0, values[:1].sum())
    left, values, right = left[:, real], values[real], right[real]
    condition = float(values[0] / values[-1]) if len(values) else 1.0
    seen = left.T @ y
    shrink = values**2 / (values**2 + len(y) * penalties[:, None])
    errors = y @ y - seen @ seen + ((1 - shrink) ** 2 * seen**2).sum(axis=1)
    freedom = before + shrink.sum(axis=1)
    kept = len(y) - freedom >= len(y) / 2
    scores = np.where(kept, errors, np.inf) / (len(y) - caution * freedom).clip(1e-9) ** 2
    k = int(scores.argmin())
    slopes = right.T @ (seen * shrink[k] / values)
    return Fitted(slopes, float(freedom[k]), float(scores[k]), condition)


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
