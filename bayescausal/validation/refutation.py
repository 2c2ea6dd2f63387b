"""`refute`: fit altered worlds again, in which it is known what should come out."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import TablePage
from bayescausal._types import Node
from bayescausal.errors import SpecError
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.inference.fit import Fit, total_effect
from bayescausal.inference.settings import Settings
from bayescausal.inference.verb import verb
from bayescausal.queries.questions import channels_for
from bayescausal.thresholds import DRAFT_GAP, USABLE_REFITS
from bayescausal.validation.refutation_verdicts import Results, Verdict
from bayescausal.validation.refuters import Plan, Refuter, World, as_refuter
from bayescausal.validation.status import Status
from bayescausal.validation.world_refits import CompiledOnce, Job, reduced, run

_FEWEST = 4  # refits of which anything is said
_COMPILING = 0.5  # share of the first compilation that a refit of the same structure repeats
_REFERENCE = "reference"
_CHECKED = 3  # worlds that NUTS fits too, where refits are drafts
_SHOWN = ["world", "median", "low", "high", "truth", "z", "problem"]


@dataclass(frozen=True, eq=False, repr=False)
class Refutation(TablePage):
    """What refits in altered worlds say of the total effect of a treatment.

    Parameters
    ----------
    method : Refuter
        What was altered, as `PlaceboShift`.
    treatment, outcome : str
    status : {"pass", "look", "fail", "not run"}
        "pass" says that this attempt to refute the number failed, not that it is right.
    sentence : str
        What follows, with its numbers.
    p_value : float
        NaN where there is no null hypothesis; ``p_meaning`` says of what it is the share. Never
        below ``1 / (refits + 1)``.
    p_meaning : str
    interval : (float, float) or None
        Of the effect, by bootstrap or jackknife, in units of the outcome.
    table : pandas.DataFrame
        A row a refit: ``world``; ``median``, ``sd`` (half the distance from 16 to 84 percent),
        ``low`` and ``high`` of the total effect; ``truth``, the effect in that world where it is
        known; ``z = (median - truth) / sd``; ``seconds``; and the ``problem`` for which its numbers
        do not count, empty when there is none.
    reference : pandas.Series
        ``median``, ``sd``, ``low`` and ``high`` of the effect that they are compared with: that of
        the fit, or, as ``notes`` then say, of a fit without some tests and with other priors.
    prob : float
        Probability inside the intervals.
    notes : tuple of str
        What else was changed, and which refits do not count.
    draft_gap : float, optional
        None where NUTS made the refits. Where they are drafts, how far the median of one was from
        that of NUTS in the same world, at most, in standard deviations of NUTS; NaN when it could
        not be compared.
    """

    method: Refuter
    treatment: Node
    outcome: Node
    status: Status
    sentence: str
    p_value: float
    p_meaning: str
    interval: tuple[float, float] | None
    table: pd.DataFrame
    reference: pd.Series
    prob: float
    notes: tuple[str, ...] = ()
    draft_gap: float | None = None

    @property
    def usable(self) -> pd.DataFrame:
        """The rows of the table whose numbers count."""
        return self.table[self.table["problem"] == ""]

    @property
    def title(self) -> str:
        """The method, the effect and the status, in a line; and whether refits are drafts."""
        name = self.method.name.capitalize()
        drafts = "" if self.draft_gap is None else " (DRAFTS)"
        return f"{name} of {self.treatment} on {self.outcome}{drafts}: {self.status}"

    def __str__(self) -> str:
        table = self.table[_SHOWN].dropna(axis="columns", how="all")
        lines = [f"{self.title}. {self.sentence}", *self.notes]
        return "\n".join([*lines, "", table.to_string(na_rep="", float_format="{:,.3g}".format)])

    def _repr_html_(self) -> str:
        lines = [f"<b>{escape(self.title)}.</b> {escape(self.sentence)}", *map(escape, self.notes)]
        paragraphs = [f"<p>{line}</p>" for line in lines]
        return "".join([*paragraphs, self.table[_SHOWN].round(3).to_html(border=0, na_rep="")])


@verb
def refute(
    fit: Fit,
    treatment: Node,
    method: Refuter | str = "placebo shift",
    *,
    outcome: Node | None = None,
    refits: int | None = None,
    draft: bool | None = None,
    prob: float = 0.9,
    executor: Executor | None = None,
    seed: int | None = None,
    progress: bool = True,
) -> Refutation:
    """Fit a model again in altered worlds, and compare what it says there with what should be.

        z = (median - truth) / sd,    p = (1 + #{ |z_k| >= |z| }) / (refits + 1)

    ``z`` without an index is that of the data, against zero. A number that passes was not refuted,
    which does not make it right: no refuter sees an unobserved common cause (`sensitivity` says
    how strong it would have to be).

    Parameters
    ----------
    fit : Fit
    treatment : str
        Its total effect, over all periods and units, against none of it.
    method : Refuter or str
        `PlaceboShift`, `PlaceboBlocks`, `DummyOutcome`, `BlockBootstrap`, `RandomCommonCause` or
        `LeftOutBlocks`; a name such as "placebo shift" stands for one with its defaults.
    outcome : str, optional
        Needed when the graph has several.
    refits : int, optional
        20 by default, and 10 left-out blocks; each takes about `seconds_per_refit`.
    draft : bool, optional
        Refit by ``method="laplace"``, which takes about half of the time (RESULTS), or by NUTS; by
        default as the fit was made. The first 3 worlds, and the one that is compared, are then
        fitted by NUTS too. Drafts with too large a Pareto k do not count, and nothing is said when
        medians are more than 0.3 standard deviations apart.
    prob : float
        Probability inside the intervals.
    executor : concurrent.futures.Executor, optional
        Where refits run beside each other. Without one they run here one after another, each with
        its chains in parallel; processes pay a start of some seconds each.
    seed : int, optional
        Drawn when left out.
    progress : bool
        Log each refit as it ends.

    Returns
    -------
    Refutation
        A refit that fails is a row that says why; the others go on.

    Raises
    ------
    SpecError
        The treatment does not reach the outcome, the fit has augmented rows, there is no such
        method, or the data are too short for it.

    Notes
    -----
    Refits are of one structure, compiled once, with the settings of the fit. Source: MODEL.md
    section 10.9; Sharma and Kiciman (2020), DoWhy, whose refuters shuffle rows, which cuts carry-
    over and memory: a naive placebo of an autocorrelated series is too easy to beat.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.refute(fit, "tv", bc.PlaceboShift(least=13), refits=39, seed=1)  # doctest: +SKIP
    """
    outcome = outcome or fit.spec.graph.outcome
    (treatment,) = channels_for(fit, [checks.name("refute: treatment", treatment)], outcome)
    estimand = incremental(treatment, outcome=outcome)
    fit.spec.check_estimand(estimand)
    if fit.plain is not None:
        raise SpecError("The fit has augmented rows. Ask refute(fit.plain, ...).")
    method = as_refuter(method)
    refits = method.refits if refits is None else checks.count("refute: refits", refits, _FEWEST)
    progress = checks.flag("refute: progress", progress)
    executor = checks.executor("refute: executor", executor)
    if draft is not None:
        draft = checks.flag("refute: draft", draft)
    plan_seed, *seeds = np.random.SeedSequence(checks.seed_or_drawn("seed", seed)).spawn(refits + 2)
    plan = method.plan(fit, estimand, refits, np.random.default_rng(plan_seed))
    rows = run(jobs_of(fit, plan, estimand, prob, draft, seeds), executor, progress)
    return _refutation(fit, method, estimand, plan, rows, prob)


def jobs_of(
    fit: Fit,
    plan: Plan,
    estimand: Estimand,
    prob: float,
    draft: bool | None,
    seeds: Sequence[np.random.SeedSequence],
) -> dict[int | str, Job]:
    """Return what is fitted: the worlds by number, and the reference where it is no fit yet.

    What drafts are compared with is fitted by NUTS: the reference, and some worlds again.
    """
    settings = Settings.from_dict(fit.info["settings"])
    method = settings.method if draft is None else ("laplace" if draft else "nuts")
    settings = replace(settings, method=method, sampler="blackjax", progress=False)
    worlds: dict[int | str, World] = dict(enumerate(plan.worlds))
    if plan.reference is not None:
        worlds[_REFERENCE] = plan.reference
    nodes = {*plan.spec.inputs, *plan.spec.modelled}
    is_known = nodes <= {*fit.data.columns}  # else columns were added, and all others are the fit's
    model = CompiledOnce.of(plan.spec, fit.data if is_known else plan.worlds[0].data)
    jobs = {
        key: Job(
            model, world.data, world.lifts, estimand, prob, settings, int(s.generate_state(1)[0])
        )
        for (key, world), s in zip(worlds.items(), seeds, strict=False)
    }
    if settings.is_draft:
        exact = replace(settings, method="nuts")
        checked = {_by_nuts(k): jobs[k] for k in range(min(_CHECKED, len(plan.worlds)))}
        checked |= {key: job for key, job in jobs.items() if key == _REFERENCE}
        jobs |= {key: job._replace(settings=exact) for key, job in checked.items()}
    return jobs


def _by_nuts(world: int) -> str:
    """Return the key of the refit by NUTS of a world."""
    return f"{world} by NUTS"


def _draft_gap(rows: dict[int | str, dict[str, Any]]) -> float | None:
    """Return how far drafts are from NUTS at most, in its sds; None where there are none."""
    pairs = [(rows[k], rows[_by_nuts(k)]) for k in range(_CHECKED) if _by_nuts(k) in rows]
    if not pairs:
        return None
    gaps = [
        abs(rough["median"] - exact["median"]) / exact["sd"]
        for rough, exact in pairs
        if not (rough["problem"] or exact["problem"])
    ]
    return max(gaps, default=np.nan)


def _refutation(
    fit: Fit,
    method: Refuter,
    estimand: Estimand,
    plan: Plan,
    rows: dict[int | str, dict[str, Any]],
    prob: float,
) -> Refutation:
    (treatment,), outcome = estimand.treatments, str(estimand.outcome)
    table = pd.DataFrame([rows[k] for k in range(len(plan.worlds))]).rename_axis("refit")
    table.insert(0, "world", [world.label for world in plan.worlds])
    table["truth"] = [world.truth for world in plan.worlds]
    table["z"] = (table["median"] - table["truth"]) / table["sd"]
    if plan.reference is None:
        numbers = {**reduced(total_effect(fit, estimand).ravel(), prob), "problem": ""}
        if not fit.convergence.converged:
            numbers["problem"] = str(fit.convergence)
    else:
        numbers = rows[_REFERENCE]
    reference = pd.Series({key: numbers[key] for key in ("median", "sd", "low", "high")})
    usable = table[table["problem"] == ""]
    notes = [*plan.notes]
    if dropped := len(table) - len(usable):
        problem = table.loc[table["problem"] != "", "problem"].iloc[0]
        notes.append(f"{dropped} of {len(table)} refits do not count; the first: {problem}")
    gap = _draft_gap(rows)
    if gap is not None:
        notes.append(
            f"Refits are drafts (method='laplace'). In {min(_CHECKED, len(table))} worlds NUTS was "
            f"asked too: medians differ by {gap:.2f} of its standard deviations at most."
        )
    obstacle = _obstacle(table, usable, str(numbers["problem"])) or _too_rough(gap)
    if obstacle:
        verdict = Verdict(Status.NOT_RUN, obstacle)
    else:
        verdict = method.judge(Results(treatment, usable, reference, prob))
    return Refutation(
        method, treatment, outcome, *_parts(verdict), table, reference, prob, tuple(notes), gap
    )


def _parts(verdict: Verdict) -> tuple[Status, str, float, str, tuple[float, float] | None]:
    meaning = verdict.meaning if verdict.status != Status.NOT_RUN else "None: nothing is said."
    return verdict.status, verdict.sentence, verdict.p_value, meaning, verdict.interval


def _obstacle(table: pd.DataFrame, usable: pd.DataFrame, reference_problem: str) -> str:
    """Return why nothing can be said; empty where something can."""
    if reference_problem:
        return f"The fit that refits are compared with cannot be used: {reference_problem}"
    if len(usable) < max(_FEWEST, USABLE_REFITS * len(table)):
        return (
            f"Only {len(usable)} of {len(table)} refits can be used, and those that cannot may be "
            f"those that differ. The first: {table.loc[table['problem'] != '', 'problem'].iloc[0]}"
        )
    return ""


def _too_rough(gap: float | None) -> str:
    """Return why drafts say nothing; empty where they may."""
    if gap is None or gap <= DRAFT_GAP:  # not so when it is NaN
        return ""
    return (
        f"Drafts cannot stand for NUTS here: in the same worlds their medians differ by {gap:.2f} "
        f"of its standard deviations ({DRAFT_GAP:g} is allowed). Write draft=False."
    )


def seconds_per_refit(fit: Fit) -> float:
    """Return about how long a refit takes on the machine of the fit, from its own times.

    Sampling, and half of the first compilation, which XLA need not repeat. A guess: a fit that
    read its program from disk gives too little, a busy machine too much.
    """
    run_info = fit.info["run"]
    return _COMPILING * run_info["compile_seconds"] + run_info["sample_seconds"]
