"""Attenuation: slopes of nodes on their parents in augmented rows, relative to observed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescausal._types import Node
from bayescausal.augmentation.augment import Augmented
from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.donor_draw import parts
from bayescausal.augmentation.donors import Donors, ParentValues, core
from bayescausal.augmentation.regression import features
from bayescausal.thresholds import CLEAR_SLOPE_F

_REPEATS, _DRAWS = 20, 5_000
"""Donors drawn at the causes of each observed row, and about how many are drawn in all."""

_GOLDEN = (5**0.5 - 1) / 2


def compare_slopes(
    augmented: Augmented,
) -> tuple[pd.DataFrame, dict[Node, tuple[float, float]]]:
    """Regress every node on its parents' columns, in observed and in augmented rows.

        ratio = slope by least squares with the weights of the rows / slope in the observed rows

    Nodes that are one number or have two categories; units of a panel are held fixed. A line
    through a curve, or an interaction, depends on where the parents are, and in augmented rows they
    are elsewhere. So of a node whose values are made the ratio for all parents together is that
    of what is made at the observed parents; donors who give their own values have given
    themselves there, so of these it is that of the augmented rows.

    Returns the table of edges, and by node one ratio for all of its parents,
    ``<f_new, f_obs> / <f_obs, f_obs>`` of the fitted values over the observed rows, with its
    Monte-Carlo error, of the order of ``sd(errors) / sd(f_obs) / sqrt(Kish's size)``; no ratio
    where slopes are mostly noise.
    """
    blocks, edges, ratios = augmented.plan.table.blocks, {}, {}
    for node, donors in sorted(augmented.plan.donors.items()):
        child = donors.child
        if child.values.shape[1] > 1 or (child.levels is not None and len(child.levels) != 2):
            continue
        names, is_reported = _columns(donors.parents)
        if not is_reported.any():
            continue
        parents = [blocks[p.name] for p in donors.parents]
        observed_columns = features(parents, [p.values for p in parents])
        observed_slopes, error, clear = _least_squares(observed_columns, child.values[:, 0])
        augmented_columns = features(parents, [augmented.values[p.name] for p in parents])
        root = np.sqrt(augmented.weights / augmented.mass)[:, None]
        design = np.column_stack([np.ones(len(augmented_columns)), augmented_columns]) * root
        target = augmented.values[node][:, 0] * root[:, 0]
        coefficients = np.linalg.lstsq(design, target, rcond=None)[0]
        augmented_slopes = coefficients[1:]
        noise = float(np.linalg.norm(target - design @ coefficients))
        centered = observed_columns - observed_columns.mean(axis=0)
        fitted = centered[:, is_reported] @ observed_slopes[is_reported]
        if clear:
            slopes, size = augmented_slopes, augmented.effective_rows
            if node in augmented.plan.synthetic_nodes:
                slopes, noise, size = _slopes_at_observed(donors, observed_columns)
            projection = fitted @ (centered[:, is_reported] @ slopes[is_reported])
            ratio = float(projection / (fitted @ fitted))
            ratios[node] = ratio, noise / float(fitted.std()) / size**0.5
        for k in np.flatnonzero(is_reported):
            edges[node, names[k]] = {
                "observed": observed_slopes[k],
                "std_error": error[k],
                "augmented": augmented_slopes[k],
                "ratio": augmented_slopes[k] / observed_slopes[k] if observed_slopes[k] else np.nan,
            }
    columns = ["observed", "std_error", "augmented", "ratio"]
    table = pd.DataFrame.from_dict(edges, orient="index", columns=columns)
    table.index = pd.MultiIndex.from_tuples(list(edges), names=["node", "column"])
    return table, ratios


def _slopes_at_observed(donors: Donors, observed: np.ndarray) -> tuple[np.ndarray, float, int]:
    """Regress the values drawn at the observed parents.

    Returns slopes, the standard deviation that drawing adds, and the number of values.

    Where all donors are alike one of them serves for all rows: what it adds is in the constant.
    """
    count, alike = len(observed), core(donors).alike
    repeats = 1 if alike else max(1, min(_REPEATS, _DRAWS // count))
    rows = np.arange(count)
    row = np.repeat(rows, repeats)
    # Stratified within a row, and shifted by the golden ratio so that rows do not share a grid.
    u = (np.tile(np.arange(repeats), count) + row * _GOLDEN % 1) / repeats
    donor = np.zeros(len(row), int)
    for part in () if alike else parts(count, count):
        pillow_values = [ParentValues(p.values[part], rows[part]) for p in donors.parents]
        draws = slice(part.start * repeats, part.stop * repeats)
        donor[draws] = donors.draw(pillow_values, row[draws] - part.start, u[draws])
    values = donors.donate(donor, [ParentValues(p.values[row], row) for p in donors.parents])[:, 0]
    design = np.column_stack([np.ones(len(row)), observed[row]])
    slopes = np.linalg.lstsq(design, values, rcond=None)[0]
    if alike:
        return slopes[1:], 0.0, len(row)
    by_row = values.reshape(count, repeats).std(axis=1)
    noise = by_row.mean() if repeats > 1 else (values - design @ slopes).std()
    return slopes[1:], float(noise), len(row)


def _columns(parents: Sequence[Block]) -> tuple[list[str], np.ndarray]:
    """Return the names of the features, and which of them are reported."""
    names: list[str] = []
    is_reported: list[bool] = []
    for parent in parents:
        levels = parent.levels
        labels = parent.columns if levels is None else [f"{parent.name}={x}" for x in levels[1:]]
        names += labels
        is_reported += [not parent.divides] * len(labels)
    return names, np.array(is_reported, bool)


def _least_squares(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Fit by least squares; return slopes, standard errors, and whether they exceed noise."""
    design = np.column_stack([np.ones(len(x)), x])
    inverse = np.linalg.pinv(design)
    slopes = inverse @ y
    errors = y - design @ slopes
    rank = np.linalg.matrix_rank(design)
    freedom = len(y) - rank
    variance = float(errors @ errors) / freedom if freedom > 0 else np.nan
    spread = np.sqrt(variance * (inverse**2).sum(axis=1))
    explained = float(((design @ slopes - y.mean()) ** 2).sum()) / max(1, rank - 1)
    return slopes[1:], spread[1:], bool(explained > CLEAR_SLOPE_F * variance)
