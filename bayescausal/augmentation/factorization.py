"""`Plan` binds a factorization to data: an order, and a fitted distribution for each node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bayescausal._types import Node
from bayescausal.augmentation.blocks import Table
from bayescausal.augmentation.conditionals import (
    Conditional,
    Donors,
    ParentValues,
    default_conditional,
)
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

    def values(self, indices: np.ndarray) -> dict[Node, np.ndarray]:
        """Return the values of every node, shape ``(row, column)``."""
        blocks, synthetic = self.table.blocks, self.rows_of(indices).synthetic
        return {
            v: synthetic[v] if v in synthetic else blocks[v].values[i]
            for v, i in zip(self.order, indices.T, strict=True)
        }

    def rows_of(self, indices: np.ndarray) -> PartialRows:
        """Return rows by their indices, shape ``(row, block)``, columns in `order`."""
        partial = PartialRows.begin(self, len(indices))
        for donor in indices.T:
            partial = partial.append(donor)
        return partial


@dataclass(frozen=True, eq=False)
class PartialRows:
    """Rows that are drawn as far as some node of a plan's order.

    Parameters
    ----------
    plan : Plan
    columns : array of int32, shape (node, row)
        For each node drawn so far, the donor of each row.
    synthetic : mapping of node to array
        Values of the nodes among them that are in `Plan.synthetic_nodes`.
    """

    plan: Plan
    columns: np.ndarray
    synthetic: Mapping[Node, np.ndarray]

    @classmethod
    def begin(cls, plan: Plan, rows: int) -> PartialRows:
        """Return rows of which no node is drawn."""
        return cls(plan, np.empty((0, rows), np.int32), {})

    def __len__(self) -> int:
        return self.columns.shape[1]

    def __getitem__(self, rows: slice | np.ndarray) -> PartialRows:
        synthetic = {v: x[rows] for v, x in self.synthetic.items()}
        return PartialRows(self.plan, self.columns[:, rows], synthetic)

    def append(self, donor: np.ndarray) -> PartialRows:
        """Add a donor of the next node to each row."""
        node = self.plan.order[len(self.columns)]
        columns = np.concatenate([self.columns, donor[None].astype(np.int32)])
        if node not in self.plan.synthetic_nodes:
            return PartialRows(self.plan, columns, self.synthetic)
        values = self.plan.donors[node].donate(donor, self.pillow(node))
        return PartialRows(self.plan, columns, {**self.synthetic, node: values})

    def pillow(self, node: Node) -> list[ParentValues]:
        """Return the values of a node's pillow, all of which is drawn."""
        values = []
        for parent in self.plan.factorization.pillows[node]:
            if parent in self.synthetic:
                values.append(ParentValues(self.synthetic[parent]))
            else:
                index = self.columns[self.plan.order.index(parent)]
                values.append(ParentValues(self.plan.table.blocks[parent].values[index], index))
        return values

    def distinct_pillows(self, node: Node) -> tuple[np.ndarray, np.ndarray]:
        """Return one row for each distinct pillow of a node, and for each row which it has."""
        group = np.zeros(len(self), np.int64)
        representatives = group[:1]
        for parent in self.plan.factorization.pillows[node]:
            if parent in self.synthetic:
                codes = np.unique(self.synthetic[parent][:, 0], return_inverse=True)[1]
            else:
                codes = self.columns[self.plan.order.index(parent)]
            keys = group * (int(codes.max(initial=0)) + 1) + codes
            representatives, group = np.unique(keys, return_index=True, return_inverse=True)[1:]
        return representatives, group


def make_plan(
    table: Table, conditional: Conditional | Mapping[Node, Conditional] | None = None
) -> Plan:
    """Factorize a table's graph and fit the conditional distributions.

    By default, and for nodes that a mapping does not name, they are `default_conditional`.
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
