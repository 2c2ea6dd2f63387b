"""Bandwidths by leave-one-out likelihood, with its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.kernels import rule_of_thumb
from bayescausal.errors import SpecError


def likelihood_bandwidths(
    parents: Sequence[Block], own: Block, kernel: str = "gaussian"
) -> list[np.ndarray]:
    """Return the bandwidths of the parents that make each row likely given all others.

        L(h) = sum_t log( sum_{l != t} K_h(x_t - x_l) K_b(y_t - y_l)
                          / sum_{l != t} K_h(x_t - x_l) )

    with Gaussian kernels, ``b`` the node's own bandwidth; maximized over the logarithms of h and b
    by L-BFGS from the normal reference rule. A parent that tells nothing gets a wide bandwidth.

    Parameters
    ----------
    parents : sequence of Block
        Categories have no bandwidth: rows of other categories are left out of both sums.
    own : Block
    kernel : str
        Only ``"gaussian"``.

    Notes
    -----
    Source: Hall, Racine and Li (2004), Cross-validation and the estimation of conditional
    probability densities, JASA 99.
    """
    if kernel != "gaussian":
        raise SpecError("bandwidth='likelihood' is for kernel='gaussian', which has a gradient.")
    rows = len(own.values)
    open_, squares, start = np.zeros((rows, rows)), [], []
    np.fill_diagonal(open_, -np.inf)
    for parent in parents:
        if parent.discrete:
            open_[parent.values != parent.values.T] = -np.inf
        else:
            squares += [(x[:, None] - x) ** 2 for x in parent.values.T]
            start += list(rule_of_thumb(parent.values, "scott"))
    if own.discrete:
        target, own_start = [], []
        match = np.where(own.values == own.values.T, 0.0, np.log(1e-3))
    else:
        target = [(y[:, None] - y) ** 2 for y in own.values.T]
        own_start, match = list(rule_of_thumb(own.values, "scott")), np.zeros((rows, rows))
    used = (open_ > -np.inf).any(axis=1)
    inputs, outputs = np.array(squares), np.array([*squares, *target])

    def loss(log_h: np.ndarray) -> tuple[float, np.ndarray]:
        precision = np.exp(-2 * log_h)
        q = len(squares)
        below = open_ - 0.5 * np.tensordot(precision[:q], inputs, 1) if q else open_
        above = below + match
        if target:
            above = above - 0.5 * np.tensordot(precision[q:], outputs[q:], 1)
        above, below = above[used], below[used]
        top, bottom = logsumexp(above, axis=1), logsumexp(below, axis=1)
        a = np.exp(above - top[:, None])
        b = np.exp(below - bottom[:, None])
        slope = np.array([(a * d[used]).sum() for d in outputs]) * precision
        slope[:q] -= np.array([(b * d[used]).sum() for d in inputs]) * precision[:q]
        slope[q:] -= used.sum()
        value = (top - bottom).sum() - used.sum() * log_h[q:].sum()
        return -value, -slope

    begin = np.log([*start, *own_start])
    bounds = [(b - 6, b + 6) for b in begin]
    if len(begin):
        found = np.exp(minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds).x)
    out, at = [], 0
    for parent in parents:
        width = parent.values.shape[1]
        if parent.discrete:
            out.append(np.ones(width))
        else:
            out.append(found[at : at + width])
            at += width
    return out
