"""The published algorithm, exactly: all rows of the factorized law above a weight."""

from __future__ import annotations

import warnings

import numpy as np

from bayescausal.augmentation.ancestral import ancestral
from bayescausal.augmentation.choices import Ties, log_weights
from bayescausal.augmentation.plan import Plan
from bayescausal.augmentation.search import Search
from bayescausal.errors import DataError, EmptyAugmentation

_ROUNDING = 1e-10
"""Weights that differ by this factor or less are equal: they are products in some order."""

_NOTHING = -700.0
"""Logarithm below which a weight is zero for all that is done with it."""

_SURPLUS = 100_000
"""Rows that may wait, besides twice the budget, until the lightest are dropped."""

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

    Rows that tie at a node are merged there, their probabilities added, before any is cut. The
    weights are those of the law: they add up to the mass of the rows found, not to 1.

    Parameters
    ----------
    plan : Plan
    theta : float
        0 lists all.
    budget : int, optional
        If there are more rows, the heaviest so many; of those that weigh the same as the lightest
        of them, the ones that the search meets first.
    absolute : bool
        Compare with ``w > theta``.
    memory : float
        Bytes above which the request is refused.
    merge : bool
        False counts rows that tie one by one.

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
        If the rows would need more than `memory`, by an estimate from draws or by their number.

    Notes
    -----
    Its time follows the rows begun that are heavy enough, up to n / theta for each node.
    Source: Teshima and Sugiyama (2021), UAI; here in log space, depth first, with bounds.

    Examples
    --------
    Two coins, one of them biased: of four rows two are heavier than a quarter.

    >>> import pandas as pd
    >>> from bayescausal.augmentation.blocks import read_table
    >>> from bayescausal.augmentation.plan import make_plan
    >>> from bayescausal.specs.graph import Graph
    >>> frame = pd.DataFrame({"a": [0, 0, 0, 0, 1, 1, 1, 1], "b": [0, 0, 0, 1] * 2})
    >>> plan = make_plan(read_table(frame, Graph(isolated=("a", "b"))))
    >>> threshold(plan, 0.3, absolute=True)[1]
    array([0.375, 0.375])
    """
    unit = 1 if absolute else plan.rows
    level = -np.inf
    if theta > 0:
        level = np.log(theta / unit) + (_ROUNDING if absolute else -_ROUNDING)
    if (empty := _roots_forbid(plan, theta, level, unit, merge)) is not None:
        return _none(plan, empty)
    search = Search(plan, merge)
    if search.bound < level:
        return _none(plan, _too_light(plan, theta, unit, merge))
    size = 3 * (4 * len(plan.order) + 8)  # the pieces, the whole, and the whole sorted
    most = unit / theta if theta > 0 else float(plan.rows) ** len(plan.order)
    draws = np.zeros(0)
    if most > memory / size or (budget is not None and most > budget):
        draws = _trial(plan, _TRIALS, merge)
    if budget is not None and budget * size <= memory:
        indices, logs = _heaviest(search, level, budget, draws)
    else:
        if (expected := _expected(draws, level)) * size > memory:
            raise _refusal(expected, size, memory, draws, theta, unit, absolute)
        indices, logs = _all(search, level, memory / size)
        if len(logs) * size > memory:
            raise _refusal(len(logs), size, memory, draws, theta, unit, absolute)
    notes: list[str] = []
    if budget is not None and len(logs) > budget:
        kept = np.sort(np.argsort(-logs, kind="stable")[:budget])
        indices, logs = indices[kept], logs[kept]
        amounts = float(np.exp(logs.min()) * unit)
        notes.append(
            f"More than {budget} rows reach theta={theta:g}. These are the {budget} heaviest: "
            f"theta amounts to {amounts:.4g}. Of rows as heavy as the lightest, some may be out."
        )
    if not len(logs):
        return _none(plan, _too_light(plan, theta, unit, merge))
    by = np.lexsort(indices.T[::-1])
    return indices[by], np.exp(logs[by]), tuple(notes)


def _roots_forbid(plan: Plan, theta: float, level: float, unit: int, merge: bool) -> str | None:
    """Say why there are no rows when the roots alone make every weight too small.

    Without ties a root's values have 1/n each, so r roots leave nothing if theta > n^(1 - r).
    """
    roots = plan.factorization.roots
    ties = [Ties.of(plan, v, merge) for v in roots]
    shares = [np.diff(t.starts, append=plan.rows).max() / plan.rows for t in ties]
    if np.log(shares).sum() >= level:
        return None
    largest = float(np.prod(shares)) * unit
    return (
        f"No row reaches theta={theta:g}: there are {len(roots)} roots ({', '.join(roots)}), and "
        f"the likeliest combination of their values has theta={largest:.3g}, whatever the other "
        f"nodes. A smaller theta helps only if it is below that, and then lists very many rows; "
        f"method='ancestral' or 'reduce' has a fixed number of rows and is never empty."
    )


def _too_light(plan: Plan, theta: float, unit: int, merge: bool) -> str:
    """Say why the search found nothing, and a theta at which it would find something."""
    heaviest = 0.99 * float(np.exp(_trial(plan, _FEW_TRIALS, merge)[0]) * unit)
    moved = ", ".join(sorted(plan.moved))
    cause = (
        f" {moved} are made of residuals, each of probability about 1/{plan.rows}: threshold is "
        "meant for conditional=NadarayaWatson()."
        if moved
        else ""
    )
    return (
        f"No row reaches theta={theta:g}.{cause} Of {_FEW_TRIALS} rows drawn from the law the "
        f"likeliest reaches theta={heaviest:.3g}: use that or less, or method='ancestral' or "
        "'reduce', which are never empty."
    )


def _trial(plan: Plan, count: int, merge: bool) -> np.ndarray:
    """Log weights of rows drawn from the law, heaviest first; always the same."""
    rows = ancestral(plan, count, "independent", np.random.default_rng(0))
    return np.sort(log_weights(plan, rows, merge))[::-1]


def _none(plan: Plan, why: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    warnings.warn(why, EmptyAugmentation, stacklevel=4)
    return np.zeros((0, len(plan.order)), np.int32), np.zeros(0), (why,)


def _all(search: Search, level: float, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows, or more than ``most`` of them."""
    found, count = [], 0
    for piece in search.rows(level):
        found.append(piece)
        if (count := count + len(piece[1])) > most:
            break
    return _joined(search, found)


def _heaviest(
    search: Search, level: float, budget: int, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows, or if they are more than the budget, at least the heaviest of them.

    The search starts at the level that should hold somewhat more than the budget, and goes down
    from there; on the way up the level follows the lightest row that is still among the heaviest.
    """
    guesses = draws[_cumulative(draws) > 1.5 * budget]
    start = max(level, guesses[0]) if len(guesses) else level
    while True:
        pieces, count, floor = [], 0, start
        walk = search.rows(start)
        piece = next(walk, None)
        while piece is not None:
            pieces.append(piece)
            count += len(piece[1])
            if count > 2 * budget + _SURPLUS:
                indices, logs = _joined(search, pieces)
                kept = np.sort(np.argsort(-logs, kind="stable")[: budget + 1])
                pieces, count = [(indices[kept], logs[kept])], budget + 1
                floor = logs[kept].min() + _ROUNDING
            try:
                piece = walk.send(floor)
            except StopIteration:
                piece = None
        if count > budget or start <= level:
            return _joined(search, pieces)
        start = max(level, start - np.log(4)) if start > _NOTHING else level


def _joined(
    search: Search, pieces: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    none = np.zeros((0, len(search.order)), np.int32)
    indices = np.concatenate([none, *(piece[0] for piece in pieces)])
    return indices, np.concatenate([np.zeros(0), *(piece[1] for piece in pieces)])


def _cumulative(draws: np.ndarray) -> np.ndarray:
    """Estimate how many rows weigh at least as much as each draw: E[1(w >= c) / w]."""
    with np.errstate(over="ignore"):
        return np.cumsum(np.exp(-draws)) / max(len(draws), 1)


def _expected(draws: np.ndarray, level: float) -> float:
    heavy = draws >= level
    return float(_cumulative(draws)[heavy].max(initial=0.0))


def _refusal(
    rows: float,
    size: int,
    memory: float,
    draws: np.ndarray,
    theta: float,
    unit: int,
    absolute: bool,
) -> DataError:
    fits = draws[_cumulative(draws) * size <= memory / 4]
    least = 4 * size * unit / memory  # no more than unit / theta rows reach theta
    if len(fits):
        least = min(least, float(np.exp(fits[-1]) * unit))
    enough = "" if least >= 1 and not absolute else f"theta={least:.2g}, or "
    return DataError(
        f"theta={theta:g} gives about {rows:.2g} rows, which need {rows * size / 1e9:.1f} GB. Ask "
        f"for {enough}budget={int(memory / size / 4)}, the heaviest so many."
    )
