"""Ancestral sampling: a fixed number of rows from the factorized law, parents first."""

from __future__ import annotations

import numpy as np
from scipy.stats import qmc

from bayescausal.augmentation.donor_draw import CELLS
from bayescausal.augmentation.factorization import Plan
from bayescausal.specs.row_methods import Uniforms


def uniforms(kind: Uniforms, rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Return points on the unit cube, of a kind that `Ancestral` names."""
    if kind == "latin":
        return qmc.LatinHypercube(columns, rng=rng).random(rows)
    if kind == "sobol":
        points = qmc.Sobol(columns, scramble=True, rng=rng)
        return points.random_base2(int(np.ceil(np.log2(max(rows, 1)))))[:rows]
    return rng.random((rows, columns))


def ancestral(plan: Plan, budget: int, kind: Uniforms, rng: np.random.Generator) -> np.ndarray:
    """Draw ``budget`` rows of equal weight from the factorized law, parents before children.

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
    # Columns are read and written whole, hence the order in memory.
    indices = np.empty((budget, len(order)), np.int32, order="F")
    synthetic_values: dict[str, np.ndarray] = {}
    for column, node in enumerate(order):
        if node not in plan.donors:
            indices[:, column] = np.minimum((u[:, column] * rows).astype(np.int32), rows - 1)
            continue
        indices[:, column] = _donors(plan, node, indices, synthetic_values, u[:, column])
        if node in plan.synthetic_nodes:
            pillow_values = plan.pillow_values(node, indices, synthetic_values)
            synthetic_values[node] = plan.donors[node].donate(indices[:, column], pillow_values)
    return indices


def _donors(
    plan: Plan,
    node: str,
    indices: np.ndarray,
    synthetic_values: dict[str, np.ndarray],
    u: np.ndarray,
) -> np.ndarray:
    """Draw a donor for every row, in chunks; rows with equal pillows share its probabilities."""
    if plan.donors[node].alike:
        return np.minimum((u * plan.rows).astype(np.int32), plan.rows - 1)
    pillow = plan.factorization.pillows[node]
    single = len(pillow) == 1 and pillow[0] not in synthetic_values
    group = np.arange(len(u))
    if single:  # no more distinct pillows than observed rows
        parent = indices[:, plan.order.index(pillow[0])]
        representatives, group = np.unique(parent, return_index=True, return_inverse=True)[1:]
    else:
        representatives = group
    donors = np.empty(len(u), np.int32)
    chunk = max(1, CELLS // plan.rows)
    by_row = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[by_row], np.arange(0, len(representatives) + chunk, chunk))
    for k, start in enumerate(range(0, len(representatives), chunk)):
        chunk_rows = representatives[start : start + chunk]
        pillow_values = plan.pillow_values(
            node, indices[chunk_rows], {v: x[chunk_rows] for v, x in synthetic_values.items()}
        )
        members = by_row[ends[k] : ends[k + 1]]
        donors[members] = plan.donors[node].draw(pillow_values, group[members] - start, u[members])
    return donors
