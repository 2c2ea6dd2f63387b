"""Effects are draws of causal quantities, from the one definition in `model.contrast`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayescausal import checks
from bayescausal._types import Array, Draws, Node
from bayescausal.errors import DataError, SpecError, shown
from bayescausal.experiments.estimand import Estimand, Times, incremental
from bayescausal.identification.grades import Letter
from bayescausal.inference.fit import Fit, edges_below, effect_draws
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import (
    contrast,
    net,
    on_scale,
    outcomes,
    ratio,
    spend_path,
    split,
    unit_cost,
    window_in_words,
)
from bayescausal.model.scm import Equations
from bayescausal.queries.questions import (
    attributes_of,
    channels_for,
    checked_estimand,
    extrapolated_share_of,
    grade_of,
    paid,
    ratio_coords,
    worth_in_words,
)
from bayescausal.queries.worlds import data_coords, label

_STEP = 1e-4


@verb
def effect(fit: Fit, estimand: Estimand | str, *, strict: bool = False) -> Draws:
    """Return posterior draws of a causal effect.

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
        rests on, ``note`` in how many draws it has no finite value; the attributes name the
        estimand, say whether the tail is cut by the end of the data, and whether the fit has
        converged.

    Raises
    ------
    SpecError, DataError
        The graph has no such path, or the window or units are not in the data.
    NotIdentified
        With ``strict``; the message says what would settle it.

    Notes
    -----
    Where spend gains nothing a unit costs infinitely much, so the quantiles of a cost are the
    inverses of those of the effect per spend: an interval that reaches zero there has no upper
    end here. A percentage of a control world that is zero or less has no value (NaN). Of both
    `summarize` gives quantiles, and no mean, which need not exist.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.summarize(bc.effect(fit, bc.incremental("tv")))  # doctest: +SKIP
    """
    estimand = checked_estimand(fit, estimand)
    grade = grade_of(fit, estimand, strict)
    values = effect_draws(fit, estimand)
    prior = effect_draws(fit, estimand, "prior") if fit.has_prior else None
    coords = ratio_coords(values, (), estimand.scale)
    attributes = attributes_of(fit, estimand, grade)
    return label(
        fit,
        values,
        (),
        coords,
        estimand.label,
        grades=grade,
        prior=prior,
        extrapolated_share=extrapolated_share_of(fit, estimand),
        **attributes,
    )


@verb
def contributions(
    fit: Fit,
    channels: Sequence[Node] | None = None,
    *,
    outcome: Node | None = None,
    total: bool = False,
    strict: bool = False,
) -> Draws:
    """Return what each channel added: factual against ``do(channel = 0)``, one at a time.

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
    checks.flag("contributions: total", total)
    scm = fit.scm
    outcome = outcome or fit.spec.graph.outcome
    names = channels_for(fit, channels, outcome)
    start, axes = fit.data.history, tuple(range(-scm.depth, 0))
    values, grades, prior, shares = [], [], [], []
    for name in names:
        estimand = checked_estimand(fit, incremental(name, outcome=outcome))
        grades.append(grade_of(fit, estimand, strict))

        def added(equations: Equations, estimand: Estimand = estimand) -> Array:
            path = contrast(equations, estimand)
            return path.sum(axis=axes) if total else path[..., start:]

        moving_edges = edges_below(fit.spec, [name])
        values.append(fit.evaluate(added, moving_edges))
        if total:
            shares.append(extrapolated_share_of(fit, estimand))
        if total and fit.has_prior:
            prior.append(fit.evaluate(added, moving_edges, "prior"))
    dims, coords = ((), {}) if total else (fit.data.dims, data_coords(fit))
    return label(
        fit,
        np.stack(values, axis=2),
        ("channel", *dims),
        {"channel": names, **coords},
        "contribution",
        grades={"channel": grades},
        prior=np.stack(prior, axis=2) if prior else None,
        extrapolated_share=shares or None,
        outcome=outcome,
        world="factual vs do(channel=0)",
    )


@verb
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
    """Return the ROAS: incremental value of the outcome per unit of incremental spend.

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
        A return for each of these units.
    strict : bool
        As in `effect`, for every channel.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, channel)``, and ``unit`` with ``by_unit``. NaN, with a ``note``, for
        a channel without spend in the window or the unit, and in draws in which own and induced
        spend together are not above zero.

    Raises
    ------
    DataError
        A channel without spend; ``by_unit`` of national data.
    NotIdentified
        With ``strict``.
    """

    def removal(name: Node) -> Estimand:
        return incremental(name, window=window, units=units)

    return _returns(fit, channels, outcome, spend, removal, "roas", by_unit, strict)


@verb
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
    """Return the marginal ROAS: that of the next unit of spend, spread as spend was.

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
    if not isinstance(spend, str) or spend not in ("own", "induced"):
        raise SpecError(f"spend is 'own' or 'induced'; got {shown(spend)}.")
    outcome = outcome or fit.spec.graph.outcome
    scm, data = fit.scm, fit.data
    if by_unit and not data.is_panel:
        raise DataError("by_unit: the data are national. Give a panel, or leave by_unit out.")
    names = channels_for(fit, channels, outcome, default=paid(fit, outcome))
    axes = -1 if by_unit else tuple(range(-scm.depth, 0))
    values, prior, grades, kinds, shares = [], [], [], [], []
    for channel in names:
        question = checked_estimand(fit, ask(channel).on(outcome))
        induces = spend == "induced" and bool(_paid_mediators(fit, channel))
        unit_questions = (
            [question.within(u) for u in question.units or data.units] if by_unit else []
        )
        unit_grades = [
            grade_of(fit, unit_question, strict) for unit_question in unit_questions or [question]
        ]
        grades.append(max(unit_grades, key=lambda grade: grade.letter))  # the weakest
        shares.append(extrapolated_share_of(fit, question))
        own_spend = net(spend_path(scm, question), axes)
        own_spend = np.where(own_spend == 0, np.nan, own_spend)
        return_draws = _return_draws(fit, question, own_spend, induces, axes)
        moving_edges = edges_below(fit.spec, [channel])
        values.append(fit.evaluate(return_draws, moving_edges))
        if fit.has_prior:
            prior.append(fit.evaluate(return_draws, moving_edges, "prior"))
        kinds.append(np.where(np.isnan(own_spend) | (not induces), "own", "induced"))
    dims, draws = ("channel", *(["unit"] if by_unit else [])), np.stack(values, axis=2)
    divisors = np.stack([np.broadcast_to(kind, draws.shape[3:]) for kind in kinds])
    labels = list(question.units or data.units)
    returns = label(
        fit,
        draws,
        dims,
        {
            "channel": names,
            **({"unit": list(data.units)} if by_unit else {}),
            **ratio_coords(draws, dims, divisors),
        },
        name,
        grades={"channel": grades},
        prior=np.stack(prior, axis=2) if prior else None,
        extrapolated_share=shares,
        outcome=outcome,
        spend=spend,
        window=window_in_words(data, question),
        **({"units": ", ".join(labels)} if data.is_panel else {}),
        value=worth_in_words(fit, outcome),
    )
    return returns.sel(unit=labels) if by_unit else returns


def _return_draws(
    fit: Fit, question: Estimand, own_spend: Array, induces: bool, axes: Any
) -> Callable[[Equations], Array]:
    """Return what gives the return of a question, per own spend or with the induced one too."""
    worth = fit.data.value_of_outcome()

    def return_draws(equations: Equations) -> Array:
        gain = (contrast(equations, question) * worth).sum(axis=axes)
        return ratio(gain, own_spend + (_induced(fit, equations, question, axes) if induces else 0))

    return return_draws


def _induced(fit: Fit, equations: Equations, question: Estimand, axes: Any) -> Array:
    """Return the spend that the intervention moves in paid mediators."""
    total = np.zeros(1)
    for node in _paid_mediators(fit, *question.treatments):
        change = contrast(equations, question.on(node))
        total = total + (change * unit_cost(fit.data, node)).sum(axis=axes)
    return total


def _paid_mediators(fit: Fit, *treatments: Node) -> list[Node]:
    """Return the mediators with a spend that react to these treatments."""
    descendants = {*fit.spec.reduced.descendants(*treatments)} - {*treatments}
    return [node for node in fit.spec.mediators if node in fit.data.spend and node in descendants]


@verb
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
    A controlled direct effect holds the mediator in both worlds, and is asked of `effect`:
    ``Estimand({"search": 20}, {"tv": 0, "search": 20})``.

    Source: Pearl (2001), Direct and indirect effects.
    """
    estimand = checked_estimand(fit, estimand)
    scm = fit.scm
    axes = tuple(range(-scm.depth, 0))

    if estimand.scale == "cost":
        raise SpecError(
            "Costs do not add up: what the direct path costs and what the others cost is not what "
            "all of them cost. Decompose with scale='per_spend'."
        )

    def parts(equations: Equations) -> Array:
        components, level = split(equations, estimand), None
        if estimand.scale == "percent":
            _, control, counts = outcomes(equations, estimand)
            level = np.where(counts, control, 0.0).sum(axis=axes)
        sums = [on_scale(scm, estimand, p.sum(axis=axes), level) for p in components.values()]
        return np.stack([np.broadcast_to(part, (equations.draws,)) for part in sums], axis=1)

    paths = ["total", "direct", "indirect"]
    grades = [grade_of(fit, estimand, strict, part) for part in paths]
    moving_edges = edges_below(fit.spec, estimand.treatments)
    values = fit.evaluate(parts, moving_edges)
    prior = fit.evaluate(parts, moving_edges, "prior") if fit.has_prior else None
    weak = next((g for g in grades if g.letter == Letter.X), grades[0])
    return label(
        fit,
        values,
        ("path",),
        {"path": paths, **ratio_coords(values, ("path",), estimand.scale)},
        estimand.label,
        grades={"path": grades},
        prior=prior,
        extrapolated_share=[extrapolated_share_of(fit, estimand), np.nan, np.nan],
        **attributes_of(fit, estimand, weak, paths[grades.index(weak)]),
    )
