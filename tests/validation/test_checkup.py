"""`check`: every check is a row, what cannot be run says why, and the worst row is the grade."""

import json
import warnings
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

import bayescausal as bc
from bayescausal.errors import SpecError
from bayescausal.validation import checkup
from bayescausal.validation.checkup import REFUTERS, CheckRow, _calibration
from bayescausal.validation.status import Status


@pytest.fixture(scope="module")
def page(example_fit):
    return bc.check(example_fit, budget=0)


def rows(page, name):
    return [row for row in page.rows if row.name == name]


def test_what_needs_no_refit_is_always_run(page):
    names = [
        "convergence",
        "errors",
        "carry-over",
        "identification",
        "graph",
        "overlap",
        "responses",
        "priors",
    ]
    for name in (*names, "priors", "lift tests", "predictions", "hidden drivers"):
        assert rows(page, name), name
        assert all(row.status != Status.NOT_RUN for row in rows(page, name)), name
    assert rows(page, "graph")[0].status == "pass"
    status = {row.subject: row.status for row in rows(page, "overlap")}
    assert status["tv, spend off"] == "pass"
    assert status["search, spend off"] == "look"


def test_no_time_leaves_refits_out_and_says_what_they_take(page):
    for method in REFUTERS:
        subjects = rows(page, method)
        assert {row.subject for row in subjects} == {"tv", "social", "search"}
        for row in subjects:
            assert row.status == "not run"
            assert f"refute(fit, '{row.subject}', '{method}')" in row.sentence
    (row,) = rows(page, "calibration")
    assert row.status == "not run"
    assert "calibrate(spec, data)" in row.sentence


def test_the_page_is_a_table_and_a_text(page):
    table = page.to_frame()
    assert len(table) == len(page.rows)
    assert page.status == "look"
    assert str(page).startswith("LOOK: ")
    assert all(row.sentence in str(page) for row in page.rows)
    assert max(map(len, repr(page).splitlines())) <= 100
    assert "hidden drivers" in page._repr_html_()


def test_the_worst_row_is_the_grade():
    each = [CheckRow("a", "", Status(text), "") for text in ("not run", "pass", "look", "fail")]
    for last in range(1, 4):
        assert bc.Checkup(tuple(each[: last + 1])).status == each[last].status
    assert bc.Checkup(()).status == "not run"


def test_a_wrong_graph_fails_the_page(example_fit):
    text = "demand -> search, sales\ntv -> search, sales\nsocial, price, search -> sales"
    graph = bc.Graph.parse(text, outcome="sales")
    wrong = replace(example_fit, spec=replace(example_fit.spec, graph=graph, experiments=()))
    page = bc.check(wrong, budget=0)
    failed = rows(page, "graph")
    assert page.status == "fail"
    assert "reject" in failed[0].sentence
    assert len(failed) > 1
    assert all(row.status == "fail" for row in failed)
    assert rows(page, "lift tests")[0].status == "not run"


def test_draws_that_did_not_converge_fail(example_fit):
    tree = example_fit.tree.copy()
    state = replace(example_fit.convergence, converged=False, problems=("R-hat is 2",))
    tree.attrs = {**tree.attrs, "convergence": json.dumps(asdict(state))}
    page = bc.check(replace(example_fit, tree=tree), budget=0)
    assert rows(page, "convergence")[0].status == "fail"
    assert "sample longer" in rows(page, "placebo shift")[0].sentence


def test_an_executor_is_checked_before_anything_is_run(example_fit):
    with pytest.raises(SpecError, match="ProcessPoolExecutor"):
        bc.check(example_fit, budget=0, executor=2)


@pytest.mark.parametrize("budget", [-1, "long", None, float("nan")], ids=str)
def test_a_budget_is_a_number_of_seconds(example_fit, budget):
    with pytest.raises(SpecError, match="budget"):
        bc.check(example_fit, budget=budget)


@pytest.mark.slow
def test_refuters_run_while_there_is_time(example_fit):
    page = bc.check(example_fit, budget=240, seed=1)
    (first, *_) = rows(page, REFUTERS[0])
    assert first.status != "not run"
    assert sum(row.seconds for row in page.rows) < 300


def test_a_report_takes_the_page_of_checks_alone(example_fit, tmp_path):
    with pytest.raises(SpecError, match="checkup=check"):
        bc.report(example_fit, tmp_path / "report.html", checkup="pass")


def test_augmented_rows_are_not_calibrated():
    """The advice of a page is a call that runs."""
    ((_, status, sentence),) = _calibration(0.0, None, 1, SimpleNamespace(plain="a fit"))
    assert status == Status.NOT_RUN
    assert "calibrate(fit.plain.spec, data)" in sentence


def test_a_test_that_cannot_be_left_out_by_weights_is_no_pass(example_fit, monkeypatch):
    def unsure(fit):
        warnings.warn("Importance sampling cannot leave out 'a'.", stacklevel=2)
        return []

    monkeypatch.setattr(checkup, "conflicts", unsure)
    (row,) = rows(bc.check(example_fit, budget=0), "lift tests")
    assert (row.status, row.sentence) == ("look", "Importance sampling cannot leave out 'a'.")
