"""Ratios whose denominator is random: quantiles, open ends, notes, and no means (MODEL 6.3)."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from linear_worlds import linear_fit
from scipy import stats
from scipy.stats import qmc

import bayescausal as bc
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import Estimand, Times, incremental
from bayescausal.model.contrast import ratio
from bayescausal.presentation.cli_remarks import strict_row
from bayescausal.presentation.formatting import number
from bayescausal.presentation.headline_cards import cells
from bayescausal.queries.summary import summarize

COST = incremental("a", scale="cost")
INVERSE = replace(COST, scale="per_spend")
PAID = {"a": "cost", "m": "m"}


def as_draws(values, **coords):
    return xr.DataArray(values[None], dims=("chain", "draw"), coords=coords, name="ratio")


def fit_with(mean, sd):
    return linear_fit(coefficients={"a->y": (mean, sd)})


# Costs


@pytest.mark.parametrize("mean", [1.0, 0.5, 0.05, -0.5, -2.0])
def test_quantiles_of_a_cost_are_the_inverses_of_those_of_the_return(mean):
    fit = fit_with(mean, 0.5)
    returns, costs = (bc.effect(fit, e) for e in (INVERSE, COST))
    np.testing.assert_allclose(costs, np.where(returns > 0, 1 / returns, np.inf), rtol=1e-12)
    back, row = summarize(returns).iloc[0], summarize(costs).iloc[0]
    for end, other in (("low", "high"), ("median", "median"), ("high", "low")):
        if back[other] > 0:  # both lie between the same two draws of 4000
            assert row[end] == pytest.approx(1 / back[other], rel=0.02)
        else:
            assert row[end] == np.inf
    assert np.isnan(row[["mean", "sd"]].astype(float)).all()
    assert row["p_positive"] == back["p_positive"]


def test_a_cost_by_hand_has_one_open_end_and_says_how_often_nothing_is_gained():
    found = summarize(as_draws(np.array([0.5, 1.0, 2.0, 4.0, np.inf])), prob=0.5).iloc[0]
    assert found[["median", "low", "high", "p_positive"]].tolist() == [2.0, 1.0, 4.0, 0.8]
    assert summarize(as_draws(np.array([1.0, 2.0, np.inf, np.inf])), 0.5)["high"].item() == np.inf
    table = summarize(bc.effect(fit_with(0.05, 0.5), COST))
    part = float((bc.effect(fit_with(0.05, 0.5), INVERSE) <= 0).mean())
    assert table["note"].item().startswith(f"infinite in {part:.1%} of draws")
    assert "per_spend" in table["note"].item()
    assert "note" not in summarize(bc.effect(fit_with(1.0, 0.01), COST))


def test_a_cost_of_less_spend_is_that_of_more():
    less = Estimand({"a": Times(0.5)}, scale="cost")
    fit = fit_with(0.5, 0.5)
    np.testing.assert_allclose(bc.effect(fit, less), bc.effect(fit, COST), rtol=1e-9)


def test_a_ratio_keeps_its_mark_through_arithmetic_and_selection():
    twice = 2 * bc.effect(fit_with(1.0, 0.01), COST)
    assert np.isnan(summarize(twice)["mean"].item())
    assert summarize(bc.effect(fit_with(1.0, 0.01), INVERSE))["mean"].notna().all()


def test_spend_that_only_moves_from_one_channel_to_another_is_none():
    fit = linear_fit(spend={"a": "cost", "b": "b"})
    spent = {v: fit.data.spend_of(v).sum() for v in "ab"}
    swap = {"a": Times(0.9), "b": Times(1 + 0.1 * spent["a"] / spent["b"])}
    for scale in ("per_spend", "cost"):
        with pytest.raises(DataError, match=r"moves no spend.*scale='total'"):
            bc.effect(fit, Estimand(swap, scale=scale))


# Fieller's set


def normal_pair(n, d, sd_n, sd_d, rho, power=17):
    """Normal draws of N and D on a Sobol net: probabilities are right to about 1e-4."""
    z = stats.norm.ppf(qmc.Sobol(2, seed=1).random_base2(power))
    second = rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1]
    return n + sd_n * z[:, 0], d + sd_d * second


def fieller(n, d, sd_n, sd_d, rho, prob):
    """Fieller's limits: roots in r of (n - r d)^2 = z^2 Var(N - r D)."""
    z2, cov = stats.norm.ppf((1 + prob) / 2) ** 2, rho * sd_n * sd_d
    roots = np.roots([d**2 - z2 * sd_d**2, -2 * (n * d - z2 * cov), n**2 - z2 * sd_n**2])
    return np.sort(roots)


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.8])
@pytest.mark.parametrize("prob", [0.5, 0.9])
def test_interval_is_fiellers_where_the_denominator_has_one_sign(rho, prob):
    world = (2.0, 5.0, 1.0, 1.0, rho)  # P(D <= 0) = 3e-7
    found = summarize(as_draws(ratio(*normal_pair(*world))), prob).iloc[0]
    np.testing.assert_allclose(found[["low", "high"]].tolist(), fieller(*world, prob), rtol=2e-3)


@pytest.mark.parametrize(("prob", "bounded"), [(0.6, True), (0.9, False)])
def test_interval_is_unbounded_where_fiellers_is_and_else_holds_it(prob, bounded):
    world = (3.0, 1.25, 1.0, 1.0, 0.3)  # P(D <= 0) = 0.106
    values = ratio(*normal_pair(*world))
    assert np.isnan(values).mean() == pytest.approx(stats.norm.cdf(-1.25), abs=1e-3)
    found = summarize(as_draws(values), prob).iloc[0]
    discriminant = world[1] ** 2 - stats.norm.ppf((1 + prob) / 2) ** 2
    assert (discriminant > 0) == bounded == np.isfinite(found[["low", "high"]].tolist()).all()
    if bounded:
        low, high = fieller(*world, prob)
        assert found["low"] <= low < found["median"] < high
        assert found["high"] == pytest.approx(high, rel=0.02)
    else:
        assert found[["low", "high"]].tolist() == [-np.inf, np.inf]
        assert np.isnan(found["median"])


def test_draws_without_a_value_count_at_both_ends():
    values = np.array([np.nan, *np.arange(1.0, 20.0)])
    row = summarize(as_draws(values), 0.8).iloc[0]
    assert row["low"] == pytest.approx(np.quantile([-1e9, *values[1:]], 0.1))
    assert row["high"] == pytest.approx(np.quantile([*values[1:], 1e9], 0.9))
    assert row["median"] == 10.0
    assert row["p_positive"] == 0.95
    assert np.isnan(row[["mean", "sd"]].tolist()).all()
    assert summarize(as_draws(np.full(20, np.nan))).isna().all(axis=None)


# Returns on induced spend


def induced_fit(mean, sd):
    return linear_fit(
        "a, b, m -> y\na -> m",
        spend=PAID,
        coefficients={"a->m": (mean, sd), "a->y": (1.0, 0.1), "m->y": (1.0, 0.1)},
        set_to={"m:sigma": 0.1},
    )


def test_a_return_on_induced_spend_has_no_value_where_no_more_is_spent_in_all():
    fit = induced_fit(-3.0, 0.5)  # what a saves in m is about what it costs
    found = bc.roas(fit, spend="induced")
    moved = bc.effect(fit, incremental("a", outcome="m")).to_numpy().ravel()
    own = float(fit.data.spend_of("a").sum())
    undefined = own + moved <= 0
    assert 0.3 < undefined.mean() < 0.7
    np.testing.assert_array_equal(np.isnan(found.sel(channel="a")).to_numpy().ravel(), undefined)
    table = summarize(found)
    assert table.loc["a", ["low", "high"]].tolist() == [-np.inf, np.inf]
    assert table.loc["a", ["median", "mean", "sd"]].isna().all()
    assert table.loc["a", "note"].startswith(f"undefined in {undefined.mean():.1%} of draws")
    assert np.isfinite(table.loc["m", "mean"])  # divided by what was spent
    assert table.loc["m", "note"] == ""


def test_only_the_channel_that_induces_spend_has_no_mean():
    table = summarize(bc.roas(induced_fit(0.5, 0.1), spend="induced"))
    assert table.loc["a", ["mean", "sd"]].isna().all()
    assert np.isfinite(table.loc["a", ["median", "low", "high"]].tolist()).all()
    assert table.loc["m", ["mean", "sd"]].notna().all()
    assert summarize(bc.roas(induced_fit(0.5, 0.1)))[["mean", "sd"]].notna().all(axis=None)


# Percentages


def test_a_percentage_is_answered_where_few_draws_have_none_and_weighs_no_test():
    percent = incremental("a", scale="percent")
    fit = fit_with(1.0, 0.7)
    found = bc.effect(fit, percent)
    part = float(np.isnan(found).mean())
    assert 0 < part < 0.05
    row = summarize(found).iloc[0]
    assert np.isfinite(row[["median", "low", "high"]].tolist()).all()
    assert row["note"].startswith(f"undefined in {part:.1%} of draws")
    split = summarize(bc.decompose(fit, percent))
    assert split.loc["total", "low"] == row["low"]
    assert (split.loc[["total", "direct"], "note"] == row["note"]).all()
    with pytest.raises(DataError, match=r"in \d+ of 4000 posterior draws.*scale='total'"):
        bc.rank_experiments(fit, bc.Candidate(percent, std_error=1.0))
    with pytest.raises(SpecError, match="per_spend"):
        bc.rank_experiments(fit, bc.Candidate(incremental("a"), 1.0), target=COST)


# Channels that were off


def off_fit(units=(), channel="b", **settings):
    """A channel is off in weeks 10 to 19, in a panel in its first unit."""
    fit = linear_fit(spend={"a": "cost", "b": "b", "c": "c"}, units=units, **settings)
    table = fit.data.table.copy(deep=True)
    where = {"time": fit.data.time[10:20], **({"unit": units[0]} if units else {})}
    table[channel].loc[where] = 0.0
    data = bc.Dataset(table, fit.data.spend)
    return bc.Fit(fit.spec, data, fit.tree), (data.time[10], data.time[19])


@pytest.mark.parametrize("spend", ["own", "induced"])
@pytest.mark.parametrize("query", [bc.roas, bc.mroas])
def test_a_channel_that_was_off_leaves_the_others_their_answer(query, spend):
    fit, window = off_fit()
    table = summarize(query(fit, window=window, spend=spend))
    assert table.loc["b", list(table.columns[:6])].isna().all()
    assert table["note"].to_dict() == {"a": "", "b": "no spend to divide by", "c": ""}
    alone = summarize(query(fit, ["a", "c"], window=window, spend=spend))
    assert table.loc[["a", "c"], list(table.columns[:6])].equals(alone[list(table.columns[:6])])
    assert "note" not in alone


def test_a_unit_in_which_a_channel_was_off_has_the_note():
    fit, window = off_fit(units=("east", "north"))
    table = summarize(bc.roas(fit, window=window, by_unit=True))
    off = table.index == ("b", "east")
    assert table["median"].isna().tolist() == off.tolist()
    assert (table["note"] != "").tolist() == off.tolist()
    assert bc.roas(fit, window=window).notnull().all()  # north ran


def test_a_single_question_per_spend_of_a_channel_that_was_off_is_refused():
    fit, window = off_fit()
    for scale in ("per_spend", "cost"):
        with pytest.raises(DataError, match="a window in which there was spend"):
            bc.effect(fit, incremental("b", window=window, scale=scale))


def test_plans_leave_out_a_channel_that_was_off_and_say_so():
    fit, window = off_fit()
    with pytest.warns(UserWarning, match="left out of the plans: b"):
        plans = bc.budget_plans(fit, window=window)
    assert plans.treatments == ("a", "c")
    same = bc.budget_plans(fit, ["a", "c"], window=window)
    assert plans.table().equals(same.table())
    table = summarize(bc.payoffs(fit, plans))
    assert table[["a factor", "c factor"]].notna().all(axis=None)
    with pytest.raises(DataError, match=r"Of b, c 1 has spend in the window.*window="):
        bc.budget_plans(fit, ["b", "c"], window=window)


# What a reader sees


def test_a_ratio_that_is_not_identified_says_so_on_its_card_and_in_the_table():
    fit = induced_fit(0.5, 0.1)
    draws = bc.roas(fit, ["a"], spend="induced").isel(channel=0).drop_vars("channel")
    unknown = draws.assign_coords(grade="X", status="not identified")
    shown = cells(fit, {("a", "induced roas"): unknown}, 0.9)["a"]["induced roas"]
    assert shown["unknown"]
    assert not shown["fixed"]
    assert shown["median"] == number(float(draws.median()))
    row = summarize(unknown)
    assert row.columns.name == "NOT IDENTIFIED"


def test_a_card_without_a_number_says_why():
    fit, window = off_fit()
    draws = bc.roas(fit, ["b"], window=window).isel(channel=0).drop_vars("channel")
    shown = cells(fit, {("b", "roas"): draws}, 0.9)["b"]["roas"]
    assert (shown["median"], shown["interval"]) == ("n/a", "n/a to n/a")
    assert (shown["above_one"], shown["positive"]) == ("n/a", "n/a")
    assert shown["note"] == "no spend to divide by"
    wide = cells(fit, {("a", "cost"): bc.effect(fit_with(0.05, 0.5), COST)}, 0.9)["a"]["cost"]
    assert wide["interval"].endswith("to ∞")


def test_rows_for_machines_hold_no_number_that_json_does_not_know():
    row = summarize(bc.effect(fit_with(0.05, 0.5), COST)).iloc[0].to_dict()
    text = json.dumps(strict_row(row), allow_nan=False)
    assert json.loads(text)["high"] is None
    assert json.loads(text)["low"] == row["low"]
