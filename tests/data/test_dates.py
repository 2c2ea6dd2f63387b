"""Dates are read where they name days, and refused with advice that works where they do not."""

import datetime
import re

import numpy as np
import pandas as pd
import pytest

from bayescausal.data.dataset import Dataset
from bayescausal.data.dates import Unreadable, days_named, read_days, read_window
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import incremental
from bayescausal.experiments.table import experiments_from_frame
from bayescausal.specs.baseline import PiecewiseTrend
from bayescausal.specs.events import Event


def day(text):
    return pd.Timestamp(text)


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        ("2024-02-01", "2024-02-01", "2024-02-01"),
        (" 2024-02-01 ", "2024-02-01", "2024-02-01"),
        ("20240201", "2024-02-01", "2024-02-01"),
        ("2024/2/1", "2024-02-01", "2024-02-01"),
        ("2024.02.01", "2024-02-01", "2024-02-01"),
        ("2024-02-01T00:00:00", "2024-02-01", "2024-02-01"),
        ("2024-02-01 00:00", "2024-02-01", "2024-02-01"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2024", "2024-01-01", "2024-12-31"),
        (datetime.date(2024, 2, 1), "2024-02-01", "2024-02-01"),
        (np.datetime64("2024-02-01"), "2024-02-01", "2024-02-01"),
        (np.datetime64("2024-02"), "2024-02-01", "2024-02-29"),
        (pd.Period("2024-02-01", "W"), "2024-01-29", "2024-02-04"),
        (pd.Period("2024Q1"), "2024-01-01", "2024-03-31"),
    ],
)
def test_a_value_names_its_days(value, first, last):
    assert days_named(value) == (day(first), day(last))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("01/02/2024", "more than one way. Write '2024-02-01' or '2024-01-02'"),
        ("13/02/2024", "does not start with the year.*Write '2024-02-13'"),
        ("1.2.2024", "Write '2024-02-01' or '2024-01-02'"),
        ("01-02-2024", "Write '2024-02-01' or '2024-01-02'"),
        ("24-02-01", "Write '2001-02-24' or '2024-02-01'"),
        ("Feb 2024", "Write '2024-02'"),
        ("1 February 2024", "Write '2024-02-01'"),
        ("202402", "Write '2024-02'"),
        ("2024-W05", "no day. Write its days: '2024-01-29', '2024-02-04'"),
        ("2024W05", "Write its days: '2024-01-29', '2024-02-04'"),
        ("Q1 2024", "Write its days: '2024-01-01', '2024-03-31'"),
        ("2024-02-30", "'2024-02-30' does not exist: 2024-02 has 29 days"),
        ("2023-02-29", "does not exist: 2023-02 has 28 days"),
        ("2024-13-01", "does not exist: a year has no month 13"),
        ("2024-00", "no month 0"),
        ("9999-01-01", "outside the years 1678 to 2261"),
        ("soon", "'soon' is no date. Write a day, year first: '2025-03-31'"),
        ("12", "'12' is no date"),
        ("", "'' is no date"),
        ("2024-02-01 25:00", "is no date"),
        ("2024-02-01 23:00", "a time of day. Write the day alone, '2024-02-01'; if.*UTC"),
        (pd.Timestamp("2024-02-01 13:00"), "a time of day"),
        ("2024-02-01T00:00Z", "a time zone. Write the day alone"),
        (pd.Timestamp("2024-02-01", tz="Europe/Berlin"), "a time zone"),
        (45323, "45323 is a number.*of a spreadsheet it is '2024-02-01'"),
        (20240201, "Write it as text: '2024-02-01'"),
        (2024, "whole year write it in quotes, '2024'"),
        (np.int64(2024), "whole year"),
        (float("inf"), "inf is a number"),
        (1.5, "1.5 is a number, not a date"),
        (True, "True is no date"),
        (None, "a date is missing"),
        (pd.NaT, "a date is missing"),
        (float("nan"), "a date is missing"),
        (["2024-02-01"], "is no date"),
        ("x" * 10**6, "is no date"),
    ],
)
def test_what_is_no_date_is_quoted_with_advice(value, words):
    with pytest.raises(Unreadable, match=words) as caught:
        days_named(value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["01/02/2024", "1.2.2024", "24-02-01", "2024-02-30", "45323"])
def test_every_door_refuses_the_same_text(text):
    quoted = re.escape(repr(text))
    doors = {
        "start of the window": lambda: incremental("tv").during(text, "2024-03-01"),
        "end of the window": lambda: incremental("tv").during("2024-01-01", text),
        "Event 'x'": lambda: Event("x", [text]),
        "PiecewiseTrend: changepoints": lambda: PiecewiseTrend((text,)),
        "Row 0 of the experiments: The start": lambda: experiments_from_frame(
            pd.DataFrame(
                {"treatment": ["tv"], "start": text, "end": "2024-03-01", "lift": 1, "std_error": 1}
            ),
            design="geo-rct",
        ),
    }
    for place, door in doors.items():
        with pytest.raises(SpecError, match=f"{place}.*{quoted}"):
            door()


def test_a_month_is_no_day_of_an_event():
    with pytest.raises(SpecError, match=r"Event: '2024-02' has 29 days. Write.*'2024-02-01'"):
        read_days("2024-02", "Event")


def test_a_number_of_any_size_is_refused():
    with pytest.raises(Unreadable, match="about 5,000 digits is a number, not a date"):
        days_named(10**5000)


def test_a_window_without_end_is_refused():
    with pytest.raises(SpecError, match="window is two dates"):
        read_window(iter(lambda: "2024", None))


# Columns of time: the advice is followed, and must give the days that were meant

MONDAYS = pd.date_range("2024-01-01", periods=60, freq="7D")
DAYS = pd.date_range("2024-01-01", periods=60, freq="D")
MONTHS = pd.date_range("2020-01-01", periods=60, freq="MS")
QUARTERS = pd.date_range("2010-01-01", periods=60, freq="QS")
YEARS = pd.date_range("1960-01-01", periods=60, freq="YS")
BERLIN = MONDAYS.tz_localize("Europe/Berlin")
KOLKATA = DAYS.tz_localize("Asia/Kolkata")
NEW_YORK = MONDAYS.tz_localize("America/New_York")
SERIAL = (MONDAYS - pd.Timestamp("1899-12-30")).days
SECONDS = (MONDAYS - pd.Timestamp("1970-01-01")) // pd.Timedelta(seconds=1)


def table(values):
    return pd.DataFrame(
        {"w": values, "tv": 1.0 + np.arange(60), "year": MONDAYS.isocalendar().year.to_numpy()}
    )


@pytest.mark.parametrize(
    ("values", "days"),
    [
        (MONDAYS.strftime("%d/%m/%Y"), MONDAYS),
        (MONDAYS.strftime("%m/%d/%Y"), MONDAYS),
        (MONDAYS.strftime("%d.%m.%Y"), MONDAYS),
        (MONDAYS.strftime("%d-%b-%y"), MONDAYS),
        (MONDAYS.strftime("%d/%m/%Y 00:00"), MONDAYS),
        (MONDAYS.strftime("%G-W%V"), MONDAYS),
        (MONDAYS.strftime("%G%V").astype(int), MONDAYS),
        (MONDAYS.isocalendar().week.to_numpy(), MONDAYS),
        (MONDAYS.strftime("%Y%m%d").astype(int), MONDAYS),
        (MONDAYS.strftime("%Y%m%d").astype(float), MONDAYS),
        (SERIAL, MONDAYS),
        (SECONDS, MONDAYS),
        (SECONDS * 1000, MONDAYS),
        (MONTHS.strftime("%b %Y"), MONTHS),
        (MONTHS.strftime("%Y%m").astype(int), MONTHS),
        (QUARTERS.to_period("Q").astype(str), QUARTERS),
        (YEARS.year, YEARS),
        (BERLIN, MONDAYS),
        (BERLIN.tz_convert("UTC"), MONDAYS),
        (BERLIN.tz_convert("UTC").tz_localize(None), MONDAYS),
        (BERLIN.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"), MONDAYS),
        (BERLIN.map(str), MONDAYS),
        (NEW_YORK.tz_convert("UTC").tz_localize(None), MONDAYS),
        (KOLKATA.tz_convert("UTC").tz_localize(None), DAYS),
        (MONDAYS.tz_localize("UTC"), MONDAYS),
    ],
    ids=str,
)
def test_advice_on_a_column_gives_the_days_that_were_meant(values, days):
    frame = table(values)
    with pytest.raises(DataError) as refused:
        Dataset.from_frame(frame, time="w")
    code = re.search(r"(frame\['w'\] = .*?\))(\.$|, or '|\. If| for months)", str(refused.value))[1]
    exec(code.split(" for months")[0], {"frame": frame, "pd": pd})
    assert list(Dataset.from_frame(frame, time="w").time) == list(days)
    assert len(str(refused.value)) < 700


def test_the_first_bad_value_is_quoted_and_not_the_first():
    values = [*MONDAYS.strftime("%Y-%m-%d")]
    for bad, words in {
        "2024-02-30": "Row 4: '2024-02-30' does not exist.*Mend that cell",
        "n/a": "Row 4: 'n/a' is no date",
        "05/02/2024": "Row 4: '05/02/2024' does not start with the year",
        7: "Row 4: 7 is a number",
        b"2024-01-29": "Row 4: b'2024-01-29' is no date",
    }.items():
        with pytest.raises(DataError, match=words):
            Dataset.from_frame(table([*values[:4], bad, *values[5:]]), time="w")


def test_cells_that_are_lists_or_truth_values_are_no_dates():
    for cells, words in ([[1]] * 60, r"holds \[1\]"), ([True] * 60, "bool, not dates.*got True"):
        with pytest.raises(DataError, match=words):
            Dataset.from_frame(table(cells), time="w")


def test_several_rows_a_day_are_called_so_and_can_be_summed():
    hours = pd.DataFrame({"w": pd.date_range("2024-01-01", periods=96, freq="h"), "tv": 1.0})
    with pytest.raises(DataError, match="several rows a day, such as 2024-01-01 01:00:00") as error:
        Dataset.from_frame(hours, time="w")
    names = {"frame": hours, "pd": pd}
    exec(re.search(r"frame = frame\.groupby.*?(?=;)", str(error.value))[0], names)
    assert list(Dataset.from_frame(names["frame"], time="w").array("tv")) == [24.0] * 4


def test_times_of_day_that_mean_nothing_can_be_dropped():
    frame = table(DAYS + pd.Timedelta(hours=12))
    with pytest.raises(DataError, match=r"mean nothing: (.*normalize\(\))\.") as error:
        Dataset.from_frame(frame, time="w")
    exec(re.search(r"mean nothing: (.*)\.$", str(error.value))[1], {"frame": frame, "pd": pd})
    assert list(Dataset.from_frame(frame, time="w").time) == list(DAYS)


def test_months_as_text_are_dated_by_their_first_day():
    assert list(Dataset.from_frame(table(MONTHS.strftime("%Y-%m")), time="w").time) == list(MONTHS)


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1,234.5", "12"], [1234.5, 12]),
        (["5,54,97,076.1", "12"], [55497076.1, 12]),
        (["1 234,5", "12"], [1234.5, 12]),
        (["1.234,5", "12"], [1234.5, 12]),
        (["12,5", "-3"], [12.5, -3]),
        (["1'234.5", "12.25"], [1234.5, 12.25]),
        (["1\u202f234", 12.5], [1234, 12.5]),
    ],
)
def test_advice_on_numbers_as_text_gives_the_numbers(texts, numbers):
    frame = pd.DataFrame({"w": DAYS, "tv": pd.Series(texts * 30, dtype=object)})
    with pytest.raises(DataError, match=r"not numbers\. Convert it") as error:
        Dataset.from_frame(frame, time="w", columns=["tv"])
    code = re.search(r"frame\['tv'\] = .*(?=, or write)", str(error.value))[0]
    exec(code, {"frame": frame, "pd": pd})
    assert list(Dataset.from_frame(frame, time="w").array("tv")[:2]) == numbers
