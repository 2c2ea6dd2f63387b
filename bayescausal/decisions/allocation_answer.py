"""The answer of `optimize`: its table, its gain with uncertainty, and what must be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bayescausal._types import Array, Draws
from bayescausal.decisions.allocation import Allocation
from bayescausal.decisions.allocation_problem import Problem, Request
from bayescausal.decisions.allocation_search import COARSE, MISFIT, Optimum
from bayescausal.decisions.channel_roster import Roster
from bayescausal.decisions.decision import gain_of, payoff_weights
from bayescausal.decisions.objectives import Mean
from bayescausal.decisions.plan_gains import derivative
from bayescausal.decisions.schedule import FLOOR, Schedule
from bayescausal.decisions.spend_limits import SpendLimits
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.model.contrast import scope, spend_path, window_in_words
from bayescausal.model.scm import Equations
from bayescausal.queries.questions import worth_in_words
from bayescausal.queries.worlds import label
from bayescausal.thresholds import CLOSE_OPTIMA, UNEVEN_PRICES

_SCATTER, _SCATTER_OF_MANY, _MANY = 20, 8, 150
"""Draws that are optimized one by one, and fewer where there are many amounts, a second each."""


def allocation_of(
    fit: Fit,
    request: Request,
    problem: Problem,
    optima: Sequence[Optimum],
    kept: np.ndarray | None = None,
) -> Allocation:
    """Return the answer: the best optimum, with what is known of it.

    ``kept`` are the factors of the best plan that keeps the pattern in time, where it is free.
    """
    search, roster, values = problem.search, problem.roster, optima[0].factors
    binding, misfit = search.prices(values)
    solved = misfit <= MISFIT and search.meets(values)
    plan = problem.worth.plan(values, "optimum")
    gain = _gain(fit, roster, plan)
    timing_gain = None
    if kept is not None and problem.schedule is not None:
        same_pattern = problem.schedule.scaled(kept)
        timing_gain = gain - _gain(fit, roster, problem.worth.plan(same_pattern)).to_numpy()
        spend_change = float(search.limits.spend @ (values - same_pattern))
        timing_gain.attrs = {**gain.attrs, "spend_change": spend_change}
    table, regret = _table(problem, values)
    return Allocation(
        plan=plan,
        table=table,
        schedule=_spend_by_period(fit, problem, values),
        gain=gain,
        timing_gain=timing_gain,
        spend_change=float(search.limits.spend @ (values - problem.present)),
        regret=regret,
        binding=tuple(binding),
        statements=tuple(_statements(fit, request, problem, optima, solved)),
        solved=solved,
        title=_title(fit, request, problem, values),
    )


def _gain(fit: Fit, roster: Roster, plan: Estimand) -> Draws:
    """Return draws of the value of what a plan brings more than the present one."""
    weights = payoff_weights(fit, plan, fit.data.value_of_outcome())

    def gain_at(equations: Equations) -> Array:
        return np.broadcast_to(gain_of(equations, plan, weights), (equations.draws,))

    grade = fit.evidence.grade(plan)
    return label(
        fit,
        fit.evaluate(gain_at, only=edges_below(fit.spec, roster.moves)),
        (),
        {},
        "gain",
        grades=grade,
        outcome=plan.outcome,
        value=worth_in_words(fit, str(plan.outcome)),
        window=window_in_words(fit.data, plan),
        rests_on=str(grade),
        tail_truncated=int(scope(fit.scm, plan).truncated),
    )


def _table(problem: Problem, values: np.ndarray) -> tuple[pd.DataFrame, dict[str, float]]:
    search, roster = problem.search, problem.roster
    limits, names = search.limits, [*roster.moves, *roster.held_channels]
    present, spend = limits.by_channel(problem.present), limits.by_channel(values)
    best, regret = _scatter(problem, values)
    ends = np.full((2, len(roster.moves)), np.nan)
    if best is not None:
        spends = [[*limits.by_channel(plan).values()] for plan in best]
        ends = np.quantile(spends, [0.05, 0.95], axis=0)
    weigh = search.objective.weights(search.gains(values) + search.base)
    returns = _returns(problem, values)
    low, high = np.quantile(returns, [0.05, 0.95], axis=0)
    moving = pd.DataFrame(
        {
            "present": present,
            "optimum": spend,
            "factor": {c: spend[c] / present[c] for c in roster.moves},
            "mroas_present": _returns(problem, problem.present).mean(axis=0),
            "mroas": weigh @ returns,
            "mroas_5%": low,
            "mroas_95%": high,
            "scatter_5%": ends[0],
            "scatter_95%": ends[1],
            "low": problem.totals[0],
            "high": problem.totals[1],
            "at": [_binding_bound(problem, values, k) for k in range(len(roster.moves))],
        },
        index=roster.moves,
    )
    table = moving.reindex(names)
    for name, reason in roster.held_channels.items():
        columns = ["present", "optimum", "low", "high"]
        table.loc[name, columns] = roster.spend[name]
        table.loc[name, "factor"] = 1.0
        table.loc[name, "at"] = reason
    table["grade"] = [str(roster.grades[name]) for name in names]
    return table.rename_axis("channel"), regret


def _returns(problem: Problem, values: np.ndarray) -> np.ndarray:
    """Return draws of the marginal return, ``(draw, channel)``: a plan of the same pattern grows.

    Where nothing is spent on the channel all of its values grow alike.
    """
    limits = problem.search.limits
    columns = []
    for channel in problem.roster.moves:
        members = np.array([c == channel for c in limits.channels])
        unit = limits.spend[members][0]  # the same for all blocks of a channel
        columns.append(derivative(problem.worth, values, members) / unit)
    return np.stack(columns, axis=1)


def _binding_bound(problem: Problem, values: np.ndarray, k: int) -> str:
    limits, channel = problem.search.limits, problem.roster.moves[k]
    spend = limits.by_channel(values)[channel]
    low, high = problem.totals[0][k], problem.totals[1][k]
    room = 1e-4 * problem.roster.spend[channel]
    if spend <= low + room:
        return "lower bound"
    members = np.array([c == channel for c in limits.channels])
    largest = (values >= limits.observed - 1e-4) & members
    if problem.schedule is not None:
        if spend >= high - room:
            return "upper bound"
        count = int(largest.sum())
        return "largest week" if count == 1 else f"{count} largest weeks" if count else ""
    if spend < high - room:
        return ""
    return "largest week" if (limits.high >= limits.observed - 1e-12)[k] else "upper bound"


def _scatter(
    problem: Problem, values: np.ndarray
) -> tuple[list[np.ndarray] | None, dict[str, float]]:
    """Return the best plans of some single draws, and the mean loss of not knowing the draw.

    For a target there is none: a draw in which it is out of reach has no least spend.
    """
    search = problem.search
    if search.needed is not None:
        return None, {}
    count = len(search.base)
    singles = _SCATTER if len(values) <= _MANY else _SCATTER_OF_MANY
    chosen = np.linspace(0, count - 1, min(count, singles)).round().astype(int)
    best, losses = [], []
    for index in chosen:
        single = replace(search.thinned(np.array([index])), objective=Mean())
        plans = {"present": problem.present, "optimum": values}
        gains = {name: single.value(plan) for name, plan in plans.items()}
        top = max(
            single.climb(values, precision=COARSE),
            Optimum(values, gains["optimum"]),
            key=lambda o: o.value,
        )
        best.append(top.factors)
        losses.append([top.value - gains[name] for name in plans])
    means = np.mean(losses, axis=0)
    return best, {"present": float(means[0]), "optimum": float(means[1])}


def _spend_by_period(fit: Fit, problem: Problem, values: np.ndarray) -> pd.DataFrame:
    """Return what is spent on each channel in each period: at present, and by the plan."""
    roster = problem.roster
    present, best = {}, {}
    for name in [*roster.moves, *roster.held_channels]:
        question = incremental(name, **roster.place)
        path = np.atleast_2d(spend_path(fit.scm, question)).sum(axis=0)
        acts = np.atleast_2d(scope(fit.scm, question).acts).any(axis=0)
        present[name] = best[name] = pd.Series(path[acts], fit.data.time[acts])
    schedule = problem.schedule
    for k, name in enumerate(roster.moves):
        best[name] = (
            present[name] * values[k]
            if schedule is None
            else pd.Series(schedule.spend_by_period(values)[k], schedule.time)
        )
    tables = [pd.DataFrame({"present": present[c], "optimum": best[c]}) for c in present]
    return pd.concat(tables, keys=[*present], names=["channel", "time"])


def _statements(
    fit: Fit, request: Request, problem: Problem, optima: Sequence[Optimum], solved: bool
) -> list[str]:
    search, roster, values = problem.search, problem.roster, optima[0].factors
    beyond, peaks = _beyond_observed(problem, values, request.extrapolates)
    words = []
    if roster.freed:
        words.append(
            f"ALLOWED: {', '.join(roster.freed)}, whose effect the graph does not identify: priors "
            "set this part of the plan."
        )
    if beyond:
        words.append(f"ALLOWED: extrapolation, {beyond}.")
    if fit.convergence.remark:
        words.append(fit.convergence.remark)
    if fit.misfit:
        words.append(f"ERRORS DO NOT FIT: {fit.misfit}")
    if not solved:
        words.append("NOT SOLVED: the search ended before the conditions of an optimum held.")
    if roster.held_channels:
        words.append(f"Held at their spend: {roster.reasons}.")
    if peaks:
        words.append(peaks)
    words += _local_optima(problem, optima)
    if problem.schedule is not None:
        words += _timing(problem.schedule, values)
    is_truncated = scope(fit.scm, search.gains.plan(values)).truncated
    if is_truncated and (fit.observed is not fit or problem.schedule is not None):
        early = ", which favors early periods" if problem.schedule is not None else ""
        words.append(
            f"What spend brings after the {'data' if fit.observed is fit else 'future'} ends is "
            f"not counted{early}. To count it, "
            + (
                "name an earlier window."
                if fit.observed is fit
                else "add periods to the future and name those of the plan in window=."
            )
        )
    scarce = next((limit for limit in search.limits.groups if limit.name == "budget"), None)
    if scarce and search.limits.total(values) < scarce.high * (1 - 1e-4):
        unspent = scarce.high - search.limits.total(values)
        words.append(f"{unspent:,.0f} of the budget is not spent.")
    return words


def _beyond_observed(problem: Problem, values: np.ndarray, extrapolates: bool) -> tuple[str, str]:
    """Say what goes beyond what was seen because that was allowed, and which single weeks do."""
    limits, roster = problem.search.limits, problem.roster
    is_beyond = values > limits.observed + 1e-6
    beyond = _listing(limits, is_beyond)
    if problem.schedule is None:
        is_peak = values > np.array([roster.peak[c] for c in limits.channels]) + 1e-6
        peaks = _listing(limits, is_peak & ~is_beyond)
        allowed = (
            beyond and f"{beyond}: an average week spends more than the largest one that was seen"
        )
    elif extrapolates:
        allowed, peaks = beyond and f"{beyond}: periods larger than any that was seen", ""
    else:
        allowed, peaks = "", beyond
    return allowed, peaks and (
        f"The largest weeks of {peaks} go beyond the largest one that was seen."
    )


def _listing(limits: SpendLimits, chosen: np.ndarray) -> str:
    """List channels of which a value is chosen, once each."""
    pairs = zip(limits.channels, chosen, strict=True)
    return ", ".join(dict.fromkeys(channel for channel, is_chosen in pairs if is_chosen))


def _local_optima(problem: Problem, optima: Sequence[Optimum]) -> list[str]:
    if len(optima) < 2:
        return []
    low, high = optima[-1].value, optima[0].value
    if problem.schedule is None:
        return [
            f"{len(optima)} local optima were found, of objective {low:,.5g} to {high:,.5g}; this "
            "is the best."
        ]
    present = problem.search.value(problem.present)
    if high - low <= CLOSE_OPTIMA * abs(high - present):
        return []
    return [
        f"{len(optima)} searches ended at objectives of {low:,.5g} to {high:,.5g} (present plan "
        f"{present:,.5g}); this is the best, and a better one may exist."
    ]


def _timing(schedule: Schedule, values: np.ndarray) -> list[str]:
    """Say where dark periods open and running ones close, and that prices differ."""
    now = schedule.spend_by_period(schedule.present) > 0
    then = schedule.spend_by_period(values) > FLOOR * schedule.unit[:, None]
    moves = [
        f"{c} in {then[k].sum()} (now {now[k].sum()})"
        for k, c in enumerate(schedule.channels)
        if (now[k] != then[k]).any()
    ]
    words = [f"Periods with spend, of {len(schedule.time)}: {', '.join(moves)}."] if moves else []
    uneven = [
        channel
        for channel, exposure in schedule.exposure.items()
        if _price_ratio(exposure) > UNEVEN_PRICES
    ]
    if uneven:
        words.append(
            f"The price of {', '.join(uneven)} differs between periods by more than a factor of "
            f"{UNEVEN_PRICES:g}, and the plan buys where it is low: are those to be expected?"
        )
    return words


def _price_ratio(exposure: np.ndarray) -> float:
    """Return the largest over the smallest price of a block."""
    bought = exposure.reshape(len(exposure), -1).sum(axis=1)
    return float(bought.max() / bought.min())


def _title(fit: Fit, request: Request, problem: Problem, values: np.ndarray) -> str:
    search, roster = problem.search, problem.roster
    total = search.limits.total(values) + roster.held_spend
    count = len(roster.moves) + len(roster.held_channels)
    goals = {
        "target_outcome": "the least spend for an outcome of {:,.6g}",
        "target_mroas": "a free budget at a marginal return of {:g}",
        "budget": "a budget of {:,.6g}",
    }
    words = next((goals[k].format(v) for k, v in request.stated.items()), "the present budget")
    if problem.schedule is not None:
        length = len(problem.schedule.time) / len(problem.schedule.blocks)
        words += ", free by " + ("period" if length == 1 else "block of periods")
    window = window_in_words(fit.data, search.gains.plan(values))
    channels = "1 channel" if count == 1 else f"{count} channels"
    return f"Allocation of {total:,.0f} to {channels} in {window}: {words}."
