"""Saturation: how response to exposure flattens.

Exposure arrives scaled (its maximum in the training data is about 1) and non-negative. Values
below zero, which a mediator may take in another world, count as zero for every curve but
`NoSaturation`. Curves increase, start at zero, and are written once over numpy or PyTensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bayescausal._types import Array
from bayescausal.specs.prior import POSITIVE, SHARE, Prior, Support
from bayescausal.specs.transform import Transform

_HALF = Prior("InverseGamma", alpha=1.5, beta=0.8)
"""Large values let a curve be nearly a line; small ones, at which any spend saturates, are rare."""
_RATE = Prior("Gamma", alpha=3, beta=1)


@dataclass(frozen=True, repr=False)
class Saturation(Transform):
    """A curve from exposure to response, element by element."""


def _log(xp: Any, x: Array) -> Array:
    """Log of the positive part, with a zero (not a NaN) in value and gradient elsewhere."""
    return xp.log(xp.where(x > 0, x, 1.0))


@dataclass(frozen=True, repr=False)
class HillSaturation(Saturation):
    """``x^slope / (half^slope + x^slope)``: an S-curve for ``slope > 1``.

    Parameters
    ----------
    priors : dict
        ``half``: exposure, on the scaled axis, at which half of the maximal response is reached;
        ``slope``: steepness, 1 gives Michaelis-Menten.

    Notes
    -----
    Source: Hill (1910); Jin et al. (2017), Google.

    Examples
    --------
    >>> import numpy as np
    >>> theta = {"half": np.array(0.5), "slope": np.array(2.0)}
    >>> HillSaturation().apply(np, np.array([0.0, 0.5]), theta)
    array([0. , 0.5])
    """

    defaults: ClassVar[dict[str, Prior]] = {
        "half": _HALF,
        "slope": Prior("LogNormal", mu=0.3, sigma=0.35),
    }
    supports: ClassVar[dict[str, Support]] = {"half": POSITIVE, "slope": POSITIVE}

    def curve(self, xp: Any, x: Array, theta: dict[str, Array]) -> Array:
        """Hill curve, through logs so that the gradient exists at zero exposure."""
        odds = xp.exp(xp.minimum(theta["slope"] * (xp.log(theta["half"]) - _log(xp, x)), 300.0))
        return xp.where(x > 0, 1 / (1 + odds), 0.0)


@dataclass(frozen=True, repr=False)
class LogisticSaturation(Saturation):
    """``(1 - exp(-lam x)) / (1 + exp(-lam x)) = tanh(lam x / 2)``.

    Source: PyMC-Marketing's default curve.
    """

    defaults: ClassVar[dict[str, Prior]] = {"lam": _RATE}
    supports: ClassVar[dict[str, Support]] = {"lam": POSITIVE}

    def curve(self, xp: Any, x: Array, theta: dict[str, Array]) -> Array:
        """Logistic curve, rescaled to start at zero."""
        return xp.tanh(theta["lam"] * xp.maximum(x, 0.0) / 2)


@dataclass(frozen=True, repr=False)
class ExponentialSaturation(Saturation):
    """``1 - exp(-lam x)``: each unit reaches a constant share of what is left."""

    defaults: ClassVar[dict[str, Prior]] = {"lam": _RATE}
    supports: ClassVar[dict[str, Support]] = {"lam": POSITIVE}

    def curve(self, xp: Any, x: Array, theta: dict[str, Array]) -> Array:
        """Exponential approach to one."""
        return -xp.expm1(-theta["lam"] * xp.maximum(x, 0.0))


@dataclass(frozen=True, repr=False)
class MichaelisMentenSaturation(Saturation):
    """``x / (half + x)``: Hill with a slope of one."""

    defaults: ClassVar[dict[str, Prior]] = {"half": _HALF}
    supports: ClassVar[dict[str, Support]] = {"half": POSITIVE}

    def curve(self, xp: Any, x: Array, theta: dict[str, Array]) -> Array:
        """Michaelis-Menten curve."""
        x = xp.maximum(x, 0.0)
        return x / (theta["half"] + x)


@dataclass(frozen=True, repr=False)
class TanhSaturation(Saturation):
    """``tanh(x / knee)``: linear up to about ``knee``, then flat."""

    defaults: ClassVar[dict[str, Prior]] = {"knee": _HALF}
    supports: ClassVar[dict[str, Support]] = {"knee": POSITIVE}

    def curve(self, xp: Any, x: Array, theta: dict[str, Array]) -> Array:
        """Hyperbolic tangent."""
        return xp.tanh(xp.maximum(x, 0.0) / theta["knee"])


@dataclass(frozen=True, repr=False)
class RootSaturation(Saturation):
    """``x^power`` with ``power`` in (0, 1): flattens and never ends."""

    defaults: ClassVar[dict[str, Prior]] = {"power": Prior("Beta", alpha=4, beta=2)}
    supports: ClassVar[dict[str, Support]] = {"power": SHARE}

    def curve(self, xp: Any, x: Array, theta: dict[str, Array]) -> Array:
        """Power curve, through logs so that the gradient exists at zero exposure."""
        return xp.where(x > 0, xp.exp(theta["power"] * _log(xp, x)), 0.0)


@dataclass(frozen=True, repr=False)
class NoSaturation(Saturation):
    """``x``: response in proportion to exposure."""

    def curve(self, xp: Any, x: Array, theta: dict[str, Array]) -> Array:
        """Return ``x``."""
        return x


SATURATIONS: dict[str, type[Saturation]] = {
    kind.__name__: kind
    for kind in (
        HillSaturation,
        LogisticSaturation,
        ExponentialSaturation,
        MichaelisMentenSaturation,
        TanhSaturation,
        RootSaturation,
        NoSaturation,
    )
}
