"""Worlds of known effects in fifteen families, in plain numpy: no equation of any package is used.

National weekly data: a level, a trend, a yearly season, one to ten channels, and errors that are
independent or remember. Carry-over is geometric, delayed or Weibull and lasts up to half a year;
curves are Hill, logistic, Michaelis-Menten, a root, a logarithm or straight; media are always on,
flighted or pulsed, and bring 12 to 45 percent of sales. A channel's return falls with its spend,
with much scatter. Seeds below `JUDGE` are free for tuning; those from it on judge. (Seeds 50,000
to 50,016 judged the default prior before this one, and taught what was wrong with it.)

`plain`       channels do not depend on what else moves sales
`confounded`  demand moves all budgets and sales, and is recorded
`collinear`   two channels move together; an eight-week switch-off measured one of them
`null`        one channel does nothing
`m-bias`      visits share one hidden cause with a channel and another with sales: adjusting for
              them would bias; the hidden cause of sales lasts for weeks
`latent`      demand moves one channel and sales and is not recorded; a test measured the channel
`instrument`  the same without a test; the price of air time moves the channel only
`panel`       four markets of different size that respond alike per head; errors are their own
`single`      one channel
`many`        ten channels
`daily`       three channels in 730 days: the same carry-over in weeks, and days of the week differ
`linear`      spend is log-normal, the largest week far above the typical one; straight curves
`concave`     the same spend; curves that hardly bend: roots, and half-saturation beyond all weeks
`s-shaped`    `plain`, with curves that rise steeply at first: Hill's, of a slope of 2 to 3.5
`linear-instrument`  `linear`, and demand that moves one channel and sales much is not recorded;
              the price of air time moves the channel only
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

WEEKS = 156
MEMORY = 26
JUDGE = 60_000
FAMILIES = (
    *("plain", "confounded", "collinear", "null", "m-bias", "latent", "instrument", "panel"),
    *("single", "many", "daily"),
    *("linear", "concave", "linear-instrument", "s-shaped"),
)
HEAVY = ("linear", "concave", "linear-instrument")
"""Families whose spend has a heavy tail."""
LINES = ("linear", "linear-instrument")
INSTRUMENT = ("instrument", "linear-instrument")
CHANNELS = (
    *("tv", "search", "social", "radio", "print"),
    *("outdoor", "video", "audio", "display", "email"),
)
COUNTS = {"plain": 4, "s-shaped": 4, "null": 4, "single": 1, "many": 10}
"""Channels of a family; three elsewhere."""
ORDINARY = ("plain", "confounded", "collinear", "null")
MARKETS = 4
DAYS = 730
TEST_WEEKS = slice(60, 68)
TEST_PRECISION = 0.15

type Curve = Callable[[np.ndarray], np.ndarray]
type Respond = Callable[[str, np.ndarray], np.ndarray]
"""From a channel and a path of its spend to the sales that it brings, week by week."""


class Lift(NamedTuple):
    """A channel that was dark in some weeks: the sales that it cost, as measured."""

    channel: str
    weeks: slice
    lift: float
    std_error: float


class World(NamedTuple):
    """A table, the graph that made it, and the sales that each channel really brought."""

    family: str
    seed: int
    frame: pd.DataFrame
    graph: str
    channels: tuple[str, ...]
    controls: tuple[str, ...]
    tests: tuple[Lift, ...]
    truth: dict[str, float]
    respond: Respond | None = None
    """What any other spend would have brought; of national worlds."""


def autoregressive(rng: np.random.Generator, phi: float, weeks: int = WEEKS) -> np.ndarray:
    """A stationary series of variance 1 and first autocorrelation ``phi``."""
    shocks = rng.normal(size=weeks) * np.sqrt(1 - phi**2)
    out = np.zeros(weeks)
    out[0] = rng.normal()
    for t in range(1, weeks):
        out[t] = phi * out[t - 1] + shocks[t]
    return out


def schedule(rng: np.random.Generator) -> np.ndarray:
    """When a channel runs: always, in flights of some weeks, or in single weeks."""
    kind = rng.choice(["always", "flights", "pulses"])
    if kind == "always":
        return np.ones(WEEKS)
    if kind == "pulses":
        return 1.0 * (rng.random(WEEKS) < rng.uniform(0.4, 0.8))
    on, week = np.zeros(WEEKS), int(rng.integers(0, 8))
    while week < WEEKS:
        length = int(rng.integers(4, 12))
        on[week : week + length] = 1
        week += length + int(rng.integers(4, 14))
    return on


def carry_over(rng: np.random.Generator, step: float = 1.0) -> np.ndarray:
    """Weights of the lags, which are a step apart, in weeks; they sum to one."""
    lag = np.arange(0, MEMORY, step)
    kind = rng.choice(["geometric", "delayed", "weibull"])
    if kind == "geometric":
        weights = rng.uniform(0.1, 0.75) ** lag
    elif kind == "delayed":
        weights = rng.uniform(0.5, 0.85) ** ((lag - rng.uniform(0.5, 3)) ** 2)
    else:
        shape, z = rng.uniform(0.8, 2.2), (lag + 1) / rng.uniform(1.2, 4)
        weights = z ** (shape - 1) * np.exp(-(z**shape))
    return weights / weights.sum()


def saturation(rng: np.random.Generator) -> Curve:
    """A curve from carried exposure, at most about 1, to response."""
    kinds = ["hill", "logistic", "michaelis-menten", "root", "log", "straight"]
    kind = rng.choice(kinds, p=[0.25, 0.2, 0.2, 0.1, 0.15, 0.1])
    half, slope, rate = rng.uniform(0.25, 1.1), rng.uniform(0.8, 2), rng.uniform(1, 4)
    power, bend = rng.uniform(0.5, 0.9), rng.uniform(2, 10)
    curves: dict[str, Curve] = {
        "hill": lambda a: a**slope / (half**slope + a**slope),
        "logistic": lambda a: (1 - np.exp(-rate * a)) / (1 + np.exp(-rate * a)),
        "michaelis-menten": lambda a: a / (half + a),
        "root": lambda a: a**power,
        "log": lambda a: np.log1p(bend * a),
        "straight": lambda a: a,
    }
    return curves[str(kind)]


def s_curve(rng: np.random.Generator) -> Curve:
    """A Hill curve that is steepest where it is half saturated."""
    half, slope = rng.uniform(0.25, 0.8), rng.uniform(2, 3.5)
    return lambda a: a**slope / (half**slope + a**slope)


def near_line(rng: np.random.Generator) -> Curve:
    """A root, or a curve that is half saturated at 2 to 6 times the largest exposure."""
    kind, power, half = rng.choice(["root", "far"]), rng.uniform(0.5, 0.9), rng.uniform(2, 6)
    return (lambda a: a**power) if kind == "root" else (lambda a: a / (half + a))


def _errors(rng: np.random.Generator, memory: float, periods: int = WEEKS) -> np.ndarray:
    """Errors of variance 1, independent or four fifths of them of a cause that lasts."""
    noise = rng.normal(size=periods)
    if memory:
        noise = np.sqrt(0.8) * autoregressive(rng, memory, periods) + np.sqrt(0.2) * noise
    return noise


def make_world(family: str, seed: int, memory: float = 0.0, errors: float = 1.0) -> World:
    """Make a world of a family.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    seed : int
    memory : float
        First autocorrelation of the unobserved cause of sales, which makes four fifths of the
        variance of the errors; zero for independent errors.
    errors : float
        Standard deviation of the errors of sales, times the ordinary one; of national weeks.
    """
    rng = np.random.default_rng([FAMILIES.index(family), seed])
    if family == "panel":
        return _make_panel(rng, seed, memory)
    if family == "daily":
        return _make_daily(rng, seed, memory)
    several = COUNTS.get(family, 3)
    channels = CHANNELS[:several]
    t = np.arange(WEEKS)
    hidden = autoregressive(rng, 0.5)  # demand, or what else two nodes share
    mood = autoregressive(rng, 0.6)
    price = autoregressive(rng, 0.4)
    spend = np.zeros((several, WEEKS))
    for k in range(several):
        low, high = (0.8, 1.2) if family in HEAVY else (0.2, 0.5)
        log = rng.uniform(low, high) * autoregressive(rng, rng.uniform(0.2, 0.8))
        if family == "linear-instrument" and k == 0:
            log = 0.5 * log + rng.uniform(0.5, 0.8) * hidden - rng.uniform(0.5, 0.8) * price
        if family == "confounded" or (family in ("latent", "instrument", "m-bias") and k == 0):
            log = log + rng.uniform(0.2, 0.5) * hidden
        if family == "instrument" and k == 0:
            log = log - rng.uniform(0.3, 0.6) * price
        if family == "collinear" and k < 2:
            log, on = 0.5 * mood + 0.15 * rng.normal(size=WEEKS), np.ones(WEEKS)
        else:
            on = np.ones(WEEKS) if family in HEAVY else schedule(rng)
        if k == 0 and family in ("latent", "instrument"):
            on = np.ones(WEEKS)
        spend[k] = on * np.exp(log)
    budget = rng.dirichlet(np.full(several, 2.0))
    spend *= 400 * (budget / spend.mean(axis=1))[:, None]
    share = budget**0.6 * np.exp(rng.normal(0, 0.5, several))
    media = rng.uniform(0.12, 0.45)
    share *= 1000 * media / share.sum()
    if family == "null":
        share[rng.integers(several)] = 0.0

    def respond(k: int, path: np.ndarray) -> np.ndarray:
        carried = np.convolve(path, lags[k])[:WEEKS]
        top, level = tops[k]
        return share[k] * curves[k](carried / top) / level

    lags = [carry_over(rng) for _ in range(several)]
    shape = {"concave": near_line, "s-shaped": s_curve}.get(family, saturation)
    curves = [shape(rng) if family not in LINES else np.positive for _ in range(several)]
    tops = []
    for k in range(several):
        carried = np.convolve(spend[k], lags[k])[:WEEKS]
        tops.append((carried.max(), curves[k](carried / carried.max()).mean()))
    effects = np.stack([respond(k, spend[k]) for k in range(several)])

    base = 1 - media + rng.uniform(-0.15, 0.15) * (t / WEEKS - 0.5)
    for harmonic in (1, 2):
        angle = 2 * np.pi * harmonic * t / 52.18
        base = base + rng.normal(0, 0.04 / harmonic, 2) @ np.stack([np.sin(angle), np.cos(angle)])
    if family in ("confounded", "latent", "instrument"):
        base = base + rng.uniform(0.02, 0.08) * hidden
    if family == "linear-instrument":
        base = base + rng.uniform(0.06, 0.12) * hidden
    if family == "m-bias":
        base = base + rng.uniform(0.03, 0.08) * mood
    noise = _errors(rng, memory)
    sales = 1000 * (base + errors * rng.uniform(0.02, 0.06) * noise) + effects.sum(axis=0)

    frame = pd.DataFrame({"week": pd.date_range("2022-01-03", periods=WEEKS, freq="7D")})
    for k, channel in enumerate(channels):
        frame[channel] = spend[k]
    everything, lines, controls = ", ".join(channels), [], ()
    if family == "confounded":
        frame["demand"], controls = 100 + 10 * hidden, ("demand",)
        lines = [f"demand -> {everything}, sales"]
    if family == "m-bias":
        frame["visits"] = 100 + 10 * hidden + 10 * mood + 3 * rng.normal(size=WEEKS)
        lines = ["latent: taste, mood", "taste -> tv, visits", "mood -> visits, sales"]
    if family in INSTRUMENT:
        frame["price"] = 50 + 5 * price
        lines = ["price -> tv", "tv <-> sales"]
    if family == "latent":
        lines = ["tv <-> sales"]
    frame["sales"] = sales
    tests: tuple[Lift, ...] = ()
    if family in ("collinear", "latent"):
        dark = spend[0].copy()
        dark[TEST_WEEKS] = 0
        exact = float((effects[0] - respond(0, dark)).sum())
        error = TEST_PRECISION * exact
        tests = (Lift("tv", TEST_WEEKS, exact + rng.normal(0, error), error),)
    return World(
        family,
        seed,
        frame,
        "\n".join([*lines, f"{everything} -> sales"]),
        channels,
        controls,
        tests,
        dict(zip(channels, effects.sum(axis=1).tolist(), strict=True)),
        lambda channel, path: respond(channels.index(channel), path),
    )


def _make_panel(rng: np.random.Generator, seed: int, memory: float) -> World:
    channels = ("tv", "search", "social")
    size = np.exp(rng.normal(0, 0.7, MARKETS))
    budget, media = rng.dirichlet(np.full(3, 2.0)), rng.uniform(0.12, 0.45)
    share = budget**0.6 * np.exp(rng.normal(0, 0.5, 3))
    share *= 1000 * media / share.sum()
    effects, spend = np.zeros((3, MARKETS, WEEKS)), np.zeros((3, MARKETS, WEEKS))
    for k in range(3):
        lags, curve = carry_over(rng), saturation(rng)
        for m in range(MARKETS):
            log = rng.uniform(0.2, 0.5) * autoregressive(rng, rng.uniform(0.2, 0.8))
            spend[k, m] = schedule(rng) * np.exp(log)
        spend[k] *= 400 * budget[k] / spend[k].mean()
        carried = np.stack([np.convolve(path, lags)[:WEEKS] for path in spend[k]])
        response = curve(carried / carried.max())
        effects[k] = share[k] * response / response.mean()
    t = np.arange(WEEKS)
    base = 1 - media + rng.uniform(-0.15, 0.15) * (t / WEEKS - 0.5)
    for harmonic in (1, 2):
        angle = 2 * np.pi * harmonic * t / 52.18
        base = base + rng.normal(0, 0.04 / harmonic, 2) @ np.stack([np.sin(angle), np.cos(angle)])
    level = 1 + rng.normal(0, 0.1, (MARKETS, 1))
    noise = np.stack([_errors(rng, memory) for _ in range(MARKETS)])
    head = 1000 * (level * base + rng.uniform(0.03, 0.1) * noise) + effects.sum(axis=0)
    week = pd.date_range("2022-01-03", periods=WEEKS, freq="7D")
    frame = pd.DataFrame(
        {
            "week": np.tile(week, MARKETS),
            "market": np.repeat([f"market {m}" for m in range(MARKETS)], WEEKS),
            **{c: (size[:, None] * spend[k]).ravel() for k, c in enumerate(channels)},
            "sales": (size[:, None] * head).ravel(),
        }
    )
    truth = (size[:, None] * effects).sum(axis=(1, 2))
    graph = f"{', '.join(channels)} -> sales"
    return World(
        "panel",
        seed,
        frame,
        graph,
        channels,
        (),
        (),
        dict(zip(channels, truth.tolist(), strict=True)),
    )


def _make_daily(rng: np.random.Generator, seed: int, memory: float) -> World:
    channels = CHANNELS[:3]
    budget, media = rng.dirichlet(np.full(3, 2.0)), rng.uniform(0.12, 0.45)
    share = budget**0.6 * np.exp(rng.normal(0, 0.5, 3))
    share *= 1000 * media / share.sum()
    t = np.arange(DAYS)
    effects, spend = np.zeros((3, DAYS)), np.zeros((3, DAYS))
    for k in range(3):
        on = np.repeat(schedule(rng), 7)[:DAYS]  # plans are made by the week
        log = rng.uniform(0.2, 0.5) * autoregressive(rng, rng.uniform(0.7, 0.95), DAYS)
        spend[k] = on * np.exp(log + rng.normal(0, 0.2, 7)[t % 7])
        spend[k] *= 400 * budget[k] / spend[k].mean()
        carried = np.convolve(spend[k], carry_over(rng, 1 / 7))[:DAYS]
        response = saturation(rng)(carried / carried.max())
        effects[k] = share[k] * response / response.mean()
    base = 1 - media + rng.uniform(-0.15, 0.15) * (t / DAYS - 0.5)
    for period, size in ((365.25, 0.04), (365.25 / 2, 0.02)):
        angle = 2 * np.pi * t / period
        base = base + rng.normal(0, size, 2) @ np.stack([np.sin(angle), np.cos(angle)])
    base = base + rng.normal(0, 0.05, 7)[t % 7]
    sales = 1000 * (base + rng.uniform(0.04, 0.12) * _errors(rng, memory, DAYS))
    frame = pd.DataFrame({"week": pd.date_range("2023-01-02", periods=DAYS, freq="D")})
    for k, channel in enumerate(channels):
        frame[channel] = spend[k]
    frame["sales"] = sales + effects.sum(axis=0)
    graph = f"{', '.join(channels)} -> sales"
    truth = dict(zip(channels, effects.sum(axis=1).tolist(), strict=True))
    return World("daily", seed, frame, graph, channels, (), (), truth)
