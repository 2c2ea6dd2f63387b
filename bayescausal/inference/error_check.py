"""Whether errors look as their equation says: a check that travels with every number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from bayescausal.data.dataset import Dataset
from bayescausal.thresholds import ERROR_CHECK_P


class ErrorCheck(NamedTuple):
    """First autocorrelation of the errors, observed and in replicas of the data."""

    observed: float
    simulated: np.ndarray

    @property
    def p_value(self) -> float:
        """Part of the replicas with at least the observed autocorrelation."""
        return float((self.simulated >= self.observed).mean())

    @property
    def fails(self) -> bool:
        """Whether the observed autocorrelation is rarer than `ERROR_CHECK_P` among the replicas."""
        return 2 * min(self.p_value, 1 - self.p_value) < ERROR_CHECK_P


def check_errors(node: str, data: Dataset, replicas: xr.Dataset) -> ErrorCheck:
    """Compare the first autocorrelation of a node's errors with that of replicated data.

    Errors are what is left when the mean of the replicas is taken away; in a panel, of the sum over
    units. Not a test of the graph: it asks whether neighboring periods are as alike as the model
    says. Where they are more alike, a fit knows less than its intervals say.

    Parameters
    ----------
    node : str
    data : Dataset
    replicas : xarray.Dataset
        Posterior predictive draws, dims ``(chain, draw)`` and those of the data.

    Source: Gelman, Meng & Stern (1996).
    """
    observed, replicated = data.array(node)[..., data.history :], stacked(node, data, replicas)
    if data.is_panel:
        observed, replicated = observed.sum(axis=-2), replicated.sum(axis=-2)
    center = replicated.mean(axis=0)
    return ErrorCheck(float(_lag_one(observed - center)), _lag_one(replicated - center))


def stacked(node: str, data: Dataset, replicas: xr.Dataset) -> np.ndarray:
    """Replicas of a node with chains joined, draws first."""
    replicated = replicas[node].transpose("chain", "draw", *data.dims).to_numpy()
    return replicated.reshape(-1, *replicated.shape[2:])


def in_words(node: str, check: ErrorCheck) -> str:
    """Say that a check failed, what follows, and what to do."""
    if check.p_value < 0.5:
        return (
            f"The errors of {node} last longer than the model assumes (first autocorrelation "
            f"{check.observed:.2f}, in replicas {np.median(check.simulated):.2f}): intervals are "
            "too narrow. Add a trend, a season or the missing driver, or let errors have memory: "
            "AR1Noise()."
        )
    return (
        f"The errors of {node} last less long than the model assumes (first autocorrelation "
        f"{check.observed:.2f}, in replicas {np.median(check.simulated):.2f}): intervals may be "
        "too wide. Look for a baseline term that follows single periods."
    )


def _lag_one(y: np.ndarray) -> np.ndarray:
    centered = y - y.mean(axis=-1, keepdims=True)
    return (centered[..., 1:] * centered[..., :-1]).sum(-1) / (centered**2).sum(-1)
