"""Compute what may happen after the data: `forecast`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import xarray as xr

from bayescausal._types import Node
from bayescausal.data.continued_table import beyond_observed
from bayescausal.data.future import Future
from bayescausal.inference.extension import ExtendedFit, extend
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.queries.worlds import label


@verb
def forecast(fit: Fit, future: Future, *, seed: int = 0) -> xr.Dataset:
    """Simulate every modelled node after the data, given what is planned.

        e_t = phi e_{t-1} + fresh innovations,    e_{T-1} the error of the last observed period

    Each draw has its own parameters and errors. Carry-over of past exposure goes on, errors keep
    their memory, mediators are simulated. Spend is set, as an intervention: a forecast does not
    read plans as signs of demand.

    Not a test of the graph: a model may predict well by associations that no budget can use.

    Parameters
    ----------
    fit : Fit
    future : Future
    seed : int
        Of the errors.

    Returns
    -------
    xarray.Dataset
        One variable a modelled node, dims ``(chain, draw, time)`` or ``(..., unit, time)``, in
        original units; the attribute ``extrapolation`` names inputs that go beyond the data.

    Raises
    ------
    DataError
        As `extend`.

    Notes
    -----
    The baseline goes on by its terms: a linear trend keeps its slope, a piecewise one its last
    slope, and no interval covers a change of it. Source: MODEL.md section 6.9.

    Examples
    --------
    >>> import bayescausal as bc
    >>> ahead = bc.Future.like(fit.data, periods=13)  # doctest: +SKIP
    >>> bc.summarize(bc.forecast(fit, ahead)["sales"])  # doctest: +SKIP
    """
    extended = extend(fit, future, seed=seed)
    values = extended.simulation().reshape(*fit.shape, len(fit.spec.modelled), *_shape(extended))
    units = {"unit": list(fit.data.units)} if fit.data.is_panel else {}
    attributes: dict[str, Any] = {
        "kind": "forecast",
        "world": "spend as planned; mediators react",
        "extrapolation": extrapolation(fit, extended.future, fit.spec.planned),
    }
    coords = {**units, "time": future.time}
    return xr.Dataset(
        {
            node: label(fit, values[:, :, k], fit.data.dims, coords, node, **attributes)
            for k, node in enumerate(fit.spec.modelled)
        },
        attrs=attributes,
    )


def _shape(extended: ExtendedFit) -> tuple[int, ...]:
    periods = len(extended.future.time)
    return (len(extended.data.units), periods) if extended.data.is_panel else (periods,)


def extrapolation(fit: Fit, future: Future, nodes: Collection[Node]) -> str:
    """Say which inputs of a future go beyond the data; empty if none does."""
    reached = beyond_observed(fit.data, future, nodes)
    return ", ".join(
        f"{name} reaches {times:.2g} times the largest value that was seen"
        for name, times in reached.items()
    )
