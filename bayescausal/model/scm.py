"""The structural causal model: `mean` is its equation, `forward` and `intervene` evaluate it.

Everything here is written once over an array namespace ``xp``: ``pytensor.tensor`` for the
sampler, numpy for thousands of draws at once. Arrays end in the data dims, ``(time,)`` or
``(unit, time)``; parameters have draw dims in front, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from bayescausal._types import Array, Node, Theta
from bayescausal.graphs.edge import Edge
from bayescausal.model.mechanisms import calibrate
from bayescausal.model.structure import SCM, Group, Mechanism, Parameter, compile_scm

__all__ = [
    "SCM",
    "Group",
    "Mechanism",
    "Parameter",
    "calibrate",
    "compile_scm",
    "forward",
    "intervene",
    "mean",
]


def mean(
    scm: SCM,
    theta: Theta,
    edges: Mapping[Edge, Mechanism],
    node: Node,
    paths: Mapping[Edge, Array | None],
    xp: Any = np,
) -> Array:
    """The structural equation of a node, on the scale of its link.

        mu_v = baseline_v + sum_{p -> v} beta_pv (f_pv(x_p) - center_pv)

    Parameters
    ----------
    scm, theta, edges, xp
        As `forward`.
    node : str
    paths : mapping of Edge to array or None
        What comes in along each edge; None stands for the factual path, whose curve is known.
    """
    mu = scm.baseline(node, theta, xp)
    for edge, path in paths.items():
        f = edges[edge].factual if path is None else scm.curve(edge, theta, path, xp)
        mu = mu + edges[edge].response(f)
    return mu


def forward(
    scm: SCM,
    theta: Theta,
    x: Mapping[Node, Array],
    edges: Mapping[Edge, Mechanism],
    settle: Callable[[Node, Array], Array],
    xp: Any = np,
    *,
    do: Mapping[Node | Edge, Array] | None = None,
    guess: Mapping[Node, Array] | None = None,
    nodes: Sequence[Node] | None = None,
) -> dict[Node, Array]:
    """Evaluate the structural equations once, causes first, with errors of the caller's making.

        g_v(x_v) = mean_v + e_v

    ``settle(v, mean_v)`` returns the value of ``v``: the likelihood returns an observed random
    variable, the simulator adds fresh errors. `intervene` keeps the errors of the data instead.

    It is pure: nothing is drawn, cached or changed here. An edge may read a node before it is
    evaluated: then its path in ``guess``, or in ``x``, is used. `evolve` chooses the order of each
    world, and repeats cycles until guess and result agree.

    Parameters
    ----------
    scm : SCM
    theta : dict of str to array
        Parameters by name, with leading draw dims or none.
    x : mapping of node to array
        Factual paths in original units, dims ``(time,)`` or ``(unit, time)``; those of the input
        nodes are enough.
    edges : mapping of Edge to Mechanism
        From `bayescausal.model.mechanisms.calibrate`.
    settle : callable
        ``(node, mean) -> value``, called for modelled nodes in causal order.
    xp : module
        ``numpy`` or ``pytensor.tensor``.
    do : mapping of node or Edge to array
        Whole paths that replace a node's value, or that are fed along one edge only.
    guess : mapping of node to array, optional
        Paths that are read until their nodes are evaluated.
    nodes : sequence of str, optional
        The only nodes to evaluate, in this order; all in the order of `Spec.modelled` by default.

    Returns
    -------
    dict of node to array
        The path of every node in this world, in original units.

    Notes
    -----
    Source: Pearl (2009), Causality, theorem 7.1.7; MODEL.md sections 3 and 5.
    """
    do = do or {}
    world = _start(x, do, guess)
    for node in scm.spec.modelled if nodes is None else nodes:
        if node in do:
            continue
        incoming = scm.spec.structure.incoming(node)
        # an input that nothing sets is at its factual path, whose curve is known
        factual = {e for e in incoming if e.source in scm.spec.inputs and not {e, e.source} & {*do}}
        paths = {e: None if e in factual else do.get(e, world[e.source]) for e in incoming}
        world[node] = settle(node, mean(scm, theta, edges, node, paths, xp))
    return world


def intervene(
    scm: SCM,
    theta: Theta,
    x: Mapping[Node, Array],
    edges: Mapping[Edge, Mechanism],
    xp: Any = np,
    *,
    do: Mapping[Node | Edge, Array],
    changed: Collection[Node] = (),
    guess: Mapping[Node, Array] | None = None,
    nodes: Sequence[Node] | None = None,
) -> tuple[dict[Node, Array], frozenset[Node]]:
    """Evaluate a counterfactual world once: each node keeps the error that it had in the data.

        g_v(x'_v) = g_v(x_v) + mean_v(x') - mean_v(x)

    Abduction, action, prediction. Only edges whose source has changed are evaluated, so a node
    that the intervention does not reach keeps its observed value exactly. Treatments that are held
    do not react (`Spec.reduced`).

    Parameters
    ----------
    scm, theta, x, edges, xp, do, guess, nodes
        As `forward`; ``x`` has the factual path of every node.
    changed : collection of str
        Nodes whose path in ``guess`` is no longer the factual one.

    Returns
    -------
    world : dict of node to array
    changed : frozenset of str
        The nodes that are not at their factual path in it.
    """
    world = _start(x, do, guess)
    reached = {*changed, *(v for v in do if not isinstance(v, Edge))}
    for node in scm.spec.modelled if nodes is None else nodes:
        if node in do:
            continue
        steps = [
            edges[e].beta * (scm.curve(e, theta, do.get(e, world[e.source]), xp) - edges[e].factual)
            for e in scm.spec.reduced.incoming(node)
            if e in do or e.source in reached
        ]
        world[node] = scm.move(node, x[node], sum(steps), xp) if steps else x[node]
        reached = reached | {node} if steps else reached - {node}
    return world, frozenset(reached)


def _start(
    x: Mapping[Node, Array],
    do: Mapping[Node | Edge, Array],
    guess: Mapping[Node, Array] | None,
) -> dict[Node, Array]:
    """Paths before any equation is evaluated: set by the intervention, guessed, or factual."""
    levels = {v: path for v, path in do.items() if not isinstance(v, Edge)}
    return {**x, **(guess or {}), **levels}
