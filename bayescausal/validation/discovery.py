"""`discover` lets data question a graph of experts, and lets the experts question the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import isnan

import pandas as pd

from bayescausal import checks
from bayescausal.data.dataset import Dataset
from bayescausal.errors import DataError, SpecError, shown
from bayescausal.graphs.graph import Graph
from bayescausal.specs.baseline import Term
from bayescausal.specs.experts import Experts
from bayescausal.specs.spec import Spec
from bayescausal.thresholds import ABSENT_P, CERTAIN, REJECTION_LEVEL, STABLE_SHARE
from bayescausal.validation.claim_regressions import Setting
from bayescausal.validation.data_faults import breaks, constant_columns, duplicated_periods
from bayescausal.validation.discovery_result import Discovery
from bayescausal.validation.expert_claims import (
    Candidate,
    alignments,
    arrows,
    left_out,
    seen_with_power,
    signs,
)
from bayescausal.validation.graph_check import ClaimTest, GraphCheck, Kind, adjusted, p_text
from bayescausal.validation.independence import check_graph, read_setting
from bayescausal.validation.lagged_regression import Untestable
from bayescausal.validation.objections import (
    Doubt,
    Objection,
    fed_back,
    joined,
    with_common_cause,
)
from bayescausal.validation.structure_search import COLUMNS, edge_frequencies


@checks.arguments
def discover(
    data: Dataset | pd.DataFrame,
    experts: Experts | Graph | Spec,
    *,
    baseline: Sequence[Term] | None = None,
    treatments: Sequence[str] | None = None,
    lags: int | None = None,
    resamples: int = 100,
    level: float = REJECTION_LEVEL,
    seed: int = 0,
) -> Discovery:
    """Compare a graph of experts with data, both ways, and list what each asks of the other.

    *Data question the experts*: independences of the graph that data contradict (a missing edge or
    common cause), edges that they forbid, edges that time turns around, recorded columns that tell
    of a cause and of its effect. *Experts question the data*: later spend that tells of earlier
    sales, columns that fit only when moved in time, wrong signs, edges that experts are sure of
    and data with power do not show, constants, duplicated periods, shifts of level and changes of
    unit. Each row says what was expected and seen, the power, and what to do.

    It finds no graph and never rewrites one. In short series with memory, structure search misses
    edges and turns others around; PC and FCI (causal-learn) are run for the stability of each edge
    in `frequencies`, and put no row into a list. Data that question a graph and then fit it are
    used twice: intervals do not know of the search.

    Parameters
    ----------
    data : Dataset or pandas.DataFrame
        A frame has one row a period, and dates as its index if there is a baseline. Units of a
        panel are pooled by period.
    experts : Experts, Graph or Spec
        A graph alone is taken as drawn by experts who say nothing more.
    baseline, treatments, lags
        As in `check_graph`.
    resamples : int
        Block resamples for the search with PC and FCI, which needs causal-learn
        (``bayescausal[discovery]``); 0 for none.
    level : float
        The chance that a graph that is right is contradicted, as in `check_graph`; half of it again
        goes to what is tested beyond its independences, and half to the faults of data, each after
        Holm, so that a graph and data that are right give a row with a chance of at most twice the
        level. Rows that are counted have no p-value.
    seed : int
        Of the resamples.

    Returns
    -------
    Discovery

    Raises
    ------
    DataError, GraphError, SpecError
        As in `check_graph`; and where causal-learn is missing. What cannot be tested raises
        nothing and says so in a note.

    Notes
    -----
    Source: Spirtes, Glymour and Scheines (2000), Causation, Prediction, and Search; Runge (2020),
    UAI, for series with memory; Andrews (1993), Econometrica 61, for a break at an unknown time.
    How often it errs is in benchmarks/RESULTS.md.

    Examples
    --------
    >>> import bayescausal as bc
    >>> example = bc.load_example()
    >>> discovery = bc.discover(example.data, bc.Experts(example.spec), resamples=0)
    >>> len(discovery.data_question_experts)
    0
    """
    experts = _as_experts(experts)
    level = checks.probability("discover: level", level)
    resamples = checks.count("discover: resamples", resamples, 0, 10_000)
    seed = checks.seed("discover: seed", seed)
    setting = read_setting(data, experts.graph, baseline, lags, level)
    if setting.table.shape[1] < 2:
        raise DataError(
            f"discover: the data have {setting.table.shape[1]} periods. Nothing can be learned "
            "from fewer than 2, and little from fewer than 50."
        )
    check = check_graph(
        data,
        experts.graph,
        baseline=baseline,
        treatments=treatments,
        lags=lags,
        companions=(),
        level=level,
    )
    frequencies, notes = _search(setting, experts, resamples, seed)
    first, second, tests = _lists(setting, experts, check, data)
    if untested := sum(bool(row.reason) for row in check.rows):
        notes.append(f"{untested} claims of the graph could not be tested; `check` says why.")
    return Discovery(
        experts,
        tuple(_with_search(row, frequencies) for row in first),
        second,
        frequencies,
        check,
        level,
        tests,
        len(frequencies) and resamples,
        (*check.notes, *notes),
    )


def _search(
    setting: Setting, experts: Experts, resamples: int, seed: int
) -> tuple[pd.DataFrame, list[str]]:
    """Return how often search finds each edge, and what is to be said of it."""
    if not resamples:
        return pd.DataFrame(columns=[*COLUMNS]), []
    try:
        frequencies = edge_frequencies(setting, experts, resamples, seed)
    except Untestable as reason:
        return pd.DataFrame(columns=[*COLUMNS]), [f"No structure search, since {reason}."]
    guess = "No tiers were stated, so directions in `frequencies` are guesswork."
    return frequencies, [] if experts.tiers else [guess]


def _lists(
    setting: Setting, experts: Experts, check: GraphCheck, data: Dataset | pd.DataFrame
) -> tuple[list[Objection], tuple[Objection, ...], tuple[int, int]]:
    """Return both lists, and how many tests are behind each."""
    of_graph = [*_beside(setting, experts, data)]
    of_data = [*_questions_of_data(setting, experts, check)]
    controlled = {_sides(row) for row in _controls(check)}
    for candidate in arrows(setting, experts):
        by_data = candidate.objection.doubt == Doubt.REVERSED_TIME
        if candidate.pair not in controlled:  # the same question, asked by `check_graph`
            (of_data if by_data else of_graph).append(candidate)
    half = setting.level / 2
    second = _listed(of_data, half)
    moved = {row.subject for row in second if row.doubt == Doubt.MISALIGNED}
    first = [*_contradictions(setting, experts, check), *_listed(of_graph, half, moved)]
    independences = [r for r in check.claims if r.kind == Kind.INDEPENDENCE and not r.reason]
    counts = [sum(len(c.p_values) for c in side) for side in (of_graph, of_data)]
    return first, second, (counts[0] + sum(r.decisive_count for r in independences), counts[1])


def _as_experts(experts: Experts | Graph | Spec) -> Experts:
    if isinstance(experts, Experts):
        return experts
    if isinstance(experts, Graph | Spec):
        return Experts(experts)
    raise SpecError(
        f"discover takes Experts, a Graph or a Spec; got {shown(experts)}. Write "
        "discover(data, Experts(graph, tiers=...))."
    )


def _listed(
    candidates: Sequence[Candidate], level: float, moved: Iterable[str] = ()
) -> tuple[Objection, ...]:
    """Return what remains after Holm, the smallest p-values first, what was counted before them.

    An edge whose column was moved in time is questioned once, there.
    """
    values = adjusted([candidate.p_values for candidate in candidates], "holm")
    rows = []
    for candidate, p_value in zip(candidates, values, strict=True):
        if candidate.objection.subject in moved:
            continue
        if isnan(p_value) or p_value < level:
            rows.append(replace(candidate.objection, p_adjusted=p_value))
    return tuple(sorted(rows, key=lambda row: row.p_value if row.p_value >= 0 else -1))


def _contradictions(setting: Setting, experts: Experts, check: GraphCheck) -> Iterator[Objection]:
    """Yield the independences that `check_graph` calls contradicted, by its own correction."""
    claims = {str(claim): claim for claim in setting.claims}
    for row in check.contradicted:
        if row.kind != Kind.INDEPENDENCE:
            continue
        a, b = claims[row.claim].a, claims[row.claim].b
        ruled_out = [f"{x} -> {y}" for x, y in ((a, b), (b, a)) if experts.rules_out(x, y)]
        first, second = row.decisive
        yield Objection(
            Doubt.FORBIDDEN if ruled_out else Doubt.DEPENDENCE,
            row.claim,
            f"no {' or '.join(ruled_out)}" if ruled_out else "nothing but the stated joins them",
            f"what is new in {a} and {b} is correlated ({first.correlation:.2f}, p "
            f"{p_text(first.p_value)}); earlier values of one tell of the other with p "
            f"{p_text(second.p_value)}",
            seen_with_power(first),
            f"Ask whether {a} or {b} moves the other, or what drives both: add an edge, '{a} <-> "
            f"{b}', or the calendar (baseline=); or keep the graph and log why.",
            row.p_value,
            row.p_holm,
            graphs=tuple(joined(experts, a, b, forbidden=bool(ruled_out))),
        )


def _beside(
    setting: Setting, experts: Experts, data: Dataset | pd.DataFrame
) -> Iterator[Candidate]:
    """Yield recorded columns that are no nodes of the graph, costs and market sizes apart."""
    known = {*experts.claims.nodes}
    if isinstance(data, Dataset):
        known |= {*data.spend.values(), str(data.value), str(data.size)}
        names = [v for v in data.columns if not data.holes(v).size]
    else:
        numeric = data.select_dtypes("number").dropna(axis=1)
        names = [v for v in numeric.columns if isinstance(v, str)]
    yield from left_out(setting, experts, data, [v for v in names if v not in known])


def _questions_of_data(
    setting: Setting, experts: Experts, check: GraphCheck
) -> Iterator[Candidate]:
    """Yield what may be a fault of the data."""
    table = setting.table
    yield from constant_columns(table)
    yield from duplicated_periods(table)
    yield from breaks(table, experts.claims)
    yield from alignments(setting, experts)
    yield from signs(setting, experts)
    for row in _controls(check):
        yield _reversed_time(row, experts)
    yield from _unseen(check, experts)


def _reversed_time(row: ClaimTest, experts: Experts) -> Candidate:
    """Return "later spend tells of earlier sales" as a candidate."""
    a, b = _sides(row)
    (test,) = row.decisive
    objection = Objection(
        Doubt.REVERSED_TIME,
        f"{a} -> {b}",
        f"{a} of later periods tells nothing of {b}",
        f"it does (multiple correlation {test.correlation:.2f}, p {p_text(test.p_value)})",
        seen_with_power(test),
        f"Compare the dates of '{a}' and '{b}' with their source. If the budget follows {b}, add "
        f"'{b} -> {a} @ 1'; if something drives both, add it, or '{a} <-> {b}'.",
        test.p_value,
        certainty=experts.certainty_of(a, b),
        graphs=(*fed_back(experts, a, b), *with_common_cause(experts, a, b)),
    )
    return Candidate(objection, (test.p_value,), (a, b))


def _sides(row: ClaimTest) -> tuple[str, str]:
    """Return treatment and outcome of a negative control, from its claim."""
    treatment, remainder = row.claim.removeprefix("later ").split(" _||_ ", 1)
    return treatment, remainder.split(" | ", 1)[0]


def _controls(check: GraphCheck) -> list[ClaimTest]:
    """Return the negative controls that could be tested."""
    return [row for row in check.rows if row.kind == Kind.FUTURE and not row.reason]


def _unseen(check: GraphCheck, experts: Experts) -> Iterator[Candidate]:
    """Yield edges that experts are sure of and data do not show. They have no error of level.

    The p-value of an edge is large where it is not seen: it speaks for nothing, so the row has
    none and says what would have been seen.
    """
    sure = {
        f"{e.source} -> {e.target}"
        for e in experts.required
        if experts.certainty_of(e.source, e.target) >= CERTAIN
    }
    for row in check.edges:
        name = row.claim.split(" @ ")[0]
        if name not in sure or row.reason or not row.p_value > ABSENT_P:
            continue
        (test,) = row.decisive
        objection = Objection(
            Doubt.NOT_SEEN,
            row.claim,
            f"{name} shows in the data",
            f"it does not (multiple correlation {test.correlation:.2f}, p {p_text(test.p_value)})",
            seen_with_power(test),
            "Look whether the column is what it says (dates, filled gaps, plan in place of "
            "delivery), and at `overlap`; an effect that is smaller than that stays possible.",
            certainty=experts.certainty_of(*name.split(" -> ")),
        )
        yield Candidate(objection, ())


def _with_search(row: Objection, frequencies: pd.DataFrame) -> Objection:
    """Add what structure search says of the pair of a row, where it is stable."""
    pair = row.subject.split(" | ")[0].replace(" _||_ ", " -> ").split(" -> ")
    lines = frequencies[frequencies["a"].isin(pair) & frequencies["b"].isin(pair)]
    words = []
    for line in lines.to_dict("records"):
        a, b = line["a"], line["b"]
        texts = {"a -> b": f"{a} -> {b}", "b -> a": f"{b} -> {a}"}
        texts["common cause"] = f"{a} <-> {b} (FCI)"
        words += [f"{text} in {line[k]:.0%}" for k, text in texts.items() if line[k] > STABLE_SHARE]
    if len(pair) != 2 or not words:
        return row
    return replace(row, seen=f"{row.seen}; search has {' and '.join(words)} of resamples")
