"""Measures of the business are those of the verbs that ask for one of them."""

import numpy as np
import pytest
from linear_worlds import linear_fit
from queries.test_decomposition import of

import bayescausal as bc
from bayescausal.errors import DataError, SpecError

WINDOW = ("2024-02-26", "2024-04-01")
same = np.testing.assert_allclose


def measure(table, name):
    return table.sel(measure=name, drop=True)


@pytest.mark.parametrize("name", ["national", "panel", "paid", "history"])
@pytest.mark.parametrize("window", [None, WINDOW])
def test_each_measure_is_that_of_its_own_verb(name, window):
    fit, outcome = of(name)
    table = bc.business_measures(fit, window=window)
    paid = [str(c) for c in table["channel"].values if c in fit.data.spend]
    assert paid
    same(measure(table, "roas").sel(channel=paid), bc.roas(fit, paid, window=window), rtol=1e-9)
    same(measure(table, "mroas").sel(channel=paid), bc.mroas(fit, paid, window=window), rtol=1e-9)
    for channel in table["channel"].values:
        question = bc.incremental(channel, window=window, outcome=outcome)
        own = table.sel(channel=channel)
        added = bc.effect(fit, question)
        same(measure(own, "contribution"), added, rtol=1e-9)
        if channel in paid:
            cost = bc.effect(fit, bc.incremental(channel, window=window, scale="cost"))
            same(measure(own, "cost"), cost, rtol=1e-9)


def test_the_prior_alone_says_of_a_measure_what_it_says_of_its_own_verb(example_fit):
    table = bc.summarize(bc.business_measures(example_fit)).reset_index("measure")
    for verb in (bc.roas, bc.mroas):
        alone = bc.summarize(verb(example_fit))
        rows = table[table["measure"] == verb.__name__].loc[alone.index]
        same(rows[["prior_5%", "prior_95%"]], alone[["prior_5%", "prior_95%"]], rtol=1e-9)


def test_a_straight_line_by_hand():
    """y gains 2 for each of a, which costs 2 apiece: all measures are known."""
    fit = linear_fit(coefficients={"a->y": (0.3, 0.0)}, value=3.0)
    found = bc.business_measures(fit, ["a"], margin=0.5)[0, 0, 0].to_series()
    slope = bc.effect(fit, "a")[0, 0].item() / fit.data.array("a").sum()
    added, spend = slope * fit.data.array("a").sum(), fit.data.spend_of("a").sum()
    level = fit.data.array("y").sum()
    expected = {
        "contribution": added,
        "share": added / level,
        "spend": spend,
        "spend_share": 1.0,
        "roas": 3 * added / spend,
        "mroas": 3 * added / spend,
        "cost": spend / added,
        "elasticity": added / level,
        "profit": 1.5 * added - spend,
        "marginal_profit": 1.5 * added / spend - 1,
        "half_life": 0.0,
        "payback": 0.0 if 1.5 * added >= spend else np.inf,
    }
    assert list(found.index) == list(expected)
    same(found, list(expected.values()), rtol=1e-6)


def test_half_life_and_payback_are_counted_from_the_weights_of_an_adstock():
    """Weights 1, a, a^2, .. of a straight line: half has come when their sum passes one half."""
    edge, alpha = "a->y", 0.8
    fit = linear_fit(
        "a -> y",
        parts={
            "responses": {"a": bc.Response(bc.GeometricAdstock(l_max=6), strength=bc.Coefficient())}
        },
        coefficients={edge: (1.0, 0.0)},
        set_to={f"{edge}:alpha": alpha},
    )
    weights = alpha ** np.arange(7) / (alpha ** np.arange(7)).sum()
    sums = weights.cumsum()
    scale = fit.scm.scale
    gain = (scale["y"] / scale["a"]).item()  # of one unit of a, which costs 2
    table = bc.business_measures(fit, margin=3 / gain)[0, 0, 0]
    assert table.sel(measure="half_life").item() == np.argmax(sums >= 0.5) == 2
    assert table.sel(measure="payback").item() == np.argmax(3 * sums >= 2)
    never = bc.business_measures(fit, margin=1 / gain)
    assert np.isinf(never.sel(measure="payback")).all()
    row = bc.summarize(never).loc[("a", "payback")]
    assert "not paid back" in row["note"]
    assert np.isnan(row["mean"])


def test_tables_by_unit_and_by_quarter_are_those_of_their_windows():
    fit, _ = of("panel")
    by_unit = bc.business_measures(fit, by="unit")
    assert by_unit.dims == ("chain", "draw", "unit", "channel", "measure")
    for unit in fit.data.units:
        same(by_unit.sel(unit=unit), bc.business_measures(fit, units=unit), rtol=1e-9)
    quarters = bc.business_measures(fit, by="quarter")
    assert list(quarters["quarter"].values) == ["2024Q1", "2024Q2"]
    days = fit.data.training
    first = days[days < "2024-04-01"]
    same(
        quarters.sel(quarter="2024Q1"),
        bc.business_measures(fit, window=(first[0], first[-1])),
        rtol=1e-9,
    )
    spends = measure(quarters, "spend").sum("quarter")
    same(spends, measure(bc.business_measures(fit), "spend"), rtol=1e-9)


def test_without_spend_there_is_no_return_and_the_rest_stays():
    fit, _ = of("national")
    table = bc.summarize(bc.business_measures(fit))
    assert np.isnan(table.loc[("search", "roas"), "median"])
    assert table.loc[("search", "roas"), "note"]
    assert np.isfinite(table.loc[("search", "elasticity"), "median"])
    assert table.loc[("tv", "spend_share"), "median"] < 1


def test_one_channel_is_better_than_another_as_often_as_its_draws_are_larger():
    fit, _ = of("national")
    returns = bc.mroas(fit)
    gaps = bc.differences(returns)
    tv, social = (returns.sel(channel=c).to_numpy() for c in ("tv", "social"))
    table = bc.summarize(gaps)
    assert table.loc[("tv", "social"), "p_positive"] == (tv > social).mean()
    same(gaps.sel(channel="tv", than="social"), tv - social)
    assert np.isnan(table.loc[("tv", "tv"), "median"])


def test_bad_input_is_refused_with_advice():
    fit, _ = of("national")
    with pytest.raises(DataError, match="national"):
        bc.business_measures(fit, by="unit")
    with pytest.raises(SpecError, match="Did you mean 'quarter'"):
        bc.business_measures(fit, by="quarters")
    with pytest.raises(SpecError, match="by is one of"):
        bc.business_measures(fit, by=["month"])
    with pytest.raises(SpecError, match="margin"):
        bc.business_measures(fit, margin=0)
    with pytest.raises(SpecError, match="tvv"):
        bc.business_measures(fit, ["tvv"])
    with pytest.raises(SpecError, match="channel"):
        bc.differences(bc.effect(fit, "tv"))


def test_ranks_are_a_permutation_in_each_draw(example_fit):
    returns = bc.mroas(example_fit)
    ranks = bc.ranks(returns)
    assert ranks.dims == ("chain", "draw", "channel", "rank")
    assert (ranks.sum("rank") == 1).all()
    assert (ranks.sum("channel") == 1).all()
    names = returns["channel"].to_numpy()
    best = returns.argmax("channel").to_numpy().ravel()
    first = ranks.sel(rank=1).mean(("chain", "draw"))
    np.testing.assert_allclose(first, [(best == k).mean() for k in range(len(names))])
    gap = bc.differences(returns).sel(channel=names[0], than=names[1])
    assert float((gap > 0).mean()) >= float(first[0])
    assert "a bias that differs" in ranks.attrs["caveat"]


def test_a_channel_without_a_number_has_no_rank(example_fit):
    returns = bc.roas(example_fit)
    paused = returns.where(returns["channel"] != "tv")
    ranks = bc.ranks(paused)
    assert ranks.sel(channel="tv").isnull().all()
    assert (ranks.sum(("channel", "rank")) == returns.sizes["channel"] - 1).all()


def test_ranks_are_of_channels(example_fit):
    with pytest.raises(SpecError, match="with a dim channel"):
        bc.ranks(bc.effect(example_fit, "tv"))
