"""Oracles for small mixed graphs, written from the definitions by enumeration.

A graph here is ``(nodes, directed, bidirected)``: a sorted tuple, a set of pairs, a set of sorted
pairs. Nothing of the package is used but `Graph`, to hand a case over.
"""

import random
from itertools import chain, combinations, pairwise

import numpy as np

from bayescausal.graphs.graph import Edge, Graph


def subsets(nodes):
    nodes = sorted(nodes)
    return map(set, chain.from_iterable(combinations(nodes, k) for k in range(len(nodes) + 1)))


def random_case(seed, most=6, least=3):
    """Draw a random acyclic directed mixed graph, sparse or dense, in no order of names."""
    rng = random.Random(seed)
    directed, bidirected = rng.choice([0.35, 0.5, 0.65]), rng.choice([0.0, 0.1, 0.25, 0.4])
    order = rng.sample("abcdefg", k=rng.randint(least, most))
    pairs = list(combinations(order, 2))
    edges = {p for p in pairs if rng.random() < directed}
    arcs = {tuple(sorted(p)) for p in pairs if rng.random() < bidirected}
    return tuple(sorted(order)), edges, arcs


def as_graph(case, outcome=None):
    nodes, edges, arcs = case
    return Graph(
        tuple(Edge(a, b) for a, b in edges), tuple(arcs), isolated=nodes, outcomes=outcome or ()
    )


def ancestors(case, targets):
    found = set(targets)
    while new := {a for a, b in case[1] if b in found} - found:
        found |= new
    return found


def descendants(case, sources):
    found = set(sources)
    while new := {b for a, b in case[1] if a in found} - found:
        found |= new
    return found


def steps(case, node):
    """Yield (neighbor, arrowhead at node, arrowhead at neighbor)."""
    for a, b in case[1]:
        if a == node:
            yield b, False, True
        if b == node:
            yield a, True, False
    for a, b in case[2]:
        if node in (a, b):
            yield (b if a == node else a), True, True


def paths(case, start, end):
    """Yield simple paths as lists of (node, head at the node before, head at this node)."""

    def grow(path, seen):
        if path[-1][0] == end:
            yield list(path)
            return
        for other, here, there in steps(case, path[-1][0]):
            if other not in seen:
                yield from grow([*path, (other, here, there)], seen | {other})

    yield from grow([(start, None, None)], {start})


def is_open(case, path, given):
    above = ancestors(case, given)
    for (node, _, head_in), (_, head_out, _) in pairwise(path[1:]):
        if (head_in and head_out and node not in above) or (
            not (head_in and head_out) and node in given
        ):
            return False
    return True


def connected(case, a, b, given):
    return any(is_open(case, path, given) for path in paths(case, a, b))


def is_causal(path):
    return all(not here and there for _, here, there in path[1:])


def forbidden(case, xs, y):
    """Return the descendants of nodes on proper causal paths."""
    on_path = set()
    for x in xs:
        for path in paths(case, x, y):
            nodes = [node for node, _, _ in path]
            if is_causal(path) and not xs.intersection(nodes[1:]):
                on_path.update(nodes[1:])
    return descendants(case, on_path)


def adjusts(case, xs, y, given):
    """Return whether `given` meets the adjustment criterion, by its definition on paths."""
    if given & (forbidden(case, xs, y) | xs | {y}):
        return False
    for x in xs:
        for path in paths(case, x, y):
            proper = not xs.intersection(node for node, _, _ in path[1:])
            if proper and not is_causal(path) and is_open(case, path, given):
                return False
    return True


def minimal_adjustment_sets(case, xs, y):
    found = []
    for given in subsets(set(case[0]) - xs - {y}):  # by size
        if not any(z <= given for z in found) and adjusts(case, xs, y, given):
            found.append(given)
    return found


def restricted(case, nodes):
    return (
        tuple(v for v in case[0] if v in nodes),
        {(a, b) for a, b in case[1] if {a, b} <= nodes},
        {(a, b) for a, b in case[2] if {a, b} <= nodes},
    )


def districts(case, nodes):
    rest, found = set(nodes), []
    while rest:
        part = {min(rest)}
        while new := {v for p in case[2] if part & set(p) for v in p if v in rest} - part:
            part |= new
        found.append(part)
        rest -= part
    return found


def identified(case, xs, y):
    """Return whether P(y | do(xs)) is identified, by Tian's c-factors.

    Not the recursion of Shpitser and Pearl that the package follows: D are the ancestors of y
    without xs; each district of D is computed from the district of the graph that holds it.
    Source: Tian (2002), PhD thesis; complete by Huang and Valtorta (2006), UAI.
    """
    free = restricted(case, set(case[0]) - xs)
    wanted = ancestors(free, {y})
    return all(
        _from_factor(case, part, next(s for s in districts(case, case[0]) if part <= s))
        for part in districts(case, wanted)
    )


def _from_factor(case, small, big):
    above = ancestors(restricted(case, big), small) & big
    if above == small:
        return True
    if above == big:
        return False
    return _from_factor(case, small, next(s for s in districts(case, above) if small <= s))


def linear_effect_is_locally_identified(case, x, y, seed=0):
    """Return whether the covariance of a linear Gaussian model moves whenever the effect does.

        Sigma = (I - B)^-T Omega (I - B)^-1,   effect = ((I - B)^-1)[x, y]

    At a random point: the gradient of the effect lies in the span of the gradients of Sigma. What
    is identified in a class of models that holds the linear ones must pass at almost all points.
    """
    rng = np.random.default_rng(seed)
    names, directed, arcs = case[0], sorted(case[1]), sorted(case[2])
    at = {v: i for i, v in enumerate(names)}
    n = len(names)

    def observed(theta):
        b, omega = np.zeros((2, n, n), complex)
        for value, (p, q) in zip(theta, directed, strict=False):
            b[at[p], at[q]] = value
        for value, (p, q) in zip(theta[len(directed) :], arcs, strict=False):
            omega[at[p], at[q]] = omega[at[q], at[p]] = value
        omega[np.diag_indices(n)] = theta[-n:]
        inverse = np.linalg.inv(np.eye(n) - b)
        return [*(inverse.T @ omega @ inverse)[np.triu_indices(n)], inverse[at[x], at[y]]]

    sizes = (len(directed), len(arcs), n)
    signs = rng.choice([-1, 1], sizes[0] + sizes[1])
    theta = np.r_[signs * rng.uniform(0.3, 1.2, len(signs)), rng.uniform(4, 8, n)]
    steps = theta + 1e-30j * np.eye(len(theta))  # a complex step has no rounding
    gradients = np.array([observed(step) for step in steps]).imag / 1e-30
    sigma, effect = gradients[:, :-1], gradients[:, -1]
    left = effect - sigma @ np.linalg.lstsq(sigma, effect, rcond=1e-10)[0]
    return np.linalg.norm(left) < 1e-7 * max(1.0, np.linalg.norm(effect))


def without(case, removed):
    return case[0], case[1] - removed, case[2]


def instruments(case, x, y, among_ancestors=False):
    """Return the nodes that some set makes an instrument, by search over all sets."""
    on_path = {
        path[1][0] for path in paths(case, x, y) if is_causal(path)
    }  # first steps of causal paths
    cut = without(case, {(x, v) for v in on_path})
    after = descendants(case, {x, y})
    found = set()
    for z in set(case[0]) - after:
        pool = set(case[0]) - after - {z}
        if among_ancestors:
            pool &= ancestors(cut, {z, y})
        for given in subsets(pool):
            if connected(case, z, x, given) and not connected(cut, z, y, given):
                found.add(z)
                break
    return found


def backdoor_treks(case, x, y):
    """Return the paths into x that are open given nothing, as node lists."""
    return sorted(
        [node for node, _, _ in path]
        for path in paths(case, x, y)
        if path[1][1] and is_open(case, path, set())
    )


def random_feedback(seed, most=5, longest=3):
    """Draw edges with lags of which some close a cycle of two nodes or more, arcs and latents.

    Returns ``(nodes, edges, arcs, latent)``; edges are triples with their lag, and those within a
    period follow one order.
    """
    rng = random.Random(seed)
    while True:
        order = rng.sample("abcdefg", k=rng.randint(3, most))
        dense, sparse = rng.choice([0.25, 0.4, 0.55]), rng.choice([0.0, 0.1, 0.25])
        edges = {
            (order[i], order[j], rng.choice([0, 0, 1, 2, longest]) if i < j else rng.randint(1, 2))
            for i in range(len(order))
            for j in range(len(order))
            if rng.random() < (dense if i < j else dense / 2 if i > j else 0.15)
        }
        arcs = {tuple(sorted(p)) for p in combinations(order, 2) if rng.random() < sparse}
        latent = set(rng.sample(order, k=rng.choice([0, 0, 1])))
        series = (tuple(sorted(order)), {(a, b) for a, b, _ in edges if a != b}, arcs)
        if any(a in descendants(series, {b}) for a, b in series[1]):
            return series[0], edges, arcs, latent


def unrolled(case, history, window):
    """Return a case over periods, latents projected out: nodes are pairs (name, period).

    Periods run from ``1 - history`` to ``window``. Effects carry over, ``<->`` joins all periods,
    and what is in no edge, the noise of a node, lasts.
    """
    nodes, edges, arcs, latent = case
    times = range(1 - history, window + 1)
    directed = {((a, s), (b, t)) for a, b, k in edges for s in times for t in times if t - s >= k}
    directed = {(a, b) for a, b in directed if a != b}
    children = {(v, s): set() for v in nodes for s in times}
    for a, b in directed:
        children[a].add(b)

    def shown(node):
        """Return the observed nodes that a node reaches through latents, or itself."""
        if node[0] not in latent:
            return {node}
        found, waiting = set(), [node]
        seen = {node}
        while waiting:
            for other in children[waiting.pop()] - seen:
                seen.add(other)
                if other[0] in latent:
                    waiting.append(other)
                else:
                    found.add(other)
        return found

    reached = {node: shown(node) for node in children}
    seen = {node for node in children if node[0] not in latent}
    into = {(a, b) for a in seen for child in children[a] for b in reached[child] if a != b}
    pairs = {*arcs, *((v, v) for v in nodes)}
    joined = {
        (a, b) if a < b else (b, a)
        for v, w in pairs
        for s in times
        for t in times
        for a in reached[v, s]
        for b in reached[w, t]
        if a != b
    }
    return tuple(sorted(seen)), into, joined


def separated(case, xs, ys, given):
    """Return whether two sets are m-separated, by the augmented graph on their ancestors."""
    above = ancestors(case, xs | ys | given)
    small = restricted(case, above)
    near = {v: set() for v in above}
    for part in districts(small, above):
        clique = part | {a for a, b in small[1] if b in part}
        for v in clique:
            near[v] |= clique
    found, waiting = set(xs), list(xs)
    while waiting:
        new = near[waiting.pop()] - found - given
        found |= new
        waiting += new
    return not found & ys
