"""The one definition of "incremental": a contrast of two worlds, counted where it is asked.

The lift-test term of the likelihood, `effect`, `contributions`, `roas` and `decompose` all call
`contrast`, and `measure` where a number on the estimand's scale is wanted; there is no other place
that says what an effect is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from bayescausal._types import Array, Intervention, Node
from bayescausal.data.dataset import Dataset
from bayescausal.data.periods import covered, covered_days, is_whole, period_mask, window_text
from bayescausal.errors import DataError, SpecError, did_you_mean
from bayescausal.experiments.estimand import Estimand
from bayescausal.graphs.edge import Edge
from bayescausal.model.feedback import evolve
from bayescausal.model.off_panel import means, setting, timeline, worlds
from bayescausal.model.scm import SCM, Equations


class Scope(NamedTuple):
    """Where an estimand acts and where it is counted, as masks over the data dims."""

    acts: np.ndarray
    counts: np.ndarray
    periods: int
    truncated: bool

    @property
    def span(self) -> int:
        """Periods from the first that is counted to the last."""
        counted_periods = np.flatnonzero(self.counts.reshape(-1, self.counts.shape[-1]).any(axis=0))
        return int(counted_periods[-1] - counted_periods[0]) + 1


def scope(scm: SCM, estimand: Estimand) -> Scope:
    """Masks of the window and units, the number of unit-periods, and whether the tail is cut.

    The window is cut where the data begin and end: `window_in_words` says what is left, and none
    left is an error. The tail is the longest path's adstock reach and lags, cut where the data
    end; one that is stated must be in the data. Off the panel the masks are over the test's own
    world.
    """
    if estimand.off_panel:
        calendar = timeline(estimand, reach(scm, estimand))
        place = np.arange(calendar.periods)
        units = _units(scm.data, estimand)
        last = calendar.lead + calendar.length
        acts, counts = (place >= calendar.lead) & (place < last), place >= calendar.lead
        return Scope(units & acts, units & counts, int((units & acts).sum()), False)
    sides = frozenset(estimand.active), frozenset(estimand.control)
    key = (*sides, estimand.outcome, estimand.window, estimand.units, estimand.tail)
    if key not in scm.known_scopes:
        scm.known_scopes[key] = _scope(scm, estimand)
    return scm.known_scopes[key]


def _scope(scm: SCM, estimand: Estimand) -> Scope:
    """Work out where an estimand in the data acts and is counted."""
    data = scm.data
    trained = np.arange(len(data.time)) >= data.history
    window = trained & _window_mask(data, estimand)
    if not window.any():
        raise DataError(
            f"{estimand!r}: no period of the data lies in its window. The data run "
            f"{data.training[0].date()}..{data.time[-1].date()}."
        )
    last = int(np.flatnonzero(window)[-1])
    tail = reach(scm, estimand) if estimand.tail is None else estimand.tail
    mask = window.copy()
    mask[last : last + tail + 1] = True
    mask[int(np.flatnonzero(window)[0]) : last] = True
    units = _units(data, estimand)
    truncated = last + tail > len(data.time) - 1
    if truncated and estimand.tail is not None:
        raise DataError(
            f"{estimand!r}: the stated tail ends after the data do ({data.time[-1].date()}). "
            "State a shorter one, or carryover=True for as far as the data last."
        )
    return Scope(units & window, units & mask, int((units & window).sum()), truncated)


def _window_mask(data: Dataset, estimand: Estimand) -> np.ndarray:
    if estimand.window is None:
        return np.ones(len(data.time), bool)
    return period_mask(data.time, estimand.window)


def window_in_words(data: Dataset, estimand: Estimand) -> str:
    """Days of the periods in which the intervention acts, beside the window asked if that differs.

    A period whose date is in the window counts whole, and only the training periods count.
    """
    reach = covered(data.time, data.history)
    if estimand.off_panel:
        return "off the panel"
    if estimand.window is None:
        return window_text(reach)
    start, end = estimand.window
    covered_window = covered_days(data.time, (max(start, reach[0]), end))
    if covered_window is None:
        return f"none of {window_text(estimand.window)}"
    is_complete = start >= reach[0] and is_whole(data.time, estimand.window)
    return window_text(covered_window) + (
        "" if is_complete else f", where {window_text(estimand.window)} was asked"
    )


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
    names = estimand.units or data.units
    return np.isin(np.array(data.units), names)[:, None]


def reach(scm: SCM, estimand: Estimand) -> int:
    """Periods over which the intervention still moves the outcome: the longest path's lags.

    With feedback that the intervention leaves whole there is no last one: to the end of the data.
    """
    outcome = scm.spec.outcome_of(estimand)
    return max(_reach(scm, side, outcome) for side in (estimand.active, estimand.control))


def _reach(scm: SCM, do: Mapping[str, Intervention], outcome: Node) -> int:
    """Reach of one world, against the factual one; a path ends at a node that the world sets."""
    longest: dict[Node, float] = {key.split("->")[0].strip(): 0 for key in do}
    for nodes, lag_sum in scm.groups([key for key in do if "->" not in key]):
        for node in nodes:
            for edge in scm.spec.reduced.incoming(node):
                if edge.source in longest:
                    end = longest[edge.source] + edge.lag + scm.spec.mechanisms[edge].reach
                    longest[node] = max(longest.get(node, 0), end)
        if lag_sum and any(v in longest for v in nodes):
            longest |= dict.fromkeys(nodes, np.inf)
    last = longest.get(outcome, 0)
    return int(last) if np.isfinite(last) else len(scm.data.time)


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
    paths: dict[Node | Edge, Array] = {}
    for key, value in do.items():
        edge = Edge.parse(key) if "->" in key else None
        path = x[edge.source if edge else key]
        level = _applied(scm, key, value, path, acts, xp)
        paths[edge or key] = xp.where(acts, level, path)
    return paths


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
    level = np.asarray(value(path.copy()) if callable(value) else value, dtype=float)
    shape = path.shape if xp is np else scm.data.array(key.split("->")[0]).shape
    if level.shape not in ((), shape, shape[-1:]) or not np.isfinite(level).all():
        raise DataError(
            f"do({key}=...) must give finite values in the shape of the data, {shape}; got shape "
            f"{level.shape}."
        )
    if ((level < 0) & acts).any() and scm.saturates(key):
        raise DataError(
            f"do({key}=...) is negative (down to {level.min():g}), but '{key}' saturates: exposure "
            "cannot be negative. Set zero or more."
        )
    return level


def contrast(equations: Equations, estimand: Estimand) -> Array:
    """``Y_active - Y_control`` in every unit and period that the estimand counts, zero elsewhere.

    Each unit keeps its errors in both worlds. Summed over the data dims this is the effect on
    the ``total`` scale.

    Returns
    -------
    array
        Draw dims, then ``(time,)`` or ``(unit, time)``; in units of the outcome.
    """
    active, control, counts = outcomes(equations, estimand)
    return equations.xp.where(counts, active - control, 0.0)


def outcomes(equations: Equations, estimand: Estimand) -> tuple[Array, Array, np.ndarray]:
    """``Y_active``, ``Y_control`` and the mask of where they are counted; parameters as `contrast`.

    Off the panel only what the worlds are made of differs.
    """
    pair = world_pair(equations, estimand)
    bound = equations.along(pair.x) if estimand.off_panel else equations
    return *evaluated(bound, pair, equations.scm.spec.outcome_of(estimand)), pair.counts


class WorldPair(NamedTuple):
    """The two worlds of an estimand: factual paths ``x``, and the paths that each world sets.

    The outcome is counted where ``counts`` says; the worlds may differ in ``span`` periods.
    """

    x: Mapping[Node, Array]
    active: dict[Node | Edge, Array]
    control: dict[Node | Edge, Array]
    counts: np.ndarray
    span: int


def world_pair(equations: Equations, estimand: Estimand) -> WorldPair:
    """Set the two worlds of an estimand, over the data; off the panel, over the test's periods."""
    scm, x, xp = equations.scm, equations.x, equations.xp
    window = scope(scm, estimand)
    if estimand.off_panel:
        calendar = timeline(estimand, reach(scm, estimand))
        sides = worlds(scm, estimand, calendar)
        x = setting(scm, sides[1], calendar)
        return WorldPair(x, *sides, window.counts, calendar.periods)
    active = resolve(scm, x, estimand.active, window.acts, xp)
    control = resolve(scm, x, estimand.control, window.acts, xp)
    return WorldPair(x, active, control, window.counts, window.span)


def evaluated(equations: Equations, pair: WorldPair, outcome: Node) -> tuple[Array, Array]:
    """Evaluate an outcome in the active world and in the control world."""
    sides = pair.active, pair.control
    a, b = (evolve(equations, do=do, periods=pair.span)[outcome] for do in sides)
    return a, b


def measure(equations: Equations, estimand: Estimand) -> Array:
    """The effect as one number, on the estimand's scale; parameters as `contrast`.

    Returns
    -------
    array
        Draw dims only. On the percent scale a draw in which the outcome of the control world adds
        up to zero or less is NaN; on the cost scale one in which nothing is gained is infinite.

    Raises
    ------
    DataError
        A percentage of an outcome that is zero or less in the data or in every draw; an effect
        per spend that moves none.
    """
    scm, xp = equations.scm, equations.xp
    total, level = sums(scm, *outcomes(equations, estimand), xp)
    return on_scale(scm, estimand, total, level, xp)


def sums(
    scm: SCM, active: Array, control: Array, counts: np.ndarray, xp: Any
) -> tuple[Array, Array]:
    """Sum of `contrast`, and of the outcome of the control world, over what is counted."""
    axes = tuple(range(-scm.depth, 0))
    total = xp.where(counts, active - control, 0.0).sum(axis=axes)
    return total, xp.where(counts, control, 0.0).sum(axis=axes)


def on_scale(
    scm: SCM, estimand: Estimand, total: Array, level: Array | None = None, xp: Any = np
) -> Array:
    """Turn a sum over units and periods into a number on the estimand's scale.

    ``level`` is the outcome of the control world, summed over the same; only ``percent`` needs it.
    The cost of a unit is infinite where spend gains none, which keeps it a decreasing function of
    the effect per spend: its quantiles are the inverses of those.
    """
    if estimand.scale == "mean":
        return total / scope(scm, estimand).periods
    if estimand.scale == "per_spend":
        return total / moved_spend(scm, estimand)
    if estimand.scale == "cost":
        spend = moved_spend(scm, estimand)
        gains = total * np.sign(spend) > 0
        return xp.where(gains, spend / xp.where(gains, total, 1.0), np.inf)
    if estimand.scale == "percent":
        _require_positive(scm, estimand, level, xp)
        return ratio(100.0 * total, level) if xp is np else 100.0 * total / level
    return total


def ratio(numerator: Array, denominator: Array) -> Array:
    """Divide by a random denominator: NaN in draws in which it is not positive."""
    return numerator / np.where(denominator > 0, denominator, np.nan)


def _require_positive(scm: SCM, estimand: Estimand, level: Array, xp: Any) -> None:
    """Raise when what a percentage is taken of is positive in no draw, or not in the data."""
    outcome = scm.spec.outcome_of(estimand)
    counts = scope(scm, estimand).counts
    levels = scm.factual[outcome]
    if estimand.off_panel:
        levels = means(scm, counts.shape[-1])[outcome]
    total = float(np.where(counts, levels, 0.0).sum())
    none = xp is np and not (level > 0).any()
    if total <= 0 or none:
        place = "in the data" if total <= 0 else "in the control world of every draw"
        raise DataError(
            f"{estimand!r}: '{outcome}' adds up to zero or less {place}, so there is nothing to "
            "take a percentage of. Ask scale='total', or count another window or outcome."
        )


def split(equations: Equations, estimand: Estimand) -> dict[str, Array]:
    """Total, natural direct and natural indirect effect; the last two add up to the first.

        direct   = Y(a, M(b)) - Y(b, M(b)),    indirect = Y(a, M(a)) - Y(a, M(b))

    The direct path is every edge from a treatment to the outcome, of any lag. Dims as `contrast`.
    """
    if estimand.off_panel:
        raise SpecError(
            f"{estimand!r}: a split is of an effect in the data. Ask without off_panel."
        )
    scm, x, xp = equations.scm, equations.x, equations.xp
    window = scope(scm, estimand)
    outcome = scm.spec.outcome_of(estimand)
    active = resolve(scm, x, estimand.active, window.acts, xp)
    control = resolve(scm, x, estimand.control, window.acts, xp)
    if any(isinstance(key, Edge) for key in (*active, *control)):
        raise SpecError("A direct/indirect split is asked of nodes; an edge is already one path.")
    world = evolve(equations, do=active, periods=window.span)
    direct: dict[Node | Edge, Array] = {
        edge: world[edge.source]
        for edge in scm.spec.reduced.incoming(outcome)
        if edge.source in estimand.treatments
    }
    reference = evolve(equations, do=control, periods=window.span)
    # what no treatment reaches is factual in all worlds, and its edges need not be calibrated
    reached = {*control, *scm.spec.reduced.descendants(*estimand.treatments)} - {outcome}
    mediators: dict[Node | Edge, Array] = {v: path for v, path in reference.items() if v in reached}
    mixed = evolve(equations, do=mediators | direct, periods=window.span)[outcome]
    high, neither = world[outcome], reference[outcome]
    parts = {"total": high - neither, "direct": mixed - neither, "indirect": high - mixed}
    return {name: xp.where(window.counts, part, 0.0) for name, part in parts.items()}


def moved_spend(scm: SCM, estimand: Estimand) -> float:
    """Return `spend_change`; raise where it is zero, and nothing can be divided by it."""
    total = spend_change(scm, estimand)
    if total == 0:
        raise DataError(
            f"{estimand!r} moves no spend in its window, so an effect per spend is undefined. Ask "
            "scale='total', or a window in which there was spend."
        )
    return total


def spend_change(scm: SCM, estimand: Estimand) -> float:
    """Spend of the intervened treatments in the active world, less that in the control world."""
    return float(net(spend_path(scm, estimand), None))


def net(path: np.ndarray, axes: Any) -> np.ndarray:
    """Sum a path of spend; parts that cancel but for rounding leave zero."""
    total = np.asarray(path.sum(axis=axes))
    return np.where(np.abs(total) > 1e-9 * np.abs(path).sum(axis=axes), total, 0.0)


def spend_path(scm: SCM, estimand: Estimand) -> np.ndarray:
    """What `spend_change` sums: by period, and by unit in a panel.

    Exposure is paid at the price of its own period, with its part of the spend that is booked
    where nothing ran (`unit_cost`); where there was none, and off the panel, at the mean price.
    """
    window = scope(scm, estimand)
    x: Mapping[Any, Array] = scm.factual
    if estimand.off_panel:
        active, control = worlds(scm, estimand, timeline(estimand, reach(scm, estimand)))
    else:
        active = resolve(scm, x, estimand.active, window.acts)
        control = resolve(scm, x, estimand.control, window.acts)
    total = np.zeros(1)
    for node in estimand.treatments:
        is_off_panel = bool(estimand.off_panel)  # there both worlds set it
        factual: Array = 0.0 if is_off_panel else x[node]
        high: Array = active.get(node, factual)
        low: Array = control.get(node, factual)
        price: Array = mean_cost(scm.data, node) if is_off_panel else unit_cost(scm.data, node)
        total = total + price * np.where(window.acts, high - low, 0.0)
    return total


def unit_cost(data: Dataset, node: Node) -> np.ndarray:
    """Currency per unit of exposure in every period, dims as the data.

        price_t = spend_t / x_t  +  sum_{s: x_s = 0} spend_s / sum_s x_s

    The second term is spend that is booked where nothing ran (bills that come later, fees): it is
    spread over the exposure of its unit, of the history or of the training periods, so that
    ``do(x = 0)`` in all of them moves all that was spent. The spend of a unit that has no exposure
    at all goes to the exposure of all units. Where there is no exposure, exposure that is added
    costs the mean price.
    """
    price = np.full(data.array(node).shape, mean_cost(data, node))
    for part in (np.s_[..., : data.history], np.s_[..., data.history :]):
        spend, exposure = data.spend_of(node)[part], data.array(node)[part]
        runs = exposure > 0
        volume = np.where(runs, exposure, 0.0).sum(axis=-1, keepdims=True)
        loose = np.where(runs, 0.0, spend).sum(axis=-1, keepdims=True)
        if not runs.any():
            continue
        fee = np.divide(loose, volume, out=np.zeros_like(loose), where=volume > 0)
        fee = fee + loose[volume == 0].sum() / volume.sum()
        np.divide(spend, exposure, out=price[part], where=runs)
        price[part] += np.where(runs, fee, 0.0)
    return price


def mean_cost(data: Dataset, node: Node) -> float:
    """Currency per unit of exposure over all of the data."""
    return float(data.spend_of(node).sum() / data.array(node).sum())
