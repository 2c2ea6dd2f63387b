"""Are forecasts covered? Worlds of `benchmarks/truth/worlds.py`, cut before their last half year.

    python benchmarks/decisions/forecasts.py [--worlds 25] [--families plain] [--memory 0.5]

The first 130 weeks are fitted with the defaults (`batch.py` samples worlds of a family together),
the last 26 are forecast, told spend and recorded controls. Scored by horizon: the part of weeks in
50 and 90 percent intervals, and CRPS over that of a seasonal naive forecast (the same week of the
year before, with the errors that this made). Seeds from `worlds.JUDGE` on; nothing was tuned here.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

sys.path.insert(0, str(Path(__file__).parents[1] / "truth"))
from batch import sample
from defaults import Arm, claims
from worlds import FAMILIES, JUDGE, make_world

import bayescausal as bc
from bayescausal.inference.convergence import assess
from bayescausal.inference.fit import total_effect
from bayescausal.inference.groups import grouped
from bayescausal.model.scm import compile_scm
from bayescausal.validation.holdouts import crps, seasonal_naive

WEEKS = 130
HORIZONS = {"1 to 4": slice(0, 4), "5 to 13": slice(4, 13), "14 to 26": slice(13, 26)}


def judge(family: str, seeds: range, memory: float) -> list[dict]:
    """Fit worlds of a family together, and score the forecasts of each."""
    worlds = [make_world(family, seed, memory) for seed in seeds]
    pairs = [claims(w._replace(frame=w.frame.iloc[:WEEKS]), Arm()) for w in worlds]
    posteriors = sample([bc.build(*pair) for pair in pairs], seeds[0])
    rows = []
    for world, (spec, data), values in zip(worlds, pairs, posteriors, strict=True):
        scm = compile_scm(spec, data)
        posterior = grouped(scm, {p.name: values[p.name] for p in scm.parameters})
        fit = bc.Fit(spec, data, xr.DataTree.from_dict({"posterior": posterior}))
        effects = {c: total_effect(fit, bc.incremental(c)) for c in world.channels}
        state = assess(posterior, effects, {"divergences": 0, "interrupted": False})
        fit.tree.attrs["convergence"] = json.dumps(vars(state))
        later = world.frame.iloc[WEEKS:].drop(columns="sales")
        draws = bc.forecast(fit, bc.Future.from_frame(later, time="week"), seed=world.seed)
        draws = draws["sales"].to_numpy().reshape(-1, len(later))
        naive = seasonal_naive(data, "sales", len(later), np.random.default_rng(world.seed))
        actual = world.frame["sales"].to_numpy()[WEEKS:]
        ends = np.quantile(draws, [0.05, 0.25, 0.75, 0.95], axis=0)
        scores = {
            "in_90": (ends[0] <= actual) & (actual <= ends[3]),
            "in_50": (ends[1] <= actual) & (actual <= ends[2]),
            "crps": crps(draws, actual),
            "naive": crps(naive, actual),
        }
        for horizon, weeks in HORIZONS.items():
            means = {name: float(score[weeks].mean()) for name, score in scores.items()}
            about = {"family": family, "seed": world.seed, "weeks ahead": horizon}
            rows.append({**about, **means, "converged": state.converged})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=25)
    parser.add_argument("--families", nargs="*", choices=FAMILIES, default=["plain", "confounded"])
    parser.add_argument("--memory", type=float, default=0.0)
    chosen = parser.parse_args()
    seeds = range(JUDGE, JUDGE + chosen.worlds)
    rows = [row for family in chosen.families for row in judge(family, seeds, chosen.memory)]
    table = pd.DataFrame(rows).drop(columns="seed")
    table = table.groupby(["family", "weeks ahead"], sort=False).mean()
    table["crps ratio"] = table["crps"] / table["naive"]
    print(f"memory {chosen.memory}, {chosen.worlds} worlds\n{table.round(3).to_string()}")


if __name__ == "__main__":
    main()
