"""A second, slow reading of MODEL.md: loops over units and periods, `math`, one draw at a time.

Nothing of `bayescausal.model` is imported, and no formula of `bayescausal.specs` is called. Spec
objects are read for what they state: edges, settings of transforms, priors and their defaults.

Layout: a path is ``x[unit][time]``; national data are one unit. Parameters are a dict of floats,
or lists for parameters with a dim, by the names of `build`. A world is a dict of paths.
"""

import math
from datetime import timedelta
from itertools import pairwise

import holidays as calendars
import numpy as np
import pandas as pd
from scipy import stats

from bayescausal.specs.baseline import Intercept
from bayescausal.specs.confounder import CORRELATION
from bayescausal.specs.noise import AR1Noise, NormalNoise
from bayescausal.specs.prior import Prior
from bayescausal.specs.response import Response

EPOCH = pd.Timestamp("2000-01-03")
BIAS = {  # sd of the bias that a design cannot exclude, in standard errors
    "geo-rct": 0.0,
    "user-rct": 0.0,
    "switchback": 0.0,
    "instrument": 0.5,
    "did": 1.0,
    "synthetic-control": 1.0,
    "regression-discontinuity": 1.0,
    "prior-belief": 2.0,
}
PERIODS = {"YearlySeasonality": 365.25, "MonthlySeasonality": 365.25 / 12, "WeeklySeasonality": 7.0}


# Adstock and saturation


def adstock_weights(step, p):
    """Weights of lags 0..l_max of an adstock with parameters `p`."""
    kind, last = type(step).__name__, step.l_max
    if kind == "NoAdstock":
        return [1.0]
    weights = []
    for lag in range(last + 1):
        if kind == "GeometricAdstock":
            w = math.pow(p["alpha"], lag)
        elif kind == "DelayedAdstock":
            w = math.pow(p["alpha"], (lag - p["theta"]) ** 2)
        elif kind == "WeibullPDFAdstock":
            z = (lag + 1) / p["scale"]
            w = math.pow(z, p["shape"] - 1) * math.exp(-math.pow(z, p["shape"]))
        elif kind == "WeibullCDFAdstock":
            w = 1.0
            for k in range(1, lag + 1):  # survival to each age in turn
                w *= math.exp(-math.pow(k / p["scale"], p["shape"]))
        elif kind == "BinomialAdstock":
            w = math.pow(1 - lag / (last + 1), 1 / p["alpha"] - 1)
        else:
            raise NotImplementedError(kind)
        weights.append(w)
    if step.normalize:
        mass = math.fsum(weights)
        weights = [w / mass for w in weights]
    return weights


def spread(weights, x):
    """Carry each period's exposure forward: the sum over lags of w[l] x[t - l]."""
    out = [0.0] * len(x)
    for t, exposure in enumerate(x):
        for lag, w in enumerate(weights):
            if t + lag < len(x):
                out[t + lag] += w * exposure
    return out


def saturate(step, p, x):
    """One value through a saturation; exposure below zero counts as none."""
    kind = type(step).__name__
    if kind == "NoSaturation":
        return x
    if x <= 0:
        return 0.0
    if kind == "HillSaturation":
        return x ** p["slope"] / (p["half"] ** p["slope"] + x ** p["slope"])
    if kind == "LogisticSaturation":
        return (1 - math.exp(-p["lam"] * x)) / (1 + math.exp(-p["lam"] * x))
    if kind == "ExponentialSaturation":
        return 1 - math.exp(-p["lam"] * x)
    if kind == "MichaelisMentenSaturation":
        return x / (p["half"] + x)
    if kind == "TanhSaturation":
        up, down = math.exp(x / p["knee"]), math.exp(-x / p["knee"])
        return (up - down) / (up + down)
    if kind == "RootSaturation":
        return x ** p["power"]
    raise NotImplementedError(kind)


def respond(response, p, x, lag=0):
    """``f(x)`` of an edge: delay by the edge's lag, then transforms from left to right."""
    path = [x[t - lag] if t >= lag else 0.0 for t in range(len(x))]
    for step in response.transforms:
        if hasattr(step, "l_max"):
            path = spread(adstock_weights(step, p), path)
        else:
            path = [saturate(step, p, value) for value in path]
    return path


def response_reach(response):
    return sum(getattr(step, "l_max", 0) for step in response.transforms)


# Baseline designs, one column at a time, centered over the training periods


def design(term, time, training):
    """Columns of a baseline term over all of `time`."""
    columns = _columns(term, time, training)
    first = len(time) - len(training)
    centered = []
    for column in columns:
        middle = math.fsum(column[first:]) / len(training)
        centered.append([value - middle for value in column])
    return centered


def _axis(moment, training):
    return (moment - training[0]) / (training[-1] - training[0]) - 0.5


def _columns(term, time, training):
    kind = type(term).__name__
    line = [_axis(t, training) for t in time]
    if kind == "LinearTrend":
        return [line]
    if kind == "PiecewiseTrend":
        if isinstance(term.changepoints, int):
            gaps = term.changepoints + 1
            knots = [-0.5 + (k + 1) / gaps for k in range(term.changepoints)]
        else:
            knots = [_axis(d, training) for d in term.changepoints]
        return [line, *([max(t - knot, 0.0) for t in line] for knot in knots)]
    if kind in PERIODS:
        days = [(t - EPOCH) / timedelta(days=1) for t in time]
        out = []
        for k in range(1, term.order + 1):
            angle = [2 * math.pi * k * d / PERIODS[kind] for d in days]
            out += [[math.sin(a) for a in angle], [math.cos(a) for a in angle]]
        return out
    if kind == "Event":
        return [pulses(time, term.dates, term.before, term.after, term.decay)]
    if kind == "Holidays":
        return [
            pulses(time, dates, term.before, term.after, term.decay)
            for dates in _holiday_dates(term, training)
        ]
    if kind == "HSGPTrend":
        half = 0.5 * term.boundary
        return [
            [math.sin(j * math.pi * (t + half) / (2 * half)) / math.sqrt(half) for t in line]
            for j in range(1, term.m + 1)
        ]
    raise NotImplementedError(kind)


def pulses(time, dates, before, after, decay):
    """Sum over dates of decay^|k|, k periods from the one that holds the date."""
    step = (time[-1] - time[0]) / (len(time) - 1)
    column = [0.0] * len(time)
    for date in dates:
        place = math.floor((date - time[0]) / step)
        for t in range(len(time)):
            if -before <= t - place <= after:
                column[t] += decay ** abs(t - place)
    return column


def _holiday_dates(term, training):
    years = range(training[0].year - 1, training[-1].year + 2)
    found = calendars.country_holidays(term.country, subdiv=term.subdivision, years=list(years))
    by_name = {}
    for date, title in sorted(found.items()):
        for part in title.split("; "):
            by_name.setdefault(part, []).append(pd.Timestamp(date))
    names = term.names or list(by_name)
    return [
        by_name[n]
        for n in names
        if any(pulses(training, by_name[n], term.before, term.after, term.decay))
    ]


def term_path(term, node, theta, time, training):
    """A baseline term over time, on the link scale."""
    name = f"{node}:{term.label if type(term).__name__ == 'Event' else term.name}"
    weights = [float(z) for z in theta[name]]
    if type(term).__name__ == "HSGPTrend":
        size, reach = theta[f"{name}:amplitude"], theta[f"{name}:lengthscale"]
        for j in range(term.m):
            omega = (j + 1) * math.pi / term.boundary  # 2 L, with L half the boundary
            decay = math.exp(-0.5 * (reach * omega) ** 2)
            weights[j] *= math.sqrt(size**2 * math.sqrt(2 * math.pi) * reach * decay)
    out = [0.0] * len(time)
    for weight, column in zip(weights, design(term, time, training), strict=True):
        for t, value in enumerate(column):
            out[t] += weight * value
    return out


# Errors: shared causes, and memory


def factors(causes, theta):
    """Weights of the unobserved causes, ``[{node: w}, ...]``, in ``sum_k w_vk F_k + eps_v``.

    With one cause alone the correlation of its ends is the parameter: w^2 / (1 + w^2) = |u|; and
    that of an end with the cause is its loading: w / sqrt(1 + w^2) = l.
    """
    out = []
    for nodes in causes:
        name = "<->".join(nodes)
        if len(nodes) == 2:
            size = math.sqrt(abs(theta[name]) / (1 - abs(theta[name])))
            out.append({nodes[0]: size, nodes[1]: math.copysign(size, theta[name])})
        else:
            loads = {v: theta[f"{name}:{v}"] for v in nodes}
            out.append({v: load / math.sqrt(1 - load**2) for v, load in loads.items()})
    return out


def correlation_matrix(nodes, weights):
    """Correlations of ``sum_k w_vk F_k + eps_v``, all of them standard normal."""
    w = np.array([[factor.get(v, 0.0) for factor in weights] for v in nodes])
    covariance = w @ w.T + np.eye(len(nodes))
    size = np.sqrt(np.diag(covariance))
    return covariance / np.outer(size, size)


def stationary(r, sigma, phi, lag=0):
    """Covariance of e[t + lag] and e[t], ``e[t] = phi e[t-1] + v[t]``, for v with covariance SRS.

    Row v, column w: the sum over k of ``phi_v^(lag + k) phi_w^k`` times the covariance of v, w.
    """
    sigma, phi = np.asarray(sigma), np.asarray(phi)
    return r * np.outer(sigma, sigma) * phi[:, None] ** lag / (1 - np.outer(phi, phi))


def errors_log_density(e, r, sigma, phi, nu):
    """Log density of the errors of a district, ``e[node][time]``, its nodes in causal order.

    Normal errors have one covariance over nodes and periods. With a Student-t shock somewhere,
    ``v = sigma L eps`` is solved for its independent shocks, period by period.
    """
    e = np.asarray(e)
    count, periods = e.shape
    if all(one is None for one in nu):
        blocks = [stationary(r, sigma, phi, lag) for lag in range(periods)]
        whole = [
            [blocks[t - s] if t >= s else blocks[s - t].T for s in range(periods)]
            for t in range(periods)
        ]
        return stats.multivariate_normal(np.zeros(e.size), np.block(whole)).logpdf(e.T.ravel())
    total = 0.0
    for t in range(periods):
        covariance = np.outer(sigma, sigma) * r if t else stationary(r, sigma, phi)
        past = np.asarray(phi) * e[:, t - 1] if t else np.zeros(count)
        root = np.linalg.cholesky(covariance)
        shocks = np.linalg.solve(root, e[:, t] - past)
        for shock, degrees, left in zip(shocks, nu, np.diag(root), strict=True):
            law = stats.norm if degrees is None else stats.t(degrees)
            total += law.logpdf(shock) - math.log(left)
    return total


# The structural equations


class Oracle:
    """The structural causal model of a spec and data at one draw of the parameters."""

    def __init__(self, spec, data, theta):
        self.spec, self.data, self.history = spec, data, data.history
        self.theta = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in theta.items()}
        self.time, self.training = list(data.time), list(data.time)[data.history :]
        self.units = list(range(max(1, len(data.units))))
        self._structure()
        sources = {e.source for e in self.edges if e.target in self.modelled}
        self.x = {v: self._path(v) for v in sorted({*self.modelled, *sources})}
        self.scale = {v: self._scales(v) for v in self.x}
        self.mechanism = {e: self._mechanism(e) for e in self.edges if e.target in self.modelled}
        self.levels = {v: self.baseline(v) for v in self.modelled}

    # structure

    def _structure(self):
        graph = self.spec.structure
        self.edges, self.names = list(graph.edges), list(graph.nodes)
        self.held = self._held()
        self.order = self._order()
        self.districts = self._districts(graph.bidirected)
        self.modelled = self._modelled()
        self.causes = self._causes()

    def _below(self, start, edges):
        found, waiting = set(), list(start)
        while waiting:
            node = waiting.pop()
            for edge in edges:
                if edge.source == node and edge.target not in found:
                    found.add(edge.target)
                    waiting.append(edge.target)
        return found

    def _held(self):
        """Treatments whose plan stays: by their policy, or because it follows its own effects."""
        return {
            v
            for v in self.spec.treatments
            if v in self.names
            and (
                self.spec.policy[v] == "held"
                if v in self.spec.policy
                else v in self._below([v], self.edges)
            )
        }

    def _order(self):
        """Causes first; lagged edges count unless they close a cycle between nodes."""
        links = [e for e in self.edges if e.source != e.target]
        if any(v in self._below([v], links) for v in self.names):
            links = [e for e in links if not e.lag]
        order = []
        while len(order) < len(self.names):
            ready = (
                v
                for v in sorted({*self.names} - {*order})
                if all(e.source in order for e in links if e.target == v)
            )
            order.append(next(ready))
        return order

    def _districts(self, pairs):
        """Nodes joined by ``<->``, merged pair by pair."""
        parts = [{v} for v in self.names]
        for pair in pairs:
            joined = set().union(*(part for part in parts if part & {*pair}))
            parts = [*(part for part in parts if not part & {*pair}), joined]
        return parts

    def _causes(self):
        """Groups of modelled nodes with an unobserved common cause.

        Written for latents whose children are all observed, and for ``<->`` between observed nodes.
        """
        graph = self.spec.graph
        groups = {tuple(sorted(pair)) for pair in graph.bidirected}
        for latent in graph.latent:
            children = {e.target for e in graph.edges if e.source == latent}
            assert not children & graph.latent
            groups.add(tuple(sorted(children & {*self.modelled})))
        return sorted(g for g in groups if len(g) > 1 and {*g} <= {*self.modelled})

    def _modelled(self):
        """Outcomes, what a treatment moves, and the districts of these, whole; causes first."""
        moving = [e for e in self.edges if e.target not in self.held]
        acting = {*self.spec.treatments} & {*self.names}
        wanted = {*self.spec.graph.outcomes, *self._below(acting, moving)}
        wanted = set().union(*(part for part in self.districts if part & wanted))
        return [v for v in self.order if v in wanted]

    def response(self, edge):
        for key, value in self.spec.responses.items():
            if key.replace(" ", "") == str(edge).replace(" ", ""):
                return value
        return self.spec.responses.get(edge.source)

    # data

    def _path(self, name):
        """Values by unit and time, read from the table by label."""
        column = self.data.table[name]
        if not self.data.units:
            by_label = column.to_series().to_dict()
            return [[by_label[t] for t in self.time]]
        by_label = column.transpose("unit", "time").to_series().to_dict()
        return [[by_label[u, t] for t in self.time] for u in self.data.units]

    def _scales(self, node):
        tops = [max(abs(v) for v in row[self.history :]) for row in self.x[node]]
        curved = any(e.source == node and self._curved(e) for e in self.edges)
        grows = node in self.spec.graph.outcomes or node in self.data.spend or curved
        if not self.data.units or not grows:
            return [top if top > 0 else max(tops) for top in tops]
        first = self._path(self.data.size or self.spec.graph.outcomes[0])
        sizes = [math.fsum(map(abs, row[self.history :])) / len(self.training) for row in first]
        most = max(top / size for top, size in zip(tops, sizes, strict=True))
        return [size * most for size in sizes]

    def _curved(self, edge):
        response = self.response(edge)
        return response is not None and bool(response.transforms)

    def link(self, node, value, u):
        value = value / self.scale[node][u]
        return math.log(value) if self.spec.links.get(node) == "log" else value

    def inverse(self, node, eta, u):
        value = math.exp(eta) if self.spec.links.get(node) == "log" else eta
        return value * self.scale[node][u]

    # equations

    def curve(self, edge, path):
        """``f`` of an edge on a source path in original units."""
        response = self.response(edge)
        out = []
        for u in self.units:
            x = [value / self.scale[edge.source][u] for value in path[u]]
            if response is None or not response.transforms:
                seen = [value / self.scale[edge.source][u] for value in self.x[edge.source][u]]
                seen = seen[self.history :]
                mean = math.fsum(seen) / len(seen)  # before the data start: its usual level
                out.append([x[t - edge.lag] if t >= edge.lag else mean for t in range(len(x))])
            else:
                own = {k: self.theta[f"{edge}:{k}"] for k in response.priors}
                out.append(respond(response, own, x, edge.lag))
            if f"{edge}:unit" in self.theta:
                own = math.exp(self.theta[f"{edge}:unit"][u])
                out[-1] = [own * value for value in out[-1]]
        return out

    def _share(self, edge):
        """Root of the spend on the source over the sum of those of the target's media."""
        sources = {e.source for e in self.edges if e.target == edge.target and self._steps(e)}
        spends = {}
        for v in sources | {edge.source}:
            paid = self._path(self.data.spend[v]) if v in self.data.spend else []
            spends[v] = math.fsum(s for row in paid for s in row[self.history :])
        known = [spend for spend in spends.values() if spend > 0]
        usual = math.fsum(known) / len(known) if known else 1.0
        roots = {v: math.sqrt(spend if spend > 0 else usual) for v, spend in spends.items()}
        return roots[edge.source] / math.fsum(roots.values())

    def _steps(self, edge):
        response = self.response(edge)
        return () if response is None else response.transforms

    def remembers(self, node, time):
        """Whether errors have memory by default: of all nodes but budgets that nothing moves."""
        moving = [e for e in self.edges if e.target not in self.held]
        acting = {*self.spec.treatments} & {*self.names}
        reacts = {*self.spec.graph.outcomes, *self._below(acting, moving)}
        own = any(e.source == node == e.target for e in self.edges)
        step = min(b - a for a, b in pairwise(time))
        remembers = node in reacts or node not in acting
        return remembers and not own and not self.spec.augmentation and step.days <= 7

    def _mechanism(self, edge):
        """Coefficient and center of an edge, from the factual path over the training periods."""
        f = self.curve(edge, self.x[edge.source])
        seen = [value for row in f for value in row[self.history :]]
        value, response = self.theta[str(edge)], self.response(edge)
        view = "RangeContribution" if response is None else type(response.strength).__name__
        if view == "MediaContribution":
            mean = math.fsum(abs(v) for v in seen) / len(seen)
            beta = value * self._share(edge) / mean
        elif view == "MeanContribution":
            beta = value / (math.fsum(abs(v) for v in seen) / len(seen))
        elif view == "RangeContribution":
            rows = [row[self.history :] for row in f]
            beta = value / max(max(row) - min(row) for row in rows)
        elif view == "ReturnOnSpend":
            paid = self._path(self.data.spend[edge.source])
            spent = math.fsum(v for row in paid for v in row[self.history :])
            gained = math.fsum(
                self.scale[edge.target][u] * v for u in self.units for v in f[u][self.history :]
            )
            beta = value * spent / gained
        else:
            beta = value
        return beta, math.fsum(seen) / len(seen)

    def baseline(self, node):
        level = self.theta[f"{node}:intercept"]
        levels = level if self.data.units else [level]
        given = self.spec.baseline
        terms = given.get(node, ()) if isinstance(given, dict) else given
        out = [[levels[u]] * len(self.time) for u in self.units]
        for term in terms:
            if type(term).__name__ == "Intercept":
                continue
            path = term_path(term, node, self.theta, self.time, self.training)
            out = [[a + b for a, b in zip(row, path, strict=True)] for row in out]
        return out

    def mu(self, node, world, fed=None):
        """Mean of a node given the world's parents, on the link scale; `fed` overrides by edge.

        Over the periods of the world's paths, which may end before the data do.
        """
        total = None
        for edge, (beta, center) in self.mechanism.items():
            if edge.target != node:
                continue
            f = self.curve(edge, (fed or {}).get(edge, world[edge.source]))
            total = total or [row[: len(f[0])] for row in self.levels[node]]
            for u in self.units:
                for t in range(len(f[u])):
                    total[u][t] += beta * (f[u][t] - center)
        return total or self.levels[node]

    def errors(self):
        """Abduction: the error that each equation needs to reproduce the data."""
        out = {}
        for node in self.modelled:
            mean = self.mu(node, self.x)
            out[node] = [
                [self.link(node, self.x[node][u][t], u) - mean[u][t] for t in range(len(self.time))]
                for u in self.units
            ]
        return out

    def world(self, nodes=None, edges=None):
        """Abduction, action, prediction, for whole paths that replace nodes or feed edges."""
        return self.unfold(
            self.errors(), {v: self.x[v] for v in self.held & {*self.x}} | (nodes or {}), edges
        )

    def unfold(self, e, nodes, edges=None):
        """Play a world with the errors `e`, period by period: nothing later is known to a period.

        Paths in `nodes` replace equations; paths in `edges` are fed along an edge.
        """
        given = {v: nodes.get(v, path) for v, path in self.x.items()}
        free = [v for v in self.modelled if v not in nodes]
        whole = len(self.time)
        inner = [e for e in self.mechanism if e.source in free and e.target in free]
        if all(free.index(e.source) < free.index(e.target) for e in inner):
            steps = [whole]  # no cause is read before it is made: all periods at once
        else:
            steps = range(1, whole + 1)
        made = {v: [[] for _ in self.units] for v in free}
        for last in steps:
            so_far = {v: [row[:last] for row in path] for v, path in given.items()}
            fed = {k: [row[:last] for row in path] for k, path in (edges or {}).items()}
            for node in free:  # what is not settled yet in this period has no value
                gap = [math.nan] * (last - len(made[node][0]))
                so_far[node] = [[*row, *gap] for row in made[node]]
            for node in free:
                mean = self.mu(node, so_far, fed)
                for u in self.units:
                    for t in range(len(made[node][u]), last):
                        eta = mean[u][t] + e[node][u][t]
                        made[node][u].append(self.inverse(node, eta, u))
                so_far[node] = made[node]
        return {**given, **made}

    # estimands

    def outcome(self, estimand):
        return estimand.outcome or self.spec.graph.outcomes[0]

    def acts(self, estimand):
        """Unit-periods in which the intervention is switched on."""
        start, end = estimand.window or (self.time[0], self.time[-1])
        return {
            (u, t)
            for u in self._units(estimand)
            for t in range(self.history, len(self.time))
            if start <= self.time[t] <= end
        }

    def _units(self, estimand):
        if not self.data.units:
            return self.units
        return [
            u
            for u, name in enumerate(self.data.units)
            if estimand.units is None or name in estimand.units
        ]

    def counts(self, estimand):
        """Unit-periods that are counted: the window, and the longest path's tail after it."""
        periods = sorted({t for _, t in self.acts(estimand)})
        tail = self.tail(estimand)
        last = min(periods[-1] + tail, len(self.time) - 1)
        return {(u, t) for u in self._units(estimand) for t in range(periods[0], last + 1)}

    def tail(self, estimand):
        """Periods counted after the window: as far as exposure reaches, none, or as stated."""
        if estimand.carryover is True:
            return self.reach(estimand)
        return estimand.carryover if estimand.carryover else 0

    def reach(self, estimand):
        """Enumerate directed paths of each world; add up lags and windows along each; the most.

        A path ends at a node that the world sets. One that comes back to a node has no last period.
        """
        target, lengths = self.outcome(estimand), [0]

        def walk(node, length, passed, side):
            if node == target:
                lengths.append(length)
            for edge in self.mechanism:
                if edge.source != node or edge.target in side or edge.target in self.held:
                    continue
                if edge.target in passed:  # a cycle: it counts if it leads to the outcome
                    ways = [e for e in self.mechanism if e.target not in {*side, *self.held}]
                    if target in self._below([edge.target], ways):
                        lengths.append(len(self.time))
                    continue
                response = self.response(edge)
                own = 0 if response is None else response_reach(response)
                walk(edge.target, length + edge.lag + own, passed | {edge.target}, side)

        for side in (estimand.active, estimand.control):
            for key in side:
                start = key.split("->")[0].strip()
                walk(start, 0, {start}, side)
        return max(lengths)

    def set(self, estimand, side):
        """Whole paths of a side of the estimand: by node, and by edge."""
        nodes, edges, acts = {}, {}, self.acts(estimand)
        for key, value in side.items():
            edge = next(
                (e for e in self.mechanism if str(e).replace(" ", "") == key.replace(" ", "")), None
            )
            factual = self.x[edge.source if edge else key]
            path = [
                [
                    _at(value, row[t], u, t) if (u, t) in acts else row[t]
                    for t in range(len(self.time))
                ]
                for u, row in enumerate(factual)
            ]
            if edge:
                edges[edge] = path
            else:
                nodes[key] = path
        return nodes, edges

    def contrast(self, estimand):
        """``Y_active - Y_control`` by unit and period, zero where it is not counted."""
        outcome = self.outcome(estimand)
        active = self.world(*self.set(estimand, estimand.active))[outcome]
        control = self.world(*self.set(estimand, estimand.control))[outcome]
        return self._counted(estimand, active, control)

    def _counted(self, estimand, a, b):
        counts = self.counts(estimand)
        return [
            [a[u][t] - b[u][t] if (u, t) in counts else 0.0 for t in range(len(self.time))]
            for u in self.units
        ]

    def effect(self, estimand):
        """The effect on the estimand's own scale."""
        if estimand.off_panel:
            return self.effect_off_panel(estimand)
        total = math.fsum(v for row in self.contrast(estimand) for v in row)
        if estimand.scale == "mean":
            return total / len(self.acts(estimand))
        if estimand.scale == "per_spend":
            return total / self.moved_spend(estimand)
        if estimand.scale == "cost":
            return self.moved_spend(estimand) / total
        if estimand.scale == "percent":
            control = self.world(*self.set(estimand, estimand.control))[self.outcome(estimand)]
            return 100 * total / math.fsum(control[u][t] for u, t in self.counts(estimand))
        return total

    def effect_off_panel(self, estimand):
        """The effect in a world of its own, where everything else stands still at its mean.

        One list of levels for the control world and one for the active; causes before effects.
        """
        far, outcome = self.reach(estimand), self.outcome(estimand)
        steady = estimand.off_panel == "steady"
        sizes = {
            len(v[0]) if isinstance(v[0], tuple) else len(v)
            for side in (estimand.active, estimand.control)
            for v in side.values()
            if isinstance(v, tuple)
        }
        length = 1 if steady else sizes.pop()
        tail = 0 if steady else self.tail(estimand)
        whole = far + length + tail

        def level(v, u):
            seen = self.x[v][u][self.history :]
            return math.fsum(seen) / len(seen)

        def play(side, v, u):
            inner = [_at(side[v], level(v, u), u, t) for t in range(length)]
            control = [_at(estimand.control[v], level(v, u), u, t) for t in range(length)]
            before, after = (inner[0], inner[-1]) if steady else (control[0], control[-1])
            return [before] * far + inner + [after] * tail

        b = {v: [[level(v, u)] * whole for u in self.units] for v in self.x}
        for v in estimand.control:
            b[v] = [play(estimand.control, v, u) for u in self.units]
        a = dict(b)
        for v in estimand.active:
            a[v] = [play(estimand.active, v, u) for u in self.units]
        for node in self.modelled:
            if node in estimand.active or node in self.held:
                continue
            eta = [[self.link(node, value, u) for value in b[node][u]] for u in self.units]
            for edge, (beta, _) in self.mechanism.items():
                if edge.target == node:
                    high, low = self.curve(edge, a[edge.source]), self.curve(edge, b[edge.source])
                    for u in self.units:
                        for t in range(whole):
                            eta[u][t] += beta * (high[u][t] - low[u][t])
            a[node] = [[self.inverse(node, value, u) for value in eta[u]] for u in self.units]
        places = [(u, t) for u in self._units(estimand) for t in range(far, whole)]
        total = math.fsum(a[outcome][u][t] - b[outcome][u][t] for u, t in places)
        moved = 0.0
        if estimand.scale in ("per_spend", "cost"):
            for v in estimand.active:
                paid, bought = self._path(self.data.spend[v]), self.x[v]
                price = sum(map(sum, paid)) / sum(map(sum, bought))
                for u in self._units(estimand):
                    for t in range(far, far + length):
                        moved += price * (a[v][u][t] - b[v][u][t])
        return {
            "total": lambda: total,
            "mean": lambda: total / (length * len(self._units(estimand))),
            "per_spend": lambda: total / moved,
            "cost": lambda: moved / total,
            "percent": lambda: 100 * total / math.fsum(b[outcome][u][t] for u, t in places),
        }[estimand.scale]()

    def moved_spend(self, estimand):
        (active, _), (control, _) = (
            self.set(estimand, side) for side in (estimand.active, estimand.control)
        )
        moved = 0.0
        for node in {*active, *control}:
            spend, exposure = self._path(self.data.spend[node]), self.x[node]
            mean = sum(map(sum, spend)) / sum(map(sum, exposure))
            for u in self.units:
                for t in range(len(self.time)):
                    fee = self._fee(spend, exposure, u, t >= self.history)
                    price = spend[u][t] / exposure[u][t] + fee if exposure[u][t] > 0 else mean
                    a = active.get(node, exposure)[u][t]
                    moved += price * (a - control.get(node, exposure)[u][t])
        return moved

    def _fee(self, spend, exposure, unit, trained):
        """Spend booked where nothing ran, per exposure; that of a silent unit is borne by all."""
        span = [t for t in range(len(self.time)) if (t >= self.history) == trained]
        runs = {u: math.fsum(exposure[u][t] for t in span) for u in self.units}
        loose = {u: math.fsum(spend[u][t] for t in span if not exposure[u][t]) for u in self.units}
        silent = math.fsum(loose[u] for u in self.units if not runs[u])
        return loose[unit] / (runs[unit] or math.inf) + silent / sum(runs.values())

    def split(self, estimand):
        """NDE and NIE: mediators of one world, treatments of the other, edge by edge."""
        outcome = self.outcome(estimand)
        a = self.world(*self.set(estimand, estimand.active))
        b = self.world(*self.set(estimand, estimand.control))
        treated = {*estimand.active, *estimand.control}
        fed = {
            e: a[e.source] for e in self.mechanism if e.target == outcome and e.source in treated
        }
        # Y(a, M(b)): every other node keeps the path it has in b; the outcome goes its own way.
        rest = {v: path for v, path in b.items() if v != outcome}
        mixed = self.unfold(self.errors(), rest, fed)[outcome]
        return {
            "total": self._counted(estimand, a[outcome], b[outcome]),
            "direct": self._counted(estimand, mixed, b[outcome]),
            "indirect": self._counted(estimand, a[outcome], mixed),
        }

    # densities

    def noise(self, nodes, u=0):
        """Correlations, scales, memories, degrees of freedom of a unit's errors of some nodes."""
        r = correlation_matrix(nodes, factors(self.causes, self.theta))
        apart = [self.theta.get(f"{v}:sigma:unit") for v in nodes]
        own = [1.0 if by_unit is None else math.exp(by_unit[u]) for by_unit in apart]
        sigma = [self.theta[f"{v}:sigma"] * k for v, k in zip(nodes, own, strict=True)]
        phi = [self.theta.get(f"{v}:phi", 0.0) for v in nodes]
        return r, sigma, phi, [self.theta.get(f"{v}:nu") for v in nodes]

    def log_likelihood(self):
        """Log density of the modelled nodes given their inputs, in original units."""
        total, e = 0.0, self.errors()
        for part in self.districts:
            nodes = [v for v in self.modelled if v in part]
            for u in self.units if nodes else ():
                rows = [e[v][u][self.history :] for v in nodes]
                total += errors_log_density(rows, *self.noise(nodes, u))
        for node in self.modelled:  # change of variables from errors to original units
            for u in self.units:
                for seen in self.x[node][u][self.history :]:
                    log = self.spec.links.get(node) == "log"
                    total -= math.log(seen if log else self.scale[node][u])
        return total

    def left_over(self, node):
        """Share of a node's sigma that the errors before it in its district leave unexplained."""
        part = next(part for part in self.districts if node in part)
        nodes = [v for v in self.modelled if v in part]
        nodes = nodes[: nodes.index(node) + 1]
        r = self.noise(nodes)[0]
        # The residual variance of a regression is one over the last entry of the precision.
        return 1 / math.sqrt(np.linalg.inv(r)[-1, -1])

    def log_lifts(self):
        """Log density of the measured lifts, group by group of correlated errors."""
        total = 0.0
        for group in lift_groups(self.spec.experiments):
            gap = [self.gap(test) for test in group]
            # A cost is measured through its inverse; to first order the errors go with its slope.
            slope = [-1 / t.lift**2 if t.estimand.scale == "cost" else 1.0 for t in group]
            matrix = [[0.0] * len(group) for _ in group]
            for i, one in enumerate(group):
                for j, two in enumerate(group):
                    stated = one.covariance.get(two.name, two.covariance.get(one.name, 0.0))
                    matrix[i][j] = self.lift_variance(one) if i == j else stated
                    matrix[i][j] *= slope[i] * slope[j]
            if len(group) > 1:
                total += stats.multivariate_normal(np.zeros(len(gap)), matrix).logpdf(gap)
            elif group[0].nu:
                total += stats.t(group[0].nu, scale=math.sqrt(matrix[0][0])).logpdf(gap[0])
            else:
                total += stats.norm.logpdf(gap[0], 0, math.sqrt(matrix[0][0]))
        return total

    def gap(self, test):
        """Measured less expected."""
        expected = self.effect(test.estimand)
        if test.estimand.scale == "cost":
            return 1 / test.lift - 1 / expected
        return test.lift - test.share * expected

    def lift_variance(self, test):
        """Sampling variance, what age adds to it, and the variance of the bias."""
        bias = BIAS[test.design] * test.std_error if test.bias_sd is None else test.bias_sd
        grown = 0.0
        if test.half_life is not None and test.estimand.window:
            grown = 2 ** (self.age(test.estimand.window[1]) / test.half_life) - 1
        return test.std_error**2 * (1 + grown) + bias**2

    def age(self, end):
        """Walk back from the last period, before the data too, to the one that holds a date."""
        step, moment, passed = self.time[1] - self.time[0], self.time[-1], 0
        while moment > end:
            moment, passed = moment - step, passed + 1
        return passed

    def log_prior(self):
        total = 0.0
        for name, (prior, size, pooled) in priors(self.spec, self.data, self).items():
            values = self.theta[name] if size is not None else [self.theta[name]]
            if pooled == "deviations":
                total += zero_sum_log_density(values, self.theta[_spread_of(name)])
                continue
            for value in values:
                if pooled:
                    total += stats.norm.logpdf(
                        value, self.theta[f"{name}:mean"], self.theta[f"{name}:spread"]
                    )
                else:
                    total += frozen(prior).logpdf(value)
        return total

    def swing(self, edge):
        """Standard deviation of an edge's contribution over the training data, with its sign."""
        f = self.curve(edge, self.x[edge.source])
        seen = [value for row in f for value in row[self.history :]]
        beta, center = self.mechanism[edge]
        return beta * math.sqrt(math.fsum((v - center) ** 2 for v in seen) / len(seen))

    def log_jacobian(self, edge):
        """Log of d swing / d value: what a density in the swing loses to one in the value."""
        return math.log(self.swing(edge) / self.theta[str(edge)])


def _at(value, factual, u, t):
    if callable(value):
        return value(factual)
    while isinstance(value, (tuple, list)):
        value = value[u][t] if isinstance(value[0], (tuple, list)) else value[t]
    return float(value)


def lift_groups(tests):
    """Experiments tied by a covariance that is not zero, directly or through others."""
    names = [test.name for test in tests]
    near = {(a.name, b) for a in tests for b, stated in a.covariance.items() if stated}
    group = {name: {name} for name in names}
    for _ in names:
        for a, b in near:
            group[a] = group[b] = group[a] | group[b]
        for members in list(group.values()):
            for name in members:
                group[name] = group[name] | members
    parts = sorted({tuple(sorted(members)) for members in group.values()})
    return [[test for name in part for test in tests if test.name == name] for part in parts]


# Priors


def frozen(prior):
    """The scipy distribution that a `Prior` names, in PyMC's parametrization."""
    p = dict(prior.parameters)
    kind = prior.distribution
    if kind == "TruncatedNormal":
        low = (p.get("lower", -math.inf) - p["mu"]) / p["sigma"]
        high = (p.get("upper", math.inf) - p["mu"]) / p["sigma"]
        return stats.truncnorm(low, high, p["mu"], p["sigma"])
    if kind == "HalfStudentT":
        return _HalfStudentT(p["nu"], p["sigma"])
    return {
        "Beta": lambda: stats.beta(p["alpha"], p["beta"]),
        "Cauchy": lambda: stats.cauchy(p["alpha"], p["beta"]),
        "Exponential": lambda: stats.expon(scale=1 / p["lam"]),
        "Gamma": lambda: stats.gamma(p["alpha"], scale=1 / p["beta"]),
        "HalfCauchy": lambda: stats.halfcauchy(scale=p["beta"]),
        "HalfNormal": lambda: stats.halfnorm(scale=p["sigma"]),
        "InverseGamma": lambda: stats.invgamma(p["alpha"], scale=p["beta"]),
        "Laplace": lambda: stats.laplace(p["mu"], p["b"]),
        "LogNormal": lambda: stats.lognorm(p["sigma"], scale=math.exp(p["mu"])),
        "Normal": lambda: stats.norm(p["mu"], p["sigma"]),
        "StudentT": lambda: stats.t(p["nu"], p["mu"], p["sigma"]),
        "Uniform": lambda: stats.uniform(p["lower"], p["upper"] - p["lower"]),
    }[kind]()


class _HalfStudentT:
    def __init__(self, nu, sigma):
        self.whole = stats.t(nu, scale=sigma)

    def logpdf(self, value):
        return math.log(2) + self.whole.logpdf(value) if value >= 0 else -math.inf

    def rvs(self, size=None, random_state=None):
        return abs(self.whole.rvs(size=size, random_state=random_state))


def priors(spec, data, structure=None):
    """Every parameter: ``name -> (prior, size or None for a scalar, whether partially pooled)``.

    "deviations" are partially pooled around zero and sum to it.
    """
    structure = structure or _Structure(spec)
    time, training = list(data.time), list(data.time)[data.history :]
    out = {}
    for nodes in structure.causes:
        name = "<->".join(nodes)
        prior = spec.correlations.get(name, CORRELATION)
        if len(nodes) == 2:
            out[name] = (prior, None, False)
            continue
        for v in nodes:  # the loading of the first is positive, or the sign would be free
            bounds = dict(prior.parameters)
            bounds["lower"] = max(0.0, bounds["lower"]) if v == nodes[0] else bounds["lower"]
            out[f"{name}:{v}"] = (Prior(prior.distribution, **bounds), None, False)
    for node in structure.modelled:
        given = spec.baseline.get(node, ()) if isinstance(spec.baseline, dict) else spec.baseline
        level = next((t for t in given if type(t).__name__ == "Intercept"), Intercept())
        name = f"{node}:intercept"
        if data.units:
            out[f"{name}:mean"] = (level.prior, None, False)
            out[f"{name}:spread"] = (level.spread, None, False)
            out[name] = (level.prior, len(data.units), True)
        else:
            out[name] = (level.prior, None, False)
        for term in given:
            kind = type(term).__name__
            if kind == "Intercept":
                continue
            name = f"{node}:{term.label if kind == 'Event' else term.name}"
            count = len(design(term, time, training))
            if kind == "HSGPTrend":
                out[name] = (Prior("Normal", mu=0, sigma=1), count, False)
                out[f"{name}:amplitude"] = (term.amplitude, None, False)
                out[f"{name}:lengthscale"] = (term.lengthscale, None, False)
            else:
                out[name] = (term.prior, count, False)
        for edge in structure.edges:
            if edge.target != node:
                continue
            response = structure.response(edge)
            if response is None:
                out[str(edge)] = (Response().strength.prior, None, False)
                continue
            tied = any({node, edge.source} <= part for part in structure.districts)
            if len(data.units) > 1 and isinstance(response.spread, Prior) and not tied:
                out[f"{edge}:spread"] = (response.spread, None, False)
                out[f"{edge}:unit"] = (response.spread, len(data.units), "deviations")
            out[str(edge)] = (response.strength.prior, None, False)
            for step in response.transforms:
                for k, prior in step.priors.items():
                    out[f"{edge}:{k}"] = (prior, None, False)
        noise = spec.noise.get(node) if isinstance(spec.noise, dict) else spec.noise
        if noise is None:
            noise = AR1Noise() if structure.remembers(node, time) else NormalNoise()
        out[f"{node}:sigma"] = (noise.sigma, None, False)
        if type(noise).__name__ == "AR1Noise":
            out[f"{node}:phi"] = (noise.phi, None, False)
        if getattr(noise, "nu", None) is not None:
            out[f"{node}:nu"] = (noise.nu, None, False)
        between = noise.spread
        alone = {node} in structure.districts
        if len(data.units) > 1 and isinstance(between, Prior) and alone:
            out[f"{node}:sigma:spread"] = (between, None, False)
            out[f"{node}:sigma:unit"] = (between, len(data.units), "deviations")
    return out


def _spread_of(name):
    """Name of the spread of deviations."""
    return name.removesuffix("unit") + "spread"


def zero_sum_log_density(values, sd):
    """Independent normal deviations, of which the last follows from the others: n - 1 are free."""
    squares = math.fsum((v / sd) ** 2 for v in values)
    return -0.5 * squares - (len(values) - 1) * math.log(sd * math.sqrt(2 * math.pi))


class _Structure(Oracle):
    """Only the structure: no data, no parameters."""

    def __init__(self, spec):
        self.spec = spec
        self._structure()


def draw(spec, data, rng):
    """One draw of every parameter from its prior."""
    theta = {}
    for name, (prior, size, pooled) in priors(spec, data).items():
        if pooled == "deviations":
            free = rng.normal(0, theta[_spread_of(name)], size)
            theta[name] = free - free.mean()
        elif pooled:
            mean, spread_ = theta[f"{name}:mean"], theta[f"{name}:spread"]
            theta[name] = rng.normal(mean, spread_, size)
        else:
            theta[name] = frozen(prior).rvs(size=size, random_state=rng)
    return theta
