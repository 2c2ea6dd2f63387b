"""A check of the errors that fails is said with every number; one that holds is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayescausal as bc
from bayescausal.errors import ErrorsMisfit
from bayescausal.inference.error_check import ErrorCheck, in_words

WEEKS = 120


def lasting(phi: float, seed: int) -> np.ndarray:
    """A stationary series with first autocorrelation `phi`."""
    rng = np.random.default_rng(seed)
    out = np.zeros(WEEKS)
    for t in range(1, WEEKS):
        out[t] = phi * out[t - 1] + rng.normal()
    return out


@pytest.fixture(scope="module")
def data() -> bc.Dataset:
    tv = np.random.default_rng(3).gamma(3, 10, WEEKS)
    frame = pd.DataFrame({"week": pd.date_range("2024-01-01", periods=WEEKS, freq="7D"), "tv": tv})
    return bc.Dataset.from_frame(
        frame.assign(sales=500 + 2 * tv + 10 * lasting(0.8, 4)), time="week"
    )


@pytest.fixture(scope="module")
def fits(data) -> dict[str, bc.Fit]:
    graph, run = bc.Graph.parse("tv -> sales", outcome="sales"), {"draws": 150, "tune": 150}
    specs = {
        "independent": bc.Spec(graph, treatments=("tv",), noise=bc.NormalNoise()),
        "default": bc.Spec(graph, treatments=("tv",)),
    }
    return {
        name: bc.fit(spec, data, seed=5, chains=2, progress=False, **run)
        for name, spec in specs.items()
    }


@pytest.mark.filterwarnings("ignore::bayescausal.errors.NotConverged")
def test_errors_that_last_longer_than_the_model_has_it_are_said_with_every_number(fits):
    """An autocorrelation of 0.8 over 120 weeks is nine standard errors from none."""
    fit = fits["independent"]
    assert "last longer" in fit.misfit
    assert fit.misfit in " ".join(repr(fit).split())
    with pytest.warns(ErrorsMisfit, match="last longer"):
        table = bc.summarize(bc.effect(fit, bc.incremental("tv")))
    assert table.attrs["misfit"] == fit.misfit
    assert any("last longer" in line for line in bc.diagnose(fit).advice)


def test_memory_is_the_default_and_passes_the_check(fits):
    fit = fits["default"]
    assert isinstance(fit.spec.noise_of("sales"), bc.AR1Noise)
    assert fit.misfit == ""
    assert float(fit.tree["posterior"]["sales:phi"].mean()) == pytest.approx(0.8, abs=0.2)
    assert "misfit" not in bc.effect(fit, bc.incremental("tv")).attrs


def test_an_error_check_fails_on_either_side_and_says_which():
    simulated = np.linspace(-0.2, 0.2, 1001)
    assert not ErrorCheck(0.1, simulated).fails
    assert ErrorCheck(0.3, simulated).fails
    assert "too narrow" in in_words("sales", ErrorCheck(0.3, simulated))
    assert ErrorCheck(-0.3, simulated).fails
    assert "too wide" in in_words("sales", ErrorCheck(-0.3, simulated))
