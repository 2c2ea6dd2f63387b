"""Compute worlds that would have happened (`counterfactual`) or would happen (`do`)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayescausal._types import Array, Draws, Intervention, Node
from bayescausal.errors import SpecError, shown
from bayescausal.experiments.estimand import Estimand
from bayescausal.graphs.edge import Edge
from bayescausal.identification.ladder import Grade
from bayescausal.inference.carry_over import cut_in_words
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import resolve, scope
from bayescausal.model.feedback import evolve
from bayescausal.model.predict import generate
from bayescausal.model.scm import Equations
from bayescausal.queries.summary import prior_coords


def label(
    fit: Fit,
    values: np.ndarray,
    dims: tuple[str, ...],
    coords: Mapping[str, Any],
    name: str,
    *,
    grades: Mapping[str, Sequence[Grade]] | Grade | None = None,
    prior: np.ndarray | None = None,
    extrapolated_share: float | Sequence[Any] | None = None,
    **attrs: Any,
) -> Draws:
    """Label draws with dims, the grade of what they rest on, and whether the fit converged.

    Carry-over that runs into the end of its window is said too (`carry_over`), and so are errors
    that do not look as the model says (`misfit`).

    ``grades`` is the grade of all draws, or by dim one for each label of it; they become the
    coords ``status`` and ``grade``. ``prior`` are draws of the same numbers from the prior alone,
    ``(chain, draw, ...)``, whose central 90 percent become coords. ``extrapolated_share`` is that
    of the effect, or along the first of ``dims`` that of each, below the exposure observed.
    """
    chains, draws = fit.shape
    state = fit.convergence
    array = xr.DataArray(
        values,
        dims=("chain", "draw", *dims),
        coords={"chain": np.arange(chains), "draw": np.arange(draws), **coords},
        name=name,
    )
    if isinstance(grades, Grade):
        array = array.assign_coords(status=grades.status, grade=grades.letter)
    for dim, several in grades.items() if isinstance(grades, Mapping) else ():
        array = array.assign_coords(
            status=(dim, [g.status for g in several]), grade=(dim, [g.letter for g in several])
        )
    shares = np.asarray(np.nan if extrapolated_share is None else extrapolated_share, dtype=float)
    if not np.isnan(shares).all():
        array = array.assign_coords(extrapolated_share=(dims[: shares.ndim], shares))
    if prior is not None:
        array = array.assign_coords(prior_coords(values, prior, dims))
    array.attrs = {**attrs, "converged": int(state.converged), "convergence": str(state)}
    if state.is_draft:
        array.attrs["draft"] = state.method
    if cut := cut_in_words(fit):
        array.attrs["carry_over"] = cut
    if fit.misfit:
        array.attrs["misfit"] = fit.misfit
    if fit.label:
        array.attrs["posterior"] = fit.label
    return array


def data_coords(fit: Fit) -> dict[str, Any]:
    """Return the coords of the data dims, training periods only."""
    units = {"unit": list(fit.data.units)} if fit.data.is_panel else {}
    return {**units, "time": fit.data.training}


def _question(fit: Fit, do: Mapping[str, Intervention], window: Any, units: Any) -> Estimand:
    if not isinstance(do, Mapping) or not do:
        raise SpecError(
            f"do is a mapping of nodes or edges to what they are set to; got {shown(do)}. "
            "Write {'tv': 0}, or {'tv': Times(1.1)}."
        )
    question = Estimand(active=do, window=window, units=units)
    for outcome in fit.spec.graph.outcomes:
        reached = fit.spec.reduced.ancestors(outcome)
        if any(t in reached for t in question.treatments):
            fit.spec.check_estimand(question.on(outcome))
            return question.on(outcome)
    fit.spec.check_estimand(question.on(fit.spec.graph.outcomes[0]))
    return question


@verb
def counterfactual(
    fit: Fit,
    do: Mapping[str, Intervention],
    *,
    window: tuple[Any, Any] | None = None,
    units: str | Sequence[str] | None = None,
) -> xr.Dataset:
    """Return what every modelled node would have been, had something differed in the past.

    Each draw keeps the errors it finds in the data (abduction), the intervention replaces values
    (action), and descendants are computed again (prediction). Not a forecast, and it adds no
    noise: with ``do`` at the factual values it returns the data exactly.

    Parameters
    ----------
    fit : Fit
    do : mapping of str to number, array or function
        Nodes, or edges written ``"tv->sales"``, and what they are set to.
    window : (start, end), optional
    units : str or sequence of str, optional
        They limit where the intervention acts.

    Returns
    -------
    xarray.Dataset
        One variable a modelled node, dims ``(chain, draw, time)`` or ``(..., unit, time)``, in
        original units.

    Notes
    -----
    Treatments that are not named keep their factual path; mediators react.
    Source: Pearl (2009), Causality, theorem 7.1.7.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.counterfactual(fit, {"tv": 0})["sales"]  # doctest: +SKIP
    """
    question = _question(fit, do, window, units)
    paths = resolve(fit.scm, fit.scm.factual, question.active, scope(fit.scm, question).acts)
    edges = edges_below(fit.spec, question.treatments)
    attrs = {"world": repr(question), "kind": "counterfactual"}
    return _labeled_paths(fit, lambda equations: evolve(equations, do=paths), attrs, edges)


@verb
def do(
    fit: Fit,
    do: Mapping[str, Intervention] | None = None,
    *,
    seed: int,
    window: tuple[Any, Any] | None = None,
    units: str | Sequence[str] | None = None,
) -> xr.Dataset:
    """Simulate a new run of the same weeks under an intervention, with fresh errors.

    Not a counterfactual: the errors of the data are forgotten, so a contrast of two calls carries
    their noise unless both use one seed. Without ``do`` it is the observational prediction, with
    mediators generated too.

    Parameters
    ----------
    fit : Fit
    do : mapping of str to number, array or function, optional
    seed : int
        Of the fresh errors.
    window, units
        As in `counterfactual`.

    Returns
    -------
    xarray.Dataset
        As `counterfactual`.
    """
    paths, acts = {}, np.ones(1, bool)
    attrs = {"world": "factual", "kind": "interventional"}
    if do is None and (window is not None or units is not None):
        raise SpecError("window and units say where an intervention acts: give do={'tv': 0} too.")
    if do is not None:
        question = _question(fit, do, window, units)
        acts = scope(fit.scm, question).acts
        paths = resolve(fit.scm, fit.scm.factual, question.active, acts)
        attrs["world"] = repr(question)
    rng = np.random.default_rng(seed)

    def world(equations: Equations) -> dict[Node, Array]:
        return generate(equations, rng, do=paths, acts=acts)

    return _labeled_paths(fit, world, attrs)


def _labeled_paths(
    fit: Fit,
    world: Callable[[Equations], Mapping[Node, Array]],
    attrs: Mapping[str, str],
    edges: Collection[Edge] | None = None,
) -> xr.Dataset:
    """Return the paths of the modelled nodes in a world, in all draws and training periods."""
    nodes, dims, coords = fit.spec.modelled, fit.data.dims, data_coords(fit)
    shape, start = fit.scm.factual[nodes[0]].shape, fit.data.history

    def training(equations: Equations) -> Array:
        paths = world(equations)
        size = (equations.draws, *shape)
        return np.stack([np.broadcast_to(paths[v], size)[..., start:] for v in nodes], axis=1)

    values = fit.evaluate(training, edges)
    attributes: dict[str, Any] = {**attrs, "policy": _policy(fit)}
    return xr.Dataset(
        {v: label(fit, values[:, :, k], dims, coords, v, **attributes) for k, v in enumerate(nodes)}
    )


def _policy(fit: Fit) -> str:
    reacts = ", ".join(fit.spec.mediators) or "none"
    suffix = f" ({', '.join(sorted(fit.spec.held))} too)" if fit.spec.held else ""
    return f"treatments held at their factual path{suffix}; mediators react ({reacts})"
