"""Power scaling: the priors are those of the model, and the shift that of a conjugate posterior."""

import numpy as np
import pytest
import xarray as xr
from linear_worlds import DRAWS, coefficient_units, linear_fit
from modes import AS_WRITTEN

import bayescausal as bc
from bayescausal.errors import SpecError
from bayescausal.inference.fit import Fit
from bayescausal.model.build import build
from bayescausal.validation.prior_sensitivity import (
    CONFLICT,
    DATA_LED,
    GROUPS,
    PRIOR_LED,
    log_priors,
    prior_sensitivity,
)


def test_log_priors_are_those_of_the_model():
    fit = linear_fit("a -> m\na, m, b -> y\nm <-> y", coefficients={"a->y": (0.4, 0.1)})
    found = sum(log_priors(fit).values())[0]
    model = build(fit.spec, fit.data)
    free = {v.name: v for v in model.free_RVs}
    draws = fit.tree["posterior"].to_dataset()
    assert {*free} <= {*map(str, draws), "y:tau"}
    stated = [v for name, v in free.items() if name in draws]
    density = model.compile_logp(vars=stated, jacobian=False, mode=AS_WRITTEN)
    gaps = []
    for k in (0, 1, 2):
        point = model.initial_point()
        for name, variable in free.items():
            value = model.rvs_to_values[variable]
            if name in draws:
                transform = model.rvs_to_transforms[variable]
                number = np.asarray(float(draws[name][0, k]))
                moved = (
                    number
                    if transform is None
                    else transform.forward(number, *variable.owner.inputs).eval()
                )
                point[value.name] = np.asarray(moved, dtype=point[value.name].dtype)
        missing = fit.scm.parameters
        tau = next(p for p in missing if p.name == "y:sigma").prior
        own = float(tau.log_density(float(draws["y:sigma"][0, k])))
        gaps.append(found[k] - own - float(density(point)))
    np.testing.assert_allclose(gaps, 0.0, atol=1e-5)


def conjugate(prior_mean, prior_sd, data_mean, data_sd):
    """A fit whose coefficient of a has the posterior of a normal mean under a normal prior."""
    precision = prior_sd**-2 + data_sd**-2
    mean = (prior_mean / prior_sd**2 + data_mean / data_sd**2) / precision
    others = {"b->y": (1.0, 0.05), "c->y": (0.2, 0.05)}
    fit = linear_fit(coefficients={"a->y": (mean, precision**-0.5), **others})
    strength = bc.Coefficient(bc.Prior("Normal", mu=prior_mean, sigma=prior_sd))
    spec = bc.Spec(
        fit.spec.graph,
        responses={"a": bc.Response(strength=strength)},
        noise=bc.NormalNoise(),
        treatments=fit.spec.treatments,
    )
    posterior = fit.tree["posterior"].to_dataset().copy()
    unit = coefficient_units(fit.scm)["a->y"]
    posterior["a->y"] = posterior["a->y"] * unit  # the strength is the coefficient here
    tree = xr.DataTree.from_dict({"posterior": posterior})
    tree.attrs = fit.tree.attrs
    return Fit(spec, fit.data, tree), mean, precision


def test_the_shift_is_that_of_a_conjugate_posterior():
    """d mean / d log alpha = (prior precision / precision) (prior mean - mean)."""
    fit, mean, precision = conjugate(prior_mean=3.0, prior_sd=1.0, data_mean=0.0, data_sd=0.5)
    expected = np.log(2) * (1.0 / precision) * (3.0 - mean) / precision**-0.5
    found = prior_sensitivity(fit).table.loc["a", "shift"]
    # A covariance with a standard normal variable is known to sqrt(2) sd / sqrt(draws) at most.
    spread = np.sum(list(log_priors(fit).values()), axis=0).std()
    assert found == pytest.approx(expected, abs=4 * np.log(2) * np.sqrt(2 / DRAWS) * spread)
    assert found > 0


def test_a_prior_that_pulls_is_told_from_one_that_does_not():
    pulling, *_ = conjugate(prior_mean=3.0, prior_sd=0.5, data_mean=0.0, data_sd=0.5)
    wide, *_ = conjugate(prior_mean=0.0, prior_sd=50.0, data_mean=0.0, data_sd=0.5)
    strong = prior_sensitivity(pulling)
    weak = prior_sensitivity(wide)
    assert strong.table.loc["a", "prior"] > 0.05 > weak.table.loc["a", "prior"]
    assert strong.groups.loc["a"].idxmax() == "strengths"
    assert strong.table.loc["a", "diagnosis"] in (CONFLICT, PRIOR_LED)
    assert "the priors of strengths move it most" in strong.sentences["a"]
    assert np.isnan(strong.table["tests"]).all()


def test_the_bundled_world(example_fit):
    found = prior_sensitivity(example_fit)
    assert list(found.table.index) == ["search", "social", "tv"]
    assert (found.table["diagnosis"] == DATA_LED).all()
    assert found.table["tests"].notna().all()
    # The test of social says more of social than of search, which it hardly bears on.
    assert found.table.loc["social", "tests"] > found.table.loc["search", "tests"]
    assert {*found.groups} == {*GROUPS} - {"shared causes"}
    assert max(map(len, repr(found).splitlines())) <= 100
    assert found._repr_html_().count("<tr") == 1 + 3 + 1
    assert list(found.to_frame()) == [*found.table, *found.groups]


def test_augmented_rows_are_refused(augmented_fit):
    with pytest.raises(SpecError, match=r"prior_sensitivity\(fit\.plain\)"):
        prior_sensitivity(augmented_fit)
