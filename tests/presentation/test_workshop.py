"""The workshop: questions that follow from the graph; `identify` confirms what would follow."""

import os
import re
import subprocess
import sys

import pytest

from bayescausal.errors import GraphError
from bayescausal.experiments.estimand import incremental
from bayescausal.graphs.graph import Graph
from bayescausal.identification.verdicts import identify
from bayescausal.presentation.workshop import workshop

TEXT = """
demand -> tv, sales
price -> sales
rain -> radio
tv -> search -> sales
tv -> sales
radio -> sales
radio <-> sales
"""
GRAPH = Graph.parse(TEXT, outcome="sales")
STATUS = {
    "identified by adjustment": "backdoor",
    "identified by the front door": "frontdoor",
    "identified by simulating all equations together": "id",
    "identified edge by edge, if causes add up": "additive",
    "identified only under linearity": "instrument",
    "not identified": "not identified",
}


@pytest.fixture(scope="module")
def asked():
    return workshop(GRAPH, ["tv", "radio"])


def part(page, title):
    """The questions of a section: a list of (question, lines below it)."""
    body = page.split(f"## {title}\n", 1)[1].split("\n## ")[0]
    items = re.split(r"\n(?=\d+\. )", body)[1:]
    return [(item.split("\n")[0].split(". ", 1)[1], item.split("\n")[1:]) for item in items]


def question(page, title, words):
    """The lines below the one question that holds some words."""
    found = [lines for text, lines in part(page, title) if words in text]
    assert len(found) == 1, words
    return "\n".join(found[0])


TV, RADIO = "Effect of `tv` on `sales`", "Effect of `radio` on `sales`"


def test_every_question_has_a_line_for_its_answer(asked):
    for title in (TV, RADIO, "Treatments together"):
        questions = part(asked, title)
        assert questions
        assert all("Answer: ____" in lines[0] for _, lines in questions)


def test_it_asks_why_spend_was_high(asked):
    told = question(asked, TV, "Why was `tv` high in the periods when it was high?")
    assert "`sales -> tv @ 1`" in told
    assert "`search -> tv @ 1`" in told
    assert "`price -> tv`" in told
    assert "a season, a holiday, a planner's rule" in told
    assert "The graph says: `demand`." in asked
    assert "`demand -> tv`" not in told  # that arrow is there


def test_it_asks_of_every_open_path(asked):
    for treatment, title in (("tv", TV), ("radio", RADIO)):
        paths = identify(GRAPH, treatment).open_paths
        assert paths
        for path in paths:
            assert "delete it from the graph" in question(
                asked, title, f"Is the path `{path}` real"
            )
    demand = question(asked, TV, "Is the path `tv <- demand -> sales` real")
    assert "`latent: demand`" in demand
    assert "It is closed by adjusting for demand." in asked
    assert "It is open; the instrument goes around it." in asked


def test_it_asks_of_every_missing_common_cause_and_says_what_it_would_do(asked):
    words = "Does anything unobserved move both `{}` and `{}`? The graph says no."
    total = question(asked, TV, words.format("tv", "sales"))
    assert "write `sales <-> tv`: the total effect would be not identified" in total
    split = question(asked, TV, words.format("search", "sales"))
    assert "the direct and indirect parts would be not identified" in split
    assert "the total effect" not in split
    assert question(asked, TV, words.format("tv", "search"))
    there = question(asked, RADIO, "something unobserved moves both `radio` and `sales`")
    assert "Run a lift test on radio" in there


def test_it_asks_what_else_moves_a_mediator(asked):
    told = question(asked, TV, "What else moves `search`? The graph says: `tv`.")
    assert "`demand -> search`" in told
    assert "`price -> search`" in told


def test_it_asks_for_a_missing_arrow_around_the_mediators():
    page = workshop(Graph.parse("tv -> search -> sales\ntv <-> sales", outcome="sales"), "tv")
    told = question(page, TV, "in a way other than through `search`?")
    assert "write `tv -> sales`: the total effect would be not identified" in told


def test_it_asks_whether_an_instrument_is_one(asked):
    told = question(asked, RADIO, "`rain` can serve as an instrument only if")
    assert "write `rain -> sales` or `rain <-> sales`: the total effect would be not" in told
    assert "instrument only if" not in "".join(text for text, _ in part(asked, TV))


def test_it_asks_of_the_lag_of_every_edge_on_the_way():
    page = workshop(Graph.parse("tv -> search -> sales\ntv -> sales @ 2", outcome="sales"), "tv")
    assert "`tv -> search @ 1` in its place" in question(page, TV, "`tv -> search`: can it act")
    lagged = question(page, TV, "`tv -> sales @ 2`: is there really no effect before 2 periods")
    assert "write `tv -> sales` in its place" in lagged


def test_it_asks_of_treatments_that_are_planned_together():
    text = "demand -> tv, radio -> sales\nsocial -> sales\ndemand -> sales"
    page = workshop(Graph.parse(text, outcome="sales"), ["tv", "radio", "social"])
    assert "plan a test" in question(page, "Treatments together", "both follow `demand`")
    apart = question(page, "Treatments together", "nothing ties these plans together")
    assert "`radio <-> social`" in apart
    assert "`social <-> tv`" in apart
    assert "`radio <-> tv`" not in apart


def claims(page):
    """Every added line of a graph with the verdict on the total effect that is printed for it."""
    for line in page.splitlines():
        match = re.search(r"write (`.*`): (.*)\.$", line)
        if match and "in its place" not in line:
            total = re.search(r"total effect would be ([a-z ]+?)(?: and the direct|$)", match[2])
            for added in re.findall(r"`([^`]+)`", match[1]):
                yield added, STATUS[total[1]] if total else None


@pytest.mark.parametrize("treatment", ["tv", "radio"])
def test_what_an_answer_would_do_is_what_identify_says_of_the_changed_graph(treatment):
    now = identify(GRAPH, treatment).status
    checked = 0
    for added, status in claims(workshop(GRAPH, treatment)):
        changed = Graph.parse(TEXT + added, outcome="sales")
        assert identify(changed, incremental(treatment)).status == (status or now), added
        checked += 1
    assert checked >= 7


def test_names_are_shown_as_they_are_and_never_as_markup():
    text = '"a*b*c" -> "_m_" -> "s`x`"\n"[z](u)" -> "a*b*c", "s`x`"'
    page = workshop(Graph.parse(text, outcome="s`x`"), "a*b*c")
    span = r"(?<!`)(`+)(?!`) ?(.*?) ?(?<!`)\1(?!`)"
    bare = re.sub(r"_{40}|\\.", "", re.sub(span, "", page))  # without code, blanks and escapes
    assert not re.search(r"[*_`\[\]<>]", bare)
    shown = [found[1] for found in re.findall(span, page)]
    assert {"a*b*c", "_m_", "s`x`", "[z](u)"} <= {*shown}
    added = [line for line in shown if line.startswith('"') and "->" in line]
    assert len(added) > 6
    for line in added:
        Graph.parse(f"{text}\n{line}")


def test_several_outcomes_are_asked_of_each():
    graph = Graph.parse("tv -> sales, visits", outcome=["sales", "visits"])
    page = workshop(graph, "tv")
    assert "## Effect of `tv` on `sales`" in page
    assert "## Effect of `tv` on `visits`" in page


def test_a_treatment_that_is_none_is_an_error():
    with pytest.raises(GraphError, match="Did you mean 'radio'"):
        workshop(GRAPH, "raddio")
    with pytest.raises(GraphError, match="no directed path"):
        workshop(Graph.parse("tv -> sales\nsales -> stock", outcome="sales"), "stock")
    with pytest.raises(GraphError, match="none was given"):
        workshop(GRAPH, [])
    with pytest.raises(GraphError, match="One outcome is needed"):
        workshop(Graph.parse("tv -> sales"), "tv")


def test_more_paths_than_a_page_holds_are_counted():
    middle = "\n".join(f"u{k} -> tv, sales" for k in range(20))
    page = workshop(Graph.parse(f"tv -> sales\n{middle}", outcome="sales"), "tv")
    assert "8 longer open paths are not asked about here" in page


@pytest.mark.slow
def test_the_questions_do_not_depend_on_the_hash_seed():
    program = (
        "from bayescausal.presentation.workshop import workshop\n"
        "from bayescausal.graphs.graph import Graph\n"
        f"print(workshop(Graph.parse({TEXT!r}, outcome='sales'), {{'tv', 'radio'}}))"
    )
    pages = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(pages) == 1
