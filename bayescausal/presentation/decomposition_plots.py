"""Plot the whole outcome: a waterfall of its parts, and their stack over time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from bayescausal import checks
from bayescausal._types import Draws
from bayescausal.errors import SpecError, shown
from bayescausal.identification.grades import Letter
from bayescausal.inference.verb import verb
from bayescausal.presentation.formatting import graded_name, number
from bayescausal.presentation.plot_style import (
    AMBER,
    BLUE,
    GRADED,
    INK,
    SOFT,
    blank_sheet,
    date_axis,
    panels,
    remark_on,
    styled,
    table_of,
)

_COLORS = {"baseline": "#cbd5e1", "control": "#94a3b8", "channel": BLUE, "interaction": AMBER}
_SHADES = ("#1d4ed8", "#0891b2", "#7c3aed", "#15803d", "#be185d", "#60a5fa", "#a78bfa", "#4ade80")
_ORDER = (*_COLORS, "residual")
_KINDS = ("waterfall", "area")


@verb
@styled()
def plot_decomposition(draws: Draws, kind: str = "waterfall", prob: float = 0.9) -> Figure:
    """Plot the parts of the outcome that `decomposition` returns.

    Each part is drawn between two running sums, at their medians, so the picture ends at the data:
    medians of the parts alone need not add up.

    Parameters
    ----------
    draws : xarray.DataArray
        From `decomposition`; of all periods and units together for a waterfall.
    kind : {"waterfall", "area"}
        A bar for every part; or over time a band for the baseline, for the controls, for each
        channel and for the interaction, with the observed outcome as dots.
    prob : float
        Probability inside the intervals that a waterfall writes beside its bars.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpecError
        Other draws, another kind, or ``"area"`` of draws with ``total=True``.
    """
    if not isinstance(draws, xr.DataArray) or not {"component", "kind"} <= {*draws.coords}:
        raise SpecError(
            f"plot_decomposition takes what decomposition(fit) returns; got {shown(draws)}."
        )
    checks.choice("kind", kind, _KINDS)
    if kind == "area" and "time" not in draws.dims:
        raise SpecError(
            "kind='area' goes over time, and these draws are sums: leave total out, and by."
        )
    alarm = remark_on(draws)
    return _waterfall(draws, prob, alarm) if kind == "waterfall" else _area(draws, alarm)


def _running(draws: Draws) -> pd.DataFrame:
    """Return the medians of the sums of each part and all before it; of time by column."""
    sums = draws.cumsum("component").assign_coords(component=draws["component"])
    bare = sums.reset_coords(drop=True)
    bare.attrs = {}
    return table_of(bare, 0.9)["median"]


def _waterfall(draws: Draws, prob: float, alarm: str) -> Figure:
    other_dims = [d for d in draws.dims if d not in ("chain", "draw", "component")]
    total = draws.sum(other_dims, keep_attrs=True)
    table, ends = table_of(total, prob), _running(total).to_numpy()
    starts = np.concatenate([[0.0], ends[:-1]])
    outcome, rows = draws.attrs["outcome"], range(len(table))
    sheet = blank_sheet(
        0.8 + 0.26 * (len(table) + 1),
        title=f"What {outcome} is made of",
        subtitle=f"All periods{' and units' if 'unit' in draws.dims else ''}, in "
        f"{draws.attrs['counted_in']}. Beside each bar: median and {prob:.0%} credible interval of "
        f"the part. Bars lie between medians of running sums, and so end at the data. {GRADED}",
        alarm=alarm,
    )
    (ax,) = panels(sheet, 1, 1)
    for row, line, start, end in zip(rows, table.itertuples(), starts, ends, strict=True):
        weak = line.grade == Letter.X
        color = _COLORS.get(line.kind, "white")
        look: dict[str, Any] = {"color": color}
        if weak or line.kind == "residual":
            look = {"facecolor": "white", "edgecolor": SOFT if not weak else color}
        if weak:
            look["hatch"] = "///"
        ax.barh(row, end - start, left=start, height=0.66, **look)
        text = f"{number(line.median)}  [{number(line.low)}, {number(line.high)}]"
        ax.text(1.02, row, text, transform=ax.get_yaxis_transform(), va="center", color=INK)
    ax.barh(len(rows), ends[-1], height=0.66, color=INK)
    ax.text(1.02, len(rows), number(ends[-1]), transform=ax.get_yaxis_transform(), va="center")
    names = [graded_name(str(k), g) for k, g in zip(table.index, table["grade"], strict=True)]
    ax.set_yticks([*rows, len(rows)], [*names, f"observed {outcome}"], color=INK)
    ax.set_ylim(len(rows) + 0.5, -0.5)
    ax.axvline(0, color=SOFT, linewidth=0.8)
    ax.grid(axis="y", visible=False)
    return sheet


def _area(draws: Draws, alarm: str) -> Figure:
    if "unit" in draws.dims:
        draws = draws.sum("unit", keep_attrs=True)
    owners = [*zip(draws["kind"].to_numpy(), draws["channel"].to_numpy(), strict=True)]
    bands = sorted(dict.fromkeys(owners), key=lambda band: _ORDER.index(band[0]))
    parts = [draws.isel(component=[o == band for o in owners]).sum("component") for band in bands]
    stack = xr.concat(parts, dim="component").assign_coords(component=np.arange(len(bands)))
    ends = _running(stack.transpose("chain", "draw", "component", "time")).unstack("time")
    outcome, time = draws.attrs["outcome"], draws.indexes["time"]
    sheet = blank_sheet(
        3.4,
        title=f"What {outcome} is made of, over time",
        subtitle=f"In {draws.attrs['counted_in']}. Bands lie between medians of running sums; "
        "dots: observed, which differs from the top by the residual. A band that is negative lies "
        "below the one before it. Bands hide how uncertain they are: see plot_contributions.",
        alarm=alarm,
    )
    (ax,) = panels(sheet, 1, 1)
    shades = iter(_SHADES * len(bands))
    floor = np.zeros(len(time))
    for (kind, channel), top in zip(bands, ends.to_numpy(), strict=True):
        if kind == "residual":
            ax.plot(time, top, "o", color=INK, markersize=2.4, label=f"observed {outcome}")
            continue
        color = next(shades) if channel else _COLORS[kind]
        look = {"color": color, "alpha": 0.8, "linewidth": 0, "label": channel or kind}
        ax.fill_between(time, floor, top, **look)
        floor = top
    ax.axhline(0, color=SOFT, linewidth=0.8)
    date_axis(ax)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return sheet
