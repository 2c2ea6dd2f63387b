"""Every noun prints within a terminal of 100 columns, and Jupyter gets a table where one helps."""

from xml.etree import ElementTree

import pytest

import bayescausal as bc
from bayescausal._display import described, filled, wrapped
from bayescausal.errors import shown

TV = bc.incremental("tv").during("2025-01-06", "2025-03-30")
PLAIN = {
    "Graph": lambda e: e.graph,
    "Edge": lambda e: e.graph.edges[0],
    "Dataset": lambda e: e.data,
    "Spec": lambda e: e.spec,
    "Example": lambda e: e,
    "Experiment": lambda e: e.spec.experiments[0],
    "Estimand": lambda e: TV.on("sales"),
    "Identification": lambda e: bc.identify(e.graph, TV, e.spec.experiments),
    "GraphCheck": lambda e: bc.check_graph(e.data, e.graph, companions=()),
    "Candidate": lambda e: bc.Candidate(TV, std_error=120.0, cost=5000.0, name="spring"),
    "GeoCell": lambda e: bc.GeoCell([f"region {k}" for k in range(20)], TV),
    "Decision": lambda e: bc.Decision(
        [bc.Estimand({"tv": bc.Times(k)}, name=f"plan {k}") for k in (0.5, 1.5)]
    ),
    "Prior": lambda e: bc.Prior("TruncatedNormal", mu=0.4, sigma=0.3, lower=-1, upper=1),
    "Response": lambda e: bc.Response(bc.WeibullPDFAdstock(l_max=8), bc.HillSaturation()),
    "WeibullPDFAdstock": lambda e: bc.WeibullPDFAdstock(),
    "HillSaturation": lambda e: bc.HillSaturation(),
    "AR1Noise": lambda e: bc.AR1Noise(),
    "StudentTNoise": lambda e: bc.StudentTNoise(),
    "HSGPTrend": lambda e: bc.HSGPTrend(),
    "Holidays": lambda e: bc.Holidays("DE"),
    "Augmentation": lambda e: bc.Augmentation(),
    "Augmented": lambda e: bc.augment(e.data, e.graph, bc.Ancestral(rows=50), seed=1),
}
FITTED = {
    "Fit": lambda f: f,
    "Convergence": lambda f: f.convergence,
    "Diagnostics": bc.diagnose,
    "LeaveOneOut": bc.leave_one_out,
    "Sensitivity": bc.sensitivity,
    "Overlap": bc.overlap,
    "CompanionRegression": bc.companion_regression,
    "Reconciliation": lambda f: bc.reconcile(f, bc.Experiment(TV, 700.0, 90.0, "geo-rct")),
    "Grade of a fit": lambda f: f.grades["tv"],
}


def cells(noun):
    """The table of a noun in Jupyter, row by row."""
    page = ElementTree.fromstring(f"<div>{noun._repr_html_()}</div>")
    return [[cell.text or "" for cell in row] for row in page.iter("tr")]


def longest(text):
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize("name", PLAIN)
def test_a_noun_fits_a_terminal(example, name):
    assert longest(repr(PLAIN[name](example))) <= 100


@pytest.mark.parametrize("name", FITTED)
def test_what_comes_of_a_fit_fits_a_terminal(example_fit, name):
    assert longest(repr(FITTED[name](example_fit))) <= 100


def test_a_printed_spec_says_all_that_its_table_says(example):
    printed = " ".join(repr(example.spec).split())
    for _, part, form, prior in example.spec.table().itertuples(index=False):
        assert f"{part} {form}; {prior}" in printed


def test_jupyter_shows_tables(example, example_fit):
    rows = cells(example.data)
    assert [row[0] for row in rows] == ["", *example.data.columns]
    maxima = {name: float(highest) for name, *_, highest in rows[1:]}
    assert maxima["tv"] == pytest.approx(example.frame["tv"].max(), abs=1e-3)
    grades = {name: letter for name, letter, *_ in cells(example_fit)[1:]}
    assert grades == {name: grade.letter for name, grade in example_fit.grades.items()}
    assert str(example_fit.convergence) in example_fit._repr_html_()


def test_a_long_value_is_quoted_on_one_line():
    assert "\n" not in shown(bc.AR1Noise())
    assert "phi=Prior('TruncatedNormal'" in shown(bc.AR1Noise())


def test_words_are_kept_and_lines_are_filled():
    text = "word " * 60
    assert wrapped(text).split() == text.split()
    assert longest(wrapped(text)) <= 96
    lines = filled("f(", [f"argument_{k}={k}" for k in range(20)], ", ", "    ").splitlines()
    assert all(line.endswith(",") for line in lines[:-1])
    assert all(line.startswith("    argument_") for line in lines[1:])
    assert described(bc.YearlySeasonality()) == repr(bc.YearlySeasonality())
    assert eval(repr(bc.AR1Noise()), vars(bc).copy() | {"AR1Noise": bc.AR1Noise, "Prior": bc.Prior})
