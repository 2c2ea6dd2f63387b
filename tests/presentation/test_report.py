"""The report: its numbers are those of the queries, it needs nothing else, and it is honest."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from presentation_cases import converged, quick, weekly, with_tests

import bayescausal as bc
from bayescausal.errors import BayesCausalError, NotConverged
from bayescausal.identification.ladder import GRADES
from bayescausal.inference.evidence import Evidence
from bayescausal.presentation.evidence_text import described, judge
from bayescausal.presentation.formatting import chance, next_step, number, share, standing, verdict

BAD_TITLE = "<script>alert(1)</script> & Söhne"
BAD_NAME = "<script>alert('x')"
VOID = {"meta", "img", "br", "hr", "link", "input", "path", "rect", "polygon", "ellipse"}


class Page(HTMLParser):
    """Tags with their attributes, the text, and whether every tag is closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.words, self.tables = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.words.append(data)
        if {"th", "td"} & {*self.open}:
            self.tables[-1][-1][-1] += data if self.open[-1] != "span" else f" [{data}]"

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def table(self, *columns):
        """The table whose head has these columns, by the first cell of each row."""
        for rows in self.tables:
            if {*columns} <= {*rows[0]}:
                return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}
        raise AssertionError(f"no table with {columns}")


def numbers(table):
    """A summary without its text columns."""
    return table.select_dtypes("number")


def shown(line, write=number):
    """A cell of a table: median and interval."""
    return f"{write(line['median'])} [{write(line['low'])} to {write(line['high'])}]"


def rendered(fit, folder, **settings):
    return bc.report(fit, folder / "report.html", **settings).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def html(example_report):
    return example_report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


@pytest.fixture(scope="module")
def edited(panel_of_three, tmp_path_factory):
    """A report with 50% intervals, a hostile title and a hostile name of a test."""
    test = bc.Experiment(bc.incremental("tv"), 500, 100, "geo-rct", name=BAD_NAME)
    fit = with_tests(panel_of_three, test)
    with pytest.warns(NotConverged):
        return rendered(fit, tmp_path_factory.mktemp("edited"), prob=0.5, title=BAD_TITLE)


def test_every_tag_is_closed_in_its_order(page):
    assert page.open == []


def test_it_loads_nothing_and_runs_nothing(html, page):
    assert {*re.findall(r"https?://[^\s\"'<>]*", html)} == {"http://www.w3.org/2000/svg"}
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "form", "base"}
    for tag, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on")], (tag, attrs)
        assert attrs.get("src", "data:").startswith("data:")
        assert attrs.get("href", "#").startswith("#")
    assert "@import" not in html
    assert "url(" not in html


def test_pictures_load_nothing_either(page):
    for tag, attrs in page.tags:
        if tag == "img" and "svg" in attrs["src"][:30]:
            svg = base64.b64decode(attrs["src"].split(",")[1]).decode()
            assert "<script" not in svg
            links = re.findall(r"(?:href|src)=\"([^\"]*)\"", svg)
            assert all(link.startswith("#") for link in links)


def test_it_stays_small(html):
    assert len(html.encode()) < 3_000_000


def test_returns_are_those_of_the_queries(page, example_fit):
    rows = page.table("Spend", "ROAS")
    own, marginal = bc.summarize(bc.roas(example_fit)), bc.summarize(bc.mroas(example_fit))
    induced = bc.summarize(bc.roas(example_fit, spend="induced"))
    above = bc.summarize(bc.roas(example_fit) - 1)["p_positive"]
    draws = int(np.prod(example_fit.shape))
    assert {*rows} == {"tv", "social", "search"}
    for channel, row in rows.items():
        assert row["ROAS"] == shown(own.loc[channel])
        assert row["mROAS (next unit)"] == shown(marginal.loc[channel])
        assert row["P(ROAS > 1)"] == chance(above[channel], draws)
        spent = example_fit.data.spend_of(channel).sum()
        assert row["Spend"] == number(spent)
    assert rows["tv"]["ROAS, induced spend counted"] == shown(induced.loc["tv"])
    assert rows["social"]["ROAS, induced spend counted"] == "same"


def test_effects_are_those_of_the_queries(page, example_fit):
    rows = page.table("Contribution (total effect)", "Direct")
    sales = example_fit.data.array("sales").sum()
    for channel in ("tv", "social", "search"):
        table = bc.summarize(bc.decompose(example_fit, bc.incremental(channel)))
        row = rows[channel]
        assert row["Contribution (total effect)"] == shown(table.loc["total"])
        assert row["Share of sales"] == shown(numbers(table).loc["total"] / sales, share)
        assert row["Direct"] == shown(table.loc["direct"])
        mediated = channel == "tv"
        assert row["Indirect"] == (shown(table.loc["indirect"]) if mediated else "none")


@pytest.mark.filterwarnings("ignore:NOT CONVERGED")
def test_another_probability_changes_the_intervals_and_says_so(page, panel_of_three, edited):
    other = Page(edited)
    own = bc.summarize(bc.roas(panel_of_three), 0.5)
    assert other.table("Spend", "ROAS")["tv"]["ROAS"] == shown(own.loc["tv"])
    assert "Intervals are 50% credible intervals" in other.text
    assert "Intervals are 90% credible intervals" in page.text


def test_headlines_come_first_with_interval_and_chance(page, example_fit):
    first = page.text[: page.text.index("What the numbers rest on The graph")]
    own = bc.summarize(bc.roas(example_fit))
    for channel, line in own.iterrows():
        words = f"{channel} {standing(line['grade'])} {number(line['median'])} "
        words += "returned per 1 spent (ROAS), 90% interval "
        assert words + f"{number(line['low'])} to {number(line['high'])}" in first
    assert "tv almost certainly returned more than 1 per 1 spent" in first
    assert "it cost" not in first  # a unit of sales has no price yet
    assert "effects are causal only if the graph is right" in first
    assert str(example_fit.convergence) in first
    order = list(own["median"].sort_values(ascending=False).index)
    assert (
        sorted(order, key=lambda c: first.index(f" {c} {standing(own.loc[c, 'grade'])}")) == order
    )


def test_the_decision_stands_before_everything_that_it_rests_on(page):
    said = "What to do Leave the split of the budget as it is: no other is clearly better."
    headings = ["Where sales came from Every part", "What to spend Each channel"]
    headings += ["What to change Leave the split", "What the numbers rest on The graph"]
    places = [page.text.index(words) for words in (said, "tv Grade E", *headings)]
    assert places == sorted(places)
    rows = page.table("Part", "Kind")
    assert rows["interaction"]["Rests on"] == standing("F")
    assert {*page.table("Brought", "Where on the curve")} == {"tv", "social", "search"}
    assert {*page.table("Now", "Best in single draws")} == {"tv", "social"}


def steps(page):
    """How many cards say what to do."""
    return sum(tag == "p" and attrs.get("class") == "step" for tag, attrs in page.tags)


def test_the_first_screen_says_what_a_unit_is_worth(page, panel_of_three, tmp_path):
    said = "Counts one unit of sales as worth 1.00. If that is revenue, not margin, break-even"
    assert page.text.index(said) < page.text.index("returned per 1 spent (ROAS)")
    priced = replace(panel_of_three, data=replace(panel_of_three.data, value=0.4))
    other = Page(rendered(converged(priced), tmp_path))
    first = other.text[: other.text.index("What the numbers rest on The graph")]
    assert "Counts one unit of sales as worth 0.40." in first
    assert "break-even" not in first
    assert "a unit and if the graph" not in first
    assert re.search(r"tv [a-z ]+ returned [a-z ]+ it cost: the chance that ROAS is above 1", first)


def test_each_card_says_what_follows_for_the_next_unit(page, example_fit):
    """The next unit pays back when it returns more than all the spend that it moves."""
    draws = int(np.prod(example_fit.shape))
    above = bc.summarize(bc.mroas(example_fit, spend="induced") - 1)["p_positive"]
    letters = bc.summarize(bc.mroas(example_fit))["grade"]
    assert steps(page) == 3
    for channel, more in (("tv", ["counting the spend that it causes elsewhere"]), ("social", [])):
        terms = ["at 1.00 a unit", *more]
        p = above[channel]
        words = next_step(letters[channel], p, chance(p, draws), tested=True, terms=terms)
        assert words in page.text
    p = above["search"]
    words = next_step("F", p, chance(p, draws), tested=False, terms=["at 1.00 a unit"])
    assert letters["search"] == "F"
    assert words in page.text


def test_a_card_says_how_much_lies_below_what_was_seen(page, example_fit):
    shares = example_fit.evidence.learned["extrapolated_share"]
    for channel in ("search", "social", "tv"):
        words = f"{shares[channel]:.0%} of it lies below the lowest exposure that was seen"
        assert (words in page.text) == (shares[channel] >= 0.2)
    assert shares["tv"] == 0.0 < 0.2 < shares["social"] < 0.5 < shares["search"]


def test_a_return_that_cannot_saturate_says_so(page, example_fit):
    lines = bc.summarize(bc.mroas(example_fit))
    for channel, straight in (("search", True), ("social", False), ("tv", False)):
        line = lines.loc[channel]
        end = "; assumes no saturation)." if straight else ")."
        ends = f"({number(line['low'])} to {number(line['high'])}{end}"
        assert f"The next 1 spent returns {number(line['median'])} {ends}" in page.text


def test_the_weight_of_a_number_follows_its_grade(html, page):
    cards = re.findall(r"<li( class=\"\w+\")?>\s*<h3>(\w+)</h3>", html)
    assert {name: kind.strip() for kind, name in cards} == {
        "search": 'class="quiet"',
        "social": "",
        "tv": "",
    }


def test_double_credit_is_said_where_there_is_any(page, sure_report):
    said = "Contributions do not add up: tv acts through search, which is credited"
    assert page.text.count(said) == 2
    other = Page(sure_report.read_text(encoding="utf-8"))
    assert "add up" not in other.text


def test_a_lift_test_stands_beside_the_model_for_the_same_estimand(page, example_fit):
    rows = page.table("Test", "Design")
    assert {*rows} == {"tv_winter", "social_autumn"}
    found = bc.diagnose(example_fit).experiments
    for test in example_fit.spec.experiments:
        row, line = rows[test.name], bc.summarize(bc.effect(example_fit, test.estimand)).iloc[0]
        assert row["Observed lift ± se"] == f"{number(test.lift)} ± {number(test.std_error)}"
        assert row["Model, same estimand"] == shown(line)
        assert row["z"] == f"{found.loc[test.name, 'z']:+.1f}"


def section(page, start, end):
    """The text between a heading and the next."""
    after = page.text[page.text.index(start) :]
    return after[: after.index(end)]


def test_it_says_what_every_number_rests_on(page, example_fit):
    tv = section(page, "tv: Grade E", "What the grades mean")
    found = bc.identify(example_fit.spec.graph, "tv", example_fit.spec.experiments)
    assert "Identified: adjust for demand." in tv
    for line in found.assumptions:
        assert line in tv
    for path in found.paths:
        drawn = str(path).replace("<-", "←").replace("->", "→")
        assert f"Backdoor path {drawn} : {path.words}: closed by adjusting for demand." in tv
    assert "To adjust for: demand." in tv
    assert "Never to adjust for: search, a mediator" in tv
    assert "Direct part and part through search: the data can tell them apart." in tv
    assert "Experiments: tv_winter (geo-rct)." in tv
    assert "Why was tv high in the weeks when it was high?" in tv
    search = section(page, "search: Grade F", "social: Grade E")
    assert "Experiments: none." in search
    assert "No backdoor path is open" in section(page, "social: Grade E", "tv: Grade E")


def test_it_says_which_channels_have_an_experiment_and_how_nodes_are_treated(page):
    assert page.text.count("Channels with an experiment: social and tv .") == 2
    assert "Channels without one: search ;" in page.text
    assert "has not been assessed" not in page.text
    assert "Conditioned on, at their observed values: demand, price, social and tv" in page.text
    assert "Mediators, which react: search" in page.text
    assert (
        "7 claims of the graph could be contradicted by data: demand and price are unrelated"
        in (page.text)
    )


def test_how_strong_a_hidden_driver_would_have_to_be_stands_with_its_channel(page, example_fit):
    sentences = bc.diagnose(example_fit).hidden_drivers.sentences
    assert {*sentences} == {"tv", "social", "search"}
    for words in sentences.values():
        assert page.text.count(words) == 1
    assert "not computed" not in page.text


def test_what_a_grade_obliges_to_say_stands_once(page, example_fit):
    rows = page.table("Grade", "Given when")
    assert {*rows} == {standing("E"), standing("F")}
    for letter in "EF":
        rung = GRADES[letter]
        for statement in rung.statements:
            assert statement in rows[standing(letter)]["To be said with it"]
        assert page.text.count(rung.statements[0]) == 1
        assert rung.source in page.text


def test_every_effect_and_return_has_its_grade(page, example_fit):
    effects, returns = page.table("Contribution (total effect)"), page.table("Spend", "ROAS")
    for channel in ("tv", "social", "search"):
        letter = bc.summarize(bc.effect(example_fit, bc.incremental(channel)))["grade"].iloc[0]
        assert effects[channel]["Rests on"].startswith(standing(letter))
        letter = bc.summarize(bc.roas(example_fit)).loc[channel, "grade"]
        assert returns[channel]["Rests on"].startswith(standing(letter))
    assert effects["tv"]["Rests on"].endswith(f"Indirect: {standing('F')}")


@pytest.fixture(scope="module")
def weak_page(confounded, tmp_path_factory):
    """The report of a fit that says it has converged: nothing but the label warns."""
    return Page(rendered(converged(confounded), tmp_path_factory.mktemp("weak")))


def test_a_number_that_is_not_identified_is_labeled_wherever_it_stands(weak_page, confounded):
    first = weak_page.text[: weak_page.text.index("What the numbers rest on The graph")]
    median = number(bc.summarize(bc.roas(converged(confounded))).loc["visits", "median"])
    assert f"visits {standing('X')} {median} returned per 1 spent" in first
    assert "Do not use this number. The priors set it, not the data." in first
    assert "An unobserved cause moves both visits and sales." in first
    assert "No robustness value. No set of measured nodes is enough" in weak_page.text
    assert "What would settle it: Observe what moves both sales and visits." in first
    assert "Run a lift test on visits" in first
    tile = first[first.index(f"visits {standing('X')}") :]
    assert "returned more than it cost" not in tile
    assert "The next 1 spent" not in tile
    assert f"tv {standing('F')}" in first
    rows = weak_page.table("Contribution (total effect)")
    cells = ["Contribution (total effect)", "Share of sales", "Direct"]
    for column in cells:
        assert rows["visits"][column].endswith("not identified")
    assert rows["visits"]["Rests on"] == standing("X")
    assert not rows["tv"]["Contribution (total effect)"].endswith("not identified")
    assert rows["tv"]["Direct"].endswith("not identified")
    assert rows["tv"]["Indirect"].endswith("not identified")
    assert rows["tv"]["Rests on"].startswith(standing("F"))
    assert standing("X") in rows["tv"]["Rests on"]
    returns = weak_page.table("Spend", "ROAS")
    assert returns["visits"]["ROAS"].endswith("not identified")
    assert not returns["tv"]["ROAS"].endswith("not identified")


def test_a_label_is_more_than_a_color(weak_page):
    tiles = [a for tag, a in weak_page.tags if tag == "li" and a.get("class") == "weak"]
    assert len(tiles) == 1  # dashed, and the words of the test above
    assert weak_page.open == []


def test_an_open_path_and_what_settles_it_are_in_words(weak_page):
    visits = section(weak_page, f"visits: {standing('X')}", "What the grades mean")
    said = "Backdoor path visits ↔ sales : an unobserved cause moves both visits and sales"
    assert f"{said}: open." in visits
    assert "visits ← tv → sales : tv moves both visits and sales: open; adjusting could" in visits
    assert "No set of measured nodes is enough to adjust for." in visits
    tv = section(weak_page, f"tv: {standing('F')}", f"visits: {standing('X')}")
    assert "not identified: the data cannot tell them apart" in tv
    assert "For the split, run a lift test on visits." in tv
    assert {*weak_page.table("Grade", "Given when")} == {standing("F"), standing("X")}


def test_a_plan_that_is_held_shows_the_path_that_it_opens():
    graph = bc.Graph.parse("tv -> radio -> sales\ntv -> sales\nradio <-> sales", outcome="sales")
    spec = bc.Spec(graph, treatments=("tv", "radio"), policy={"radio": "held"})
    row = described(*judge(Evidence(spec), "tv", "sales"), spec)
    assert row["paths"] == [("radio ↔ sales", "open")]
    free = bc.Spec(graph, treatments=("tv", "radio"), policy={"radio": "reacts"})
    row = described(*judge(Evidence(free), "tv", "sales"), free)
    assert row["paths"] == []
    assert row["no_paths"] == "No backdoor path is open, by the graph."


@pytest.mark.filterwarnings("ignore:NOT CONVERGED")
def test_contraction_says_nothing_of_what_is_not_identified(page, tmp_path):
    graph = bc.Graph.parse("tv, visits -> sales\ntv <-> sales", outcome="sales")
    data = bc.Dataset.from_frame(weekly(), time="week", spend=["tv", "visits"])
    fit = quick(bc.Spec(graph, treatments=("tv", "visits")), data)
    bow = Page(rendered(converged(fit), tmp_path))
    rows = bow.table("Contraction", "R-hat")
    assert fit.grades["tv"].letter == "X"
    assert rows["tv"]["Contraction"] == "–"
    assert rows["visits"]["Contraction"] != "–"
    note = (
        "narrow along the ridge of what fits equally well, and that says nothing about the effect"
    )
    assert note in bow.text
    assert note not in page.text
    card = bow.text[bow.text.index(f"tv {standing('X')}") :]
    assert "Do not move money on this number: test it first." in card


def test_the_table_of_effects_says_what_is_not_identified(confounded):
    table = bc.effects_table(converged(confounded))
    assert table.columns.name == "NOT IDENTIFIED"
    assert table.loc[("tv", "total"), ["status", "grade"]].to_list() == ["backdoor", "F"]
    assert table.loc[("tv", "direct"), ["status", "grade"]].to_list() == ["not identified", "X"]
    assert (table.loc["visits", "grade"] == "X").all()
    assert table["median"].dtype == float
    with pytest.warns(NotConverged):
        assert bc.effects_table(confounded).columns.name == "NOT CONVERGED"


def test_it_never_claims_more_than_it_may(html):
    assert not re.search(r"\bprove[sn]?\b|true effect", html, re.IGNORECASE)


def test_diagnostics_and_the_spec_are_in_it(page, example_fit):
    found = bc.diagnose(example_fit)
    rows = page.table("Contraction", "R-hat")
    assert rows["tv"]["R-hat"] == f"{found.effects.loc['tv', 'r_hat']:.3f}"
    assert rows["tv"]["ESS, bulk"] == number(found.effects.loc["tv", "ess_bulk"])
    for line in found.advice:
        assert line in page.text
    for prior in example_fit.spec.table()["prior"]:
        assert " ".join(prior.split()) in page.text
    info = example_fit.info
    assert info["data_hash"] in page.text
    assert f"Seed {info['seed']}" in page.text
    assert info["versions"]["pymc"] in page.text


def test_a_reader_who_cannot_see_gets_every_table_and_picture(page):
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(images) == 9
    assert all(len(image["alt"]) > 30 for image in images)
    heads = [attrs for tag, attrs in page.tags if tag == "th"]
    assert heads
    assert all(attrs["scope"] in ("row", "col") for attrs in heads)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption")
    assert tags.count("h1") == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert {2, 3} <= {*levels}
    assert dict(page.tags)["html"] == {"lang": "en"}
    named = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    links = {attrs["href"][1:] for tag, attrs in page.tags if tag == "a"}
    assert links
    assert links <= named


def test_it_prints(html):
    assert "@media print" in html


def test_a_fit_that_has_not_converged_says_so_first_and_loudly(
    panel_of_three, unsure_report, sure_report
):
    page = Page(unsure_report.read_text(encoding="utf-8"))
    states = [attrs for _, attrs in page.tags if attrs.get("role") == "alert"]
    assert "bad" in states[0]["class"]
    said = page.text.index("NOT CONVERGED: R-hat of tv is 1.500")
    assert said < page.text.index("returned per 1")
    assert "not yet answers" in page.text
    sure = converged(panel_of_three)
    sentence = verdict(bc.summarize(bc.roas(sure) - 1).loc["tv", "p_positive"], priced=False)
    assert f"tv {sentence}" in Page(sure_report.read_text(encoding="utf-8")).text
    assert sentence not in page.text


def test_nothing_is_recommended_from_a_fit_that_has_not_converged(unsure_report, sure_report):
    page = Page(unsure_report.read_text(encoding="utf-8"))
    assert steps(page) == 0
    assert "pays back" not in page.text
    sure = Page(sure_report.read_text(encoding="utf-8"))
    assert steps(sure) == 1
    assert "At 1.00 a unit and if the graph is right, the next 1 spent" in sure.text


def test_a_converged_fit_shows_no_alarm(html, page):
    assert "NOT CONVERGED" not in html
    assert not [attrs for _, attrs in page.tags if attrs.get("role") == "alert"]


def test_the_title_is_text(edited):
    assert "<script" not in edited
    assert edited.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; Söhne") == 2
    assert "script" not in {tag for tag, _ in Page(edited).tags}


def test_names_of_tests_are_text(edited):
    assert "<script" not in edited
    assert BAD_NAME in Page(edited).table("Test", "Design")


def test_names_of_nodes_are_text(oddly_named, tmp_path):
    """A graph refuses ``<`` in names; what it lets through must be harmless too."""
    with pytest.raises(BayesCausalError, match="holds '<'"):
        bc.Graph.parse('"<script>" -> sales')
    with pytest.warns(NotConverged):
        html = rendered(oddly_named, tmp_path)
    page = Page(html)
    assert page.open == []
    assert "R&D 'x' onload=alert($_a$)" in page.table("Spend", "ROAS")
    assert "R&D" not in html
    assert "R&amp;D" in html
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("onload")]


def test_units_and_columns_of_a_panel_are_text(panel_of_three, tmp_path):
    """Names of units and of the column that holds the value can be anything."""
    fit, bad = panel_of_three, "<script>alert(2)"
    table = fit.data.table.assign_coords(unit=[bad, "b", "c"])
    table[bad] = table["sales"] * 0 + 2.0
    data = replace(fit.data, table=table, value=bad)
    tree = fit.tree.copy()
    for group in ("posterior_predictive", "observed_data", "prior", "posterior"):
        tree[group] = tree[group].to_dataset().assign_coords(unit=[bad, "b", "c"])
    with pytest.warns(NotConverged):
        html = rendered(replace(fit, data=data, tree=tree), tmp_path)
    assert "<script" not in html
    assert bad in Page(html).text  # as the worth of one unit of sales


def test_a_panel_has_its_units_in_the_first_lines(panel_of_three, panel_report):
    page = Page(panel_report.read_text(encoding="utf-8"))
    assert "30 weeks in 3 units, 2025-01-06 to 2025-07-28" in page.text
    spent = panel_of_three.data.spend_of("tv").sum()
    assert page.table("Spend", "ROAS")["tv"]["Spend"] == number(spent)
    assert "No lift test is part of this model." in page.text
    assert "Carry-over along each edge" not in page.text  # no adstock, so no picture of one


@pytest.mark.filterwarnings("ignore:NOT CONVERGED")
def test_without_spend_the_headline_is_the_contribution(tmp_path):
    graph = bc.Graph.parse("tv -> sales", outcome="sales")
    fit = quick(
        bc.Spec(graph, treatments=("tv",), links={"sales": "log"}),
        bc.Dataset.from_frame(weekly(), time="week"),
    )
    page = Page(rendered(fit, tmp_path))
    line = bc.summarize(bc.effect(fit, bc.incremental("tv"))).iloc[0]
    words = f"tv {standing(line['grade'])} {number(line['median'])} sales added, 90% interval"
    assert words in page.text
    assert "No channel has spend" in page.text
    assert "ROAS" not in page.text


@pytest.mark.filterwarnings("ignore:NOT CONVERGED")
def test_each_of_several_outcomes_has_its_table(tmp_path):
    graph = bc.Graph.parse("tv -> sales, visits", outcome=["sales", "visits"])
    data = bc.Dataset.from_frame(weekly(), time="week", spend=["tv"])
    fit = quick(bc.Spec(graph, treatments=("tv",)), data)
    page = Page(rendered(converged(fit), tmp_path))
    assert "returned per 1 spent in sales (ROAS)" in page.text
    assert steps(page) == 0  # what the next unit returns in visits counts, too
    returns = [rows for rows in page.tables if "ROAS" in rows[0]]
    assert len(returns) == 2
    for rows, outcome in zip(returns, ("sales", "visits"), strict=True):
        row = page.table(f"Share of {outcome}")["tv"]
        line = bc.summarize(bc.effect(fit, bc.incremental("tv", outcome=outcome))).iloc[0]
        assert row["Contribution (total effect)"] == shown(line)
        own = dict(zip(rows[0], rows[1], strict=True))
        assert own["ROAS"] == shown(bc.summarize(bc.roas(fit, outcome=outcome)).iloc[0])
        assert f"One unit of {outcome} counts as 1" in page.text
        figure = bc.plot_roas(fit, outcome=outcome)
        assert any(f"incremental {outcome} per unit" in t.get_text() for t in figure.texts)
    assert "no return to report" not in page.text


def test_the_table_of_effects_is_that_of_the_queries(example_fit, table_of_80):
    table = table_of_80
    assert table.columns.name is None
    assert table.index.names == ["channel", "quantity"]
    paths = bc.summarize(bc.decompose(example_fit, bc.incremental("tv")), 0.8)
    for path in ("total", "direct", "indirect"):
        pd.testing.assert_series_equal(table.loc[("tv", path)], paths.loc[path], check_names=False)
    for name, query in (("roas", bc.roas), ("mroas", bc.mroas)):
        own = bc.summarize(query(example_fit), 0.8)
        got = table.xs(name, level="quantity").loc[own.index]
        pd.testing.assert_frame_equal(got[own.columns], own, check_names=False)
        assert got["extrapolated_share"].isna().all() == (name == "mroas")
    part = table.loc[("tv", "share"), "median"] * example_fit.data.array("sales").sum()
    assert part == pytest.approx(table.loc[("tv", "total"), "median"])


def test_the_table_of_effects_warns_when_it_should(panel_of_three):
    assert not panel_of_three.convergence.converged
    with pytest.warns(NotConverged):
        bc.effects_table(panel_of_three)


@pytest.mark.filterwarnings("ignore:NOT CONVERGED")
def test_every_place_gets_the_same_bytes_a_folder_and_a_new_folder_too(
    panel_of_three, panel_report, tmp_path
):
    """The same bytes for the shared fit: `test_cli.py` holds its report against the demo's."""
    assert bc.report(panel_of_three, tmp_path) == tmp_path / "report.html"
    deep = tmp_path / "new" / "page.html"
    assert bc.report(panel_of_three, deep) == deep
    assert deep.stat().st_size > 100_000
    assert deep.read_bytes() == (tmp_path / "report.html").read_bytes() == panel_report.read_bytes()


def test_a_wrong_probability_is_refused_before_anything_is_written(panel_of_three, tmp_path):
    with pytest.raises(BayesCausalError, match="prob"):
        bc.report(panel_of_three, tmp_path / "r.html", prob=90)
    assert not (tmp_path / "r.html").exists()


def test_tables_of_the_report_say_what_the_prior_alone_would_say(example_fit, example_report):
    page = example_report.read_text()
    for table in (bc.contributions(example_fit, total=True), bc.roas(example_fit)):
        line = bc.summarize(table).loc["tv"]
        assert f"{number(line['prior_5%'])} to {number(line['prior_95%'])}" in page
