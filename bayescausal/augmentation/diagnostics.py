"""`diagnose_augmentation` checks how far augmented rows extrapolate and change slopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from bayescausal import checks
from bayescausal._display import Page
from bayescausal._types import Node
from bayescausal.augmentation.advice import remarks
from bayescausal.augmentation.augment import Augmented
from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.conditionals import NadarayaWatson
from bayescausal.augmentation.donor_draw import parts
from bayescausal.augmentation.donors import Donors, ParentValues, core
from bayescausal.augmentation.slopes import compare_slopes
from bayescausal.thresholds import FEW_DONORS

SAMPLE_ROWS = 2_000
"""Number of rows for which donors and distances are computed, sampled evenly by weight."""


@dataclass(frozen=True, eq=False, repr=False)
class AugmentationDiagnostics(Page):
    """The diagnostics of augmented rows; they print as a page.

    Parameters
    ----------
    rows : pandas.Series
        Number of rows, probability that they hold (mass), Kish's size, share that are copies of an
        observed row, and of distinct rows.
    nodes : pandas.DataFrame
        By node that has parents: the estimator; quantiles of the effective number of donors, its
        median at the observed rows, the share of rows that have fewer than two, and of observed
        ones; the share of values farther outside the observed range than that is wide; and the
        slope of all parents together relative to that in the observed rows, with the Monte-Carlo
        error of this ratio: see `compare_slopes`.
    edges : pandas.DataFrame
        By node and column of its parents: slope in the observed rows and its standard error, slope
        in the augmented rows, and their ratio: 1 is no attenuation.
    support : pandas.Series
        Quantiles of the distance from a row to the nearest observed one, and the share farther
        than 95 percent of observed rows are from their neighbors. The unit is the median distance
        between observed neighbors.
    donors : dict of str to array
        By node, the effective number of donors of the rows that were looked at.
    distances : dict of str to array
        Distances of ``augmented`` rows that were looked at, and of the ``observed`` ones.
    advice : tuple of str
        What is wrong and what to do, most important first.
    """

    rows: pd.Series
    nodes: pd.DataFrame
    edges: pd.DataFrame
    support: pd.Series
    donors: dict[Node, np.ndarray]
    distances: dict[str, np.ndarray]
    advice: tuple[str, ...]

    def __str__(self) -> str:
        parts = ["Rows", self.rows.round(3).to_string()]
        if len(self.nodes):
            parts += ["", "Donors and slopes by node", self.nodes.round(3).to_string()]
        if len(self.edges):
            parts += ["", "Slopes, augmented to observed", self.edges.round(3).to_string()]
        if len(self.support):
            parts += ["", "Distance to the nearest observed row", self.support.round(3).to_string()]
        return "\n".join([*parts, "", "Advice", *(f"- {line}" for line in self.advice)])


def diagnose_augmentation(augmented: Augmented) -> AugmentationDiagnostics:
    """Check augmented rows before they enter a likelihood.

    None of it says whether the graph is right: rows that recombine what is not independent look
    well here as long as they stay near observed ones.

    Parameters
    ----------
    augmented : Augmented

    Returns
    -------
    AugmentationDiagnostics

    Notes
    -----
    The effective number of donors of a value is ``1 / sum_k p_k^2``; where all rows donate alike,
    as in `ResidualBootstrap`, it is that of kernel weights with Silverman's bandwidth: how many
    observed rows have parents like these. Near one the value is an extrapolation. Slopes are those
    of linear regressions on the parents' columns. Where the truth is a curve those by edge also
    differ because the parents' values do; the one by node of values that are made does not, since
    it is read at the observed parents. Kish's size measures how even weights are, not information.

    Examples
    --------
    >>> from bayescausal import Graph, NadarayaWatson, augment
    >>> rng = np.random.default_rng(1)
    >>> tv, search = rng.normal(size=(2, 100))
    >>> frame = pd.DataFrame({"tv": tv, "search": search, "sales": tv + search})
    >>> how = {"sales": NadarayaWatson()}
    >>> rows = augment(frame, Graph.parse("tv, search -> sales"), conditional=how, seed=1)
    >>> diagnose_augmentation(rows).edges["ratio"].round(1).to_list()
    [0.9, 0.9]
    """
    checks.instance("diagnose_augmentation", augmented, Augmented, "It is what augment(...) gives.")
    rows = _row_summary(augmented)
    if not len(augmented):
        advice = remarks(rows, pd.DataFrame(), pd.Series(dtype=float), augmented.notes)
        no_nodes = pd.DataFrame()
        return AugmentationDiagnostics(
            rows, no_nodes, no_nodes, pd.Series(dtype=float), {}, {}, tuple(advice)
        )
    sample = _weighted_sample(augmented.weights, SAMPLE_ROWS)
    rows_drawn = augmented.plan.rows_of(augmented.indices[sample])
    edges, slope_ratios = compare_slopes(augmented)
    estimators, donors, observed_donors = {}, {}, {}
    for node, fitted in augmented.plan.donors.items():
        estimator = core(fitted)
        estimators[node] = type(estimator).__name__.removesuffix("Donors")
        all_rows = np.arange(augmented.plan.rows)
        observed_values = [ParentValues(parent.values, all_rows) for parent in fitted.parents]
        reference = NadarayaWatson(mismatch=None).fit(fitted.parents, fitted.child)
        # Where all rows donate alike, count instead the observed rows that have like parents.
        judge = reference if estimator.alike else fitted
        donors[node] = effective_donors(judge, rows_drawn.pillow(node))
        observed_donors[node] = effective_donors(judge, observed_values)
    nodes = pd.DataFrame.from_dict(
        {
            node: {
                "estimator": estimators[node],
                "donors": np.median(number),
                "donors_5%": np.quantile(number, 0.05),
                "donors_observed": np.median(observed_donors[node]),
                "alone": (number < FEW_DONORS).mean(),
                "alone_observed": (observed_donors[node] < FEW_DONORS).mean(),
                "outside": _outside_share(augmented, node),
                "slope": slope_ratios.get(node, (np.nan,))[0],
                "slope_error": slope_ratios.get(node, (np.nan,))[-1],
            }
            for node, number in donors.items()
        },
        orient="index",
    ).rename_axis("node")
    distances = _distances(augmented, sample)
    support = _support(distances)
    advice = remarks(rows, nodes, support, augmented.notes)
    return AugmentationDiagnostics(rows, nodes, edges, support, donors, distances, tuple(advice))


def effective_donors(donors: Donors, pillow_values: Sequence[ParentValues]) -> np.ndarray:
    """Return the effective number of donors, ``1 / sum_k p_k^2``, in chunks."""
    numbers = np.empty(len(pillow_values[0].values))
    for rows in parts(len(numbers), len(donors.child.values)):
        probability = donors.probabilities([g.part(rows) for g in pillow_values])
        numbers[rows] = 1 / (probability**2).sum(axis=1)
    return numbers


def _outside_share(augmented: Augmented, node: Node) -> float:
    """Return the weighted share of values outside the observed range by more than its width."""
    if node not in augmented.plan.synthetic_nodes:
        return 0.0
    observed = augmented.plan.table.blocks[node].values
    low, high = float(observed.min()), float(observed.max())
    values = augmented.values[node][:, 0]
    is_outside = np.maximum(low - values, values - high) > high - low
    return float(is_outside @ augmented.weights) / augmented.mass


def _weighted_sample(weights: np.ndarray, number: int) -> np.ndarray:
    """Sample rows in proportion to their weight, evenly spaced."""
    cumulative = np.cumsum(weights)
    levels = (np.arange(number) + 0.5) / number * cumulative[-1]
    return np.minimum(np.searchsorted(cumulative, levels, side="right"), len(weights) - 1)


def _row_summary(augmented: Augmented) -> pd.Series:
    """Count rows, and the shares that copy an observed row or are distinct.

    Rows are compared by value: indices that tie are the same row.
    """
    blocks, order = augmented.plan.table.blocks, augmented.order
    ties = np.stack([blocks[v].ties for v in order], axis=1).astype(np.int32)
    row = np.stack([ties[augmented.indices[:, k], k] for k in range(len(order))], axis=1)
    kinds, groups = np.unique(np.concatenate([ties, row]), axis=0, return_inverse=True)
    groups = groups.ravel()
    is_observed = np.zeros(len(kinds), bool)
    is_observed[groups[: len(ties)]] = True
    copies = float(is_observed[groups[len(ties) :]] @ augmented.weights)
    return pd.Series(
        {
            "rows": float(len(augmented)),
            "mass": augmented.mass,
            "effective_rows": augmented.effective_rows,
            "copies": copies / augmented.mass if augmented.mass else np.nan,
            "distinct": len(np.unique(groups[len(ties) :])) / max(1, len(augmented)),
        }
    )


def _distances(augmented: Augmented, sample: np.ndarray) -> dict[str, np.ndarray]:
    """Return distances to the nearest observed row, for augmented and for observed rows.

    Their unit is the median distance between observed neighbors that differ.
    """
    blocks = [augmented.plan.table.blocks[v] for v in sorted(augmented.order)]
    observed_points = np.concatenate([_coded(b, b.values) for b in blocks], axis=1)
    augmented_points = np.concatenate(
        [_coded(b, augmented.values[b.name][sample]) for b in blocks], axis=1
    )
    tree = KDTree(observed_points)
    neighbor_distances = tree.query(observed_points, k=2)[0][:, 1]
    positive = neighbor_distances[neighbor_distances > 0]
    unit = float(np.median(positive)) if len(positive) else 1.0
    augmented_distances = tree.query(augmented_points)[0]
    return {"augmented": augmented_distances / unit, "observed": neighbor_distances / unit}


def _coded(block: Block, values: np.ndarray) -> np.ndarray:
    """Scale columns to standard deviations, and categories so that two are at distance one."""
    if block.levels is not None:
        return (values[:, :1] == np.arange(len(block.levels))) / np.sqrt(2)
    spread = block.values.std(axis=0)
    return (values - block.values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _support(distances: dict[str, np.ndarray]) -> pd.Series:
    """Summarize the distances: quantiles, and the share beyond most observed neighbors."""
    augmented_distances, limit = distances["augmented"], np.quantile(distances["observed"], 0.95)
    quantiles = {f"{q:.0%}": np.quantile(augmented_distances, q) for q in (0.05, 0.5, 0.95)}
    # The factor keeps rounding from carrying ties past the limit, as on an even grid.
    return pd.Series({**quantiles, "beyond": (augmented_distances > limit * (1 + 1e-9)).mean()})
