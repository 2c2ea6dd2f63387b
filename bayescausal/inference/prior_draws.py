"""Draws of the parameters from their priors."""

from __future__ import annotations

import numpy as np

from bayescausal._types import Theta
from bayescausal.model.scm import SCM


def draw_prior(scm: SCM, draws: int, seed: int) -> Theta:
    """Draw every parameter from its prior, in natural units; draws first.

    The compiled model samples some of them through others (`model/likelihood.py`), by changes of
    variables that keep these priors exactly: so they are drawn as they are stated.
    """
    rng = np.random.default_rng(seed)
    theta: Theta = {}
    for parameter in scm.parameters:  # a mean and a spread stand before what they pool
        shape = (draws, parameter.size) if parameter.dim else (draws,)
        if parameter.pooled is None:
            theta[parameter.name] = parameter.prior.quantile(rng.uniform(size=shape))
            continue
        mean, spread = parameter.pooled
        z = rng.standard_normal(shape)
        if mean is None:  # deviations that sum to zero: what `pymc.ZeroSumNormal` draws
            theta[parameter.name] = theta[spread][:, None] * (z - z.mean(axis=1, keepdims=True))
        else:
            theta[parameter.name] = theta[mean][:, None] + theta[spread][:, None] * z
    return theta
