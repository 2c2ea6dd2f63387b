"""A model as a JAX function of one vector, preconditioned so that NUTS starts well.

JAX compiles in seconds where numba takes a minute, but pays at every step, so steps are worth
saving. Half of them used to go into the first eighty warm-up draws, where the mass matrix is still
unknown. Here the sampler sees ``z`` with ``x = mode + L z``, where ``L L'`` is the inverse
curvature at the mode: a linear change of variables, so the posterior is the same, and the chains
start from ``z ~ Normal(0, 1.5^2)``, wider than the posterior, already at its scales.

Data are constants of the compiled function, except those it is told to keep as arguments: one
compilation then serves every value of them, and only the mode is sought anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import jax
import numpy as np
import pymc as pm
import xarray as xr
from jax._src import xla_bridge
from nutpie.compiled_pyfunc import from_pyfunc
from nutpie.sample import CompiledModel
from pymc.model.transform.optimization import freeze_dims_and_data
from pymc.sampling.jax import get_jaxified_graph
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.replace import clone_replace
from scipy.optimize import minimize

from bayescausal.errors import BayesCausalError

_OVERDISPERSION = 1.5
_WIDEST_SD = 3.0
_STEP = 1e-4

_FORKED: set[int] = set()
"""Processes that forked after JAX ran in them: a child has the state of JAX and not its threads."""


def _note_fork() -> None:
    if xla_bridge.backends_are_initialized():
        _FORKED.add(os.getpid())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_note_fork)

type Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]


def require_jax() -> None:
    """Raise in a process in which JAX would wait for ever."""
    if _FORKED - {os.getpid()}:
        raise BayesCausalError(
            "This process was forked from one in which JAX had run, and JAX would hang here. Start "
            "processes with multiprocessing.get_context('spawn'), or sample with sampler='pymc'."
        )


@dataclass(frozen=True)
class Compiled:
    """What nutpie samples, and the way back from its coordinates to the parameters."""

    sampler_model: CompiledModel
    restore: Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Density:
    """A log density with its gradient, compiled for every value of the data that it keeps.

    Parameters
    ----------
    layout : dict of str to tuple
        Shapes of the parameters, unconstrained, in the order in which they make one vector.
    start : array, shape (dim,)
        Where the search for the mode begins.
    data : dict of str to array
        The data that are arguments, with the values they have in the model.
    density : callable
        ``(x, data) -> value, gradient``, compiled.
    parameters : callable
        ``(xs, data) -> {name: values}``, of points ``(number, dim)``.
    """

    layout: dict[str, tuple[int, ...]]
    start: np.ndarray
    data: dict[str, np.ndarray]
    density: Callable[..., tuple[jax.Array, jax.Array]]
    parameters: Callable[..., dict[str, jax.Array]]

    def at_data(self, data: Mapping[str, np.ndarray] | None = None) -> Evaluate:
        """Return the log density and its gradient as a function of the parameters alone."""
        values = self._on_device(data)

        def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = self.density(x, values)
            return float(value), np.asarray(gradient)

        return evaluate

    def vectors(self, posterior: xr.Dataset) -> np.ndarray:
        """Return draws of all parameters as vectors ``(number, dim)``; chains joined."""
        columns = [
            posterior[name].transpose("chain", "draw", ...).to_numpy() for name in self.layout
        ]
        number = columns[0].shape[0] * columns[0].shape[1]
        return np.concatenate([values.reshape(number, -1) for values in columns], axis=1)

    def precondition(
        self,
        data: Mapping[str, np.ndarray] | None = None,
        draws: np.ndarray | None = None,
    ) -> Compiled:
        """Find coordinates in which the posterior is round, and return what to sample.

        Nothing is compiled.

        Parameters
        ----------
        data : mapping of str to array, optional
            New values of the data that are arguments; the rest keep those of the model.
        draws : array, shape (number, dim), optional
            Earlier draws, from `vectors`: with ten or more for each parameter, their mean and
            covariance take the place of the mode and the curvature there.

        Returns
        -------
        Compiled
            ``restore`` takes draws ``(chain, draw, dim)`` of ``z`` to parameters by name.
        """
        evaluate, values = self.at_data(data), self._on_device(data)
        if draws is None or len(draws) < 10 * len(self.start):
            center, scale = laplace(evaluate, self.start)
        else:
            center, scale = moments(draws)

        def logp(z: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = evaluate(center + scale @ z)
            return value, scale.T @ gradient

        def begin(seed: int) -> np.ndarray:
            return np.random.default_rng(seed).normal(0, _OVERDISPERSION, len(center))

        def restore(z: np.ndarray) -> dict[str, np.ndarray]:
            parameters = self.parameters(center + z.reshape(-1, len(center)) @ scale.T, values)
            arrays = {k: np.asarray(v) for k, v in parameters.items()}
            return {k: v.reshape(*z.shape[:2], *v.shape[1:]) for k, v in arrays.items()}

        sampler_model = from_pyfunc(
            len(center),
            lambda: logp,
            lambda seed1, seed2, chain: lambda z: {"z": z.copy()},
            [np.dtype("float64")],
            [(len(center),)],
            ["z"],
            dims={"z": ("coordinate",)},
            coords={"coordinate": np.arange(len(center))},
            make_initial_point_fn=begin,
        )
        return Compiled(sampler_model, restore)

    def _on_device(self, data: Mapping[str, np.ndarray] | None) -> list[jax.Array]:
        """Return all arguments in their order, on the device: moved once, not at every call."""
        arguments = {**self.data, **(data or {})}
        if unknown := sorted(arguments.keys() - self.data.keys()):
            raise BayesCausalError(
                f"{', '.join(unknown)} became constants when the density was compiled; arguments "
                f"are {', '.join(self.data) or 'none'}. Name them in compile_jax(model, keep=...)."
            )
        return [jax.device_put(np.asarray(arguments[k], self.data[k].dtype)) for k in self.data]


def _switch_jax() -> None:
    """Set the two switches of JAX that densities rely on, for the whole process.

    A context would end before the sampler calls what was compiled in it, and its arguments would
    then be cut to 32 bits. PyTensor's JAX backend sets the first in the same way.
    """
    jax.config.update("jax_enable_x64", True)
    # A call is a fraction of a millisecond, and handing it to another thread takes as long.
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def compile_jax(model: pm.Model, keep: Collection[str] = ()) -> Density:
    """Compile a model's log density and gradient with JAX.

    Parameters
    ----------
    model : pymc.Model
    keep : collection of str
        Names of `pymc.Data` that stay arguments; all others become constants.

    Returns
    -------
    Density
    """
    require_jax()
    _switch_jax()
    shared = [k for k, v in model.named_vars.items() if isinstance(v, SharedVariable)]
    frozen = freeze_dims_and_data(model, data=[k for k in shared if k not in keep])
    point = frozen.initial_point()
    layout = {v.name: np.shape(point[v.name]) for v in frozen.value_vars}
    ends = np.cumsum([int(np.prod(s)) for s in layout.values()])
    start = np.concatenate([np.ravel(point[n]) for n in layout]).astype(float)
    data = {k: np.asarray(frozen[k].get_value()) for k in keep}
    arguments = {frozen[k]: frozen[k].type() for k in keep}

    def jaxified(graphs: list) -> Callable[..., tuple[jax.Array, ...]]:
        outputs = clone_replace(graphs, replace=arguments)
        return get_jaxified_graph([*frozen.value_vars, *arguments.values()], outputs)

    def unpack(x: jax.Array) -> list[jax.Array]:
        return [
            x[end - int(np.prod(s)) : end].reshape(s)
            for s, end in zip(layout.values(), ends, strict=True)
        ]

    logp, outputs = jaxified([frozen.logp()]), jaxified(frozen.unobserved_value_vars)
    labels = [v.name for v in frozen.unobserved_value_vars]

    def density(x: jax.Array, values: list[jax.Array]) -> jax.Array:
        return logp(*unpack(x), *values)[0]

    def parameters(x: jax.Array, values: list[jax.Array]) -> dict[str, jax.Array]:
        return dict(zip(labels, outputs(*unpack(x), *values), strict=True))

    first = [jax.device_put(value) for value in data.values()]
    compiled = jax.jit(jax.value_and_grad(density)).lower(start, first).compile()
    every = jax.jit(jax.vmap(parameters, in_axes=(0, None)))
    return Density(layout, start, data, compiled, every)


def moments(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of draws, and the symmetric square root of their covariance."""
    values, vectors = np.linalg.eigh(np.cov(draws, rowvar=False).reshape(draws.shape[1], -1))
    deviations = np.sqrt(np.maximum(values, 1e-12 * values[-1]))  # a chain that stood still
    return draws.mean(axis=0), (vectors * deviations) @ vectors.T


def laplace(evaluate: Evaluate, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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

    optimum = minimize(descend, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    mode = optimum.x if optimum.fun < 1e299 else start
    steps = _STEP * np.eye(len(mode))
    columns = [(evaluate(mode + h)[1] - evaluate(mode - h)[1]) / (2 * _STEP) for h in steps]
    curvature = -np.array(columns)
    if not np.isfinite(curvature).all():
        return mode, np.eye(len(mode))
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    deviations = 1 / np.sqrt(np.maximum(np.abs(values), _WIDEST_SD**-2))
    return mode, (vectors * deviations) @ vectors.T
