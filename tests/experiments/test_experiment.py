"""`Experiment`: a measurement with an error, a design and a name."""

import math
from dataclasses import replace

import numpy as np
import pytest
import yaml

from bayescausal.errors import SpecError
from bayescausal.experiments.estimand import Estimand, Plus, Times, incremental, steady_state
from bayescausal.experiments.experiment import DESIGNS, Experiment, correlated
from bayescausal.identification.grades import GRADES

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


def test_settings_of_any_library_are_one_value():
    test = make(nu=4, half_life=26, share=1, covariance={"a": 1, "b": 2})
    again = make(
        nu=np.float64(4), half_life=np.int64(26), share=1.0, covariance={"b": 2.0, "a": np.int8(1)}
    )
    assert again == test
    assert hash(again) == hash(test)
    assert make(nu=5) != make(nu=4)
    assert make(covariance={"a": 1}) != make(covariance={"a": 2})


def test_a_covariance_is_copied():
    given = {"b": 2.0}
    test = make(covariance=given)
    given["b"] = 3.0
    assert test.covariance == {"b": 2.0}


def test_negative_and_zero_lifts_are_data():
    assert make(lift=-30.5).lift == -30.5
    assert make(lift=0).lift == 0


def test_bias_widens_the_measurement():
    assert make().sd == 120
    assert make(bias_sd=50).sd == math.hypot(120, 50)


def test_a_design_without_randomization_has_a_bias_unless_it_is_denied():
    assert make(design="did").bias == 120
    assert make(design="did").sd == math.hypot(120, 120)
    assert make(design="did", bias_sd=0).sd == 120
    assert make(design="instrument").bias == 60


def test_default_bias_grows_down_the_ladder():
    rungs = [(d.rung, d.bias) for d in DESIGNS.values()]
    assert rungs == sorted(rungs)
    assert [name for name, d in DESIGNS.items() if d.bias == 0] == [*DESIGNS][:3]
    assert {d.rung for d in DESIGNS.values()} <= {*GRADES}
    assert all(d.advice.endswith(".") for d in DESIGNS.values())


def test_an_old_test_says_less_and_its_bias_does_not_grow():
    test = make(half_life=10, bias_sd=50)
    assert test.sd_at(0) == test.sd == math.hypot(120, 50)
    assert test.sd_at(10) == pytest.approx(math.sqrt(2 * 120**2 + 50**2))
    assert test.sd_at(25) == pytest.approx(math.sqrt(2**2.5 * 120**2 + 50**2))
    assert math.isfinite(test.sd_at(1e9))
    assert make().sd_at(1e9) == 120


def test_name_is_made_of_treatments_and_start():
    assert make().name == "tv_2025-03-03"
    assert make(estimand=incremental(["tv", "paid search"])).name == "paid search+tv"
    assert make(name="winter").name == "winter"


def test_covariances_tie_groups_together_whoever_states_them():
    a, b, c, d, e = (
        make(name="a", covariance={"c": 1.0}),
        make(name="b", covariance={"d": 0.0}),
        make(name="c"),
        make(name="d"),
        make(name="e", covariance={"a": -1.0}),
    )
    for order in ((a, b, c, d, e), (e, d, c, b, a)):
        groups = [[t.name for t in group] for group in correlated(order)]
        assert groups == [["a", "c", "e"], ["b"], ["d"]]


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
        Estimand({"tv": [1.0, 2.0]}, {"tv": 0}, carryover=1, off_panel="path", window=march.window),
    ],
)
def test_round_trip(design, estimand):
    for more in (
        {},
        {"bias_sd": 0.0},
        {"bias_sd": 3.0, "nu": 4.0, "half_life": 26.0, "unit": "orders", "name": "x"},
        {"covariance": {"other": -0.5, "independent": 0.0}},
    ):
        test = make(design=design, estimand=estimand, lift=-1, **more)
        written = test.to_dict()
        assert Experiment.from_dict(written) == test
        assert Experiment.from_dict(yaml.safe_load(yaml.safe_dump(written))) == test
        assert {*written} - {"name", "estimand", "lift", "std_error", "design"} == {*more} - {
            "name"
        }
    users = make(share=0.2)
    assert Experiment.from_dict(users.to_dict()) == users != make()


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
        ({"std_error": None}, r"std_error is missing.*3.29"),
        ({"nu": 0}, "nu must be positive; got 0"),
        ({"nu": "4"}, "nu must be a number"),
        ({"half_life": -3}, "half_life must be positive; got -3"),
        ({"half_life": float("nan")}, "half_life must be finite"),
        ({"lift": 0, "estimand": replace(march, scale="cost")}, "cost per unit.*'per_spend'"),
        ({"share": 0}, "share is a part of all users, above 0 and at most 1; got 0"),
        ({"share": 20}, "at most 1; got 20"),
        ({"share": None}, "share must be a number"),
        (
            {"share": 0.2, "estimand": replace(march, scale="percent")},
            "share=0.2 of a lift on the scale 'percent': a ratio",
        ),
        (
            {"half_life": 3, "estimand": steady_state("tv", 10, 2)},
            r"half_life needs the date of the test.*\.during",
        ),
        ({"covariance": 3}, "covariance is a mapping.*got 3"),
        ({"covariance": {"b": "2"}}, "covariance with 'b' must be a number; got '2'"),
        ({"covariance": {"tv_2025-03-03": 2}}, "covariance with itself: that is std_error"),
        ({"unit": 3}, "unit is text; got 3"),
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
        ({"estimand": {"control": {"tv": 0}}, "lift": 1}, "'std_error' is missing.*3.29"),
        ({"lft": 1}, "unknown key 'lft'.*Did you mean 'lift'"),
    ],
)
def test_bad_file_is_refused_with_advice(given, words):
    with pytest.raises(SpecError, match=words):
        Experiment.from_dict(given)
