"""Judge predictions: `holdout` scores forecasts, `compare_fits` leaves single weeks out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal import checks
from bayescausal._display import wrapped
from bayescausal._types import Node
from bayescausal.data.dataset import Dataset
from bayescausal.data.future import Future, year_of
from bayescausal.errors import DataError, SpecError, shown
from bayescausal.experiments.estimand import Estimand
from bayescausal.inference.fit import Fit
from bayescausal.inference.fitting import fit_with
from bayescausal.inference.settings import Settings
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import scope
from bayescausal.queries.forecasts import forecast
from bayescausal.queries.summary import DRAFT
from bayescausal.specs.spec import Spec
from bayescausal.validation.compiled_refits import spec_without
from bayescausal.validation.leave_one_out import LeaveOneOut, leave_one_out

CAVEAT = (
    "Prediction does not choose a causal graph: an association predicts too, and a confounded "
    "model may predict better than the right one."
)
_PROB = 0.9
_NAIVE = 1000


@dataclass(frozen=True, eq=False)
class Holdout:
    """Forecasts of periods that the fit did not see, and a seasonal naive forecast beside them.

    Parameters
    ----------
    table : pandas.DataFrame
        By origin, and for ``all``: ``periods``; ``crps`` and ``crps_naive``, the mean continuous
        ranked probability score in units of the outcome (lower is better); ``skill``, one less
        their ratio; ``covered``, the part of periods inside the central 90 percent interval;
        ``wmape`` and ``wmape_naive``, absolute errors of medians over absolute outcomes;
        ``converged``.
    forecasts : dict of pandas.Timestamp to xarray.DataArray
        Draws of the outcome by origin, the first period that was held out.
    outcome : str
    """

    table: pd.DataFrame
    forecasts: dict[pd.Timestamp, xr.DataArray]
    outcome: str

    def __repr__(self) -> str:
        total = self.table.loc["all"]
        head = (
            f"Holdout of '{self.outcome}' from {len(self.forecasts)} origins: "
            f"{total['covered']:.0%} of {total['periods']:.0f} periods inside {_PROB:.0%} "
            f"intervals; CRPS {1 - total['skill']:.2f} times that of a seasonal naive forecast. "
            f"{CAVEAT}"
        )
        return f"{wrapped(head)}\n{self.table.round(3).to_string()}"


@verb
def holdout(
    fit: Fit,
    *,
    horizon: int = 13,
    origins: int = 1,
    step: int | None = None,
    outcome: Node | None = None,
    seed: int = 0,
) -> Holdout:
    """Fit again without the last periods, forecast them, and score the forecasts.

        CRPS(F, y) = E|Y - y| - E|Y - Y'| / 2,    Y, Y' independent draws of F

    Each refit sees the data before its origin alone: tests that count a later period, be it of
    their carry-over, are left out. The forecast is told what was spent and what controls were, as
    in `forecast`, and not what mediators did. It judges predictions, not effects.

    Parameters
    ----------
    fit : Fit
    horizon : int
        Periods that are held out at each origin.
    origins : int
        How many refits: the last one ends ``horizon`` periods before the data do, the others
        ``step`` periods earlier each. Each takes as long as `fit` did.
    step : int, optional
        As many as the horizon by default.
    outcome : str, optional
        Needed when the graph has several.
    seed : int

    Returns
    -------
    Holdout

    Raises
    ------
    DataError
        Origins that leave less than a year, or fewer than 20 periods, to learn from.

    Notes
    -----
    The naive forecast repeats the same period of the year before, with the errors that this made
    in the data before the origin; without two years of these it repeats the last value, with the
    errors at the same distance. Source: Gneiting and Raftery (2007), Strictly proper scoring rules,
    prediction, and estimation.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.holdout(fit, horizon=13, origins=2)  # doctest: +SKIP
    """
    outcome = outcome or fit.spec.graph.outcome
    horizon = checks.count("holdout: horizon", horizon, 1)
    origins = checks.count("holdout: origins", origins, 1)
    step = horizon if step is None else checks.count("holdout: step", step, 1)
    settings = replace(Settings.from_dict(fit.info["settings"]), progress=False)
    rows, forecasts = {}, {}
    for start in _origins(fit.data, horizon, origins, step):
        data, future = _cut(fit, start, horizon)
        refit = fit_with(settings, _spec_before(fit, start), data, seed)
        draws = forecast(refit, future, seed=seed)[outcome]
        actual = fit.data.array(outcome)[..., start : start + horizon]
        naive = seasonal_naive(data, outcome, horizon, np.random.default_rng(seed))
        origin = future.time[0]
        forecasts[origin] = draws
        scores = _scores(draws.to_numpy().reshape(-1, *actual.shape), naive, actual)
        rows[origin.date()] = scores | {"converged": refit.convergence.converged}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("origin")
    table = _with_total(table)
    if fit.convergence.is_draft:
        table.columns.name = DRAFT
    return Holdout(table, forecasts, outcome)


def _origins(data: Dataset, horizon: int, origins: int, step: int) -> Iterator[int]:
    first = len(data.time) - horizon - (origins - 1) * step
    least = data.history + max(20, min(year_of(data), 52))
    if first < least:
        raise DataError(
            f"{origins} origins of {horizon} periods leave {first - data.history} periods to learn "
            f"from, and {least - data.history} are the least. Ask for fewer origins, or a shorter "
            "horizon."
        )
    return iter(range(first, len(data.time) - horizon + 1, step))


def _cut(fit: Fit, start: int, horizon: int) -> tuple[Dataset, Future]:
    """Return the data before an origin, and what is known of the periods after it."""
    data, spec = fit.data, fit.spec
    training = replace(data, table=data.table.isel(time=slice(0, start)), left_out={})
    columns = [*spec.planned]
    columns += [data.spend[v] for v in columns if v in data.spend]
    columns += [data.value] if isinstance(data.value, str) else []
    future_table = data.table[list(dict.fromkeys(columns))].isel(time=slice(start, start + horizon))
    return training, Future(future_table)


def _spec_before(fit: Fit, start: int) -> Spec:
    """Return a spec without the tests that count a period from the origin on, carry-over too."""
    later_tests = [str(t.name) for t in fit.spec.experiments if _is_later(fit, t.estimand, start)]
    return spec_without(fit.spec, later_tests)


def _is_later(fit: Fit, estimand: Estimand, start: int) -> bool:
    """Whether a test counts a period from the origin on; off the panel, whether it ended later."""
    if estimand.off_panel:
        return estimand.window is not None and estimand.window[1] >= fit.data.time[start]
    counts = scope(fit.scm, estimand.on(fit.spec.outcome_of(estimand))).counts
    return bool(counts[..., start:].any())


def seasonal_naive(
    data: Dataset, outcome: Node, horizon: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw the seasonal naive forecast: ``(draw, time)`` or ``(draw, unit, time)``."""
    path, year = data.array(outcome)[..., data.history :], year_of(data)
    periods = path.shape[-1]
    if periods >= 2 * year:
        center = path[..., -year:][..., np.arange(horizon) % year]
        errors = path[..., year:] - path[..., :-year]
        chosen = rng.integers(errors.shape[-1], size=(_NAIVE, horizon))
        noise = errors[..., chosen]
    else:
        center = np.repeat(path[..., -1:], horizon, axis=-1)
        lags = np.minimum(np.arange(1, horizon + 1), periods - 2)
        places = rng.random((_NAIVE, horizon)) * (periods - lags)
        begin = places.astype(int)
        noise = path[..., begin + lags] - path[..., begin]
    return center + (np.moveaxis(noise, -2, 0))


def crps(draws: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of draws, first dim, at what happened.

    Examples
    --------
    >>> float(crps(np.array([0.0, 0.0]), np.array(2.0))), float(crps(np.arange(3.0), np.array(1.0)))
    (2.0, 0.2222222222222222)
    """
    count = len(draws)
    ranks = 2 * np.arange(1, count + 1) - count - 1
    ordered = np.sort(draws, axis=0)
    spread = np.tensordot(ranks, ordered, axes=1) / count**2
    return np.abs(draws - actual).mean(axis=0) - spread


def _scores(draws: np.ndarray, naive: np.ndarray, actual: np.ndarray) -> dict[str, Any]:
    low, high = np.quantile(draws, [(1 - _PROB) / 2, (1 + _PROB) / 2], axis=0)
    scores: dict[str, float] = {"periods": actual.size}
    for suffix, sample in (("", draws), ("_naive", naive)):
        scores[f"crps{suffix}"] = float(crps(sample, actual).mean())
        error = np.abs(np.median(sample, axis=0) - actual).sum()
        scores[f"wmape{suffix}"] = float(error / np.abs(actual).sum())
    is_covered = (low <= actual) & (actual <= high)
    return scores | {"covered": float(is_covered.mean())}


def _with_total(table: pd.DataFrame) -> pd.DataFrame:
    """Add the means over origins, which have equally many periods, and the skill."""
    total = table.drop(columns=["periods", "converged"]).mean()
    total = pd.concat(
        [
            total,
            pd.Series({"periods": table["periods"].sum(), "converged": table["converged"].all()}),
        ]
    )
    table = pd.concat([table, total.to_frame("all").T])
    table["skill"] = 1 - table["crps"].astype(float) / table["crps_naive"].astype(float)
    columns = ["periods", "crps", "crps_naive", "skill", "covered", "wmape", "wmape_naive"]
    table = table[[*columns, "converged"]]
    return table.astype(dict.fromkeys(columns, float) | {"converged": bool}).rename_axis("origin")


def compare_fits(fits: Mapping[str, Fit]) -> pd.DataFrame:
    """Compare fits of the same data by the weeks that they would predict, left out one at a time.

        difference = elpd - elpd of the best,    se = sqrt(n) sd of the differences by week

    It does not choose a causal graph: an association predicts too.

    Parameters
    ----------
    fits : mapping of str to Fit
        Of the same data and modelled nodes.

    Returns
    -------
    pandas.DataFrame
        The best first: ``elpd``, ``difference``, ``se`` of the difference, ``p_loo``,
        ``unreliable``, the rows whose Pareto k is too high. Its attribute ``caveat`` says what it
        is not.

    Raises
    ------
    SpecError
        Fewer than two fits, other data or other modelled nodes.

    Notes
    -----
    Differences below four, or below twice their error, are noise. Source: Vehtari, Gelman and
    Gabry (2017).

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.compare_fits({"linear trend": fit, "no trend": other})  # doctest: +SKIP
    """
    if not isinstance(fits, Mapping) or len(fits) < 2:
        raise SpecError(f"compare_fits takes two fits or more, by name; got {shown(fits)}.")
    scores: dict[str, LeaveOneOut] = {name: leave_one_out(fit) for name, fit in fits.items()}
    first, *remaining = fits.values()
    for fit in remaining:
        if fit.data.hash != first.data.hash or {*fit.spec.modelled} != {*first.spec.modelled}:
            raise SpecError(
                "These fits are of other data, or model other nodes: "
                f"{', '.join(first.spec.modelled)} and {', '.join(fit.spec.modelled)}. Their "
                "densities are not of the same numbers."
            )
    best = max(scores, key=lambda name: scores[name].elpd)
    rows = {}
    for name, score in sorted(scores.items(), key=lambda item: -item[1].elpd):
        gaps = score.pointwise["elpd"] - scores[best].pointwise["elpd"]
        rows[name] = {
            "elpd": score.elpd,
            "difference": float(gaps.sum()),
            "se": float(np.sqrt(len(gaps)) * gaps.std(ddof=1)),
            "p_loo": score.p_loo,
            "unreliable": score.unreliable,
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("fit")
    table.attrs["caveat"] = CAVEAT
    return table
