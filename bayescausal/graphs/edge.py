"""`Edge`: a direct effect, with checks of the names, pairs and edges that users write."""

from __future__ import annotations

import re
from numbers import Integral
from typing import Any, NamedTuple

from bayescausal import checks
from bayescausal.errors import GraphError, shown
from bayescausal.graphs.notation import name_problem

LONGEST = 10_000
"""Periods of the longest lag."""


class Edge(NamedTuple):
    """A direct effect of `source` on `target`, `lag` periods later.

    Examples
    --------
    >>> str(Edge("sales", "paid search", 1)), Edge.parse("tv -> sales")
    ('sales->paid search@1', Edge(source='tv', target='sales', lag=0))
    """

    source: str
    target: str
    lag: int = 0

    def __str__(self) -> str:
        return f"{self.source}->{self.target}" + (f"@{self.lag}" if self.lag else "")

    @classmethod
    def parse(cls, text: str) -> Edge:
        """Read ``tv->sales`` or ``sales -> tv @ 1``, the inverse of ``str``."""
        match = re.fullmatch(r"\s*(.+?)\s*->\s*(.+?)\s*(?:@\s*([0-9]{1,9})\s*)?", text)
        if match is None or (problem := name_problem(match[1]) or name_problem(match[2])):
            reason = f" {problem}" if match else ""
            raise GraphError(f"{shown(text)} is not an edge, 'tv->sales' or 'sales->tv@1'.{reason}")
        return cls(match[1], match[2], int(match[3] or 0))


def as_tuple(role: str, values: Any) -> tuple[Any, ...]:
    """Return a sequence of pairs or edges as a tuple."""
    parts = checks.several(values)
    if parts is None:
        raise GraphError(f"{role} must be a sequence, such as a list; got {shown(values)}.")
    return parts


def node_names(role: str, values: Any) -> tuple[str, ...]:
    """Return one name or several as a tuple, each of them checked."""
    names = checks.several(values)
    if names is None:
        raise GraphError(f"{role} is one name of a node, or several; got {shown(values)}.")
    return tuple(map(checked_name, names))


def checked_name(name: str) -> str:
    """Return the name, or raise when it cannot name a variable."""
    if problem := name_problem(name):
        raise GraphError(problem)
    return name


def checked_pair(pair: tuple[str, str]) -> tuple[str, str]:
    """Return a bidirected pair in order, or raise."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise GraphError(f"{shown(pair)} is not a pair of names, as a bidirected edge must be.")
    a, b = map(checked_name, pair)
    if a == b:
        raise GraphError(f"'{a} <-> {a}' says nothing: a node has its own noise. Delete it.")
    return min(a, b), max(a, b)


def checked_edge(edge: Any) -> Edge:
    """Return an `Edge`, or raise when the value is not a valid edge."""
    if not isinstance(edge, tuple | list) or len(edge) not in (2, 3):
        raise GraphError(f"{shown(edge)} is not an edge: write Edge('tv', 'sales'), or Edge.parse.")
    source, target, lag = Edge(*edge)
    checked_name(source), checked_name(target)
    if isinstance(lag, bool) or not isinstance(lag, Integral) or lag < 0:
        raise GraphError(
            f"The lag of '{source} -> {target}' is {shown(lag)}. A lag is a whole number of "
            "periods, zero or more: an effect does not precede its cause."
        )
    if lag > LONGEST:
        raise GraphError(
            f"The lag of '{source} -> {target}' is {shown(int(lag))}; it is at most {LONGEST:,} "
            "periods."
        )
    if source == target and not lag:
        raise GraphError(
            f"'{source} -> {source}' makes a node its own cause within one period. For the effect "
            f"of its past write `{source} -> {source} @ 1`, else delete it."
        )
    return Edge(source, target, int(lag))
