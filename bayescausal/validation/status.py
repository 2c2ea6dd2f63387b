"""How a check ended."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Status(StrEnum):
    """How a check ended, from best to worst; "not run" is neither.

    Examples
    --------
    >>> Status.LOOK == "look"
    True
    """

    NOT_RUN = "not run"
    PASS = "pass"
    LOOK = "look"
    FAIL = "fail"


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of some statuses.

    Examples
    --------
    >>> worst([Status.PASS, Status.NOT_RUN])
    <Status.PASS: 'pass'>
    """
    order = list(Status)
    return max(statuses, key=order.index, default=Status.NOT_RUN)
