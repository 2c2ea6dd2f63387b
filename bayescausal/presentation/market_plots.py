"""Plot a panel: what a channel returns in each market."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from bayescausal._types import Node
from bayescausal.identification.grades import Letter
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.presentation.formatting import graded_name
from bayescausal.presentation.plot_style import (
    AMBER,
    BLUE,
    DASHED,
    GRADED,
    INK,
    sheet_with,
    styled,
    table_of,
)
from bayescausal.queries.effects import roas

_ROW = 0.2


@verb
@styled()
def plot_roas_by_unit(fit: Fit, prob: float = 0.9, outcome: Node | None = None) -> Figure:
    """Plot the ROAS of each channel in each unit of a panel, best unit first.

    Units are partially pooled, so the best is not as good, nor the worst as bad, as each alone
    would look; the band is the return of all units together. A unit in which a channel has no
    spend is left out. Two intervals that overlap are no proof that the units are alike.

    Parameters
    ----------
    fit : Fit
        Of a panel.
    prob : float
        Probability inside the intervals.
    outcome : str, optional
        Needed when the graph has several.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a channel.

    Raises
    ------
    DataError
        The data are national, or no channel has spend.
    """
    outcome = outcome or fit.spec.graph.outcome
    by_unit, total = roas(fit, outcome=outcome, by_unit=True), roas(fit, outcome=outcome)
    names = [str(name) for name in by_unit["channel"].to_numpy()]
    tables = {
        name: table_of(
            by_unit.sel(channel=name).dropna("unit", how="all").drop_vars("channel"), prob
        )
        for name in names
    }
    overall = table_of(total, prob)
    rows_of_largest = max(len(table) for table in tables.values())
    columns = min(3, len(names))
    sheet, axes = sheet_with(
        fit,
        len(names),
        columns,
        height=0.75 + _ROW * rows_of_largest,
        title="Return per unit of spend, market by market",
        subtitle=f"Value of incremental {outcome} per unit of the channel's own spend: median and "
        f"{prob:.0%} credible interval; band: all markets together. Dashed line: one back for one "
        f"spent. {GRADED}",
    )
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        table = table.sort_values("median", ascending=False)
        letter, pooled = str(table["grade"].iloc[0]), overall.loc[name]
        rows, weak = np.arange(len(table)), letter == Letter.X
        ax.axvline(1, color=INK, **DASHED)
        ax.axvspan(pooled["low"], pooled["high"], color=AMBER, alpha=0.15, linewidth=0)
        style = (0, (2, 2)) if weak else "solid"
        ax.hlines(rows, table["low"], table["high"], color=BLUE, linewidth=1.8, linestyle=style)
        ax.plot(table["median"], rows, "o", color=BLUE, mfc="white" if weak else BLUE, markersize=5)
        ax.set_yticks(rows, table.index, color=INK)
        ax.set_ylim(len(table) - 0.5, -0.5)
        ax.set_xlim(left=min(0.0, ax.get_xlim()[0]))
        ax.set_title(graded_name(name, letter))
        ax.grid(axis="y", visible=False)
    return sheet
