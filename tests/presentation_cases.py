"""Fits for the tests of the presentation: small real ones, and edited copies of the shared one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd

import bayescausal as bc

QUICK = {"draws": 20, "tune": 50, "chains": 2}


def quick(spec: bc.Spec, data: bc.Dataset) -> bc.Fit:
    """A real fit, too short to converge: seconds, and honest about itself."""
    return bc.fit(spec, data, seed=1, progress=False, **QUICK)


def weekly() -> pd.DataFrame:
    """Forty weeks in which ``tv`` moves ``visits`` and ``sales``."""
    rng = np.random.default_rng(5)
    tv = rng.gamma(2, 10, 40)
    return pd.DataFrame(
        {
            "week": pd.date_range("2025-01-06", periods=40, freq="7D"),
            "tv": tv,
            "visits": 50 + tv + rng.normal(0, 3, 40),
            "sales": 200 + 2 * tv + rng.normal(0, 5, 40),
        }
    )


def small_panel(units: int, treatment: str = "tv", outcome: str = "sales") -> bc.Fit:
    """A quick fit of thirty weeks in some markets; spend is the exposure."""
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
    return quick(bc.Spec(graph, {treatment: bc.Response()}), data)


CONFOUNDED = "tv -> visits -> sales\ntv -> sales\nvisits <-> sales"


def half_known() -> bc.Fit:
    """A quick fit of forty weeks whose graph identifies the total of tv, not its split."""
    graph = bc.Graph.parse(CONFOUNDED, outcome="sales")
    data = bc.Dataset.from_frame(weekly(), time="week", spend=["tv", "visits"])
    return quick(bc.Spec(graph, {"tv": bc.Response()}), data)


def converged(fit: bc.Fit) -> bc.Fit:
    """The same fit with a sampler that says it has converged."""
    return _judged(fit, [])


def unconverged(fit: bc.Fit) -> bc.Fit:
    """The same fit with a sampler that failed."""
    return _judged(fit, ["R-hat of tv is 1.500 (above 1.01)"])


def _judged(fit: bc.Fit, problems: list[str]) -> bc.Fit:
    state = json.loads(fit.tree.attrs["convergence"])
    state |= {"converged": not problems, "problems": problems}
    tree = fit.tree.copy()
    tree.attrs = {**fit.tree.attrs, "convergence": json.dumps(state)}
    return replace(fit, tree=tree)


def with_tests(fit, *tests):
    """A fit with other tests in its spec: the posterior is as it was, and so is what it learned."""
    names = [str(test.name) for test in tests]
    kept = {"z": dict.fromkeys(names, 0.0), "share": dict.fromkeys(names, 1.0)}
    tree = fit.tree.copy()
    tree.attrs = {**tree.attrs, "evidence": json.dumps({**fit.evidence.learned, **kept})}
    return replace(fit, spec=replace(fit.spec, experiments=tests), tree=tree)
