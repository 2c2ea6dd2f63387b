"""`model_uncertainty`: effects under several graphs, and who may average them."""

from dataclasses import replace

import numpy as np
import pytest
from linear_worlds import linear_fit

import bayescausal as bc
from bayescausal.errors import SpecError
from bayescausal.inference.fit import total_effect


@pytest.fixture(scope="module")
def fits():
    """The same data under three graphs; posteriors are set by hand, so nothing is sampled."""
    opposite = {"a->y": (-1.0, 0.1), "b->y": (1.0, 0.05), "c->y": (0.2, 0.05)}
    return {
        "as drawn": linear_fit(),
        "reverse": linear_fit(coefficients=opposite),
        "add b to a": linear_fit("a, b, c -> y\nb -> a", parts={"policy": {"a": "held"}}),
    }


def test_each_effect_has_a_row_for_each_graph(fits):
    table = bc.model_uncertainty(fits).to_frame()
    assert list(table.index.names) == ["effect", "graph"]
    assert table.loc["a"].index.tolist() == [*fits]
    values = total_effect(fits["reverse"], bc.incremental("a")).ravel()
    row = table.loc[("a", "reverse")]
    assert row["median"] == pytest.approx(np.median(values))
    assert row["low"] == pytest.approx(np.quantile(values, 0.05))
    assert row["status"] == "backdoor"
    assert row["grade"] == "F"


def test_a_sign_that_depends_on_the_graph_is_said_and_nothing_is_averaged(fits):
    result = bc.model_uncertainty(fits)
    (line,) = (s for s in result.sentences if s.startswith("a:"))
    assert "its sign depends on the graph" in line
    assert not any("sign" in s for s in result.sentences if s.startswith("b:"))
    assert result.averaged.empty
    assert "weights are a claim of yours" in result.sentences[-1]
    assert "<table" in result._repr_html_()


def test_weights_of_the_user_mix_the_draws(fits):
    alone = bc.model_uncertainty(fits, weights={"as drawn": 0, "reverse": 3, "add b to a": 0})
    table = alone.to_frame()
    columns = ["median", "low", "high"]
    mixed = alone.averaged.loc["a", columns]
    assert mixed.to_numpy() == pytest.approx(
        table.loc[("a", "reverse"), columns].to_numpy(dtype=float), rel=1e-2
    )
    half = bc.model_uncertainty(fits, weights={"as drawn": 1, "reverse": 1, "add b to a": 0})
    assert half.averaged.loc["a", "low"] < 0 < half.averaged.loc["a", "high"]
    assert sum(half.weights.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"as drawn": 1}, "one number for each graph"),
        ({"as drawn": -1, "reverse": 1, "add b to a": 1}, "zero or more"),
        ({"as drawn": 0, "reverse": 0, "add b to a": 0}, "some above"),
        ([1, 1, 1], "one number for each graph"),
    ],
)
def test_weights_that_are_none_are_refused(fits, weights, message):
    with pytest.raises(SpecError, match=message):
        bc.model_uncertainty(fits, weights=weights)


def test_fits_that_cannot_be_compared_are_refused(fits):
    with pytest.raises(SpecError, match="compares fits by the name"):
        bc.model_uncertainty({})
    with pytest.raises(SpecError, match="'x' is none"):
        bc.model_uncertainty({"x": fits["as drawn"].spec})
    with pytest.raises(SpecError, match="different data"):
        bc.model_uncertainty({"x": fits["as drawn"], "y": linear_fit(rows=40)})


@pytest.mark.slow
def test_admissible_graphs_are_fitted_and_compared(example, tmp_path):
    """The bundled world without demand -> tv: the graph that data ask for beside the one drawn."""
    text = "demand -> search, sales\ntv -> search, sales\nsocial, price, search -> sales"
    wrong = replace(example.spec, graph=bc.Graph.parse(text, outcome="sales"))
    tiers = {"calendar": ["demand"], "media": ["tv"], "mediators": ["search"], "KPI": ["sales"]}
    discovery = bc.discover(example.data, bc.Experts(wrong, tiers=tiers), resamples=0)
    specs = discovery.admissible_specs(wrong)
    assert {"as drawn", "add demand to tv"} <= {*specs}
    jobs = {name: (specs[name], example.data) for name in ("as drawn", "add demand to tv")}
    fits = bc.fit_many(jobs, tmp_path, seed=1, draws=200, tune=300, progress=False)
    table = bc.model_uncertainty(fits).to_frame()
    assert {*table.index.get_level_values("graph")} == {*jobs}
    # Sales adjusts for demand under both, so the graphs agree here: what is in doubt is no bias.
    medians = table.loc["tv", "median"]
    assert medians.iloc[0] == pytest.approx(medians.iloc[1], rel=0.1)
