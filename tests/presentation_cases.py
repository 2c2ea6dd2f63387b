"""Fits for the tests of the presentation: small real ones, and edited copies of the shared one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

import bayescausal as bc


def small_panel(units: int, treatment: str = "tv", outcome: str = "sales", **spec) -> bc.Fit:
    """A real fit of a small panel, too short to converge: seconds, and honest about itself."""
    rng = np.random.default_rng(3)
    weeks = pd.date_range("2025-01-06", periods=30, freq="7D")
    frames = []
    for k in range(units):
        exposure = rng.gamma(2, 10, len(weeks))
        sales = 100 * (1 + k) + 0.8 * exposure + rng.normal(0, 4, len(weeks))
        columns = {"week": weeks, "market": f"market {k}", treatment: exposure, outcome: sales}
        frames.append(pd.DataFrame(columns))
    data = bc.Dataset.from_frame(pd.concat(frames), time="week", unit="market", spend=[treatment])
    graph = bc.Graph((bc.Edge(treatment, outcome),), outcomes=(outcome,))
    claimed = bc.Spec(graph, treatments=(treatment,), **spec)
    return bc.fit(claimed, data, seed=1, draws=20, tune=50, chains=2, progress=False)


def unconverged(fit: bc.Fit) -> bc.Fit:
    """The same fit with a sampler that failed."""
    state = json.loads(fit.tree.attrs["convergence"])
    state |= {"converged": False, "problems": ["R-hat of tv is 1.500 (above 1.01)"]}
    tree = fit.tree.copy()
    tree.attrs = {**fit.tree.attrs, "convergence": json.dumps(state)}
    return replace(fit, tree=tree)


def renamed(fit: bc.Fit, names: dict[str, str]) -> bc.Fit:
    """The same fit with other names of nodes, in the data, the spec and the draws."""

    def new(text: str) -> str:
        for old, name in names.items():
            text = text.replace(old, name)
        return text

    tree = xr.DataTree.from_dict(
        {
            group: node.to_dataset().rename(
                {v: new(str(v)) for v in node.to_dataset().data_vars if new(str(v)) != v}
            )
            for group, node in fit.tree.children.items()
        }
    )
    tree.attrs = dict(fit.tree.attrs)
    table = fit.data.table.rename({v: new(str(v)) for v in fit.data.table.data_vars})
    spend = {new(k): new(v) for k, v in fit.data.spend.items()}
    spec = bc.Spec.from_dict(json.loads(new(json.dumps(fit.spec.to_dict()))))
    return bc.Fit(spec, replace(fit.data, table=table, spend=spend), tree)
