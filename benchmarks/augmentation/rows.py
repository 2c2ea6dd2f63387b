"""Rows to train on, observed or augmented, and folds that do not leak."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import metrics
import numpy as np
import pandas as pd
from random_worlds import World

from bayescausal import (
    Ancestral,
    Augmented,
    LocalLinear,
    NadarayaWatson,
    ResidualBootstrap,
    Threshold,
    augment,
)

FOLDS = ("refit", "index", "leaky")
"""How rows are held out in cross-validation.

refit: augmentation is redone from the training folds, and judged on the observed rows held out.
Nothing of a held-out row is known, not even to a bandwidth or a slope. index: from one
augmentation, train on the rows that use no held-out row in any variable, judge on those whose
target is held out; with independent donors (2/3)^d of the rows are left to train on. leaky:
augmented rows are dealt to folds at random, as published; copies of a row are in several folds.
"""

ARMS = {
    "published": {"method": Threshold, "conditional": NadarayaWatson("scott", temperature=1e-3)},
    "ours": {"method": Ancestral, "conditional": ResidualBootstrap()},
    "both": {"method": Ancestral, "conditional": ResidualBootstrap()},
    "ours, linear": {"method": Ancestral, "conditional": ResidualBootstrap(0, False)},
    "ours, local linear": {"method": Ancestral, "conditional": LocalLinear()},
    "kernels": {"method": Ancestral, "conditional": NadarayaWatson("silverman")},
}


@dataclass(frozen=True, eq=False)
class Rows:
    """Weighted training rows."""

    values: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(frozen=True, eq=False)
class Split:
    """A fold: rows to train on, and rows that share nothing with them to be judged by."""

    train: Rows
    judge: Rows


def augmented(train: pd.DataFrame, world: World, arm: str, theta: float, seed: int) -> Augmented:
    """Augment training rows, and nothing else; ``ours`` has twice as many rows as observed."""
    how: dict[str, Any] = dict(ARMS[arm])
    size = theta if how["method"] is Threshold else 2 * len(train)
    method = how.pop("method")(size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an empty outcome is counted here
        return augment(train, world.graph, method, seed=seed, **how)


def weighted(rows: Augmented, train: pd.DataFrame, arm: str) -> Rows:
    """Rows to train on: augmented ones with weight n w, or half of that beside observed ones."""
    n = len(train)
    made = rows.to_frame()
    values, weights = made[list(train.columns)].to_numpy(), n * made["weight"].to_numpy()
    if arm != "both":
        return Rows(values, weights)
    return Rows(np.vstack([train, values]), np.concatenate([np.full(n, 0.5), 0.5 * weights]))


def usable(rows: Augmented | Rows) -> bool:
    """As published: two rows are none."""
    return len(rows) > 2


def held_out(
    world: World, arm: str, whole: Augmented | None, fold: np.ndarray, how: str, theta: float
) -> Iterator[tuple[int | None, Split]]:
    """Yield a variable (None: all) and a split for it, as `FOLDS` says."""
    train, d = world.train, world.train.shape[1]
    for f in np.unique(fold):
        inside, outside = train[fold != f], train[fold == f]
        observed = Rows(outside.to_numpy(), np.ones(len(outside)))
        if whole is None:
            yield None, Split(Rows(inside.to_numpy(), np.ones(len(inside))), observed)
        elif how == "refit":
            try:
                part = augmented(inside.reset_index(drop=True), world, arm, theta, int(f))
            except ValueError:  # one value left in a column: the fold cannot be used
                continue
            if usable(part):
                yield None, Split(weighted(part, inside, arm), observed)
        elif how == "index":
            rows, free = weighted(whole, train, "alone"), metrics.free_of(whole.indices, fold, f)
            for j in range(d):
                at = whole.order.index(train.columns[j])
                judge = fold[whole.indices[:, at]] == f
                if free.sum() > 2 and judge.any():
                    yield j, Split(_part(rows, free), _part(rows, judge))
        else:
            rows = weighted(whole, train, arm)
            dealt = metrics.folds(len(rows), 3, np.random.default_rng(0)) == f
            yield None, Split(_part(rows, ~dealt), _part(rows, dealt))


def _part(rows: Rows, which: np.ndarray) -> Rows:
    return Rows(rows.values[which], rows.weights[which])
