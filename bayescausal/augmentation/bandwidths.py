"""Bandwidths that maximize the leave-one-out likelihood, by its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.kernels import rule_of_thumb

MOST_ROWS = 1_000
"""Rows on which the likelihood is computed; of more, so many are taken, evenly spread."""

_NARROWER, _WIDER = 2.0, 6.0
"""How far, in logarithms, a bandwidth may go from the rule. Ties, or a few close pairs, would draw
it to zero; a node's own is not let go to infinity either."""

_UNLIKE = np.log(1e-3)
"""Log kernel of two different categories of the node itself. With a kernel of zero, one row of a
category of its own would make the likelihood zero at every bandwidth."""


def likelihood_bandwidths(parents: Sequence[Block], child: Block) -> list[np.ndarray]:
    """Return the bandwidths of the parents that make each row likely given all others.

        L(h, b) = sum_t log( sum_{l != t} K_h(x_t - x_l) K_b(y_t - y_l)
                             / sum_{l != t} K_h(x_t - x_l) )

    with Gaussian kernels, ``b`` the node's own bandwidth; maximized over the logarithms of h and b
    by L-BFGS from the normal reference rule. A parent that tells nothing gets a wide bandwidth.
    Categories have none: rows of other categories are left out of both sums.

    Notes
    -----
    Of more than `MOST_ROWS` rows a part is used, and ``h`` scaled by ``n^(-1/5)`` to all of them.
    Source: Hall, Racine and Li (2004), Cross-validation and the estimation of conditional
    probability densities, JASA 99.
    """
    rows = len(child.values)
    sample = np.unique(np.linspace(0, rows - 1, min(rows, MOST_ROWS)).astype(int))
    search = Search.from_blocks(
        [replace(p, values=p.values[sample]) for p in parents],
        replace(child, values=child.values[sample]),
    )
    vector = search.best() * (rows / len(sample)) ** -0.2
    bandwidths, offset = [], 0
    for parent in parents:
        width = parent.values.shape[1]
        if parent.discrete:
            bandwidths.append(np.ones(width))
        else:
            bandwidths.append(vector[offset : offset + width])
            offset += width
    return bandwidths


@dataclass(frozen=True, eq=False)
class Search:
    """The leave-one-out likelihood as a function of the logarithms of the bandwidths.

    Parameters
    ----------
    inputs, outputs : array, shape (column, row, row)
        Squared differences of the continuous parents, and of the node if it is continuous.
    exclusion, match : array, shape (row, row)
        ``-inf`` for rows that are not compared: a row with itself, other categories; and the
        kernel of the node's own categories.
    start : array
        Logarithms of the bandwidths of the rule, inputs before outputs.
    """

    inputs: np.ndarray
    outputs: np.ndarray
    exclusion: np.ndarray
    match: np.ndarray
    start: np.ndarray

    @classmethod
    def from_blocks(cls, parents: Sequence[Block], child: Block) -> Search:
        """Compute the squared differences of all pairs of rows."""
        rows = len(child.values)
        exclusion, match = np.zeros((rows, rows)), np.zeros((rows, rows))
        np.fill_diagonal(exclusion, -np.inf)
        for parent in parents:
            if parent.discrete:
                exclusion[parent.values != parent.values.T] = -np.inf
        if child.discrete:
            match[child.values != child.values.T] = _UNLIKE
        inputs = [p for p in parents if not p.discrete]
        outputs = [] if child.discrete else [child]
        start = [rule_of_thumb(b.values, "scott") for b in (*inputs, *outputs)]
        # A row that no other is comparable with has no leave-one-out density.
        compared = (exclusion > -np.inf).any(axis=1)
        return cls(
            _squares(inputs, rows)[:, compared],
            _squares(outputs, rows)[:, compared],
            exclusion[compared],
            match[compared],
            np.log(np.concatenate(start)) if start else np.zeros(0),
        )

    def loss(self, log_h: np.ndarray) -> tuple[float, np.ndarray]:
        """Return minus the log likelihood, and its gradient."""
        precision, q = np.exp(-2 * log_h), len(self.inputs)
        log_denominator = self.exclusion - 0.5 * np.tensordot(precision[:q], self.inputs, 1)
        log_numerator = (
            log_denominator + self.match - 0.5 * np.tensordot(precision[q:], self.outputs, 1)
        )
        top, bottom = logsumexp(log_numerator, axis=1), logsumexp(log_denominator, axis=1)
        a, b = np.exp(log_numerator - top[:, None]), np.exp(log_denominator - bottom[:, None])
        inward = np.tensordot(self.inputs, a - b, 2) * precision[:q]
        outward = np.tensordot(self.outputs, a, 2) * precision[q:] - len(a)
        value = (top - bottom).sum() - len(a) * log_h[q:].sum()
        return -value, -np.concatenate([inward, outward])

    def best(self) -> np.ndarray:
        """Return the bandwidths of greatest likelihood, within bounds around the rule's."""
        if not len(self.start) or not len(self.exclusion):
            return np.exp(self.start)
        wider = np.repeat([_WIDER, _NARROWER], [len(self.inputs), len(self.outputs)])
        bounds = list(zip(self.start - _NARROWER, self.start + wider, strict=True))
        optimum = minimize(self.loss, self.start, jac=True, method="L-BFGS-B", bounds=bounds)
        return np.exp(optimum.x)


def _squares(blocks: Sequence[Block], rows: int) -> np.ndarray:
    """Return the squared differences of every column, shape ``(column, row, row)``."""
    columns = [x for block in blocks for x in block.values.T]
    return np.array([(x[:, None] - x) ** 2 for x in columns]).reshape(len(columns), rows, rows)
