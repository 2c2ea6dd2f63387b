"""Contours of what hidden drivers leave: drawn from the table, and only what is in it."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import bayescausal as bc
from bayescausal.errors import SpecError


@pytest.fixture(scope="module")
def found(example_fit):
    return bc.sensitivity(example_fit, multiples=(1, 2))


def test_every_effect_has_a_panel_with_its_robustness_value(found):
    sheet = bc.plot_sensitivity(found)
    titles = [ax.get_title(loc="left") for ax in sheet.axes]
    assert titles == [f"{v}: robustness value {rv:.0%}" for v, rv in found.effects["rv"].items()]


def test_dots_stand_where_the_table_says(found):
    (ax,) = bc.plot_sensitivity(found, "social").axes
    dots = [c for c in ax.collections if isinstance(c, PathCollection)]
    drawn = np.vstack([part.get_offsets() for part in dots])
    table = found.benchmarks.loc["social"].dropna(subset="share")
    listed = table[["r2_channel", "r2_outcome"]].to_numpy()
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(listed, axis=0))
    labels = {text.get_text() for text in ax.texts}
    assert {*table["driver"]} <= labels


def test_a_tipping_point_is_drawn_where_it_is_known_beside_recorded_drivers(found):
    index = pd.Index([-0.1, 0.0, 0.1, 0.2], name="correlation")
    low = [6.0, 4.0, -1.0, np.nan]
    columns = {"median": [9.0, 7.0, 2.0, np.nan], "low": low, "high": [12.0, 10.0, 5.0, np.nan]}
    sources = ["reweighted", "reweighted", "refitted", "not known"]
    table = pd.DataFrame(columns | {"p_break_even": np.nan, "source": sources}, index=index)
    tipping = bc.TippingPoint("tv", "sales", table, 0.9, problem="NOT CONVERGED: too few draws.")
    assert tipping.interval_reaches_zero == pytest.approx(0.08)
    figure = bc.plot_tipping_point(tipping, found)
    (ax,) = figure.axes
    upright = {line.get_xdata()[0] for line in ax.lines if len({*line.get_xdata()}) == 1}
    rows = found.benchmarks.loc["tv"]
    assert upright >= {*rows.loc[rows["k"] == 1, "correlation"]}
    (diamonds,) = (line for line in ax.lines if line.get_marker() == "D")
    assert list(diamonds.get_xdata()) == [0.1]
    assert any("NOT CONVERGED" in text.get_text() for text in figure.texts)
    assert bc.plot_tipping_point(tipping, ax=Figure().subplots()).axes


def test_other_things_are_refused(found, example_fit):
    with pytest.raises(SpecError, match=r"plot_sensitivity\(sensitivity\(fit\)\)"):
        bc.plot_sensitivity(example_fit)
    with pytest.raises(SpecError, match="there is no 'radio'"):
        bc.plot_sensitivity(found, "radio")
    with pytest.raises(SpecError, match=r"plot_tipping_point\(tipping_point\(fit, 'tv'\)\)"):
        bc.plot_tipping_point(found)
