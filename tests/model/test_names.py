"""No number of the model depends on what nodes are called, or on the order of nodes.

The same random spec is written in several sets of names, and its data and parameters with it:
panels with two outcomes, latent causes of several nodes, errors that remember, histories.
"""

from __future__ import annotations

import zlib

import numpy as np
import pandas as pd
import pytest

import bayescausal as bc
from bayescausal.model.contrast import measure
from bayescausal.model.feedback import evolve
from bayescausal.model.mechanisms import edge_mechanisms
from bayescausal.model.predict import pointwise
from bayescausal.model.scm import Equations, bind, compile_scm
from bayescausal.specs.transform import widen

NAMES = ("ads", "brand", "clicks", "demand", "events", "footfall")
UNITS, PERIODS, DRAWS = ("north", "south", "west"), 16, 2
TIME = pd.date_range("2024-01-01", periods=PERIODS, freq="7D")
MEDIA = bc.Response(bc.GeometricAdstock(l_max=2), bc.HillSaturation())


def written(seed, names):
    """A random panel in these names: two outcomes, one latent of several nodes, and a loop."""
    rng, name = np.random.default_rng([seed, 8]), dict(enumerate(names))
    edges = [(a, b, 0) for b in range(6) for a in range(b) if rng.random() < 0.4]
    edges += [(int(rng.integers(2, 6)), int(rng.integers(1, 6)), int(rng.integers(1, 3)))]
    edges += [(0, 4, 0), (0, 5, 0)]
    hidden = [(name[a], name[b]) for a, b in [rng.choice(range(1, 6), 2, replace=False)]]
    causes = rng.choice(range(1, 6), 3, replace=False) if rng.random() < 0.7 else ()
    graph = bc.Graph(
        (
            *(bc.Edge(name[a], name[b], lag) for a, b, lag in edges),
            *(bc.Edge("hidden", name[v]) for v in causes),
        ),
        tuple(hidden),
        latent=("hidden",) if len(causes) else (),
        outcomes=(name[4], name[5]),
        isolated=names,
    )
    remembers, policy = rng.random(6) < 0.3, "held" if rng.random() < 0.5 else "reacts"
    spec = bc.Spec(
        graph,
        {name[0]: MEDIA},
        baseline=(bc.LinearTrend(),),
        policy={name[0]: policy} if graph.parents(name[0]) else {},
    )
    noise = {v: bc.AR1Noise() for k, v in name.items() if remembers[k] and v in spec.modelled}
    columns = rng.gamma(9.0, 5.0, (6, len(UNITS), PERIODS)) * rng.gamma(9.0, 1.0, (6, 3, 1))
    data = bc.Dataset.from_frame(
        pd.concat(
            pd.DataFrame(
                {"week": TIME, "geo": unit, "paid": columns[0, u]}
                | {name[k]: columns[k, u] for k in range(6)}
            )
            for u, unit in enumerate(UNITS)
        ),
        time="week",
        unit="geo",
        spend={name[0]: "paid"},
        history=2,
    )
    settings = {"baseline": spec.baseline, "policy": spec.policy, "noise": noise}
    return bc.Spec(graph, {name[0]: MEDIA}, **settings), data


def numbered(text, names):
    for index, name in enumerate(names):
        text = text.replace(name, f"<{index}>")
    head, *tail = text.split(":")
    return ":".join(["<->".join(sorted(head.split("<->"))), *tail])


def numbers(seed, names):
    """Scales, effects, log densities and simulated paths, by number instead of by name."""
    spec, data = written(seed, names)
    scm = compile_scm(spec, data)
    theta = {}
    for p in scm.parameters:
        rng = np.random.default_rng(zlib.crc32(numbered(p.name, names).encode()))
        value = rng.uniform(0.1, 0.4, (DRAWS, p.size) if p.dim else DRAWS)
        theta[p.name] = value - value.mean(axis=-1, keepdims=True) if ":unit" in p.name else value
    x, edges = scm.factual, edge_mechanisms(scm, theta, scm.factual)
    out = {("scale", numbered(v, names)): scale for v, scale in scm.scale.items()}
    for edge, way in edges.items():
        out["coefficient", numbered(str(edge), names)] = way.beta
    for y in spec.graph.outcomes:
        for scale in ("total", "percent", "per_spend"):
            asked = bc.incremental(names[0], outcome=y, scale=scale)
            out[scale, numbered(y, names)] = measure(bind(scm, theta, x), asked)
    logs = pointwise(bind(scm, theta))
    for district in spec.structure.districts:
        mine = [logs[v] for v in district if v in logs]
        key = tuple(sorted(numbered(v, names) for v in district))
        out["density", key] = sum(mine) if mine else np.zeros(1)
    errors = {}
    for v in spec.modelled:
        rng = np.random.default_rng(zlib.crc32(numbered(v, names).encode()))
        errors[v] = widen(theta[f"{v}:sigma"], 2) * rng.standard_normal((DRAWS, 3, PERIODS))
    inputs = {v: x[v] for v in spec.inputs}
    paths = evolve(
        Equations(scm, theta, inputs, edges),
        settle=lambda v, mu: scm.inverse(v, mu + errors[v]),
        guess=x,
    )
    return out | {("fresh", numbered(v, names)): paths[v] for v in spec.modelled}


@pytest.mark.parametrize("seed", range(4))
def test_no_number_depends_on_the_names_of_nodes(seed):
    first = numbers(seed, NAMES)
    rng = np.random.default_rng(seed)
    for _ in range(2):
        again = numbers(seed, tuple(map(str, rng.permutation(NAMES))))
        assert again.keys() == first.keys()
        for key, value in again.items():
            size = np.abs(first[key]).max()
            np.testing.assert_allclose(value, first[key], rtol=1e-9, atol=1e-9 * size)


def test_a_node_may_be_called_what_it_likes_beside_a_history():
    names = ("time_and_history", "history", "status", "grade", "channel", "path")
    spec, data = written(0, names)
    model = bc.build(spec, data)
    assert {*spec.modelled, *spec.inputs} <= {v.removesuffix(":observed") for v in model.named_vars}
    assert model.dim_lengths.keys() >= {"time", "time:history", "unit"}
