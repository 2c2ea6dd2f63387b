"""`augment` samples rows from the Markov factorization of a graph; `Augmented` holds them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import wrapped
from bayescausal._types import Node
from bayescausal.augmentation.ancestral import ancestral
from bayescausal.augmentation.blocks import WEIGHT, Block, Table, read_table
from bayescausal.augmentation.conditionals import Conditional, NadarayaWatson
from bayescausal.augmentation.donor_odds import tie_representatives
from bayescausal.augmentation.factorization import Plan, make_plan
from bayescausal.augmentation.reduce import reduce
from bayescausal.augmentation.threshold import threshold
from bayescausal.checks import MEMORY
from bayescausal.data.dataset import Dataset
from bayescausal.errors import DataError
from bayescausal.graphs.graph import Graph
from bayescausal.identification.question import as_graph
from bayescausal.specs.augmentation import ROW
from bayescausal.specs.row_methods import Ancestral, Method, Threshold, as_method


@dataclass(frozen=True, eq=False)
class Augmented:
    """Augmented rows with their weights, stored as indices into the observed rows.

    Parameters
    ----------
    plan : Plan
        The observed blocks, the order, and the fitted conditional distributions.
    indices : array of int, shape (row, block)
        For each block, in `order`, the observed row that its value, or its residual, is from.
    weights : array, shape (row,)
        Probabilities under the factorized law; they add up to `mass`.
    method : Ancestral, Threshold or Reduce
    seed : int or None
    notes : tuple of str
        What a reader should know, such as why there are no rows.
    """

    plan: Plan
    indices: np.ndarray
    weights: np.ndarray
    method: Method
    seed: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[Node, ...]:
        """The blocks, in the order of the columns of `indices`."""
        return self.plan.order

    def alike(self, node: Node) -> np.ndarray:
        """Return, for each observed row, the first row that an index of this block may stand for.

        `Threshold` and `Reduce` merge rows of one value; an index of `Ancestral` is that row.
        """
        merge = not isinstance(self.method, Ancestral)
        return tie_representatives(self.plan, node, merge)

    @property
    def mass(self) -> float:
        """Total probability of the rows: 1 unless rows were cut off."""
        return float(self.weights.sum())

    @property
    def effective_rows(self) -> float:
        """Kish's effective size, ``(sum w)^2 / sum w^2``; it measures how even the weights are."""
        squares = float(self.weights @ self.weights)
        return self.mass**2 / squares if squares > 0 else 0.0

    @cached_property
    def values(self) -> dict[Node, np.ndarray]:
        """Values of every block, shape ``(row, column)``, gathered at first use."""
        return self.plan.values(self.indices)

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a table: one column for each data column, and ``weight``."""
        columns: dict[str, Any] = {}
        for node in sorted(self.order):
            block = self.plan.table.blocks[node]
            for name, x in zip(block.columns, self.values[node].T, strict=True):
                columns[name] = _labelled(block, x)
        if WEIGHT in columns:
            raise DataError(
                f"A node is called '{WEIGHT}', as is the column of weights. Rename it in the graph "
                "and in the data, or take the dict `.values` and the array `.weights`."
            )
        return pd.DataFrame({**columns, WEIGHT: self.weights})

    def __len__(self) -> int:
        return len(self.weights)

    def __repr__(self) -> str:
        text = (
            f"Augmented({len(self)} rows of {', '.join(self.order)} from {self.plan.rows} "
            f"observed; {self.method.name}, mass {self.mass:.3g})"
        )
        return wrapped("\n".join([text, *self.notes]))


def _labelled(block: Block, x: np.ndarray) -> np.ndarray:
    return x if block.levels is None else np.array(block.levels)[x.astype(int)]


def augment(
    data: Dataset | pd.DataFrame | Table,
    graph: Graph | str,
    method: Method | str = "ancestral",
    *,
    conditional: Conditional | Mapping[Node, Conditional] | None = None,
    windows: Mapping[Node, int] | None = None,
    together: Sequence[Sequence[Node]] = (),
    discrete: Collection[str] = (),
    seed: int | None = None,
) -> Augmented:
    """Sample rows from the joint distribution that the graph and the data imply.

        P(x) = prod_j P(x_j | x_mp(j)),    each factor estimated from the observed rows

    What the graph says is independent is so in the new rows, which recombine observed values: no
    new data, only what the observed rows and the graph say. `NadarayaWatson` attenuates effects.

    Parameters
    ----------
    data : Dataset, DataFrame or Table
        See `read_table` for what is a category and how time and units enter.
    graph : Graph or str
        Or its text, as `Graph.parse` reads it. Directed, or mixed: with ``<->`` the Markov pillows
        take the place of the parents.
    method : Ancestral, Threshold, Reduce, or the name of one
        `Ancestral` draws rows of equal weight; `Threshold` lists every row above a weight, the
        published algorithm; `Reduce` resamples a set of distinct rows without bias. A name
        (``"ancestral"``) stands for a method with its defaults.
    conditional : Conditional, or mapping of node to one, optional
        By default `ResidualBootstrap` for continuous nodes, `NadarayaWatson` for others; for
        `Threshold` `NadarayaWatson` with Scott's rule for all, as published.
    windows, together, discrete
        See `read_table`.
    seed : int, optional
        Same seed, same bits.

    Returns
    -------
    Augmented

    Raises
    ------
    DataError, GraphError, SpecError
        Data or settings that cannot be used, or that would need more than 2 GB.

    Notes
    -----
    Unlike the reference implementation of `Threshold`, ties add up, no mass underflows, and the
    order does not depend on a hash.

    Examples
    --------
    >>> tv, search = np.random.default_rng(1).normal(size=(2, 60))
    >>> frame = pd.DataFrame({"tv": tv, "search": search, "sales": tv + search})
    >>> rows = augment(frame, "tv, search -> sales", Ancestral(rows=1000), seed=1)
    >>> rows.indices.shape, round(rows.mass, 6)
    ((1000, 3), 1.0)
    """
    method, seed = as_method(method), checks.seed_or_drawn("seed", seed)
    graph = as_graph("augment", Graph.parse(graph) if isinstance(graph, str) else graph)
    table = read_table(data, graph, windows=windows, together=together, discrete=discrete)
    rng, notes = np.random.default_rng(seed), table.notes
    if isinstance(method, Threshold):
        plan = make_plan(table, _kernels(conditional, table))
        indices, weights, remarks = threshold(
            plan, method.theta, budget=method.rows, absolute=method.absolute, memory=MEMORY
        )
        return Augmented(plan, indices, weights, method, seed, (*remarks, *notes))
    plan = make_plan(table, conditional)
    _check_memory(method.rows, len(plan.order))
    plan = plan.with_engine_for(method.rows)
    if isinstance(method, Ancestral):
        indices = ancestral(plan, method.rows, method.uniforms, rng)
        weights = np.full(method.rows, 1 / method.rows)
    else:
        indices, weights = reduce(plan, method.rows, rng)
    return Augmented(plan, indices, weights, method, seed, notes)


def _kernels(
    conditional: Conditional | Mapping[Node, Conditional] | None, table: Table
) -> Conditional | Mapping[Node, Conditional]:
    """Choose kernels wherever nothing else is requested, as in the published algorithm.

    Under a residual bootstrap all rows are about equally unlikely, so no weight stands out.
    """
    if conditional is not None and not isinstance(conditional, Mapping):
        return conditional
    return dict.fromkeys(table.blocks, NadarayaWatson(bandwidth="scott")) | dict(conditional or {})


def _check_memory(rows: int, blocks: int) -> None:
    needed = rows * blocks * ROW
    if needed > MEMORY:
        fits = int(MEMORY / (blocks * ROW))
        raise DataError(
            f"{rows} rows of {blocks} blocks need about {needed / 1e9:.1f} GB. Ask for "
            f"rows={fits} or fewer."
        )
