"""A graph as a standalone SVG: a small layered layout, causes at the left, effects at the right.

The layers and the order within them follow Sugiyama, Tagawa and Toda (1981), Methods for visual
understanding of hierarchical system structures. The same graph always gives the same text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape
from itertools import pairwise
from math import hypot
from typing import NamedTuple
from unicodedata import east_asian_width

from bayescausal.specs.parse import Claims

_HEIGHT, _ROW, _LANE, _GAP, _MARGIN = 34, 60, 34, 84, 18
_INK, _SOFT, _CONFOUNDED, _OUTCOME = "#1e293b", "#64748b", "#b45309", "#1d4ed8"
_CAPTIONS = {
    "treatment": "#047857",
    "outcome": _OUTCOME,
    "mediator": "#7c3aed",
    "adjust for": "#0e7490",
    "held": "#475569",
    "do not adjust": "#b91c1c",
}
_CROSSED, _CROSS = "#b91c1c", "\u2715"

type _Point = tuple[float, float]
type _Pair = tuple[str, str]
type _Key = str | tuple[str, str, int]  # a node, or the bend of a long edge in a layer


class _Box(NamedTuple):
    x: float
    y: float
    width: float


class _Stroke(NamedTuple):
    points: list[_Point]  # of a Bezier curve: end, (control, control, end) ...
    label: str = ""
    label_at: float = 0.5  # of its middle piece
    confounding: bool = False
    crossed: bool = False


def svg(
    claims: Claims,
    order: Sequence[str],
    roles: Mapping[str, str] | None = None,
    crossed: Collection[_Pair] = (),
) -> str:
    """Draw a graph: latents dashed, outcomes filled, ``<->`` dashed, lags as labels ``@1``.

    A role stands as a caption below its node (``treatment``, ``mediator``, ``adjust for``, ...)
    and colors its border; the edges in `crossed` are red and carry a cross, with a legend below.

    Examples
    --------
    >>> svg(Claims([("tv", "sales", 0)], outcomes=["sales"]), ["tv", "sales"])[:4]
    '<svg'
    """
    rank = {node: i for i, node in enumerate(order)}
    lags: dict[_Pair, list[int]] = {}
    for source, target, lag in claims.edges:
        lags.setdefault((source, target), []).append(lag)
    forward = {pair for pair in lags if rank[pair[0]] < rank[pair[1]]}
    layers = _layers(order, forward)
    boxes = _boxes(_columns(layers, sorted(forward)))
    roles = roles or {}
    floor = max(box.y for box in boxes.values()) + _HEIGHT
    strokes = []
    for (a, b), found in sorted(lags.items()):
        label = ", ".join(f"@{lag}" for lag in found) if any(found) else ""
        bad = (a, b) in crossed
        if (a, b) in forward:
            bends = [boxes[a, b, i] for i in range(layers[a] + 1, layers[b])]
            points = _forward([boxes[a], *bends, boxes[b]])
            strokes.append(_Stroke(points, label, 0.3, crossed=bad))
        else:
            strokes.append(_Stroke(_feedback(boxes[a], boxes[b], floor), label, crossed=bad))
            floor += 24 * (a != b)
    shown = [boxes[v] for v in order]
    for a, b in claims.bidirected:
        strokes.append(_Stroke(_arc(boxes[a], boxes[b], shown), confounding=True))
    nodes = [
        _node(v, boxes[v], v in claims.latent, v in claims.outcomes, roles.get(v, ""))
        for v in order
    ]
    corners = [(b.x + i * b.width / 2, b.y + i * _HEIGHT / 2) for b in shown for i in (-1, 1)]
    pieces = [piece for stroke in strokes for piece in _pieces(stroke.points)]
    xs, ys = zip(*corners, *(_on(piece, t / 4) for piece in pieces for t in range(5)), strict=True)
    left, top = min(xs) - _MARGIN, min(ys) - _MARGIN
    width, height = max(xs) + _MARGIN - left, max(ys) + _MARGIN - top
    legend = ""
    if crossed:
        legend = (
            f'<text x="{left + 10:.1f}" y="{top + height + 4:.1f}" font-size="11" fill="{_INK}" '
            f'text-anchor="start">{_CROSS} not identified from data</text>'
        )
        width, height = max(width, 190.0), height + 16
    height += 8 * bool(roles)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{left:.1f} {top:.1f} {width:.1f} {height:.1f}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13" text-anchor="middle">'
        f"<title>Causal graph of {escape(', '.join(sorted(order)))}</title>"
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8" '
        f'fill="#fff"/>{"".join(map(_curve, strokes))}{"".join(nodes)}{legend}</svg>'
    )


def _layers(order: Sequence[str], forward: set[_Pair]) -> dict[str, int]:
    """Longest path from a root; a root itself stands just before its first effect."""
    layers: dict[str, int] = {}
    for v in order:
        layers[v] = max((layers[a] + 1 for a, b in forward if b == v), default=0)
    for v in {a for a, _ in forward} - {b for _, b in forward}:
        layers[v] = min(layers[b] for a, b in forward if a == v) - 1
    return layers


def _columns(layers: dict[str, int], forward: list[_Pair]) -> list[list[_Key]]:
    """Nodes and bends by layer, each at the mean of its neighbors, swept until crossings settle."""
    columns: list[list[_Key]] = [[] for _ in range(max(layers.values()) + 1)]
    near: dict[_Key, list[_Key]] = {v: [] for v in layers}
    for v, layer in layers.items():
        columns[layer].append(v)
    for a, b in forward:
        bends: list[_Key] = [(a, b, i) for i in range(layers[a] + 1, layers[b])]
        for layer, bend in enumerate(bends, layers[a] + 1):
            columns[layer].append(bend)
        for left, right in pairwise([a, *bends, b]):
            near.setdefault(left, []).append(right)
            near.setdefault(right, []).append(left)
    place = {key: i - len(column) / 2 for column in columns for i, key in enumerate(column)}
    for sweep in range(12):
        for column in columns if sweep % 2 else reversed(columns):
            column.sort(key=lambda key: sum(place[k] for k in near[key]) / (len(near[key]) or 1))
            place.update((key, i - len(column) / 2) for i, key in enumerate(column))
    return columns


def _boxes(columns: list[list[_Key]]) -> dict[_Key, _Box]:
    boxes, left = {}, 0.0
    for column in columns:
        texts = [_text_width(key) + 30 if isinstance(key, str) else 0.0 for key in column]
        widths = [text or max(texts) for text in texts]  # a bend passes its whole column
        heights = [_ROW if isinstance(key, str) else _LANE for key in column]
        y = -sum(heights) / 2
        for key, width, height in zip(column, widths, heights, strict=True):
            boxes[key] = _Box(left + max(widths) / 2, y + height / 2, width)
            y += height
        left += max(widths) + _GAP
    return boxes


def _text_width(text: str) -> float:
    return sum(14.0 if east_asian_width(c) in "WF" else 7.8 for c in text)


def _forward(boxes: list[_Box]) -> list[_Point]:
    points = [(boxes[0].x + boxes[0].width / 2, boxes[0].y)]
    for a, b in pairwise(boxes):
        start, end = points[-1][0], b.x - b.width / 2
        bend = (end - start) / 2
        points += [(start + bend, a.y), (end - bend, b.y), (end, b.y)]
        if b is not boxes[-1]:
            points += [(b.x, b.y), (b.x, b.y), (b.x + b.width / 2, b.y)]
    return points


def _feedback(a: _Box, b: _Box, floor: float) -> list[_Point]:
    if a == b:  # a loop above the node
        x, y = a.x + a.width / 4, a.y - _HEIGHT / 2 + 0.5
        return [(x - 8, y), (x - 20, y - 34), (x + 20, y - 34), (x + 8, y)]
    below = _HEIGHT / 2
    return [(a.x, a.y + below), (a.x, floor + 24), (b.x, floor + 24), (b.x, b.y + below)]


def _arc(a: _Box, b: _Box, shown: Sequence[_Box]) -> list[_Point]:
    if a.x == b.x:  # of one layer: bow to the left
        far = min(a.x - a.width / 2, b.x - b.width / 2) - 18 - abs(a.y - b.y) / 4
        return [(a.x - a.width / 2, a.y), (far, a.y), (far, b.y), (b.x - b.width / 2, b.y)]
    over = _HEIGHT / 2
    peak = min(c.y for c in shown if min(a.x, b.x) <= c.x <= max(a.x, b.x)) - over - 22
    top = (peak - (a.y + b.y - 2 * over) / 8) / 0.75  # the controls that make the curve reach it
    return [(a.x, a.y - over), (a.x, top), (b.x, top), (b.x, b.y - over)]


def _pieces(points: list[_Point]) -> list[list[_Point]]:
    return [points[i : i + 4] for i in range(0, len(points) - 1, 3)]


def _on(piece: list[_Point], t: float) -> _Point:
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(w * p[i] for w, p in zip(weights, piece, strict=True)) for i in (0, 1))
    return x, y


def _curve(stroke: _Stroke) -> str:
    points, color = stroke.points, _CONFOUNDED if stroke.confounding else _SOFT
    color = _CROSSED if stroke.crossed else color
    start, *rest = (f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if stroke.confounding else ""
    parts = [
        f'<path d="M{start} C{" ".join(rest)}" fill="none" stroke="{color}" '
        f'stroke-width="1.4"{dash}/>',
        _head(points[-2], points[-1], color),
    ]
    if stroke.confounding:
        parts.append(_head(points[1], points[0], color))
    if stroke.label:
        x, y = _on(_pieces(points)[len(points) // 6], stroke.label_at)
        parts.append(
            f'<text x="{x:.1f}" y="{y + 4:.1f}" font-size="11" fill="{_INK}" stroke="#fff" '
            f'stroke-width="4" paint-order="stroke">{stroke.label}</text>'
        )
    if stroke.crossed:
        x, y = _on(_pieces(points)[len(points) // 6], 0.5)
        parts.append(
            f'<text x="{x:.1f}" y="{y + 5:.1f}" font-size="15" fill="{color}" stroke="#fff" '
            f'stroke-width="3" paint-order="stroke">{_CROSS}</text>'
        )
    return "".join(parts)


def _head(before: _Point, tip: _Point, color: str) -> str:
    dx, dy = tip[0] - before[0], tip[1] - before[1]
    dx, dy = dx / (hypot(dx, dy) or 1), dy / (hypot(dx, dy) or 1)
    x, y = tip[0] - 8 * dx, tip[1] - 8 * dy
    corners = (tip, (x - 3.5 * dy, y + 3.5 * dx), (x + 3.5 * dy, y - 3.5 * dx))
    return f'<polygon points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in corners)}" fill="{color}"/>'


def _node(name: str, box: _Box, latent: bool, outcome: bool, role: str) -> str:
    fill, ink, weight = (_OUTCOME, "#fff", "600") if outcome else ("#f8fafc", _INK, "400")
    x, y, rx, ry = box.x, box.y, box.width / 2, _HEIGHT / 2
    if latent:
        shape = f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry}" stroke-dasharray="4 3"'
    else:
        shape = (
            f'<rect x="{x - rx:.1f}" y="{y - ry:.1f}" width="{box.width:.1f}" height="{_HEIGHT}" '
            'rx="8"'
        )
    border = _CAPTIONS.get(role, _OUTCOME if outcome else _SOFT)
    caption = (
        f'<text x="{x:.1f}" y="{y + ry + 11:.1f}" font-size="10" fill="{border}" stroke="#fff" '
        f'stroke-width="3" paint-order="stroke">{escape(role)}</text>'
    )
    return (
        f'{shape} fill="{fill}" stroke="{border}" stroke-width="{2.4 if role else 1.4}"/>'
        f'<text x="{x:.1f}" y="{y + 4.5:.1f}" fill="{ink}" font-weight="{weight}">'
        f"{escape(name)}</text>{caption if role else ''}"
    )
