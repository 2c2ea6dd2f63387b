"""What estimators do to effects: three independent channels of 104 rows, as in the evidence."""

import numpy as np
import pandas as pd

from bayescausal.augmentation.augment import augment
from bayescausal.augmentation.conditionals import NadarayaWatson, ResidualBootstrap
from bayescausal.augmentation.local_linear import LocalLinear
from bayescausal.graphs.graph import Graph
from bayescausal.specs.row_methods import Ancestral


def attenuation(conditional, replications, budget, rows=104):
    """Relative change of three slopes, by replication: augmented against observed regression."""
    graph, truth = Graph.parse("a, b, c -> y"), np.array([1.0, 0.7, 0.5])
    changes = []
    for seed in range(replications):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(rows, 3))
        y = x @ truth + 0.5 * rng.normal(size=rows)
        frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y})
        values = augment(
            frame, graph, conditional={"y": conditional}, method=Ancestral(budget), seed=seed
        ).values
        augmented_design = np.column_stack([np.ones(budget), values["a"], values["b"], values["c"]])
        observed_design = np.column_stack([np.ones(rows), x])
        augmented_slopes = np.linalg.lstsq(augmented_design, values["y"][:, 0], rcond=None)[0]
        observed_slopes = np.linalg.lstsq(observed_design, y, rcond=None)[0]
        changes.append(augmented_slopes[1:] / observed_slopes[1:] - 1)
    return np.array(changes)


def mean_and_error(changes):
    by_world = changes.mean(axis=1)
    return by_world.mean(), by_world.std(ddof=1) / np.sqrt(len(by_world))


def test_nadaraya_watson_attenuates_effects_as_published():
    """-17 to -19 percent for three independent channels of 104 rows with Scott's rule."""
    mean, error = mean_and_error(attenuation(NadarayaWatson("scott"), 25, 4000))
    assert error < 0.01  # else the next line could not fail
    assert -0.19 - 3 * error < mean < -0.17 + 3 * error


def test_residual_bootstrap_does_not_attenuate():
    changes = attenuation(ResidualBootstrap(), 25, 10_000)
    mean, error = mean_and_error(changes)
    assert error < 0.002
    assert abs(mean) < 0.01 - 3 * error
    assert (abs(changes.mean(axis=0)) < 0.01).all()


def test_local_linear_stays_within_a_few_percent():
    mean, error = mean_and_error(attenuation(LocalLinear(), 15, 2000))
    assert error < 0.01
    assert abs(mean) < 0.03
