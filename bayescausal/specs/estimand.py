"""`Estimand`: a causal question, as a contrast of two worlds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from bayescausal._types import Intervention
from bayescausal.errors import SpecError

FACTUAL: dict[str, Intervention] = {}
"""The world as it was: nothing is intervened on."""

Scale = Literal["total", "mean", "per_spend"]


@dataclass(frozen=True)
class Times:
    """Multiply the factual value: ``Times(1.1)`` is ten percent more."""

    factor: float

    def __call__(self, x: Any) -> Any:
        """Return ``factor * x``."""
        return self.factor * x


@dataclass(frozen=True)
class Plus:
    """Add to the factual value, in the units of the node."""

    amount: float

    def __call__(self, x: Any) -> Any:
        """Return ``x + amount``."""
        return x + self.amount


@dataclass(frozen=True)
class Estimand:
    """A contrast of two worlds: ``sum_{t in W + tail, u} (Y_active - Y_control)``.

    The same value asks `effect`, is measured by an `Experiment`, and (later) is put to
    `identify` and `optimize`. It is a definition, not an estimate.

    Parameters
    ----------
    active, control : mapping of str to number, array or function
        What is set in each world; empty means the factual world. A key is a node, or an edge
        written ``"tv->search"``, which feeds the new value along that edge only (path-specific
        effects). A function receives the factual value: ``Times(1.1)``, ``Plus(5)``, a lambda.
        Arrays have dims ``(time,)`` or ``(unit, time)`` of the whole data.
    outcome : str, optional
        The node whose change is counted; the graph's outcome by default. It may be a mediator.
    window : (start, end), optional
        Dates, both included: the periods in which the intervention acts. All by default.
    units : sequence of str, optional
        Units in which the intervention acts and the outcome is counted. All by default.
    carryover : bool
        Count the tail after the window too, as far as exposure reaches along the longest path
        and the data last.
    scale : {"total", "mean", "per_spend"}
        Sum over the window and units; the same per period of the window and unit (an average
        treatment effect); or per unit of spend that the intervention moves.
    name : str, optional
        A label for tables.

    Raises
    ------
    SpecError
        No intervention at all, a window that ends before it starts, an unknown scale.

    Notes
    -----
    Treatments that are not named keep their factual path in both worlds; mediators react.

    Source: Pearl (2009), Causality, sections 1.4 and 7.1; MODEL.md section 6.

    Examples
    --------
    >>> incremental("tv").during("2025-03-03", "2025-03-30")
    Estimand(factual vs do(tv=0), 2025-03-03..2025-03-30)
    """

    active: Mapping[str, Intervention] = field(default_factory=dict)
    control: Mapping[str, Intervention] = field(default_factory=dict)
    outcome: str | None = None
    window: tuple[pd.Timestamp, pd.Timestamp] | None = None
    units: tuple[str, ...] | None = None
    carryover: bool = True
    scale: Scale = "total"
    name: str | None = None

    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        if not self.active and not self.control:
            raise SpecError(
                "An estimand compares two worlds; both are factual here. "
                "Write incremental('tv'), or Estimand(active={'tv': Times(1.1)})."
            )
        for side in ("active", "control"):
            object.__setattr__(
                self, side, {k: _value(k, v) for k, v in getattr(self, side).items()}
            )
        if self.scale not in ("total", "mean", "per_spend"):
            raise SpecError(f"scale is 'total', 'mean' or 'per_spend'; got {self.scale!r}.")
        if self.window is not None:
            start, end = (pd.Timestamp(t) for t in self.window)
            if end < start:
                raise SpecError(f"The window ends ({end.date()}) before it starts ({start.date()}).")
            object.__setattr__(self, "window", (start, end))
        if self.units is not None:
            units = (self.units,) if isinstance(self.units, str) else tuple(self.units)
            if not units:
                raise SpecError("units is empty: name at least one unit, or leave it out for all.")
            object.__setattr__(self, "units", units)

    @property
    def keys(self) -> tuple[str, ...]:
        """Nodes and edges intervened on in either world."""
        return tuple(sorted({*self.active, *self.control}))

    @property
    def treatments(self) -> tuple[str, ...]:
        """Nodes whose value is changed, on themselves or along an edge."""
        return tuple(sorted({key.split("->")[0].strip() for key in self.keys}))

    @property
    def label(self) -> str:
        """The name, or the treatments."""
        return self.name or " + ".join(self.treatments)

    def during(self, start: Any, end: Any) -> Estimand:
        """Limit the intervention to the periods from ``start`` to ``end``, both included."""
        return replace(self, window=(pd.Timestamp(start), pd.Timestamp(end)))

    def within(self, *units: str) -> Estimand:
        """Limit the intervention and the count to some units."""
        return replace(self, units=units)

    def on(self, outcome: str) -> Estimand:
        """Count the change of another node."""
        return replace(self, outcome=outcome)

    def reversed(self) -> Estimand:
        """Swap the worlds; the effect changes its sign and nothing else."""
        return replace(self, active=self.control, control=self.active)

    def __repr__(self) -> str:
        parts = [f"{_world(self.active)} vs {_world(self.control)}"]
        if self.outcome:
            parts.append(f"on {self.outcome}")
        if self.window:
            parts.append(f"{self.window[0].date()}..{self.window[1].date()}")
        if self.units:
            parts.append(f"in {', '.join(self.units)}")
        if not self.carryover:
            parts.append("without carry-over")
        if self.scale != "total":
            parts.append(self.scale)
        return f"Estimand({', '.join(parts)})"

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict; a function that is not `Times` or `Plus` cannot be written."""
        out: dict[str, Any] = {
            side: {k: _write(k, v) for k, v in getattr(self, side).items()}
            for side in ("active", "control")
            if getattr(self, side)
        }
        if self.window:
            out["window"] = [t.isoformat() for t in self.window]
        if self.units:
            out["units"] = list(self.units)
        for key, default in (("outcome", None), ("carryover", True), ("scale", "total")):
            if getattr(self, key) != default:
                out[key] = getattr(self, key)
        if self.name:
            out["name"] = self.name
        return out

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Estimand:
        """Read what `to_dict` wrote."""
        given = dict(given)
        for side in ("active", "control"):
            given[side] = {k: _read(k, v) for k, v in (given.get(side) or {}).items()}
        if given.get("window"):
            given["window"] = tuple(given["window"])
        return cls(**given)


def incremental(treatment: str | list[str] | tuple[str, ...], **settings: Any) -> Estimand:
    """What a treatment added: the factual world against ``do(treatment = 0)``.

    Not the effect of the next unit of spend (that is `mroas`), and not a prediction.

    Parameters
    ----------
    treatment : str or sequence of str
        One treatment, or several switched off together.
    **settings
        Other fields of `Estimand`: ``outcome``, ``window``, ``units``, ``scale``, ...

    Examples
    --------
    >>> incremental("tv")
    Estimand(factual vs do(tv=0))
    """
    names = (treatment,) if isinstance(treatment, str) else tuple(treatment)
    return Estimand(control=dict.fromkeys(names, 0.0), **settings)


def _value(key: str, value: Any) -> Any:
    if callable(value):
        return value
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise SpecError(
            f"do({key}=...): set a number, an array, or a function of the factual value; "
            f"got {value!r}."
        ) from None
    if not np.isfinite(array).all():
        raise SpecError(f"do({key}=...): the value is not finite.")
    return float(array) if array.ndim == 0 else _nested(array)


def _nested(array: np.ndarray) -> tuple:
    return tuple(map(float, array)) if array.ndim == 1 else tuple(_nested(row) for row in array)


def _world(do: Mapping[str, Any]) -> str:
    def one(key: str, value: Any) -> str:
        if isinstance(value, Times):
            return f"{key}*{value.factor:g}"
        if isinstance(value, Plus):
            return f"{key}{value.amount:+g}"
        return f"{key}={value:g}" if isinstance(value, float) else f"{key}=..."

    return f"do({', '.join(one(k, v) for k, v in do.items())})" if do else "factual"


def _write(key: str, value: Any) -> Any:
    if isinstance(value, Times):
        return {"times": value.factor}
    if isinstance(value, Plus):
        return {"plus": value.amount}
    if callable(value):
        raise SpecError(
            f"do({key}=function) cannot be written to a file; use Times(factor), Plus(amount) "
            "or an array."
        )
    return value


def _read(key: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) == {"times"}:
        return Times(float(value["times"]))
    if set(value) == {"plus"}:
        return Plus(float(value["plus"]))
    raise SpecError(f"do({key}): write a number, a list, {{times: 1.1}} or {{plus: 5}}; got {value}.")
