"""Exact copies of a channel: which they are, and that no density tells them apart."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescausal as bc
from bayescausal.inference.compile import compile_jax
from bayescausal.inference.convergence import assess
from bayescausal.inference.copies import exact_copies, permuted, sums_of_copies
from bayescausal.model.scm import compile_scm

MEDIA = bc.Response(bc.GeometricAdstock(l_max=2), bc.HillSaturation())
PERIODS = 120


def claims(experiments=(), graph="a, b, c -> y", **columns):
    rng = np.random.default_rng(4)
    a = rng.gamma(2, 50, PERIODS)
    c = rng.gamma(2, 30, PERIODS)
    y = 3000 + 5 * a + 4 * c + rng.normal(0, 80, PERIODS)
    time = pd.date_range("2022-01-03", periods=PERIODS, freq="7D")
    frame = pd.DataFrame({"week": time, "a": a, "b": a, "c": c, "y": y}).assign(**columns)
    spec = bc.Spec(
        bc.Graph.parse(graph, outcome="y"),
        dict.fromkeys("abc", MEDIA),
        noise=bc.NormalNoise(),
        experiments=experiments,
    )
    spend = ["a", "b_cost" if "b_cost" in columns else "b", "c"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = bc.Dataset.from_frame(frame, time="week", spend=dict(zip("abc", spend, strict=True)))
    return spec, data


def test_copies_are_exact_or_none():
    rng = np.random.default_rng(0)
    test = bc.Experiment(
        bc.incremental("a").during("2022-03-07", "2022-03-28"),
        lift=900,
        std_error=50,
        design="geo-rct",
    )
    assert exact_copies(compile_scm(*claims())) == [("a", "b")]
    assert exact_copies(compile_scm(*claims(b=rng.gamma(2, 50, PERIODS)))) == []
    assert exact_copies(compile_scm(*claims(b_cost=rng.gamma(2, 50, PERIODS)))) == []
    assert exact_copies(compile_scm(*claims([test]))) == []
    assert exact_copies(compile_scm(*claims(graph="a, c -> y\nb -> y @ 1"))) == []
    cause = {"graph": "a, b, c -> y\nw -> a", "w": rng.normal(size=PERIODS)}
    assert exact_copies(compile_scm(*claims(**cause))) == [("a", "b")]


def test_the_density_does_not_change_when_copies_are_exchanged():
    density = compile_jax(bc.build(*claims()))
    value = density.at_data()
    rng = np.random.default_rng(1)
    point = {name: rng.normal(size=shape) for name, shape in density.layout.items()}

    def exchanged(name, one, other):
        there = {one: other, other: one}
        return there.get(name[0], name[0]) + name[1:]

    def log_density(one, other):
        parts = [point[exchanged(name, one, other)] for name in point]
        return value(np.concatenate([np.ravel(part) for part in parts]))[0]

    assert log_density("a", "b") == pytest.approx(log_density("a", "a"), rel=1e-12)
    assert abs(log_density("a", "c") - log_density("a", "a")) > 1  # c is no copy


def test_parameters_of_a_copy_stay_together():
    rng = np.random.default_rng(2)
    size = (4, 500)
    one, two = rng.normal(0, 1, size), rng.normal(10, 1, size)
    draws = xr.Dataset(
        {
            name: (("chain", "draw"), values)
            for name, values in {"a": one, "b": two, "a:s": -one, "b:s": -two, "c": one}.items()
        }
    )
    new = permuted(draws, [("a", "b"), ("a:s", "b:s")], np.random.default_rng(3))
    assert np.array_equal(new["a"], -new["a:s"])
    assert np.array_equal(new["b"], -new["b:s"])
    assert np.allclose(new["a"] + new["b"], one + two)
    assert np.array_equal(new["c"], one)
    assert 0.45 < float((new["a"] > 5).mean()) < 0.55  # the standard error is 0.011


def test_chains_that_differ_in_the_sum_alone_have_not_converged():
    """An exchange hides it from the single effects, which differ by much more than the sum does."""
    scm = compile_scm(*claims())
    estimands = {name: bc.incremental(name) for name in "abc"}
    rng = np.random.default_rng(5)
    gap = rng.normal(0, 10, (4, 500))
    half = rng.normal(0, 0.5, (4, 500)) + np.array([[-0.5], [-0.5], [0.5], [0.5]])
    effects = {"a": half + gap, "b": half - gap, "c": rng.normal(size=(4, 500))}
    sums = sums_of_copies(scm, estimands, effects)
    assert list(sums) == ["a + b"]
    run = {"divergences": 0, "interrupted": False}
    draws = xr.Dataset({"c": (("chain", "draw"), effects["c"])})
    assert assess(draws, effects, run).converged
    state = assess(draws, effects | sums, run)
    assert not state.converged
    assert "a + b" in str(state)


def test_a_fit_of_exact_copies_converges():
    """Without the exchange three rounds ended with R-hat 1.14 and 21 effective draws."""
    with pytest.warns(bc.errors.CopiedChannels):
        fit = bc.fit(*claims(), seed=1, progress=False)
    assert fit.convergence.converged
    row = bc.summarize(bc.effect(fit, bc.incremental(["a", "b"], scale="per_spend"))).iloc[0]
    assert row["low"] < 2.5 < row["high"]
