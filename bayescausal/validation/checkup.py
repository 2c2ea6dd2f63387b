"""`check`: the checks that make sense for a fit, on one graded page, within a time budget."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from itertools import product

import pandas as pd

from bayescausal import checks
from bayescausal._display import Page
from bayescausal._types import Node
from bayescausal.errors import BayesCausalError, SpecError
from bayescausal.identification.grades import Letter
from bayescausal.inference.carry_over import cut_in_words
from bayescausal.inference.evidence import channels as crediting_channels
from bayescausal.inference.evidence import question_name
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.thresholds import FEWEST_SIMULATIONS, MISSPECIFIED_P
from bayescausal.validation.calibration import calibrate
from bayescausal.validation.diagnostics import AUTOCORRELATION, Diagnostics, diagnose
from bayescausal.validation.experiment_checks import conflicts
from bayescausal.validation.independence import check_graph
from bayescausal.validation.misspecification import misspecification
from bayescausal.validation.overlap import Light, overlap
from bayescausal.validation.prior_sensitivity import CONFLICT, PRIOR_LED, prior_sensitivity
from bayescausal.validation.refutation import refute, seconds_per_refit
from bayescausal.validation.sensitivity import Sensitivity
from bayescausal.validation.status import Status, worst

BUDGET = 240.0
"""Seconds, by default."""

REFUTERS = ("placebo shift", "left-out blocks", "random common cause")
"""Which are tried while there is time, in this order."""

_REFITS = 19
"""The fewest that give a p-value of 5 percent."""


@dataclass(frozen=True)
class CheckRow:
    """One check: what it looks at, how it ended, and what follows.

    Parameters
    ----------
    name : str
    subject : str
        The effect, the node or the test that it is about; empty when it is about the whole fit.
    status : Status
    sentence : str
    seconds : float
    """

    name: str
    subject: str
    status: Status
    sentence: str
    seconds: float = 0.0


@dataclass(frozen=True, repr=False)
class Checkup(Page):
    """What the checks of a fit say, one page. Made by `check`.

    "pass" says that a check found nothing, with the power that its sentence states: not that the
    graph is right. "look" asks for a judgment, "fail" says that a number cannot be used as it
    stands, and "not run" says why.

    Parameters
    ----------
    rows : tuple of CheckRow
    """

    rows: tuple[CheckRow, ...]

    @property
    def status(self) -> Status:
        """The worst of all that were run."""
        return worst(row.status for row in self.rows)

    def with_status(self, *statuses: Status | str) -> tuple[CheckRow, ...]:
        """Return the rows that ended in one of these ways."""
        return tuple(row for row in self.rows if row.status in statuses)

    @property
    def sentence(self) -> str:
        """How many checks ended how."""
        counts = {status: len(self.with_status(status)) for status in Status}
        parts = [f"{count} {status}" for status, count in counts.items() if count]
        return f"{self.status.upper()}: {', '.join(parts)}."

    def to_frame(self) -> pd.DataFrame:
        """Return a row a check: ``check``, ``subject``, ``status``, ``sentence``, ``seconds``."""
        rows = [(r.name, r.subject, str(r.status), r.sentence, r.seconds) for r in self.rows]
        return pd.DataFrame(rows, columns=["check", "subject", "status", "sentence", "seconds"])

    def __str__(self) -> str:
        lines = [self.sentence]
        for status in reversed(Status):
            rows = self.with_status(status)
            lines += ["", f"{status.upper()}"] if rows else []
            for row in rows:
                subject = f" of {row.subject}" if row.subject else ""
                lines.append(f"  {row.name}{subject}: {row.sentence}")
        return "\n".join([*lines, "", CAVEAT])

    def _repr_html_(self) -> str:
        table = self.to_frame().to_html(border=0, index=False, float_format="{:.1f}".format)
        return f"<p><b>{escape(self.sentence)}</b></p>{table}<p>{escape(CAVEAT)}</p>"


CAVEAT = (
    "No check sees a common cause that nobody recorded. How strong one would have to be stands "
    "under hidden drivers; only a test or another design can exclude it."
)


@verb
def check(
    fit: Fit,
    *,
    budget: float = BUDGET,
    executor: Executor | None = None,
    seed: int | None = None,
) -> Checkup:
    """Run the checks that make sense for a fit, and grade each: pass, look, fail or not run.

    First what needs no refit: convergence, the errors, predictions, carry-over, what the graph
    identifies, the lift tests, the independences that the graph implies, overlap, the responses,
    the priors and hidden drivers. Then refuters, channel by channel, and a calibration by simulated
    data, while the budget lasts; what it does not last for is "not run", with the time it would
    take. Not a proof that the graph is right: a page of passes says that these attempts to find a
    fault found none.

    Parameters
    ----------
    fit : Fit
    budget : float
        Seconds. 0 leaves all refits out; what needs none is always run.
    executor : concurrent.futures.Executor, optional
        Where refits run beside each other, as in `refute`.
    seed : int, optional
        Of the refits; drawn when left out.

    Returns
    -------
    Checkup

    Raises
    ------
    SpecError
        The budget is negative, or ``executor`` is none.

    Examples
    --------
    >>> import bayescausal as bc
    >>> print(bc.check(fit, budget=120, seed=1))  # doctest: +SKIP
    """
    budget = checks.number("check: budget", budget)
    if budget < 0:
        raise SpecError(f"check: budget is in seconds, 0 or more; got {budget:g}.")
    executor = checks.executor("check: executor", executor)
    start = time.perf_counter()
    seed = checks.seed_or_drawn("seed", seed)
    end = start + budget
    rows = list(checks_without_refits(fit))
    rows += _refutations(fit, end, executor, seed)
    return Checkup((*rows, *_timed(fit, "calibration", partial(_calibration, end, executor, seed))))


type Rows = Iterable[tuple[str, Status, str]]


def checks_without_refits(fit: Fit) -> Iterator[CheckRow]:
    """Run what needs no refit; a check that cannot be run says why."""
    yield from _timed(fit, "convergence", _convergence)
    start = time.perf_counter()
    diagnostics = diagnose(fit)
    share = (time.perf_counter() - start) / 2  # of the two checks that read it
    readers = {"predictions": _predictions, "hidden drivers": _hidden_drivers}
    for name, function in _CHECKS.items():
        yield from _timed(fit, name, function)
    for name, reader in readers.items():
        rows = _timed(fit, name, partial(reader, diagnostics))
        yield from (replace(row, seconds=row.seconds + share) for row in rows)


def _timed(fit: Fit, name: str, function: Callable[[Fit], Rows]) -> list[CheckRow]:
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the page says it itself
        try:
            rows = list(function(fit))
        except BayesCausalError as error:
            rows = [("", Status.NOT_RUN, str(error))]
    seconds = (time.perf_counter() - start) / max(1, len(rows))
    return [CheckRow(name, *row, seconds) for row in rows]


def _graded(is_sound: bool, otherwise: Status = Status.LOOK) -> Status:
    return Status.PASS if is_sound else otherwise


def _convergence(fit: Fit) -> Rows:
    state = fit.convergence
    otherwise = Status.LOOK if state.converged else Status.FAIL  # a draft never passes
    yield "", _graded(not state.remark, otherwise), str(state)


def _errors(fit: Fit) -> Rows:
    misfit = fit.misfit
    words = "What is left of each node looks like the errors that its equation assumes."
    yield "", _graded(not misfit), misfit or words


def _carry_over(fit: Fit) -> Rows:
    cut = cut_in_words(fit)
    yield "", _graded(not cut), cut or "No carry-over runs into the end of its window."


def _identification(fit: Fit) -> Rows:
    for name, grade in fit.grades.items():
        status = Status.FAIL if grade.letter == Letter.X else _graded(grade.letter < Letter.F)
        yield name, status, f"{grade}."


def _experiments(fit: Fit) -> Rows:
    if not fit.spec.experiments:
        yield "", Status.NOT_RUN, "The fit has no lift test. Ask next_experiment which comes next."
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        disagreements = conflicts(fit)
    for conflict in disagreements:
        yield " and ".join(conflict.names), Status.FAIL, conflict.sentence
    unsure = [str(w.message) for w in caught if w.category is UserWarning]
    for words in unsure:  # where weights are unreliable, silence is no agreement
        yield "", Status.LOOK, words
    if not disagreements and not unsure:
        yield "", Status.PASS, "No test disagrees with the data or with another test."


def _graph(fit: Fit) -> Rows:
    result = check_graph(fit.data, fit.spec)
    tested = any(not row.reason for row in result.claims)
    status = _graded(not result.rejected, Status.FAIL) if tested else Status.NOT_RUN
    yield "", status, result.sentence
    for row in result.contradicted:
        yield row.claim, Status.FAIL, row.sentence


def _overlap(fit: Fit) -> Rows:
    for outcome in fit.spec.graph.outcomes:
        for row in overlap(fit, outcome=outcome).rows:
            status = (
                Status.NOT_RUN if row.light == Light.NONE else _graded(row.light == Light.GREEN)
            )
            subject = f"{row.channel}, {row.question}"
            yield subject, status, row.sentence.removeprefix(f"{subject}: ")


def _responses(fit: Fit) -> Rows:
    result = misspecification(fit)
    if result.table.empty:
        yield "", Status.NOT_RUN, " ".join(result.sentences)
        return
    sound = bool((result.table["p_holm"] >= MISSPECIFIED_P).all())
    yield "", _graded(sound), " ".join(result.sentences)


def _priors(fit: Fit) -> Rows:
    result = prior_sensitivity(fit)
    for name, sentence in result.sentences.items():
        led = result.table.loc[name, "diagnosis"] in (PRIOR_LED, CONFLICT)
        yield name, _graded(not led), sentence


def _predictions(diagnostics: Diagnostics, fit: Fit) -> Rows:
    of_errors = AUTOCORRELATION  # they have a check of their own
    unlike = diagnostics.unlike.drop(index=of_errors, level="statistic", errors="ignore")
    places = ", ".join(f"the {statistic} of {node}" for node, statistic in unlike.index)
    words = f"Replicas of the data differ from them in {places}: see diagnose."
    fine = "Replicas of the data agree with them in mean, spread, smallest and largest value."
    yield "", _graded(unlike.empty), fine if unlike.empty else words


def _hidden_drivers(diagnostics: Diagnostics, fit: Fit) -> Rows:
    result = diagnostics.hidden_drivers
    for name, sentence in result.sentences.items():
        if name in result.obstacles:
            yield name, Status.NOT_RUN, sentence
        else:
            yield name, _graded(_survives(result, name)), sentence


def _survives(result: Sensitivity, name: str) -> bool:
    """Whether an effect would survive a driver as strong as each recorded one."""
    table = result.benchmarks
    rows = table[(table.index == name) & table["share"].notna()]
    return bool(rows.loc[rows["k"] == rows["k"].min(), "survives"].all()) if len(rows) else False


_CHECKS: dict[str, Callable[[Fit], Rows]] = {
    "errors": _errors,
    "carry-over": _carry_over,
    "identification": _identification,
    "lift tests": _experiments,
    "graph": _graph,
    "overlap": _overlap,
    "responses": _responses,
    "priors": _priors,
}


def _refutations(fit: Fit, end: float, executor: Executor | None, seed: int) -> Iterator[CheckRow]:
    """Refute effects while there is time: one refuter for each channel, then the next."""
    state = fit.convergence
    if not state.converged:
        advice = "fit with method='nuts'" if state.is_draft else "sample longer"
        for method in REFUTERS:
            words = f"Refits are compared with the fit, which has not converged: {advice}."
            yield CheckRow(method, "", Status.NOT_RUN, words)
        return
    cost = seconds_per_refit(fit) * (_REFITS + 1)
    channels: list[tuple[Node, Node]] = [
        (channel, outcome)
        for outcome in fit.spec.graph.outcomes
        for channel in crediting_channels(fit.spec, outcome, fit.data.spend)
    ]
    for method, (channel, outcome) in product(REFUTERS, channels):
        subject = question_name(fit.spec, channel, outcome)
        if time.perf_counter() + cost > end:
            words = f"It takes about {cost:.0f} s: refute(fit, '{channel}', '{method}')."
            yield CheckRow(method, subject, Status.NOT_RUN, words)
            continue

        start = time.perf_counter()
        yield from _timed(
            fit, method, partial(_refutation, method, channel, outcome, executor, seed)
        )
        cost = time.perf_counter() - start


def _calibration(end: float, executor: Executor | None, seed: int, fit: Fit) -> Rows:
    """Fit simulated data, where there is time for as many as say something."""
    if fit.plain is not None:
        words = "No data can be simulated from augmented rows. Ask calibrate(fit.plain.spec, data)."
        yield "", Status.NOT_RUN, words
        return
    run = fit.info["run"]
    cost = run["compile_seconds"] + FEWEST_SIMULATIONS * run["sample_seconds"]
    remaining = end - time.perf_counter()
    if cost > remaining:
        words = f"It takes {cost:.0f} s or more: calibrate(spec, data)."
        yield "", Status.NOT_RUN, words
        return
    number = int(FEWEST_SIMULATIONS * remaining / cost)
    result = calibrate(
        fit.spec,
        fit.data,
        min(number, 200),
        executor=executor,
        budget=remaining,
        seed=seed,
        progress=False,
    )
    yield "", result.status, " ".join(result.sentences)


def _refutation(
    method: str, channel: Node, outcome: Node, executor: Executor | None, seed: int, fit: Fit
) -> Rows:
    result = refute(
        fit,
        channel,
        method,
        outcome=outcome,
        refits=_REFITS,
        executor=executor,
        seed=seed,
        progress=False,
    )
    yield question_name(fit.spec, channel, outcome), result.status, result.sentence
