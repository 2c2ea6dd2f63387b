import numpy as np
import pytest
from augmentation.naive import naive_law, naive_merged, naive_systematic
from augmentation.worlds import SCOTT, columns_of, frame_of, merged_of, plan_of

from bayescausal.augmentation import reduce as module
from bayescausal.augmentation.augment import augment
from bayescausal.augmentation.conditionals import NadarayaWatson, ResidualBootstrap
from bayescausal.augmentation.reduce import _level, reduce
from bayescausal.augmentation.threshold import threshold
from bayescausal.graphs.graph import Graph
from bayescausal.specs.row_methods import Reduce

CHAIN = Graph.parse("a -> b -> c")
GRAPHS = ["a -> b -> c", "a -> c <- b", "a -> b <-> c", "a <-> b <-> c"]


@pytest.mark.parametrize("text", GRAPHS)
@pytest.mark.parametrize("budget", [1, 2, 17, 300])
@pytest.mark.parametrize("levels", [None, 3])
def test_rows_differ_and_weights_add_up_to_one(text, budget, levels):
    plan = plan_of(frame_of("abc", 12, 1, levels), Graph.parse(text))
    for seed in range(5):
        indices, weights = reduce(plan, budget, np.random.default_rng(seed))
        assert weights.sum() == pytest.approx(1, abs=1e-12)
        assert (weights > 0).all()
        assert len(weights) <= budget
        merged_of(plan, indices, weights)  # no two rows have the same values


@pytest.mark.parametrize("text", GRAPHS)
def test_a_budget_for_every_row_gives_the_law_itself(text):
    plan = plan_of(frame_of("abc", 7, 2), Graph.parse(text))
    indices, weights = reduce(plan, 7**3, np.random.default_rng(0))
    every, law, _ = threshold(plan, 0)
    reduced = dict(zip(map(tuple, indices.tolist()), weights, strict=True))
    expected = dict(zip(map(tuple, every.tolist()), law, strict=True))
    for row, weight in expected.items():
        assert reduced.get(row, 0.0) == pytest.approx(weight, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(
    ("text", "levels"), zip(GRAPHS, [None, 3, 3, None], strict=True), ids=GRAPHS
)
def test_the_expected_weight_of_every_row_is_its_probability(text, levels):
    """Means over 700 seeds; rows of 1% and more, whose means are near normal.

    There are fewer than 100 such rows a case and four cases: the chance that any |z| is beyond 5
    is below 400 * 6e-7 = 2.4e-4, had the seeds not been fixed.
    """
    frame = frame_of("abc", 6, 3, levels)
    plan = plan_of(frame, Graph.parse(text))
    names = ("a", "b", "c")
    law = naive_law(columns_of(frame), plan.factorization.pillows, names)
    expected = naive_merged(columns_of(frame), law, names)
    seeds, total, squares = 700, dict.fromkeys(expected, 0.0), dict.fromkeys(expected, 0.0)
    for seed in range(seeds):
        for row, weight in merged_of(plan, *reduce(plan, 8, np.random.default_rng(seed))).items():
            total[row] += weight
            squares[row] += weight**2
    tested = 0
    for row, truth in expected.items():
        if truth >= 0.01:
            mean = total[row] / seeds
            error = np.sqrt(max(squares[row] / seeds - mean**2, 0) / seeds)
            assert abs(mean - truth) <= 5 * error + 1e-12, row
            tested += 1
    assert tested >= 8


def test_the_level_solves_its_equation():
    rng = np.random.default_rng(4)
    for budget in (1, 3, 10, 50):
        for skew in (0.1, 1.0, 8.0):
            weights = rng.random(60) ** skew
            weights /= weights.sum()
            level, strata = _level([weights[:17], weights[17:]], budget)
            assert np.minimum(weights / level, 1).sum() == pytest.approx(budget, rel=1e-9)
            assert strata == budget - (weights >= level).sum()
    assert _level([np.array([0.5, 0.0, 0.5])], 2) == (0.0, 0)


def test_heavy_rows_are_kept_exactly():
    plan = plan_of(frame_of("abc", 12, 5), CHAIN, NadarayaWatson("scott", temperature=0.05))
    indices, weights, _ = threshold(plan, 1e-3)
    exact = dict(zip(map(tuple, indices.tolist()), weights, strict=True))
    sample = reduce(plan, 60, np.random.default_rng(1))
    weight_by_row = dict(zip(map(tuple, sample[0].tolist()), sample[1], strict=True))
    heavy = [row for row, weight in exact.items() if weight > 0.04]
    assert len(heavy) > 5
    for row in heavy:
        assert weight_by_row[row] == pytest.approx(exact[row], rel=1e-9)


def test_equal_weights_do_not_all_take_the_same_donor():
    """Every candidate weighs the same, in the order of the donors: strides of one n are a trap.

    With one uniform for all strata every row gets the same value of the second root; with
    independent ones the number of distinct values is that of 40 draws from 40, whose mean is
    40 (1 - (39 / 40)^40) = 25.5 and standard deviation 2.4.
    """
    n = 40
    trap = naive_systematic(np.full(n * n, 1 / n**2), n, np.random.default_rng(0)) % n
    assert len({*trap.tolist()}) == 1
    plan = plan_of(frame_of("ab", n, 6), Graph(isolated=("a", "b")))
    shares = np.zeros(n)
    for seed in range(400):
        indices, weights = reduce(plan, n, np.random.default_rng(seed))
        np.testing.assert_allclose(weights, 1 / n, rtol=1e-9)
        assert len({*indices[:, 0].tolist()}) == n
        assert 25.5 - 5 * 2.4 < len({*indices[:, 1].tolist()}) < 25.5 + 5 * 2.4
        shares += np.bincount(indices[:, 1], minlength=n) / n / 400
    assert np.abs(shares - 1 / n).max() < 5 * np.sqrt(1 / n / (400 * n))  # 16,000 draws, 40 shares


@pytest.mark.parametrize("text", GRAPHS)
def test_it_is_more_precise_than_independent_draws(text):
    """Means of the outcome over 200 seeds; their standard deviation is known to 5 percent."""
    plan = plan_of(frame_of("abc", 12, 7), Graph.parse(text))
    c = plan.table.blocks["c"].values[:, 0]
    column = plan.order.index("c")
    means = []
    for seed in range(200):
        indices, weights = reduce(plan, 100, np.random.default_rng(seed))
        means.append(weights @ c[indices[:, column]])
    indices, law, _ = threshold(plan, 0)
    truth = law @ c[indices[:, column]]
    independent = np.sqrt((law @ c[indices[:, column]] ** 2 - truth**2) / 100)
    assert np.std(means) < 0.8 * independent
    assert abs(np.mean(means) - truth) < 4.5 * np.std(means) / np.sqrt(200)


def test_chunks_do_not_matter(monkeypatch):
    graph = Graph.parse("a -> b -> c\na, c -> d")
    plan = plan_of(frame_of("abcd", 30, 8), graph, {"b": ResidualBootstrap(), "d": SCOTT})
    reference = reduce(plan, 200, np.random.default_rng(2))
    monkeypatch.setattr(module, "_CACHE_CELLS", 0)
    split = module.parts
    monkeypatch.setattr(module, "parts", lambda count, width: split(count, width, 30 * 7))
    parts = reduce(plan, 200, np.random.default_rng(2))
    assert np.array_equal(reference[0], parts[0])
    np.testing.assert_allclose(reference[1], parts[1], rtol=1e-9)


def test_it_is_reached_through_augment():
    frame = frame_of("abc", 40, 9)
    rows = augment(frame, CHAIN, Reduce(500), seed=3)
    repeat = augment(frame, CHAIN, Reduce(500), seed=3)
    assert len(rows) == 500
    assert rows.mass == pytest.approx(1, abs=1e-12)
    assert np.array_equal(rows.indices, repeat.indices)
    assert np.array_equal(rows.weights, repeat.weights)
    assert not np.array_equal(rows.indices, augment(frame, CHAIN, Reduce(500)).indices)
