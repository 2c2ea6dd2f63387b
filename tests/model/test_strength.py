"""Four views of one parameter: the prior is where the user put it, whatever is sampled."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import bayescausal as bc
from bayescausal.model.likelihood import SCALES
from bayescausal.specs.prior import PARAMETERS

PRIORS = {
    "Cauchy": bc.Prior("Cauchy", alpha=0.1, beta=0.2),
    "Exponential": bc.Prior("Exponential", lam=4.0),
    "Gamma": bc.Prior("Gamma", alpha=2.0, beta=9.0),
    "HalfCauchy": bc.Prior("HalfCauchy", beta=0.3),
    "HalfNormal": bc.Prior("HalfNormal", sigma=0.3),
    "HalfStudentT": bc.Prior("HalfStudentT", nu=4, sigma=0.3),
    "InverseGamma": bc.Prior("InverseGamma", alpha=3, beta=0.3),
    "Laplace": bc.Prior("Laplace", mu=0.1, b=0.2),
    "Normal": bc.Prior("Normal", mu=0.1, sigma=0.25),
    "StudentT": bc.Prior("StudentT", nu=4, mu=0.1, sigma=0.2),
    "TruncatedNormal": bc.Prior("TruncatedNormal", mu=0.1, sigma=0.3, lower=0, upper=1),
    "Uniform": bc.Prior("Uniform", lower=-0.2, upper=0.8),
    "LogNormal": bc.Prior("LogNormal", mu=-2, sigma=0.5),
    "Beta": bc.Prior("Beta", alpha=2, beta=5),
}
VIEWS = (bc.MeanContribution, bc.Coefficient, bc.ReturnOnSpend)


def strength_draws(example, strength, draws=2000):
    media = bc.Response(bc.GeometricAdstock(l_max=4), bc.HillSaturation(), strength=strength)
    graph = bc.Graph.parse("tv -> sales", outcome="sales")
    model = bc.build(bc.Spec(graph, {"tv": media}), example.data)
    names = ["tv->sales", "tv->sales:slope", "tv->sales:half"]
    wanted = [model[n] for n in names]
    return pm.draw(wanted, draws=draws, random_seed=1, mode="FAST_COMPILE")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["Normal", "HalfNormal", "Gamma", "LogNormal"])
def test_the_prior_holds_for_the_quantity_it_was_put_on(example, view, name):
    """Kolmogorov-Smirnov at 2,000 draws with a fixed seed; p below 1e-4 would be a wrong prior."""
    value, slope, half = strength_draws(example, view(PRIORS[name]))
    exact = pm.draw(getattr(pm, name).dist(**dict(PRIORS[name].parameters)), 20_000, random_seed=2)
    assert stats.ks_2samp(value, exact).pvalue > 1e-4
    for shape in (slope, half):  # and it does not depend on the shape of the curve
        assert abs(stats.spearmanr(value, shape).statistic) < 4 / np.sqrt(len(value))


@pytest.mark.parametrize("name", sorted(SCALES))
def test_scaling_a_prior_is_exact(name):
    """value = swing / times with swing from the scaled family: log densities agree, Jacobian in."""
    times, prior = np.float64(2.7), PRIORS[name]
    multiplied, divided = SCALES[name]
    scaled = {
        k: v * times if k in multiplied else v / times if k in divided else v
        for k, v in ((k, np.float64(v)) for k, v in prior.parameters)
    }
    kind = getattr(pm, name)
    value = np.array([0.07, 0.2, 0.5])
    plain = {k: np.float64(v) for k, v in prior.parameters}  # PyTensor rounds Python floats
    direct = pm.logp(kind.dist(**plain), value).eval(mode="FAST_COMPILE")
    through = pm.logp(kind.dist(**scaled), value * times).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(through + np.log(times), direct, rtol=1e-10)


def test_every_distribution_is_covered_here():
    assert set(PRIORS) == set(PARAMETERS)
