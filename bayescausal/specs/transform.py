"""What adstocks and saturations share: a formula, its parameters and their priors."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from bayescausal._types import Array
from bayescausal.errors import SpecError, did_you_mean
from bayescausal.specs.prior import Prior


@dataclass(frozen=True)
class Transform:
    """One step of a response, applied to a non-negative exposure.

    A subclass states its default priors in `defaults` and writes its formula once, over an
    array namespace ``xp`` (numpy or ``pytensor.tensor``).

    Parameters
    ----------
    priors : dict of str to Prior, optional
        Replace the default prior of a parameter.
    """

    priors: dict[str, Prior] = field(default_factory=dict, kw_only=True, hash=False)
    defaults: ClassVar[dict[str, Prior]] = {}

    def __post_init__(self) -> None:
        kind = type(self).__name__
        for name, prior in self.priors.items():
            if name not in self.defaults:
                there = ", ".join(self.defaults) or "none"
                raise SpecError(
                    f"{kind} has no parameter '{name}'; its parameters: {there}."
                    f"{did_you_mean(name, self.defaults)}"
                )
            if not isinstance(prior, Prior):
                raise SpecError(f"{kind}: the prior of '{name}' must be a Prior; got {prior!r}.")
        object.__setattr__(self, "priors", {**self.defaults, **self.priors})

    @property
    def reach(self) -> int:
        """Periods over which one period's exposure acts beyond its own."""
        return 0

    def apply(self, xp: Any, x: Array, theta: dict[str, Array], depth: int = 1) -> Array:
        """Apply the step to ``x``, whose last ``depth`` dims are data (time last).

        Parameters in ``theta`` have draw dims only; so may ``x`` in front of its data dims.
        """
        return self.curve(xp, x, {k: widen(v, depth) for k, v in theta.items()})

    def curve(self, xp: Any, x: Array, theta: dict[str, Array]) -> Array:
        """The formula, element by element; parameters broadcast against ``x``."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict: the kind, the settings, and the priors that differ."""
        settings = {
            item.name: getattr(self, item.name) for item in fields(self) if item.name != "priors"
        }
        changed = {k: p.to_dict() for k, p in self.priors.items() if p != self.defaults[k]}
        return {"kind": type(self).__name__, **settings} | (
            {"priors": changed} if changed else {}
        )

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote (the kind is already known)."""
        given = dict(given)
        given.pop("kind", None)
        priors = {k: Prior.from_dict(v) for k, v in (given.pop("priors", None) or {}).items()}
        known = [item.name for item in fields(cls)]
        unknown = [k for k in given if k not in known]
        if unknown:
            raise SpecError(
                f"{cls.__name__} has no setting '{unknown[0]}'.{did_you_mean(unknown[0], known)}"
            )
        return cls(**given, priors=priors)


def widen(value: Array, depth: int) -> Array:
    """Append ``depth`` broadcastable dims, so that draws line up against data."""
    return value[(..., *([None] * depth))]
