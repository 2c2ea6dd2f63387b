"""One process of `speed.py`: fit a size, fit it again to other sales, print what it took."""

from __future__ import annotations

import time

START = time.time() - time.process_time()  # close to the start of the process, imports included

import argparse  # noqa: E402
import json  # noqa: E402
import resource  # noqa: E402
import warnings  # noqa: E402
from dataclasses import replace  # noqa: E402

import numpy as np  # noqa: E402
from speed import SIZES, world  # noqa: E402

import bayescausal as bc  # noqa: E402


def with_other_sales(data: bc.Dataset, seed: int) -> bc.Dataset:
    """The same weeks with sales that differ by 2 percent."""
    rng = np.random.default_rng(seed)
    table = data.table.copy(deep=True)
    table["sales"] = table["sales"] * (1 + 0.02 * rng.standard_normal(table["sales"].shape))
    return replace(data, table=table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("seed", type=int)
    parser.add_argument("--write", help="write the data as CSV, for the rival, and fit nothing")
    chosen = parser.parse_args()
    spec, data = world(*SIZES[chosen.size], chosen.seed, mediated=chosen.size == "M")
    other = with_other_sales(data, chosen.seed)
    if chosen.write:
        frame = data.table.to_dataframe().reset_index()
        frame["sales_again"] = other.table["sales"].to_numpy()
        frame.to_csv(chosen.write, index=False)
        return
    fits = []
    for sales in (data, other):
        begin, cpu = time.perf_counter(), time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = bc.fit(spec, sales, seed=chosen.seed, progress=False)
        run, state = fit.info["run"], fit.convergence
        fits.append(
            {
                "wall": time.perf_counter() - begin,
                "cpu": time.process_time() - cpu,
                "sampling": run["sample_seconds"],
                "ess": state.min_ess_bulk,
                "rhat": state.max_rhat,
                "converged": state.converged,
                "leapfrogs": run["leapfrogs"],
                "rounds": len(run["rounds"]),
            }
        )
        if len(fits) == 1:
            whole = {"whole_wall": time.time() - START, "whole_cpu": time.process_time()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({**whole, "fits": fits, "peak": peak}))


if __name__ == "__main__":
    main()
