"""`Dataset`: what is read, what is refused and with which advice; nothing lost, nothing changed."""

import warnings
from dataclasses import FrozenInstanceError, replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescausal.data.columns import LARGEST
from bayescausal.data.dataset import Dataset
from bayescausal.errors import ColumnsLeftOut, DataError

START = "2024-01-01"


def weekly(rows=8, freq="7D", **columns):
    week = pd.date_range(START, periods=rows, freq=freq)
    own = {"tv": np.arange(rows) + 0.5, "sales": 10.0 + np.arange(rows) ** 2}
    return pd.DataFrame({"week": week, **own, **columns})


def panel(units=("north", "south"), rows=6):
    parts = [weekly(rows).assign(geo=u, tv=np.arange(rows) + k + 1) for k, u in enumerate(units)]
    return pd.concat(parts, ignore_index=True)


def read(frame, **settings):
    """Read, in silence, and hold that the user's frame is as it was."""
    before = frame.copy(deep=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return Dataset.from_frame(frame, **{"time": "week", "spend": ["tv"], **settings})
    finally:
        pd.testing.assert_frame_equal(frame, before)


def read_panel(frame, **settings):
    return read(frame, unit="geo", **settings)


# What is read


@pytest.mark.parametrize("factor", [1e300, 1e-300, 1e60, 1e-60])
@pytest.mark.parametrize("name", ["sales", "tv", "worth"])
def test_units_in_which_spreads_overflow_are_refused_with_advice(name, factor):
    frame = weekly(worth=np.ones(8))
    frame[name] *= factor
    with pytest.raises(DataError, match=rf"'{name}' is .*e[+-].*other units"):
        read(frame, value="worth")
    with pytest.raises(DataError, match=r"value is .* other units"):
        read(weekly(), value=factor)


def test_units_that_are_not_refused_leave_the_square_of_every_return_in_range():
    frame = weekly(worth=np.full(8, LARGEST))
    frame["sales"] *= LARGEST / frame["sales"].max()
    frame["tv"] *= 1 / LARGEST / frame["tv"].max()
    data = read(frame, value="worth")
    most = LARGEST * data.array("sales").max() / data.array("tv").max()
    assert np.isfinite(most**2)
    assert most**-2 > 0
    assert read(weekly(price=np.zeros(8))).columns  # a column of zeros is judged where it is used


def test_every_number_arrives_in_its_place():
    frame = weekly()
    data = read(frame, value="sales", history=2)
    for name in ("tv", "sales"):
        np.testing.assert_array_equal(data.array(name), frame[name])
    assert data.columns == ("sales", "tv")
    assert list(data.time) == list(frame["week"])
    assert list(data.training) == list(frame["week"][2:])
    np.testing.assert_array_equal(data.spend_of("tv"), frame["tv"])
    np.testing.assert_array_equal(data.value_of_outcome(), frame["sales"])


@pytest.mark.parametrize("order", ["unit by unit", "period by period"])
def test_panel_lays_units_before_time_in_either_order_of_rows(order):
    frame = panel()
    if order == "period by period":
        frame = frame.sort_values(["week", "geo"], kind="stable")
    data = read_panel(frame)
    assert data.dims == ("unit", "time")
    assert data.units == ("north", "south")
    for k, unit in enumerate(data.units):
        np.testing.assert_array_equal(data.array("tv")[k], frame.loc[frame["geo"] == unit, "tv"])


@pytest.mark.parametrize(
    ("freq", "name"),
    [
        ("D", "daily"),
        ("7D", "weekly"),
        ("W-SUN", "weekly"),
        ("MS", "monthly"),
        ("ME", "monthly"),
        ("BMS", "monthly"),
        ("WOM-1MON", "monthly"),
        ("QS", "quarterly"),
        ("QE", "quarterly"),
        ("YS", "yearly"),
        ("14D", "14-daily"),
        ("28D", "28-daily"),
    ],
)
def test_regular_dates_are_read_and_named(freq, name):
    frame = weekly(12, freq)
    data = read(frame)
    assert data.frequency == name
    assert list(data.time) == list(frame["week"])


@pytest.mark.parametrize("day", [14, 29])
def test_months_may_be_dated_by_any_day(day):
    months = pd.date_range("2023-01-01", periods=14, freq="MS")
    dates = [m + pd.Timedelta(days=min(day, m.days_in_month - 1)) for m in months]
    assert read(weekly(14, week=dates)).frequency == "monthly"


@pytest.mark.parametrize(
    "written",
    [
        lambda d: d.dt.strftime("%Y-%m-%d"),
        lambda d: d.dt.strftime("%Y-%m-%d").astype(object),
        lambda d: d.dt.date,
        lambda d: d.dt.to_period("W"),
        lambda d: d.astype("datetime64[s]"),
        lambda d: d.astype("datetime64[ns]"),
        lambda d: d.dt.strftime("%Y-%m-%d").astype("category"),
    ],
)
def test_dates_are_the_same_whatever_wrote_them(written):
    frame = weekly()
    again = frame.assign(week=written(frame["week"]))
    assert read(again).hash == read(frame).hash
    assert list(read(again).time) == list(frame["week"])


def test_monthly_periods_are_dated_by_their_start():
    frame = weekly(week=pd.period_range("2024-01", periods=8, freq="M"))
    assert list(read(frame).time[:2]) == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")]


@pytest.mark.parametrize("kind", ["int64", "Int64", "Float64", "float32", "bool", "boolean"])
def test_kinds_of_numbers_become_floats(kind):
    numbers = pd.Series([1, 0, 1, 1, 0, 0, 1, 0]).astype(kind)
    array = read(weekly(tv=numbers)).array("tv")
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, [1, 0, 1, 1, 0, 0, 1, 0])


@pytest.mark.parametrize("units", [(1, 2), (1.5, 2.5), ("1", "2"), ("süd", "north east")])
def test_units_become_text(units):
    assert read_panel(panel(units)).units == tuple(map(str, units))


def test_categorical_units_keep_only_what_is_there():
    frame = panel()
    frame["geo"] = pd.Categorical(frame["geo"], ["west", "south", "north"])
    assert read_panel(frame).units == ("north", "south")


def test_one_unit_is_a_panel():
    assert read_panel(panel(("north",))).dims == ("unit", "time")


def test_columns_limits_what_is_kept_but_never_the_spend():
    frame = weekly(note="a", price=2.0, holes=[np.nan] * 8)
    data = read(frame, columns=["sales"], spend={"tv": "price"})
    assert data.columns == ("price", "sales")
    assert read(frame, columns="sales", spend=None).columns == ("sales",)


def test_spend_is_a_mapping_a_list_or_one_name():
    frame = weekly()
    assert read(frame, spend="tv").spend == read(frame, spend={"tv": "tv"}).spend == {"tv": "tv"}
    assert read(frame, spend=None).spend == {}


def test_data_do_not_change_behind_the_dataset():
    frame = weekly()
    data = read(frame)
    frame.loc[0, "tv"] = 99.0
    assert data.array("tv")[0] == 0.5
    with pytest.raises(ValueError, match="read-only"):
        data.array("tv")[0] = 99.0
    with pytest.raises(FrozenInstanceError):
        data.history = 3


# Scales and hashes


def test_scale_is_the_largest_absolute_training_value():
    frame = weekly(tv=[99.0, 1, 2, 3, 4, 5, 6, 7], sales=[-50.0, -9, 2, 3, 4, 5, 6, 7])
    data = read(frame, history=1)
    np.testing.assert_array_equal(data.scale("tv"), [7.0])
    np.testing.assert_array_equal(data.scale("sales"), [9.0])


def test_unit_without_exposure_takes_the_largest_scale_of_the_others():
    frame = panel(("a", "b", "c"))
    frame["tv"] = frame["tv"].where(frame["geo"] != "b", 0.0)
    np.testing.assert_array_equal(read_panel(frame).scale("tv"), [[6.0], [8.0], [8.0]])


@pytest.mark.parametrize(
    "other",
    [
        lambda f: read(f.assign(tv=f["tv"] + 1e-12)),
        lambda f: read(f.rename(columns={"sales": "sale"})),
        lambda f: read(f, history=1),
        lambda f: read(f, value=2.0),
        lambda f: read(f, spend={"tv": "sales"}),
        lambda f: read(f.assign(week=f["week"] + pd.Timedelta(days=1))),
    ],
)
def test_hash_tells_data_apart(other):
    assert other(weekly()).hash != read(weekly()).hash


def test_hash_does_not_depend_on_columns_or_value_being_written_otherwise():
    frame = weekly()
    assert read(frame[["sales", "tv", "week"]], value=np.float32(1)).hash == read(frame).hash


def test_spend_of_says_what_there_is():
    data = read(weekly())
    with pytest.raises(DataError, match=r"No spend is given for 'tvv'.*Did you mean 'tv'"):
        data.spend_of("tvv")
    with pytest.raises(DataError, match=r"no column 'salse'.*Did you mean 'sales'"):
        data.array("salse")


# What is refused: (change of the weekly frame, settings, words of the advice)

REFUSED = {
    "gap": (lambda f: f.drop(index=3), {}, "gaps: 1 periods .*7 days.*2024-01-22.*add the rows"),
    "two gaps": (lambda f: f.drop(index=[2, 5, 6]), {}, "gaps: 3 periods.*2024-01-15, 2024-02-05"),
    "twice": (lambda f: pd.concat([f, f.iloc[[2]]]), {}, "2024-01-15 twice.*panel give unit="),
    "disorder": (lambda f: f.iloc[[0, 2, 1, *range(3, 8)]], {}, "out of order: 2024-01-08 follows"),
    "backwards": (lambda f: f.iloc[::-1], {}, "out of order.*Sort it by time"),
    "irregular": (
        lambda f: f.assign(week=f["week"].where(f.index != 4, f["week"] + pd.Timedelta(days=2))),
        {},
        "not regular.*7 days.*2024-01-31 follows 2024-01-22",
    ),
    "hourly": (
        lambda f: f.assign(week=pd.date_range(START, periods=8, freq="h")),
        {},
        "several rows a day, such as 2024-01-01 01:00:00 in row 1.*a day at the finest",
    ),
    "business days": (
        lambda f: f.assign(week=pd.date_range(START, periods=8, freq="B")),
        {},
        "gaps: 2 periods.*2024-01-06, 2024-01-07",
    ),
    "month missing": (
        lambda f: f.assign(week=pd.date_range(START, periods=9, freq="MS").delete(4)),
        {},
        r"gaps: 1 periods.*1 month \(2024-05-01\)",
    ),
    "month end missing": (
        lambda f: f.assign(week=pd.date_range(START, periods=9, freq="ME").delete(4)),
        {},
        "gaps: 1 periods.*1 month .*2024-05-30",
    ),
    "missing value": (
        lambda f: f.assign(tv=[1, np.nan, *[2] * 6]),
        {},
        "'tv' has 1 missing or infinite values, the first at 2024-01-08.*Fill them",
    ),
    "infinite": (lambda f: f.assign(sales=[1.0] * 7 + [np.inf]), {}, "'sales' has 1 missing"),
    "NA": (
        lambda f: f.assign(tv=pd.array([1, None, *[3] * 6], dtype="Int64")),
        {},
        "'tv' has 1 missing",
    ),
    "boolean NA": (
        lambda f: f.assign(promo=pd.array([None, True] * 4, dtype="boolean")),
        {},
        "'promo' has 4 missing .* 2024-01-01",
    ),
    "negative spend": (lambda f: f.assign(tv=f["tv"] - 1), {}, "spend of 'tv'.*negative in 1 rows"),
    "zero spend": (lambda f: f.assign(tv=0), {}, "spend of 'tv'.*zero in every row: .*Leave it"),
    "zero after history": (
        lambda f: f.assign(tv=[3.0, 2, *[0] * 6]),
        {"history": 2},
        "zero in every row after the history",
    ),
    "text": (lambda f: f.assign(tv=[f"{k},000" for k in range(8)]), {}, "not numbers.*to_numeric"),
    "objects": (lambda f: f.assign(tv=[Decimal(k) for k in range(8)]), {}, "object, not numbers"),
    "two columns": (lambda f: pd.concat([f, f[["tv"]]], axis=1), {}, "two columns 'tv'"),
    "two time columns": (lambda f: pd.concat([f, f[["week"]]], axis=1), {}, "two columns 'week'"),
    "column called time": (lambda f: f.assign(time=1.0), {}, "cannot be called 'time'.*Rename"),
    "column called unit": (lambda f: f.assign(unit=1.0), {}, "cannot be called 'unit'.*Rename"),
    "column called draw": (lambda f: f.assign(draw=1.0), {}, "cannot be called 'draw'"),
    "number as a name": (lambda f: f.rename(columns={"sales": 3}), {}, r"must be text; got 3\."),
    "levels of names": (
        lambda f: f.set_axis(pd.MultiIndex.from_product([["a"], f.columns]), axis=1),
        {},
        "Names of columns must be text.*Flatten",
    ),
    "empty": (lambda f: f.iloc[:0], {}, "0 rows; three periods are the least"),
    "one row": (lambda f: f.iloc[:1], {}, "1 rows; three periods"),
    "two rows": (lambda f: f.iloc[:2], {}, "2 rows; three periods"),
    "no columns": (lambda f: pd.DataFrame(), {}, "no column 'week'. There are: none"),
    "time in the index": (lambda f: f.set_index("week"), {}, "'week' is the index.*reset_index"),
    "time in an index without a name": (
        lambda f: f.set_index("week").rename_axis(None),
        {},
        r"no name.*rename_axis\('week'\).reset_index",
    ),
    "time zone": (lambda f: f.assign(week=f["week"].dt.tz_localize("UTC")), {}, "time zone"),
    "missing date": (lambda f: f.assign(week=f["week"].where(f.index > 0)), {}, "1 missing dates"),
    "words for dates": (lambda f: f.assign(week="soon"), {}, "cannot be read as dates.*ISO"),
    "day first": (
        lambda f: f.assign(week=f["week"].dt.strftime("%d/%m/%Y")),
        {},
        "cannot be read as dates.*'01/01/2024'.*ISO.*%d/%m/%Y",
    ),
    "numbers for dates": (lambda f: f.assign(week=range(8)), {}, "int64, not dates.*to_datetime"),
    "years for dates": (lambda f: f.assign(week=range(2016, 2024)), {}, "int64, not dates"),
    "unknown time": (lambda f: f, {"time": "weeek"}, "no column 'weeek'.*Did you mean 'week'"),
    "time=None": (lambda f: f, {"time": None}, "no column 'None'"),
    "unknown unit": (lambda f: f, {"unit": "geo"}, "no column 'geo'. There are: sales, tv, week"),
    "unknown cost": (lambda f: f, {"spend": {"tv": "tvv"}}, "no column 'tvv'.*Did you mean 'tv'"),
    "unknown treatment": (lambda f: f, {"spend": {"TV": "tv"}}, "no column 'TV'"),
    "unknown spend": (lambda f: f, {"spend": ["slaes"]}, "no column 'slaes'.*Did you mean 'sales'"),
    "spend=3": (lambda f: f, {"spend": 3}, "spend takes names of columns; got 3"),
    "unknown column": (lambda f: f, {"columns": ["x"]}, "no column 'x'"),
    "time among columns": (
        lambda f: f,
        {"columns": ["week"]},
        "'week' cannot be used: it holds datetime64.*Leave it out",
    ),
    "thousands": (
        lambda f: f.assign(tv=["0", "12,345.60"] * 4),
        {},
        r"text such as '12,345.60'.*to_numeric\(frame\['tv'\].str.replace\(',', ''\)\)",
    ),
    "words among numbers": (
        lambda f: f.assign(tv=["1", "n/a"] * 4),
        {},
        r"text such as 'n/a', not numbers. Write a number.*to_numeric\(frame\['tv'\]\)",
    ),
    "spend that cannot be saved": (
        lambda f: f.assign(**{"cost/1000": 1.0}),
        {"spend": {"tv": "cost/1000"}},
        "'cost/1000' cannot be used: a name with '/' cannot be saved. Rename it",
    ),
    "value that cannot be saved": (
        lambda f: f.assign(**{"margin/unit": 1.0}),
        {"value": "margin/unit"},
        "'margin/unit' cannot be used.*Rename it",
    ),
    "column asked for that cannot be saved": (
        lambda f: f.assign(**{"a/b": 1.0}),
        {"columns": ["tv", "sales", "a/b"]},
        "'a/b' cannot be used.*leave it out with columns=",
    ),
    "columns=3": (lambda f: f, {"columns": 3}, "columns takes names"),
    "unknown value": (lambda f: f, {"value": "margin"}, "no column 'margin'"),
    "value=None": (lambda f: f, {"value": None}, "value is a column or a number.*None"),
    "value=nan": (lambda f: f, {"value": float("nan")}, "value is a column or a number.*nan"),
    "value=[1]": (lambda f: f, {"value": [1]}, "value is a column or a number"),
    "all history": (lambda f: f, {"history": 8}, "history=8 must leave training rows.*8 rows"),
    "history=-1": (lambda f: f, {"history": -1}, "history=-1 must leave"),
    "history='2'": (lambda f: f, {"history": "2"}, "history='2'.*counts leading periods"),
    "history=None": (lambda f: f, {"history": None}, "history=None"),
    "history=2.0": (lambda f: f, {"history": 2.0}, r"history=2\.0"),
    "history=True": (lambda f: f, {"history": True}, "history=True"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_table_is_refused_with_advice(case):
    change, settings, words = REFUSED[case]
    with pytest.raises(DataError, match=f"(?s){words}"):
        read(change(weekly()), **settings)


@pytest.mark.parametrize("frame", [None, {"week": [1]}, [1], weekly()["tv"], np.ones((3, 2))])
def test_only_a_pandas_frame_is_read(frame):
    with pytest.raises(DataError, match=f"must be a pandas DataFrame; got {type(frame).__name__}"):
        Dataset.from_frame(frame, time="week")


REFUSED_PANELS = {
    "last row missing": (lambda f: f.iloc[:-1], "'south' has 5 periods, 'north' has 6.*2024-02-05"),
    "first row missing": (lambda f: f.drop(index=6), "'south' has 5 periods.*2024-01-01.*fill"),
    "row missing": (lambda f: f.drop(index=9), "unit 'south' has gaps: 1 periods.*2024-01-22"),
    "shifted": (
        lambda f: f.assign(
            week=f["week"] + pd.to_timedelta(np.where(f["geo"] == "south", 7, 0), unit="D")
        ),
        "'south' has 6 periods, 'north' has 6.*2024-01-01",
    ),
    "row twice": (lambda f: pd.concat([f, f.iloc[[4]]]), "unit 'north' has .* 2024-01-29 twice"),
    "unsorted": (lambda f: f.sample(frac=1, random_state=0), "unit '.*' is out of order.*Sort"),
    "unit missing": (lambda f: f.assign(geo=f["geo"].where(f.index > 0)), "1 missing units"),
    "units that look alike": (lambda f: f.assign(geo=[1] * 6 + ["1"] * 6), "unit '1' .* twice"),
    "empty": (lambda f: f.iloc[:0], "0 rows; three periods"),
    "missing value": (lambda f: f.assign(tv=f["tv"].where(f.index != 7)), "1 missing.*2024-01-08"),
}


@pytest.mark.parametrize("case", REFUSED_PANELS)
def test_bad_panel_is_refused_with_advice(case):
    change, words = REFUSED_PANELS[case]
    with pytest.raises(DataError, match=f"(?s){words}"):
        read_panel(change(panel()))


def test_panel_read_without_unit_is_refused_with_advice():
    with pytest.raises(DataError, match=r"twice.*for a panel give unit="):
        read(panel())


def test_text_is_left_out_of_the_default_columns_and_spend_may_be_zero_in_one_unit():
    frame = panel()
    frame["tv"] = frame["tv"].where(frame["geo"] == "north", 0)
    with pytest.warns(ColumnsLeftOut, match="'note'"):
        data = Dataset.from_frame(frame.assign(note="a"), time="week", unit="geo", spend=["tv"])
    assert data.columns == ("sales", "tv")


# The constructor checks what it is given, so that no invalid value exists


def test_constructor_checks_like_the_reader():
    data = read(weekly())
    with pytest.raises(DataError, match=r"must be an xarray.Dataset; got DataFrame.*from_frame"):
        Dataset(weekly())
    with pytest.raises(DataError, match="missing or infinite"):
        Dataset(data.table * np.nan)
    with pytest.raises(DataError, match="negative in 8 rows"):
        Dataset(-data.table, {"tv": "tv"})
    with pytest.raises(DataError, match=r"spend of 'tv', 'cost'. There are: sales, tv"):
        replace(data, spend={"tv": "cost"})
    with pytest.raises(DataError, match="history=9"):
        replace(data, history=9)


def test_table_of_integers_is_the_table_of_floats():
    table = xr.Dataset({"tv": ("time", [1, 2, 3])}, {"time": pd.date_range(START, periods=3)})
    assert Dataset(table).hash == Dataset(table.astype(float)).hash


def test_repr_says_what_there_is():
    assert repr(read_panel(panel(), history=1)) == (
        "Dataset(6 weekly periods x 2 units 2024-01-01..2024-02-05; columns sales, tv; spend of "
        "tv; 1\n"
        "    periods of history)"
    )


# What is left out, and why


def test_columns_that_are_left_out_are_remembered_with_the_reason():
    frame = weekly(note="x", late=pd.Timestamp("2025-01-01"), **{"ctr/1000": 0.5, "": 1.0})
    with pytest.warns(ColumnsLeftOut, match="'late'.*'ctr/1000'.*and 1 more"):
        data = Dataset.from_frame(frame, time="week", spend=["tv"])
    assert data.columns == ("sales", "tv")
    assert {*data.left_out} == {"note", "late", "ctr/1000", ""}
    assert "text such as 'x'" in data.left_out["note"]
    assert "datetime64" in data.left_out["late"]
    assert data.left_out["ctr/1000"] == "a name with '/' cannot be saved. Rename it"
    chosen = read(weekly(extra=1.0), columns=["tv", "sales"])
    assert chosen.left_out == {"extra": "columns= does not name it"}
    assert read(weekly()).left_out == {}


def test_what_is_left_out_changes_neither_hash_nor_settings():
    data, more = read(weekly()), read(weekly(note="x"), columns=["tv", "sales"])
    assert data.hash == more.hash
    assert data.settings() == more.settings()
    assert "note" not in repr(more)


@pytest.mark.parametrize("name", ["a/b", "/", ".", "", "a\0b", "a\ud800"])
def test_a_table_with_a_name_that_no_file_holds_is_refused(name):
    table = read(weekly()).table.assign({name: ("time", np.ones(8))})
    with pytest.raises(DataError, match="cannot be saved"):
        Dataset(table)


@pytest.mark.parametrize("name", ["cost (EUR)", "süd", "a b", "a.b", "..", "a\\b", "a\nb", "1"])
def test_every_name_that_is_kept_can_be_saved(name, tmp_path):
    data = read(weekly(**{name: np.arange(8.0)}))
    tree = xr.DataTree.from_dict({"data": data.table})
    tree.to_netcdf(tmp_path / "data.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "data.nc", engine="h5netcdf") as saved:
        again = Dataset(saved.load()["data"].to_dataset(), **data.settings())
    assert again.hash == data.hash
