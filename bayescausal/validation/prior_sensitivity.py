"""`prior_sensitivity`: how much of an effect is the prior's, by power scaling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats import psense

from bayescausal._display import Page, html_page
from bayescausal._types import Array
from bayescausal.errors import SpecError
from bayescausal.inference.evidence import totals
from bayescausal.inference.fit import Fit, total_effect
from bayescausal.inference.verb import verb
from bayescausal.model.predict import pointwise
from bayescausal.model.scm import Equations, Parameter
from bayescausal.thresholds import POWER_SENSITIVITY
from bayescausal.validation.importance_sampling import gather

GROUPS = ("strengths", "curves", "controls", "baseline", "errors", "shared causes")
"""Priors by what they are of: strengths and curves of media, all other edges, trend and seasons,
errors, and correlations of errors."""

CONFLICT = "the prior and the data both move it: do they disagree?"
PRIOR_LED = "the prior moves it and the data hardly do"
DATA_LED = "the data move it and the prior hardly does"
UNMOVED = "neither moves it"


@dataclass(frozen=True, eq=False, repr=False)
class PriorSensitivity(Page):
    """How effects answer to priors, data and tests that weigh a little more or less.

    Parameters
    ----------
    table : pandas.DataFrame
        By effect: sensitivity to the ``prior``, to the ``likelihood``, and to its parts ``data``
        and ``tests`` (no value without tests); ``shift``, the posterior standard deviations by
        which the mean would move if all priors counted twice, to first order; the ``diagnosis``.
    groups : pandas.DataFrame
        By effect: sensitivity to the priors of one group alone.
    """

    table: pd.DataFrame
    groups: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return both tables side by side."""
        return pd.concat([self.table, self.groups], axis=1)

    @property
    def sentences(self) -> dict[str, str]:
        """What follows for each effect, in words."""
        words = {}
        for name, row in self.table.iterrows():
            text = f"{row['diagnosis'][:1].upper()}{row['diagnosis'][1:]}"
            text += "" if text.endswith("?") else "."
            if row["prior"] >= POWER_SENSITIVITY:
                group = str(self.groups.loc[name].idxmax())
                text += (
                    f" Were all priors counted twice, it would move by {row['shift']:+.1f} "
                    f"posterior standard deviations; the priors of {group} move it most."
                )
            words[str(name)] = text
        return words

    def __str__(self) -> str:
        lines = [f"{name}: {text}" for name, text in self.sentences.items()]
        numbers = self.table.drop(columns="diagnosis").round(2).to_string(na_rep="")
        return "\n".join([*lines, "", numbers])

    def _repr_html_(self) -> str:
        lines = (f"{name}: {text}" for name, text in self.sentences.items())
        return html_page(lines, self.to_frame())


@verb
def prior_sensitivity(fit: Fit) -> PriorSensitivity:
    """Return how much of each total effect is the prior's, by power scaling.

        p_alpha(theta | data)  ~  p(theta)^alpha  p(data | theta),    alpha = 0.99 and 1.01

    How far the distribution of an effect moves for such an alpha, by the cumulative Jensen-Shannon
    distance over log2 alpha, is its sensitivity to the prior; likewise to the data and the tests.
    Weights of the draws, smoothed by a Pareto tail, stand for the posterior at alpha: nothing is
    sampled. Above 0.05 it counts. Neither is wrong: a prior is there to be counted, and this says
    where it is. It is local; how a prior of another shape would do, only a refit tells.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    PriorSensitivity

    Raises
    ------
    SpecError
        The fit has augmented rows.

    Notes
    -----
    Priors are scaled as they are stated, the strength of a channel on its mean contribution. What
    pools the units of a panel is a part of the model, and only the priors of its mean and spread
    are scaled. Source: Kallioinen, Paananen, Bürkner and Vehtari (2024), Statistics and Computing
    34; `arviz_stats.psense`.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.prior_sensitivity(fit)  # doctest: +SKIP
    """
    if fit.plain is not None:
        raise SpecError("The fit has augmented rows. Ask prior_sensitivity(fit.plain).")
    effects = {
        name: total_effect(fit, estimand) for name, estimand in totals(fit.spec, fit.data).items()
    }
    prior, likelihood = log_priors(fit), _log_likelihoods(fit)
    tree = xr.DataTree.from_dict(
        {
            "posterior": _dataset(effects),
            "log_prior": _dataset(prior),
            "log_likelihood": _dataset(likelihood),
        }
    )

    def moved(group: str, parts: list[str]) -> dict[str, float]:
        if not parts:
            return dict.fromkeys(effects, np.nan)
        density = np.sum([(prior if group == "prior" else likelihood)[v] for v in parts], axis=0)
        if not np.ptp(density):  # the same in all draws: to scale it changes nothing
            return dict.fromkeys(effects, 0.0)
        values = psense(tree, group=group, group_var_names=parts)
        return {name: float(values[name]) for name in effects}

    tests = [name for name in likelihood if name != "data"]
    table = pd.DataFrame(
        {
            "prior": moved("prior", list(prior)),
            "likelihood": moved("likelihood", list(likelihood)),
            "data": moved("likelihood", ["data"]),
            "tests": moved("likelihood", tests),
            "shift": {name: _shift(draws, prior) for name, draws in effects.items()},
        }
    )
    flags = zip(
        table["prior"] >= POWER_SENSITIVITY, table["likelihood"] >= POWER_SENSITIVITY, strict=True
    )
    words = {(True, True): CONFLICT, (True, False): PRIOR_LED, (False, True): DATA_LED}
    table["diagnosis"] = [words.get((bool(p), bool(d)), UNMOVED) for p, d in flags]
    by_group = {group: moved("prior", [group] if group in prior else []) for group in GROUPS}
    groups = pd.DataFrame(by_group).dropna(axis=1, how="all")
    return PriorSensitivity(table.rename_axis("effect"), groups.rename_axis("effect"))


def log_priors(fit: Fit) -> dict[str, np.ndarray]:
    """Return the log density of the priors, as they are stated, by group: ``(chain, draw)``."""
    posterior = fit.tree["posterior"].to_dataset()
    sums: dict[str, np.ndarray] = {}
    for parameter in fit.scm.parameters:
        if parameter.pooled:
            continue
        values = posterior[parameter.name].transpose("chain", "draw", ...).to_numpy()
        density = parameter.prior.log_density(values).reshape(*values.shape[:2], -1).sum(axis=-1)
        group = _group(fit, parameter)
        sums[group] = sums.get(group, 0.0) + density
    return {group: sums[group] for group in GROUPS if group in sums}


def _group(fit: Fit, parameter: Parameter) -> str:
    """Return what a parameter is of; its name begins with an edge, a node or the causes."""
    spec, name = fit.spec, parameter.name
    if name in {key for cause in spec.confounders for key in cause.priors}:
        return "shared causes"
    for edge, response in spec.mechanisms.items():
        media = bool(response.transforms) or edge.source in {*spec.treatments, *fit.data.spend}
        if name == str(edge):
            return "strengths" if media else "controls"
        if name.startswith(f"{edge}:"):
            return "curves"
    return "errors" if name.split(":")[1] in ("sigma", "phi", "nu") else "baseline"


def _log_likelihoods(fit: Fit) -> dict[str, np.ndarray]:
    """Return the log density of the data, and of each term of tests: ``(chain, draw)``."""

    def data(equations: Equations) -> Array:
        parts = pointwise(equations).values()
        return sum(part.reshape(len(part), -1).sum(axis=1) for part in parts)

    terms = gather(fit).density if fit.spec.experiments else {}
    return {"data": fit.evaluate(data), **terms}


def _shift(draws: np.ndarray, priors: dict[str, np.ndarray]) -> float:
    """Return d mean / d log2 alpha in standard deviations, at alpha = 1: a covariance."""
    total = np.sum(list(priors.values()), axis=0)
    return float(np.log(2) * np.cov(draws.ravel(), total.ravel())[0, 1] / draws.std())


def _dataset(arrays: dict[str, np.ndarray]) -> xr.Dataset:
    variables = {name: (("chain", "draw"), values) for name, values in arrays.items()}
    chains, draws = next(iter(arrays.values())).shape
    return xr.Dataset(variables, coords={"chain": np.arange(chains), "draw": np.arange(draws)})
