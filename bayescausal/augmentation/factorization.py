"""`Plan` binds a factorization to data: an order, and a fitted distribution for each node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.blocks import Table
from bayescausal.augmentation.conditionals import Conditional, Donors, Given, default_conditional
from bayescausal.augmentation.donor_draw import engine_for
from bayescausal.augmentation.pillows import Factorization, factorize
from bayescausal.errors import SpecError, did_you_mean


@dataclass(frozen=True, eq=False)
class Plan:
    """The order in which nodes are drawn, and the distribution each is drawn from.

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
        """The nodes in the order in which they are drawn."""
        return self.factorization.order

    @property
    def rows(self) -> int:
        """Number of observed rows."""
        return len(self.table)

    @cached_property
    def synthetic_nodes(self) -> frozenset[Node]:
        """Nodes whose values are computed, such as a mean plus a residual, not observed."""
        return frozenset(v for v, donors in self.donors.items() if donors.moves)

    def with_engine_for(self, budget: int) -> Plan:
        """Return the plan with the engine that suits ``budget`` rows: see `engine_for`."""
        engine = engine_for(float(budget) * self.rows * self.factorization.size)
        return replace(self, donors={v: d.using(engine) for v, d in self.donors.items()})

    def pillow_values(
        self, node: Node, indices: np.ndarray, synthetic_values: Mapping[Node, np.ndarray]
    ) -> list[Given]:
        """Return the values of a node's pillow in rows that are drawn up to that node.

        Parameters
        ----------
        indices : array of int, shape (row, block)
            Columns in `order`; those after the node are not read.
        synthetic_values : mapping of node to array
            Values of the nodes in `synthetic_nodes`.
        """
        values = []
        for parent in self.factorization.pillows[node]:
            if parent in synthetic_values:
                values.append(Given(synthetic_values[parent]))
            else:
                index = indices[:, self.order.index(parent)]
                values.append(Given(self.table.blocks[parent].values[index], index))
        return values

    def values(self, indices: np.ndarray) -> dict[Node, np.ndarray]:
        """Return the values of every node, shape ``(row, column)``."""
        synthetic_values: dict[Node, np.ndarray] = {}
        values = {}
        for column, node in enumerate(self.order):
            donor = indices[:, column]
            if node in self.synthetic_nodes:
                pillow_values = self.pillow_values(node, indices, synthetic_values)
                synthetic_values[node] = self.donors[node].donate(donor, pillow_values)
                values[node] = synthetic_values[node]
            else:
                values[node] = self.table.blocks[node].values[donor]
        return values


def make_plan(
    table: Table, conditional: Conditional | Mapping[Node, Conditional] | None = None
) -> Plan:
    """Factorize a table's graph and fit the conditional distributions.

    Parameters
    ----------
    table : Table
    conditional : Conditional, or mapping of node to one, optional
        By default, and for nodes that are not named, `default_conditional`.
    """
    factorization = factorize(table.graph)
    strategies = conditional if isinstance(conditional, Mapping) else {}
    for node in strategies:
        if node not in table.blocks:
            raise SpecError(
                f"conditional= names '{node}', which is no block. There are: "
                f"{', '.join(table.blocks)}.{did_you_mean(node, table.blocks)}"
            )
    for strategy in strategies.values() if isinstance(conditional, Mapping) else [conditional]:
        if strategy is not None and not isinstance(strategy, Conditional):
            raise SpecError(
                f"conditional takes a Conditional, such as ResidualBootstrap(); got {strategy!r}."
            )
    donors = {}
    for node in factorization.order:
        if not factorization.pillows[node]:
            continue
        parents = [table.blocks[p] for p in factorization.pillows[node]]
        child = table.blocks[node]
        choice = strategies.get(node) or (
            conditional if isinstance(conditional, Conditional) else None
        )
        donors[node] = (choice or default_conditional(parents, child)).fit(parents, child)
    return Plan(table, factorization, donors)
