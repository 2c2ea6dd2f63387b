"""What the cards of the report say: a pure function of grade, probability and tests."""

from itertools import product

import pytest

import bayescausal as bc
from bayescausal.identification.grades import Letter
from bayescausal.presentation.evidence_text import double_credit, proportional
from bayescausal.presentation.formatting import next_step, verdict, worth

TEST_FIRST = "Do not move money on this number: test it first."
UP = "next 1 spent very likely pays back (chance {}): "
DOWN = "next 1 spent very likely does not pay back (chance that it does: {}): "
OPEN = "hether the next 1 spent pays back is open (chance {}): a test of more spend would tell."
IF = "If the graph is right, "
STEPS = [
    ("A", 0.97, True, "The " + UP + "room to spend more."),
    ("C", 0.9, True, "The " + UP + "room to spend more."),
    ("E", 0.62, True, "W" + OPEN),
    ("E", 0.899, True, "W" + OPEN),
    ("E", 0.101, True, "W" + OPEN),
    ("D", 0.1, True, "The " + DOWN + "spend less."),
    ("E", 0.0, True, "The " + DOWN + "spend less."),
    ("B", 0.97, True, "The " + UP + "room to spend more."),
    ("B", 0.97, False, IF + "the " + UP + "test before moving much money."),
    ("F", 0.97, False, IF + "the " + UP + "test before moving much money."),
    ("F", 0.97, True, IF + "the " + UP + "test before moving much money."),
    ("F", 0.5, False, IF + "w" + OPEN),
    ("F", 0.04, False, IF + "the " + DOWN + "test before moving much money."),
    *((letter, p, some, TEST_FIRST) for letter in "GX" for p in (0, 0.5, 1) for some in (0, 1)),
]


@pytest.mark.parametrize(("letter", "p", "tested", "words"), STEPS)
def test_what_to_do_follows_from_grade_chance_and_tests(letter, p, tested, words):
    assert next_step(letter, p, f"{p:.0%}", tested=tested) == words.format(f"{p:.0%}")


@pytest.mark.parametrize(("letter", "p"), product("ABCDEF", (0.0, 0.5, 1.0)))
def test_a_test_that_the_model_contradicts_recommends_nothing(letter, p):
    words = next_step(letter, p, "?", tested=True, conflict=True)
    assert words == "Do not move money on this number: a test and the model disagree."


@pytest.mark.parametrize("letter", Letter)
def test_only_a_tested_effect_is_acted_on_at_once(letter):
    acts = {
        (tested, p)
        for tested in (False, True)
        for p in (0.0, 0.5, 1.0)
        if next_step(letter, p, "?", tested=tested).endswith(("spend more.", "spend less."))
    }
    assert acts == ({(True, 0.0), (True, 1.0)} if letter in "ABCDE" else set())


def test_terms_come_first():
    terms = ["at 1.00 a unit", "counting the spend that it causes elsewhere"]
    said = "At 1.00 a unit and counting the spend that it causes elsewhere, the next 1 spent"
    assert next_step("E", 0.95, "95%", tested=True, terms=terms).startswith(said)
    said = "At 1.00 a unit and if the graph is right, whether"
    assert next_step("F", 0.5, "50%", tested=False, terms=terms[:1]).startswith(said)
    assert next_step("X", 0.5, "50%", tested=False, terms=terms) == TEST_FIRST


@pytest.mark.parametrize("p", [0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0])
def test_without_a_price_the_verdict_does_not_speak_of_cost(p):
    assert "cost" in verdict(p)
    assert "cost" not in verdict(p, priced=False)
    assert verdict(p, priced=False).endswith("1 per 1 spent")
    assert verdict(p).split(" returned")[0] == verdict(p, priced=False).split(" returned")[0]


def test_the_worth_of_a_unit_warns_when_it_is_the_default():
    assert worth("sales", 1.0) == (
        "Counts one unit of sales as worth 1.00. If that is revenue, not margin, break-even lies "
        "above 1."
    )
    assert worth("sales", 12.5) == "Counts one unit of sales as worth 12.5."
    assert worth("sales", "margin") == (
        "Counts one unit of sales as worth what the column 'margin' says."
    )


def spec_of(text, responses=None, **settings):
    graph = bc.Graph.parse(text, outcome="sales")
    return bc.Spec(graph, responses or {}, treatments=("tv",), **settings)


CURVED = bc.Response(bc.GeometricAdstock(l_max=4), bc.HillSaturation())
STRAIGHT = bc.Response(bc.GeometricAdstock(l_max=4))
CHAIN = "tv -> search -> sales\nradio -> sales"
SHAPES = [
    (spec_of("tv -> sales"), True),
    (spec_of("tv -> sales", {"tv": STRAIGHT}), True),
    (spec_of("tv -> sales", {"tv": CURVED}), False),
    (spec_of(CHAIN), True),
    (spec_of(CHAIN, {"search": CURVED}, policy={"search": "reacts"}), False),
    (spec_of(CHAIN, {"radio": CURVED}), True),
    (spec_of(CHAIN, links={"sales": "log"}), False),
    (spec_of(CHAIN, links={"search": "log"}), False),
    (spec_of("tv -> sales", {"tv": bc.Response(bc.NoSaturation())}), True),
]


@pytest.mark.parametrize(("spec", "straight"), SHAPES)
def test_saturation_anywhere_on_the_way_is_found(spec, straight):
    assert proportional(spec, "tv", "sales") is straight


def test_contributions_are_said_to_overlap_only_where_they_do():
    apart = spec_of("tv -> sales <- radio <- price")
    assert double_credit(apart, ["radio", "tv"], ["sales"]) == ""
    chain = spec_of(CHAIN)
    assert "tv acts through search," in double_credit(chain, ["radio", "search", "tv"], ["sales"])
    assert double_credit(chain, ["radio", "tv"], ["sales"]) == ""  # search is no channel here
    log = spec_of("tv -> sales <- radio", links={"sales": "log"})
    assert double_credit(log, ["radio", "tv"], ["sales"]).endswith("causes of sales multiply.")
    assert double_credit(log, ["tv"], ["sales"]) == ""
