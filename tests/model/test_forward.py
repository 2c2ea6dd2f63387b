"""`forward`, its contrasts and the log density, against the loops of `tests/oracle`."""

import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import oracle
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from modes import AS_WRITTEN
from pymc.model.transform.conditioning import remove_value_transforms

import bayescausal as bc
from bayescausal.experiments.estimand import steady_state
from bayescausal.model.contrast import contrast, measure, reach, scope, split
from bayescausal.model.feedback import evolve
from bayescausal.model.likelihood import parameter_variable, strengths
from bayescausal.model.mechanisms import edge_mechanisms
from bayescausal.model.predict import generate
from bayescausal.model.scm import Equations, Parameter, bind, compile_scm
from bayescausal.specs.noise import AR1Noise
from bayescausal.specs.prior import PARAMETERS

PERIODS = 26
START = pd.Timestamp("2024-01-01")
ADSTOCKS = (
    bc.GeometricAdstock(l_max=4),
    bc.DelayedAdstock(l_max=5),
    bc.WeibullPDFAdstock(l_max=3),
    bc.WeibullCDFAdstock(l_max=3, normalize=False),
    bc.BinomialAdstock(l_max=4),
    bc.NoAdstock(),
)
CURVES = (
    bc.HillSaturation(),
    bc.LogisticSaturation(),
    bc.ExponentialSaturation(),
    bc.MichaelisMentenSaturation(),
    bc.TanhSaturation(),
    bc.RootSaturation(),
)
# PyTensor stores a constant such as 2.0 as float32, so PyMC's normalizing constants, gammaln(2.0),
# are off by up to 1e-7 each. They do not depend on a parameter: the posterior is not touched.
FLOAT32 = 1e-7
MEDIA = bc.Response(bc.GeometricAdstock(l_max=4), bc.HillSaturation())
FUNNEL = """
demand -> search, sales, tv
tv -> search, sales
social, price, search -> sales
"""


def week(k):
    return START + pd.Timedelta(weeks=k)


def table(columns, units=0, history=0, spend=(), seed=0, value=1.0):
    """Positive columns of random numbers; spend of a channel is not its exposure."""
    rng = np.random.default_rng(seed)
    rows = []
    for u in range(max(1, units)):
        frame = pd.DataFrame({"week": pd.date_range(START, periods=PERIODS, freq="7D")})
        for name in columns:
            flat = rng.gamma(3.0, 10.0 * (1 + u), PERIODS)
            frame[name] = flat * (rng.random(PERIODS) < 0.7) if name in spend else flat
        for name in spend:
            frame[f"{name}_cost"] = frame[name] * rng.uniform(0.5, 1.5, PERIODS)
        rows.append(frame.assign(unit=f"u{u}"))
    frame = pd.concat(rows)
    frame.loc[(frame["unit"] == "u2"), list(spend)[:1]] = 0.0  # one unit without the first channel
    return bc.Dataset.from_frame(
        frame if units else frame.drop(columns="unit"),
        time="week",
        unit="unit" if units else None,
        spend={name: f"{name}_cost" for name in spend},
        history=history,
        value=value,
    )


def national():
    """A mediator with carry-over and saturation of its own, a log link on the outcome."""
    tests = (
        bc.Experiment(bc.incremental("tv").during(week(5), week(8)), 12.0, 3.0, "geo-rct"),
        bc.Experiment(
            bc.Estimand(
                {"tv": bc.Times(1.5)},
                {"tv": 2.0},
                outcome="search",
                scale="mean",
                window=(week(10), week(12)),
                name="tv on search",
            ),
            lift=-4.0,
            std_error=2.0,
            design="did",
            bias_sd=1.5,
            name="clicks",
        ),
        bc.Experiment(
            bc.incremental("social", scale="per_spend", window=(week(2), week(20))),
            lift=0.5,
            std_error=0.2,
            design="geo-rct",
        ),
    )
    spec = bc.Spec(
        bc.Graph.parse(FUNNEL, outcome="sales"),
        responses={
            "tv": MEDIA,
            "social": bc.Response(bc.DelayedAdstock(l_max=3), bc.RootSaturation()),
            "search": bc.Response(bc.GeometricAdstock(l_max=2), bc.TanhSaturation()),
        },
        baseline=(bc.LinearTrend(), bc.YearlySeasonality(2)),
        experiments=tests,
        links={"sales": "log"},
        policy={"search": "reacts"},
    )
    columns = ("tv", "social", "search", "price", "demand", "sales")
    return spec, table(columns, spend=("tv", "social"))


def panel():
    """Three units, one of them without tv; a coefficient, a lift in two of the units."""
    test = bc.Experiment(
        bc.incremental("tv", units=("u0", "u1")).during(week(4), week(9)), 30.0, 9.0, "geo-rct"
    )
    spec = bc.Spec(
        bc.Graph.parse(FUNNEL, outcome="sales"),
        responses={
            "tv": MEDIA,
            "social": bc.Response(
                bc.BinomialAdstock(l_max=3),
                bc.LogisticSaturation(),
                strength=bc.Coefficient(bc.Prior("HalfNormal", sigma=0.4)),
            ),
        },
        baseline={
            "sales": (bc.Intercept(bc.Prior("Normal", mu=0.5, sigma=0.2)), bc.LinearTrend()),
            "search": (),
        },
        experiments=(test,),
        links={"search": "log"},
    )
    columns = ("tv", "social", "search", "price", "demand", "sales")
    return spec, table(columns, units=3, spend=("tv", "social"), seed=1)


def lagged():
    """Lags on plain and on media edges; two edges of one pair at different lags."""
    graph = """
    tv -> search @ 2
    tv -> sales
    tv -> sales @ 3
    search -> sales @ 1
    price -> sales, search
    """
    spec = bc.Spec(
        bc.Graph.parse(graph, outcome="sales"),
        responses={
            "tv->search@2": MEDIA,
            "tv->sales@3": bc.Response(bc.TanhSaturation(), bc.GeometricAdstock(l_max=2)),
        },
        links={"search": "log"},
    )
    return spec, table(("tv", "search", "price", "sales"), spend=("tv",), seed=2)


def paid():
    """Priors on returns, and a signed mean contribution."""
    spec = bc.Spec(
        bc.Graph.parse("tv, social, price -> sales", outcome="sales"),
        responses={
            "tv": bc.Response(
                *MEDIA.transforms,
                strength=bc.ReturnOnSpend(bc.Prior("LogNormal", mu=0.0, sigma=0.5)),
            ),
            "social": bc.Response(
                bc.LogisticSaturation(),
                strength=bc.MeanContribution(bc.Prior("Normal", mu=-0.1, sigma=0.1)),
            ),
        },
        experiments=(bc.Experiment(bc.incremental(["tv", "social"]), 20.0, 6.0, "switchback"),),
    )
    return spec, table(("tv", "social", "price", "sales"), units=2, spend=("tv", "social"), seed=3)


def history():
    """Six periods that only feed adstock."""
    spec, _ = national()
    data = table(
        ("tv", "social", "search", "price", "demand", "sales"),
        history=6,
        spend=("tv", "social"),
        seed=4,
    )
    tests = (bc.Experiment(bc.incremental("tv").during(week(8), week(11)), 12.0, 3.0, "geo-rct"),)
    return bc.Spec(
        spec.graph,
        spec.responses,
        (bc.LinearTrend(), bc.PiecewiseTrend(2)),
        tests,
        links=spec.links,
        policy=spec.policy,
    ), data


def smooth():
    """Every kind of baseline term, with history rows before the training periods."""
    terms = (
        bc.HSGPTrend(m=4, boundary=2.5),
        bc.MonthlySeasonality(1),
        bc.Event("launch", (week(9), week(17) + pd.Timedelta(days=3)), before=1, after=2),
        bc.Holidays("US", names=("Memorial Day", "Juneteenth National Independence Day"), after=1),
        bc.PiecewiseTrend((week(12), week(20))),
    )
    spec = bc.Spec(
        bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales"),
        responses={"tv": MEDIA},
        baseline=terms,
    )
    return spec, table(("tv", "search", "sales"), spend=("tv",), history=3, seed=5)


def student():
    """Heavy tails under both links."""
    spec = bc.Spec(
        bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales"),
        responses={"tv": MEDIA},
        links={"sales": "log"},
        noise={
            "sales": bc.StudentTNoise(),
            "search": bc.StudentTNoise(
                sigma=bc.Prior("Exponential", lam=3.0), nu=bc.Prior("Gamma", alpha=3, beta=0.2)
            ),
        },
    )
    return spec, table(("tv", "search", "sales"), units=2, spend=("tv",), seed=6)


def zoo():
    """Every adstock with some saturation, in both orders."""
    names = [f"m{k}" for k in range(6)]
    responses = {
        name: bc.Response(*((a, s) if k % 2 else (s, a)))
        for k, (name, a, s) in enumerate(zip(names, ADSTOCKS, CURVES, strict=True))
    }
    responses["m6"] = bc.Response(bc.NoSaturation(), strength=bc.Prior("HalfNormal", sigma=0.2))
    graph = bc.Graph.parse(f"{', '.join([*names, 'm6'])} -> sales", outcome="sales")
    return bc.Spec(graph, responses), table((*names, "m6", "sales"), spend=names, seed=7)


def confounded():
    """Unobserved causes of a channel and the outcome, and of the mediator and the outcome."""
    graph = f"{FUNNEL}\ntv <-> sales\nsearch <-> sales"
    test = bc.Experiment(bc.incremental("tv").during(week(5), week(8)), 12.0, 3.0, "geo-rct")
    spec = bc.Spec(
        bc.Graph.parse(graph, outcome="sales"),
        responses={"tv": MEDIA, "social": MEDIA},
        experiments=(test,),
        correlations={"sales<->search": bc.Prior("Uniform", lower=-0.8, upper=0.9)},
    )
    columns = ("tv", "social", "search", "price", "demand", "sales")
    return spec, table(columns, spend=("tv", "social"), seed=9)


def confounded_panel():
    """The same in units, one of them without tv; history, and a level of each unit."""
    spec, _ = confounded()
    columns = ("tv", "social", "search", "price", "demand", "sales")
    data = table(columns, units=3, spend=("social",), history=3, seed=10)
    return replace(spec, experiments=(), baseline=(bc.LinearTrend(),)), data


def apart():
    """Units of declared size that respond differently, along a media and a plain edge, with errors
    of their own."""
    spread = bc.Prior("InverseGamma", alpha=3, beta=0.5)
    graph = """
    tv, social -> search, sales
    price -> sales
    search -> sales
    """
    test = bc.Experiment(
        bc.incremental("tv", units=("u0", "u1")).during(week(4), week(9)), 30.0, 9.0, "geo-rct"
    )
    steady = bc.Estimand({"tv": 30.0}, {"tv": 12.0}, off_panel="steady", units=("u1",))
    spec = bc.Spec(
        bc.Graph.parse(graph, outcome="sales"),
        responses={
            "tv": bc.Response(*MEDIA.transforms, spread=spread),
            "social": bc.Response(
                bc.LogisticSaturation(),
                strength=bc.ReturnOnSpend(bc.Prior("Normal", mu=1.0, sigma=0.5)),
                spread=bc.Prior("HalfNormal", sigma=0.4),
            ),
            "social->search": MEDIA,
            "price": bc.Response(spread=spread),
        },
        experiments=(test, bc.Experiment(steady, 7.0, 5.0, "geo-rct", name="steady")),
        links={"search": "log"},
        treatments=("tv", "social"),
        noise={
            "search": bc.StudentTNoise(spread=spread),
            "sales": AR1Noise(spread=bc.Prior("Exponential", lam=3.0)),
        },
    )
    columns = ("tv", "social", "search", "price", "sales", "people")
    data = table(columns, units=3, spend=("tv", "social"), history=2, seed=16)
    return spec, replace(data, size="people")


def common():
    """A latent with three modelled children, and a bare pair among them."""
    graph = """
    latent: weather
    weather -> search, visits, sales
    tv -> search, visits, sales
    search, visits -> sales
    search <-> visits
    """
    spec = bc.Spec(bc.Graph.parse(graph, outcome="sales"), {"tv": MEDIA}, links={"visits": "log"})
    return spec, table(("tv", "search", "visits", "sales"), spend=("tv",), seed=11)


def remembering():
    """Memory of two nodes of a district: one Student-t, one under a log link; a third without."""
    graph = """
    tv -> search, visits, sales
    search, visits -> sales
    search <-> visits
    visits <-> sales
    """
    spec = bc.Spec(
        bc.Graph.parse(graph, outcome="sales"),
        {"tv": MEDIA},
        links={"sales": "log"},
        noise={
            "search": AR1Noise(nu=bc.Prior("Gamma", alpha=4, beta=0.5)),
            "sales": AR1Noise(sigma=bc.Prior("LogNormal", mu=-1.0, sigma=0.5)),
        },
    )
    return spec, table(("tv", "search", "visits", "sales"), spend=("tv",), history=2, seed=12)


def proxy():
    """Visits cause nothing, but share hidden causes with tv and with sales: M-bias."""
    graph = """
    latent: taste, mood
    taste -> tv, visits
    mood -> visits, sales
    price -> visits
    tv, social -> sales
    """
    spec = bc.Spec(
        bc.Graph.parse(graph, outcome="sales"),
        {"tv": MEDIA, "social": MEDIA},
        baseline={"visits": (bc.LinearTrend(),)},
    )
    columns = ("tv", "social", "price", "visits", "sales")
    return spec, table(columns, spend=("tv", "social"), seed=21)


def persistent():
    """Memory of normal errors in a district of units, and alone."""
    graph = "tv -> search, visits, sales\nsearch, visits -> sales\nsearch <-> sales"
    spec = bc.Spec(bc.Graph.parse(graph, outcome="sales"), {"tv": MEDIA}, noise=AR1Noise())
    return spec, table(("tv", "search", "visits", "sales"), units=2, spend=("tv",), seed=13)


def feedback():
    """A budget that follows past sales and reacts, sales that live on, an experiment."""
    spec, data = held()
    test = bc.Experiment(
        bc.incremental("social").during(week(20), week(21)), 5.0, 2.0, "switchback"
    )
    return replace(spec, policy={"tv": "reacts"}, experiments=(test,)), data


def held():
    """A budget that follows past sales: its equation is fitted, in other worlds it is a plan."""
    graph = """
    tv, social, price -> sales
    sales -> sales @ 1
    sales -> tv @ 1
    tv <-> sales
    """
    responses = {"tv": MEDIA, "social": bc.Response(bc.DelayedAdstock(l_max=2))}
    spec = bc.Spec(bc.Graph.parse(graph, outcome="sales"), responses)
    return spec, table(("tv", "social", "price", "sales"), seed=14)


def measured():
    """Every scale, tails that are stated, shares, Student-t errors, ages, worlds off the panel."""
    spec, _ = national()
    tv, social = bc.incremental("tv"), bc.incremental("social")
    early, late = (week(5), week(8)), (week(12), week(15))
    before = (START - pd.Timedelta(days=60), START - pd.Timedelta(days=30))
    path = bc.Estimand({"tv": (30.0, 0, 20.0)}, {"tv": (5.0, 0.0, 2.0)}, off_panel="path")

    def test(name, estimand, lift, std_error, design="geo-rct", **more):
        return bc.Experiment(estimand, lift, std_error, design, name=name, **more)

    tests = (
        test("percent", replace(tv, window=early, scale="percent"), 4.0, 2.0, "did"),
        test("cost", replace(social, window=late, scale="cost"), 2.0, 4.0, "instrument"),
        test("tail", replace(tv, window=late, carryover=2), 9.0, 3.0, nu=4.0),
        test("old", replace(social, window=(week(2), week(6)), carryover=0), 5, 2, half_life=6.5),
        test(
            "users",
            replace(tv, window=(week(18), week(19)), outcome="search", scale="mean"),
            1.0,
            0.5,
            "user-rct",
            share=0.3,
        ),
        test("before", replace(path, window=before), 12.0, 8.0, "did", half_life=20.0),
        test("market", replace(path, scale="cost", carryover=1), 1.0, 2.0, bias_sd=0.0),
        test("point", steady_state("social", 20, -15, scale="mean"), -9, 4, "prior-belief"),
        test("curve", steady_state("tv", 3, 12, scale="percent", outcome="search"), 9.0, 4.0),
    )
    columns = ("tv", "social", "search", "price", "demand", "sales")
    links = {"search": "log"}
    spec = replace(spec, experiments=tests, links=links, baseline=(bc.LinearTrend(),))
    return spec, table(columns, spend=("tv", "social"), history=2, seed=15)


def arms():
    """Tests in units that share a control: a chain of covariances, a pair, and one alone."""
    spec, data = panel()
    tv, social = bc.incremental("tv"), bc.incremental("social")
    first, second, third = ("u0",), ("u1",), ("u0", "u1")
    when, late = (week(4), week(9)), (week(18), week(21))
    both = bc.Estimand({"tv": bc.Times(1.5), "social": 12.0}, window=when, units=first)
    steady = bc.Estimand({"tv": 30.0}, {"tv": 12.0}, off_panel="steady", units=second)

    def test(name, estimand, lift, std_error, design="geo-rct", **more):
        return bc.Experiment(estimand, lift, std_error, design, name=name, **more)

    tests = (
        test("b", replace(tv, window=when, units=first), 30, 9, covariance={"a": 20, "c": -15}),
        test("a", replace(tv, window=when, units=second), 20, 8, "did"),
        test("c", both, 25.0, 7.0, covariance={"b": -15}, half_life=30.0),
        test("e", replace(social, window=when, units="u2", scale="percent"), 3.0, 2.0),
        test("d", steady, 7.0, 5.0, covariance={"e": 4.0}),
        test("g", replace(social, window=late, scale="cost"), 2.0, 1.5, covariance={"d": 3.0}),
        test("f", replace(tv, window=(week(15), week(16)), units=third), -3, 6, nu=5),
    )
    return replace(spec, experiments=tests), data


WINDOW = (week(8), week(13))
LATE = (week(18), week(20))
QUESTIONS = {
    "national": (
        bc.incremental("tv"),
        bc.incremental("tv", window=WINDOW),
        bc.incremental("tv", window=WINDOW, carryover=False),
        bc.incremental("tv", window=WINDOW, outcome="search", scale="mean"),
        bc.incremental(["tv", "social"], window=WINDOW, scale="per_spend"),
        bc.Estimand({"tv": bc.Times(1.1)}, {"tv": bc.Plus(0.5)}, window=WINDOW),
        bc.Estimand({"tv": np.linspace(0, 30, PERIODS)}, window=(week(3), week(3))),
        bc.Estimand({"search": bc.Times(1.2)}, {"search": 10.0}, window=WINDOW),
        bc.Estimand({"tv": 30.0, "search": bc.Plus(5)}, {"tv": 0.0, "search": 20.0}),
        bc.Estimand(control={"tv->search": 0.0}, window=WINDOW),
        bc.Estimand(control={"tv->sales": 0.0, "search -> sales": 1.0}, window=WINDOW),
        bc.incremental("tv", window=(week(24), week(30))),  # the tail is cut by the data
        bc.Estimand(control={"tv": 2.0, "search": 20.0}, window=WINDOW),  # tv only acts directly
        # Each world sets a node of the other's paths: tv still acts through search in its own.
        bc.Estimand({"tv": 3.0}, {"search": bc.Times(1.2)}, window=WINDOW),
    ),
    "panel": (
        bc.incremental("tv"),
        bc.incremental("tv", units=("u1",), window=WINDOW, scale="mean"),
        bc.incremental("social", units=("u2", "u0"), window=WINDOW, carryover=False),
        bc.incremental("social", units="u2", scale="per_spend"),
        bc.Estimand({"tv": np.arange(3.0 * PERIODS).reshape(3, PERIODS)}, window=WINDOW),
        bc.Estimand({"tv": np.arange(1.0 * PERIODS)}, {"tv->search": 0.0}, units="u0"),
    ),
    "lagged": (
        bc.incremental("tv", window=(week(6), week(6))),
        bc.incremental("tv", window=WINDOW, outcome="search"),
        bc.Estimand(control={"tv->sales@3": 0.0}, window=WINDOW),
        bc.Estimand({"price": bc.Times(0.9)}, window=WINDOW),
    ),
    "paid": (
        bc.incremental("tv", scale="per_spend"),
        bc.incremental(["tv", "social"], window=WINDOW),
    ),
    "history": (
        bc.incremental("tv"),
        bc.incremental("tv", window=(week(6), week(7)), scale="per_spend"),
    ),
    "smooth": (bc.incremental("tv", window=WINDOW),),
    "student": (bc.incremental("tv"), bc.Estimand({"search": bc.Times(1.1)}, window=WINDOW)),
    "zoo": tuple(bc.incremental(f"m{k}", window=WINDOW) for k in range(7)),
    "confounded": (
        bc.incremental("tv", window=WINDOW),
        bc.Estimand({"search": bc.Times(1.2)}, {"tv": 3.0}, window=WINDOW),
        bc.Estimand(control={"tv->search": 0.0}, window=WINDOW),
    ),
    "confounded_panel": (bc.incremental("tv", window=WINDOW, units=("u0", "u2")),),
    "apart": (
        bc.incremental("tv"),
        bc.incremental("social", units="u1", scale="per_spend"),
        bc.incremental("price", units=("u0",), window=WINDOW, carryover=False),
        bc.Estimand(control={"tv->sales": 0.0}, units="u0", window=WINDOW),
    ),
    "common": (bc.incremental("tv", window=WINDOW), bc.incremental("tv", outcome="visits")),
    "remembering": (bc.incremental("tv", window=WINDOW),),
    "proxy": (bc.incremental("tv", window=WINDOW), bc.incremental("social")),
    "persistent": (bc.incremental("tv", window=WINDOW, scale="mean"),),
    "feedback": (
        bc.incremental("social", window=LATE),
        bc.incremental("tv", window=LATE),
        bc.Estimand(control={"tv->sales": 0.0}, window=LATE),
        bc.Estimand({"social": bc.Times(2.0)}, {"tv": 3.0}, window=LATE, scale="mean"),
        bc.incremental("social", outcome="tv", window=(week(19), week(19))),
    ),
    "measured": (
        bc.incremental("tv", window=WINDOW, carryover=1),
        bc.incremental("tv", window=WINDOW, scale="percent", carryover=3),
        bc.incremental("social", window=WINDOW, scale="cost", carryover=0),
        bc.Estimand({"social": bc.Times(1.2)}, window=WINDOW, scale="percent"),
        bc.incremental(["tv", "social"], window=WINDOW, scale="percent", outcome="search"),
    ),
    "arms": (
        bc.incremental("tv", window=WINDOW, units=("u0", "u1"), scale="percent"),
        bc.incremental("social", window=WINDOW, scale="cost", carryover=2),
    ),
    "held": (
        bc.incremental("social", window=LATE),
        bc.incremental("tv", window=LATE),
        bc.Estimand(control={"tv->sales": 0.0}, window=LATE),
    ),
}
MAKERS = {
    f.__name__: f
    for f in (
        *(national, panel, lagged, paid, history, smooth, student, zoo),
        *(confounded, confounded_panel, common, remembering, proxy, persistent, feedback, held),
        *(measured, arms, apart),
    )
}
CASES = sorted(MAKERS)
# Evaluated as a graph: each of the others is a part of one of these.
TOLD_APART = (
    *("panel", "smooth", "student", "zoo", "confounded_panel", "common", "remembering"),
    *("feedback", "measured", "apart"),
)
AS_GRAPHS = [
    name if name in TOLD_APART else pytest.param(name, marks=pytest.mark.slow) for name in CASES
]
# A density takes seconds to compile: in these are curves, units, tied errors, memory and tests.
DENSITIES = [
    name
    if name in ("zoo", "confounded_panel", "remembering", "measured")
    else pytest.param(name, marks=pytest.mark.slow)
    for name in CASES
]
ASKED = [(name, k) for name in CASES for k in range(len(QUESTIONS[name]))]


@cache
def case(name):
    """A compiled model, random parameters from the prior, and the oracle of the first draw."""
    spec, data = MAKERS[name]()
    rng = np.random.default_rng([11, CASES.index(name)])
    draws = [oracle.draw(spec, data, rng) for _ in range(3)]
    for one in draws:  # feedback that dies out: growing paths would hide what is small
        one |= {k: 0.3 * v for k, v in one.items() if k in ("sales->sales@1", "sales->tv@1")}
    theta = {k: np.stack([np.asarray(d[k], dtype=float) for d in draws]) for k in draws[0]}
    scm = compile_scm(spec, data)  # its spec has what data decide: lengths, links, memory
    return scm, theta, oracle.Worlds(scm.spec, data, draws[0])


def first(theta):
    return {k: v[0] for k, v in theta.items()}


def means(scm, theta, edges):
    """Mean of every modelled node given its observed parents, on the link scale."""
    out = {}

    def settle(node, mu):
        out[node] = mu
        return scm.factual[node]

    bind(scm, theta).forward(settle)
    return out


def flat(scm, path):
    """An oracle's path as an array with the dims of the data."""
    return np.array(path) if scm.data.is_panel else np.array(path[0])


def close(found, expected, size):
    """Equal to 1e-10 of the level of the paths: a contrast is a difference of two of them."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    assert np.allclose(found, expected, rtol=1e-10, atol=1e-10 * size)


def splittable(estimand):
    """Questions about nodes, in which each world sets every treatment or leaves all of them."""
    return not any("->" in key for key in estimand.keys)


# Structure


@pytest.mark.parametrize("name", CASES)
def test_parameters_and_scales_are_those_of_the_oracle(name):
    scm, theta, second = case(name)
    assert {p.name for p in scm.parameters} == set(theta)
    for p in scm.parameters:
        assert p.size == (theta[p.name].shape[-1] if p.dim else 1)
    assert list(scm.spec.modelled) == second.modelled
    for node in second.x:
        np.testing.assert_allclose(np.ravel(scm.scale[node]), second.scale[node], rtol=1e-12)


# numpy against loops


@pytest.mark.parametrize("name", CASES)
def test_coefficients_and_centers_equal_the_oracle(name):
    scm, theta, second = case(name)
    made = edge_mechanisms(scm, first(theta), scm.factual)
    assert set(made) == set(second.mechanism)
    for edge, (beta, center) in second.mechanism.items():
        assert made[edge].beta.item() == pytest.approx(beta, rel=1e-10)
        assert made[edge].center.item() == pytest.approx(center, rel=1e-10)
        f = flat(scm, second.curve(edge, second.x[edge.source]))
        close(made[edge].factual, f, np.abs(f).max())


@pytest.mark.parametrize("name", CASES)
def test_means_equal_the_oracle(name):
    scm, theta, second = case(name)
    found = means(scm, first(theta), edge_mechanisms(scm, first(theta), scm.factual))
    for node in scm.spec.modelled:
        expected = flat(scm, second.mu(node, second.x))
        close(np.broadcast_to(found[node], expected.shape), expected, np.abs(expected).max())


@pytest.mark.parametrize(("name", "k"), ASKED)
def test_contrast_equals_the_oracle(name, k):
    scm, theta, second = case(name)
    estimand = QUESTIONS[name][k]
    one = first(theta)
    found = contrast(bind(scm, one), estimand)
    expected = flat(scm, oracle.contrast(second, estimand))
    size = np.abs(scm.factual[oracle.outcome(second, estimand)]).max()
    close(found, expected, size)
    assert np.abs(expected).max() > 1e-6 * size  # a comparison of zeros would say nothing
    # Cancellation: a sum of differences is only as good as the sum of the sizes.
    slack = 1e-10 * size * found.size / abs(found.sum())
    number = measure(bind(scm, one), estimand)
    assert number == pytest.approx(oracle.effect(second, estimand), rel=1e-10 + slack)


@pytest.mark.parametrize(("name", "k"), ASKED)
def test_scope_equals_the_oracle(name, k):
    scm, _, second = case(name)
    estimand = QUESTIONS[name][k]
    where = scope(scm, estimand)
    shape = scm.factual[oracle.outcome(second, estimand)].shape
    for mask, expected in (
        (where.acts, oracle.acts(second, estimand)),
        (where.counts, oracle.counts(second, estimand)),
    ):
        pairs = np.argwhere(np.broadcast_to(mask, shape)).tolist()
        assert {(u, t) for u, t in (p if len(p) == 2 else (0, *p) for p in pairs)} == expected
    assert where.periods == len(oracle.acts(second, estimand))
    assert reach(scm, estimand) >= oracle.reach(second, estimand)
    last = max(t for _, t in oracle.acts(second, estimand))
    tail = reach(scm, estimand) if estimand.tail is None else estimand.tail
    assert where.truncated == (last + tail > PERIODS - 1)


SPLIT = [(n, k) for n, k in ASKED if splittable(QUESTIONS[n][k])]


@pytest.mark.parametrize(("name", "k"), SPLIT)
def test_split_equals_the_oracle(name, k):
    scm, theta, second = case(name)
    estimand, one = QUESTIONS[name][k], first(theta)
    found = split(bind(scm, one), estimand)
    size = np.abs(scm.factual[oracle.outcome(second, estimand)]).max()
    for part, path in oracle.split(second, estimand).items():
        expected = flat(scm, path)
        close(np.broadcast_to(found[part], expected.shape), expected, size)


@pytest.mark.parametrize("name", CASES)
def test_every_node_of_a_world_equals_the_oracle(name):
    scm, theta, second = case(name)
    one, treatment = first(theta), scm.spec.treatments[0]
    halved = scm.factual[treatment] / 2
    found = evolve(bind(scm, one), do={treatment: halved})
    rows = halved if scm.data.is_panel else halved[None]
    for node, path in second.world({treatment: rows.tolist()}).items():
        expected = flat(scm, path)
        close(found[node], expected, np.abs(expected).max())


def test_an_interventional_world_without_noise_follows_the_means():
    scm, theta, second = case("national")
    one = first(theta) | {"search:sigma": np.array(1e-14), "sales:sigma": np.array(1e-14)}
    do = {"tv": np.zeros(PERIODS)}
    found = generate(bind(scm, one), np.random.default_rng(0), do=do)
    world = dict(second.x, tv=[[0.0] * PERIODS])
    for node in second.modelled:
        world[node] = [[second.inverse(node, m, 0) for m in second.mu(node, world)[0]]]
        expected = flat(scm, world[node])
        close(found[node], expected, np.abs(expected).max())


def test_an_interventional_world_may_set_a_mediator():
    scm, theta, _ = case("national")
    one = first(theta)
    fixed = np.full(PERIODS, 25.0)
    found = generate(bind(scm, one), np.random.default_rng(0), do={"search": fixed})
    assert np.array_equal(found["search"], fixed)


# Draws


@pytest.mark.parametrize("shape", [(3,), (1, 3)])
@pytest.mark.parametrize("name", CASES)
def test_broadcasting_over_draws_equals_a_loop(name, shape):
    scm, theta, second = case(name)
    x = scm.factual
    whole = {k: v.reshape(*shape, *v.shape[1:]) for k, v in theta.items()}
    edges = edge_mechanisms(scm, whole, x)
    mean = means(scm, whole, edges)
    paths = [contrast(bind(scm, whole, x), q) for q in QUESTIONS[name]]
    parts = [split(bind(scm, whole, x), q) for q in QUESTIONS[name] if splittable(q)]
    for d in range(3):
        one = {k: v[d] for k, v in theta.items()}
        at, own = (*[0] * (len(shape) - 1), d), edge_mechanisms(scm, one, x)
        for node, expected in means(scm, one, own).items():
            close(mean[node][at], expected, np.abs(expected).max())
        for found, q in zip(paths, QUESTIONS[name], strict=True):
            size = np.abs(x[oracle.outcome(second, q)]).max()
            close(found[at], contrast(Equations(scm, one, x, own), q), size)
        asked = [q for q in QUESTIONS[name] if splittable(q)]
        for found, q in zip(parts, asked, strict=True):
            size = np.abs(x[oracle.outcome(second, q)]).max()
            for key, expected in split(Equations(scm, one, x, own), q).items():
                alone = found[key] if found[key].ndim == scm.depth else found[key][at]
                close(alone, expected, size)


# PyTensor


@pytest.mark.parametrize("name", AS_GRAPHS)
def test_numpy_equals_pytensor(name):
    scm, theta, _ = case(name)
    one = first(theta)
    x = {v: pt.tensor(v, shape=path.shape, dtype="float64") for v, path in scm.factual.items()}
    own = {k: pt.tensor(k, shape=v.shape, dtype="float64") for k, v in one.items()}

    def outputs(theta, x, xp):
        edges = edge_mechanisms(scm, theta, x, xp)
        asked = QUESTIONS[name]
        paths = [contrast(Equations(scm, theta, x, edges, xp), q) for q in asked]
        parts = [split(Equations(scm, theta, x, edges, xp), q) for q in asked if splittable(q)]
        levels = [scm.baseline(v, theta, xp) for v in scm.spec.modelled]
        return [
            *paths,
            *(p for each in parts for p in each.values()),
            *levels,
            *(m.beta for m in edges.values()),
        ]

    run = pytensor.function(
        [*x.values(), *own.values()],
        outputs(own, x, pt),
        mode=AS_WRITTEN,
        on_unused_input="ignore",
    )
    found = run(*scm.factual.values(), *one.values())
    size = max(np.abs(scm.factual[v]).max() for v in scm.spec.modelled)
    for a, b in zip(found, outputs(one, scm.factual, np), strict=True):
        close(a, b, size)


# The log density


@pytest.mark.parametrize("name", DENSITIES)
def test_log_density_equals_the_oracle(name):
    scm, theta, second = case(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bc.errors.FewerRowsThanParameters)
        model = bc.build(scm.spec, scm.data)
    plain = remove_value_transforms(model)  # densities of the parameters themselves: no Jacobian
    terms = plain.logp(jacobian=False, sum=False)
    names = [v.name for v in (*plain.free_RVs, *plain.observed_RVs)]
    groups = oracle.lift_groups(scm.spec.experiments)
    lifts = ["lift:" + "+".join(test.name for test in group) for group in groups]
    # Some strengths are sampled through their swing, and some sigmas through what the errors of
    # earlier nodes leave of them, and units halfway; what the oracle reads is the strength, sigma,
    # and the deviation.
    swings = {f"{e}:swing": e for e in scm.spec.mechanisms if f"{e}:swing" in names}
    taus = {f"{v}:tau": v for v in scm.spec.modelled if f"{v}:tau" in names}
    halves = {f"{n}:unit:score": n for n in scm.unit_specific if not n.endswith(":sigma")}
    derived = {*map(str, swings.values()), *(f"{v}:sigma" for v in taus.values())}
    derived |= {f"{n}:unit" for n in halves.values()}
    free = {*theta, *swings, *taus, *halves} - derived
    assert set(names) == {*free, *scm.spec.modelled, *lifts}
    run = plain.compile_fn([term.sum() for term in terms], mode=AS_WRITTEN)
    for d in range(2):
        one = {k: v[d] for k, v in theta.items()}
        again = second if d == 0 else oracle.Worlds(scm.spec, scm.data, one)
        left = {k: oracle.left_over(again, v) for k, v in taus.items()}
        point = {k: one[k] for k in free & {*theta}}
        point |= {k: oracle.swing(again, edge) for k, edge in swings.items()}
        point |= {k: one[f"{v}:sigma"] * left[k] for k, v in taus.items()}
        root = {k: one[f"{n}:spread"] ** 0.5 for k, n in halves.items()}
        point |= {k: one[f"{n}:unit"] / root[k] for k, n in halves.items()}
        found = dict(zip(names, run(point), strict=True))
        nodes = sum(found[v] for v in scm.spec.modelled)
        assert nodes == pytest.approx(oracle.log_likelihood(again), rel=1e-8)
        constants = 2 * FLOAT32 * len(scm.spec.experiments)
        measured = pytest.approx(oracle.log_lifts(again), rel=1e-8, abs=constants)
        assert sum(found[v] for v in lifts) == measured
        # The change of variables is exact: p(swing) d swing = p(value) d value, and with tau.
        jacobian = sum(oracle.log_jacobian(again, edge) for edge in swings.values())
        jacobian += sum(map(np.log, left.values()))
        free_units = len(scm.data.units) - 1
        jacobian -= free_units * sum(map(np.log, root.values()))
        prior = sum(found[v] for v in free) + jacobian
        assert prior == pytest.approx(oracle.log_prior(again), rel=1e-8, abs=FLOAT32 * len(theta))


EXAMPLES = {
    "Beta": {"alpha": 2.0, "beta": 3.0},
    "Cauchy": {"alpha": 0.3, "beta": 2.0},
    "Exponential": {"lam": 2.5},
    "Gamma": {"alpha": 2.0, "beta": 0.7},
    "HalfCauchy": {"beta": 1.3},
    "HalfNormal": {"sigma": 0.4},
    "HalfStudentT": {"nu": 4.0, "sigma": 0.6},
    "InverseGamma": {"alpha": 3.0, "beta": 0.8},
    "Laplace": {"mu": 0.2, "b": 0.5},
    "LogNormal": {"mu": -0.3, "sigma": 0.7},
    "Normal": {"mu": 0.4, "sigma": 1.7},
    "StudentT": {"nu": 5.0, "mu": 0.1, "sigma": 0.9},
    "TruncatedNormal": {"mu": 0.5, "sigma": 1.0, "lower": 0.0},
    "Uniform": {"lower": 0.1, "upper": 3.0},
}


@pytest.mark.parametrize("distribution", sorted(PARAMETERS))
def test_a_prior_has_the_density_that_scipy_gives_it(distribution):
    prior = bc.Prior(distribution, **EXAMPLES[distribution])
    with pm.Model():
        made = parameter_variable(Parameter("z", prior), {})
    z = pt.dscalar("z")
    run = pytensor.function([z], pm.logp(made, z), mode="FAST_COMPILE")
    points = (0.21, 0.37, 0.93)
    found = [run(p).item() for p in points]
    expected = [oracle.frozen(prior).logpdf(p) for p in points]
    assert found == pytest.approx(expected, abs=FLOAT32)
    # What depends on the parameter is right to rounding, without PyMC's float32 constants.
    assert np.diff(found) == pytest.approx(np.diff(expected), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("distribution", sorted(PARAMETERS))
def test_a_strength_sampled_through_its_swing_keeps_its_prior(distribution):
    """p(swing) d swing = p(value) d value, for every distribution a strength may have."""
    scm, theta, second = case("paid")
    edge = bc.Edge("tv", "sales")
    f = scm.curve(edge, first(theta), scm.factual["tv"])
    prior = bc.Prior(distribution, **EXAMPLES[distribution])
    with pm.Model() as model:
        strengths(scm, (edge,), [prior], pt.constant(f)[None])
    times = oracle.swing(second, edge) / second.theta[str(edge)]  # swing per unit of the strength
    z = pt.dscalar("z")
    made = model.free_RVs[0]
    if made.name == "tv->sales":  # no scale family here: the strength itself is sampled
        times = 1.0
        assert distribution in ("Beta", "LogNormal")
    run = pytensor.function([z], pm.logp(made, z), mode="FAST_COMPILE")
    for value in (0.21, 0.37, 0.93):
        expected = oracle.frozen(prior).logpdf(value) - np.log(times)
        assert run(value * times).item() == pytest.approx(expected, abs=FLOAT32)


# Baselines


def test_design_columns_are_centered_over_the_training_periods():
    scm, _, _ = case("smooth")
    for columns in scm.design["sales"].values():
        assert np.abs(columns[:, scm.data.history :].mean(axis=1)).max() < 1e-14


@pytest.mark.parametrize(("date", "before", "after"), [(-1, 0, 2), (PERIODS, 2, 0)])
def test_an_event_just_outside_the_data_is_felt_inside(date, before, after):
    time = pd.date_range(START, periods=PERIODS, freq="7D")
    event = bc.Event("launch", (week(date), week(10)), before=before, after=after)
    expected = oracle.pulses(list(time), event.dates, before, after, event.decay)
    assert np.allclose(event.columns(time, time)[:, 0], expected)


def test_two_nodes_may_have_one_kind_of_term_with_other_settings():
    spec = bc.Spec(
        bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales"),
        responses={"tv": MEDIA},
        baseline={"search": bc.YearlySeasonality(1), "sales": bc.YearlySeasonality(3)},
    )
    data = table(("tv", "search", "sales"), spend=("tv",), seed=8)
    model = bc.build(spec, data)
    own = [model["search:yearly"], model["sales:yearly"]]
    shapes = [d.shape for d in pm.draw(own, random_seed=0, mode="FAST_COMPILE")]
    assert shapes == [(2,), (6,)]
