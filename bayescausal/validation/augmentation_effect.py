"""Compare the effects with augmentation to those of the fit without it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescausal.errors import SpecError
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.inference.evidence import reachable
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.queries.effects import effect
from bayescausal.queries.questions import require_defined, require_variance
from bayescausal.queries.summary import common_head, summarize
from bayescausal.thresholds import AUGMENTATION_SHIFT


@verb
def compare_augmentation(
    fit: Fit, estimands: list[Estimand] | None = None, prob: float = 0.9
) -> pd.DataFrame:
    """Show effects with and without augmentation, and flag those that it moved.

        shift = (mean with - mean without) / sd without

    An effect that moves by more than one posterior standard deviation (``moved``) rests on the
    estimate of the conditional distributions, not on the data: trust the fit without. Kernel
    estimates pull effects toward zero. A narrower interval is the weight that was given, not
    information; `calibrate_eta` says what weight keeps its coverage. It does not test the graph,
    which both fits share: where an arrow is missing, both are wrong alike.

    Parameters
    ----------
    fit : Fit
        Of a spec with augmentation.
    estimands : list of Estimand, optional
        By default the total effect of each treatment on each outcome, over all periods and units.
    prob : float
        Probability inside ``low``..``high``.

    Returns
    -------
    pandas.DataFrame
        By effect: ``median``, ``mean``, ``sd``, ``low``, ``high`` without augmentation, the same
        with it (``augmented_median``, ...), ``shift``, ``sd_ratio`` (with over without), ``moved``,
        ``status`` and ``grade``. The columns are headed NOT IDENTIFIED, or NOT CONVERGED when one
        of the two fits has not.

    Raises
    ------
    SpecError
        The fit has no augmentation, or an effect is asked as a cost.
    DataError
        A percentage that is undefined in some draws.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.compare_augmentation(fit)  # doctest: +SKIP
    """
    if fit.plain is None:
        raise SpecError(
            "The fit has no augmentation to compare with. Give the spec one: "
            "replace(spec, augmentation=Augmentation(weight=0.3))."
        )
    questions = total_effects(fit) if estimands is None else estimands
    columns = ["median", "mean", "sd", "low", "high"]
    rows, parts = [], []
    for estimand in questions:
        require_variance("The effect", estimand)
        samples = [effect(fitted, estimand) for fitted in (fit.plain, fit)]
        tables = [summarize(draws, prob) for draws in samples]
        parts += tables
        unaugmented, weighted = (table.iloc[0] for table in tables)
        plain, augmented = (require_defined(draws.to_numpy(), estimand) for draws in samples)
        shift = (augmented.mean() - plain.mean()) / plain.std(ddof=1)
        row = {
            "estimand": estimand.label,
            **{c: unaugmented[c] for c in columns},
            **{f"augmented_{c}": weighted[c] for c in columns},
            "shift": shift,
            "sd_ratio": augmented.std(ddof=1) / plain.std(ddof=1),
            "moved": bool(np.abs(shift) > AUGMENTATION_SHIFT),
            **{c: weighted[c] for c in ("status", "grade")},
        }
        rows.append(row)
    table = pd.DataFrame(rows).set_index("estimand")
    table.columns.name = common_head(parts)
    table.attrs = {"prob": prob, "posterior": fit.label}
    return table


def total_effects(fit: Fit) -> list[Estimand]:
    """Return the total effect of each treatment on each outcome that it reaches."""
    outcomes = fit.spec.graph.outcomes
    return [
        incremental(t, outcome=y, name=f"{t} on {y}" if len(outcomes) > 1 else None)
        for y in outcomes
        for t in reachable(fit.spec, y)
    ]
