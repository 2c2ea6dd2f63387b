"""`Dataset`: a regular table of periods (and units), with what it costs and what it is worth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal.errors import DataError, did_you_mean


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

    See Also
    --------
    Dataset.from_frame : the usual way in.
    """

    table: xr.Dataset
    spend: dict[str, str] = field(default_factory=dict)
    value: str | float = 1.0
    history: int = 0

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        time: str,
        unit: str | None = None,
        spend: Mapping[str, str] | Sequence[str] | None = None,
        value: str | float = 1.0,
        history: int = 0,
        columns: Sequence[str] | None = None,
    ) -> Dataset:
        """Read a tidy frame: one row a period (and unit), one column a node.

        Parameters
        ----------
        frame : pandas.DataFrame
            Not changed.
        time, unit : str
            Columns of dates (the start of each period) and of unit names.
        spend : mapping or sequence of str, optional
            ``{treatment: column of its cost}``, or treatments whose exposure is their cost.
        value : str or float
            Currency per unit of the outcome: a column or a number.
        history : int
            Leading periods used only as adstock input.
        columns : sequence of str, optional
            Columns to keep; by default all numeric ones.

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
        for name in (time, *([unit] if unit else [])):
            _require(name, frame.columns, "column")
        costs = dict(spend) if isinstance(spend, Mapping) else {s: s for s in spend or ()}
        keep = list(columns) if columns is not None else _numeric(frame, {time, unit})
        extra = [*costs.values(), *([value] if isinstance(value, str) else [])]
        for name in dict.fromkeys([*keep, *extra]):
            _require(name, frame.columns, "column")
            if not pd.api.types.is_numeric_dtype(frame[name]):
                raise DataError(f"Column '{name}' holds {frame[name].dtype}, not numbers.")
        keep = list(dict.fromkeys([*keep, *extra]))
        dates = pd.to_datetime(frame[time])
        if dates.isna().any():
            raise DataError(f"Column '{time}' has {int(dates.isna().sum())} missing dates.")
        if dates.dt.tz is not None:
            raise DataError(f"Column '{time}' has a time zone; give dates without one.")
        rows = frame[keep].astype(float).assign(time=dates.to_numpy())
        if unit is None:
            _check_time(dates, "the data")
            table = xr.Dataset.from_dataframe(rows.set_index("time"))
        else:
            table = _panel(rows.assign(unit=frame[unit].astype(str).to_numpy()))
        out = cls(table, costs, value if isinstance(value, str) else float(value), history)
        out._check()
        return out

    def _check(self) -> None:
        for name, column in self.table.data_vars.items():
            bad = ~np.isfinite(column)
            if bad.any():
                when = pd.Timestamp(bad.time.values[bad.values.reshape(len(bad), -1).any(1)][0])
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
            if not (column > 0).any():
                raise DataError(
                    f"The spend of '{treatment}' (column '{name}') is zero in every row: nothing "
                    "can be learned about it. Leave it out."
                )
        if not 0 <= self.history < len(self.time):
            raise DataError(
                f"history={self.history} must leave training rows; there are {len(self.time)} rows."
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
        """A column in original units, dims ``(time,)`` or ``(unit, time)``."""
        _require(name, self.columns, "column")
        return self.table[name].transpose(*self.dims).to_numpy()

    def scale(self, name: str) -> np.ndarray:
        """Largest absolute value over the training periods, shape ``(1,)`` or ``(unit, 1)``.

        A unit in which the column is always zero takes the largest scale of the others.
        """
        top = np.abs(self.array(name)[..., self.history :]).max(axis=-1, keepdims=True)
        return np.where(top > 0, top, top.max())

    def spend_of(self, treatment: str) -> np.ndarray:
        """What a treatment cost, dims as in `array`."""
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
        """``daily``, ``weekly``, ``monthly`` or the step in days."""
        days = np.diff(self.time).astype("timedelta64[h]").astype(float) / 24
        if len(days) == 0:
            return "single"
        if np.ptp(days) > 0:
            return "monthly"
        return {1: "daily", 7: "weekly"}.get(days[0], f"{days[0]:g}-daily")

    @property
    def hash(self) -> str:
        """SHA-256 of names and values: two fits of one hash saw the same data."""
        digest = hashlib.sha256(json.dumps(self.settings(), sort_keys=True).encode())
        digest.update(self.time.to_numpy().astype("datetime64[ns]").tobytes())
        digest.update("\0".join(self.units).encode())
        for name in self.columns:
            digest.update(name.encode() + np.ascontiguousarray(self.array(name)).tobytes())
        return digest.hexdigest()

    def settings(self) -> dict[str, Any]:
        """Everything but the table, as a plain dict."""
        return {"spend": self.spend, "value": self.value, "history": self.history}

    def __repr__(self) -> str:
        units = f" x {len(self.units)} units" if self.is_panel else ""
        text = (
            f"Dataset({len(self.time)} {self.frequency} periods{units} "
            f"{self.time[0].date()}..{self.time[-1].date()}; columns {', '.join(self.columns)}"
        )
        text += f"; spend of {', '.join(self.spend)}" if self.spend else ""
        return text + (f"; {self.history} periods of history)" if self.history else ")")


def _require(name: str, there: Any, what: str) -> None:
    if name not in there:
        names = sorted(map(str, there))
        raise DataError(
            f"There is no {what} '{name}'. There are: {', '.join(names)}.{did_you_mean(name, names)}"
        )


def _numeric(frame: pd.DataFrame, besides: set[str | None]) -> list[str]:
    return [
        str(c)
        for c in frame.columns
        if c not in besides and pd.api.types.is_numeric_dtype(frame[c])
    ]


def _panel(rows: pd.DataFrame) -> xr.Dataset:
    names = list(dict.fromkeys(rows["unit"]))
    first: pd.Series | None = None
    for name in names:
        dates = rows.loc[rows["unit"] == name, "time"].reset_index(drop=True)
        _check_time(dates, f"unit '{name}'")
        first = dates if first is None else first
        if not dates.equals(first):
            missing = sorted(set(first) ^ set(dates))[0]
            raise DataError(
                f"Unit '{name}' has {len(dates)} periods, '{names[0]}' has {len(first)}; the first "
                f"difference is at {missing.date()}. A panel needs every unit in every period: "
                "fill the rows or drop the unit."
            )
    return xr.Dataset.from_dataframe(rows.set_index(["time", "unit"])).sel(unit=names)


def _check_time(dates: pd.Series, where: str) -> None:
    index = pd.DatetimeIndex(dates)
    if len(index) < 3:
        raise DataError(f"{where} has {len(index)} rows; three periods are the least.")
    if index.has_duplicates:
        twice = index[index.duplicated()][0].date()
        raise DataError(
            f"{where} has the period {twice} twice. One row a period; for a panel give unit=."
        )
    if not index.is_monotonic_increasing:
        at = int(np.argmax(np.diff(index).astype(float) < 0)) + 1
        raise DataError(
            f"{where} is out of order: {index[at].date()} follows {index[at - 1].date()}. "
            "Sort it by time."
        )
    if pd.infer_freq(index) is not None:
        return
    steps = pd.Series(np.diff(index)).mode()
    step = pd.Timedelta(steps.iloc[0])
    if step >= pd.Timedelta(days=27):
        missing = pd.date_range(index[0], index[-1], freq="MS").difference(index)
    else:
        missing = pd.date_range(index[0], index[-1], freq=step).difference(index)
    some = ", ".join(str(d.date()) for d in missing[:5])
    raise DataError(
        f"{where} has gaps: {len(missing)} periods are missing at a step of {step.days} days "
        f"({some}{', ...' if len(missing) > 5 else ''}). Adstock needs every period: add the rows."
        if len(missing)
        else f"{where} is not regular: give daily, weekly or monthly periods."
    )
