"""Forecasts, and questions about the time to come, on real posteriors and on draws set by hand."""

import numpy as np
import pandas as pd
import pytest
from allocation_worlds import HILL, media_fit

import bayescausal as bc
from bayescausal.data.continued_table import continued
from bayescausal.errors import DataError, SpecError


@pytest.fixture(scope="module")
def ahead(example_fit):
    return bc.Future.like(example_fit.data, periods=13)


def test_a_forecast_is_repeatable_and_labeled(example_fit, ahead):
    draws = bc.forecast(example_fit, ahead, seed=3)
    assert draws["sales"].dims == ("chain", "draw", "time")
    assert {*draws} == {"search", "sales"}
    assert (draws.indexes["time"] == ahead.time).all()
    xr_equal = bc.forecast(example_fit, ahead, seed=3)["sales"].equals(draws["sales"])
    assert xr_equal
    assert not bc.forecast(example_fit, ahead, seed=4)["sales"].equals(draws["sales"])
    table = bc.summarize(draws["sales"])
    assert (table["low"] < table["median"]).all()
    assert draws.attrs["extrapolation"] == ""


def test_errors_are_part_of_a_forecast(example_fit, ahead):
    draws = bc.forecast(example_fit, ahead)["sales"].to_numpy()
    sigma = example_fit.theta()["sales:sigma"].mean() * example_fit.scm.scale["sales"]
    assert draws.std(axis=(0, 1)).min() > 0.9 * sigma


def test_the_outcome_of_a_future_is_not_read(example_fit, ahead):
    """A forecast of what the table says of the outcome and the mediator would be no forecast."""
    wild = ahead.assign(sales=1e5, search=0.0)
    expected = bc.forecast(example_fit, ahead, seed=3)["sales"]
    assert bc.forecast(example_fit, wild, seed=3)["sales"].equals(expected)


def test_an_uncertain_control_widens_a_forecast(example_fit, ahead):
    uncertain = bc.Future.like(example_fit.data, 13, fill={"demand": "model", "price": "model"})
    known = uncertain.assign(
        demand=lambda x: np.broadcast_to(x.mean(axis=0), x.shape),
        price=lambda x: np.broadcast_to(x.mean(axis=0), x.shape),
    )
    spread = [
        bc.forecast(example_fit, future, seed=1)["sales"].std(("chain", "draw")).mean().item()
        for future in (known, uncertain)
    ]
    assert spread[1] > 1.2 * spread[0]


def test_every_question_takes_a_future_window(example_fit, ahead):
    extended = bc.extend(example_fit, ahead)
    question = bc.incremental("tv").during(*ahead.window)
    total = bc.effect(extended, question)
    assert total.dtype == float
    assert total.attrs["window"] == "2025-12-29..2026-03-29"
    parts = bc.decompose(extended, question)
    np.testing.assert_allclose(
        parts.sel(path=["direct", "indirect"]).sum("path"), total, rtol=0, atol=1e-8
    )
    returns = bc.roas(extended, ["tv"], window=ahead.window).sel(channel="tv")
    spend = ahead.array("tv_cost").sum()
    np.testing.assert_allclose(returns * spend, total, rtol=1e-9)
    pieces = bc.decomposition(extended)
    whole = pieces.sum("component")
    np.testing.assert_allclose(
        whole.isel(time=slice(-13, None)),
        bc.forecast(example_fit, ahead)["sales"],
        rtol=1e-10,
    )
    curve = bc.spend_response(extended, "tv", window=ahead.window)
    at_present = curve["effect"].interp(spend=float(curve["current_spend"]))
    assert abs(float((at_present - total).mean())) < 0.02 * float(abs(total).mean())
    world = bc.counterfactual(extended, {"tv": 0.0}, window=ahead.window)["sales"]
    assert world.sizes["time"] == len(extended.data.training)


def test_the_past_keeps_its_effects(example_fit, ahead):
    question = bc.incremental("tv").during("2024-03-04", "2024-05-26")
    expected = bc.effect(example_fit, question)
    np.testing.assert_allclose(
        bc.effect(bc.extend(example_fit, ahead), question), expected, rtol=1e-9
    )


def test_an_optimum_of_the_future_is_of_its_own_spend(example_fit, ahead):
    best = bc.optimize(bc.extend(example_fit, ahead), draws=60)
    assert abs(best.table.loc["tv", "present"] - ahead.array("tv_cost").sum()) < 1e-6
    assert "2025-12-29..2026-03-29" in repr(best)
    assert any("after the future ends is not counted" in words for words in best.statements)
    longer = bc.extend(example_fit, ahead.followed_by(example_fit.data, 10))
    whole = bc.optimize(longer, window=ahead.window, draws=60)
    assert not any("is not counted" in words for words in whole.statements)
    half = bc.optimize(bc.extend(example_fit, ahead.assign(tv=bc.Times(0.5))), draws=60)
    assert half.table.loc["tv", "present"] == pytest.approx(best.table.loc["tv", "present"] / 2)


def test_a_panel_goes_on():
    rng = np.random.default_rng(2)
    frames = []
    for unit in ("a", "b"):
        frame = pd.DataFrame({"week": pd.date_range("2024-01-01", periods=70, freq="7D")})
        frame["tv"] = rng.gamma(3, 10, 70)
        frame["sales"] = 100 + frame["tv"] + rng.normal(0, 3, 70)
        frames.append(frame.assign(market=unit))
    data = bc.Dataset.from_frame(pd.concat(frames), time="week", unit="market", spend=["tv"])
    spec = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": HILL})
    fit = bc.fit(spec, data, seed=1, draws=40, tune=60, chains=2, progress=False)
    future = bc.Future.like(data, 6)
    draws = bc.forecast(fit, future)["sales"]
    assert draws.dims == ("chain", "draw", "unit", "time")
    assert draws.shape == (2, 40, 2, 6)
    swapped = bc.Future(future.table.isel(unit=[1, 0]))  # units by name, not by place
    assert bc.forecast(fit, swapped)["sales"].equals(draws)


@pytest.mark.parametrize("verb", [bc.diagnose, bc.leave_one_out, bc.check_experiments])
def test_what_is_about_the_data_refuses_a_fit_with_a_future(example_fit, ahead, verb):
    with pytest.raises(SpecError, match="about the data, and this fit has a future"):
        verb(bc.extend(example_fit, ahead))


def test_a_fit_with_a_future_is_not_saved_or_extended(example_fit, ahead, tmp_path):
    extended = bc.extend(example_fit, ahead)
    with pytest.raises(SpecError, match=r"Save `fit\.observed`"):
        extended.save(tmp_path / "x.nc")
    with pytest.raises(SpecError, match="about the data"):
        bc.extend(extended, ahead)
    assert "Goes on after the data" in repr(extended)


def rows(future, **columns):
    frame = future.table.to_dataframe().reset_index()
    return bc.Future.from_frame(frame.assign(**columns), time="time")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: rows(f, time=f.time - pd.Timedelta(weeks=1)), "but the data run to 2025-12-22"),
        (lambda f: rows(f, time=f.time + pd.Timedelta(weeks=1)), "The period after the data is"),
        (lambda f: bc.Future(f.table.drop_vars("price")), "no column 'price'"),
        (lambda f: bc.Future(f.table.expand_dims(unit=["a"])), "the data are national"),
        (lambda f: f.assign(tv=-1.0, tv_cost=1.0), "cannot be negative"),
        (lambda f: None, "A Future comes after a Fit"),
    ],
)
def test_a_future_that_does_not_follow_is_refused(example_fit, ahead, change, words):
    with pytest.raises((DataError, SpecError), match=words):
        bc.forecast(example_fit, change(ahead))


def test_a_panel_needs_its_units():
    fit = media_fit(draws=3)
    national = bc.Future.like(fit.data, 4)
    frame = fit.data.table.to_dataframe().reset_index()
    both = pd.concat([frame.assign(market=m) for m in "ab"])
    panel = bc.Dataset.from_frame(both, time="time", unit="market")
    with pytest.raises(DataError, match="the future is national"):
        continued(panel, national, ["a"])
    other = bc.Future.like(panel, 4)
    other = bc.Future(other.table.assign_coords(unit=["a", "c"]))
    with pytest.raises(DataError, match="Unit 'b' is not in the future"):
        continued(panel, other, ["a"])


def test_other_units_of_measure_are_noticed(example_fit, ahead):
    with pytest.warns(UserWarning, match="other units"):
        draws = bc.forecast(example_fit, ahead.assign(tv=bc.Times(1000.0)))
    assert "tv reaches" in draws.attrs["extrapolation"]


def test_exposure_is_bought_at_the_mean_price(example_fit, ahead):
    spend = bc.Future(ahead.table.drop_vars("tv"))
    extended = bc.extend(example_fit, spend)
    data = example_fit.data
    price = data.array("tv_cost").sum() / data.array("tv").sum()
    np.testing.assert_allclose(extended.data.array("tv")[-13:], ahead.array("tv_cost") / price)


def test_a_paid_mediator_costs_what_it_turns_out_to_be(example_fit, ahead):
    """The future repeats the clicks and their cost; the clicks that are simulated are others."""
    extended = bc.extend(example_fit, ahead)
    price = ahead.array("search_cost") / ahead.array("search")
    clicks = bc.forecast(example_fit, ahead)["search"].mean(("chain", "draw")).to_numpy()
    np.testing.assert_allclose(extended.data.array("search")[-13:], clicks)
    np.testing.assert_allclose(extended.data.array("search_cost")[-13:], price * clicks)
    bare = bc.Future(ahead.table.drop_vars(["search", "search_cost"]))
    data = example_fit.data
    mean = data.array("search_cost").sum() / data.array("search").sum()
    paid = bc.extend(example_fit, bare).data.array("search_cost")[-13:]
    np.testing.assert_allclose(paid, mean * clicks)


def test_a_smooth_trend_is_not_read_beyond_its_boundary():
    days = pd.date_range("2024-01-01", periods=80, freq="7D")
    trend = bc.HSGPTrend(boundary=1.5)
    assert np.isfinite(trend.columns(days, days[:70])).all()
    with pytest.raises(SpecError, match=r"Fit with a boundary of 3\.5 or more"):
        trend.columns(days, days[:41])
    wider = bc.HSGPTrend(boundary=3.0)
    assert np.isfinite(wider.columns(days, days[:41])).all()


@pytest.mark.slow
def test_forecasts_cover_what_comes():
    """Of worlds whose errors remember, about nine in ten periods lie in 90 percent intervals."""
    inside = []
    for seed in range(14):
        rng = np.random.default_rng([5, seed])
        weeks, horizon = 130, 10
        tv, error = rng.gamma(2, 10, weeks), np.zeros(weeks)
        for t in range(1, weeks):
            error[t] = 0.6 * error[t - 1] + rng.normal(0, 4)
        stock = np.zeros(weeks)
        for t in range(weeks):
            stock[t] = tv[t] + (0.6 * stock[t - 1] if t else 0.0)
        frame = pd.DataFrame(
            {
                "week": pd.date_range("2023-01-02", periods=weeks, freq="7D"),
                "tv": tv,
                "sales": 200 + 60 * stock / (60 + stock) + error,
            }
        )
        data = bc.Dataset.from_frame(frame.iloc[:-horizon], time="week", spend=["tv"])
        media = bc.Response(bc.GeometricAdstock(), bc.HillSaturation())
        spec = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": media})
        fit = bc.fit(spec, data, seed=seed, progress=False)
        future = bc.Future.from_frame(frame.iloc[-horizon:][["week", "tv"]], time="week")
        table = bc.summarize(bc.forecast(fit, future)["sales"])
        actual = frame["sales"].to_numpy()[-horizon:]
        inside += [*((table["low"] <= actual) & (actual <= table["high"]))]
    assert 0.82 < np.mean(inside) < 0.97
