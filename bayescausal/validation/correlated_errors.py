"""Fits in which a channel shares an unobserved cause with an outcome, at any correlation of errors.

One fit with a free correlation is enough: given its other parameters, what the data say of the
correlation is a curve over one number, and its height at a correlation is the weight of the draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from bayescausal._types import Array, Node
from bayescausal.inference.fit import Fit
from bayescausal.inference.importance import Weights
from bayescausal.model.predict import observed_means, pointwise
from bayescausal.model.scm import Equations
from bayescausal.specs.prior import Prior
from bayescausal.specs.spec import Spec
from bayescausal.validation.importance_sampling import efficiency

_WIDE = Prior("TruncatedNormal", mu=0.0, sigma=1.0, lower=-1, upper=1)
"""Of a correlation that is reweighted: it has draws all over, and the weights take it out again."""
_HALF_WIDTH = 0.001  # of the interval in which a correlation is held
_END = 0.999
_STEP, _WIDTHS = 0.8, 7.0  # of the curve of a correlation: distance of its places, and how far


def pair_name(channel: Node, outcome: Node) -> str:
    """Name the correlation of two errors."""
    return "<->".join(sorted((channel, outcome)))


def with_shared_cause(spec: Spec, channel: Node, outcome: Node, prior: Prior = _WIDE) -> Spec:
    """Return a spec in which the two share an unobserved cause of their own."""
    name = pair_name(channel, outcome)
    first, second = name.split("<->")
    graph = replace(spec.graph, bidirected=(*spec.graph.bidirected, (first, second)))
    return replace(spec, graph=graph, correlations={**spec.correlations, name: prior})


def held_at(correlation: float) -> Prior:
    """Return the prior that holds a correlation, but for 0.001."""
    ends = {"lower": correlation - _HALF_WIDTH, "upper": correlation + _HALF_WIDTH}
    return Prior("Uniform", **ends)


def weights_at(fit: Fit, name: str, correlations: Sequence[float]) -> list[Weights]:
    """Return the weights that make draws of a fit those at each correlation.

        w_s ~ p(rho | theta_s, data) = L(theta_s, rho) p(rho) / integral L(theta_s, r) p(r) dr

    is exact, as the draws of theta have the density of all correlations together. It is no shift
    of an effect by a formula: curves, carry-over, tests and priors are all in L and in theta.

    Parameters
    ----------
    fit : Fit
        Its correlation is free.
    name : str
        Of the pair, as `pair_name` gives it.
    correlations : sequence of float

    Returns
    -------
    list of Weights
        Over draws, chains joined.
    """
    (cause,) = (c for c in fit.spec.confounders if c.name == name)
    members = {*fit.spec.structure.district(cause.nodes[0])}
    z, step = _nodes(fit, name)
    grid = np.concatenate([np.tanh(z), correlations])

    def heights(equations: Equations) -> Array:
        means = observed_means(equations, members)
        columns = []
        for rho in grid:
            theta = {**equations.theta, name: np.full(equations.draws, rho)}
            parts = pointwise(replace(equations, theta=theta), means).values()
            columns.append(sum(part.reshape(len(part), -1).sum(axis=1) for part in parts))
        return np.stack(columns, axis=-1)

    density = fit.evaluate(heights) + cause.prior.log_density(grid)
    slope = -2 * np.log(np.cosh(z))  # of rho by z
    total = logsumexp(density[..., : len(z)] + slope, axis=-1) + np.log(step)
    logs = [density[..., len(z) + k] - total for k in range(len(correlations))]
    return [Weights.of(values.ravel(), efficiency(values)) for values in logs]


def _nodes(fit: Fit, name: str) -> tuple[np.ndarray, float]:
    """Return places of z = artanh(rho) that hold the curve of every draw, and their distance.

    Given all else z is known to about 1 / sqrt(rows), whatever rho is. Sums over places this near
    to each other are integrals to many digits, as the curves are smooth.
    """
    rows = len(fit.data.training) * max(1, len(fit.data.units))
    sd = 1 / np.sqrt(rows)
    drawn = np.arctanh(np.clip(fit.theta()[name], -_END, _END))
    places = np.arange(drawn.min() - _WIDTHS * sd, drawn.max() + _WIDTHS * sd, _STEP * sd)
    return places, _STEP * sd
