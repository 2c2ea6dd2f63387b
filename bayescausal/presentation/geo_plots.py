"""Plot a geo test: what the treated units did, and what they would have done."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from bayescausal import checks
from bayescausal.experiments.geo_test import GeoTest
from bayescausal.presentation.formatting import number
from bayescausal.presentation.plot_style import (
    AMBER,
    BLUE,
    DASHED,
    INK,
    blank_sheet,
    date_axis,
    styled,
)


@styled()
def plot_geo_test(test: GeoTest) -> Figure:
    """Plot treated units against their counterfactual, and the cumulative difference.

    What stands before the dashed line fitted the counterfactual: there the two should agree, and
    the difference should wander around zero without a drift. It is the test's own estimate, not
    the model's.

    Parameters
    ----------
    test : GeoTest
        Of `geo_test`, or an experiment's ``source``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.plot_geo_test(experiment.source)  # doctest: +SKIP
    """
    checks.instance("plot_geo_test", test, GeoTest, "An experiment's source is one.")
    low, high = test.interval
    sheet = blank_sheet(
        4.2,
        title=f"Geo test on {test.estimand.label}: lift {number(test.lift)} "
        f"[{number(low)}, {number(high)}]",
        subtitle=f"{test.method}, {len(test.treated)} treated and {len(test.controls)} control "
        f"units, {test.before} periods before the test (R2 {test.r2:.2f}). Error by {test.error}. "
        + " ".join(test.notes),
    )
    levels, differences = sheet.subplots(2, 1, sharex=True)
    levels.plot(test.time, test.observed, color=INK, linewidth=1.2, label="treated, observed")
    levels.plot(test.time, test.counterfactual, color=BLUE, label="without the test", **DASHED)
    levels.set_title("Sum over the treated units")
    levels.legend(loc="upper left")
    summed = np.concatenate([np.cumsum(part) for part in np.split(test.difference, [test.before])])
    differences.axhline(0, color=INK, linewidth=0.8)
    differences.plot(test.time, summed, color=BLUE, linewidth=1.4)
    differences.set_title("Difference, summed before the test and again from its start")
    for ax in (levels, differences):
        ax.axvline(test.time[test.before], color=AMBER, **DASHED)
    date_axis(differences)
    return sheet
