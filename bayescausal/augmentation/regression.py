"""The regression behind the residual bootstrap: linear, plus penalized nonlinear terms."""

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
"""Singular values below this fraction of the largest count as zero."""

_ALIKE = 1e3
"""Ratio of singular values above which causes are nearly copies of each other."""

_FEW_ROWS = 8.0
"""A nonlinear term that so few rows show, or fewer, is left out."""

_CAUTION = 1.4
"""What a degree of freedom of a nonlinear term counts for: Kim and Gu (2004)."""


@dataclass(frozen=True, eq=False)
class Mean:
    """A fitted regression ``m(z)`` of a node on its parents.

    Features are standardized by `location` and `scale`; of `coefficients` the first is the
    intercept. `residuals` are inflated by ``sqrt(n / (n - p))`` and have mean zero.
    """

    parents: tuple[Block, ...]
    location: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    nonlinear_part: NonlinearPart | None
    residuals: np.ndarray

    def predict(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mean at values of the parents, each of shape ``(given, column)``."""
        x = (features(self.parents, values) - self.location) / self.scale
        linear_mean = self.coefficients[0] + x @ self.coefficients[1:]
        if self.nonlinear_part is None:
            return linear_mean
        return linear_mean + self.nonlinear_part.predict(x)


@dataclass(frozen=True, eq=False)
class NonlinearPart:
    """The curves and products of causes that are added to a linear mean.

    It adds no more beyond the rows than three times what it does among them: rows recombine causes
    into places where a curve, and still more a product, is a guess. `shared`, shape
    ``(1 + feature, term)``, is the part of each term that the linear mean has already.
    """

    indices: tuple[Index, ...]
    products: bool
    shared: np.ndarray
    slopes: np.ndarray
    low: float
    high: float

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return what is added to the linear mean at standardized features."""
        terms = nonlinear_terms(x, self.indices, self.products)
        columns = terms - self.shared[0] - x @ self.shared[1:]
        return np.clip(columns @ self.slopes, self.low, self.high)


class Index(NamedTuple):
    """A parent as one number: its contribution to the linear mean, in standard deviations.

    `columns` are the parent's features, `knots` those of a natural cubic spline, if it has a curve.
    """

    columns: slice
    weights: np.ndarray
    knots: np.ndarray | None

    @property
    def curve_columns(self) -> int:
        """Number of columns of its curve."""
        return 0 if self.knots is None else len(self.knots) - 2

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        """Return the index at standardized features."""
        return x[:, self.columns] @ self.weights


class Ridge(NamedTuple):
    """A fitted ridge regression, its degrees of freedom, and its cross-validation score.

    `condition` is the largest over the smallest singular value.
    """

    slopes: np.ndarray
    freedom: float
    score: float
    condition: float


def fit_mean(
    parents: Sequence[Block], child: Block, knots: int = 0, products: bool = False
) -> Mean:
    """Regress a node on its parents, by least squares if rows are plenty, else by ridge.

        m(z) = a + b'z + sum_p s_p(u_p) + sum_{p<q} c_pq u_p u_q,    u_p = b_p'z_p / sd

    Nonlinear terms, the curves s and the products c, have a ridge penalty of their own, by
    generalized cross-validation: for curves, for products or for both, down to none at all. A
    parent of several columns has terms in its fitted contribution u, so that few rows suffice. A
    term that a handful of rows shows is left out, such as the product of channels that are seldom
    on together. Where rows are few for the linear part it has a penalty and there are no nonlinear
    terms; causes that are nearly copies of each other have a penalty too. `knots` are the inner
    knots of each curve, 0 for no curves.
    """
    parents = tuple(parents)
    y = child.values[:, 0]
    raw = features(parents, [p.values for p in parents])
    location, spread = raw.mean(axis=0), raw.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    x, center = (raw - location) / scale, y.mean()
    linear_fit = _ridge(x, y - center, np.zeros(1))
    has_enough_rows = (linear_fit.freedom - 1) * _ROWS_PER_FEATURE <= len(y)
    if not has_enough_rows or linear_fit.condition > _ALIKE:
        linear_fit = _ridge(x, y - center, _PENALTIES)
    residuals, freedom = y - center - x @ linear_fit.slopes, linear_fit.freedom
    nonlinear_part = None
    if has_enough_rows:
        indices = _indices(parents, x, linear_fit.slopes / (y.std() or 1.0), knots)
        nonlinear_part, freedom = _fit_nonlinear_part(x, residuals, freedom, indices, products)
    if nonlinear_part is not None:
        residuals = residuals - nonlinear_part.predict(x)
    residual_freedom = len(y) - min(freedom, len(y) - 1.0)
    residuals = (residuals - residuals.mean()) * np.sqrt(len(y) / residual_freedom)
    coefficients = np.array([center, *linear_fit.slopes])
    return Mean(parents, location, scale, coefficients, nonlinear_part, residuals)


def features(parents: Sequence[Block], values: Sequence[np.ndarray]) -> np.ndarray:
    """Return the columns of a regression: numbers as they are, categories as indicators."""
    columns = []
    for parent, x in zip(parents, values, strict=True):
        if parent.levels is not None:
            columns += [x[:, 0] == level for level in range(1, len(parent.levels))]
        else:
            columns += [*x.T]
    if not columns:  # a category of one level
        return np.empty((len(values[0]), 0))
    return np.stack([np.asarray(c, float) for c in columns], axis=1)


def feature_count(parent: Block) -> int:
    """Return the number of features of a parent."""
    return parent.values.shape[1] if parent.levels is None else len(parent.levels) - 1


def nonlinear_terms(x: np.ndarray, indices: Sequence[Index], products: bool) -> np.ndarray:
    """Return the curve columns of each index, then the products of all pairs of indices."""
    contributions = [index.evaluate(x) for index in indices]
    pairs = zip(indices, contributions, strict=True)
    columns = [column for index, u in pairs for column in _spline_columns(u, index.knots)]
    columns += [u * v for u, v in combinations(contributions, 2)] if products else []
    return np.stack(columns, axis=1) if columns else np.empty((len(x), 0))


def _indices(
    parents: Sequence[Block], x: np.ndarray, slopes: np.ndarray, knots: int
) -> tuple[Index, ...]:
    indices, offset = [], 0
    for parent in parents:
        width = feature_count(parent)
        columns = slice(offset, offset + width)
        offset += width
        weights = slopes[columns] if width > 1 else np.ones(width)
        contribution = x[:, columns] @ weights
        sd = contribution.std()
        if sd > 1e-9:
            indices.append(Index(columns, weights / sd, _knots(contribution / sd, knots)))
    return tuple(indices)


def _fit_nonlinear_part(
    x: np.ndarray, y: np.ndarray, freedom: float, indices: tuple[Index, ...], products: bool
) -> tuple[NonlinearPart | None, float]:
    """Fit nonlinear terms to the residuals ``y``; return None where there are no terms."""
    columns = nonlinear_terms(x, indices, products)
    if not columns.shape[1]:
        return None, freedom
    design = np.column_stack([np.ones(len(x)), x])
    shared = np.linalg.lstsq(design, columns, rcond=_RANK)[0]
    curves = [index.curve_columns for index in indices if index.curve_columns]
    ridge = _fit_terms(columns - design @ shared, y, freedom, curves)
    added = (columns - design @ shared) @ ridge.slopes
    low, high = added.min(), added.max()
    width = high - low
    part = NonlinearPart(indices, products, shared, ridge.slopes, low - width, high + width)
    return part, ridge.freedom


def _fit_terms(columns: np.ndarray, y: np.ndarray, freedom: float, curves: Sequence[int]) -> Ridge:
    """Fit the residuals ``y`` by curves, by products, or by both, whichever scores best.

    ``curves`` has the number of columns of each. A curve, or a product, is penalized by its
    variance over the rows, so that neither units nor the direction of a scale matter.
    """
    ends = np.cumsum([*curves, *np.ones(columns.shape[1] - sum(curves), int)])
    parts = [_whitening(columns[:, a:b]) for a, b in pairwise([0, *ends])]
    split = len(curves)
    fits = []
    for start, stop in ((0, len(parts)), (0, split), (split, len(parts))):
        blocks = [part if start <= k < stop else part[:, :0] for k, part in enumerate(parts)]
        basis = block_diag(*blocks)
        # The infinite penalty stands for no nonlinear terms at all.
        ridge = _ridge(columns @ basis, y, np.append(_PENALTIES, np.inf), freedom, _CAUTION)
        fits.append(ridge._replace(slopes=basis @ ridge.slopes))
    return min(fits, key=lambda ridge: ridge.score)


def _whitening(x: np.ndarray) -> np.ndarray:
    """Return the map from x to uncorrelated columns of variance one with the same span.

    Columns that rest on a handful of rows are left out: ``(sum x^2)^2 / sum x^4`` counts rows.
    """
    left_vectors, values, right_vectors = np.linalg.svd(x / np.sqrt(len(x)), full_matrices=False)
    row_counts = 1 / np.maximum((left_vectors**4).sum(axis=0), 1e-12)
    is_usable = (values > 1e-8) & (row_counts > _FEW_ROWS)
    return right_vectors[is_usable].T / values[is_usable]


def _ridge(
    x: np.ndarray,
    y: np.ndarray,
    penalties: np.ndarray,
    base_freedom: float = 1.0,
    caution: float = 1.0,
) -> Ridge:
    """Fit a ridge regression with the penalty of least cross-validation score.

        |y - fit|^2 / (n - caution * freedom)^2

    Only penalties that leave half of the rows to the residuals: near interpolation the score is
    0/0, and there would be no residuals to resample.
    """
    left_vectors, values, right_vectors = np.linalg.svd(x, full_matrices=False)
    is_usable = values > _RANK * max(1.0, values[:1].sum())  # the largest, if there is any
    left_vectors, right_vectors = left_vectors[:, is_usable], right_vectors[is_usable]
    values = values[is_usable]
    condition = float(values[0] / values[-1]) if len(values) else 1.0
    projection = left_vectors.T @ y
    shrinkage = values**2 / (values**2 + len(y) * penalties[:, None])
    errors = y @ y - projection @ projection + ((1 - shrinkage) ** 2 * projection**2).sum(axis=1)
    freedom = base_freedom + shrinkage.sum(axis=1)
    is_allowed = len(y) - freedom >= len(y) / 2
    scores = np.where(is_allowed, errors, np.inf) / (len(y) - caution * freedom).clip(1e-9) ** 2
    k = int(scores.argmin())
    slopes = right_vectors.T @ (projection * shrinkage[k] / values)
    return Ridge(slopes, float(freedom[k]), float(scores[k]), condition)


def _knots(x: np.ndarray, inner: int) -> np.ndarray | None:
    """Place knots at quantiles of the data; None where too few values are distinct."""
    if not inner:
        return None
    places = np.unique(np.quantile(x, np.linspace(0.05, 0.95, inner + 2)))
    return places if len(places) > 2 else None


def _spline_columns(x: np.ndarray, knots: np.ndarray | None) -> list[np.ndarray]:
    """Return a natural cubic spline without its linear column (Hastie et al. 2009, 5.2.1)."""
    if knots is None:
        return []
    low, high, second_last = knots[0], knots[-1], knots[-2]

    def part(k: float) -> np.ndarray:
        cut = np.maximum(x - k, 0) ** 3 - np.maximum(x - high, 0) ** 3
        return cut / ((high - k) * (high - low))

    return [part(k) - part(second_last) for k in knots[:-2]]
