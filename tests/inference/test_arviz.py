"""The tree of a fit is what ArviZ 1 expects: its groups, names, coordinates, and LOO."""

import pickle
from copy import deepcopy
from dataclasses import replace

import arviz as az
import h5py
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import bayescausal as bc
from bayescausal.model.predict import pointwise

STATISTICS = {"lp", "tree_depth", "reached_max_treedepth", "acceptance_rate", "diverging", "energy"}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_groups_are_named_as_arviz_names_them(example_fit):
    tree = example_fit.tree
    assert {*tree.children} == {
        "prior",
        "prior_predictive",
        "posterior",
        "posterior_predictive",
        "sample_stats",
        "observed_data",
        "constant_data",
        "log_likelihood",
    }
    chains, draws = example_fit.shape
    for group in ("posterior", "sample_stats", "log_likelihood", "posterior_predictive"):
        np.testing.assert_array_equal(tree[group]["chain"], np.arange(chains))
        np.testing.assert_array_equal(tree[group]["draw"], np.arange(draws))
    assert {*tree["sample_stats"].data_vars} >= STATISTICS
    density = tree["log_likelihood"]["sales"]
    assert density.dims == ("chain", "draw", "time")
    assert density.coords["time"].equals(tree["observed_data"]["sales"].coords["time"])


def test_constant_data_are_the_inputs_of_the_model(example_fit):
    constant = example_fit.tree["constant_data"].to_dataset()
    assert {*constant.data_vars} == {*example_fit.spec.inputs}
    model = bc.build(example_fit.spec, example_fit.data)
    for name, path in constant.data_vars.items():
        np.testing.assert_array_equal(path, model[name].get_value())
        assert path.dims == model.named_vars_to_dims[name]


def test_a_selection_of_the_log_likelihood_is_the_pointwise_density(example_fit):
    """`tests/model/test_pointwise.py` compares these densities with PyMC's own."""

    def density(equations):
        return pointwise(equations)["search"]

    whole = example_fit.evaluate(density)
    lazy = example_fit.tree["log_likelihood"]["search"]
    selected = lazy.isel(time=[3, 150, 5], chain=[0, 2], draw=7)
    assert selected.dims == ("chain", "time")
    np.testing.assert_array_equal(selected, whole[[0, 2], 7][:, [3, 150, 5]])
    np.testing.assert_array_equal(lazy, whole)


def test_what_is_derived_takes_no_room_in_the_file_and_comes_back(example_fit, tmp_path):
    path = example_fit.save(tmp_path / "fit.nc")
    with h5py.File(path) as file:
        assert not {"constant_data", "log_likelihood"} & {*file}
    again = bc.load(path)
    for group in ("constant_data", "log_likelihood", "sample_stats", "posterior"):
        ours, theirs = (fit.tree[group].to_dataset() for fit in (again, example_fit))
        assert ours.load().identical(theirs.load()), group


def test_a_file_of_before_gets_the_names_of_now(example_fit, tmp_path):
    """Until this version draws had no coordinates and statistics the names of their sampler."""
    tree = example_fit.tree.copy()
    for group in ("posterior", "prior", "sample_stats"):
        tree[group] = xr.DataTree(tree[group].to_dataset().drop_vars(["chain", "draw"]))
    stats = tree["sample_stats"].to_dataset()
    old = {"lp": "logp", "tree_depth": "depth", "acceptance_rate": "mean_tree_accept"}
    tree["sample_stats"] = xr.DataTree(stats.rename(old))
    path = replace(example_fit, tree=tree).save(tmp_path / "old.nc")
    again = bc.load(path)
    for group in ("posterior", "sample_stats"):
        assert again.tree[group].to_dataset().identical(example_fit.tree[group].to_dataset())
    assert np.isfinite(az.loo(again.tree, var_name="sales").elpd)


def test_a_tree_is_pickled_and_copied_with_its_log_likelihood(example_fit):
    mean = float(example_fit.tree["log_likelihood"]["sales"].mean())
    for copied in (pickle.loads(pickle.dumps(example_fit)), deepcopy(example_fit)):
        assert float(copied.tree["log_likelihood"]["sales"].mean()) == mean


def test_tables_and_traces_work(example_fit):
    table = az.summary(example_fit.tree, var_names=["tv->sales", "sales:yearly"])
    assert table.index[0] == "tv->sales"
    assert len(table) == 5
    rhat = az.rhat(example_fit.tree)["tv->sales"].item()
    assert rhat == pytest.approx(1, abs=0.05)
    shown = az.plot_trace(example_fit.tree, var_names=["tv->sales", "sales:sigma"])
    assert {*shown.viz["plot"].data_vars} == {"tv->sales", "sales:sigma"}
    az.plot_energy(example_fit.tree)
    az.plot_ppc_dist(example_fit.tree, num_samples=5)


def test_loo_of_arviz_is_leave_one_out(example_fit):
    """Both nodes of a week together are what `leave_one_out` leaves out."""
    tree = example_fit.tree.copy()
    both = tree["log_likelihood"].to_dataset()
    tree["log_likelihood"] = xr.DataTree(both.assign(week=both["search"] + both["sales"]))
    ours, theirs = bc.leave_one_out(example_fit), az.loo(tree, var_name="week")
    assert theirs.elpd == pytest.approx(ours.elpd, rel=1e-3)
    assert theirs.p == pytest.approx(ours.p_loo, rel=0.02)
    assert az.loo(example_fit.tree, var_name="sales").n_data_points == 156


def test_fits_are_compared_and_loo_pit_is_drawn(example_fit):
    worse = example_fit.tree.copy()
    density = worse["log_likelihood"].to_dataset()
    worse["log_likelihood"] = xr.DataTree(density.assign(sales=density["sales"] - 1))
    table = az.compare({"worse": worse, "fit": example_fit.tree}, var_name="sales")
    assert list(table.index) == ["fit", "worse"]
    assert table.loc["worse", "elpd_diff"] == pytest.approx(-156, abs=1)
    az.plot_loo_pit(example_fit.tree)
    values = az.loo_pit(example_fit.tree, var_names=["sales"])["sales"]
    assert 0.4 < float(values.mean()) < 0.6


def test_augmented_rows_have_no_log_likelihood_of_weeks(augmented_fit):
    """A week is also in the rows made of it; the fit without them can be compared."""
    assert "log_likelihood" not in augmented_fit.tree
    with pytest.raises(TypeError, match="log likelihood not found"):
        az.loo(augmented_fit.tree)
    node = augmented_fit.spec.graph.outcomes[0]
    plain = az.loo(augmented_fit.plain.tree, var_name=node)
    assert np.isfinite(plain.elpd)
