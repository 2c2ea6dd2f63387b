"""A verdict for every edge: whether the mechanism behind it is identified."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from bayescausal.graphs.edge import Edge
from bayescausal.graphs.separation import Mixed, closure, eliminated, join, separators, union
from bayescausal.identification.adjustment import Question
from bayescausal.identification.compiled import Compiled
from bayescausal.identification.paths import Path, shortest_open
from bayescausal.identification.strategies import Instrument, edge_instruments, find_hedge

ORDER = (
    "randomized",
    "backdoor",
    "frontdoor",
    "id",
    "additive",
    "experiment",
    "instrument",
    "not identified",
)
"""Statuses, strongest first."""
FROM_DATA = ("backdoor", "frontdoor", "id")
"""Statuses that data alone give, without a test, linearity or additivity."""
MOST_DOORS = 20
"""So many minimal adjustment sets of an edge are listed, and one more."""
WEAK = ("instrument", "not identified")

type Pair = tuple[str, str]


def weakest(statuses: Iterable[str]) -> str:
    """Return the weakest status, ``"not identified"`` when there is none.

    Examples
    --------
    >>> weakest(["backdoor", "instrument", "id"])
    'instrument'
    """
    return max(statuses, key=ORDER.index, default="not identified")


def composite(statuses: Collection[str]) -> str:
    """Return the status of an effect along edges: additivity composes it where they are several.

    Examples
    --------
    >>> composite(["id"]), composite(["backdoor", "id"]), composite(["id", "experiment"])
    ('id', 'additive', 'experiment')
    """
    status = weakest(statuses)
    return "additive" if status in FROM_DATA and len(statuses) > 1 else status


@dataclass(frozen=True)
class EdgeVerdict:
    """What the graph says of one edge.

    Parameters
    ----------
    status : str
        ``backdoor``: adjustment sets separate its ends once the edge is cut (single door);
        ``id``: the target's response to all its causes is identified; ``instrument``: so under
        linearity; ``experiment``: by difference to a measured effect; or ``not identified``.
    reason : str
    adjustment : minimal sets of nodes
    instruments : instruments of this edge
    """

    status: str
    reason: str
    adjustment: tuple[frozenset[str], ...] = ()
    instruments: tuple[Instrument, ...] = ()


def edge_verdicts(
    at: Compiled, edges: Iterable[Edge], measured: Collection[Pair] = ()
) -> dict[Edge, EdgeVerdict]:
    """Return the verdict of each edge; `measured` are (cause, effect) pairs of experiments."""
    edges = tuple(edges)
    targets = {b: _Target.of(at, b) for b in sorted({edge.target for edge in edges})}
    pairs: dict[Pair, EdgeVerdict] = {}
    for edge in edges:
        if edge[:2] not in pairs:
            pairs[edge[:2]] = _verdict(at, edge.source, targets[edge.target])
    if measured:
        _by_difference(at, pairs, measured)
    return {edge: pairs[edge[:2]] for edge in edges}


@dataclass(frozen=True)
class _Target:
    """What edges into one node share: its ancestors, and neighbors outside its own district."""

    name: str
    mask: int
    above: int
    district: int
    near: list[int]

    @classmethod
    def of(cls, at: Compiled, name: str) -> _Target:
        seen, mask = at.now, at.bits([name])
        above = seen.ancestors(mask)
        district = closure(mask, seen.siblings, above)
        return cls(name, mask, above, district, seen.moral(above, but=mask))

    def doors(self, cut: Mixed, sources: int, allowed: int) -> list[int]:
        """Return minimal sets that close all ways but the edges, which are `cut`."""
        if not cut.separated(sources, self.mask, self.above & allowed):
            return []
        near = list(self.near)
        join(near, (self.district | union(cut.parents, self.district)) & self.above)
        gone = self.above & ~allowed & ~sources & ~self.mask
        return separators(eliminated(near, gone), sources, self.mask, MOST_DOORS)


def _verdict(at: Compiled, a: str, to: _Target) -> EdgeVerdict:
    b = to.name
    if a == b:
        return EdgeVerdict(
            "not identified",
            f"the memory of {a} and the persistence of its noise cannot be told apart",
        )
    seen, target = at.now, to.mask
    k = target.bit_length() - 1
    sources = at.both(at.bits([a])) & seen.parents[k]
    cut = seen.cut(sources, target)
    allowed = seen.everything & ~seen.descendants(target) & ~sources
    if found := to.doors(cut, sources, allowed):
        sets = sorted({at.labels(z) for z in found}, key=lambda z: (len(z), z))
        given = f"given {', '.join(sets[0])}" if sets[0] else "as it stands"
        return EdgeVerdict("backdoor", f"unconfounded {given}", tuple(map(frozenset, sets)))
    for causes in _interventions(at, a, sources, target):
        if find_hedge(seen, causes, target) is None:
            acted = ", ".join(at.words(at.either(causes)))
            return EdgeVerdict("id", f"the response of {b} to {acted} is identified")
    path = shortest_open(cut, sources, target, seen.parents[k] & allowed)
    stays = "an unobserved cause confounds it"
    if path:
        names = tuple(seen.names[i] for i in path[0])
        stays = f"no observed set closes {Path(names, path[1], ('',) * len(names))}"
    instruments = edge_instruments(at, a, b)
    if instruments:
        reason = f"{stays}; under linearity {instruments[0]} is an instrument"
        return EdgeVerdict("instrument", reason, (), instruments)
    return EdgeVerdict("not identified", stays)


def _interventions(at: Compiled, a: str, sources: int, target: int) -> Iterator[int]:
    """Yield sets of causes that, acted on together, leave the edge as the only way from `a`.

    All causes of the target but its own past (its memory is carry-over); else `a` and the causes
    that `a` moves; else that without what is confounded with the target, if `a` does not move it.
    """
    seen = at.now
    k = target.bit_length() - 1
    causes = seen.parents[k] & ~at.both(at.bits([a]) | target)
    moved = causes & at.both(at.either(seen.descendants(sources)))
    yield sources | causes
    yield sources | moved
    yield sources | moved | causes & ~at.both(at.either(seen.siblings[k]))


def _by_difference(
    at: Compiled, pairs: dict[Pair, EdgeVerdict], measured: Collection[Pair]
) -> None:
    """Lift edges whose total effect is known and whose other paths are, until nothing changes."""
    below = {v: {v, *at.graph.descendants(v)} for v in at.names}
    changed = True
    while changed:
        changed = False
        for (a, b), verdict in sorted(pairs.items()):
            if verdict.status not in WEAK or a == b:
                continue
            others = [
                pair
                for pair in pairs
                if pair != (a, b) and pair[0] != pair[1]
                if pair[0] in below[a] and b in below[pair[1]]
            ]
            tested = [pair for pair in others if pairs[pair].status == "experiment"]
            if any(pairs[pair].status == "not identified" for pair in others):
                continue
            if (a, b) not in measured and not (tested and _total_known(at, a, b)):
                continue
            what = f"a test of {a} on {b}" if (a, b) in measured else f"tests of {_named(tested)}"
            rest = f", less the paths through {_named(others)}" if others else ""
            pairs[a, b] = EdgeVerdict("experiment", f"{what}{rest}", (), verdict.instruments)
            changed = True


def _named(pairs: Iterable[Pair]) -> str:
    return ", ".join(f"{a}->{b}" for a, b in sorted(pairs))


def _total_known(at: Compiled, a: str, b: str) -> bool:
    question = Question(at, (a,), b)
    return bool(question.minimal_sets) or hedge_of(question) is None


def hedge_of(question: Question) -> tuple[frozenset[str], frozenset[str]] | None:
    """Return the hedge of the effect in the window, as names, None when it is identified."""
    graph = question.at.window
    found = find_hedge(graph, question.x, question.y)
    if found is None:
        return None
    return frozenset(graph.labels(found[0])), frozenset(graph.labels(found[1]))
