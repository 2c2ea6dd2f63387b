"""`Future`: periods after the data, with what is planned, expected or assumed in them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal import checks
from bayescausal._display import wrapped
from bayescausal.data.columns import (
    costs_of,
    numeric,
    require,
    require_number,
    require_once,
)
from bayescausal.data.dataset import Dataset
from bayescausal.data.dates import Window
from bayescausal.data.input_model import simulate_input
from bayescausal.data.periods import days_a_period, months
from bayescausal.data.rows import checked, from_rows
from bayescausal.errors import ColumnsLeftOut, DataError, SpecError, shown

FILLS = ("year", "last", "model")


@dataclass(frozen=True, eq=False)
class Future:
    """Periods after the data: spend as planned, controls and prices as expected.

    A scenario, not a forecast: what it does not hold (the outcome, mediators that react) is
    simulated by `forecast`. Dated events need no column: their terms know the calendar.

    Parameters
    ----------
    table : xarray.Dataset
        One variable a column, dims ``(time)`` or ``(time, unit)`` as in the data. A column that is
        itself uncertain has a dim ``sample`` in front: as many paths of it as there are.
    spend : mapping of str to str
        For each treatment the column of its cost, as in `Dataset`.

    Raises
    ------
    DataError
        Other dims, values that are missing or infinite, spend that is negative.

    See Also
    --------
    Future.like : repeat the last year, hold the last value, or simulate a column.
    Future.from_frame : every column as you give it.

    Examples
    --------
    >>> import bayescausal as bc
    >>> frame = pd.DataFrame({
    ...     "week": pd.date_range("2024-01-01", periods=6, freq="7D"),
    ...     "tv": [0, 3.0, 1, 2, 0, 4], "sales": [9.0, 12, 11, 10, 9, 14]})
    >>> data = bc.Dataset.from_frame(frame, time="week", spend=["tv"])
    >>> future = bc.Future.like(data, 4, fill="last").assign(tv=2.5)
    >>> future
    Future(4 periods from 2024-02-12; columns sales, tv)
    """

    table: xr.Dataset
    spend: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.table, xr.Dataset):
            raise DataError(
                f"table must be an xarray.Dataset; got {type(self.table).__name__}. "
                "For a table of rows use Future.from_frame(frame, time=...)."
            )
        if "sample" in self.table.dims:
            checked(self.table.isel(sample=0, drop=True), least=1)
        else:
            object.__setattr__(self, "table", checked(self.table, least=1))
        object.__setattr__(self, "spend", costs_of(self.spend))
        for name in map(str, self.table.data_vars):
            values = self.table[name].to_numpy().astype(float)
            if not np.isfinite(values).all():
                raise DataError(
                    f"Column '{name}' of the future has "
                    f"{int((~np.isfinite(values)).sum())} missing or infinite values. Every "
                    "period needs one: fill them knowingly, or leave the column out."
                )
            if name in self.spend.values() and (values < 0).any():
                raise DataError(f"The spend in column '{name}' of the future is negative.")

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        time: str,
        unit: str | None = None,
        spend: Mapping[str, str] | None = None,
    ) -> Future:
        """Read a tidy frame, as `Dataset.from_frame` does: one row a period (and unit).

        Parameters
        ----------
        frame : pandas.DataFrame
            Columns that are no numbers are left out, with a warning.
        time, unit : str
        spend : mapping of str to str, optional
            Which column is the cost of which treatment; needed by `assign` alone.

        Raises
        ------
        DataError
            As `Dataset.from_frame`.
        """
        if not isinstance(frame, pd.DataFrame):
            raise DataError(f"frame must be a pandas DataFrame; got {type(frame).__name__}.")
        for name in (time, *([unit] if unit else []), *frame.columns):
            require_once(name, frame, {})
        names = numeric(frame, {time, unit})
        if odd := [str(c) for c in frame.columns if c not in {*names, time, unit}]:
            warnings.warn(
                f"Left out of the future, as they are no numbers: {', '.join(odd)}.",
                ColumnsLeftOut,
                stacklevel=2,
            )
        for name in names:
            require_number(name, frame[name])
        return cls(from_rows(frame, names, time, unit, least=1), dict(spend or {}))

    @classmethod
    def like(
        cls,
        data: Dataset,
        periods: int,
        *,
        fill: str | Mapping[str, str] | None = None,
        samples: int = 500,
        seed: int = 0,
    ) -> Future:
        """Continue the columns of the data.

        Parameters
        ----------
        data : Dataset
        periods : int
            How many, from the first one after the data.
        fill : {"year", "last", "model"}, or mapping of column to one of these, optional
            ``"year"`` repeats the value of the same period a year before, ``"last"`` the last one.
            ``"model"`` simulates a column by a model of its own, so that the forecast carries
            its uncertainty; for controls, since spend is a plan. By default, and in columns that a
            mapping does not name, the year before, or the last value if the data are shorter.
        samples : int
            Paths of columns that are simulated.
        seed : int
            Of these paths.

        Raises
        ------
        DataError
            Less than a year of data to repeat.
        SpecError
            An unknown fill or column; spend that is to be simulated.

        Notes
        -----
        The model of a column: a mean, a yearly wave where the data have two years, and errors with
        memory, by least squares; see `simulate_input`.
        """
        if not isinstance(data, Dataset):
            raise SpecError(
                f"Future.like continues a Dataset; got {shown(data)}. Of a fit it is fit.data."
            )
        periods = checks.count("Future.like: periods", periods, 1)
        checks.affordable("periods", periods, 8 * len(data.columns) * max(1, len(data.units)))
        year = year_of(data)
        enough = len(data.training) >= year
        fills = dict.fromkeys(data.columns, "year" if enough else "last")
        if isinstance(fill, Mapping):
            for name in fill:
                require(name, data.columns, "column")
            fills |= dict(fill)
        elif fill is not None:
            fills = dict.fromkeys(data.columns, fill)
        rng = np.random.default_rng(checks.seed("Future.like: seed", seed))
        count = checks.count("Future.like: samples", samples, 1)
        checks.affordable("samples", count, 8 * periods * max(1, len(data.units)) * len(fills))
        columns = {
            name: (_column(data, name, kind, periods, year, (count, rng)))
            for name, kind in fills.items()
        }
        coords: dict[str, Any] = {"time": following(data.time, periods)}
        if data.is_panel:
            coords["unit"] = list(data.units)
        return cls(xr.Dataset(columns, coords), dict(data.spend))

    def assign(self, **columns: Any) -> Future:
        """Return a future in which columns are set.

        The cost of a treatment follows its exposure at the price of each period, and the exposure
        its cost, unless both are set.

        Parameters
        ----------
        **columns : number, array or function
            As in an `Estimand`: ``assign(tv=0)``, ``assign(tv=Times(1.2))``, an array of dims
            ``(time,)`` or ``(unit, time)``.

        Raises
        ------
        DataError
            A column that is not in the future, a path of another shape, no finite numbers.
        """
        table = self.table
        for name, value in columns.items():
            require(name, self.columns, "column in the future")
            path = self.array(name)
            values = np.asarray(value(path.copy()) if callable(value) else value)
            if not np.issubdtype(values.dtype, np.number):
                raise DataError(f"assign({name}=...) takes numbers; got {shown(value)}.")
            if values.shape not in ((), path.shape, path.shape[-1:]):
                raise DataError(
                    f"assign({name}=...) has the shape {values.shape}; the future has "
                    f"{path.shape}. Give a number, a function, or one value for each period."
                )
            table = table.assign(
                {name: (self._dims(name), np.broadcast_to(values, path.shape).copy())}
            )
            for partner in self._partners(name) - {*columns}:
                table = table.assign(
                    {partner: (self._dims(partner), self._priced(name, values, partner))}
                )
        return replace(self, table=table)

    def _partners(self, name: str) -> set[str]:
        """The cost of an exposure, or the exposure of a cost, in another column."""
        pairs = [(t, c) for t, c in self.spend.items() if t != c and {t, c} <= {*self.columns}]
        return {c for t, c in pairs if t == name} | {t for t, c in pairs if c == name}

    def _priced(self, name: str, values: np.ndarray, partner: str) -> np.ndarray:
        path, partner_path = self.array(name), self.array(partner)
        if not path.any():
            raise DataError(
                f"'{name}' is zero in the whole future, so the price between it and '{partner}' "
                "is not known. Assign both."
            )
        rate = np.divide(
            partner_path,
            path,
            out=np.full(path.shape, partner_path.sum() / path.sum()),
            where=path > 0,
        )
        return rate * values

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, sorted."""
        return tuple(sorted(map(str, self.table.data_vars)))

    @property
    def time(self) -> pd.DatetimeIndex:
        """The dates of the periods."""
        return pd.DatetimeIndex(self.table.indexes["time"])

    @property
    def window(self) -> Window:
        """The first and the last date, for ``Estimand.during(*future.window)``."""
        return self.time[0], self.time[-1]

    @property
    def samples(self) -> int:
        """How many paths an uncertain column has; 1 where all columns are known."""
        return self.table.sizes.get("sample", 1)

    def _dims(self, name: str) -> tuple[str, ...]:
        dims = self.table[name].dims
        return tuple(d for d in ("sample", "unit", "time") if d in dims)

    def array(self, name: str) -> np.ndarray:
        """Read a column, dims ``(time,)`` or ``(unit, time)``, with ``sample`` in front if any."""
        return self.table[name].transpose(*self._dims(name)).to_numpy().astype(float)

    def followed_by(self, data: Dataset, periods: int) -> Future:
        """Return a longer future, in whose further periods every column is at its mean."""
        if not periods:
            return self
        index = following(data.time.append(self.time), periods)
        means = self.table.mean("time").expand_dims(time=index)
        return replace(self, table=xr.concat([self.table, means], "time"))

    def __repr__(self) -> str:
        units = f" x {self.table.sizes['unit']} units" if "unit" in self.table.dims else ""
        samples = f", {self.samples} samples" if self.samples > 1 else ""
        text = (
            f"Future({len(self.time)} periods{units} from {self.time[0].date()}{samples}; columns "
        )
        return wrapped(text + f"{', '.join(self.columns)})")

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>"


def year_of(data: Dataset) -> int:
    """Return the number of periods in a year; of days 364, so that weekdays meet weekdays."""
    if count := months(data.time):
        return max(1, round(12 / count))
    days = days_a_period(data.time)
    return max(1, round((364 if days <= 7 else 365.25) / days))


def following(time: pd.DatetimeIndex, periods: int) -> pd.DatetimeIndex:
    """Return the dates of the periods after some, dated as these are.

    Examples
    --------
    >>> ends = pd.date_range("2024-10-31", periods=3, freq="ME")
    >>> following(ends, 2).strftime("%Y-%m-%d").tolist()
    ['2025-01-31', '2025-02-28']
    """
    count = np.arange(1, periods + 1)
    if jump := months(time):
        if time.is_month_end.all():
            return pd.DatetimeIndex([time[-1] + pd.offsets.MonthEnd(jump * k) for k in count])
        # by the day of the longest run, so that a date such as the 30th comes back after February
        day = int(time.day.max())
        first = [time[-1].replace(day=1) + pd.DateOffset(months=jump * int(k)) for k in count]
        return pd.DatetimeIndex(
            [m + pd.Timedelta(days=min(day, m.days_in_month) - 1) for m in first]
        )
    step = (time[-1] - time[0]) / (len(time) - 1)
    return pd.DatetimeIndex([time[-1] + step * int(k) for k in count])


def _column(
    data: Dataset,
    name: str,
    fill: Any,
    periods: int,
    year: int,
    draws: tuple[int, np.random.Generator],
) -> tuple[tuple[str, ...], np.ndarray]:
    path = data.array(name)[..., data.history :]
    checks.choice(f"fill of '{name}'", fill, FILLS)
    if fill == "last":
        return data.dims, np.repeat(path[..., -1:], periods, axis=-1)
    if fill == "year":
        if path.shape[-1] < year:
            raise DataError(
                f"There are {path.shape[-1]} periods of data, less than the year of {year} that "
                "fill='year' repeats. Write fill='last', or give your own: Future.from_frame."
            )
        return data.dims, path[..., -year:][..., np.arange(periods) % year]
    if name in {*data.spend, *data.spend.values(), data.size, data.value}:
        raise SpecError(
            f"'{name}' is spend, a value or a size, which is planned and not simulated. Give it "
            "another fill, or assign it."
        )
    paths = simulate_input(data.time[data.history :], path, following(data.time, periods), *draws)
    return ("sample", *data.dims), paths
