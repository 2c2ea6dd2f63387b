"""Unobserved confounding inside the model: what it learns, and what it must leave open.

Worlds are linear and made by numpy. Tolerances: a posterior mean is known to sd / sqrt(ESS), and
two such means, or a mean and a closed form, to four times that; priors are wide enough to pull
less than a tenth of a posterior sd.
"""

import numpy as np
import pandas as pd
import pytest

import bayescausal as bc
from bayescausal.errors import NotIdentified

WIDE = bc.Response(strength=bc.Coefficient(bc.Prior("Normal", mu=0, sigma=5)))
UNIT = bc.Estimand({"tv": bc.Plus(1)}, scale="mean", carryover=False)


def table(**columns):
    rows = len(next(iter(columns.values())))
    week = pd.date_range("1985-01-07", periods=rows, freq="7D")
    return bc.Dataset.from_frame(pd.DataFrame({"week": week, **columns}), time="week")


def sampled(text, data, question=UNIT, seed=1, **settings):
    graph = bc.Graph.parse(text, outcome="sales")
    spec = bc.Spec(graph, {"tv": WIDE}, **settings)
    fit = bc.fit(spec, data, seed=seed, progress=False)
    assert fit.convergence.converged
    return fit, bc.effect(fit, question)


def error(draws, fit):
    return float(draws.std()) / np.sqrt(fit.convergence.min_ess_bulk)


def bow(n=156, seed=0):
    """``tv`` and ``sales`` share a cause: OLS is off by ``rho sigma_y / sigma_x``."""
    rng = np.random.default_rng(seed)
    u, e = rng.normal(size=(2, n))
    tv = 20 + 2 * u + 2 * rng.normal(size=n)
    return table(tv=tv, sales=100 + 3 * tv + 5 * u + 4 * e), 3.0, 5 * 2 / (2**2 + 2**2)


@pytest.fixture(scope="module")
def confounded():
    data, _, _ = bow()
    white = bc.NormalNoise()  # as the errors of this world are: quicker to sample than memory
    return sampled("tv -> sales\ntv <-> sales", data, noise=white)


def test_a_bow_stays_as_wide_as_the_prior_on_the_correlation(confounded):
    """b = beta + z tau / sigma_x is all that data tell; z = rho / sqrt(1 - rho^2) keeps its prior.

    The width is that of 400 or more effective draws: a quantile at 5 percent is then known to
    about a tenth of the width.
    """
    fit, draws = confounded
    data, truth, _ = bow()
    x, y = data.array("tv"), data.array("sales")
    slope, level = np.polyfit(x, y, 1)
    tau = np.std(y - slope * x - level)
    rho = np.clip(np.random.default_rng(3).normal(0, 0.5, 10**6), -3, 3)
    rho = rho[np.abs(rho) < 1]
    implied = np.quantile(rho / np.sqrt(1 - rho**2), [0.05, 0.95]) * tau / x.std()
    row = bc.summarize(draws).iloc[0]
    assert row["high"] - row["low"] > 0.85 * np.ptp(implied)
    assert row["low"] < truth < row["high"]
    kept = fit.tree["posterior"]["sales<->tv"]
    assert float(kept.std()) > 0.8 * rho.std()  # the data say nothing of the correlation


def test_a_number_that_is_not_identified_carries_its_label(confounded):
    fit, draws = confounded
    shown = bc.summarize(draws)
    assert shown.columns.name == "NOT IDENTIFIED"
    assert list(shown["status"]) == ["not identified"]
    assert list(shown["grade"]) == ["X"]
    assert "lift test on tv" in draws.attrs["advice"]
    assert "tv: X, not identified" in repr(fit)
    assert any("Run a lift test on tv" in line for line in bc.diagnose(fit).advice)
    parts = bc.summarize(bc.decompose(fit, bc.incremental("tv")))
    assert list(parts["grade"]) == ["X", "X", "X"]
    for refused in (
        lambda: bc.effect(fit, UNIT, strict=True),
        lambda: bc.contributions(fit, strict=True),
        lambda: bc.decompose(fit, bc.incremental("tv"), strict=True),
        lambda: bc.fit(fit.spec, fit.data, strict=True),
    ):
        with pytest.raises(NotIdentified, match="Observe what moves both sales and tv"):
            refused()


@pytest.mark.slow
def test_leaving_the_common_cause_out_gives_the_known_bias():
    data, truth, bias = bow(n=2000)
    _fit, draws = sampled("tv -> sales", data)
    assert float(draws.mean()) == pytest.approx(truth + bias, abs=4 * float(draws.std()))
    assert abs(bias) > 10 * float(draws.std())  # narrow, converged, and wrong
    assert bc.summarize(draws)["grade"].item() == "F"
    told = bc.identify(bc.Graph.parse("tv -> sales\ntv <-> sales", outcome="sales"), "tv")
    assert told.status == "not identified"


@pytest.mark.slow
def test_with_an_instrument_the_posterior_agrees_with_two_stage_least_squares():
    """Both have the same large-sample distribution; at n = 2,000 they differ by O(1/n)."""
    rng = np.random.default_rng(4)
    n = 2000
    z, u, e, v = rng.normal(size=(4, n))
    tv = 20 + 1.2 * z + u + v
    sales = 100 + 2 * tv - 4 * u + 2 * e
    data = table(price=z, tv=tv, sales=sales)
    fit, draws = sampled("price -> tv -> sales\ntv <-> sales", data)
    cz = z - z.mean()
    slope = cz @ sales / (cz @ tv)
    rest = sales - sales.mean() - slope * (tv - tv.mean())
    se = np.sqrt(rest @ rest / n) * np.linalg.norm(cz) / abs(cz @ tv)
    assert float(draws.mean()) == pytest.approx(slope, abs=4 * error(draws, fit) + 0.1 * se)
    assert float(draws.std()) == pytest.approx(se, rel=0.15)
    assert abs(float(draws.mean()) - 2) < 3 * se
    assert bc.summarize(draws)["status"].item() == "instrument"


@pytest.mark.slow
def test_a_lift_test_settles_a_bow():
    """The posterior of the correlation contracts and the effect moves to the test's answer."""
    data, truth, _bias = bow()
    window = ("1986-01-06", "1986-03-02")
    inside = (data.time >= window[0]) & (data.time <= window[1])
    lift = truth * data.array("tv")[inside].sum()
    test = bc.Experiment(bc.incremental("tv").during(*window), lift, 0.05 * lift, "geo-rct")
    fit, draws = sampled("tv -> sales\ntv <-> sales", data, experiments=(test,))
    assert float(draws.mean()) == pytest.approx(truth, abs=0.1 * truth)
    rho = fit.tree["posterior"]["sales<->tv"]
    assert float(rho.std()) < 0.2
    assert float(rho.mean()) > 0.2
    assert bc.summarize(draws)["grade"].item() == "E"
    asked = bc.incremental("tv").during(*window)
    assert bc.summarize(bc.effect(fit, asked))["grade"].item() == "A"


@pytest.mark.slow
def test_a_hidden_cause_of_mediator_and_outcome_leaves_the_total_identified():
    rng = np.random.default_rng(8)
    n = 300
    u, a, b, c = rng.normal(size=(4, n))
    tv = 20 + 3 * a
    search = 30 + 0.8 * tv + 3 * u + b
    sales = 200 + search + 1.5 * tv - 2 * u + 3 * c  # errors correlate by -0.5: a prior sd from 0
    data, total, direct = table(tv=tv, search=search, sales=sales), 2.3, 1.5
    text = "tv -> search -> sales\ntv -> sales\nsearch <-> sales"
    fit, draws = sampled(text, data)
    row = bc.summarize(draws).iloc[0]
    assert row["status"] == "backdoor"
    assert row["low"] < total < row["high"]
    parts = bc.decompose(fit, UNIT)
    shown = bc.summarize(parts)
    assert list(shown["grade"]) == ["F", "X", "X"]
    assert "graph.project(latent=['search'])" in parts.attrs["advice"]
    width = shown["high"] - shown["low"]
    assert width["direct"] > 3 * width["total"]
    assert shown["low"]["direct"] < direct < shown["high"]["direct"]
    small = bc.Graph.parse(text, outcome="sales").project(latent=["search"])
    assert small == bc.Graph.parse("tv -> sales", outcome="sales")
    _alone, reduced = sampled(small.to_text(), data)
    row = bc.summarize(reduced).iloc[0]
    assert row["low"] < total < row["high"]
    assert float(reduced.mean()) == pytest.approx(float(draws.mean()), abs=float(draws.std()))
    wrong, _ = sampled("tv -> search -> sales\ntv -> sales", data)
    told = bc.summarize(bc.decompose(wrong, UNIT))
    assert not told["low"]["direct"] < direct < told["high"]["direct"]


@pytest.mark.slow
def test_a_budget_that_follows_sales_is_recovered_with_its_edges_and_biased_without():
    rng = np.random.default_rng(5)
    n, beta, memory, rule = 400, 1.0, 0.6, 0.35
    tv, sales = np.zeros(n), np.zeros(n)
    before = 100.0
    for t in range(n):
        tv[t] = 20 - rule * (before - 100) + rng.normal(0, 1.5)
        sales[t] = 100 + memory * (before - 100) + beta * (tv[t] - 20) + rng.normal(0, 3)
        before = sales[t]
    data = table(tv=tv, sales=sales)
    week = bc.Estimand({"tv": bc.Plus(1)}, window=("1987-01-05", "1987-01-05"), carryover=False)
    told = "tv -> sales\nsales -> tv @ 1\nsales -> sales @ 1"
    _, right = sampled(told, data, week)
    row = bc.summarize(right).iloc[0]
    assert row["low"] < beta < row["high"]
    assert row["status"] == "id"
    assert bc.identify(bc.Graph.parse(told, outcome="sales"), week).g_computation
    _, wrong = sampled("tv -> sales", data, week)
    assert float(wrong.mean()) < beta - 4 * float(wrong.std())


@pytest.mark.slow
def test_errors_with_memory_are_learned_and_agree_with_least_squares_on_whitened_data():
    """Prais-Winsten at the posterior mean of phi, whose own spread adds little at n = 400."""
    rng = np.random.default_rng(6)
    n, phi = 400, 0.7
    x, e = np.zeros(n), np.zeros(n)
    for t in range(1, n):
        x[t] = 0.8 * x[t - 1] + rng.normal()
        e[t] = phi * e[t - 1] + rng.normal(0, 3)
    data = table(tv=20 + x, sales=100 + 2 * (20 + x) + e)
    fit, draws = sampled("tv -> sales", data, noise=bc.AR1Noise())
    learned = fit.tree["posterior"]["sales:phi"]
    assert float(learned.mean()) == pytest.approx(phi, abs=3 * float(learned.std()))
    r = float(learned.mean())
    columns = np.column_stack([data.array("tv"), np.ones(n), data.array("sales")])
    white = np.vstack([np.sqrt(1 - r**2) * columns[:1], columns[1:] - r * columns[:-1]])
    design, y = white[:, :2], white[:, 2]
    slope, rest = np.linalg.lstsq(design, y, rcond=None)[:2]
    se = np.sqrt(np.linalg.inv(design.T @ design)[0, 0] * rest[0] / (n - 2))
    assert float(draws.mean()) == pytest.approx(slope[0], abs=4 * error(draws, fit) + 0.2 * se)
    assert float(draws.std()) == pytest.approx(se, rel=0.15)


@pytest.mark.slow
def test_m_bias_is_not_conditioned_on():
    """`m` is a collider of two hidden causes: it has an equation, but is no parent of sales."""
    rng = np.random.default_rng(7)
    n = 600
    a, b, e, v, w = rng.normal(size=(5, n))
    tv = 20 + 2 * a + v
    m = 10 + 2 * a + 2 * b + 0.3 * w
    sales = 100 + 1.0 * tv + 4 * b + e
    data = table(tv=tv, m=m, sales=sales)
    text = "tv -> sales\ntv <-> m <-> sales"
    fit, draws = sampled(text, data)
    assert set(fit.spec.modelled) == {"m", "tv", "sales"}  # the errors of m tell of those of sales
    assert fit.spec.structure.parents("sales") == ("tv",)
    row = bc.summarize(draws).iloc[0]
    assert row["low"] < 1.0 < row["high"]
    with pytest.raises(bc.errors.GraphError, match="collider"):
        bc.identify(fit.spec.graph, "tv").check_adjustment(["m"])
    adjusted = np.linalg.lstsq(np.column_stack([tv, m, np.ones(n)]), sales, rcond=None)[0][0]
    assert adjusted < 0.5  # what adjusting would have given
