"""Curves of edges and of baselines: adstock, saturation, and columns over time."""

import math
from datetime import timedelta

import holidays as calendars
import pandas as pd

EPOCH = pd.Timestamp("2000-01-03")
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
    first = list(time).index(training[0])
    last = first + len(training)
    centered = []
    for column in columns:
        middle = math.fsum(column[first:last]) / len(training)
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
