"""Periods: the name of their step, the days that a row covers, the rows that a window covers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescausal.data.dates import Window

CALENDARS = {"week": "W", "month": "M", "quarter": "Q", "year": "Y"}
"""Periods of the calendar that rows can be collected into, as pandas abbreviates them."""

Reading = tuple[pd.DatetimeIndex, pd.DatetimeIndex]
"""First and last day of each period."""

_NAMES = {1: "monthly", 3: "quarterly", 12: "yearly"}


def steps(time: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray]:
    """Return days and calendar months from each period to the next."""
    days = np.diff(time.to_numpy()).astype("timedelta64[D]").astype(int)
    return days, np.diff(12 * time.year + time.month)


def months(time: pd.DatetimeIndex) -> int:
    """Return the calendar months in a period, 0 if a period is a number of days.

    July, August and September have 31 days from one first to the next: periods of equal length
    are months too if each is dated by the same day of its month, or by the last one.
    """
    days, jumps = steps(time)
    same_day = np.ptp(time.day) == 0 or bool(time.is_month_end.all())
    return int(jumps[0]) if np.ptp(days) or (same_day and jumps[0] and not np.ptp(jumps)) else 0


def frequency(time: pd.DatetimeIndex) -> str:
    """Return ``daily``, ``weekly``, ``monthly``, ``quarterly``, ``yearly`` or the step in days.

    Examples
    --------
    >>> frequency(pd.date_range("2025-01-06", periods=3, freq="7D"))
    'weekly'
    """
    if count := months(time):
        return _NAMES.get(count, f"{count}-monthly")
    days = int(steps(time)[0][0])
    return {1: "daily", 7: "weekly"}.get(days, f"{days}-daily")


def days_of(time: pd.DatetimeIndex) -> list[Reading]:
    """Return every reading of the periods, each their first and last days, likeliest first.

    A period lasts from its date to the day before the next one's. Months (quarters, years) may
    also be calendar months that are dated by some day in them. They are if that day is the last;
    likelier so if it is always one of the last seven (the last business day, the 28th), or one of
    the first four but neither the same day nor the same weekday (the first business day).
    """
    count = months(time)
    if not count:
        return [(time, time + pd.Timedelta(days=int(steps(time)[0][0]) - 1))]
    day = pd.Timedelta(days=1)
    following = time[-1] + pd.DateOffset(months=count)
    plain = time, time[1:].append(pd.DatetimeIndex([following])) - day
    near_month_end = bool((time.days_in_month - time.day < 7).all())
    near_month_start = bool((time.day <= 4).all() and np.ptp(time.day) and np.ptp(time.dayofweek))
    month = time.to_period("M") - (count - 1 if near_month_end else 0)
    calendar = month.to_timestamp(), (month + count).to_timestamp() - day
    if time.is_month_end.all():
        return [calendar]
    return [calendar, plain] if near_month_end or near_month_start else [plain, calendar]


def carry_over(time: pd.DatetimeIndex) -> int:
    """Return the default number of carry-over periods: eight weeks, if there are so many.

    Examples
    --------
    >>> [carry_over(pd.date_range("2024-01-01", periods=90, freq=f)) for f in ("D", "7D", "MS")]
    [56, 8, 2]
    """
    return min(int(np.ceil(56 / days_a_period(time))), len(time) - 1)


def days_a_period(time: pd.DatetimeIndex) -> float:
    """Return the mean length of a period in days."""
    return (time[-1] - time[0]) / (len(time) - 1) / pd.Timedelta(days=1)


def starts(time: pd.DatetimeIndex, reference: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the first day of each period; `reference` tells how the periods are dated."""
    pattern = max(time, reference, key=len)
    first = days_of(pattern)[0][0]
    if first.equals(pattern):
        return time
    shift = months(pattern) - 1 if (first.month != pattern.month).any() else 0
    return (time.to_period("M") - shift).to_timestamp()


def calendar(time: pd.DatetimeIndex, period: str) -> np.ndarray:
    """Return for each row the week, month, quarter or year that it begins in, as text.

    Examples
    --------
    >>> calendar(pd.date_range("2025-01-20", periods=3, freq="7D"), "month").tolist()
    ['2025-01', '2025-01', '2025-02']
    """
    return starts(time, time).to_period(CALENDARS[period]).astype(str).to_numpy()


def places(
    time: pd.DatetimeIndex, reference: pd.DatetimeIndex, days: Sequence[pd.Timestamp]
) -> np.ndarray:
    """Return the row of the period that covers each day: negative before the first period.

    From ``len(time)`` on it is after the last; periods outside are as long as those inside.

    Examples
    --------
    >>> ends = pd.date_range("2024-01-31", periods=12, freq="ME")
    >>> places(ends, ends, pd.to_datetime(["2023-12-25", "2024-02-15", "2024-12-31"])).tolist()
    [-1, 1, 11]
    """
    first, dates = starts(time, reference), pd.DatetimeIndex(days)
    pattern = max(time, reference, key=len)
    if not (count := months(pattern)):
        length = pd.Timedelta(days=int(steps(pattern)[0][0]))
        return np.asarray((dates - first[0]) // length)

    def since(start: pd.Timestamp) -> np.ndarray:
        jump = 12 * (dates.year - start.year) + dates.month - start.month - (dates.day < start.day)
        return np.asarray(jump // count)

    row = np.searchsorted(first, dates, side="right") - 1
    later_row = len(first) - 1 + since(first[-1])
    return np.where(dates < first[0], since(first[0]), np.where(dates < first[-1], row, later_row))


def covered(time: pd.DatetimeIndex, history: int = 0) -> Window:
    """Return the first and the last day of all periods after the history."""
    readings = days_of(time)
    return min(first[history] for first, _ in readings), max(last[-1] for _, last in readings)


def _reading(time: pd.DatetimeIndex, window: Window) -> Reading:
    """Return the reading of the periods that fits a window best, the likeliest of equal ones."""
    return max(days_of(time), key=lambda r: (window[0] in r[0]) + (window[1] in r[1]))


def period_mask(time: pd.DatetimeIndex, window: Window) -> np.ndarray:
    """Return which periods start in a window, one that is dated by the start of it included."""
    first = _reading(time, window)[0]
    return np.asarray(((first >= window[0]) & (first <= window[1])) | (time == window[0]))


def covered_days(time: pd.DatetimeIndex, window: Window) -> Window | None:
    """Return the first and the last day of the periods that start in a window, None without any.

    Examples
    --------
    >>> monday = pd.date_range("2024-09-30", periods=6, freq="7D")
    >>> days = covered_days(monday, (pd.Timestamp("2024-10-02"), pd.Timestamp("2024-10-29")))
    >>> [str(day.date()) for day in days]
    ['2024-10-07', '2024-11-03']
    """
    rows = np.flatnonzero(period_mask(time, window))
    if not len(rows):
        return None
    first, last = _reading(time, window)
    return first[rows[0]], last[rows[-1]]


def is_whole(time: pd.DatetimeIndex, window: Window) -> bool:
    """Return whether a window starts with a period and ends with one, or on the date of one."""
    days = covered_days(time, window)
    return days is not None and days[0] == window[0] and (days[1] == window[1] or window[1] in time)


def whole_windows(time: pd.DatetimeIndex, window: Window) -> list[Window]:
    """Return the longest run of whole periods in a window, if any, and the shortest around it."""
    first, last = days_of(time)[0]
    masks = ((first >= window[0]) & (last <= window[1]), (last >= window[0]) & (first <= window[1]))
    rows = [np.flatnonzero(mask)[[0, -1]] for mask in masks if mask.any()]
    return [(first[i], last[j]) for i, j in rows]


def window_text(window: Window) -> str:
    """Write a window as two dates."""
    return f"{window[0].date()}..{window[1].date()}"
