"""Regressions on lagged columns: what is left of two series once their past is known.

Weekly series remember. Two that have nothing to do with each other are often correlated for months,
so a test of independence compares what is new in each period: residuals on the conditioning set,
its past, and the past of both series. Conditioning nodes act with carry-over and saturate, so
curves of what is carried over enter where either side needs them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from bayescausal.errors import DataError
from bayescausal.validation.lagged_table import Table

RETENTIONS = (0.0, 0.3, 0.5, 0.7, 0.85)
"""Geometric carry-over at which curves of a conditioning node are offered."""

CURVE_LAGS = 2
"""Lags at which each curve is offered: that of the series, and one more for their memory."""

MOST_CURVES = 8
"""The most columns of curves that one series may ask for."""

ROWS_PER_CURVE = 10
"""Rows, beyond those that other columns use up, for each column of a curve."""

SPARE_ROWS = 10
"""Degrees of freedom that must be left; with fewer no p-value is given."""

MOST_LAGS = 4
"""The longest memory of a series that is looked for."""

_CONSTANT = 1e-9
_DETERMINED = 1e-7


class Untestable(DataError):
    """No p-value can be given; the message says why. It ends as the reason in a table."""


class Column(NamedTuple):
    """A node at a lag; a negative lag is a later period."""

    node: str
    lag: int


class Regression(NamedTuple):
    """A regression of `target` on `tested` columns, once all others are known.

    `memory` enters in proportion; nodes of `conditioned` may also enter through curves of what they
    carry over.
    """

    target: str
    tested: tuple[Column, ...]
    memory: tuple[Column, ...] = ()
    conditioned: tuple[Column, ...] = ()

    @property
    def lags(self) -> tuple[int, int]:
        """The earliest and the latest lag of its columns; zero is among them."""
        lags = [c.lag for c in (*self.tested, *self.memory, *self.conditioned)]
        return min(0, *lags), max(0, *lags)


@dataclass(frozen=True)
class Residuals:
    """What is left of the tested columns and of the target, by unit, scaled to unit length.

    Attributes
    ----------
    tested : array, dims ``(unit, time, column)``
    target : array, dims ``(unit, time)``
    bases : one orthonormal basis ``(time, column)`` of the controls for each unit
    names : the units that are in it
    """

    tested: np.ndarray
    target: np.ndarray
    bases: tuple[np.ndarray, ...]
    names: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of periods."""
        return self.target.shape[1]

    @property
    def controls(self) -> int:
        """Number of columns that were partialled out in a unit, the constant included."""
        return max(basis.shape[1] for basis in self.bases)

    @property
    def freedom(self) -> int:
        """Degrees of freedom that controls leave: periods less controls."""
        return self.rows - self.controls


def partial_out(
    table: Table, regression: Regression, calendar: np.ndarray, curves: bool = True
) -> Residuals:
    """Return residuals of a regression's target and tested columns on all other columns.

    Which curves are needed is decided for the target and for each tested column apart, by BIC,
    and what either takes is partialled out of both: a curve that one side shows weakly would
    otherwise remain in both. Units have coefficients of their own.

    Parameters
    ----------
    table : Table
    regression : Regression
    calendar : array, dims ``(time, column)``
        Trend and seasons that are held fixed; a constant always is.
    curves : bool
        Whether conditioning nodes may act through curves.

    Raises
    ------
    Untestable
        Too few rows, constant columns, columns that the others determine.

    Notes
    -----
    Source: Belloni, Chernozhukov and Hansen (2014), Inference on treatment effects after selection
    among high-dimensional controls, Review of Economic Studies 81.
    """
    lead, depth = regression.lags
    rows = np.arange(table.first + depth, table.shape[1] + lead)
    nodes = {regression.target, *(c.node for c in regression.tested)}
    unit_rows = _varying_units(table, nodes, rows)
    data = {
        node: table.x[node][unit_rows]
        for node in nodes | {c.node for c in (*regression.memory, *regression.conditioned)}
    }
    controls_count = 1 + calendar.shape[1] + len(regression.memory) + len(regression.conditioned)
    freedom = len(rows) - controls_count - len(regression.tested)
    if freedom < SPARE_ROWS:
        raise Untestable(
            f"{len(rows)} rows are too few: {controls_count} controls and "
            f"{len(regression.tested)} tested columns leave {max(0, freedom)} degrees of freedom, "
            f"and {SPARE_ROWS} are the least"
        )
    target = data[regression.target][:, rows]
    tested = _columns(data, regression.tested, rows)
    linear = _columns(data, (*regression.memory, *regression.conditioned), rows)
    season = np.broadcast_to(calendar[rows], (len(unit_rows), len(rows), calendar.shape[1]))
    controls = np.concatenate([season, linear], axis=-1)
    bases = [_basis(unit) for unit in controls]
    if curves and regression.conditioned:
        offered = _offered_curves(data, regression.conditioned, rows)
        chosen = {
            place
            for side in (target, *np.moveaxis(tested, -1, 0))
            for place in selected_curves(side, bases, offered)
        }
        controls = np.concatenate([controls, offered[..., sorted(chosen)]], axis=-1)
        bases = [_basis(unit) for unit in controls]
    names = tuple(table.units[k] for k in unit_rows) if table.units else ()
    return Residuals(
        _left_over(tested, bases, regression.tested),
        _left_over(target[..., None], bases, [Column(regression.target, 0)])[..., 0],
        tuple(bases),
        names,
    )


def _varying_units(table: Table, nodes: Iterable[str], rows: np.ndarray) -> list[int]:
    """Return the positions of units in which every one of some nodes varies."""
    if len(rows) < 2:
        raise Untestable(f"{table.shape[1]} periods are too few for these lags")
    varies = np.ones(table.shape[0], dtype=bool)
    for node in sorted(nodes):
        path = table.x[node][:, rows]
        varies &= np.ptp(path, axis=1) > _CONSTANT * (np.abs(path).max(axis=1) + 1e-300)
        if not varies.any():
            raise Untestable(f"'{node}' is constant{' in every unit' if table.units else ''}")
    return list(np.flatnonzero(varies))


def _columns(
    data: dict[str, np.ndarray], columns: Iterable[Column], rows: np.ndarray
) -> np.ndarray:
    """Return columns at their lags, dims ``(unit, time, column)``."""
    parts = [data[node][:, rows - lag] for node, lag in columns]
    units = len(next(iter(data.values())))
    return np.stack(parts, axis=-1) if parts else np.empty((units, len(rows), 0))


def _basis(columns: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of a constant and some columns; copies count once."""
    centered = columns - columns.mean(axis=0)
    size = np.sqrt((centered**2).sum(axis=0))
    level = np.sqrt((columns**2).sum(axis=0))
    centered = centered[:, size > _CONSTANT * level]
    directions, strength, _ = np.linalg.svd(
        centered / np.sqrt((centered**2).sum(axis=0)), full_matrices=False
    )
    constant = np.full((len(columns), 1), len(columns) ** -0.5)
    return np.hstack([constant, directions[:, strength > 1e-8]])


def _project(columns: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return columns - basis @ (basis.T @ columns)


def _left_over(columns: np.ndarray, bases: list[np.ndarray], names: Iterable[Column]) -> np.ndarray:
    """Return residuals of columns, each of unit length in each unit."""
    parts = np.stack([_project(x, basis) for x, basis in zip(columns, bases, strict=True)])
    size = (parts**2).sum(axis=1)
    whole = ((columns - columns.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    for place, column in enumerate(names):
        if (size[:, place] <= _DETERMINED * whole[:, place]).any():
            raise Untestable(
                f"the conditioning set and the past determine '{column.node}': nothing is left "
                "of it that could vary"
            )
    return parts / np.sqrt(size)[:, None]


def curves_of(path: np.ndarray) -> np.ndarray:
    """Return curves of what a node carries over, dims ``(curve, unit, time)``.

    For geometric carry-over A at each of `RETENTIONS`: A and its square; for nodes that are never
    negative also the root and saturating curves, A/(A + h), A/(A + 4h) and A^2/(A^2 + h^2), h the
    median of positive A; for others the cube.
    """
    return _curves_of(np.ascontiguousarray(path, dtype=float).tobytes(), path.shape)


@lru_cache(maxsize=128)
def _curves_of(values: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Return the curves of a path by its bytes: many regressions hold the same node fixed."""
    path = np.frombuffer(values).reshape(shape)
    curves = []
    for retention in RETENTIONS:
        start = retention * path.mean(axis=1, keepdims=True)
        level = lfilter([1 - retention], [1, -retention], path, axis=1, zi=start)[0]
        spread = level.std(axis=1, keepdims=True)
        standard = (level - level.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
        curves += [level, standard**2] if retention else [standard**2]
        if (path >= 0).all():
            exposed = np.where(level > 0, level, np.nan)
            dark = ~(level > 0).any(axis=1, keepdims=True)
            half = np.nanmedian(np.where(dark, 1.0, exposed), axis=1, keepdims=True)
            curves += [np.sqrt(level), level / (level + half), level / (level + 4 * half)]
            curves.append(level**2 / (level**2 + half**2))
        else:
            curves.append(standard**3)
    stacked = np.stack(curves)
    stacked.setflags(write=False)
    return stacked


def _offered_curves(
    data: dict[str, np.ndarray], conditioned: tuple[Column, ...], rows: np.ndarray
) -> np.ndarray:
    """Return the curves that may be chosen, dims ``(unit, time, curve)``."""
    parts = []
    for node in dict.fromkeys(c.node for c in conditioned):
        lags = [c.lag for c in conditioned if c.node == node]
        curves = curves_of(data[node])
        for lag in range(min(lags), max(min(lags), 0) + CURVE_LAGS):
            if lag <= max(lags):
                parts.append(curves[:, :, rows - lag])
    return np.moveaxis(np.concatenate(parts), 0, -1)


def selected_curves(side: np.ndarray, bases: list[np.ndarray], offered: np.ndarray) -> list[int]:
    """Return the curves that a series needs beside its controls, one by one while BIC falls.

        n log(RSS / (RSS - gain)) > log(n)

    Parameters
    ----------
    side : array, dims ``(unit, time)``
    bases : the controls, by unit
    offered : array, dims ``(unit, time, curve)``
    """
    units, rows = side.shape
    freedom = rows - max(basis.shape[1] for basis in bases)
    e = np.concatenate([_project(x, basis) for x, basis in zip(side, bases, strict=True)])
    whole = ((offered - offered.mean(axis=1, keepdims=True)) ** 2).sum(axis=(0, 1))
    f = np.concatenate(
        [_project(_project(x, basis), basis) for x, basis in zip(offered, bases, strict=True)]
    )
    chosen: list[int] = []
    n = units * rows
    while len(chosen) < min(MOST_CURVES, freedom // ROWS_PER_CURVE):
        size, rss = (f**2).sum(axis=0), float(e @ e)
        if rss <= 0:
            break
        usable = size > 1e-6 * whole
        gain = np.where(usable, (e @ f) ** 2 / np.where(usable, size, 1.0), 0.0)
        best = int(gain.argmax())
        if not n * np.log(rss / max(rss - gain[best], 1e-12 * rss)) > np.log(n):
            break
        direction = f[:, best] / np.sqrt(size[best])
        e = e - direction * (direction @ e)
        f = f - np.outer(direction, direction @ f)
        chosen.append(best)
    return chosen


def memory_of(table: Table, node: str, calendar: np.ndarray) -> int:
    """Return the number of lags in which a series remembers itself: 2 to `MOST_LAGS`, by BIC.

    Two are the least, since a sum of two short memories, or noise upon one, looks like more.
    """
    path = table.x[node][:, table.first :]
    depth = min(MOST_LAGS, path.shape[1] // 8)
    rows = np.arange(depth, path.shape[1])
    n, best = path.shape[0] * len(rows), (np.inf, 2)
    for order in range(1, depth + 1):
        rss, used = 0.0, 0
        for unit in path:
            lagged = np.stack([unit[rows - lag] for lag in range(1, order + 1)], axis=-1)
            basis = _basis(np.hstack([calendar[table.first :][rows], lagged]))
            rss += float((_project(unit[rows], basis) ** 2).sum())
            used += basis.shape[1]
        score = n * np.log(rss / n) + used * np.log(n) if rss > 0 else -np.inf
        best = min(best, (score, order))
    return max(2, best[1])
