"""Fresh errors through `forward`: predictions given what was observed, and simulated worlds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bayescausal._types import Array, Node
from bayescausal.graphs.edge import Edge
from bayescausal.model.errors import Law, fresh, law, mixing
from bayescausal.model.feedback import evolve
from bayescausal.model.innovations import innovations
from bayescausal.model.scm import Equations


def replicate(equations: Equations, rng: np.random.Generator) -> dict[Node, Array]:
    """Replicate every modelled node as the likelihood sees it.

    Each is drawn given its *observed* parents, the observed errors of nodes that share a cause
    with it and come before it, and, with AR(1) errors, its own observed past: one step ahead.

    Returns
    -------
    dict of node to array
        In original units, draw dims in front, training periods only.
    """
    scm, theta = equations.scm, equations.theta

    def draw(node: Node, conditional: Law, eta: Array) -> Array:
        draws = np.shape(theta[f"{node}:sigma"])
        noise = innovations(theta, node, scm.depth).draws(rng, (*draws, *eta.shape))
        return scm.inverse(node, conditional.location + conditional.spread * noise)

    return _given_observed(equations, draw)


def pointwise(equations: Equations) -> dict[Node, Array]:
    """Log density of every observed value, as the likelihood has it: see `replicate`.

    Returns
    -------
    dict of node to array
        Per original unit of the node; draw dims in front, training periods only.
    """
    scm, theta = equations.scm, equations.theta

    def density(node: Node, conditional: Law, eta: Array) -> Array:
        z = (eta - conditional.location) / conditional.spread
        unit = innovations(theta, node, scm.depth).log_density(z)
        logs = scm.spec.link(node) == "log"
        size = eta + np.log(scm.scale[node]) if logs else np.log(scm.scale[node])
        return unit - np.log(conditional.spread) - size

    return _given_observed(equations, density)


def _given_observed(
    equations: Equations,
    statistic: Callable[[Node, Law, Array], Array],
) -> dict[Node, Array]:
    """Read something off the law of each modelled node, causes first, and its observed values.

    Both are on the scale of the link, training periods only.
    """
    scm, theta, x = equations.scm, equations.theta, equations.x
    start = scm.data.history
    mix = mixing(scm, theta)
    shocks: dict[Node, Array] = {}
    values: dict[Node, Array] = {}

    def settle(node: Node, mu: Array) -> Array:
        eta = scm.link(node, x[node][..., start:])
        conditional = law(scm, theta, mix, shocks, node, mu[..., start:], eta)
        shocks[node], values[node] = conditional.shock, statistic(node, conditional, eta)
        return x[node]

    equations.forward(settle)
    return values


def generate(
    equations: Equations,
    rng: np.random.Generator,
    *,
    do: Mapping[Node | Edge, Array] | None = None,
    acts: Array = True,
) -> dict[Node, Array]:
    """Simulate a world: fresh errors, and generated causes feed their effects.

    A modelled node in ``do`` is set where the mask ``acts`` says and generated elsewhere; budgets
    that follow past effects follow the generated ones.

    Returns
    -------
    dict of node to array
        Paths of the modelled nodes in original units, draw dims in front.
    """
    scm, theta, x, do = equations.scm, equations.theta, equations.x, do or {}
    size = next(iter(x.values())).shape
    draws = np.shape(theta[f"{scm.spec.modelled[0]}:sigma"])
    noise = fresh(scm, theta, (*draws, *size), rng)

    def settle(node: Node, mu: Array) -> Array:
        value = scm.inverse(node, mu + noise[node])
        return np.where(acts, do[node], value) if node in do else value

    interventions = {key: path for key, path in do.items() if key not in scm.spec.modelled}
    world = evolve(equations, do=interventions, settle=settle)
    return {v: world[v] for v in scm.spec.modelled}
