"""Estimators of what treated units would have done, with their errors, in plain numpy.

Every estimator writes the counterfactual of the average treated unit as ``a + sum_j w_j x_jt``
over the control units j, fitted to the periods before the test. They differ in what is free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.optimize import nnls

from bayescausal.experiments.block_bootstrap import autocorrelation, block_length, draw_blocks

Method = Literal["did", "synthetic-control", "tbr"]
METHODS: tuple[Method, ...] = get_args(Method)
"""Difference in differences, synthetic control, time-based regression."""

SETS = 200
"""Placebo sets that are refitted at most; beyond it they are drawn at random."""

REPEATS = 2000
"""Block-bootstrap draws."""

ENOUGH_CONTROLS = 8
"""Control units from which the error comes from placebos; with fewer, from blocks of time."""

CORRELATED = 0.3
"""Autocorrelation of residuals above which `tbr` leaves its t formula for a block bootstrap."""


class Counterfactual(NamedTuple):
    """A fitted counterfactual of one series, with the weights of the controls.

    `design`, shape ``(time, column)``, has the columns whose coefficients are free and signed, so
    that their estimation error reaches the lift. `parameters` counts these and the positive weights
    of a synthetic control.
    """

    path: np.ndarray
    weights: np.ndarray
    design: np.ndarray
    parameters: int


Estimator = Callable[[np.ndarray, np.ndarray, int], Counterfactual]


def estimator(method: Method, intercept: bool = True) -> Estimator:
    """Return the function ``(treated, controls, periods before the test) -> Counterfactual``."""
    if method == "did":
        return difference_in_differences
    if method == "tbr":
        return time_based_regression
    return partial(synthetic_control, intercept=intercept)


def difference_in_differences(y: np.ndarray, x: np.ndarray, pre_periods: int) -> Counterfactual:
    """Fit equal weights and a free intercept: the two-way fixed-effects estimate.

        y0_t = mean_j x_jt + mean_{s before} (y_s - mean_j x_js)

    It is right when treated and control units would have moved in parallel.

    Examples
    --------
    >>> x = np.array([[1.0, 2, 3, 4], [3, 4, 5, 6]])
    >>> difference_in_differences(np.array([7.0, 8, 9, 99]), x, 3).path
    array([ 7.,  8.,  9., 10.])
    """
    mean = x.mean(axis=0)
    path = mean + (y - mean)[:pre_periods].mean()
    return Counterfactual(path, np.full(len(x), 1 / len(x)), np.ones((len(y), 1)), 1)


def synthetic_control(
    y: np.ndarray, x: np.ndarray, pre_periods: int, *, intercept: bool = True
) -> Counterfactual:
    """Fit weights that are nonnegative and sum to one to the periods before the test, exactly.

        min_w sum_{t before} (y_t - a - sum_j w_j x_jt)^2,   w >= 0,  sum_j w_j = 1

    With ``intercept`` series enter as deviations from their own mean, so that units of another
    level can be matched. As ``y = sum_j w_j y``, the problem is ``min |A w|`` with columns
    ``x_j - y``; the ``v >= 0`` that minimizes ``|A v|^2 + (sum v - 1)^2`` is a multiple of its
    solution.

    Notes
    -----
    Source: Abadie, Diamond and Hainmueller (2010), JASA 105; with intercept: Doudchenko and Imbens
    (2016), NBER 22791; Ferman and Pinto (2021), Quantitative Economics 12.

    Examples
    --------
    >>> x = np.array([[0.0, 4, 0, 8], [0, 0, 4, 4]])
    >>> synthetic_control(np.array([9.0, 10, 12, 99]), x, 3).weights.round(12)
    array([0.25, 0.75])
    """
    shift = x[:, :pre_periods].mean(axis=1) if intercept else np.zeros(len(x))
    level = float(y[:pre_periods].mean()) if intercept else 0.0
    deviations = x - shift[:, None]
    gap = (deviations - (y - level))[:, :pre_periods].T
    scale = np.sqrt((gap**2).mean()) or 1.0  # any scale gives these weights; this one is accurate
    system = np.vstack([gap / scale, np.ones(len(x))])
    v, _ = nnls(system, np.append(np.zeros(pre_periods), 1.0), maxiter=100 * len(x))
    weights = v / v.sum()
    design = np.ones((len(y), int(intercept)))
    parameters = int((weights > 0).sum()) - 1 + int(intercept)
    return Counterfactual(weights @ deviations + level, weights, design, parameters)


def time_based_regression(y: np.ndarray, x: np.ndarray, pre_periods: int) -> Counterfactual:
    """Regress the treated series on the mean of the controls, by least squares before the test.

        y_t = a + b mean_j x_jt + e_t

    Unlike difference in differences the slope is free, and unlike synthetic control it may be
    above one or negative. What moves the controls alone flattens it: then the counterfactual
    stays too near the mean before the test when the controls' level changes.

    Notes
    -----
    Source: Kerman, Wang and Vaver (2017), Estimating ad effectiveness using geo experiments in a
    time-based regression framework, Google.

    Examples
    --------
    >>> x = np.array([[1.0, 2, 3, 4]])
    >>> time_based_regression(np.array([3.0, 5, 7, 99]), x, 3).path.round(12)
    array([3., 5., 7., 9.])
    """
    design = np.column_stack([np.ones(len(y)), x.mean(axis=0)])
    solution = np.linalg.lstsq(design[:pre_periods], y[:pre_periods], rcond=None)[0]
    return Counterfactual(design @ solution, np.full(len(x), solution[1] / len(x)), design, 2)


def rmse(y: np.ndarray, path: np.ndarray, pre_periods: int) -> float:
    """Return the root mean squared error before the test."""
    return float(np.sqrt(((y - path)[:pre_periods] ** 2).mean()))


def leverage(fit: Counterfactual, pre_periods: int) -> np.ndarray:
    """Return the weights of errors before the test in the sum after it.

        D_pre (D_pre' D_pre)^-1 D_post' 1


    The error of the cumulative effect is ``sum_{t after} e_t - sum_{s before} leverage_s e_s``.
    """
    post_sum = fit.design[pre_periods:].sum(axis=0)
    return np.linalg.lstsq(fit.design[:pre_periods].T, post_sum, rcond=None)[0]


def regression_error(y: np.ndarray, fit: Counterfactual, pre_periods: int) -> float:
    """Return the posterior predictive scale of the cumulative effect with independent errors.

        s sqrt(h + leverage' leverage),   s^2 = sum_{before} e^2 / (n - parameters)

    with h periods after; the effect is Student-t with ``n - parameters`` degrees of freedom
    (a flat prior, Kerman et al. 2017). The second term is the error of the coefficients.
    """
    residual = (y - fit.path)[:pre_periods]
    a = leverage(fit, pre_periods)
    variance = (residual**2).sum() / (pre_periods - fit.parameters)
    return math.sqrt(variance * (len(y) - pre_periods + a @ a))


def block_bootstrap(
    y: np.ndarray, fit: Counterfactual, pre_periods: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Return moving-block bootstrap draws of the error of the cumulative effect, and their dof.

    Residuals before the test are resampled in blocks for the periods before and after; what is
    bootstrapped is ``sum_after e - leverage' e_before``. The variance is corrected for what
    fitting took out of the residuals: ``1 / (1 - l / n)`` for the mean, with blocks of length l;
    ``m / (m - k)`` for k other parameters, m the periods that the autocorrelation leaves
    (``n (1 - r) / (1 + r)``, r at most 0.8); and ``1 + k / m`` for the error of weights that are
    not in `design`.
    Degrees of freedom are those of a triangular window, ``1.5 n / l``.

    Notes
    -----
    Source: Priestley (1981), Spectral Analysis, section 6.2, for the variance; `draw_blocks`.
    """
    residual, post_periods = (y - fit.path)[:pre_periods], len(y) - pre_periods
    size = block_length(residual, 3, least=post_periods)  # sums over the window keep their memory
    past_blocks, future_blocks = -(-pre_periods // size), -(-post_periods // size)
    blocks, starts = past_blocks + future_blocks, pre_periods - size + 1
    resamples = residual[draw_blocks(starts, size, blocks, REPEATS, rng)]
    past = resamples[:, :pre_periods]
    future = resamples[:, past_blocks * size :][:, :post_periods]
    draws = future.sum(axis=1) - past @ leverage(fit, pre_periods)
    r = min(max(autocorrelation(residual), 0.0), 0.8)
    worth = pre_periods * (1 - r) / (1 + r)
    slopes = min(max(fit.parameters - 1, 0), worth / 2)
    chosen = min(max(fit.parameters - fit.design.shape[1], 0), worth / 2)
    spare = (1 + chosen / worth) / (1 - slopes / worth) / (1 - size / pre_periods)
    return (draws - draws.mean()) * math.sqrt(spare), max(1.0, 1.5 * pre_periods / size)


def placebo_in_space(
    x: np.ndarray, pre_periods: int, fitter: Estimator, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Refit with sets of `size` controls as if treated and the rest as their controls.

    Returns the ratio of each set's cumulative effect to its fit, and the number of sets that are
    left out because the rest fits them exactly. All sets are taken, or `SETS` of them at random.

    Each placebo effect is divided by its own root mean squared error before the test, so that
    sets that are noisier than the treated units do not blow up the error, nor quiet ones hide it.

    Notes
    -----
    Source: Abadie, Diamond and Hainmueller (2010), JASA 105, section 3.4.
    """
    count, ratios, exact = len(x), [], 0
    for chosen in _sets(count, size, rng):
        as_if = np.isin(np.arange(count), chosen)
        y, controls = x[as_if].mean(axis=0), x[~as_if]
        fit = fitter(y, controls, pre_periods)
        fit_error = rmse(y, fit.path, pre_periods)
        if fit_error <= 1e-9 * float(np.abs(y).max()):
            exact += 1
            continue
        ratios.append(float((y - fit.path)[pre_periods:].sum()) / fit_error)
    return np.array(ratios), exact


def _sets(count: int, size: int, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    if math.comb(count, size) <= SETS:
        yield from combinations(range(count), size)
        return
    for _ in range(SETS):
        yield tuple(sorted(rng.choice(count, size, replace=False).tolist()))


def drift(gap: np.ndarray) -> tuple[float, float]:
    """Return the slope of a gap per period and its t value, allowing for AR(1) errors.

    The variance of least squares is multiplied by ``(1 + r) / (1 - r)``, r the first
    autocorrelation of what the slope leaves.
    """
    time = np.arange(len(gap)) - (len(gap) - 1) / 2
    slope = float(time @ gap / (time @ time))
    residual = gap - gap.mean() - slope * time
    r = min(max(autocorrelation(residual), 0.0), 0.95)
    variance = (
        float(residual @ residual) / max(1, len(gap) - 2) / float(time @ time) * (1 + r) / (1 - r)
    )
    return slope, slope / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, slope)


class StandardError(NamedTuple):
    """The error of a cumulative effect on the average treated unit, and its source.

    `kind` is ``"placebo in space"``, ``"block bootstrap"`` or ``"t formula"``; `draws` are placebo
    effects or bootstrap draws, none for the formula.
    """

    kind: str
    scale: float
    dof: float
    draws: np.ndarray
    notes: list[str]


def standard_error(
    method: Method,
    panel: tuple[np.ndarray, np.ndarray],
    pre_periods: int,
    fitter: Estimator,
    count: int,
    rng: np.random.Generator,
) -> StandardError:
    """Return the error of the effect on the mean of `count` treated units.

    ``did`` and ``synthetic-control``: placebos in space with `ENOUGH_CONTROLS` units or more, in
    sets of `count` (at most half of the controls); else the block bootstrap of residuals before
    the test. ``tbr``: its t formula, or the block bootstrap when residuals are autocorrelated.
    The panel is the treated mean, shape ``(time,)``, and the controls, shape ``(control, time)``.
    """
    y, x = panel
    fit = fitter(y, x, pre_periods)
    if method != "tbr" and len(x) >= ENOUGH_CONTROLS:
        size = min(count, len(x) // 2)
        ratios, exact = placebo_in_space(x, pre_periods, fitter, size, rng)
        draws = ratios * rmse(y, fit.path, pre_periods)
        notes = []
        if size < count:
            notes.append(
                f"Placebos are sets of {size} of the {len(x)} controls, not of {count} as treated."
            )
        if exact:
            notes.append(f"{exact} placebos were fitted exactly and are left out.")
        if len(draws) >= ENOUGH_CONTROLS:
            scale = float(np.sqrt((draws**2).mean()))
            return StandardError("placebo in space", scale, len(x) - 1.0, draws, notes)
    correlation = autocorrelation((y - fit.path)[:pre_periods])
    if method == "tbr" and correlation <= CORRELATED:
        scale = regression_error(y, fit, pre_periods)
        return StandardError("t formula", scale, pre_periods - 2.0, np.empty(0), [])
    draws, dof = block_bootstrap(y, fit, pre_periods, rng)
    reason = (
        f"Residuals are autocorrelated ({correlation:.2f})"
        if method == "tbr"
        else f"{len(x)} control units are too few for placebos"
    )
    note = f"{reason}: the standard error is a block bootstrap over {pre_periods} periods."
    return StandardError("block bootstrap", float(draws.std()), dof, draws, [note])
