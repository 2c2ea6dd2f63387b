"""`Estimand`: one question, one value, however it is written."""

import datetime
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescausal.errors import GraphError, SpecError
from bayescausal.experiments.estimand import (
    SCALES,
    Estimand,
    Plus,
    Times,
    incremental,
    steady_state,
)
from bayescausal.graphs.graph import Edge

tv = incremental("tv")
finite = st.floats(-1e9, 1e9)


# One value, however it is written


@pytest.mark.parametrize(
    "again",
    [
        Estimand(control={"tv": 0}),
        Estimand(control={"tv": 0.0}),
        Estimand(control={"tv": np.int64(0)}),
        Estimand(control={"tv": False}),
        Estimand(control={"tv": np.array(0)}),
        incremental(["tv"]),
        incremental(("tv",)),
    ],
)
def test_equal_questions_are_equal_and_hash_alike(again):
    assert again == tv
    assert hash(again) == hash(tv)
    assert len({again, tv}) == 1


@pytest.mark.parametrize(
    "other",
    [
        tv.reversed(),
        tv.on("search"),
        tv.within("north"),
        tv.during("2025-01-01", "2025-02-01"),
        replace(tv, scale="mean"),
        replace(tv, carryover=False),
        replace(tv, carryover=1),
        replace(tv, carryover=2),
        Estimand({"tv": 0}, {"tv": 0.0}, off_panel="steady"),
        incremental(["tv", "social"]),
        incremental("tv->search"),
    ],
)
def test_different_questions_differ(other):
    assert other != tv


def test_edges_are_one_key_however_they_are_spaced():
    want = Estimand(control={"tv->paid search": 0})
    assert Estimand(control={" tv  -> paid search ": 0}) == want
    assert Estimand(control={Edge("tv", "paid search"): 0}) == want
    assert incremental(Edge("tv", "paid search")) == want
    assert want.treatments == ("tv",)
    assert Estimand(control={"a -> b @ 1": 0}).keys == ("a->b@1",)


def test_arrays_of_any_library_are_values():
    values = [1.0, 2.0, 3.0]
    want = Estimand({"tv": values})
    for given_ in (np.array(values), pd.Series(values), tuple(values), np.array([1, 2, 3])):
        assert Estimand({"tv": given_}) == want
        assert hash(Estimand({"tv": given_})) == hash(want)
    assert Estimand({"tv": [values, values]}).active["tv"] == ((1.0, 2.0, 3.0),) * 2


def test_array_given_is_copied():
    values = np.array([1.0, 2.0])
    estimand = Estimand({"tv": values})
    values[0] = 9
    assert estimand.active["tv"] == (1.0, 2.0)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2025-03-01", "2025-04-30"),
        ("2025-03", "2025-04"),
        (datetime.date(2025, 3, 1), datetime.datetime(2025, 4, 30)),
        (pd.Timestamp("2025-03-01"), np.datetime64("2025-04-30")),
        (np.datetime64("2025-03"), np.datetime64("2025-04")),
        (pd.Period("2025-03"), pd.Period("2025-04")),
        ("2025-03-01T00:00:00", "2025-04-30T00:00:00"),
    ],
)
def test_window_holds_both_dates_and_whole_months_when_months_are_named(start, end):
    want = (pd.Timestamp("2025-03-01"), pd.Timestamp("2025-04-30"))
    assert tv.during(start, end).window == want
    assert incremental("tv", window=(start, end)).window == want
    assert incremental("tv", window=[start, end]).window == want


def test_window_of_years_ends_with_the_last_day():
    assert tv.during("2024", "2025").window[1] == pd.Timestamp("2025-12-31")
    assert tv.during("2025-03-03", "2025-03-03").window[0] == pd.Timestamp("2025-03-03")


def test_units_are_text_in_the_order_given_once():
    assert tv.within(1, 2, 1).units == ("1", "2")
    assert incremental("tv", units="north").units == ("north",)
    assert incremental("tv", units=["b", "a"]).units == ("b", "a")


def test_reversed_twice_is_the_question_itself():
    assert tv.reversed().reversed() == tv


def test_repr_and_label_say_it_in_short():
    test = replace(tv.during("2025-03-03", "2025-03-30").within("a").on("search"), scale="mean")
    assert repr(test) == (
        "Estimand(factual vs do(tv=0), on search, 2025-03-03..2025-03-30, in a, mean)"
    )
    made = Estimand({"tv": Times(1.1)}, {"tv": Plus(-2)})
    assert repr(made) == "Estimand(do(tv*1.1) vs do(tv-2))"
    assert incremental(["tv", "social"]).label == "social + tv"
    assert incremental("tv", name="TV").label == "TV"


# Round trip

values = st.one_of(
    finite,
    st.builds(Times, finite),
    st.builds(Plus, finite),
    st.lists(finite, min_size=1, max_size=4),
    st.lists(st.lists(finite, min_size=2, max_size=2), min_size=1, max_size=3),
)
nodes = st.sampled_from(["tv", "paid search", "tv->sales"])
worlds = st.dictionaries(nodes, values, min_size=1, max_size=2)
dates = st.dates(datetime.date(2000, 1, 1), datetime.date(2050, 1, 1))


@settings(deadline=None, max_examples=100)
@given(
    st.just({}) | worlds,
    worlds,
    st.none() | st.tuples(dates, dates).map(sorted),
    st.none() | st.lists(st.sampled_from(["n", "s", "süd"]), min_size=1),
    st.none() | st.just("sales"),
    st.booleans() | st.integers(0, 9),
    st.sampled_from(SCALES),
    st.none() | st.just("a name"),
)
def test_round_trip(active, control, window, units, outcome, carryover, scale, name):
    made = Estimand(active, control, outcome, window, units, carryover, scale, name)
    again = Estimand.from_dict(made.to_dict())
    assert again == made
    assert hash(again) == hash(made)
    assert again.carryover is made.carryover or again.carryover == made.carryover > 1


def test_a_stated_tail_is_a_number_of_periods_and_none_is_false():
    assert replace(tv, carryover=0) == replace(tv, carryover=False)
    assert replace(tv, carryover=np.int64(1)) == replace(tv, carryover=1) != tv
    assert [replace(tv, carryover=c).tail for c in (True, False, 0, 1, 4)] == [None, 0, 0, 1, 4]
    assert repr(replace(tv, carryover=2)) == "Estimand(factual vs do(tv=0), a tail of 2)"
    assert repr(replace(tv, carryover=0)) == "Estimand(factual vs do(tv=0), without carry-over)"


def test_worlds_off_the_panel_are_written_and_told_apart():
    path = Estimand({"tv": (3, 2)}, {"tv": 1}, off_panel="path", window=("2020", "2020"))
    steady = steady_state("tv", at=100, by=-20, scale="percent")
    for made in (path, steady):
        assert Estimand.from_dict(made.to_dict()) == made
        assert made.reversed().off_panel == made.off_panel
    assert path.length == 2
    assert steady.length is None
    assert steady.active == {"tv": 80.0}
    assert repr(path) == "Estimand(do(tv=...) vs do(tv=1), 2020-01-01..2020-12-31, off the panel)"
    assert repr(steady) == "Estimand(do(tv=80) vs do(tv=100), steady state, percent)"
    assert steady != replace(steady, off_panel=None)
    by_unit = Estimand({"tv": ((3, 2, 1), (1, 2, 3))}, {"tv": (0, 0, 0)}, off_panel="path")
    assert by_unit.length == 3


def test_function_acts_but_is_not_written():
    made = Estimand({"tv": lambda x: 2 * x})
    assert made.active["tv"](3) == 6
    with pytest.raises(SpecError, match=r"cannot be written to a file; use Times"):
        made.to_dict()


# Advice


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Estimand(), r"both are factual.*incremental\('tv'\)"),
        (lambda: incremental([]), "both are factual"),
        (lambda: Estimand(["tv"]), r"active is a mapping.*got \['tv'\].*Times"),
        (lambda: Estimand("tv"), "active is a mapping"),
        (lambda: Estimand({"tv": 0}, None), "control is a mapping.*got None"),
        (lambda: Estimand({1: 0}), "key is a node, or an edge 'tv->sales'; got 1"),
        (lambda: Estimand({"": 0}), "key is a node"),
        (lambda: incremental(None), "one name or a sequence of names; got None"),
        (lambda: incremental({"tv": 0}), "one name or a sequence"),
        (lambda: Estimand({"tv": "10%"}), "set a number, an array, or a function.*'10%'"),
        (lambda: Estimand({"tv": "5"}), "set a number.*got '5'"),
        (lambda: Estimand({"tv": None}), "set a number.*got None"),
        (lambda: Estimand({"tv": Times}), r"such as Times\(1.1\); got <class"),
        (lambda: Estimand({"tv": [[1], [1, 2]]}), "set a number"),
        (lambda: Estimand({"tv": []}), r"dims are \(time,\) or \(unit, time\); got shape \(0,\)"),
        (lambda: Estimand({"tv": np.zeros((2, 2, 2))}), r"got shape \(2, 2, 2\)"),
        (lambda: Estimand({"tv": float("nan")}), "not finite"),
        (lambda: Estimand({"tv": [1, np.inf]}), "not finite"),
        (lambda: Times("1.1"), "factor must be a number; got '1.1'"),
        (lambda: Times(float("nan")), "factor must be finite"),
        (lambda: Plus(None), "amount must be a number"),
        (lambda: incremental("tv", window="2025-03-03"), r"two dates, \(start, end\)"),
        (lambda: incremental("tv", window=("2025-03-03",)), "two dates"),
        (lambda: incremental("tv", window=("2024", "2025", "2026")), "two dates"),
        (lambda: incremental("tv", window=slice("2024", "2025")), "two dates"),
        (lambda: tv.during("2025-03-03", None), "The end of the window: a date is missing"),
        (
            lambda: tv.during("soon", "later"),
            "The start of the window: 'soon' is no date. Write a day, year first",
        ),
        (lambda: tv.during(2024, 2025), "2024 is a number, not a date.*whole year.*'2024'"),
        (lambda: tv.during(pd.NaT, "2025-01-01"), "a date is missing"),
        (lambda: tv.during(pd.Timestamp("2025-01-01", tz="UTC"), "2025-02-01"), "time zone"),
        (lambda: tv.during("2025-03-03", "2025-01-01"), r"ends \(2025-01-01\) before it starts"),
        (lambda: tv.within(), "units is empty"),
        (lambda: incremental("tv", units=2.5), "one name or a sequence"),
        (lambda: incremental("tv", scale="roas"), "scale is one of total, mean, .*; got 'roas'"),
        (lambda: incremental("tv", scale=["mean"]), "scale is"),
        (lambda: incremental("tv", carryover="no"), "carryover is True or False, or a whole.*'no'"),
        (lambda: replace(tv, carryover=-1), "whole number of periods.*got -1"),
        (lambda: replace(tv, carryover=1.5), "whole number of periods.*got 1.5"),
        (lambda: replace(tv, carryover=None), "whole number of periods.*got None"),
        (lambda: replace(tv, scale="percentage"), "'percentage'. Did you mean 'percent'"),
        (lambda: replace(tv, off_panel="steady"), "no factual world.*the same nodes"),
        (lambda: Estimand({"tv": 1}, {"tv": 0}, off_panel="before"), "'path'.*got 'before'"),
        (
            lambda: Estimand({"tv": 1}, {"social": 0}, off_panel="steady"),
            "active sets tv, control sets social",
        ),
        (lambda: Estimand({"a->b": 1}, {"a->b": 0}, off_panel="steady"), "no edges"),
        (lambda: Estimand({"tv": (1, 2)}, {"tv": 0}, off_panel="steady"), "one level a world"),
        (
            lambda: Estimand({"tv": 1}, {"tv": 0}, carryover=2, off_panel="steady"),
            "leave carryover out",
        ),
        (lambda: Estimand({"tv": 1}, {"tv": 0}, off_panel="path"), "have no periods"),
        (
            lambda: Estimand({"tv": (1, 2)}, {"tv": (1, 2, 3)}, off_panel="path"),
            "have 2 and 3 periods. Give arrays of one length",
        ),
        (lambda: steady_state("tv", "100", 2), "at must be a number"),
        (lambda: tv.on(["sales"]), r"outcome is text; got \['sales'\]"),
        (lambda: tv.on(3), "outcome is text"),
        (lambda: incremental("tv", name=""), "name is text"),
        (lambda: Estimand.from_dict("tv"), "estimand must be a mapping"),
        (lambda: Estimand.from_dict({"wndow": []}), "unknown key 'wndow'.*Did you mean 'window'"),
        (lambda: Estimand.from_dict({"control": "tv"}), "control is a mapping"),
        (
            lambda: Estimand.from_dict({"control": {"tv": {"tims": 2}}}),
            r"\{times: 1.1\} or \{plus: 5\}; got \{'tims': 2\}",
        ),
        (lambda: Estimand.from_dict({"control": {"tv": {"times": "2"}}}), "factor must be a"),
    ],
)
def test_bad_question_is_refused_with_advice(make, words):
    with pytest.raises(SpecError, match=words):
        make()


def test_edge_that_is_none_is_refused_with_advice():
    with pytest.raises(GraphError, match="'tv->' is not an edge"):
        Estimand({"tv->": 0})
