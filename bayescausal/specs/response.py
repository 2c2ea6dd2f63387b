"""`Response` describes how a cause acts along one edge of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from bayescausal._display import filled
from bayescausal._types import Array
from bayescausal.checks import check_keys
from bayescausal.errors import SpecError, did_you_mean, shown
from bayescausal.specs.adstock import ADSTOCKS
from bayescausal.specs.prior import (
    COMMON,
    UNIT_SPECIFIC,
    Prior,
    Spread,
    check_prior,
    check_spread,
    spread_from_dict,
    spread_to_dict,
)
from bayescausal.specs.saturation import SATURATIONS
from bayescausal.specs.transform import Transform

TRANSFORMS: dict[str, type[Transform]] = {**ADSTOCKS, **SATURATIONS}


class CurveSummary(NamedTuple):
    """Summaries of ``f`` over the training data that the views of a strength need.

    Parameters
    ----------
    mean, range : array
        Mean of ``|f|``, and its range within a unit.
    gain : array
        What the target gains per unit of the coefficient and unit of spend; NaN without spend.
    share : float or array
        Part of what the media into the target are expected to bring that falls to the channel:
        the root of its spend over the sum of the roots. A channel whose spend is not known counts
        as one with the mean of those that are.
    """

    mean: Array
    range: Array
    gain: Array
    share: Array | float


@dataclass(frozen=True)
class Coefficient:
    """A prior on the coefficient ``beta`` itself: response = ``beta * f(x)``.

    One of several views of the same parameter. The quantity that carries the prior is the one
    that is sampled and the coefficient follows from it, so no Jacobian is needed or lost.

    Parameters
    ----------
    prior : Prior
        In units of the target's scale per unit of the transformed, scaled exposure.
    """

    prior: Prior = Prior("Normal", mu=0, sigma=1)  # noqa: RUF009 (frozen value)
    needs_spend: ClassVar[bool] = False

    def beta(self, value: Array, summary: CurveSummary) -> Array:
        """The coefficient, given the sampled value."""
        return value


@dataclass(frozen=True)
class RangeContribution:
    """A prior on ``beta * (max f - min f)``: what the cause does over its observed range.

    It does not matter where the zero of the cause is, nor in which units it is counted: an index
    of 98 to 102 is adjusted for as well as the same index less 100. The default of plain edges.
    Of a panel the range is the largest within a unit.

    Parameters
    ----------
    prior : Prior
        As a share of the target's scale; in log units when the target has a log link.
    """

    prior: Prior = Prior("Normal", mu=0, sigma=1)  # noqa: RUF009 (frozen value)
    needs_spend: ClassVar[bool] = False

    def beta(self, value: Array, summary: CurveSummary) -> Array:
        """The coefficient, given the sampled value."""
        return value / summary.range


@dataclass(frozen=True)
class MeanContribution:
    """A prior on the mean contribution ``kappa = beta * mean |f(x)|`` over the training data.

    The data pin this quantity down even where the coefficient and the shape of the curve trade
    off. `MediaContribution`, the default of media edges, is the same relative to spend.

    Parameters
    ----------
    prior : Prior
        As a share of the target's scale (its maximum in the training data, per unit); in log
        units when the target has a log link. Give a ``HalfNormal`` to impose the sign.
    """

    prior: Prior = Prior("Normal", mu=0, sigma=0.25)  # noqa: RUF009 (frozen value)
    needs_spend: ClassVar[bool] = False

    def beta(self, value: Array, summary: CurveSummary) -> Array:
        """The coefficient, given the sampled value."""
        return value / summary.mean


@dataclass(frozen=True)
class MediaContribution:
    """A prior on the contribution of all media together, split by the root of spend.

        kappa = beta mean |f(x)| = value share,
        share = sqrt(spend) / sum over the media into the target of sqrt(spend)

    Each channel has a value of its own. With the default prior, media are expected to bring 20
    percent of the target's largest value together, whether they are two channels or ten; a channel
    with four times the spend is expected to bring twice as much. The prior leans to positive
    effects, and it rules out neither none nor a harmful or a very large one: its tails are those
    of a t with four degrees of freedom. The default of media edges.

    Where the spend of a channel is not known it counts as average. Not a prior on the return:
    that is `ReturnOnSpend`.

    Parameters
    ----------
    prior : Prior
        Of the value, as a share of the target's scale (its maximum in the training data, per
        unit); in log units when the target has a log link.

    Source: MODEL.md section 3.5; what it is worth in simulated worlds is in benchmarks/RESULTS.md.
    """

    prior: Prior = Prior("StudentT", nu=4, mu=0.2, sigma=0.16)  # noqa: RUF009 (frozen value)
    needs_spend: ClassVar[bool] = False

    def beta(self, value: Array, summary: CurveSummary) -> Array:
        """The coefficient, given the sampled value."""
        return value * summary.share / summary.mean


@dataclass(frozen=True)
class ReturnOnSpend:
    """A prior on the return of the edge: target gained along it per unit of the source's spend.

    ``value = beta * sum(scale * f(x)) / sum(spend)`` over the training data. It speaks of the
    direct edge only; the channel's ROAS also counts what flows through mediators.

    Parameters
    ----------
    prior : Prior
        In units of the target per unit of spend.
    """

    prior: Prior
    needs_spend: ClassVar[bool] = True

    def beta(self, value: Array, summary: CurveSummary) -> Array:
        """The coefficient, given the sampled value."""
        return value / summary.gain


type Strength = (
    Coefficient | MeanContribution | MediaContribution | RangeContribution | ReturnOnSpend
)
STRENGTHS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Coefficient,
        MeanContribution,
        MediaContribution,
        RangeContribution,
        ReturnOnSpend,
    )
}


@dataclass(frozen=True, init=False)
class Response:
    """How a cause acts along an edge: transforms from left to right, times a coefficient.

        r(x) = beta * S( A( x / scale ) )
        r_u(x) = beta exp(s_u) * S( A( x_u / scale_u ) )     in unit u of a panel

    Without transforms it is a plain edge, ``beta * x / scale``. Adstock before saturation or
    after it is a matter of order, not of a flag.

    Parameters
    ----------
    *transforms : Transform
        Adstocks and saturations, applied left to right.
    strength : Prior or one of `STRENGTHS`, optional
        Which view of the coefficient carries the prior: `MediaContribution` by default with
        transforms, `RangeContribution` without. A bare `Prior` is one of the mean contribution
        with transforms, of the contribution over the range without. In a panel it speaks of all
        units together.
    spread : Prior or "common", optional
        Of a panel: how far units differ (`bayescausal.specs.prior.Spread`). Carry-over, curve and
        sign are common. By default units differ with transforms, and not without; nor do they
        where an unobserved cause ties both ends (`Spec.spreads`).

    Raises
    ------
    SpecError
        Something that is no transform, or two transforms with a parameter of one name.

    Examples
    --------
    >>> from bayescausal.specs.adstock import GeometricAdstock
    >>> from bayescausal.specs.saturation import HillSaturation
    >>> Response(GeometricAdstock(l_max=8), HillSaturation()).reach
    8
    """

    transforms: tuple[Transform, ...]
    strength: Strength
    spread: Spread

    def __init__(
        self,
        *transforms: Transform,
        strength: Strength | Prior | None = None,
        spread: Spread | None = None,
    ) -> None:
        for step in transforms:
            if not isinstance(step, Transform):
                raise SpecError(
                    f"A Response is made of adstocks and saturations; got {shown(step)}. "
                    f"{_correction(step)}"
                )
        names = [name for step in transforms for name in step.priors]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise SpecError(
                f"Two transforms of one Response share the parameter '{twice[0]}': "
                "use one adstock and one saturation, or kinds with other parameters."
            )
        if strength is None:
            strength = MediaContribution() if transforms else RangeContribution()
        elif isinstance(strength, Prior):
            strength = (MeanContribution if transforms else RangeContribution)(strength)
        elif not isinstance(strength, tuple(STRENGTHS.values())):
            raise SpecError(
                f"strength is a Prior or one of {', '.join(STRENGTHS)}; got {strength!r}."
            )
        check_prior(type(strength).__name__, strength.prior)
        spread = (UNIT_SPECIFIC if transforms else COMMON) if spread is None else spread
        check_spread("Response: spread", spread)
        object.__setattr__(self, "transforms", transforms)
        object.__setattr__(self, "strength", strength)
        object.__setattr__(self, "spread", spread)

    def __repr__(self) -> str:
        lags = [getattr(step, "l_max", None) for step in self.transforms]
        names = [type(step).__name__ for step in self.transforms]
        steps = [f"{n}({lag})" if lag else n for n, lag in zip(names, lags, strict=True)]
        view = type(self.strength).__name__
        usual = UNIT_SPECIFIC if self.transforms else COMMON
        suffix = [] if self.spread == usual else [f"spread={self.spread!r}"]
        parts = [*steps, f"{view}({self.strength.prior!r})", *suffix]
        return filled("Response(", [*parts[:-1], parts[-1] + ")"], ", ", "    ")

    @property
    def priors(self) -> dict[str, Prior]:
        """Priors of the transforms' parameters, by parameter."""
        return {name: prior for step in self.transforms for name, prior in step.priors.items()}

    @property
    def reach(self) -> int:
        """Periods over which one period's exposure acts beyond its own."""
        return sum(step.reach for step in self.transforms)

    def lasting(self, periods: int, days: float) -> Response:
        """Return the response with the reach that data decide for its transforms; see `Adstock`."""
        steps = [step.lasting(periods, days) for step in self.transforms]
        return Response(*steps, strength=self.strength, spread=self.spread)

    def curve(self, xp: Any, x: Array, theta: dict[str, Array], depth: int = 1) -> Array:
        """Transform scaled exposure ``x`` (time last): ``f(x)``, before the coefficient."""
        for step in self.transforms:
            x = step.apply(xp, x, {name: theta[name] for name in step.priors}, depth)
        return x

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict for YAML and JSON."""
        return {
            "transforms": [step.to_dict() for step in self.transforms],
            "strength": {
                "kind": type(self.strength).__name__,
                "prior": self.strength.prior.to_dict(),
            },
            "spread": spread_to_dict(self.spread),
        }

    @classmethod
    def from_dict(cls, mapping: dict[str, Any]) -> Response:
        """Read what `to_dict` wrote."""
        check_keys(mapping, ("transforms", "strength", "spread"), "response")
        entries = mapping.get("transforms") or ()
        if not isinstance(entries, list | tuple):
            raise SpecError(f"response: transforms is a list of kinds; got {entries!r}.")
        steps = [_by_kind(TRANSFORMS, step, "transform") for step in entries]
        strength, spread = mapping.get("strength"), mapping.get("spread")
        return cls(
            *steps,
            strength=None if strength is None else _strength(strength),
            spread=None if spread is None else spread_from_dict(spread),
        )


def _correction(step: Any) -> str:
    """Say how to write a value that is no transform."""
    if isinstance(step, (Prior, *STRENGTHS.values())):
        return f"What carries the prior is named: Response(..., strength={shown(step)})."
    if isinstance(step, type) and issubclass(step, Transform):
        return f"Write {step.__name__}(), with brackets, to make a value."
    return "Write Response(GeometricAdstock(l_max=8), HillSaturation())."


def _by_kind(kinds: dict[str, Any], entry: Any, role: str) -> Any:
    entry = {"kind": entry} if isinstance(entry, str) else entry
    kind = entry.get("kind") if isinstance(entry, dict) else entry
    if not isinstance(kind, str) or kind not in kinds:
        raise SpecError(
            f"'{kind}' is no {role}. Known: {', '.join(kinds)}.{did_you_mean(str(kind), kinds)}"
        )
    return kinds[kind].from_dict(entry)


def _strength(mapping: dict[str, Any]) -> Strength | Prior:
    if isinstance(mapping, dict) and "distribution" in mapping:
        return Prior.from_dict(mapping)
    check_keys(mapping, ("kind", "prior"), "strength")
    if str(mapping.get("kind")) not in STRENGTHS:
        raise SpecError(f"strength: kind is one of {', '.join(STRENGTHS)}; got {mapping!r}.")
    return STRENGTHS[mapping["kind"]](Prior.from_dict(mapping.get("prior")))
