"""A waterfall ends at the data, and so does a stack."""

import numpy as np
import pytest
from linear_worlds import linear_fit

import bayescausal as bc
from bayescausal.errors import SpecError


@pytest.fixture(scope="module")
def fit():
    mixed = {"a->y": (0.2, 0.05), "b->y": (-0.1, 0.02), "y:intercept": (0.6, 0.01)}
    return linear_fit("a, b, c -> y", coefficients=mixed, units=("u", "v"))


def test_a_waterfall_goes_from_zero_to_the_data_without_a_gap(fit):
    draws = bc.decomposition(fit, total=True)
    (ax,) = bc.plot_decomposition(draws).axes
    bars = ax.patches
    assert len(bars) == draws.sizes["component"] + 1
    assert bars[0].get_x() == 0
    ends = [bar.get_x() + bar.get_width() for bar in bars]
    np.testing.assert_allclose([bar.get_x() for bar in bars[1:-1]], ends[:-2])
    observed = fit.data.array("y").sum()
    np.testing.assert_allclose(ends[-2:], observed)
    part = list(draws["component"].values).index("b")
    assert bars[part].get_width() < 0
    assert ax.get_yticklabels()[part].get_text().startswith("b (")


def test_a_waterfall_of_periods_is_that_of_their_sums(fit):
    pictures = [
        bc.plot_decomposition(bc.decomposition(fit, total=t)).axes[0] for t in (True, False)
    ]
    one, other = ([bar.get_width() for bar in ax.patches] for ax in pictures)
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_a_stack_over_time_has_a_band_for_each_channel_below_the_data(fit):
    (ax,) = bc.plot_decomposition(bc.decomposition(fit), "area").axes
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["baseline", "a", "b", "c", "interaction", "observed y"]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), fit.data.array("y").sum(axis=0))


def test_a_fit_that_has_not_converged_says_so():
    draws = bc.decomposition(linear_fit(converged=False), total=True)
    assert any("NOT CONVERGED" in text.get_text() for text in bc.plot_decomposition(draws).texts)


def test_other_draws_and_kinds_are_refused(fit):
    draws = bc.decomposition(fit, total=True)
    with pytest.raises(SpecError, match="decomposition"):
        bc.plot_decomposition(fit)
    with pytest.raises(SpecError, match="decomposition"):
        bc.plot_decomposition(bc.contributions(fit))
    with pytest.raises(SpecError, match="waterfall, area"):
        bc.plot_decomposition(draws, "pie")
    with pytest.raises(SpecError, match="leave total out"):
        bc.plot_decomposition(draws, "area")
    with pytest.raises(SpecError, match="prob"):
        bc.plot_decomposition(draws, prob=90)
