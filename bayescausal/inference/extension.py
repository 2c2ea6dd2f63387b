"""`extend`: a fit whose periods go on after the data, so that every question may be about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Never

import numpy as np

from bayescausal import checks
from bayescausal._types import Array, Node
from bayescausal.data.continued_table import continued, path_of, warn_of_scales
from bayescausal.data.future import Future
from bayescausal.errors import DataError, SpecError
from bayescausal.graphs.edge import Edge
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.model.continuation import continuation, continued_equations, continued_scm
from bayescausal.model.contrast import mean_cost
from bayescausal.model.scm import SCM, Equations


@verb
def extend(fit: Fit, future: Future, *, seed: int = 0) -> ExtendedFit:
    """Return a fit that goes on after the data, for questions about the time to come.

    Whatever takes a window then takes a future one: `effect`, `roas`, `decomposition`,
    `spend_response`, `counterfactual`, `optimize`. Nothing is learned from a future.

    Parameters
    ----------
    fit : Fit
    future : Future
        Values of `Spec.planned`: every input, and treatments that do not react. Exposure that is
        missing is bought with the spend, a cost that is missing is that of the exposure, both at
        the mean price of the data. A column with the value of the outcome keeps its last one where
        it is missing.
    seed : int
        Of the errors after the data: the same for every future, so that two of them differ in
        what is planned alone.

    Returns
    -------
    ExtendedFit

    Raises
    ------
    DataError
        A future that overlaps the data or leaves a gap, other units, a column that is missing,
        exposure that is negative and saturates.

    Examples
    --------
    >>> import bayescausal as bc
    >>> ahead = bc.Future.like(fit.data, periods=13)  # doctest: +SKIP
    >>> bc.roas(bc.extend(fit, ahead), window=ahead.window)  # doctest: +SKIP
    """
    seed = checks.seed("extend: seed", seed)
    return _extended(fit, future, seed)


@dataclass(frozen=True, eq=False, repr=False)
class ExtendedFit(Fit):
    """A fit whose periods go on after the data; made by `extend`.

    Parameters
    ----------
    spec, data, tree
        As in `Fit`. The data hold the future too, in which modelled nodes are at the mean of what
        is simulated.
    base : Fit
        The fit that learned from the data.
    future : Future
        With the columns that were computed from prices.
    seed : int
        Of the errors after the data.
    """

    base: Fit
    future: Future
    seed: int
    _simulations: dict[str, np.ndarray] = field(default_factory=dict, init=False)

    @property
    def observed(self) -> Fit:
        """The fit that learned from the data."""
        return self.base

    @cached_property
    def scm(self) -> SCM:
        """The structural equations of the data, over more periods."""
        return continued_scm(self.base.scm, self.data)

    @property
    def misfit(self) -> str:
        """What is wrong with the errors of the observed fit."""
        return self.base.misfit

    @property
    def plain(self) -> Fit | None:
        """The fit without augmentation, extended alike."""
        plain = self.base.plain
        return None if plain is None else extend(plain, self.future, seed=self.seed)

    def simulation(self, group: str = "posterior") -> np.ndarray:
        """Simulated paths of the modelled nodes: ``(draw, node, time)`` or ``(..., unit, time)``.

        Draws of all chains joined; periods after the data alone.
        """
        if group not in self._simulations:
            rng = np.random.default_rng([self.seed, int(group == "prior")])
            first = 0

            def worlds(equations: Equations) -> Array:
                nonlocal first
                rows = np.arange(first, first + equations.draws)
                first += equations.draws
                paths = {v: self._planned_path(v, rows) for v in self.spec.planned}
                world = continuation(equations, self.scm, paths, rng)
                start = len(self.base.data.time)
                return np.stack([world[v][..., start:] for v in self.spec.modelled], axis=1)

            values = self.base.evaluate(worlds, group=group)
            self._simulations[group] = values.reshape(-1, *values.shape[2:])
        return self._simulations[group]

    def equations(
        self,
        rows: slice | np.ndarray = slice(None),
        only: Collection[Edge] | None = None,
        group: str = "posterior",
    ) -> Equations:
        """Bind draws to the equations, each with its own future of the modelled nodes."""
        simulated = self.simulation(group)
        places = np.arange(len(simulated))[rows]
        bound = self.base.equations(rows, only, group)
        x: dict[Node, Array] = {v: self._planned_path(v, places) for v in self.spec.inputs}
        for k, node in enumerate(self.spec.modelled):
            future_path = simulated[places, k]
            past = np.broadcast_to(
                bound.x[node], (*future_path.shape[:-1], len(self.base.data.time))
            )
            x[node] = np.concatenate([past, future_path], axis=-1)
        return continued_equations(bound, self.scm, x)

    def _planned_path(self, node: Node, rows: np.ndarray) -> np.ndarray:
        """Return the path of a planned node: one for all draws, or a sample of it for each."""
        path = self.data.array(node)
        if "sample" not in self.future.table[node].dims:
            return path
        future_path = path_of(self.base.data, self.future, node)[rows % self.future.samples]
        past = self.base.data.array(node)
        past = np.broadcast_to(past, (*future_path.shape[:-1], past.shape[-1]))
        return np.concatenate([past, future_path], axis=-1)

    def thinned(self, indices: np.ndarray) -> Fit:
        """Return the same of some draws of each chain; errors after the data are drawn anew."""
        return extend(self.base.thinned(indices), self.future, seed=self.seed)

    def save(self, path: str | Path) -> Never:
        """Raise: nothing was learned from a future."""
        raise SpecError(
            "A fit with a future is not saved. Save `fit.observed`, and the future as a table: "
            "fit.future.table.to_netcdf(...)."
        )

    @property
    def _head(self) -> str:
        return f"{super()._head}\nGoes on after the data: {self.future!r}"


def _extended(fit: Fit, future: Future, seed: int) -> ExtendedFit:
    """Extend the data with what is planned, then with the mean of what is simulated from it."""
    spec, data = fit.spec, fit.data
    costs = {t: c for t, c in data.spend.items() if {t, c} & {*spec.inputs, *spec.modelled}}
    value = [data.value] if isinstance(data.value, str) else []
    size = [data.size] if data.size else []
    nodes = (*spec.inputs, *spec.modelled)
    columns = list(dict.fromkeys([*nodes, *costs.values(), *value, *size]))
    continued(data, future, nodes)  # raises for dates and units before columns are computed
    future = _complete(fit, future, costs)
    _check_exposure(fit, future)
    provisional = replace(data, table=continued(data, future, columns), left_out={})
    extended = ExtendedFit(spec, provisional, fit.tree, fit, future, seed)
    means = extended.simulation().mean(axis=0)
    table = provisional.table
    for k, node in enumerate(spec.modelled):
        mean = np.maximum(means[k], 0.0) if node in data.spend.values() else means[k]
        path = np.concatenate([data.array(node), mean], axis=-1)
        table = table.assign({node: (data.dims, path)})
        if node in spec.mediators and costs.get(node, node) != node:
            # a paid mediator costs what it turns out to be, at the price that the future states
            paid = np.maximum(_price(fit, future, node, costs[node]) * mean, 0.0)
            paid = np.concatenate([data.array(costs[node]), paid], axis=-1)
            table = table.assign({costs[node]: (data.dims, paid)})
    final = replace(provisional, table=table)
    result = ExtendedFit(spec, final, fit.tree, fit, future, seed)
    result._simulations.update(extended._simulations)
    return result


def _price(fit: Fit, future: Future, node: Node, cost: str) -> np.ndarray:
    """Return the price of exposure in each period of a future; the mean one where none is known."""
    mean = mean_cost(fit.data, node)
    if not {node, cost} <= {*future.columns}:
        return np.array(mean)
    exposure, spend = (path_of(fit.data, future, name) for name in (node, cost))
    return np.divide(spend, exposure, out=np.full(spend.shape, mean), where=exposure > 0)


def _complete(fit: Fit, future: Future, costs: Mapping[Node, str]) -> Future:
    """Buy exposure with spend, and price exposure, where one of the two is missing."""
    table = future.table
    for treatment, cost in costs.items():
        price = mean_cost(fit.data, treatment)
        if treatment not in table and cost in table:
            table = table.assign({treatment: table[cost] / price})
        elif cost not in table and treatment in table and treatment not in fit.spec.mediators:
            table = table.assign({cost: table[treatment] * price})
    missing_columns = [name for name in fit.spec.planned if name not in table]
    if missing_columns:
        example = missing_columns[0]
        raise DataError(
            f"The future has no column '{"', '".join(missing_columns)}', on which the model "
            f"depends. Add it, or fill it: Future.like(fit.data, periods={len(future.time)}, "
            f"fill={{'{example}': 'last'}})."
        )
    return replace(future, table=table)


def _check_exposure(fit: Fit, future: Future) -> None:
    """Raise for exposure that is negative and saturates; warn of columns in other units."""
    for node in fit.spec.planned:
        if fit.scm.saturates(node) and (future.array(node) < 0).any():
            raise DataError(
                f"'{node}' is negative in the future (down to {future.array(node).min():g}), but "
                "it saturates: exposure cannot be negative. Set zero or more."
            )
    warn_of_scales(fit.data, future, fit.spec.planned)
