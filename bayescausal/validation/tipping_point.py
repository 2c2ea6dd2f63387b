"""The tipping point: which correlation of errors would change what a fit says of a channel."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import TablePage, html_page
from bayescausal._types import Node
from bayescausal.errors import NotConverged, SpecError
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.inference.fit import Fit, edges_below, total_effect
from bayescausal.inference.fitting import fit_with
from bayescausal.inference.settings import Settings
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import contrast
from bayescausal.model.scm import Equations
from bayescausal.queries.questions import channels_for
from bayescausal.validation.correlated_errors import (
    held_at,
    pair_name,
    weights_at,
    with_shared_cause,
)

REWEIGHTED, REFITTED, UNKNOWN = "reweighted", "refitted", "not known"
"""Where the numbers at a correlation come from."""

_GRID = tuple(float(rho) for rho in np.linspace(-0.6, 0.6, 25).round(3))
_LARGEST = 0.95
_TUNE, _DRAWS, _TARGET = 400, 1000, 0.95  # of the sampler where errors share causes
_COLUMNS = ["median", "mean", "low", "high", "p_positive", "p_break_even", "k", "ess", "source"]


@dataclass(frozen=True, eq=False, repr=False)
class TippingPoint(TablePage):
    """What is left of a channel's effect, by the correlation of errors that a hidden driver makes.

    Parameters
    ----------
    channel, outcome : str
    table : pandas.DataFrame
        By ``correlation``: ``median``, ``mean``, ``low`` and ``high`` of the total effect in units
        of the outcome, ``p_positive``, ``p_break_even`` (a return above 1; no value without
        spend), Pareto ``k`` of the weights and how many draws they are worth, ``ess``, and the
        ``source``: reweighted, refitted or not known, which has no numbers.
    prob : float
        Probability inside the intervals.
    problem : str
        What is wrong with the fits behind it; empty when nothing is.
    """

    channel: Node
    outcome: Node
    table: pd.DataFrame
    prob: float
    problem: str = ""

    @property
    def interval_reaches_zero(self) -> float | None:
        """The smallest correlation by size at which the interval of the effect holds zero."""
        return nearest_crossing(_margin(self.table))

    @property
    def sign_turns(self) -> float | None:
        """The smallest correlation by size at which the median effect is zero."""
        return nearest_crossing(self.table["median"] * _sign(self.table))

    @property
    def break_even(self) -> float | None:
        """The smallest correlation by size at which a return above 1 is as likely as not."""
        return nearest_crossing(self.table["p_break_even"] - 0.5)

    @property
    def known(self) -> tuple[float, float]:
        """The smallest and the largest correlation at which there are numbers."""
        index = self.table.index[self.table["median"].notna()]
        return float(index.min()), float(index.max())

    @property
    def sentences(self) -> list[str]:
        """What follows, in words."""
        zero, break_even = self.interval_reaches_zero, self.break_even
        known = "between {:+.2f} and {:+.2f}, as far as is known".format(*self.known)
        interval = f"The {self.prob:.0%} interval of the effect of {self.channel}"
        if zero is None:
            lines = [f"{interval} holds no zero at any correlation of errors {known}."]
        elif not zero:
            lines = [f"{interval} holds zero without any hidden driver."]
        else:
            lines = [
                f"{interval} reaches zero at a correlation of errors of {zero:+.2f}, that of a "
                f"driver behind {abs(zero):.0%} of what is left of channel and outcome."
            ]
        if self.table["p_break_even"].notna().any():
            if break_even is None:
                lines.append(f"A return above 1 stays more likely than not {known}.")
            elif not break_even:
                lines.append("A return above 1 is no more likely than not without any of it.")
            else:
                lines.append(f"A return above 1 is as likely as not at {break_even:+.2f}.")
        return lines + ([self.problem] if self.problem else [])

    def __str__(self) -> str:
        table = self.table[["median", "low", "high", "p_positive", "k", "ess", "source"]]
        return "\n".join([*self.sentences, "", table.round(2).to_string(na_rep="")])

    def _repr_html_(self) -> str:
        return html_page(self.sentences, self.table)


def nearest_crossing(margin: pd.Series) -> float | None:
    """Return the index nearest to zero at which values are gone, linear between known ones.

    Zero itself where they are gone there; None where they are nowhere gone.

    Examples
    --------
    >>> nearest_crossing(pd.Series([4.0, 2.0, -2.0], index=[0.0, 0.1, 0.2]))
    0.15
    """
    known = margin.dropna()
    crossings = []
    for side in (known[known.index >= 0], known[known.index <= 0][::-1]):
        rho, value = side.index.to_numpy(dtype=float), side.to_numpy(dtype=float)
        gone = np.flatnonzero(value <= 0)
        if len(gone) and (k := int(gone[0])):
            part = value[k - 1] / (value[k - 1] - value[k])
            crossings.append(round(float(rho[k - 1] + part * (rho[k] - rho[k - 1])), 12))
        elif len(gone):
            crossings.append(float(rho[0]))
    return min(crossings, key=abs, default=None)


@verb
def tipping_point(
    fit: Fit,
    channel: Node,
    *,
    outcome: Node | None = None,
    correlations: Sequence[float] | None = None,
    prob: float = 0.9,
    refits: int = 2,
    seed: int | None = None,
) -> TippingPoint:
    """Return what is left of a channel's effect by the correlation that a hidden driver makes.

    The model is that of the fit with ``channel <-> outcome``, so the channel has an equation of its
    own, and with the correlation of the two errors held, as priors, curves, carry-over and tests
    are. It is sampled once with a free correlation; each correlation then weighs the draws
    (`weights_at`). A correlation rho is that of a driver which explains the share ``|rho|`` of what
    is left of each, if it is as strong in both. Not a probability that there is such a driver.

    Parameters
    ----------
    fit : Fit
    channel : str
    outcome : str, optional
        Needed when the graph has several.
    correlations : sequence of float, optional
        From -0.6 to 0.6 in steps of 0.05 by default; zero is always there.
    prob : float
        Probability inside the intervals.
    refits : int
        Where weights are not to be trusted (Pareto k) there are no numbers; this many correlations
        are fitted again, each as long as `fit` takes, as long as zero is not reached.
    seed : int, optional

    Returns
    -------
    TippingPoint

    Raises
    ------
    SpecError
        The channel does not reach the outcome, or the fit has augmented rows.
    DataError
        The data have no column of a cause of the channel.

    Warns
    -----
    NotConverged
        When a fit behind it has not converged.

    Notes
    -----
    A fit whose graph has ``channel <-> outcome`` is reweighted as it is, and nothing is sampled.
    In a linear model with flat priors the effect is zero at the partial correlation of channel and
    outcome given the controls. Priors, tests, carry-over and curves hold an effect beyond that, and
    no verdict counts on curves: `sensitivity` credits none of these. Source: MODEL.md section 4;
    Vehtari et al. (2024), JMLR 25, for Pareto k.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.tipping_point(fit, "tv", seed=1)  # doctest: +SKIP
    """
    outcome = outcome or fit.spec.graph.outcome
    (channel,) = channels_for(fit, [checks.name("tipping_point: channel", channel)], outcome)
    estimand = incremental(channel, outcome=outcome)
    fit.spec.check_estimand(estimand)
    if fit.plain is not None:
        raise SpecError("The fit has augmented rows. Ask tipping_point(fit.plain, ...).")
    refits = checks.count("tipping_point: refits", refits)
    grid = _grid(_GRID if correlations is None else correlations)
    first, *seeds = np.random.SeedSequence(checks.seed_or_drawn("seed", seed)).spawn(1 + refits)
    open_fit = _open_fit(fit, channel, outcome, int(first.generate_state(1)[0]))
    rows = {}
    name, draws = pair_name(channel, outcome), _draws(open_fit, estimand)
    for rho, weights in zip(grid, weights_at(open_fit, name, grid), strict=True):
        ends = {"k": weights.k, "ess": weights.ess}
        if weights.trusted:
            rows[rho] = {**_reduced(draws, weights.values, prob), **ends, "source": REWEIGHTED}
        else:
            rows[rho] = {**ends, "source": UNKNOWN}
    fits = [open_fit]
    for part in seeds:
        place = _unanswered(_table(rows))
        if place is None:
            break
        fits.append(refit_at(fit, channel, outcome, place, int(part.generate_state(1)[0])))
        draws = _draws(fits[-1], estimand)
        uniform = np.full(len(draws["effect"]), 1 / len(draws["effect"]))
        rows[place] |= {**_reduced(draws, uniform, prob), "source": REFITTED}
    states = [f.convergence for f in fits]
    problem = " ".join(dict.fromkeys(state.remark for state in states if state.remark))
    if not all(state.converged for state in states):
        warnings.warn(problem, NotConverged, stacklevel=3)
    return TippingPoint(channel, outcome, _table(rows), prob, problem)


def refit_at(fit: Fit, channel: Node, outcome: Node, correlation: float, seed: int) -> Fit:
    """Fit again with the correlation of the two errors held: what weights stand for."""
    spec = with_shared_cause(fit.spec, channel, outcome, held_at(correlation))
    return fit_with(_settings(fit), spec, fit.data, seed)


def _open_fit(fit: Fit, channel: Node, outcome: Node, seed: int) -> Fit:
    """Return a fit in which the correlation is free: this one, if it has it, or a new one."""
    if pair_name(channel, outcome) in {cause.name for cause in fit.spec.confounders}:
        return fit
    return fit_with(_settings(fit), with_shared_cause(fit.spec, channel, outcome), fit.data, seed)


def _settings(fit: Fit) -> Settings:
    """Return the settings of the fit, or those that `fit` takes where errors share causes."""
    settings = Settings.from_dict(fit.info["settings"])
    least = {"tune": _TUNE, "draws": _DRAWS, "target_accept": _TARGET}
    longer = {key: max(getattr(settings, key), value) for key, value in least.items()}
    return replace(settings, progress=False, **longer)


def _grid(correlations: Sequence[float]) -> list[float]:
    values = checks.several(correlations, int | float) or ()
    numbers = {checks.number("tipping_point: correlations", value) for value in values}
    if max(map(abs, numbers), default=0.0) > _LARGEST:
        raise SpecError(
            f"tipping_point: correlations lie between -{_LARGEST} and {_LARGEST}; got "
            f"{max(numbers, key=abs):g}."
        )
    return sorted(numbers | {0.0})


def _draws(fit: Fit, estimand: Estimand) -> dict[str, np.ndarray]:
    """Return draws of the effect, and of what the channel earned beyond its cost."""
    draws = {"effect": total_effect(fit, estimand).ravel()}
    (channel,) = estimand.treatments
    if channel in fit.data.spend:
        worth, axes = fit.data.value_of_outcome(), tuple(range(-fit.scm.depth, 0))
        spend = fit.data.spend_of(channel)[..., fit.data.history :].sum()

        def earned(equations: Equations) -> np.ndarray:
            return (contrast(equations, estimand) * worth).sum(axis=axes) - spend

        draws["earned"] = fit.evaluate(earned, edges_below(fit.spec, [channel])).ravel()
    return draws


def _reduced(draws: dict[str, np.ndarray], weights: np.ndarray, prob: float) -> dict[str, Any]:
    effect = draws["effect"]
    levels = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    low, median, high = np.quantile(effect, levels, weights=weights, method="inverted_cdf")
    earned = weights[draws["earned"] > 0].sum() if "earned" in draws else np.nan
    row = {"median": median, "mean": weights @ effect, "low": low, "high": high}
    return row | {"p_positive": weights[effect > 0].sum(), "p_break_even": earned}


def _table(rows: dict[float, dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(rows, orient="index", columns=_COLUMNS)
    return table.rename_axis("correlation")


def _sign(table: pd.DataFrame) -> float:
    """Return the sign of the effect without a hidden driver."""
    return -1.0 if table.loc[0.0, "median"] < 0 else 1.0


def _margin(table: pd.DataFrame) -> pd.Series:
    """Return how far the interval is from zero, on the side of the effect."""
    return table["low"] if _sign(table) > 0 else -table["high"]


def _unanswered(table: pd.DataFrame) -> float | None:
    """Return the next correlation to fit, outward where the effect shrinks; None at an answer."""
    known = table["median"].dropna()
    if 0.0 not in known.index:
        return 0.0
    if nearest_crossing(_margin(table)) is not None:
        return None
    shrinks_upward = _sign(table) * (known.iloc[-1] - known.iloc[0]) < 0
    if shrinks_upward or len(known) == 1:
        return next((float(r) for r in table.index[table.index > known.index.max()]), None)
    return next((float(r) for r in table.index[table.index < known.index.min()][::-1]), None)
