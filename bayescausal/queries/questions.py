"""Read, check and grade the questions that a fit is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayescausal import checks
from bayescausal._types import Node
from bayescausal.errors import DataError, GraphError, SpecError, did_you_mean, shown
from bayescausal.experiments.estimand import Estimand
from bayescausal.graphs.edge import Edge
from bayescausal.identification.grades import Letter
from bayescausal.identification.ladder import Grade
from bayescausal.identification.question import as_estimand, is_removal
from bayescausal.inference.evidence import advice, reachable
from bayescausal.inference.fit import Fit, extrapolated_share_draws
from bayescausal.model.contrast import scope, window_in_words


def checked_estimand(fit: Fit, estimand: Estimand | str) -> Estimand:
    """Return the estimand with its outcome named; raise when the fit cannot answer it.

    The name of a treatment is short for what it added, as in `identify`.
    """
    question = as_estimand(estimand)
    question = question.on(fit.spec.outcome_of(question))
    fit.spec.check_estimand(question)
    scope(fit.scm, question)  # raises for a window or units that are not in the data
    return question


def edge_of(fit: Fit, edge: str | Edge) -> Edge:
    """Return a modelled edge, or raise a SpecError that names those of this fit."""
    edges = sorted(map(str, fit.spec.mechanisms))
    try:
        candidate = Edge.parse(str(edge))
    except GraphError:
        candidate = None
    if candidate in fit.spec.mechanisms:
        return candidate
    if candidate is None:
        outgoing = [e for e in fit.spec.mechanisms if e.source == edge]
        last = sorted(outgoing, key=lambda e: e.target not in fit.spec.graph.outcomes)
        hint = f" Did you mean '{last[0]}'?" if last else did_you_mean(str(edge), edges)
        problem = f"{shown(edge)} is not an edge"
    else:
        hint, problem = (
            did_you_mean(str(candidate), edges),
            f"There is no modelled edge {candidate}",
        )
    raise SpecError(f"{problem}. Edges of this fit: {', '.join(edges)}.{hint}")


def grade_of(fit: Fit, estimand: Estimand, strict: bool, part: str = "total") -> Grade:
    """Return the grade of an effect; with ``strict`` raise when it is not identified."""
    if strict:
        fit.evidence.require_identified(estimand, part)
    return fit.evidence.grade(estimand, part)


def require_variance(subject: str, estimand: Estimand) -> None:
    """Raise a SpecError for a cost, which has no variance: it has a pole at an effect of zero."""
    if estimand.scale == "cost":
        raise SpecError(
            f"{subject} has scale='cost', which has a pole where the effect is zero, and so no "
            "variance. Ask scale='per_spend', its inverse."
        )


def require_defined(draws: np.ndarray, estimand: Estimand, group: str = "posterior") -> np.ndarray:
    """Return draws that all have a value; raise a DataError for a percentage that has not.

    And for a world that has grown beyond all numbers, as a loop through log links can.
    """
    if endless := int(np.isinf(draws).sum()):
        raise DataError(
            f"{estimand!r}: in {endless} of {draws.size} {group} draws a world grows beyond all "
            "numbers: a loop of the graph feeds itself, through a log link. Give the nodes of the "
            "loop identity links, or tighter priors."
        )
    if undefined := int((~np.isfinite(draws)).sum()):
        raise DataError(
            f"{estimand!r}: in {undefined} of {draws.size} {group} draws the outcome of the "
            "control world adds up to zero or less, so there is nothing to take a percentage of. "
            "Ask scale='total'."
        )
    return draws


_RANDOM = {
    "cost": "infinite in {} of draws, where nothing is gained: ask scale='per_spend'",
    "percent": "undefined in {} of draws, whose control world adds up to zero or less",
    "payback": "in {} of draws not paid back while exposure acts",
    "half_life": "unknown in {} of draws: no carry-over of exposure ends within the data",
    "induced": "undefined in {} of draws, in which no more is spent in all: ask spend='own'",
}


def ratio_coords(
    draws: np.ndarray, dims: tuple[str, ...], scale: str | np.ndarray
) -> dict[str, Any]:
    """Return coords that say where draws of an effect have no value, or no moments.

    ``note`` says in how many draws a ratio is not finite, and why. ``denominator`` is there when
    one is random; mean and standard deviation of such a ratio need not exist.

    Parameters
    ----------
    draws : array
        Shape ``(chain, draw, ...)``; ``dims`` name the rest.
    scale : str or array of str
        Of an estimand; of returns ``"own"`` or ``"induced"``, the spend that is divided by.
    """
    share = (~np.isfinite(draws)).mean(axis=(0, 1))
    kinds = np.broadcast_to(scale, share.shape)
    notes = [
        _RANDOM.get(kind, "no spend to divide by").format(f"{max(part, 0.001):.1%}") if part else ""
        for kind, part in zip(kinds.ravel(), share.ravel(), strict=True)
    ]
    coords: dict[str, Any] = {"note": (dims, np.reshape(np.array(notes, dtype=str), share.shape))}
    random = np.isin(kinds, list(_RANDOM))
    if random.any():
        coords["denominator"] = (dims, np.where(random, "random", "fixed"))
    return coords


def attributes_of(
    fit: Fit, estimand: Estimand, grade: Grade, part: str = "total"
) -> dict[str, Any]:
    """Return the attributes of an effect's draws."""
    attributes = {
        "estimand": repr(estimand),
        "outcome": estimand.outcome,
        "scale": estimand.scale,
        "window": window_in_words(fit.data, estimand),
        "tail_truncated": int(scope(fit.scm, estimand).truncated),
        "rests_on": str(grade),
    }
    if grade.letter == Letter.X:
        attributes["advice"] = advice(fit.evidence.verdict(estimand), part)
    return attributes


def extrapolated_share_of(fit: Fit, estimand: Estimand) -> float:
    """Return the median share of an effect below the lowest exposure observed.

    Of effects that take treatments away; NaN for others, and where no draw has an effect.
    """
    if not is_removal(estimand):
        return float("nan")
    known = fit.evidence.grade(estimand).extrapolated_share  # of all periods, worked out by `fit`
    if fit.observed is fit and np.isfinite(known):
        return known
    shares = extrapolated_share_draws(fit, estimand)
    return float(np.nanmedian(shares)) if np.isfinite(shares).any() else float("nan")


def paid(fit: Fit, outcome: Node) -> tuple[Node, ...]:
    """Return the nodes with spend that reach an outcome."""
    ancestors = fit.spec.reduced.ancestors(outcome)
    return tuple(c for c in sorted(fit.data.spend) if c in ancestors)


def worth_in_words(fit: Fit, outcome: Node, stated: float | None = None) -> str:
    """Say what a unit of the outcome counts: the stated value, or that of the data."""
    value = fit.data.value if stated is None else stated
    if isinstance(value, str):
        return f"a unit of '{outcome}' counts what column '{value}' says"
    text = f"a unit of '{outcome}' counts {value:g}"
    plain = stated is None and value == 1
    return text + (": the Dataset's value, which is 1 unless given" if plain else "")


def channels_for(
    fit: Fit, channels: Sequence[Node] | None, outcome: Node, default: Sequence[Node] | None = None
) -> list[Node]:
    """Return the channels that were named; by default those of `default`, or all that reach it."""
    if channels is None:
        names = list(reachable(fit.spec, outcome) if default is None else default)
        if not names and default is None:
            raise SpecError(f"No treatment reaches '{outcome}': nothing contributes to it.")
        if not names:
            raise DataError(
                "No channel has spend: give Dataset.from_frame(spend={'tv': 'tv_cost'})."
            )
        return names
    listed = checks.names("channels", channels)
    if not listed:
        raise SpecError("channels is empty: name at least one channel, or leave it out for all.")
    return listed
