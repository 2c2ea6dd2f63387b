"""Enumeration of all rows above a weight: depth first, cut by what can still be reached."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.donor_odds import Ties, distinct, odds, parts
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
    """The search has done all the work that it may."""


@dataclass(frozen=True, eq=False)
class Options:
    """Donors of a node in segments, one for each value of its pillow, likeliest first.

    Parameters
    ----------
    start, length : array of int, shape (segment,)
    score : array
        Log probability plus the most that nodes below this one can add; descending in a segment.
    log_p : array
    donor : array of int
    """

    start: np.ndarray
    length: np.ndarray
    score: np.ndarray
    log_p: np.ndarray
    donor: np.ndarray

    @classmethod
    def dense(cls, log_p: np.ndarray, ahead: np.ndarray, donors: np.ndarray) -> Options:
        """Sort full rows, shape ``(segment, donor)``."""
        count, width = log_p.shape
        by = np.argsort(-(log_p + ahead), axis=1, kind="stable")
        ordered = np.take_along_axis(log_p, by, axis=1)
        start, length = np.arange(count) * width, np.full(count, width)
        score = ordered + ahead[by]
        return cls(start, length, score.ravel(), ordered.ravel(), donors[by].ravel())

    def counts(self, segment: np.ndarray, need: np.ndarray) -> np.ndarray:
        """How many donors of a segment score at least ``need``: a binary search for every row."""
        found = np.zeros(len(segment), np.int64)
        if not len(self.score):
            return found
        start, length = self.start[segment], self.length[segment]
        last = len(self.score) - 1
        step = 1 << int(self.length.max(initial=0)).bit_length()
        while step := step >> 1:
            probe = found + step
            at = np.minimum(start + probe - 1, last)
            found = np.where((probe <= length) & (self.score[at] >= need), probe, found)
        return found

    def best(self) -> np.ndarray:
        """Highest score of each segment, all of which have donors."""
        return self.score[self.start]


@dataclass(eq=False)
class Chunk:
    """Rows drawn as far as the node ``depth``.

    Parameters
    ----------
    depth : int
    indices : array of int32, shape (row, depth)
    log_weights : array
    made : mapping of node to array
    ready : mapping of node to array
        The most that a node can add whose pillow is known, by row.
    """

    depth: int
    indices: np.ndarray
    log_weights: np.ndarray
    made: dict[Node, np.ndarray] = field(default_factory=dict)
    ready: dict[Node, np.ndarray] = field(default_factory=dict)

    def __getitem__(self, rows: slice | np.ndarray) -> Chunk:
        made = {v: x[rows] for v, x in self.made.items()}
        ready = {v: x[rows] for v, x in self.ready.items()}
        return Chunk(self.depth, self.indices[rows], self.log_weights[rows], made, ready)

    def __len__(self) -> int:
        return len(self.log_weights)


class Search:
    """All rows of a plan whose weight reaches a level.

    A row drawn in part is cut when its weight, times a bound for every node to come, is too small:

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
        self.spent, self.begun = 0.0, 0
        self.ties = {v: Ties.of(plan, v, merge) for v in plan.order}
        self.parents = [
            [plan.order.index(p) for p in plan.factorization.pillows[v]] for v in plan.order
        ]
        self.tables: dict[int, Options] = {}
        self.segment: dict[int, np.ndarray] = {}
        self.ahead = np.zeros((len(plan.order), plan.rows))
        self.most = np.zeros(len(plan.order))
        for at in reversed(range(len(plan.order))):
            self._tabulate(at)

    def _tabulate(self, at: int) -> None:
        """Sort the donors of a root, or of a node with one observed parent; hand bounds upward."""
        plan, node, parents = self.plan, self.order[at], self.parents[at]
        ties = self.ties[node]
        ahead = self.ahead[at, ties.donors]
        single = len(parents) == 1 and self.order[parents[0]] not in plan.moved
        if parents and not (single and self._segments(parents[0]) * len(ties.donors) <= _TABLE):
            self.most[at] = ahead.max()
            return
        indices = np.zeros((1, len(self.order)), np.int32)
        if parents:
            above = self.ties[self.order[parents[0]]]
            indices = np.zeros((len(above.donors), len(self.order)), np.int32)
            indices[:, parents[0]] = above.donors
        table = Options.dense(_log(odds(plan, node, indices, {}, ties)), ahead, ties.donors)
        self.tables[at] = table
        if parents:
            above = self.ties[self.order[parents[0]]]
            self.segment[at] = np.empty(plan.rows, np.int64)
            lengths = np.diff(above.starts, append=plan.rows)
            self.segment[at][above.rows] = np.repeat(np.arange(len(above.donors)), lengths)
            self.ahead[parents[0]] += table.best()[self.segment[at]]
        else:
            self.most[at] = table.best()[0]

    def _segments(self, parent: int) -> int:
        return len(self.ties[self.order[parent]].donors)

    @cached_property
    def bound(self) -> float:
        """No row is likelier than this, as a logarithm."""
        tops = [at for at in range(len(self.order)) if at not in self.segment]
        return float(self.most[tops].sum())

    def rows(self, level: float) -> Generator[tuple[np.ndarray, np.ndarray], float | None, None]:
        """Yield rows of log weight at least ``level``, and the log weights, in pieces.

        A higher level may be sent to the generator on the way.
        """
        stack = [Chunk(0, np.zeros((1, 0), np.int32), np.zeros(1))]
        while stack:
            chunk = stack.pop()
            if chunk.depth < len(self.order):
                stack += [more for more in self._continued(chunk, level) if len(more)]
            else:
                raised = yield chunk.indices, chunk.log_weights
                level = level if raised is None else max(level, raised)

    def foreseen(self, rows: np.ndarray) -> Callable[[float], float]:
        """Return the work that finding all rows above a log weight takes, as a function of it.

        The number of rows begun is estimated from rows drawn from the law: E[1(begun) / w] for
        each length, w the weight of the beginning. It is exact for roots.
        """
        chunk = Chunk(0, np.zeros((len(rows), 0), np.int32), np.zeros(len(rows)))
        reach, weights = np.full(len(rows), np.inf), []
        for at, node in enumerate(self.order):
            ties, donor = self.ties[node], rows[:, at]
            place = np.empty(self.plan.rows, np.int64)
            place[ties.rows] = np.repeat(
                np.arange(len(ties.donors)), np.diff(ties.starts, append=self.plan.rows)
            )
            log_p = np.empty(len(rows))
            for part in parts(len(rows), self.plan.rows, _CELLS):
                p = self._odds(node, chunk, np.arange(len(rows))[part])
                log_p[part] = _log(p[np.arange(len(p)), place[donor[part]]])
            reach = np.minimum(reach, log_p + self.ahead[at, donor] - self._need(chunk, 0.0))
            chunk = self._grown(chunk, donor, log_p)
            weights.append((reach, chunk.log_weights))
        return lambda level: self._work(
            [1.0] + [float(np.exp(-w[r >= level]).sum()) / len(rows) for r, w in weights]
        )

    def _work(self, begun: Sequence[float]) -> float:
        """Cells of a search that begins so many rows of each length."""
        total = _ROW * sum(begun)
        for at, parents in enumerate(self.parents):
            if at in self.tables:
                continue
            above = [self.order[p] for p in parents]
            made = any(v in self.plan.moved for v in above)
            kinds = np.inf if made else np.prod([float(len(self.ties[v].donors)) for v in above])
            for depth in {at, max(parents) + 1}:  # its donors, and its bound as soon as it is known
                count = begun[depth]
                pillows = min(count, kinds * np.ceil(count / _CHUNK))
                total += pillows * self.plan.rows * len(parents)
        return total

    def _continued(self, chunk: Chunk, level: float) -> list[Chunk]:
        """Add a node; what is too much at once is put back."""
        at, back = chunk.depth, []
        if at in self.tables:
            options = self.tables[at]
            need = self._need(chunk, level)
            if at in self.segment:
                segment = self.segment[at][chunk.indices[:, self.parents[at][0]]]
            else:
                segment = np.zeros(len(chunk), np.int64)
        else:
            first, segment = distinct(self.plan, self.order[at], chunk.indices, chunk.made)
            if len(first) > (limit := max(1, _CELLS // self.plan.rows)):
                now = segment < limit
                back.append(chunk[~now])
                chunk, segment, first = (
                    chunk[now],
                    segment[now],
                    (np.cumsum(now) - 1)[first[:limit]],
                )
            need = self._need(chunk, level)
            options = self._evaluated(at, chunk, first, segment, need)
        counts = options.counts(segment, need)
        total = np.cumsum(counts)
        if total[-1] > _CHUNK and len(chunk) > 1:
            fits = max(1, int(np.searchsorted(total, _CHUNK, side="right")))
            back.append(chunk[fits:])
            chunk, counts, segment = chunk[:fits], counts[:fits], segment[:fits]
        return [*back, self._added(chunk, options, segment, counts)]

    def _need(self, chunk: Chunk, level: float) -> np.ndarray:
        """What the next node, with all below it, must score for the row to reach the level."""
        if level == -np.inf:
            return np.full(len(chunk), -np.inf)
        reach = chunk.log_weights.copy()
        for later in range(chunk.depth + 1, len(self.order)):
            if later in self.segment:
                parent = self.parents[later][0]
                if parent < chunk.depth:
                    segment = self.segment[later][chunk.indices[:, parent]]
                    reach += self.tables[later].best()[segment]
            elif self.order[later] in chunk.ready:
                reach += chunk.ready[self.order[later]]
            else:
                reach += self.most[later]
        return level - reach

    def _evaluated(
        self, at: int, chunk: Chunk, first: np.ndarray, segment: np.ndarray, need: np.ndarray
    ) -> Options:
        """Donors that any row with a pillow needs, and a few more by rounding, for each pillow."""
        node = self.order[at]
        ties = self.ties[node]
        least = np.full(len(first), np.inf)
        np.minimum.at(least, segment, need)
        p = self._odds(node, chunk, first)
        ahead = self.ahead[at, ties.donors]
        reach = p * np.exp(ahead) if ahead.any() else p
        which, column = np.nonzero(reach >= np.exp(np.minimum(least, 0) - _SLACK)[:, None])
        log_p = _log(p[which, column])
        score = log_p + ahead[column]
        by = np.lexsort((-score, which))
        length = np.bincount(which, minlength=len(first))
        donors = ties.donors[column[by]]
        return Options(np.cumsum(length) - length, length, score[by], log_p[by], donors)

    def _odds(self, node: Node, chunk: Chunk, rows: np.ndarray) -> np.ndarray:
        self._spend(len(rows) * self.plan.rows * len(self.plan.factorization.pillows[node]))
        part = chunk[rows]
        return odds(self.plan, node, part.indices, part.made, self.ties[node])

    def _added(
        self, chunk: Chunk, options: Options, segment: np.ndarray, counts: np.ndarray
    ) -> Chunk:
        """Continue each row with its first ``counts`` donors."""
        row = np.repeat(np.arange(len(chunk)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        place = options.start[segment][row] + within
        self.begun += len(row)
        self._spend(_ROW * len(row))
        return self._grown(chunk[row], options.donor[place], options.log_p[place])

    def _grown(self, chunk: Chunk, donor: np.ndarray, log_p: np.ndarray) -> Chunk:
        """Add one donor of the next node to each row."""
        at, node = chunk.depth, self.order[chunk.depth]
        donor = donor.astype(np.int32)
        indices = np.concatenate([chunk.indices, donor[:, None]], axis=1)
        made, ready = dict(chunk.made), {v: x for v, x in chunk.ready.items() if v != node}
        grown = Chunk(at + 1, indices, chunk.log_weights + log_p, made, ready)
        if node in self.plan.moved:
            given = self.plan.given(node, grown.indices, grown.made)
            grown.made[node] = self.plan.donors[node].donate(donor, given)
        for later in range(at + 2, len(self.order)):
            known = later not in self.tables and max(self.parents[later]) == at
            if known and len(grown):
                grown.ready[self.order[later]] = self._best(later, grown)
        return grown

    def _spend(self, cells: float) -> None:
        self.spent += cells
        if self.spent > self.limit:
            raise Unfinished

    def _best(self, at: int, chunk: Chunk) -> np.ndarray:
        """The most that a node whose pillow is known can add, by row."""
        node = self.order[at]
        ahead = self.ahead[at, self.ties[node].donors]
        first, which = distinct(self.plan, node, chunk.indices, chunk.made)
        best = np.empty(len(first))
        for part in parts(len(first), self.plan.rows, _CELLS):
            p = self._odds(node, chunk, first[part])
            best[part] = (_log(p) + ahead).max(axis=1) if ahead.any() else _log(p.max(axis=1))
        return best[which]


def _log(p: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(p)
