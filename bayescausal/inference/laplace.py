"""A draft of a posterior: draws about the mode, weighed by the exact density.

The first draws come from a Student-t with the mode and the curvature there (Laplace's approximation
with heavier tails), each later batch from one with the mean and the covariance of all weighted
draws before it. A draw of any batch is weighed against the mixture of all, so that a bad batch does
no harm. It is no chain: nothing is discarded, and how well it did shows in the weights alone. They
do not tell of a second mode that no draw came near.

Source: Cornuet, Marin, Mira and Robert (2012), Adaptive multiple importance sampling, Scandinavian
J. Statistics 39; Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto smoothed importance
sampling, JMLR 25.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.special import logsumexp

from bayescausal.errors import BayesCausalError
from bayescausal.inference.importance import Weights
from bayescausal.inference.nuts import NOT_FINITE, Coordinates
from bayescausal.inference.settings import Settings
from bayescausal.thresholds import MIN_ESS

BATCH, BATCHES = 1024, 16
"""Draws of a batch, and the most batches."""
_DEGREES = 7.0
_LEAST = -700.0  # logarithm of a weight, below the largest, that is zero


class Draft(NamedTuple):
    """Draws ``(chain, draw, dim)`` of equal weight, their log density, and the weights before."""

    draws: np.ndarray
    lp: np.ndarray
    weights: Weights


class _Proposal(NamedTuple):
    """A multivariate Student-t: ``z = center + root t``, the root lower triangular."""

    center: np.ndarray
    root: np.ndarray

    def draws(self, rng: np.random.Generator) -> np.ndarray:
        """Return a batch, ``(number, dim)``."""
        normal = rng.standard_normal((BATCH, len(self.center)))
        scales = np.sqrt(rng.chisquare(_DEGREES, BATCH) / _DEGREES)
        return self.center + (normal / scales[:, None]) @ self.root.T

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Return the log density at points ``(number, dim)``, but for a constant of all."""
        t = linalg.solve_triangular(self.root, (z - self.center).T, lower=True)
        tail = (_DEGREES + len(self.center)) / 2 * np.log1p((t**2).sum(axis=0) / _DEGREES)
        return -tail - np.log(np.diag(self.root)).sum()

    def learned(self, z: np.ndarray, weights: Weights) -> _Proposal:
        """Take mean and covariance from weighted draws; of few effective ones, only in part."""
        share = weights.ess / (weights.ess + len(self.center) + 5)
        center = share * (weights.values @ z) + (1 - share) * self.center
        moves = z - center
        covariance = (moves * weights.values[:, None]).T @ moves
        shape = share * covariance + (1 - share) * self.root @ self.root.T
        return _Proposal(center, linalg.cholesky(shape, lower=True))


def draft(
    density: Callable[[np.ndarray], np.ndarray],
    coordinates: Coordinates,
    settings: Settings,
    seed: int,
) -> Draft:
    """Draw about the mode until draws are worth as many as are asked, or `BATCHES` are done.

    Parameters
    ----------
    density : callable
        Log density at points ``(number, dim)``.
    coordinates : Coordinates
        Of the mode and the curvature there.
    settings : Settings
        Its draws and chains.
    seed : int

    Raises
    ------
    BayesCausalError
        When the density is not finite anywhere near the mode.
    """
    rng = np.random.default_rng(seed)
    dim, wanted = len(coordinates.center), settings.chains * settings.draws
    enough = max(wanted, MIN_ESS)
    proposals = [_Proposal(np.zeros(dim), np.eye(dim))]
    z, lp, heights = np.empty((0, dim)), np.empty(0), np.empty((1, 0))
    while True:
        batch = proposals[-1].draws(rng)
        z = np.concatenate([z, batch])
        lp = np.concatenate([lp, density(coordinates.natural(batch))])
        heights = np.hstack([heights, [p.log_density(batch) for p in proposals]])
        weights = _weights(lp, heights)
        if (weights.trusted and weights.ess >= enough) or len(proposals) == BATCHES:
            break
        proposals.append(proposals[-1].learned(z, weights))
        heights = np.vstack([heights, proposals[-1].log_density(z)])
    rows = rng.permutation(_resampled(weights.values, wanted, rng))
    shape = settings.chains, settings.draws
    draws = coordinates.natural(z[rows])
    return Draft(draws.reshape(*shape, dim), lp[rows].reshape(shape), weights)


def _weights(lp: np.ndarray, heights: np.ndarray) -> Weights:
    """Weigh draws against the mixture of all proposals, whose log densities are ``heights``."""
    logs = lp - logsumexp(heights, axis=0)
    is_finite = np.isfinite(logs)
    if not is_finite.any():
        raise BayesCausalError(NOT_FINITE)
    largest = logs[is_finite].max()
    return Weights.of(np.where(is_finite, np.maximum(logs - largest, _LEAST), _LEAST))


def _resampled(weights: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """Return indices of draws of equal weight, each as often as its weight says, but for one."""
    levels = (rng.random() + np.arange(number)) / number
    heights = np.cumsum(weights)
    return np.searchsorted(heights / heights[-1], levels)  # the last is 1, above every level
