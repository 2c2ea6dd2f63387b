"""Graphs in time: what feedback does to a verdict, held against graphs over many periods."""

from collections import Counter
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from identification import brute

from bayescausal.experiments.estimand import incremental
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph
from bayescausal.identification.adjustment import Question
from bayescausal.identification.compiled import Compiled
from bayescausal.identification.edges import hedge_of
from bayescausal.identification.strategies import find_instruments
from bayescausal.identification.totals import by_period
from bayescausal.identification.verdicts import identify


def graph(text, outcome="sales"):
    return Graph.parse(text.replace("; ", "\n"), outcome=outcome)


FALSELY_IDENTIFIED = {
    "two lags": ("tv -> sales @ 2; sales -> tv @ 1; tv <-> sales", "tv"),
    "through a mediator": (
        "tv -> search @ 1; search -> sales @ 1; sales -> tv @ 1; tv <-> search",
        "tv",
    ),
    "a lasting cause": (
        "tv -> sales @ 2; sales -> tv @ 1; demand -> tv, sales; demand -> demand @ 1;"
        " latent: demand",
        "tv",
    ),
    "a year": ("tv -> sales @ 52; sales -> tv @ 1; tv <-> sales", "tv"),
    "a long way": (
        "tv -> a @ 1; a -> b @ 2; b -> c @ 3; c -> sales @ 4; sales -> tv @ 1; tv <-> a",
        "tv",
    ),
}


@pytest.mark.parametrize("case", FALSELY_IDENTIFIED.values(), ids=FALSELY_IDENTIFIED)
def test_an_effect_that_takes_several_periods_is_seen(case):
    """Each was called identified, over a window too short for the effect to arrive in it."""
    text, treatment = case
    found = identify(graph(text), treatment)
    assert found.status == "not identified"
    assert found.hedge is not None
    assert found.grade == "X"


def test_what_descends_from_the_treatment_at_a_long_lag_is_not_adjusted_for():
    text = "tv -> sales; tv -> fame @ 4; fame -> price @ 1; sales -> tv @ 1; price -> sales @ 1"
    found = identify(graph(text), "tv")
    assert {"fame", "price"} <= {*found.forbidden}
    assert not any({"fame", "price"} & z for z in found.adjustment_sets)


def test_no_lag_of_one_period_or_more_matters():
    statuses = set()
    for seed in range(80):
        nodes, edges, arcs, latent = brute.random_feedback(seed)
        longer = {(a, b, lag and lag + 1 + seed % 7) for a, b, lag in edges}
        for x, y in list(permutations(nodes, 2))[:4]:
            if {x, y} & latent:
                continue
            one, other = (lagged_graph((nodes, e, arcs, latent), y) for e in (edges, longer))
            if y not in one.descendants(x):
                continue
            first, second = identify(one, x), identify(other, x)
            assert first.status == second.status
            assert first.adjustment_sets == second.adjustment_sets
            assert first.hedge == second.hedge
            assert first.split == second.split
            statuses.add(first.status)
    assert {"backdoor", "id", "not identified"} <= statuses


def lagged_graph(case, outcome):
    nodes, edges, arcs, latent = case
    return Graph(
        tuple(Edge(*e) for e in edges), tuple(arcs), frozenset(latent), (outcome,), isolated=nodes
    )


def compared(seed, history, window):
    """Yield (claimed, true) for the effects of one random graph on its last observed node.

    True is the verdict of Tian's algorithm on the graph over many periods, whose latter are set.
    """
    case = brute.random_feedback(seed)
    periods = brute.unrolled(case, history, window)
    y = sorted({*case[0]} - case[3])[-1]
    for x in sorted({*case[0]} - case[3] - {y}):
        asked = lagged_graph(case, y)
        if y in asked.descendants(x):
            found = identify(asked, x)
            claimed = found.status in ("backdoor", "frontdoor", "id")
            true = brute.identified(periods, {(x, t) for t in range(1, window + 1)}, (y, window))
            assert (found.hedge is None) == true, (case, x, y)
            yield claimed, true


def test_feedback_agrees_with_the_c_factors_of_tian_over_many_periods():
    counts = Counter(pair for seed in range(60) for pair in compared(seed, 3, 8))
    assert counts[True, False] == counts[False, True] == 0
    assert min(counts[True, True], counts[False, False]) > 20


@pytest.mark.slow
def test_a_thousand_graphs_with_feedback_agree_with_the_c_factors_of_tian():
    """No false "identified", and no false "not identified", over sixteen periods."""
    counts = Counter(pair for seed in range(1000) for pair in compared(seed, 4, 12))
    assert counts[True, False] == counts[False, True] == 0
    assert min(counts[True, True], counts[False, False]) > 300


def of_periods(names, last):
    """Return the nodes over periods that names of epochs stand for, the last period current."""
    found = set()
    for name in names:
        node = name.removesuffix(" (earlier)").removesuffix(" (current)")
        late, early = not name.endswith("(earlier)"), not name.endswith("(current)")
        found |= {(node, t) for t in range(1, last + 1) if (late if t == last else early)}
    return found


def test_sets_and_edges_hold_over_many_periods():
    sets = none = doors = responses = refused = 0
    last = 9
    for seed in range(60):
        case = brute.random_feedback(seed)
        periods = brute.unrolled(case, 0, last)
        y = sorted({*case[0]} - case[3])[-1]
        x = next((v for v in lagged_graph(case, y).ancestors(y) if v not in case[3] | {y}), None)
        if x is None:
            continue
        found = identify(lagged_graph(case, y), x)
        xs, ys = of_periods([x], last), of_periods([y], last)
        proper = brute.descendants(without_into(periods, xs), xs) & brute.ancestors(
            without_into(periods, xs), ys
        )
        cut = brute.without(periods, {(a, b) for a, b in periods[1] if a in xs and b in proper})
        for z in found.adjustment_sets:
            assert not of_periods(z, last) & brute.descendants(periods, proper - xs)
            assert brute.separated(cut, xs, ys, of_periods(z, last))
            sets += 1
        if not found.adjustment_sets:
            bad = {v for v, _ in brute.descendants(periods, proper - xs)} | {x, y}
            above = {v for v, _ in brute.ancestors(periods, xs | ys)} - bad
            assert not brute.separated(cut, xs, ys, of_periods(above, last))
            none += 1
        for edge, verdict in found.edges.items():
            if edge.source == edge.target:
                continue
            a, b = {(edge.source, t) for t in range(1, last + 1)}, (edge.target, last)
            single = brute.without(periods, {(v, b) for v in a})
            first = {v for v in a if (v, b) in periods[1]}
            for z in verdict.adjustment:
                given = of_periods(z, last)
                assert not given & brute.descendants(periods, {b})
                assert brute.separated(single, first - given, {b}, given)
                doors += 1
            if verdict.status == "id":
                acted = verdict.reason.split(" to ")[1].removesuffix(" is identified").split(", ")
                causes = {v for v, w in periods[1] if w == b and v[0] in acted}
                causes |= {v for v in of_periods(acted, last) if v[1] < last}
                assert brute.identified(periods, causes, b), (case, edge)
                responses += 1
            refused += verdict.status == "not identified"
    assert min(none, doors, responses, refused) > 20
    assert sets > 5


def without_into(case, targets):
    return brute.without(case, {(a, b) for a, b in case[1] if b in targets})


def test_a_graph_over_periods_by_hand():
    """The tests' own graph over periods: effects carry over, noise lasts, latents stay out."""
    nodes, directed, arcs = brute.unrolled(
        (
            ("a", "b", "u"),
            {("a", "b", 1), ("b", "a", 1), ("u", "a", 0), ("u", "b", 0)},
            set(),
            {"u"},
        ),
        1,
        1,
    )
    assert nodes == (("a", 0), ("a", 1), ("b", 0), ("b", 1))
    assert directed == {(("a", 0), ("b", 1)), (("b", 0), ("a", 1))}
    assert arcs == set(combinations(nodes, 2))


def test_epochs_of_the_budget_rule():
    at = Compiled(graph("sales -> tv @ 1; tv -> sales"))
    assert at.names == ("sales", "tv")
    assert at.period.names == ("sales", "tv", "sales (earlier)", "tv (earlier)")
    period = at.period
    parents = {period.names[i]: set(period.labels(mask)) for i, mask in enumerate(period.parents)}
    assert parents == {
        "sales": {"tv", "tv (earlier)"},
        "tv": {"sales (earlier)"},
        "sales (earlier)": {"tv (earlier)"},
        "tv (earlier)": {"sales (earlier)"},
    }
    assert at.window.parents[1] == 0b0101  # the window is long: its own sales move tv as well
    assert [at.period.labels(mask) for mask in at.period.siblings] == [
        ("sales (earlier)",),
        ("tv (earlier)",),
        ("sales",),
        ("tv",),
    ]


def test_lags_and_memory_alone_are_no_feedback():
    one = graph("tv -> sales @ 3; sales -> sales @ 1; season -> tv @ 2; season -> sales")
    assert not Compiled(one).feeds_back
    assert identify(one, "tv").adjustment_sets == [{"season"}]


def test_names_of_epochs_do_not_collide():
    text = "sales -> tv @ 1; tv -> sales; rain -> tv; rain <-> sales"
    plain = identify(graph(text), "tv")
    odd = identify(graph(text.replace("rain", '"tv (earlier)"')), "tv")
    assert odd.status == plain.status
    assert [v.status for v in odd.edges.values()] == [
        plain.edges[Edge(*(v.replace("tv (earlier)", "rain") for v in e[:2]), e.lag)].status
        for e in odd.edges
    ]


def test_time_varying_confounding_is_sent_to_g_computation():
    found = identify(graph("sales -> tv @ 1; tv -> sales; sales -> sales @ 1"), "tv")
    assert found.status == "id"
    assert found.g_computation
    assert "g-computation" in found.strategies[0].words
    assert "g-computation" in str(found)
    assert found.adjustment_sets == []
    assert found.edges[Edge("tv", "sales")].status == "id"
    assert found.edges[Edge("sales", "sales", 1)].status == "not identified"


MEMORYLESS = "sales -> tv @ 1; tv -> sales; season -> tv, sales"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MEMORYLESS, ("season",)),
        ("sales -> tv @ 1; tv -> sales", ()),
        ("sales -> budget @ 1; budget -> tv -> sales; budget <-> tv", ()),
        (f"{MEMORYLESS}; sales -> sales @ 1", None),  # the past outcome acts again
        (f"{MEMORYLESS}; sales -> awareness @ 1; awareness -> sales", None),  # what it moves does
        (f"{MEMORYLESS}; tv -> search -> sales", None),  # a mediator may carry over
        (f"{MEMORYLESS}; tv <-> sales", None),
        ("season -> tv, sales; tv -> sales", None),  # no feedback, so no need
    ],
)
def test_one_period_by_itself_has_a_set_where_the_past_does_not_act_again(text, expected):
    found = identify(graph(text), "tv")
    assert by_period(found.question) == expected
    if expected is None:
        assert "a period" not in found.to_markdown().split("\n")[2]
    else:
        assert (found.status, found.g_computation, found.adjustment_sets) == ("id", False, [])
        assert "one regression a period" in found.strategies[0].words


@pytest.mark.parametrize(
    ("memory", "phi", "right"), [(0.0, 0.0, True), (0.6, 0.0, False), (0.0, 0.6, False)]
)
def test_one_regression_is_right_just_where_it_is_said_to_be(memory, phi, right):
    """Sales on tv and season, where sales of last week set tv: memory or lasting errors bias it."""
    rng = np.random.default_rng(8)
    n = 20_000
    season, noise, error = rng.normal(size=(3, n))
    tv, sales, lasting = np.zeros((3, n))
    for t in range(1, n):
        lasting[t] = phi * lasting[t - 1] + error[t]
        tv[t] = 0.5 * season[t] - 0.4 * sales[t - 1] + noise[t]
        sales[t] = 1.0 * tv[t] + season[t] + memory * sales[t - 1] + lasting[t]
    slope = np.linalg.lstsq(np.c_[tv, season, np.ones(n)], sales)[0][0]
    assert (abs(slope - 1.0) < 0.03) == right  # its standard error is 0.007


def test_confounding_over_time_is_named_only_where_the_past_acts_on_the_outcome():
    door = identify(graph("sales -> tv @ 1; tv -> sales; tv -> visits; visits -> tv @ 1"), "tv")
    assert not door.g_computation
    back = identify(graph(f"{MEMORYLESS}; sales -> sales @ 1"), "tv")
    assert back.g_computation
    assert "time-varying confounding affected by treatment" in str(back)


def test_feedback_with_a_latent_cause_is_not_identified_and_a_hedge_says_so():
    found = identify(graph("sales -> tv @ 1; tv -> sales; tv <-> sales"), "tv")
    assert found.status == "not identified"
    big, small = found.hedge
    assert small < big
    assert any(r.action == "observe" and r.status == "id" for r in found.remedies)


def test_feedback_among_confounders_is_closed_by_whole_series():
    text = "price -> demand @ 1; demand -> price @ 1; demand -> tv; demand, price, tv -> sales"
    found = identify(graph(text), "tv")
    assert (found.status, found.adjustment_sets) == ("backdoor", [{"demand"}])
    found.check_adjustment("demand")
    found.check_adjustment(["demand", "price"])
    assert not found.g_computation
    assert found.edges[Edge("tv", "sales")].adjustment == (frozenset({"demand"}),)


def test_feedback_through_a_latent_stock():
    text = "tv -> stock; stock -> stock @ 1; stock -> sales; sales -> tv @ 1; latent: stock"
    found = identify(graph(text), "tv")
    assert (found.status, found.mediators) == ("id", ())
    assert set(found.edges) == {Edge("tv", "sales"), Edge("sales", "tv", 1)}
    # the effect of the mediator is the outcome's own past: two treatments, both fed back
    both = identify(
        graph(
            "sales -> tv, radio @ 1".replace(", radio", "") + "; sales -> radio @ 1;"
            " tv, radio -> sales"
        ),
        incremental(["tv", "radio"]),
    )
    assert both.status == "id"


def beside_a_loop(case):
    """Return the graph of a case, in epochs because of a feedback that touches nothing else."""
    plain = brute.as_graph(case)
    apart = (Edge("rain", "sun"), Edge("sun", "rain", 1))
    return replace(plain, edges=plain.edges + apart, isolated=case[0])


def test_a_loop_elsewhere_changes_no_verdict():
    verdicts = set()
    for seed in range(60):
        case = brute.random_case(seed, most=5)
        series, slices = Compiled(brute.as_graph(case)), Compiled(beside_a_loop(case))
        for x, y in permutations(case[0], 2):
            if y not in brute.descendants(case, {x}):
                continue
            whole, parts = Question(series, (x,), y), Question(slices, (x,), y)
            verdict = hedge_of(whole) is None
            assert (hedge_of(parts) is None) == verdict, (case, x, y)
            sets = [series.words(z) for z in whole.minimal_sets]
            assert [slices.words(z) for z in parts.minimal_sets] == sets, (case, x, y)
            named = [(z.node, z.given) for z in find_instruments(whole)]
            assert [(z.node, z.given) for z in find_instruments(parts)] == named
            assert parts.mediators == whole.mediators
            verdicts.add((verdict, bool(sets), bool(named)))
    assert len(verdicts) > 4
