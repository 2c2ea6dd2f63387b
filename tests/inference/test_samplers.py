"""Every other sampler really samples: its slope is that of least squares.

blackjax, the default, is held to whole posteriors in `tests/model/test_closed_form_posterior.py`.
"""

from __future__ import annotations

from importlib.util import find_spec

import arviz as az
import numpy as np
import pandas as pd
import pytest

import bayescausal as bc

WEEKS, NOISE = 40, 20.0
RUN = {"draws": 300, "tune": 300, "chains": 2, "seed": 11, "progress": False}
# A false alarm once in 15,000 for each sampler, if the Monte-Carlo error is as the ESS says.
SIGMAS = 4.0


@pytest.fixture(scope="module")
def line():
    """A straight line with noise: the spec, the data, and least squares' slope and its error."""
    rng = np.random.default_rng(9)
    tv = rng.gamma(3.0, 10.0, WEEKS)
    sales = 500 + 3 * tv + rng.normal(0, NOISE, WEEKS)
    frame = pd.DataFrame({"week": pd.date_range("2025-01-06", periods=WEEKS, freq="7D"), "tv": tv})
    data = bc.Dataset.from_frame(frame.assign(sales=sales), time="week")
    graph = bc.Graph.parse("tv -> sales", outcome="sales")
    white = bc.NormalNoise()  # least squares weighs weeks as if errors had no memory
    spec = bc.Spec(graph, treatments=("tv",), noise=white)
    centered = tv - tv.mean()
    slope = centered @ sales / (centered @ centered)
    left = sales - sales.mean() - slope * centered
    error = np.sqrt(left @ left / (WEEKS - 2) / (centered @ centered))
    return spec, data, slope, error


@pytest.mark.parametrize("sampler", ["pymc", "numpyro"])
def test_the_slope_is_that_of_least_squares(line, sampler, monkeypatch):
    """Posterior mean against least squares, up to Monte-Carlo error and the prior's pull.

    The coefficient has a Normal(0, 1) prior in units of ``max(sales) / max(tv)``, under which the
    posterior mean is least squares' times ``1 / (1 + s**2)``, s being the error in those units;
    whatever the size of the noise, so averaging over it changes nothing of first order. The error
    of the mean of the draws is sd / sqrt(ESS). With an ESS above 150 the tolerance is below
    4 / sqrt(150) = 0.33 of the posterior's sd: prior draws, draws of another parameter or chains
    that have not left their start would fail.
    """
    if find_spec(sampler) is None:
        pytest.skip(f"{sampler} is not installed: pip install 'bayescausal[samplers]'")
    spec, data, slope, error = line
    monkeypatch.setattr("nutpie.sample", None)  # PyMC takes nutpie where it is not told
    fit = bc.fit(spec, data, sampler=sampler, **RUN)
    assert fit.shape == (RUN["chains"], RUN["draws"])
    assert fit.info["settings"]["sampler"] == sampler
    tv, sales = data.array("tv"), data.array("sales")
    draws = bc.effect(fit, bc.incremental("tv")).to_numpy() / tv.sum()
    size = float(az.ess(draws, method="bulk"))
    assert size > 150
    pull = (error * tv.max() / sales.max()) ** 2
    assert pull < 0.01
    tolerance = SIGMAS * error / np.sqrt(size) + 2 * pull * slope
    assert draws.mean() == pytest.approx(slope, abs=tolerance)
    # A normal sd has a relative error of 1 / sqrt(2 ESS), the ESS being that of the squares; the
    # posterior is a t with about 38 degrees of freedom, 3 percent wider than the error.
    spread = float(az.ess((draws - draws.mean()) ** 2, method="bulk"))
    assert spread > 150
    assert draws.std() == pytest.approx(error, rel=SIGMAS / np.sqrt(2 * spread) + 0.05)
