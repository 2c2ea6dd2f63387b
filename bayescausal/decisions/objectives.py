"""What an allocation maximizes: a number that stands for the draws of what it brings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.special import betainc

from bayescausal import checks
from bayescausal.errors import SpecError, shown


@runtime_checkable
class Objective(Protocol):
    """A statistic of draws that is maximized."""

    def value(self, draws: np.ndarray) -> float:
        """Return the statistic of draws, shape ``(n,)``."""

    def weights(self, draws: np.ndarray) -> np.ndarray:
        """Return its derivative by each draw, so that its gradient is a weighted sum of theirs."""


@dataclass(frozen=True)
class Mean:
    """The expected value: indifferent to risk.

    Examples
    --------
    >>> Mean().value(np.array([1.0, 2.0, 6.0]))
    3.0
    """

    def value(self, draws: np.ndarray) -> float:
        """Return the mean."""
        return float(draws.mean())

    def weights(self, draws: np.ndarray) -> np.ndarray:
        """Return 1/n."""
        return np.full(len(draws), 1 / len(draws))


@dataclass(frozen=True)
class Quantile:
    """A quantile, smooth in the draws: order statistics weighted by a Beta density.

    Parameters
    ----------
    level : float
        Its probability; 0.1 is what is exceeded nine times in ten.

    Notes
    -----
    Source: Harrell and Davis (1982), A new distribution-free quantile estimator, Biometrika 69.

    Examples
    --------
    >>> round(Quantile(0.5).value(np.arange(101.0)), 6)
    50.0
    """

    level: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", checks.probability("Quantile: level", self.level))

    def value(self, draws: np.ndarray) -> float:
        """Return the weighted sum of the order statistics."""
        return float(self.weights(draws) @ draws)

    def weights(self, draws: np.ndarray) -> np.ndarray:
        """Return the weight of each draw by its rank."""
        n = len(draws)
        a, b = (n + 1) * self.level, (n + 1) * (1 - self.level)
        return _by_rank(draws, np.diff(betainc(a, b, np.arange(n + 1) / n)))


@dataclass(frozen=True)
class CVaR:
    """The mean of the worst draws (conditional value at risk, expected shortfall).

    Parameters
    ----------
    level : float
        Share of draws that count as the worst.

    Notes
    -----
    Source: Rockafellar and Uryasev (2000), Optimization of conditional value-at-risk.

    Examples
    --------
    >>> CVaR(0.5).value(np.array([4.0, 1.0, 3.0, 2.0]))
    1.5
    """

    level: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", checks.probability("CVaR: level", self.level))

    def value(self, draws: np.ndarray) -> float:
        """Return the mean of the worst share of draws."""
        return float(self.weights(draws) @ draws)

    def weights(self, draws: np.ndarray) -> np.ndarray:
        """Return the weight of each draw by its rank: the last that counts may count in part."""
        count = self.level * len(draws)
        return _by_rank(draws, np.clip(count - np.arange(len(draws)), 0, 1) / count)


@dataclass(frozen=True)
class MeanLessSD:
    """The mean less a multiple of the standard deviation.

    Parameters
    ----------
    multiple : float
        Zero or more; the price of a standard deviation.

    Examples
    --------
    >>> MeanLessSD(0.5).value(np.array([1.0, 3.0]))
    1.5
    """

    multiple: float

    def __post_init__(self) -> None:
        size = checks.number("MeanLessSD: multiple", self.multiple)
        if size < 0:
            raise SpecError(f"MeanLessSD: multiple is zero or more; got {size:g}.")
        object.__setattr__(self, "multiple", size)

    def value(self, draws: np.ndarray) -> float:
        """Return mean - multiple * sd."""
        return float(draws.mean() - self.multiple * draws.std())

    def weights(self, draws: np.ndarray) -> np.ndarray:
        """Return the derivative by each draw."""
        n, sd = len(draws), draws.std()
        tilt = (draws - draws.mean()) / sd if sd > 0 else np.zeros(n)
        return (1 - self.multiple * tilt) / n


def as_objective(value: Any) -> Objective:
    """Return an objective; "mean" is short for `Mean`."""
    if isinstance(value, str) and value == "mean":
        return Mean()
    if isinstance(value, Objective) and not isinstance(value, type):
        return value
    raise SpecError(
        f"objective is 'mean', Quantile(0.1), CVaR(0.1) or MeanLessSD(0.5); got {shown(value)}."
    )


def _by_rank(draws: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Give each draw the weight of its rank."""
    placed = np.empty(len(draws))
    placed[np.argsort(draws, kind="stable")] = weights
    return placed
