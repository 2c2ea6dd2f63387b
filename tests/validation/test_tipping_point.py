"""The effect by the correlation of errors: against a closed form, and against refits."""

import json

import numpy as np
import pandas as pd
import pytest

import bayescausal as bc
from bayescausal.errors import SpecError
from bayescausal.inference.fit import Fit
from bayescausal.thresholds import MIN_WEIGHTED_ESS, pareto_k_limit
from bayescausal.validation.correlated_errors import pair_name, weights_at
from bayescausal.validation.tipping_point import (
    REFITTED,
    REWEIGHTED,
    UNKNOWN,
    nearest_crossing,
    refit_at,
    tipping_point,
)

ROWS = 120
FLAT = bc.Response(strength=bc.Coefficient(bc.Prior("Normal", mu=0, sigma=50)))


def linear_world():
    """TV follows demand; both act on sales, in proportion."""
    rng = np.random.default_rng(8)
    demand = rng.normal(size=ROWS)
    tv = 0.6 * demand + rng.normal(size=ROWS)
    sales = 0.35 * tv + 0.5 * demand + rng.normal(size=ROWS)
    frame = pd.DataFrame({"demand": demand, "tv": tv, "sales": sales})
    frame["week"] = pd.date_range("2024-01-01", periods=ROWS, freq="7D")
    return bc.Dataset.from_frame(frame, time="week")


def linear_spec(text=""):
    graph = bc.Graph.parse(f"demand -> tv, sales\ntv -> sales\n{text}", outcome="sales")
    wide = bc.Prior("HalfNormal", sigma=5.0)
    return bc.Spec(
        graph,
        responses={"tv": FLAT},
        baseline=(bc.Intercept(bc.Prior("Normal", mu=0, sigma=10)),),
        noise=bc.NormalNoise(sigma=wide),
        treatments=("tv",),
        correlations={"sales<->tv": bc.Prior("TruncatedNormal", mu=0, sigma=1, lower=-1, upper=1)}
        if "<->" in text
        else {},
    )


@pytest.fixture(scope="module")
def free(shared) -> Fit:
    """The linear world with a free correlation: all that is ever sampled of it."""

    def write(path):
        spec, data = linear_spec("tv <-> sales"), linear_world()
        settings = {"draws": 1000, "tune": 300, "progress": False, "target_accept": 0.9}
        bc.fit(spec, data, seed=4, **settings).save(path)

    return bc.load(shared("free_correlation.nc", write))


def residuals(y, *columns):
    x = np.column_stack([*columns, np.ones(len(y))])
    return y - x @ np.linalg.lstsq(x, y, rcond=None)[0]


def closed_form(data, rho):
    """Coefficient and standard error under flat priors, at a correlation of errors."""
    demand, tv, sales = (data.array(v) for v in ("demand", "tv", "sales"))
    left_tv, left_sales = residuals(tv, demand), residuals(sales, demand)
    b = left_tv @ left_sales / (left_tv @ left_tv)
    tau = (left_sales - b * left_tv).std()
    slope = rho / np.sqrt(1 - rho**2) * tau / left_tv.std()
    return b - slope, tau / np.sqrt(left_tv @ left_tv)


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.2, 0.4])
def test_weights_give_the_posterior_at_a_correlation(free, rho):
    """A weighted mean has the error sd / sqrt(ESS): four of them, and 120 rows against infinity.

    The slope of the control function depends on two standard deviations that are estimated, so the
    closed form holds but for their error, a share of 1 / sqrt(2 rows) each.
    """
    found = tipping_point(free, "tv", correlations=[rho], refits=0)
    row = found.table.loc[rho]
    b, error = closed_form(free.data, rho)
    exposure = free.data.array("tv").sum()
    assert row["source"] == REWEIGHTED
    assert row["k"] < pareto_k_limit(4000)
    sd = np.hypot(error, abs(closed_form(free.data, rho)[0] - closed_form(free.data, 0.0)[0]) / 15)
    assert row["mean"] / exposure == pytest.approx(b, abs=4 * sd / np.sqrt(row["ess"]) + 0.05 * sd)
    ends = sorted([row["low"] / exposure, row["high"] / exposure])
    assert (ends[1] - ends[0]) / (2 * 1.645) == pytest.approx(sd, rel=0.25)


def test_it_turns_at_the_partial_correlation(free):
    demand, tv, sales = (free.data.array(v) for v in ("demand", "tv", "sales"))
    partial = np.corrcoef(residuals(tv, demand), residuals(sales, demand))[0, 1]
    found = tipping_point(free, "tv", refits=0)
    # A median is known to 1.25 sd / sqrt(ESS), and a change of rho by 0.01 moves it by 0.11 sd.
    assert found.sign_turns == pytest.approx(partial, abs=0.03)
    assert 0 < found.interval_reaches_zero < found.sign_turns
    least_squares = bc.sensitivity(free)
    assert least_squares.obstacles["tv"]  # the graph has the cause already: no regression tells it


def test_weights_take_draws_whose_own_correlation_is_near(free):
    """Given the rest it is known to 1 / sqrt(rows) = 0.09; its mean better than that."""
    grid = np.linspace(-0.3, 0.3, 7)
    drawn = free.theta()[pair_name("tv", "sales")]
    centers = [float(w.values @ drawn) for w in weights_at(free, pair_name("tv", "sales"), grid)]
    np.testing.assert_allclose(centers, grid, atol=0.03)


def test_where_weights_fail_there_are_no_numbers(free):
    few = Fit(free.spec, free.data, free.thinned(np.arange(30)).tree)
    found = tipping_point(few, "tv", correlations=[-0.9, 0.9], refits=0)
    for rho in (-0.9, 0.9):
        assert found.table.loc[rho, "source"] == UNKNOWN
        assert np.isnan(found.table.loc[rho, "median"])
    trusted = found.table[found.table["source"] == REWEIGHTED]
    assert (trusted["ess"] >= MIN_WEIGHTED_ESS).all()
    assert str(found.problem) == "" or "NOT CONVERGED" in found.problem


@pytest.mark.parametrize(
    ("margin", "crossing"),
    [
        ([3, 2, 1, 1, -1], 0.15),
        ([-1, 1, 3, 3, 1], -0.15),
        ([1, 1, 0.5, 1, 1], None),
        ([1, 1, -0.5, 1, 1], 0.0),
        ([np.nan, -1, 1, np.nan, -1], -0.05),
        ([1, 1, 0.0, 1, 1], 0.0),
        ([np.nan, np.nan, -1, 1, 1], 0.0),
    ],
)
def test_the_nearest_crossing(margin, crossing):
    index = [-0.2, -0.1, 0.0, 0.1, 0.2]
    found = nearest_crossing(pd.Series(margin, index=index, dtype=float))
    assert found == (crossing if crossing is None else pytest.approx(crossing))


def test_wrong_arguments_are_advised(free):
    with pytest.raises(SpecError, match=r"between -0\.95 and 0\.95; got 1"):
        tipping_point(free, "tv", correlations=[1.0])
    with pytest.raises(SpecError, match="no directed path"):
        tipping_point(free, "sales", outcome="tv")


def test_it_is_said_in_words(free):
    found = tipping_point(free, "tv", refits=0)
    zero = found.interval_reaches_zero
    assert f"reaches zero at a correlation of errors of {zero:+.2f}" in str(found)
    assert f"behind {zero:.0%} of what is left" in str(found)
    assert max(map(len, repr(found).splitlines())) <= 100
    assert found._repr_html_().count("<tr") == 1 + 1 + len(found.to_frame())
    figure = bc.plot_tipping_point(found)
    (ax,) = figure.axes
    assert ax.get_xlim() == (-0.6, 0.6)
    known = found.table["median"].dropna()
    line = next(line for line in ax.lines if len(line.get_xdata()) == len(known))
    np.testing.assert_allclose(line.get_ydata(), known)


def test_a_fit_that_has_not_converged_is_said(free):
    tree = free.tree.copy()
    state = json.loads(tree.attrs["convergence"]) | {"converged": False, "problems": ["too few"]}
    tree.attrs["convergence"] = json.dumps(state)
    with pytest.warns(bc.errors.NotConverged, match="too few"):
        found = tipping_point(Fit(free.spec, free.data, tree), "tv", refits=0)
    assert "too few" in str(found)


@pytest.mark.slow
def test_reweighting_agrees_with_refits_at_three_correlations(example_fit):
    """A median is known to 1.25 sd / sqrt(ESS) by weights, and by some 1,000 draws of a refit."""
    points = [-0.3, 0.0, 0.3]
    found = tipping_point(example_fit, "tv", correlations=points, refits=0, seed=3)
    assert (found.table["source"] == REWEIGHTED).all()
    for rho in points:
        row = found.table.loc[rho]
        refit = refit_at(example_fit, "tv", "sales", rho, seed=5)
        draws = bc.effect(refit, bc.incremental("tv")).to_numpy().ravel()
        sd = draws.std()
        error = 1.25 * sd * np.sqrt(1 / row["ess"] + 1 / 1000)
        assert row["median"] == pytest.approx(np.median(draws), abs=3.5 * error)
        for end, level in (("low", 0.05), ("high", 0.95)):
            # A 5 percent quantile has 2.1 sd / sqrt(n) in place of 1.25.
            assert row[end] == pytest.approx(np.quantile(draws, level), abs=3.5 * 1.7 * error)
    plain = bc.effect(example_fit, bc.incremental("tv")).to_numpy()
    assert found.table.loc[0.0, "median"] == pytest.approx(
        np.median(plain), abs=3.5 * 1.25 * plain.std() * np.sqrt(1 / row["ess"] + 1 / 1000)
    )


@pytest.mark.slow
def test_what_weights_do_not_reach_is_fitted_again(free):
    spec, data = linear_spec(), linear_world()
    settings = {"draws": 300, "tune": 200, "chains": 2, "progress": False}
    fit = bc.fit(spec, data, seed=4, **settings)
    found = tipping_point(fit, "tv", correlations=[0.0, 0.1, 0.9], refits=1, seed=2)
    assert found.table.loc[0.9, "source"] == REFITTED
    b, _ = closed_form(data, 0.9)
    shift = b - closed_form(data, 0.0)[0]
    got = found.table.loc[0.9, "median"] / data.array("tv").sum()
    assert got == pytest.approx(b, abs=0.2 * abs(shift))
