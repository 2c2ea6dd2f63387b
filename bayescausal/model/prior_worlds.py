"""Data that a model would make at given parameters, with the constants that it was written with."""

from __future__ import annotations

import numpy as np

from bayescausal._types import Array, Node, Theta
from bayescausal.model.errors import fresh
from bayescausal.model.mechanisms import edge_mechanisms
from bayescausal.model.scm import SCM, Equations, bind


def simulated(scm: SCM, theta: Theta, rng: np.random.Generator) -> Equations:
    """Simulate every modelled node from the density that `build` writes, causes first.

        x_v ~ p(x_v | x_parents, theta),    theta ~ prior

    What a likelihood takes from the data as they come, it takes here from the simulated ones: the
    curve of a mediator is centered on, and its coefficient follows from, its simulated path.
    Constants of the SCM (scales, designs, shares of spend, levels before the data) stay as they
    are, and so do periods of the history. `predict.generate` differs: its coefficients are those
    of the observed path.

    Under feedback passes are repeated until they agree. The center of a curve then depends on later
    periods, so that the likelihood is a density only to first order in 1 / periods.

    Parameters
    ----------
    scm : SCM
    theta : dict of str to array
        One draw: a leading dim of length one.
    rng : numpy Generator

    Returns
    -------
    Equations
        At these parameters, with the simulated paths as the factual ones. Paths that explode are
        not finite.
    """
    data, start = scm.data, scm.data.history
    units = (len(data.units),) if data.is_panel else ()
    noise = fresh(scm, theta, (1, *units, len(data.training)), rng)
    x = dict(scm.factual)

    def settle(node: Node) -> Array:
        incoming = scm.spec.structure.incoming(node)
        edges = edge_mechanisms(scm, theta, x, only=incoming)
        mu = Equations(scm, theta, x, edges).mean(node, dict.fromkeys(incoming))
        path = scm.inverse(node, mu[..., start:] + noise[node])[0]
        return np.concatenate([scm.factual[node][..., :start], path], axis=-1)

    with np.errstate(over="ignore", invalid="ignore"):
        for nodes, lag in scm.groups(everything=True):
            passes = -(-len(data.time) // lag) if lag else 1
            for _ in range(2 * passes):
                previous = [x[v] for v in nodes]
                for node in nodes:
                    x[node] = settle(node)
                same = (np.allclose(a, x[v], 1e-10) for v, a in zip(nodes, previous, strict=True))
                if not lag or all(same):
                    break
        return bind(scm, theta, x)
