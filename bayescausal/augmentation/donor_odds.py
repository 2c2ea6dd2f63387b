"""The donors that may continue a partial row, with ties merged, and their probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.factorization import PartialRows, Plan


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
        """Find the rows that hold the same value of a node, which tie."""
        first = tie_representatives(plan, node, merge)
        rows = np.argsort(first, kind="stable")
        donors, starts = np.unique(first[rows], return_index=True)
        return cls(donors, rows, starts)

    @cached_property
    def positions(self) -> np.ndarray:
        """For each row, the position of its value in `donors`."""
        positions = np.empty(len(self.rows), np.int64)
        lengths = np.diff(self.starts, append=len(self.rows))
        positions[self.rows] = np.repeat(np.arange(len(self.donors)), lengths)
        return positions

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


def odds(partial: PartialRows, node: Node, ties: Ties) -> np.ndarray:
    """Return the probability of each distinct donor, shape ``(row, distinct)``."""
    donors, rows = partial.plan.donors, partial.plan.rows
    if node not in donors:
        share = np.diff(ties.starts, append=rows) / rows
        return np.broadcast_to(share, (len(partial), len(share)))
    return ties.merge_odds(donors[node].probabilities(partial.pillow(node)))
