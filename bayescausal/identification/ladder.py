"""`grade` places the evidence for an effect on the ladder from A to X.

A grade belongs to one effect of one treatment in one window and set of units, never to a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

from bayescausal._display import described
from bayescausal.experiments.design import DESIGNS
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.edge import Edge
from bayescausal.identification.grades import ADDITIVE, GRADES, Letter
from bayescausal.identification.identification import Identification
from bayescausal.identification.status import Status, composite, weakest
from bayescausal.identification.totals import path_edges, same_question
from bayescausal.thresholds import (
    EXTRAPOLATED_MOST,
    INFORMATIVE_CONTRACTION,
    STRONG_FIRST_STAGE,
    TEST_CONFLICT,
)

_LETTERS = {
    Status.INSTRUMENT: Letter.B,
    Status.EXPERIMENT: Letter.E,
    Status.NOT_IDENTIFIED: Letter.X,
}
"""The grade by status, before tests and the fit are looked at; all other statuses have F."""
_OTHER = {"direct": "indirect", "indirect": "direct"}


@dataclass(frozen=True)
class Grade:
    """The grade of one number, with its source and reasons.

    Parameters
    ----------
    letter : Letter
    effect : str
    status : Status
        Of its identification.
    window, units : str
        The scope of the number, in words.
    source : str
        The strategy or test that it comes from.
    reasons : tuple of str
        What moved the grade.
    conflict : bool
        Whether a test disagrees with the fitted model.
    extrapolated : bool
        Whether it goes beyond what a test measured.
    extrapolated_share : float
        The share of the effect below the lowest exposure that was observed; NaN where none is
        known.
    """

    letter: Letter
    effect: str
    status: Status
    window: str
    units: str
    source: str
    reasons: tuple[str, ...] = ()
    conflict: bool = False
    extrapolated: bool = False
    extrapolated_share: float = nan

    __repr__ = described

    @property
    def title(self) -> str:
        """The grade in words."""
        return GRADES[self.letter].title

    @property
    def statements(self) -> tuple[str, ...]:
        """The sentences that a report must print with this number."""
        statements = GRADES[self.letter].statements
        if self.status == Status.ADDITIVE and self.letter in (Letter.F, Letter.G):
            return (*statements, ADDITIVE)
        return statements

    def __str__(self) -> str:
        reasons = f" ({'; '.join(self.reasons)})" if self.reasons else ""
        return f"{self.letter}, {self.title}: {self.source}{reasons}"


def weaker(*letters: Letter) -> Letter:
    """Return the weakest grade: a derived effect is only as good as the worst part of its path.

    Examples
    --------
    >>> weaker(Letter.A, Letter.F, Letter.B)
    'F'
    """
    return max(letters)


def grade(
    verdict: Identification,
    experiments: Sequence[Experiment] = (),
    *,
    part: str = "total",
    contraction: float | None = None,
    z: Mapping[str, float] | None = None,
    first_stage: float | None = None,
    extrapolated_share: float = nan,
) -> Grade:
    """Return the grade of the evidence for one effect.

    Not a quality of the model: another treatment of the same model has its own grade, and a test
    never lifts a treatment that it did not move.

    Parameters
    ----------
    verdict : Identification
        Of the effect, as it is asked.
    experiments : sequence of Experiment
        Those in the likelihood.
    part : {"total", "direct", "indirect"}
        A part takes the weakest edge on its paths.
    contraction : float, optional
        ``1 - (posterior width / prior width)^2`` of the effect; below 0.1 data barely speak.
    z : mapping of test name to float, optional
        Of each test against the fitted model; beyond 2 it contradicts.
    first_stage : float, optional
        F statistic of the instrument.
    extrapolated_share : float, optional
        The share of the effect below the lowest exposure observed. It moves no letter: that most of
        an effect which no test measured is extrapolation is a reason that is printed with it.

    Returns
    -------
    Grade

    Notes
    -----
    Source: MODEL.md section 8; the statements are data, `grades.GRADES`.

    Examples
    --------
    >>> from bayescausal.identification.verdicts import identify
    >>> from bayescausal.graphs.graph import Graph
    >>> str(grade(identify(Graph.parse("tv -> sales", outcome="sales"), "tv")))
    'F, observational, identified under the graph: nothing to adjust for'
    """
    estimand, status = verdict.estimand, verdict.status
    reasons: list[str] = []
    name = part
    if _edges(verdict, part) and not _edges(verdict, _OTHER.get(part, part)):
        part = "total"  # there is no other path, so it is the total and has its tests
    if part != "total":
        status, source = _part_status(verdict, part)
    else:
        source = verdict.strategies[0].words if verdict.strategies else "no data tells it"
    letter = _LETTERS.get(status, Letter.F)
    tests = _tests(experiments, verdict, part)
    matches = [(_rung(t), t) for t in tests if same_question(t, estimand, verdict.outcome)]
    extrapolated = bool(tests) and not matches
    if matches:
        letter, best = min(matches, key=lambda pair: pair[0])
        source = f"'{best.name}' ({best.design})"
    elif tests:
        letter = Letter.E
        source = f"{', '.join(repr(t.name) for t in tests)}, and the model beyond"
    if letter == Letter.B and first_stage is not None and first_stage < STRONG_FIRST_STAGE:
        letter = Letter.G
        reasons.append(f"weak instrument, F = {first_stage:.1f}")
    if letter == Letter.F and contraction is not None and contraction < INFORMATIVE_CONTRACTION:
        letter = Letter.G
        reasons.append(f"the data narrow the prior by {max(contraction, 0):.0%} only")
    if letter in (Letter.F, Letter.G) and extrapolated_share >= EXTRAPOLATED_MOST:
        reasons.append(
            f"{extrapolated_share:.0%} of it lies below the lowest exposure that was observed"
        )
    contradictions = [t.name for t in tests if abs((z or {}).get(str(t.name), 0.0)) > TEST_CONFLICT]
    if contradictions:
        letter = weaker(letter, Letter.E)
        reasons.append(f"the model contradicts {', '.join(repr(name) for name in contradictions)}")
    window = "all periods"
    if estimand.window:
        window = f"{estimand.window[0].date()} to {estimand.window[1].date()}"
    return Grade(
        letter=letter,
        effect=f"{name} effect of {', '.join(verdict.treatments)} on {verdict.outcome}",
        status=status,
        window=window,
        units=", ".join(estimand.units) if estimand.units else "all units",
        source=source,
        reasons=tuple(reasons),
        conflict=bool(contradictions),
        extrapolated=extrapolated,
        extrapolated_share=extrapolated_share,
    )


def _edges(verdict: Identification, part: str) -> list[Edge]:
    """Return the edges on the direct paths of an effect, or on all others."""
    return [
        edge
        for edge in path_edges(verdict.question)
        if (edge.source in verdict.treatments and edge.target == verdict.outcome)
        == (part == "direct")
    ]


def _part_status(verdict: Identification, part: str) -> tuple[Status, str]:
    """Return the weakest status among the edges of a part, and the edges that have it."""
    edges = _edges(verdict, part)
    if not edges:
        return verdict.status, "zero by the graph, which has no such path"
    kinds = [verdict.edges[e].status for e in edges]
    weak = ", ".join(str(e) for e, k in zip(edges, kinds, strict=True) if k == weakest(kinds))
    status = composite(kinds)
    return status, f"{status}: {weak}"


def _tests(
    experiments: Sequence[Experiment], verdict: Identification, part: str
) -> list[Experiment]:
    """Return the tests of an effect, or of each of its treatments if every one was tested."""
    if part != "total":
        return []

    def matching(keys: tuple[str, ...]) -> list[Experiment]:
        return [
            test
            for test in experiments
            if test.estimand.keys == keys
            and (test.estimand.outcome or verdict.outcome) == verdict.outcome
            and test.design != "prior-belief"
        ]

    joint_tests = matching(verdict.estimand.keys)
    if joint_tests or verdict.status == Status.NOT_IDENTIFIED:
        return joint_tests
    single_tests = [matching((key,)) for key in verdict.estimand.keys]
    return [test for some in single_tests for test in some] if all(single_tests) else []


def _rung(test: Experiment) -> Letter:
    return Letter(DESIGNS[test.design].rung)
