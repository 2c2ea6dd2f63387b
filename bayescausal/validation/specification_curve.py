"""The specification curve: what effects are under other forms of the same causal claims."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import TablePage, amount, html_page
from bayescausal.errors import BayesCausalError, NotConverged, SpecError, shown
from bayescausal.experiments.estimand import Estimand
from bayescausal.inference.evidence import totals
from bayescausal.inference.fit import Fit, total_effect
from bayescausal.inference.fitting import fit_with
from bayescausal.inference.sample import LOG
from bayescausal.inference.settings import Settings
from bayescausal.inference.verb import verb
from bayescausal.queries.summary import DRAFT
from bayescausal.specs.spec import Spec
from bayescausal.validation.alternative_specs import alternative_specs
from bayescausal.validation.leave_one_out import leave_one_out

AS_FITTED = "as fitted"
"""The name of the fit itself among its alternatives."""


@dataclass(frozen=True, eq=False, repr=False)
class SpecificationCurve(TablePage):
    """Effects under other forms of the responses, other lags and other admissible sets.

    Parameters
    ----------
    table : pandas.DataFrame
        By ``spec`` (the fit first) and ``effect``: ``median``, ``low``, ``high`` of the total
        effect, ``per_spend``, its median over the spend, ``rank`` among the effects on that
        outcome, 1 for the largest (per spend where all have spend); ``elpd`` of the spec, how well
        it predicts weeks that are left out, and whether it has ``converged``.
    agreement : pandas.DataFrame
        By effect: the shares of the other specs whose median has the ``sign`` of the fit's, whose
        interval excludes zero on that side (``clear``), and in which it has the same ``rank``;
        ``lowest`` and ``highest`` median of all.
    left_out : tuple of str
        Specs for which there was no time.
    obstacles : mapping of str to str
        Specs that could not be fitted, and why.
    prob : float
        Probability inside the intervals.
    """

    table: pd.DataFrame
    agreement: pd.DataFrame
    left_out: tuple[str, ...]
    obstacles: Mapping[str, str]
    prob: float

    @property
    def sentences(self) -> list[str]:
        """What follows, in words."""
        count = self.table.index.get_level_values("spec").nunique() - 1
        lines = [] if count else ["No other spec was fitted."]
        lines += [
            f"{name}: {row['sign']:.0%} of {count} other specs agree on the sign, "
            f"{row['clear']:.0%} also exclude zero, {row['rank']:.0%} agree on the rank; medians "
            f"from {amount(row['lowest'])} to {amount(row['highest'])}."
            for name, row in self.agreement.iterrows()
            if count
        ]
        if self.left_out:
            lines.append(f"Not fitted, for want of time: {', '.join(self.left_out)}.")
        return lines + [f"Not fitted: {name}. {why}" for name, why in self.obstacles.items()]

    def __str__(self) -> str:
        columns = ["median", "low", "high", "rank", "elpd", "converged"]
        return "\n".join([*self.sentences, "", self.table[columns].round(1).to_string()])

    def _repr_html_(self) -> str:
        return html_page(self.sentences, self.agreement, self.table)


@verb
def specification_curve(
    fit: Fit,
    specs: Mapping[str, Spec] | None = None,
    *,
    budget: float | None = None,
    prob: float = 0.9,
    seed: int | None = None,
    progress: bool = True,
) -> SpecificationCurve:
    """Fit other forms of the same causal claims, and return how far they agree.

    Whether adstock, curve, lags or the choice among admissible sets decide a number, or its sign
    and rank stand whatever is chosen. Not a distribution: specs are no sample, and shares of them
    are no probabilities. A spec that predicts much worse (``elpd``) weighs less in an argument.

    Parameters
    ----------
    fit : Fit
    specs : mapping of str to Spec, optional
        By default those of `alternative_specs`. Each takes as long as the fit did.
    budget : float, optional
        Seconds: no further spec is begun that would likely end later. The first always is.
    prob : float
        Probability inside the intervals.
    seed : int, optional
    progress : bool
        Log each spec as it is done.

    Returns
    -------
    SpecificationCurve

    Raises
    ------
    SpecError
        Specs that are none, or a fit with augmented rows.

    Warns
    -----
    NotConverged
        When a fit has not converged; it is in the table.

    Notes
    -----
    Source: Simonsohn, Simmons and Nelson (2020), Specification curve analysis, Nature Human
    Behaviour 4.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.specification_curve(fit, budget=300, seed=1)  # doctest: +SKIP
    """
    specs = alternative_specs(fit) if specs is None else _checked(specs)
    if fit.plain is not None:
        raise SpecError("The fit has augmented rows. Ask specification_curve(fit.plain, ...).")
    budget = np.inf if budget is None else checks.number("specification_curve: budget", budget)
    progress = checks.flag("specification_curve: progress", progress)
    seeds = np.random.SeedSequence(checks.seed_or_drawn("seed", seed)).generate_state(len(specs))
    settings = replace(Settings.from_dict(fit.info["settings"]), progress=False)
    estimands = totals(fit.spec, fit.data)
    rows = _rows(AS_FITTED, fit, estimands, prob)
    start, obstacles = time.perf_counter(), {}
    left_out: list[str] = []
    for done, (name, spec) in enumerate(specs.items()):
        elapsed = time.perf_counter() - start
        if done and elapsed * (done + 1) / done > budget:
            left_out = list(specs)[done:]
            break
        try:
            other = fit_with(settings, spec, fit.data, int(seeds[done]))
            rows += _rows(name, other, estimands, prob)
        except BayesCausalError as error:
            obstacles[name] = str(error)
        if progress:
            seconds = time.perf_counter() - start - elapsed
            LOG.info("%d of %d: %s (%.0f s)", done + 1, len(specs), name, seconds)
    table = _ranked(pd.DataFrame(rows), fit, estimands).set_index(["spec", "effect"])
    if fit.convergence.is_draft:
        table.columns.name = DRAFT
    wrong = sorted({str(spec) for spec, _ in table.index[~table["converged"]]})
    if wrong:
        warnings.warn(f"Not converged: {', '.join(wrong)}.", NotConverged, stacklevel=3)
    return SpecificationCurve(table, _agreement(table), tuple(left_out), obstacles, prob)


def _checked(specs: Mapping[str, Spec]) -> Mapping[str, Spec]:
    if not isinstance(specs, Mapping) or not specs or AS_FITTED in specs:
        raise SpecError(
            "specification_curve: specs is a mapping of a name to a Spec, such as "
            f"alternative_specs(fit), and no name is '{AS_FITTED}'; got {shown(specs)}."
        )
    for name, spec in specs.items():
        checks.name("specification_curve: specs", name)
        checks.instance("specification_curve", spec, Spec, "Write {'a name': Spec(...)}.")
    return specs


def _rows(
    name: str, fit: Fit, estimands: Mapping[str, Estimand], prob: float
) -> list[dict[str, object]]:
    """Return the effects of one fit, a row each."""
    elpd, converged = leave_one_out(fit).elpd, fit.convergence.converged
    rows: list[dict[str, object]] = []
    for effect, estimand in estimands.items():
        draws = total_effect(fit, estimand)
        low, median, high = np.quantile(draws, [(1 - prob) / 2, 0.5, (1 + prob) / 2])
        (channel,) = estimand.treatments
        spend = np.nan
        if channel in fit.data.spend:
            spend = float(fit.data.spend_of(channel)[..., fit.data.history :].sum())
        row = {"spec": name, "effect": effect, "median": median, "low": low, "high": high}
        rows.append({**row, "per_spend": median / spend, "elpd": elpd, "converged": converged})
    return rows


def _ranked(table: pd.DataFrame, fit: Fit, estimands: Mapping[str, Estimand]) -> pd.DataFrame:
    """Add the rank of each effect among those on its outcome, by what is gained per spend."""
    outcome = table["effect"].map({name: e.outcome for name, e in estimands.items()})
    priced = (
        table["per_spend"].groupby([table["spec"], outcome]).transform(lambda x: x.notna().all())
    )
    size = table["per_spend"].where(priced, table["median"])
    rank = size.groupby([table["spec"], outcome]).rank(ascending=False).astype(int)
    table.insert(6, "rank", rank)
    return table


def _agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of other specs that agree with the fit, by effect."""
    rows = {}
    for effect, part in table.groupby(level="effect", sort=False):
        by_spec = part.droplevel("effect")
        fitted, others = by_spec.loc[AS_FITTED], by_spec.drop(AS_FITTED)
        sign = np.sign(fitted["median"])
        nearest = others["low"] if sign > 0 else -others["high"]
        rows[effect] = {
            "sign": (np.sign(others["median"]) == sign).mean(),
            "clear": (nearest > 0).mean(),
            "rank": (others["rank"] == fitted["rank"]).mean(),
            "lowest": by_spec["median"].min(),
            "highest": by_spec["median"].max(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("effect")
