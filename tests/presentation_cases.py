"""Fits for the tests of the presentation: small real ones, and edited copies of the shared one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd

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
