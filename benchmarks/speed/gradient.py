"""CPU time of one gradient: the bundled model, and the same with more in its likelihood.

    python benchmarks/speed/gradient.py [--rounds 12]

Each variant is compiled once; then all take turns, so that a busy machine hits them alike. Quoted
is the smallest CPU time of a round of 300 gradients, and its ratio to the bundled model.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np
import pandas as pd
from pymc.model.transform.optimization import freeze_dims_and_data
from pymc.sampling.jax import get_jaxified_graph

import bayescausal as bc

CALLS = 300


def variants(example: bc.Example) -> dict[str, bc.Spec]:
    spec = example.spec
    graph = spec.graph

    def tied(*pairs: tuple[str, str]) -> bc.Spec:
        return replace(spec, graph=replace(graph, bidirected=pairs))

    days = ("2023-09-04", "2023-11-06", "2024-05-06", "2024-07-01", "2025-06-02")
    tests = tuple(
        bc.Experiment(
            bc.incremental(name, window=(day, pd.Timestamp(day) + pd.Timedelta(weeks=4))),
            lift=200.0,
            std_error=60.0,
            design="geo-rct",
            name=f"{name} {day}",
        )
        for day, name in zip(days, ("tv", "social", "tv", "search", "social"), strict=True)
    )
    return {
        "bundled": spec,
        "bundled without its two lift tests": replace(spec, experiments=()),
        "bundled with five lift tests more": replace(spec, experiments=(*spec.experiments, *tests)),
        "tv <-> sales, social <-> sales (two budget equations more)": tied(
            ("tv", "sales"), ("social", "sales")
        ),
        "search <-> sales, tv <-> search (one more)": tied(("search", "sales"), ("tv", "search")),
        "AR(1) errors": replace(spec, noise=bc.AR1Noise()),
    }


def gradient(spec: bc.Spec, data: bc.Dataset) -> Callable[[], float]:
    """Compile, and return a function that takes the CPU seconds of one gradient."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    model = freeze_dims_and_data(bc.build(spec, data))
    density = get_jaxified_graph(inputs=model.value_vars, outputs=[model.logp()])
    point = model.initial_point()
    start = [np.asarray(point[v.name], dtype=float) for v in model.value_vars]
    both = jax.jit(jax.value_and_grad(lambda values: density(*values)[0]))
    jax.block_until_ready(both(start))

    def clock() -> float:
        before = time.process_time()
        for _ in range(CALLS):
            jax.block_until_ready(both(start))
        return (time.process_time() - before) / CALLS

    return clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    example = bc.load_example()
    clocks = {k: gradient(spec, example.data) for k, spec in variants(example).items()}
    best = dict.fromkeys(clocks, np.inf)
    for _ in range(rounds):
        best = {k: min(best[k], clock()) for k, clock in clocks.items()}
    for name, seconds in best.items():
        ratio = seconds / best["bundled"]
        print(f"{name:60s} {1e6 * seconds:6.0f} us   {ratio:.2f} x")


if __name__ == "__main__":
    main()
