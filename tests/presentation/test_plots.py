"""Plots: what is drawn is what the queries say, and every sheet names what it shows."""

import inspect
import threading
from dataclasses import replace

import geo_cases
import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure
from presentation_cases import unconverged

import bayescausal as bc
from bayescausal.errors import SpecError
from bayescausal.inference.evidence import Evidence
from bayescausal.presentation.plot_style import RED, encode

PLOTS = {
    name: getattr(bc, name)
    for name in (
        "plot_adstock",
        "plot_contributions",
        "plot_curves",
        "plot_diagnostics",
        "plot_fit",
        "plot_roas",
    )
}
EVERY = [name for name in bc.__all__ if name.startswith("plot_")]
ONE_PANEL = {"plot_fit", "plot_forecast", "plot_refutation", "plot_roas", "plot_tipping_point"}
OTHER = {  # what is drawn is no fit of national data
    "plot_allocation": "allocation",
    "plot_augmentation": "rows",
    "plot_calibration": "ranks",
    "plot_decomposition": "parts",
    "plot_discovery": "discovery",
    "plot_evidence": "bought",
    "plot_geo_test": "geo",
    "plot_graph_check": "graph_check",
    "plot_reconciliation": "held_out",
    "plot_refutation": "refutation",
    "plot_roas_by_unit": "panel_of_three",
    "plot_sensitivity": "robustness",
    "plot_specification_curve": "two_specs",
    "plot_tipping_point": "tipping",
}
WITH_INTERVALS = sorted(set(PLOTS) - {"plot_diagnostics"})


def head(figure):
    """The lines of a sheet's head."""
    return [text.get_text() for text in figure.texts]


def name_of(ax):
    """What a panel shows, without its grade."""
    return ax.get_title(loc="left").split(" (")[0]


def line_of(ax):
    """The median that `draw_band` draws: the first line of the axes."""
    return ax.lines[0].get_ydata()


def band_of(ax):
    """Lower and upper edge of the band, from its polygon."""
    corners = ax.collections[0].get_paths()[0].vertices
    low, high = corners[:, 1].min(), corners[:, 1].max()
    return low, high


@pytest.fixture(scope="module")
def sheets(example_fit):
    """Every plot of the shared fit with its defaults; not to be changed."""
    found = {}
    for name, plot in PLOTS.items():
        before = dict(matplotlib.rcParams)
        found[name] = plot(example_fit)
        assert dict(matplotlib.rcParams) == before, name
    return found


@pytest.fixture(scope="module")
def rows(example):
    return bc.augment(example.data, example.graph, bc.Ancestral(rows=50), seed=1)


@pytest.fixture(scope="module")
def parts(example_fit):
    return bc.decomposition(example_fit, total=True)


@pytest.fixture(scope="module")
def bought():
    """A table as `evidence` returns it."""
    columns = ("source", "sd", "precision", "share", "loss", "status")
    lines = [("prior", 2.0, 0.25, 0.25, 0.0, "identified"), ("test", 1.0, 0.75, 0.75, 0.5, "")]
    return pd.DataFrame(lines, columns=columns)


@pytest.fixture(scope="module")
def allocation(example_fit):
    return bc.optimize(example_fit, draws=50, seed=1)


@pytest.fixture(scope="module")
def graph_check(example):
    return bc.check_graph(example.data, example.spec.graph, seed=1)


@pytest.fixture(scope="module")
def robustness(example_fit):
    return bc.sensitivity(example_fit)


@pytest.fixture(scope="module")
def two_specs():
    """Tables as `specification_curve` returns them: refits take too long here."""
    names = [("as fitted", "tv"), ("other", "tv")]
    index = pd.MultiIndex.from_tuples(names, names=["spec", "effect"])
    numbers = {"median": [7.0, 6.0], "low": [5.0, 4.0], "high": [9.0, 8.0], "per_spend": [1.2, 1.1]}
    table = pd.DataFrame(numbers | {"rank": 1, "elpd": [-9.0, -8.0], "converged": True}, index)
    shares = {"sign": 1.0, "clear": 1.0, "rank": 1.0, "lowest": 6.0, "highest": 7.0}
    agreement = pd.DataFrame(shares, pd.Index(["tv"], name="effect"))
    return bc.SpecificationCurve(table, agreement, (), {}, 0.9)


@pytest.fixture(scope="module")
def refutation():
    """A table as `refute` returns it."""
    columns = {"world": ["a", "b", "c"], "median": [1.0, -1.0, 9.0], "sd": 1.0, "truth": 0.0}
    columns |= {"low": [-0.6, -2.6, 8.0], "high": [2.6, 0.6, 10.0], "z": [1.0, -1.0, 9.0]}
    table = pd.DataFrame(columns | {"seconds": 1.0, "problem": ["", "", "no draws"]})
    reference = pd.Series({"median": 7.0, "sd": 1.0, "low": 5.4, "high": 8.6})
    verdict = ("pass", "It stands out.", 0.25, "two-sided", None)
    return bc.Refutation(bc.PlaceboShift(), "tv", "sales", *verdict, table, reference, 0.9)


@pytest.fixture(scope="module")
def ranks():
    """Ranks of two quantities among 49 draws, as `calibrate` returns them."""
    status = pd.DataFrame({"status": ["converged"] * 60, "problem": "", "redrawn": 0})
    values = np.random.default_rng(5).integers(0, 50, (60, 2))
    coords = {"simulation": np.arange(60), "quantity": ["a", "b"]}
    array = xr.DataArray(values, dims=("simulation", "quantity"), coords=coords)
    return bc.Calibration(array, 49, status, 0.05)


@pytest.fixture(scope="module")
def discovery(example):
    return bc.discover(example.data, bc.Experts(example.spec.graph), resamples=0, seed=1)


@pytest.fixture(scope="module")
def tipping():
    """A table as `tipping_point` returns it."""
    index = pd.Index([-0.1, 0.0, 0.1], name="correlation")
    columns = {"median": [9.0, 7.0, 2.0], "low": [6.0, 4.0, -1.0], "high": [12.0, 10.0, 5.0]}
    table = pd.DataFrame(columns | {"p_break_even": np.nan, "source": "reweighted"}, index=index)
    return bc.TippingPoint("tv", "sales", table, 0.9)


@pytest.fixture(scope="module")
def geo():
    sales = geo_cases.panel(np.random.default_rng(1), 3, 12)
    frame, units = geo_cases.as_frame(sales), ["g00", "g01", "g02"]
    names = {"time": "week", "unit": "geo", "outcome": "sales"}
    question = bc.Estimand(control={"tv": 0})
    return bc.geo_test(frame, units, geo_cases.WINDOW, estimand=question, seed=1, **names)


@pytest.fixture(scope="module")
def held_out(example_fit):
    weeks = example_fit.data.training
    question = bc.incremental("tv").during(weeks[100], weeks[105])
    return bc.reconcile(example_fit, [bc.Experiment(question, 90.0, 20.0, "geo-rct")])


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_a_figure_and_leaves_the_style_of_the_user_alone(sheets, name):
    """The style is looked at where the sheets are drawn."""
    assert isinstance(sheets[name], Figure)


def plot_of(name):
    """A public plot of one argument: a forecast is drawn of four periods like the last one."""
    if name != "plot_forecast":
        return getattr(bc, name)

    def plot(fit, **more):
        return bc.plot_forecast(fit, bc.Future.like(fit.data, 4, fill="last"), **more)

    return plot


@pytest.mark.parametrize("name", EVERY)
def test_a_public_plot_returns_its_figure_and_draws_one_panel_where_it_is_told(request, name):
    plot, fixture = plot_of(name), OTHER.get(name, "example_fit")
    subject = request.getfixturevalue(fixture)
    figure = plot(subject)
    assert isinstance(figure, Figure)
    assert figure.canvas.manager is None  # pyplot does not know of it
    public = getattr(bc, name)
    assert "Returns\n-------\nmatplotlib.figure.Figure" in inspect.getdoc(public)
    takes = "ax" in inspect.signature(public).parameters
    assert takes == (name in ONE_PANEL)
    if takes:
        assert len(figure.axes) == 1
        mine = Figure()
        left, right = mine.subplots(1, 2)
        assert plot(subject, ax=right) is mine
        assert mine.axes == [left, right]
        assert not left.lines
        assert len(right.lines) == len(figure.axes[0].lines)
        assert right.get_title(loc="left") in head(figure)


@pytest.mark.parametrize("name", sorted(ONE_PANEL - {"plot_refutation", "plot_tipping_point"}))
def test_a_panel_of_the_user_says_that_a_fit_has_not_converged(panel_of_three, name):
    ax = Figure().subplots()
    plot_of(name)(unconverged(panel_of_three), ax=ax)
    assert "NOT CONVERGED" in ax.get_title(loc="left")
    assert "sum over 3 units" in ax.get_title(loc="left") or name == "plot_roas"


def test_no_plot_needs_pyplot(example_fit):
    figures = []
    worker = threading.Thread(target=lambda: figures.append(bc.plot_roas(example_fit)))
    worker.start()  # pyplot would warn, or fail, outside the main thread
    worker.join()
    assert figures[0].canvas.manager is None


@pytest.mark.parametrize("name", PLOTS)
def test_a_converged_fit_says_nothing_of_convergence(example_fit, sheets, name):
    assert example_fit.convergence.converged
    assert not any("CONVERGED" in line for line in head(sheets[name]))


@pytest.mark.parametrize("name", PLOTS)
def test_a_fit_that_has_not_converged_says_so_in_red(example_fit, name):
    figure = PLOTS[name](unconverged(example_fit))
    (line,) = [text for text in figure.texts if "NOT CONVERGED" in text.get_text()]
    assert line.get_color() == RED
    assert "R-hat of tv is 1.500" in line.get_text()
    assert line.get_visible()


@pytest.mark.parametrize("name", WITH_INTERVALS)
def test_the_head_names_the_interval_that_is_drawn(example_fit, sheets, name):
    assert "50%" in " ".join(head(PLOTS[name](example_fit, prob=0.5)))
    assert "90%" in " ".join(head(sheets[name]))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("plot_fit", "posterior predictive"),
        ("plot_contributions", "minus sales with the channel at zero"),
        ("plot_roas", "incremental sales per unit of the channel's own spend"),
        ("plot_curves", "Steady response along one edge"),
        ("plot_adstock", "Share of the adstocked exposure"),
        ("plot_diagnostics", "R-hat"),
    ],
)
def test_the_head_names_the_estimand(sheets, name, says):
    assert says in " ".join(head(sheets[name]))


@pytest.mark.slow
def test_the_fit_is_drawn_from_the_observed_data_and_its_replicas(example_fit, example):
    figure = bc.plot_fit(example_fit, prob=0.8)
    (ax,) = figure.axes
    dots = next(line for line in ax.lines if line.get_linestyle() == "None")
    np.testing.assert_allclose(dots.get_ydata(), example.frame["sales"])
    drawn = example_fit.tree["posterior_predictive"]["sales"]
    table = bc.summarize(drawn, 0.8)
    np.testing.assert_allclose(line_of(ax), table["median"])
    np.testing.assert_allclose(band_of(ax), (table["low"].min(), table["high"].max()))
    observed = example.frame["sales"].to_numpy()
    inside = int(((observed >= table["low"]) & (observed <= table["high"])).sum())
    assert f"{inside} of 156 dots" in " ".join(head(figure))


def test_a_mediator_has_a_fit_too_and_an_input_has_none(example_fit, example):
    figure = bc.plot_fit(example_fit, "search")
    dots = next(line for line in figure.axes[0].lines if line.get_linestyle() == "None")
    np.testing.assert_allclose(dots.get_ydata(), example.frame["search"])
    with pytest.raises(SpecError, match="'price' has no equation"):
        bc.plot_fit(example_fit, "price")


@pytest.mark.slow
def test_contributions_are_those_of_the_query(example_fit):
    figure = bc.plot_contributions(example_fit, ["tv", "social"])
    table = bc.summarize(bc.contributions(example_fit, ["tv", "social"]))
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["tv (E)", "social (E)"]
    for ax in figure.axes:
        own = table.loc[name_of(ax)]
        np.testing.assert_allclose(line_of(ax), own["median"])
        np.testing.assert_allclose(band_of(ax), (own["low"].min(), own["high"].max()))
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


def test_contributions_show_paid_mediators_unless_channels_are_named(example_fit, sheets):
    titles = [ax.get_title(loc="left") for ax in sheets["plot_contributions"].axes]
    assert titles == ["search (F)", "social (E)", "tv (E)"]
    assert len(bc.plot_contributions(example_fit, "tv").axes) == 1


@pytest.mark.slow
def test_the_forest_shows_the_numbers_of_roas_and_mroas_by_size(example_fit):
    (ax,) = bc.plot_roas(example_fit, prob=0.8).axes
    table = bc.summarize(bc.roas(example_fit), 0.8).sort_values("median", ascending=False)
    names = [f"{channel} ({grade})" for channel, grade in table["grade"].items()]
    assert [label.get_text() for label in ax.get_yticklabels()] == names
    written = [text.get_text() for text in ax.texts]
    for query in (bc.roas, bc.mroas):
        for line in bc.summarize(query(example_fit), 0.8).itertuples():
            assert f"{line.median:.2f}  [{line.low:.2f}, {line.high:.2f}]" in written
    dashed = ax.lines[0]
    assert list(dashed.get_xdata()) == [1, 1]
    assert dashed.is_dashed()


@pytest.mark.slow
def test_curves_are_shaded_beyond_the_largest_exposure_and_nowhere_else(
    example_fit, sheets, example
):
    figure = sheets["plot_curves"]
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert sorted(titles) == ["social → sales (F)", "tv → sales (F)", "tv → search (F)"]
    for ax in figure.axes:
        source = name_of(ax).split(" → ")[0]
        edge = name_of(ax).replace(" → ", "->")
        (shade,) = ax.patches
        assert shade.get_x() == pytest.approx(example.frame[source].max())
        assert shade.get_x() + shade.get_width() == pytest.approx(ax.get_xlim()[1])
        draws = bc.response_curve(example_fit, edge)
        np.testing.assert_allclose(line_of(ax), bc.summarize(draws)["median"])


@pytest.mark.slow
def test_adstock_shares_are_those_of_the_query_and_none_is_cut_off(example_fit, sheets):
    for ax in sheets["plot_adstock"].axes:
        edge = name_of(ax).replace(" → ", "->")
        table = bc.summarize(bc.adstock_curve(example_fit, edge))
        np.testing.assert_allclose(line_of(ax), table["median"])
        assert ax.get_ylim()[0] == 0
        assert ax.get_ylim()[1] >= table["high"].max()


def test_a_fit_without_adstock_says_so(panel_of_three):
    with pytest.raises(SpecError, match=r"no edge .* adstock|No edge"):
        bc.plot_adstock(panel_of_three)


@pytest.mark.slow
def test_diagnostics_show_every_effect_and_the_worst_parameter(example_fit, sheets):
    figure = sheets["plot_diagnostics"]
    left, right = figure.axes[:2]
    names = [label.get_text() for label in left.get_yticklabels()]
    found = bc.diagnose(example_fit)
    assert {"effect of tv", "effect of social"} <= {*names}
    assert found.parameters.index[0] in names
    at = {name: x for name, (x, _) in zip(names, left.collections[0].get_offsets(), strict=True)}
    assert at["effect of tv"] == pytest.approx(found.effects.loc["tv", "r_hat"])
    bulk = {n: x for n, (x, _) in zip(names, right.collections[0].get_offsets(), strict=True)}
    assert bulk["effect of tv"] == pytest.approx(found.effects.loc["tv", "ess_bulk"])


@pytest.mark.slow
def test_ranks_count_every_draw_once(example_fit, sheets):
    chains, draws = example_fit.shape
    for ax in sheets["plot_diagnostics"].axes[2:]:
        counts = [stairs.get_data().values for stairs in ax.patches if hasattr(stairs, "get_data")]
        assert [c.sum() for c in counts] == [draws] * chains
        np.testing.assert_allclose(np.sum(counts, axis=0), chains * draws / len(counts[0]), atol=1)


@pytest.mark.slow
def test_ranks_of_chains_that_disagree_leave_the_band(example_fit):
    tree = example_fit.tree.copy()
    moved = tree["posterior"].to_dataset()
    shift = np.where(np.arange(moved.sizes["chain"]) == 0, 3.0, 1.0)[:, None]
    moved["tv->sales"] = moved["tv->sales"] * shift
    tree["posterior"] = moved
    figure = bc.plot_diagnostics(replace(example_fit, tree=tree))
    ax = next(ax for ax in figure.axes if ax.get_title(loc="left") == "ranks: effect of tv")
    first, *others = [s.get_data().values for s in ax.patches if hasattr(s, "get_data")]
    assert first[-1] > 3 * np.mean([o[-1] for o in others])


@pytest.mark.slow
def test_a_small_panel_is_shown_unit_by_unit(panel_of_three):
    axes = bc.plot_fit(panel_of_three).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["market 0", "market 1", "market 2"]
    dots = next(line for line in axes[1].lines if line.get_linestyle() == "None")
    np.testing.assert_allclose(dots.get_ydata(), panel_of_three.data.array("sales")[1])


@pytest.mark.slow
def test_a_large_panel_is_shown_as_its_sum(panel_of_seven):
    figure = bc.plot_fit(panel_of_seven)
    (ax,) = figure.axes
    dots = next(line for line in ax.lines if line.get_linestyle() == "None")
    np.testing.assert_allclose(dots.get_ydata(), panel_of_seven.data.array("sales").sum(axis=0))
    drawn = panel_of_seven.tree["posterior_predictive"]["sales"].sum("unit")
    np.testing.assert_allclose(line_of(ax), bc.summarize(drawn)["median"])
    assert "sum over 7 units" in head(figure)[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:NOT CONVERGED")
def test_contributions_of_a_panel_are_summed_before_they_are_reduced(panel_of_three):
    (ax,) = bc.plot_contributions(panel_of_three).axes
    draws = bc.contributions(panel_of_three).sum("unit").isel(channel=0)
    table = bc.summarize(draws)
    np.testing.assert_allclose(line_of(ax), table["median"])
    np.testing.assert_allclose(band_of(ax), (table["low"].min(), table["high"].max()))


@pytest.mark.parametrize("name", sorted(set(PLOTS) - {"plot_adstock"}))
def test_plots_do_not_warn_of_what_they_show(panel_of_three, name, recwarn):
    figure = PLOTS[name](panel_of_three)
    assert not panel_of_three.convergence.converged
    assert "NOT CONVERGED" in " ".join(head(figure))
    assert not [w for w in recwarn if "CONVERGED" in str(w.message)]


def test_names_are_not_read_as_formulas(oddly_named):
    for name in ("plot_roas", "plot_fit", "plot_curves", "plot_diagnostics"):
        figure = PLOTS[name](oddly_named)
        assert encode(figure).startswith("data:image/svg+xml;base64,")  # mathtext would raise
        texts = [t for t in figure.findobj(matplotlib.text.Text) if "$" in t.get_text()]
        assert texts
        assert not any(t.get_parse_math() for t in texts)


@pytest.mark.slow
def test_a_figure_is_encoded_the_same_way_twice(example_fit):
    first, second = (encode(bc.plot_roas(example_fit)) for _ in range(2))
    assert first == second


@pytest.mark.slow
def test_a_heavy_figure_becomes_a_picture_of_pixels():
    figure = Figure()
    rng = np.random.default_rng(1)
    figure.subplots().scatter(*rng.normal(size=(2, 5_000)), c=rng.random(5_000))
    assert encode(figure).startswith("data:image/png;base64,")


@pytest.mark.slow
def test_axes_of_dates_cover_the_data(example_fit, sheets):
    (ax,) = sheets["plot_fit"].axes
    low, high = matplotlib.dates.num2date(ax.get_xlim())
    times = example_fit.data.training.tz_localize("UTC")
    assert low <= times[0] < times[-1] <= high


def test_bands_that_are_not_identified_are_hatched_and_say_so(confounded):
    for figure, known, unknown in (
        (bc.plot_contributions(confounded), "tv (F)", "visits (X): not identified"),
        (bc.plot_curves(confounded), "tv → visits (F)", "tv → sales (X): not identified"),
    ):
        bands = {ax.get_title(loc="left"): ax.collections[0] for ax in figure.axes}
        assert {*bands} == {known, unknown}
        assert bands[unknown].get_hatch()
        assert not bands[known].get_hatch()
        dashed = {ax.get_title(loc="left"): ax.lines[0].is_dashed() for ax in figure.axes}
        assert dashed == {known: False, unknown: True}
        assert "X is not identified" in " ".join(head(figure))


def test_returns_that_are_not_identified_are_open_and_say_so(confounded):
    (ax,) = bc.plot_roas(confounded).axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert sorted(labels) == ["tv (F)", "visits (X):\nnot identified"]
    row = labels.index("visits (X):\nnot identified")
    dots = [line for line in ax.lines if len(line.get_ydata()) == 1]
    assert len(dots) == 4
    for dot in dots:
        unknown = abs(dot.get_ydata()[0] - row) < 0.5
        assert (dot.get_markerfacecolor() == "white") == unknown


def test_the_grade_of_an_edge_follows_the_graph_and_the_tests(example_fit):
    def graded(claim, tests=()):
        graph = bc.Graph.parse(f"{example_fit.spec.graph}\n{claim}")
        spec = replace(example_fit.spec, graph=graph, experiments=tests)
        fit = replace(example_fit, spec=spec)
        return {str(edge): fit.evidence.edge_letter(edge) for edge in fit.spec.mechanisms}

    assert {*graded("tv -> search").values()} == {"F"}
    confounded = graded("social <-> sales")
    assert {edge for edge, letter in confounded.items() if letter == "X"} == {"social->sales"}
    assert graded("social <-> sales", example_fit.spec.experiments)["social->sales"] == "E"
    assert graded("sales -> sales @ 1")["sales->sales@1"] == "X"


def test_carry_over_that_is_not_identified_says_so(example_fit, monkeypatch):
    letters = {"tv": "F", "social": "X"}
    monkeypatch.setattr(Evidence, "edge_letter", lambda self, edge: letters[edge.source])
    axes = {ax.get_title(loc="left"): ax for ax in bc.plot_adstock(example_fit).axes}
    assert {*axes} == {"social → sales (X): not identified", "tv → sales (F)", "tv → search (F)"}
    for title, ax in axes.items():
        assert (ax.lines[0].get_markerfacecolor() == "white") == ("(X)" in title)


def test_jupyter_shows_a_figure_without_pyplot(example_fit):
    assert bc.plot_roas(example_fit)._repr_png_().startswith(b"\x89PNG")


def test_axes_without_a_figure_are_refused(example_fit):
    ax = Figure().subplots()
    ax.remove()
    with pytest.raises(SpecError, match="belong to a figure"):
        bc.plot_roas(example_fit, ax=ax)
