"""`calibrate_eta`: the worlds that it makes, and the table that comes out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from augmented_cases import augmented_spec, mediated
from linear_worlds import linear_fit

import bayescausal as bc
from bayescausal.errors import SpecError
from bayescausal.inference.compile import compile_jax
from bayescausal.inference.fit import PLAIN
from bayescausal.model.build import build
from bayescausal.model.predict import generate
from bayescausal.model.scm import bind, compile_scm
from bayescausal.model.weighted import ETA, WEIGHT
from bayescausal.validation.eta_calibration import EtaCalibration, _generated

ASKED = [bc.incremental("tv")]


def some_theta(spec, data, seed=0, **given):
    """One draw of every parameter, away from its bounds."""
    rng = np.random.default_rng(seed)
    return {
        p.name: np.full((1, *([p.size] if p.dim else [])), given.get(p.name, rng.uniform(0.2, 0.6)))
        for p in compile_scm(spec, data).parameters
    }


@pytest.mark.parametrize("noise", [None, bc.StudentTNoise()])
def test_the_truth_of_a_world_is_the_contrast_of_two_with_the_same_errors(noise):
    data = mediated()
    spec = augmented_spec(augmentation=None, noise=noise or bc.NormalNoise())
    theta, scm = (
        some_theta(spec, data, **{"sales:nu": 5.0, "search:nu": 5.0}),
        compile_scm(spec, data),
    )
    made, truth, _ = _generated(scm, theta, ASKED, np.random.default_rng(5))
    errors = int(np.random.default_rng(5).integers(2**31))
    off = {"tv": np.zeros(len(data.time))}
    worlds = [generate(bind(scm, theta), np.random.default_rng(errors), do=do) for do in ({}, off)]
    for node in ("search", "sales"):
        np.testing.assert_allclose(made.array(node), worlds[0][node][0])
        assert np.abs(made.array(node) - data.array(node)).min() > 0  # all errors are new
    assert truth == [pytest.approx((worlds[0]["sales"] - worlds[1]["sales"]).sum())]
    np.testing.assert_array_equal(made.array("tv"), data.array("tv"))  # inputs stay
    assert made.settings() == data.settings()


def test_what_cannot_be_negative_is_zero_before_it_acts():
    """Visits saturate and are paid: where errors would make them negative they are zero."""
    data = mediated()
    table = data.table.assign(search=data.table["search"] / 10)
    paid = replace(data, table=table, spend={"tv": "tv", "search": "search"})
    spec = bc.Spec(
        bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales"),
        {"search": bc.Response(bc.HillSaturation())},
        treatments=("tv",),
        policy={"search": "reacts"},
    )
    scm = compile_scm(spec, paid)
    theta = some_theta(spec, paid, **{"search:intercept": 0.2, "search:sigma": 0.5})
    made, truth, _ = _generated(scm, theta, ASKED, np.random.default_rng(1))
    search = made.array("search")
    assert search.min() == 0
    assert 3 < (search == 0).sum() < 50
    assert np.isfinite(truth).all()
    assert np.isfinite(made.array("sales")).all()
    compile_scm(spec, made)  # a spec that refuses negative exposure takes it
    # Sales follow the visits that are in the table, not those that were cut off.
    errors = int(np.random.default_rng(1).integers(2**31))
    told = generate(
        bind(scm, theta),
        np.random.default_rng(errors),
        do={"search": search},
    )
    np.testing.assert_allclose(told["sales"][0], made.array("sales"))


def test_the_effects_of_every_outcome_are_asked():
    graph = bc.Graph.parse("tv -> search\ntv -> sales", outcome=["search", "sales"])
    data, spec = mediated(), bc.Spec(graph, treatments=("tv",))
    asked = [bc.incremental("tv", outcome=y) for y in ("sales", "search")]
    scm, theta = compile_scm(spec, data), some_theta(spec, data)
    _, truth, _ = _generated(scm, theta, asked, np.random.default_rng(1))
    for value, node in zip(truth, ("sales", "search"), strict=True):
        slope = theta[f"tv->{node}"].item() * data.array(node).max() / np.ptp(data.array("tv"))
        assert value == pytest.approx(slope * data.array("tv").sum())


def unsampled(weight=0.3):
    """A fit with augmentation of which only the form is asked."""
    made = linear_fit("a -> y")
    given = bc.Augmentation(weight=weight)
    tree = {"posterior": made.tree["posterior"].to_dataset()}
    tree[f"{PLAIN}/posterior"] = tree["posterior"]
    return replace(
        made, spec=replace(made.spec, augmentation=given), tree=xr.DataTree.from_dict(tree)
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"etas": []}, "above 0 and at most at 1"),
        ({"etas": [0.5, 0.0]}, r"got \[0.5, 0.0\]"),
        ({"etas": np.array([0.5, 1.2])}, r"got \[0.5, 1.2\]"),
        ({"worlds": 1}, "worlds is a whole number, 2 or more"),
        ({"prob": 1.0}, "prob lies between 0 and 1"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_made(given, says):
    with pytest.raises(SpecError, match=says):
        bc.calibrate_eta(unsampled(), **given)


def test_a_fit_without_augmentation_is_told_how_to_get_it():
    with pytest.raises(SpecError, match=r"no eta.*augmentation=Augmentation\(weight=0.3\)"):
        bc.calibrate_eta(linear_fit("a -> y"))


def test_the_largest_eta_that_covers_is_named():
    table = pd.DataFrame({"coverage": [0.9, 0.8]}, index=pd.Index([0.0, 0.5], name="eta"))
    assert "eta = 0.5 keeps the coverage of 90% intervals" in str(EtaCalibration(0.5, table, 0.9))
    assert "leave augmentation out" in str(EtaCalibration(None, table, 0.9))


@pytest.mark.slow
def test_a_small_calibration_has_a_row_for_each_eta(augmented_fit):
    found = bc.calibrate_eta(augmented_fit, etas=(0.2, 1.0), worlds=3, seed=1)
    table = found.table
    assert list(table.index) == [0.0, 0.2, 1.0]
    assert table.index.name == "eta"
    assert list(table) == ["coverage", "se", "bias", "width"]
    assert np.isfinite(table).all(axis=None)
    assert table["coverage"].isin([0, 1 / 3, 2 / 3, 1]).all()  # one effect in three worlds
    assert table["width"].loc[0] == 1
    assert table["width"].loc[0.2] > table["width"].loc[1.0]
    assert found.eta in (None, 0.2, 1.0)
    pd.testing.assert_frame_equal(
        table, bc.calibrate_eta(augmented_fit, etas=(0.2, 1.0), worlds=3, seed=1).table
    )


@pytest.mark.slow
def test_at_weight_zero_it_is_the_model_without(augmented_fit):
    """The row of eta 0 is the plain posterior, whatever eta stands in the model."""
    spec, data = augmented_fit.spec, augmented_fit.data
    weighted = compile_jax(build(spec, data, shapes=augmented_fit.shapes))
    plain = compile_jax(build(replace(spec, augmentation=None), data))
    size = plain.start.size
    z = np.vstack([np.zeros(size), 1e-3 * np.eye(size)])  # the mode, and a step each way
    data = {WEIGHT: np.array(0.0), ETA: np.array(0.4)}
    one = weighted.restore(weighted.coordinates(data).natural(z), data)
    two = plain.restore(plain.coordinates().natural(z))
    for name, values in two.items():
        np.testing.assert_allclose(one[name][0], values[0], rtol=1e-3)
        steps = (np.linalg.norm(x[1:] - x[0], axis=0) for x in (one[name], values))
        np.testing.assert_allclose(*steps, rtol=1e-2)  # in the order of each model's own vector
