"""`check_graph` tests what a graph claims of data: independences, edges, the arrow of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal.data.dataset import Dataset
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import incremental
from bayescausal.graphs.graph import Graph
from bayescausal.identification.compiled import Compiled
from bayescausal.identification.implications import Implication
from bayescausal.identification.question import as_graph, ask
from bayescausal.specs.baseline import Intercept, LinearTrend, Term, YearlySeasonality
from bayescausal.specs.spec import Spec
from bayescausal.thresholds import REJECTION_LEVEL
from bayescausal.validation.claim_regressions import (
    Setting,
    earlier_values,
    edge_regressions,
    later_values,
    same_period,
)
from bayescausal.validation.graph_check import ClaimTest, GraphCheck, Kind, adjusted, ranked
from bayescausal.validation.independence_tests import (
    IndependenceTest,
    both_directions,
    chi_squared,
    effective_size,
    kernel,
    partial_correlation,
)
from bayescausal.validation.lagged_regression import Regression, Untestable, partial_out
from bayescausal.validation.lagged_table import Table, read_table

COMPANIONS = ("effective sample size", "kernel", "chi-squared")
"""Tests that may stand beside those that decide."""

CALENDAR = (LinearTrend(), YearlySeasonality(2))
"""What is held fixed to see whether the calendar explains a contradiction."""

_DAYS_OF_SEASON = 550.0
"""Days of data from which a yearly season is told from a trend."""


@checks.arguments
def check_graph(
    data: Dataset | pd.DataFrame,
    graph: Graph | Spec,
    *,
    baseline: Sequence[Term] | None = None,
    treatments: Sequence[str] | None = None,
    lags: int | None = None,
    companions: Sequence[str] = ("effective sample size", "kernel"),
    level: float = REJECTION_LEVEL,
    seed: int = 0,
) -> GraphCheck:
    """Test every claim of a graph that data can contradict, and look for support of its edges.

        a_t _||_ b_t | z_t, .., z_{t-q}, a_{t-1}, .., a_{t-p}, b_{t-1}, .., b_{t-p}

    for each independence ``a _||_ b | z`` that `identify` lists: the partial correlation of what is
    new in a period, which series with memory need (a plain partial correlation rejects a true
    independence of two such series in a third of all cases). The other causes of both are held
    fixed too where the graph allows, since what else moves sales hides what is looked for.
    Conditioning nodes enter with lags and with curves of what they carry over, as spend does. A
    second test asks whether earlier values of one tell of the other. Later spend must not tell of
    earlier outcomes. An edge is looked for likewise, given the other causes; that data show nothing
    of it is never taken for its absence.

    It cannot show that a graph is right, and never sees a common cause that leaves no trace.

    Parameters
    ----------
    data : Dataset or pandas.DataFrame
        A frame has one row a period, and dates as its index if there is a baseline. In a panel each
        unit has coefficients of its own, and products of residuals are added over units: periods
        are the sample, so that units may move together.
    graph : Graph or Spec
        A spec also gives the baseline and the treatments.
    baseline : sequence of terms, optional
        Trend, seasons and events that are held fixed in every test. By default those of the spec,
        of all equations; for a graph none. Say here what all nodes may share by the calendar.
    treatments : sequence of str, optional
        Nodes whose later values must not tell of earlier outcomes; by default those of the spec, or
        those with spend.
    lags : int, optional
        Memory p that is allowed for; by default 2 to 4, chosen by BIC for each pair.
    companions : sequence of str
        Of `COMPANIONS`: the cautious test that counts effective periods, the kernel test for
        dependence that is not in proportion, the chi-squared test of binned columns. They decide
        nothing.
    level : float
        Chance that a graph that is right is rejected (Holm).
    seed : int
        Of the permutations of the kernel test.

    Returns
    -------
    GraphCheck

    Raises
    ------
    DataError, GraphError, SpecError
        A node without a column, values that are missing, arguments out of range. A claim that
        cannot be tested raises nothing and says why in its row.

    Notes
    -----
    Source: Runge (2020), Discovering contemporaneous and lagged causal relations in autocorrelated
    nonlinear time series datasets, UAI, for the conditioning on both pasts; Toda and Yamamoto
    (1995), J. Econometrics 66, for the untested lag; Holm (1979); Benjamini and Hochberg (1995).
    How often each test errs is in benchmarks/RESULTS.md.

    Examples
    --------
    >>> import bayescausal as bc
    >>> example = bc.load_example()
    >>> bc.check_graph(example.data, example.spec, companions=()).rejected
    False
    """
    claims = graph.graph if isinstance(graph, Spec) else as_graph("check_graph", graph)
    level = checks.probability("check_graph: level", level)
    seed = checks.seed("check_graph: seed", seed)
    companion_tests = tuple(checks.names("check_graph: companions", companions, COMPANIONS))
    memory = None if lags is None else checks.count("check_graph: lags", lags, 1, 26)
    terms = _terms(graph, baseline)
    setting = read_setting(data, graph, baseline, memory, level)
    exposures = _treatments(data, graph, claims, treatments)
    rows = [_independence(setting, claim, companion_tests, seed) for claim in setting.claims]
    rows += [
        _future(setting, treatment, outcome)
        for outcome in claims.outcomes
        for treatment in exposures
        if outcome in claims.descendants(treatment) and outcome != treatment
    ]
    rows = [_with_hint(setting, row, data, terms) for row in _corrected(rows)]
    rows += _edges(setting)
    return GraphCheck(
        ranked(rows),
        level,
        setting.table.shape[1] - setting.table.first,
        max(1, len(setting.table.units)),
        tuple(type(term).__name__ for term in terms),
        tuple(_notes(setting)),
    )


def read_setting(
    data: Dataset | pd.DataFrame,
    graph: Graph | Spec,
    baseline: Sequence[Term] | None,
    memory: int | None,
    level: float,
) -> Setting:
    """Return what all tests of a graph share: its columns, the calendar, the memory."""
    claims = graph.graph if isinstance(graph, Spec) else graph
    table = read_table(data, claims.observed)
    columns = _calendar(data, table, _terms(graph, baseline))
    return Setting(_without_holes(data, table), Compiled(claims), columns, memory, level)


def _independence(
    setting: Setting, claim: Implication, companions: Sequence[str], seed: int
) -> ClaimTest:
    """Test one independence."""
    table, calendar, level = setting.table, setting.calendar, setting.level
    try:
        regression = same_period(setting, claim)
        residuals = partial_out(table, regression, calendar)
        deciding = [partial_correlation(residuals, level, "partial correlation")]
        directions = [
            (source, _tested(setting, earlier_values(setting, source, target, claim), "lags"))
            for source, target in ((claim.a, claim.b), (claim.b, claim.a))
        ]
        deciding.append(both_directions(directions))
    except Untestable as reason:
        return ClaimTest(Kind.INDEPENDENCE, str(claim), level=level, reason=str(reason))
    additions: list[IndependenceTest] = []
    hints: list[str] = []
    for name in companions:
        try:
            if name == "kernel":
                additions.append(kernel(residuals, seed))
            elif name == "chi-squared":
                additions.append(_binned(setting, claim))
            else:
                static = partial_out(table, regression._replace(memory=()), calendar)
                additions.append(effective_size(static, level))
        except Untestable as reason:
            hints.append(f"No {name} test, since {reason}")
    return ClaimTest(
        Kind.INDEPENDENCE, str(claim), (*deciding, *additions), 2, level, hints=tuple(hints)
    )


def _tested(setting: Setting, regression: Regression, name: str) -> IndependenceTest:
    residuals = partial_out(setting.table, regression, setting.calendar)
    return partial_correlation(residuals, setting.level, name)


def _binned(setting: Setting, claim: Implication) -> IndependenceTest:
    """Run the chi-squared test of an independence."""
    table = setting.table
    if table.units:
        raise Untestable("it would take each unit's period for a new one, and units share periods")
    if setting.calendar.shape[1]:
        raise Untestable("it cannot hold a baseline fixed")
    a, b, *condition = (table.x[v][0, table.first :] for v in (claim.a, claim.b, *claim.given))
    return chi_squared(a, b, condition)


def _future(setting: Setting, treatment: str, outcome: str) -> ClaimTest:
    """Test whether later spend tells of an outcome, given spend so far and an adjustment set."""
    compiled = setting.compiled
    question = ask(compiled.graph, incremental(treatment).on(outcome))
    claim = f"later {treatment} _||_ {outcome} | {treatment} so far"
    if treatment in compiled.graph.descendants(outcome):
        reason = f"by the graph {treatment} follows {outcome}"
        return ClaimTest(Kind.FUTURE, claim, level=setting.level, reason=reason)
    if not question.has_sets:
        reason = f"by the graph something unobserved may tie {treatment} to {outcome} over time"
        return ClaimTest(Kind.FUTURE, claim, level=setting.level, reason=reason)
    sets = [z for z in (question.optimal, question.minimal_sets[0]) if z is not None]
    options = [later_values(setting, treatment, outcome, compiled.words(z)) for z in sets]
    regression = next(filter(setting.is_sharp, options), options[-1])
    adjustment = {c.node for c in regression.conditioned} - {treatment}
    claim = ", ".join([claim, *sorted(adjustment)])
    try:
        test = _tested(setting, regression, "later values")
    except Untestable as reason:
        return ClaimTest(Kind.FUTURE, claim, level=setting.level, reason=str(reason))
    return ClaimTest(Kind.FUTURE, claim, (test,), level=setting.level)


def _edges(setting: Setting) -> Iterator[ClaimTest]:
    """Look for support of each direct effect, given the other causes of its target."""
    for name, regression in edge_regressions(setting):
        try:
            test = _tested(setting, regression, "edge")
        except Untestable as reason:
            yield ClaimTest(Kind.EDGE, name, level=setting.level, reason=str(reason))
        else:
            yield ClaimTest(Kind.EDGE, name, (test,), level=setting.level)


def _corrected(rows: Sequence[ClaimTest]) -> list[ClaimTest]:
    """Adjust the p-values of all claims for their number."""
    values = [tuple(test.p_value for test in row.decisive) for row in rows]
    holm, bh = adjusted(values, "holm"), adjusted(values, "fdr_bh")
    return [replace(row, p_holm=h, p_bh=b) for row, h, b in zip(rows, holm, bh, strict=True)]


def _with_hint(
    setting: Setting, row: ClaimTest, data: Dataset | pd.DataFrame, terms: Sequence[Term]
) -> ClaimTest:
    """Say whether the calendar explains what a claim of independence does not."""
    if row.kind != Kind.INDEPENDENCE or terms or not row.p_value < setting.level:
        return row
    time = setting.table.time
    if time is None or (time[-1] - time[setting.table.first]).days < _DAYS_OF_SEASON:
        return row
    seasonal_setting = replace(setting, calendar=_calendar(data, setting.table, CALENDAR))
    claim = next(c for c in setting.claims if str(c) == row.claim)
    rerun = _independence(seasonal_setting, claim, (), 0)
    if rerun.reason:
        return row
    text = f"with a trend and a yearly season held fixed, p {rerun.p_value:.2g}"
    if rerun.p_value >= setting.level:
        text += ": the calendar may be what they share (say so by baseline=)"
    return replace(row, hints=(*row.hints, text[:1].upper() + text[1:]))


def _terms(graph: Graph | Spec, baseline: Sequence[Term] | None) -> tuple[Term, ...]:
    """Return the terms of time that are held fixed."""
    terms: Iterable[Term]
    if baseline is not None:
        sequence = checks.several(baseline, Term)
        if sequence is None or not all(isinstance(term, Term) for term in sequence):
            raise SpecError(
                "check_graph: baseline is a list of terms, such as [LinearTrend(), "
                f"YearlySeasonality()]; got {baseline!r}."
            )
        terms = sequence
    elif isinstance(graph, Spec):
        terms = (term for node in graph.modelled for term in graph.terms(node))
    else:
        terms = ()
    return tuple(dict.fromkeys(term for term in terms if not isinstance(term, Intercept)))


def _calendar(data: Dataset | pd.DataFrame, table: Table, terms: Sequence[Term]) -> np.ndarray:
    """Return the columns of the terms of time, dims ``(time, column)``."""
    if not terms:
        return np.empty((table.shape[1], 0))
    if table.time is None:
        raise DataError(
            "A baseline needs dates. Give the frame dates as its index (frame.set_index('week')), "
            "or a Dataset."
        )
    training = data.training if isinstance(data, Dataset) else table.time
    return np.hstack([term.design(table.time, training) for term in terms])


def _without_holes(data: Dataset | pd.DataFrame, table: Table) -> Table:
    """Use rows of the history too where every column has values there."""
    holes = isinstance(data, Dataset) and any(len(data.holes(name)) for name in table.x)
    return table if holes else table._replace(first=0)


def _treatments(
    data: Dataset | pd.DataFrame,
    graph: Graph | Spec,
    claims: Graph,
    treatments: Sequence[str] | None,
) -> list[str]:
    """Return the treatments among the observed nodes."""
    if treatments is not None:
        names = checks.names("check_graph: treatments", treatments, claims.observed)
    elif isinstance(graph, Spec):
        names = [*graph.treatments]
    else:
        names = [*data.spend] if isinstance(data, Dataset) else []
    return [v for v in names if v in claims.observed]


def _notes(setting: Setting) -> Iterator[str]:
    """Say what the graph leaves untested."""
    if setting.compiled.feeds_back:
        yield (
            "Lagged edges close a cycle, so that whole series are tied to each other: the graph "
            "implies no independence that is tested here. Its edges are."
        )
    elif not setting.claims:
        yield (
            "The graph implies no independence of observed nodes: each two are joined by an edge "
            "or by an unobserved cause, so data cannot contradict it."
        )
    if setting.table.units:
        yield (
            "Units are pooled by period: each has coefficients of its own, and periods are the "
            "sample."
        )
