"""Questions put to a fit: read, checked, graded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayescausal import checks
from bayescausal._types import Node
from bayescausal.errors import DataError, GraphError, SpecError, did_you_mean, shown
from bayescausal.experiments.estimand import Estimand
from bayescausal.graphs.edge import Edge
from bayescausal.identification.ladder import Grade
from bayescausal.identification.question import as_estimand
from bayescausal.inference.evidence import advice, graded, reachable, require_identified, verdict
from bayescausal.inference.fit import Fit
from bayescausal.model.contrast import scope, window_in_words


def asked_of(fit: Fit, estimand: Estimand | str) -> Estimand:
    """Return a question with its outcome named, or raise when the fit cannot answer it.

    The name of a treatment is short for what it added, as in `identify`.
    """
    asked = as_estimand(estimand)
    asked = asked.on(fit.spec.outcome_of(asked))
    fit.spec.check_estimand(asked)
    scope(fit.scm, asked)  # raises for a window or units that are not in the data
    return asked


def edge_of(fit: Fit, edge: str | Edge) -> Edge:
    """Return a modelled edge, or raise a SpecError that names those of this fit."""
    known = sorted(map(str, fit.spec.mechanisms))
    try:
        found = Edge.parse(str(edge))
    except GraphError:
        found = None
    if found in fit.spec.mechanisms:
        return found
    if found is None:
        own = [e for e in fit.spec.mechanisms if e.source == edge]
        last = sorted(own, key=lambda e: e.target not in fit.spec.graph.outcomes)
        near = f" Did you mean '{last[0]}'?" if last else did_you_mean(str(edge), known)
        problem = f"{shown(edge)} is not an edge"
    else:
        near, problem = did_you_mean(str(found), known), f"There is no modelled edge {found}"
    raise SpecError(f"{problem}. Edges of this fit: {', '.join(known)}.{near}")


def grade_of(fit: Fit, estimand: Estimand, strict: bool, part: str = "total") -> Grade:
    """Return the grade of an effect; with ``strict`` raise when it is not identified."""
    if strict:
        require_identified(fit.spec, estimand, part, fit.evidence)
    return graded(fit.spec, estimand, part, fit.evidence)


def require_variance(what: str, estimand: Estimand) -> None:
    """Raise a SpecError for a cost, whose pole at no effect leaves it without a variance."""
    if estimand.scale == "cost":
        raise SpecError(
            f"{what} has scale='cost', which has a pole where the effect is zero, and so no "
            "variance. Ask scale='per_spend', its inverse."
        )


def require_defined(draws: np.ndarray, estimand: Estimand, group: str = "posterior") -> np.ndarray:
    """Return draws that all have a value; raise a DataError for a percentage that has not."""
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
    "induced": "undefined in {} of draws, in which no more is spent in all: ask spend='own'",
}


def ratio_coords(
    draws: np.ndarray, dims: tuple[str, ...], scale: str | np.ndarray
) -> dict[str, Any]:
    """Return the coords of draws of an effect that say where it has no value, and no moments.

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


def about(fit: Fit, estimand: Estimand, grade: Grade, part: str = "total") -> dict[str, Any]:
    """Return what the attributes of an effect say."""
    said = {
        "estimand": repr(estimand),
        "outcome": estimand.outcome,
        "scale": estimand.scale,
        "window": window_in_words(fit.data, estimand),
        "tail_truncated": int(scope(fit.scm, estimand).truncated),
        "rests_on": str(grade),
    }
    if grade.letter == "X":
        said["advice"] = advice(verdict(fit.spec, estimand, fit.evidence), part)
    return said


def paid(fit: Fit, outcome: Node) -> tuple[Node, ...]:
    """Return the nodes with spend that reach an outcome."""
    above = fit.spec.reduced.ancestors(outcome)
    return tuple(c for c in sorted(fit.data.spend) if c in above)


def worth_in_words(fit: Fit, outcome: Node, given: float | None = None) -> str:
    """Say what a unit of the outcome counts: the value that was given, or that of the data."""
    value = fit.data.value if given is None else given
    if isinstance(value, str):
        return f"a unit of '{outcome}' counts what column '{value}' says"
    text = f"a unit of '{outcome}' counts {value:g}"
    plain = given is None and value == 1
    return text + (": the Dataset's value, which is 1 unless given" if plain else "")


def channels_for(
    fit: Fit, channels: Sequence[Node] | None, outcome: Node, among: Sequence[Node] | None = None
) -> list[Node]:
    """Return the channels that were named; by default those `among`, or all that reach it."""
    if channels is None:
        found = list(reachable(fit.spec, outcome) if among is None else among)
        if not found and among is None:
            raise SpecError(f"No treatment reaches '{outcome}': nothing contributes to it.")
        if not found:
            raise DataError(
                "No channel has spend: give Dataset.from_frame(spend={'tv': 'tv_cost'})."
            )
        return found
    names = checks.names("channels", channels)
    if not names:
        raise SpecError("channels is empty: name at least one channel, or leave it out for all.")
    return names
