"""A fit without sampling, for what is saved and read."""

import json

import numpy as np
import pandas as pd
import xarray as xr

import bayescausal as bc
from bayescausal.experiments.estimand import Estimand, Times
from bayescausal.inference.fit import Fit
from bayescausal.model.scm import compile_scm


def by_hand(units):
    """A fit without sampling: names with spaces and accents, history, an experiment, lags."""
    rng, rows = np.random.default_rng(2), 20
    frame = pd.concat(
        [
            pd.DataFrame(
                {
                    "week": pd.date_range("2024-01-01", periods=rows, freq="7D"),
                    "geo": unit,
                    "tv": rng.gamma(2, 1, rows),
                    "paid search": rng.gamma(2, 1, rows),
                    "prix": rng.normal(9, 1, rows),
                    "net sales": rng.normal(100, 5, rows),
                }
            )
            for unit in units or ("all",)
        ]
    )
    data = bc.Dataset.from_frame(
        frame,
        time="week",
        unit="geo" if units else None,
        spend=["tv", "paid search"],
        value="prix",
        history=2,
    )
    media = bc.Response(bc.GeometricAdstock(l_max=3), bc.HillSaturation())
    graph = bc.Graph.parse(
        'tv -> "paid search" -> "net sales"\ntv, prix -> "net sales"\ntv -> "net sales" @ 1',
        outcome="net sales",
    )
    asked = Estimand({"tv": Times(1.5)}, name="a b").during("2024-02-05", "2024-02-25")
    test = bc.Experiment(asked.within(units[-1]) if units else asked, 3, 1, "geo-rct")
    spec = bc.Spec(
        graph,
        {"tv": media, "paid search -> net sales": media},
        baseline={"net sales": (bc.LinearTrend(), bc.Event("black friday", "2024-02-03"))},
        noise={"net sales": bc.StudentTNoise()},
        links={"paid search": "log"},
        experiments=test,
        policy={"paid search": "reacts"},
    )
    return drawn(spec, data, rng)


def tiny():
    """A fit with few variables, so that a file of it is quick to write and to read."""
    rng, rows = np.random.default_rng(3), 12
    week = pd.date_range("2024-01-01", periods=rows, freq="7D")
    tv = rng.gamma(2, 1, rows)
    frame = pd.DataFrame({"week": week, "tv": tv, "sales": 9 + tv + rng.normal(0, 1, rows)})
    data = bc.Dataset.from_frame(frame, time="week", spend=["tv"])
    spec = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": bc.Response()})
    return drawn(spec, data, rng)


def drawn(spec, data, rng):
    """A fit whose draws come from no sampler."""
    scm = compile_scm(spec, data)
    draws = {
        group: xr.Dataset(
            {
                p.name: (
                    ("chain", "draw", *([p.dim] if p.dim else [])),
                    rng.gamma(25, 0.02, (chains, 5, *([p.size] if p.dim else []))),
                )
                for p in scm.parameters
            },
            coords={
                **{k: v for k, v in scm.coords.items() if k != "time"},
                "chain": np.arange(chains),
                "draw": np.arange(5),
            },
        )
        for group, chains in (("prior", 1), ("posterior", 2))
    }
    observed = data.table[list(spec.modelled)].isel(time=slice(data.history, None))
    stats = xr.Dataset(
        {
            "diverging": (("chain", "draw"), np.zeros((2, 5), bool)),
            "energy": (("chain", "draw"), np.full((2, 5), np.nan)),
            "tree_depth": (("chain", "draw"), np.full((2, 5), 3, np.uint64)),
        },
        coords={"chain": np.arange(2), "draw": np.arange(5)},
    )
    tree = xr.DataTree.from_dict(draws | {"observed_data": observed, "sample_stats": stats})
    state = {
        "converged": False,
        "max_rhat": 1.2,
        "worst": "tv",
        "min_ess_bulk": 9.5,
        "min_ess_tail": 8.0,
        "divergences": 0,
        "draws": 10,
        "problems": ["R-hat of tv is 1.2"],
    }
    run = {"sample_seconds": 0.0, "compile_seconds": 0.0}
    tree.attrs = {
        "info": json.dumps({"seed": 1, "run": run, "data_hash": data.hash}),
        "convergence": json.dumps(state),
    }
    return Fit(spec, data, tree)
