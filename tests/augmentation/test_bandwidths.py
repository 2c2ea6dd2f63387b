"""Leave-one-out likelihood of the bandwidths: its value, its gradient, and what it finds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import norm

from bayescausal.augmentation import bandwidths
from bayescausal.augmentation.bandwidths import Search, likelihood_bandwidths
from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.conditionals import NadarayaWatson
from bayescausal.augmentation.kernels import rule_of_thumb
from bayescausal.errors import SpecError


def number(values, name="x"):
    return Block(name, (name,), np.asarray(values, float).reshape(len(values), -1))


def world(rows, seed=0):
    rng = np.random.default_rng(seed)
    x, idle = rng.normal(size=(2, rows))
    y = np.sin(2 * x) + 0.3 * rng.normal(size=rows)
    promo = Block("promo", ("promo",), (rng.random((rows, 1)) < 0.5).astype(float), (False, True))
    return number(x), number(idle, "idle"), promo, number(y, "y")


CASES = {
    "numbers": lambda x, idle, promo, y: ([x, idle], y),
    "a category among the parents": lambda x, idle, promo, y: ([x, promo], y),
    "a category": lambda x, idle, promo, y: ([x, idle], promo),
    "two columns each": lambda x, idle, promo, y: (
        [number(np.c_[x.values, idle.values])],
        number(np.c_[y.values, x.values], "y"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_finite_differences(case):
    search = Search.from_blocks(*CASES[case](*world(25)))
    rng = np.random.default_rng(1)
    for _ in range(3):
        point = search.start + rng.uniform(-1.5, 1.5, len(search.start))
        exact = search.loss(point)[1]
        rough = approx_fprime(point, lambda h: search.loss(h)[0], 1e-6)
        np.testing.assert_allclose(exact, rough, rtol=1e-4, atol=1e-3)


def test_the_likelihood_is_its_formula():
    x, _, promo, y = world(12)
    search = Search.from_blocks([x, promo], y)
    h, b = 0.4, 0.6
    expected = 0.0
    for t in range(12):
        rows = [k for k in range(12) if k != t and promo.values[k] == promo.values[t]]
        kernel = norm.pdf((x.values[t] - x.values[rows]) / h)
        target = norm.pdf(y.values[t], y.values[rows], b)
        expected += np.log((kernel * target).sum() / kernel.sum())
    constant = 12 * np.log(np.sqrt(2 * np.pi))
    assert -search.loss(np.log([h, b]))[0] == pytest.approx(expected + constant, rel=1e-10)


def test_a_parent_that_tells_nothing_gets_a_wide_bandwidth():
    wide = 0
    for seed in range(5):
        x, idle, _, y = world(100, seed)
        tells, nothing = (h[0] for h in likelihood_bandwidths([x, idle], y))
        rule = rule_of_thumb(x.values, "scott")[0]
        assert tells < rule / 2  # the mean bends more than the rule allows for
        assert nothing > 1.5 * rule
        wide += nothing > idle.values.std()
    # The likelihood smooths an idle parent out with a probability short of one (Hall, Racine and
    # Li 2004, section 4): in most worlds, not in all.
    assert wide >= 3


def test_the_best_is_no_worse_than_the_rule():
    search = Search.from_blocks(*CASES["numbers"](*world(60, seed=4)))
    optimum = np.log(search.best())
    assert search.loss(optimum)[0] < search.loss(search.start)[0]
    assert (abs(optimum - search.start) <= [6, 6, 2 + 1e-9]).all()


def test_ties_do_not_draw_a_bandwidth_to_zero():
    x, _, _, y = world(60, seed=5)
    rounded = replace(y, values=y.values.round())
    (bandwidth,) = likelihood_bandwidths([x], rounded)
    assert bandwidth[0] >= 0.99 * np.exp(-2) * rule_of_thumb(x.values, "scott")[0]


def test_of_many_rows_a_part_is_used_and_the_rate_kept(monkeypatch):
    x, _, _, y = world(400, seed=6)
    monkeypatch.setattr(bandwidths, "MOST_ROWS", 100)
    (part,) = likelihood_bandwidths([x], y)
    quarter = replace(x, values=x.values[np.unique(np.linspace(0, 399, 100).astype(int))])
    child = replace(y, values=y.values[np.unique(np.linspace(0, 399, 100).astype(int))])
    (bandwidth,) = likelihood_bandwidths([quarter], child)
    assert part[0] == pytest.approx(bandwidth[0] * 4**-0.2, rel=1e-10)


def test_categories_alone_have_no_bandwidth_to_choose():
    _, _, promo, y = world(20)
    assert [h.tolist() for h in likelihood_bandwidths([promo], y)] == [[1.0]]
    assert [h.tolist() for h in likelihood_bandwidths([promo], promo)] == [[1.0]]


def test_only_the_gaussian_has_a_likelihood():
    with pytest.raises(SpecError, match="gaussian"):
        NadarayaWatson("likelihood", kernel="tricube")
