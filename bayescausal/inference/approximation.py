"""A posterior without a chain: a Student-t about the mode, and weights that make it the posterior."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy import stats

from bayescausal.data.dataset import Dataset
from bayescausal.inference import groups
from bayescausal.inference.compile import compile_jax
from bayescausal.inference.fit import Fit
from bayescausal.model.build import build
from bayescausal.specs.spec import Spec

_DRAWS = 2000
_DOF = 7
"""Of the proposal: its tails are heavier than those of a posterior that is all but normal."""
_IMPOSSIBLE = -1e300


class Approximation(NamedTuple):
    """Draws of a proposal as a fit, and the logarithms of the weights that they need.

    ``fit`` has the group ``posterior`` alone, one chain, and no convergence: without the weights
    its draws are those of no posterior.
    """

    fit: Fit
    log_weights: np.ndarray


def approximate(spec: Spec, data: Dataset, seed: int) -> Approximation:
    """Draw about the mode of a posterior, with the weights of importance sampling.

        x = mode + H^(-1/2) z,    z ~ Student-t(7),    w = p(x | data) / q(x)

    H is the curvature at the mode. It is no posterior where the weights have a heavy tail: smooth
    them and look at Pareto k before anything else.

    Notes
    -----
    Source: Tierney and Kadane (1986), JASA 81; Vehtari et al. (2024), JMLR 25.
    """
    density = compile_jax(build(spec, data))
    evaluate = density.at_data()
    coordinates = density.coordinates()
    rng, dim = np.random.default_rng(seed), len(coordinates.center)
    stretch = np.sqrt(rng.chisquare(_DOF, (_DRAWS, 1)) / _DOF)
    z = rng.standard_normal((_DRAWS, dim)) / stretch
    x = coordinates.natural(z)
    heights = np.array([evaluate(point)[0] for point in x])
    heights = np.where(np.isfinite(heights), heights, _IMPOSSIBLE)
    proposal = stats.multivariate_t(np.zeros(dim), np.eye(dim), df=_DOF).logpdf(z)
    values = density.restore(x[None])
    dims = {
        k: ("chain", "draw", *(f"{k}_{i}" for i in range(v.ndim - 2))) for k, v in values.items()
    }
    drawn = xr.Dataset({k: (dims[k], v) for k, v in values.items()})
    part = Fit(spec, data, xr.DataTree.from_dict({"posterior": drawn}))
    posterior = groups.posterior(part.scm, part.tree)
    fit = Fit(spec, data, xr.DataTree.from_dict({"posterior": posterior}))
    return Approximation(fit, heights - proposal)
