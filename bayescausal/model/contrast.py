"""The one definition of "incremental": a contrast of two worlds, counted where it is asked.

The lift-test term of the likelihood, `effect`, `contributions`, `roas` and `decompose` all call
`contrast`; there is no other place that says what an effect is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from bayescausal._types import Array, Intervention, Node, Theta
from bayescausal.errors import DataError, SpecError, did_you_mean
from bayescausal.model.scm import SCM, Mechanism, evolve
from bayescausal.specs.dataset import Dataset
from bayescausal.specs.edge import Edge
from bayescausal.specs.estimand import Estimand
from bayescausal.specs.saturation import NoSaturation, Saturation


class Scope(NamedTuple):
    """Where an estimand acts and where it is counted, as masks over the data dims."""

    acts: np.ndarray
    counts: np.ndarray
    periods: int
    truncated: bool

    @property
    def span(self) -> int:
        """Periods from the first that is counted to the last."""
        counted = np.flatnonzero(self.counts.reshape(-1, self.counts.shape[-1]).any(axis=0))
        return int(counted[-1] - counted[0]) + 1


def scope(scm: SCM, estimand: Estimand) -> Scope:
    """Masks of the window and units, the number of unit-periods, and whether the tail is cut.

    The tail is the longest path's adstock reach and lags, cut where the data end.
    """
    data = scm.data
    trained = np.arange(len(data.time)) >= data.history
    window = trained & _inside(data, estimand)
    if not window.any():
        raise DataError(
            f"{estimand!r}: no period of the data lies in its window. The data run "
            f"{data.training[0].date()}..{data.time[-1].date()}."
        )
    last = int(np.flatnonzero(window)[-1])
    tail = reach(scm, estimand) if estimand.carryover else 0
    counted = window.copy()
    counted[last : last + tail + 1] = True
    counted[int(np.flatnonzero(window)[0]) : last] = True
    units = _units(data, estimand)
    truncated = last + tail > len(data.time) - 1
    return Scope(units & window, units & counted, int((units & window).sum()), truncated)


def _inside(data: Dataset, estimand: Estimand) -> np.ndarray:
    if estimand.window is None:
        return np.ones(len(data.time), bool)
    start, end = estimand.window
    return np.asarray((data.time >= start) & (data.time <= end))


def _units(data: Dataset, estimand: Estimand) -> np.ndarray:
    if not data.is_panel:
        if estimand.units:
            raise DataError(f"{estimand!r} names units, but the data are national.")
        return np.ones(1, bool)
    unknown = [u for u in estimand.units or () if u not in data.units]
    if unknown:
        raise DataError(
            f"Unit '{unknown[0]}' is not in the data. Units: {', '.join(data.units)}."
            f"{did_you_mean(unknown[0], data.units)}"
        )
    wanted = estimand.units or data.units
    return np.isin(np.array(data.units), wanted)[:, None]


def reach(scm: SCM, estimand: Estimand) -> int:
    """Periods over which the intervention still moves the outcome: the longest path's lags.

    With feedback that the intervention leaves whole there is no last one: to the end of the data.
    """
    outcome = scm.spec.outcome_of(estimand)
    return max(_reach(scm, side, outcome) for side in (estimand.active, estimand.control))


def _reach(scm: SCM, do: Mapping[str, Intervention], outcome: Node) -> int:
    """Reach of one world, against the factual one; a path ends at a node that the world sets."""
    spec, nodes = scm.spec, [key for key in do if "->" not in key]
    treatments = {key.split("->")[0].strip() for key in do}
    graph = spec.reduced.do(nodes)
    between = {*graph.descendants(*treatments)} & {outcome, *graph.ancestors(outcome)}
    if between & {*scm.feedback(nodes)}:
        return len(scm.data.time)
    far: dict[Node, int] = {}
    for node in spec.modelled:
        for edge in graph.incoming(node):
            own = edge.lag + spec.mechanisms[edge].reach
            if edge.source in treatments:
                far[node] = max(far.get(node, 0), own)
            if edge.source in far:
                far[node] = max(far.get(node, 0), own + far[edge.source])
    return far.get(outcome, 0)


def resolve(
    scm: SCM,
    x: Mapping[Node, Array],
    do: Mapping[str, Intervention],
    acts: np.ndarray,
    xp: Any = np,
) -> dict[Node | Edge, Array]:
    """Turn interventions into whole paths: the new value where they act, the factual elsewhere.

    Keys are nodes, or `Edge` for a value that is fed along one edge only.
    """
    out: dict[Node | Edge, Array] = {}
    for key, value in do.items():
        edge = Edge.parse(key) if "->" in key else None
        path = x[edge.source if edge else key]
        new = _applied(scm, key, value, path, acts, xp)
        out[edge or key] = xp.where(acts, new, path)
    return out


def _applied(
    scm: SCM, key: str, value: Intervention, path: Array, acts: np.ndarray, xp: Any
) -> Array:
    """Evaluate an intervention and check what it gives; a function gets a copy of the path."""
    if callable(value) and xp is not np:
        try:
            return value(path)
        except (TypeError, ValueError, AttributeError) as error:
            raise SpecError(
                f"do({key}=function) failed in the model ({error}). In an experiment a function "
                "may only use + - * /; write Times(1.1), Plus(5) or the array of its values."
            ) from None
    new = np.asarray(value(path.copy()) if callable(value) else value, dtype=float)
    shape = scm.data.array(key.split("->")[0]).shape
    if new.shape not in ((), shape, shape[-1:]) or not np.isfinite(new).all():
        raise DataError(
            f"do({key}=...) must give finite values in the shape of the data, {shape}; got shape "
            f"{new.shape}."
        )
    if ((new < 0) & acts).any() and _saturates(scm, key):
        raise DataError(
            f"do({key}=...) is negative (down to {new.min():g}), but '{key}' saturates: exposure "
            "cannot be negative. Set zero or more."
        )
    return new


def _saturates(scm: SCM, key: str) -> bool:
    return any(
        isinstance(step, Saturation) and not isinstance(step, NoSaturation)
        for edge, response in scm.spec.mechanisms.items()
        if key in (edge.source, str(edge))
        for step in response.transforms
    )


def contrast(
    scm: SCM,
    theta: Theta,
    x: Mapping[Node, Array],
    edges: Mapping[Edge, Mechanism],
    estimand: Estimand,
    xp: Any = np,
) -> Array:
    """``Y_active - Y_control`` in every unit and period that the estimand counts, zero elsewhere.

    Each unit keeps its errors in both worlds. Summed over the data dims this is the effect on
    the ``total`` scale.

    Returns
    -------
    array
        Draw dims, then ``(time,)`` or ``(unit, time)``; in units of the outcome.
    """
    where = scope(scm, estimand)
    span = where.span
    active, control = (
        evolve(scm, theta, x, edges, xp, do=resolve(scm, x, side, where.acts, xp), periods=span)
        for side in (estimand.active, estimand.control)
    )
    outcome = scm.spec.outcome_of(estimand)
    return xp.where(where.counts, active[outcome] - control[outcome], 0.0)


def split(
    scm: SCM,
    theta: Theta,
    x: Mapping[Node, Array],
    edges: Mapping[Edge, Mechanism],
    estimand: Estimand,
    xp: Any = np,
) -> dict[str, Array]:
    """Total, natural direct and natural indirect effect; the last two add up to the first.

        direct   = Y(a, M(b)) - Y(b, M(b)),    indirect = Y(a, M(a)) - Y(a, M(b))

    The direct path is every edge from a treatment to the outcome, of any lag. Dims as `contrast`.
    """
    where = scope(scm, estimand)
    outcome = scm.spec.outcome_of(estimand)
    active = resolve(scm, x, estimand.active, where.acts, xp)
    control = resolve(scm, x, estimand.control, where.acts, xp)
    if any(isinstance(key, Edge) for key in (*active, *control)):
        raise SpecError("A direct/indirect split is asked of nodes; an edge is already one path.")
    world = evolve(scm, theta, x, edges, xp, do=active, periods=where.span)
    direct: dict[Node | Edge, Array] = {
        edge: world[edge.source]
        for edge in scm.spec.reduced.incoming(outcome)
        if edge.source in estimand.treatments
    }
    below = evolve(scm, theta, x, edges, xp, do=control, periods=where.span)
    still: dict[Node | Edge, Array] = {v: path for v, path in below.items() if v != outcome}
    mixed = evolve(scm, theta, x, edges, xp, do=still | direct, periods=where.span)[outcome]
    both, neither = world[outcome], below[outcome]
    parts = {"total": both - neither, "direct": mixed - neither, "indirect": both - mixed}
    return {name: xp.where(where.counts, part, 0.0) for name, part in parts.items()}


def divisor(scm: SCM, estimand: Estimand) -> float:
    """What the total is divided by on the estimand's scale."""
    if estimand.scale == "mean":
        return float(scope(scm, estimand).periods)
    if estimand.scale == "per_spend":
        return moved_spend(scm, estimand)
    return 1.0


def moved_spend(scm: SCM, estimand: Estimand) -> float:
    """Spend of the intervened treatments in the active world, less that in the control world.

    Exposure is paid at the price of its own period; where there was none, at the mean price.
    """
    acts = scope(scm, estimand).acts
    x = scm.factual
    active, control = (resolve(scm, x, side, acts) for side in (estimand.active, estimand.control))
    total = 0.0
    for node in estimand.treatments:
        change = active.get(node, x[node]) - control.get(node, x[node])
        total += float((unit_cost(scm.data, node) * change).sum())
    if total == 0:
        raise DataError(
            f"{estimand!r} moves no spend in its window, so an effect per spend is undefined."
        )
    return total


def unit_cost(data: Dataset, node: Node) -> np.ndarray:
    """Currency per unit of exposure, dims as the data."""
    spend, exposure = data.spend_of(node), data.array(node)
    mean = spend.sum() / exposure.sum()
    return np.divide(spend, exposure, out=np.full(spend.shape, mean), where=exposure > 0)
