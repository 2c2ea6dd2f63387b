"""Grades: what moves them, and what each obliges a report to say."""

import re
from dataclasses import replace

import pytest

from bayescausal.experiments.estimand import Estimand, Times, incremental, steady_state
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.graph import Graph
from bayescausal.identification.grades import ADDITIVE, GRADES, Letter
from bayescausal.identification.ladder import grade, weaker
from bayescausal.identification.verdicts import identify

SPRING = ("2025-03-03", "2025-03-30")
TV = incremental("tv")
CLEAR = Graph.parse("demand -> tv, sales\ntv -> sales", outcome="sales")
BOW = Graph.parse("tv -> sales\ntv <-> sales", outcome="sales")
FUNNEL = Graph.parse("tv -> search -> sales\ntv -> sales\nsearch <-> sales", outcome="sales")


def lift(estimand=TV, design="geo-rct", **settings):
    return Experiment(estimand.during(*SPRING), 10, 1, design, **settings)


def letter(graph, estimand, *tests, **learned):
    return grade(identify(graph, estimand, tests), tests, **learned).letter


@pytest.mark.parametrize(
    ("design", "expected"),
    [
        ("geo-rct", "A"),
        ("user-rct", "A"),
        ("switchback", "A"),
        ("instrument", "B"),
        ("did", "C"),
        ("synthetic-control", "C"),
        ("regression-discontinuity", "D"),
        ("prior-belief", "F"),
    ],
)
def test_a_test_in_scope_gives_the_grade_of_its_design(design, expected):
    assert letter(CLEAR, TV.during(*SPRING), lift(design=design)) == expected
    if design == "prior-belief":
        assert letter(BOW, TV.during(*SPRING), lift(design=design)) == "X"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (TV.during(*SPRING), "A"),
        (TV.during("2025-03-10", "2025-03-16"), "E"),  # a week of it: the model splits the sum
        (replace(TV, carryover=False).during(*SPRING), "E"),
        (TV.during("2025-03-10", "2025-04-16"), "E"),
        (TV, "E"),
        (TV.during(*SPRING).within("north"), "E"),
        (Estimand({"tv": Times(1.1)}).during(*SPRING), "E"),  # another change of spend
    ],
)
def test_outside_what_was_tested_the_model_extrapolates(asked, expected):
    found = grade(identify(BOW, asked, [lift()]), [lift()])
    assert found.letter == expected
    assert found.extrapolated == (expected == "E")


def test_a_test_in_another_market_is_extrapolated_to_this_one():
    there = steady_state("tv", at=100, by=20)
    here = Estimand(there.active, there.control)
    found = grade(identify(BOW, here.during(*SPRING), [lift(there)]), [lift(there)])
    assert found.letter == "E"
    assert found.extrapolated
    assert letter(BOW, here.during(*SPRING), lift(here)) == "A"


def test_units_that_were_not_tested_are_extrapolated():
    north = lift(TV.within("north"))
    assert letter(BOW, TV.during(*SPRING).within("north"), north) == "A"
    assert letter(BOW, TV.during(*SPRING).within("south"), north) == "E"
    assert letter(BOW, TV.during(*SPRING), north) == "E"


def test_a_test_of_another_channel_lifts_nothing():
    graph = Graph.parse("tv, social -> sales\ntv <-> sales", outcome="sales")
    other = lift(incremental("social"))
    assert letter(graph, TV, other) == "X"
    assert letter(graph, incremental("social"), other) == "E"


def test_channels_together_rest_on_the_tests_of_each():
    graph = Graph.parse("tv, social -> sales", outcome="sales")
    both = incremental(("tv", "social"))
    each = [lift(name="a"), lift(incremental("social"), "did", name="b")]
    found = grade(identify(graph, both, each), each)
    assert (found.letter, found.extrapolated) == ("E", True)
    assert found.source == "'b', 'a', and the model beyond"
    assert letter(graph, both, each[0]) == "F"  # social was not tested
    assert letter(graph, both.during(*SPRING), lift(both)) == "A"
    against = grade(identify(graph, both, each), each, z={"b": 3.0})
    assert against.conflict


def test_data_that_barely_move_the_prior_lower_a_grade():
    assert letter(CLEAR, TV, contraction=0.5) == "F"
    low = grade(identify(CLEAR, TV), contraction=0.04)
    assert low.letter == "G"
    assert low.reasons == ("the data narrow the prior by 4% only",)


def test_a_contradicted_test_caps_the_grade_and_is_named():
    spring = lift()
    asked = TV.during(*SPRING)
    found = grade(identify(CLEAR, asked, [spring]), [spring], z={spring.name: -2.6})
    assert found.letter == "E"
    assert found.conflict
    assert spring.name in str(found)
    calm = grade(identify(CLEAR, asked, [spring]), [spring], z={spring.name: -1.6})
    assert calm.letter == "A"
    assert not calm.conflict


def test_an_instrument_is_as_good_as_its_first_stage():
    graph = Graph.parse("price -> tv -> sales\ntv <-> sales", outcome="sales")
    assert letter(graph, TV) == "B"
    assert letter(graph, TV, first_stage=25.0) == "B"
    assert letter(graph, TV, first_stage=4.0) == "G"


def test_a_part_takes_the_weakest_edge_on_its_paths():
    found = identify(FUNNEL, TV)
    assert [grade(found, part=p).letter for p in ("total", "direct", "indirect")] == list("FXX")
    tests = [lift(incremental("search"))]
    found = identify(FUNNEL, TV, tests)
    assert [grade(found, tests, part=p).letter for p in ("direct", "indirect")] == ["E", "E"]


def test_a_part_without_a_path_is_zero_by_the_graph_and_not_a_doubt():
    part = grade(identify(CLEAR, TV), part="indirect")
    assert part.letter == "F"
    assert "zero by the graph" in part.source


def test_a_direct_effect_that_is_all_there_is_has_the_tests_of_the_total():
    spring = lift()
    asked = TV.during(*SPRING)
    found = identify(BOW, asked, [spring])
    assert grade(found, [spring], part="direct").letter == "A"
    mediated = identify(FUNNEL, asked, [spring])
    assert grade(mediated, [spring], part="direct").letter == "X"


def test_a_number_that_additivity_identifies_says_so():
    found = identify(Graph.parse("a -> sales <- d <-> b -> a\nb <-> sales", outcome="sales"), "d")
    number = grade(found)
    assert (number.letter, number.status) == ("F", "additive")
    assert number.statements == (*GRADES["F"].statements, ADDITIVE)
    assert grade(found, contraction=0.0).statements == (*GRADES["G"].statements, ADDITIVE)
    assert grade(identify(CLEAR, TV)).statements == GRADES["F"].statements
    indirect = grade(
        identify(Graph.parse("tv -> a -> sales\ntv -> sales"), TV.on("sales")), part="indirect"
    )
    assert (indirect.status, indirect.letter) == ("additive", "F")


def test_the_table_is_complete_and_has_its_sources():
    assert [*GRADES] == [*Letter] == sorted(Letter)
    for rung in GRADES.values():
        assert rung.title
        assert rung.condition
        assert rung.source
        assert all(said.endswith(".") for said in rung.statements)
    assert weaker("A", "X", "F") == "X"
    assert identify(BOW, TV).grade == "X"
    assert grade(identify(BOW, TV)).statements == GRADES["X"].statements


def test_grades_promise_nothing_that_is_not_done():
    """Statements are sentences that hold, not headings of what somebody else should fill in."""
    for rung in GRADES.values():
        assert "rejected" not in rung.condition  # implications are listed and not tested
        for said in rung.statements:
            assert not re.match(r"(When|Whether|Which|What|The fit|The bandwidth)\b", said), said
