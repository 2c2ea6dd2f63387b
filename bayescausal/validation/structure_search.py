"""How often structure search finds each edge in block resamples of prewhitened series."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from bayescausal.errors import SpecError
from bayescausal.experiments.block_bootstrap import block_length, draw_blocks
from bayescausal.graphs.graph import Graph
from bayescausal.specs.experts import Experts
from bayescausal.validation.claim_regressions import Setting
from bayescausal.validation.lagged_regression import (
    SPARE_ROWS,
    Column,
    Regression,
    Untestable,
    partial_out,
)

try:
    from bayescausal.validation import causal_learn_bridge as bridge
except ImportError:  # causal-learn is an optional extra
    bridge = None  # type: ignore[assignment]

MEMORY = 2
"""Lags of all series that are taken out of each."""

SHORTEST_BLOCK = 8
"""Periods of a block at least: what innovations still share lasts for about a season."""

COLUMNS = ("a", "b", "graph", "adjacent", "a -> b", "b -> a", "undirected", "common cause")


def edge_frequencies(setting: Setting, experts: Experts, resamples: int, seed: int) -> pd.DataFrame:
    """Return how often PC and FCI find each pair of nodes adjacent, and how they direct it.

    Each series is replaced by its residual on the past of all (`MEMORY` lags) and the calendar, so
    that what is searched is who moves whom within a period; blocks of periods are then resampled.
    Shares are stabilities, not probabilities: a resample repeats the accidents of the data, so that
    a pair with nothing between it is adjacent in one resample of six on average, and in more than
    seven of ten in about one data set of a hundred.

    Source: Spirtes, Glymour and Scheines (2000), Causation, Prediction, and Search; Zhang (2008),
    Artificial Intelligence 172 (FCI); Künsch (1989), Ann. Statist. 17; Friedman, Goldszmidt and
    Wyner (1999), Data analysis with Bayesian networks: a bootstrap approach.

    Raises
    ------
    SpecError
        causal-learn is not installed.
    Untestable
        Too few periods, or a constant series.
    """
    if bridge is None:
        raise SpecError(
            "discover searches for edges with causal-learn, which is not installed. Write "
            "pip install 'bayescausal[discovery]', or ask discover(..., resamples=0), which tests "
            "the claims and the data without it."
        )
    names = [*setting.compiled.names]
    panel, controls = innovations(setting, names)
    length = block_length(panel[..., 0], 4, SHORTEST_BLOCK)
    periods = panel.shape[1]
    blocks = -(-periods // length)
    rng = np.random.default_rng(seed)
    rows = draw_blocks(periods - length + 1, length, blocks, resamples, rng)[:, :periods]
    counts = np.zeros((4, len(names), len(names)))
    for row in rows:
        sample = panel[:, row] - panel[:, row].mean(axis=1, keepdims=True)
        marks = bridge.run_pc(sample, controls, names, experts, setting.level)
        latent = bridge.run_fci(sample, controls, names, setting.level)
        head, tail = marks == 1, marks == -1
        counts[0] += marks != 0
        counts[1] += head & tail.T
        counts[2] += (marks != 0) & (head == head.T)
        counts[3] += (latent == 1) & (latent.T == 1)
    return _table(counts / resamples, names, setting.compiled.graph)


def innovations(setting: Setting, names: list[str]) -> tuple[np.ndarray, int]:
    """Return what is new in each series, dims ``(unit, time, node)``, and the columns it cost."""
    past = tuple(Column(v, lag) for v in names for lag in range(1, MEMORY + 1))
    periods = setting.table.shape[1] - setting.table.first
    if 3 * (len(past) + setting.calendar.shape[1]) > 2 * periods:
        past = ()  # too many nodes: each series loses its own past only
    parts, controls = [], 0
    for node in names:
        memory = past or tuple(Column(node, lag) for lag in range(1, MEMORY + 1))
        residuals = partial_out(
            setting.table, Regression(node, (Column(node, 0),), memory), setting.calendar
        )
        if residuals.freedom < SPARE_ROWS + len(names):
            raise Untestable(
                f"{residuals.rows} periods less {residuals.controls} columns of the past are too "
                f"few to search among {len(names)} nodes"
            )
        if len(residuals.target) < setting.table.shape[0]:
            raise Untestable(f"'{node}' is constant in some unit")
        parts.append(residuals.target)
        controls = max(controls, residuals.controls)
    return np.stack(parts, axis=-1), controls


def _table(shares: np.ndarray, names: list[str], graph: Graph) -> pd.DataFrame:
    adjacent, directed, undirected, latent = shares
    edges = {edge[:2] for edge in graph.project().edges}
    pairs = {frozenset(pair) for pair in graph.project().bidirected}
    rows = []
    for i, j in combinations(range(len(names)), 2):
        a, b = names[i], names[j]
        claims = [f"{x} -> {y}" for x, y in ((a, b), (b, a)) if (x, y) in edges]
        claims += [f"{a} <-> {b}"] if frozenset((a, b)) in pairs else []
        numbers = (adjacent[i, j], directed[i, j], directed[j, i], undirected[i, j], latent[i, j])
        rows.append((a, b, ", ".join(claims), *numbers))
    return pd.DataFrame(rows, columns=[*COLUMNS])
