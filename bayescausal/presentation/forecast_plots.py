"""Plot the time to come: what was observed, and the forecast after it."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescausal import checks
from bayescausal._types import Node
from bayescausal.data.future import Future, year_of
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.presentation.plot_style import (
    INK,
    SOFT,
    date_axis,
    draw_band,
    panel_on,
    period,
    styled,
    table_of,
)
from bayescausal.queries.forecasts import forecast


@verb
@styled()
def plot_forecast(
    fit: Fit,
    future: Future,
    node: Node | None = None,
    prob: float = 0.9,
    *,
    seed: int = 0,
    ax: Axes | None = None,
) -> Figure:
    """Plot a forecast after the last two years of the data.

    Parameters
    ----------
    fit : Fit
    future : Future
    node : str, optional
        A modelled node; the first outcome by default. A panel is summed over its units.
    prob : float
        Probability inside the band.
    seed : int
        As in `forecast`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a figure of its own by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpecError, DataError
        The node has no equation; a future that `forecast` refuses.
    """
    node = node or fit.spec.graph.outcomes[0]
    node = checks.name("plot_forecast: node", node, fit.spec.modelled)
    draws = forecast(fit, future, seed=seed)
    ahead, time = draws[node], pd.DatetimeIndex(draws.indexes["time"])
    past = fit.data.array(node)[..., fit.data.history :]
    subject = node
    if fit.data.is_panel:
        ahead, past = ahead.sum("unit", keep_attrs=True), past.sum(axis=0)
        subject = f"{node}, sum over {len(fit.data.units)} units"
    recent = min(len(past), 2 * year_of(fit.data))
    extrapolation = draws.attrs["extrapolation"]
    sheet, panel = panel_on(
        fit,
        ax,
        height=2.9,
        title=f"{subject}: {len(time)} {period(fit)}s ahead",
        subtitle=f"Dots: observed. Line and band: median and {prob:.0%} interval of each "
        f"{period(fit)} under the plan, errors included. Not a test of the graph."
        + (f" Beyond the data: {extrapolation}." if extrapolation else ""),
    )
    panel.plot(fit.data.training[-recent:], past[-recent:], "o", color=INK, markersize=2.4)
    draw_band(panel, time, table_of(ahead, prob))
    panel.axvline(fit.data.time[-1], color=SOFT, linewidth=0.8)
    panel.set_ylabel(node)
    date_axis(panel)
    return sheet
