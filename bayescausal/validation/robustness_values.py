"""Robustness values: how strong a hidden driver must be to change a regression coefficient.

Strength is a pair of partial R2: of what is left of the treatment once the controls are known, and
of what is left of the outcome once treatment and controls are known, the shares that the hidden
driver explains. All formulas are of least squares and exact.

Source: Cinelli and Hazlett (2020), Making sense of sensitivity, JRSS B 82.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import stats


class LinearEffect(NamedTuple):
    """A coefficient of a regression, or a multiple of it.

    Parameters
    ----------
    estimate, std_error : float
        In one unit; the standard error is the one that belongs to `dof`.
    dof : float
        Degrees of freedom, rows less coefficients; fewer where errors last.
    """

    estimate: float
    std_error: float
    dof: float

    @property
    def f(self) -> float:
        """Cohen's partial f of the treatment with the outcome, ``|t| / sqrt(dof)``."""
        return abs(self.estimate) / (self.std_error * math.sqrt(self.dof))

    @property
    def partial_r2(self) -> float:
        """The share of what is left of the outcome that the treatment explains."""
        return self.f**2 / (1 + self.f**2)

    def interval(self, prob: float) -> tuple[float, float]:
        """Return the confidence interval."""
        half = stats.t.ppf((1 + prob) / 2, self.dof) * self.std_error
        return self.estimate - half, self.estimate + half


class Strength(NamedTuple):
    """How much of treatment and outcome a hidden driver explains, as partial R2."""

    treatment: float
    outcome: float

    @property
    def correlation(self) -> float:
        """The correlation that it puts between the errors of treatment and outcome.

            k / sqrt(1 + k^2),    k^2 = R2_outcome R2_treatment / (1 - R2_treatment)

        The error of the outcome is what its equation leaves, the effect of the treatment taken
        out; `tipping_point` moves this correlation.
        """
        k = math.sqrt(self.outcome * self.treatment / (1 - self.treatment))
        return k / math.sqrt(1 + k**2)


def robustness_value(effect: LinearEffect, q: float = 1.0, prob: float | None = None) -> float:
    """Return the strength, alike in treatment and outcome, that takes away a share q of an effect.

        RV = (sqrt(F^4 + 4 F^2) - F^2) / 2,    F = q |t| / sqrt(dof) - f*

    A driver that explains less than RV of what is left of the treatment and of the outcome cannot
    have made so much of the estimate. It is no probability that there is such a driver.

    Parameters
    ----------
    effect : LinearEffect
    q : float
        Share of the estimate that is taken away; 1 brings it to zero.
    prob : float, optional
        The strength that brings ``(1 - q)`` times the estimate into the interval of this
        probability, ``f* = t*_(dof - 1) / sqrt(dof - 1)``; without it that of the point, f* = 0.

    Returns
    -------
    float
        Between 0 and 1; 0 where the interval holds that value already.

    Examples
    --------
    >>> harmed = LinearEffect(0.0973, 0.02326, 783)  # Darfur, in section 5 of the paper
    >>> round(robustness_value(harmed), 3), round(robustness_value(harmed, prob=0.95), 3)
    (0.139, 0.076)
    """
    f = q * effect.f
    critical = 0.0
    if prob is not None:
        dof = effect.dof - 1
        critical = float(stats.t.ppf((1 + prob) / 2, dof)) / math.sqrt(dof)
    excess = f - critical
    if excess <= 0:
        return 0.0
    if critical and f > 1 / critical:  # a driver of the treatment alone, the outcome's share at it
        return (f**2 - critical**2) / (1 + f**2)
    return 0.5 * (math.sqrt(excess**4 + 4 * excess**2) - excess**2)


def adjusted(effect: LinearEffect, driver: Strength) -> LinearEffect:
    """Return the effect as it is once a hidden driver that had enlarged it is known.

        |bias| = se sqrt(dof) sqrt(R2_y R2_x / (1 - R2_x)),
        se' = se sqrt((1 - R2_y) / (1 - R2_x) dof / (dof - 1))

    Examples
    --------
    >>> left = adjusted(LinearEffect(0.0973, 0.02326, 783), Strength(0.00916, 0.12464))
    >>> round(left.estimate, 3)
    0.075
    """
    bias = effect.std_error * math.sqrt(
        effect.dof * driver.outcome * driver.treatment / (1 - driver.treatment)
    )
    spread = (1 - driver.outcome) / (1 - driver.treatment) * effect.dof / (effect.dof - 1)
    estimate = effect.estimate - math.copysign(bias, effect.estimate)
    return LinearEffect(estimate, effect.std_error * math.sqrt(spread), effect.dof - 1)


def times_as_strong(benchmark: Strength, k: float) -> Strength | None:
    """Return the strength of a hidden driver that is k times as strong as a recorded one.

        R2_x = k b_x / (1 - b_x),
        R2_y = ((sqrt(k) + |r|) / sqrt(1 - r^2))^2 b_y / (1 - b_y),
        r^2 = k b_x^2 / ((1 - k b_x) (1 - b_x))

    with b the partial R2 of the recorded driver. The share of the outcome is a bound, at most 1.
    None where it would explain all that is left of the treatment: there is no such driver.

    Examples
    --------
    >>> times_as_strong(Strength(0.5, 0.1), 1) is None
    True
    """
    x, y = benchmark
    treatment = k * x / (1 - x)
    if treatment >= 1:
        return None
    r2 = k * x**2 / ((1 - k * x) * (1 - x))
    if r2 >= 1:
        return None
    outcome = ((math.sqrt(k) + math.sqrt(r2)) ** 2 / (1 - r2)) * y / (1 - y)
    return Strength(treatment, min(outcome, 1.0))
