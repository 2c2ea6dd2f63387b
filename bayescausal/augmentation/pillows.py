"""The Markov factorization of a graph: which nodes each node is drawn given, and in which order.

    P(x) = prod_j P(x_j | x_mp(j)),    mp(j) = (district of j and its parents) less j

in the subgraph of j and all before it (Tian and Pearl, 2002). In a DAG the pillow ``mp(j)`` is
the parents of j. With ``<->`` it depends on the order, and so does how much of the graph's
independence is used: the order with the smallest pillows is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from bayescausal._types import Node
from bayescausal.specs.graph import Graph
from bayescausal.specs.separation import Mixed, bits, closure, union

_STATES = 200_000
"""Sets of nodes that the exact search may visit; beyond, nodes are placed greedily."""


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

    The search over orders is exact, by dynamic programming over the sets of nodes that can come
    first, until these are many; then each step takes the smallest pillow. Ties are broken by name.

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
    the testable implications of causal models with hidden variables; AUGMENTATION.md section 1.2.

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
    """Pillows of the order that makes their sum least."""
    count = len(mixed.names)
    layer: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
    for _ in range(count):
        after: dict[int, tuple[int, tuple[int, ...]]] = {}
        for done, (cost, path) in layer.items():
            for j in range(count):
                if done >> j & 1 or mixed.parents[j] & ~done:
                    continue
                price = cost + pillow(mixed, j, done).bit_count()
                candidate = (price, (*path, j))
                known = after.get(done | 1 << j)
                if known is None or candidate < known:
                    after[done | 1 << j] = candidate
        if len(after) > _STATES:
            return _greedy(mixed)
        layer = after
    return _along(mixed, layer[(1 << count) - 1][1])


def _greedy(mixed: Mixed) -> list[int]:
    done = 0
    path: list[int] = []
    while len(path) < len(mixed.names):
        ready = [
            j for j in range(len(mixed.names)) if not (done >> j & 1 or mixed.parents[j] & ~done)
        ]
        best = min(ready, key=lambda j: (pillow(mixed, j, done).bit_count(), j))
        path.append(best)
        done |= 1 << best
    return _improved(mixed, path)


def _improved(mixed: Mixed, path: list[int]) -> list[int]:
    """Swap neighbors for as long as that makes the sum of the pillows smaller."""

    def cost(order: list[int]) -> int:
        return sum(mask.bit_count() for mask in _along(mixed, order))

    least, changed = cost(path), True
    while changed:
        changed = False
        for k in range(len(path) - 1):
            a, b = path[k], path[k + 1]
            if mixed.parents[b] >> a & 1:
                continue
            trial = [*path[:k], b, a, *path[k + 2 :]]
            if (now := cost(trial)) < least:
                path, least, changed = trial, now, True
    return _along(mixed, path)


def _along(mixed: Mixed, path: tuple[int, ...] | list[int]) -> list[int]:
    """Pillow of every node, in the order of the names."""
    out, done = [0] * len(mixed.names), 0
    for j in path:
        out[j] = pillow(mixed, j, done)
        done |= 1 << j
    return out


def _drawn(pillows: dict[Node, tuple[Node, ...]]) -> tuple[Node, ...]:
    """Place each node as soon as its pillow is complete, and roots as late as they can be.

    Any order in which pillows come first gives the same law; this one keeps few rows alive when
    rows are enumerated, since each root multiplies them.
    """
    order: list[Node] = []

    def place(node: Node) -> None:
        for above in pillows[node]:
            if above not in order:
                place(above)
        if node in order:  # placing what it waits for has placed it
            return
        order.append(node)
        for ready in sorted(pillows):
            if pillows[ready] and ready not in order and set(pillows[ready]) <= {*order}:
                place(ready)

    def missing(node: Node) -> int:
        return len(_above(pillows, node).difference(order))

    while waiting := [v for v in sorted(pillows) if pillows[v] and v not in order]:
        place(min(waiting, key=lambda v: (missing(v), v)))
    return (*order, *(v for v in sorted(pillows) if v not in order))


def _above(pillows: dict[Node, tuple[Node, ...]], node: Node) -> set[Node]:
    found: set[Node] = set()
    new = [node]
    while new:
        fresh = [v for v in pillows[new.pop()] if v not in found]
        found.update(fresh)
        new.extend(fresh)
    return found
