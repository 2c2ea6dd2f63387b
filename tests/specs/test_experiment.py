"""`Experiment`: a measurement with an error, a design and a name."""

import math

import numpy as np
import pytest

from bayescausal.errors import SpecError
from bayescausal.specs.estimand import Estimand, Plus, Times, incremental
from bayescausal.specs.experiment import DESIGNS, Experiment

march = incremental("tv").during("2025-03-03", "2025-03-30")


def make(**changed):
    settings = {"estimand": march, "lift": 410, "std_error": 120, "design": "geo-rct"} | changed
    return Experiment(**settings)


def test_numbers_of_any_library_are_one_value():
    test = make()
    for lift in (410.0, np.float64(410), np.float32(410), np.int64(410)):
        again = make(lift=lift)
        assert again == test
        assert hash(again) == hash(test)
        assert type(again.lift) is float


def test_negative_and_zero_lifts_are_data():
    assert make(lift=-30.5).lift == -30.5
    assert make(lift=0).lift == 0


def test_bias_widens_the_measurement():
    assert make().sd == 120
    assert make(bias_sd=50).sd == math.hypot(120, 50)


def test_name_is_made_of_treatments_and_start():
    assert make().name == "tv_2025-03-03"
    assert make(estimand=incremental(["tv", "paid search"])).name == "paid search+tv"
    assert make(name="winter").name == "winter"


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize(
    "estimand",
    [
        march,
        incremental(["tv", "social"]).within("north"),
        incremental("search").on("sales"),
        Estimand({"tv": Times(1.2)}, outcome="search"),
        Estimand({"tv": Plus(5)}, {"tv": 0}, scale="per_spend"),
        Estimand({"tv": [1.0, 2.0]}, carryover=False),
    ],
)
def test_round_trip(design, estimand):
    test = make(design=design, estimand=estimand, bias_sd=3.0, lift=-1)
    assert Experiment.from_dict(test.to_dict()) == test


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"lift": "410"}, "lift must be a number; got '410'"),
        ({"lift": None}, "lift must be a number; got None"),
        ({"lift": True}, "lift must be a number; got True"),
        ({"lift": [1, 2]}, "lift must be a number"),
        ({"lift": float("nan")}, "lift must be finite; got nan"),
        ({"std_error": np.inf}, "std_error must be finite"),
        ({"std_error": 0}, "std_error must be positive; got 0.*3.29"),
        ({"std_error": -1}, "std_error must be positive; got -1"),
        ({"bias_sd": -1}, "bias_sd must not be negative"),
        ({"bias_sd": "1"}, "bias_sd must be a number"),
        ({"design": "geo_rct"}, "'geo_rct' is not known.*Did you mean 'geo-rct'"),
        ({"design": None}, "is not known. Say how the lift was obtained"),
        ({"estimand": "tv"}, r"measures an Estimand; got 'tv'. Write Experiment\(incremental"),
        ({"estimand": None}, "measures an Estimand"),
        ({"estimand": {"control": {"tv": 0}}}, "measures an Estimand"),
        ({"name": 3}, "name is text; got 3"),
        ({"name": ""}, "name is text"),
    ],
)
def test_bad_measurement_is_refused_with_advice(changed, words):
    with pytest.raises(SpecError, match=words):
        make(**changed)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "experiment must be a mapping; got 3"),
        ({}, "experiment: 'estimand' is missing"),
        ({"estimand": {"control": {"tv": 0}}, "lift": 1, "std_error": 1}, "'design' is missing"),
        ({"lft": 1}, "unknown key 'lft'.*Did you mean 'lift'"),
    ],
)
def test_bad_file_is_refused_with_advice(given, words):
    with pytest.raises(SpecError, match=words):
        Experiment.from_dict(given)
