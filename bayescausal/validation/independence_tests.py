"""Tests of independence by name, on residuals of lagged regressions or on binned columns.

Each returns an `IndependenceTest` with its p-value, or raises `Untestable` with the reason. An
invented p-value is worse than none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import nan

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from bayescausal.experiments.block_bootstrap import autocorrelation
from bayescausal.thresholds import BINNED_AUTOCORRELATION, CARRYING_PERIODS
from bayescausal.validation.lagged_regression import SPARE_ROWS, Residuals, Untestable

POWER = 0.8
"""The chance with which the smallest detectable correlation would be seen."""

PERMUTATIONS = 499
"""Permutations of the kernel test: its p-value is a multiple of 1/500."""

SMOOTHNESS = 4.0
"""Squared width of the kernels in median squared distances. At 1, what is usual, residuals of two
columns with sharp modes (flights, price cuts) share the blur of their controls and are called
dependent three times too often; at 4 curves are seen as well, and only fast waves are not."""

BINS = 3
"""Bins of a column of numbers, equally full; two where three would be too sparse."""

DISTINCT = 6
"""A column with no more different values is taken as it is, and not binned."""

EXPECTED = 5.0
"""Expected count of a cell below which it is sparse; a fifth of the cells may be (Cochran 1954)."""


@dataclass(frozen=True)
class IndependenceTest:
    """The result of one test of independence.

    Parameters
    ----------
    name : str
    statistic : float
        F, t or chi-squared; for the kernel test the HSIC.
    freedom : tuple of float
        Degrees of freedom; empty for the kernel test.
    p_value : float
    correlation : float
        The partial correlation; of several columns the multiple one, which has no sign. NaN where a
        test has none.
    detectable : float
        The smallest correlation that would have been seen with a chance of 80 percent.
    note : str
        A caution about this very test.
    """

    name: str
    statistic: float
    freedom: tuple[float, ...]
    p_value: float
    correlation: float = nan
    detectable: float = nan
    note: str = ""


def partial_correlation(residuals: Residuals, level: float, name: str) -> IndependenceTest:
    """Test whether residuals of the tested columns and of the target are correlated.

    Products of residuals are added over units, period by period, and compared with their own
    spread over periods:

        s_t = sum_u x_ut y_ut,    S = sum_t s_t,    W = S' (sum_t s_t s_t')^-1 S,
        F = (v - q) / q * W / (n - W) ~ F(q, v - q)

    with n periods, v of them left by the controls, q columns. For one column of national data it is
    the t test of a partial correlation, but for periods in which both series swing more widely
    (a season, a larger budget), which the usual formula takes for evidence. Periods are the sample,
    so units may move together as they like, as they do under one national campaign.

    Source: Hotelling (1931), The generalization of Student's ratio; White (1980), Econometrica 48.
    """
    count = residuals.tested.shape[-1]
    freedom = residuals.freedom - count
    if freedom < SPARE_ROWS:
        raise Untestable(
            f"{residuals.rows} rows less {residuals.controls} controls leave {max(freedom, 0)} "
            f"degrees of freedom, and {SPARE_ROWS} are the least"
        )
    score = np.einsum("utc,ut->tc", residuals.tested, residuals.target)
    total, spread, units = score.sum(axis=0), score.T @ score, len(residuals.target)
    statistic = _pooled_statistic(score, freedom)
    gram = np.einsum("utc,utd->cd", residuals.tested, residuals.tested)
    explained = float(total @ np.linalg.pinv(gram, hermitian=True) @ total) / units
    variance = float(np.diagonal(spread).mean()) * residuals.rows / residuals.freedom / units**2
    return IndependenceTest(
        name,
        statistic,
        (count, freedom),
        float(stats.f.sf(statistic, count, freedom)),
        float(total[0]) / units if count == 1 else float(np.sqrt(min(explained, 1.0))),
        smallest_correlation(1 / variance, count, freedom, level),
        _note_on_weight(score),
    )


def _pooled_statistic(score: np.ndarray, freedom: int) -> float:
    """Return the F of scores, dims ``(time, column)``, against their own spread over periods."""
    rows, count = score.shape
    total, spread = score.sum(axis=0), score.T @ score
    if count == 1:  # what a search asks thousands of times
        ratio = float(total[0] ** 2 / max(spread[0, 0], 1e-300))
    else:
        ratio = float(total @ np.linalg.pinv(spread, hermitian=True) @ total)
    return freedom / count * ratio / max(rows - ratio, 1e-300)


def pooled_p_value(score: np.ndarray, spare: int) -> float:
    """Return the p-value of `partial_correlation` alone, from scores of dims ``(time, column)``.

    `spare` is the number of periods less controls; as many as there are columns are spent.
    """
    count = score.shape[1]
    return float(stats.f.sf(_pooled_statistic(score, spare - count), count, spare - count))


def smallest_correlation(size: float, count: int, freedom: float, level: float) -> float:
    """Return the correlation that an F test at a level sees with a chance of 80 percent.

        r = sqrt(l / (l + size)),   P(F(count, freedom; noncentrality l) > critical value) = 0.8

    Examples
    --------
    >>> round(smallest_correlation(150, 1, 149, 0.05), 2)
    0.22
    """
    noncentrality = _needed_noncentrality(count, freedom, level)
    return float(np.sqrt(noncentrality / (noncentrality + size)))


@lru_cache(maxsize=4096)
def _needed_noncentrality(count: int, freedom: float, level: float) -> float:
    critical = stats.f.isf(level, count, freedom)

    def excess(noncentrality: float) -> float:
        return float(stats.ncf.sf(critical, count, freedom, noncentrality)) - POWER

    return float(brentq(excess, 1e-6, 1e4))


def _note_on_weight(score: np.ndarray) -> str:
    """Say so when a few periods make up the spread of a correlation."""
    weights = (score[:, 0] - score[:, 0].mean()) ** 2
    count = float(weights.sum() ** 2 / max((weights**2).sum(), 1e-300))
    if count >= CARRYING_PERIODS:
        return ""
    return f"its spread comes from about {max(count, 1):.0f} periods, so look at them"


def effective_size(static: Residuals, level: float) -> IndependenceTest:
    """Test the correlation of residuals without their past, by the number of effective periods.

        n_eff = v (1 - r_x r_y) / (1 + r_x r_y),    v periods less controls

    `static` are residuals on the conditioning set alone, r their first autocorrelations. Estimates
    of r are too small, by (1 + 3 r) / n after a mean is taken off; they are raised by that, and by
    half of it again for every further control, which measurements (benchmarks/RESULTS.md) ask for.
    In a panel units that move together count once: the number of periods is multiplied by
    U^2 / sum_uv c_x(u, v) c_y(u, v), with c the correlations of units.

    It is the cautious companion: memory is paid for and not removed, so it sees less.

    Source: Bartlett (1935), Some aspects of the time-correlation problem, JRSS 98; Kendall (1954),
    Note on bias in the estimation of autocorrelation, Biometrika 41.
    """
    x, y = static.tested[..., 0], static.target
    units = len(y)
    correlation = float((x * y).sum()) / units
    memory = float(np.prod([_raised(autocorrelation(side), static) for side in (x, y)]))
    ratio = float(np.clip((1 - memory) / (1 + memory), 0.0, 1.0))
    independent = units**2 / float(max(((x @ x.T) * (y @ y.T)).sum(), units))
    freedom = max(4.0, static.freedom * ratio) * independent - 2
    t = correlation * np.sqrt(freedom / max(1 - correlation**2, 1e-300))
    return IndependenceTest(
        "effective sample size",
        float(t),
        (freedom,),
        float(2 * stats.t.sf(abs(t), freedom)),
        correlation,
        smallest_correlation(freedom + 1, 1, freedom, level),
    )


def _raised(memory: float, residuals: Residuals) -> float:
    """Return an autocorrelation raised by what estimating the controls took off."""
    bias = (1 + 3 * memory) / residuals.rows * (residuals.controls + 1) / 2
    return min(memory + max(bias, 0.0), 0.99)


def both_directions(tests: Sequence[tuple[str, IndependenceTest]]) -> IndependenceTest:
    """Combine the tests of earlier values, one for each direction, into one.

        -2 sum log p ~ chi2(4)

    Source: Fisher (1932), Statistical Methods for Research Workers.
    """
    first, strongest = min(tests, key=lambda item: item[1].p_value)
    combined = stats.combine_pvalues([test.p_value for _, test in tests])
    return IndependenceTest(
        strongest.name,
        float(combined.statistic),
        (2.0 * len(tests),),
        float(combined.pvalue),
        strongest.correlation,
        max(test.detectable for _, test in tests),
        f"{first} runs ahead",
    )


def kernel(residuals: Residuals, seed: int) -> IndependenceTest:
    """Test residuals for dependence of any form, not only in proportion, by permutation of HSIC.

        HSIC = sum over units of trace(K H L H),   K, L wide Gaussian kernels, H centers

    Whole periods of the target are permuted, and the controls partialled out of it again, so that
    what the controls took is taken from the permuted residuals too.

    Source: Gretton, Fukumizu, Teo, Song, Schölkopf and Smola (2008), A kernel statistical test of
    independence; Freedman and Lane (1983), J. Business and Economic Statistics 1.
    """
    x, y = residuals.tested[..., 0], residuals.target
    rng = np.random.default_rng(seed)
    orders = [np.arange(residuals.rows)]
    orders += [rng.permutation(residuals.rows) for _ in range(PERMUTATIONS)]
    totals = np.zeros(len(orders))
    for left, right, basis in zip(x, y, residuals.bases, strict=True):
        gram, width = _centered_kernel(left), _width(right)
        for place, order in enumerate(orders):
            mixed = right[order]
            mixed = mixed - basis @ (basis.T @ mixed)
            totals[place] += (gram * _kernel(mixed / np.sqrt(mixed @ mixed), width)).sum()
    p_value = float((totals >= totals[0] * (1 - 1e-12)).sum()) / len(totals)
    return IndependenceTest("kernel", float(totals[0]), (), p_value)


def _width(values: np.ndarray) -> float:
    """Return twice the squared bandwidth: `SMOOTHNESS` times the median squared distance."""
    distance = (values[:, None] - values) ** 2
    return SMOOTHNESS * float(np.median(distance[distance > 0])) if np.ptp(values) else 1.0


def _kernel(values: np.ndarray, width: float) -> np.ndarray:
    return np.exp((values[:, None] - values) ** 2 / -width)


def _centered_kernel(values: np.ndarray) -> np.ndarray:
    gram = _kernel(values, _width(values))
    return gram - gram.mean(axis=0) - gram.mean(axis=1)[:, None] + gram.mean()


def chi_squared(a: np.ndarray, b: np.ndarray, strata: Sequence[np.ndarray]) -> IndependenceTest:
    """Test independence of binned columns within strata of binned conditioning columns.

        chi2 = sum over strata and cells of (count - expected)^2 / expected

    It takes every period for a new one: in series that remember it rejects too often, and says so.
    Bins leave what a conditioning column does within a bin.

    Parameters
    ----------
    a, b : array, dims ``(time,)``
    strata : conditioning columns of the same shape

    Raises
    ------
    Untestable
        Cells too sparse even with two bins a column, or no variation.

    Source: Pearson (1900); Cochran (1954), Some methods for strengthening the common chi-squared
    tests, Biometrics 10.
    """
    for bins in (BINS, 2):
        rows, columns = _binned(a, bins), _binned(b, bins)
        labels = np.zeros(len(a), dtype=int)
        for values in strata:
            labels = labels * 1000 + _binned(values, bins)
        statistic, freedom, sparse = 0.0, 0, []
        for stratum in np.unique(labels):
            inside = labels == stratum
            counts = stats.contingency.crosstab(rows[inside], columns[inside]).count
            if min(counts.shape) < 2:
                continue
            result = stats.chi2_contingency(counts, correction=False)
            statistic, freedom = statistic + float(result.statistic), freedom + int(result.dof)
            sparse += list((result.expected_freq < EXPECTED).ravel())
        if not freedom:
            raise Untestable("no stratum has two bins of both")
        if np.mean(sparse) <= 0.2:
            break
    else:
        raise Untestable(
            f"{np.mean(sparse):.0%} of the cells expect fewer than {EXPECTED:g} periods, even with "
            "two bins a column; a fifth may"
        )
    memory = autocorrelation(a) * autocorrelation(b)
    note = f"{bins} bins a column"
    if memory > BINNED_AUTOCORRELATION:
        note += "; both columns remember, so it rejects too often: do not rely on it"
    p_value = float(stats.chi2.sf(statistic, freedom))
    return IndependenceTest("chi-squared", statistic, (float(freedom),), p_value, note=note)


def _binned(values: np.ndarray, bins: int) -> np.ndarray:
    """Return the bin of each value: a column of few different values is its own bins."""
    different = np.unique(values)
    if len(different) <= DISTINCT:
        return np.searchsorted(different, values)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, values, side="left")
