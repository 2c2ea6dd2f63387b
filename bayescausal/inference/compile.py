"""A model as a JAX function of one vector, preconditioned so that NUTS starts well.

JAX compiles in seconds where numba takes a minute, but pays at every step, so steps are worth
saving. Half of them used to go into the first eighty warm-up draws, where the mass matrix is still
unknown. Here the sampler sees ``z`` with ``x = mode + L z``, where ``L L'`` is the inverse
curvature at the mode: a linear change of variables, so the posterior is the same, and the chains
start from ``z ~ Normal(0, 1.5^2)``, wider than the posterior, already at its scales.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
import pymc as pm
from nutpie.compiled_pyfunc import from_pyfunc
from nutpie.sample import CompiledModel
from pymc.model.transform.optimization import freeze_dims_and_data
from pymc.sampling.jax import get_jaxified_graph
from scipy.optimize import minimize

_OVERDISPERSION = 1.5
_WIDEST_SD = 3.0
_STEP = 1e-4


@dataclass(frozen=True)
class Compiled:
    """What nutpie samples, and the way back from its coordinates to the parameters."""

    sampler_model: CompiledModel
    restore: Callable[[np.ndarray], dict[str, np.ndarray]]


def compile_jax(model: pm.Model) -> Compiled:
    """Compile a model's log density and gradient with JAX, and precondition it.

    Parameters
    ----------
    model : pymc.Model

    Returns
    -------
    Compiled
        ``restore`` takes draws ``(chain, draw, dim)`` of ``z`` to parameters by name.
    """
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # a thread switch a call is saved
    frozen = freeze_dims_and_data(model)
    point = frozen.initial_point()
    names = [v.name for v in frozen.value_vars]
    shapes = [np.shape(point[n]) for n in names]
    ends = np.cumsum([int(np.prod(s)) for s in shapes])
    start = np.concatenate([np.ravel(point[n]) for n in names]).astype(float)
    density = get_jaxified_graph(inputs=frozen.value_vars, outputs=[frozen.logp()])

    def unpack(x: jax.Array) -> list[jax.Array]:
        return [
            x[end - int(np.prod(s)) : end].reshape(s) for s, end in zip(shapes, ends, strict=True)
        ]

    compiled = jax.jit(jax.value_and_grad(lambda x: density(*unpack(x))[0])).lower(start).compile()

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = compiled(x)
        return float(value), np.asarray(gradient)

    mode, scale = laplace(evaluate, start)

    def logp(z: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = evaluate(mode + scale @ z)
        return value, scale.T @ gradient

    def begin(seed: int) -> np.ndarray:
        return np.random.default_rng(seed).normal(0, _OVERDISPERSION, len(mode))

    outputs = get_jaxified_graph(inputs=frozen.value_vars, outputs=frozen.unobserved_value_vars)
    labels = [v.name for v in frozen.unobserved_value_vars]

    def restore(z: np.ndarray) -> dict[str, np.ndarray]:
        x = mode + z.reshape(-1, len(mode)) @ scale.T
        values = jax.jit(jax.vmap(lambda x: outputs(*unpack(x))))(x)
        arrays = {k: np.asarray(v) for k, v in zip(labels, values, strict=True)}
        return {k: v.reshape(*z.shape[:2], *v.shape[1:]) for k, v in arrays.items()}

    sampler_model = from_pyfunc(
        len(mode),
        lambda: logp,
        lambda seed1, seed2, chain: lambda z: {"z": z.copy()},
        [np.dtype("float64")],
        [(len(mode),)],
        ["z"],
        dims={"z": ("coordinate",)},
        coords={"coordinate": np.arange(len(mode))},
        make_initial_point_fn=begin,
    )
    return Compiled(sampler_model, restore)


def laplace(
    evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mode of a log density, and the symmetric square root of its inverse curvature.

    Directions that are flat or curved the wrong way get a standard deviation of at most 3, on the
    unconstrained scale. It only has to be a good map of the posterior, not an approximation of it.

    Returns
    -------
    mode : array, shape (dim,)
    scale : array, shape (dim, dim)
    """

    def descend(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = evaluate(x)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return 1e300, np.zeros_like(x)
        return -value, -gradient

    found = minimize(descend, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    mode = found.x if found.fun < 1e299 else start
    steps = _STEP * np.eye(len(mode))
    columns = [(evaluate(mode + h)[1] - evaluate(mode - h)[1]) / (2 * _STEP) for h in steps]
    curvature = -np.array(columns)
    if not np.isfinite(curvature).all():
        return mode, np.eye(len(mode))
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    deviations = 1 / np.sqrt(np.maximum(np.abs(values), _WIDEST_SD**-2))
    return mode, (vectors * deviations) @ vectors.T
