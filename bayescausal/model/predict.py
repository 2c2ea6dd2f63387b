"""Fresh errors through `forward`: predictions given what was observed, and simulated worlds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

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


def pointwise(equations: Equations, means: Mapping[Node, Array] | None = None) -> dict[Node, Array]:
    """Log density of every observed value, as the likelihood has it: see `replicate`.

    Parameters
    ----------
    equations : Equations
    means : mapping of node to array, optional
        From `observed_means`, for who asks many that share them; of whole districts.

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

    return _given_observed(equations, density, means)


def observed_shocks(equations: Equations) -> dict[Node, Array]:
    """Independent shocks of scale one behind every observed value: what `fresh` makes errors of.

        eps = (g(x) - location) / spread

    Returns
    -------
    dict of node to array
        Draw dims in front, training periods only.
    """

    def shock(node: Node, conditional: Law, eta: Array) -> Array:
        return (eta - conditional.location) / conditional.spread

    return _given_observed(equations, shock)


def observed_means(
    equations: Equations, nodes: Collection[Node] | None = None
) -> dict[Node, Array]:
    """Mean of modelled nodes given their observed parents, on the scale of the link.

    Training periods only. Every path is the factual one, whose curves are known.
    """
    spec, start = equations.scm.spec, equations.scm.data.history
    return {
        v: equations.mean(v, dict.fromkeys(spec.structure.incoming(v)))[..., start:]
        for v in spec.modelled
        if nodes is None or v in nodes
    }


def _given_observed(
    equations: Equations,
    statistic: Callable[[Node, Law, Array], Array],
    means: Mapping[Node, Array] | None = None,
) -> dict[Node, Array]:
    """Read something off the law of each modelled node, causes first, and its observed values.

    Both are on the scale of the link, training periods only.
    """
    scm, theta, x = equations.scm, equations.theta, equations.x
    start = scm.data.history
    mix = mixing(scm, theta)
    shocks: dict[Node, Array] = {}
    values: dict[Node, Array] = {}
    for node, mu in (observed_means(equations) if means is None else means).items():
        eta = scm.link(node, x[node][..., start:])
        conditional = law(scm, theta, mix, shocks, node, mu, eta)
        shocks[node], values[node] = conditional.shock, statistic(node, conditional, eta)
    return values


def generate(
    equations: Equations,
    rng: np.random.Generator,
    *,
    do: Mapping[Node | Edge, Array] | None = None,
    acts: Array = True,
    shocks: Mapping[Node, Array] | None = None,
) -> dict[Node, Array]:
    """Simulate a world: fresh errors, and generated causes feed their effects.

    A modelled node in ``do`` is set where the mask ``acts`` says and generated elsewhere; budgets
    that follow past effects follow the generated ones. ``shocks`` stand in the place of new ones,
    over all periods of the data.

    Returns
    -------
    dict of node to array
        Paths of the modelled nodes in original units, draw dims in front.
    """
    scm, theta, x, do = equations.scm, equations.theta, equations.x, do or {}
    size = next(iter(x.values())).shape
    draws = np.shape(theta[f"{scm.spec.modelled[0]}:sigma"])
    noise = fresh(scm, theta, (*draws, *size), rng, shocks)

    def settle(node: Node, mu: Array) -> Array:
        value = scm.inverse(node, mu + noise[node])
        return np.where(acts, do[node], value) if node in do else value

    interventions = {key: path for key, path in do.items() if key not in scm.spec.modelled}
    world = evolve(equations, do=interventions, settle=settle)
    return {v: world[v] for v in scm.spec.modelled}
