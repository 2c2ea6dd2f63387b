"""Errors that advise: what was given, what is there, why it matters, what to do."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar


class BayesCausalError(ValueError):
    """Base of every error that the package raises on purpose.

    A message longer than ``longest`` characters loses its middle: what was wrong stands at its
    start and what to do at its end.
    """

    longest: ClassVar[int] = 900

    def __init__(self, message: object = "") -> None:
        super().__init__(shortened(str(message), self.longest))


class GraphError(BayesCausalError):
    """The causal graph is not one, or a question does not fit it."""


class DataError(BayesCausalError):
    """The table cannot be used as it is."""


class SpecError(BayesCausalError):
    """The parts of a specification do not fit each other or the data."""


class NotIdentified(BayesCausalError):
    """Data cannot tell the effect, however many there are, given the graph."""

    longest = 20_000  # one sentence for each effect


class GraphRejected(BayesCausalError):
    """The data contradict what the graph claims, and the command was asked to be strict."""


class CheckFailed(BayesCausalError):
    """A check of a fit failed, and the command was asked to be strict."""


class ExperimentConflict(BayesCausalError):
    """Tests contradict the data or each other, and were asked not to be averaged."""

    longest = 20_000  # one sentence for each conflict


class FileError(BayesCausalError, OSError):
    """A file cannot be written, or a path names no file."""


class NotConverged(UserWarning):
    """The sampler has not converged: numbers from this fit are not yet answers."""


class ErrorsMisfit(UserWarning):
    """The errors of an equation do not look as the model says; intervals may be too narrow."""


class CarryOverCut(UserWarning):
    """Carry-over runs into the end of its window: effects go on after it, and are not counted."""


class FewerRowsThanParameters(UserWarning):
    """The prior, not the data, decides much of what this model says."""


class OverlappingExperiments(UserWarning):
    """Two tests saw the same weeks, units and channel, and count as independent evidence."""


class SpendWithoutExposure(UserWarning):
    """Spend is booked in periods in which nothing ran; returns count it with the rest."""


class ColumnsLeftOut(UserWarning):
    """A table has columns that are no numbers, or cannot be saved, and are not kept."""


class LinearPaidChannel(UserWarning):
    """A channel is paid for and has no response: it acts in proportion, without carry-over."""


class CopiedChannels(UserWarning):
    """Channels run in step, so that data tell the effect of all of them but not of each."""


class EmptyAugmentation(UserWarning):
    """No augmented row is as likely as was asked."""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return `` Did you mean 'search'?`` when one candidate is close, else an empty string.

    Examples
    --------
    >>> did_you_mean("serach", ["sales", "search"])
    " Did you mean 'search'?"
    """
    close = get_close_matches(str(name), [str(c) for c in candidates], n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def shortened(text: str, longest: int) -> str:
    """Return a text of at most ``longest`` characters, its middle left out if need be.

    Examples
    --------
    >>> shortened("a" * 50 + "z" * 50, 60)
    'aaaaaaaaaaaaaaaaaaaa ... (of 100 characters) ... zzzzzzzzzzz'
    """
    if len(text) <= longest:
        return text
    mark = f" ... (of {len(text)} characters) ... "
    tail = (longest - len(mark)) * 3 // 8
    return text[: longest - len(mark) - tail] + mark + text[len(text) - tail :]


class _Shown(reprlib.Repr):
    """Writes a few items of a few levels; what nests without end costs no time."""

    def __init__(self) -> None:
        super().__init__(maxlevel=3, maxdict=4, maxlist=6, maxtuple=6, maxset=4, maxstring=120)
        self.maxlong, self.maxother = 40, 160

    def repr_int(self, x: int, level: int) -> str:
        """Write a whole number; Python refuses to write one of some thousand digits."""
        if x.bit_length() > 400:
            return f"a whole number of about {round(x.bit_length() * 0.30103):,} digits"
        return super().repr_int(x, level)

    def repr_instance(self, x: Any, level: int) -> str:
        """Write an object on one line, or its type where it cannot be written."""
        try:
            text = " ".join(repr(x).split())
        except Exception:
            return f"an object of type {type(x).__name__}"
        return shortened(text, self.maxother)


def shown(value: Any) -> str:
    """Return a value as a message quotes it: on one line, and never longer than 160 characters.

    Examples
    --------
    >>> shown("tv"), shown(list(range(100)))
    ("'tv'", '[0, 1, 2, 3, 4, 5, ...]')
    """
    return shortened(re.sub(r"\n\s*", " ", _Shown().repr(value)), 160)
