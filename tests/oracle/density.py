"""Densities of data, lifts and parameters, and draws from the prior."""

import math

import numpy as np
from scipy import stats

from bayescausal.specs.baseline import Intercept
from bayescausal.specs.confounder import CORRELATION
from bayescausal.specs.noise import AR1Noise, NormalNoise
from bayescausal.specs.prior import Prior
from bayescausal.specs.response import Response

from .contrasts import effect
from .curves import design
from .structure import Structure

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


# Densities at one draw


def noise(worlds, nodes, u=0):
    """Correlations, scales, memories, degrees of freedom of a unit's errors of some nodes."""
    r = correlation_matrix(nodes, factors(worlds.causes, worlds.theta))
    apart = [worlds.theta.get(f"{v}:sigma:unit") for v in nodes]
    own = [1.0 if by_unit is None else math.exp(by_unit[u]) for by_unit in apart]
    sigma = [worlds.theta[f"{v}:sigma"] * k for v, k in zip(nodes, own, strict=True)]
    phi = [worlds.theta.get(f"{v}:phi", 0.0) for v in nodes]
    return r, sigma, phi, [worlds.theta.get(f"{v}:nu") for v in nodes]


def log_likelihood(worlds):
    """Log density of the modelled nodes given their inputs, in original units."""
    total, e = 0.0, worlds.errors()
    for part in worlds.districts:
        nodes = [v for v in worlds.modelled if v in part]
        for u in worlds.units if nodes else ():
            rows = [e[v][u][worlds.history :] for v in nodes]
            total += errors_log_density(rows, *noise(worlds, nodes, u))
    for node in worlds.modelled:  # change of variables from errors to original units
        for u in worlds.units:
            for seen in worlds.x[node][u][worlds.history :]:
                log = worlds.spec.links.get(node) == "log"
                total -= math.log(seen if log else worlds.scale[node][u])
    return total


def left_over(worlds, node):
    """Share of a node's sigma that the errors before it in its district leave unexplained."""
    part = next(part for part in worlds.districts if node in part)
    nodes = [v for v in worlds.modelled if v in part]
    nodes = nodes[: nodes.index(node) + 1]
    r = noise(worlds, nodes)[0]
    # The residual variance of a regression is one over the last entry of the precision.
    return 1 / math.sqrt(np.linalg.inv(r)[-1, -1])


def log_lifts(worlds):
    """Log density of the measured lifts, group by group of correlated errors."""
    total = 0.0
    for group in lift_groups(worlds.spec.experiments):
        gaps = [gap(worlds, test) for test in group]
        # A cost is measured through its inverse; to first order the errors go with its slope.
        slope = [-1 / t.lift**2 if t.estimand.scale == "cost" else 1.0 for t in group]
        matrix = [[0.0] * len(group) for _ in group]
        for i, one in enumerate(group):
            for j, two in enumerate(group):
                stated = one.covariance.get(two.name, two.covariance.get(one.name, 0.0))
                matrix[i][j] = lift_variance(worlds, one) if i == j else stated
                matrix[i][j] *= slope[i] * slope[j]
        if len(group) > 1:
            total += stats.multivariate_normal(np.zeros(len(gaps)), matrix).logpdf(gaps)
        elif group[0].nu:
            total += stats.t(group[0].nu, scale=math.sqrt(matrix[0][0])).logpdf(gaps[0])
        else:
            total += stats.norm.logpdf(gaps[0], 0, math.sqrt(matrix[0][0]))
    return total


def gap(worlds, test):
    """Measured less expected."""
    expected = effect(worlds, test.estimand)
    if test.estimand.scale == "cost":
        return 1 / test.lift - 1 / expected
    return test.lift - test.share * expected


def lift_variance(worlds, test):
    """Sampling variance, what age adds to it, and the variance of the bias."""
    bias = BIAS[test.design] * test.std_error if test.bias_sd is None else test.bias_sd
    grown = 0.0
    if test.half_life is not None and test.estimand.window:
        grown = 2 ** (age(worlds, test.estimand.window[1]) / test.half_life) - 1
    return test.std_error**2 * (1 + grown) + bias**2


def age(worlds, end):
    """Walk back from the last period, before the data too, to the one that holds a date."""
    step, moment, passed = worlds.time[1] - worlds.time[0], worlds.time[-1], 0
    while moment > end:
        moment, passed = moment - step, passed + 1
    return passed


def log_prior(worlds):
    total = 0.0
    for name, (prior, size, pooled) in priors(worlds.spec, worlds.data, worlds).items():
        values = worlds.theta[name] if size is not None else [worlds.theta[name]]
        if pooled == "deviations":
            total += zero_sum_log_density(values, worlds.theta[_spread_of(name)])
            continue
        for value in values:
            if pooled:
                total += stats.norm.logpdf(
                    value, worlds.theta[f"{name}:mean"], worlds.theta[f"{name}:spread"]
                )
            else:
                total += frozen(prior).logpdf(value)
    return total


def swing(worlds, edge):
    """Standard deviation of an edge's contribution over the training data, with its sign."""
    f = worlds.curve(edge, worlds.x[edge.source])
    seen = [value for row in f for value in row[worlds.history :]]
    beta, center = worlds.mechanism[edge]
    return beta * math.sqrt(math.fsum((v - center) ** 2 for v in seen) / len(seen))


def log_jacobian(worlds, edge):
    """Log of d swing / d value: what a density in the swing loses to one in the value."""
    return math.log(swing(worlds, edge) / worlds.theta[str(edge)])


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
    structure = structure or Structure(spec)
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
