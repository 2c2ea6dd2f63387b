"""Posteriors that are set by hand on plain linear edges, so that nothing is sampled."""

import json

import numpy as np
import pandas as pd
import xarray as xr

import bayescausal as bc
from bayescausal.inference.fit import Fit
from bayescausal.model.mechanisms import edge_mechanisms
from bayescausal.model.scm import compile_scm

DRAWS = 4000
COEFFICIENTS = {"a->y": (1.0, 0.5), "b->y": (1.0, 0.05), "c->y": (0.2, 0.05)}
SPEND = {"a": "cost"}


def coefficient_units(scm):
    """The coefficient of each plain edge per unit of its strength."""
    one = {str(e): np.ones(()) for e in scm.spec.mechanisms}
    plain = [e for e, response in scm.spec.mechanisms.items() if not response.transforms]
    made = edge_mechanisms(scm, one, scm.factual, only=plain)
    return {str(e): way.beta.item() for e, way in made.items()}


def linear_fit(
    text="a, b, c -> y",
    *,
    coefficients=COEFFICIENTS,
    spend=SPEND,
    value=1.0,
    units=(),
    noise=None,
    link="identity",
    converged=True,
    rows=30,
    parts=None,
    set_to=None,
    outcome="y",
):
    """Weeks of ``a, b, c -> y``; a is uncertain, b is known, c is small and known.

    ``coefficients`` are mean and sd of independent normal draws by edge, ``set_to`` other
    parameters (0.5 by default), ``parts`` other settings of the Spec. The column ``m`` is for a
    mediator, ``worth`` for a value that changes from week to week.
    """
    rng = np.random.default_rng(5)
    frames = []
    for k, unit in enumerate(units or ("all",)):
        causes = {v: rng.gamma(3.0, 10.0, rows) for v in "abc"}
        y = (k + 1) * rng.gamma(30.0, 10.0, rows)
        part = {"week": pd.date_range("2024-01-01", periods=rows, freq="7D"), "geo": unit}
        more = {"cost": 2 * causes["a"], "m": y / 7, "worth": 1 + np.arange(rows) / rows}
        frames.append(pd.DataFrame(part | causes | {"y": y} | more))
    data = bc.Dataset.from_frame(
        pd.concat(frames).drop(columns=[] if units else "geo"),
        time="week",
        spend=spend,
        value=value,
        **({"unit": "geo"} if units else {}),
    )
    graph = bc.Graph.parse(text, outcome=outcome)
    acting = tuple(v for v in "abc" if v in graph.nodes)
    given = {"noise": noise or bc.NormalNoise(), "treatments": acting, "links": {"y": link}}
    spec = bc.Spec(graph, **given | (parts or {}))
    fixed = {"y:sigma": 0.1, **(set_to or {})}
    posterior = {}
    scm = compile_scm(spec, data)
    per_unit = coefficient_units(scm)
    for p in scm.parameters:
        size = (1, DRAWS, *([p.size] if p.dim else []))
        mean, spread = coefficients.get(p.name, (fixed.get(p.name, 0.5), 0.0))
        values = np.broadcast_to(mean + spread * rng.standard_normal(size), size)
        values = values / per_unit.get(p.name, 1.0)  # coefficients are given
        posterior[p.name] = (("chain", "draw", *([p.dim] if p.dim else [])), values)
    state = {"converged": converged, "max_rhat": 1.0, "worst": "", "min_ess_bulk": 1e3}
    state |= {"min_ess_tail": 1e3, "divergences": 0, "draws": DRAWS}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(posterior)})
    tree.attrs["convergence"] = json.dumps(state)
    return Fit(spec, data, tree)
