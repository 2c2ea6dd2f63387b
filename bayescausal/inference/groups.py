"""The groups of a fit's tree, named as ArviZ names them: draws, statistics, data, replicas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from bayescausal._types import Array
from bayescausal.model.predict import pointwise, replicate
from bayescausal.model.scm import SCM, Equations, bind

DERIVED = ("constant_data", "log_likelihood")
"""Groups that follow from the others and the data: they are not saved but made again."""

_REPLICATES = 1000
_CELLS = 8_000_000  # 64 MB of replicas; up to there every draw has one, as LOO-PIT needs
_ARVIZ_NAMES = {
    "logp": "lp",
    "depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "mean_tree_accept": "acceptance_rate",
}

type Evaluate = Callable[[Callable[[Equations], Array]], np.ndarray]


def joined(variable: xr.DataArray) -> np.ndarray:
    """Draws of all chains on one leading dim."""
    values = variable.transpose("chain", "draw", ...).to_numpy()
    return values.reshape(-1, *values.shape[2:])


def posterior(scm: SCM, tree: xr.DataTree) -> xr.Dataset:
    """Draws of the parameters of the equations from the tree of a sampler."""
    draws = tree["posterior"].to_dataset()
    names = [p.name for p in scm.parameters]
    return grouped(
        scm, {name: draws[name].transpose("chain", "draw", ...).to_numpy() for name in names}
    )


def grouped(scm: SCM, draws: dict[str, np.ndarray]) -> xr.Dataset:
    """Name the dims of parameters, chains and draws first."""
    dims = {p.name: ("chain", "draw", *([p.dim] if p.dim else [])) for p in scm.parameters}
    coords = {k: v for k, v in scm.coords.items() if k != "time"}
    variables = {name: (dims[name], values) for name, values in draws.items()}
    return numbered(xr.Dataset(variables, coords=coords))


def numbered(group: xr.Dataset) -> xr.Dataset:
    """Number the chains, and the draws where they are not: ArviZ aligns groups by coordinates."""
    dims = [d for d in ("chain", "draw") if d in group.dims and (d == "chain" or d not in group)]
    return group.assign_coords({dim: np.arange(group.sizes[dim]) for dim in dims})


def statistics(stats: xr.Dataset) -> xr.Dataset:
    """Name the statistics of a sampler as ArviZ does, whichever sampler they come from."""
    names = {key: name for key, name in _ARVIZ_NAMES.items() if key in stats and name not in stats}
    return numbered(stats.rename(names))


def observed(scm: SCM) -> xr.Dataset:
    """Training paths of the modelled nodes."""
    data = scm.data
    coords = {"time": data.training} | ({"unit": list(data.units)} if data.is_panel else {})
    start = data.history
    return xr.Dataset(
        {v: (data.dims, data.array(v)[..., start:]) for v in scm.spec.modelled}, coords=coords
    )


def replicas(scm: SCM, parameter_draws: xr.Dataset, seed: int) -> xr.Dataset:
    """Predictive draws of each node given its observed parents; thinned where they are large."""
    chains, draws = parameter_draws.sizes["chain"], parameter_draws.sizes["draw"]
    cells = sum(path.size for path in observed(scm).data_vars.values())
    per_chain = min(draws, max(1, _REPLICATES // chains, _CELLS // (cells * chains)))
    thinned = np.linspace(0, draws - 1, per_chain).round().astype(int)
    thin = parameter_draws.isel(draw=thinned)
    theta = {p.name: joined(thin[p.name]) for p in scm.parameters}
    paths = replicate(bind(scm, theta), np.random.default_rng(seed))
    dims = ("chain", "draw", *scm.data.dims)
    return xr.Dataset(
        {v: (dims, y.reshape(chains, per_chain, *y.shape[1:])) for v, y in paths.items()},
        coords={**observed(scm).coords, "chain": np.arange(chains), "draw": thinned},
    )


def add_derived(scm: SCM, tree: xr.DataTree, evaluate: Evaluate) -> None:
    """Add what ArviZ looks for and no file needs to hold; nothing is computed yet.

    A fit with augmented rows gets no log likelihood: a week is also in the rows that were made of
    it, so that `arviz.loo` would leave out a part of it. `leave_one_out` knows these rows.
    """
    tree["constant_data"] = xr.DataTree(inputs(scm))
    if not (scm.spec.augmentation and scm.spec.augmentation.weight):
        tree["log_likelihood"] = xr.DataTree(
            log_likelihood(scm, tree["posterior"].to_dataset(), evaluate)
        )


def inputs(scm: SCM) -> xr.Dataset:
    """Paths of the nodes without an equation, history included, as in the model of `build`."""
    data = scm.data
    time = "time:history" if data.history else "time"
    dims = tuple(time if dim == "time" else dim for dim in data.dims)
    coords = {time: data.time} | ({"unit": list(data.units)} if data.is_panel else {})
    return xr.Dataset({v: (dims, data.array(v)) for v in scm.spec.inputs}, coords=coords)


def log_likelihood(scm: SCM, draws: xr.Dataset, evaluate: Evaluate) -> xr.Dataset:
    """Log density of every observed value in every draw, computed when it is first read."""
    paths = observed(scm)
    density = _Density(scm, evaluate)
    dims = ("chain", "draw", *scm.data.dims)
    variables = {
        v: (dims, indexing.LazilyIndexedArray(_NodeDensity(density, k, (*_shape(draws), *y.shape))))
        for k, (v, y) in enumerate(paths.data_vars.items())
    }
    return numbered(xr.Dataset(variables, coords=paths.coords))


def _shape(draws: xr.Dataset) -> tuple[int, int]:
    return draws.sizes["chain"], draws.sizes["draw"]


class _Density:
    """Pointwise log densities of all nodes, made once: they come out of one pass."""

    def __init__(self, scm: SCM, evaluate: Evaluate) -> None:
        self.scm, self.evaluate = scm, evaluate
        self.values: np.ndarray | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> _Density:
        """A deep copy of a tree, as `arviz.compare` makes, shares what is only ever read."""
        return self

    def node(self, position: int) -> np.ndarray:
        if self.values is None:
            self.values = self.evaluate(self._stacked)
        return self.values[:, :, position]

    def _stacked(self, equations: Equations) -> Array:
        densities = pointwise(equations)
        return np.stack([densities[v] for v in self.scm.spec.modelled], axis=1)


class _NodeDensity(BackendArray):
    """The densities of one node as an array that xarray reads like one in a file."""

    def __init__(self, density: _Density, position: int, shape: tuple[int, ...]) -> None:
        self.density, self.position = density, position
        self.shape, self.dtype = shape, np.dtype(float)

    def __getitem__(self, key: Any) -> Any:
        outer = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, outer, self._values_at)

    def _values_at(self, key: tuple[Any, ...]) -> np.ndarray:
        values = self.density.node(self.position)
        for axis in reversed(range(len(key))):  # from behind: an integer takes its axis away
            values = values[(slice(None),) * axis + (key[axis],)]
        return values
