"""`diagnose`: what to check before reading a number, and what to do when it fails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescausal._display import Page
from bayescausal.identification.grades import Letter
from bayescausal.inference.carry_over import cut_in_words
from bayescausal.inference.convergence import Convergence, ess, rhat, scalars
from bayescausal.inference.error_check import check_errors, stacked
from bayescausal.inference.evidence import advice, totals
from bayescausal.inference.fit import Fit, lift_draws, total_effect
from bayescausal.inference.verb import verb
from bayescausal.model.lifts import error_sd, on_model_scale
from bayescausal.specs.cautions import cautions
from bayescausal.thresholds import (
    INFORMATIVE_CONTRACTION,
    MAX_RHAT,
    MIN_ENERGY_FRACTION,
    PREDICTIVE_TAIL,
    TEST_CONFLICT,
)
from bayescausal.validation.sensitivity import Sensitivity, sensitivity

AUTOCORRELATION = "autocorrelation of errors"
_STATISTICS = {
    "mean": lambda y: y.mean(axis=-1),
    "sd": lambda y: y.std(axis=-1),
    "min": lambda y: y.min(axis=-1),
    "max": lambda y: y.max(axis=-1),
}


@dataclass(frozen=True, repr=False)
class Diagnostics(Page):
    """What `diagnose` found; prints as a page.

    Parameters
    ----------
    convergence : Convergence
        R-hat, ESS, divergences, and the verdict that travels with every number. Of a draft Pareto
        k, and R-hat and ESS are missing below: its draws are no chains.
    effects : pandas.DataFrame
        By effect (treatments and paid nodes): R-hat, ESS, and contraction from prior to posterior;
        none where an effect is not identified, as data then narrow a sum of which it is a part.
    parameters : pandas.DataFrame
        R-hat and ESS of every scalar parameter, worst first.
    predictive : pandas.DataFrame
        By node and statistic: observed, 95 percent predictive interval, p-value.
    experiments : pandas.DataFrame
        By test: observed lift (a cost as its inverse, the return), the model's effect, z-score of
        their difference.
    energy : pandas.Series
        Bayesian fraction of missing information by chain.
    hidden_drivers : Sensitivity
        How strong a hidden driver would have to be to change each effect.
    advice : tuple of str
        What to do, most important first.
    """

    convergence: Convergence
    effects: pd.DataFrame
    parameters: pd.DataFrame
    predictive: pd.DataFrame
    experiments: pd.DataFrame
    energy: pd.Series
    hidden_drivers: Sensitivity
    advice: tuple[str, ...]

    @property
    def unlike(self) -> pd.DataFrame:
        """The rows of `predictive` in which replicas differ from the data."""
        return self.predictive[self.predictive.apply(_fails, axis=1)]

    def __str__(self) -> str:
        effects = self.effects.dropna(axis="columns", how="all")
        parts = [str(self.convergence), "", "Effects", effects.round(3).to_string()]
        if len(self.experiments):
            parts += ["", "Experiments", self.experiments.round(2).to_string()]
        parts += ["", "Posterior predictive", self.predictive.round(3).to_string()]
        parts += ["", "Hidden drivers"]
        parts += [f"{name}: {words}" for name, words in self.hidden_drivers.sentences.items()]
        return "\n".join([*parts, "", "Advice", *(f"- {line}" for line in self.advice)])


@verb
def diagnose(fit: Fit) -> Diagnostics:
    """Check the sampler, the fit to the data, and what the data added to the prior.

    None of it says whether the graph is right: every rival's diagnostics are clean on data with
    a hidden confounder while the effect is off by a factor of two. How strong such a confounder
    would have to be stands under hidden drivers, see `sensitivity`.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    Diagnostics

    Notes
    -----
    Contraction is ``1 - (width of the posterior / width of the prior)^2`` of the central 90
    percent intervals of a total effect: near 0 the prior speaks, near 1 the data do. The
    p-values are posterior predictive, each node given its observed parents, and conservative:
    they look for misfit, they do not test the graph. Sources: Vehtari et al. (2021); Betancourt
    (2016), energy; Gelman, Meng & Stern (1996), predictive checks.

    Examples
    --------
    >>> import bayescausal as bc
    >>> print(bc.diagnose(fit))  # doctest: +SKIP
    """
    state = fit.convergence
    effects, parameters = _effects(fit), _parameters(fit)
    predictive, tests, energy = _predictive(fit), _experiments(fit), _energy(fit)
    degraded = _broken_by_augmentation(fit, predictive)
    warnings = [words for _, words in cautions(fit.spec, fit.data)]
    warnings += [text] if (text := cut_in_words(fit)) else []
    lines = (
        *_unidentified(fit),
        *_advice(state, effects, predictive, degraded, tests, energy, warnings),
    )
    drivers = sensitivity(fit)
    return Diagnostics(state, effects, parameters, predictive, tests, energy, drivers, lines)


def _effects(fit: Fit) -> pd.DataFrame:
    rows, contraction = {}, fit.evidence.learned["contraction"]
    for name, estimand in totals(fit.spec, fit.data).items():
        draws = total_effect(fit, estimand)
        rows[name] = {
            **_mixing(fit, draws),
            "contraction": np.nan if fit.grades[name].letter == Letter.X else contraction[name],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("treatment")


def _mixing(fit: Fit, draws: np.ndarray) -> dict[str, float]:
    """Return R-hat and ESS of draws ``(chain, draw)``; they mean nothing where these are no chains.

    Weighted draws are independent and would look perfect, however far from the posterior.
    """
    if fit.convergence.is_draft:
        return dict.fromkeys(("r_hat", "ess_bulk", "ess_tail"), np.nan)
    return {"r_hat": rhat(draws), "ess_bulk": ess(draws, "bulk"), "ess_tail": ess(draws, "tail")}


def _parameters(fit: Fit) -> pd.DataFrame:
    draws = scalars(fit.tree["posterior"].to_dataset())
    rows = {name: _mixing(fit, values) for name, values in draws.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")
    return table.sort_values("r_hat", ascending=False)


def _predictive(fit: Fit) -> pd.DataFrame:
    rows = {}
    replicas = fit.tree["posterior_predictive"].to_dataset()
    for node in fit.spec.modelled:
        start = fit.data.history
        observed = fit.data.array(node)[..., start:]
        simulated_paths = stacked(node, fit.data, replicas)
        if fit.data.is_panel:
            observed, simulated_paths = observed.sum(axis=-2), simulated_paths.sum(axis=-2)
        checks = {name: (f(simulated_paths), f(observed)) for name, f in _STATISTICS.items()}
        check = check_errors(node, fit.data, replicas)
        checks[AUTOCORRELATION] = (check.simulated, np.float64(check.observed))
        for name, (simulated, value) in checks.items():
            low, high = np.quantile(simulated, [PREDICTIVE_TAIL, 1 - PREDICTIVE_TAIL])
            rows[node, name] = {
                "observed": float(value),
                "low": low,
                "high": high,
                "p_value": float((simulated >= value).mean()),
            }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["node", "statistic"])
    return table


def _fails(check: pd.Series) -> bool:
    return bool(min(check["p_value"], 1 - check["p_value"]) < PREDICTIVE_TAIL)


def _broken_by_augmentation(fit: Fit, predictive: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the checks that fail with augmented rows and pass in the fit without them."""
    if fit.plain is None:
        return []
    plain_checks = _predictive(fit.plain)
    failing = (key for key, check in predictive.iterrows() if _fails(check))
    return [(str(v), str(name)) for v, name in failing if not _fails(plain_checks.loc[(v, name)])]


def _experiments(fit: Fit) -> pd.DataFrame:
    rows = {}
    for test in fit.spec.experiments:
        draws, error = lift_draws(fit, test), error_sd(test, fit.data)
        rows[test.name] = {
            "lift": on_model_scale(test).lift,
            "std_error": error,
            "model": float(draws.mean()),
            "model_sd": float(draws.std()),
            "z": fit.evidence.learned["z"][str(test.name)],
        }
    columns = ["lift", "std_error", "model", "model_sd", "z"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("experiment")


def _energy(fit: Fit) -> pd.Series:
    stats = fit.tree["sample_stats"].to_dataset()
    if "energy" not in stats:
        return pd.Series(dtype=float, name="bfmi")
    energy = stats["energy"].transpose("chain", "draw").to_numpy()
    change = (np.diff(energy, axis=1) ** 2).mean(axis=1)
    return pd.Series(change / energy.var(axis=1), name="bfmi").rename_axis("chain")


def _unidentified(fit: Fit) -> list[str]:
    return [
        advice(fit.evidence.verdict(estimand))
        for name, estimand in totals(fit.spec, fit.data).items()
        if fit.grades[name].letter == Letter.X
    ]


def _advice(
    state: Convergence,
    effects: pd.DataFrame,
    predictive: pd.DataFrame,
    degraded: list[tuple[str, str]],
    tests: pd.DataFrame,
    energy: pd.Series,
    warnings: list[str],
) -> tuple[str, ...]:
    lines = [*warnings]
    if state.is_draft:
        lines.append(
            "Fit with method='nuts' before you decide. R-hat, ESS and plots of chains would say "
            "nothing here: weighted draws are independent, however far from the posterior."
        )
    if state.divergences:
        lines.append(
            f"{state.divergences} draws diverged: refit with target_accept=0.97; if they stay, "
            "use plainer responses or tighter priors where the posterior is wide."
        )
    if not (state.converged or state.is_draft):
        lines.append(
            f"Do not read the numbers yet ({'; '.join(state.problems)}): refit with more draws "
            f"and tune=1000; if R-hat stays above {MAX_RHAT} look at "
            f"{state.worst} for two explanations of the same data."
        )
    if len(energy) and energy.min() < MIN_ENERGY_FRACTION:
        lines.append(
            f"Energy changes slowly (BFMI below {MIN_ENERGY_FRACTION}): heavy tails; give tighter "
            "priors."
        )
    for treatment, share in effects["contraction"].items():
        if share < INFORMATIVE_CONTRACTION:
            lines.append(
                f"The data say little about {treatment} (contraction {share:.2f}): its number is "
                "mostly the prior. A lift test on it would."
            )
    for name, z in tests["z"].items():
        if abs(z) > TEST_CONFLICT:
            lines.append(
                f"The test '{name}' disagrees with the fitted model (z = {z:.1f}) although it was "
                "used to fit it: suspect a confounder, the window, or the units of the lift."
            )
    lines += [
        f"The {statistic} of {node} is not reproduced with augmented rows, and is without them: "
        "they lost something that the data show. Read the fit without (`fit.plain`), or give the "
        "rows less weight."
        for node, statistic in degraded
    ]
    for key, check in predictive.iterrows():
        if _fails(check) and key not in degraded:
            lines.append(_misfit(*map(str, key)))
    if not lines:
        lines.append(
            "Nothing to mend in the sampling or the fit. That says nothing about the graph: "
            "an unobserved common cause leaves all of this clean."
        )
    return tuple(lines)


def _misfit(node: str, statistic: str) -> str:
    if statistic.startswith("auto"):
        return (
            f"The errors of {node} last longer (or less long) than the model assumes: "
            "intervals are then too narrow. Add a trend, a season or the missing driver, or use "
            "AR1Noise()."
        )
    if statistic in ("min", "max"):
        return (
            f"The {statistic} of {node} is unusual for the model: look at that period, add an "
            "Event, or use StudentTNoise()."
        )
    return f"The {statistic} of {node} is not reproduced: its link or its noise may be wrong."
