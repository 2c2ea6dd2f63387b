"""Refits of altered worlds, here or in other processes: of each only the effect comes back."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, as_completed
from typing import Any, NamedTuple

import numpy as np

from bayescausal.data.dataset import Dataset
from bayescausal.experiments.estimand import Estimand
from bayescausal.inference.approximation import approximate
from bayescausal.inference.fit import total_effect
from bayescausal.inference.fitting import fit_with
from bayescausal.inference.sample import LOG
from bayescausal.inference.settings import Settings
from bayescausal.specs.spec import Spec
from bayescausal.validation.correlated_errors import weights_of

NUTS, APPROXIMATE = "NUTS", "approximate"
"""Where the numbers of a refit come from."""

type Row = dict[str, Any]


class Job(NamedTuple):
    """A spec and data to fit, and the effect that is asked of the fit."""

    spec: Spec
    data: Dataset
    estimand: Estimand
    seed: int
    prob: float = 0.9
    approximate: bool = False
    settings: Settings = Settings(progress=False)


def run[K](jobs: Mapping[K, Job], executor: Executor | None, progress: bool) -> dict[K, Row]:
    """Run jobs one after another, or by an executor; one that fails does not stop the others."""
    rows: dict[K, Row] = {}
    for key, row in _ended(jobs, executor):
        rows[key] = row
        if progress:
            state = row["problem"] or f"{row['seconds']:.1f} s"
            LOG.info("%d of %d refits: %s", len(rows), len(jobs), state)
    return rows


def _ended[K](jobs: Mapping[K, Job], executor: Executor | None) -> Iterator[tuple[K, Row]]:
    if executor is None:
        for key, job in jobs.items():
            yield key, _row(lambda job=job: refitted(job))
        return
    futures = {executor.submit(refitted, job): key for key, job in jobs.items()}
    try:
        for future in as_completed(futures):
            yield futures[future], _row(future.result)
    finally:
        for future in futures:
            future.cancel()


def _row(result: Callable[[], Row]) -> Row:
    try:
        return result()
    except Exception as error:  # whatever it is: it is reported in its row
        nothing = dict.fromkeys(("median", "sd", "low", "high", "k", "seconds"), np.nan)
        return {**nothing, "source": NUTS, "problem": f"{type(error).__name__}: {error}"}


def refitted(job: Job) -> Row:
    """Fit one world and return its effect: the part that may run in another process."""
    start = time.perf_counter()
    k, row = np.nan, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters is in the row
        if job.approximate:
            fit, logs = approximate(job.spec, job.data, job.seed)
            weights = weights_of(logs[None])
            k = weights.k
            if weights.trusted:
                effect = total_effect(fit, job.estimand).ravel()
                row = reduced(effect, job.prob, weights.values)
                row |= {"source": APPROXIMATE, "problem": ""}
        if row is None:
            sampled = fit_with(job.settings, job.spec, job.data, job.seed)
            row = reduced(total_effect(sampled, job.estimand).ravel(), job.prob)
            problem = "" if sampled.convergence.converged else str(sampled.convergence)
            row |= {"source": NUTS, "problem": problem}
    return {**row, "k": k, "seconds": time.perf_counter() - start}


def reduced(draws: np.ndarray, prob: float, weights: np.ndarray | None = None) -> Row:
    """Return the median of an effect, half the distance from 16 to 84 percent, and its interval."""
    levels = [(1 - prob) / 2, 0.158655, 0.5, 0.841345, (1 + prob) / 2]
    by_weight = {} if weights is None else {"weights": weights, "method": "inverted_cdf"}
    low, below, median, above, high = map(float, np.quantile(draws, levels, **by_weight))
    return {"median": median, "sd": (above - below) / 2, "low": low, "high": high}
