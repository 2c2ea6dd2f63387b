"""Gains of plans that multiply the spend of channels, in draws, with their gradient.

Everything goes through `contrast`: all channels at once, mediators and carry-over included.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from bayescausal._types import Array, Node
from bayescausal.decisions.decision import gain_of
from bayescausal.experiments.estimand import Estimand, Times
from bayescausal.graphs.edge import Edge
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.model.contrast import Scope, scope
from bayescausal.model.scm import Equations

STEP = 1e-5
"""Step of a factor in a difference: the gain is smooth, and exact to some 1e-15 of the outcome."""
_KEPT = 4


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
    """

    equations: Equations
    channels: Sequence[Node]
    place: Mapping[str, Any]
    weights: Mapping[Node, Array]

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
        return replace(self, equations=_remembering(self.equations.thinned(indices)))

    @cached_property
    def windows(self) -> dict[Node, Scope]:
        """Where the plans count; it is the same whatever the factors."""
        plan = self.plan(np.ones(len(self.channels)))
        return {node: scope(self.equations.scm, plan.on(node)) for node in self.weights}

    def plan(self, factors: np.ndarray, name: str | None = None) -> Estimand:
        """Return the plan as an estimand."""
        active = {c: Times(float(f)) for c, f in zip(self.channels, factors, strict=True)}
        return Estimand(active, name=name, **self.place)

    def __call__(self, factors: np.ndarray) -> np.ndarray:
        """Return draws of the gain over the present plan, shape ``(draw,)``."""
        gain = gain_of(self.equations, self.plan(factors), self.weights, self.windows)
        return np.broadcast_to(gain, (self.equations.draws,))

    def gradient(self, factors: np.ndarray, *, central: bool = False) -> np.ndarray:
        """Return draws of the derivative by each factor, shape ``(draw, channel)``."""
        gain = None if central else self(factors)
        columns = []
        for c in range(len(factors)):
            step = STEP * (np.arange(len(factors)) == c)
            low = gain if gain is not None else self(np.maximum(factors - step, 0.0))
            width = STEP if gain is not None else STEP + min(STEP, factors[c])
            columns.append((self(factors + step) - low) / width)
        return np.stack(columns, axis=1)


def _remembering(equations: Equations) -> RememberingEquations:
    return RememberingEquations(equations.scm, equations.theta, equations.x, equations.edges)
