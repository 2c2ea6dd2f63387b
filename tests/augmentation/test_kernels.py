"""Kernels and rules of thumb against their formulas."""

import numpy as np
import pytest
from scipy.special import softmax

from bayescausal.augmentation.blocks import UNIT, Block
from bayescausal.augmentation.kernels import (
    KERNELS,
    aitchison_aitken,
    log_kernel,
    most_alike_rows,
    nearest_rows,
    rule_of_thumb,
)

FORMULAS = {
    "gaussian": lambda u: np.exp(-(u**2) / 2),
    "epanechnikov": lambda u: (1 - u**2) * (abs(u) < 1),
    "biweight": lambda u: (1 - u**2) ** 2 * (abs(u) < 1),
    "triweight": lambda u: (1 - u**2) ** 3 * (abs(u) < 1),
    "tricube": lambda u: (1 - abs(u) ** 3) ** 3 * (abs(u) < 1),
}


def number(values, name="x"):
    values = np.asarray(values, float)
    return Block(name, (name,), values.reshape(len(values), -1))


def category(codes, levels, name="c"):
    return Block(name, (name,), np.asarray(codes, float)[:, None], tuple(levels))


@pytest.mark.parametrize("kind", FORMULAS)
def test_a_kernel_is_its_formula_and_a_product_over_columns(kind):
    assert set(FORMULAS) == set(KERNELS)
    rng = np.random.default_rng(0)
    block = number(rng.normal(size=(8, 2)))
    points, widths = rng.normal(size=(5, 2)), np.array([0.7, 1.9])
    u = (points[:, None] - block.values) / widths
    expected = FORMULAS[kind](u).prod(axis=2)
    kernel = np.exp(log_kernel(block, points, widths, kind, 0.0))
    assert (expected == 0).any() == (kind != "gaussian")
    np.testing.assert_allclose(kernel, expected, rtol=1e-12, atol=1e-15)


def test_the_gaussian_keeps_apart_values_that_are_far_from_all_others():
    log_kernels = log_kernel(
        number([0.0, 1.0]), np.array([[1e6]]), np.array([0.01]), "gaussian", 0.0
    )
    # (1e8^2 - (1e8 - 100)^2) / 2, which a difference of squares would lose
    assert log_kernels[0, 1] - log_kernels[0, 0] == pytest.approx(1e10 - 5000, rel=1e-5)
    assert softmax(log_kernels).tolist() == [[0.0, 1.0]]


def test_the_rules_are_the_published_ones():
    x = np.random.default_rng(1).normal(size=200)
    robust = (np.quantile(x, 0.75) - np.quantile(x, 0.25)) / 1.349
    scale = min(x.std(ddof=1), robust)
    assert rule_of_thumb(x[:, None], "silverman")[0] == pytest.approx(0.9 * scale * 200**-0.2)
    assert rule_of_thumb(x[:, None], "scott")[0] == pytest.approx(1.0592238 * scale * 200**-0.2)


def test_the_rules_fall_back_to_the_standard_deviation_and_follow_units():
    mostly_zero = np.r_[np.zeros(90), np.arange(10.0)][:, None]  # no interquartile range
    sd = mostly_zero.std(ddof=1)
    assert rule_of_thumb(mostly_zero)[0] == pytest.approx(0.9 * sd * 100**-0.2)
    assert rule_of_thumb(np.ones((9, 1)))[0] > 0
    x = np.random.default_rng(2).gamma(1, size=(60, 3))
    scaled = rule_of_thumb(1000 * x - 5)
    np.testing.assert_allclose(scaled, 1000 * rule_of_thumb(x), rtol=1e-10)


@pytest.mark.parametrize("levels", [2, 3, 7])
def test_aitchison_aitken_adds_up_to_one_over_the_categories(levels):
    rows = 50
    smooth = (levels - 1) / levels * rows**-0.4
    match, mismatch = 1 - smooth, smooth / (levels - 1)
    assert match + (levels - 1) * mismatch == pytest.approx(1, rel=1e-14)
    assert aitchison_aitken(levels, rows) == pytest.approx(mismatch / match, rel=1e-14)
    assert 0 < aitchison_aitken(levels, rows) < 1


def test_aitchison_aitken_tends_to_identity_and_is_uniform_at_its_limit():
    assert aitchison_aitken(3, 10**9) < 1e-3
    assert aitchison_aitken(4, 1) == pytest.approx(1)  # lambda = (c - 1) / c: all alike
    assert aitchison_aitken(1, 10) == 0


def test_the_identity_kernel_and_a_partial_mismatch():
    block = category([0, 1, 2, 1], "abc")
    point = np.array([[1.0]])
    identity = log_kernel(block, point, np.ones(1), "gaussian", 0.0)
    assert np.exp(identity).tolist() == [[0, 1, 0, 1]]
    part = log_kernel(block, point, np.ones(1), "gaussian", 0.25)
    np.testing.assert_allclose(np.exp(part), [[0.25, 1, 0.25, 1]])


def test_most_alike_counts_categories_and_puts_the_unit_first():
    a, b = category([0, 0, 1], "xy", "a"), category([0, 1, 1], "xy", "b")
    unit = category([0, 1, 1], "uv", UNIT)
    points = [np.array([[1.0]]), np.array([[0.0]]), np.array([[0.0]])]
    assert most_alike_rows([a, b], points[:2]).tolist() == [[True, False, True]]
    assert most_alike_rows([a, b, unit], points).tolist() == [[True, False, False]]
    # (0, 0) was seen in unit u
    unseen_pair = [np.array([[0.0]]), np.array([[0.0]]), np.array([[1.0]])]
    assert most_alike_rows([a, b, unit], unseen_pair).tolist() == [[False, True, False]]


def test_nearest_is_scale_free_and_prefers_equal_categories():
    x, c = number([0.0, 1.0, 10.0]), category([0, 1, 0], "pq")
    points = [np.array([[0.9]]), np.array([[0.0]])]
    assert nearest_rows([x], points[:1]).tolist() == [[False, True, False]]
    assert nearest_rows([x, c], points).tolist() == [[True, False, False]]
