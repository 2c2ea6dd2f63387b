"""The latent projection, and the groups of observed nodes that share a latent cause."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import chain, combinations, product

from bayescausal.errors import GraphError
from bayescausal.graphs.edge import Edge

type Pair = tuple[str, str]


def reach(start: Iterable[str], step: Callable[[str], Iterable[str]]) -> set[str]:
    """Return the nodes that one step or more from `start` reach."""
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        frontier = set(step(waiting.pop())) - reached
        reached |= frontier
        waiting += frontier
    return reached


def eliminate(
    edges: Collection[Edge], arcs: Collection[Pair], hidden: Collection[str]
) -> tuple[set[Edge], set[Pair]]:
    """Return the edges and the bidirected pairs after `hidden` nodes are marginalized."""
    _check_lags_end(edges, hidden)
    edges, arcs = set(edges), set(arcs)
    for node in sorted(hidden):  # one at a time: elimination commutes
        incoming = [e for e in edges if e.target == node != e.source]
        outgoing = [e for e in edges if e.source == node != e.target]
        spouses = {v for pair in arcs if node in pair for v in pair} - {node}
        children = {e.target for e in outgoing}
        joined = chain(combinations(children, 2), product(spouses, children))
        edges = {e for e in edges if node not in e[:2]}
        edges |= {Edge(i.source, o.target, i.lag + o.lag) for i, o in product(incoming, outgoing)}
        arcs = {p for p in arcs if node not in p}
        arcs |= {(min(pair), max(pair)) for pair in joined if pair[0] != pair[1]}
    return edges, arcs


def _check_lags_end(edges: Collection[Edge], hidden: Collection[str]) -> None:
    latents = set(hidden)
    parents: dict[str, set[str]] = {v: set() for v in hidden}
    children: dict[str, set[str]] = {v: set() for v in hidden}
    for source, target, _ in edges:
        parents.get(target, set()).add(source)
        children.get(source, set()).add(target)
    for node in sorted(latents):
        ancestors = reach([node], lambda v: parents.get(v, ()))
        descendants = reach([node], lambda v: children.get(v, ()))
        if node in ancestors and ancestors - latents and descendants - latents:
            raise GraphError(
                f"{node!r} cannot be marginalized: it feeds back on itself and carries the "
                f"effect of {min(ancestors - latents)!r} on {min(descendants - latents)!r}, at "
                "lags without end. Observe it, or drop one of its lagged edges."
            )


def shared_causes(
    edges: Collection[Edge], arcs: Collection[Pair], hidden: Collection[str]
) -> tuple[tuple[str, ...], ...]:
    """Return the groups of observed nodes that share one unobserved cause, sorted.

    A latent reaches the observed nodes to which a directed path through latents leads; a bare
    ``<->`` reaches its two ends, or what a latent end reaches. What a group from a latent covers
    is one group; a bare pair of observed nodes always stays, it is a cause of its own.
    """
    children: dict[str, set[str]] = {v: set() for v in hidden}
    for source, target, _ in edges:
        children.get(source, set()).add(target)

    def ends(node: str) -> set[str]:
        if node not in children:
            return {node}
        return {v for v in reach([node], lambda v: children.get(v, ())) if v not in children}

    latent = {tuple(sorted(ends(v))) for v in hidden}
    bare: set[tuple[str, ...]] = set()
    for a, b in arcs:
        group = tuple(sorted(ends(a) | ends(b)))
        (latent if a in children or b in children else bare).add(group)
    largest = {g for g in latent if not any(set(g) < set(superset) for superset in latent)}
    return tuple(sorted(g for g in largest | bare if len(g) > 1))
