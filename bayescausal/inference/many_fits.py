"""`fit_many`: many fits in other processes, each in a file of its own as soon as it is done."""

from __future__ import annotations

import hashlib
import json
import re
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._files import as_folder, write_file
from bayescausal.data.dataset import Dataset
from bayescausal.errors import BayesCausalError, SpecError, did_you_mean, shown
from bayescausal.inference.fit import Fit
from bayescausal.inference.fitting import fit
from bayescausal.inference.nuts import cores
from bayescausal.inference.sample import LOG
from bayescausal.inference.settings import Settings
from bayescausal.inference.storage import load
from bayescausal.specs.serialization import fingerprint
from bayescausal.specs.spec import Spec

MANIFEST = "fits.json"
_NAME = re.compile(r"[\w][\w .,+=@()-]{0,120}")


@dataclass(frozen=True)
class Fits(Mapping[str, Fit]):
    """Fits by name, in a folder; each is read from its file when it is asked for.

    Parameters
    ----------
    folder : Path
    table : DataFrame
        A row for each job: ``status`` ("done", "kept" from an earlier call, "failed"), whether it
        ``converged``, its ``seconds``, its ``file``, and the ``error`` with which it failed.
    """

    folder: Path
    table: pd.DataFrame

    def __getitem__(self, name: str) -> Fit:
        if name not in self.table.index:
            raise SpecError(f"There is no job '{name}'.{did_you_mean(name, self.table.index)}")
        row = self.table.loc[name]
        if row["status"] == "failed":
            raise BayesCausalError(f"The fit '{name}' failed:\n{row['error']}")
        return load(self.folder / row["file"])

    def __iter__(self) -> Iterator[str]:
        return iter(self.table.index[self.table["status"] != "failed"])

    def __len__(self) -> int:
        return int((self.table["status"] != "failed").sum())

    @property
    def failures(self) -> dict[str, str]:
        """The tracebacks of the jobs that failed."""
        return dict(self.table.loc[self.table["status"] == "failed", "error"])

    def __repr__(self) -> str:
        numbers = self.table["status"].value_counts().items()
        counts = ", ".join(f"{number} {status}" for status, number in numbers)
        rows = self.table[["status", "converged", "seconds"]].to_string()
        return f"{len(self.table)} fits in {self.folder}: {counts}\n{rows}"


def fit_many(
    jobs: Mapping[str, tuple[Spec, Dataset]],
    folder: str | Path,
    *,
    executor: Executor | None = None,
    seed: int = 0,
    progress: bool = True,
    **settings: Any,
) -> Fits:
    """Fit many models in other processes: markets, brands, simulations.

    Each fit is written to ``<folder>/<name>.nc`` by the process that made it, as soon as it is
    done. Called again with the same folder, a job whose spec, data, seed and settings are those of
    its file is kept and not fitted again: a call that was interrupted resumes. A job that fails
    does not stop the others. Jobs of one structure are compiled once a process, or once a machine
    (`bayescausal.inference.compilation_cache`).

    Parameters
    ----------
    jobs : mapping of str to (Spec, Dataset)
        Names are those of the files.
    folder : str or Path
        Made when it is not there. ``fits.json`` in it says what became of each job.
    executor : concurrent.futures.Executor, optional
        By default as many processes as there are cores. For a cluster of dask, whose machines see
        the same folder, ``client.get_executor()``; give each worker one thread.
    seed : int
        The seed of a job follows from this one and its name, whatever the others are.
    progress : bool
        Log each job that ends.
    **settings
        Of `fit`: ``method=``, ``draws=``, ``tune=``, ``sampler=``, ...

    Returns
    -------
    Fits

    Raises
    ------
    SpecError
        A job is no pair of a Spec and a Dataset, or its name cannot be that of a file.

    Examples
    --------
    >>> import bayescausal as bc
    >>> example = bc.load_example()
    >>> fits = bc.fit_many({"brand": (example.spec, example.data)}, "fits")  # doctest: +SKIP
    >>> bc.roas(fits["brand"])  # doctest: +SKIP

    A cluster of dask on this machine (``pip install bayescausal[cluster]``); a remote one is
    ``Client("tcp://scheduler:8786")``:

    >>> from dask.distributed import Client  # doctest: +SKIP
    >>> client = Client(n_workers=2, threads_per_worker=1)  # doctest: +SKIP
    >>> jobs = {"brand": (example.spec, example.data)}
    >>> fits = bc.fit_many(jobs, "fits", executor=client.get_executor())  # doctest: +SKIP
    """
    seed, executor = checks.seed("seed", seed), checks.executor("fit_many: executor", executor)
    progress = checks.flag("progress", progress)
    _check(jobs)
    checks.check_keys(settings, ("strict", *(f.name for f in fields(Settings))), "fit_many")
    Settings.from_dict(settings)
    folder = as_folder(folder).resolve()  # a worker may run in another folder
    digests = {name: _digest(*job, seed, settings) for name, job in jobs.items()}
    records = {name: _kept(folder, name, digest) for name, digest in digests.items()}
    left = [name for name, record in records.items() if record is None]
    pool = executor or ProcessPoolExecutor(
        max(1, min(cores(), len(left))), mp_context=get_context("spawn")
    )
    futures: dict[Future, str] = {}
    try:
        for name in left:
            future = pool.submit(
                _fitted, *jobs[name], folder, name, digests[name], _seed_of(seed, name), settings
            )
            futures[future] = name
        for future in as_completed(futures):
            name = futures[future]
            records[name] = record = _ended(folder, name, digests[name], future)
            if progress:
                done = sum(known is not None for known in records.values())
                LOG.info("%s: %s (%d of %d)", name, record["status"], done, len(jobs))
    finally:
        for future in futures:
            future.cancel()
        if executor is None:
            pool.shutdown()
        _write_manifest(folder, records)
    table = pd.DataFrame(list(records.values()), index=pd.Index(list(records), name="job"))
    return Fits(folder, table.drop(columns="digest"))


def _check(jobs: Any) -> None:
    if not isinstance(jobs, Mapping) or not jobs:
        raise SpecError("jobs map names to (spec, data), at least one: {'north': (spec, data)}.")
    for name, job in jobs.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise SpecError(
                f"The name of a job is that of its file: letters and digits; got {shown(name)}."
            )
        if not isinstance(job, tuple) or [type(part) for part in job] != [Spec, Dataset]:
            raise SpecError(f"jobs['{name}'] is no pair (Spec, Dataset); got {shown(job)}.")


def _digest(spec: Spec, data: Dataset, seed: int, settings: Mapping[str, Any]) -> str:
    """Identify what is fitted."""
    return fingerprint([spec.to_dict(), data.hash, seed, dict(settings)])


def _seed_of(seed: int, name: str) -> int:
    own = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return int(np.random.SeedSequence([seed, own]).generate_state(1)[0])


def _fitted(
    spec: Spec,
    data: Dataset,
    folder: Path,
    name: str,
    digest: str,
    seed: int,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Fit and write one job: the part that runs in another process."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is in the fit, and said when it is read
        result = fit(spec, data, seed=seed, progress=False, **settings)
    file = f"{name}.nc"
    result.save(folder / file)
    record = {
        "status": "done",
        "converged": result.convergence.converged,
        "seconds": round(time.perf_counter() - start, 2),
        "file": file,
        "error": "",
        "digest": digest,
    }
    write_file(folder / f"{name}.json", json.dumps(record))
    return record


def _kept(folder: Path, name: str, digest: str) -> dict[str, Any] | None:
    """Return the record of a job that an earlier call has done, if it was the same job."""
    try:
        record = json.loads((folder / f"{name}.json").read_text())
        same = record["digest"] == digest and (folder / record["file"]).exists()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {**record, "status": "kept"} if same else None


def _ended(folder: Path, name: str, digest: str, future: Future) -> dict[str, Any]:
    """Return the record of a job that has ended, however it did."""
    error: BaseException | None
    try:
        error = future.exception()
    except CancelledError as canceled:  # as when a cluster is restarted
        error = canceled
    if error is None:
        return future.result()
    if (record := _kept(folder, name, digest)) is not None:  # its process died after it had written
        return {**record, "status": "done"}
    text = "".join(traceback.format_exception(error))
    return {
        "status": "failed",
        "converged": False,
        "seconds": np.nan,
        "file": "",
        "error": text,
        "digest": digest,
    }


def _write_manifest(folder: Path, records: Mapping[str, dict[str, Any] | None]) -> None:
    known = {name: record or {"status": "not run"} for name, record in records.items()}
    write_file(folder / MANIFEST, json.dumps(known, indent=1))
