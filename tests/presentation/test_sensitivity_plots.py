"""Contours of what hidden drivers leave: drawn from the table, and only what is in it."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection

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


def test_other_things_are_refused(found, example_fit):
    with pytest.raises(SpecError, match=r"plot_sensitivity\(sensitivity\(fit\)\)"):
        bc.plot_sensitivity(example_fit)
    with pytest.raises(SpecError, match="there is no 'radio'"):
        bc.plot_sensitivity(found, "radio")
