"""A PyMC model that is open: its numbers are arguments, so that others of its kind share a program.

Data, scales, designs, what a prior makes of spend: compiled with these numbers inside, the models
of two data sets are two programs; with the numbers as inputs they are one, and the second costs
neither PyTensor's rewrites nor a compilation. What depends on numbers alone is computed once for
each model, not at every step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import jax
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.distributions.custom import CustomSymbolicDistRV
from pymc.logprob.transforms import IntervalTransform, Transform
from pymc.model.fgraph import ModelFreeRV, ModelVar, fgraph_from_model
from pytensor.compile import mode
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.op import Op
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import explicit_graph_inputs
from pytensor.link.jax.dispatch import jax_funcify

from bayescausal.inference.stacking import stack_alike

_ALGEBRA = (0.0, 0.5, 1.0, 2.0)
"""Numbers of these sizes stay in the graph: PyTensor's rewrites simplify ``x * 1``, ``x ** 2``."""


@dataclass(frozen=True)
class OpenModel:
    """A model with inputs in the place of its numbers; equal to every model of its structure.

    Parameters
    ----------
    structure : hashable
        The operations, how they are wired, names, transforms, the types of the inputs, and all
        constants that are no numbers of floating point (indices, shapes, masks); and which input
        each of the numbers is.
    graph : FunctionGraph
        As `pymc.model.fgraph` writes a model.
    inputs : list of variable
    numbers : tuple of array
        The values of the inputs in this model.
    data : tuple of str
        Names of the `pymc.Data` that are the first of the numbers.
    """

    structure: Hashable
    graph: FunctionGraph = field(compare=False, repr=False)
    inputs: list[Variable] = field(compare=False, repr=False)
    numbers: tuple[np.ndarray, ...] = field(compare=False, repr=False)
    data: tuple[str, ...] = field(compare=False)

    def bound(self, graphs: Sequence[Variable]) -> list[Variable]:
        """Return graphs in which PyMC has copied the inputs, with the inputs themselves."""
        known = {variable.name: variable for variable in self.inputs}
        copies = (v for v in explicit_graph_inputs(graphs) if v.name in known)
        return clone_replace(list(graphs), replace={v: known[v.name] for v in copies})


def opened_model(model: pm.Model) -> OpenModel:
    """Put inputs in the place of a model's data and other floating-point constants."""
    graph, copies = fgraph_from_model(model)
    replaced: dict[Variable, Variable] = {}
    numbers: list[np.ndarray] = []

    def as_input(values: Any) -> Variable:
        # PyTensor keeps 3.0 in single precision, and would take its logarithm there.
        numbers.append(np.asarray(values, float))
        kind = pt.TensorType("float64", shape=numbers[-1].shape)
        return kind(f"number:{len(numbers) - 1}")

    for length in model.dim_lengths.values():
        if isinstance(length, SharedVariable):
            replaced[copies[length]] = pt.constant(length.get_value(), dtype=length.type.dtype)
    data = [k for k, v in model.named_vars.items() if isinstance(v, SharedVariable)]
    floats = [k for k in data if model[k].get_value().dtype.kind == "f"]
    for name in data:
        make = as_input if name in floats else pt.constant
        replaced[copies[model[name]].owner.inputs[0]] = make(model[name].get_value())
    arrays: dict[Hashable, Variable] = {}
    for constant in _numbers_of(graph):
        # Designs and masks stand in several places; scalars that are equal are so by chance.
        key = (constant.type, constant.data.tobytes()) if constant.type.ndim else constant
        if key not in arrays:
            arrays[key] = as_input(constant.data)
        replaced[constant] = arrays[key]
    outputs = clone_replace(graph.outputs, replace=replaced, rebuild_strict=False)
    inputs = list(dict.fromkeys(v for v in replaced.values() if not isinstance(v, Constant)))
    opened = FunctionGraph(outputs=outputs, clone=False)
    opened._coords = graph._coords  # type: ignore[attr-defined]
    lengths = graph._dim_lengths.items()
    opened._dim_lengths = {k: replaced.get(v, v) for k, v in lengths}  # type: ignore[attr-defined]
    # Data of one graph may be registered in another order: numbers are then in another, too.
    places = {variable: place for place, variable in enumerate(opened.inputs)}
    order = tuple(places[variable] for variable in inputs)
    key = _structure(opened), order, tuple(floats)
    return OpenModel(key, opened, inputs, tuple(numbers), tuple(floats))


def _numbers_of(graph: FunctionGraph) -> list[Any]:
    """Return the constants that become inputs, in the order in which they are met."""
    fixed: set[Variable] = set()
    for node in graph.apply_nodes:
        if isinstance(node.op, ModelFreeRV) and isinstance(node.op.transform, IntervalTransform):
            # Bounds decide what a transform is, and follow from no data.
            fixed.update(node.inputs[0].owner.inputs)
        elif isinstance(node.op, OpFromGraph):  # its inner graph takes single precision alone
            fixed.update(v for v in node.inputs if getattr(v.type, "dtype", "") == "float32")
    constants = dict.fromkeys(v for node in graph.toposort() for v in node.inputs)
    return [v for v in constants if v not in fixed and _is_number(v)]


def _is_number(variable: Variable) -> bool:
    is_float = getattr(variable.type, "dtype", "").startswith("float")
    if not (isinstance(variable, Constant) and is_float):
        return False
    values = np.unique(np.asarray(variable.data))
    return bool(
        np.isfinite(values).all()
        and values.size
        and not (values.size == 1 and abs(values[0]) in _ALGEBRA)
    )


@dataclass(frozen=True, eq=False)
class Program:
    """``function(x, *folded)`` with ``folded = fold(*numbers)``: one program for a structure.

    Parameters
    ----------
    function : callable
        Of JAX arrays: all that depends on x.
    fold : callable
        Of numpy arrays: what depends on numbers alone.
    """

    function: Callable[..., tuple[jax.Array, ...]]
    fold: Callable[..., list[np.ndarray]]


def program(x: Variable, numbers: Sequence[Variable], outputs: Sequence[Variable]) -> Program:
    """Rewrite a graph for JAX, and split it into what depends on x and what does not."""
    graph = FunctionGraph([x, *numbers], list(outputs), clone=True)
    stack_alike(graph)
    mode.JAX.optimizer.rewrite(graph)
    moves = {graph.inputs[0]}
    folded: dict[Variable, Variable] = {}
    for node in graph.toposort():
        if moves.isdisjoint(node.inputs):
            continue
        moves.update(node.outputs)
        folded |= {v: v.type() for v in node.inputs if v not in moves | folded.keys()}
    folded |= {v: v.type() for v in graph.outputs if v not in moves | folded.keys()}
    folded = {v: stand_in for v, stand_in in folded.items() if not isinstance(v, Constant)}
    moving = clone_replace(graph.outputs, replace=folded)
    function = jax_funcify(FunctionGraph([graph.inputs[0], *folded.values()], moving, clone=False))
    return Program(function, numpy_function(graph.inputs[1:], list(folded)))


def numpy_function(
    inputs: Sequence[Variable], outputs: Sequence[Variable]
) -> Callable[..., list[np.ndarray]]:
    """Make a function that is called a few times for a model, and compiles nothing."""
    plain = mode.Mode("py", optimizer=None)  # type: ignore[arg-type]
    function = pytensor.function(inputs, outputs, mode=plain, on_unused_input="ignore")
    # PyTensor's functions hold the values of a call, and fits may be threads.
    lock = threading.Lock()

    def evaluate(*values: np.ndarray) -> list[np.ndarray]:
        with lock:
            return function(*values)

    return evaluate


def _structure(graph: FunctionGraph) -> Hashable:
    """Return what two models share when they are the same function of their inputs."""
    places: dict[Variable, Hashable] = {v: ("input", k, v.type) for k, v in enumerate(graph.inputs)}

    def place(variable: Variable) -> Hashable:
        if variable in places:
            return places[variable]
        return "constant", variable.type, _hashable(variable.data)  # type: ignore[attr-defined]

    operations = []
    for k, node in enumerate(graph.toposort()):
        operations.append((_operation(node.op), *(place(v) for v in node.inputs)))
        places |= {v: ("output", k, j) for j, v in enumerate(node.outputs)}
    return tuple(operations), tuple(place(v) for v in graph.outputs)


def _operation(op: Op) -> Hashable:
    """Return what of an operation two models share; PyMC makes some anew for each model."""
    if isinstance(op, ModelVar):
        return type(op), op.name, op.dims, _hashable(getattr(op, "transform", None))
    if isinstance(op, CustomSymbolicDistRV) and op.inline_logprob:  # its density follows from this
        return CustomSymbolicDistRV, op._print_name, _structure(op.fgraph)
    return op


def _hashable(value: Any) -> Hashable:
    """Return a value that compares by what it holds: transforms of PyMC compare by identity."""
    if isinstance(value, Transform):
        return type(value), tuple((k, _hashable(v)) for k, v in sorted(vars(value).items()))
    if isinstance(value, FunctionType):
        cells = value.__closure__ or ()
        held = (*(cell.cell_contents for cell in cells), *(value.__defaults__ or ()))
        return value.__code__, value.__kwdefaults__ is None or object(), _hashable(held)
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    return value if isinstance(value, Hashable) else object()  # equal to nothing
