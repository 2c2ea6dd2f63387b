"""Simulated worlds whose effects are known exactly.

A world is made by the model's own `forward`, so its effects are exact for these equations and
these errors. Recovery from such worlds shows that the sampler and the queries agree with the
model; it does not show that a model is right. `benchmarks/` therefore also fits worlds made by
other families of curves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayescausal.data.dataset import Dataset
from bayescausal.experiments.estimand import Estimand
from bayescausal.model.contrast import measure, split
from bayescausal.model.mechanisms import edge_mechanisms
from bayescausal.model.predict import generate
from bayescausal.model.scm import SCM, bind, compile_scm
from bayescausal.specs.response import Coefficient, Response
from bayescausal.specs.spec import Spec
from bayescausal.specs.transform import widen


@dataclass(frozen=True)
class World:
    """A simulated data set, with the equations and errors that made it.

    Parameters
    ----------
    scm : SCM
        Its equations and data. Scales of modelled nodes are 1: parameters are in natural units.
    theta : dict of str to array
        The true parameters, each in the view of its strength: of media a `Coefficient`.
    """

    scm: SCM
    theta: dict[str, np.ndarray]

    def __repr__(self) -> str:
        return f"World of {len(self.theta)} true parameters\n{self.data!r}\n{self.scm.spec!r}"

    @property
    def data(self) -> Dataset:
        """The data set that an analyst would see."""
        return self.scm.data

    def effect(self, estimand: Estimand) -> float:
        """Return the exact total effect for the errors of this world, on the estimand's scale."""
        return float(measure(bind(self.scm, self.theta), estimand))

    def paths(self, estimand: Estimand) -> dict[str, float]:
        """Return the exact total, natural direct and natural indirect effects."""
        parts = split(bind(self.scm, self.theta), estimand)
        return {name: float(path.sum()) for name, path in parts.items()}

    def roas(self, estimand: Estimand) -> float:
        """Return the exact incremental outcome per own spend."""
        return self.effect(replace(estimand, scale="per_spend"))


def simulate(
    spec: Spec, data: Dataset, theta: Mapping[str, Any], seed: int | np.random.Generator
) -> World:
    """Generate the modelled nodes of a world from its inputs.

    Parameters
    ----------
    spec : Spec
        Baseline terms are as they are.
    data : Dataset
        Paths of the input nodes. Columns of modelled nodes are replaced, or added.
    theta : mapping of str to float or array
        Every parameter by name, in natural units of the modelled nodes (inputs stay scaled);
        every strength is a coefficient.
    seed : int or numpy Generator

    Returns
    -------
    World
    """
    rng = np.random.default_rng(seed)
    plain = {
        str(edge): Response(*r.transforms, strength=Coefficient())
        for edge, r in spec.mechanisms.items()
        if r.transforms
    }
    spec = replace(spec, responses=plain, experiments=(), treatments=spec.treatments)
    blank = data.table.assign(
        {v: _placeholder(data) for v in spec.modelled if v not in data.columns}
    )
    scm = compile_scm(spec, replace(data, table=blank))
    scm = replace(scm, scale={**scm.scale, **dict.fromkeys(spec.modelled, np.ones(1))})
    theta = {name: np.asarray(value, dtype=float) for name, value in theta.items()}
    names = {p.name for p in scm.parameters}
    if names != set(theta):
        raise ValueError(
            f"theta must name every parameter. Missing: {sorted(names - set(theta))}; "
            f"unknown: {sorted(set(theta) - names)}."
        )
    equations = bind(scm, theta)
    uncentered = {
        edge: mechanism._replace(beta=widen(theta[str(edge)], scm.depth), center=np.zeros(1))
        for edge, mechanism in equations.edges.items()
    }
    paths = generate(replace(equations, edges=uncentered), rng)
    table = scm.data.table.assign(
        {
            v: (scm.data.dims, np.broadcast_to(path, scm.factual[v].shape).copy())
            for v, path in paths.items()
        }
    )
    simulated = replace(scm, data=replace(scm.data, table=table))
    units = {str(edge): np.ones(()) for edge in scm.spec.mechanisms}
    per_unit = edge_mechanisms(simulated, theta | units, simulated.factual)
    views = {str(edge): theta[str(edge)] / way.beta.item() for edge, way in per_unit.items()}
    return World(simulated, theta | views)


def _placeholder(data: Dataset) -> Any:
    """Stand in for a column to be simulated: alike in all units, whose sizes it decides."""
    shape = tuple(data.table.sizes[d] for d in data.dims)
    return data.dims, np.broadcast_to(np.arange(1.0, shape[-1] + 1), shape).copy()
