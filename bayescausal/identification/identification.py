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
from bayescausal.identification.adjustment import Question
from bayescausal.identification.edges import EdgeVerdict
from bayescausal.identification.implications import Implication, implications
from bayescausal.identification.page import as_dict, markdown, picture
from bayescausal.identification.paths import Path
from bayescausal.identification.question import ask, check_adjustment
from bayescausal.identification.remedies import Remedy
from bayescausal.identification.strategies import Instrument
from bayescausal.identification.totals import Hedge, Strategy


@dataclass(frozen=True, repr=False, eq=False)
class Identification:
    """The verdict on one effect, with its reasons. Made by `identify`.

    A status says what the *graph* lets data tell; it does not test the graph, nor say how precise
    an answer would be.

    Parameters
    ----------
    status : str
        ``randomized`` (a randomized test measured this very estimand), ``backdoor``,
        ``frontdoor``, ``id`` (by the ID algorithm otherwise), ``additive`` (not by the graph
        alone: edge by edge, if causes add up), ``experiment`` (only because a test measures it),
        ``instrument`` (only under linearity), ``not identified``.
    strategies : all that work, strongest first
    adjustment_sets : every minimal one, by size and then by names
    optimal : the one of least asymptotic variance, or None
    open_paths : backdoor paths open when nothing is adjusted for
    stubborn : what adjustment cannot close: those of `open_paths` with no node on them that may be
        adjusted for; if there are none and no set adjusts, one path that is open once all that may
        be adjusted for is, and may be closed before
    mediators, forbidden : nodes on the causal paths; nodes not to adjust for, with the reason
    instruments : of the total effect; edges have their own
    hedge : witness that data alone do not identify, without linearity or additivity: a pair
        (F, F') of node sets, or None; never beside ``backdoor``, ``frontdoor`` or ``id``
    edges : a verdict for every direct effect among observed nodes
    split, split_reason : the weakest status on the causal paths, which decides whether direct
        and indirect effects can be told apart, and where it comes from
    remedies : what would settle it, each checked on the mended graph
    grade : from A to X, as far as graph and tests tell; see `ladder.grade`
    g_computation : whether what confounds over time is itself moved by the treatment, also when
        the outcome of one period is asked
    """

    graph: Graph
    estimand: Estimand
    outcome: str
    treatments: tuple[str, ...]
    held: tuple[str, ...]
    status: str
    strategies: tuple[Strategy, ...]
    adjustment_sets: list[frozenset[str]]
    optimal: frozenset[str] | None
    open_paths: list[str]
    stubborn: list[str]
    mediators: tuple[str, ...]
    forbidden: dict[str, str]
    instruments: tuple[Instrument, ...]
    hedge: Hedge | None
    edges: dict[Edge, EdgeVerdict]
    split: str
    split_reason: str
    remedies: tuple[Remedy, ...]
    assumptions: tuple[str, ...]
    g_computation: bool
    notes: tuple[str, ...]
    paths: tuple[Path, ...] = ()
    grade: str = "X"

    @cached_property
    def question(self) -> Question:
        """The question on the compiled graph."""
        return ask(self.graph, self.estimand, self.held)

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
