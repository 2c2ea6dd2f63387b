import itertools
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from augmentation.naive import naive_law, naive_merged
from augmentation.worlds import (
    SCOTT,
    columns_of,
    frame_of,
    law_of,
    log_weights,
    merged_of,
    mixed_graphs,
    plan_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescausal.augmentation import augment as module
from bayescausal.augmentation import search
from bayescausal.augmentation import threshold as rule
from bayescausal.augmentation.augment import augment
from bayescausal.augmentation.conditionals import KNearest, NadarayaWatson, ResidualBootstrap
from bayescausal.augmentation.threshold import threshold
from bayescausal.errors import DataError, EmptyAugmentation
from bayescausal.graphs.graph import Graph
from bayescausal.specs.row_methods import Reduce, Threshold

CHAIN = Graph.parse("a -> b -> c")
SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=25, deadline=None)
@given(mixed_graphs(), SEEDS, st.sampled_from([0.02, 0.3, 1.0, 5.0]))
def test_the_law_is_that_of_brute_force(graph, seed, factor):
    """With theta = 0: n^d rows, weights that add up to 1, each that of the plain formula."""
    rows = 12 if len(graph.nodes) < 4 else 7
    frame = frame_of(graph.nodes, rows, seed)
    plan = plan_of(frame, graph, NadarayaWatson("scott", temperature=factor))
    pillows = plan.factorization.pillows
    law = law_of(plan)
    assert np.isfinite(law).all()  # every tuple came out once
    assert law.sum() == pytest.approx(1, abs=1e-12)
    expected = naive_law(columns_of(frame), pillows, graph.nodes, factor)
    np.testing.assert_allclose(law, expected, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("text", ["a -> b -> d\na -> c -> d", "a -> b <-> c <- d\nb -> d"])
def test_the_law_of_twelve_rows_of_four_nodes_is_that_of_brute_force(text):
    graph = Graph.parse(text)
    frame = frame_of("abcd", 12, 15)
    plan = plan_of(frame, graph)
    expected = naive_law(columns_of(frame), plan.factorization.pillows, graph.nodes)
    np.testing.assert_allclose(law_of(plan), expected, rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(mixed_graphs(), SEEDS, st.sampled_from([1e-4, 1e-2, 0.1, 0.5]))
def test_the_rows_are_those_whose_weight_reaches_theta_over_n(graph, seed, theta):
    frame = frame_of(graph.nodes, 7, seed)
    plan = plan_of(frame, graph, NadarayaWatson("scott", temperature=0.3))
    law = naive_law(columns_of(frame), plan.factorization.pillows, graph.nodes, 0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyAugmentation)
        indices, weights, _ = threshold(plan, theta)
    heavy = {k: w for k, w in np.ndenumerate(law) if w >= theta / 7}
    columns = [plan.order.index(v) for v in graph.nodes]
    listed = dict(zip(map(tuple, indices[:, columns].tolist()), weights, strict=True))
    assert listed.keys() == heavy.keys()
    assert all(listed[k] == pytest.approx(heavy[k], rel=1e-9) for k in heavy)
    assert weights.sum() <= 1 + 1e-12
    assert len(weights) <= 7 / theta


@settings(max_examples=20, deadline=None)
@given(mixed_graphs(), SEEDS, st.booleans())
def test_ties_are_merged_before_anything_is_cut(graph, seed, discrete):
    frame = frame_of(graph.nodes, 8, seed, levels=3)
    names = graph.nodes if discrete else ()
    plan = plan_of(frame, graph, SCOTT, discrete=names)
    law = naive_law(columns_of(frame), plan.factorization.pillows, graph.nodes, identity=names)
    expected = naive_merged(columns_of(frame), law, graph.nodes)
    theta = 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyAugmentation)
        indices, weights, _ = threshold(plan, theta)
    levels = {v: plan.table.blocks[v].levels for v in graph.nodes}
    listed = {
        tuple(
            levels[v][int(x)] if discrete else x for v, x in zip(graph.nodes, key, strict=True)
        ): w
        for key, w in merged_of(plan, indices, weights).items()
    }
    heavy = {k: w for k, w in expected.items() if w >= theta / 8 * (1 - 1e-10)}
    assert listed.keys() == heavy.keys()
    assert all(listed[k] == pytest.approx(heavy[k], rel=1e-9) for k in heavy)


def test_duplicates_add_up():
    """The published code multiplied them: (6e-8, 4e-3, 6e-8, 4e-3) in place of these."""
    frame = pd.DataFrame({"a": [0, 0, 0, 0, 1, 1, 1, 1], "b": [0, 0, 0, 1, 0, 0, 0, 1]})
    rows = augment(frame, Graph(isolated=("a", "b")), "threshold", discrete=["a", "b"])
    table = rows.to_frame().set_index(["b", "a"]).weight.sort_index()
    np.testing.assert_allclose(table, [0.375, 0.375, 0.125, 0.125], rtol=1e-14)


def test_a_value_survives_by_the_sum_of_its_ties():
    """A copy has weight 1/64, less than theta / n = 1/32; the four together reach 1/16."""
    x = [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]
    frame = pd.DataFrame({"a": x, "b": x[::-1]})
    plan = plan_of(frame, Graph(isolated=("a", "b")))
    assert sorted(threshold(plan, 0.25)[1]) == [0.0625] * 8 + [0.25]
    with pytest.warns(EmptyAugmentation):
        assert len(threshold(plan, 0.25, merge=False)[1]) == 0


@pytest.mark.parametrize("text", ["a -> b -> c", "a -> c <- b", "a -> b <-> c", "a <-> b <-> c"])
def test_sets_are_nested_in_theta(text):
    graph = Graph.parse(text)
    plan = plan_of(frame_of("abc", 30, 1), graph, NadarayaWatson("scott", temperature=0.1))
    sets = []
    for theta in (1e-5, 1e-4, 1e-3, 1e-2, 0.03):
        indices, weights, _ = threshold(plan, theta)
        assert 0 < len(weights) <= 30 / theta
        assert (weights >= theta / 30 * (1 - 1e-9)).all()
        sets.append({*map(tuple, indices.tolist())})
    for larger, smaller in itertools.pairwise(sets):
        assert smaller < larger


def test_the_literal_rule_is_strict_and_not_divided_by_n():
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0, 4.0, 4.0]})
    root = Graph(isolated=("a",))
    assert len(augment(frame, root, Threshold(theta=0.17, absolute=True))) == 1
    plan = plan_of(frame, root)
    assert len(threshold(plan, 1 / 6, absolute=True)[1]) == 1  # 1/6 is not above 1/6
    assert len(threshold(plan, 1.0)[1]) == 5  # relative to 1/6: reached


@pytest.mark.parametrize(("roots", "theta"), [(2, 0.11), (3, 0.02), (4, 0.0011)])
def test_roots_alone_can_forbid_every_row_and_it_is_said_before_any_work(roots, theta, monkeypatch):
    monkeypatch.setattr(search.Search, "__init__", None)  # any search would fail
    names = [f"x{k}" for k in range(roots)]
    graph = Graph(tuple((v, "y") for v in names))
    frame = frame_of([*names, "y"], 10, 3)
    assert theta > 10.0 ** (1 - roots)
    with pytest.warns(EmptyAugmentation, match=f"{roots} roots") as record:
        rows = augment(frame, graph, Threshold(theta=theta))
    assert record[0].filename == __file__
    assert len(rows) == 0
    assert rows.mass == 0
    assert rows.effective_rows == 0
    assert f"theta={10.0 ** (1 - roots):.3g}" in rows.notes[0]
    assert "Ancestral()" in repr(rows)
    assert rows.to_frame().shape == (0, roots + 2)


def test_the_rule_of_the_roots_counts_ties():
    """Half of the rows tie in each root: the likeliest pair has 1/4, so theta up to 10/4 is met."""
    x = [0.0] * 5 + [1.0, 2.0, 3.0, 4.0, 5.0]
    frame = pd.DataFrame({"a": x, "b": x[::-1], "y": np.arange(10.0)})
    plan = plan_of(frame, Graph.parse("a, b -> y"), NadarayaWatson(1e-3))
    assert len(threshold(plan, 0.11)[1]) > 0
    assert 0.11 > 10 ** (1 - 2)


def test_residuals_have_no_heavy_rows_and_it_is_said():
    frame = frame_of("abc", 10, 4)
    with pytest.warns(EmptyAugmentation, match=r"b, c are made of residuals.*NadarayaWatson"):
        rows = augment(frame, CHAIN, Threshold(theta=0.02), conditional=ResidualBootstrap())
    assert len(rows) == 0
    assert len(augment(frame, CHAIN, Threshold(theta=0.02))) > 0  # kernels unless asked otherwise


def test_an_empty_search_names_a_theta_that_is_not_empty():
    frame = frame_of("abc", 40, 14)
    with pytest.warns(EmptyAugmentation, match="The likeliest reach theta=") as record:
        rows = augment(frame, CHAIN, Threshold(theta=0.9))
    advised = float(rows.notes[0].split("reach theta=")[1].split(":")[0])
    assert str(record[0].message) == rows.notes[0]
    assert 0 < advised < 0.9
    assert len(augment(frame, CHAIN, Threshold(theta=advised))) > 0


def test_residuals_that_are_listed_are_all_there_is():
    frame = frame_of("abc", 6, 5)
    plan = plan_of(frame, CHAIN, {"b": ResidualBootstrap(local=True), "c": NadarayaWatson()})
    indices, weights, _ = threshold(plan, 0)
    assert len(weights) == 6**3
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(np.log(weights), log_weights(plan, indices), rtol=1e-9)
    some, heavy, _ = threshold(plan, 0.05)
    assert {*map(tuple, some.tolist())} == {*map(tuple, indices[weights >= 0.05 / 6].tolist())}
    assert 0 < len(heavy) < len(weights)


@pytest.mark.parametrize("theta", [1e-3, 1e-2, 0.03])
@pytest.mark.parametrize("text", ["a -> c <- b\na -> d <- b", "a -> b\na, b -> c\na, b -> d -> e"])
def test_bounds_lose_nothing_where_several_pillows_are_complete_at_once(text, theta):
    graph = Graph.parse(text)
    rows = 12 if len(graph.nodes) == 4 else 8
    plan = plan_of(frame_of(graph.nodes, rows, 16), graph, NadarayaWatson("scott", temperature=0.3))
    indices, weights, _ = threshold(plan, 0)
    expected = indices[weights >= theta / rows]
    assert len(expected) > 10
    assert np.array_equal(threshold(plan, theta)[0], expected)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_what_is_held_at_once_does_not_matter(chunk, monkeypatch):
    graph = Graph.parse("a -> b\nb, d -> c\nb, d -> f\nd, a -> g\nc <-> f")
    plan = plan_of(frame_of("abcdfg", 12, 6), graph, NadarayaWatson("scott", temperature=0.2))
    reference = threshold(plan, 3e-3)
    monkeypatch.setattr(search, "_CHUNK", chunk)
    monkeypatch.setattr(search, "_CELLS", 12 * chunk)
    monkeypatch.setattr(search, "_TABLE", 0 if chunk == 7 else 10**6)
    parts = threshold(plan, 3e-3)
    assert len(reference[1]) > 200
    assert np.array_equal(reference[0], parts[0])
    np.testing.assert_allclose(reference[1], parts[1], rtol=1e-12)


def test_bounds_cut_early():
    """The prefixes that reach the level by themselves are the rows of the graph's beginnings."""
    graph = Graph.parse("a -> b -> c -> d\na -> e\nb -> f\nc -> g\na, b -> h\na, b -> i")
    frame = frame_of("abcdefghi", 30, 7)
    plan = plan_of(frame, graph)
    searcher, sizes = search.Search(plan), []
    extend = searcher._extend
    searcher._extend = lambda *args: sizes.append(len(x := extend(*args))) or x
    count = sum(len(w) for _, w in searcher.rows(np.log(1e-4 / 30)))
    begun = 0
    for k in range(1, 10):
        beginning = plan_of(frame, graph.restrict(plan.order[:k]))
        begun += len(threshold(beginning, 1e-4)[1])
    assert 0 < count < sum(sizes) < begun / 3


@pytest.mark.parametrize("budget", [1, 10, 137, 2000])
@pytest.mark.parametrize("theta", [1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("surplus", [0, 100_000])
@pytest.mark.parametrize("text", ["a -> b -> c", "a, b -> c"])
def test_a_budget_keeps_exactly_the_heaviest_rows(text, budget, theta, surplus, monkeypatch):
    monkeypatch.setattr(rule, "_SURPLUS", surplus)
    monkeypatch.setattr(search, "_CHUNK", max(50, surplus))
    graph = Graph.parse(text)
    plan = plan_of(frame_of("abc", 20, 8), graph, NadarayaWatson("scott", temperature=0.5))
    everything = threshold(plan, theta)
    indices, weights, notes = threshold(plan, theta, budget=budget)
    heaviest = np.sort(everything[1])[::-1][:budget]
    np.testing.assert_allclose(np.sort(weights)[::-1], heaviest, rtol=1e-12)
    rows = {*map(tuple, indices.tolist())}
    assert rows <= {*map(tuple, everything[0].tolist())}
    assert len(rows) == len(weights)
    if len(everything[1]) > budget:
        assert f"theta amounts to {heaviest[-1] * 20:.4g}" in notes[0]
    else:
        assert notes == ()


def test_the_level_rises_with_the_rows_found_and_loses_none(monkeypatch):
    monkeypatch.setattr(rule, "_SURPLUS", 0)
    monkeypatch.setattr(search, "_CHUNK", 50)
    plan = plan_of(frame_of("abc", 20, 17), CHAIN)
    heaviest = np.sort(np.log(threshold(plan, 1e-6)[1]))[::-1]
    for budget in (10, 60, 300):
        logs = rule._heaviest(search.Search(plan), np.log(1e-6 / 20), budget)[1]
        assert budget < len(logs) < len(heaviest) / 2  # most were never kept
        np.testing.assert_allclose(np.sort(logs)[::-1][:budget], heaviest[:budget], rtol=1e-12)


def test_a_budget_among_rows_that_all_tie_is_filled():
    plan = plan_of(frame_of("abcd", 30, 9), Graph(isolated=tuple("abcd")))
    indices, weights, notes = threshold(plan, 1e-6, budget=500)
    assert len({*map(tuple, indices.tolist())}) == 500
    np.testing.assert_allclose(weights, 30.0**-4)
    assert "as heavy as the lightest" in notes[0]


def test_a_request_beyond_memory_is_refused_with_one_that_fits(monkeypatch):
    monkeypatch.setattr(module, "MEMORY", 2e6)
    frame = frame_of("abcd", 40, 10)
    graph = Graph.parse("a -> b -> c -> d")
    with pytest.raises(DataError, match=r"theta=1e-06 gives more than .* rows, .* GB") as refused:
        augment(frame, graph, Threshold(theta=1e-6))
    budget = int(str(refused.value).split("rows=")[1].split(",")[0])
    assert len(augment(frame, graph, Threshold(theta=1e-6, rows=budget))) == budget


CHANNELS = Graph.parse("a, b, c, d -> y")


@pytest.mark.parametrize("method", [Threshold(1e-9, rows=500), Threshold(8e-7)])
def test_a_search_that_would_take_hours_ends_soon_with_one_that_does_not(method, monkeypatch):
    """Four channels of 104 weeks begin 10^8 rows before the first weight is known."""
    monkeypatch.setattr(rule, "_WORK", 3e7)  # a third of a second; five times that, and a busy core
    frame = frame_of("abcdy", 104, 18)
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"given up.*rows begun.*'y'.* 4 causes") as refused:
        augment(frame, CHANNELS, method, seed=1)
    assert time.perf_counter() - start < 10
    budget = int(str(refused.value).split("Reduce(rows=")[1].split(")")[0])
    assert budget == (method.rows or 10_000)
    assert len(augment(frame, CHANNELS, Reduce(min(budget, 500)), seed=1)) <= 500
    with pytest.raises(DataError) as repeat:
        augment(frame, CHANNELS, method, seed=2)
    assert str(repeat.value) == str(refused.value)


def test_other_estimators_are_enumerated_too():
    plan = plan_of(frame_of("abc", 9, 12), CHAIN, KNearest(3))
    indices, weights, _ = threshold(plan, 0.05)
    assert len(weights) == 9 * 3 * 3
    np.testing.assert_allclose(weights, 1 / 81)
    assert {*indices[:, 0]} == {*range(9)}


def test_five_hundred_rows_of_ten_nodes():
    """Where the published code takes gigabytes; the time is in the benchmark."""
    graph = Graph.parse("a -> b -> c -> d -> e\nb, d -> f\na, f -> g\ne, g -> h\ng -> i\nh, i -> j")
    frame = frame_of("abcdefghij", 500, 13)
    rows = augment(frame, graph, Threshold(theta=1e-3), conditional=NadarayaWatson(0.1))
    assert len({*map(tuple, rows.indices.tolist())}) == len(rows) > 100
    np.testing.assert_allclose(
        np.log(rows.weights), log_weights(rows.plan, rows.indices), rtol=1e-9
    )
    assert rows.weights.min() >= 1e-3 / 500 * (1 - 1e-9)
