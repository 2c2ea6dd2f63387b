"""The errors of a structural equation.

In a panel each kind takes a ``spread``: how far the units' scales differ, ``sigma_u = sigma
exp(s_u)`` (`bayescausal.specs.prior.Spread`). Small markets are noisier per head than large ones;
with one scale for all, the noisy ones count too much and every interval is the average market's.
Nodes that share an unobserved cause keep common scales (`Spec.spreads`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from bayescausal._display import described
from bayescausal.checks import check_keys, choice
from bayescausal.specs.prior import (
    CORRELATED,
    POSITIVE,
    UNIT_SPECIFIC,
    Prior,
    Spread,
    check_prior,
    check_spread,
    spread_from_dict,
    spread_to_dict,
)

_SIGMA = Prior("HalfNormal", sigma=0.3)
_PHI = Prior("TruncatedNormal", mu=0.4, sigma=0.3, lower=-1, upper=1)


@dataclass(frozen=True)
class NormalNoise:
    """``e ~ Normal(0, sigma)`` on the scale of the link.

    Parameters
    ----------
    sigma : Prior
        As a share of the node's scale (identity link) or in log units (log link).
    spread : Prior or "common"
        Of a panel: how far the units' scales differ, see the top of this module.
    """

    sigma: Prior = _SIGMA
    spread: Spread = UNIT_SPECIFIC

    __repr__ = described

    def __post_init__(self) -> None:
        check_prior("NormalNoise: sigma", self.sigma, POSITIVE)
        check_spread("NormalNoise: spread", self.spread)

    @property
    def priors(self) -> dict[str, Prior]:
        """Priors of the parameters, by parameter."""
        return {"sigma": self.sigma}


@dataclass(frozen=True)
class StudentTNoise:
    """``e ~ StudentT(nu, 0, sigma)``: a week with a strike or a stock-out weighs less.

    Parameters
    ----------
    sigma : Prior
        Scale; not the standard deviation, which is larger.
    nu : Prior
        Degrees of freedom.
    spread : Prior or "common"
        Of a panel, as `NormalNoise`.
    """

    sigma: Prior = _SIGMA
    nu: Prior = Prior("Gamma", alpha=2, beta=0.1)  # noqa: RUF009 (frozen value)
    spread: Spread = UNIT_SPECIFIC

    __repr__ = described

    def __post_init__(self) -> None:
        check_prior("StudentTNoise: sigma", self.sigma, POSITIVE)
        check_prior("StudentTNoise: nu", self.nu, POSITIVE)
        check_spread("StudentTNoise: spread", self.spread)

    @property
    def priors(self) -> dict[str, Prior]:
        """Priors of the parameters, by parameter."""
        return {"sigma": self.sigma, "nu": self.nu}


@dataclass(frozen=True)
class AR1Noise:
    """Errors that remember: ``e_t = phi e_{t-1} + v_t``, stationary from the first period on.

    What moves the outcome and is in no equation (weather, a rival's promotion) lasts for weeks.
    Taken for independent errors it makes intervals too narrow and, when spend follows past sales,
    biases effects. Not a lagged effect of the outcome on itself (``sales -> sales @ 1``), through
    which interventions would live on.

    Parameters
    ----------
    sigma : Prior
        Scale of the innovation ``v_t``; the error itself is wider, ``sigma / sqrt(1 - phi^2)``.
    phi : Prior
        Autocorrelation, between -1 and 1.
    nu : Prior, optional
        Makes the innovations Student-t with these degrees of freedom.
    spread : Prior or "common"
        Of a panel, as `NormalNoise`; ``phi`` stays common.

    Source: Cochrane and Orcutt (1949); Prais and Winsten (1954) for the first period.
    """

    sigma: Prior = _SIGMA
    phi: Prior = _PHI
    nu: Prior | None = None
    spread: Spread = UNIT_SPECIFIC

    __repr__ = described

    def __post_init__(self) -> None:
        for name, prior in self.priors.items():
            check_prior(f"AR1Noise: {name}", prior, CORRELATED if name == "phi" else POSITIVE)
        check_spread("AR1Noise: spread", self.spread)

    @property
    def priors(self) -> dict[str, Prior]:
        """Priors of the parameters, by parameter."""
        priors = {"sigma": self.sigma, "phi": self.phi}
        return priors if self.nu is None else {**priors, "nu": self.nu}


type Noise = NormalNoise | StudentTNoise | AR1Noise
NOISES: dict[str, type] = {"normal": NormalNoise, "student_t": StudentTNoise, "ar1": AR1Noise}


def noise_to_dict(noise: Noise) -> dict[str, Any]:
    """Return a plain dict: the kind and the priors."""
    kind = next(k for k, v in NOISES.items() if isinstance(noise, v))
    priors = {k: p.to_dict() for k, p in noise.priors.items()}
    return {"kind": kind, **priors, "spread": spread_to_dict(noise.spread)}


def noise_from_dict(mapping: Mapping[str, Any] | str) -> Noise:
    """Read what `noise_to_dict` wrote, or a bare kind."""
    kind = mapping.get("kind") if isinstance(mapping, Mapping) else mapping
    kind = choice("noise", kind, NOISES)
    priors = {} if isinstance(mapping, str) else {k: v for k, v in mapping.items() if k != "kind"}
    parameters = [item.name for item in fields(NOISES[kind])]
    check_keys(priors, parameters, f"noise {kind}")
    spread = {"spread": spread_from_dict(priors.pop("spread"))} if "spread" in priors else {}
    return NOISES[kind](**{k: Prior.from_dict(v) for k, v in priors.items()}, **spread)
