"""What the graph says of data: separations that can turn out wrong."""

from __future__ import annotations

from dataclasses import dataclass

from bayescausal.identification.compiled import Compiled
from bayescausal.specs.separation import Mixed, closure, union


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


def implications(at: Compiled) -> tuple[Implication, ...]:
    """Return one minimal separator for each pair of observed nodes that has one.

    Pairs joined by an edge or a ``<->`` have none. Equality constraints other than independence
    (Verma) are not listed; with feedback nothing is.
    """
    if at.feeds_back:
        return ()
    seen, found = at.seen, []
    for i in range(len(seen.names)):
        joined = seen.parents[i] | seen.children[i] | seen.siblings[i]
        for j in range(i + 1, len(seen.names)):
            if joined >> j & 1:
                continue
            z = _separator(seen, 1 << i, 1 << j)
            if z is not None:
                found.append(Implication(seen.names[i], seen.names[j], seen.labels(z)))
    return tuple(found)


def _separator(seen: Mixed, a: int, b: int) -> int | None:
    """Return the smaller of the minimal separators closest to `a` and to `b`."""
    within = seen.ancestors(a | b)
    near = seen.moral(within)
    found = []
    for start, end in ((a, b), (b, a)):
        fence = union(near, start)
        if fence & end:
            return None
        far = closure(end, near, within & ~fence)
        found.append(union(near, far) & ~far)
    return min(found, key=lambda z: (z.bit_count(), seen.labels(z)))
