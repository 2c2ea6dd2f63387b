"""The published algorithm, exactly: it lists all rows of the factorized law above a weight."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayescausal.augmentation.ancestral import ancestral
from bayescausal.augmentation.donor_odds import Ties, log_weights
from bayescausal.augmentation.factorization import Plan
from bayescausal.augmentation.search import Search, Unfinished
from bayescausal.errors import DataError, EmptyAugmentation

_ROUNDING = 1e-10
"""Weights that differ by this factor or less are equal: they are products in some order."""

_NOTHING = -700.0
"""Logarithm below which a weight is zero for all that is done with it."""

_SURPLUS = 100_000
"""Rows that may wait, besides twice the budget, until the lightest are dropped."""

_WORK = 1e9
"""Probabilities, times causes, after which a search is given up: some ten seconds."""

_FEWER = 10_000
"""Rows that `Reduce` is advised to have, unless fewer were asked for."""

_TRIALS, _FEW_TRIALS = 1_000, 200
"""Draws from which the number of rows above a weight, or the weight of any, is estimated."""


def threshold(
    plan: Plan,
    theta: float,
    *,
    budget: int | None = None,
    absolute: bool = False,
    memory: float = np.inf,
    merge: bool = True,
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """List every row whose weight is at least ``theta / n``.

        w = prod_j P(i_j | pillow of j) >= theta / n

    See `bayescausal.specs.row_methods.Threshold`. Rows that tie at a node are merged there, their
    probabilities added, before any is cut, unless ``merge`` is false. The weights are those of the
    law: they add up to the mass of the rows found, not to 1. Its time follows the rows begun that
    are heavy enough, up to n / theta for each node; a budget bounds the rows that are kept.

    Returns
    -------
    indices : array of int32, shape (row, block)
        Sorted.
    weights : array
    notes : tuple of str
        What was cut to the budget, or why there are no rows.

    Raises
    ------
    DataError
        If the rows would need more than `memory` bytes, by an estimate from draws or by their
        number, or if they are not found in some ten seconds.

    Notes
    -----
    Source: Teshima and Sugiyama (2021), UAI; here in log space, depth first, with bounds.
    """
    unit = 1 if absolute else plan.rows
    level = -np.inf
    if theta > 0:
        level = np.log(theta / unit) + (_ROUNDING if absolute else -_ROUNDING)
    if (reason := _roots_forbid(plan, theta, level, unit, merge)) is not None:
        return _no_rows(plan, reason)
    search = Search(plan, merge, _WORK)
    size = 3 * (4 * len(plan.order) + 8)  # the pieces, the whole, and the whole sorted
    request = _Request(plan, merge, theta, level, unit, budget, size, memory)
    if search.bound < level:
        return _no_rows(plan, request.too_light())
    try:
        indices, logs = _find_rows(search, request)
    except Unfinished:
        raise request.unfinished(search) from None
    notes: list[str] = []
    if budget is not None and len(logs) > budget:
        heaviest = np.sort(np.argsort(-logs, kind="stable")[:budget])
        indices, logs = indices[heaviest], logs[heaviest]
        amounts = float(np.exp(logs.min()) * unit)
        notes.append(
            f"More than {budget} rows reach theta={theta:g}. These are the {budget} heaviest: "
            f"theta amounts to {amounts:.4g}. Of rows as heavy as the lightest, some may be out."
        )
    if not len(logs):
        return _no_rows(plan, request.too_light())
    ranking = np.lexsort(indices.T[::-1])
    return indices[ranking], np.exp(logs[ranking]), tuple(notes)


def _roots_forbid(plan: Plan, theta: float, level: float, unit: int, merge: bool) -> str | None:
    """Say why there are no rows when the roots alone make every weight too small.

    Without ties a root's values have 1/n each, so r roots leave nothing if theta > n^(1 - r).
    """
    roots = plan.factorization.roots
    ties = [Ties.from_plan(plan, v, merge) for v in roots]
    shares = [np.diff(t.starts, append=plan.rows).max() / plan.rows for t in ties]
    if np.log(shares).sum() >= level:
        return None
    largest = float(np.prod(shares)) * unit
    return (
        f"No row reaches theta={theta:g}: there are {len(roots)} roots ({', '.join(roots)}), and "
        f"the likeliest combination of their values has theta={largest:.3g}, whatever the other "
        f"nodes. A smaller theta helps only if it is below that, and then lists very many rows; "
        "Ancestral() and Reduce() have a fixed number of rows and are never empty."
    )


def _trial_rows(plan: Plan, count: int, merge: bool) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows from the law; return them and their log weights, heaviest first.

    The seed is fixed, so that a request is refused or granted with the same advice every time.
    """
    rows = ancestral(plan, count, "independent", np.random.default_rng(0))
    logs = log_weights(plan, rows, merge)
    ranking = np.argsort(-logs, kind="stable")
    return rows[ranking], logs[ranking]


def _no_rows(plan: Plan, reason: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    warnings.warn(reason, EmptyAugmentation, stacklevel=4)
    return np.zeros((0, len(plan.order)), np.int32), np.zeros(0), (reason,)


def _find_rows(search: Search, request: _Request) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows, or at least the heaviest of them where there is a budget."""
    plan, level, budget = request.plan, request.level, request.budget
    capacity = request.memory / request.size
    everything = float(plan.rows) ** len(plan.order)
    row_bound = request.unit / request.theta if request.theta > 0 else everything
    draws = np.zeros(0)
    if row_bound > capacity or (budget is not None and row_bound > budget):
        draws = _trial_rows(plan, _TRIALS, request.merge)[1]
    if budget is not None and budget <= capacity:
        return _heaviest(search, level, budget, draws)
    if (expected := _expected(draws, level)) > capacity:
        raise request.refusal(expected)
    indices, logs = _all_rows(search, level, capacity)
    if len(logs) > capacity:
        raise request.refusal(len(logs))
    return indices, logs


def _all_rows(search: Search, level: float, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows, or as soon as they exceed ``limit``, those found so far."""
    pieces, count = [], 0
    for piece in search.rows(level):
        pieces.append(piece)
        if (count := count + len(piece[1])) > limit:
            break
    return _join_pieces(search, pieces)


def _heaviest(
    search: Search, level: float, budget: int, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows, or if they are more than the budget, at least the heaviest of them.

    The search starts at the level that should hold somewhat more than the budget, and goes down
    from there; on the way up the level follows the lightest row that is still among the heaviest.
    """
    start = _start(level, budget, draws)
    while True:
        pieces, count, floor = [], 0, start
        walk = search.rows(start)
        piece = next(walk, None)
        while piece is not None:
            pieces.append(piece)
            count += len(piece[1])
            if count > 2 * budget + _SURPLUS:
                indices, logs = _join_pieces(search, pieces)
                heaviest = np.sort(np.argsort(-logs, kind="stable")[: budget + 1])
                pieces, count = [(indices[heaviest], logs[heaviest])], budget + 1
                floor = logs[heaviest].min() + _ROUNDING
            try:
                piece = walk.send(floor)
            except StopIteration:
                piece = None
        if count > budget or start <= level:
            return _join_pieces(search, pieces)
        start = max(level, start - np.log(4)) if start > _NOTHING else level


def _start(level: float, budget: int, draws: np.ndarray) -> float:
    guesses = draws[_cumulative(draws) > 1.5 * budget]
    return max(level, guesses[0]) if len(guesses) else level


def _join_pieces(
    search: Search, pieces: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    no_indices = np.zeros((0, len(search.order)), np.int32)
    indices = np.concatenate([no_indices, *(piece[0] for piece in pieces)])
    return indices, np.concatenate([np.zeros(0), *(piece[1] for piece in pieces)])


def _cumulative(draws: np.ndarray) -> np.ndarray:
    """Estimate how many rows weigh at least as much as each draw: E[1(w >= c) / w]."""
    with np.errstate(over="ignore"):
        return np.cumsum(np.exp(-draws)) / max(len(draws), 1)


def _expected(draws: np.ndarray, level: float) -> float:
    heavy = draws >= level
    return float(_cumulative(draws)[heavy].max(initial=0.0))


@dataclass(frozen=True, eq=False)
class _Request:
    """A request for rows; if it is refused, it advises requests that would be granted.

    Parameters
    ----------
    plan, merge, theta, level, unit, budget, memory
        Of the request.
    size : int
        Bytes of a row.
    """

    plan: Plan
    merge: bool
    theta: float
    level: float
    unit: int
    budget: int | None
    size: int
    memory: float

    def too_light(self) -> str:
        """Say why the search found nothing, and a theta at which it would find something."""
        draws = _trial_rows(self.plan, _FEW_TRIALS, self.merge)[1]
        level = np.log(0.99) + draws[0]
        nodes = ", ".join(sorted(self.plan.synthetic_nodes))
        cause = (
            f" {nodes} are made of residuals, each of probability about 1/{self.plan.rows}: "
            "Threshold is meant for conditional=NadarayaWatson()."
            if nodes
            else ""
        )
        has_many_peers = _expected(draws, level) * self.size > self.memory / 4
        advice = "use that or less, or"
        if has_many_peers:
            advice = "very many rows are as likely, so use"
        return (
            f"No row reaches theta={self.theta:g}.{cause} Of {_FEW_TRIALS} rows drawn from the "
            f"law the likeliest reaches theta={float(np.exp(level) * self.unit):.3g}: {advice} "
            "Ancestral() or Reduce(), which are never empty."
        )

    def refusal(self, rows: float) -> DataError:
        """Return the error for rows that would need too much memory."""
        ways, fits = self._thetas(), int(self.memory / self.size / 4)
        low = _start(self.level, fits, self._draws[1]) - np.log(4)  # it may start too high
        if self._work(max(self.level, low)) <= _WORK / 4:
            ways.append(f"rows={fits}, the heaviest so many")
        else:
            ways.append(self._reduce())
        return DataError(
            f"theta={self.theta:g} gives about {rows:.2g} rows, which need "
            f"{rows * self.size / 1e9:.1f} GB. Ask for {', or '.join(ways)}."
        )

    def unfinished(self, search: Search) -> DataError:
        """Return the error for a search that would need too much time."""
        request = f"theta={self.theta:g}"
        if self.budget is not None:
            request = f"the {self.budget} heaviest rows of {request}"
        pillows = self.plan.factorization.pillows
        node = max(self.plan.order, key=lambda v: (len(pillows[v]), v))
        return DataError(
            f"The search for {request} was given up after some ten seconds, with "
            f"{search.rows_begun:.2g} rows begun: a row is cut only when its weight is known, "
            f"and that of '{node}' is when all of its {len(pillows[node])} causes are drawn. "
            f"Ask for {', or '.join([*self._thetas(), self._reduce()])}."
        )

    def _reduce(self) -> str:
        rows = min(self.budget or _FEWER, _FEWER)
        return f"Reduce(rows={rows}), which is done at once and unbiased"

    def _thetas(self) -> list[str]:
        """Find the least theta whose rows fit in memory, are found in time, and are not none.

        Four times less than what may be had, since both are foreseen from draws.
        """
        draws = self._draws[1]
        for level in np.arange(self.level, draws[0], np.log(2)) if self.theta > 0 else draws[::-1]:
            theta = float(f"{np.exp(level) * self.unit:.2g}")
            level = np.log(theta / self.unit)
            rows = min(_expected(draws, level), np.exp(-level))
            affordable = rows * self.size <= self.memory / 4 and self._work(level) <= _WORK / 4
            if affordable and self.level < level <= draws[0] - _ROUNDING and theta < 1:
                return [f"theta={theta:.2g}"]
        return []

    @cached_property
    def _draws(self) -> tuple[np.ndarray, np.ndarray]:
        return _trial_rows(self.plan, _TRIALS, self.merge)

    @cached_property
    def _work(self) -> Callable[[float], float]:
        return Search(self.plan, self.merge).expected_work(self._draws[0])
