"""A draft of a posterior: draws about the mode, weighed by the exact density.

The first draws come from a Student-t with the mode and the curvature there (Laplace's approximation
with heavier tails), each later batch from one with the mean and the covariance of all weighted
draws before it. A draw of any batch is weighed against the mixture of all, so that a bad batch does
no harm. It is no chain: nothing is discarded, and how well it did shows in the weights alone. It
cannot see a second mode that no draw came near, which NUTS, whose chains start apart, may.

Source: Cornuet, Marin, Mira and Robert (2012), Adaptive multiple importance sampling, Scandinavian
J. Statistics 39; Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto smoothed importance
sampling, JMLR 25.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import linalg, stats
from scipy.special import logsumexp

from bayescausal.errors import BayesCausalError
from bayescausal.inference.importance import Weights
from bayescausal.inference.nuts import NOT_FINITE, Coordinates
from bayescausal.inference.settings import Settings

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
    """A multivariate Student-t: ``z = center + root t``."""

    center: np.ndarray
    root: np.ndarray

    def draws(self, rng: np.random.Generator) -> np.ndarray:
        normal = rng.standard_normal((BATCH, len(self.center)))
        scales = np.sqrt(rng.chisquare(_DEGREES, BATCH) / _DEGREES)
        return self.center + (normal / scales[:, None]) @ self.root.T

    def log_density(self, z: np.ndarray) -> np.ndarray:
        shape = self.root @ self.root.T
        return stats.multivariate_t(self.center, shape, df=_DEGREES).logpdf(z)

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
    """Draw about the mode until the draws are worth as many as are asked, or `BATCHES` are done.

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
    proposals = [_Proposal(np.zeros(dim), np.eye(dim))]
    z, lp = np.empty((0, dim)), np.empty(0)
    while True:
        batch = proposals[-1].draws(rng)
        z = np.concatenate([z, batch])
        lp = np.concatenate([lp, density(coordinates.natural(batch))])
        weights = _weights(lp, np.stack([p.log_density(z) for p in proposals]))
        if weights.ess >= wanted or len(proposals) == BATCHES:
            break
        proposals.append(proposals[-1].learned(z, weights))
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
    return np.searchsorted(np.cumsum(weights) / weights.sum(), levels)
