"""A window in time: two dates, both included, however they are written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from bayescausal.errors import SpecError


def read_window(given: Any) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first and the last day; a month or a year is read as all of its days.

    Examples
    --------
    >>> [str(day.date()) for day in read_window(("2025-02", "2025-02"))]
    ['2025-02-01', '2025-02-28']
    """
    if isinstance(given, str) or not isinstance(given, Iterable) or len(dates := list(given)) != 2:
        raise SpecError(f"window is two dates, (start, end), both included; got {given!r}.")
    start, end = _day(dates[0]).start_time, _day(dates[1]).end_time
    if end < start:
        raise SpecError(f"The window ends ({end.date()}) before it starts ({start.date()}).")
    return start.normalize(), end.normalize()


def _day(given: Any) -> pd.Period:
    """Return the day, month or year that a date names."""
    try:
        if not isinstance(given, str | date | np.datetime64 | pd.Period):
            raise ValueError
        if getattr(given, "tzinfo", None) or pd.isna(given):
            raise ValueError
        whole = isinstance(given, str | pd.Period)
        return pd.Period(given) if whole else pd.Period(pd.Timestamp(given), freq="D")
    except ValueError:
        raise SpecError(
            f"A window has dates without a time zone, such as '2025-03-31'; got {given!r}."
        ) from None
