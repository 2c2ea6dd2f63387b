"""The tests of a fit, and its posterior without some of them, by importance sampling."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from bayescausal.errors import NotConverged, SpecError
from bayescausal.experiments.experiment import Experiment
from bayescausal.inference import importance
from bayescausal.inference.convergence import ess
from bayescausal.inference.fit import Fit, lift_draws
from bayescausal.model.lifts import lift_data, on_model_scale, terms
from bayescausal.queries.questions import require_defined
from bayescausal.thresholds import pareto_k_limit

PROB = 0.9
_ERRORS = 41  # quantiles of the error that are added to each draw of an effect


class LeftOut(NamedTuple):
    """The tests of a fit by name, and the densities that importance weights take out again."""

    experiments: dict[str, Experiment]
    effects: dict[str, np.ndarray]
    errors: dict[str, float]
    covariance: dict[tuple[str, str], float]
    term: dict[str, str]
    density: dict[str, np.ndarray]

    def importance_weights(self, *names: str) -> tuple[np.ndarray, float, bool]:
        """Return weights without these tests, Pareto k, and whether it is low enough to trust.

        w  ~  1 / prod p(lift | theta),   smoothed;   k < min(0.7, 1 - 1 / log10(draws))
        """
        term_names = sorted({self.term[name] for name in names})
        density = np.sum([self.density[term] for term in term_names], axis=0)
        logs, k = smoothed(density)
        weights = np.exp(logs - logs.max())
        return weights / weights.sum(), k, bool(k < pareto_k_limit(density.size))

    def group(self, name: str) -> tuple[str, ...]:
        """Return the tests that are left out together, as covariances tie them to this one."""
        return tuple(sorted(n for n in self.experiments if self.term[n] == self.term[name]))

    def moments(self, name: str, weights: np.ndarray) -> tuple[float, float]:
        """Return the weighted mean and sd of the effect of a test."""
        draws = self.effects[name].ravel()
        mean = float(weights @ draws)
        return mean, float(np.sqrt(weights @ (draws - mean) ** 2))

    def z(self, name: str, mean: float, sd: float) -> float:
        """Return the z-score of the lift against an effect with this mean and sd."""
        return (self.experiments[name].lift - mean) / float(np.hypot(sd, self.errors[name]))


def smoothed(density: np.ndarray) -> tuple[np.ndarray, float]:
    """Return Pareto-smoothed logarithms of the weights ``1 / p``, and Pareto k.

    ``density`` has log p, shape ``(chain, draw)``; chains are joined.
    """
    return importance.smoothed(-density.ravel(), efficiency(density))


def efficiency(logs: np.ndarray) -> float:
    """Return effective draws for each draw of logarithms of weights, ``(chain, draw)``."""
    return min(1.0, ess(logs, "bulk") / logs.size)


def required(fit: Fit) -> tuple[Experiment, ...]:
    """Return the experiments of a fit; raise when it has none."""
    if not fit.spec.experiments:
        raise SpecError(
            "The fit has no experiments. Give them to the spec, Spec(..., experiments=[...]), and "
            "fit again; tests to compare with go to reconcile(fit, tests)."
        )
    return fit.spec.experiments


def gather(fit: Fit) -> LeftOut:
    """Evaluate the tests of a fit: effects, errors, log densities of their terms."""
    tests = {str(test.name): on_model_scale(test) for test in required(fit)}
    effects = {
        name: require_defined(lift_draws(fit, test), test.estimand) for name, test in tests.items()
    }
    gathered = LeftOut(tests, effects, {}, {}, {}, {})
    data = lift_data(fit.spec, fit.data)
    for term in terms(fit.spec):
        names = [str(test.name) for test in term.tests]
        gathered.term.update(dict.fromkeys(names, term.name))
        error = data[term.error]
        matrix = error if len(names) > 1 else np.atleast_2d(error**2)
        gathered.errors.update(zip(names, np.sqrt(np.diag(matrix)).tolist(), strict=True))
        for i, j in combinations(range(len(names)), 2):
            gathered.covariance[names[i], names[j]] = float(matrix[i, j])
        residual = np.stack([tests[name].lift - effects[name] for name in names], axis=-1)
        if len(names) > 1:
            gathered.density[term.name] = stats.multivariate_normal(cov=matrix).logpdf(residual)
        else:
            law = error_law(tests[names[0]], gathered.errors[names[0]])
            gathered.density[term.name] = law.logpdf(residual[..., 0])
    return gathered


def error_law(test: Experiment, sd: float) -> Any:
    """Return the law of the error of a measurement, with its possible bias."""
    return stats.norm(scale=sd) if test.nu is None else stats.t(test.nu, scale=sd)


def predictive(draws: np.ndarray, error: Any, prob: float, prefix: str = "") -> dict[str, float]:
    """Return the median and mean of an effect, and the predictive interval of a lift.

    Every draw meets the same quantiles of the error, so that the interval adds no noise.
    """
    levels = (np.arange(_ERRORS) + 0.5) / _ERRORS
    lifts = (draws[:, None] + error.ppf(levels)).ravel()
    low, high = np.quantile(lifts, [(1 - prob) / 2, (1 + prob) / 2])
    numbers = {"median": np.median(draws), "mean": draws.mean(), "low": low, "high": high}
    return {prefix + key: float(value) for key, value in numbers.items()}


def refit_advice(names: Sequence[str], k: float) -> str:
    """Say that a posterior without these tests needs a refit."""
    argument = repr(names[0]) if len(names) == 1 else list(names)
    return f"Importance sampling is unreliable (k = {k:.2f}): look at leave_out(fit, {argument})."


def warn_of(fit: Fit) -> None:
    """Warn when a fit has not converged; the warning points at the caller of the verb."""
    if not fit.convergence.converged:
        warnings.warn(str(fit.convergence), NotConverged, stacklevel=4)
