"""`discover`: what data ask of experts, and experts of data; no graph is rewritten."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from autocorrelated_worlds import remembering, weekly

import bayescausal as bc
from bayescausal.errors import DataError, SpecError
from bayescausal.validation import structure_search
from bayescausal.validation.data_faults import breaks, duplicated_periods
from bayescausal.validation.graph_check import adjusted
from bayescausal.validation.lagged_table import read_table

TEXT = "demand -> tv, sales\ntv, radio, price -> sales"
TIERS = {"calendar": ["demand"], "media": ["tv", "radio"], "KPI": ["sales"]}


def world(seed=0, n=156):
    """Demand moves tv and sales; tv carries over; price lowers sales."""
    rng = np.random.default_rng(seed)
    demand, radio = (remembering(rng, 0.5, n + 10) for _ in range(2))
    noise = rng.normal(size=n + 10)
    tv = 0.8 * demand + rng.normal(size=n + 10)
    price = 10 + rng.normal(size=n + 10)
    carried = tv + 0.5 * np.roll(tv, 1) + 0.25 * np.roll(tv, 2)
    sales = 100 + carried + demand + 0.8 * radio - (price - 10) + 0.8 * noise
    columns = {"demand": demand, "tv": tv, "radio": radio, "price": price, "sales": sales}
    return weekly({name: values[10:] for name, values in columns.items()})


def experts(text=TEXT, **claims):
    graph = bc.Graph.parse(text, outcome="sales")
    return bc.Experts(graph, **{"tiers": TIERS} | claims)


def asked(frame, claims, **settings):
    return bc.discover(frame, claims, **{"treatments": ["tv", "radio"], "resamples": 0} | settings)


def doubts(rows):
    return {(row.doubt.value, row.subject) for row in rows}


@pytest.fixture(scope="module")
def sound():
    """A right graph and sound data, with a short search."""
    claims = experts(
        signs={"tv -> sales": 1, "price -> sales": -1},
        required=["tv -> sales"],
        certainty={"tv -> sales": 0.95},
        latents=[("radio", "tv")],
    )
    return asked(world(), claims, resamples=8, seed=3)


# -- nothing to ask --------------------------------------------------------------------------------


def test_a_right_graph_and_sound_data_ask_nothing(sound):
    assert sound.rows == ()
    assert "That is no proof" in sound.sentence
    assert sound.to_frame().empty
    assert sound.tests[0] > 5
    assert sound.tests[1] > 10


def test_the_graph_is_the_experts_and_hidden_causes_they_name_are_offered(sound):
    assert sound.graph == bc.Graph.parse(TEXT, outcome="sales")
    graphs = sound.admissible_graphs()
    assert list(graphs) == ["as drawn", "hidden cause of radio and tv"]
    assert graphs["as drawn"] is sound.graph
    assert ("radio", "tv") in graphs["hidden cause of radio and tv"].bidirected


def test_frequencies_keep_to_the_tiers_and_repeat_with_the_seed(sound):
    table = sound.frequencies.set_index(["a", "b"])
    assert sound.resamples == 8
    assert table.loc[("demand", "tv"), "graph"] == "demand -> tv"
    assert table.loc[("demand", "tv"), "a -> b"] > 0.8
    later = [("sales", "tv"), ("radio", "sales"), ("demand", "sales")]
    assert table.loc[later[0], "a -> b"] == table.loc[later[1], "b -> a"] == 0
    assert table.loc[later[2], "b -> a"] == 0
    again = asked(world(), sound.experts, resamples=8, seed=3).frequencies
    pd.testing.assert_frame_equal(again, sound.frequencies)


def test_the_figure_shows_every_node(sound):
    figure = bc.plot_discovery(sound)
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {*sound.graph.nodes} <= words


# -- data question the experts ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def forgotten():
    """Demand moves tv, and the experts forgot it."""
    text = "demand, tv, radio, price -> sales"
    return asked(world(), experts(text, forbidden=["price -> tv"]), resamples=8)


def test_a_forgotten_confounder_is_listed_with_each_way_to_mend_the_graph(forgotten):
    assert doubts(forgotten.data_question_experts) == {
        ("missing edge or common cause", "demand _||_ tv")
    }
    assert forgotten.experts_question_data == ()
    (row,) = forgotten.data_question_experts
    assert row.p_adjusted < 0.05
    assert "demand -> tv in 100% of resamples" in row.seen
    assert "8 of 10" in row.power
    ways = [name for name, _ in row.graphs]
    assert ways == ["add demand to tv", "hidden cause of demand and tv"]  # tiers rule out the third
    assert bc.Edge("demand", "tv") in forgotten.admissible_graphs()["add demand to tv"].edges
    assert bc.Edge("demand", "tv") not in forgotten.graph.edges
    assert forgotten.row("demand _||_ tv") is row


def test_the_figure_shows_the_question(forgotten):
    colors = {patch.get_edgecolor() for patch in bc.plot_discovery(forgotten).axes[0].patches}
    assert len(colors) > 1


def test_a_forbidden_edge_that_is_there_is_listed():
    claims = experts("demand -> tv, sales\ntv, radio -> sales\nprice", forbidden="price -> sales")
    result = asked(world(), claims)
    assert ("forbidden edge is seen", "price") in {
        (row.doubt.value, row.subject.split(" _||_ ")[0]) for row in result.data_question_experts
    }
    assert "add price to sales" in result.admissible_graphs()


def test_time_turns_an_edge_around():
    """Visits follow tv with carry-over; experts have it the other way round."""
    rng = np.random.default_rng(1)
    tv, noise = remembering(rng, 0.5, 158), rng.normal(size=156)
    frame = weekly({"tv": tv[2:], "visits": tv[2:] + tv[1:-1] + 0.5 * tv[:-2] + noise})
    text = "visits -> tv"
    result = asked(frame, bc.Graph.parse(text, outcome="tv"), treatments=[])
    assert doubts(result.data_question_experts) == {("reversed edge", "visits -> tv")}
    assert result.experts_question_data == ()
    ways = {name: graph.to_text() for name, graph in result.admissible_graphs().items()}
    assert "tv -> visits" in ways["reverse visits to tv"]
    assert "tv -> visits @ 1" in ways["add tv to visits at lag 1"]
    tiers = {"mediators": ["visits"], "KPI": ["tv"]}
    known = bc.Experts(bc.Graph.parse(text, outcome="tv"), tiers=tiers)  # so the dates are in doubt
    told = asked(frame, known, treatments=[])
    assert doubts(told.experts_question_data) == {("reversed in time", "visits -> tv")}
    assert told.data_question_experts == ()


def test_a_recorded_cause_that_is_no_node_is_listed():
    result = asked(world(), experts("tv, radio, price -> sales", tiers={}))
    assert ("left-out column", "demand") in doubts(result.data_question_experts)
    assert "add demand to tv and sales" in result.admissible_graphs()


# -- experts question the data ---------------------------------------------------------------------


def test_a_shifted_column_is_listed_with_its_shift():
    frame = world()
    late = frame.assign(tv=frame["tv"].shift(2)).iloc[2:]
    rows = asked(late, experts()).experts_question_data
    assert ("misaligned dates", "tv -> sales") in doubts(rows)
    row = next(r for r in rows if r.doubt == bc.Doubt.MISALIGNED and r.subject == "tv -> sales")
    assert "2 periods before" in row.seen


def test_an_effect_later_than_experts_say_is_misaligned():
    frame = world()
    early = frame.assign(radio=frame["radio"].shift(-3)).iloc[:-3]
    key = ("misaligned dates", "radio -> sales")
    assert key not in doubts(asked(early, experts()).experts_question_data)
    stated = experts(lags={"radio -> sales": (0, 1)})
    assert key in doubts(asked(early, stated).experts_question_data)


def test_a_sign_that_is_wrong_is_listed():
    claims = experts(signs={"price -> sales": 1, "tv -> sales": 1})
    assert ("wrong sign", "price -> sales") in doubts(asked(world(), claims).experts_question_data)


def test_an_edge_that_experts_are_sure_of_is_asked_for_when_power_does_not_show_it():
    frame = world().assign(radio=remembering(np.random.default_rng(10), 0.5, 156))
    key = ("certain edge is not seen", "radio -> sales")
    sure = experts(required=["radio -> sales"], certainty=0.95)
    row = next(r for r in asked(frame, sure).rows if (r.doubt.value, r.subject) == key)
    assert row.certainty == 0.95
    assert np.isnan(row.p_value)
    unsure = experts(required=["radio -> sales"])
    assert key not in doubts(asked(frame, unsure).rows)


def test_constants_and_copies_and_units_are_listed():
    frame = world()
    frame["radio"] = 5.0
    frame.iloc[71] = frame.iloc[70]
    frame.loc[frame.index[100:], "price"] *= 1000
    rows = asked(frame, experts()).experts_question_data
    assert {
        ("zero variance", "radio"),
        ("duplicated periods", "all columns"),
        ("change of unit", "price"),
    } <= doubts(rows)
    unit = next(row for row in rows if row.subject == "price")
    assert str(frame.index[100].date()) in unit.seen
    assert "1,000" in unit.seen


def series(values):
    return read_table(weekly({"x": values, "y": np.random.default_rng(1).normal(size=156)}), "xy")


@pytest.mark.parametrize("phi", [0.0, 0.8])
def test_a_level_shift_is_found_where_memory_is_allowed_for(phi):
    graph = bc.Graph.parse("x -> y")
    calm = 10 + 0.05 * remembering(np.random.default_rng(4), phi, 156)
    raised = calm * np.where(np.arange(156) >= 90, 1.4, 1.0)
    (before, after) = (
        next(c for c in breaks(series(x), graph) if c.objection.subject == "x")
        for x in (calm, raised)
    )
    assert before.p_values[0] > 0.01
    assert after.p_values[0] < 0.001
    assert after.objection.doubt == bc.Doubt.LEVEL_SHIFT
    assert str(series(raised).time[90].date()) in after.objection.seen


def test_columns_of_few_values_may_repeat_by_chance():
    rng = np.random.default_rng(2)
    flags = weekly({"a": rng.integers(0, 2, 156), "b": rng.integers(0, 3, 156)})
    assert list(duplicated_periods(read_table(flags, "ab"))) == []


# -- panels, small data, constants: no invented p-value --------------------------------------------


def test_units_of_a_panel_are_pooled():
    frames = [world(seed, 104).assign(geo=f"market {seed}") for seed in range(3)]
    frames[1].iloc[50, :5] = frames[1].iloc[49, :5]
    frame = pd.concat(frames).rename_axis("week").reset_index()
    data = bc.Dataset.from_frame(frame, time="week", unit="geo", spend=[])
    result = bc.discover(data, experts(), treatments=["tv"], resamples=2)
    assert result.data_question_experts == ()
    assert doubts(result.experts_question_data) == {("duplicated periods", "market 1")}
    assert len(result.frequencies) == 10


def test_too_few_rows_have_no_p_value_and_say_so():
    result = asked(world(n=24), experts(), resamples=4)
    assert result.frequencies.empty
    assert any("No structure search" in note for note in result.notes)
    assert any("could not be tested" in note for note in result.notes)
    assert all(np.isnan(row.p_value) or row.p_value > 0 for row in result.rows)


def test_adjustment_of_nothing_is_nothing():
    assert adjusted([], "holm") == []


# -- the search: what causal-learn does ------------------------------------------------------------


def test_tiers_hide_a_common_cause_from_fci():
    """Why FCI runs without tiers: with them it directs the edge that a hidden cause makes."""
    rng = np.random.default_rng(0)
    u, z, w = rng.normal(size=(3, 2000))
    tv, sales = z + u + 0.5 * rng.normal(size=2000), w + u + 0.5 * rng.normal(size=2000)
    panel = np.stack([z, w, tv, sales], axis=-1)[None]
    panel -= panel.mean(axis=1)
    names = ["z", "w", "tv", "sales"]
    marks = structure_search.bridge.run_fci(panel, 1, names, 0.01)
    assert marks[2, 3] == marks[3, 2] == 1
    graph = bc.Graph.parse("z -> tv -> sales <- w", outcome="sales")
    tiers = {"calendar": ["z", "w"], "media": ["tv"], "KPI": ["sales"]}
    knowledge = structure_search.bridge.knowledge_of(bc.Experts(graph, tiers=tiers), names)
    told = structure_search.bridge.run_fci(panel, 1, names, 0.01, knowledge)
    assert told[2, 3] == 1
    assert told[3, 2] == -1


def test_without_causal_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(structure_search, "bridge", None)
    with pytest.raises(SpecError, match=r"bayescausal\[discovery\].*resamples=0"):
        asked(world(), experts(), resamples=4)


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resamples": -1}, "resamples is a whole number"),
        ({"level": 5}, "Write 0.05"),
        ({"seed": -1}, "seed is a whole number"),
        ({"tiers": {}}, "has no argument 'tiers'"),
    ],
)
def test_arguments_out_of_range_are_refused(settings, message):
    with pytest.raises(SpecError, match=message):
        asked(world(), experts(), **settings)


def test_what_is_neither_graph_nor_experts_is_refused():
    with pytest.raises(SpecError, match="takes Experts, a Graph or a Spec"):
        bc.discover(world(), "tv -> sales")


def test_a_node_without_a_column_is_refused():
    with pytest.raises(DataError, match="no such column"):
        asked(world().drop(columns="radio"), experts())


def test_a_question_that_was_not_raised_is_named(forgotten):
    with pytest.raises(SpecError, match="demand _\\|\\|_ tv"):
        forgotten.row("tv _||_ radio")


# -- decisions -------------------------------------------------------------------------------------


def test_a_decision_is_logged_in_the_spec_and_changes_no_equation(forgotten):
    spec = bc.Spec(forgotten.graph, treatments=("tv", "radio"))
    (row,) = forgotten.data_question_experts
    decision = row.decide("graph changed", "Anna", "budgets follow the season", "2026-11-29")
    assert decision.seen == row.seen
    specs = forgotten.admissible_specs(spec)
    chosen = replace(specs["add demand to tv"], decisions=(decision,))
    assert bc.Spec.from_yaml(chosen.to_yaml()) == chosen
    assert chosen.modelled == replace(chosen, decisions=()).modelled
    assert "decisions" not in spec.to_dict()
