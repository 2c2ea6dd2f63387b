"""Build columns and lagged columns for a graph, and sum what an estimand changes in them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import networkx as nx
import numpy as np
import pandas as pd

from bayescausal.data.dataset import Dataset
from bayescausal.data.periods import period_mask
from bayescausal.errors import DataError, GraphError, did_you_mean
from bayescausal.experiments.estimand import Estimand
from bayescausal.graphs.graph import Graph
from bayescausal.specs.adstock import shift

Exposure = Callable[[np.ndarray], np.ndarray]
"""From a treatment's path to what acts, dims kept, time last."""


class Table(NamedTuple):
    """Columns with dims ``(unit, time)``; periods before `first` are only input to lags."""

    x: Mapping[str, np.ndarray]
    first: int
    time: pd.DatetimeIndex | None
    units: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """The number of units and of periods."""
        units, periods = next(iter(self.x.values())).shape
        return units, periods


def read_table(data: Dataset | pd.DataFrame, names: Collection[str]) -> Table:
    """Read the columns `names`, whatever holds them; raise when one is missing or not finite."""
    if not isinstance(data, Dataset | pd.DataFrame):
        raise DataError(
            f"data is a Dataset or a pandas DataFrame; got {type(data).__name__}. Write "
            "Dataset.from_frame(frame, time='week')."
        )
    available = sorted(column for column in data.columns if isinstance(column, str))
    for name in sorted(names):
        if name not in available:
            raise DataError(
                f"The graph has the node '{name}', but the data have no such column. Columns: "
                f"{', '.join(available)}. Rename the column, or declare 'latent: {name}'."
                f"{did_you_mean(name, available)}"
            )
    if isinstance(data, Dataset):
        x = {name: np.atleast_2d(data.array(name)) for name in names}
        return Table(x, data.history, data.time, data.units)
    x = {name: _numbers(data, name)[None] for name in names}
    return Table(x, 0, data.index if isinstance(data.index, pd.DatetimeIndex) else None)


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    column = frame[name]
    if column.ndim != 1 or not pd.api.types.is_numeric_dtype(column):
        raise DataError(f"'{name}' must be one column of numbers. Convert it with pd.to_numeric.")
    values = column.to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise DataError(
            f"Column '{name}' has {int((~np.isfinite(values)).sum())} missing or infinite values. "
            "Fill them knowingly, or leave out the rows."
        )
    return values


class Slices(NamedTuple):
    """A graph without lags: observed columns by name, as (node, lag), and the longest lag."""

    dag: nx.DiGraph
    columns: Mapping[str, tuple[str, int]]
    depth: int

    def columns_of(self, node: str) -> list[str]:
        """Return the columns of a node, the latest first."""
        return [column for column, (name, _) in self.columns.items() if name == node]

    def acting(self, treatment: str, outcome: str) -> list[str]:
        """Return the columns of the treatment that reach the outcome of the last period."""
        reaching = nx.ancestors(self.dag, outcome)
        return [column for column in self.columns_of(treatment) if column in reaching]


def unroll_lags(graph: Graph) -> Slices:
    """Write lagged edges as edges from lagged columns, as far back as the longest path reaches.

    Without lags this is the graph itself, its ``<->`` written as latent nodes. With lags a
    ``<->`` ties all columns of both nodes: it does not say how far apart in time it acts. A
    GraphError where lagged edges close a cycle: then the past of the outcome belongs to the
    treatment's causes, and no regression on columns answers.

    Examples
    --------
    >>> slices = unroll_lags(Graph((("demand", "tv"), ("tv", "sales", 1))))
    >>> list(slices.columns), slices.acting("tv", "sales")
    (['demand', 'demand@1', 'sales', 'sales@1', 'tv', 'tv@1'], ['tv@1'])
    """
    if graph.has_feedback:
        raise GraphError(
            "Lagged edges close a cycle (a budget that follows past sales, or a node's effect on "
            "its own future). DoWhy has no word for the window of an intervention, and a "
            "regression would adjust for what the treatment moves. Ask `effect` of the fitted "
            "model, which simulates the feedback."
        )
    depths = dict.fromkeys(graph.nodes, 0)
    for node in graph.order:
        for edge in graph.outgoing(node):
            depths[edge.target] = max(depths[edge.target], depths[node] + edge.lag)
    depth = max(depths.values())
    dag = nx.DiGraph()
    every = list(product(graph.nodes, range(depth + 1)))
    dag.add_nodes_from(_column(*item) for item in every)
    for source, target, lag in graph.edges:
        for k in range(depth + 1 - lag):
            dag.add_edge(_column(source, k + lag), _column(target, k))
    ties = [*graph.bidirected, *((node,) for node in graph.nodes if depth)]
    for tie in ties:
        name = "_".join(("U", *tie))
        while name in dag:
            name += "'"
        dag.add_edges_from((name, _column(node, k)) for node in tie for k in range(depth + 1))
    columns = {_column(*item): item for item in every if item[0] not in graph.latent}
    return Slices(dag, columns, depth)


def _column(node: str, lag: int) -> str:
    return f"{node}@{lag}" if lag else node


def read_controls(
    controls: pd.DataFrame | None, table: Table, slices: Slices
) -> dict[str, np.ndarray]:
    """Read the columns of a baseline, dims ``(unit, time)``; raise when they do not fit."""
    if controls is None:
        return {}
    periods = table.shape[1]
    lengths = (periods, periods - table.first)
    if not isinstance(controls, pd.DataFrame) or len(controls) not in lengths:
        rows = f"{len(controls)} rows" if hasattr(controls, "__len__") else repr(controls)
        raise DataError(
            f"controls is a frame with one row a period, {periods} of them; got {rows}."
        )
    columns: dict[str, np.ndarray] = {}
    for name in map(str, controls.columns):
        if name in slices.dag or name in columns or name != name.strip():
            raise DataError(
                f"The control {name!r} has the name of a node or of another control, or white "
                "space around it. Rename it; nodes are adjusted for when the graph says so."
            )
        values = controls.iloc[:, len(columns)].to_numpy(dtype=float)
        if not np.isfinite(values).all():
            raise DataError(f"The control '{name}' has missing or infinite values.")
        padded = np.concatenate([np.zeros(periods - len(values)), values])
        columns[name] = np.broadcast_to(padded, table.shape)
    return columns


def change_of(
    table: Table, estimand: Estimand, lags: Sequence[int], exposure: Exposure | None
) -> tuple[float, list[float]]:
    """Sum the change in exposure over the periods and units that the estimand counts.

    Returns the change, and what of it each column of the treatment sees: that of lag k sees it k
    periods later, and what falls behind the data is cut off.
    """
    (node,) = estimand.treatments
    path = table.x[node]
    acts, counts = _masks(table, estimand)
    worlds = []
    for side in (estimand.active, estimand.control):
        value = side.get(node, path)
        view = path if table.units else path[0]
        values = np.asarray(value(view.copy()) if callable(value) else value, dtype=float)
        if values.shape not in ((), view.shape, path.shape, path.shape[-1:]):
            raise DataError(
                f"do({node}=...) must have the shape of the data, {view.shape}; got {values.shape}."
            )
        worlds.append(exposed(np.where(acts, values, path), exposure))
    difference = worlds[0] - worlds[1]
    periods = int(acts.sum()) if estimand.scale == "mean" else 1
    sums = [float((shift(np, difference, lag) * counts).sum()) / periods for lag in (0, *lags)]
    if not any(sums[1:]):
        raise DataError(
            f"{estimand!r} changes nothing: both worlds have the same {node!r} in the window (is "
            "it zero there?). Check the window, or ask about another value."
        )
    return sums[0], sums[1:]


def _masks(table: Table, estimand: Estimand) -> tuple[np.ndarray, np.ndarray]:
    """Return masks ``(unit, time)``: where the intervention acts, and where its effect counts."""
    trained = np.arange(table.shape[1]) >= table.first
    acting = trained
    if estimand.window is not None:
        if table.time is None:
            raise DataError(
                "The estimand has a window, but the frame has no dates. Give it dates as its "
                "index (frame.set_index('week')), or a Dataset."
            )
        acting = trained & period_mask(table.time, estimand.window)
        if not acting.any():
            raise DataError(
                f"{estimand!r}: no period of the data lies in its window. The data run "
                f"{table.time[table.first].date()}..{table.time[-1].date()}."
            )
    chosen = estimand.units or table.units
    for unit in chosen:
        if unit not in table.units:
            raise DataError(
                f"Unit '{unit}' is not in the data. Units: "
                f"{', '.join(table.units) or 'none, the data are national'}."
                f"{did_you_mean(unit, table.units)}"
            )
    units = np.isin(table.units, chosen)[:, None] if table.units else np.ones((1, 1), bool)
    place, rows = np.arange(table.shape[1]), np.flatnonzero(acting)
    counts = trained & (place >= rows[0])
    if estimand.tail is not None:
        counts = counts & (place <= rows[-1] + estimand.tail)
    return units & acting, units & counts


def exposed(path: np.ndarray, exposure: Exposure | None) -> np.ndarray:
    """Apply the user's function to a path ``(unit, time)``; it sees ``(time,)`` when national."""
    if exposure is None:
        return path
    view = path[0] if len(path) == 1 else path
    values = np.asarray(exposure(view.copy()) if callable(exposure) else np.nan, dtype=float)
    if values.shape != view.shape or not np.isfinite(values).all():
        answer = f"values of shape {values.shape}" if callable(exposure) else f"{exposure!r}"
        raise DataError(
            "exposure is a function of the treatment's path that returns finite values in its "
            f"shape, {view.shape}; got {answer}. Both worlds of the estimand go through it. Write "
            "`lambda x: GeometricAdstock(l_max=8).apply(np, x, {'alpha': np.array(0.5)})`."
        )
    return values.reshape(path.shape)
