"""Errors that share causes and errors with memory: closed forms, and the laws that hold anyway."""

from functools import cache

import numpy as np
import oracle
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import bayescausal as bc
from bayescausal.model.contrast import contrast, resolve, scope
from bayescausal.model.errors import correlations, fresh, law, mixing
from bayescausal.model.feedback import evolve
from bayescausal.model.likelihood import Control, correlation
from bayescausal.model.mechanisms import edge_mechanisms
from bayescausal.model.predict import generate, replicate
from bayescausal.model.scm import Equations, Parameter, bind, compile_scm
from bayescausal.specs.confounder import CORRELATION
from bayescausal.specs.noise import AR1Noise

START = pd.Timestamp("2024-01-01")
PERIODS = 24
# False alarm of one comparison: 6e-7. No test here makes more than a thousand, on fixed seeds.
SIGMAS = 5.0
# A path that is recomputed from its parts differs by a few roundings of its level.
TIGHT = 1e-11


def week(k):
    return START + pd.Timedelta(weeks=k)


def dataset(names, seed=0, periods=PERIODS):
    rng = np.random.default_rng(seed)
    columns = {name: rng.gamma(3.0, 10.0, periods) + 1.0 for name in names}
    frame = pd.DataFrame({"week": pd.date_range(START, periods=periods, freq="7D"), **columns})
    return bc.Dataset.from_frame(frame, time="week")


def compiled(text, outcome, **settings_):
    graph = bc.Graph.parse(text, outcome=outcome)
    return compile_scm(bc.Spec(graph, **settings_), dataset(graph.observed))


def draw(scm, seed=0):
    found = oracle.draw(scm.spec, scm.data, np.random.default_rng(seed))
    return {k: np.asarray(v, dtype=float) for k, v in found.items()}


def matrix(scm, theta):
    """Correlations ``L L'`` of the errors, over the modelled nodes."""
    nodes, mix = scm.spec.modelled, mixing(scm, theta)
    root = np.array([[mix.get(v, {v: 1.0}).get(u, 0.0) for u in nodes] for v in nodes], float)
    assert np.array_equal(root, np.tril(root))
    return root @ root.T


# Correlations

SHAPES = {
    "pair": "a <-> b",
    "chain": "a <-> b <-> c <-> d",
    "star": "a <-> b\na <-> c\na <-> d",
    "circle": "a <-> b <-> c <-> d <-> a",
    "latent": "latent: u\nu -> a, b, c\nc <-> d",
    "latent and pair": "latent: u\nu -> b, c, d\nb <-> d\na <-> c",
    "two latents": "latent: u, w\nu -> a, b, c\nw -> b, c, d",
}


@cache
def shape(name):
    scm = compiled(f"tv -> a, b, c, d\n{SHAPES[name]}", ("a", "b", "c", "d"), treatments=("tv",))
    return scm, oracle.Worlds(scm.spec, scm.data, draw(scm))


def near_the_ends():
    """Inside (-1, 1), up to one part in a million of the ends."""
    top = 1 - 1e-6
    return st.one_of(st.floats(-top, top), st.sampled_from([-top, -0.999, 0.0, 0.999, top]))


@pytest.mark.parametrize("name", sorted(SHAPES))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_errors_have_a_positive_definite_correlation_with_zeros_where_no_cause_is_shared(
    name, data
):
    scm, second = shape(name)
    names = [k for cause in scm.spec.confounders for k in cause.priors]
    theta = {k: np.asarray(data.draw(near_the_ends(), label=k)) for k in names}
    nodes = list(scm.spec.modelled)
    found = matrix(scm, theta)
    weights = oracle.factors(second.causes, {k: float(v) for k, v in theta.items()})
    expected = oracle.correlation_matrix(nodes, weights)
    assert np.allclose(found, expected, rtol=0, atol=1e-9)
    assert np.allclose(np.diag(found), 1.0, rtol=0, atol=1e-12)
    # The shares of independent noise are at least 1 - u^2 > 1e-6 of a variance, over four causes.
    assert np.linalg.eigvalsh(found).min() > 1e-8
    shared = {frozenset(pair) for pair in scm.spec.structure.bidirected}
    for i, a in enumerate(nodes):
        for j, b in enumerate(nodes[:i]):
            if frozenset((a, b)) not in shared:
                assert abs(found[i, j]) < 1e-12, (a, b)


def test_every_pair_that_shares_a_cause_is_correlated():
    for name in SHAPES:
        scm, second = shape(name)
        found = correlations(scm, draw(scm))
        assert {frozenset(p) for p in found} == {
            frozenset(p) for p in scm.spec.structure.bidirected
        }
        assert min(abs(rho) for rho in found.values()) > 1e-6
        assert {c.nodes for c in scm.spec.confounders} == {*second.causes}


@pytest.mark.parametrize("rho", [-0.999, -0.4, 0.0, 1e-9, 0.7])
def test_the_parameter_of_a_pair_alone_is_its_correlation(rho):
    scm, _ = shape("pair")
    assert matrix(scm, {"a<->b": np.asarray(rho)})[1, 0] == pytest.approx(rho, abs=1e-14)


def test_the_correlation_of_a_pair_with_other_causes_follows_its_formula():
    """rho_k = u_k / sqrt(D_v D_w), D_v = 1 + (1 - |u_k|) sum_{j != k} w_vj^2, for a <-> b <-> c."""
    scm = compiled("tv -> a, b, c\na <-> b <-> c", ("a", "b", "c"), treatments=("tv",))
    u, other = -0.6, 0.5
    rho = correlations(scm, {"a<->b": np.asarray(u), "b<->c": np.asarray(other)})
    at_b = 1 + (1 - abs(u)) * other / (1 - other)
    assert rho["a", "b"] == pytest.approx(u / np.sqrt(at_b), rel=1e-14)
    assert abs(rho["a", "b"]) < abs(u)


def test_a_loading_is_the_correlation_with_the_cause():
    """Two nodes that load l and m on one cause, and on nothing else, correlate by l m."""
    scm = compiled("latent: u\nu -> a, b, c\ntv -> a, b, c", ("a", "b", "c"), treatments=("tv",))
    theta = {f"a<->b<->c:{v}": np.asarray(x) for v, x in zip("abc", (0.9, -0.5, 0.2), strict=True)}
    rho = correlations(scm, theta)
    assert rho["a", "b"] == pytest.approx(-0.45, rel=1e-14)
    assert rho["a", "c"] == pytest.approx(0.18, rel=1e-14)
    assert rho["b", "c"] == pytest.approx(-0.10, rel=1e-14)


# Fresh errors


@cache
def remembering(nu=None):
    """Three nodes of a district, two of them with memory; a log link in the middle."""
    noise = {"search": AR1Noise(nu=nu), "sales": AR1Noise(), "visits": bc.NormalNoise()}
    scm = compiled(
        "tv -> search, visits, sales\nsearch, visits -> sales\nsearch <-> sales <-> visits",
        "sales",
        treatments=("tv",),
        noise=noise,
        links={"visits": "log"},
    )
    theta = draw(scm) | {
        "sales<->search": np.asarray(0.7),
        "sales<->visits": np.asarray(-0.5),
        "search:phi": np.asarray(0.8),
        "sales:phi": np.asarray(-0.3),
        "search:sigma": np.asarray(0.2),
        "visits:sigma": np.asarray(0.1),
        "sales:sigma": np.asarray(0.3),
    }
    return scm, theta


def repeated(theta, count):
    return {k: np.broadcast_to(v, (count, *v.shape)) for k, v in theta.items()}


def residuals(scm, theta, edges, world):
    """Errors of a world: its values less the means given its own parents, on the link scale."""
    out = {}

    def settle(node, mu):
        out[node] = scm.link(node, world[node]) - mu
        return world[node]

    x = {v: scm.factual[v] for v in scm.spec.inputs} | world
    own = {e: m._replace(factual=scm.curve(e, theta, x[e.source])) for e, m in edges.items()}
    Equations(scm, theta, x, own).forward(settle)
    return out


def assert_covariance(found, expected):
    """Draws in rows. The error of a covariance is sqrt((S_ii S_jj + S_ij^2) / n) when normal."""
    n = len(found)
    size = np.diag(expected)
    error = np.sqrt((np.outer(size, size) + expected**2) / n)
    assert (np.abs(found.T @ found / n - expected) < SIGMAS * error).all()
    assert (np.abs(found.mean(axis=0)) < SIGMAS * np.sqrt(size / n)).all()


def dense(scm, theta, periods):
    """Covariance of the errors over nodes and periods: rows are (time, node)."""
    nodes = list(scm.spec.modelled)
    plain = {k: v.tolist() for k, v in theta.items()}
    second = oracle.Worlds(scm.spec, scm.data, plain)
    r, sigma, phi, _ = oracle.noise(second, nodes)
    blocks = [oracle.stationary(r, sigma, phi, lag) for lag in range(periods)]
    return np.block(
        [
            [blocks[t - s] if t >= s else blocks[s - t].T for s in range(periods)]
            for t in range(periods)
        ]
    )


def test_a_generated_world_has_errors_with_the_covariance_of_the_model():
    """Over nodes and the first six periods, the first included: 18 x 18 covariances."""
    scm, theta = remembering()
    count, periods = 20_000, 6
    many = repeated(theta, count)
    edges = edge_mechanisms(scm, many, scm.factual)
    world = generate(bind(scm, many), np.random.default_rng(5))
    e = residuals(scm, many, edges, world)
    stack = np.stack([e[v][:, :periods] for v in scm.spec.modelled], axis=-1)
    expected = dense(scm, theta, periods)
    assert_covariance(stack.reshape(count, -1), expected)
    # It could have failed: what is expected is far from independence, in time and between nodes.
    assert np.abs(expected[0, 1:] / expected[0, 0]).max() > 0.5


def test_errors_with_memory_are_stationary_from_the_first_period_on():
    """Variance sigma^2 / (1 - phi^2) in every period, correlation phi^k at lag k."""
    scm, theta = remembering()
    count = 20_000
    e = fresh(scm, repeated(theta, count), (count, PERIODS), np.random.default_rng(6))["search"]
    phi, sigma = 0.8, 0.2
    lags = np.abs(np.subtract.outer(np.arange(PERIODS), np.arange(PERIODS)))
    assert_covariance(e, sigma**2 / (1 - phi**2) * phi**lags)


def test_fresh_student_errors_have_their_degrees_of_freedom():
    """The shock of the first node of a district is its innovation over sigma: Student-t(nu)."""
    scm, theta = remembering(nu=bc.Prior("Gamma", alpha=2, beta=0.1))
    count = 4000
    many = repeated(theta | {"search:nu": np.asarray(3.0)}, count)
    first = scm.spec.modelled[0]
    assert first == "search"
    e = fresh(scm, many, (count, PERIODS), np.random.default_rng(7))[first]
    shock = (e[:, 1] - 0.8 * e[:, 0]) / 0.2
    # Kolmogorov-Smirnov, fixed seed; the normal law it would have without nu is told apart.
    assert stats.kstest(shock, stats.t(3).cdf).pvalue > 1e-4
    assert stats.kstest(shock, stats.norm.cdf).pvalue < 1e-4


def test_a_replicate_is_drawn_given_the_past_and_the_nodes_before_it():
    """Against the Schur complement of the dense covariance, one period and node at a time."""
    scm, theta = remembering()
    count = 4000
    many = repeated(theta, count)
    found = replicate(bind(scm, many), np.random.default_rng(8))
    edges = edge_mechanisms(scm, theta, scm.factual)
    nodes = list(scm.spec.modelled)
    e = residuals(scm, theta, edges, {v: scm.factual[v] for v in nodes})
    flat = np.stack([e[v] for v in nodes], axis=-1).ravel()
    whole = dense(scm, theta, PERIODS)
    for t in (0, 1, 9):
        for k, node in enumerate(nodes):
            i = t * len(nodes) + k
            weights = np.linalg.solve(whole[:i, :i], whole[:i, i])
            mean, sd = weights @ flat[:i], np.sqrt(whole[i, i] - weights @ whole[:i, i])
            mu = scm.link(node, scm.factual[node][t]) - e[node][t]
            drawn = scm.link(node, found[node][:, t]) - mu
            assert drawn.mean() == pytest.approx(mean, abs=SIGMAS * sd / np.sqrt(count))
            assert drawn.std() == pytest.approx(sd, rel=SIGMAS / np.sqrt(2 * count))


# Control functions


@cache
def bow(**settings_):
    """A budget and sales with an unobserved common cause: the effect alone is not identified."""
    linear = {"x": "identity"}  # the closed forms below are linear in x
    return compiled("x -> y\nx <-> y", "y", treatments=("x",), links=linear, **settings_)


def test_a_confounded_treatment_gets_an_equation():
    assert bow().spec.modelled == ("x", "y")
    assert bow().spec.inputs == ()


@pytest.mark.parametrize("rho", [-0.9, 0.3, 0.8])
def test_the_mean_given_a_confounded_cause_has_the_control_function_term(rho):
    """E[y | x] = mu_y + rho sigma_y / sigma_x (x - mu_x); sd sigma_y sqrt(1 - rho^2)."""
    scm = bow(noise=bc.NormalNoise())
    sx, sy = 0.25, 0.4
    theta = draw(scm) | {
        "x<->y": np.asarray(rho),
        "x:sigma": np.asarray(sx),
        "y:sigma": np.asarray(sy),
    }
    mix, shocks, e, laws = mixing(scm, theta), {}, {}, {}

    def settle(node, mu):
        seen = scm.factual[node]
        e[node] = scm.link(node, seen) - mu
        laws[node] = law(scm, theta, mix, shocks, node, mu, scm.link(node, seen)), mu
        shocks[node] = laws[node][0].shock
        return seen

    bind(scm, theta).forward(settle)
    (made, mu), (first, _) = laws["y"], laws["x"]
    assert np.allclose(made.location, mu + rho * sy / sx * e["x"], rtol=1e-12)
    assert np.allclose(made.spread, sy * np.sqrt(1 - rho**2), rtol=1e-12)
    assert np.allclose(first.spread, sx, rtol=1e-14)


@pytest.mark.parametrize("rho", [0.0, 0.6, -0.8])
def test_a_regression_that_omits_the_common_cause_is_off_by_its_closed_form(rho):
    """plim of the least-squares slope = beta + rho sigma_y / sigma_x, in scaled units.

    The slope's standard error is sigma_y sqrt(1 - rho^2) / (sigma_x sqrt(n)): y given x is normal
    with that spread.
    """
    scm = bow(noise=bc.NormalNoise())
    count, beta, sx, sy = 10_000, 0.5, 0.2, 0.3
    theta = draw(scm) | {
        "x<->y": np.asarray(rho),
        "x:sigma": np.asarray(sx),
        "y:sigma": np.asarray(sy),
        "x->y": np.asarray(beta),
    }
    many = repeated(theta, count)
    world = generate(bind(scm, many), np.random.default_rng([9, int(10 * rho + 20)]))
    x, y = (scm.link(v, world[v]).ravel() for v in ("x", "y"))
    made = edge_mechanisms(scm, theta, scm.factual)[bc.Edge("x", "y")]
    slope = np.linalg.lstsq(np.column_stack([np.ones_like(x), x]), y, rcond=None)[0][1]
    error = sy * np.sqrt(1 - rho**2) / (sx * np.sqrt(x.size))
    assert slope == pytest.approx(made.beta.item() + rho * sy / sx, abs=SIGMAS * error)
    assert SIGMAS * error < 0.02  # the bias told apart: 0.9 and -1.2


# Worlds with feedback and districts: the laws of counterfactuals


@cache
def market(policy="reacts"):
    """Sales live on and set next week's tv; an unobserved cause moves tv, search and sales."""
    text = """
    latent: demand
    demand -> tv, search, sales
    tv -> search, sales
    social, search -> sales
    sales -> sales @ 1
    sales -> tv @ 1
    price -> search
    """
    responses = {"tv": bc.Response(bc.GeometricAdstock(l_max=3), bc.HillSaturation())}
    scm = compiled(
        text,
        "sales",
        responses=responses,
        treatments=("tv", "social", "price"),
        policy={"tv": policy},
        links={"search": "log"},
        noise={"sales": AR1Noise()},
    )
    theta = draw(scm, 3)
    theta |= {"sales->sales@1": np.asarray(0.5), "sales->tv@1": np.asarray(0.3)}
    return scm, theta


def world(scm, theta, do, x=None):
    x = scm.factual if x is None else x
    return evolve(Equations(scm, theta, x, edge_mechanisms(scm, theta, scm.factual)), do=do)


def test_in_a_world_with_feedback_do_at_the_factual_value_changes_nothing_at_all():
    scm, theta = market()
    for node in ("tv", "social", "price", "search"):
        found = world(scm, theta, {node: scm.factual[node].copy()})
        for v, path in scm.factual.items():
            assert np.array_equal(found[v], path), (node, v)


def test_in_a_world_with_feedback_what_is_set_has_its_value():
    scm, theta = market()
    estimand = bc.Estimand({"tv": 7.5, "search": bc.Plus(2.0)}, window=(week(5), week(9)))
    acts = scope(scm, estimand).acts
    found = world(scm, theta, resolve(scm, scm.factual, estimand.active, acts))
    assert (found["tv"][acts] == 7.5).all()
    assert np.array_equal(found["search"][acts], scm.factual["search"][acts] + 2.0)


@pytest.mark.parametrize("policy", ["reacts", "held"])
def test_in_a_world_with_feedback_only_descendants_move_and_only_later(policy):
    scm, theta = market(policy)
    assert "tv" in scm.spec.modelled  # it has an equation under either policy
    assert scm.spec.held == ({"tv"} if policy == "held" else set())
    cut = scm.factual["social"].copy()
    cut[11] = 0.0
    found = world(scm, theta, {"social": cut})
    below = {"sales", "tv", "search"} if policy == "reacts" else {"sales"}
    for v, path in scm.factual.items():
        if v == "social":
            continue
        assert np.array_equal(found[v][:11], path[:11])
        if v in below:
            first = 11 if v == "sales" else 12
            assert np.array_equal(found[v][:first], path[:first])
            assert (found[v][first:] != path[first:]).all()
        else:
            assert np.array_equal(found[v], path), v


def test_in_a_world_with_feedback_a_node_set_to_what_it_would_be_adds_nothing():
    """Composition: Y(x, M(x)) = Y(x), with M on the cycle."""
    scm, theta = market()
    off = np.zeros(PERIODS)
    once = world(scm, theta, {"social": off})
    again = world(scm, theta, {"social": off, "tv": once["tv"]})
    assert np.allclose(once["sales"], again["sales"], rtol=TIGHT)
    frozen = world(scm, theta, {"social": off, "tv": scm.factual["tv"]})
    assert not np.allclose(once["sales"], frozen["sales"], rtol=1e-4)


@pytest.mark.parametrize("policy", ["reacts", "held"])
def test_in_a_world_with_feedback_swapping_the_worlds_changes_the_sign_and_nothing_else(policy):
    scm, theta = market(policy)
    estimand = bc.Estimand(
        {"social": bc.Times(1.3)}, {"tv": 2.0, "social": bc.Plus(1)}, window=(week(5), week(9))
    )
    found = contrast(bind(scm, theta), estimand)
    back = contrast(bind(scm, theta), estimand.reversed())
    assert np.array_equal(back, -found)
    assert (found[5:] != 0).all()
    assert not found[:5].any()


def test_an_effect_does_not_depend_on_the_law_of_the_errors():
    """The errors are what they were: their correlation, memory and scale cancel."""
    scm, theta = market()
    other = theta | {k: 0.5 * v for k, v in theta.items() if "<->" in k or ":sigma" in k}
    other |= {"sales:phi": np.asarray(-0.7), "sales:intercept": np.asarray(9.0)}
    assert len({k for k in theta if other[k] is not theta[k]}) == 8
    for estimand in (bc.incremental("tv"), bc.incremental("social", window=(week(5), week(6)))):
        one, two = (contrast(bind(scm, t), estimand) for t in (theta, other))
        assert np.array_equal(one, two)
        assert one.any()


def test_abduction_finds_the_errors_that_made_a_world():
    """The counterfactual of a generated world is the world that the same errors generate.

    With feedback, a district, memory and a log link: abduction, action and prediction against
    action and generation, with one seed.
    """
    scm, theta = market()
    edges = edge_mechanisms(scm, theta, scm.factual)
    changed = {"social": 1.5 * scm.factual["social"], "price": 0.5 * scm.factual["price"]}
    plain = generate(bind(scm, theta), np.random.default_rng(4))
    x = scm.factual | plain
    own = {e: m._replace(factual=scm.curve(e, theta, x[e.source])) for e, m in edges.items()}
    found = evolve(Equations(scm, theta, x, own), do=changed)
    expected = generate(bind(scm, theta), np.random.default_rng(4), do=changed)
    for node in scm.spec.modelled:
        size = np.abs(expected[node]).max()
        assert np.allclose(found[node], expected[node], rtol=0, atol=TIGHT * size), node
        assert not np.allclose(found[node], plain[node], rtol=0, atol=1e-3 * size), node


def test_a_generated_budget_follows_generated_sales_under_any_policy():
    """A simulated world has no plan to hold: its equations leave the errors that were drawn."""
    scm, theta = market("held")
    edges = edge_mechanisms(scm, theta, scm.factual)
    drawn = fresh(scm, theta, (PERIODS,), np.random.default_rng(4))
    made = generate(bind(scm, theta), np.random.default_rng(4))
    e = residuals(scm, theta, edges, made)
    for node in scm.spec.modelled:
        size = np.abs(scm.link(node, made[node])).max()
        assert np.allclose(e[node], drawn[node], rtol=0, atol=TIGHT * size), node


# Priors, and what is sampled in their place


def test_control_is_inverted_exactly():
    rho = np.array([-0.999999, -0.9, -1e-8, 0.0, 0.3, 0.99, 0.999999])
    z = pt.dvector("z")
    control = Control()
    there = pytensor.function([z], control.forward(z), mode="FAST_COMPILE")
    back = pytensor.function([z], control.backward(z), mode="FAST_COMPILE")
    # The slope magnifies a rounding of rho by 1 / (1 - rho^2), half a million at most; back it
    # shrinks by the same.
    assert np.allclose(back(there(rho)), rho, rtol=1e-14, atol=0)
    slopes = np.array([-1e4, -3.0, -0.2, 0.0, 1e-6, 1.0, 50.0])
    assert np.allclose(there(back(slopes)), slopes, rtol=1e-7, atol=0)
    assert there(np.array([0.6])).item() == pytest.approx(0.75, rel=1e-15)  # 0.6 / 0.8


def test_control_has_the_jacobian_that_a_difference_quotient_gives():
    z = pt.dvector("z")
    control = Control()
    back = pytensor.function([z], control.backward(z), mode="FAST_COMPILE")
    found = pytensor.function([z], control.log_jac_det(z), mode="FAST_COMPILE")
    points, step = np.array([-8.0, -1.0, -0.1, 0.0, 0.5, 3.0, 20.0]), 1e-4
    quotient = (back(points + step) - back(points - step)) / (2 * step)
    # Truncation is of order step^2, rounding of order 1e-16 / step / derivative (1e-4 at least).
    assert np.allclose(found(points), np.log(quotient), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "prior", [CORRELATION, bc.Prior("TruncatedNormal", mu=0.2, sigma=0.5, lower=-1, upper=1)]
)
def test_a_correlation_sampled_through_its_slope_keeps_its_prior(prior):
    """p(z) dz = p(rho) d rho, d rho / dz = (1 - rho^2)^(3/2)."""
    with pm.Model() as model:
        made = correlation(Parameter("a<->b", prior))
    assert type(model.rvs_to_transforms[made]) is Control
    run = model.compile_logp(mode="FAST_COMPILE")
    for rho in (-0.95, -0.2, 0.0, 0.7):
        z = rho / np.sqrt(1 - rho**2)
        expected = oracle.frozen(prior).logpdf(rho) + 1.5 * np.log(1 - rho**2)
        assert run({f"{made.name}_control__": np.asarray(z)}) == pytest.approx(expected, abs=1e-6)


def test_a_prior_on_a_part_of_the_interval_is_sampled_inside_it():
    part = bc.Prior("TruncatedNormal", mu=0.2, sigma=0.3, lower=0, upper=0.8)
    with pm.Model() as model:
        made = correlation(Parameter("a<->b", part))
    assert type(model.rvs_to_transforms[made]) is not Control
    drawn = pm.draw(made, draws=2000, random_seed=1, mode="FAST_COMPILE")
    assert stats.kstest(drawn, oracle.frozen(part).cdf).pvalue > 1e-4


SIGMA = {
    "HalfNormal": bc.Prior("HalfNormal", sigma=0.3),
    "Exponential": bc.Prior("Exponential", lam=3.0),
    "Uniform": bc.Prior("Uniform", lower=0.1, upper=0.4),
    "LogNormal": bc.Prior("LogNormal", mu=-1.0, sigma=0.5),  # not a scale family: no tau
}


@pytest.mark.parametrize("name", sorted(SIGMA))
def test_priors_of_a_district_are_those_that_were_stated(name):
    """Kolmogorov-Smirnov at 3,000 draws with a fixed seed; p below 1e-4 would be a wrong prior.

    sigma is what the prior is on, and it does not depend on the correlation, though what is
    sampled is tau, the part of it that the other error leaves.
    """
    rho = bc.Prior("TruncatedNormal", mu=0.6, sigma=0.5, lower=-1, upper=1)
    scm = bow()
    spec = bc.Spec(
        scm.spec.graph,
        treatments=("x",),
        noise=bc.NormalNoise(SIGMA[name]),
        correlations={"x<->y": rho},
    )
    model = bc.build(spec, scm.data)
    free = {v.name for v in model.free_RVs}
    assert ("y:tau" in free, "y:sigma" in free) == (name != "LogNormal", name == "LogNormal")
    assert "x:sigma" in free
    wanted = [model[k] for k in ("x<->y", "x:sigma", "y:sigma")]
    drawn = pm.draw(wanted, draws=3000, random_seed=2, mode="FAST_COMPILE")
    for values, prior in zip(drawn, (rho, SIGMA[name], SIGMA[name]), strict=True):
        assert stats.kstest(values, oracle.frozen(prior).cdf).pvalue > 1e-4
    for values in drawn[1:]:
        assert abs(stats.spearmanr(drawn[0] ** 2, values).statistic) < 4 / np.sqrt(3000)


def test_the_first_loading_of_a_cause_is_positive_and_the_others_free():
    scm, _ = shape("latent")
    model = bc.build(scm.spec, scm.data)
    wanted = [model[f"a<->b<->c:{v}"] for v in "abc"]
    drawn = pm.draw(wanted, draws=2000, random_seed=3, mode="FAST_COMPILE")
    half = bc.Prior("TruncatedNormal", mu=0.0, sigma=0.5, lower=0, upper=1)
    for values, prior in zip(drawn, (half, CORRELATION, CORRELATION), strict=True):
        assert stats.kstest(values, oracle.frozen(prior).cdf).pvalue > 1e-4
