"""Worlds of geo tests, shared by the tests of the estimators and of the reader."""

import math

import numpy as np

BEFORE, AFTER = 60, 6


def autoregression(rng, shape, r, sd):
    """Stationary AR(1) over the last axis."""
    out = rng.normal(0, sd, shape)
    for t in range(1, shape[-1]):
        out[..., t] = r * out[..., t - 1] + math.sqrt(1 - r**2) * out[..., t]
    return out


def panel(rng, treated, controls, r=0.5, before=BEFORE, after=AFTER, slope=0.0):
    """Sales of parallel units, ``(unit, time)``, the treated first; no lift."""
    shape = (treated + controls, before + after)
    season = 10 * np.sin(np.arange(shape[1]) / 8 + rng.uniform(0, 2 * np.pi))
    common = season + autoregression(rng, (1, shape[1]), 0.8, 6)
    sales = rng.normal(100, 15, (shape[0], 1)) + common
    sales = sales + autoregression(rng, shape, r, 4)
    sales[:treated] += slope * np.arange(shape[1])
    return sales
