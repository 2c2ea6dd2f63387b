"""Faults of columns that no causal claim survives: constants, copies, breaks, changes of unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from bayescausal.graphs.graph import Graph
from bayescausal.specs.baseline import LinearTrend, YearlySeasonality
from bayescausal.validation.expert_claims import Candidate
from bayescausal.validation.graph_check import p_text
from bayescausal.validation.lagged_table import Table
from bayescausal.validation.objections import Doubt, Objection

TRIMMED = 0.1
"""Share of periods at either end at which no break is looked for."""

SIMULATIONS = 4999
"""Series without a break that a break is compared with: p-values are multiples of 1/5000."""

PLAIN = 0.1
"""A p-value from a tenth of them above which that many are enough."""

CORRECTIONS = 3
"""Rounds in which the memory of simulated series is corrected for the bias of its estimate."""

FEWEST = 60
"""Periods with values that the search for a break needs."""

UNITS = (10.0, 60.0, 100.0, 1000.0, 1_000_000.0)
"""Factors between units that are mixed up: digits, percent, minutes, thousands, millions."""

UNIT_ERROR = 0.3
"""Relative distance from such a factor within which a ratio of levels is taken for it."""

SHORTEST = 3
"""Periods of a stretch in another unit at least: fewer are outliers, not a unit."""

GAP = 5.0
"""Ratio of neighbors among sorted values above which they are two groups: in one unit series of
weeks leave no such hole, unless they stop."""

_DAYS_OF_SEASON = 550.0


class Break(NamedTuple):
    """The most likely break of a series: its period and size, and the p-value of "none"."""

    period: int
    size: float
    p_value: float
    detectable: float


def constant_columns(table: Table) -> Iterator[Candidate]:
    """Yield columns that never vary, in some unit."""
    for node, path in table.x.items():
        flat = np.ptp(path, axis=1) <= 1e-12 * np.abs(path).max(axis=1)
        if not flat.any():
            continue
        units = [u for u, f in zip(table.units, flat, strict=bool(table.units)) if f]
        where = f" in {', '.join(units)}" if units else ""
        yield Candidate(
            Objection(
                Doubt.CONSTANT,
                node,
                f"{node} varies",
                f"it is {path[flat][0, 0]:g} in every period{where}",
                "Counted, not tested: no effect of a constant can be learned.",
                f"Look whether the export of '{node}' was cut off or filled; else leave it out.",
            ),
            (),
        )


def duplicated_periods(table: Table, names: Sequence[str] | None = None) -> Iterator[Candidate]:
    """Yield periods whose columns all equal those of another period.

    Expected by chance is the number of periods times the product over columns of the share of
    values that occur twice in the others; from 0.01 on (columns of few values) nothing is said.
    """
    varying = [v for v in names or table.x if np.ptp(table.x[v])]
    for k, unit in enumerate(table.units or ("",)):
        frame = pd.DataFrame({v: table.x[v][k] for v in varying})
        copies = frame.duplicated().to_numpy()
        if not varying or not copies.any():
            continue
        fresh = frame[~copies]
        expected = len(frame) * float(np.prod([fresh[v].duplicated().mean() for v in varying]))
        if expected >= 0.01:
            continue
        rows = np.flatnonzero(copies)
        following = sum(bool((frame.iloc[r] == frame.iloc[r - 1]).all()) for r in rows if r)
        dates = [_when(table, int(r)) for r in rows[:3]]
        yield Candidate(
            Objection(
                Doubt.DUPLICATED,
                unit or "all columns",
                "no two periods are alike in every column",
                f"{len(rows)} periods repeat another one ({', '.join(dates)}"
                f"{', ...' if len(rows) > 3 else ''}; {following} of them the one before)",
                f"Counted, not tested: {expected:.1g} would be expected by chance.",
                "Look in the source whether weeks were entered twice or gaps filled with copies; "
                "take copies out, or mark the gap.",
            ),
            (),
        )


def breaks(table: Table, graph: Graph) -> Iterator[Candidate]:
    """Test each column for one shift of its level, and call it a change of unit where it is one.

    Columns without negative values are taken in logarithms of their positive values, given the
    calendar and what the graph says moves them; others as they are. The largest F over all periods
    is compared with that of simulated series without a break that remember as much.
    """
    for node in table.x:
        shifts = [_break_of(table, graph, node, k) for k in range(table.shape[0])]
        usable = [(shift, k) for k, shift in enumerate(shifts) if shift is not None]
        stretch = _stretch(table, node)
        if stretch is not None:
            yield Candidate(_unit_change(table, node, *stretch), ())
            continue
        if not usable:
            continue
        best, unit = min(usable, key=lambda item: item[0].p_value)
        p_value = min(1.0, best.p_value * len(usable))
        yield Candidate(_shift(table, node, unit, best, p_value), (p_value,))


def _series(table: Table, node: str, unit: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return the values that are looked at, their periods, and whether they are logarithms."""
    path = table.x[node][unit]
    if (path < 0).any() or len(np.unique(path)) <= 2:
        return path, np.arange(len(path)), False
    rows = np.flatnonzero(path > 0)
    return np.log(path[rows]), rows, True


def _break_of(table: Table, graph: Graph, node: str, unit: int) -> Break | None:
    """Return the most likely break of one series, None where there are too few values."""
    y, rows, _ = _series(table, node, unit)
    if len(y) < FEWEST or len(np.unique(y)) < FEWEST // 6:
        return None
    causes = [v for v in graph.project().parents(node) if v in table.x and v != node]
    columns = [np.ones(len(rows)), *_calendar(table)[rows].T]
    for cause in causes:
        path = table.x[cause][unit]
        if np.ptp(path) and 4 * (len(columns) + 2) < len(rows):
            columns += [path[rows], path[np.maximum(rows - 1, 0)]]
    design = np.stack(columns, axis=1)
    lengths = np.linalg.norm(design, axis=0)
    is_usable = np.isfinite(lengths) & (lengths > 0)  # one date has no trend; tiny squares vanish
    basis, strength, _ = np.linalg.svd(
        design[:, is_usable] / lengths[is_usable], full_matrices=False
    )
    basis = basis[:, strength > 1e-8]
    places = np.arange(int(len(y) * TRIMMED) + 2, len(y) - int(len(y) * TRIMMED) - 1)
    steps = (np.arange(len(y))[:, None] >= places).astype(float)
    steps -= basis @ (basis.T @ steps)
    power = (steps**2).sum(axis=0)
    steps, places = steps[:, power > 1e-6], places[power > 1e-6]
    return _tested_break(y, rows, basis, steps / np.sqrt((steps**2).sum(axis=0)), places)


def _tested_break(
    y: np.ndarray, rows: np.ndarray, basis: np.ndarray, steps: np.ndarray, places: np.ndarray
) -> Break:
    """Compare the largest step with those of simulated series without one.

        T = max_k (s_k' e)^2 / (sigma^2 / (1 - phi_1 - phi_2)^2),    e = y less controls

    phi and sigma are those of e less its largest step. Both are too small, since controls and the
    step take away what lasts, so series are simulated with the phi that would be estimated as the
    one of the data is (indirect inference), and go through the same steps.

    Source: Andrews (1993), Econometrica 61; Gourieroux, Monfort and Renault (1993), J. Applied
    Econometrics 8.
    """
    e = (y - basis @ (basis.T @ y))[:, None]
    peak, best, phi, scale = _studentized(e, steps)
    rng = np.random.default_rng(20261129)  # of the null law: the same for every call
    used = phi[:, 0]
    for _ in range(CORRECTIONS):
        trial = _without_break(used, rng, len(y), SIMULATIONS // 10, basis)
        used = _stationary(used + phi[:, 0] - _studentized(trial, steps)[2].mean(axis=1))
    for count in (SIMULATIONS // 10, SIMULATIONS):
        null = _studentized(_without_break(used, rng, len(y), count, basis), steps)[0]
        p_value = (1 + int((null >= peak[0]).sum())) / (count + 1)
        if p_value > PLAIN:  # more of them would not make it small
            break
    raw = (np.arange(len(y)) >= places[best[0]]).astype(float)
    raw -= basis @ (basis.T @ raw)
    length = float(np.sqrt((raw**2).sum()))
    noise = float(scale[0]) / max(1 - float(used.sum()), 0.03)
    detectable = (np.sqrt(np.quantile(null, 0.95)) + 0.84) * noise / length
    size = float(steps[:, best[0]] @ e[:, 0]) / length
    return Break(int(rows[places[best[0]]]), size, p_value, detectable)


def _studentized(
    e: np.ndarray, steps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the largest step of each column in units of its memory, its place, phi and sigma."""
    gain = steps.T @ e
    best = np.abs(gain).argmax(axis=0)
    largest = gain[best, np.arange(e.shape[1])]
    residuals = e - steps[:, best] * largest
    one, two, now = residuals[1:-1], residuals[:-2], residuals[2:]
    a, b, c = (one**2).sum(axis=0), (one * two).sum(axis=0), (two**2).sum(axis=0)
    u, v = (one * now).sum(axis=0), (two * now).sum(axis=0)
    determinant = np.maximum(a * c - b**2, 1e-300)
    phi = np.stack([(c * u - b * v) / determinant, (a * v - b * u) / determinant])
    sigma = np.sqrt(((now - phi[0] * one - phi[1] * two) ** 2).mean(axis=0)) + 1e-300
    memory = np.maximum(1 - phi.sum(axis=0), 0.03)
    return (largest / sigma * memory) ** 2, best, phi, sigma


def _without_break(
    phi: np.ndarray, rng: np.random.Generator, periods: int, count: int, basis: np.ndarray
) -> np.ndarray:
    shocks = rng.normal(size=(periods + 50, count))
    series = lfilter([1.0], [1.0, *-phi], shocks, axis=0)[50:]
    return series - basis @ (basis.T @ series)


def _stationary(phi: np.ndarray) -> np.ndarray:
    """Return coefficients inside the region where the series does not explode."""
    second = float(np.clip(phi[1], -0.95, 0.95))
    first = float(np.clip(phi[0], -(0.97 - second), 0.97 - second))
    return np.array([first, second])


def _calendar(table: Table) -> np.ndarray:
    """Return trend and seasons, as far as the data can tell them apart."""
    if table.time is None:
        return np.linspace(-1, 1, table.shape[1])[:, None]
    terms = [LinearTrend().design(table.time, table.time)]
    if (table.time[-1] - table.time[0]).days >= _DAYS_OF_SEASON:
        terms.append(YearlySeasonality(2).design(table.time, table.time))
    return np.hstack(terms)


def _stretch(table: Table, node: str) -> tuple[int, int, int, float] | None:
    """Return unit, first and last period and ratio of a stretch in another unit, if there is one.

    Positive values fall in two groups with a hole between them, the smaller one is a stretch of at
    least three periods, and the medians have the ratio of two units.
    """
    for unit, path in enumerate(table.x[node]):
        rows = np.flatnonzero(path > 0)
        if len(rows) < FEWEST or (path < 0).any() or len(np.unique(path)) <= 2:
            continue
        ordered = np.sort(path[rows])
        ratios = ordered[1:] / ordered[:-1]
        cut = int(ratios.argmax())
        if ratios[cut] < GAP:
            continue
        high = path[rows] > ordered[cut]
        small = high if high.sum() * 2 <= len(high) else ~high
        if small.sum() < SHORTEST or np.count_nonzero(np.diff(small.astype(int))) > 2:
            continue
        inside = rows[small]
        ratio = float(np.median(path[inside]) / np.median(path[rows[~small]]))
        if _unit_factor(ratio):
            return unit, int(inside[0]), int(inside[-1]), ratio
    return None


def _unit_factor(ratio: float) -> float | None:
    """Return the factor between units that a ratio of levels is close to."""
    larger = max(ratio, 1 / ratio)
    factor = min(UNITS, key=lambda unit: abs(np.log(unit / larger)))
    return factor if abs(larger / factor - 1) <= UNIT_ERROR else None


def _unit_change(
    table: Table, node: str, unit: int, first: int, last: int, ratio: float
) -> Objection:
    where = f" in {table.units[unit]}" if table.units else ""
    factor = _unit_factor(ratio)
    return Objection(
        Doubt.UNIT_CHANGE,
        node,
        f"{node} is in one unit throughout",
        f"from {_when(table, first)} to {_when(table, last)}{where} it is {ratio:.3g} times the "
        f"rest, with nothing in between: about {factor:,.0f}",
        "Counted, not tested: a hole between two groups of values.",
        f"Look in the source whether '{node}' changes its unit there; rescale that stretch.",
    )


def _shift(table: Table, node: str, unit: int, best: Break, p_value: float) -> Objection:
    _, _, logs = _series(table, node, unit)
    where = f" in {table.units[unit]}" if table.units else ""
    ratio = float(np.exp(best.size)) if logs else 1.0
    size = f"{ratio:.3g} times" if logs else f"{best.size:+.3g}"
    factor = _unit_factor(ratio)
    doubt = Doubt.UNIT_CHANGE if factor else Doubt.LEVEL_SHIFT
    least = f"{np.exp(best.detectable):.2f} times" if logs else f"{best.detectable:.3g}"
    action = (
        f"Look in the source whether '{node}' changes its unit there (about {factor:,.0f}); "
        "rescale one side."
        if factor
        else f"Ask what happened then: another source, definition, currency or tax for '{node}' is "
        "mended in the data; a real change is a cause that is missing, an Event in the baseline."
    )
    return Objection(
        doubt,
        node,
        f"{node} keeps its level, but for the calendar and what moves it",
        f"from {_when(table, best.period)} on{where} it is {size} what it was "
        f"(p {p_text(p_value)})",
        f"A shift by {least} would be seen in 8 of 10 such series.",
        action,
        p_value,
    )


def _when(table: Table, period: int) -> str:
    return f"{table.time[period].date()}" if table.time is not None else f"period {period}"
