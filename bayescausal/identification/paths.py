"""Paths in words and arrows: those that confound, and those that an adjustment opens."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bayescausal.graphs.graph import Graph
from bayescausal.graphs.separation import Mixed, bits, closure, union
from bayescausal.identification.adjustment import Question, backdoor_graph

MOST_PATHS = 200
MOST_STEPS = 20_000


@dataclass(frozen=True)
class Path:
    """A path: nodes that are joined by arrows.

    Examples
    --------
    >>> str(Path(("tv", "u", "sales"), ("<-", "->"), ("", "(unobserved)", "")))
    'tv <- u (unobserved) -> sales'
    """

    nodes: tuple[str, ...]
    arrows: tuple[str, ...]
    marks: tuple[str, ...]

    def __str__(self) -> str:
        labels = [f"{v} {m}".strip() for v, m in zip(self.nodes, self.marks, strict=True)]
        return labels[0] + "".join(
            f" {a} {v}" for a, v in zip(self.arrows, labels[1:], strict=True)
        )

    @property
    def colliders(self) -> tuple[str, ...]:
        """The inner nodes at which two arrowheads meet."""
        pairs = zip(self.nodes[1:], self.arrows, self.arrows[1:], strict=False)
        return tuple(v for v, arrival, departure in pairs if arrival != "<-" and departure != "->")

    @property
    def words(self) -> str:
        """A clause that says how a path without colliders confounds."""
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


def _marks(graph: Graph, nodes: Iterable[str], history: Collection[str] = ()) -> tuple[str, ...]:
    return tuple(
        "(unobserved)" if v in graph.latent else "(earlier)" if v in history else "" for v in nodes
    )


def open_paths(question: Question) -> tuple[list[Path], bool]:
    """Return the backdoor paths that are open when nothing is adjusted for, shortest first.

        T <- .. <- A -> .. -> Y, or with a ``<->`` in place of A

    The second value tells whether there are more. Latents stand in the paths by name. With
    feedback a node stands for all its periods, and a path may end ``T <- .. <- Y``.
    """
    graph, series = question.compiled.graph, question.compiled.series
    y = series.mask([question.outcome])
    blocked = series.mask((*question.treatments, *question.held))
    falling = closure(y, series.parents, ~blocked)  # a directed path leads from these to Y
    tops = falling | union(series.siblings, falling)
    useful = closure(tops, series.children)
    paths: list[Path] = []
    steps, queued = 0, len(question.treatments)
    waiting: deque[tuple[tuple[int, ...], tuple[str, ...], bool]] = deque(
        ((series.index[v],), (), True) for v in sorted(question.treatments)
    )
    while waiting:
        nodes, arrows, ascent = waiting.popleft()
        steps += 1
        if len(paths) >= MOST_PATHS or steps > MOST_STEPS:
            return _sorted(paths), True
        if 1 << nodes[-1] == y:
            paths.append(_path(series, graph, nodes, arrows))
            continue
        if queued > MOST_STEPS:
            continue  # what would come in now is never taken out again
        ahead: list[tuple[int, str, bool]] = []
        if ascent:
            ahead += ((i, "<-", True) for i in bits(series.parents[nodes[-1]] & useful))
            ahead += ((i, "<->", False) for i in bits(series.siblings[nodes[-1]] & falling))
        if arrows:
            ahead += ((i, "->", False) for i in bits(series.children[nodes[-1]] & falling))
        for i, arrow, rising in ahead:
            if i not in nodes and not blocked >> i & 1:
                waiting.append(((*nodes, i), (*arrows, arrow), rising))
                queued += 1
    return _sorted(paths), False


def _path(series: Mixed, graph: Graph, nodes: tuple[int, ...], arrows: tuple[str, ...]) -> Path:
    names = tuple(series.names[i] for i in nodes)
    return Path(names, arrows, _marks(graph, names, _earlier_end(names, arrows)))


def _earlier_end(names: tuple[str, ...], arrows: tuple[str, ...]) -> tuple[str, ...]:
    """Return the outcome where a path ends at earlier values of it."""
    return () if {"->", "<->"}.intersection(arrows) else names[-1:]


def _sorted(paths: list[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: (len(path.nodes), path.nodes, path.arrows))


def path_given(question: Question, conditioning: int, opened: bool = False) -> Path | None:
    """Return a shortest noncausal path that is open given some nodes, with latents shown.

    With `opened`, only a path that is open because of `conditioning`: with a collider.
    """
    series, projection = question.compiled.series, question.compiled.projection
    x, y, z = (
        series.mask(projection.labels(part)) for part in (question.x, question.y, conditioning)
    )
    graph = backdoor_graph(series, x, y)
    path = shortest_open(graph, x, y, z, opened)
    if path is None:
        return None
    nodes, arrows = path
    names = tuple(series.names[i] for i in nodes)
    return Path(names, arrows, _marks(question.compiled.graph, names, _earlier_end(names, arrows)))


def shortest_open(
    graph: Mixed, x: int, y: int, z: int, opened: bool = False
) -> tuple[tuple[int, ...], tuple[str, ...]] | None:
    """Return the nodes and arrows of a shortest path from `x` to `y` that is m-connecting.

    States are a node, whether an arrowhead arrives there, and whether a collider was passed; a
    shortest walk over such states is a path, also among series that feed back, unless a collider is
    demanded: then all paths are tried.
    """
    colliders = graph.ancestors(z)
    waiting: deque[tuple[int, bool, bool]] = deque((i, False, False) for i in bits(x & ~z))
    predecessors: dict[tuple[int, bool, bool], tuple[tuple[int, bool, bool], str] | None]
    predecessors = dict.fromkeys(waiting)
    # All of x counts as reached: a path that comes back to x is not proper.
    reached = {(head, passed): x for head in (False, True) for passed in (False, True)}
    while waiting:
        state = waiting.popleft()
        node, head, passed = state
        for arrow, arrowhead, mask in _moves(graph, node, head, z, colliders):
            turned = passed or (head and arrow != "->")
            frontier = mask & ~reached[arrowhead, turned]
            reached[arrowhead, turned] |= frontier
            if frontier & y and (turned or not opened):
                nodes, arrows = [next(bits(frontier & y)), node], [arrow]
                while (origin := predecessors[state]) is not None:
                    state, arrow = origin
                    nodes.append(state[0])
                    arrows.append(arrow)
                if len(set(nodes)) == len(nodes):
                    return tuple(nodes[::-1]), tuple(arrows[::-1])
                return _simple_opened(graph, x, y, z, colliders)
            for i in bits(frontier & ~y):
                predecessors[i, arrowhead, turned] = (state, arrow)
                waiting.append((i, arrowhead, turned))
    return None


def _simple_opened(
    graph: Mixed, x: int, y: int, z: int, colliders: int
) -> tuple[tuple[int, ...], tuple[str, ...]] | None:
    """Return a shortest m-connecting path with a collider, in at most `MOST_STEPS` steps.

    For where the shortest such walk repeats a node, and so is none.
    """
    waiting: deque[tuple[tuple[int, ...], tuple[str, ...], bool, bool]]
    waiting = deque(((i,), (), False, False) for i in bits(x & ~z))
    for _ in range(MOST_STEPS):
        if not waiting:
            return None
        nodes, arrows, head, passed = waiting.popleft()
        if y >> nodes[-1] & 1:
            if passed:
                return nodes, arrows
            continue
        for arrow, arrowhead, mask in _moves(graph, nodes[-1], head, z, colliders):
            turned = passed or (head and arrow != "->")
            for i in bits(mask & ~x):
                if i not in nodes:
                    waiting.append(((*nodes, i), (*arrows, arrow), arrowhead, turned))
    return None


def _moves(
    graph: Mixed, node: int, head: bool, z: int, colliders: int
) -> Iterator[tuple[str, bool, int]]:
    """Yield each arrow that may follow, whether its end is an arrowhead, and the nodes there."""
    chain = not z >> node & 1
    if colliders >> node & 1 if head else chain:
        yield "<-", False, graph.parents[node]
        yield "<->", True, graph.siblings[node]
    if chain:
        yield "->", True, graph.children[node]


def _tree(starts: int, step: Sequence[int]) -> dict[int, int]:
    """Return the predecessor of each reachable node in a breadth-first tree, -1 for a start."""
    predecessors = dict.fromkeys(bits(starts), -1)
    waiting = deque(predecessors)
    while waiting:
        node = waiting.popleft()
        for i in bits(step[node]):
            if i not in predecessors:
                predecessors[i] = node
                waiting.append(i)
    return predecessors


def _way_back(tree: dict[int, int], node: int) -> list[int]:
    """Return the path in a tree from a node back to its start."""
    way = [node]
    while (node := tree[node]) >= 0:
        way.append(node)
    return way


def _directed(question: Question, nodes: Sequence[int]) -> Path:
    series = question.compiled.series
    names = tuple(series.names[i] for i in nodes)
    return Path(names, ("->",) * (len(names) - 1), _marks(question.compiled.graph, names))


def forbidden(
    question: Question, backdoor: tuple[list[Path], bool] | None = None
) -> dict[str, str]:
    """Return the nodes that must not be adjusted for, each with a reason that shows a path.

    Mediators; what else descends from them or from the outcome; and colliders, which are in no
    minimal adjustment set and spoil each of these. Where no set adjusts, a collider is a node that
    is on no open path, and opens one. ``backdoor`` are the `open_paths`, where they are known.
    """
    compiled, series = question.compiled, question.compiled.series
    on_path = compiled.words(question.causal & ~question.ends)
    starts, end = series.mask(compiled.words(question.x)), series.mask([question.outcome])
    rising, falling = _tree(starts, series.children), _tree(end, series.parents)
    reasons = {}
    for v in on_path:
        i = series.index[v]
        way = _directed(question, [*_way_back(rising, i)[::-1], *_way_back(falling, i)[1:]])
        reasons[v] = f"a mediator: adjusting for it blocks {way}"
    descent = _tree(series.mask(on_path) | end, series.children)
    for v in compiled.words(question.forbidden & ~question.ends):
        if v not in reasons:
            way = _directed(question, _way_back(descent, series.index[v])[::-1])
            reasons[v] = (
                f"it descends from {way.nodes[0]}, {way}: adjusting for it distorts the effect"
            )
    for v, path in _colliders(question, backdoor):
        reasons[v] = f"a collider: adjusting for it opens {path}"
    return dict(sorted(reasons.items()))


def _colliders(
    question: Question, backdoor: tuple[list[Path], bool] | None
) -> Iterator[tuple[str, Path]]:
    """Yield each node that opens a path and is in no adjustment set, with the path."""
    compiled, sets = question.compiled, question.minimal_sets
    useful = 0
    for z in sets:
        useful |= z
    if not sets:
        useful = _on_open_paths(question, *(backdoor or open_paths(question)))
    for i in bits(question.allowed & ~useful):
        node = 1 << i
        if any(question.separates(z | node) for z in sets):
            continue
        base = sets[0] if sets else 0
        if path := path_given(question, base | node, opened=not sets):
            yield compiled.names[i], path


def _on_open_paths(question: Question, paths: Sequence[Path], has_more: bool) -> int:
    """Return the nodes on open backdoor paths, or on open walks where the paths are too many."""
    compiled = question.compiled
    if not has_more:
        return compiled.bits(
            v for path in paths for v in path.nodes if v in compiled.projection.index
        )
    projection = compiled.projection
    ancestors = closure(question.y, projection.parents, ~question.x)
    rising = closure(question.x, projection.parents)
    tops = rising & (ancestors | union(projection.siblings, ancestors))
    return closure(
        tops | union(projection.siblings, rising) & ancestors,
        projection.children,
        ancestors | rising,
    )
