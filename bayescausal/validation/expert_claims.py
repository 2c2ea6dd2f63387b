"""Claims of experts that a graph alone does not make, against data: arrows in time, lags, signs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from scipy.signal import lfilter

from bayescausal.data.dataset import Dataset
from bayescausal.graphs.edge import Edge
from bayescausal.identification.implications import Implication
from bayescausal.specs.experts import Experts
from bayescausal.validation.claim_regressions import Setting, earlier_values
from bayescausal.validation.graph_check import p_text
from bayescausal.validation.independence_tests import IndependenceTest, partial_correlation
from bayescausal.validation.lagged_regression import Column, Regression, Untestable, partial_out
from bayescausal.validation.lagged_table import read_table
from bayescausal.validation.objections import (
    Doubt,
    Objection,
    fed_back,
    turned,
    with_common_cause,
)

FARTHEST = 8
"""Periods by which a column is looked for before and after where it should be."""

CARRIED = 0.5
"""Retention of the carry-over with which the sign of an effect is looked for."""


class Candidate(NamedTuple):
    """An objection, the p-values of its tests, and the edge or pair that it is about."""

    objection: Objection
    p_values: tuple[float, ...]
    pair: tuple[str, str] = ("", "")


def _run(setting: Setting, regression: Regression, name: str) -> IndependenceTest:
    residuals = partial_out(setting.table, regression, setting.calendar)
    return partial_correlation(residuals, setting.level, name)


def seen_with_power(test: IndependenceTest) -> str:
    """Say what a test would have seen."""
    return f"A correlation of {test.detectable:.2f} would be seen in 8 of 10 such data sets."


def _pairs(setting: Setting) -> list[tuple[str, str]]:
    """Return causes and effects that time must order: no feedback, no unobserved common cause."""
    graph = setting.compiled.graph.project()
    pairs = dict.fromkeys((e.source, e.target) for e in setting.compiled.edges)
    return [
        (a, b)
        for a, b in pairs
        if a != b and a not in graph.descendants(b) and b not in graph.siblings(a)
    ]


def arrows(setting: Setting, experts: Experts) -> Iterator[Candidate]:
    """Test that earlier values of an effect tell nothing of its cause, given what moves the cause.

        a_t _||_ b_{t-1}, .., b_{t-p} | pa(a), past of a        for each edge a -> b

    If a had an unobserved cause besides, its past could tell of it, so such causes are left out.
    """
    graph = setting.compiled.graph.project()
    for a, b in _pairs(setting):
        if graph.siblings(a):
            continue
        claim = Implication(a, b, tuple(v for v in graph.parents(a) if v not in (a, b)))
        try:
            test = _run(setting, earlier_values(setting, b, a, claim), "earlier effect")
        except Untestable:
            continue
        free = experts.allows(b, a)
        doubt = Doubt.REVERSED_EDGE if free else Doubt.REVERSED_TIME
        ways = [*(turned(experts, a, b) if free else ()), *fed_back(experts, a, b)]
        yield Candidate(
            Objection(
                doubt,
                f"{a} -> {b}",
                f"{a} comes first, so that earlier {b} tells nothing of it",
                f"{b} of earlier periods tells of {a} (multiple correlation "
                f"{test.correlation:.2f}, p {p_text(test.p_value)})",
                seen_with_power(test),
                f"Ask who sets {a}: if it follows {b}, turn the edge or add '{b} -> {a} @ 1'; else "
                f"compare the dates of both columns with their source.",
                test.p_value,
                certainty=experts.certainty_of(a, b),
                graphs=tuple(ways),
            ),
            (test.p_value,),
            (a, b),
        )


def alignments(setting: Setting, experts: Experts) -> Iterator[Candidate]:
    """Look for causes that are aligned with their effect only when a column is moved in time.

    The correlation of b_t with a_{t-k}, given the pasts of both and the other causes of b, at lags
    k from -8 to 8. Expected is its peak at the lags that experts state, or at once or later; a
    larger one elsewhere, significant after Bonferroni over the lags there, is an objection.
    """
    for a, b in _pairs(setting):
        lags = [e.lag for e in setting.compiled.edges if e[:2] == (a, b)]
        stated = experts.lags.get(f"{a}->{b}")
        first, last = stated or (0, max(lags) + FARTHEST)
        profile = _profile(setting, a, b)
        inside = [abs(t.correlation) for k, t in profile.items() if first <= k <= last]
        outside = {k: t for k, t in profile.items() if not first <= k <= last}
        if not inside or not outside:
            continue
        lag = min(outside, key=lambda k: outside[k].p_value)
        test, p_value = outside[lag], min(1.0, outside[lag].p_value * len(outside))
        if abs(test.correlation) <= max(inside):
            p_value = 1.0
        expected_lags = f"at lags {first} to {last}" if stated else "at once or later"
        objection = _misaligned(experts, a, b, lag, replace(test, p_value=p_value))
        objection = replace(
            objection,
            expected=f"{b} follows {a} {expected_lags}",
            seen=f"{objection.seen}; {max(inside):.2f} at most where it is expected",
        )
        yield Candidate(objection, (p_value,), (a, b))


def _misaligned(experts: Experts, a: str, b: str, lag: int, test: IndependenceTest) -> Objection:
    """Return the objection that b is tied to a at a lag where it should not be."""
    periods = f"{abs(lag)} period{'s' if abs(lag) > 1 else ''}"
    action = (
        f"Compare the dates of '{a}' and '{b}' with their source: one of them seems to be recorded "
        f"{periods} off."
    )
    if lag < 0:
        action += f" If {a} really follows {b}, write '{b} -> {a} @ {-lag}'."
    return Objection(
        Doubt.MISALIGNED,
        f"{a} -> {b}",
        "",
        f"the correlation is largest where {b} stands {periods} {'before' if lag < 0 else 'after'} "
        f"{a} ({test.correlation:.2f}, p {p_text(test.p_value)})",
        seen_with_power(test),
        action,
        test.p_value,
        certainty=experts.certainty_of(a, b),
        graphs=tuple(fed_back(experts, a, b, -lag)) if lag < 0 else (),
    )


def _profile(setting: Setting, a: str, b: str) -> dict[int, IndependenceTest]:
    """Return the test of b on a at each lag, given both pasts and the other causes of b."""
    depth = setting.memory(a, b)
    conditioned = _other_causes(setting, a, b, depth)
    memory = [Column(b, lag) for lag in range(1, depth + 1)]
    profile = {}
    for k in range(-FARTHEST, FARTHEST + 1):
        own = [Column(a, lag) for lag in range(k + 1, k + depth + 1)]
        regression = Regression(b, (Column(a, k),), (*memory, *own), conditioned)
        try:
            profile[k] = _run(setting, regression, f"lag {k}")
        except Untestable:
            continue
    return profile


def _other_causes(setting: Setting, a: str, b: str, depth: int) -> tuple[Column, ...]:
    """Return the causes of b that a does not move, with lags."""
    graph = setting.compiled.graph.project()
    moved = {a, b, *graph.descendants(a)}
    causes = [v for v in graph.parents(b) if v not in moved]
    return tuple(Column(v, lag) for v in causes for lag in range(depth + 1))


def signs(setting: Setting, experts: Experts) -> Iterator[Candidate]:
    """Test total effects whose sign experts state, on what the cause carries over."""
    for key, sign in experts.signs.items():
        a, b = key.split("->")
        if not {a, b} <= {*setting.table.x}:
            continue
        try:
            test = _carried_effect(setting, a, b)
        except Untestable:
            continue
        objection = Objection(
            Doubt.WRONG_SIGN,
            f"{a} -> {b}",
            f"{a} {'raises' if sign > 0 else 'lowers'} {b}, in all",
            f"{b} is {'lower' if sign > 0 else 'higher'} when {a} is high, other causes equal "
            f"(partial correlation {test.correlation:.2f}, p {p_text(test.p_value)})",
            seen_with_power(test),
            f"Look whether '{a}' is coded the other way round (a discount for a price, a rank for "
            f"a share), then for a cause that drives both: what else changed when {a} was high?",
            test.p_value,
            certainty=experts.certainty_of(a, b),
            graphs=tuple(with_common_cause(experts, a, b)),
        )
        is_wrong = test.correlation * sign < 0
        yield Candidate(objection, (test.p_value if is_wrong else 1.0,), (a, b))


def _carried_effect(setting: Setting, a: str, b: str) -> IndependenceTest:
    """Test b on the geometric carry-over of a, given the past of b and its other causes."""
    lag = min(e.lag for e in setting.compiled.edges if e[:2] == (a, b))
    path = setting.table.x[a]
    start = CARRIED * path.mean(axis=1, keepdims=True)
    carried = lfilter([1 - CARRIED], [1, -CARRIED], path, axis=1, zi=start)[0]
    name, depth = f"{a} carried over", setting.memory(a, b)
    table = setting.table._replace(x={**setting.table.x, name: carried})
    memory = tuple(Column(b, k) for k in range(1, depth + 1))
    conditioned = _other_causes(setting, a, b, depth)
    regression = Regression(b, (Column(name, lag),), memory, conditioned)
    return _run(replace(setting, table=table), regression, "sign")


def left_out(
    setting: Setting, experts: Experts, data: Dataset, columns: list[str]
) -> Iterator[Candidate]:
    """Test whether a column that is no node tells of a cause and of its effect.

    For each edge a -> b the larger of two p-values (of a and of b on the column, its lags
    included, each given what else moves it), times the number of edges.
    """
    graph = setting.compiled.graph.project()
    pairs = _pairs(setting)
    for name in columns:
        extra = read_table(data, [name]).x[name]
        table = setting.table._replace(x={**setting.table.x, name: extra})
        wider = replace(setting, table=table)
        tests = {
            v: test
            for v in sorted({v for p in pairs for v in p})
            if (test := _tells(wider, name, v, graph.parents(v)))
        }
        usable = [(a, b) for a, b in pairs if a in tests and b in tests]
        if not usable:
            continue
        worst = {p: max((tests[v] for v in p), key=lambda t: t.p_value) for p in usable}
        a, b = min(worst, key=lambda p: worst[p].p_value)
        p_value = min(1.0, worst[a, b].p_value * len(usable))
        yield Candidate(
            Objection(
                Doubt.LEFT_OUT,
                name,
                f"what is not in the graph does not tie {a} to {b}",
                f"'{name}' tells of both (multiple correlations {tests[a].correlation:.2f} and "
                f"{tests[b].correlation:.2f}, p {p_text(p_value)})",
                seen_with_power(worst[a, b]),
                f"If it moves both, add '{name} -> {a}, {b}'; if {a} or {b} moves it, leave it "
                "out.",
                p_value,
                graphs=tuple(_with_cause(experts, name, (a, b))),
            ),
            (p_value,),
            (a, b),
        )


def _tells(
    setting: Setting, name: str, node: str, causes: tuple[str, ...]
) -> IndependenceTest | None:
    depth = setting.memory(node)
    tested = tuple(Column(name, k) for k in range(depth + 1))
    memory = (*(Column(node, k) for k in range(1, depth + 1)), Column(name, depth + 1))
    conditioned = [Column(v, k) for v in causes if v != node for k in range(depth + 1)]
    try:
        return _run(setting, Regression(node, tested, memory, tuple(conditioned)), name)
    except Untestable:
        return None


def _with_cause(experts: Experts, name: str, nodes: tuple[str, str]) -> Iterator:
    graph = experts.claims
    edges = (*graph.edges, *(Edge(name, node) for node in nodes))
    yield f"add {name} to {nodes[0]} and {nodes[1]}", replace(graph, edges=edges)
