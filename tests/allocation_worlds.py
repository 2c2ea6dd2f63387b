"""Posteriors set by hand on curved edges, for allocations whose optimum is known another way."""

import json

import numpy as np
import pandas as pd
import xarray as xr

import bayescausal as bc
from bayescausal.inference.fit import Fit
from bayescausal.model.scm import compile_scm

WEEKS = 60
ROOT = bc.Response(bc.RootSaturation(), strength=bc.Coefficient())
HILL = bc.Response(bc.GeometricAdstock(l_max=4), bc.HillSaturation(), strength=bc.Coefficient())


def fit_of(spec, data, values, chains=1, converged=True):
    """A fit whose draws are these values by parameter, each a number or ``(draw,)``."""
    scm = compile_scm(spec, data)
    draws = max(np.size(v) for v in values.values())
    posterior = {}
    for p in scm.parameters:
        size = (chains, draws // chains, *([p.size] if p.dim else []))
        value = np.asarray(values.get(p.name, 0.5), float)
        value = value.reshape(chains, -1, *([1] if p.dim else [])) if value.ndim else value
        dims = ("chain", "draw", *([p.dim] if p.dim else []))
        posterior[p.name] = (dims, np.broadcast_to(value, size).copy())
    state = {"converged": converged, "max_rhat": 1.0, "worst": "", "min_ess_bulk": 1e3}
    state |= {"min_ess_tail": 1e3, "divergences": 0, "draws": draws}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(posterior)})
    tree.attrs["convergence"] = json.dumps(state)
    return Fit(spec, data, tree)


def table(names, prices=None, seed=3, weeks=WEEKS):
    """Weeks of exposure and cost of some channels, with sales, search and demand."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"week": pd.date_range("2024-01-01", periods=weeks, freq="7D")})
    for k, name in enumerate(names):
        frame[name] = rng.gamma(4, 25 * (k + 1), weeks)
        frame[f"{name}_cost"] = frame[name] * (prices or {}).get(name, 1.0)
    frame["sales"] = rng.gamma(100, 10, weeks)
    frame["search"] = rng.gamma(50, 3, weeks)
    return frame, {name: f"{name}_cost" for name in names}


def media_fit(
    names=("a", "b", "c"),
    *,
    response=ROOT,
    strengths=None,
    draws=40,
    link="identity",
    text=None,
    prices=None,
    parts=None,
    values=None,
    value=1.0,
    seed=3,
    more=None,
    paid=(),
):
    """A fit of ``a, b, c -> sales`` with uncertain strengths and known curves."""
    frame, spend = table(names, prices, seed)
    data = bc.Dataset.from_frame(
        frame, time="week", spend=spend | {v: v for v in paid}, value=value
    )
    graph = bc.Graph.parse(text or f"{', '.join(names)} -> sales", outcome="sales")
    spec = bc.Spec(
        graph,
        dict.fromkeys(names, response) | (more or {}),
        links={"sales": link},
        noise=bc.NormalNoise(),
        treatments=(*names, *(more or {})),
        **(parts or {}),
    )
    rng = np.random.default_rng(seed)
    theta = {f"{e}": rng.gamma(9, 0.3 / 9, draws) for e in spec.mechanisms}
    for e in spec.mechanisms:
        theta |= {f"{e}:slope": 1.2, f"{e}:half": 0.4}
    theta |= {k: np.asarray(v) for k, v in (strengths or {}).items()}
    return fit_of(spec, data, theta | (values or {}))


def panel_fit(units=3, draws=20, prices=(1.0, 2.0, 0.5)):
    """A fit of ``a, b -> sales`` in markets that pay different prices, with strengths unknown."""
    frames = []
    for k in range(units):
        frame, spend = table("ab", {"a": prices[k]}, seed=k)
        frames.append(frame.assign(market=f"m{k}"))
    data = bc.Dataset.from_frame(pd.concat(frames), time="week", unit="market", spend=spend)
    spec = bc.Spec(
        bc.Graph.parse("a, b -> sales", outcome="sales"),
        dict.fromkeys("ab", HILL),
        noise=bc.NormalNoise(),
        treatments=("a", "b"),
    )
    rng = np.random.default_rng(1)
    theta = {f"{c}->sales": rng.gamma(9, 0.3 / 9, draws) for c in "ab"}
    for c in "ab":
        theta |= {f"{c}->sales:slope": 1.2, f"{c}->sales:half": 0.4}
    return fit_of(spec, data, theta)
