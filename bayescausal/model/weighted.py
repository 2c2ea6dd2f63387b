"""Augmented rows in the likelihood: what they are, and the weight they have.

An augmented row is one index a block, so nothing of the data is copied: contributions are computed
once along the observed path, adstock included, and gathered at the index of the row's source. A
treatment's index stands for its whole lag window. Rows that a node's equation cannot tell apart
are one row with their summed weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.distribution import support_point

from bayescausal._types import Array, Node, Theta
from bayescausal.augmentation.augment import Augmented, augment
from bayescausal.augmentation.blocks import UNIT, Block, Table
from bayescausal.augmentation.strategies import conditional_from_names
from bayescausal.errors import DataError
from bayescausal.graphs.edge import Edge
from bayescausal.model.errors import Mixing, law
from bayescausal.model.innovations import innovations
from bayescausal.model.scm import SCM, Equations, Mechanism
from bayescausal.specs.augmentation import Augmentation
from bayescausal.specs.prior import Prior

TIME = "time"
"""Block of a week's place in the calendar: its trend, season and holidays, always together."""

WEIGHT = "augmentation:weight"
"""Name of lambda in the model, a `pymc.Data`: at zero the likelihood is that of the data alone."""

ETA = "augmentation:eta"
"""Name of eta in the model, a `pymc.Data`."""


class Rows(NamedTuple):
    """Rows that the equations of one district tell apart.

    Parameters
    ----------
    nodes : tuple of str
        The district, causes first.
    indices : dict of block to array of int
        Position in the flattened training data, by block.
    synthetic : dict of node to array
        Values that were not observed, on the scale of the link.
    weights : array
        Of the log likelihood: ``n w_i`` for augmented rows, in units of lambda eta; then -1 for the
        observed ones, in units of lambda, as the model already counts them in full.
    """

    nodes: tuple[Node, ...]
    indices: dict[str, np.ndarray]
    synthetic: dict[Node, np.ndarray]
    weights: np.ndarray


def augmented_rows(scm: SCM, shapes: Mapping[str, float] | None = None) -> Augmented:
    """Draw the augmented rows of a spec that asks for them.

    Parameters
    ----------
    scm : SCM
    shapes : mapping of str to float, optional
        Parameters of adstocks and saturations at which a treatment is compared and regressed on;
        by default the centers of their priors. The rows point at windows of exposure, so the
        likelihood is exact at every shape.

    Raises
    ------
    DataError
        No row is left, as the published threshold has it for most marketing graphs.
    """
    settings = scm.spec.augmentation or Augmentation()
    table = blocks_of(scm, centers(scm) | dict(shapes or {}))
    rows = augment(
        table,
        table.graph,
        settings.method,
        conditional=conditional_from_names(settings.conditional),
        seed=settings.seed,
    )
    if not len(rows) or rows.mass <= 0:
        raise DataError(
            " ".join(["Augmentation left no row.", *rows.notes, "Use method=Ancestral()."])
        )
    return rows


def centers(scm: SCM) -> dict[str, float]:
    """Return the centers of the priors of all adstocks and saturations, by parameter."""
    return {
        f"{edge}:{name}": _center(prior)
        for edge, response in scm.spec.mechanisms.items()
        for name, prior in response.priors.items()
    }


@cache
def _center(prior: Prior) -> float:
    variable = getattr(pm, prior.distribution).dist(**dict(prior.parameters))
    return float(support_point(variable).eval())


def blocks_of(scm: SCM, shapes: Mapping[str, float]) -> Table:
    """Read the nodes of the equations as blocks, on the scale on which they act.

    A node that acts with memory, or is not modelled, is the set of its curves, moved as one. A
    modelled node that acts at once is one number, on the scale of its link.
    """
    spec, data, start = scm.spec, scm.data, scm.data.history
    nodes = {*spec.inputs, *spec.modelled}
    graph = spec.structure.project([v for v in spec.structure.nodes if v not in nodes])
    theta: Theta = {name: np.array(value) for name, value in shapes.items()}
    theta |= {f"{name}:unit": np.zeros(len(data.units)) for name in scm.unit_specific}
    blocks = {}
    for node in graph.nodes:
        columns = {}
        is_window = node in spec.inputs or not instant(scm, node)
        if node in spec.modelled:
            columns[node] = scm.link(node, scm.factual[node])
        if is_window:
            for edge in (e for e in spec.mechanisms if e.source == node):
                columns[str(edge)] = scm.curve(edge, theta, scm.factual[node])
        values = [x[..., start:].ravel() for x in columns.values()]
        distinct = np.unique(np.round(values, 12), axis=0, return_index=True)[1]
        columns_kept = sorted(distinct)
        names = tuple(np.array([*columns])[columns_kept])
        matrix = np.stack([values[k] for k in columns_kept], axis=1)
        blocks[node] = Block(node, names, matrix, indivisible=is_window)
    edges = [Edge(e.source, e.target) for e in graph.edges]
    periods, units = len(data.training), max(1, len(data.units))
    terms = {d.tobytes(): d for v in spec.modelled for d in scm.design[v].values()}
    if terms:
        calendar = np.concatenate([d[:, start:] for d in terms.values()]).T
        labels = tuple(f"{TIME}[{k}]" for k in range(calendar.shape[1]))
        blocks[TIME] = Block(TIME, labels, np.tile(calendar, (units, 1)))
        edges += [Edge(TIME, v) for v in spec.modelled if scm.design[v]]
    if data.is_panel:
        codes = np.repeat(np.arange(units), periods)[:, None].astype(float)
        blocks[UNIT] = Block(UNIT, (UNIT,), codes, tuple(data.units))
        edges += [Edge(UNIT, v) for v in graph.nodes]
    graph = replace(graph, edges=tuple(set(edges)), isolated=graph.nodes)
    return Table(blocks, graph, pd.RangeIndex(units * periods))


def instant(scm: SCM, node: Node) -> bool:
    """Whether a node acts in the period of its value only, on all that it acts on."""
    ways = [(e, r) for e, r in scm.spec.mechanisms.items() if e.source == node]
    return all(e.lag == 0 and r.reach == 0 for e, r in ways)


def district_rows(scm: SCM, augmented: Augmented, nodes: tuple[Node, ...]) -> Rows:
    """Return the distinct augmented rows of a district, the observed ones after them."""
    spec = scm.spec
    count = len(augmented.plan.table)
    involved = {*nodes} | {e.source for v in nodes for e in spec.structure.incoming(v)}
    involved |= {UNIT} & {*augmented.order}
    involved |= {TIME} if any(scm.design[v] for v in nodes) else set()
    relevant, open_ = set(involved), [v for v in involved if v in augmented.plan.synthetic_nodes]
    while open_:  # a synthetic value depends on where its causes came from
        parents = {*augmented.plan.factorization.pillows[open_.pop()]} - relevant
        relevant |= parents
        open_ += [v for v in parents if v in augmented.plan.synthetic_nodes]
    order = [k for k, v in enumerate(augmented.order) if v in relevant]
    _, first, groups = np.unique(
        augmented.indices[:, order], axis=0, return_index=True, return_inverse=True
    )
    share = np.bincount(groups.ravel(), augmented.weights) / augmented.mass
    size = min(count, augmented.effective_rows)
    weights = np.concatenate([size * share, -np.ones(count)])
    observed = np.arange(count)
    indices = {
        v: np.concatenate([augmented.indices[first, k], observed])
        for k, v in enumerate(augmented.order)
        if v in relevant
    }
    values = {}
    for node in involved & augmented.plan.synthetic_nodes:
        observations = augmented.plan.table.blocks[node].values[:, 0]
        values[node] = np.concatenate([augmented.values[node][first, 0], observations])
    return Rows(nodes, indices, values, weights)


def row_density(
    equations: Equations, mix: Mixing, rows: Rows
) -> dict[Node, tuple[Array, Array, Array]]:
    """Return location, spread and value of every node of a district in given rows.

    All on the scale of the link; shape ``(..., row)``.
    """
    scm, theta, xp = equations.scm, equations.theta, equations.xp
    periods = len(scm.data.training)
    shocks: Theta = {}
    densities = {}
    for node in rows.nodes:
        index = rows.indices[node]
        place, units = rows.indices.get(TIME, index) % periods, None
        if scm.data.is_panel:
            units = rows.indices[UNIT] // periods
            place = place + units * periods
        mu = _flat(scm, scm.baseline(node, theta, xp), xp)[..., place]
        for edge in scm.spec.structure.incoming(node):
            value, way = rows.synthetic.get(edge.source), equations.edges[edge]
            if value is None:
                path = _flat(scm, way.response(way.factual), xp)
                mu = mu + path[..., rows.indices[edge.source]]
            else:
                mu = mu + _response_at(equations, edge, value, units)
        if node in rows.synthetic:
            eta = rows.synthetic[node]
        else:
            eta = _flat(scm, scm.link(node, scm.factual[node]), np)[index]
        # the dims that parameters widen to
        widened = (..., *([None] * (scm.depth - 1)), slice(None))
        conditional = law(scm, theta, mix, shocks, node, mu[widened], eta[widened], xp, units)
        shocks[node] = conditional.shock
        joined = (..., *([0] * (scm.depth - 1)), slice(None))
        densities[node] = (conditional.location[joined], conditional.spread[joined], eta)
    return densities


def _response_at(
    equations: Equations, edge: Edge, value: np.ndarray, units: np.ndarray | None
) -> Array:
    """Contribution of an edge at values of its source that were not observed, each of some unit."""
    scm, theta, xp = equations.scm, equations.theta, equations.xp
    scaled = np.exp(value) if scm.spec.link(edge.source) == "log" else value
    f = scm.common_curve(edge, theta, scaled, xp)
    if str(edge) in scm.unit_specific:
        f = f * scm.factor(str(edge), theta, xp)[..., units, 0]
    mechanism, row = equations.edges[edge], (..., *([0] * (scm.depth - 1)), slice(None))
    return Mechanism(mechanism.beta[row], mechanism.center[row], f).response(f)


def _flat(scm: SCM, x: Array, xp: Any) -> Array:
    """The training periods of all units in one dim, the last; draws stay in front."""
    x = x[..., scm.data.history :]
    front = [x.shape[k] for k in range(x.ndim - scm.depth)]
    return xp.reshape(x, (*front, -1))


def add_augmented(
    equations: Equations, mix: Mixing, shapes: Mapping[str, float] | None = None
) -> None:
    """Add the weighted rows to the model in whose context this is called.

        lambda ( n eta sum_i w_i l(z_i) - sum_t l(x_t) ),    one potential a district

    With the likelihood of the data, which is in the model anyway, the observed rows so have the
    weight ``1 - lambda``.
    """
    scm, theta = equations.scm, equations.theta
    settings = scm.spec.augmentation or Augmentation()
    weight, worth = pm.Data(WEIGHT, settings.weight), pm.Data(ETA, settings.eta)
    augmented = augmented_rows(scm, shapes)
    count = augmented.plan.rows
    for district in scm.spec.structure.districts:
        nodes = tuple(v for v in scm.spec.modelled if v in district)
        if not nodes:
            continue
        rows = district_rows(scm, augmented, nodes)
        total = 0.0
        for node, (location, spread, eta) in row_density(equations, mix, rows).items():
            noise = innovations(theta, node, scm.depth).distribution(location, spread)
            values = pt.broadcast_to(pt.as_tensor(eta), location.shape)
            terms = rows.weights * pm.logp(noise, values)
            total = total + worth * terms[:-count].sum() + terms[-count:].sum()
        pm.Potential("augmented:" + "+".join(nodes), weight * total)
