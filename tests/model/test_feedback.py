"""Worlds with lags and loops, against a recursion over periods that is written here.

`Recursion` reads the value of a node in a period from its parents in their periods, whatever the
order of nodes: what `SCM.groups` sorts and `evolve` repeats has no counterpart in it. Graphs are
random; every graph is asked again under other names for its nodes.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from modes import AS_WRITTEN
from scipy import stats

import bayescausal as bc
from bayescausal.errors import BayesCausalError, DataError
from bayescausal.inference.fit import Fit
from bayescausal.inference.fitting import sampled
from bayescausal.inference.settings import Settings
from bayescausal.model.contrast import contrast, scope, split
from bayescausal.model.errors import fresh
from bayescausal.model.lifts import predict_lift, predict_lifts
from bayescausal.model.mechanisms import edge_mechanisms
from bayescausal.model.predict import pointwise
from bayescausal.model.scm import Equations, bind, compile_scm

NAMES = ("ads", "brand", "clicks", "demand", "events", "footfall")
PERIODS, HISTORY, DRAWS, SEED = 22, 2, 2, 3
TIME = pd.date_range("2024-01-01", periods=PERIODS, freq="7D")
WINDOW = (TIME[6], TIME[8])
MEDIA = bc.Response(bc.GeometricAdstock(l_max=2), bc.HillSaturation(), strength=bc.Coefficient())


class World:
    """A random graph of six nodes, drawn by number and written in the names that are asked."""

    def __init__(self, seed):
        rng = np.random.default_rng([seed, 12])
        self.edges = [(a, b, 0) for b in range(6) for a in range(b) if rng.random() < 0.25]
        self.edges += [
            (a, b, int(rng.integers(1, 4)))
            for a in range(6)
            for b in range(6)
            if rng.random() < 0.14
        ]
        self.outcome = int(rng.integers(2, 6))
        self.pair = [rng.choice(6, 2, replace=False)] if rng.random() < 0.3 else []
        causes = [v for v in range(6) if v != self.outcome]
        self.treatments = rng.choice(causes, rng.integers(1, 3), replace=False)
        self.media = [v for v in self.treatments if rng.random() < 0.5]
        self.policies = rng.choice(["held", "reacts"], 6)
        self.logs, self.remembers = rng.random(6) < 0.2, rng.random(6) < 0.2
        self.columns = 50 + 20 * rng.random((6, PERIODS))

    def write(self, names):
        """The spec and the data in these names, or None where a Spec refuses the graph."""
        name = dict(enumerate(names))
        graph = bc.Graph(
            tuple(bc.Edge(name[a], name[b], lag) for a, b, lag in self.edges),
            tuple((name[a], name[b]) for a, b in self.pair),
            outcomes=(name[self.outcome],),
            isolated=names,
        )
        own = [v for v in self.treatments if graph.parents(name[v])]
        options = {
            "responses": {name[v]: MEDIA for v in self.media},
            "treatments": tuple(name[v] for v in self.treatments),
            "policy": {name[v]: str(self.policies[v]) for v in own},
        }
        spec = bc.Spec(graph, **options)
        modelled = [v for v in range(6) if name[v] in spec.modelled]
        options["links"] = {name[v]: "log" for v in modelled if self.logs[v]}
        kinds = {True: bc.AR1Noise(), False: bc.NormalNoise()}
        options["noise"] = {name[v]: kinds[bool(self.remembers[v])] for v in modelled}
        frame = pd.DataFrame({name[v]: column for v, column in enumerate(self.columns)})
        spend = {name[v]: f"{name[v]} spend" for v in self.treatments}
        frame = frame.assign(week=TIME, **{cost: 3 * frame[v] for v, cost in spend.items()})
        data = bc.Dataset.from_frame(frame, time="week", spend=spend, value=1.0, history=HISTORY)
        return bc.Spec(graph, **options), data


def worlds(count, start=0):
    """The first worlds that a Spec accepts, that hold a lag, and whose paths stay in bounds."""
    out, seed = [], start
    while len(out) < count:
        world, seed = World(seed), seed + 1
        try:
            spec, data = world.write(NAMES)
        except BayesCausalError:
            continue
        if questions(spec) and any(e.lag for e in spec.structure.edges) and bounded(spec, data):
            out.append(world)
    return out


def bounded(spec, data):
    """Whether loops die out, or grow slowly enough that what is small is not lost beside them."""
    scm, paths = compile_scm(spec, data), []
    theta, errors = drawn(scm, NAMES), fresh_errors(scm, drawn(scm, NAMES))
    for k in range(DRAWS):
        slow = Recursion(scm, theta, k)
        paths += [slow.world(*slow.sides(one)[0]) for one in questions(spec)[:3]]
        paths.append(slow.world(errors={v: error[k] for v, error in errors.items()}))
    return all(np.abs(path).max() < 1e5 for world in paths for path in world.values())


def fresh_errors(scm, theta):
    """The errors that `bc.do` draws with the seed of these tests; whatever their law."""
    errors = fresh(scm, theta, (DRAWS, PERIODS), np.random.default_rng(SEED))
    return {v: np.broadcast_to(error, (DRAWS, PERIODS)) for v, error in errors.items()}


def numbered(text, names):
    """A text with the numbers of nodes instead of their names."""
    for index, name in enumerate(names):
        text = text.replace(name, f"<{index}>")
    return text


def drawn(scm, names):
    """Parameters, each from its own name before renaming: small, so that loops die out slowly."""
    theta = {}
    for p in scm.parameters:
        key = "<->".join(sorted(numbered(p.name, names).split("<->")))
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        theta[p.name] = rng.uniform(0.1, 0.5, DRAWS)
        if "->" in p.name and ":" not in p.name and "<->" not in p.name:
            theta[p.name] *= rng.choice([-0.6, 1.0])
    return theta


class Recursion:
    """One draw of a model: the value of every node in every period, from its parents' values."""

    def __init__(self, scm, theta, draw):
        self.spec, self.theta = scm.spec, {k: v[draw] for k, v in theta.items()}
        self.x = {v: path.ravel() for v, path in scm.factual.items()}
        training = {v: path[HISTORY:] for v, path in self.x.items()}
        self.scale = {v: np.abs(path).max() for v, path in training.items()}
        self.before = {v: path.mean() / self.scale[v] for v, path in training.items()}
        self.effects = {}
        for edge in scm.spec.graph.edges:
            if edge.target in scm.spec.modelled:
                seen = np.array([self.curve(edge, self.seen, t) for t in range(PERIODS)])[HISTORY:]
                strength = self.theta[str(edge)]
                width = 1.0 if self.curved(edge) else seen.max() - seen.min()
                self.effects[edge] = strength / width, seen.mean()
        self.held = {t for t in self.spec.treatments if self.spec.policy.get(t) == "held"}

    def seen(self, node, t):
        return self.x[node][t]

    def curved(self, edge):
        return edge.source in self.spec.responses

    def curve(self, edge, value, t):
        def scaled(s):
            if s >= 0:
                return value(edge.source, s) / self.scale[edge.source]
            return 0.0 if self.curved(edge) else self.before[edge.source]

        if not self.curved(edge):
            return scaled(t - edge.lag)
        own = {k: self.theta[f"{edge}:{k}"] for k in ("alpha", "half", "slope")}
        weights = own["alpha"] ** np.arange(3)
        moved = [scaled(t - edge.lag - lag) if t >= lag else 0.0 for lag in range(3)]
        stock = max(weights @ moved / weights.sum(), 0.0)
        return stock ** own["slope"] / (own["half"] ** own["slope"] + stock ** own["slope"])

    def world(self, do=None, fed=None, errors=None, acts=None):
        """Paths of the modelled nodes. With fresh errors what is set is set where it acts."""
        do, fed = do or {}, fed or {}

        @lru_cache(None)
        def value(node, t):
            if node not in self.spec.modelled or (node in do and (errors is None or acts[t])):
                return do[node][t] if node in do else self.x[node][t]
            moved = 0.0
            for edge, (beta, center) in self.effects.items():
                if edge.target != node or (errors is None and node in self.held):
                    continue
                source = (lambda _, s, e=edge: fed[e][s]) if edge in fed else value
                base = self.curve(edge, self.seen, t) if errors is None else center
                moved += beta * (self.curve(edge, source, t) - base)
            log = self.spec.link(node) == "log"
            if errors is None:
                known = self.x[node][t]
                return known * np.exp(moved) if log else known + self.scale[node] * moved
            eta = self.theta[f"{node}:intercept"] + moved + errors[node][t]
            return self.scale[node] * (np.exp(eta) if log else eta)

        return {v: np.array([value(v, t) for t in range(PERIODS)]) for v in self.spec.modelled}

    def sides(self, estimand):
        """What the active and the control world set, and what they feed along an edge."""
        acts = (WINDOW[0] <= TIME) & (WINDOW[1] >= TIME)
        out = []
        for side in (estimand.active, estimand.control):
            do, fed = {}, {}
            for key, new in side.items():
                edge = bc.Edge.parse(key) if "->" in key else None
                path = self.x[edge.source if edge else key]
                changed = np.where(acts, new(path) if callable(new) else new, path)
                (fed if edge else do)[edge or key] = changed
            out.append((do, fed))
        return out

    def contrast(self, estimand, outcome):
        (a, fed_a), (b, fed_b) = self.sides(estimand)
        return self.world(a, fed_a)[outcome] - self.world(b, fed_b)[outcome]

    def parts(self, estimand, outcome):
        (a, _), (b, _) = self.sides(estimand)
        active, control = self.x | self.world(a) | a, self.x | self.world(b) | b
        direct = {
            e: active[e.source]
            for e in self.effects
            if e.target == outcome and e.source in estimand.treatments
        }
        still = {v: path for v, path in control.items() if v != outcome}
        mixed = self.world(still, direct)[outcome]
        return mixed - control[outcome], active[outcome] - mixed


def questions(spec):
    """Estimands that the spec answers: nodes, mediators, edges, other outcomes."""
    out = []
    for t in spec.treatments:
        out += [bc.incremental(t), bc.Estimand({t: bc.Times(1.3)}, {t: bc.Plus(-4.0)})]
        out += [bc.incremental(t, outcome=v) for v in spec.mediators]
        out += [bc.Estimand(control={str(e): 1.0}) for e in spec.reduced.outgoing(t)]
    out += [bc.Estimand({v: bc.Plus(3.0)}) for v in spec.mediators]
    asked = []
    for one in out:
        one = one.during(*WINDOW)
        try:
            spec.check_estimand(one)
        except BayesCausalError:
            continue
        asked.append(one)
    return asked


def renamings(count, seed):
    """The names as they are, and permutations of them."""
    rng = np.random.default_rng(seed)
    return [NAMES, *(tuple(map(str, rng.permutation(NAMES))) for _ in range(count))]


def close(found, expected, size):
    """Equal to 1e-9 of the level of the paths, of which a contrast is a difference."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * size)


def fit_of(spec, data, theta):
    """A fit with these draws: nothing is sampled."""
    values = {k: (("chain", "draw"), v[None]) for k, v in theta.items()}
    group = xr.Dataset(values)
    tree = xr.DataTree.from_dict({"posterior": group, "prior": group})
    state = {"converged": True, "max_rhat": 1.0, "worst": "", "min_ess_bulk": 1e3}
    state |= {"min_ess_tail": 1e3, "divergences": 0, "draws": DRAWS}
    tree.attrs = {"convergence": json.dumps(state), "info": json.dumps({"seed": 1})}
    return Fit(spec, data, tree)


def answers(world, names):
    """Contrasts, their parts and the log density, by what is asked in numbers instead of names."""
    spec, data = world.write(names)
    scm = compile_scm(spec, data)
    theta = drawn(scm, names)
    x = scm.factual
    out = {}
    for estimand in questions(spec):
        asked = numbered(repr(estimand), names)
        out[asked, "total"] = contrast(bind(scm, theta, x), estimand)
        if not any("->" in key for key in estimand.keys):
            parts = split(bind(scm, theta, x), estimand)
            out |= {(asked, part): parts[part] for part in ("direct", "indirect")}
    density = sum(path.sum(axis=-1) for path in pointwise(bind(scm, theta)).values())
    return {key: np.broadcast_to(path, (DRAWS, PERIODS)) for key, path in out.items()}, density


def compare(world, names):
    """The answers under some names against the recursion."""
    spec, data = world.write(names)
    scm = compile_scm(spec, data)
    theta = drawn(scm, names)
    slow = [Recursion(scm, theta, k) for k in range(DRAWS)]
    found, _ = answers(world, names)
    for estimand in questions(spec):
        outcome, asked = spec.outcome_of(estimand), numbered(repr(estimand), names)
        counts = scope(scm, estimand).counts
        expected = np.stack([one.contrast(estimand, outcome) for one in slow])
        size = np.abs(slow[0].x[outcome]).max() + np.abs(expected).max()
        close(found[asked, "total"], np.where(counts, expected, 0.0), size)
        later = np.where(counts, 0.0, expected)
        assert np.abs(later).max() <= 1e-9 * size, "the tail ends before the effect does"
        if (asked, "direct") in found:
            parts = zip(*(one.parts(estimand, outcome) for one in slow), strict=True)
            for name, part in zip(("direct", "indirect"), parts, strict=True):
                close(found[asked, name], np.where(counts, np.stack(part), 0.0), size)
    _compare_fresh(fit_of(spec, data, theta), theta, slow)


def _compare_fresh(fit, theta, slow):
    spec, scm = fit.spec, fit.scm
    acts = (WINDOW[0] <= TIME) & (WINDOW[1] >= TIME)
    errors = fresh_errors(scm, theta)
    reach = [t for t in spec.treatments if spec.graph.outcome in spec.reduced.descendants(t)]
    for t in (None, *reach):
        do = {t: 20.0} if t else {}
        found = bc.do(fit, do or None, seed=SEED, **({"window": WINDOW} if t else {}))
        paths = {t: np.where(acts, 20.0, slow[0].x[t])} if t else {}
        for k, one in enumerate(slow):
            noise = {v: error[k] for v, error in errors.items()}
            world = one.world(paths, errors=noise, acts=acts)
            for node, path in world.items():
                values = found[node].to_numpy()[0, k]
                close(values, path[HISTORY:], np.abs(path).max())


def check_world(world, others):
    """Every answer is that of the recursion, whatever the nodes are called."""
    compare(world, others[0])
    first, density = answers(world, others[0])
    assert any(np.abs(path).max() > 1e-6 * world.columns.max() for path in first.values())
    for names in others[1:]:
        again, as_dense = answers(world, names)
        assert again.keys() == first.keys()
        for asked, path in again.items():
            close(path, first[asked], world.columns.max() + np.abs(path).max())
        np.testing.assert_allclose(as_dense, density, rtol=1e-9)


@pytest.mark.parametrize("k", range(6))
def test_worlds_equal_a_recursion_over_periods_under_any_names(k):
    (world,) = worlds(1, start=1000 * k)
    check_world(world, renamings(1, k))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_two_hundred_worlds_equal_a_recursion_over_periods_under_any_names(part):
    for k, world in enumerate(worlds(10, start=100_000 + 1000 * part)):
        check_world(world, renamings(6, [part, k]))


# The symbolic model


def check_terms(world, names):
    """Lift terms as PyMC has them, off the panel too, against numbers."""
    spec, data = world.write(names)
    scm = compile_scm(spec, data)
    theta = {k: v[0] for k, v in drawn(scm, names).items()}
    x = scm.factual
    named = {k: pt.dscalar(k) for k in theta}
    paths = {v: pt.as_tensor(path) for v, path in x.items()}
    made = edge_mechanisms(scm, named, paths, pt)
    estimands = questions(spec)
    nodes = [one for one in estimands if not any("->" in key for key in one.keys)]
    t, outcome = nodes[0].treatments[0], nodes[0].outcome
    for how, level in (("steady", 30.0), ("path", np.full(3, 30.0))):
        estimands.append(bc.Estimand({t: level}, {t: 20.0}, outcome=outcome, off_panel=how))
    tests = [
        bc.Experiment(one, lift=1.0, std_error=1.0, design="geo-rct", name=f"test {k}")
        for k, one in enumerate(estimands)
    ]
    terms = predict_lifts(Equations(scm, named, paths, made, pt), tests)
    program = pytensor.function(
        [*named.values()], [*terms.values()], mode=AS_WRITTEN, on_unused_input="ignore"
    )
    numbers = [predict_lift(bind(scm, theta, x), test) for test in tests]
    level = sum(np.abs(path).sum() for path in x.values()) + np.abs(numbers).max()
    close(np.array(program(*theta.values())), np.array(numbers), level)


def check_density(world, names):
    """The likelihood of the observed nodes against the recursion: one period, given the others."""
    spec, data = world.write(names)
    scm, model = compile_scm(spec, data), bc.build(spec, data)
    point = {}
    for name, start in model.initial_point().items():
        shift = np.random.default_rng(zlib.crc32(numbered(name, names).encode()))
        point[name] = start + shift.uniform(0.05, 0.3)
    observed = [model[v] for v in spec.modelled]
    density, prior = (
        model.compile_logp(variables, mode=AS_WRITTEN)(point)
        for variables in (observed, model.free_RVs)
    )
    values = model.replace_rvs_by_values([model[p.name] for p in scm.parameters])
    program = pytensor.function(
        [model.rvs_to_values[v] for v in model.free_RVs],
        values,
        mode=AS_WRITTEN,
        on_unused_input="ignore",
    )
    theta = dict(zip((p.name for p in scm.parameters), program(**point), strict=True))
    slow, expected = Recursion(scm, {k: v[None] for k, v in theta.items()}, 0), 0.0
    for node in spec.modelled:
        log, seen = spec.link(node) == "log", slow.x[node][HISTORY:]
        mu = np.full(PERIODS, theta[f"{node}:intercept"])
        for edge, (beta, center) in slow.effects.items():
            if edge.target == node:
                f = np.array([slow.curve(edge, slow.seen, t) for t in range(PERIODS)])
                mu = mu + beta * (f - center)
        sigma, scaled = theta[f"{node}:sigma"], seen / slow.scale[node]
        eta = np.log(scaled) if log else scaled
        size = np.log(seen) if log else np.log(slow.scale[node])
        expected += (stats.norm.logpdf(eta, mu[HISTORY:], sigma) - size).sum()
    assert density == pytest.approx(expected, rel=1e-9)
    return float(density), float(prior)


def check_symbolic(world, others):
    """Terms equal numbers; the density is the recursion's, whatever the nodes are called.

    Errors that are tied or remember have a density of their own: `compare` asks it under each
    name, tests of errors say that it is right.
    """
    check_terms(world, others[0])
    spec, _ = world.write(NAMES)
    memory = any(isinstance(noise, bc.AR1Noise) for noise in spec.noise.values())
    if not spec.confounders and not memory:
        first, *rest = [check_density(world, names) for names in others]
        for again in rest:
            assert again == pytest.approx(first, rel=1e-9)


def test_the_model_of_a_world_equals_the_recursion_under_any_names():
    (world,) = worlds(1, start=0)
    check_symbolic(world, renamings(1, 0))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_twenty_models_equal_the_recursion_under_any_names(part):
    for k, world in enumerate(worlds(2, start=200_000 + 1000 * part)):
        check_symbolic(world, renamings(1, [part, k]))


# Every query


def learned(spec, data, draws=60):
    """A fit of random draws with all its groups, through the code that finishes a real one."""
    rng, names = np.random.default_rng(1), [p.name for p in compile_scm(spec, data).parameters]
    size = (2, draws)
    posterior = {name: (("chain", "draw"), rng.gamma(25, 0.008, size)) for name in names}
    stats = {"diverging": np.zeros(size, bool), "energy": rng.normal(size=size)}
    groups = {
        "posterior": xr.Dataset(posterior),
        "sample_stats": xr.Dataset({k: (("chain", "draw"), v) for k, v in stats.items()}),
    }
    run = {"divergences": 0, "interrupted": False, "sample_seconds": 1.0, "compile_seconds": 1.0}
    run |= {"leapfrogs": 0}
    prior = {name: rng.gamma(9, 0.02, 40) for name in names}
    settings = Settings(chains=2, draws=draws)

    def sampler(*_):
        return xr.DataTree.from_dict(groups), dict(run)

    return sampled(compile_scm(spec, data), sampler, prior, settings, 1)


def check_queries(world, folder):
    """Every verb runs on a fit with lags and loops, and its numbers are finite."""
    spec, data = world.write(NAMES)
    reach = [t for t in spec.treatments if spec.graph.outcome in spec.reduced.descendants(t)]
    asked = [one for one in questions(spec) if not any("->" in key for key in one.keys)]
    tests = [
        bc.Experiment(one, lift=1.0, std_error=5.0, design="geo-rct", name=f"test {k}")
        for k, one in enumerate(one for one in asked if {*one.treatments} <= {*spec.treatments})
    ]
    spec = replace(spec, experiments=tests[:2])
    bc.build(spec, data)
    fit = learned(spec, data)
    draws = [bc.effect(fit, one) for one in questions(spec)]
    if any(np.isinf(one).any() for one in draws):  # log links in a loop, and draws of no posterior
        assert "log" in spec.links.values()
        with pytest.raises(DataError, match="grows beyond all numbers: a loop"):
            bc.check_experiments(fit)
        return
    assert len(bc.check_experiments(fit)) == len(spec.experiments)
    bc.conflicts(fit), bc.diagnose(fit), bc.leave_one_out(fit)
    page = bc.workshop(spec.graph, spec.treatments)
    assert all(v in page for v in spec.treatments)
    if reach:
        draws += [bc.contributions(fit), bc.roas(fit), bc.roas(fit, spend="induced"), bc.mroas(fit)]
    for t in reach:
        draws += [bc.decompose(fit, t)]
        draws += [
            *bc.counterfactual(fit, {t: 0.0}).values(),
            *bc.do(fit, {t: 0.0}, seed=1).values(),
        ]
        bc.identify(spec.graph, bc.incremental(t))
        candidate = bc.Candidate(bc.incremental(t).during(*WINDOW), std_error=5.0)
        bc.rank_experiments(fit, [candidate], target=bc.incremental(t))
    assert all(np.isfinite(one.to_numpy()).all() for one in draws)
    if folder:
        bc.report(fit, folder / "report.html")


@pytest.mark.parametrize("k", range(2))
def test_every_query_runs_with_lags_and_loops(k, tmp_path):
    (world,) = worlds(1, start=1000 * k)
    check_queries(world, tmp_path if k == 0 else None)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_every_query_runs_on_forty_worlds(part, tmp_path):
    for k, world in enumerate(worlds(4, start=300_000 + 1000 * part)):
        check_queries(world, None if k else tmp_path)
