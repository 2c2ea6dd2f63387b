"""Plot a fit: each function returns a matplotlib Figure and leaves pyplot alone.

Every picture names its estimand and its interval, and says in red when the sampler has not
converged. Draws are reduced by `summarize`, here as everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayescausal._types import Draws, Node
from bayescausal.errors import SpecError
from bayescausal.experiments.estimand import Estimand
from bayescausal.graphs.edge import Edge
from bayescausal.identification.verdicts import identify
from bayescausal.inference.evidence import totals
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.presentation.evidence_text import channels
from bayescausal.presentation.formatting import graded_name
from bayescausal.presentation.plot_style import (
    AMBER,
    BLUE,
    DASHED,
    GRADED,
    GRID,
    INK,
    SOFT,
    arrow,
    date_axis,
    draw_band,
    open_sheet,
    period,
    sheet_with,
    styled,
    table_of,
)
from bayescausal.queries.curves import adstock_curve, response_curve
from bayescausal.queries.effects import contributions, effect, mroas, roas
from bayescausal.thresholds import MAX_RHAT, MAX_RHAT_NUISANCE, MIN_ESS
from bayescausal.validation.diagnostics import diagnose

_MAX_UNITS = 6
_MAX_PARAMETERS = 14


def curved_edges(fit: Fit) -> list[Edge]:
    """Return the edges that have a response of their own; plain ones of treatments if none has."""
    curved = [e for e, response in fit.spec.mechanisms.items() if response.transforms]
    return curved or [e for e in fit.spec.mechanisms if e.source in fit.spec.treatments]


def delayed_edges(fit: Fit) -> list[Edge]:
    """Return the edges whose effect is spread over several periods."""
    return [e for e, response in fit.spec.mechanisms.items() if response.reach]


@verb
@styled()
def plot_fit(fit: Fit, node: Node | None = None, prob: float = 0.9) -> Figure:
    """Plot observed values against what the model predicts, over time.

    It shows fit, not causation: a graph that misses a confounder fits just as well.

    Parameters
    ----------
    fit : Fit
    node : str, optional
        A modelled node; the first outcome by default.
    prob : float
        Probability inside the predictive band.

    Returns
    -------
    matplotlib.figure.Figure
        Panels of up to six units as small multiples, larger ones as the sum over units.

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
    if fit.data.is_panel and len(fit.data.units) <= _MAX_UNITS:
        parts = [(u, replicas.sel(unit=u), observed.sel(unit=u)) for u in fit.data.units]
    elif fit.data.is_panel:
        parts = [("", replicas.sum("unit"), observed.sum("unit"))]
        subject = f"{node}, sum over {len(fit.data.units)} units"
    tables = [(name, table_of(draws, prob), values) for name, draws, values in parts]
    covered = np.ravel([(t["low"] <= y.values) & (y.values <= t["high"]) for _, t, y in tables])
    sheet, axes = sheet_with(
        fit,
        len(parts),
        1 if len(parts) < 3 else 2,
        height=2.9 if len(parts) == 1 else 1.9,
        title=f"{subject}: observed against predicted",
        subtitle=f"Dots: observed. Line and band: posterior predictive median and {prob:.0%} "
        f"interval of each {period(fit)}, given its observed causes. {covered.sum()} of "
        f"{covered.size} dots lie inside.",
        sharex=True,
    )
    for ax, (name, table, values) in zip(axes, tables, strict=True):
        times = fit.data.training
        draw_band(ax, times, table)
        ax.plot(times, values.to_numpy(), "o", color=INK, markersize=2.4)
        ax.set_title(name)
        ax.set_ylabel(node)
        date_axis(ax)
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
    """
    outcome = fit.spec.graph.outcomes[0]
    names = [channels] if isinstance(channels, str) else list(channels or channels_of(fit, outcome))
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
        draw_band(ax, fit.data.training, table, unknown=letter == "X")
        ax.axhline(0, color=SOFT, linewidth=0.8)
        ax.set_title(graded_name(name, letter))
        date_axis(ax)
    return sheet


@verb
@styled()
def plot_roas(fit: Fit, prob: float = 0.9, outcome: Node | None = None) -> Figure:
    """Plot ROAS and marginal ROAS by channel, with intervals and a dashed line at break-even.

    Beside each name stands its grade; what is not identified says so, and its markers are open.

    Parameters
    ----------
    fit : Fit
    prob : float
        Probability inside the intervals.
    outcome : str, optional
        Needed when the graph has several.

    Raises
    ------
    DataError
        No channel has spend.
    """
    outcome = outcome or fit.spec.graph.outcome
    average, marginal = (table_of(query(fit, outcome=outcome), prob) for query in (roas, mroas))
    kinds = (
        ("ROAS, the average return of what was spent", average, BLUE, "o", -0.17),
        ("mROAS, the return of the next unit spent", marginal, AMBER, "s", 0.17),
    )
    order = list(kinds[0][1]["median"].sort_values(ascending=False).index)
    sheet, axes = sheet_with(
        fit,
        1,
        1,
        height=0.95 + 0.62 * len(order),
        title="Return per unit of spend",
        subtitle=f"Value of incremental {outcome} per unit of the channel's own "
        f"spend: median and {prob:.0%} credible interval. Dashed line: one back for one spent. "
        f"{GRADED}",
    )
    ax = axes[0]
    ax.axvline(1, color=INK, **DASHED)
    rows = np.arange(len(order))
    for label, table, color, marker, shift in kinds:
        table = table.loc[order]
        ax.plot([], [], marker, color=color, markersize=6.5, label=label)
        for row, line in zip(rows, table.itertuples(), strict=True):
            weak = line.grade == "X"
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


@verb
@styled()
def plot_diagnostics(fit: Fit) -> Figure:
    """Plot whether the sampler can be trusted: R-hat, effective sample sizes, ranks by chain.

    Parameters
    ----------
    fit : Fit

    Notes
    -----
    Ranks of the draws by chain are level when the chains agree (Vehtari et al., 2021).
    """
    diagnostics = diagnose(fit)
    effects = diagnostics.effects.drop(columns="contraction").sort_values("r_hat", ascending=False)
    ranked = list(effects.index[:_MAX_UNITS])
    effects.index = [f"effect of {name}" for name in effects.index]
    table = pd.concat([effects[:_MAX_PARAMETERS], diagnostics.parameters[:_MAX_PARAMETERS]])
    columns = min(3, len(ranked))
    panel_rows = math.ceil(len(ranked) / columns)
    table_height = 0.7 + 0.2 * len(table)
    sheet = open_sheet(
        fit,
        table_height + 1.9 * panel_rows,
        title="Diagnostics of the sampler",
        subtitle="Total effects, and the "
        f"{min(_MAX_PARAMETERS, len(diagnostics.parameters))} parameters with the largest "
        "R-hat. Dashed: the limits (in blue for effects). Below: "
        "ranks of the draws of each total effect, one line a chain; level within the grey 99% "
        "band when chains agree.",
    )
    grid = sheet.add_gridspec(1 + panel_rows, 6, height_ratios=[table_height, *[1.9] * panel_rows])
    rhat_axes = sheet.add_subplot(grid[0, :3])
    ess_axes = sheet.add_subplot(grid[0, 3:], sharey=rhat_axes)
    _limits(rhat_axes, ess_axes, table, len(effects[:_MAX_PARAMETERS]))
    for k, name in enumerate(ranked):
        span = 6 // columns
        row, column = 1 + k // columns, span * (k % columns)
        _ranks(sheet.add_subplot(grid[row, column : column + span]), fit, name)
    return sheet


def _limits(rhat_axes: Axes, ess_axes: Axes, table: pd.DataFrame, effects: int) -> None:
    rows = np.arange(len(table))
    colors = [BLUE] * effects + [INK] * (len(table) - effects)
    rhat_axes.scatter(table["r_hat"], rows, c=colors, s=22)
    rhat_axes.axvline(MAX_RHAT, color=BLUE, **DASHED)
    rhat_axes.axvline(MAX_RHAT_NUISANCE, color=INK, **DASHED)
    rhat_axes.set_xlim(0.999, max(1.032, float(table["r_hat"].max()) * 1.002))
    rhat_axes.set_title("R-hat")
    rhat_axes.set_yticks(rows, list(table.index), color=INK)
    rhat_axes.set_ylim(len(table) - 0.5, -0.5)
    ess_axes.scatter(table["ess_bulk"], rows, c=colors, s=22, label="bulk")
    ess_axes.scatter(
        table["ess_tail"], rows, facecolors="none", edgecolors=colors, s=22, label="tail"
    )
    ess_axes.axvline(MIN_ESS, color=BLUE, **DASHED)
    ess_axes.set_xlim(left=0)
    ess_axes.set_title("Effective sample size (filled: bulk, open: tail)")
    ess_axes.tick_params(labelleft=False)


def _ranks(ax: Axes, fit: Fit, name: str) -> None:
    draws = effect(fit, totals(fit.spec, fit.data)[name]).transpose("chain", "draw")
    values = draws.to_numpy()
    ranks = values.ravel().argsort().argsort().reshape(values.shape)
    bins = min(20, max(2, values.shape[1] // 10))
    edges = np.linspace(0, values.size, bins + 1)
    expected = values.shape[1] / bins
    spread = 2.58 * math.sqrt(expected * (1 - 1 / bins))
    ax.axhspan(max(0, expected - spread), expected + spread, color=GRID, linewidth=0)
    for chain, shade in zip(ranks, np.linspace(0.45, 1, len(ranks)), strict=True):
        ax.stairs(np.histogram(chain, edges)[0], edges, baseline=None, color=BLUE, alpha=shade)
    ax.set_ylim(0, None)
    ax.set_title(f"ranks: effect of {name}")
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.set_ylabel("draws per bin")


def channels_of(fit: Fit, outcome: Node) -> list[Node]:
    """Return what can be credited with the outcome: treatments that reach it, paid mediators."""
    return channels(fit.spec, outcome, fit.data.spend)


def edge_grade(fit: Fit, edge: Edge) -> str:
    """Return the grade of an edge as the graph and the tests give it, before any data."""
    if edge.source == edge.target:  # memory: not told apart from noise that persists
        return "X"
    estimand = Estimand(control={str(edge): 0.0}, outcome=edge.target)
    return identify(fit.spec.graph, estimand, fit.spec.experiments).grade


def _edge_titles(fit: Fit, axes: Sequence[Axes], edges: Sequence[Edge]) -> list[bool]:
    """Write the edge and its grade above each panel; return which are not identified."""
    letters = [edge_grade(fit, edge) for edge in edges]
    for ax, edge, letter in zip(axes, edges, letters, strict=True):
        ax.set_title(graded_name(arrow(edge), letter))
    return [letter == "X" for letter in letters]


def _added(fit: Fit, name: Node, outcome: Node) -> Draws:
    draws = contributions(fit, [name], outcome=outcome).isel(channel=0).drop_vars("channel")
    return draws.sum("unit", keep_attrs=True) if fit.data.is_panel else draws
