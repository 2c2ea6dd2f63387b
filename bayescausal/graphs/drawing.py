"""A graph as a standalone SVG: a small layered layout, causes at the left, effects at the right.

The layers and the order within them follow Sugiyama, Tagawa and Toda (1981), Methods for visual
understanding of hierarchical system structures. The same graph always gives the same text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
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
_FOOT, _CLEAR, _OUT = 14, 6, (-1, -1, 1, 1)
_SIDES = {"top": (0, -1), "bottom": (0, 1), "left": (-1, 0), "right": (1, 0)}
_FLANKS = ("left", "right")

type _Point = tuple[float, float]
type _Cell = tuple[int, int]
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
        bends = [boxes[a, b, i] for i in range(layers[a] + 1, layers[b])]
        points = _forward([boxes[a], *bends, boxes[b]])
        strokes.append(_Stroke(points, label[a, b], 0.3, crossed=(a, b) in crossed))
    roads = _Roads(node_boxes, [stroke.points for stroke in strokes])
    for a, b in sorted({*lags} - forward):
        points = roads.route(boxes[a], boxes[b], "bottom")
        is_crossed = (a, b) in crossed
        strokes.append(_Stroke(points, label[a, b], 0.3 if is_crossed else 0.5, crossed=is_crossed))
    for a, b in claims.bidirected:
        strokes.append(_Stroke(roads.route(boxes[a], boxes[b], "top"), confounding=True))
    nodes = [
        _node(v, boxes[v], v in claims.latent, v in claims.outcomes, roles.get(v, ""))
        for v in order
    ]
    corners = [corner for b in node_boxes for corner in (_edges(b)[:2], _edges(b)[2:])]
    xs, ys = zip(*corners, *(p for stroke in strokes for p in _samples(stroke.points)), strict=True)
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


class _Roads:
    """A router of curves between two boxes, which pass behind no third box.

    Of bows on one side of both, quarter turns, and detours through the gaps between columns: the
    shortest that runs along few other curves. A detour meets no box, whatever the graph.
    """

    def __init__(self, boxes: Sequence[_Box], strokes: Sequence[list[_Point]]) -> None:
        self.boxes = boxes
        self.cells: set[_Cell] = set()
        self.port_counts: Counter[tuple[_Box, str]] = Counter()
        for points in strokes:
            self._pave(points)
            for box in boxes:  # arrows leave at the right and arrive at the left
                self.port_counts[box, "right"] += points[0] == (box.x + box.width / 2, box.y)
                self.port_counts[box, "left"] += points[-1] == (box.x - box.width / 2, box.y)

    def route(self, a: _Box, b: _Box, first: str) -> list[_Point]:
        """Return the best curve, or a loop; `first` is the side to try first."""
        if a == b:
            points = _loop(a)
            self.port_counts[a, "top"] += 1
            self._pave(points)
            return points
        sides = sorted(_SIDES, key=lambda side: side != first)
        routes = [
            (points, s, t) for s in sides for t in sides for points in self._candidates(a, b, s, t)
        ]
        points, s, t = min(
            routes, key=lambda route: self._cost(route[0], a, b, route[1] != route[2])
        )
        self.port_counts[a, s] += 1
        self.port_counts[b, t] += 1
        self._pave(points)
        return points

    def _candidates(self, a: _Box, b: _Box, s: str, t: str) -> Iterator[list[_Point]]:
        p, q = self._port(a, b, s), self._port(b, a, t)
        if s == t and (a.x == b.x or s not in _FLANKS):
            yield from self._bows(p, q, s)
        elif (s in _FLANKS) != (t in _FLANKS):
            (ux, uy), (vx, vy) = _SIDES[s], _SIDES[t]
            width, height = max(24, 0.6 * abs(p[0] - q[0])), max(24, 0.6 * abs(p[1] - q[1]))
            bends = (p[0] + ux * width, p[1] + uy * height), (q[0] + vx * width, q[1] + vy * height)
            yield [p, *bends, q]
        if s in _FLANKS and t in _FLANKS:
            yield from self._detours(a, b, p, q, (_SIDES[s][0], _SIDES[t][0]))

    def _bows(self, p: _Point, q: _Point, side: str) -> Iterator[list[_Point]]:
        """Yield curves that bow beyond both ends, beyond the boxes between, or beyond all."""
        i = 0 if side in _FLANKS else 1
        sign = _SIDES[side][i]
        low, high = sorted((p[1 - i], q[1 - i]))
        lines = [max(sign * p[i], sign * q[i])]
        crossed_boxes = [box for box in self.boxes if low <= box[1 - i] <= high]
        for some in (crossed_boxes, self.boxes):
            lines.append(max([lines[0], *(sign * _edges(c)[i + 1 + sign] for c in some)]))
        for line in dict.fromkeys(lines):
            reach = ((line + 22) - sign * (p[i] + q[i]) / 8) / 0.75  # of the controls
            bends = [(sign * reach, end[1]) if i == 0 else (end[0], sign * reach) for end in (p, q)]
            yield [p, *bends, q]

    def _detours(
        self, a: _Box, b: _Box, p: _Point, q: _Point, signs: tuple[int, int]
    ) -> Iterator[list[_Point]]:
        """Yield paths through the gap next to each end, above or below all boxes between them."""
        gap = 20 + 7 * (self.port_counts.total() % 5)
        x, z = (
            end.x + sign * (gap + max(c.width for c in self.boxes if c.x == end.x) / 2)
            for end, sign in zip((a, b), signs, strict=True)
        )
        passed = [_edges(c) for c in self.boxes if min(x, z) <= c.x <= max(x, z)]
        passed += [_edges(a), _edges(b)]
        for lane in (min(e[1] for e in passed) - gap, max(e[3] for e in passed) + gap):
            yield _rounded([p, (x, p[1]), (x, lane), (z, lane), (z, q[1]), q])

    def _port(self, box: _Box, partner: _Box, side: str) -> _Point:
        """Return where the next curve leaves a side: in the middle, or next to other curves."""
        (dx, dy), edges = _SIDES[side], _edges(box)
        # Curves on one side spread around its middle, so that arrowheads do not overlap.
        step = (0, 9, -9, 13, -13)[min(self.port_counts[box, side], 4)]
        if dx:
            return edges[1 + dx], box.y + (step if partner.y > box.y else -step)
        return box.x + (step if partner.x > box.x else -step), edges[2 + dy]

    def _cost(self, points: list[_Point], a: _Box, b: _Box, mixed: bool) -> tuple[int, float]:
        """Return the boxes hit, then the length with penalties for overlap and mixed sides."""
        way = _samples(points)
        xs, ys = zip(*way, strict=True)
        reach = min(xs), min(ys), max(xs), max(ys)
        hit = 0
        for box in self.boxes:
            room = -0.5 if box in (a, b) else _CLEAR
            x_min, y_min, x_max, y_max = (
                e + k * room for e, k in zip(_edges(box), _OUT, strict=True)
            )
            if x_min < reach[2] and reach[0] < x_max and y_min < reach[3] and reach[1] < y_max:
                hit += any(x_min < x < x_max and y_min < y < y_max for x, y in way)
        overlap = sum(_cell(point) in self.cells for point in way[2:-2])
        length = sum(hypot(x - u, y - v) for (x, y), (u, v) in pairwise(way))
        return hit, length + 18 * overlap + 80 * mixed

    def _pave(self, points: list[_Point]) -> None:
        self.cells.update(map(_cell, _samples(points)))


def _edges(box: _Box) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom of a box with its caption."""
    x, y, half = box.x, box.y, _HEIGHT / 2
    return x - box.width / 2, y - half, x + box.width / 2, y + half + box.foot


def _cell(point: _Point) -> _Cell:
    return round(point[0] / 8), round(point[1] / 8)


def _rounded(corners: list[_Point]) -> list[_Point]:
    """Return a path of straight pieces with round corners, as Bezier pieces."""
    start = corners[0]
    points = [start]
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


def _samples(points: list[_Point]) -> list[_Point]:
    """Return points along a curve, about eight units between them."""
    samples = [points[0]]
    for piece in _pieces(points):
        size = sum(hypot(x - u, y - v) for (x, y), (u, v) in pairwise(piece))
        count = max(1, round(size / 8))
        samples += [_point_on(piece, (k + 1) / count) for k in range(count)]
    return samples


def _pieces(points: list[_Point]) -> list[list[_Point]]:
    return [points[i : i + 4] for i in range(0, len(points) - 1, 3)]


def _point_on(piece: list[_Point], t: float) -> _Point:
    (x, y), (x1, y1), (x2, y2), (x3, y3) = piece
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
        x, y = _point_on(_pieces(points)[len(points) // 6], stroke.label_at)
        parts.append(
            f'<text x="{x:.1f}" y="{y + 4:.1f}" font-size="11" fill="{_INK}" stroke="#fff" '
            f'stroke-width="4" paint-order="stroke">{stroke.label}</text>'
        )
    if stroke.crossed:
        x, y = _point_on(_pieces(points)[len(points) // 6], 0.5)
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
