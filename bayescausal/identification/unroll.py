"""A graph ready for questions: whole series, or slices of time when lagged edges feed back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import networkx as nx

from bayescausal.specs.edge import Edge
from bayescausal.specs.graph import Graph
from bayescausal.specs.separation import Mixed, bits

MOST_SLICES = 6
"""A longer window says nothing new about identification and costs time."""


@dataclass(frozen=True)
class Unrolled:
    """A graph over slices of time, ``sales[t-1]`` for the node sales one period ago.

    Parameters
    ----------
    graph : Graph
        The slices as nodes; every edge is within the window, so none has a lag.
    slices : mapping of node to its slices, oldest first
    history : int
        How many of the first slices are observed history, which no one intervenes on.
    notes : sentences on what was simplified
    """

    graph: Graph
    slices: dict[str, tuple[str, ...]]
    history: int
    notes: tuple[str, ...] = ()


def has_cycle(graph: Graph) -> bool:
    """Return whether lagged edges close a cycle of two nodes or more."""
    return not nx.is_directed_acyclic_graph(_series(graph))


def _series(graph: Graph) -> nx.DiGraph:
    series = nx.DiGraph(e[:2] for e in graph.edges if e.source != e.target)
    series.add_nodes_from(graph.nodes)
    return series


def unroll(graph: Graph) -> Unrolled:
    """Unroll a graph in time: the longest lag of a cycle plus two slices, six at most.

    Conservative: ``a -> b @ k`` carries over, so it joins ``a[s] -> b[u]`` for every
    ``u - s >= k``; ``a <-> b`` joins all slices of both; the noise of a node may persist,
    ``v[s] <-> v[u]``. What is identified here is so under every shorter carry-over too. What lies
    before the first slice is taken as given. A lag longer than the history counts as long as it.

    Examples
    --------
    >>> unrolled = unroll(Graph.parse("sales -> tv @ 1; tv -> sales".replace("; ", chr(10))))
    >>> unrolled.slices["tv"], unrolled.graph.parents("tv[t]")
    (('tv[t-2]', 'tv[t-1]', 'tv[t]'), ('sales[t-1]', 'sales[t-2]'))
    """
    series = _series(graph)
    component = {v: i for i, c in enumerate(nx.strongly_connected_components(series)) for v in c}
    lags = [e.lag for e in graph.edges if component[e.source] == component[e.target]]
    longest = max(lags, default=1)
    count = min(longest + 2, MOST_SLICES)
    history = count - 2
    notes = [
        f"The lag of {edge} counts as {history}, the history of the window of {count} slices."
        for edge in graph.edges
        if edge.lag > history
    ]
    names = {
        v: tuple(f"{v}[t-{back}]" if back else f"{v}[t]" for back in reversed(range(count)))
        for v in graph.nodes
    }
    edges = {
        Edge(names[a][s], names[b][u])
        for a, b, lag in graph.edges
        for s in range(count)
        for u in range(s + min(lag, history), count)
    }
    arcs = {(one, other) for a, b in graph.bidirected for one in names[a] for other in names[b]} | {
        pair for slices in names.values() for pair in combinations(slices, 2)
    }
    small = Graph(
        edges=tuple(edges),
        bidirected=tuple(arcs),
        latent=frozenset(one for v in graph.latent for one in names[v]),
        outcomes=tuple(names[v][-1] for v in graph.outcomes),
        isolated=tuple(one for slices in names.values() for one in slices),
    )
    return Unrolled(small, names, history, tuple(notes))


@dataclass(frozen=True)
class Compiled:
    """A graph ready for questions: bit masks with and without latents, and the slices of a node.

    Without feedback a node is its own only slice, a whole series.
    """

    graph: Graph

    @cached_property
    def unrolled(self) -> Unrolled | None:
        """The graph in time, when lagged edges close a cycle."""
        return unroll(self.graph) if has_cycle(self.graph) else None

    @cached_property
    def full(self) -> Mixed:
        """The graph with its latents."""
        return self.unrolled.graph.mixed if self.unrolled else self.graph.mixed

    @cached_property
    def seen(self) -> Mixed:
        """The latent projection."""
        latent = self.unrolled.graph.latent if self.unrolled else self.graph.latent
        return self.full.project(self.full.mask(latent))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The observed nodes of the user's graph."""
        return self.graph.observed

    @cached_property
    def groups(self) -> tuple[int, ...]:
        """For each of `names` the mask of its slices in `seen`."""
        if self.unrolled is None:
            return tuple(1 << i for i in range(len(self.names)))
        return tuple(self.seen.mask(self.unrolled.slices[v]) for v in self.names)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {v: i for i, v in enumerate(self.names)}

    def bits(self, names: Iterable[str]) -> int:
        """Return the mask of some nodes over `names`."""
        return sum({1 << self._place[v] for v in names})

    def words(self, mask: int) -> tuple[str, ...]:
        """Return the names in a mask over `names`."""
        return tuple(self.names[i] for i in bits(mask))

    def slices(self, mask: int) -> int:
        """Return all slices in `seen` of a mask over `names`."""
        return sum(self.groups[i] for i in bits(mask))

    def grouped(self, mask: int) -> int:
        """Return the nodes over `names` with a slice in the mask over `seen`."""
        return sum(1 << i for i, group in enumerate(self.groups) if group & mask)

    def grouped_slices(self, mask: int) -> int:
        """Return all slices of every node with a slice in the mask over `seen`."""
        return self.slices(self.grouped(mask))

    def window(self, mask: int) -> int:
        """Return the slices in `seen` that can be intervened on, history left out."""
        if self.unrolled is None:
            return self.slices(mask)
        late = (self.unrolled.slices[v][self.unrolled.history :] for v in self.words(mask))
        return self.seen.mask(one for slices in late for one in slices)

    def last(self, name: str) -> int:
        """Return the last slice of a node in `seen`."""
        return self.seen.mask([self.unrolled.slices[name][-1] if self.unrolled else name])

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """The direct effects among observed nodes, lags kept."""
        kept = (
            e for e in self.graph.edges if e.source != e.target or e.source not in self.graph.latent
        )  # a latent's memory lengthens carry-over and makes no new edge
        return replace(self.graph, edges=tuple(kept), isolated=self.graph.nodes).project().edges
