"""Data and specs that are altered on purpose: what refuters fit again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from bayescausal._types import Node
from bayescausal.data.dataset import Dataset
from bayescausal.experiments.block_bootstrap import autocorrelation, draw_blocks
from bayescausal.graphs.edge import Edge
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.model.predict import generate, observed_shocks
from bayescausal.model.scm import Equations, bind
from bayescausal.specs.prior import Prior
from bayescausal.specs.response import Response
from bayescausal.specs.spec import Spec
from bayescausal.validation.compiled_refits import spec_without

_MOST_PERSISTENT = 0.95
_UNCHANGED = 0.1  # the largest share of periods that a permutation may leave where they were


# -- specs -----------------------------------------------------------------------------------------


def experiments_on(spec: Spec, treatment: Node) -> list[str]:
    """Name the experiments that intervene on a treatment."""
    return [str(t.name) for t in spec.experiments if treatment in t.estimand.treatments]


def without_tests_of(spec: Spec, treatment: Node) -> Spec:
    """Return a spec without the experiments that intervene on a treatment."""
    names = experiments_on(spec, treatment)
    return spec_without(spec, names) if names else spec


def without_leaning(spec: Spec, treatment: Node) -> Spec:
    """Return a spec whose priors of what a treatment does are centered on zero."""
    responses = {
        str(edge): _centered_response(response)
        for edge, response in spec.mechanisms.items()
        if edge.source == treatment and not is_centered(response.strength.prior)
    }
    return replace(spec, responses={**spec.responses, **responses}) if responses else spec


def _centered_response(response: Response) -> Response:
    strength = replace(response.strength, prior=centered(response.strength.prior))
    return Response(*response.transforms, strength=strength, spread=response.spread)


def is_centered(prior: Prior) -> bool:
    """Whether a prior has the same below zero as above.

    Examples
    --------
    >>> is_centered(Prior("Normal")), is_centered(Prior("HalfNormal"))
    (True, False)
    """
    levels = prior.quantile([0.01, 0.1, 0.5, 0.9, 0.99])
    return bool(np.allclose(levels, -levels[::-1], atol=1e-9))


def centered(prior: Prior) -> Prior:
    """Return a normal prior about zero that reaches as far as a prior does at its farther end.

    The central 95 percent of both end at the same distance from zero.

    Examples
    --------
    >>> centered(Prior("Normal", mu=1.0, sigma=0.5))
    Prior('Normal', mu=0, sigma=1.01021)
    """
    farthest = float(np.abs(prior.quantile([0.025, 0.975])).max())
    return Prior("Normal", mu=0.0, sigma=farthest / 1.959964)


def with_causes(spec: Spec, names: Collection[Node], effects: Collection[Node]) -> Spec:
    """Return a spec in which new recorded nodes cause these."""
    edges = tuple(Edge(name, effect, 0) for name in names for effect in effects)
    return replace(spec, graph=replace(spec.graph, edges=(*spec.graph.edges, *edges)))


def unused_names(fit: Fit, stem: str, number: int) -> list[str]:
    """Return names that no node and no column has."""
    taken = {*fit.spec.graph.nodes, *fit.data.columns}
    while any(f"{stem}_{k}" in taken for k in range(number)):
        stem += "_"
    return [f"{stem}_{k}" for k in range(number)]


# -- data ------------------------------------------------------------------------------------------


def with_columns(data: Dataset, columns: Mapping[str, np.ndarray]) -> Dataset:
    """Return data with other columns, or further ones, with dims as `Dataset.array` has them."""
    dims, shape = data.dims, tuple(data.table.sizes[d] for d in data.dims)
    table = data.table.assign(
        {name: (dims, np.broadcast_to(values, shape)) for name, values in columns.items()}
    )
    return replace(data, table=table)


def rearranged(data: Dataset, treatment: Node, order: np.ndarray) -> Dataset:
    """Return data in which a treatment, and its spend, have their periods in another order.

    All units alike; every other column stays.
    """
    names = {treatment, data.spend.get(treatment, treatment)}
    return with_columns(data, {name: data.array(name)[..., order] for name in names})


def permuted_blocks(periods: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """Return periods in blocks that stand in another order, where few stay in their place."""
    while True:
        circle = np.roll(np.arange(periods), int(rng.integers(length)))
        blocks = np.array_split(circle, periods // length)
        order = np.concatenate([blocks[k] for k in rng.permutation(len(blocks))])
        if np.mean(order == np.arange(periods)) <= _UNCHANGED:
            return order


def persistence(data: Dataset, names: Collection[Node]) -> float:
    """Return the median first autocorrelation of some columns, between 0 and 0.95."""
    values = [autocorrelation(data.array(name)[..., data.history :]) for name in names]
    return float(np.clip(np.median(values or [0.0]), 0.0, _MOST_PERSISTENT))


def persistent_noise(phi: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw stationary AR(1) series, time last; the largest value of each is one, by size."""
    series = rng.standard_normal(shape)
    for t in range(1, shape[-1]):
        series[..., t] = phi * series[..., t - 1] + np.sqrt(1 - phi**2) * series[..., t]
    return series / np.abs(series).max(axis=-1, keepdims=True)


# -- replicas --------------------------------------------------------------------------------------


def without_effect(equations: Equations, treatment: Node) -> Equations:
    """Return equations in which a treatment does nothing."""
    spec = equations.scm.spec
    off = {str(e) for e in edges_below(spec, [treatment]) if e.source == treatment}
    theta = {k: np.zeros_like(v) if k in off else v for k, v in equations.theta.items()}
    return bind(equations.scm, theta)


def kept_nodes(spec: Spec) -> frozenset[Node]:
    """Modelled nodes whose paths a replica keeps: treatments, and what their errors build on.

    Of a district these are also the nodes before the last treatment, by whose shocks it was drawn.
    """
    kept = {v for v in spec.modelled if v in spec.treatments}
    for district in spec.structure.districts:
        places = [k for k, v in enumerate(spec.modelled) if v in kept and v in district]
        if len(district) > 1 and places:
            kept |= {*district} & {*spec.modelled[: max(places)]}
    return frozenset(kept)


def replica(
    equations: Equations,
    rng: np.random.Generator,
    resampled: Mapping[Node, np.ndarray] | None = None,
) -> Dataset:
    """Return data in which outcomes and mediators are simulated at one draw of the parameters.

    Treatments keep their paths and their shocks, so that what they share with an outcome by an
    unobserved cause is shared in the replica too. ``resampled`` shocks take the place of new ones.
    """
    scm, data = equations.scm, equations.scm.data
    kept = kept_nodes(scm.spec)
    shocks = {v: s for v, s in _over_history(equations).items() if v in kept}
    shocks |= {v: s for v, s in (resampled or {}).items() if v not in kept}
    paths = generate(equations, rng, do={v: equations.x[v] for v in kept}, shocks=shocks)
    columns = {v: path[0] for v, path in paths.items() if v not in kept}
    for name, path in columns.items():
        if data.spend.get(name) == name:  # what is paid for is not negative
            columns[name] = np.maximum(path, 0.0)
    return with_columns(data, columns)


def _over_history(equations: Equations) -> dict[Node, np.ndarray]:
    """Return observed shocks over all periods: nothing is known of those of the history."""
    lead = [(0, 0)] * equations.scm.depth + [(equations.scm.data.history, 0)]
    return {v: np.pad(shock, lead) for v, shock in observed_shocks(equations).items()}


def resampled_shocks(
    equations: Equations, length: int, rng: np.random.Generator
) -> dict[Node, np.ndarray]:
    """Resample the shocks of all nodes and units together, in blocks of neighboring periods."""
    periods, total = len(equations.scm.data.training), len(equations.scm.data.time)
    blocks = -(-total // length)
    (order,) = draw_blocks(periods - length + 1, length, blocks, 1, rng)
    shocks = observed_shocks(equations)
    return {v: (s - s.mean(axis=-1, keepdims=True))[..., order[:total]] for v, s in shocks.items()}
