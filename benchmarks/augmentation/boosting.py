"""XGBoost with the published grid, cross-validated without leaks, on weighted rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xgboost
from rows import Rows, Split

ROUNDS = (10, 50, 200)
PENALTIES = (1.0, 10.0, 100.0)


def boost(rows: Rows, target: int, penalty: float, rounds: int) -> xgboost.Booster:
    """Fit one variable on all others, on one thread."""
    features = np.delete(rows.values, target, axis=1)
    data = xgboost.DMatrix(features, rows.values[:, target], weight=rows.weights, nthread=1)
    settings = {"reg_lambda": penalty, "nthread": 1, "tree_method": "hist", "verbosity": 0}
    return xgboost.train(settings, data, rounds)


def predict(model: xgboost.Booster, values: np.ndarray, target: int, rounds: int) -> np.ndarray:
    """Predict with the first ``rounds`` trees: the model that so many rounds would have given."""
    data = xgboost.DMatrix(np.delete(values, target, axis=1), nthread=1)
    return model.predict(data, iteration_range=(0, rounds))


def tuned(rows: Rows, target: int, splits: Sequence[Split]) -> tuple[xgboost.Booster, int, float]:
    """Choose rounds and penalty by the weighted squared error in the folds, and fit all rows.

    Returns
    -------
    tuple
        The model, its rounds, its penalty. With no fold to judge by: 50 rounds and penalty 10.
    """
    error = dict.fromkeys([(r, p) for p in PENALTIES for r in ROUNDS], 0.0)
    for split in splits:
        y, w = split.judge.values[:, target], split.judge.weights
        for penalty in PENALTIES:
            model = boost(split.train, target, penalty, max(ROUNDS))
            for rounds in ROUNDS:
                off = y - predict(model, split.judge.values, target, rounds)
                error[rounds, penalty] += float(w @ off**2 / w.sum())
    rounds, penalty = min(error, key=error.__getitem__) if splits else (50, 10.0)
    return boost(rows, target, penalty, rounds), rounds, penalty
