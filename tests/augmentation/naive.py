"""The factorized law by brute force, written from the formulas alone: nothing of the package.

Columns are a mapping of name to list of numbers; a graph is a list of directed and one of
bidirected pairs; a law is an array with one axis a node, in the order of the names given.
"""

import itertools
import math

import networkx as nx
import numpy as np


def naive_pillow(node, predecessors, directed, bidirected):
    """District of the node and its parents, among the node and all before it, less itself."""
    scope = {*predecessors, node}
    shared = nx.Graph()
    shared.add_nodes_from(scope)
    shared.add_edges_from((a, b) for a, b in bidirected if a in scope and b in scope)
    district = nx.node_connected_component(shared, node)
    parents = {a for a, b in directed if b in district and a in scope}
    return frozenset((district | parents) - {node})


def naive_pillows(order, directed, bidirected):
    return {v: naive_pillow(v, order[:k], directed, bidirected) for k, v in enumerate(order)}


def naive_orders(nodes, directed):
    """Every order that puts causes before effects."""
    for order in itertools.permutations(nodes):
        place = {v: k for k, v in enumerate(order)}
        if all(place[a] < place[b] for a, b in directed):
            yield order


def naive_bandwidth(column):
    """Normal reference rule of the published code, with the constant of Scott."""
    n = len(column)
    mean = sum(column) / n
    sd = math.sqrt(sum((x - mean) ** 2 for x in column) / (n - 1))
    low, high = np.percentile(column, 25), np.percentile(column, 75)
    scale = min(sd, (high - low) / 1.349) if high > low else sd
    return 1.0592238410488122 * scale * n ** (-1 / 5)


def naive_kernel(columns, parents, factor=1.0, identity=()):
    """Return ``p(z)``: the probability of every row as donor, parents having the values z.

    Parents are all of the identity kernel, or none.
    """
    widths = {p: naive_bandwidth(columns[p]) * factor for p in parents if p not in identity}

    def log_weight(k, z):
        value = 0.0
        for p in parents:
            if p in identity:
                if columns[p][k] != z[p]:
                    return -math.inf
            else:
                value -= (z[p] - columns[p][k]) ** 2 / (2 * widths[p] ** 2)
        return value

    def probabilities(z):
        n = len(next(iter(columns.values())))
        logs = [log_weight(k, z) for k in range(n)]
        if max(logs) == -math.inf:  # a combination of categories not observed: the most alike
            alike = [sum(columns[p][k] == z[p] for p in parents) for k in range(n)]
            logs = [0.0 if a == max(alike) else -math.inf for a in alike]
        weights = [math.exp(log - max(logs)) for log in logs]
        return [w / sum(weights) for w in weights]

    return probabilities


def naive_law(columns, pillows, names, factor=1.0, identity=()):
    """Weight of every tuple of rows: shape (n,) * d, axes in the order of ``names``."""
    n = len(columns[names[0]])
    law = np.ones((n,) * len(names))
    for node in names:
        parents = sorted(pillows[node])
        donors = naive_kernel(columns, parents, factor, identity)
        cache = {}
        for index in itertools.product(range(n), repeat=len(names)):
            rows = dict(zip(names, index, strict=True))
            z = {p: columns[p][rows[p]] for p in parents}
            key = tuple(z.values())
            if key not in cache:
                cache[key] = donors(z)
            law[index] *= cache[key][rows[node]]
    return law


def naive_merged(columns, law, names):
    """Sum the law over tuples of rows with the same values: mapping of values to probability."""
    merged = {}
    for index, weight in np.ndenumerate(law):
        values = tuple(columns[v][k] for v, k in zip(names, index, strict=True))
        merged[values] = merged.get(values, 0.0) + weight
    return merged


def naive_systematic(weights, count, rng):
    """Resample with one uniform for all strata: what `reduce` must not do."""
    points = (np.arange(count) + rng.random()) / count
    return np.searchsorted(np.cumsum(weights), points)
