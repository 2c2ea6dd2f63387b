"""The section of the report with the page of checks."""

from __future__ import annotations

from typing import Any

from bayescausal.validation.checkup import CAVEAT, Checkup
from bayescausal.validation.status import Status


def checks_section(checkup: Checkup | None) -> dict[str, Any] | None:
    """Return the rows of a page, the gravest first; None without a page."""
    if checkup is None:
        return None
    rows = [row for status in reversed(Status) for row in checkup.with_status(status)]
    return {"sentence": checkup.sentence, "rows": rows, "caveat": CAVEAT}
