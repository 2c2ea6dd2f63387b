"""Which channels an allocation may move, and why the others keep their spend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayescausal._types import Node
from bayescausal.errors import DataError, did_you_mean
from bayescausal.experiments.estimand import incremental
from bayescausal.identification.grades import Letter
from bayescausal.identification.status import Status
from bayescausal.inference.evidence import reachable
from bayescausal.inference.fit import Fit
from bayescausal.model.contrast import spend_change
from bayescausal.queries.curves import observed_factor, peak_share


@dataclass(frozen=True, eq=False)
class Roster:
    """The channels: which move, which are held and why, and what each spends."""

    moves: list[Node]
    held_channels: dict[Node, str]
    spend: dict[Node, float]
    observed: dict[Node, float]
    peak: dict[Node, float]
    grades: Mapping[Node, str]
    freed: list[Node]
    place: Mapping[str, Any]

    @property
    def held_spend(self) -> float:
        """What the channels spend that do not move."""
        return sum(self.spend[name] for name in self.held_channels)

    @property
    def reasons(self) -> str:
        """Say which channels are held, and why."""
        by_reason: dict[str, list[Node]] = {}
        for name, reason in self.held_channels.items():
            by_reason.setdefault(reason, []).append(name)
        return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in by_reason.items())


def paid_channels(fit: Fit, channels: Sequence[Node] | None, outcome: Node) -> list[Node]:
    """Return the named channels, or treatments that reach the outcome; each has a spend, sorted."""
    paid = sorted(fit.data.spend)
    if channels is None:
        acting = [c for c in reachable(fit.spec, outcome) if c in paid]
        return sorted(c for c in acting if c not in fit.spec.mediators)
    for name in channels:
        if name not in paid:
            raise DataError(
                f"Channel '{name}' has no spend to move. There is spend for "
                f"{', '.join(paid) or 'nothing'}: give Dataset.from_frame(spend={{'{name}': ...}})."
                f"{did_you_mean(name, paid)}"
            )
    return sorted(channels)


def allocated_channels(fit: Fit, channels: Sequence[Node] | None, outcome: Node) -> list[Node]:
    """Return `paid_channels`; raise when there is none, or one does not reach the outcome."""
    names = paid_channels(fit, channels, outcome)
    for name in names:
        if name not in fit.spec.reduced.ancestors(outcome):
            raise DataError(
                f"Channel '{name}' does not reach '{outcome}', so money on it gains nothing. Leave "
                "it out of channels=, or draw its edge in the graph."
            )
    if not names:
        raise DataError(
            f"No channel with a spend reaches '{outcome}'. Give Dataset.from_frame(spend=...)."
        )
    return names


def roster_of(
    fit: Fit, names: list[Node], place: dict[str, Any], fixed: list[Node], allowed: list[str]
) -> Roster:
    """Sort the channels by whether they move; raise when none does."""
    spend, observed, peak, grades, held_channels = {}, {}, {}, {}, {}
    freed = []
    for name in names:
        removal = incremental(name, **place)
        fit.spec.check_estimand(removal)
        spend[name] = spend_change(fit.scm, removal)
        grades[name] = fit.evidence.grade(removal).letter
        if spend[name] > 0:
            observed[name] = observed_factor(fit, removal)
            peak[name] = observed[name] * peak_share(fit, removal)
        if spend[name] <= 0:
            held_channels[name] = "no spend"
        elif name in fixed:
            held_channels[name] = "fixed"
        elif grades[name] == Letter.X and name not in allowed:
            held_channels[name] = str(Status.NOT_IDENTIFIED)
        elif grades[name] == Letter.X:
            freed.append(name)
    moves = [name for name in names if name not in held_channels]
    if not moves:
        reasons = ", ".join(f"{name} ({reason})" for name, reason in held_channels.items())
        raise DataError(
            f"No channel can move: {reasons}. A channel without spend has no pattern in time to "
            "scale: give another window=. allow=['tv'] frees a channel whose effect is not "
            "identified."
        )
    return Roster(moves, held_channels, spend, observed, peak, grades, freed, place)
