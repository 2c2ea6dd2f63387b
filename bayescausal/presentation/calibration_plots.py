"""Plot the ranks of simulation-based calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescausal import checks
from bayescausal.errors import SpecError
from bayescausal.presentation.plot_style import BLUE, GRID, RED, SOFT, blank_sheet, panels, styled
from bayescausal.validation.calibration import Calibration
from bayescausal.validation.status import Status
from bayescausal.validation.uniformity import Band, band

_COLUMNS = 4


@styled()
def plot_calibration(
    calibration: Calibration, quantities: str | Sequence[str] | None = None
) -> Figure:
    """Plot the ECDF of the ranks of each quantity, less that of uniform ranks.

    Grey is where all of it stays in 95 of 100 studies of a calibrated model, for one quantity.
    A hill says that ranks are low: the posterior lies too high; a valley, too low. Up and then down
    says that it is too narrow, down and then up that it is too wide. Red are the quantities that
    the test rejects, over all of them together.

    Parameters
    ----------
    calibration : Calibration
    quantities : str or sequence of str, optional
        All of them by default.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a quantity.

    Raises
    ------
    SpecError
        There is no such quantity, or no simulation converged.

    Notes
    -----
    Source: Säilynoja, Bürkner & Vehtari (2022). ``arviz.plot_ecdf_pit(calibration.tree)`` draws the
    same in ArviZ's style.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.plot_calibration(bc.calibrate(spec, data, seed=1))  # doctest: +SKIP
    """
    checks.instance(
        "plot_calibration", calibration, Calibration, "Write plot_calibration(calibrate(...))."
    )
    known = [str(name) for name in calibration.table.index]
    label = "plot_calibration: quantities"
    names = known if quantities is None else checks.names(label, quantities, known)
    number, draws = calibration.ranks.sizes["simulation"], calibration.draws
    if not number or not names:
        raise SpecError("No simulation converged, so there are no ranks to draw.")
    is_wrong = calibration.status == Status.FAIL
    sheet = blank_sheet(
        1.45 * -(-len(names) // _COLUMNS),
        title=f"Ranks of true values in the posteriors of {number} simulated data sets",
        subtitle="Share of ranks below each point, less that of uniform ranks. Grey: where a "
        "calibrated quantity stays in 95 of 100 studies. A hill: the posterior lies too high, a "
        "valley: too low; up and then down: too narrow, down and then up: too wide. Red: rejected, "
        f"at {calibration.level:.0%} over all quantities.",
        alarm=calibration.sentence if is_wrong else "",
    )
    limits = band(number, draws, 0.05)
    axes = panels(sheet, len(names), _COLUMNS, sharex=True, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        ranks = calibration.ranks.sel(quantity=name).to_numpy()
        rejected = calibration.table.loc[name, "p_holm"] < calibration.level
        _draw(ax, ranks, draws, limits, RED if rejected else BLUE)
        ax.set_title(name, fontsize=8)
    return sheet


def _draw(ax: Axes, ranks: np.ndarray, draws: int, limits: Band, color: str) -> None:
    counts = np.bincount(ranks, minlength=draws + 1).cumsum()[:-1]
    ax.fill_between(limits.points, limits.low, limits.high, color=GRID, step="mid", linewidth=0)
    ax.axhline(0, color=SOFT, linewidth=0.6)
    ax.plot(limits.points, counts / len(ranks) - limits.points, color=color, linewidth=1.2)
    ax.set_xticks([0, 0.5, 1], ["0", "", "1"])
