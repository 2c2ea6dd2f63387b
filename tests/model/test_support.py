"""How much of an effect lies below the exposure that was observed: laws, and simulated truth."""

import numpy as np
import oracle
import pandas as pd
import pytest
from model.test_forward import CASES, case

import bayescausal as bc
from bayescausal.experiments.estimand import incremental
from bayescausal.identification.question import is_removal
from bayescausal.inference.evidence import reachable
from bayescausal.model.contrast import contrast
from bayescausal.model.scm import bind
from bayescausal.model.support import extrapolated_share, lowest_exposure
from bayescausal.truth.simulate import simulate

HALF, SLOPE, ALPHA, REACH = 0.15, 1.0, 0.5, 6
WEEKS = 120


def world(tv):
    """Sales answer tv with carry-over and a Hill curve, everything known."""
    frame = pd.DataFrame({"week": pd.date_range("2022-01-03", periods=len(tv), freq="7D")})
    data = bc.Dataset.from_frame(frame.assign(tv=tv), time="week", spend=["tv"])
    response = bc.Response(bc.GeometricAdstock(l_max=REACH), bc.HillSaturation())
    spec = bc.Spec(
        bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": response}, noise=bc.NormalNoise()
    )
    theta = {
        "sales:intercept": 100.0,
        "sales:sigma": 3.0,
        "tv->sales": 50.0,
        "tv->sales:alpha": ALPHA,
        "tv->sales:half": HALF,
        "tv->sales:slope": SLOPE,
    }
    return simulate(spec, data, theta, 1)


def share(made, estimand=None):
    """The share at the true parameters."""
    theta = {name: np.asarray(value)[None] for name, value in made.theta.items()}
    return float(extrapolated_share(bind(made.scm, theta), estimand or incremental("tv"))[0])


def by_hand(tv):
    """The same from the formulas alone: Hill of geometric carry-over, period by period."""
    weights = ALPHA ** np.arange(REACH + 1)
    weights = weights / weights.sum()

    def response(path):
        carried = np.convolve(path, weights)[: len(path)] / tv.max()
        return carried, carried / (HALF + carried)

    carried, effect = response(tv)
    lowest = carried[REACH:].min() * tv.max()
    return response(np.full(len(tv), lowest))[1].sum() / effect.sum()


def always_on(rng):
    return 100 * (1 + 0.1 * rng.normal(size=WEEKS))


def flights(rng, dark):
    """Six weeks on, and then that many without."""
    on = np.tile(np.r_[np.ones(6), np.zeros(dark)], WEEKS)[:WEEKS]
    return 100 * on * (1 + 0.1 * rng.normal(size=WEEKS))


def test_a_saturated_channel_that_was_always_on_is_nearly_all_extrapolation():
    tv = always_on(np.random.default_rng(1))
    assert share(world(tv)) == pytest.approx(by_hand(tv), rel=1e-9)
    assert share(world(tv)) > 0.9


def test_dark_stretches_longer_than_the_carry_over_leave_none():
    tv = flights(np.random.default_rng(2), dark=REACH + 1)
    assert share(world(tv)) == 0.0


def test_dark_weeks_shorter_than_the_carry_over_leave_some():
    shares = [share(world(flights(np.random.default_rng(2), dark))) for dark in (1, 2, 4, 7)]
    assert 1.0 > shares[0] > shares[1] > shares[2] > shares[3] == 0.0
    for dark, found in zip((1, 2, 4), shares, strict=False):
        assert found == pytest.approx(by_hand(flights(np.random.default_rng(2), dark)), rel=1e-9)


def test_the_part_below_was_true_in_the_simulator():
    """The world of the lowest exposure, asked of the simulated truth as any other question."""
    tv = always_on(np.random.default_rng(3))
    made = world(tv)
    weights = ALPHA ** np.arange(REACH + 1)
    carried = np.convolve(tv, weights / weights.sum())[:WEEKS]
    steady = bc.Estimand({"tv": carried[REACH:].min()}, {"tv": 0.0})
    assert share(made) == pytest.approx(
        made.effect(steady) / made.effect(incremental("tv")), rel=1e-9
    )


def test_a_window_has_a_share_of_its_own():
    """In dark weeks before the window the channel was seen without exposure."""
    rng = np.random.default_rng(4)
    tv = np.r_[np.zeros(20), always_on(rng)[20:]]
    window = incremental("tv").during("2023-01-02", "2023-03-26")
    assert share(world(tv), window) == 0.0
    tv = always_on(rng)
    assert 0.5 < share(world(tv), window) < 1.0


def test_only_what_takes_exposure_away_is_a_removal():
    assert is_removal(incremental("tv").during("2024-01-01", "2024-03-31"))
    for other in (
        bc.Estimand({"tv": bc.Times(1.1)}),
        bc.Estimand(control={"tv": 5.0}),
        bc.Estimand(control={"tv->sales": 0.0}),
        bc.Estimand({"tv": 3.0}, {"tv": 0.0}),
        bc.Estimand({"tv": 1.0}, {"tv": 0.0}, off_panel="steady"),
    ):
        assert not is_removal(other)


@pytest.mark.parametrize("name", CASES)
def test_the_part_below_is_a_contrast_of_the_oracle(name):
    """In every structure: with curves, lags, mediators, feedback, panels, log links."""
    scm, theta, second = case(name)
    equations = bind(scm, theta)
    outcome = scm.spec.graph.outcomes[0]
    checked = 0
    for treatment in reachable(scm.spec, outcome):
        removal = incremental(treatment, outcome=outcome)
        shares = extrapolated_share(equations, removal)
        totals = contrast(equations, removal).sum(axis=tuple(range(-scm.depth, 0)))
        edges = [e for e in scm.spec.reduced.outgoing(treatment) if e in scm.spec.mechanisms]
        levels = {}
        for edge in edges:
            shape = np.atleast_2d(scm.data.array(treatment)).shape
            steady = np.broadcast_to(_steady(second, scm, edge)[:, None], shape)
            levels[str(edge)] = steady if scm.data.is_panel else steady[0]
            lowest = lowest_exposure(equations, edge)  # without adstock alike in all draws
            found = np.broadcast_to(lowest[0] if lowest.ndim > scm.depth else lowest, shape)
            np.testing.assert_allclose(found, steady, rtol=1e-9, atol=1e-12)
        question = bc.Estimand(levels, dict.fromkeys(levels, 0.0), outcome=outcome)
        expected = oracle.effect(second, question)
        size = max(abs(expected), np.abs(totals[0]))
        assert shares[0] * totals[0] == pytest.approx(expected, abs=1e-9 * size, nan_ok=True)
        checked += 1
    assert checked or not reachable(scm.spec, outcome)


def _steady(worlds, scm, edge):
    """The steady exposure of each unit that carries over to the lowest of any, by loops."""
    response = scm.spec.mechanisms[edge]
    path = [
        [v / s for v in row]
        for row, s in zip(worlds.x[edge.source], worlds.scale[edge.source], strict=True)
    ]
    mass = 1.0
    for step in response.transforms:
        if not hasattr(step, "l_max"):
            break
        names = {k: worlds.theta[f"{edge}:{k}"] for k in step.priors}
        weights = oracle.adstock_weights(step, names)
        path = [oracle.spread(weights, row) for row in path]
        mass *= sum(weights)
    start = max(worlds.history, response.reach)
    start = start if start < len(worlds.time) else worlds.history
    lowest = max(0.0, min(v for row in path for v in row[start:]))
    return np.array([lowest / mass * s for s in worlds.scale[edge.source]])
