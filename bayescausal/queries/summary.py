"""`summarize`: the only place where draws become numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal._types import Draws
from bayescausal.errors import CarryOverCut, ErrorsMisfit, NotConverged, SpecError, shown
from bayescausal.identification.status import Status
from bayescausal.inference.verb import verb

PRIOR = ("prior_5%", "prior_95%")
"""What the prior alone would have said: coords of effects, and columns of their tables."""
PRIOR_BESIDE = "prior_beside"
"""Coord: the posterior median that `PRIOR` belongs to. Arithmetic on draws keeps their coords, so
the prior of a return would stand beside that return less one; `summarize` then leaves it out."""

PRIOR_COORDS = (*PRIOR, PRIOR_BESIDE)
NOT_CONVERGED, NOT_IDENTIFIED, DRAFT = "NOT CONVERGED", "NOT IDENTIFIED", "DRAFT"
"""Heads of the columns of a table, the loudest first; a draft says so beside another head."""
_SAID = (*PRIOR_COORDS, "extrapolated_share", "status", "grade", "note", "denominator")
COLUMNS = ["median", "mean", "sd", "low", "high", "p_positive"]


@verb
def summarize(draws: Draws | xr.Dataset, prob: float = 0.9) -> pd.DataFrame:
    """Reduce draws to a tidy table: median, mean, sd, credible interval, P(> 0).

    The median is the number to quote: posteriors of effects are skewed, and their means are large.

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
        ``median, mean, sd, low, high, p_positive``, and what the draws say of each row: for
        effects ``status`` and ``grade``, what the graph lets data tell and what the number rests
        on; ``prior_5%`` and ``prior_95%``, the central 90 percent of the prior alone (whatever
        ``prob`` is): where ``low`` and ``high`` are much the same, the data have said little;
        ``extrapolated_share``, the share of a total effect below the lowest exposure that was
        observed, where the curve speaks and not the data; and where a number has no value a
        ``note``. For `payoffs` what each plan spends, the largest mean first, as that is the
        expected payoff. When the fit has not converged or is a draft, or a number is not
        identified, the columns are headed by that.

    Raises
    ------
    SpecError
        No dims ``chain`` and ``draw``, or ``prob`` outside (0, 1).

    Notes
    -----
    A ratio with a random denominator (a cost, a percentage, a return on induced spend) has
    quantiles, and no mean or sd (NaN): they need not exist. A draw in which it has no value (NaN)
    counts as below ``low`` and above ``high``. As long as such draws are fewer than are left out
    at an end, the interval is bounded and a little too wide; else it is unbounded and there is no
    median. It holds Fieller's set of a ratio N / D, ``(1 - prob) / 2 <= P(N < r D) <= (1 + prob)
    / 2``, is the same where D is positive in all draws, and unbounded where that is.
    ``p_positive`` counts draws with a finite value, so that of a cost is P(anything is gained).
    Source: Fieller (1954), Some problems in interval estimation, JRSS B 16.

    Examples
    --------
    >>> draws = xr.DataArray(np.arange(10.0).reshape(2, 5), dims=("chain", "draw"), name="tv")
    >>> summarize(draws)["median"].item()
    4.5
    """
    if isinstance(draws, xr.Dataset) and draws.data_vars:
        attrs = next(iter(draws.data_vars.values())).attrs
        draws = draws.to_dataarray("node")
        draws.attrs = attrs
    if not isinstance(draws, xr.DataArray) or not {"chain", "draw"} <= set(draws.dims):
        kind = f"dims {draws.dims}" if isinstance(draws, xr.DataArray) else shown(draws)
        raise SpecError(
            f"summarize takes draws with dims (chain, draw, ...); got {kind}. "
            "Give it what effect(fit, ...), contributions, roas, ... return."
        )
    dims = [str(d) for d in draws.dims if d not in ("chain", "draw")]
    stacked = draws.transpose("chain", "draw", *dims)
    values = stacked.to_numpy().reshape(-1, *stacked.shape[2:])
    metadata = _coords(stacked, dims)
    columns = {k: np.ravel(column) for k, column in _columns(values, prob).items()}
    prior_median = metadata.pop(PRIOR_BESIDE, None)
    if prior_median is None or not np.allclose(
        prior_median, columns["median"], 1e-9, 0, equal_nan=True
    ):
        metadata = {key: values for key, values in metadata.items() if key not in PRIOR}
    has_moments = metadata.pop("denominator", np.array("")) != "random"
    columns |= {k: np.where(has_moments, columns[k], np.nan) for k in ("mean", "sd")}
    note = metadata.pop("note", np.array(""))
    metadata |= {"note": note} if (note != "").any() else {}
    table = pd.DataFrame({**columns, **metadata}, index=_index(stacked, dims))
    if draws.attrs.get("best_first"):
        table = table.sort_values("mean", ascending=False, kind="stable")
    table.attrs = {"prob": prob, **draws.attrs}
    if "misfit" in draws.attrs:
        warnings.warn(draws.attrs["misfit"], ErrorsMisfit, stacklevel=3)
        table.columns.name = "ERRORS DO NOT FIT"
    if "carry_over" in draws.attrs:
        warnings.warn(draws.attrs["carry_over"], CarryOverCut, stacklevel=2)
        table.columns.name = "CARRY-OVER CUT"
    if "status" in table and (table["status"] == Status.NOT_IDENTIFIED).any():
        table.columns.name = NOT_IDENTIFIED
    if not draws.attrs.get("converged", 1):
        warnings.warn(draws.attrs["convergence"], NotConverged, stacklevel=3)
        table.columns.name = NOT_CONVERGED
    elif "draft" in draws.attrs:
        table.columns.name = draft_head(table)
    return table


def draft_head(table: pd.DataFrame) -> str:
    """Return the head of a table of a draft: what else it is headed by stands after it."""
    return ", ".join(filter(None, (DRAFT, table.columns.name)))


def common_head(tables: Iterable[pd.DataFrame]) -> str | None:
    """Return the head of a table that is made of others: the loudest of theirs, after DRAFT."""
    heads = {head for table in tables for head in str(table.columns.name or "").split(", ")}
    loudest = [head for head in (NOT_CONVERGED, NOT_IDENTIFIED) if head in heads][:1]
    return ", ".join([*({DRAFT} & heads), *loudest]) or None


def _coords(draws: xr.DataArray, dims: list[str]) -> dict[str, np.ndarray]:
    """Return what the coords of draws say of each row of a table, a flat array each."""
    others = [k for k, c in draws.coords.items() if c.dims and k not in (*draws.dims, *_SAID)]
    keys = [*(k for k in _SAID if k in draws.coords), *others]
    shape = {dim: draws.sizes[dim] for dim in dims}
    return {str(k): draws.coords[k].variable.set_dims(shape).to_numpy().ravel() for k in keys}


def _columns(values: np.ndarray, prob: float) -> dict[str, np.ndarray]:
    """Compute the numbers of a table from draws of shape ``(n, ...)``."""
    finite = np.isfinite(values)
    low, median, high = _quantiles(values, prob)
    with np.errstate(invalid="ignore"):  # infinite draws have no moments
        mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1)
    every = finite.all(axis=0)
    numbers = {
        "median": median,
        "mean": np.where(every, mean, np.nan),
        "sd": np.where(every, sd, np.nan),
        "low": low,
        "high": high,
        "p_positive": ((values > 0) & finite).mean(axis=0),
    }
    none = np.isnan(values).all(axis=0)
    return {name: np.where(none, np.nan, number) for name, number in numbers.items()}


def prior_coords(
    posterior: np.ndarray, prior: np.ndarray, dims: tuple[str, ...]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return coords of draws ``(chain, draw, ...)`` that hold the interval of the prior alone."""
    joined = (draws.reshape(-1, *draws.shape[2:]) for draws in (prior, posterior))
    (low, _, high), (_, median, _) = (_quantiles(draws, 0.9) for draws in joined)
    ends = zip(PRIOR_COORDS, (low, high, median), strict=True)
    return {name: (dims, end) for name, end in ends}


def _quantiles(values: np.ndarray, prob: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the median of draws ``(n, ...)`` and the ends of their equal-tailed interval.

    A NaN counts as beyond both ends; where as many are NaN as an end leaves out there is no median.
    """
    low, high = (1 - prob) / 2, (1 + prob) / 2
    if np.isfinite(values).all():
        return tuple(np.quantile(values, [low, 0.5, high], axis=0))
    undefined = np.isnan(values)
    rare = undefined.mean(axis=0) < low
    # Zeros stand in where no median is reported, as numpy warns of a column without values.
    median = _quantile(np.where(undefined & ~rare, 0.0, values), 0.5)
    return (
        _quantile(np.where(undefined, -np.inf, values), low),
        np.where(rare, median, np.nan),
        _quantile(np.where(undefined, np.inf, values), high),
    )


def _quantile(values: np.ndarray, level: float) -> np.ndarray:
    """Return quantiles of draws, some of which may be infinite; leave out NaN."""
    ends = [np.nanquantile(values, level, axis=0, method=end) for end in ("lower", "higher")]
    with np.errstate(invalid="ignore"):  # numpy interpolates between infinite draws to NaN
        interpolated = np.nanquantile(values, level, axis=0)
    outer = np.where(np.isfinite(ends[0]), ends[1], ends[0])
    inner = np.isfinite(ends[0]) & np.isfinite(ends[1]) & (ends[0] != ends[1])
    return np.where(inner, interpolated, outer)


def _index(draws: xr.DataArray, dims: list[str]) -> pd.Index:
    if not dims:
        return pd.Index([draws.name or "effect"], name="estimand")
    labels = [draws.indexes.get(d, pd.RangeIndex(draws.sizes[d], name=d)) for d in dims]
    if len(dims) == 1:
        return pd.Index(labels[0], name=dims[0])
    return pd.MultiIndex.from_product(labels, names=dims)
