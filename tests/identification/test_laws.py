"""Every answer on random small graphs against enumeration from the definitions."""

from dataclasses import replace
from itertools import combinations, permutations

import pytest
from identification import brute

from bayescausal.errors import GraphError
from bayescausal.experiments.estimand import incremental
from bayescausal.experiments.experiment import Experiment
from bayescausal.identification.adjustment import Question
from bayescausal.identification.compiled import Compiled
from bayescausal.identification.edges import hedge_of
from bayescausal.identification.paths import open_paths, path_given
from bayescausal.identification.question import ask
from bayescausal.identification.strategies import find_front_door, find_hedge, find_instruments
from bayescausal.identification.verdicts import identify

SEEDS = range(150)


def questions(seeds, most=6, joint=True):
    """Yield (case, treatments, outcome, question) with at least one causal path."""
    for seed in seeds:
        case = brute.random_case(seed, most)
        at = Compiled(brute.as_graph(case))
        for size in (1, 2) if joint and seed % 3 == 0 else (1,):
            for xs in combinations(case[0], size):
                for y in case[0]:
                    reached = all(y in brute.descendants(case, {x}) - {x} for x in xs)
                    if y not in xs and reached:
                        yield case, set(xs), y, Question(at, xs, y)


def test_all_minimal_adjustment_sets_and_no_other():
    count = several = 0
    for case, xs, y, question in questions(SEEDS):
        found = [set(question.compiled.words(z)) for z in question.minimal_sets]
        assert found == sorted(
            brute.minimal_adjustment_sets(case, xs, y), key=lambda z: (len(z), sorted(z))
        ), (case, xs, y)
        count += 1
        several += len(found) > 1
    assert count > 400
    assert several > 20


def test_identified_agrees_with_the_c_factors_of_tian():
    yes = no = 0
    for case, xs, y, question in questions(range(400)):
        hedge = hedge_of(question)
        assert (hedge is None) == brute.identified(case, xs, y), (case, xs, y)
        yes, no = yes + (hedge is None), no + (hedge is not None)
    assert min(yes, no) > 300


def test_what_is_identified_is_so_in_the_linear_models_too():
    composed = told = unknown = 0
    for case, xs, y, question in questions(range(160), joint=False):
        found = identify(brute.as_graph(case), incremental(list(xs), outcome=y))
        local = brute.linear_effect_is_locally_identified(case, *xs, y)
        if found.status != "not identified":
            assert local, (case, xs, y, found.strategies)
            told += 1
            assert (found.status in ("backdoor", "frontdoor", "id")) == (hedge_of(question) is None)
            if found.status == "additive":
                assert found.hedge == hedge_of(question)
                assert found.split not in ("instrument", "not identified")
                composed += 1
        unknown += not local
    assert composed >= 4
    assert min(told, unknown) > 100


def test_an_effect_whose_edges_are_identified_is_unless_it_feeds_back():
    for case, xs, y, _ in questions(range(160), joint=False):
        found = identify(brute.as_graph(case), incremental(list(xs), outcome=y))
        if found.split not in ("instrument", "not identified"):
            assert found.status not in ("instrument", "not identified"), (case, xs, y)


def test_a_hedge_is_one():
    for case, xs, y, question in questions(SEEDS):
        if hedge := hedge_of(question):
            big, small = hedge
            assert small < big
            assert xs & big
            assert not xs & small
            assert len(brute.districts(case, big)) == len(brute.districts(case, small)) == 1
            cut = brute.without(case, {(a, b) for a, b in case[1] if b in xs})
            assert small <= brute.ancestors(cut, {y})


def test_an_adjustment_set_identifies():
    for *_, question in questions(SEEDS):
        if question.minimal_sets:
            assert hedge_of(question) is None


def test_effect_on_everything_else_follows_the_children_criterion():
    # Tian and Pearl (2002): P(all others | do(x)) iff no path of <-> joins x to a child of x.
    yes = no = 0
    for seed in range(300):
        case = brute.random_case(seed)
        seen = brute.as_graph(case).mixed
        for x in case[0]:
            district = next(d for d in brute.districts(case, case[0]) if x in d)
            expected = not any(a == x and b in district for a, b in case[1])
            rest = [v for v in case[0] if v != x]
            hedge = find_hedge(seen, seen.mask([x]), seen.mask(rest))
            assert (hedge is None) == expected, (case, x)
            yes, no = yes + expected, no + (not expected)
    assert min(yes, no) > 200


def test_instruments_are_all_instruments():
    exist = 0
    for case, xs, y, question in questions(SEEDS, joint=False):
        (x,) = xs
        found = {z.node for z in find_instruments(question)}
        assert found == brute.instruments(case, x, y, among_ancestors=True), (case, x, y)
        assert bool(found) == bool(brute.instruments(case, x, y)), (case, x, y)
        exist += bool(found)
    assert exist > 40


def test_open_paths_are_the_treks():
    many = 0
    for case, xs, y, question in questions(SEEDS, joint=False):
        (x,) = xs
        found, more = open_paths(question)
        assert not more
        assert sorted(list(path.nodes) for path in found) == brute.backdoor_treks(case, x, y)
        many += len(found) > 1
    assert many > 50


def test_a_path_given_some_nodes_is_open_and_exists_when_they_do_not_adjust():
    for case, xs, y, question in questions(range(60), most=5):
        for given in brute.subsets(set(case[0]) - xs - {y} - brute.forbidden(case, xs, y)):
            path = path_given(question, question.compiled.bits(given))
            assert (path is None) == brute.adjusts(case, xs, y, given)
            if path is not None:
                assert len(set(path.nodes)) == len(path.nodes)
                assert any(
                    brute.is_open(case, other, given)
                    for other in brute.paths(case, path.nodes[0], y)
                    if [node for node, _, _ in other] == list(path.nodes)
                )
                for collider in path.colliders:
                    assert given & brute.descendants(case, {collider})


def test_the_optimal_set_adjusts():
    some = 0
    for case, xs, y, question in questions(SEEDS):
        if question.optimal is not None:
            given = set(question.compiled.words(question.optimal))
            assert brute.adjusts(case, xs, y, given)
            some += 1
            assert not any(set(p) & brute.ancestors(case, {y}) for p in case[2])
    assert some > 20


def test_a_front_door_meets_its_definition_and_identifies():
    found = 0
    for case, xs, y, question in questions(SEEDS, joint=False):
        (x,) = xs
        door = find_front_door(question)
        if door is None:
            continue
        found += 1
        m, w = set(door.mediators), set(door.given)
        assert hedge_of(question) is None
        assert not w & brute.descendants(case, {x})
        for path in brute.paths(case, x, y):
            assert not brute.is_causal(path) or m & {node for node, _, _ in path}
        no_x = brute.without(case, {(a, b) for a, b in case[1] if a == x})
        no_m = brute.without(case, {(a, b) for a, b in case[1] if a in m})
        assert not any(brute.connected(no_x, x, v, w) for v in m)
        assert not any(brute.connected(no_m, v, y, w | {x}) for v in m)
    assert found > 20


def test_check_adjustment_agrees_with_the_criterion():
    good = bad = 0
    for seed in range(25):
        case = brute.random_case(seed, most=5)
        for x, y in combinations(case[0], 2):
            if y not in brute.descendants(case, {x}):
                continue
            result = identify(brute.as_graph(case, y), x)
            for given in brute.subsets(set(case[0]) - {x, y}):
                if brute.adjusts(case, {x}, y, given):
                    result.check_adjustment(given)
                    good += 1
                else:
                    with pytest.raises(GraphError):
                        result.check_adjustment(given)
                    bad += 1
    assert min(good, bad) > 40


def parents(case, node):
    return {a for a, b in case[1] if b == node}


def reaches(case, a, b, acted):
    """Return whether a directed path other than the edge leads from a to b past `acted`."""
    cut = brute.without(case, {(a, b)} | {(v, w) for v, w in case[1] if w in acted})
    return b in brute.descendants(cut, {a})


def test_verdicts_on_edges_by_search_over_sets_and_interventions():
    doors, others = 0, {}
    for seed in range(100):
        case = brute.random_case(seed, most=5)
        for y in case[0]:
            starts = [x for x in case[0] if x != y and y in brute.descendants(case, {x})]
            if not starts:
                continue
            result = identify(brute.as_graph(case, y), starts[0])
            for edge, verdict in result.edges.items():
                cut = brute.without(case, {edge[:2]})
                allowed = set(case[0]) - brute.descendants(case, {edge.target}) - {edge.source}
                expected = []
                for given in brute.subsets(allowed):
                    apart = not brute.connected(cut, edge.source, edge.target, given)
                    if apart and not any(z <= given for z in expected):
                        expected.append(given)
                assert [set(z) for z in verdict.adjustment] == sorted(
                    expected, key=lambda z: (len(z), sorted(z))
                )
                assert (verdict.status == "backdoor") == bool(expected)
                doors += bool(expected)
                if not expected:
                    others[verdict.status] = others.get(verdict.status, 0) + 1
                    assert (verdict.status == "id") == any(
                        brute.identified(case, {edge.source, *acted}, edge.target)
                        for acted in brute.subsets(parents(case, edge.target) - {edge.source})
                        if not reaches(case, *edge[:2], acted)
                    ), (case, edge)
            break
    assert doors > 50
    assert min(others.get(status, 0) for status in ("instrument", "not identified")) > 5


def test_implications_hold_and_are_complete():
    for seed in range(80):
        case = brute.random_case(seed, most=5)
        for y in case[0]:
            starts = [x for x in case[0] if x != y and y in brute.descendants(case, {x})]
            if not starts:
                continue
            claims = identify(brute.as_graph(case, y), starts[0]).implications
            pairs = {(c.a, c.b) for c in claims}
            for c in claims:
                assert not brute.connected(case, c.a, c.b, set(c.given))
                for v in c.given:
                    assert brute.connected(case, c.a, c.b, set(c.given) - {v})
            for a, b in combinations(case[0], 2):
                rest = set(case[0]) - {a, b}
                apart = any(not brute.connected(case, a, b, z) for z in brute.subsets(rest))
                assert ((a, b) in pairs) == apart
            break


def test_held_plans_join_the_intervention():
    for seed in range(40):
        case = brute.random_case(seed, most=5, least=4)
        graph = brute.as_graph(case)
        for x, h, y in combinations(case[0], 3):
            cut = brute.without(case, {(a, b) for a, b in case[1] if b == h})
            if y not in brute.descendants(cut, {x}):
                continue
            question = ask(graph, incremental(x, outcome=y), held=h)
            assert (hedge_of(question) is None) == brute.identified(case, {x, h}, y)
            found = [set(question.compiled.words(z)) for z in question.minimal_sets]
            assert found == sorted(
                brute.minimal_adjustment_sets(case, {x, h}, y), key=lambda z: (len(z), sorted(z))
            )


def test_every_remedy_settles_what_it_says():
    observed = tests = projected = 0
    for seed in range(45):
        case = brute.random_case(seed, most=6, least=5)
        hidden = case[0][1 + seed % 3]
        graph = replace(brute.as_graph(case), latent=frozenset({hidden}))
        for x, y in permutations([v for v in case[0] if v != hidden], 2):
            if y not in graph.descendants(x):
                continue
            asked = incremental(x, outcome=y)
            found = identify(graph, asked)
            for remedy in found.remedies:
                measured = [Experiment(replace(asked, name=None), 1.0, 1.0, "geo-rct")]
                if remedy.action == "observe" and remedy.nodes == (hidden,):
                    seen = identify(replace(graph, latent=frozenset()), asked)
                    after = seen.status if remedy.settles == "total" else seen.split
                    assert after == remedy.status != "not identified"
                    observed += 1
                elif remedy.action == "lift test" and remedy.settles == "total":
                    assert identify(graph, asked, measured).status == remedy.status
                    tests += 1
                elif remedy.action == "lift test":
                    lift = Experiment(incremental(remedy.nodes, outcome=y), 1.0, 1.0, "geo-rct")
                    assert identify(graph, asked, [lift]).split == remedy.status
                elif remedy.action == "project":
                    small = graph.project(latent=remedy.nodes)
                    assert identify(small, asked).split == remedy.status
                    projected += 1
            if found.status in ("not identified", "instrument"):
                assert found.remedies
    assert min(observed, tests, projected) > 10
