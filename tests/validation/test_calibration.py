"""Simulation-based calibration: right models pass at the stated level, broken ones fail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy.stats import binom

import bayescausal as bc
from bayescausal.errors import BayesCausalError, SpecError
from bayescausal.inference.compile import _form
from bayescausal.inference.prior_draws import draw_prior
from bayescausal.model.lifts import lift_data, lift_log_density
from bayescausal.model.prior_worlds import simulated
from bayescausal.model.scm import bind, compile_scm
from bayescausal.validation import simulated_fits
from bayescausal.validation.calibration import Calibration, _planned
from bayescausal.validation.simulated_fits import CompiledSimulations
from bayescausal.validation.status import Status
from bayescausal.validation.uniformity import band, detectable, gamma, shape, uniformity_p

WEEKS = 40
QUICK = {"draws": 250, "tune": 100, "chains": 2, "ranks": 49, "progress": False}
PLAIN = bc.Response()


def table(history=0):
    rng = np.random.default_rng(3)
    tv = rng.gamma(2.0, 10.0, WEEKS)
    search = 100 + tv + rng.normal(0, 5, WEEKS)
    frame = pd.DataFrame(
        {
            "week": pd.date_range("2025-01-06", periods=WEEKS, freq="7D"),
            "tv": tv,
            "search": search,
            "sales": 300 + 2 * tv + search + rng.normal(0, 10, WEEKS),
        }
    )
    return bc.Dataset.from_frame(frame, time="week", spend=["tv"], history=history)


def lift_test(error=150.0):
    question = bc.incremental("tv").during("2025-03-03", "2025-03-30")
    return bc.Experiment(question, 200.0, error, "geo-rct", name="spring")


def linear(**settings):
    """One channel, independent errors: the smallest model there is."""
    graph = bc.Graph.parse("tv -> sales", outcome="sales")
    return bc.Spec(graph, {"tv": PLAIN}, noise=bc.NormalNoise(), **settings)


def mediated(search=PLAIN, **settings):
    graph = bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales")
    responses = {"tv": PLAIN, "search": search}
    policy = {"search": "reacts"}
    return bc.Spec(graph, responses, policy=policy, noise=bc.NormalNoise(), **settings)


# --- ranks ---------------------------------------------------------------------------------------


def test_the_statistic_is_the_smallest_binomial_tail():
    ranks = np.random.default_rng(0).integers(0, 10, (3, 25))
    for row, value in zip(ranks, gamma(ranks, 9), strict=True):
        tails = [
            2 * min(binom.cdf(c, 25, i / 10), binom.sf(c - 1, 25, i / 10))
            for i in range(1, 10)
            for c in [(row < i).sum()]
        ]
        assert value == pytest.approx(min(tails))


def test_uniform_ranks_are_rejected_as_often_as_stated():
    """600 samples at 5 percent: 30 expected, sd 5.3; outside 14..46 once in 500 such tests."""
    rng = np.random.default_rng(1)
    rejected = sum(uniformity_p(rng.integers(0, 50, 60), 49) <= 0.05 for _ in range(600))
    assert 14 <= rejected <= 46


def test_the_band_and_the_test_agree():
    rng = np.random.default_rng(2)
    limits = band(60, 49, 0.05)
    for tilt in (1.0, 1.2, 1.5, 2.0) * 20:
        ranks = (50 * rng.random(60) ** tilt).astype(int)
        difference = np.bincount(ranks, minlength=50).cumsum()[:-1] / 60 - limits.points
        outside = (difference < limits.low - 1e-12) | (difference > limits.high + 1e-12)
        p = uniformity_p(ranks, 49)
        if abs(p - 0.05) > 0.01:  # gamma is discrete: at the level itself either may be
            assert outside.any() == (p < 0.05)


@pytest.mark.parametrize(
    ("shift", "ratio", "words"),
    [(1, 1, "biased high"), (-1, 1, "biased low"), (0, 0.5, "too narrow"), (0, 2, "too wide")],
)
def test_the_shape_is_named(shift, ratio, words):
    rng = np.random.default_rng(4)
    truth = rng.standard_normal(300)
    draws = shift + ratio * rng.standard_normal((300, 99)) + np.zeros((300, 1))
    ranks = (draws < truth[:, None]).sum(axis=1)
    assert uniformity_p(ranks, 99) < 0.001
    assert shape(ranks, 99).words == words


def test_more_simulations_see_smaller_faults():
    few, many = detectable(60, 49, 0.01), detectable(100, 49, 0.01)
    assert many[0] < few[0] < 1
    assert few[1] < many[1] < 1


def by_hand(ranks, level=0.05):
    """A Calibration of ranks ``(simulation, quantity)``."""
    names = [f"q{k}" for k in range(ranks.shape[1])]
    index = pd.RangeIndex(len(ranks) + 2, name="simulation")
    status = ["converged"] * len(ranks) + ["not converged", "not run"]
    simulations = pd.DataFrame({"status": status, "problem": "R-hat", "redrawn": 1}, index=index)
    coords = {"simulation": np.arange(len(ranks)), "quantity": names}
    array = xr.DataArray(ranks, dims=("simulation", "quantity"), coords=coords)
    return Calibration(array, 49, simulations, level)


def test_what_is_wrong_is_named_and_what_does_not_count_is_counted():
    ranks = np.random.default_rng(5).integers(0, 50, (60, 3))
    ranks[:, 1] = ranks[:, 1] // 2
    result = by_hand(ranks)
    assert result.status == Status.FAIL
    assert list(result.table["shape"]) == ["as expected", "biased high", "as expected"]
    assert "q1 (biased high)" in result.sentence
    assert "1 of 61 simulations did not converge" in str(result)
    assert "1 simulations were not run" in str(result)
    assert "drawn again" in str(result)
    assert result.tree["prior_sbc"]["q1"].shape == (60,)
    assert "q1" in result._repr_html_()
    figure = bc.plot_calibration(result, ["q1", "q2"])
    assert len(figure.axes) == 2
    assert by_hand(ranks[:, :1]).status == Status.PASS
    assert "8 of 10" in by_hand(ranks[:, :1]).sentence
    assert by_hand(ranks[:20, :1]).status == Status.NOT_RUN


# --- simulated data ------------------------------------------------------------------------------


def truth_of(spec, data, seed=0):
    scm = compile_scm(spec, data)
    return scm, draw_prior(scm, 1, seed), np.random.default_rng(seed)


@pytest.mark.parametrize("search", [PLAIN, bc.Response(bc.NoAdstock(), bc.HillSaturation())])
def test_equations_hold_at_the_simulated_paths(search):
    """The coefficient and the center of a mediator's edge are those of its simulated path."""
    scm, theta, rng = truth_of(mediated(search), table())
    theta |= {f"{v}:sigma": np.array([1e-9]) for v in ("search", "sales")}
    theta["search:intercept"] = np.array([0.5])
    theta["tv->search"] = np.array([0.05])
    equations = simulated(scm, theta, rng)
    for node in ("search", "sales"):
        mean = equations.mean(node, dict.fromkeys(scm.spec.structure.incoming(node)))
        assert equations.x[node] == pytest.approx(scm.inverse(node, mean)[0], rel=1e-6)
    assert not np.allclose(equations.x["search"], scm.factual["search"], rtol=0.05)


def test_the_history_stays_as_it_was():
    data = table(history=5)
    scm, theta, rng = truth_of(linear(), data)
    path = simulated(scm, theta, rng).x["sales"]
    assert np.array_equal(path[:5], data.array("sales")[:5])
    assert not np.isclose(path[5:], data.array("sales")[5:]).any()


def test_simulated_errors_have_the_stated_spread():
    """40 errors in each of 50 worlds: the sd is known to sqrt(1 / 4000) = 1.6 percent."""
    scm, theta, rng = truth_of(linear(), table())
    theta["sales:sigma"] = np.array([0.2])
    residuals = []
    for _ in range(50):
        equations = simulated(scm, theta, rng)
        mean = equations.mean("sales", dict.fromkeys(scm.spec.structure.incoming("sales")))
        residuals.append(scm.link("sales", equations.x["sales"]) - mean[0])
    assert np.std(residuals) == pytest.approx(0.2, rel=0.065)


@pytest.fixture(scope="module")
def compiled():
    """The smallest model with a lift test, compiled once."""
    spec, data = linear(experiments=(lift_test(),)), table()
    settings = simulated_fits.Settings(draws=250, tune=100, chains=2, progress=False)
    return CompiledSimulations(_planned(compile_scm(spec, data).spec, data, settings, 49, 1))


def test_priors_and_scales_are_those_of_the_data_that_were_handed_in(compiled):
    """Of an outcome ten times as large parameters mean the same, and have the same prior."""
    scm, density = compiled.scm, compiled.density
    theta = draw_prior(scm, 1, 7)
    rng = np.random.default_rng(8)
    one, two = (simulated(scm, theta, rng).x["sales"] for _ in range(2))
    x = np.random.default_rng(9).normal(size=density.start.size)
    small, large = {"sales:observed": one}, {"sales:observed": 10 * two}
    a, b = (density.restore(x[None], data) for data in (small, large))
    assert all(np.array_equal(a[name], b[name]) for name in density.form.labels)
    # What is left of the difference of densities is the likelihood: no prior has moved.
    at_x = {p.name: a[p.name] for p in scm.parameters}
    lifts = lift_data(scm.spec, scm.data)
    likelihoods = [
        compiled.log_likelihood(bind(scm, at_x, {**scm.factual, "sales": path}), lifts)[0]
        for path in (one, 10 * two)
    ]
    densities = [density.at_data(data)(x)[0] for data in (small, large)]
    assert np.diff(densities)[0] == pytest.approx(np.diff(likelihoods)[0], rel=1e-9)
    # Had the data been handed in, it would have been another prior.
    frame = scm.data.table.assign(sales=("time", 10 * two))
    other = compile_scm(scm.spec, replace(scm.data, table=frame))
    assert other.scale["sales"] != pytest.approx(scm.scale["sales"])


def test_tests_are_measured_in_the_simulated_world(compiled):
    """40 measurements less their effects: mean 0 +/- 3.5 se, sd 150 within 3.5 se."""
    rng = np.random.default_rng(10)
    name = "the effect of tv"
    deviations = []
    for _ in range(40):
        truth, _ = compiled.world(rng)
        test = compiled.scm.spec.experiments[0]
        effect = simulated_fits.measure(truth.equations, test.estimand)[0]
        deviations.append(truth.lifts["lift:spring:observed"] - effect)
        assert truth.lifts["lift:spring:sd"] == 150.0
    assert name in compiled.estimands
    assert abs(np.mean(deviations)) < 3.5 * 150 / np.sqrt(40)
    assert np.std(deviations) == pytest.approx(150, rel=3.5 / np.sqrt(80))


def test_the_density_of_tests_is_that_of_the_model(compiled):
    theta = draw_prior(compiled.scm, 1, 7)
    x = np.random.default_rng(9).normal(size=compiled.density.start.size)
    values = compiled.density.restore(x[None])
    at_x = bind(compiled.scm, {name: values[name] for name in theta})
    lifts = [
        {"lift:spring:observed": np.array(v), "lift:spring:sd": np.array(80.0)} for v in (0, 500)
    ]
    ours = [lift_log_density(at_x, measured)[0] for measured in lifts]
    models = [compiled.density.at_data(measured)(x)[0] for measured in lifts]
    assert np.diff(models)[0] == pytest.approx(np.diff(ours)[0], rel=1e-9)


# --- the verb ------------------------------------------------------------------------------------


def test_it_resumes_and_goes_on(tmp_path):
    spec, data = linear(), table()
    first = bc.calibrate(spec, data, 2, seed=3, folder=tmp_path, **QUICK)
    written = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert len(written) == 2
    with ThreadPoolExecutor(1) as pool:
        more = bc.calibrate(spec, data, 3, seed=3, folder=tmp_path, executor=pool, **QUICK)
    assert {file: file.stat().st_mtime_ns for file in written} == written
    assert len(more.simulations) == 3
    assert more.simulations.iloc[:2].equals(first.simulations)
    names = ["sales:intercept", "tv->sales", "sales:sigma", "the effect of tv", "log likelihood"]
    assert list(more.ranks["quantity"].to_numpy()) == names
    assert ((more.ranks >= 0) & (more.ranks <= 49)).all()
    assert more.status == Status.NOT_RUN
    none = bc.calibrate(spec, data, 2, seed=4, budget=0, **QUICK)
    assert none.counts == {"not run": 2}
    assert none.status == Status.NOT_RUN
    assert "want of time" in str(none)
    with pytest.raises(SpecError, match="No simulation converged"):
        bc.plot_calibration(none)


def test_worlds_that_cannot_be_fitted_are_counted():
    """Search saturates, and falls below zero in every world of this prior."""
    below = bc.Intercept(bc.Prior("Normal", mu=-3.0, sigma=0.1))
    curve = bc.Response(bc.NoAdstock(), bc.HillSaturation())
    spec = mediated(curve, baseline={"search": (below,), "sales": (bc.Intercept(),)})
    result = bc.calibrate(spec, table(), 1, seed=1, **QUICK)
    assert result.counts == {"failed": 1}
    assert "narrower priors" in str(result)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"simulations": 0}, "whole number"),
        ({"ranks": 3}, "9 or more"),
        ({"level": 5}, "0.05 for 5 percent|between 0 and 1"),
        ({"budget": "fast"}, "number"),
        ({"folder": 3}, "path"),
        ({"seeds": 3}, "Did you mean 'seed'"),
        ({"draws": 0}, "draws"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(BayesCausalError, match=words):
        bc.calibrate(linear(), table(), **arguments)


def test_augmented_rows_are_refused():
    spec = mediated(augmentation=bc.Augmentation(weight=0.3))
    with pytest.raises(SpecError, match="calibrate_eta"):
        bc.calibrate(spec, table(), 1)


def test_the_plot_takes_a_calibration():
    with pytest.raises(SpecError, match="plot_calibration"):
        bc.plot_calibration(3)


# --- right models pass, broken ones fail ----------------------------------------------------------


def with_doubled_noise(scm, theta, rng):
    """Simulate errors twice as large as the parameters say."""
    loud = {k: 2 * v if k.endswith(":sigma") else v for k, v in theta.items()}
    return replace(simulated(scm, loud, rng), theta=theta)


def test_errors_that_are_larger_than_the_fit_believes_are_seen(monkeypatch):
    monkeypatch.setattr(simulated_fits, "simulated", with_doubled_noise)
    result = bc.calibrate(linear(), table(), 25, seed=21, **QUICK)
    assert result.status == Status.FAIL
    assert result.table.loc["sales:sigma", "shape"] == "biased high"


# --- slow: whole studies --------------------------------------------------------------------------


def curved(**settings):
    """A channel with carry-over and a curve, whose shapes data hardly tell."""
    response = bc.Response(bc.GeometricAdstock(l_max=4), bc.HillSaturation())
    graph = bc.Graph.parse("tv -> sales", outcome="sales")
    return bc.Spec(graph, {"tv": response}, **settings)


SLOW = {"ranks": 99, "progress": False, "level": 0.01}


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    [
        curved(),
        mediated(bc.Response(bc.NoAdstock(), bc.HillSaturation()), experiments=(lift_test(),)),
        linear(experiments=(replace(lift_test(40.0), nu=4.0),)),
    ],
    ids=["curve and memory", "mediator and test", "heavy-tailed test"],
)
def test_right_models_pass(spec):
    """Each fails once in 100 seeds, by the level of its test."""
    result = bc.calibrate(spec, table(), 100, seed=31, **SLOW)
    assert result.status == Status.PASS, result
    assert result.counts["converged"] >= 90


@pytest.mark.slow
def test_a_test_whose_error_is_halved_is_seen(monkeypatch):
    """The fit believes a lift test twice as exact as it is; data alone say little of tv."""
    remeasured = simulated_fits.remeasured

    def too_sure(equations, rng):
        lifts = remeasured(equations, rng)
        return lifts | {"lift:spring:sd": lifts["lift:spring:sd"] / 2}

    monkeypatch.setattr(simulated_fits, "remeasured", too_sure)
    spec = linear(experiments=(lift_test(20.0),))
    result = bc.calibrate(spec, table(), 200, seed=32, **SLOW)
    assert result.status == Status.FAIL
    assert result.table.loc["the effect of tv", "shape"] == "too narrow"


@pytest.fixture
def nothing_compiled():
    """No density is kept from before the test, nor after it."""
    _form.cache_clear()
    yield
    _form.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_compiled")
def test_a_density_without_its_jacobian_is_seen(monkeypatch):
    logp = pm.Model.logp
    monkeypatch.setattr(
        pm.Model, "logp", lambda self, **settings: logp(self, **settings | {"jacobian": False})
    )
    result = bc.calibrate(curved(), table(), 100, seed=33, **SLOW)
    assert result.status == Status.FAIL


@pytest.mark.slow
def test_a_prior_that_is_derived_from_each_outcome_is_seen(monkeypatch):
    """The simulated outcome is scaled by its own largest value, as a fit of new data would be."""

    def rescaled(scm, theta, rng):
        equations = simulated(scm, theta, rng)
        top = np.abs(equations.x["sales"]).max()
        sales = equations.x["sales"] * scm.scale["sales"] / top
        return bind(scm, theta, {**equations.x, "sales": sales})

    monkeypatch.setattr(simulated_fits, "simulated", rescaled)
    result = bc.calibrate(linear(), table(), 100, seed=34, **SLOW)
    assert result.status == Status.FAIL
