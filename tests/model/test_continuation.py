"""Paths after the data, against the recursion of `tests/oracle` and against closed forms."""

from dataclasses import replace

import numpy as np
import oracle
import pytest
from model.test_forward import CASES, MEDIA, case, first, table

import bayescausal as bc
from bayescausal.data.continued_table import continued
from bayescausal.data.future import Future
from bayescausal.model.continuation import continuation, continued_equations, continued_scm
from bayescausal.model.contrast import contrast
from bayescausal.model.scm import bind, compile_scm

PERIODS = 7


class Still:
    """A generator whose innovations are all zero."""

    def standard_normal(self, shape):
        return np.zeros(shape)

    def standard_t(self, nu):
        return np.zeros(np.shape(nu))


class Continued(oracle.Worlds):
    """An oracle over longer data that knows scales and coefficients from shorter ones."""

    def __init__(self, spec, data, base):
        self.base = base
        super().__init__(spec, data, base.theta)
        self.scale, self.mechanism, self.training = base.scale, base.mechanism, base.training
        self.levels = {v: self.baseline(v) for v in self.modelled}

    def _scales(self, node):
        return self.base.scale[node]

    def before(self, node, u):
        return self.base.before(node, u)


def longer(scm, seed=5):
    """Data that go on with random positive numbers, and the SCM over them."""
    rng = np.random.default_rng(seed)
    data = scm.data
    last = data.table.isel(time=slice(-PERIODS, None))
    step = data.time[-1] - data.time[-2]
    shuffled = last.assign_coords(time=last.indexes["time"] + step * PERIODS)
    shuffled = shuffled.map(lambda column: column * rng.uniform(0.5, 1.5, column.shape))
    future = Future(shuffled)
    nodes = [*scm.spec.inputs, *scm.spec.modelled]
    columns = list(dict.fromkeys([*nodes, *data.spend.values()]))
    columns += [c for c in (data.value, data.size) if isinstance(c, str) and c not in columns]
    extended = replace(data, table=continued(data, future, columns), left_out={})
    return extended, continued_scm(scm, extended)


def planned(scm, extended):
    """What a plan states: inputs, and treatments that do not react."""
    return {v: extended.array(v) for v in scm.spec.planned}


@pytest.mark.parametrize("name", CASES)
def test_without_innovations_paths_are_those_of_the_recursion(name):
    scm, theta, base = case(name)
    extended, scm2 = longer(scm)
    paths = continuation(bind(scm, theta), scm2, planned(scm, extended), Still())
    slow = Continued(scm.spec, extended, base)
    start = len(scm.data.time)
    errors = {}
    for node, rows in base.errors().items():
        phi = first(theta).get(f"{node}:phi", 0.0)
        errors[node] = [
            [*row, *(row[-1] * float(phi) ** h for h in range(1, PERIODS + 1))] for row in rows
        ]
    sets = {v: slow.x[v] for v in planned(scm, extended)}
    world = slow.unfold(errors, {v: path for v, path in sets.items() if v in scm.spec.modelled})
    for node in scm.spec.modelled:
        expected = np.array(world[node]) if scm.data.is_panel else np.array(world[node][0])
        size = np.abs(expected).max()
        np.testing.assert_allclose(paths[node][0], expected, rtol=0, atol=1e-9 * size, err_msg=node)
        np.testing.assert_array_equal(
            paths[node][..., :start],
            np.broadcast_to(scm.factual[node], (3, *scm.factual[node].shape)),
        )


@pytest.mark.parametrize("name", CASES)
def test_an_effect_that_ends_in_the_data_is_the_same_after_them(name):
    scm, theta, _ = case(name)
    extended, scm2 = longer(scm)
    treatment = sorted({*scm.spec.treatments} & {*scm.spec.reduced.nodes})[0]
    outcome = next(
        (o for o in scm.spec.graph.outcomes if treatment in scm.spec.reduced.ancestors(o)), None
    )
    if outcome is None:
        pytest.skip("this treatment reaches no outcome")
    window = scm.data.training[2], scm.data.training[6]
    question = bc.Estimand(
        {}, {treatment: bc.Times(0.5)}, window=window, outcome=outcome, carryover=4
    )
    short = bind(scm, theta)
    path = planned(scm, extended)
    world = path | continuation(short, scm2, path, np.random.default_rng(1))
    effect = contrast(continued_equations(short, scm2, world), question)
    expected = contrast(short, question)
    size = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(
        effect[..., : len(scm.data.time)], expected, rtol=0, atol=1e-10 * size
    )
    assert np.any(expected != 0)


def remembering(phi, draws=4000):
    """One node whose errors remember, at a posterior of equal draws."""
    data = table(("tv", "sales"), spend=("tv",))
    spec = bc.Spec(
        bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": MEDIA}, noise=bc.AR1Noise()
    )
    theta = oracle.draw(spec, data, np.random.default_rng(3)) | {
        "sales:phi": phi,
        "sales:sigma": 0.2,
    }
    scm = compile_scm(spec, data)
    return scm, {k: np.repeat(np.asarray(v)[None], draws, axis=0) for k, v in theta.items()}


@pytest.mark.parametrize("phi", [0.0, 0.6, 0.9])
def test_memory_is_carried_from_the_last_error(phi):
    scm, theta = remembering(phi)
    extended, scm2 = longer(scm)
    start = len(scm.data.time)
    bound = bind(scm, theta)
    paths = continuation(bound, scm2, planned(scm, extended), np.random.default_rng(2))
    mean = continued_equations(bound, scm2, {**planned(scm, extended), **paths}).mean(
        "sales", dict.fromkeys(scm.spec.structure.incoming("sales"))
    )
    errors = paths["sales"] / scm.scale["sales"] - mean
    last = errors[0, start - 1]
    h = np.arange(1, PERIODS + 1)
    variance = 0.2**2 * (h if phi == 1 else (1 - phi ** (2 * h)) / (1 - phi**2))
    after = errors[:, start:]
    assert abs(last) > 0.05  # there is something to remember
    standard_error = np.sqrt(variance / len(after))
    assert (np.abs(after.mean(axis=0) - phi**h * last) < 4.5 * standard_error).all()
    np.testing.assert_allclose(after.std(axis=0), np.sqrt(variance), rtol=0.06)


def test_errors_of_a_district_move_together_after_the_data():
    data = table(("tv", "search", "sales"), spend=("tv",))
    spec = bc.Spec(
        bc.Graph.parse("tv -> search -> sales\nsearch <-> sales", outcome="sales"),
        {"tv": MEDIA},
        noise=bc.NormalNoise(),
    )
    scm = compile_scm(spec, data)
    (cause,) = scm.spec.confounders
    theta = oracle.draw(spec, data, np.random.default_rng(1)) | {cause.name: 0.7}
    theta |= {"search:sigma": 0.1, "sales:sigma": 0.2}
    theta = {k: np.repeat(np.asarray(v)[None], 4000, axis=0) for k, v in theta.items()}
    extended, scm2 = longer(scm)
    paths = continuation(bind(scm, theta), scm2, planned(scm, extended), np.random.default_rng(2))
    bound = continued_equations(bind(scm, theta), scm2, {**planned(scm, extended), **paths})
    start = len(data.time)
    errors = []
    for node in ("search", "sales"):
        mean = bound.mean(node, dict.fromkeys(spec.structure.incoming(node)))
        errors.append((paths[node] / scm.scale[node] - mean)[:, start:].ravel())
    found = np.corrcoef(errors)[0, 1]
    assert abs(found - 0.7) < 0.02  # of two nodes it is the parameter (MODEL 4.1)
    np.testing.assert_allclose([e.std() for e in errors], [0.1, 0.2], rtol=0.03)
