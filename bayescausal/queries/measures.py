"""What a business asks of each channel, as one table: returns, margins, carry-over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal import checks
from bayescausal._types import Array, Draws, Node
from bayescausal.data.periods import CALENDARS, calendar
from bayescausal.errors import DataError, SpecError, shown
from bayescausal.experiments.estimand import Estimand, Times, incremental
from bayescausal.inference.evidence import channels as credited
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import contrast, net, reach, scope, spend_path
from bayescausal.model.scm import SCM, Equations
from bayescausal.queries.questions import (
    channels_for,
    checked_estimand,
    extrapolated_share_of,
    grade_of,
    ratio_coords,
    worth_in_words,
)
from bayescausal.queries.worlds import label

MEASURES = (
    "contribution",
    "share",
    "spend",
    "spend_share",
    "roas",
    "mroas",
    "cost",
    "elasticity",
    "profit",
    "marginal_profit",
    "half_life",
    "payback",
)
_STEP = 1e-4


@verb
def business_measures(
    fit: Fit,
    channels: Sequence[Node] | None = None,
    *,
    outcome: Node | None = None,
    window: tuple[Any, Any] | None = None,
    units: str | Sequence[str] | None = None,
    by: str | None = None,
    margin: float = 1.0,
    strict: bool = False,
) -> Draws:
    """Return what a business asks of each channel, in one table.

    All are read off the two contrasts of `roas` and `mroas`: the channel taken away, and its
    exposure a little larger and smaller.

    ===================  ===========================================================================
    ``contribution``     units of the outcome that the channel added
    ``share``            of the observed outcome, in the window
    ``spend``            currency
    ``spend_share``      of the spend on these channels
    ``roas, mroas``      value per unit of spend: of all that was spent, and of the next unit
    ``cost``             spend per incremental unit of the outcome
    ``elasticity``       percent more of the outcome for one percent more exposure
    ``profit``           ``margin * value - spend``
    ``marginal_profit``  ``margin * mroas - 1``, of the next unit of spend
    ``half_life``        periods after exposure until half of its effect has come
    ``payback``          periods after exposure until ``margin * value`` covers what it cost
    ===================  ===========================================================================

    Parameters
    ----------
    fit : Fit
    channels : sequence of str, optional
        By default treatments that reach the outcome, and paid mediators.
    outcome : str, optional
        Needed when the graph has several.
    window : (start, end), optional
        Exposure in it, with all of its carry-over.
    units : str or sequence of str, optional
    by : {"unit", "week", "month", "quarter", "year"}, optional
        A table for each; exposure counts where it ran, its carry-over with it.
    margin : float
        Profit per unit of value, before the spend.
    strict : bool
        As in `effect`, for every channel.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, channel, measure)``, with ``by`` another one of that name in front.
        Without spend there is no return, and the measures of money are NaN with a ``note``.

    Raises
    ------
    DataError
        ``by="unit"`` of national data; a window or units that are not in the data.
    SpecError
        Another ``by``, or a margin that is no positive number.

    Notes
    -----
    ``half_life`` and ``payback`` are of the exposure of one period: the channel's largest after
    which carry-over ends within the data. They count mediators too.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.summarize(bc.business_measures(fit, by="quarter", margin=0.4))  # doctest: +SKIP
    """
    if checks.number("business_measures: margin", margin) <= 0:
        raise SpecError(f"margin is profit per unit of value, above zero; got {margin:g}.")
    scm, outcome = fit.scm, outcome or fit.spec.graph.outcome
    names = channels_for(fit, channels, outcome, credited(fit.spec, outcome, fit.data.spend))
    first_question = incremental(names[0], outcome=outcome, window=window, units=units)
    places = _places(fit, checked_estimand(fit, first_question), by)
    grades, values, prior, shares = [], [], [], []
    spends = {v: [_spend(scm, _removal(place, v)) for place in places.values()] for v in names}
    paid = np.nansum([*spends.values()], axis=0)
    for name in names:
        questions = [checked_estimand(fit, _removal(place, name)) for place in places.values()]
        grades.append(
            max((grade_of(fit, q, strict) for q in questions), key=lambda grade: grade.letter)
        )
        shares.append([extrapolated_share_of(fit, question) for question in questions])
        pulses = questions if by == "unit" else questions[:1]  # one pulse, whatever the window
        measures_at = partial(
            _channel_measures,
            places=list(zip(questions, spends[name], paid, strict=True)),
            pulses=pulses,
            margin=margin,
        )
        edges = edges_below(fit.spec, [name])
        values.append(fit.evaluate(measures_at, edges))
        if fit.has_prior:
            prior.append(fit.evaluate(measures_at, edges, "prior"))
    dims: tuple[str, ...] = ("channel", "measure") if by is None else (by, "channel", "measure")
    only_place = 0 if by is None else slice(None)
    draws = np.stack(values, axis=3)[:, :, only_place]
    prior_draws = np.stack(prior, axis=3)[:, :, only_place] if prior else None
    kinds = np.array([m if m in ("cost", "half_life", "payback") else "own" for m in MEASURES])
    return label(
        fit,
        draws,
        dims,
        {
            **({by: list(places)} if by else {}),
            "channel": names,
            "measure": list(MEASURES),
            **ratio_coords(draws, dims, kinds),
        },
        "business measures",
        grades={"channel": grades},
        prior=prior_draws,
        extrapolated_share=[row[0] for row in shares]
        if by is None
        else [*zip(*shares, strict=True)],
        outcome=outcome,
        margin=float(margin),
        value=worth_in_words(fit, outcome),
    )


@verb
def differences(draws: Draws) -> Draws:
    """Return each channel less each other one, draw by draw.

    `summarize` then says by how much one is better, and in ``p_positive`` how probably: P(A > B).
    That cannot be read off two intervals, since draws of two channels go together.

    Parameters
    ----------
    draws : xarray.DataArray
        With a dim ``channel``: `roas`, `mroas`, `contributions`, or a measure of
        `business_measures`.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, ..., channel, than)``, without the pairs of one channel (NaN).

    Notes
    -----
    A better ROAS is no reason to move spend: it says which channel's spend brought more, on
    average. What the next unit of spend brings is `mroas`, and that is a slope at what was spent,
    good for small moves only.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.summarize(bc.differences(bc.mroas(fit)))  # doctest: +SKIP
    """
    bare = _by_channel("differences", draws)
    gap = bare - bare.rename(channel="than")
    gap = gap.where(gap["channel"] != gap["than"])
    gap.attrs = {**draws.attrs}
    return gap.rename(f"{draws.name}: channel less than")


@verb
def ranks(draws: Draws) -> Draws:
    """Return which rank each channel has in each draw, as an indicator of every rank.

        I[channel has rank r],    rank 1 is the largest

    In `summarize` its ``mean``, and ``p_positive``, are the probability of the rank. Not proof
    against bias: one that all channels share leaves ranks as they are, an unequal one changes them.

    Parameters
    ----------
    draws : xarray.DataArray
        With a dim ``channel``: `roas`, `mroas`, `contributions`, or a measure of
        `business_measures`.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, ..., channel, rank)``. A channel without a number (no spend) has no
        rank.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.summarize(bc.ranks(bc.mroas(fit)))["mean"].unstack("rank")  # doctest: +SKIP
    """
    bare = _by_channel("ranks", draws)
    values = bare.to_numpy()
    count = values.shape[-1]
    better = (values[..., None, :] > values[..., :, None]).sum(axis=-1) + 1.0
    place = np.where(np.isnan(values), np.nan, better)
    indicators = 1.0 * (place[..., None] == np.arange(1, count + 1))
    indicators[np.isnan(place)] = np.nan
    result = bare.expand_dims(rank=np.arange(1, count + 1), axis=-1).copy(data=indicators)
    result.attrs = {
        **draws.attrs,
        "caveat": "a bias that differs between channels changes ranks; a shared one does not",
    }
    return result.rename(f"{draws.name}: rank")


def _by_channel(title: str, draws: Any) -> Draws:
    """Return draws with their channels last and no other coords, or raise."""
    if not isinstance(draws, xr.DataArray) or not {"chain", "draw", "channel"} <= {*draws.dims}:
        raise SpecError(
            f"{title} takes draws with a dim channel, as roas(fit) returns; got {shown(draws)}."
        )
    others = [str(d) for d in draws.dims if d not in ("chain", "draw", "channel")]
    return draws.reset_coords(drop=True).transpose("chain", "draw", *others, "channel")


def _removal(place: Estimand, name: Node) -> Estimand:
    return replace(place, control={name: 0.0})


def _places(fit: Fit, question: Estimand, grouping: str | None) -> dict[str, Estimand]:
    """Return the windows and units of a table, by label."""
    if grouping is None:
        return {"all": question}
    if checks.choice("by", grouping, ("unit", *CALENDARS)) == "unit":
        if not fit.data.is_panel:
            raise DataError("by='unit': the data are national. Give a panel, or leave by out.")
        return {unit: question.within(unit) for unit in question.units or fit.data.units}
    acts = scope(fit.scm, question).acts
    rows = acts.reshape(-1, acts.shape[-1]).any(axis=0)
    time = fit.data.time
    labels = pd.Series(calendar(time, grouping), index=time)[rows]
    spans = {str(k): v.index for k, v in labels.groupby(labels, sort=False)}
    return {k: replace(question, window=(days[0], days[-1])) for k, days in spans.items()}


def _spend(scm: SCM, question: Estimand) -> float:
    """Return what the exposure of a place cost; NaN where the channel has no spend."""
    (name,) = question.treatments
    if name not in scm.data.spend:
        return np.nan
    spend = float(net(spend_path(scm, question), None))
    return spend or np.nan


def _channel_measures(
    equations: Equations,
    places: Sequence[tuple[Estimand, float, float]],
    pulses: Sequence[Estimand],
    margin: float,
) -> Array:
    """Return `MEASURES` of a channel, ``(draw, place, measure)``.

    A place is a question, the channel's spend there and that of all channels. Carry-over is that of
    the pulse of the same place, or of the only one.
    """
    speeds = [_carried(equations, question, margin) for question in pulses]
    rows = [
        [*_measures(equations, question, spend, paid, margin), *speeds[k % len(speeds)]]
        for k, (question, spend, paid) in enumerate(places)
    ]
    size = (equations.draws,)
    return np.stack(
        [np.stack([np.broadcast_to(v, size) for v in row], axis=-1) for row in rows], axis=1
    )


def _measures(
    equations: Equations, question: Estimand, spend: float, paid: float, margin: float
) -> list[Array]:
    """Return all measures but those of carry-over, in the order of `MEASURES`."""
    scm = equations.scm
    (name,), outcome = question.treatments, scm.spec.outcome_of(question)
    worth, axes = scm.data.value_of_outcome(), tuple(range(-scm.depth, 0))
    nudge = replace(question, active={name: Times(1 + _STEP)}, control={name: Times(1 - _STEP)})
    path, slope = contrast(equations, question), contrast(equations, nudge)
    gain, value = path.sum(axis=axes), (path * worth).sum(axis=axes)
    level = np.where(scope(scm, question).acts, equations.x[outcome], 0.0).sum()
    steps = _spend(scm, nudge)
    mroas = (slope * worth).sum(axis=axes) / steps
    gains = gain > 0
    cost = np.where(gains, spend / np.where(gains, gain, 1.0), np.inf if spend == spend else np.nan)
    elasticity = slope.sum(axis=axes) / (2 * _STEP) / level
    profits = [margin * value - spend, margin * mroas - 1]
    shares = [np.array(spend), np.array(spend / paid if paid else np.nan)]
    return [gain, gain / level, *shares, value / spend, mroas, cost, elasticity, *profits]


def _carried(equations: Equations, question: Estimand, margin: float) -> list[Array]:
    """Return the half-life and the payback of the exposure of one period."""
    scm = equations.scm
    (name,) = question.treatments
    all_periods = replace(question, window=None)
    last = len(scm.data.time) - reach(scm, all_periods)
    exposure = np.where(scope(scm, all_periods).acts, equations.x[name], 0.0)
    volume = exposure.reshape(-1, exposure.shape[-1]).sum(axis=0)[:last]
    if not volume.any():
        return [np.array(np.nan)] * 2
    peak = int(volume.argmax())
    pulse = replace(question, window=(scm.data.time[peak], scm.data.time[peak]))
    path, axes = contrast(equations, pulse), tuple(range(-scm.depth, -1))
    value = (path * scm.data.value_of_outcome()).sum(axis=axes)[..., peak:]
    cumulative = np.abs(path.sum(axis=axes))[..., peak:].cumsum(axis=-1)
    half = (cumulative < 0.5 * cumulative[..., -1:]).sum(axis=-1).astype(float)
    covered = margin * value.cumsum(axis=-1) >= _spend(scm, pulse)
    payback = np.where(covered.any(axis=-1), covered.argmax(axis=-1), np.inf)
    return [half, payback if name in scm.data.spend else np.array(np.nan)]
