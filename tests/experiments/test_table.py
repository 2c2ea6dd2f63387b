"""A table of tests as experiments: what a row says, and what it must not leave out."""

import math

import numpy as np
import pandas as pd
import pytest

from bayescausal.errors import SpecError
from bayescausal.experiments.estimand import incremental, steady_state
from bayescausal.experiments.experiment import Experiment
from bayescausal.experiments.table import STEADY, WINDOWED, experiments_from_frame


def table(*rows, **common):
    base = {
        "treatment": "tv",
        "start": "2025-03-03",
        "end": "2025-03-30",
        "lift": 410.0,
        "std_error": 120.0,
        "design": "geo-rct",
    }
    return pd.DataFrame([base | common | row for row in rows or ({},)])


def read(*rows, **common):
    return experiments_from_frame(table(*rows, **common))


def test_a_row_is_the_experiment_written_by_hand():
    tv = incremental("tv").during("2025-03-03", "2025-03-30")
    assert read() == (Experiment(tv, 410, 120, "geo-rct"),)


def test_every_column_reaches_its_field():
    (test,) = read(
        {
            "treatment": "tv + paid search",
            "outcome": "visits",
            "units": "north | south",
            "scale": "mean",
            "carryover": 2,
            "bias_sd": 5.0,
            "name": "spring",
            "nu": 4.0,
            "half_life": 52,
            "share": 0.5,
            "unit": "orders",
        }
    )
    asked = incremental(
        ["tv", "paid search"],
        outcome="visits",
        units=("north", "south"),
        scale="mean",
        carryover=2,
        window=("2025-03-03", "2025-03-30"),
    )
    assert test == Experiment(
        asked, 410, 120, "geo-rct", 5.0, "spring", nu=4, half_life=52, share=0.5, unit="orders"
    )


@pytest.mark.parametrize("empty", [None, np.nan, pd.NaT, pd.NA, "", "  "])
@pytest.mark.parametrize("column", ["outcome", "units", "scale", "bias_sd", "name", "carryover"])
def test_an_empty_cell_is_the_default(column, empty):
    frame = table().assign(**{column: pd.Series([empty], dtype=object)})
    assert experiments_from_frame(frame) == read()


@pytest.mark.parametrize(
    ("cell", "tail"),
    [(True, None), (np.bool_(False), 0), ("yes", None), ("False", 0), ("3", 3), (2.0, 2), (0, 0)],
)
def test_carryover_is_read_from_what_a_file_holds(cell, tail):
    assert read({"carryover": cell})[0].estimand.tail == tail


def test_a_row_says_its_design_before_the_argument_does():
    rows = table({"name": "a", "design": "did"}, {"name": "b", "design": None})
    designs = [test.design for test in experiments_from_frame(rows, design="user-rct")]
    assert designs == ["did", "user-rct"]


def test_dates_of_any_kind_and_none_at_all():
    days = (pd.Timestamp("2025-03-03"), pd.Timestamp("2025-03-30"))
    assert read({"start": days[0], "end": days[1]}) == read()
    assert read({"start": None, "end": None})[0].estimand.window is None


def test_units_that_are_numbers_stay_whole_beside_an_empty_cell():
    frame = table({"name": "a"}, {"name": "b"}).assign(units=[101.0, np.nan])
    assert experiments_from_frame(frame)[0].estimand.units == ("101",)


@pytest.mark.parametrize(("prob", "z"), [(0.9, 1.6449), (0.95, 1.9600), (0.5, 0.6745)])
def test_an_interval_gives_the_standard_error(prob, z):
    row = {"std_error": None, "low": 410 - 30 * z, "high": 410 + 30 * z, "prob": prob}
    assert math.isclose(read(row)[0].std_error, 30, rel_tol=1e-4)


def test_an_interval_beside_the_standard_error_checks_it():
    row = {"low": 410 - 197, "high": 410 + 197, "prob": 0.9}
    assert read(row)[0].std_error == 120
    with pytest.raises(SpecError, match=r"std_error=60 contradicts the interval.*119\.8"):
        read(row | {"std_error": 60.0})


def test_rows_that_would_share_a_name_are_numbered_in_order():
    rows = read({}, {}, {"name": "tv_2025-03-03_2"}, {})
    names = ["tv_2025-03-03", "tv_2025-03-03_3", "tv_2025-03-03_2", "tv_2025-03-03_4"]
    assert [test.name for test in rows] == names


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"std_error": None}, r"Row 1.*'std_error' is missing.*low, high"),
        ({"std_error": None, "low": 1.0, "prob": 0.9}, r"Row 1.*high is missing"),
        ({"std_error": None, "low": 213.0, "high": 607.0}, r"Row 1.*prob is missing"),
        ({"std_error": None, "prob": 0.9}, r"Row 1.*low, high are missing"),
        ({"low": 213.0, "high": 607.0, "prob": 90}, r"Row 1.*0\.9 say; got 90"),
        ({"low": 607.0, "high": 213.0, "prob": 0.9}, r"Row 1.*not below"),
        ({"low": 313.0, "high": 707.0, "prob": 0.9}, r"Row 1.*not centered at the lift 410"),
        ({"std_error": -1.0}, r"Row 1.*must be positive"),
        ({"lift": None}, r"Row 1.*'lift' is missing"),
        ({"lift": "410"}, r"Row 1.*lift must be a number"),
        ({"treatment": None}, r"Row 1.*'treatment' is missing"),
        ({"treatment": "tv+"}, r"Row 1.*missing beside '\+'"),
        ({"units": "a||b"}, r"Row 1.*missing beside '\|'"),
        ({"design": None}, r"Row 1.*'design' is missing.*design="),
        ({"design": "geo-rtc"}, r"Row 1.*Did you mean 'geo-rct'"),
        ({"scale": "sum"}, r"Row 1.*scale"),
        ({"carryover": "some"}, r"Row 1.*carryover is true, false or a number"),
        ({"carryover": 1.5}, r"Row 1.*carryover is true, false or a number"),
        ({"end": None}, r"Row 1.*start and end go together"),
        ({"end": "2025-02-01"}, r"Row 1.*before it starts"),
    ],
)
def test_a_bad_row_is_named(row, message):
    with pytest.raises(SpecError, match=message):
        read({"name": "good"}, row)


def test_a_bad_table_is_refused():
    with pytest.raises(SpecError, match=r"'std_eror'.*Did you mean 'std_error'"):
        experiments_from_frame(table().rename(columns={"std_error": "std_eror"}))
    with pytest.raises(SpecError, match="no rows"):
        experiments_from_frame(table().iloc[:0])
    with pytest.raises(SpecError, match="2 columns 'lift'"):
        experiments_from_frame(pd.concat([table(), table()[["lift"]]], axis=1))
    with pytest.raises(SpecError, match="2 rows of the experiments are called 'spring'"):
        read({"name": "spring"}, {"name": "spring"})
    with pytest.raises(SpecError, match="must be a pandas DataFrame"):
        experiments_from_frame([{"treatment": "tv"}])


def test_pymc_marketing_rows_are_points_on_a_steady_response():
    rows = pd.DataFrame(
        {
            "channel": ["tv", "tv", "search"],
            "x": [100, 150, 10],
            "delta_x": [20, -20, 5],
            "delta_y": [5.0, -4.0, 1.5],
            "sigma": [2.0, 1.0, 0.5],
        }
    )
    tests = experiments_from_frame(rows, design="geo-rct")
    assert [t.name for t in tests] == ["tv", "tv_2", "search"]
    by_hand = Experiment(steady_state("tv", at=150, by=-20), -4, 1, "geo-rct", name="tv_2")
    assert tests[1] == by_hand
    with pytest.raises(SpecError, match=r"Row 0.*'design' is missing"):
        experiments_from_frame(rows)
    with pytest.raises(SpecError, match="'sigma' is missing"):
        experiments_from_frame(rows.drop(columns="sigma"), design="did")
    with pytest.raises(SpecError, match=r"'geo' .*not known.*units"):
        experiments_from_frame(rows.assign(geo="north"), design="did")


def test_pymc_marketing_rows_take_a_date_for_their_age():
    row = {"channel": "tv", "x": 9, "delta_x": 1, "delta_y": 5.0, "sigma": 2.0, "half_life": 52.0}
    frame = pd.DataFrame([row | {"start": "2024-01-01", "end": "2024-01-28"}])
    (test,) = experiments_from_frame(frame, design="geo-rct")
    assert test.half_life == 52
    assert test.name == "tv_2024-01-01"


def test_the_known_columns_are_told_apart():
    assert len(set(WINDOWED)) == len(WINDOWED)
    assert not {"channel", "x", "delta_x", "delta_y", "sigma"} & {*WINDOWED}
    assert not {"treatment", "lift", "std_error"} & {*STEADY}
