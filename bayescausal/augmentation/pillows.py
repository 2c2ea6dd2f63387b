"""The Markov factorization of a graph: which nodes each node is drawn given, and in which order.

    P(x) = prod_j P(x_j | x_mp(j)),    mp(j) = (district of j and its parents) less j

in the subgraph of j and all before it (Tian and Pearl, 2002). In a DAG the pillow ``mp(j)`` is
the parents of j. With ``<->`` it depends on the order, and so does how much of the graph's
independence is used: the order with the smallest pillows is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter

from bayescausal._types import Node
from bayescausal.graphs.graph import Graph
from bayescausal.graphs.separation import Mixed, bits, closure, union

_PILLOWS = 100_000
"""Pillows that the exact search may look at, about a second; beyond, nodes are placed greedily."""


@dataclass(frozen=True)
class Factorization:
    """Nodes in the order in which they are drawn, each with its Markov pillow.

    Parameters
    ----------
    order : tuple of str
        A pillow is complete before its node; nodes follow as soon as that allows.
    pillows : dict of str to tuple of str
        Sorted; empty for roots.
    """

    order: tuple[Node, ...]
    pillows: dict[Node, tuple[Node, ...]]

    @property
    def roots(self) -> tuple[Node, ...]:
        """Nodes with an empty pillow, which are drawn from their own margin."""
        return tuple(v for v in self.order if not self.pillows[v])

    @property
    def size(self) -> int:
        """Sum of the sizes of the pillows: what the order was chosen to make small."""
        return sum(map(len, self.pillows.values()))


def factorize(graph: Graph) -> Factorization:
    """Factorize the law of the observed nodes, with pillows as small as an order can make them.

    The search over orders is exact, by dynamic programming over the sets of nodes at ``<->`` that
    can come first, until these are many; then each step takes the smallest pillow. Ties are broken
    by name.

    Parameters
    ----------
    graph : Graph
        Latents are projected out; a lagged edge counts as an edge.

    Returns
    -------
    Factorization

    Notes
    -----
    Constraints that are no independences (Verma's) are not used. Source: Tian and Pearl (2002), On
    the testable implications of causal models with hidden variables.

    Examples
    --------
    >>> chain = Graph(bidirected=(("a", "b"), ("b", "c")))
    >>> factorize(chain).pillows
    {'a': (), 'b': ('a', 'c'), 'c': ()}
    """
    mixed = graph.project().mixed
    first = _smallest(mixed) if any(mixed.siblings) else mixed.parents
    names = mixed.names
    pillows = {names[j]: tuple(names[k] for k in bits(mask)) for j, mask in enumerate(first)}
    return Factorization(_drawn(pillows), pillows)


def pillow(mixed: Mixed, node: int, before: int) -> int:
    """Return the Markov pillow of a node after the set of nodes ``before``, as bit masks.

    Examples
    --------
    >>> mixed = Mixed.of("abc", [("a", "b")], [("b", "c")])
    >>> pillow(mixed, 2, 0b011) == mixed.mask("ab")
    True
    """
    within = before | 1 << node
    district = closure(1 << node, mixed.siblings, within)
    return (district | union(mixed.parents, district)) & within & ~(1 << node)


def _smallest(mixed: Mixed) -> list[int]:
    """Pillows of the order that makes their sum least.

    Only nodes at ``<->`` have a choice, and only their own order matters: a pillow is made of
    nodes of the district that came before, and of parents, which come first in any order.
    """
    above = [closure(mask, mixed.parents) for mask in mixed.parents]
    members = sum(1 << j for j, mask in enumerate(mixed.siblings) if mask)
    pillows = list(mixed.parents)
    before = 0
    for j in _sequence(mixed, members, above):
        before |= above[j]
        pillows[j] = pillow(mixed, j, before)
        before |= 1 << j
    return pillows


def _sequence(mixed: Mixed, members: int, above: list[int]) -> tuple[int, ...]:
    """Order the members of districts."""
    layer: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
    visited = 0
    for _ in bits(members):
        after: dict[int, tuple[int, tuple[int, ...]]] = {}
        for done, (cost, path) in layer.items():
            before = done | union(above, done)
            for j in bits(members & ~done):
                if above[j] & members & ~done:
                    continue
                visited += 1
                price = cost + pillow(mixed, j, before | above[j]).bit_count()
                candidate = (price, (*path, j))
                known = after.get(done | 1 << j)
                if known is None or candidate < known:
                    after[done | 1 << j] = candidate
            if visited > _PILLOWS:
                return _greedy(mixed, members, above)
        layer = after
    return layer[members][1]


def _greedy(mixed: Mixed, members: int, above: list[int]) -> tuple[int, ...]:
    """Take the smallest pillow each time, then swap neighbors for as long as that helps."""
    done = before = 0
    path: list[int] = []

    def sizes(first: int, *more: int, before: int) -> int:
        size = pillow(mixed, first, before | above[first]).bit_count()
        return size + (sizes(*more, before=before | above[first] | 1 << first) if more else 0)

    while done != members:
        ready = [j for j in bits(members & ~done) if not above[j] & members & ~done]
        path.append(min(ready, key=lambda j: (sizes(j, before=before), j)))
        done |= 1 << path[-1]
        before |= above[path[-1]] | 1 << path[-1]
    changed = True
    while changed:
        changed, before = False, 0
        for k in range(len(path) - 1):
            a, b = path[k], path[k + 1]
            free = not above[b] >> a & 1
            if free and sizes(b, a, before=before) < sizes(a, b, before=before):
                path[k], path[k + 1], changed = b, a, True
            before |= above[path[k]] | 1 << path[k]
    return tuple(path)


def _drawn(pillows: dict[Node, tuple[Node, ...]]) -> tuple[Node, ...]:
    """Place each node as soon as its pillow is complete, and roots as late as they can be.

    Any order in which pillows come first gives the same law; this one keeps few rows alive when
    rows are enumerated, since each root multiplies them.
    """
    below: dict[Node, list[Node]] = {v: [] for v in pillows}
    roots: dict[Node, set[Node]] = {}
    for node in TopologicalSorter(pillows).static_order():
        above = pillows[node]
        roots[node] = set().union(*(roots[p] for p in above)) if above else {node}
        for parent in above:
            below[parent].append(node)
    missing = {v: len(above) for v, above in pillows.items()}
    order: dict[Node, None] = {}
    waiting = [v for v in sorted(pillows) if pillows[v]]
    while waiting := [v for v in waiting if v not in order]:
        nearest = min(waiting, key=lambda v: (len(roots[v] - order.keys()), v))
        new = [min(roots[nearest] - order.keys())]
        while new:
            order[node := new.pop()] = None
            for child in below[node]:
                missing[child] -= 1
            new += sorted((v for v in below[node] if not missing[v]), reverse=True)
    return (*order, *(v for v in sorted(pillows) if v not in order))
