"""Laws of counterfactual worlds (MODEL.md 5, 6) and closed forms (MODEL.md 6.6)."""

from functools import cache
from math import exp, log

import numpy as np
import oracle
import pandas as pd
import pytest

import bayescausal as bc
from bayescausal.model.contrast import contrast, on_scale, resolve, scope, split
from bayescausal.model.mechanisms import edge_mechanisms
from bayescausal.model.scm import bind, compile_scm

START = pd.Timestamp("2024-01-01")
PERIODS = 30
# Closed forms are met to rounding of paths of size Y: a few times 2^-53 Y, here 1e-11 Y.
TIGHT = 1e-11


def week(k):
    return START + pd.Timedelta(weeks=k)


def dataset(columns, units=(), spend=()):
    """Columns of shape (time,) or (unit, time)."""
    if not units:
        size = len(next(iter(columns.values())))
        frame = pd.DataFrame({"week": pd.date_range(START, periods=size, freq="7D"), **columns})
        return bc.Dataset.from_frame(frame, time="week", spend=list(spend))
    size = np.shape(next(iter(columns.values())))[1]
    parts = [
        pd.DataFrame(
            {
                "week": pd.date_range(START, periods=size, freq="7D"),
                "unit": u,
                **{k: np.asarray(v)[i] for k, v in columns.items()},
            }
        )
        for i, u in enumerate(units)
    ]
    return bc.Dataset.from_frame(pd.concat(parts), time="week", unit="unit", spend=list(spend))


def random_columns(names, shape, seed):
    rng = np.random.default_rng(seed)
    return {name: rng.gamma(3.0, 10.0, shape) + 1.0 for name in names}


def paths(scm, theta, estimand):
    return contrast(bind(scm, theta), estimand)


def effect(scm, theta, estimand):
    """The effect at one draw, on the estimand's scale."""
    return on_scale(scm, estimand, paths(scm, theta, estimand).sum())


def parts(scm, theta, estimand):
    found = split(bind(scm, theta), estimand)
    return {k: v.sum() for k, v in found.items()}


def world(scm, theta, do):
    return bind(scm, theta).intervene(do=do)[0]


def with_coefficients(scm, theta, natural):
    """Set edges to coefficients in original units: target per unit of source, or of f(x)."""
    out = dict(theta)
    for edge, response in scm.spec.mechanisms.items():
        if str(edge) in natural:
            per = 1.0 if response.transforms else scm.scale[edge.source].item()
            top = scm.scale[edge.target].item()
            out[str(edge)] = strength_of(scm, out, edge, natural[str(edge)] * per / top)
    return out


def strength_of(scm, theta, edge, beta):
    """The value of an edge's strength that is this coefficient, on the scales of its nodes."""
    one = edge_mechanisms(scm, {**theta, str(edge): np.array(1.0)}, scm.factual, only=[edge])[edge]
    return np.array(beta / one.beta.item())


def draw(scm, seed=0):
    found = oracle.draw(scm.spec, scm.data, np.random.default_rng(seed))
    return {k: np.asarray(v, dtype=float) for k, v in found.items()}


def stacked(scm, count, seed=0):
    """Several draws, with one leading draw dim."""
    each = [draw(scm, [seed, k]) for k in range(count)]
    return {k: np.stack([d[k] for d in each]) for k in each[0]}


FUNNEL = """
demand -> search, sales, tv
tv -> search, sales
social, price, search -> sales
"""
NAMES = ("tv", "social", "search", "price", "demand", "sales")
MEDIA = bc.Response(bc.GeometricAdstock(l_max=4), bc.HillSaturation())
LINEAR = bc.Response(strength=bc.Coefficient())


def carrying(curve=None, l_max=3, normalize=True, **more):
    """Adstock, then perhaps a curve, with a prior on the coefficient itself."""
    steps = (bc.GeometricAdstock(l_max=l_max, normalize=normalize), *([curve] if curve else ()))
    return bc.Response(*steps, strength=bc.Coefficient(), **more)


@cache
def funnel(panel=False, link="identity", mediator="plain"):
    """tv acts directly and through search; search may have carry-over and a curve of its own."""
    responses = {"tv": MEDIA, "social": MEDIA}
    if mediator == "media":
        responses["search->sales"] = bc.Response(bc.GeometricAdstock(l_max=3), bc.TanhSaturation())
    policy = {"search": "reacts"} if mediator == "media" else {}
    spec = bc.Spec(
        bc.Graph.parse(FUNNEL, outcome="sales"),
        responses,
        links={"sales": link, "search": link},
        policy=policy,
    )
    units = ("north", "south", "west") if panel else ()
    shape = (3, PERIODS) if panel else PERIODS
    columns = random_columns(NAMES, shape, seed=1)
    columns["tv"] = columns["tv"] * (np.arange(PERIODS) % 4 > 0)
    return compile_scm(spec, dataset(columns, units, spend=("tv", "social")))


FUNNELS = [
    (panel, link, mediator)
    for panel in (False, True)
    for link in ("identity", "log")
    for mediator in ("plain", "media")
]
WINDOW = (week(8), week(15))
every_funnel = pytest.mark.parametrize(("panel", "link", "mediator"), FUNNELS)


# Worlds


@every_funnel
def test_do_at_the_factual_value_changes_nothing_at_all(panel, link, mediator):
    scm = funnel(panel, link, mediator)
    for node in ("tv", "social", "search"):
        found = world(scm, draw(scm), {node: scm.factual[node].copy()})
        for v, path in scm.factual.items():
            assert np.array_equal(found[v], path), (node, v)


@pytest.mark.parametrize(("panel", "link", "mediator"), FUNNELS)
def test_do_at_the_factual_value_changes_nothing_at_all_in_any_draw(panel, link, mediator):
    scm = funnel(panel, link, mediator)
    found = world(scm, stacked(scm, 10), {"tv": scm.factual["tv"].copy()})
    for v, path in scm.factual.items():
        assert np.array_equal(np.broadcast_to(path, found[v].shape), found[v]), v


@every_funnel
def test_a_world_has_the_value_that_was_set(panel, link, mediator):
    scm = funnel(panel, link, mediator)
    estimand = bc.Estimand({"tv": 7.5, "search": bc.Plus(2.0)}, window=WINDOW)
    acts = scope(scm, estimand).acts
    found = world(scm, draw(scm), resolve(scm, scm.factual, estimand.active, acts))
    acts = np.broadcast_to(acts, scm.factual["tv"].shape)
    assert (found["tv"][acts] == 7.5).all()
    assert np.array_equal(found["search"][acts], scm.factual["search"][acts] + 2.0)
    for node in ("tv", "search"):
        assert np.array_equal(found[node][~acts], scm.factual[node][~acts])


@every_funnel
def test_nothing_but_descendants_moves(panel, link, mediator):
    scm = funnel(panel, link, mediator)
    theta = stacked(scm, 3)
    for node in ("tv", "social", "price", "search"):
        found = world(scm, theta, {node: scm.factual[node] * 0.5})
        below = scm.spec.reduced.descendants(node)
        for v, path in scm.factual.items():
            if v in below:
                assert not np.array_equal(np.broadcast_to(path, found[v].shape), found[v])
            elif v != node:
                assert np.array_equal(np.broadcast_to(path, found[v].shape), found[v])


@every_funnel
def test_an_intervention_does_not_move_its_past(panel, link, mediator):
    scm = funnel(panel, link, mediator)
    cut = scm.factual["tv"].copy()
    cut[..., 17:] = 0.0
    found = world(scm, draw(scm), {"tv": cut})
    for v, path in scm.factual.items():
        assert np.array_equal(found[v][..., :17], path[..., :17])
    assert not np.array_equal(found["sales"][..., 17:], scm.factual["sales"][..., 17:])


def test_an_intervention_in_some_units_does_not_move_the_others():
    scm = funnel(panel=True, mediator="media")
    estimand = bc.incremental("tv", units=("south",))
    acts = scope(scm, estimand).acts
    found = world(scm, draw(scm), resolve(scm, scm.factual, estimand.control, acts))
    for v, path in scm.factual.items():
        assert np.array_equal(found[v][[0, 2]], path[[0, 2]])
    assert not np.array_equal(found["sales"][1], scm.factual["sales"][1])


@every_funnel
def test_setting_a_mediator_to_what_it_would_be_adds_nothing(panel, link, mediator):
    """Composition (Pearl 2009, 7.3.1): Y(x, M(x)) = Y(x)."""
    scm = funnel(panel, link, mediator)
    theta, off = draw(scm), np.zeros_like(scm.factual["tv"])
    once = world(scm, theta, {"tv": off})
    again = world(scm, theta, {"tv": off, "search": once["search"]})
    assert np.array_equal(once["sales"], again["sales"])
    frozen = world(scm, theta, {"tv": off, "search": scm.factual["search"]})
    assert not np.array_equal(once["sales"], frozen["sales"])


def test_a_held_treatment_keeps_its_plan_and_a_reacting_one_moves():
    graph = bc.Graph.parse("tv -> social -> sales\ntv -> sales", outcome="sales")
    data = dataset(random_columns(("tv", "social", "sales"), PERIODS, 2))
    response = {"tv": MEDIA, "social": MEDIA}
    held, reacts = (
        compile_scm(bc.Spec(graph, response, policy={"social": p}), data)
        for p in ("held", "reacts")
    )
    off = {"tv": np.zeros(PERIODS)}
    theta = draw(reacts)
    assert np.array_equal(world(held, draw(held), off)["social"], data.array("social"))
    assert not np.array_equal(world(reacts, theta, off)["social"], data.array("social"))
    # Holding is an edge that carries nothing: the direct effect alone.
    shared = {k: theta[k] for k in draw(held)}
    direct = bc.Estimand(control={"tv->sales": 0.0})
    assert effect(held, shared, bc.incremental("tv")) == effect(reacts, theta, direct)


# Contrasts


@every_funnel
def test_swapping_the_worlds_changes_the_sign_and_nothing_else(panel, link, mediator):
    scm = funnel(panel, link, mediator)
    theta = stacked(scm, 4)
    estimand = bc.Estimand({"tv": bc.Times(1.3)}, {"tv": 2.0, "social": bc.Plus(1)}, window=WINDOW)
    found = paths(scm, theta, estimand)
    assert np.array_equal(paths(scm, theta, estimand.reversed()), -found)
    assert np.abs(found).max() > 0
    total = split(bind(scm, theta), estimand)["total"]
    assert np.array_equal(total, found)


@every_funnel
def test_contribution_is_zero_when_spend_is_zero(panel, link, mediator):
    scm = funnel(panel, link, mediator)
    theta = draw(scm)
    for k in (4, 8, 12):  # tv is off every fourth week
        assert not paths(scm, theta, bc.incremental("tv", window=(week(k), week(k)))).any()
    assert paths(scm, theta, bc.incremental("tv", window=(week(5), week(5)))).any()


def test_contribution_of_a_unit_without_spend_is_zero():
    columns = random_columns(("tv", "sales"), (2, PERIODS), 3)
    columns["tv"][1] = 0.0
    spec = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": MEDIA})
    scm = compile_scm(spec, dataset(columns, ("on", "off")))
    found = paths(scm, stacked(scm, 4), bc.incremental("tv"))
    assert not found[..., 1, :].any()
    assert found[..., 0, :].any()


@every_funnel
def test_total_is_direct_plus_indirect(panel, link, mediator):
    scm = funnel(panel, link, mediator)
    theta = stacked(scm, 4)
    estimand = bc.Estimand({"tv": bc.Times(1.2)}, {"tv": 3.0}, window=WINDOW)
    found = split(bind(scm, theta), estimand)
    size = np.abs(scm.factual["sales"]).max()
    sums = found["direct"] + found["indirect"]
    assert np.allclose(found["total"], sums, rtol=0, atol=TIGHT * size)
    assert np.abs(found["direct"]).max() > 1e-6 * size
    assert np.abs(found["indirect"]).max() > 1e-6 * size


def test_edge_interventions_are_the_parts_of_an_additive_effect():
    scm = funnel()
    theta = draw(scm)
    found = parts(scm, theta, bc.incremental("tv", window=WINDOW))
    direct = effect(scm, theta, bc.Estimand(control={"tv->sales": 0.0}, window=WINDOW))
    through = effect(scm, theta, bc.Estimand(control={"tv->search": 0.0}, window=WINDOW))
    size = scm.factual["sales"].sum()
    assert found["direct"] == pytest.approx(direct, abs=TIGHT * size)
    assert found["indirect"] == pytest.approx(through, abs=TIGHT * size)


def test_a_path_that_is_cut_at_the_mediator_is_the_controlled_direct_effect():
    scm = funnel(link="log")
    theta = draw(scm)
    held = {"search": tuple(scm.factual["search"])}
    estimand = bc.Estimand(active=held, control={**held, "tv": 0.0}, window=WINDOW)
    direct = bc.Estimand(control={"tv->sales": 0.0}, window=WINDOW)
    assert effect(scm, theta, estimand) == pytest.approx(effect(scm, theta, direct), rel=1e-12)


def test_nothing_is_indirect_when_every_parent_of_the_outcome_is_a_treatment():
    scm = funnel()
    theta = draw(scm)
    estimand = bc.Estimand({"tv": bc.Times(2.0)}, {"tv": 0.0, "search": 5.0})
    found = parts(scm, theta, estimand)
    size = scm.factual["sales"].sum()
    assert found["indirect"] == pytest.approx(0, abs=TIGHT * size)
    assert found["direct"] == pytest.approx(found["total"], abs=TIGHT * size)


def test_effect_does_not_depend_on_what_the_error_absorbs():
    scm = funnel(mediator="media")
    theta = draw(scm)
    other = theta | {
        "sales:intercept": np.array(9.0),
        "sales:sigma": np.array(3.0),
        "search:intercept": np.array(-4.0),
    }
    for estimand in (bc.incremental("tv"), bc.incremental("social", window=WINDOW)):
        assert effect(scm, theta, estimand) == effect(scm, other, estimand)


def test_mean_scale_is_the_total_over_periods_and_units_of_the_window():
    scm = funnel(panel=True)
    theta = draw(scm)
    total = bc.incremental("tv", window=WINDOW, units=("north", "west"))
    mean = bc.incremental("tv", window=WINDOW, units=("north", "west"), scale="mean")
    assert effect(scm, theta, mean) == pytest.approx(effect(scm, theta, total) / 16, rel=1e-14)


def test_effect_per_spend_divides_by_the_spend_that_moves():
    scm = funnel()
    theta = draw(scm)
    half = bc.Estimand({"tv": bc.Times(1.0)}, {"tv": bc.Times(0.5)}, window=WINDOW)
    per = bc.Estimand(half.active, half.control, window=WINDOW, scale="per_spend")
    moved = 0.5 * scm.factual["tv"][8:16].sum()  # spend is the exposure here
    assert effect(scm, theta, per) == pytest.approx(effect(scm, theta, half) / moved, rel=1e-13)


# Units


@pytest.mark.parametrize("link", ["identity", "log"])
def test_national_effect_is_the_sum_over_units(link):
    scm = funnel(panel=True, link=link, mediator="media")
    theta = draw(scm)
    whole = bc.incremental("tv", window=WINDOW)
    each = [effect(scm, theta, whole.within(u)) for u in scm.data.units]
    size = scm.factual["sales"].sum()
    assert effect(scm, theta, whole) == pytest.approx(sum(each), abs=TIGHT * size)
    for k, u in enumerate(scm.data.units):
        path = paths(scm, theta, whole.within(u))
        assert np.array_equal(path[k], paths(scm, theta, whole)[k])
        assert not np.delete(path, k, axis=0).any()


def test_a_linear_panel_has_the_effect_of_its_national_sum():
    """The same natural coefficients in every unit: summing the data first changes nothing."""
    graph = bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales")
    spec = bc.Spec(graph, {"tv": carrying(spread="common")})
    columns = random_columns(("tv", "search", "sales"), (3, PERIODS), 4)
    columns["search"] *= 60 / columns["search"].max(axis=1, keepdims=True)
    columns["sales"] *= 90 / columns["sales"].mean(axis=1, keepdims=True)  # markets of one size
    panel = compile_scm(spec, dataset(columns, ("a", "b", "c")))
    nation = compile_scm(spec, dataset({k: v.sum(axis=0) for k, v in columns.items()}))
    natural = {"tv->sales": 0.7, "tv->search": 0.4, "search->sales": 1.1}
    theta, own = draw(panel), draw(nation)
    for key, value in natural.items():
        edge = bc.Edge.parse(key)
        for scm, made in ((panel, theta), (nation, own)):
            source, target = scm.scale[edge.source], scm.scale[edge.target]
            assert np.ptp(source) == pytest.approx(0)
            assert np.ptp(target) == pytest.approx(0)
            beta = value * source.ravel()[0] / target.ravel()[0]
            made[key] = strength_of(scm, made, edge, beta)
        if f"{key}:alpha" in theta:
            own[f"{key}:alpha"] = theta[f"{key}:alpha"]
    for estimand in (bc.incremental("tv", window=WINDOW), bc.incremental("tv")):
        found = effect(panel, theta, estimand)
        assert found == pytest.approx(effect(nation, own, estimand), rel=1e-11)


# Windows and tails


@every_funnel
def test_tail_is_what_carryover_adds(panel, link, mediator):
    scm = funnel(panel, link, mediator)
    theta = draw(scm)
    short = bc.incremental("tv", window=WINDOW, carryover=False)
    found, cut = paths(scm, theta, bc.incremental("tv", window=WINDOW)), paths(scm, theta, short)
    longest = 4 + (3 if mediator == "media" else 0)  # tv -> search -> sales
    inside, tail = slice(8, 16), slice(16, 16 + longest)
    assert np.array_equal(found[..., inside], cut[..., inside])
    assert not cut[..., 16:].any()
    assert found[..., tail].all()
    assert not found[..., 16 + longest :].any()
    moved = world(
        scm,
        theta,
        {"tv": np.where(np.isin(np.arange(PERIODS), np.arange(8, 16)), 0.0, scm.factual["tv"])},
    )["sales"]
    rest = (scm.factual["sales"] - moved)[..., 16 + longest :]
    # The tail that is counted is the whole tail.
    assert np.allclose(rest, 0, atol=TIGHT * scm.factual["sales"].max())


def test_a_window_of_one_period_adds_up_to_the_window_in_a_linear_model():
    graph = bc.Graph.parse("tv -> search -> sales\ntv -> sales @ 2", outcome="sales")
    scm = compile_scm(
        bc.Spec(graph, {"tv": carrying(), "search": carrying()}, policy={"search": "reacts"}),
        dataset(random_columns(("tv", "search", "sales"), PERIODS, 5)),
    )
    theta = draw(scm)
    single = [
        effect(scm, theta, bc.incremental("tv", window=(week(k), week(k)))) for k in range(8, 16)
    ]
    whole = effect(scm, theta, bc.incremental("tv", window=WINDOW))
    assert all(single)
    assert whole == pytest.approx(sum(single), rel=1e-11)


def test_a_window_of_one_period_acts_in_that_period_only():
    scm = funnel()
    where = scope(scm, bc.incremental("tv", window=(week(9), week(9))))
    assert np.flatnonzero(where.acts).tolist() == [9]
    assert np.flatnonzero(where.counts).tolist() == [9, 10, 11, 12, 13]
    assert where.periods == 1
    assert not where.truncated


def test_a_tail_that_the_data_cut_is_said_to_be_cut():
    scm = funnel()
    assert not scope(scm, bc.incremental("tv", window=(week(20), week(PERIODS - 5)))).truncated
    assert scope(scm, bc.incremental("tv", window=(week(20), week(PERIODS - 4)))).truncated
    short = bc.incremental("tv", window=(week(20), week(PERIODS - 1)), carryover=False)
    assert not scope(scm, short).truncated


def test_feedback_elsewhere_does_not_cut_a_tail():
    """Search lives on without end, but only tv moves it: social is gone after its own window."""
    graph = bc.Graph.parse(
        "tv -> search -> sales\nsearch -> search @ 1\nsocial -> sales", outcome="sales"
    )
    spec = bc.Spec(graph, {"tv": carrying(), "social": carrying(l_max=3)})
    columns = random_columns(("tv", "search", "social", "sales"), PERIODS, 20)
    scm = compile_scm(spec, dataset(columns))
    where = scope(scm, bc.incremental("social", window=WINDOW))
    assert np.flatnonzero(where.counts).tolist() == list(range(8, 19))
    assert not where.truncated
    where = scope(scm, bc.incremental("tv", window=WINDOW))
    assert np.flatnonzero(where.counts).tolist() == list(range(8, PERIODS))
    assert where.truncated


def test_a_path_through_what_only_the_other_world_sets_is_counted():
    graph = bc.Graph.parse("tv -> search @ 3\nsearch -> sales", outcome="sales")
    spec = bc.Spec(graph, treatments=("tv", "search"), policy={"search": "reacts"})
    columns = random_columns(("tv", "search", "sales"), PERIODS, 21)
    scm = compile_scm(spec, dataset(columns))
    estimand = bc.Estimand({"tv": 1.0}, {"search": 1.0}, window=WINDOW)
    assert np.flatnonzero(scope(scm, estimand).counts).tolist() == list(range(8, 19))
    assert np.flatnonzero(paths(scm, draw(scm), estimand)).tolist() == list(range(8, 19))


def test_history_feeds_adstock_and_is_not_acted_on():
    columns = random_columns(("tv", "sales"), PERIODS, 6)
    frame = pd.DataFrame({"week": pd.date_range(START, periods=PERIODS, freq="7D"), **columns})
    data = bc.Dataset.from_frame(frame, time="week", history=5)
    spec = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": carrying()})
    scm = compile_scm(spec, data)
    theta = draw(scm) | {"tv->sales": np.array(1.0), "tv->sales:alpha": np.array(0.5)}
    found = paths(scm, theta, bc.incremental("tv"))
    assert not found[:5].any()
    # In the first training period only that period's own exposure is taken away: w_0 = 8 / 15.
    own = data.scale("sales").item() * columns["tv"][5] / data.scale("tv").item() * 8 / 15
    assert found[5] == pytest.approx(own, rel=1e-11)


# Closed forms: linear systems


def test_the_seed_of_the_linear_case_is_a_sum_of_path_products():
    """MODEL.md 6.6, case 1: 0.5 + 0.6 * 0.8 = 0.98."""
    graph = bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales")
    scm = compile_scm(
        bc.Spec(graph, treatments=("tv",)),
        dataset(random_columns(("tv", "search", "sales"), PERIODS, 7)),
    )
    natural = {"tv->sales": 0.5, "tv->search": 0.6, "search->sales": 0.8}
    theta = with_coefficients(scm, draw(scm), natural)
    estimand = bc.Estimand({"tv": bc.Plus(1.0)}, scale="mean")
    size = scm.factual["sales"].max()
    assert effect(scm, theta, estimand) == pytest.approx(0.98, abs=TIGHT * size)
    found = parts(scm, theta, bc.Estimand({"tv": bc.Plus(1.0)}))
    assert found["direct"] / PERIODS == pytest.approx(0.50, abs=TIGHT * size)
    assert found["indirect"] / PERIODS == pytest.approx(0.48, abs=TIGHT * size)


@pytest.mark.parametrize("seed", range(4))
def test_linear_effects_are_the_inverse_of_one_minus_b(seed):
    rng = np.random.default_rng(seed)
    names = ["n0", "n1", "n2", "n3", "n4", "n5"]
    b = np.triu(rng.normal(0, 1, (6, 6)) * (rng.random((6, 6)) < 0.7), 1)
    b[range(5), range(1, 6)] = rng.normal(0, 1, 5)  # a chain: everything reaches the outcome
    edges = [(names[i], names[j]) for i in range(6) for j in range(6) if b[i, j]]
    graph = bc.Graph(tuple(bc.Edge(*e) for e in edges), outcomes=("n5",))
    scm = compile_scm(
        bc.Spec(graph, treatments=("n0",)), dataset(random_columns(names, PERIODS, seed))
    )
    theta = with_coefficients(
        scm, draw(scm), {f"n{i}->n{j}": b[i, j] for i in range(6) for j in range(6) if b[i, j]}
    )
    total = np.linalg.inv(np.eye(6) - b)
    for i in range(5):
        for j in range(max(1, i + 1), 6):
            estimand = bc.Estimand({f"n{i}": bc.Plus(1.0)}, outcome=f"n{j}", window=WINDOW)
            found = effect(scm, theta, estimand)
            size = scm.factual[f"n{j}"].max() * 8
            assert found == pytest.approx(8 * total[i, j], rel=1e-11, abs=TIGHT * size)


def test_lagged_linear_effects_are_path_products_at_the_sum_of_their_lags():
    graph = bc.Graph.parse("a -> m @ 2\nm -> y @ 1\na -> y @ 5\na -> y", outcome="y")
    scm = compile_scm(
        bc.Spec(graph, treatments=("a",)), dataset(random_columns(("a", "m", "y"), PERIODS, 8))
    )
    natural = {"a->m@2": 0.6, "m->y@1": 0.8, "a->y@5": -0.3, "a->y": 0.2}
    theta = with_coefficients(scm, draw(scm), natural)
    pulse = paths(scm, theta, bc.Estimand({"a": bc.Plus(1.0)}, window=(week(6), week(6))))
    expected = np.zeros(PERIODS)
    expected[[6, 9, 11]] = 0.2, 0.6 * 0.8, -0.3
    assert np.allclose(pulse, expected, atol=TIGHT * scm.factual["y"].max())


# Closed forms: carry-over


@pytest.mark.parametrize("normalize", [True, False])
def test_a_pulse_through_geometric_adstock_has_the_finite_tail(normalize):
    """MODEL.md 6.6, case 2: S c (1 - a^(L+1)) / (1 - a); normalizing drops the factor."""
    scm = compile_scm(
        bc.Spec(
            bc.Graph.parse("tv -> sales", outcome="sales"),
            {"tv": carrying(l_max=6, normalize=normalize)},
        ),
        dataset(random_columns(("tv", "sales"), PERIODS, 9)),
    )
    a, c = 0.6, 2.5
    theta = draw(scm) | {"tv->sales:alpha": np.array(a)}
    theta = with_coefficients(scm, theta, {"tv->sales": c})
    spent = scm.factual["tv"][10] / scm.scale["tv"].item()
    factor = 1.0 if normalize else (1 - a**7) / (1 - a)
    estimand = bc.incremental("tv", window=(week(10), week(10)))
    size = scm.factual["sales"].max()
    assert effect(scm, theta, estimand) == pytest.approx(c * spent * factor, abs=TIGHT * size)
    inside = effect(scm, theta, bc.incremental("tv", window=estimand.window, carryover=False))
    first = 1 - a if normalize else 1.0
    first = first / (1 - a**7) if normalize else first
    assert inside == pytest.approx(c * spent * first, abs=TIGHT * size)


def test_two_adstocks_in_a_row_multiply_their_tails():
    """Case 2 with a mediator: S [c1/(1-a2) + c2 b1/((1-a1)(1-a3))], with finite tails."""
    graph = bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales")
    media = carrying(l_max=5, normalize=False)
    scm = compile_scm(
        bc.Spec(graph, {"tv": media, "search": media}, policy={"search": "reacts"}),
        dataset(random_columns(("tv", "search", "sales"), PERIODS, 10)),
    )
    a1, a2, a3, b1, c1, c2 = 0.3, 0.6, 0.45, 1.4, 0.9, 0.7
    natural = {"tv->search": b1, "tv->sales": c1, "search->sales": c2}
    theta = with_coefficients(scm, draw(scm), natural)
    for edge, a in (("tv->search", a1), ("tv->sales", a2), ("search->sales", a3)):
        theta[f"{edge}:alpha"] = np.array(a)

    def tail(a):
        return (1 - a**6) / (1 - a)

    spent = scm.factual["tv"][8] / scm.scale["tv"].item()
    direct = spent * c1 * tail(a2)
    through = spent * b1 * tail(a1) * c2 / scm.scale["search"].item() * tail(a3)
    estimand = bc.incremental("tv", window=(week(8), week(8)))
    found = parts(scm, theta, estimand)
    size = scm.factual["sales"].max() * 11
    assert found["direct"] == pytest.approx(direct, abs=TIGHT * size)
    assert found["indirect"] == pytest.approx(through, abs=TIGHT * size)
    assert effect(scm, theta, estimand) == pytest.approx(direct + through, abs=TIGHT * size)


def test_a_pulse_through_hill_is_a_sum_over_lags():
    """Case 3: sum over lags of beta Hill(x a^l), unnormalized."""
    tv = np.zeros(PERIODS)
    tv[[4, 20]] = 50.0, 30.0  # far apart: their tails do not meet
    columns = random_columns(("sales",), PERIODS, 11) | {"tv": tv}
    scm = compile_scm(
        bc.Spec(
            bc.Graph.parse("tv -> sales", outcome="sales"),
            {"tv": carrying(bc.HillSaturation(), l_max=6, normalize=False)},
        ),
        dataset(columns),
    )
    a, k, s, beta = 0.55, 0.4, 1.8, 12.0
    theta = draw(scm) | {
        "tv->sales:alpha": np.array(a),
        "tv->sales:half": np.array(k),
        "tv->sales:slope": np.array(s),
    }
    theta = with_coefficients(scm, theta, {"tv->sales": beta})
    for when, x in ((4, 1.0), (20, 0.6)):
        curve = [beta * (x * a**lag) ** s / (k**s + (x * a**lag) ** s) for lag in range(7)]
        found = paths(scm, theta, bc.incremental("tv", window=(week(when), week(when))))
        size = scm.factual["sales"].max()
        assert np.allclose(found[when : when + 7], curve, atol=TIGHT * size)
        assert found.sum() == pytest.approx(sum(curve), abs=TIGHT * size)


def test_constant_spend_at_half_saturation_gives_half_of_beta():
    """Case 3: normalized adstock at steady state, x = k."""
    tv = np.full(PERIODS, 80.0)
    tv[:2] = 0.0, 160.0  # the largest value sets the scale, so that 80 is 0.5 of it
    columns = random_columns(("sales",), PERIODS, 12) | {"tv": tv}
    scm = compile_scm(
        bc.Spec(
            bc.Graph.parse("tv -> sales", outcome="sales"),
            {"tv": carrying(bc.HillSaturation(), l_max=4)},
        ),
        dataset(columns),
    )
    beta = 31.0
    theta = draw(scm) | {"tv->sales:half": np.array(0.5), "tv->sales:slope": np.array(2.7)}
    theta = with_coefficients(scm, theta, {"tv->sales": beta})
    found = paths(scm, theta, bc.incremental("tv"))
    assert np.allclose(found[8:], beta / 2, atol=TIGHT * scm.factual["sales"].max())


def test_the_marginal_effect_is_the_slope_of_hill():
    """Case 4: beta s k^s x^(s-1) / (k^s + x^s)^2, per unit of scaled exposure."""
    scm = compile_scm(
        bc.Spec(
            bc.Graph.parse("tv -> sales", outcome="sales"),
            {"tv": bc.Response(bc.HillSaturation(), strength=bc.Coefficient())},
        ),
        dataset(random_columns(("tv", "sales"), PERIODS, 13)),
    )
    k, s, beta, step = 0.45, 2.2, 40.0, 1e-4
    theta = draw(scm) | {"tv->sales:half": np.array(k), "tv->sales:slope": np.array(s)}
    theta = with_coefficients(scm, theta, {"tv->sales": beta})
    nudge = bc.Estimand({"tv": bc.Times(1 + step)}, {"tv": bc.Times(1 - step)})
    x = scm.factual["tv"] / scm.scale["tv"]
    slope = beta * s * k**s * x ** (s - 1) / (k**s + x**s) ** 2
    # A central difference: truncation of order step^2 = 1e-8, relative.
    assert np.allclose(paths(scm, theta, nudge) / (2 * step * x), slope, rtol=1e-6)


# Closed forms: log link


def test_contribution_under_a_log_link_is_y_times_one_minus_exp_of_minus_delta():
    """Case 5."""
    scm = compile_scm(
        bc.Spec(
            bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": MEDIA}, links={"sales": "log"}
        ),
        dataset(random_columns(("tv", "sales"), PERIODS, 14)),
    )
    theta = draw(scm)
    made = edge_mechanisms(scm, theta, scm.factual)[bc.Edge("tv", "sales")]
    delta = made.beta * made.factual  # Hill is zero at zero
    expected = scm.factual["sales"] * (1 - np.exp(-delta))
    found = paths(scm, theta, bc.incremental("tv"))
    assert np.allclose(found, expected, atol=TIGHT * scm.factual["sales"].max())


def test_a_log_link_splits_the_effect_in_the_order_of_the_definition():
    """NDE = Y e^-m (1 - e^-d), NIE = Y (1 - e^-m), for additive d and m under the log."""
    graph = bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales")
    scm = compile_scm(
        bc.Spec(graph, treatments=("tv",), links={"sales": "log"}),
        dataset(random_columns(("tv", "search", "sales"), PERIODS, 15)),
    )
    theta = with_coefficients(scm, draw(scm), {"tv->search": 0.6})
    for source, beta in (("tv", 0.3), ("search", 0.5)):
        key = f"{source}->sales"
        theta[key] = strength_of(scm, theta, bc.Edge.parse(key), beta)
    tv, y = scm.factual["tv"], scm.factual["sales"]
    d = 0.3 * tv / scm.scale["tv"]
    m = 0.5 * 0.6 * tv / scm.scale["search"]
    found = split(bind(scm, theta), bc.incremental("tv"))
    size = TIGHT * y.max()
    assert np.allclose(found["direct"], y * np.exp(-m) * (1 - np.exp(-d)), atol=size)
    assert np.allclose(found["indirect"], y * (1 - np.exp(-m)), atol=size)
    assert np.allclose(found["total"], y * (1 - np.exp(-m - d)), atol=size)


def test_a_multiplicative_effect_of_double_exposure():
    """exp(beta x / scale) under a log link with a plain edge: twice the exposure, its square."""
    scm = compile_scm(
        bc.Spec(
            bc.Graph.parse("price -> sales", outcome="sales"),
            treatments=("price",),
            links={"sales": "log"},
        ),
        dataset(random_columns(("price", "sales"), PERIODS, 16)),
    )
    key = "price->sales"
    theta = draw(scm) | {key: strength_of(scm, draw(scm), bc.Edge.parse(key), -log(2.0))}
    top = int(scm.factual["price"].argmax())
    moved = world(scm, theta, {"price": 2 * scm.factual["price"]})["sales"]
    assert moved[top] == pytest.approx(scm.factual["sales"][top] / 2, rel=1e-12)
    assert moved[top] == pytest.approx(scm.factual["sales"][top] * exp(-log(2.0)), rel=1e-12)


# Several treatments, several outcomes


def shared_node():
    """Two channels fill one node, which saturates: Hill with slope 2 and k = x."""
    graph = bc.Graph.parse("a, b -> reach -> sales", outcome="sales")
    curve = bc.Response(bc.HillSaturation(), strength=bc.Coefficient())
    columns = random_columns(("reach", "sales"), PERIODS, 17)
    columns |= {"a": np.tile([0.0, 4.0], 15), "b": np.tile([4.0, 4.0, 0.0], 10)}
    columns["reach"] = columns["a"] + columns["b"]  # its whole cause: its error is zero
    scm = compile_scm(
        bc.Spec(graph, {"reach->sales": curve}, treatments=("a", "b"), policy={"reach": "reacts"}),
        dataset(columns),
    )
    theta = with_coefficients(
        scm, draw(scm), {"a->reach": 1.0, "b->reach": 1.0, "reach->sales": 10.0}
    )
    theta["reach->sales:half"] = np.array(0.5)  # 4 of a largest 8
    theta["reach->sales:slope"] = np.array(2.0)
    return scm, theta


def test_synergy_through_a_saturated_node_is_joint_less_the_sum_of_solos():
    """MODEL.md 6.6, case 6: joint 8.0, first-in 5.0, last-in 3.0 for Hill with slope 2."""
    scm, theta = shared_node()
    both_on = (week(7), week(7))
    assert (scm.factual["a"][7], scm.factual["b"][7]) == (4.0, 4.0)
    joint = effect(scm, theta, bc.incremental(["a", "b"], window=both_on))
    last = {c: effect(scm, theta, bc.incremental(c, window=both_on)) for c in "ab"}
    first = effect(scm, theta, bc.Estimand({"b": 0.0}, {"a": 0.0, "b": 0.0}, window=both_on))
    size = TIGHT * scm.factual["sales"].max()
    assert joint == pytest.approx(8.0, abs=size)
    assert last == pytest.approx({"a": 3.0, "b": 3.0}, abs=size)
    assert first == pytest.approx(5.0, abs=size)
    assert joint - sum(last.values()) == pytest.approx(2.0, abs=2 * size)


def test_synergy_of_channels_that_add_up_is_zero():
    scm = funnel()
    theta = draw(scm)
    joint = effect(scm, theta, bc.incremental(["tv", "social"], window=WINDOW))
    solo = [effect(scm, theta, bc.incremental(c, window=WINDOW)) for c in ("tv", "social")]
    assert joint == pytest.approx(sum(solo), abs=TIGHT * scm.factual["sales"].sum())


@cache
def two_outcomes():
    graph = bc.Graph.parse("tv -> visits, sales\nsocial -> sales", outcome=("sales", "visits"))
    spec = bc.Spec(graph, {"tv": MEDIA, "social": MEDIA}, links={"visits": "log"})
    columns = random_columns(("tv", "social", "visits", "sales"), PERIODS, 18)
    return compile_scm(spec, dataset(columns))


def test_each_outcome_has_its_own_effect():
    scm = two_outcomes()
    theta = draw(scm)
    found = world(scm, theta, {"tv": np.zeros(PERIODS)})
    for outcome in ("sales", "visits"):
        expected = scm.factual[outcome] - found[outcome]
        assert np.array_equal(paths(scm, theta, bc.incremental("tv", outcome=outcome)), expected)
        assert expected.any()


def test_a_channel_of_one_outcome_does_not_move_the_other():
    scm = two_outcomes()
    found = world(scm, draw(scm), {"social": np.zeros(PERIODS)})
    assert np.array_equal(found["visits"], scm.factual["visits"])
    with pytest.raises(bc.errors.SpecError, match="no directed path"):
        scm.spec.check_estimand(bc.incremental("social", outcome="visits"))


def test_a_question_to_two_outcomes_must_name_one():
    scm = two_outcomes()
    with pytest.raises(bc.errors.GraphError, match="One outcome is needed"):
        paths(scm, draw(scm), bc.incremental("tv"))


# Questions that have no answer


def test_a_split_is_not_asked_of_an_edge():
    scm = funnel()
    with pytest.raises(bc.errors.SpecError, match="already one path"):
        parts(scm, draw(scm), bc.Estimand(control={"tv->sales": 0.0}))


def test_a_window_without_a_period_is_refused():
    scm = funnel()
    with pytest.raises(bc.errors.DataError, match="no period of the data"):
        effect(scm, draw(scm), bc.incremental("tv", window=("2031-01-01", "2031-02-01")))


def test_an_effect_per_spend_that_moves_none_is_refused():
    scm = funnel()
    dark = bc.incremental("tv", window=(week(8), week(8)), scale="per_spend")
    with pytest.raises(bc.errors.DataError, match="moves no spend"):
        effect(scm, draw(scm), dark)
