"""Plot experiments: what each test adds to the precision, and held-out tests against the model.

They draw the tables that `evidence` and `reconcile` return, and sample nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from bayescausal import checks
from bayescausal.errors import SpecError
from bayescausal.identification.grades import Letter
from bayescausal.identification.status import Status
from bayescausal.presentation.formatting import graded_name, number, share
from bayescausal.presentation.plot_style import (
    AMBER,
    BLUE,
    DASHED,
    INK,
    RED,
    SOFT,
    blank_sheet,
    panels,
    styled,
)
from bayescausal.validation.experiment_checks import Reconciliation

type Color = tuple[float, float, float]

_SOURCES = ("source", "sd", "precision", "share", "loss", "status")
_PALEST = 0.65  # how far the last test's color is from the first one's, towards white
_NARROW = 0.07  # of the axis: a segment that is narrower has no room for its share


@styled()
def plot_evidence(table: pd.DataFrame) -> Figure:
    """Plot what the prior, the data and each test add to the precision of an effect, stacked.

        share = gain in precision / final precision

    The order is that of the table, and of two tests that say the same the first is credited with
    more; the open diamonds show what is lost without a test alone. A negative gain stands left of
    zero, and the others then add up to more than 100 percent. It is no split of the effect: a
    source may narrow the interval without moving the mean. What is hatched was gained while the
    graph did not identify the effect: there the priors set how much the data may say.

    Parameters
    ----------
    table : pandas.DataFrame
        What `evidence` returns.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpecError
        It is another table.

    Examples
    --------
    >>> import bayescausal as bc
    >>> table = bc.evidence(fit, bc.incremental("tv"), seed=1)  # doctest: +SKIP
    >>> bc.plot_evidence(table).savefig("evidence.png")  # doctest: +SKIP
    """
    if not isinstance(table, pd.DataFrame) or not {*_SOURCES} <= {*table.columns}:
        kind = list(table.columns) if isinstance(table, pd.DataFrame) else type(table).__name__
        raise SpecError(
            f"plot_evidence draws the table that evidence(fit, estimand) returns; got {kind}."
        )
    rows = 0.62 + 0.34 * len(table)
    weak = Status.NOT_IDENTIFIED in set(table["status"])
    question = str(table.attrs.get("estimand", "not said which"))
    sheet = blank_sheet(
        1.0 + rows,
        title="What each source adds to the precision of the effect: "
        f"{question.removeprefix('Estimand(').removesuffix(')')}",
        subtitle="Share of the final precision, 1 / variance of the effect, gained by each source "
        "on top of those above it. Diamond: what is lost when this test alone is left out. A "
        "share of a few percent, of either sign, is Monte-Carlo noise."
        + (" Hatched: gained while the effect was not identified by the graph." if weak else ""),
        alarm=str(table.attrs.get("problem", "")),
    )
    bar, table_axes = sheet.subplots(2, 1, height_ratios=[1.0, rows])
    colors = _colors(len(table))
    _stack(bar, table, colors)
    _rows(table_axes, table, colors)
    return sheet


@styled()
def plot_reconciliation(reconciliation: Reconciliation) -> Figure:
    """Plot each held-out lift with its error, against the interval that the model predicts for it.

    One axis a test, as tests differ in units and size; all hold zero, so that a wide interval
    looks wide: one that covers everything says little. Coverage stands in the title. It is no
    check of the graph for channels that were not tested. An interval that is not identified is
    hatched.

    Parameters
    ----------
    reconciliation : Reconciliation
        What `reconcile` returns.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.plot_reconciliation(bc.reconcile(fit, held_out))  # doctest: +SKIP
    """
    advice = "Write plot_reconciliation(reconcile(fit, tests))."
    checks.instance("plot_reconciliation", reconciliation, Reconciliation, advice)
    table, count = reconciliation.table, len(reconciliation.table)
    weak = (table["grade"] == Letter.X).any()
    tests = "test lies" if count == 1 else "tests lie"
    prob = reconciliation.prob
    sheet = blank_sheet(
        0.85 * count,
        title=f"{reconciliation.covered} of {count} held-out {tests} in the {prob:.0%} interval of "
        "the model",
        subtitle="Dot and whisker: the lift as it was measured, with its standard error. Bar: "
        f"the model's {prob:.0%} predictive interval for that lift, the error of the test "
        f"included; tick: its median. {prob * count:.1f} of {count} are expected inside when "
        "the model is right."
        + (" Hatched: not identified by the graph, the priors set the interval." if weak else ""),
        alarm=reconciliation.problem,
    )
    for ax, (name, line) in zip(panels(sheet, count, 1), table.iterrows(), strict=True):
        _held_out(ax, str(name), line)
    return sheet


def _colors(count: int) -> list[Color]:
    """Return the color of each source: the prior, the data, then tests from dark to pale."""
    first = np.array(to_rgb(AMBER))
    pale = np.linspace(0, _PALEST, max(0, count - 2))[:, None]
    tests = first + (1 - first) * pale
    return [to_rgb(SOFT), to_rgb(BLUE), *((float(r), float(g), float(b)) for r, g, b in tests)]


def _hatch(status: str) -> dict[str, Any]:
    return {"hatch": "///"} if status == Status.NOT_IDENTIFIED else {}


def _stack(ax: Axes, table: pd.DataFrame, colors: list[Color]) -> None:
    """Stack what is gained to the right of zero, and what is lost to the left."""
    ends = {True: 0.0, False: 0.0}
    middles = []
    for color, line in zip(colors, table.itertuples(), strict=True):
        start = ends[line.share >= 0]
        ends[line.share >= 0] = start + line.share
        middles.append(start + line.share / 2)
        ax.barh(
            0,
            line.share,
            left=start,
            color=color,
            edgecolor="white",
            height=0.8,
            **_hatch(line.status),
        )
    ax.axvline(1, color=INK, **DASHED)
    ax.axvline(0, color=INK, linewidth=0.8)
    low, high = min(0.0, ends[False]), max(1.0, ends[True])
    ax.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))
    for middle, color, part in zip(middles, colors, table["share"], strict=True):
        if abs(part) > _NARROW * (high - low):
            dark = sum(color) < 1.6
            ax.text(
                middle,
                0,
                share(part),
                ha="center",
                va="center",
                color="white" if dark else INK,
                fontweight="bold",
                bbox={"facecolor": color, "edgecolor": "none", "pad": 1.5},
            )
    ax.set_yticks([])
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)


def _rows(ax: Axes, table: pd.DataFrame, colors: list[Color]) -> None:
    """Draw a row for each source: its share, what is lost without it, and the sd that remains."""
    total = float(table["precision"].sum())
    positions = range(len(table))
    losses = table["loss"].to_numpy(dtype=float) / total
    for row, color, line in zip(positions, colors, table.itertuples(), strict=True):
        ax.barh(row, line.share, color=color, edgecolor="white", height=0.62, **_hatch(line.status))
        ax.text(
            1.02,
            row,
            f"{share(line.share)}, sd then {number(line.sd)}",
            va="center",
            transform=ax.get_yaxis_transform(),
            color=INK,
        )
    ax.plot(losses, positions, "D", color=INK, mfc="white", markersize=5.5)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(positions, list(table["source"]), color=INK)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.margins(x=0.04)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("share of the final precision")


def _held_out(ax: Axes, name: str, line: pd.Series) -> None:
    weak = line["grade"] == Letter.X
    width = line["high"] - line["low"]
    look: dict[str, Any] = {"color": BLUE, "alpha": 0.25, "linewidth": 0}
    if weak:
        look = {"facecolor": "none", "edgecolor": SOFT, "hatch": "///", "linewidth": 0.6}
    ax.barh(0, width, left=line["low"], height=0.7, **look)
    ax.plot([line["median"]] * 2, [-0.35, 0.35], color=BLUE, linewidth=1.6)
    color = INK if line["covers"] else RED
    ax.errorbar(line["lift"], 0, xerr=line["sd"], fmt="o", color=color, markersize=6, capsize=3)
    ax.axvline(0, color=SOFT, linewidth=0.8)
    ax.set_ylim(-0.6, 0.6)
    ax.margins(x=0.05)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_title(graded_name(name, line["grade"]))
    lift = f"{number(line['lift'])} ± {number(line['sd'])}"
    interval = f"{number(line['median'])} [{number(line['low'])}, {number(line['high'])}]"
    verdict = "inside" if line["covers"] else "MISSED"
    ax.set_title(
        f"test {lift};  model {interval};  z = {line['z']:+.1f}, {verdict}",
        loc="right",
        color=color,
        fontsize=9,
        fontweight="normal",
    )
