"""`identify` as a user meets it: experiments, edges, splits, remedies, errors."""

from itertools import product

import numpy as np
import pytest
from identification import brute

from bayescausal.errors import BayesCausalError, GraphError
from bayescausal.experiments.estimand import Estimand, Plus, Times, incremental
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph
from bayescausal.identification.verdicts import identify


def graph(text, outcome="sales"):
    return Graph.parse(text.replace("; ", "\n"), outcome=outcome)


BOW = graph("tv -> sales; tv <-> sales")
SPLIT = graph("tv -> search -> sales; tv -> sales; search <-> sales")
MARCH = incremental("tv").during("2025-03-01", "2025-03-31")


def lift(estimand, design="geo-rct", **settings):
    return Experiment(estimand, lift=4.0, std_error=1.0, design=design, **settings)


# Experiments


def test_a_randomized_test_of_the_very_question_comes_first():
    found = identify(BOW, MARCH, [lift(MARCH)])
    assert found.status == "randomized"
    assert [s.kind for s in found.strategies] == ["randomized"]
    assert found.remedies == ()
    clean = identify(graph("tv -> sales"), MARCH, lift(MARCH))
    assert [s.kind for s in clean.strategies] == ["randomized", "backdoor"]


@pytest.mark.parametrize(
    "test",
    [
        lift(MARCH.during("2025-05-01", "2025-05-31")),  # another window
        lift(MARCH.within("north")),  # other units
        lift(MARCH, design="did"),  # not randomized
        lift(Estimand(active={"tv": Times(1.1)}).during("2025-03-01", "2025-03-31")),  # a dose
    ],
)
def test_another_test_carries_what_the_graph_does_not(test):
    found = identify(BOW, MARCH, [test])
    assert found.status == "experiment"
    assert any("outside the test's window" in s for s in found.assumptions)
    identified = identify(graph("tv <- season -> sales <- tv"), MARCH, [test])
    assert identified.status == "backdoor"
    assert [s.kind for s in identified.strategies] == ["backdoor", "experiment"]
    with_instrument = identify(graph("rain -> tv -> sales; tv <-> sales"), MARCH, [test])
    assert with_instrument.status == "experiment"
    assert [s.kind for s in with_instrument.strategies] == ["experiment", "instrument"]


def test_the_scale_the_name_and_the_sign_do_not_change_the_question():
    test = lift(Estimand(active={"tv": 0.0}, scale="mean", name="dark").during(*MARCH.window))
    assert identify(BOW, MARCH, [test]).status == "randomized"


def test_a_test_of_something_else_does_not_help():
    both = graph("tv, radio -> sales; tv <-> sales; radio <-> sales; tv -> visits -> posts")
    for test, note in (
        (lift(incremental("radio")), None),  # a part of the model, if not of this question
        (lift(MARCH.on("posts")), "'tv_2025-03-01' measured another effect and is not used."),
        (lift(MARCH, design="prior-belief"), "'tv_2025-03-01' is a prior belief: it identifies no"),
        (lift(incremental(["tv", "radio"])), "'radio+tv' measured another effect and is not used."),
    ):
        found = identify(both, MARCH, [test])
        assert found.status == "not identified"
        assert [n for n in found.notes if note and note in n] == list(found.notes[1:])
    held = identify(graph("tv -> radio -> sales; tv -> sales"), MARCH, lift(MARCH), held="radio")
    assert held.status == "backdoor"
    assert held.notes[-1] == "'tv_2025-03-01' measured the effect with radio free to react."


def test_a_node_without_causes_is_no_randomization():
    found = identify(graph("tv -> sales"), "tv")
    assert (found.status, found.adjustment_sets, found.open_paths) == ("backdoor", [set()], [])


def test_an_edge_is_known_by_difference():
    found = identify(SPLIT, "tv", [lift(incremental("search"))])
    status = {str(e): v.status for e, v in found.edges.items()}
    assert status == {
        "search->sales": "experiment",
        "tv->sales": "experiment",
        "tv->search": "backdoor",
    }
    assert (found.status, found.split) == ("backdoor", "experiment")
    assert found.edges[Edge("tv", "sales")].reason == (
        "tests of search->sales, less the paths through search->sales, tv->search"
    )


def test_no_experiment_no_difference():
    assert identify(SPLIT, "tv").edges[Edge("tv", "sales")].status == "not identified"


def test_an_effect_is_composed_of_edges_that_tests_identify():
    chain = graph("tv -> search -> sales; tv <-> sales; tv <-> search; search <-> sales")
    assert identify(chain, "tv").status == "not identified"
    tests = [lift(incremental("tv", outcome="search")), lift(incremental("search"))]
    assert identify(chain, "tv", tests[:1]).status == "not identified"
    found = identify(chain, "tv", tests)
    assert found.status == "experiment"
    assert found.strategies[0].words == (
        "edge by edge: search->sales (experiment), tv->search (experiment)"
    )


ADDITIVE = "a -> sales; b -> a; d -> sales; b <-> d; b <-> sales"


def test_an_effect_is_composed_of_edges_that_data_identify_under_additivity():
    found = identify(graph(ADDITIVE), "d")
    assert (found.status, found.split, found.grade) == ("additive", "id", "F")
    assert found.strategies[0].words == "edge by edge, under additivity: d->sales (id)"
    assert found.strategies[0].edges == (Edge("d", "sales"),)
    assert found.hedge is not None  # without additivity
    assert any(line.startswith("Additivity, as in the fitted model") for line in found.assumptions)
    assert not any("simulate" in line for line in found.assumptions)
    longer = identify(graph(f"{ADDITIVE}; d -> e -> sales"), "d")
    assert longer.status == "additive"
    assert [str(e) for e in longer.strategies[0].edges] == ["d->e", "d->sales", "e->sales"]
    # additivity asks for less than linearity
    both = identify(graph(f"{ADDITIVE}; z -> d"), "d")
    assert [s.kind for s in both.strategies] == ["additive", "instrument"]
    assert identify(graph(f"{ADDITIVE}; d <-> sales"), "d").status == "not identified"


def test_the_composed_effect_is_a_functional_of_what_is_observed():
    """E[s | do(d)] = sum_b P(b | d) E[s | a, b, d] + const, from all tables of a discrete world."""
    rng = np.random.default_rng(3)
    p_b, p_a = np.array([[0.1, 0.5], [0.4, 0.9]]), np.array([0.1, 0.9])
    p_d = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])  # d has four values
    r_a, r_d, r_u = rng.normal(size=2), rng.normal(size=4), rng.normal(size=2)
    law, mean = np.zeros((2, 2, 4)), np.zeros((2, 2, 4))  # a, b, d
    for u, v, a, b, d in product(range(2), range(2), range(2), range(2), range(4)):
        p = 0.25 * (p_b[u, v] if b else 1 - p_b[u, v]) * (p_a[b] if a else 1 - p_a[b]) * p_d[u, d]
        law[a, b, d] += p
        mean[a, b, d] += p * (r_a[a] + r_d[d] + r_u[v])
    mean /= law
    given_d = law.sum(axis=0) / law.sum(axis=(0, 1))
    response = (given_d * mean).sum(axis=1)  # a, d
    np.testing.assert_allclose(response - response[:, :1], np.tile(r_d - r_d[0], (2, 1)))
    plain = (law * mean).sum(axis=(0, 1)) / law.sum(axis=(0, 1))
    assert np.abs(plain - plain[0] - (r_d - r_d[0])).max() > 0.01  # and regression is wrong


def test_edges_that_feed_back_are_not_composed_and_the_page_says_so():
    fed = identify(graph(f"{ADDITIVE}; sales -> d @ 1"), "d")
    apart = identify(graph(f"{ADDITIVE}; rain -> sun; sun -> rain @ 1"), "d")
    assert apart.status == "additive"
    assert fed.status == "not identified"
    assert ("may tell" in str(fed)) == (fed.split not in ("instrument", "not identified"))


# Edges, splits, remedies


def test_a_confounded_mediator_leaves_the_total_and_takes_the_split():
    found = identify(SPLIT, "tv")
    assert (found.status, found.split) == ("backdoor", "not identified")
    assert found.split_reason == (
        "search->sales: no observed set closes search <-> sales; "
        "tv->sales: no observed set closes tv -> search <-> sales"
    )
    assert [(r.action, r.nodes, r.status) for r in found.remedies] == [
        ("observe", ("sales <-> search",), "backdoor"),
        ("lift test", ("search",), "experiment"),
        ("project", ("search",), "backdoor"),
    ]
    smaller = SPLIT.project(latent=["search"])
    assert identify(smaller, "tv").split == "backdoor"
    assert identify(SPLIT, "tv", [lift(incremental("search"))]).split == "experiment"


@pytest.mark.parametrize(
    ("text", "status", "sets"),
    [
        ("tv <- season -> sales <- tv", "backdoor", [{"season"}]),
        ("tv -> sales; tv <-> sales", "not identified", []),
        ("rain -> tv -> sales; tv <-> sales", "instrument", []),
        ("tv -> search -> sales; tv -> sales", "backdoor", [{"search"}]),
        ("a -> b -> sales; a -> tv -> sales", "backdoor", [{"a"}, {"b"}]),
        ("tv -> sales; tv -> p; p <-> sales", "backdoor", [set()]),
        # ID without a single door: the response of sales to both, Tian (2002)
        ("w -> z -> tv -> sales; w <-> tv; w <-> sales", "id", []),
    ],
)
def test_verdict_on_the_edge_from_tv_to_sales(text, status, sets):
    verdict = identify(graph(text), "tv").edges[Edge("tv", "sales")]
    assert (verdict.status, list(verdict.adjustment)) == (status, sets)


def test_a_treatment_can_be_the_instrument_of_an_edge_further_down():
    found = identify(graph("tv -> search -> sales; search <-> sales"), "tv")
    verdict = found.edges[Edge("search", "sales")]
    assert (found.status, found.split) == ("backdoor", "instrument")
    assert (verdict.status, [str(z) for z in verdict.instruments]) == ("instrument", ["tv"])
    assert verdict.reason == (
        "no observed set closes search <-> sales; under linearity tv is an instrument"
    )


def test_lags_of_one_pair_share_a_verdict():
    found = identify(graph("tv -> sales; tv -> sales @ 1; season -> tv, sales"), "tv")
    assert found.edges[Edge("tv", "sales")] == found.edges[Edge("tv", "sales", 1)]
    assert found.edges[Edge("tv", "sales")].status == "backdoor"


def test_the_effect_along_an_edge_is_as_weak_as_its_way():
    along = Estimand(control={"tv->search": 0.0})
    assert identify(SPLIT, along).status == "not identified"
    assert identify(SPLIT, along, [lift(along)]).status == "randomized"
    assert identify(SPLIT, along, [lift(along, design="did")]).status == "experiment"
    on_search = Estimand(control={"tv->search": 0.0}, outcome="search")
    assert identify(SPLIT, on_search).status == "backdoor"
    direct = graph("tv -> search -> sales; tv -> sales")
    found = identify(direct, Estimand(control={"tv -> sales": 0.0}))
    assert found.status == "backdoor"
    assert found.strategies[0].words == "edge by edge: tv->sales (backdoor)"


def test_an_effect_composed_of_several_edges_says_that_it_assumes_additivity():
    long = graph("tv -> search -> sales; tv -> sales")
    found = identify(long, Estimand(control={"tv->search": 0.0}))
    assert (found.status, found.grade, found.hedge) == ("additive", "F", None)
    assert found.strategies[0].words == (
        "edge by edge, under additivity: search->sales (backdoor), tv->search (backdoor)"
    )
    assert any(line.startswith("Additivity, as in") for line in found.assumptions)
    whole = Estimand(control={"tv->search": 0.0, "tv->sales": 0.0})
    assert identify(long, whole).status == "backdoor"  # all edges: it is the total effect
    alone = graph(ADDITIVE)
    assert identify(alone, Estimand(control={"d->sales": 0.0})).status == "additive"
    assert identify(alone, Estimand(control={"d->sales": 0.0})).hedge is not None


def test_no_status_that_data_alone_give_stands_beside_a_hedge():
    beside = set()
    for seed in range(120):
        nodes, edges, arcs, latent = brute.random_feedback(seed)
        for case in ((nodes, edges, arcs, latent), acyclic(nodes, edges, arcs)):
            asked = Graph(
                tuple(Edge(*e) for e in case[1]), tuple(case[2]), frozenset(case[3]), isolated=nodes
            )
            for y in asked.observed:
                for x in sorted({*asked.ancestors(y)} - {y} - asked.latent)[:2]:
                    found = identify(asked, incremental(x, outcome=y))
                    data = found.status in ("backdoor", "frontdoor", "id")
                    assert data == (found.hedge is None), (case, x, y)
                    beside.add((found.status, found.hedge is None))
    assert {("id", True), ("not identified", False)} <= beside


def acyclic(nodes, edges, arcs):
    return nodes, {(a, b, 0) for a, b, _ in edges if a < b}, arcs, set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "u -> tv, sales; tv -> sales; latent: u",
            [("observe", ("u",), "backdoor"), ("lift test", ("tv",), "randomized")],
        ),
        (
            "tv -> sales; tv <-> sales; rain -> tv",
            [("observe", ("sales <-> tv",), "backdoor"), ("lift test", ("tv",), "randomized")],
        ),
        (
            "u, v -> tv, sales; tv -> sales; latent: u, v",
            [("observe", ("u", "v"), "backdoor"), ("lift test", ("tv",), "randomized")],
        ),
        (
            "tv -> m -> sales; tv <-> m; m <-> sales; tv <-> sales",
            [
                ("observe", ("m <-> sales", "m <-> tv"), "frontdoor"),
                ("observe", ("m <-> tv", "sales <-> tv"), "backdoor"),
                ("lift test", ("tv",), "randomized"),
            ],
        ),
    ],
)
def test_what_would_settle_it(text, expected):
    found = identify(graph(text), "tv")
    assert [(r.action, r.nodes, r.status) for r in found.remedies] == expected


def test_joint_treatments_and_held_plans():
    text = "tv -> radio; tv, radio -> sales; radio <-> sales"
    assert identify(graph(text), "tv").status == "backdoor"
    held = identify(graph(text), "tv", held="radio")
    assert (held.status, held.mediators) == ("not identified", ())
    assert identify(graph(text), incremental(["tv", "radio"])).status == "not identified"
    assert any("plan of radio" in s for s in held.assumptions)
    free = identify(graph(text.replace("; radio <-> sales", "")), "tv", held=["radio"])
    assert (free.status, free.adjustment_sets) == ("backdoor", [set()])


def test_the_optimal_set_takes_causes_of_the_outcome_and_none_of_the_treatment():
    found = identify(graph("rain -> tv; season -> tv, sales; tv, price -> sales"), "tv")
    assert found.adjustment_sets == [{"season"}]
    assert found.optimal == {"season", "price"}


# Adjustment sets that a user brings


@pytest.mark.parametrize(
    ("text", "nodes", "message"),
    [
        ("tv -> search -> sales", "search", "'search'.* mediator.* blocks tv -> search -> sales"),
        ("tv -> sales -> reviews", "reviews", "'reviews'.*descends from sales, sales -> reviews"),
        (
            "tv -> search -> sales; search -> clicks",
            "clicks",
            "'clicks'.*descends from search, search -> clicks",
        ),
        (
            "a -> tv, m; b -> m, sales; tv -> sales; latent: a, b",
            "m",
            r"opens tv <- a \(unobserved\) -> m <- b \(unobserved\) -> sales: 'm' is a collider",
        ),
        ("tv <- season -> sales <- tv", [], "tv <- season -> sales stays open.*{season}"),
        (
            "tv <- season -> sales <- tv; price -> sales",
            "price",
            "Given price the path tv <- season -> sales stays open",
        ),
        ("tv -> sales; tv <-> sales", [], "tv <-> sales stays open. No adjustment set exists"),
        (
            "a -> tv, m; b -> m, sales; m -> tv, sales; tv -> sales",
            "m",
            "opens tv <- a -> m <- b -> sales: 'm' is a collider.*{a, m}; {b, m}",
        ),
        ("tv <- season -> sales <- tv", "saeson", "'saeson'.*Did you mean 'season'?"),
        ("u -> tv, sales; tv -> sales; latent: u", "u", "'u' is latent"),
        ("tv -> sales", "tv", "'tv' is part of the question"),
        ("tv -> sales", "sales", "'sales' is part of the question"),
    ],
)
def test_an_adjustment_that_is_wrong_is_refused_with_its_path(text, nodes, message):
    with pytest.raises(GraphError, match=message):
        identify(graph(text), "tv").check_adjustment(nodes)


@pytest.mark.parametrize("nodes", ["season", ["season"], {"season", "price"}, ("price", "season")])
def test_an_adjustment_that_serves_is_accepted(nodes):
    found = identify(graph("tv <- season -> sales <- tv; price -> sales"), "tv")
    assert found.check_adjustment(nodes) is None


# What is refused


@pytest.mark.parametrize(
    ("text", "asked", "message"),
    [
        ("tv -> sales", "radio", "'radio' is in no edge. Nodes: sales, tv."),
        ("tv -> search -> sales", "serach", r"Did you mean 'search'\?"),
        ("tv -> sales", incremental("tv", outcome="slaes"), r"Did you mean 'sales'\?"),
        ("tv -> sales", "sales", "'sales' is both treatment and outcome"),
        ("u -> tv -> sales; latent: u", "u", "'u' is latent; it cannot be set"),
        (
            "tv -> mind -> sales; latent: mind",
            incremental("tv", outcome="mind"),
            "'mind' is latent: there are no data",
        ),
        (
            "tv <- season -> sales",
            "tv",
            "no directed path from 'tv' to 'sales'.*zero by your graph",
        ),
        ("tv -> sales; radio", incremental(["tv", "radio"]), "from 'radio' to 'sales'.*zero"),
        (
            "tv -> search -> sales",
            Estimand(control={"tv->sales": 0.0}),
            r"do\(tv->sales=...\): there is no such edge among observed nodes",
        ),
        (
            "tv -> visits; tv -> sales",
            Estimand(control={"tv->visits": 0.0}),
            "no directed path from 'visits'",
        ),
        ("tv -> sales", 3, "is an Estimand or the name"),
        ("tv -> sales", None, "is an Estimand or the name"),
    ],
)
def test_questions_that_do_not_fit_are_refused_with_advice(text, asked, message):
    with pytest.raises(GraphError, match=message):
        identify(graph(text), asked)


def test_a_question_without_outcome_or_graph_is_refused():
    with pytest.raises(GraphError, match="One outcome is needed"):
        identify(Graph.parse("tv -> sales"), "tv")
    with pytest.raises(GraphError, match="identify asks a Graph"):
        identify("tv -> sales", "tv")
    assert identify(Graph.parse("tv -> sales"), incremental("tv", outcome="sales")).status


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ("serach", "Did you mean 'search'"),
        ("tv", "asked about and held"),
        ("sales", "both treatment and outcome"),
        ("u", "'u' is latent"),
        ("search", "no directed path from 'tv' to 'sales' once search is held"),
    ],
)
def test_held_nodes_are_checked(held, message):
    with pytest.raises(GraphError, match=message):
        identify(graph("tv -> search -> sales; u -> tv; latent: u"), "tv", held=held)


def test_experiments_are_checked():
    for test in (lift(incremental("serach")), lift(incremental("tv", outcome="serach"))):
        with pytest.raises(GraphError, match=r"Experiment '.*'serach'.*Did you mean 'search'\?"):
            identify(SPLIT, "tv", [test])
    with pytest.raises(GraphError, match="takes Experiment values; got 3"):
        identify(SPLIT, "tv", [3])


def test_errors_are_of_the_package():
    assert issubclass(GraphError, BayesCausalError)
    with pytest.raises(BayesCausalError):
        identify(BOW, Estimand(active={"radio": Plus(1.0)}))
