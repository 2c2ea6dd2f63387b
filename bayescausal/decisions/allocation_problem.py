"""The problem that an allocation solves: what is chosen, within which limits, to bring what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayescausal import checks
from bayescausal.decisions.allocation_search import Optimum, Search
from bayescausal.decisions.channel_roster import Roster
from bayescausal.decisions.decision import payoff_weights
from bayescausal.decisions.objectives import Objective
from bayescausal.decisions.plan_gains import Gains, PlanGains, ScheduleGains
from bayescausal.decisions.schedule import (
    FLOOR,
    Schedule,
    largest_amounts,
    read_period_bounds,
    schedule_limits,
    schedule_of,
    starts,
)
from bayescausal.decisions.spend_limits import Limit, SpendLimits, factor_bounds, group_limits
from bayescausal.errors import SpecError
from bayescausal.experiments.estimand import Estimand, Times
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.model.contrast import scope

_BYTES = 1e9
_REVERSE = 3
"""Arrays that reverse mode keeps, as a multiple of those of one evaluation."""


@dataclass(frozen=True, eq=False)
class Request:
    """What was asked: limits as they were written, the goal, and the work to be done."""

    bounds: Any
    spend_bounds: Any
    period_bounds: Any
    groups: Any
    extrapolates: bool
    stated: Mapping[str, float]
    objective: Objective
    draws: int

    @property
    def target(self) -> float | None:
        """The outcome that is to be reached with the least spend."""
        return self.stated.get("target_outcome")


@dataclass(frozen=True, eq=False)
class Problem:
    """A search over factors or amounts, and the gain in value that is reported.

    Parameters
    ----------
    roster : Roster
    search : Search
    worth : Gains
        As those of the search, in currency; the same where no target outcome is set.
    reached : float
        The outcome of the present plan, summed over what is counted.
    present : array
        The present plan.
    totals : pair of arrays, shape (channel,)
        Least and most that each channel may spend, in currency.
    schedule : Schedule, optional
        With it amounts of blocks are chosen; else a factor for each channel.
    kept : array, optional
        The best amounts that keep the pattern in time.
    """

    roster: Roster
    search: Search
    worth: Gains
    reached: float
    present: np.ndarray
    totals: tuple[np.ndarray, np.ndarray]
    schedule: Schedule | None = None
    kept: np.ndarray | None = None

    def optima(self, seed: int) -> list[Optimum]:
        """Return the local optima that the search finds, the best first."""
        if self.schedule is None:
            return self.search.optima(seed)
        schedule, limits = self.schedule, self.search.limits
        points = starts(schedule, limits, self.kept, seed)
        reached = self.search.optima(seed, points)
        optima = [self._settled(optimum.factors) for optimum in reached]
        if self.kept is not None and self.search.meets(self.kept):
            # the floor takes a little from the plan that a search starts from
            same = Optimum(self.kept, self.search.value(self.kept))
            optima = [same, *optima] if same.value > optima[0].value else optima
        return optima

    def _settled(self, amounts: np.ndarray) -> Optimum:
        settled = self.schedule.settled(amounts) if self.schedule else amounts
        return Optimum(settled, self.search.value(settled))

    def toward(self, target: float, seed: int) -> tuple[Problem | None, float]:
        """Return the problem of the least spend that reaches a target, and the most in reach.

        There is none where the target is out of reach.
        """
        search = self.search
        bring = search.objective.value(search.base)
        furthest = search.brings(self.optima(seed)[0].factors)
        needed = bring + target - self.reached
        most = self.reached + furthest - bring
        if furthest < needed:
            return None, most
        return replace(self, search=replace(search, needed=needed)), most


def kept_problem(fit: Fit, roster: Roster, request: Request) -> Problem:
    """Return the problem of a factor for each channel; its limits need not be feasible."""
    spend = np.array([roster.spend[name] for name in roster.moves])
    observed = np.array([roster.observed[name] for name in roster.moves])
    low, high = _factor_bounds(roster, request, observed)
    limits = SpendLimits(roster.moves, spend, low, high, observed, _limits(roster, request))
    present = np.ones(len(spend))
    worth = _worth(fit, roster, request.draws)
    gains = _in_units(worth) if request.target is not None else worth
    search, reached = _search(fit, request, gains, limits, roster)
    return Problem(roster, search, worth, reached, present, (low * spend, high * spend))


def free_problem(
    fit: Fit,
    roster: Roster,
    request: Request,
    length: int,
    kept_factors: np.ndarray | None,
) -> Problem:
    """Return the problem of an amount for each channel and block of periods.

    Limits that no amounts meet are named, those of whole channels first.
    """
    schedule = schedule_of(fit, roster.moves, roster.place, length)
    largest = largest_amounts(fit, schedule, roster.place)
    spend = np.array([roster.spend[name] for name in roster.moves])
    kept = None if kept_factors is None else schedule.scaled(kept_factors)
    most = schedule.matrix(largest if kept is None else np.maximum(largest, kept))
    most_factors = most.sum(axis=1) * schedule.unit / spend
    low, high = _factor_bounds(roster, request, most_factors)
    groups, totals = _limits(roster, request), (low * spend, high * spend)
    SpendLimits(roster.moves, spend, low, high, most_factors, groups).require_feasible()
    limits = schedule_limits(
        schedule,
        largest,
        totals,
        groups,
        read_period_bounds(request.period_bounds, roster.moves, roster.held_channels),
        request.extrapolates,
        kept,
    )
    limits.require_feasible()
    if kept is not None and not _within(limits, kept):
        kept = None
    plans = _worth(fit, roster, request.draws, _REVERSE)
    worth = gains = ScheduleGains.of(plans, schedule)
    if request.target is not None:
        gains = ScheduleGains.of(_in_units(plans), schedule)
    search, reached = _search(fit, request, gains, limits, roster)
    return Problem(
        roster,
        search,
        worth,
        reached,
        schedule.present,
        totals,
        schedule,
        kept,
    )


def _within(limits: SpendLimits, amounts: np.ndarray) -> bool:
    """Whether every amount is within its bounds; one at the floor of the search is nothing."""
    is_low = amounts < limits.low - 2 * FLOOR
    return not (is_low | (amounts > limits.high + 1e-9)).any()


def _factor_bounds(
    roster: Roster, request: Request, observed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    spend = np.array([roster.spend[name] for name in roster.moves])
    return factor_bounds(
        roster.moves,
        spend,
        observed,
        request.bounds,
        request.spend_bounds,
        request.extrapolates,
        roster.held_channels,
    )


def _limits(roster: Roster, request: Request) -> list[Limit]:
    """Return the limits of groups and of the budget, over the channels that move."""
    stated = request.stated
    held_spends = {name: roster.spend[name] for name in roster.held_channels}
    limits = group_limits(request.groups, roster.moves, held_spends)
    if "target_outcome" in stated or "target_mroas" in stated:
        return limits
    present = sum(roster.spend[name] for name in roster.moves) + roster.held_spend
    budget = stated.get("budget", present)
    movable_budget = budget - roster.held_spend
    if movable_budget < 0:
        raise SpecError(
            f"budget={budget:,.6g} is less than what the channels spend that do not move, "
            f"{roster.held_spend:,.6g} ({', '.join(roster.held_channels)}). Raise it, or free "
            "them."
        )
    everyone = np.ones(len(roster.moves), bool)
    return [Limit("budget", everyone, -np.inf, movable_budget), *limits]


def _worth(fit: Fit, roster: Roster, draws: int, arrays: int = 1) -> PlanGains:
    """Return the gains of plans in some draws, as many as fit into memory so many times."""
    chains, length = fit.shape
    cells = fit.data.cells
    edges = edges_below(fit.spec, roster.moves)
    room = max(1, int(_BYTES / (arrays * 8 * cells * (4 * len(edges) + 6))))
    count = min(checks.count("optimize: draws", draws, 1), chains * length, room)
    indices = np.linspace(0, chains * length - 1, count).round().astype(int)
    present = Estimand({c: Times(1.0) for c in roster.moves}, **roster.place)
    weights = payoff_weights(fit, present, fit.data.value_of_outcome())
    return PlanGains.of_fit(fit, roster.moves, roster.place, weights, indices)


def _in_units(gains: PlanGains) -> PlanGains:
    """Return the gains in units of the outcome."""
    return replace(gains, weights={gains.place["outcome"]: np.ones(1)})


def _search(
    fit: Fit, request: Request, gains: Gains, limits: SpendLimits, roster: Roster
) -> tuple[Search, float]:
    """Return the search, and the outcome that the present plan reaches."""
    present = Estimand({c: Times(1.0) for c in roster.moves}, **roster.place)
    counts = scope(fit.scm, present).counts
    reached = float(np.where(counts, fit.scm.factual[roster.place["outcome"]], 0.0).sum())
    base = -gains(np.zeros(len(limits.spend)))
    price = request.stated.get("target_mroas", 0.0)
    return Search(gains, base, request.objective, limits, price), reached
