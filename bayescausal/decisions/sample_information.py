"""Estimate what it is worth to know more before a choice: the value of sample information.

Preposterior analysis on draws: each draw of a posterior says what every plan would pay and what a
test would measure, so nothing is refitted.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from bayescausal.errors import DataError

_CELLS = 400
_FOLDS = 4
_NODES = 15


class SampleInformation(NamedTuple):
    """What a test is worth to a decision, in the currency of its payoffs."""

    evsi: float
    error: float
    """Monte-Carlo standard error of ``evsi``, given the choices."""
    evpi: float
    ess: float
    """Median effective number of draws behind the choice of a plan."""


def sample_information(payoffs: np.ndarray, tested: np.ndarray, sd: float) -> SampleInformation:
    """Return the expected value of sample information (EVSI) and of perfect information (EVPI).

        EVSI = E_y[ max_a E[u_a | y] ] - max_a E[u_a],    y = t + Normal(0, sd)
        EVPI = E[ max_a u_a ] - max_a E[u_a]

    E[u_a | y] is the mean of the draws, weighted by Normal(y; t, sd). A maximum over noisy means
    is too large, so three quarters of the draws choose the plan, before the test and after each
    y, and the last quarter says what the choice pays; each quarter is the last once. So noise
    alone earns nothing: for a test that says nothing the result is zero, or scatters about it and
    a little below, and is not clipped. It is the value of a rule that can be followed, which from
    few draws is less than that of the best rule. EVSI <= EVPI holds for every set of draws.

    Parameters
    ----------
    payoffs : array
        Draws of what each plan pays, shape ``(n, plans)``, chain after chain.
    tested : array
        Draws of what the test measures, shape ``(n,)``.
    sd : float
        Of the measurement's error, above zero.

    Notes
    -----
    y is cut into cells, each with one choice; the chance that y falls into a cell, given t, is
    exact, so no lift is simulated. For choosing, sd is at least the bandwidth of a kernel
    regression, ``1.06 sd(t) n^(-1/5)``: a precise test does not leave the choice to a few draws.

    Source: Raiffa and Schlaifer (1961), Applied Statistical Decision Theory; importance weights as
    in Menzies (2016), Medical Decision Making 36.

    Examples
    --------
    >>> t = ndtri((np.random.default_rng(1).permutation(4000) + 0.5) / 4000)
    >>> value = sample_information(np.stack([0 * t, t], axis=1), t, 1.0)
    >>> abs(value.evsi - (0.5 / np.pi) ** 0.5 / 2 ** 0.5) < 0.02  # closed form
    True
    """
    n = len(tested)
    if n < 2 * _FOLDS:
        raise DataError(
            f"{n} draws are too few to choose with some and judge with others; the least is "
            f"{2 * _FOLDS}, and hundreds make sense."
        )
    fold = np.arange(n) * _FOLDS // n  # of four chains each is one
    noise = sd * ndtri((np.arange(_NODES) + 0.5) / _NODES)
    results = np.quantile(tested[:, None] + noise, (np.arange(_CELLS) + 0.5) / _CELLS)
    edges = np.concatenate([[-np.inf], (results[1:] + results[:-1]) / 2, [np.inf]])
    gains, losses, ess = np.empty(n), np.empty(n), []
    for k in range(_FOLDS):
        judges = fold == k
        current, choices, effective = _choices(payoffs[~judges], tested[~judges], sd, results)
        advantage = payoffs[judges] - payoffs[judges][:, [current]]
        chance = np.diff(ndtr((edges - tested[judges][:, None]) / sd), axis=1)
        gains[judges] = (chance * advantage[:, choices]).sum(axis=1)
        losses[judges] = advantage.max(axis=1)
        ess.append(effective)
    return SampleInformation(
        evsi=float(gains.mean()),
        error=float(gains.std(ddof=1)) / math.sqrt(n),
        evpi=float(losses.mean()),
        ess=float(np.median(np.concatenate(ess))),
    )


def _choices(
    payoffs: np.ndarray, tested: np.ndarray, sd: float, results: np.ndarray
) -> tuple[int, np.ndarray, np.ndarray]:
    """Choose the best plan now and after each result, and count the effective draws behind each."""
    width = max(sd, 1.06 * float(tested.std()) * len(tested) ** -0.2)
    log = -0.5 * ((results[:, None] - tested) / width) ** 2
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    current = int(payoffs.mean(axis=0).argmax())
    better = weight @ (payoffs - payoffs[:, [current]])
    # A result that only ties with the current plan does not change it.
    choices = np.where(better.max(axis=1) > 0, better.argmax(axis=1), current)
    return current, choices, 1 / (weight**2).sum(axis=1)
