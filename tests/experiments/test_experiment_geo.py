"""`Experiment.from_geo_panel`: lift and evidence in one line, and which estimand it is."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from geo_cases import AFTER, BEFORE, WEEKS, WINDOW, as_frame, panel

import bayescausal as bc
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import Estimand, Plus, Times, incremental
from bayescausal.experiments.experiment import Experiment
from bayescausal.experiments.geo_panel import geo_test
from bayescausal.specs.compatibility import check

TREATED = ("g00", "g01")
COLUMNS = {"time": "week", "unit": "geo", "outcome": "sales"}


@pytest.fixture(scope="module")
def frame():
    sales = panel(np.random.default_rng(5), 2, 10)
    sales[:2, BEFORE:] += 15.0
    return as_frame(sales)


def measure(frame, **changed):
    settings = COLUMNS | {"estimand": incremental("tv"), "seed": 1} | changed
    return Experiment.from_geo_panel(frame, TREATED, WINDOW, **settings)


def test_one_line_is_the_two_steps(frame):
    asked = incremental("tv", scale="per_spend")
    made = measure(
        frame,
        estimand=asked,
        method="synthetic-control",
        intercept=False,
        prob=0.8,
        randomized=True,
        spend=600.0,
        name="spring",
        half_life=26,
    )
    found = geo_test(
        frame,
        TREATED,
        WINDOW,
        **COLUMNS,
        estimand=asked,
        method="synthetic-control",
        intercept=False,
        prob=0.8,
        seed=1,
    )
    assert made.source.to_dict() == found.to_dict()
    assert made == Experiment.from_geo_test(
        found, randomized=True, spend=600.0, name="spring", half_life=26
    )
    assert math.isclose(made.lift, found.lift / 600)
    assert math.isclose(made.std_error, found.std_error / 600)
    assert (made.design, made.name, made.half_life) == ("geo-rct", "spring", 26)


def test_the_method_says_the_design_and_its_bias(frame):
    made = {m: measure(frame, method=m) for m in ("did", "synthetic-control", "tbr")}
    designs = [test.design for test in made.values()]
    assert designs == ["did", "synthetic-control", "synthetic-control"]
    assert all(test.bias == test.std_error for test in made.values())
    assert measure(frame, randomized=True).bias == 0


def test_evidence_is_kept_but_is_no_part_of_the_measurement(frame):
    made = measure(frame)
    bare = replace(made, source=None)
    assert made == bare
    assert hash(made) == hash(bare)
    assert repr(made) == repr(bare)
    assert replace(made, name="other").source is made.source
    with pytest.raises(SpecError, match="source is a GeoTest; got 'a report'"):
        replace(made, source="a report")


@pytest.mark.parametrize(
    "through",
    [lambda d: d, lambda d: json.loads(json.dumps(d)), lambda d: yaml.safe_load(yaml.safe_dump(d))],
    ids=["dict", "json", "yaml"],
)
def test_evidence_survives_a_file(frame, through):
    made = measure(frame, tail=0, randomized=True)
    again = Experiment.from_dict(through(made.to_dict()))
    assert again == made
    assert again.source.to_dict() == made.source.to_dict()
    assert np.array_equal(again.source.placebos, made.source.placebos)
    spec = bc.Spec(
        bc.Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",), experiments=made
    )
    kept = bc.Spec.from_dict(through(spec.to_dict()))
    assert kept == spec
    assert kept.experiments[0].source.to_dict() == made.source.to_dict()
    assert "source" not in replace(made, source=None).to_dict()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"trated": "a"}, r"from_geo_panel: unknown key 'trated'"),
        ({"rndomized": True}, r"unknown key 'rndomized'.*Did you mean 'randomized'"),
        ({"design": "geo-rct"}, "unknown key 'design'"),
        ({"lift": 3.0}, "unknown key 'lift'"),
        ({"randomized": 1}, "randomized is True or False; got 1"),
        ({"dark": True}, r"withheld.*zero against zero.*Estimand\(\{'tv': Plus\(50\)\}\)"),
        ({"name": ""}, "name is text"),
        ({"spend": 100.0}, "spend=100.0. Give spend=.*and only then"),
        ({"bias_sd": -1.0}, "bias_sd must not be negative"),
    ],
)
def test_a_bad_setting_is_refused_with_advice(frame, settings, words):
    with pytest.raises(SpecError, match=words):
        measure(frame, **settings)


def test_only_a_geo_test_is_measured(frame):
    with pytest.raises(SpecError, match=r"test is a GeoTest, as geo_test makes it; got 410"):
        Experiment.from_geo_test(410)
    with pytest.raises(TypeError, match="'estimand'"):
        Experiment.from_geo_panel(frame, TREATED, WINDOW, **COLUMNS)
    with pytest.raises(DataError, match="'g99' is not in the panel"):
        Experiment.from_geo_panel(
            frame, "g99", WINDOW, **COLUMNS, estimand=incremental("tv"), seed=1
        )


# Which estimand a test measures: the table in the docstring of `Experiment`

WEEK = np.arange(BEFORE + AFTER)
INSIDE = WEEK >= BEFORE
USUAL = 50.0 + 5 * (WEEK % 3)
PULSES = np.where(INSIDE & (WEEK % 2 == 0), 80.0, 0.0)
SHAPES = {
    "on, else off": (np.where(INSIDE, 50.0, 0.0), 0 * USUAL, incremental("tv"), False),
    "pulses, else off": (PULSES, 0 * USUAL, incremental("tv"), False),
    "pulses above the usual": (
        USUAL + PULSES,
        USUAL,
        Estimand(control={"tv": USUAL}),
        False,
    ),
    "doubled": (USUAL * (1 + INSIDE), USUAL, Estimand(control={"tv": Times(0.5)}), False),
    "50 more": (USUAL + 50 * INSIDE, USUAL, Estimand(control={"tv": Plus(-50)}), False),
    "dark": (np.where(INSIDE, 0.0, 50.0), 0 * USUAL + 50, Estimand({"tv": Plus(50)}), True),
    "dark, with a plan": (np.where(INSIDE, 0.0, USUAL), USUAL, Estimand({"tv": USUAL}), True),
    "cut by half": (USUAL * (1 - 0.5 * INSIDE), USUAL, Estimand({"tv": Times(2)}), True),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_of_test_measures_the_estimand_of_the_table(shape):
    """On data that hold the test, the estimand's worlds differ by what the lift is."""
    tested, usual, asked, dark = SHAPES[shape]
    slope, rng = 0.4, np.random.default_rng(3)
    tv = np.tile(usual, (12, 1))
    tv[:2] = tested
    sales = 100 + slope * tv + rng.normal(0, 0.05, tv.shape)
    frame = as_frame(sales).assign(tv=tv.ravel())
    made = measure(frame, estimand=asked, dark=dark)
    worlds = [
        np.broadcast_to(value(tested) if callable(value) else value, tested.shape)
        for value in (made.estimand.active.get("tv", tested), asked.control.get("tv", tested))
    ]
    truth = 2 * slope * (worlds[0] - worlds[1])[INSIDE].sum()
    assert truth > 10
    assert math.isclose(made.lift, truth, abs_tol=4 * made.std_error)
    assert made.std_error < 0.05 * truth


def test_a_dark_test_does_not_measure_what_was_added_in_its_window():
    tested, usual, _, _ = SHAPES["dark"]
    tv = np.tile(usual, (12, 1))
    tv[:2] = tested
    sales = 100 + 0.4 * tv + np.random.default_rng(3).normal(0, 0.05, tv.shape)
    frame = as_frame(sales).assign(tv=tv.ravel())
    for dark, words in ((False, "it went dark"), (True, "zero against zero")):
        with pytest.raises(SpecError, match=words):
            measure(frame, dark=dark)
    data = bc.Dataset.from_frame(frame, time="week", unit="geo", spend=["tv"])
    spec = bc.Spec(
        bc.Graph.parse("tv -> sales", outcome="sales"),
        treatments=("tv",),
        experiments=Experiment(
            incremental("tv").during(*WINDOW).within(*TREATED), 240, 10, "geo-rct"
        ),
    )
    with pytest.raises(DataError, match=r"both worlds have the same 'tv'.*what the test added"):
        check(spec, data)
    measured = measure(frame, estimand=Estimand({"tv": Plus(50)}), dark=True)
    check(replace(spec, experiments=measured), data)


# Bad input that a spec or data refuse, by way of a test that was measured


def national():
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"week": WEEKS, "tv": USUAL})
    table["sales"] = 100 + 0.4 * table.tv + rng.normal(size=len(WEEKS))
    return bc.Dataset.from_frame(table, time="week", spend=["tv"])


def spec_of(*tests):
    return bc.Spec(
        bc.Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",), experiments=tests
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "unit 'g00' is not in the data. Units: none, the data are national"),
        ({"units": None, "window": ("2030-01-01", "2030-02-01")}, "outside the data.*off_panel="),
        ({"units": None, "carryover": 3}, r"tail of 3 periods.*end 3 short.*carryover=0"),
    ],
)
def test_a_measured_test_must_fit_the_data_of_the_model(frame, change, words):
    made = measure(frame)
    moved = replace(made, estimand=replace(made.estimand, **change))
    with pytest.raises(DataError, match=words):
        check(spec_of(moved), national())


def test_a_covariance_that_cannot_be_is_refused(frame):
    first = measure(frame, name="first")
    most = first.std_error**2
    with pytest.raises(SpecError, match=r"more than their standard errors allow.*beyond 1"):
        spec_of(first, measure(frame, name="again", covariance={"first": 1.1 * most}))
    other = measure(frame, name="again", covariance={"first": most}, randomized=True)
    with pytest.raises(SpecError, match="not positive definite"):
        spec_of(replace(first, design="geo-rct"), other)
