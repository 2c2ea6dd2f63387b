"""`compare_augmentation`: both fits side by side, and what is flagged."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from linear_worlds import linear_fit

import bayescausal as bc
from bayescausal.errors import SpecError
from bayescausal.inference.fit import PLAIN

NUMBERS = ["median", "mean", "sd", "low", "high"]


def both(without, given, text="a, b -> y", **settings):
    """A fit with augmentation and the one without, with these posteriors of the edges."""
    plain = linear_fit(text, coefficients=without, **settings)
    made = linear_fit(text, coefficients=given, **settings)
    tree = {"posterior": made.tree["posterior"].to_dataset()}
    tree = xr.DataTree.from_dict(tree)
    tree.attrs = made.tree.attrs
    tree[PLAIN] = plain.tree
    spec = replace(made.spec, augmentation=bc.Augmentation(weight=0.4, eta=0.5))
    return replace(made, spec=spec, tree=tree)


WITHOUT = {"a->y": (1.0, 0.1), "b->y": (1.0, 0.1)}


@pytest.mark.filterwarnings("ignore::bayescausal.errors.NotConverged")
def test_the_numbers_are_those_of_both_fits(augmented_fit):
    asked = [
        bc.incremental("tv"),
        bc.incremental("tv", name="spring").during("2024-03-04", "2024-05-26"),
        bc.incremental("tv", name="a week", scale="mean"),
    ]
    table = bc.compare_augmentation(augmented_fit, asked, prob=0.8)
    assert list(table.index) == ["tv", "spring", "a week"]
    assert table.columns.name == "NOT CONVERGED"
    for estimand, (_, row) in zip(asked, table.iterrows(), strict=True):
        one, two = (
            bc.summarize(bc.effect(fit, estimand), 0.8).iloc[0]
            for fit in (augmented_fit.plain, augmented_fit)
        )
        assert row[NUMBERS].tolist() == one[NUMBERS].tolist()
        assert row[[f"augmented_{c}" for c in NUMBERS]].tolist() == two[NUMBERS].tolist()
        assert row["shift"] == pytest.approx((two["mean"] - one["mean"]) / one["sd"])
        assert row["sd_ratio"] == pytest.approx(two["sd"] / one["sd"])
        assert row["grade"] == two["grade"]
    assert table.attrs["prob"] == 0.8
    assert table.attrs["posterior"].startswith(
        "Weighted-likelihood posterior: augmented rows (ancestral) have up to 44%"
    )


def test_by_default_it_is_the_total_of_every_treatment():
    table = bc.compare_augmentation(both(WITHOUT, WITHOUT))
    assert list(table.index) == ["a", "b"]
    assert not table["moved"].any()
    np.testing.assert_allclose(table["shift"], 0)
    np.testing.assert_allclose(table["sd_ratio"], 1)
    assert table.columns.name is None


@pytest.mark.parametrize(("mean", "moved"), [(1.13, True), (0.87, True), (1.07, False)])
def test_an_effect_that_moves_by_more_than_its_sd_is_flagged(mean, moved):
    """By the sd of the fit without: that of the other may be what the weight made of it."""
    fit = both(WITHOUT, {"a->y": (mean, 0.5), "b->y": (1.0, 0.01)})
    table = bc.compare_augmentation(fit)
    assert table["moved"].tolist() == [moved, False]
    # The mean of 4,000 draws is known to 0.016 sd, in either fit.
    spread = 4 * np.hypot(0.1, 0.5) / np.sqrt(4000) / 0.1
    assert table.loc["a", "shift"] == pytest.approx((mean - 1) / 0.1, abs=spread)
    assert table["sd_ratio"].tolist() == pytest.approx([5, 0.1], rel=0.1)


def test_two_questions_of_one_treatment_are_two_rows():
    asked = [bc.incremental("a"), bc.incremental("a").during("2024-01-01", "2024-02-04")]
    table = bc.compare_augmentation(both(WITHOUT, WITHOUT), asked)
    assert list(table.index) == ["a", "a"]
    assert table["mean"].iloc[0] > table["mean"].iloc[1]


def test_of_several_outcomes_each_has_its_row():
    one = {"a->m": (0.5, 0.1), "a->y": (1.0, 0.1)}
    fit = both(one, one | {"a->m": (0.9, 0.1)}, "a -> y\na -> m", outcome=["y", "m"])
    table = bc.compare_augmentation(fit)
    assert list(table.index) == ["a on m", "a on y"]
    assert table["moved"].tolist() == [True, False]


def test_what_is_not_identified_says_so():
    table = bc.compare_augmentation(both(WITHOUT, WITHOUT, "a, b -> y\na <-> y"))
    assert table.loc["a", ["status", "grade"]].tolist() == ["not identified", "X"]
    assert table.columns.name == "NOT IDENTIFIED"


def test_without_augmentation_there_is_nothing_to_compare():
    with pytest.raises(SpecError, match=r"no augmentation.*augmentation=Augmentation"):
        bc.compare_augmentation(linear_fit("a -> y"))


def test_every_table_says_what_kind_of_posterior_it_is_of():
    fit = both(WITHOUT, WITHOUT)
    kind = "Weighted-likelihood posterior: augmented rows (ancestral) have up to 25%"
    draws = [bc.effect(fit, bc.incremental("a")), bc.roas(fit), bc.contributions(fit)]
    for one in draws:
        assert bc.summarize(one).attrs["posterior"].startswith(kind)
    plain = bc.effect(fit.plain, bc.incremental("a"))
    assert "posterior" not in bc.summarize(plain).attrs
    assert isinstance(bc.summarize(plain), pd.DataFrame)
