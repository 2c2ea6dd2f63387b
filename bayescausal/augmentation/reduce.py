"""Fixed-budget reduction: a bounded set of distinct rows, resampled without bias at every node."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.donor_draw import CELLS
from bayescausal.augmentation.donor_odds import Made, Ties, distinct, odds, parts
from bayescausal.augmentation.factorization import Plan

_KEPT_CELLS = 4 * CELLS
"""Candidates are held between the two passes up to so many, else made again."""


def reduce(plan: Plan, budget: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Hold at most ``budget`` distinct weighted rows while nodes are added.

        find c with  sum_i min(w_i / c, 1) = budget
        w_i >= c stays as it is;  the others are resampled in proportion to w_i, at weight c

    Every row is continued with every donor, and the weights of these candidates are reduced: the
    threshold c makes the expected weight of each candidate its own. Resampling is stratified, with
    a uniform of its own in each stratum. One uniform for all (systematic resampling) would be
    biased in effect: candidates come in order of the donors, so equal weights would take the same
    donor every time.

    Returns
    -------
    indices : array of int32, shape (row, block)
    weights : array
        They add up to 1.

    Notes
    -----
    Source: Fearnhead and Clifford (2003), On-line inference for hidden Markov models via particle
    filters, JRSS B 65.

    Examples
    --------
    Two coins, one of them biased; three rows for the four combinations that there are.

    >>> import pandas as pd
    >>> from bayescausal.augmentation.blocks import read_table
    >>> from bayescausal.augmentation.factorization import make_plan
    >>> from bayescausal.graphs.graph import Graph
    >>> frame = pd.DataFrame({"a": [0, 0, 0, 0, 1, 1, 1, 1], "b": [0, 0, 0, 1] * 2})
    >>> plan = make_plan(read_table(frame, Graph(isolated=("a", "b"))))
    >>> reduce(plan, 3, np.random.default_rng(1))[1]
    array([0.375, 0.375, 0.25 ])
    """
    indices, weights = np.zeros((1, 0), np.int32), np.ones(1)
    made: dict[Node, np.ndarray] = {}
    for node in plan.order:
        ties = Ties.of(plan, node)
        candidates = _Candidates(plan, node, indices, weights, made, ties)
        flat, weights = _resampled(candidates, budget, rng)
        weights /= weights.sum()
        prefix, column = np.divmod(flat, len(ties.donors))
        donor = ties.donors[candidates.columns[column]].astype(np.int32)
        indices = np.concatenate([indices[prefix], donor[:, None]], axis=1)
        made = {v: x[prefix] for v, x in made.items()}
        if node in plan.moved:
            made[node] = plan.donors[node].donate(donor, plan.given(node, indices, made))
    return indices, weights


class _Candidates:
    """Weights of all continuations, row by row, in chunks; the same however often they are read.

    Those of a row are in order of the value that they give, so that a stratum holds like values.
    """

    def __init__(
        self,
        plan: Plan,
        node: Node,
        indices: np.ndarray,
        weights: np.ndarray,
        made: Made,
        ties: Ties,
    ) -> None:
        self.plan, self.node, self.ties = plan, node, ties
        self.indices, self.weights, self.made = indices, weights, made
        self.columns = self._by_value()
        first, which = distinct(plan, node, indices, made)
        self.shared: np.ndarray | None = None
        if 2 * len(first) <= len(which) and len(first) * len(ties.donors) <= _KEPT_CELLS:
            self.shared, self.which = self._odds(first), which
        small = len(indices) * len(ties.donors) <= _KEPT_CELLS
        self.held = list(self._made()) if small else None

    def __iter__(self) -> Iterator[np.ndarray]:
        return self._made() if self.held is None else iter(self.held)

    def _made(self) -> Iterator[np.ndarray]:
        rows = np.arange(len(self.indices))
        for part in parts(len(rows), len(self.ties.rows)):
            p = self._odds(rows[part]) if self.shared is None else self.shared[self.which[part]]
            yield (self.weights[part, None] * p).ravel()

    def _by_value(self) -> np.ndarray:
        """Order donors by what they give at the parents of the first row."""
        donors = self.ties.donors
        given = self.plan.table.blocks[self.node].values[donors]
        if self.node in self.plan.moved:
            first = np.zeros(len(donors), int)
            made = {v: x[first] for v, x in self.made.items()}
            parents = self.plan.given(self.node, self.indices[first], made)
            given = self.plan.donors[self.node].donate(donors, parents)
        return np.lexsort(given.T[::-1])

    def _odds(self, rows: np.ndarray) -> np.ndarray:
        made = {v: x[rows] for v, x in self.made.items()}
        p = odds(self.plan, self.node, self.indices[rows], made, self.ties)
        return p[:, self.columns]


def _resampled(
    candidates: _Candidates, budget: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Choose among candidates: their positions, ascending and distinct, and their new weights."""
    level, strata = _level(candidates, budget)
    points = (np.arange(strata) + rng.random(strata)) * level
    positions, weights = [], []
    below, at, last = 0.0, 0, -1
    for chunk in candidates:
        small = np.flatnonzero((chunk < level) & (chunk > 0))
        heavy = np.flatnonzero((chunk >= level) & (chunk > 0))
        heap = below + np.cumsum(chunk[small])
        if len(small):
            found = np.searchsorted(heap, points, side="right")
            hit, times = np.unique(found[found < len(small)], return_counts=True)
            below, last = heap[-1], at + small[-1]
            points = points[found == len(small)]
            positions.append(at + small[hit])
            weights.append(level * times)
        positions.append(at + heavy)
        weights.append(chunk[heavy])
        at += len(chunk)
    if len(points):  # beyond the last by rounding alone
        positions.append(np.full(len(points), last))
        weights.append(np.full(len(points), level))
    where, inverse = np.unique(np.concatenate(positions), return_inverse=True)
    return where, np.bincount(inverse, np.concatenate(weights))


def _level(candidates: _Candidates, budget: int) -> tuple[float, int]:
    """Return c, and how many of the budget are left for the candidates below it.

    The candidates at c or above are fewer than the budget, so the heaviest ``budget`` and the sum
    of all others tell c.
    """
    top, others, positive = np.zeros(0), 0.0, 0
    for chunk in candidates:
        positive += int((chunk > 0).sum())
        both = np.concatenate([top, chunk])
        if len(both) > budget:
            both = np.partition(both, len(both) - budget)
            others += both[: len(both) - budget].sum()
            top = both[len(both) - budget :]
        else:
            top = both
    if positive <= budget:
        return 0.0, 0
    top = np.sort(top)[::-1]
    rest = others + np.cumsum(top[::-1])[::-1]
    places = budget - np.arange(len(top))
    kept = int(np.argmax(top * places <= rest))  # always so at the last: places is 1
    level = rest[kept] / places[kept]
    return float(level), budget - int((top >= level).sum())
