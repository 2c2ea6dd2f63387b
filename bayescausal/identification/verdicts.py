"""`identify`: whether, and how, the graph lets data tell an effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph
from bayescausal.identification.adjustment import MOST_SETS, Question
from bayescausal.identification.edges import WEAK, EdgeVerdict, composite, edge_verdicts, weakest
from bayescausal.identification.identification import Identification
from bayescausal.identification.ladder import grade
from bayescausal.identification.paths import Path, forbidden, open_paths, path_given
from bayescausal.identification.question import (
    as_estimand,
    as_graph,
    ask,
    asked_edges,
    check_experiments,
)
from bayescausal.identification.remedies import Remedy, for_split, for_total
from bayescausal.identification.totals import (
    Strategy,
    Total,
    assumptions,
    composed,
    edge_by_edge,
    feeds_back,
    measurements,
    path_edges,
    total,
)


def identify(
    graph: Graph,
    estimand: Estimand | str,
    experiments: Sequence[Experiment] = (),
    *,
    held: str | Iterable[str] = (),
) -> Identification:
    """Return the verdict of a graph on an effect, sound and complete without more assumptions.

    Without feedback the nodes are whole series, all lags merged. When lagged edges close a cycle
    the joint intervention on all periods of the treatment is asked, in the graph unrolled over as
    many periods as it takes (`Compiled`). Instruments, edges by difference and effects edge by
    edge go beyond the ID algorithm, under linearity or additivity, and are labeled so.

    Parameters
    ----------
    graph : Graph
    estimand : Estimand, or the name of a treatment
        A name is short for ``incremental(name)``. Several treatments are one joint intervention;
        a key ``"tv->search"`` asks for the effect along that edge.
    experiments : sequence of Experiment
    held : nodes whose plan is held at its factual values while the treatments change

    Raises
    ------
    GraphError
        Unknown or latent names, an outcome that is a treatment, an effect that is zero by the
        graph.

    References
    ----------
    Shpitser and Pearl (2006), AAAI; van der Zander, Liskiewicz and Textor (2019), AIJ 270.

    Examples
    --------
    >>> graph = Graph.parse("tv <- season -> sales <- tv", outcome="sales")
    >>> found = identify(graph, "tv")
    >>> found, found.adjustment_sets, found.open_paths
    (Identification(tv on sales: backdoor; split: backdoor), [frozenset({'season'})], \
['tv <- season -> sales'])
    """
    graph = as_graph("identify", graph)
    asked = as_estimand(estimand)
    tests = (experiments,) if isinstance(experiments, Experiment) else experiments
    check_experiments(graph, tests)
    tests = tuple(tests)
    along = asked_edges(question := ask(graph, asked, held), asked)
    default = graph.outcomes[0] if len(graph.outcomes) == 1 else None
    own = [] if question.held else measurements(asked, question.outcome, default, tests)
    measured = _measured(tests, default)
    verdicts = edge_verdicts(question.at, question.at.edges, measured)
    on_path = {e: verdicts[e] for e in path_edges(question)}
    found = composed(question, total(question, asked, own), on_path)
    status, strategies = found.status, found.strategies
    hedge = found.hedge
    if along and not {*on_path} <= (passed := _passed(question, along)):
        apart = all("->" in key for key in asked.keys)
        status, strategies = _along(passed, verdicts, found, "" if apart else status)
        hedge = None if apart else hedge  # it speaks of the total effect
    split = weakest(v.status for v in on_path.values())
    paths, more = open_paths(question)
    at, sets = question.at, question.minimal_sets
    made = Identification(
        graph=graph,
        estimand=asked,
        outcome=question.outcome,
        treatments=question.treatments,
        held=question.held,
        status=status,
        strategies=strategies,
        adjustment_sets=[frozenset(at.words(z)) for z in sets[:MOST_SETS]],
        optimal=None if question.optimal is None else frozenset(at.words(question.optimal)),
        open_paths=[str(path) for path in paths],
        stubborn=_stubborn(question, paths),
        mediators=question.mediators,
        forbidden=forbidden(question),
        instruments=found.instruments,
        hedge=hedge,
        edges=verdicts,
        split=split,
        split_reason=_split_reason(split, on_path),
        remedies=_remedies(question, asked, status, split, measured),
        assumptions=assumptions(question, status, replace(found, strategies=strategies)),
        g_computation=found.g_computation,
        notes=(
            *_notes(question, len(paths) if more else 0, len(sets) > MOST_SETS, along),
            *_beyond_the_graph(question, status, split),
            *_unused(question, tests, own, {e[:2] for e in verdicts}, default),
        ),
        paths=tuple(paths),
    )
    return replace(made, grade=grade(made, tests).letter)


def _measured(tests: Sequence[Experiment], default: str | None) -> list[tuple[str, str]]:
    """Return the (cause, effect) pairs whose total effect, or whose edge, a test measured."""
    pairs = []
    for test in tests:
        outcome = test.estimand.outcome or default
        if test.design == "prior-belief" or len(test.estimand.keys) != 1 or outcome is None:
            continue
        if "->" not in test.estimand.keys[0]:
            pairs.append((test.estimand.keys[0], outcome))
    return pairs


def _passed(question: Question, along: Sequence[Edge]) -> set[Edge]:
    """Return the edges that an effect along edges passes."""
    passed = set(along)
    for edge in along:
        if edge.target != question.outcome:
            passed.update(path_edges(replace(question, treatments=(edge.target,))))
    return passed


def _along(
    passed: Iterable[Edge], verdicts: Mapping[Edge, EdgeVerdict], total: Total, rest: str
) -> tuple[str, tuple[Strategy, ...]]:
    """Return the status of an effect along edges: the weakest of what it passes, and `rest`."""
    measured = tuple(s for s in total.strategies if s.kind in ("randomized", "experiment"))
    kinds = {e: verdicts[e].status for e in sorted(passed)}
    kind = composite([*kinds.values(), *([rest] if rest else [])])
    if measured and measured[0].kind == "randomized":
        return "randomized", measured
    if kind in WEAK and measured:
        return "experiment", measured
    if kind == "not identified":
        return kind, ()
    return kind, (edge_by_edge(kind, kinds), *measured)


def _remedies(
    question: Question,
    asked: Estimand,
    status: str,
    split: str,
    measured: Sequence[tuple[str, str]],
) -> tuple[Remedy, ...]:
    along = any("->" in key for key in asked.keys)
    if status in WEAK and not along:
        return for_total(question, asked)
    if split in WEAK and question.mediators:
        return for_split(question, measured, question.mediators)
    return ()


def _beyond_the_graph(question: Question, status: str, split: str) -> Iterator[str]:
    """Yield a sentence where every edge is identified and the effect is not."""
    if status == "not identified" and split not in WEAK and feeds_back(question):
        yield (
            "Each edge on the way is identified, and the way feeds back: the fitted additive "
            "model may tell the effect, the graph alone does not."
        )


def _stubborn(question: Question, paths: Sequence[Path]) -> list[str]:
    """Return the open paths that no allowed node lies on; else one open given all of them."""
    allowed = {*question.at.words(question.allowed)}
    found = [str(path) for path in paths if not allowed.intersection(path.nodes[1:-1])]
    if found or question.minimal_sets:
        return found
    above = question.at.seen.ancestors(question.x | question.y)
    path = path_given(question, above & question.allowed)
    return [str(path)] if path else []


def _split_reason(split: str, on_path: Mapping[Edge, EdgeVerdict]) -> str:
    weak = [e for e, v in on_path.items() if v.status == split]
    if split not in WEAK:
        return "every edge on the causal paths is identified"
    return "; ".join(f"{e}: {on_path[e].reason}" for e in weak)


def _notes(question: Question, shown: int, cut: bool, along: Sequence[Edge]) -> tuple[str, ...]:
    notes = []
    if question.at.feeds_back:
        notes.append(
            "Lagged edges feed back: the verdict holds over any number of periods, after any "
            "history, where every edge may carry over and errors may last; sets to adjust for "
            "hold all periods of a node. Implications are not listed."
        )
    else:
        notes.append("Nodes are whole series, all lags merged. Verma constraints are not listed.")
    if shown:
        notes.append(f"There are more open paths; only the {shown} shortest are listed.")
    if cut:
        notes.append(f"There are more than {MOST_SETS} minimal adjustment sets; these are some.")
    if along:
        notes.append("Adjustment sets and paths are those of the treatment's total effect.")
    return tuple(notes)


def _unused(
    question: Question,
    tests: Sequence[Experiment],
    own: Sequence[Experiment],
    pairs: set[tuple[str, str]],
    default: str | None,
) -> Iterator[str]:
    """Yield a sentence for the experiments that play no part."""
    for test in tests:
        measured = _measured([test], default)
        if test.design == "prior-belief":
            yield f"'{test.name}' is a prior belief: it identifies nothing."
        elif question.held and measured == [(question.treatments[0], question.outcome)]:
            free = ", ".join(question.held)
            yield f"'{test.name}' measured the effect with {free} free to react."
        elif test not in own and not pairs.intersection(measured):
            yield f"'{test.name}' measured another effect and is not used."
