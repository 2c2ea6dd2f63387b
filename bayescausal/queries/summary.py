"""`summarize`: the only place where draws become numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal._types import Draws
from bayescausal.errors import BayesCausalError, CarryOverCut, NotConverged

COLUMNS = ["mean", "median", "sd", "low", "high", "p_positive"]


def summarize(draws: Draws | xr.Dataset, prob: float = 0.9) -> pd.DataFrame:
    """Reduce draws to a tidy table: mean, median, sd, credible interval, P(> 0).

    Parameters
    ----------
    draws : xarray.DataArray or Dataset
        Dims ``(chain, draw, ...)``.
    prob : float
        Probability inside the equal-tailed interval ``low``..``high``.

    Returns
    -------
    pandas.DataFrame
        Indexed by what the draws are indexed by (``channel``, ``path``, ``time``, ...), columns
        ``mean, median, sd, low, high, p_positive``, and what the draws say of each row: for
        effects ``status`` and ``grade``, what the graph lets data tell and what the number rests
        on; for `payoffs` what each plan spends, the best plan first. When the fit has not
        converged, or a number is not identified, the columns are headed by that.

    Raises
    ------
    BayesCausalError
        No dims ``chain`` and ``draw``, or ``prob`` outside (0, 1).

    Examples
    --------
    >>> draws = xr.DataArray(np.arange(10.0).reshape(2, 5), dims=("chain", "draw"), name="tv")
    >>> summarize(draws)["mean"].item()
    4.5
    """
    if isinstance(draws, xr.Dataset) and draws.data_vars:
        attrs = next(iter(draws.data_vars.values())).attrs
        draws = draws.to_dataarray("node")
        draws.attrs = attrs
    if not isinstance(draws, xr.DataArray) or not {"chain", "draw"} <= set(draws.dims):
        got = draws.dims if isinstance(draws, xr.DataArray) else type(draws).__name__
        raise BayesCausalError(
            f"summarize takes draws with dims (chain, draw, ...); got {got}. "
            "Give it what effect, contributions, roas, ... return."
        )
    if not 0 < prob < 1:
        raise BayesCausalError(f"prob lies between 0 and 1; got {prob!r}.")
    rest = [str(d) for d in draws.dims if d not in ("chain", "draw")]
    stacked = draws.transpose("chain", "draw", *rest)
    values = stacked.to_numpy().reshape(-1, *stacked.shape[2:])
    edges = np.quantile(values, [(1 - prob) / 2, 0.5, (1 + prob) / 2], axis=0)
    columns = {
        "mean": values.mean(axis=0),
        "median": edges[1],
        "sd": values.std(axis=0, ddof=1),
        "low": edges[0],
        "high": edges[2],
        "p_positive": (values > 0).mean(axis=0),
    }
    table = pd.DataFrame({k: np.ravel(columns[k]) for k in COLUMNS}, index=_index(stacked, rest))
    one = stacked[{"chain": 0, "draw": 0}]
    for key, said in stacked.coords.items():
        if key in ("status", "grade") or (said.dims and key not in stacked.dims):
            table[str(key)] = np.ravel(said.broadcast_like(one))
    if draws.attrs.get("best_first"):
        table = table.sort_values("mean", ascending=False, kind="stable")
    table.attrs = {"prob": prob, **draws.attrs}
    if "carry_over" in draws.attrs:
        warnings.warn(draws.attrs["carry_over"], CarryOverCut, stacklevel=2)
        table.columns.name = "CARRY-OVER CUT"
    if "status" in table and (table["status"] == "not identified").any():
        table.columns.name = "NOT IDENTIFIED"
    if not draws.attrs.get("converged", 1):
        warnings.warn(draws.attrs["convergence"], NotConverged, stacklevel=2)
        table.columns.name = "NOT CONVERGED"
    return table


def _index(draws: xr.DataArray, rest: list[str]) -> pd.Index:
    if not rest:
        return pd.Index([draws.name or "effect"], name="estimand")
    labels = [draws.indexes.get(d, pd.RangeIndex(draws.sizes[d], name=d)) for d in rest]
    if len(rest) == 1:
        return pd.Index(labels[0], name=rest[0])
    return pd.MultiIndex.from_product(labels, names=rest)
