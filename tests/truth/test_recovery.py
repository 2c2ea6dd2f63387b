"""Real sampling on worlds whose effects are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

import bayescausal as bc
from bayescausal.truth.bundle import BASELINE, GRAPH, MEDIA, THETA, bundled_inputs

CHANNELS = ("tv", "social")


def test_the_bundled_fit_converges(example_fit):
    assert example_fit.convergence.converged, str(example_fit.convergence)
    assert example_fit.convergence.divergences <= 4


@pytest.mark.parametrize("channel", ["tv", "social", "search"])
def test_the_true_effect_lies_within_the_posterior(example, example_fit, channel):
    """Within 3.3 posterior sd of the mean: a calibrated normal posterior misses that once in 1,000.

    The Monte-Carlo error of the mean (sd / sqrt(ESS >= 400)) adds 0.05 sd at most.
    """
    draws = bc.effect(example_fit, bc.incremental(channel))
    truth = example.truth["effects"][channel]["total"]
    assert abs(float(draws.mean()) - truth) < 3.35 * float(draws.std())


def test_the_true_split_lies_within_the_posterior(example, example_fit):
    parts = bc.decompose(example_fit, bc.incremental("tv"))
    for path in ("total", "direct", "indirect"):
        draws = parts.sel(path=path)
        truth = example.truth["effects"]["tv"][path]
        assert abs(float(draws.mean()) - truth) < 3.35 * float(draws.std())


@pytest.mark.slow
def test_a_lift_test_pulls_the_effect_to_the_lift(example):
    """Same data, a test that says half of what tv did: the posterior must move toward it."""
    question = example.spec.experiments[0].estimand
    truth = example.truth["tests"]["tv_winter"]
    half = bc.Experiment(question, lift=truth / 2, std_error=truth / 40, design="geo-rct", name="t")
    spec = bc.Spec(example.graph, example.spec.responses, BASELINE, (half,))
    moved = bc.fit(spec, example.data, seed=5, draws=300, progress=False)
    draws = bc.effect(moved, question)
    assert float(draws.mean()) < 0.75 * truth
    assert float(draws.std()) < 1.2 * truth / 40


def simulated(seed: int) -> tuple[bc.World, bc.Spec]:
    """Return a world whose errors have no memory, as in the bundled one, and the default spec."""
    rng = np.random.default_rng(seed)
    frame = bundled_inputs(rng).reset_index()
    data = bc.Dataset.from_frame(frame, time="week", spend={c: f"{c}_cost" for c in CHANNELS})
    graph = bc.Graph.parse(GRAPH, outcome="sales")
    spec = bc.Spec(graph, dict.fromkeys(CHANNELS, MEDIA), BASELINE)
    theta = dict(THETA)
    for name in ("tv->sales", "social->sales", "tv->search"):
        theta[name] *= rng.uniform(0.4, 1.6)
        theta[f"{name}:alpha"] = rng.uniform(0.1, 0.7)
        theta[f"{name}:half"] = rng.uniform(0.25, 0.8)
        theta[f"{name}:slope"] = rng.uniform(0.9, 2.0)
    return bc.simulate(replace(spec, noise=bc.NormalNoise()), data, theta, rng), spec


@pytest.mark.slow
def test_ninety_percent_intervals_cover_nine_times_in_ten():
    """20 worlds x 2 total effects; fewer covered than 1 in 1,000 calibrated runs would have fails.

    The two effects of one world are treated as independent, which is roughly so. Seeds from 9,000
    are for judging only; no default was tuned on them.
    """
    hits = 0
    for seed in range(9000, 9020):
        world, spec = simulated(seed)
        fit = bc.fit(spec, world.data, seed=seed, draws=500, progress=False)
        for channel in CHANNELS:
            row = bc.summarize(bc.effect(fit, bc.incremental(channel))).iloc[0]
            hits += row["low"] <= world.effect(bc.incremental(channel)) <= row["high"]
    assert hits >= binom.ppf(0.001, 40, 0.9)
