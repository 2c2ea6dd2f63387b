"""Importance weights, Pareto-smoothed, and whether they can be trusted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from arviz_stats.base import array_stats
from scipy.special import logsumexp

from bayescausal.thresholds import MIN_WEIGHTED_ESS, pareto_k_limit


class Weights(NamedTuple):
    """Weights of draws, which sum to 1, Pareto k, and how many draws they are worth.

    ess = 1 / sum_s w_s^2
    """

    values: np.ndarray
    k: float
    ess: float

    @classmethod
    def of(cls, logs: np.ndarray, efficiency: float = 1.0) -> Weights:
        """Smooth weights, given by their logarithms ``(draws,)`` up to a constant."""
        smooth, k = smoothed(logs, efficiency)
        values = np.exp(smooth - logsumexp(smooth))
        return cls(values, k, float(1 / (values**2).sum()))

    @property
    def trusted(self) -> bool:
        """Whether the tail of the weights is light enough, and enough draws are left."""
        return self.k < pareto_k_limit(self.values.size) and self.ess >= MIN_WEIGHTED_ESS


def smoothed(logs: np.ndarray, efficiency: float = 1.0) -> tuple[np.ndarray, float]:
    """Fit a generalized Pareto distribution to the largest weights, and put its quantiles there.

    Parameters
    ----------
    logs : array, shape (draws,)
        Logarithms of the weights, up to a constant.
    efficiency : float
        Effective draws for each draw: 1 where they are independent.

    Returns
    -------
    logs : array
        Of the smoothed weights, up to a constant.
    k : float
        Shape of the distribution: weights have a variance where it is below 0.5.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto smoothed importance sampling, JMLR 25.
    """
    # It takes log p and inverts it itself; until ArviZ 1.0 it took the log weights.
    smooth, k = array_stats.psislw(-logs, r_eff=efficiency)
    return smooth, float(k)
