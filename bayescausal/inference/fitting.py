"""`fit`: draws of the model that the graph writes, and what the data said of each effect."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from bayescausal import checks
from bayescausal._process import one_blas_thread
from bayescausal.data.dataset import Dataset
from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.experiment import Experiment
from bayescausal.inference import groups
from bayescausal.inference.archive import header
from bayescausal.inference.compile import writing
from bayescausal.inference.convergence import Convergence, assess
from bayescausal.inference.copies import permuting, sums_of_copies
from bayescausal.inference.evidence import (
    contraction,
    first_stage,
    require_all,
    totals,
)
from bayescausal.inference.fit import PLAIN, Fit, lift_draws, total_effect, total_effects
from bayescausal.inference.prior_draws import draw_prior
from bayescausal.inference.rounds import sample_in_rounds
from bayescausal.inference.sample import LOG, Sampler, Settings, prepare
from bayescausal.inference.verb import verb
from bayescausal.model.build import write
from bayescausal.model.lifts import error_sd, on_model_scale
from bayescausal.model.scm import SCM, Equations, compile_scm
from bayescausal.model.support import extrapolated_share
from bayescausal.specs.spec import Spec

_PRIOR_DRAWS = 500
_STACK = (*("bayescausal", "pymc", "pytensor", "jax", "blackjax", "arviz", "numpy", "xarray"),)


@checks.arguments
def fit(
    spec: Spec,
    data: Dataset,
    *,
    method: str = "nuts",
    seed: int | None = None,
    sampler: str = "blackjax",
    draws: int | None = None,
    tune: int | None = None,
    chains: int = 4,
    target_accept: float | None = None,
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
    method : {"nuts", "laplace"}
        "laplace" is a draft for a first look: draws about the mode, by the curvature there, weighed
        by the exact density. Every number of it is labeled, and `Fit.convergence` says by Pareto k
        whether it may be read at all. Fit with NUTS before you decide.
    seed : int, optional
        Repeats the draws on one machine and set of versions; drawn and recorded when left out.
    sampler : {"blackjax", "nutpie", "pymc", "numpyro"}
        blackjax runs each chain as one compiled program; the others are called through PyMC.
        nutpie, which compiles for a minute on first use, and numpyro need
        ``pip install 'bayescausal[samplers]'``.
    draws, tune, chains : int
        Per chain. ``draws`` are 500 after a ``tune`` of 200; 1000 after 400 when errors share
        unobserved causes (what is not identified makes ridges).
        A draft has as many draws, and neither warms up nor samples again.
    target_accept : float
        Raise it when divergences are reported. By default 0.85; 0.95 where errors share causes.
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
    Source: Hoffman & Gelman (2014), NUTS, by blackjax; coordinates of the curvature at the mode,
    then of the draws of all chains. For drafts see `bayescausal.inference.laplace`.

    Examples
    --------
    >>> import bayescausal as bc
    >>> example = bc.load_example()
    >>> fit = bc.fit(example.spec, example.data, seed=1)  # doctest: +SKIP
    """
    seed, strict = checks.seed_or_drawn("seed", seed), checks.flag("strict", strict)
    scm = compile_scm(spec, data)
    if strict:
        require_all(scm.spec)
    settings = settings_for(
        scm, sampler, draws, tune, chains, target_accept, rounds, progress, method
    )
    return fit_with(settings, spec, data, seed)


@verb
def refit(
    fit: Fit,
    *,
    data: Dataset | None = None,
    experiments: Sequence[Experiment] | None = None,
    seed: int | None = None,
    progress: bool = False,
) -> Fit:
    """Fit a spec again to other data or with other experiments, with the settings of a fit.

    What was compiled for a model of the same structure is used again: other weeks of the same
    number, other sales, another lift or error of the same test cost no compilation.

    Parameters
    ----------
    fit : Fit
        Whose spec and settings to use.
    data : Dataset, optional
        By default those of the fit.
    experiments : sequence of Experiment, optional
        In place of those of the spec.
    seed : int, optional
        Drawn and recorded when left out.
    progress : bool

    Returns
    -------
    Fit

    Raises
    ------
    DataError, SpecError
        The spec and the data do not fit.

    Examples
    --------
    >>> import bayescausal as bc
    >>> without_tests = bc.refit(model, experiments=())  # doctest: +SKIP
    """
    spec = fit.spec if experiments is None else replace(fit.spec, experiments=tuple(experiments))
    settings = Settings.from_dict(fit.info["settings"])
    settings = replace(settings, progress=checks.flag("progress", progress))
    seed = checks.seed_or_drawn("seed", seed)
    return fit_with(settings, spec, fit.data if data is None else data, seed)


def settings_for(
    scm: SCM,
    sampler: str,
    draws: int | None,
    tune: int | None,
    chains: int,
    target_accept: float | None,
    rounds: int | None,
    progress: bool,
    method: str = "nuts",
) -> Settings:
    """Return the settings of a fit, with what is not stated as `fit` documents it."""
    has_confounders = bool(scm.spec.confounders)
    rounds = rounds if rounds is not None else (3 if draws is None and tune is None else 1)
    draws = draws if draws is not None else (1000 if has_confounders else 500)
    tune = tune if tune is not None else (400 if has_confounders else 200)
    accept = target_accept if target_accept is not None else (0.95 if has_confounders else 0.85)
    return Settings(sampler, draws, tune, chains, accept, rounds, progress, method)


@one_blas_thread()
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
    with writing():
        model = write(scm, shapes=plain.mean_shapes() if plain else None)
        prior = draw_prior(scm, _PRIOR_DRAWS, keys[0])
        sampler = prepare(model, settings)
    result = sampled(scm, sampler, prior, settings, seed)
    if plain is not None:
        result.tree[PLAIN] = plain.tree
    return result


def seeds(seed: int) -> list[int]:
    """Return the seeds of the prior draws, the sampler and the replicas of a fit."""
    return [int(s.generate_state(1)[0]) for s in np.random.SeedSequence(seed).spawn(3)]


def sampled(
    scm: SCM,
    sampler: Sampler,
    prior_draws: Mapping[str, np.ndarray],
    settings: Settings,
    seed: int,
) -> Fit:
    """Sample until it has converged, and gather the groups of a fit.

    Beside the draws a fit has replicas, convergence, and what the data said of each effect.
    ``prior_draws`` have the draws first.
    """
    estimands = totals(scm.spec, scm.data)
    posterior, effects = xr.Dataset(), dict[str, np.ndarray]()

    def judge(tree: xr.DataTree, run: Mapping[str, Any]) -> Convergence:
        nonlocal posterior, effects
        posterior = groups.posterior(scm, tree)
        part = Fit.of(scm, xr.DataTree.from_dict({"posterior": posterior}))
        effects = total_effects(part, estimands)
        return assess(posterior, effects | sums_of_copies(scm, estimands, effects), run)

    tree, run, state = sample_in_rounds(permuting(sampler, scm), judge, settings, seeds(seed)[1])
    info = {
        "seed": seed,
        "settings": settings.to_dict(),
        "run": run,
        "versions": {name: version(name) for name in _STACK},
        "data_hash": scm.data.hash,
    }
    prior = groups.grouped(scm, {name: values[None] for name, values in prior_draws.items()})
    parts = {
        "prior": prior,
        "posterior": posterior,
        "sample_stats": groups.statistics(tree["sample_stats"].to_dataset()),
        "observed_data": groups.observed(scm),
    }
    result = Fit.of(scm, xr.DataTree.from_dict(parts))
    for group in ("prior", "posterior"):
        result.tree[f"{group}_predictive"] = xr.DataTree(
            groups.replicas(scm, result.tree[group].to_dataset(), seeds(seed)[2])
        )
    result.tree.attrs["info"] = json.dumps(info)
    result.tree.attrs["convergence"] = json.dumps(asdict(state))
    result.tree.attrs["evidence"] = json.dumps(_evidence(result, estimands, effects))
    groups.add_derived(scm, result.tree, result.evaluate)
    return result


def _evidence(
    fit: Fit, estimands: Mapping[str, Estimand], effects: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """What the data added to the prior of each effect, and what each test adds and says."""
    prior = total_effects(fit, estimands, group="prior")
    z, share = {}, {}
    for test in fit.spec.experiments:
        draws, error = lift_draws(fit, test), error_sd(test, fit.data)
        draws = draws[np.isfinite(draws)]
        deviation = on_model_scale(test).lift - draws.mean()
        z[str(test.name)] = float(deviation / np.hypot(error, draws.std()))
        share[str(test.name)] = float(min(1.0, (draws.std() / error) ** 2))

    def effect_under(spec: Spec, estimand: Estimand) -> np.ndarray:
        return total_effect(replace(fit, spec=spec), estimand)

    stages = {
        name: first_stage(fit.spec, estimand, effect_under) for name, estimand in estimands.items()
    }
    return {
        "contraction": {k: contraction(draws, prior[k]) for k, draws in effects.items()},
        "first_stage": {name: f for name, f in stages.items() if f is not None},
        "z": z,
        "share": share,
        "extrapolated_share": _extrapolated_shares(fit, estimands),
    }


def _extrapolated_shares(fit: Fit, estimands: Mapping[str, Estimand]) -> dict[str, float]:
    """Return the median share of each effect that lies below the exposure observed."""
    periods = len(fit.data.time)

    def shares_at(equations: Equations) -> np.ndarray:
        parts = [extrapolated_share(equations, e, periods) for e in estimands.values()]
        return np.stack(parts, axis=1)

    shares = fit.evaluate(shares_at).reshape(-1, len(estimands)).T
    columns = zip(estimands, shares, strict=True)
    return {name: float(np.nanmedian(s)) for name, s in columns if np.isfinite(s).any()}
