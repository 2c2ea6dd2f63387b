"""Errors that advise: what was given, what is there, why it matters, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class BayesCausalError(ValueError):
    """Base of every error that the package raises on purpose."""


class GraphError(BayesCausalError):
    """The causal graph is not one, or a question does not fit it."""


class DataError(BayesCausalError):
    """The table cannot be used as it is."""


class SpecError(BayesCausalError):
    """The parts of a specification do not fit each other or the data."""


class NotIdentified(BayesCausalError):
    """Data cannot tell the effect, however many there are, given the graph."""


class ExperimentConflict(BayesCausalError):
    """Tests contradict the data or each other, and were asked not to be averaged."""


class NotConverged(UserWarning):
    """The sampler has not converged: numbers from this fit are not yet answers."""


class FewerRowsThanParameters(UserWarning):
    """The prior, not the data, decides much of what this model says."""


class OverlappingExperiments(UserWarning):
    """Two tests saw the same weeks, units and channel, and count as independent evidence."""


class SpendWithoutExposure(UserWarning):
    """Spend is booked in periods in which nothing ran; returns count it with the rest."""


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
