"""The bridge to DoWhy, and the frequentist second opinion beside the posterior."""

import warnings
from functools import partial

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescausal.data.dataset import Dataset
from bayescausal.errors import DataError, GraphError, SpecError
from bayescausal.experiments.estimand import Estimand, Plus, Times, incremental, steady_state
from bayescausal.graphs.graph import Graph
from bayescausal.specs.adstock import GeometricAdstock
from bayescausal.validation.lagged_table import read_table, unroll_lags
from bayescausal.validation.linear_design import design_of, moments
from bayescausal.validation.linear_estimators import METHODS, plans
from bayescausal.validation.second_opinion import compare, second_opinion

N = 3000
FUNNEL = "season -> tv, sales\ntv -> search -> sales\ntv -> sales"
BOW = "tv -> sales\ntv <-> sales"
MORE = Estimand(active={"tv": Plus(1.0)}, scale="mean")
"""One more unit in every period, per period: the coefficient."""


def funnel(rows=N, seed=0, direct=0.5):
    """Direct effect `direct`, indirect 0.6 * 0.8, confounded by season."""
    season, *noise = np.random.default_rng(seed).normal(size=(4, rows))
    data = pd.DataFrame({"season": season, "tv": 5 + 0.9 * season + noise[0]})
    data["search"] = 2 + 0.6 * data["tv"] + noise[1]
    data["sales"] = 50 + direct * data["tv"] + 0.8 * data["search"] + 0.7 * season + noise[2]
    return data


def confounded(rows=N, seed=1, strength=1.0):
    """Effect 2, an unobserved cause of both, an instrument, and a mediator that carries it all."""
    price, hidden, *noise = np.random.default_rng(seed).normal(size=(5, rows))
    data = pd.DataFrame({"price": 3 + price, "tv": strength * price + hidden + noise[0]})
    data["visits"] = data["tv"] + noise[1]
    data["sales"] = 10 + 2 * data["visits"] - 3 * hidden + noise[2]
    return data


def opinion(data, text, question=MORE, outcome="sales", seed=0, **settings):
    graph = Graph.parse(text, outcome=outcome)
    return second_opinion(data, graph, question, seed=seed, **settings)


def standard_error(found, z=1.645):
    return (found.high - found.low) / (2 * z)


def panel(units, rows=60, seed=2):
    """Effect 2; a constant of each unit drives both spend and sales."""
    rng = np.random.default_rng(seed)
    level = rng.normal(size=units) * 5
    frames = []
    for k in range(units):
        tv = 20 + level[k] + rng.normal(size=rows)
        sales = 2 * tv + 10 * level[k] + rng.normal(size=rows)
        week = pd.date_range("2024-01-01", periods=rows, freq="7D")
        frames.append(pd.DataFrame({"week": week, "geo": f"g{k}", "tv": tv, "sales": sales}))
    return Dataset.from_frame(pd.concat(frames), time="week", unit="geo", spend=["tv"])


def dated(data):
    index = pd.date_range("2024-01-01", periods=len(data), freq="7D", name="week")
    return data.set_index(index)


# Known worlds: within four standard errors of the truth


def test_backdoor_regression_finds_the_total_effect():
    found = opinion(funnel(), FUNNEL)
    assert found.method == "backdoor regression"
    assert found.adjustment == ("season",)
    assert abs(found.effect - 0.98) < 4 * standard_error(found)
    assert standard_error(found) == pytest.approx(1.28 / N**0.5, rel=0.2)  # sd 1.28 given tv
    assert found.p_value < 0.01
    assert "season closes every backdoor path" in found.identification


def test_mediation_splits_the_effect():
    found = opinion(funnel(), FUNNEL, method="two-stage mediation")
    for name, truth in (("direct", 0.5), ("indirect", 0.48)):
        part = found.parts[name]
        assert abs(part.effect - truth) < 4 * standard_error(part)
        assert part.low < part.effect < part.high
    assert found.via == "search"
    assert found.effect == pytest.approx(sum(part.effect for part in found.parts.values()))
    assert found.effect == pytest.approx(opinion(funnel(), FUNNEL).effect)


def test_an_instrument_is_used_when_nothing_can_be_adjusted_for():
    found = opinion(confounded(), "price -> " + BOW)
    assert (found.method, found.via, found.adjustment) == ("instrument", "price", ())
    assert abs(found.effect - 2) < 4 * standard_error(found)
    biased = np.polyfit(confounded()["tv"], confounded()["sales"], 1)[0]
    assert abs(biased - 2) > 10 * standard_error(found)
    assert any("strong" in note for note in found.notes)


def test_a_conditional_instrument_is_conditioned_on():
    rng = np.random.default_rng(3)
    data = confounded()
    season = rng.normal(size=N)
    data["price"] += season
    data["tv"] += season
    data["sales"] += 2 * season + 5 * season
    data["season"] = season
    text = "season -> price, sales\nprice -> " + BOW
    found = opinion(data, text)
    assert (found.via, found.adjustment) == ("price", ("season",))
    assert abs(found.effect - 2) < 4 * standard_error(found)


def test_the_front_door_finds_an_effect_that_no_set_does():
    found = opinion(confounded(), "tv -> visits -> sales\ntv <-> sales")
    assert (found.method, found.via, found.parts) == ("two-stage front-door", "visits", {})
    assert abs(found.effect - 2) < 4 * standard_error(found)


def test_a_weak_instrument_is_called_weak():
    found = opinion(confounded(200, strength=0.02), "price -> " + BOW)
    assert any("weak" in note for note in found.notes)


# Our numbers against DoWhy's and against plain least squares


CASES = {
    "regression": (funnel(150), FUNNEL, "backdoor regression"),
    "mediation": (funnel(150), FUNNEL, "two-stage mediation"),
    "instrument": (confounded(150), "price -> " + BOW, "instrument"),
    "front door": (confounded(150), "tv -> visits -> sales\ntv <-> sales", "two-stage front-door"),
    "front door given price": (
        confounded(150),
        "price -> tv, visits, sales\ntv -> visits -> sales\ntv <-> sales",
        "two-stage front-door",
    ),
    "lags": (funnel(150), "season -> tv, sales\ntv -> sales\ntv -> sales @ 2", "auto"),
    "panel": (panel(9), "tv -> sales", "auto"),
    "few units": (panel(3), "tv -> sales", "auto"),
}


@pytest.mark.parametrize("case", CASES)
def test_our_refits_are_dowhy_s_estimator(case):
    data, text, method = CASES[case]
    graph, question = Graph.parse(text, outcome="sales"), incremental("tv", outcome="sales")
    found = second_opinion(data, graph, question, method=method, bootstrap=40, seed=0)
    slices = unroll_lags(graph)
    plan = plans(graph, question, method, lagged=slices.depth > 0)[0]
    design = design_of(read_table(data, graph.observed), slices, plan)
    whole = moments(design.columns).sum(axis=0)
    ours = design.effects(partial(design.solve, whole), [1.0] * len(design.treatments))
    assert found.per_unit == pytest.approx(float(ours["total"]), rel=1e-8, abs=1e-8)
    for name, part in found.parts.items():
        assert part.effect / found.change == pytest.approx(float(ours[name]), rel=1e-8)


def least_squares(y, *columns):
    design = np.column_stack([np.ones(len(y)), *columns])
    return np.linalg.lstsq(design, np.asarray(y), rcond=None)[0][1:]


def test_controls_are_always_adjusted_for():
    data = funnel(150)
    time = np.arange(150.0)
    data["sales"] += 0.05 * time
    controls = pd.DataFrame({"trend": time, "wave": np.sin(time / 8)})
    found = opinion(data, FUNNEL, controls=controls)
    plain = least_squares(data["sales"], data["tv"], data["season"], *controls.to_numpy().T)
    assert found.per_unit == pytest.approx(plain[0], rel=1e-8)
    assert not any("trend" in line for line in found.assumptions)
    assert any("no trend" in line for line in opinion(data, FUNNEL).assumptions)


def test_lagged_columns_are_summed_and_adjusted_for():
    data = funnel(150)
    text = "season -> tv, sales\ntv -> sales\ntv -> sales @ 1"
    found = opinion(data, text, incremental("tv"))
    now, before = data.iloc[1:], data.iloc[:-1]
    slopes = least_squares(now["sales"], now["tv"], before["tv"], now["season"], before["season"])
    assert found.per_unit == pytest.approx(slopes[0] + slopes[1], rel=1e-8)
    tv = data["tv"].to_numpy()
    expected = slopes[0] * tv.sum() + slopes[1] * tv[:-1].sum()
    assert found.effect == pytest.approx(expected, rel=1e-8)
    assert found.n == 149


@pytest.mark.parametrize("units", [3, 9])
def test_units_get_fixed_effects(units):
    data = panel(units)
    found = opinion(data, "tv -> sales")
    x, y = data.array("tv"), data.array("sales")
    within = [a - a.mean(axis=1, keepdims=True) for a in (x, y)]
    assert found.effect == pytest.approx((within[0] * within[1]).sum() / (within[0] ** 2).sum())
    assert abs(found.effect - 2) < 4 * standard_error(found)
    pooled = np.polyfit(x.ravel(), y.ravel(), 1)[0]
    assert pooled > 4
    assert (found.block == 0) == (units >= 8)


def test_whole_units_are_resampled_unless_a_block_is_given():
    assert opinion(panel(9), "tv -> sales").block == 0
    assert opinion(panel(9), "tv -> sales", block=5).block == 5


def test_names_that_the_module_uses_itself_are_free_for_nodes():
    data = funnel(80).rename(columns={"season": "constant", "search": "unit 1"})
    text = "constant -> tv, sales\ntv -> 'unit 1' -> sales\ntv -> sales".replace("'", '"')
    plain = opinion(funnel(80), FUNNEL)
    assert opinion(data, text).interval == plain.interval


def test_levels_and_units_of_measure_do_not_matter():
    data = funnel(80)
    plain, scaled = opinion(data, FUNNEL), data.copy()
    scaled["tv"] = data["tv"] * 1e-6
    scaled["sales"] = 1e9 + data["sales"] * 1e3
    assert opinion(scaled, FUNNEL).interval == pytest.approx(np.array(plain.interval) * 1e9)


# What the estimand asks


def test_the_effect_is_the_coefficient_times_the_change():
    data = dated(funnel(100))
    march = ("2024-03-04", "2024-03-25")
    for question, change in [
        (incremental("tv"), data["tv"].sum()),
        (incremental("tv", scale="mean"), data["tv"].mean()),
        (incremental("tv").during(*march), data.loc[march[0] : march[1], "tv"].sum()),
        (incremental("tv").reversed(), -data["tv"].sum()),
        (Estimand(active={"tv": Times(1.1)}), 0.1 * data["tv"].sum()),
        (Estimand(active={"tv": 3.0}, control={"tv": 1.0}), 200.0),
        (Estimand(active={"tv": data["tv"].to_numpy() + np.arange(100)}), np.arange(100).sum()),
    ]:
        found = opinion(data, FUNNEL, question)
        assert found.change == pytest.approx(change)
        assert found.effect == pytest.approx(found.per_unit * change)
        assert found.low < found.effect < found.high


def test_units_of_the_estimand_are_counted():
    data = panel(3)
    found = opinion(data, "tv -> sales", incremental("tv").within("g1"))
    assert found.change == pytest.approx(data.array("tv")[1].sum())


def test_a_known_carry_over_is_taken_as_given():
    rng = np.random.default_rng(4)
    tv = rng.exponential(size=N) * (rng.random(N) < 0.4)
    carry = GeometricAdstock(l_max=6)

    def exposure(x):
        return carry.apply(np, x, {"alpha": np.array(0.6)})

    data = dated(pd.DataFrame({"tv": tv, "sales": 3 * exposure(tv) + rng.normal(size=N)}))
    window = incremental("tv").during("2024-01-01", "2024-01-01")
    blind, seeing = (
        opinion(data, "tv -> sales", window, exposure=given) for given in (None, exposure)
    )
    assert abs(seeing.per_unit - 3) < 4 * standard_error(seeing) / abs(seeing.change)
    assert blind.per_unit < 2
    assert seeing.change == pytest.approx(tv[0])  # all of it comes in the end
    cut = opinion(
        data,
        "tv -> sales",
        Estimand(control={"tv": 0.0}, window=window.window, carryover=False),
        exposure=exposure,
    )
    assert cut.change == pytest.approx(exposure(tv)[0])
    tail = opinion(
        data,
        "tv -> sales",
        Estimand(control={"tv": 0.0}, window=window.window, carryover=2),
        exposure=exposure,
    )
    assert tail.change == pytest.approx(
        tv[0] * carry.weights(np, {"alpha": np.array(0.6)})[:3].sum()
    )
    assert any("taken" in line or "given for tv" in line for line in seeing.assumptions)


# Intervals


def test_results_depend_on_the_seed_and_on_nothing_else():
    first, again, other = (opinion(funnel(100), FUNNEL, seed=seed) for seed in (1, 1, 2))
    assert str(first) == str(again)
    assert first.effect == other.effect
    assert first.interval != other.interval


def test_a_p_value_agrees_with_its_interval():
    outside = []
    for seed in range(12):
        found = opinion(funnel(60, seed, direct=-0.2), FUNNEL, seed=seed)
        if abs(found.p_value - 0.1) > 0.01:  # nearer, the quantile lies between two resamples
            outside.append(not found.low <= 0 <= found.high)
            assert outside[-1] == (found.p_value < 0.1)
    assert len(outside) > 6
    assert 0 < sum(outside) < len(outside)


def test_few_blocks_are_pointed_out():
    assert any("too narrow" in note for note in opinion(funnel(60), FUNNEL, block=6).notes)
    assert any("9 units" in note for note in opinion(panel(9), "tv -> sales").notes)
    assert opinion(funnel(600), FUNNEL).notes == ()


def test_blocks_widen_with_autocorrelation_and_by_request():
    rng = np.random.default_rng(5)
    paths = rng.normal(size=(2, 400))
    for t in range(1, 400):
        paths[:, t] += 0.9 * paths[:, t - 1]
    data = pd.DataFrame({"tv": paths[0], "sales": paths[1]})
    blocks, rows = (opinion(data, "tv -> sales", block=block) for block in (None, 1))
    assert blocks.block > 400 ** (1 / 3)
    assert standard_error(blocks) > 1.5 * standard_error(rows)


def test_resamples_without_an_answer_are_counted():
    data = funnel(60)
    data["tv"] = 0.0
    data.loc[10:12, "tv"] = [1.0, 2.0, 1.5]
    found = opinion(data, "tv -> sales", block=3)
    assert any("of 400 resamples are left out" in note for note in found.notes)


# Side by side


def draws(center, spread=1.0, **attrs):
    values = center + spread * np.random.default_rng(6).normal(size=(4, 500))
    return xr.DataArray(values, dims=("chain", "draw"), attrs=attrs)


def test_agreement_is_mutual_and_disagreement_is_shown():
    found = opinion(funnel(), FUNNEL)
    half = (found.high - found.low) / 2
    for center, spread, verdict in [
        (found.effect, half / 1.645, "agree"),
        (found.effect + 1.5 * half, half / 1.645, "tension"),
        (found.effect + 5 * half, half / 1.645, "disagree"),
        (found.effect + 3 * half, 10 * half, "tension"),  # in theirs, and not they in ours
    ]:
        table = compare(found, draws(center, spread))
        assert table.attrs["agree"] == verdict
        assert list(table.index) == ["Bayesian", "frequentist"]
        assert table.loc["frequentist"].tolist() == [found.effect, found.low, found.high]
        assert table.loc["Bayesian", "estimate"] == pytest.approx(center, abs=0.1 * spread)
        assert ("no carry-over" in table.attrs["sentence"]) == (verdict != "agree")


@pytest.mark.parametrize(
    ("given", "settings", "words"),
    [
        (draws(0).isel(chain=0), {}, "chain, draw"),
        (np.zeros((4, 500)), {}, "ndarray"),
        (draws(0), {"prob": 0.5}, r"second_opinion\(..., prob=0.5\)"),
        (draws(0, estimand=repr(incremental("radio"))), {}, "same question"),
    ],
)
def test_only_the_same_question_is_compared(given, settings, words):
    with pytest.raises(SpecError, match=words):
        compare(opinion(funnel(60), FUNNEL), given, **settings)


def test_draws_that_leave_the_outcome_to_the_graph_are_the_same_question():
    found = opinion(funnel(60), FUNNEL, incremental("tv"))
    for question in (incremental("tv"), incremental("tv", outcome="sales")):
        assert compare(found, draws(0, estimand=repr(question))).shape == (2, 3)


# Bad input


def test_a_column_of_a_latent_node_changes_nothing():
    data = confounded(100)
    text = "u -> tv, sales\nprice -> tv -> sales\nlatent: u"
    with_column = data.assign(u=np.random.default_rng(7).normal(size=100))
    assert opinion(with_column, text) == opinion(data, text)


def test_a_latent_instrument_is_marked_in_what_dowhy_says():
    data = funnel(60)
    found = opinion(data, "rate -> tv\nseason -> tv, sales\ntv -> sales\nlatent: rate")
    assert "rate (latent, so of no use)" in found.identification


SHORT = funnel(60)


@pytest.mark.parametrize(
    ("text", "question", "data", "settings", "error", "words"),
    [
        (BOW, MORE, SHORT, {}, GraphError, "not identified.*lift test"),
        (FUNNEL, MORE, SHORT, {"method": "instrument"}, GraphError, "but by backdoor regression"),
        (FUNNEL, incremental("tvv"), SHORT, {}, GraphError, "Did you mean"),
        (FUNNEL, MORE.on("season"), SHORT, {}, GraphError, "zero"),
        ("tv -> sales\nsales -> tv @ 1", MORE, SHORT, {}, GraphError, "close a cycle"),
        (
            "tv -> a, b\na, b -> sales",
            MORE,
            SHORT.assign(a=SHORT["search"], b=SHORT["season"]),
            {"method": "two-stage mediation"},
            GraphError,
            "several mediators: a, b",
        ),
        (
            FUNNEL,
            MORE,
            SHORT,
            {"method": "two-stage mediation", "mediator": "serach"},
            GraphError,
            "Did you mean 'search'",
        ),
        (FUNNEL, incremental(["tv", "season"]), SHORT, {}, SpecError, "one treatment at a time"),
        (FUNNEL, incremental("tv->search"), SHORT, {}, SpecError, "two-stage mediation"),
        (FUNNEL, incremental("tv", scale="per_spend"), SHORT, {}, SpecError, "scale='total'"),
        (FUNNEL, incremental("tv", scale="percent"), SHORT, {}, SpecError, "scale='total'"),
        (FUNNEL, steady_state("tv", 1, 1), SHORT, {}, SpecError, "no rows of the data show"),
        (FUNNEL, MORE, SHORT, {"method": "instrumnt"}, SpecError, "Did you mean 'instrument'"),
        (FUNNEL, MORE, SHORT, {"prob": 1.5}, SpecError, "between 0 and 1"),
        (FUNNEL, MORE, SHORT, {"bootstrap": 10}, SpecError, "40 are the least"),
        (FUNNEL, MORE, SHORT, {"block": 0}, SpecError, "1 or more"),
        (FUNNEL, MORE, SHORT.head(11), {}, DataError, "too few for 3"),
        (FUNNEL, MORE, SHORT.drop(columns="tv"), {}, DataError, "no such column"),
        (FUNNEL, MORE, SHORT.assign(tv=1.0), {}, DataError, "'tv' is constant"),
        (FUNNEL, MORE, SHORT.assign(season=2 * SHORT["tv"]), {}, DataError, "cannot be told apart"),
        (FUNNEL, MORE.during("2024", "2025"), SHORT, {}, DataError, "no dates"),
        (FUNNEL, MORE.during("2034", "2035"), dated(SHORT), {}, DataError, "no period"),
        (FUNNEL, MORE.within("north"), SHORT, {}, DataError, "data are national"),
        (FUNNEL, Estimand(active={"tv": Times(1)}), SHORT, {}, DataError, "changes nothing"),
        (FUNNEL, Estimand(active={"tv": [1.0, 2.0]}), SHORT, {}, DataError, "shape of the data"),
        (FUNNEL, MORE, SHORT, {"exposure": np.sum}, DataError, "finite values in its shape"),
        (FUNNEL, MORE, SHORT, {"exposure": SHORT["tv"]}, DataError, "a function of the treatment"),
        (FUNNEL, MORE, SHORT, {"controls": SHORT.head(3)}, DataError, "60 of them; got 3"),
        (FUNNEL, MORE, SHORT, {"controls": SHORT[["tv"]]}, DataError, "name of a node"),
    ],
)
def test_bad_input_is_answered_with_advice(text, question, data, settings, error, words):
    with pytest.raises(error, match=words):
        opinion(data, text, question, **settings)


# Manners


def test_dowhy_is_quiet_and_other_warnings_are_not_touched(caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opinion(funnel(60), FUNNEL, method="two-stage mediation")
    assert not caplog.records


def test_the_page_says_what_it_rests_on():
    text = str(opinion(funnel(60), FUNNEL, incremental("tv"), method="two-stage mediation"))
    for words in ("via search", "adjusting for season", "direct:", "blocks of", "Assumed: linear"):
        assert words in text


def test_every_method_is_reached_by_some_world():
    reached = {opinion(data, text, method=method).method for data, text, method in CASES.values()}
    assert reached == set(METHODS)
    assert nx.is_directed_acyclic_graph(unroll_lags(Graph.parse(CASES["lags"][1])).dag)
