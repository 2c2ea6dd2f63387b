"""Plot what data say of the claims of a graph."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescausal import checks
from bayescausal.presentation.plot_style import (
    AMBER,
    BLUE,
    GRID,
    INK,
    RED,
    SOFT,
    blank_sheet,
    styled,
)
from bayescausal.validation.graph_check import ClaimTest, Finding, GraphCheck, Kind

_ROW = 0.24
_HEAD = 0.5
_LONGEST = 60
_COLORS = {
    Finding.CONTRADICTED: RED,
    Finding.DOUBTFUL: AMBER,
    Finding.COMPATIBLE: INK,
    Finding.SUPPORTED: BLUE,
    Finding.UNSUPPORTED: AMBER,
}
_TITLES = {
    Kind.INDEPENDENCE: "Independent, says the graph",
    Kind.FUTURE: "Later spend must not tell of earlier outcomes",
    Kind.EDGE: "Edges",
}


@styled()
def plot_graph_check(check: GraphCheck) -> Figure:
    """Plot the correlation of each claim of a graph, and what the test of it could have seen.

    Grey reaches to the smallest correlation that would be seen in 8 of 10 such data sets: a dot
    inside says little of a dependence that is smaller. Claims that could not be tested are left
    out; the figure says how many.

    Parameters
    ----------
    check : GraphCheck

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import bayescausal as bc
    >>> example = bc.load_example()
    >>> figure = bc.plot_graph_check(bc.check_graph(example.data, example.spec, companions=()))
    """
    checks.instance("plot_graph_check", check, GraphCheck, "Write check_graph(data, graph) first.")
    groups = {kind: [r for r in check.rows if r.kind == kind and not r.reason] for kind in Kind}
    groups = {kind: rows for kind, rows in groups.items() if rows}
    untested = sum(bool(row.reason) for row in check.rows)
    left_out = f"{untested} could not be tested. " if untested else ""
    heights = [_HEAD + _ROW * len(rows) for rows in groups.values()]
    sheet = blank_sheet(
        sum(heights) or _HEAD,
        title="What the data say of the graph",
        subtitle=f"{check.sentence} {left_out}Dots: correlations of what is new in a period, given "
        "the past and the conditioning set; of several lags together where nothing is negative. "
        "Grey: too small to be seen in 8 of 10 such data sets. Red: contradicted; amber: doubtful, "
        "or an edge without support; blue: an edge that the data support.",
        alarm="" if not check.rejected else "The data reject this graph.",
    )
    if groups:
        ratios = {"height_ratios": heights}
        axes = sheet.subplots(len(groups), 1, squeeze=False, gridspec_kw=ratios)[:, 0]
        for ax, (kind, rows) in zip(axes, groups.items(), strict=True):
            _draw(ax, kind, rows)
    return sheet


def _draw(ax: Axes, kind: Kind, rows: list[ClaimTest]) -> None:
    """Draw one panel, the smallest p-value on top."""
    for place, row in enumerate(rows):
        test = row.decisive[0]
        signed = test.freedom[0] == 1
        ax.barh(
            place,
            test.detectable * (2 if signed else 1),
            left=-test.detectable if signed else 0,
            height=0.7,
            color=GRID,
        )
        ax.plot(test.correlation, place, "o", color=_COLORS[row.finding], markersize=5)
    ax.set_yticks(range(len(rows)), [_label(row) for row in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.axvline(0, color=SOFT, linewidth=0.8)
    ends = [max(r.decisive[0].detectable, abs(r.decisive[0].correlation)) for r in rows]
    low = -max(ends) if any(r.decisive[0].freedom[0] == 1 for r in rows) else 0.0
    ax.set_xlim(low * 1.1 - 0.02, min(max(ends) * 1.1 + 0.02, 1.02))
    ax.set_title(_TITLES[kind])


def _label(row: ClaimTest) -> str:
    text = row.claim if len(row.claim) <= _LONGEST else f"{row.claim[: _LONGEST - 3]}..."
    finding = "" if row.finding in (Finding.COMPATIBLE, Finding.SUPPORTED) else f"{row.finding}: "
    return f"{finding}{text}"
