"""Scalars that are alike become one array, so that ten channels are as small a program as one.

Each parameter of a channel has a prior and a transform of its own, and XLA makes of each a kernel
or two, forward and backward. What differs between them is numbers. So terms of the log density with
the same operations are evaluated together, ``sum_k g(v_k, c_k)`` as ``g(v, c).sum()``, and a vector
of alike operations becomes one operation on vectors.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.utils import CheckParameterValue
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.rewriting.basic import EquilibriumGraphRewriter, node_rewriter
from pytensor.tensor.basic import MakeVector
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.subtensor import Subtensor, get_constant_idx
from pytensor.tensor.variable import TensorVariable


class Term(NamedTuple):
    """A scalar, the variables from which scalar operations lead to it, and these operations."""

    output: Any
    leaves: list[Variable]
    structure: Hashable


def total(terms: Sequence[TensorVariable]) -> TensorVariable:
    """Add up the terms of a log density; scalars that are alike are evaluated together."""
    alike: dict[Hashable, list[Term]] = {}
    sums: list[Any] = []
    graph = FunctionGraph(outputs=list(terms), clone=False)
    EquilibriumGraphRewriter([_without_check], max_use_ratio=20).rewrite(graph)
    variable: Any
    for variable in graph.outputs:
        if variable.type.ndim:
            sums.append(variable.sum())
            continue
        term = traced(variable)
        alike.setdefault(term.structure, []).append(term)
    sums += [_together(group) for group in alike.values()]
    return pt.add(*sums) if len(sums) > 1 else sums[0]


def traced(output: Variable) -> Term:
    """Follow a scalar back through operations on scalars."""
    leaves: list[Variable] = []
    operations: list[Hashable] = []
    places: dict[Variable, Hashable] = {}

    def place(variable: Variable) -> Hashable:
        if variable not in places:
            places[variable] = described(variable)
        return places[variable]

    def described(variable: Variable) -> Hashable:
        if isinstance(variable, Constant) and not _is_number(variable):
            return "constant", variable.type, np.asarray(variable.data).tobytes()
        if variable.owner is None or not _is_scalar_operation(variable.owner):
            leaves.append(variable)
            return "leaf", len(leaves), variable.type.dtype
        parts = tuple(place(v) for v in variable.owner.inputs)
        operations.append((variable.owner.op, parts))
        return "operation", len(operations)

    last = place(output)
    return Term(output, leaves, (last, tuple(operations)))


def _is_number(variable: Variable) -> bool:
    return isinstance(variable, Constant) and variable.type.dtype.startswith("float")


def _is_scalar_operation(node: Apply) -> bool:
    scalars = all(v.type.ndim == 0 for v in (*node.inputs, *node.outputs))
    return isinstance(node.op, Elemwise) and scalars and len(node.outputs) == 1


def _together(group: Sequence[Term]) -> TensorVariable:
    """Sum of alike terms, each leaf a vector of what it is in each of them."""
    output, leaves, _ = group[0]
    if len(group) == 1:
        return output
    columns = zip(leaves, zip(*(term.leaves for term in group), strict=True), strict=True)
    vectors = {leaf: _vector(column) for leaf, column in columns if len({*column}) > 1}
    if not vectors:
        return len(group) * output
    vectorized: Any = vectorize_graph(output, replace=vectors)
    return vectorized.sum()


def _vector(column: Sequence[Any]) -> Variable:
    if all(isinstance(v, Constant) for v in column):
        return pt.constant(np.array([v.data for v in column]))
    return pt.stack(column)


@node_rewriter([CheckParameterValue])
def _without_check(graph: FunctionGraph, node: Apply) -> list[Variable]:
    """Leave out what JAX leaves out in any case: it cannot raise."""
    return [node.inputs[0]]


@node_rewriter([MakeVector])
def _vectorized(graph: FunctionGraph, node: Apply) -> list[Variable] | None:
    """``[f(a), f(b)]`` to ``f([a, b])``, and ``[v[2], v[4]]`` to ``v[2:5:2]``."""
    owners = [v.owner for v in node.inputs]
    if len(owners) < 2 or any(owner is None for owner in owners):
        return None
    if (whole := _elements(owners)) is not None:
        return [whole]
    if not all(_is_scalar_operation(owner) and owner.op == owners[0].op for owner in owners):
        return None
    columns = zip(*(owner.inputs for owner in owners), strict=True)
    inputs = [column[0] if len({*column}) == 1 else _vector(column) for column in columns]
    of_vectors: Any = owners[0].op(*inputs)
    return [of_vectors.astype(node.outputs[0].type.dtype)]


def _elements(owners: Sequence[Apply]) -> Variable | None:
    """Return the vector that these elements of one vector make, taken out of it at once."""
    whole: Any = owners[0].inputs[0]
    if whole.type.ndim != 1 or not all(
        isinstance(owner.op, Subtensor) and owner.inputs[0] is whole for owner in owners
    ):
        return None
    indices = [
        get_constant_idx(owner.op.idx_list, owner.inputs, allow_partial=True)[0] for owner in owners
    ]
    if not all(isinstance(index, int | np.integer) and index >= 0 for index in indices):
        return None
    steps = {int(step) for step in np.diff(indices)}
    if len(steps) > 1 or min(steps) < 1:
        return whole[np.array(indices)]
    if indices == [*range(len(indices))] and whole.type.shape[0] == len(indices):
        return whole
    return whole[indices[0] : indices[-1] + 1 : steps.pop()]


def stack_alike(graph: FunctionGraph) -> None:
    """Rewrite every vector of alike operations in a graph, in place."""
    EquilibriumGraphRewriter([_vectorized], max_use_ratio=20).rewrite(graph)
