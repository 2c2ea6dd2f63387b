"""The groups of a fit's tree: parameters with named dims, observed paths, replicas of them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayescausal.model.predict import replicate
from bayescausal.model.scm import SCM, bind

_REPLICATES = 1000


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
    return xr.Dataset(variables, coords=coords)


def observed(scm: SCM) -> xr.Dataset:
    """Training paths of the modelled nodes."""
    data = scm.data
    coords = {"time": data.training} | ({"unit": list(data.units)} if data.is_panel else {})
    start = data.history
    return xr.Dataset(
        {v: (data.dims, data.array(v)[..., start:]) for v in scm.spec.modelled}, coords=coords
    )


def replicas(scm: SCM, drawn: xr.Dataset, seed: int) -> xr.Dataset:
    """Predictive draws of each node given its observed parents, thinned."""
    chains, draws = drawn.sizes["chain"], drawn.sizes["draw"]
    per_chain = min(draws, max(1, _REPLICATES // chains))
    thinned = np.linspace(0, draws - 1, per_chain).round().astype(int)
    thin = drawn.isel(draw=thinned)
    theta = {p.name: joined(thin[p.name]) for p in scm.parameters}
    paths = replicate(bind(scm, theta), np.random.default_rng(seed))
    dims = ("chain", "draw", *scm.data.dims)
    return xr.Dataset(
        {v: (dims, y.reshape(chains, per_chain, *y.shape[1:])) for v, y in paths.items()},
        coords={**observed(scm).coords, "draw": thinned},
    )
