"""The node step: two engines, one answer; the draw of a donor."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescausal.augmentation import donor_draw
from bayescausal.augmentation.augment import augment
from bayescausal.augmentation.blocks import read_table
from bayescausal.augmentation.conditionals import NadarayaWatson
from bayescausal.augmentation.donor_draw import draw, probabilities, softmax
from bayescausal.augmentation.factorization import make_plan
from bayescausal.augmentation.kernel_loop import draw_nearby
from bayescausal.graphs.graph import Graph
from bayescausal.specs.row_methods import Ancestral


def tables(parents, rows, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(parents, rows))
    return -0.5 * ((x[:, :, None] - x[:, None, :]) / 0.3) ** 2


@pytest.mark.parametrize(("parents", "rows"), [(1, 30), (3, 50)])
def test_numpy_and_pytensor_draw_the_same_donors(parents, rows):
    """One compiled function serves every number of parents and rows."""
    rng = np.random.default_rng(1)
    table, index = tables(parents, rows), rng.integers(0, rows, (400, parents))
    u = rng.random(400)
    plain = probabilities(table, index, "numpy")
    compiled = probabilities(table, index, "pytensor")
    np.testing.assert_allclose(compiled, plain, rtol=1e-12, atol=1e-300)
    every = np.arange(400)
    assert np.array_equal(draw(plain, every, u), draw(compiled, every, u))
    assert donor_draw.compiled_step() is donor_draw.compiled_step()


def engines(rows, budget):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({v: rng.normal(size=rows) for v in "abc"})
    frame["c"] += frame["a"] + frame["b"]
    table = read_table(frame, Graph.parse("a, b -> c", outcome="c"))
    return make_plan(table, NadarayaWatson()).with_engine_for(budget).donors["c"].engine


def test_little_work_is_not_compiled():
    assert engines(156, 10_000) == "numpy"


def test_much_work_is_compiled():
    assert engines(1000, 10_000_000) == "pytensor"


def test_probabilities_are_the_normalized_product_of_kernels():
    table, index = tables(2, 6), np.array([[0, 3], [5, 5]])
    kernel = np.exp(table[0][index[:, 0]]) * np.exp(table[1][index[:, 1]])
    expected = kernel / kernel.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities(table, index), expected, rtol=1e-12)


def test_scores_that_would_underflow_keep_their_mass():
    score = np.array([[-1e5, -1e5 - 1.0, -np.inf]])
    expected = [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1)), 0]
    np.testing.assert_allclose(softmax(score.copy())[0], expected)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=12).filter(any),
    st.floats(0, 1, exclude_max=True),
)
def test_a_draw_is_the_inverse_of_the_distribution_function(counts, u):
    probability = np.array(counts, float) / sum(counts)
    lower, upper = np.cumsum(probability) - probability, np.cumsum(probability)
    donor = int(draw(probability[None], np.zeros(1, int), np.array([u]))[0])
    assert probability[donor] > 0
    assert lower[donor] - 1e-12 <= u <= upper[donor] + 1e-12


def test_rows_are_drawn_each_from_its_own_probabilities():
    probability = np.array([[1.0, 0, 0], [0, 0.5, 0.5]])
    rows = np.array([1, 0, 1, 0])
    assert draw(probability, rows, np.array([0.2, 0.9, 0.7, 0.0])).tolist() == [1, 0, 2, 0]


@pytest.mark.parametrize("parents", [1, 3])
def test_the_loop_over_many_rows_draws_the_same_donors(parents):
    """Far points too: the nearest row donates, as no weight underflows."""
    rng = np.random.default_rng(2)
    data, points = rng.normal(size=(300, parents)) / 0.2, rng.normal(size=(500, parents)) / 0.2
    points[:5] *= 50
    u = rng.random(500)
    score = -0.5 * ((points[:, None] - data) ** 2).sum(axis=-1)
    expected = draw(softmax(score), np.arange(500), u)
    assert np.array_equal(draw_nearby(points, data, u), expected)


def test_many_rows_and_tables_give_the_same_draws(monkeypatch):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(80, 3)), columns=list("abc"))
    frame["c"] += frame["a"] + frame["b"]
    graph = Graph.parse("a, b -> c", outcome="c")
    tabulated = augment(frame, graph, Ancestral(400), conditional=NadarayaWatson(), seed=1)
    monkeypatch.setattr("bayescausal.augmentation.conditionals.TABLE_CELLS", 0)
    looped = augment(frame, graph, Ancestral(400), conditional=NadarayaWatson(), seed=1)
    assert np.array_equal(tabulated.indices, looped.indices)
