"""Fresh errors through `forward`: predictions given what was observed, and simulated worlds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayescausal._types import Array, Node, Theta
from bayescausal.model.scm import SCM, Mechanism, forward
from bayescausal.specs.edge import Edge
from bayescausal.specs.noise import StudentTNoise
from bayescausal.specs.transform import widen


def errors(scm: SCM, node: Node, theta: Theta, shape: tuple, rng: np.random.Generator) -> Array:
    """Draw the errors of a node's equation, on the link scale."""
    sigma = widen(np.asarray(theta[f"{node}:sigma"]), scm.depth)
    if isinstance(scm.spec.noise_of(node), StudentTNoise):
        nu = widen(np.asarray(theta[f"{node}:nu"]), scm.depth)
        return sigma * rng.standard_t(np.broadcast_to(nu, shape))
    return sigma * rng.standard_normal(shape)


def predict(
    scm: SCM,
    theta: Theta,
    edges: Mapping[Edge, Mechanism],
    rng: np.random.Generator,
    *,
    x: Mapping[Node, Array] | None = None,
    do: Mapping[Node | Edge, Array] | None = None,
    acts: Array = True,
    generate: bool = False,
) -> dict[Node, Array]:
    """Replicate every modelled node with fresh errors.

    With ``generate=False`` each node is predicted from its *observed* parents, as the likelihood
    sees it. With ``generate=True`` replicated causes feed their effects: a simulated world, where
    a modelled node in ``do`` is set where the mask ``acts`` says and generated elsewhere.

    Returns
    -------
    dict of node to array
        Replicates in original units, draw dims in front.
    """
    x = scm.factual if x is None else x
    do = do or {}
    out: dict[Node, Array] = {}

    def settle(node: Node, mu: Array) -> Array:
        drawn = scm.inverse(node, mu + errors(scm, node, theta, mu.shape, rng))
        out[node] = np.where(acts, do[node], drawn) if node in do else drawn
        return out[node] if generate else x[node]

    given = {v: x[v] for v in scm.spec.inputs} if generate else x
    outside = {key: path for key, path in do.items() if key not in scm.spec.modelled}
    forward(scm, theta, given, edges, do=outside, settle=settle)
    return out


def means(scm: SCM, theta: Theta, edges: Mapping[Edge, Mechanism]) -> dict[Node, Array]:
    """Mean of every modelled node given its observed parents, on the link scale."""
    out: dict[Node, Array] = {}
    x = scm.factual

    def settle(node: Node, mu: Array) -> Array:
        out[node] = mu
        return x[node]

    forward(scm, theta, x, edges, settle=settle)
    return out
