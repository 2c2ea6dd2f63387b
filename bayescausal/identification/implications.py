"""Implications of the graph for data: separations that data can contradict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bayescausal.graphs.separation import Mixed
from bayescausal.identification.compiled import Compiled


@dataclass(frozen=True, order=True)
class Implication:
    """A separation of two observed nodes that data can contradict.

    Examples
    --------
    >>> str(Implication("tv", "price", ("season",)))
    'tv _||_ price | season'
    """

    a: str
    b: str
    given: tuple[str, ...] = ()

    def __str__(self) -> str:
        condition = f" | {', '.join(self.given)}" if self.given else ""
        return f"{self.a} _||_ {self.b}{condition}"


def implications(compiled: Compiled) -> Iterator[Implication]:
    """Yield one minimal separator for each pair of observed nodes that has one.

    Pairs joined by an edge or a ``<->`` have none. Equality constraints other than independence
    (Verma) are not listed; with feedback nothing is.
    """
    if compiled.feeds_back:
        return
    projection = compiled.projection
    ancestors = [projection.ancestors(1 << i) for i in range(len(projection.names))]
    for i, a in enumerate(projection.names):
        joined = projection.parents[i] | projection.children[i] | projection.siblings[i]
        for j in range(i + 1, len(projection.names)):
            if joined >> j & 1:
                continue
            z = _separator(projection, 1 << i, 1 << j, ancestors[i] | ancestors[j])
            if z is not None:
                yield Implication(a, projection.names[j], projection.labels(z))


def _separator(projection: Mixed, a: int, b: int, region: int) -> int | None:
    """Return the smaller of the minimal separators closest to `a` and to `b`."""
    separators = []
    for start, end in ((a, b), (b, a)):
        fence = projection.collided(start, region) & ~start
        if fence & end:
            return None
        interior, reached, frontier = region & ~fence, 0, end
        boundary = 0
        while frontier:
            reached |= frontier
            neighbors = projection.collided(frontier, region)
            boundary |= neighbors
            frontier = neighbors & interior & ~reached
        separators.append(boundary & ~reached)
    return min(separators, key=lambda z: (z.bit_count(), projection.labels(z)))
