"""A PyTensor graph as a JAX function whose numbers are arguments.

Two models of one structure differ in numbers only: data, scales, designs, what a prior makes of
spend. Compiled with these numbers inside they are two programs; with the numbers lifted out they
are one, and the second costs nothing to compile. Lifting comes after PyTensor's rewrites, so what
depends on data alone has been computed once, and is not computed again at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import jax
import numpy as np
from pytensor.compile import mode
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace
from pytensor.link.jax.dispatch import jax_funcify

from bayescausal.inference.stacking import stack_alike


@dataclass(frozen=True)
class Program:
    """``function(*inputs, *numbers)`` of one structure; programs of equal structure are equal.

    Parameters
    ----------
    structure : hashable
        The operations, how they are wired, the types of the inputs, and all constants that are not
        numbers of floating point (indices, shapes, masks).
    function : callable
        Of JAX arrays.
    numbers : tuple of array
        The floating-point constants of the graph, in the order in which ``function`` takes them.
    """

    structure: Hashable
    function: Callable[..., tuple[jax.Array, ...]] = field(compare=False, repr=False)
    numbers: tuple[np.ndarray, ...] = field(compare=False, repr=False)


def lifted(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> Program:
    """Rewrite a graph for JAX, and lift its floating-point constants out as arguments."""
    rewritten = FunctionGraph(list(inputs), list(outputs), clone=True)
    stack_alike(rewritten)
    mode.JAX.optimizer.rewrite(rewritten)
    constants: dict[Variable, Variable] = {}
    for node in rewritten.toposort():
        for variable in node.inputs:
            if _is_number(variable) and variable not in constants:
                constants[variable] = variable.type()
    results = clone_replace(rewritten.outputs, replace=constants)
    arguments = [*rewritten.inputs, *constants.values()]
    graph = FunctionGraph(arguments, results, clone=False)
    numbers = tuple(np.asarray(constant.data) for constant in constants)  # type: ignore[attr-defined]
    return Program(_structure(graph), jax_funcify(graph), numbers)


def _is_number(variable: Variable) -> bool:
    is_float = getattr(variable.type, "dtype", "").startswith("float")
    return isinstance(variable, Constant) and is_float


def _structure(graph: FunctionGraph) -> Hashable:
    """Return what two graphs share when they are the same function of their inputs."""
    places: dict[Variable, Hashable] = {v: ("input", k) for k, v in enumerate(graph.inputs)}

    def place(variable: Variable) -> Hashable:
        if variable in places:
            return places[variable]
        if not isinstance(variable, Constant):
            raise TypeError(f"{variable} is neither computed, nor an input, nor a constant.")
        value = variable.data
        if isinstance(value, np.ndarray | np.generic):
            return "constant", variable.type, np.shape(value), np.asarray(value).tobytes()
        return "constant", variable.type, repr(value)

    operations = []
    for k, node in enumerate(graph.toposort()):
        operations.append((node.op, *(place(v) for v in node.inputs)))
        places |= {v: ("output", k, j) for j, v in enumerate(node.outputs)}
    types = tuple(v.type for v in graph.inputs)
    return types, tuple(operations), tuple(place(v) for v in graph.outputs)
