"""The sampler against posteriors that are known in closed form. Three fits, nothing is mocked."""

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayescausal as bc
from bayescausal.model.contrast import contrast
from bayescausal.model.scm import bind, compile_scm

SETTINGS = {"draws": 1000, "seed": 20260301, "progress": False}
START = "2024-01-01"
# A false alarm once in 15,000 for each comparison, if the Monte-Carlo error is as the ESS says.
SIGMAS = 4.0


def known(sigma):
    """An error whose size is as good as known: a log-normal of 0.1 percent.

    Its effect on a posterior sd is of relative order 1e-3, on a mean of 1e-3 of the shrinkage;
    both are small against the Monte-Carlo error of a few thousand draws (about 2e-2).
    """
    return bc.NormalNoise(bc.Prior("LogNormal", mu=float(np.log(sigma)), sigma=1e-3))


def one_edge(noise, experiments=(), response=None, periods=60):
    rng = np.random.default_rng(7)
    x = rng.gamma(3.0, 10.0, periods)
    y = 300.0 + 2.0 * x + rng.normal(0, 40.0, periods)
    frame = pd.DataFrame({"week": pd.date_range(START, periods=periods, freq="7D"), "x": x, "y": y})
    spec = bc.Spec(
        bc.Graph.parse("x -> y", outcome="y"),
        responses={"x": response} if response else {},
        experiments=experiments,
        noise=noise,
        treatments=("x",),
    )
    return spec, bc.Dataset.from_frame(frame, time="week")


def assert_normal(draws, mean, sd, slack=0.0):
    """Draws have this mean and sd, up to their Monte-Carlo error and a known `slack` of the sd.

    The error of a mean is sd / sqrt(ESS); that of a normal sd is sd / sqrt(2 ESS).
    """
    size = float(az.ess(draws, method="bulk"))
    spread = float(az.ess((draws - draws.mean()) ** 2, method="bulk"))
    assert min(size, spread) > 400  # else the tolerances below would forgive anything
    assert draws.mean() == pytest.approx(mean, abs=SIGMAS * sd / np.sqrt(size) + slack * sd)
    assert draws.std() == pytest.approx(sd, rel=SIGMAS / np.sqrt(2 * spread) + slack)


def test_plain_edge_has_the_conjugate_posterior():
    sigma = 0.1
    spec, data = one_edge(known(sigma))
    fit = bc.fit(spec, data, **SETTINGS)
    x, y = data.array("x"), data.array("y")
    f, g = x / np.ptp(x), y / y.max()
    design = np.column_stack([np.ones_like(f), f - f.mean()])  # the response enters centered
    precision = np.eye(2) + design.T @ design / sigma**2  # both priors are Normal(0, 1)
    cov = np.linalg.inv(precision)
    mean = cov @ design.T @ g / sigma**2
    posterior = fit.tree["posterior"]
    for k, name in enumerate(("y:intercept", "x->y")):
        assert_normal(posterior[name].to_numpy(), mean[k], np.sqrt(cov[k, k]), slack=2e-3)
    # The effect is the coefficient in other units.
    total = (y.max() * f).sum()
    assert_normal(
        bc.effect(fit, bc.incremental("x")).to_numpy(),
        total * mean[1],
        total * np.sqrt(cov[1, 1]),
        slack=2e-3,
    )
    assert abs(mean[1]) > 2 * np.sqrt(cov[1, 1])  # the data speak: prior and posterior differ


def test_a_lift_alone_gives_the_normal_normal_update():
    """With an error of 1e4 scales the 60 rows weigh 60 / 1e8 against the prior's 1: nothing."""
    prior, window = (0.3, 0.5), ("2024-02-05", "2024-03-31")
    question = bc.incremental("x").during(*window)
    test = bc.Experiment(question, lift=900.0, std_error=250.0, design="did", bias_sd=150.0)
    response = bc.Response(strength=bc.Coefficient(bc.Prior("Normal", mu=prior[0], sigma=prior[1])))
    spec, data = one_edge(known(1e4), (test,), response)
    fit = bc.fit(spec, data, **SETTINGS)
    x = data.array("x")
    inside = (data.time >= window[0]) & (data.time <= window[1])
    per = data.array("y").max() * x[inside].sum() / x.max()  # effect per unit of coefficient
    weights = np.array([1 / (per * prior[1]) ** 2, 1 / (250.0**2 + 150.0**2)])
    mean = weights @ [per * prior[0], 900.0] / weights.sum()
    sd = weights.sum() ** -0.5
    # Neither side decides alone: the test can fail for a wrong prior and for a wrong error.
    assert 0.1 < weights[0] / weights.sum() < 0.9
    effect = bc.effect(fit, question).to_numpy()
    assert_normal(effect, mean, sd, slack=1e-3)
    assert_normal(fit.tree["posterior"]["x->y"].to_numpy(), mean / per, sd / per, slack=1e-3)


def test_a_negative_lift_on_a_saturating_edge_is_recovered():
    """Given the shape of the curve the update is Normal-Normal; the shape is averaged exactly.

    The reference integrates alpha, half and slope over 20,000 prior draws, each weighted by the
    density of the lift under it.
    """
    question = bc.incremental("x").during("2024-03-04", "2024-03-31")
    lift, error = -120.0, 30.0
    test = bc.Experiment(question, lift=lift, std_error=error, design="geo-rct")
    curve = bc.GeometricAdstock(l_max=4), bc.HillSaturation()
    media = bc.Response(*curve, strength=bc.MeanContribution())
    spec, data = one_edge(known(1e4), (test,), media)
    fit = bc.fit(spec, data, **SETTINGS | {"draws": 700, "chains": 2})

    count, rng = 20_000, np.random.default_rng(8)
    scm = compile_scm(spec, data)
    theta = {
        "x->y": np.ones(count),
        "x->y:alpha": stats.beta(2, 3).rvs(count, random_state=rng),
        "x->y:half": stats.lognorm(0.6, scale=np.exp(-0.7)).rvs(count, random_state=rng),
        "x->y:slope": stats.lognorm(0.35, scale=np.exp(0.3)).rvs(count, random_state=rng),
    }
    x = scm.factual
    per = contrast(bind(scm, theta, x), question).sum(axis=-1)
    prior = per * 0.25  # kappa ~ Normal(0, 0.25)
    weight = stats.norm.pdf(lift, 0, np.hypot(prior, error))
    shrink = prior**2 / (prior**2 + error**2)
    weight /= weight.sum()
    mean = weight @ (shrink * lift)
    sd = np.sqrt(weight @ (shrink * error**2 + (shrink * lift - mean) ** 2))

    effect = bc.effect(fit, question).to_numpy()
    # The reference's own Monte-Carlo error is below 1 percent of the sd (20,000 draws, bounded).
    assert_normal(effect, mean, sd, slack=0.01)
    assert (effect < 0).mean() > 0.999
    assert abs(mean - lift) < error  # the measurement, not the prior, decides
    assert (fit.tree["posterior"]["x->y"].to_numpy() < 0).mean() > 0.999
