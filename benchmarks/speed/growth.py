"""How kernels, compilation and gradient of a model grow: by weeks, channels, units and tests.

    python benchmarks/speed/growth.py [--of weeks channels units tests] [--rounds 5]

The base has 156 weeks, 3 channels (2 in a panel), one unit and no lift test; each table changes one
of these. Quoted are CPU seconds, of all threads: to write the density (PyMC and PyTensor), and to
compile its gradient and the sampler (XLA); kernels of one gradient; and the CPU time of a leapfrog,
which is a gradient as the sampler has it, the smallest of some rounds that all models take in
turns. The last row of a table has exponents: the slope of a line through logs, with no test counted
as one. Nothing is read from a cache.
"""

from __future__ import annotations

import argparse
import os
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np
import pandas as pd
from speed import world

import bayescausal as bc
from bayescausal.inference import compilation_cache
from bayescausal.inference import compile as compiling
from bayescausal.inference.nuts import Chain, first_step

SIZES = {
    "weeks": (78, 156, 312, 624),
    "channels": (2, 5, 10, 20),
    "units": (5, 10, 20, 40),
    "tests": (0, 2, 5, 10, 20),
}
FREE = {"parameter", "constant", "bitcast", "tuple", "get-tuple-element"}
"""Instructions of XLA that run nothing."""


def tested(spec: bc.Spec, data: bc.Dataset, number: int) -> bc.Spec:
    """Add tests of four weeks, of each channel in turn; no two are of the same weeks."""
    channels = spec.graph.parents("sales")
    tests = tuple(
        bc.Experiment(
            bc.incremental(channels[k % len(channels)]).during(
                data.time[10 + 7 * k], data.time[13 + 7 * k]
            ),
            lift=200.0 + 10 * k,
            std_error=60.0 + k,
            design="geo-rct",
            name=f"test{k}",
        )
        for k in range(number)
    )
    return replace(spec, experiments=tests)


def model(of: str, size: int) -> tuple[bc.Spec, bc.Dataset]:
    if of == "tests":
        spec, data = world(156, 3, 1, seed=1)
        return tested(spec, data, size), data
    shape = {"weeks": 156, "channels": 2 if of == "units" else 3, "units": 1, of: size}
    return world(*shape.values(), seed=1)


def measured(spec: bc.Spec, data: bc.Dataset) -> tuple[dict[str, float], Callable[[], float]]:
    """Compile, and return what it took, and a function that takes the seconds of a leapfrog."""
    for cached in (compiling._form, compiling._gradient, compiling._advance):
        cached.cache_clear()  # models of one structure would share them
    started = time.process_time()
    density = compiling.compile_jax(bc.build(spec, data))
    written = time.process_time()
    numbers, x = density.numbers(), density.start
    gradient = compiling._gradient(density.form.logp, len(x), compiling._kinds(numbers))
    advance = density.advance()
    compiled = time.process_time()
    program = gradient.as_text()
    entry = program[program.index("\nENTRY") :]
    kernels = sum(kind not in FREE for kind in re.findall(r" = \S+ ([\w-]+)\(", entry))
    # Steps this small never turn back: a draw takes as many leapfrogs as it may.
    scale = 1e-6 * np.eye(len(x))
    value, slope = gradient(x, numbers)
    chain = Chain(np.zeros_like(x), np.float64(value), scale @ np.asarray(slope), first_step())

    def leapfrog() -> float:
        before = time.process_time()
        _, record = advance(chain, x, scale, numbers, jax.random.key(1), 0, 1, False, 0.8)
        steps = int(np.asarray(record["n_steps"])[0])
        return (time.process_time() - before) / steps

    taken = {
        "parameters": len(x),
        "write, s": written - started,
        "compile, s": compiled - written,
        "kernels": kernels,
    }
    return taken, leapfrog


def exponents(table: pd.DataFrame) -> pd.Series:
    """Return the slope of each column in its rows' sizes, both as logs."""
    sizes = np.log(np.maximum(table.index.to_numpy(float), 1))
    return table.apply(lambda column: np.polyfit(sizes, np.log(column), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--of", nargs="*", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    os.environ[compilation_cache.VARIABLE] = "off"
    warnings.simplefilter("ignore")
    measured(*world(52, 1, 1, seed=1))  # the first of a process pays for what all use
    models = [(of, size) for of in chosen.of for size in SIZES[of]]
    taken, clocks = {}, {}
    for key in models:
        taken[key], clocks[key] = measured(*model(*key))
    rounds = [{key: clock() for key, clock in clocks.items()} for _ in range(chosen.rounds)]
    for of in chosen.of:
        rows = {
            size: taken[of, size] | {"leapfrog, us": 1e6 * min(row[of, size] for row in rounds)}
            for size in SIZES[of]
        }
        table = pd.DataFrame(rows).T.rename_axis(of)
        table.loc["exponent"] = exponents(table)
        print(table.round(2).to_string(), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
