"""Whether the sampler can be trusted: a verdict that travels with every number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from arviz_stats.base import array_stats

from bayescausal._display import wrapped
from bayescausal.thresholds import MAX_DIVERGENT, MAX_RHAT, MAX_RHAT_NUISANCE, MIN_ESS


@dataclass(frozen=True)
class Convergence:
    """R-hat, effective sample sizes and divergences, and what follows from them.

    Converged means: R-hat of the total effects at most 1.01 and of every parameter at most 1.03
    (the shape of a curve may mix more slowly than what is reported); bulk and tail ESS of the
    effects at least 400; divergences in at most 0.5 percent of the draws; not interrupted.

    Source: Vehtari et al. (2021), Rank-normalization, folding, and localization.
    """

    converged: bool
    max_rhat: float
    worst: str
    min_ess_bulk: float
    min_ess_tail: float
    divergences: int
    draws: int
    problems: tuple[str, ...] = ()
    rounds: int = 1

    def __repr__(self) -> str:
        return wrapped(str(self))

    def __str__(self) -> str:
        times = f" after {self.rounds} rounds of sampling" if self.rounds > 1 else ""
        if self.converged:
            return (
                f"Converged{times} (R-hat at most {self.max_rhat:.3f}, ESS of the effects at least "
                f"{self.min_ess_bulk:.0f})."
            )
        return f"NOT CONVERGED{times}: {'; '.join(self.problems)}."


def rhat(draws: np.ndarray) -> float:
    """Rank-normalized split R-hat of draws with shape ``(chain, draw)``."""
    if np.ptp(draws) == 0:
        return 1.0
    return float(array_stats.rhat(draws, chain_axis=0, draw_axis=1))


def ess(draws: np.ndarray, kind: str) -> float:
    """Effective sample size, ``kind`` bulk or tail, of draws with shape ``(chain, draw)``."""
    if np.ptp(draws) == 0:
        return float(draws.size)
    tails = {"prob": (0.05, 0.95)} if kind == "tail" else {}
    return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method=kind, **tails))


def scalars(posterior: xr.Dataset) -> dict[str, np.ndarray]:
    """Every scalar parameter with shape ``(chain, draw)``, by name and label."""
    series = {}
    for name, variable in posterior.data_vars.items():
        values = variable.transpose("chain", "draw", ...)
        flat = values.to_numpy().reshape(*values.shape[:2], -1)
        label_dims = [d for d in values.dims if d not in ("chain", "draw")]
        labels = [str(v) for v in values[label_dims[0]].values] if label_dims else [""]
        for k, label in enumerate(labels):
            series[f"{name}[{label}]" if label else str(name)] = flat[..., k]
    return series


def assess(
    posterior: xr.Dataset, effects: Mapping[str, np.ndarray], run: Mapping[str, Any]
) -> Convergence:
    """Judge a run from its parameters, its total effects and the sampler's own statistics."""
    draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    if posterior.sizes["draw"] < 4:
        reason = f"only {draws} draws; ask for more"
        return Convergence(False, np.inf, "all", 0, 0, run["divergences"], draws, (reason,))
    nuisance = {name: rhat(values) for name, values in scalars(posterior).items()}
    effect_hats = {f"the effect of {name}": rhat(values) for name, values in effects.items()}
    hats = nuisance | effect_hats
    worst = max(hats, key=lambda name: hats[name])
    bulk = {k: ess(v, "bulk") for k, v in effects.items()}
    tail = {k: ess(v, "tail") for k, v in effects.items()}
    problems = []
    for group, limit in ((effect_hats, MAX_RHAT), (nuisance, MAX_RHAT_NUISANCE)):
        name = max(group, key=lambda k: group[k])
        if group[name] > limit:
            problems.append(f"R-hat of {name} is {group[name]:.3f} (above {limit})")
    for kind, values in (("bulk", bulk), ("tail", tail)):
        least = min(values, key=lambda name: values[name])
        if values[least] < MIN_ESS:
            problems.append(
                f"{kind} ESS of the effect of {least} is {values[least]:.0f} (below {MIN_ESS})"
            )
    if run["divergences"] > MAX_DIVERGENT * draws:
        problems.append(f"{run['divergences']} of {draws} draws diverged")
    if run["interrupted"]:
        problems.append("sampling was interrupted")
    return Convergence(
        not problems,
        hats[worst],
        worst,
        min(bulk.values()),
        min(tail.values()),
        run["divergences"],
        draws,
        tuple(problems),
        len(run.get("rounds", "1")),
    )
