"""`model_uncertainty`: what effects are under each graph that is admissible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import TablePage, amount, html_page, wrapped
from bayescausal.errors import SpecError, shown
from bayescausal.identification.status import Status
from bayescausal.inference.evidence import totals
from bayescausal.inference.fit import Fit, total_effect
from bayescausal.queries.summary import DRAFT


@dataclass(frozen=True, eq=False)
class ModelUncertainty(TablePage):
    """Total effects under each admissible graph, and how far they range.

    Parameters
    ----------
    table : pandas.DataFrame
        By ``effect`` and ``graph``: ``median``, ``low``, ``high`` of the total effect, the
        ``status`` that the graph gives it and its ``grade``, and whether the fit has ``converged``.
    averaged : pandas.DataFrame
        By effect: ``median``, ``low`` and ``high`` of the mixture of the graphs with the weights
        of the user. Empty without weights.
    weights : mapping of str to float
        Those of the user, summing to one.
    prob : float
        Probability inside the intervals.
    """

    table: pd.DataFrame
    averaged: pd.DataFrame
    weights: Mapping[str, float]
    prob: float

    @property
    def sentences(self) -> list[str]:
        """What follows for each effect, in words."""
        lines = []
        for effect, part in self.table.groupby(level="effect", sort=False):
            rows = part.droplevel("effect")
            low, high = rows["median"].idxmin(), rows["median"].idxmax()
            medians = f"{amount(rows['median'].min())} ('{low}')"
            if len(rows) > 1:
                medians += f" to {amount(rows['median'].max())} ('{high}')"
            text = f"{effect}: under {len(rows)} {'graph' if len(rows) == 1 else 'graphs'} "
            text += (
                f"the median is {medians}, intervals reach from "
                f"{amount(rows['low'].min())} to {amount(rows['high'].max())}"
            )
            if len({*np.sign(rows["median"])}) > 1:
                text += "; its sign depends on the graph"
            if weak := [*rows.index[rows["status"] == Status.NOT_IDENTIFIED]]:
                text += f"; not identified under {', '.join(map(repr, weak))}"
            if effect in self.averaged.index:
                row = self.averaged.loc[effect]
                text += (
                    f"; with your weights {amount(row['median'])} ({amount(row['low'])} to "
                    f"{amount(row['high'])})"
                )
            lines.append(f"{text}.")
        if not self.weights:
            lines.append(
                "Graphs are not averaged: data cannot weigh those that imply the same, and weights "
                "are a claim of yours (weights=)."
            )
        return lines

    def __repr__(self) -> str:
        return wrapped("\n".join([*self.sentences, "", self.table.round(1).to_string()]))

    def _repr_html_(self) -> str:
        return html_page(self.sentences, self.table)


@checks.arguments
def model_uncertainty(
    fits: Mapping[str, Fit], *, weights: Mapping[str, float] | None = None, prob: float = 0.9
) -> ModelUncertainty:
    """Compare total effects under several graphs, each with a fit of its own.

    The range over graphs is what the data leave open about causes; an interval of one fit knows
    nothing of it. It is no distribution. Graphs are averaged only with weights that the user
    states: graphs that imply the same independences fit the data equally well and can differ in
    sign, so no likelihood tells them apart; and fits that condition on other nodes explain other
    data, so that their likelihoods cannot be compared at all.

    Parameters
    ----------
    fits : mapping of str to Fit
        By name of the graph, such as ``fit_many`` returns for `Discovery.admissible_specs`.
    weights : mapping of str to float, optional
        How much each graph is believed, for every one of them; scaled to sum to one.
    prob : float
        Probability inside the intervals.

    Returns
    -------
    ModelUncertainty

    Raises
    ------
    SpecError
        No fits, fits of other data, no effect in common, weights of other graphs or below zero.

    Notes
    -----
    Source: Draper (1995), Assessment and propagation of model uncertainty, JRSS B 57; Verma and
    Pearl (1990), for graphs that imply the same.

    Examples
    --------
    >>> import bayescausal as bc
    >>> specs = discovery.admissible_specs(spec)  # doctest: +SKIP
    >>> fits = bc.fit_many({k: (s, data) for k, s in specs.items()}, "fits")  # doctest: +SKIP
    >>> bc.model_uncertainty(fits)  # doctest: +SKIP
    """
    prob = checks.probability("model_uncertainty: prob", prob)
    known = _checked(fits)
    shares = _shares(weights, known)
    effects = _common_effects(known)
    rows, draws = [], {}
    for name, fit in known.items():
        estimands = totals(fit.spec, fit.data)
        for effect in effects:
            values = total_effect(fit, estimands[effect]).ravel()
            draws[effect, name] = values
            letter = fit.evidence.grade(estimands[effect])
            row = {"effect": effect, "graph": name, **_interval(values, None, prob)}
            row |= {"status": str(letter.status), "grade": str(letter.letter)}
            rows.append({**row, "converged": fit.convergence.converged})
    order = {effect: place for place, effect in enumerate(effects)}
    table = pd.DataFrame(rows).sort_values("effect", key=lambda x: x.map(order), kind="stable")
    averaged = {
        effect: _interval(
            np.concatenate([draws[effect, name] for name in known]),
            np.concatenate(
                [np.full(len(draws[effect, n]), shares[n] / len(draws[effect, n])) for n in known]
            ),
            prob,
        )
        for effect in (effects if shares else ())
    }
    if any(fit.convergence.is_draft for fit in known.values()):
        table.columns.name = DRAFT
    return ModelUncertainty(
        table.set_index(["effect", "graph"]),
        pd.DataFrame.from_dict(averaged, orient="index"),
        shares,
        prob,
    )


def _interval(values: np.ndarray, weights: np.ndarray | None, prob: float) -> dict[str, float]:
    """Return median and ends of the central interval of draws, weighted or not."""
    points = [0.5, (1 - prob) / 2, (1 + prob) / 2]
    if weights is None:
        ends = np.quantile(values, points)
    else:
        ends = np.quantile(values, points, weights=weights, method="inverted_cdf")
    return dict(zip(("median", "low", "high"), map(float, ends), strict=True))


def _checked(fits: Mapping[str, Fit]) -> dict[str, Fit]:
    if not isinstance(fits, Mapping) or not fits:
        raise SpecError(
            "model_uncertainty compares fits by the name of their graph, such as "
            f"fit_many(...) returns; got {shown(fits)}."
        )
    known = {name: fits[name] for name in fits}
    for name, fit in known.items():
        checks.instance("model_uncertainty", fit, Fit, f"'{name}' is none.")
        if fit.observed is not fit:
            raise SpecError(
                f"model_uncertainty is about the data, and the fit '{name}' has a future. Give it "
                "`fit.observed`."
            )
    first, *others = known
    for name in others:
        if known[name].data.hash != known[first].data.hash:
            raise SpecError(
                f"model_uncertainty: '{name}' and '{first}' were fitted to different data. What "
                "differs would be the data and the graph at once; fit both to the same."
            )
    return known


def _common_effects(fits: Mapping[str, Fit]) -> list[str]:
    first, *others = (totals(fit.spec, fit.data) for fit in fits.values())
    effects = [name for name in first if all(name in other for other in others)]
    if not effects:
        raise SpecError("model_uncertainty: no treatment has an effect in all of these graphs.")
    return effects


def _shares(weights: Mapping[str, float] | None, fits: Mapping[str, Fit]) -> dict[str, float]:
    if weights is None:
        return {}
    if not isinstance(weights, Mapping) or {*weights} != {*fits}:
        raise SpecError(
            "model_uncertainty: weights has one number for each graph, "
            f"{', '.join(map(repr, fits))}; got {shown(weights)}."
        )
    numbers = {n: checks.number(f"model_uncertainty: weights['{n}']", weights[n]) for n in fits}
    if min(numbers.values()) < 0 or not max(numbers.values()):
        raise SpecError(
            f"model_uncertainty: weights are zero or more, and some above; got {shown(weights)}."
        )
    scaled = {name: value / max(numbers.values()) for name, value in numbers.items()}
    return {name: value / sum(scaled.values()) for name, value in scaled.items()}
