"""Whether the sampler can be trusted: a verdict that travels with every number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from arviz_stats.base import array_stats

from bayescausal._display import wrapped
from bayescausal.thresholds import (
    MAX_DIVERGENT,
    MAX_RHAT,
    MAX_RHAT_NUISANCE,
    MIN_ESS,
    MIN_WEIGHTED_ESS,
    pareto_k_limit,
)


@dataclass(frozen=True)
class Convergence:
    """R-hat, effective sample sizes and divergences, and what follows from them.

    Converged means: R-hat of the total effects at most 1.01 and of every parameter at most 1.03
    (the shape of a curve may mix more slowly than what is reported); bulk and tail ESS of the
    effects at least 400; divergences in at most 0.5 percent of the draws; not interrupted.

    The draws of a draft (``method="laplace"``) are independent, so that R-hat and ESS are near
    perfect however wrong they are: both are NaN. "Converged" then means that its importance weights
    can be trusted: Pareto k below `bayescausal.thresholds.pareto_k_limit` of the ``draws``, which
    are those that were weighed, and at least 100 of them left in effect, ``weighted_ess``. It says
    nothing of a second mode that no draw came near.

    Sources: Vehtari et al. (2021), Rank-normalization, folding, and localization; (2024), Pareto
    smoothed importance sampling.
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
    method: str = "nuts"
    pareto_k: float | None = None
    weighted_ess: float | None = None

    @property
    def is_draft(self) -> bool:
        """Whether the posterior is approximated, for a first look."""
        return self.method != "nuts"

    @property
    def remark(self) -> str:
        """What has to be said beside every number; empty when NUTS has converged."""
        return str(self) if self.is_draft or not self.converged else ""

    def __repr__(self) -> str:
        return wrapped(str(self))

    def __str__(self) -> str:
        if self.is_draft:
            return self._of_a_draft()
        times = f" after {self.rounds} rounds of sampling" if self.rounds > 1 else ""
        if self.converged:
            return (
                f"Converged{times} (R-hat at most {self.max_rhat:.3f}, ESS of the effects at least "
                f"{self.min_ess_bulk:.0f})."
            )
        return f"NOT CONVERGED{times}: {'; '.join(self.problems)}."

    def _of_a_draft(self) -> str:
        if self.converged:
            return (
                f"DRAFT: approximation by the curvature at the mode (method='{self.method}'), "
                f"Pareto k {self.pareto_k:.2f}, worth {self.weighted_ess:,.0f} independent draws: "
                "good enough for a first look. Fit with method='nuts' before you decide."
            )
        return (
            f"NOT CONVERGED: the approximation by the curvature at the mode "
            f"(method='{self.method}') is not to be trusted, as {'; '.join(self.problems)}. "
            "Fit with method='nuts'."
        )


def assess_draft(run: Mapping[str, Any]) -> Convergence:
    """Judge weighted draws about the mode by their importance weights."""
    k, size, number = run["pareto_k"], run["weighted_ess"], run["weighed"]
    limit, problems = pareto_k_limit(number), []
    if not k < limit:
        problems.append(f"Pareto k of its weights is {k:.2f} (not below {limit:.2f})")
    if size < MIN_WEIGHTED_ESS:
        problems.append(
            f"its {number:,} weighted draws are worth {size:.0f} independent ones (below "
            f"{MIN_WEIGHTED_ESS})"
        )
    nothing = (np.nan, "", np.nan, np.nan, 0)
    return Convergence(not problems, *nothing, number, tuple(problems), 1, run["method"], k, size)


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
    if "pareto_k" in run:
        return assess_draft(run)
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
    )
