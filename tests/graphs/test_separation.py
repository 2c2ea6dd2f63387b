"""m-separation, separators and the bit-mask projection against enumeration."""

import pytest
from identification import brute

from bayescausal.errors import GraphError
from bayescausal.graphs.graph import Graph
from bayescausal.graphs.separation import Mixed, bits, eliminated, separators


@pytest.mark.parametrize("seed", range(40))
def test_separation_agrees_with_the_enumeration_of_paths(seed):
    case = brute.random_case(seed, most=5)
    graph = brute.as_graph(case)
    for i, a in enumerate(case[0]):
        for b in case[0][i + 1 :]:
            for given in brute.subsets(set(case[0]) - {a, b}):
                expected = not brute.connected(case, a, b, given)
                assert graph.d_separated(a, b, given) == expected
                assert graph.d_separated(b, a, given) == expected


@pytest.mark.parametrize("seed", range(30))
def test_separation_of_sets_is_separation_of_all_pairs(seed):
    case = brute.random_case(seed, most=6, least=5)
    graph, (a, b, c, d, *rest) = brute.as_graph(case), case[0]
    for given in brute.subsets(rest):
        pairs = [(v, w) for v in (a, c) for w in (b, d)]
        expected = all(graph.d_separated(v, w, given) for v, w in pairs)
        assert graph.d_separated([a, c], [b, d], given) == expected


def test_separation_with_latents_lags_and_memory():
    graph = Graph.parse("u -> x @ 1\nu -> y\ny -> y @ 1\nlatent: u")
    assert not graph.d_separated("x", "y")
    assert graph.d_separated("x", "y", "u")
    assert graph.d_separated("x", "y", ["x"])
    assert not graph.d_separated("x", "x")
    assert graph.d_separated([], "y")


def test_separation_names_what_it_does_not_know():
    graph = Graph.parse("tv -> search -> sales")
    with pytest.raises(GraphError, match=r"'serach' is in no edge.*Did you mean 'search'\?"):
        graph.d_separated("tv", "sales", "serach")


def test_separation_of_series_that_feed_back_is_refused_with_advice():
    graph = Graph.parse("sales -> tv @ 1\ntv -> sales\ntv -> visits")
    with pytest.raises(GraphError, match=r"cycle among sales, tv: .*`identify` reads"):
        graph.d_separated("tv", "visits")


@pytest.mark.parametrize("seed", range(40))
def test_projection_of_masks_is_the_projection_of_the_graph(seed):
    case = brute.random_case(seed, most=7, least=4)
    graph, hidden = brute.as_graph(case), case[0][seed % 2 :: 2]
    if len(hidden) == len(case[0]):
        return
    small = graph.mixed.project(graph.mixed.mask(hidden))
    assert small == graph.project(hidden).mixed


def undirected(case):
    """Return neighbors over bit positions, from all pairs of a case."""
    near = [0] * len(case[0])
    for a, b in case[1] | case[2]:
        i, j = case[0].index(a), case[0].index(b)
        near[i] |= 1 << j
        near[j] |= 1 << i
    return near


def apart(near, a, b, removed):
    seen, waiting = {a}, [a]
    while waiting:
        for j in bits(near[waiting.pop()] & ~removed):
            if j not in seen:
                seen.add(j)
                waiting.append(j)
    return b not in seen


@pytest.mark.parametrize("seed", range(60))
def test_all_minimal_separators_and_no_other(seed):
    case = brute.random_case(seed, most=7, least=5)
    near = undirected(case)
    rest = ((1 << len(near)) - 1) & ~0b11
    cutting = [z for z in range(1 << len(near)) if not z & ~rest and apart(near, 0, 1, z)]
    minimal = [z for z in cutting if not any(y != z and y & z == y for y in cutting)]
    assert sorted(separators(near, 0b1, 0b10)) == minimal


def test_the_number_of_separators_is_capped_and_the_cap_shows():
    # n two-step paths from 0 to 1 in parallel: 2 ** n minimal separators
    near, n = [0, 0], 6
    for k in range(n):
        a, b = 2 + 2 * k, 3 + 2 * k
        near += [0b1 | 1 << b, 0b10 | 1 << a]
        near[0] |= 1 << a
        near[1] |= 1 << b
    assert len(separators(near, 0b1, 0b10)) == 2**n
    assert len(separators(near, 0b1, 0b10, limit=10)) == 11


def test_elimination_joins_neighbors():
    line = [0b010, 0b101, 0b010]
    assert eliminated(line, 0b010) == [0b100, 0, 0b001]


def test_compiled_graphs_are_compared_by_value():
    one = Mixed.of("ba", [("b", "a")], [("a", "b")])
    assert one == Mixed.of("ab", [("b", "a"), ("b", "a")], [("b", "a")])
    assert one.names == ("a", "b")
    assert one.labels(one.ancestors(one.mask("a"))) == ("a", "b")
    assert one.labels(one.descendants(one.mask("a"))) == ("a",)
    assert one.districts(one.everything) == [0b11]
    assert one.cut(one.mask("b"), one.mask("a")).parents == (0, 0)
