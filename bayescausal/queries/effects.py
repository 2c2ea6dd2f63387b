"""Effects: draws of causal quantities, from the one definition in `model.contrast`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayescausal._types import Array, Draws, Node, Theta
from bayescausal.errors import DataError, SpecError
from bayescausal.inference.fit import Fit, effect_draws, touched
from bayescausal.model.contrast import (
    contrast,
    moved_spend,
    on_scale,
    outcomes,
    spend_path,
    split,
    unit_cost,
    window_in_words,
)
from bayescausal.model.scm import Mechanism
from bayescausal.queries.questions import (
    about,
    asked_of,
    channels_for,
    edge_of,
    grade_of,
    paid,
    worth_in_words,
)
from bayescausal.queries.worlds import data_coords, label
from bayescausal.specs.edge import Edge
from bayescausal.specs.estimand import Estimand, Times, incremental

_STEP = 1e-4


def effect(fit: Fit, estimand: Estimand | str, *, strict: bool = False) -> Draws:
    """Posterior draws of a causal effect.

        sum over the window, its tail and units of (Y_active - Y_control), on the estimand's scale

    A difference of two worlds with the same errors, not a coefficient and not a forecast.

    Parameters
    ----------
    fit : Fit
    estimand : Estimand, or the name of a treatment
        A name is short for ``incremental(name)``.
    strict : bool
        Raise when the graph does not identify the effect.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw)``; units of the outcome (``total``), per period and unit (``mean``),
        per unit of spend moved (``per_spend``), percent of the control world, or spend per unit
        gained (``cost``). The coords ``status`` and ``grade`` say what it
        rests on; the attributes name the estimand, say whether the tail is cut by the end of the
        data, and whether the fit has converged.

    Raises
    ------
    SpecError, DataError
        The graph has no such path, or the window or units are not in the data.
    NotIdentified
        With ``strict``; the message says what would settle it.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.summarize(bc.effect(fit, bc.incremental("tv")))  # doctest: +SKIP
    """
    estimand = asked_of(fit, estimand)
    grade = grade_of(fit, estimand, strict)
    values = effect_draws(fit, estimand)
    return label(fit, values, (), {}, estimand.label, grades=grade, **about(fit, estimand, grade))


def contributions(
    fit: Fit,
    channels: Sequence[Node] | None = None,
    *,
    outcome: Node | None = None,
    total: bool = False,
    strict: bool = False,
) -> Draws:
    """What each channel added: factual against ``do(channel = 0)``, one channel at a time.

    With saturating mediators contributions of single channels need not add up to that of all
    channels together, and contributions of a channel and of its mediator overlap.

    Parameters
    ----------
    fit : Fit
    channels : sequence of str, optional
        Treatments that reach the outcome, by default.
    outcome : str, optional
        Needed when the graph has several.
    total : bool
        Sum over time and units; keeps large panels in memory.
    strict : bool
        As in `effect`, for every channel.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, channel)``, and ``(time)`` or ``(unit, time)`` unless ``total``.
    """
    scm, x = fit.scm, fit.scm.factual
    outcome = outcome or fit.spec.graph.outcome
    names = channels_for(fit, channels, outcome)
    start, axes = fit.data.history, tuple(range(-scm.depth, 0))
    values, grades = [], []
    for name in names:
        estimand = asked_of(fit, incremental(name, outcome=outcome))
        grades.append(grade_of(fit, estimand, strict))

        def added(
            theta: Theta, edges: dict[Edge, Mechanism], estimand: Estimand = estimand
        ) -> Array:
            path = contrast(scm, theta, x, edges, estimand)
            return path.sum(axis=axes) if total else path[..., start:]

        values.append(fit.evaluate(added, only=touched(fit.spec, [name])))
    dims, coords = ((), {}) if total else (fit.data.dims, data_coords(fit))
    return label(
        fit,
        np.stack(values, axis=2),
        ("channel", *dims),
        {"channel": names, **coords},
        "contribution",
        grades={"channel": grades},
        outcome=outcome,
        world="factual vs do(channel=0)",
    )


def roas(
    fit: Fit,
    channels: Sequence[Node] | None = None,
    *,
    outcome: Node | None = None,
    spend: str = "own",
    window: tuple[Any, Any] | None = None,
    units: str | Sequence[str] | None = None,
    by_unit: bool = False,
    strict: bool = False,
) -> Draws:
    """Return on ad spend: incremental value of the outcome per unit of incremental spend.

        ROAS = sum value (Y - Y_{do(x=0)}) / sum spend moved

    An average over what was spent, not the return of the next unit (see `mroas`).

    Parameters
    ----------
    fit : Fit
    channels : sequence of str, optional
        Channels with spend that reach the outcome, by default.
    outcome : str, optional
        Needed when the graph has several; a unit of it is worth the `Dataset`'s value.
    spend : {"own", "induced"}
        Divide by the channel's own spend, or also by the spend it induces in paid mediators (TV
        that fills paid search costs search clicks too).
    window : (start, end), optional
    units : str or sequence of str, optional
        Of a panel, what is counted; all units by default.
    by_unit : bool
        A return for each of these units; none (NaN) where a channel has no spend.
    strict : bool
        As in `effect`, for every channel.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, channel)``, and ``unit`` with ``by_unit``.

    Raises
    ------
    DataError
        A channel without spend; ``by_unit`` of national data.
    NotIdentified
        With ``strict``.
    """

    def off(name: Node) -> Estimand:
        return incremental(name, window=window, units=units)

    return _returns(fit, channels, outcome, spend, off, "roas", by_unit, strict)


def mroas(
    fit: Fit,
    channels: Sequence[Node] | None = None,
    *,
    outcome: Node | None = None,
    spend: str = "own",
    window: tuple[Any, Any] | None = None,
    units: str | Sequence[str] | None = None,
    by_unit: bool = False,
    strict: bool = False,
) -> Draws:
    """Marginal return: of the next unit of spend, in proportion to the spend that there was.

        mROAS = d/ds sum value Y(s x) / d/ds spend(s),   at s = 1

    The derivative is a central difference with a step of 1e-4 (error of order 1e-8).

    Parameters
    ----------
    fit, channels, outcome, spend, window, units, by_unit, strict
        As in `roas`.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, channel)``, and ``unit`` with ``by_unit``.
    """

    def nudge(name: Node) -> Estimand:
        place: dict[str, Any] = {"window": window, "units": units}
        return Estimand({name: Times(1 + _STEP)}, {name: Times(1 - _STEP)}, **place)

    return _returns(fit, channels, outcome, spend, nudge, "mroas", by_unit, strict)


def _returns(
    fit: Fit,
    channels: Any,
    outcome: Node | None,
    spend: str,
    ask: Callable[[Node], Estimand],
    name: str,
    by_unit: bool,
    strict: bool,
) -> Draws:
    if spend not in ("own", "induced"):
        raise SpecError(f"spend is 'own' or 'induced'; got {spend!r}.")
    outcome = outcome or fit.spec.graph.outcome
    scm, data = fit.scm, fit.data
    if by_unit and not data.is_panel:
        raise DataError("by_unit: the data are national. Give a panel, or leave by_unit out.")
    names = channels_for(fit, channels, outcome, among=paid(fit, outcome))
    worth, axes = data.value_of_outcome(), -1 if by_unit else tuple(range(-scm.depth, 0))
    x = scm.factual
    values, grades = [], []
    for channel in names:
        question = asked_of(fit, ask(channel).on(outcome))
        asked = [question.within(u) for u in question.units or data.units] if by_unit else []
        each = [grade_of(fit, one, strict) for one in asked or [question]]
        grades.append(max(each, key=lambda grade: grade.letter))  # the weakest
        own: Any = moved_spend(scm, question)
        if by_unit:
            paid_there = spend_path(scm, question).sum(axis=axes)
            own = np.where(paid_there == 0, np.nan, paid_there)

        def gained(
            theta: Theta,
            edges: dict[Edge, Mechanism],
            question: Estimand = question,
            own: Any = own,
        ) -> Array:
            gain = (contrast(scm, theta, x, edges, question) * worth).sum(axis=axes)
            if spend == "own":
                return gain / own
            return gain / (own + _induced(fit, theta, edges, question, axes))

        values.append(fit.evaluate(gained, only=touched(fit.spec, [channel])))
    counted = list(question.units or data.units)
    made = label(
        fit,
        np.stack(values, axis=2),
        ("channel", *(["unit"] if by_unit else [])),
        {"channel": names, **({"unit": list(data.units)} if by_unit else {})},
        name,
        grades={"channel": grades},
        outcome=outcome,
        spend=spend,
        window=window_in_words(data, question),
        **({"units": ", ".join(counted)} if data.is_panel else {}),
        value=worth_in_words(fit, outcome),
    )
    return made.sel(unit=counted) if by_unit else made


def _induced(
    fit: Fit, theta: Theta, edges: dict[Edge, Mechanism], question: Estimand, axes: Any
) -> Array:
    """Spend that the intervention moves in paid mediators."""
    total = np.zeros(1)
    x = fit.scm.factual
    for node in fit.spec.mediators:
        below = node in fit.spec.reduced.descendants(*question.treatments)
        if node in fit.data.spend and below and node not in question.treatments:
            moved = contrast(fit.scm, theta, x, edges, question.on(node))
            total = total + (moved * unit_cost(fit.data, node)).sum(axis=axes)
    return total


def decompose(fit: Fit, estimand: Estimand | str, *, strict: bool = False) -> Draws:
    """Split a total effect into what acts directly and what flows through mediators.

        TE = NDE + NIE,   NDE = Y(a, M(b)) - Y(b, M(b)),   NIE = Y(a, M(a)) - Y(a, M(b))

    The direct part is what is left when mediators stay as in the control world, path by path in
    time. It rests on more than the total: nothing unobserved may move a mediator and the outcome.

    Parameters
    ----------
    fit : Fit
    estimand : Estimand, or the name of a treatment
        Interventions on nodes; a name is short for ``incremental(name)``.
    strict : bool
        Raise when the total or the split is not identified.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, path)`` with paths ``total, direct, indirect``, on the estimand's
        scale; total = direct + indirect in every draw. Each path has its own ``status`` and
        ``grade``: where the total is identified and the split is not, the attribute ``advice``
        says how to ask for the total alone.

    Notes
    -----
    Source: Pearl (2001), Direct and indirect effects.
    """
    estimand = asked_of(fit, estimand)
    scm, x = fit.scm, fit.scm.factual
    axes = tuple(range(-scm.depth, 0))

    if estimand.scale == "cost":
        raise SpecError(
            "Costs do not add up: what the direct path costs and what the others cost is not what "
            "all of them cost. Decompose with scale='per_spend'."
        )

    def parts(theta: Theta, edges: dict[Edge, Mechanism]) -> Array:
        found = split(scm, theta, x, edges, estimand)
        size, level = len(next(iter(theta.values()))), None
        if estimand.scale == "percent":
            _, control, counts = outcomes(scm, theta, x, edges, estimand)
            level = np.where(counts, control, 0.0).sum(axis=axes)
        sums = [on_scale(scm, estimand, p.sum(axis=axes), level) for p in found.values()]
        return np.stack([np.broadcast_to(part, (size,)) for part in sums], axis=1)

    paths = ["total", "direct", "indirect"]
    grades = [grade_of(fit, estimand, strict, part) for part in paths]
    values = fit.evaluate(parts, only=touched(fit.spec, estimand.treatments))
    weak = next((g for g in grades if g.letter == "X"), grades[0])
    return label(
        fit,
        values,
        ("path",),
        {"path": paths},
        estimand.label,
        grades={"path": grades},
        **about(fit, estimand, weak, paths[grades.index(weak)]),
    )


def response_curve(fit: Fit, edge: str | Edge, *, points: int = 50, upto: float = 1.2) -> Draws:
    """Steady response along one edge to constant exposure, with its uncertainty.

    Parameters
    ----------
    fit : Fit
    edge : str
        ``"tv->sales"``.
    points : int
        Number of exposures, from zero.
    upto : float
        The largest one, as a multiple of the largest observed. Beyond 1 it is extrapolation.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, exposure)``; per period, in units of the target (identity link) or in
        log units. In a panel: the mean over units, each at the same share of its own maximum.
    """
    edge = edge_of(fit, edge)
    scm, response = fit.scm, fit.spec.mechanisms[edge]
    share = np.linspace(0, upto, points)
    size = scm.scale[edge.target] ** (fit.spec.link(edge.target) == "identity")

    def curve(theta: Theta, edges: dict[Edge, Mechanism]) -> Array:
        own = {name: theta[f"{edge}:{name}"] for name in response.priors}
        beta = edges[edge].beta.reshape(-1, 1)
        steady = np.repeat(share[:, None], response.reach + 1, axis=1)
        ends = [response.curve(np, level, own)[..., -1] for level in steady]
        f = np.broadcast_to(np.stack(ends, axis=-1), (len(beta), points))
        each = scm.factor(str(edge), theta) if str(edge) in scm.apart else 1.0
        return np.mean(size * each, axis=(-2, -1)[-scm.depth :])[..., None] * beta * f

    values = fit.evaluate(curve, only=[edge])
    exposure = share * float(scm.scale[edge.source].mean())
    return label(fit, values, ("exposure",), {"exposure": exposure}, str(edge))


def adstock_curve(fit: Fit, edge: str | Edge) -> Draws:
    """Share of an edge's effect by lag, with its uncertainty.

    It is the response of the edge's adstock alone to one period of exposure, summing to one.

    Parameters
    ----------
    fit : Fit
    edge : str
        ``"tv->sales"``.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, lag)``.
    """
    edge = edge_of(fit, edge)
    response = fit.spec.mechanisms[edge]
    steps = [t for t in response.transforms if t.reach]
    pulse = np.zeros(response.reach + 1)
    pulse[0] = 1.0

    def weights(theta: Theta, edges: dict[Edge, Mechanism]) -> Array:
        own = {name: theta[f"{edge}:{name}"] for name in response.priors}
        path = pulse
        for step in steps:
            path = step.apply(np, path, {name: own[name] for name in step.priors})
        path = np.broadcast_to(path, (len(edges[edge].beta), len(pulse)))
        return path / path.sum(axis=-1, keepdims=True)

    values = fit.evaluate(weights, only=[edge])
    return label(fit, values, ("lag",), {"lag": np.arange(len(pulse)) + edge.lag}, str(edge))
