"""Refits in altered worlds: drawn from the table, those that do not count left out."""

import numpy as np
import pandas as pd
import pytest

import bayescausal as bc
from bayescausal.errors import SpecError


def refutation(status):
    columns = {"median": [2.0, -1.0, 9.0], "low": [0.0, -3.0, 8.0], "high": [4.0, 1.0, 10.0]}
    columns |= {"truth": 0.0, "problem": ["", "", "no draws"]}
    reference = pd.Series({"median": 7.0, "sd": 1.0, "low": 5.4, "high": 8.6})
    verdict = (status, "What follows.", 0.25, "two-sided", None)
    table = pd.DataFrame(columns)
    return bc.Refutation(bc.PlaceboBlocks(), "tv", "sales", *verdict, table, reference, 0.9)


def test_worlds_are_drawn_by_size_and_the_effect_they_are_compared_with_on_top():
    figure = bc.plot_refutation(refutation("pass"))
    (ax,) = figure.axes
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    places = [(float(d.get_xdata()[0]), float(d.get_ydata()[0])) for d in dots]
    assert places == [(-1.0, 0.0), (2.0, 1.0), (7.0, 2.0)]
    words = [text.get_text() for text in figure.texts]
    assert any("Placebo blocks of tv on sales: pass" in text for text in words)
    assert not any("What follows." in text for text in words)
    assert np.isclose(ax.lines[-1].get_xdata(), 0).all()


def test_a_failure_is_said_in_the_head_and_other_things_are_refused(example_fit):
    figure = bc.plot_refutation(refutation("fail"))
    assert any("What follows." in text.get_text() for text in figure.texts)
    with pytest.raises(SpecError, match=r"plot_refutation\(refute\(fit, 'tv'\)\)"):
        bc.plot_refutation(example_fit)
