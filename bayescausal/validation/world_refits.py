"""Refits of one compiled model in altered worlds, here or in other processes.

Data are arguments of what is compiled, scales and priors are those of the model, and of each refit
only the effect comes back.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from bayescausal.data.dataset import Dataset
from bayescausal.experiments.estimand import Estimand
from bayescausal.inference import groups
from bayescausal.inference.compile import Density, compile_jax
from bayescausal.inference.convergence import Convergence, assess
from bayescausal.inference.fit import Fit, total_effect
from bayescausal.inference.rounds import sample_in_rounds
from bayescausal.inference.sample import LOG, whitened
from bayescausal.inference.settings import Settings
from bayescausal.model.build import build
from bayescausal.model.scm import SCM, compile_scm
from bayescausal.specs.serialization import fingerprint
from bayescausal.specs.spec import Spec

type Row = dict[str, Any]


@dataclass(frozen=True)
class CompiledOnce:
    """A spec with the data that set its scales; equal ones are compiled once a process."""

    key: str
    spec: Spec = field(compare=False)
    data: Dataset = field(compare=False)

    @classmethod
    def of(cls, spec: Spec, data: Dataset) -> CompiledOnce:
        """Name the model by what it is made of."""
        return cls(fingerprint([spec.to_dict(), data.hash]), spec, data)


class Job(NamedTuple):
    """Data, and measurements of the tests, that are given to a model; and what is asked of it."""

    model: CompiledOnce
    data: Dataset
    lifts: Mapping[str, np.ndarray]
    estimand: Estimand
    prob: float
    settings: Settings
    seed: int


@dataclass(frozen=True, eq=False)
class AlteredFit(Fit):
    """A fit to altered data, in equations with the scales of ``model_scm``."""

    model_scm: SCM

    @cached_property
    def scm(self) -> SCM:
        """The equations of the model at these data."""
        return replace(self.model_scm, data=self.data)


def run[K](jobs: Mapping[K, Job], executor: Executor | None, progress: bool) -> dict[K, Row]:
    """Run jobs one after another, or by an executor; one that fails does not stop the others."""
    rows: dict[K, Row] = {}
    for key, result in each_done(refitted, jobs, executor):
        rows[key] = row = _row(result)
        if progress:
            state = row["problem"] or f"{row['seconds']:.1f} s"
            LOG.info("%d of %d refits: %s", len(rows), len(jobs), state)
    return rows


def each_done[K, J, R](
    function: Callable[[J], R], jobs: Mapping[K, J], executor: Executor | None
) -> Iterator[tuple[K, Callable[[], R]]]:
    """Run a function of jobs, here or by an executor, and yield each job as soon as it is done.

    What is yielded beside its key returns the result, or raises what the function raised. Jobs that
    have not begun when the caller stops are canceled.
    """
    if executor is None:
        for key, job in jobs.items():
            yield key, partial(function, job)
        return
    futures = {executor.submit(function, job): key for key, job in jobs.items()}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result
    finally:
        for future in futures:
            future.cancel()


def _row(result: Callable[[], Row]) -> Row:
    try:
        return result()
    except Exception as error:  # whatever it is: it is reported in its row
        nothing = dict.fromkeys(("median", "sd", "low", "high", "seconds"), np.nan)
        return {**nothing, "problem": f"{type(error).__name__}: {error}"}


def refitted(job: Job) -> Row:
    """Fit one world and return its effect: the part that may run in another process."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters is in the row
        effect, convergence = effect_draws_in(job)
    problem = "" if convergence.converged else str(convergence)
    seconds = time.perf_counter() - start
    return {**reduced(effect.ravel(), job.prob), "seconds": seconds, "problem": problem}


def effect_draws_in(job: Job) -> tuple[np.ndarray, Convergence]:
    """Sample a world; return draws of its effect, ``(chain, draw)``, and whether to trust them."""
    density, scm = _density(job.model)
    spec = scm.spec
    paths = {_variable(spec, v): job.data.array(v) for v in (*spec.inputs, *spec.modelled)}

    def effect(tree: xr.DataTree) -> tuple[xr.Dataset, np.ndarray]:
        posterior = groups.posterior(scm, tree)
        part = xr.DataTree.from_dict({"posterior": posterior})
        return posterior, total_effect(AlteredFit(spec, job.data, part, scm), job.estimand)

    def judge(tree: xr.DataTree, run_info: Mapping[str, Any]) -> Convergence:
        posterior, draws = effect(tree)
        return assess(posterior, {"+".join(job.estimand.treatments): draws}, run_info)

    sampler = whitened(density, paths | dict(job.lifts))
    tree, _, state = sample_in_rounds(sampler, judge, job.settings, job.seed)
    return effect(tree)[1], state


@lru_cache(maxsize=2)
def _density(model: CompiledOnce) -> tuple[Density, SCM]:
    """Write the model; its data, and measured lifts, can be exchanged."""
    scm = compile_scm(model.spec, model.data)
    return compile_jax(build(scm.spec, model.data)), scm


def _variable(spec: Spec, node: str) -> str:
    """Name the `pymc.Data` of a node, as `build` does."""
    return f"{node}:observed" if node in spec.modelled else node


def reduced(draws: np.ndarray, prob: float) -> Row:
    """Return the median of an effect, half the distance from 16 to 84 percent, and its interval."""
    levels = [(1 - prob) / 2, 0.158655, 0.5, 0.841345, (1 + prob) / 2]
    low, below, median, above, high = map(float, np.quantile(draws, levels))
    return {"median": median, "sd": (above - below) / 2, "low": low, "high": high}
