"""Strategies for the conditional distribution of a node given its Markov pillow.

Every one of them lends what was observed: given the values of the parents, each observed row is a
donor with some probability. A `Conditional` is a setting; `fit` binds it to data and gives a
`Donors`. To write one, subclass both (see `Conditional`): `Donors.probabilities` says who donates,
and `Donors.donate` what, by default the donor's own value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from bayescausal.augmentation import donor_draw
from bayescausal.augmentation.blocks import Block


class ParentValues(NamedTuple):
    """Values of one parent, and the observed rows that they come from.

    Parameters
    ----------
    values : array, shape (given, column)
    rows : array of int, shape (given,), optional
        None when the values are synthetic, not observed.
    """

    values: np.ndarray
    rows: np.ndarray | None = None

    def part(self, rows: slice) -> ParentValues:
        """Return some of the values."""
        return ParentValues(self.values[rows], None if self.rows is None else self.rows[rows])


@dataclass(frozen=True, eq=False)
class Donors:
    """A fitted conditional distribution: which rows donate given the parents, and what value.

    Parameters
    ----------
    parents : tuple of Block
        The node's pillow, sorted by name; at least one.
    child : Block
        The node.
    """

    parents: tuple[Block, ...]
    child: Block

    @property
    def moves(self) -> bool:
        """Whether it gives values that were not observed."""
        return False

    @property
    def alike(self) -> bool:
        """Whether all rows are equally likely to donate, whatever the parents are."""
        return False

    def probabilities(self, parent_values: Sequence[ParentValues]) -> np.ndarray:
        """Return the probability of each donor, shape ``(given, row)``; each row adds up to 1.

        Parameters
        ----------
        parent_values : sequence of ParentValues
            Values of the parents, in their order.
        """
        return np.full(
            (len(parent_values[0].values), len(self.child.values)), 1 / len(self.child.values)
        )

    def donate(self, donor: np.ndarray, parent_values: Sequence[ParentValues]) -> np.ndarray:
        """Return the donors' values, shape ``(given, column)``: here the observed ones."""
        return self.child.values[donor]

    def draw(
        self, parent_values: Sequence[ParentValues], rows: np.ndarray, u: np.ndarray
    ) -> np.ndarray:
        """Draw a donor for each uniform ``u``, given the values in a row of ``rows``."""
        return donor_draw.draw(self.probabilities(parent_values), rows, u)

    def using(self, engine: donor_draw.Engine) -> Donors:
        """Return the same distribution on another engine, if it has a choice of engines."""
        return self


@dataclass(frozen=True)
class Conditional:
    """A way to estimate a conditional distribution.

    Examples
    --------
    To write one, say in `bind` which `Donors` come of data. The nearest row donates:

    >>> class NearestRow(Donors):
    ...     def probabilities(self, parent_values):
    ...         pairs = zip(self.parents, parent_values, strict=True)
    ...         far = sum(((z.values[:, None] - p.values) ** 2).sum(-1) for p, z in pairs)
    ...         near = far == far.min(axis=1, keepdims=True)
    ...         return near / near.sum(axis=1, keepdims=True)
    >>> class Nearest(Conditional):
    ...     def bind(self, parents, child):
    ...         return NearestRow(parents, child)
    >>> x = Block("x", ("x",), np.array([[0.0], [1.0], [5.0]]))
    >>> Nearest().fit([x], x).probabilities([ParentValues(np.array([[4.0]]))])
    array([[0., 0., 1.]])
    """

    def fit(self, parents: Sequence[Block], child: Block) -> Donors:
        """Fit to the observed rows; in a panel only rows of the same unit donate.

        Parameters
        ----------
        parents : sequence of Block
            The node's pillow, sorted by name; at least one.
        child : Block
            The node.
        """
        donors = self.bind(tuple(parents), child)
        unit_positions = [k for k, parent in enumerate(parents) if parent.divides]
        if not unit_positions:
            return donors
        return WithinUnit(donors.parents, child, donors, unit_positions[0])

    def bind(self, parents: tuple[Block, ...], child: Block) -> Donors:
        """Estimate from the observed rows; every subclass implements this."""
        raise NotImplementedError(
            f"{type(self).__name__} needs bind(self, parents, child) -> Donors"
        )


@dataclass(frozen=True, eq=False)
class WithinUnit(Donors):
    """Donors restricted to the same unit, so that panel rows do not recombine across units.

    The `inner` donors, without the restriction, see the unit, a position among the parents, as any
    other category.
    """

    inner: Donors
    unit: int

    @property
    def moves(self) -> bool:
        """Whether the inner donors give values that were not observed."""
        return self.inner.moves

    def probabilities(self, parent_values: Sequence[ParentValues]) -> np.ndarray:
        """Renormalize over the unit's rows; all are equally likely if none of them would donate."""
        is_same_unit = (
            parent_values[self.unit].values[:, :1] == self.parents[self.unit].values[:, 0]
        )
        probability = np.where(is_same_unit, self.inner.probabilities(parent_values), 0.0)
        has_no_donor = probability.sum(axis=1) == 0
        probability[has_no_donor] = is_same_unit[has_no_donor]
        return probability / probability.sum(axis=1, keepdims=True)

    def donate(self, donor: np.ndarray, parent_values: Sequence[ParentValues]) -> np.ndarray:
        """Return the values of the inner donors."""
        return self.inner.donate(donor, parent_values)

    def using(self, engine: donor_draw.Engine) -> Donors:
        """Return the same restriction around the inner donors on another engine."""
        return replace(self, inner=self.inner.using(engine))


def core(donors: Donors) -> Donors:
    """Return the donors without the restriction to one unit."""
    return donors.inner if isinstance(donors, WithinUnit) else donors
