"""The decision on the first screen and the sections behind it, against the queries they show."""

import warnings

import numpy as np
import pytest
from allocation_worlds import HILL, media_fit, panel_fit, table
from presentation_cases import converged, quick, unconverged, weekly

import bayescausal as bc
from bayescausal.errors import NotConverged
from bayescausal.presentation.decision_section import decision_sections
from bayescausal.presentation.formatting import chance, number, share, standing


def sections(fit, prob=0.9):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        return decision_sections(fit, prob)


def shown(cell):
    return f"{cell['median']} [{cell['interval']}]"


def wanted(line, write=number):
    return f"{write(line['median'])} [{write(line['low'])} to {write(line['high'])}]"


@pytest.fixture(scope="module")
def of_example(example_fit):
    return sections(example_fit)


def test_parts_of_sales_are_those_of_the_decomposition(of_example, example_fit):
    draws = bc.decomposition(example_fit, channels=["tv", "social", "search"], total=True)
    lines = bc.summarize(draws)
    (origin,) = of_example["origins"]
    rows = {row["name"]: row for row in origin["rows"]}
    observed = float(example_fit.data.array("sales").sum())
    for name in (
        "level",
        "search",
        "social",
        "tv direct",
        "tv via search",
        "interaction",
        "residual",
    ):
        assert shown(rows[name]["amount"]) == wanted(lines.loc[name])
        part = bc.summarize(draws.sel(component=name) / observed).iloc[0]
        assert shown(rows[name]["share"]) == wanted(part, share)
        if letter := lines.loc[name, "grade"]:
            assert rows[name]["standing"] == standing(letter)
    assert rows["interaction"]["kind"] == "interaction"
    assert (
        origin["why_interaction"] == "tv acts through search, which is credited with that part too."
    )
    assert origin["even"] == "trend, yearly, demand and price"
    assert not {"trend", "demand"} & {*rows}
    media = draws.isel(component=np.isin(draws["kind"], ["channel", "interaction"])).sum(
        "component"
    )
    assert shown(rows["all channels together"]["amount"]) == wanted(bc.summarize(media).iloc[0])


def test_what_to_spend_is_the_table_of_measures(of_example, example_fit):
    best = bc.optimize(example_fit)
    lines = bc.summarize(bc.business_measures(example_fit, window=best.plan.window))
    rows = {row["channel"]: row for row in of_example["spending"]["rows"]}
    assert {*rows} == {"tv", "social", "search"}
    for name, row in rows.items():
        for measure in ("contribution", "roas", "mroas"):
            assert shown(row[measure]) == wanted(lines.loc[(name, measure)])
        for measure in ("share", "spend_share"):
            assert shown(row[measure]) == wanted(lines.loc[(name, measure)], share)
        assert row["roas"]["standing"] == standing(lines.loc[(name, "roas"), "grade"])
    assert rows["search"]["curve"].startswith("straight line, by assumption")
    assert rows["social"]["curve"].startswith("bending: the next 1 brings ")


def test_what_to_change_is_the_optimum(of_example, example_fit):
    best, change = bc.optimize(example_fit), of_example["change"]
    gain = bc.summarize(best.gain).iloc[0]
    assert change["gain"]["median"] == number(gain["median"])
    assert change["gain"]["interval"] == f"{number(gain['low'])} to {number(gain['high'])}"
    assert change["gain"]["chance"] == chance(best.p_gain, int(np.prod(example_fit.shape)))
    rows = {row["channel"]: row for row in change["rows"]}
    for name, line in best.table.iterrows():
        assert rows[name]["now"] == number(line["present"])
        assert rows[name]["then"] == number(line["optimum"])
        assert rows[name]["standing"] == standing(line["grade"])
    assert best.p_gain < 0.75
    assert of_example["lead"]["action"].startswith("Leave the split of the budget as it is")
    assert "Not moved: search (it follows other channels)." in of_example["lead"]["evidence"]


def better_on_a():
    """Draws in which ``a`` brings more at the margin than the others, in all of them."""
    return media_fit(strengths={"a->sales": np.linspace(2.0, 3.0, 40)}, response=HILL)


def test_a_move_that_is_surely_better_is_said_with_its_chance_and_condition():
    fit = better_on_a()
    best, page = bc.optimize(fit), sections(fit)
    assert best.p_gain > 0.9
    action = page["lead"]["action"]
    moved = float((best.table["optimum"] - best.table["present"]).clip(lower=0).sum())
    assert action.startswith(f"If the graph is right, move {number(moved)} from ")
    assert " to a" in action
    assert "with a test before much money moves" in action
    assert (
        f"the chance that it brings more at all is {chance(best.p_gain, 40)}"
        in (page["lead"]["evidence"])
    )
    assert standing("F") in page["lead"]["evidence"]


def test_what_is_not_identified_is_held_and_named_and_nothing_is_claimed_of_the_whole():
    page = sections(media_fit(text="a, b, c -> sales\na <-> sales"))
    assert "Not moved: a (not identified)." in page["lead"]["evidence"]
    assert any(
        line.startswith("a: its effect is not identified.") for line in page["change"]["stays"]
    )
    rows = {row["channel"]: row for row in page["change"]["rows"]}
    assert rows["a"]["change"] == "held"
    assert rows["a"]["now"] == rows["a"]["then"]
    assert page["lead"]["origins"] == [
        "How much of sales a, b and c made is not known: not all of it is identified."
    ]
    (origin,) = page["origins"]
    assert {r["name"]: r["amount"]["unknown"] for r in origin["rows"]}["a"]


def test_one_channel_leaves_nothing_to_shift():
    page = sections(media_fit(("a",)))
    assert page["lead"]["action"] == "There is no budget to shift between channels."
    assert "Only a can move, and the total is kept." in page["lead"]["evidence"]
    assert page["spending"]["rows"][0]["channel"] == "a"
    assert page["lead"]["origins"][0].startswith("a made ")


def test_without_spend_there_is_no_plan_and_the_parts_are_there():
    data = bc.Dataset.from_frame(weekly(), time="week")
    fit = quick(bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",)), data)
    page = sections(converged(fit))
    for name in ("spending", "change"):
        assert page[name]["why"] == "No channel has spend, so there is no budget to plan."
    assert page["lead"]["action"] == "No change of spend is recommended."
    assert [row["name"] for row in page["origins"][0]["rows"]][-2:] == ["tv", "residual"]


def test_several_outcomes_have_their_parts_and_no_plan():
    graph = bc.Graph.parse("tv -> sales, visits", outcome=["sales", "visits"])
    data = bc.Dataset.from_frame(weekly(), time="week", spend=["tv"])
    page = sections(converged(quick(bc.Spec(graph, treatments=("tv",)), data)))
    assert [origin["outcome"] for origin in page["origins"]] == ["sales", "visits"]
    assert "ask optimize for one by name" in page["change"]["why"]
    assert len(page["lead"]["origins"]) == 2


def test_under_a_log_link_the_parts_sum_to_the_data():
    fit = media_fit(link="log", response=HILL, strengths={f"{c}->sales": 0.2 for c in "abc"})
    page = sections(fit)
    (origin,) = page["origins"]
    rows = {row["name"]: row for row in origin["rows"]}
    assert origin["log"]
    assert "channels x errors" in rows
    sizes = [row["amount"]["size"] for row in rows.values() if not row["total"]]
    assert len(bc.optimize(fit).table) == len(page["change"]["rows"])
    assert sum(sizes) == pytest.approx(float(fit.data.array("sales").sum()), rel=1e-9)


def test_a_panel_is_counted_over_its_units():
    fit = panel_fit()
    page = sections(fit)
    (origin,) = page["origins"]
    assert origin["observed"] == number(float(fit.data.array("sales").sum()))
    best = bc.optimize(fit)
    spent = fit.data.table["a_cost"].sel(time=slice(*best.plan.window)).sum()
    rows = {row["channel"]: row for row in page["spending"]["rows"]}
    assert rows["a"]["spend"]["median"] == number(float(spent))
    assert {row["channel"]: row["now"] for row in page["change"]["rows"]}["a"] == number(
        float(spent)
    )


def test_a_fit_that_has_not_converged_recommends_nothing():
    fit = better_on_a()
    state = sections(unconverged(fit))
    assert state["lead"]["action"] == "Nothing is recommended yet: the fit has not converged."
    assert "rows" not in state["change"]


def test_a_channel_that_did_not_run_in_the_window_has_no_return_and_stays():
    fit = media_fit()
    frame, spend = table("abc")
    frame.loc[frame.index[5:], ["a", "a_cost"]] = 0.0
    data = bc.Dataset.from_frame(frame, time="week", spend=spend)
    page = sections(bc.Fit(fit.spec, data, fit.tree))
    rows = {row["channel"]: row for row in page["spending"]["rows"]}
    assert rows["a"]["curve"] == "no spend in this window"
    assert "a (no spend)" in page["lead"]["evidence"]
