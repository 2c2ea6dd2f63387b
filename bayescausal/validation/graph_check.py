"""`GraphCheck`: what data say of each claim of a graph, as a table and in plain words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from math import isnan, nan
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from bayescausal._display import WIDTH, wrapped
from bayescausal.validation.independence_tests import IndependenceTest


class Kind(StrEnum):
    """What a claim of a graph is about."""

    INDEPENDENCE = "independence"
    FUTURE = "future spend"
    EDGE = "edge"


class Finding(StrEnum):
    """What data say of a claim."""

    CONTRADICTED = "contradicted"
    DOUBTFUL = "doubtful"
    COMPATIBLE = "not contradicted"
    SUPPORTED = "supported"
    UNSUPPORTED = "no support"
    UNTESTED = "not tested"


@dataclass(frozen=True)
class ClaimTest:
    """One claim of a graph, and the tests of it.

    Parameters
    ----------
    kind : Kind
    claim : str
        As the graph says it: ``price _||_ tv | demand``, ``tv -> sales``.
    tests : tuple of IndependenceTest
        Those that decide come first; the others stand beside them.
    decisive_count : int
        How many of `tests` decide.
    level : float
    p_holm, p_bh : float
        The smallest adjusted p-value of its deciding tests: by Holm, over all claims that data can
        contradict, and by Benjamini and Hochberg. NaN for edges, where a rejection speaks for the
        graph.
    reason : str
        Why there is no p-value; empty when there is.
    hints : tuple of str
        What else was seen.
    """

    kind: Kind
    claim: str
    tests: tuple[IndependenceTest, ...] = ()
    decisive_count: int = 1
    level: float = 0.05
    p_holm: float = nan
    p_bh: float = nan
    reason: str = ""
    hints: tuple[str, ...] = ()

    def test(self, name: str) -> IndependenceTest | None:
        """Return the test of that name, None if it was not run."""
        return next((test for test in self.tests if test.name == name), None)

    @property
    def decisive(self) -> tuple[IndependenceTest, ...]:
        """The tests that decide."""
        return self.tests[: self.decisive_count]

    @property
    def p_value(self) -> float:
        """The smallest p-value of the decisive_count tests, not adjusted for their number."""
        return min((test.p_value for test in self.decisive), default=nan)

    @property
    def finding(self) -> Finding:
        """What the data say."""
        if self.reason:
            return Finding.UNTESTED
        if self.kind == Kind.EDGE:
            return Finding.SUPPORTED if self.p_value < self.level else Finding.UNSUPPORTED
        if self.p_holm < self.level:
            return Finding.CONTRADICTED
        return Finding.DOUBTFUL if self.p_value < self.level else Finding.COMPATIBLE

    @property
    def sentence(self) -> str:
        """Say what was found, and what it means."""
        if self.reason:
            return f"{self.claim}: not tested, since {self.reason}."
        first = self.decisive[0]
        numbers = f"{_measure(first)}, p {p_text(first.p_value)}"
        if len(self.decisive) > 1:
            numbers += f"; earlier values of the other, p {p_text(self.decisive[1].p_value)}"
        missed = f"a correlation of {first.detectable:.2f} would be seen in 8 of 10 such data sets"
        corrected = p_text(self.p_holm)
        texts = {
            Finding.CONTRADICTED: f"the data contradict it ({numbers}; Holm {corrected}). "
            f"{self._explanation}",
            Finding.DOUBTFUL: f"doubtful ({numbers}; Holm {corrected}). Of many claims that "
            "are true some look so by chance",
            Finding.COMPATIBLE: f"not contradicted ({numbers}); {missed}",
            Finding.SUPPORTED: f"the data support it ({numbers})",
            Finding.UNSUPPORTED: f"no support ({numbers}); {missed}. That is not to say that the "
            "edge is absent",
        }
        return ". ".join([f"{self.claim}: {texts[self.finding]}", *self._asides]) + "."

    @property
    def _explanation(self) -> str:
        if self.kind == Kind.FUTURE:
            return (
                "Spend of later weeks tells of sales before it: the budget follows sales, or "
                "something drives both that the graph leaves out, and then effects are not what "
                "they seem"
            )
        return (
            "Something joins them that the graph leaves out: an edge, a lag, an unobserved common "
            "cause (<->), or the calendar"
        )

    @property
    def _asides(self) -> list[str]:
        asides = list(self.hints)
        rejected = self.finding in (Finding.CONTRADICTED, Finding.DOUBTFUL)
        for test in self.tests:
            matters = test.p_value < self.level if test.name == "lags" else rejected
            if test.note and (matters or test.name == "chi-squared"):
                asides.append(f"{test.name.capitalize()}: {test.note}")
        for test in self.tests[self.decisive_count :]:
            if (test.p_value < self.level) != (self.p_value < self.level):
                verb = "rejects" if test.p_value < self.level else "does not reject"
                asides.append(f"The test '{test.name}' {verb} (p {p_text(test.p_value)})")
        return asides


def _measure(test: IndependenceTest) -> str:
    word = "partial correlation" if test.freedom[0] == 1 else "multiple correlation"
    return f"{word} {test.correlation:.2f}"


def p_text(value: float) -> str:
    """Write a p-value for a sentence."""
    return "below 0.001" if value < 0.001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


@dataclass(frozen=True, eq=False)
class GraphCheck:
    """What data say of each claim of a graph. Made by `check_graph`.

    It can show that a graph is wrong, never that it is right: graphs with other arrows claim the
    same independences, and a cause that nobody recorded may leave no trace in them.

    Parameters
    ----------
    rows : tuple of ClaimTest
        Independences, negative controls and edges, each by their p-values.
    level : float
        Chance that a graph that is right is rejected.
    periods, units : int
        Size of the data.
    calendar : tuple of str
        Terms of time that were held fixed in every test.
    notes : tuple of str
        What holds for all of it.
    """

    rows: tuple[ClaimTest, ...]
    level: float
    periods: int
    units: int = 1
    calendar: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def claims(self) -> tuple[ClaimTest, ...]:
        """What data can contradict: independences and negative controls."""
        return tuple(row for row in self.rows if row.kind != Kind.EDGE)

    @property
    def edges(self) -> tuple[ClaimTest, ...]:
        """The edges, which data can support."""
        return tuple(row for row in self.rows if row.kind == Kind.EDGE)

    @property
    def contradicted(self) -> tuple[ClaimTest, ...]:
        """The claims that data contradict once their number is accounted for."""
        return tuple(row for row in self.rows if row.finding == Finding.CONTRADICTED)

    @property
    def rejected(self) -> bool:
        """Whether the graph is rejected: whether some claim is contradicted."""
        return bool(self.contradicted)

    @property
    def sentence(self) -> str:
        """Say whether the graph is rejected, on how many tests, and what that is not."""
        tested = [row for row in self.claims if not row.reason]
        left_out = len(self.claims) - len(tested)
        if not tested:
            return "No claim of this graph could be tested, so nothing speaks for it or against it."
        count = sum(row.decisive_count for row in tested)
        text = (
            f"{count} tests of {len(tested)} {'claim' if len(tested) == 1 else 'claims'}; "
            f"a graph that is right is rejected with a chance of {self.level:.0%}"
        )
        if left_out:
            text += f"; {left_out} could not be tested"
        if self.rejected:
            return (
                f"The data reject the graph: {len(self.contradicted)} of its claims "
                f"{'is' if len(self.contradicted) == 1 else 'are'} contradicted ({text})."
            )
        least = np.median([row.decisive[0].detectable for row in tested])
        return (
            f"The data do not reject the graph ({text}). That is no proof: a typical test sees "
            f"partial correlations of {least:.2f} or more, and a common cause that nobody recorded "
            "may leave no trace."
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a claim: what was found, the correlation, p-values, and the power."""
        names = list(
            dict.fromkeys(t.name for row in self.rows for t in row.tests[row.decisive_count :])
        )
        return pd.DataFrame([_cells(row, names) for row in self.rows]).reindex(
            columns=[*_COLUMNS, *names, "remarks"]
        )

    def __repr__(self) -> str:
        lines = [wrapped(f"GraphCheck: {self.sentence}")]
        for kind in Kind:
            rows = [row for row in self.rows if row.kind == kind]
            lines += ["", _TITLES[kind], _HEADS[kind], *map(_line, rows)] if rows else []
        remarkable = [row for row in self.rows if row.finding not in _QUIET]
        lines += ["", *(wrapped(row.sentence) for row in remarkable)] if remarkable else []
        return "\n".join([*lines, *map(wrapped, self._footnotes)])

    @property
    def _footnotes(self) -> list[str]:
        held = f"Held fixed: {', '.join(self.calendar)}. " if self.calendar else ""
        return [
            *self.notes,
            f"{held}power: the smallest correlation that is seen in 8 of 10 such data sets.",
        ]

    def _repr_html_(self) -> str:
        table = self.to_frame().round(3).to_html(border=0, index=False, na_rep="")
        return f"<p>{escape(self.sentence)}</p>{table}"


_TITLES = {
    Kind.INDEPENDENCE: "Independences that the graph implies",
    Kind.FUTURE: "Negative controls: later spend must not tell of earlier outcomes",
    Kind.EDGE: "Edges",
}
_NUMBERS = "  {:17}{:>6}{:>7}{:>8}{:>8}{:>7}  "
_HEADS = {
    Kind.INDEPENDENCE: _NUMBERS.format("", "corr.", "power", "p", "p lags", "Holm") + "claim",
    Kind.FUTURE: _NUMBERS.format("", "corr.", "power", "p", "", "Holm") + "claim",
    Kind.EDGE: _NUMBERS.format("", "corr.", "power", "p", "", "") + "edge",
}
_QUIET = (Finding.COMPATIBLE, Finding.SUPPORTED)
_COLUMNS = (
    "kind",
    "claim",
    "finding",
    "correlation",
    "detectable",
    "p_value",
    "p_lags",
    "p_holm",
    "p_bh",
)


def _cells(row: ClaimTest, names: Sequence[str]) -> dict[str, Any]:
    """Return the cells of one row; `names` are the tests that stand beside."""
    first = row.decisive[0] if row.tests else None
    lagged = row.decisive[1] if len(row.decisive) > 1 else None
    side_tests = {name: test.p_value for name in names if (test := row.test(name))}
    return {
        "kind": str(row.kind),
        "claim": row.claim,
        "finding": str(row.finding),
        "correlation": first.correlation if first else nan,
        "detectable": first.detectable if first else nan,
        "p_value": first.p_value if first else nan,
        "p_lags": lagged.p_value if lagged else nan,
        "p_holm": row.p_holm,
        "p_bh": row.p_bh,
        **side_tests,
        "remarks": row.reason or ". ".join(row.hints),
    }


def _line(row: ClaimTest) -> str:
    """Return the line of one row: the finding, its numbers, the claim."""
    cells = _cells(row, ())
    numbers = [cells[key] for key in ("correlation", "detectable", "p_value", "p_lags", "p_holm")]
    texts = ["" if isnan(x) else f"{x:.2f}" if k < 2 else _short(x) for k, x in enumerate(numbers)]
    start = _NUMBERS.format(str(row.finding), *texts)
    return textwrap.fill(row.claim, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))


def _short(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def adjusted(rows: Iterable[tuple[float, ...]], method: str) -> list[float]:
    """Adjust p-values of all rows together, and return the smallest of each row.

    Parameters
    ----------
    rows : the p-values of each row; of a row without any the answer is NaN
    method : {"holm", "fdr_bh"}

    Examples
    --------
    >>> adjusted([(0.01, 0.5), (), (0.04,)], "holm")
    [0.03, nan, 0.08]
    """
    rows = list(rows)
    flat = [p for row in rows for p in row]
    if not flat:
        return [nan] * len(rows)
    corrected = holm(flat) if method == "holm" else false_discovery_control(flat)
    values = iter(corrected)
    smallest = [min((float(next(values)) for _ in row), default=nan) for row in rows]
    return smallest


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return p-values adjusted by Holm, in their order.

        max over j <= i of min(1, (m - j + 1) p_(j))

    statsmodels has it too, and collects garbage at each call, which takes longer than all tests.

    Examples
    --------
    >>> holm([0.04, 0.01]).tolist()
    [0.04, 0.02]
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values)
    factors = np.arange(len(values), 0, -1)
    steps = np.minimum(np.maximum.accumulate(factors * values[order]), 1.0)
    adjusted_values = np.empty_like(values)
    adjusted_values[order] = steps
    return adjusted_values


def ranked(rows: Iterable[ClaimTest]) -> tuple[ClaimTest, ...]:
    """Return rows by kind, and within a kind by p-value; those without one come last."""
    order = list(Kind)

    def key(row: ClaimTest) -> tuple[int, float, str]:
        p_value = row.p_value
        return order.index(row.kind), 2.0 if isnan(p_value) else p_value, row.claim

    return tuple(sorted(rows, key=key))
