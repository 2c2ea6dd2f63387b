"""The strategies that identify one effect, strongest first, and what each assumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from bayescausal.experiments.design import DESIGNS
from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.separation import Mixed, bits, closure, union
from bayescausal.identification.adjustment import Question, proper_causal
from bayescausal.identification.edges import FROM_DATA, ORDER, EdgeVerdict, hedge_of, weakest
from bayescausal.identification.strategies import Instrument, find_front_door, find_instruments

RANDOMIZED = tuple(name for name, design in DESIGNS.items() if design.rung == "A")

type Hedge = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True)
class Strategy:
    """One way to the effect.

    Parameters
    ----------
    kind : str
        A status: ``randomized``, ``backdoor``, ``frontdoor``, ``id``, ``additive``,
        ``experiment``, ``instrument``.
    words : str
        What to do, in a clause.
    given, through : tuples of nodes to adjust for, and that carry the effect
    edges : the edges that the effect is composed of, when it is
    """

    kind: str
    words: str
    given: tuple[str, ...] = ()
    through: tuple[str, ...] = ()
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True)
class Total:
    """What identifies an effect: strategies, strongest first, the hedge if nothing in data does."""

    strategies: tuple[Strategy, ...]
    hedge: Hedge | None
    instruments: tuple[Instrument, ...]
    g_computation: bool

    @property
    def status(self) -> str:
        """The kind of the strongest strategy."""
        return self.strategies[0].kind if self.strategies else "not identified"


def same_question(test: Experiment, asked: Estimand, outcome: str) -> bool:
    """Return whether a test measured the very estimand that is asked: worlds, window, units."""

    def plain(estimand: Estimand) -> Estimand:
        return replace(estimand, name=None, scale="total", outcome=estimand.outcome or outcome)

    return plain(test.estimand) in (plain(asked), plain(asked).reversed())


def measurements(
    asked: Estimand, outcome: str, default: str | None, experiments: Sequence[Experiment]
) -> list[Experiment]:
    """Return the experiments on the same treatments and outcome; a prior belief is none."""
    return [
        test
        for test in experiments
        if test.design != "prior-belief"
        if test.estimand.keys == asked.keys and (test.estimand.outcome or default) == outcome
    ]


def total(question: Question, asked: Estimand, tests: Sequence[Experiment] = ()) -> Total:
    """Return the strategies for the total effect; `tests` come from `measurements`."""
    found: list[Strategy] = []
    for test in tests:
        if test.design in RANDOMIZED and same_question(test, asked, question.outcome):
            words = f"'{test.name}' ({test.design}) measured this very effect"
            found.append(Strategy("randomized", words))
        else:
            words = f"'{test.name}' ({test.design}) measured this effect in its own setting"
            found.append(Strategy("experiment", words))
    hedge = hedge_of(question)
    instruments = find_instruments(question)
    g_computation = False
    if question.minimal_sets:
        given = question.at.words(question.minimal_sets[0])
        words = f"adjust for {', '.join(given)}" if given else "nothing to adjust for"
        found.append(Strategy("backdoor", words, given))
    door = None if hedge else find_front_door(question)
    if door:
        words = f"the front door through {', '.join(door.mediators)}"
        words += f", adjusted for {', '.join(door.given)}" if door.given else ""
        found.append(Strategy("frontdoor", words, door.given, door.mediators))
    if not hedge and not question.minimal_sets and not door:
        one = by_period(question)
        g_computation = one is None and _affected_confounding(question)
        found.append(_simulated(question, one, g_computation))
    if instruments:
        words = f"the instrument {instruments[0]}"
        found.append(Strategy("instrument", words, instruments[0].given))
    found.sort(key=lambda strategy: ORDER.index(strategy.kind))
    return Total(tuple(found), hedge, instruments, g_computation)


def _simulated(question: Question, one: tuple[str, ...] | None, g_computation: bool) -> Strategy:
    """Return what the ID algorithm amounts to; `one` adjusts for each period by itself."""
    if one is not None:
        given = f"adjusted for {', '.join(one)} up to it" if one else "with nothing to adjust for"
        words = (
            f"one regression a period, {given}, if the errors of {question.outcome} do not last; "
            "by g-computation in any case"
        )
        return Strategy("id", words, one)
    if g_computation:
        return Strategy("id", "g-computation: time-varying confounding affected by treatment")
    enough = "is enough" if not question.at.feeds_back else "serves all periods at once"
    return Strategy("id", f"the ID algorithm; no adjustment set {enough}")


def _with_short_errors(question: Question) -> Mixed:
    """Return one period after the past, in which the outcome's own errors do not last."""
    at, graph = question.at, question.at.now
    if not at.feeds_back or at.lasting(question.outcome):
        return graph
    both = at.both(question.y)
    kept = [s & ~both if both >> i & 1 else s for i, s in enumerate(graph.siblings)]
    return replace(graph, siblings=tuple(kept))


def by_period(question: Question) -> tuple[str, ...] | None:
    """Return what to adjust for when the outcome of one period is asked, None if nothing will do.

    Where the past of the outcome moves the treatment, no set adjusts for all periods at once: the
    earlier outcome is an effect and a cause. One period by itself, with all of the treatment up to
    it, can have a set, made of values up to that period, unless what lies between acts on the
    outcome again: past values of the outcome, what they move, or errors that last.

    Examples
    --------
    >>> from bayescausal.identification.compiled import Compiled
    >>> from bayescausal.graphs.graph import Graph
    >>> edges = (Edge("tv", "sales"), Edge("sales", "tv", 1))
    >>> by_period(Question(Compiled(Graph(edges)), ("tv",), "sales"))
    ()
    >>> memory = Graph((*edges, Edge("sales", "sales", 1)))
    >>> by_period(Question(Compiled(memory), ("tv",), "sales"))
    """
    at = question.at
    if not at.feeds_back:
        return None
    seen = _with_short_errors(question)
    x, y = at.both(question.x), question.y
    causal = proper_causal(seen, x, y)
    graph, forbidden = seen.cut(x, causal), seen.descendants(causal)
    above = graph.ancestors(x | y)
    given = at.seen.everything & ~question.ends & ~at.either(forbidden)
    if not graph.separated(x, y, at.both(given) & above):
        return None
    for i in bits(given):
        less = given & ~(1 << i)
        if graph.separated(x, y, at.both(less) & above):
            given = less
    return at.words(given)


def _affected_confounding(question: Question) -> bool:
    """Return whether what a treatment moves acts on a treatment again, and on the outcome.

    An unobserved cause that it shares with the outcome serves in place of acting.
    """
    seen = _with_short_errors(question)
    x, y = question.at.both(question.x), question.y
    acting = closure(y, seen.parents, ~x)
    acting |= union(seen.siblings, acting)
    return bool(seen.descendants(x) & seen.ancestors(x) & ~x & acting)


def path_edges(question: Question) -> tuple[Edge, ...]:
    """Return the edges on the causal paths of a question."""
    at = question.at
    way = {*question.mediators, question.outcome}
    starts = way.union(question.treatments) - {question.outcome}
    ends = way - {*question.treatments, *question.held}
    return tuple(
        e for e in at.edges if e.source in starts and e.target in ends and e.source != e.target
    )


def edge_by_edge(kind: str, statuses: Mapping[Edge, str]) -> Strategy:
    """Return the strategy that composes an effect of its edges."""
    how = ", under additivity" if kind == "additive" else ""
    named = ", ".join(f"{edge} ({status})" for edge, status in statuses.items())
    return Strategy(kind, f"edge by edge{how}: {named}", edges=tuple(statuses))


def composed(question: Question, found: Total, path_edges: Mapping[Edge, EdgeVerdict]) -> Total:
    """Add the composition of the edges where it says more than the other strategies.

    With additive equations, ``g(v) = sum of r_pv(p) + error``, a contrast of two worlds follows
    from the data and the responses ``r`` of the edges on its way: each node on it changes by the
    changes of its responses, and errors and other causes cancel. So when every such response is
    identified, the effect is, also where without additivity it is not. Along a feedback, in which
    the outcome acts on what moves it, that is not claimed.
    """
    kinds = {edge: verdict.status for edge, verdict in path_edges.items()}
    weak = weakest(kinds.values())
    if weak in FROM_DATA:
        if {*FROM_DATA} & {s.kind for s in found.strategies} or feeds_back(question):
            return found
        new = edge_by_edge("additive", kinds)
    elif found.strategies or weak == "not identified":
        return found
    else:
        kind = "instrument" if "instrument" in kinds.values() else "experiment"
        new = edge_by_edge(kind, kinds)
    ranked = sorted((*found.strategies, new), key=lambda s: ORDER.index(s.kind))
    return replace(found, strategies=tuple(ranked))


def feeds_back(question: Question) -> bool:
    """Return whether nodes on the way from treatment to outcome move each other both ways."""
    graph = question.at.graph
    way = sorted({*question.treatments, *question.mediators, question.outcome})
    below = {v: {*graph.descendants(v)} for v in way}
    return any(a in below[b] and b in below[a] for a, b in combinations(way, 2))


def assumptions(question: Question, status: str, found: Total) -> tuple[str, ...]:
    """Return what a verdict rests on, in sentences."""
    t, y = ", ".join(question.treatments), question.outcome
    said = [
        "The graph is right: each arrow or <-> that it leaves out is a claim, and part of what "
        "follows can be tested."
    ]
    first = next((s for s in found.strategies if s.kind == status), None)
    given = f" given {', '.join(first.given)}" if first and first.given else ""
    if status == "randomized":
        said = ["The test was randomized and analyzed as it was designed."]
    elif status == "backdoor":
        said.append(f"{t} still varies{given} (overlap).")
    elif status == "frontdoor" and first:
        said.append(
            f"All of the effect of {t} runs through {', '.join(first.through)}, which nothing "
            f"unobserved moves together with {t} or {y}{given}."
        )
    elif status == "id" and first and not first.edges:
        said.append("The joint distribution tells the effect: simulate all equations together.")
    elif status == "experiment":
        said.append(f"The effect of {t} outside the test's window follows the model's curves.")
    elif status == "instrument":
        name = found.instruments[0].node if found.instruments else "each instrument"
        said.append(f"Exclusion: {name} moves {y} only through {t}{given}.")
        said.append("Linearity: one more unit has the same effect at every level and time.")
    if first and first.edges and status != "instrument":  # linear is additive
        said.append(
            "Additivity, as in the fitted model: on the scale of a node's link its causes add up, "
            "each along its own curve, and its memory is linear."
        )
    if question.at.feeds_back:
        said.append(
            "Errors that last longer than a period are in the model: AR1Noise(), or the memory "
            f"of a node as an edge, such as {y} -> {y} @ 1."
        )
    if question.held:
        said.append(f"The plan of {', '.join(question.held)} stays as it was.")
    return tuple(said)
