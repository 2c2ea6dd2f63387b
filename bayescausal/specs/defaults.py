"""What a spec leaves to the data: decided once, where a spec and data meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from bayescausal.specs.dataset import Dataset
from bayescausal.specs.noise import NormalNoise
from bayescausal.specs.periods import carry_over
from bayescausal.specs.spec import Spec

LONGEST_MEMORY = pd.Timedelta(days=7)
"""Errors of longer periods are independent by default: what lasts for weeks is inside one."""


def decided(spec: Spec, data: Dataset) -> Spec:
    """Return the spec with what data decide written out; one that says it all is returned as is.

    How long carry-over lasts where an adstock does not say; and that errors are independent, where
    ``noise`` does not say, of periods longer than a week and under augmentation, so that the fit
    with augmented rows and the fit without share their errors.
    """
    periods = min(carry_over(data.time), len(data.time) - 1)
    responses = {k: r.lasting(periods) for k, r in spec.responses.items()}
    if responses != spec.responses:
        spec = replace(spec, responses=responses)
    stated = spec.noise if isinstance(spec.noise, Mapping) else {}
    by_default = spec.noise is None or isinstance(spec.noise, Mapping)
    if not by_default or (spec.augmentation is None and _step(data) <= LONGEST_MEMORY):
        return spec
    silent = {v: NormalNoise() for v in spec.modelled if v not in stated}
    return replace(spec, noise={**stated, **silent}) if silent else spec


def _step(data: Dataset) -> pd.Timedelta:
    return pd.Timedelta((data.time[1:] - data.time[:-1]).min())
