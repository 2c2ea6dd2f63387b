"""Refuters: what they alter, what they may say, and that they say it of real refits."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear_worlds import linear_fit

import bayescausal as bc
from bayescausal.errors import SpecError
from bayescausal.inference.settings import Settings
from bayescausal.model.predict import generate, observed_shocks
from bayescausal.queries.effects import effect
from bayescausal.specs.prior import Prior
from bayescausal.validation.altered_worlds import (
    centered,
    is_centered,
    permuted_blocks,
    rearranged,
    replica,
    resampled_shocks,
    without_effect,
    without_leaning,
    without_tests_of,
)
from bayescausal.validation.refutation import _obstacle, _too_rough, seconds_per_refit
from bayescausal.validation.refutation_verdicts import (
    Results,
    alarm,
    block_verdict,
    common_cause_verdict,
    rank_p_value,
    sampling_verdict,
    zero_verdict,
)
from bayescausal.validation.refuters import REFUTERS, as_refuter
from bayescausal.validation.world_refits import CompiledOnce, Job, run

GRAPH = bc.Graph.parse("season -> tv, sales\ntv -> sales", outcome="sales")
SPEC = bc.Spec(GRAPH, treatments=("tv",), noise=bc.NormalNoise())


def weeks(effect, seed, periods=80):
    """Flighted tv that follows the season, with independent errors."""
    rng = np.random.default_rng(seed)
    season = np.sin(2 * np.pi * np.arange(periods) / 52)
    tv = np.maximum(season + rng.gamma(1.0, 2.0, periods), 0.0)
    sales = 50 + 3 * season + effect * tv + rng.normal(size=periods)
    time = pd.date_range("2024-01-01", periods=periods, freq="7D")
    frame = pd.DataFrame({"week": time, "tv": tv, "season": season, "sales": sales})
    return bc.Dataset.from_frame(frame, time="week", spend=["tv"])


@pytest.fixture(scope="module")
def clear():
    """A real posterior in a world in which tv has an effect."""
    return bc.fit(SPEC, weeks(0.5, 11), seed=1, progress=False)


@pytest.fixture(scope="module")
def shifted(clear):
    return bc.refute(clear, "tv", bc.PlaceboShift(least=10), refits=9, seed=3, progress=False)


# -- what is altered -------------------------------------------------------------------------------


def test_observed_shocks_generate_the_data_again(example_fit):
    """`observed_shocks` undoes `generate`: memory of errors, mediators and all."""
    equations = example_fit.equations(np.array([7]))
    shocks = observed_shocks(equations)
    paths = generate(equations, np.random.default_rng(0), shocks=shocks)
    for node in example_fit.spec.modelled:
        np.testing.assert_allclose(paths[node][0], example_fit.data.array(node), rtol=1e-9)


def test_without_its_effect_a_treatment_does_nothing_and_all_else_stays(example_fit):
    equations = example_fit.equations(np.array([7]))
    off = without_effect(equations, "tv")
    control, _ = off.intervene(do={"tv": np.zeros_like(equations.x["tv"])})
    np.testing.assert_array_equal(
        np.broadcast_to(control["sales"], (1, len(example_fit.data.time)))[0],
        example_fit.data.array("sales"),
    )
    data = replica(off, np.random.default_rng(0))
    for name in example_fit.data.columns:
        same = np.array_equal(data.array(name), example_fit.data.array(name))
        assert same == (name not in example_fit.spec.modelled)
    assert data.spend == example_fit.data.spend


def test_a_confounded_treatment_keeps_its_path_and_its_shocks():
    fit = linear_fit("a -> y\na <-> y", coefficients={"a->y": (1.0, 0.1)})
    equations = fit.equations(np.array([3]))
    shocks = observed_shocks(equations)
    again = replica(equations, np.random.default_rng(0), shocks)
    np.testing.assert_array_equal(again.array("a"), fit.data.array("a"))
    np.testing.assert_allclose(again.array("y"), fit.data.array("y"), rtol=1e-9)
    other = replica(equations, np.random.default_rng(0))
    np.testing.assert_array_equal(other.array("a"), fit.data.array("a"))
    assert not np.allclose(other.array("y"), fit.data.array("y"))


def test_resampled_shocks_are_those_of_neighboring_weeks_of_all_nodes_together(example_fit):
    equations = example_fit.equations(np.array([7]))
    drawn = resampled_shocks(equations, 6, np.random.default_rng(2))
    places = {}
    for node, shock in observed_shocks(equations).items():
        known = (shock - shock.mean())[0]
        places[node] = np.abs(known[:, None] - drawn[node][0]).argmin(axis=0)
        np.testing.assert_allclose(known[places[node]], drawn[node][0], atol=1e-9)
    first, *others = places.values()
    assert all(np.array_equal(first, place) for place in others)
    steps = np.diff(first[:12]).reshape(-1)
    assert (np.delete(steps, 5) == 1).all()  # two blocks of six


@given(st.integers(20, 200), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_permuted_blocks_hold_every_week_once_and_move_most(periods, length, seed):
    order = permuted_blocks(periods, length, np.random.default_rng(seed))
    assert sorted(order) == list(range(periods))
    assert np.mean(order == np.arange(periods)) <= 0.1
    follows = (np.diff(order) % periods == 1).mean()
    assert follows >= 1 - (periods // length) / (periods - 1)


def test_a_placebo_moves_the_treatment_and_what_it_cost_alike_in_all_units():
    fit = linear_fit("a, b -> y", coefficients={}, units=("n", "s"), rows=30)
    moved = rearranged(fit.data, "a", np.roll(np.arange(30), 4))
    for name in fit.data.columns:
        expected = fit.data.array(name)
        if name in ("a", "cost"):
            expected = np.roll(expected, 4, axis=-1)
        np.testing.assert_array_equal(moved.array(name), expected)


def test_a_prior_that_leans_is_centered_and_one_that_does_not_is_kept(example_fit):
    leaning = bc.MediaContribution().prior
    assert not is_centered(leaning)
    assert not is_centered(Prior("HalfNormal", sigma=1.0))
    reach = max(abs(leaning.quantile(np.array([0.025, 0.975]))))
    assert centered(leaning).quantile(0.975) == pytest.approx(reach, rel=1e-6)
    assert is_centered(centered(leaning))
    spec = without_leaning(example_fit.spec, "tv")
    for edge, response in spec.mechanisms.items():
        before = example_fit.spec.mechanisms[edge]
        assert response.transforms == before.transforms
        assert (response == before) == (edge.source != "tv")
    assert without_leaning(SPEC, "tv") == SPEC
    names = [t.name for t in without_tests_of(example_fit.spec, "tv").experiments]
    assert names == ["social_autumn"]


# -- what may be said ------------------------------------------------------------------------------


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60), st.floats(-10, 10))
def test_p_values_are_ranks(z, reference):
    p = rank_p_value(np.array(z), reference)
    assert 1 / (len(z) + 1) <= p <= 1


def results(medians, reference=3.0, sd=1.0, truth=0.0, prob=0.9):
    medians = np.asarray(medians, dtype=float)
    table = pd.DataFrame({"median": medians, "sd": sd, "truth": truth})
    table["low"], table["high"] = medians - 1.645 * sd, medians + 1.645 * sd
    table["z"] = (table["median"] - truth) / sd
    table["world"] = [f"block {k}" for k in range(len(table))]
    row = {"median": reference, "sd": 1.0, "low": reference - 1.645, "high": reference + 1.645}
    return Results("tv", table, pd.Series(row), prob)


def test_worlds_without_effect_are_judged_by_how_many_show_one():
    quiet = np.linspace(-1, 1, 20)
    passed = zero_verdict(results(quiet), "placebos")
    assert (passed.status, passed.p_value) == ("pass", pytest.approx(1 / 21))
    assert "the smallest that 20 refits can give" in passed.sentence
    named = zero_verdict(results(quiet)._replace(treatment="TV_Brand"), "placebos")
    assert named.sentence.startswith("The effect of TV_Brand ")
    assert zero_verdict(results(2.5 * quiet), "placebos").status == "fail"
    loud = np.r_[quiet[:16], 4.0, -4.0, 4.0, -4.0]  # four beyond the data: p = 5 / 21
    assert zero_verdict(results(loud), "placebos").status == "look"
    none = zero_verdict(results(quiet, reference=0.5), "placebos")
    assert none.status == "pass"
    assert "No effect of tv is claimed" in none.sentence
    few = zero_verdict(results([-1.0, 1.0, 4.0, 0.0]), "placebos")  # p cannot fall below 0.2
    assert few.status == "pass"


def test_alarms_grow_with_misses():
    order = ["pass", "look", "fail"]
    levels = [order.index(alarm(misses, 20, 0.9)) for misses in range(21)]
    assert levels == sorted(levels)
    assert {*levels} == {0, 1, 2}


def test_a_bootstrap_has_an_interval_only_of_enough_refits():
    z = np.linspace(-2, 2, 20)
    verdict = sampling_verdict(results(z, reference=1.8))
    assert verdict.interval == pytest.approx((1.8 - 1.99, 1.8 + 1.99), abs=0.02)
    assert verdict.status == "look"
    assert "It holds zero" in verdict.sentence
    assert sampling_verdict(results(z[:10])).interval is None


def test_an_added_cause_or_a_left_out_block_may_move_the_effect_a_little():
    assert common_cause_verdict(results(3 + np.linspace(-0.5, 0.5, 20))).status == "pass"
    assert common_cause_verdict(results(3 + np.r_[[0.5] * 10, [-0.5] * 10])).status == "look"
    assert common_cause_verdict(results(3 + np.r_[[1.0] * 10, [-1.0] * 10])).status == "fail"
    assert np.isnan(common_cause_verdict(results([3.0, 3.1])).p_value)
    even = 3 + np.linspace(-0.4, 0.4, 10)
    assert block_verdict(results(even)).status == "pass"
    one = block_verdict(results(np.r_[even[:9], 1.5]))
    assert one.status == "look"
    assert "block 9" in one.sentence
    assert block_verdict(results(np.r_[even[:9], -0.5])).status == "fail"


# -- real refits -----------------------------------------------------------------------------------


def test_a_true_effect_stands_out_of_shifted_series(clear, shifted):
    assert shifted.status == "pass"
    assert shifted.p_value == pytest.approx(0.1)  # the smallest of nine
    assert (shifted.table["problem"] == "").all()
    assert (shifted.table["truth"] == 0).all()
    assert abs(shifted.table["z"].mean()) < 1  # three standard errors of nine
    assert shifted.notes == ()  # no test, no leaning prior: it is compared with the fit
    draws = effect(clear, "tv").to_numpy()
    assert shifted.reference["median"] == pytest.approx(np.median(draws))
    assert "placebo shift of tv on sales: pass" in str(shifted).lower()


def test_an_executor_gives_the_same_numbers_and_says_what_is_done(clear, shifted, caplog):
    with ThreadPoolExecutor(2) as pool, caplog.at_level(logging.INFO, "bayescausal"):
        again = bc.refute(clear, "tv", bc.PlaceboShift(10), refits=9, seed=3, executor=pool)
    columns = ["world", "median", "low", "high"]
    pd.testing.assert_frame_equal(again.table[columns], shifted.table[columns])
    assert "9 of 9 refits" in caplog.text


def test_a_masked_block_says_nothing_of_the_effect(clear):
    """Without its last five weeks a fit cannot know what sales were in it."""
    plan = bc.LeftOutBlocks().plan(
        clear, bc.incremental("tv", outcome="sales"), 16, np.random.default_rng(0)
    )
    world = plan.worlds[-1]
    sales = world.data.array("sales").copy()
    sales[-5:] -= 20 * world.data.array("tv")[-5:] / world.data.array("tv").max()
    altered = replace(world.data, table=world.data.table.assign(sales=("time", sales)))
    rows = refitted(plan.spec, [world.data, altered])
    assert rows[0]["problem"] == rows[1]["problem"] == ""
    assert abs(rows[0]["median"] - rows[1]["median"]) < 0.3 * rows[0]["sd"]


def refitted(spec, datasets, lifts=({}, {})):
    """Rows of refits of one model in other data."""
    model, estimand = CompiledOnce.of(spec, datasets[0]), bc.incremental("tv", outcome="sales")
    settings = Settings(rounds=3, progress=False)
    jobs = [
        Job(model, d, lift, estimand, 0.9, settings, 5)
        for d, lift in zip(datasets, lifts, strict=False)
    ]
    return run(dict(enumerate(jobs)), None, progress=False)


def test_a_refit_that_fails_is_reported_while_the_others_go_on(clear):
    rows = refitted(SPEC, [clear.data, clear.data], ({"no such test": np.ones(())}, {}))
    assert "no such test" in rows[0]["problem"]
    assert np.isnan(rows[0]["median"])
    assert rows[1]["problem"] == ""
    assert rows[1]["median"] > 0


def test_nothing_is_said_when_too_few_refits_count(clear, shifted):
    table = shifted.table.assign(problem=["ValueError: no"] * 3 + [""] * 6)
    obstacle = _obstacle(table, table[table["problem"] == ""], "")
    assert "Only 6 of 9 refits" in obstacle
    assert "ValueError: no" in obstacle
    assert "cannot be used: stuck" in _obstacle(shifted.table, shifted.usable, "stuck")
    assert _obstacle(shifted.table, shifted.usable, "") == ""


def test_refits_by_drafts_are_labeled_and_checked_against_nuts(clear, shifted):
    rough = bc.refute(clear, "tv", bc.PlaceboShift(10), refits=9, seed=3, draft=True)
    assert rough.draft_gap < 0.3  # five Monte-Carlo errors of two medians
    assert "of tv on sales (DRAFTS): pass" in rough.title
    assert "Refits are drafts (method='laplace'). In 3 worlds NUTS was asked too" in str(rough)
    assert (rough.table["problem"] == "").all()
    off = (rough.table["median"] - shifted.table["median"]) / shifted.table["sd"]
    assert off.abs().max() < 0.3
    assert shifted.draft_gap is None
    assert "(DRAFTS): pass" in bc.plot_refutation(rough).texts[0].get_text()
    assert _too_rough(None) == _too_rough(0.1) == ""
    assert "differ by 0.40 of its standard deviations" in _too_rough(0.4)
    assert "Write draft=False" in _too_rough(np.nan)


@pytest.mark.parametrize("method", ["dummy outcome", "block bootstrap"])
def test_simulated_outcomes_are_fitted_and_compared_with_what_is_true_in_them(clear, method):
    refutation = bc.refute(clear, "tv", method, refits=4, seed=2, progress=False)
    table = refutation.table
    assert (table["problem"] == "").all()
    assert (table["truth"] == 0).all() == (method == "dummy outcome")
    assert (table["z"].abs() < 4).all()
    assert 1 / 5 <= refutation.p_value <= 1
    assert refutation.interval is None


def test_what_cannot_be_refuted_is_refused_with_advice(clear, augmented_fit):
    def refute(*arguments, **settings):
        with pytest.raises(SpecError) as problem:
            bc.refute(*arguments, **{"progress": False, "seed": 1} | settings)
        return str(problem.value)

    assert "Did you mean 'placebo shift'?" in refute(clear, "tv", "placebo shft")
    assert "PlaceboShift()" in refute(clear, "tv", 3)
    assert "tv" in refute(clear, "radio")
    assert "Ask for fewer refits=" in refute(clear, "tv", bc.PlaceboShift(30), refits=40)
    assert "PlaceboBlocks(length=...)" in refute(clear, "tv", bc.PlaceboBlocks(30))
    assert "BlockBootstrap(length=...)" in refute(clear, "tv", bc.BlockBootstrap(30))
    assert "got refits=60" in refute(clear, "tv", bc.LeftOutBlocks(), refits=60)
    assert "4 or more" in refute(clear, "tv", refits=2)
    assert "ProcessPoolExecutor(2)" in refute(clear, "tv", executor=2)
    assert "refute(fit.plain" in refute(augmented_fit, augmented_fit.spec.treatments[0])
    panel = linear_fit("a -> y", coefficients={}, units=("n", "s"))
    assert "Leave units out" in refute(panel, "a", bc.LeftOutBlocks())
    with pytest.raises(SpecError, match="PlaceboShift: least"):
        bc.PlaceboShift(least=0)


def test_a_name_is_a_method_with_its_defaults():
    assert as_refuter("left-out blocks") == bc.LeftOutBlocks()
    assert {type(as_refuter(name)).__name__ for name in REFUTERS} <= {*bc.__all__}


def test_the_cost_of_a_refit_follows_from_the_times_of_the_fit(clear):
    seconds = clear.info["run"]
    assert 0 < seconds_per_refit(clear) <= seconds["compile_seconds"] + seconds["sample_seconds"]


# -- at size ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_without_an_effect_placebos_are_centered_on_zero_and_the_data_are_among_them():
    ps, z = [], []
    for seed in range(6):
        fit = bc.fit(SPEC, weeks(0.0, 100 + seed, 104), seed=seed, progress=False)
        refutation = bc.refute(fit, "tv", refits=19, seed=seed, progress=False)
        ps.append(refutation.p_value)
        z += list(refutation.table["z"])
        assert refutation.status != "fail"
    assert sum(p <= 0.05 for p in ps) <= 2  # three of six at 5 percent: one time in 500
    assert abs(np.mean(z)) < 0.3  # worlds share nothing; six means of nineteen, sd about 0.1
    with_effect = bc.fit(SPEC, weeks(0.5, 200, 104), seed=1, progress=False)
    refutation = bc.refute(with_effect, "tv", refits=19, seed=1, progress=False)
    assert refutation.p_value == pytest.approx(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("method", list(REFUTERS))
def test_every_refuter_runs_on_a_funnel_with_tests_and_memory(example_fit, method):
    refutation = bc.refute(example_fit, "tv", method, refits=5, seed=1, progress=False)
    assert (refutation.table["problem"] == "").sum() >= 4
    dropped = method in ("placebo shift", "placebo blocks", "dummy outcome")
    assert any("tv_winter" in note for note in refutation.notes) == dropped
    assert np.isnan(refutation.p_value) == (method in ("random common cause", "left-out blocks"))
