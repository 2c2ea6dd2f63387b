"""Carry-over that runs into the end of its window is said, with the share that is cut."""

import warnings

import numpy as np
import pytest
from linear_worlds import linear_fit

import bayescausal as bc
from bayescausal.errors import CarryOverCut
from bayescausal.inference.carry_over import cut_in_words, cuts, tail_share
from bayescausal.thresholds import CARRY_OVER_CUT


def fitted(alpha, adstock=None):
    response = bc.Response(adstock or bc.GeometricAdstock(l_max=8))
    return linear_fit(rows=60, parts={"responses": {"a": response}}, set_to={"a->y:alpha": alpha})


@pytest.mark.parametrize("alpha", [0.3, 0.7, 0.95, 0.99])
@pytest.mark.parametrize("l_max", [1, 8, 56])
def test_share_beyond_the_window_is_exact_for_geometric_weights(alpha, l_max):
    share, enough = tail_share(alpha ** np.arange(l_max + 1.0))
    assert share == pytest.approx(alpha ** (l_max + 1))
    assert enough >= l_max
    if l_max < enough < 10 * (l_max + 1):
        assert alpha ** (enough + 1) <= 0.02 < alpha**enough


def test_the_share_is_too_high_for_tails_that_fall_faster_and_too_low_for_slower_ones():
    lag = np.arange(4000.0)
    for weights, faster in ((0.97 ** ((lag - 2) ** 2), True), (np.exp(-(lag**0.6)), False)):
        true = weights[9:].sum() / weights.sum()
        assert (tail_share(weights[:9])[0] > true) == faster


def test_weights_that_still_rise_are_all_cut():
    assert tail_share(np.arange(1.0, 9.0)) == (1.0, 80)


def test_only_what_is_cut_is_said():
    assert cuts(fitted(0.6)) == []  # 0.6^9 = 0.01
    assert cut_in_words(fitted(0.6)) == ""
    (cut,) = cuts(fitted(0.9))
    assert (str(cut.edge), cut.last, cut.adstock) == ("a->y", 8, "GeometricAdstock")
    assert cut.weight == pytest.approx(0.9**8)
    assert cut.share == pytest.approx(0.9**9)
    assert cut.share > CARRY_OVER_CUT
    assert cuts(fitted(0.9, bc.GeometricAdstock(l_max=cut.enough))) == []


def test_a_table_of_an_effect_says_that_carry_over_is_cut():
    short, long = fitted(0.9), fitted(0.9, bc.GeometricAdstock(l_max=40))
    words = r"a->y runs into the end of its window: lag 8.*43%.*39% of the effect comes later.*"
    words += r"Write GeometricAdstock\(l_max=37\)"
    for ask in (lambda f: bc.effect(f, bc.incremental("a")), bc.contributions, bc.roas):
        with pytest.warns(CarryOverCut, match=words):
            table = bc.summarize(ask(short))
        assert table.columns.name == "CARRY-OVER CUT"
        assert "runs into the end" in table.attrs["carry_over"]
        with warnings.catch_warnings():
            warnings.simplefilter("error", CarryOverCut)
            assert "carry_over" not in bc.summarize(ask(long)).attrs
