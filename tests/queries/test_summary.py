"""`summarize`: the only place where draws become numbers."""

import numpy as np
import pytest
import xarray as xr

import bayescausal as bc
from bayescausal.errors import BayesCausalError, NotConverged
from bayescausal.experiments.estimand import incremental
from bayescausal.queries.summary import COLUMNS, summarize

NORMAL = np.random.default_rng(0).normal(2, 3, (4, 500, 3))


def draws(values=NORMAL, dims=("chain", "draw", "channel"), **coords):
    given = coords or {"channel": ["a", "b", "c"]}
    return xr.DataArray(values, dims=dims, coords=given, name="effect")


def test_numbers_are_those_of_the_pooled_draws():
    table = summarize(draws(), prob=0.8)
    flat = NORMAL.reshape(-1, 3)
    want = {
        "median": np.median(flat, 0),
        "mean": flat.mean(0),
        "sd": flat.std(0, ddof=1),
        "low": np.quantile(flat, 0.1, 0),
        "high": np.quantile(flat, 0.9, 0),
        "p_positive": (flat > 0).mean(0),
    }
    assert list(table.columns) == COLUMNS == list(want)
    for column, values in want.items():
        np.testing.assert_allclose(table[column], values)


def test_interval_holds_the_probability_asked_for():
    for prob in (0.5, 0.9, 0.99):
        table = summarize(draws(), prob)
        flat = NORMAL.reshape(-1, 3)
        inside = ((flat >= table["low"].to_numpy()) & (flat <= table["high"].to_numpy())).mean(0)
        np.testing.assert_allclose(inside, prob, atol=1e-3)
        assert table.attrs["prob"] == prob


def test_order_of_dims_does_not_matter():
    turned = draws().transpose("channel", "draw", "chain")
    np.testing.assert_allclose(summarize(turned), summarize(draws()))
    assert list(summarize(turned).index) == ["a", "b", "c"]


def test_index_is_what_the_draws_are_indexed_by():
    assert list(summarize(draws()).index) == ["a", "b", "c"]
    assert summarize(draws()).index.name == "channel"
    one = draws().isel(channel=0, drop=True)
    assert list(summarize(one).index) == ["effect"]
    assert summarize(one).index.name == "estimand"
    two = draws(
        NORMAL.reshape(4, 100, 5, 3),
        ("chain", "draw", "unit", "channel"),
        unit=list("vwxyz"),
        channel=["a", "b", "c"],
    )
    table = summarize(two)
    assert table.index.names == ["unit", "channel"]
    assert table.loc[("w", "c"), "mean"] == pytest.approx(two.sel(unit="w", channel="c").mean())
    bare = summarize(xr.DataArray(NORMAL, dims=("chain", "draw", "k")))
    assert list(bare.index) == [0, 1, 2]
    assert bare.index.name == "k"


def test_dataset_is_indexed_by_node_first():
    both = xr.Dataset({"search": draws(), "sales": 2 * draws()})
    table = summarize(both)
    assert table.index.names == ["node", "channel"]
    mean = table["mean"]
    assert mean["sales", "b"] == pytest.approx(2 * mean["search", "b"])


def test_real_fit_is_indexed_by_channel_path_and_time(example_fit):
    assert list(summarize(bc.roas(example_fit)).index) == ["search", "social", "tv"]
    tv = incremental("tv")
    assert list(summarize(bc.decompose(example_fit, tv)).index) == ["total", "direct", "indirect"]
    assert list(summarize(bc.effect(example_fit, tv)).index) == ["tv"]
    world = summarize(bc.counterfactual(example_fit, {"tv": 0}))
    assert world.index.names == ["node", "time"]
    assert world.shape == (2 * 156, 6)
    over_time = summarize(bc.contributions(example_fit))
    assert over_time.index.names == ["channel", "time"]
    assert over_time.columns.name is None


def test_not_converged_is_said_in_the_table_and_by_a_warning():
    made = draws()
    made.attrs = {"converged": 0, "convergence": "NOT CONVERGED: R-hat of tv is 1.3."}
    with pytest.warns(NotConverged, match=r"R-hat of tv is 1\.3"):
        table = summarize(made)
    assert table.columns.name == "NOT CONVERGED"
    assert list(table.columns) == COLUMNS
    assert "NOT CONVERGED" in table.to_string()
    with pytest.warns(NotConverged):
        assert summarize(xr.Dataset({"sales": made})).columns.name == "NOT CONVERGED"


def test_draws_are_not_changed():
    made = draws()
    before = made.copy(deep=True)
    summarize(made)
    assert made.identical(before)


@pytest.mark.parametrize("prob", [0, 1, 90, -0.5, float("nan")])
def test_probability_lies_between_zero_and_one(prob):
    with pytest.raises(BayesCausalError, match=r"prob (lies between 0 and 1|must be finite)"):
        summarize(draws(), prob)


def test_reduced_draws_are_refused_with_advice():
    with pytest.raises(BayesCausalError, match=r"got dims \('chain', 'chan"):
        summarize(draws().mean("draw"))


@pytest.mark.parametrize("given", [None, 3, NORMAL, "tv"])
def test_what_is_no_draws_is_refused_with_advice(given):
    with pytest.raises(BayesCausalError, match="summarize takes draws"):
        summarize(given)
