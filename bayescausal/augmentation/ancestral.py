"""Ancestral sampling: a fixed number of rows from the factorized law, parents first."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy.stats import qmc

from bayescausal.augmentation.donor_draw import CELLS
from bayescausal.augmentation.factorization import Plan

type Uniforms = Literal["latin", "sobol", "independent"]

UNIFORMS: tuple[str, ...] = get_args(Uniforms.__value__)


def uniforms(kind: Uniforms, rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Return points in the unit cube, each uniform on it, together more even than chance.

    Parameters
    ----------
    kind : {"latin", "sobol", "independent"}
        Latin hypercube: one point in each of ``rows`` strata of every node. Scrambled Sobol: even
        in several nodes at once, best when ``rows`` is a power of two.
    """
    if kind == "latin":
        return qmc.LatinHypercube(columns, rng=rng).random(rows)
    if kind == "sobol":
        points = qmc.Sobol(columns, scramble=True, rng=rng)
        return points.random_base2(int(np.ceil(np.log2(max(rows, 1)))))[:rows]
    return rng.random((rows, columns))


def ancestral(plan: Plan, budget: int, kind: Uniforms, rng: np.random.Generator) -> np.ndarray:
    """Draw rows, each of weight ``1 / budget``.

        i_j ~ P(k | values of the pillow of j),    by the inverse distribution function

    Its cost is rows x observed rows x size of the pillows, and it never comes out empty. Weighted
    means are unbiased for those of the factorized law.

    Returns
    -------
    array of int32, shape (budget, block)
        Columns in the plan's order.
    """
    order, rows = plan.order, plan.rows
    u = uniforms(kind, budget, len(order), rng)
    indices = np.empty((budget, len(order)), np.int32, order="F")
    made: dict[str, np.ndarray] = {}
    for at, node in enumerate(order):
        if node not in plan.donors:
            indices[:, at] = np.minimum((u[:, at] * rows).astype(np.int32), rows - 1)
            continue
        indices[:, at] = _donors(plan, node, indices, made, u[:, at])
        if node in plan.moved:
            given = plan.given(node, indices, made)
            made[node] = plan.donors[node].donate(indices[:, at], given)
    return indices


def _donors(
    plan: Plan, node: str, indices: np.ndarray, made: dict[str, np.ndarray], u: np.ndarray
) -> np.ndarray:
    """Draw a donor for every row, in chunks, once for each distinct value of the pillow."""
    if plan.donors[node].alike:
        return np.minimum((u * plan.rows).astype(np.int32), plan.rows - 1)
    pillow = plan.factorization.pillows[node]
    single = len(pillow) == 1 and pillow[0] not in made
    which = np.arange(len(u))
    if single:  # no more distinct pillows than observed rows
        parent = indices[:, plan.order.index(pillow[0])]
        first, which = np.unique(parent, return_index=True, return_inverse=True)[1:]
    else:
        first = which
    out = np.empty(len(u), np.int32)
    chunk = max(1, CELLS // plan.rows)
    by_row = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[by_row], np.arange(0, len(first) + chunk, chunk))
    for k, start in enumerate(range(0, len(first), chunk)):
        part = first[start : start + chunk]
        given = plan.given(node, indices[part], {v: x[part] for v, x in made.items()})
        chosen = by_row[ends[k] : ends[k + 1]]
        out[chosen] = plan.donors[node].draw(given, which[chosen] - start, u[chosen])
    return out
