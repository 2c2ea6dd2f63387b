"""Fixed-budget reduction: weighted rows are resampled without bias as nodes are added."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.donor_draw import CELLS, parts
from bayescausal.augmentation.donor_odds import Ties, odds
from bayescausal.augmentation.factorization import PartialRows, Plan

_CACHE_CELLS = 4 * CELLS
"""Candidates that are cached between the two passes; if there are more, they are recomputed."""


def reduce(plan: Plan, budget: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw at most ``budget`` distinct weighted rows, node by node, without bias.

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
    partial, weights = PartialRows.begin(plan, 1), np.ones(1)
    for node in plan.order:
        ties = Ties.from_plan(plan, node)
        candidates = _Candidates(partial, node, weights, ties)
        flat, weights = _resample(candidates, budget, rng)
        weights /= weights.sum()
        prefix, column = np.divmod(flat, len(ties.donors))
        partial = partial[prefix].append(ties.donors[candidates.columns[column]])
    return partial.columns.T, weights


class _Candidates:
    """The weights of all continuations of the rows, in chunks; reading them twice is the same.

    Those of one row are sorted by the value that they give, so that a stratum holds like values.
    """

    def __init__(self, partial: PartialRows, node: Node, weights: np.ndarray, ties: Ties) -> None:
        self.partial, self.node, self.weights, self.ties = partial, node, weights, ties
        self.columns = self._by_value()
        fits_in_cache = len(partial) * len(ties.donors) <= _CACHE_CELLS
        self.cache = list(self._chunks()) if fits_in_cache else None

    def __iter__(self) -> Iterator[np.ndarray]:
        return self._chunks() if self.cache is None else iter(self.cache)

    def _chunks(self) -> Iterator[np.ndarray]:
        for part in parts(len(self.partial), len(self.ties.rows)):
            p = odds(self.partial[part], self.node, self.ties)[:, self.columns]
            yield (self.weights[part, None] * p).ravel()

    def _by_value(self) -> np.ndarray:
        """Order donors by the values that they give at the parents of the first row."""
        plan, donors = self.partial.plan, self.ties.donors
        values = plan.table.blocks[self.node].values[donors]
        if self.node in plan.synthetic_nodes:
            first_row = self.partial[np.zeros(len(donors), int)]
            values = plan.donors[self.node].donate(donors, first_row.pillow(self.node))
        return np.lexsort(values.T[::-1])


def _resample(
    candidates: _Candidates, budget: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Resample candidates; return their distinct positions, ascending, and their new weights."""
    level, strata = _level(candidates, budget)
    points = (np.arange(strata) + rng.random(strata)) * level
    positions, weights = [], []
    mass, offset, last = 0.0, 0, -1
    for chunk in candidates:
        light = np.flatnonzero((chunk < level) & (chunk > 0))
        heavy = np.flatnonzero((chunk >= level) & (chunk > 0))
        cumulative = mass + np.cumsum(chunk[light])
        if len(light):
            stratum = np.searchsorted(cumulative, points, side="right")
            hits, counts = np.unique(stratum[stratum < len(light)], return_counts=True)
            mass, last = cumulative[-1], offset + light[-1]
            points = points[stratum == len(light)]
            positions.append(offset + light[hits])
            weights.append(level * counts)
        positions.append(offset + heavy)
        weights.append(chunk[heavy])
        offset += len(chunk)
    if len(points):  # beyond the last by rounding alone
        positions.append(np.full(len(points), last))
        weights.append(np.full(len(points), level))
    choices, inverse = np.unique(np.concatenate(positions), return_inverse=True)
    return choices, np.bincount(inverse, np.concatenate(weights))


def _level(candidates: _Candidates, budget: int) -> tuple[float, int]:
    """Return the threshold c, and how many rows are left for the candidates below it.

    The candidates at c or above are fewer than the budget, so the heaviest ``budget`` and the sum
    of all others tell c.
    """
    heaviest, light_mass, positive = np.zeros(0), 0.0, 0
    for chunk in candidates:
        positive += int((chunk > 0).sum())
        pool = np.concatenate([heaviest, chunk])
        if len(pool) > budget:
            pool = np.partition(pool, len(pool) - budget)
            light_mass += pool[: len(pool) - budget].sum()
            heaviest = pool[len(pool) - budget :]
        else:
            heaviest = pool
    if positive <= budget:
        return 0.0, 0
    heaviest = np.sort(heaviest)[::-1]
    light_masses = light_mass + np.cumsum(heaviest[::-1])[::-1]
    places = budget - np.arange(len(heaviest))
    # The condition always holds for the last, where places is 1, so argmax finds one.
    heavy_count = int(np.argmax(heaviest * places <= light_masses))
    level = light_masses[heavy_count] / places[heavy_count]
    return float(level), budget - int((heaviest >= level).sum())
