"""A world that is not in the data: its paths, its other nodes, and how long it lasts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayescausal._types import Array, Intervention, Node
from bayescausal.errors import DataError
from bayescausal.experiments.estimand import Estimand
from bayescausal.graphs.edge import Edge
from bayescausal.model.scm import SCM


class Timeline(NamedTuple):
    """Periods before the test, of the test, and of its tail."""

    lead: int
    length: int
    tail: int

    @property
    def periods(self) -> int:
        """All of them."""
        return self.lead + self.length + self.tail


def timeline(estimand: Estimand, exposure_reach: int) -> Timeline:
    """Return how long the world lasts, given how many periods exposure reaches.

    Before a path the control's first value holds, for as long as exposure reaches: the test
    starts from a settled response. A steady state is the last period of that lead and one.
    """
    if estimand.off_panel == "steady":
        return Timeline(exposure_reach, 1, 0)
    return Timeline(
        exposure_reach,
        estimand.length or 1,
        exposure_reach if estimand.tail is None else estimand.tail,
    )


def means(scm: SCM, periods: int) -> dict[Node, np.ndarray]:
    """Every node at its mean over the training data, by unit, for some periods."""
    start = scm.data.history
    return {
        v: np.repeat(path[..., start:].mean(axis=-1, keepdims=True), periods, axis=-1)
        for v, path in scm.factual.items()
    }


def worlds(
    scm: SCM, estimand: Estimand, calendar: Timeline
) -> tuple[dict[Node | Edge, Array], dict[Node | Edge, Array]]:
    """Whole paths of what is set: in the active world, and in the control world."""
    active: dict[Node | Edge, Array] = {}
    control: dict[Node | Edge, Array] = {}
    for node, mean_path in means(scm, calendar.length).items():
        if node not in estimand.keys:
            continue
        high = _path(scm, estimand, node, estimand.active[node], mean_path)
        low = _path(scm, estimand, node, estimand.control[node], mean_path)
        steady = estimand.off_panel == "steady"
        active[node] = _extend(high, high if steady else low, calendar)
        control[node] = _extend(low, low, calendar)
    if all(np.array_equal(active[node], control[node]) for node in control):
        raise DataError(
            f"{estimand!r}: both worlds have the same path of {', '.join(estimand.keys)}, so the "
            "effect is zero whatever was measured."
        )
    return active, control


def _extend(path: np.ndarray, level_path: np.ndarray, calendar: Timeline) -> np.ndarray:
    """Put the first value of one path before another, and its last value after it."""
    lead_path = np.repeat(level_path[..., :1], calendar.lead, axis=-1)
    tail_path = np.repeat(level_path[..., -1:], calendar.tail, axis=-1)
    return np.concatenate([lead_path, path, tail_path], axis=-1)


def _path(
    scm: SCM, estimand: Estimand, node: Node, value: Intervention, mean_path: np.ndarray
) -> np.ndarray:
    """Evaluate an intervention in the test's own periods; a function gets the mean's path."""
    level = np.asarray(value(mean_path.copy()) if callable(value) else value, dtype=float)
    if (
        level.shape not in ((), mean_path.shape, mean_path.shape[-1:])
        or not np.isfinite(level).all()
    ):
        raise DataError(
            f"{estimand!r}: '{node}' must have finite values in the shape of the test, "
            f"{mean_path.shape}; got shape {level.shape}."
        )
    if level.min() < 0 and scm.saturates(node):
        raise DataError(
            f"{estimand!r}: '{node}' is negative (down to {level.min():g}), but it saturates: "
            "exposure cannot be negative. Set zero or more."
        )
    return np.broadcast_to(level, mean_path.shape)


def setting(
    scm: SCM, control: dict[Node | Edge, Array], calendar: Timeline
) -> dict[Node, np.ndarray]:
    """Return the paths of the test's own world: what is factual in both of its sides.

    Nodes are at their means, treatments as in the control world. A mediator is at its mean while
    its cause is as in the control world: the response to the treatment starts there.
    """
    return means(scm, calendar.periods) | {str(node): path for node, path in control.items()}
