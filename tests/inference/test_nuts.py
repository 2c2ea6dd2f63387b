"""The sampler: closed-form posteriors, windows of the warm-up, and what Ctrl-C leaves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pymc as pm
import pytest

from bayescausal.errors import BayesCausalError
from bayescausal.inference import nuts
from bayescausal.inference.compile import compile_jax
from bayescausal.inference.convergence import ess, rhat
from bayescausal.inference.settings import Settings

PRECISION = np.array([[4.0, 1.5, 0.0], [1.5, 1.0, 0.2], [0.0, 0.2, 0.5]])
MEAN = np.array([1.0, -20.0, 300.0])


@pytest.fixture(scope="module")
def density():
    """Of a normal whose scales differ."""
    with pm.Model() as model:
        pm.MvNormal("x", mu=MEAN, tau=PRECISION, shape=3)
    return compile_jax(model)


def drawn(density, seed=1, start=None, **run):
    settings = Settings(**{"draws": 1000, "tune": 200, "progress": False} | run)
    coordinates = start or density.coordinates()
    program = density.advance()
    return nuts.sample(program, density.at_data(), density.numbers(), coordinates, settings, seed)


def assert_is_the_normal(run):
    """Means and variances within four standard errors of Monte-Carlo."""
    covariance = np.linalg.inv(PRECISION)
    for k, (mean, variance) in enumerate(zip(MEAN, np.diag(covariance), strict=True)):
        x = run.draws[..., k]
        assert rhat(x) < 1.01
        assert x.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / ess(x, "bulk")))
        squares = (x - mean) ** 2
        error = variance * np.sqrt(2 / ess(squares, "bulk"))
        assert squares.mean() == pytest.approx(variance, abs=4 * error)
    between = np.corrcoef(run.draws.reshape(-1, 3), rowvar=False)[0, 1]
    wanted = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert between == pytest.approx(wanted, abs=0.03)


def test_a_normal_is_sampled_exactly(density):
    run = drawn(density)
    assert run.draws.shape == (4, 1000, 3)
    assert_is_the_normal(run)
    assert not run.stats["diverging"].any()
    # whitened, its acceptance is near 0.85, as the last 50 draws of the warm-up have it
    assert 0.75 < run.stats["acceptance_rate"].mean() < 0.95
    assert run.stats["n_steps"].mean() < 8
    assert set(run.stats) == {*nuts.STATISTICS, "reached_max_treedepth"}


def test_bad_coordinates_are_mended_by_the_warm_up(density):
    """Off center, and ten times as wide in one direction as the posterior: windows learn both."""
    bad = nuts.Coordinates(MEAN + np.array([2.0, -3.0, 4.0]), np.diag([5.0, 0.2, 10.0]))
    run = drawn(density, start=bad, tune=400)
    assert_is_the_normal(run)
    assert run.stats["n_steps"].mean() < 8


def test_density_and_energy_are_those_of_the_draws(density):
    run = drawn(density, draws=20, tune=20)
    value, _ = density.at_data()(run.draws[2, 7])
    assert run.stats["lp"][2, 7] == pytest.approx(value)
    assert (run.stats["energy"] > -run.stats["lp"]).all()  # the kinetic part is positive


def test_a_seed_repeats_a_run_and_another_does_not(density):
    one, two, other = (drawn(density, seed, draws=30, tune=30) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.draws, two.draws)
    assert (one.draws != other.draws).all()
    assert (one.draws[0] != one.draws[1]).all()


def test_a_busy_machine_draws_the_same(density, monkeypatch):
    """Blocks are as long as time allows; draws do not depend on it."""
    one = drawn(density, draws=40, tune=40)
    monkeypatch.setattr(nuts, "_PATIENCE", 1e-9)
    np.testing.assert_array_equal(one.draws, drawn(density, draws=40, tune=40).draws)


@pytest.mark.parametrize("tune", [19, 200, 400])
def test_every_window_but_the_last_teaches_coordinates(density, monkeypatch, tune):
    """Also where the last two are equally long, as in the default."""
    taught, learned = [], nuts.learned
    monkeypatch.setattr(nuts, "learned", lambda z, g: taught.append(len(z)) or learned(z, g))
    drawn(density, draws=5, tune=tune)
    lengths = nuts.windows(tune)[:-1]
    assert taught == [4 * (length - length // 3) for length in lengths]


@pytest.mark.parametrize("tune", [1, 19, 20, 200, 1000])
def test_windows_add_up_and_end_with_the_step_size(tune):
    parts = nuts.windows(tune)
    assert sum(parts) == tune
    assert min(parts) >= 1
    assert len(parts) == (1 if tune < 20 else 6)


def test_coordinates_are_learned_from_draws_and_slopes():
    """Scales from both, at once; correlations only as draws for each dimension become many."""
    rng = np.random.default_rng(0)
    root = np.diag([10.0, 0.1]) @ np.linalg.cholesky(np.array([[1.0, 0.9], [0.9, 1.0]]))
    many = rng.normal(size=(40_000, 2)) @ root.T
    precision = np.linalg.inv(root @ root.T)
    mean, found = nuts.learned(many + 3, -many @ precision)
    np.testing.assert_allclose(mean, 3, atol=0.2)
    scaled = found @ found.T / np.outer([10, 0.1], [10, 0.1])
    assert scaled[0, 1] / np.sqrt(scaled[0, 0] * scaled[1, 1]) == pytest.approx(0.9, abs=0.01)
    few = rng.normal(size=(8, 100)) * np.linspace(0.1, 10, 100)
    _, found = nuts.learned(few, -few / np.linspace(0.1, 10, 100) ** 2)
    np.testing.assert_allclose(np.diag(found) / np.linspace(0.1, 10, 100), 1, atol=0.1)


def test_slopes_tell_correlations_that_draws_alone_could_not():
    """Of 120 dimensions from 240 draws, where eigenvalues of a covariance differ 34-fold by chance.

    That is the law of Marchenko and Pastur, ``((1 + sqrt(d / n)) / (1 - sqrt(d / n)))^2``; what is
    left here comes from the ridge.
    """
    rng = np.random.default_rng(0)
    turned, _ = np.linalg.qr(rng.normal(size=(120, 120)))
    root = turned * np.geomspace(0.3, 3, 120)
    draws = rng.normal(size=(240, 120)) @ root.T
    _, found = nuts.learned(draws + 3, -draws @ np.linalg.inv(root @ root.T))

    def condition(covariance):
        values = np.linalg.eigvalsh(np.linalg.solve(root, np.linalg.solve(root, covariance).T))
        return values[-1] / values[0]

    assert condition(np.cov(draws.T)) == pytest.approx(34, rel=0.2)
    assert condition(found @ found.T) < 34 / 5


def test_directions_that_no_draw_has_keep_their_scale():
    rng = np.random.default_rng(0)
    few = rng.normal(size=(30, 120))
    _, found = nuts.learned(few, -few)
    np.testing.assert_allclose(np.linalg.svd(found)[1], 1, atol=0.3)


def test_a_chain_that_stood_still_leaves_the_coordinates_as_they_are():
    mean, root = nuts.learned(np.ones((5, 3)), np.zeros((5, 3)))
    np.testing.assert_array_equal(mean, 1)
    assert np.linalg.cond(root) < 10


class Stops:
    """A program that Ctrl-C interrupts at one of its calls."""

    def __init__(self, program, call):
        self.program, self.left = program, call

    def __call__(self, *arguments):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return self.program(*arguments)


def test_ctrl_c_keeps_whole_blocks_and_says_when_there_are_none(density):
    settings = Settings(draws=5000, tune=20, chains=4, progress=False)
    arguments = density.at_data(), density.numbers(), density.coordinates(), settings, 1
    program = density.advance()
    run = nuts.sample(Stops(program, 4 * 12), *arguments)
    assert 0 < run.draws.shape[1] < 5000
    assert run.stats["lp"].shape == run.draws.shape[:2]
    with pytest.raises(KeyboardInterrupt, match="before the first draw"):
        nuts.sample(Stops(program, 2), *arguments)


def test_a_density_that_is_nowhere_finite_is_refused():
    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Potential("never", np.inf * x**2 - np.inf)
    density = compile_jax(model)
    with pytest.raises(BayesCausalError, match="not finite where chains start"):
        drawn(density, start=nuts.Coordinates(np.zeros(1), np.eye(1)), draws=5, tune=5)


def test_bars_are_written_to_the_standard_error_and_may_run_beside_each_other(density, capsys):
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda seed: drawn(density, seed, draws=300, progress=True), (1, 2)))
    assert [run.draws.shape for run in runs] == [(4, 300, 3)] * 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Sampling" in said.err
