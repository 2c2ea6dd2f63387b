"""Effects in a compiled model, alike ones at once, are those of `contrast.measure` one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from model.test_forward import CASES, QUESTIONS, case, first, week
from modes import AS_WRITTEN

from bayescausal.experiments.estimand import Estimand
from bayescausal.model.contrast import measure
from bayescausal.model.excerpts import measures
from bayescausal.model.scm import bind

# Units, lags, memory, every kind of curve; gradients of feedback take minutes to write.
FAST = ("panel", "lagged", "apart", "zoo")


def shifted(question):
    """A question, and where it has a window the same in one week, and in two at the end."""
    if question.window is None:
        return [question]
    windows = (week(9), week(9)), (week(22), week(23))
    scale = "percent" if question.scale == "percent" else "total"  # there may be no spend in these
    return [
        question,
        *(replace(question, window=w, carryover=True, scale=scale) for w in windows),
    ]


def off_panel(scm):
    """Two steady states of a channel, and a path, for which there is no excerpt."""
    node = next((v for v in scm.spec.treatments if v in scm.data.spend), None)
    if node is None:
        return []
    settings = {"off_panel": "steady", "outcome": scm.spec.graph.outcome}
    path = {node: np.array([20.0, 30.0, 10.0])}
    return [
        Estimand({node: 30.0}, {node: 12.0}, **settings),
        Estimand({node: 15.0}, {node: 12.0}, **settings),
        Estimand(path, {node: 5.0}, **settings | {"off_panel": "path"}),
    ]


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_alike_effects_have_the_values_and_gradients_of_effects_one_by_one(name):
    scm, theta, _ = case(name)
    one = first(theta)
    questions = [q for question in QUESTIONS[name] for q in shifted(question)] + off_panel(scm)
    x = {v: pt.tensor(v, shape=path.shape, dtype="float64") for v, path in scm.factual.items()}
    own = {k: pt.tensor(k, shape=v.shape, dtype="float64") for k, v in one.items()}
    equations = bind(scm, own, x, pt)
    effects = measures(equations, questions), [measure(equations, q) for q in questions]
    weights = np.random.default_rng(0).normal(size=len(questions))
    slopes = [
        pt.grad(pt.dot(weights, pt.stack(of)), [*own.values()], disconnected_inputs="ignore")
        for of in effects
    ]
    run = pytensor.function(
        [*x.values(), *own.values()],
        [pt.stack(effects[0]), *slopes[0], *slopes[1]],
        mode=AS_WRITTEN,
        on_unused_input="ignore",
    )
    together, *slopes = run(*scm.factual.values(), *one.values())
    numbers = [measure(bind(scm, one), q) for q in questions]
    size = np.abs(numbers).max() + max(np.abs(path).sum() for path in scm.factual.values())
    np.testing.assert_allclose(together, numbers, rtol=1e-9, atol=1e-12 * size)
    for slope, expected in zip(slopes[: len(own)], slopes[len(own) :], strict=True):
        np.testing.assert_allclose(slope, expected, rtol=1e-8, atol=1e-9 * np.abs(weights).max())
