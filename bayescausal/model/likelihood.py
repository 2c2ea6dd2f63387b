"""From priors and means to PyMC variables."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc_extras.prior import Prior as PyMCPrior
from pytensor.tensor.variable import TensorVariable

from bayescausal._types import Node, Theta
from bayescausal.model.scm import SCM, Parameter, unit_coefficient
from bayescausal.specs.edge import Edge
from bayescausal.specs.noise import StudentTNoise

SCALES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Cauchy": (("alpha", "beta"), ()),
    "Exponential": ((), ("lam",)),
    "Gamma": ((), ("beta",)),
    "HalfCauchy": (("beta",), ()),
    "HalfNormal": (("sigma",), ()),
    "HalfStudentT": (("sigma",), ()),
    "InverseGamma": (("beta",), ()),
    "Laplace": (("mu", "b"), ()),
    "Normal": (("mu", "sigma"), ()),
    "StudentT": (("mu", "sigma"), ()),
    "TruncatedNormal": (("mu", "sigma", "lower", "upper"), ()),
    "Uniform": (("lower", "upper"), ()),
}
"""Scale families: parameters that are multiplied, and divided, when the variable is scaled."""


_FLAT = 1e-12  # a curve that saturates flat keeps a finite gradient


def parameter(given: Parameter, made: Theta) -> TensorVariable:
    """Make the random variable of a parameter, inside a model context."""
    if given.pooled:
        mean, spread = given.pooled
        return pm.Normal(given.name, mu=made[mean], sigma=made[spread], dims=given.dim)
    prior = PyMCPrior(given.prior.distribution, **dict(given.prior.parameters), dims=given.dim)
    return prior.create_variable(given.name)


def strength(scm: SCM, edge: Edge, given: Parameter, f: TensorVariable) -> TensorVariable:
    """Make the strength of a media edge, sampled through its *swing*.

        swing = beta * sd(f),    value = swing * c,    c = 1 / (unit coefficient * sd(f))

    The data pin down how far the response swings, whatever the shape of its curve; the level,
    and the coefficient, trade off against the shape. So the swing is the free variable
    ``tv->sales:swing`` and the quantity with the prior, ``tv->sales``, follows. With a prior of a
    scale family ``value ~ p`` is exactly ``swing ~ p scaled by 1 / c``: no Jacobian is lost.
    """
    dims = tuple(range(-scm.depth, 0))
    seen = f[..., scm.data.history :]
    variance = ((seen - seen.mean(axis=dims, keepdims=True)) ** 2).mean(axis=dims)
    sd = pt.sqrt(variance + _FLAT)
    times = unit_coefficient(scm, edge, f) * sd
    prior = given.prior
    if prior.distribution not in SCALES:
        return parameter(given, {})
    multiplied, divided = SCALES[prior.distribution]
    scaled = {
        name: value * times if name in multiplied else value / times if name in divided else value
        for name, value in prior.parameters
    }
    swing = getattr(pm, prior.distribution)(f"{edge}:swing", **scaled)
    return pm.Deterministic(str(edge), swing / times)


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
            return pm.CustomDist(node, nu, mu + np.log(scale), sigma, dist=_log_student_t, **where)
        return pm.StudentT(node, nu=nu, mu=scale * mu, sigma=scale * sigma, **where)
    if log:
        return pm.LogNormal(node, mu=mu + np.log(scale), sigma=sigma, **where)
    return pm.Normal(node, mu=scale * mu, sigma=scale * sigma, **where)


def _log_student_t(
    nu: TensorVariable, mu: TensorVariable, sigma: TensorVariable, size: TensorVariable
) -> TensorVariable:
    return pt.exp(pm.StudentT.dist(nu=nu, mu=mu, sigma=sigma, size=size))
