"""The samplers: a `pymc.Model` in, a DataTree of draws out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import nutpie
import pymc as pm
import xarray as xr

from bayescausal.errors import BayesCausalError
from bayescausal.inference.compile import compile_jax
from bayescausal.inference.settings import Settings


def draw_prior(
    model: pm.Model, names: Sequence[str], draws: int, seed: int
) -> dict[str, np.ndarray]:
    """Draws of parameters from their prior, by name; draws first."""
    wanted = [model[name] for name in names]
    values = pm.draw(wanted, draws=draws, random_seed=seed, mode="FAST_COMPILE")
    return dict(zip(names, map(np.asarray, values), strict=True))


def draw_posterior(
    model: pm.Model, settings: Settings, seed: int
) -> tuple[xr.DataTree, dict[str, Any]]:
    """Sample, and say how long compiling and sampling took.

    Ctrl-C ends sampling and keeps the draws so far (with nutpie and pymc).

    Returns
    -------
    tree : DataTree
        Groups ``posterior`` and ``sample_stats``.
    run : dict
        ``compile_seconds``, ``sample_seconds``, ``leapfrogs``, ``divergences``, ``interrupted``.
    """
    if settings.sampler == "nutpie":
        return _nutpie(model, settings, seed)
    if settings.sampler in ("numpyro", "blackjax") and find_spec(settings.sampler) is None:
        raise BayesCausalError(
            f"sampler='{settings.sampler}' needs that package: pip install 'bayescausal[samplers]'."
        )
    start = time.perf_counter()
    chosen = {} if settings.sampler == "pymc" else {"nuts_sampler": settings.sampler}
    with model:
        tree = pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=min(settings.chains, 2),
            target_accept=settings.target_accept,
            random_seed=seed,
            progressbar=settings.progress,
            compute_convergence_checks=False,
            **chosen,
        )
    return _finish(tree, settings, 0.0, time.perf_counter() - start, 0)


def _nutpie(model: pm.Model, settings: Settings, seed: int) -> tuple[xr.DataTree, dict[str, Any]]:
    start = time.perf_counter()
    made = compile_jax(model) if settings.engine == "jax" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = (
            made.sampler_model
            if made
            else nutpie.compile_pymc_model(model, backend="numba", freeze_model=True)
        )
        ready = time.perf_counter()
        tree = nutpie.sample(
            compiled,
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            seed=seed,
            adaptation=settings.adaptation,
            target_accept=settings.target_accept,
            progress_bar=settings.progress,
        )
    sampled = time.perf_counter() - ready
    warmup = tree["warmup_sample_stats"].to_dataset() if "warmup_sample_stats" in tree else None
    steps = float(warmup["n_steps"].sum()) if warmup is not None else 0.0
    if made:
        z = tree["posterior"]["z"].transpose("chain", "draw", "coordinate")
        values = made.restore(z.to_numpy())
        dims = {
            k: ("chain", "draw", *(f"{k}_{i}" for i in range(v.ndim - 2)))
            for k, v in values.items()
        }
        tree["posterior"] = xr.DataTree(xr.Dataset({k: (dims[k], v) for k, v in values.items()}))
    return _finish(tree, settings, ready - start, sampled, int(steps))


def _finish(
    tree: xr.DataTree, settings: Settings, compiling: float, sampling: float, warmup: int
) -> tuple[xr.DataTree, dict[str, Any]]:
    posterior = tree["posterior"].to_dataset()
    stats = tree["sample_stats"].to_dataset()
    posterior, stats = _complete(posterior, stats)
    kept = int(posterior.sizes["draw"])
    steps = next((stats[k] for k in ("n_steps", "tree_size") if k in stats), None)
    run = {
        "compile_seconds": compiling,
        "sample_seconds": sampling,
        "leapfrogs": warmup + (0 if steps is None else int(np.nansum(steps))),
        "divergences": int(np.nansum(stats["diverging"])) if "diverging" in stats else 0,
        "interrupted": kept < settings.draws or posterior.sizes["chain"] < settings.chains,
    }
    groups = {"posterior": posterior, "sample_stats": stats}
    return xr.DataTree.from_dict(groups), run


def _complete(posterior: xr.Dataset, stats: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Cut to the draws that every started chain has finished."""
    done = np.stack(
        [
            np.isfinite(v.transpose("chain", "draw", ...).to_numpy().reshape(*_sizes(v), -1)).all(
                -1
            )
            for v in posterior.data_vars.values()
        ]
    ).all(0)
    started = np.flatnonzero(done.any(axis=1))
    if len(started) == 0:
        raise KeyboardInterrupt("Sampling was stopped before the first draw after tuning.")
    length = int(np.where(done[started].all(1), done.shape[1], done[started].argmin(1)).min())
    cut = {"chain": started, "draw": slice(0, length)}
    stats = stats.isel({k: v for k, v in cut.items() if k in stats.dims})
    return posterior.isel(cut), stats


def _sizes(variable: xr.DataArray) -> tuple[int, int]:
    return variable.sizes["chain"], variable.sizes["draw"]
