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
from bayescausal.identification.edges import EdgeVerdict, hedge_of
from bayescausal.identification.status import FROM_DATA, Status, weakest
from bayescausal.identification.strategies import Instrument, find_front_door, find_instruments

RANDOMIZED = tuple(name for name, design in DESIGNS.items() if design.rung == "A")

type Hedge = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True)
class Strategy:
    """A strategy that identifies the effect.

    Parameters
    ----------
    kind : Status
        Any but ``not identified``.
    words : str
        What to do, in a clause.
    given, through : tuples of nodes to adjust for, and that carry the effect
    edges : the edges that the effect is composed of, when it is
    """

    kind: Status
    words: str
    given: tuple[str, ...] = ()
    through: tuple[str, ...] = ()
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True)
class Total:
    """The strategies for an effect, strongest first, and the hedge if data alone do not suffice."""

    strategies: tuple[Strategy, ...]
    hedge: Hedge | None
    instruments: tuple[Instrument, ...]
    g_computation: bool

    @property
    def status(self) -> Status:
        """The kind of the strongest strategy."""
        return self.strategies[0].kind if self.strategies else Status.NOT_IDENTIFIED


def same_question(test: Experiment, estimand: Estimand, outcome: str) -> bool:
    """Return whether a test measured exactly this estimand: the same worlds, window and units."""

    def plain(contrast: Estimand) -> Estimand:
        return replace(contrast, name=None, scale="total", outcome=contrast.outcome or outcome)

    return plain(test.estimand) in (plain(estimand), plain(estimand).reversed())


def measurements(
    estimand: Estimand, outcome: str, default: str | None, experiments: Sequence[Experiment]
) -> list[Experiment]:
    """Return the experiments on the same treatments and outcome, prior beliefs excluded."""
    return [
        test
        for test in experiments
        if test.design != "prior-belief"
        if test.estimand.keys == estimand.keys and (test.estimand.outcome or default) == outcome
    ]


def total(question: Question, estimand: Estimand, tests: Sequence[Experiment] = ()) -> Total:
    """Return the strategies for the total effect; `tests` come from `measurements`."""
    strategies: list[Strategy] = []
    for test in tests:
        if test.design in RANDOMIZED and same_question(test, estimand, question.outcome):
            words = f"'{test.name}' ({test.design}) measured this very effect"
            strategies.append(Strategy(Status.RANDOMIZED, words))
        else:
            words = f"'{test.name}' ({test.design}) measured this effect in its own setting"
            strategies.append(Strategy(Status.EXPERIMENT, words))
    hedge = hedge_of(question)
    instruments = find_instruments(question)
    g_computation = False
    if question.minimal_sets:
        covariates = question.compiled.words(question.minimal_sets[0])
        words = f"adjust for {', '.join(covariates)}" if covariates else "nothing to adjust for"
        strategies.append(Strategy(Status.BACKDOOR, words, covariates))
    door = None if hedge else find_front_door(question)
    if door:
        words = f"the front door through {', '.join(door.mediators)}"
        words += f", adjusted for {', '.join(door.given)}" if door.given else ""
        strategies.append(Strategy(Status.FRONTDOOR, words, door.given, door.mediators))
    if not hedge and not question.minimal_sets and not door:
        period_set = by_period(question)
        g_computation = period_set is None and _affected_confounding(question)
        strategies.append(_simulated(question, period_set, g_computation))
    if instruments:
        words = f"the instrument {instruments[0]}"
        strategies.append(Strategy(Status.INSTRUMENT, words, instruments[0].given))
    strategies.sort(key=lambda strategy: strategy.kind.rank)
    return Total(tuple(strategies), hedge, instruments, g_computation)


def _simulated(
    question: Question, period_set: tuple[str, ...] | None, g_computation: bool
) -> Strategy:
    """Return the strategy for an effect that only the ID algorithm identifies.

    `period_set` adjusts for each period by itself; None without such a set.
    """
    if period_set is not None:
        clause = (
            f"adjusted for {', '.join(period_set)} up to it"
            if period_set
            else "with nothing to adjust for"
        )
        words = (
            f"one regression a period, {clause}, if the errors of {question.outcome} do not "
            "last; by g-computation in any case"
        )
        return Strategy(Status.ID, words, period_set)
    if g_computation:
        return Strategy(Status.ID, "g-computation: time-varying confounding affected by treatment")
    enough = "is enough" if not question.compiled.feeds_back else "serves all periods at once"
    return Strategy(Status.ID, f"the ID algorithm; no adjustment set {enough}")


def _with_short_errors(question: Question) -> Mixed:
    """Return the graph of one period, without autocorrelation in the errors of the outcome."""
    compiled, graph = question.compiled, question.compiled.period
    if not compiled.feeds_back or compiled.has_latent_cause(question.outcome):
        return graph
    outcome_epochs = compiled.both_epochs(question.y)
    siblings = [
        s & ~outcome_epochs if outcome_epochs >> i & 1 else s for i, s in enumerate(graph.siblings)
    ]
    return replace(graph, siblings=tuple(siblings))


def by_period(question: Question) -> tuple[str, ...] | None:
    """Return an adjustment set for the outcome of one period, None if there is none.

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
    compiled = question.compiled
    if not compiled.feeds_back:
        return None
    period = _with_short_errors(question)
    x, y = compiled.both_epochs(question.x), question.y
    causal = proper_causal(period, x, y)
    graph, forbidden = period.cut(x, causal), period.descendants(causal)
    ancestors = graph.ancestors(x | y)
    covariates = compiled.projection.everything & ~question.ends & ~compiled.nodes_of(forbidden)
    if not graph.separated(x, y, compiled.both_epochs(covariates) & ancestors):
        return None
    for i in bits(covariates):
        subset = covariates & ~(1 << i)
        if graph.separated(x, y, compiled.both_epochs(subset) & ancestors):
            covariates = subset
    return compiled.words(covariates)


def _affected_confounding(question: Question) -> bool:
    """Return whether a confounder of a later treatment is affected by an earlier treatment.

    An unobserved cause that it shares with the outcome serves in place of acting.
    """
    period = _with_short_errors(question)
    x, y = question.compiled.both_epochs(question.x), question.y
    acting = closure(y, period.parents, ~x)
    acting |= union(period.siblings, acting)
    return bool(period.descendants(x) & period.ancestors(x) & ~x & acting)


def path_edges(question: Question) -> tuple[Edge, ...]:
    """Return the edges on the causal paths of a question."""
    compiled = question.compiled
    way = {*question.mediators, question.outcome}
    starts = way.union(question.treatments) - {question.outcome}
    ends = way - {*question.treatments, *question.held}
    return tuple(
        e
        for e in compiled.edges
        if e.source in starts and e.target in ends and e.source != e.target
    )


def edge_by_edge(kind: Status, statuses: Mapping[Edge, Status]) -> Strategy:
    """Return the strategy that composes an effect from its edges."""
    assumption = ", under additivity" if kind == Status.ADDITIVE else ""
    listing = ", ".join(f"{edge} ({status})" for edge, status in statuses.items())
    return Strategy(kind, f"edge by edge{assumption}: {listing}", edges=tuple(statuses))


def composed(
    question: Question, total_effect: Total, path_edges: Mapping[Edge, EdgeVerdict]
) -> Total:
    """Add the composition of the edges where it is stronger than the other strategies.

    With additive equations, ``g(v) = sum of r_pv(p) + error``, a contrast of two worlds follows
    from the data and the responses ``r`` of the edges on its way: each node on it changes by the
    changes of its responses, and errors and other causes cancel. So when every such response is
    identified, the effect is, also where without additivity it is not. Along a feedback, in which
    the outcome acts on what moves it, that is not claimed.
    """
    kinds = {edge: verdict.status for edge, verdict in path_edges.items()}
    weak = weakest(kinds.values())
    if weak in FROM_DATA:
        if {*FROM_DATA} & {s.kind for s in total_effect.strategies} or feeds_back(question):
            return total_effect
        composition = edge_by_edge(Status.ADDITIVE, kinds)
    elif total_effect.strategies or weak == Status.NOT_IDENTIFIED:
        return total_effect
    else:
        composition = edge_by_edge(weak, kinds)
    ranked = sorted((*total_effect.strategies, composition), key=lambda s: s.kind.rank)
    return replace(total_effect, strategies=tuple(ranked))


def feeds_back(question: Question) -> bool:
    """Return whether two nodes on the causal paths affect each other in both directions."""
    graph = question.compiled.graph
    way = sorted({*question.treatments, *question.mediators, question.outcome})
    descendants = {v: {*graph.descendants(v)} for v in way}
    return any(a in descendants[b] and b in descendants[a] for a, b in combinations(way, 2))


def assumptions(question: Question, effect: Total) -> tuple[str, ...]:
    """Return the assumptions of the strongest strategy as sentences."""
    t, y, status = ", ".join(question.treatments), question.outcome, effect.status
    sentences = [
        "The graph is right: each arrow or <-> that it leaves out is a claim, and part of what "
        "follows can be tested."
    ]
    first = effect.strategies[0] if effect.strategies else None
    condition = f" given {', '.join(first.given)}" if first and first.given else ""
    if status == Status.RANDOMIZED:
        sentences = ["The test was randomized and analyzed as it was designed."]
    elif status == Status.BACKDOOR:
        sentences.append(f"{t} still varies{condition} (overlap).")
    elif status == Status.FRONTDOOR and first:
        sentences.append(
            f"All of the effect of {t} runs through {', '.join(first.through)}, which nothing "
            f"unobserved moves together with {t} or {y}{condition}."
        )
    elif status == Status.ID and first and not first.edges:
        sentences.append(
            "The joint distribution tells the effect: simulate all equations together."
        )
    elif status == Status.EXPERIMENT:
        sentences.append(f"The effect of {t} outside the test's window follows the model's curves.")
    elif status == Status.INSTRUMENT:
        name = effect.instruments[0].node if effect.instruments else "each instrument"
        sentences.append(f"Exclusion: {name} moves {y} only through {t}{condition}.")
        sentences.append("Linearity: one more unit has the same effect at every level and time.")
    if first and first.edges and status != Status.INSTRUMENT:  # linear is additive
        sentences.append(
            "Additivity, as in the fitted model: on the scale of a node's link its causes add up, "
            "each along its own curve, and its memory is linear."
        )
    if question.compiled.feeds_back:
        sentences.append(
            "Errors that last longer than a period are in the model: AR1Noise(), or the memory "
            f"of a node as an edge, such as {y} -> {y} @ 1."
        )
    if question.held:
        sentences.append(f"The plan of {', '.join(question.held)} stays as it was.")
    return tuple(sentences)
