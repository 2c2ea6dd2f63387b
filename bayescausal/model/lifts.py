"""Experiments as likelihood terms: `contrast.measure` of a test, and how it was measured."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import stats

from bayescausal._types import Array
from bayescausal.data.dataset import Dataset
from bayescausal.errors import OverlappingExperiments, SpecError, did_you_mean
from bayescausal.experiments.experiment import Experiment, correlated, error_covariance
from bayescausal.model.contrast import measure
from bayescausal.model.excerpts import measures
from bayescausal.model.scm import Equations
from bayescausal.specs.compatibility import age, overlapping
from bayescausal.specs.spec import Spec

OFF = 1e8
"""A term is switched off by an error that is this many times larger: its gradient is nil."""


class Term(NamedTuple):
    """One likelihood term: its name, its experiments, and the names of its data.

    ``observed`` holds the lift, or the lifts; ``error`` the standard deviation of the measurement,
    or the covariance matrix of several.
    """

    name: str
    tests: tuple[Experiment, ...]

    @property
    def observed(self) -> str:
        """Name of the measured lift in the model."""
        return f"{self.name}:observed"

    @property
    def error(self) -> str:
        """Name of the error in the model."""
        return f"{self.name}:{'covariance' if len(self.tests) > 1 else 'sd'}"


def terms(spec: Spec) -> tuple[Term, ...]:
    """Return the terms of a spec: ``lift:<name>``, in its order, then groups ``lift:<a>+<b>``."""
    groups = correlated(spec.experiments)
    single = [test for test in spec.experiments if (test,) in groups]
    several = [group for group in groups if len(group) > 1]
    return tuple(
        Term("lift:" + "+".join(str(test.name) for test in group), group)
        for group in [*((test,) for test in single), *several]
    )


def on_model_scale(test: Experiment) -> Experiment:
    """Return a test on the scale on which it enters the model: a cost as the return, its inverse.

        c +/- s   enters as   1/c +/- s/c^2

    A cost has a pole where the effect is zero, which is where chains start; it was computed from
    an effect anyway, whose error is normal. Every other test enters as it is.
    """
    if test.estimand.scale != "cost":
        return test
    slope = test.lift**-2
    return replace(
        test,
        estimand=replace(test.estimand, scale="per_spend"),
        lift=1 / test.lift,
        std_error=test.std_error * slope,
        bias_sd=test.bias * slope,
        covariance={},
    )


def error_sd(test: Experiment, data: Dataset) -> float:
    """Return the sd of a measurement as it is entered: its error, grown by its age, and bias."""
    return on_model_scale(test).sd_at(age(test, data))


def lift_data(spec: Spec, data: Dataset, excluded: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Return what the terms are given, by the names of their `pymc.Data`.

    Parameters
    ----------
    spec, data : Spec, Dataset
    excluded : collection of str
        Experiments to switch off: their error is `OFF` times as large and tied to no other. Give
        the result to ``pymc.set_data``: the model stays as it was compiled.

    Returns
    -------
    dict of str to array
        ``lift:<name>:observed`` and ``lift:<name>:sd``, or ``:covariance``.
    """
    names = [str(test.name) for test in spec.experiments]
    for name in excluded:
        if name not in names:
            raise SpecError(
                f"There is no experiment '{name}'. There is {', '.join(names) or 'none'}."
                f"{did_you_mean(name, names)}"
            )
    measurements = {}
    for term in terms(spec):
        measurements[term.observed] = np.array([on_model_scale(test).lift for test in term.tests])
        is_excluded = np.array([test.name in excluded for test in term.tests])
        sds = np.array([error_sd(test, data) for test in term.tests]) * np.where(
            is_excluded, OFF, 1.0
        )
        slopes = [-(t.lift**-2) if t.estimand.scale == "cost" else 1.0 for t in term.tests]
        covariance = error_covariance(term.tests, sds / np.abs(slopes)) * np.outer(slopes, slopes)
        keeps_covariance = np.eye(len(is_excluded), dtype=bool) | ~(
            is_excluded[:, None] | is_excluded
        )
        measurements[term.error] = np.where(keeps_covariance, covariance, 0.0)
        if len(term.tests) == 1:
            measurements[term.observed], measurements[term.error] = (
                measurements[term.observed][0],
                sds[0],
            )
    return measurements


def predict_lift(equations: Equations, test: Experiment) -> Array:
    """Return its share of the effect, what a test would measure without error, `on_model_scale`."""
    return test.share * measure(equations, on_model_scale(test).estimand)


def predict_lifts(equations: Equations, tests: Sequence[Experiment]) -> dict[str, Array]:
    """Return `predict_lift` of tests by their names, in a compiled model."""
    effects = measures(equations, [on_model_scale(test).estimand for test in tests])
    return {
        str(test.name): test.share * effect for test, effect in zip(tests, effects, strict=True)
    }


def remeasured(equations: Equations, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return `lift_data` as the tests would measure it in one world, with errors drawn anew.

    Parameters
    ----------
    equations : Equations
        Of one draw: a leading dim of length one.
    rng : numpy Generator
    """
    scm = equations.scm
    measurements = lift_data(scm.spec, scm.data)
    for term in terms(scm.spec):
        effects = [predict_lift(equations, test) for test in term.tests]
        center = np.concatenate([np.ravel(effect) for effect in effects])
        error, nu = measurements[term.error], term.tests[0].nu
        if len(term.tests) > 1:
            measurements[term.observed] = rng.multivariate_normal(center, error)
        else:
            shock = rng.standard_normal() if nu is None else rng.standard_t(nu)
            measurements[term.observed] = np.array(center[0] + error * shock)
    return measurements


def lift_log_density(equations: Equations, measurements: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the joint log density of all experiments at each draw, as the likelihood has it.

    Parameters
    ----------
    equations : Equations
        For numpy, with one draw dim.
    measurements : mapping of str to array
        As `lift_data` returns them.
    """
    total = np.zeros(equations.draws)
    for term in terms(equations.scm.spec):
        observed, error = measurements[term.observed], measurements[term.error]
        effects = [predict_lift(equations, test) for test in term.tests]
        nu = term.tests[0].nu
        if len(effects) > 1:
            deviations = observed - np.stack(np.broadcast_arrays(*effects), axis=-1)
            total = total + stats.multivariate_normal.logpdf(deviations, cov=error)
        elif nu is None:
            total = total + stats.norm.logpdf(observed, effects[0], error)
        else:
            total = total + stats.t.logpdf(observed, nu, effects[0], error)
    return total


def add_lifts(equations: Equations) -> None:
    """Add the terms of all experiments to the model in whose context this is called.

    lift ~ Normal(share * effect, sd),  StudentT(nu, ...),  or MvNormal(..., covariance)
    """
    scm = equations.scm
    for a, b in overlapping(scm.spec, scm.data):
        warnings.warn(
            f"The experiments '{a.name}' and '{b.name}' saw the same units of the same channel in "
            "the same weeks, and count as two independent measurements. If they share a control, "
            f"or are two readings of one test, say so: covariance={{'{b.name}': ...}} in "
            f"'{a.name}' (the variance of the shared control's mean), or keep one; if they are "
            "independent, give 0.",
            OverlappingExperiments,
            stacklevel=3,
        )
    measurements = {
        name: pm.Data(name, value) for name, value in lift_data(scm.spec, scm.data).items()
    }
    predictions = predict_lifts(equations, scm.spec.experiments)
    for term in terms(scm.spec):
        observed, error = measurements[term.observed], measurements[term.error]
        effects = [predictions[str(test.name)] for test in term.tests]
        nu = term.tests[0].nu
        if len(effects) > 1:
            pm.MvNormal(term.name, mu=pt.stack(effects), cov=error, observed=observed)
        elif nu is None:
            pm.Normal(term.name, mu=effects[0], sigma=error, observed=observed)
        else:
            pm.StudentT(term.name, nu=nu, mu=effects[0], sigma=error, observed=observed)
