"""`Dataset`: a regular table of periods (and units), with what it costs and what it is worth."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal.errors import DataError, did_you_mean
from bayescausal.specs.columns import left_out, not_numbers, unwritable
from bayescausal.specs.dates import read_column
from bayescausal.specs.periods import frequency, steps

RESERVED = ("time", "unit", "chain", "draw")
"""Names of dims, which no column may have."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Columns over regular time, national ``(time)`` or a panel ``(time, unit)``.

    Scales are stored, not hidden: the model divides each column by `scale` (its largest absolute
    value over time, per unit) and every result comes back in original units.

    Parameters
    ----------
    table : xarray.Dataset
        One float variable a column, dims ``(time)`` or ``(time, unit)``; time regular, no gaps.
    spend : dict of str to str
        For each treatment the column that says what it costs, in currency. It may be the
        exposure itself.
    value : str or float
        What one unit of the outcome is worth, in currency: a column or a number.
    history : int
        Number of leading periods that are only input to adstock: no likelihood, no results.
    left_out : dict of str to str
        Columns of the frame that were not kept, and why; for messages, and not saved.
    size : str, optional
        Of a panel, the column that says how large each unit is (its population): what outcomes and
        media are counted per. Without it the mean outcome stands in, to which media add too.

    Raises
    ------
    DataError
        NaN or infinite values, negative or all-zero spend, a name that is no column or that a
        file of a fit cannot hold.

    See Also
    --------
    Dataset.from_frame : the usual way in.
    """

    table: xr.Dataset
    spend: dict[str, str] = field(default_factory=dict)
    value: str | float = 1.0
    history: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    size: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.table, xr.Dataset):
            raise DataError(
                f"table must be an xarray.Dataset; got {type(self.table).__name__}. For a table of "
                "rows use Dataset.from_frame(frame, time=...)."
            )
        self._check_settings()
        self._check_values()

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        time: str,
        unit: str | None = None,
        spend: Mapping[str, str] | Sequence[str] | str | None = None,
        value: str | float = 1.0,
        history: int = 0,
        columns: Sequence[str] | str | None = None,
        size: str | None = None,
    ) -> Dataset:
        """Read a tidy frame: one row a period (and unit), one column a node.

        Parameters
        ----------
        frame : pandas.DataFrame
            Not changed.
        time, unit : str
            Columns of dates and of unit names, which become text. A row is dated by the first day
            of its period; months, quarters and years also by their last one, which covers the
            calendar months up to it. ISO text and periods are read too.
        spend : mapping or sequence of str, optional
            ``{treatment: column of its cost}``, or treatments whose exposure is their cost.
        value : str or float
            Currency per unit of the outcome: a column or a number.
        history : int
            Leading periods used only as adstock input.
        columns : sequence of str, optional
            Columns to keep; by default all numeric ones. Of those that are not needed a name that
            cannot be saved, such as ``cost/1000``, is left out too.
        size : str, optional
            Column with the size of each unit of a panel, such as its population.

        Returns
        -------
        Dataset

        Raises
        ------
        DataError
            Gaps, duplicates or disorder in time, an unbalanced panel, NaN or infinite values,
            negative or all-zero spend, columns that are not there.

        Examples
        --------
        >>> frame = pd.DataFrame({
        ...     "week": pd.date_range("2024-01-01", periods=4, freq="7D"),
        ...     "tv": [0, 3.0, 1, 2], "sales": [9.0, 12, 11, 10]})
        >>> Dataset.from_frame(frame, time="week", spend=["tv"])
        Dataset(4 weekly periods 2024-01-01..2024-01-22; columns sales, tv; spend of tv)
        """
        if not isinstance(frame, pd.DataFrame):
            raise DataError(f"frame must be a pandas DataFrame; got {type(frame).__name__}.")
        costs = {s: s for s in _several(spend or (), "spend")}
        costs |= spend if isinstance(spend, Mapping) else {}
        keep = _numeric(frame, {time, unit}) if columns is None else _several(columns, "columns")
        extra = [*costs.values(), *(name for name in (value, size) if isinstance(name, str))]
        if columns is None:
            keep = [name for name in keep if not unwritable(str(name))]
        keep = list(dict.fromkeys([*keep, *extra]))
        keys = [time] if unit is None else [time, unit]
        for name in [*keys, *costs, *keep]:
            _require_once(name, frame)
        for name in keep:
            _require_number(name, frame[name])
        dates = read_column(frame[time])
        if unit is None:
            _check_time(dates, "the data")
            rows = frame[keep].astype(float).set_index(dates)
        else:
            units = _units(frame[unit])
            _check_panel(dates, units)
            rows = frame[keep].astype(float).set_index(pd.MultiIndex.from_arrays([dates, units]))
        table = xr.Dataset.from_dataframe(rows).copy(deep=True)  # pandas may share its memory
        if unit is not None:
            table = table.sel(unit=units.unique())
        besides = left_out(frame.drop(columns=keys), keep, columns is not None)
        return cls(table, costs, value, history, besides, size)

    def _check_settings(self) -> None:
        for treatment, name in self.spend.items():
            _require(name, self.columns, f"column for the spend of '{treatment}',")
        if isinstance(self.value, str):
            _require(self.value, self.columns, "column for the value of the outcome,")
        elif isinstance(self.value, bool) or not (
            isinstance(self.value, Real) and math.isfinite(self.value)
        ):
            raise DataError(f"value is a column or a number in currency; got {self.value!r}.")
        else:
            object.__setattr__(self, "value", float(self.value))
        if self.size is not None:
            _require(self.size, self.columns, "column for the size of units,")
            if not self.is_panel or (self.table[self.size] <= 0).any():
                raise DataError(
                    f"size='{self.size}' is of the units of a panel, and positive. Mend it, or "
                    "leave it out: the mean outcome then stands for the size of a market."
                )
        rows = len(self.time)
        if type(self.history) is not int or not 0 <= self.history < rows:
            raise DataError(
                f"history={self.history!r} must leave training rows; there are {rows} rows. It "
                "counts leading periods: 0, 1, 2, ..."
            )

    def _check_values(self) -> None:
        for name in self.table.variables:
            _require_writable(str(name))
        for name, column in self.table.data_vars.items():
            bad = ~np.isfinite(column.transpose("time", ...).to_numpy())
            if bad.any():
                when = self.time[int(np.argwhere(bad)[0, 0])]
                raise DataError(
                    f"Column '{name}' has {int(bad.sum())} missing or infinite values, the first "
                    f"at {when.date()}. Fill them knowingly, or leave the column out with columns=."
                )
        for treatment, name in self.spend.items():
            column = self.table[name]
            if (column < 0).any():
                raise DataError(
                    f"The spend of '{treatment}' (column '{name}') is negative in "
                    f"{int((column < 0).sum())} rows. Spend is what was paid; book refunds where "
                    "the exposure ran."
                )
            if not (column.isel(time=slice(self.history, None)) > 0).any():
                raise DataError(
                    f"The spend of '{treatment}' (column '{name}') is zero in every row"
                    f"{' after the history' if self.history else ''}: nothing can be learned "
                    "about it. Leave it out."
                )

    @property
    def time(self) -> pd.DatetimeIndex:
        """Every period, history included."""
        return pd.DatetimeIndex(self.table.indexes["time"])

    @property
    def training(self) -> pd.DatetimeIndex:
        """The periods with a likelihood."""
        return self.time[self.history :]

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the units; empty for national data."""
        return tuple(map(str, self.table["unit"].values)) if self.is_panel else ()

    @property
    def is_panel(self) -> bool:
        """Whether there is a dim ``unit``."""
        return "unit" in self.table.dims

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims as the model lays them out: time last."""
        return ("unit", "time") if self.is_panel else ("time",)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, sorted."""
        return tuple(sorted(map(str, self.table.data_vars)))

    def array(self, name: str) -> np.ndarray:
        """Read a column in original units, dims ``(time,)`` or ``(unit, time)``; not writable."""
        _require(name, self.columns, "column")
        table = self.table[name].transpose(*self.dims)
        values = np.ascontiguousarray(table, dtype=float).view()  # sums round alike after loading
        values.flags.writeable = False
        return values

    def scale(self, name: str) -> np.ndarray:
        """Largest absolute value over the training periods, shape ``(1,)`` or ``(unit, 1)``.

        A unit in which the column is always zero takes the largest scale of the others.
        """
        top = np.abs(self.array(name)[..., self.history :]).max(axis=-1, keepdims=True)
        return np.where(top > 0, top, top.max())

    def spend_of(self, treatment: str) -> np.ndarray:
        """Read what a treatment cost, dims as in `array`."""
        if treatment not in self.spend:
            raise DataError(
                f"No spend is given for '{treatment}'; there is spend for "
                f"{', '.join(self.spend) or 'nothing'}. Add spend={{'{treatment}': column}}."
                f"{did_you_mean(treatment, self.spend)}"
            )
        return self.array(self.spend[treatment])

    def value_of_outcome(self) -> np.ndarray:
        """Currency per unit of the outcome, broadcastable to `array`."""
        return self.array(self.value) if isinstance(self.value, str) else np.array(self.value)

    @property
    def frequency(self) -> str:
        """``daily``, ``weekly``, ``monthly``, ``quarterly``, ``yearly`` or the step in days."""
        return frequency(self.time)

    @property
    def hash(self) -> str:
        """SHA-256 of names and values: two fits of one hash saw the same data."""
        digest = hashlib.sha256(json.dumps(self.settings(), sort_keys=True).encode())
        digest.update(self.time.to_numpy().astype("datetime64[ns]").tobytes())
        digest.update("\0".join(self.units).encode())
        for name in self.columns:
            digest.update(name.encode() + self.array(name).tobytes())
        return digest.hexdigest()

    def settings(self) -> dict[str, Any]:
        """Everything but the table, as a plain dict."""
        given = {"spend": self.spend, "value": self.value, "history": self.history}
        return given | ({} if self.size is None else {"size": self.size})

    def __repr__(self) -> str:
        units = f" x {len(self.units)} units" if self.is_panel else ""
        text = (
            f"Dataset({len(self.time)} {self.frequency} periods{units} "
            f"{self.time[0].date()}..{self.time[-1].date()}; columns {', '.join(self.columns)}"
        )
        text += f"; spend of {', '.join(self.spend)}" if self.spend else ""
        return text + (f"; {self.history} periods of history)" if self.history else ")")


def _require(name: Any, there: Iterable[Any], what: str, also: str = "") -> None:
    names = sorted(map(str, there))
    if name not in names:
        raise DataError(
            f"There is no {what} '{name}'. There are: {', '.join(names) or 'none'}.{also}"
            f"{did_you_mean(name, names)}"
        )


def _require_once(name: Any, frame: pd.DataFrame) -> None:
    odd = [c for c in frame.columns if not isinstance(c, str)]
    if odd:
        raise DataError(
            f"Names of columns must be text; got {odd[0]!r}. Flatten or rename them: "
            "frame.columns = frame.columns.map(str)."
        )
    index = name is not None and name in frame.index.names
    also = f" '{name}' is the index: give frame.reset_index()." if index else ""
    _require(name, frame.columns, "column", also)
    if (frame.columns == name).sum() > 1:
        raise DataError(f"There are two columns '{name}'. Rename or drop one of them.")


def _require_number(name: str, column: pd.Series) -> None:
    if name in RESERVED:
        raise DataError(
            f"A column cannot be called '{name}', which names a dim ({', '.join(RESERVED)}). "
            "Rename it, or leave it out with columns=."
        )
    _require_writable(name)
    if why := not_numbers(column):
        raise DataError(f"Column '{name}' cannot be used: {why}.")


def _require_writable(name: str) -> None:
    if why := unwritable(name):
        raise DataError(f"Column '{name}' cannot be used: {why}, or leave it out with columns=.")


def _several(given: Any, what: str) -> list[str]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Iterable):
        raise DataError(f"{what} takes names of columns; got {given!r}.")
    return list(names)


def _numeric(frame: pd.DataFrame, besides: set[str | None]) -> list[str]:
    numbers = [pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]
    return [c for c in frame.columns[numbers] if c not in besides]


def _units(column: pd.Series) -> pd.Index:
    if column.isna().any():
        raise DataError(f"Column '{column.name}' has {int(column.isna().sum())} missing units.")
    return pd.Index(column.astype(str), name="unit")


def _check_panel(dates: pd.DatetimeIndex, units: pd.Index) -> None:
    if len(dates) == 0:
        raise DataError("the data has 0 rows; three periods are the least.")
    names = units.unique()
    first = dates[units == names[0]]
    for name in names:
        own = dates[units == name]
        _check_time(own, f"unit '{name}'")
        if not own.equals(first):
            missing = first.symmetric_difference(own)[0]
            raise DataError(
                f"Unit '{name}' has {len(own)} periods, '{names[0]}' has {len(first)}; the first "
                f"difference is at {missing.date()}. A panel needs every unit in every period: "
                "fill the rows or drop the unit."
            )


def _check_time(index: pd.DatetimeIndex, where: str) -> None:
    if len(index) < 3:
        raise DataError(f"{where} has {len(index)} rows; three periods are the least.")
    if index.has_duplicates:
        twice = index[index.duplicated()][0].date()
        raise DataError(
            f"{where} has the period {twice} twice. One row a period, a day at the finest; for a "
            "panel give unit=."
        )
    days, months = steps(index)
    if (days < 0).any():
        at = int(np.argmax(days < 0)) + 1
        raise DataError(
            f"{where} is out of order: {index[at].date()} follows {index[at - 1].date()}. "
            "Sort it by time."
        )
    monthly = np.median(days) >= 28
    jumps = months if monthly else days
    # Months, quarters and years differ in length, by a week when they are dated by a weekday.
    if np.ptp(days) == 0 or (monthly and np.ptp(jumps) == 0 and np.ptp(days) <= 7):
        return
    step = max(1, int(np.bincount(jumps).argmax()))
    size = f"{step} {'month' if monthly else 'day'}{'s' if step > 1 else ''}"
    odd = np.flatnonzero((jumps % step > 0) | (jumps < step))
    if len(odd) or np.ptp(jumps) == 0:
        at = int(odd[0]) if len(odd) else int(np.argmax(abs(days - np.median(days))))
        raise DataError(
            f"{where} is not regular: the usual step is {size}, but {index[at + 1].date()} follows "
            f"{index[at].date()}. Give daily, weekly or monthly periods."
        )
    offset = pd.DateOffset(months=step) if monthly else pd.DateOffset(days=step)
    missing = [
        index[at] + k * offset for at, jump in enumerate(jumps) for k in range(1, jump // step)
    ]
    some = ", ".join(str(date.date()) for date in missing[:5])
    raise DataError(
        f"{where} has gaps: {len(missing)} periods are missing at a step of {size} "
        f"({some}{', ...' if len(missing) > 5 else ''}). Adstock needs every period: add the rows."
    )
