"""`Prior`: a value with PyMC's names, and nothing that PyMC would refuse later."""

import numpy as np
import pymc as pm
import pytest

from bayescausal.checks import check_keys, number
from bayescausal.errors import SpecError
from bayescausal.specs.prior import PARAMETERS, Prior

EXAMPLES = {
    "Beta": {"alpha": 2, "beta": 3},
    "Cauchy": {"alpha": -1, "beta": 2},
    "Exponential": {"lam": 2},
    "Gamma": {"alpha": 2, "beta": 1},
    "HalfCauchy": {"beta": 1},
    "HalfNormal": {"sigma": 0.3},
    "HalfStudentT": {"nu": 4, "sigma": 1},
    "InverseGamma": {"alpha": 3, "beta": 0.3},
    "Laplace": {"mu": 0, "b": 0.2},
    "LogNormal": {"mu": -0.7, "sigma": 0.6},
    "Normal": {"mu": 1, "sigma": 2},
    "StudentT": {"nu": 4, "mu": 0, "sigma": 1},
    "TruncatedNormal": {"mu": 0, "sigma": 1, "lower": 0, "upper": 2},
    "Uniform": {"lower": -1, "upper": 1},
}


def test_every_distribution_has_an_example():
    assert set(EXAMPLES) == set(PARAMETERS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_pymc_takes_every_distribution_under_the_same_names(name):
    prior = Prior(name, **EXAMPLES[name])
    variable = getattr(pm, name).dist(**dict(prior.parameters))
    assert np.isfinite(pm.draw(variable, random_seed=1, mode="FAST_COMPILE"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_median_and_the_support_are_those_of_pymc(name):
    prior = Prior(name, **EXAMPLES[name])
    variable = getattr(pm, name).dist(**dict(prior.parameters))
    draws = pm.draw(variable, 4001, random_seed=1, mode="FAST_COMPILE")
    assert prior.support[0] <= draws.min()
    assert draws.max() <= prior.support[1]
    below = (draws < prior.median).mean()
    assert abs(below - 0.5) < 5 * 0.5 / np.sqrt(len(draws))  # five standard errors of a share


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_log_density_is_that_of_pymc(name):
    prior = Prior(name, **EXAMPLES[name])
    # PyTensor takes a Python float for a float32 where that holds it.
    variable = getattr(pm, name).dist(**{k: np.float64(v) for k, v in prior.parameters})
    low, high = prior.support
    inside = np.linspace(max(low, -3), min(high, 3), 7)[1:-1]
    theirs = pm.logp(variable, inside).eval(mode="FAST_COMPILE")
    # PyMC keeps some constants, such as log 2, in single precision.
    np.testing.assert_allclose(prior.log_density(inside), theirs, rtol=1e-6)
    assert prior.log_density(high + 1.0) == -np.inf or np.isinf(high)
    assert prior.log_density(low - 1.0) == -np.inf or np.isinf(low)


@pytest.mark.parametrize("name", EXAMPLES)
def test_round_trip_and_value_semantics(name):
    prior = Prior(name, **EXAMPLES[name])
    assert Prior.from_dict(prior.to_dict()) == prior
    assert eval(repr(prior)) == prior
    shuffled = Prior(name, **dict(reversed(EXAMPLES[name].items())))
    assert shuffled == prior
    assert hash(shuffled) == hash(prior)
    assert prior != Prior("Normal", mu=9)


def test_numbers_of_any_library_become_floats():
    prior = Prior("Normal", mu=np.float32(0.5), sigma=np.int64(2))
    assert prior == Prior("Normal", mu=0.5, sigma=2.0)
    assert [type(v) for v in prior.to_dict().values()] == [str, float, float]


def test_defaults_are_standard_and_only_for_short_distributions():
    assert Prior("Normal") == Prior("Normal", mu=0, sigma=1)
    assert Prior("HalfNormal") == Prior("HalfNormal", sigma=1)
    assert dict(Prior("TruncatedNormal", mu=0, sigma=1, lower=0).parameters).keys() == {
        "mu",
        "sigma",
        "lower",
    }


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Prior("normal"), "no distribution known here.*Did you mean 'Normal'"),
        (lambda: Prior(None), "None is no distribution"),
        (lambda: Prior(["Normal"]), "is no distribution"),
        (lambda: Prior("Normal", 0, 1), r"Name the parameters: Prior\('Normal', mu=0, sigma=1\)"),
        (lambda: Prior("Normal", sigm=1), "no parameter 'sigm'; it takes mu, sigma.*'sigma'"),
        (lambda: Prior("Normal", mu="0"), "mu must be a number; got '0'"),
        (lambda: Prior("Normal", sigma="1e-3"), "'1e-3'.*Write 0.001"),
        (lambda: Prior("Normal", mu=None), "mu must be a number; got None"),
        (lambda: Prior("Normal", mu=True), "mu must be a number; got True"),
        (lambda: Prior("Normal", mu=[0]), "mu must be a number"),
        (lambda: Prior("Normal", mu=float("nan")), "mu must be finite; got nan"),
        (lambda: Prior("Uniform", lower=0, upper=np.inf), "upper must be finite"),
        (lambda: Prior("Normal", sigma=0), "sigma must be positive"),
        (lambda: Prior("Beta", alpha=-1, beta=1), "alpha must be positive"),
        (lambda: Prior("Gamma", alpha=1, beta=0), "beta must be positive"),
        (lambda: Prior("Beta", alpha=1), "also needs beta"),
        (lambda: Prior("StudentT", nu=3), "also needs mu, sigma"),
        (lambda: Prior("TruncatedNormal", mu=0, sigma=1), "also needs lower, upper"),
        (lambda: Prior("Uniform", lower=1, upper=1), "lower < upper"),
        (lambda: Prior("TruncatedNormal", mu=0, sigma=1, lower=2, upper=1), "lower < upper"),
        (lambda: Prior.from_dict(3), r"written \{distribution: Normal.*got 3"),
        (lambda: Prior.from_dict({"mu": 0}), r"written \{distribution"),
        (lambda: Prior.from_dict({"distribution": "Normal", "m": 0}), "no parameter 'm'"),
    ],
)
def test_bad_prior_is_refused_with_advice(make, words):
    with pytest.raises(SpecError, match=words):
        make()


def test_a_location_may_be_negative():
    assert dict(Prior("Cauchy", alpha=-2, beta=1).parameters)["alpha"] == -2


def test_check_keys_and_number_advise():
    check_keys({"a": 1}, ["a"], "here")
    with pytest.raises(SpecError, match=r"here: unknown key 'serach'.*Did you mean 'search'"):
        check_keys({"serach": 1}, ["search", "c"], "here")
    with pytest.raises(SpecError, match=r"here must be a mapping; got \['a'\]"):
        check_keys(["a"], ["a"], "here")
    assert number("x", np.int32(3)) == 3.0
