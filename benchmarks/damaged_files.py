"""Damaged copies of a saved fit: what does `load` make of each?

    python benchmarks/damaged_files.py [--copies 450] [--seed 1]

A third has up to 64 random bytes changed, a third a range of zeros, a third is cut short. Each copy
is read in a process that is ended after 20 seconds of work. An error of the package is the right
answer; a copy that loads must give every effect bit for bit, or the damage went unnoticed.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import resource
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd

import bayescausal as bc

PATIENCE = 20.0


def small_fit() -> bc.Fit:
    """A national fit of one channel with a lift test, sampled for a moment."""
    rng, rows = np.random.default_rng(5), 80
    tv = rng.gamma(2, 5, rows)
    week = pd.date_range("2024-01-01", periods=rows, freq="7D")
    sales = 200 + 3 * tv + rng.normal(0, 5, rows)
    frame = pd.DataFrame({"week": week, "tv": tv, "sales": sales})
    data = bc.Dataset.from_frame(frame, time="week", spend=["tv"])
    asked = bc.incremental("tv", window=("2024-03-04", "2024-04-01"))
    spec = bc.Spec(
        bc.Graph.parse("tv -> sales", outcome="sales"),
        {"tv": bc.Response(bc.GeometricAdstock(l_max=4))},
        experiments=(bc.Experiment(asked, 120, 30, "geo-rct", name="spring"),),
    )
    return bc.fit(spec, data, seed=1, draws=200, tune=200, chains=2, progress=False)


def damaged(content: bytes, copies: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Copies of a file, each with its kind of damage; no copy equals the file."""
    rng = np.random.default_rng(seed)
    kinds = ("bytes changed", "zeros", "cut short")
    for k in range(copies):
        kind, copy = kinds[k % 3], np.frombuffer(content, np.uint8).copy()
        if kind == "bytes changed":
            places = rng.integers(len(copy), size=rng.integers(1, 65))
            copy[places] ^= rng.integers(1, 256, size=len(places)).astype(np.uint8)
        elif kind == "zeros":
            start = rng.integers(len(copy))
            copy[start : start + int(2 ** rng.uniform(3, 12))] = 0
        else:
            copy = copy[: rng.integers(len(copy))]
        if copy.tobytes() != content:
            yield kind, copy.tobytes()


def answers(path: str) -> list[np.ndarray]:
    """Draws of the effect and of its return, as a loaded file gives them."""
    fit = bc.load(path)
    return [bc.effect(fit, bc.incremental("tv")).to_numpy(), bc.roas(fit).to_numpy()]


def read(paths: Connection, truth: list[np.ndarray]) -> None:
    """Load each file that is named, and say what came of it."""
    paths.send("ready")
    while True:
        path = paths.recv()
        limits = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + PATIENCE), limits[1]))
        try:
            found = answers(path)
            same = all(np.array_equal(a, b) for a, b in zip(found, truth, strict=True))
            said = "loads, same effects" if same else "loads, OTHER EFFECTS"
        except bc.errors.BayesCausalError as error:
            said = "error of the package" + (", 'damaged'" if "damaged" in str(error) else "")
        except Exception as error:
            said = f"raw {type(error).__name__}"
        gc.collect()  # a broken file that is closed can end the process
        paths.send(said)


class Reader:
    """A process that loads files; a new one takes its place when it hangs or dies."""

    def __init__(self, truth: list[np.ndarray]) -> None:
        self.truth, self.context = truth, multiprocessing.get_context("spawn")
        self.open()

    def open(self) -> None:
        """Start the process."""
        self.pipe, other = self.context.Pipe()
        self.process = self.context.Process(target=read, args=(other, self.truth), daemon=True)
        self.process.start()
        other.close()
        assert self.pipe.recv() == "ready"

    def outcome(self, path: Path) -> str:
        """What `load` makes of a file."""
        try:
            self.pipe.send(str(path))
            if self.pipe.poll(20 * PATIENCE):  # other processes may want the machine
                return self.pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self.process.join()
        code = self.process.exitcode
        said = "hangs" if code in (None, -signal.SIGXCPU) else "kills the interpreter"
        self.process.kill()
        self.process.join()
        self.open()
        return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=450)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.nc"
        small_fit().save(path)
        reader = Reader(answers(str(path)))
        counts: dict[str, Counter[str]] = {}
        print(f"{path.stat().st_size:,} bytes; whole: {reader.outcome(path)}", flush=True)
        for kind, content in damaged(path.read_bytes(), chosen.copies, chosen.seed):
            copy = path.with_name("copy.nc")
            copy.write_bytes(content)
            counts.setdefault(kind, Counter())[reader.outcome(copy)] += 1
        reader.process.kill()
    table = pd.DataFrame(counts).fillna(0).astype(int)
    table["all"] = table.sum(axis=1)
    print(table.sort_index().to_string())


if __name__ == "__main__":
    main()
