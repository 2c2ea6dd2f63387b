"""A table of data followed by a `Future`: checks that it follows, and columns that go beyond."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import Any

import numpy as np
import xarray as xr

from bayescausal.data.dataset import Dataset
from bayescausal.data.future import Future, following
from bayescausal.data.rows import check_time
from bayescausal.errors import DataError, SpecError, shown

_FAR = 20.0
"""Times the largest value that was seen from which a column seems to be in other units."""


def continued(data: Dataset, future: Future, columns: Collection[str]) -> xr.Dataset:
    """Return the columns of the data followed by those of a future, or say what is wrong.

    An uncertain column is at its mean. Columns that the future lacks are at their last value.
    """
    if not isinstance(future, Future):
        raise SpecError(
            f"A Future comes after a Fit; got {shown(future)}. Write Future.like(data, periods=13)."
        )
    _check_dates(data, future)
    _check_units(data, future)
    coords: dict[str, Any] = {"time": data.time.append(future.time)}
    if data.is_panel:
        coords["unit"] = list(data.units)
    paths = {}
    for name in columns:
        past = data.array(name)
        if name not in future.columns:
            future_path = np.repeat(past[..., -1:], len(future.time), axis=-1)
        else:
            future_path = path_of(data, future, name)
            future_path = future_path.mean(axis=0) if future_path.ndim > past.ndim else future_path
        paths[name] = (data.dims, np.concatenate([past, future_path], axis=-1))
    return xr.Dataset(paths, coords)


def path_of(data: Dataset, future: Future, name: str) -> np.ndarray:
    """Read a column of the future, units in the order of the data."""
    if not data.is_panel:
        return future.array(name)
    rows = [list(map(str, future.table["unit"].values)).index(unit) for unit in data.units]
    return future.array(name)[..., rows, :]


def _check_dates(data: Dataset, future: Future) -> None:
    last, expected = data.time[-1], following(data.time, 1)[0]
    first = future.time[0]
    if first <= last:
        raise DataError(
            f"The future starts {first.date()}, but the data run to {last.date()}. It starts with "
            f"the period after them, {expected.date()}."
        )
    try:
        check_time(data.time.append(future.time), "The future after the data")
    except DataError as error:
        raise DataError(f"{error} The period after the data is {expected.date()}.") from None


def _check_units(data: Dataset, future: Future) -> None:
    units = set(map(str, future.table["unit"].values)) if "unit" in future.table.dims else set()
    if units == {*data.units}:
        return
    if not data.is_panel:
        raise DataError("The future has units and the data are national. Sum it over its units.")
    if not units:
        raise DataError(
            f"The data are a panel and the future is national. It needs rows for each of "
            f"{', '.join(data.units[:5])}: Future.from_frame(frame, time=..., unit=...)."
        )
    odd = sorted(units ^ {*data.units})[0]
    place = "the data" if odd in units else "the future"
    raise DataError(f"Unit '{odd}' is not in {place}. Both have the same units.")


def beyond_observed(data: Dataset, future: Future, columns: Collection[str]) -> dict[str, float]:
    """Return how many times the largest value that was seen a column reaches, where above one."""
    reached = {}
    for name in columns:
        if name in future.columns:
            top = float(np.abs(data.array(name)[..., data.history :]).max())
            largest = float(np.abs(future.array(name)).max())
            if top and largest > top * (1 + 1e-9):
                reached[name] = largest / top
    return reached


def warn_of_scales(data: Dataset, future: Future, columns: Collection[str]) -> None:
    """Warn of columns that reach `_FAR` times what they ever were: they may be in other units."""
    for name, times in beyond_observed(data, future, columns).items():
        if times > _FAR:
            warnings.warn(
                f"'{name}' reaches {times:,.3g} times in the future what it ever was in the data. "
                "Is it in other units?",
                stacklevel=4,
            )
