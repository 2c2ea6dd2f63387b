"""Experiments as terms of the log density: closed forms, no sampling."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from scipy import stats

import bayescausal as bc
from bayescausal.errors import DataError, OverlappingExperiments, SpecError
from bayescausal.experiments.estimand import steady_state
from bayescausal.model.build import build
from bayescausal.model.contrast import contrast, measure
from bayescausal.model.lifts import lift_data, predict_lift, remeasured, terms
from bayescausal.model.scm import bind, compile_scm

START = pd.Timestamp("2024-01-01")
WEEKS = 40


def week(k):
    return START + pd.Timedelta(weeks=k)


def table(columns, units=0, seed=0, **given):
    """Random positive columns, or as given; spend of a channel is its exposure."""
    rng = np.random.default_rng(seed)
    rows = []
    for u in range(max(1, units)):
        frame = pd.DataFrame({"week": pd.date_range(START, periods=WEEKS, freq="7D")})
        for name in columns:
            frame[name] = given.get(name, rng.gamma(3.0, 10.0 * (1 + u), WEEKS))
        rows.append(frame.assign(unit=f"u{u}"))
    frame = pd.concat(rows)
    return bc.Dataset.from_frame(
        frame if units else frame.drop(columns="unit"),
        time="week",
        unit="unit" if units else None,
        spend=[c for c in columns if c in ("x", "z", "tv")],
    )


def lift(name, estimand, value, error, design="geo-rct", **more):
    return bc.Experiment(estimand, value, error, design, name=name, **more)


def on(treatment, first, last, **more):
    return bc.incremental(treatment, window=(week(first), week(last)), **more)


def number(spec, data, theta, estimand):
    scm = compile_scm(spec, data)
    theta = {k: np.asarray(v, dtype=float) for k, v in theta.items()}
    return measure(bind(scm, theta), estimand)


def log_terms(spec, data, names):
    """Log density of some random variables as a function of a point of the free ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = build(spec, data)
    start = model.initial_point()
    densities = [model.logp(vars=[model[n]], sum=True) for n in names]
    run = model.compile_fn(
        densities, inputs=model.value_vars, mode="FAST_COMPILE", on_unused_input="ignore"
    )

    def at(**changed):
        return np.array(run(start | {k: np.asarray(v, float) for k, v in changed.items()}))

    return at, model


# The Normal-Normal update, in matrix form


def two_edges(tests):
    """Plain edges with priors on the coefficients: every effect is linear in (x->y, z->y)."""
    prior = {
        "x": bc.Response(strength=bc.Coefficient(bc.Prior("Normal", mu=0.3, sigma=0.5))),
        "z": bc.Response(strength=bc.Coefficient(bc.Prior("Normal", mu=-0.2, sigma=0.7))),
    }
    graph = bc.Graph.parse("x, z -> y", outcome="y")
    return bc.Spec(graph, prior, experiments=tests), table(("x", "z", "y"), seed=1)


def design_row(data, estimand):
    """Effect per unit of each coefficient, by hand: the exposure in the window, scaled."""
    start, end = estimand.window
    inside = (data.time >= start) & (data.time <= end)
    top = data.array("y").max()
    return [
        top * data.array(v)[inside].sum() / data.array(v).max() * (v in estimand.treatments)
        for v in ("x", "z")
    ]


def test_several_tests_with_covariance_give_the_conjugate_posterior():
    shared = on(["x", "z"], 20, 23)
    tests = (
        lift("a", on("x", 3, 6), 90.0, 30.0, covariance={"b": 250.0}),
        lift("b", on("z", 3, 6), -40.0, 25.0, "did", bias_sd=12.0),
        lift("c", shared, 60.0, 20.0, "user-rct", share=0.4, covariance={"b": -100.0}),
        lift("d", on("x", 30, 32), 10.0, 40.0, half_life=7.0),  # seven weeks before the end
    )
    spec, data = two_edges(tests)
    a = np.array([np.multiply(t.share, design_row(data, t.estimand)) for t in tests])
    sigma = np.diag([30.0**2, 25.0**2 + 12.0**2, 20.0**2, 40.0**2 * 2])
    sigma[0, 1] = sigma[1, 0] = 250.0
    sigma[1, 2] = sigma[2, 1] = -100.0
    prior = np.diag([0.5**-2, 0.7**-2])
    precision = prior + a.T @ np.linalg.solve(sigma, a)
    y = np.array([t.lift for t in tests])
    mean = np.linalg.solve(precision, prior @ [0.3, -0.2] + a.T @ np.linalg.solve(sigma, y))
    at, model = log_terms(spec, data, ["x->y", "z->y", "lift:d", "lift:a+b+c"])
    assert [v.name for v in model.observed_RVs] == ["y", "lift:d", "lift:a+b+c"]

    def found(b):
        return at(**{"x->y": b[0], "z->y": b[1]}).sum()

    top = found(mean)
    for step in ([1, 0], [0, 1], [0.5, -2], [-3, 1.5], [10, 10]):
        expected = -0.5 * np.array(step) @ precision @ step
        assert found(mean + step) - top == pytest.approx(expected, rel=1e-9)
    # The tests matter, and so does their covariance.
    assert np.linalg.norm(mean - [0.3, -0.2]) > 0.3
    alone = prior + a.T @ np.linalg.solve(np.diag(np.diag(sigma)), a)
    assert not np.allclose(alone, precision, rtol=0.02)


def test_a_student_t_discounts_a_test_that_is_far_off():
    spec, data = two_edges((lift("a", on("x", 3, 6), 90.0, 30.0, nu=4.0),))
    per = design_row(data, spec.experiments[0].estimand)[0]
    at, _ = log_terms(spec, data, ["lift:a"])
    points = np.array([0.0, 0.1, 2.0])
    found = [at(**{"x->y": b})[0] for b in points]
    expected = stats.t(4, loc=per * points, scale=30.0).logpdf(90.0)
    assert np.diff(found) == pytest.approx(np.diff(expected), rel=1e-9)


def test_a_term_is_switched_off_by_its_data():
    tests = (
        lift("a", on("x", 3, 6), 90.0, 30.0, covariance={"b": 250.0}),
        lift("b", on("z", 3, 6), -40.0, 25.0),
        lift("c", on("x", 20, 23), 60.0, 20.0),
    )
    spec, data = two_edges(tests)
    at, model = log_terms(spec, data, ["lift:c", "lift:a+b"])
    points = [{"x->y": 0.1, "z->y": 0.2}, {"x->y": 0.4, "z->y": -0.5}]
    assert np.abs(np.diff([at(**p) for p in points], axis=0)).min() > 0.5
    with model:
        pm.set_data(lift_data(spec, data, excluded=["a", "c"]))
    found = np.diff([at(**p) for p in points], axis=0)[0]
    per = design_row(data, tests[1].estimand)[1]
    alone = np.diff(stats.norm(per * np.array([0.2, -0.5]), 25.0).logpdf(-40.0))[0]
    assert found == pytest.approx([0.0, alone], abs=1e-8)  # 'b' counts as if it stood alone
    with model:
        pm.set_data(lift_data(spec, data))
    assert abs(np.diff([at(**p) for p in points], axis=0)[0, 0]) > 0.5
    with pytest.raises(SpecError, match=r"no experiment 'aa'.*Did you mean 'a'"):
        lift_data(spec, data, excluded=["aa"])


def test_terms_keep_the_order_of_the_spec_and_groups_come_last():
    spec, data = two_edges(
        (
            lift("n", on("x", 3, 6), 9, 3, covariance={"b": 2.0}),
            lift("m", on("x", 10, 12), 9, 3),
            lift("b", on("z", 3, 6), 9, 3, covariance={"k": 0.0}),
            lift("k", on("z", 10, 12), 9, 3, covariance={"n": 0.0}),
        )
    )
    assert [t.name for t in terms(spec)] == ["lift:m", "lift:k", "lift:b+n"]
    given = lift_data(spec, data)
    assert given["lift:m:sd"] == 3.0
    assert given["lift:b+n:covariance"].tolist() == [[9.0, 2.0], [2.0, 9.0]]


# Windows, tails, units, mediators


def carried(weights):
    """One channel with a known carry-over and no saturation."""
    step = bc.GeometricAdstock(l_max=len(weights) - 1)
    response = bc.Response(step, strength=bc.Coefficient(bc.Prior("Normal", mu=0, sigma=1)))
    spec = bc.Spec(bc.Graph.parse("tv -> y", outcome="y"), {"tv": response})
    return spec, table(("tv", "y"), seed=2)


def test_a_four_week_test_read_with_and_without_its_tail():
    alpha, beta = 0.6, 0.8
    weights = alpha ** np.arange(6)
    weights /= weights.sum()
    spec, data = carried(weights)
    x = data.array("tv")
    unit = beta * data.array("y").max() / x.max()
    theta = {"tv->y": beta, "tv->y:alpha": alpha, "y:intercept": 0.0, "y:sigma": 1.0}
    found = {}
    for tail in (False, 1, 3, True):
        # A week's exposure has by the end of the count played out its first weights only.
        last = 13 + (5 if tail is True else tail)
        expected = unit * sum(x[t] * weights[: last - t + 1].sum() for t in range(10, 14))
        found[tail] = number(spec, data, theta, on("tv", 10, 13, carryover=tail))
        assert found[tail] == pytest.approx(expected, rel=1e-12)
    assert found[True] == pytest.approx(unit * x[10:14].sum(), rel=1e-12)
    assert found[0] < 0.75 * found[3] < 0.75 * found[True]
    # Keys False and 1 are 0 and True to a dict; the estimands are not.
    assert on("tv", 10, 13, carryover=1) != on("tv", 10, 13, carryover=True)


def test_a_national_aggregate_equals_the_sum_of_unit_effects():
    graph = bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales")
    media = bc.Response(bc.GeometricAdstock(l_max=3), bc.HillSaturation())
    spec = bc.Spec(graph, {"tv": media}, links={"sales": "log"})
    data = table(("tv", "search", "sales"), units=12, seed=3)
    theta = {
        p.name: np.full(p.size if p.dim else (), 0.4) for p in compile_scm(spec, data).parameters
    }
    whole = on("tv", 10, 13)
    parts = [number(spec, data, theta, whole.within(u)) for u in data.units]
    assert len(parts) == 12
    assert number(spec, data, theta, whole) == pytest.approx(sum(parts), rel=1e-12)
    assert min(parts) > 0
    # A percentage is of the whole: its parts are weighted by the level of their control world.
    percent = replace(whole, scale="percent")
    own = [number(spec, data, theta, percent.within(u)) for u in data.units]
    levels = [100 * p / q for p, q in zip(parts, own, strict=True)]
    pooled = np.average(own, weights=levels)
    assert number(spec, data, theta, percent) == pytest.approx(pooled, rel=1e-12)


def mediated(tests):
    graph = bc.Graph.parse("tv -> search -> sales\nprice -> sales", outcome="sales")
    spec = bc.Spec(graph, treatments=("tv",), experiments=tests)
    return spec, table(("tv", "search", "price", "sales"), seed=4)


def test_a_mediated_test_has_its_effect_where_a_direct_edge_reading_has_none():
    test = lift("tv", on("tv", 10, 13), 50.0, 20.0)
    spec, data = mediated((test,))
    top = {v: data.array(v).max() for v in ("tv", "search", "sales")}
    span = {v: np.ptp(data.array(v)) / top[v] for v in top}
    inside = slice(10, 14)
    scaled = data.array("tv")[inside].sum() / top["tv"]
    at, _ = log_terms(spec, data, ["lift:tv"])
    for a, b in ((0.5, 0.6), (-0.3, 0.8)):
        effect = a * b * scaled * top["sales"]
        theta = {p.name: 0.1 for p in compile_scm(spec, data).parameters}
        own = {"tv->search": a * span["tv"], "search->sales": b * span["search"]}
        theta |= own
        assert number(spec, data, theta, test.estimand) == pytest.approx(effect, rel=1e-12)
        found = at(**own) - at(**{"tv->search": 0.0})
        expected = stats.norm.logpdf(50.0, effect, 20.0) - stats.norm.logpdf(50.0, 0.0, 20.0)
        assert found[0] == pytest.approx(expected, rel=1e-9)
    assert "tv->sales" not in map(str, spec.mechanisms)


def test_a_test_on_search_speaks_of_the_indirect_path_only():
    graph = bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales")
    clicks = lift("clicks", bc.Estimand({"search": bc.Times(1.2)}, window=(week(5), week(8))), 9, 3)
    volume = lift("volume", on("tv", 10, 13, outcome="search"), 9, 3)
    spec = bc.Spec(graph, treatments=("tv",), experiments=(clicks, volume))
    data = table(("tv", "search", "sales"), seed=5)
    at, _ = log_terms(spec, data, ["lift:clicks", "lift:volume"])
    base = {"tv->search": 0.3, "search->sales": 0.4, "tv->sales": 0.2}
    moved = {k: at(**base | {k: v + 0.1}) - at(**base) for k, v in base.items()}
    assert moved["tv->sales"].tolist() == [0.0, 0.0]
    assert moved["search->sales"][0] != 0
    assert moved["search->sales"][1] == 0
    assert moved["tv->search"][0] == 0
    assert moved["tv->search"][1] != 0


# Off the panel


def curve(link="identity"):
    response = bc.Response(
        bc.GeometricAdstock(l_max=6),
        bc.LogisticSaturation(),
        strength=bc.Coefficient(bc.Prior("Normal", mu=0, sigma=1)),
    )
    graph = bc.Graph.parse("tv, price -> sales", outcome="sales")
    return bc.Spec(graph, {"tv": response}, links={"sales": link}), table(
        ("tv", "price", "sales"), seed=6
    )


def logistic(lam, x):
    return (1 - np.exp(-lam * x)) / (1 + np.exp(-lam * x))


@pytest.mark.parametrize("alpha", [0.2, 0.9])
@pytest.mark.parametrize(("x", "delta"), [(0.0, 12.0), (20.0, 5.0), (20.0, -20.0), (300.0, 100.0)])
def test_a_row_of_pymc_marketing_is_a_point_on_the_curve(alpha, x, delta):
    """Its lift term compares beta S(x + delta_x) with beta S(x): steady state, whatever alpha."""
    spec, data = curve()
    beta, lam = 0.7, 2.5
    theta = {p.name: 0.1 for p in compile_scm(spec, data).parameters}
    theta |= {"tv->sales": beta, "tv->sales:alpha": alpha, "tv->sales:lam": lam}
    top, most = data.array("sales").max(), data.array("tv").max()
    row = beta * top * (logistic(lam, (x + delta) / most) - logistic(lam, x / most))
    question = steady_state("tv", at=x, by=delta)
    assert number(spec, data, theta, question) == pytest.approx(row, rel=1e-12)
    per_dollar = number(spec, data, theta, replace(question, scale="per_spend"))
    assert per_dollar == pytest.approx(row / delta, rel=1e-12)
    # Under a log link causes multiply: the lift is of the mean level of the outcome.
    logged, _ = curve("log")
    level = data.array("sales").mean()
    expected = level * np.expm1(row / top)
    assert number(logged, data, theta, question) == pytest.approx(expected, rel=1e-10)


def test_a_path_off_the_panel_starts_from_a_settled_control_and_has_a_tail():
    spec, data = carried(np.ones(4))
    alpha, beta = 0.5, 0.8
    weights = alpha ** np.arange(4)
    weights /= weights.sum()
    theta = {"tv->y": beta, "tv->y:alpha": alpha, "y:intercept": 0.0, "y:sigma": 1.0}
    unit = beta * data.array("y").max() / data.array("tv").max()
    change = np.array([30.0, 10.0, 0.0]) - np.array([8.0, 8.0, 4.0])
    question = bc.Estimand({"tv": (30, 10, 0)}, {"tv": (8, 8, 4)}, off_panel="path")
    for tail, played in ((True, [3, 3, 3]), (0, [2, 1, 0]), (1, [3, 2, 1])):
        expected = unit * sum(
            c * weights[: k + 1].sum() for c, k in zip(change, played, strict=True)
        )
        found = number(spec, data, theta, replace(question, carryover=tail))
        assert found == pytest.approx(expected, rel=1e-12)
    assert question.length == 3


def test_a_steady_state_with_feedback_is_its_fixed_point():
    graph = bc.Graph.parse("tv -> sales\nsales -> sales @ 1", outcome="sales")
    question = steady_state("tv", at=10.0, by=5.0)
    tests = lift("point", question, 3.0, 1.0)
    spec = bc.Spec(graph, treatments=("tv",), experiments=tests)
    data = table(("tv", "sales"), seed=7)
    theta = {p.name: 0.1 for p in compile_scm(spec, data).parameters}
    tv, memory = (data.array(v) for v in ("tv", "sales"))
    own = {
        "tv->sales": 0.6 * np.ptp(tv) / tv.max(),
        "sales->sales@1": 0.4 * np.ptp([*memory[:-1], memory.mean()]) / memory.max(),
    }
    theta |= own
    one = 0.6 * data.array("sales").max() * 5.0 / data.array("tv").max()
    expected = one / (1 - 0.4)
    assert number(spec, data, theta, question) == pytest.approx(expected, rel=1e-12)
    at, _ = log_terms(spec, data, ["lift:point"])
    found = at(**own) - at(**{"tv->sales": 0.0})
    gap = stats.norm.logpdf(3.0, expected, 1.0) - stats.norm.logpdf(3.0, 0.0, 1.0)
    assert found[0] == pytest.approx(gap, rel=1e-9)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (bc.Estimand({"tv": (-1, 2)}, {"tv": 0}, off_panel="path"), "negative.*saturates"),
        (steady_state("tv", at=0, by=-3), "negative .down to -3."),
        (bc.Estimand({"tv": (1, 2)}, {"tv": (1, 2)}, off_panel="path"), "the same path of tv"),
        (bc.Estimand({"tv": ((1, 2), (1, 3))}, {"tv": 0}, off_panel="path"), r"shape \(2, 2\)"),
        (bc.Estimand({"tv": lambda x: x[:1]}, {"tv": (1, 2)}, off_panel="path"), r"shape \(1,\)"),
    ],
)
def test_paths_off_the_panel_are_checked(question, words):
    spec, data = curve()
    spec = replace(spec, experiments=lift("market", question, 2.0, 1.0))
    with pytest.raises(DataError, match=f"(?s){words}"):
        build(spec, data)


def test_a_function_off_the_panel_gets_the_mean_of_the_training_data():
    spec, data = carried(np.ones(4))
    theta = {"tv->y": 0.8, "tv->y:alpha": 0.5, "y:intercept": 0.0, "y:sigma": 1.0}
    question = bc.Estimand({"tv": bc.Times(1.1)}, {"tv": bc.Times(1.0)}, off_panel="steady")
    mean = data.array("tv").mean()
    expected = 0.8 * data.array("y").max() * 0.1 * mean / data.array("tv").max()
    assert number(spec, data, theta, question) == pytest.approx(expected, rel=1e-10)


# Percentages


def test_a_percentage_needs_something_to_be_taken_of():
    graph = bc.Graph.parse("tv -> y", outcome="y")
    spec = bc.Spec(graph, treatments=("tv",))
    y = np.sin(np.arange(WEEKS)) - 0.2
    data = table(("tv", "y"), seed=8, y=y)
    asked = on("tv", 5, 8, scale="percent")
    test = lift("tv", asked, 3.0, 1.0)
    assert y[5:9].sum() < 0
    with pytest.raises(DataError, match=r"zero or less in the data.*scale='total'"):
        build(replace(spec, experiments=test), data)
    theta = {"tv->y": 0.1, "y:intercept": 0.0, "y:sigma": 1.0}
    with pytest.raises(DataError, match="zero or less in the data"):
        number(spec, data, theta, asked)


def test_a_percentage_is_undefined_in_draws_without_a_baseline():
    graph = bc.Graph.parse("tv -> y", outcome="y")
    spec, data = bc.Spec(graph, treatments=("tv",)), table(("tv", "y"), seed=8)
    asked = on("tv", 5, 8, scale="percent")
    one = {"y:intercept": np.zeros(3), "y:sigma": np.ones(3)}
    found = number(spec, data, one | {"tv->y": [0.1, 50.0, 0.2]}, asked)
    assert np.isnan(found).tolist() == [False, True, False]
    with pytest.raises(DataError, match="in the control world of every draw"):
        number(spec, data, one | {"tv->y": [90.0, 50.0, 70.0]}, asked)


# Costs


def test_a_cost_enters_as_a_return_so_that_no_effect_is_no_pole():
    question = on("x", 3, 6, scale="cost")
    spec, data = two_edges((lift("a", question, 4.0, 1.0, "did"),))
    per = design_row(data, question)[0] / data.array("x")[3:7].sum()  # return per coefficient
    at, _ = log_terms(spec, data, ["lift:a"])
    points = np.array([0.0, 0.1, -2.0])
    found = [at(**{"x->y": b})[0] for b in points]
    expected = stats.norm(per * points, 2**0.5 / 16).logpdf(0.25)
    assert np.isfinite(found).all()
    assert np.diff(found) == pytest.approx(np.diff(expected), rel=1e-9)
    theta = {p.name: 0.1 for p in compile_scm(spec, data).parameters}
    assert number(spec, data, theta, question) == pytest.approx(1 / (0.1 * per), rel=1e-12)


# What is declared independent


def overlaps(*tests, units=2):
    spec = bc.Spec(
        bc.Graph.parse("x, z -> y", outcome="y"), treatments=("x", "z"), experiments=tests
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build(spec, table(("x", "z", "y"), units=units, seed=9))
    return [str(w.message) for w in caught if w.category is OverlappingExperiments]


def test_tests_of_one_channel_in_the_same_weeks_and_units_are_not_independent():
    first = lift("first", on("x", 3, 6), 9, 3)
    again = lift("again", on("x", 6, 8), 9, 3)
    (said,) = overlaps(first, again)
    assert "'first' and 'again'" in said
    assert "covariance={'again': ...}" in said
    assert len(overlaps(first, again, units=0)) == 1
    assert len(overlaps(first, lift("both", on(["x", "z"], 2, 3), 9, 3))) == 1
    assert len(overlaps(first, lift("u0", on("x", 3, 6, units="u0"), 9, 3))) == 1


@pytest.mark.parametrize(
    "second",
    [
        lift("later", on("x", 7, 8), 9, 3),
        lift("other channel", on("z", 3, 6), 9, 3),
        lift("elsewhere", on("x", 3, 6, units="u1"), 9, 3),
        lift("tied", on("x", 3, 6), 9, 3, covariance={"first": 2.0}),
        lift("declared", on("x", 3, 6), 9, 3, covariance={"first": 0.0}),
        lift("belief", on("x", 3, 6), 9, 3, "prior-belief"),
        lift("market", steady_state("x", 3, 6), 9, 3),
    ],
    ids=lambda test: test.name,
)
def test_what_does_not_overlap_is_not_warned_of(second):
    assert overlaps(lift("first", on("x", 3, 6, units="u0"), 9, 3), second) == []


def test_a_prediction_is_a_share_of_the_effect():
    spec, data = two_edges((lift("a", on("x", 3, 6), 90.0, 30.0, "user-rct", share=0.25),))
    scm = compile_scm(spec, data)
    theta = {p.name: np.array([0.1, 0.4]) for p in scm.parameters}
    found = predict_lift(bind(scm, theta), spec.experiments[0])
    path = contrast(bind(scm, theta), spec.experiments[0].estimand)
    assert found == pytest.approx(0.25 * path.sum(axis=-1), rel=1e-12)


@pytest.mark.parametrize("count", [400, pytest.param(4000, marks=pytest.mark.slow)])
def test_tests_of_a_simulated_world_are_measured_with_the_errors_that_they_have(count):
    """Means, spreads, a covariance and heavy tails, over measurements of one world.

    An sd has a relative error of sqrt((kurtosis - 1) / 4 n): 1.4 / sqrt(n) with 5 degrees of
    freedom, the heaviest tails here.
    """
    tests = (
        lift("a", on("x", 3, 6), 90.0, 30.0, covariance={"b": 250.0}),
        lift("b", on("z", 3, 6), -40.0, 25.0, "did", bias_sd=12.0),
        lift("heavy", on("x", 20, 23), 60.0, 20.0, nu=5.0),
    )
    spec, data = two_edges(tests)
    scm = compile_scm(spec, data)
    theta = {p.name: np.array([0.3]) for p in scm.parameters}
    rng = np.random.default_rng(3)
    equations = bind(scm, theta)
    made = [remeasured(equations, rng) for _ in range(count)]
    effects = [predict_lift(equations, test).item() for test in tests]
    pair = np.array([one["lift:a+b:observed"] for one in made])
    heavy = np.array([one["lift:heavy:observed"] for one in made])
    error = np.array([30.0, 27.7, 20.0 * np.sqrt(5 / 3)])
    found = np.column_stack([pair, heavy])
    assert (np.abs(found.mean(axis=0) - effects) < 4 * error / np.sqrt(count)).all()
    np.testing.assert_allclose(found.std(axis=0), error, rtol=5 / np.sqrt(count))
    assert np.cov(pair.T)[0, 1] == pytest.approx(250.0, abs=4 * 30 * 28 / np.sqrt(count))
    assert {name: np.shape(x) for name, x in made[0].items()} == {
        name: np.shape(x) for name, x in lift_data(spec, data).items()
    }
