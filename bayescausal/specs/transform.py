"""The base of adstocks and saturations: a formula, its parameters and their priors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from bayescausal._display import described
from bayescausal._types import Array
from bayescausal.checks import check_keys
from bayescausal.errors import SpecError, did_you_mean
from bayescausal.specs.prior import REAL, Prior, Support, check_prior


@dataclass(frozen=True, repr=False)
class Transform:
    """One step of a response, applied to a non-negative exposure.

    A subclass states its default priors in `defaults`, the values that each parameter can take in
    `supports`, and writes its formula once, over an array namespace ``xp`` (numpy or
    ``pytensor.tensor``).

    Parameters
    ----------
    priors : dict of str to Prior, optional
        Replace the default prior of a parameter; all of its values must lie in the support.
    """

    priors: dict[str, Prior] = field(default_factory=dict, kw_only=True, hash=False)
    defaults: ClassVar[dict[str, Prior]] = {}
    supports: ClassVar[dict[str, Support]] = {}

    __repr__ = described

    def __post_init__(self) -> None:
        kind = type(self).__name__
        if not isinstance(self.priors, Mapping):
            raise SpecError(
                f"{kind}: priors is a mapping of parameter to Prior; got {self.priors!r}."
            )
        for name, prior in self.priors.items():
            if name not in self.defaults:
                parameters = ", ".join(self.defaults) or "none"
                raise SpecError(
                    f"{kind} has no parameter '{name}'; its parameters: {parameters}."
                    f"{did_you_mean(name, self.defaults)}"
                )
            check_prior(f"{kind}: '{name}'", prior, self.supports.get(name, REAL))
        object.__setattr__(self, "priors", {**self.defaults, **self.priors})

    @property
    def reach(self) -> int:
        """Periods over which one period's exposure acts beyond its own."""
        return 0

    def lasting(self, periods: int, days: float) -> Self:
        """Return the step with the reach that data decide, unless its own is stated."""
        return self

    def apply(self, xp: Any, x: Array, theta: dict[str, Array], depth: int = 1) -> Array:
        """Apply the step to ``x``, whose last ``depth`` dims are data (time last).

        Parameters in ``theta`` have draw dims only; so may ``x`` in front of its data dims.
        """
        return self.curve(xp, x, {k: widen(v, depth) for k, v in theta.items()})

    def curve(self, xp: Any, x: Array, theta: dict[str, Array]) -> Array:
        """Apply the formula element by element; parameters broadcast against ``x``."""
        raise NotImplementedError

    @property
    def settings(self) -> tuple[tuple[str, Any], ...]:
        """The arguments besides priors, by name, without those that data decide."""
        values = [(item.name, getattr(self, item.name)) for item in fields(self)]
        return tuple((k, value) for k, value in values if k != "priors" and value is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict: the kind, the settings, and the priors that differ."""
        changed = {k: p.to_dict() for k, p in self.priors.items() if p != self.defaults[k]}
        plain = {"kind": type(self).__name__, **dict(self.settings)}
        return plain | ({"priors": changed} if changed else {})

    @classmethod
    def from_dict(cls, mapping: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote (the kind is already known)."""
        settings = dict(mapping)
        settings.pop("kind", None)
        check_keys(settings, [item.name for item in fields(cls)], cls.__name__)
        priors = settings.pop("priors", None) or {}
        check_keys(priors, cls.defaults, f"{cls.__name__}: priors")
        priors = {k: Prior.from_dict(v) for k, v in priors.items()}
        return cls(**settings, priors=priors)


def widen(value: Array, depth: int) -> Array:
    """Append ``depth`` broadcastable dims, so that draws line up against data."""
    return value[(..., *([None] * depth))]
