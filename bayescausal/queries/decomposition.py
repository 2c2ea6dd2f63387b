"""The whole outcome, explained: baseline, controls, channels, what they share, and errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from bayescausal import checks
from bayescausal._types import Array, Draws, Node
from bayescausal.data.periods import CALENDARS, calendar
from bayescausal.errors import SpecError, shown
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.graphs.edge import Edge
from bayescausal.identification.ladder import Grade
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import contrast, net, resolve, scope, split, window_in_words
from bayescausal.model.feedback import evolve
from bayescausal.model.scm import SCM, Equations
from bayescausal.queries.questions import (
    channels_for,
    checked_estimand,
    grade_of,
    worth_in_words,
)
from bayescausal.queries.summary import prior_coords
from bayescausal.queries.worlds import data_coords, label

_ROUNDING = 1e-13


class Component(NamedTuple):
    """One part of the outcome.

    Parameters
    ----------
    label : str
    kind : {"baseline", "control", "channel", "interaction", "residual"}
    channel : str
        Whose contribution it is part of; of the kind ``"channel"``, else empty.
    path : {"total", "direct", "indirect"}
        What it is of that contribution.
    """

    label: str
    kind: str
    channel: str = ""
    path: str = "total"


@verb
def decomposition(
    fit: Fit,
    *,
    outcome: Node | None = None,
    channels: Sequence[Node] | None = None,
    total: bool = False,
    by: str | None = None,
    currency: bool = False,
    strict: bool = False,
) -> Draws:
    """Split the observed outcome into parts that add up exactly, in every draw and period.

        Y = (level + terms + controls) + (channels + interaction) + residual

    The first bracket is what the model expects in the world without the channels. Each channel is
    its contribution, factual against ``do(channel = 0)``, split into what acts directly and what
    flows through each mediator. The interaction is what the channels do together, less the sum of
    their contributions: negative where channels reinforce each other or one acts through another,
    since both are credited with that, and positive where one stands in for another.

    Parameters
    ----------
    fit : Fit
    outcome : str, optional
        Needed when the graph has several.
    channels : sequence of str, optional
        Treatments that reach the outcome, by default. Any other parent of the outcome is a control.
    total : bool
        Sum over time and units; keeps large panels in memory.
    by : {"week", "month", "quarter", "year"}, optional
        Sum over the periods that begin in each, and over units.
    currency : bool
        Count in currency, by the `Dataset`'s value of the outcome, not in units of the outcome.
    strict : bool
        Raise when the graph does not identify a channel's contribution, or its split.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, component)``, and ``(time)`` or ``(unit, time)`` unless ``total``;
        with ``by`` one of that name.
        The coord ``kind`` is ``baseline``, ``control``, ``channel``, ``interaction`` or
        ``residual``, and ``channel`` names the channel that a part belongs to: these sum to
        `contributions`. All but the residual sum to the fitted outcome, given its observed causes;
        with the residual they sum to the data. ``status`` and ``grade`` are empty for parts that
        are no effects.

    Raises
    ------
    SpecError
        No treatment reaches the outcome, or a channel does not; another ``by``, or ``by`` of a
        total.
    NotIdentified
        With ``strict``.

    Notes
    -----
    Terms and controls are deviations from their mean over the training data, in the world without
    the channels, so the level is the outcome with no channel and all else at its mean; under an
    identity link their totals are zero. A control is described and not credited: its part answers
    no ``do``. Under a log link baseline parts multiply, and each gets the share of its logarithm
    (the logarithmic mean), which is exact and knows no order. The channels then multiply the
    errors too: what that makes of their effect is a part of its own, ``channels x errors``.

    Source: MODEL.md section 6.7; for the logarithmic mean Ang (2004), Decomposition analysis for
    policymaking in energy.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.summarize(bc.decomposition(fit, total=True))  # doctest: +SKIP
    >>> bc.summarize(bc.decomposition(fit, by="quarter"))  # doctest: +SKIP
    """
    checks.flag("decomposition: total", total)
    checks.flag("decomposition: currency", currency)
    scm, outcome = fit.scm, outcome or fit.spec.graph.outcome
    names = channels_for(fit, channels, outcome)
    for name in names:
        checked_estimand(fit, incremental(name, outcome=outcome))
    removal = checked_estimand(fit, incremental(names, outcome=outcome))
    start, shape = fit.data.history, scm.factual[outcome].shape
    worth = fit.data.value_of_outcome() if currency else np.ones(1)
    worth = np.broadcast_to(worth, shape)[..., start:]
    axes = tuple(range(-scm.depth, 0))
    periods, members = _calendar(fit, by, total)

    def explained(equations: Equations) -> Array:
        parts = []
        for path in components(equations, removal).values():
            part = np.broadcast_to(path, (equations.draws, *shape))[..., start:] * worth
            if by:
                part = part.sum(axis=axes[:-1]) @ members
            parts.append(net(part, axes) if total else part)
        return np.stack(parts, axis=1)

    edges = edges_below(fit.spec, names) | {*fit.spec.structure.incoming(outcome)}
    values = fit.evaluate(explained, edges)
    parts = [*components(fit.equations(slice(1), edges), removal)]
    grades = [_grade(fit, part, removal, strict) for part in parts]
    dims, coords = ((), {}) if total else (fit.data.dims, data_coords(fit))
    if by:
        dims, coords = (by,), {by: periods}
    draws = label(
        fit,
        values,
        ("component", *dims),
        {
            "component": [part.label for part in parts],
            **coords,
            "kind": ("component", [part.kind for part in parts]),
            "channel": ("component", [part.channel for part in parts]),
            "status": ("component", [str(g.status) if g else "" for g in grades]),
            "grade": ("component", [str(g.letter) if g else "" for g in grades]),
        },
        "decomposition",
        outcome=outcome,
        counted_in=worth_in_words(fit, outcome) if currency else f"units of '{outcome}'",
    )
    if total and fit.has_prior:
        prior = fit.evaluate(explained, edges, "prior")
        draws = draws.assign_coords(prior_coords(values, prior, ("component",)))
    return draws


@verb
def synergy(
    fit: Fit,
    channels: Sequence[Node] | None = None,
    *,
    outcome: Node | None = None,
    window: tuple[Any, Any] | None = None,
    units: str | Sequence[str] | None = None,
    strict: bool = False,
) -> Draws:
    """Return what channels do together beyond the sum of what each does alone.

        synergy = [Y - Y(do(all = 0))] - sum_c [Y(do(all but c = 0)) - Y(do(all = 0))]

    Positive where channels reinforce each other or one acts through another, negative where one
    stands in for another. Alone means without the others; contributions are what is lost when the
    others run on, so what two channels gain together is in both of theirs: the interaction of
    `decomposition`, which is minus the synergy of two channels.

    Parameters
    ----------
    fit : Fit
    channels : sequence of str, optional
        Two or more; treatments that reach the outcome, by default.
    outcome : str, optional
        Needed when the graph has several.
    window : (start, end), optional
    units : str or sequence of str, optional
    strict : bool
        As in `effect`, for every channel and for all together.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw)``, in units of the outcome; ``status`` and ``grade`` are the weakest.

    Raises
    ------
    SpecError
        Fewer than two channels.

    Notes
    -----
    Source: MODEL.md section 6.7.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.summarize(bc.synergy(fit, ["tv", "social"]))  # doctest: +SKIP
    """
    outcome = outcome or fit.spec.graph.outcome
    names = channels_for(fit, channels, outcome)
    if len(names) < 2:
        raise SpecError(f"A synergy is of two channels or more; got {shown(names)}.")
    removal = incremental(names, outcome=outcome, window=window, units=units)
    single = [replace(removal, active={k: 0.0 for k in names if k != name}) for name in names]
    questions = [checked_estimand(fit, question) for question in (removal, *single)]
    grades = [grade_of(fit, question, strict) for question in questions]
    axes = tuple(range(-fit.scm.depth, 0))

    def synergy_at(equations: Equations) -> Array:
        joint, *single = (contrast(equations, question) for question in questions)
        return _rounded(joint - sum(single), equations.x[outcome]).sum(axis=axes)

    edges = edges_below(fit.spec, names)
    return label(
        fit,
        fit.evaluate(synergy_at, edges),
        (),
        {},
        f"synergy of {', '.join(names)}",
        grades=max(grades, key=lambda grade: grade.letter),
        prior=fit.evaluate(synergy_at, edges, "prior") if fit.has_prior else None,
        outcome=outcome,
        window=window_in_words(fit.data, questions[0]),
    )


def _calendar(fit: Fit, period: str | None, total: bool) -> tuple[list[str], Array]:
    """Return the periods of a calendar, and which rows are in each, ``(time, period)``."""
    if period is None:
        return [], np.empty((0, 0))
    checks.choice("by", period, CALENDARS)
    if total:
        raise SpecError(
            f"Give total=True or by='{period}': a sum of everything, or one of each {period}."
        )
    labels = calendar(fit.data.time, period)[fit.data.history :]
    periods = [*dict.fromkeys(labels)]
    return periods, (labels[:, None] == np.array(periods)).astype(float)


def _rounded(interaction: Array, level: Array) -> Array:
    """Differences of worlds that are zero but for rounding, as zero."""
    return np.where(np.abs(interaction) > _ROUNDING * np.abs(level).max(), interaction, 0.0)


def _grade(fit: Fit, part: Component, removal: Estimand, strict: bool) -> Grade | None:
    """Return what a part rests on: a channel on its effect, the interaction on the weakest."""
    if part.kind not in ("channel", "interaction"):
        return None
    if part.channel:
        question = checked_estimand(fit, incremental(part.channel, outcome=removal.outcome))
        return grade_of(fit, question, strict, part.path)
    singles = [incremental(name, outcome=removal.outcome) for name in removal.treatments]
    grades = [grade_of(fit, checked_estimand(fit, single), strict) for single in singles]
    grades.append(grade_of(fit, removal, strict))
    return max(grades, key=lambda grade: grade.letter)


def components(equations: Equations, removal: Estimand) -> dict[Component, Array]:
    """Split the outcome of an estimand that takes all channels away at once.

    Returns
    -------
    dict of Component to array
        In units of the outcome, history included; shapes broadcast to draws and data dims.
    """
    scm, x = equations.scm, equations.x
    outcome, names = scm.spec.outcome_of(removal), removal.treatments
    world = evolve(equations, do=resolve(scm, x, removal.control, scope(scm, removal).acts))
    affected = {*names, *scm.spec.reduced.descendants(*names)}
    incoming = scm.spec.structure.incoming(outcome)
    fitted = scm.inverse(outcome, equations.mean(outcome, dict.fromkeys(incoming)))
    parts = _baseline(equations, outcome, names, world, affected)
    joint_effect, sum_of_effects = x[outcome] - world[outcome], 0.0
    for name in names:
        paths = _channel(equations, name, outcome)
        parts |= paths
        sum_of_effects = sum_of_effects + sum(paths.values())
    if len(names) > 1:
        parts[Component("interaction", "interaction")] = _rounded(
            joint_effect - sum_of_effects, x[outcome]
        )
    if scm.spec.link(outcome) == "log":
        sources = {e: world[e.source] if e.source in affected else None for e in incoming}
        expected = scm.inverse(outcome, equations.mean(outcome, sources))
        parts[Component("channels x errors", "interaction")] = fitted - expected - joint_effect
    parts[Component("residual", "residual")] = x[outcome] - fitted
    return _distinct(parts)


def _baseline(
    equations: Equations,
    outcome: Node,
    channels: Sequence[Node],
    world: dict[Node, Array],
    affected: set[Node],
) -> dict[Component, Array]:
    """Split what the model expects in the world without the channels.

    On the scale of the link it is the level plus deviations from it, which sum to zero over the
    training data but for what channels carry in from before it.
    """
    scm, start = equations.scm, equations.scm.data.history
    axes = tuple(range(-scm.depth, 0))
    level, *terms = scm.baseline_terms(outcome, equations.theta).items()
    total = level[1]
    deviations: dict[Component, Array] = {Component(k, "baseline"): path for k, path in terms}
    for edge in scm.spec.structure.incoming(outcome):
        way = equations.edges[edge]
        f = equations.curve(edge, world[edge.source]) if edge.source in affected else way.factual
        if edge.source in channels:
            middle: Array = 0.0
            if not _carries_in(scm, edge):
                total = total + way.response(f)  # f is zero: the channel is off
                continue
            part = Component(f"{edge.source} before the data", "baseline")
        else:
            middle = f[..., start:].mean(axis=axes, keepdims=True)
            past = edge.source == outcome
            part = Component(f"past {outcome}" if past else edge.source, "control")
        total = total + way.response(middle)
        deviations[part] = deviations.get(part, 0.0) + way.beta * (f - middle)
    scale, link = scm.scale[outcome], scm.spec.link(outcome)
    # an event may be called "level"
    base = Component(level[0] if "level" in dict(terms) else "level", "baseline")
    if link != "log":
        return {base: scale * total} | {part: scale * d for part, d in deviations.items()}
    # the logarithmic mean of the level and the whole, (W - L) / log(W / L)
    deviation = sum(deviations.values()) + np.zeros(1)
    small = deviation == 0
    growth = np.where(small, 1.0, np.expm1(deviation) / np.where(small, 1.0, deviation))
    at_level = scm.inverse(outcome, total)
    return {base: at_level} | {part: at_level * growth * d for part, d in deviations.items()}


def _carries_in(scm: SCM, edge: Edge) -> bool:
    """Whether a channel that is off in training still acts there, by what ran before."""
    if edge.lag and edge.source in scm.initial_level and not scm.spec.mechanisms[edge].transforms:
        return True
    return bool(scm.data.history and edge.lag + scm.spec.mechanisms[edge].reach)


def _channel(equations: Equations, name: Node, outcome: Node) -> dict[Component, Array]:
    """Split the contribution of a channel into the edges along which it enters the outcome.

    A mediator's part is what is lost when its edges alone are fed as if the channel had not run.
    What several mediators do together beyond that is a part of its own, where it can be any.
    """
    scm = equations.scm
    question = incremental(name, outcome=outcome)
    descendants = {*scm.spec.reduced.descendants(name)} - {name, outcome}
    incoming = scm.spec.reduced.incoming(outcome)
    mediators = [*dict.fromkeys(e.source for e in incoming if e.source in descendants)]
    if not mediators:
        return {Component(name, "channel", name): contrast(equations, question)}
    if len(mediators) == 1 and not any(e.source == name for e in incoming):
        via = Component(f"{name} via {mediators[0]}", "channel", name)
        return {via: contrast(equations, question)}
    parts = split(equations, question)
    paths: dict[Component, Array] = {}
    if any(e.source == name for e in incoming):
        paths[Component(f"{name} direct", "channel", name, "direct")] = parts["direct"]

    def through(label: str, path: Array) -> None:
        paths[Component(label, "channel", name, "indirect")] = path

    if len(mediators) == 1:
        through(f"{name} via {mediators[0]}", parts["indirect"])
        return paths
    x, remainder = equations.x, parts["indirect"]
    world = evolve(equations, do=resolve(scm, x, question.control, scope(scm, question).acts))
    for mediator in mediators:
        fed: dict[Node | Edge, Array] = {
            e: world[mediator] for e in incoming if e.source == mediator
        }
        loss = x[outcome] - evolve(equations, do=fed)[outcome]
        through(f"{name} via {mediator}", loss)
        remainder = remainder - loss
    # otherwise what comes in along different edges adds up
    if scm.spec.link(outcome) == "log" or outcome in scm.spec.reduced.ancestors(outcome):
        through(f"{name} via several", remainder)
    return paths


def _distinct(parts: dict[Component, Array]) -> dict[Component, Array]:
    """Give parts of one label their kind too: a node may be called ``trend``."""
    labels = [part.label for part in parts]
    return {
        part._replace(label=f"{part.label} ({part.kind})")
        if labels.count(part.label) > 1
        else part: path
        for part, path in parts.items()
    }
