"""Gains of plans, in draws, with their gradient: spend by a factor a channel, or by period.

Everything goes through `contrast`: all channels at once, mediators and carry-over included.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from bayescausal._types import Array, Node
from bayescausal.decisions.decision import gain_of
from bayescausal.decisions.schedule import Schedule
from bayescausal.experiments.estimand import Estimand, Times
from bayescausal.graphs.edge import Edge
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.inference.gradient import Pullback, differentiated
from bayescausal.model.scm import Equations

STEP = 1e-5
"""Step of a factor in a difference: the gain is smooth, and exact to some 1e-15 of the outcome."""
_KEPT = 4


class Gains(Protocol):
    """What plans gain over the present one, by draw: a function of what is chosen."""

    def __call__(self, values: np.ndarray, /) -> np.ndarray:
        """Return draws of the gain, shape ``(draw,)``."""

    def slope(self, values: np.ndarray, weights: np.ndarray, /) -> np.ndarray:
        """Return the derivative of the weighted sum of draws by each value."""

    def thinned(self, indices: np.ndarray, /) -> Gains:
        """Return the gains in some of these draws."""

    def plan(self, values: np.ndarray, /, name: str | None = None) -> Estimand:
        """Return the plan as an estimand."""


def derivative(gains: Gains, values: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return draws of the derivative of gains as some values grow in proportion.

    Per unit of their sum; where they are all zero they grow alike.
    """
    direction = np.where(members, values, 0.0)
    runs = bool(direction.any())
    direction = direction if runs else np.where(members, 1.0, 0.0)
    back = values - STEP * direction if runs else values
    width = STEP * (2 if runs else 1) * direction.sum()
    return (gains(values + STEP * direction) - gains(back)) / width


@dataclass(frozen=True, eq=False)
class RememberingEquations(Equations):
    """Equations that remember the last curves of paths that are the same in all draws.

    A plan that differs from the last one in one channel costs one curve, so a gradient by
    differences costs little more than one plan.
    """

    memory: dict[Edge, OrderedDict[bytes, Array]] = field(default_factory=dict)

    def curve(self, edge: Edge, path: Array) -> Array:
        """``f(path)`` of an edge, from memory where it was asked of late."""
        if np.ndim(path) > self.scm.depth:  # a mediator: a path for each draw
            return super().curve(edge, path)
        curves, key = self.memory.setdefault(edge, OrderedDict()), np.asarray(path).tobytes()
        if key not in curves:
            curves[key] = super().curve(edge, path)
            if len(curves) > _KEPT:
                curves.popitem(last=False)
        curves.move_to_end(key)
        return curves[key]


@dataclass(frozen=True, eq=False)
class PlanGains:
    """What plans gain over the present one, by draw: a function of the factors of channels.

    Parameters
    ----------
    equations : Equations
        With one leading draw dim.
    channels : sequence of str
    place : mapping
        Window and outcome of the plans.
    weights : mapping of str to array
        What a unit of each node that counts is worth; see `gain_of`.
    memory : dict
        The last gains: a search asks for the gain and then for the slope of the same factors.
    """

    equations: Equations
    channels: Sequence[Node]
    place: Mapping[str, Any]
    weights: Mapping[Node, Array]
    memory: dict[bytes, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of_fit(
        cls,
        fit: Fit,
        channels: Sequence[Node],
        place: Mapping[str, Any],
        weights: Mapping[Node, Array],
        indices: np.ndarray,
    ) -> PlanGains:
        """Bind the draws of these indices, of all chains joined."""
        bound = fit.equations(indices, edges_below(fit.spec, channels))
        return cls(_remembering(bound), channels, place, weights)

    def thinned(self, indices: np.ndarray) -> PlanGains:
        """Return the gains in some of these draws."""
        return replace(self, equations=_remembering(self.equations.thinned(indices)), memory={})

    def plan(self, factors: np.ndarray, name: str | None = None) -> Estimand:
        """Return the plan as an estimand."""
        active = {c: Times(float(f)) for c, f in zip(self.channels, factors, strict=True)}
        return Estimand(active, name=name, **self.place)

    def __call__(self, factors: np.ndarray) -> np.ndarray:
        """Return draws of the gain over the present plan, shape ``(draw,)``."""
        key = np.asarray(factors, float).tobytes()
        if key not in self.memory:
            self.memory.clear()
            self.memory[key] = self._gains(factors)
        return self.memory[key]

    def slope(self, factors: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the derivative of the weighted sum of draws by each factor, by differences."""
        gain, steps = self(factors), STEP * np.eye(len(factors))
        return np.array([weights @ (self._gains(factors + step) - gain) for step in steps]) / STEP

    def _gains(self, factors: np.ndarray) -> np.ndarray:
        gain = gain_of(self.equations, self.plan(factors), self.weights)
        return np.broadcast_to(gain, (self.equations.draws,))


@dataclass(frozen=True, eq=False)
class ScheduleGains:
    """What schedules gain over the present plan, by draw: a function of amounts by block.

    Parameters
    ----------
    equations : Equations
        With one leading draw dim.
    schedule : Schedule
    place, weights
        As in `PlanGains`.
    bind : callable
        Compiled gains, with their derivative; see `differentiated`.
    memory : dict
        The last evaluation. A search asks for the gain and then for the slope at the same amounts,
        mostly of the same weights, and both come of one evaluation.
    """

    equations: Equations
    schedule: Schedule
    place: Mapping[str, Any]
    weights: Mapping[Node, Array]
    bind: Callable[[Equations], Pullback]
    memory: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, gains: PlanGains, schedule: Schedule) -> ScheduleGains:
        """Return the gains of schedules in the draws and with the weights of others."""

        def gain(equations: Equations, amounts: Array) -> Array:
            paths = schedule.paths(amounts, equations.xp)
            plan = Estimand({c: _constant(path) for c, path in paths.items()}, **gains.place)
            return gain_of(equations, plan, gains.weights)

        bind = differentiated(gain, gains.equations.scm)
        return cls(gains.equations, schedule, gains.place, gains.weights, bind)

    def thinned(self, indices: np.ndarray) -> ScheduleGains:
        """Return the gains in some of these draws."""
        return replace(self, equations=self.equations.thinned(indices), memory={})

    @cached_property
    def _pullback(self) -> Pullback:
        return self.bind(self.equations)

    def _evaluated(self, amounts: np.ndarray, weights: np.ndarray | None) -> dict[str, np.ndarray]:
        """Evaluate gains and slope unless both are known; without weights any slope will do."""
        memory = self.memory
        is_known = bool(memory) and np.array_equal(amounts, memory["amounts"])
        if is_known and (weights is None or np.array_equal(weights, memory["weights"])):
            return memory
        if weights is None:
            weights = memory.get("weights", np.full(self.equations.draws, 1 / self.equations.draws))
        gains, slope = self._pullback(amounts, weights)
        new = {"amounts": amounts.copy(), "weights": weights, "gains": gains, "slope": slope}
        memory.update(new)
        return memory

    def plan(self, amounts: np.ndarray, name: str | None = None) -> Estimand:
        """Return the plan as an estimand: the exposure of each channel in every period."""
        return Estimand(dict(self.schedule.paths(amounts)), name=name, **self.place)

    def __call__(self, amounts: np.ndarray) -> np.ndarray:
        """Return draws of the gain over the present plan, shape ``(draw,)``."""
        return self._evaluated(amounts, None)["gains"]

    def slope(self, amounts: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the derivative of the weighted sum of draws by each amount, in reverse mode."""
        return self._evaluated(amounts, weights)["slope"]


def _constant(path: Array) -> Callable[[Array], Array]:
    """Return an intervention that sets a path, which may be one that a compiler traces."""
    return lambda _: path


def _remembering(equations: Equations) -> RememberingEquations:
    return RememberingEquations(equations.scm, equations.theta, equations.x, equations.edges)
