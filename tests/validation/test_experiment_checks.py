"""Experiments against the model, on a plain linear edge whose posterior is known by hand.

Sampled for real: a fit of three tests, one of which contradicts the rest, and fits without some.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayescausal as bc
from bayescausal.errors import DataError, ExperimentConflict, SpecError
from bayescausal.inference.convergence import ess
from bayescausal.validation.experiment_checks import check_experiments, conflicts, reconcile
from bayescausal.validation.importance_sampling import gather
from bayescausal.validation.refits import evidence, leave_out

SIGMA = 0.3  # of the outcome's scale, as good as known
SETTINGS = {"draws": 1000, "tune": 300, "progress": False}
# A false alarm once in 15,000 for each comparison, if the Monte-Carlo error is as the ESS says.
SIGMAS = 4.0
SLACK = 4e-3  # of the sd: the error's size is known to 0.1 percent, not exactly
WINDOWS = {"a": (3, 6), "b": (14, 18), "c": (25, 28), "held": (8, 11), "far": (8, 11)}


def plain():
    """Forty weeks of ``x -> y`` with a Normal(0, 1) coefficient, in units of the largest values."""
    rng = np.random.default_rng(11)
    x = rng.gamma(3.0, 10.0, 40)
    y = 300.0 + 2.0 * x + rng.normal(0, 60.0, 40)
    frame = pd.DataFrame({"week": pd.date_range("2024-01-01", periods=40, freq="7D"), "x": x})
    noise = bc.NormalNoise(bc.Prior("LogNormal", mu=float(np.log(SIGMA)), sigma=1e-3))
    spec = bc.Spec(bc.Graph.parse("x -> y", outcome="y"), noise=noise, treatments=("x",))
    return spec, bc.Dataset.from_frame(frame.assign(y=y), time="week")


SPEC, DATA = plain()


def window(name):
    return tuple(DATA.time[k] for k in WINDOWS[name])


def slope(name):
    """Effect of a test per unit of the coefficient: the exposure in its window, scaled."""
    first, last = WINDOWS[name]
    x = DATA.array("x")
    return DATA.array("y").max() * x[first : last + 1].sum() / x.max()


def by_data():
    """Mean and variance of the coefficient, given the weeks: the response is centered."""
    f, g = DATA.array("x") / DATA.array("x").max(), DATA.array("y") / DATA.array("y").max()
    f = f - f.mean()
    precision = 1 + f @ f / SIGMA**2
    return float(f @ g) / SIGMA**2 / precision, 1 / precision


def by_hand(tests):
    """Mean and variance of the coefficient, given the weeks and tests: the Normal-Normal update."""
    mean, variance = by_data()
    precision, weighted = 1 / variance, mean / variance
    for test in tests:
        c = slope(test.name)
        precision += c**2 / test.std_error**2
        weighted += c * test.lift / test.std_error**2
    return weighted / precision, 1 / precision


def lift(name, off, error, **more):
    """A test `off` data-only sds from what the weeks say, its error in the same sds."""
    mean, variance = by_data()
    c, sd = slope(name), np.sqrt(variance)
    question = bc.incremental("x").during(*window(name))
    return bc.Experiment(
        question, c * (mean + off * sd), c * error * sd, "geo-rct", name=name, **more
    )


TESTS = (lift("b", 0.3, 1.5), lift("a", -0.2, 1.2), lift("c", 10.0, 2.5))


@pytest.fixture(scope="module")
def fitted():
    return bc.fit(replace(SPEC, experiments=TESTS), DATA, seed=20260301, **SETTINGS)


@pytest.fixture(scope="module")
def agreeing(fitted):
    return leave_out(fitted, "c", seed=5)


def carrying(fit, *tests):
    """The draws of a fit, under other tests."""
    return replace(fit, spec=replace(fit.spec, experiments=tests))


def close(found, mean, sd, size):
    """Whether a mean is right, given the effective number of draws behind it."""
    assert size > 200  # else the tolerance would forgive anything
    return found == pytest.approx(mean, abs=(SIGMAS / np.sqrt(size) + SLACK) * sd)


# Checks


def test_checks_are_the_normal_normal_algebra(fitted):
    table = check_experiments(fitted)
    assert list(table.index) == ["b", "a", "c"]  # the order of the spec
    everything = by_hand(TESTS)
    tests = gather(fitted)
    for test in TESTS:
        row, c = table.loc[test.name], slope(test.name)
        size = ess(tests.effects[test.name], "bulk")
        mean, sd = c * everything[0], c * np.sqrt(everything[1])
        spread = np.hypot(sd, test.std_error)
        assert row["lift"] == test.lift
        assert row["sd"] == pytest.approx(test.std_error)
        assert close(row["mean"], mean, sd, size)
        assert close(row["z"], (test.lift - mean) / spread, 1.0, size)
        tail = 2 * stats.norm.sf(abs(test.lift - mean) / spread)
        assert row["p"] == pytest.approx(tail, abs=0.05 * tail + 0.02)
        for end, sign in (("low", -1), ("high", 1)):
            assert row[end] == pytest.approx(mean + sign * 1.645 * spread, abs=0.1 * spread)
        # The prior of the coefficient is Normal(0, 1), seen through 500 draws.
        wide = np.hypot(c, test.std_error)
        assert row["prior_mean"] == pytest.approx(0, abs=SIGMAS * c / np.sqrt(500))
        assert row["prior_high"] - row["prior_low"] == pytest.approx(3.29 * wide, rel=0.2)


def test_leaving_a_test_out_by_weights_is_the_posterior_without_it(fitted):
    table = check_experiments(fitted)
    tests = gather(fitted)
    for test in TESTS:
        row, c = table.loc[test.name], slope(test.name)
        mean, variance = by_hand([t for t in TESTS if t is not test])
        sd = c * np.sqrt(variance)
        weights, _, _ = tests.importance_weights(test.name)
        share = 1 / (weights**2).sum() / weights.size
        size = share * ess(tests.effects[test.name], "bulk")
        assert row["trusted"], row
        assert row["advice"] == ""
        assert close(row["loo_mean"], c * mean, sd, size)
        assert row["loo_sd"] == pytest.approx(sd, rel=SIGMAS / np.sqrt(2 * size) + SLACK)
        z = (test.lift - c * mean) / np.hypot(sd, test.std_error)
        assert row["loo_z"] == pytest.approx(z, rel=SIGMAS / np.sqrt(size), abs=0.1)
        assert abs(row["loo_z"]) > abs(row["z"])  # a test that is used pulls the fit to itself


def test_weights_agree_with_the_refit(fitted, agreeing):
    row = check_experiments(fitted).loc["c"]
    assert [t.name for t in agreeing.spec.experiments] == ["b", "a"]
    assert agreeing.info["seed"] == 5
    settings = fitted.info["settings"] | {"progress": False}
    assert agreeing.info["settings"] == settings
    draws = bc.effect(agreeing, TESTS[2].estimand).to_numpy()
    weights, _, _ = gather(fitted).importance_weights("c")
    sizes = [ess(draws, "bulk"), 1 / (weights**2).sum() / 2]  # half: draws are correlated
    error = draws.std() * np.sqrt(sum(1 / size for size in sizes))
    assert min(sizes) > 200
    assert row["loo_mean"] == pytest.approx(draws.mean(), abs=SIGMAS * error)
    assert row["loo_sd"] == pytest.approx(draws.std(), rel=0.15)


def test_a_posterior_far_from_the_rest_asks_for_a_refit(fitted):
    """Weights cannot reach where no draw is: a precise test far off, given to a fit without it."""
    precise = replace(TESTS[2], std_error=TESTS[2].std_error / 12)
    pulled = carrying(fitted, *TESTS[:2], precise)
    row = check_experiments(pulled).loc["c"]
    assert not row["trusted"]
    assert row["pareto_k"] > 0.7
    assert "leave_out(fit, 'c')" in row["advice"]
    named = next(c for c in conflicts(pulled) if c.names == ("c",))
    assert not named.trusted
    assert "leave_out(fit, 'c')" in named.sentence


def test_tests_that_share_a_control_are_left_out_together(fitted):
    c = 0.3 * TESTS[0].std_error * TESTS[1].std_error
    tests = gather(carrying(fitted, replace(TESTS[0], covariance={"a": c}), *TESTS[1:]))
    assert (tests.group("b"), tests.group("c")) == (("a", "b"), ("c",))
    both, alone = tests.importance_weights("a", "b")[0], tests.importance_weights("a")[0]
    np.testing.assert_array_equal(both, alone)
    assert np.abs(alone - gather(fitted).importance_weights("a")[0]).max() > 0
    matrix = [[TESTS[0].std_error ** 2, c], [c, TESTS[1].std_error ** 2]]
    residual = [tests.experiments[n].lift - tests.effects[n][0, 0] for n in ("b", "a")]
    density = stats.multivariate_normal(cov=matrix).logpdf(residual)
    assert tests.density[tests.term["a"]][0, 0] == pytest.approx(density)


def test_a_robust_test_is_weighed_by_its_own_law(fitted):
    tests = gather(carrying(fitted, *TESTS[:2], replace(TESTS[2], nu=4.0)))
    residual = TESTS[2].lift - tests.effects["c"]
    law = stats.t(4, scale=TESTS[2].std_error)
    np.testing.assert_allclose(tests.density["lift:c"], law.logpdf(residual))


# Conflicts


def test_a_contradicting_test_is_named_alone_and_in_pairs(fitted):
    found = {c.names: c for c in conflicts(fitted)}
    assert list(found) == [("c",), ("a", "c"), ("b", "c")]
    for one, two in (("a", "c"), ("b", "c")):
        # One coefficient behind both: the two-sample z of what each says it is, data or not.
        tests = {t.name: t for t in TESTS}
        says = [tests[n].lift / slope(n) for n in (one, two)]
        errors = [tests[n].std_error / slope(n) for n in (one, two)]
        z = (says[0] - says[1]) / np.hypot(*errors)
        assert found[one, two].z == pytest.approx(z, rel=1e-4)
    alone = found["c",]
    mean = slope("c") * by_hand(TESTS[:2])[0]
    assert alone.lifts == (TESTS[2].lift,)
    assert alone.without[0] == pytest.approx(mean, rel=0.1)
    assert "'c' found" in str(alone)
    assert "all but 'c' imply" in str(alone)
    assert "'a' found" in found["a", "c"].sentence
    assert "'c' found" in found["a", "c"].sentence


@pytest.mark.parametrize("flipped", [False, True])
def test_the_covariance_and_the_sign_of_tests_enter_their_comparison(fitted, flipped):
    """Var[u - v] has -2 cov; and a test may count what is lost by switching off."""
    a, c = TESTS[1], TESTS[2]
    shared = 0.6 * a.std_error * c.std_error
    says = [test.lift / slope(test.name) for test in (a, c)]
    variance = sum((test.std_error / slope(test.name)) ** 2 for test in (a, c))
    variance -= 2 * shared / (slope("a") * slope("c"))
    if flipped:
        lost = bc.Estimand(active={"x": 0.0}, window=window("c"))
        c, shared = replace(c, estimand=lost, lift=-c.lift), -shared
    pair = conflicts(carrying(fitted, replace(a, covariance={"c": shared}), c))[-1]
    assert pair.names == ("a", "c")
    assert pair.trusted
    assert pair.z == pytest.approx((says[0] - says[1]) / np.sqrt(variance), rel=1e-4)


def test_a_cost_is_checked_as_the_return_that_it_enters_as(fitted):
    frame = pd.DataFrame({"week": DATA.time, "x": DATA.array("x"), "y": DATA.array("y")})
    paid = bc.Dataset.from_frame(frame.assign(eur=2 * frame["x"]), time="week", spend={"x": "eur"})
    question = TESTS[0].estimand
    cost = bc.Experiment(replace(question, scale="cost"), 0.8, 0.2, "geo-rct", name="b")
    gain = bc.Experiment(
        replace(question, scale="per_spend"), 1 / 0.8, 0.2 / 0.8**2, "geo-rct", name="b"
    )
    one, two = (
        check_experiments(replace(carrying(fitted, test), data=paid)) for test in (cost, gain)
    )
    pd.testing.assert_frame_equal(one, two)
    assert one.loc["b", "lift"] == pytest.approx(1.25)


def test_strict_raises_with_all_names(fitted):
    with pytest.raises(ExperimentConflict, match=r"'c' found.*'a' and 'c' disagree.*'b' and 'c'"):
        conflicts(fitted, strict=True)
    assert conflicts(fitted, threshold=50.0, strict=True) == []


def test_agreeing_tests_are_no_conflict(agreeing):
    assert conflicts(agreeing, strict=True) == []
    assert check_experiments(agreeing)["loo_z"].abs().max() < 1


def test_two_tests_that_agree_against_the_data_are_no_pair(fitted):
    """The second has a third of the error of c: residuals over their full spread would differ."""
    tests = (*TESTS, lift("held", 10.0, 0.8))
    names = [one.names for one in conflicts(carrying(fitted, *tests))]
    assert ("held",) in names
    assert ("c", "held") not in names


def test_conflicts_that_may_hide_are_said(fitted):
    """Given to a fit without it, a precise test near the fit leaves no draws to learn from."""
    hidden = lift("held", 1.5, 0.05)
    with pytest.warns(UserWarning, match=r"cannot leave out 'held'.*leave_out"):
        found = conflicts(carrying(fitted, *TESTS[:2], hidden), threshold=1e4)
    assert found == []


def test_a_percentage_says_which_prior_draws_have_none(fitted):
    question = replace(TESTS[0].estimand, scale="percent")
    percent = bc.Experiment(question, 20.0, 15.0, "geo-rct", name="b")
    row = check_experiments(carrying(fitted, percent)).loc["b"]
    assert "of 500 draws in which the percentage is undefined" in row["advice"]
    assert np.isfinite([row["prior_low"], row["prior_high"], row["loo_z"]]).all()
    assert np.isnan(row["prior_mean"])
    assert row["prior_low"] < row["prior_median"] < row["prior_high"]


# Held-out tests


def test_reconcile_counts_what_the_model_covers(agreeing):
    held, far = lift("held", 0.4, 1.0), lift("far", -9.0, 0.5)
    found = reconcile(agreeing, [held, far])
    mean, variance = by_hand(TESTS[:2])
    c, sd = slope("held"), slope("held") * np.sqrt(variance)
    row = found.table.loc["held"]
    size = ess(bc.effect(agreeing, held.estimand).to_numpy(), "bulk")
    assert close(row["mean"], c * mean, sd, size)
    spread = np.hypot(sd, held.std_error)
    assert row["z"] == pytest.approx((held.lift - c * mean) / spread, abs=0.1)
    assert row["high"] - row["low"] == pytest.approx(3.29 * spread, rel=0.06)
    assert list(found.table["covers"]) == [True, False]
    assert found.covered == 1
    assert "1 of 2 held-out tests lie in the 90% predictive interval" in str(found)
    assert "Missed: 'far'" in found.sentence
    # The very test that the fit of all three calls a conflict is missed by the fit without it.
    assert reconcile(agreeing, TESTS[2]).covered == 0
    wider = reconcile(agreeing, held, prob=0.99).table.loc["held"]
    assert wider["low"] < row["low"] < row["high"] < wider["high"]


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (TESTS[0], "'b' is in the fit.*leave_out"),
        (replace(TESTS[0], name="other"), "'other' is in the fit as 'b'.*leave_out\\(fit, 'b'"),
        ((), "at least one held-out"),
        (["x"], "takes experiments; got 'x'"),
        (lift("held", 0, 1, covariance={"a": 1.0}), "shares errors with 'a'"),
        ([lift("held", 0, 1)] * 2, "Two experiments are called 'held'"),
        (bc.Experiment(bc.incremental("z"), 1.0, 1.0, "geo-rct"), "'z'"),
    ],
)
def test_reconcile_refuses_what_is_no_validation(agreeing, tests, said):
    with pytest.raises(ValueError, match=said):
        reconcile(agreeing, tests)


def test_reconcile_needs_the_window_in_the_data(agreeing):
    late = bc.incremental("x").during("2031-01-06", "2031-02-03")
    with pytest.raises(DataError, match="2031"):
        reconcile(agreeing, bc.Experiment(late, 1.0, 1.0, "geo-rct"))
    with pytest.raises(SpecError, match="prob lies between"):
        reconcile(agreeing, lift("held", 0, 1), prob=90)


# Bad input


def test_unknown_names_and_fits_without_tests_advise(fitted):
    with pytest.raises(SpecError, match=r"no experiment 'd'.*b, a, c"):
        leave_out(fitted, "d")
    with pytest.raises(SpecError, match="at least one experiment"):
        leave_out(fitted, [])
    with pytest.raises(SpecError, match="threshold is a positive"):
        conflicts(fitted, threshold=0)
    bare = carrying(fitted)
    for ask in (check_experiments, conflicts, lambda fit: evidence(fit, bc.incremental("x"))):
        with pytest.raises(SpecError, match=r"no experiments.*Spec"):
            ask(bare)
    with pytest.raises(SpecError, match=r"cost.*per_spend"):
        evidence(fitted, bc.incremental("x", scale="cost"))


# What each test bought


@pytest.mark.slow
def test_evidence_is_the_sum_of_precisions(fitted):
    """In a linear normal model precisions add up, whatever the order."""
    table = evidence(fitted, bc.incremental("x"), seed=3)
    assert list(table["source"]) == ["prior", "observational data", "b", "a", "c"]
    scale = DATA.array("y").max() * DATA.array("x").sum() / DATA.array("x").max()
    gains = [1.0, 1 / by_data()[1] - 1.0]
    gains += [(slope(t.name) / t.std_error) ** 2 for t in TESTS]
    wanted = np.array(gains) / scale**2
    total = wanted.sum()
    assert table["share"].sum() == pytest.approx(1.0)
    assert table["precision"].sum() == pytest.approx(table["sd"].iloc[-1] ** -2)
    # A precision has the relative error sqrt(2 / ESS); a gain is the difference of two. The
    # prior's is that of 500 independent draws.
    draws = bc.effect(fitted, bc.incremental("x")).to_numpy()
    error = np.sqrt(2 / ess((draws - draws.mean()) ** 2, "bulk"))
    assert error < 0.04
    atol = SIGMAS * np.sqrt(2) * error * total
    np.testing.assert_allclose(table["precision"], wanted, atol=atol)
    np.testing.assert_allclose(table["loss"].iloc[2:], wanted[2:], atol=atol)
    assert table["precision"].iloc[0] == pytest.approx(wanted[0], rel=SIGMAS * np.sqrt(2 / 500))
    np.testing.assert_allclose(table["sd"].iloc[1:] ** -2, wanted.cumsum()[1:], rtol=SIGMAS * error)
    assert wanted[1:].max() > 2 * atol  # else nothing is told apart
    assert table["share"].iloc[1] == pytest.approx(wanted[1] / total, abs=atol / total)
    assert table["loss"].iloc[:2].isna().all()
    assert set(table["status"].iloc[1:]) == {"backdoor"}
