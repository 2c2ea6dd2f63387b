"""Compare a fit with augmentation to the one without, for the report and the command line."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd

from bayescausal.errors import NotConverged
from bayescausal.identification.grades import Letter
from bayescausal.inference.fit import Fit, labeled
from bayescausal.presentation.formatting import number
from bayescausal.thresholds import AUGMENTATION_SHIFT
from bayescausal.validation.augmentation_effect import compare_augmentation


def comparison_section(fit: Fit, prob: float) -> dict[str, Any] | None:
    """Return the label, the alarms and the rows of both fits as text; None without augmentation."""
    if fit.plain is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)  # said of the fit, and below of the other
        table = compare_augmentation(fit, prob=prob)
    rows = [
        {
            "name": name,
            "plain": _cell(row, ""),
            "augmented": _cell(row, "augmented_"),
            "shift": f"{row['shift']:+.1f} sd",
            "width": f"{row['sd_ratio']:.2f}",
            "moved": bool(row["moved"]),
        }
        for name, row in table.iterrows()
    ]
    state = fit.plain.convergence
    return {
        "label": labeled(fit.spec),
        "note": f"An effect that moves by more than {AUGMENTATION_SHIFT:g} posterior sd of the fit "
        "without is flagged. A narrower interval is the weight that augmented rows were given, not "
        "information.",
        "moved": moved_effects(table),
        "rows": rows,
        "plain_state": state.remark and f"The fit without augmentation: {state}",
    }


def moved_effects(table: pd.DataFrame) -> list[str]:
    """Say which effects augmentation moved, and what that means; from `compare_augmentation`.

    Examples
    --------
    >>> table = pd.DataFrame({"shift": [-1.62, 0.3], "moved": [True, False]}, ["tv", "search"])
    >>> moved_effects(table)[0].split(":")[0]
    'Augmentation moved the effect of tv by -1.6 posterior sd'
    """
    return [
        f"Augmentation moved the effect of {name} by {shift:+.1f} posterior sd: it rests on the "
        "estimate of the conditional distributions, not on the data. Trust the fit without."
        for name, shift in table.loc[table["moved"], "shift"].items()
    ]


def _cell(row: pd.Series, prefix: str) -> dict[str, Any]:
    median, low, high = (number(row[f"{prefix}{key}"]) for key in ("median", "low", "high"))
    cell = {"median": median, "interval": f"{low} to {high}", "note": ""}
    return {**cell, "unknown": row["grade"] == Letter.X}
