"""Graphs compiled for questions: whole series, and epochs of them where lagged edges feed back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph
from bayescausal.graphs.separation import Mixed

EARLIER = " (earlier)"
"""The suffix of a node in the epoch before the one that is asked about."""


@dataclass(frozen=True)
class Compiled:
    """A graph as bit masks, in which a node is its whole series with all lags merged.

    With feedback the graph of whole series has cycles. It stands for the graph unrolled over
    periods, with as many as it takes, in which ``a -> b @ k`` joins ``a[s]`` to ``b[t]`` for every
    ``t - s >= k``, ``a <-> b`` joins all periods of both, and the noise of a node may last. Two
    questions need to know what came before: `window` and `now` split each series in two epochs.
    Bit i is the later epoch of node i there, and bit ``len(names) + i`` its earlier epoch.

    Source: MODEL.md section 8.1, which proves that no number of periods says more.
    """

    graph: Graph

    @cached_property
    def feeds_back(self) -> bool:
        """Whether lagged edges close a cycle of two or more nodes, so that epochs are needed.

        Examples
        --------
        >>> Compiled(Graph((Edge("tv", "sales"), Edge("sales", "tv", 1)))).feeds_back
        True
        >>> Compiled(Graph((Edge("tv", "sales"), Edge("sales", "sales", 1)))).feeds_back
        False
        """
        return not self.series.is_acyclic

    @cached_property
    def series(self) -> Mixed:
        """The graph of whole series with its latents."""
        pairs = (e[:2] for e in self.graph.edges if e.source != e.target)
        return Mixed.of_series(self.graph.nodes, pairs, self.graph.bidirected)

    @cached_property
    def projection(self) -> Mixed:
        """The latent projection of `series` onto the observed nodes."""
        return self.series.project(self.series.mask(self.graph.latent))

    @property
    def names(self) -> tuple[str, ...]:
        """The observed nodes."""
        return self.projection.names

    @cached_property
    def window(self) -> Mixed:
        """The graph of a long window of intervention that follows a history of observed periods."""
        return self._epochs(self.edges) if self.feeds_back else self.projection

    @cached_property
    def period(self) -> Mixed:
        """The graph of one period, in which only edges without lag act, given the past."""
        if not self.feeds_back:
            return self.projection
        return self._epochs([edge for edge in self.edges if not edge.lag])

    def _epochs(self, later_edges: Iterable[Edge]) -> Mixed:
        """Return the graph of both epochs, with all edges that start in the earlier one."""
        projection, count = self.projection, len(self.names)
        siblings = [sides | sides << count for sides in projection.siblings]
        persistence = [1 << count + i for i in range(count)]  # noise may last
        later_parents = [0] * count
        earlier_parents = [parents << count for parents in projection.parents]
        for a, b, _ in later_edges:
            if a != b:
                later_parents[projection.index[b]] |= 1 << projection.index[a]
        for a, b, _ in self.edges:
            later_parents[projection.index[b]] |= 1 << count + projection.index[a]
        return Mixed(
            (*self.names, *(name + EARLIER for name in self.names)),
            (*later_parents, *earlier_parents),
            (
                *(mask | noise for mask, noise in zip(siblings, persistence, strict=True)),
                *(mask | 1 << i for i, mask in enumerate(siblings)),
            ),
        )

    def bits(self, names: Iterable[str]) -> int:
        """Return the mask of some observed nodes."""
        return self.projection.mask(names)

    def words(self, mask: int) -> tuple[str, ...]:
        """Return the names in a mask over nodes."""
        return self.projection.labels(mask)

    def both_epochs(self, mask: int) -> int:
        """Return the mask of both epochs of some nodes."""
        return mask | mask << len(self.names) if self.feeds_back else mask

    def nodes_of(self, mask: int) -> int:
        """Return the mask of the nodes that have an epoch in a mask over epochs."""
        return (mask | mask >> len(self.names)) & self.projection.everything

    def labels(self, mask: int) -> tuple[str, ...]:
        """Return the names in a mask over epochs, with a suffix where only one epoch is in it."""
        complete_nodes = (
            mask & mask >> len(self.names) & self.projection.everything if self.feeds_back else mask
        )
        single_epochs = mask & ~self.both_epochs(complete_nodes)
        earlier = single_epochs >> len(self.names) if self.feeds_back else 0
        current = (f"{v} (current)" for v in self.words(single_epochs & self.projection.everything))
        return (*self.words(complete_nodes), *current, *(v + EARLIER for v in self.words(earlier)))

    def has_latent_cause(self, name: str) -> bool:
        """Return whether a latent node is a direct cause of a node."""
        return any(v in self.graph.latent for v in self.graph.parents(name))

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """The direct effects among observed nodes, with their lags."""
        if not self.graph.latent:
            return self.graph.edges
        direct_edges = (
            e for e in self.graph.edges if e.source != e.target or e.source not in self.graph.latent
        )  # a latent's memory lengthens carry-over and makes no new edge
        return (
            replace(self.graph, edges=tuple(direct_edges), isolated=self.graph.nodes)
            .project()
            .edges
        )
