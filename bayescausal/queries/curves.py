"""Draw curves of single edges: the steady response to exposure, and the carry-over by lag."""

from __future__ import annotations

import numpy as np

from bayescausal import checks
from bayescausal._types import Array, Draws
from bayescausal.errors import SpecError
from bayescausal.graphs.edge import Edge
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.model.scm import Equations
from bayescausal.queries.questions import edge_of
from bayescausal.queries.worlds import label


@verb
def response_curve(fit: Fit, edge: str | Edge, *, points: int = 50, upto: float = 1.2) -> Draws:
    """Return draws of the steady response along one edge to constant exposure.

    Parameters
    ----------
    fit : Fit
    edge : str
        ``"tv->sales"``.
    points : int
        Number of exposures, from zero.
    upto : float
        The largest one, as a multiple of the largest observed. Beyond 1 it is extrapolation.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, exposure)``; per period, in units of the target (identity link) or in
        log units. In a panel: the mean over units, each at the same share of its own maximum.
    """
    edge = edge_of(fit, edge)
    scm, response = fit.scm, fit.spec.mechanisms[edge]
    chains, draws = fit.shape
    points = checks.count("response_curve: points", points, 1)
    checks.affordable("points", points, 8 * (4 * chains * draws + response.reach))
    if checks.number("upto", upto) <= 0:
        raise SpecError(f"upto is a multiple of the largest exposure, above 0; got {upto:g}.")
    share = np.linspace(0, upto, points)
    size = scm.scale[edge.target] ** (fit.spec.link(edge.target) == "identity")

    def curve(equations: Equations) -> Array:
        theta = equations.theta
        parameters = {name: theta[f"{edge}:{name}"] for name in response.priors}
        beta = equations.edges[edge].beta.reshape(-1, 1)
        steady = np.repeat(share[:, None], response.reach + 1, axis=1)
        ends = [response.curve(np, level, parameters)[..., -1] for level in steady]
        f = np.broadcast_to(np.stack(ends, axis=-1), (len(beta), points))
        factors = scm.factor(str(edge), theta) if str(edge) in scm.unit_specific else 1.0
        return np.mean(size * factors, axis=(-2, -1)[-scm.depth :])[..., None] * beta * f

    values = fit.evaluate(curve, only=[edge])
    exposure = share * float(scm.scale[edge.source].mean())
    return label(fit, values, ("exposure",), {"exposure": exposure}, str(edge))


@verb
def adstock_curve(fit: Fit, edge: str | Edge) -> Draws:
    """Return draws of the share of an edge's effect at each lag.

    It is the response of the edge's adstock alone to one period of exposure, summing to one.

    Parameters
    ----------
    fit : Fit
    edge : str
        ``"tv->sales"``.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, lag)``.
    """
    edge = edge_of(fit, edge)
    response = fit.spec.mechanisms[edge]
    steps = [t for t in response.transforms if t.reach]
    pulse = np.zeros(response.reach + 1)
    pulse[0] = 1.0

    def weights(equations: Equations) -> Array:
        parameters = {name: equations.theta[f"{edge}:{name}"] for name in response.priors}
        path = pulse
        for step in steps:
            path = step.apply(np, path, {name: parameters[name] for name in step.priors})
        path = np.broadcast_to(path, (equations.draws, len(pulse)))
        return path / path.sum(axis=-1, keepdims=True)

    values = fit.evaluate(weights, only=[edge])
    return label(fit, values, ("lag",), {"lag": np.arange(len(pulse)) + edge.lag}, str(edge))
