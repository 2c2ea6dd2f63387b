"""Small worlds and fits for the tests of augmentation: real ones, with few draws."""

from __future__ import annotations

import numpy as np
import pandas as pd

import bayescausal as bc

WEEKS = 70
QUICK = {"draws": 150, "tune": 150, "chains": 2}
AUGMENTATION = bc.Augmentation(weight=0.5, eta=0.8, method=bc.Ancestral(400), seed=3)


def mediated(seed: int = 4) -> bc.Dataset:
    """Weeks in which ``tv``, paid, moves ``search`` and ``sales``."""
    rng = np.random.default_rng(seed)
    tv = rng.gamma(3.0, 10.0, WEEKS)
    search = 40 + 0.5 * tv + rng.normal(0, 6, WEEKS)
    columns = {
        "week": pd.date_range("2024-01-01", periods=WEEKS, freq="7D"),
        "tv": tv,
        "search": search,
        "sales": 150 + 1.5 * tv + 2 * search + rng.normal(0, 25, WEEKS),
    }
    return bc.Dataset.from_frame(pd.DataFrame(columns), time="week", spend=["tv"])


def lift() -> bc.Experiment:
    """What a test of twelve weeks of ``tv`` measured, near the truth of 2.5 a unit."""
    asked = bc.incremental("tv").during("2024-03-04", "2024-05-26")
    return bc.Experiment(asked, lift=900.0, std_error=300.0, design="geo-rct", name="spring")


def augmented_spec(**settings) -> bc.Spec:
    """Short carry-over of tv, a mediator, a lift test."""
    given = {"augmentation": AUGMENTATION, "experiments": (lift(),), **settings}
    graph = bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales")
    return bc.Spec(graph, {"tv": bc.Response(bc.GeometricAdstock(l_max=3))}, **given)


def quick(spec: bc.Spec, data: bc.Dataset, seed: int = 1) -> bc.Fit:
    return bc.fit(spec, data, seed=seed, progress=False, **QUICK)
