"""A graph as a standalone SVG: a small layered layout, causes at the left, effects at the right.

The layers and the order within them follow Sugiyama, Tagawa and Toda (1981), Methods for visual
understanding of hierarchical system structures. The same graph always gives the same text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from html import escape
from itertools import groupby, pairwise
from math import hypot
from typing import NamedTuple
from unicodedata import east_asian_width

from bayescausal.graphs.notation import Claims

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
_FOOT, _LANE_STEP = 14, 9

type _Point = tuple[float, float]
type _Pair = tuple[str, str]
type _Key = str | tuple[str, str, int]  # a node, or the bend of a long edge in a layer


class _Box(NamedTuple):
    x: float
    y: float
    width: float
    foot: float = 0.0  # room for a caption below


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
    roles = roles or {}
    boxes = _boxes(_columns(layers, sorted(forward)), roles)
    node_boxes = [boxes[v] for v in order]
    label = {
        pair: ", ".join(f"@{g}" for g in pair_lags) * any(pair_lags)
        for pair, pair_lags in lags.items()
    }
    strokes = []
    for a, b in sorted(forward):
        own_bends = [boxes[a, b, i] for i in range(layers[a] + 1, layers[b])]
        points = _forward([boxes[a], *own_bends, boxes[b]])
        strokes.append(_Stroke(points, label[a, b], 0.3, crossed=(a, b) in crossed))
    bends = [box for key, box in boxes.items() if not isinstance(key, str)]
    router = _Router(node_boxes, bends)
    for a, b in sorted({*lags} - forward):
        points = router.route(boxes[a], boxes[b], 1)
        is_crossed = (a, b) in crossed
        strokes.append(_Stroke(points, label[a, b], 0.3 if is_crossed else 0.5, crossed=is_crossed))
    for a, b in claims.bidirected:
        strokes.append(_Stroke(router.route(boxes[a], boxes[b], -1), confounding=True))
    nodes = [
        _node(v, boxes[v], v in claims.latent, v in claims.outcomes, roles.get(v, ""))
        for v in order
    ]
    corners = [corner for b in node_boxes for corner in (_edges(b)[:2], _edges(b)[2:])]
    xs, ys = zip(*corners, *(p for stroke in strokes for p in stroke.points), strict=True)
    x_min, y_min = min(xs) - _MARGIN, min(ys) - _MARGIN
    width, height = max(xs) + _MARGIN - x_min, max(ys) + _MARGIN - y_min
    legend = ""
    if crossed:
        legend = (
            f'<text x="{x_min + 10:.1f}" y="{y_min + height + 2:.1f}" font-size="11" fill="{_INK}" '
            f'text-anchor="start">{_CROSS} not identified from data</text>'
        )
        width, height = max(width, 190.0), height + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{x_min:.1f} {y_min:.1f} {width:.1f} {height:.1f}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13" text-anchor="middle">'
        f"<title>Causal graph of {escape(', '.join(sorted(order)))}</title>"
        f'<rect x="{x_min:.1f}" y="{y_min:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8" '
        f'fill="#fff"/>{"".join(map(_curve, strokes))}{"".join(nodes)}{legend}</svg>'
    )


def _layers(order: Sequence[str], forward: set[_Pair]) -> dict[str, int]:
    """Return the layer of each node: the longest path from a root, roots next to an effect."""
    layers: dict[str, int] = {}
    for v in order:
        layers[v] = max((layers[a] + 1 for a, b in forward if b == v), default=0)
    for v in {a for a, _ in forward} - {b for _, b in forward}:
        layers[v] = min(layers[b] for a, b in forward if a == v) - 1
    return layers


def _columns(layers: dict[str, int], forward: list[_Pair]) -> list[list[_Key]]:
    """Return nodes and bends by layer, swept to the means of their neighbors to avoid crossings."""
    columns: list[list[_Key]] = [[] for _ in range(max(layers.values()) + 1)]
    neighbors: dict[_Key, list[_Key]] = {v: [] for v in layers}
    for v, layer in layers.items():
        columns[layer].append(v)
    for a, b in forward:
        bends: list[_Key] = [(a, b, i) for i in range(layers[a] + 1, layers[b])]
        for layer, bend in enumerate(bends, layers[a] + 1):
            columns[layer].append(bend)
        for tail, head in pairwise([a, *bends, b]):
            neighbors.setdefault(tail, []).append(head)
            neighbors.setdefault(head, []).append(tail)
    place = {key: i - len(column) / 2 for column in columns for i, key in enumerate(column)}
    for sweep in range(12):
        for column in columns if sweep % 2 else reversed(columns):
            column.sort(
                key=lambda key: sum(place[k] for k in neighbors[key]) / (len(neighbors[key]) or 1)
            )
            place.update((key, i - len(column) / 2) for i, key in enumerate(column))
    return columns


def _boxes(columns: list[list[_Key]], roles: Mapping[str, str]) -> dict[_Key, _Box]:
    boxes, x_min = {}, 0.0
    for column in columns:
        texts = [_text_width(key) + 30 if isinstance(key, str) else 0.0 for key in column]
        widths = [text or max(texts) for text in texts]  # a bend passes its whole column
        heights = [_ROW if isinstance(key, str) else _LANE for key in column]
        y = -sum(heights) / 2
        for key, width, height in zip(column, widths, heights, strict=True):
            foot = float(_FOOT * (isinstance(key, str) and key in roles))
            boxes[key] = _Box(x_min + max(widths) / 2, y + height / 2, width, foot)
            y += height
        x_min += max(widths) + _GAP
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


def _loop(box: _Box) -> list[_Point]:
    x, y = box.x + box.width / 4, box.y - _HEIGHT / 2 + 0.5
    return [(x - 8, y), (x - 20, y - 34), (x + 20, y - 34), (x + 8, y)]


class _Router:
    """A router of curves that go around the boxes, for what is not drawn from layer to layer.

    A curve leaves the outer box of a column upward or downward, any other box sideways into the gap
    beside its column. There it meets no box, nor on its lane beyond all boxes that it passes.
    """

    def __init__(self, boxes: Sequence[_Box], bends: Sequence[_Box]) -> None:
        self.boxes = boxes
        self.curves_at: Counter[tuple[_Box, str]] = Counter()
        # Start, end and height of what is taken; a long edge runs flat where it bends.
        self.lanes = [(b.x - b.width / 2, b.x + b.width / 2, b.y) for b in bends]

    def route(self, a: _Box, b: _Box, sign: int) -> list[_Point]:
        """Return a loop, or a curve above (`sign` -1) or below the boxes, as both ends allow."""
        if a == b:
            return _loop(a)
        if not all(self._is_outer(box, sign) for box in (a, b)):
            sign = -sign if all(self._is_outer(box, -sign) for box in (a, b)) else sign
        (p, x), (q, z) = self._exit(a, b, sign), self._exit(b, a, sign)
        low, high = min(x, z), max(x, z)
        passed = [e for e in map(_edges, self.boxes) if e[0] < high and low < e[2]]
        if not passed:  # both ends look into one gap
            return _rounded([p, (x, p[1]), (x, q[1]), q])
        lane = sign * max(sign * e[2 + sign] for e in passed) + sign * _LANE_STEP * 2
        while any(
            low < end and start < high and abs(lane - height) < _LANE_STEP
            for start, end, height in self.lanes
        ):
            lane += sign * _LANE_STEP
        self.lanes.append((low, high, lane))
        return _rounded([p, (x, p[1]), (x, lane), (z, lane), (z, q[1]), q])

    def _exit(self, box: _Box, partner: _Box, sign: int) -> tuple[_Point, float]:
        """Return where a curve leaves a box, and at which x it goes up or down."""
        edges = _edges(box)
        if self._is_outer(box, sign) and partner.x != box.x:
            # Curves on one side spread around its middle, so that arrowheads do not overlap.
            step = (0, 11, -11, 18, -18)[min(self._count(box, str(sign)), 4)]
            x = box.x + (step if partner.x > box.x else -step)
            return (x, edges[2 + sign]), x
        k = self._count(box, "right" if partner.x > box.x else "left")
        y = box.y + sign * (9, -9, 13, -13, 5)[min(k, 4)]  # the arrows of layers end in the middle
        reach = (
            max(c.width for c in self.boxes if c.x == box.x) / 2
            + 14
            + 7 * (self.curves_at.total() % 5)
        )
        if partner.x > box.x:
            return (edges[2], y), box.x + reach
        return (edges[0], y), box.x - reach

    def _is_outer(self, box: _Box, sign: int) -> bool:
        return all(sign * c.y <= sign * box.y for c in self.boxes if c.x == box.x)

    def _count(self, box: _Box, side: str) -> int:
        self.curves_at[box, side] += 1
        return self.curves_at[box, side] - 1


def _edges(box: _Box) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom of a box with its caption."""
    x, y, half = box.x, box.y, _HEIGHT / 2
    return x - box.width / 2, y - half, x + box.width / 2, y + half + box.foot


def _rounded(corners: list[_Point]) -> list[_Point]:
    """Return a path of straight pieces with round corners, as Bezier pieces."""
    corners = [corner for corner, _ in groupby(corners)]
    points = [corners[0]]
    for previous, corner, following in zip(corners, corners[1:], corners[2:], strict=False):
        enter, leave = _toward(corner, previous), _toward(corner, following)
        points += [*_straight(points[-1], enter), corner, corner, leave]
    return [*points, *_straight(points[-1], corners[-1])]


def _toward(corner: _Point, end: _Point) -> _Point:
    dx, dy = end[0] - corner[0], end[1] - corner[1]
    size = hypot(dx, dy) or 1
    part = min(14, size / 2) / size
    return corner[0] + part * dx, corner[1] + part * dy


def _straight(p: _Point, q: _Point) -> list[_Point]:
    third = [(p[0] + k * (q[0] - p[0]) / 3, p[1] + k * (q[1] - p[1]) / 3) for k in (1, 2)]
    return [*third, q]


def _middle(points: list[_Point], t: float) -> _Point:
    """Return the point at `t` of the middle piece of a curve."""
    piece = len(points) // 6 * 3
    (x, y), (x1, y1), (x2, y2), (x3, y3) = points[piece : piece + 4]
    u = 1 - t
    k, k1, k2, k3 = u * u * u, 3 * t * u * u, 3 * t * t * u, t * t * t
    return k * x + k1 * x1 + k2 * x2 + k3 * x3, k * y + k1 * y1 + k2 * y2 + k3 * y3


def _curve(stroke: _Stroke) -> str:
    points, color = stroke.points, _CONFOUNDED if stroke.confounding else _SOFT
    color = _CROSSED if stroke.crossed else color
    start, *controls = (f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if stroke.confounding else ""
    parts = [
        f'<path d="M{start} C{" ".join(controls)}" fill="none" stroke="{color}" '
        f'stroke-width="1.4"{dash}/>',
        _head(points[-2], points[-1], color),
    ]
    if stroke.confounding:
        parts.append(_head(points[1], points[0], color))
    if stroke.label:
        x, y = _middle(points, stroke.label_at)
        parts.append(
            f'<text x="{x:.1f}" y="{y + 4:.1f}" font-size="11" fill="{_INK}" stroke="#fff" '
            f'stroke-width="4" paint-order="stroke">{stroke.label}</text>'
        )
    if stroke.crossed:
        x, y = _middle(points, 0.5)
        parts.append(
            f'<text x="{x:.1f}" y="{y + 5:.1f}" font-size="15" fill="{color}" stroke="#fff" '
            f'stroke-width="3" paint-order="stroke">{_CROSS}</text>'
        )
    return "".join(parts)


def _head(control: _Point, tip: _Point, color: str) -> str:
    dx, dy = tip[0] - control[0], tip[1] - control[1]
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
