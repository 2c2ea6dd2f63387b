"""A column's own model: what a control or a price may do in periods to come."""

from __future__ import annotations

import numpy as np
import pandas as pd

_YEAR = pd.Timedelta(days=365.25)
_STEADY = 0.98
"""The largest memory of errors: with one of 1 a column would wander without end."""


def simulate_input(
    time: pd.DatetimeIndex,
    path: np.ndarray,
    future_time: pd.DatetimeIndex,
    samples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Simulate a column after the data: a mean, a yearly wave and errors with memory.

        x_t = a + b sin(2 pi t / year) + c cos(2 pi t / year) + e_t,    e_t = phi e_{t-1} + v_t

    By least squares, the wave where the data have two years; ``v`` are residuals drawn with
    replacement. The uncertainty of ``a, b, c, phi`` is not in it. A column that was never negative
    stays so.

    Parameters
    ----------
    time, future_time : DatetimeIndex
        Periods of the data, and those after them.
    path : array
        ``(time,)`` or ``(unit, time)``; units are simulated with the shocks of the same periods,
        as what moves one market moves others.
    samples : int
    rng : numpy Generator

    Returns
    -------
    array
        ``(sample, after)`` or ``(sample, unit, after)``.
    """
    design, ahead = _design(time, time), _design(future_time, time)
    coefficients, *_ = np.linalg.lstsq(design, path.T, rcond=None)
    errors = path - (design @ coefficients).T
    previous, current = errors[..., :-1], errors[..., 1:]
    power = (previous**2).sum(axis=-1)
    phi = np.divide(
        (previous * current).sum(axis=-1), power, out=np.zeros_like(power), where=power > 0
    )
    phi = np.clip(phi, 0.0, _STEADY)
    shocks = current - phi[..., None] * previous
    chosen = rng.integers(shocks.shape[-1], size=(samples, len(future_time)))
    resampled = np.moveaxis(shocks[..., chosen], -2, 0)  # (sample, unit, after)
    error, paths = np.broadcast_to(errors[..., -1], resampled.shape[:-1]), np.empty(resampled.shape)
    for t in range(len(future_time)):
        error = phi * error + resampled[..., t]
        paths[..., t] = error
    paths = paths + (ahead @ coefficients).T
    return np.maximum(paths, 0.0) if (path >= 0).all() else paths


def _design(days: pd.DatetimeIndex, training: pd.DatetimeIndex) -> np.ndarray:
    if training[-1] - training[0] < 1.9 * _YEAR:
        return np.ones((len(days), 1))
    turn = 2 * np.pi * np.asarray((days - training[0]) / _YEAR)
    return np.column_stack([np.ones(len(days)), np.sin(turn), np.cos(turn)])
