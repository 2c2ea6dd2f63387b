"""The same worlds fitted by PyMC-Marketing with its own defaults; run by `defaults.py --against`.

Needs pymc-marketing and nutpie, and not bayescausal. Geometric adstock (8 weeks) and logistic
saturation with the priors that the package ships, two yearly harmonics, time as a control for the
trend, the recorded demand as a control where the graph says to adjust for it, and a lift test as a
row of its schema (the mean week in the window, and its loss) where channels are collinear. Hidden
causes and instruments have no place in that model. 4 x (1000 + 1000) draws by nutpie.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings

import arviz as az
import numpy as np
import pandas as pd
from pymc_marketing.mmm import GeometricAdstock, LogisticSaturation
from pymc_marketing.mmm.mmm import MMM
from worlds import JUDGE, World, make_world

MAX_RHAT, MIN_ESS = 1.01, 400


def fit_world(world: World) -> MMM:
    """Fit a world with the package's defaults."""
    table = world.frame.drop(columns="sales").assign(trend=np.linspace(0, 1, len(world.frame)))
    sales = world.frame["sales"].rename("y")
    mmm = MMM(
        date_column="week",
        channel_columns=list(world.channels),
        control_columns=["trend", *world.controls],
        adstock=GeometricAdstock(l_max=8),
        saturation=LogisticSaturation(),
        yearly_seasonality=2,
    )
    for control in world.controls:  # its controls are not scaled: give it what it expects
        table[control] = (table[control] - table[control].mean()) / np.ptp(table[control])
    mmm.build_model(table, sales)
    if world.family == "collinear":
        rows = [_lift_row(world, test) for test in world.tests]
        mmm.add_lift_test_measurements(pd.DataFrame(rows))
    mmm.fit(table, sales, nuts_sampler="nutpie", random_seed=world.seed, progressbar=False)
    return mmm


def _lift_row(world: World, test) -> dict:
    weeks = test.weeks.stop - test.weeks.start
    usual = float(world.frame[test.channel][test.weeks].mean())
    row = {"channel": test.channel, "x": usual, "delta_x": -usual}
    return {**row, "delta_y": -test.lift / weeks, "sigma": test.std_error / weeks}


def judge(world: World) -> list[dict]:
    """Fit one world and reduce the contribution of each channel over all weeks."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mmm = fit_world(world)
    posterior = mmm.idata["posterior"]
    scale = float(world.frame["sales"].abs().max())
    total = posterior["channel_contribution"].sum("date") * scale
    good = bool(
        float(az.rhat(total.to_dataset(name="total"))["total"].max()) <= MAX_RHAT
        and float(az.ess(total.to_dataset(name="total"))["total"].min()) >= MIN_ESS
    )
    rows = []
    for channel in world.channels:
        draws = total.sel(channel=channel).to_numpy().ravel()
        low, median, high = np.quantile(draws, [0.05, 0.5, 0.95])
        rows.append(
            {
                "family": world.family,
                "seed": world.seed,
                "channel": channel,
                "truth": world.truth[channel],
                "all": sum(world.truth.values()),
                "median": float(median),
                "low": float(low),
                "high": float(high),
                "converged": good,
                "seconds": time.perf_counter() - start,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=12)
    parser.add_argument("--first", type=int, default=JUDGE)
    parser.add_argument("--families", nargs="*", required=True)
    parser.add_argument("--memory", type=float, default=0.0)
    chosen = parser.parse_args()
    for seed in range(chosen.first, chosen.first + chosen.worlds):
        for family in chosen.families:  # seeds outside: a run that is stopped has every family
            for row in judge(make_world(family, seed, chosen.memory)):
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
