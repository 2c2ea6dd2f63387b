"""Arms of one geo test with a shared control: their covariance, by derivation and by simulation.

Monte-Carlo tolerances. The covariance of two lifts over `WORLDS` replications has a standard error
of ``sd_a sd_b sqrt((1 + rho^2) / WORLDS)``; the mean of those reported must lie within 3.5 of them,
which a seeded run fails by chance once in 2000. Where arms are as large as the control that is two
fifths of the covariance, so that leaving it out fails; smaller errors are left to exact cases.
"""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from geo_cases import AFTER, BEFORE, WEEKS, WINDOW, as_frame, autoregression, panel

import bayescausal as bc
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import Estimand, Plus, incremental
from bayescausal.experiments.experiment import Experiment, covariance_between, error_covariance
from bayescausal.experiments.geo_cells import GeoCell, arm_correlation, geo_cells, unit_variances
from bayescausal.experiments.geo_estimators import estimator, standard_error

WORLDS = 400
COLUMNS = {"time": "week", "unit": "geo", "outcome": "sales"}
tv, social = incremental("tv"), incremental("social")


def rows_of(sizes):
    """Rows of arms of some sizes, in order."""
    return [np.arange(a, b) for a, b in pairwise(np.cumsum([0, *sizes]))]


def arms_of(sizes):
    """Their names."""
    return [[f"g{k:02d}" for k in rows] for rows in rows_of(sizes)]


def compare(lifts, covariances, shared=True):
    lifts, reported = np.array(lifts), float(np.mean(covariances))
    empirical = np.cov(lifts.T)
    sd = np.sqrt(np.diag(empirical))
    rho = empirical[0, 1] / sd.prod()
    error = sd.prod() * math.sqrt((1 + rho**2) / len(lifts))
    assert abs(reported - empirical[0, 1]) < 3.5 * error
    if shared:
        assert empirical[0, 1] > 3.5 * error  # so that a covariance of zero would fail
        assert reported > 3.5 * error


@pytest.mark.parametrize(
    ("method", "sizes", "controls", "r", "noise"),
    [
        pytest.param("did", (8, 8), 8, 0.5, None, marks=pytest.mark.slow),
        pytest.param("did", (1, 1), 1, 0.5, None, marks=pytest.mark.slow),
        ("did", (2, 3), 4, 0.5, None),
        ("did", (4, 4), 4, 0.5, "controls"),
        ("did", (4, 4), 4, 0.5, "treated"),
        ("synthetic-control", (4, 4), 4, 0.5, None),
        ("tbr", (4, 4), 4, 0.0, None),
    ],
)
def test_correlation_and_error_give_the_covariance_of_lifts(method, sizes, controls, r, noise):
    fitted, treated, arms = estimator(method), sum(sizes), rows_of(sizes)
    lifts, covariances = [], []
    for seed in range(WORLDS):
        rng = np.random.default_rng([seed, 11])
        sales = panel(rng, treated, controls, r)
        if noise:
            loud = sales[:treated] if noise == "treated" else sales[treated:]
            loud += autoregression(rng, loud.shape, r, 10.0)
        x, found, weights = sales[treated:], [], []
        for rows in arms:
            y, n = sales[rows].mean(axis=0), len(rows)
            made = fitted(y, x, BEFORE)
            draws = np.random.default_rng(1)
            scale = standard_error(method, (y, x), BEFORE, fitted, n, draws).scale
            found.append((n * (y - made.path)[BEFORE:].sum(), n * scale))
            weights.append(made.weights)
        rho = arm_correlation(
            sales[:, :BEFORE], arms, np.arange(treated, len(sales)), np.array(weights)
        )[0, 1]
        (one, se_one), (two, se_two) = found
        lifts.append([one, two])
        covariances.append(rho * se_one * se_two)
    compare(lifts, covariances, shared=noise != "treated")


def test_correlation_of_units_that_are_alike_is_dunnetts():
    rng = np.random.default_rng(1)
    sizes, m = (2, 6, 3), 4
    rho = np.zeros((3, 3))
    for _ in range(200):
        sales = rng.normal(size=(15, 60))
        rho += (
            arm_correlation(sales, rows_of(sizes), np.arange(11, 15), np.full((3, m), 1 / m)) / 200
        )
    n = np.array(sizes)
    expected = 1 / np.sqrt(np.outer(1 + m / n, 1 + m / n))
    np.fill_diagonal(expected, 1.0)
    assert np.allclose(rho, expected, atol=0.01)


def test_variances_of_units_are_told_apart():
    rng = np.random.default_rng(2)
    sd = np.array([1.0, 5.0, 1.0, 2.0, 3.0, 4.0])
    sales = 100 + rng.normal(0, 8, 4000) + sd[:, None] * rng.normal(size=(6, 4000))
    own, shared = unit_variances(sales, np.arange(2, 6))
    assert np.allclose(own[:2] / sd[:2] ** 2, 1, atol=0.15)
    assert np.allclose(shared / sd[2:] ** 2, 1, atol=0.2)
    assert [v.tolist() for v in unit_variances(sales, np.arange(4, 6))] == [[1.0] * 6, [1.0] * 2]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("controls", [1, 2, 3, 8])
def test_correlations_are_positive_definite_whatever_the_weights(seed, controls):
    rng = np.random.default_rng([seed, controls])
    sales = rng.normal(size=(4 + controls, 30)) * rng.exponential(5, (4 + controls, 1))
    weights = rng.normal(0, 3, (4, controls))
    rho = arm_correlation(sales, list(np.arange(4)[:, None]), np.arange(4, 4 + controls), weights)
    assert np.allclose(rho, rho.T)
    assert np.linalg.eigvalsh(rho)[0] > 0


@pytest.fixture(scope="module")
def frame():
    return as_frame(panel(np.random.default_rng(5), 6, 9))


def cells(**changed):
    first, second, third = arms_of([2, 2, 2])
    given = {
        "tv": GeoCell(first, tv),
        "social": GeoCell(second, social),
        "both": GeoCell(third, incremental(["tv", "social"])),
    }
    return given | changed


def measure(frame, given=None, window=WINDOW, **changed):
    settings = COLUMNS | {"seed": 1} | changed
    return Experiment.from_geo_cells(frame, given or cells(), window, **settings)


def test_each_cell_is_the_geo_test_against_units_of_no_cell(frame):
    made = measure(frame, randomized=True, tail=0, half_life=26)
    assert [test.name for test in made] == ["tv", "social", "both"]
    for test, cell in zip(made, cells().values(), strict=True):
        others = {u for c in cells().values() for u in c.treated} - {*cell.treated}
        alone = Experiment.from_geo_panel(
            frame[~frame.geo.isin(others)],
            cell.treated,
            WINDOW,
            **COLUMNS,
            estimand=cell.estimand,
            seed=1,
            randomized=True,
            half_life=26,
            name=test.name,
            covariance=test.covariance,
        )
        assert test == alone
        assert test.source.controls == tuple(f"g{k:02d}" for k in range(6, 15))
        assert {*test.covariance} == {*cells()} - {test.name}
        assert (test.design, test.half_life) == ("geo-rct", 26)


@pytest.mark.parametrize("method", ["did", "synthetic-control", "tbr"])
def test_covariance_of_the_frame_is_that_of_the_panel(method):
    sales = panel(np.random.default_rng(8), 5, 9)[[5, 0, 1, 6, 7, 2, 3, 8, 4, 9, 10, 11, 12, 13]]
    given = {
        "tv": GeoCell([f"g{k:02d}" for k in (1, 2)], tv),
        "social": GeoCell([f"g{k:02d}" for k in (5, 6, 8)], social),
    }
    made = measure(as_frame(sales), given, method=method)
    controls = np.array([0, 3, 4, 7, 9, 10, 11, 12, 13])
    weights = np.array([list(test.source.weights.values()) for test in made])
    arms = [np.array([1, 2]), np.array([5, 6, 8])]
    rho = arm_correlation(sales[:, :BEFORE], arms, controls, weights)[0, 1]
    assert 0.05 < rho < 0.6
    expected = rho * made[0].std_error * made[1].std_error
    assert math.isclose(covariance_between(*made), expected)


def test_a_spec_takes_all_arms(frame):
    made = measure(frame, randomized=True)
    graph = bc.Graph.parse("tv, social -> sales", outcome="sales")
    spec = bc.Spec(graph, treatments=("tv", "social"), experiments=made)
    assert bc.Spec.from_dict(spec.to_dict()) == spec
    matrix = error_covariance(made, [test.std_error for test in made])
    assert np.linalg.eigvalsh(matrix)[0] > 0
    assert (matrix > 0).all()
    tests, covariance = geo_cells(frame, cells(), WINDOW, **COLUMNS, seed=1)
    assert np.allclose(covariance, matrix)
    assert np.allclose(np.sqrt(np.diag(covariance)), [t.std_error for t in tests.values()])


def test_arms_that_added_and_withheld_share_an_error_of_opposite_sign(frame):
    dark = GeoCell(cells()["social"].treated, Estimand({"social": Plus(50)}), dark=True)
    plain, turned = measure(frame), measure(frame, cells(social=dark))
    assert turned[1].lift == -plain[1].lift
    assert math.isclose(covariance_between(*turned[:2]), -covariance_between(*plain[:2]))
    assert math.isclose(covariance_between(*turned[::2]), covariance_between(*plain[::2]))
    twice = cells(social=dark, tv=replace(dark, treated=cells()["tv"].treated))
    both = measure(frame, twice)
    assert math.isclose(covariance_between(*both[:2]), covariance_between(*plain[:2]))


def test_covariance_is_on_the_scales_of_the_lifts(frame):
    plain = measure(frame)
    scaled = measure(
        frame,
        cells(
            tv=GeoCell(cells()["tv"].treated, incremental("tv", scale="per_spend"), spend=600.0),
            social=GeoCell(cells()["social"].treated, incremental("social", scale="mean")),
            both=GeoCell(cells()["both"].treated, incremental(["tv", "social"], scale="percent")),
        ),
    )
    for a, b in ((0, 1), (0, 2), (1, 2)):
        rho = [
            covariance_between(t[a], t[b]) / t[a].std_error / t[b].std_error
            for t in (plain, scaled)
        ]
        assert math.isclose(*rho)
    assert math.isclose(
        covariance_between(*scaled[:2]) * 600 * 2 * AFTER, covariance_between(*plain[:2])
    )


def test_doses_of_one_channel_are_arms(frame):
    first, second, _ = arms_of([2, 2, 2])
    doses = {
        "50 more": GeoCell(first, Estimand(control={"tv": Plus(-50)})),
        "100 more": GeoCell(second, Estimand(control={"tv": Plus(-100)})),
    }
    low, high = measure(frame, doses)
    assert low.covariance == {"100 more": high.covariance["50 more"]}
    assert len(low.source.controls) == 11  # the third arm's units are controls now


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ([GeoCell("g00", tv)], SpecError, r"mapping of name to GeoCell, \{'half'"),
        ({1: GeoCell("g00", tv), 2: GeoCell("g01", tv)}, SpecError, "mapping of name to GeoCell"),
        ({"a": ["g00"], "b": ["g01"]}, SpecError, r"Cell 'a' is no GeoCell: \['g00'\]. Write"),
        ({}, SpecError, "0 cells share no control"),
        ({"a": GeoCell("g00", tv)}, SpecError, r"1 cells share no.*Experiment.from_geo_panel"),
        (
            {"a": GeoCell(["g00", "g01"], tv), "b": GeoCell("g01", social)},
            SpecError,
            r"'g01' is in the cells 'a' and 'b'.*is one cell: incremental\(",
        ),
        (
            {"a": GeoCell("g00", tv), "b": GeoCell("g1l", tv)},
            DataError,
            r"Cell 'b': The treated unit 'g1l' is not in the panel.*Did you mean 'g1",
        ),
        (
            {"a": GeoCell("g00", tv), "b": GeoCell("g01", tv, dark=True)},
            SpecError,
            "Cell 'b': .*withheld",
        ),
        (
            {"a": GeoCell("g00", tv), "b": GeoCell("g01", tv, spend=3.0)},
            SpecError,
            "Cell 'b': .*spend=3.0",
        ),
        (
            {"a": GeoCell("g00", tv), "b": GeoCell("g01", incremental("tv", scale="cost"))},
            SpecError,
            "Cell 'b': .*no lift on the scale 'cost'",
        ),
    ],
)
def test_bad_cells_are_refused_with_advice(frame, given, error, words):
    with pytest.raises(error, match=words):
        Experiment.from_geo_cells(frame, given, WINDOW, **COLUMNS, seed=1)


def test_bad_settings_of_cells_are_refused_with_advice(frame):
    for settings, words in (
        ({"name": "x"}, "from_geo_cells: unknown key 'name'"),
        ({"covariance": {}}, "unknown key 'covariance'"),
        ({"spend": 3.0}, "unknown key 'spend'"),
        ({"dark": True}, "unknown key 'dark'"),
        ({"randomised": True}, "Did you mean 'randomized'"),
        ({"method": "dd"}, "Cell 'tv': method='dd' is not known"),
    ):
        with pytest.raises(SpecError, match=words):
            measure(frame, **settings)
    with pytest.raises(DataError, match="Cell 'tv': tail=2 goes 2 periods beyond"):
        measure(frame, tail=2)
    with pytest.raises(DataError, match=r"Cell 'tv': The window.*outside the data"):
        measure(frame, window=("2031", "2031"))
    first, second = arms_of([8, 7])
    with pytest.raises(DataError, match="All 15 units are in a cell"):
        measure(frame, {"a": GeoCell(first, tv), "b": GeoCell(second, tv)})
    graph = bc.Graph.parse("tv, social -> sales", outcome="sales")
    heavy = measure(frame, nu=4)
    with pytest.raises(SpecError, match=r"has nu= \(Student-t\) and is tied"):
        bc.Spec(graph, treatments=("tv", "social"), experiments=heavy)


def test_a_cell_is_a_value():
    assert GeoCell(["b", "a", "b"], tv) == GeoCell(("a", "b"), tv)
    assert GeoCell("a", tv).treated == GeoCell(["a"], tv).treated == ("a",)
    for units, words in (([], "has no units"), (None, "a sequence of units; got None")):
        with pytest.raises(SpecError, match=words):
            GeoCell(units, tv)
    with pytest.raises(SpecError, match=r"estimand is an Estimand.*got 'tv'"):
        GeoCell("a", "tv")


def test_the_seed_is_one_for_all_cells(frame):
    drawn = measure(frame, seed=None)
    assert len({test.source.seed for test in drawn}) == 1
    again = measure(frame, seed=drawn[0].source.seed)
    assert again == drawn
    short = measure(frame, window=(WEEKS[BEFORE], WEEKS[BEFORE + 2]), tail=2)
    assert {test.estimand.tail for test in short} == {2}
