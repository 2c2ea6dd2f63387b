"""`Experiment`: a noisy measurement of an `Estimand`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from bayescausal.errors import SpecError, did_you_mean
from bayescausal.specs.estimand import RATIOS, Estimand
from bayescausal.specs.prior import check_keys, number


class Design(NamedTuple):
    """How a lift was obtained: its rung on the ladder, the bias it may have, what to look at.

    ``bias`` is the default standard deviation of the bias as a multiple of the standard error.
    """

    rung: str
    bias: float
    advice: str


DESIGNS: dict[str, Design] = {
    "geo-rct": Design(
        "A",
        0.0,
        "Randomize regions, in matched pairs where they are few; keep them apart, so that people "
        "and delivery do not cross; read on after the test, as the tail is part of the effect.",
    ),
    "user-rct": Design(
        "A",
        0.0,
        "Compare all who were assigned, whether or not they were reached. Say with share= which "
        "part of all users took part. Devices that are lost dilute the lift.",
    ),
    "switchback": Design(
        "A",
        0.0,
        "Draw on and off periods at random, each longer than the carry-over, or count the tail "
        "of every pulse.",
    ),
    "instrument": Design(
        "B",
        0.5,
        "Show the first stage (F above 10), and argue why the instrument has no other way to the "
        "outcome: that is assumed, not tested.",
    ),
    "did": Design(
        "C",
        1.0,
        "Show that treated and control units moved alike before the test, and a placebo in time.",
    ),
    "synthetic-control": Design(
        "C",
        1.0,
        "Show the fit before the test and the rank of the lift among placebos in space.",
    ),
    "regression-discontinuity": Design(
        "D",
        1.0,
        "Show that no one chose their side of the threshold, and the lift at half and at twice "
        "the bandwidth. It holds at the threshold only.",
    ),
    "prior-belief": Design(
        "G",
        2.0,
        "Say whose belief it is and what it rests on. It is a prior, never evidence: plan a test.",
    ),
}
"""How a lift was obtained, strongest first; rung A is randomized.

Why the bias is a multiple of the standard error: at 1 the error that the design cannot exclude is
as large as the error of sampling, and the interval is wider by a factor of 1.4; at 2, by 2.2. A
share of the lift would vanish for lifts near zero and would let the noise of the lift set its own
weight. A bias does not shrink with the sample though: for a large quasi-experiment a default that
follows the standard error is too small, and `bias_sd` should be given, from placebos.
"""

_LONGEST_AGE = 1000.0
"""In half-lives: the variance is then beyond use, and short of what a float can hold."""


@dataclass(frozen=True)
class Experiment:
    """A noisy measurement of the very quantity that is reported.

        lift ~ Normal( share * effect(theta), sqrt(std_error^2 2^(age / half_life) + bias_sd^2) )

    It enters the model as a likelihood term on the contrast of two worlds: carry-over,
    mediators, the test's window and its units are all in ``effect(theta)``. It is not a prior on
    a coefficient and not a point on a saturation curve. Negative lifts are data like any other.

    Parameters
    ----------
    estimand : Estimand
        What was measured, with its window and units, on any modelled node. Its sign convention
        is the lift's: for ``incremental("tv")`` the lift is what tv *added*, also when the test
        switched tv off.
    lift : float
        The measured value, on the estimand's scale. A cost enters the model as its inverse, the
        return, ``1/lift +/- std_error/lift^2``: where the effect is zero there is no cost.
    std_error : float
        Its standard error, on the same scale.
    design : str
        One of `DESIGNS`. There is no default: what a number rests on must be said.
    bias_sd : float, optional
        Standard deviation of a bias that the design cannot exclude; by default that of `DESIGNS`
        times the standard error: none for a randomized test.
    name : str, optional
        Names the term ``lift:<name>``; made from the treatments and the window otherwise.
    nu : float, optional
        Degrees of freedom of a Student-t in place of the normal: a test that contradicts the
        rest is then discounted. 4 is usual.
    half_life : float, optional
        Periods of the data in which the variance of the measurement doubles, counted from the
        end of the window to the last period: an old test says less about today. Off by default.
    covariance : mapping of str to float
        Covariance of the lift with that of other experiments, by name, on the scales of the two
        lifts: arms that share a control have the variance of its mean. Stating it at one of
        the two is enough; 0 declares that tests which overlap are independent.
    share : float
        The part of all users among whom the lift was measured: it is then that part of the
        effect. A ratio (percent, per spend, cost) has no share.
    unit : str, optional
        The unit of the lift, checked against ``units`` in the attributes of the outcome's column
        where the data have that.

    Raises
    ------
    SpecError
        A standard error that is missing or not positive, an unknown design, numbers that are not
        finite or out of range, a share of a ratio.

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
    >>> Experiment(tv, lift=410, std_error=120, design="instrument").bias
    60.0
    """

    estimand: Estimand
    lift: float
    std_error: float
    design: str
    bias_sd: float | None = None
    name: str | None = None
    nu: float | None = None
    half_life: float | None = None
    covariance: Mapping[str, float] = field(default_factory=dict, hash=False)
    share: float = 1.0
    unit: str | None = None

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
        self._check_numbers()
        if self.name is None:
            start = f"_{self.estimand.window[0].date()}" if self.estimand.window else ""
            object.__setattr__(self, "name", "+".join(self.estimand.treatments) + start)
        for label, text in (("name", self.name), ("unit", self.unit or "-")):
            if not (isinstance(text, str) and text):
                raise SpecError(f"An experiment's {label} is text; got {text!r}.")
        self._check_covariance()

    def _check_numbers(self) -> None:
        if self.std_error is None:
            raise SpecError(
                "std_error is missing, and a lift without it says nothing. Divide the width of "
                "its 90% interval by 3.29, or the lift by its t statistic."
            )
        for label in ("lift", "std_error", "share", "bias_sd", "nu", "half_life"):
            value = getattr(self, label)
            optional = label in ("bias_sd", "nu", "half_life")
            if not (optional and value is None):
                object.__setattr__(self, label, number(label, value))
        if self.std_error <= 0:
            raise SpecError(
                f"std_error must be positive; got {self.std_error:g}. A measurement without "
                "error does not exist: divide the width of its 90% interval by 3.29."
            )
        if self.bias_sd is not None and self.bias_sd < 0:
            raise SpecError(f"bias_sd must not be negative; got {self.bias_sd:g}.")
        for label in ("nu", "half_life"):
            value = getattr(self, label)
            if value is not None and value <= 0:
                raise SpecError(f"{label} must be positive; got {value:g}. Leave it out for none.")
        if self.lift == 0 and self.estimand.scale == "cost":
            raise SpecError(
                "A cost per unit gained cannot be 0. Where nothing was gained there is no cost: "
                "give the lift with scale='per_spend' or 'total'."
            )
        if not 0 < self.share <= 1:
            raise SpecError(
                f"share is a part of all users, above 0 and at most 1; got {self.share:g}."
            )
        if self.share < 1 and self.estimand.scale in RATIOS:
            raise SpecError(
                f"share={self.share:g} of a lift on the scale '{self.estimand.scale}': a ratio is "
                "the same in any share of the users. Leave share out, or give the total lift."
            )
        if self.half_life and self.estimand.off_panel and not self.estimand.window:
            raise SpecError(
                "half_life needs the date of the test: give the estimand its window, with "
                ".during(start, end)."
            )

    def _check_covariance(self) -> None:
        given = self.covariance
        if not isinstance(given, Mapping):
            raise SpecError(
                f"covariance is a mapping, such as {{'the other test': 40.0}}; got {given!r}."
            )
        tidy = {str(k): number(f"covariance with '{k}'", v) for k, v in given.items()}
        if self.name in tidy:
            raise SpecError(
                f"Experiment '{self.name}' gives a covariance with itself: that is std_error."
            )
        object.__setattr__(self, "covariance", dict(sorted(tidy.items())))

    @property
    def bias(self) -> float:
        """Standard deviation of the possible bias: as given, or the default of the design."""
        if self.bias_sd is not None:
            return self.bias_sd
        return DESIGNS[self.design].bias * self.std_error

    @property
    def sd(self) -> float:
        """Standard deviation of the measurement when it is new, its possible bias included."""
        return self.sd_at(0.0)

    def sd_at(self, age: float) -> float:
        """Standard deviation of the measurement some periods after its window."""
        ages = min(age / self.half_life, _LONGEST_AGE) if self.half_life else 0.0
        return math.hypot(self.std_error * 2 ** (ages / 2), self.bias)

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict for YAML and JSON."""
        out = {
            "name": self.name,
            "estimand": self.estimand.to_dict(),
            "lift": self.lift,
            "std_error": self.std_error,
            "design": self.design,
        }
        out |= {
            key: getattr(self, key)
            for key in ("bias_sd", "nu", "half_life", "unit")
            if getattr(self, key) is not None
        }
        out |= {"covariance": dict(self.covariance)} if self.covariance else {}
        return out | ({"share": self.share} if self.share < 1 else {})

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Experiment:
        """Read what `to_dict` wrote."""
        known = [item.name for item in fields(cls)]
        check_keys(given, known, "experiment")
        missing = [k for k in known[:4] if k not in given]
        if missing:
            hint = " Divide the width of its 90% interval by 3.29." * (missing[0] == "std_error")
            raise SpecError(f"experiment: '{missing[0]}' is missing.{hint}")
        return cls(**{**given, "estimand": Estimand.from_dict(given["estimand"])})


def covariance_between(a: Experiment, b: Experiment) -> float | None:
    """Return the covariance that one of two experiments states, or None; raise if they differ."""
    said = [
        one.covariance[str(two.name)] for one, two in ((a, b), (b, a)) if two.name in one.covariance
    ]
    if len(said) == 2 and not math.isclose(*said, rel_tol=1e-9):
        raise SpecError(
            f"The covariance of '{a.name}' and '{b.name}' is {said[0]:g} in one and {said[1]:g} in "
            "the other. State it once."
        )
    return said[0] if said else None


def correlated(tests: Iterable[Experiment]) -> tuple[tuple[Experiment, ...], ...]:
    """Group experiments that covariances tie together, each group by name; most are alone."""
    groups: list[list[Experiment]] = []
    for test in sorted(tests, key=lambda t: str(t.name)):
        tied = [g for g in groups if any(covariance_between(test, one) for one in g)]
        groups = [g for g in groups if not any(g is t for t in tied)]
        groups.append([*(one for g in tied for one in g), test])
    whole = [tuple(sorted(g, key=lambda t: str(t.name))) for g in groups]
    return tuple(sorted(whole, key=lambda g: str(g[0].name)))


def error_covariance(tests: Sequence[Experiment], sds: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the covariance matrix of the errors: stated off the diagonal, ``sds^2`` on it."""
    matrix = np.diag(np.square(sds))
    for i, a in enumerate(tests):
        for j, b in enumerate(tests[:i]):
            matrix[i, j] = matrix[j, i] = covariance_between(a, b) or 0.0
    return matrix
