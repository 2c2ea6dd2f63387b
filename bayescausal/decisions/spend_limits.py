"""What an allocation may spend: bounds of channels, of groups of them, and of all together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog

from bayescausal import checks
from bayescausal._types import Node
from bayescausal.errors import SpecError, shown

_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Limit:
    """``low <= sum spend <= high`` over some of the channels that move, in currency."""

    name: str
    members: np.ndarray
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class SpendLimits:
    """The factors that an allocation may choose from, or the amounts of blocks of periods.

    Parameters
    ----------
    channels : sequence of str
        Those that move; that of each amount.
    spend : array
        What each spends at 1, in currency.
    low, high : array
        Bounds of the factors or amounts.
    observed : array
        The factor at which an average running period spends what the largest observed one did; the
        amount at which the largest period of the block does.
    groups : sequence of Limit
    dates : sequence of str
        The block of each amount; none where each channel has one factor.
    """

    channels: Sequence[Node]
    spend: np.ndarray
    low: np.ndarray
    high: np.ndarray
    observed: np.ndarray
    groups: Sequence[Limit]
    dates: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        """What each number is of: a channel, with the date of its block if there are several."""
        if not self.dates:
            return list(self.channels)
        return [f"{c} {date}" for c, date in zip(self.channels, self.dates, strict=True)]

    def by_channel(self, values: np.ndarray) -> dict[Node, float]:
        """Return currency by channel."""
        sums: dict[Node, float] = {}
        for channel, amount in zip(self.channels, self.spend * values, strict=True):
            sums[channel] = sums.get(channel, 0.0) + float(amount)
        return sums

    def total(self, factors: np.ndarray) -> float:
        """Return the spend of a plan."""
        return float(self.spend @ factors)

    @property
    def rows(self) -> list[tuple[str, np.ndarray, float]]:
        """Every linear constraint as a name, a and b of ``a @ factors <= b``, in currency."""
        rows = []
        for limit in self.groups:
            spend = np.where(limit.members, self.spend, 0.0)
            if math.isfinite(limit.high):
                rows.append((f"{limit.name} at most", spend, limit.high))
            if math.isfinite(limit.low):
                rows.append((f"{limit.name} at least", -spend, -limit.low))
        return rows

    def problems(self) -> list[str]:
        """Say what cannot be met: each bound and each limit alone, then those that conflict."""
        words = self._empty_bounds()
        if words:
            return words
        scale = max(1.0, float(self.spend.sum()))
        for limit in self.groups:
            spend = np.where(limit.members, self.spend, 0.0)
            lowest, highest = float(spend @ self.low), float(spend @ self.high)
            if limit.low > limit.high:
                words.append(f"{limit.name}: at least {limit.low:,.6g} is above {limit.high:,.6g}")
            elif limit.high < lowest - _TOLERANCE * scale:
                words.append(
                    f"{limit.name}: at most {limit.high:,.6g}, but the bounds of its channels ask "
                    f"{lowest:,.6g}; raise it, or lower those bounds"
                )
            elif limit.low > highest + _TOLERANCE * scale:
                words.append(
                    f"{limit.name}: at least {limit.low:,.6g}, but the bounds of its channels let "
                    f"{highest:,.6g} be spent; lower it, or widen those bounds"
                )
        return words or self._conflicts()

    def _empty_bounds(self) -> list[str]:
        """Say which bounds have nothing between them; of the blocks of a channel the first."""
        first: dict[Node, str] = {}
        rows = zip(self.names, self.spend, self.low, self.high, self.observed, strict=True)
        for channel, (c, s, a, b, o) in zip(self.channels, rows, strict=True):
            if a > b + _TOLERANCE and channel not in first:
                first[channel] = (
                    f"{c}: between {a * s:,.6g} and {b * s:,.6g} there is nothing ({a:.3g} to "
                    f"{b:.3g} of its {'mean block' if self.dates else 'spend'}, {s:,.6g}); "
                ) + (
                    f"no week was above {o:.3g} of it: allow=['extrapolation'], or lower its bounds"
                    if a > o
                    else "give bounds whose first is the smaller"
                )
        return [*first.values()]

    def _conflicts(self) -> list[str]:
        """Name the limits that give way where all are met as nearly as can be."""
        rows = self.rows
        if not rows:
            return []
        n, m = len(self.spend), len(rows)
        scale = max(1.0, float(self.spend.sum()))
        matrix = np.hstack([np.array([a for _, a, _ in rows]) / scale, -np.eye(m)])
        ceilings = np.array([b for _, _, b in rows]) / scale
        bounds = [*zip(self.low, np.maximum(self.low, self.high), strict=True), *[(0, None)] * m]
        solution = linprog(np.r_[np.zeros(n), np.ones(m)], matrix, ceilings, bounds=bounds)
        slack = solution.x[n:]
        return [
            f"{name} {abs(b):,.6g} is missed by {s * scale:,.6g} when the others hold; relax one"
            for (name, _, b), s in zip(rows, slack, strict=True)
            if s > 1e-8
        ]

    def require_feasible(self) -> None:
        """Raise a SpecError that names everything that cannot be met."""
        if words := self.problems():
            raise SpecError(
                f"No allocation meets all limits. {'. '.join(w[:1].upper() + w[1:] for w in words)}"
                "."
            )

    def feasible(self, point: np.ndarray) -> np.ndarray:
        """Return a plan that meets all limits, near to one that need not."""
        point = np.clip(point, self.low, self.high)
        rows = self.rows
        if all(a @ point <= b for _, a, b in rows):
            return point
        n = len(point)
        # The least change in spend: |f - point| is split into its positive and negative parts.
        cost = np.r_[self.spend, self.spend]
        matrix = np.array([np.r_[a, -a] for _, a, _ in rows])
        slack = np.array([b - a @ point for _, a, b in rows])
        room = [(0, h - p) for h, p in zip(self.high, point, strict=True)]
        room += [(0, p - low) for low, p in zip(self.low, point, strict=True)]
        solution = linprog(cost, matrix, slack, bounds=room)
        return (
            point
            if solution.x is None
            else np.clip(point + solution.x[:n] - solution.x[n:], self.low, self.high)
        )


def factor_bounds(
    channels: Sequence[Node],
    spend: np.ndarray,
    observed: np.ndarray,
    bounds: Any,
    spend_bounds: Any,
    extrapolates: bool,
    held_channels: Iterable[Node] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of the factors: relative, then in currency, cut at what was seen.

    A channel that ``spend_bounds`` names has these alone. Those of channels that are held are
    checked and have no effect.
    """
    all_channels = [*channels, *held_channels]
    low, high = np.full(len(channels), 0.5), np.full(len(channels), 1.5)
    if bounds is not None and not isinstance(bounds, Mapping):
        bounds = dict.fromkeys(channels, bounds)
    for label, mapping, unit in (("bounds", bounds, 1.0), ("spend_bounds", spend_bounds, spend)):
        if mapping is not None and not isinstance(mapping, Mapping):
            raise SpecError(
                f"{label} is a mapping of channel to (least, most); got {shown(mapping)}."
            )
        for name, pair in (mapping or {}).items():
            c = all_channels.index(checks.name(label, name, all_channels))
            ends = bounds_pair(f"{label}, {name}", pair)
            if c < len(channels):
                low[c], high[c] = np.array(ends) / np.broadcast_to(unit, len(channels))[c]
    high = high if extrapolates else np.minimum(high, observed)
    for name in np.array(channels)[~np.isfinite(high)]:
        raise SpecError(f"'{name}' has no upper bound: give its bounds a second number.")
    return low, high


def bounds_pair(label: str, pair: Any) -> tuple[float, float]:
    """Read (least, most) of spend; None is no bound."""
    if isinstance(pair, str) or not isinstance(pair, Iterable) or len(ends := tuple(pair)) != 2:
        raise SpecError(f"{label}: write (least, most), such as (0.8, 1.2); got {shown(pair)}.")
    low, high = (0.0 if ends[0] is None else checks.number(label, ends[0]), ends[1])
    high = math.inf if high is None else checks.number(label, high)
    if low < 0:
        raise SpecError(f"{label}: spend cannot be negative; got {low:g}.")
    return low, high


def group_limits(
    groups: Any, channels: Sequence[Node], held_spends: Mapping[Node, float]
) -> list[Limit]:
    """Read limits of groups; what members that do not move spend is taken off."""
    if groups is None:
        return []
    if not isinstance(groups, Mapping):
        raise SpecError(
            "groups is a mapping of channels to (least, most) in currency: "
            f"{{('tv', 'radio'): (1e6, 2e6)}}; got {shown(groups)}."
        )
    limits = []
    for names, pair in groups.items():
        members = checks.names("groups", names, [*channels, *held_spends])
        low, high = bounds_pair(f"groups, {' + '.join(members)}", pair)
        held_spend = sum(held_spends.get(name, 0.0) for name in members)
        moves = np.isin(list(channels), members)
        limits.append(Limit(" + ".join(members), moves, low - held_spend, high - held_spend))
    return limits
