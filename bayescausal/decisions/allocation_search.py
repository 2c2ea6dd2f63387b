"""Search for the best allocation: a smooth problem in factors of channels, or amounts by period."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize, nnls
from scipy.stats import qmc

from bayescausal.decisions.objectives import Objective
from bayescausal.decisions.plan_gains import Gains
from bayescausal.decisions.spend_limits import SpendLimits

_STARTS = 4
_COARSE = 50
_SAME = 0.02
_BINDS = 1e-4
COARSE = 1e-6
"""Precision of a search that only finds out which hill to climb, or what a draw would gain."""
MISFIT = 0.02
"""Share of the gradient that no constraint explains at the optimum; above, it is no optimum."""


class Optimum(NamedTuple):
    """A plan that no small change betters."""

    factors: np.ndarray
    value: float


class Price(NamedTuple):
    """A constraint that binds, and what relaxing it is worth."""

    name: str
    price: float
    """Of the objective, per currency unit; of a target, per unit of the outcome."""


@dataclass(frozen=True, eq=False)
class Search:
    """What is maximized over the factors, and within which limits.

        objective(gain(f) + base) - price * spend(f)

    Parameters
    ----------
    gains : Gains
    base : array
        Draws of what the present plan brings, to which the gain is added: risk is of both.
    objective : Objective
    limits : SpendLimits
    price : float
        Return that the last unit of spend must bring.
    needed : float, optional
        With it the least spend is sought for which the objective is as large.
    """

    gains: Gains
    base: np.ndarray
    objective: Objective
    limits: SpendLimits
    price: float = 0.0
    needed: float | None = None

    def thinned(self, indices: np.ndarray) -> Search:
        """Return the search on some of the draws."""
        return replace(self, gains=self.gains.thinned(indices), base=self.base[indices])

    def brings(self, factors: np.ndarray) -> float:
        """Return the objective of what a plan brings."""
        return self.objective.value(self.gains(factors) + self.base)

    def slope(self, factors: np.ndarray) -> np.ndarray:
        """Return its derivative by each factor."""
        weights = self.objective.weights(self.gains(factors) + self.base)
        return self.gains.slope(factors, weights)

    def value(self, factors: np.ndarray) -> float:
        """Return what is maximized."""
        if self.needed is not None:
            return -self.limits.total(factors)
        return self.brings(factors) - self.price * self.limits.total(factors)

    def gradient(self, factors: np.ndarray) -> np.ndarray:
        """Return its derivative by each factor."""
        if self.needed is not None:
            return -self.limits.spend
        return self.slope(factors) - self.price * self.limits.spend

    def climb(self, start: np.ndarray, *, precision: float = 1e-9) -> Optimum:
        """Return the local optimum that sequential quadratic programs reach from a start.

        They end when a step changes the value by less than ``precision`` of the largest slope.
        """
        limits = self.limits
        start = limits.feasible(start)
        size = float(np.abs(self.slope(start)).max()) or 1.0
        value_size = float(limits.spend.max()) if self.needed is not None else size
        money = float(limits.spend.sum())
        constraints = [
            _constraint(lambda f, a=a, b=b: (b - a @ f) / money, lambda f, a=a: -a / money)
            for _, a, b in limits.rows
        ]
        if self.needed is not None:
            least = self.needed
            constraints.append(
                _constraint(
                    lambda f: (self.brings(f) - least) / size, lambda f: self.slope(f) / size
                )
            )
        solution = minimize(
            lambda f: -self.value(f) / value_size,
            start,
            jac=lambda f: -self.gradient(f) / value_size,
            bounds=list(zip(limits.low, limits.high, strict=True)),
            constraints=constraints,
            method="SLSQP",
            options={"maxiter": max(100, len(start)), "ftol": precision},
        )
        factors = limits.feasible(solution.x if np.isfinite(solution.x).all() else start)
        return Optimum(factors, self.value(factors))

    def _points(self, seed: int) -> list[np.ndarray]:
        """Return where searches of factors set out.

        Responses may be S-shaped, so money may have to be concentrated: besides the present plan
        and points spread evenly there is a start for each channel that has all it may.
        """
        limits, n = self.limits, len(self.limits.spend)
        spread = qmc.Sobol(n, seed=seed).random(_STARTS)
        corners = np.eye(n) if n > 1 else np.empty((0, 1))
        return [
            np.clip(np.ones(n), limits.low, limits.high),
            *(limits.low + (limits.high - limits.low) * u for u in (*spread, *corners)),
        ]

    def optima(self, seed: int, points: Sequence[np.ndarray] = ()) -> list[Optimum]:
        """Return the local optima that several starts reach, the best first.

        The starts, ``points`` or those of factors, run on some of the draws; the two best optima
        are then climbed on all.
        """
        points, draws = points or self._points(seed), len(self.base)
        coarse_draws = np.linspace(0, draws - 1, min(draws, _COARSE)).round().astype(int)
        coarse = self.thinned(coarse_draws)
        reached = _distinct([coarse.climb(point, precision=COARSE) for point in points])
        best = [self.climb(optimum.factors) for optimum in reached[:2]]
        coarse_optima = [Optimum(o.factors, self.value(o.factors)) for o in reached[2:]]
        meets = [o for o in (*best, *coarse_optima) if self.meets(o.factors)]
        return _distinct(meets or best)

    def meets(self, factors: np.ndarray) -> bool:
        """Whether a plan brings what is needed."""
        if self.needed is None:
            return True
        size = max(abs(self.needed), float(np.abs(self.slope(factors)).max()))
        return self.brings(factors) >= self.needed - 1e-4 * size

    def prices(self, factors: np.ndarray) -> tuple[list[Price], float]:
        """Return the constraints that bind, each with its shadow price, and what they leave open.

            grad value = sum price * normal,   price >= 0   (Karush, Kuhn and Tucker)

        The second number is the share of the gradient that is not explained: zero at an optimum.
        """
        limits, gradient = self.limits, self.gradient(factors)
        names, normals = [], []
        for name, a, b in limits.rows:
            if b - a @ factors <= _BINDS * max(abs(b), float(np.abs(a).max())):
                names.append(name)
                normals.append(a)
        for k, sign, name in self._bounds_met(factors):
            names.append(name)
            normals.append(sign * (np.arange(len(factors)) == k) * limits.spend[k])
        if self.needed is not None:
            names.append("target")
            normals.append(-self.slope(factors))
        size = float(np.linalg.norm(gradient))
        if not names or not size:
            return [], 1.0 if size > 0 and not self._flat(gradient) else 0.0
        scales = [float(np.linalg.norm(a)) or 1.0 for a in normals]
        matrix = np.stack([a / s for a, s in zip(normals, scales, strict=True)], axis=1)
        multipliers, residual = nnls(matrix, gradient)
        prices = [float(x / s) for x, s in zip(multipliers, scales, strict=True)]
        return _merged(names, prices), 0.0 if self._flat(gradient) else float(residual) / size

    def _bounds_met(self, factors: np.ndarray) -> Iterator[tuple[int, float, str]]:
        """Yield the bounds that hold a value: its place, -1 below or 1 above, and a name.

        A dark block has none: nobody can spend less than nothing.
        """
        limits = self.limits
        ends_at_observed = limits.high >= limits.observed - 1e-12
        for k, channel in enumerate(limits.channels):
            if factors[k] - limits.low[k] <= _BINDS:
                is_dark = limits.dates and limits.low[k] <= _BINDS
                yield k, -1.0, "" if is_dark else f"{channel} at least"
            if limits.high[k] - factors[k] <= _BINDS:
                limit = " what was seen in a week" if ends_at_observed[k] else ""
                yield k, 1.0, f"{channel} at most{limit}"

    def _flat(self, gradient: np.ndarray) -> bool:
        """Whether the gradient is nothing beside that of the spend or the gain alone."""
        return float(np.abs(gradient).max()) <= MISFIT * self.price * float(self.limits.spend.max())


def _constraint(value: Callable, slope: Callable) -> dict:
    return {"type": "ineq", "fun": value, "jac": slope}


def _merged(names: Sequence[str], prices: Sequence[float]) -> list[Price]:
    """Return one price a name: the largest, with the number of blocks; none without a name."""
    largest: dict[str, float] = {}
    for name, price in zip(names, prices, strict=True):
        if not name:
            continue
        largest[name] = max(price, largest.get(name, 0.0))
    counts = Counter(names)
    return [
        Price(name if counts[name] == 1 else f"{name}, {counts[name]} times", price)
        for name, price in largest.items()
    ]


def _distinct(optima: Sequence[Optimum]) -> list[Optimum]:
    """Sort optima, the best first, and leave out those near to a better one."""
    distinct: list[Optimum] = []
    for optimum in sorted(optima, key=lambda o: -o.value if math.isfinite(o.value) else math.inf):
        if all(np.abs(optimum.factors - o.factors).max() > _SAME for o in distinct):
            distinct.append(optimum)
    return distinct
