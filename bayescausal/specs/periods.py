"""Periods: what their step is called, which days they hold, which of them a window holds."""

from __future__ import annotations

import numpy as np
import pandas as pd

Window = tuple[pd.Timestamp, pd.Timestamp]


def steps(time: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray]:
    """Return days and calendar months from each period to the next."""
    days = np.diff(time.to_numpy()).astype("timedelta64[D]").astype(int)
    return days, np.diff(12 * time.year + time.month)


def frequency(time: pd.DatetimeIndex) -> str:
    """``daily``, ``weekly``, ``monthly``, ``quarterly``, ``yearly`` or the step in days.

    Examples
    --------
    >>> frequency(pd.date_range("2025-01-06", periods=3, freq="7D"))
    'weekly'
    """
    days, months = steps(time)
    if np.ptp(days) > 0:
        names = {1: "monthly", 3: "quarterly", 12: "yearly"}
        return names.get(int(months[0]), f"{months[0]}-monthly")
    return {1: "daily", 7: "weekly"}.get(int(days[0]), f"{days[0]}-daily")


def days_of(time: pd.DatetimeIndex) -> list[tuple[pd.DatetimeIndex, pd.DatetimeIndex]]:
    """First and last day of each period, in every way that its date may be read; likeliest first.

    A period lasts from its date to the day before the next one's. Months (quarters, years) may
    also be calendar months that are dated by some day in them, and are if that is their last.
    """
    days, months = steps(time)
    count = int(months[0])
    if not np.ptp(days):
        return [(time, time + pd.Timedelta(days=int(days[0]) - 1))]
    day = pd.Timedelta(days=1)
    following = time[-1] + pd.DateOffset(months=count)
    plain = time, time[1:].append(pd.DatetimeIndex([following])) - day
    at_end = bool(time.is_month_end.all())
    month = time.to_period("M") - (count - 1 if at_end else 0)
    calendar = month.to_timestamp(), (month + count).to_timestamp() - day
    return [calendar, plain] if at_end else [plain, calendar]


def covered(time: pd.DatetimeIndex, history: int = 0) -> Window:
    """First and last day of all periods after the history."""
    read = days_of(time)
    return min(first[history] for first, _ in read), max(last[-1] for _, last in read)


def held(time: pd.DatetimeIndex, window: Window) -> Window | None:
    """First and last day of the periods whose date lies in a window; None if there is none.

    Examples
    --------
    >>> monday = pd.date_range("2024-09-30", periods=6, freq="7D")
    >>> days = held(monday, (pd.Timestamp("2024-10-02"), pd.Timestamp("2024-10-29")))
    >>> [str(day.date()) for day in days]
    ['2024-10-07', '2024-11-03']
    """
    inside = np.flatnonzero((time >= window[0]) & (time <= window[1]))
    if not len(inside):
        return None
    i, j = inside[[0, -1]]
    read = days_of(time)
    starts = any(first[i] == window[0] for first, _ in read)
    ends = any(last[j] == window[1] for _, last in read)
    return window[0] if starts else read[0][0][i], window[1] if ends else read[0][1][j]


def is_whole(time: pd.DatetimeIndex, window: Window) -> bool:
    """Whether a window starts with a period and ends with one, or on the date of one."""
    days = held(time, window)
    return days is not None and days[0] == window[0] and (days[1] == window[1] or window[1] in time)


def near(time: pd.DatetimeIndex, window: Window) -> list[Window]:
    """Windows of whole periods: the longest in a window, if any, and the shortest around it."""
    first, last = days_of(time)[0]
    masks = ((first >= window[0]) & (last <= window[1]), (last >= window[0]) & (first <= window[1]))
    places = [np.flatnonzero(mask)[[0, -1]] for mask in masks if mask.any()]
    return [(first[i], last[j]) for i, j in places]


def written(window: Window) -> str:
    """Write a window as two dates."""
    return f"{window[0].date()}..{window[1].date()}"
