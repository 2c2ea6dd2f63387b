"""`augment` samples rows from the Markov factorization of a graph; `Augmented` holds them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import wrapped
from bayescausal._types import Node
from bayescausal.augmentation.ancestral import UNIFORMS, Uniforms, ancestral
from bayescausal.augmentation.blocks import WEIGHT, Block, Table, read_table
from bayescausal.augmentation.conditionals import Conditional, NadarayaWatson
from bayescausal.augmentation.donor_odds import tie_representatives
from bayescausal.augmentation.factorization import Plan, make_plan
from bayescausal.augmentation.reduce import reduce
from bayescausal.augmentation.threshold import threshold
from bayescausal.checks import MEMORY
from bayescausal.data.dataset import Dataset
from bayescausal.errors import DataError, SpecError, did_you_mean
from bayescausal.graphs.graph import Graph
from bayescausal.identification.question import as_graph
from bayescausal.specs.augmentation import METHODS, ROW


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
    method : str
    seed : int or None
    notes : tuple of str
        What a reader should know, such as why there are no rows.
    """

    plan: Plan
    indices: np.ndarray
    weights: np.ndarray
    method: str
    seed: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[Node, ...]:
        """The blocks, in the order of the columns of `indices`."""
        return self.plan.order

    def alike(self, node: Node) -> np.ndarray:
        """Return, for each observed row, the first row that an index of this block may stand for.

        ``threshold`` and ``reduce`` merge rows of one value; an index of ``ancestral`` is that row.
        """
        return tie_representatives(self.plan, node, merge=self.method != "ancestral")

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
            f"observed; {self.method}, mass {self.mass:.3g})"
        )
        return wrapped("\n".join([text, *self.notes]))


def _labelled(block: Block, x: np.ndarray) -> np.ndarray:
    return x if block.levels is None else np.array(block.levels)[x.astype(int)]


def augment(
    data: Dataset | pd.DataFrame | Table,
    graph: Graph | str,
    method: Literal["ancestral", "threshold", "reduce"] = "ancestral",
    *,
    budget: int | None = None,
    theta: float | None = None,
    absolute: bool = False,
    conditional: Conditional | Mapping[Node, Conditional] | None = None,
    uniforms: Uniforms = "latin",
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
    method : {"ancestral", "threshold", "reduce"}
        ``ancestral`` draws ``budget`` rows of equal weight. ``threshold`` lists every row whose
        weight is at least ``theta`` over n, the published algorithm. ``reduce`` holds a set of
        at most ``budget`` distinct rows, resampled without bias at every node.
    budget : int, optional
        Rows to draw, 10,000 by default. For ``threshold`` the most rows to return, without limit
        by default: if there are more, the heaviest, with a note of the theta that this amounts to.
    theta : float, optional
        For ``threshold``, between 0 and 1, relative to the weight of one observed row; 0.001 by
        default.
    absolute : bool
        Compare with ``theta`` itself, as the papers have it, not with ``theta / n``.
    conditional : Conditional, or mapping of node to one, optional
        By default `ResidualBootstrap` for continuous nodes, `NadarayaWatson` for others; for
        ``threshold`` `NadarayaWatson` with Scott's rule for all, as published.
    uniforms : {"latin", "sobol", "independent"}, of ``ancestral``
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
    Source: Teshima and Sugiyama (2021), UAI; Poinsot and Leite (2023), arXiv 2304.01237. Unlike the
    reference implementation, ties add up, no mass underflows, the order does not depend on a hash.

    Examples
    --------
    >>> tv, search = np.random.default_rng(1).normal(size=(2, 60))
    >>> frame = pd.DataFrame({"tv": tv, "search": search, "sales": tv + search})
    >>> rows = augment(frame, Graph.parse("tv, search -> sales"), budget=1000, seed=1)
    >>> rows.indices.shape, round(rows.mass, 6)
    ((1000, 3), 1.0)
    """
    _check_one_of("method", method, METHODS)
    _check_one_of("uniforms", uniforms, UNIFORMS)
    row_budget = 10_000 if budget is None else checks.count("budget", budget, 1)
    checks.flag("absolute", absolute)
    cutoff = _theta(theta, absolute, method)
    seed = checks.seed_or_drawn("seed", seed)
    graph = as_graph("augment", Graph.parse(graph) if isinstance(graph, str) else graph)
    table = read_table(data, graph, windows=windows, together=together, discrete=discrete)
    plan = make_plan(table, _kernels(conditional, table) if method == "threshold" else conditional)
    rng, notes = np.random.default_rng(seed), table.notes
    if method == "threshold":
        cap = None if budget is None else row_budget
        indices, weights, remarks = threshold(
            plan, cutoff, budget=cap, absolute=absolute, memory=MEMORY
        )
        return Augmented(plan, indices, weights, method, seed, (*remarks, *notes))
    _check_memory(row_budget, len(plan.order))
    plan = plan.with_engine_for(row_budget)
    if method == "reduce":
        return Augmented(plan, *reduce(plan, row_budget, rng), method, seed, notes)
    indices = ancestral(plan, row_budget, uniforms, rng)
    return Augmented(plan, indices, np.full(row_budget, 1 / row_budget), method, seed, notes)


def _check_one_of(setting: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise SpecError(
            f"{setting} is one of {', '.join(choices)}; got {value!r}."
            f"{did_you_mean(value, choices)}"
        )


def _theta(theta: float | None, absolute: bool, method: str) -> float:
    if method != "threshold" and (theta is not None or absolute):
        raise SpecError(
            f"theta and absolute are of method='threshold'; method={method!r} has a budget of rows."
        )
    if theta is None:
        return 0.001
    if isinstance(theta, bool) or not isinstance(theta, Real) or not 0 < theta < 1:
        raise SpecError(
            f"theta lies between 0 and 1, both left out; got {theta!r}. It is the weight of a row "
            "relative to that of an observed one, 1/n: try 0.001."
        )
    return float(theta)


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
            f"budget={fits} or fewer."
        )
