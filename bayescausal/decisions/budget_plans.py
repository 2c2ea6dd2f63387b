"""Propose ways to spend one budget: a finite, repeatable set of reallocations."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import qmc

from bayescausal import checks
from bayescausal._types import Node
from bayescausal.decisions.channel_roster import paid_channels
from bayescausal.decisions.decision import Decision
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import Estimand, Times, incremental
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import reach, spend_change

_GOLDEN = (math.sqrt(5) - 1) / 2
_PLAN = 4_000
"""Bytes that a plan takes as an Estimand."""


@verb
def budget_plans(
    fit: Fit,
    channels: Sequence[Node] | None = None,
    *,
    shift: float = 0.5,
    mixtures: int = 32,
    total: float | None = None,
    window: tuple[Any, Any] | None = None,
    outcome: Node | None = None,
    value: float | None = None,
) -> Decision:
    """Propose ways to spend one budget: each channel's spend path times a factor, the same total.

    The status quo; for each pair of channels as much as the bounds allow moved from one to the
    other; and ``mixtures`` of all channels, spread evenly and the same in every call. No factor
    leaves ``1 - shift .. 1 + shift``. Timing within the window is not changed.

    Parameters
    ----------
    fit : Fit
    channels : sequence of str, optional
        By default the treatments with a spend that reach the outcome and that no other treatment
        moves. Those named keep the plan's budget; they do not react. One without spend in the
        window is left out, with a warning.
    shift : float
        Largest relative change of a channel, above 0 and up to 1. Responses far from what was
        spent are extrapolation.
    mixtures : int
        How many, 0 or more.
    total : float, optional
        Budget of these channels in the window, in currency; what was spent by default. With
        another total the first plan is the old mix, ``"in proportion"``, and there is no status
        quo to fall back on.
    window : (start, end), optional
        By default the last year whose tail of carry-over the data hold, or the last year; of a
        fit with a future all of its future.
    outcome : str, optional
        Needed when the graph has several.
    value : float, optional
        As in `Decision`.

    Returns
    -------
    Decision

    Raises
    ------
    DataError, SpecError
        Fewer than two channels, one without spend, a total that the bounds do not allow.

    Notes
    -----
    Mixtures are Sobol points (1967), each coordinate turned by a multiple of the golden ratio
    (Cranley and Patterson 1976), so that no point has equal factors.

    Examples
    --------
    >>> import bayescausal as bc
    >>> plans = bc.budget_plans(fit, shift=0.3)  # doctest: +SKIP
    >>> bc.summarize(bc.payoffs(fit, plans))  # doctest: +SKIP
    """
    outcome = outcome or fit.spec.graph.outcome
    names = _channels(fit, channels, outcome)
    shift, (chains, draws) = _bounds(shift), fit.shape
    mixtures = checks.count("mixtures", mixtures)
    checks.affordable("mixtures", mixtures, _PLAN + 3 * 8 * chains * draws)  # of draws, `payoffs`
    place: dict[str, Any] = {"outcome": outcome, "window": window or last_year(fit, names, outcome)}
    names, spend = _running(fit, names, place)
    budget = _budget(total, shift, spend)
    first, base = ("status quo", 1.0) if total is None else ("in proportion", budget / spend.sum())
    plans = {first: np.full(len(names), base)}
    for a, giver in enumerate(names):
        for b, taker in enumerate(names):
            if a != b:
                room = min((base - 1 + shift) * spend[a], (1 + shift - base) * spend[b])
                factors = np.full(len(names), base)
                factors[[a, b]] += np.array([-room, room]) / spend[[a, b]]
                plans[f"{giver} to {taker}"] = factors
    for k, factors in enumerate(_mixtures(mixtures, shift, base, spend)):
        plans[f"mix {k + 1}"] = factors
    worlds = [
        Estimand(dict(zip(names, map(Times, f), strict=True)), name=name, **place)
        for name, f in plans.items()
    ]
    return Decision(worlds, value)


def _channels(fit: Fit, channels: Sequence[Node] | None, outcome: Node) -> list[Node]:
    names = paid_channels(fit, channels, outcome)
    if len(names) < 2:
        listed = ", ".join(names) or f"none that reaches '{outcome}'"
        known = ", ".join(sorted(fit.data.spend)) or "none"
        raise DataError(
            f"A budget is moved between two channels or more; there is {listed}. Channels with a "
            f"spend: {known}. Name them in channels=, or give "
            "Dataset.from_frame(spend=...); for one channel write Decision([...]) with plans of "
            "different spend."
        )
    return names


def _bounds(shift: float) -> float:
    size = checks.number("shift", shift)
    if not 0 < size <= 1:
        raise SpecError(
            f"shift is the largest relative change of a channel, above 0 and up to 1; got "
            f"{shift!r}. 0.5 lets each channel have half to one and a half times its spend."
        )
    return size


def _budget(total: float | None, shift: float, spend: np.ndarray) -> float:
    current = float(spend.sum())
    if total is None:
        return current
    budget = checks.number("total", total)
    low, high = (1 - shift) * current, (1 + shift) * current
    if budget <= 0 or not low < budget < high:
        raise SpecError(
            f"total={budget:g} cannot be spent: with shift={shift:g} the budget lies between "
            f"{low:g} and {high:g}; {current:g} was spent in the window. Give another total, or a "
            "larger shift."
        )
    return budget


def _running(fit: Fit, names: list[Node], place: dict[str, Any]) -> tuple[list[Node], np.ndarray]:
    """Return the channels with spend in the window, which a factor can change, and their spend."""
    spend = {}
    for name in names:
        removal = incremental(name, **place)
        fit.spec.check_estimand(removal)
        spend[name] = spend_change(fit.scm, removal)
    running = [name for name in names if spend[name] > 0]
    paused = [name for name in names if spend[name] <= 0]
    if len(running) < 2:
        raise DataError(
            f"Of {', '.join(names)} {len(running)} {'has' if len(running) == 1 else 'have'} spend "
            "in the window, and a budget is moved between two channels or more. Give another "
            "window=, or name other channels=."
        )
    if paused:
        warnings.warn(
            f"No spend in the window, so left out of the plans: {', '.join(paused)}. A factor of "
            "nothing is nothing; give another window= to plan with them.",
            stacklevel=3,
        )
    return running, np.array([spend[name] for name in running])


def last_year(fit: Fit, names: list[Node], outcome: Node) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the last year of the data whose tail of carry-over they hold, or the last year.

    Of a fit with a future it is all of the future.
    """
    time = fit.data.training
    if ahead := len(fit.data.time) - len(fit.observed.data.time):
        return time[-ahead], time[-1]
    step = (time[-1] - time[0]).days / max(1, len(time) - 1)
    year = max(1, round(365.25 / step)) if step else 1
    tail = reach(fit.scm, incremental(names, outcome=outcome))
    last = len(time) - 1 - (tail if tail + year <= len(time) else 0)
    return time[max(0, last - year + 1)], time[last]


def _mixtures(count: int, shift: float, base: float, spend: np.ndarray) -> np.ndarray:
    """Return factors scaled to the total, and mirrored at the bounds where they leave them."""
    if not count:
        return np.empty((0, len(spend)))
    sampler = qmc.Sobol(len(spend), scramble=False)
    points = sampler.random_base2(math.ceil(math.log2(count)))[:count]  # it asks for powers of two
    turned = (points + _GOLDEN * np.arange(len(spend))) % 1
    factors = 1 - shift + 2 * shift * turned
    move = factors * base * spend.sum() / (factors @ spend)[:, None] - base
    room = np.where(move > 0, 1 + shift - base, base - 1 + shift)
    excess = np.max(np.abs(move) / room, axis=1, keepdims=True)
    # Over the square: e times the bound becomes 1/e of it, so that plans do not pile up there.
    return base + move * np.where(excess > 1, 1 / np.maximum(excess, 1.0) ** 2, 1.0)
