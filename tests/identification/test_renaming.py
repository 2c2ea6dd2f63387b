"""What nodes are called, and how many they are: the whole page under renaming, and speed."""

import random
from dataclasses import replace
from itertools import combinations, permutations
from time import process_time

import pytest
from identification import brute

from bayescausal.experiments.estimand import incremental
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph
from bayescausal.identification.adjustment import Question
from bayescausal.identification.compiled import Compiled
from bayescausal.identification.paths import forbidden
from bayescausal.identification.verdicts import identify


def renamed(graph, names):
    return Graph(
        tuple(Edge(names[a], names[b], lag) for a, b, lag in graph.edges),
        tuple((names[a], names[b]) for a, b in graph.bidirected),
        frozenset(names[v] for v in graph.latent),
        isolated=tuple(names.values()),
    )


def back(text, names):
    """Return the nodes of a path or an edge, under their first names."""
    old = {new: v for v, new in names.items()}
    return " ".join(old.get(word, word) for word in text.replace("->", " -> ").split())


def page(found, names):
    """Return all that a page says, under the first names and without an order of equals."""
    old = {new: v for v, new in names.items()}

    def nodes(some):
        return frozenset(old.get(v, v) for v in some)

    def pairs(some):
        return {(nodes(c[:2]), len(c[2])) for c in some}

    return {
        "status": found.status,
        "grade": found.grade,
        "kinds": [s.kind for s in found.strategies],
        "sizes": sorted((len(s.given), len(s.through)) for s in found.strategies),
        "sets": {nodes(z) for z in found.adjustment_sets},
        "optimal": None if found.optimal is None else nodes(found.optimal),
        "open": {frozenset(back(p, names).split()) for p in found.open_paths},
        "stubborn": len(found.stubborn),
        "mediators": nodes(found.mediators),
        "forbidden": {old[v]: why.split()[:2] for v, why in found.forbidden.items()},
        "instruments": {(old[z.node], len(z.given)) for z in found.instruments},
        "hedge": found.hedge is None,
        "edges": {
            (old[e.source], old[e.target], e.lag): (
                v.status,
                frozenset(nodes(z) for z in v.adjustment),
                frozenset((old[z.node], len(z.given)) for z in v.instruments),
            )
            for e, v in found.edges.items()
        },
        "split": found.split,
        "implications": pairs((c.a, c.b, c.given) for c in found.implications),
        "remedies": {(r.action, r.status, r.settles) for r in found.remedies},
        "g_computation": found.g_computation,
        "notes": len(found.notes),
        "assumptions": len(found.assumptions),
    }


def test_the_whole_page_keeps_under_renaming():
    statuses = set()
    for seed in range(150):
        rng = random.Random(seed)
        graph = brute.as_graph(brute.random_case(seed, most=7, least=5))
        graph = replace(graph, latent=frozenset(rng.sample(graph.nodes, k=rng.choice([0, 0, 1]))))
        other = dict(zip(graph.nodes, rng.sample("pqrstuvw", k=len(graph.nodes)), strict=True))
        same = {v: v for v in graph.nodes}
        for x, y in rng.sample(list(permutations(graph.observed, 2)), k=4):
            if y not in graph.descendants(x):
                continue
            first = identify(graph, incremental(x, outcome=y))
            second = identify(renamed(graph, other), incremental(other[x], outcome=other[y]))
            assert page(first, same) == page(second, other), (seed, x, y)
            statuses.add(first.status)
    assert {"backdoor", "frontdoor", "id", "instrument", "not identified"} <= statuses


def test_the_nodes_never_to_adjust_for_are_those_of_the_definition():
    colliders = {True: 0, False: 0}
    for seed in range(60):
        case = brute.random_case(seed, most=6)
        at = Compiled(brute.as_graph(case))
        for x, y in permutations(case[0], 2):
            if y not in brute.descendants(case, {x}):
                continue
            ways = [p for p in brute.paths(case, x, y) if not brute.is_causal(p)]
            sets = brute.minimal_adjustment_sets(case, {x}, y)
            useful = set().union(*sets) if sets else set()
            if not sets:
                useful = {v for p in ways if brute.is_open(case, p, set()) for v, _, _ in p}
            bad = brute.forbidden(case, {x}, y) - {x, y}
            for v in {*case[0]} - bad - useful - {x, y}:
                if sets:
                    opens = not any(brute.adjusts(case, {x}, y, z | {v}) for z in sets)
                else:
                    opens = any(
                        brute.is_open(case, p, {v}) and not brute.is_open(case, p, set())
                        for p in ways
                        if not causal_start(case, p, x, y)
                    )
                if opens:
                    bad.add(v)
                    colliders[bool(sets)] += 1
            assert {*forbidden(Question(at, (x,), y))} == bad, (case, x, y)
    assert min(colliders.values()) > 10, colliders


def causal_start(case, path, x, y):
    """Return whether a path begins with the first edge of a causal path, cut in the criterion."""
    first = path[1][0]
    return not path[1][1] and y in brute.descendants(brute.without(case, into(case, x)), {first})


def into(case, node):
    return {(a, b) for a, b in case[1] if b == node}


def chain(count):
    names = [f"v{i:03}" for i in range(count)]
    return Graph(tuple(map(Edge, names, names[1:])), outcomes=(names[-1],))


def dense(count, edges, arcs):
    rng = random.Random(1)
    pairs = list(combinations([f"v{i:03}" for i in range(count)], 2))
    return Graph(
        tuple(Edge(*p) for p in pairs if rng.random() < edges),
        tuple(p for p in pairs if rng.random() < arcs),
        outcomes=(pairs[-1][1],),
    )


def seconds(graph):
    start = process_time()
    identify(graph, "v000")
    return process_time() - start


def test_a_chain_of_500_nodes_takes_less_than_two_seconds():
    assert seconds(chain(500)) < 2.0


@pytest.mark.slow
@pytest.mark.parametrize(("edges", "arcs"), [(0.5, 0.0), (1.0, 0.0), (0.5, 0.1)])
def test_a_dense_graph_of_120_nodes_takes_less_than_five_seconds(edges, arcs):
    assert seconds(dense(120, edges, arcs)) < 5.0


def test_growth_is_at_most_quadratic_on_sparse_graphs():
    """Twice the nodes take four times as long; six allows for noise, cubic growth is eight."""
    small, large = (min(seconds(chain(n)) for _ in range(3)) for n in (150, 300))
    assert large < 6 * small
