"""Fits of data that a model has simulated: one compiled density, the data exchanged."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import xarray as xr

from bayescausal._types import Array, Theta
from bayescausal.data.dataset import Dataset
from bayescausal.errors import BayesCausalError, DataError
from bayescausal.experiments.estimand import Estimand
from bayescausal.inference import groups
from bayescausal.inference.compile import Density, compile_jax
from bayescausal.inference.convergence import Convergence, assess, ess, scalars
from bayescausal.inference.evidence import totals
from bayescausal.inference.prior_draws import draw_prior
from bayescausal.inference.rounds import sample_in_rounds
from bayescausal.inference.sample import whitened
from bayescausal.inference.settings import Settings
from bayescausal.model.build import write
from bayescausal.model.contrast import measure
from bayescausal.model.lifts import lift_log_density, remeasured
from bayescausal.model.predict import pointwise
from bayescausal.model.prior_worlds import simulated
from bayescausal.model.scm import SCM, Equations, bind, compile_scm
from bayescausal.specs.compatibility import check
from bayescausal.specs.spec import Spec

EFFECT, LIKELIHOOD = "the effect of ", "log likelihood"
"""How effects and the joint log likelihood are named among the quantities."""

ATTEMPTS = 200
"""Data sets that are simulated for one that can be fitted, at most."""

_CHUNK = 500  # draws whose effects are computed at once


@dataclass(frozen=True)
class Simulations:
    """What is simulated and fitted, and how. Two of one digest are the same.

    Parameters
    ----------
    digest : str
    spec, data : Spec, Dataset
        The model, and the data that its constants are taken from.
    settings : Settings
    draws : int
        Of a posterior, among which the truth is ranked.
    seed : int
    """

    digest: str
    spec: Spec = field(compare=False)
    data: Dataset = field(compare=False)
    settings: Settings = field(compare=False)
    draws: int = field(compare=False)
    seed: int = field(compare=False)


def fitted(simulations: Simulations, number: int) -> dict[str, Any]:
    """Simulate one data set, fit it, and rank the truth; nothing but JSON comes out.

    Returns
    -------
    dict
        ``number``, ``ranks`` by quantity, ``status`` ("converged", "not converged", "failed"),
        ``problem``, ``redrawn``, the data sets before it that could not be fitted, ``seconds`` of
        the processor.
    """
    start = time.process_time()
    record: dict[str, Any] = {"number": number, "ranks": {}, "redrawn": 0, "problem": ""}
    keys = np.random.SeedSequence([simulations.seed, number]).spawn(3)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of fits that are judged here
            compiled = compiled_simulations(simulations)
            truth, record["redrawn"] = compiled.world(np.random.default_rng(keys[0]))
            ranks, state = compiled.ranks(truth, keys[1], np.random.default_rng(keys[2]))
        record["ranks"] = ranks
        record["status"] = "converged" if state.converged else "not converged"
        record["problem"] = "; ".join(state.problems)
    except (BayesCausalError, ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
        record |= {"status": "failed", "problem": str(error)}
    return record | {"seconds": round(time.process_time() - start, 3)}


@lru_cache(maxsize=4)
def compiled_simulations(simulations: Simulations) -> CompiledSimulations:
    """Compile the model of some simulations, once a process."""
    return CompiledSimulations(simulations)


@dataclass(frozen=True, eq=False)
class CompiledSimulations:
    """A model that simulates data, and fits them with all constants as they are.

    The density is that of the data that were handed in, with the paths of modelled nodes and the
    measurements of tests as arguments. So scales, and with them priors, are not derived from each
    simulated outcome anew: the prior from which a truth is drawn is the prior of its fit.
    """

    simulations: Simulations

    @cached_property
    def scm(self) -> SCM:
        """The structural equations, with the constants of the data that were handed in."""
        return compile_scm(self.simulations.spec, self.simulations.data)

    @cached_property
    def density(self) -> Density:
        """The model, compiled; simulated paths and measurements are arguments."""
        return compile_jax(write(self.scm))

    @cached_property
    def estimands(self) -> dict[str, Estimand]:
        """The total effects, by the name of their quantity."""
        estimands = totals(self.scm.spec, self.scm.data)
        return {EFFECT + name: estimand for name, estimand in estimands.items()}

    def world(self, rng: np.random.Generator) -> tuple[World, int]:
        """Draw parameters from their priors and data from them, until `fit` would take these.

        What is refused follows from the data alone (a path that is not finite, exposure below
        zero), so that ranks among the rest are uniform all the same.
        """
        for attempt in range(ATTEMPTS):
            theta = draw_prior(self.scm, 1, int(rng.integers(2**63)))
            equations = simulated(self.scm, theta, rng)
            if self._can_be_fitted(equations):
                lifts = remeasured(equations, rng)
                if all(np.isfinite(values).all() for values in lifts.values()):
                    return World(equations, lifts), attempt
        raise DataError(
            f"None of {ATTEMPTS} data sets simulated from the priors can be fitted: paths explode, "
            "or exposure that saturates falls below zero. Give the spec narrower priors."
        )

    def _can_be_fitted(self, equations: Equations) -> bool:
        spec, data = self.scm.spec, self.scm.data
        paths = {v: equations.x[v] for v in spec.modelled}
        if not all(np.isfinite(path).all() for path in paths.values()):
            return False
        columns = {v: (data.dims, path) for v, path in paths.items()}
        try:
            check(spec, replace(data, table=data.table.assign(columns)))
        except DataError:
            return False
        return True

    def ranks(
        self, truth: World, seed: np.random.SeedSequence, rng: np.random.Generator
    ) -> tuple[dict[str, int], Convergence]:
        """Fit simulated data, and rank the truth among draws that are spaced evenly."""
        posterior, effects, state = self._sampled(truth, int(seed.generate_state(1)[0]))
        chain, draw = posterior.sizes["chain"], posterior.sizes["draw"]
        rows = np.linspace(0, chain * draw - 1, self.simulations.draws).round().astype(int)
        theta = {p.name: groups.joined(posterior[p.name]) for p in self.scm.parameters}
        thinned = {name: values[rows] for name, values in theta.items()}
        draws = {name: v.ravel()[rows] for name, v in (scalars(posterior) | effects).items()}
        draws[LIKELIHOOD] = self.log_likelihood(self._at(truth, thinned), truth.lifts)
        values = self._true_values(truth)
        return {name: _rank(v, values[name], rng) for name, v in draws.items()}, state

    def _sampled(
        self, truth: World, seed: int
    ) -> tuple[xr.Dataset, dict[str, np.ndarray], Convergence]:
        """Sample until it has converged, as `fit` does, and each quantity has draws enough."""

        def judge(tree: xr.DataTree, run: Mapping[str, Any]) -> Convergence:
            posterior = groups.posterior(self.scm, tree)
            effects = self._effects(truth, posterior)
            state = assess(posterior, {k.removeprefix(EFFECT): v for k, v in effects.items()}, run)
            sizes = {name: ess(v, "bulk") for name, v in scalars(posterior).items()}
            worst = min(sizes, key=lambda name: sizes[name])
            if sizes[worst] >= self.simulations.draws:
                return state
            few = f"bulk ESS of {worst} is {sizes[worst]:.0f} for {self.simulations.draws} ranks"
            return replace(state, converged=False, problems=(*state.problems, few))

        sampler = whitened(self.density, self._arguments(truth))
        tree, _, state = sample_in_rounds(sampler, judge, self.simulations.settings, seed)
        posterior = groups.posterior(self.scm, tree)
        return posterior, self._effects(truth, posterior), state

    def _arguments(self, truth: World) -> dict[str, np.ndarray]:
        paths = {f"{v}:observed": truth.equations.x[v] for v in self.scm.spec.modelled}
        return paths | truth.lifts

    def _at(self, truth: World, theta: Theta) -> Equations:
        return bind(self.scm, theta, truth.equations.x)

    def _effects(self, truth: World, posterior: xr.Dataset) -> dict[str, np.ndarray]:
        """Draws of the total effects, ``(chain, draw)``."""
        theta = {p.name: groups.joined(posterior[p.name]) for p in self.scm.parameters}
        count = len(next(iter(theta.values())))
        parts = []
        for start in range(0, count, _CHUNK):
            rows = slice(start, start + _CHUNK)
            chunk = {name: values[rows] for name, values in theta.items()}
            parts.append(self._measured(self._at(truth, chunk)))
        size = posterior.sizes["chain"], posterior.sizes["draw"]
        return {k: np.concatenate([part[k] for part in parts]).reshape(size) for k in parts[0]}

    def _measured(self, equations: Equations) -> dict[str, np.ndarray]:
        return {
            name: np.broadcast_to(measure(equations, estimand), (equations.draws,))
            for name, estimand in self.estimands.items()
        }

    def _true_values(self, truth: World) -> dict[str, float]:
        """The same functions at the parameters from which the data were simulated."""
        equations = truth.equations
        parameters = groups.grouped(self.scm, {k: v[None] for k, v in equations.theta.items()})
        values = scalars(parameters) | self._measured(equations)
        values[LIKELIHOOD] = self.log_likelihood(equations, truth.lifts)
        return {name: float(np.ravel(value)[0]) for name, value in values.items()}

    def log_likelihood(self, equations: Equations, lifts: Mapping[str, np.ndarray]) -> Array:
        """Joint log density of all modelled nodes and tests, one number a draw."""
        axes = tuple(range(-self.scm.depth, 0))
        total = sum(density.sum(axis=axes) for density in pointwise(equations).values())
        return np.asarray(total + lift_log_density(equations, lifts))


@dataclass(frozen=True, eq=False)
class World:
    """Simulated data: equations at the true parameters and simulated paths, and measured lifts."""

    equations: Equations
    lifts: dict[str, np.ndarray]


def _rank(draws: np.ndarray, truth: float, rng: np.random.Generator) -> int:
    """How many draws lie below the truth; ties are broken at random."""
    return int((draws < truth).sum() + rng.integers(0, (draws == truth).sum() + 1))
