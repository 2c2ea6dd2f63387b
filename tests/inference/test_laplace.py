"""Drafts: right where the posterior is known, flagged where they fail, and labeled everywhere."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayescausal as bc
from bayescausal import load
from bayescausal.errors import NotConverged, SpecError
from bayescausal.inference.compile import laplace as mode_and_scale
from bayescausal.inference.convergence import assess_draft
from bayescausal.inference.laplace import draft
from bayescausal.inference.nuts import Coordinates
from bayescausal.inference.settings import Settings
from bayescausal.validation.diagnostics import diagnose

WEEKS, NOISE = 60, 20.0
# A false alarm once in 15,000, if the Monte-Carlo error is as the effective number says.
SIGMAS = 4.0


@pytest.fixture(scope="module")
def line():
    """A straight line with noise: its data, and least squares' slope and its error."""
    rng = np.random.default_rng(9)
    tv = rng.gamma(3.0, 10.0, WEEKS)
    sales = 500 + 3 * tv + rng.normal(0, NOISE, WEEKS)
    frame = pd.DataFrame({"week": pd.date_range("2025-01-06", periods=WEEKS, freq="7D"), "tv": tv})
    data = bc.Dataset.from_frame(frame.assign(sales=sales), time="week", spend=["tv"])
    centered = tv - tv.mean()
    slope = centered @ sales / (centered @ centered)
    left = sales - sales.mean() - slope * centered
    return data, slope, np.sqrt(left @ left / (WEEKS - 2) / (centered @ centered))


@pytest.fixture(scope="module")
def first_look(line):
    graph = bc.Graph.parse("tv -> sales", outcome="sales")
    spec = bc.Spec(graph, treatments=("tv",), noise=bc.NormalNoise())
    return bc.fit(spec, line[0], method="laplace", seed=3, progress=False)


def unreliable(fit):
    """The same draft with weights that cannot be trusted."""
    run = fit.info["run"] | {"pareto_k": 1.3, "weighted_ess": 12.0}
    tree = fit.tree.copy()
    state = json.dumps(assess_draft(run).__dict__)
    tree.attrs = {**fit.tree.attrs, "convergence": state}
    return replace(fit, tree=tree)


def test_the_slope_of_a_draft_is_that_of_least_squares(line, first_look):
    """Mean and sd of the draws, up to Monte-Carlo error and the prior's pull.

    The coefficient has a Normal(0, 1) prior in units of ``max(sales) / max(tv)``, which pulls by
    the square of the error in those units; the posterior is a t of 58 degrees of freedom, 2 percent
    wider than the error of least squares.
    """
    data, slope, error = line
    state = first_look.convergence
    assert state.converged
    assert state.is_draft
    assert state.pareto_k < 0.5
    tv, sales = data.array("tv"), data.array("sales")
    draws = bc.effect(first_look, "tv").to_numpy() / tv.sum()
    assert draws.shape == first_look.shape == (4, 500)
    size = min(state.weighted_ess, draws.size)
    assert size > 400
    pull = (error * tv.max() / sales.max()) ** 2
    tolerance = SIGMAS * error / np.sqrt(size) + 2 * pull * slope
    assert draws.mean() == pytest.approx(slope, abs=tolerance)
    assert draws.std() == pytest.approx(error, rel=SIGMAS / np.sqrt(2 * size) + 0.02)


def test_weights_make_a_normal_of_any_coordinates():
    """Draws about a center and of a scale that are wrong have the moments of the target."""
    rng = np.random.default_rng(1)
    root = np.tril(rng.normal(size=(5, 5)) / 2) + np.eye(5)
    target = stats.multivariate_normal(np.arange(5.0), root @ root.T)
    wrong = Coordinates(np.full(5, 1.5), 1.7 * np.eye(5))
    result = draft(target.logpdf, wrong, Settings(draws=1000), seed=2)
    assert result.weights.trusted
    draws = result.draws.reshape(-1, 5)
    z = np.linalg.solve(root, (draws - np.arange(5.0)).T).T
    size = min(len(draws), result.weights.ess)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=SIGMAS / np.sqrt(size))
    np.testing.assert_allclose(z.std(axis=0), 1, atol=SIGMAS / np.sqrt(2 * size))
    np.testing.assert_allclose(result.lp.ravel(), target.logpdf(draws))


def test_a_funnel_is_flagged():
    """Neal's funnel: its mode is deep in the neck, where hardly any of its mass is."""

    def density(x):
        log_sd = x[..., 0]
        width = np.exp(log_sd / 2)[..., None]
        return stats.norm.logpdf(log_sd, 0, 3) + stats.norm.logpdf(x[..., 1:], 0, width).sum(-1)

    def evaluate(x):
        squares = (x[1:] ** 2).sum() * np.exp(-x[0])
        slope = np.r_[-x[0] / 9 - 4.5 + squares / 2, -x[1:] * np.exp(-x[0])]
        return float(density(x)), slope

    coordinates = Coordinates(*mode_and_scale(evaluate, np.zeros(10)))
    weights = draft(density, coordinates, Settings(), seed=1).weights
    assert weights.k > 0.7
    assert not weights.trusted


LABEL = "DRAFT: approximation by the curvature at the mode (method='laplace'), Pareto k"


def test_it_is_labeled_where_numbers_are(first_look):
    assert LABEL in " ".join(repr(first_look).split())
    assert "DRAFT: approximation" in first_look._repr_html_()
    effect = bc.effect(first_look, "tv")
    assert effect.attrs["posterior"].startswith(LABEL)
    table = bc.summarize(effect)
    assert table.columns.name == "DRAFT"
    assert table.attrs["posterior"].startswith(LABEL)
    assert bc.effects_table(first_look).columns.name == "DRAFT"
    sheet = " ".join(text.get_text() for text in bc.plot_fit(first_look).texts)
    assert LABEL in sheet
    (row,) = [r for r in bc.check(first_look, budget=0).rows if r.name == "convergence"]
    assert row.status == "look"
    assert row.sentence.startswith(LABEL)


def test_the_first_screen_of_its_report_says_so_and_no_chains_are_shown(
    first_look, tmp_path, recwarn
):
    page = bc.report(first_look, tmp_path / "draft.html").read_text()
    body = page.split("<body>")[1]
    first_screen = body[: body.index('id="origin"')]
    assert "DRAFT: approximation" in first_screen
    assert "draft, not by NUTS" in first_screen
    assert "Only a draft, to be fitted with NUTS before it is acted on" in first_screen
    assert '<th scope="col" class="n">R-hat</th>' not in page
    assert not [w for w in recwarn if issubclass(w.category, NotConverged)]


def test_what_needs_chains_says_so(first_look):
    page = str(diagnose(first_look))
    assert "r_hat" not in page
    assert "R-hat, ESS and plots of chains would say nothing here" in page
    with pytest.raises(SpecError, match="a draft has none"):
        bc.plot_diagnostics(first_look)


def test_one_that_cannot_be_trusted_is_treated_as_not_converged(first_look, tmp_path):
    bad = unreliable(first_look)
    assert not bad.convergence.converged
    assert str(bad.convergence).startswith("NOT CONVERGED: the approximation by the curvature")
    assert "Pareto k of its weights is 1.30" in str(bad.convergence)
    with pytest.warns(NotConverged, match="not to be trusted"):
        table = bc.summarize(bc.effect(bad, "tv"))
    assert table.columns.name == "NOT CONVERGED"
    with pytest.warns(NotConverged):
        page = bc.report(bad, tmp_path / "bad.html").read_text()
    assert "Nothing is recommended yet" in page
    rows = [r for r in bc.check(bad, budget=0).rows if r.status == "not run"]
    assert any("fit with method='nuts'" in row.sentence for row in rows)


def test_files_and_refits_keep_it(first_look, tmp_path):
    loaded = load(first_look.save(tmp_path / "draft.nc"))
    assert str(loaded.convergence) == str(first_look.convergence)
    assert loaded.info["settings"]["method"] == "laplace"
    again = bc.refit(loaded, seed=3)
    assert again.convergence.is_draft
    np.testing.assert_array_equal(
        again.tree["posterior"]["tv->sales"], first_look.tree["posterior"]["tv->sales"]
    )
    before_methods = {k: v for k, v in first_look.info["settings"].items() if k != "method"}
    assert Settings.from_dict(before_methods).method == "nuts"
