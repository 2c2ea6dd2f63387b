"""Distances between weighted samples, errors of predictions, and folds that do not leak.

Each distance is the quantity that it is named after. (The published scripts call "KL" an entropy of
log-densities and "Wasserstein" a distance between two vectors of log-densities.)

    python -m doctest benchmarks/augmentation/metrics.py
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist


def kl_divergence(
    truth: np.ndarray, rows: np.ndarray, weights: np.ndarray | None = None, k: int = 5
) -> float:
    """Estimate KL(truth || rows), in nats, from nearest neighbors.

        (1/n) sum_i log( p(x_i) / q(x_i) ),
        p = (k / (n - 1)) / (V rho_i^d),    q = W_i / (V nu_i^d)

    ``rho_i`` is the distance from x_i to its k-th neighbor in the other rows of ``truth``, ``nu_i``
    to the k-th distinct row of ``rows``, ``W_i`` the weight that these k carry: k / m when weights
    are alike, which is the estimator of Wang, Kulkarni and Verdu (2009) and Perez-Cruz (2008).
    Resampling weighted rows instead would make ties, and neighbors at distance zero.

    It is no bound and can be negative; with few rows in many dimensions it has a bias, which is
    why it is shown beside its value for the observed rows, at the same number of rows.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(4000, 2)), rng.normal(1, 1, size=(4000, 2))
    >>> bool(abs(kl_divergence(x, y) - 1.0) < 0.1)  # half of the squared distance, 2
    True
    """
    n, d = truth.shape
    weights = np.ones(len(rows)) if weights is None else weights
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    share = np.bincount(inverse.ravel(), weights) / weights.sum()
    if len(distinct) < k:
        return float("nan")
    rho = cKDTree(truth).query(truth, k + 1)[0][:, -1]
    nu, near = cKDTree(distinct).query(truth, k)
    last = nu.reshape(n, k)[:, -1]
    mass = share[near.reshape(n, k)].sum(axis=1)
    log_p = np.log(k / (n - 1)) - d * np.log(rho)
    log_q = np.log(mass) - d * np.log(last)
    return float(np.mean(log_p - log_q))


def sliced_wasserstein(
    a: np.ndarray, b: np.ndarray, weights: np.ndarray, projections: int, rng: np.random.Generator
) -> float:
    """Mean over random directions of the Wasserstein-1 distance of the projections.

    Exact in each direction: the integral of the distance between the distribution functions.

    >>> rng, x = np.random.default_rng(0), np.random.default_rng(1).normal(size=(500, 1))
    >>> round(sliced_wasserstein(x, x + 2, np.ones(500), 3, rng), 6)
    2.0
    """
    directions = rng.normal(size=(projections, a.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    share = np.concatenate([np.full(len(a), 1 / len(a)), -weights / weights.sum()])
    total = 0.0
    for direction in directions:
        x = np.concatenate([a @ direction, b @ direction])
        order = np.argsort(x, kind="stable")
        total += np.abs(np.cumsum(share[order])[:-1]) @ np.diff(x[order])
    return float(total / projections)


def exact_wasserstein(
    a: np.ndarray, b: np.ndarray, weights: np.ndarray, rows: int, rng: np.random.Generator
) -> float:
    """Wasserstein-1 distance between two samples of ``rows`` rows, by the optimal assignment.

    ``a`` is thinned without replacement, ``b`` drawn by systematic resampling of its weights.

    >>> rng, x = np.random.default_rng(0), np.random.default_rng(1).normal(size=(50, 2))
    >>> round(exact_wasserstein(x, x + [3, 4], np.ones(50), 50, rng), 6)
    5.0
    """
    size = min(rows, len(a))
    first = a[rng.choice(len(a), size, replace=False)]
    second = b[systematic(weights, size, rng)]
    costs = cdist(first, second)
    return float(costs[linear_sum_assignment(costs)].mean())


def systematic(weights: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Positions drawn in proportion to weights, each as near to its expected number as can be.

    The order is shuffled first, so that equal weights do not alias with the stride.
    """
    order = rng.permutation(len(weights))
    heap = np.cumsum(weights[order])
    places = (np.arange(size) + rng.random()) / size * heap[-1]
    return order[np.searchsorted(heap, places, side="right").clip(max=len(weights) - 1)]


def relative_variance_difference(
    observed: np.ndarray, rows: np.ndarray, weights: np.ndarray
) -> float:
    """Mean over columns of (weighted variance of rows - variance observed) / variance observed.

    >>> x = np.arange(4.0)[:, None]
    >>> relative_variance_difference(x, 2 * x, np.ones(4))
    3.0
    """
    share = weights / weights.sum()
    spread = share @ (rows - share @ rows) ** 2
    return float(np.mean(spread / observed.var(axis=0) - 1))


def r2(y: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the variance of y that is predicted."""
    return float(1 - np.mean((y - predicted) ** 2) / y.var())


def mape(y: np.ndarray, predicted: np.ndarray) -> float:
    """Mean absolute error as a share of y; near y = 0 it explodes, hence medians of it."""
    return float(np.mean(np.abs((y - predicted) / y)))


def folds(rows: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Fold of each observed row."""
    return rng.permutation(np.arange(rows) % count)


def free_of(indices: np.ndarray, fold: np.ndarray, held_out: int) -> np.ndarray:
    """Say which augmented rows use no observed row of a fold, in any block.

    >>> free_of(np.array([[0, 0], [0, 2], [1, 1]]), np.array([0, 0, 1]), 1)
    array([ True, False,  True])
    """
    return ~(fold[indices] == held_out).any(axis=1)
