"""A factorization bound to data: every node with the distribution that it is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.blocks import Table
from bayescausal.augmentation.conditionals import Conditional, Donors, Given, by_default
from bayescausal.augmentation.donor_draw import engine_for
from bayescausal.augmentation.pillows import Factorization, factorize
from bayescausal.errors import SpecError, did_you_mean


@dataclass(frozen=True, eq=False)
class Plan:
    """What a sampler follows: an order, and a distribution by node.

    Parameters
    ----------
    table : Table
    factorization : Factorization
    donors : dict of str to Donors
        Of every node that is no root.
    """

    table: Table
    factorization: Factorization
    donors: dict[Node, Donors]

    @property
    def order(self) -> tuple[Node, ...]:
        """The nodes, as they are drawn."""
        return self.factorization.order

    @property
    def rows(self) -> int:
        """Number of observed rows."""
        return len(self.table)

    @cached_property
    def moved(self) -> frozenset[Node]:
        """Nodes whose values are made, not observed."""
        return frozenset(v for v, donors in self.donors.items() if donors.moves)

    def hastened(self, budget: int) -> Plan:
        """Return the plan with the engine for so many rows: see `engine_for`."""
        engine = engine_for(float(budget) * self.rows * self.factorization.size)
        return replace(self, donors={v: d.using(engine) for v, d in self.donors.items()})

    def given(
        self, node: Node, indices: np.ndarray, made: Mapping[Node, np.ndarray]
    ) -> list[Given]:
        """Values of a node's pillow in rows that are drawn as far as that.

        Parameters
        ----------
        indices : array of int, shape (row, block)
            Columns in `order`; those after the node are not read.
        made : mapping of node to array
            Values of the nodes in `moved`.
        """
        out = []
        for parent in self.factorization.pillows[node]:
            if parent in made:
                out.append(Given(made[parent]))
            else:
                index = indices[:, self.order.index(parent)]
                out.append(Given(self.table.blocks[parent].values[index], index))
        return out

    def values(self, indices: np.ndarray) -> dict[Node, np.ndarray]:
        """Values of every node in rows, shape ``(row, column)``; gathered, or made, on demand."""
        made: dict[Node, np.ndarray] = {}
        out = {}
        for at, node in enumerate(self.order):
            donor = indices[:, at]
            if node in self.moved:
                made[node] = self.donors[node].donate(donor, self.given(node, indices, made))
                out[node] = made[node]
            else:
                out[node] = self.table.blocks[node].values[donor]
        return out


def make_plan(
    table: Table, conditional: Conditional | Mapping[Node, Conditional] | None = None
) -> Plan:
    """Factorize a table's graph and fit the conditional distributions.

    Parameters
    ----------
    table : Table
    conditional : Conditional, or mapping of node to one, optional
        By default, and for nodes that are not named, `by_default`.
    """
    factorization = factorize(table.graph)
    chosen = conditional if isinstance(conditional, Mapping) else {}
    for node in chosen:
        if node not in table.blocks:
            raise SpecError(
                f"conditional= names '{node}', which is no block. There are: "
                f"{', '.join(table.blocks)}.{did_you_mean(node, table.blocks)}"
            )
    for one in chosen.values() if isinstance(conditional, Mapping) else [conditional]:
        if one is not None and not isinstance(one, Conditional):
            raise SpecError(
                f"conditional takes a Conditional, such as ResidualBootstrap(); got {one!r}."
            )
    donors = {}
    for node in factorization.order:
        if not factorization.pillows[node]:
            continue
        parents = [table.blocks[p] for p in factorization.pillows[node]]
        own = table.blocks[node]
        how = chosen.get(node) or (conditional if isinstance(conditional, Conditional) else None)
        donors[node] = (how or by_default(parents, own)).fit(parents, own)
    return Plan(table, factorization, donors)
