"""`Identification`: the verdict on one effect, with its reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bayescausal._display import wrapped
from bayescausal.experiments.estimand import Estimand
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph
from bayescausal.identification.adjustment import MOST_SETS, Question
from bayescausal.identification.edges import EdgeVerdict
from bayescausal.identification.grades import Letter
from bayescausal.identification.implications import Implication, implications
from bayescausal.identification.page import as_dict, markdown, picture
from bayescausal.identification.paths import Path
from bayescausal.identification.question import check_adjustment
from bayescausal.identification.remedies import Remedy
from bayescausal.identification.status import Status
from bayescausal.identification.strategies import Instrument
from bayescausal.identification.totals import Hedge, Strategy


@dataclass(frozen=True, repr=False, eq=False)
class Identification:
    """The verdict on one effect, with its reasons. Made by `identify`.

    A status says what the *graph* lets data tell; it does not test the graph, nor say how precise
    an answer would be.

    Parameters
    ----------
    question : Question
        On the compiled graph; `graph`, `treatments`, `outcome` and `held` are its parts.
    status : Status
        Of the strongest strategy.
    strategies : all that work, strongest first
    open_paths : backdoor paths open when nothing is adjusted for
    stubborn : what adjustment cannot close: those of `open_paths` with no node on them that may be
        adjusted for; if there are none and no set adjusts, one path that is open once all that may
        be adjusted for is, and may be closed before
    forbidden : nodes not to adjust for, with the reason
    instruments : of the total effect; edges have their own
    hedge : witness that data alone do not identify, without linearity or additivity: a pair
        (F, F') of node sets, or None; never beside ``backdoor``, ``frontdoor`` or ``id``
    edges : a verdict for every direct effect among observed nodes
    split, split_reason : the weakest status on the causal paths, which decides whether direct
        and indirect effects can be told apart, and where it comes from
    remedies : what would settle it, each checked on the mended graph
    g_computation : whether what confounds over time is itself moved by the treatment, also when
        the outcome of one period is asked
    grade : from A to X, as far as graph and tests tell; see `ladder.grade`
    """

    question: Question
    estimand: Estimand
    status: Status
    strategies: tuple[Strategy, ...]
    open_paths: list[str]
    stubborn: list[str]
    forbidden: dict[str, str]
    instruments: tuple[Instrument, ...]
    hedge: Hedge | None
    edges: dict[Edge, EdgeVerdict]
    split: Status
    split_reason: str
    remedies: tuple[Remedy, ...]
    assumptions: tuple[str, ...]
    g_computation: bool
    notes: tuple[str, ...]
    paths: tuple[Path, ...] = ()
    grade: Letter = Letter.X

    @property
    def graph(self) -> Graph:
        """The graph that is asked."""
        return self.question.compiled.graph

    @property
    def outcome(self) -> str:
        """The node on which the effect is asked."""
        return self.question.outcome

    @property
    def treatments(self) -> tuple[str, ...]:
        """The nodes that are set."""
        return self.question.treatments

    @property
    def held(self) -> tuple[str, ...]:
        """The nodes whose plan is held while the treatments change."""
        return self.question.held

    @property
    def mediators(self) -> tuple[str, ...]:
        """The nodes between a treatment and the outcome."""
        return self.question.mediators

    @cached_property
    def adjustment_sets(self) -> list[frozenset[str]]:
        """Every minimal adjustment set, by size and then by names."""
        sets = self.question.minimal_sets[:MOST_SETS]
        return [frozenset(self.question.compiled.words(z)) for z in sets]

    @property
    def optimal(self) -> frozenset[str] | None:
        """The adjustment set of least asymptotic variance, None where theory gives none."""
        best = self.question.optimal
        return None if best is None else frozenset(self.question.compiled.words(best))

    @cached_property
    def implications(self) -> tuple[Implication, ...]:
        """The separations that data can contradict, one minimal separator for each pair."""
        return tuple(implications(self.question.compiled))

    def check_adjustment(self, nodes: str | Iterable[str]) -> None:
        """Return quietly when `nodes` are an adjustment set for the total effect.

        Raises
        ------
        GraphError
            For a mediator, a descendant or a collider, with the path that it blocks or opens; for
            a set that leaves a path open, with that path; for unknown and latent names.

        Examples
        --------
        >>> from bayescausal.identification.verdicts import identify
        >>> graph = Graph.parse("tv -> search -> sales", outcome="sales")
        >>> identify(graph, "tv").check_adjustment([])
        """
        check_adjustment(self.question, nodes)

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict that JSON can hold."""
        return as_dict(self)

    def to_markdown(self) -> str:
        """Return the page as Markdown."""
        return markdown(self)

    def draw(self, adjust: Iterable[str] | None = None) -> str:
        """Return the graph as SVG: roles as captions, confounded edges crossed.

        `adjust` is the set that is marked, by default the first minimal adjustment set.
        """
        return picture(self, adjust)

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def __str__(self) -> str:
        return self.to_markdown().replace("**", "").replace("`", "")

    def __repr__(self) -> str:
        effect = f"{', '.join(self.treatments)} on {self.outcome}"
        return wrapped(f"Identification({effect}: {self.status}; split: {self.split})")
