"""`check_graph`: claims of a graph against data, one case a law."""

import numpy as np
import pandas as pd
import pytest
from autocorrelated_worlds import CLAIM, fork, remembering, setting, weekly
from scipy import stats

import bayescausal as bc
from bayescausal.errors import DataError, GraphError, SpecError
from bayescausal.validation.claim_regressions import edge_regressions, same_period
from bayescausal.validation.graph_check import Finding, GraphCheck, Kind
from bayescausal.validation.independence_tests import (
    chi_squared,
    effective_size,
    kernel,
    partial_correlation,
    smallest_correlation,
)
from bayescausal.validation.lagged_regression import (
    Column,
    Regression,
    Residuals,
    Untestable,
    partial_out,
)


def graph(text, outcome="sales"):
    return bc.Graph.parse(text, outcome=outcome)


def media(seed=0, n=156, follow=0.0, hidden=0.0, curve=False):
    """Two channels, demand; `follow` lets tv follow past sales, `hidden` adds a lasting cause."""
    rng = np.random.default_rng(seed)
    demand, radio, latent = (remembering(rng, 0.6, n) for _ in range(3))
    noise, shocks = remembering(rng, 0.5, n), rng.normal(size=n)
    tv, sales = np.zeros(n), np.zeros(n)
    for t in range(n):
        past = sales[t - 1] if t else 0.0
        tv[t] = 0.8 * demand[t] + follow * past + hidden * latent[t] + shocks[t]
        bend = 0.7 * tv[t] ** 2 if curve else 0.6 * tv[t]
        sales[t] = bend + demand[t] + 0.7 * radio[t] + hidden * latent[t] + noise[t]
    return weekly({"demand": demand, "tv": tv, "radio": radio, "sales": sales})


RIGHT = "demand -> tv, sales\ntv, radio -> sales"


def only(check, claim):
    return next(row for row in check.rows if row.claim == claim)


# -- the statistics, against what they are built from ------------------------------------------


def as_residuals(x, y):
    """Residuals on a constant, of unit length."""
    basis = np.full((x.shape[-1], 1), x.shape[-1] ** -0.5)
    sides = []
    for side in (x, y):
        side = np.atleast_2d(side) - np.atleast_2d(side).mean(axis=1, keepdims=True)
        sides.append(side / np.sqrt((side**2).sum(axis=1, keepdims=True)))
    return Residuals(sides[0][..., None], sides[1], (basis,) * len(sides[0]))


def test_a_partial_correlation_is_that_of_residuals():
    world = fork(np.random.default_rng(1), 0.7, 120)
    asked = setting(world)
    regression = same_period(asked, CLAIM)
    residuals = partial_out(asked.table, regression, asked.calendar, curves=False)
    depth = regression.lags[1]
    rows = np.arange(depth, 120)
    controls = [np.ones(len(rows))]
    controls += [world[node][rows - lag] for node, lag in regression.memory]
    controls += [world[node][rows - lag] for node, lag in regression.conditioned]
    design = np.stack(controls, axis=1)
    sides = [
        world[v][rows] - design @ np.linalg.lstsq(design, world[v][rows], rcond=None)[0]
        for v in "xy"
    ]
    test = partial_correlation(residuals, 0.05, "partial correlation")
    assert test.correlation == pytest.approx(np.corrcoef(*sides)[0, 1], abs=1e-9)
    assert residuals.controls == design.shape[1]
    assert test.freedom == (1, len(rows) - design.shape[1] - 1)


def test_its_law_is_that_of_one_sample_of_products():
    """For one column F is the square of a t test of the mean product, up to the controls' share."""
    x, y = np.random.default_rng(2).normal(size=(2, 400))
    residuals = as_residuals(x, y)
    products = residuals.tested[0, :, 0] * residuals.target[0]
    t = stats.ttest_1samp(products, 0.0)
    test = partial_correlation(residuals, 0.05, "")
    assert test.statistic == pytest.approx(t.statistic**2 * 398 / 399, rel=1e-6)


def test_uneven_swings_are_not_evidence():
    """Both series swing widely in the same weeks: the usual p-value is far too small."""
    usual, ours = [], []
    for k in range(300):
        rng = np.random.default_rng(k)
        swing = np.exp(0.9 * rng.normal(size=120))
        x, y = rng.normal(size=(2, 120)) * swing
        ours.append(partial_correlation(as_residuals(x, y), 0.05, "").p_value)
        usual.append(stats.pearsonr(x, y).pvalue)
    assert np.mean(np.array(usual) < 0.05) > 0.2  # 0.05 but for the swings
    assert np.mean(np.array(ours) < 0.05) < 0.09  # three standard errors above 0.05


@pytest.mark.parametrize(("count", "freedom"), [(1, 100), (3, 60)])
def test_the_smallest_correlation_is_seen_in_eight_of_ten(count, freedom):
    """4000 draws of the F law at that correlation: a standard error of 0.006."""
    size = freedom + count
    r = smallest_correlation(size, count, freedom, 0.05)
    noncentrality = size * r**2 / (1 - r**2)
    draws = stats.ncf.rvs(count, freedom, noncentrality, size=4000, random_state=1)
    assert np.mean(draws > stats.f.isf(0.05, count, freedom)) == pytest.approx(0.8, abs=0.025)


def test_effective_periods_are_counted_from_both_memories():
    rng = np.random.default_rng(3)
    x, y = remembering(rng, 0.8, 4000), remembering(rng, 0.5, 4000)
    test = effective_size(as_residuals(x, y), 0.05)
    assert test.freedom[0] == pytest.approx(4000 * 0.6 / 1.4, rel=0.1)
    alone = effective_size(as_residuals(x, rng.normal(size=4000)), 0.05)
    assert alone.freedom[0] == pytest.approx(4000, rel=0.06)


def test_copies_of_a_unit_count_once():
    """Ten markets with the same numbers know what one knows."""
    x, y = np.random.default_rng(4).normal(size=(2, 80))
    one, ten = as_residuals(x, y), as_residuals(np.tile(x, (10, 1)), np.tile(y, (10, 1)))
    assert partial_correlation(ten, 0.05, "").p_value == pytest.approx(
        partial_correlation(one, 0.05, "").p_value
    )
    assert effective_size(ten, 0.05).p_value == pytest.approx(effective_size(one, 0.05).p_value)


def test_units_that_differ_count_more():
    x, y = np.random.default_rng(5).normal(size=(2, 10, 80))
    y = y + 0.2 * x
    ten = partial_correlation(as_residuals(x, y), 0.05, "")
    assert ten.detectable < 0.15
    assert partial_correlation(as_residuals(x[:1], y[:1]), 0.05, "").detectable > 0.25
    assert ten.p_value < 0.001


def test_the_kernel_test_sees_a_parabola_that_a_correlation_does_not():
    x = np.random.default_rng(6).uniform(-1, 1, 150)
    y = x**2 + np.random.default_rng(7).normal(0, 0.1, 150)
    residuals = as_residuals(x, y)
    assert partial_correlation(residuals, 0.05, "").p_value > 0.05
    assert kernel(residuals, 1).p_value == pytest.approx(1 / 500)
    assert kernel(residuals, 1).statistic == kernel(residuals, 2).statistic


def test_chi_squared_of_two_by_two_is_pearsons():
    a = np.repeat([0, 0, 1, 1], [30, 20, 15, 35])
    b = np.repeat([0, 1, 0, 1], [30, 20, 15, 35])
    test = chi_squared(a, b, [])
    expected = stats.chi2_contingency([[30, 20], [15, 35]], correction=False)
    assert (test.statistic, test.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert test.freedom == (1,)


def test_chi_squared_adds_up_strata():
    """Independent within each stratum, tied across them (Simpson): given z nothing is left."""
    rng = np.random.default_rng(8)
    z = np.repeat([0, 1], 300)
    a, b = (rng.random((2, 600)) < 0.2 + 0.6 * z).astype(float)
    assert chi_squared(a, b, []).p_value < 1e-6
    given = chi_squared(a, b, [z])
    assert given.p_value > 0.01
    assert given.freedom == (2,)


def test_chi_squared_refuses_sparse_cells():
    world = fork(np.random.default_rng(9), 0.5, 52)
    with pytest.raises(Untestable, match="expect fewer than 5"):
        chi_squared(world["x"], world["y"], [world["z"], world["z"][::-1], world["x"][::-1]])
    with pytest.raises(Untestable, match="no stratum has two bins"):
        chi_squared(np.ones(50), world["y"][:50], [])


# -- regressions -------------------------------------------------------------------------------


def test_the_conditioning_reaches_as_far_as_the_graph_lags():
    rng = np.random.default_rng(10)
    columns = {v: remembering(rng, 0.5, 120) for v in "xyz"}
    asked = setting(columns, "z -> x @ 3\nz -> y")
    assert asked.reach == {"x": 0, "y": 0, "z": 3}
    regression = same_period(asked, asked.claims[0])
    assert max(c.lag for c in regression.conditioned) == 3 + asked.memory("x", "y")


def test_other_causes_are_held_fixed_where_the_graph_still_separates():
    columns = dict.fromkeys(("a", "b", "y", "w"), np.random.default_rng(11).normal(size=156))
    asked = setting(columns, "w -> y\nb -> y\na -> b")
    claims = {str(c) for c in asked.claims}
    assert "a _||_ y | b, w" in claims  # the listed separator is b alone
    assert {str(c) for c in setting(columns, "a -> y <- b\nw -> a <-> b").claims} >= {"b _||_ w"}


def test_few_rows_keep_the_listed_separator():
    columns = dict.fromkeys(("a", "b", "y", "w"), np.random.default_rng(11).normal(size=25))
    claims = {str(c) for c in setting(columns, "w -> y\nb -> y\na -> b").claims}
    assert "a _||_ y | b" in claims


def test_edges_of_one_pair_are_asked_together():
    columns = {v: np.random.default_rng(12).normal(size=156) for v in "xyz"}
    asked = setting(columns, "x -> y\nx -> y @ 4\nz -> y @ 1")
    regressions = dict(edge_regressions(asked))
    assert [*regressions] == ["x -> y @ 0, 4", "z -> y @ 1"]
    tested = [c.lag for c in regressions["x -> y @ 0, 4"].tested]
    assert {0, 4} <= {*tested}
    assert min(c.lag for c in regressions["x -> y @ 0, 4"].conditioned) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.ones(60)}, "'x' is constant"),
        ({"y": np.zeros(60)}, "'y' is constant"),
        ({"x": 3 * np.arange(60.0) % 7}, "determine 'x'"),
    ],
)
def test_what_cannot_vary_has_no_p_value(change, words):
    columns = fork(np.random.default_rng(13), 0.3, 60)
    if "3" in words or "determine" in words:
        change = {"x": 2 * columns["z"] + 1}
    asked = setting(columns | change)
    with pytest.raises(Untestable, match=words):
        partial_out(asked.table, same_period(asked, CLAIM), asked.calendar)


def test_too_few_rows_have_no_p_value():
    asked = setting(fork(np.random.default_rng(14), 0.3, 18))
    with pytest.raises(Untestable, match="are too few"):
        partial_out(asked.table, same_period(asked, CLAIM), asked.calendar)


def test_a_unit_without_variation_is_left_out():
    world = fork(np.random.default_rng(15), 0.3, 60, units=3)
    world["x"][1] = 5.0
    asked = setting(world)
    residuals = partial_out(asked.table, same_period(asked, CLAIM), asked.calendar)
    assert residuals.names == ("0", "2")


def test_a_regression_counts_its_leads_and_lags():
    regression = Regression("y", (Column("x", -2),), (Column("y", 3),))
    assert regression.lags == (-2, 3)


# -- the verb ----------------------------------------------------------------------------------


def test_a_right_graph_stands_and_a_wrong_one_falls():
    data = media()
    right = bc.check_graph(data, graph(RIGHT), companions=())
    assert not right.rejected
    assert {row.claim for row in right.edges if row.finding == Finding.SUPPORTED} == {
        "demand -> sales",
        "demand -> tv",
        "radio -> sales",
        "tv -> sales",
    }
    wrong = bc.check_graph(data, graph("demand -> sales\ntv, radio -> sales"), companions=())
    assert wrong.rejected
    assert only(wrong, "demand _||_ tv").finding == Finding.CONTRADICTED
    assert "<->" in only(wrong, "demand _||_ tv").sentence


def test_an_edge_that_is_not_there_has_no_support_and_is_not_called_absent():
    row = only(
        bc.check_graph(media(), graph(f"{RIGHT}\nradio -> tv"), companions=()), "radio -> tv"
    )
    assert row.finding == Finding.UNSUPPORTED
    assert "not to say that the edge is absent" in row.sentence
    assert 0.1 < row.decisive[0].detectable < 0.5


def test_a_missing_edge_that_acts_later_is_seen_by_earlier_values():
    rng = np.random.default_rng(21)
    x = rng.normal(size=156)
    y = np.r_[0, 0.6 * x[:-1]] + remembering(rng, 0.4, 156)
    data = weekly({"x": x, "y": y, "sales": x + y + rng.normal(size=156)})
    row = only(bc.check_graph(data, graph("x, y -> sales"), companions=()), "x _||_ y")
    same, lagged = row.decisive
    assert row.finding == Finding.CONTRADICTED
    assert lagged.p_value < 0.001 < same.p_value
    assert "x runs ahead" in row.sentence


@pytest.mark.parametrize(
    ("change", "least", "most"),
    [({}, 0, 2), ({"follow": 0.5}, 6, 8), ({"hidden": 1.5}, 2, 8)],
    ids=["a clean world", "a budget that follows sales", "a lasting hidden cause"],
)
def test_later_spend_must_not_tell_of_earlier_sales(change, least, most):
    """Eight worlds each; of 100 others 5, 98 and 40 had p < 0.05."""
    doubts = 0
    for seed in range(8):
        data = media(seed, **change)
        check = bc.check_graph(data, graph(RIGHT), treatments=["tv"], companions=())
        (control,) = (row for row in check.rows if row.kind == Kind.FUTURE)
        doubts += control.p_value < 0.05
        if control.finding == Finding.CONTRADICTED:
            assert "follows sales" in control.sentence
    assert least <= doubts <= most


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{RIGHT}\nsales -> tv @ 1", "tv follows sales"),
        (f"{RIGHT}\ntv <-> sales", "something unobserved"),
    ],
)
def test_what_the_graph_allows_is_no_negative_control(text, words):
    check = bc.check_graph(media(), graph(text), treatments=["tv"], companions=())
    (control,) = (row for row in check.rows if row.kind == Kind.FUTURE)
    assert control.finding == Finding.UNTESTED
    assert words in control.reason


def test_a_season_that_both_share_is_named_and_can_be_held_fixed():
    rng = np.random.default_rng(31)
    wave = np.sin(2 * np.pi * np.arange(156) / 52.18)
    x, y = (1.6 * wave + rng.normal(size=156) for _ in range(2))
    data = weekly({"x": x, "y": y, "sales": x + y + rng.normal(size=156)})
    row = only(bc.check_graph(data, graph("x, y -> sales"), companions=()), "x _||_ y")
    assert row.finding == Finding.CONTRADICTED
    assert "the calendar may be what they share" in row.sentence
    held = bc.check_graph(
        data, graph("x, y -> sales"), baseline=[bc.YearlySeasonality(2)], companions=()
    )
    assert only(held, "x _||_ y").finding == Finding.COMPATIBLE
    assert held.calendar == ("YearlySeasonality",)


def test_a_spec_brings_its_baseline_and_its_treatments(example):
    check = bc.check_graph(example.data, example.spec, companions=())
    assert check.calendar == ("LinearTrend", "YearlySeasonality")
    assert {row.claim.split()[1] for row in check.rows if row.kind == Kind.FUTURE} == {
        "social",
        "tv",
    }


def test_companions_stand_beside_and_decide_nothing(example):
    names = ("effective sample size", "kernel", "chi-squared")
    check = bc.check_graph(example.data, example.graph, companions=names, seed=3)
    row = next(r for r in check.rows if r.kind == Kind.INDEPENDENCE)
    assert [t.name for t in row.tests] == ["partial correlation", "lags", *names]
    assert row.decisive_count == 2
    alone = bc.check_graph(example.data, example.graph, companions=())
    pd.testing.assert_series_equal(alone.to_frame()["p_holm"], check.to_frame()["p_holm"])


def test_holm_counts_all_deciding_tests():
    check = bc.check_graph(media(), graph(RIGHT), treatments=["tv"], companions=())
    values = [t.p_value for row in check.claims for t in row.decisive]
    smallest = min(check.claims, key=lambda row: row.p_value)
    assert smallest.p_holm == pytest.approx(min(1.0, min(values) * len(values)))
    assert smallest.p_bh <= smallest.p_holm


def test_a_complete_graph_claims_nothing():
    check = bc.check_graph(media()[["tv", "sales"]], graph("tv -> sales"))
    assert not check.claims
    assert not check.rejected
    assert "No claim of this graph could be tested" in check.sentence
    assert "data cannot contradict it" in repr(check)


def test_feedback_implies_no_independence_and_its_edges_are_tested():
    data = media(5, follow=0.5)
    check = bc.check_graph(data, graph(f"{RIGHT}\nsales -> tv @ 1"), companions=())
    assert "Lagged edges close a cycle" in repr(check)
    assert only(check, "sales -> tv @ 1").finding == Finding.SUPPORTED


def test_of_several_outcomes_each_has_the_controls_of_what_reaches_it():
    data = media(6).assign(visits=remembering(np.random.default_rng(9), 0.5, 156))
    text = f"{RIGHT}\nradio -> visits"
    claims = bc.Graph.parse(text, outcome=["sales", "visits"])
    check = bc.check_graph(data, claims, treatments=["tv", "radio"], companions=())
    controls = {r.claim.split(" | ")[0] for r in check.rows if r.kind == Kind.FUTURE}
    assert controls == {
        "later tv _||_ sales",
        "later radio _||_ sales",
        "later radio _||_ visits",
    }


def test_memory_can_be_an_edge():
    data = media(6)
    check = bc.check_graph(data, graph(f"{RIGHT}\nsales -> sales @ 1"), companions=())
    assert only(check, "sales -> sales @ 1").finding == Finding.SUPPORTED


def test_latent_nodes_are_projected_out():
    text = f"{RIGHT}\nmood -> demand, radio\nlatent: mood"
    check = bc.check_graph(media(), graph(text), companions=())
    claims = {row.claim for row in check.rows}
    assert not any("mood" in claim for claim in claims)
    assert not any(c.startswith(("demand _||_ radio", "radio _||_ demand")) for c in claims)


def test_a_panel_is_pooled_by_period():
    frames = []
    for k, unit in enumerate(("north", "south", "west")):
        frames.append(media(50 + k, n=78).assign(unit=unit).rename_axis("week").reset_index())
    data = bc.Dataset.from_frame(
        pd.concat(frames), time="week", unit="unit", columns=["demand", "tv", "radio", "sales"]
    )
    check = bc.check_graph(data, graph(RIGHT), treatments=["tv"], companions=("chi-squared",))
    assert check.units == 3
    assert not check.rejected
    assert "Units are pooled by period" in repr(check)
    assert "units share periods" in check.rows[0].hints[0]
    wrong = bc.check_graph(data, graph("demand -> sales\ntv, radio -> sales"), companions=())
    assert wrong.rejected


def test_history_without_outcome_is_left_out_and_with_it_is_used():
    frame = media(7).rename_axis("week").reset_index()
    whole = bc.Dataset.from_frame(frame, time="week", history=8)
    frame.loc[:7, "sales"] = np.nan
    holed = bc.Dataset.from_frame(frame, time="week", history=8)
    assert bc.check_graph(whole, graph(RIGHT), companions=()).periods == 156
    assert bc.check_graph(holed, graph(RIGHT), companions=()).periods == 148


def test_a_short_table_gives_reasons_and_no_p_values():
    check = bc.check_graph(media(n=14), graph(RIGHT), treatments=["tv"])
    assert all(row.finding == Finding.UNTESTED for row in check.rows)
    assert all("too few" in row.reason for row in check.rows)
    assert check.to_frame()["p_value"].isna().all()
    assert not check.rejected


def test_a_constant_column_is_named():
    data = media().assign(radio=2.0)
    check = bc.check_graph(data, graph(RIGHT), companions=())
    assert only(check, "radio -> sales").reason == "'radio' is constant"


def test_results_do_not_depend_on_names_and_repeat():
    data = media(8)
    first = bc.check_graph(data, graph(RIGHT), seed=1)
    again = bc.check_graph(data, graph(RIGHT), seed=1)
    pd.testing.assert_frame_equal(first.to_frame(), again.to_frame())
    names = {"demand": "zz", "tv": "aa", "radio": "mm", "sales": "kk"}
    text = RIGHT
    for old, new in names.items():
        text = text.replace(old, new)
    renamed = bc.check_graph(data.rename(columns=names), graph(text, "kk"), companions=())
    for (old, new), columns in ((("tv", "aa"), "decisive"),):
        ours = only(first, f"{old} -> sales")
        theirs = only(renamed, f"{new} -> kk")
        assert getattr(ours, columns)[0].p_value == pytest.approx(
            getattr(theirs, columns)[0].p_value
        )


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"companions": ["kernal"]}, SpecError, "Did you mean 'kernel'"),
        ({"level": 5}, SpecError, "Write 0.05"),
        ({"lags": 0}, SpecError, "1 or more"),
        ({"seed": -1}, SpecError, "seed"),
        ({"baseline": ["yearly"]}, SpecError, "list of terms"),
        ({"treatments": ["tvv"]}, SpecError, "Did you mean 'tv'"),
    ],
)
def test_settings_are_checked(settings, error, words):
    with pytest.raises(error, match=words):
        bc.check_graph(media(), graph(RIGHT), **settings)


def test_data_and_graph_are_checked():
    with pytest.raises(DataError, match="no such column"):
        bc.check_graph(media(), graph("tvv -> sales"))
    with pytest.raises(GraphError, match="asks a Graph"):
        bc.check_graph(media(), "tv -> sales")
    with pytest.raises(DataError, match="A baseline needs dates"):
        bc.check_graph(media().reset_index(drop=True), graph(RIGHT), baseline=[bc.LinearTrend()])


def test_the_page_fits_a_terminal_and_the_table_has_every_row(example):
    check = bc.check_graph(example.data, example.spec)
    assert isinstance(check, GraphCheck)
    assert max(map(len, repr(check).splitlines())) <= 100
    table = check.to_frame()
    assert len(table) == len(check.rows)
    assert {"kind", "claim", "finding", "p_holm", "p_bh", "detectable", "kernel"} <= {*table}
    assert "<table" in check._repr_html_()


def test_the_plot_shows_every_tested_claim(example):
    check = bc.check_graph(example.data, example.spec, companions=())
    figure = bc.plot_graph_check(check)
    labels = [text.get_text() for ax in figure.axes for text in ax.get_yticklabels()]
    assert len(labels) == sum(not row.reason for row in check.rows)
    with pytest.raises(SpecError, match="check_graph"):
        bc.plot_graph_check(example.data)
