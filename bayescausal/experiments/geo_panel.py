"""Estimation of a `GeoTest` from a raw panel: a lift, its standard error, the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from bayescausal import checks
from bayescausal.data.dataset import Dataset
from bayescausal.data.periods import (
    covered,
    covered_days,
    is_whole,
    period_mask,
    whole_windows,
    window_text,
)
from bayescausal.errors import DataError, SpecError, did_you_mean
from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.geo_estimators import (
    METHODS,
    Method,
    StandardError,
    drift,
    estimator,
    rmse,
    standard_error,
)
from bayescausal.experiments.geo_test import GeoTest
from bayescausal.thresholds import PRE_TEST_DRIFT, PRE_TEST_R2

COLUMNS = ("time", "unit", "outcome")
SETTINGS = ("tail", "intercept", "seed", "prob")
"""Parameters of `geo_test` that are the same for every arm, with the method and the window."""

SHORTEST = 6
"""Periods before the test without which there is nothing to fit."""


def geo_test(
    frame: pd.DataFrame,
    treated: str | Sequence[str],
    window: tuple[Any, Any],
    *,
    time: str,
    unit: str,
    outcome: str,
    estimand: Estimand,
    method: Method = "did",
    dark: bool = False,
    tail: int = 0,
    intercept: bool = True,
    seed: int | None = None,
    prob: float = 0.9,
) -> GeoTest:
    """Estimate what a geo test did to its treated units, with a standard error.

        lift = +-sum_{t in window + tail} sum_{treated u} (Y_ut - counterfactual_ut)

    with + for a test that added a treatment, - for one that withheld it (``dark``). All periods
    before the window fit the counterfactual; those after window and tail are not used.
    `geo_estimators.standard_error` says how the error is found. `Experiment.from_geo_panel` takes
    the same and returns the measurement itself; this shows the evidence alone.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a unit and period, sorted by time in each unit; balanced, nothing missing.
    treated : str or sequence of str
        Units whose treatment was changed; all others are controls and must be untouched.
    window : (start, end)
        Dates of the test, both included. The start is the start of a period.
    time, unit, outcome : str
        Columns; that of the outcome is the node measured, unless the estimand names one.
    estimand : Estimand
        What the lift measures. What happened in the treated units is its ``active`` world if the
        test added (``incremental("tv")`` for tv switched on, ``Estimand(control={"tv":
        Times(0.5)})`` for tv doubled) and its ``control`` world if the test withheld:
        ``Estimand({"tv": Plus(50)})`` for 50 a period not spent.
    method : {"did", "synthetic-control", "tbr"}
    dark : bool
        The test switched the treatment off or down. The lift is then what it would have added.
    tail : int
        Periods after the window that are counted too; becomes the estimand's ``carryover``.
    intercept : bool
        For synthetic control: match series as deviations from their own mean.
    seed : int, optional
        For placebo sets and bootstrap; drawn, and kept in the result, when not given.
    prob : float
        Probability of the interval.

    Raises
    ------
    DataError
        Gaps, doubles or missing values; unknown treated units, or all; a window outside the data
        or without enough periods before it; a fit that leaves no residual.
    SpecError
        An estimand or a setting that contradicts the test.

    Examples
    --------
    >>> week = pd.date_range("2025-01-06", periods=30, freq="7D")
    >>> panel = pd.DataFrame({"week": np.tile(week, 10), "geo": np.repeat(list("abcdefghij"), 30)})
    >>> panel["sales"] = 100 + np.random.default_rng(1).normal(size=300)
    >>> panel.loc[panel.geo.isin(["a", "b"]) & (panel.week >= "2025-07-07"), "sales"] += 5
    >>> test = geo_test(
    ...     panel, ["a", "b"], ("2025-07-07", "2025-07-27"), time="week", unit="geo",
    ...     outcome="sales", estimand=Estimand(control={"tv": 0}), seed=1)
    >>> round(test.lift), test.error, len(test.placebos)
    (29, 'placebo in space', 28)
    """
    _check_settings(method, dark, tail, intercept, prob)
    seed = checks.seed_or_drawn("seed", seed)
    data = Dataset.from_frame(frame, time=time, unit=unit, columns=[outcome])
    units = _treated(treated, data)
    estimand = _test_estimand(estimand, outcome, units, window, dark, tail)
    pre_periods, last = _span(data, estimand, tail)
    _check_dark(frame, estimand, frame[unit].astype(str), range(pre_periods, last - tail), dark)
    return _estimate(
        data, outcome, estimand, method, (pre_periods, last), dark, intercept, seed, prob
    )


def _estimate(
    data: Dataset,
    outcome: str,
    estimand: Estimand,
    method: Method,
    span: tuple[int, int],
    dark: bool,
    intercept: bool,
    seed: int,
    prob: float,
) -> GeoTest:
    pre_periods, last = span
    names, units = np.array(data.units), estimand.units or ()
    rows, count = np.isin(names, units), len(units)
    panel = data.array(outcome)[:, :last]
    y, x = panel[rows].mean(axis=0), panel[~rows]
    fitter = estimator(method, intercept)
    fit = fitter(y, x, pre_periods)
    gap, fit_error = y - fit.path, rmse(y, fit.path, pre_periods)
    _require_residuals(method, fit_error, y, pre_periods)
    error = standard_error(method, (y, x), pre_periods, fitter, count, np.random.default_rng(seed))
    _require_error(error, fit_error, count, last - pre_periods)
    lift = (-count if dark else count) * float(gap[pre_periods:].sum())
    std_error = count * error.scale
    half = std_error * float(stdtrit(error.dof, 0.5 + prob / 2))
    placebos = (-count if dark else count) * error.draws
    variance = float(np.var(y[:pre_periods]))
    r2 = 1 - fit_error**2 / variance if variance else 0.0
    notes = [*error.notes, *_notes(gap, pre_periods, count, r2)]
    p_value = 2 * float(stdtr(error.dof, -abs(lift) / std_error))
    if error.kind == "placebo in space":
        p_value = (1 + int((np.abs(placebos) >= abs(lift)).sum())) / (1 + len(placebos))
        if (least := 1 / (1 + len(placebos))) > 1 - prob:
            notes.append(f"{len(placebos)} placebos give no p-value below {least:.2f}.")
    if unused := len(data.time) - last:
        notes.append(f"The last {unused} periods, after window and tail, are not used.")
    correlation = 0.0
    if np.ptp(fit.path[:pre_periods]) > 0 and variance > 0:
        correlation = float(np.corrcoef(y[:pre_periods], fit.path[:pre_periods])[0, 1])
    return GeoTest(
        estimand=estimand,
        method=method,
        error=error.kind,
        lift=lift,
        std_error=std_error,
        dof=error.dof,
        prob=float(prob),
        interval=(lift - half, lift + half),
        p_value=p_value,
        time=data.time[:last],
        observed=count * y,
        counterfactual=count * fit.path,
        difference=count * gap,
        before=pre_periods,
        weights=dict(zip(names[~rows].tolist(), fit.weights.tolist(), strict=True)),
        placebos=placebos,
        rmse=count * fit_error,
        correlation=correlation,
        r2=r2,
        treated=units,
        controls=tuple(names[~rows].tolist()),
        dark=dark,
        seed=seed,
        notes=tuple(notes),
    )


def _require_residuals(method: Method, fit_error: float, y: np.ndarray, pre_periods: int) -> None:
    if fit_error <= 1e-9 * float(np.abs(y).max()):
        raise DataError(
            f"{method}: the counterfactual equals the treated units in all {pre_periods} periods "
            "before the test, so no residual says how large the error is. Use more periods"
            f"{'' if method == 'did' else ", or 'did'"}."
        )


def _require_error(error: StandardError, fit_error: float, count: int, periods: int) -> None:
    if error.scale <= 1e-9 * fit_error:
        raise DataError(
            f"The standard error cannot be computed ({error.kind} gives {count * error.scale:.2g}):"
            f" in the {periods} periods that are counted the controls do what is expected of them "
            "to the last digit. Are they filled in? Leave such units and periods out."
        )


def _check_settings(method: Any, dark: Any, tail: Any, intercept: Any, prob: Any) -> None:
    if method not in METHODS:
        raise SpecError(
            f"method='{method}' is not known. Methods: {', '.join(METHODS)}."
            f"{did_you_mean(method, METHODS)}"
        )
    for label, value in (("dark", dark), ("intercept", intercept)):
        checks.flag(label, value)
    checks.count("tail, the periods counted after the window,", tail)
    checks.probability("prob", prob)


def unit_names(value: Any) -> tuple[str, ...]:
    """Return one name of a unit or several, sorted and without duplicates."""
    names = checks.several(value, str | int)
    if names is None:
        raise SpecError(f"treated is one unit or a sequence of units; got {value!r}.")
    return tuple(sorted({checks.unit_name("treated", unit) for unit in names}))


def _treated(value: Any, data: Dataset) -> tuple[str, ...]:
    units = unit_names(value)
    for name in units:
        if name not in data.units:
            raise DataError(
                f"The treated unit '{name}' is not in the panel. Units: {', '.join(data.units)}."
                f"{did_you_mean(name, data.units)}"
            )
    if not units:
        raise DataError(f"No unit is treated. Name some of: {', '.join(data.units)}.")
    if len(units) == len(data.units):
        raise DataError(
            f"All {len(units)} units are treated: nothing shows what would have happened without "
            "the test. Add units that it did not touch."
        )
    return units


def _test_estimand(
    estimand: Any,
    outcome: str,
    units: tuple[str, ...],
    window: Any,
    dark: bool,
    tail: int,
) -> Estimand:
    """Return the estimand with the test's window, units, outcome and tail, or raise if they differ.

    The treated units lived in one world of the estimand: active, or control if `dark`.
    """
    if not isinstance(estimand, Estimand):
        raise SpecError(f"estimand is an Estimand, as incremental('tv'); got {estimand!r}.")
    question = replace(estimand, window=window)
    for label, claim, test in (
        ("window", estimand.window, question.window),
        ("units", estimand.units and tuple(sorted(estimand.units)), units),
    ):
        if claim is not None and claim != test:
            raise SpecError(
                f"The {label} of the estimand and of the test differ: {estimand!r}. Leave it out "
                "of the estimand: the test's is taken."
            )
    if estimand.off_panel:
        raise SpecError(
            f"{estimand!r} is off the panel, which has no factual world to put the test into. Ask "
            "what the test's own panel shows, and give its lift and std_error to Experiment."
        )
    if estimand.tail not in (None, tail):
        raise SpecError(
            f"The estimand counts a tail of {estimand.tail} periods, the test tail={tail}. Leave "
            "carryover out of the estimand: the test's tail is taken."
        )
    if not dark and not estimand.control:
        raise SpecError(
            f"{estimand!r}: its control world is what happened, so the test withheld something. "
            "Say dark=True; or, if the test added, put the world without it into control: "
            "incremental('tv'), or Estimand(control={'tv': Times(0.5)})."
        )
    if dark and not estimand.active:
        raise SpecError(
            f"{estimand!r}: its active world is what happened, but dark=True says that the test "
            "withheld the treatment: there it is zero against zero. Say what was withheld: "
            "Estimand({'tv': Plus(50)}) for 50 a period."
        )
    return replace(question, units=units, outcome=estimand.outcome or outcome, carryover=tail)


def _span(data: Dataset, estimand: Estimand, tail: int) -> tuple[int, int]:
    """Return the number of periods before the window, and up to the last that is counted."""
    start, end = estimand.window or (data.time[0], data.time[-1])
    time = data.time
    extent = f"The panel runs {time[0].date()}..{time[-1].date()}, {data.frequency}."
    first, last_day = covered(time)
    if start > last_day or end > last_day or end < first:
        raise DataError(f"The window {start.date()}..{end.date()} is outside the data. {extent}")
    choices = " or ".join(map(window_text, whole_windows(time, (start, end))))
    days = covered_days(time, (start, end))
    if days is None:
        raise DataError(
            f"No period starts in the window {start.date()}..{end.date()}. Whole periods are "
            f"{choices}."
        )
    acting = np.flatnonzero(period_mask(time, (start, end)))
    pre_periods, last = int(acting[0]), int(acting[-1]) + 1
    if pre_periods < SHORTEST:
        raise DataError(
            f"{pre_periods} periods lie before the window, which starts {start.date()}; {SHORTEST} "
            f"are the least that a counterfactual can be fitted to. {extent}"
        )
    if days[0] != start:
        raise DataError(
            f"The window starts {start.date()}, within a period, which would be half before the "
            f"test. Give the start of a period. Whole periods are {choices}."
        )
    if not is_whole(time, (start, end)):
        raise DataError(
            f"The window ends {end.date()}, within the period of {time[last - 1].date()}, which "
            f"would be counted whole. Whole periods are {choices}."
        )
    if last + tail > len(time):
        raise DataError(
            f"tail={tail} goes {last + tail - len(time)} periods beyond the data. {extent}"
        )
    return pre_periods, last + tail


def _check_dark(
    frame: pd.DataFrame, estimand: Estimand, units: pd.Series, window: range, dark: bool
) -> None:
    """Raise when a treatment that the test is said to add is zero in the frame."""
    place = units.groupby(units).cumcount()  # each unit has every period, in order
    tested = units.isin(estimand.units or ()) & place.isin(window)
    for name in estimand.treatments:
        is_off = name in frame.columns and not frame.loc[tested, name].any()
        if is_off and not dark and estimand.control.get(name) == 0 and name not in estimand.active:
            raise SpecError(
                f"Column '{name}' is zero in the treated units during the window: it went dark, "
                f"and {estimand!r} compares zero with zero. Say dark=True and what was withheld: "
                f"Estimand({{'{name}': Plus(50)}}) for 50 a period."
            )


def _notes(gap: np.ndarray, pre_periods: int, count: int, r2: float) -> list[str]:
    notes = []
    post_periods = len(gap) - pre_periods
    slope, t = drift(gap[:pre_periods])
    if abs(t) > PRE_TEST_DRIFT:
        notes.append(
            f"Before the test the treated units drift from the counterfactual by "
            f"{count * slope:.3g} a period (t = {t:.1f}): if that went on, "
            f"{count * slope * post_periods * len(gap) / 2:.3g} of the difference is not "
            "the test's."
        )
    if r2 < PRE_TEST_R2:
        notes.append(
            f"The counterfactual explains little of the treated units before the test (R2 = "
            f"{r2:.2f}): the controls hardly say what would have happened."
        )
    if pre_periods < 2 * post_periods:
        notes.append(
            f"{pre_periods} periods before the test are few for {post_periods} that are counted."
        )
    return notes
