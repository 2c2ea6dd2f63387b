"""Plot the experts' graph with what data say of it."""

from __future__ import annotations

from collections import defaultdict

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from bayescausal import checks
from bayescausal.graphs.graph import Graph
from bayescausal.presentation.plot_style import (
    AMBER,
    BLUE,
    INK,
    RED,
    SOFT,
    blank_sheet,
    panels,
    styled,
)
from bayescausal.validation.discovery_result import Discovery
from bayescausal.validation.graph_check import Finding

_ROW = 0.95


@styled(**{"axes.grid": False})
def plot_discovery(discovery: Discovery) -> Figure:
    """Plot the experts' graph, its edges by the support that they have, and what is in doubt.

    The graph is that of the experts: an amber line between two nodes is a question, no edge. A
    number is the share of resamples in which PC finds the two adjacent; it is no probability.

    Parameters
    ----------
    discovery : Discovery

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import bayescausal as bc
    >>> example = bc.load_example()
    >>> figure = bc.plot_discovery(bc.discover(example.data, example.spec, resamples=0))
    """
    checks.instance("plot_discovery", discovery, Discovery, "Write discover(data, experts) first.")
    graph = discovery.graph
    places = _places(graph)
    rows = max(abs(y) for _, y in places.values()) * 2 + 1
    sheet = blank_sheet(
        max(2.2, _ROW * rows + 0.6),
        title="What data and experts ask of each other",
        subtitle=f"{discovery.sentence} Blue: edges that the data support; grey: no support, which "
        "is not absence; red: in doubt; dashed: an unobserved common cause. Amber: the graph joins "
        "the two by nothing, and the data do. Red nodes: columns that look faulty.",
        alarm="",
    )
    (ax,) = panels(sheet, 1, 1)
    ax.axis("off")
    _draw_edges(ax, discovery, places)
    faulty = {row.subject for row in discovery.experts_question_data}
    for node, (x, y) in places.items():
        color = RED if node in faulty else BLUE if node in graph.outcomes else SOFT
        style = "dashed" if node in graph.latent else "solid"
        box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": color}
        ax.text(x, y, node, ha="center", va="center", color=INK, bbox={**box, "linestyle": style})
    ax.set_xlim(-0.6, max(x for x, _ in places.values()) + 0.6)
    ax.set_ylim(-(rows + 0.4) / 2, (rows + 0.4) / 2)
    return sheet


def _places(graph: Graph) -> dict[str, tuple[float, float]]:
    """Return the place of each node: causes at the left, within a column by name."""
    today = nx.DiGraph()
    today.add_nodes_from(graph.nodes)
    ranks = {node: place for place, node in enumerate(graph.order)}
    today.add_edges_from(e[:2] for e in graph.edges if ranks[e.source] < ranks[e.target])
    columns: dict[int, list[str]] = defaultdict(list)
    for column, nodes in enumerate(nx.topological_generations(today)):
        columns[column] += sorted(nodes)
    return {
        # Columns are shifted against each other, so that no edge runs through a node between.
        node: (float(column), (len(nodes) - 1) / 2 - row + 0.3 * (column % 2))
        for column, nodes in columns.items()
        for row, node in enumerate(nodes)
    }


def _draw_edges(ax: Axes, discovery: Discovery, places: dict[str, tuple[float, float]]) -> None:
    findings = {row.claim.split(" @ ")[0]: row.finding for row in discovery.check.edges}
    doubted = {row.subject for row in discovery.rows}
    drawn = set()
    for source, target, _ in discovery.graph.edges:
        name = f"{source} -> {target}"
        if source == target or name in drawn:
            continue
        drawn.add(name)
        color = BLUE if findings.get(name) == Finding.SUPPORTED else SOFT
        _arrow(ax, places[source], places[target], RED if name in doubted else color, "-|>")
        _number(ax, discovery, source, target, places)
    for a, b in discovery.graph.bidirected:
        _arrow(ax, places[a], places[b], SOFT, "<|-|>", dashed=True, bend=-0.3)
    for row in discovery.data_question_experts:
        pair = row.subject.split(" | ")[0].split(" _||_ ")
        if len(pair) == 2 and {*pair} <= {*places}:
            _arrow(ax, places[pair[0]], places[pair[1]], AMBER, "-", dashed=True, bend=0.25)
            _number(ax, discovery, pair[0], pair[1], places)


def _arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str,
    style: str,
    *,
    dashed: bool = False,
    bend: float = 0.1,
) -> None:
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle=style,
            mutation_scale=11,
            color=color,
            linewidth=1.4,
            linestyle=(0, (4, 3)) if dashed else "solid",
            connectionstyle=f"arc3,rad={bend}",
            shrinkA=26,
            shrinkB=26,
        )
    )


def _number(
    ax: Axes, discovery: Discovery, a: str, b: str, places: dict[str, tuple[float, float]]
) -> None:
    """Write how often the search finds two nodes adjacent."""
    table = discovery.frequencies
    shares = table.loc[table["a"].isin((a, b)) & table["b"].isin((a, b)), "adjacent"]
    if len(shares):
        (x0, y0), (x1, y1) = places[a], places[b]
        text = f"{float(shares.iloc[0]):.2f}"
        ax.text(0.45 * x0 + 0.55 * x1, 0.45 * y0 + 0.55 * y1, text, color=SOFT, fontsize=7.5)
