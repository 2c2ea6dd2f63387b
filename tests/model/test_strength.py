"""Four views of one parameter: the prior is where the user put it, whatever is sampled."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from modes import AS_WRITTEN
from scipy import stats

import bayescausal as bc
from bayescausal.errors import DataError
from bayescausal.model.contrast import measure
from bayescausal.model.likelihood import SCALES
from bayescausal.model.mechanisms import edge_mechanisms
from bayescausal.model.scm import bind, compile_scm
from bayescausal.specs.prior import PARAMETERS

PRIORS = {
    "Cauchy": bc.Prior("Cauchy", alpha=0.1, beta=0.2),
    "Exponential": bc.Prior("Exponential", lam=4.0),
    "Gamma": bc.Prior("Gamma", alpha=2.0, beta=9.0),
    "HalfCauchy": bc.Prior("HalfCauchy", beta=0.3),
    "HalfNormal": bc.Prior("HalfNormal", sigma=0.3),
    "HalfStudentT": bc.Prior("HalfStudentT", nu=4, sigma=0.3),
    "InverseGamma": bc.Prior("InverseGamma", alpha=3, beta=0.3),
    "Laplace": bc.Prior("Laplace", mu=0.1, b=0.2),
    "Normal": bc.Prior("Normal", mu=0.1, sigma=0.25),
    "StudentT": bc.Prior("StudentT", nu=4, mu=0.1, sigma=0.2),
    "TruncatedNormal": bc.Prior("TruncatedNormal", mu=0.1, sigma=0.3, lower=0, upper=1),
    "Uniform": bc.Prior("Uniform", lower=-0.2, upper=0.8),
    "LogNormal": bc.Prior("LogNormal", mu=-2, sigma=0.5),
    "Beta": bc.Prior("Beta", alpha=2, beta=5),
}
VIEWS = (
    bc.MeanContribution,
    bc.MediaContribution,
    bc.Coefficient,
    bc.RangeContribution,
    bc.ReturnOnSpend,
)


def strength_draws(example, strength, draws=2000):
    media = bc.Response(bc.GeometricAdstock(l_max=4), bc.HillSaturation(), strength=strength)
    graph = bc.Graph.parse("tv -> sales", outcome="sales")
    model = bc.build(bc.Spec(graph, {"tv": media}), example.data)
    names = ["tv->sales", "tv->sales:slope", "tv->sales:half"]
    wanted = [model[n] for n in names]
    return pm.draw(wanted, draws=draws, random_seed=1, mode="FAST_COMPILE")


FAMILIES = ("Normal", "HalfNormal", "Gamma", "LogNormal")


def views_and_families():
    """Every view with one family, and one view with another family; all pairs are slow.

    That each family is scaled as it should be is exact in `test_scaling_a_prior_is_exact`.
    """
    for view, name in product(VIEWS, FAMILIES):
        quick = name == "Gamma" or (view is bc.MediaContribution and name == "Normal")
        yield pytest.param(view, name, marks=() if quick else pytest.mark.slow)


@pytest.mark.parametrize(("view", "name"), views_and_families())
def test_the_prior_holds_for_the_quantity_it_was_put_on(example, view, name):
    """Kolmogorov-Smirnov at 2,000 draws with a fixed seed; p below 1e-4 would be a wrong prior."""
    value, slope, half = strength_draws(example, view(PRIORS[name]))
    family = getattr(pm, name).dist(**dict(PRIORS[name].parameters), size=20_000)
    exact = pm.draw(family, random_seed=2)
    assert stats.ks_2samp(value, exact).pvalue > 1e-4
    for shape in (slope, half):  # and it does not depend on the shape of the curve
        assert abs(stats.spearmanr(value, shape).statistic) < 4 / np.sqrt(len(value))


@pytest.mark.parametrize("name", sorted(SCALES))
def test_scaling_a_prior_is_exact(name):
    """value = swing / times with swing from the scaled family: log densities agree, Jacobian in."""
    times, prior = np.float64(2.7), PRIORS[name]
    multiplied, divided = SCALES[name]
    scaled = {
        k: v * times if k in multiplied else v / times if k in divided else v
        for k, v in ((k, np.float64(v)) for k, v in prior.parameters)
    }
    kind = getattr(pm, name)
    value = np.array([0.07, 0.2, 0.5])
    plain = {k: np.float64(v) for k, v in prior.parameters}  # PyTensor rounds Python floats
    direct = pm.logp(kind.dist(**plain), value).eval(mode="FAST_COMPILE")
    through = pm.logp(kind.dist(**scaled), value * times).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(through + np.log(times), direct, rtol=1e-10)


def test_every_distribution_is_covered_here():
    assert set(PRIORS) == set(PARAMETERS)


def log_density(frame, theta, **columns):
    graph = bc.Graph.parse("index -> tv, sales\ntv -> sales", outcome="sales")
    data = bc.Dataset.from_frame(frame.assign(**columns), time="week", spend=["tv"])
    model = bc.build(bc.Spec(graph, treatments=("tv",)), data)
    point = model.initial_point() | {k: np.array(v) for k, v in theta.items()}
    run = model.compile_fn(model.logp(sum=True), inputs=model.value_vars, mode=AS_WRITTEN)
    return float(run({v.name: point[v.name] for v in model.value_vars}))


def test_where_the_zero_of_a_cause_is_does_not_matter():
    """An index of 98 to 102 is adjusted for as the same index less 100, prior included."""
    rng = np.random.default_rng(5)
    z = rng.normal(size=104)
    tv = np.maximum(0, 50 + 20 * z + 8 * rng.normal(size=104))
    frame = pd.DataFrame(
        {
            "week": pd.date_range("2023-01-02", periods=104, freq="7D"),
            "tv": tv,
            "sales": 1000 + 150 * z + tv + 40 * rng.normal(size=104),
        }
    )
    for value in (0.4, -0.2):
        theta = {"index->sales": value, "tv->sales": 0.1}
        found = [log_density(frame, theta, index=index) for index in (100 + z, z, 7 - 300 * z)]
        assert found[1] == pytest.approx(found[0], rel=1e-9)
        theta["index->sales"] = -value  # the scale is turned around
        assert log_density(frame, theta, index=7 - 300 * z) == pytest.approx(found[0], rel=1e-9)


@pytest.mark.parametrize("media", [bc.Response(), bc.Response(bc.GeometricAdstock(l_max=3))])
def test_a_unit_of_spend_returns_the_same_in_every_market_of_a_linear_panel(media):
    """However large the markets are, and whatever the largest week of each was."""
    rng = np.random.default_rng(3)
    size = np.array([1.0, 3.0, 10.0])[:, None]
    tv = rng.gamma(7, 5, (3, 60)) * np.array([1.0, 1.0, 2.0])[:, None]
    tv[0, 40] = 600.0  # a heavy-up
    sales = size * (1000 + 50 * rng.normal(size=(3, 60))) + 2 * tv
    week = pd.date_range("2023-01-02", periods=60, freq="7D")
    frame = pd.DataFrame(
        {
            "week": np.tile(week, 3),
            "geo": np.repeat(["a", "b", "c"], 60),
            "tv": tv.ravel(),
            "sales": sales.ravel(),
        }
    )
    data = bc.Dataset.from_frame(frame, time="week", unit="geo", spend=["tv"])
    spec = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": media})
    scm = compile_scm(spec, data)
    theta = {p.name: np.full([p.size] if p.dim else [], 0.2) for p in scm.parameters}
    returns = [
        measure(
            bind(scm, theta),
            bc.incremental("tv", scale="per_spend").within(unit),
        )
        for unit in "abc"
    ]
    np.testing.assert_allclose(returns, returns[0], rtol=1e-9 if not media.transforms else 0.05)


def test_a_market_without_an_outcome_is_refused():
    week = pd.date_range("2023-01-02", periods=20, freq="7D")
    tv = np.random.default_rng(1).gamma(2, 3, 20)
    frame = pd.concat(
        pd.DataFrame({"week": week, "geo": geo, "tv": tv, "sales": sales * (9 + tv)})
        for geo, sales in (("north", 1.0), ("south", 0.0))
    )
    data = bc.Dataset.from_frame(frame, time="week", unit="geo", spend=["tv"])
    spec = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",))
    with pytest.raises(DataError, match="'sales' is zero in every period of unit 'south'"):
        compile_scm(spec, data)


def test_four_times_the_budget_is_expected_to_bring_twice_as_much():
    """The default prior of media: what they bring together, shared out by roots of spend."""
    rng = np.random.default_rng(2)
    small, frame = (
        rng.gamma(3, 10, 60),
        {"week": pd.date_range("2024-01-01", periods=60, freq="7D")},
    )
    unpaid = rng.gamma(3, 10, 60)
    frame |= {"radio": small, "tv": rng.permutation(small), "mail": unpaid}
    frame |= {"tv_cost": 4 * frame["tv"], "sales": 100 + small + rng.normal(0, 3, 60)}
    media = bc.Response(bc.GeometricAdstock(l_max=2), bc.HillSaturation())
    graph = bc.Graph.parse("radio, tv, mail -> sales", outcome="sales")
    data = bc.Dataset.from_frame(
        pd.DataFrame(frame), time="week", spend={"radio": "radio", "tv": "tv_cost"}
    )
    scm = compile_scm(bc.Spec(graph, dict.fromkeys(("radio", "tv", "mail"), media)), data)
    theta = {p.name: np.array(0.5) for p in scm.parameters}
    edges = edge_mechanisms(scm, theta, scm.factual)
    mean = {e.source: (abs(m.beta) * m.factual.mean()).item() for e, m in edges.items()}
    assert mean["tv"] == pytest.approx(2 * mean["radio"])
    assert mean["mail"] == pytest.approx(2.5**0.5 * mean["radio"]), "no spend: an average one"
    assert sum(mean.values()) == pytest.approx(0.5), "three values of 0.5, each of all media"
