"""The donors that may continue a partial row, with ties merged, and their probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.donor_draw import CELLS
from bayescausal.augmentation.factorization import Plan

type SyntheticValues = Mapping[Node, np.ndarray]


@dataclass(frozen=True, eq=False)
class Ties:
    """Donors of one node, merged where they give the same value.

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
    def from_plan(cls, plan: Plan, node: Node, merge: bool = True) -> Ties:
        """Find which rows tie."""
        first = tie_representatives(plan, node, merge)
        rows = np.argsort(first, kind="stable")
        donors, starts = np.unique(first[rows], return_index=True)
        return cls(donors, rows, starts)

    def merge_odds(self, probability: np.ndarray) -> np.ndarray:
        """Sum the probabilities of tied donors: from ``(given, row)`` to ``(given, distinct)``."""
        if len(self.donors) == len(self.rows):
            return probability
        return np.add.reduceat(probability[:, self.rows], self.starts, axis=1)


def tie_representatives(plan: Plan, node: Node, merge: bool = True) -> np.ndarray:
    """Return, for each row, the first row that ties with it.

    A residual gives different values at different parents, so residuals never tie.
    """
    is_untied = node in plan.synthetic_nodes or not merge
    return np.arange(plan.rows) if is_untied else plan.table.blocks[node].ties


def distinct_pillows(
    plan: Plan, node: Node, indices: np.ndarray, synthetic_values: SyntheticValues
) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows that differ in the values of a node's pillow.

    Returns
    -------
    representatives : array of int
        One row for each distinct pillow.
    group : array of int, shape (row,)
        For each row, the position of its pillow among these.
    """
    group = np.zeros(len(indices), np.int64)
    representatives = group[:1]
    for parent in plan.factorization.pillows[node]:
        if parent in synthetic_values:
            codes = np.unique(synthetic_values[parent][:, 0], return_inverse=True)[1]
        else:
            codes = indices[:, plan.order.index(parent)]
        keys = group * (int(codes.max(initial=0)) + 1) + codes
        representatives, group = np.unique(keys, return_index=True, return_inverse=True)[1:]
    return representatives, group


def odds(
    plan: Plan, node: Node, indices: np.ndarray, synthetic_values: SyntheticValues, ties: Ties
) -> np.ndarray:
    """Return the probability of each distinct donor, shape ``(given, distinct)``."""
    if node not in plan.donors:
        share = np.diff(ties.starts, append=plan.rows) / plan.rows
        return np.broadcast_to(share, (len(indices), len(share)))
    return ties.merge_odds(
        plan.donors[node].probabilities(plan.pillow_values(node, indices, synthetic_values))
    )


def parts(count: int, width: int, cells: int = CELLS) -> Iterator[slice]:
    """Split ``count`` rows of ``width`` cells into chunks of at most ``cells``."""
    step = max(1, cells // max(width, 1))
    return (slice(start, start + step) for start in range(0, count, step))


def log_weights(plan: Plan, indices: np.ndarray, merge: bool = True) -> np.ndarray:
    """Return the log probability of rows under the factorized law.

    Parameters
    ----------
    indices : array of int, shape (row, block)
        Columns in the plan's order.
    merge : bool
        Whether a donor's probability includes all donors that tie with it.
    """
    total = np.zeros(len(indices))
    synthetic_values: dict[Node, np.ndarray] = {}
    for column, node in enumerate(plan.order):
        ties = Ties.from_plan(plan, node, merge)
        positions = np.empty(plan.rows, np.int64)
        positions[ties.rows] = np.cumsum(np.isin(np.arange(plan.rows), ties.starts)) - 1
        choices = positions[indices[:, column]]
        representatives, group = distinct_pillows(plan, node, indices, synthetic_values)
        by_pillow = np.argsort(group, kind="stable")
        for part in parts(len(representatives), plan.rows):
            chunk = representatives[part]
            p = odds(
                plan, node, indices[chunk], {v: x[chunk] for v, x in synthetic_values.items()}, ties
            )
            low, high = np.searchsorted(group[by_pillow], [part.start, part.start + len(chunk)])
            members = by_pillow[low:high]
            with np.errstate(divide="ignore"):
                total[members] += np.log(p[group[members] - part.start, choices[members]])
        if node in plan.synthetic_nodes:
            pillow_values = plan.pillow_values(node, indices, synthetic_values)
            synthetic_values[node] = plan.donors[node].donate(indices[:, column], pillow_values)
    return total
