"""The samplers: a `pymc.Model` in, a DataTree of draws out."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from types import FrameType
from typing import Any, TextIO

import numpy as np
import pymc as pm
import xarray as xr

from bayescausal._process import collector_paused
from bayescausal.errors import BayesCausalError
from bayescausal.inference import laplace, nuts
from bayescausal.inference.compile import Density, compile_jax, require_jax
from bayescausal.inference.settings import OPTIONAL, Settings

LOG = logging.getLogger("bayescausal")
"""What takes its time is announced here; ``setLevel`` and handlers are the user's to choose."""


class _StandardError(logging.StreamHandler):
    """Write to the standard error of the moment, also where it is redirected later."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        """The base class sets the stream of the start, which is not kept."""


if not logging.root.handlers and not LOG.handlers:  # as PyMC does: no set-up of a user is changed
    LOG.addHandler(_StandardError())
    if LOG.level == logging.NOTSET:
        LOG.setLevel(logging.INFO)


type Sampler = Callable[[Settings, int, xr.DataTree | None], tuple[xr.DataTree, dict[str, Any]]]
"""``(settings, seed, earlier) -> tree, run``: one run, that may learn from the draws of another.

``tree`` has the groups ``posterior`` and ``sample_stats``; ``run`` has ``compile_seconds``,
``sample_seconds``, ``leapfrogs``, ``divergences`` and ``interrupted``; of a draft also ``method``
and what its weights say: ``pareto_k``, ``weighted_ess``, and ``weighed``, the number of draws.
Ctrl-C ends sampling and keeps the draws so far (with blackjax and pymc).
"""


def prepare(model: pm.Model, settings: Settings) -> Sampler:
    """Compile a model, once for all runs that may be needed."""
    start = time.perf_counter()
    if settings.sampler == "blackjax":
        return whitened(compile_jax(model), writing=time.perf_counter() - start)
    if settings.sampler in OPTIONAL and find_spec(settings.sampler) is None:
        raise BayesCausalError(
            f"sampler='{settings.sampler}' needs that package: pip install 'bayescausal[samplers]'."
        )
    if settings.sampler == "numpyro":
        require_jax()
    return _through_pymc(model)


def whitened(
    density: Density, data: Mapping[str, np.ndarray] | None = None, *, writing: float = 0.0
) -> Sampler:
    """Sample a compiled density, at other values of the data that it keeps.

    The first run moves in the coordinates of the curvature at the mode, a later one in those of the
    draws before it, which also hold where the posterior is not like its mode. A draft has its
    draws about the mode, and learns from no other run.
    """

    def sample(
        settings: Settings, seed: int, earlier: xr.DataTree | None = None
    ) -> tuple[xr.DataTree, dict[str, Any]]:
        if settings.is_draft:
            return _drafted(density, data, settings, seed, writing)
        start = time.perf_counter()
        vectors = None if earlier is None else density.vectors(earlier["posterior"].to_dataset())
        # XLA compiles the sampler while the mode is sought, and what is needed after sampling.
        with collector_paused(), ThreadPoolExecutor(1) as pool:
            advance = pool.submit(density.advance)
            coordinates = density.coordinates(data, draws=vectors)
            density.restoring(data)
            program = advance.result()
        ready = time.perf_counter() - start + (writing if earlier is None else 0.0)
        begin = time.perf_counter()
        run = nuts.sample(
            program, density.at_data(data), density.numbers(data), coordinates, settings, seed
        )
        seconds = time.perf_counter() - begin
        tree = _tree(density.restore(run.draws, data), run.stats)
        return _finish(tree, seconds, run.warmup_steps, settings=settings, compiling=ready)

    return sample


def _drafted(
    density: Density,
    data: Mapping[str, np.ndarray] | None,
    settings: Settings,
    seed: int,
    writing: float,
) -> tuple[xr.DataTree, dict[str, Any]]:
    start = time.perf_counter()
    with ThreadPoolExecutor(1) as pool:  # XLA compiles the density while the mode is sought
        compiled = pool.submit(density.values, density.start[None], data)
        coordinates = density.coordinates(data)
        compiled.result()
    begin = time.perf_counter()
    draft = laplace.draft(partial(density.values, data=data), coordinates, settings, seed)
    seconds = time.perf_counter() - begin
    tree = _tree(density.restore(draft.draws, data), {"lp": draft.lp})
    tree, run = _finish(tree, seconds, 0, settings=settings, compiling=begin - start + writing)
    values, k, ess = draft.weights
    said = {"method": settings.method, "pareto_k": k, "weighted_ess": ess, "weighed": values.size}
    return tree, run | said


def _tree(values: Mapping[str, np.ndarray], stats: Mapping[str, np.ndarray]) -> xr.DataTree:
    """Name the dims of draws of all variables ``(chain, draw, ...)``, and of their statistics."""
    dims = {
        k: ("chain", "draw", *(f"{k}_{i}" for i in range(v.ndim - 2))) for k, v in values.items()
    }
    groups = {
        "posterior": xr.Dataset({k: (dims[k], v) for k, v in values.items()}),
        "sample_stats": xr.Dataset({k: (("chain", "draw"), v) for k, v in stats.items()}),
    }
    return xr.DataTree.from_dict(groups)


def _through_pymc(model: pm.Model) -> Sampler:
    def sample(
        settings: Settings, seed: int, earlier: xr.DataTree | None = None
    ) -> tuple[xr.DataTree, dict[str, Any]]:
        start = time.perf_counter()
        if settings.sampler == "pymc":
            tree = _pymc(model, settings, seed)
        else:
            tree = _by_pymc(model, settings, seed, cores=min(settings.chains, 2))
        return _finish(tree, time.perf_counter() - start, 0, settings=settings, compiling=0.0)

    return sample


def _by_pymc(model: pm.Model, settings: Settings, seed: int, **arguments: Any) -> xr.DataTree:
    """Sample through PyMC; the sampler is named, as PyMC by itself takes nutpie where it can."""
    with model:
        return pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            target_accept=settings.target_accept,
            random_seed=seed,
            progressbar=settings.progress,
            compute_convergence_checks=False,
            nuts_sampler=settings.sampler,
            **arguments,
        )


def _pymc(model: pm.Model, settings: Settings, seed: int) -> xr.DataTree:
    """Run PyMC's NUTS. Ctrl-C is raised between two draws, where PyMC keeps those it has.

    Raised wherever the signal arrives, it would be lost in a callback from compiled code, or leave
    a draw half recorded. Before the first draw, and at a second Ctrl-C, it is raised at once.
    Chains run one after another: processes of their own would get the signal too and die of it,
    and could not be forked once JAX has run.
    """
    pressed: list[int] = []
    drawing = False

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        if not drawing or len(pressed) > 1:
            raise KeyboardInterrupt

    def between_draws(**state: Any) -> None:
        nonlocal drawing
        drawing = True
        if pressed:
            raise KeyboardInterrupt

    main, previous_handler = threading.main_thread(), signal.getsignal(signal.SIGINT)
    listens = threading.current_thread() is main and previous_handler not in (None, signal.SIG_IGN)
    if listens:
        signal.signal(signal.SIGINT, note)
    try:
        return _by_pymc(model, settings, seed, cores=1, callback=between_draws)
    except ValueError as error:
        if pressed and "Not enough samples" in str(error):
            raise KeyboardInterrupt(nuts.TOO_EARLY) from None
        raise
    finally:
        if listens:
            signal.signal(signal.SIGINT, previous_handler)


def _finish(
    tree: xr.DataTree, sampling: float, warmup: int, *, settings: Settings, compiling: float
) -> tuple[xr.DataTree, dict[str, Any]]:
    posterior = tree["posterior"].to_dataset()
    stats = tree["sample_stats"].to_dataset()
    posterior, stats = _complete(posterior, stats)
    length = int(posterior.sizes["draw"])
    steps = next((stats[k] for k in ("n_steps", "tree_size") if k in stats), None)
    run = {
        "compile_seconds": compiling,
        "sample_seconds": sampling,
        "leapfrogs": warmup + (0 if steps is None else int(np.nansum(steps))),
        "divergences": int(np.nansum(stats["diverging"])) if "diverging" in stats else 0,
        "interrupted": length < settings.draws or posterior.sizes["chain"] < settings.chains,
    }
    groups = {"posterior": posterior, "sample_stats": stats}
    return xr.DataTree.from_dict(groups), run


def _complete(posterior: xr.Dataset, stats: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Cut to the draws that every started chain has finished."""
    is_complete = np.stack(
        [
            np.isfinite(v.transpose("chain", "draw", ...).to_numpy().reshape(*_sizes(v), -1)).all(
                -1
            )
            for v in posterior.data_vars.values()
        ]
    ).all(0)
    started = np.flatnonzero(is_complete.any(axis=1))
    if len(started) == 0:
        raise KeyboardInterrupt(nuts.TOO_EARLY)
    length = int(
        np.where(
            is_complete[started].all(1), is_complete.shape[1], is_complete[started].argmin(1)
        ).min()
    )
    cut = {"chain": started, "draw": slice(0, length)}
    stats = stats.isel({k: v for k, v in cut.items() if k in stats.dims})
    return posterior.isel(cut), stats


def _sizes(variable: xr.DataArray) -> tuple[int, int]:
    return variable.sizes["chain"], variable.sizes["draw"]
