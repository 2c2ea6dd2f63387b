"""The errors of the structural equations: correlated where causes are shared, and with memory.

For a district, with innovations ``v`` of scale ``sigma`` and correlation matrix ``R = L L'``

    e_t = phi e_{t-1} + v_t,    v_t = sigma L eps_t,    eps independent, Normal or Student-t

The first period is stationary: ``Cov(e_v, e_w) = sigma_v sigma_w R_vw / (1 - phi_v phi_w)``.
Nodes are taken causes first, so each is a regression on the shocks ``eps`` of those before it. For
``x <-> y`` that is the control function: ``E[e_y | e_x] = rho sigma_y / sigma_x e_x``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from bayescausal._types import Array, Node, Theta
from bayescausal.model.innovations import innovations
from bayescausal.model.scm import SCM
from bayescausal.specs.transform import widen

type Mixing = dict[Node, dict[Node, Array]]


def correlations(
    scm: SCM, theta: Theta, xp: Any = np, first: bool = False
) -> dict[tuple[Node, Node], Array]:
    """Correlation of the innovations of every pair of nodes with an unobserved common cause.

    Positive definite for all parameters in (-1, 1); see `Confounder` for the formula. With
    ``first`` it is that of the errors in the first period, which is stationary.
    """
    total: dict[Node, Array] = {}
    shared: dict[tuple[Node, Node], Array] = {}
    for cause in scm.spec.confounders:
        pairs = list(combinations(cause.nodes, 2))
        if len(cause.nodes) == 2:
            u = theta[cause.name]
            mass = dict.fromkeys(cause.nodes, abs(u) / (1 - abs(u)))
            products = {pairs[0]: u / (1 - abs(u))}
        else:
            loads = {v: theta[f"{cause.name}:{v}"] for v in cause.nodes}
            weights = {v: load / xp.sqrt(1 - load**2) for v, load in loads.items()}
            mass = {v: w**2 for v, w in weights.items()}
            products = {(a, b): weights[a] * weights[b] for a, b in pairs}
        for v in cause.nodes:
            total[v] = total.get(v, 1.0) + mass[v]
        for pair in pairs:
            shared[pair] = shared.get(pair, 0.0) + products[pair]
    rho_by_pair = {(a, b): rho / xp.sqrt(total[a] * total[b]) for (a, b), rho in shared.items()}
    if not first:
        return rho_by_pair
    phi = {v: theta.get(f"{v}:phi", 0.0) for v in total}
    lasts = {v: 1 - phi[v] ** 2 for v in total}
    return {
        (a, b): r * xp.sqrt(lasts[a] * lasts[b]) / (1 - phi[a] * phi[b])
        for (a, b), r in rho_by_pair.items()
    }


def mixing(scm: SCM, theta: Theta, xp: Any = np, first: bool = False) -> Mixing:
    """Rows of the Cholesky factor ``L`` of the correlations, nodes in causal order.

    Returns
    -------
    dict of node to dict of node to array
        ``L[v][u]`` for ``u`` up to and with ``v``; nodes that share no cause are left out, and so
        are zeros.
    """
    rho = correlations(scm, theta, xp, first)
    members = {v for pair in rho for v in pair}
    rows: Mixing = {}
    for v in (v for v in scm.spec.modelled if v in members):
        row: dict[Node, Array] = {}
        for u, other_row in rows.items():
            projection = sum(row[w] * other_row[w] for w in row if w in other_row)
            pair = (min(u, v), max(u, v))
            if pair in rho or not isinstance(projection, int):
                row[u] = (rho.get(pair, 0.0) - projection) / other_row[u]
        row[v] = xp.sqrt(1 - sum(value**2 for value in row.values()))
        rows[v] = row
    return rows


def _row(scm: SCM, theta: Theta, mix: Mixing, node: Node, periods: int, xp: Any) -> Theta:
    """Row of ``L`` over time; in the first period of errors with memory it is another."""
    row = {u: widen(value, scm.depth) for u, value in mix[node].items()}
    if not any(f"{u}:phi" in theta for u in mix):
        return row
    first, begin = np.arange(periods) == 0, mixing(scm, theta, xp, first=True)[node]
    return {u: xp.where(first, widen(begin[u], scm.depth), value) for u, value in row.items()}


class Law(NamedTuple):
    """Where a node's values lie, given all that was settled before: on the scale of its link."""

    location: Array
    spread: Array
    shock: Array


def law(
    scm: SCM,
    theta: Theta,
    mix: Mixing,
    shocks: Mapping[Node, Array],
    node: Node,
    mu: Array,
    eta: Array,
    xp: Any = np,
    units: np.ndarray | None = None,
) -> Law:
    """Return location and spread of a node given its parents, its own past and shared causes.

    Parameters
    ----------
    scm, theta, xp
    mix : dict
        From `mixing`.
    shocks : mapping of node to array
        Independent shocks ``eps`` of the nodes before it in its district.
    node : str
    mu : array
        Mean given the parents, over the training periods.
    eta : array
        Observed values on the scale of the link, over the same periods.
    units : array of int, optional
        Unit of each place, where places are rows of any unit and not a panel.

    Returns
    -------
    Law
        With the node's own shock, to be handed to the nodes after it.
    """
    sigma = scm.sigma(node, theta, xp)
    if units is not None and f"{node}:sigma" in scm.unit_specific:
        sigma = sigma[..., units, 0][..., None, :]
    periods = len(scm.data.training)
    loadings = _row(scm, theta, mix, node, periods, xp) if node in mix else {}
    residual_share = loadings.pop(node, 1.0)
    stretch, phi = 1.0, theta.get(f"{node}:phi")
    location = mu
    if phi is not None:
        phi, error = widen(phi, scm.depth), eta - mu
        past = xp.concatenate([xp.zeros_like(error[..., :1]), error[..., :-1]], axis=-1)
        location = location + phi * past
        first = np.arange(periods) == 0
        stretch = xp.where(first, 1 / xp.sqrt(1 - phi**2), 1.0)
    scale = sigma * stretch
    if loadings:
        location = location + scale * sum(value * shocks[u] for u, value in loadings.items())
    spread = scale * residual_share
    shock = (eta - location) / spread if node in mix else spread
    return Law(location, spread, shock)


def fresh(
    scm: SCM,
    theta: Theta,
    shape: tuple[int, ...],
    rng: np.random.Generator,
    shocks: Mapping[Node, np.ndarray] | None = None,
) -> Theta:
    """Draw new errors of every equation, on the scale of its link.

    Parameters
    ----------
    scm, theta
    shape : tuple
        Draw dims, then the data dims.
    rng : numpy Generator
    shocks : mapping of node to array, optional
        Independent shocks of scale one that are not drawn, as `observed_shocks` returns them.

    Returns
    -------
    dict of node to array
    """
    mix, shocks = mixing(scm, theta), dict(shocks or {})
    errors: Theta = {}
    for node in scm.spec.modelled:
        if node not in shocks:
            shocks[node] = innovations(theta, node, scm.depth).draws(rng, shape)
        row = _row(scm, theta, mix, node, shape[-1], np) if node in mix else {node: 1.0}
        mixed = sum(value * shocks[u] for u, value in row.items())
        error = scm.sigma(node, theta) * mixed
        if (phi := theta.get(f"{node}:phi")) is not None:
            phi = widen(np.asarray(phi), scm.depth)[..., 0]
            error[..., 0] /= np.sqrt(1 - phi**2)
            for t in range(1, shape[-1]):
                error[..., t] += phi * error[..., t - 1]
        errors[node] = error
    return errors
