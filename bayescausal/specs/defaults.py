"""Decide what a spec leaves to the data, once, where a spec and data meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bayescausal.data.dataset import Dataset
from bayescausal.data.periods import carry_over, days_a_period
from bayescausal.specs.noise import NormalNoise
from bayescausal.specs.spec import Spec

LONGEST_MEMORY = 7.0
"""In days. Errors of longer periods are independent by default: weeks are inside one."""


def decided(spec: Spec, data: Dataset) -> Spec:
    """Return the spec with the defaults that depend on data written out.

    How long carry-over lasts where an adstock does not say; and that errors are independent, where
    ``noise`` does not say, of periods longer than a week and under augmentation, so that the fit
    with augmented rows and the fit without share their errors.
    """
    periods = min(carry_over(data.time), len(data.time) - 1)
    days = days_a_period(data.time)
    responses = {k: r.lasting(periods, days) for k, r in spec.responses.items()}
    if responses != spec.responses:
        spec = replace(spec, responses=responses)
    stated = spec.noise if isinstance(spec.noise, Mapping) else {}
    by_default = spec.noise is None or isinstance(spec.noise, Mapping)
    if not by_default or (spec.augmentation is None and days <= LONGEST_MEMORY):
        return spec
    silent = {v: NormalNoise() for v in spec.modelled if v not in stated}
    return replace(spec, noise={**stated, **silent}) if silent else spec
