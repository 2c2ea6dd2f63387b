"""From priors and means to PyMC variables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from pytensor.tensor.variable import TensorVariable

from bayescausal._types import Node, Theta
from bayescausal.model.errors import Law
from bayescausal.model.innovations import innovations
from bayescausal.model.mechanisms import Stack, unit_coefficient
from bayescausal.model.scm import SCM, Parameter
from bayescausal.specs.prior import Prior

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


def parameter_variable(parameter: Parameter, theta: Theta) -> TensorVariable:
    """Make the random variable of a parameter, inside a model context."""
    if parameter.pooled:
        mean, spread = parameter.pooled
        if mean is None:
            return deviations(parameter, theta[spread])
        return pm.Normal(parameter.name, mu=theta[mean], sigma=theta[spread], dims=parameter.dim)
    numbers = dict(parameter.prior.parameters)
    return getattr(pm, parameter.prior.distribution)(parameter.name, **numbers, dims=parameter.dim)


def deviations(parameter: Parameter, spread: TensorVariable) -> TensorVariable:
    """Make deviations of units, ``s ~ Normal(0, spread)`` with the sum of s zero.

    Many periods pin down a unit's scale of errors: it is sampled as it stands. What a channel does
    in a unit may be known well or hardly at all, so it is sampled halfway between that and units of
    the spread: ``s = sqrt(spread) z`` with ``z ~ Normal(0, sqrt(spread))``.
    """
    if parameter.name.endswith(":sigma:unit"):
        return pm.ZeroSumNormal(parameter.name, sigma=spread, dims=parameter.dim)
    half = pt.sqrt(spread)
    score = pm.ZeroSumNormal(f"{parameter.name}:score", sigma=half, dims=parameter.dim)
    return pm.Deterministic(parameter.name, half * score, dims=parameter.dim)


def strengths(
    scm: SCM, stack: Stack, priors: Sequence[Prior], f: TensorVariable
) -> list[TensorVariable]:
    """Make the strengths of alike media edges, each sampled through its *swing*.

        swing = beta * sd(f),    value = swing * c,    c = 1 / (unit coefficient * sd(f))

    The data pin down how far the response swings, whatever the shape of its curve; the level,
    and the coefficient, trade off against the shape. So the swing is the free variable
    ``tv->sales:swing`` and the quantity with the prior, ``tv->sales``, follows. With a prior of a
    scale family ``value ~ p`` is exactly ``swing ~ p scaled by 1 / c``: no Jacobian is lost.

    ``f`` are the curves at the observed path, ``(edge, time)`` or ``(edge, unit, time)``.
    """
    dims = tuple(range(-scm.depth, 0))
    training = f[..., scm.data.history :]
    variance = ((training - training.mean(axis=dims, keepdims=True)) ** 2).mean(axis=dims)
    times = unit_coefficient(scm, stack, f) * pt.sqrt(variance + _FLAT)
    scaled = [k for k, prior in enumerate(priors) if prior.distribution in SCALES]
    swings = [_scaled(f"{stack[k]}:swing", priors[k], times[k]) for k in scaled]
    values = pt.stack(swings) / times[scaled] if swings else times
    variables = {k: values[place] for place, k in enumerate(scaled)}
    return [
        pm.Deterministic(str(edge), variables[k])
        if k in variables
        else parameter_variable(Parameter(str(edge), prior), {})
        for k, (edge, prior) in enumerate(zip(stack, priors, strict=True))
    ]


def _scaled(name: str, prior: Prior, factor: TensorVariable) -> TensorVariable:
    """Make ``factor * value`` with ``value ~ prior`` of a scale family."""
    multiplied, divided = SCALES[prior.distribution]
    scaled = {
        key: number * factor if key in multiplied else number / factor if key in divided else number
        for key, number in prior.parameters
    }
    return getattr(pm, prior.distribution)(name, **scaled)


def correlation(parameter: Parameter) -> TensorVariable:
    """Make the correlation of two errors, sampled through `Control` when all of (-1, 1) is open."""
    bounds = dict(parameter.prior.parameters)
    is_unbounded = (bounds.get("lower"), bounds.get("upper")) == (-1, 1)
    chosen = {"default_transform": Control()} if is_unbounded else {}
    return getattr(pm, parameter.prior.distribution)(parameter.name, **bounds, **chosen)


class Control(Transform):
    """Sample a correlation through the slope of its control function.

        z = rho / sqrt(1 - rho^2)

    The regression of one error on the other has the slope ``z tau / sigma_x`` with ``tau`` the
    spread that is left. The data pin down the sum of it and of the effect, so in ``z`` the
    ridge of what cannot be told apart is straight, and a linear map takes it away.
    """

    name = "control"

    def forward(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        """Turn a correlation into the slope of its control function."""
        return value / pt.sqrt(1 - value**2)

    def backward(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        """Turn the slope of a control function back into a correlation."""
        return value / pt.sqrt(1 + value**2)

    def log_jac_det(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        """``log |d rho / d z|``."""
        return -1.5 * pt.log1p(value**2)


def spread(node: Node, parameter: Parameter, share: TensorVariable) -> TensorVariable:
    """Make the scale of a node's errors, sampled through what shared causes leave of it.

        tau = sigma sqrt(1 - R^2)

    The data pin down ``tau``, the spread given the nodes before it in its district, not
    ``sigma``. The prior stays on ``sigma``: of a scale family, ``tau`` has the scaled one.
    """
    if parameter.prior.distribution not in SCALES:
        return parameter_variable(parameter, {})
    tau = _scaled(f"{node}:tau", parameter.prior, share)
    return pm.Deterministic(parameter.name, tau / share)


def observe(
    scm: SCM, node: Node, conditional: Law, theta: Theta, observed: TensorVariable
) -> TensorVariable:
    """Make the observed random variable of a node: ``g(x) ~ Noise(law)``, in original units.

    The law is on the link scale; it and ``observed`` cover the training periods.
    """
    scale, settings = scm.scale[node], {"observed": observed, "dims": scm.data.dims}
    kind, mu, sigma = innovations(theta, node, scm.depth), conditional.location, conditional.spread
    if scm.spec.link(node) == "log":
        return kind.log_variable(node, mu + np.log(scale), sigma, **settings)
    return kind.variable(node, scale * mu, scale * sigma, **settings)
