"""What is handed to DoWhy: latents, lags, columns; and that it then agrees with our sets."""

import numpy as np
import pandas as pd
import pytest
from dowhy.causal_identifier.auto_identifier import identify_generalized_adjustment_set
from dowhy.graph import get_instruments

from bayescausal.data.dataset import Dataset
from bayescausal.errors import DataError, GraphError
from bayescausal.experiments.estimand import incremental
from bayescausal.graphs.graph import Graph
from bayescausal.identification.verdicts import identify
from bayescausal.validation.dowhy_bridge import to_dowhy
from bayescausal.validation.lagged_table import unroll_lags

FUNNEL = "season -> tv, sales\ntv -> search -> sales\ntv -> sales"
BOW = "tv -> sales\ntv <-> sales"


def funnel(rows):
    values = 50 + np.random.default_rng(0).normal(size=(rows, 4))
    return pd.DataFrame(values, columns=["season", "tv", "search", "sales"])


def panel(units, rows):
    week = np.tile(pd.date_range("2024-01-01", periods=rows, freq="7D"), units)
    data = funnel(units * rows).assign(week=week, geo=np.repeat(range(units), rows))
    return Dataset.from_frame(data, time="week", unit="geo")


def test_a_graph_is_handed_over_with_latents_as_nodes_and_never_as_a_mark():
    graph = Graph.parse("u -> tv, sales\ntv -> sales\ntv <-> sales\nlatent: u", outcome="sales")
    data = funnel(20).assign(u=1.0, extra=2.0)
    before = data.copy()
    model = to_dowhy(graph, "tv", "sales", data)
    handed = model._graph._graph
    assert set(handed) == {"u", "tv", "sales", "U_sales_tv"}
    assert set(handed.edges) == {
        ("u", "tv"),
        ("u", "sales"),
        ("tv", "sales"),
        ("U_sales_tv", "tv"),
        ("U_sales_tv", "sales"),
    }
    assert sorted(model._data) == ["sales", "tv"]
    assert {v for v in handed if handed.nodes[v]["observed"] == "no"} == {"u", "U_sales_tv"}
    pd.testing.assert_frame_equal(data, before)


def test_a_fresh_latent_takes_no_name_that_is_taken():
    graph = Graph.parse(BOW + "\nU_sales_tv -> sales", outcome="sales")
    data = funnel(20).assign(U_sales_tv=1.0)
    model = to_dowhy(graph, "tv", "sales", data)
    assert set(model._graph._graph.predecessors("tv")) == {"U_sales_tv'"}


def test_lags_become_columns_of_earlier_periods():
    graph = Graph.parse("demand -> tv\ntv -> sales @ 1\ntv -> sales", outcome="sales")
    slices = unroll_lags(graph)
    assert slices.depth == 1
    assert slices.acting("tv", "sales") == ["tv", "tv@1"]
    edges = {edge for edge in slices.dag.edges if not edge[0].startswith("U_")}
    assert edges == {
        ("demand", "tv"),
        ("demand@1", "tv@1"),
        ("tv", "sales"),
        ("tv@1", "sales@1"),
        ("tv@1", "sales"),
    }
    assert set(slices.dag.successors("U_tv")) == {"tv", "tv@1"}
    data = funnel(9).assign(demand=np.arange(9.0) ** 2)
    handed = to_dowhy(graph, "tv", "sales", data)._data
    assert handed["tv@1"].tolist() == data["tv"].tolist()[:-1]
    assert handed["sales"].tolist() == data["sales"].tolist()[1:]


def test_a_dataset_is_pooled_after_its_history():
    data = panel(3, rows=12)
    data = Dataset(data.table, data.spend, data.value, history=4)
    handed = to_dowhy(Graph.parse("tv -> sales", outcome="sales"), "tv", "sales", data)._data
    assert handed["tv"].tolist() == data.array("tv")[:, 4:].ravel().tolist()


@pytest.mark.parametrize(
    ("text", "treatment", "data", "error", "words"),
    [
        (FUNNEL, "tvv", funnel(20), GraphError, "Did you mean 'tv'"),
        (FUNNEL + "\nlatent: search", "search", funnel(20), GraphError, "declared latent"),
        ("tv -> sales\nsales -> tv @ 1", "tv", funnel(20), GraphError, "close a cycle"),
        ("tv -> sales\nsales -> sales @ 1", "tv", funnel(20), GraphError, "close a cycle"),
        (FUNNEL, "tv", funnel(20).drop(columns="season"), DataError, "latent: season"),
        (
            FUNNEL,
            "tv",
            funnel(20).replace({"tv": {0: 1}}).mask(lambda x: x > 50),
            DataError,
            "tv|s",
        ),
        (FUNNEL, "tv", funnel(20).astype({"tv": str}), DataError, "pd.to_numeric"),
        (FUNNEL, "tv", {"tv": [1.0]}, DataError, "Dataset.from_frame"),
    ],
)
def test_the_bridge_refuses_what_it_cannot_carry(text, treatment, data, error, words):
    graph = Graph.parse(text, outcome="sales")
    with pytest.raises(error, match=words):
        to_dowhy(graph, treatment, "sales", data)


def random_graph(rng, size=6):
    nodes = [f"v{k}" for k in range(size)]
    pairs = [(nodes[a], nodes[b]) for a in range(size) for b in range(a + 1, size)]
    edges = [pair for pair in pairs if rng.random() < 0.4]
    arcs = [pair for pair in pairs if rng.random() < 0.12]
    latent = [v for v in nodes[1:-1] if rng.random() < 0.2]
    return Graph(tuple(edges), tuple(arcs), frozenset(latent), isolated=tuple(nodes))


def test_dowhy_agrees_with_our_sets_when_it_is_told_the_graph_through_the_bridge():
    rng, seen = np.random.default_rng(8), {"sets": 0, "none": 0, "instruments": 0}
    for _ in range(300):
        graph = random_graph(rng)
        if {"v2", "v5"} & graph.latent or "v5" not in graph.descendants("v2"):
            continue
        ours = identify(graph, incremental("v2", outcome="v5"))
        slices = unroll_lags(graph)
        told = slices.dag, ["v2"], ["v5"]
        theirs = identify_generalized_adjustment_set(*told, list(slices.columns))
        assert bool(theirs) == bool(ours.adjustment_sets)
        seen["sets" if theirs else "none"] += 1
        if theirs:
            assert frozenset(theirs[0].get_adjustment_variables()) in ours.adjustment_sets
        listed = {v for v in get_instruments(*told) if v in slices.columns}
        assert listed <= {found.node for found in ours.instruments}
        seen["instruments"] += len(listed)
    assert min(seen.values()) > 5
