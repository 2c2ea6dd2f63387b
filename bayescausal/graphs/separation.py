"""m-separation, and all minimal separators, on mixed graphs compiled to bit masks.

A set of nodes is a Python integer: bit i stands for the i-th name. Nothing here knows lags,
latents or questions; `Graph` and `identification` compile to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from bayescausal.errors import GraphError


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the bits that are set, lowest first.

    Examples
    --------
    >>> list(bits(0b1010))
    [1, 3]
    """
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def union(masks: Sequence[int], selection: int) -> int:
    """Return the union of ``masks[i]`` over the bits i of `selection`."""
    merged = 0
    while selection:
        low = selection & -selection
        merged |= masks[low.bit_length() - 1]
        selection ^= low
    return merged


def closure(start: int, step: Sequence[int], region: int = -1) -> int:
    """Return `start` and all nodes that steps inside `region` reach from it."""
    reached = frontier = start & region
    while frontier and reached != region:
        frontier = union(step, frontier) & region & ~reached
        reached |= frontier
    return reached


@dataclass(frozen=True)
class Mixed:
    """A directed mixed graph as bit masks, acyclic unless its nodes are series that feed back.

    Parameters
    ----------
    names : bit i of every mask is ``names[i]``; `of` sorts them
    parents, siblings : for each node the mask of its direct causes, and of its ``<->``

    Examples
    --------
    >>> chain = Mixed.of("abc", [("a", "b"), ("b", "c")])
    >>> chain.separated(chain.mask("a"), chain.mask("c"), chain.mask("b"))
    True
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    siblings: tuple[int, ...]

    @classmethod
    def of(
        cls,
        names: Iterable[str],
        edges: Iterable[tuple[str, str]],
        arcs: Iterable[tuple[str, str]] = (),
    ) -> Mixed:
        """Compile names, directed edges and bidirected edges; a cycle is a GraphError."""
        graph = cls.of_series(names, edges, arcs)
        graph._check_acyclic()
        return graph

    @classmethod
    def of_series(
        cls,
        names: Iterable[str],
        edges: Iterable[tuple[str, str]],
        arcs: Iterable[tuple[str, str]] = (),
    ) -> Mixed:
        """Compile whole series, among which lagged edges may close cycles.

        Connection by walks is what it is in the graph unrolled over many periods.
        """
        order = tuple(sorted(set(names)))
        bit = {v: 1 << i for i, v in enumerate(order)}
        parents, siblings = dict.fromkeys(order, 0), dict.fromkeys(order, 0)
        for a, b in edges:
            parents[b] |= bit[a]
        for a, b in arcs:
            siblings[a] |= bit[b]
            siblings[b] |= bit[a]
        return cls(order, tuple(parents.values()), tuple(siblings.values()))

    def _check_acyclic(self) -> None:
        if waiting := self._in_or_after_cycles():
            while last := sum(1 << i for i in bits(waiting) if not self.children[i] & waiting):
                waiting &= ~last  # what the cycle moves is not in it
            raise GraphError(
                f"Edges form a cycle among {', '.join(self.labels(waiting))}: m-separation of "
                "a graph with feedback is not offered here. `identify` reads such graphs."
            )

    @cached_property
    def index(self) -> dict[str, int]:
        """The position of every name."""
        return {v: i for i, v in enumerate(self.names)}

    @property
    def everything(self) -> int:
        """The mask of all nodes."""
        return (1 << len(self.names)) - 1

    @cached_property
    def children(self) -> tuple[int, ...]:
        """The mask of the direct effects of each node."""
        children = [0] * len(self.names)
        for i, parents in enumerate(self.parents):
            for j in bits(parents):
                children[j] |= 1 << i
        return tuple(children)

    def mask(self, names: Iterable[str]) -> int:
        """Return the mask of some names."""
        return sum({1 << self.index[v] for v in names})

    def labels(self, mask: int) -> tuple[str, ...]:
        """Return the names in a mask, in their order."""
        return tuple(self.names[i] for i in bits(mask))

    def ancestors(self, mask: int) -> int:
        """Return `mask` and all its ancestors."""
        return closure(mask, self.parents)

    def descendants(self, mask: int) -> int:
        """Return `mask` and all its descendants."""
        return closure(mask, self.children)

    def districts(self, region: int) -> list[int]:
        """Return the components of ``<->`` in the subgraph on `region`, lowest bit first."""
        districts = []
        while region:
            district = closure(region & -region, self.siblings, region)
            districts.append(district)
            region &= ~district
        return districts

    def cut(self, sources: int, targets: int) -> Mixed:
        """Return the graph without the directed edges from `sources` to `targets`."""
        parents, children = list(self.parents), list(self.children)
        for i in bits(targets):
            parents[i] &= ~sources
        for i in bits(sources):
            children[i] &= ~targets
        graph = Mixed(self.names, tuple(parents), self.siblings)
        vars(graph)["children"] = tuple(children)  # known, so not counted again
        return graph

    def project(self, hidden: int) -> Mixed:
        """Return the latent projection: `hidden` nodes eliminated one at a time."""
        parents, siblings = list(self.parents), list(self.siblings)
        children = list(self.children)
        for i in bits(hidden):
            bit, causes, effects, spouses = 1 << i, parents[i], children[i], siblings[i]
            for j in bits(causes):
                children[j] = (children[j] | effects) & ~bit & ~(1 << j)
            for j in bits(effects):
                itself = 1 << j
                parents[j] = (parents[j] | causes) & ~bit & ~itself
                siblings[j] = (siblings[j] | effects | spouses) & ~bit & ~itself
            for j in bits(spouses):
                siblings[j] = (siblings[j] | effects) & ~bit & ~(1 << j)
        stay = [i for i in range(len(self.names)) if not hidden >> i & 1]
        place = {i: 1 << k for k, i in enumerate(stay)}

        def packed(mask: int) -> int:
            return sum(place[i] for i in bits(mask & ~hidden))

        return Mixed(
            tuple(self.names[i] for i in stay),
            tuple(packed(parents[i]) for i in stay),
            tuple(packed(siblings[i]) for i in stay),
        )

    def connected(self, start: int, z: int) -> int:
        """Return the nodes that are m-connected to `start` given `z`, `start` included.

        A walk is followed by where it arrives: with an arrowhead or with a tail.
        """
        opened = self.ancestors(z)
        heads = tails = new_heads = 0
        new_tails = start & ~z
        while new_heads | new_tails:
            heads |= new_heads
            tails |= new_tails
            passing = new_tails & ~z
            turning = passing | new_heads & opened  # an arrowhead turns back at an open collider
            sources = passing | new_heads & ~z
            new_tails = union(self.parents, turning) & ~tails
            new_heads = (union(self.children, sources) | union(self.siblings, turning)) & ~heads
        return (heads | tails) & ~z

    def separated(self, a: int, b: int, z: int = 0) -> bool:
        """Return whether `z` m-separates `a` from `b`; a node in `z` is constant."""
        return not b & ~z & self.connected(a, z)

    def moral(self, region: int, but: int = 0) -> list[int]:
        """Return the neighbors in the augmented graph on the ancestral set `region`.

        Neighbors are the ends of a path on which every inner node is a collider: each district
        with its parents is a clique, except for the districts of the nodes in `but`, which are left
        out. Source: Richardson (2003), Scand. J. Stat. 30.
        """
        neighbors = [0] * len(self.names)
        for district in self.districts(region):
            if not district & but:
                join(neighbors, (district | union(self.parents, district)) & region)
        return neighbors

    @property
    def is_acyclic(self) -> bool:
        """Whether no directed edges close a cycle."""
        return not self._in_or_after_cycles()

    def _in_or_after_cycles(self) -> int:
        waiting = self.everything
        while ready := sum(1 << i for i in bits(waiting) if not self.parents[i] & waiting):
            waiting &= ~ready
        return waiting

    def collided(self, nodes: int, region: int) -> int:
        """Return the neighbors of some nodes in the augmented graph on an ancestral set.

        As `moral`, for all `nodes` together and without the whole graph; `nodes` are in it too.
        """
        district = closure((nodes | union(self.children, nodes)) & region, self.siblings, region)
        return (district | union(self.parents, district)) & region


def join(neighbors: list[int], clique: int) -> None:
    """Make all nodes of a clique neighbors of each other, in place."""
    for i in bits(clique):
        neighbors[i] |= clique & ~(1 << i)


def eliminated(neighbors: Sequence[int], hidden: int) -> list[int]:
    """Return undirected neighbors after nodes are marginalized: their neighbors are joined."""
    joined = list(neighbors)
    for i in bits(hidden):
        adjacent = joined[i]
        for j in bits(adjacent):
            joined[j] = (joined[j] | adjacent) & ~(1 << i) & ~(1 << j)
        joined[i] = 0
    return joined


def separators(neighbors: Sequence[int], a: int, b: int, limit: int = 1000) -> list[int]:
    """Return the minimal vertex sets that separate `a` from `b`, at most `limit` + 1 of them.

    The first is the one closest to `a`; each further one moves one of its nodes to the side of
    `a`. More than `limit` tells that there are more. Empty list: none separates.

    References
    ----------
    Shen and Liang (1997), Efficient enumeration of all minimal separators in a graph, TCS 180.

    Examples
    --------
    >>> line = [0b0010, 0b0101, 0b1010, 0b0100]  # 0 - 1 - 2 - 3
    >>> separators(line, 0b0001, 0b1000)
    [2, 4]
    """
    everything = (1 << len(neighbors)) - 1

    def facing(side: int, fence: int) -> int | None:
        if fence & b or side & b:
            return None
        opposite = closure(b, neighbors, everything & ~fence)
        return union(neighbors, opposite) & ~opposite

    first = facing(a, union(neighbors, a) & ~a)
    if first is None:
        return []
    cuts = {first: None}
    waiting = [first]
    for separator in waiting:  # grows while it is read
        side = closure(a, neighbors, everything & ~separator)
        boundary = union(neighbors, side)
        for i in bits(separator):
            wider_side = side | 1 << i
            candidate = facing(wider_side, (boundary | neighbors[i]) & ~wider_side)
            if candidate is not None and candidate not in cuts:
                cuts[candidate] = None
                waiting.append(candidate)
                if len(cuts) > limit:
                    return list(cuts)
    return list(cuts)
