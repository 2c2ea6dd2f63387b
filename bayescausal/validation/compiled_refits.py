"""Refit one model without some of its tests: it is compiled once, and data switch tests off."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

from bayescausal import checks
from bayescausal.errors import OverlappingExperiments
from bayescausal.inference.compile import Density, compile_jax
from bayescausal.inference.fit import Fit
from bayescausal.inference.fitting import fit_with, sampled
from bayescausal.inference.sample import whitened
from bayescausal.inference.settings import Settings
from bayescausal.model.build import build
from bayescausal.model.lifts import lift_data
from bayescausal.model.scm import compile_scm
from bayescausal.specs.spec import Spec


@dataclass(frozen=True, eq=False)
class Refits:
    """Refits of a fit without some of its tests, with its settings.

    The error of a test that is left out is `OFF` times as large, so that its term is a constant:
    what is sampled is the posterior without it. Its spec has no such test, and prior draws are
    those of the fit, as no prior depends on a test.

    What the fit compiled serves every refit by blackjax. Other samplers, a test that alone brings a
    node into the model (the equations are others without it) and a fit with augmentation (its rows
    follow from a first fit, which sees the tests) are compiled anew.

    Parameters
    ----------
    fit : Fit
    """

    fit: Fit

    @cached_property
    def settings(self) -> Settings:
        """Those of the fit, without a progress bar."""
        return replace(Settings.from_dict(self.fit.info["settings"]), progress=False)

    def _density(self) -> Density:
        spec, data = self.fit.spec, self.fit.data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OverlappingExperiments)  # one of the two may go
            return compile_jax(build(spec, data))

    def refit(self, names: Collection[str], seed: int | None = None) -> Fit:
        """Fit again without these tests; raise a SpecError when there is no such test."""
        fit, settings = self.fit, self.settings
        arguments = lift_data(fit.spec, fit.data, excluded=names)
        spec = spec_without(fit.spec, names)
        alike = spec.structure == fit.spec.structure and fit.spec.augmentation is None
        seed = checks.seed_or_drawn("seed", seed)
        if settings.sampler != "blackjax" or not alike:
            return fit_with(settings, spec, fit.data, seed)
        sampler = whitened(self._density(), arguments)
        scm = compile_scm(spec, fit.data)
        return sampled(scm, sampler, fit.theta("prior"), settings, seed)


def spec_without(spec: Spec, names: Collection[str]) -> Spec:
    """Return a spec without these tests, and without the covariances that others have with them."""
    tests = tuple(
        replace(test, covariance={k: c for k, c in test.covariance.items() if k not in names})
        for test in spec.experiments
        if test.name not in names
    )
    return replace(spec, experiments=tests)
