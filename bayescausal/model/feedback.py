"""Worlds, causes first: `evolve` repeats equations where a node feeds back on itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytensor
import pytensor.tensor as pt

from bayescausal._types import Array, Node
from bayescausal.graphs.edge import Edge
from bayescausal.model.scm import Equations, Mechanism


def evolve(
    equations: Equations,
    *,
    do: Mapping[Node | Edge, Array] | None = None,
    settle: Callable[[Node, Array], Array] | None = None,
    guess: Mapping[Node, Array] | None = None,
    periods: int | None = None,
) -> dict[Node, Array]:
    """Evaluate a world: causes before effects, feedback cycles until they agree with themselves.

    Nodes are evaluated in the groups of `SCM.groups`. One pass is exact for a group
    without a cycle. In a cycle each pass settles at least ``lag`` more periods, since what is
    read too early is read that much later; ``periods / lag`` passes, rounded up, are exact, and
    numbers stop as soon as a pass changes nothing.

    Parameters
    ----------
    equations : Equations
    do, settle, guess
        As `Equations.forward`; ``settle`` must give the same errors in each pass, and with it
        ``guess`` holds a path of every node on a cycle.
    periods : int, optional
        Periods from the first intervention to the last that is counted; all by default.

    Returns
    -------
    dict of node to array
        As `Equations.forward`.

    Notes
    -----
    Source: MODEL.md section 5.4, with the proof.
    """
    scm, do = equations.scm, do or {}
    if not do and settle is None and guess is None:
        return dict(equations.x)  # nothing is set, so all is as it was
    span = periods or len(scm.data.time)
    world = {**equations.x, **(guess or {})} | {
        v: p for v, p in do.items() if not isinstance(v, Edge)
    }
    changed: frozenset[Node] = frozenset()
    for nodes, lag in scm.groups(do, everything=settle is not None):

        def one_pass(
            world: Mapping[Node, Array], changed: frozenset[Node], nodes: tuple[Node, ...] = nodes
        ) -> tuple[dict[Node, Array], frozenset[Node]]:
            if settle is None:
                return equations.intervene(do=do, changed=changed, guess=world, nodes=nodes)
            return equations.forward(settle, do=do, guess=world, nodes=nodes), changed

        world, changed = one_pass(world, changed)
        if not lag or (settle is None and not changed & {*nodes}):
            continue  # there is no cycle, or none was moved
        passes = -(-span // lag) - 1
        if equations.xp is pt:
            world |= _repeated(equations, do, world, nodes, passes)
            changed |= {*nodes}
            continue
        for _ in range(passes):
            previous, (world, changed) = world, one_pass(world, changed)
            # while a function is traced its arrays have no values to compare
            if equations.xp is np and all(np.array_equal(world[v], previous[v]) for v in nodes):
                break
    return world


def _repeated(
    equations: Equations,
    do: Mapping[Node | Edge, Array],
    world: Mapping[Node, Array],
    nodes: tuple[Node, ...],
    passes: int,
) -> dict[Node, Array]:
    """Repeat `intervene` as a symbolic loop: one pass is compiled, however many are run.

    Everything that a pass reads is handed in: what it would only close over, PyMC could not
    replace by values.
    """
    if not passes:
        return {}
    theta, x, edges = equations.theta, equations.x, equations.edges
    incoming = [e for v in nodes for e in equations.scm.spec.reduced.incoming(v)]
    sources = {e.source for e in incoming}
    observed = {v: path for v, path in x.items() if v in sources.union(nodes)}
    fixed = {v: world[v] for v in observed if v not in nodes}
    fed = {e: do[e] for e in incoming if e in do}
    constants = [part for e in incoming for part in edges[e]]
    every = [*theta.values(), *observed.values(), *fixed.values(), *fed.values(), *constants]
    values_outside = [equations.xp.as_tensor(value) for value in every]
    distinct = list(dict.fromkeys(values_outside))

    def step(*args: Array) -> list[Array]:
        paths = dict(zip(nodes, args[: len(nodes)], strict=True))
        inner_values = dict(zip(distinct, args[len(nodes) :], strict=True))
        inputs = (inner_values[value] for value in values_outside)
        values = {name: next(inputs) for name in theta}
        factual = {v: next(inputs) for v in observed}
        fixed_paths = {v: next(inputs) for v in fixed}
        fed_paths: dict[Node | Edge, Array] = {e: next(inputs) for e in fed}
        ways = {e: Mechanism(next(inputs), next(inputs), next(inputs)) for e in incoming}
        guess = fixed_paths | paths
        # a node that is still at its factual path adds nothing: all may count as changed
        changed = {*fixed_paths, *nodes}
        bound = replace(equations, theta=values, x=factual, edges=ways)
        result, _ = bound.intervene(do=fed_paths, changed=changed, guess=guess, nodes=nodes)
        return [result[v] for v in nodes]

    paths = pytensor.scan(
        step,
        outputs_info=[world[v] for v in nodes],
        non_sequences=distinct,
        n_steps=passes,
        strict=True,
        return_updates=False,
    )
    several = paths if isinstance(paths, list) else [paths]
    return {v: path[-1] for v, path in zip(nodes, several, strict=True)}
