"""`Discovery`: what data ask of experts and experts of data, as two tables and in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape

import pandas as pd

from bayescausal import checks
from bayescausal._display import wrapped
from bayescausal.errors import BayesCausalError, SpecError, did_you_mean
from bayescausal.graphs.graph import Graph
from bayescausal.specs.experts import Experts
from bayescausal.specs.spec import Spec
from bayescausal.validation.graph_check import GraphCheck
from bayescausal.validation.objections import Objection, with_common_cause

COLUMNS = (
    "doubt",
    "subject",
    "expected",
    "seen",
    "power",
    "action",
    "p_value",
    "p_holm",
    "certainty",
)
AS_DRAWN = "as drawn"
"""The name of the user's graph among the admissible ones."""


@dataclass(frozen=True, eq=False)
class Discovery:
    """Two lists of questions between data and experts. Made by `discover`.

    It proposes and never decides: `graph` is the experts' graph, untouched. That a list is empty
    proves nothing, since other graphs claim the same independences.

    Parameters
    ----------
    experts : Experts
    data_question_experts : tuple of Objection
        What data contradict in the graph.
    experts_question_data : tuple of Objection
        What looks like a fault of the data, since experts hold it impossible.
    frequencies : pandas.DataFrame
        By pair of nodes: what the ``graph`` says, and in which share of block resamples PC finds
        them ``adjacent``, directed either way or ``undirected``, and FCI a ``common cause``.
        Stabilities, not probabilities. Empty without a search.
    check : GraphCheck
        All claims of the graph, with those that are not contradicted.
    level : float
        As `discover` takes it: a graph and data that are right give a row with a chance of at most
        twice the level.
    tests : tuple of (int, int)
        The number of tests behind each list.
    resamples : int
    notes : tuple of str
        What could not be done.
    """

    experts: Experts
    data_question_experts: tuple[Objection, ...]
    experts_question_data: tuple[Objection, ...]
    frequencies: pd.DataFrame
    check: GraphCheck
    level: float
    tests: tuple[int, int]
    resamples: int
    notes: tuple[str, ...] = ()

    @property
    def graph(self) -> Graph:
        """The graph that the experts drew."""
        return self.experts.claims

    @property
    def rows(self) -> tuple[Objection, ...]:
        """The rows of both lists."""
        return (*self.data_question_experts, *self.experts_question_data)

    @property
    def sentence(self) -> str:
        """Say how many questions there are, and how often there are some without cause."""
        counts = len(self.data_question_experts), len(self.experts_question_data)
        text = (
            f"{_count(counts[0])} of the data to the experts, {_count(counts[1])} of the "
            f"experts to the data, from {sum(self.tests)} tests; a graph and data that are right "
            f"give one with a chance of at most {2 * self.level:.0%}."
        )
        if not any(counts):
            text += " That is no proof: the power of each test is in `check`."
        return text

    def to_frame(self) -> pd.DataFrame:
        """Return both lists as one table, with the list as its first column."""
        lists = {
            "data question the experts": self.data_question_experts,
            "experts question the data": self.experts_question_data,
        }
        records = [{"list": name, **_cells(row)} for name, rows in lists.items() for row in rows]
        return pd.DataFrame(records, columns=["list", *COLUMNS])

    def row(self, subject: str) -> Objection:
        """Return the objection to a claim or a column.

        Parameters
        ----------
        subject : str
        """
        for row in self.rows:
            if row.subject == subject:
                return row
        subjects = [row.subject for row in self.rows]
        raise SpecError(
            f"There is no objection to {subject!r}. There is {', '.join(subjects) or 'none'}."
            f"{did_you_mean(subject, subjects)}"
        )

    def admissible_graphs(self) -> dict[str, Graph]:
        """Return the user's graph, and that graph with one objection accepted at a time.

        Also with each unobserved cause that experts hold possible. What experts forbid is offered
        only where data question the prohibition itself; tiers always hold.
        """
        graphs = {AS_DRAWN: self.graph}
        proposals = [way for row in self.rows for way in row.graphs]
        for pair in self.experts.latents:
            proposals += with_common_cause(self.experts, *pair)
        for name, graph in proposals:
            if graph not in graphs.values():
                graphs.setdefault(name, graph)
        return graphs

    def admissible_specs(self, spec: Spec) -> dict[str, Spec]:
        """Return a spec with each admissible graph, for `fit_many` and `model_uncertainty`.

        Graphs that the rest of the spec does not fit (a treatment that follows another needs a
        policy) are left out; give those a spec of your own.

        Parameters
        ----------
        spec : Spec
        """
        checks.instance("admissible_specs", spec, Spec, "Write discovery.admissible_specs(spec).")
        return dict(self._specs(spec))

    def _specs(self, spec: Spec) -> Iterator[tuple[str, Spec]]:
        for name, graph in self.admissible_graphs().items():
            try:
                yield name, replace(spec, graph=graph)
            except BayesCausalError:
                continue

    def __repr__(self) -> str:
        lines = [wrapped(f"Discovery: {self.sentence}")]
        for title, rows in (
            ("The data question the experts", self.data_question_experts),
            ("The experts question the data", self.experts_question_data),
        ):
            lines += ["", title]
            lines += [wrapped(f"  {row.sentence}") for row in rows] or ["  nothing"]
        return "\n".join([*lines, *([""] if self.notes else []), *map(wrapped, self.notes)])

    def _repr_html_(self) -> str:
        table = self.to_frame().round(3).to_html(border=0, index=False, na_rep="")
        return f"<p>{escape(self.sentence)}</p>{table}"


def _count(number: int) -> str:
    return f"{number} question{'' if number == 1 else 's'}" if number else "no question"


def _cells(row: Objection) -> dict[str, object]:
    return {
        "doubt": str(row.doubt),
        "subject": row.subject,
        "expected": row.expected,
        "seen": row.seen,
        "power": row.power,
        "action": row.action,
        "p_value": row.p_value,
        "p_holm": row.p_adjusted,
        "certainty": row.certainty,
    }
