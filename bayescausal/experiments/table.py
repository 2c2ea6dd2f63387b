"""Reader of `Experiment` values from a table with one row for each test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
from scipy.special import ndtri

from bayescausal.checks import number, unit_name
from bayescausal.errors import SpecError, did_you_mean
from bayescausal.experiments.estimand import Estimand, incremental, steady_state
from bayescausal.experiments.experiment import Experiment
from bayescausal.thresholds import STATED_INTERVAL_ERROR

SETTINGS = ("design", "bias_sd", "name", "nu", "half_life", "share", "unit")
"""Columns that are fields of `Experiment`."""

INTERVAL = ("low", "high", "prob")

WINDOWED = (
    "treatment",
    "start",
    "end",
    "lift",
    "std_error",
    *INTERVAL,
    "outcome",
    "units",
    "scale",
    "carryover",
    *SETTINGS,
)
"""Columns of tests in a window."""

STEADY = (
    "channel",
    "x",
    "delta_x",
    "delta_y",
    "sigma",
    "start",
    "end",
    "outcome",
    "units",
    *SETTINGS,
)
"""Columns of points on a response curve; the first five are PyMC-Marketing's."""


def experiments_from_frame(
    frame: pd.DataFrame, *, design: str | None = None
) -> tuple[Experiment, ...]:
    """Read experiments from a table with one row for each test; unknown columns raise.

    A row of ``treatment, start, end, lift, std_error`` measures ``incremental(treatment)`` in the
    window. With ``low, high, prob`` in place of ``std_error`` it is ``(high - low) / (2 z)``, z the
    normal quantile. A row of ``channel, x, delta_x, delta_y, sigma`` (PyMC-Marketing) measures
    `steady_state`: what one period gains when a constant x becomes ``x + delta_x``.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns as in `WINDOWED` or `STEADY`; an empty cell is the default. Several treatments are
        joined by ``+``, several units by ``|``. ``carryover`` is true, false or a number of
        periods. Without ``start`` and ``end`` the window is all of the data.
    design : str, optional
        Design of the rows that do not say it: how a lift was obtained has no default.

    Returns
    -------
    tuple of Experiment
        In the order of the rows. Rows without a name that would share one are numbered.

    Raises
    ------
    SpecError
        An unknown column, a missing cell, an interval that does not fit the lift, whatever
        `Estimand` and `Experiment` refuse; the message names the row.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "treatment": ["tv", "tv+search"], "start": ["2025-03-03", "2025-06-02"],
    ...     "end": ["2025-03-30", "2025-06-29"], "lift": [410, 90], "low": [213, 8],
    ...     "high": [607, 172], "prob": 0.9})
    >>> for test in experiments_from_frame(table, design="geo-rct"):
    ...     print(test.name, round(test.std_error))
    tv_2025-03-03 120
    search+tv_2025-06-02 50
    >>> rows = pd.DataFrame({"channel": ["tv"], "x": 100, "delta_x": 20, "delta_y": 5, "sigma": 2})
    >>> experiments_from_frame(rows, design="geo-rct")[0].estimand
    Estimand(do(tv=120) vs do(tv=100), steady state)
    """
    if not isinstance(frame, pd.DataFrame):
        raise SpecError(f"frame must be a pandas DataFrame; got {type(frame).__name__}.")
    steady = "treatment" not in frame.columns and {"channel", "delta_y"} & {*frame.columns}
    _check_columns(frame, STEADY if steady else WINDOWED)
    tests, stated = [], []
    for index, cells in zip(frame.index, frame.to_dict("records"), strict=True):
        row = {str(k): v for k, v in cells.items() if not _is_blank(v)}
        row = ({} if design is None else {"design": design}) | row
        try:
            tests.append(_steady(row) if steady else _windowed(row))
        except SpecError as error:
            raise SpecError(f"Row {index!r} of the experiments: {error}") from None
        stated.append("name" in row)
    return _with_unique_names(tests, stated)


def _check_columns(frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    if not len(frame):
        raise SpecError(f"The table of experiments has no rows. Its columns: {', '.join(columns)}.")
    for name, times in Counter(map(str, frame.columns)).items():
        if times > 1:
            raise SpecError(f"There are {times} columns '{name}' in the table of experiments.")
        if name not in columns:
            raise SpecError(
                f"Column '{name}' of the experiments is not known. Known: {', '.join(columns)}. "
                f"Rename it, or drop it.{did_you_mean(name, columns)}"
            )


def _is_blank(cell: Any) -> bool:
    # NaN is the one value that differs from itself.
    return cell is None or cell is pd.NaT or cell != cell or str(cell).strip() in ("", "<NA>")


def _windowed(row: Mapping[str, Any]) -> Experiment:
    _require(row, "treatment", "lift", "design")
    settings: dict[str, Any] = {"scale": row["scale"]} if "scale" in row else {}
    if "carryover" in row:
        settings["carryover"] = _carryover(row["carryover"])
    estimand = incremental(_split(row, "treatment", "+"), **settings, **_place(row))
    lift = number("lift", row["lift"])
    return Experiment(_dated(estimand, row), lift, _std_error(row, lift), **_settings(row))


def _steady(row: Mapping[str, Any]) -> Experiment:
    _require(row, "channel", "x", "delta_x", "delta_y", "sigma", "design")
    estimand = steady_state(str(row["channel"]), row["x"], row["delta_x"], **_place(row))
    return Experiment(_dated(estimand, row), row["delta_y"], row["sigma"], **_settings(row))


def _dated(estimand: Estimand, row: Mapping[str, Any]) -> Estimand:
    if ("start" in row) != ("end" in row):
        raise SpecError("start and end go together; leave both empty for all of the data.")
    return estimand.during(row["start"], row["end"]) if "start" in row else estimand


def _require(row: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if name not in row:
            hint = " How was the lift obtained? Or give design= for all rows." * (name == "design")
            raise SpecError(f"'{name}' is missing.{hint}")


def _settings(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: row[k] for k in SETTINGS if k in row}


def _place(row: Mapping[str, Any]) -> dict[str, Any]:
    place: dict[str, Any] = {"outcome": row["outcome"]} if "outcome" in row else {}
    return place | ({"units": _split(row, "units", "|")} if "units" in row else {})


def _split(row: Mapping[str, Any], column: str, separator: str) -> tuple[str, ...]:
    cell = row[column]
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # a column of whole numbers with an empty cell
    parts = cell if isinstance(cell, list | tuple) else unit_name(column, cell).split(separator)
    names = tuple(p.strip() if isinstance(p, str) else unit_name(column, p) for p in parts)
    if not all(names):
        raise SpecError(f"{column}='{row[column]}': a name is missing beside '{separator}'.")
    return names


def _carryover(cell: Any) -> bool | int:
    """Read a cell that may be a float, where other cells are empty, or text from a file."""
    word = str(cell).strip().lower()
    if word in ("true", "false", "yes", "no"):
        return word in ("true", "yes")
    try:
        periods = float(word)
    except ValueError:
        periods = -1.0
    if periods < 0 or not periods.is_integer():
        raise SpecError(f"carryover is true, false or a number of periods; got {cell!r}.")
    return int(periods)


def _std_error(row: Mapping[str, Any], lift: float) -> float:
    stated_error = number("std_error", row["std_error"]) if "std_error" in row else None
    bounds = [name for name in INTERVAL if name in row]
    if not bounds and stated_error is None:
        raise SpecError(
            "'std_error' is missing. Give it, or the interval that was reported: low, high and its "
            "probability prob, 0.9 say."
        )
    if not bounds or bounds == ["prob"]:
        if stated_error is None:
            raise SpecError("'std_error' cannot be computed: low, high are missing.")
        return stated_error
    if len(bounds) < len(INTERVAL):
        missing_bounds = [name for name in INTERVAL if name not in bounds]
        raise SpecError(
            f"An interval is low, high and prob; {', '.join(missing_bounds)} is missing, so that "
            "std_error cannot be computed or checked."
        )
    low, high, prob = (number(name, row[name]) for name in INTERVAL)
    if not 0 < prob < 1:
        raise SpecError(f"prob is a probability between 0 and 1, 0.9 say; got {prob:g}.")
    if not low < high:
        raise SpecError(f"low={low:g} is not below high={high:g}.")
    if abs((low + high) / 2 - lift) > STATED_INTERVAL_ERROR * (high - low):
        raise SpecError(
            f"The interval {low:g} to {high:g} is not centered at the lift {lift:g}, so its width "
            "is not that of a normal error. Give std_error."
        )
    width = (high - low) / (2 * float(ndtri(0.5 + prob / 2)))
    if stated_error is not None and abs(stated_error - width) > STATED_INTERVAL_ERROR * width:
        raise SpecError(
            f"std_error={stated_error:g} contradicts the interval, which gives {width:.4g}. "
            "Give one."
        )
    return width if stated_error is None else stated_error


def _with_unique_names(tests: list[Experiment], stated: list[bool]) -> tuple[Experiment, ...]:
    """Number the tests that share a default name, and raise for a name that is stated twice."""
    name_counts = Counter(t.name for t, is_stated in zip(tests, stated, strict=True) if is_stated)
    if name_counts and (twice := name_counts.most_common(1)[0])[1] > 1:
        raise SpecError(f"{twice[1]} rows of the experiments are called '{twice[0]}'.")
    used, experiments = set(name_counts), []
    for test, is_stated in zip(tests, stated, strict=True):
        name, k = test.name, 1
        while not is_stated and name in used:
            k += 1
            name = f"{test.name}_{k}"
        used.add(name)
        experiments.append(test if name == test.name else replace(test, name=name))
    return tuple(experiments)
