"""How much of an effect lies below the exposure that was observed.

A channel that was always on has never shown what happens without it. Its contribution "against
zero" is then what data tell of exposure above the lowest that was observed, and below that the form
of the curve.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayescausal._types import Array, Node, Theta
from bayescausal.experiments.estimand import Estimand
from bayescausal.graphs.edge import Edge
from bayescausal.model.contrast import contrast, scope
from bayescausal.model.feedback import evolve
from bayescausal.model.scm import SCM, Equations
from bayescausal.specs.adstock import Adstock


def carried_exposure(scm: SCM, edge: Edge, theta: Theta, path: Array) -> Array:
    """Return exposure as it meets the first curve of an edge: scaled, carried over.

    Where a saturation comes before any adstock it is the scaled exposure itself.
    """
    return _carried(scm, edge, theta, path / scm.scale[edge.source])


def _carried(scm: SCM, edge: Edge, theta: Theta, exposure: Array) -> Array:
    """Apply the adstocks that come first along an edge."""
    for step in scm.spec.mechanisms[edge].transforms:
        if not isinstance(step, Adstock):
            break
        parameters = {name: theta[f"{edge}:{name}"] for name in step.priors}
        exposure = step.apply(np, exposure, parameters, scm.depth)
    return exposure


def observed_rows(scm: SCM, edge: Edge, end: int | None = None) -> slice:
    """Return the periods whose carried exposure was observed whole.

    The first ones lack what was spent before the data; where all do, none is left out.
    """
    response = scm.spec.mechanisms[edge]
    start = max(scm.data.history, response.reach)
    end = len(scm.data.time) if end is None else end
    return slice(start if start < end else scm.data.history, end)


def lowest_exposure(equations: Equations, edge: Edge, end: int | None = None) -> Array:
    """Return the steady exposure that carries over to the lowest that was observed.

    In original units of the source. The lowest is that of all units of a panel, each on its own
    scale, since they share a curve; never below zero. Shape ``(draw, 1)``, or ``(draw, unit, 1)``;
    without an adstock there is no draw dim.
    """
    scm = equations.scm
    carried = carried_exposure(scm, edge, equations.theta, scm.factual[edge.source])
    axes = tuple(range(-scm.depth, 0))
    training = carried[..., observed_rows(scm, edge, end)]
    lowest = np.maximum(training.min(axis=axes, keepdims=True), 0.0)
    constant = np.ones(
        (1,) * (scm.depth - 1) + (training.shape[-1] + observed_rows(scm, edge).start,)
    )
    steady = _carried(scm, edge, equations.theta, constant)[..., -1:]
    return lowest / steady * scm.scale[edge.source]


def extrapolated_share(equations: Equations, estimand: Estimand, end: int | None = None) -> Array:
    """Return the share of an effect that lies below the lowest exposure that was observed.

        sum (Y(do(x = c)) - Y(do(x = 0))) / sum (Y - Y(do(x = 0)))

    Both worlds keep the errors of the data, as in `contrast`. Along each edge out of a treatment, c
    is the lowest carried exposure of that edge in that draw. Zero where some stretch without
    exposure is longer than the carry-over; near one for a channel that was always on and saturates.
    NaN in draws without any effect.

    Parameters
    ----------
    equations : Equations
        With one draw dim.
    estimand : Estimand
        A removal: see `identification.question.is_removal`.
    end : int, optional
        The number of periods that were observed; all by default.

    Returns
    -------
    array, shape ``(draw,)``
    """
    scm, x = equations.scm, equations.x
    window, outcome = scope(scm, estimand), scm.spec.outcome_of(estimand)
    edges = [e for t in estimand.treatments for e in scm.spec.reduced.outgoing(t)]
    edges = [e for e in edges if e in scm.spec.mechanisms]

    def world(levels: Mapping[Edge, Array]) -> Array:
        do: dict[Node | Edge, Array] = {
            edge: np.where(window.acts, levels[edge], x[edge.source]) for edge in edges
        }
        return evolve(equations, do=do, periods=window.span)[outcome]

    lowest = world({edge: lowest_exposure(equations, edge, end) for edge in edges})
    without = world({edge: np.zeros(1) for edge in edges})
    axes = tuple(range(-scm.depth, 0))
    below = np.where(window.counts, lowest - without, 0.0).sum(axis=axes)
    whole = contrast(equations, estimand).sum(axis=axes)
    below, whole = (np.broadcast_to(part, (equations.draws,)) for part in (below, whole))
    return below / np.where(whole == 0, np.nan, whole)
