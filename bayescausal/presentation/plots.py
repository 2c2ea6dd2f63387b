"""Plot a fit: each function returns a matplotlib Figure and leaves pyplot alone.

Pictures of one panel can be drawn in axes of the caller, ``ax=``.

Every picture names its estimand and its interval, and says in red when the sampler has not
converged. Draws are reduced by `summarize`, here as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayescausal._types import Draws, Node
from bayescausal.errors import SpecError
from bayescausal.graphs.edge import Edge
from bayescausal.identification.grades import Letter
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.presentation.evidence_text import channels
from bayescausal.presentation.formatting import graded_name
from bayescausal.presentation.plot_style import (
    AMBER,
    BLUE,
    DASHED,
    GRADED,
    INK,
    SOFT,
    arrow,
    date_axis,
    draw_band,
    panel_on,
    period,
    sheet_with,
    styled,
    table_of,
)
from bayescausal.queries.curves import adstock_curve, response_curve
from bayescausal.queries.effects import contributions, mroas, roas

_MAX_UNITS = 6


def curved_edges(fit: Fit) -> list[Edge]:
    """Return the edges that have a response of their own; plain ones of treatments if none has."""
    curved = [e for e, response in fit.spec.mechanisms.items() if response.transforms]
    return curved or [e for e in fit.spec.mechanisms if e.source in fit.spec.treatments]


def delayed_edges(fit: Fit) -> list[Edge]:
    """Return the edges whose effect is spread over several periods."""
    return [e for e, response in fit.spec.mechanisms.items() if response.reach]


@verb
@styled()
def plot_fit(
    fit: Fit, node: Node | None = None, prob: float = 0.9, *, ax: Axes | None = None
) -> Figure:
    """Plot observed values against what the model predicts, over time.

    It shows fit, not causation: a graph that misses a confounder fits just as well.

    Parameters
    ----------
    fit : Fit
    node : str, optional
        A modelled node; the first outcome by default.
    prob : float
        Probability inside the predictive band.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a figure of its own by default.

    Returns
    -------
    matplotlib.figure.Figure
        That of ``ax`` where it is given. Panels of up to six units are small multiples; larger
        ones, and those that are drawn in ``ax``, are the sum over units.

    Raises
    ------
    SpecError
        The node has no equation.
    """
    node = node or fit.spec.graph.outcomes[0]
    if node not in fit.spec.modelled:
        raise SpecError(
            f"'{node}' has no equation, so there is nothing to compare it with. Modelled nodes: "
            f"{', '.join(fit.spec.modelled)}."
        )
    replicas = fit.tree["posterior_predictive"].to_dataset()[node]
    observed = fit.tree["observed_data"].to_dataset()[node]
    parts, subject = [("", replicas, observed)], node
    if fit.data.is_panel and len(fit.data.units) <= _MAX_UNITS and ax is None:
        parts = [(u, replicas.sel(unit=u), observed.sel(unit=u)) for u in fit.data.units]
    elif fit.data.is_panel:
        parts = [("", replicas.sum("unit"), observed.sum("unit"))]
        subject = f"{node}, sum over {len(fit.data.units)} units"
    tables = [(name, table_of(draws, prob), values) for name, draws, values in parts]
    covered = np.ravel([(t["low"] <= y.values) & (y.values <= t["high"]) for _, t, y in tables])
    head = {
        "title": f"{subject}: observed against predicted",
        "subtitle": f"Dots: observed. Line and band: posterior predictive median and {prob:.0%} "
        f"interval of each {period(fit)}, given its observed causes. {covered.sum()} of "
        f"{covered.size} dots lie inside.",
    }
    if len(parts) == 1:
        sheet, panel = panel_on(fit, ax, height=2.9, **head)
        axes = [panel]
    else:
        columns = 1 if len(parts) < 3 else 2
        sheet, axes = sheet_with(fit, len(parts), columns, height=1.9, sharex=True, **head)
    for panel, (name, table, values) in zip(axes, tables, strict=True):
        times = fit.data.training
        draw_band(panel, times, table)
        panel.plot(times, values.to_numpy(), "o", color=INK, markersize=2.4)
        if name:
            panel.set_title(name)
        panel.set_ylabel(node)
        date_axis(panel)
    return sheet


@verb
@styled()
def plot_contributions(
    fit: Fit, channels: Sequence[Node] | None = None, prob: float = 0.9
) -> Figure:
    """Plot what each channel added over time: factual against ``do(channel = 0)``.

    Small multiples on one scale. Not stacked: contributions overlap when one channel acts through
    another, and a stack hides how uncertain they are. Beside each name stands its grade; a band
    that is not identified is hatched and says so.

    Parameters
    ----------
    fit : Fit
    channels : sequence of str, optional
        By default every treatment that reaches the outcome, and paid mediators.
    prob : float
        Probability inside the bands.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a channel.
    """
    outcome = fit.spec.graph.outcomes[0]
    names = list(channels or channels_of(fit, outcome))
    tables = [table_of(_added(fit, name, outcome), prob) for name in names]
    units = f", sum over {len(fit.data.units)} units" if fit.data.is_panel else ""
    sheet, axes = sheet_with(
        fit,
        len(names),
        1 if len(names) < 5 else 2,
        height=1.55,
        title=f"Contributions to {outcome} per {period(fit)}{units}",
        subtitle=f"{outcome} as it was, minus {outcome} with the channel at zero: median and "
        f"{prob:.0%} credible interval. One channel at a time; where one acts through another "
        f"their contributions overlap, so they do not add up. {GRADED}",
        sharex=True,
        sharey=True,
    )
    for ax, name, table in zip(axes, names, tables, strict=True):
        letter = str(table["grade"].iloc[0])
        draw_band(ax, fit.data.training, table, unknown=letter == Letter.X)
        ax.axhline(0, color=SOFT, linewidth=0.8)
        ax.set_title(graded_name(name, letter))
        date_axis(ax)
    return sheet


@verb
def plot_roas(
    fit: Fit, prob: float = 0.9, outcome: Node | None = None, *, ax: Axes | None = None
) -> Figure:
    """Plot ROAS and marginal ROAS by channel, with intervals and a dashed line at break-even.

    Beside each name stands its grade; what is not identified says so, and its markers are open.

    Parameters
    ----------
    fit : Fit
    prob : float
        Probability inside the intervals.
    outcome : str, optional
        Needed when the graph has several.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a figure of its own by default.

    Returns
    -------
    matplotlib.figure.Figure
        That of ``ax`` where it is given.

    Raises
    ------
    DataError
        No channel has spend.
    """
    outcome = outcome or fit.spec.graph.outcome
    return returns_sheet(fit, roas(fit, outcome=outcome), mroas(fit, outcome=outcome), prob, ax)


@styled()
def returns_sheet(
    fit: Fit, average: Draws, marginal: Draws, prob: float, ax: Axes | None = None
) -> Figure:
    """Draw what `roas` and `mroas` returned of the same channels."""
    outcome = average.attrs["outcome"]
    tables = [table_of(draws, prob) for draws in (average, marginal)]
    kinds = (
        ("ROAS, the average return of what was spent", tables[0], BLUE, "o", -0.17),
        ("mROAS, the return of the next unit spent", tables[1], AMBER, "s", 0.17),
    )
    order = list(kinds[0][1]["median"].sort_values(ascending=False).index)
    sheet, ax = panel_on(
        fit,
        ax,
        height=0.95 + 0.62 * len(order),
        title="Return per unit of spend",
        subtitle=f"Value of incremental {outcome} per unit of the channel's own "
        f"spend: median and {prob:.0%} credible interval. Dashed line: one back for one spent. "
        f"{GRADED}",
    )
    ax.axvline(1, color=INK, **DASHED)
    rows = np.arange(len(order))
    for label, table, color, marker, shift in kinds:
        table = table.loc[order]
        ax.plot([], [], marker, color=color, markersize=6.5, label=label)
        for row, line in zip(rows, table.itertuples(), strict=True):
            weak = line.grade == Letter.X
            style = (0, (2, 2)) if weak else "solid"
            ends = (line.low, line.high)
            ax.hlines(row + shift, *ends, color=color, linewidth=2.2, linestyle=style)
            fill = "white" if weak else color
            ax.plot(line.median, row + shift, marker, color=color, mfc=fill, markersize=6.5)
            ax.text(
                1.02,
                row + shift,
                f"{line.median:.2f}  [{line.low:.2f}, {line.high:.2f}]",
                transform=ax.get_yaxis_transform(),
                va="center",
                color=color,
            )
    letters = kinds[0][1]["grade"]
    names = [graded_name(name, letters[name]).replace(": ", ":\n") for name in order]
    ax.set_yticks(rows, names, color=INK, fontsize=10)
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.set_xlim(left=min(0.0, ax.get_xlim()[0]))
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper left", bbox_to_anchor=(-0.01, -0.1), ncols=2, handletextpad=0.2)
    return sheet


@verb
@styled()
def plot_curves(fit: Fit, prob: float = 0.9) -> Figure:
    """Plot saturation: the steady response along each edge to constant exposure.

    Grey beyond the largest observed exposure: there the prior and the form of the curve speak.
    Beside each edge stands its grade by the graph and the tests; a band that is not identified is
    hatched and says so.

    Parameters
    ----------
    fit : Fit
    prob : float
        Probability inside the bands.

    Returns
    -------
    matplotlib.figure.Figure
        One panel an edge.
    """
    edges = curved_edges(fit)
    units = ", mean over units" if fit.data.is_panel else ""
    sheet, axes = sheet_with(
        fit,
        len(edges),
        min(3, len(edges)),
        height=2.5,
        title=f"Response curves per {period(fit)}{units}",
        subtitle="Steady response along one edge to constant exposure, carry-over included: median "
        f"and {prob:.0%} credible interval. Ticks: observed exposures. Grey: beyond the largest "
        f"one, an extrapolation. {GRADED}",
    )
    weak = _edge_titles(fit, axes, edges)
    for ax, edge, unknown in zip(axes, edges, weak, strict=True):
        draws = response_curve(fit, edge)
        exposure = draws["exposure"].to_numpy()
        draw_band(ax, exposure, table_of(draws, prob), unknown=unknown)
        scale = fit.scm.scale[edge.source]
        exposures = fit.data.array(edge.source)[..., fit.data.history :] / scale * scale.mean()
        ax.axvspan(float(scale.mean()), exposure[-1], color=SOFT, alpha=0.18, linewidth=0)
        ax.plot(
            exposures.ravel(),
            np.full(exposures.size, 0.02),
            "|",
            color=INK,
            alpha=0.35,
            markersize=6,
            transform=ax.get_xaxis_transform(),
        )
        ax.set_xlim(0, exposure[-1])
        ax.set_xlabel(f"{edge.source} per {period(fit)}")
        logs = fit.spec.link(edge.target) == "log"
        ax.set_ylabel(f"change of log {edge.target}" if logs else edge.target)
    return sheet


@verb
@styled()
def plot_adstock(fit: Fit, prob: float = 0.9) -> Figure:
    """Plot carry-over: how the effect of one period's exposure spreads over the next periods.

    Parameters
    ----------
    fit : Fit
    prob : float
        Probability inside the bands.

    Returns
    -------
    matplotlib.figure.Figure
        One panel an edge.

    Raises
    ------
    SpecError
        No edge has an adstock.
    """
    edges = delayed_edges(fit)
    if not edges:
        raise SpecError(
            "No edge of this fit has an adstock, so nothing carries over. Give a treatment "
            "Response(GeometricAdstock(l_max=8), ...)."
        )
    sheet, axes = sheet_with(
        fit,
        len(edges),
        min(3, len(edges)),
        height=2.2,
        title="Carry-over along each edge",
        subtitle=f"Share of the adstocked exposure that acts in each {period(fit)} after it: "
        f"median and {prob:.0%} credible interval. In each draw shares sum to one. {GRADED}",
        sharey=True,
    )
    weak = _edge_titles(fit, axes, edges)
    for ax, edge, unknown in zip(axes, edges, weak, strict=True):
        draws = adstock_curve(fit, edge)
        table, lags = table_of(draws, prob), draws["lag"].to_numpy()
        ax.vlines(lags, table["low"], table["high"], color=BLUE, alpha=0.35, linewidth=5)
        fill = "white" if unknown else BLUE
        ax.plot(lags, table["median"], "o-", color=BLUE, mfc=fill, markersize=4, linewidth=0.8)
        ax.set_xlabel(f"{period(fit)}s after exposure")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes[0].set_ylim(bottom=0)
    return sheet


def channels_of(fit: Fit, outcome: Node) -> list[Node]:
    """Return what can be credited with the outcome: treatments that reach it, paid mediators."""
    return channels(fit.spec, outcome, fit.data.spend)


def _edge_titles(fit: Fit, axes: Sequence[Axes], edges: Sequence[Edge]) -> list[bool]:
    """Write the edge and its grade above each panel; return which are not identified."""
    letters = [fit.evidence.edge_letter(edge) for edge in edges]
    for ax, edge, letter in zip(axes, edges, letters, strict=True):
        ax.set_title(graded_name(arrow(edge), letter))
    return [letter == Letter.X for letter in letters]


def _added(fit: Fit, name: Node, outcome: Node) -> Draws:
    draws = contributions(fit, [name], outcome=outcome).isel(channel=0).drop_vars("channel")
    return draws.sum("unit", keep_attrs=True) if fit.data.is_panel else draws
