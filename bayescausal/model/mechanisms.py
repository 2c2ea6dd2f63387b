"""Edges at given parameters: curves, and the coefficients that follow from strengths."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from bayescausal._types import Array, Node, Theta
from bayescausal.graphs.edge import Edge
from bayescausal.model.structure import SCM, Mechanism
from bayescausal.specs.response import CurveSummary
from bayescausal.specs.transform import widen

type Stack = tuple[Edge, ...]
"""Edges into one node that share transforms, lag and view of the strength: one array in a model."""


def stacks(scm: SCM) -> tuple[Stack, ...]:
    """Gather the edges that differ in sources, parameters and priors only."""
    alike: dict[tuple, list[Edge]] = {}
    for edge, response in scm.spec.mechanisms.items():
        steps = tuple((type(step), step.settings) for step in response.transforms)
        # a plain edge is one product: there is nothing to gain
        identity = () if steps else (edge,)
        differs = str(edge) in scm.unit_specific
        key = (edge.target, edge.lag, steps, type(response.strength), differs, identity)
        alike.setdefault(key, []).append(edge)
    return tuple(map(tuple, alike.values()))


def stacked_curves(
    scm: SCM, stack: Stack, theta: Theta, x: Mapping[Node, Array], xp: Any = np
) -> Array:
    """Evaluate the curves of alike edges as one array, shape ``(..., edge, time)``.

    The edges take the place of draws: that is why the same formula serves. In a compiled model the
    curves of ten channels are then as many operations as those of one; parameters and priors are
    still made one by one. In a panel the shape is ``(..., edge, unit, time)``.
    """
    response = scm.spec.mechanisms[stack[0]]
    shape = {k: xp.stack([theta[f"{e}:{k}"] for e in stack], axis=-1) for k in response.priors}
    delayed = xp.stack([scm.delayed(e, x[e.source], xp) for e in stack], axis=0)
    f = response.curve(xp, delayed, shape, scm.depth)
    if str(stack[0]) not in scm.unit_specific:
        return f
    return f * xp.stack([scm.factor(str(e), theta, xp) for e in stack], axis=-3)


def edge_mechanisms(
    scm: SCM,
    theta: Theta,
    x: Mapping[Node, Array],
    xp: Any = np,
    only: Collection[Edge] | None = None,
) -> dict[Edge, Mechanism]:
    """Evaluate edges at the observed path ``x`` and derive their coefficients.

    Parameters
    ----------
    scm : SCM
    theta : dict of str to array
        Parameters by name.
    x : mapping of node to array
        The *observed* path of every node, in original units.
    xp : module
        ``numpy`` or ``pytensor.tensor``.
    only : collection of Edge, optional
        Just these edges; all by default.

    Returns
    -------
    dict of Edge to Mechanism
        ``beta``, ``center`` have draw dims and broadcastable data dims.
    """
    edges = scm.spec.mechanisms if only is None else [e for e in scm.spec.mechanisms if e in only]
    if xp is not np:
        mechanisms = unstacked(scm, stacked_mechanisms(scm, theta, x, xp))
        return {edge: mechanisms[edge] for edge in edges}
    return {edge: _mechanism(scm, edge, theta, x) for edge in edges}


def _mechanism(scm: SCM, edge: Edge, theta: Theta, x: Mapping[Node, Array]) -> Mechanism:
    """Calibrate one edge; numpy fills its arrays with draws, so that one at a time is lean."""
    data = (slice(None),) * scm.depth
    draw_dims = theta[str(edge)].ndim if edge.source in scm.spec.modelled else 0
    source = x[edge.source][(None,) * draw_dims]  # as in other worlds, to the last bit
    f = scm.curve(edge, theta, source)[..., None, *data]
    beta, center, f = _coefficients(scm, (edge,), theta[str(edge)][..., None], f, np)
    place = (..., 0, *data)
    return Mechanism(beta[place], center[place], f[place])


def stacked_mechanisms(
    scm: SCM, theta: Theta, x: Mapping[Node, Array], xp: Any
) -> dict[Stack, Mechanism]:
    """Calibrate alike edges together, for a compiled model: arrays ``(edge, time)``."""
    mechanisms = {}
    for stack in stacks(scm):
        strength = xp.stack([theta[str(e)] for e in stack], axis=-1)
        f = stacked_curves(scm, stack, theta, x, xp)
        mechanisms[stack] = _coefficients(scm, stack, strength, f, xp)
    return mechanisms


def unstacked(scm: SCM, mechanisms: Mapping[Stack, Mechanism]) -> dict[Edge, Mechanism]:
    """Take the arrays of alike edges apart."""
    data = (slice(None),) * scm.depth
    return {
        edge: Mechanism(*(part[..., k, *data] for part in together))
        for stack, together in mechanisms.items()
        for k, edge in enumerate(stack)
    }


def _coefficients(scm: SCM, stack: Stack, strength: Array, f: Array, xp: Any) -> Mechanism:
    dims = tuple(range(-scm.depth, 0))
    beta = widen(strength * unit_coefficient(scm, stack, f), scm.depth)
    return Mechanism(beta, f[..., scm.data.history :].mean(axis=dims, keepdims=True), f)


def unit_coefficient(scm: SCM, stack: Stack, f: Array) -> Array:
    """Coefficients of alike edges per unit of the quantity that carries the prior.

    ``f`` are the curves at the observed path, ``(..., edge, time)``. Every view of a strength is
    linear in the coefficient, so a prior on one is a prior on the others, exactly.
    """
    dims = tuple(range(-scm.depth, 0))
    training, strength = f[..., scm.data.history :], scm.spec.mechanisms[stack[0]].strength
    gain = np.nan
    if strength.needs_spend:
        spends = [scm.data.spend_of(e.source)[..., scm.data.history :].sum() for e in stack]
        gain = (scm.scale[stack[0].target] * training).sum(axis=dims) / np.array(spends)
    width = training.max(axis=-1) - training.min(axis=-1)
    width = width.max(axis=-1) if scm.data.is_panel else width
    shares = np.array([_share(scm, e) for e in stack])
    return strength.beta(1.0, CurveSummary(abs(training).mean(axis=dims), width, gain, shares))


def _share(scm: SCM, edge: Edge) -> float:
    """Share of an edge's source in what the media into its target bring: `CurveSummary`."""
    channels = {
        e.source for e, r in scm.spec.mechanisms.items() if e.target == edge.target and r.transforms
    }
    paid = {
        v: float(scm.data.spend_of(v)[..., scm.data.history :].sum())
        for v in sorted({edge.source, *channels} & {*scm.data.spend})
    }
    positive = {v: spend for v, spend in paid.items() if spend > 0}
    usual = float(np.mean([*positive.values()])) if positive else 1.0
    roots = {v: positive.get(v, usual) ** 0.5 for v in sorted({edge.source, *channels})}
    return roots[edge.source] / sum(roots.values())
