"""`Experiment`: a noisy measurement of an `Estimand`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from bayescausal._display import described
from bayescausal.checks import check_keys, number
from bayescausal.errors import SpecError, did_you_mean, shown
from bayescausal.experiments.design import DESIGNS
from bayescausal.experiments.estimand import RATIOS, Estimand
from bayescausal.experiments.geo_cells import GeoCell, geo_cells
from bayescausal.experiments.geo_estimators import Method
from bayescausal.experiments.geo_panel import COLUMNS, SETTINGS, geo_test
from bayescausal.experiments.geo_test import DESIGN, GeoTest

_OF_GEO = ("bias_sd", "nu", "half_life", "share")
"""Settings of an experiment that a geo test does not tell."""

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
        What was measured, with its window and units, on any modelled node: the lift is that of
        its active world over its control world. One of the two is what the data show, the other
        what they would have been without the test; see the table below.
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
        lifts: arms that share a control have the variance of its mean (`from_geo_cells` finds
        it). Stating it at one of the two is enough; 0 declares tests that overlap independent.
    share : float
        The part of all users among whom the lift was measured: it is then that part of the
        effect. A ratio (percent, per spend, cost) has no share.
    unit : str, optional
        The unit of the lift, checked against ``units`` in the attributes of the outcome's column
        where the data have that.
    source : GeoTest, optional
        The evidence, for a report. It is kept in files, and is no part of the measurement: tests
        that differ in it alone are equal.

    Raises
    ------
    SpecError
        A standard error that is missing or not positive, an unknown design, numbers that are not
        finite or out of range, a share of a ratio.

    Notes
    -----
    Which estimand a test measures, where the data hold the test, 50 being spend a period:

    ====================  ============  ===================================================
    in the treated units  data are the  estimand
    ====================  ============  ===================================================
    on, else off          active world  ``incremental("tv")``
    pulses, else off      active world  ``incremental("tv")`` from the first to the last
    heavy-up, doubled     active world  ``Estimand(control={"tv": Times(0.5)})``
    heavy-up, 50 more     active world  ``Estimand(control={"tv": Plus(-50)})``
    go-dark               control       ``Estimand({"tv": Plus(50)})``: the 50 it withheld
    go-dark, with a plan  control       ``Estimand({"tv": path})``: the plan, all periods
    cut by half           control       ``Estimand({"tv": Times(2)})``
    ====================  ============  ===================================================

    A go-dark test does not measure ``incremental("tv")`` in its window: tv is zero in the data
    there, and zero against zero has no effect. Its lift is what tv *would have added*.

    Oracle: with the lift as the only information about a linear edge the posterior is the
    Normal-Normal update. Source: MODEL.md section 7.

    Examples
    --------
    >>> from bayescausal.experiments.estimand import incremental
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
    source: GeoTest | None = field(default=None, compare=False, repr=False)

    __repr__ = described

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
        if problem := _unnamable(str(self.name)):
            raise SpecError(
                f"An experiment cannot be called {shown(self.name)}: {problem}. Its name is that "
                "of a variable in files. Rename it."
            )
        if not isinstance(self.source, GeoTest | None):
            raise SpecError(f"An experiment's source is a GeoTest; got {self.source!r}.")
        object.__setattr__(self, "covariance", _tidy(self.covariance, self.name))

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

    @property
    def bias(self) -> float:
        """The standard deviation of the possible bias: as given, or the default of the design."""
        if self.bias_sd is not None:
            return self.bias_sd
        return DESIGNS[self.design].bias * self.std_error

    @property
    def sd(self) -> float:
        """The standard deviation of the measurement at age zero, its possible bias included."""
        return self.sd_at(0.0)

    def sd_at(self, age: float) -> float:
        """Return the standard deviation of the measurement `age` periods after its window."""
        ages = min(age / self.half_life, _LONGEST_AGE) if self.half_life else 0.0
        return math.hypot(self.std_error * 2 ** (ages / 2), self.bias)

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict for YAML and JSON."""
        mapping = {
            "name": self.name,
            "estimand": self.estimand.to_dict(),
            "lift": self.lift,
            "std_error": self.std_error,
            "design": self.design,
        }
        mapping |= {
            key: getattr(self, key)
            for key in ("bias_sd", "nu", "half_life", "unit")
            if getattr(self, key) is not None
        }
        mapping |= {"covariance": dict(self.covariance)} if self.covariance else {}
        mapping |= {"share": self.share} if self.share < 1 else {}
        return mapping | ({"source": self.source.to_dict()} if self.source else {})

    @classmethod
    def from_dict(cls, mapping: dict[str, Any]) -> Experiment:
        """Read what `to_dict` wrote."""
        names = [item.name for item in fields(cls)]
        check_keys(mapping, names, "experiment")
        missing_fields = [k for k in names[:4] if k not in mapping]
        if missing_fields:
            hint = " Divide the width of its 90% interval by 3.29." * (
                missing_fields[0] == "std_error"
            )
            raise SpecError(f"experiment: '{missing_fields[0]}' is missing.{hint}")
        parts: dict[str, Any] = {"estimand": Estimand.from_dict(mapping["estimand"])}
        if mapping.get("source") is not None:
            parts["source"] = GeoTest.from_dict(mapping["source"])
        return cls(**mapping | parts)

    @classmethod
    def from_geo_panel(
        cls,
        frame: pd.DataFrame,
        treated: str | Sequence[str],
        window: tuple[Any, Any],
        *,
        method: Method = "did",
        **settings: Any,
    ) -> Experiment:
        """Measure a geo test from its raw panel: lift, standard error, and the evidence.

        `geo_test`, then `from_geo_test`: what the first found is the ``source``. Nothing is
        assumed about how units were chosen: say ``randomized=True`` if chance did.

        Parameters
        ----------
        frame, treated, window, method
            As in `geo_test`.
        **settings
            Others of `geo_test` (``time``, ``unit``, ``outcome``, ``estimand``; ``dark``, ...) and
            of `from_geo_test` (``randomized``, ``spend``, ``name``, ``bias_sd``, ...).

        Raises
        ------
        DataError, SpecError
            What the two refuse.

        Examples
        --------
        >>> week = pd.date_range("2025-01-06", periods=30, freq="7D")
        >>> panel = pd.DataFrame({"week": np.tile(week, 10), "geo": np.repeat([*"abcdefghij"], 30)})
        >>> panel["sales"] = 100 + np.random.default_rng(1).normal(size=300)
        >>> panel.loc[panel.geo.isin(["a", "b"]) & (panel.week >= "2025-07-07"), "sales"] += 5
        >>> test = Experiment.from_geo_panel(
        ...     panel, ["a", "b"], ("2025-07-07", "2025-07-27"), time="week", unit="geo", seed=1,
        ...     outcome="sales", estimand=Estimand(control={"tv": 0}), randomized=True)
        >>> round(test.lift), test.design, test.source.error
        (29, 'geo-rct', 'placebo in space')
        """
        options = ("randomized", "spend", "name", "covariance", *_OF_GEO)
        check_keys(settings, [*COLUMNS, "estimand", "dark", *SETTINGS, *options], "from_geo_panel")
        test_settings = {k: settings.pop(k) for k in options if k in settings}
        test = geo_test(frame, treated, window, method=method, **settings)
        return cls.from_geo_test(test, **test_settings)

    @classmethod
    def from_geo_test(
        cls,
        test: GeoTest,
        *,
        randomized: bool = False,
        spend: float | None = None,
        **settings: Any,
    ) -> Experiment:
        """Return the measurement that a geo test made, on its estimand's scale.

        Parameters
        ----------
        test : GeoTest
        randomized : bool
            True only if units were assigned at random: the design is then ``geo-rct``. Otherwise
            it is ``did`` or ``synthetic-control`` (also for `tbr`, whose claim is the same: what
            held between treated and control units before the test holds during it).
        spend : float, optional
            Spend that the test moved, in currency; for ``scale="per_spend"``.
        **settings
            Other fields: ``name``, ``bias_sd``, ...

        Raises
        ------
        SpecError
            A scale that cannot be computed from the panel, a setting that is no field.
        """
        if not isinstance(test, GeoTest):
            raise SpecError(f"test is a GeoTest, as geo_test makes it; got {test!r}.")
        if not isinstance(randomized, bool):
            raise SpecError(f"randomized is True or False; got {randomized!r}.")
        test_fields = ("estimand", "lift", "std_error", "design", "source")
        open_ = [f.name for f in fields(cls) if f.name not in test_fields]
        check_keys(settings, open_, "experiment of a geo test")
        factor, error = test.factors(spend)
        return cls(
            estimand=test.estimand,
            lift=test.lift * factor,
            std_error=test.std_error * error,
            design="geo-rct" if randomized else DESIGN[test.method],
            source=test,
            **settings,
        )

    @classmethod
    def from_geo_cells(
        cls,
        frame: pd.DataFrame,
        cells: Mapping[str, GeoCell],
        window: tuple[Any, Any],
        *,
        method: Method = "did",
        **settings: Any,
    ) -> tuple[Experiment, ...]:
        """Measure the arms of a geo test that share a control, as one experiment for each cell.

        Units of no cell are the control of all: what chance did to them is in every lift. Each
        experiment states its ``covariance`` with the others for that, on the scales of the lifts;
        `geo_cells.arm_correlation` derives it. Give all of them to one `Spec`. Possible biases
        (`bias_sd`) count as independent.

        Parameters
        ----------
        frame, window, method
            As in `geo_test`.
        cells : mapping of str to GeoCell
            With an example.
        **settings
            Others of `geo_test` (``time``, ``unit``, ``outcome``; ``tail``, ...) and of
            `from_geo_test` (``randomized``, ``bias_sd``, ...), the same for every cell.

        Raises
        ------
        DataError, SpecError
            Fewer than two cells, a unit in two of them, no unit in none; what `geo_test` refuses.
        """
        options = ("randomized", *_OF_GEO)
        check_keys(settings, [*COLUMNS, *SETTINGS, *options], "from_geo_cells")
        test_settings = {k: settings.pop(k) for k in options if k in settings}
        tests, covariance = geo_cells(frame, cells, window, method=method, **settings)
        scale = np.array([test.factors(cells[name].spend)[1] for name, test in tests.items()])
        rows = covariance * np.outer(scale, scale)
        experiments = []
        for (name, test), row in zip(tests.items(), rows.tolist(), strict=True):
            covariances = {k: c for k, c in zip(tests, row, strict=True) if k != name}
            ties = test_settings | {
                "name": name,
                "covariance": covariances,
                "spend": cells[name].spend,
            }
            experiments.append(cls.from_geo_test(test, **ties))
        return tuple(experiments)


def _unnamable(name: str) -> str:
    """Say why a netCDF file cannot hold a variable of this name, or return an empty string."""
    if name != name.strip():
        return "it starts or ends with white space"
    characters = [c for c in name if c == "/" or not c.isprintable()]
    return f"it holds {characters[0]!r}" if characters else ""


def _tidy(covariance: Any, name: str | None) -> dict[str, float]:
    """Return the covariances that one experiment states, by name, as floats."""
    if not isinstance(covariance, Mapping):
        raise SpecError(
            f"covariance is a mapping, such as {{'the other test': 40.0}}; got {covariance!r}."
        )
    tidy = {str(k): number(f"covariance with '{k}'", v) for k, v in covariance.items()}
    if name in tidy:
        raise SpecError(f"Experiment '{name}' gives a covariance with itself: that is std_error.")
    return dict(sorted(tidy.items()))


def covariance_between(a: Experiment, b: Experiment) -> float | None:
    """Return the covariance that either of two experiments states, None if neither does."""
    covariances = [
        first.covariance[str(second.name)]
        for first, second in ((a, b), (b, a))
        if second.name in first.covariance
    ]
    if len(covariances) == 2 and not math.isclose(*covariances, rel_tol=1e-9):
        raise SpecError(
            f"The covariance of '{a.name}' and '{b.name}' is {covariances[0]:g} in one and "
            f"{covariances[1]:g} in the other. State it once."
        )
    return covariances[0] if covariances else None


def correlated(tests: Iterable[Experiment]) -> tuple[tuple[Experiment, ...], ...]:
    """Group experiments whose errors covary, sorted by name; most groups have one member."""
    groups: list[list[Experiment]] = []
    for test in sorted(tests, key=lambda t: str(t.name)):
        matches = [g for g in groups if any(covariance_between(test, member) for member in g)]
        groups = [g for g in groups if not any(g is t for t in matches)]
        groups.append([*(member for g in matches for member in g), test])
    clusters = [tuple(sorted(g, key=lambda t: str(t.name))) for g in groups]
    return tuple(sorted(clusters, key=lambda g: str(g[0].name)))


def error_covariance(tests: Sequence[Experiment], sds: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the covariance matrix of the errors, with ``sds^2`` on the diagonal."""
    matrix = np.diag(np.square(sds))
    for i, a in enumerate(tests):
        for j, b in enumerate(tests[:i]):
            matrix[i, j] = matrix[j, i] = covariance_between(a, b) or 0.0
    return matrix
