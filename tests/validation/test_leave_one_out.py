"""Leave-one-out: against closed forms, and against a loop over rows and weeks."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from linear_worlds import DRAWS, coefficient_units, linear_fit
from scipy import stats
from weighted_cases import GRAPH, SPECS, means, naive, world

import bayescausal as bc
from bayescausal.augmentation.augment import Augmented
from bayescausal.augmentation.blocks import UNIT
from bayescausal.inference.fit import PLAIN, Fit
from bayescausal.model.predict import pointwise
from bayescausal.model.scm import bind, compile_scm
from bayescausal.model.weighted import TIME, augmented_rows
from bayescausal.validation.leave_one_out import _term_density


def conjugate(sigma=0.16, seed=2, **settings):
    """Weeks of ``a, b -> y`` with known noise, and draws of the posterior that they give.

    Returns the fit, the design, the observed values on the model's scale, mean and covariance.
    """
    made = linear_fit("a, b -> y", set_to={"y:sigma": sigma}, **settings)
    data = made.data
    f = [(data.array(v) / made.scm.scale[v]).ravel() for v in "ab"]
    y = (data.array("y") / made.scm.scale["y"]).ravel()
    design = np.column_stack([np.ones_like(y), *(x - x.mean() for x in f)])
    covariance = sigma**2 * np.linalg.inv(design.T @ design)
    mean = covariance @ design.T @ y / sigma**2
    drawn = np.random.default_rng(seed).multivariate_normal(mean, covariance, (1, DRAWS))
    posterior = made.tree["posterior"].to_dataset()
    for k, name in enumerate(("y:intercept", "a->y", "b->y")):
        old = posterior[name]
        values = np.broadcast_to(drawn[..., k, *[None] * (old.ndim - 2)], old.shape)
        posterior[name] = (old.dims, values / coefficient_units(made.scm).get(name, 1.0))
    tree = xr.DataTree.from_dict({"posterior": posterior})
    tree.attrs = made.tree.attrs
    return replace(made, tree=tree), design, y, mean, covariance


def left_out(design, y, mean, covariance, sigma):
    """Log predictive density of each row under the posterior of all others, in closed form."""
    precision = np.linalg.inv(covariance)
    out = []
    for x, seen in zip(design, y, strict=True):
        without = np.linalg.inv(precision - np.outer(x, x) / sigma**2)
        center = without @ (precision @ mean - x * seen / sigma**2)
        out.append(stats.norm(x @ center, np.sqrt(sigma**2 + x @ without @ x)).logpdf(seen))
    return np.array(out)


def assert_as_told(found, fit, told):
    """Each row within four Monte-Carlo errors.

    The plain estimate is ``1 / mean(1 / p)``; its relative error is the coefficient of variation
    of ``1 / p`` over the root of the number of draws. Smoothing the tail changes less than that.
    """
    flat = pointwise(bind(fit.scm, fit.theta()))["y"]
    inverse = np.exp(-flat.reshape(DRAWS, -1))
    error = inverse.std(axis=0) / inverse.mean(axis=0) / np.sqrt(DRAWS)
    assert error.max() < 0.05  # else the tolerance would forgive much
    assert (np.abs(found.pointwise["elpd"] - told) < 4 * error + 1e-3).all()


def test_it_is_the_closed_form_of_a_linear_model():
    fit, *known = conjugate()
    scale = float(fit.scm.scale["y"][0])
    told = left_out(*known, 0.16) - np.log(scale)
    found = bc.leave_one_out(fit)
    assert_as_told(found, fit, told)
    assert found.elpd == pytest.approx(told.sum(), abs=0.1)
    assert found.se == pytest.approx(np.sqrt(len(told) * told.var(ddof=1)), rel=0.05)
    assert found.pointwise.index.equals(fit.data.training)
    inside = stats.norm(
        known[0] @ known[2],
        np.sqrt(0.16**2 + np.einsum("ti,ij,tj->t", known[0], known[3], known[0])),
    ).logpdf(known[1]) - np.log(scale)
    assert found.p_loo == pytest.approx(inside.sum() - told.sum(), abs=0.1)
    assert found.unreliable == 0
    assert "Pareto" not in str(found)


def test_a_row_of_a_panel_is_a_week_of_a_unit():
    alike = bc.NormalNoise(spread="common")
    fit, *known = conjugate(units=("north", "south"), rows=20, noise=alike)
    found = bc.leave_one_out(fit)
    assert found.pointwise.index.names == ["unit", "time"]
    assert list(found.pointwise.index[[0, 20]]) == [
        ("north", fit.data.time[0]),
        ("south", fit.data.time[0]),
    ]
    scales = np.repeat(fit.scm.scale["y"].ravel(), 20)
    assert_as_told(found, fit, left_out(*known, 0.16) - np.log(scales))


def test_rows_that_weights_cannot_leave_out_are_counted_with_advice():
    """A posterior much wider than the noise: the weights have a heavy tail."""
    fit, *_ = conjugate()
    posterior = fit.tree["posterior"].to_dataset()
    posterior["y:sigma"] = posterior["y:sigma"] * 0.1
    tree = xr.DataTree.from_dict({"posterior": posterior})
    tree.attrs = fit.tree.attrs
    found = bc.leave_one_out(replace(fit, tree=tree))
    bad = int((found.pointwise["k"] > 0.7).sum())
    assert found.unreliable == bad > 0
    assert f"Pareto k is above 0.7 in {bad} of 30 rows" in str(found)
    assert "Refit without these rows" in str(found)


def test_a_negative_p_loo_is_explained_where_there_are_augmented_rows():
    fit, *_ = conjugate()
    plain = bc.leave_one_out(fit)
    assert not plain.augmented
    told = str(replace(plain, p_loo=-1.2, augmented=True))
    assert "p_loo -1.2. A negative p_loo is no number of parameters: the weighted fit" in told
    for other in (replace(plain, p_loo=-1.2), replace(plain, p_loo=0.5, augmented=True)):
        assert "negative" not in str(other)
    weighted = hand_made(
        SPECS["mediator"][0], world(weeks=8), bc.Augmentation(method=bc.Ancestral(25)), 40
    )
    assert bc.leave_one_out(weighted).augmented


def hand_made(spec, data, given, count=3):
    """A fit with augmentation whose draws are set by hand, and the plain one beside it."""
    rng = np.random.default_rng(8)
    asked = replace(spec, augmentation=given)
    draws = {}
    for p in compile_scm(spec, data).parameters:
        values = rng.uniform(0.2, 0.6, (1, count, *([p.size] if p.dim else [])))
        values += 4.0 if p.name.endswith(":nu") else 0.0
        draws[p.name] = (("chain", "draw", *([p.dim] if p.dim else [])), values)
    posterior = xr.Dataset(draws)
    shifted = posterior.map(lambda x: x * 0.9)
    tree = {"posterior": posterior, f"{PLAIN}/posterior": shifted}
    return Fit(asked, data, xr.DataTree.from_dict(tree))


def held_by(scm, drawn, node):
    """Blocks whose rows enter an augmented row's term of a node: a made cause brings its own."""
    blocks = {node} | {e.source for e in scm.spec.structure.incoming(node)}
    blocks |= {b for b in (UNIT,) if b in drawn.order}
    blocks |= {TIME} if scm.design[node] else set()
    while True:
        more = blocks | {
            p
            for v in blocks & drawn.plan.synthetic_nodes
            for p in drawn.plan.factorization.pillows[v]
        }
        if more == blocks:
            return [drawn.order.index(b) for b in sorted(blocks)]
        blocks = more


CHAIN = bc.Graph.parse("tv -> search -> sales\nprice -> sales", outcome="sales")
CASES = {
    "mediator": SPECS["mediator"],
    "student": SPECS["student"],
    "log mediator": SPECS["log mediator"],
    "panel": (replace(SPECS["panel"][0], baseline=()), {"units": 2}),
    "a cause of a made cause": (bc.Spec(CHAIN, treatments=("tv",)), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_holds_a_week_is_every_term_with_an_index_of_it(name):
    """Against a loop over draws, rows that are not merged, nodes and weeks."""
    spec, how = CASES[name]
    data, given = (
        world(weeks=8, **how),
        bc.Augmentation(weight=0.3, eta=0.6, method=bc.Ancestral(25), seed=2),
    )
    fit = hand_made(spec, data, given)
    scm = fit.scm
    seen = pointwise(bind(scm, fit.theta()))
    density = sum(part.reshape(3, -1) for part in seen.values())[None]
    found = _term_density(fit, density)[0]
    drawn, count = augmented_rows(scm, fit.shapes), density.shape[-1]
    size = min(count, drawn.effective_rows)
    wanted = 0.7 * density[0]
    for draw in range(3):
        theta = {k: v[draw] for k, v in fit.theta().items()}
        for i, share in enumerate(drawn.weights / drawn.mass):
            one = Augmented(drawn.plan, drawn.indices[i : i + 1], np.ones(1), drawn.method)
            for node in spec.modelled:
                term = 0.3 * 0.6 * size * share * naive(scm, one, theta, node)
                for t in {*drawn.indices[i, held_by(scm, drawn, node)]}:
                    wanted[draw, t] += term
    np.testing.assert_allclose(found, wanted, rtol=1e-8)


def test_what_holds_a_week_of_a_district_is_a_joint_density():
    """search <-> sales: one term a row for the two, from the two means and their correlation."""
    spec = replace(SPECS["district"][0], baseline=())
    data, given = (
        world(weeks=8),
        bc.Augmentation(weight=0.3, eta=0.6, method=bc.Ancestral(25), seed=2),
    )
    fit = hand_made(spec, data, given)
    scm = fit.scm
    density = sum(p.reshape(3, -1) for p in pointwise(bind(scm, fit.theta())).values())[None]
    drawn, nodes = augmented_rows(scm, fit.shapes), ("search", "sales")
    wanted = 0.7 * density[0]
    blocks = sorted({b for node in nodes for b in held_by(scm, drawn, node)})
    for draw in range(3):
        theta = {k: v[draw] for k, v in fit.theta().items()}
        rho, sd = theta["sales<->search"], [theta[f"{node}:sigma"] for node in nodes]
        covariance = np.outer(sd, sd) * np.array([[1, rho], [rho, 1]])
        rows = zip(*(means(scm, drawn, theta, node) for node in nodes), strict=True)
        for i, row in enumerate(rows):
            off = [eta - mu for mu, eta, _ in row]
            term = stats.multivariate_normal(cov=covariance).logpdf(off) / len(drawn)
            for t in {*drawn.indices[i, blocks]}:
                wanted[draw, t] += 0.3 * 0.6 * 8 * term
    np.testing.assert_allclose(_term_density(fit, density)[0], wanted, rtol=1e-8)


def test_weeks_that_a_method_merged_hold_an_even_part_of_its_rows():
    """A promotion runs in three of eight weeks; the row points at the first of them."""
    data = world(weeks=8)
    promo = np.array([0, 1, 0, 1, 0, 0, 1, 0.0])
    data = replace(data, table=data.table.assign(promo=("time", promo)))
    graph = bc.Graph.parse("tv, promo -> sales", outcome="sales")
    given = bc.Augmentation(weight=0.3, method=bc.Reduce(60), conditional="nadaraya-watson", seed=2)
    fit = hand_made(bc.Spec(graph, treatments=("tv",)), data, given)
    scm, drawn = fit.scm, augmented_rows(fit.scm, fit.shapes)
    at = {b: drawn.order.index(b) for b in ("tv", "promo", "sales")}
    assert {*drawn.indices[:, at["promo"]]} == {0, 1}
    theta = {k: v[0] for k, v in fit.theta().items()}
    wanted = np.zeros(8)
    for i, share in enumerate(drawn.weights):
        one = Augmented(drawn.plan, drawn.indices[i : i + 1], np.ones(1), drawn.method)
        term = 0.3 * min(8, drawn.effective_rows) * share * naive(scm, one, theta, "sales")
        running = promo[drawn.indices[i, at["promo"]]]
        for t in range(8):
            spared = 1 - (promo[t] == running) / (promo == running).sum()
            held = t in drawn.indices[i, [at["tv"], at["sales"]]]
            wanted[t] += term * (1 - (1 - held) * spared)
    np.testing.assert_allclose(_term_density(fit, np.zeros((1, 3, 8)))[0, 0], wanted, rtol=1e-8)


def test_a_week_in_no_term_is_left_out_at_no_cost():
    """At weight one and with few rows some weeks are in none: their posterior is the fit's."""
    data = world(weeks=30)
    fit = hand_made(
        bc.Spec(GRAPH, treatments=("tv",)),
        data,
        bc.Augmentation(weight=1.0, method=bc.Ancestral(6)),
        count=40,
    )
    found = bc.leave_one_out(fit)
    assert np.isfinite(found.pointwise).all(axis=None)
    drawn = augmented_rows(fit.scm, fit.shapes)
    free = np.setdiff1d(np.arange(30), drawn.indices)
    assert 0 < len(free) < 30
    seen = pointwise(bind(fit.scm, fit.theta()))
    plain = np.log(np.exp(sum(seen.values())).mean(axis=0))
    np.testing.assert_allclose(found.pointwise["elpd"].iloc[free], plain[free])
    assert (found.pointwise["k"].iloc[free] == 0).all()


def test_a_fit_with_augmentation_is_judged_on_observed_weeks(augmented_fit):
    """One term a week, however many rows were drawn; both fits on the same weeks."""
    both = [bc.leave_one_out(one) for one in (augmented_fit, augmented_fit.plain)]
    assert [len(found.pointwise) for found in both] == [70, 70]
    assert both[0].elpd == pytest.approx(both[1].elpd, abs=2 * both[1].se)
    assert both[0].elpd != both[1].elpd
