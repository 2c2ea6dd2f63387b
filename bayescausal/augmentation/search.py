"""Enumeration of all rows above a weight: a depth-first search, cut by upper bounds."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.donor_odds import Ties, distinct_pillows, odds, parts
from bayescausal.augmentation.factorization import Plan

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


@dataclass(eq=False)
class Chunk:
    """Rows drawn as far as the node ``depth``.

    Parameters
    ----------
    depth : int
    indices : array of int32, shape (row, depth)
    log_weights : array
    synthetic_values : mapping of node to array
    ready_bounds : mapping of node to array
        The most that a node can add whose pillow is known, by row.
    """

    depth: int
    indices: np.ndarray
    log_weights: np.ndarray
    synthetic_values: dict[Node, np.ndarray] = field(default_factory=dict)
    ready_bounds: dict[Node, np.ndarray] = field(default_factory=dict)

    def __getitem__(self, rows: slice | np.ndarray) -> Chunk:
        synthetic_values = {v: x[rows] for v, x in self.synthetic_values.items()}
        ready_bounds = {v: x[rows] for v, x in self.ready_bounds.items()}
        return Chunk(
            self.depth, self.indices[rows], self.log_weights[rows], synthetic_values, ready_bounds
        )

    def __len__(self) -> int:
        return len(self.log_weights)


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
        indices = np.zeros((1, len(self.order)), np.int32)
        if parents:
            parent_ties = self.ties[self.order[parents[0]]]
            indices = np.zeros((len(parent_ties.donors), len(self.order)), np.int32)
            indices[:, parents[0]] = parent_ties.donors
        table = Options.dense(_log(odds(plan, node, indices, {}, ties)), lookahead, ties.donors)
        self.tables[j] = table
        if parents:
            parent_ties = self.ties[self.order[parents[0]]]
            self.segment[j] = np.empty(plan.rows, np.int64)
            lengths = np.diff(parent_ties.starts, append=plan.rows)
            segments = np.repeat(np.arange(len(parent_ties.donors)), lengths)
            self.segment[j][parent_ties.rows] = segments
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
        stack = [Chunk(0, np.zeros((1, 0), np.int32), np.zeros(1))]
        while stack:
            chunk = stack.pop()
            if chunk.depth < len(self.order):
                stack += [part for part in self._continue(chunk, level) if len(part)]
            else:
                new_level = yield chunk.indices, chunk.log_weights
                level = level if new_level is None else max(level, new_level)

    def expected_work(self, rows: np.ndarray) -> Callable[[float], float]:
        """Return the expected work of a search, as a function of its log weight.

        The number of rows begun is estimated from rows drawn from the law: E[1(begun) / w] for
        each length, w the weight of the beginning. It is exact for roots.
        """
        chunk = Chunk(0, np.zeros((len(rows), 0), np.int32), np.zeros(len(rows)))
        reach, weights = np.full(len(rows), np.inf), []
        for j, node in enumerate(self.order):
            ties, donor = self.ties[node], rows[:, j]
            positions = np.empty(self.plan.rows, np.int64)
            positions[ties.rows] = np.repeat(
                np.arange(len(ties.donors)), np.diff(ties.starts, append=self.plan.rows)
            )
            log_p = np.empty(len(rows))
            for part in parts(len(rows), self.plan.rows, _CELLS):
                p = self._odds(node, chunk, np.arange(len(rows))[part])
                log_p[part] = _log(p[np.arange(len(p)), positions[donor[part]]])
            reach = np.minimum(reach, log_p + self.lookahead[j, donor] - self._need(chunk, 0.0))
            chunk = self._append(chunk, donor, log_p)
            weights.append((reach, chunk.log_weights))
        return lambda level: self._work(
            [1.0] + [float(np.exp(-w[r >= level]).sum()) / len(rows) for r, w in weights]
        )

    def _work(self, row_counts: Sequence[float]) -> float:
        """Return the cells of a search that begins ``row_counts`` rows of each length."""
        total = _ROW * sum(row_counts)
        for j, parents in enumerate(self.parents):
            if j in self.tables:
                continue
            parent_nodes = [self.order[p] for p in parents]
            has_synthetic_parent = any(v in self.plan.synthetic_nodes for v in parent_nodes)
            value_counts = [float(len(self.ties[v].donors)) for v in parent_nodes]
            # With a synthetic parent every row has a pillow of its own.
            kinds = np.inf if has_synthetic_parent else np.prod(value_counts)
            for depth in {j, max(parents) + 1}:  # its donors, and its bound as soon as it is known
                count = row_counts[depth]
                pillows = min(count, kinds * np.ceil(count / _CHUNK))
                total += pillows * self.plan.rows * len(parents)
        return total

    def _continue(self, chunk: Chunk, level: float) -> list[Chunk]:
        """Add a node to each row; rows that are too many at once are postponed."""
        j, postponed = chunk.depth, []
        if j in self.tables:
            options = self.tables[j]
            need = self._need(chunk, level)
            if j in self.segment:
                segment = self.segment[j][chunk.indices[:, self.parents[j][0]]]
            else:
                segment = np.zeros(len(chunk), np.int64)
        else:
            representatives, segment = distinct_pillows(
                self.plan, self.order[j], chunk.indices, chunk.synthetic_values
            )
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
                    segment = self.segment[successor][chunk.indices[:, parent]]
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
        part = chunk[rows]
        return odds(self.plan, node, part.indices, part.synthetic_values, self.ties[node])

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
        donor = donor.astype(np.int32)
        indices = np.concatenate([chunk.indices, donor[:, None]], axis=1)
        synthetic_values = dict(chunk.synthetic_values)
        ready_bounds = {v: x for v, x in chunk.ready_bounds.items() if v != node}
        grown = Chunk(j + 1, indices, chunk.log_weights + log_p, synthetic_values, ready_bounds)
        if node in self.plan.synthetic_nodes:
            pillow_values = self.plan.pillow_values(node, grown.indices, grown.synthetic_values)
            grown.synthetic_values[node] = self.plan.donors[node].donate(donor, pillow_values)
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
        representatives, group = distinct_pillows(
            self.plan, node, chunk.indices, chunk.synthetic_values
        )
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
