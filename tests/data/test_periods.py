"""Which days a period holds, and which periods a window holds."""

import pandas as pd
import pytest

from bayescausal.data.dates import read_window
from bayescausal.data.periods import (
    covered,
    covered_days,
    days_of,
    frequency,
    is_whole,
    period_mask,
    places,
    starts,
    whole_windows,
    window_text,
)

WEEKS = pd.date_range("2024-09-30", periods=8, freq="7D")  # Mondays


def dates(freq, periods=8):
    return pd.date_range("2024-01-01", periods=periods, freq=freq)


@pytest.mark.parametrize(
    ("window", "whole", "counted"),
    [
        (("2024-10-07", "2024-11-03"), True, "2024-10-07..2024-11-03"),  # Monday to Sunday
        (("2024-10-07", "2024-10-28"), True, "2024-10-07..2024-11-03"),  # to a Monday: its week
        (("2024-10-07", "2024-10-07"), True, "2024-10-07..2024-10-13"),
        (("2024-10-02", "2024-10-29"), False, "2024-10-07..2024-11-03"),
        (("2024-10-06", "2024-10-07"), False, "2024-10-07..2024-10-13"),
        (("2024-10-01", "2024-11-03"), False, "2024-10-07..2024-11-03"),
        (("2024-10-07", "2024-10-26"), False, "2024-10-07..2024-10-27"),
    ],
)
def test_a_window_holds_the_weeks_that_start_in_it(window, whole, counted):
    window = read_window(window)
    assert is_whole(WEEKS, window) == whole
    assert window_text(covered_days(WEEKS, window)) == counted


def test_a_window_within_a_week_holds_none():
    window = read_window(("2024-10-09", "2024-10-10"))
    assert covered_days(WEEKS, window) is None
    assert not is_whole(WEEKS, window)
    assert [*map(window_text, whole_windows(WEEKS, window))] == ["2024-10-07..2024-10-13"]


def test_windows_near_are_the_longest_inside_and_the_shortest_around():
    window = read_window(("2024-10-02", "2024-10-29"))
    assert [*map(window_text, whole_windows(WEEKS, window))] == [
        "2024-10-07..2024-10-27",
        "2024-09-30..2024-11-03",
    ]


def test_every_window_of_daily_data_is_whole():
    days = dates("D", 30)
    for first in days:
        for last in days[days >= first]:
            assert is_whole(days, (first, last))
            assert covered_days(days, (first, last)) == (first, last)


@pytest.mark.parametrize("freq", ["MS", "ME", "BMS", "WOM-1MON", "SMS"])
def test_calendar_months_are_whole_however_they_are_dated(freq):
    months = dates("MS") + pd.Timedelta(days=14) if freq == "SMS" else dates(freq)
    window = read_window(("2024-02", "2024-04"))
    assert is_whole(months, window)
    assert window_text(covered_days(months, window)) == "2024-02-01..2024-04-30"
    assert not is_whole(months, read_window(("2024-02-02", "2024-04-30")))
    assert not is_whole(months, read_window(("2024-02-01", "2024-04-28")))


@pytest.mark.parametrize("freq", ["QS", "QE"])
def test_calendar_quarters_are_whole(freq):
    window = read_window(("2024-04", "2024-09"))
    assert window_text(covered_days(dates(freq), window)) == "2024-04-01..2024-09-30"
    assert is_whole(dates(freq), window)
    assert not is_whole(dates(freq), read_window(("2024-05", "2024-09")))


@pytest.mark.parametrize("freq", ["D", "7D", "W-SUN", "MS", "ME", "BMS", "QS", "QE", "YS", "28D"])
def test_periods_follow_each_other_without_gap_or_overlap(freq):
    for first, last in days_of(dates(freq)):
        assert (last >= first).all()
        assert ((first[1:] - last[:-1]) == pd.Timedelta(days=1)).all()


def test_all_periods_cover_the_history_or_not():
    assert window_text(covered(WEEKS)) == "2024-09-30..2024-11-24"
    assert window_text(covered(WEEKS, 2)) == "2024-10-14..2024-11-24"
    assert frequency(WEEKS) == "weekly"


ENDS = {"ME": "MS", "BME": "MS", "QE": "QS", "YE": "YS", "BMS": "MS", "BQE": "QS"}


@pytest.mark.parametrize(("dated", "start"), ENDS.items())
@pytest.mark.parametrize("periods", [3, 16])
def test_a_day_is_in_the_calendar_period_that_holds_it_however_rows_are_dated(
    dated, start, periods
):
    first = pd.date_range("2023-01-01", periods=periods + 1, freq=start)
    rows = pd.date_range("2023-01-01", periods=periods, freq=dated)
    days = pd.date_range(first[0] - pd.Timedelta(days=800), first[-1] + pd.Timedelta(days=800))
    assert starts(rows, rows).equals(first[:-1])
    seen = places(rows, rows, days)
    for row in range(periods):
        assert window_text((days[seen == row][0], days[seen == row][-1])) == window_text(
            (first[row], first[row + 1] - pd.Timedelta(days=1))
        )
    steps = seen[1:] - seen[:-1]
    assert {*steps} == {0, 1}  # the periods outside follow those inside
    before, after = days[seen == -1], days[seen == periods]
    assert before[-1] == first[0] - pd.Timedelta(days=1)
    assert before[0] == first[0] - (first.freq * 1)
    assert after[0] == first[-1]
    assert after[-1] == first[-1] + (first.freq * 1) - pd.Timedelta(days=1)


@pytest.mark.parametrize("dated", ["ME", "BME", "BMS"])
def test_a_window_holds_the_same_months_however_they_are_dated(dated):
    first = pd.date_range("2023-01-01", periods=16, freq="MS")
    rows = pd.date_range("2023-01-01", periods=16, freq=dated)
    for window in [
        ("2023-03", "2023-04"),
        ("2023-03-01", "2023-05-15"),
        ("2023-02-15", "2023-04-30"),
        ("2022-06", "2023-02"),
        ("2023-11", "2025-06"),
    ]:
        window = read_window(window)
        assert list(period_mask(rows, window)) == list(period_mask(first, window))
        assert covered_days(rows, window) == covered_days(first, window)
        assert is_whole(rows, window) == is_whole(first, window)


def test_a_window_may_start_with_the_date_of_a_row_and_says_what_it_holds():
    rows = pd.date_range("2023-01-31", periods=12, freq="ME")
    window = (rows[1], rows[3])
    assert window_text(covered_days(rows, window)) == "2023-02-01..2023-04-30"
    assert not is_whole(rows, window)  # a test may have begun on the day itself


def test_periods_of_whole_weeks_start_on_their_date():
    first_mondays = pd.date_range("2024-01-01", periods=12, freq="WOM-1MON")
    assert starts(first_mondays, first_mondays).equals(first_mondays)


def test_three_months_of_31_days_are_months():
    assert frequency(pd.DatetimeIndex(["2024-07-01", "2024-08-01", "2024-09-01"])) == "monthly"
    assert frequency(pd.DatetimeIndex(["2021-12-31", "2022-12-31", "2023-12-31"])) == "yearly"
    assert frequency(pd.date_range("2024-07-01", periods=3, freq="31D")) == "monthly"
    assert frequency(pd.date_range("2024-07-01", periods=4, freq="31D")) == "31-daily"
