"""From the raw panel of a geo test to an experiment: sign, scale, evidence, bad input."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from geo_cases import AFTER, BEFORE, WEEKS, WINDOW, as_frame, autoregression, panel
from scipy import stats

from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import Estimand, Plus, Times, incremental
from bayescausal.experiments.experiment import Experiment
from bayescausal.experiments.geo_estimators import METHODS, estimator, standard_error
from bayescausal.experiments.geo_panel import geo_test
from bayescausal.experiments.geo_test import GeoTest

tv = incremental("tv")


def run(frame, treated=("g00", "g01"), **changed):
    settings = {
        "time": "week",
        "unit": "geo",
        "outcome": "sales",
        "treated": treated,
        "window": WINDOW,
        "estimand": tv,
        "seed": 1,
    }
    return geo_test(frame, **(settings | changed))


def measured(test, **settings):
    return Experiment.from_geo_test(test, **settings)


@pytest.fixture(scope="module")
def sales():
    return panel(np.random.default_rng(5), 2, 10)


@pytest.fixture(scope="module")
def frame(sales):
    lifted = sales.copy()
    lifted[:2, BEFORE:] += 15.0
    return as_frame(lifted)


# From the frame


@pytest.mark.parametrize("method", METHODS)
def test_lift_is_the_sum_over_units_and_window(frame, method):
    test = run(frame, method=method)
    assert abs(test.lift - 2 * AFTER * 15) < 4 * test.std_error
    assert np.allclose(test.observed - test.counterfactual, test.difference)
    assert math.isclose(test.lift, test.difference[BEFORE:].sum())
    treated = frame[frame.geo.isin(["g00", "g01"])].groupby("week").sales.sum()
    assert np.allclose(test.observed, treated)
    assert len(test.time) == len(test.observed) == BEFORE + AFTER
    assert test.treated == ("g00", "g01")
    assert set(test.weights) == set(test.controls) == {f"g{k:02d}" for k in range(2, 12)}
    residual = test.difference[:BEFORE]
    assert math.isclose(test.rmse, np.sqrt((residual**2).mean()))
    assert math.isclose(test.r2, 1 - residual.var() / test.observed[:BEFORE].var(), abs_tol=1e-3)
    low, high = test.interval
    half = test.std_error * stats.t.ppf(0.95, test.dof)
    assert np.allclose([low, high], [test.lift - half, test.lift + half])
    assert test.p_value < 0.05


@pytest.mark.parametrize("method", METHODS)
def test_error_of_the_frame_is_that_of_the_estimator(sales, method):
    test = run(as_frame(sales), method=method)
    y, x = sales[:2].mean(axis=0), sales[2:]
    rng = np.random.default_rng(1)
    found = standard_error(method, (y, x), BEFORE, estimator(method), 2, rng)
    assert math.isclose(test.std_error, 2 * found.scale)
    assert test.error == found.kind
    assert np.allclose(test.placebos, 2 * found.draws)


def test_a_p_value_is_the_rank_among_placebos(sales):
    test = run(as_frame(sales), treated="g00")
    assert len(test.placebos) == 11
    beyond = (np.abs(test.placebos) >= abs(test.lift)).sum()
    assert test.p_value == (1 + beyond) / 12
    few = run(as_frame(sales[:9]), treated="g00", prob=0.95)
    assert any("8 placebos give no p-value below 0.11" in note for note in few.notes)


def test_a_placebo_is_the_estimate_with_a_control_as_if_treated(sales):
    test = run(as_frame(sales), treated="g00")
    as_if = run(as_frame(sales[1:]), treated="g04")
    scaled = as_if.lift / as_if.rmse * test.rmse
    assert np.isclose(test.placebos, scaled).sum() == 1


def test_noisy_controls_do_not_blow_up_the_error_of_quiet_units():
    rng = np.random.default_rng(8)
    sales = panel(rng, 2, 10)
    loud = sales.copy()
    loud[6:] += autoregression(rng, (6, BEFORE + AFTER), 0.5, 60)
    quiet = run(as_frame(sales), method="synthetic-control").std_error
    assert run(as_frame(loud), method="synthetic-control").std_error < 3 * quiet


def test_more_treated_than_half_of_the_controls_takes_smaller_placebos():
    frame = as_frame(panel(np.random.default_rng(6), 6, 8))
    test = run(frame, treated=[f"g{k:02d}" for k in range(6)])
    assert test.error == "placebo in space"
    assert any("sets of 4 of the 8 controls, not of 6" in note for note in test.notes)


def test_few_units_are_measured_over_time_and_it_says_so(sales):
    test = run(as_frame(sales[:3]))
    assert test.error == "block bootstrap"
    assert any("1 control units are too few" in note for note in test.notes)
    assert 0 < test.std_error < np.inf


def test_a_negative_lift_is_measured_like_any_other(sales):
    lifted = sales.copy()
    lifted[:2, BEFORE:] -= 15
    for method in METHODS:
        test = run(as_frame(lifted), method=method)
        assert abs(test.lift + 2 * AFTER * 15) < 4 * test.std_error
        assert test.interval[1] < 0


def test_a_violated_parallel_trend_is_noted():
    def notes(slope):
        frames = (
            as_frame(panel(np.random.default_rng([7, s]), 2, 10, slope=slope)) for s in range(12)
        )
        return sum(any("drift from" in n for n in run(frame).notes) for frame in frames)

    assert notes(0.3) == 12
    assert notes(0.0) <= 2


def test_a_drift_is_noted_with_what_it_would_make_of_the_lift():
    rng = np.random.default_rng(12)
    flat = 100 + rng.normal(0, 0.01, (12, BEFORE + AFTER))
    flat[:2] += 0.5 * np.arange(BEFORE + AFTER)
    test = run(as_frame(flat))
    (note,) = [note for note in test.notes if "drift from" in note]
    assert "by 1 a period" in note
    assert f"{test.lift:.3g} of the difference" in note


def test_a_short_time_before_the_test_is_noted(sales):
    short = as_frame(sales[:, BEFORE - 11 :])
    week = short.week.unique()
    test = run(short, window=(week[11], week[-1]))
    assert any("11 periods before the test are few for 6" in note for note in test.notes)
    assert not any("are few for" in note for note in run(as_frame(sales)).notes)


def test_controls_that_say_nothing_are_noted(sales):
    other = np.random.default_rng(9).normal(100, 10, sales.shape)
    assert any("explains little" in note for note in run(as_frame(other)).notes)
    assert not any("explains little" in note for note in run(as_frame(sales)).notes)


def test_the_error_of_a_regression_follows_its_residuals():
    for r, kind in ((0.0, "t formula"), (0.8, "block bootstrap")):
        test = run(as_frame(panel(np.random.default_rng(11), 2, 10, r)), method="tbr")
        assert test.error == kind
        assert any("autocorrelated" in note for note in test.notes) == (kind != "t formula")


def test_the_seed_is_kept_and_repeats_the_numbers(frame):
    drawn = run(frame, seed=None)
    again = run(frame, seed=drawn.seed)
    assert again.std_error == drawn.std_error
    assert np.array_equal(again.placebos, drawn.placebos)


def test_order_of_units_and_rows_does_not_matter(sales):
    frame = as_frame(sales)
    turned = frame.sort_values(["week", "geo"], ascending=[True, False])
    a, b = run(frame), run(turned, treated=["g01", "g00", "g01"])
    assert math.isclose(a.lift, b.lift)
    assert a.treated == b.treated


def test_columns_of_periods_and_categories_are_read(frame):
    other = frame.assign(week=frame.week.dt.to_period("W"), geo=frame.geo.astype("category"))
    other["tv"] = 1.0
    assert run(other).lift == run(frame).lift


# Sign, tail, scale


def test_a_dark_test_measures_what_the_treatment_would_have_added(sales):
    dark = sales.copy()
    dark[:2, BEFORE:] -= 15  # tv was off, and sales fell
    withheld = Estimand({"tv": Plus(50)})
    test = run(as_frame(dark), estimand=withheld, dark=True)
    assert test.difference[BEFORE:].sum() < 0
    assert math.isclose(test.lift, -test.difference[BEFORE:].sum())
    assert abs(test.lift - 2 * AFTER * 15) < 4 * test.std_error
    assert measured(test).estimand.active == {"tv": Plus(50)}


def test_a_dark_test_and_the_estimand_must_agree(sales):
    frame = as_frame(sales)
    with pytest.raises(SpecError, match=r"withheld.*Estimand\(\{'tv': Plus\(50\)\}\)"):
        run(frame, dark=True)
    with pytest.raises(SpecError, match="Say dark=True"):
        run(frame, estimand=Estimand({"tv": Times(1.5)}))
    both = Estimand({"tv": 80.0}, {"tv": 0.0})
    assert run(frame, estimand=both).lift == -run(frame, estimand=both, dark=True).lift


def test_a_column_that_shows_a_dark_treatment_is_heeded(frame):
    inside = frame.geo.isin(["g00", "g01"]) & (frame.week >= WINDOW[0])
    off = frame.assign(tv=np.where(inside, 0.0, 50.0))
    with pytest.raises(SpecError, match=r"it went dark.*Say dark=True"):
        run(off)
    again = off.assign(tv=off.tv.where(off.week < WEEKS[-1], 50.0))  # on again in the tail
    with pytest.raises(SpecError, match="it went dark"):
        run(again, window=(WINDOW[0], WEEKS[-2]), tail=1)
    on = frame.assign(tv=np.where(inside, 50.0, 0.0))
    assert run(on).lift == run(frame).lift


def test_the_experiment_takes_window_units_outcome_and_design(frame):
    for method, design in (
        ("did", "did"),
        ("synthetic-control",) * 2,
        ("tbr", "synthetic-control"),
    ):
        test = run(frame, method=method)
        made = measured(test, name="spring")
        assert (made.lift, made.std_error, made.design) == (test.lift, test.std_error, design)
        assert made.name == "spring"
        assert made.estimand.window == WINDOW
        assert made.estimand.units == ("g00", "g01")
        assert made.estimand.outcome == "sales"
        assert made.estimand.tail == 0
    assert measured(test, randomized=True).design == "geo-rct"
    assert measured(run(frame, estimand=tv.on("orders"))).estimand.outcome == "orders"


def test_a_tail_is_counted_and_stated(sales):
    lifted = sales.copy()
    lifted[:2, BEFORE:] += 15
    short = (WEEKS[BEFORE], WEEKS[BEFORE + 2])
    whole = run(as_frame(lifted), window=short, tail=3)
    assert measured(whole).estimand.tail == 3
    assert math.isclose(whole.lift, run(as_frame(lifted)).lift)
    asked = incremental("tv", scale="mean")  # per period of the window, as in `Estimand`
    mean = measured(run(as_frame(lifted), window=short, tail=3, estimand=asked))
    assert math.isclose(mean.lift, whole.lift / (2 * 3))
    cut = run(as_frame(lifted), window=short)
    assert math.isclose(cut.lift, whole.difference[BEFORE : BEFORE + 3].sum())
    assert any("The last 3 periods" in note for note in cut.notes)
    with pytest.raises(DataError, match="tail=4 goes 1 periods beyond"):
        run(as_frame(lifted), window=short, tail=4)
    with pytest.raises(SpecError, match=r"tail of 2 periods.*tail=3"):
        run(as_frame(lifted), window=short, tail=3, estimand=incremental("tv", carryover=2))


@pytest.mark.parametrize("dark", [False, True])
def test_scales(frame, dark):
    def of(scale, **settings):
        asked = Estimand({"tv": 50.0}, {"tv": 0.0}, scale=scale)
        test = run(frame, estimand=asked, dark=dark)
        return test, measured(test, **settings)

    test, total = of("total")
    assert total.lift == test.lift
    _, mean = of("mean")
    assert math.isclose(mean.lift, test.lift / (2 * AFTER))
    assert math.isclose(mean.std_error, test.std_error / (2 * AFTER))
    _, spend = of("per_spend", spend=600.0)
    assert math.isclose(spend.std_error, test.std_error / 600)
    _, percent = of("percent")
    observed, other = (s[BEFORE:].sum() for s in (test.observed, test.counterfactual))
    active, control = (other, observed) if dark else (observed, other)
    assert math.isclose(percent.lift, 100 * (active / control - 1))
    step = test.std_error / 1000  # the error is that of the counterfactual, to first order
    moved = 100 * ((other + step) / observed - 1) if dark else 100 * (observed / (other + step) - 1)
    assert math.isclose(percent.std_error, 1000 * abs(moved - percent.lift), rel_tol=1e-3)


def test_a_scale_that_needs_more_is_refused(frame):
    with pytest.raises(SpecError, match="Give spend="):
        measured(run(frame, estimand=incremental("tv", scale="per_spend")))
    with pytest.raises(SpecError, match="and only then"):
        measured(run(frame), spend=10.0)
    with pytest.raises(SpecError, match="above zero"):
        measured(run(frame, estimand=incremental("tv", scale="per_spend")), spend=0.0)
    nothing = frame.assign(sales=frame.sales.where(frame.week < WINDOW[0], 0.0))
    percent = {"estimand": Estimand({"tv": 50.0}, {"tv": 0.0}, scale="percent"), "dark": True}
    with pytest.raises(SpecError, match=r"scale 'percent' with a control world of 0\. Use"):
        measured(run(nothing, **percent))
    with pytest.raises(SpecError, match="no lift on the scale 'cost'"):
        measured(run(frame, estimand=incremental("tv", scale="cost")))
    with pytest.raises(SpecError, match="unknown key 'design'"):
        measured(run(frame), design="geo-rct")
    with pytest.raises(SpecError, match="randomized is True or False"):
        measured(run(frame), randomized="yes")


def test_evidence_is_readable_and_writable(frame):
    test = run(frame)
    kept = json.loads(json.dumps(test.to_dict()))
    assert kept["lift"] == test.lift
    assert kept["counterfactual"] == test.counterfactual.tolist()
    assert Estimand.from_dict(kept["estimand"]) == test.estimand
    assert len(kept["time"]) == BEFORE + AFTER
    text = repr(test)
    for part in ("did, tv", "2 treated and 10 control", "placebo in space", "90% interval", "RMSE"):
        assert part in text
    with pytest.raises(ValueError, match="read-only"):
        test.observed[0] = 1
    again = GeoTest.from_dict(kept)
    assert again.to_dict() == test.to_dict()
    assert repr(again) == text
    assert (again.treated, again.interval) == (test.treated, test.interval)
    assert again.time.equals(test.time)


def test_evidence_that_is_not_whole_is_refused(frame):
    kept = run(frame).to_dict()
    with pytest.raises(
        SpecError, match=r"geo test: 'weights' is missing. Evidence is written by to_dict"
    ):
        GeoTest.from_dict({k: v for k, v in kept.items() if k != "weights"})
    with pytest.raises(SpecError, match=r"unknown key 'lft'.*Did you mean 'lift'"):
        GeoTest.from_dict(kept | {"lft": 1})
    with pytest.raises(SpecError, match="geo test must be a mapping; got 3"):
        GeoTest.from_dict(3)
    for changed, words in (
        ({"interval": 3}, "not iterable"),
        ({"interval": [1.0]}, "not enough values"),
        ({"time": ["x"]}, "geo test: 'x' is no date"),
        ({"time": None}, "not iterable"),
        ({"placebos": "abc"}, "convert string to float"),
        ({"lift": "410"}, "lift must be a number; got '410'"),
        ({"treated": None}, r"'treated' is a list; got None.*leave 'source' out"),
        ({"notes": "none"}, "'notes' is a list; got 'none'"),
        ({"weights": 3}, "'weights' is a mapping; got 3"),
        ({"observed": [1.0, 2.0]}, r"'observed' has shape \(2,\), and there are 66 periods"),
        ({"estimand": 3}, "estimand must be a mapping; got 3"),
    ):
        with pytest.raises(SpecError, match=words):
            GeoTest.from_dict(kept | changed)


@pytest.mark.parametrize("method", ["did", "synthetic-control"])
def test_an_error_that_cannot_be_computed_is_refused(method):
    """Controls that are filled in after the window starts: every placebo is exactly zero."""
    sign = np.random.default_rng(1).choice([-1.0, 1.0], (12, BEFORE // 2)).repeat(2, axis=1)
    sales = np.full((12, BEFORE + AFTER), 8.0)
    sales[:, :BEFORE] += sign * np.tile([1.0, -1.0], BEFORE // 2)
    sales[:2, BEFORE:] += 5
    with pytest.raises(DataError, match=r"standard error cannot be computed.*Are they filled in"):
        run(as_frame(sales), method=method)


# Bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(index=f.index[70]), "gaps"),
        (lambda f: f.drop(index=f.index[-1]), "every unit in every period"),
        (lambda f: f.assign(sales=f.sales.where(f.index != 5)), "1 missing or infinite"),
        (lambda f: pd.concat([f, f.tail(1)]), "twice"),
        (lambda f: f.drop(columns="sales"), "no column 'sales'"),
        (lambda f: f.assign(sales=f.sales.astype(str)), "pd.to_numeric"),
        (lambda f: f[f.geo.isin(["g00", "g01"])], "All 2 units are treated"),
        (lambda f: f[f.geo != "g01"], "'g01' is not in the panel"),
        (lambda f: f.assign(sales=100.0), "no residual"),
    ],
)
def test_a_bad_panel_is_refused(frame, change, message):
    with pytest.raises(DataError, match=message):
        run(change(frame))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"window": ("2030-01-01", "2030-02-01")}, DataError, "outside the data"),
        ({"window": ("2020-01-01", "2020-02-01")}, DataError, "outside the data"),
        ({"window": (WEEKS[BEFORE], "2026-01-01")}, DataError, "outside the data"),
        ({"window": (WEEKS[0], WEEKS[9])}, DataError, "0 periods lie before the window"),
        ({"window": (WEEKS[5], WEEKS[9])}, DataError, "5 periods lie before the window"),
        ({"window": ("2025-02-26", WEEKS[-1])}, DataError, "Give the start of a period"),
        ({"window": "2025-02-24"}, SpecError, "window is two dates"),
        ({"treated": "g1l"}, DataError, "Did you mean 'g11'"),
        ({"treated": []}, DataError, "No unit is treated"),
        ({"treated": None}, SpecError, "one unit or a sequence of units; got None"),
        ({"treated": {"g00": 1}}, SpecError, "one unit or a sequence of units"),
        ({"seed": 1.5}, SpecError, "seed is a whole number, 0 or more, .* got 1.5"),
        ({"estimand": "tv"}, SpecError, "estimand is an Estimand"),
        ({"estimand": tv.within("g05")}, SpecError, "units of the estimand and of the test differ"),
        ({"estimand": tv.during("2024", "2024")}, SpecError, "The window of the estimand"),
        (
            {"estimand": Estimand({"tv": 2}, {"tv": 1}, off_panel="steady")},
            SpecError,
            "off the pan",
        ),
        ({"method": "synthetic"}, SpecError, "Did you mean 'synthetic-control'"),
        ({"prob": 90}, SpecError, "between 0 and 1"),
        ({"tail": -1}, SpecError, "tail, the periods counted after the window, is a whole number"),
        ({"dark": "no"}, SpecError, "dark is True or False"),
    ],
)
def test_a_bad_setting_is_refused(frame, settings, error, message):
    with pytest.raises(error, match=message):
        run(frame, **settings)


def test_a_window_may_end_with_the_last_day_of_the_last_period(frame):
    assert (
        run(frame, window=(WEEKS[BEFORE], WEEKS[-1] + pd.Timedelta(days=6))).lift == run(frame).lift
    )


@pytest.mark.parametrize("end", ["ME", "BME"])
def test_months_dated_by_their_end_give_the_lift_of_months_dated_by_their_start(frame, end):
    count, months = len(WEEKS), {}
    for freq in ("MS", end):
        dates = pd.date_range("2018-01-01", periods=count, freq=freq)
        months[freq] = frame.assign(week=np.tile(dates, len(frame) // count))
    first = pd.date_range("2018-01-01", periods=count + 1, freq="MS")
    window = (first[BEFORE], first[BEFORE + 4] - pd.Timedelta(days=1))
    for asked in (tv, incremental("tv", scale="mean")):
        want, got = (run(months[f], window=window, estimand=asked) for f in ("MS", end))
        assert (got.before, got.lift, got.std_error) == (want.before, want.lift, want.std_error)
        assert got.factors() == want.factors()
    with pytest.raises(DataError, match=r"within a period.*Whole periods are"):
        run(months[end], window=(first[BEFORE] + pd.Timedelta(days=9), window[1]))
