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


def union(masks: Sequence[int], which: int) -> int:
    """Return the union of ``masks[i]`` over the bits i of `which`."""
    found = 0
    while which:
        low = which & -which
        found |= masks[low.bit_length() - 1]
        which ^= low
    return found


def closure(start: int, step: Sequence[int], within: int = -1) -> int:
    """Return `start` and all that steps inside `within` lead to."""
    found = new = start & within
    while new:
        new = union(step, new) & within & ~found
        found |= new
    return found


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
        """Compile names, directed edges and bidirected ones; a cycle is a GraphError."""
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
        """For each node the mask of its direct effects."""
        found = [0] * len(self.names)
        for i, above in enumerate(self.parents):
            for j in bits(above):
                found[j] |= 1 << i
        return tuple(found)

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

    def districts(self, within: int) -> list[int]:
        """Return the components of ``<->`` in the subgraph on `within`, lowest bit first."""
        found = []
        while within:
            district = closure(within & -within, self.siblings, within)
            found.append(district)
            within &= ~district
        return found

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
            bit, up, down, side = 1 << i, parents[i], children[i], siblings[i]
            for j in bits(up):
                children[j] = (children[j] | down) & ~bit & ~(1 << j)
            for j in bits(down):
                own = 1 << j
                parents[j] = (parents[j] | up) & ~bit & ~own
                siblings[j] = (siblings[j] | down | side) & ~bit & ~own
            for j in bits(side):
                siblings[j] = (siblings[j] | down) & ~bit & ~(1 << j)
        stay = [i for i in range(len(self.names)) if not hidden >> i & 1]
        place = {i: 1 << k for k, i in enumerate(stay)}

        def packed(mask: int) -> int:
            return sum(place[i] for i in bits(mask & ~hidden))

        return Mixed(
            tuple(self.names[i] for i in stay),
            tuple(packed(parents[i]) for i in stay),
            tuple(packed(siblings[i]) for i in stay),
        )

    def connected(self, start: int, given: int) -> int:
        """Return what is m-connected to `start` given `given`, `start` included.

        A walk is followed by where it arrives: with an arrowhead or with a tail.
        """
        opened = self.ancestors(given)
        heads = tails = new_heads = 0
        new_tails = start & ~given
        while new_heads | new_tails:
            heads |= new_heads
            tails |= new_tails
            free = new_tails & ~given
            turn = free | new_heads & opened  # an arrowhead turns back at an open collider
            down = free | new_heads & ~given
            new_tails = union(self.parents, turn) & ~tails
            new_heads = (union(self.children, down) | union(self.siblings, turn)) & ~heads
        return (heads | tails) & ~given

    def separated(self, a: int, b: int, given: int = 0) -> bool:
        """Return whether `given` m-separates `a` from `b`; a node in `given` is constant."""
        return not b & ~given & self.connected(a, given)

    def moral(self, within: int, but: int = 0) -> list[int]:
        """Return the neighbors in the augmented graph on the ancestral set `within`.

        Neighbors are the ends of a path on which every inner node is a collider: each district
        with its parents is a clique, except for the districts of the nodes in `but`, which are left
        out. Source: Richardson (2003), Scand. J. Stat. 30.
        """
        near = [0] * len(self.names)
        for district in self.districts(within):
            if not district & but:
                join(near, (district | union(self.parents, district)) & within)
        return near

    @property
    def is_acyclic(self) -> bool:
        """Whether no directed edges close a cycle."""
        return not self._in_or_after_cycles()

    def _in_or_after_cycles(self) -> int:
        waiting = self.everything
        while ready := sum(1 << i for i in bits(waiting) if not self.parents[i] & waiting):
            waiting &= ~ready
        return waiting

    def collided(self, nodes: int, within: int) -> int:
        """Return the neighbors of some nodes in the augmented graph on an ancestral set.

        As `moral`, for all `nodes` together and without the whole graph; `nodes` are in it too.
        """
        district = closure((nodes | union(self.children, nodes)) & within, self.siblings, within)
        return (district | union(self.parents, district)) & within


def join(near: list[int], clique: int) -> None:
    """Make neighbors of all nodes of a clique, in place."""
    for i in bits(clique):
        near[i] |= clique & ~(1 << i)


def eliminated(near: Sequence[int], gone: int) -> list[int]:
    """Return undirected neighbors after nodes are marginalized: their neighbors are joined."""
    found = list(near)
    for i in bits(gone):
        around = found[i]
        for j in bits(around):
            found[j] = (found[j] | around) & ~(1 << i) & ~(1 << j)
        found[i] = 0
    return found


def separators(near: Sequence[int], a: int, b: int, most: int = 1000) -> list[int]:
    """Return the minimal vertex sets that separate `a` from `b`, at most `most` + 1 of them.

    The first is the one closest to `a`; each further one moves one of its nodes to the side of
    `a`. More than `most` tells that there are more. Empty list: none separates.

    References
    ----------
    Shen and Liang (1997), Efficient enumeration of all minimal separators in a graph, TCS 180.

    Examples
    --------
    >>> line = [0b0010, 0b0101, 0b1010, 0b0100]  # 0 - 1 - 2 - 3
    >>> separators(line, 0b0001, 0b1000)
    [2, 4]
    """
    everything = (1 << len(near)) - 1

    def facing(side: int, fence: int) -> int | None:
        if fence & b or side & b:
            return None
        far = closure(b, near, everything & ~fence)
        return union(near, far) & ~far

    first = facing(a, union(near, a) & ~a)
    if first is None:
        return []
    found = {first: None}
    waiting = [first]
    for separator in waiting:  # grows while it is read
        side = closure(a, near, everything & ~separator)
        around = union(near, side)
        for i in bits(separator):
            more = side | 1 << i
            new = facing(more, (around | near[i]) & ~more)
            if new is not None and new not in found:
                found[new] = None
                waiting.append(new)
                if len(found) > most:
                    return list(found)
    return list(found)
