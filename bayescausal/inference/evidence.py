"""`Evidence` binds what a graph identifies to what a fit has learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import nan
from typing import Any

import numpy as np

from bayescausal._types import Node
from bayescausal.data.dataset import Dataset
from bayescausal.errors import NotIdentified
from bayescausal.experiments.estimand import Estimand, Plus, incremental
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.edge import Edge
from bayescausal.identification.grades import Letter
from bayescausal.identification.identification import Identification
from bayescausal.identification.ladder import Grade, grade
from bayescausal.identification.question import is_removal
from bayescausal.identification.status import Status
from bayescausal.identification.verdicts import identify
from bayescausal.specs.spec import Spec
from bayescausal.thresholds import INFORMATIVE_SHARE

MOST_ANSWERS = 1000
"""The number of answers that are kept; all are dropped when there are more, as a search over
questions would fill the memory."""

type Learned = Mapping[str, Mapping[str, float]]


def question_name(spec: Spec, treatment: Node, outcome: Node) -> str:
    """Name the total effect of a treatment: by the treatment, and by the outcome if several."""
    return treatment if len(spec.graph.outcomes) == 1 else f"{treatment} on {outcome}"


@dataclass(frozen=True, eq=False)
class Evidence:
    """The verdicts and the grades of the effects of a spec, before or after a fit.

    Each question is worked out once and kept here, for as long as this value lives.

    Parameters
    ----------
    spec : Spec
        Its graph, tests and policy.
    learned : mapping of str to mapping of str to float
        What a fit has learned: ``contraction`` of each effect of `totals`, ``first_stage`` F of
        those that have an instrument; of each test ``z``, and its ``share`` in the precision of
        its effect; the ``extrapolated_share`` of each effect, below the exposure that
        was observed. Empty before a fit.

    Examples
    --------
    >>> from bayescausal.graphs.graph import Graph
    >>> evidence = Evidence(Spec(Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",)))
    >>> evidence.verdict(incremental("tv")).status, evidence.grade(incremental("tv")).letter
    ('backdoor', 'F')
    """

    spec: Spec
    learned: Learned = field(default_factory=dict)
    _answers: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave answers out of a pickle: a question may hold a function, which has none."""
        return {**self.__dict__, "_answers": {}}

    @cached_property
    def informative(self) -> tuple[Experiment, ...]:
        """The tests that are informative of their effect; all of them before there is a fit.

            share = Var(effect | everything) / Var(error of the test)   at least 0.1

        The part that the test has in the precision of its own effect. With less, what is known of
        the effect would be as well known without the test, so it cannot be what settles it.
        """
        shares = self.learned.get("share", {})
        tests = self.spec.experiments
        return tuple(t for t in tests if shares.get(str(t.name), 1.0) >= INFORMATIVE_SHARE)

    def verdict(self, estimand: Estimand) -> Identification:
        """Return the verdict on an effect in the worlds of the spec: its tests, its policy.

        Treatments that are held keep their plan, unless they are asked about. Of a fit only the
        `informative` tests count.
        """
        question = self._with_outcome(estimand)
        held_treatments = self.spec.held.difference(question.treatments)
        return self._remembered(
            question,
            lambda: identify(self.spec.graph, question, self.informative, held=held_treatments),
        )

    def grade(self, estimand: Estimand, part: str = "total") -> Grade:
        """Return the grade of an effect, or of its ``direct`` or ``indirect`` part."""
        question = self._with_outcome(estimand)
        return self._remembered((question, part), lambda: self._graded(question, part))

    def edge_letter(self, edge: Edge) -> Letter:
        """Return the grade of one edge by the graph and the `informative` tests.

        An edge is a part of the equations, also one into a treatment whose plan the worlds hold.
        """
        if edge.source == edge.target:  # memory: not told apart from noise that persists
            return Letter.X
        question = Estimand(control={str(edge): 0.0}, outcome=edge.target)
        return self._remembered(
            (question, "edge"), lambda: identify(self.spec.graph, question, self.informative).grade
        )

    def require_identified(self, estimand: Estimand, part: str = "total") -> None:
        """Raise `NotIdentified`, with what would settle it, when data cannot tell the effect."""
        if self.grade(estimand, part).status == Status.NOT_IDENTIFIED:
            raise NotIdentified(advice(self.verdict(estimand), part))

    def _with_outcome(self, estimand: Estimand) -> Estimand:
        return estimand if estimand.outcome else estimand.on(self.spec.graph.outcomes[0])

    def _remembered[T](self, question: Any, answer: Callable[[], T]) -> T:
        if question not in self._answers:
            value = answer()  # first, as it may ask in turn
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            self._answers[question] = value
        return self._answers[question]

    def _graded(self, estimand: Estimand, part: str) -> Grade:
        identification, learned = self.verdict(estimand), self.learned
        names = [
            question_name(self.spec, t, identification.outcome) for t in identification.treatments
        ]
        contractions = [learned.get("contraction", {}).get(name) for name in names]
        known_contractions = [value for value in contractions if value is not None]
        result = grade(
            identification,
            self.informative,
            part=part,
            contraction=min(known_contractions) if len(known_contractions) == len(names) else None,
            z=learned.get("z"),
            first_stage=learned.get("first_stage", {}).get(names[0]) if len(names) == 1 else None,
            extrapolated_share=self._extrapolated_share(estimand, names)
            if part == "total"
            else nan,
        )
        keys = set(estimand.keys)
        faint = [t for t in self.spec.experiments if t not in self.informative]
        silent = [str(t.name) for t in faint if keys & set(t.estimand.keys)]
        if not silent:
            return result
        tests = ", ".join(f"'{name}' ({learned['share'][name]:.1%})" for name in silent)
        reason = f"too noisy to count, by their part in what is known of the effect: {tests}"
        return replace(result, reasons=(*result.reasons, reason))

    def _extrapolated_share(self, estimand: Estimand, names: list[str]) -> float:
        """Return the share of an effect of `totals` below the exposure observed, else NaN."""
        place = (estimand.window, estimand.units)
        if len(names) > 1 or place != (None, None) or not is_removal(estimand):
            return nan
        return self.learned.get("extrapolated_share", {}).get(names[0], nan)


def advice(verdict: Identification, part: str = "total") -> str:
    """Say that an effect is not identified, why, and what would settle it."""
    effect = f"the {part} effect of {', '.join(verdict.treatments)} on {verdict.outcome}"
    reason = f" Not closed: {verdict.stubborn[0]}." if verdict.stubborn and part == "total" else ""
    if part != "total":
        reason = f" {verdict.split_reason[:1].upper()}{verdict.split_reason[1:]}."
    remedies = " ".join(remedy.words for remedy in verdict.remedies)
    return (
        f"{effect[:1].upper()}{effect[1:]} is not identified by your graph: the priors, not the "
        f"data, set its interval.{reason} {remedies or 'Ask for another effect.'}"
    )


def require_all(spec: Spec) -> None:
    """Raise `NotIdentified` when a total effect of a treatment is not identified."""
    evidence = Evidence(spec)
    for outcome in spec.graph.outcomes:
        for treatment in spec.treatments:
            if treatment in spec.reduced.ancestors(outcome):
                evidence.require_identified(incremental(treatment, outcome=outcome))


def reachable(spec: Spec, outcome: Node | None = None) -> tuple[Node, ...]:
    """Return the treatments with a directed path to the outcome."""
    outcome = outcome or spec.graph.outcomes[0]
    ancestors = spec.reduced.ancestors(outcome)
    return tuple(t for t in spec.treatments if t in ancestors)


def channels(spec: Spec, outcome: Node, spend: Iterable[Node] = ()) -> list[Node]:
    """Return what can be credited with an outcome: treatments that reach it, paid mediators."""
    ancestors = {*spec.reduced.ancestors(outcome)}
    return sorted({*spec.treatments, *spend} & ancestors)


def totals(spec: Spec, data: Dataset) -> dict[str, Estimand]:
    """Return the total effects that a fit is judged by, by name.

    Of every treatment and every paid node, on each outcome that it reaches.
    """
    return {
        question_name(spec, node, outcome): incremental(node, outcome=outcome)
        for outcome in spec.graph.outcomes
        for node in channels(spec, outcome, data.spend)
    }


def contraction(posterior: np.ndarray, prior: np.ndarray) -> float:
    """Return ``1 - (posterior width / prior width)^2``, of 90 percent intervals."""
    low, high = np.quantile(posterior, [0.05, 0.95])
    prior_low, prior_high = np.quantile(prior, [0.05, 0.95])
    return float(1 - ((high - low) / (prior_high - prior_low)) ** 2)


def first_stage(
    spec: Spec, estimand: Estimand, effect_draws: Callable[[Spec, Estimand], np.ndarray]
) -> float | None:
    """Return F of the strongest instrument, from its posterior effect on the treatment.

    It is a property of the equations: budgets that the worlds hold react (`Spec.reacting`), and
    the treatment's own effects are kept from coming back to it. None where the treatment has no
    equation, or no instrument is a cause of it in the model: its strength is then not known.

    Parameters
    ----------
    spec : Spec
    estimand : Estimand
        The effect of one treatment.
    effect_draws : callable
        ``(spec, estimand) -> draws`` of a total effect, at the parameters of the fit.
    """
    identification = Evidence(spec).verdict(estimand)
    (treatment,) = identification.treatments
    if treatment not in spec.modelled:
        return None
    graph, adjusted = spec.structure, {*spec.inputs, *spec.modelled}
    budget = {str(e): Plus(0.0) for e in graph.outgoing(treatment) if e in spec.mechanisms}
    strengths = []
    for node in (i.node for i in identification.instruments if i.node in adjusted):
        if treatment in graph.descendants(node):
            question = Estimand({node: Plus(1.0), **budget}, outcome=treatment)
            draws = effect_draws(spec.reacting, question)
            strengths.append(float((draws.mean() / draws.std()) ** 2) if draws.std() else 0.0)
    return max(strengths, default=None)
