"""`GraphDecision`: who decided what about a doubt in the graph, what was seen, and why."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from bayescausal import checks
from bayescausal.errors import SpecError, shown

VERDICTS = ("graph changed", "graph kept", "data mended", "open")
"""What may be decided: to change the graph, to keep it against what was seen, to mend the data."""


@dataclass(frozen=True)
class GraphDecision:
    """One decision of people about the graph or its data, kept with the spec that it led to.

    It is a record, and changes no equation: a spec with decisions is fitted as one without.

    Parameters
    ----------
    subject : str
        What was in doubt, ``"demand _||_ tv"`` or ``"tv -> sales"``.
    verdict : {"graph changed", "graph kept", "data mended", "open"}
    by : str
        Who decided.
    reason : str
        Why; needed unless the question is left open.
    seen : str
        What the data showed.
    date : str
        The day, ``2026-11-29``.

    Raises
    ------
    SpecError
        An unknown verdict, nobody who decided, no reason, a day that is none.

    Examples
    --------
    >>> GraphDecision("price _||_ tv", "graph kept", "Anna", "a promotion ran in those weeks").by
    'Anna'
    """

    subject: str
    verdict: str
    by: str
    reason: str = ""
    seen: str = ""
    date: str = ""

    def __post_init__(self) -> None:
        for part in fields(self):
            checks.name(f"GraphDecision: {part.name}", getattr(self, part.name))
        checks.name("GraphDecision: verdict", self.verdict, VERDICTS)
        for name in ("subject", "by", *(() if self.verdict == "open" else ("reason",))):
            if not getattr(self, name).strip():
                raise SpecError(
                    f"GraphDecision: '{name}' is empty. A log says what was in doubt, who decided, "
                    "and why; leave a question 'open' until someone does."
                )
        if self.date:
            try:
                datetime.date.fromisoformat(self.date)
            except ValueError:
                raise SpecError(
                    f"GraphDecision: date is a day such as '2026-11-29'; got {shown(self.date)}."
                ) from None

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict; empty parts are left out."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> GraphDecision:
        """Read what `to_dict` wrote."""
        checks.check_keys(mapping, [part.name for part in fields(cls)], "a decision")
        if missing := [name for name in ("subject", "verdict", "by") if name not in mapping]:
            raise SpecError(f"a decision: '{missing[0]}' is missing.")
        return cls(**{name: str(value) for name, value in mapping.items()})
