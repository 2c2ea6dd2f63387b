"""Plot what spend brings, by channel, and what an allocation spends, by period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from bayescausal import checks
from bayescausal._types import Node
from bayescausal.decisions.allocation import Allocation
from bayescausal.identification.grades import Letter
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.presentation.formatting import graded_name
from bayescausal.presentation.plot_style import (
    BLUE,
    GRADED,
    INK,
    SOFT,
    blank_sheet,
    date_axis,
    draw_band,
    panels,
    remark_on,
    sheet_with,
    styled,
    table_of,
)
from bayescausal.queries.curves import effect_by_spend
from bayescausal.queries.questions import channels_for, paid


@verb
@styled()
def plot_spend_response(
    fit: Fit,
    channels: Sequence[Node] | None = None,
    *,
    window: tuple[Any, Any] | None = None,
    outcome: Node | None = None,
    upto: float = 1.5,
    prob: float = 0.9,
) -> Figure:
    """Plot the total effect of each channel by its spend, with the present spend marked.

    Grey where an average week would spend more than the largest that was seen: there the form of
    the curve and the priors speak. What is not identified is hatched and says so.

    Parameters
    ----------
    fit : Fit
    channels : sequence of str, optional
        Channels with spend that reach the outcome, by default.
    window, outcome, upto
        As in `spend_response`.
    prob : float
        Probability inside the bands.

    Returns
    -------
    matplotlib.figure.Figure
    """
    outcome = outcome or fit.spec.graph.outcome
    names = channels_for(fit, channels, outcome, default=paid(fit, outcome))
    curves = [effect_by_spend(fit, name, window, outcome, upto) for name in names]
    sheet, axes = sheet_with(
        fit,
        len(names),
        min(3, len(names)),
        height=2.5,
        title=f"What spend brings: effect on {outcome} by spend",
        subtitle=f"{outcome} with the channel's spend, scaled as a whole, less {outcome} without "
        f"it; through all paths, carry-over included: median and {prob:.0%} credible interval. "
        "Dot: the present spend. Grey: an average week above the largest that was seen, an "
        f"extrapolation. {GRADED}",
    )
    for ax, name, draws in zip(axes, names, curves, strict=True):
        letter = str(draws["grade"].item())
        spend, current = draws["spend"].to_numpy(), float(draws["current_spend"])
        table = table_of(draws, prob)
        draw_band(ax, spend, table, unknown=letter == Letter.X)
        nearest = int(abs(spend - current).argmin())
        ax.plot(spend[nearest], table["median"].iloc[nearest], "o", color=INK, markersize=5)
        observed = float(draws["observed_spend"])
        if observed < spend[-1]:
            ax.axvspan(observed, spend[-1], color=SOFT, alpha=0.18, linewidth=0)
        ax.set_xlim(0, spend[-1])
        ax.set_xlabel(f"spend on {name}")
        ax.set_ylabel(outcome)
        ax.set_title(graded_name(name, letter))
    return sheet


@verb
@styled()
def plot_allocation(allocation: Allocation) -> Figure:
    """Plot what an allocation spends in each period, beside what is spent at present.

    Parameters
    ----------
    allocation : Allocation
        From `optimize`, of whichever pattern in time.

    Returns
    -------
    matplotlib.figure.Figure
    """
    advice = "Write plot_allocation(optimize(fit))."
    checks.instance("plot_allocation", allocation, Allocation, advice)
    table, gain = allocation.table, allocation.gain
    names = [str(name) for name in table.index]
    columns = min(2, len(names))
    sheet = blank_sheet(
        1.9 * -(-len(names) // columns),
        title="What the plan spends",
        subtitle=f"{allocation.title} Grey: the present spend; blue: the plan. {GRADED}",
        alarm=remark_on(gain),
    )
    for ax, name in zip(panels(sheet, len(names), columns), names, strict=True):
        spend = allocation.schedule.loc[name]
        ax.fill_between(spend.index, spend["present"], step="mid", color=SOFT, alpha=0.3)
        ax.step(spend.index, spend["optimum"], where="mid", color=BLUE, linewidth=1.4)
        ax.set_ylim(bottom=0)
        ax.set_ylabel("spend")
        date_axis(ax)
        held = "" if table["mroas"].notna()[name] else f", held: {table.loc[name, 'at']}"
        ax.set_title(graded_name(name, str(table.loc[name, "grade"])) + held)
    return sheet
