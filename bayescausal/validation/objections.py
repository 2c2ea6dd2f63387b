"""`Objection`: one doubt that data cast on the claims of experts, or these on the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from math import nan

from bayescausal.errors import GraphError
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph
from bayescausal.specs.experts import Experts
from bayescausal.specs.graph_decision import GraphDecision

type Way = tuple[str, Graph]
"""A graph with one thing changed, and a name for it that can be that of a file."""


class Doubt(StrEnum):
    """What is in doubt: first of the graph, then of the data.

    Examples
    --------
    >>> Doubt.MISALIGNED == "misaligned dates"
    True
    """

    DEPENDENCE = "missing edge or common cause"
    FORBIDDEN = "forbidden edge is seen"
    REVERSED_EDGE = "reversed edge"
    LEFT_OUT = "left-out column"
    REVERSED_TIME = "reversed in time"
    MISALIGNED = "misaligned dates"
    WRONG_SIGN = "wrong sign"
    NOT_SEEN = "certain edge is not seen"
    CONSTANT = "zero variance"
    DUPLICATED = "duplicated periods"
    LEVEL_SHIFT = "level shift"
    UNIT_CHANGE = "change of unit"


@dataclass(frozen=True)
class Objection:
    """One row of a `Discovery`: what was expected, what was seen, at which power, what to do.

    Parameters
    ----------
    doubt : Doubt
    subject : str
        The claim or the column, ``"demand _||_ tv"``, ``"tv -> sales"``, ``"tv"``.
    expected, seen, power, action : str
        Sentences; `power` says what the test could see, or how often it errs.
    p_value : float
        The smallest of its tests. NaN for faults that are counted and not tested.
    p_adjusted : float
        The same after Holm, over all tests that could have put a row into its list.
    certainty : float
        How sure the experts are of the edge; NaN where they said nothing.
    graphs : tuple of (str, Graph)
        The user's graph with this objection accepted, in each way that experts admit.
    """

    doubt: Doubt
    subject: str
    expected: str
    seen: str
    power: str
    action: str
    p_value: float = nan
    p_adjusted: float = nan
    certainty: float = nan
    graphs: tuple[Way, ...] = ()

    @property
    def sentence(self) -> str:
        """All of it in words."""
        sure = "" if self.certainty != self.certainty else f" (certainty {self.certainty:.0%})"
        return (
            f"{self.subject}: {self.doubt}. Expected{sure}: {self.expected}. Seen: {self.seen}. "
            f"{self.power} {self.action}"
        )

    def decide(self, verdict: str, by: str, reason: str = "", date: str = "") -> GraphDecision:
        """Return what people decided about it, to be kept in ``Spec(decisions=...)``.

        Parameters
        ----------
        verdict : {"graph changed", "graph kept", "data mended", "open"}
        by, reason, date : str

        Examples
        --------
        >>> row = Objection(Doubt.CONSTANT, "tv", "it varies", "it is 5 throughout", "", "")
        >>> row.decide("data mended", "Anna", "the export was cut off").seen
        'it is 5 throughout'
        """
        return GraphDecision(self.subject, verdict, by, reason, self.seen, date)


# -- the user's graph with one thing changed -------------------------------------------------------


def joined(experts: Experts, a: str, b: str, *, forbidden: bool = False) -> Iterator[Way]:
    """Yield the graph with an edge between two nodes, or with a common cause of both.

    An edge that experts forbid is offered only where `forbidden` says that it is the question.
    """
    graph = experts.claims
    for source, target in ((a, b), (b, a)):
        allowed = experts.allows(source, target)
        if allowed or (forbidden and experts.rules_out(source, target)):
            yield from _changed(
                f"add {source} to {target}",
                partial(replace, graph, edges=(*graph.edges, Edge(source, target))),
            )
    yield from with_common_cause(experts, a, b)


def with_common_cause(experts: Experts, a: str, b: str) -> Iterator[Way]:
    """Yield the graph in which two nodes share an unobserved cause."""
    graph, pair = experts.claims, (min(a, b), max(a, b))
    if pair not in graph.bidirected:
        yield from _changed(
            f"hidden cause of {pair[0]} and {pair[1]}",
            partial(replace, graph, bidirected=(*graph.bidirected, pair)),
        )


def turned(experts: Experts, source: str, target: str) -> Iterator[Way]:
    """Yield the graph with an edge the other way round."""
    graph = experts.claims
    if experts.allows(target, source):
        kept = tuple(e for e in graph.edges if e[:2] != (source, target))
        yield from _changed(
            f"reverse {source} to {target}",
            partial(replace, graph, edges=(*kept, Edge(target, source))),
        )


def fed_back(experts: Experts, source: str, target: str, lag: int = 1) -> Iterator[Way]:
    """Yield the graph in which the target of an edge moves its source later."""
    graph = experts.claims
    if experts.allows(target, source, lag):
        yield from _changed(
            f"add {target} to {source} at lag {lag}",
            partial(replace, graph, edges=(*graph.edges, Edge(target, source, lag))),
        )


def _changed(name: str, build: Callable[[], Graph]) -> Iterator[Way]:
    with suppress(GraphError):  # it would close a cycle within a period
        yield name, build()
