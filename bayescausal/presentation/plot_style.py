"""Shared style, titles and encoding of plots."""

from __future__ import annotations

import base64
import io
import math
import textwrap
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bayescausal._types import Draws
from bayescausal.errors import NotConverged, SpecError
from bayescausal.graphs.edge import Edge
from bayescausal.inference.fit import Fit
from bayescausal.queries.summary import summarize

INK, SOFT, GRID = "#1e293b", "#64748b", "#e2e8f0"
BLUE, AMBER, RED = "#1d4ed8", "#b45309", "#b91c1c"
DASHED: dict[str, Any] = {"linewidth": 1, "linestyle": (0, (4, 3))}
GRADED = (
    "Letters: grade of the evidence, from A (randomized test) to G (weak); X is not identified: "
    "the priors, not the data, set it, and it is drawn hatched or open."
)
_WIDTH = 9.4
_SVG_LIMIT = 300_000
_PEN = threading.RLock()
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": SOFT,
    "axes.grid": True,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "figure.facecolor": "white",
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.color": INK,
    "text.parse_math": False,  # a column may be called "$cost$"
    "xtick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.color": SOFT,
    "ytick.major.size": 0,
}


@contextmanager
def styled(**settings: Any) -> Iterator[None]:
    """Draw in our style, one figure at a time: settings of matplotlib are global to all threads."""
    with _PEN, matplotlib.rc_context({**STYLE, **settings}):
        yield


class Sheet(Figure):
    """A figure that Jupyter shows by itself: pyplot, and its global state, are not needed."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        with styled():
            self.savefig(file, format="png", dpi=110)
        return file.getvalue()


def period(fit: Fit) -> str:
    """Return the word for one period of the data: day, week, month or period."""
    words = {"daily": "day", "weekly": "week", "monthly": "month"}
    return words.get(fit.data.frequency, "period")


def arrow(edge: Edge) -> str:
    """Write an edge for a reader: ``tv → sales``."""
    return f"{edge.source} → {edge.target}" + (f" (lag {edge.lag})" if edge.lag else "")


def table_of(draws: Draws, prob: float) -> pd.DataFrame:
    """Summarize without the warning: the sheet itself says that the fit has not converged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        return summarize(draws, prob)


def draw_band(ax: Axes, x: Any, table: pd.DataFrame, *, unknown: bool = False) -> None:
    """Draw the median and the interval of a summary; `unknown` hatches what is not identified."""
    ends = table["low"], table["high"]
    if unknown:
        ax.fill_between(x, *ends, facecolor="none", edgecolor=SOFT, hatch="///", linewidth=0.6)
    else:
        ax.fill_between(x, *ends, color=BLUE, alpha=0.22, linewidth=0)
    ax.plot(x, table["median"], color=BLUE, **(DASHED if unknown else {"linewidth": 1.4}))


def date_axis(ax: Axes) -> None:
    """Label an axis of dates, each as short as its neighbors allow."""
    locator = AutoDateLocator(minticks=3, maxticks=8)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.margins(x=0.01)


def sheet_with(
    fit: Fit, count: int, columns: int, *, height: float, title: str, subtitle: str, **share: Any
) -> tuple[Figure, list[Axes]]:
    """Open a figure with a head and `count` panels of that height."""
    sheet = open_sheet(fit, math.ceil(count / columns) * height, title=title, subtitle=subtitle)
    return sheet, panels(sheet, count, columns, **share)


def panel_on(
    fit: Fit, ax: Axes | None, *, height: float, title: str, subtitle: str
) -> tuple[Figure, Axes]:
    """Open a figure of one panel, as `panel_with`, that says what is wrong with the fit."""
    return panel_with(_alarm(fit), ax, height=height, title=title, subtitle=subtitle)


def panel_with(
    alarm: str, ax: Axes | None, *, height: float, title: str, subtitle: str
) -> tuple[Figure, Axes]:
    """Open a figure of one panel; or take the axes of the caller, who gets the title above them.

    An alarm, if there is one, is said in red in either case.
    """
    if ax is None:
        sheet = blank_sheet(height, title=title, subtitle=subtitle, alarm=alarm)
        return sheet, panels(sheet, 1, 1)[0]
    figure = ax.get_figure(root=True) if ax.get_figure() else None
    if figure is None:
        raise SpecError("ax= was taken out of its figure. Give axes that belong to a figure.")
    text = f"{title}\n{textwrap.fill(alarm, 60)}" if alarm else title
    head = ax.set_title(text, color=RED if alarm else INK)
    for words in (head, ax.xaxis.label, ax.yaxis.label):  # made before our style was on
        words.set_parse_math(False)
    return figure, ax


def panels(sheet: Figure, count: int, columns: int, **share: Any) -> list[Axes]:
    """Divide a figure into panels, row by row; the last ones of each column are labeled."""
    rows = math.ceil(count / columns)
    axes = list(sheet.subplots(rows, columns, squeeze=False, **share).ravel())
    for spare in axes[count:]:
        spare.remove()
    for ax in axes[max(0, count - columns) : count]:  # the last of each column, also above a gap
        ax.tick_params(labelbottom=True)
    return axes[:count]


def open_sheet(fit: Fit, height: float, *, title: str, subtitle: str) -> Figure:
    """Open a figure whose head says what is shown, and whether the fit has converged."""
    return blank_sheet(height, title=title, subtitle=subtitle, alarm=_alarm(fit))


def _alarm(fit: Fit) -> str:
    return fit.convergence.remark


def remark_on(draws: Draws) -> str:
    """Return what has to be said of the fit behind draws: not converged, or a draft."""
    is_plain = draws.attrs["converged"] and "draft" not in draws.attrs
    return "" if is_plain else draws.attrs["convergence"]


def blank_sheet(height: float, *, title: str, subtitle: str, alarm: str = "") -> Figure:
    """Open a figure whose head says what is shown, and in red what is wrong with it."""
    lines = [(line, SOFT, 9.0, "normal") for line in textwrap.wrap(subtitle, 125)]
    warning = textwrap.wrap(alarm, 105)
    lines = [*((line, RED, 10.0, "bold") for line in warning), *lines]
    lines = [*((line, INK, 12.5, "bold") for line in textwrap.wrap(title, 90)), *lines]
    top = 0.08 + sum(size / 72 * 1.45 for _, _, size, _ in lines) + 0.06
    total = height + top
    paper = ConstrainedLayoutEngine(h_pad=0.07, w_pad=0.07, rect=(0, 0, 1, 1 - top / total))
    sheet = Sheet(figsize=(_WIDTH, total), layout=paper)
    offset = 0.08
    for text, color, size, weight in lines:
        sheet.text(
            0.008, 1 - offset / total, text, color=color, fontsize=size, fontweight=weight, va="top"
        )
        offset += size / 72 * 1.45
    return sheet


def encode(sheet: Figure) -> str:
    """Write a figure as a ``data:`` address: SVG, or PNG when that would be much larger.

    The same figure gives the same text, so that reports can be compared.
    """
    with styled(**{"svg.hashsalt": "bayescausal"}):
        if engine := sheet.get_layout_engine():
            engine.execute(sheet)
            sheet.set_layout_engine("none")  # else `savefig` would draw once more to lay it out
        file = io.BytesIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        sheet.savefig(file, format="svg", metadata=nothing)
        if file.tell() <= _SVG_LIMIT:
            return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}"
        file = io.BytesIO()
        sheet.savefig(file, format="png", dpi=130, metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
