"""`Spec`: parts that fit each other and the data, round trips, one clear error a misfit."""

import datetime
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescausal.data.dataset import Dataset
from bayescausal.errors import DataError, FewerRowsThanParameters, GraphError, SpecError
from bayescausal.experiments.estimand import SCALES, Estimand, Plus, Times, incremental
from bayescausal.experiments.experiment import DESIGNS, Experiment
from bayescausal.graphs.graph import Edge, Graph
from bayescausal.model.build import build
from bayescausal.model.contrast import scope
from bayescausal.model.scm import compile_scm
from bayescausal.specs import prior as support
from bayescausal.specs.adstock import ADSTOCKS, GeometricAdstock, NoAdstock
from bayescausal.specs.baseline import (
    HSGPTrend,
    Intercept,
    LinearTrend,
    MonthlySeasonality,
    PiecewiseTrend,
    WeeklySeasonality,
    YearlySeasonality,
)
from bayescausal.specs.compatibility import age, check
from bayescausal.specs.events import Event, Holidays
from bayescausal.specs.noise import AR1Noise, NormalNoise, StudentTNoise
from bayescausal.specs.prior import PARAMETERS, SHARE, Prior
from bayescausal.specs.response import Coefficient, MeanContribution, Response, ReturnOnSpend
from bayescausal.specs.saturation import SATURATIONS, HillSaturation
from bayescausal.specs.spec import Spec
from bayescausal.specs.yaml_loader import load_yaml

GRAPH = Graph.parse(
    """
    demand -> "paid search", sales, tv
    tv     -> "paid search", sales
    social, price, "paid search" -> sales
    """,
    outcome="sales",
)
MEDIA = Response(GeometricAdstock(l_max=2), HillSaturation())
TV = incremental("tv")


def measured(estimand=TV, **changed):
    settings = {"estimand": estimand, "lift": 3.0, "std_error": 1.0, "design": "geo-rct"} | changed
    return Experiment(**settings)


def spec(**changed):
    return Spec(**{"graph": GRAPH, "responses": {"tv": MEDIA}} | changed)


# What follows from the graph


def test_nodes_below_a_treatment_are_modelled_and_the_rest_is_conditioned_on():
    assert spec().modelled == ("paid search", "sales")
    assert spec().inputs == ("demand", "price", "social", "tv")
    assert spec().mediators == ("paid search",)
    assert spec(responses={"social": MEDIA}).modelled == ("sales",)
    assert spec(responses={"social": MEDIA}).mediators == ()


def test_response_of_an_edge_goes_before_that_of_its_source():
    own = Response(HillSaturation())
    made = spec(responses={"tv": MEDIA, "tv->sales": own}).mechanisms
    assert made[Edge("tv", "sales")] == own
    assert made[Edge("tv", "paid search")] == MEDIA
    assert made[Edge("price", "sales")] == Response()


def test_edge_keys_are_one_key_however_they_are_written():
    want = spec(responses={"tv->paid search": MEDIA})
    for key in ("tv -> paid search", " tv->paid search ", Edge("tv", "paid search")):
        again = spec(responses={key: MEDIA})
        assert again == want
        assert hash(again) == hash(want)
    assert want.treatments == ("tv",)
    with pytest.raises(SpecError, match="names 'tv->paid search' twice"):
        spec(responses={"tv->paid search": MEDIA, "tv -> paid search": Response()})


def test_one_value_stands_for_a_sequence_of_one():
    trend, test = LinearTrend(), measured()
    assert spec(baseline=trend) == spec(baseline=[trend]) == spec(baseline=iter([trend]))
    assert spec(baseline={"sales": trend}) == spec(baseline={"sales": [trend]})
    assert spec(experiments=test) == spec(experiments=[test])
    assert spec(treatments="social") == spec(treatments=["social", "tv"])


def test_mapping_gives_terms_noise_and_links_equation_by_equation():
    made = spec(
        baseline={"sales": LinearTrend()},
        noise={"sales": StudentTNoise()},
        links={"paid search": "log"},
    )
    assert made.terms("sales") == (Intercept(), LinearTrend())
    assert made.terms("paid search") == (Intercept(),)
    assert isinstance(made.noise_of("sales"), StudentTNoise)
    assert made.noise_of("paid search") == AR1Noise()  # the default
    assert spec(noise=None) == spec()
    assert (made.link("sales"), made.link("paid search")) == ("identity", "log")


def test_own_intercept_replaces_the_default_and_comes_first():
    own = Intercept(Prior("Normal", mu=0.5, sigma=0.1))
    assert spec(baseline=(LinearTrend(), own)).terms("sales") == (own, LinearTrend())


def test_spec_keeps_its_own_copies():
    responses, links = {"tv": MEDIA}, {"sales": "log"}
    made = spec(responses=responses, links=links)
    responses["price"], links["sales"] = MEDIA, "identity"
    assert made == spec(links={"sales": "log"})


def test_equal_specs_hash_alike_and_others_differ():
    assert len({spec(), spec(), spec(baseline=())}) == 1
    for other in (
        spec(baseline=LinearTrend()),
        spec(noise=StudentTNoise()),
        spec(links={"sales": "log"}),
        spec(treatments="social"),
        spec(experiments=measured()),
        spec(responses={"tv": Response(HillSaturation())}),
    ):
        assert other != spec()


def test_latent_mediator_is_projected_out_and_its_edge_takes_a_response():
    graph = Graph.parse("tv -> mood -> sales\nlatent: mood", outcome="sales")
    made = Spec(graph, {"tv->sales": MEDIA})
    assert made.mechanisms == {Edge("tv", "sales"): MEDIA}
    with pytest.raises(SpecError, match=r"'mood' is latent; it has no exposure.*tv->sales"):
        Spec(graph, {"tv->mood": MEDIA})


def test_experiment_may_act_on_a_mediator_be_measured_on_it_or_test_several_at_once():
    made = spec(
        responses={"tv": MEDIA, "social": MEDIA},
        experiments=[
            measured(incremental("paid search")),
            measured(TV.on("paid search"), name="on search", lift=-4),
            measured(incremental(["tv", "social"])),
            measured(incremental("tv->sales"), name="direct"),
        ],
    )
    assert made.modelled == ("paid search", "sales")
    assert len(made.experiments) == 4


def test_outcome_of_an_experiment_off_the_path_to_sales_gets_an_equation():
    graph = Graph.parse("tv -> sales\ntv -> awareness", outcome="sales")
    assert Spec(graph, {"tv": MEDIA}).modelled == ("sales",)
    made = Spec(graph, {"tv": MEDIA}, experiments=measured(TV.on("awareness")))
    assert set(made.modelled) == {"sales", "awareness"}


def test_table_and_repr_name_every_part():
    made = spec(baseline=LinearTrend(), experiments=measured(name="march"))
    parts = set(made.table()["part"])
    edges = {str(e) for e in made.mechanisms}
    assert parts == {"intercept", "trend", "error", "lift:march"} | edges
    assert "conditions on demand, price, social, tv" in repr(made)
    assert "lift:march" in made._repr_html_()


# Parts that do not fit

ABSENT = "there is no such edge.*Did you mean 'tv->sales'"
REFUSED = {
    "graph is text": ({"graph": "tv -> sales"}, r"must be a Graph; got str. Write Graph.parse"),
    "graph=None": ({"graph": None}, "must be a Graph; got NoneType"),
    "no outcome": ({"graph": Graph.parse("tv -> sales")}, "no outcome: write .*outcome='sales'"),
    "responses is a list": ({"responses": ["tv"]}, r"responses is a mapping.*got \['tv'\]"),
    "responses=None": ({"responses": None}, "responses is a mapping.*None"),
    "response is an adstock": ({"responses": {"tv": GeometricAdstock()}}, "must be a Response"),
    "response is a class": ({"responses": {"tv": Response}}, "must be a Response; got <class"),
    "response=None": ({"responses": {"tv": None}}, "must be a Response; got None"),
    "key is a number": ({"responses": {1: MEDIA}}, "key is a node, or an edge 'tv->sales'; got 1"),
    "unknown node": ({"responses": {"tvv": MEDIA}}, "'tvv' is not in the graph.*mean 'tv'"),
    "unknown edge": ({"responses": {"tv->salse": MEDIA}}, ABSENT),
    "absent edge": ({"responses": {"social->paid search": MEDIA}}, "there is no such edge"),
    "no treatment": ({"responses": {}}, "No treatment: give at least one node a Response"),
    "unknown treatment": ({"treatments": ["tvv"]}, "treatments: 'tvv' is not.*Did you mean 'tv'"),
    "treatments=None": ({"treatments": None}, "treatments takes one str or a sequence; got None"),
    "treatments is a mapping": ({"treatments": {"tv": 1}}, "treatments takes one str"),
    "treatment is a number": ({"treatments": [1]}, "treatments takes str values; got 1"),
    "baseline=None": ({"baseline": None}, "baseline takes one Term or a sequence; got None"),
    "baseline is text": ({"baseline": "trend"}, "baseline takes one Term.*got 'trend'"),
    "term is a class": ({"baseline": [LinearTrend]}, "takes Term values; got <class.*brackets"),
    "terms=None": ({"baseline": {"sales": None}}, r"baseline\['sales'\] takes one Term"),
    "baseline of an unknown node": ({"baseline": {"salse": LinearTrend()}}, "mean 'sales'"),
    "baseline of an input": (
        {"baseline": {"price": LinearTrend()}},
        "'price' has no equation; it is conditioned on. Modelled nodes: paid search, sales",
    ),
    "term twice": ({"baseline": [LinearTrend(), LinearTrend()]}, "two terms of .*'trend'"),
    "intercept twice": ({"baseline": [Intercept(), Intercept()]}, "two terms of .*'intercept'"),
    "event called sigma": ({"baseline": Event("sigma", "2024-01-01")}, "are called 'sigma'"),
    "event called like a node": ({"baseline": Event("price", "2024-01-01")}, "name of a node"),
    "noise is a list": ({"noise": [NormalNoise()]}, r"noise: NormalNoise\(\).*AR1Noise\(\); got"),
    "noise is text": ({"noise": "normal"}, "noise: NormalNoise.*got 'normal'"),
    "noise is a class": ({"noise": NormalNoise}, "noise: NormalNoise.*got <class"),
    "noise of an unknown node": ({"noise": {"salse": NormalNoise()}}, "Did you mean 'sales'"),
    "noise of a node is text": ({"noise": {"sales": "normal"}}, "noise: NormalNoise"),
    "links is text": ({"links": "log"}, "links is a mapping.*got 'log'"),
    "unknown link": ({"links": {"sales": "logit"}}, "one of identity, log; got 'logit'"),
    "link of an input": ({"links": {"price": "log"}}, "'price' has no equation"),
    "policy is text": ({"policy": "held"}, "policy is a mapping.*got 'held'"),
    "experiments=None": ({"experiments": None}, "experiments takes one Experiment.*None"),
    "experiment is a question": ({"experiments": [TV]}, "takes Experiment values; got Estimand"),
    "two of one name": ({"experiments": [measured()] * 2}, "experiments are called 'tv'.*name="),
    "covariance with no test": (
        {"experiments": [measured(name="a", covariance={"bb": 1}), measured(name="b")]},
        "'a' gives a covariance with 'bb', which is no experiment.*There is b.*mean 'b'",
    ),
    "covariance stated twice": (
        {
            "experiments": [
                measured(name="a", covariance={"b": 0.1}),
                measured(name="b", covariance={"a": 0.2}),
            ]
        },
        "covariance of '[ab]' and '[ab]' is 0.. in one and 0.. in the other",
    ),
    "correlation beyond one": (
        {"experiments": [measured(name="a", covariance={"b": 1.5}), measured(name="b")]},
        "'a' and 'b', 1.5, is more than their standard errors allow .1 x 1 = 1.",
    ),
    "correlation of one": (
        {"experiments": [measured(name="a", covariance={"b": 1.0}), measured(name="b")]},
        "not positive definite",
    ),
    "covariance that is not positive definite": (
        {
            "experiments": [
                measured(name="a", covariance={"b": 0.9, "c": 0.9}, design="did"),
                measured(name="b", covariance={"c": -0.9}, design="did"),
                measured(name="c", design="did"),
            ]
        },
        "errors of 'a', 'b', 'c' cannot have these.*eigenvalue is -0.8.*state those of the other",
    ),
    "covariance of a Student-t": (
        {"experiments": [measured(name="a", covariance={"b": 0.5}), measured(name="b", nu=4)]},
        "'b' has nu= .Student-t. and is tied by a covariance .'a', 'b'.",
    ),
    "test of no treatment": (
        {"experiments": measured(incremental("price"))},
        "acts on 'price', which is not a treatment. Treatments: tv; mediators: paid search.*treatm",
    ),
    "test of an unknown node": ({"experiments": measured(incremental("tvv"))}, "mean 'tv'"),
    "test of an absent edge": (
        {"experiments": measured(incremental("tv->price"))},
        "there is no such edge. Edges: demand->paid search",
    ),
    "test on what is not modelled": (
        {"experiments": measured(TV.on("price"))},
        "'price' has no equation in this model",
    ),
    "test of the outcome": ({"experiments": measured(incremental("sales"))}, "no directed path"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_parts_that_do_not_fit_are_refused_with_advice(case):
    changed, words = REFUSED[case]
    with pytest.raises(SpecError, match=f"(?s){words}"):
        spec(**changed)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Graph.parse("a -> b -> c -> a", outcome="c"), "cycle: a -> b -> c -> a"),
        (
            lambda: Spec(Graph.parse("sales -> tv", outcome="sales"), {"tv": MEDIA}),
            "'sales' has no parents: .*'tv -> sales'",
        ),
        (
            lambda: Spec(Graph.parse("tv -> sales -> stock", outcome="sales"), {"stock": MEDIA}),
            r"'stock' reaches no outcome \(sales\).*Add the missing edge",
        ),
        (
            lambda: Spec(Graph.parse("price -> sales\ntv", outcome="sales"), {"tv": MEDIA}),
            "'tv' reaches no outcome",
        ),
        (lambda: spec(responses={"sales": MEDIA}), "'sales' reaches no outcome"),
        (lambda: spec(responses={"tv->": MEDIA}), "'tv->' is not an edge"),
        (lambda: spec(experiments=measured(TV.on("saels"))), "'saels'.*Did you mean 'sales'"),
        (
            lambda: Spec(
                Graph.parse("tv -> sales, visits", outcome=["sales", "visits"]),
                {"tv": MEDIA},
                experiments=measured(),
            ),
            "One outcome is needed; the graph has sales, visits",
        ),
    ],
)
def test_claims_against_the_graph_are_refused_with_advice(make, words):
    with pytest.raises(GraphError, match=words):
        make()


def test_latent_node_is_no_treatment():
    graph = Graph.parse("tv -> mood -> sales\nlatent: mood", outcome="sales")
    with pytest.raises(SpecError, match="treatments: 'mood' is latent"):
        Spec(graph, treatments="mood")


# Unobserved causes and feedback


def test_a_treatment_confounded_with_the_outcome_gets_a_budget_equation():
    graph = Graph.parse("season -> tv\ntv -> sales\ntv <-> sales", outcome="sales")
    claimed = Spec(graph, {"tv": MEDIA})
    assert claimed.modelled == ("tv", "sales")
    assert claimed.inputs == ("season",)
    assert [c.name for c in claimed.confounders] == ["sales<->tv"]
    assert claimed.mediators == ()


def modelled(text, outcome="sales", **settings):
    return set(Spec(Graph.parse(text, outcome=outcome), {"tv": MEDIA}, **settings).modelled)


def test_a_district_is_modelled_whole_and_only_if_it_touches_a_modelled_node():
    assert modelled("m, tv -> sales\ntv <-> m <-> sales") == {"m", "tv", "sales"}
    assert modelled("a, b, tv -> sales\na <-> b") == {"sales"}


def test_a_proxy_of_the_errors_of_an_outcome_has_an_equation_and_is_never_a_parent():
    """M-bias: the errors of m tell of those of sales; adjusting for m would bias."""
    spec = Spec(
        Graph.parse("tv -> sales\np -> m\ntv <-> m <-> sales", outcome="sales"), {"tv": MEDIA}
    )
    assert set(spec.modelled) == {"m", "tv", "sales"}
    assert spec.inputs == ("p",)
    assert spec.structure.parents("sales") == ("tv",)
    assert spec.mediators == ()
    assert isinstance(spec.noise_of("m"), AR1Noise)


def test_a_proxy_may_follow_a_treatment_but_not_the_outcome():
    chain = "tv -> sales\ntv -> clicks -> m\nm <-> sales"
    spec = Spec(Graph.parse(chain, outcome="sales"), {"tv": MEDIA})
    assert set(spec.modelled) == {"clicks", "m", "sales"}
    assert spec.mediators == ()  # nothing of tv's effect on sales passes them
    assert modelled("tv -> sales -> m\nm <-> sales") == {"sales"}
    assert modelled("tv -> sales -> b -> m\nm <-> sales\nm <-> a") == {"sales"}


def test_proxies_of_mediators_and_of_proxies_count_and_those_of_inputs_do_not():
    funnel = "tv -> search -> sales\ntv -> sales\nprice -> sales"
    assert modelled(f"{funnel}\nsearch <-> m") == {"search", "m", "sales"}
    assert modelled(f"{funnel}\nsales <-> m <-> n") == {"search", "sales", "m", "n"}
    assert modelled(f"{funnel}\nprice <-> m") == {"search", "sales"}
    assert modelled(f"{funnel}\ntv <-> m") == {"search", "sales"}


def test_a_latent_cause_of_three_nodes_is_one_factor():
    text = "u -> tv, search, sales\ntv -> search -> sales\nlatent: u"
    graph = Graph.parse(text, outcome="sales")
    (cause,) = Spec(graph, {"tv": MEDIA}).confounders
    assert cause.name == "sales<->search<->tv"
    assert list(cause.priors) == [f"{cause.name}:{v}" for v in ("sales", "search", "tv")]
    assert dict(cause.priors[f"{cause.name}:sales"].parameters)["lower"] == 0  # settles the sign


@pytest.mark.parametrize(
    ("priors", "words"),
    [
        ({"tv<->salse": Prior("Uniform", lower=-1, upper=1)}, "Did you mean 'sales<->tv'"),
        ({"sales<->tv": Prior("Normal", mu=0, sigma=1)}, "lies between -1 and 1"),
        ({"sales<->tv": 0.3}, "correlation sales<->tv"),
        ("wide", "correlations is a mapping"),
    ],
)
def test_a_prior_on_a_correlation_is_checked(priors, words):
    graph = Graph.parse("tv -> sales\ntv <-> sales", outcome="sales")
    with pytest.raises(SpecError, match=words):
        Spec(graph, {"tv": MEDIA}, correlations=priors)


def test_correlations_and_memory_survive_yaml():
    graph = Graph.parse("tv -> sales\ntv <-> sales", outcome="sales")
    claimed = Spec(
        graph,
        {"tv": MEDIA},
        noise=AR1Noise(nu=Prior("Gamma", alpha=2, beta=0.1)),
        correlations={"tv <-> sales": Prior("Uniform", lower=0, upper=1)},
    )
    assert claimed.confounders[0].prior == Prior("Uniform", lower=0, upper=1)  # in either order
    again = Spec.from_yaml(claimed.to_yaml())
    assert again == claimed
    assert again.confounders == claimed.confounders


@pytest.mark.parametrize("low", [-1.5, None])
def test_memory_outside_the_stationary_range_is_refused(low):
    bounds = {} if low is None else {"lower": low, "upper": 1}
    with pytest.raises(SpecError, match="phi lies between -1 and 1"):
        AR1Noise(phi=Prior("TruncatedNormal" if bounds else "Normal", mu=0, sigma=1, **bounds))


def test_a_district_too_large_for_its_data_is_named_with_numbers():
    names = [f"x{k}" for k in range(6)]
    pairs = "\n".join(f"{name} <-> sales" for name in names)
    graph = Graph.parse(f"{', '.join(names)} -> sales\n{pairs}", outcome="sales")
    rng = np.random.default_rng(2)
    table = pd.DataFrame({name: rng.gamma(3, 1, 24) for name in [*names, "sales"]})
    table["week"] = pd.date_range("2024-01-01", periods=24, freq="7D")
    data = Dataset.from_frame(table, time="week")
    with pytest.warns(FewerRowsThanParameters, match="33 parameters, 6 of them for the causes"):
        build(Spec(graph, dict.fromkeys(names, Response())), data)


def test_a_budget_that_follows_sales_is_held_unless_it_reacts():
    graph = Graph.parse("tv, social -> sales\nsales -> tv @ 1", outcome="sales")
    held = Spec(graph, {"tv": MEDIA, "social": MEDIA})
    assert held.held == {"tv"}
    assert held.modelled == ("sales",)
    reacts = Spec(graph, {"tv": MEDIA, "social": MEDIA}, policy={"tv": "reacts"})
    assert reacts.held == frozenset()
    assert reacts.modelled == ("tv", "sales")


def test_a_held_budget_that_is_confounded_is_modelled_and_still_held():
    graph = Graph.parse("tv, social -> sales\nsales -> tv @ 1\ntv <-> sales", outcome="sales")
    claimed = Spec(graph, {"tv": MEDIA, "social": MEDIA})
    assert claimed.modelled == ("tv", "sales")
    assert Edge("sales", "tv", 1) in claimed.mechanisms
    assert Edge("sales", "tv", 1) not in claimed.reduced.edges


# Specs meet data


def frame(rows=30):
    rng = np.random.default_rng(5)
    names = ("demand", "tv", "social", "price", "paid search", "sales")
    columns = {name: rng.gamma(3, 1, rows) for name in names}
    columns["tv"][10:13] = 0
    return pd.DataFrame({"week": pd.date_range("2024-01-01", periods=rows, freq="7D"), **columns})


def read(table, **settings):
    return Dataset.from_frame(table, **{"time": "week", "spend": ["tv"]} | settings)


def off(first=10, last=12):
    week = frame()["week"]
    return TV.during(week[first], week[last])


def test_data_that_fit_pass():
    for made in (
        spec(),
        spec(experiments=measured(TV.during("2024-01-01", "2024-07-28"))),
        spec(experiments=measured(TV.during("2024-07-22", "2024-07-28"))),
        spec(experiments=measured(off(9, 12))),
        spec(experiments=measured(replace(off(), active={"tv": Plus(5)}))),
        spec(experiments=measured(replace(off(), active={"tv": 1.0}))),
        spec(experiments=measured(replace(off(), control={"tv": lambda x: x + 1}))),
        spec(
            experiments=measured(incremental(["tv", "social"], window=off().window)),
            treatments="social",
        ),
        spec(experiments=measured(Estimand({"tv": np.ones(30)}))),
        spec(experiments=measured(incremental("paid search"))),
    ):
        assert check(made, read(frame())) is None


def test_checking_does_not_change_the_data_even_when_a_function_does():
    def cut(x):
        x[5:] = 0
        return x

    data = read(frame())
    check(spec(experiments=measured(Estimand({"tv": cut}))), data)
    assert data.hash == read(frame()).hash


MISFITS = {
    "column missing": (
        {},
        lambda f: f.drop(columns="price"),
        "node 'price', but the data have no such column. Columns: demand.*declare 'latent: price'",
    ),
    "column misspelt": (
        {},
        lambda f: f.rename(columns={"price": "prices"}),
        "Did you mean 'prices'",
    ),
    "column of text": ({}, lambda f: f.assign(price="a"), "left out.*text such as 'a'"),
    "outcome missing": ({}, lambda f: f.drop(columns="sales"), "node 'sales'"),
    "mediator missing": ({}, lambda f: f.drop(columns="paid search"), "node 'paid search'"),
    "constant": ({}, lambda f: f.assign(price=9.0), r"'price' is constant \(9\).*intercept"),
    "zero": ({}, lambda f: f.assign(social=0), r"'social' is constant \(0\)"),
    "negative exposure": ({}, lambda f: f.assign(tv=f["tv"] - 5), "'tv' is negative .*saturates"),
    "log of a negative": (
        {"links": {"sales": "log"}},
        lambda f: f.assign(sales=f["sales"] - 5),
        "'sales' has a log link but is -.*identity link",
    ),
    "return without spend": (
        {"responses": {"social": Response(strength=ReturnOnSpend(Prior("Normal")))}},
        lambda f: f,
        r"return on spend, but no spend is given for 'social'.*from_frame\(spend=",
    ),
    "test before the data": (
        {"experiments": measured(TV.during("2020-01-01", "2020-02-01"))},
        lambda f: f,
        r"ran 2020-01-01..2020-02-01, outside the data \(2024-01-01..2024-07-22\)",
    ),
    "test after the data": (
        {"experiments": measured(TV.during("2025-01-01", "2025-02-01"))},
        lambda f: f,
        "outside the data.*Extend the data",
    ),
    "test that outlasts the data": (
        {"experiments": measured(TV.during("2024-07-01", "2024-07-29"))},
        lambda f: f,
        "outside the data",
    ),
    "test within one period": (
        {"experiments": measured(TV.during("2024-03-05", "2024-03-08"))},
        lambda f: f,
        "not whole weekly periods.*none starts in it. Whole periods are 2024-03-04..2024-03-10",
    ),
    "test of a channel that was off": (
        {"experiments": measured(off())},
        lambda f: f,
        r"'tv' throughout the test's window.*Check the window.*Estimand\(active=",
    ),
    "ten percent more of nothing": (
        {"experiments": measured(replace(off(), active={"tv": Times(1.1)}, control={}))},
        lambda f: f,
        "both worlds have the same 'tv'",
    ),
    "the same in both worlds": (
        {"experiments": measured(Estimand({"tv": 1.0}, {"tv": 1.0}))},
        lambda f: f,
        "both worlds have the same 'tv'",
    ),
    "tail after the data": (
        {"experiments": measured(replace(TV.during("2024-07-01", "2024-07-14"), carryover=3))},
        lambda f: f,
        "tail of 3 periods after 2024-07-08, but the data end 1 short.*carryover=2",
    ),
    "test before the data with no paths": (
        {"experiments": measured(TV.during("2020-01-01", "2020-02-01"))},
        lambda f: f,
        r"with the test \(active\) and without it \(control\), and off_panel='path'",
    ),
    "units of national data": (
        {"experiments": measured(TV.within("north"))},
        lambda f: f,
        r"unit 'north' is not in the data. Units: none.*national.*unit=\.\.\..*per_spend",
    ),
    "array too short": (
        {"experiments": measured(Estimand({"tv": [1.0, 2.0]}))},
        lambda f: f,
        r"finite values in the shape of the data, \(30,\); got shape \(2,\)",
    ),
    "array of units": (
        {"experiments": measured(Estimand({"tv": np.ones((2, 30))}))},
        lambda f: f,
        r"got shape \(2, 30\)",
    ),
    "function of another length": (
        {"experiments": measured(Estimand({"tv": lambda x: x[:3]}))},
        lambda f: f,
        r"got shape \(3,\)",
    ),
    "function that gives nothing": (
        {"experiments": measured(Estimand({"tv": lambda x: None}))},
        lambda f: f,
        "must give finite values",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_data_that_do_not_fit_are_refused_with_advice(case):
    changed, change, words = MISFITS[case]
    with pytest.raises(DataError, match=f"(?s){words}"):
        check(spec(**changed), read(change(frame()), spend=None))


def test_test_in_the_history_is_outside_the_data():
    made = spec(experiments=measured(TV.during("2024-01-08", "2024-02-04")))
    check(made, read(frame()))
    with pytest.raises(DataError, match=r"outside the data \(2024-01-22"):
        check(made, read(frame(), history=3))


def test_a_tail_that_ends_with_the_data_is_counted():
    tail = replace(TV.during("2024-07-01", "2024-07-14"), carryover=2)
    made, data = spec(experiments=measured(tail)), read(frame())
    check(made, data)
    counted = scope(compile_scm(made, data), tail)
    assert counted.counts.sum() == 2 + 2
    assert not counted.truncated


def test_a_biased_pair_may_be_perfectly_correlated_in_its_sampling_errors():
    tests = [measured(name="a", covariance={"b": 1.0}, design="did"), measured(name="b")]
    assert len(spec(experiments=tests).experiments) == 2


@pytest.mark.parametrize(
    ("unit", "scale", "words"),
    [
        ("orders", "total", "is in 'orders', but 'sales' is in 'EUR' in the data.*correct unit="),
        ("orders", "percent", "is in 'orders', but its scale is percent"),
        ("%", "mean", "is in '%', but its scale is mean, which is no percentage.*scale='percent'"),
        ("percent", "per_spend", "its scale is per_spend, which is no percentage"),
    ],
)
def test_a_lift_in_another_unit_is_refused(unit, scale, words):
    data = read(frame())
    data.table["sales"].attrs["units"] = "EUR"
    asked = replace(TV.during("2024-01-08", "2024-01-21"), scale=scale)
    with pytest.raises((SpecError, DataError), match=words):
        check(spec(experiments=measured(asked, unit=unit)), data)


def test_a_lift_in_the_unit_of_its_outcome_passes():
    data = read(frame())

    def refusal(unit, scale="total"):
        try:
            check(spec(experiments=measured(replace(off(5, 6), scale=scale), unit=unit)), data)
        except (SpecError, DataError) as error:
            return str(error)
        return ""

    assert refusal("orders") == ""  # the data do not say
    data.table["sales"].attrs["units"] = "EUR"
    assert "'EUR'" in refusal("orders")
    assert refusal("EUR") == ""
    assert refusal("%", "percent") == ""
    assert refusal("EUR", "cost") == ""


def test_age_counts_periods_from_the_end_of_the_window():
    data = read(frame())  # 30 weeks from 2024-01-01
    ages = {
        ("2024-07-22", "2024-07-28"): 0,
        ("2024-07-15", "2024-07-21"): 1,
        ("2024-01-01", "2024-01-07"): 29,
        ("2023-12-25", "2023-12-31"): 30,
        ("2023-12-18", "2023-12-24"): 31,
        ("2025-01-01", "2025-01-31"): 0,
    }
    path = Estimand({"tv": (1, 2)}, {"tv": 0}, off_panel="path")
    for window, expected in ages.items():
        assert age(measured(replace(path, window=window)), data) == expected, window
    assert age(measured(), data) == 0


def test_latent_node_in_the_data_is_refused_with_advice():
    graph = Graph.parse("tv -> social -> sales\nlatent: social", outcome="sales")
    with pytest.raises(DataError, match="'social' is declared latent, but the data have a column"):
        check(Spec(graph, {"tv": MEDIA}), read(frame()))


def test_only_a_dataset_is_data():
    with pytest.raises(DataError, match=r"must be a Dataset; got DataFrame.*from_frame"):
        check(spec(), frame())


def panel():
    parts = [frame().assign(geo=geo, sales=frame()["sales"] * k) for k, geo in enumerate("ab", 1)]
    return pd.concat(parts)


def test_column_that_differs_between_units_only_is_constant():
    table = panel().assign(price=np.repeat([9.0, 10.0], 30))
    with pytest.raises(DataError, match="'price' is constant in time"):
        check(spec(), read(table, unit="geo"))
    varies = table.assign(price=np.where(table["geo"] == "a", 9.0, table["tv"]))
    check(spec(), read(varies, unit="geo"))


def test_test_in_units_looks_at_those_units_only():
    table = panel().assign(tv=lambda f: f["tv"].where(f["geo"] == "a", 0.0))
    data = read(table, unit="geo")
    check(spec(experiments=measured(TV.within("a"))), data)
    with pytest.raises(DataError, match="both worlds have the same 'tv'"):
        check(spec(experiments=measured(TV.within("b"))), data)
    with pytest.raises(DataError, match=r"unit 'c' is not in the data. Units: a, b"):
        check(spec(experiments=measured(TV.within("c"))), data)
    shaped = measured(Estimand({"tv": np.ones((2, 30))}))
    check(spec(experiments=shaped), data)
    with pytest.raises(DataError, match=r"shape of the data, \(2, 30\); got shape \(2,\)"):
        check(spec(experiments=measured(Estimand({"tv": [1.0, 2.0]}))), data)


def test_building_warns_when_rows_are_fewer_than_parameters_and_names_the_numbers():
    made = spec(baseline=(LinearTrend(), YearlySeasonality(4)))
    data = read(frame().iloc[:8], spend=None)
    with pytest.warns(FewerRowsThanParameters) as caught:
        build(made, data)
    text = "\n".join(str(w.message) for w in caught)
    # sales: intercept, trend, 8 waves, 4 plain edges, tv with 4 parameters, sigma, phi
    assert "The equation of 'sales' has 20 parameters for 8 rows" in text
    # paid search: intercept, trend, 8 waves, demand, tv with 4 parameters, sigma, phi
    assert "The equation of 'paid search' has 17 parameters for 8 rows" in text


# Reading and writing

positive = st.floats(1e-6, 1e6)
real = st.floats(-1e6, 1e6)
POSITIVE = {"sigma", "beta", "lam", "nu", "b"}


@st.composite
def priors(draw):
    name = draw(st.sampled_from(sorted({*PARAMETERS} - {"Uniform", "TruncatedNormal"})))
    shapes = POSITIVE | ({"alpha"} if name != "Cauchy" else set())
    return Prior(name, **{k: draw(positive if k in shapes else real) for k in PARAMETERS[name]})


scales = priors().filter(
    lambda p: p.distribution not in ("Cauchy", "Laplace", "Normal", "StudentT")
)
shares = st.builds(lambda a, b: Prior("Beta", alpha=a, beta=b), positive, positive)
spreads = scales | st.just("common")


@st.composite
def transform(draw, kinds):
    kind = kinds[draw(st.sampled_from(sorted(kinds)))]
    changed = draw(st.sets(st.sampled_from(sorted(kind.defaults)))) if kind.defaults else set()
    fitting = {SHARE: shares, support.POSITIVE: scales}
    own = {name: draw(fitting[kind.supports[name]]) for name in sorted(changed)}
    if kind in ADSTOCKS.values() and kind is not NoAdstock:
        return kind(draw(st.integers(0, 20)), draw(st.booleans()), priors=own)
    return kind(priors=own)


@st.composite
def responses(draw):
    steps = [draw(transform(k)) for k in (ADSTOCKS, SATURATIONS) if draw(st.booleans())]
    view = draw(st.sampled_from([Coefficient, MeanContribution, ReturnOnSpend]))
    strength = draw(st.none() | priors().map(view))
    return Response(
        *draw(st.permutations(steps)), strength=strength, spread=draw(st.none() | spreads)
    )


days = st.dates(datetime.date(2000, 1, 1), datetime.date(2050, 1, 1))
counts = st.integers(0, 3)
terms = st.lists(
    st.one_of(
        st.builds(Intercept, priors(), scales),
        st.builds(LinearTrend, priors()),
        st.builds(PiecewiseTrend, st.integers(1, 9) | st.lists(days, min_size=1), priors()),
        st.builds(YearlySeasonality, st.integers(1, 9), priors()),
        st.builds(MonthlySeasonality, st.integers(1, 9)),
        st.builds(WeeklySeasonality, st.integers(1, 3)),
        st.builds(
            Event,
            st.sampled_from(["storm", "black friday", "yes", "1e3", "süß", "null"]),
            st.lists(days, min_size=1, max_size=3),
            counts,
            counts,
            st.floats(0.01, 1),
            priors(),
        ),
        st.builds(
            Holidays,
            st.just("US"),
            st.sampled_from([None, "NY"]),
            st.none() | st.just(("Labor Day", "Christmas Day")),
            counts,
            counts,
        ),
        st.builds(HSGPTrend, st.integers(1, 20), st.floats(1.01, 3), scales, scales),
    ),
    max_size=4,
    unique_by=lambda term: term.key,
).map(tuple)
noises = st.builds(NormalNoise, scales, spreads) | st.builds(
    StudentTNoise, scales, scales, spread=spreads
)
number = st.floats(-1e9, 1e9)
value = st.one_of(
    number,
    st.builds(Times, number),
    st.builds(Plus, number),
    st.lists(number, min_size=1),
    st.lists(st.tuples(number, number), min_size=1, max_size=3),
)
acts = st.dictionaries(
    st.sampled_from(["tv", "social", "paid search", "tv->sales", "tv -> paid search"]),
    value,
    min_size=1,
    max_size=2,
)
questions = st.builds(
    Estimand,
    active=st.just({}) | acts,
    control=acts,
    outcome=st.sampled_from([None, "sales"]),
    window=st.none() | st.tuples(days, days).map(sorted),
    units=st.none() | st.lists(st.sampled_from(["north", "01", "no", "süd"]), min_size=1),
    carryover=st.booleans() | st.integers(1, 5),
    scale=st.sampled_from(SCALES),
    name=st.none() | st.sampled_from(["on", "a: b", "# c"]),
)
experiments = st.lists(
    st.builds(
        Experiment,
        questions,
        number.filter(bool),  # a cost of 0 is refused
        positive,
        st.sampled_from(sorted(DESIGNS)),
        st.none() | st.just(0.0) | positive,
        st.sampled_from(["winter", "2024", "a: {b}", "ünï"]),
        nu=st.none() | positive,
        half_life=st.none() | positive,
        unit=st.sampled_from([None, "EUR", "n/a"]),
    ),
    max_size=3,
    unique_by=lambda test: test.name,
).map(tuple)
MODELLED = ("paid search", "sales")


def per_node(values):
    return st.dictionaries(st.sampled_from(MODELLED), values, max_size=2)


specs = st.builds(
    Spec,
    graph=st.just(GRAPH),
    responses=st.dictionaries(
        st.sampled_from(["social", "tv->sales", "demand->paid search"]), responses()
    ).flatmap(lambda rest: responses().map(lambda tv: {"tv": tv, **rest})),
    baseline=terms | per_node(terms),
    experiments=experiments,
    noise=noises | per_node(noises),
    links=per_node(st.sampled_from(["identity", "log"])),
    treatments=st.just(("social",)),
    policy=st.just({"tv": "reacts"}),
)


@settings(deadline=None, max_examples=40)
@given(specs)
def test_yaml_and_dict_round_trips(made):
    text = made.to_yaml()
    again = Spec.from_yaml(text)
    assert again == made
    assert hash(again) == hash(made)
    assert again.to_yaml() == text
    assert Spec.from_dict(made.to_dict()) == made


def test_node_called_kind_keeps_its_noise():
    graph = Graph.parse("tv -> kind -> sales", outcome="sales")
    made = Spec(graph, {"tv": MEDIA}, noise={"kind": StudentTNoise()})
    assert Spec.from_yaml(made.to_yaml()) == made


def test_yaml_that_a_person_writes():
    made = Spec.from_yaml(
        """
        graph: |
          tv -> sales
          demand -> tv, sales
        outcome: sales
        responses:
          tv: {transforms: [{kind: GeometricAdstock, l_max: 4}, HillSaturation]}
          demand -> sales: {strength: {distribution: Normal, sigma: 0.5}}
        baseline: [LinearTrend, {kind: Event, label: storm, dates: 2024-02-01}]
        experiments:
          - estimand: {control: {tv: 0}, window: [2024-03-04, 2024-03]}
            lift: -3
            std_error: 1
            design: geo-rct
        noise: student_t
        treatments: tv
        policy: {tv: reacts}
        """
    )
    assert made.treatments == ("demand", "tv")
    assert made.mechanisms[Edge("tv", "sales")].reach == 4
    assert made.terms("sales")[1:] == (LinearTrend(), Event("storm", "2024-02-01"))
    assert made.experiments[0].estimand == TV.during("2024-03-04", "2024-03-31")
    assert isinstance(made.noise, StudentTNoise)


HEAD = "graph: tv -> sales\noutcome: sales\nresponses: {tv: {transforms: [HillSaturation]}}\n"
BAD_YAML = {
    "": "must be a mapping of keys; got NoneType",
    "- a": "must be a mapping of keys; got list",
    "a: [": "This is not YAML",
    HEAD + "respones: {}": "unknown key 'respones'.*Did you mean 'responses'",
    HEAD + "links: !!python/name:os.system": "tag that is not allowed.*can run code",
    HEAD + "links: !mine 3": "tag that is not allowed",
    "outcome: sales": "'graph' is missing",
    "graph: [tv]": "'graph' is text",
    "graph: tv -> sales\noutcome: 3": "'outcome' is a name or a list; got 3",
    "graph: tv -> sales\noutcome: sales\nresponses: tv": "'responses' is a mapping; got 'tv'",
    "graph: tv -> sales\noutcome: sales\nresponses: {tv: }": "response must be a mapping; got None",
    HEAD + "baseline: LinearTrend": "'baseline' is a mapping or a list; got 'LinearTrend'",
    HEAD + "baseline: {sales: LinearTrend}": "'sales' is a list; got 'LinearTrend'",
    HEAD + "baseline: [{kind: Event}]": "label",
    HEAD + "experiments: {}": "'experiments' is a list",
    HEAD + "experiments: [3]": "experiment must be a mapping",
    HEAD + "links: log": "'links' is a mapping; got 'log'",
    HEAD + "treatments: 3": "'treatments' is a list or a name; got 3",
    HEAD + "policy: held": "'policy' is a mapping",
    HEAD + "noise: [normal]": "noise is one of",
}


@pytest.mark.parametrize("text", BAD_YAML)
def test_bad_yaml_is_refused_with_advice(text):
    with pytest.raises(SpecError, match=f"(?s){BAD_YAML[text]}"):
        Spec.from_yaml(text)


def test_yaml_runs_no_code(tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(SpecError, match="tag that is not allowed"):
        Spec.from_yaml(f"graph: !!python/object/apply:os.mkdir ['{mark}']")
    assert not os.path.exists(mark)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("graph: a -> b\noutcome: b\ngraph: b -> a\n", "'graph' twice.*lines 1 and 3"),
        ("a: {lift: 1, std_error: 2, 'lift': 3}", "'lift' twice.*lines 1 and 1"),
        ("a:\n- {x: 1}\n- x: 1\n  y: 2\n  x: 2\n", "'x' twice.*lines 3 and 5"),
    ],
)
def test_a_key_that_stands_twice_is_refused(text, words):
    with pytest.raises(SpecError, match=f"{words}.*would be lost"):
        load_yaml(text)


def test_a_second_experiment_under_the_same_key_is_not_lost():
    text = spec(experiments=measured()).to_yaml()
    one = text[text.index("experiments:") : text.index("links:")]
    with pytest.raises(SpecError, match="'experiments' twice"):
        Spec.from_yaml(text + one)


def test_keys_that_a_merge_overrides_or_that_differ_are_read():
    given = load_yaml("base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\nsame: [{x: 1}, {x: 2}]\n")
    assert given["more"] == {"x": 1, "y": 3}
    assert given["same"] == [{"x": 1}, {"x": 2}]


@pytest.mark.parametrize("text", [None, 3, {"graph": "a -> b"}])
def test_yaml_is_text(text):
    with pytest.raises(SpecError, match=f"YAML is text; got {type(text).__name__}"):
        load_yaml(text)


def test_function_in_an_experiment_cannot_be_written_and_says_what_can():
    made = spec(experiments=measured(Estimand({"tv": lambda x: 2 * x})))
    with pytest.raises(SpecError, match=r"use Times\(factor\)"):
        made.to_yaml()


def test_a_return_on_spend_needs_an_identity_link():
    media = Response(GeometricAdstock(), HillSaturation(), strength=ReturnOnSpend(Prior("Normal")))
    graph = Graph.parse("tv -> sales", outcome="sales")
    with pytest.raises(SpecError, match="log link"):
        check(Spec(graph, {"tv": media}, links={"sales": "log"}), read(frame()))


def test_errors_have_memory_unless_the_graph_or_the_rows_say_otherwise():
    graph = Graph.parse(
        "price -> tv\ntv -> search -> sales\ntv -> sales\ntv <-> sales", outcome="sales"
    )
    spec = Spec(graph, treatments=("tv",))
    kinds = {v: type(spec.noise_of(v)).__name__ for v in spec.modelled}
    assert kinds == dict.fromkeys(("tv", "search", "sales"), "AR1Noise")
    own = Spec(Graph.parse("tv -> sales\nsales -> sales @ 1", outcome="sales"), treatments=("tv",))
    assert type(own.noise_of("sales")).__name__ == "NormalNoise"
    stated = Spec(graph, treatments=("tv",), noise={"search": StudentTNoise()})
    assert type(stated.noise_of("search")).__name__ == "StudentTNoise"
    assert type(stated.noise_of("sales")).__name__ == "AR1Noise"
    assert Spec.from_yaml(spec.to_yaml()) == spec
