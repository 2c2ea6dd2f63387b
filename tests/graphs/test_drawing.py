"""The drawing of a graph: every curve joins its own two nodes and runs behind no third one."""

import random
import re
from itertools import product
from xml.etree import ElementTree

import pytest

from bayescausal.graphs.drawing import svg
from bayescausal.graphs.graph import Graph

XML = "{http://www.w3.org/2000/svg}"
GRAPHS = {
    "behind a channel": "tv -> sales; online -> sales; tv <-> sales",
    "middle of three": "tv -> sales; online -> sales; radio -> sales; radio <-> sales",
    "bow": "tv -> sales; tv <-> sales",
    "one column": "tv -> sales; online -> sales; radio -> sales; tv <-> radio; tv <-> online",
    "mediator": "tv -> visits -> sales; tv -> sales; visits <-> sales",
    "front door": "tv -> search -> sales; tv <-> sales",
    "market": "demand -> sales, search, tv; price -> sales; search -> sales; social -> sales; "
    "tv -> sales, search; social <-> sales; tv <-> search",
    "five channels": "a, b, c, d, e -> sales; c <-> sales; b <-> sales; a <-> e",
    "all confounded": "a, b, c -> sales; a <-> sales; b <-> sales; c <-> sales",
    "chain": "a -> m -> n -> o -> sales; b -> sales; a -> sales; a <-> sales; m <-> o; b <-> sales",
    "feedback": "a -> sales; b -> sales; c -> sales; sales -> a @ 1; sales -> b @ 2; a <-> sales",
    "loops": "a -> sales; b -> sales; sales -> sales @ 1; a -> a @ 1; a <-> sales; b <-> sales",
    "clique": "a, b, c -> sales; a <-> b; b <-> c; a <-> c; a <-> sales",
    "instrument": "z -> tv -> sales; tv <-> sales; online -> search -> sales; search <-> online; "
    "season -> tv, sales",
    "wide and narrow": "tv -> brand_awareness_index -> sales; x -> sales; tv <-> sales; "
    "x <-> brand_awareness_index",
    "dense": "a -> b -> c -> d -> sales; a -> c; b -> d; a -> sales; x -> sales; a <-> c; "
    "b <-> d; c <-> sales; a <-> sales; a <-> d; x <-> c",
    "latent": "u -> tv, sales; tv -> sales; radio -> sales; radio <-> sales; latent: u",
}
DRAWN = list(product(GRAPHS, (False, True)))


def graph_of(text):
    return Graph.parse(text.replace("; ", "\n"), outcome="sales")


def drawn(graph, captions=False):
    """The parsed picture; with captions every node has a role and every edge is crossed."""
    if not captions:
        return ElementTree.fromstring(graph._repr_svg_())
    pairs = {edge[:2] for edge in graph.edges}
    roles = dict.fromkeys(graph.nodes, "treatment")
    return ElementTree.fromstring(svg(graph._claims(), graph.order, roles, pairs))


def boxes(root, captions):
    """Left, top, right and bottom of every node, its caption included."""
    found = {}
    shapes = [e for e in root if e.tag in (XML + "rect", XML + "ellipse")][1:]  # not the paper
    names = [e for e in root.iter(XML + "text") if e.get("font-weight")]
    for shape, name in zip(shapes, names, strict=True):
        get = {key: float(value) for key, value in shape.attrib.items() if _is_number(value)}
        if shape.tag == XML + "rect":
            left, top, width, height = (get[key] for key in ("x", "y", "width", "height"))
        else:
            left, top = get["cx"] - get["rx"], get["cy"] - get["ry"]
            width, height = 2 * get["rx"], 2 * get["ry"]
        found[name.text] = (left, top, left + width, top + height + 14 * captions)
    return found


def _is_number(text):
    return re.fullmatch(r"-?[\d.]+", text) is not None


def curves(root, dashed):
    """Each curve as densely sampled points."""
    return [
        sampled(e.get("d"))
        for e in root.iter(XML + "path")
        if ("stroke-dasharray" in e.attrib) == dashed
    ]


def sampled(text, steps=80):
    values = [float(v) for v in re.findall(r"-?[\d.]+", text)]
    points = list(zip(values[::2], values[1::2], strict=True))
    found = [points[0]]
    for i in range(0, len(points) - 1, 3):
        for k in range(1, steps + 1):
            t = k / steps
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            piece = zip(weights, points[i : i + 4], strict=True)
            xs, ys = zip(*((w * x, w * y) for w, (x, y) in piece), strict=True)
            found.append((sum(xs), sum(ys)))
    return found


def inside(point, box, room):
    (x, y), (left, top, right, bottom) = point, box
    return left - room < x < right + room and top - room < y < bottom + room


def ends(points, nodes):
    """The nodes that a curve is seen to start and end at."""
    touched = [
        [v for v, box in nodes.items() if inside(p, box, 2)] for p in (points[0], points[-1])
    ]
    return tuple(tuple(names) for names in touched)


def behind(points, nodes, own):
    """The nodes that a curve passes behind, besides those of its ends."""
    others = [v for v in nodes if v not in own]
    return [v for v in others if any(inside(p, nodes[v], 0.5) for p in points)]


def check(graph, captions):
    root = drawn(graph, captions)
    nodes = boxes(root, captions)
    arcs = curves(root, dashed=True)
    for (a, b), points in zip(graph.bidirected, arcs, strict=True):
        assert ends(points, nodes) == ((a,), (b,))
        assert behind(points, nodes, (a, b)) == []
        for v in (a, b):  # it leaves its own nodes, too, instead of running behind them
            assert not any(inside(p, nodes[v], -3) for p in points)
    edges = curves(root, dashed=False)
    pairs = {edge[:2] for edge in graph.edges}
    assert len(edges) == len(pairs)
    seen = set()
    for points in edges:
        (a,), (b,) = ends(points, nodes)
        seen.add((a, b))
        assert behind(points, nodes, (a, b)) == []
    assert seen == pairs
    left, top, width, height = map(float, root.get("viewBox").split())
    for points in [*arcs, *edges]:
        assert all(left < x < left + width and top < y < top + height for x, y in points)


@pytest.mark.parametrize(("name", "captions"), DRAWN)
def test_curves_join_their_own_nodes_and_run_behind_no_other(name, captions):
    check(graph_of(GRAPHS[name]), captions)


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(k, marks=pytest.mark.slow) for k in range(6, 40))]
)
def test_so_it_is_in_graphs_that_nobody_chose(seed):
    dice = random.Random(seed)
    names = [*"abcdefgh"[: dice.randint(3, 8)], "sales"]
    lines = [f"{v} -> sales" for v in names[:-1] if dice.random() < 0.5] or ["a -> sales"]
    lines += [
        f"{v} -> {w}"
        for i, v in enumerate(names[:-1])
        for w in names[i + 1 : -1]
        if dice.random() < 0.25
    ]
    pairs = [(v, w) for i, v in enumerate(names) for w in names[i + 1 :]]
    lines += [f"{v} <-> {w}" for v, w in dice.sample(pairs, min(5, len(pairs)))]
    lines += [f"sales -> {v} @ 1" for v in dice.sample(names[:-1], 1)]
    check(graph_of("; ".join(lines)), captions=bool(seed % 2))


def test_several_arcs_at_a_node_end_apart():
    graph = graph_of(GRAPHS["dense"])
    found = [p for points in curves(drawn(graph), dashed=True) for p in (points[0], points[-1])]
    assert len({(round(x / 4), round(y / 4)) for x, y in found}) == len(found)


@pytest.mark.parametrize("name", GRAPHS)
def test_captions_do_not_touch_the_legend(name):
    root = drawn(graph_of(GRAPHS[name]), captions=True)
    texts = {e.text: float(e.get("y")) for e in root.iter(XML + "text")}
    legend = texts["✕ not identified from data"]
    lowest = max(float(e.get("y")) for e in root.iter(XML + "text") if e.text == "treatment")
    assert legend - lowest > 11 + 4  # the height of the legend, and some air
    _, top, _, height = map(float, root.get("viewBox").split())
    assert legend < top + height - 4
