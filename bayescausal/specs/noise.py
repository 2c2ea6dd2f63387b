"""The errors of a structural equation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bayescausal.errors import SpecError, did_you_mean
from bayescausal.specs.prior import Prior, check_keys, check_prior

_SIGMA = Prior("HalfNormal", sigma=0.3)


@dataclass(frozen=True)
class NormalNoise:
    """``e ~ Normal(0, sigma)`` on the scale of the link.

    Parameters
    ----------
    sigma : Prior
        As a share of the node's scale (identity link) or in log units (log link).
    """

    sigma: Prior = _SIGMA

    def __post_init__(self) -> None:
        check_prior("NormalNoise: sigma", self.sigma)

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
    """

    sigma: Prior = _SIGMA
    nu: Prior = Prior("Gamma", alpha=2, beta=0.1)  # noqa: RUF009 (frozen value)

    def __post_init__(self) -> None:
        check_prior("StudentTNoise: sigma", self.sigma)
        check_prior("StudentTNoise: nu", self.nu)

    @property
    def priors(self) -> dict[str, Prior]:
        """Priors of the parameters, by parameter."""
        return {"sigma": self.sigma, "nu": self.nu}


type Noise = NormalNoise | StudentTNoise
NOISES: dict[str, type] = {"normal": NormalNoise, "student_t": StudentTNoise}


def noise_to_dict(noise: Noise) -> dict[str, Any]:
    """Return a plain dict: the kind and the priors."""
    kind = next(k for k, v in NOISES.items() if isinstance(noise, v))
    return {"kind": kind, **{k: p.to_dict() for k, p in noise.priors.items()}}


def noise_from_dict(given: Mapping[str, Any] | str) -> Noise:
    """Read what `noise_to_dict` wrote, or a bare kind."""
    kind = given.get("kind") if isinstance(given, Mapping) else given
    if not isinstance(kind, str) or kind not in NOISES:
        raise SpecError(
            f"noise is one of {', '.join(NOISES)}; got {kind!r}.{did_you_mean(str(kind), NOISES)}"
        )
    priors = {} if isinstance(given, str) else {k: v for k, v in given.items() if k != "kind"}
    check_keys(priors, NOISES[kind]().priors, f"noise {kind}")
    return NOISES[kind](**{k: Prior.from_dict(v) for k, v in priors.items()})
