"""Conditional distributions of a node given its Markov pillow, as strategies.

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


class Given(NamedTuple):
    """A parent's values in some rows, and the observed rows they are from.

    Parameters
    ----------
    values : array, shape (given, column)
    rows : array of int, shape (given,), optional
        None when the values were made, not observed.
    """

    values: np.ndarray
    rows: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Donors:
    """A conditional distribution, fitted: who donates given the parents, and what.

    Parameters
    ----------
    parents : tuple of Block
        The node's pillow, sorted by name; at least one.
    own : Block
        The node.
    """

    parents: tuple[Block, ...]
    own: Block

    @property
    def moves(self) -> bool:
        """Whether values are made that were not observed."""
        return False

    @property
    def alike(self) -> bool:
        """Whether all rows are equally likely donors, whatever the parents are."""
        return False

    def probabilities(self, given: Sequence[Given]) -> np.ndarray:
        """Return the probability of each donor, shape ``(given, row)``; each row adds up to 1.

        Parameters
        ----------
        given : sequence of Given
            Values of the parents, in their order.
        """
        return np.full((len(given[0].values), len(self.own.values)), 1 / len(self.own.values))

    def donate(self, donor: np.ndarray, given: Sequence[Given]) -> np.ndarray:
        """Return what the donors give, shape ``(given, column)``: their own observed values."""
        return self.own.values[donor]

    def draw(self, given: Sequence[Given], which: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Draw a donor for each uniform ``u``, given the values in row ``which``."""
        return donor_draw.draw(self.probabilities(given), which, u)

    def using(self, engine: donor_draw.Engine) -> Donors:
        """Return the same distribution, evaluated by another engine if there is a choice."""
        return self


@dataclass(frozen=True)
class Conditional:
    """A way to estimate a conditional distribution.

    Examples
    --------
    To write one, say in `bind` which `Donors` come of data. The nearest row donates:

    >>> class NearestRow(Donors):
    ...     def probabilities(self, given):
    ...         pairs = zip(self.parents, given, strict=True)
    ...         far = sum(((z.values[:, None] - p.values) ** 2).sum(-1) for p, z in pairs)
    ...         near = far == far.min(axis=1, keepdims=True)
    ...         return near / near.sum(axis=1, keepdims=True)
    >>> class Nearest(Conditional):
    ...     def bind(self, parents, own):
    ...         return NearestRow(parents, own)
    >>> x = Block("x", ("x",), np.array([[0.0], [1.0], [5.0]]))
    >>> Nearest().fit([x], x).probabilities([Given(np.array([[4.0]]))])
    array([[0., 0., 1.]])
    """

    def fit(self, parents: Sequence[Block], own: Block) -> Donors:
        """Bind to the observed rows; in a panel, donors are of a row's own unit, however they bind.

        Parameters
        ----------
        parents : sequence of Block
            The node's pillow, sorted by name; at least one.
        own : Block
            The node.
        """
        donors = self.bind(tuple(parents), own)
        unit_positions = [k for k, parent in enumerate(parents) if parent.divides]
        return (
            WithinUnit(donors.parents, own, donors, unit_positions[0]) if unit_positions else donors
        )

    def bind(self, parents: tuple[Block, ...], own: Block) -> Donors:
        """Estimate from the observed rows: what a subclass writes."""
        raise NotImplementedError(f"{type(self).__name__} needs bind(self, parents, own) -> Donors")


@dataclass(frozen=True, eq=False)
class WithinUnit(Donors):
    """Donors of the same unit only: rows of a panel do not recombine across units.

    Parameters
    ----------
    inner : Donors
        Who would donate if there were no units; told of the unit as of any category.
    at : int
        The parent that is the unit.
    """

    inner: Donors
    unit: int

    @property
    def moves(self) -> bool:
        """As those within."""
        return self.inner.moves

    def probabilities(self, given: Sequence[Given]) -> np.ndarray:
        """As those within, given that the donor is of the unit; all its rows if none would be."""
        is_same_unit = given[self.unit].values[:, :1] == self.parents[self.unit].values[:, 0]
        probability = np.where(is_same_unit, self.inner.probabilities(given), 0.0)
        has_no_donor = probability.sum(axis=1) == 0
        probability[has_no_donor] = is_same_unit[has_no_donor]
        return probability / probability.sum(axis=1, keepdims=True)

    def donate(self, donor: np.ndarray, given: Sequence[Given]) -> np.ndarray:
        """As those within."""
        return self.inner.donate(donor, given)

    def using(self, engine: donor_draw.Engine) -> Donors:
        """As those within."""
        return replace(self, inner=self.inner.using(engine))


def core(donors: Donors) -> Donors:
    """Return who would donate if there were no units."""
    return donors.inner if isinstance(donors, WithinUnit) else donors
