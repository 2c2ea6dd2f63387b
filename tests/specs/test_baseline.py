"""Baseline terms: designs that are centered and repeat, round trips, and advice."""

import numpy as np
import pandas as pd
import pytest

from bayescausal.errors import SpecError
from bayescausal.specs.baseline import (
    HSGPTrend,
    Intercept,
    LinearTrend,
    MonthlySeasonality,
    PiecewiseTrend,
    WeeklySeasonality,
    YearlySeasonality,
)
from bayescausal.specs.events import Event, Holidays
from bayescausal.specs.prior import Prior
from bayescausal.specs.serialization import TERMS, term_from_dict

WEEKS = pd.date_range("2024-01-01", periods=104, freq="7D")
DAYS = pd.date_range("2024-01-01", periods=140, freq="D")
TERMS_AT_WORK = [
    (LinearTrend(), WEEKS),
    (PiecewiseTrend(3), WEEKS),
    (PiecewiseTrend(("2024-06-01", "2025-01-01")), WEEKS),
    (YearlySeasonality(3), WEEKS),
    (MonthlySeasonality(), WEEKS),
    (WeeklySeasonality(), DAYS),
    (Event("storm", ["2024-05-05", "2025-02-01"], before=1, after=2), WEEKS),
    (Holidays("US", names=["Christmas Day", "Labor Day"], after=1), WEEKS),
    (HSGPTrend(m=5), WEEKS),
]
ids = [f"{type(term).__name__}{k}" for k, (term, _) in enumerate(TERMS_AT_WORK)]


@pytest.mark.parametrize(("term", "time"), TERMS_AT_WORK, ids=ids)
def test_design_is_centered_over_training_and_has_a_label_a_column(term, time):
    design = term.design(time, time)
    assert design.shape == (len(time), len(term.labels(time)))
    np.testing.assert_allclose(design.mean(axis=0), 0, atol=1e-12)
    assert np.isfinite(design).all()


@pytest.mark.parametrize(("term", "time"), TERMS_AT_WORK, ids=ids)
def test_design_of_a_period_does_not_depend_on_which_others_are_asked(term, time):
    whole = term.design(time, time)
    np.testing.assert_allclose(term.design(time[30:60], time), whole[30:60], atol=1e-12)


@pytest.mark.parametrize(("term", "time"), TERMS_AT_WORK, ids=ids)
def test_term_is_written_and_read(term, time):
    assert term_from_dict(term.to_dict()) == term
    assert hash(term_from_dict(term.to_dict())) == hash(term)


def test_every_kind_is_at_work_above():
    assert {type(term).__name__ for term, _ in TERMS_AT_WORK} == {*TERMS} - {"Intercept"}


def test_trend_is_the_total_change_over_the_training_data():
    design = LinearTrend().design(WEEKS, WEEKS)[:, 0]
    assert design[-1] - design[0] == pytest.approx(1)
    np.testing.assert_allclose(np.diff(design), 1 / 103)


def test_seasonality_repeats_after_its_period():
    once = YearlySeasonality(2).columns(pd.DatetimeIndex(["2024-03-01"]), WEEKS)
    later = pd.DatetimeIndex([pd.Timestamp("2024-03-01") + pd.Timedelta(days=365.25)])
    np.testing.assert_allclose(YearlySeasonality(2).columns(later, WEEKS), once, atol=1e-9)


def test_event_falls_in_the_period_that_holds_it_and_decays_around_it():
    pulse = Event("storm", "2024-02-01", before=1, after=2, decay=0.5).columns(WEEKS, WEEKS)[:, 0]
    place = 4  # the week of 2024-01-29
    assert list(pulse[place - 1 : place + 3]) == [0.5, 1, 0.5, 0.25]
    assert pulse.sum() == pytest.approx(2.25)


DATED = [("MS", "ME"), ("MS", "BME"), ("QS", "QE")]
CALENDAR = [
    (LinearTrend(), 60),
    (PiecewiseTrend(("2022-02-01", "2023-07-15")), 60),
    (YearlySeasonality(1), 60),
    (Event("storm", ["2022-02-15", "2022-12-25", "2020-11-30"], before=1, after=2), 60),
    (Holidays("US", names=["Christmas Day", "Thanksgiving Day"], after=1), 60),
    (HSGPTrend(m=5), 60),
]


@pytest.mark.parametrize(("start", "end"), DATED)
@pytest.mark.parametrize(("term", "rows"), CALENDAR, ids=[t.key for t, _ in CALENDAR])
def test_months_have_the_same_design_whether_dated_by_their_first_day_or_last(
    term, rows, start, end
):
    first = pd.date_range("2021-01-01", periods=rows, freq=start)
    last = pd.date_range("2021-01-01", periods=rows, freq=end)
    np.testing.assert_array_equal(term.design(last, last), term.design(first, first))
    np.testing.assert_array_equal(term.design(last, last[5:]), term.design(first, first[5:]))


def test_events_fall_in_the_row_of_their_month():
    rows = pd.date_range("2021-01-31", periods=36, freq="ME")
    for date, row in (
        ("2022-02-15", "2022-02-28"),
        ("2022-02-01", "2022-02-28"),
        ("2022-02-28", "2022-02-28"),
        ("2022-12-25", "2022-12-31"),
    ):
        pulse = Event("x", [date]).columns(rows, rows)[:, 0]
        assert [str(day.date()) for day in rows[pulse > 0]] == [row]


def test_a_pulse_of_any_length_costs_no_time():
    step = Event("law", "2024-03-01", after=10**12, decay=1).columns(WEEKS, WEEKS)[:, 0]
    assert list(step) == [float(k >= 8) for k in range(len(WEEKS))]  # the week of 2024-02-26


def test_dates_are_read_sorted_and_once():
    given = ["2025-01-01", pd.Timestamp("2024-02-01"), np.datetime64("2024-02-01")]
    dates = (pd.Timestamp("2024-02-01"), pd.Timestamp("2025-01-01"))
    assert Event("x", given).dates == dates
    assert Event("x", pd.DatetimeIndex(dates)).dates == dates
    assert Event("x", dates[0]).dates == Event("x", "2024-02-01").dates == dates[:1]


def test_holidays_take_one_name():
    assert Holidays("US", names="Labor Day").names == ("Labor Day",)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LinearTrend(0.5), "LinearTrend: prior must be a Prior; got 0.5"),
        (lambda: Intercept(spread=None), "Intercept: spread must be a Prior; got None"),
        (lambda: HSGPTrend(amplitude=1), "HSGPTrend: amplitude must be a Prior"),
        (lambda: YearlySeasonality("2"), "order is a whole number, 1 or more; got '2'"),
        (lambda: YearlySeasonality(0), "order is a whole number"),
        (lambda: YearlySeasonality(Prior("Normal")), "order is a whole number"),
        (lambda: PiecewiseTrend(0), "at least one changepoint, or use LinearTrend"),
        (lambda: PiecewiseTrend(-3), "at least one changepoint"),
        (lambda: PiecewiseTrend(()), "at least one changepoint"),
        (
            lambda: PiecewiseTrend("soon"),
            "changepoints: 'soon' is no date. Write a day, year first",
        ),
        (lambda: PiecewiseTrend(2.5), "2.5 is a number, not a date"),
        (lambda: PiecewiseTrend([2024]), "2024 is a number, not a date"),
        (lambda: PiecewiseTrend(True), "True is no date"),
        (lambda: HSGPTrend(m=2.5), "m is a whole number"),
        (lambda: HSGPTrend(m=0), "m is a whole number, 1 or more"),
        (lambda: HSGPTrend(boundary=1), "boundary is above 1; got 1"),
        (lambda: HSGPTrend(boundary="2"), "boundary must be a number"),
        (lambda: Event("x", None), "Event 'x': a date is missing"),
        (lambda: Event("x", []), "has no dates"),
        (lambda: Event("x", 2024), "2024 is a number, not a date"),
        (lambda: Event("x", [pd.NaT]), "a date is missing"),
        (
            lambda: Event("x", pd.Timestamp("2024-01-01", tz="UTC")),
            "time zone. Write the day alone",
        ),
        (lambda: Event("a:b", "2024-01-01"), "holds ':'"),
        (lambda: Event("Black Friday / Monday", "2024-01-01"), "holds '/'"),
        (lambda: Event("", "2024-01-01"), "empty"),
        (lambda: Event(3, "2024-01-01"), "type int"),
        (lambda: Event("time", "2024-01-01"), "'time', the name of a dim"),
        (lambda: Event("x", "2024-01-01", before=-1), "before counts periods"),
        (lambda: Event("x", "2024-01-01", after="1"), "after counts periods.*'1'"),
        (lambda: Event("x", "2024-01-01", decay=0), "decay is the share"),
        (lambda: Event("x", "2024-01-01", decay=None), "decay must be a number"),
        (lambda: Holidays("XX"), "XX"),
        (lambda: Holidays(None), "country is an ISO code"),
        (lambda: Holidays("US", subdivision="ZZ"), "subdivision ZZ"),
        (lambda: term_from_dict("LinearTrnd"), "no baseline term.*Did you mean 'LinearTrend'"),
        (lambda: term_from_dict(3), "3 is no baseline term"),
        (lambda: term_from_dict({}), "None is no baseline term"),
        (
            lambda: term_from_dict({"kind": "YearlySeasonality", "ordr": 2}),
            "YearlySeasonality: unknown key 'ordr'.*Did you mean 'order'",
        ),
    ],
)
def test_bad_term_is_refused_with_advice(make, words):
    with pytest.raises(SpecError, match=words):
        make()


@pytest.mark.parametrize(
    ("term", "words"),
    [
        (Event("storm", "2034-01-01"), "None of its dates falls inside the data"),
        (PiecewiseTrend(("2034-01-01",)), "changepoint must lie before the last period"),
        (WeeklySeasonality(), "less than two periods of these data.*finer data"),
        (YearlySeasonality(27), "less than two periods"),
        (Holidays("US", names=["Xmas"]), "'Xmas' is no holiday of US"),
    ],
)
def test_term_with_nothing_to_act_on_says_so(term, words):
    with pytest.raises(SpecError, match=words):
        term.design(WEEKS, WEEKS)
