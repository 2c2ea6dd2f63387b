"""The strategies that identify one effect, strongest first, and what each assumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bayescausal.identification.adjustment import Question
from bayescausal.identification.edges import ORDER, EdgeVerdict, hedge_of, weakest
from bayescausal.identification.strategies import Instrument, find_front_door, find_instruments
from bayescausal.specs.design import DESIGNS
from bayescausal.specs.edge import Edge
from bayescausal.specs.estimand import Estimand
from bayescausal.specs.experiment import Experiment

RANDOMIZED = tuple(name for name, design in DESIGNS.items() if design.rung == "A")

type Hedge = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True)
class Strategy:
    """One way to the effect.

    Parameters
    ----------
    kind : str
        A status: ``randomized``, ``backdoor``, ``frontdoor``, ``id``, ``experiment``,
        ``instrument``.
    words : str
        What to do, in a clause.
    given, through : tuples of nodes to adjust for, and that carry the effect
    """

    kind: str
    words: str
    given: tuple[str, ...] = ()
    through: tuple[str, ...] = ()


@dataclass(frozen=True)
class Total:
    """What identifies an effect: strategies, strongest first, the hedge if nothing in data does."""

    strategies: tuple[Strategy, ...]
    hedge: Hedge | None
    instruments: tuple[Instrument, ...]
    g_computation: bool

    @property
    def status(self) -> str:
        """The kind of the strongest strategy."""
        return self.strategies[0].kind if self.strategies else "not identified"


def same_question(test: Experiment, asked: Estimand, outcome: str) -> bool:
    """Return whether a test measured the very estimand that is asked: worlds, window, units."""

    def plain(estimand: Estimand) -> Estimand:
        return replace(estimand, name=None, scale="total", outcome=estimand.outcome or outcome)

    return plain(test.estimand) in (plain(asked), plain(asked).reversed())


def measurements(
    asked: Estimand, outcome: str, default: str | None, experiments: Sequence[Experiment]
) -> list[Experiment]:
    """Return the experiments on the same treatments and outcome; a prior belief is none."""
    return [
        test
        for test in experiments
        if test.design != "prior-belief"
        if test.estimand.keys == asked.keys and (test.estimand.outcome or default) == outcome
    ]


def total(question: Question, asked: Estimand, tests: Sequence[Experiment] = ()) -> Total:
    """Return the strategies for the total effect; `tests` come from `measurements`."""
    found: list[Strategy] = []
    for test in tests:
        if test.design in RANDOMIZED and same_question(test, asked, question.outcome):
            words = f"'{test.name}' ({test.design}) measured this very effect"
            found.append(Strategy("randomized", words))
        else:
            words = f"'{test.name}' ({test.design}) measured this effect in its own setting"
            found.append(Strategy("experiment", words))
    hedge = hedge_of(question)
    instruments = find_instruments(question)
    g_computation = False
    if question.minimal_sets:
        given = question.at.words(question.minimal_sets[0])
        words = f"adjust for {', '.join(given)}" if given else "nothing to adjust for"
        found.append(Strategy("backdoor", words, given))
    door = None if hedge else find_front_door(question)
    if door:
        words = f"the front door through {', '.join(door.mediators)}"
        words += f", adjusted for {', '.join(door.given)}" if door.given else ""
        found.append(Strategy("frontdoor", words, door.given, door.mediators))
    if not hedge and not question.minimal_sets and not door:
        g_computation = _affected_confounding(question)
        words = (
            "g-computation: time-varying confounding affected by treatment"
            if g_computation
            else "the ID algorithm; no adjustment set is enough"
        )
        found.append(Strategy("id", words))
    if instruments:
        words = f"the instrument {instruments[0]}"
        found.append(Strategy("instrument", words, instruments[0].given))
    found.sort(key=lambda strategy: ORDER.index(strategy.kind))
    return Total(tuple(found), hedge, instruments, g_computation)


def _affected_confounding(question: Question) -> bool:
    """Return whether something that a treatment moves acts on a treatment again."""
    seen, x = question.at.seen, question.x
    return bool(seen.descendants(x) & seen.ancestors(x) & ~x)


def path_edges(question: Question) -> tuple[Edge, ...]:
    """Return the edges on the causal paths of a question."""
    at = question.at
    way = {*question.mediators, question.outcome}
    starts = way.union(question.treatments) - {question.outcome}
    ends = way - {*question.treatments, *question.held}
    return tuple(
        e for e in at.edges if e.source in starts and e.target in ends and e.source != e.target
    )


def composed(found: Total, path_edges: Mapping[Edge, EdgeVerdict]) -> Total:
    """Add the product of the edges when nothing else identifies and every edge is identified."""
    weak = weakest(v.status for v in path_edges.values())
    if found.strategies or weak == "not identified":
        return found
    kinds = {v.status for v in path_edges.values()}
    kind = "instrument" if "instrument" in kinds else "experiment"
    if kind not in kinds:
        return found
    words = f"edge by edge: {', '.join(f'{e} ({v.status})' for e, v in path_edges.items())}"
    return replace(found, strategies=(Strategy(kind, words),))


def assumptions(question: Question, status: str, found: Total) -> tuple[str, ...]:
    """Return what a verdict rests on, in sentences."""
    t, y = ", ".join(question.treatments), question.outcome
    said = [
        "The graph is right: each arrow or <-> that it leaves out is a claim, and part of what "
        "follows can be tested."
    ]
    first = next((s for s in found.strategies if s.kind == status), None)
    given = f" given {', '.join(first.given)}" if first and first.given else ""
    if status == "randomized":
        said = ["The test was randomized and analyzed as it was designed."]
    elif status == "backdoor":
        said.append(f"{t} still varies{given} (overlap).")
    elif status == "frontdoor" and first:
        said.append(
            f"All of the effect of {t} runs through {', '.join(first.through)}, which nothing "
            f"unobserved moves together with {t} or {y}{given}."
        )
    elif status == "id":
        said.append("The joint distribution, not one regression, tells the effect: simulate it.")
    elif status == "experiment":
        said.append(f"The effect of {t} outside the test's window follows the model's curves.")
    elif status == "instrument":
        name = found.instruments[0].node if found.instruments else "each instrument"
        said.append(f"Exclusion: {name} moves {y} only through {t}{given}.")
        said.append("Linearity: one more unit has the same effect at every level and time.")
    if question.at.unrolled is not None:
        said.append("What lies before the window is taken as given.")
        said.append(
            "Errors that last longer than a period are in the model: AR1Noise(), or the memory "
            f"of a node as an edge, such as {y} -> {y} @ 1."
        )
        said.extend(question.at.unrolled.notes)
    if question.held:
        said.append(f"The plan of {', '.join(question.held)} stays as it was.")
    return tuple(said)
