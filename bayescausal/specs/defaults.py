"""Decide what a spec leaves to the data, once, where a spec and data meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.stats import boxcox_llf

from bayescausal.data.dataset import Dataset
from bayescausal.data.periods import carry_over, days_a_period
from bayescausal.specs.noise import NormalNoise
from bayescausal.specs.spec import Spec

LONGEST_MEMORY = 7.0
"""In days. Errors of longer periods are independent by default: weeks are inside one."""


def decided(spec: Spec, data: Dataset) -> Spec:
    """Return the spec with the defaults that depend on data written out.

    How long carry-over lasts where an adstock does not say; the links of budgets (`budget_link`)
    where ``links`` does not say; and that errors are independent, where ``noise`` does not say, of
    periods longer than a week and under augmentation, so that the fit with augmented rows and the
    fit without share their errors.
    """
    periods = min(carry_over(data.time), len(data.time) - 1)
    days = days_a_period(data.time)
    responses = {k: r.lasting(periods, days) for k, r in spec.responses.items()}
    if responses != spec.responses:
        spec = replace(spec, responses=responses)
    plans = [v for v in spec.modelled if spec.is_plan(v) and v not in spec.links]
    if plans:
        links = {v: budget_link(data.array(v)[..., data.history :]) for v in plans}
        spec = replace(spec, links={**spec.links, **links})
    stated = spec.noise if isinstance(spec.noise, Mapping) else {}
    by_default = spec.noise is None or isinstance(spec.noise, Mapping)
    if not by_default or (spec.augmentation is None and days <= LONGEST_MEMORY):
        return spec
    silent = {v: NormalNoise() for v in spec.modelled if v not in stated}
    return replace(spec, noise={**stated, **silent}) if silent else spec


def budget_link(x: np.ndarray) -> str:
    """Return the link on which a budget is closer to normal: ``identity`` or ``log``.

        log if  sd(log x) exp(mean(log x)) < sd(x),  the geometric mean over units in a panel

    That is the larger of two maximized normal densities of ``x``. It matters where an unobserved
    cause moves a budget and sales: the slope of sales on the error of the budget is the confounding
    only where that error is not skewed. A budget that is zero in some period has the identity link.

    Parameters
    ----------
    x : array
        Spend or exposure, dims ``(time,)`` or ``(unit, time)``.

    Notes
    -----
    Source: Box and Cox (1964), An Analysis of Transformations, Journal of the Royal Statistical
    Society B 26.
    """
    if x.min() <= 0 or not np.ptp(x, axis=-1).all():
        return "identity"
    log, identity = (np.sum(boxcox_llf(power, x.T)) for power in (0.0, 1.0))
    return "log" if log > identity else "identity"
