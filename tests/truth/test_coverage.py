"""Coverage over worlds that no default was tuned on; a quarter of an hour and more."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "truth" / "intervals.py"


@pytest.fixture(scope="module")
def intervals():
    found = importlib.util.spec_from_file_location("intervals", SCRIPT)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_test_settles_a_latent_confounder(intervals):
    """At least 85 of 100 intervals of 90 percent cover, and nearly all fits converge."""
    verdicts = [intervals.judge("tested", seed) for seed in range(9200, 9300)]
    assert sum(v.covers for v in verdicts) >= 85, [v.line for v in verdicts if not v.covers]
    assert sum(v.converged for v in verdicts) >= 95


def test_a_world_is_the_same_for_a_seed(intervals):
    """The script is found, and its worlds are what their seed says."""
    make = intervals.KINDS["tested"]
    first, second = (make(intervals.np.random.default_rng(9200)) for _ in range(2))
    assert first[1].hash == second[1].hash
    assert first[3] == second[3]
