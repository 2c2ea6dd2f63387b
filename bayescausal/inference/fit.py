"""`Fit`, the only state there is, and the draws of an effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal._display import wrapped
from bayescausal._files import write_file
from bayescausal._types import Array, Node, Theta
from bayescausal.data.dataset import Dataset
from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.edge import Edge
from bayescausal.identification.ladder import Grade
from bayescausal.inference import groups
from bayescausal.inference.archive import pack
from bayescausal.inference.convergence import Convergence
from bayescausal.inference.error_check import check_errors, in_words
from bayescausal.inference.evidence import (
    Evidence,
    totals,
)
from bayescausal.model.contrast import measure
from bayescausal.model.lifts import on_model_scale
from bayescausal.model.scm import SCM, Equations, Mechanism, bind, compile_scm
from bayescausal.model.support import extrapolated_share
from bayescausal.specs.defaults import decided
from bayescausal.specs.row_methods import as_method
from bayescausal.specs.spec import Spec

_CHUNK_BYTES = 300e6
_KEPT_BYTES = 50e6
PLAIN = "plain"
"""Group of a fit with augmentation that holds the tree of the fit without."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A spec, data, and what was learned. Everything else can be made again from it.

    Parameters
    ----------
    spec : Spec
        With what data decide, as how long carry-over lasts by default.
    data : Dataset
    tree : xarray.DataTree
        Groups ``prior``, ``posterior``, ``prior_predictive`` and ``posterior_predictive`` (each
        node given its observed parents), ``sample_stats``, ``observed_data``, ``constant_data`` and
        ``log_likelihood``, named as ArviZ 1 names them: ``arviz.summary(fit.tree)``,
        ``arviz.loo(fit.tree, var_name="sales")``. The log likelihood of each value is computed when
        it is first read, and is not saved; with augmentation it is that of ``fit.plain.tree``. The
        spec, settings, seed, versions, hash of the data, convergence and evidence are JSON in its
        attributes. With augmentation also ``plain``, the tree of the fit without.
    """

    spec: Spec
    data: Dataset
    tree: xr.DataTree

    def __post_init__(self) -> None:
        object.__setattr__(self, "spec", decided(self.spec, self.data))

    @classmethod
    def of(cls, scm: SCM, tree: xr.DataTree) -> Fit:
        """Make the fit of equations that are compiled already."""
        fit = cls(scm.spec, scm.data, tree)
        fit.__dict__["scm"] = scm  # where the cached property keeps it
        return fit

    @cached_property
    def scm(self) -> SCM:
        """The structural equations, with this data's scales."""
        return compile_scm(self.spec, self.data)

    @property
    def info(self) -> dict[str, Any]:
        """Seed, settings, versions, timings, hash of the data."""
        return json.loads(self.tree.attrs["info"])

    @property
    def convergence(self) -> Convergence:
        """Whether the sampler can be trusted, and why not; what kind of draft it is."""
        return Convergence(**json.loads(self.tree.attrs["convergence"]))

    @cached_property
    def misfit(self) -> str:
        """What is wrong with the errors, by `check_errors`; empty when nothing is."""
        if "posterior_predictive" not in self.tree:  # made by hand, of draws alone
            return ""
        replicas = self.tree["posterior_predictive"].to_dataset()
        by_node = {v: check_errors(v, self.data, replicas) for v in self.spec.modelled}
        return " ".join(in_words(v, check) for v, check in by_node.items() if check.fails)

    @cached_property
    def evidence(self) -> Evidence:
        """The verdict and the grade of every effect, each worked out once; see `Evidence`."""
        none = '{"contraction": {}, "first_stage": {}, "z": {}, "share": {}}'
        return Evidence(self.spec, json.loads(self.tree.attrs.get("evidence", none)))

    @cached_property
    def grades(self) -> dict[str, Grade]:
        """The grade of each effect of `totals`, over all periods and units."""
        return {
            name: self.evidence.grade(estimand)
            for name, estimand in totals(self.spec, self.data).items()
        }

    @cached_property
    def plain(self) -> Fit | None:
        """The fit without augmentation, which is made and kept beside one with it."""
        if PLAIN not in self.tree:
            return None
        plain = replace(self.spec, augmentation=None)
        return Fit(plain, self.data, self.tree.children[PLAIN])

    @property
    def shapes(self) -> dict[str, float]:
        """Posterior means of adstocks and saturations of the plain fit: see `augmented_rows`."""
        return {} if self.plain is None else self.plain.mean_shapes()

    def mean_shapes(self) -> dict[str, float]:
        """Posterior means of adstocks and saturations, by parameter."""
        theta, mechanisms = self.theta(), self.spec.mechanisms
        names = [f"{e}:{k}" for e, response in mechanisms.items() for k in response.priors]
        return {name: float(theta[name].mean()) for name in names}

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of chains and of draws."""
        sizes = self.tree["posterior"].sizes
        return sizes["chain"], sizes["draw"]

    @property
    def has_prior(self) -> bool:
        """Whether draws of the prior are there; not so in a fit that was made by hand."""
        return "prior" in self.tree

    def theta(self, group: str = "posterior") -> Theta:
        """Draws of every parameter, chains joined: shape ``(chain * draw, ...)``."""
        if group not in self._joined:
            draws = self.tree[group].to_dataset()
            self._joined[group] = {
                p.name: groups.joined(draws[p.name]) for p in self.scm.parameters
            }
        return {**self._joined[group]}

    @cached_property
    def _joined(self) -> dict[str, Theta]:
        """Views of the draws that were asked for before, by group."""
        return {}

    @cached_property
    def _edges(self) -> dict[str, dict[Edge, Mechanism]]:
        """Edges at all draws that were bound before, by group, of a fit in which they are small."""
        return {}

    @property
    def observed(self) -> Fit:
        """The fit that learned from the data: this one, unless a future was added to it."""
        return self

    def equations(
        self,
        rows: slice | np.ndarray = slice(None),
        only: Collection[Edge] | None = None,
        group: str = "posterior",
    ) -> Equations:
        """Bind draws to their equations.

        Parameters
        ----------
        rows : slice or array of int
            Of all chains joined.
        only, group
            As in `evaluate`.
        """
        theta, mechanisms = self.theta(group), self.spec.mechanisms
        places = range(len(next(iter(theta.values()))))
        size = 8 * len(places) * self.data.cells * len(mechanisms)
        if not isinstance(rows, slice) or places[rows] != places or size > _KEPT_BYTES:
            return bind(self.scm, {name: draws[rows] for name, draws in theta.items()}, only=only)
        known = self._edges.setdefault(group, {})
        included = [edge for edge in mechanisms if only is None or edge in only]
        missing = [edge for edge in included if edge not in known]
        known |= bind(self.scm, theta, only=missing).edges
        edges = {edge: known[edge] for edge in included}
        return Equations(self.scm, theta, self.scm.factual, edges)

    def thinned(self, indices: np.ndarray) -> Fit:
        """Return a fit of some draws of each chain."""
        posterior = self.tree["posterior"].to_dataset().isel(draw=indices)
        tree = xr.DataTree.from_dict({"posterior": posterior})
        tree.attrs = self.tree.attrs
        return Fit.of(self.scm, tree)

    def evaluate(
        self,
        function: Callable[[Equations], Array],
        only: Collection[Edge] | None = None,
        group: str = "posterior",
    ) -> np.ndarray:
        """Run a numpy function of the equations at all draws, in chunks.

        Parameters
        ----------
        function : callable
            ``equations -> array`` with one leading draw dim.
        only : collection of Edge, optional
            Edges that the function needs; all by default.
        group : str
            ``"posterior"`` or ``"prior"``.

        Returns
        -------
        array
            Shape ``(chain, draw, ...)``.
        """
        sizes = self.tree[group].sizes
        size = sizes["chain"] * sizes["draw"]
        count = len(self.spec.mechanisms) if only is None else len(only)
        step = max(1, int(_CHUNK_BYTES / (8 * self.data.cells * (count + 6))))
        parts = [
            function(self.equations(slice(start, start + step), only, group))
            for start in range(0, size, step)
        ]
        values = np.concatenate(parts) if len(parts) > 1 else parts[0]
        return values.reshape(sizes["chain"], sizes["draw"], *values.shape[1:])

    def save(self, path: str | Path) -> Path:
        """Write one netCDF file, whole or not at all: draws, data, spec, seed, versions.

        No code, no pickle. Its folder is made; a file of that name is replaced when the new one is
        on the disk.
        """
        return write_file(path, *pack(self.spec, self.data, self.tree))

    def __repr__(self) -> str:
        grades = [f"{treatment}: {grade}" for treatment, grade in self.grades.items()]
        return wrapped("\n".join([self._head, *grades, *self._foot]))

    def _repr_html_(self) -> str:
        rows = [
            (treatment, grade.letter, grade.title, grade.source, "; ".join(grade.reasons))
            for treatment, grade in self.grades.items()
        ]
        names = ["effect", "grade", "evidence", "source", "reasons"]
        table = pd.DataFrame(rows, columns=names).to_html(index=False, border=0)
        head, *foot = (f"<p>{escape(line)}</p>" for line in (self._head, *self._foot))
        return "".join([head.replace("\n", "<br>"), table, *foot])

    @property
    def label(self) -> str:
        """What kind of posterior this is, where it is not simply that of NUTS: see `labeled`."""
        draft = str(self.convergence) if self.convergence.is_draft else ""
        return " ".join(filter(None, (draft, labeled(self.spec))))

    @property
    def _head(self) -> str:
        chains, draws = self.shape
        info = self.info
        kind = "weighted draws" if self.convergence.is_draft else "draws"
        return (
            f"Fit of {', '.join(self.spec.modelled)}: {chains} chains x {draws} {kind}, seed "
            f"{info['seed']}, {info['run']['sample_seconds']:.1f} s of sampling after "
            f"{info['run']['compile_seconds']:.1f} s of compiling. {self.convergence}"
            + (f"\n{self.misfit}" if self.misfit else "")
        )

    @property
    def _foot(self) -> list[str]:
        return [] if self.plain is None else [f"{labeled(self.spec)} Look at `plain` beside it."]


def labeled(spec: Spec) -> str:
    """Say what kind of posterior a fit with augmentation is."""
    if spec.augmentation is None or not spec.augmentation.weight:
        return ""
    name = as_method(spec.augmentation.method).name
    return (
        f"Weighted-likelihood posterior: augmented rows ({name}) have up to "
        f"{spec.augmentation.share:.0%} of the weight, observed ones the rest."
    )


def total_effect(fit: Fit, estimand: Estimand, group: str = "posterior") -> np.ndarray:
    """Draws of an effect, shape ``(chain, draw)``, on the total scale."""
    return effect_draws(fit, replace(estimand, scale="total"), group)


def effect_draws(fit: Fit, estimand: Estimand, group: str = "posterior") -> np.ndarray:
    """Draws of an effect, shape ``(chain, draw)``, on the estimand's scale.

    NaN in draws in which a percentage is undefined, infinite where a unit cannot be bought.
    """
    if estimand.outcome is None and len(fit.spec.graph.outcomes) > 1:
        estimand = estimand.on(fit.spec.graph.outcomes[0])

    def effect_at(equations: Equations) -> Array:
        return np.broadcast_to(measure(equations, estimand), (equations.draws,))

    return fit.evaluate(effect_at, only=edges_below(fit.spec, estimand.treatments), group=group)


def total_effects(
    fit: Fit, estimands: Mapping[str, Estimand], group: str = "posterior"
) -> dict[str, np.ndarray]:
    """Draws of several effects, ``(chain, draw)`` each: the equations are bound once for all."""
    totals = [replace(estimand, scale="total") for estimand in estimands.values()]

    def effects_at(equations: Equations) -> Array:
        effects = [measure(equations, estimand) for estimand in totals]
        return np.stack([np.broadcast_to(v, (equations.draws,)) for v in effects], axis=1)

    values = fit.evaluate(effects_at, group=group)
    return {name: values[..., k] for k, name in enumerate(estimands)}


def extrapolated_share_draws(fit: Fit, estimand: Estimand) -> np.ndarray:
    """Draws of the share of a removal's effect below the exposure observed, ``(chain, draw)``."""
    observed = len(fit.observed.data.time)
    return fit.evaluate(
        lambda equations: extrapolated_share(equations, estimand, observed),
        only=edges_below(fit.spec, estimand.treatments),
    )


def lift_draws(fit: Fit, test: Experiment, group: str = "posterior") -> np.ndarray:
    """Draws of what a test would measure without error, shape ``(chain, draw)``."""
    return test.share * effect_draws(fit, on_model_scale(test).estimand, group)


def edges_below(spec: Spec, treatments: Collection[Node]) -> frozenset[Edge]:
    """Edges whose source an intervention on these treatments can change."""
    descendants = {*treatments, *spec.reduced.descendants(*treatments)}
    return frozenset(e for e in spec.mechanisms if e.source in descendants)
