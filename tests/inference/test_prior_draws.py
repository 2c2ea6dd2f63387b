"""Prior draws are those of the PyMC model, whose parameters are sampled through others."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from model.test_forward import CASES, case
from scipy import stats

import bayescausal as bc
from bayescausal.inference.prior_draws import draw_prior
from bayescausal.specs.prior import PARAMETERS, Prior

DRAWS = 400
# A false alarm of one Kolmogorov-Smirnov test in 100,000; a case has up to fifty of them.
LEVEL = 1e-5


@pytest.mark.parametrize("name", list(CASES)[::5])
def test_they_are_those_of_the_model(name):
    scm, _, _ = case(name)
    model = bc.build(scm.spec, scm.data)
    names = [p.name for p in scm.parameters]
    drawn = draw_prior(scm, DRAWS, seed=1)
    assert list(drawn) == names
    variables = [model[name] for name in names]
    wanted = pm.draw(variables, draws=DRAWS, random_seed=2, mode="FAST_COMPILE")
    for key, values in zip(names, wanted, strict=True):
        assert drawn[key].shape == values.shape
        for a, b in zip(drawn[key].reshape(DRAWS, -1).T, values.reshape(DRAWS, -1).T, strict=True):
            assert stats.ks_2samp(a, b).pvalue > LEVEL, key


EXAMPLES = {
    "alpha": 2.5,
    "beta": 1.5,
    "lam": 2.0,
    "sigma": 0.7,
    "nu": 4.0,
    "mu": 0.3,
    "b": 0.6,
    "lower": -0.5,
    "upper": 1.5,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_quantiles_are_those_of_pymc(name):
    """Where PyMC's distribution function is, or where its draws lie."""
    prior = Prior(name, **{key: EXAMPLES[key] for key in PARAMETERS[name]})
    p = np.array([0.03, 0.5, 0.9])
    variable = getattr(pm, name).dist(**dict(prior.parameters), size=20_000)
    draws = pm.draw(variable, random_seed=1)
    shares = (draws[:, None] <= prior.quantile(p)).mean(axis=0)
    np.testing.assert_allclose(shares, p, atol=4 * np.sqrt(0.25 / 20_000))
    assert prior.median == pytest.approx(prior.quantile(p)[1])


def test_units_of_a_panel_deviate_around_nothing():
    scm, _, _ = case("panel")
    drawn = draw_prior(scm, DRAWS, seed=3)
    names = [p.name for p in scm.parameters if p.pooled and p.pooled[0] is None]
    assert names
    for name in names:
        np.testing.assert_allclose(drawn[name].sum(axis=1), 0, atol=1e-12)
