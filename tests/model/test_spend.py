"""What exposure costs: all that was spent, also what is booked where nothing ran."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bayescausal as bc
from bayescausal.errors import SpendWithoutExposure
from bayescausal.model.contrast import mean_cost, measure, moved_spend, unit_cost
from bayescausal.model.scm import bind, compile_scm
from bayescausal.specs.compatibility import check

SPEC = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": bc.Response()})


def dataset(tv, cost, history=0):
    """National data, or a panel of the rows of two arrays of dims (unit, time)."""
    tv, cost = np.atleast_2d(tv), np.atleast_2d(cost)
    week = pd.date_range("2024-01-01", periods=tv.shape[1], freq="7D")
    rows = [
        pd.DataFrame({"week": week, "geo": f"u{k}", "tv": x, "cost": c, "sales": 9.0 + x + k})
        for k, (x, c) in enumerate(zip(tv, cost, strict=True))
    ]
    panel = len(rows) > 1
    frame = pd.concat(rows).assign(sales=lambda d: d["sales"] + np.arange(len(d)) % 3)
    return bc.Dataset.from_frame(
        frame if panel else frame.drop(columns="geo"),
        time="week",
        unit="geo" if panel else None,
        spend={"tv": "cost"},
        history=history,
    )


def billed_late(weeks=52):
    """TV is off every fourth week, in which half of what it cost is invoiced."""
    tv = np.where(np.arange(weeks) % 4 == 3, 0.0, 10.0 + np.arange(weeks) % 5)
    cost = 0.5 * 2.0 * tv
    cost[3::4] = [tv[k - 3 : k].sum() for k in range(3, weeks, 4)]
    return tv, cost


def scm_of(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpendWithoutExposure)
        return compile_scm(SPEC, data)


def return_of(data, estimand):
    """The return, in the model, where a unit of tv adds 20 of sales."""
    scm = scm_of(data)

    def answer(strength, asked):
        theta = {p.name: np.zeros(p.size) if p.dim else np.array(0.5) for p in scm.parameters}
        theta["tv->sales"] = np.array(strength)
        return float(measure(bind(scm, theta), asked))

    whole = answer(1.0, bc.incremental("tv", carryover=False))
    return answer(20.0 * data.array("tv").sum() / whole, estimand)


def test_return_counts_what_is_billed_where_nothing_ran():
    tv, cost = billed_late()
    data = dataset(tv, cost)
    assert cost.sum() == pytest.approx(2.0 * tv.sum())
    asked = bc.incremental("tv", scale="per_spend", carryover=False)
    assert return_of(data, asked) == pytest.approx(10.0)
    more = bc.Estimand({"tv": bc.Times(1.01)}, scale="per_spend", carryover=False)
    assert return_of(data, more) == pytest.approx(10.0)
    assert moved_spend(scm_of(data), asked) == pytest.approx(cost.sum())


def test_price_is_that_of_the_period_and_of_the_bill():
    price = unit_cost(dataset([2.0, 0, 4, 2], [2.0, 12, 8, 6]), "tv")
    np.testing.assert_allclose(price, [1 + 1.5, 28 / 8, 2 + 1.5, 3 + 1.5])


def test_price_without_loose_spend_is_spend_by_exposure():
    tv, cost = np.array([2.0, 0, 4, 2]), np.array([2.0, 0, 8, 6])
    np.testing.assert_array_equal(unit_cost(dataset(tv, cost), "tv"), [1, 2, 2, 3])


def test_bills_of_a_unit_stay_in_the_unit():
    data = dataset([[1.0, 0, 3], [2.0, 2, 0]], [[1.0, 8, 3], [2.0, 2, 0]])
    np.testing.assert_allclose(unit_cost(data, "tv"), [[3, 2, 3], [1, 1, 2]])


def test_spend_of_a_unit_without_exposure_goes_to_the_exposure_of_all():
    data = dataset([[1.0, 0, 3], [0.0, 0, 0]], [[1.0, 0, 3], [0.0, 8, 0]])
    price = unit_cost(data, "tv")
    np.testing.assert_allclose(price, [[3, 3, 3], [3, 3, 3]])
    assert mean_cost(data, "tv") == 3


def test_bills_of_the_history_stay_there():
    data = dataset([1.0, 0, 3, 1, 0], [1.0, 100, 3, 1, 8], history=2)
    np.testing.assert_allclose(unit_cost(data, "tv")[[0, 2, 3]], [101, 3, 3])
    asked = bc.incremental("tv")
    assert moved_spend(scm_of(data), asked) == pytest.approx(12)


def test_history_of_bills_alone_gives_no_nan():
    data = dataset([0.0, 0, 3, 1, 0], [0.0, 100, 3, 1, 8], history=2)
    assert np.isfinite(unit_cost(data, "tv")).all()
    assert moved_spend(scm_of(data), bc.incremental("tv")) == pytest.approx(12)


cells = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 3.0, 40.0]), st.sampled_from([0.0, 1.0, 7.0, 90.0])),
    min_size=12,
    max_size=12,
)


@settings(max_examples=40)
@given(cells, st.integers(0, 2))
def test_switching_off_everywhere_moves_all_that_was_spent(drawn, history):
    tv, cost = np.array(drawn).reshape(2, 6, 2).transpose(2, 0, 1)
    if not (tv[:, history:].any() and cost[:, history:].any()):
        return
    data = dataset(tv, cost, history)
    price, bought = unit_cost(data, "tv"), data.array("tv")
    assert np.isfinite(price).all()
    assert (price >= 0).all()
    moved = (price * bought)[:, history:].sum()
    assert moved == pytest.approx(cost[:, history:].sum())


def test_spend_where_nothing_ran_is_said():
    with pytest.warns(SpendWithoutExposure) as said:
        check(SPEC, dataset(*billed_late()))
    (text,) = [str(one.message) for one in said]
    for part in ("50%", "'tv'", "'cost'", "13 periods", "2024-01-22"):
        assert part in text


def test_little_spend_where_nothing_ran_is_not_said():
    tv = np.r_[np.full(20, 5.0), 0.0, 6.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(SPEC, dataset(tv, tv + (tv == 0) * 0.05 * tv.sum()))
        check(SPEC, dataset(tv, tv))
    with pytest.warns(SpendWithoutExposure, match="6%"):
        check(SPEC, dataset(tv, tv + (tv == 0) * 0.06 * tv.sum()))


def test_spend_where_nothing_ran_is_counted_after_the_history():
    tv = np.r_[0.0, 0.0, np.full(20, 5.0), 6.0]
    cost = np.r_[500.0, 500.0, tv[2:]]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check(SPEC, dataset(tv, cost, history=2))
    assert not said
    with pytest.warns(SpendWithoutExposure):
        check(SPEC, dataset(tv, cost))
