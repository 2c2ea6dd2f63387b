"""Ranking of tests against direct conditioning of Gaussians, on plain linear edges.

The draws are set by hand: a posterior of independent coefficients, so that nothing is sampled.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from linear_worlds import DRAWS, linear_fit
from scipy import stats
from scipy.linalg import toeplitz

import bayescausal as bc
from bayescausal.decisions.experiment_ranking import (
    Candidate,
    expected_std_error,
    information,
    rank_experiments,
)
from bayescausal.errors import DataError, GraphError, NotConverged, SpecError
from bayescausal.experiments.estimand import Estimand, Plus, Times, incremental
from bayescausal.inference.fit import effect_draws
from bayescausal.model.errors import fresh

EXACT = {"rtol": 1e-9}
# Two independent samples of n draws have n rho^2 ~ chi-squared(1): 20 is passed once in 100,000.
NOTHING = 20 / (2 * DRAWS)
WINDOW = ("2024-03-04", "2024-03-31")


def world(units=(), noise=None, link="identity", converged=True, **set_to):
    """Thirty weeks of ``a, b, c -> y``; a is uncertain, b is known, c is small and known."""
    return linear_fit(units=units, noise=noise, link=link, converged=converged, set_to=set_to)


@pytest.fixture(scope="module")
def fit():
    return world()


@pytest.fixture(scope="module")
def panel():
    return world(units=("east", "north", "west"), noise=bc.NormalNoise(spread="common"))


def asked(name):
    return incremental(name).during(*WINDOW)


def draws(fit, estimand):
    return effect_draws(fit, estimand).ravel()


def one(fit, candidate, **settings):
    return rank_experiments(fit, candidate, **settings).iloc[0]


# Information


@pytest.mark.parametrize("sd", [20.0, 200.0, 2000.0])
def test_information_is_that_of_conditioning_a_gaussian(fit, sd):
    joint = incremental(["a", "b"])
    row = one(fit, Candidate(asked("a"), std_error=sd), target=joint)
    t, q = draws(fit, asked("a")), draws(fit, joint)
    cov = np.cov(np.stack([q, t]))
    after = cov[0, 0] - cov[0, 1] ** 2 / (cov[1, 1] + sd**2)
    assert row["target_sd"] == pytest.approx(q.std(ddof=1), rel=1e-12)
    assert row["target_sd_after"] == pytest.approx(np.sqrt(after), rel=1e-9)
    assert row["eig_nats"] == pytest.approx(0.5 * np.log(cov[0, 0] / after), rel=1e-9)


def test_information_is_that_of_the_world(fit):
    """Of the coefficients as they were set, not of their draws.

    The effect of a linear cause is its coefficient times a constant, so the ratio of prior to
    noise is known. An sd of 4000 draws is right to 1/sqrt(8000) = 1.1 percent; 5 are 4.5 of these.
    """
    t = draws(fit, asked("a"))
    spread = abs(t.mean()) * 0.5  # coefficient 1 +/- 0.5
    assert t.std() == pytest.approx(spread, rel=0.05)
    row = one(fit, Candidate(asked("a"), std_error=spread))
    assert row["eig_nats"] == pytest.approx(0.5 * np.log(2), rel=0.05)
    assert row["eig_ranks"] == pytest.approx(0.5 * np.log(2), rel=0.07)  # quantiles are rougher
    assert row["target_sd_after"] == pytest.approx(row["target_sd"] / np.sqrt(2), rel=0.05)


def test_ranks_do_not_mind_a_target_of_another_shape():
    """``exp(t)`` holds the same information as ``t``; only the linear correlation is lower."""
    t = stats.norm.ppf((np.arange(DRAWS) + 0.5) / DRAWS)
    plain, bent = information(t, t, 0.5), information(t, np.exp(2 * t), 0.5)
    assert bent.by_ranks == pytest.approx(plain.by_ranks, rel=1e-12)
    assert bent.nats < 0.5 * plain.nats
    # The true information of a normal is 1/2 log(1 + 1/0.25); ranks end short of infinity.
    assert plain.by_ranks == pytest.approx(0.5 * np.log(5), rel=0.01)


def test_target_that_is_constant_has_nothing_to_be_learned():
    told = information(np.linspace(-1, 1, 100), np.ones(100), 1.0)
    assert told == (0.0, 0.0, 1.0)


def test_more_error_tells_less(fit):
    errors = [10.0, 50.0, 250.0, 1250.0]
    tests = [Candidate(asked("a"), std_error=s, name=f"{s:g}") for s in errors]
    table = rank_experiments(fit, tests)
    assert list(table.index) == ["10", "50", "250", "1250"]
    for column, sign in (("eig_nats", -1), ("power", -1), ("mde", 1), ("target_sd_after", 1)):
        assert (sign * np.diff(table[column]) > 0).all(), column
    assert (np.diff(table["eig_ranks"]) < 0).all()


def test_uncertain_and_influential_channel_ranks_first(fit):
    tests = [Candidate(asked(v)) for v in "cba"]
    for target in (None, incremental(["a", "b", "c"])):
        table = rank_experiments(fit, tests, target=target)
        assert table.index[0] == "a_2024-03-04"
        assert table["eig_nats"].iloc[0] > 10 * table["eig_nats"].iloc[1]


def test_test_of_one_channel_tells_nothing_about_another(fit):
    test = Candidate(asked("a"), std_error=1.0)
    other, own = (one(fit, test, target=incremental(v)) for v in "ca")
    assert other["eig_nats"] < NOTHING
    assert other["eig_ranks"] < NOTHING
    assert own["eig_nats"] > 4
    assert "do(c=0)" in other["target"]


def test_order_does_not_depend_on_the_order_given(fit):
    tests = [Candidate(asked("a"), std_error=9, name=n) for n in "qpr"] + [Candidate(asked("b"))]
    first, second = rank_experiments(fit, tests), rank_experiments(fit, tests[::-1])
    pd.testing.assert_frame_equal(first, second)
    assert list(first.index[:3]) == ["p", "q", "r"]


# Power


@pytest.mark.parametrize("prob", [0.8, 0.95])
def test_power_is_the_share_of_lifts_whose_interval_excludes_zero(fit, prob):
    t = draws(fit, asked("a"))
    sd = float(np.median(np.abs(t)) / 2)
    row = one(fit, Candidate(asked("a"), std_error=sd), prob=prob)
    z = stats.norm.ppf((1 + prob) / 2)
    exact = stats.norm.sf(z * sd, t, sd) + stats.norm.cdf(-z * sd, t, sd)
    assert row["power"] == pytest.approx(exact.mean(), rel=1e-9)
    lifts = t + sd * np.random.default_rng(1).standard_normal((200, DRAWS))
    share = (np.abs(lifts) > z * sd).mean()
    # 800,000 lifts: a standard error of at most 6e-4.
    assert row["power"] == pytest.approx(share, abs=4 * 6e-4)


def test_minimum_detectable_lift_is_detected_in_four_of_five_tests(fit):
    row = one(fit, Candidate(asked("a"), std_error=30.0), prob=0.9)
    found = stats.norm.sf(stats.norm.ppf(0.95) * 30, row["mde"], 30)
    assert found == pytest.approx(0.8, rel=1e-9)


def test_bias_of_a_design_widens_the_error(fit):
    plain, weak = (one(fit, Candidate(asked("a"), 30.0, design=d)) for d in ("geo-rct", "did"))
    assert plain["sd"] == plain["std_error"] == weak["std_error"] == 30
    assert weak["sd"] == pytest.approx(30 * np.sqrt(2))
    assert weak["power"] < plain["power"]
    assert weak["eig_nats"] < plain["eig_nats"]


# The expected standard error


@pytest.mark.parametrize("phi", [-0.5, 0.6])
def test_expected_error_is_that_of_summed_errors_with_memory(phi):
    fit = world(noise=bc.AR1Noise(), **{"y:phi": phi})
    lags = toeplitz(phi ** np.arange(4.0)) / (1 - phi**2)
    want = np.sqrt(2 * lags.sum()) * 0.1 * fit.data.array("y").max()
    assert expected_std_error(fit, asked("a")) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("memory", [False, True])
def test_expected_error_is_that_of_errors_which_the_model_draws(memory):
    noise = bc.AR1Noise(nu=bc.Prior("Gamma", alpha=2, beta=0.1)) if memory else None
    values = {"y:phi": 0.5, "y:nu": 8.0} if memory else {}
    fit = world(units=("east", "north"), noise=noise, **values)
    rng, shape = np.random.default_rng(2), (DRAWS, 2, 30)
    errors = fresh(fit.scm, fit.theta(), shape, rng)["y"] * fit.scm.scale["y"]
    sums = errors[:, :, 9:13].sum(axis=(1, 2))
    # An sd of 4000 draws: 1.1 percent, a little more for Student-t; twice it for the difference.
    assert expected_std_error(fit, asked("a")) / np.sqrt(2) == pytest.approx(sums.std(), rel=0.05)


def test_expected_error_with_a_log_link_is_a_share_of_the_outcome():
    fit = world(link="log")
    inside = (fit.data.time >= WINDOW[0]) & (fit.data.time <= WINDOW[1])
    want = np.sqrt(2) * 0.1 * np.linalg.norm(fit.data.array("y")[inside])
    assert expected_std_error(fit, asked("a")) == pytest.approx(want, rel=1e-9)


def test_expected_error_follows_the_scale(panel):
    ask = asked("a").within("east", "west")
    whole = expected_std_error(panel, ask)
    top = panel.scm.scale["y"][[0, 2], 0]
    np.testing.assert_allclose(whole, np.sqrt(2 * 4 * (top**2).sum()) * 0.1, **EXACT)
    mean = expected_std_error(panel, replace(ask, scale="mean"))
    np.testing.assert_allclose(mean * 8, whole, **EXACT)
    spent = one(panel, Candidate(ask))["moved_spend"]
    per_spend = expected_std_error(panel, replace(ask, scale="per_spend"))
    np.testing.assert_allclose(per_spend * spent, whole, **EXACT)
    known = asked("b").within("east", "west")  # a may add more than all of the outcome
    percent = replace(known, scale="percent")
    level = 100 * draws(panel, known) / draws(panel, percent)
    want = np.median(100 * whole / level)
    np.testing.assert_allclose(expected_std_error(panel, percent), want, **EXACT)


def test_information_is_the_same_on_every_scale_of_one_spend(panel):
    rows = [one(panel, Candidate(replace(asked("a"), scale=s))) for s in ("total", "per_spend")]
    assert rows[0]["eig_nats"] == pytest.approx(rows[1]["eig_nats"], rel=1e-9)
    assert rows[0]["power"] == pytest.approx(rows[1]["power"], rel=1e-9)


# What the table says


def test_table_says_how_long_where_and_at_what_cost(panel):
    tests = [
        Candidate(replace(asked("a").within("east", "west"), carryover=2), cost=50.0),
        Candidate(Estimand({"b": Times(1.5)}), name="heavy-up", design="switchback"),
        Candidate(Estimand({"a": Times(1.0), "b": Plus(1)}, units=("east",)), 10.0, name="mixed"),
    ]
    table = rank_experiments(panel, tests)
    dark = table.loc["a_2024-03-04"]
    assert (dark["periods"], dark["tail"], dark["units"]) == (4, 2, 2)
    spent = panel.data.spend_of("a")[[0, 2], 9:13].sum()
    assert dark["moved_spend"] == pytest.approx(spent)
    assert dark["eig_per_cost"] == pytest.approx(dark["eig_nats"] / 50)
    heavy = table.loc["heavy-up"]
    assert (heavy["periods"], heavy["tail"], heavy["units"]) == (30, 0, 3)
    assert heavy[["moved_spend", "cost", "eig_per_cost"]].isna().all()
    assert heavy["design"] == "switchback"
    assert table["eig_nats"].is_monotonic_decreasing
    assert table.attrs == {"prob": 0.9, "power": 0.8}


def test_test_that_moves_no_spend_says_zero(fit):
    same = Estimand({"a": np.roll(fit.data.array("a"), 1)})
    assert one(fit, Candidate(same, 5.0))["moved_spend"] == pytest.approx(0, abs=1e-9)
    still = Estimand({"a": Times(1.0)})
    assert one(fit, Candidate(still, 5.0))["moved_spend"] == 0


def test_fit_that_has_not_converged_warns():
    with pytest.warns(NotConverged):
        rank_experiments(world(converged=False), Candidate(asked("a"), 5.0))


# Advice


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Candidate("tv"), "incremental"),
        (lambda: Candidate(asked("a"), std_error=0), "positive"),
        (lambda: Candidate(asked("a"), std_error=-3.0), "positive"),
        (lambda: Candidate(asked("a"), std_error=np.nan), "finite"),
        (lambda: Candidate(asked("a"), cost=0), "cost must be positive"),
        (lambda: Candidate(asked("a"), cost="much"), "cost must be a number"),
        (lambda: Candidate(asked("a"), design="geo-rtc"), "Did you mean 'geo-rct'"),
        (lambda: Candidate(asked("a"), design="user-rct"), "Give std_error"),
        (lambda: Candidate(replace(asked("a"), scale="cost")), "per_spend"),
        (lambda: Candidate(bc.steady_state("a", at=1, by=1)), "off_panel"),
        (lambda: Candidate(asked("a"), name=""), "name"),
    ],
)
def test_bad_candidate_is_refused_with_advice(make, words):
    with pytest.raises(SpecError, match=words):
        make()


@pytest.mark.parametrize(
    ("tests", "settings", "words"),
    [
        ([], {}, "no candidates"),
        (["a"], {}, "not a Candidate"),
        ("a", {}, "Rank Candidates"),
        (asked("a"), {}, "Rank Candidates"),
        ([bc.Experiment(asked("a"), 3, 1, "geo-rct")], {}, "not a Candidate"),
        ([Candidate(asked("a")), Candidate(asked("a"), 5.0)], {}, "Two .* named 'a_2024-03-04'"),
        ([Candidate(incremental("z"))], {}, "'z' is not in the graph"),
        ([Candidate(asked("a").during("2031", "2032"))], {}, "no period of the data"),
        ([Candidate(asked("a").within("north"))], {}, "national"),
        ([Candidate(asked("a"))], {"prob": 1.0}, "prob lies between"),
        ([Candidate(asked("a"))], {"target": 3}, "incremental"),
        ([Candidate(asked("a"))], {"target": replace(asked("a"), scale="cost")}, "per_spend"),
    ],
)
def test_bad_question_is_refused_with_advice(fit, tests, settings, words):
    with pytest.raises((SpecError, DataError, GraphError), match=words):
        rank_experiments(fit, tests, **settings)


def test_error_without_variance_is_refused():
    fit = world(noise=bc.StudentTNoise(), **{"y:nu": 1.5})
    with pytest.raises(DataError, match="std_error"):
        rank_experiments(fit, Candidate(asked("a")))
