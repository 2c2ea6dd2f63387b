"""Blocks: the groups of columns that one index into the observed rows stands for.

A block is one node of the graph. It may have several columns that are only ever moved together:
the lag window of a treatment, or the terms of a calendar. Nothing is copied when rows are
augmented: a row is one index a block.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from bayescausal._types import Node
from bayescausal.data.dataset import Dataset
from bayescausal.errors import DataError, GraphError, did_you_mean
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph

FEWEST = 5
"""Rows without which no conditional distribution is estimated."""

UNIT = "unit"
"""Name of the block that keeps the rows of a panel within their unit."""

WEIGHT = "weight"
"""Name of the column of weights in a frame of augmented rows, which no node may have."""

_SMALL = 10
"""Rows up to which a category may have a level for each of them."""

_LABELS = 12
"""Levels up to which text of digits is taken for labels, such as those of months."""

_TEXT = ("string", "boolean")


@dataclass(frozen=True, eq=False)
class Block:
    """The observed values of a node; the index i stands for row i.

    Parameters
    ----------
    name : str
    columns : tuple of str
        Names of the columns of `values`.
    values : array, shape (row, column)
        Numbers in original units; a discrete block holds positions in `levels`.
    levels : tuple, optional
        The values that a discrete block takes, in order: sorted, or as a categorical column has
        them. None for a continuous block.
    indivisible : bool
        Whether values are only taken as they were observed, although they are single numbers.
    """

    name: Node
    columns: tuple[str, ...]
    values: np.ndarray
    levels: tuple[Any, ...] | None = None
    indivisible: bool = False

    @property
    def discrete(self) -> bool:
        """Whether it is a category, whose values have no distances."""
        return self.levels is not None

    @property
    def scalar(self) -> bool:
        """Whether it is one continuous number, which may take values that were not observed."""
        return self.values.shape[1] == 1 and not self.discrete and not self.indivisible

    @property
    def divides(self) -> bool:
        """Whether rows recombine only where its values are equal: the unit of a panel."""
        return self.name == UNIT and self.discrete

    @cached_property
    def ties(self) -> np.ndarray:
        """For each row, the first row with the same values."""
        _, first, inverse = np.unique(self.values, axis=0, return_index=True, return_inverse=True)
        return first[inverse.ravel()]


@dataclass(frozen=True, eq=False)
class Table:
    """The blocks of one data set, and the graph that connects them.

    Parameters
    ----------
    blocks : dict of str to Block
    graph : Graph
        Its nodes are the blocks; latents are projected out, no edge is lagged.
    rows : pandas.Index
        Labels of the rows: periods, or unit and period.
    notes : tuple of str
        What looks odd about the data.
    """

    blocks: dict[Node, Block]
    graph: Graph
    rows: pd.Index
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)


def read_table(
    data: Dataset | pd.DataFrame | Table,
    graph: Graph,
    *,
    windows: Mapping[Node, int] | None = None,
    together: Sequence[Sequence[Node]] = (),
    discrete: Collection[str] = (),
) -> Table:
    """Read a data set as blocks.

    Parameters
    ----------
    data : Dataset, DataFrame or Table
        Of a Dataset, the periods after its history; a panel gets a block ``unit``, a parent of
        every other. The rows of a frame are in the order of time if windows or lags are asked.
        A Table is returned as it is.
    graph : Graph
    windows : mapping of node to int, optional
        How many earlier periods go with each value of a root, besides those that lagged edges read.
        What was before the first row counts as zero, as in the model's adstock.
    together : sequence of sequences of nodes, optional
        Roots that are moved together, such as the terms of a calendar.
    discrete : collection of str, optional
        Columns of numbers that are categories. Text, booleans and categories always are;
        integers are not, unless they are named here.

    Raises
    ------
    DataError, GraphError
        A node without a column, missing values, a column with one value, fewer than five rows, a
        lag of a node that is no root, values that are neither numbers nor categories, a category
        that nearly every row has for itself, several rows of one date, a node called ``weight``.

    Examples
    --------
    >>> frame = pd.DataFrame({"tv": range(6), "promo": [True, False] * 3, "sales": range(6)})
    >>> table = read_table(frame, Graph.parse("tv, promo -> sales"), windows={"tv": 1})
    >>> table.blocks["tv"].columns, table.blocks["promo"].levels
    (('tv', 'tv@1'), (False, True))
    """
    if isinstance(data, Table):
        if windows or together or discrete:
            raise DataError(
                "A Table is used as it is: give windows=, together= and discrete= where it is read."
            )
        return data
    graph = graph.project()
    if WEIGHT in graph.nodes:
        raise DataError(
            f"A node is called '{WEIGHT}', as is the column that says what a row weighs. Rename "
            "it in the graph and in the data: frame.rename(columns={'weight': 'mass'})."
        )
    frame, units = _frame(data, graph)
    discrete = (discrete,) if isinstance(discrete, str) else tuple(discrete)
    for name in discrete:
        if name not in frame.columns:
            raise DataError(
                f"discrete= names '{name}', which is no column. There are: "
                f"{', '.join(map(str, frame.columns))}.{did_you_mean(name, frame.columns)}"
            )
    start = data.history if isinstance(data, Dataset) else 0
    lags = _windows(graph, windows or {})
    if isinstance(data, pd.DataFrame) and UNIT in graph.nodes and any(lags.values()):
        raise DataError(
            "Lag windows of a frame would run from one unit into the next. Use "
            "Dataset.from_frame(frame, time=..., unit='unit'), and leave 'unit' out of the graph."
        )
    blocks = {}
    for node in graph.nodes:
        block = _block(node, frame[node], node in discrete)
        blocks[node] = _window(block, lags.get(node, 0), units)
    rows = np.flatnonzero(_after_history(units, start))
    if len(rows) < FEWEST:
        raise DataError(
            f"There are {len(rows)} rows; {FEWEST} are the least from which a conditional "
            "distribution is estimated, and a hundred are few."
        )
    blocks = {v: replace(b, values=b.values[rows]) for v, b in blocks.items()}
    for node, block in blocks.items():
        _check_varies(node, block)
    for group in _groups(together, graph):
        graph, blocks = _merge_roots(graph, blocks, group)
    if isinstance(data, Dataset) and data.is_panel:
        names = tuple(data.units)
        blocks[UNIT] = Block(UNIT, (UNIT,), units[rows, None].astype(float), names)
        unit_edges = tuple(Edge(UNIT, v) for v in graph.nodes)
        graph = replace(graph, edges=(*graph.edges, *unit_edges))
    flat = replace(graph, edges=tuple({Edge(e.source, e.target) for e in graph.edges}))
    notes = _note_even_labels(data, graph) if isinstance(data, pd.DataFrame) else ()
    return Table(blocks, flat, frame.index[rows], notes)


def _frame(data: Dataset | pd.DataFrame, graph: Graph) -> tuple[pd.DataFrame, np.ndarray]:
    """Return all rows, units one after the other, and the position of each row's unit."""
    if isinstance(data, Dataset):
        absent_nodes = [v for v in graph.nodes if v not in data.columns]
        names = [v for v in graph.nodes if v not in absent_nodes]
        frame = pd.DataFrame({v: data.array(v).ravel() for v in names})
        frame.index = (
            pd.MultiIndex.from_product([data.units, data.time], names=["unit", "time"])
            if data.is_panel
            else data.time
        )
        units = np.repeat(np.arange(max(1, len(data.units))), len(data.time))
    elif isinstance(data, pd.DataFrame):
        _check_one_unit(data, graph)
        absent_nodes = [v for v in graph.nodes if v not in data.columns]
        frame, units = data, np.zeros(len(data), int)
    else:
        raise DataError(
            f"data is a Dataset or a DataFrame; got {type(data).__name__}. For an array: "
            "pd.DataFrame(array, columns=graph.nodes)."
        )
    if absent_nodes:
        raise DataError(
            f"The graph's node '{absent_nodes[0]}' has no column. There are: "
            f"{', '.join(map(str, frame.columns))}. If it was not observed, declare it latent in "
            f"the graph, or leave it out.{did_you_mean(absent_nodes[0], frame.columns)}"
        )
    return frame, units


def _check_one_unit(data: pd.DataFrame, graph: Graph) -> None:
    """Refuse a frame that looks like a panel: its rows would recombine across units."""
    has_units = isinstance(data.index, pd.MultiIndex)
    if UNIT in data.columns and UNIT not in graph.nodes:
        has_units |= len(data[UNIT].drop_duplicates()) > 1
    if has_units:
        raise DataError(
            "The frame looks like a panel (a column 'unit', or an index of several levels): its "
            "rows would be recombined across units. Use Dataset.from_frame(frame, time=..., "
            "unit='unit'), which keeps them apart; or reset the index, or drop the column."
        )
    if UNIT in graph.nodes:
        return
    date_columns = [("The index", data.index, "frame.reset_index(drop=True)")]
    date_columns += [
        (f"Column '{name}'", pd.Index(data[name]), f"frame.drop(columns='{name}')")
        for name in data.columns[~data.columns.duplicated(keep=False)]
        if name not in graph.nodes
    ]
    for place, dates, remedy in date_columns:
        is_date = isinstance(dates, pd.DatetimeIndex | pd.PeriodIndex)
        if is_date and (repeated := int(dates.dropna().duplicated().sum())):
            raise DataError(
                f"{place} has dates that repeat, in {repeated} rows: the frame looks like a panel, "
                "whose rows would be recombined across units. Use Dataset.from_frame(frame, "
                "time=..., unit='geo') with the column that names the units, which keeps them "
                f"apart; if there are no units, leave the dates out: {remedy}."
            )


def _note_even_labels(data: pd.DataFrame, graph: Graph) -> tuple[str, ...]:
    """Note columns outside the graph whose labels have equally many rows: perhaps units."""
    notes: list[str] = []
    if UNIT in graph.nodes:
        return ()
    for name in data.columns[~data.columns.duplicated(keep=False)]:
        column = data[name]
        text = isinstance(column.dtype, pd.CategoricalDtype) or (
            pd.api.types.infer_dtype(column, skipna=False) == "string"
        )
        if name in graph.nodes or not text:
            continue
        counts = column.value_counts()
        counts = counts[counts > 0]
        if len(counts) > 1 and counts.sum() == len(data) and counts.min() == counts.max() > 1:
            notes.append(
                f"Column '{name}' is not in the graph, and each of its {len(counts)} values has "
                f"{counts.max()} rows. If they are units or dates, rows are recombined across "
                "units: use Dataset.from_frame(frame, time=..., unit=...), which keeps them apart."
            )
    return tuple(notes)


def _block(node: Node, column: pd.Series | pd.DataFrame, declared: bool) -> Block:
    if isinstance(column, pd.DataFrame):
        raise DataError(
            f"There are {column.shape[1]} columns '{node}'. Rename or drop all but one."
        )
    if (absent := int(column.isna().sum())) > 0:
        raise DataError(
            f"Column '{node}' has {absent} missing values: a row with a hole has no index to give. "
            "Fill them knowingly or drop the rows."
        )
    kind = column.dtype
    numeric = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)
    nominal = isinstance(kind, pd.CategoricalDtype) or (
        pd.api.types.infer_dtype(column, skipna=False) in _TEXT  # of what an object column holds
    )
    if pd.api.types.is_complex_dtype(kind) or not (numeric or nominal):
        raise DataError(
            f"Column '{node}' holds {kind}, which is neither a number nor a category. Convert it: "
            f"frame['{node}'].astype(float), or .astype('category')."
        )
    if numeric and not np.isfinite(column.to_numpy(dtype=float)).all():
        raise DataError(f"Column '{node}' has infinite values. Fill them knowingly.")
    if numeric and not declared:
        return Block(node, (node,), column.to_numpy(dtype=float)[:, None])
    codes, levels = pd.factorize(column, sort=True)
    _check_levels(node, column, levels, declared)
    return Block(node, (node,), codes[:, None].astype(float), tuple(levels.tolist()))


def _check_levels(node: Node, column: pd.Series, levels: pd.Index, declared: bool) -> None:
    """Refuse numbers stored as text, and categories with hardly any repeated level."""
    is_text = not isinstance(column.dtype, pd.CategoricalDtype) and not declared
    is_numeric = not pd.to_numeric(pd.Series(levels.astype(str)), errors="coerce").isna().any()
    has_few_repeats = len(column) > _SMALL and 2 * len(levels) > len(column)
    if not has_few_repeats and not (is_text and is_numeric and len(levels) > _LABELS):
        return
    description = f"Column '{node}' is a category of {len(levels)} levels in {len(column)} rows"
    if declared and is_numeric:
        raise DataError(
            f"{description}, so hardly any two rows are alike. It is a number: leave it out "
            "of discrete=."
        )
    if is_numeric:
        labels = "" if has_few_repeats else " If they are labels: .astype('category')."
        raise DataError(
            f"{description}, and its values, such as {levels[0]!r}, look like numbers: "
            f"frame['{node}'].astype(float).{labels}"
        )
    raise DataError(
        f"{description}, so hardly any two rows are alike, and effects on and of it would "
        "shrink in silence. Convert it to a number, group its levels, or take it out of the graph."
    )


def _check_varies(node: Node, block: Block) -> None:
    if (block.values == block.values[0]).all():
        raise DataError(
            f"Column '{node}' has one value in all {len(block.values)} rows: it has no bandwidth "
            "and says nothing of its effects. Take it out of the graph."
        )


def _windows(graph: Graph, windows: Mapping[Node, int]) -> dict[Node, int]:
    """Return, by root, how many earlier periods its index also stands for."""
    lengths: dict[Node, int] = {}
    for node, lags in windows.items():
        if node not in graph.nodes:
            raise GraphError(
                f"windows= names '{node}', which is in no edge.{did_you_mean(node, graph.nodes)}"
            )
        if isinstance(lags, bool) or not isinstance(lags, Integral) or lags < 0:
            raise DataError(
                f"windows: '{node}' needs a number of periods, 0, 1, ...; got {lags!r}."
            )
        lengths[node] = int(lags)
    for edge in graph.edges:
        if edge.lag:
            lengths[edge.source] = max(lengths.get(edge.source, 0), edge.lag)
    for node, lags in lengths.items():
        if lags and (graph.parents(node) or graph.siblings(node)):
            raise GraphError(
                f"'{node}' acts with a lag of {lags} and has causes of its own. Rows are drawn one "
                "period at a time, so its past would lose them. Add the lagged values as a column "
                f"and a node, such as '{node}_before', with the causes it has."
            )
    return lengths


def _window(block: Block, lags: int, units: np.ndarray) -> Block:
    """Add a column for each earlier period; periods before the first row are zero."""
    if not lags:
        return block
    if block.discrete:
        raise DataError(
            f"'{block.name}' is a category and acts with a lag. Give its lagged values as columns."
        )
    x, columns = block.values[:, 0], [block.values[:, 0]]
    for lag in range(1, lags + 1):
        lagged_values = np.zeros_like(x)
        lagged_values[lag:] = np.where(units[lag:] == units[:-lag], x[:-lag], 0.0)
        columns.append(lagged_values)
    names = (block.name, *(f"{block.name}@{lag}" for lag in range(1, lags + 1)))
    return Block(block.name, names, np.stack(columns, axis=1))


def _after_history(units: np.ndarray, start: int) -> np.ndarray:
    """Return which rows come after the first ``start`` of their unit."""
    first = np.flatnonzero(np.diff(units, prepend=-1))
    return np.arange(len(units)) - np.repeat(first, np.bincount(units)) >= start


def _groups(groups: Sequence[Sequence[Node]], graph: Graph) -> list[tuple[Node, ...]]:
    """Check that groups are lists of known nodes and do not overlap."""
    members: set[Node] = set()
    for group in groups:
        if isinstance(group, str):
            raise GraphError(
                f"together= takes groups of nodes, such as [('trend', 'season')]; got {group!r}."
            )
        for node in group:
            if node in members:
                raise GraphError(f"together= names '{node}' twice; a node moves with one group.")
            if node not in graph.nodes:
                raise GraphError(
                    f"together= names '{node}', which is in no edge."
                    f"{did_you_mean(node, graph.nodes)}"
                )
            members.add(node)
    return [tuple(group) for group in groups if len(group) > 1]


def _merge_roots(
    graph: Graph, blocks: dict[Node, Block], group: tuple[Node, ...]
) -> tuple[Graph, dict[Node, Block]]:
    """Merge roots into one block, named ``a+b``."""
    for node in group:
        if graph.parents(node) or graph.siblings(node) or blocks[node].discrete:
            raise GraphError(
                f"'{node}' cannot be moved together with {', '.join(group)}: that is for roots "
                "that are numbers, such as a trend and the terms of a season."
            )
    name = "+".join(group)
    parts = [blocks[v] for v in group]
    values = np.concatenate([part.values for part in parts], axis=1)
    columns = tuple(c for part in parts for c in part.columns)
    edges = [Edge(name if e.source in group else e.source, e.target) for e in graph.edges]
    other_nodes = tuple(v for v in graph.nodes if v not in group)
    outcomes = tuple(v for v in graph.outcomes if v not in group)
    merged = replace(graph, edges=tuple(edges), outcomes=outcomes, isolated=(*other_nodes, name))
    return merged, {v: blocks[v] for v in other_nodes} | {name: Block(name, columns, values)}
