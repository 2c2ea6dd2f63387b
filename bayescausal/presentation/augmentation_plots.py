"""Plot augmented rows: their weights, their distance from the data, the slopes they imply."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from bayescausal.augmentation.augment import Augmented
from bayescausal.augmentation.diagnostics import AugmentationDiagnostics, diagnose_augmentation
from bayescausal.presentation.plot_style import AMBER, BLUE, DASHED, INK, SOFT, blank_sheet, styled
from bayescausal.thresholds import FEW_DONORS

_MOST = 18
_LINE = 0.19


@styled()
def plot_augmentation(rows: Augmented | AugmentationDiagnostics) -> Figure:
    """Show the diagnostics of augmented rows, one panel each, and the advice below them.

    Weights; distances from observed rows; how many observed rows have causes like those that a
    node is drawn at, where left of the dashed line a value hangs on a single one; slopes in
    augmented rows against observed ones. It does not show whether the graph is right.

    Parameters
    ----------
    rows : Augmented or AugmentationDiagnostics
        The rows, or what `diagnose_augmentation` made of them.

    Returns
    -------
    matplotlib.figure.Figure
    """
    diagnostics = rows if isinstance(rows, AugmentationDiagnostics) else diagnose_augmentation(rows)
    advice = [line for text in diagnostics.advice for line in _wrapped(text)]
    lines = max(len(diagnostics.nodes), min(len(diagnostics.edges), _MOST), 4)
    heights = [1.9, 0.8 + 0.22 * lines, 0.3 + _LINE * len(advice)]
    sheet = blank_sheet(
        sum(heights),
        title=f"{diagnostics.rows['rows']:.0f} augmented rows: what they are worth",
        subtitle="Distances: dashed is the 95% quantile of observed rows. Like causes: left of the "
        "dashed line a value hangs on a single observed row. Slopes: each node on its causes' "
        "columns, by least squares. None of it says whether the graph is right.",
    )
    grid = sheet.add_gridspec(3, 2, height_ratios=heights)
    _shares(sheet.add_subplot(grid[0, 0]), diagnostics)
    _support(sheet.add_subplot(grid[0, 1]), diagnostics)
    _donors(sheet.add_subplot(grid[1, 0]), diagnostics)
    _slopes(sheet.add_subplot(grid[1, 1]), diagnostics)
    words = sheet.add_subplot(grid[2, :])
    words.set_axis_off()
    words.set_title("Advice")
    words.text(0, 1, "\n".join(advice), va="top", transform=words.transAxes, linespacing=1.35)
    return sheet


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 108, initial_indent="• ", subsequent_indent="   ")


def _shares(ax: Axes, diagnostics: AugmentationDiagnostics) -> None:
    rows = diagnostics.rows
    shares = {
        "probability held (mass)": rows["mass"],
        "Kish size / rows": rows["effective_rows"] / max(1, rows["rows"]),
        "distinct rows": rows["distinct"],
        "copies of observed rows": rows["copies"],
    }
    values = np.nan_to_num(list(shares.values()))
    places = list(range(len(shares)))
    ax.barh(places, values, color=[BLUE, BLUE, BLUE, AMBER], height=0.55)
    for place, value in zip(places, values, strict=True):
        ax.text(value + 0.015, place, f"{value:.0%}", va="center", color=INK)
    ax.set_yticks(places, list(shares), color=INK)
    ax.set_xlim(0, 1.14)
    ax.set_ylim(len(shares) - 0.5, -0.5)
    ax.set_xticks([0, 0.5, 1], ["0", "50%", "100%"])
    ax.set_title("Weights")


def _support(ax: Axes, diagnostics: AugmentationDiagnostics) -> None:
    for name, color in (("observed", SOFT), ("augmented", BLUE)):
        distances = diagnostics.distances.get(name)
        if distances is not None:
            ax.ecdf(distances, color=color, label=name, linewidth=1.6)
    ax.set_title("Distance to the nearest observed row")
    ax.set_xlabel("1 = median distance between observed neighbors")
    ax.set_ylabel("share of rows")
    if diagnostics.distances:
        ax.axvline(np.quantile(diagnostics.distances["observed"], 0.95), color=SOFT, **DASHED)
        ax.set_xlim(left=0)
        ax.legend(loc="lower right")


def _donors(ax: Axes, diagnostics: AugmentationDiagnostics) -> None:
    places = list(range(len(diagnostics.donors)))
    for place, (node, number) in zip(places, diagnostics.donors.items(), strict=True):
        low, middle, high = np.quantile(number, [0.05, 0.5, 0.95])
        ax.plot([low, high], [place, place], color=BLUE, linewidth=3, solid_capstyle="round")
        ax.plot(middle, place, "o", color=BLUE, markersize=6)
        usual = diagnostics.nodes.loc[node, "donors_observed"]
        ax.plot(usual, place, "|", color=INK, markersize=13, markeredgewidth=1.6)
    ax.axvline(FEW_DONORS, color=AMBER, **DASHED)
    ax.set_xscale("log")
    ax.set_xlim(left=0.9)
    ax.set_yticks(places, list(diagnostics.donors), color=INK)
    ax.set_ylim(len(places) - 0.5 if len(places) else 0.5, -0.5)
    ax.set_title("Observed rows with like causes")
    ax.set_xlabel("effective number, 5 to 95%; tick: of observed rows")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def _slopes(ax: Axes, diagnostics: AugmentationDiagnostics) -> None:
    edges = diagnostics.edges
    if len(edges):
        clarity = (edges["observed"] / edges["std_error"]).abs().fillna(0)
        edges = edges[clarity.rank(ascending=False, method="first") <= _MOST]
    places = list(range(len(edges)))
    for place, (_, row) in zip(places, edges.iterrows(), strict=True):
        significant = abs(row["observed"]) > 2 * row["std_error"]
        ax.plot(
            row["ratio"], place, "o", color=BLUE, mfc=BLUE if significant else "none", markersize=6
        )
    ax.axvline(1, color=SOFT, **DASHED)
    ratios = edges["ratio"][np.isfinite(edges["ratio"])] if len(edges) else np.ones(1)
    ax.set_xlim(max(-1, min(0.6, ratios.min() - 0.1)), min(3, max(1.2, ratios.max() + 0.1)))
    ax.set_yticks(places, [f"{column} → {node}" for node, column in edges.index], color=INK)
    ax.set_ylim(len(places) - 0.5 if len(places) else 0.5, -0.5)
    suffix = f", the {_MOST} clearest" if len(diagnostics.edges) > _MOST else ""
    ax.set_title(f"Slopes, augmented / observed{suffix}")
    ax.set_xlabel("1: not attenuated; open: observed |z| < 2")
