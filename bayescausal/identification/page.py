"""A verdict as a page, as a plain dict and as a picture; each takes an `Identification`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from bayescausal.graphs.drawing import svg
from bayescausal.graphs.notation import Claims
from bayescausal.identification.grades import GRADES
from bayescausal.identification.paths import Path

MOST_LINES = 12
"""Longer lists are cut on the page, with the number that is left; `to_dict` has all."""

_VERDICTS = {
    "randomized": "Measured by a randomized test: {words}.",
    "backdoor": "Identified: {words}.",
    "frontdoor": "Identified by {words}.",
    "id": "Identified by {words}.",
    "additive": "Identified {words}.",
    "experiment": "Not identified by the data alone; a test carries it: {words}.",
    "instrument": "Identified only under linearity, by {words}.",
    "not identified": "Not identified: no amount of data on the observed nodes tells this effect.",
}
_KINDS = {
    "additive": "if causes add up",
    "id": "ID algorithm",
    "instrument": "needs linearity",
    "frontdoor": "front door",
}


def headline(found: Any) -> str:
    """Return the verdict in one sentence."""
    if not found.strategies:
        return _VERDICTS[found.status]
    text, first = _VERDICTS[found.status], found.strategies[0]
    if first.edges:
        text = text.replace("by {words}", "{words}")
    return text.format(words=first.words)


def markdown(found: Any) -> str:
    """Return the page as Markdown."""
    t, y = ", ".join(found.treatments), found.outcome
    grade = f"Grade {found.grade}, {GRADES[found.grade].title}."
    lines = [f"# Effect of {t} on {y}", "", f"**{headline(found)}** {grade}"]
    for title, items in _sections(found, t, y):
        rows = list(items)
        if rows:
            lines += ["", f"## {title}", "", *(f"- {row}" for row in _short(rows))]
    return "\n".join(lines) + "\n"


def _short(rows: list[str]) -> list[str]:
    if len(rows) <= MOST_LINES:
        return rows
    return [*rows[:MOST_LINES], f"and {len(rows) - MOST_LINES} more (`to_dict()` has all)"]


def _sections(found: Any, t: str, y: str) -> Iterator[tuple[str, Iterable[str]]]:
    yield "What it rests on", found.assumptions
    others = found.strategies[1:] if found.strategies else ()
    kinds = ("" if s.edges else f" ({_KINDS.get(s.kind, s.kind)})" for s in others)
    yield "Also possible", (f"{s.words}{kind}" for s, kind in zip(others, kinds, strict=True))
    sets = [named(z) for z in found.adjustment_sets]
    rows = [*sets[:1], *(f"or {z}" for z in sets[1:])]
    if found.optimal is not None and found.optimal not in found.adjustment_sets[:1]:
        rows.append(f"most precise: {named(found.optimal)}")
    yield "Adjust for", rows
    yield "Never adjust for", (f"{v}: {why}" for v, why in found.forbidden.items())
    known = {str(path) for path in found.paths}
    late = [path for path in found.stubborn if path not in known and not sets]
    yield (
        "Backdoor paths",
        [
            *(f"`{path}`: open once all that may be adjusted for is adjusted for" for path in late),
            *(f"`{path}`: {path.words}; {fate(found, path)}" for path in found.paths),
        ],
    )
    through = [f"mediators: {', '.join(found.mediators)}"] if found.mediators else []
    if through:
        through.append(f"split between direct and indirect: {found.split}")
    yield "Through", through
    way = {*found.treatments, *found.mediators, y}
    ranked = sorted(found.edges, key=lambda e: ({*e[:2]} - way != set(), e))
    edges = (f"`{e}`: {found.edges[e].status}; {found.edges[e].reason}" for e in ranked)
    yield "Edges, those on the way first", edges
    yield "Instruments", (f"{z}" for z in found.instruments)
    if found.hedge:
        big, small = (", ".join(sorted(part)) for part in found.hedge)
        free = "without additivity, " if found.status == "additive" else ""
        yield (
            "Witness",
            [
                f"{free}a hedge, {{{small}}} inside {{{big}}}: two models that agree on all "
                f"observed data there disagree on the effect of {t} on {y}"
            ],
        )
    yield "Testable in data", (f"`{claim}`" for claim in found.implications)
    yield "What would settle it", (f"{r.words} Then: {r.status}." for r in found.remedies)
    yield "Notes", found.notes


def fate(found: Any, path: Path) -> str:
    """Say what becomes of a backdoor path: closed, gone around, or open."""
    inner = {*path.nodes[1:-1]}
    if found.adjustment_sets:
        closing = inner & found.adjustment_sets[0]
        if closing:
            return f"closed by adjusting for {named(closing)}"
        return "closed once the periods are told apart"
    if found.status == "not identified":
        closable = "open; adjusting could close it, but not another path"
        return "open" if str(path) in found.stubborn else closable
    if found.strategies and found.strategies[0].edges:
        return "open; edge by edge it is gone around"
    kinds = {
        "randomized": "open in the data; the test goes around it",
        "experiment": "open in the data; the test goes around it",
        "instrument": "open; the instrument goes around it",
        "frontdoor": "open; the front door goes around it",
    }
    return kinds.get(found.status, "accounted for by simulating all equations together")


def named(nodes: Collection[str]) -> str:
    """Return the names of a set, sorted, or ``nothing``."""
    return ", ".join(sorted(nodes)) or "nothing"


def as_dict(found: Any) -> dict[str, Any]:
    """Return everything in a verdict as lists, dicts and text."""
    return {
        "treatments": list(found.treatments),
        "outcome": found.outcome,
        "held": list(found.held),
        "estimand": repr(found.estimand),
        "status": found.status,
        "verdict": headline(found),
        "grade": found.grade,
        "strategies": [
            {"kind": s.kind, "words": s.words, "given": list(s.given), "through": list(s.through)}
            for s in found.strategies
        ],
        "assumptions": list(found.assumptions),
        "adjustment_sets": [sorted(z) for z in found.adjustment_sets],
        "optimal": None if found.optimal is None else sorted(found.optimal),
        "forbidden": dict(found.forbidden),
        "open_paths": list(found.open_paths),
        "stubborn": list(found.stubborn),
        "mediators": list(found.mediators),
        "split": found.split,
        "split_reason": found.split_reason,
        "edges": {
            str(edge): {
                "status": v.status,
                "reason": v.reason,
                "adjustment": [sorted(z) for z in v.adjustment],
                "instruments": [_instrument(z) for z in v.instruments],
            }
            for edge, v in found.edges.items()
        },
        "instruments": [_instrument(z) for z in found.instruments],
        "hedge": None if found.hedge is None else [sorted(part) for part in found.hedge],
        "implications": [{"a": c.a, "b": c.b, "given": list(c.given)} for c in found.implications],
        "remedies": [
            {
                "action": r.action,
                "nodes": list(r.nodes),
                "words": r.words,
                "status": r.status,
                "settles": r.settles,
            }
            for r in found.remedies
        ],
        "g_computation": found.g_computation,
        "notes": list(found.notes),
    }


def _instrument(found: Any) -> dict[str, Any]:
    return {"node": found.node, "given": list(found.given)}


def picture(found: Any, adjust: Iterable[str] | None = None) -> str:
    """Return the graph as SVG with its roles; ``not identified`` edges are crossed."""
    graph = found.graph
    if adjust is None:
        adjust = found.adjustment_sets[0] if found.adjustment_sets else ()
    chosen = {adjust} if isinstance(adjust, str) else set(adjust)
    graph.restrict([*chosen, found.outcome])  # raises for an unknown name, with advice
    roles = dict.fromkeys(sorted(found.forbidden), "do not adjust")
    roles |= dict.fromkeys(sorted(chosen), "adjust for")
    roles |= dict.fromkeys(found.mediators, "mediator")
    roles |= dict.fromkeys(found.held, "held")
    roles |= dict.fromkeys(found.treatments, "treatment")
    roles[found.outcome] = "outcome"
    crossed = {e[:2] for e, v in found.edges.items() if v.status == "not identified"}
    claims = Claims(
        [tuple(e) for e in graph.edges],
        list(graph.bidirected),
        sorted(graph.latent),
        list(graph.outcomes),
        list(graph.isolated),
    )
    return svg(claims, graph.order, roles, crossed & {e[:2] for e in graph.edges})
