"""`identify` decides whether a graph identifies an effect from data, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bayescausal import checks
from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph
from bayescausal.identification.adjustment import MOST_SETS, Question
from bayescausal.identification.edges import EdgeVerdict, edge_verdicts
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
from bayescausal.identification.status import WEAK, Status, composite, weakest
from bayescausal.identification.totals import (
    Total,
    assumptions,
    composed,
    edge_by_edge,
    feeds_back,
    measurements,
    path_edges,
    total,
)


@checks.arguments
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
    graph, estimand = as_graph("identify", graph), as_estimand(estimand)
    tests = (experiments,) if isinstance(experiments, Experiment) else experiments
    check_experiments(graph, tests)
    tests = tuple(tests)
    question = ask(graph, estimand, held)
    target_edges = asked_edges(question, estimand)
    default = graph.outcomes[0] if len(graph.outcomes) == 1 else None
    own_tests = [] if question.held else measurements(estimand, question.outcome, default, tests)
    tested_pairs = _tested_pairs(tests, default)
    verdicts = edge_verdicts(question.compiled, question.compiled.edges, tested_pairs)
    on_path = {e: verdicts[e] for e in path_edges(question)}
    effect = composed(question, total(question, estimand, own_tests), on_path)
    if target_edges:
        effect = _along_edges(question, estimand, target_edges, verdicts, effect)
    split = weakest(v.status for v in on_path.values())
    paths, has_more = open_paths(question)
    identification = Identification(
        question=question,
        estimand=estimand,
        status=effect.status,
        strategies=effect.strategies,
        open_paths=[str(path) for path in paths],
        stubborn=_stubborn(question, paths),
        forbidden=forbidden(question, (paths, has_more)),
        instruments=effect.instruments,
        hedge=effect.hedge,
        edges=verdicts,
        split=split,
        split_reason=_split_reason(split, on_path),
        remedies=_remedies(question, estimand, effect.status, split, tested_pairs),
        assumptions=assumptions(question, effect),
        g_computation=effect.g_computation,
        notes=(
            *_notes(question, len(paths) if has_more else 0, target_edges),
            *_beyond_the_graph(question, effect.status, split),
            *_unused(question, tests, own_tests, {e[:2] for e in verdicts}, default),
        ),
        paths=tuple(paths),
    )
    return replace(identification, grade=grade(identification, tests).letter)


def _tested_pairs(tests: Sequence[Experiment], default: str | None) -> list[tuple[str, str]]:
    """Return the (cause, effect) pairs whose total effect, or whose edge, a test measured."""
    pairs = []
    for test in tests:
        outcome = test.estimand.outcome or default
        if test.design == "prior-belief" or len(test.estimand.keys) != 1 or outcome is None:
            continue
        if "->" not in test.estimand.keys[0]:
            pairs.append((test.estimand.keys[0], outcome))
    return pairs


def _passed(question: Question, target_edges: Sequence[Edge]) -> set[Edge]:
    """Return the edges on the paths of an effect along edges."""
    passed = set(target_edges)
    for edge in target_edges:
        if edge.target != question.outcome:
            passed.update(path_edges(replace(question, treatments=(edge.target,))))
    return passed


def _along_edges(
    question: Question,
    estimand: Estimand,
    target_edges: Sequence[Edge],
    verdicts: Mapping[Edge, EdgeVerdict],
    effect: Total,
) -> Total:
    """Return the strategies for an effect along edges, given those for the total effect.

    It is as weak as the weakest edge that it passes, and as what is set together with them. Where
    it passes all edges on the causal paths it is the total effect.
    """
    passed = _passed(question, target_edges)
    if {*path_edges(question)} <= passed:
        return effect
    tests = tuple(s for s in effect.strategies if s.kind in (Status.RANDOMIZED, Status.EXPERIMENT))
    statuses = {e: verdicts[e].status for e in sorted(passed)}
    edges_only = all("->" in key for key in estimand.keys)
    status = composite([*statuses.values(), *([] if edges_only else [effect.status])])
    if (tests and tests[0].kind == Status.RANDOMIZED) or (tests and status in WEAK):
        strategies = tests
    elif status == Status.NOT_IDENTIFIED:
        strategies = ()
    else:
        strategies = (edge_by_edge(status, statuses), *tests)
    # The hedge speaks of the total effect, which is not asked about when only edges are set.
    return replace(effect, strategies=strategies, hedge=None if edges_only else effect.hedge)


def _remedies(
    question: Question,
    estimand: Estimand,
    status: Status,
    split: Status,
    tested_pairs: Sequence[tuple[str, str]],
) -> tuple[Remedy, ...]:
    """Return what would settle the total effect, or else the split between its paths."""
    is_along_edges = any("->" in key for key in estimand.keys)
    if status in WEAK and not is_along_edges:
        return for_total(question, estimand)
    if split in WEAK and question.mediators:
        return for_split(question, tested_pairs, question.mediators)
    return ()


def _beyond_the_graph(question: Question, status: Status, split: Status) -> Iterator[str]:
    """Yield a note where every edge is identified and the effect is not."""
    if status == Status.NOT_IDENTIFIED and split not in WEAK and feeds_back(question):
        yield (
            "Each edge on the way is identified, and the way feeds back: the fitted additive "
            "model may tell the effect, the graph alone does not."
        )


def _stubborn(question: Question, paths: Sequence[Path]) -> list[str]:
    """Return the open paths without an allowed node, else one that is open given all of them."""
    allowed = {*question.compiled.words(question.allowed)}
    labels = [str(path) for path in paths if not allowed.intersection(path.nodes[1:-1])]
    if labels or question.minimal_sets:
        return labels
    ancestors = question.compiled.projection.ancestors(question.x | question.y)
    path = path_given(question, ancestors & question.allowed)
    return [str(path)] if path else []


def _split_reason(split: Status, on_path: Mapping[Edge, EdgeVerdict]) -> str:
    """Say which edges keep direct and indirect effects from being told apart."""
    weak = [e for e, v in on_path.items() if v.status == split]
    if split not in WEAK:
        return "every edge on the causal paths is identified"
    return "; ".join(f"{e}: {on_path[e].reason}" for e in weak)


def _notes(question: Question, path_count: int, target_edges: Sequence[Edge]) -> tuple[str, ...]:
    """Return notes on how to read the lists, and where they are cut short."""
    notes = []
    if question.compiled.feeds_back:
        notes.append(
            "Lagged edges feed back: the verdict holds over any number of periods, after any "
            "history, where every edge may carry over and errors may last; sets to adjust for "
            "hold all periods of a node. Implications are not listed."
        )
    else:
        notes.append("Nodes are whole series, all lags merged. Verma constraints are not listed.")
    if path_count:
        notes.append(f"There are more open paths; only the {path_count} shortest are listed.")
    if len(question.minimal_sets) > MOST_SETS:
        notes.append(f"There are more than {MOST_SETS} minimal adjustment sets; these are some.")
    if target_edges:
        notes.append("Adjustment sets and paths are those of the treatment's total effect.")
    return tuple(notes)


def _unused(
    question: Question,
    tests: Sequence[Experiment],
    own_tests: Sequence[Experiment],
    pairs: set[tuple[str, str]],
    default: str | None,
) -> Iterator[str]:
    """Yield a sentence for each experiment that is not used, with the reason."""
    for test in tests:
        tested_pairs = _tested_pairs([test], default)
        if test.design == "prior-belief":
            yield f"'{test.name}' is a prior belief: it identifies nothing."
        elif question.held and tested_pairs == [(question.treatments[0], question.outcome)]:
            names = ", ".join(question.held)
            yield f"'{test.name}' measured the effect with {names} free to react."
        elif test not in own_tests and not pairs.intersection(tested_pairs):
            yield f"'{test.name}' measured another effect and is not used."
