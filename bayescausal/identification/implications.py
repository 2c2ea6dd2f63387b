"""What the graph says of data: separations that can turn out wrong."""

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
        rest = f" | {', '.join(self.given)}" if self.given else ""
        return f"{self.a} _||_ {self.b}{rest}"


def implications(at: Compiled) -> Iterator[Implication]:
    """Yield one minimal separator for each pair of observed nodes that has one.

    Pairs joined by an edge or a ``<->`` have none. Equality constraints other than independence
    (Verma) are not listed; with feedback nothing is.
    """
    if at.feeds_back:
        return
    seen = at.seen
    above = [seen.ancestors(1 << i) for i in range(len(seen.names))]
    for i, a in enumerate(seen.names):
        joined = seen.parents[i] | seen.children[i] | seen.siblings[i]
        for j in range(i + 1, len(seen.names)):
            if joined >> j & 1:
                continue
            z = _separator(seen, 1 << i, 1 << j, above[i] | above[j])
            if z is not None:
                yield Implication(a, seen.names[j], seen.labels(z))


def _separator(seen: Mixed, a: int, b: int, within: int) -> int | None:
    """Return the smaller of the minimal separators closest to `a` and to `b`."""
    found = []
    for start, end in ((a, b), (b, a)):
        fence = seen.collided(start, within) & ~start
        if fence & end:
            return None
        inside, far, new = within & ~fence, 0, end
        around = 0
        while new:
            far |= new
            beside = seen.collided(new, within)
            around |= beside
            new = beside & inside & ~far
        found.append(around & ~far)
    return min(found, key=lambda z: (z.bit_count(), seen.labels(z)))
