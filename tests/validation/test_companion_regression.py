"""Least squares beside the posterior: against numpy, and against known coefficients."""

import numpy as np
import pandas as pd
import pytest
from linear_worlds import linear_fit
from saved_cases import drawn

import bayescausal as bc
from bayescausal.errors import DataError, SpecError
from bayescausal.validation.companion_regression import NOT


def test_coefficients_are_those_of_numpy():
    fit = linear_fit(rows=60)
    found = bc.companion_regression(fit)
    causes = {v: fit.data.array(v) / fit.data.scale(v) for v in "abc"}
    design = np.column_stack([*causes.values(), np.ones(60)])
    y = fit.data.array("y")
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    np.testing.assert_allclose(found.table["coefficient"], coefficients[:3], rtol=1e-9)
    residuals = y - design @ coefficients
    steps = np.diff(residuals)
    assert found.durbin_watson == pytest.approx((steps**2).sum() / (residuals**2).sum())
    assert found.r_squared == pytest.approx(1 - residuals.var() / y.var())
    others = design[:, 1:]
    fitted = others @ np.linalg.lstsq(others, design[:, 0], rcond=None)[0]
    inflation = design[:, 0].var() / (design[:, 0] - fitted).var()
    assert found.table.loc["a->y", "vif"] == pytest.approx(inflation)


def newey_west(design, residuals, lags):
    """Variance by the formula, with the correction n / (n - k)."""
    n, k = design.shape
    score = design * residuals[:, None]
    middle = score.T @ score
    for lag in range(1, lags + 1):
        cross = score[lag:].T @ score[:-lag]
        middle += (1 - lag / (lags + 1)) * (cross + cross.T)
    bread = np.linalg.inv(design.T @ design)
    return bread @ middle @ bread * n / (n - k)


def test_errors_are_newey_wests():
    fit = linear_fit(rows=80)
    found = bc.companion_regression(fit, lags=3)
    paths = [fit.data.array(v) / fit.data.scale(v) for v in "abc"]
    design = np.column_stack([*[x - x.mean() for x in paths], np.ones(80)])
    y = fit.data.array("y")
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    expected = np.sqrt(np.diag(newey_west(design, residuals, 3)))[:3]
    np.testing.assert_allclose(found.table["se"], expected, rtol=1e-8)
    np.testing.assert_allclose(found.table["t"], found.table["coefficient"] / expected, rtol=1e-8)
    assert found.lags == 3
    assert bc.companion_regression(fit).lags == 3  # 4 (80 / 100)^(2/9), rounded down


def test_it_stands_beside_the_posterior_of_the_same_coefficient():
    """Coefficients of the made-up posterior are known: 1.0 with a deviation of 0.5, and so on."""
    fit = linear_fit(rows=60)
    table = bc.companion_regression(fit).table
    for name, mean, sd in (("a", 1.0, 0.5), ("b", 1.0, 0.05), ("c", 0.2, 0.05)):
        row = table.loc[f"{name}->y"]
        scale = fit.data.scale("y").item()
        assert row["median"] == pytest.approx(mean * scale, abs=4 * sd * scale / np.sqrt(4000))
        assert row["high"] - row["low"] == pytest.approx(2 * 1.645 * sd * scale, rel=0.1)
    assert set(table["grade"]) == {"F"}


def test_the_bundled_world_agrees_where_least_squares_may(example_fit):
    found = bc.companion_regression(example_fit)
    assert {"trend slope", "yearly sin1"} <= set(found.table.index)
    inside = found.table.dropna(subset=["median"])
    assert (
        (inside["low"] < inside["coefficient"]) & (inside["coefficient"] < inside["high"])
    ).all()
    assert 1.5 < found.durbin_watson < 2.5
    assert found.table.loc["demand->sales", "p_value"] < 0.001
    assert bc.companion_regression(example_fit, "search").node == "search"


def test_it_says_what_it_is_not(example_fit):
    page = " ".join(repr(bc.companion_regression(example_fit)).split())
    assert all(" ".join(line.split()) in page for line in NOT)
    assert max(map(len, repr(bc.companion_regression(example_fit)).splitlines())) <= 100


def test_an_estimate_outside_of_the_posterior_is_pointed_out():
    fit = linear_fit(coefficients={"a->y": (9.0, 0.01), "b->y": (9.0, 0.01), "c->y": (9.0, 0.01)})
    assert "a->y" in bc.companion_regression(fit).notes[0]


def test_memory_is_pointed_out():
    fit = linear_fit("a, b, c -> y\ny -> y @ 1", coefficients={"y->y@1": (0.2, 0.0)}, rows=60)
    assert any("own past" in note for note in bc.companion_regression(fit).notes)


def test_a_panel_has_levels_and_errors_for_units_in_step():
    """Copies of one unit know no more than one does: errors by period are as wide."""
    one, many = (copies(k) for k in (1, 4))
    assert list(many.table.index) == ["tv->sales"]
    assert many.rows == 240
    assert "shares of sales's scale" in many.unit
    assert many.table["se"].item() == pytest.approx(one.table["se"].item(), rel=0.05)
    assert many.table["coefficient"].item() == pytest.approx(one.table["coefficient"].item())


def copies(units):
    """Markets that are all alike, or one market as a panel of one; least squares reads no draws."""
    rng = np.random.default_rng(3)
    tv = rng.gamma(2, 10, 60)
    week = pd.date_range("2025-01-06", periods=60, freq="7D")
    part = pd.DataFrame({"week": week, "tv": tv, "sales": 100 + 0.8 * tv + rng.normal(0, 4, 60)})
    frame = pd.concat([part.assign(market=f"m{k}") for k in range(units)])
    data = bc.Dataset.from_frame(frame, time="week", unit="market", spend=["tv"])
    spec = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": bc.Response()})
    return bc.companion_regression(drawn(spec, data, rng))


def test_mistakes_are_named(example_fit):
    with pytest.raises(SpecError, match="Did you mean 'sales'"):
        bc.companion_regression(example_fit, "sale")
    with pytest.raises(SpecError, match="lags is a whole number"):
        bc.companion_regression(example_fit, lags=1.5)
    with pytest.raises(DataError, match="too few"):
        bc.companion_regression(linear_fit(rows=12))
