"""Remedies for effects that are not identified, each verified on the changed graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice

from bayescausal.errors import GraphError
from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph
from bayescausal.identification.adjustment import Question
from bayescausal.identification.compiled import Compiled
from bayescausal.identification.edges import edge_verdicts, hedge_of
from bayescausal.identification.status import WEAK, Status, weakest
from bayescausal.identification.strategies import find_front_door
from bayescausal.identification.totals import path_edges, total

MOST_MENDED = 30
"""The number of combinations of unobserved causes of one size that are tried."""


@dataclass(frozen=True)
class Remedy:
    """An action that would identify an effect that is not identified.

    Parameters
    ----------
    action : {"observe", "lift test", "project"}
    nodes : what to observe, to run the test on, or to leave out
    words : the advice in a sentence
    status : the status once it is done, as re-computed
    settles : {"total", "split"}
    """

    action: str
    nodes: tuple[str, ...]
    words: str
    status: Status
    settles: str


def for_total(question: Question, estimand: Estimand) -> tuple[Remedy, ...]:
    """Return remedies for a total effect that data do not identify by themselves."""
    remedies = list(_observations(question, _status, "total"))
    test = Experiment(replace(estimand, name=None), lift=0.0, std_error=1.0, design="geo-rct")
    status = total(question, estimand, [test]).status
    treatments = " and ".join(question.treatments)
    if status not in WEAK:
        words = f"Run a lift test on {treatments}: a randomized test measures this very effect."
        remedies.append(Remedy("lift test", question.treatments, words, status, "total"))
    return tuple(remedies)


def _observations(
    question: Question, status_of: Callable[[Question], Status], settles: str
) -> Iterator[Remedy]:
    """Yield the causes to observe: single ones if any is enough, else pairs, else all together."""
    graph = question.compiled.graph
    hidden: list[tuple[str, str, tuple[str, str] | None]] = [
        (v, v, None) for v in sorted(graph.latent)
    ]
    hidden += [
        (f"{a} <-> {b}", f"what moves both {a} and {b}", (a, b)) for a, b in graph.bidirected
    ]
    for size in sorted({1, 2, len(hidden)} & {*range(1, len(hidden) + 1)}):
        is_settled = False
        for some in islice(combinations(hidden, size), MOST_MENDED):
            status = status_of(replace(question, compiled=Compiled(_observed(graph, some))))
            if status in WEAK:
                continue
            is_settled = True
            aim = "Observe" if settles == "total" else "For the split, observe"
            words = f"{aim} {' and '.join(text for _, text, _ in some)}."
            yield Remedy("observe", tuple(name for name, _, _ in some), words, status, settles)
        if is_settled:
            return


def _observed(graph: Graph, some: Sequence[tuple[str, str, tuple[str, str] | None]]) -> Graph:
    observations = {name for name, _, pair in some if pair is None}
    pairs = [pair for _, _, pair in some if pair is not None]
    cause_edges = []
    for a, b in pairs:
        cause = f"cause of {a} and {b}"
        while cause in graph.nodes:
            cause += "."
        cause_edges += [Edge(cause, a), Edge(cause, b)]
    return graph.unchecked(
        edges=tuple(sorted([*graph.edges, *cause_edges])),
        bidirected=tuple(p for p in graph.bidirected if p not in pairs),
        latent=graph.latent - observations,
        isolated=graph.isolated,
        nodes=tuple(sorted({*graph.nodes, *(edge.source for edge in cause_edges)})),
    )


def _status(question: Question) -> Status:
    """Return the status without experiments and instruments."""
    if question.has_sets:
        return Status.BACKDOOR
    if hedge_of(question) is not None:
        return Status.NOT_IDENTIFIED
    return Status.FRONTDOOR if find_front_door(question) else Status.ID


def for_split(
    question: Question, tested_pairs: Sequence[tuple[str, str]], mediators: Sequence[str]
) -> tuple[Remedy, ...]:
    """Return remedies for a split between paths that is not identified."""
    graph = question.compiled.graph
    remedies = list(_observations(question, lambda q: split_status(q, tested_pairs), "split"))
    for node in mediators:
        status = split_status(question, [*tested_pairs, (node, question.outcome)])
        if status not in WEAK:
            words = f"For the split, run a lift test on {node}."
            remedies.append(Remedy("lift test", (node,), words, status, "split"))
    candidates = [v for v in mediators if v not in graph.outcomes]
    for size in sorted({1, 2, len(candidates)}):
        count = len(remedies)
        for left_out in combinations(candidates, size):
            try:
                smaller = graph.project(latent=left_out)
            except GraphError:  # it feeds back on itself: its lags would have no end
                continue
            status = split_status(replace(question, compiled=Compiled(smaller)), tested_pairs)
            if status not in WEAK:
                names = ", ".join(f"'{v}'" for v in left_out)
                words = f"Or give up the split: graph.project(latent=[{names}])."
                remedies.append(Remedy("project", left_out, words, status, "split"))
        if len(remedies) > count:
            break
    return tuple(remedies)


def split_status(question: Question, tested_pairs: Sequence[tuple[str, str]] = ()) -> Status:
    """Return the weakest status among the edges on the causal paths."""
    verdicts = edge_verdicts(question.compiled, path_edges(question), tested_pairs)
    return weakest(v.status for v in verdicts.values())
