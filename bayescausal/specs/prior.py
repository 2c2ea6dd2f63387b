"""`Prior` is a distribution by name, with its parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import stats

from bayescausal.checks import number
from bayescausal.errors import SpecError, did_you_mean, shown

PARAMETERS: dict[str, tuple[str, ...]] = {
    "Beta": ("alpha", "beta"),
    "Cauchy": ("alpha", "beta"),
    "Exponential": ("lam",),
    "Gamma": ("alpha", "beta"),
    "HalfCauchy": ("beta",),
    "HalfNormal": ("sigma",),
    "HalfStudentT": ("nu", "sigma"),
    "InverseGamma": ("alpha", "beta"),
    "Laplace": ("mu", "b"),
    "LogNormal": ("mu", "sigma"),
    "Normal": ("mu", "sigma"),
    "StudentT": ("nu", "mu", "sigma"),
    "TruncatedNormal": ("mu", "sigma", "lower", "upper"),
    "Uniform": ("lower", "upper"),
}
"""The distributions a `Prior` may name, with PyMC's names of their parameters."""


class _HalfStudentT:
    """The law of the size of a Student-t variable, which scipy has no name for."""

    def __init__(self, nu: float, sigma: float) -> None:
        self.law = stats.t(nu, scale=sigma)

    def ppf(self, p: np.ndarray) -> np.ndarray:
        return self.law.ppf((1 + np.asarray(p)) / 2)

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x >= 0, math.log(2) + self.law.logpdf(x), -math.inf)


_LAWS: dict[str, Callable[..., Any]] = {
    "Beta": stats.beta,
    "Cauchy": stats.cauchy,
    "Exponential": lambda lam: stats.expon(scale=1 / lam),
    "Gamma": lambda alpha, beta: stats.gamma(alpha, scale=1 / beta),
    "HalfCauchy": lambda beta: stats.halfcauchy(scale=beta),
    "HalfNormal": lambda sigma: stats.halfnorm(scale=sigma),
    "HalfStudentT": _HalfStudentT,
    "InverseGamma": lambda alpha, beta: stats.invgamma(alpha, scale=beta),
    "Laplace": stats.laplace,
    "LogNormal": lambda mu, sigma: stats.lognorm(sigma, scale=math.exp(mu)),
    "Normal": stats.norm,
    "StudentT": stats.t,
    "TruncatedNormal": lambda mu, sigma, lower=-math.inf, upper=math.inf: stats.truncnorm(
        (lower - mu) / sigma, (upper - mu) / sigma, mu, sigma
    ),
    "Uniform": lambda lower, upper: stats.uniform(lower, upper - lower),
}
"""The laws of scipy, whose parameters by position are PyMC's in the order of `PARAMETERS`."""

_LOCATIONS = {"mu", "lower", "upper"}
_POSITIVE = {"sigma", "beta", "lam", "nu", "b"}
_OPTIONAL = {"lower", "upper"}
_WHOLE_LINE = {"Cauchy", "Laplace", "Normal", "StudentT", "TruncatedNormal", "Uniform"}
_DEFAULTS = {"mu": 0.0, "sigma": 1.0}


@dataclass(frozen=True, init=False)
class Prior:
    """A prior distribution as a value: comparable, hashable, writable to YAML.

    It is not a random variable: `build` makes one of it. Names are those of PyMC, and of
    ``pymc_extras.prior.Prior``.

    Parameters
    ----------
    distribution : str
        A name of `PARAMETERS`, as PyMC spells it.
    **parameters : float
        PyMC's parameters of that distribution, in the units of the quantity described.

    Raises
    ------
    SpecError
        Unknown distribution or parameter, a missing one, or a scale that is not positive.

    Examples
    --------
    >>> Prior("HalfNormal", sigma=0.3)
    Prior('HalfNormal', sigma=0.3)
    """

    distribution: str
    parameters: tuple[tuple[str, float], ...]

    def __init__(self, distribution: str, *unnamed: float, **parameters: float) -> None:
        if unnamed:
            raise SpecError(
                f"Name the parameters: Prior('Normal', mu=0, sigma=1); got {shown(unnamed)}."
            )
        object.__setattr__(self, "distribution", distribution)
        names = PARAMETERS.get(distribution) if isinstance(distribution, str) else None
        if names is None:
            raise SpecError(
                f"{shown(distribution)} is no distribution known here. Known: "
                f"{', '.join(sorted(PARAMETERS))}.{did_you_mean(distribution, PARAMETERS)}"
            )
        values = {k: v for k, v in _DEFAULTS.items() if k in names and len(names) <= 2}
        for name, value in parameters.items():
            if name not in names:
                raise SpecError(
                    f"{distribution} has no parameter '{name}'; it takes {', '.join(names)}."
                    f"{did_you_mean(name, names)}"
                )
            values[name] = _number(distribution, name, value)
        required = [k for k in names if k not in values]
        if distribution == "TruncatedNormal" and len(required) < 2:
            required = [k for k in required if k not in _OPTIONAL]
        if required:
            raise SpecError(f"{distribution} also needs {', '.join(required)}.")
        if values.get("lower", -math.inf) >= values.get("upper", math.inf):
            raise SpecError(f"{distribution} needs lower < upper.")
        object.__setattr__(self, "parameters", tuple((k, values[k]) for k in names if k in values))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v:g}" for k, v in self.parameters)
        return f"Prior({self.distribution!r}, {arguments})"

    @property
    def support(self) -> tuple[float, float]:
        """Lowest and highest value that the distribution can take.

        Examples
        --------
        >>> Prior("Beta", alpha=2, beta=3).support, Prior("HalfNormal").support
        ((0.0, 1.0), (0.0, inf))
        """
        bounds = dict(self.parameters)
        low = -math.inf if self.distribution in _WHOLE_LINE else 0.0
        high = 1.0 if self.distribution == "Beta" else math.inf
        return bounds.get("lower", low), bounds.get("upper", high)

    @property
    def median(self) -> float:
        """The value that the distribution exceeds with probability one half.

        Examples
        --------
        >>> Prior("LogNormal", mu=0, sigma=2).median, round(Prior("Exponential", lam=2).median, 4)
        (1.0, 0.3466)
        """
        return float(self.quantile(0.5))

    def quantile(self, probability: Any) -> Any:
        """Return the values below which the distribution has these probabilities, elementwise.

        Examples
        --------
        >>> float(Prior("Uniform", lower=0, upper=4).quantile(0.25))
        1.0
        """
        return self._law.ppf(probability)

    def log_density(self, x: np.ndarray | float) -> np.ndarray:
        """Evaluate the log density, minus infinity where it has no values.

        Examples
        --------
        >>> float(Prior("Normal", mu=0, sigma=1).log_density(0.0).round(4))
        -0.9189
        """
        return np.asarray(self._law.logpdf(np.asarray(x, dtype=float)))

    @property
    def _law(self) -> Any:
        values = dict(self.parameters)
        if self.distribution == "TruncatedNormal":  # either bound may be left out
            return _LAWS[self.distribution](**values)
        return _LAWS[self.distribution](*values.values())

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"distribution": ..., parameter: value, ...}``."""
        return {"distribution": self.distribution, **dict(self.parameters)}

    @classmethod
    def from_dict(cls, mapping: Any) -> Prior:
        """Read what `to_dict` wrote."""
        if not isinstance(mapping, Mapping) or "distribution" not in mapping:
            raise SpecError(
                "A prior is written {distribution: Normal, mu: 0, sigma: 1}; got "
                f"{shown(mapping)}."
            )
        return cls(**mapping)


def _number(distribution: str, name: str, value: Any) -> float:
    value = number(f"{distribution}: {name}", value)
    shape = name == "alpha" and distribution != "Cauchy"
    if (name in _POSITIVE or shape) and name not in _LOCATIONS and value <= 0:
        raise SpecError(f"{distribution}: {name} must be positive; got {value!r}.")
    return value


class Support(NamedTuple):
    """The values that a parameter may take, with words and families for a message.

    Parameters
    ----------
    low, high : float
        A prior fits when all of its values lie between them, both included.
    words : str
        How a message calls these values.
    families : str
        Priors that fit.
    """

    low: float
    high: float
    words: str
    families: str


REAL = Support(-math.inf, math.inf, "anywhere", "Normal, StudentT, Laplace")
POSITIVE = Support(
    0,
    math.inf,
    "above 0",
    "LogNormal, Gamma, InverseGamma, Exponential, HalfNormal, HalfStudentT, HalfCauchy; "
    "TruncatedNormal or Uniform with lower >= 0",
)
SHARE = Support(0, 1, "between 0 and 1", "Beta; TruncatedNormal or Uniform with bounds in [0, 1]")
CORRELATED = Support(
    -1, 1, "between -1 and 1", "TruncatedNormal or Uniform with bounds in [-1, 1]; Beta"
)


def check_prior(label: str, prior: Any, support: Support = REAL) -> None:
    """Raise when a value is no prior, or allows values that the parameter cannot take."""
    if not isinstance(prior, Prior):
        raise SpecError(
            f"{label} must be a Prior; got {shown(prior)}. Write Prior('Normal', mu=0, sigma=1)."
        )
    low, high = prior.support
    if low < support.low or high > support.high:
        raise SpecError(
            f"{label} lies {support.words}, and {prior!r} has values from {low:g} to {high:g}. "
            f"Families that fit: {support.families}."
        )


type Spread = Prior | Literal["common"]
"""How far the units of a panel differ: prior of a standard deviation in log units, or not at all.

    value_u = value exp(s_u),    s ~ Normal(0, spread), the sum of s zero

Units are partially pooled around their geometric mean; the sign is common. National data have none.
"""

COMMON: Spread = "common"
UNIT_SPECIFIC: Spread = Prior("InverseGamma", alpha=3, beta=0.5)
"""Units differ by a quarter or so, most often by an eighth: away from zero, where pooling is a
funnel that no sampler likes."""


def check_spread(label: str, spread: Any) -> None:
    """Raise unless the spread is a prior of a standard deviation or "common"."""
    if isinstance(spread, Prior):
        check_prior(label, spread, POSITIVE)
    elif spread != COMMON:
        raise SpecError(
            f"{label} is a Prior, or 'common' when all units of a panel are alike; got "
            f"{shown(spread)}."
        )


def spread_to_dict(spread: Spread) -> Any:
    """Return a plain value for YAML and JSON."""
    return spread.to_dict() if isinstance(spread, Prior) else spread


def spread_from_dict(value: Any) -> Spread:
    """Read what `spread_to_dict` wrote."""
    return COMMON if value == COMMON else Prior.from_dict(value)
