"""Checks of the rows of a `Dataset`: dates have no gaps, and every unit has every date."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal.checks import unit_name
from bayescausal.data.columns import require_number
from bayescausal.data.dates import read_column
from bayescausal.data.periods import steps
from bayescausal.errors import DataError, SpecError

LEAST = 3
"""Periods without which there is no step to tell."""
_LEAST_IN_WORDS = {1: "one period is the least", LEAST: "three periods are the least"}


def checked(table: xr.Dataset, least: int = LEAST) -> xr.Dataset:
    """Return a table with dates for its time and text for its units, or raise."""
    dims = tuple(map(str, table.sizes))
    if not table.data_vars:
        raise DataError("The table has no column of numbers: nothing can be modelled.")
    if {*dims} not in ({"time"}, {"time", "unit"}):
        raise DataError(
            f"The table has the dims {dims}. Its periods are the dim 'time', and a panel has "
            "one dim 'unit' besides: rename or stack them, table.rename(date='time')."
        )
    for dim in dims:
        if dim not in table.indexes:
            raise DataError(
                f"The table has no coordinate '{dim}'. Say which periods or units its rows are: "
                f"table.assign_coords({dim}=...)."
            )
    for name, column in table.data_vars.items():
        if {*column.dims} != {*dims}:
            raise DataError(
                f"Column '{name}' has the dims {column.dims}, and every column has {dims}. Repeat "
                f"it: table['{name}'].broadcast_like(another column)."
            )
        require_number(name, pd.Series(column.to_numpy().ravel(), name=name))
    time = read_column(pd.Series(table.indexes["time"], name="time"))
    check_time(time, "the data", least)
    if not time.equals(table.indexes["time"]):
        table = table.assign_coords(time=time)
    if "unit" not in dims:
        return table
    names = read_units(pd.Series(table.indexes["unit"], name="unit"))
    if names.has_duplicates:
        raise DataError(f"The unit '{names[names.duplicated()][0]}' stands twice in the table.")
    return table if names.equals(table.indexes["unit"]) else table.assign_coords(unit=names)


def from_rows(
    frame: pd.DataFrame, keep: list[str], time: str, unit: str | None, least: int = LEAST
) -> xr.Dataset:
    """Return some columns of a tidy frame as a table over periods, or over periods and units."""
    dates = read_column(frame[time])
    if unit is None:
        check_time(dates, "the data", least)
        rows = frame[keep].astype(float).set_index(dates)
        return xr.Dataset.from_dataframe(rows).copy(deep=True)  # pandas may share its memory
    units = read_units(frame[unit])
    check_panel(dates, units, least)
    rows = frame[keep].astype(float).set_index(pd.MultiIndex.from_arrays([dates, units]))
    return xr.Dataset.from_dataframe(rows).copy(deep=True).sel(unit=units.unique())


def read_units(column: pd.Series) -> pd.Index:
    """Return the names of units as text; raise for values that are no names, such as 1.0."""
    if column.isna().any():
        raise DataError(f"Column '{column.name}' has {int(column.isna().sum())} missing units.")
    try:
        names = {unit: unit_name(f"Column '{column.name}'", unit) for unit in column.unique()}
    except SpecError as error:
        raise DataError(str(error)) from None
    return pd.Index([names[unit] for unit in column], name="unit", dtype=object)


def check_panel(dates: pd.DatetimeIndex, units: pd.Index, least: int = LEAST) -> None:
    """Raise unless every unit has the same regular periods."""
    if len(dates) == 0:
        raise DataError(f"the data has 0 rows; {_LEAST_IN_WORDS[least]}.")
    names = units.unique()
    first = dates[units == names[0]]
    for name in names:
        unit_dates = dates[units == name]
        check_time(unit_dates, f"unit '{name}'", least)
        if not unit_dates.equals(first):
            gap = first.symmetric_difference(unit_dates)[0]
            raise DataError(
                f"Unit '{name}' has {len(unit_dates)} periods, '{names[0]}' has {len(first)}; the "
                f"first difference is at {gap.date()}. A panel needs every unit in every period: "
                "fill the rows or drop the unit."
            )


def check_time(index: pd.DatetimeIndex, label: str, least: int = LEAST) -> None:
    """Raise unless periods are in order, each once, without gaps; fewer than three have no step."""
    if len(index) < least:
        raise DataError(f"{label} has {len(index)} rows; {_LEAST_IN_WORDS[least]}.")
    if index.has_duplicates:
        twice = index[index.duplicated()][0].date()
        raise DataError(
            f"{label} has the period {twice} twice. One row a period, a day at the finest; for a "
            "panel give unit=."
        )
    days, months = steps(index)
    if (days < 0).any():
        row = int(np.argmax(days < 0)) + 1
        raise DataError(
            f"{label} is out of order: {index[row].date()} follows {index[row - 1].date()}. "
            "Sort it by time."
        )
    if len(index) < LEAST:
        return
    monthly = np.median(days) >= 28
    jumps = months if monthly else days
    # Months, quarters and years differ in length, by a week when they are dated by a weekday.
    if np.ptp(days) == 0 or (monthly and np.ptp(jumps) == 0 and np.ptp(days) <= 7):
        return
    step = max(1, int(np.bincount(jumps).argmax()))
    size = f"{step} {'month' if monthly else 'day'}{'s' if step > 1 else ''}"
    odd = np.flatnonzero((jumps % step > 0) | (jumps < step))
    if len(odd) or np.ptp(jumps) == 0:
        row = int(odd[0]) if len(odd) else int(np.argmax(abs(days - np.median(days))))
        raise DataError(
            f"{label} is not regular: the usual step is {size}, but {index[row + 1].date()} "
            f"follows {index[row].date()}. Give daily, weekly or monthly periods."
        )
    offset = pd.DateOffset(months=step) if monthly else pd.DateOffset(days=step)
    gaps = [
        index[row] + k * offset for row, jump in enumerate(jumps) for k in range(1, jump // step)
    ]
    some = ", ".join(str(date.date()) for date in gaps[:5])
    raise DataError(
        f"{label} has gaps: {len(gaps)} periods are missing at a step of {size} "
        f"({some}{', ...' if len(gaps) > 5 else ''}). Adstock needs every period: add the rows."
    )
