"""Least squares from cross-moments, and a block bootstrap of it in one pass.

Every estimator here is a function of the cross-moment matrix of its columns. A resample gives
periods (or whole units) new weights, so that its matrix is a weighted sum of theirs: thousands of
refits are one matrix product and a batch of small solves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayescausal.experiments.geo_estimators import block_rule

WHOLE_UNITS = 8
"""Number of units from which units, not periods, are resampled."""


def moments(columns: np.ndarray, by_unit: bool = False) -> np.ndarray:
    """Cross-moments of each period (over its units), or of each unit (over its periods).

        M[c, i, j] = sum of x_i x_j over the rows of c

    Parameters
    ----------
    columns : array, shape ``(column, unit, time)``
    by_unit : bool
        One matrix a unit instead of one a period.

    Returns
    -------
    array, shape ``(period or unit, column, column)``
    """
    rows = np.moveaxis(columns, 0, -1)
    rows = rows if by_unit else rows.swapaxes(0, 1)
    return np.swapaxes(rows, 1, 2) @ rows


def coefficients(
    moment: np.ndarray,
    outcome: int,
    treatments: Sequence[int],
    controls: Sequence[int],
    instruments: Sequence[int] | None = None,
) -> np.ndarray:
    """Coefficients of `treatments` in a regression on them and `controls`: Frisch-Waugh-Lovell.

        b = S_it^-1 S_iy,    S_ab = M_ab - M_ag M_gg^-1 M_gb

    with i the instruments, as many as treatments; the treatments themselves make it ordinary
    least squares. Not centered: put a column of ones into `controls` for an intercept.

    Parameters
    ----------
    moment : array, shape ``(..., column, column)``
    outcome, treatments, controls, instruments : indices of columns

    Returns
    -------
    array, shape ``(..., treatment)``
        NaN where a treatment does not vary once `controls` are known.

    Notes
    -----
    Source: Frisch and Waugh (1933), Econometrica 1; Lovell (1963), JASA 58.

    Examples
    --------
    >>> x, ones = np.array([[[0.0, 1, 2, 3]]]), np.ones((1, 1, 4))
    >>> whole = moments(np.concatenate([ones, x, 2 * x + 5])).sum(axis=0)
    >>> coefficients(whole, outcome=2, treatments=[1], controls=[0]).round(12)
    array([2.])
    """
    t, g, i = list(treatments), list(controls), list(instruments or treatments)
    # A pseudo-inverse: controls may repeat each other, which does not change what they span.
    inverse = np.linalg.pinv(moment[..., g, :][..., g], rcond=1e-12, hermitian=True)

    def partial(a: list[int], b: list[int]) -> np.ndarray:
        through = moment[..., a, :][..., g] @ inverse @ moment[..., g, :][..., b]
        return moment[..., a, :][..., b] - through

    variances = np.diagonal(partial(t, t), axis1=-2, axis2=-1)
    raw = np.diagonal(moment[..., t, :][..., t], axis1=-2, axis2=-1)
    cross = partial(i, t)
    void = (variances <= 1e-10 * raw).any(axis=-1) | (np.linalg.matrix_rank(cross) < len(t))
    cross = np.where(void[..., None, None], np.eye(len(t)), cross)
    solution = np.linalg.solve(cross, partial(i, [outcome]))[..., 0]
    return np.where(void[..., None], np.nan, solution)


def residuals(
    columns: np.ndarray, outcome: int, controls: Sequence[int], treatments: Sequence[int] = ()
) -> np.ndarray:
    """Residuals of one column after least squares on `controls` and `treatments`.

    Shape ``(unit, time)``.

    Parameters
    ----------
    columns : array, shape ``(column, unit, time)``
    outcome, controls, treatments : indices of columns
    """
    design = columns[[*controls, *treatments]].reshape(len(controls) + len(treatments), -1).T
    y = columns[outcome].ravel()
    return (y - design @ np.linalg.lstsq(design, y, rcond=None)[0]).reshape(columns[outcome].shape)


def block_length(score: np.ndarray) -> int:
    """Length of the blocks for a mean of `score`: that of `block_rule`, at most ``n / 4``.

    With r the first autocorrelation it is the length that minimizes the squared error of the
    variance of a mean if the score is a first-order autoregression. For least squares the score
    is residual times residual treatment: only where both are autocorrelated does the error of a
    coefficient grow.

    Parameters
    ----------
    score : array, shape ``(unit, time)``

    Notes
    -----
    Source: Carlstein (1986), Ann. Statist. 14; Politis and White (2004), Econometric Reviews 23.

    Examples
    --------
    >>> block_length(np.tile([1.0, -1.0], 32)[None])
    4
    """
    n = score.shape[-1]
    centered = score - score.mean(axis=-1, keepdims=True)
    power = float((centered**2).sum())
    r = float((centered[:, 1:] * centered[:, :-1]).sum()) / power if power else 0.0
    return max(1, min(block_rule(n, r), n // 4))


def resample(count: int, block: int, repeats: int, rng: np.random.Generator) -> np.ndarray:
    """Count how often each of `count` periods is drawn in circular blocks of `block` neighbors.

    Blocks wrap around the end, so that every period is drawn equally often on average. With
    ``block=1`` periods (or units) are drawn one by one.

    Returns
    -------
    array, shape ``(repeats, count)``
        Rows sum to `count`.

    Notes
    -----
    Source: Künsch (1989), Ann. Statist. 17; Politis and Romano (1992), in Exploring the Limits
    of Bootstrap.

    Examples
    --------
    >>> resample(10, 3, 2, np.random.default_rng(0)).sum(axis=1)
    array([10, 10])
    """
    starts = rng.integers(count, size=(repeats, -(-count // block), 1))
    periods = ((starts + np.arange(block)) % count).reshape(repeats, -1)[:, :count]
    counts = np.zeros((repeats, count), dtype=int)
    np.add.at(counts, (np.arange(repeats)[:, None], periods), 1)
    return counts
