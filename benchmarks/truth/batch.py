"""Many posteriors of one structure at once: one compiled density, its constants as arguments.

Worlds of one family differ in numbers only: data, scales, designs, what a prior makes of spend. The
log densities that `bayescausal.build` writes for them are then one graph with other constants. So
the constants that differ become arguments, one gradient is compiled, and JAX maps it over worlds
and chains. What is sampled is the density of the package, by Hamiltonian Monte Carlo in coordinates
that the curvature at the mode makes round; it is judged by the same criterion as `bayescausal.fit`,
and `--single` fits worlds one by one instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.sampling.jax import get_jaxified_graph
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import toposort

from bayescausal.inference.compile import laplace

CHAINS, TUNE, DRAWS, STEPS = 4, 300, 600, (3, 10)
ACCEPT = 0.85


class Leaf(NamedTuple):
    """Where a number enters a graph: which operation, which of its inputs, and its value."""

    place: tuple[int, int]
    value: np.ndarray


def leaves(outputs: Sequence[Variable]) -> list[Leaf]:
    """List floating-point constants and data of a graph, in the order of its operations."""
    return [
        Leaf((k, position), np.asarray(_value(variable)))
        for k, node in enumerate(toposort(outputs))
        for position, variable in enumerate(node.inputs)
        if _is_number(variable)
    ]


def _is_number(variable: Variable) -> bool:
    kind = isinstance(variable, Constant | SharedVariable)
    return kind and getattr(variable.type, "dtype", "").startswith("float")


def _value(variable: Variable) -> Any:
    return variable.get_value() if isinstance(variable, SharedVariable) else variable.data


def with_arguments(
    outputs: Sequence[Variable], places: Sequence[tuple[int, int]]
) -> tuple[list[Variable], list[Variable]]:
    """Replace the numbers at some places of a graph by new variables: outputs, variables."""
    arguments = {}
    new: dict[Variable, Variable] = {}
    for k, node in enumerate(toposort(outputs)):
        inputs = []
        for position, variable in enumerate(node.inputs):
            if (k, position) in places:
                shape = np.shape(_value(variable))  # data alone do not fix theirs
                argument = pt.tensor(dtype=variable.type.dtype, shape=shape)
                arguments[k, position] = argument
                inputs.append(argument)
            elif isinstance(variable, SharedVariable):
                inputs.append(pt.constant(variable.get_value()))
            else:
                inputs.append(new.get(variable, variable))
        new |= zip(node.outputs, node.clone_with_new_inputs(inputs).outputs, strict=True)
    return [new.get(v, v) for v in outputs], [arguments[place] for place in places]


class Batch(NamedTuple):
    """Log densities of many models: ``density(x, numbers)``, with the numbers of each model."""

    names: list[str]
    start: np.ndarray
    density: Any
    parameters: Any
    numbers: tuple[list[np.ndarray], list[np.ndarray]]


def batch(models: Sequence[pm.Model]) -> Batch:
    """Lift what differs between models of one structure into arguments."""
    first = models[0]
    point = first.initial_point()
    layout = {v.name: np.shape(point[v.name]) for v in first.value_vars}
    functions, numbers = [], []
    for graphs in ([m.logp()] for m in models), (m.unobserved_value_vars for m in models):
        outputs = [list(graph) for graph in graphs]
        numbers_of = [leaves(graph) for graph in outputs]
        shapes = [[(leaf.place, leaf.value.shape) for leaf in model] for model in numbers_of]
        if any(other != shapes[0] for other in shapes):
            raise ValueError("These models have different structures: give a batch a structure.")
        values = [[leaf.value for leaf in same] for same in zip(*numbers_of, strict=True)]
        differ = [k for k, same in enumerate(values) if any((v != same[0]).any() for v in same)]
        graph, arguments = with_arguments(outputs[0], [numbers_of[0][k].place for k in differ])
        functions.append(get_jaxified_graph([*first.value_vars, *arguments], graph))
        numbers.append([np.stack(values[k]) for k in differ])
    ends = np.cumsum([int(np.prod(s)) for s in layout.values()])

    def unpack(x: jax.Array) -> list[jax.Array]:
        parts = zip(layout.values(), ends, strict=True)
        return [x[end - int(np.prod(shape)) : end].reshape(shape) for shape, end in parts]

    return Batch(
        [v.name for v in first.unobserved_value_vars],
        np.concatenate([np.ravel(point[name]) for name in layout]).astype(float),
        lambda x, arguments: functions[0](*unpack(x), *arguments)[0],
        lambda x, arguments: functions[1](*unpack(x), *arguments),
        (numbers[0], numbers[1]),
    )


def sample(models: Sequence[pm.Model], seed: int) -> list[dict[str, np.ndarray]]:
    """Sample many models of one structure.

    Returns
    -------
    list of dict of str to array
        For each model its parameters by name, ``(chain, draw, ...)``.
    """
    jax.config.update("jax_enable_x64", True)
    densities = batch(models)
    count, size = len(models), len(densities.start)
    gradient = jax.jit(jax.value_and_grad(densities.density))
    modes, scales = np.empty((count, size)), np.empty((count, size, size))
    for k in range(count):
        arguments = [jnp.asarray(number[k]) for number in densities.numbers[0]]

        def evaluate(x: np.ndarray, arguments: list = arguments) -> tuple[float, np.ndarray]:
            value, slope = gradient(x, arguments)
            return float(value), np.asarray(slope)

        modes[k], scales[k] = laplace(evaluate, densities.start)
    keys = jax.random.split(jax.random.key(seed), (count, CHAINS))
    each_chain = jax.vmap(_chain(densities.density), in_axes=(None, None, None, 0))
    run = jax.jit(jax.vmap(each_chain))
    x = run(modes, scales, densities.numbers[0], keys)  # (model, chain, draw, size)
    every = jax.jit(jax.vmap(jax.vmap(densities.parameters, in_axes=(0, None))))
    values = every(x.reshape(count, -1, size), densities.numbers[1])
    posteriors = []
    for k in range(count):
        shaped = (np.asarray(v[k]).reshape(CHAINS, DRAWS, *v.shape[2:]) for v in values)
        posteriors.append(dict(zip(densities.names, shaped, strict=True)))
    return posteriors


def _chain(density: Any) -> Any:
    """Hamiltonian Monte Carlo with a random number of steps; their size is tuned, then kept."""

    def chain(mode: jax.Array, scale: jax.Array, numbers: list, key: jax.Array) -> jax.Array:
        slope = jax.value_and_grad(lambda z: density(mode + scale @ z, numbers))

        def leapfrog(z: jax.Array, p: jax.Array, step: jax.Array, number: jax.Array) -> tuple:
            def once(_: int, state: tuple) -> tuple:
                z, p, gradient, _ = state
                p = p + step / 2 * gradient
                z = z + step * p
                value, gradient = slope(z)
                return z, p + step / 2 * gradient, gradient, value

            value, gradient = slope(z)
            return jax.lax.fori_loop(0, number, once, (z, p, gradient, value))

        def draw(state: tuple, index: jax.Array) -> tuple:
            z, value, key, log_step, mean_step, miss = state
            key, *keys = jax.random.split(key, 4)
            tuning = index < TUNE
            p = jax.random.normal(keys[0], z.shape)
            step = jnp.exp(jnp.where(tuning, log_step, mean_step))
            number = jax.random.randint(keys[1], (), *STEPS)
            to, p_to, _, value_to = leapfrog(z, p, step, number)
            odds = jnp.exp(jnp.minimum(0.0, value_to - p_to @ p_to / 2 - value + p @ p / 2))
            odds = jnp.where(jnp.isfinite(odds), odds, 0.0)
            moves = jax.random.uniform(keys[2]) < odds
            z, value = jnp.where(moves, to, z), jnp.where(moves, value_to, value)
            # dual averaging, Hoffman & Gelman (2014), section 3.2
            m = index + 1.0
            miss = jnp.where(tuning, miss + ((ACCEPT - odds) - miss) / (m + 10), miss)
            log_step = jnp.where(
                tuning, jnp.clip(jnp.log(0.25) - jnp.sqrt(m) / 0.05 * miss, -8, 0.3), log_step
            )
            weight = m**-0.75
            mean_step = jnp.where(tuning, weight * log_step + (1 - weight) * mean_step, mean_step)
            return (z, value, key, log_step, mean_step, miss), mode + scale @ z

        key, begin = jax.random.split(key)
        z = jax.random.normal(begin, mode.shape)
        small = jnp.log(0.1)
        state = (z, slope(z)[0], key, small, small, 0.0)
        _, x = jax.lax.scan(draw, state, jnp.arange(TUNE + DRAWS))
        return x[TUNE:]

    return chain
