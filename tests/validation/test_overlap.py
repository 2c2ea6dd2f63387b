"""`overlap`: what data have seen of each channel, national and in panels."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from linear_worlds import linear_fit
from statsmodels.stats.outliers_influence import variance_inflation_factor

import bayescausal as bc
from bayescausal.errors import DataError, SpecError
from bayescausal.validation.overlap import ChannelOverlap, Light
from bayescausal.validation.own_variation import OwnVariation

WEEKS = 120
PLAIN = bc.Response()


def dataset(units=(), **columns):
    week = pd.date_range("2022-01-03", periods=WEEKS, freq="7D")
    frames = [
        pd.DataFrame(
            {"week": week, "geo": unit} | {k: np.atleast_2d(v)[i] for k, v in columns.items()}
        )
        for i, unit in enumerate(units or ("all",))
    ]
    frame = pd.concat(frames)
    spend = [name for name in columns if name in ("tv", "radio")]
    if not units:
        return bc.Dataset.from_frame(frame.drop(columns="geo"), time="week", spend=spend)
    return bc.Dataset.from_frame(frame, time="week", unit="geo", spend=spend)


def spec(text="demand -> tv, sales\ntv, radio -> sales", response=PLAIN):
    graph = bc.Graph.parse(text, outcome="sales")
    acting = {v: response for v in ("tv", "radio") if v in graph.nodes}
    return bc.Spec(graph, acting, noise=bc.NormalNoise())


def world(seed=0, follow=0.0, dark=False, twin=0.0, level=100.0, swing=30.0):
    """Two channels and demand; `follow` ties tv to demand, `twin` radio to tv."""
    rng = np.random.default_rng(seed)
    demand = rng.normal(size=WEEKS)
    tv = level + swing * (follow * demand + np.sqrt(1 - follow**2) * rng.normal(size=WEEKS))
    tv = np.clip(tv, 0, None) * (np.arange(WEEKS) % 10 < 5 if dark else 1)
    radio = twin * tv + rng.gamma(4, 20, WEEKS)
    return {"demand": 50 + 5 * demand, "tv": tv, "radio": radio, "sales": 500 + tv + radio}


def row(columns, channel="tv", question="spend off", claims=None, units=()):
    found = bc.overlap(claims or spec(), dataset(units, **columns))
    return next(r for r in found.rows if (r.channel, r.question) == (channel, question))


def test_residual_share_and_vif_are_those_of_a_regression():
    columns = world(1, follow=0.6)
    result = row(columns)
    assert result.held == ("demand", "radio")
    design = sm.add_constant(np.stack([columns["demand"], columns["radio"]], axis=1))
    regression = sm.OLS(columns["tv"], design).fit()
    assert result.residual_share == pytest.approx(1 - regression.rsquared)
    everything = np.column_stack([columns["tv"], design])
    assert result.vif == pytest.approx(variance_inflation_factor(everything, 0))
    own_swing = np.sqrt(regression.mse_resid) / columns["tv"].mean()
    assert result.own_swing == pytest.approx(own_swing)


def test_half_of_the_information_is_counted_from_the_largest_squares():
    residual = np.array([[3.0, -1, 1, -3, 0, 0, 1, -1]])
    variation = OwnVariation(10 + residual, np.full((1, 8), 10.0), 10 + residual, 7)
    assert variation.carrying_periods == 2  # 9 + 9 of 22
    assert OwnVariation(residual, 0 * residual, residual, 7).carrying_periods == 2


def test_support_is_nearness_to_what_is_expected_and_to_what_was_seen():
    residual = np.array([[2.0, -2.0, 2.0, -2.0]])
    variation = OwnVariation(10 + residual, np.full((1, 4), 10.0), 10 + residual, 4)
    assert variation.residual_sd == 2.0
    seen = variation.supported(np.array([[12.5, 12.7, 7.5, 7.3]]))  # a twentieth of 12 beyond
    assert seen.tolist() == [[True, False, True, False]]


def test_a_propensity_of_a_random_channel_leaves_all_periods():
    x = np.random.default_rng(2).normal(size=(1, 400))
    flat = OwnVariation(x, np.full_like(x, x.mean()), x, 399)
    assert flat.weighted_size == pytest.approx(1.0, abs=0.01)
    driven = np.random.default_rng(3).normal(size=(1, 400))
    tied = OwnVariation(driven + 0.3 * x, driven, x, 399)
    assert tied.weighted_size < 0.3


def test_dark_weeks_show_what_no_spend_does():
    dark, always = row(world(4, dark=True)), row(world(4))
    assert dark.supported > 0.9
    assert always.supported == 0.0
    assert dark.flights == 12
    assert always.flights == 1
    assert (dark.light, always.light) == (Light.GREEN, Light.RED)
    assert "without it lies inside what was seen in 0% of periods" in always.sentence
    more = row(world(4), question="20% more")
    assert more.supported > 0.7
    assert more.light == Light.GREEN


@pytest.mark.parametrize(
    ("settings", "light", "words"),
    [
        ({"dark": True}, "green", "carry half of the information"),
        ({"dark": True, "follow": 0.0, "twin": 0.9}, "amber", "moves with"),
        ({"follow": 0.97}, "red", "VIF"),
        ({"swing": 3.0}, "red", "no experiment in the data"),
    ],
)
def test_a_light_has_its_reason(settings, light, words):
    result = row(world(5, **settings), question="20% more")
    if settings.get("twin"):
        columns = world(5, **settings)
        columns["radio"] = columns["tv"] + np.random.default_rng(1).normal(150, 35, WEEKS)
        result = row(columns, question="20% more")
    assert result.light == light
    assert words in " ".join([result.sentence, *(text for _, text in result.findings)])


def test_few_periods_that_carry_it_all_are_pointed_out():
    columns = world(6)
    columns["tv"] = np.full(WEEKS, 10.0) + np.where(np.arange(WEEKS) % 40 == 5, 300.0, 0.0)
    result = row(columns)
    assert result.carrying_periods == 2
    assert any("2 of 120 periods carry half" in text for _, text in result.findings)


def test_a_constant_channel_is_refused_by_name():
    with pytest.raises(DataError, match="'tv' is constant"):
        row(world(7) | {"tv": np.full(WEEKS, 5.0)})


def test_too_few_rows_have_a_reason():
    columns = {k: v[:12] for k, v in world(8).items()}
    week = pd.date_range("2022-01-03", periods=12, freq="7D")
    data = bc.Dataset.from_frame(pd.DataFrame({"week": week, **columns}), time="week", spend=["tv"])
    found = bc.overlap(replace(spec(), baseline=(bc.YearlySeasonality(1),)), data)
    assert all("too few" in r.reason for r in found.rows)


def test_trend_and_seasons_are_held_fixed():
    columns = world(9)
    wave = np.sin(2 * np.pi * np.arange(WEEKS) * 7 / 365.25)
    columns["tv"] = 100 + 30 * wave + np.random.default_rng(1).normal(0, 5, WEEKS)
    plain = row(columns)
    seasonal = row(columns, claims=replace(spec(), baseline=(bc.YearlySeasonality(1),)))
    assert plain.residual_share > 0.9
    assert seasonal.residual_share < 0.15


def test_a_panel_has_levels_of_its_own_and_counts_periods():
    rng = np.random.default_rng(10)
    shared = rng.normal(size=WEEKS)
    own = rng.normal(size=(3, WEEKS))
    columns = {
        "demand": 50 + own,
        "tv": np.array([[50.0], [200.0], [400.0]]) * (1 + 0.2 * shared),
        "radio": rng.gamma(4, 20, (3, WEEKS)),
    }
    columns["sales"] = 500 + columns["tv"] + columns["radio"] + rng.normal(size=(3, WEEKS))
    result = row(columns, units=("a", "b", "c"))
    assert result.periods == WEEKS
    assert result.residual_share > 0.8  # levels of units are no variation
    assert result.supported == 0.0


def test_a_fit_adds_the_share_that_is_extrapolation(example_fit):
    table = bc.overlap(example_fit).to_frame()
    shares = table["extrapolated_share"].xs("spend off", level="question")
    for channel, share in shares.items():
        draws = bc.extrapolated_share(example_fit, channel)
        assert share == pytest.approx(float(draws.median()))
    assert shares["tv"] == 0.0  # flights of three weeks, and longer gaps
    assert shares["search"] > 0.5  # always on
    assert table["extrapolated_share"].xs("20% more", level="question").isna().all()


def test_every_total_effect_carries_the_share(example_fit):
    """One column: of effects, returns, contributions, business measures; not of slopes."""
    known = example_fit.evidence.learned["extrapolated_share"]
    for table in (
        bc.summarize(bc.contributions(example_fit, ["search", "social", "tv"], total=True)),
        bc.summarize(bc.roas(example_fit)),
    ):
        assert table["extrapolated_share"].to_dict() == pytest.approx(known)
    one = bc.summarize(bc.effect(example_fit, "social"))
    assert one["extrapolated_share"].item() == pytest.approx(known["social"])
    parts = bc.summarize(bc.decompose(example_fit, "tv"))["extrapolated_share"]
    assert parts["total"] == known["tv"]
    assert parts[["direct", "indirect"]].isna().all()
    measures = bc.summarize(bc.business_measures(example_fit))["extrapolated_share"]
    assert measures["search", "roas"] == pytest.approx(known["search"])
    assert "extrapolated_share" not in bc.summarize(bc.mroas(example_fit))
    more = bc.Estimand({"tv": bc.Times(1.1)})
    assert "extrapolated_share" not in bc.summarize(bc.effect(example_fit, more))


def test_a_window_has_its_own_share(example_fit):
    window = bc.incremental("social").during("2024-09-02", "2024-10-13")
    draws = bc.extrapolated_share(example_fit, window)
    assert draws.dims == ("chain", "draw")
    table = bc.summarize(bc.effect(example_fit, window))
    assert table["extrapolated_share"].item() == pytest.approx(float(draws.median()))


def test_a_grade_says_when_most_is_extrapolation(example_fit):
    grade = example_fit.grades["search"]
    assert grade.extrapolated_share == example_fit.evidence.learned["extrapolated_share"]["search"]
    assert "of it lies below the lowest exposure that was observed" in str(grade)
    assert "lowest exposure" not in str(example_fit.grades["tv"])


def test_a_fit_saved_before_says_nothing_of_it_in_grades_and_works_it_out_in_tables(example_fit):
    tree = example_fit.tree.copy()
    learned = {k: v for k, v in example_fit.evidence.learned.items() if k != "extrapolated_share"}
    tree.attrs = {**tree.attrs, "evidence": json.dumps(learned)}
    old = replace(example_fit, tree=tree)
    assert np.isnan(old.grades["search"].extrapolated_share)
    table = bc.summarize(bc.effect(old, "search"))
    known = example_fit.evidence.learned["extrapolated_share"]["search"]
    assert table["extrapolated_share"].item() == pytest.approx(known)


def test_an_effect_of_nothing_has_no_share():
    fit = linear_fit(coefficients={"a->y": (0.0, 0.0), "b->y": (1.0, 0.0), "c->y": (0.2, 0.0)})
    assert "extrapolated_share" not in bc.summarize(bc.effect(fit, "a"))
    share = bc.summarize(bc.effect(fit, "b"))["extrapolated_share"].item()
    path = fit.data.array("b")
    assert share == pytest.approx(path.min() / path.mean())  # a straight line


def test_a_share_is_asked_of_what_takes_exposure_away(example_fit):
    with pytest.raises(SpecError, match="does not take exposure away"):
        bc.extrapolated_share(example_fit, bc.Estimand({"tv": bc.Times(1.1)}))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s, d: bc.overlap(s), "needs data"),
        (lambda s, d: bc.overlap(s.graph, d), "takes a Fit, or a Spec and a Dataset"),
        (lambda s, d: bc.overlap(s, d, channels=["tvv"]), "Did you mean 'tv'"),
        (lambda s, d: bc.overlap(s, d, channel="tv"), "Did you mean 'channels'"),
    ],
)
def test_arguments_are_checked(call, words):
    with pytest.raises(SpecError, match=words):
        call(spec(), dataset(**world()))


def test_the_page_fits_a_terminal(example_fit):
    result = bc.overlap(example_fit)
    assert max(map(len, repr(result).splitlines())) <= 100
    assert "<table" in result._repr_html_()
    assert all(isinstance(r, ChannelOverlap) for r in result.rows)
