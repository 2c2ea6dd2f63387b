"""`optimize`: the best spend of each channel, by the posterior of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._types import Array, Node
from bayescausal.decisions.allocation import Allocation
from bayescausal.decisions.allocation_search import COARSE, MISFIT, Optimum, Search
from bayescausal.decisions.budget_plans import last_year
from bayescausal.decisions.channel_roster import Roster, allocated_channels, roster_of
from bayescausal.decisions.decision import gain_of, payoff_weights
from bayescausal.decisions.objectives import Mean, Objective, as_objective
from bayescausal.decisions.plan_gains import PlanGains
from bayescausal.decisions.spend_limits import Limit, SpendLimits, factor_bounds, group_limits
from bayescausal.errors import SpecError
from bayescausal.experiments.estimand import Estimand, Times
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import scope, window_in_words
from bayescausal.model.scm import Equations
from bayescausal.queries.questions import worth_in_words
from bayescausal.queries.worlds import label

_SCATTER = 20
_BYTES = 1e9
EXTRAPOLATION = "extrapolation"


@verb
def optimize(
    fit: Fit,
    *,
    budget: float | None = None,
    target_outcome: float | None = None,
    target_mroas: float | None = None,
    channels: Sequence[Node] | None = None,
    bounds: Any = None,
    spend_bounds: Mapping[Node, tuple[float | None, float | None]] | None = None,
    groups: Mapping[tuple[Node, ...], tuple[float | None, float | None]] | None = None,
    fixed: Sequence[Node] = (),
    window: tuple[Any, Any] | None = None,
    outcome: Node | None = None,
    objective: str | Objective = "mean",
    draws: int = 500,
    seed: int = 0,
    allow: Sequence[str] = (),
) -> Allocation:
    """Allocate spend to channels: each one's spend path times a factor, all factors at once.

        max_f  objective( sum value (Y_f - Y_0) )   subject to   sum spend f <= budget

    The effect is the total one, through mediators that react and with carry-over, of all channels
    together: it need not be a sum over channels. The timing within the window is not changed.
    A window of the data stands for the time to come; `extend` adds the time to come itself.

    Parameters
    ----------
    fit : Fit
    budget : float, optional
        At most this is spent by all channels in the window, in currency; what was spent, by
        default. What channels spend that do not move is part of it.
    target_outcome : float, optional
        Instead of a budget: the outcome, summed over the window and its tail, that the least
        spend is to reach.
    target_mroas : float, optional
        Instead of a budget: the return that the last unit spent must bring, so the budget is free.
        With 1 and the value of the outcome in currency the profit is largest.
    channels : sequence of str, optional
        By default the treatments with a spend that reach the outcome and that no other treatment
        moves. Those named keep the plan's spend; they do not react.
    bounds : (least, most) or mapping of channel to it, optional
        Factors of the present spend, (0.5, 1.5) by default.
    spend_bounds : mapping of channel to (least, most), optional
        The same in currency; of a channel named here only these count. None is no bound.
    groups : mapping of channels to (least, most), optional
        What several channels spend together, in currency: ``{("tv", "radio"): (1e6, None)}``.
    fixed : sequence of str
        Channels that keep their spend.
    window : (start, end), optional
        By default the last year whose tail of carry-over the data hold, or the last year; of a
        fit with a future (`extend`) all of its future.
    outcome : str, optional
        Needed when the graph has several.
    objective : "mean", Quantile, CVaR or MeanLessSD
        Of what the channels that move bring, compared with no spend on them.
    draws : int
        How many draws are searched on; the gain is of all draws.
    seed : int
        Of the starts of the search.
    allow : sequence of str
        Channels whose effect is not identified, which else keep their spend; and
        ``"extrapolation"``, spend at which an average running week is above the largest week.

    Returns
    -------
    Allocation

    Raises
    ------
    SpecError, DataError
        Limits that nothing meets, each named; a target out of reach; no channel that can move.

    Notes
    -----
    Sequential quadratic programs from several starts, as responses may be S-shaped, on a gradient
    by differences in which only the curve of the channel that is changed is evaluated again.
    Source: Kraft (1988), A software package for sequential quadratic programming.

    Examples
    --------
    >>> import bayescausal as bc
    >>> best = bc.optimize(fit, bounds=(0.7, 1.3))  # doctest: +SKIP
    >>> best.to_frame()  # doctest: +SKIP
    """
    outcome = outcome or fit.spec.graph.outcome
    modes = {"budget": budget, "target_outcome": target_outcome, "target_mroas": target_mroas}
    stated = {k: checks.number(f"optimize: {k}", v) for k, v in modes.items() if v is not None}
    if len(stated) > 1:
        raise SpecError(f"Give one of {', '.join(modes)}; got {' and '.join(stated)}.")
    for name in {"budget", "target_mroas"} & set(stated):
        if stated[name] <= 0:
            raise SpecError(f"{name} is above zero; got {stated[name]:g}.")
    allowed = checks.names("optimize: allow", allow)
    names = allocated_channels(fit, channels, outcome)
    unknown = [a for a in allowed if a not in (*names, EXTRAPOLATION)]
    if unknown:
        checks.name("optimize: allow", unknown[0], [*names, EXTRAPOLATION])
    place = {"outcome": outcome, "window": window or last_year(fit, names, outcome)}
    roster = roster_of(fit, names, place, checks.names("optimize: fixed", fixed, names), allowed)
    limits = _limits(roster, bounds, spend_bounds, groups, EXTRAPOLATION in allowed, stated)
    problem = _problem(fit, roster, limits, place, as_objective(objective), draws, stated)
    return _allocation(fit, roster, problem, seed, stated)


@dataclass(frozen=True, eq=False)
class _Problem:
    """The search, and the gain in value that is reported, on the same draws."""

    search: Search
    worth: PlanGains
    reached: float
    """The outcome of the present plan, summed over what is counted."""


def _limits(
    roster: Roster,
    bounds: Any,
    spend_bounds: Any,
    groups: Any,
    extrapolates: bool,
    stated: Mapping[str, float],
) -> SpendLimits:
    spend = np.array([roster.spend[name] for name in roster.moves])
    observed = np.array([roster.observed[name] for name in roster.moves])
    low, high = factor_bounds(
        roster.moves, spend, observed, bounds, spend_bounds, extrapolates, roster.held_channels
    )
    held_spends = {name: roster.spend[name] for name in roster.held_channels}
    limits = group_limits(groups, roster.moves, held_spends)
    if "target_outcome" not in stated and "target_mroas" not in stated:
        budget = stated.get("budget", float(spend.sum()) + roster.held_spend)
        movable_budget = budget - roster.held_spend
        if movable_budget < 0:
            raise SpecError(
                f"budget={budget:,.6g} is less than what the channels spend that do not move, "
                f"{roster.held_spend:,.6g} ({', '.join(roster.held_channels)}). Raise it, or free "
                "them."
            )
        everyone = np.ones(len(spend), bool)
        limits = [Limit("budget", everyone, -np.inf, movable_budget), *limits]
    result = SpendLimits(roster.moves, spend, low, high, observed, limits)
    result.require_feasible()
    return result


def _problem(
    fit: Fit,
    roster: Roster,
    limits: SpendLimits,
    place: dict[str, Any],
    objective: Objective,
    draws: int,
    stated: Mapping[str, float],
) -> _Problem:
    chains, length = fit.shape
    cells = max(1, len(fit.data.units)) * len(fit.data.time)
    edges = edges_below(fit.spec, roster.moves)
    room = max(1, int(_BYTES / (8 * cells * (4 * len(edges) + 6))))
    count = min(checks.count("optimize: draws", draws, 1), chains * length, room)
    indices = np.linspace(0, chains * length - 1, count).round().astype(int)
    present = Estimand({c: Times(1.0) for c in roster.moves}, **place)
    weights = payoff_weights(fit, present, fit.data.value_of_outcome())
    worth = PlanGains.of_fit(fit, roster.moves, place, weights, indices)
    units = replace(worth, weights={place["outcome"]: np.ones(1)})
    gains = units if "target_outcome" in stated else worth
    counts = scope(fit.scm, present).counts
    reached = float(np.where(counts, fit.scm.factual[place["outcome"]], 0.0).sum())
    base = -gains(np.zeros(len(roster.moves)))
    search = Search(gains, base, objective, limits, stated.get("target_mroas", 0.0))
    return _Problem(search, worth, reached)


def _allocation(
    fit: Fit, roster: Roster, problem: _Problem, seed: int, stated: Mapping[str, float]
) -> Allocation:
    search = problem.search
    if "target_outcome" in stated:
        search = _toward(problem, stated["target_outcome"], seed)
    optima = search.optima(seed)
    factors = optima[0].factors
    binding, misfit = search.prices(factors)
    solved = misfit <= MISFIT and search.meets(factors)
    plan = problem.worth.plan(factors, "optimum")
    weights = problem.worth.weights

    def gain_at(equations: Equations) -> Array:
        return np.broadcast_to(gain_of(equations, plan, weights), (equations.draws,))

    grade = fit.evidence.grade(plan)
    gain = label(
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
    table, regret = _table(roster, problem, search, factors)
    return Allocation(
        plan=plan,
        table=table,
        gain=gain,
        spend_change=float(search.limits.spend @ (factors - 1)),
        regret=regret,
        binding=tuple(binding),
        statements=tuple(_statements(fit, roster, search, optima, solved)),
        solved=solved,
        title=_title(fit, roster, search, factors, stated),
    )


def _toward(problem: _Problem, target: float, seed: int) -> Search:
    """Return the search for the least spend that reaches a target, when there is one."""
    search = problem.search
    bring = search.objective.value(search.base)
    furthest = search.optima(seed)[0]
    furthest_outcome = problem.reached + search.brings(furthest.factors) - bring
    needed = bring + target - problem.reached
    if search.brings(furthest.factors) < needed:
        raise SpecError(
            f"target_outcome={target:,.6g} is out of reach: within the bounds the most is "
            f"{furthest_outcome:,.6g}, and it was {problem.reached:,.6g}. Ask for less, widen "
            "bounds= or groups=, or free channels."
        )
    return replace(search, needed=needed)


def _table(
    roster: Roster, problem: _Problem, search: Search, factors: np.ndarray
) -> tuple[pd.DataFrame, dict[str, float]]:
    limits, names = search.limits, [*roster.moves, *roster.held_channels]
    best, regret = _scatter(search, factors)
    n = len(roster.moves)
    weigh = search.objective.weights(search.gains(factors) + search.base)
    returns = problem.worth.gradient(factors, central=True) / limits.spend
    present_returns = problem.worth.gradient(np.ones(n), central=True) / limits.spend
    low, high = np.quantile(returns, [0.05, 0.95], axis=0)
    ends = np.full((2, n), np.nan) if best is None else np.quantile(best, [0.05, 0.95], axis=0)
    moving = pd.DataFrame(
        {
            "present": limits.spend,
            "optimum": limits.spend * factors,
            "factor": factors,
            "mroas_present": present_returns.mean(axis=0),
            "mroas": weigh @ returns,
            "mroas_5%": low,
            "mroas_95%": high,
            "scatter_5%": limits.spend * ends[0],
            "scatter_95%": limits.spend * ends[1],
            "low": limits.spend * limits.low,
            "high": limits.spend * limits.high,
            "at": [_binding_bound(limits, c, f) for c, f in enumerate(factors)],
        },
        index=roster.moves,
    )
    table = moving.reindex(names)
    for name, reason in roster.held_channels.items():
        spend = roster.spend[name]
        columns = ["present", "optimum", "low", "high"]
        table.loc[name, columns] = spend
        table.loc[name, "factor"] = 1.0
        table.loc[name, "at"] = reason
    table["grade"] = [str(roster.grades[name]) for name in names]
    return table.rename_axis("channel"), regret


def _binding_bound(limits: SpendLimits, c: int, factor: float) -> str:
    if factor <= limits.low[c] + 1e-4:
        return "lower bound"
    if factor < limits.high[c] - 1e-4:
        return ""
    return "largest week" if limits.high[c] >= limits.observed[c] - 1e-12 else "upper bound"


def _scatter(search: Search, factors: np.ndarray) -> tuple[np.ndarray | None, dict[str, float]]:
    """Return the best factors of some single draws, and the mean loss of not knowing the draw.

    For a target there is none: a draw in which it is out of reach has no least spend.
    """
    if search.needed is not None:
        return None, {}
    count = len(search.base)
    chosen = np.linspace(0, count - 1, min(count, _SCATTER)).round().astype(int)
    best, losses = [], []
    for index in chosen:
        single = replace(search.thinned(np.array([index])), objective=Mean())
        plans = {"present": np.ones(len(factors)), "optimum": factors}
        values = {name: single.value(f) for name, f in plans.items()}
        top = max(
            single.climb(factors, precision=COARSE),
            Optimum(factors, values["optimum"]),
            key=lambda o: o.value,
        )
        best.append(top.factors)
        losses.append([top.value - values[name] for name in plans])
    means = np.mean(losses, axis=0)
    return np.array(best), {"present": float(means[0]), "optimum": float(means[1])}


def _statements(
    fit: Fit, roster: Roster, search: Search, optima: Sequence[Optimum], solved: bool
) -> list[str]:
    limits, words = search.limits, []
    factors = optima[0].factors
    if roster.freed:
        words.append(
            f"ALLOWED: {', '.join(roster.freed)}, whose effect the graph does not identify: priors "
            "set this part of the plan."
        )
    extrapolated = [
        c for c, f in zip(limits.channels, factors, strict=True) if f > roster.observed[c]
    ]
    if extrapolated:
        words.append(
            f"ALLOWED: extrapolation, {', '.join(extrapolated)}: an average week spends more than "
            "the largest one that was seen."
        )
    if not fit.convergence.converged:
        words.append(str(fit.convergence))
    if fit.misfit:
        words.append(f"ERRORS DO NOT FIT: {fit.misfit}")
    if not solved:
        words.append("NOT SOLVED: the search ended before the conditions of an optimum held.")
    if roster.held_channels:
        words.append(f"Held at their spend: {roster.reasons}.")
    peaks = [
        c
        for c, f in zip(limits.channels, factors, strict=True)
        if f > roster.peak[c] + 1e-6 and f <= roster.observed[c]
    ]
    if peaks:
        words.append(
            f"The largest weeks of {', '.join(peaks)} go beyond the largest one that was seen."
        )
    if len(optima) > 1:
        low, high = optima[-1].value, optima[0].value
        words.append(
            f"{len(optima)} local optima were found, of objective {low:,.5g} to {high:,.5g}; this "
            "is the best."
        )
    if fit.observed is not fit and scope(fit.scm, search.gains.plan(factors)).truncated:
        words.append(
            "What spend brings after the future ends is not counted. To count it, add periods to "
            "the future and name those of the plan in window=."
        )
    scarce = next((limit for limit in limits.groups if limit.name == "budget"), None)
    if scarce and limits.total(factors) < scarce.high * (1 - 1e-4):
        words.append(f"{scarce.high - limits.total(factors):,.0f} of the budget is not spent.")
    return words


def _title(
    fit: Fit,
    roster: Roster,
    search: Search,
    factors: np.ndarray,
    stated: Mapping[str, float],
) -> str:
    total = search.limits.total(factors) + roster.held_spend
    count = len(roster.moves) + len(roster.held_channels)
    goals = {
        "target_outcome": "the least spend for an outcome of {:,.6g}",
        "target_mroas": "a free budget at a marginal return of {:g}",
        "budget": "a budget of {:,.6g}",
    }
    words = next((goals[k].format(v) for k, v in stated.items()), "the present budget")
    window = window_in_words(fit.data, search.gains.plan(factors))
    channels = "1 channel" if count == 1 else f"{count} channels"
    return f"Allocation of {total:,.0f} to {channels} in {window}: {words}."
