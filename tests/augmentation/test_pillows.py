import itertools

import networkx as nx
import pytest
from augmentation.naive import naive_orders, naive_pillows
from augmentation.worlds import mixed_graphs
from hypothesis import given, settings

from bayescausal.augmentation import pillows
from bayescausal.augmentation.pillows import factorize
from bayescausal.graphs.graph import Graph


def claims(graph):
    return [e[:2] for e in graph.edges], list(graph.bidirected)


@given(mixed_graphs(max_nodes=5, siblings=False))
def test_without_bidirected_edges_the_pillow_is_the_parents(graph):
    factorization = factorize(graph)
    assert factorization.pillows == {v: graph.parents(v) for v in graph.nodes}


@given(mixed_graphs(max_nodes=5))
def test_the_order_is_one_that_draws_pillows_first(graph):
    factorization = factorize(graph)
    assert sorted(factorization.order) == sorted(graph.nodes)
    for k, node in enumerate(factorization.order):
        assert {*factorization.pillows[node]} <= {*factorization.order[:k]}


@settings(max_examples=30)
@given(mixed_graphs(max_nodes=6))
def test_the_pillows_are_those_of_an_order_and_no_order_has_smaller_ones(graph):
    """Brute force over all linear extensions; with 6 nodes there are up to 720."""
    directed, bidirected = claims(graph)
    every = [
        naive_pillows(order, directed, bidirected) for order in naive_orders(graph.nodes, directed)
    ]
    factorization = factorize(graph)
    assert {v: frozenset(p) for v, p in factorization.pillows.items()} in every
    assert factorization.size == min(sum(map(len, p.values())) for p in every)


@settings(max_examples=30)
@given(graph=mixed_graphs(max_nodes=6))
def test_without_the_exact_search_the_pillows_are_still_those_of_an_order(graph):
    directed, bidirected = claims(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pillows, "_PILLOWS", -1)
        factorization = factorize(graph)
    every = [
        naive_pillows(order, directed, bidirected) for order in naive_orders(graph.nodes, directed)
    ]
    assert {v: frozenset(p) for v, p in factorization.pillows.items()} in every


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <-> b <-> c", {"a": (), "b": ("a", "c"), "c": ()}),
        ("a <-> b\nb <-> c\na <-> c", {"a": (), "b": ("a",), "c": ("a", "b")}),
        ("x -> m -> y\nx <-> y", {"x": (), "m": ("x",), "y": ("m", "x")}),
        ("z -> a <-> b", {"z": (), "a": ("b", "z"), "b": ()}),
        ("a -> b <-> c <- d", {"a": (), "d": (), "b": ("a",), "c": ("a", "b", "d")}),
    ],
)
def test_textbook_pillows(text, expected):
    """In the last, either of b and c may be first; the name decides. In the one before, b is."""
    assert factorize(Graph.parse(text)).pillows == expected


def test_a_bad_order_would_lose_the_independence_of_the_ends():
    """Two of the six orders of a <-> b <-> c use that a and c are independent: b comes last."""
    shared = [("a", "b"), ("b", "c")]
    sizes = [
        sum(map(len, naive_pillows(order, [], shared).values()))
        for order in naive_orders("abc", [])
    ]
    assert sorted(sizes) == [2, 2, 3, 3, 3, 3]


def test_latents_are_projected_out():
    hidden = Graph.parse("u -> a\nu -> b\nlatent: u")
    assert factorize(hidden).pillows == {"a": (), "b": ("a",)}


def test_roots_come_as_late_as_they_can():
    order = factorize(Graph.parse("a -> p\nb -> q\nc -> r\np, q, r -> y")).order
    assert order == ("a", "p", "b", "q", "c", "r", "y")


def test_many_nodes_are_no_burden():
    """A long chain needs no deep recursion; thirty nodes in one district are placed greedily."""
    names = [f"v{k:04d}" for k in range(1500)]
    chain = factorize(Graph(tuple(itertools.pairwise(names))))
    assert chain.order == tuple(names)
    district_names = names[:30]
    district = factorize(Graph((), tuple(itertools.pairwise(district_names))))
    assert 29 <= district.size < sum(range(30)) / 2
    pair = factorize(
        Graph((), ((district_names[0], district_names[1]),), isolated=tuple(district_names))
    )
    assert pair.size == 1


def test_the_order_of_the_claims_does_not_matter():
    directed, bidirected = (
        [("a", "d"), ("c", "d"), ("b", "c")],
        [("a", "b"), ("c", "e"), ("b", "e")],
    )
    factorization = factorize(Graph(tuple(directed), tuple(bidirected)))
    reversed_claims = factorize(
        Graph(tuple(directed[::-1]), tuple((b, a) for a, b in bidirected[::-1]))
    )
    assert factorization == reversed_claims
    assert nx.is_directed_acyclic_graph(
        nx.DiGraph((p, v) for v in factorization.pillows for p in factorization.pillows[v])
    )
