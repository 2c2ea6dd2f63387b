"""`GeoTest`: what the raw panel of a geo test says, with the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from bayescausal.errors import SpecError
from bayescausal.specs.estimand import Estimand
from bayescausal.specs.experiment import Experiment
from bayescausal.specs.geo_estimators import Method
from bayescausal.specs.prior import check_keys, number

DESIGN = {"did": "did", "synthetic-control": "synthetic-control", "tbr": "synthetic-control"}
"""Design of a test that was not randomized, by method."""


@dataclass(frozen=True, eq=False, repr=False)
class GeoTest:
    """What a geo test measured, and the evidence for it; made by `from_geo_panel`.

    It is an estimate from the test's own data, not the model's answer: `experiment` turns it into
    the measurement that the model takes.

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
        for label in ("observed", "counterfactual", "difference", "placebos"):
            values = np.array(getattr(self, label), dtype=float)
            values.flags.writeable = False
            object.__setattr__(self, label, values)

    def experiment(
        self, *, randomized: bool = False, spend: float | None = None, **settings: Any
    ) -> Experiment:
        """Return the measurement that a `Spec` takes, on the estimand's scale.

        Parameters
        ----------
        randomized : bool
            True only if units were assigned at random: the design is then ``geo-rct``. Otherwise
            it is ``did`` or ``synthetic-control`` (also for `tbr`, whose claim is the same: what
            held between treated and control units before the test holds during it).
        spend : float, optional
            Spend that the test moved, in currency; for ``scale="per_spend"``.
        **settings
            Other fields of `Experiment`: ``name``, ``bias_sd``, ...

        Raises
        ------
        SpecError
            A scale that cannot be computed from the panel, a setting that is no field.
        """
        if not isinstance(randomized, bool):
            raise SpecError(f"randomized is True or False; got {randomized!r}.")
        taken = ("estimand", "lift", "std_error", "design")
        open_ = [f.name for f in fields(Experiment) if f.name not in taken]
        check_keys(settings, open_, "experiment of a geo test")
        factor, error = self._scale(spend)
        return Experiment(
            estimand=self.estimand,
            lift=self.lift * factor,
            std_error=self.std_error * error,
            design="geo-rct" if randomized else DESIGN[self.method],
            **settings,
        )

    def _scale(self, spend: float | None) -> tuple[float, float]:
        """Factors of the lift and of its standard error, to the estimand's scale."""
        scale = str(self.estimand.scale)
        if (spend is not None) != (scale == "per_spend"):
            raise SpecError(
                f"The scale of the estimand is '{scale}', and spend={spend}. Give spend=, what the "
                "test moved in currency, for scale='per_spend', and only then."
            )
        if scale == "total":
            return 1.0, 1.0
        if scale == "mean":
            inside = int((self.time <= self.estimand.window[1]).sum())  # type: ignore[index]
            periods = (inside - self.before) * len(self.treated)
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
        out: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        for label in ("observed", "counterfactual", "difference", "placebos"):
            out[label] = out[label].tolist()
        for label in ("interval", "treated", "controls", "notes"):
            out[label] = list(out[label])
        return out | {
            "estimand": self.estimand.to_dict(),
            "time": [t.isoformat() for t in self.time],
            "weights": dict(self.weights),
        }

    def __repr__(self) -> str:
        low, high = self.interval
        counted = self.time[self.before :]
        lines = [
            f"GeoTest({self.method}, {self.estimand.label}, {counted[0].date()}.."
            f"{counted[-1].date()}, {len(self.treated)} treated and {len(self.controls)} control "
            f"units)",
            f"  lift {self.lift:.4g}, standard error {self.std_error:.3g} ({self.error}); "
            f"{self.prob:.0%} interval {low:.4g} to {high:.4g}, p = {self.p_value:.2g}",
            f"  {self.before} periods before: RMSE {self.rmse:.3g}, correlation "
            f"{self.correlation:.2f}, R2 {self.r2:.2f}",
        ]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])
