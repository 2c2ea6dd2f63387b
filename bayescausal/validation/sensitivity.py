"""`sensitivity`: how strong a hidden driver would have to be to change what a fit says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import Page, html_page
from bayescausal._types import Node
from bayescausal.errors import BayesCausalError, SpecError
from bayescausal.inference.evidence import question_name, totals
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.queries.questions import channels_for
from bayescausal.validation.effect_regression import EffectRegression, effect_regression
from bayescausal.validation.robustness_values import (
    LinearEffect,
    adjusted,
    robustness_value,
    times_as_strong,
)

NO_SUCH_DRIVER = "it would explain all that is left of the channel: there is no such driver"
"""The note beside a benchmark that is too strong to be multiplied."""


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(Page):
    """How strong a hidden driver would have to be to change total effects.

    Parameters
    ----------
    effects : pandas.DataFrame
        By effect: ``estimate``, ``std_error``, ``low``, ``high`` by least squares, in units of the
        outcome; ``posterior``, the effect at the posterior medians, beside it; ``rows`` and
        effective ``dof``; ``partial_r2`` of the channel with the outcome, and ``correlation`` of
        errors at which the estimate is zero; ``rv``, the robustness value, ``rv_interval``, that at
        which zero enters the interval, and ``rv_break_even``, that at which the return falls to 1
        (no value where there is no spend, or no return above 1).
    benchmarks : pandas.DataFrame
        By effect, recorded ``driver`` and ``k``: a hidden driver k times as strong would explain
        the shares ``r2_channel`` and ``r2_outcome``, correlate the errors by ``correlation`` and
        leave ``estimate`` in ``low``..``high``, ``share`` of the effect; ``survives`` where zero is
        outside of the interval and the sign is kept; ``note``.
    obstacles : mapping of str to str
        Why an effect has no robustness value.
    prob : float
        Probability inside the intervals.
    """

    effects: pd.DataFrame
    benchmarks: pd.DataFrame
    obstacles: Mapping[str, str]
    prob: float

    def to_frame(self) -> pd.DataFrame:
        """Return the table of effects."""
        return self.effects.copy()

    def linear_effect(self, name: str) -> LinearEffect:
        """Return the regression's estimate of an effect."""
        row = self.effects.loc[checks.name("linear_effect: name", name, self.effects.index)]
        return LinearEffect(*(float(row[key]) for key in LinearEffect._fields))

    @property
    def sentences(self) -> dict[str, str]:
        """What follows for each effect, in words."""
        words = {str(name): self._in_words(str(name)) for name in self.effects.index}
        return words | {
            name: f"No robustness value. {text}" for name, text in self.obstacles.items()
        }

    def _in_words(self, name: str) -> str:
        row = self.effects.loc[name]
        text = (
            f"A hidden driver would have to explain {row['rv']:.0%} of what is left of both the "
            "channel's response and the outcome to bring the effect to zero"
        )
        text += (
            f", and {row['rv_interval']:.0%} to bring zero into its {self.prob:.0%} interval."
            if row["rv_interval"]
            else f"; zero is in its {self.prob:.0%} interval already."
        )
        strongest = self._strongest(name)
        return text if strongest is None else f"{text} {strongest}"

    def _strongest(self, name: str) -> str | None:
        """Say what a driver as strong as the strongest recorded one would leave."""
        table = self.benchmarks[(self.benchmarks.index == name) & self.benchmarks["share"].notna()]
        if table.empty:
            return None
        table = table[table["k"] == table["k"].min()]
        row = table.loc[table["share"] == table["share"].min()].iloc[0]
        share, k = row["share"], row["k"]
        size = "as strong" if k == 1 else f"{k:g} times as strong"
        verdict = f"would leave {share:.0%} of it" if share > 0 else "would turn its sign"
        driver = _IN_WORDS.get(row["driver"], row["driver"])
        return f"One {size} as {driver} {verdict}."

    def __str__(self) -> str:
        lines = [f"{name}: {text}" for name, text in self.sentences.items()]
        if len(self.effects):
            table = self.effects[["estimate", "posterior", "dof", "rv", "rv_interval"]]
            lines += ["", table.round(2).to_string()]
        return "\n".join([*lines, "", CAVEAT])

    def _repr_html_(self) -> str:
        lines = (f"{name}: {text}" for name, text in self.sentences.items())
        tables = (table for table in (self.effects, self.benchmarks) if len(table))
        return html_page(lines, *tables) + html_page([CAVEAT])


_IN_WORDS = {
    **{key: f"the {key} seasonality" for key in ("yearly", "monthly", "weekly")},
    "trend": "the trend",
    "holidays": "the holidays",
}
CAVEAT = (
    "From the likelihood alone, by least squares at the posterior's transforms: neither a prior "
    "nor a lift test counts as robustness. Whether there is such a driver, data cannot say."
)


@verb
def sensitivity(
    fit: Fit,
    channels: Sequence[Node] | None = None,
    *,
    outcome: Node | None = None,
    multiples: Sequence[float] = (1, 2, 3),
    prob: float = 0.9,
) -> Sensitivity:
    """Return how strong a hidden driver of channel and outcome would have to be to matter.

        RV = (sqrt(F^4 + 4 F^2) - F^2) / 2,    F = |t| / sqrt(dof)

    is the share of what is left of both that it must explain to bring the effect to zero. Beside
    it stands what a driver k times as strong as a recorded one, or as the seasons, would leave. The
    effect is the coefficient of a regression on the response of the model, in which each
    transform is at its posterior median (`EffectRegression`), with the degrees of freedom that
    errors leave which last (`effective_dof`). Not a test of the graph, and no probability that
    there is such a driver.

    Parameters
    ----------
    fit : Fit
    channels : sequence of str, optional
        Treatments, and paid mediators, that reach the outcome by default.
    outcome : str, optional
        By default every outcome of the graph.
    multiples : sequence of float
        How many times as strong as a recorded driver the hidden one is.
    prob : float
        Probability inside the intervals; 0.95 is usual beside robustness values elsewhere.

    Returns
    -------
    Sensitivity

    Raises
    ------
    SpecError
        An unknown channel, or multiples that are not above zero.

    Notes
    -----
    Instant. Where transforms were learned from the same data the error is a little too small, as
    they are taken as known. Source: Cinelli and Hazlett (2020), JRSS B 82.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.sensitivity(fit).benchmarks.loc["tv"]  # doctest: +SKIP
    """
    ks = _multiples(multiples)
    outcomes = fit.spec.graph.outcomes
    if outcome is not None:
        outcomes = (checks.name("sensitivity: outcome", outcome, outcomes),)
    estimands = totals(fit.spec, fit.data)
    if channels is not None:
        listed = channels_for(fit, channels, outcomes[0])
        known = {e.treatments[0] for e in estimands.values() if e.outcome in outcomes}
        channels = [checks.name("sensitivity: channels", name, known) for name in listed]
    effects, benchmarks, obstacles = {}, [], {}
    for node in outcomes:
        for estimand in estimands.values():
            (channel,) = estimand.treatments
            if estimand.outcome != node or (channels is not None and channel not in channels):
                continue
            name = question_name(fit.spec, channel, node)
            try:
                regression = effect_regression(fit, channel, node)
            except BayesCausalError as error:
                obstacles[name] = str(error)
                continue
            effects[name] = _row(fit, regression, prob)
            benchmarks += [{"effect": name, **row} for row in _drivers(regression, ks, prob)]
    return Sensitivity(
        pd.DataFrame.from_dict(effects, orient="index", columns=_EFFECT).rename_axis("effect"),
        pd.DataFrame(benchmarks, columns=["effect", *_BENCHMARK]).set_index("effect"),
        obstacles,
        prob,
    )


_EFFECT = [
    *("estimate", "std_error", "low", "high", "posterior", "rows", "dof"),
    *("partial_r2", "correlation", "rv", "rv_interval", "rv_break_even"),
]
_BENCHMARK = [
    *("driver", "k", "r2_channel", "r2_outcome", "correlation"),
    *("estimate", "low", "high", "share", "survives", "note"),
]


def _multiples(multiples: Sequence[float]) -> list[float]:
    values = checks.several(multiples, int | float) or ()
    numbers = [checks.number("sensitivity: multiples", value) for value in values]
    if not numbers or min(numbers) <= 0:
        raise SpecError(
            f"sensitivity: multiples are numbers above zero, such as (1, 2, 3); got {multiples!r}."
        )
    return sorted(numbers)


def _row(fit: Fit, regression: EffectRegression, prob: float) -> dict[str, float]:
    effect = regression.effect
    low, high = effect.interval(prob)
    return {
        **effect._asdict(),
        "low": low,
        "high": high,
        "posterior": regression.gain,
        "rows": regression.rows,
        "partial_r2": effect.partial_r2,
        "correlation": float(np.copysign(np.sqrt(effect.partial_r2), effect.estimate)),
        "rv": robustness_value(effect),
        "rv_interval": robustness_value(effect, prob=prob),
        "rv_break_even": _break_even(fit, regression),
    }


def _break_even(fit: Fit, regression: EffectRegression) -> float:
    """Return the strength at which what the channel brings is what it cost."""
    if regression.channel not in fit.data.spend or not regression.gain:
        return np.nan
    spend = float(fit.data.spend_of(regression.channel)[..., fit.data.history :].sum())
    brings = regression.effect.estimate * regression.worth / regression.gain
    return robustness_value(regression.effect, 1 - spend / brings) if brings > spend else np.nan


def _drivers(
    regression: EffectRegression, multiples: Sequence[float], prob: float
) -> list[dict[str, Any]]:
    """Return a row for each recorded driver and multiple, the driver that takes away most first."""
    effect, rows = regression.effect, []
    for driver in regression.controls:
        recorded = regression.strength(driver)
        for k in multiples:
            hidden = times_as_strong(recorded, k)
            row: dict[str, Any] = {"driver": driver, "k": k}
            if hidden is None:
                rows.append({**row, "survives": False, "note": NO_SUCH_DRIVER})
                continue
            result = adjusted(effect, hidden)
            low, high = result.interval(prob)
            share = result.estimate / effect.estimate
            row |= {"r2_channel": hidden.treatment, "r2_outcome": hidden.outcome}
            row |= {"correlation": hidden.correlation, "estimate": result.estimate}
            row |= {"low": low, "high": high, "share": share, "note": ""}
            rows.append({**row, "survives": share > 0 and low * high > 0})
    return sorted(rows, key=lambda row: row.get("share", 1.0))
