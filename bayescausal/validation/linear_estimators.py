"""Choose the linear estimator that answers a question, with sets from our identification."""

from __future__ import annotations

from collections.abc import Sequence

from bayescausal.errors import GraphError, did_you_mean
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.graphs.graph import Graph
from bayescausal.identification.identification import Identification
from bayescausal.identification.verdicts import identify
from bayescausal.validation.linear_design import METHODS, Method, Plan


def plans(
    graph: Graph,
    estimand: Estimand,
    method: str,
    mediator: str | None = None,
    lagged: bool = False,
) -> list[Plan]:
    """List the ways to carry out a method: a single one, or one for each instrument.

    Parameters
    ----------
    graph : Graph
    estimand : Estimand
        Of one treatment, with its outcome.
    method : str
        One of `METHODS`, or "auto": the first that the graph allows. The mediation split is
        never automatic: it asks more of the graph than the total effect.
    mediator : str, optional
        For the two-stage methods.
    lagged : bool
        Whether the graph has lags; then only a regression is offered.

    Raises
    ------
    GraphError
        The graph allows no method, or not the one asked for; several mediators and none named.

    Examples
    --------
    >>> graph = Graph((("tv", "visits"), ("visits", "sales")), (("tv", "sales"),))
    >>> plans(graph, incremental("tv", outcome="sales"), "auto")[0][:6]
    ('two-stage front-door', 'tv', 'sales', (), 'visits', ())
    """
    verdict = identify(graph, estimand)
    names = METHODS[:-1] if method == "auto" else (method,)
    for name in names:
        candidates = _carried_out(name, graph, estimand, verdict, mediator, lagged)
        if candidates and name == "two-stage mediation" and len(candidates) > 1:
            raise GraphError(
                f"The effect runs through several mediators: "
                f"{', '.join(str(plan.via) for plan in candidates)}. Say which one to split off: "
                f"mediator={candidates[0].via!r}."
            )
        if candidates:
            return candidates if name == "instrument" else candidates[:1]
    able = [m for m in METHODS if _carried_out(m, graph, estimand, verdict, None, lagged)]
    raise GraphError(_refusal(estimand, verdict, able, method, lagged))


def _carried_out(
    method: Method | str,
    graph: Graph,
    estimand: Estimand,
    verdict: Identification,
    mediator: str | None,
    lagged: bool,
) -> list[Plan]:
    (treatment,), outcome = estimand.treatments, str(estimand.outcome)
    best = best_set(verdict)
    if method == "backdoor regression":
        return [] if best is None else [Plan("backdoor regression", treatment, outcome, best)]
    if lagged:
        return []
    if method == "instrument":
        return [
            Plan("instrument", treatment, outcome, tuple(sorted(instrument.given)), instrument.node)
            for instrument in verdict.instruments
        ]
    candidates = []
    for via in _mediators(graph, treatment, outcome, mediator):
        first = best_set(identify(graph, incremental(treatment, outcome=via)))
        second = best_set(identify(graph, incremental(via, outcome=outcome)))
        if first is None or second is None:
            continue
        if method == "two-stage mediation" and best is not None:
            candidates.append(
                Plan("two-stage mediation", treatment, outcome, best, via, first, second)
            )
        fully_mediated = treatment not in graph.do(via).ancestors(outcome)
        if method == "two-stage front-door" and fully_mediated:
            candidates.append(
                Plan("two-stage front-door", treatment, outcome, (), via, first, second)
            )
    return candidates


def best_set(verdict: Identification) -> tuple[str, ...] | None:
    """Return the most precise set to adjust for, else the smallest; None when there is none."""
    if not verdict.adjustment_sets:
        return None
    best = verdict.adjustment_sets[0] if verdict.optimal is None else verdict.optimal
    return tuple(sorted(best))


def _mediators(graph: Graph, treatment: str, outcome: str, name: str | None) -> list[str]:
    mediators = {*graph.descendants(treatment)} & {*graph.ancestors(outcome)} & {*graph.observed}
    if name is None:
        return sorted(mediators)
    if name not in mediators:
        raise GraphError(
            f"{name!r} is no observed mediator between {treatment!r} and {outcome!r}. Mediators: "
            f"{', '.join(sorted(mediators)) or 'none'}.{did_you_mean(name, mediators)}"
        )
    return [name]


def _refusal(
    estimand: Estimand, verdict: Identification, able: Sequence[str], method: str, lagged: bool
) -> str:
    text = f"The effect of {estimand.treatments[0]!r} on {estimand.outcome!r} "
    if method != "auto" and able:
        return text + f"cannot be estimated by {method!r} in this graph, but by {', '.join(able)}."
    text += f"has no linear estimator here (verdict: {verdict.status})"
    if verdict.open_paths:
        text += f"; open: {'; '.join(map(str, verdict.open_paths[:3]))}"
    if lagged:
        text += "; with lags only a regression is offered"
    return text + (
        ". A number would be an association. See identify(graph, estimand) for what would settle "
        "it: a column to observe, or a lift test."
    )
