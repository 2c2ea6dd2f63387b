"""What may follow a row drawn so far: the donors of the next node, ties merged, and their odds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.donor_draw import CELLS
from bayescausal.augmentation.factorization import Plan

type Made = Mapping[Node, np.ndarray]


@dataclass(frozen=True, eq=False)
class Ties:
    """Donors that give the same value count as one, with the sum of their probabilities.

    Parameters
    ----------
    donors : array of int, shape (distinct,)
        For each distinct value the first row that has it, ascending.
    rows : array of int, shape (row,)
        Rows sorted by the value they have; rows of one value are adjacent.
    starts : array of int, shape (distinct,)
        Where each value begins in `rows`.
    """

    donors: np.ndarray
    rows: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, plan: Plan, node: Node, merge: bool = True) -> Ties:
        """Read which rows tie."""
        first = tied(plan, node, merge)
        rows = np.argsort(first, kind="stable")
        donors, starts = np.unique(first[rows], return_index=True)
        return cls(donors, rows, starts)

    def merged(self, probability: np.ndarray) -> np.ndarray:
        """Add up the probabilities of donors that tie: from ``(given, row)`` to distinct values."""
        if len(self.donors) == len(self.rows):
            return probability
        return np.add.reduceat(probability[:, self.rows], self.starts, axis=1)


def tied(plan: Plan, node: Node, merge: bool = True) -> np.ndarray:
    """Return for each row the first that ties with it.

    Residuals make other values at other parents: they never tie.
    """
    alone = node in plan.moved or not merge
    return np.arange(plan.rows) if alone else plan.table.blocks[node].ties


def distinct(
    plan: Plan, node: Node, indices: np.ndarray, made: Made
) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows that differ in the values of a node's pillow.

    Returns
    -------
    first : array of int
        One row for each distinct pillow.
    which : array of int, shape (row,)
        For each row, which of these it is like.
    """
    which = np.zeros(len(indices), np.int64)
    first = which[:1]
    for parent in plan.factorization.pillows[node]:
        if parent in made:
            code = np.unique(made[parent][:, 0], return_inverse=True)[1]
        else:
            code = indices[:, plan.order.index(parent)]
        key = which * (int(code.max(initial=0)) + 1) + code
        first, which = np.unique(key, return_index=True, return_inverse=True)[1:]
    return first, which


def odds(plan: Plan, node: Node, indices: np.ndarray, made: Made, ties: Ties) -> np.ndarray:
    """Return the probability of each distinct donor, shape ``(given, distinct)``."""
    if node not in plan.donors:
        share = np.diff(ties.starts, append=plan.rows) / plan.rows
        return np.broadcast_to(share, (len(indices), len(share)))
    return ties.merged(plan.donors[node].probabilities(plan.given(node, indices, made)))


def parts(count: int, width: int, cells: int = CELLS) -> Iterator[slice]:
    """Cut ``count`` rows of ``width`` cells into chunks."""
    step = max(1, cells // max(width, 1))
    return (slice(at, at + step) for at in range(0, count, step))


def log_weights(plan: Plan, indices: np.ndarray, merge: bool = True) -> np.ndarray:
    """Return the log probability of rows under the factorized law.

    Parameters
    ----------
    indices : array of int, shape (row, block)
        Columns in the plan's order.
    merge : bool
        Whether a donor counts with all that tie with it.
    """
    total = np.zeros(len(indices))
    made: dict[Node, np.ndarray] = {}
    for at, node in enumerate(plan.order):
        ties = Ties.of(plan, node, merge)
        place = np.empty(plan.rows, np.int64)
        place[ties.rows] = np.cumsum(np.isin(np.arange(plan.rows), ties.starts)) - 1
        drawn = place[indices[:, at]]
        first, which = distinct(plan, node, indices, made)
        by_pillow = np.argsort(which, kind="stable")
        for part in parts(len(first), plan.rows):
            chosen = first[part]
            p = odds(plan, node, indices[chosen], {v: x[chosen] for v, x in made.items()}, ties)
            low, high = np.searchsorted(which[by_pillow], [part.start, part.start + len(chosen)])
            mine = by_pillow[low:high]
            with np.errstate(divide="ignore"):
                total[mine] += np.log(p[which[mine] - part.start, drawn[mine]])
        if node in plan.moved:
            given = plan.given(node, indices, made)
            made[node] = plan.donors[node].donate(indices[:, at], given)
    return total
