"""Futures: dates that go on, fills, prices, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import bayescausal as bc
from bayescausal.data.future import following
from bayescausal.data.input_model import simulate_input
from bayescausal.errors import DataError, SpecError


def data(weeks=60, freq="7D", units=()):
    rng = np.random.default_rng(1)
    frames = []
    for unit in units or ("",):
        frame = pd.DataFrame({"week": pd.date_range("2024-01-01", periods=weeks, freq=freq)})
        frame["tv"] = rng.gamma(2, 10, weeks)
        frame["tv_cost"] = 3 * frame["tv"]
        frame["price"] = 10 + rng.normal(0, 1, weeks)
        frame["sales"] = rng.gamma(50, 2, weeks)
        frames.append(frame.assign(market=unit))
    frame = pd.concat(frames)
    frame = frame if units else frame.drop(columns="market")
    unit = "market" if units else None
    return bc.Dataset.from_frame(frame, time="week", unit=unit, spend={"tv": "tv_cost"})


@pytest.mark.parametrize("freq", ["D", "7D", "MS", "ME", "QS", "YS"])
def test_dates_go_on_as_pandas_would_have_them(freq):
    whole = pd.date_range("2023-01-01", periods=20, freq=freq)
    assert following(whole[:12], 8).equals(whole[12:])


def test_the_year_before_is_repeated():
    frame = data(60)
    future = bc.Future.like(frame, 55)
    path = frame.array("tv")
    np.testing.assert_array_equal(future.array("tv")[:52], path[8:60])
    np.testing.assert_array_equal(future.array("tv")[52:], path[8:11])
    assert future.window == (pd.Timestamp("2025-02-24"), pd.Timestamp("2026-03-09"))


def test_a_short_past_holds_its_last_value_unless_a_year_is_asked():
    short = data(30)
    future = bc.Future.like(short, 4, fill={"price": "last"})
    np.testing.assert_array_equal(future.array("tv"), np.repeat(short.array("tv")[-1:], 4))
    with pytest.raises(DataError, match="less than the year of 52"):
        bc.Future.like(short, 4, fill="year")


def test_a_simulated_column_has_its_own_mean_memory_and_spread():
    rng = np.random.default_rng(3)
    path = np.zeros(400)
    for t in range(1, 400):
        path[t] = 0.8 * path[t - 1] + rng.normal()
    path[-1] = 5.0
    time = pd.date_range("2016-01-04", periods=420, freq="7D")
    paths = simulate_input(time[:400], path, time[400:], 4000, rng)
    h = np.arange(1, 21)
    mean = paths.mean(axis=0)
    assert abs(mean[0] - 4.0) < 0.4  # the last value is remembered
    assert abs(mean[-1]) < 0.6  # and forgotten
    assert abs(paths[:, -1].std() - np.sqrt(1 / (1 - 0.8**2))) < 0.25
    assert (np.diff(paths.std(axis=0)[[0, 4, 19]]) > 0).all()
    assert len(h) == paths.shape[1]


def test_a_wave_of_the_year_goes_on():
    time = pd.date_range("2018-01-01", periods=260, freq="7D")
    turn = 2 * np.pi * np.asarray((time - time[0]) / pd.Timedelta(days=365.25))
    path = 10 + 3 * np.sin(turn)
    paths = simulate_input(time[:208], path[:208], time[208:], 3, np.random.default_rng(1))
    np.testing.assert_allclose(paths, np.broadcast_to(path[208:], paths.shape), atol=0.05)


def test_units_share_the_shocks_of_a_period():
    panel = data(60, units=("a", "b"))
    future = bc.Future.like(panel, 4, fill={"price": "model"}, samples=300)
    assert future.array("price").shape == (300, 2, 4)
    assert future.array("tv").shape == (2, 4)
    assert future.samples == 300


def test_cost_follows_exposure_and_exposure_follows_cost():
    future = bc.Future.like(data(), 4)
    more = future.assign(tv=bc.Times(1.2))
    np.testing.assert_allclose(more.array("tv_cost"), 3 * 1.2 * future.array("tv"))
    planned = future.assign(tv_cost=300.0)
    np.testing.assert_allclose(planned.array("tv"), np.full(4, 100.0))
    both = future.assign(tv=5.0, tv_cost=7.0)
    np.testing.assert_array_equal(both.array("tv_cost"), np.full(4, 7.0))
    np.testing.assert_array_equal(future.array("tv"), bc.Future.like(data(), 4).array("tv"))


def test_a_frame_of_one_period_will_do():
    frame = pd.DataFrame({"week": ["2025-02-24"], "tv": [3.0], "price": [9.0], "note": ["x"]})
    with pytest.warns(bc.errors.ColumnsLeftOut, match="note"):
        future = bc.Future.from_frame(frame, time="week")
    assert future.columns == ("price", "tv")
    assert repr(future) == "Future(1 periods from 2025-02-24; columns price, tv)"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d: bc.Future.like(d, 0), "1 or more"),
        (lambda d: bc.Future.like(d, 10**10), "GB of memory"),
        (lambda d: bc.Future.like(d, 4, fill="yaer"), "Did you mean 'year'"),
        (lambda d: bc.Future.like(d, 4, fill={"prcie": "last"}), "no column 'prcie'"),
        (lambda d: bc.Future.like(d, 4, fill={"tv": "model"}), "planned and not simulated"),
        (lambda d: bc.Future.like(d, 4).assign(radio=1.0), "no column in the future 'radio'"),
        (lambda d: bc.Future.like(d, 4).assign(tv=[1.0, 2.0]), "has the shape"),
        (lambda d: bc.Future.like(d, 4).assign(tv=np.nan), "missing or infinite"),
        (lambda d: bc.Future.like(d, 4).assign(tv_cost=-1.0), "is negative"),
        (lambda d: bc.Future.like(d, 4).assign(tv=0.0).assign(tv=1.0), "Assign both"),
        (lambda d: bc.Future.from_frame([1], time="week"), "pandas DataFrame"),
        (lambda d: bc.Future.from_frame(pd.DataFrame({"a": [1]}), time="week"), "no column 'week'"),
        (lambda d: bc.Future("x"), "xarray.Dataset"),
        (lambda d: bc.Future(bc.Future.like(d, 4).table.drop_vars("time")), "no coordinate 'time'"),
        (lambda d: bc.Future(bc.Future.like(d, 4).table.expand_dims(x=2)), "has the dims"),
        (lambda d: bc.Future(bc.Future.like(d, 4).table.astype(str)), "text"),
        (lambda d: bc.Future(bc.Future.like(d, 4).table, spend=5), "spend"),
        (lambda d: bc.Future.like(d, 4).assign(tv="a"), "takes numbers"),
        (lambda d: bc.Future.like("d", 4), "continues a Dataset"),
        (lambda d: bc.Future.like(d, 4, fill={"price": "model"}, samples=10**9), "GB of memory"),
        (
            lambda d: bc.Future.from_frame(
                pd.DataFrame([["2025-02-24", 1, 2]], columns=["week", "tv", "tv"]), time="week"
            ),
            "two columns 'tv'",
        ),
    ],
)
def test_bad_futures_are_refused_with_advice(call, words):
    with pytest.raises((DataError, SpecError), match=words):
        call(data())
