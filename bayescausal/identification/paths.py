"""Paths in words and arrows: what moves treatment and outcome together, and what opens a path."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from bayescausal.identification.adjustment import Question, backdoor_graph
from bayescausal.specs.graph import Graph
from bayescausal.specs.separation import Mixed, bits, closure, union

MOST_PATHS = 200
MOST_STEPS = 20_000


@dataclass(frozen=True)
class Path:
    """Nodes joined by arrows.

    Examples
    --------
    >>> str(Path(("tv", "u", "sales"), ("<-", "->"), ("", "(unobserved)", "")))
    'tv <- u (unobserved) -> sales'
    """

    nodes: tuple[str, ...]
    arrows: tuple[str, ...]
    marks: tuple[str, ...]

    def __str__(self) -> str:
        shown = [f"{v} {m}".strip() for v, m in zip(self.nodes, self.marks, strict=True)]
        return shown[0] + "".join(f" {a} {v}" for a, v in zip(self.arrows, shown[1:], strict=True))

    @property
    def colliders(self) -> tuple[str, ...]:
        """Inner nodes at which two arrowheads meet."""
        pairs = zip(self.nodes[1:], self.arrows, self.arrows[1:], strict=False)
        return tuple(v for v, into, out in pairs if into != "<-" and out != "->")

    @property
    def words(self) -> str:
        """What a path without collider says."""
        start, end = self.nodes[0], self.nodes[-1]
        if "<->" in self.arrows:
            k = self.arrows.index("<->")
            a, b = self.nodes[k], self.nodes[k + 1]
            if (a, b) == (start, end):
                return f"an unobserved cause moves both {a} and {b}"
            return f"an unobserved cause moves both {a} and {b}, and so {start} and {end}"
        if "->" not in self.arrows:
            return f"earlier {end} moves {start}"
        return f"{self.nodes[self.arrows.index('->')]} moves both {start} and {end}"


def _marks(graph: Graph, nodes: Iterable[str], late: Collection[str] = ()) -> tuple[str, ...]:
    return tuple(
        "(unobserved)" if v in graph.latent else "(earlier)" if v in late else "" for v in nodes
    )


def open_paths(question: Question) -> tuple[list[Path], bool]:
    """Return the backdoor paths that are open when nothing is adjusted for, shortest first.

        T <- .. <- A -> .. -> Y, or with a ``<->`` in place of A

    The second value tells whether there are more. Latents stand in the paths by name. With
    feedback a node stands for all its periods, and a path may end ``T <- .. <- Y``.
    """
    graph = question.at.graph
    series = _Series(graph)
    xs = {*question.treatments, *question.held}
    y = series.bit[question.outcome]
    blocked = sum(series.bit[v] for v in xs)
    falling = closure(y, series.parents, ~blocked)  # a directed path leads from these to Y
    tops = falling | union(series.siblings, falling)
    useful = closure(tops, series.children)
    found: list[Path] = []
    steps = 0
    waiting: deque[tuple[tuple[int, ...], tuple[str, ...], bool]] = deque(
        ((series.place[v],), (), True) for v in sorted(question.treatments)
    )
    while waiting:
        nodes, arrows, up = waiting.popleft()
        steps += 1
        if len(found) >= MOST_PATHS or steps > MOST_STEPS:
            return _sorted(found), True
        if 1 << nodes[-1] == y:
            found.append(_shown(series, graph, nodes, arrows))
            continue
        ahead: list[tuple[int, str, bool]] = []
        if up:
            ahead += ((i, "<-", True) for i in bits(series.parents[nodes[-1]] & useful))
            ahead += ((i, "<->", False) for i in bits(series.siblings[nodes[-1]] & falling))
        if arrows:
            ahead += ((i, "->", False) for i in bits(series.children[nodes[-1]] & falling))
        for i, arrow, rising in ahead:
            if i not in nodes and not blocked >> i & 1:
                waiting.append(((*nodes, i), (*arrows, arrow), rising))
    return _sorted(found), False


class _Series:
    """Neighbors in the graph of whole series, which may have cycles."""

    def __init__(self, graph: Graph) -> None:
        self.names = graph.nodes
        self.place = {v: i for i, v in enumerate(self.names)}
        self.bit = {v: 1 << i for v, i in self.place.items()}
        self.parents, self.children, self.siblings = ([0] * len(self.names) for _ in range(3))
        self.lagged = {e[:2] for e in graph.edges} - {e[:2] for e in graph.edges if not e.lag}
        for a, b, _ in graph.edges:
            if a != b:
                self.parents[self.place[b]] |= self.bit[a]
                self.children[self.place[a]] |= self.bit[b]
        for a, b in graph.bidirected:
            self.siblings[self.place[a]] |= self.bit[b]
            self.siblings[self.place[b]] |= self.bit[a]


def _shown(series: _Series, graph: Graph, nodes: tuple[int, ...], arrows: tuple[str, ...]) -> Path:
    names = tuple(series.names[i] for i in nodes)
    return Path(names, arrows, _marks(graph, names, _late(names, arrows)))


def _late(names: tuple[str, ...], arrows: tuple[str, ...]) -> tuple[str, ...]:
    """Return the outcome where a path ends at earlier values of it."""
    return () if {"->", "<->"}.intersection(arrows) else names[-1:]


def _sorted(paths: list[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: (len(path.nodes), path.nodes, path.arrows))


def directed_path(graph: Graph, starts: Collection[str], end: str) -> Path:
    """Return a shortest directed path, one step or more, that ends in `end`."""
    came: dict[str, str] = {}
    waiting = deque([end])
    while waiting:
        node = waiting.popleft()
        for parent in graph.parents(node):
            if parent in came:
                continue
            came[parent] = node
            if parent in starts:
                nodes = [parent]
                while nodes[-1] != end or len(nodes) == 1:
                    nodes.append(came[nodes[-1]])
                kept = tuple(nodes)
                return Path(kept, ("->",) * (len(kept) - 1), _marks(graph, kept))
            waiting.append(parent)
    raise AssertionError(f"no directed path to {end}")


def path_given(question: Question, given: int, opened: bool = False) -> Path | None:
    """Return a shortest path that is not causal and is open given some nodes, latents shown.

    With `opened`, only a path that is open because of `given`: with a collider.
    """
    full, seen = question.at.full, question.at.seen
    x, y, z = (full.mask(seen.labels(part)) for part in (question.x, question.y, given))
    graph = backdoor_graph(full, x, y)
    path = shortest_open(graph, x, y, z, opened)
    if path is None:
        return None
    nodes, arrows = path
    names = tuple(full.names[i] for i in nodes)
    return Path(names, arrows, _marks(question.at.graph, names, _late(names, arrows)))


def shortest_open(
    graph: Mixed, x: int, y: int, given: int, opened: bool = False
) -> tuple[tuple[int, ...], tuple[str, ...]] | None:
    """Return the nodes and arrows of a shortest path from `x` to `y` that is m-connecting.

    States are a node, whether an arrowhead arrives there, and whether a collider was passed; a
    shortest walk over such states is a path, also among series that feed back, unless a collider is
    demanded (then a walk that repeats a node is no answer).
    """
    colliders = graph.ancestors(given)
    waiting: deque[tuple[int, bool, bool]] = deque((i, False, False) for i in bits(x & ~given))
    came: dict[tuple[int, bool, bool], tuple[tuple[int, bool, bool], str] | None]
    came = dict.fromkeys(waiting)
    while waiting:
        state = waiting.popleft()
        node, head, passed = state
        if y >> node & 1 and (passed or not opened):
            nodes, arrows = [node], []
            while (before := came[state]) is not None:
                state, arrow = before
                nodes.append(state[0])
                arrows.append(arrow)
            simple = len(set(nodes)) == len(nodes)
            return (tuple(nodes[::-1]), tuple(arrows[::-1])) if simple else None
        if y >> node & 1:
            continue
        for new, arrow in _moves(graph, node, head, given, colliders):
            if x >> new[0] & 1:
                continue
            target = (*new, passed or (head and arrow != "->"))
            if target not in came:
                came[target] = (state, arrow)
                waiting.append(target)
    return None


def _moves(
    graph: Mixed, node: int, head: bool, given: int, colliders: int
) -> Iterator[tuple[tuple[int, bool], str]]:
    chain = not given >> node & 1
    if colliders >> node & 1 if head else chain:
        for i in bits(graph.parents[node]):
            yield (i, False), "<-"
        for i in bits(graph.siblings[node]):
            yield (i, True), "<->"
    if chain:
        for i in bits(graph.children[node]):
            yield (i, True), "->"


def causal_path(question: Question, through: str) -> Path:
    """Return a shortest directed path from a treatment through a mediator to the outcome."""
    graph = question.at.graph
    first = directed_path(graph, {*question.treatments, *question.held}, through)
    second = directed_path(graph, {through}, question.outcome)
    return Path(
        first.nodes + second.nodes[1:],
        first.arrows + second.arrows,
        first.marks + second.marks[1:],
    )


def forbidden(question: Question) -> dict[str, str]:
    """Return the nodes that must not be adjusted for, each with the path that says why."""
    at = question.at
    on_path = at.words(question.causal & ~question.ends)
    found = {v: f"a mediator: adjusting for it blocks {causal_path(question, v)}" for v in on_path}
    below = at.words(question.forbidden & ~question.ends)
    for v in below:
        if v not in found:
            way = directed_path(at.graph, {*on_path, question.outcome}, v)
            found[v] = (
                f"it descends from {way.nodes[0]}, {way}: adjusting for it distorts the effect"
            )
    sets = question.minimal_sets
    base = sets[0] if sets else 0
    useful = 0
    for z in sets:
        useful |= z
    if not sets:  # nodes on a path that is open anyway are not what opens it
        useful = at.bits(v for path in open_paths(question)[0] for v in path.nodes if v in at.names)
    for i in bits(question.allowed & ~useful):
        node = 1 << i
        if sets and question.separates(base | node):
            continue
        path = path_given(question, base | node, opened=True)
        if path is not None:
            found[at.names[i]] = f"a collider: adjusting for it opens {path}"
    return dict(sorted(found.items()))
