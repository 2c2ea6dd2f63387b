"""Plot what refits in altered worlds say; nothing is computed here."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescausal import checks
from bayescausal.presentation.plot_style import BLUE, DASHED, INK, RED, SOFT, panel_with, styled
from bayescausal.validation.refutation import Refutation


@styled()
def plot_refutation(refutation: Refutation, *, ax: Axes | None = None) -> Figure:
    """Plot the effect in every altered world, beside the one that it is compared with.

    Parameters
    ----------
    refutation : Refutation
        What `refute` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a figure of its own by default.

    Returns
    -------
    matplotlib.figure.Figure
        Worlds by the median of their effect; refits that do not count are left out.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.plot_refutation(bc.refute(fit, "tv", seed=1))  # doctest: +SKIP
    """
    advice = "Write plot_refutation(refute(fit, 'tv'))."
    checks.instance("plot_refutation", refutation, Refutation, advice)
    table = refutation.usable.sort_values("median")
    sheet, ax = panel_with(
        refutation.sentence if refutation.status in ("fail", "not run") else "",
        ax,
        height=1.2 + 0.16 * len(table),
        title=refutation.title,
        subtitle=f"Median and {refutation.prob:.0%} interval of the total effect in each altered "
        "world; blue: the effect that they are compared with. Crosses: what is true in that world, "
        "where it is known.",
    )
    for y, (_, row) in enumerate(table.iterrows()):
        ax.plot([row["low"], row["high"]], [y, y], color=SOFT, linewidth=1.2)
        ax.plot(row["median"], y, "o", color=INK, markersize=3.5)
        ax.plot(row["truth"], y, "x", color=RED, markersize=4)
    reference = refutation.reference
    top = len(table)
    ax.plot([reference["low"], reference["high"]], [top, top], color=BLUE, linewidth=2.0)
    ax.plot(reference["median"], top, "o", color=BLUE, markersize=5)
    ax.axvline(0, color=RED, **DASHED)
    ax.set_yticks([])
    ax.set_xlabel(f"total effect of {refutation.treatment} on {refutation.outcome}")
    ax.xaxis.label.set_parse_math(False)
    return sheet
