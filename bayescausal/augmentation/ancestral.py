"""Ancestral sampling: a fixed number of rows from the factorized law, parents first."""

from __future__ import annotations

import numpy as np
from scipy.stats import qmc

from bayescausal._types import Node
from bayescausal.augmentation.donor_draw import parts
from bayescausal.augmentation.factorization import PartialRows, Plan
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
    means are unbiased for those of the factorized law. Columns are in the plan's order.
    """
    u = uniforms(kind, budget, len(plan.order), rng)
    partial = PartialRows.begin(plan, budget)
    for column, node in zip(u.T, plan.order, strict=True):
        partial = partial.append(_donors(partial, node, column))
    return partial.columns.T


def _donors(partial: PartialRows, node: Node, u: np.ndarray) -> np.ndarray:
    """Draw a donor for every row, in chunks; rows of one observed cause share probabilities."""
    plan = partial.plan
    if node not in plan.donors or plan.donors[node].alike:
        return np.minimum((u * plan.rows).astype(np.int32), plan.rows - 1)
    representatives = group = np.arange(len(u))
    (parent, *other_parents) = plan.factorization.pillows[node]
    if not other_parents and parent not in partial.synthetic:
        representatives, group = partial.distinct_pillows(node)
    donors = np.empty(len(u), np.int32)
    by_row = np.argsort(group, kind="stable")
    for part in parts(len(representatives), plan.rows):
        low, high = np.searchsorted(group[by_row], [part.start, part.stop])
        members = by_row[low:high]
        pillow = partial[representatives[part]].pillow(node)
        donors[members] = plan.donors[node].draw(pillow, group[members] - part.start, u[members])
    return donors
