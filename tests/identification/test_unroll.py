"""Graphs in time: slices, carry-over, persistence, and what feedback does to a verdict."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from identification import brute

from bayescausal.identification.adjustment import Question
from bayescausal.identification.edges import hedge_of
from bayescausal.identification.strategies import find_instruments
from bayescausal.identification.totals import by_period
from bayescausal.identification.unroll import Compiled, has_cycle, unroll
from bayescausal.identification.verdicts import identify
from bayescausal.specs.edge import Edge
from bayescausal.specs.estimand import incremental
from bayescausal.specs.graph import Graph


def graph(text, outcome="sales"):
    return Graph.parse(text.replace("; ", "\n"), outcome=outcome)


def test_unrolled_graph_of_the_budget_rule():
    found = unroll(graph("sales -> tv @ 1; tv -> sales"))
    assert found.history == 1
    assert found.slices == {
        "sales": ("sales[t-2]", "sales[t-1]", "sales[t]"),
        "tv": ("tv[t-2]", "tv[t-1]", "tv[t]"),
    }
    times = ("[t-2]", "[t-1]", "[t]")
    now_or_later = {
        (f"tv{a}", f"sales{b}") for i, a in enumerate(times) for b in times[i:]
    }  # carry-over
    later = {(f"sales{a}", f"tv{b}") for i, a in enumerate(times) for b in times[i + 1 :]}
    assert {e[:2] for e in found.graph.edges} == now_or_later | later
    assert not any(e.lag for e in found.graph.edges)
    persistent = {(f"{v}{a}", f"{v}{b}") for v in ("tv", "sales") for a in times for b in times}
    assert set(found.graph.bidirected) == {(a, b) for a, b in persistent if a < b}
    assert found.graph.outcome == "sales[t]"


def test_bidirected_edges_reach_across_periods_and_latents_stay_latent():
    found = unroll(graph("sales -> tv @ 1; tv -> sales; tv <-> sales; u -> tv; latent: u"))
    assert {(a, b) for a in found.slices["sales"] for b in found.slices["tv"]} <= set(
        found.graph.bidirected
    )
    assert found.graph.latent == set(found.slices["u"])


@pytest.mark.parametrize(("lag", "count"), [(1, 3), (2, 4), (4, 6), (52, 6)])
def test_the_window_is_the_longest_lag_of_a_cycle_and_two(lag, count):
    found = unroll(graph(f"sales -> tv @ {lag}; tv -> sales; price -> sales"))
    assert len(found.slices["tv"]) == count
    assert found.history == count - 2
    assert bool(found.notes) == (lag == 52)
    if found.notes:
        assert "sales->tv@52 counts as 4" in found.notes[0]
        assert (
            found.notes[0] in identify(graph(f"sales -> tv @ {lag}; tv -> sales"), "tv").assumptions
        )


def test_lags_and_memory_alone_do_not_unroll():
    one = graph("tv -> sales @ 3; sales -> sales @ 1; season -> tv @ 2; season -> sales")
    assert not has_cycle(one)
    assert Compiled(one).unrolled is None
    assert identify(one, "tv").adjustment_sets == [{"season"}]


def test_names_of_slices_do_not_collide():
    found = unroll(graph('sales -> tv @ 1; tv -> sales; "tv[t]" -> tv'))
    nodes = [one for slices in found.slices.values() for one in slices]
    assert len(nodes) == len(set(nodes)) == 9
    assert "tv[t][t]" in nodes


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


def unrolled(case):
    """Return the graph of a case, unrolled because of a feedback that touches nothing else."""
    plain = brute.as_graph(case)
    apart = (Edge("rain", "sun"), Edge("sun", "rain", 1))
    return replace(plain, edges=plain.edges + apart, isolated=case[0])


def test_unrolling_a_graph_without_feedback_changes_no_verdict():
    verdicts = set()
    for seed in range(60):
        case = brute.random_case(seed, most=5)
        series, slices = Compiled(brute.as_graph(case)), Compiled(unrolled(case))
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
