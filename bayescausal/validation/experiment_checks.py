"""Experiments against the model: checks, conflicts, held-out tests.

The tables here are diagnostics: they reduce draws, as `diagnose` does, to say whether a number can
be relied on. They are not effects; those stay draws until `summarize`.

A test enters its table as it enters the model: a cost as its inverse, the return.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import WIDTH, Page
from bayescausal.errors import ExperimentConflict, SpecError, shown
from bayescausal.experiments.experiment import Experiment
from bayescausal.identification.grades import Letter
from bayescausal.inference.fit import Fit, lift_draws
from bayescausal.inference.verb import verb
from bayescausal.model.lifts import error_sd, on_model_scale
from bayescausal.queries.questions import require_defined
from bayescausal.specs.compatibility import check
from bayescausal.thresholds import COMPARABLE_R2, ONE_QUANTITY_VARIANCE, TEST_CONFLICT
from bayescausal.validation.importance_sampling import (
    PROB,
    LeftOut,
    error_law,
    gather,
    predictive,
    refit_advice,
    warn_of,
)


@dataclass(frozen=True, repr=False)
class Conflict(Page):
    """A test that the rest of the fit contradicts, or two tests that contradict each other.

    Parameters
    ----------
    names : tuple of str
        One test, against the data and all other tests; or two, against each other.
    z : float
        The size of the disagreement in its own standard deviations.
    lifts : tuple of float
        What each test found.
    without : tuple of float
        What the posterior without that test implies for it: the mean of its effect.
    pareto_k : float
        Reliability of the importance sampling that left the tests out.
    trusted : bool
        Whether ``z`` can be relied on; otherwise `leave_out` settles it. For two readings of one
        quantity it can, whatever k.
    """

    names: tuple[str, ...]
    z: float
    lifts: tuple[float, ...]
    without: tuple[float, ...]
    pareto_k: float
    trusted: bool

    @property
    def sentence(self) -> str:
        """Say what disagrees, what each side implies, and what to do."""
        sides = [
            f"'{name}' found {lift:.4g}, where all but '{name}' imply {implied:.4g}"
            for name, lift, implied in zip(self.names, self.lifts, self.without, strict=True)
        ]
        if len(self.names) == 1:
            text = (
                f"The test {sides[0]} (z = {self.z:.1f}). Suspect its window, its units or its "
                "bias, or a common cause that the graph leaves out."
            )
        else:
            text = (
                f"The tests '{self.names[0]}' and '{self.names[1]}' disagree with each other "
                f"(z = {self.z:.1f}): {sides[0]}; {sides[1]}. Both cannot be right as they stand: "
                "look for what differed, or give the weaker one a bias_sd."
            )
        return text if self.trusted else f"{text} {refit_advice(self.names, self.pareto_k)}"

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, eq=False, repr=False)
class Reconciliation(Page):
    """The result of `reconcile`; prints as a page.

    Parameters
    ----------
    table : pandas.DataFrame
        By test: ``lift, sd, median, mean, low, high, z, covers``, and the ``grade`` of its effect.
    prob : float
        Probability inside ``low``..``high``.
    problem : str
        Why the fit has not converged; empty when it has.
    """

    table: pd.DataFrame
    prob: float
    problem: str = ""

    @property
    def covered(self) -> int:
        """Number of tests whose lift lies in the model's predictive interval."""
        return int(self.table["covers"].sum())

    @property
    def sentence(self) -> str:
        """Say how many tests are covered, how many to expect, and which are missed."""
        count = len(self.table)
        text = (
            f"{self.covered} of {count} held-out {'test lies' if count == 1 else 'tests lie'} in "
            f"the {self.prob:.0%} predictive interval of the model; {self.prob * count:.1f} are "
            "expected of a model that is right."
        )
        missed = self.table.loc[~self.table["covers"], "z"]
        if len(missed):
            listed = ", ".join(f"'{name}' (z = {z:.1f})" for name, z in missed.items())
            text += f" Missed: {listed}."
        unknown = self.table.index[self.table["grade"] == Letter.X]
        if len(unknown):
            text += (
                f" Not identified by the graph: {', '.join(map(repr, unknown))}; there the priors "
                "set the interval, and to lie in it says little."
            )
        return text

    def __str__(self) -> str:
        head = f"{self.problem}\n\n" if self.problem else ""
        return f"{head}{self.table.round(3).to_string(line_width=WIDTH)}\n\n{self.sentence}"


@verb
def check_experiments(fit: Fit) -> pd.DataFrame:
    """Compare every test with the prior, the posterior, and the posterior without that test.

        z = (lift - E[effect]) / sqrt(Var[effect] + sd^2)

    A test that was used pulls the posterior to itself: ``z`` and ``p`` are too kind to it. The
    honest pair is ``loo_mean``, ``loo_z``, from the posterior without the test; tests that a
    covariance ties are left out together. Agreement says nothing about the graph.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    pandas.DataFrame
        By test, in the order of the spec. ``lift``, ``sd`` (its error and bias; the scale, for a
        Student-t). ``prior_median, prior_mean`` and ``median, mean`` of the effect; predictive
        ``prior_low, prior_high`` and ``low, high``: the 90 percent interval holds a lift, error
        included. ``z``; ``p``, two-sided and posterior
        predictive. ``loo_mean, loo_sd`` of the effect, ``loo_z``, ``pareto_k``; ``trusted``,
        whether they can be relied on, and ``advice`` when they cannot.

    Raises
    ------
    SpecError
        The fit has no experiments.

    Notes
    -----
    Weights are 1 / p(lift | theta), Pareto-smoothed. Source: Vehtari, Simpson, Gelman, Yao &
    Gabry (2024), Pareto smoothed importance sampling, JMLR 25; k below min(0.7, 1 - 1/log10(S)).

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.check_experiments(fit)[["lift", "loo_mean", "loo_z", "trusted"]]  # doctest: +SKIP
    """
    tests = gather(fit)
    warn_of(fit)
    rows = {}
    for name, test in tests.experiments.items():
        draws, error = tests.effects[name].ravel(), error_law(test, tests.errors[name])
        prior = lift_draws(fit, test, "prior").ravel()
        defined = prior[np.isfinite(prior)]
        cdf = float(error.cdf(test.lift - draws).mean())
        weights, k, trusted = tests.importance_weights(name)
        mean, sd = tests.moments(name, weights)
        advice = [] if trusted else [refit_advice(tests.group(name), k)]
        if len(defined) < len(prior):
            advice.append(
                f"The prior interval leaves out {len(prior) - len(defined)} of {len(prior)} draws "
                "in which the percentage is undefined; its mean does not exist."
            )
        rows[name] = {
            "lift": test.lift,
            "sd": tests.errors[name],
            **predictive(defined, error, PROB, "prior_"),
            **({"prior_mean": np.nan} if len(defined) < len(prior) else {}),
            **predictive(draws, error, PROB),
            "z": tests.z(name, float(draws.mean()), float(draws.std())),
            "p": 2 * min(cdf, 1 - cdf),
            "loo_mean": mean,
            "loo_sd": sd,
            "loo_z": tests.z(name, mean, sd),
            "pareto_k": k,
            "trusted": trusted,
            "advice": " ".join(advice),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment")
    table.attrs = {"prob": PROB, "posterior": fit.label}
    return table


@verb
def conflicts(fit: Fit, threshold: float = TEST_CONFLICT, strict: bool = False) -> list[Conflict]:
    """Name the tests that disagree with the data, or with each other.

    One test: `check_experiments`, ``|loo_z| > threshold``. Two tests i and j that share a
    treatment and an outcome, with the posterior without both, s the sign of the correlation r of
    their effects, and t their standard deviations:

        z = (r_i - s r_j) / sqrt(2 (1 - |r|) + v_i / t_i^2 + v_j / t_j^2 - 2 s c_ij / (t_i t_j)),
        r_i = (lift_i - E[effect_i]) / t_i

    with error variances v and covariance c. Where both effects are multiples of one coefficient
    this is the two-sample z of the coefficient, whatever the data say: two tests that agree with
    each other against the data are no pair. Effects whose r^2 is below one half share too little
    for a comparison, and are left to the first rule.

    Parameters
    ----------
    fit : Fit
    threshold : float
        Of |z|. At 2, one sound test in twenty is named.
    strict : bool
        Raise when there is a conflict.

    Returns
    -------
    list of Conflict
        Single tests, then pairs, by name. Those that were not found to disagree but for which
        importance sampling is unreliable are named in a warning.

    Raises
    ------
    ExperimentConflict
        With ``strict``; the message holds every sentence.
    SpecError
        The fit has no experiments, or the threshold is not positive.

    Examples
    --------
    >>> import bayescausal as bc
    >>> for conflict in bc.conflicts(fit):  # doctest: +SKIP
    ...     print(conflict)
    """
    if checks.number("conflicts: threshold", threshold) <= 0:
        raise SpecError(f"threshold is a positive number of standard deviations; got {threshold}.")
    tests = gather(fit)
    warn_of(fit)
    means: dict[str, float] = {}
    candidates: list[tuple[tuple[str, ...], float, float, bool]] = []
    for name in sorted(tests.experiments):
        weights, k, trusted = tests.importance_weights(name)
        means[name], sd = tests.moments(name, weights)
        candidates.append(((name,), tests.z(name, means[name], sd), k, trusted))
    for pair in combinations(sorted(tests.experiments), 2):
        if _comparable(fit, *(tests.experiments[name] for name in pair)):
            weights, k, trusted = tests.importance_weights(*pair)
            z, one_quantity = _pair_z(tests, *pair, weights)
            candidates.append((pair, z, k, trusted or one_quantity))
    results, unsure = [], []
    for names, z, k, trusted in candidates:
        if abs(z) > threshold:
            lifts = tuple(tests.experiments[name].lift for name in names)
            implied = tuple(means[name] for name in names)
            results.append(Conflict(names, z, lifts, implied, k, trusted))
        elif not trusted:
            unsure.append(" and ".join(f"'{name}'" for name in names))
    if unsure:
        warnings.warn(
            f"Importance sampling cannot leave out {'; '.join(unsure)}: a conflict there may be "
            "larger than it looks. Look at leave_out(fit, [...]) without them.",
            stacklevel=3,
        )
    if strict and results:
        raise ExperimentConflict(" ".join(conflict.sentence for conflict in results))
    return results


@verb
def reconcile(
    fit: Fit, experiments: Experiment | Iterable[Experiment], *, prob: float = PROB
) -> Reconciliation:
    """Compare the model with tests that it has not seen.

        lift ~ share * effect(theta) + error,   theta from the posterior

    A validation from outside. Few tests say little: a model whose intervals are half as wide
    as they should be still covers three of three in one case of five.

    Parameters
    ----------
    fit : Fit
    experiments : Experiment or iterable of Experiment
        Held-out tests, of anything that the model has.
    prob : float
        Probability of the predictive interval.

    Returns
    -------
    Reconciliation

    Raises
    ------
    SpecError
        No tests; one that is in the fit, or is tied to one by a covariance; one that the graph
        cannot answer.
    DataError
        A window or a unit that is not in the data.

    Examples
    --------
    >>> import bayescausal as bc
    >>> print(bc.reconcile(fit, held_out))  # doctest: +SKIP
    """
    tests = (experiments,) if isinstance(experiments, Experiment) else experiments
    if isinstance(tests, str | Mapping) or not isinstance(tests, Iterable):
        raise SpecError(
            f"reconcile takes experiments; got {shown(tests)}. Write [Experiment(...)]."
        )
    tests = tuple(tests)
    if not tests:
        raise SpecError("reconcile needs at least one held-out experiment; got none.")
    _require_held_out(fit, tests)
    check(replace(fit.spec, experiments=tests), fit.data)
    warn_of(fit)
    rows = {}
    for test in map(on_model_scale, tests):
        draws = require_defined(lift_draws(fit, test), test.estimand).ravel()
        sd = error_sd(test, fit.data)
        interval = predictive(draws, error_law(test, sd), prob)
        rows[str(test.name)] = {
            "lift": test.lift,
            "sd": sd,
            **interval,
            "z": (test.lift - interval["mean"]) / float(np.hypot(draws.std(), sd)),
            "covers": interval["low"] <= test.lift <= interval["high"],
            "grade": fit.evidence.grade(test.estimand).letter,
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment")
    return Reconciliation(table, prob, fit.convergence.remark)


def _comparable(fit: Fit, a: Experiment, b: Experiment) -> bool:
    """Whether two tests share a treatment and an outcome."""
    outcome = fit.spec.outcome_of
    shared = {*a.estimand.treatments} & {*b.estimand.treatments}
    return bool(shared) and outcome(a.estimand) == outcome(b.estimand)


def _pair_z(tests: LeftOut, a: str, b: str, weights: np.ndarray) -> tuple[float, bool]:
    """Return the z-score of two tests' difference, and whether their effects are one quantity.

    `conflicts` defines the score, which is 0 for unrelated effects. For one quantity the weights,
    good or bad, cancel from it.
    """
    means, sds = zip(*(tests.moments(name, weights) for name in (a, b)), strict=True)
    if not all(sds):
        return 0.0, False
    sides = list(zip((a, b), means, sds, strict=True))
    first, second = ((tests.effects[name].ravel() - mean) / sd for name, mean, sd in sides)
    r = float(weights @ (first * second))
    if r**2 < COMPARABLE_R2:
        return 0.0, False
    residuals = [(tests.experiments[name].lift - mean) / sd for name, mean, sd in sides]
    sign, variance = np.sign(r), 2 * max(0.0, 1 - abs(r))
    shared = tests.covariance.get((a, b), tests.covariance.get((b, a), 0.0)) / (sds[0] * sds[1])
    noise = sum((tests.errors[name] / sd) ** 2 for name, _, sd in sides) - 2 * sign * shared
    z = (residuals[0] - sign * residuals[1]) / np.sqrt(variance + noise)
    return float(z), bool(variance < ONE_QUANTITY_VARIANCE * noise)


def _require_held_out(fit: Fit, tests: Sequence[Experiment]) -> None:
    used = fit.spec.experiments
    names = [str(test.name) for test in used]
    for test in tests:
        if not isinstance(test, Experiment):
            raise SpecError(f"reconcile takes experiments; got {test!r}.")
        twins = [u.name for u in used if (u.estimand, u.lift) == (test.estimand, test.lift)]
        if test.name in names or twins:
            raise SpecError(
                f"The test '{test.name}' is in the fit"
                f"{f' as {twins[0]!r}' if twins and test.name not in names else ''}, so it cannot "
                "validate it. Give tests that were held out, or fit without it: "
                f"leave_out(fit, '{twins[0] if twins else test.name}')."
            )
        relatives = sorted({*test.covariance} & {*names}) + [
            str(u.name) for u in used if test.name in u.covariance
        ]
        if relatives:
            raise SpecError(
                f"The test '{test.name}' shares errors with '{relatives[0]}', which is in the fit, "
                f"so it is no independent check. Fit without both, or add '{test.name}' to the "
                "spec."
            )
