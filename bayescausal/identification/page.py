"""Views of an `Identification`: a page in Markdown, a plain dict and a picture."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from bayescausal.graphs.drawing import svg
from bayescausal.graphs.edge import node_names
from bayescausal.graphs.notation import Claims
from bayescausal.identification.grades import GRADES
from bayescausal.identification.paths import Path
from bayescausal.identification.status import Status

MOST_LINES = 12
"""The page cuts longer lists and says how many rows are left; `to_dict` has them all."""

_VERDICTS = {
    Status.RANDOMIZED: "Measured by a randomized test: {words}.",
    Status.BACKDOOR: "Identified: {words}.",
    Status.FRONTDOOR: "Identified by {words}.",
    Status.ID: "Identified by {words}.",
    Status.ADDITIVE: "Identified {words}.",
    Status.EXPERIMENT: "Not identified by the data alone; a test carries it: {words}.",
    Status.INSTRUMENT: "Identified only under linearity, by {words}.",
    Status.NOT_IDENTIFIED: (
        "Not identified: no amount of data on the observed nodes tells this effect."
    ),
}
_KINDS = {
    Status.ADDITIVE: "if causes add up",
    Status.ID: "ID algorithm",
    Status.INSTRUMENT: "needs linearity",
    Status.FRONTDOOR: "front door",
}


def headline(verdict: Any) -> str:
    """Return the verdict in one sentence."""
    if not verdict.strategies:
        return _VERDICTS[verdict.status]
    text, first = _VERDICTS[verdict.status], verdict.strategies[0]
    if first.edges:
        text = text.replace("by {words}", "{words}")
    return text.format(words=first.words)


def markdown(verdict: Any) -> str:
    """Return the page as Markdown."""
    t, y = ", ".join(verdict.treatments), verdict.outcome
    grade = f"Grade {verdict.grade}, {GRADES[verdict.grade].title}."
    lines = [f"# Effect of {t} on {y}", "", f"**{headline(verdict)}** {grade}"]
    for title, items in _sections(verdict, t, y):
        rows = list(items)
        if rows:
            lines += ["", f"## {title}", "", *(f"- {row}" for row in _first_rows(rows))]
    return "\n".join(lines) + "\n"


def _first_rows(rows: list[str]) -> list[str]:
    if len(rows) <= MOST_LINES:
        return rows
    return [*rows[:MOST_LINES], f"and {len(rows) - MOST_LINES} more (`to_dict()` has all)"]


def _sections(verdict: Any, t: str, y: str) -> Iterator[tuple[str, Iterable[str]]]:
    yield "What it rests on", verdict.assumptions
    alternatives = verdict.strategies[1:] if verdict.strategies else ()
    kinds = ("" if s.edges else f" ({_KINDS.get(s.kind, s.kind)})" for s in alternatives)
    yield "Also possible", (f"{s.words}{kind}" for s, kind in zip(alternatives, kinds, strict=True))
    sets = [node_list(z) for z in verdict.adjustment_sets]
    rows = [*sets[:1], *(f"or {z}" for z in sets[1:])]
    if verdict.optimal is not None and verdict.optimal not in verdict.adjustment_sets[:1]:
        rows.append(f"most precise: {node_list(verdict.optimal)}")
    yield "Adjust for", rows
    yield "Never adjust for", (f"{v}: {reason}" for v, reason in verdict.forbidden.items())
    open_labels = {str(path) for path in verdict.paths}
    opened_paths = [path for path in verdict.stubborn if path not in open_labels and not sets]
    yield (
        "Backdoor paths",
        [
            *(
                f"`{path}`: open once all that may be adjusted for is adjusted for"
                for path in opened_paths
            ),
            *(f"`{path}`: {path.words}; {fate(verdict, path)}" for path in verdict.paths),
        ],
    )
    through = [f"mediators: {', '.join(verdict.mediators)}"] if verdict.mediators else []
    if through:
        through.append(f"split between direct and indirect: {verdict.split}")
    yield "Through", through
    way = {*verdict.treatments, *verdict.mediators, y}
    ranked = sorted(verdict.edges, key=lambda e: ({*e[:2]} - way != set(), e))
    edges = (f"`{e}`: {verdict.edges[e].status}; {verdict.edges[e].reason}" for e in ranked)
    yield "Edges, those on the way first", edges
    yield "Instruments", (f"{z}" for z in verdict.instruments)
    if verdict.hedge:
        big, small = (", ".join(sorted(part)) for part in verdict.hedge)
        premise = "without additivity, " if verdict.status == Status.ADDITIVE else ""
        yield (
            "Witness",
            [
                f"{premise}a hedge, {{{small}}} inside {{{big}}}: two models that agree on all "
                f"observed data there disagree on the effect of {t} on {y}"
            ],
        )
    yield "Testable in data", (f"`{claim}`" for claim in verdict.implications)
    yield "What would settle it", (f"{r.words} Then: {r.status}." for r in verdict.remedies)
    yield "Notes", verdict.notes


def fate(verdict: Any, path: Path) -> str:
    """Say whether a backdoor path is closed, bypassed or open."""
    inner = {*path.nodes[1:-1]}
    if verdict.adjustment_sets:
        closing = inner & verdict.adjustment_sets[0]
        if closing:
            return f"closed by adjusting for {node_list(closing)}"
        return "closed once the periods are told apart"
    if verdict.status == Status.NOT_IDENTIFIED:
        closable = "open; adjusting could close it, but not another path"
        return "open" if str(path) in verdict.stubborn else closable
    if verdict.strategies and verdict.strategies[0].edges:
        return "open; edge by edge it is gone around"
    kinds = {
        Status.RANDOMIZED: "open in the data; the test goes around it",
        Status.EXPERIMENT: "open in the data; the test goes around it",
        Status.INSTRUMENT: "open; the instrument goes around it",
        Status.FRONTDOOR: "open; the front door goes around it",
    }
    return kinds.get(verdict.status, "accounted for by simulating all equations together")


def node_list(nodes: Collection[str]) -> str:
    """Return the names of a set, sorted, or ``nothing``."""
    return ", ".join(sorted(nodes)) or "nothing"


def as_dict(verdict: Any) -> dict[str, Any]:
    """Return everything in a verdict as lists, dicts and text."""
    return {
        "treatments": list(verdict.treatments),
        "outcome": verdict.outcome,
        "held": list(verdict.held),
        "estimand": repr(verdict.estimand),
        "status": str(verdict.status),
        "verdict": headline(verdict),
        "grade": str(verdict.grade),
        "strategies": [
            {
                "kind": str(s.kind),
                "words": s.words,
                "given": list(s.given),
                "through": list(s.through),
            }
            for s in verdict.strategies
        ],
        "assumptions": list(verdict.assumptions),
        "adjustment_sets": [sorted(z) for z in verdict.adjustment_sets],
        "optimal": None if verdict.optimal is None else sorted(verdict.optimal),
        "forbidden": dict(verdict.forbidden),
        "open_paths": list(verdict.open_paths),
        "stubborn": list(verdict.stubborn),
        "mediators": list(verdict.mediators),
        "split": str(verdict.split),
        "split_reason": verdict.split_reason,
        "edges": {
            str(edge): {
                "status": str(v.status),
                "reason": v.reason,
                "adjustment": [sorted(z) for z in v.adjustment],
                "instruments": [_instrument(z) for z in v.instruments],
            }
            for edge, v in verdict.edges.items()
        },
        "instruments": [_instrument(z) for z in verdict.instruments],
        "hedge": None if verdict.hedge is None else [sorted(part) for part in verdict.hedge],
        "implications": [
            {"a": c.a, "b": c.b, "given": list(c.given)} for c in verdict.implications
        ],
        "remedies": [
            {
                "action": r.action,
                "nodes": list(r.nodes),
                "words": r.words,
                "status": str(r.status),
                "settles": r.settles,
            }
            for r in verdict.remedies
        ],
        "g_computation": verdict.g_computation,
        "notes": list(verdict.notes),
    }


def _instrument(instrument: Any) -> dict[str, Any]:
    return {"node": instrument.node, "given": list(instrument.given)}


def picture(verdict: Any, adjust: Iterable[str] | None = None) -> str:
    """Return the graph as SVG with its roles; ``not identified`` edges are crossed."""
    graph = verdict.graph
    if adjust is None:
        adjust = verdict.adjustment_sets[0] if verdict.adjustment_sets else ()
    chosen = {*node_names("adjust", adjust)}
    graph.restrict([*chosen, verdict.outcome])  # raises for an unknown name, with advice
    roles = dict.fromkeys(sorted(verdict.forbidden), "do not adjust")
    roles |= dict.fromkeys(sorted(chosen), "adjust for")
    roles |= dict.fromkeys(verdict.mediators, "mediator")
    roles |= dict.fromkeys(verdict.held, "held")
    roles |= dict.fromkeys(verdict.treatments, "treatment")
    roles[verdict.outcome] = "outcome"
    crossed = {e[:2] for e, v in verdict.edges.items() if v.status == Status.NOT_IDENTIFIED}
    claims = Claims(
        [tuple(e) for e in graph.edges],
        list(graph.bidirected),
        sorted(graph.latent),
        list(graph.outcomes),
        list(graph.isolated),
    )
    return svg(claims, graph.order, roles, crossed & {e[:2] for e in graph.edges})
