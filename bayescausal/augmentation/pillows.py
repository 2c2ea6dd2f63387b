"""The Markov factorization of a graph: the order of its nodes, and the pillow of each.

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
"""Pillows that the exact search may evaluate, about a second; beyond, the search is greedy."""


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
        """Nodes with an empty pillow, which are drawn from their marginal distribution."""
        return tuple(v for v in self.order if not self.pillows[v])

    @property
    def size(self) -> int:
        """Sum of the sizes of the pillows, which the order was chosen to minimize."""
        return sum(map(len, self.pillows.values()))


def factorize(graph: Graph) -> Factorization:
    """Factorize the law of the observed nodes, in the order with the smallest pillows.

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
    masks = _smallest_pillows(mixed) if any(mixed.siblings) else mixed.parents
    names = mixed.names
    pillows = {names[j]: tuple(names[k] for k in bits(mask)) for j, mask in enumerate(masks)}
    return Factorization(_drawing_order(pillows), pillows)


def pillow(mixed: Mixed, node: int, predecessors: int) -> int:
    """Return the Markov pillow of a node that follows ``predecessors``, as a bit mask.

    Examples
    --------
    >>> mixed = Mixed.of("abc", [("a", "b")], [("b", "c")])
    >>> pillow(mixed, 2, 0b011) == mixed.mask("ab")
    True
    """
    scope = predecessors | 1 << node
    district = closure(1 << node, mixed.siblings, scope)
    return (district | union(mixed.parents, district)) & scope & ~(1 << node)


def _smallest_pillows(mixed: Mixed) -> list[int]:
    """Return the pillows, as bit masks, of the order with the least sum of their sizes.

    Only nodes at ``<->`` have a choice, and only their own order matters: a pillow is made of
    nodes of the district that came before, and of parents, which come first in any order.
    """
    ancestors = [closure(mask, mixed.parents) for mask in mixed.parents]
    members = sum(1 << j for j, mask in enumerate(mixed.siblings) if mask)
    pillows = list(mixed.parents)
    predecessors = 0
    for j in _best_sequence(mixed, members, ancestors):
        predecessors |= ancestors[j]
        pillows[j] = pillow(mixed, j, predecessors)
        predecessors |= 1 << j
    return pillows


def _best_sequence(mixed: Mixed, members: int, ancestors: list[int]) -> tuple[int, ...]:
    """Order the members of districts by dynamic programming over the sets that come first."""
    layer: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
    visited = 0
    for _ in bits(members):
        next_layer: dict[int, tuple[int, tuple[int, ...]]] = {}
        for prefix, (cost, path) in layer.items():
            predecessors = prefix | union(ancestors, prefix)
            for j in bits(members & ~prefix):
                if ancestors[j] & members & ~prefix:
                    continue
                visited += 1
                price = cost + pillow(mixed, j, predecessors | ancestors[j]).bit_count()
                candidate = (price, (*path, j))
                incumbent = next_layer.get(prefix | 1 << j)
                if incumbent is None or candidate < incumbent:
                    next_layer[prefix | 1 << j] = candidate
            if visited > _PILLOWS:
                return _greedy_sequence(mixed, members, ancestors)
        layer = next_layer
    return layer[members][1]


def _greedy_sequence(mixed: Mixed, members: int, ancestors: list[int]) -> tuple[int, ...]:
    """Add the smallest pillow each time, then swap neighbors for as long as that helps."""
    prefix = predecessors = 0
    path: list[int] = []

    def sizes(node: int, *followers: int, predecessors: int) -> int:
        size = pillow(mixed, node, predecessors | ancestors[node]).bit_count()
        if not followers:
            return size
        return size + sizes(*followers, predecessors=predecessors | ancestors[node] | 1 << node)

    while prefix != members:
        candidates = [j for j in bits(members & ~prefix) if not ancestors[j] & members & ~prefix]
        path.append(min(candidates, key=lambda j: (sizes(j, predecessors=predecessors), j)))
        prefix |= 1 << path[-1]
        predecessors |= ancestors[path[-1]] | 1 << path[-1]
    has_swapped = True
    while has_swapped:
        has_swapped, predecessors = False, 0
        for k in range(len(path) - 1):
            a, b = path[k], path[k + 1]
            can_swap = not ancestors[b] >> a & 1
            size = sizes(a, b, predecessors=predecessors)
            if can_swap and sizes(b, a, predecessors=predecessors) < size:
                path[k], path[k + 1], has_swapped = b, a, True
            predecessors |= ancestors[path[k]] | 1 << path[k]
    return tuple(path)


def _drawing_order(pillows: dict[Node, tuple[Node, ...]]) -> tuple[Node, ...]:
    """Place each node as soon as its pillow is complete, and each root as late as possible.

    Any order in which pillows come first gives the same law; this one keeps few rows alive when
    rows are enumerated, since each root multiplies them.
    """
    children: dict[Node, list[Node]] = {v: [] for v in pillows}
    roots: dict[Node, set[Node]] = {}
    for node in TopologicalSorter(pillows).static_order():
        parents = pillows[node]
        roots[node] = set().union(*(roots[p] for p in parents)) if parents else {node}
        for parent in parents:
            children[parent].append(node)
    pending_parents = {v: len(parents) for v, parents in pillows.items()}
    order: dict[Node, None] = {}
    queue = [v for v in sorted(pillows) if pillows[v]]
    while queue := [v for v in queue if v not in order]:
        target = min(queue, key=lambda v: (len(roots[v] - order.keys()), v))
        stack = [min(roots[target] - order.keys())]
        while stack:
            order[node := stack.pop()] = None
            for child in children[node]:
                pending_parents[child] -= 1
            stack += sorted((v for v in children[node] if not pending_parents[v]), reverse=True)
    return (*order, *(v for v in sorted(pillows) if v not in order))
