"""The structural causal model: `mean` is its equation, `forward` and `intervene` evaluate it.

Everything here is written once over an array namespace ``xp``: ``pytensor.tensor`` for the
sampler, numpy for thousands of draws at once, ``jax.numpy`` for derivatives. Arrays end in the data
dims, ``(time,)`` or ``(unit, time)``; parameters have draw dims in front, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bayescausal._types import Array, Node, Theta
from bayescausal.graphs.edge import Edge
from bayescausal.model.mechanisms import Stack, edge_mechanisms, stacked_mechanisms, unstacked
from bayescausal.model.structure import SCM, Group, Mechanism, Parameter, compile_scm

__all__ = [
    "SCM",
    "Equations",
    "Group",
    "Mechanism",
    "Parameter",
    "bind",
    "compile_scm",
    "edge_mechanisms",
]


def bind(
    scm: SCM,
    theta: Theta,
    x: Mapping[Node, Array] | None = None,
    xp: Any = np,
    only: Collection[Edge] | None = None,
) -> Equations:
    """Bind parameters to their equations, and calibrate the edges on the factual paths.

    Parameters
    ----------
    scm : SCM
    theta : dict of str to array
    x : mapping of node to array, optional
        Factual paths; those of the data by default.
    xp : module
    only : collection of Edge, optional
        The only edges that will be evaluated; all by default.
    """
    x = scm.factual if x is None else x
    if xp is np:
        return Equations(scm, theta, x, edge_mechanisms(scm, theta, x, xp, only), xp)
    mechanisms = stacked_mechanisms(scm, theta, x, xp)
    sums = {
        stack: together.response(together.factual).sum(axis=-1 - scm.depth)
        for stack, together in mechanisms.items()
        if len(stack) > 1
    }
    return Equations(scm, theta, x, unstacked(scm, mechanisms), xp, sums)


@dataclass(frozen=True, eq=False)
class Equations:
    """The structural equations with values, or random variables, in place of their parameters.

    Pure: nothing is drawn, cached or changed here.

    Parameters
    ----------
    scm : SCM
    theta : dict of str to array
        Parameters by name, with leading draw dims or none.
    x : mapping of node to array
        Factual paths in original units, dims ``(time,)`` or ``(unit, time)``.
    edges : mapping of Edge to Mechanism
        From `bayescausal.model.mechanisms.edge_mechanisms`.
    xp : module
        ``numpy``, ``pytensor.tensor`` or ``jax.numpy``.
    sums : mapping of tuple of Edge to array
        In a compiled model: what alike edges add to the mean of their target, all of them at their
        factual paths. One sum over a stack is a smaller program than a chain of additions.
    """

    scm: SCM
    theta: Theta
    x: Mapping[Node, Array]
    edges: Mapping[Edge, Mechanism]
    xp: Any = np
    sums: Mapping[Stack, Array] = field(default_factory=dict)

    @property
    def draws(self) -> int:
        """How many draws of the parameters there are; for numpy, with one draw dim."""
        return len(next(iter(self.theta.values())))

    def thinned(self, indices: np.ndarray) -> Equations:
        """Return the equations at some draws; for numpy, with one draw dim."""

        def some(values: Array, depth: int) -> Array:
            varies = np.ndim(values) > depth and len(values) > 1
            return values[indices] if varies else values

        depth = self.scm.depth
        theta = {name: values[indices] for name, values in self.theta.items()}
        x = {v: some(path, depth) for v, path in self.x.items()}
        edges = {e: Mechanism(*(some(part, depth) for part in m)) for e, m in self.edges.items()}
        return Equations(self.scm, theta, x, edges, self.xp)

    def along(self, x: Mapping[Node, Array]) -> Equations:
        """Return the equations with other factual paths; coefficients are those of the data."""
        constant = np.asarray if self.xp is np else self.xp.as_tensor
        paths = {v: constant(path) for v, path in x.items()}
        edges = {
            e: Mechanism(m.beta, m.center, self.curve(e, paths[e.source]))
            for e, m in self.edges.items()
        }
        return replace(self, x=paths, edges=edges)

    def curve(self, edge: Edge, path: Array) -> Array:
        """``f(path)`` of an edge: its transforms, without the coefficient."""
        return self.scm.curve(edge, self.theta, path, self.xp)

    def mean(self, node: Node, paths: Mapping[Edge, Array | None]) -> Array:
        """The structural equation of a node, on the scale of its link.

            mu_v = baseline_v + sum_{p -> v} beta_pv (f_pv(x_p) - center_pv)

        Parameters
        ----------
        node : str
        paths : mapping of Edge to array or None
            What comes in along each edge; None stands for the factual path, whose curve is known.
        """
        mu = self.scm.baseline(node, self.theta, self.xp)
        factual = {edge for edge, path in paths.items() if path is None}
        whole = [stack for stack in self.sums if factual.issuperset(stack)]
        for stack in whole:
            mu = mu + self.sums[stack]
        for edge, path in paths.items():
            if any(edge in stack for stack in whole):
                continue
            mechanism = self.edges[edge]
            f = mechanism.factual if path is None else self.curve(edge, path)
            mu = mu + mechanism.response(f)
        return mu

    def forward(
        self,
        settle: Callable[[Node, Array], Array],
        *,
        do: Mapping[Node | Edge, Array] | None = None,
        guess: Mapping[Node, Array] | None = None,
        nodes: Sequence[Node] | None = None,
    ) -> dict[Node, Array]:
        """Evaluate the structural equations once, causes first, with errors of the caller's making.

            g_v(x_v) = mean_v + e_v

        ``settle(v, mean_v)`` returns the value of ``v``: the likelihood returns an observed random
        variable, the simulator adds fresh errors. `intervene` keeps the errors of the data instead.

        An edge may read a node before it is evaluated: then its path in ``guess``, or in ``x``, is
        used. `evolve` chooses the order of each world, and repeats cycles until guess and result
        agree.

        Parameters
        ----------
        settle : callable
            ``(node, mean) -> value``, called for modelled nodes in causal order.
        do : mapping of node or Edge to array
            Whole paths that replace a node's value, or that are fed along one edge only.
        guess : mapping of node to array, optional
            Paths that are read until their nodes are evaluated.
        nodes : sequence of str, optional
            The only nodes to evaluate, in this order; by default all, as in `Spec.modelled`.

        Returns
        -------
        dict of node to array
            The path of every node in this world, in original units.

        Notes
        -----
        Source: Pearl (2009), Causality, theorem 7.1.7; MODEL.md sections 3 and 5.
        """
        spec, do = self.scm.spec, do or {}
        world = self._start(do, guess)
        for node in spec.modelled if nodes is None else nodes:
            if node in do:
                continue
            incoming = spec.structure.incoming(node)
            # an input that nothing sets is at its factual path, whose curve is known
            factual = {e for e in incoming if e.source in spec.inputs and not {e, e.source} & {*do}}
            paths = {e: None if e in factual else do.get(e, world[e.source]) for e in incoming}
            world[node] = settle(node, self.mean(node, paths))
        return world

    def intervene(
        self,
        *,
        do: Mapping[Node | Edge, Array],
        changed: Collection[Node] = (),
        guess: Mapping[Node, Array] | None = None,
        nodes: Sequence[Node] | None = None,
    ) -> tuple[dict[Node, Array], frozenset[Node]]:
        """Evaluate a counterfactual world once: each node keeps the error that it had in the data.

            g_v(x'_v) = g_v(x_v) + mean_v(x') - mean_v(x)

        Abduction, action, prediction. Only edges whose source has changed are evaluated, so a node
        that the intervention does not reach keeps its observed value exactly. Treatments that are
        held do not react (`Spec.reduced`).

        Parameters
        ----------
        do, guess, nodes
            As `forward`.
        changed : collection of str
            Nodes whose path in ``guess`` is no longer the factual one.

        Returns
        -------
        world : dict of node to array
        changed : frozenset of str
            The nodes that are not at their factual path in it.
        """
        spec, edges = self.scm.spec, self.edges
        world = self._start(do, guess)
        reached = {*changed, *(v for v in do if not isinstance(v, Edge))}
        for node in spec.modelled if nodes is None else nodes:
            if node in do:
                continue
            steps = [
                edges[e].beta * (self.curve(e, do.get(e, world[e.source])) - edges[e].factual)
                for e in spec.reduced.incoming(node)
                if e in do or e.source in reached
            ]
            path = self.x[node]
            world[node] = self.scm.move(node, path, sum(steps), self.xp) if steps else path
            reached = reached | {node} if steps else reached - {node}
        return world, frozenset(reached)

    def _start(
        self, do: Mapping[Node | Edge, Array], guess: Mapping[Node, Array] | None
    ) -> dict[Node, Array]:
        """Paths before any equation is evaluated: set by the intervention, guessed, or factual."""
        levels = {v: path for v, path in do.items() if not isinstance(v, Edge)}
        return {**self.x, **(guess or {}), **levels}
