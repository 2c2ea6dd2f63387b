"""A fit with augmentation: what is kept, and what its posterior is worth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from augmented_cases import AUGMENTATION, WEEKS, augmented_spec, mediated, quick

import bayescausal as bc
from bayescausal.inference.compile import compile_jax
from bayescausal.inference.fit import PLAIN, labeled
from bayescausal.model.build import build
from bayescausal.model.weighted import ETA, WEIGHT

LABEL = "Weighted-likelihood posterior: augmented rows (ancestral) have up to 44% of the weight"


def test_the_fit_without_augmentation_is_kept(augmented_fit):
    plain = augmented_fit.plain
    assert plain.spec == augmented_spec(augmentation=None, noise=augmented_fit.spec.noise)
    assert {*augmented_fit.spec.noise.values()} == {bc.NormalNoise()}
    assert plain.plain is None
    assert plain.info["data_hash"] == augmented_fit.info["data_hash"]
    assert plain.shape == augmented_fit.shape
    assert plain.grades.keys() == augmented_fit.grades.keys()  # its evidence is kept too
    one, two = (f.tree["posterior"]["tv->sales"].to_numpy() for f in (plain, augmented_fit))
    assert np.abs(one - two).min() > 0  # not the same draws under two names


def test_both_fits_are_saved_and_loaded(augmented_fit, tmp_path):
    again = bc.load(augmented_fit.save(tmp_path / "again.nc"))
    assert again.spec == augmented_fit.spec
    assert again.spec.augmentation == AUGMENTATION
    for one, two in ((again, augmented_fit), (again.plain, augmented_fit.plain)):
        assert {*one.tree.children} == {*two.tree.children}
        assert one.tree.attrs == two.tree.attrs
        for name in ("posterior", "prior", "posterior_predictive", "observed_data"):
            assert one.tree[name].to_dataset().identical(two.tree[name].to_dataset())
    assert again.shapes == augmented_fit.shapes


def test_rows_are_drawn_at_the_shapes_of_the_fit_without(augmented_fit):
    theta = augmented_fit.plain.theta()
    told = {k: v.mean() for k, v in theta.items() if k.endswith(":alpha")}
    assert len(told) == 2  # tv acts on search and on sales
    assert augmented_fit.shapes == pytest.approx(told)


def test_the_kind_of_posterior_is_said(augmented_fit):
    printed = " ".join(repr(augmented_fit).split())
    assert LABEL in printed
    assert "Look at `plain` beside it" in printed
    assert "Weighted-likelihood" not in repr(augmented_fit.plain)
    assert labeled(augmented_spec(augmentation=None)) == ""
    assert labeled(augmented_spec(augmentation=bc.Augmentation(weight=0))) == ""


def test_what_only_the_fit_with_rows_fails_to_reproduce_is_their_fault(augmented_fit):
    """Replicas are moved by hand: in one of the fits, and in both."""

    def moved(fit):
        tree = fit.tree.copy()
        replicas = tree["posterior_predictive"].to_dataset()
        tree["posterior_predictive"] = xr.DataTree(replicas.assign(sales=2 * replicas["sales"]))
        return replace(fit, tree=tree)

    both = moved(augmented_fit)
    both.tree[PLAIN] = moved(augmented_fit.plain).tree
    blame = "The mean of sales is not reproduced with augmented rows, and is without them"
    assert any(blame in line for line in bc.diagnose(moved(augmented_fit)).advice)
    told = bc.diagnose(both).advice
    assert not any("augmented rows" in line for line in told)
    assert any("The mean of sales is not reproduced: its link" in line for line in told)


def test_effects_and_replicas_are_of_observed_weeks(augmented_fit):
    for group in ("observed_data", "posterior_predictive", "prior_predictive"):
        assert dict(augmented_fit.tree[group].sizes)["time"] == WEEKS
    observed = augmented_fit.tree["observed_data"]["sales"].to_numpy()
    np.testing.assert_array_equal(observed, mediated().array("sales"))
    over_time = bc.contributions(augmented_fit)
    assert over_time.sizes["time"] == WEEKS
    theta = augmented_fit.theta()
    tv, sales = (mediated().array(v) for v in ("tv", "sales"))
    whole = bc.effect(augmented_fit, bc.incremental("tv")).to_numpy().ravel()
    np.testing.assert_allclose(over_time.sel(channel="tv").sum("time").to_numpy().ravel(), whole)
    # A mean contribution is one a week, in units of the largest sales: no augmented week adds.
    direct = theta["tv->sales"] * sales.max() * WEEKS
    found = bc.decompose(augmented_fit, bc.incremental("tv")).sel(path="direct")
    np.testing.assert_allclose(found.to_numpy().ravel(), direct, rtol=1e-6)
    assert tv.min() > 0


def known(sigma):
    """An error whose size is as good as known."""
    return bc.NormalNoise(bc.Prior("LogNormal", mu=float(np.log(sigma)), sigma=1e-3))


def one_edge(seed, weeks=80, noise=40.0):
    """Weeks of ``x -> y`` with a strong linear effect."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(3.0, 10.0, weeks)
    week = pd.date_range("2024-01-01", periods=weeks, freq="7D")
    frame = pd.DataFrame({"week": week, "x": x, "y": 300 + 4 * x + rng.normal(0, noise, weeks)})
    return bc.Dataset.from_frame(frame, time="week")


def compiled(data, given, **settings):
    """The model of ``x -> y`` with augmentation; its weight and eta are arguments."""
    graph = bc.Graph.parse("x -> y", outcome="y")
    spec = bc.Spec(graph, treatments=("x",), augmentation=given, **settings)
    return compile_jax(build(spec, data, shapes={}))


def moments(density, name="x->y", *, weight=1.0, eta=1.0):
    """Mean and sd of a parameter without constraints under the Laplace approximation, exactly."""
    data = {WEIGHT: np.array(weight), ETA: np.array(eta)}
    coordinates, size = density.coordinates(data), density.start.size
    x = coordinates.natural(np.vstack([np.zeros(size), np.eye(size)]))
    values = density.restore(x, data)[name]
    return values[0], np.linalg.norm(values[1:] - values[0])


def test_the_posterior_does_not_narrow_with_the_number_of_rows():
    """1,000 and 20,000 rows agree, up to the spread between seeds of the rows.

    The tolerance is for a mean of three sds against one, both at the spread of 1,000 rows, which
    is the larger. The same model with the weight n + M, which is what appended rows have, fails.
    """
    data, rows = one_edge(1), len(one_edge(1).time)
    sds: dict[int, list] = {1000: [], 20_000: []}
    naive: dict[int, float] = {}
    for budget, seeds in ((1000, range(3)), (20_000, range(1))):
        for seed in seeds:
            density = compiled(data, bc.Augmentation(1.0, method=bc.Ancestral(budget), seed=seed))
            sds[budget].append(moments(density)[1])
        naive[budget] = moments(density, eta=(rows + budget) / rows)[1]
    plain = moments(density, weight=0.0)[1]
    tolerance = 4 * np.std(sds[1000], ddof=1) * np.sqrt(1 / 3 + 1)
    few, many = np.mean(sds[1000]), np.mean(sds[20_000])
    assert tolerance < 0.15 * plain
    assert few == pytest.approx(many, abs=tolerance)
    # Residuals are widened by n / (n - 2), as for an unbiased variance.
    assert few == pytest.approx(plain * np.sqrt(rows / (rows - 2)), rel=0.02)
    assert naive[1000] - naive[20_000] > tolerance
    assert naive[1000] < plain / 3


def test_eta_divides_the_information():
    """With known noise the precision is that of the prior and eta times that of the rows."""
    density = compiled(
        one_edge(2), bc.Augmentation(1.0, method=bc.Ancestral(2000)), noise=known(0.1)
    )
    precisions = [moments(density, eta=eta)[1] ** -2 - 1.0 for eta in (0.25, 0.5, 1.0)]
    assert precisions[2] > 100  # the prior, Normal(0, 1), has a precision of one
    np.testing.assert_allclose(np.array(precisions) / precisions[2], [0.25, 0.5, 1.0], rtol=1e-3)
    # Between weight 0 and weight 1 the observed rows give up what the augmented ones get.
    half = moments(density, weight=0.5, eta=0.5)[1] ** -2 - 1.0
    none = moments(density, weight=0.0)[1] ** -2 - 1.0
    assert half == pytest.approx(0.5 * none + 0.5 * 0.5 * precisions[2], rel=1e-3)


def test_kernels_pull_an_effect_toward_zero_and_residuals_do_not():
    """Ratio of the effect to that without augmentation, in two worlds.

    Drawing rows moves a mean by sd sqrt(n / M): with 20,000 rows 6 percent of an sd, here 0.5
    percent of the effect; four of that, over the root of two worlds, are tolerated.
    """
    ratios: dict[str, list] = {"nadaraya-watson": [], "residual-bootstrap": []}
    errors = []
    for conditional, found in ratios.items():
        for seed in (1, 2):
            given = bc.Augmentation(
                1.0, method=bc.Ancestral(20_000), conditional={"y": conditional}, seed=seed
            )
            density = compiled(one_edge(seed), given)
            mean, sd = moments(density, weight=0.0)
            found.append(moments(density)[0] / mean)
            errors.append(sd * np.sqrt(80 / 20_000) / mean)
    tolerance = 4 * max(errors) / np.sqrt(2)
    assert tolerance < 0.03
    assert np.mean(ratios["residual-bootstrap"]) == pytest.approx(1, abs=tolerance)
    assert np.mean(ratios["nadaraya-watson"]) < 1 - 2 * tolerance
    assert max(ratios["nadaraya-watson"]) < 1


@pytest.mark.slow
def test_the_fit_without_is_the_fit_of_the_spec_without(augmented_fit):
    """Same seed, same settings, same draws."""
    alone = quick(augmented_spec(augmentation=None), mediated())
    for name, draws in augmented_fit.plain.tree["posterior"].data_vars.items():
        np.testing.assert_allclose(alone.tree["posterior"][name], draws)


@pytest.mark.slow
def test_a_test_is_left_out_of_both_fits(augmented_fit):
    """The refit draws its rows anew from a first fit that has not seen the test either."""
    made = bc.leave_out(augmented_fit, ["spring"], seed=2)
    for one in (made, made.plain):
        assert not one.spec.experiments
    assert made.spec.augmentation == AUGMENTATION
    assert made.plain.spec.augmentation is None
    for one, given in ((made, augmented_fit), (made.plain, augmented_fit.plain)):
        assert one.info["data_hash"] == given.info["data_hash"]
        width = [bc.effect(f, bc.incremental("tv")).std().item() for f in (one, given)]
        assert width[0] > 0.9 * width[1]  # a test only adds: it is left out, not counted twice
    assert made.shapes != augmented_fit.shapes
    direct = replace(augmented_fit.spec, experiments=())
    again = quick(direct, mediated(), seed=2)
    for name, draws in again.tree["posterior"].data_vars.items():
        np.testing.assert_allclose(made.tree["posterior"][name], draws)


@pytest.mark.slow
def test_evidence_splits_the_precision_of_a_fit_with_augmentation(augmented_fit):
    table = bc.evidence(augmented_fit, bc.incremental("tv"), seed=3)
    assert "spring" in list(table["source"])
    assert table["share"].sum() == pytest.approx(1)
    sd = bc.effect(augmented_fit, bc.incremental("tv")).std(ddof=1).item()
    assert table["sd"].iloc[-1] == pytest.approx(sd)
