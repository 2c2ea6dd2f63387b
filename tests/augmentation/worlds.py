"""Small data for the laws of augmentation, and the package's law as an array."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from bayescausal.augmentation.blocks import read_table
from bayescausal.augmentation.conditionals import NadarayaWatson
from bayescausal.augmentation.donor_odds import Ties, odds
from bayescausal.augmentation.factorization import PartialRows, make_plan
from bayescausal.augmentation.threshold import threshold
from bayescausal.graphs.graph import Graph

SCOTT = NadarayaWatson("scott")


@st.composite
def mixed_graphs(draw, max_nodes=4, siblings=True):
    """Directed edges along a random order of the names, and bidirected edges anywhere."""
    count = draw(st.integers(2, max_nodes))
    names = draw(st.permutations("abcdef"[:count]))
    pairs = [(names[i], names[j]) for i in range(count) for j in range(i + 1, count)]
    directed = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=2 * count))
    bidirected = []
    if siblings:
        bidirected = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=count))
    return Graph(tuple(directed), tuple(bidirected), isolated=tuple(names))


def frame_of(names, rows, seed, levels=None):
    """Correlated normal columns; with ``levels`` rounded to so many values, so that rows tie."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, len(names))) + rng.normal(size=(rows, 1))
    if levels:
        x = np.clip(np.round(x + levels / 2), 0, levels - 1)
        x[0], x[1] = 0, 1  # no column with one value
    return pd.DataFrame(x, columns=list(names))


def plan_of(frame, graph, conditional=SCOTT, discrete=()):
    return make_plan(read_table(frame, graph, discrete=discrete), conditional)


def columns_of(frame):
    return {v: frame[v].tolist() for v in frame}


def law_of(plan):
    """The full tree, ties apart: an array with one axis a node, sorted by name."""
    indices, weights, _ = threshold(plan, 0, merge=False)
    names = sorted(plan.order)
    law = np.full((plan.rows,) * len(names), np.nan)
    law[tuple(indices[:, plan.order.index(v)] for v in names)] = weights
    return law


def log_weights(plan, indices):
    """Log probability of rows under the factorized law, ties added up."""
    drawn, total = PartialRows.begin(plan, len(indices)), np.zeros(len(indices))
    for node, donor in zip(plan.order, indices.T, strict=True):
        ties = Ties.from_plan(plan, node)
        total += np.log(odds(drawn, node, ties)[np.arange(len(donor)), ties.positions[donor]])
        drawn = drawn.append(donor)
    return total


def merged_of(plan, indices, weights):
    """Mapping of values to weight, in the order of the names; rows must differ in values."""
    names = sorted(plan.order)
    values = plan.values(indices)
    rows = zip(*(values[v][:, 0].tolist() for v in names), strict=True)
    merged = dict(zip(rows, weights.tolist(), strict=True))
    assert len(merged) == len(weights)
    return merged
