"""`GeoTest`: an estimate from the raw panel of a geo test, with the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from bayescausal._display import wrapped
from bayescausal.checks import check_keys, number
from bayescausal.data.dates import days_named
from bayescausal.data.periods import period_mask
from bayescausal.errors import SpecError
from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.geo_estimators import Method

DESIGN = {"did": "did", "synthetic-control": "synthetic-control", "tbr": "synthetic-control"}
"""Design of a test that was not randomized, by method."""

NUMBERS = ("lift", "std_error", "dof", "prob", "p_value", "rmse", "correlation", "r2")
PATHS = ("observed", "counterfactual", "difference")

WRITTEN = (
    "Evidence is written by to_dict, not by hand: leave 'source' out of the experiment, or run "
    "geo_test again."
)


@dataclass(frozen=True, eq=False, repr=False)
class GeoTest:
    """What a geo test measured, and the evidence for it; made by `geo_test`.

    It is an estimate from the test's own data, not the model's answer:
    `Experiment.from_geo_test` turns it into the measurement that the model takes, and keeps it as
    ``source``.

    Parameters
    ----------
    estimand : Estimand
        The question, with the window, the treated units, the outcome and the tail.
    method : {"did", "synthetic-control", "tbr"}
    error : str
        How the standard error was found: ``"placebo in space"``, ``"block bootstrap"`` or
        ``"t formula"``.
    lift, std_error : float
        Cumulative effect over the window and the tail, summed over the treated units, in units of
        the outcome, with the sign of the estimand; and its standard error.
    dof : float
        Degrees of freedom of the error.
    prob, interval, p_value : float, (float, float), float
        A ``prob`` interval for the lift; p-value of no effect: the rank among the placebos where
        these are the error, else Student-t.
    time : pandas.DatetimeIndex
        The periods before the test and those counted.
    observed, counterfactual, difference : array, shape ``(time,)``
        Sums over the treated units, and ``observed - counterfactual``, whatever the sign of the
        estimand. Not writable, like `placebos`.
    before : int
        Number of periods before the test.
    weights : dict of str to float
        Weights of the control units in the counterfactual of the average treated unit.
    placebos : array
        Lifts of the placebos, scaled to the fit of the treated units; draws of the error for a
        block bootstrap; empty for the t formula.
    rmse, correlation, r2 : float
        Fit before the test, of `counterfactual` to `observed`.
    treated, controls : tuple of str
    dark : bool
        Whether the test withheld the treatment.
    seed : int
        With it the same panel gives the same numbers.
    notes : tuple of str
        What a reader of the number should know.
    """

    estimand: Estimand
    method: Method
    error: str
    lift: float
    std_error: float
    dof: float
    prob: float
    interval: tuple[float, float]
    p_value: float
    time: pd.DatetimeIndex
    observed: np.ndarray
    counterfactual: np.ndarray
    difference: np.ndarray
    before: int
    weights: Mapping[str, float]
    placebos: np.ndarray
    rmse: float
    correlation: float
    r2: float
    treated: tuple[str, ...]
    controls: tuple[str, ...]
    dark: bool
    seed: int
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        for label in (*PATHS, "placebos"):
            values = np.array(getattr(self, label), dtype=float)
            values.flags.writeable = False
            object.__setattr__(self, label, values)

    def factors(self, spend: float | None = None) -> tuple[float, float]:
        """Return the factors that put the lift and its standard error on the estimand's scale.

        Parameters
        ----------
        spend : float, optional
            Spend that the test moved, in currency; for ``scale="per_spend"``.

        Raises
        ------
        SpecError
            A scale that cannot be computed from the panel.
        """
        scale = str(self.estimand.scale)
        if (spend is not None) != (scale == "per_spend"):
            raise SpecError(
                f"The scale of the estimand is '{scale}', and spend={spend}. Give spend=, what the "
                "test moved in currency, for scale='per_spend', and only then."
            )
        if scale == "total":
            return 1.0, 1.0
        if scale == "mean":
            periods = period_mask(self.time, self.estimand.window).sum() * len(self.treated)  # type: ignore[arg-type]
            return 1 / periods, 1 / periods
        if spend is not None:
            if number("spend", spend) <= 0:
                raise SpecError(f"spend is what the test moved, above zero; got {spend:g}.")
            return 1 / spend, 1 / spend
        observed = float(self.observed[self.before :].sum())
        control = observed if self.dark else observed - self.lift
        if scale == "percent" and control > 0:
            # Observed is fixed and the counterfactual is not, also where it is the denominator.
            return 100 / control, 100 / control * (1 if self.dark else observed / control)
        raise SpecError(
            f"A geo test gives no lift on the scale '{scale}' with a control world of {control:g}. "
            "Use scale='total', 'mean', 'per_spend' (with spend=), or 'percent' of a positive "
            "control world."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, text and lists, for JSON and a report."""
        mapping: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        for label in (*PATHS, "placebos"):
            mapping[label] = mapping[label].tolist()
        for label in ("interval", "treated", "controls", "notes"):
            mapping[label] = list(mapping[label])
        return mapping | {
            "estimand": self.estimand.to_dict(),
            "time": [t.isoformat() for t in self.time],
            "weights": dict(self.weights),
        }

    @classmethod
    def from_dict(cls, mapping: dict[str, Any]) -> GeoTest:
        """Read what `to_dict` wrote."""
        names = [item.name for item in fields(cls)]
        check_keys(mapping, names, "geo test")
        missing_fields = [name for name in names if name not in mapping]
        if missing_fields:
            raise SpecError(f"geo test: '{missing_fields[0]}' is missing. {WRITTEN}")
        lists = {label: _listed(mapping, label) for label in ("treated", "controls", "notes")}
        numbers = {label: number(f"geo test: {label}", mapping[label]) for label in NUMBERS}
        if not isinstance(mapping["weights"], Mapping):
            raise SpecError(f"geo test: 'weights' is a mapping; got {mapping['weights']!r}.")
        try:
            low, high = map(float, mapping["interval"])
            time = pd.DatetimeIndex([days_named(day)[0] for day in mapping["time"]])
            paths = {k: np.array(mapping[k], dtype=float) for k in (*PATHS, "placebos")}
        except (TypeError, ValueError) as error:
            raise SpecError(f"geo test: {str(error).rstrip('.')}. {WRITTEN}") from None
        for label in PATHS:
            if paths[label].shape != time.shape:
                raise SpecError(
                    f"geo test: '{label}' has shape {paths[label].shape}, and there are "
                    f"{len(time)} periods. {WRITTEN}"
                )
        estimand = Estimand.from_dict(mapping["estimand"])
        parts = {"interval": (low, high), "time": time, "estimand": estimand}
        return cls(**mapping | lists | numbers | paths | parts)

    def __repr__(self) -> str:
        low, high = self.interval
        periods = self.time[self.before :]
        lines = [
            f"GeoTest({self.method}, {self.estimand.label}, {periods[0].date()}.."
            f"{periods[-1].date()}, {len(self.treated)} treated and {len(self.controls)} control "
            f"units)",
            f"  lift {self.lift:.4g}, standard error {self.std_error:.3g} ({self.error}); "
            f"{self.prob:.0%} interval {low:.4g} to {high:.4g}, p = {self.p_value:.2g}",
            f"  {self.before} periods before: RMSE {self.rmse:.3g}, correlation "
            f"{self.correlation:.2f}, R2 {self.r2:.2f}",
        ]
        return wrapped("\n".join([*lines, *(f"  note: {note}" for note in self.notes)]))


def _listed(mapping: Mapping[str, Any], label: str) -> tuple[str, ...]:
    if not isinstance(mapping[label], list | tuple):
        raise SpecError(f"geo test: '{label}' is a list; got {mapping[label]!r}. {WRITTEN}")
    return tuple(map(str, mapping[label]))
