"""`Status` says what identifies an effect; its members are ordered by strength."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum


class Status(StrEnum):
    """What identifies an effect. The members stand in order of strength, the strongest first.

    A member is a string: it equals its text, and tables and files hold the text.

    Examples
    --------
    >>> Status.NOT_IDENTIFIED == "not identified", Status("backdoor"), Status.BACKDOOR.rank
    (True, 'backdoor', 1)
    """

    RANDOMIZED = "randomized"
    """A randomized test measured this very estimand."""
    BACKDOOR = "backdoor"
    """A set of observed nodes closes every backdoor path."""
    FRONTDOOR = "frontdoor"
    """Observed mediators carry all of the effect, unconfounded."""
    ID = "id"
    """The ID algorithm identifies it in another way."""
    ADDITIVE = "additive"
    """Every edge on its way is identified, and causes are assumed to add up."""
    EXPERIMENT = "experiment"
    """The graph alone does not identify it, but a test measured it."""
    INSTRUMENT = "instrument"
    """It is identified under linearity only."""
    NOT_IDENTIFIED = "not identified"
    """Nothing identifies it."""

    @property
    def rank(self) -> int:
        """The place in the order of strength, 0 for the strongest."""
        return list(Status).index(self)

    def __repr__(self) -> str:
        return repr(str(self))  # inside of a dict, a list or a table it reads as its text


FROM_DATA = (Status.BACKDOOR, Status.FRONTDOOR, Status.ID)
"""The statuses that rest on data alone, without a test, linearity or additivity."""
WEAK = (Status.INSTRUMENT, Status.NOT_IDENTIFIED)
"""The statuses for which `identify` looks for remedies."""


def weakest(statuses: Iterable[Status]) -> Status:
    """Return the weakest status, `Status.NOT_IDENTIFIED` when there is none.

    Examples
    --------
    >>> weakest([Status.BACKDOOR, Status.INSTRUMENT, Status.ID])
    'instrument'
    """
    return max(statuses, key=lambda status: status.rank, default=Status.NOT_IDENTIFIED)


def composite(statuses: Collection[Status]) -> Status:
    """Return the status of an effect along edges; several edges are composed by additivity.

    Examples
    --------
    >>> composite([Status.ID]), composite([Status.BACKDOOR, Status.ID])
    ('id', 'additive')
    >>> composite([Status.ID, Status.EXPERIMENT])
    'experiment'
    """
    status = weakest(statuses)
    return Status.ADDITIVE if status in FROM_DATA and len(statuses) > 1 else status
