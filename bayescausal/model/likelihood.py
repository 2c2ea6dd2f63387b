"""From priors and means to PyMC variables."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc_extras.prior import Prior as PyMCPrior
from pytensor.tensor.variable import TensorVariable

from bayescausal._types import Node, Theta
from bayescausal.model.scm import SCM, Parameter
from bayescausal.specs.noise import StudentTNoise


def parameter(given: Parameter, made: Theta) -> TensorVariable:
    """Make the random variable of a parameter, inside a model context."""
    if given.pooled:
        mean, spread = given.pooled
        return pm.Normal(given.name, mu=made[mean], sigma=made[spread], dims=given.dim)
    prior = PyMCPrior(
        given.prior.distribution, **dict(given.prior.parameters), dims=given.dim
    )
    return prior.create_variable(given.name)


def observe(
    scm: SCM, node: Node, mu: TensorVariable, theta: Theta, observed: TensorVariable
) -> TensorVariable:
    """Make the observed random variable of a node: ``g(x) ~ Noise(mu)``, in original units.

    ``mu`` is on the link scale; both ``mu`` and ``observed`` cover the training periods.
    """
    noise, scale = scm.spec.noise_of(node), scm.scale[node]
    sigma = theta[f"{node}:sigma"]
    log = scm.spec.link(node) == "log"
    where = {"observed": observed, "dims": scm.data.dims}
    if isinstance(noise, StudentTNoise):
        nu = theta[f"{node}:nu"]
        if log:
            return pm.CustomDist(
                node, nu, mu + np.log(scale), sigma, dist=_log_student_t, **where
            )
        return pm.StudentT(node, nu=nu, mu=scale * mu, sigma=scale * sigma, **where)
    if log:
        return pm.LogNormal(node, mu=mu + np.log(scale), sigma=sigma, **where)
    return pm.Normal(node, mu=scale * mu, sigma=scale * sigma, **where)


def _log_student_t(
    nu: TensorVariable, mu: TensorVariable, sigma: TensorVariable, size: TensorVariable
) -> TensorVariable:
    return pt.exp(pm.StudentT.dist(nu=nu, mu=mu, sigma=sigma, size=size))
