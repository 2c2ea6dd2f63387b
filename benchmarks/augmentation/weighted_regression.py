"""A conjugate linear regression with weighted rows: its posterior in closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

FLAT = 0.01
"""Prior precision of standardized coefficients, in rows: next to none."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Coefficients: Student t around ``mean``, with scale matrix ``scale``; the log evidence."""

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    freedom: float
    evidence: float

    def of(self, reads: dict[str, float]) -> tuple[float, float]:
        """Mean and scale of a combination of coefficients."""
        c = np.array([reads.get(name, 0.0) for name in self.names])
        return float(c @ self.mean), float(np.sqrt(c @ self.scale @ c))

    def interval(self, reads: dict[str, float], level: float = 0.9) -> tuple[float, float]:
        """Central credible interval of a combination."""
        mean, scale = self.of(reads)
        half = student.ppf((1 + level) / 2, self.freedom) * scale
        return mean - half, mean + half

    def draws(self, name: str, size: int, rng: np.random.Generator) -> np.ndarray:
        """Draw one coefficient."""
        mean, scale = self.of({name: 1.0})
        return mean + scale * rng.standard_t(self.freedom, size)


def fit(
    frame: pd.DataFrame,
    weights: np.ndarray,
    outcome: str,
    terms: Sequence[str],
    prior: Mapping[str, float] | None = None,
) -> Posterior:
    """Posterior under the power likelihood ``sum_i w_i log N(y_i | x_i b, s^2)``.

    Weights are in rows: the total weight is what the posterior counts as the number of rows.
    The prior is flat, so 90 percent intervals of the unweighted fit cover 90 percent. ``prior`` has
    the precision of coefficients of standardized terms, in rows, for those that have one.

    >>> x = np.linspace(-1, 1, 50)
    >>> frame = pd.DataFrame({"x": x, "y": 3 * x + np.cos(40 * x)})
    >>> once, twice = (fit(frame, np.full(50, w), "y", ["x"]) for w in (1.0, 2.0))
    >>> bool(abs(once.of({"x": 1})[0] - 3) < 0.1)
    True
    >>> round(once.of({"x": 1})[1] / twice.of({"x": 1})[1], 2)  # more weight, more certain
    1.43
    """
    names = ("1", *terms)
    x = np.stack([np.ones(len(frame)), *(column(frame, term) for term in terms)], axis=1)
    y, w = frame[outcome].to_numpy(), weights
    center = w @ y / w.sum()
    size = w @ (x - w @ x / w.sum()) ** 2 / w.sum()
    own = FLAT * np.ones(len(names)) if prior is None else _own(names, prior)
    before = np.where(size > 0, own * size, 0)
    precision = (x * w[:, None]).T @ x + np.diag(before)
    inverse = np.linalg.inv(precision)
    mean = inverse @ ((x * w[:, None]).T @ (y - center))
    flat = sum(name not in (prior or {}) for name in names)
    shape = max(w.sum() - flat, 1.0) / 2  # the reference prior of the others, and of the variance
    rate = 0.5 * (w @ (y - center) ** 2 - mean @ precision @ mean)
    real = before[before > 0]
    evidence = 0.5 * (np.log(real).sum() - np.linalg.slogdet(precision)[1]) - shape * np.log(rate)
    mean[0] += center
    return Posterior(names, mean, inverse * rate / shape, 2 * shape, float(evidence))


def _own(names: Sequence[str], prior: Mapping[str, float]) -> np.ndarray:
    return np.array([prior.get(name, FLAT) for name in names])


def shrunk(
    frame: pd.DataFrame, outcome: str, terms: Sequence[str], effects: Sequence[str]
) -> Posterior:
    """Fit observed rows with a prior for effects, around zero, as wide as the evidence makes it.

    The control: what it gains over the flat prior is shrinkage, and owes nothing to the graph.
    """
    ones = np.ones(len(frame))
    precisions = np.geomspace(FLAT, 1000, 25)
    fits = [fit(frame, ones, outcome, terms, dict.fromkeys(effects, p)) for p in precisions]
    return max(fits, key=lambda one: one.evidence)


def column(frame: pd.DataFrame, term: str) -> np.ndarray:
    """Values of a term; ``a*b`` is a product of columns."""
    return np.prod([frame[name].to_numpy() for name in term.split("*")], axis=0)
