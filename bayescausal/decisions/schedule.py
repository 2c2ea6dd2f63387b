"""`Schedule`: amounts of spend in blocks of periods, and the exposure that they buy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import qmc

from bayescausal import checks
from bayescausal._types import Array, Node
from bayescausal.decisions.spend_limits import Limit, SpendLimits, bounds_pair
from bayescausal.errors import DataError, SpecError, did_you_mean, shown
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.inference.fit import Fit
from bayescausal.model.contrast import scope, spend_path, unit_cost

PATTERNS = ("kept", "free")
FLOOR = 1e-5
"""Amount of a dark block while a plan is searched for, in mean blocks: the slope of a curve at zero
exposure need not exist. What stays there is nothing in the plan."""
_RANDOM_STARTS = 2


@dataclass(frozen=True, eq=False)
class Schedule:
    """How amounts of spend become paths of exposure.

        exposure_t = amount_b share_t / price_t,    t in block b,    sum over b of share_t = 1

    A block's amount is spread over its periods (and units) as its present spend is; where there is
    none, evenly over periods, and over units as their spend in the window. The price is that of
    `unit_cost`: of the period, and the mean one where nothing ran.

    Parameters
    ----------
    channels : sequence of str
    blocks : pandas.DatetimeIndex
        The first period of each.
    time : pandas.DatetimeIndex
        Periods of the window.
    unit : array, shape (channel,)
        Currency of an amount of 1: the mean block of the channel at present.
    present : array, shape (channel * block,)
        Amounts of the present plan, a channel after the other.
    spend : array, shape (channel, block, time)
        What an amount of 1 spends, by period of the window, summed over units.
    exposure : mapping of str to array
        What an amount of 1 buys, dims ``(block,)`` and those of the data.
    outside : mapping of str to array
        The path of the channel outside of the window, zero in it.
    """

    channels: Sequence[Node]
    blocks: pd.DatetimeIndex
    time: pd.DatetimeIndex
    unit: np.ndarray
    present: np.ndarray
    spend: np.ndarray
    exposure: Mapping[Node, np.ndarray]
    outside: Mapping[Node, np.ndarray]

    def matrix(self, amounts: Array) -> Array:
        """Return amounts as ``(channel, block)``."""
        return amounts.reshape(len(self.channels), len(self.blocks))

    def paths(self, amounts: Array, xp: Any = np) -> dict[Node, Array]:
        """Return the exposure that amounts buy, of all periods of the data."""
        rows = self.matrix(amounts)
        return {
            c: self.outside[c] + xp.tensordot(rows[k], self.exposure[c], axes=1)
            for k, c in enumerate(self.channels)
        }

    def spend_by_period(self, amounts: np.ndarray) -> np.ndarray:
        """Return currency by channel and period of the window."""
        return np.einsum("cb,cbt->ct", self.matrix(amounts), self.spend)

    def scaled(self, factors: np.ndarray) -> np.ndarray:
        """Return the amounts of a plan that keeps the pattern in time."""
        return (self.matrix(self.present) * np.asarray(factors)[:, None]).ravel()

    def even(self, amounts: np.ndarray) -> np.ndarray:
        """Return amounts that spend what each channel spends, the same in each block."""
        rows = self.matrix(amounts)
        return np.broadcast_to(rows.mean(axis=1, keepdims=True), rows.shape).ravel()

    def settled(self, amounts: np.ndarray) -> np.ndarray:
        """Return amounts in which those at the floor are nothing."""
        return np.where(amounts <= 2 * FLOOR, 0.0, amounts)


def block_length(pattern: Any) -> int | None:
    """Return the periods of a block; None for a pattern that is kept."""
    if isinstance(pattern, str) and pattern in PATTERNS:
        return None if pattern == "kept" else 1
    if isinstance(pattern, bool) or not isinstance(pattern, int | np.integer) or pattern < 1:
        hint = did_you_mean(pattern, PATTERNS) if isinstance(pattern, str) else ""
        raise SpecError(
            "pattern is 'kept', 'free' (an amount for each period), or the number of periods that "
            f"share one amount, such as 4; got {shown(pattern)}.{hint}"
        )
    return int(pattern)


def schedule_of(
    fit: Fit, channels: Sequence[Node], place: Mapping[str, Any], length: int
) -> Schedule:
    """Divide the window into blocks of ``length`` periods; raise where a price is not known."""
    acts = scope(fit.scm, incremental(channels[0], **place)).acts
    periods = np.flatnonzero(np.atleast_2d(acts).any(axis=0))
    members = np.zeros((-(-len(periods) // length), acts.shape[-1]), bool)
    members[np.arange(len(periods)) // length, periods] = True
    exposure, outside, spends, units, present = {}, {}, [], [], []
    for channel in channels:
        path = fit.data.array(channel)
        spend = spend_path(fit.scm, incremental(channel, **place))
        price = np.broadcast_to(unit_cost(fit.data, channel), path.shape)
        _require_prices(fit, channel, acts & (path > 0) & (spend <= 0))
        shares = np.stack([_shares(spend, acts & block, acts) for block in members])
        unit = spend.sum() / len(members)
        exposure[channel] = unit * shares / price
        outside[channel] = np.where(acts, 0.0, path)
        by_period = shares.reshape(len(members), -1, path.shape[-1]).sum(axis=1)[:, periods]
        spends.append(unit * by_period)
        units.append(unit)
        present.append([spend[..., block].sum() / unit for block in members])
    time = fit.data.time[periods]
    return Schedule(
        channels,
        time[::length],
        time,
        np.array(units),
        np.array(present).ravel(),
        np.array(spends),
        exposure,
        outside,
    )


def _shares(spend: np.ndarray, cells: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Return how an amount is spread over the cells of a block; it sums to 1."""
    weight = np.where(cells, spend, 0.0)
    if not weight.sum():
        of_units = np.where(window, spend, 0.0).sum(axis=-1, keepdims=True)
        weight = np.where(cells, of_units, 0.0)
    return weight / weight.sum()


def _require_prices(fit: Fit, channel: Node, free_of_charge: np.ndarray) -> None:
    places = np.flatnonzero(np.atleast_2d(free_of_charge).any(axis=0))
    if len(places):
        raise DataError(
            f"'{channel}' ran without a cost in {len(places)} periods of the window, the first one "
            f"{fit.data.time[places[0]].date()}, so what an amount would buy there is not known. "
            f"Give those periods their spend, hold the channel (fixed=['{channel}']), or leave the "
            "pattern as it is (pattern='kept')."
        )


def largest_amounts(fit: Fit, schedule: Schedule, place: Mapping[str, Any]) -> np.ndarray:
    """Return the amounts at which a period of a block is the largest that was ever seen.

    Neither spend nor exposure of a period, summed over units, goes beyond those of the data.
    """
    rows = []
    for k, channel in enumerate(schedule.channels):
        everything = Estimand(control={channel: 0.0}, outcome=place["outcome"])
        observed = fit.observed
        spent = np.atleast_2d(spend_path(observed.scm, everything)).sum(axis=0).max()
        shown_to = observed.data.array(channel)[..., observed.data.history :]
        largest = np.atleast_2d(shown_to).sum(axis=0).max()
        exposure = schedule.exposure[channel]
        by_period = exposure.reshape(len(exposure), -1, exposure.shape[-1]).sum(axis=1)
        shares = np.maximum(
            schedule.spend[k].max(axis=1) / spent,
            by_period.max(axis=1) / largest,
        )
        rows.append(1 / shares)
    return np.array(rows).ravel()


def schedule_limits(
    schedule: Schedule,
    largest: np.ndarray,
    totals: tuple[np.ndarray, np.ndarray],
    groups: Sequence[Limit],
    period_bounds: Mapping[Node, tuple[float, float]],
    extrapolates: bool,
    kept: np.ndarray | None,
) -> SpendLimits:
    """Return the limits of amounts: each block, and the total of each channel.

    Parameters
    ----------
    schedule : Schedule
    largest : array
        From `largest_amounts`.
    totals : pair of arrays, shape (channel,)
        Least and most that each channel spends, in currency.
    groups : sequence of Limit
        Over channels.
    period_bounds : mapping of channel to (least, most)
        In currency, of every period.
    extrapolates : bool
        Whether a period may be larger than all that were seen.
    kept : array, optional
        Amounts of the best plan that keeps the pattern, which is always among those allowed.
    """
    count, blocks = len(schedule.channels), len(schedule.blocks)
    owner = np.repeat(np.arange(count), blocks)
    spend = schedule.unit[owner]
    low, high = np.zeros(count * blocks), totals[1][owner] / spend
    if not extrapolates:
        high = np.minimum(high, largest if kept is None else np.maximum(largest, kept))
    for channel, (least, most) in period_bounds.items():
        k = list(schedule.channels).index(channel)
        fullest = schedule.spend[k].max(axis=1)
        barest = np.where(schedule.spend[k] > 0, schedule.spend[k], np.inf).min(axis=1)
        low[owner == k] = least / barest
        high[owner == k] = np.minimum(high[owner == k], most / fullest)
    limits = [
        Limit(f"{channel} in total", owner == k, totals[0][k], totals[1][k])
        for k, channel in enumerate(schedule.channels)
    ]
    limits += [Limit(g.name, g.members[owner], g.low, g.high) for g in groups]
    names = [channel for channel in schedule.channels for _ in range(blocks)]
    low = np.maximum(low, FLOOR)
    dates = [str(date.date()) for date in schedule.blocks] * count
    return SpendLimits(names, spend, low, np.maximum(high, FLOOR), largest, limits, dates)


def read_period_bounds(
    bounds: Any, channels: Sequence[Node], held_channels: Iterable[Node] = ()
) -> dict[Node, tuple[float, float]]:
    """Read bounds of every period; those of channels that are held have no effect."""
    if bounds is None:
        return {}
    if not isinstance(bounds, Mapping):
        raise SpecError(
            "period_bounds is a mapping of channel to (least, most) in currency, of every period: "
            f"{{'tv': (0, 5000)}}; got {shown(bounds)}."
        )
    pairs = {
        checks.name("period_bounds", name, [*channels, *held_channels]): bounds_pair(
            f"period_bounds, {name}", pair
        )
        for name, pair in bounds.items()
    }
    return {name: pair for name, pair in pairs.items() if name in channels}


def starts(
    schedule: Schedule, limits: SpendLimits, kept: np.ndarray | None, seed: int
) -> list[np.ndarray]:
    """Return amounts from which a search sets out: S-shaped responses have many hills.

    The best plan of the kept pattern, the present one, even spending, flights in turn (every
    second and every second pair of blocks, channels alternating) and some at random.
    """
    base = schedule.present if kept is None else kept
    even = schedule.matrix(schedule.even(base))
    places = np.arange(len(schedule.blocks)) + np.arange(len(schedule.channels))[:, None]
    flights = [np.where(places // size % 2, 0.0, 2 * even).ravel() for size in (1, 2)]
    random = qmc.Sobol(len(base), seed=seed).random(_RANDOM_STARTS)
    high = np.minimum(limits.high, 2 * even.ravel())
    return [base, schedule.present, even.ravel(), *flights, *(limits.low + high * random)]
