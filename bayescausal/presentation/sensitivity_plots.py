"""Plot what hidden drivers and other forms would do to effects; nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescausal import checks
from bayescausal.errors import SpecError
from bayescausal.presentation.plot_style import (
    BLUE,
    DASHED,
    INK,
    RED,
    SOFT,
    blank_sheet,
    draw_band,
    panel_with,
    panels,
    styled,
)
from bayescausal.validation.robustness_values import LinearEffect, robustness_value
from bayescausal.validation.sensitivity import Sensitivity
from bayescausal.validation.specification_curve import AS_FITTED, SpecificationCurve
from bayescausal.validation.tipping_point import REFITTED, TippingPoint

_CELLS = 80
_LEVELS = (0.25, 0.5, 0.75)


@styled()
def plot_sensitivity(
    sensitivity: Sensitivity, effects: str | Sequence[str] | None = None
) -> Figure:
    """Plot what is left of each effect by the strength of a hidden driver, as contours.

        estimate - se sqrt(dof) sqrt(R2_y R2_x / (1 - R2_x)),    as a share of the estimate

    Where it meets the red line, the effect is zero. Dots are drivers as strong as a recorded one,
    or k times as strong. Not a probability of anything: whether there is such a driver, data
    cannot say.

    Parameters
    ----------
    sensitivity : Sensitivity
        What `sensitivity` returns.
    effects : str or sequence of str, optional
        All that have a robustness value, by default.

    Returns
    -------
    matplotlib.figure.Figure
        One panel an effect.

    Raises
    ------
    SpecError
        No effect has a robustness value.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.plot_sensitivity(bc.sensitivity(fit), "tv")  # doctest: +SKIP
    """
    checks.instance(
        "plot_sensitivity", sensitivity, Sensitivity, "Write plot_sensitivity(sensitivity(fit))."
    )
    known = [str(name) for name in sensitivity.effects.index]
    names = known if effects is None else checks.names("plot_sensitivity: effects", effects, known)
    if not names:
        reasons = " ".join(sensitivity.obstacles.values())
        raise SpecError(f"There is no robustness value to draw. {reasons}")
    columns = 1 if len(names) == 1 else 2
    sheet = blank_sheet(
        3.6 * -(-len(names) // columns),
        title="What a hidden driver would leave of the effect",
        subtitle="Contours: share of the estimate that is left when a hidden driver explains so "
        "much of what is left of the channel's response (across) and of the outcome (up). Red: "
        "nothing is left. Dots: a driver as strong as a recorded one, and along the line k times "
        f"as strong; hollow where zero enters the {sensitivity.prob:.0%} interval. By least "
        "squares, from the likelihood alone.",
    )
    for ax, name in zip(panels(sheet, len(names), columns), names, strict=True):
        drivers = sensitivity.benchmarks[
            (sensitivity.benchmarks.index == name) & sensitivity.benchmarks["share"].notna()
        ]
        _contours(ax, sensitivity.linear_effect(name), drivers)
        row = sensitivity.effects.loc[name]
        ax.set_title(f"{name}: robustness value {row['rv']:.0%}")
    return sheet


@styled()
def plot_tipping_point(
    tipping: TippingPoint, drivers: Sensitivity | None = None, *, ax: Axes | None = None
) -> Figure:
    """Plot the effect of a channel by the correlation of errors that a hidden driver makes.

    Parameters
    ----------
    tipping : TippingPoint
        What `tipping_point` returns.
    drivers : Sensitivity, optional
        What `sensitivity` returns: marks the correlations that drivers as strong as recorded ones
        would make, for scale.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a figure of its own by default.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.plot_tipping_point(bc.tipping_point(fit, "tv", seed=1))  # doctest: +SKIP
    """
    advice = "Write plot_tipping_point(tipping_point(fit, 'tv'))."
    checks.instance("plot_tipping_point", tipping, TippingPoint, advice)
    sheet, ax = panel_with(
        tipping.problem,
        ax,
        height=3.2,
        title=f"Effect of {tipping.channel} on {tipping.outcome}, were there a hidden driver",
        subtitle=f"Median and {tipping.prob:.0%} interval by the correlation that it makes "
        "between the errors of the two; zero is the graph as it is drawn. Diamonds: fitted "
        "again; where there is no line it is not known. Priors, tests and curves hold the "
        "effect here; they do not in a robustness value.",
    )
    known = tipping.table[tipping.table["median"].notna()]
    draw_band(ax, known.index, known)
    again = known[known["source"] == REFITTED]
    ax.plot(again.index, again["median"], "D", color=BLUE, markersize=5)
    ax.axhline(0, color=RED, **DASHED)
    zero = tipping.interval_reaches_zero
    if zero is not None:
        ax.axvline(zero, color=RED, linewidth=0.8)
    if drivers is not None:
        _marks(ax, tipping, drivers)
    ax.set_xlim(tipping.table.index.min(), tipping.table.index.max())
    ax.set_xlabel("correlation of errors")
    return sheet


@styled()
def plot_specification_curve(
    curve: SpecificationCurve, effects: str | Sequence[str] | None = None
) -> Figure:
    """Plot each effect under every spec, sorted by its median.

    Not a distribution: specs are no sample.

    Parameters
    ----------
    curve : SpecificationCurve
        What `specification_curve` returns.
    effects : str or sequence of str, optional
        All by default.

    Returns
    -------
    matplotlib.figure.Figure
        One panel an effect.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.plot_specification_curve(bc.specification_curve(fit, seed=1))  # doctest: +SKIP
    """
    advice = "Write plot_specification_curve(specification_curve(fit))."
    checks.instance("plot_specification_curve", curve, SpecificationCurve, advice)
    known = [str(name) for name in curve.agreement.index]
    label = "plot_specification_curve: effects"
    names = known if effects is None else checks.names(label, effects, known)
    count = curve.table.index.get_level_values("spec").nunique()
    sheet = blank_sheet(
        (0.7 + 0.2 * count) * len(names),
        title="The same causal claims in other forms",
        subtitle=f"Median and {curve.prob:.0%} interval of the total effect under each spec, by "
        "median; blue: the fit. Hollow: not converged. In brackets: how much better or worse than "
        "the fit it predicts weeks that are left out (elpd).",
    )
    fitted = curve.table.loc[AS_FITTED, "elpd"].iloc[0]
    for ax, name in zip(panels(sheet, len(names), 1), names, strict=True):
        table = curve.table.xs(name, level="effect").sort_values("median")
        for y, (spec, row) in enumerate(table.iterrows()):
            color = BLUE if spec == AS_FITTED else INK
            ax.plot([row["low"], row["high"]], [y, y], color=color, linewidth=1.2)
            face = color if row["converged"] else "white"
            ax.plot(row["median"], y, "o", color=color, markerfacecolor=face, markersize=4)
        labels = [
            str(spec) if spec == AS_FITTED else f"{spec} ({elpd - fitted:+.0f})"
            for spec, elpd in table["elpd"].items()
        ]
        ax.set_yticks(range(len(table)), labels, color=INK)
        for text in ax.get_yticklabels():
            text.set_parse_math(False)
        ax.axvline(0, color=RED, **DASHED)
        share = curve.agreement.loc[name, "sign"]
        ax.set_title(name if count == 1 else f"{name}: {share:.0%} agree on the sign")
    return sheet


def _marks(ax: Axes, tipping: TippingPoint, drivers: Sensitivity) -> None:
    """Mark the correlations of drivers as strong as recorded ones, on the side that shrinks."""
    checks.instance("plot_tipping_point: drivers", drivers, Sensitivity, "Write sensitivity(fit).")
    table = drivers.benchmarks[drivers.benchmarks.index == tipping.channel].dropna(subset="share")
    table = table[table["k"] == table["k"].min()]
    sign = 1.0 if tipping.table.loc[0.0, "median"] >= 0 else -1.0
    for _, row in table.iterrows():
        place = sign * row["correlation"]
        ax.axvline(place, color=SOFT, **DASHED)
        ax.annotate(
            str(row["driver"]),
            (place, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, -3),
            textcoords="offset points",
            rotation=90,
            va="top",
            fontsize=8,
            color=INK,
            parse_math=False,
        )


def _contours(ax: Axes, effect: LinearEffect, drivers: pd.DataFrame) -> None:
    rv = robustness_value(effect)
    limit = max(1.4 * rv, 1.15 * float(drivers["r2_channel"].max()) if len(drivers) else 0.0, 0.05)
    treatment, outcome = np.linspace(0, min(limit, 0.97), _CELLS), np.linspace(0, 1, _CELLS)
    x, y = np.meshgrid(treatment, outcome)
    share = 1 - np.sqrt(y * x / (1 - x)) / effect.f
    lines = ax.contour(x, y, share, levels=_LEVELS, colors=SOFT, linewidths=0.8)
    ax.clabel(lines, fmt=lambda level: f"{level:.0%}", fontsize=8)
    if share.min() < 0:
        ax.contour(x, y, share, levels=[0.0], colors=RED, linewidths=1.6)
    ax.plot([rv], [rv], marker="+", color=RED, markersize=9)
    for driver, rows in drivers.groupby("driver", sort=False):
        rows = rows.sort_values("k")
        places = rows["r2_channel"].to_numpy(), rows["r2_outcome"].to_numpy()
        ax.plot(*places, color=BLUE, linewidth=0.6)
        fills = [BLUE if survives else "white" for survives in rows["survives"]]
        ax.scatter(*places, s=22, c=fills, edgecolors=BLUE, zorder=3)
        k = rows["k"].iloc[0]
        ax.annotate(
            str(driver) if k == 1 else f"{k:g} x {driver}",
            (places[0][0], places[1][0]),
            xytext=(4, -3),
            textcoords="offset points",
            color=INK,
            fontsize=8,
            parse_math=False,
        )
    ax.set_xlim(0, treatment[-1])
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("share of what is left of the channel")
    ax.set_ylabel("share of what is left of the outcome")
