"""Checks that turn what a user asks into a `Question`, with errors that name the problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from bayescausal import checks
from bayescausal.errors import GraphError, did_you_mean, shown
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.edge import Edge, node_names
from bayescausal.graphs.graph import Graph
from bayescausal.identification.adjustment import Question
from bayescausal.identification.compiled import Compiled
from bayescausal.identification.paths import forbidden, path_given


def as_graph(verb: str, graph: Any) -> Graph:
    """Return the graph, or raise an error that says how to get a graph from the value."""
    if isinstance(graph, Graph):
        return graph
    advice = "Write Graph.parse('tv -> sales', outcome='sales')."
    if hasattr(graph, "spec"):
        advice = f"Write {verb}(fit.spec.graph, ...)."
    elif hasattr(graph, "graph"):
        advice = f"Write {verb}(spec.graph, ...)."
    raise GraphError(f"{verb} asks a Graph; got {shown(graph)}. {advice}")


def ask(graph: Graph, estimand: Estimand, held: Iterable[str] = ()) -> Question:
    """Return the question that an estimand puts to a graph, or raise a GraphError."""
    held = tuple(sorted(checks.names("held", held)))
    outcome = estimand.outcome or graph.outcome
    for node in (outcome, *estimand.treatments, *held):
        graph.parents(node)  # raises for an unknown name, with advice
    if outcome in graph.latent:
        raise GraphError(
            f"The outcome '{outcome}' is latent: there are no data to tell an effect on it. Name "
            f"an observed outcome ({', '.join(graph.observed)}), or observe '{outcome}'."
        )
    for node in (*estimand.treatments, *held):
        if node in graph.latent:
            raise GraphError(
                f"'{node}' is latent; it cannot be set. Name an observed treatment: "
                f"{', '.join(v for v in graph.observed if v != outcome)}."
            )
        if node == outcome:
            raise GraphError(
                f"'{node}' is both treatment and outcome. Name another outcome with "
                f"incremental('{node}').on(...), or another treatment."
            )
    if twice := sorted(set(held).intersection(estimand.treatments)):
        raise GraphError(
            f"'{twice[0]}' is asked about and held: a plan that is changed is not held. Leave it "
            "out of `held`."
        )
    intervened_graph = graph.do(held) if held else graph
    for node in estimand.treatments:
        if outcome not in intervened_graph.descendants(node):
            condition = f" once {', '.join(held)} is held" if held else ""
            raise GraphError(
                f"There is no directed path from '{node}' to '{outcome}'{condition}, so the effect "
                "is zero by your graph. Add the missing edge, or ask for another effect."
            )
    return Question(Compiled(graph), estimand.treatments, outcome, held)


def asked_edges(question: Question, estimand: Estimand) -> tuple[Edge, ...]:
    """Return the edges that an estimand sets, or raise when one is not in the graph."""
    edges = question.compiled.edges
    target_edges = tuple(Edge.parse(key) for key in estimand.keys if "->" in key)
    for edge in target_edges:
        if edge not in edges:
            labels = [str(e) for e in edges]
            raise GraphError(
                f"do({edge}=...): there is no such edge among observed nodes. Edges: "
                f"{', '.join(labels)}.{did_you_mean(str(edge), labels)}"
            )
        if edge.target != question.outcome and question.outcome not in (
            question.compiled.graph.descendants(edge.target)
        ):
            raise GraphError(
                f"There is no directed path from '{edge.target}' to '{question.outcome}', so the "
                f"effect along {edge} is zero by your graph."
            )
    return target_edges


def as_estimand(estimand: Estimand | str) -> Estimand:
    """Return an estimand; the name of a treatment stands for ``incremental(name)``."""
    if isinstance(estimand, str):
        return incremental(estimand)
    if isinstance(estimand, Estimand):
        return estimand
    raise GraphError(
        f"A question is an Estimand or the name of a treatment; got {shown(estimand)}. Write "
        "incremental('tv'), or Estimand(active={'tv': Times(1.1)})."
    )


def is_removal(estimand: Estimand) -> bool:
    """Return whether an estimand takes treatments away: factual against ``do(x = 0)``.

    Examples
    --------
    >>> is_removal(incremental("tv")), is_removal(incremental("tv").reversed())
    (True, False)
    """
    if estimand.active or not estimand.control or estimand.off_panel:
        return False
    values = estimand.control.values()
    return not any("->" in key for key in estimand.control) and all(
        not callable(value) and not any(_numbers(value)) for value in values
    )


def _numbers(value: Any) -> Iterable[Any]:
    """Return the numbers of a value that is set: one, or those of an array."""
    if not isinstance(value, tuple | list):
        return [value]
    return chain.from_iterable(map(_numbers, value))


def check_experiments(graph: Graph, experiments: Any) -> None:
    """Raise unless each value is an Experiment whose nodes are all in the graph."""
    if isinstance(experiments, str | Mapping) or not isinstance(experiments, Iterable):
        raise GraphError(f"experiments is a list of Experiment values; got {shown(experiments)}.")
    for test in experiments:
        if not isinstance(test, Experiment):
            raise GraphError(f"experiments takes Experiment values; got {shown(test)}.")
        nodes = [*test.estimand.treatments]
        nodes += [test.estimand.outcome] if test.estimand.outcome else []
        for node in nodes:
            if node not in graph.nodes:
                raise GraphError(
                    f"Experiment '{test.name}': '{node}' is not in the graph. Nodes: "
                    f"{', '.join(graph.nodes)}.{did_you_mean(node, graph.nodes)}"
                )


def check_adjustment(question: Question, nodes: Iterable[str]) -> None:
    """Raise a GraphError unless `nodes` are an adjustment set; the message names a path."""
    names = tuple(sorted({*node_names("nodes", nodes)}))
    graph, compiled = question.compiled.graph, question.compiled
    t, y = ", ".join(question.treatments), question.outcome
    for node in names:
        graph.parents(node)  # raises for an unknown name, with advice
        if node in graph.latent:
            raise GraphError(f"'{node}' is latent: there are no data to adjust for it.")
        if node in (*question.treatments, *question.held, y):
            raise GraphError(f"'{node}' is part of the question; it is not adjusted for.")
    mask = compiled.bits(names)
    reasons = forbidden(question)
    if offenders := compiled.words(mask & ~question.allowed):
        raise GraphError(
            f"Do not adjust for '{offenders[0]}' when the effect of {t} on {y} is asked: it is "
            f"{reasons[offenders[0]].removeprefix('it is ')}."
            if reasons[offenders[0]].startswith("a ")
            else f"Do not adjust for '{offenders[0]}': {reasons[offenders[0]]}."
        )
    if question.separates(mask):
        return
    path = path_given(question, mask)
    sets = ["{" + ", ".join(compiled.words(z)) + "}" for z in question.minimal_sets[:3]]
    advice = f"Adjustment sets: {'; '.join(sets)}." if sets else "No adjustment set exists."
    if path is not None and path.colliders:
        at_node = path.colliders[0]
        raise GraphError(
            f"Adjusting for {', '.join(names)} opens {path}: '{at_node}' is a collider there. "
            f"{advice}"
        )
    chosen = f"Given {', '.join(names)}" if names else "With nothing adjusted for"
    raise GraphError(f"{chosen} the path {path} stays open. {advice}")
