"""`fit`: NUTS on the model that the graph writes; `Fit`: the only state there is."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal import checks
from bayescausal._display import wrapped
from bayescausal._files import write_file
from bayescausal._types import Array, Node, Theta
from bayescausal.data.dataset import Dataset
from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.edge import Edge
from bayescausal.identification.ladder import Grade
from bayescausal.inference import groups
from bayescausal.inference.archive import header, pack
from bayescausal.inference.convergence import Convergence, assess
from bayescausal.inference.error_check import check_errors, in_words
from bayescausal.inference.evidence import (
    Evidence,
    contraction,
    first_stage,
    require_all,
    totals,
)
from bayescausal.inference.rounds import sample_in_rounds
from bayescausal.inference.sample import LOG, Sampler, Settings, draw_prior, prepare
from bayescausal.model.build import build
from bayescausal.model.contrast import measure
from bayescausal.model.lifts import entered, error_sd
from bayescausal.model.scm import SCM, Equations, bind, compile_scm
from bayescausal.specs.defaults import decided
from bayescausal.specs.row_methods import as_method
from bayescausal.specs.spec import Spec

_CHUNK_BYTES = 300e6
_PRIOR_DRAWS = 500
PLAIN = "plain"
"""Group of a fit with augmentation that holds the tree of the fit without."""

_STACK = ("bayescausal", "pymc", "pytensor", "nutpie", "arviz", "numpy", "xarray")


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
        """Whether the sampler can be trusted, and why not."""
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
        return {} if self.plain is None else _shapes(self.plain)

    @property
    def shape(self) -> tuple[int, int]:
        """Chains and draws."""
        sizes = self.tree["posterior"].sizes
        return sizes["chain"], sizes["draw"]

    @property
    def has_prior(self) -> bool:
        """Whether draws of the prior are there; not so in a fit that was made by hand."""
        return "prior" in self.tree

    def theta(self, group: str = "posterior") -> Theta:
        """Draws of every parameter, chains joined: shape ``(chain * draw, ...)``."""
        draws = self.tree[group].to_dataset()
        return {p.name: groups.joined(draws[p.name]) for p in self.scm.parameters}

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
        theta = self.theta(group)
        size = len(next(iter(theta.values())))
        cells = max(1, len(self.data.units)) * len(self.data.time)
        count = len(self.spec.mechanisms) if only is None else len(only)
        step = max(1, int(_CHUNK_BYTES / (8 * cells * (count + 6))))
        parts = []
        for start in range(0, size, step):
            part = {name: value[start : start + step] for name, value in theta.items()}
            parts.append(function(bind(self.scm, part, only=only)))
        sizes = self.tree[group].sizes
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
    def _head(self) -> str:
        chains, draws = self.shape
        info = self.info
        return (
            f"Fit of {', '.join(self.spec.modelled)}: {chains} chains x {draws} draws, seed "
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


def _shapes(plain: Fit) -> dict[str, float]:
    theta = plain.theta()
    names = [f"{e}:{k}" for e, response in plain.spec.mechanisms.items() for k in response.priors]
    return {name: float(theta[name].mean()) for name in names}


def fit(
    spec: Spec,
    data: Dataset,
    *,
    seed: int | None = None,
    sampler: str = "nutpie",
    backend: str = "auto",
    draws: int | None = None,
    tune: int | None = None,
    chains: int = 4,
    target_accept: float | None = None,
    mass_matrix: str = "auto",
    rounds: int | None = None,
    strict: bool = False,
    progress: bool = True,
) -> Fit:
    """Sample the joint posterior of every structural equation and every lift test.

    A posterior always comes out, also when the data cannot tell an effect. So every number
    carries the status of its identification and its grade, and ``strict=True`` refuses.

    Parameters
    ----------
    spec : Spec
    data : Dataset
    seed : int, optional
        Repeats the draws on one machine and set of versions; drawn and recorded when left out.
    sampler : {"nutpie", "pymc", "numpyro", "blackjax"}
        The last two need ``pip install 'bayescausal[samplers]'``.
    backend : {"auto", "jax", "numba"}
        Of nutpie; see `bayescausal.inference.settings.Settings`.
    draws, tune, chains : int
        Per chain. ``draws`` are 500 after a ``tune`` of 200; 1000 after 400 when errors share
        unobserved causes (what is not identified makes ridges) or the units of a panel differ.
    target_accept : float
        Raise it when divergences are reported. By default 0.85; 0.95 where errors share causes.
    mass_matrix : {"auto", "low_rank", "diag"}
        Of nutpie.
    rounds : int, optional
        Sample again, with twice the warm-up and draws each time, until a run has converged or this
        many runs are done. By default 3, and 1 when ``draws`` or ``tune`` is stated: those are then
        taken as they are. ``fit.info["run"]["rounds"]`` says what was done.
    strict : bool
        Raise when the graph does not identify the total effect of a treatment.
    progress : bool
        Show a progress bar, and log (``logging.getLogger("bayescausal")``) that the model is
        compiled. Ctrl-C stops sampling and keeps the draws so far.

    Returns
    -------
    Fit

    Raises
    ------
    DataError, SpecError
        The spec and the data do not fit, or cannot be saved with the draws.
    NotIdentified
        With ``strict``; the message says what would settle it.

    Notes
    -----
    Source: Hoffman & Gelman (2014), NUTS; nutpie's low-rank modified mass matrix.

    Examples
    --------
    >>> import bayescausal as bc
    >>> example = bc.load_example()
    >>> fit = bc.fit(example.spec, example.data, seed=1)  # doctest: +SKIP
    """
    seed, strict = checks.seed_or_drawn("seed", seed), checks.flag("strict", strict)
    scm, has_confounders = compile_scm(spec, data), bool(spec.confounders)
    if strict:
        require_all(scm.spec)
    is_hard = has_confounders or bool(scm.unit_specific)
    rounds = rounds if rounds is not None else (3 if draws is None and tune is None else 1)
    draws = draws if draws is not None else (1000 if is_hard else 500)
    tune = tune if tune is not None else (400 if is_hard else 200)
    accept = target_accept if target_accept is not None else (0.95 if has_confounders else 0.85)
    settings = Settings(
        sampler, backend, mass_matrix, draws, tune, chains, accept, rounds, progress
    )
    return fit_with(settings, spec, data, seed)


def fit_with(settings: Settings, spec: Spec, data: Dataset, seed: int) -> Fit:
    """Sample with settings that are decided: see `fit`."""
    scm = compile_scm(spec, data)
    spec = scm.spec  # what data decide is written out
    header(spec, data)  # refuses what could not be saved, before it samples
    settings.require_memory(sum(p.size for p in scm.parameters))
    keys, plain = seeds(seed), None
    if spec.augmentation and spec.augmentation.weight:
        plain = fit_with(settings, replace(spec, augmentation=None), data, seed)
    if settings.progress:
        LOG.info("Compiling the model ...")
    model = build(spec, data, shapes=_shapes(plain) if plain else None)
    names = [p.name for p in scm.parameters]
    prior = draw_prior(model, names, _PRIOR_DRAWS, keys[0])
    result = sampled(spec, data, prepare(model, settings), prior, settings, seed)
    if plain is not None:
        result.tree[PLAIN] = plain.tree
    return result


def seeds(seed: int) -> list[int]:
    """Return the seeds of the prior draws, the sampler and the replicas of a fit."""
    return [int(s.generate_state(1)[0]) for s in np.random.SeedSequence(seed).spawn(3)]


def sampled(
    spec: Spec,
    data: Dataset,
    sampler: Sampler,
    drawn: Mapping[str, np.ndarray],
    settings: Settings,
    seed: int,
) -> Fit:
    """Sample until it has converged, and gather the groups of a fit.

    ``drawn`` is the prior, draws first. Beside the draws a fit has replicas, convergence, and what
    the data said of each effect.
    """
    scm = compile_scm(spec, data)

    def judge(tree: xr.DataTree, run: Mapping[str, Any]) -> Convergence:
        posterior = groups.posterior(scm, tree)
        part = Fit(spec, data, xr.DataTree.from_dict({"posterior": posterior}))
        return assess(posterior, _effects(part), run)

    tree, run = sample_in_rounds(sampler, judge, settings, seeds(seed)[1])
    info = {
        "seed": seed,
        "settings": settings.to_dict(),
        "run": run,
        "versions": {name: version(name) for name in _STACK},
        "data_hash": data.hash,
    }
    prior = groups.grouped(scm, {name: values[None] for name, values in drawn.items()})
    posterior = groups.posterior(scm, tree)
    parts = {
        "prior": prior,
        "posterior": posterior,
        "sample_stats": groups.statistics(tree["sample_stats"].to_dataset()),
        "observed_data": groups.observed(scm),
    }
    made = Fit(spec, data, xr.DataTree.from_dict(parts))
    for group in ("prior", "posterior"):
        made.tree[f"{group}_predictive"] = xr.DataTree(
            groups.replicas(scm, made.tree[group].to_dataset(), seeds(seed)[2])
        )
    made.tree.attrs["info"] = json.dumps(info)
    effects = _effects(made)
    made.tree.attrs["convergence"] = json.dumps(asdict(assess(posterior, effects, run)))
    made.tree.attrs["evidence"] = json.dumps(_evidence(made, effects))
    groups.add_derived(scm, made.tree, made.evaluate)
    return made


def _effects(part: Fit) -> dict[str, np.ndarray]:
    estimands = totals(part.spec, part.data)
    return {name: total_effect(part, estimand) for name, estimand in estimands.items()}


def _evidence(fit: Fit, effects: dict[Node, np.ndarray]) -> dict[str, dict[str, float]]:
    """What the data added to the prior of each effect, and what each test adds and says."""
    estimands = totals(fit.spec, fit.data)
    prior = {name: total_effect(fit, estimands[name], group="prior") for name in effects}
    z, share = {}, {}
    for test in fit.spec.experiments:
        draws, error = lift_draws(fit, test), error_sd(test, fit.data)
        draws = draws[np.isfinite(draws)]
        deviation = entered(test).lift - draws.mean()
        z[str(test.name)] = float(deviation / np.hypot(error, draws.std()))
        share[str(test.name)] = float(min(1.0, (draws.std() / error) ** 2))

    def moved(spec: Spec, estimand: Estimand) -> np.ndarray:
        return total_effect(replace(fit, spec=spec), estimand)

    stages = {name: first_stage(fit.spec, one, moved) for name, one in estimands.items()}
    return {
        "contraction": {k: contraction(draws, prior[k]) for k, draws in effects.items()},
        "first_stage": {name: f for name, f in stages.items() if f is not None},
        "z": z,
        "share": share,
    }


def total_effect(fit: Fit, estimand: Estimand, group: str = "posterior") -> np.ndarray:
    """Draws of an effect, shape ``(chain, draw)``, on the total scale."""
    return effect_draws(fit, replace(estimand, scale="total"), group)


def effect_draws(fit: Fit, estimand: Estimand, group: str = "posterior") -> np.ndarray:
    """Draws of an effect, shape ``(chain, draw)``, on the estimand's scale.

    NaN in draws in which a percentage is undefined, infinite where a unit cannot be bought.
    """
    if estimand.outcome is None and len(fit.spec.graph.outcomes) > 1:
        estimand = estimand.on(fit.spec.graph.outcomes[0])

    def measured(equations: Equations) -> Array:
        return np.broadcast_to(measure(equations, estimand), (equations.draws,))

    return fit.evaluate(measured, only=edges_below(fit.spec, estimand.treatments), group=group)


def lift_draws(fit: Fit, test: Experiment, group: str = "posterior") -> np.ndarray:
    """Draws of what a test would measure without error, as `lifts.entered`; ``(chain, draw)``."""
    return test.share * effect_draws(fit, entered(test).estimand, group)


def edges_below(spec: Spec, treatments: Collection[Node]) -> frozenset[Edge]:
    """Edges whose source an intervention on these treatments can change."""
    descendants = {*treatments, *spec.reduced.descendants(*treatments)}
    return frozenset(e for e in spec.mechanisms if e.source in descendants)
