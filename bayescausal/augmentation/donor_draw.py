"""One step of the sampler: it computes the probability of every donor and draws one.

    P[r, k] = exp(s[r, k]) / sum_l exp(s[r, l]),    s[r, k] = sum_p T_p[i_p(r), k]

``T_p`` is the table of log kernels of a parent, ``i_p(r)`` the row that the parent was taken from.
The step knows no graph, so PyTensor compiles it once, for all graphs and sizes, and keeps it on
disk; numpy does the same, and is used unless there is very much to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

import numpy as np
import pytensor
import pytensor.tensor as pt

type Engine = Literal["numpy", "pytensor"]

CELLS = 2_000_000
"""Probabilities that are computed at once, 16 MB: rows are processed in such chunks."""

_COMPILED_TERMS = 1e10
"""Terms (rows x donors x parents) above which the compiled step is taken. Up to 5e8, the largest
that was timed, numpy is done sooner (benchmarks/RESULTS.md), so the mark lies well beyond."""

_SMALLEST = -700.0
"""Log weight, relative to the largest, below which a weight is zero."""


def parts(count: int, width: int, cells: int = CELLS) -> Iterator[slice]:
    """Split ``count`` rows of ``width`` cells into chunks of at most ``cells``."""
    step = max(1, cells // max(width, 1))
    return (slice(start, start + step) for start in range(0, count, step))


def engine_for(work: float) -> Engine:
    """Choose the engine by the number of terms, rows x donors x parents, of all nodes."""
    return "pytensor" if work > _COMPILED_TERMS else "numpy"


def probabilities(tables: np.ndarray, index: np.ndarray, engine: Engine = "numpy") -> np.ndarray:
    """Return the probability of each donor, given the rows that the parents were taken from.

    `tables` has log kernels, shape (parent, row, row), and `index` shape (given, parent); the
    values, shape (given, row), add up to one by row. Both engines give the same numbers.
    """
    if engine == "pytensor":
        return compiled_step()(tables, index.astype(np.int64))
    score = tables[0][index[:, 0]]
    for table, rows in zip(tables[1:], index.T[1:], strict=True):
        score += table[rows]
    return softmax(score)


@cache
def compiled_step() -> Any:
    """Compile the step ``(tables, index) -> probabilities``; PyTensor caches it on disk."""
    tables, index = pt.tensor3("tables", dtype="float64"), pt.lmatrix("index")
    parents = pt.arange(tables.shape[0])
    score = tables[parents[None, :], index].sum(axis=1)
    weight = pt.exp(score - score.max(axis=1, keepdims=True))
    return pytensor.function(
        [tables, index], weight / weight.sum(axis=1, keepdims=True), mode="NUMBA", trust_input=True
    )


def softmax(score: np.ndarray) -> np.ndarray:
    """Return the softmax of ``score`` over its last axis; ``score`` is overwritten.

    A value unlike all that was observed has the nearest ones as donors, never 0/0: scores are
    compared before they are exponentiated. Where every score is ``-inf`` all donors are alike.
    """
    top = score.max(axis=-1, keepdims=True)
    score -= np.where(np.isfinite(top), top, 0.0)
    score[~np.isfinite(top[..., 0])] = 0.0
    is_negligible = score < _SMALLEST  # exp is slow where it underflows
    score[is_negligible] = _SMALLEST
    np.exp(score, out=score)
    score[is_negligible] = 0.0
    score /= score.sum(axis=-1, keepdims=True)
    return score


def draw(probability: np.ndarray, rows: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Draw a donor for each uniform ``u`` by the inverse of the distribution function.

    ``rows`` says which row of ``probability`` a draw is from. A donor of probability zero is never
    drawn.
    """
    cumulative = np.cumsum(probability, axis=1)
    cumulative /= cumulative[:, -1:]
    cumulative += np.arange(len(cumulative))[:, None]
    # Row r of the cumulative sums is shifted to [r, r + 1], so one search serves all rows.
    positions = np.searchsorted(cumulative.ravel(), rows + u, side="right")
    # Rounding may carry u past the last donor that has any probability.
    last = probability.shape[1] - 1 - (probability[:, ::-1] > 0).argmax(axis=1)
    return np.minimum(positions - rows * probability.shape[1], last[rows])
