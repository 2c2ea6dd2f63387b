"""Local linear estimation: kernel donors are shifted along the local slope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.conditionals import KernelDonors, NadarayaWatson, require_scalar
from bayescausal.augmentation.donor_draw import parts
from bayescausal.augmentation.donors import Conditional, Donors, ParentValues
from bayescausal.augmentation.kernels import spread_of
from bayescausal.augmentation.regression import feature_count, fit_mean


@dataclass(frozen=True)
class LocalLinear(Conditional):
    """Kernel donors are shifted along the local slope to the given parents.

        P(k | z) as in `NadarayaWatson`,    value = y_k + b(z)' (z - x_k)

    with ``b(z)`` the slopes of the regression weighted by ``P(. | z)``, drawn toward those of the
    regression on all rows the more, the fewer rows there are near z: by q / n_eff of the squared
    bandwidth, for q columns and ``n_eff = 1 / sum P(k | z)^2``. It removes the attenuation of
    kernels to first order, follows curves and interactions, and needs no additive noise. It is
    not for extrapolation: far from all rows it is the linear regression.

    Parameters
    ----------
    kernels : NadarayaWatson
        Kernels and bandwidths. Categories among the parents act by kernel only.

    Notes
    -----
    Source: Fan and Gijbels (1996), Local polynomial modelling and its applications, for the slope;
    Hyndman, Bashtannyk and Grunwald (1996) for moving the donors of a conditional density.

    Examples
    --------
    >>> x = Block("x", ("x",), np.arange(9.0)[:, None])
    >>> y = Block("y", ("y",), 2 * x.values)
    >>> fitted = LocalLinear().fit([x], y)
    >>> fitted.donate(np.array([3]), [ParentValues(np.array([[4.5]]))]).round(6)
    array([[9.]])
    """

    kernels: NadarayaWatson = field(default_factory=lambda: NadarayaWatson(mismatch=None))

    def bind(self, parents: tuple[Block, ...], child: Block) -> LocalDonors:
        """Choose the bandwidths and fit the regression on all rows."""
        require_scalar(child)
        mean = fit_mean(parents, child)
        ends = np.cumsum([feature_count(parent) for parent in parents])
        by_parent = np.split(mean.coefficients[1:] / mean.scale, ends[:-1])
        pairs = zip(parents, by_parent, strict=True)
        slopes = [b * spread_of(parent) for parent, b in pairs if not parent.discrete]
        slope = np.concatenate([np.zeros(0), *slopes])
        return LocalDonors(parents, child, self.kernels.bind(parents, child), slope)


@dataclass(frozen=True, eq=False)
class LocalDonors(Donors):
    """A fitted `LocalLinear`: kernel donors, and the slopes that hold far from all rows.

    `slope` is that of the continuous parents' columns, each in its standard deviations.
    """

    kernels: KernelDonors
    slope: np.ndarray

    @property
    def moves(self) -> bool:
        """Whether there is a continuous parent, along whose slope donors are shifted."""
        return len(self.slope) > 0

    def probabilities(self, parent_values: Sequence[ParentValues]) -> np.ndarray:
        """Return kernel weights."""
        return self.kernels.probabilities(parent_values)

    def donate(self, donor: np.ndarray, parent_values: Sequence[ParentValues]) -> np.ndarray:
        """Return the donor's value, shifted from its own parents to the given ones."""
        values = self.child.values[donor].astype(float)
        if not self.moves:
            return values
        for rows in parts(len(donor), max(len(self.child.values), len(self.slope) ** 2)):
            chunk = [g.part(rows) for g in parent_values]
            z = self._scaled([g.values for g in chunk])
            shift = (z - self._columns[donor[rows]]) * self.slopes(chunk)
            values[rows, 0] += shift.sum(axis=1)
        return values

    def slopes(self, pillow_values: Sequence[ParentValues]) -> np.ndarray:
        """Return the local slopes, shape ``(given, column)``, in standard deviations of each."""
        x, y = self._columns, self.child.values[:, 0] - self.child.values[:, 0].mean()
        weight, q = self.kernels.probabilities(pillow_values), x.shape[1]
        mean_x, mean_y = weight @ x, weight @ y
        squares = (weight @ (x[:, :, None] * x[:, None]).reshape(len(x), q * q)).reshape(-1, q, q)
        squares -= mean_x[:, :, None] * mean_x[:, None]
        products = weight @ (x * y[:, None]) - mean_x * mean_y[:, None]
        unexplained = products - squares @ self.slope
        concentration = (weight**2).sum(axis=1)
        # The constant keeps the system solvable at tiny bandwidths, where one row has all weight.
        penalty = q * concentration[:, None] * self._reach + 1e-10
        squares += penalty[:, :, None] * np.eye(q)
        return self.slope + np.linalg.solve(squares, unexplained[:, :, None])[:, :, 0]

    @cached_property
    def _columns(self) -> np.ndarray:
        return self._scaled([p.values for p in self.parents])

    @cached_property
    def _reach(self) -> np.ndarray:
        """Squared bandwidths in squared standard deviations, capped at one."""
        pairs = zip(self.parents, self.kernels.bandwidths, strict=True)
        widths = [h / spread_of(p) for p, h in pairs if not p.discrete]
        return np.minimum(np.concatenate(widths) ** 2, 1.0)

    def _scaled(self, values: Sequence[np.ndarray]) -> np.ndarray:
        pairs = zip(self.parents, values, strict=True)
        columns = [(v - p.values.mean(axis=0)) / spread_of(p) for p, v in pairs if not p.discrete]
        return np.concatenate(columns, axis=1)
