"""Events and holidays: dated terms of the baseline whose effect decays around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import holidays as calendars
import numpy as np
import pandas as pd

from bayescausal.checks import number
from bayescausal.data.columns import RESERVED
from bayescausal.data.dates import read_days
from bayescausal.data.periods import places
from bayescausal.errors import SpecError, did_you_mean
from bayescausal.graphs.notation import name_problem
from bayescausal.specs.baseline import Term
from bayescausal.specs.prior import Prior


def _pulses(
    time: pd.DatetimeIndex,
    training: pd.DatetimeIndex,
    dates: Sequence[pd.Timestamp],
    window: tuple[int, int, float],
) -> np.ndarray:
    """Sum ``decay^|k|`` over dates, for periods ``k`` from ``-before`` to ``after``."""
    lead, trail, decay = window
    gap = np.arange(len(time))[:, None] - places(time, training, dates)
    return np.where((gap >= -lead) & (gap <= trail), decay ** np.abs(gap), 0.0).sum(axis=1)


def _check_window(term: Any) -> None:
    for label in ("before", "after"):
        count = getattr(term, label)
        if type(count) is not int or count < 0:
            raise SpecError(f"{label} counts periods around the date; got {count!r}.")
    object.__setattr__(term, "decay", number("decay", term.decay))
    if not 0 < term.decay <= 1:
        raise SpecError(f"decay is the share that stays a period further on; got {term.decay}.")


@dataclass(frozen=True, repr=False)
class Event(Term):
    """A dated event whose effect decays around it: ``sum_dates decay^|t - date|``.

    Parameters
    ----------
    label : str
        Its name; the variable is ``<node>:<label>``.
    dates : sequence of dates
        When it happened; one coefficient serves all of them.
    before, after : int
        Periods before and after the date that feel it too.
    decay : float
        Share that remains a period further from the date.
    """

    name: ClassVar[str] = "event"
    label: str
    dates: tuple[pd.Timestamp, ...]
    before: int = 0
    after: int = 0
    decay: float = 0.5
    prior: Prior = Prior("Normal", mu=0, sigma=0.3)  # noqa: RUF009 (frozen value)

    def __post_init__(self) -> None:
        super().__post_init__()
        if problem := name_problem(self.label):
            raise SpecError(f"Event: {problem}")
        if self.label in RESERVED:
            raise SpecError(f"An event cannot be called '{self.label}', the name of a dim.")
        object.__setattr__(self, "dates", read_days(self.dates, f"Event '{self.label}'"))
        if not self.dates:
            raise SpecError(f"Event '{self.label}' has no dates.")
        _check_window(self)

    @property
    def key(self) -> str:
        """The event's own name."""
        return self.label

    @property
    def priors(self) -> dict[str, tuple[Prior, bool]]:
        """The prior of a single coefficient."""
        return {"": (self.prior, True)}

    def labels(self, training: pd.DatetimeIndex) -> list[str]:
        """Return the label of the single column."""
        return [self.label]

    def columns(self, time: pd.DatetimeIndex, training: pd.DatetimeIndex) -> np.ndarray:
        """Return the sum of a decaying pulse at each date."""
        window = (self.before, self.after, self.decay)
        return _pulses(time, training, self.dates, window)[:, None]

    @property
    def advice(self) -> str:
        """Say that no date falls inside the data."""
        return "None of its dates falls inside the data."


@dataclass(frozen=True, repr=False)
class Holidays(Term):
    """Public holidays of a country, one coefficient each, decaying around their dates.

    Parameters
    ----------
    country : str
        ISO code, as the ``holidays`` package has it: ``"US"``, ``"DE"``.
    subdivision : str, optional
        State or province.
    names : sequence of str, optional
        Only these holidays; all by default.
    before, after, decay
        As in `Event`.
    """

    name: ClassVar[str] = "holidays"
    country: str
    subdivision: str | None = None
    names: tuple[str, ...] | None = None
    before: int = 0
    after: int = 0
    decay: float = 0.5
    prior: Prior = Prior("Normal", mu=0, sigma=0.1)  # noqa: RUF009 (frozen value)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.country, str):
            raise SpecError(f"Holidays: country is an ISO code such as 'US'; got {self.country!r}.")
        if self.names is not None:
            names = (self.names,) if isinstance(self.names, str) else tuple(self.names)
            object.__setattr__(self, "names", names)
        _check_window(self)
        self._dates((2020,))

    def _dates(self, years: Sequence[int]) -> dict[str, list[pd.Timestamp]]:
        try:
            calendar = calendars.country_holidays(
                self.country, subdiv=self.subdivision, years=list(years)
            )
        except NotImplementedError as error:
            raise SpecError(f"Holidays: {error}") from None
        dates: dict[str, list[pd.Timestamp]] = {}
        for date, title in sorted(calendar.items()):
            for part in title.split("; "):
                dates.setdefault(part, []).append(pd.Timestamp(date))
        return dates

    def _pulse_by_name(
        self, time: pd.DatetimeIndex, training: pd.DatetimeIndex
    ) -> dict[str, np.ndarray]:
        """Return the pulses over ``time`` of the holidays that fall into the training data."""
        timeline = time.union(training)
        # A year more on either side, whose holidays can decay into the data.
        dates = self._dates(range(timeline[0].year - 1, timeline[-1].year + 2))
        titles = list(dates) if self.names is None else list(self.names)
        unknown = [n for n in titles if n not in dates]
        if unknown:
            raise SpecError(
                f"'{unknown[0]}' is no holiday of {self.country} in these years. "
                f"There are: {', '.join(dates)}.{did_you_mean(unknown[0], dates)}"
            )
        window = (self.before, self.after, self.decay)
        occurring = [n for n in titles if _pulses(training, training, dates[n], window).any()]
        return {n: _pulses(time, training, dates[n], window) for n in occurring}

    @property
    def priors(self) -> dict[str, tuple[Prior, bool]]:
        """The prior of one coefficient for each holiday."""
        return {"": (self.prior, True)}

    def labels(self, training: pd.DatetimeIndex) -> list[str]:
        """Return the names of the holidays that fall into the training data."""
        return list(self._pulse_by_name(training, training))

    def columns(self, time: pd.DatetimeIndex, training: pd.DatetimeIndex) -> np.ndarray:
        """Return a column of decaying pulses for each holiday."""
        columns = list(self._pulse_by_name(time, training).values())
        if not columns:
            raise SpecError(f"{self!r}: no holiday falls inside the data. Leave it out.")
        return np.column_stack(columns)
