"""Draw curves: of single edges by exposure and by lag, and of total effects by spend."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from bayescausal import checks
from bayescausal._types import Array, Draws, Node
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import Estimand, Times
from bayescausal.graphs.edge import Edge
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import contrast, spend_change, spend_path
from bayescausal.model.scm import Equations
from bayescausal.queries.questions import (
    attributes_of,
    checked_estimand,
    edge_of,
    grade_of,
    worth_in_words,
)
from bayescausal.queries.worlds import label

_STEP = 1e-4


@verb
def response_curve(fit: Fit, edge: str | Edge, *, points: int = 50, upto: float = 1.2) -> Draws:
    """Return draws of the steady response along one edge to constant exposure.

    Parameters
    ----------
    fit : Fit
    edge : str
        ``"tv->sales"``.
    points : int
        Number of exposures, from zero.
    upto : float
        The largest one, as a multiple of the largest observed. Beyond 1 it is extrapolation.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, exposure)``; per period, in units of the target (identity link) or in
        log units. In a panel: the mean over units, each at the same share of its own maximum.
    """
    edge = edge_of(fit, edge)
    scm, response = fit.scm, fit.spec.mechanisms[edge]
    chains, draws = fit.shape
    points = checks.count("response_curve: points", points, 1)
    checks.affordable("points", points, 8 * (4 * chains * draws + response.reach))
    if checks.number("upto", upto) <= 0:
        raise SpecError(f"upto is a multiple of the largest exposure, above 0; got {upto:g}.")
    share = np.linspace(0, upto, points)
    size = scm.scale[edge.target] ** (fit.spec.link(edge.target) == "identity")

    def curve(equations: Equations) -> Array:
        theta = equations.theta
        parameters = {name: theta[f"{edge}:{name}"] for name in response.priors}
        beta = equations.edges[edge].beta.reshape(-1, 1)
        steady = np.repeat(share[:, None], response.reach + 1, axis=1)
        ends = [response.curve(np, level, parameters)[..., -1] for level in steady]
        f = np.broadcast_to(np.stack(ends, axis=-1), (len(beta), points))
        factors = scm.factor(str(edge), theta) if str(edge) in scm.unit_specific else 1.0
        return np.mean(size * factors, axis=(-2, -1)[-scm.depth :])[..., None] * beta * f

    values = fit.evaluate(curve, only=[edge])
    exposure = share * float(scm.scale[edge.source].mean())
    return label(fit, values, ("exposure",), {"exposure": exposure}, str(edge))


@verb
def adstock_curve(fit: Fit, edge: str | Edge) -> Draws:
    """Return draws of the share of an edge's effect at each lag.

    It is the response of the edge's adstock alone to one period of exposure, summing to one.

    Parameters
    ----------
    fit : Fit
    edge : str
        ``"tv->sales"``.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, lag)``.
    """
    edge = edge_of(fit, edge)
    response = fit.spec.mechanisms[edge]
    steps = [t for t in response.transforms if t.reach]
    pulse = np.zeros(response.reach + 1)
    pulse[0] = 1.0

    def weights(equations: Equations) -> Array:
        parameters = {name: equations.theta[f"{edge}:{name}"] for name in response.priors}
        path = pulse
        for step in steps:
            path = step.apply(np, path, {name: parameters[name] for name in step.priors})
        path = np.broadcast_to(path, (equations.draws, len(pulse)))
        return path / path.sum(axis=-1, keepdims=True)

    values = fit.evaluate(weights, only=[edge])
    return label(fit, values, ("lag",), {"lag": np.arange(len(pulse)) + edge.lag}, str(edge))


@verb
def spend_response(
    fit: Fit,
    channel: Node,
    *,
    window: tuple[Any, Any] | None = None,
    outcome: Node | None = None,
    upto: float = 1.5,
    points: int = 25,
) -> xr.Dataset:
    """Return draws of the total effect of a channel by what is spent on it.

        effect(f) = sum (Y(f x) - Y(0)),   spend(f) = f spend

    The channel's own pattern in time, scaled by a factor, against no spend on it: through every
    path, with mediators that react and with carry-over. Not the steady response along one edge
    (`response_curve`), and not a forecast. For another pattern, such as steady spend, ask a fit
    that goes on with it: ``extend(fit, future.assign(tv=1000.0))``, ``window=future.window``.

    Parameters
    ----------
    fit : Fit
    channel : str
        With a spend in the window.
    window : (start, end), optional
        All of the data by default.
    outcome : str, optional
        Needed when the graph has several.
    upto : float
        The largest spend, as a multiple of the present one.
    points : int
        Number of spends, from zero, 2 or more.

    Returns
    -------
    xarray.Dataset
        Dims ``(chain, draw, spend)``: ``effect``, in units of the outcome, and
        ``marginal_return``, the value of what the next unit of spend brings, which at the present
        spend is `mroas`. Coords ``factor``, ``extrapolated`` (an average running period then
        spends more than the largest that was seen), and the scalars ``current_spend`` and
        ``observed_spend``, where that begins. The attribute ``extrapolation`` says it in words.

    Raises
    ------
    DataError
        The channel has no spend, or none in the window.

    Examples
    --------
    >>> import bayescausal as bc
    >>> curve = bc.spend_response(fit, "tv")  # doctest: +SKIP
    >>> bc.summarize(curve["marginal_return"])  # doctest: +SKIP
    """
    effects = effect_by_spend(fit, channel, window, outcome, upto, points)
    place: dict[str, Any] = {"outcome": effects.attrs["outcome"], "window": window}
    spend, worth = float(effects["current_spend"]), fit.data.value_of_outcome()
    ends = [(f + _STEP, max(f - _STEP, 0.0)) for f in effects["factor"].to_numpy()]
    axes = tuple(range(-fit.scm.depth, 0))

    def slopes(equations: Equations) -> Array:
        def slope(high: float, low: float) -> Array:
            worlds = Estimand({channel: Times(high)}, {channel: Times(low)}, **place)
            gain = (contrast(equations, worlds) * worth).sum(axis=axes)
            return np.broadcast_to(gain / (spend * (high - low)), (equations.draws,))

        return np.stack([slope(*pair) for pair in ends], axis=1)

    values = fit.evaluate(slopes, edges_below(fit.spec, [channel]))
    return xr.Dataset({"effect": effects, "marginal_return": effects.copy(data=values)})


def effect_by_spend(
    fit: Fit,
    channel: Node,
    window: tuple[Any, Any] | None = None,
    outcome: Node | None = None,
    upto: float = 1.5,
    points: int = 25,
) -> Draws:
    """Return the effects of `spend_response`, with its coords, and no slopes."""
    outcome = outcome or fit.spec.graph.outcome
    channel = checks.name("spend_response: channel", channel)
    points = checks.count("spend_response: points", points, 2)
    chains, draws = fit.shape
    checks.affordable("points", points, 8 * 6 * chains * draws)
    if checks.number("upto", upto) <= 0:
        raise SpecError(f"upto is a multiple of the present spend, above 0; got {upto:g}.")
    place: dict[str, Any] = {"outcome": outcome, "window": window}
    removal = checked_estimand(fit, Estimand(control={channel: 0.0}, **place))
    spend, observed = _current_and_observed(fit, channel, removal)
    factors = np.linspace(0, upto, points)
    axes = tuple(range(-fit.scm.depth, 0))

    def effects(equations: Equations) -> Array:
        def gain(factor: float) -> Array:  # over the present spend
            world = Estimand({channel: Times(factor)}, **place)
            return np.broadcast_to(contrast(equations, world).sum(axis=axes), (equations.draws,))

        gains = np.stack([gain(f) for f in factors], axis=1)
        return gains - gains[:, :1]

    grade = grade_of(fit, removal, False)
    attributes = attributes_of(fit, removal, grade) | {
        "channel": channel,
        "value": worth_in_words(fit, outcome),
        "extrapolation": f"beyond a spend of {observed:,.6g} an average running period spends more "
        "than the largest one that was seen: there the form of the curve and the priors speak",
    }
    coords = {
        "spend": factors * spend,
        "factor": ("spend", factors),
        "extrapolated": ("spend", factors * spend > observed * (1 + 1e-9)),
        "current_spend": spend,
        "observed_spend": observed,
    }
    values = fit.evaluate(effects, edges_below(fit.spec, [channel]))
    return label(fit, values, ("spend",), coords, "effect", grades=grade, **attributes)


def _current_and_observed(fit: Fit, channel: Node, removal: Estimand) -> tuple[float, float]:
    """Return what was spent in the window, and the spend whose average period is the largest."""
    if channel not in fit.data.spend:
        raise DataError(
            f"'{channel}' has no spend. There is spend for "
            f"{', '.join(sorted(fit.data.spend)) or 'nothing'}: give Dataset.from_frame(spend=...)."
        )
    spend = spend_change(fit.scm, removal)
    if spend <= 0:
        raise DataError(f"'{channel}' has no spend in the window. Give another window=.")
    return spend, spend * observed_factor(fit, removal)


def observed_factor(fit: Fit, removal: Estimand) -> float:
    """Return the factor at which the average running period spends what the largest one did.

        max over all periods of spend / mean over running periods of the window

    Sums over units. The largest period is one of all the data, the mean one of the window.
    """
    all_periods = Estimand(control=removal.control, outcome=removal.outcome)
    paths = spend_path(fit.scm, removal), spend_path(fit.observed.scm, all_periods)
    window_spend, total_spend = (np.atleast_2d(path).sum(axis=0) for path in paths)
    return float(total_spend.max() / window_spend[window_spend > 0].mean())


def peak_share(fit: Fit, removal: Estimand) -> float:
    """Return the mean over running periods of the window, over the largest of them, by spend."""
    path = np.atleast_2d(spend_path(fit.scm, removal)).sum(axis=0)
    running = path[path > 0]
    return float(running.mean() / running.max())
