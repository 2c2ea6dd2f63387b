"""Diagnostics of augmented rows: each number by its definition, each fault named in words."""

import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import bayescausal as bc
from bayescausal.augmentation.advice import remarks
from bayescausal.augmentation.diagnostics import diagnose_augmentation, effective_donors
from bayescausal.augmentation.donors import ParentValues
from bayescausal.augmentation.slopes import compare_slopes
from bayescausal.errors import EmptyAugmentation
from bayescausal.presentation.augmentation_plots import plot_augmentation

GRAPH = bc.Graph.parse("""
    demand -> tv, sales
    tv -> search, sales
    search, promo, radio -> sales
""")


def frame(rows=104, seed=0):
    rng = np.random.default_rng(seed)
    demand, radio = rng.normal(size=(2, rows))
    tv = 0.8 * demand + 0.6 * rng.normal(size=rows)
    search = 0.6 * tv + 0.7 * rng.normal(size=rows)
    promo = rng.random(rows) < 0.3
    sales = tv + 0.6 * search + 0.8 * promo + 0.5 * demand + 0.4 * radio
    sales += 0.5 * rng.normal(size=rows)
    return pd.DataFrame(
        {
            "demand": demand,
            "tv": tv,
            "search": search,
            "promo": promo,
            "radio": radio,
            "sales": sales,
        }
    )


def augmented(conditional=None, **settings):
    return bc.augment(frame(), GRAPH, conditional=conditional, seed=1, **settings)


@pytest.fixture(scope="module")
def smooth():
    rows = augmented(bc.NadarayaWatson("scott"))
    return rows, diagnose_augmentation(rows)


@pytest.fixture(scope="module")
def residual():
    rows = augmented()
    return rows, diagnose_augmentation(rows)


def test_attenuation_is_the_ratio_of_two_regressions(smooth):
    rows, diagnosis = smooth
    augmented_frame, observed_frame = rows.to_frame(), frame()
    names = ["demand", "radio", "search", "tv"]

    def slopes(table):
        design = np.column_stack([np.ones(len(table)), table[names], table["promo"]]).astype(float)
        return np.linalg.lstsq(design, table["sales"].to_numpy(), rcond=None)[0][1:]

    table = diagnosis.edges.loc["sales"].loc[[*names, "promo=True"]]
    np.testing.assert_allclose(table["observed"], slopes(observed_frame), rtol=1e-8)
    np.testing.assert_allclose(table["augmented"], slopes(augmented_frame), rtol=1e-8)
    np.testing.assert_allclose(
        table["ratio"], slopes(augmented_frame) / slopes(observed_frame), rtol=1e-8
    )
    tv = observed_frame["tv"].to_numpy()
    slope, residuals, *_ = np.polyfit(tv, observed_frame["search"], 1, full=True)
    error = np.sqrt(residuals[0] / 102 / ((tv - tv.mean()) ** 2).sum())
    assert diagnosis.edges.loc[("search", "tv"), "std_error"] == pytest.approx(error)
    assert diagnosis.edges.loc[("search", "tv"), "observed"] == pytest.approx(slope[0])
    assert diagnosis.nodes.loc["search", "slope"] == pytest.approx(
        diagnosis.edges.loc[("search", "tv"), "ratio"]
    )


def test_the_error_of_a_slope_ratio_is_its_spread_over_seeds():
    conditional, nodes = bc.NadarayaWatson(), []
    for seed in range(40):
        rows = bc.augment(
            frame(), "tv -> search", conditional=conditional, method=bc.Ancestral(300), seed=seed
        )
        nodes.append(diagnose_augmentation(rows).nodes.loc["search"])
    spread = np.std([node["slope"] for node in nodes], ddof=1)
    # Latin hypercubes vary less than independent draws would, never by much more; the spread of
    # 40 values has itself an error of 11 percent
    assert 0.4 < spread / np.mean([node["slope_error"] for node in nodes]) < 1.35


def test_the_error_of_few_rows_is_not_taken_for_a_curve(residual):
    _, diagnosis = residual
    bent = diagnosis.nodes.assign(slope=1.2, slope_error=0.08)
    assert remarks(diagnosis.rows, bent, diagnosis.support, ()) == list(diagnosis.advice)
    advice = remarks(diagnosis.rows, bent.assign(slope_error=0.01), diagnosis.support, ())
    assert "+20%" in advice[0]


def test_weights_enter_the_regression(smooth):
    rows, _ = smooth
    rng = np.random.default_rng(0)
    count = rng.integers(0, 4, len(rows))
    weighted = replace(rows, weights=count / count.sum())
    indices = np.repeat(rows.indices, count, axis=0)
    repeated = replace(rows, indices=indices, weights=np.full(len(indices), 1 / len(indices)))
    weighted_slopes, repeated_slopes = compare_slopes(weighted)[0], compare_slopes(repeated)[0]
    np.testing.assert_allclose(
        weighted_slopes["augmented"], repeated_slopes["augmented"], rtol=1e-8
    )
    assert diagnose_augmentation(weighted).rows["copies"] == pytest.approx(
        diagnose_augmentation(repeated).rows["copies"]
    )


def test_kernels_are_told_to_attenuate_and_residuals_are_not(smooth, residual):
    (_, kernel), (_, bootstrap) = smooth, residual
    assert (kernel.nodes["slope"] < 0.92).all()
    advice = next(line for line in kernel.advice if "attenuates" in line)
    assert "ResidualBootstrap()}, which follows curves and products" in advice
    assert abs(bootstrap.nodes["slope"] - 1).max() < 0.03
    assert not any("attenuates" in line for line in bootstrap.advice)
    assert bootstrap.nodes["estimator"].unique().tolist() == ["Residual"]


def test_effective_donors_are_one_over_the_sum_of_squares(smooth):
    rows, diagnosis = smooth
    fitted = rows.plan.donors["search"]
    all_rows = np.arange(rows.plan.rows)
    p = fitted.probabilities([ParentValues(fitted.parents[0].values, all_rows)])
    by_hand = 1 / (p**2).sum(axis=1)
    np.testing.assert_allclose(
        effective_donors(fitted, [ParentValues(fitted.parents[0].values, all_rows)]),
        by_hand,
        rtol=1e-12,
    )
    assert diagnosis.nodes.loc["search", "donors_observed"] == pytest.approx(np.median(by_hand))
    assert (diagnosis.donors["search"] >= 1).all()
    assert diagnosis.nodes.loc["sales", "alone"] == pytest.approx(
        (diagnosis.donors["sales"] < 2).mean()
    )


def test_residual_donors_are_judged_by_rows_with_like_causes(residual):
    rows, diagnosis = residual
    assert rows.plan.donors["sales"].alike
    assert np.median(diagnosis.donors["sales"]) < 10 < rows.plan.rows


def test_copies_are_rows_whose_values_were_observed_together():
    data = pd.DataFrame({"a": [0.0, 0, 1, 1, 2, 3], "b": [5.0, 5, 6, 6, 7, 8]})
    rows = bc.augment(
        data, bc.Graph.parse("a -> b"), conditional=bc.KNearest(1), method=bc.Ancestral(4), seed=0
    )
    columns = {name: rows.order.index(name) for name in "ab"}
    indices = np.empty((4, 2), np.int32)
    indices[:, columns["a"]] = [0, 1, 3, 4]
    indices[:, columns["b"]] = [0, 0, 2, 5]  # the last is new
    rows = replace(rows, indices=indices, weights=np.array([0.1, 0.2, 0.3, 0.4]))
    diagnosis = diagnose_augmentation(rows).rows
    assert diagnosis["copies"] == pytest.approx(0.6)
    assert diagnosis["distinct"] == pytest.approx(3 / 4)  # (0, 0) and (1, 0) are the same values


def test_a_small_temperature_copies_rows_and_is_told():
    graph = bc.Graph.parse("demand -> tv -> sales")
    conditional = bc.NadarayaWatson("scott", temperature=0.001)
    rows = bc.augment(frame(), graph, conditional=conditional, method=bc.Ancestral(500), seed=0)
    diagnosis = diagnose_augmentation(rows)
    assert diagnosis.rows["copies"] > 0.95
    assert any("copies of observed rows" in line for line in diagnosis.advice)
    assert diagnosis.support["95%"] == pytest.approx(0, abs=1e-9)


def test_distance_is_in_units_of_the_distance_between_observed_neighbors():
    data = pd.DataFrame({"a": np.arange(8.0), "b": 10 * np.arange(8.0)})  # on a line, evenly
    graph = bc.Graph.parse("a\nb")  # said to be independent, which they are not
    diagnosis = diagnose_augmentation(bc.augment(data, graph, bc.Ancestral(4000), seed=0))
    assert diagnosis.distances["observed"] == pytest.approx(1)
    # a new row (i, j) is min over k of sqrt((i - k)^2 + (j - k)^2) / sqrt(2) away
    i, j, k = np.ogrid[:8, :8, :8]
    exact = np.sqrt(((i - k) ** 2 + (j - k) ** 2) / 2).min(axis=2)
    assert diagnosis.support["beyond"] == pytest.approx((exact > 1).mean(), abs=0.03)
    assert diagnosis.support["95%"] == pytest.approx(np.quantile(exact, 0.95), abs=0.5)
    assert any("never occurred together" in line for line in diagnosis.advice)
    assert diagnosis.edges.empty
    assert diagnosis.nodes.empty


def test_causes_that_were_planned_together_are_told():
    rng = np.random.default_rng(0)
    plan = rng.normal(size=80)
    data = pd.DataFrame({f"x{k}": plan + 0.1 * rng.normal(size=80) for k in range(3)})
    data["y"] = data.sum(axis=1) + rng.normal(size=80)
    independent = bc.Graph.parse("x0, x1, x2 -> y")
    diagnosis = diagnose_augmentation(bc.augment(data, independent, bc.Ancestral(1000), seed=0))
    assert diagnosis.support["beyond"] > 0.5
    assert any("planned together" in line for line in diagnosis.advice)
    shared = bc.Graph.parse("x0, x1, x2 -> y\nx0 <-> x1 <-> x2 <-> x0")
    diagnosis = diagnose_augmentation(bc.augment(data, shared, bc.Ancestral(1000), seed=0))
    assert diagnosis.support["beyond"] < 0.25
    assert not any("planned together" in line for line in diagnosis.advice)


def test_values_that_hang_on_one_row_are_told(smooth, residual):
    (_, kernel), (_, bootstrap) = smooth, residual
    assert kernel.nodes.loc["sales", "alone"] > 0.2
    assert any("'sales'" in x and "copy of its nearest row" in x for x in kernel.advice)
    # a regression is not blamed for causes that are as rare among the observed rows
    assert bootstrap.nodes.loc["sales", "alone"] > 0.2
    assert not any("hang" in x or "rests on" in x for x in bootstrap.advice)
    nodes = bootstrap.nodes.assign(alone=0.6, alone_observed=0.1)
    advice = remarks(bootstrap.rows, nodes, bootstrap.support, ())
    assert sum("rests on the shape of the regression" in line for line in advice) == len(nodes)


def test_pruned_mass_is_told():
    with pytest.warns(EmptyAugmentation):
        no_rows = augmented(method=bc.Threshold(theta=0.05))
    diagnosis = diagnose_augmentation(no_rows)
    assert diagnosis.rows["rows"] == 0
    assert "There are no rows" in diagnosis.advice[-1]
    graph = bc.Graph.parse("tv -> sales")
    part = bc.augment(frame(), graph, bc.Threshold(theta=0.2))
    diagnosis = diagnose_augmentation(part)
    assert 0 < diagnosis.rows["mass"] < 0.9
    assert any("dense core" in line for line in diagnosis.advice)
    assert diagnosis.rows["effective_rows"] <= diagnosis.rows["rows"] == len(part)


def test_uneven_weights_are_told(smooth):
    rows, _ = smooth
    weights = np.r_[np.full(100, 0.009), np.full(len(rows) - 100, 0.1 / (len(rows) - 100))]
    diagnosis = diagnose_augmentation(replace(rows, weights=weights))
    assert diagnosis.rows["effective_rows"] == pytest.approx(1 / (weights**2).sum())
    assert any("a few heavy ones" in line for line in diagnosis.advice)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("conditional", [None, bc.LocalLinear(), bc.ResidualBootstrap(0, False)])
def test_a_curve_is_not_told_to_bend_slopes(seed, conditional):
    """A line through a U depends on where the causes are; the mean that is made does not."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 104))
    data = pd.DataFrame({"a": a, "b": b, "y": a**2 + b + 0.5 * rng.normal(size=104)})
    rows = bc.augment(data, "a, b -> y", conditional=conditional, method=bc.Ancestral(2000), seed=1)
    diagnosis = diagnose_augmentation(rows)
    assert not any("Slopes" in line for line in diagnosis.advice)
    ratio, error = diagnosis.nodes.loc["y", ["slope", "slope_error"]]
    assert ratio == pytest.approx(1, abs=0.03)
    assert error < 0.03
    values = [rows.values[v][:, 0] for v in "aby"]
    design = np.column_stack([*values[:2], np.ones(len(rows))])
    raw = np.linalg.lstsq(design, values[2], rcond=None)[0][:2]
    assert diagnosis.edges.loc["y", "augmented"].to_list() == pytest.approx(raw.tolist())


def test_a_mean_that_a_penalty_shrinks_is_told():
    rng = np.random.default_rng(1)
    names = [f"x{k:02}" for k in range(12)]
    data = pd.DataFrame(rng.normal(size=(40, 12)), columns=names)
    data["y"] = data.sum(axis=1) + 3 * rng.normal(size=40)
    diagnosis = diagnose_augmentation(bc.augment(data, f"{', '.join(names)} -> y", seed=1))
    assert diagnosis.nodes.loc["y", "slope"] < 0.9
    assert "at the same causes: y -" in diagnosis.advice[0]
    assert "a penalty shrinks the mean" in diagnosis.advice[0]


def test_values_far_outside_the_observed_range_are_told_first():
    """Causes that move together, and an effect of their difference: apart it knows no bounds."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=80)
    data = pd.DataFrame({"a": a, "b": a + 0.1 * rng.normal(size=80)})
    data["y"] = data["a"] - data["b"] + 0.02 * rng.normal(size=80)
    rows = bc.augment(data, "a, b -> y", bc.Ancestral(1000), seed=0)
    count = np.arange(1000) % 3
    rows = replace(rows, weights=count / count.sum())
    diagnosis = diagnose_augmentation(rows)
    table, width = rows.to_frame(), np.ptp(data["y"])
    is_outside = (table["y"] > data["y"].max() + width) | (table["y"] < data["y"].min() - width)
    share = (is_outside * table["weight"]).sum()
    assert 0.2 < share < 0.9
    assert diagnosis.nodes.loc["y", "outside"] == pytest.approx(share)
    assert diagnosis.advice[0].startswith(f"{share:.0%} of the values of 'y' lie farther outside")
    assert "conditional={'y': ResidualBootstrap(knots=0, products=False)}" in diagnosis.advice[0]
    quiet_advice = remarks(
        diagnosis.rows, diagnosis.nodes.assign(outside=0.01), diagnosis.support, ("note",)
    )
    assert quiet_advice[0] == "note"
    loud_advice = remarks(
        diagnosis.rows, diagnosis.nodes.assign(outside=0.011), diagnosis.support, ("note",)
    )
    assert "farther outside" in loud_advice[0]
    kernel_rows = bc.augment(
        data, "a, b -> y", conditional=bc.NadarayaWatson(), method=bc.Ancestral(1000), seed=0
    )
    assert diagnose_augmentation(kernel_rows).nodes.loc["y", "outside"] == 0


def test_a_panel_is_diagnosed_within_its_units():
    rng = np.random.default_rng(0)
    rows = [
        {"week": week, "geo": geo, "tv": (x := rng.gamma(2)), "sales": x + level + rng.normal()}
        for geo, level in (("n", 0), ("s", 50))
        for week in pd.date_range("2024-01-01", periods=40, freq="7D")
    ]
    data = bc.Dataset.from_frame(pd.DataFrame(rows), time="week", unit="geo")
    graph = bc.Graph.parse("tv -> sales")
    diagnosis = diagnose_augmentation(bc.augment(data, graph, bc.Ancestral(2000), seed=0))
    assert diagnosis.edges.index.to_list() == [("sales", "tv")]  # the units are held fixed
    assert diagnosis.edges["ratio"].iloc[0] == pytest.approx(1, abs=0.1)
    assert diagnosis.donors["tv"].max() <= 40 + 1e-9
    assert diagnosis.donors["sales"].max() <= 40 + 1e-9


def test_the_same_rows_give_the_same_page(residual):
    rows, diagnosis = residual
    assert str(diagnose_augmentation(rows)) == str(diagnosis)
    for heading in ("Rows", "Donors and slopes by node", "Distance", "Advice"):
        assert heading in str(diagnosis)


def test_clean_rows_say_what_is_not_checked(residual):
    _, diagnosis = residual
    assert diagnosis.advice[0].startswith("Nothing to mend. That says nothing about the graph")


# --- the picture --------------------------------------------------------------------------------

TITLES = [
    "Weights",
    "Distance to the nearest observed row",
    "Observed rows with like causes",
    "Slopes, augmented / observed",
    "Advice",
]


def titles(figure):
    return [ax.get_title(loc="left") for ax in figure.axes]


def test_the_picture_shows_every_diagnostic(smooth):
    rows, diagnosis = smooth
    figure = plot_augmentation(diagnosis)
    assert isinstance(figure, Figure)
    assert titles(figure) == TITLES
    weights, support, donors, slopes, words = figure.axes
    widths = [bar.get_width() for bar in weights.patches]
    assert widths == pytest.approx(
        [diagnosis.rows["mass"], 1.0, diagnosis.rows["distinct"], diagnosis.rows["copies"]]
    )
    assert [line.get_label() for line in support.lines[:2]] == ["observed", "augmented"]
    assert [t.get_text() for t in donors.get_yticklabels()] == list(diagnosis.donors)
    ratios = [line.get_xdata()[0] for line in slopes.lines[: len(diagnosis.edges)]]
    assert ratios == pytest.approx(diagnosis.edges["ratio"].to_list())
    text = words.texts[0].get_text().replace("\n   ", " ")
    assert all(line in text for line in diagnosis.advice)
    assert titles(plot_augmentation(rows)) == TITLES  # rows are diagnosed first


def test_the_picture_of_no_rows_is_the_reason():
    with pytest.warns(EmptyAugmentation):
        figure = plot_augmentation(augmented(method=bc.Threshold(theta=0.05)))
    assert "There are no rows" in figure.axes[-1].texts[0].get_text()
    figure.canvas.draw()


def test_the_picture_can_be_drawn_off_the_main_thread(residual):
    figures = []

    def draw():
        figure = plot_augmentation(residual[1])
        figure.canvas.draw()
        figures.append(figure)

    thread = threading.Thread(target=draw)
    thread.start()
    thread.join()
    assert titles(figures[0]) == TITLES
