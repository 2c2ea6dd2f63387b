"""Degrees of freedom where errors last: against dense matrices, and by rates of rejection."""

import numpy as np
import pytest
from scipy import linalg, stats

from bayescausal.validation.effective_dof import effective_dof, error_autocorrelation

NOMINAL = 0.05


def ar1(phi, shape, rng):
    x = rng.standard_normal(shape)
    x[..., 0] /= np.sqrt(1 - phi**2)
    for t in range(1, shape[-1]):
        x[..., t] += phi * x[..., t - 1]
    return x


def regression(x, y, controls):
    """What is left of x, the residuals of y, the basis and t of least squares; one unit or more."""
    units, periods = y.shape
    rows = np.concatenate([controls, x[None]]).reshape(-1, y.size).T
    base, _ = np.linalg.qr(rows[:, :-1])
    whole, _ = np.linalg.qr(rows)
    a = x.ravel() - base @ (base.T @ x.ravel())
    e = y.ravel() - whole @ (whole.T @ y.ravel())
    dof = y.size - rows.shape[1]
    t = a @ y.ravel() / np.sqrt((a @ a) * (e @ e) / dof)
    return a.reshape(y.shape), e.reshape(y.shape), whole.reshape(units, periods, -1), t


def calendar(periods):
    t = np.arange(periods)
    waves = [f(2 * np.pi * k * t / 52) for k in (1, 2) for f in (np.sin, np.cos)]
    return np.stack([np.ones(periods), t / periods - 0.5, *waves])[:, None]


def worlds(phi, periods, count, seed, extra=5):
    """Regressions of unrelated x and y, with a calendar and five controls that last as they do."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        x, y, *z = ar1(phi, (2 + extra, 1, periods), rng)
        yield regression(x, y, np.concatenate([calendar(periods), z]))


def test_degrees_of_freedom_are_those_of_the_variance_written_out():
    rng = np.random.default_rng(3)
    units, periods = 3, 40
    x, y, z = ar1(0.7, (3, units, periods), rng) + ar1(0.5, (3, 1, periods), rng)
    a, e, basis, _ = regression(x, y, np.stack([np.ones_like(x), z]))
    phi = error_autocorrelation(e, basis)
    rho = ((e.sum(0) ** 2).sum() / (e**2).sum() - 1) / (units - 1)
    omega = np.kron((1 - rho) * np.eye(units) + rho, linalg.toeplitz(phi ** np.arange(periods)))
    q = basis.reshape(-1, basis.shape[-1])
    m = np.eye(len(q)) - q @ q.T
    dof = len(q) - q.shape[1]
    size = np.trace(m @ omega)  # E of the sum of squared residuals, per unit of variance
    a = a.ravel()
    inflation = (a @ omega @ a) / (a @ a) / (size / dof)
    expected = dof / inflation
    assert 2 < expected < dof
    assert effective_dof(a.reshape(x.shape), e, basis) == pytest.approx(expected, rel=1e-9)


def test_autocorrelation_solves_its_moment_equation():
    (_, e, basis, _), *_ = worlds(0.8, 60, 1, seed=2)
    phi = error_autocorrelation(e, basis)
    q = basis[0]
    m = np.eye(len(q)) - q @ q.T
    pairs = linalg.toeplitz([0, 0.5] + [0] * 58)
    spread = linalg.toeplitz(phi ** np.arange(60))
    observed = (e[0, 1:] * e[0, :-1]).sum() / (e**2).sum()
    expected = np.trace(m @ pairs @ m @ spread) / np.trace(m @ spread)
    assert expected == pytest.approx(observed, abs=1e-8)
    assert phi > observed + 0.05  # residuals last less long than errors


def test_independent_rows_keep_their_degrees_of_freedom():
    found = [effective_dof(a, e, basis) for a, e, basis, _ in worlds(0.0, 150, 60, seed=4)]
    assert np.mean(found) == pytest.approx(150 - 12, rel=0.05)
    assert max(found) <= 150 - 12


def test_errors_that_last_do_not_weigh_where_the_treatment_does_not_last():
    rng = np.random.default_rng(5)
    y = ar1(0.9, (1, 400), rng)
    flicker = rng.standard_normal((1, 400))
    a, e, basis, _ = regression(flicker, y, np.ones((1, 1, 400)))
    assert effective_dof(a, e, basis) > 300
    a, e, basis, _ = regression(ar1(0.9, (1, 400), rng), y, np.ones((1, 1, 400)))
    assert effective_dof(a, e, basis) < 100


def test_markets_that_share_their_shocks_count_as_few():
    rng = np.random.default_rng(6)
    shared = rng.standard_normal((2, 1, 100))
    x, y = shared + 0.3 * rng.standard_normal((2, 8, 100))
    a, e, basis, _ = regression(x, y, np.ones((1, 8, 100)))
    assert effective_dof(a, e, basis) < 150
    x, y = rng.standard_normal((2, 8, 100))
    a, e, basis, _ = regression(x, y, np.ones((1, 8, 100)))
    assert effective_dof(a, e, basis) > 600


@pytest.mark.slow
@pytest.mark.parametrize("periods", [104, 156])
@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_true_nulls_are_rejected_at_the_nominal_rate(phi, periods):
    """600 worlds: a rate of 0.05 has a standard error of 0.009, so 0.03 to 0.08 hold it.

    At 0.95 some weeks in a hundred are independent, and the rate is above: see the docstring.
    """
    count, rejected, naive = 600, 0, 0
    for a, e, basis, t in worlds(phi, periods, count, seed=periods):
        rows = a.size - basis.shape[-1]
        dof = effective_dof(a, e, basis)
        robust = abs(t) * np.sqrt(dof / rows)
        rejected += 2 * stats.t.sf(robust, dof) < NOMINAL
        naive += 2 * stats.t.sf(abs(t), rows) < NOMINAL
    assert 0.03 <= rejected / count <= 0.08
    if phi == 0.8:
        assert naive / count > 0.2
