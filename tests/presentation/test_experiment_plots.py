"""Plots of experiments: what is drawn is what the tables say, and nothing is flattered."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from presentation_cases import with_tests

import bayescausal as bc
from bayescausal.errors import SpecError
from bayescausal.presentation.plot_style import RED, encode

STATUS = ["", "not identified", "experiment", "experiment", "experiment"]


def bought(gains, status=STATUS, problem=""):
    """A table as `evidence` makes it, from the gains of each source."""
    gains = np.array(gains, dtype=float)
    reached = gains.cumsum()
    names = ["prior", "observational data", *(f"test_{k}" for k in range(1, len(gains) - 1))]
    lost = [np.nan, np.nan, *(0.9 * gains[2:])]
    columns = {"source": names, "sd": reached**-0.5, "precision": gains}
    columns |= {"share": gains / reached[-1], "loss": lost, "status": status[: len(gains)]}
    table = pd.DataFrame(columns)
    table.attrs = {"estimand": "Estimand(factual vs tv=0, on sales)", "problem": problem}
    return table


PLAIN = bought([1, 3, 4, 2])
LOST = bought([1, 5, -2, 3, 1])


@pytest.fixture(scope="module")
def held_out(example_fit):
    """Two tests that the fit has not seen: one as the model has it, one far off."""
    weeks = example_fit.data.training
    question = bc.incremental("tv").during(weeks[100], weeks[105])
    mean = float(bc.effect(example_fit, question).mean())
    near = bc.Experiment(question, 1.05 * mean, 0.1 * mean, "geo-rct", name="near")
    far = bc.Experiment(question, -3 * mean, 0.1 * mean, "geo-rct", name="far $x$")
    return bc.reconcile(example_fit, [near, far], prob=0.8)


def head(figure):
    return " ".join(text.get_text() for text in figure.texts)


def bars(ax):
    return [box for part in ax.containers if isinstance(part, BarContainer) for box in part]


def written(ax):
    return [text.get_text() for text in ax.texts]


# Evidence


@pytest.mark.slow
@pytest.mark.parametrize("table", [PLAIN, LOST], ids=["gains", "a loss"])
def test_the_stack_adds_up_to_the_final_precision(table):
    stack, rows = bc.plot_evidence(table).axes
    widths = [box.get_width() for box in bars(stack)]
    np.testing.assert_allclose(widths, table["share"])
    np.testing.assert_allclose([box.get_width() for box in bars(rows)], table["share"])
    assert sum(widths) == pytest.approx(1)
    ends = sorted(tuple(sorted((b.get_x(), b.get_x() + b.get_width()))) for b in bars(stack))
    for (_, stop), (start, _) in pairwise(ends):
        assert start == pytest.approx(stop)  # no gap, nothing is covered
    gained = table["share"].clip(lower=0).sum()
    assert ends[-1][1] == pytest.approx(gained)
    assert ends[0][0] == pytest.approx(1 - gained, abs=1e-12)
    low, high = stack.get_xlim()
    assert low < ends[0][0] <= 0 < 1 <= ends[-1][1] < high
    full = next(line for line in stack.lines if line.is_dashed())
    assert list(full.get_xdata()) == [1, 1]


def test_a_negative_gain_stands_left_of_zero_and_says_so():
    stack, rows = bc.plot_evidence(LOST).axes
    assert bars(stack)[2].get_x() == 0
    assert bars(stack)[2].get_width() < 0
    assert "-25%" in written(stack)
    assert written(rows)[2].startswith("-25%, sd then")
    assert rows.get_xlim()[0] < -0.25


@pytest.mark.slow
def test_every_source_has_its_row_its_loss_and_the_sd_that_is_left():
    _, rows = bc.plot_evidence(PLAIN).axes
    assert [label.get_text() for label in rows.get_yticklabels()] == list(PLAIN["source"])
    diamonds = next(line for line in rows.lines if line.get_marker() == "D")
    np.testing.assert_allclose(diamonds.get_xdata(), PLAIN["loss"] / PLAIN["precision"].sum())
    assert written(rows) == [
        "10%, sd then 1.00",
        "30%, sd then 0.50",
        "40%, sd then 0.35",
        "20%, sd then 0.32",
    ]


@pytest.mark.slow
def test_a_source_has_one_color_and_each_its_own():
    stack, rows = bc.plot_evidence(LOST).axes
    colors = [to_rgb(box.get_facecolor()) for box in bars(stack)]
    assert colors == [to_rgb(box.get_facecolor()) for box in bars(rows)]
    assert len({*colors}) == len(LOST)


def test_what_is_gained_without_identification_is_hatched_and_said():
    figure = bc.plot_evidence(PLAIN)
    for ax in figure.axes:
        assert [bool(box.get_hatch()) for box in bars(ax)] == [False, True, False, False]
    assert "while the effect was not identified by the graph" in head(figure)
    known = bc.plot_evidence(bought([1, 3], ["", "backdoor"]))
    assert not any(box.get_hatch() for ax in known.axes for box in bars(ax))
    assert "not identified" not in head(known)


def test_the_head_of_the_evidence_names_the_effect_and_what_has_not_converged():
    assert "factual vs tv=0, on sales" in head(bc.plot_evidence(PLAIN))
    figure = bc.plot_evidence(bought([1, 2], problem="Without 'b': NOT CONVERGED: R-hat"))
    (line,) = [text for text in figure.texts if "NOT CONVERGED" in text.get_text()]
    assert line.get_color() == RED
    assert "CONVERGED" not in head(bc.plot_evidence(PLAIN))


@pytest.mark.parametrize("given", [pd.DataFrame({"mean": [1.0]}), {"share": [1.0]}, None], ids=str)
def test_another_table_is_refused_with_advice(given):
    with pytest.raises(SpecError, match=r"evidence\(fit, estimand\) returns; got"):
        bc.plot_evidence(given)


# Reconciliation


@pytest.mark.slow
def test_lifts_and_intervals_are_those_of_the_table(held_out):
    figure = bc.plot_reconciliation(held_out)
    assert len(figure.axes) == 2
    for ax, (name, line) in zip(figure.axes, held_out.table.iterrows(), strict=True):
        assert ax.get_title(loc="left") == f"{name} ({line['grade']})"
        (bar,) = bars(ax)
        assert bar.get_x() == pytest.approx(line["low"])
        assert bar.get_x() + bar.get_width() == pytest.approx(line["high"])
        dot = next(part for part in ax.lines if part.get_marker() == "o")
        assert list(dot.get_xdata()) == [line["lift"]]
        ends = ax.collections[0].get_segments()[0][:, 0]
        np.testing.assert_allclose(ends, [line["lift"] - line["sd"], line["lift"] + line["sd"]])
        tick = next(part for part in ax.lines if len(part.get_xdata()) == 2)
        np.testing.assert_allclose(tick.get_xdata(), line["median"])
        low, high = ax.get_xlim()
        assert low <= 0 <= high  # a wide interval looks wide
        assert low < line["lift"] < high
        assert (dot.get_color() == RED) == (not line["covers"])
        assert ax.get_title(loc="right").endswith("inside" if line["covers"] else "MISSED")


def test_the_title_says_the_coverage_and_what_to_expect_of_it(held_out):
    assert list(held_out.table["covers"]) == [True, False]
    told = head(bc.plot_reconciliation(held_out))
    assert "1 of 2 held-out tests lie in the 80% interval" in told
    assert "1.6 of 2 are expected inside" in told
    one = bc.Reconciliation(held_out.table.iloc[:1], held_out.prob)
    assert "1 of 1 held-out test lies" in head(bc.plot_reconciliation(one))


def test_an_interval_that_the_priors_set_is_hatched_and_said(held_out):
    weak = held_out.table.assign(grade=["X", "E"])
    found = bc.Reconciliation(weak, held_out.prob)
    figure = bc.plot_reconciliation(found)
    assert [bool(bars(ax)[0].get_hatch()) for ax in figure.axes] == [True, False]
    assert figure.axes[0].get_title(loc="left") == "near (X): not identified"
    assert "the priors set the interval" in head(figure)
    assert "Not identified by the graph: 'near'" in found.sentence
    assert "ot identified" not in held_out.sentence + head(bc.plot_reconciliation(held_out))


def test_a_fit_that_has_not_converged_is_said_in_red(panel_of_three):
    weeks = panel_of_three.data.training
    test = bc.Experiment(bc.incremental("tv").during(weeks[5], weeks[9]), 100, 50, "geo-rct")
    with pytest.warns(bc.errors.NotConverged):
        found = bc.reconcile(panel_of_three, test)
    assert str(found).startswith("NOT CONVERGED")
    (line,) = [t for t in bc.plot_reconciliation(found).texts if "NOT CONVERGED" in t.get_text()]
    assert line.get_color() == RED


def test_something_else_is_refused_with_advice(held_out):
    with pytest.raises(SpecError, match=r"takes a Reconciliation.*reconcile\(fit, tests\)"):
        bc.plot_reconciliation(held_out.table)


# Both


@pytest.mark.parametrize("what", ["evidence", "reconciliation"])
def test_a_plot_is_a_figure_leaves_the_style_alone_and_reads_no_formula(held_out, what):
    before = dict(matplotlib.rcParams)
    odd = PLAIN.replace({"source": {"test_1": "a $test$ of $x_1$"}})
    odd.attrs = PLAIN.attrs

    def draw():
        return bc.plot_evidence(odd) if what == "evidence" else bc.plot_reconciliation(held_out)

    assert isinstance(draw(), Figure)
    assert dict(matplotlib.rcParams) == before
    assert encode(draw()).startswith("data:image/svg+xml;base64,")  # mathtext would raise
    assert encode(draw()) == encode(draw())
    texts = [t for t in draw().findobj(matplotlib.text.Text) if "$" in t.get_text()]
    assert texts
    assert not any(t.get_parse_math() for t in texts)


@pytest.mark.filterwarnings("ignore:NOT CONVERGED")
def test_the_report_shows_what_the_user_supplies_and_nothing_otherwise(
    panel_of_three, panel_report, held_out, tmp_path
):
    fit = replace(panel_of_three)
    plain = panel_report.read_text(encoding="utf-8")
    assert "What each test bought" not in plain
    assert "Held-out tests" not in plain
    page = bc.report(
        fit, tmp_path / "full.html", evidence=[PLAIN, LOST], reconciliation=held_out
    ).read_text(encoding="utf-8")
    assert page.count("What each test bought") == 1
    assert encode(bc.plot_evidence(PLAIN)) in page
    assert encode(bc.plot_evidence(LOST)) in page
    assert encode(bc.plot_reconciliation(held_out)) in page
    assert "prior 10%, observational data 30%, test_1 40% and test_2 20%." in page
    assert "1 of 2 held-out tests lies" not in page
    assert "1 of 2 held-out tests lie in the 80% predictive interval" in page
    one = bc.report(fit, tmp_path / "one.html", evidence=PLAIN).read_text(encoding="utf-8")
    assert encode(bc.plot_evidence(PLAIN)) in one


@pytest.mark.filterwarnings("ignore:NOT CONVERGED")
def test_a_conflict_stands_at_the_head_of_the_report(panel_of_three, tmp_path):
    """The posterior is the fit's; a test that contradicts it, then one that does not."""
    weeks = panel_of_three.data.training
    question = bc.incremental("tv").during(weeks[5], weeks[9])
    draws = bc.effect(panel_of_three, question)
    mean, sd = float(draws.mean()), float(draws.std())
    pages = []
    for name, off in (("torn", 20), ("sound", 0)):
        test = bc.Experiment(question, mean + off * sd, 3 * sd, "geo-rct", name=name)
        path = bc.report(with_tests(panel_of_three, test), tmp_path / f"{name}.html")
        pages.append(path.read_text(encoding="utf-8"))
    torn, sound = pages
    assert 'role="alert">CONFLICT: The test &#39;torn&#39; found' in torn
    assert torn.index("CONFLICT:") < torn.index('class="answers')
    assert "CONFLICT:" not in sound


@pytest.mark.slow
def test_figures_are_the_same_bytes_in_every_thread():
    """Settings of matplotlib are global: a thread that ends must not take them from another."""

    def draw(table):
        return [encode(bc.plot_evidence(table)) for _ in range(2)]

    tables = [PLAIN, LOST] * 2
    alone = [draw(table) for table in tables[:2]]
    with ThreadPoolExecutor(len(tables)) as pool:
        together = list(pool.map(draw, tables))
    assert together == alone * 2
    assert matplotlib.rcParams["axes.grid"] == matplotlib.rcParamsDefault["axes.grid"]
