"""Total effects by spend: against effects, returns and a closed form."""

import numpy as np
import pytest
from allocation_worlds import HILL, media_fit, table

import bayescausal as bc
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import Estimand, Times

WINDOW = ("2024-03-04", "2024-12-29")


@pytest.mark.parametrize("link", ["identity", "log"])
def test_it_meets_effect_and_mroas_at_the_present_spend(link):
    fit = media_fit(response=HILL, link=link, value=2.0)
    curve = bc.spend_response(fit, "b", window=WINDOW, upto=2.0, points=5)
    assert curve["effect"].dims == ("chain", "draw", "spend")
    assert (curve["effect"].isel(spend=0) == 0).all()
    present = curve.isel(spend=2)
    assert float(present["factor"]) == 1.0
    assert float(present["spend"]) == float(present["current_spend"])
    added = bc.effect(fit, bc.incremental("b", window=WINDOW))
    np.testing.assert_allclose(present["effect"], added, rtol=1e-9)
    margin = bc.mroas(fit, ["b"], window=WINDOW).sel(channel="b")
    np.testing.assert_allclose(present["marginal_return"], margin, rtol=1e-9)
    double = bc.effect(fit, Estimand({"b": Times(2.0)}, {"b": 0.0}, window=WINDOW))
    np.testing.assert_allclose(curve["effect"].isel(spend=4), double, rtol=1e-9)


def test_root_response_grows_with_the_root_of_spend():
    curve = bc.spend_response(media_fit(), "a", upto=4.0, points=5)
    effect = curve["effect"]
    np.testing.assert_allclose(effect.isel(spend=4), 2 * effect.isel(spend=1), rtol=1e-9)


def test_it_counts_what_flows_through_a_mediator():
    text = "a -> search -> sales\na, b -> sales"
    parts = {"policy": {}}
    fit = media_fit(("a", "b"), text=text, parts=parts)
    curve = bc.spend_response(fit, "a", points=2, upto=1.0)
    paths = bc.decompose(fit, "a")
    np.testing.assert_allclose(curve["effect"].isel(spend=1), paths.sel(path="total"), rtol=1e-9)
    assert (abs(paths.sel(path="indirect")) > 0.01 * abs(paths.sel(path="total"))).all()


def test_extrapolation_begins_where_the_average_week_passes_the_largest():
    fit = media_fit()
    curve = bc.spend_response(fit, "a", window=WINDOW, upto=8.0, points=30)
    spend = fit.data.table["a_cost"]
    inside = spend.sel(time=slice(*WINDOW))
    want = float(spend.max() / inside.mean() * inside.sum())
    assert float(curve["observed_spend"]) == pytest.approx(want)
    np.testing.assert_array_equal(curve["extrapolated"], curve["spend"] > want)
    assert curve["extrapolated"].any()
    assert "largest one that was seen" in curve["effect"].attrs["extrapolation"]


@pytest.mark.parametrize(
    ("channel", "ask", "error", "words"),
    [
        ("search", {}, SpecError, "search"),
        ("a", {"upto": 0.0}, SpecError, "upto is a multiple"),
        ("a", {"points": 1}, SpecError, "2 or more"),
        ("a", {"window": ("2030-01-01", "2030-02-01")}, DataError, "no period"),
    ],
)
def test_bad_input_is_refused_with_advice(channel, ask, error, words):
    with pytest.raises(error, match=words):
        bc.spend_response(media_fit(draws=2), channel, **ask)


def test_a_channel_without_spend_in_the_window_is_refused():
    fit = media_fit(draws=2)
    frame, spend = table("abc")
    frame.loc[frame.index[5:], ["a", "a_cost"]] = 0.0
    paused = bc.Fit(fit.spec, bc.Dataset.from_frame(frame, time="week", spend=spend), fit.tree)
    with pytest.raises(DataError, match="no spend in the window"):
        bc.spend_response(paused, "a", window=WINDOW)


def test_the_plot_shades_extrapolation_and_marks_the_present_spend():
    sheet = bc.plot_spend_response(media_fit(draws=5), ["a", "b"], upto=6.0)
    for ax in sheet.axes:
        assert any(line.get_marker() == "o" for line in ax.lines)
        assert len(ax.patches) == 1
