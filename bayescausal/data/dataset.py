"""`Dataset`: a regular table of periods (and units), with spend and the value of the outcome."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal._display import wrapped
from bayescausal.data.columns import (
    as_names,
    costs_of,
    left_out,
    numeric,
    require,
    require_computable,
    require_number,
    require_once,
    unwritable,
)
from bayescausal.data.periods import frequency
from bayescausal.data.rows import checked, from_rows
from bayescausal.errors import ColumnsLeftOut, DataError, did_you_mean, shortened, shown


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table over regular time: national data ``(time)`` or a panel ``(time, unit)``.

    Scales are stored, not hidden: the model divides each column by `scale` (its largest absolute
    value over time, per unit) and every result comes back in original units.

    Parameters
    ----------
    table : xarray.Dataset
        One variable of numbers a column, all with the dims ``(time)`` or ``(time, unit)``; time
        regular, no gaps.
    spend : mapping or sequence of str
        For each treatment the column that says what it costs, in currency. It may be the
        exposure itself. Kept as a dict.
    value : str or float
        What one unit of the outcome is worth, in currency: a column or a number, not negative.
    history : int
        Number of leading periods that are only input to adstock: no likelihood, no results.
        Columns that nothing carries over (the outcome, its value) may have no values there.
    left_out : dict of str to str
        Columns of the frame that were not kept, and why; for messages, and not saved.
    size : str, optional
        Of a panel, the column that says how large each unit is (its population): what outcomes and
        media are counted per. Without it the mean outcome stands in, to which media add too.

    Raises
    ------
    DataError
        Gaps or disorder in time, other dims, columns that are no numbers, NaN or infinite values,
        negative or all-zero spend or value, a name that is no column or that a file of a fit
        cannot hold.

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
        object.__setattr__(self, "table", checked(self.table))
        object.__setattr__(self, "spend", costs_of(self.spend))
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

        Warns
        -----
        ColumnsLeftOut
            Without ``columns=``, when a column is no numbers or cannot be saved.

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
        costs = costs_of(spend or ())
        keep = numeric(frame, {time, unit}) if columns is None else as_names(columns, "columns")
        extra = [*costs.values(), *(name for name in (value, size) if isinstance(name, str))]
        if columns is None:
            keep = [name for name in keep if not unwritable(str(name))]
        keep = list(dict.fromkeys([*keep, *extra]))
        keys = [time] if unit is None else [time, unit]
        for name in [*keys, *costs, *keep]:
            require_once(name, frame, costs)
        for name in keep:
            require_number(name, frame[name])
        table = from_rows(frame, keep, time, unit)
        omissions = left_out(frame.drop(columns=keys), keep, columns is not None)
        if omissions and columns is None:
            warnings.warn(_omission_warning(omissions), ColumnsLeftOut, stacklevel=2)
        return cls(table, costs, value, history, omissions, size)

    def _check_settings(self) -> None:
        for treatment, name in self.spend.items():
            require(name, self.columns, f"column for the spend of '{treatment}',")
        rows = len(self.time)
        if type(self.history) is not int or not 0 <= self.history < rows:
            raise DataError(
                f"history={shown(self.history)} must leave training rows; there are {rows} rows. "
                "It counts leading periods: 0, 1, 2, ..."
            )
        if isinstance(self.value, str):
            require(self.value, self.columns, "column for the value of the outcome,")
        elif isinstance(self.value, bool) or not (
            isinstance(self.value, Real) and math.isfinite(self.value)
        ):
            raise DataError(f"value is a column or a number in currency; got {shown(self.value)}.")
        else:
            object.__setattr__(self, "value", float(self.value))
            require_computable("value", abs(self.value))
        if self.size is not None:
            require(self.size, self.columns, "column for the size of units,")
            if not self.is_panel or (self.array(self.size) <= 0).any():
                raise DataError(
                    f"size='{self.size}' is of the units of a panel, and positive. Mend it, or "
                    "leave it out: the mean outcome then stands for the size of a market."
                )

    def _check_values(self) -> None:
        complete = {*self.spend.values(), self.size}
        for name, column in self.table.data_vars.items():
            values = column.transpose("time", ...).to_numpy().astype(float)
            flaws = ~np.isfinite(values)
            if name not in complete:
                flaws[: self.history] &= ~np.isnan(values[: self.history])
            if flaws.any():
                day = self.time[int(np.argwhere(flaws)[0, 0])]
                raise DataError(
                    f"Column '{name}' has {int(flaws.sum())} missing or infinite values, the first "
                    f"at {day.date()}. Fill them knowingly, or leave the column out with columns=."
                )
            require_computable(f"Column '{name}'", float(np.nanmax(np.abs(values), initial=0.0)))
        for treatment, name in self.spend.items():
            label, spend = f"The spend of '{treatment}' (column '{name}')", self.array(name)
            if (spend < 0).any():
                raise DataError(
                    f"{label} is negative in {int((spend < 0).sum())} rows. Spend is what was "
                    "paid; book refunds where the exposure ran."
                )
            if not (spend[..., self.history :] > 0).any():
                raise DataError(
                    f"{label} is zero in every row"
                    f"{' after the history' if self.history else ''}: nothing can be learned "
                    "about it. Leave it out."
                )
        self._check_value()

    def _check_value(self) -> None:
        """Raise when the value of the outcome is negative somewhere or zero everywhere."""
        if not isinstance(self.value, str):
            if self.value <= 0:
                problem = "is negative" if self.value else "says that every return would be 0"
                raise DataError(
                    f"value={self.value:g} {problem}. It is what one unit of the outcome brings, "
                    "in currency. For an outcome that costs (churn, returns) give its negative as "
                    "the outcome, with a positive value."
                )
            return
        worth = self.array(self.value)[..., self.history :]
        negative = np.argwhere((worth < 0).reshape(-1, worth.shape[-1]).any(axis=0))
        if len(negative):
            first = self.training[int(negative[0, 0])]
            raise DataError(
                f"value='{self.value}' is negative in {int((worth < 0).sum())} rows, the first "
                f"at {first.date()}. It is what one unit of the outcome brings, in currency: a "
                "price or a margin. Where a unit costs more than it brings, give the mean margin "
                "as a number, or an outcome in currency and no value."
            )
        if not worth.any():
            raise DataError(f"value='{self.value}' is zero in every row, so every return would be.")

    @property
    def time(self) -> pd.DatetimeIndex:
        """The dates of all periods, history included."""
        return pd.DatetimeIndex(self.table.indexes["time"])

    @property
    def training(self) -> pd.DatetimeIndex:
        """The dates of the periods that have a likelihood, after the history."""
        return self.time[self.history :]

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the units; empty for national data."""
        return tuple(map(str, self.table["unit"].values)) if self.is_panel else ()

    @property
    def is_panel(self) -> bool:
        """Whether the data are a panel, with a dim ``unit``."""
        return "unit" in self.table.dims

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims in the order that the model uses: time is last."""
        return ("unit", "time") if self.is_panel else ("time",)

    @property
    def cells(self) -> int:
        """The number of values of a column: periods times units."""
        return len(self.time) * max(1, len(self.units))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, sorted."""
        return tuple(sorted(map(str, self.table.data_vars)))

    def array(self, name: str) -> np.ndarray:
        """Read a column in original units, dims ``(time,)`` or ``(unit, time)``; not writable.

        Where it has no values in the history, which nothing then reads, its mean stands.
        """
        require(name, self.columns, "column")
        table = self.table[name].transpose(*self.dims)
        values = np.ascontiguousarray(table, dtype=float).view()  # sums round alike after loading
        if np.isnan(values[..., : self.history]).any():
            mean = values[..., self.history :].mean(axis=-1, keepdims=True)
            values = np.where(np.isnan(values), mean, values)
        values.flags.writeable = False
        return values

    def holes(self, name: str) -> pd.DatetimeIndex:
        """Return the periods of the history in which a column has no value in some unit."""
        table = self.table[name].transpose("time", ...).to_numpy().astype(float)
        is_empty = np.isnan(table).reshape(len(table), -1).any(axis=1)
        return self.time[is_empty]

    def scale(self, name: str) -> np.ndarray:
        """Return the largest absolute value in training, shape ``(1,)`` or ``(unit, 1)``.

        A unit in which the column is always zero takes the largest scale of the others.
        """
        top = np.abs(self.array(name)[..., self.history :]).max(axis=-1, keepdims=True)
        return np.where(top > 0, top, top.max())

    def spend_of(self, treatment: str) -> np.ndarray:
        """Read the spend of a treatment, with dims as in `array`."""
        if treatment not in self.spend:
            raise DataError(
                f"No spend is given for '{treatment}'; there is spend for "
                f"{', '.join(self.spend) or 'nothing'}. Add spend={{'{treatment}': column}}."
                f"{did_you_mean(treatment, self.spend)}"
            )
        return self.array(self.spend[treatment])

    def value_of_outcome(self) -> np.ndarray:
        """Return the currency per unit of the outcome, broadcastable to `array`."""
        return self.array(self.value) if isinstance(self.value, str) else np.array(self.value)

    @property
    def frequency(self) -> str:
        """The step: ``daily``, ``weekly``, ``monthly``, ``quarterly``, ``yearly`` or in days."""
        return frequency(self.time)

    @property
    def hash(self) -> str:
        """The SHA-256 of names and values: fits with equal hashes saw the same data."""
        digest = hashlib.sha256(json.dumps(self.settings(), sort_keys=True).encode())
        digest.update(self.time.to_numpy().astype("datetime64[ns]").tobytes())
        digest.update("\0".join(self.units).encode())
        for name in self.columns:
            digest.update(name.encode() + self.array(name).tobytes())
        return digest.hexdigest()

    def settings(self) -> dict[str, Any]:
        """Return everything but the table as a plain dict."""
        settings = {"spend": self.spend, "value": self.value, "history": self.history}
        return settings | ({} if self.size is None else {"size": self.size})

    def __repr__(self) -> str:
        units = f" x {len(self.units)} units" if self.is_panel else ""
        text = (
            f"Dataset({len(self.time)} {self.frequency} periods{units} "
            f"{self.time[0].date()}..{self.time[-1].date()}; columns {', '.join(self.columns)}"
        )
        text += f"; spend of {', '.join(self.spend)}" if self.spend else ""
        return wrapped(text + (f"; {self.history} periods of history)" if self.history else ")"))

    def _repr_html_(self) -> str:
        paths = {name: self.array(name) for name in self.columns}
        rows = {name: (x.mean(), x.min(), x.max()) for name, x in paths.items()}
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "min", "max"])
        return f"<p>{escape(repr(self))}</p>{table.round(3).to_html(border=0, na_rep='')}"


def _omission_warning(omissions: Mapping[str, str]) -> str:
    """Return the warning that names the columns left out, the first three with a reason."""
    first = [
        f"{shown(name)} ({shortened(reason, 200)})" for name, reason in list(omissions.items())[:3]
    ]
    remainder = f" and {len(omissions) - 3} more" if len(omissions) > 3 else ""
    return (
        f"Left out of the data: {'; '.join(first)}{remainder}. Name the columns that you want in "
        "columns=, and nothing is said."
    )
