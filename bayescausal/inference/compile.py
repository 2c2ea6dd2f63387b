"""A model as a JAX function of one vector, and coordinates in which NUTS starts well.

JAX compiles in seconds where numba takes a minute, but pays at every step, so steps are worth
saving. Half of them used to go into the first eighty warm-up draws, where the mass matrix is still
unknown. Here the sampler sees ``z`` with ``x = mode + L z``, where ``L L'`` is the inverse
curvature at the mode: a linear change of variables, so the posterior is the same, and the chains
start from ``z ~ Normal(0, 1.5^2)``, wider than the posterior, already at its scales.

All numbers of a model are arguments of what is compiled (`open_model`), so that models of one
structure share it: in one process by `functools.lru_cache`, from one process to the next by JAX's
cache on disk (`compilation_cache`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from threading import RLock
from typing import Any

import jax
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from jax._src import xla_bridge
from pymc.initial_point import make_initial_point_expression
from pymc.model.fgraph import model_from_fgraph
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace
from pytensor.tensor.variable import TensorVariable
from scipy.optimize import minimize

from bayescausal._process import collector_paused
from bayescausal.errors import BayesCausalError
from bayescausal.inference.compilation_cache import keep_compiled
from bayescausal.inference.nuts import Chain, Coordinates, LogDensity, advance_with, first_step
from bayescausal.inference.open_model import (
    OpenModel,
    Program,
    numpy_function,
    opened_model,
    program,
)
from bayescausal.inference.stacking import total

_WIDEST_SD = 3.0
_STEP = 1e-4
_CLIMB = 100, 500
"""Steps of the search for the mode, at least and at most, before it takes new coordinates."""
_RESTARTS = 6
"""How often it goes on, at most."""
_ARRIVED = 0.1
"""Standard deviations from the mode at which the search ends."""
_ROWS = 256
"""Points whose parameters are computed in one call: its arrays have this length."""
_OPTIONS = {
    # More of LLVM's passes take half as long again to compile, and no step is faster for it.
    "xla_backend_optimization_level": 1,
    # A sum over weeks is one kernel, not two: it is too short to be worth a tree. And nothing is to
    # be moved out of loops: what depends on numbers alone is computed before (`open_model`).
    "xla_disable_hlo_passes": "tree_reduction_rewriter,while-loop-invariant-code-motion",
}

_WRITING = RLock()

_FORKED: set[int] = set()
"""Processes that forked after JAX ran in them: a child has the state of JAX and not its threads."""


def _note_fork() -> None:
    if xla_bridge.backends_are_initialized():
        _FORKED.add(os.getpid())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_note_fork)


@contextmanager
def writing() -> Iterator[None]:
    """Write a model, or a program of it: one after another, and nothing else meanwhile.

    Python writes while XLA compiles what was written before, and what JAX has traced for one
    program it need not trace for the next. PyTensor would note for each variable which line has
    made it, for messages to the author of a model: a sixth of its time.
    """
    with _WRITING, collector_paused(), pytensor.config.change_flags(traceback__limit=0):
        yield


type Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]


def require_jax() -> None:
    """Raise in a process in which JAX would wait for ever."""
    if _FORKED - {os.getpid()}:
        raise BayesCausalError(
            "This process was forked from one in which JAX had run, and JAX would hang here. Start "
            "processes with multiprocessing.get_context('spawn'), or sample with sampler='pymc'."
        )


@dataclass(frozen=True, eq=False)
class Form:
    """What the models of one structure share: their log density as a function of its numbers too.

    Parameters
    ----------
    layout : dict of str to tuple
        Shapes of the parameters, unconstrained, in the order in which they make one vector.
    labels : tuple of str
        Names of all variables in natural units.
    start : callable
        ``(*numbers) -> points``, one for each entry of the layout: where the search for the mode
        begins.
    logp : Program
        The log density.
    write_parameters : callable
        Writes the program of `parameters`.
    """

    layout: dict[str, tuple[int, ...]]
    labels: tuple[str, ...]
    start: Callable[..., list[np.ndarray]]
    logp: Program
    write_parameters: Callable[[], Program]

    @cached_property
    def parameters(self) -> Program:
        """All variables in natural units; written when needed, as XLA need not wait for it."""
        with writing():
            return self.write_parameters()


@dataclass(frozen=True, eq=False)
class Density:
    """A log density with its gradient: a form, and the numbers of one model.

    Parameters
    ----------
    form : Form
    data : dict of str to array
        The data of the model, which can be exchanged, with the values they have in it.
    constants : tuple of array
        The other numbers.
    """

    form: Form
    data: dict[str, np.ndarray]
    constants: tuple[np.ndarray, ...]

    @property
    def layout(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters, in the order in which they make one vector."""
        return self.form.layout

    @cached_property
    def start(self) -> np.ndarray:
        """Where the search for the mode begins, ``(dim,)``."""
        return np.concatenate([np.ravel(v) for v in self.form.start(*self._numbers())]).astype(
            float
        )

    def at_data(self, data: Mapping[str, np.ndarray] | None = None) -> Evaluate:
        """Return the log density and its gradient as a function of the parameters alone."""
        numbers = self.numbers(data)
        density = _gradient(self.form.logp, len(self.start), _kinds(numbers))

        def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = density(x, numbers)
            return float(value), np.asarray(gradient)

        return evaluate

    def values(self, x: np.ndarray, data: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """Return the log density at points ``(number, dim)``, one after another in one program."""
        numbers = self.numbers(data)
        density = _values(self.form.logp, len(self.start), _kinds(numbers))
        return np.concatenate([density(rows, numbers) for rows in _in_rows(x)])[: len(x)]

    def vectors(self, posterior: xr.Dataset) -> np.ndarray:
        """Return draws of all parameters as vectors ``(number, dim)``; chains joined."""
        columns = [
            posterior[name].transpose("chain", "draw", ...).to_numpy() for name in self.layout
        ]
        number = columns[0].shape[0] * columns[0].shape[1]
        return np.concatenate([values.reshape(number, -1) for values in columns], axis=1)

    def coordinates(
        self,
        data: Mapping[str, np.ndarray] | None = None,
        draws: np.ndarray | None = None,
    ) -> Coordinates:
        """Find coordinates in which the posterior is round.

        Parameters
        ----------
        data : mapping of str to array, optional
            New values of the data that can be exchanged; the rest keep those of the model.
        draws : array, shape (number, dim), optional
            Earlier draws, from `vectors`: with ten or more for each parameter, their mean and
            covariance take the place of the mode and the curvature there.
        """
        if draws is None or len(draws) < 10 * len(self.start):
            return Coordinates(*laplace(self.at_data(data), self.start))
        return Coordinates(*moments(draws))

    def advance(self) -> Callable:
        """Compile what `nuts.advance_with` writes: NUTS on this density."""
        return _advance(self.form.logp, len(self.start), _kinds(self.numbers()))

    def restoring(
        self, data: Mapping[str, np.ndarray] | None = None
    ) -> tuple[list[jax.Array], Callable]:
        """Compile what `restore` calls, and return its arguments with it."""
        numbers = self._folded(self.form.parameters, data)
        return numbers, _outputs(self.form.parameters, len(self.start), _kinds(numbers))

    def restore(
        self, x: np.ndarray, data: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """Return all variables in natural units at points ``(..., dim)``."""
        numbers, outputs = self.restoring(data)
        points = x.reshape(-1, x.shape[-1])
        parts = [outputs(rows, numbers) for rows in _in_rows(points)]
        columns = [np.concatenate(column)[: len(points)] for column in zip(*parts, strict=True)]
        shaped = (values.reshape((*x.shape[:-1], *values.shape[1:])) for values in columns)
        return dict(zip(self.form.labels, shaped, strict=True))

    def numbers(self, data: Mapping[str, np.ndarray] | None = None) -> list[jax.Array]:
        """Return the arguments of the log density that are no parameters."""
        return self._folded(self.form.logp, data)

    def _folded(self, program: Program, data: Mapping[str, np.ndarray] | None) -> list[jax.Array]:
        """Return the arguments of a program: moved to the device once, not at every call."""
        return [jax.device_put(values) for values in program.fold(*self._numbers(data))]

    def _numbers(self, data: Mapping[str, np.ndarray] | None = None) -> list[np.ndarray]:
        exchanged = {**self.data, **(data or {})}
        if unknown := sorted(exchanged.keys() - self.data.keys()):
            raise BayesCausalError(
                f"{', '.join(unknown)} cannot be exchanged in this density; what can is "
                f"{', '.join(self.data) or 'nothing'}: the pm.Data of floating point in the model."
            )
        return [*(np.asarray(exchanged[k], float) for k in self.data), *self.constants]


def _in_rows(points: np.ndarray) -> np.ndarray:
    """Return points ``(number, dim)`` as blocks of `_ROWS`, the last filled up with the first."""
    filled = np.resize(points, (-(-len(points) // _ROWS) * _ROWS, points.shape[1]))
    return filled.reshape(-1, _ROWS, points.shape[1])


def _kinds(numbers: Sequence[jax.Array]) -> tuple:
    return tuple((values.shape, values.dtype) for values in numbers)


@lru_cache(maxsize=64)
def _log_density(program: Program) -> LogDensity:
    # A function that JAX knows is traced once, for the gradient and for each place NUTS calls it.
    return jax.jit(lambda x, numbers: program.function(x, *numbers)[0])


def _abstract(kinds: tuple) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(*kind) for kind in kinds]


def _compiled(function: Callable, *arguments: Any) -> Callable:
    with writing():
        lowered = jax.jit(function).lower(*arguments)
    return lowered.compile(_OPTIONS)


@lru_cache(maxsize=64)
def _gradient(program: Program, dim: int, kinds: tuple) -> Callable:
    density = jax.value_and_grad(_log_density(program))
    return _compiled(density, jax.ShapeDtypeStruct((dim,), float), _abstract(kinds))


@lru_cache(maxsize=64)
def _outputs(program: Program, dim: int, kinds: tuple) -> Callable:
    outputs = jax.vmap(lambda x, numbers: program.function(x, *numbers), in_axes=(0, None))
    points = jax.ShapeDtypeStruct((_ROWS, dim), float)
    return _compiled(outputs, points, _abstract(kinds))


@lru_cache(maxsize=64)
def _values(program: Program, dim: int, kinds: tuple) -> Callable:
    # Not mapped over: alone, the density of a small model is one function, twice as fast or more.
    density = _log_density(program)
    points = jax.ShapeDtypeStruct((_ROWS, dim), float)

    def values(points: jax.Array, numbers: Sequence[jax.Array]) -> jax.Array:
        return jax.lax.map(lambda x: density(x, numbers), points)

    return _compiled(values, points, _abstract(kinds))


@lru_cache(maxsize=64)
def _advance(program: Program, dim: int, kinds: tuple) -> Callable:
    chain = Chain(np.zeros(dim), np.float64(0), np.zeros(dim), first_step())
    constants = np.zeros(dim), np.zeros((dim, dim)), _abstract(kinds), jax.random.key(0)
    advance = advance_with(_log_density(program))
    return _compiled(advance, chain, *constants, 0, 0, False, 0.8)


def switch_jax() -> None:
    """Set the two switches of JAX that compiled functions rely on, for the whole process.

    A context would end before the sampler calls what was compiled in it, and its arguments would
    then be cut to 32 bits. PyTensor's JAX backend sets the first in the same way.
    """
    jax.config.update("jax_enable_x64", True)
    # A call is a fraction of a millisecond, and handing it to another thread takes as long.
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def compile_jax(model: pm.Model) -> Density:
    """Write a model's log density for JAX, once for a structure.

    It is compiled when it is first evaluated.

    Parameters
    ----------
    model : pymc.Model
    """
    require_jax()
    switch_jax()
    keep_compiled()
    with writing():
        opened = opened_model(model)
        form = _form(opened)
    data = dict(zip(opened.data, opened.numbers, strict=False))  # the first of the numbers
    return Density(form, data, opened.numbers[len(data) :])


@lru_cache(maxsize=64)
def _form(opened: OpenModel) -> Form:
    """Write what the models of this structure share, with PyTensor's rewrites."""
    model = model_from_fgraph(opened.graph, mutate_fgraph=True)
    points = make_initial_point_expression(
        free_rvs=model.free_RVs,
        rvs_to_transforms=model.rvs_to_transforms,
        initval_strategies={},
        return_transformed=True,
    )
    start = numpy_function(opened.inputs, opened.bound(points))
    shapes = [np.shape(point) for point in start(*opened.numbers)]
    x = pt.vector("x", shape=(sum(map(math.prod, shapes)),), dtype="float64")
    vector = dict(zip(model.value_vars, _parts(x, shapes), strict=True))

    def written(graphs: Sequence[Variable]) -> Program:
        return program(x, opened.inputs, clone_replace(opened.bound(graphs), replace=vector))

    logp = written([total(model.logp(sum=False))])
    layout = {str(v.name): shape for v, shape in zip(model.value_vars, shapes, strict=True)}
    labels = tuple(str(v.name) for v in model.unobserved_value_vars)
    return Form(layout, labels, start, logp, lambda: written(model.unobserved_value_vars))


def _parts(x: TensorVariable, shapes: Iterable[tuple[int, ...]]) -> list[TensorVariable]:
    """Return the parameters of these shapes that make the vector ``x``, in their order."""
    parts, begin = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        parts.append(x[begin : begin + size].reshape(shape) if shape else x[begin])
        begin += size
    return parts


def moments(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of draws, and the symmetric square root of their covariance."""
    values, vectors = np.linalg.eigh(np.cov(draws, rowvar=False).reshape(draws.shape[1], -1))
    deviations = np.sqrt(np.maximum(values, 1e-12 * values[-1]))  # a chain that stood still
    return draws.mean(axis=0), (vectors * deviations) @ vectors.T


def laplace(evaluate: Evaluate, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mode of a log density, and the symmetric square root of its inverse curvature.

    Directions that are flat or curved the wrong way get a standard deviation of at most 3, on the
    unconstrained scale. It only has to be a good map of the posterior, not an approximation of it.
    The search goes on in the coordinates of the curvature where it stands, in which it needs few
    steps, after about as many gradients as the curvature takes: the first are the quick ones.

    Returns
    -------
    mode : array, shape (dim,)
    scale : array, shape (dim, dim)
    """
    mode = _ascended(evaluate, start)
    root = _curvature_root(evaluate, mode)
    for _ in range(_RESTARTS):
        # In these coordinates the slope is the distance that is left, in standard deviations.
        if not np.linalg.norm(root @ evaluate(mode)[1]) > _ARRIVED:
            break
        mode = mode + root @ _ascended(_moved(evaluate, mode, root), np.zeros_like(mode))
        root = _curvature_root(evaluate, mode)
    return mode, root


def _ascended(evaluate: Evaluate, start: np.ndarray) -> np.ndarray:
    """Climb from ``start``, by a number of steps at most."""

    def descend(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = evaluate(x)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return 1e300, np.zeros_like(x)
        return -value, -gradient

    options = {"maxiter": int(np.clip(2 * len(start), *_CLIMB))}
    optimum = minimize(descend, start, jac=True, method="L-BFGS-B", options=options)
    return optimum.x if optimum.fun < 1e299 else start


def _moved(evaluate: Evaluate, center: np.ndarray, root: np.ndarray) -> Evaluate:
    """Return the density as a function of z, ``x = center + root @ z``."""

    def evaluate_moved(z: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = evaluate(center + root @ z)
        return value, root.T @ gradient

    return evaluate_moved


def _curvature_root(evaluate: Evaluate, mode: np.ndarray) -> np.ndarray:
    """Symmetric square root of the inverse curvature, by differences of gradients."""
    steps = _STEP * np.eye(len(mode))
    columns = [(evaluate(mode + h)[1] - evaluate(mode - h)[1]) / (2 * _STEP) for h in steps]
    curvature = -np.array(columns)
    if not np.isfinite(curvature).all():
        return np.eye(len(mode))
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    deviations = 1 / np.sqrt(np.maximum(np.abs(values), _WIDEST_SD**-2))
    return (vectors * deviations) @ vectors.T
