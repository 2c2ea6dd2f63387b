"""Refit a model without some of its tests: data switch them off, so the program is the same."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import replace

from bayescausal import checks
from bayescausal.errors import OverlappingExperiments
from bayescausal.inference.compile import compile_jax
from bayescausal.inference.fit import Fit
from bayescausal.inference.fitting import fit_with, sampled
from bayescausal.inference.sample import whitened
from bayescausal.inference.settings import Settings
from bayescausal.model.build import build
from bayescausal.model.lifts import lift_data
from bayescausal.model.scm import compile_scm
from bayescausal.specs.spec import Spec


def refit_without(fit: Fit, names: Collection[str], seed: int | None = None) -> Fit:
    """Fit again without these tests, with the settings of the fit and without a progress bar.

    The error of a test that is left out is `OFF` times as large, so that its term is a constant:
    what is sampled is the posterior without it, by the program of the fit. The spec of the refit
    has no such test, and its prior draws are those of the fit, as no prior depends on a test.

    Other samplers than blackjax, a test that alone brings a node into the model (the equations are
    others without it) and a fit with augmentation (its rows follow from a first fit, which sees the
    tests) are compiled anew.

    Parameters
    ----------
    fit : Fit
    names : collection of str
    seed : int, optional

    Raises
    ------
    SpecError
        There is no such test.
    """
    settings = replace(Settings.from_dict(fit.info["settings"]), progress=False)
    arguments = lift_data(fit.spec, fit.data, excluded=names)
    spec = spec_without(fit.spec, names)
    alike = spec.structure == fit.spec.structure and fit.spec.augmentation is None
    seed = checks.seed_or_drawn("seed", seed)
    if settings.sampler != "blackjax" or not alike:
        return fit_with(settings, spec, fit.data, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlappingExperiments)  # one of the two may go
        density = compile_jax(build(fit.spec, fit.data))
    scm = compile_scm(spec, fit.data)
    return sampled(scm, whitened(density, arguments), fit.theta("prior"), settings, seed)


def spec_without(spec: Spec, names: Collection[str]) -> Spec:
    """Return a spec without these tests, and without the covariances that others have with them."""
    tests = tuple(
        replace(test, covariance={k: c for k, c in test.covariance.items() if k not in names})
        for test in spec.experiments
        if test.name not in names
    )
    return replace(spec, experiments=tests)
