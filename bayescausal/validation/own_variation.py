"""What varies of a channel by itself: its carried exposure, less what is held fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayescausal._types import Node, Theta
from bayescausal.errors import DataError
from bayescausal.graphs.edge import Edge
from bayescausal.model.scm import SCM
from bayescausal.model.support import carried_exposure, observed_rows
from bayescausal.specs.baseline import Intercept
from bayescausal.validation.lagged_regression import SPARE_ROWS

SUPPORT_SD = 2.0
"""Residual standard deviations within which a value counts as seen: 95 percent of a normal law."""

NEAR = 0.05
"""Part of the largest exposure by which a world may lie outside of all that was observed."""

_CONSTANT = 1e-9


@dataclass(frozen=True, eq=False)
class OwnVariation:
    """The carried exposure of a channel beside what is held fixed; dims ``(unit, time)``.

    Attributes
    ----------
    exposure : array
        Carried over, on the scale of each unit.
    expected : array
        What is held fixed makes of it, by least squares with a constant for each unit.
    raw : array
        Exposure as it was booked.
    dof : int
        Unit-periods less columns.
    """

    exposure: np.ndarray
    expected: np.ndarray
    raw: np.ndarray
    dof: int

    @property
    def residual(self) -> np.ndarray:
        """What is left of the exposure."""
        return self.exposure - self.expected

    @property
    def centered(self) -> np.ndarray:
        """The exposure less its mean in each unit."""
        return self.exposure - self.exposure.mean(axis=1, keepdims=True)

    @property
    def residual_share(self) -> float:
        """The part of the variance within units that is left."""
        return float((self.residual**2).sum() / (self.centered**2).sum())

    @property
    def residual_sd(self) -> float:
        """The standard deviation of the residual, by its degrees of freedom."""
        return float(np.sqrt((self.residual**2).sum() / self.dof))

    @property
    def carrying_periods(self) -> int:
        """How many periods carry half of what identifies: half of the squares that are left."""
        weights = np.sort((self.residual**2).sum(axis=0))[::-1]
        return int(np.searchsorted(weights.cumsum(), 0.5 * weights.sum()) + 1)

    def supported(self, world: np.ndarray) -> np.ndarray:
        """Return where a world of this exposure lies inside what was observed.

        Within two residual standard deviations of what is expected of the period, and within what
        any period showed, up to a twentieth of the largest.
        """
        margin = NEAR * self.exposure.max()
        is_near = np.abs(world - self.expected) <= SUPPORT_SD * self.residual_sd
        return (
            is_near
            & (world >= self.exposure.min() - margin)
            & (world <= self.exposure.max() + margin)
        )

    @property
    def weighted_size(self) -> float:
        """Effective share of unit-periods under stabilized weights of the generalized propensity.

            w = N(x; mean, var) / N(x; expected, residual var),   (sum w)^2 / (n sum w^2)

        Source: Hirano and Imbens (2004), The propensity score with continuous treatments; Robins,
        Hernan and Brumback (2000), Epidemiology 11, for stabilized weights.
        """
        x, e = self.centered, self.residual
        variance = (x**2).mean()
        log_weights = (e / self.residual_sd) ** 2 / 2 - x**2 / (2 * variance)
        weights = np.exp(log_weights - log_weights.max())
        return float(weights.sum() ** 2 / (weights**2).sum() / weights.size)


def own_variation(
    scm: SCM, theta: Theta, channel: Node, outcome: Node, adjustment: tuple[Node, ...]
) -> OwnVariation:
    """Regress the carried exposure of a channel on what is held fixed.

    Held fixed are the nodes of `adjustment`, those that act on the outcome through the curve of
    that edge, and the trend, seasons and events of the outcome. Units have levels of their own and
    share all slopes, as they do in the model.

    Parameters
    ----------
    scm : SCM
    theta : dict of str to array
        A single value of each shape parameter.
    channel, outcome : str
    adjustment : tuple of str

    Raises
    ------
    DataError
        Too few periods, or a channel that is constant.
    """
    edge = acting_edge(scm, channel, outcome)
    rows = observed_rows(scm, edge)
    exposure = np.atleast_2d(carried_exposure(scm, edge, theta, scm.factual[channel]))[:, rows]
    if np.ptp(exposure) <= _CONSTANT * np.abs(exposure).max():
        raise DataError(f"'{channel}' is constant: data say nothing of its effect.")
    columns = [_acting(scm, theta, node, outcome)[:, rows] for node in adjustment]
    columns += _seasons(scm, outcome, rows, len(exposure))
    centered = [x - x.mean(axis=1, keepdims=True) for x in (exposure, *columns)]
    dof = exposure.size - len(exposure) - len(columns)
    if dof < SPARE_ROWS:
        raise DataError(
            f"{exposure.size} rows are too few: {len(columns)} columns are held fixed beside the "
            f"level of each unit, and {SPARE_ROWS} rows more are the least."
        )
    y, expected = centered[0].ravel(), np.zeros(exposure.size)
    if columns:
        design = np.stack([x.ravel() for x in centered[1:]], axis=1)
        expected = design @ np.linalg.lstsq(design, y, rcond=1e-10)[0]
    level = exposure.mean(axis=1, keepdims=True)
    raw = np.atleast_2d(scm.factual[channel])[:, rows]
    return OwnVariation(exposure, level + expected.reshape(exposure.shape), raw, dof)


def acting_edge(scm: SCM, channel: Node, outcome: Node) -> Edge:
    """Return the edge along which a channel acts: into the outcome, else the first on the way."""
    graph = scm.spec.reduced
    onward = {outcome, *graph.ancestors(outcome)}
    edges = [e for e in graph.outgoing(channel) if e in scm.spec.mechanisms and e.target in onward]
    return min(edges, key=lambda e: (e.target != outcome, e))


def _acting(scm: SCM, theta: Theta, node: Node, outcome: Node) -> np.ndarray:
    """Return a node as it enters the outcome: through its curve, or as it is."""
    edges = [e for e in scm.spec.structure.incoming(outcome) if e.source == node]
    path = scm.factual[node] if node in scm.factual else scm.data.array(node)
    if edges and edges[0] in scm.spec.mechanisms:
        path = scm.common_curve(edges[0], theta, scm.delayed(edges[0], path), np, scm.depth)
    return np.atleast_2d(path)


def _seasons(scm: SCM, outcome: Node, rows: slice, units: int) -> list[np.ndarray]:
    """Return the columns of trend, seasons and events of the outcome."""
    time, training = scm.data.time, scm.data.training
    terms = [t for t in scm.spec.terms(outcome) if not isinstance(t, Intercept)]
    designs = [term.design(time, training)[rows] for term in terms]
    return [np.tile(column, (units, 1)) for design in designs for column in design.T]


def correlations(variations: Mapping[Node, OwnVariation], channel: Node) -> dict[Node, float]:
    """Return the correlation of a channel's carried exposure, within units, with each other."""
    x = variations[channel].centered
    pairs = {}
    for name, other in variations.items():
        if name != channel:
            count = min(x.shape[1], other.centered.shape[1])
            a, b = x[:, -count:].ravel(), other.centered[:, -count:].ravel()
            pairs[name] = float(np.corrcoef(a, b)[0, 1])
    return pairs
