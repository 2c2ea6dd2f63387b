"""Channels that are exact copies: their parameters are exchanged at random after sampling.

Where two channels have the same data, the same spend and the same responses, the posterior does not
change when all parameters of the one are exchanged with those of the other. It then has two halves
that mirror each other (either channel may be the steeper one), and chains seldom cross from half to
half. A random exchange in every draw visits both as often as the posterior does. It is exact, adds
nothing to what is known of the sum, and leaves other models as they are. As it also mixes draws of
chains that have not met, convergence is judged by the sum as well (`sums_of_copies`).

Source: Frühwirth-Schnatter (2001), Markov Chain Monte Carlo Estimation of Classical and Dynamic
Switching and Mixture Models, JASA 96, section 3.2, the permutation sampler.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayescausal.experiments.estimand import Estimand
from bayescausal.inference.sample import Sampler
from bayescausal.inference.settings import Settings
from bayescausal.model.scm import SCM
from bayescausal.specs.response import Response

type Names = list[tuple[str, ...]]
"""Names of parameters that stand for the same thing in each of several copies."""


def exact_copies(scm: SCM) -> list[tuple[str, ...]]:
    """Return the groups of channels that nothing in the density tells apart.

    Inputs with equal columns and equal spend that act on the same nodes, at the same lags, through
    equal responses, and of which no lift test measures one.
    """
    spec, data = scm.spec, scm.data
    if spec.augmentation is not None:
        return []
    tested = {node for test in spec.experiments for node in test.estimand.treatments}

    def alike(a: str, b: str) -> bool:
        columns = [(a, b)]
        if a in data.spend and b in data.spend:
            columns.append((data.spend[a], data.spend[b]))
        return (
            (a in data.spend) == (b in data.spend)
            and _responses(scm, a) == _responses(scm, b)
            and all(np.array_equal(data.array(i), data.array(j)) for i, j in columns)
        )

    groups: list[list[str]] = []
    for node in (v for v in spec.inputs if v not in tested):
        home = next((group for group in groups if alike(group[0], node)), None)
        home.append(node) if home else groups.append([node])
    return [tuple(group) for group in groups if len(group) > 1]


def _responses(scm: SCM, node: str) -> dict[tuple[str, int], Response]:
    """Return how a node acts, by target and lag; edges into what is conditioned on do not act."""
    return {(e.target, e.lag): r for e, r in scm.spec.mechanisms.items() if e.source == node}


def sums_of_copies(
    scm: SCM, estimands: Mapping[str, Estimand], effects: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the summed effects of exact copies on each outcome, which no exchange changes."""
    sums = {}
    for group in exact_copies(scm):
        for outcome in {estimand.outcome for estimand in estimands.values()}:
            names = [
                name
                for name, estimand in estimands.items()
                if estimand.outcome == outcome and {*estimand.treatments} <= {*group}
            ]
            if names:
                sums[" + ".join(names)] = np.sum([effects[name] for name in names], axis=0)
    return sums


def permuting(sampler: Sampler, scm: SCM) -> Sampler:
    """Exchange the parameters of exact copies in whatever a sampler draws."""
    groups = exact_copies(scm)
    if not groups:
        return sampler

    def sample(
        settings: Settings, seed: int, earlier: xr.DataTree | None = None
    ) -> tuple[xr.DataTree, dict[str, Any]]:
        tree, run = sampler(settings, seed, earlier)
        posterior = tree["posterior"].to_dataset()
        rng = np.random.default_rng([seed, len(groups)])
        for group in groups:
            posterior = permuted(posterior, _names(scm, group, posterior), rng)
        tree["posterior"] = xr.DataTree(posterior)
        return tree, run

    return sample


def _names(scm: SCM, group: tuple[str, ...], posterior: xr.Dataset) -> Names:
    """Line up the names of the variables of each copy: those of its edges."""
    edges = [
        sorted(str(edge) for edge in scm.spec.mechanisms if edge.source == node) for node in group
    ]
    names = []
    for same in zip(*edges, strict=True):
        parts = [n.removeprefix(same[0]) for n in map(str, posterior) if n.split(":")[0] == same[0]]
        names += [tuple(edge + part for edge in same) for part in parts]
    return names


def permuted(posterior: xr.Dataset, names: Names, rng: np.random.Generator) -> xr.Dataset:
    """Permute copies at random, all parameters of a copy together.

    Parameters
    ----------
    posterior : Dataset
        Dims ``(chain, draw, ...)``.
    names : list of tuple of str
        For each parameter its name in every copy.
    rng : Generator
    """
    copies, lengths = len(names[0]), (posterior.sizes["chain"], posterior.sizes["draw"])
    order = rng.permuted(np.broadcast_to(np.arange(copies), (*lengths, copies)), axis=-1)
    new: dict[str, Any] = {}
    for same in names:
        draws = [posterior[name].transpose("chain", "draw", ...) for name in same]
        stacked = np.stack(draws, axis=2)
        index = order.reshape(*order.shape, *(1,) * (stacked.ndim - 3))
        chosen = np.take_along_axis(stacked, index, axis=2)
        new |= {name: (draws[0].dims, chosen[:, :, k]) for k, name in enumerate(same)}
    return posterior.assign(new)
