"""Holdouts: scores that are known, and a fit that never sees what it is judged on."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import bayescausal as bc
from bayescausal.errors import DataError, SpecError
from bayescausal.validation.holdouts import _spec_before, crps

QUICK = {"draws": 40, "tune": 80, "chains": 2, "progress": False}


def data(bump=0.0):
    rng = np.random.default_rng(4)
    weeks = 90
    frame = pd.DataFrame({"week": pd.date_range("2024-01-01", periods=weeks, freq="7D")})
    frame["tv"] = rng.gamma(3, 10, weeks)
    frame["sales"] = 100 + frame["tv"] + rng.normal(0, 3, weeks)
    frame.loc[frame.index[-8:], "sales"] += bump
    return bc.Dataset.from_frame(frame, time="week", spend=["tv"])


def spec(**more):
    test = bc.Experiment(
        bc.incremental("tv").during("2025-07-28", "2025-08-24"), 100.0, 20.0, "geo-rct", name="late"
    )
    graph = bc.Graph.parse("tv -> sales", outcome="sales")
    return bc.Spec(
        graph, {"tv": bc.Response(bc.HillSaturation())}, **{"experiments": [test], **more}
    )


@pytest.fixture(scope="module")
def fit():
    return bc.fit(spec(), data(), seed=1, **QUICK)


def test_crps_of_a_normal_is_the_closed_form():
    draws = np.random.default_rng(1).standard_normal(200_000)
    for y in (-1.5, 0.0, 2.0):
        z = stats.norm
        exact = y * (2 * z.cdf(y) - 1) + 2 * z.pdf(y) - 1 / np.sqrt(np.pi)
        assert abs(crps(draws, np.array(y)) - exact) < 0.005


def test_what_is_judged_is_not_seen(fit):
    calm = bc.holdout(fit, horizon=8, seed=2)
    wild = bc.holdout(bc.fit(spec(), data(bump=500.0), seed=1, **QUICK), horizon=8, seed=2)
    (a,), (b,) = calm.forecasts.values(), wild.forecasts.values()
    np.testing.assert_allclose(a, b, rtol=1e-9)
    assert wild.table.loc["all", "crps"] > 20 * calm.table.loc["all", "crps"]
    assert wild.table.loc["all", "covered"] == 0


def test_a_test_that_counts_a_period_of_the_holdout_is_left_out():
    """A test of all periods, and one whose carry-over runs on, tell of what is judged."""
    origin = 82  # a Monday, eight periods before the end
    weeks = data().time
    early, late = bc.incremental("tv").during(weeks[60], weeks[63]), bc.incremental("tv")
    edge = bc.incremental("tv").during(weeks[76], weeks[origin - 2])
    steady = bc.steady_state("tv", at=10.0, by=20.0)
    tests = [
        bc.Experiment(question, 100.0, 200.0, "geo-rct", name=name)
        for name, question in {"early": early, "all": late, "edge": edge, "off": steady}.items()
    ]
    media = {"tv": bc.Response(bc.GeometricAdstock(l_max=4), bc.HillSaturation())}
    graph = bc.Graph.parse("tv -> sales", outcome="sales")
    fit = bc.Fit(bc.Spec(graph, media, experiments=tests), data(), xr.DataTree())
    remaining = [t.name for t in _spec_before(fit, origin).experiments]
    assert remaining == ["early", "off"]


def test_a_good_model_beats_the_naive_forecast(fit):
    judged = bc.holdout(fit, horizon=8, origins=2, step=4)
    assert judged.table.index.tolist()[-1] == "all"
    assert judged.table.loc["all", "periods"] == 16
    assert judged.table.loc["all", "skill"] > 0.5
    assert "does not choose a causal graph" in " ".join(repr(judged).split())


def test_too_little_is_left_to_learn_from(fit):
    with pytest.raises(DataError, match="Ask for fewer origins"):
        bc.holdout(fit, horizon=20, origins=3)


def test_fits_are_compared_by_the_weeks_they_predict(fit):
    blind = bc.fit(
        bc.Spec(
            bc.Graph.parse("tv -> sales", outcome="sales"),
            {"tv": bc.Response(strength=bc.Coefficient(bc.Prior("Normal", mu=0, sigma=1e-6)))},
        ),
        data(),
        seed=1,
        **QUICK,
    )
    table = bc.compare_fits({"blind": blind, "seeing": fit})
    assert table.index.tolist() == ["seeing", "blind"]
    assert table.loc["seeing", "difference"] == 0
    gap = bc.leave_one_out(blind).elpd - bc.leave_one_out(fit).elpd
    assert table.loc["blind", "difference"] == pytest.approx(gap)
    assert table.loc["blind", "difference"] < -4 * table.loc["blind", "se"] < 0


def test_fits_of_other_data_are_not_compared(fit):
    other = bc.Fit(fit.spec, data(bump=1.0), fit.tree)
    with pytest.raises(SpecError, match="other data"):
        bc.compare_fits({"a": fit, "b": other})
    with pytest.raises(SpecError, match="two fits or more"):
        bc.compare_fits({"a": fit})
