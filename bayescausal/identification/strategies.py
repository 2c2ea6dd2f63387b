"""Strategies beyond adjustment: the ID algorithm, the front door, instruments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

from bayescausal.graphs.separation import Mixed, bits, closure, union
from bayescausal.identification.adjustment import Question, minimal_separators
from bayescausal.identification.compiled import Compiled

MOST_MEDIATORS = 3
"""Beyond this size the search for a front door tries only all parents of the outcome on the way,
and all children of the treatment."""
MOST_DOORS = 3000
"""The search skips a number of mediators that can be chosen in more ways than this."""


def find_hedge(graph: Mixed, x: int, y: int, region: int = -1) -> tuple[int, int] | None:
    """Return a hedge (F, F'), which proves that P(y | do(x)) is not identified, else None.

    The ID algorithm without its formula, which makes it sound and complete for "is it
    identified?". The hedge is two districts, F' without treatment inside F with some: the two
    models that agree on the data and not on the effect live there.

    References
    ----------
    Shpitser and Pearl (2006), Identification of joint interventional distributions in recursive
    semi-Markovian causal models, AAAI. Tian and Pearl (2002), AAAI.

    Examples
    --------
    >>> bow = Mixed.of("xy", [("x", "y")], [("x", "y")])
    >>> find_hedge(bow, bow.mask("x"), bow.mask("y"))
    (3, 2)
    """
    region &= graph.everything
    while True:
        region = closure(y, graph.parents, region)
        x &= region
        if not x:
            return None
        x |= region & ~closure(y, graph.parents, region & ~x)  # acting on these changes nothing
        parts = graph.districts(region & ~x)
        if len(parts) > 1:
            for part in parts:
                if hedge := find_hedge(graph, region & ~part, part, region):
                    return hedge
            return None
        inner = parts[0]
        outer = closure(inner, graph.siblings, region)
        if outer == region:
            return region, inner
        if outer == inner:
            return None
        region, x = outer, x & outer


@dataclass(frozen=True, order=True)
class Instrument:
    """An observed `node` that moves the treatment and, `given` some, the outcome only through it.

    Examples
    --------
    >>> str(Instrument("rain", ("season",)))
    'rain | season'
    """

    node: str
    given: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.node} | {', '.join(self.given)}" if self.given else self.node


def find_instruments(question: Question) -> tuple[Instrument, ...]:
    """Return every instrument for the total effect of a single treatment.

    z given W: z is connected to the treatment given W, and separated from the outcome given W
    once the causal paths are cut at the treatment; no node of W descends from the treatment or
    the outcome. W is made of ancestors of z and the outcome, the smallest that serves.

    References
    ----------
    Brito and Pearl (2002), Generalized instrumental variables, UAI. van der Zander, Textor and
    Liskiewicz (2015), Efficiently finding conditional instruments, IJCAI.
    """
    compiled = question.compiled
    if len(question.treatments) + len(question.held) != 1:
        return ()
    descendants = compiled.projection.descendants(question.x | question.y)
    return tuple(_instruments(compiled, question.backdoor, question.x, question.y, descendants))


def edge_instruments(compiled: Compiled, source: str, target: str) -> tuple[Instrument, ...]:
    """Return every instrument for one edge: as `find_instruments`, with only this edge cut.

    Not searched for in a graph with feedback.
    """
    if compiled.feeds_back:
        return ()
    x, y = compiled.bits([source]), compiled.bits([target])
    return tuple(
        _instruments(
            compiled, compiled.projection.cut(x, y), x, y, compiled.projection.descendants(y)
        )
    )


def _instruments(
    compiled: Compiled, cut: Mixed, x: int, y: int, descendants: int
) -> Iterator[Instrument]:
    """Yield the instruments among the nodes that are not in `descendants`."""
    nodes = compiled.projection.everything & ~descendants & ~x & ~y
    neighbors = cut.collided(y, cut.ancestors(y))  # what no set separates from the outcome
    for i in bits(nodes & ~neighbors):
        z = 1 << i
        covariates = nodes & ~z
        if not cut.separated(z, y, cut.ancestors(z | y) & covariates):
            continue  # no set separates them
        sets = minimal_separators(cut, z, y, covariates, 50)
        for w in sorted(sets, key=lambda w: (w.bit_count(), compiled.words(w))):
            if cut.separated(z, y, w) and not compiled.projection.separated(z, x, w):
                yield Instrument(compiled.names[i], compiled.words(w))
                break


@dataclass(frozen=True, order=True)
class FrontDoor:
    """Observed `mediators` that carry the whole effect, unconfounded `given` some."""

    mediators: tuple[str, ...]
    given: tuple[str, ...] = ()

    def __str__(self) -> str:
        through = ", ".join(self.mediators)
        return f"{through} | {', '.join(self.given)}" if self.given else through


def find_front_door(question: Question) -> FrontDoor | None:
    """Return the front door with the fewest mediators, then the fewest covariates.

    Mediators M intercept every directed path; covariates W, no descendants of the treatment,
    close the backdoor paths from treatment to M; W and the treatment close those from M to the
    outcome. Not searched for in a graph with feedback, where `find_hedge` speaks.

    References
    ----------
    Pearl (2009), Causality, section 3.3.2; with covariates Fulcher et al. (2020), JRSS B 82.
    """
    compiled, projection, x, y = (
        question.compiled,
        question.compiled.projection,
        question.x,
        question.y,
    )
    if compiled.feeds_back or union(projection.children, x) & y:
        return None
    way = question.causal & ~y
    clear = projection.everything & ~projection.descendants(x) & ~y
    without_x = projection.cut(x, projection.everything)
    for m in _mediators(projection, x, y, way):
        if (
            closure(union(projection.children, x), projection.children, projection.everything & ~m)
            & y
        ):
            continue
        without_m = projection.cut(m, projection.everything)
        for w in _covariates(projection, without_x, without_m, x, m, y, clear):
            if without_x.separated(x, m, w) and without_m.separated(m, y, x | w):
                return FrontDoor(
                    compiled.words(m), compiled.words(_pruned(without_x, without_m, x, m, y, w))
                )
    return None


def _mediators(projection: Mixed, x: int, y: int, way: int) -> Iterator[int]:
    nodes = list(bits(way))
    for size in range(1, MOST_MEDIATORS + 1):
        if comb(len(nodes), size) <= MOST_DOORS:
            yield from (sum(1 << i for i in some) for some in combinations(nodes, size))
    yield union(projection.parents, y) & way
    yield union(projection.children, x) & way


def _covariates(
    projection: Mixed, without_x: Mixed, without_m: Mixed, x: int, m: int, y: int, clear: int
) -> list[int]:
    """Return candidates for W, smallest first: separators of each pair, and their unions."""
    first = minimal_separators(without_x, x, m, clear, 20)
    second = [w & ~x for w in minimal_separators(without_m, m, y, clear | x, 20)]
    ancestors = projection.ancestors(x | m | y) & clear
    candidates = {0, ancestors, *first, *second, *(a | b for a in first for b in second)}
    return sorted(candidates, key=lambda w: (w.bit_count(), projection.labels(w)))


def _pruned(without_x: Mixed, without_m: Mixed, x: int, m: int, y: int, w: int) -> int:
    for i in bits(w):
        subset = w & ~(1 << i)
        if without_x.separated(x, m, subset) and without_m.separated(m, y, x | subset):
            w = subset
    return w
