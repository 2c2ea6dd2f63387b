"""Choose the linear estimator that answers a question, with sets from our identification."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from bayescausal.errors import GraphError, did_you_mean
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.graphs.graph import Graph
from bayescausal.identification.identification import Identification
from bayescausal.identification.verdicts import identify

Method = Literal["backdoor regression", "two-stage front-door", "instrument", "two-stage mediation"]
METHODS: tuple[Method, ...] = get_args(Method)
"""Estimators; ``method="auto"`` takes the first that the graph allows, never the last."""


class Plan(NamedTuple):
    """An estimator and its sets of nodes; `via` is the instrument or the mediator."""

    method: Method
    treatment: str
    outcome: str
    adjustment: tuple[str, ...] = ()
    via: str | None = None
    first: tuple[str, ...] = ()
    second: tuple[str, ...] = ()

    @property
    def conditioned(self) -> tuple[str, ...]:
        """Return the nodes that some regression holds fixed, without the treatment, sorted."""
        return tuple(sorted({*self.adjustment, *self.first, *self.second} - {self.treatment}))

    @property
    def nodes(self) -> tuple[str, ...]:
        """Return the nodes whose columns are needed besides treatment and outcome, sorted."""
        return tuple(sorted({*self.conditioned, *([self.via] if self.via else [])}))


def plans(
    graph: Graph,
    estimand: Estimand,
    method: str,
    mediator: str | None = None,
    lagged: bool = False,
) -> list[Plan]:
    """List the ways to carry out a method: a single one, or one for each instrument.

    Of `METHODS` "auto" takes the first that the graph allows, never the mediation split, which asks
    more of the graph than the total effect. With lags only a regression is offered. A GraphError
    says that the graph does not allow the method, or that it has several mediators.

    Examples
    --------
    >>> graph = Graph((("tv", "visits"), ("visits", "sales")), (("tv", "sales"),))
    >>> plans(graph, incremental("tv", outcome="sales"), "auto")[0][:6]
    ('two-stage front-door', 'tv', 'sales', (), 'visits', ())
    """
    verdict = identify(graph, estimand)
    methods = METHODS[:-1] if method == "auto" else (method,)
    by_method = (_plans_of(m, graph, estimand, verdict, mediator, lagged) for m in methods)
    candidates = next(filter(None, by_method), [])
    if len(candidates) > 1 and method == "two-stage mediation":
        raise GraphError(
            f"The effect runs through several mediators: "
            f"{', '.join(str(plan.via) for plan in candidates)}. Say which one to split off: "
            f"mediator={candidates[0].via!r}."
        )
    if candidates:
        return candidates if candidates[0].method == "instrument" else candidates[:1]
    text = f"The effect of {estimand.treatments[0]!r} on {estimand.outcome!r} "
    able = [m for m in METHODS if _plans_of(m, graph, estimand, verdict, None, lagged)]
    if method != "auto" and able:
        text += f"cannot be estimated by {method!r} in this graph, but by {', '.join(able)}."
        raise GraphError(text)
    text += f"has no linear estimator here (verdict: {verdict.status})"
    if verdict.open_paths:
        text += f"; open: {'; '.join(map(str, verdict.open_paths[:3]))}"
    if lagged:
        text += "; with lags only a regression is offered"
    raise GraphError(
        f"{text}. A number would be an association. See identify(graph, estimand) for what would "
        "settle it: a column to observe, or a lift test."
    )


def _plans_of(
    method: str,
    graph: Graph,
    estimand: Estimand,
    verdict: Identification,
    mediator: str | None,
    lagged: bool,
) -> list[Plan]:
    """List the ways to carry out one method; none where the graph does not allow it."""
    (t,), y, best = estimand.treatments, str(estimand.outcome), _best_set(verdict)
    if method == "backdoor regression":
        return [] if best is None else [Plan("backdoor regression", t, y, best)]
    if lagged:
        return []
    if method == "instrument":
        instruments = verdict.instruments
        return [Plan("instrument", t, y, tuple(sorted(z.given)), z.node) for z in instruments]
    candidates = []
    for via in _mediators(graph, t, y, mediator):
        first = _best_set(identify(graph, incremental(t, outcome=via)))
        second = _best_set(identify(graph, incremental(via, outcome=y)))
        if first is None or second is None:
            continue
        if method == "two-stage mediation" and best is not None:
            candidates.append(Plan("two-stage mediation", t, y, best, via, first, second))
        if method == "two-stage front-door" and t not in graph.do(via).ancestors(y):
            candidates.append(Plan("two-stage front-door", t, y, (), via, first, second))
    return candidates


def _best_set(verdict: Identification) -> tuple[str, ...] | None:
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
