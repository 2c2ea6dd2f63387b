"""One process of `speed.py` in PyMC-Marketing: the same data, adstock and saturation.

Needs pymc-marketing and nutpie, and not bayescausal. Its priors and lengths of chains are its own,
4 x (1000 + 1000) draws by nutpie.
"""

from __future__ import annotations

import time

START = time.time() - time.process_time()

import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
import warnings  # noqa: E402

import arviz as az  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from pymc_marketing.mmm import GeometricAdstock, HillSaturation  # noqa: E402
from pymc_marketing.mmm.mmm import MMM  # noqa: E402

MAX_RHAT, MIN_ESS = 1.01, 400


def fitted(table: pd.DataFrame, sales: pd.Series, channels: list[str]) -> dict:
    begin, cpu = time.perf_counter(), time.process_time()
    mmm = MMM(
        date_column="time",
        channel_columns=channels,
        control_columns=["trend"],
        adstock=GeometricAdstock(l_max=8),
        saturation=HillSaturation(),
        yearly_seasonality=2,
    )
    mmm.build_model(table, sales)
    arguments = {"nuts_sampler": "nutpie", "random_seed": 1, "progressbar": False}
    mmm.fit(table, sales, target_accept=0.85, **arguments)
    wall, used = time.perf_counter() - begin, time.process_time() - cpu
    total = mmm.idata["posterior"]["channel_contribution"].sum("date").to_dataset(name="total")
    ess, rhat = (float(f(total)["total"].min()) for f in (az.ess, lambda t: -az.rhat(t)))
    stats = mmm.idata["sample_stats"]
    leapfrogs = float(stats["n_steps"].sum())
    sampling = float(mmm.idata["posterior"].attrs.get("sampling_time", np.nan))
    return {
        "wall": wall,
        "cpu": used,
        "sampling": sampling,
        "ess": ess,
        "rhat": -rhat,
        "converged": bool(ess >= MIN_ESS and -rhat <= MAX_RHAT),
        "leapfrogs": leapfrogs,
    }


def main() -> None:
    frame = pd.read_csv(sys.argv[1], parse_dates=["time"])
    channels = [name for name in frame if name.startswith("x")]
    table = frame[["time", *channels]].assign(trend=np.linspace(0, 1, len(frame)))
    fits = []
    for column in ("sales", "sales_again"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fits.append(fitted(table, frame[column].rename("y"), channels))
        if len(fits) == 1:
            whole = {"whole_wall": time.time() - START, "whole_cpu": time.process_time()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({**whole, "fits": fits, "peak": peak}))


if __name__ == "__main__":
    main()
