"""Verdicts on edges: whether the mechanism behind each edge is identified."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from bayescausal.graphs.edge import Edge
from bayescausal.graphs.separation import Mixed, closure, eliminated, join, separators, union
from bayescausal.identification.adjustment import Question
from bayescausal.identification.compiled import Compiled
from bayescausal.identification.paths import Path, shortest_open
from bayescausal.identification.status import WEAK, Status
from bayescausal.identification.strategies import Instrument, edge_instruments, find_hedge

MOST_DOORS = 20
"""The number of minimal adjustment sets after which the search for those of an edge stops."""

type Pair = tuple[str, str]


@dataclass(frozen=True)
class EdgeVerdict:
    """The verdict of the graph on one edge.

    Parameters
    ----------
    status : Status
        ``backdoor``: adjustment sets separate its ends once the edge is cut (single door);
        ``id``: the target's response to all its causes is identified; ``instrument``: so under
        linearity; ``experiment``: by difference to a measured effect; or ``not identified``.
    reason : str
    adjustment : minimal sets of nodes
    instruments : instruments of this edge
    """

    status: Status
    reason: str
    adjustment: tuple[frozenset[str], ...] = ()
    instruments: tuple[Instrument, ...] = ()


def edge_verdicts(
    compiled: Compiled, edges: Iterable[Edge], tested_pairs: Collection[Pair] = ()
) -> dict[Edge, EdgeVerdict]:
    """Return the verdict of each edge; `tested_pairs` are (cause, effect) pairs of experiments."""
    edges = tuple(edges)
    targets = {b: _Target.compile(compiled, b) for b in sorted({edge.target for edge in edges})}
    pairs: dict[Pair, EdgeVerdict] = {}
    for edge in edges:
        if edge[:2] not in pairs:
            pairs[edge[:2]] = _verdict(compiled, edge.source, targets[edge.target])
    if tested_pairs:
        _by_difference(compiled, pairs, tested_pairs)
    return {edge: pairs[edge[:2]] for edge in edges}


@dataclass(frozen=True)
class _Target:
    """A target node with what all edges into it share: its ancestors, district and neighbors."""

    name: str
    mask: int
    ancestors: int
    district: int
    neighbors: list[int]

    @classmethod
    def compile(cls, compiled: Compiled, name: str) -> _Target:
        period, mask = compiled.period, compiled.bits([name])
        ancestors = period.ancestors(mask)
        district = closure(mask, period.siblings, ancestors)
        return cls(name, mask, ancestors, district, period.moral(ancestors, but=mask))

    def doors(self, cut: Mixed, sources: int, allowed: int) -> list[int]:
        """Return the minimal sets that close all paths except the edges, which `cut` lacks."""
        if not cut.separated(sources, self.mask, self.ancestors & allowed):
            return []
        neighbors = list(self.neighbors)
        join(neighbors, (self.district | union(cut.parents, self.district)) & self.ancestors)
        hidden = self.ancestors & ~allowed & ~sources & ~self.mask
        return separators(eliminated(neighbors, hidden), sources, self.mask, MOST_DOORS)


def _verdict(compiled: Compiled, a: str, target: _Target) -> EdgeVerdict:
    b = target.name
    if a == b:
        return EdgeVerdict(
            Status.NOT_IDENTIFIED,
            f"the memory of {a} and the persistence of its noise cannot be told apart",
        )
    period, y = compiled.period, target.mask
    k = y.bit_length() - 1
    sources = compiled.both_epochs(compiled.bits([a])) & period.parents[k]
    cut = period.cut(sources, y)
    allowed = period.everything & ~period.descendants(y) & ~sources
    if doors := target.doors(cut, sources, allowed):
        sets = sorted({compiled.labels(z) for z in doors}, key=lambda z: (len(z), z))
        condition = f"given {', '.join(sets[0])}" if sets[0] else "as it stands"
        return EdgeVerdict(
            Status.BACKDOOR, f"unconfounded {condition}", tuple(map(frozenset, sets))
        )
    for causes in _interventions(compiled, a, sources, y):
        if find_hedge(period, causes, y) is None:
            acted = ", ".join(compiled.words(compiled.nodes_of(causes)))
            return EdgeVerdict(Status.ID, f"the response of {b} to {acted} is identified")
    path = shortest_open(cut, sources, y, period.parents[k] & allowed)
    stays = "an unobserved cause confounds it"
    if path:
        names = tuple(period.names[i] for i in path[0])
        stays = f"no observed set closes {Path(names, path[1], ('',) * len(names))}"
    instruments = edge_instruments(compiled, a, b)
    if instruments:
        reason = f"{stays}; under linearity {instruments[0]} is an instrument"
        return EdgeVerdict(Status.INSTRUMENT, reason, (), instruments)
    return EdgeVerdict(Status.NOT_IDENTIFIED, stays)


def _interventions(compiled: Compiled, a: str, sources: int, target: int) -> Iterator[int]:
    """Yield sets of causes whose joint intervention leaves the edge as the only path from `a`.

    All causes of the target but its own past (its memory is carry-over); else `a` and the causes
    that `a` moves; else that without what is confounded with the target, if `a` does not move it.
    """
    period = compiled.period
    k = target.bit_length() - 1
    causes = period.parents[k] & ~compiled.both_epochs(compiled.bits([a]) | target)
    mediators = causes & compiled.both_epochs(compiled.nodes_of(period.descendants(sources)))
    yield sources | causes
    yield sources | mediators
    yield (
        sources | mediators | causes & ~compiled.both_epochs(compiled.nodes_of(period.siblings[k]))
    )


def _by_difference(
    compiled: Compiled, pairs: dict[Pair, EdgeVerdict], tested_pairs: Collection[Pair]
) -> None:
    """Identify edges by subtracting the known effects of other paths from a known total effect."""
    descendants = {v: {v, *compiled.graph.descendants(v)} for v in compiled.names}
    changed = True
    while changed:
        changed = False
        for (a, b), verdict in sorted(pairs.items()):
            if verdict.status not in WEAK or a == b:
                continue
            other_pairs = [
                pair
                for pair in pairs
                if pair != (a, b) and pair[0] != pair[1]
                if pair[0] in descendants[a] and b in descendants[pair[1]]
            ]
            tested = [pair for pair in other_pairs if pairs[pair].status == Status.EXPERIMENT]
            if any(pairs[pair].status == Status.NOT_IDENTIFIED for pair in other_pairs):
                continue
            if (a, b) not in tested_pairs and not (tested and _total_known(compiled, a, b)):
                continue
            source = (
                f"a test of {a} on {b}"
                if (a, b) in tested_pairs
                else f"tests of {_pair_list(tested)}"
            )
            remainder = f", less the paths through {_pair_list(other_pairs)}" if other_pairs else ""
            pairs[a, b] = EdgeVerdict(
                Status.EXPERIMENT, f"{source}{remainder}", (), verdict.instruments
            )
            changed = True


def _pair_list(pairs: Iterable[Pair]) -> str:
    return ", ".join(f"{a}->{b}" for a, b in sorted(pairs))


def _total_known(compiled: Compiled, a: str, b: str) -> bool:
    question = Question(compiled, (a,), b)
    return bool(question.minimal_sets) or hedge_of(question) is None


def hedge_of(question: Question) -> tuple[frozenset[str], frozenset[str]] | None:
    """Return the hedge of the effect in the window, as names, None when it is identified."""
    graph = question.compiled.window
    hedge = find_hedge(graph, question.x, question.y)
    if hedge is None:
        return None
    return frozenset(graph.labels(hedge[0])), frozenset(graph.labels(hedge[1]))
