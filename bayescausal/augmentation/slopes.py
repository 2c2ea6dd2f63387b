"""Attenuation: the slopes of nodes on their parents in augmented rows against observed ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescausal._types import Node
from bayescausal.augmentation.augment import Augmented
from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.donor_draw import CELLS
from bayescausal.augmentation.donors import Donors, Given, core
from bayescausal.augmentation.regression import features

_REPEATS, _DRAWN = 20, 5_000
"""Donors that are drawn at the causes of each observed row, and about how many in all."""

_GOLDEN = (5**0.5 - 1) / 2

_CLEAR = 4.0
"""F statistic of the parents below which their slope in the observed rows is mostly noise."""


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

    Returns
    -------
    edges : pandas.DataFrame
        By node and column: ``observed``, ``std_error``, ``augmented``, ``ratio``.
    together : dict of str to tuple of two floats
        By node one ratio for all of its parents, ``<f_new, f_obs> / <f_obs, f_obs>`` of the
        fitted values over the observed rows, and its Monte-Carlo error, of the order of
        ``sd(errors) / sd(f_obs) / sqrt(Kish's size)``; absent where slopes are mostly noise.
    """
    blocks, edges, together = augmented.plan.table.blocks, {}, {}
    for node, donors in sorted(augmented.plan.donors.items()):
        own = donors.own
        if own.values.shape[1] > 1 or (own.levels is not None and len(own.levels) != 2):
            continue
        names, kept = _columns(donors.parents)
        if not kept.any():
            continue
        parents = [blocks[p.name] for p in donors.parents]
        observed = features(parents, [p.values for p in parents])
        slopes, error, clear = _observed(observed, own.values[:, 0])
        new = features(parents, [augmented.values[p.name] for p in parents])
        root = np.sqrt(augmented.weights / augmented.mass)[:, None]
        design = np.column_stack([np.ones(len(new)), new]) * root
        target = augmented.values[node][:, 0] * root[:, 0]
        every = np.linalg.lstsq(design, target, rcond=None)[0]
        found, noise = every[1:], float(np.linalg.norm(target - design @ every))
        centered = observed - observed.mean(axis=0)
        fitted = centered[:, kept] @ slopes[kept]
        if clear:
            same, size = found, augmented.effective_rows
            if node in augmented.plan.moved:
                same, noise, size = _same(donors, observed)
            ratio = float(fitted @ (centered[:, kept] @ same[kept]) / (fitted @ fitted))
            together[node] = ratio, noise / float(fitted.std()) / size**0.5
        for k in np.flatnonzero(kept):
            edges[node, names[k]] = {
                "observed": slopes[k],
                "std_error": error[k],
                "augmented": found[k],
                "ratio": found[k] / slopes[k] if slopes[k] else np.nan,
            }
    columns = ["observed", "std_error", "augmented", "ratio"]
    table = pd.DataFrame.from_dict(edges, orient="index", columns=columns)
    table.index = pd.MultiIndex.from_tuples(list(edges), names=["node", "column"])
    return table, together


def _same(donors: Donors, observed: np.ndarray) -> tuple[np.ndarray, float, int]:
    """Regress what is made at the observed parents: slopes, sd of what chance adds, and how often.

    Where all donors are alike one of them serves for all rows: what it adds is in the constant.
    """
    count, alike = len(observed), core(donors).alike
    times = 1 if alike else max(1, min(_REPEATS, _DRAWN // count))
    rows = np.arange(count)
    which = np.repeat(rows, times)
    u = (np.tile(np.arange(times), count) + which * _GOLDEN % 1) / times
    donor = np.zeros(len(which), int)
    step = max(1, CELLS // count)
    for first in range(0, 0 if alike else count, step):
        here, part = rows[first : first + step], slice(first * times, (first + step) * times)
        given = [Given(p.values[here], here) for p in donors.parents]
        donor[part] = donors.draw(given, which[part] - first, u[part])
    made = donors.donate(donor, [Given(p.values[which], which) for p in donors.parents])[:, 0]
    design = np.column_stack([np.ones(len(which)), observed[which]])
    slopes = np.linalg.lstsq(design, made, rcond=None)[0]
    if alike:
        return slopes[1:], 0.0, len(which)
    by_row = made.reshape(count, times).std(axis=1)
    noise = by_row.mean() if times > 1 else (made - design @ slopes).std()
    return slopes[1:], float(noise), len(which)


def _columns(parents: Sequence[Block]) -> tuple[list[str], np.ndarray]:
    """Names of the features, and which are reported."""
    names: list[str] = []
    kept: list[bool] = []
    for parent in parents:
        levels = parent.levels
        more = parent.columns if levels is None else [f"{parent.name}={x}" for x in levels[1:]]
        names += more
        kept += [not parent.divides] * len(more)
    return names, np.array(kept, bool)


def _observed(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Least squares: slopes, standard errors, and whether they are more than noise."""
    design = np.column_stack([np.ones(len(x)), x])
    inverse = np.linalg.pinv(design)
    slopes = inverse @ y
    errors = y - design @ slopes
    rank = np.linalg.matrix_rank(design)
    left = len(y) - rank
    variance = float(errors @ errors) / left if left > 0 else np.nan
    spread = np.sqrt(variance * (inverse**2).sum(axis=1))
    explained = float(((design @ slopes - y.mean()) ** 2).sum()) / max(1, rank - 1)
    return slopes[1:], spread[1:], bool(explained > _CLEAR * variance)
