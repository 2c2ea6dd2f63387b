"""`Estimand`: a causal question, as a contrast of two worlds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Integral
from typing import Any, Literal

import numpy as np
import pandas as pd

from bayescausal._types import Intervention
from bayescausal.checks import check_keys, choice, number, several, unit_name
from bayescausal.data.dates import read_window
from bayescausal.errors import SpecError
from bayescausal.graphs.edge import Edge

FACTUAL: dict[str, Intervention] = {}
"""The world as it was: nothing is intervened on."""

OffPanel = Literal["path", "steady"]
Scale = Literal["total", "mean", "per_spend", "percent", "cost"]
SCALES = ("total", "mean", "per_spend", "percent", "cost")
RATIOS = ("per_spend", "percent", "cost")
"""Scales that are a ratio of two sums: a share of all users has the same one."""


@dataclass(frozen=True)
class Times:
    """Multiply the factual value: ``Times(1.1)`` is ten percent more.

    Examples
    --------
    >>> Times(1.1)(100.0)
    110.00000000000001
    """

    factor: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", number("Times: factor", self.factor))

    def __call__(self, x: Any) -> Any:
        """Return ``factor * x``."""
        return self.factor * x


@dataclass(frozen=True)
class Plus:
    """Add to the factual value, in the units of the node.

    Examples
    --------
    >>> Plus(5.0)(100.0)
    105.0
    """

    amount: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount", number("Plus: amount", self.amount))

    def __call__(self, x: Any) -> Any:
        """Return ``x + amount``."""
        return x + self.amount


@dataclass(frozen=True)
class Estimand:
    """A contrast of two worlds: ``sum_{t in W + tail, u} (Y_active - Y_control)``.

    The same value is put to `identify`, asks `effect`, is measured by an `Experiment` and is a
    plan of a `Decision`. It is a definition, not an estimate.

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
        Dates, both included: the periods that start between them are those in which the
        intervention acts. ``"2025-03"`` is all of March. All periods by default.
    units : sequence of str, optional
        Units in which the intervention acts and the outcome is counted. All by default.
    carryover : bool or int
        Count the tail after the window too, as far as exposure reaches along the longest path
        and the data last; or a stated number of periods after the window, which the data must
        hold: 2 for a test of four weeks that was read after six. 0 is False.
    scale : {"total", "mean", "per_spend", "percent", "cost"}
        ``total`` sums over the window and units; ``mean`` is the same per period of the window
        and unit (an average treatment effect); ``per_spend`` per unit of spend that the
        intervention moves; ``percent`` is ``100 sum(Y_active - Y_control) / sum(Y_control)``
        over what is counted; ``cost`` the spend moved per unit of the outcome gained.
    name : str, optional
        A label for tables.
    off_panel : {"path", "steady"}, optional
        The worlds are not in the data: before their start, in another market. Both worlds then
        set the same nodes, and every other node stands at its mean in the training data, of which
        a function gets the path. With ``"path"`` arrays have dims ``(time,)`` or ``(unit, time)``
        of the test alone; before and after it both worlds stand at the first and the last value
        of the control path, so that carry-over into and out of the test has its place. With
        ``"steady"`` each world is constant for as long as exposure reaches, and one period is
        counted: the lift of a point on a response curve. A `window` says when it was and
        selects nothing.

    Raises
    ------
    SpecError
        No intervention at all, a window that ends before it starts, an unknown scale, worlds off
        the panel that set different nodes or are of different lengths.

    Notes
    -----
    Treatments that are not named keep their factual path in both worlds; mediators react. Outside
    its window a treatment that is set keeps its factual path, also when its plan reacts.

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
    carryover: bool | int = field(default=True, compare=False)  # 1 == True, so `tail` is compared
    scale: Scale = "total"
    name: str | None = None
    off_panel: OffPanel | None = None
    tail: int | None = field(init=False, repr=False)
    """Periods that are counted after the window; None for as far as exposure reaches."""

    def __hash__(self) -> int:
        scope = (self.window, self.units, self.off_panel)
        return hash((self.keys, self.outcome, self.scale, self.tail, *scope))

    def __post_init__(self) -> None:
        for side in ("active", "control"):
            mapping = getattr(self, side)
            if not isinstance(mapping, Mapping):
                raise SpecError(
                    f"{side} is a mapping of node to what is set; got {mapping!r}. "
                    "Write {'tv': 0}, or {'tv': Times(1.1)}."
                )
            tidy = {node_or_edge(k): v for k, v in mapping.items()}
            object.__setattr__(self, side, {k: _value(k, v) for k, v in tidy.items()})
        if not self.active and not self.control:
            raise SpecError(
                "An estimand compares two worlds; both are factual here. "
                "Write incremental('tv'), or Estimand(active={'tv': Times(1.1)})."
            )
        for label in ("outcome", "name"):
            text = getattr(self, label)
            if text is not None and not (isinstance(text, str) and text):
                raise SpecError(f"{label} is text; got {text!r}.")
        choice("scale", self.scale, SCALES)
        object.__setattr__(self, "carryover", _carryover(self.carryover))
        object.__setattr__(self, "tail", None if self.carryover is True else int(self.carryover))
        if self.window is not None:
            object.__setattr__(self, "window", read_window(self.window))
        if self.units is not None:
            units = _names(self.units, "units")
            if not units:
                raise SpecError("units is empty: name at least one unit, or leave it out for all.")
            object.__setattr__(
                self, "units", tuple(dict.fromkeys(unit_name("units", u) for u in units))
            )
        if self.off_panel is not None:
            _check_off_panel(self)

    @property
    def length(self) -> int | None:
        """The number of periods of the arrays that are set, None without arrays."""
        values = [*self.active.values(), *self.control.values()]
        return next((_length(v) for v in values if isinstance(v, tuple)), None)

    @property
    def keys(self) -> tuple[str, ...]:
        """The nodes and edges that either world sets."""
        return tuple(sorted({*self.active, *self.control}))

    @property
    def treatments(self) -> tuple[str, ...]:
        """The nodes whose values are changed, at the node or along an edge."""
        return tuple(sorted({key.split("->")[0].strip() for key in self.keys}))

    @property
    def label(self) -> str:
        """The name if there is one, else the treatments."""
        return self.name or " + ".join(self.treatments)

    def during(self, start: Any, end: Any) -> Estimand:
        """Limit the intervention to the periods from ``start`` to ``end``, both included."""
        return replace(self, window=(start, end))

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
        if self.off_panel:
            parts.append("steady state" if self.off_panel == "steady" else "off the panel")
        if self.tail is not None:
            some = f"a tail of {self.tail}" if self.tail else "without carry-over"
            parts.append(some)
        if self.scale != "total":
            parts.append(self.scale)
        return f"Estimand({', '.join(parts)})"

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict; functions other than `Times` and `Plus` raise a SpecError."""
        mapping: dict[str, Any] = {
            side: {k: _write(k, v) for k, v in getattr(self, side).items()}
            for side in ("active", "control")
            if getattr(self, side)
        }
        if self.window:
            mapping["window"] = [t.isoformat() for t in self.window]
        if self.units:
            mapping["units"] = list(self.units)
        if self.tail is not None:
            mapping["carryover"] = self.carryover
        for key, default in (
            ("outcome", None),
            ("scale", "total"),
            ("name", None),
            ("off_panel", None),
        ):
            if getattr(self, key) != default:
                mapping[key] = getattr(self, key)
        return mapping

    @classmethod
    def from_dict(cls, mapping: dict[str, Any]) -> Estimand:
        """Read what `to_dict` wrote."""
        check_keys(mapping, [item.name for item in fields(cls) if item.init], "estimand")
        settings = dict(mapping)
        for side in ("active", "control"):
            world = settings.get(side) or {}
            if isinstance(world, Mapping):
                world = {k: _parse(k, v) for k, v in world.items()}
            settings[side] = world
        return cls(**settings)


_SETTINGS = [item.name for item in fields(Estimand) if item.init and item.name != "control"]


def incremental(treatment: str | list[str] | tuple[str, ...], **settings: Any) -> Estimand:
    """Return what a treatment added: the factual world against ``do(treatment = 0)``.

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
    check_keys(settings, _SETTINGS, "incremental")
    return Estimand(control=dict.fromkeys(_names(treatment, "treatment"), 0.0), **settings)


def steady_state(treatment: str, at: float, by: float, **settings: Any) -> Estimand:
    """Return the gain per period when a constant treatment rises from ``at`` to ``at + by``.

        Y(x = at + by, always) - Y(x = at, always),   in one period

    A point on a response curve, carry-over included: with a normalized adstock it is
    ``beta (S(at + by) - S(at))``. Not what a test of a few weeks shows in the data.

    Parameters
    ----------
    treatment : str
        One treatment.
    at, by : float
        Level of the control world and its change, in units of the exposure, per period.
    **settings
        Other fields of `Estimand`: ``outcome``, ``units``, ``scale``, ...

    Examples
    --------
    >>> steady_state("tv", at=100, by=20)
    Estimand(do(tv=120) vs do(tv=100), steady state)
    """
    check_keys(settings, _SETTINGS, "steady_state")
    low, change = number("at", at), number("by", by)
    return Estimand({treatment: low + change}, {treatment: low}, off_panel="steady", **settings)


def node_or_edge(key: Any) -> str:
    """Return a key as the name of a node, or of an edge as ``"tv->sales"`` without spaces."""
    if not isinstance(key, str | Edge) or not key:
        raise SpecError(f"A key is a node, or an edge 'tv->sales'; got {key!r}.")
    return str(Edge.parse(str(key))) if "->" in str(key) else str(key)


def _names(value: Any, label: str) -> tuple[Any, ...]:
    names = several(value, str | int | Edge)
    if names is None:
        raise SpecError(f"{label} is one name or a sequence of names; got {value!r}.")
    return names


def _carryover(value: Any) -> bool | int:
    """Return True, False, or a number of periods; 0 is False."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, Integral) or value < 0:
        raise SpecError(
            "carryover is True or False, or a whole number of periods after the window; got "
            f"{value!r}."
        )
    return int(value) or False


def _length(values: Any) -> int:
    return len(values[0]) if isinstance(values[0], tuple) else len(values)


def _check_off_panel(estimand: Estimand) -> None:
    if estimand.off_panel not in ("path", "steady"):
        raise SpecError(
            f"off_panel is 'path' (arrays of the test's own periods) or 'steady' (constant "
            f"levels); got {estimand.off_panel!r}."
        )
    if {*estimand.active} != {*estimand.control} or any("->" in key for key in estimand.keys):
        raise SpecError(
            "Off the panel there is no factual world: active sets "
            f"{', '.join(estimand.active) or 'nothing'}, control sets "
            f"{', '.join(estimand.control) or 'nothing'}. Give the same nodes, no edges, in both: "
            "Estimand(active={'tv': [80, 80, 80]}, control={'tv': [0, 0, 0]}, off_panel='path')."
        )
    sides = (estimand.active, estimand.control)
    arrays = [v for side in sides for v in side.values() if isinstance(v, tuple)]
    if estimand.off_panel == "steady":
        if arrays or estimand.tail is not None:
            raise SpecError(
                "A steady state has one level a world and no tail: give numbers, and leave "
                "carryover out. A test with a path of its own is off_panel='path'."
            )
        return
    lengths = sorted({_length(values) for values in arrays})
    if len(lengths) != 1:
        raise SpecError(
            f"The paths off the panel have {' and '.join(map(str, lengths)) or 'no'} periods. "
            "Give arrays of one length, the periods of the test; one of them may be a number. "
            "For constant levels without end write off_panel='steady'."
        )


def _value(key: str, value: Any) -> Any:
    if callable(value) and not isinstance(value, type):
        return value
    try:
        if value is None or isinstance(value, str):
            raise TypeError
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise SpecError(
            f"do({key}=...): set a number, an array, or a function of the factual value such as "
            f"Times(1.1); got {value!r}."
        ) from None
    if not np.isfinite(array).all():
        raise SpecError(f"do({key}=...): the value is not finite.")
    if array.ndim > 2 or not array.size:
        raise SpecError(
            f"do({key}=array): dims are (time,) or (unit, time); got shape {array.shape}."
        )
    return float(array) if array.ndim == 0 else _nested(array)


def _nested(array: np.ndarray) -> tuple:
    return tuple(map(float, array)) if array.ndim == 1 else tuple(_nested(row) for row in array)


def _world(do: Mapping[str, Any]) -> str:
    def clause(key: str, value: Any) -> str:
        if isinstance(value, Times):
            return f"{key}*{value.factor:g}"
        if isinstance(value, Plus):
            return f"{key}{value.amount:+g}"
        return f"{key}={value:g}" if isinstance(value, float) else f"{key}=..."

    return f"do({', '.join(clause(k, v) for k, v in do.items())})" if do else "factual"


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


def _parse(key: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) == {"times"}:
        return Times(value["times"])
    if set(value) == {"plus"}:
        return Plus(value["plus"])
    raise SpecError(
        f"do({key}): write a number, a list, {{times: 1.1}} or {{plus: 5}}; got {value}."
    )
