"""Adstock: how the effect of one period's exposure spreads over later periods.

Every adstock here is a weighted sum of lags,

    A(x)[t] = sum_{l=0}^{l_max} w_l x[t - l],

so each class writes only its weights ``w_l``. With ``normalize=True`` (the default)
``sum_l w_l = 1``: carry-over moves an effect in time and does not create any, and a saturation
behind it sees the exposure's own scale. Laws, tested: linear, causal (no effect on the past),
time-invariant, mass-preserving when normalized.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, lgamma, log
from typing import Any, ClassVar, Self

import numpy as np

from bayescausal import checks
from bayescausal._types import Array
from bayescausal.errors import SpecError
from bayescausal.graphs.edge import LONGEST
from bayescausal.specs.prior import POSITIVE, SHARE, Prior, Support
from bayescausal.specs.transform import Transform, widen

WEEK = 7.0
"""In days: the period in which default priors speak."""


@dataclass(frozen=True, repr=False)
class Adstock(Transform):
    """A normalized weighted sum over ``l_max + 1`` lags.

    Parameters
    ----------
    l_max : int, optional
        The largest lag, in periods; exposure acts for ``l_max + 1`` periods. By default eight
        weeks' worth, which data decide: 8 weekly periods, 56 daily ones, 2 months.
    normalize : bool
        Divide the weights by their sum.
    priors : dict of str to Prior
        Priors that replace the defaults.

    Raises
    ------
    SpecError
        ``l_max`` is no whole number from 0 to `LONGEST`; or it is the default,
        and there are no data yet.
    """

    l_max: int | None = None
    normalize: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = type(self).__name__
        if self.l_max is not None:
            label = f"{kind}: l_max, a number of periods,"
            object.__setattr__(self, "l_max", checks.count(label, self.l_max, maximum=LONGEST))
        object.__setattr__(self, "normalize", checks.flag(f"{kind}: normalize", self.normalize))

    @property
    def reach(self) -> int:
        """The largest lag; raises a SpecError while only data could decide it."""
        if self.l_max is None:
            raise SpecError(
                f"{type(self).__name__}: data decide how far it reaches, by their step, and there "
                "are none here. Give it in periods: l_max=8."
            )
        return self.l_max

    def lasting(self, periods: int, days: float) -> Self:
        """Return the adstock with a largest lag: its own, or else the one that data decide.

        Default priors speak of weeks. Where data decide the largest lag they are put in periods of
        ``days`` days, so that an effect is believed to last as long whatever a period is; priors
        that are stated, and those beside a stated ``l_max``, are in periods as they stand.
        """
        if self.l_max is not None:
            return self
        stated = {k: p for k, p in self.priors.items() if p != self.defaults[k]}
        scaled = {} if days == WEEK else self._in_periods(WEEK / days)
        return replace(self, l_max=periods, priors={**scaled, **stated})

    def _in_periods(self, number: float) -> dict[str, Prior]:
        """Return the default priors that depend on the period, for ``number`` periods in a week."""
        return {}

    def weights(self, xp: Any, theta: dict[str, Array]) -> Array:
        """Return the weights of the lags, shape ``(..., l_max + 1)``, for parameters ``(...)``."""
        wide = {k: widen(v, 1) for k, v in theta.items()}
        w = self._unnormalized(xp, np.arange(self.reach + 1.0), wide)
        return w / w.sum(axis=-1, keepdims=True) if self.normalize else w

    def _unnormalized(self, xp: Any, lag: np.ndarray, theta: dict[str, Array]) -> Array:
        raise NotImplementedError

    def apply(self, xp: Any, x: Array, theta: dict[str, Array], depth: int = 1) -> Array:
        """Adstock ``x``, whose last ``depth`` dims are data (time last).

        Exposure without draw dims is one matrix product of weights and lags. Exposure that
        differs between draws (a mediator in another world) is summed lag by lag, which needs
        no memory for ``l_max`` copies of it. Edges and tests that are stacked in a compiled model
        take one product: it has one gradient, where a sum lag by lag has as many as lags.
        """
        w = self.weights(xp, theta)
        if x.ndim == depth or (w.ndim == 1 and xp is not np):
            return xp.tensordot(w, lags(xp, x, self.reach), axes=1)
        if xp is not np:
            copies = xp.stack([shift(xp, x, k) for k in range(self.reach + 1)], axis=-depth - 1)
            if depth == 1:
                return xp.matmul(w[..., None, :], copies)[..., 0, :]
            return (widen(w, depth) * copies).sum(axis=-depth - 1)
        total = widen(w[..., 0], depth) * x
        for lag in range(1, self.reach + 1):
            total = total + widen(w[..., lag], depth) * shift(xp, x, lag)
        return total


def shift(xp: Any, x: Array, lag: int, history: Array | None = None) -> Array:
    """Move ``x`` (time last) ``lag`` periods later; before the data it is zero, or ``history``."""
    if lag == 0:
        return x
    first = xp.zeros_like(x[..., :lag])
    if history is not None:
        first = first + history
    return xp.concatenate([first, x[..., :-lag]], axis=-1)


def lags(xp: Any, x: Array, l_max: int) -> Array:
    """Stack ``x`` at lags ``0..l_max`` on a new first axis."""
    return xp.stack([shift(xp, x, lag) for lag in range(l_max + 1)], axis=0)


@dataclass(frozen=True, repr=False)
class GeometricAdstock(Adstock):
    """Retention ``alpha`` a period: ``w_l = alpha^l``.

    Not a half-life: the effect halves every ``log(1/2) / log(alpha)`` periods.

    Source: Broadbent (1979); Jin et al. (2017), Google.

    Examples
    --------
    >>> GeometricAdstock(l_max=2).weights(np, {"alpha": np.array(0.5)}).round(3)
    array([0.571, 0.286, 0.143])
    """

    defaults: ClassVar[dict[str, Prior]] = {"alpha": Prior("Beta", alpha=2, beta=3)}
    supports: ClassVar[dict[str, Support]] = {"alpha": SHARE}

    def _in_periods(self, number: float) -> dict[str, Prior]:
        return {"alpha": _power(self.defaults["alpha"], 1 / number)}

    def _unnormalized(self, xp: Any, lag: np.ndarray, theta: dict[str, Array]) -> Array:
        return theta["alpha"] ** lag


@dataclass(frozen=True, repr=False)
class DelayedAdstock(Adstock):
    """A peak ``theta`` periods after exposure: ``w_l = alpha^((l - theta)^2)``.

    Source: Jin et al. (2017), Google, equation 3.
    """

    defaults: ClassVar[dict[str, Prior]] = {
        "alpha": Prior("Beta", alpha=2, beta=2),
        "theta": Prior("Gamma", alpha=2, beta=1),
    }
    supports: ClassVar[dict[str, Support]] = {"alpha": SHARE, "theta": POSITIVE}

    def _unnormalized(self, xp: Any, lag: np.ndarray, theta: dict[str, Array]) -> Array:
        return theta["alpha"] ** ((lag - theta["theta"]) ** 2)

    def _in_periods(self, number: float) -> dict[str, Prior]:
        return {
            "alpha": _power(self.defaults["alpha"], 1 / number**2),
            "theta": Prior("Gamma", alpha=2, beta=1 / number),
        }


@dataclass(frozen=True, repr=False)
class WeibullPDFAdstock(Adstock):
    """Weibull density at ``z = l + 1``: ``w_l ~ (z/scale)^(shape-1) exp(-(z/scale)^shape)``.

    A ``shape`` above 1 gives a delayed peak, below 1 a decay. Constant factors of the density
    cancel when normalized, and are left out otherwise.

    Source: Robyn, Meta Marketing Science.
    """

    defaults: ClassVar[dict[str, Prior]] = {
        "shape": Prior("LogNormal", mu=0.3, sigma=0.4),
        "scale": Prior("LogNormal", mu=0.7, sigma=0.5),
    }
    supports: ClassVar[dict[str, Support]] = {"shape": POSITIVE, "scale": POSITIVE}

    def _in_periods(self, number: float) -> dict[str, Prior]:
        return {"scale": _times(self.defaults["scale"], number)}

    def _unnormalized(self, xp: Any, lag: np.ndarray, theta: dict[str, Array]) -> Array:
        z = (lag + 1) / theta["scale"]
        return z ** (theta["shape"] - 1) * xp.exp(-(z ** theta["shape"]))


@dataclass(frozen=True, repr=False)
class WeibullCDFAdstock(Adstock):
    """Retention that itself decays: ``w_l = prod_{k=1..l} exp(-(k/scale)^shape)``.

    Each factor is one minus the Weibull distribution function at ``k``; ``w_0 = 1``.

    Source: Robyn, Meta Marketing Science.
    """

    defaults: ClassVar[dict[str, Prior]] = {
        "shape": Prior("LogNormal", mu=0.0, sigma=0.4),
        "scale": Prior("LogNormal", mu=1.0, sigma=0.5),
    }
    supports: ClassVar[dict[str, Support]] = {"shape": POSITIVE, "scale": POSITIVE}

    def _in_periods(self, number: float) -> dict[str, Prior]:
        return {"scale": _times(self.defaults["scale"], number)}

    def _unnormalized(self, xp: Any, lag: np.ndarray, theta: dict[str, Array]) -> Array:
        started = lag > 0  # at lag 0 the power has an infinite slope for shapes below one
        hazard = (np.maximum(lag, 1.0) / theta["scale"]) ** theta["shape"] * started
        return xp.exp(-xp.cumsum(hazard, axis=-1))


@dataclass(frozen=True, repr=False)
class BinomialAdstock(Adstock):
    """A window that closes: ``w_l = (1 - l / (l_max + 1))^(1/alpha - 1)``.

    Heavier tail than geometric for the same ``alpha``, and exactly zero after the window.

    Source: Google Meridian, binomial decay.
    """

    defaults: ClassVar[dict[str, Prior]] = {"alpha": Prior("Beta", alpha=2, beta=3)}
    supports: ClassVar[dict[str, Support]] = {"alpha": SHARE}

    def _unnormalized(self, xp: Any, lag: np.ndarray, theta: dict[str, Array]) -> Array:
        return (1 - lag / (self.reach + 1)) ** (1 / theta["alpha"] - 1)


@dataclass(frozen=True, repr=False)
class NoAdstock(Adstock):
    """Exposure acts in its own period only: ``w_0 = 1``."""

    l_max: int | None = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.l_max != 0:
            raise SpecError("NoAdstock has no carry-over: l_max is 0. Use GeometricAdstock.")

    def weights(self, xp: Any, theta: dict[str, Array]) -> Array:
        """Return the single weight, 1."""
        return xp.ones(1)

    def apply(self, xp: Any, x: Array, theta: dict[str, Array], depth: int = 1) -> Array:
        """Return ``x``."""
        return x


def _power(prior: Prior, power: float) -> Prior:
    """Return the Beta prior with the mean and variance of ``alpha^power`` for a Beta alpha."""
    a, b = (dict(prior.parameters)[name] for name in ("alpha", "beta"))

    def moment(k: float) -> float:
        return exp(lgamma(a + k) - lgamma(a) + lgamma(a + b) - lgamma(a + b + k))

    mean, square = moment(power), moment(2 * power)
    size = mean * (1 - mean) / (square - mean**2) - 1
    return Prior("Beta", alpha=mean * size, beta=(1 - mean) * size)


def _times(prior: Prior, factor: float) -> Prior:
    """Return the log-normal prior of a quantity that is ``factor`` times as large."""
    mu, sigma = (dict(prior.parameters)[name] for name in ("mu", "sigma"))
    return Prior("LogNormal", mu=mu + log(factor), sigma=sigma)


ADSTOCKS: dict[str, type[Adstock]] = {
    kind.__name__: kind
    for kind in (
        GeometricAdstock,
        DelayedAdstock,
        WeibullPDFAdstock,
        WeibullCDFAdstock,
        BinomialAdstock,
        NoAdstock,
    )
}
