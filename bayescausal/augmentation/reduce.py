"""Fixed-budget reduction: weighted rows are resampled without bias as nodes are added."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.donor_draw import CELLS
from bayescausal.augmentation.donor_odds import SyntheticValues, Ties, distinct_pillows, odds, parts
from bayescausal.augmentation.factorization import Plan

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
    indices, weights = np.zeros((1, 0), np.int32), np.ones(1)
    synthetic_values: dict[Node, np.ndarray] = {}
    for node in plan.order:
        ties = Ties.from_plan(plan, node)
        candidates = _Candidates(plan, node, indices, weights, synthetic_values, ties)
        flat, weights = _resample(candidates, budget, rng)
        weights /= weights.sum()
        prefix, column = np.divmod(flat, len(ties.donors))
        donor = ties.donors[candidates.columns[column]].astype(np.int32)
        indices = np.concatenate([indices[prefix], donor[:, None]], axis=1)
        synthetic_values = {v: x[prefix] for v, x in synthetic_values.items()}
        if node in plan.synthetic_nodes:
            pillow_values = plan.pillow_values(node, indices, synthetic_values)
            synthetic_values[node] = plan.donors[node].donate(donor, pillow_values)
    return indices, weights


class _Candidates:
    """The weights of all continuations of the rows, in chunks; reading them twice is the same.

    Those of one row are sorted by the value that they give, so that a stratum holds like values.
    """

    def __init__(
        self,
        plan: Plan,
        node: Node,
        indices: np.ndarray,
        weights: np.ndarray,
        synthetic_values: SyntheticValues,
        ties: Ties,
    ) -> None:
        self.plan, self.node, self.ties = plan, node, ties
        self.indices, self.weights, self.synthetic_values = indices, weights, synthetic_values
        self.columns = self._by_value()
        representatives, group = distinct_pillows(plan, node, indices, synthetic_values)
        self.odds_by_group: np.ndarray | None = None
        cells = len(representatives) * len(ties.donors)
        if 2 * len(representatives) <= len(group) and cells <= _CACHE_CELLS:
            self.odds_by_group, self.group = self._odds(representatives), group
        fits_in_cache = len(indices) * len(ties.donors) <= _CACHE_CELLS
        self.cache = list(self._chunks()) if fits_in_cache else None

    def __iter__(self) -> Iterator[np.ndarray]:
        return self._chunks() if self.cache is None else iter(self.cache)

    def _chunks(self) -> Iterator[np.ndarray]:
        rows = np.arange(len(self.indices))
        for part in parts(len(rows), len(self.ties.rows)):
            if self.odds_by_group is None:
                p = self._odds(rows[part])
            else:
                p = self.odds_by_group[self.group[part]]
            yield (self.weights[part, None] * p).ravel()

    def _by_value(self) -> np.ndarray:
        """Order donors by the values that they give at the parents of the first row."""
        donors = self.ties.donors
        donor_values = self.plan.table.blocks[self.node].values[donors]
        if self.node in self.plan.synthetic_nodes:
            first_row = np.zeros(len(donors), int)
            synthetic_values = {v: x[first_row] for v, x in self.synthetic_values.items()}
            parents = self.plan.pillow_values(self.node, self.indices[first_row], synthetic_values)
            donor_values = self.plan.donors[self.node].donate(donors, parents)
        return np.lexsort(donor_values.T[::-1])

    def _odds(self, rows: np.ndarray) -> np.ndarray:
        synthetic_values = {v: x[rows] for v, x in self.synthetic_values.items()}
        p = odds(self.plan, self.node, self.indices[rows], synthetic_values, self.ties)
        return p[:, self.columns]


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
