"""`Experiment`: a noisy measurement of an `Estimand`."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from bayescausal.errors import SpecError, did_you_mean
from bayescausal.specs.estimand import Estimand
from bayescausal.specs.prior import check_keys, number

DESIGNS = (
    "geo-rct",
    "user-rct",
    "switchback",
    "instrument",
    "did",
    "synthetic-control",
    "regression-discontinuity",
    "prior-belief",
)
"""How a lift was obtained; the first three are randomized."""


@dataclass(frozen=True)
class Experiment:
    """A noisy measurement of the very quantity that is reported.

        lift ~ Normal( effect(theta), sqrt(std_error^2 + bias_sd^2) )

    It enters the model as a likelihood term on the contrast of two worlds: carry-over,
    mediators, the test's window and its units are all in ``effect(theta)``. It is not a prior on
    a coefficient and not a point on a saturation curve. Negative lifts are data like any other.

    Parameters
    ----------
    estimand : Estimand
        What was measured, with its window and units. Its sign convention is the lift's: for
        ``incremental("tv")`` the lift is what tv *added*, also when the test switched tv off.
    lift : float
        The measured value, in units of the outcome, on the estimand's scale.
    std_error : float
        Its standard error, in the same units.
    design : str
        One of `DESIGNS`. There is no default: what a number rests on must be said.
    bias_sd : float
        Standard deviation of a bias that the design cannot exclude; 0 for a randomized test.
    name : str, optional
        Names the term ``lift:<name>``; made from the treatments and the window otherwise.

    Raises
    ------
    SpecError
        A standard error that is not positive, an unknown design, numbers that are not finite.

    Notes
    -----
    Oracle: with the lift as the only information about a linear edge the posterior is the
    Normal-Normal update. Source: MODEL.md section 7.

    Examples
    --------
    >>> from bayescausal.specs.estimand import incremental
    >>> tv = incremental("tv").during("2025-03-03", "2025-03-30")
    >>> Experiment(tv, lift=410, std_error=120, design="geo-rct").name
    'tv_2025-03-03'
    """

    estimand: Estimand
    lift: float
    std_error: float
    design: str
    bias_sd: float = 0.0
    name: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.estimand, Estimand):
            raise SpecError(
                f"An experiment measures an Estimand; got {self.estimand!r}. "
                "Write Experiment(incremental('tv').during(start, end), lift=..., ...)."
            )
        if self.design not in DESIGNS:
            raise SpecError(
                f"design='{self.design}' is not known. Say how the lift was obtained: "
                f"{', '.join(DESIGNS)}.{did_you_mean(self.design, DESIGNS)}"
            )
        for label in ("lift", "std_error", "bias_sd"):
            object.__setattr__(self, label, number(label, getattr(self, label)))
        if self.std_error <= 0:
            raise SpecError(
                f"std_error must be positive; got {self.std_error:g}. A measurement without "
                "error does not exist: divide the width of its 90% interval by 3.29."
            )
        if self.bias_sd < 0:
            raise SpecError(f"bias_sd must not be negative; got {self.bias_sd:g}.")
        if self.name is None:
            start = f"_{self.estimand.window[0].date()}" if self.estimand.window else ""
            object.__setattr__(self, "name", "+".join(self.estimand.treatments) + start)
        if not (isinstance(self.name, str) and self.name):
            raise SpecError(f"An experiment's name is text; got {self.name!r}.")

    @property
    def sd(self) -> float:
        """Standard deviation of the measurement, its possible bias included."""
        return math.hypot(self.std_error, self.bias_sd)

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict for YAML and JSON."""
        out = {
            "name": self.name,
            "estimand": self.estimand.to_dict(),
            "lift": self.lift,
            "std_error": self.std_error,
            "design": self.design,
        }
        return out | ({"bias_sd": self.bias_sd} if self.bias_sd else {})

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Experiment:
        """Read what `to_dict` wrote."""
        known = [item.name for item in fields(cls)]
        check_keys(given, known, "experiment")
        missing = [k for k in known[:4] if k not in given]
        if missing:
            raise SpecError(f"experiment: '{missing[0]}' is missing.")
        return cls(**{**given, "estimand": Estimand.from_dict(given["estimand"])})
