"""Geo tests with several arms and one control group: each arm's lift, and their covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import described
from bayescausal.data.dataset import Dataset
from bayescausal.errors import BayesCausalError, DataError, SpecError
from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.geo_panel import geo_test, unit_names
from bayescausal.experiments.geo_test import GeoTest

LEAST = 0.1
"""Share of the variance of a residual that is at least the unit's own."""


@dataclass(frozen=True)
class GeoCell:
    """One arm of a geo test with several: its units, and what was changed in them.

    A cell may change several channels at once (``incremental(["tv", "search"])``), or be another
    dose of the same one.

    Parameters
    ----------
    treated : str or sequence of str
        Units of this arm, in no other arm.
    estimand : Estimand
        What its lift measures, as in `geo_test`.
    dark : bool
        The arm withheld the treatment.
    spend : float, optional
        Spend that the arm moved, in currency; for ``scale="per_spend"``.

    Raises
    ------
    SpecError
        Units or an estimand that are none.

    Examples
    --------
    >>> from bayescausal import Experiment, incremental
    >>> week = pd.date_range("2025-01-06", periods=30, freq="7D")
    >>> panel = pd.DataFrame({"week": np.tile(week, 14), "geo": np.repeat([*"abcdefghijklmn"], 30)})
    >>> panel["sales"] = 100 + np.random.default_rng(1).normal(size=420)
    >>> cells = {
    ...     "tv": GeoCell(["a", "b"], incremental("tv")),
    ...     "tv and social": GeoCell(["c", "d"], incremental(["tv", "social"])),
    ... }
    >>> one, two = Experiment.from_geo_cells(
    ...     panel, cells, ("2025-07-07", "2025-07-27"), time="week", unit="geo",
    ...     outcome="sales", randomized=True, seed=1)
    >>> one.name, one.covariance["tv and social"] == two.covariance["tv"] > 0
    ('tv', True)
    """

    treated: tuple[str, ...]
    estimand: Estimand
    dark: bool = False
    spend: float | None = None

    __repr__ = described

    def __post_init__(self) -> None:
        object.__setattr__(self, "treated", unit_names(self.treated))
        if not self.treated:
            raise SpecError("A cell has no units: name those whose treatment was changed.")
        if not isinstance(self.estimand, Estimand):
            raise SpecError(
                f"A cell's estimand is an Estimand, as incremental('tv'); got {self.estimand!r}."
            )


def geo_cells(
    frame: pd.DataFrame,
    cells: Mapping[str, GeoCell],
    window: tuple[Any, Any],
    *,
    time: str,
    unit: str,
    outcome: str,
    seed: int | None = None,
    **settings: Any,
) -> tuple[dict[str, GeoTest], np.ndarray]:
    """Estimate every cell against the units of no cell; return the tests and their covariance.

        cov_ab = +-rho_ab std_error_a std_error_b,    rho from `arm_correlation`

    with - where one of two cells withheld and the other added: an error of the control then
    enters the two lifts with opposite signs. Lifts and covariance are totals over the units, as in
    `GeoTest`. The matrix is positive definite, as that of the correlations is. Other parameters and
    errors are those of `geo_test`, which name the cell; window and method are the same for all.
    """
    data = Dataset.from_frame(frame, time=time, unit=unit, columns=[outcome])
    _check_cells(cells, data)
    seed = checks.seed_or_drawn("seed", seed)
    labels = frame[unit].astype(str)
    tests: dict[str, GeoTest] = {}
    for name, cell in cells.items():
        other_units = {u for peer in cells.values() if peer is not cell for u in peer.treated}
        try:
            tests[name] = geo_test(
                frame[~labels.isin(other_units)],
                cell.treated,
                window,
                time=time,
                unit=unit,
                outcome=outcome,
                estimand=cell.estimand,
                dark=cell.dark,
                seed=seed,
                **settings,
            )
            tests[name].factors(cell.spend)  # raises for a scale that it does not tell
        except BayesCausalError as error:
            raise type(error)(f"Cell '{name}': {error}") from None
    arm_tests = list(tests.values())
    names, controls = np.array(data.units), arm_tests[0].controls
    correlation = arm_correlation(
        data.array(outcome)[:, : arm_tests[0].before],
        [np.flatnonzero(np.isin(names, test.treated)) for test in arm_tests],
        np.flatnonzero(np.isin(names, controls)),
        np.array([[test.weights[u] for u in controls] for test in arm_tests]),
    )
    signed = np.array([-test.std_error if test.dark else test.std_error for test in arm_tests])
    return tests, correlation * np.outer(signed, signed)


def arm_correlation(
    sales: np.ndarray, arms: list[np.ndarray], controls: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the correlation of the errors of the lifts of arms that share control units.

        gap_a = mean_{i in a} y_i - sum_j w_aj x_j,       errors of units independent, variance v
        Cov(gap_a, gap_b) = sum_j w_aj w_bj v_j
        Var(gap_a)        = sum_{i in a} v_i / n_a^2 + sum_j w_aj^2 v_j

    What the periods before the test add to the error of a lift (the level, the slope of `tbr`) is
    one linear map of the gaps, the same for each arm, and memory of the errors one factor: both
    cancel in the correlation. For difference in differences (``w = 1 / m``) and units that are
    alike, ``rho = 1 / sqrt((1 + m / n_a) (1 + m / n_b))``: one half for arms as large as the
    control, and the covariance is the variance of the control's mean.

    The variances are those of each unit about the mean of the controls, before the test,

        s_i = v_i + V / m (treated),   s_j = v_j (1 - 2 / m) + V / m (control),
        V = mean_j v_j = mean_j s_j m / (m - 1)

    and a unit's own is taken to be at least `LEAST` of it. With fewer than three controls all units
    count as alike. The result is a Gram matrix plus a positive diagonal: positive definite.

    It is not the correlation of arms that a shock outside the controls hits alike, as neighbors
    may be; arms should be spread over the map. `sales` has the periods before the test, shape
    ``(unit, time)``; `arms` and `controls` are rows of it, `weights` have shape ``(arm, control)``.

    Notes
    -----
    Source: Dunnett (1955), JASA 50, for the correlation of several means with one control.

    Examples
    --------
    >>> rho = arm_correlation(np.ones((6, 9)), [[0, 1], [2, 3]], [4, 5], np.full((2, 2), 1 / 2))
    >>> rho.round(12).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    treated_variance, control_variance = unit_variances(sales, controls)
    means = [treated_variance[rows].mean() / len(rows) for rows in arms]
    matrix = np.diag(means) + (weights * control_variance) @ weights.T
    sd = np.sqrt(np.diag(matrix))
    matrix = matrix / np.outer(sd, sd)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def unit_variances(sales: np.ndarray, controls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the error variance of each unit as if treated, and of the controls as controls."""
    m = len(controls)
    if m < 3:
        return np.ones(len(sales)), np.ones(m)
    deviations = sales - sales.mean(axis=1, keepdims=True)
    mean_squares = ((deviations - deviations[controls].mean(axis=0)) ** 2).mean(axis=1)
    of_mean = mean_squares[controls].mean() / (m - 1)
    treated_variance = np.maximum(mean_squares - of_mean, LEAST * mean_squares)
    control_variance = np.maximum(
        (mean_squares[controls] - of_mean) / (1 - 2 / m), LEAST * mean_squares[controls]
    )
    return treated_variance, control_variance


def _check_cells(cells: Any, data: Dataset) -> None:
    example = "{'half': GeoCell(['a', 'b'], ...), 'double': GeoCell(['c', 'd'], ...)}"
    if not isinstance(cells, Mapping) or not all(isinstance(k, str) and k for k in cells):
        raise SpecError(f"cells is a mapping of name to GeoCell, {example}; got {cells!r}.")
    for name, cell in cells.items():
        if not isinstance(cell, GeoCell):
            raise SpecError(f"Cell '{name}' is no GeoCell: {cell!r}. Write {example}.")
    if len(cells) < 2:
        raise SpecError(
            f"{len(cells)} cells share no control. With one arm use Experiment.from_geo_panel."
        )
    owner: dict[str, str] = {}
    for name, cell in cells.items():
        for treated in cell.treated:
            if treated in owner:
                raise SpecError(
                    f"Unit '{treated}' is in the cells '{owner[treated]}' and '{name}'. What was "
                    "changed there at once is one cell: incremental(['tv', 'search'])."
                )
            owner[treated] = name
    if not {*data.units} - {*owner}:
        raise DataError(
            f"All {len(data.units)} units are in a cell: nothing shows what would have happened "
            "without the test. Add units that it did not touch."
        )
