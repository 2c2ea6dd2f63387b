"""The published algorithm, exactly: it lists all rows of the factorized law above a weight."""

from __future__ import annotations

import warnings

import numpy as np

from bayescausal.augmentation.donor_odds import Ties
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

_STEP = np.log(4)
"""What a level is lowered by, in logarithms, until enough rows reach it."""


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
        If the rows need more than `memory` bytes, or are not found in some ten seconds.

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
    row_size = 3 * (4 * len(plan.order) + 8)  # the pieces, the whole, and the whole sorted
    capacity = memory / row_size
    try:
        if budget is not None and budget <= capacity:
            indices, logs = _heaviest(search, level, budget)
        else:
            indices, logs = _all_rows(search, level, capacity)
    except Unfinished:
        raise DataError(_gave_up(search, theta, budget)) from None
    if len(logs) > capacity:
        raise DataError(
            f"theta={theta:g} gives more than {capacity:.2g} rows, which need "
            f"{memory / 1e9:.1f} GB. Ask for a larger theta; for rows={int(capacity / 4)}, the "
            f"heaviest so many; or for {_reduction(budget)}."
        )
    if not len(logs):
        return _no_rows(plan, _too_light(plan, theta, unit, merge))
    notes: list[str] = []
    if budget is not None and len(logs) > budget:
        heaviest = np.sort(np.argsort(-logs, kind="stable")[:budget])
        indices, logs = indices[heaviest], logs[heaviest]
        amounts = float(np.exp(logs.min()) * unit)
        notes.append(
            f"More than {budget} rows reach theta={theta:g}. These are the {budget} heaviest: "
            f"theta amounts to {amounts:.4g}. Of rows as heavy as the lightest, some may be out."
        )
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


def _no_rows(plan: Plan, reason: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    warnings.warn(reason, EmptyAugmentation, stacklevel=4)
    return np.zeros((0, len(plan.order)), np.int32), np.zeros(0), (reason,)


def _too_light(plan: Plan, theta: float, unit: int, merge: bool) -> str:
    """Say why the search found nothing, and a theta at which it would find something."""
    advice = "Ancestral() and Reduce() are never empty."
    if nodes := ", ".join(sorted(plan.synthetic_nodes)):
        return (
            f"No row reaches theta={theta:g}. {nodes} are made of residuals, each of probability "
            f"about 1/{plan.rows}: Threshold is meant for conditional=NadarayaWatson(). {advice}"
        )
    search = Search(plan, merge, _WORK / 10)
    start = search.bound
    try:
        while (piece := next(search.rows(start), None)) is None:
            start -= _STEP
        likeliest = 0.99 * float(np.exp(piece[1].max())) * unit  # as it is rounded in the advice
        advice = f"The likeliest reach theta={likeliest:.3g}: use that or less. {advice}"
    except Unfinished:
        pass
    return f"No row reaches theta={theta:g}. {advice}"


def _gave_up(search: Search, theta: float, budget: int | None) -> str:
    request = f"theta={theta:g}"
    if budget is not None:
        request = f"the {budget} heaviest rows of {request}"
    pillows = search.plan.factorization.pillows
    node = max(search.order, key=lambda v: (len(pillows[v]), v))
    return (
        f"The search for {request} was given up after some ten seconds, with "
        f"{search.rows_begun:.2g} rows begun: a row is cut only when its weight is known, and that "
        f"of '{node}' is when all of its {len(pillows[node])} causes are drawn. Ask for a larger "
        f"theta, or for {_reduction(budget)}."
    )


def _reduction(budget: int | None) -> str:
    return f"Reduce(rows={min(budget or _FEWER, _FEWER)}), which is done at once and unbiased"


def _all_rows(search: Search, level: float, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows, or as soon as they exceed ``limit``, those found so far."""
    pieces, count = [], 0
    for piece in search.rows(level):
        pieces.append(piece)
        if (count := count + len(piece[1])) > limit:
            break
    return _join_pieces(search, pieces)


def _heaviest(search: Search, level: float, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows, or if they are more than the budget, at least the heaviest of them.

    The search starts at the bound of all weights, and goes down until enough rows reach its level;
    on the way up the level follows the lightest row that is still among the heaviest.
    """
    start = max(level, search.bound)
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
        start = max(level, start - _STEP) if start > _NOTHING else level


def _join_pieces(
    search: Search, pieces: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    no_indices = np.zeros((0, len(search.order)), np.int32)
    indices = np.concatenate([no_indices, *(piece[0] for piece in pieces)])
    return indices, np.concatenate([np.zeros(0), *(piece[1] for piece in pieces)])
