"""Rank planned tests by what they are expected to tell about an effect, or to be worth.

The table is a diagnostic, as those of `experiments`: it reduces draws to compare plans. Nothing is
refitted and no lift is simulated; the draws of the posterior stand for what is known before a test.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from bayescausal._display import described
from bayescausal._types import Array, Draws
from bayescausal.checks import number, several
from bayescausal.decisions.decision import Decision, payoffs
from bayescausal.decisions.sample_information import sample_information
from bayescausal.errors import DataError, NotConverged, SpecError
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.experiments.experiment import Experiment
from bayescausal.identification.question import as_estimand
from bayescausal.identification.status import Status
from bayescausal.inference.fit import Fit, edges_below, effect_draws
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import on_scale, outcomes, scope, spend_change
from bayescausal.model.scm import Equations
from bayescausal.queries.questions import checked_estimand, require_defined, require_variance
from bayescausal.queries.summary import NOT_CONVERGED, NOT_IDENTIFIED, draft_head

COMPARED = ("did", "geo-rct", "switchback", "synthetic-control")
"""Designs whose error the residuals can tell: they set one sum of the outcome against another."""

_POWER = 0.8
_PAYOFF_DRAWS = 1000
_SAID = ("value", "outcome", "tail_truncated", "rests_on", "statements", "advice")


@dataclass(frozen=True)
class Candidate:
    """A test that could be run, which is an `Experiment` without its lift.

    It acts in the periods of the data, as if it had been run in its window: spend, response and
    noise of a test to come are taken to be like those. It is not a forecast of next season.

    Parameters
    ----------
    estimand : Estimand
        What would be measured, with its window and units, on any modelled node.
    std_error : float, optional
        Its standard error, on the estimand's scale; by default the one expected from the model's
        residuals, see `rank_experiments`.
    design : str
        One of `DESIGNS`; its default bias widens the error of the test.
    cost : float, optional
        What the test costs, in a currency that all candidates share; that of the spend when they
        are ranked for a decision.
    name : str, optional
        Made from the treatments and the window otherwise.

    Raises
    ------
    SpecError
        Not an estimand, one off the panel or of scale ``cost``, an unknown design, a standard
        error or a cost that is not positive, a standard error that is missing where the
        residuals cannot tell it.

    Examples
    --------
    >>> tv = incremental("tv").during("2025-03-03", "2025-03-30")
    >>> Candidate(tv, std_error=120, cost=5000).name
    'tv_2025-03-03'
    """

    estimand: Estimand
    std_error: float | None = None
    design: str = "geo-rct"
    cost: float | None = None
    name: str | None = None

    __repr__ = described

    def __post_init__(self) -> None:
        _finite_variance("A candidate", self.estimand)
        if self.estimand.off_panel:
            raise SpecError(
                f"{self.estimand!r}: a candidate acts in the periods of the data. Leave off_panel "
                "out and give the window of the data that is most like the test to come."
            )
        std_error = 1.0 if self.std_error is None else self.std_error
        checked = Experiment(self.estimand, 0.0, std_error, self.design, name=self.name)
        object.__setattr__(self, "name", checked.name)
        if self.std_error is not None:
            object.__setattr__(self, "std_error", checked.std_error)
        elif self.design not in COMPARED:
            raise SpecError(
                f"Candidate '{self.name}': the model's residuals do not tell the standard error of "
                f"design='{self.design}', only that of {', '.join(COMPARED)}. Give std_error."
            )
        if self.cost is not None:
            object.__setattr__(self, "cost", number("Candidate: cost", self.cost))
            if self.cost <= 0:
                raise SpecError(
                    f"Candidate '{self.name}': cost must be positive; got {self.cost:g}. Leave it "
                    "out where it is not known."
                )


@verb
def rank_experiments(
    fit: Fit,
    candidates: Candidate | Iterable[Candidate],
    target: Estimand | str | None = None,
    utility: Decision | None = None,
    prob: float = 0.9,
) -> pd.DataFrame:
    """Rank tests by what each is expected to tell about an effect, or to be worth to a decision.

        EIG  = -1/2 log(1 - rho^2 var(t) / (var(t) + s^2))     nats about the target q
        EVSI = E_y[ max_a E[u_a | y] ] - max_a E[u_a]          currency, with ``utility``

    t is the effect that the test measures, s the sd of its error, rho the correlation of t and q
    over the posterior, y = t + Normal(0, s), u_a the payoff of plan a. EIG is exact when t and q
    are jointly normal. A test may tell much about an effect that no budget depends on: then its
    nats are many and its EVSI is nil.

    Parameters
    ----------
    fit : Fit
    candidates : Candidate or several
    target : Estimand or the name of a treatment, optional
        The effect to be learned, the same for all. By default each candidate has its own, the
        total effect of its treatments over all periods and units; nats about small effects then
        count as much as nats about large ones.
    utility : Decision, optional
        What the tests are for, such as `budget_plans`. Tests are then ranked by net value.
    prob : float
        Probability of the interval, ``lift +/- z s``, that is to exclude zero.

    Returns
    -------
    pandas.DataFrame
        By candidate: ``design``, ``periods`` in which it acts, ``tail`` periods counted after
        them, ``units``, ``moved_spend`` (active less control world; NaN without spend),
        ``std_error``, ``sd`` (with the bias of the design), ``target``, ``target_sd``, expected
        ``target_sd_after``, ``eig_nats``, ``eig_ranks`` (see Notes), ``power`` (mean over the
        posterior of the probability that the interval excludes zero), ``mde`` (the lift for which
        that is 0.8, ``(z + 0.84) s``), ``cost``, ``eig_per_cost``. With ``utility`` also ``evsi``,
        its Monte-Carlo error ``evsi_se``, ``evsi_ess`` (effective draws behind a choice; below a
        hundred EVSI is likely too low), ``evpi`` (what to know all would be worth, a bound),
        ``net_value`` (EVSI less cost; without cost NaN, and last), ``best_plan_now``. The
        attributes ``rests_on``, ``statements`` and ``value`` say what payoffs rest on.

    Raises
    ------
    SpecError, DataError
        No candidates, two of one name, a question that the model or the data cannot answer, a
        standard error that does not exist, a utility that is no Decision.

    Warns
    -----
    NotConverged

    Notes
    -----
    See `expected_std_error` for that of a candidate without one. ``eig_ranks`` is the EIG of normal
    scores and of the 90% width of t: where the two differ much, draws are far from normal, and
    neither is more than an order of magnitude. With n independent draws an effect that the test
    says nothing about shows about ``1 / (2n)`` nats.

    EVSI is over the window of the plans; what is gained or lost while the test runs is not in it.
    Where the graph does not identify the effects of the plans, priors set the payoffs: the
    columns are then headed NOT IDENTIFIED. Source: Lindley (1956), On a measure of the information
    provided by an experiment; Raiffa and Schlaifer (1961), and `sample_information`.

    Examples
    --------
    >>> tests = [Candidate(incremental(c).during("2025-03", "2025-04")) for c in ("tv", "social")]
    >>> rank_experiments(fit, tests, utility=budget_plans(fit))  # doctest: +SKIP
    """
    tests = _tests(candidates)
    if target is not None:
        target = as_estimand(target)
        _finite_variance("The target", target)
    if not fit.convergence.converged:
        warnings.warn(str(fit.convergence), NotConverged, stacklevel=3)
    pays = None if utility is None else payoffs(fit, utility, draws=_PAYOFF_DRAWS)
    rows = [_row(fit, test, target, prob, pays) for test in tests]
    table = pd.DataFrame(rows, index=pd.Index([str(t.name) for t in tests], name="candidate"))
    keys = ["eig_nats"] if pays is None else ["net_value", "evsi"]
    table = table.sort_index().sort_values(keys, ascending=False, kind="stable")
    table.attrs = {"prob": prob, "power": _POWER}
    return table if pays is None else _headed(table, pays)


class Information(NamedTuple):
    """The information of a test about a target, and the share of variance that remains."""

    nats: float
    by_ranks: float
    remaining: float


def information(tested: np.ndarray, target: np.ndarray, sd: float) -> Information:
    """Return the Gaussian information of a measurement ``tested + Normal(0, sd)`` about a target.

    Parameters
    ----------
    tested, target : array
        Draws of both, shape ``(n,)``.
    sd : float
        Of the measurement's error, above zero.

    Examples
    --------
    >>> t = ndtri((np.arange(1000) + 0.5) / 1000)
    >>> round(information(t, t, 1.0).remaining, 2)
    0.5
    """
    share = _correlation(tested, target) ** 2 * _signal(float(tested.std(ddof=1)), sd)
    low, high = np.quantile(tested, [0.05, 0.95])
    width = float((high - low) / (2 * ndtri(0.95)))
    ranked = _correlation(_scores(tested), _scores(target)) ** 2 * _signal(width, sd)
    return Information(-0.5 * math.log1p(-share), -0.5 * math.log1p(-ranked), 1 - share)


def expected_std_error(fit: Fit, estimand: Estimand) -> float:
    """Return the standard error to expect of a test against a control of the same size.

        sqrt(2) median( sd of sum over counted unit-periods of the outcome's error )

    The outcome's error is its own, memory included (AR(1)), and a control of the same size is as
    noisy, whence sqrt(2). Errors of units are independent, as in the model. It is too small where
    mediators add noise of their own or no control of that size is left, too large where a period
    before the test explains noise away. For national data it is the noise of the nation.

    On the estimand's scale. With a log link errors are shares of the observed outcome, to first
    order. Not a posterior sd: uncertainty of the effect has no part in it.

    Raises
    ------
    DataError
        The errors have no variance: Student-t with two degrees of freedom or fewer.
    """
    scm, outcome = fit.scm, fit.spec.outcome_of(estimand)
    theta, counts = fit.theta(), scope(scm, estimand).counts
    log = fit.spec.link(outcome) == "log"
    size = scm.factual[outcome] if log else scm.scale[outcome]
    weight = np.atleast_2d(np.where(counts, size, 0.0))
    used = np.flatnonzero(weight.any(axis=0))
    weight = weight[:, used[0] : used[-1] + 1]
    sigma = scm.sigma(outcome, theta)
    variance = (sigma[..., 0] if scm.data.is_panel else sigma) ** 2
    if (nu := theta.get(f"{outcome}:nu")) is not None:
        variance = variance * np.where(nu > 2, nu / np.maximum(nu - 2, 1e-12), np.inf)[:, None]
    phi, lags = theta.get(f"{outcome}:phi", np.zeros(1))[:, None], np.arange(weight.shape[1])
    # The variance of a weighted sum of AR(1) errors, by lag: phi^k sigma^2 / (1 - phi^2) times
    # the overlap of the weights with themselves k periods later, which counts twice for k > 0.
    overlap = [(weight[:, k:] * weight[:, : len(lags) - k]).sum(axis=1) for k in lags]
    doubled = np.where(lags > 0, 2.0, 1.0)[:, None] * overlap
    summed = phi**lags @ doubled / (1 - phi**2)
    sd = math.sqrt(2 * float(np.median((variance * summed).sum(axis=-1))))
    if not math.isfinite(sd):
        raise DataError(
            f"The errors of '{outcome}' have so heavy tails that their sum has no standard "
            "deviation. Give the candidate its std_error."
        )
    level = _level(fit, estimand) if estimand.scale == "percent" else None
    return float(np.median(np.abs(on_scale(scm, estimand, np.array(sd), level))))


def _row(
    fit: Fit, test: Candidate, target: Estimand | None, prob: float, pays: Draws | None
) -> dict[str, Any]:
    estimand = checked_estimand(fit, test.estimand)
    aim = checked_estimand(fit, target or _own_target(fit, estimand))
    effects = require_defined(effect_draws(fit, estimand), estimand)
    tested, targets = effects.ravel(), require_defined(effect_draws(fit, aim), aim).ravel()
    error = test.std_error or expected_std_error(fit, estimand)
    sd = Experiment(estimand, 0.0, error, test.design).sd
    gain = information(tested, targets, sd)
    z = ndtri((1 + prob) / 2)
    masks = scope(fit.scm, estimand)
    units, acting = np.atleast_2d(masks.acts).any(axis=1), np.atleast_2d(masks.acts).any(axis=0)
    cost = math.nan if test.cost is None else test.cost
    target_sd = float(targets.std(ddof=1))
    last = int(np.flatnonzero(acting)[-1])
    row = {
        "design": test.design,
        "periods": int(acting.sum()),
        "tail": int(np.atleast_2d(masks.counts).any(axis=0)[last + 1 :].sum()),
        "units": int(units.sum()),
        "moved_spend": _spend(fit, estimand),
        "std_error": error,
        "sd": sd,
        "target": repr(aim),
        "target_sd": target_sd,
        "target_sd_after": target_sd * math.sqrt(gain.remaining),
        "eig_nats": gain.nats,
        "eig_ranks": gain.by_ranks,
        "power": float((ndtr(tested / sd - z) + ndtr(-tested / sd - z)).mean()),
        "mde": float(z + ndtri(_POWER)) * sd,
        "cost": cost,
        "eig_per_cost": gain.nats / cost,
    }
    return row if pays is None else row | _worth(pays, effects, sd, cost)


def _worth(pays: Draws, effects: np.ndarray, sd: float, cost: float) -> dict[str, Any]:
    """Return what a test is worth to a choice with these payoffs."""
    flat = pays.to_numpy().reshape(-1, pays.sizes["plan"])
    value = sample_information(flat, effects[:, pays["draw"].to_numpy()].ravel(), sd)
    return {
        "evsi": value.evsi,
        "evsi_se": value.error,
        "evsi_ess": value.ess,
        "evpi": value.evpi,
        "net_value": value.evsi - cost,
        "best_plan_now": str(pays["plan"].to_numpy()[flat.mean(axis=0).argmax()]),
    }


def _headed(table: pd.DataFrame, pays: Draws) -> pd.DataFrame:
    """Head the columns with a warning, as `summarize` does, when payoffs cannot be trusted."""
    table.attrs |= {key: pays.attrs[key] for key in _SAID if key in pays.attrs}
    if (pays["status"] == Status.NOT_IDENTIFIED).any():
        table.columns.name = NOT_IDENTIFIED
    if not pays.attrs["converged"]:
        table.columns.name = NOT_CONVERGED
    elif "draft" in pays.attrs:
        table.columns.name = draft_head(table)
    return table


def _tests(candidates: Candidate | Iterable[Candidate]) -> tuple[Candidate, ...]:
    tests = several(candidates, Candidate)
    if tests is None:
        raise SpecError(
            f"Rank Candidates; got {candidates!r}. Write [Candidate(incremental('tv'))]."
        )
    if not tests:
        raise SpecError("There are no candidates to rank. Write [Candidate(incremental('tv'))].")
    for test in tests:
        if not isinstance(test, Candidate):
            raise SpecError(f"{test!r} is not a Candidate. Write Candidate(incremental('tv')).")
    twice = sorted(name for name, n in Counter(str(t.name) for t in tests).items() if n > 1)
    if twice:
        raise SpecError(f"Two candidates are named '{twice[0]}'. Give them name=.")
    return tests


def _finite_variance(subject: str, estimand: Estimand) -> None:
    if not isinstance(estimand, Estimand):
        raise SpecError(
            f"{subject} is of an Estimand, such as incremental('tv'); got {estimand!r}."
        )
    require_variance(subject, estimand)


def _own_target(fit: Fit, estimand: Estimand) -> Estimand:
    """Return the total effect of a test's treatments, on what it measures if that is an outcome."""
    is_outcome = estimand.outcome in fit.spec.graph.outcomes
    return incremental(estimand.treatments, outcome=estimand.outcome if is_outcome else None)


def _spend(fit: Fit, estimand: Estimand) -> float:
    """Return the spend that a test moves; NaN when a treatment has no spend."""
    paid = set(estimand.treatments) <= set(fit.data.spend)
    return spend_change(fit.scm, estimand) if paid else math.nan


def _level(fit: Fit, estimand: Estimand) -> np.ndarray:
    """Draw the outcome of the control world, summed over the units and periods that count."""
    scm = fit.scm

    def summed(equations: Equations) -> Array:
        _, control, counts = outcomes(equations, estimand)
        total = np.where(counts, control, 0.0).sum(axis=tuple(range(-scm.depth, 0)))
        return np.broadcast_to(total, (equations.draws,))

    return fit.evaluate(summed, only=edges_below(fit.spec, estimand.treatments))


def _signal(spread: float, sd: float) -> float:
    return spread**2 / (spread**2 + sd**2)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return min(1.0, abs(float(a @ b)) / size) if size > 0 else 0.0


def _scores(draws: np.ndarray) -> np.ndarray:
    """Return the normal scores of the ranks (van der Waerden)."""
    return ndtri(rankdata(draws) / (len(draws) + 1))
