"""Worlds of geo tests, shared by the tests of the estimators and of the reader."""

import math

import numpy as np
import pandas as pd

BEFORE, AFTER = 60, 6
WEEKS = pd.date_range("2024-01-01", periods=BEFORE + AFTER, freq="7D")
WINDOW = (WEEKS[BEFORE], WEEKS[-1])


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


def as_frame(sales):
    """Rows of units g00, g01, ... and weeks, as a user has them."""
    week = pd.date_range("2024-01-01", periods=sales.shape[1], freq="7D")
    names = [f"g{k:02d}" for k in range(len(sales))]
    return pd.DataFrame(
        {
            "week": np.tile(week, len(sales)),
            "geo": np.repeat(names, len(week)),
            "sales": sales.ravel(),
        }
    )
