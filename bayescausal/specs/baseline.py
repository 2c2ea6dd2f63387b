"""Baseline terms describe a node without the influence of its causes in the graph.

Every term is linear in its coefficients: a design matrix of time, times coefficients,

    baseline[t] = intercept + sum_terms sum_k design[t, k] coefficient_k ,

with design columns centered over the training data, so that the intercept stays the level at the
middle of the data and is not tied to the terms. Terms are pooled over units; the intercept of a
panel is partially pooled. Time is that of the first day of each period, however rows are dated.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import described
from bayescausal._types import Array
from bayescausal.checks import number
from bayescausal.data.dates import read_days
from bayescausal.data.periods import starts
from bayescausal.errors import SpecError
from bayescausal.specs.prior import POSITIVE, REAL, Prior, Support, check_prior

_EPOCH = pd.Timestamp("2000-01-03")
_HARMONICS = 183  # of a year of days
_BASIS = 500  # functions of a trend


@dataclass(frozen=True, repr=False)
class Term:
    """A term of the baseline: a name, a design matrix, and priors of its coefficients."""

    name: ClassVar[str]
    supports: ClassVar[dict[str, Support]] = {}

    __repr__ = described

    def __post_init__(self) -> None:
        for item in fields(self):
            if isinstance(item.default, Prior):
                support = self.supports.get(item.name, REAL)
                check_prior(
                    f"{type(self).__name__}: {item.name}", getattr(self, item.name), support
                )

    @property
    def key(self) -> str:
        """The name of the term's variables: ``<node>:<key>``."""
        return self.name

    @property
    def priors(self) -> dict[str, tuple[Prior, bool]]:
        """Priors by parameter suffix ("" is the coefficient), and whether one per column."""
        raise NotImplementedError

    def columns(self, time: pd.DatetimeIndex, training: pd.DatetimeIndex) -> np.ndarray:
        """Return the design matrix, shape ``(time, column)``, not yet centered."""
        raise NotImplementedError

    def labels(self, training: pd.DatetimeIndex) -> list[str]:
        """Return a label for each column."""
        return [str(k + 1) for k in range(self.columns(training[:2], training).shape[1])]

    def coefficients(self, xp: Any, theta: dict[str, Array]) -> Array:
        """Return the coefficients of the columns, shape ``(..., column)``."""
        return theta[""]

    def design(self, time: pd.DatetimeIndex, training: pd.DatetimeIndex) -> np.ndarray:
        """Return the design matrix for ``time``, centered over the training periods."""
        reference = self.columns(training, training)
        if reference.shape[1] and (np.ptp(reference, axis=0) < 1e-9).any():
            raise SpecError(f"The term {self!r} is constant over the data. {self.advice}")
        return self.columns(time, training) - reference.mean(axis=0)

    @property
    def advice(self) -> str:
        """Say what to do when the term has nothing to act on."""
        return "Leave it out."

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict for YAML and JSON: the kind and what differs from the defaults."""
        settings: dict[str, Any] = {"kind": type(self).__name__}
        for item in fields(self):
            value = getattr(self, item.name)
            if value != item.default:
                settings[item.name] = _plain(value)
        return settings


def _plain(value: Any) -> Any:
    if isinstance(value, Prior):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value.isoformat() if isinstance(value, pd.Timestamp) else value


def _position(
    days: pd.DatetimeIndex, time: pd.DatetimeIndex, training: pd.DatetimeIndex
) -> np.ndarray:
    """Put days on an axis on which training periods start from -1/2 to 1/2."""
    first = starts(training, time)
    return np.asarray((days - first[0]) / (first[-1] - first[0])) - 0.5


@dataclass(frozen=True, repr=False)
class Intercept(Term):
    """The level of the node at the mean of its causes; every equation has one.

    In a panel each unit has its own, ``intercept_u ~ Normal(mu, spread)``: partially pooled.

    Parameters
    ----------
    prior : Prior
        Of the level (national) or of its mean over units (panel), as a share of the node's scale.
    spread : Prior
        Of the standard deviation between units.
    """

    name: ClassVar[str] = "intercept"
    supports: ClassVar[dict[str, Support]] = {"spread": POSITIVE}
    prior: Prior = Prior("Normal", mu=0, sigma=1)  # noqa: RUF009 (frozen value)
    spread: Prior = Prior("InverseGamma", alpha=3, beta=0.3)  # noqa: RUF009 (frozen value)


@dataclass(frozen=True, repr=False)
class LinearTrend(Term):
    """A straight line; the coefficient is the total change over the training data.

    Parameters
    ----------
    prior : Prior
        Of that change, as a share of the node's scale.
    """

    name: ClassVar[str] = "trend"
    prior: Prior = Prior("Normal", mu=0, sigma=0.5)  # noqa: RUF009 (frozen value)

    @property
    def priors(self) -> dict[str, tuple[Prior, bool]]:
        """One coefficient."""
        return {"": (self.prior, True)}

    def labels(self, training: pd.DatetimeIndex) -> list[str]:
        """One column."""
        return ["slope"]

    def columns(self, time: pd.DatetimeIndex, training: pd.DatetimeIndex) -> np.ndarray:
        """Time, from -1/2 to 1/2 over the training data."""
        return _position(starts(time, training), time, training)[:, None]


@dataclass(frozen=True, repr=False)
class PiecewiseTrend(Term):
    """A line whose slope may change at ``changepoints`` places.

    Parameters
    ----------
    changepoints : int or sequence of dates
        A number of equally spaced ones, or their dates.
    prior : Prior
        Of the slopes: the first one and its changes (Laplace: most changes are small).
    """

    name: ClassVar[str] = "piecewise"
    changepoints: int | tuple[pd.Timestamp, ...] = 5
    prior: Prior = Prior("Laplace", mu=0, b=0.2)  # noqa: RUF009 (frozen value)

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self.changepoints) is not int:
            dates = read_days(self.changepoints, "PiecewiseTrend: changepoints")
            object.__setattr__(self, "changepoints", dates)
        if self.changepoints == () or self.changepoints in range(-9999, 1):
            raise SpecError("PiecewiseTrend needs at least one changepoint, or use LinearTrend.")

    @property
    def priors(self) -> dict[str, tuple[Prior, bool]]:
        """The priors of the first slope and of its changes."""
        return {"": (self.prior, True)}

    def columns(self, time: pd.DatetimeIndex, training: pd.DatetimeIndex) -> np.ndarray:
        """Return time, and the time since each changepoint."""
        t = _position(starts(time, training), time, training)
        if isinstance(self.changepoints, int):
            knots = np.linspace(-0.5, 0.5, self.changepoints + 2)[1:-1]
        else:
            knots = _position(pd.DatetimeIndex(self.changepoints), time, training)
        return np.column_stack([t, *(np.maximum(t - knot, 0) for knot in knots)])

    @property
    def advice(self) -> str:
        """Say that changepoints must lie inside the data."""
        return "Each changepoint must lie before the last period."


@dataclass(frozen=True, repr=False)
class Seasonality(Term):
    """Fourier series: ``sum_k a_k sin(2 pi k t / period) + b_k cos(2 pi k t / period)``.

    Parameters
    ----------
    order : int
        Number of harmonics; each adds a sine and a cosine.
    prior : Prior
        Of every coefficient, as a share of the node's scale.
    """

    period: ClassVar[float]
    order: int = 2
    prior: Prior = Prior("Normal", mu=0, sigma=0.2)  # noqa: RUF009 (frozen value)

    def __post_init__(self) -> None:
        super().__post_init__()
        order = checks.count(f"{type(self).__name__}: order", self.order, 1, _HARMONICS)
        object.__setattr__(self, "order", order)

    @property
    def priors(self) -> dict[str, tuple[Prior, bool]]:
        """The prior of a sine and a cosine for each harmonic."""
        return {"": (self.prior, True)}

    def labels(self, training: pd.DatetimeIndex) -> list[str]:
        """Return ``sin1, cos1, sin2, ...``."""
        return [f"{wave}{k + 1}" for k in range(self.order) for wave in ("sin", "cos")]

    def columns(self, time: pd.DatetimeIndex, training: pd.DatetimeIndex) -> np.ndarray:
        """Return the sines and cosines of the calendar."""
        days = starts(time, training) - _EPOCH
        turn = 2 * np.pi * np.asarray(days / pd.Timedelta(days=self.period))
        waves = [f(k * turn) for k in range(1, self.order + 1) for f in (np.sin, np.cos)]
        return np.column_stack(waves)

    def design(self, time: pd.DatetimeIndex, training: pd.DatetimeIndex) -> np.ndarray:
        """Return centered Fourier columns; refuse harmonics that the data's spacing aliases."""
        days = (training[-1] - training[0]) / pd.Timedelta(days=1) / (len(training) - 1)
        if self.period / self.order < 2 * days - 1e-9:
            raise SpecError(
                f"{self!r}: its fastest wave takes {self.period / self.order:.1f} days, less than "
                f"two periods of these data ({2 * days:.1f} days). {self.advice}"
            )
        return super().design(time, training)

    @property
    def advice(self) -> str:
        """Say that the waves are faster than the data can show."""
        return "Use a lower order, or finer data."


@dataclass(frozen=True, repr=False)
class YearlySeasonality(Seasonality):
    """Fourier series with a period of a year."""

    name: ClassVar[str] = "yearly"
    period: ClassVar[float] = 365.25


@dataclass(frozen=True, repr=False)
class MonthlySeasonality(Seasonality):
    """Fourier series with a period of a month."""

    name: ClassVar[str] = "monthly"
    period: ClassVar[float] = 365.25 / 12
    order: int = 1


@dataclass(frozen=True, repr=False)
class WeeklySeasonality(Seasonality):
    """Fourier series with a period of a week, for daily data."""

    name: ClassVar[str] = "weekly"
    period: ClassVar[float] = 7.0
    order: int = 3


@dataclass(frozen=True, repr=False)
class HSGPTrend(Term):
    """A smooth trend: a Gaussian process, squared-exponential, in ``m`` basis functions.

        trend(t) = sum_j z_j sqrt(S(omega_j)) phi_j(t),   z_j ~ Normal(0, 1)
        S(omega) = amplitude^2 sqrt(2 pi) lengthscale exp(-lengthscale^2 omega^2 / 2)

    Parameters
    ----------
    m : int
        Number of basis functions; more resolve shorter length scales.
    boundary : float
        Half-width of the approximation's domain over the half-width of the data.
    amplitude : Prior
        Of the standard deviation, as a share of the node's scale.
    lengthscale : Prior
        As a share of the training window.

    Notes
    -----
    Source: Riutort-Mayol et al. (2023), Practical Hilbert space approximate Bayesian Gaussian
    processes. A flexible trend absorbs slow media effects: identification gets harder, not easier.
    """

    name: ClassVar[str] = "hsgp"
    supports: ClassVar[dict[str, Support]] = {"amplitude": POSITIVE, "lengthscale": POSITIVE}
    m: int = 8
    boundary: float = 1.5
    amplitude: Prior = Prior("HalfNormal", sigma=0.2)  # noqa: RUF009 (frozen value)
    lengthscale: Prior = Prior("LogNormal", mu=-1.2, sigma=0.4)  # noqa: RUF009 (frozen value)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "boundary", number("HSGPTrend: boundary", self.boundary))
        object.__setattr__(self, "m", checks.count("HSGPTrend: m", self.m, 1, _BASIS))
        if self.boundary <= 1:
            raise SpecError(f"HSGPTrend: boundary is above 1; got {self.boundary:g}. Try 1.5.")

    @property
    def _omega(self) -> np.ndarray:
        return np.pi * np.arange(1, self.m + 1) / (2 * 0.5 * self.boundary)

    @property
    def priors(self) -> dict[str, tuple[Prior, bool]]:
        """The priors of standard normal weights, an amplitude and a length scale."""
        return {
            "": (Prior("Normal", mu=0, sigma=1), True),
            "amplitude": (self.amplitude, False),
            "lengthscale": (self.lengthscale, False),
        }

    def columns(self, time: pd.DatetimeIndex, training: pd.DatetimeIndex) -> np.ndarray:
        """Return sine basis functions that vanish at the boundary."""
        edge = 0.5 * self.boundary
        t = _position(starts(time, training), time, training)[:, None]
        if (furthest := float(t.max())) > edge:
            share, least = (self.boundary - 1) / 2, np.ceil(20 * furthest) / 10 + 0.5
            raise SpecError(
                f"HSGPTrend(boundary={self.boundary:g}) vanishes when {share:.0%} of the length of "
                f"the data have passed after them, and {time[-1].date()} is later. Fit with a "
                f"boundary of {least:g} or more, or with another trend."
            )
        return np.sin(self._omega * (t + edge)) / np.sqrt(edge)

    def coefficients(self, xp: Any, theta: dict[str, Array]) -> Array:
        """Return the weights times the square root of the spectral density."""
        amplitude, scale = theta["amplitude"][..., None], theta["lengthscale"][..., None]
        decay = xp.exp(-((scale * self._omega) ** 2) / 4)
        return theta[""] * amplitude * (2 * np.pi) ** 0.25 * xp.sqrt(scale) * decay
