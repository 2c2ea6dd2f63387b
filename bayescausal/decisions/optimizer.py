"""`optimize`: the best spend of each channel, by the posterior of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from bayescausal import checks
from bayescausal._types import Node
from bayescausal.decisions.allocation import Allocation
from bayescausal.decisions.allocation_answer import allocation_of
from bayescausal.decisions.allocation_problem import Problem, Request, free_problem, kept_problem
from bayescausal.decisions.allocation_search import Optimum
from bayescausal.decisions.budget_plans import last_year
from bayescausal.decisions.channel_roster import allocated_channels, roster_of
from bayescausal.decisions.objectives import Objective, as_objective
from bayescausal.decisions.schedule import block_length
from bayescausal.errors import SpecError
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb

EXTRAPOLATION = "extrapolation"


@verb
def optimize(
    fit: Fit,
    *,
    budget: float | None = None,
    target_outcome: float | None = None,
    target_mroas: float | None = None,
    channels: Sequence[Node] | None = None,
    pattern: Literal["kept", "free"] | int = "kept",
    bounds: Any = None,
    spend_bounds: Mapping[Node, tuple[float | None, float | None]] | None = None,
    period_bounds: Mapping[Node, tuple[float | None, float | None]] | None = None,
    groups: Mapping[tuple[Node, ...], tuple[float | None, float | None]] | None = None,
    fixed: Sequence[Node] = (),
    window: tuple[Any, Any] | None = None,
    outcome: Node | None = None,
    objective: str | Objective = "mean",
    draws: int = 500,
    seed: int = 0,
    allow: Sequence[str] = (),
) -> Allocation:
    """Allocate spend to channels: a factor for each one's spend path, or an amount by period.

        max_f  objective( sum value (Y_f - Y_0) )   subject to   sum spend f <= budget

    The effect is the total one, through mediators that react and with carry-over, of all channels
    together: it need not be a sum over channels. A window of the data stands for the time to come;
    `extend` adds the time to come itself.

    With ``pattern="free"`` the amount of each channel in each period is chosen, so that dark weeks
    can open. What that gains rests on curves, carry-over and the prices of periods alone (under a
    log link also on the level of the outcome): no model here knows weeks in which a channel works
    better than its curve says. It is the best of several searches, not proven to be best of all.

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
    pattern : {"kept", "free"} or int
        ``"kept"``: one factor a channel, its timing within the window stays. ``"free"``: an amount
        for each period. A number of periods, such as 4, that share one amount, which is spread
        over them as the present spend is, evenly where there is none. An amount buys exposure at
        the price of its period, where nothing ran at the mean price of the data.
    bounds : (least, most) or mapping of channel to it, optional
        Factors of the present spend in the whole window, (0.5, 1.5) by default.
    spend_bounds : mapping of channel to (least, most), optional
        The same in currency; of a channel named here only these count. None is no bound.
    period_bounds : mapping of channel to (least, most), optional
        Of a free pattern: what a channel may spend in each period, in currency. By default from
        nothing to the largest period that was ever seen, by spend and by exposure, or to what the
        best plan of the kept pattern spends then.
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
        ``"extrapolation"``, spend at which an average running week is above the largest week, or
        of a free pattern any week.

    Returns
    -------
    Allocation

    Raises
    ------
    SpecError, DataError
        Limits that nothing meets, each named; a target out of reach; no channel that can move.

    Notes
    -----
    Sequential quadratic programs from several starts, as responses may be S-shaped. The gradient
    by factors is one of differences, in which only the curve of the channel that is changed is
    evaluated again; the gradient by amounts is that of the same equations in reverse mode.
    Source: Kraft (1988), A software package for sequential quadratic programming.

    Examples
    --------
    >>> import bayescausal as bc
    >>> best = bc.optimize(fit, bounds=(0.7, 1.3))  # doctest: +SKIP
    >>> best.to_frame()  # doctest: +SKIP
    >>> bc.optimize(fit, pattern="free").schedule  # doctest: +SKIP
    """
    outcome = outcome or fit.spec.graph.outcome
    modes = {"budget": budget, "target_outcome": target_outcome, "target_mroas": target_mroas}
    stated = {k: checks.number(f"optimize: {k}", v) for k, v in modes.items() if v is not None}
    if len(stated) > 1:
        raise SpecError(f"Give one of {', '.join(modes)}; got {' and '.join(stated)}.")
    for name in {"budget", "target_mroas"} & set(stated):
        if stated[name] <= 0:
            raise SpecError(f"{name} is above zero; got {stated[name]:g}.")
    length = block_length(pattern)
    if period_bounds is not None and length is None:
        raise SpecError(
            "period_bounds are of a pattern that is free: write pattern='free', or a number of "
            "periods that share one amount. bounds= and spend_bounds= are of the whole window."
        )
    allowed = checks.names("optimize: allow", allow)
    names = allocated_channels(fit, channels, outcome)
    unknown = [a for a in allowed if a not in (*names, EXTRAPOLATION)]
    if unknown:
        checks.name("optimize: allow", unknown[0], [*names, EXTRAPOLATION])
    place = {"outcome": outcome, "window": window or last_year(fit, names, outcome)}
    roster = roster_of(fit, names, place, checks.names("optimize: fixed", fixed, names), allowed)
    request = Request(
        bounds,
        spend_bounds,
        period_bounds,
        groups,
        EXTRAPOLATION in allowed,
        stated,
        as_objective(objective),
        draws,
    )
    kept = kept_problem(fit, roster, request)
    if length is not None:
        return _free_allocation(fit, request, kept, length, seed)
    kept.search.limits.require_feasible()
    return allocation_of(fit, request, *_solved(kept, request, seed))


def _solved(problem: Problem, request: Request, seed: int) -> tuple[Problem, list[Optimum]]:
    """Search for the best plan, or for the least spend that reaches the target."""
    if request.target is not None:
        aimed, most = problem.toward(request.target, seed)
        if aimed is None:
            raise SpecError(
                f"target_outcome={request.target:,.6g} is out of reach: within the bounds the most "
                f"is {most:,.6g}, and it was {problem.reached:,.6g}. Ask for less, widen bounds= "
                "or groups=, or free channels."
            )
        problem = aimed
    return problem, problem.optima(seed)


def _free_allocation(
    fit: Fit, request: Request, kept: Problem, length: int, seed: int
) -> Allocation:
    """Return the best amounts by block, and what they gain over the best plan of the pattern."""
    factors = _kept_factors(kept, request, seed)
    problem = free_problem(fit, kept.roster, request, length, factors)
    problem, optima = _solved(problem, request, seed)
    return allocation_of(fit, request, problem, optima, factors)


def _kept_factors(kept: Problem, request: Request, seed: int) -> np.ndarray | None:
    """Return the best factors; None where no plan of the present pattern does what is asked."""
    if kept.search.limits.problems():
        return None
    aimed: Problem | None = kept
    if request.target is not None:
        aimed, _ = kept.toward(request.target, seed)
    return None if aimed is None else aimed.optima(seed)[0].factors
