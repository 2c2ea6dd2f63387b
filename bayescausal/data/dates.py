"""Readers of dates, which never guess: text starts with the year, as in ISO 8601.

They serve windows, events, changepoints, tables of tests and columns of time. A value that
is refused is quoted, with advice that was tried on it.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from itertools import islice
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from bayescausal.errors import DataError, SpecError, shown

Window = tuple[pd.Timestamp, pd.Timestamp]

_DAY = re.compile(r"(\d{4})(?:([-/.])(\d{1,2})\2(\d{1,2})|(\d\d)(\d\d))(?:[T ](.+))?")
_MONTH = re.compile(r"(\d{4})(?:-(\d\d))?")
_WEEK = re.compile(r"(\d{4})-?W(\d\d)")
_QUARTER = re.compile(r"(\d{4})[- ]?Q([1-4])|Q([1-4])[- ]?(\d{4})")

FORMATS = (
    *(f"%d{s}%m{s}%Y" for s in "/.-"),
    *(f"%m{s}%d{s}%Y" for s in "/.-"),
    *(f"%d{s}%m{s}%y" for s in "/.-"),
    *(f"%m{s}%d{s}%y" for s in "/.-"),
    *("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M", "%y-%m-%d"),
    *("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%d. %B %Y"),
    *("%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%m/%Y", "%m-%Y", "%Y%m"),
)
"""How text that is not ISO may be meant; for advice, never to read it."""

ZONES = (
    *("UTC", "Europe/London", "Europe/Berlin", "Europe/Athens", "Asia/Kolkata", "Asia/Shanghai"),
    *("Asia/Tokyo", "Australia/Sydney", "America/New_York", "America/Chicago", "America/Denver"),
    *("America/Los_Angeles", "America/Sao_Paulo"),
)
"""Zones of which the advice on times of day names the first that makes them midnights."""


class Unreadable(ValueError):
    """A value names no days; the message says why, and what to write."""


def read_window(value: Any) -> Window:
    """Return the first and the last day of a window; a month or a year counts with all its days.

    Examples
    --------
    >>> [str(day.date()) for day in read_window(("2025-02", "2025-02"))]
    ['2025-02-01', '2025-02-28']
    """
    ends = None if isinstance(value, str) or not isinstance(value, Iterable) else value
    ends = None if ends is None else list(islice(ends, 3))
    if ends is None or len(ends) != 2:
        raise SpecError(f"window is two dates, (start, end), both included; got {shown(value)}.")
    start = _days(ends[0], "The start of the window")[0]
    end = _days(ends[1], "The end of the window")[1]
    if end < start:
        raise SpecError(f"The window ends ({end.date()}) before it starts ({start.date()}).")
    return start, end


def read_days(values: Any, label: str) -> tuple[pd.Timestamp, ...]:
    """Return one day or several, sorted and without duplicates.

    Examples
    --------
    >>> [str(day.date()) for day in read_days(["2025-11-28", "2024-11-29"], "Event")]
    ['2024-11-29', '2025-11-28']
    """
    single = not isinstance(values, Iterable) or isinstance(values, str)
    stamps = set()
    for value in [values] if single else values:
        first, last = _days(value, label)
        if first != last:
            raise SpecError(
                f"{label}: {shown(value)} has {(last - first).days + 1} days. Write the day that "
                f"is meant, such as '{first.date()}'."
            )
        stamps.add(first)
    return tuple(sorted(stamps))


def _days(value: Any, label: str) -> Window:
    try:
        return days_named(value)
    except Unreadable as error:
        raise SpecError(f"{label}: {error}") from None


def days_named(value: Any) -> Window:
    """Return the first and the last day of a value: a day, month, year or pandas period.

    Raises
    ------
    Unreadable
        A value with a time of day or a zone, a number, text that does not start with the year.
    """
    first, last = _moments(value)
    if first.tz is not None:
        raise Unreadable(
            f"{shown(value)} has a time zone. Write the day alone, as it is where the data are "
            f"from: '{first.date()}'?"
        )
    if first != first.normalize():
        raise Unreadable(
            f"{shown(value)} has a time of day. Write the day alone, '{first.date()}'; if the time "
            "is in UTC, the day as it is where the data are from."
        )
    return first, last.normalize()


def _moments(value: Any) -> Window:
    """Return the first and the last moment of a value, with its time of day and zone, if any."""
    if isinstance(value, str):
        return _read_text(value.strip())
    if value is None or (np.ndim(value) == 0 and pd.isna(value)):
        raise Unreadable(f"a date is missing ({value}). Write a day, year first: '2025-03-31'.")
    if isinstance(value, np.datetime64) and np.datetime_data(value)[0] in (
        "Y",
        "M",
    ):  # all its days, as a period
        value = pd.Period(str(value))
    if isinstance(value, pd.Period):
        return value.start_time, value.end_time
    if isinstance(value, date | np.datetime64):
        stamp = pd.Timestamp(value)
        _check_year(stamp.year, value)
        return stamp, stamp
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_):
        raise Unreadable(f"{shown(value)} is a number, not a date. {_number_advice(value)}")
    raise Unreadable(f"{shown(value)} is no date. Write a day, year first: '2025-03-31'.")


def _read_text(text: str) -> Window:
    if parts := _DAY.fullmatch(text):
        year, month, day = int(parts[1]), int(parts[3] or parts[5]), int(parts[4] or parts[6])
        _check_exists(text, year, month, day)
        if not parts[7]:
            stamp = pd.Timestamp(year, month, day)
            return stamp, stamp
        with suppress(ValueError):
            stamp = pd.Timestamp(f"{year}-{month:02}-{day:02}T{parts[7].replace(' ', '')}")
            return stamp, stamp
    elif parts := _MONTH.fullmatch(text):
        year, month = int(parts[1]), int(parts[2] or 1)
        _check_exists(text, year, month)
        period = pd.Period(year=year, month=month, freq="M" if parts[2] else "Y")
        return period.start_time, period.end_time
    raise Unreadable(_text_problem(text))


def _check_year(year: int, value: Any) -> None:
    if not 1678 <= year <= 2261:
        raise Unreadable(f"{shown(value)} lies outside the years 1678 to 2261, which are read.")


def _check_exists(text: str, year: int, month: int, day: int = 1) -> None:
    _check_year(year, text)
    if not 1 <= month <= 12:
        raise Unreadable(f"{shown(text)} does not exist: a year has no month {month}.")
    if not 1 <= day <= (count := monthrange(year, month)[1]):
        raise Unreadable(f"{shown(text)} does not exist: {year}-{month:02} has {count} days.")


def _text_problem(text: str) -> str:
    """Say what is wrong with text that is no ISO date, and which dates it may stand for."""
    days: Window | None = None
    if parts := _WEEK.fullmatch(text):
        with suppress(ValueError):
            first = date.fromisocalendar(int(parts[1]), int(parts[2]), 1)
            days = pd.Timestamp(first), pd.Timestamp(first) + pd.Timedelta(days=6)
    elif parts := _QUARTER.fullmatch(text):
        quarter = pd.Period(f"{parts[1] or parts[4]}Q{parts[2] or parts[3]}")
        days = quarter.start_time, quarter.end_time
    if days:
        return f"{shown(text)} is no day. Write its days: '{days[0].date()}', '{days[1].date()}'."
    ways = list(dict.fromkeys(filter(None, (_iso(text, form) for form in FORMATS))))
    if not ways:
        return f"{shown(text)} is no date. Write a day, year first: '2025-03-31'."
    ambiguity = " It can be read in more than one way." if len(ways) > 1 else ""
    suggestions = " or ".join(f"'{way}'" for way in ways)
    return (
        f"{shown(text)} does not start with the year, as ISO dates do.{ambiguity} "
        f"Write {suggestions}."
    )


def _iso(text: str, form: str) -> str | None:
    """Return text as an ISO day, or a month if it has no day; None if the format does not fit."""
    try:
        moment = datetime.strptime(text, form)
    except ValueError:
        return None
    if not 1678 <= moment.year <= 2261:
        return None
    return f"{moment:%Y-%m-%d}" if "%d" in form else f"{moment:%Y-%m}"


def _number_advice(value: Any) -> str:
    """Say which date a number may stand for, and how to write it."""
    number = float(value) if abs(value) < 1e9 else 0.5  # too large for any date: no suggestion
    if not number.is_integer():
        return "Write a day, year first: '2025-03-31'."
    if way := _iso(str(int(number)), "%Y%m%d") if 1e7 < number < 1e8 else None:
        return f"Write it as text: '{way}'."
    if 20000 < number < 80000:
        day = pd.Timestamp("1899-12-30") + pd.Timedelta(days=number)
        return f"Write it as text; as a day number of a spreadsheet it is '{day.date()}'."
    if 1678 <= number <= 2261:
        return f"For the whole year write it in quotes, '{number:.0f}'."
    return "Write a day, year first, as text: '2025-03-31'."


# -- a column of time ------------------------------------------------------------------------------


def read_column(column: pd.Series) -> pd.DatetimeIndex:
    """Return the day that dates each row: the first day where it names a longer period.

    Raises
    ------
    DataError
        Numbers, missing or unreadable dates (the first of them is quoted), times of day, zones.
    """
    name, source = column.name, f"frame['{column.name}']"
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_numeric_dtype(column):
        raise DataError(
            f"Column '{name}' holds {column.dtype}, not dates. {_convert_numbers(column, source)}"
        )
    if column.isna().any():
        raise DataError(f"Column '{name}' has {int(column.isna().sum())} missing dates.")
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if not pd.api.types.is_datetime64_any_dtype(column):
        column = _read_objects(column, source)
    stamps = pd.DatetimeIndex(column, name="time")
    if stamps.tz is not None or not stamps.equals(stamps.normalize()):
        raise DataError(f"Column '{name}' has {_convert_moments(column, stamps, source)}")
    return stamps


def _read_objects(column: pd.Series, source: str) -> pd.Series:
    """Read each distinct value once; if any has a zone, the whole column is returned in UTC."""
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # lists and the like
        raise DataError(
            f"Column '{column.name}' cannot be read as dates; it holds {shown(column.iloc[0])}. "
            "Write a day a row, year first: '2025-03-31'."
        ) from None
    moments = []
    for code, value in enumerate(values):
        try:
            moments.append(_moments(value)[0])
        except Unreadable as error:
            row = column.index[int(np.argmax(codes == code))]
            raise DataError(
                f"Column '{column.name}' cannot be read as dates. Row {shown(row)}: {error} "
                f"{_convert_text(list(values), source)}"
            ) from None
    aware = any(moment.tz is not None for moment in moments)
    index = pd.DatetimeIndex(pd.to_datetime(moments, utc=True if aware else None))
    return pd.Series(index[codes], index=column.index, name=column.name)


def _convert_text(values: list[Any], source: str) -> str:
    """Say how to convert a column of text that is not ISO, by the formats that fit every value."""
    if all(isinstance(value, str) and _WEEK.fullmatch(value) for value in values):
        return f"For the column: {source} = pd.to_datetime({source} + '-1', format='%G-W%V-%u')."
    if all(isinstance(value, str) and _QUARTER.fullmatch(value) for value in values):
        return f"For the column: {source} = pd.PeriodIndex({source}, freq='Q').to_timestamp()."
    texts = [value.strip() if isinstance(value, str) else "" for value in values]
    fitting = [form for form in FORMATS if all(_iso(text, form) for text in texts)]
    if not fitting:
        return "Mend that cell: a column of text holds ISO dates, 2025-03-31, and nothing else."
    alternative = f", or {fitting[1]!r}: say which" if len(fitting) > 1 else ""
    return (
        f"For the column: {source} = pd.to_datetime({source}, format={fitting[0]!r}){alternative}."
    )


def _convert_numbers(column: pd.Series, source: str) -> str:
    """Say how to convert a column of numbers to dates, judging by their size."""
    values = column.dropna().astype(float)
    low, high = (values.min(), values.max()) if len(values) else (0.0, 0.0)
    text = f"{source}.astype(int).astype(str)"
    advice = ""
    if pd.api.types.is_bool_dtype(column) or not len(values) or (values % 1 != 0).any():
        pass
    elif all(_iso(f"{value:.0f}", "%Y%m%d") for value in values) and low > 1e7:
        advice = f"pd.to_datetime({text}, format='%Y%m%d')"
    elif low > 1e9 and high < 1e10:
        advice = f"pd.to_datetime({source}, unit='s')"
    elif low > 1e12 and high < 1e13:
        advice = f"pd.to_datetime({source}, unit='ms')"
    elif low >= 167801 and high <= 226153 and (values % 100).between(1, 53).all():
        weeks = f"pd.to_datetime({text} + '1', format='%G%V%u')"
        months = f"pd.to_datetime({text}, format='%Y%m') for months, or {weeks} for weeks"
        advice = weeks if (values % 100).max() > 12 else months
    elif low > 20000 and high < 80000:
        advice = f"pd.to_datetime({source}, unit='D', origin='1899-12-30')"
    elif low >= 1678 and high <= 2261:
        advice = f"pd.to_datetime({text}, format='%Y')"
    elif low >= 0 and high <= 53:
        return (
            "Numbers of weeks need their year; with a column of ISO years: "
            f"{source} = pd.to_datetime(frame['year'].astype(str) + {text}.str.zfill(2) + '1', "
            "format='%G%V%u')."
        )
    if not advice:
        some = f"; got {shown(column.tolist()[0])}" if len(column) else ""
        return f"Write dates as text, year first: '2025-03-31'{some}."
    return f"Say how to read the numbers: {source} = {advice}."


def _convert_moments(column: pd.Series, stamps: pd.DatetimeIndex, source: str) -> str:
    """Say what is wrong with times of day and zones, and how to turn them into days."""
    cut = stamps != stamps.normalize()
    place = int(np.argmax(cut))
    quoted = f"{stamps[place]} in row {shown(column.index[place])}"
    gaps = np.diff(stamps.unique().sort_values().to_numpy())
    if len(gaps) and gaps.min() < np.timedelta64(23, "h"):
        return (
            f"several rows a day, such as {quoted}. One row a period, a day at the finest. Sum the "
            f"rows of each day: frame = frame.groupby(pd.to_datetime({source}).dt.date)"
            ".sum(numeric_only=True).reset_index(); of a panel those of each day and unit."
        )
    zone = _zone(stamps)
    utc = f"pd.to_datetime({source}, utc=True)"
    days = f"{source} = {utc}.dt.tz_convert('{zone}').dt.tz_localize(None)"
    if stamps.tz is not None:
        return (
            f"a time zone. Keep the days of the zone in which its periods begin, such as: {days}."
        )
    return (
        f"times of day, such as {quoted}. If they are in UTC, take the days of the zone in which "
        f"periods begin at midnight, such as: {days}. If they mean nothing: "
        f"{source} = pd.to_datetime({source}).dt.normalize()."
    )


def _zone(stamps: pd.DatetimeIndex) -> str:
    """Return the first zone in which all stamps are midnights, else one to show as an example."""
    utc = stamps.tz_localize("UTC") if stamps.tz is None else stamps.tz_convert("UTC")
    for zone in ([] if stamps.tz is None else [str(stamps.tz)]) + [*ZONES]:
        with suppress(KeyError, ValueError):
            local = utc.tz_convert(zone)
            if (local == local.normalize()).all():
                return zone
    return "Europe/Berlin"
