"""What augmented rows must satisfy whatever the method, on directed and mixed graphs."""

import hashlib
import itertools
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from augmentation.naive import naive_law
from augmentation.worlds import (
    SCOTT,
    columns_of,
    frame_of,
    law_of,
    merged_of,
    mixed_graphs,
    plan_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescausal.augmentation.ancestral import ancestral
from bayescausal.augmentation.augment import augment
from bayescausal.augmentation.conditionals import NadarayaWatson, ParentValues, ResidualBootstrap
from bayescausal.augmentation.reduce import reduce
from bayescausal.augmentation.threshold import threshold
from bayescausal.graphs.graph import Graph
from bayescausal.specs.row_methods import Ancestral, Reduce, Threshold

SEEDS = st.integers(0, 2**32 - 1)
METHODS = {
    "latin": Ancestral(64, "latin"),
    "sobol": Ancestral(64, "sobol"),
    "independent": Ancestral(64, "independent"),
    "reduce": Reduce(64),
    "threshold": Threshold(1e-4),
}
COMPLETE = Graph(tuple(itertools.combinations("abc", 2)))
EDGELESS = Graph(isolated=("a", "b", "c"))
TINY, WIDE = NadarayaWatson(1e-6), NadarayaWatson(1e9)


@pytest.mark.parametrize("method", sorted(METHODS))
@settings(max_examples=8, deadline=None)
@given(graph=mixed_graphs(), seed=SEEDS)
def test_every_value_was_observed_and_weights_are_probabilities(method, graph, seed):
    frame = frame_of(graph.nodes, 9, seed)
    rows = augment(frame, graph, METHODS[method], conditional=SCOTT, seed=seed)
    table = rows.to_frame()
    assert len(table) == len(rows) > 0
    for node in graph.nodes:
        assert {*table[node]} <= {*frame[node]}
    assert (rows.weights >= 0).all()
    assert rows.mass <= 1 + 1e-12
    if method != "threshold":
        assert rows.mass == pytest.approx(1, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(graph=mixed_graphs(), seed=SEEDS)
def test_a_root_has_its_empirical_margin(graph, seed):
    plan = plan_of(frame_of(graph.nodes, 6, seed), graph)
    law = law_of(plan)
    for axis, node in enumerate(graph.nodes):
        if node in plan.factorization.roots:
            axes = tuple(k for k in range(law.ndim) if k != axis)
            np.testing.assert_allclose(law.sum(axis=axes), 1 / 6, rtol=1e-12)
    assert plan.factorization.roots


def test_without_edges_the_law_is_the_product_of_the_margins():
    frame = frame_of("abc", 7, 1)
    np.testing.assert_allclose(law_of(plan_of(frame, EDGELESS)), 7.0**-3, rtol=1e-12)


@pytest.mark.parametrize("text", ["a -> b -> c", "a -> c <- b", "a <-> b <-> c\na -> c"])
def test_a_bandwidth_without_end_forgets_the_edges(text):
    law = law_of(plan_of(frame_of("abc", 7, 2), Graph.parse(text), WIDE))
    np.testing.assert_allclose(law, 7.0**-3, rtol=1e-9)


@pytest.mark.parametrize("text", ["a -> b -> c\na -> c", "a <-> b <-> c\na <-> c", "a -> b -> c"])
def test_a_bandwidth_of_nothing_gives_the_observed_rows(text):
    """Of a chain too, if no two rows tie: independence shows through ties and smoothing alone."""
    plan = plan_of(frame_of("abc", 20, 3), Graph.parse(text), TINY)
    indices, weights, _ = threshold(plan, 0.5)
    assert np.array_equal(indices, np.repeat(np.arange(20)[:, None], 3, axis=1))
    np.testing.assert_allclose(weights, 1 / 20, rtol=1e-12)
    draws = ancestral(plan, 200, "latin", np.random.default_rng(0))
    assert (draws == draws[:, :1]).all()


@settings(max_examples=20, deadline=None)
@given(graph=mixed_graphs(), seed=SEEDS)
def test_categories_have_the_probabilities_of_the_bayes_net(graph, seed):
    """Identity kernels: the merged rows carry the maximum-likelihood probabilities, in closed form.

    A combination of causes that was not observed has no such probability; rows with one are left
    out here, and what they get is tested with brute force.
    """
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (40, len(graph.nodes)))
    x[:2] = [[0], [1]]
    frame = pd.DataFrame(x, columns=list(graph.nodes))
    plan = plan_of(frame, graph, NadarayaWatson(), discrete=graph.nodes)
    pillows = plan.factorization.pillows
    merged = merged_of(plan, *threshold(plan, 1e-9)[:2])
    total = 0.0
    for values in itertools.product((0, 1), repeat=len(graph.nodes)):
        row = dict(zip(graph.nodes, values, strict=True))
        probability = 1.0
        for node in graph.nodes:
            alike = frame
            for parent in pillows[node]:
                alike = alike[alike[parent] == row[parent]]
            probability *= (alike[node] == row[node]).mean() if len(alike) else np.nan
        if np.isfinite(probability):
            assert merged.get(values, 0.0) == pytest.approx(probability, rel=1e-9, abs=1e-15)
            total += probability
    assert total > 0.5
    assert sum(merged.values()) == pytest.approx(1, abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(graph=mixed_graphs(), seed=SEEDS, levels=st.sampled_from([None, 3]))
def test_the_order_of_the_rows_and_columns_does_not_matter(graph, seed, levels):
    frame = frame_of(graph.nodes, 7, seed, levels)
    rng = np.random.default_rng(seed)
    mixed = frame.iloc[rng.permutation(7), rng.permutation(len(graph.nodes))]
    laws = []
    for data in (frame, mixed):
        plan = plan_of(data, graph)
        laws.append(merged_of(plan, *threshold(plan, 1e-6)[:2]))
    assert laws[0].keys() == laws[1].keys()
    for row, weight in laws[0].items():
        assert laws[1][row] == pytest.approx(weight, rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(
    graph=mixed_graphs(),
    seed=SEEDS,
    scale=st.sampled_from([-3.0, 1e-3, 0.7, 1e4]),
    shift=st.sampled_from([-50.0, 0.0, 2.0]),
    rule=st.sampled_from(["scott", "silverman"]),
)
def test_units_do_not_matter(graph, seed, scale, shift, rule):
    """Of kernels and of residuals: a column as ``scale x + shift`` has the same law."""
    frame = frame_of(graph.nodes, 7, seed)
    changed = frame.copy()
    changed["a"] = scale * frame["a"] + shift
    laws = [law_of(plan_of(data, graph, NadarayaWatson(rule))) for data in (frame, changed)]
    np.testing.assert_allclose(laws[0], laws[1], rtol=1e-6)
    tables = [
        augment(data, graph, Ancestral(16), seed=1, conditional=ResidualBootstrap()).to_frame()
        for data in (frame, changed)
    ]
    tables[0]["a"] = scale * tables[0]["a"] + shift
    pd.testing.assert_frame_equal(tables[0], tables[1], rtol=1e-6, atol=1e-6 * (1 + abs(shift)))


@pytest.mark.parametrize("kernel", ["gaussian", "epanechnikov", "tricube"])
@pytest.mark.parametrize("outlier", [30.0, 1e6, -1e9])
def test_a_parent_far_from_all_data_has_the_nearest_row_as_donor(kernel, outlier):
    frame = pd.DataFrame({"a": np.arange(10.0), "b": np.arange(10.0) ** 2})
    plan = plan_of(frame, Graph.parse("a -> b"), NadarayaWatson(0.01, kernel=kernel))
    p = plan.donors["b"].probabilities([ParentValues(np.array([[outlier], [3.2]]))])
    nearest = 9 if outlier > 0 else 0
    np.testing.assert_allclose(p, np.eye(10)[[nearest, 3]], atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(count=st.integers(2, 4), seed=SEEDS)
def test_a_district_of_all_is_the_complete_graph(count, seed):
    names = "abcd"[:count]
    pairs = tuple(itertools.combinations(names, 2))
    frame = frame_of(names, 6, seed)
    laws = [law_of(plan_of(frame, g)) for g in (Graph(pairs), Graph((), pairs))]
    np.testing.assert_allclose(laws[0], laws[1], rtol=1e-12)


@pytest.mark.parametrize("method", ["latin", "sobol", "independent", "reduce"])
@pytest.mark.parametrize("text", ["a -> b -> c", "a -> c <- b", "a -> b <-> c", "a <-> b <-> c"])
def test_weighted_means_are_unbiased(method, text):
    """Seven functions, 150 seeds, 16 cases: 112 comparisons with |z| < 5, each off by 6e-7."""
    frame = frame_of("abc", 8, 4)
    plan = plan_of(frame, Graph.parse(text))
    names = ("a", "b", "c")
    law = naive_law(columns_of(frame), plan.factorization.pillows, names)
    grid = np.stack(np.meshgrid(*(frame[v] for v in names), indexing="ij"), axis=-1)

    def functions(x):
        a, b, c = x[..., 0], x[..., 1], x[..., 2]
        return np.stack([a, b, c, a * b, a * c, b * c, (a > 0) & (b < c)], axis=-1)

    truth = (law[..., None] * functions(grid)).sum(axis=(0, 1, 2))
    estimates = []
    for seed in range(150):
        rng = np.random.default_rng([seed, 7])
        if method == "reduce":
            indices, weights = reduce(plan, 32, rng)
        else:
            indices, weights = ancestral(plan, 32, method, rng), np.full(32, 1 / 32)
        values = plan.values(indices)
        x = np.concatenate([values[v] for v in names], axis=1)
        estimates.append(weights @ functions(x))
    bias = np.mean(estimates, axis=0) - truth
    error = np.std(estimates, axis=0, ddof=1) / np.sqrt(150)
    assert (np.abs(bias) <= 5 * error + 1e-9).all(), bias / error
    assert (np.std(estimates, axis=0)[3:] > 1e-4).all()  # products do vary


@pytest.mark.parametrize("kind", ["latin", "sobol"])
def test_even_uniforms_leave_roots_independent(kind):
    """Two roots that are strongly correlated as observed: 4 standard errors of a correlation."""
    frame = frame_of("ab", 50, 5)
    assert frame.corr().iloc[0, 1] > 0.3
    rows = augment(
        frame, Graph(isolated=("a", "b")), Ancestral(4096, uniforms=kind), seed=2
    ).to_frame()
    assert abs(rows["a"].corr(rows["b"])) < 4 / np.sqrt(4096)
    shares = rows["a"].value_counts(normalize=True)
    assert len(shares) == 50
    assert np.abs(shares - 0.02).max() < 0.001  # strata: a value has 81 or 82 of 4,096, or near


@pytest.mark.parametrize("method", sorted(METHODS))
def test_nothing_of_rows_held_out_enters(method):
    """Values that are not in the training rows cannot come out; and they change nothing."""
    frame = frame_of("abc", 30, 6)
    graph = Graph.parse("a -> b -> c\na <-> c")
    altered = frame.copy()
    altered.iloc[20:] += 100.0
    rows, rows_of_altered = (
        augment(data.iloc[:20], graph, METHODS[method], conditional=SCOTT, seed=3)
        for data in (frame, altered)
    )
    assert list(rows.plan.table.rows) == list(range(20))
    assert rows.indices.max() < 20
    assert np.array_equal(rows.indices, rows_of_altered.indices)
    assert np.array_equal(rows.weights, rows_of_altered.weights)


def test_a_seed_that_was_not_given_can_be_read_and_used_again():
    frame, graph = frame_of("abc", 30, 7), Graph.parse("a -> b -> c")
    first = augment(frame, graph, Ancestral(100))
    repeat = augment(frame, graph, Ancestral(100), seed=first.seed)
    assert np.array_equal(first.indices, repeat.indices)
    variant = augment(frame, graph, Ancestral(100), seed=first.seed + 1)
    assert not np.array_equal(first.indices, variant.indices)


def digest():
    """Fingerprint of the bits of every method on a mixed graph with ties and residuals."""
    graph = Graph.parse("tv -> web -> sales\nsearch <-> web\nsearch -> sales\nprice <-> sales")
    frame = frame_of(graph.nodes, 25, 8, levels=9)
    fingerprint = hashlib.sha256()
    for method in METHODS.values():
        conditional = SCOTT if method.name == "threshold" else None
        rows = augment(frame, graph, method, conditional=conditional, seed=4)
        fingerprint.update(repr(rows.order).encode())
        fingerprint.update(rows.indices.tobytes(order="C"))
        fingerprint.update(rows.weights.tobytes())
        fingerprint.update(rows.to_frame().to_numpy().tobytes(order="C"))
    return fingerprint.hexdigest()


def test_hash_seeds_do_not_matter():
    code = "import sys; sys.path.insert(0, sys.argv[1])\n"
    code += "from augmentation.test_laws import digest; print(digest())"
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    hash_seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    output = subprocess.run(
        [sys.executable, "-c", code, tests],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert output.strip() == digest()
