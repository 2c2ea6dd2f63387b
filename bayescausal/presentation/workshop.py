"""`workshop` turns what the graph cannot know into questions for the people who do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from bayescausal import checks
from bayescausal.errors import GraphError
from bayescausal.experiments.estimand import incremental
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph
from bayescausal.graphs.notation import Claims, write_text
from bayescausal.identification.edges import edge_verdicts
from bayescausal.identification.identification import Identification
from bayescausal.identification.page import MOST_LINES, fate, headline
from bayescausal.identification.question import as_graph, ask
from bayescausal.identification.status import Status, weakest
from bayescausal.identification.totals import composed, path_edges, total
from bayescausal.identification.verdicts import identify
from bayescausal.presentation.formatting import code, listed

_BLANK = "_" * 40
_STATUS = {
    Status.BACKDOOR: "identified by adjustment",
    Status.FRONTDOOR: "identified by the front door",
    Status.ID: "identified by simulating all equations together",
    Status.ADDITIVE: "identified edge by edge, if causes add up",
    Status.INSTRUMENT: "identified only under linearity",
    Status.NOT_IDENTIFIED: Status.NOT_IDENTIFIED,
}


@dataclass(frozen=True)
class _Question:
    """A question, what the graph says about it, and what an answer would change."""

    words: str
    changes: tuple[str, ...] = ()

    def lines(self, number: int) -> Iterator[str]:
        """Yield the item of a numbered list, what belongs to it as far in as its text."""
        inner = " " * len(f"{number}. ")
        yield f"{number}. {self.words}"
        yield f"{inner}- Answer: {_BLANK}"
        yield from (f"{inner}- {change}" for change in self.changes)


def workshop(graph: Graph, treatments: str | Iterable[str]) -> str:
    """Return the questions on which the effects rest, for the people who set the budgets.

    Derived from the graph, not a fixed list: every missing arrow or ``<->`` that could matter is
    asked about, with the line of the graph that a "yes" would add and the verdict that follows,
    as `identify` gives it when every plan may react. It asks; it tests nothing.

    Parameters
    ----------
    graph : Graph
    treatments : str or sequence of str

    Returns
    -------
    str
        Markdown, with a line for each answer.

    Raises
    ------
    GraphError
        No treatment, an unknown or latent one, one that reaches no outcome, or no outcome.

    Examples
    --------
    >>> asked = workshop(Graph.parse("tv -> sales", outcome="sales"), "tv")
    >>> print(*[line for line in asked.splitlines() if "<->" in line])
       - If yes, write `sales <-> tv`: the total effect would be not identified.
    """
    graph = as_graph("workshop", graph)
    names = tuple(sorted(checks.names("treatments", treatments)))
    if not names:
        raise GraphError(
            f"workshop asks about treatments; none was given. Nodes: {', '.join(graph.nodes)}."
        )
    pairs = [(t, y) for t in names for y in _outcomes(graph, t)]
    verdicts = {pair: identify(graph, incremental(pair[0], outcome=pair[1])) for pair in pairs}
    lines = [
        "# Questions before the numbers",
        "",
        "Write an answer to each: a yes, a no, or who knows it. Below it stands what an answer",
        "would change in the text of the graph, and the verdict that would follow.",
    ]
    for (t, y), verdict in verdicts.items():
        lines += ["", f"## Effect of {code(t)} on {code(y)}", "", f"Now: {_summary(verdict)}", ""]
        for number, question in enumerate(_about_one(verdict, t), 1):
            lines += question.lines(number)
    pair_questions = list(_about_pairs(graph, names))
    if pair_questions:
        lines += ["", "## Treatments together", ""]
        for number, question in enumerate(pair_questions, 1):
            lines += question.lines(number)
    return "\n".join(lines) + "\n"


def _outcomes(graph: Graph, treatment: str) -> list[str]:
    """Return the outcomes that a treatment reaches; the first when it reaches none."""
    descendants = graph.descendants(treatment)
    return (
        [y for y in graph.outcomes if y in descendants] or [*graph.outcomes[:1]] or [graph.outcome]
    )


def _summary(verdict: Identification) -> str:
    words = _plain(headline(verdict).removesuffix("."))
    split = f"; direct and indirect parts {_STATUS[verdict.split]}" if verdict.mediators else ""
    return f"{words}{split}."


def _about_one(verdict: Identification, t: str) -> Iterator[_Question]:
    yield from _why_high(verdict, t)
    yield from _open_paths(verdict)
    yield from _unobserved(verdict, t)
    yield from _mediators(verdict, t)
    yield from _instruments(verdict, t)
    yield from _edges(verdict, t)


def _why_high(verdict: Identification, t: str) -> Iterator[_Question]:
    graph, y = verdict.graph, verdict.outcome
    parents = graph.parents(t)
    reasons = f"The graph says: {_codes(parents)}." if parents else "The graph names no reason."
    past = [v for v in (y, *verdict.mediators) if v not in parents]
    descendants = {t, *graph.descendants(t)}
    drivers = [
        v
        for v in graph.observed
        if v in graph.ancestors(y) and v not in descendants and v not in parents
    ]
    changes = [
        *_consequences(verdict, [(v, t, 1) for v in past], "If the budget followed the past"),
        *_consequences(verdict, [(v, t, 0) for v in drivers], "If it was the reason"),
        "If it was something that is not in the graph (a season, a holiday, a planner's rule) "
        f"and moves {code(y)} too: add it as a node with arrows to both, and its column.",
    ]
    yield _Question(
        f"Why was {code(t)} high in the periods when it was high? {reasons}", (*changes,)
    )


def _open_paths(verdict: Identification) -> Iterator[_Question]:
    chosen = verdict.adjustment_sets[0] if verdict.adjustment_sets else frozenset[str]()
    for path in verdict.paths[:MOST_LINES]:
        closing = sorted(chosen.intersection(path.nodes[1:-1]))
        changes = ["If an arrow of it is not real, delete it from the graph."]
        if closing:
            changes.append(
                f"If {_codes(closing)} is not measured as the graph means it, declare it: "
                f"{code(write_text(Claims(latent=closing)))}."
            )
        description = _plain(f"({path.words})? It is {fate(verdict, path)}.")
        yield _Question(f"Is the path {code(str(path))} real {description}", (*changes,))
    remainder = len(verdict.paths) - MOST_LINES
    if remainder > 0:
        yield _Question(
            f"{remainder} longer open paths are not asked about here; "
            "`identify(...).open_paths` lists them. Does one of them rest on an arrow that is "
            "not real?"
        )


def _unobserved(verdict: Identification, t: str) -> Iterator[_Question]:
    graph, y = verdict.graph, verdict.outcome
    with_t = [(t, v) for v in (y, *verdict.mediators)]
    with_y = [(m, y) for m in verdict.mediators]
    for a, b in [*with_t, *with_y, *combinations(verdict.mediators, 2)]:
        if hidden := _hidden(graph, a, b):
            yield _Question(
                f"The graph says that something unobserved moves both {code(a)} and {code(b)}"
                f"{hidden}. What is it, since when, and who could measure it?",
                tuple(_plain(remedy.words) for remedy in verdict.remedies),
            )
            continue
        yield _Question(
            f"Does anything unobserved move both {code(a)} and {code(b)}? The graph says no.",
            tuple(_consequences(verdict, [(a, b)], "If yes")),
        )


def _hidden(graph: Graph, a: str, b: str) -> str:
    """Name the unobserved cause of a pair, ``""`` when the graph has none."""
    if not any({a, b} <= {*group} for group in graph.common_causes):
        return ""
    shared = {*graph.ancestors(a)} & {*graph.ancestors(b)} & graph.latent
    return f": {_codes(shared)}" if shared else " (a bare `<->`)"


def _mediators(verdict: Identification, t: str) -> Iterator[_Question]:
    graph, y = verdict.graph, verdict.outcome
    way = (*verdict.mediators, y)
    targets = [v for v in way if v not in graph.children(t)]
    for v in targets:
        through = [m for m in verdict.mediators if m in graph.children(t)]
        yield _Question(
            f"Does {code(t)} move {code(v)} in a way other than through {_codes(through)}? The "
            "graph says no.",
            tuple(_consequences(verdict, [(t, v, 0)], "If yes")),
        )
    for m in verdict.mediators:
        descendants = {m, *graph.descendants(m)}
        causes = [
            v
            for v in graph.observed
            if v not in descendants and v not in graph.parents(m) and v in graph.ancestors(y)
        ]
        yield _Question(
            f"What else moves {code(m)}? The graph says: {_codes(graph.parents(m))}.",
            tuple(_consequences(verdict, [(v, m, 0) for v in causes], "If it does")),
        )


def _instruments(verdict: Identification, t: str) -> Iterator[_Question]:
    on_way = (verdict.edges[e].instruments for e in path_edges(verdict.question))
    instruments = {*verdict.instruments, *(z for several in on_way for z in several)}
    for node in sorted({z.node for z in instruments} - {t}):
        y = verdict.outcome
        changes: list[tuple[str, str, int] | tuple[str, str]] = []
        if y not in verdict.graph.children(node):
            changes.append((node, y, 0))
        if not _hidden(verdict.graph, node, y):
            changes.append((node, y))
        yield _Question(
            f"{code(node)} can serve as an instrument only if it moves {code(y)} through "
            f"{code(t)} alone, and shares no cause with it. Is that so? Data cannot tell.",
            tuple(_consequences(verdict, changes, "If not")),
        )


def _edges(verdict: Identification, t: str) -> Iterator[_Question]:
    graph, y = verdict.graph, verdict.outcome
    descendants, ancestors = {t, *graph.descendants(t)}, {y, *graph.ancestors(y)}
    for edge in graph.edges:
        a, b, lag = edge
        if a in (b, y) or b == t or not {a, b} <= descendants & ancestors:
            continue
        edge_code = code(_text((a, b, lag)))
        if lag:
            words = f"{edge_code}: is there really no effect before {lag} periods have passed?"
            change = f"If there is one at once, write {code(_text((a, b, 0)))}"
        else:
            words = f"{edge_code}: can it act within the same period?"
            change = f"If the first effect comes a period later, write {code(_text((a, b, 1)))}"
        # Why the treatment was high is question 1, so an edge back to it is not asked again here.
        is_settled = a == t or a in graph.children(b)
        reversed_edge = [] if is_settled else [(b, a, 1)]
        changes = [
            f"{change} in its place.",
            *_consequences(verdict, reversed_edge, "If it also runs back"),
        ]
        yield _Question(words, (*changes,))


def _about_pairs(graph: Graph, names: Collection[str]) -> Iterator[_Question]:
    unrelated = []
    for a, b in combinations(names, 2):
        shared = sorted({*graph.ancestors(a)} & {*graph.ancestors(b)})
        ties = [f"both follow {_codes(shared)}"] if shared else []
        if hidden := _hidden(graph, a, b):
            ties.append(f"something unobserved moves both{hidden}")
        for first, second in ((a, b), (b, a)):
            if second in graph.children(first):
                ties.append(f"{code(first)} moves {code(second)}")
        if not ties:
            unrelated.append((a, b))
            continue
        yield _Question(
            f"{code(a)} and {code(b)}: {listed(ties)}. When did one run without the other?",
            ("If never, the data tell only what both do together: plan a test of one of them.",),
        )
    if unrelated:
        pairs = listed(f"{code(a)} and {code(b)}" for a, b in unrelated)
        lines = ", ".join(code(_text(pair)) for pair in unrelated)
        yield _Question(
            f"The graph says that nothing ties these plans together: {pairs}. Is that so?",
            (f"If one plan or budget moves both: {lines}, or that plan as a node.",),
        )


def _consequences(
    verdict: Identification,
    additions: Iterable[tuple[str, str, int] | tuple[str, str]],
    condition: str,
) -> Iterator[str]:
    """Yield what each edge ``(a, b, lag)`` or pair ``(a, b)`` alone would change, by verdict."""
    by_verdict: dict[str, list[str]] = {}
    graph = verdict.graph
    today = replace(graph, edges=tuple(e for e in graph.edges if not e.lag), isolated=graph.nodes)
    for added in additions:
        if len(added) == 3 and added[0] in today.descendants(added[1]):
            added = (*added[:2], max(1, added[2]))  # within one period it would close a cycle
            if added in graph.edges:
                continue
        by_verdict.setdefault(_consequence(verdict, added), []).append(code(_text(added)))
    for words, lines in by_verdict.items():
        yield f"{condition}, write {listed(lines, last='or')}: {words}."


def _consequence(verdict: Identification, added: tuple[str, str, int] | tuple[str, str]) -> str:
    graph = verdict.graph
    if len(added) == 3:
        changed = replace(graph, edges=(*graph.edges, Edge(*added)))
    else:
        changed = replace(graph, bidirected=(*graph.bidirected, added))
    status, split = _statuses(changed, verdict)
    words = []
    if status != verdict.status:
        words.append(f"the total effect would be {_STATUS[status]}")
    if split != verdict.split and verdict.mediators:
        words.append(f"the direct and indirect parts would be {_STATUS[split]}")
    if words:
        return " and ".join(words)
    if status == Status.BACKDOOR and len(added) == 3 and added[1] in verdict.treatments:
        return f"one more reason to adjust for; still {_STATUS[status]}"
    return f"still {_STATUS[status]}"


def _statuses(graph: Graph, verdict: Identification) -> tuple[Status, Status]:
    """Return the status of the total effect and of the split, as `identify` would."""
    question = ask(graph, verdict.estimand)
    verdicts = edge_verdicts(question.compiled, path_edges(question))
    status = composed(question, total(question, verdict.estimand), verdicts).status
    return status, weakest(v.status for v in verdicts.values())


def _text(claim: tuple[str, str, int] | tuple[str, str]) -> str:
    """Write one claim in the grammar of the graph."""
    if len(claim) == 3:
        return write_text(Claims([claim]))
    return write_text(Claims(bidirected=[(min(claim), max(claim))]))


def _codes(names: Iterable[str]) -> str:
    return listed(map(code, sorted(names)))


def _plain(words: str) -> str:
    """Escape what Markdown could read as markup."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>~|&" else c for c in words)
