"""Enumeration of all rows above a weight: a depth-first search, cut by upper bounds."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.donor_draw import parts
from bayescausal.augmentation.donor_odds import Ties, odds
from bayescausal.augmentation.factorization import PartialRows, Plan

_TABLE = 1_000_000
"""Cells up to which a node with one parent is tabulated for all values of the parent."""

_CHUNK = 200_000
"""Rows that one step of the search may add: what it holds is at most so many for each node."""

_CELLS = 1_000_000
"""Probabilities that are evaluated at once."""

_SLACK = 1e-9
"""What rounding may do to the logarithm of a weight, and more."""

_ROW = 20
"""A row begun takes as long as so many cells: one donor of one parent each."""


class Unfinished(Exception):
    """The search has used up the work that it was allowed."""


@dataclass(frozen=True, eq=False)
class Options:
    """The donors of a node, in one segment for each value of its pillow, likeliest first.

    Parameters
    ----------
    start, length : array of int, shape (segment,)
    score : array
        Log probability plus the most that its descendants can add; descending in a segment.
    log_p : array
    donor : array of int
    """

    start: np.ndarray
    length: np.ndarray
    score: np.ndarray
    log_p: np.ndarray
    donor: np.ndarray

    @classmethod
    def dense(cls, log_p: np.ndarray, lookahead: np.ndarray, donors: np.ndarray) -> Options:
        """Sort the donors of every segment; ``log_p`` has shape ``(segment, donor)``."""
        count, width = log_p.shape
        ranking = np.argsort(-(log_p + lookahead), axis=1, kind="stable")
        ordered = np.take_along_axis(log_p, ranking, axis=1)
        start, length = np.arange(count) * width, np.full(count, width)
        score = ordered + lookahead[ranking]
        return cls(start, length, score.ravel(), ordered.ravel(), donors[ranking].ravel())

    def counts(self, segment: np.ndarray, need: np.ndarray) -> np.ndarray:
        """Count the donors of a segment that score at least ``need``, by binary search."""
        counts = np.zeros(len(segment), np.int64)
        if not len(self.score):
            return counts
        start, length = self.start[segment], self.length[segment]
        last = len(self.score) - 1
        step = 1 << int(self.length.max(initial=0)).bit_length()
        while step := step >> 1:
            probes = counts + step
            positions = np.minimum(start + probes - 1, last)
            counts = np.where((probes <= length) & (self.score[positions] >= need), probes, counts)
        return counts

    def best(self) -> np.ndarray:
        """Return the highest score of each segment, all of which have donors."""
        return self.score[self.start]


@dataclass(frozen=True, eq=False)
class Chunk:
    """Partial rows with their weights.

    Parameters
    ----------
    partial : PartialRows
    log_weights : array
    ready_bounds : mapping of node to array
        The most that a node can add whose pillow is known, by row.
    """

    partial: PartialRows
    log_weights: np.ndarray
    ready_bounds: dict[Node, np.ndarray] = field(default_factory=dict)

    def __getitem__(self, rows: slice | np.ndarray) -> Chunk:
        ready_bounds = {v: x[rows] for v, x in self.ready_bounds.items()}
        return Chunk(self.partial[rows], self.log_weights[rows], ready_bounds)

    def __len__(self) -> int:
        return len(self.log_weights)

    @property
    def depth(self) -> int:
        """Number of nodes that are drawn."""
        return len(self.partial.columns)


class Search:
    """A search for all rows of a plan whose weight reaches a level.

    A partial row is cut when its weight, times a bound for every node to come, is too small:

        root: its likeliest value;   one parent: max_k P(k | z);   known pillow: max_k P(k | z)

    and 1 for others. A bound takes in those of the nodes with one parent below: it is exact where
    the graph is a forest.

    Parameters
    ----------
    plan : Plan
    merge : bool
    limit : float
        Cells, of donors times parents and of rows begun, after which `Unfinished` is raised. They
        are counted, not timed, so the same search always ends alike.
    """

    def __init__(self, plan: Plan, merge: bool = True, limit: float = np.inf) -> None:
        self.plan, self.order, self.limit = plan, plan.order, limit
        self.cells_spent, self.rows_begun = 0.0, 0
        self.ties = {v: Ties.from_plan(plan, v, merge) for v in plan.order}
        self.parents = [
            [plan.order.index(p) for p in plan.factorization.pillows[v]] for v in plan.order
        ]
        self.tables: dict[int, Options] = {}
        self.segment: dict[int, np.ndarray] = {}
        self.lookahead = np.zeros((len(plan.order), plan.rows))
        self.node_bounds = np.zeros(len(plan.order))
        for j in reversed(range(len(plan.order))):
            self._tabulate(j)

    def _tabulate(self, j: int) -> None:
        """Sort the donors of a root or of a node with one observed parent; pass bounds upward."""
        plan, node, parents = self.plan, self.order[j], self.parents[j]
        ties = self.ties[node]
        lookahead = self.lookahead[j, ties.donors]
        single = len(parents) == 1 and self.order[parents[0]] not in plan.synthetic_nodes
        if parents and not (single and self._segments(parents[0]) * len(ties.donors) <= _TABLE):
            self.node_bounds[j] = lookahead.max()
            return
        values = self.ties[self.order[parents[0]]].donors if parents else np.zeros(1, int)
        # Only the row of the parent is read, so it may stand for that of every node before it.
        partial = PartialRows(plan, np.tile(values, (j, 1)), {})
        table = Options.dense(_log(odds(partial, node, ties)), lookahead, ties.donors)
        self.tables[j] = table
        if parents:
            self.segment[j] = self.ties[self.order[parents[0]]].positions
            self.lookahead[parents[0]] += table.best()[self.segment[j]]
        else:
            self.node_bounds[j] = table.best()[0]

    def _segments(self, parent: int) -> int:
        return len(self.ties[self.order[parent]].donors)

    @cached_property
    def bound(self) -> float:
        """Upper bound of the log weight of any row."""
        tops = [j for j in range(len(self.order)) if j not in self.segment]
        return float(self.node_bounds[tops].sum())

    def rows(self, level: float) -> Generator[tuple[np.ndarray, np.ndarray], float | None, None]:
        """Yield rows of log weight at least ``level``, and the log weights, in pieces.

        A higher level may be sent to the generator on the way.
        """
        stack = [Chunk(PartialRows.begin(self.plan, 1), np.zeros(1))]
        while stack:
            chunk = stack.pop()
            if chunk.depth < len(self.order):
                stack += [part for part in self._continue(chunk, level) if len(part)]
            else:
                new_level = yield chunk.partial.columns.T, chunk.log_weights
                level = level if new_level is None else max(level, new_level)

    def _continue(self, chunk: Chunk, level: float) -> list[Chunk]:
        """Add a node to each row; rows that are too many at once are postponed."""
        j, postponed = chunk.depth, []
        if j in self.tables:
            options = self.tables[j]
            need = self._need(chunk, level)
            if j in self.segment:
                segment = self.segment[j][chunk.partial.columns[self.parents[j][0]]]
            else:
                segment = np.zeros(len(chunk), np.int64)
        else:
            representatives, segment = chunk.partial.distinct_pillows(self.order[j])
            if len(representatives) > (limit := max(1, _CELLS // self.plan.rows)):
                is_in_limit = segment < limit
                postponed.append(chunk[~is_in_limit])
                # Representatives are row numbers, which shift when rows are postponed.
                representatives = (np.cumsum(is_in_limit) - 1)[representatives[:limit]]
                chunk, segment = chunk[is_in_limit], segment[is_in_limit]
            need = self._need(chunk, level)
            options = self._evaluate(j, chunk, representatives, segment, need)
        counts = options.counts(segment, need)
        total = np.cumsum(counts)
        if total[-1] > _CHUNK and len(chunk) > 1:
            fits = max(1, int(np.searchsorted(total, _CHUNK, side="right")))
            postponed.append(chunk[fits:])
            chunk, counts, segment = chunk[:fits], counts[:fits], segment[:fits]
        return [*postponed, self._extend(chunk, options, segment, counts)]

    def _need(self, chunk: Chunk, level: float) -> np.ndarray:
        """Return what the next node and its descendants must score to reach the level."""
        if level == -np.inf:
            return np.full(len(chunk), -np.inf)
        reach = chunk.log_weights.copy()
        for successor in range(chunk.depth + 1, len(self.order)):
            if successor in self.segment:
                parent = self.parents[successor][0]
                if parent < chunk.depth:
                    segment = self.segment[successor][chunk.partial.columns[parent]]
                    reach += self.tables[successor].best()[segment]
            elif self.order[successor] in chunk.ready_bounds:
                reach += chunk.ready_bounds[self.order[successor]]
            else:
                reach += self.node_bounds[successor]
        return level - reach

    def _evaluate(
        self,
        j: int,
        chunk: Chunk,
        representatives: np.ndarray,
        segment: np.ndarray,
        need: np.ndarray,
    ) -> Options:
        """Return, for each pillow, the donors that any row with it needs; rounding adds a few."""
        node = self.order[j]
        ties = self.ties[node]
        least = np.full(len(representatives), np.inf)
        np.minimum.at(least, segment, need)
        p = self._odds(node, chunk, representatives)
        lookahead = self.lookahead[j, ties.donors]
        reach = p * np.exp(lookahead) if lookahead.any() else p
        row, column = np.nonzero(reach >= np.exp(np.minimum(least, 0) - _SLACK)[:, None])
        log_p = _log(p[row, column])
        score = log_p + lookahead[column]
        ranking = np.lexsort((-score, row))
        length = np.bincount(row, minlength=len(representatives))
        donors = ties.donors[column[ranking]]
        return Options(np.cumsum(length) - length, length, score[ranking], log_p[ranking], donors)

    def _odds(self, node: Node, chunk: Chunk, rows: np.ndarray) -> np.ndarray:
        self._spend(len(rows) * self.plan.rows * len(self.plan.factorization.pillows[node]))
        return odds(chunk.partial[rows], node, self.ties[node])

    def _extend(
        self, chunk: Chunk, options: Options, segment: np.ndarray, counts: np.ndarray
    ) -> Chunk:
        """Continue each row with its first ``counts`` donors."""
        row = np.repeat(np.arange(len(chunk)), counts)
        rank = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        positions = options.start[segment][row] + rank
        self.rows_begun += len(row)
        self._spend(_ROW * len(row))
        return self._append(chunk[row], options.donor[positions], options.log_p[positions])

    def _append(self, chunk: Chunk, donor: np.ndarray, log_p: np.ndarray) -> Chunk:
        """Add one donor of the next node to each row."""
        j, node = chunk.depth, self.order[chunk.depth]
        ready_bounds = {v: x for v, x in chunk.ready_bounds.items() if v != node}
        grown = Chunk(chunk.partial.append(donor), chunk.log_weights + log_p, ready_bounds)
        for successor in range(j + 2, len(self.order)):
            is_ready = successor not in self.tables and max(self.parents[successor]) == j
            if is_ready and len(grown):
                grown.ready_bounds[self.order[successor]] = self._node_bound(successor, grown)
        return grown

    def _spend(self, cells: float) -> None:
        self.cells_spent += cells
        if self.cells_spent > self.limit:
            raise Unfinished

    def _node_bound(self, j: int, chunk: Chunk) -> np.ndarray:
        """Return the most that a node whose pillow is known can add, by row."""
        node = self.order[j]
        lookahead = self.lookahead[j, self.ties[node].donors]
        representatives, group = chunk.partial.distinct_pillows(node)
        best = np.empty(len(representatives))
        for part in parts(len(representatives), self.plan.rows, _CELLS):
            p = self._odds(node, chunk, representatives[part])
            # One logarithm for each row, not each cell, where no descendant adds a bound.
            log_p = _log(p) + lookahead if lookahead.any() else _log(p.max(axis=1, keepdims=True))
            best[part] = log_p.max(axis=1)
        return best[group]


def _log(p: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(p)
