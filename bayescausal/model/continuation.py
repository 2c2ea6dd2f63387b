"""The equations after the data: the same coefficients and scales, in periods to come.

What was learned stays as it was: scales, centers and coefficients are those of the data, and so is
the time of the baseline. Only paths and designs are longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bayescausal._types import Array, Node
from bayescausal.data.dataset import Dataset
from bayescausal.model.errors import mixing
from bayescausal.model.feedback import evolve
from bayescausal.model.innovations import innovations
from bayescausal.model.scm import SCM, Equations, Mechanism
from bayescausal.specs.transform import widen


def continued_scm(scm: SCM, data: Dataset) -> SCM:
    """Return the SCM over longer data, which begin with its own.

    Nothing that was calibrated on the data is computed anew: not the scales, not the centers of
    the baseline, not what a lagged node was before the data.
    """
    terms = {v: {t.key: t for t in scm.spec.terms(v)} for v in scm.design}
    design = {
        v: {key: terms[v][key].design(data.time, scm.data.training).T for key in columns}
        for v, columns in scm.design.items()
    }
    coords = {**scm.coords, "time": data.time}
    return replace(scm, data=data, design=design, coords=coords)


def continued_equations(equations: Equations, scm: SCM, x: Mapping[Node, Array]) -> Equations:
    """Return equations that were calibrated on the data, over longer paths.

    Parameters
    ----------
    equations : Equations
        Of the data.
    scm : SCM
        From `continued_scm`.
    x : mapping of node to array
        Paths over the data and the time after them; draw dims in front, or none.
    """
    edges = {
        e: Mechanism(m.beta, m.center, scm.curve(e, equations.theta, x[e.source]))
        for e, m in equations.edges.items()
    }
    return replace(equations, scm=scm, x=x, edges=edges)


def continuation(
    equations: Equations,
    scm: SCM,
    planned: Mapping[Node, Array],
    rng: np.random.Generator,
) -> dict[Node, Array]:
    """Simulate the modelled nodes after the data: fresh innovations, memory of the last errors.

        e_t = phi e_{t-1} + sigma L eps_t,    e_{T-1} the error of the last period of the data

    Parameters
    ----------
    equations : Equations
        Of the data, with all of their edges.
    scm : SCM
        From `continued_scm`.
    planned : mapping of node to array
        Whole paths of the inputs, and of modelled nodes that a plan sets after the data: no error
        and no equation has a part in these.
    rng : numpy Generator

    Returns
    -------
    dict of node to array
        Over the data and the time after them, original units, draw dims in front. In the data
        every node is as it was observed.
    """
    observed, theta = equations.x, equations.theta
    start, periods = len(equations.scm.data.time), len(scm.data.time)
    guess = {v: scm.data.array(v) for v in scm.spec.modelled}
    longer = continued_equations(equations, scm, {**guess, **planned})
    draws = np.shape(theta[f"{scm.spec.modelled[0]}:sigma"])
    units = (len(scm.data.units),) if scm.data.is_panel else ()
    size = (*draws, *units, periods - start)
    mix, shocks = mixing(scm, theta), {}
    for v in scm.spec.modelled:
        shocks[v] = innovations(theta, v, scm.depth).draws(rng, size)

    def settle(node: Node, mu: Array) -> Array:
        past = np.broadcast_to(observed[node], (*size[:-1], start))
        if node in planned:
            future_path = np.broadcast_to(planned[node][..., start:], size)
            return np.concatenate([past, future_path], axis=-1)
        row = mix.get(node, {node: np.ones(())})
        mixed = sum(widen(weight, scm.depth) * shocks[u] for u, weight in row.items())
        error = scm.sigma(node, theta) * mixed
        if (phi := theta.get(f"{node}:phi")) is not None:
            phi = widen(np.asarray(phi), scm.depth)[..., 0]
            residual = scm.link(node, past[..., -1:]) - mu[..., start - 1 : start]
            lagged_error = np.broadcast_to(residual, (*size[:-1], 1))[..., 0]
            for t in range(error.shape[-1]):
                lagged_error = error[..., t] = phi * lagged_error + error[..., t]
        future_path = scm.inverse(node, mu[..., start:] + error)
        return np.concatenate([past, np.broadcast_to(future_path, size)], axis=-1)

    world = evolve(longer, settle=settle)
    return {v: world[v] for v in scm.spec.modelled}
