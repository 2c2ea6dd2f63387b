"""The parts of the outcome add up in every structure, and each is what its own question says."""

import json

import numpy as np
import oracle
import pytest
import xarray as xr
from linear_worlds import linear_fit
from model.test_forward import CASES, case

import bayescausal as bc
from bayescausal.data.periods import calendar
from bayescausal.errors import GraphError, NotIdentified, SpecError
from bayescausal.inference.evidence import reachable
from bayescausal.inference.fit import Fit
from bayescausal.model.contrast import contrast, split
from bayescausal.model.scm import bind, compile_scm
from bayescausal.truth.bundle import bundled_world

# A sum of some ten parts of the size of the outcome, in double precision.
EXACT = 1e-13


def unsampled(scm, theta):
    """A fit of one chain whose draws are given."""
    draws = {
        p.name: (("chain", "draw", *([p.dim] if p.dim else [])), np.asarray(theta[p.name])[None])
        for p in scm.parameters
    }
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(draws)})
    state = {"converged": True, "max_rhat": 1.0, "worst": "", "min_ess_bulk": 1e3}
    state |= {"min_ess_tail": 1e3, "divergences": 0, "draws": 3}
    tree.attrs["convergence"] = json.dumps(state)
    return Fit(scm.spec, scm.data, tree)


def of(name):
    """The case's fit, and the first outcome."""
    scm, theta, _ = case(name)
    return unsampled(scm, theta), scm.spec.graph.outcomes[0]


def kind(draws, *kinds):
    return draws.sel(component=np.isin(draws["kind"], kinds))


def part(draws, component):
    return draws.sel(component=component).to_numpy()


def near(found, expected, size):
    assert np.shape(found) == np.shape(expected)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=0, atol=EXACT * size)


def training(fit, node):
    return fit.data.array(node)[..., fit.data.history :]


# Adding up


@pytest.mark.parametrize("name", CASES)
def test_parts_add_up_to_the_data_in_every_draw_and_period(name):
    fit, outcome = of(name)
    draws = bc.decomposition(fit)
    assert draws.dims == ("chain", "draw", "component", *fit.data.dims)
    observed = training(fit, outcome)
    size = np.abs(observed).max() + np.abs(draws).max().item()
    whole = draws.sum("component").to_numpy()
    near(whole, np.broadcast_to(observed, whole.shape), size)


@pytest.mark.parametrize("name", CASES)
def test_all_but_the_residual_add_up_to_the_fitted_outcome_of_the_oracle(name):
    fit, outcome = of(name)
    _, _, second = case(name)
    draws = bc.decomposition(fit)
    explained = draws.sel(component=draws["kind"] != "residual").sum("component")[0, 0]
    mu = second.mu(outcome, second.x)
    fitted = [
        [second.inverse(outcome, m, u) for m in row] for u, row in enumerate(np.array(mu).tolist())
    ]
    expected = np.array(fitted if fit.data.is_panel else fitted[0])[..., fit.data.history :]
    np.testing.assert_allclose(explained, expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("name", CASES)
def test_baseline_and_controls_are_the_oracles_world_without_channels(name):
    fit, outcome = of(name)
    _, _, second = case(name)
    names = reachable(fit.spec, outcome)
    off = bc.Estimand(control=dict.fromkeys(names, 0.0), outcome=outcome)
    world = second.world(*oracle.sides(second, off, off.control))
    mu = second.mu(outcome, world)
    rows = [[second.inverse(outcome, m, u) for m in row] for u, row in enumerate(mu)]
    expected = np.array(rows if fit.data.is_panel else rows[0])[..., fit.data.history :]
    found = kind(bc.decomposition(fit), "baseline", "control").sum("component")[0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max())


# Channels


@pytest.mark.parametrize("name", CASES)
def test_parts_of_a_channel_add_up_to_its_contribution(name):
    fit, outcome = of(name)
    draws, added = bc.decomposition(fit), bc.contributions(fit)
    size = np.abs(training(fit, outcome)).max()
    assert {*draws["channel"].values} - {""} == {*added["channel"].values}
    for channel in added["channel"].values:
        own = draws.sel(component=draws["channel"] == channel).sum("component")
        near(own.to_numpy(), added.sel(channel=channel).to_numpy(), size)


@pytest.mark.parametrize("name", CASES)
def test_the_interaction_is_the_joint_effect_less_the_sum_of_the_single_ones(name):
    fit, outcome = of(name)
    scm, theta, _ = case(name)
    draws, names = bc.decomposition(fit), reachable(fit.spec, outcome)
    if len(names) == 1:
        assert "interaction" not in draws["component"]
        return
    joint = contrast(bind(scm, theta), bc.incremental(list(names), outcome=outcome))
    alone = bc.contributions(fit).sum("channel").to_numpy()
    expected = joint[None, ..., fit.data.history :] - alone
    near(part(draws, "interaction"), expected, np.abs(training(fit, outcome)).max())


@pytest.mark.parametrize("name", CASES)
def test_direct_and_indirect_are_those_of_the_split(name):
    fit, outcome = of(name)
    scm, theta, _ = case(name)
    draws, size = bc.decomposition(fit), np.abs(training(fit, outcome)).max()
    for channel in reachable(fit.spec, outcome):
        own = draws.sel(component=draws["channel"] == channel)
        parts = split(bind(scm, theta), bc.incremental(channel, outcome=outcome))
        via = own.sel(component=[" via " in c for c in own["component"].values]).sum("component")
        direct = own.sel(component=[" via " not in c for c in own["component"].values])
        for found, path in ((direct.sum("component"), "direct"), (via, "indirect")):
            expected = np.broadcast_to(parts[path], (3, *scm.factual[outcome].shape))
            near(found.to_numpy(), expected[None, ..., fit.data.history :], size)


def test_each_mediator_is_credited_with_the_product_along_its_path():
    """a -> m -> y and a -> n -> y of an identity link: the whole is the sum of the paths."""
    scm, theta, _ = case("persistent")
    fit = unsampled(scm, theta)
    draws, equations = bc.decomposition(fit), bind(scm, theta)
    for mediator in ("search", "visits"):
        edge = bc.Edge(mediator, "sales")
        off = bc.Estimand(control={"tv": 0.0}, outcome=mediator)
        moved = contrast(equations, off) / scm.scale[mediator]
        expected = scm.scale["sales"] * equations.edges[edge].beta * moved
        size = np.abs(scm.factual["sales"]).max()
        near(part(draws, f"tv via {mediator}"), expected[None], size)


def test_what_mediators_do_together_is_a_part_where_causes_multiply():
    draws = bc.decomposition(of("remembering")[0])
    together = part(draws, "tv via several")
    assert np.abs(together).max() > 1e-4 * np.abs(draws).max().item()
    assert "tv via several" not in bc.decomposition(of("persistent")[0])["component"]


def test_what_a_channel_does_through_another_is_in_the_interaction_once():
    """Feedback of one channel through another under an identity link: it is taken off again."""
    draws = bc.decomposition(of("feedback")[0])
    np.testing.assert_allclose(part(draws, "interaction"), -part(draws, "social via tv"), atol=1e-9)
    assert np.abs(part(draws, "interaction")).max() > 0.1


def test_channels_that_add_up_do_not_interact():
    assert not part(bc.decomposition(of("zoo")[0]), "interaction").any()


def test_errors_stand_apart_where_causes_multiply():
    """What errors make of the channels' effect: in the factual world, less in the fitted one."""
    fit, outcome = of("national")
    draws = bc.decomposition(fit)
    base = kind(draws, "baseline", "control").sum("component").to_numpy()
    fitted = draws.sel(component=draws["kind"] != "residual").sum("component").to_numpy()
    growth = training(fit, outcome) / fitted
    found, expected = part(draws, "channels x errors"), (fitted - base) * (1 - growth)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert "channels x errors" not in bc.decomposition(of("panel")[0])["component"]


# Baseline and controls


@pytest.mark.parametrize("name", ["panel", "confounded", "smooth", "measured"])
def test_terms_and_controls_are_deviations_from_their_mean_under_an_identity_link(name):
    fit, outcome = of(name)
    draws = kind(bc.decomposition(fit), "baseline", "control")
    size = np.abs(draws).max().item()
    for component in draws["component"].values:
        path = draws.sel(component=component) / fit.scm.scale[outcome].mean()
        if component != "level" and "before the data" not in component:
            scale = fit.scm.scale[outcome] if fit.data.is_panel else 1.0
            mean = (part(draws, component) / scale).mean(axis=tuple(range(2, path.ndim)))
            assert np.abs(mean).max() < EXACT * size, component


def test_each_term_is_the_oracles():
    fit, outcome = of("smooth")
    _, _, second = case("smooth")
    draws, scale = bc.decomposition(fit), fit.scm.scale[outcome].item()
    terms = fit.spec.terms(outcome)[1:]
    assert len(terms) == 5
    for term in terms:
        path = oracle.term_path(term, outcome, second.theta, second.time, second.training)
        expected = scale * np.array(path)[fit.data.history :]
        np.testing.assert_allclose(part(draws, term.key)[0, 0], expected, atol=1e-9 * scale)


def test_the_level_is_the_outcome_without_channels_and_with_all_else_at_its_mean():
    coefficients = {"a->y": (0.3, 0.1), "b->y": (0.2, 0.1), "c->y": (0.1, 0.1)}
    fit = linear_fit(coefficients=coefficients)
    draws = bc.decomposition(fit, channels=["a", "b"])
    assert [*draws["component"].values] == ["level", "c", "a", "b", "interaction", "residual"]
    theta, scale = fit.theta(), fit.scm.scale
    edges = bind(fit.scm, theta).edges
    level = theta["y:intercept"]
    for v in "ab":
        level = level - edges[bc.Edge(v, "y")].beta[:, 0] * np.mean(fit.data.array(v)) / scale[v]
    whole = np.broadcast_to(scale["y"] * level[:, None], (1, *draws.shape[1:2], 30))
    np.testing.assert_allclose(part(draws, "level"), whole, rtol=1e-12)
    c = fit.data.array("c")
    beta = edges[bc.Edge("c", "y")].beta
    np.testing.assert_allclose(
        part(draws, "c")[0], scale["y"] * beta * (c - c.mean()) / scale["c"], atol=1e-9
    )


def test_parts_under_a_log_link_have_the_sign_and_the_share_of_their_logarithms():
    fit, outcome = of("national")
    scm, theta, _ = case("national")
    draws = kind(bc.decomposition(fit), "baseline", "control")
    terms = scm.baseline_terms(outcome, theta)
    deviations = {k: terms[k] for k in ("trend", "yearly")}
    for v in ("price", "demand"):
        way = bind(scm, theta).edges[bc.Edge(v, outcome)]
        deviations[v] = way.response(way.factual)
    assert {*draws["component"].values} == {"level", *deviations}
    whole = draws.sum("component").to_numpy()[0]
    level = part(draws, "level")[0]
    logs = sum(deviations.values())
    np.testing.assert_allclose(np.log(whole / level), logs, rtol=1e-8, atol=1e-12)
    for name, path in deviations.items():
        expected = (whole - level) * path / logs
        np.testing.assert_allclose(part(draws, name)[0], expected, rtol=1e-6, atol=1e-9)


def test_a_channel_that_ran_before_the_data_is_carried_in():
    fit, _ = of("measured")
    draws, x = bc.decomposition(fit), fit.data.array("social")
    assert fit.data.history
    assert (x[: fit.data.history] > 0).any()
    carried = part(draws, "social before the data")[0, 0]
    edge = bc.Edge("social", "sales")
    reach = fit.spec.mechanisms[edge].reach
    assert carried[:reach].any()
    assert not carried[reach:].any()


def test_a_node_may_have_the_name_of_a_part():
    fit = linear_fit(
        parts={"baseline": (bc.LinearTrend(), bc.Event("level", "2024-03-04"))},
        coefficients={"y:trend": (0.1, 0.0), "y:level": (0.1, 0.0)},
    )
    names = [*bc.decomposition(fit)["component"].values]
    assert len({*names}) == len(names)
    assert {"level", "intercept"} <= {*names}


# A real posterior


def test_a_sampled_posterior_adds_up_and_says_what_its_prior_alone_would(example_fit):
    total = bc.decomposition(example_fit, total=True)
    observed = training(example_fit, "sales").sum()
    near(total.sum("component").to_numpy(), np.full(example_fit.shape, observed), 10 * observed)
    table = bc.summarize(total)
    assert {"level", "trend", "yearly", "price", "demand", "tv via search"} <= {*table.index}
    centered = ["trend", "yearly", "price", "demand", "search", "interaction"]
    assert not table.loc[centered, ["low", "high", "prior_5%", "prior_95%"]].any(axis=None)
    rest = table.drop(index=centered)
    assert (rest["prior_5%"] < rest["prior_95%"]).all()
    added = bc.contributions(example_fit, total=True)
    grades = dict(zip(added["channel"].values, added["grade"].values, strict=True))
    assert table.loc["social", "grade"] == grades["social"]


# Totals, currency, other outcomes and channels


def test_totals_are_sums_over_time_and_units():
    fit, outcome = of("panel")
    draws, total = bc.decomposition(fit), bc.decomposition(fit, total=True)
    assert total.dims == ("chain", "draw", "component")
    np.testing.assert_allclose(draws.sum(["unit", "time"]), total, rtol=1e-10, atol=1e-9)
    table = bc.summarize(total)
    assert {"median", "low", "high", "kind", "channel", "status", "grade"} <= {*table}
    assert table.loc["residual", "grade"] == ""
    assert table.loc["tv direct", "grade"] != ""
    assert total.attrs["outcome"] == outcome


@pytest.mark.parametrize("by", ["week", "month", "quarter", "year"])
@pytest.mark.parametrize("name", ["national", "panel"])
def test_sums_of_the_calendar_are_those_of_the_periods_that_begin_in_it(name, by):
    fit, _ = of(name)
    paths, sums = bc.decomposition(fit), bc.decomposition(fit, by=by)
    assert sums.dims == ("chain", "draw", "component", by)
    labels = calendar(fit.data.time, by)[fit.data.history :]
    paths = paths.sum([d for d in ("unit",) if d in paths.dims])
    size = np.abs(paths).sum("time").max().item()
    for label in sums[by].to_numpy():
        want = paths.isel(time=labels == label).sum("time")
        near(sums.sel({by: label}).to_numpy(), want.to_numpy(), size)
    near(sums.sum(by).to_numpy(), bc.decomposition(fit, total=True).to_numpy(), size)


def test_currency_is_the_value_of_every_period():
    fit = linear_fit(value="worth")
    units, money = bc.decomposition(fit), bc.decomposition(fit, currency=True)
    worth = fit.data.array("worth")
    np.testing.assert_allclose(money, units * worth, rtol=1e-12)
    np.testing.assert_allclose(
        money.sum("component"), np.broadcast_to(fit.data.array("y") * worth, (1, 4000, 30))
    )
    assert "'worth'" in money.attrs["counted_in"]


def test_a_mediator_is_explained_like_an_outcome():
    fit, _ = of("national")
    draws = bc.decomposition(fit, outcome="search")
    whole = draws.sum("component").to_numpy()
    expected = np.broadcast_to(fit.data.array("search"), whole.shape)
    near(whole, expected, np.abs(draws).max().item())
    assert {*draws["channel"].values} == {"", "tv"}


def test_what_is_no_channel_is_a_control():
    fit, _ = of("national")
    draws = bc.decomposition(fit, channels="tv")
    kinds = dict(zip(draws["component"].values, draws["kind"].values, strict=True))
    assert kinds["search"] == kinds["social"] == kinds["price"] == "control"
    assert "interaction" not in kinds
    whole = draws.sum("component").to_numpy()
    near(whole, np.broadcast_to(training(fit, "sales"), whole.shape), np.abs(draws).max().item())


# Synergy, and controlled direct effects


def test_synergy_of_two_channels_is_minus_their_interaction():
    fit, _ = of("national")
    interaction = bc.decomposition(fit, channels=["tv", "social"], total=True).sel(
        component="interaction"
    )
    together = bc.synergy(fit, ["tv", "social"])
    np.testing.assert_allclose(together, -interaction, rtol=1e-8, atol=1e-9)
    assert "grade" in together.coords
    assert together.dims == ("chain", "draw")


def test_synergy_under_a_log_link_is_the_product_of_what_each_adds():
    """Y = B e^(a + b): B (e^a - 1) (e^b - 1), for b price and a social, of one edge each."""
    fit, outcome = of("national")
    scm, theta, _ = case("national")
    edges = bind(scm, theta).edges
    a, b = (
        way.beta * (way.factual - bind(scm, theta).curve(edge, 0 * scm.factual[edge.source]))
        for edge, way in (
            (e, edges[e]) for e in (bc.Edge("social", outcome), bc.Edge("price", outcome))
        )
    )
    base = scm.factual[outcome] / np.exp(a + b)
    expected = (base * np.expm1(a) * np.expm1(b)).sum(axis=-1)
    np.testing.assert_allclose(bc.synergy(fit, ["social", "price"])[0], expected, rtol=1e-8)


def test_channels_that_add_up_have_no_synergy_and_one_alone_has_none():
    fit, _ = of("zoo")
    assert not bc.synergy(fit).any()
    with pytest.raises(SpecError, match="two channels"):
        bc.synergy(fit, ["m0"])


def test_a_controlled_direct_effect_holds_the_mediator_in_both_worlds():
    """Y(x, m) - Y(0, m) of a log link, for each m: Y e^(h(m) - h(M)) (1 - e^(-d))."""
    fit, outcome = of("student")
    scm, theta, _ = case("student")
    equations = bind(scm, theta)
    direct, last = bc.Edge("tv", outcome), bc.Edge("search", outcome)
    gain = equations.edges[direct].beta * (
        equations.edges[direct].factual - equations.curve(direct, 0 * scm.factual["tv"])
    )
    for held in (20.0, scm.factual["search"]):
        cde = bc.effect(fit, bc.Estimand({"search": held}, {"tv": 0, "search": held}))
        path = np.broadcast_to(held, scm.factual["search"].shape)
        moved = equations.curve(last, path) - equations.edges[last].factual
        factor = np.exp(equations.edges[last].beta * moved)
        expected = (scm.factual[outcome] * factor * -np.expm1(-gain)).sum(axis=(-2, -1))
        np.testing.assert_allclose(cde[0], expected, rtol=1e-8)
    # at the factual path of the mediator it is the effect along the edge
    np.testing.assert_allclose(cde, bc.effect(fit, bc.incremental(f"tv->{outcome}")), rtol=1e-9)


def test_the_edge_to_a_mediator_alone_is_the_indirect_effect():
    fit, outcome = of("national")
    along = bc.effect(fit, bc.Estimand(control={"tv->search": 0.0}, outcome=outcome))
    parts = bc.decompose(fit, "tv")
    np.testing.assert_allclose(along, parts.sel(path="indirect"), rtol=1e-9)
    whole = parts.sel(path="direct") + parts.sel(path="indirect")
    np.testing.assert_allclose(whole, parts.sel(path="total"), rtol=1e-12)


# A simulated world


def test_the_parts_of_a_simulated_world_are_its_truth():
    """With the true parameters each channel has its true effect, and the residual is the error."""
    world = bundled_world(8)
    scm = compile_scm(world.scm.spec, world.data)
    unit = {v: scm.scale[v].item() for v in scm.spec.modelled}
    theta = {}
    for p in scm.parameters:  # natural units in the world, shares of the scale in the fit
        node = p.name.split(":")[0].split("->")[-1]
        has_unit = p.name != f"{node}:phi" and not ("->" in p.name and ":" in p.name)
        theta[p.name] = world.theta[p.name][None] / (unit[node] if has_unit else 1.0)
    mean = world.theta["sales:intercept"] + scm.baseline_terms("sales", world.theta)["trend"]
    mean = mean + scm.baseline_terms("sales", world.theta)["yearly"]
    for edge, way in bind(scm, theta).edges.items():
        # the world's level is that of no media, the model's that of mean media
        theta[f"{edge.target}:intercept"] += (way.beta * way.center)[:, 0]
        if edge.target == "sales":
            mean = mean + unit["sales"] * (way.beta * way.factual)[0]
    draws = bc.decomposition(unsampled(scm, theta))[0, 0]
    size = np.abs(world.data.array("sales")).max()
    near(part(draws, "residual"), world.data.array("sales") - mean, 10 * size)
    total = draws.sum("time")
    for channel in ("tv", "social"):
        found = total.sel(component=total["channel"] == channel).sum().item()
        assert found == pytest.approx(world.effect(bc.incremental(channel)), rel=1e-8)
    paths = world.paths(bc.incremental("tv"))
    assert total.sel(component="tv direct").item() == pytest.approx(paths["direct"], rel=1e-8)
    assert total.sel(component="tv via search").item() == pytest.approx(paths["indirect"], rel=1e-8)


# Bad input


def test_bad_input_is_refused_with_advice():
    fit, _ = of("national")
    with pytest.raises(GraphError, match="sale"):
        bc.decomposition(fit, outcome="sale")
    with pytest.raises(SpecError, match="no equation"):
        bc.decomposition(fit, outcome="demand", channels="price")
    with pytest.raises(SpecError, match="tvv"):
        bc.decomposition(fit, channels=["tvv"])
    with pytest.raises(SpecError, match="channels"):
        bc.decomposition(fit, channels=[])
    with pytest.raises(SpecError, match="total"):
        bc.decomposition(fit, total="yes")
    with pytest.raises(SpecError, match="currency"):
        bc.decomposition(fit, currency=2)
    with pytest.raises(SpecError, match="asks a Fit"):
        bc.decomposition(fit.spec)
    with pytest.raises(SpecError, match="No treatment reaches"):
        bc.decomposition(fit, outcome="tv")


def test_another_calendar_and_a_total_of_each_are_refused():
    fit, _ = of("national")
    with pytest.raises(SpecError, match="Did you mean 'month'"):
        bc.decomposition(fit, by="months")
    with pytest.raises(SpecError, match="Give total=True or by='month'"):
        bc.decomposition(fit, by="month", total=True)


def test_strict_refuses_what_the_graph_does_not_identify():
    fit, _ = of("confounded")
    assert "X" in bc.decomposition(fit)["grade"].values
    with pytest.raises(NotIdentified):
        bc.decomposition(fit, strict=True)
