"""A window of an effect that is cut, or that does not fit the periods, says what was counted."""

import numpy as np
import pandas as pd
import pytest
from linear_worlds import linear_fit

import bayescausal as bc
from bayescausal.errors import DataError
from bayescausal.model.contrast import scope, window_in_words

ASKED = bc.incremental("a")
WEEKS = pd.date_range("2024-01-01", periods=30, freq="7D")  # Mondays; the last day is 2024-07-28


@pytest.fixture(scope="module")
def fit():
    return linear_fit()


@pytest.mark.parametrize(
    ("window", "said", "first", "last"),
    [
        (("2024-02-05", "2024-03-03"), "2024-02-05..2024-03-03", 5, 8),
        (("2024-02-05", "2024-02-26"), "2024-02-05..2024-03-03", 5, 8),
        (
            ("2023-11-06", "2024-03-03"),
            "2024-01-01..2024-03-03, where 2023-11-06..2024-03-03 was asked",
            0,
            8,
        ),
        (
            ("2024-07-01", "2025-06-30"),
            "2024-07-01..2024-07-28, where 2024-07-01..2025-06-30 was asked",
            26,
            29,
        ),
        (
            ("2024-02-07", "2024-02-28"),
            "2024-02-12..2024-03-03, where 2024-02-07..2024-02-28 was asked",
            6,
            8,
        ),
    ],
)
def test_an_effect_says_which_days_it_counts(fit, window, said, first, last):
    asked = ASKED.during(*window)
    assert window_in_words(fit.data, asked) == said
    inside = np.flatnonzero(scope(fit.scm, asked).acts)
    assert (inside[0], inside[-1]) == (first, last)
    drawn = bc.effect(fit, asked)
    assert drawn.attrs["window"] == said
    assert bc.summarize(drawn).attrs["window"] == said
    assert bc.roas(fit, window=window).attrs["window"] == said
    assert bc.mroas(fit, window=window).attrs["window"] == said
    whole = bc.effect(fit, ASKED.during(WEEKS[first], WEEKS[last]))
    np.testing.assert_array_equal(drawn, whole)


def test_without_a_window_all_training_periods_are_said(fit):
    assert bc.effect(fit, ASKED).attrs["window"] == "2024-01-01..2024-07-28"
    late = bc.Dataset(fit.data.table, fit.data.spend, history=4)
    assert window_in_words(late, ASKED) == "2024-01-29..2024-07-28"
    asked = ASKED.during("2024-01-15", "2024-02-11")
    want = "2024-01-29..2024-02-11, where 2024-01-15..2024-02-11 was asked"
    assert window_in_words(late, asked) == want
    away = bc.Estimand({"a": 2.0}, {"a": 1.0}, off_panel="steady")
    assert window_in_words(late, away) == "off the panel"


@pytest.mark.parametrize(
    "window", [("2023-01-02", "2023-12-31"), ("2025-01-06", "2025-02-02"), ("2024-02-06",) * 2]
)
def test_a_window_in_which_no_period_starts_is_refused(fit, window):
    with pytest.raises(DataError, match="no period of the data lies in its window"):
        bc.effect(fit, ASKED.during(*window))
