"""Ask DoWhy for a frequentist second opinion, and compare it with the posterior.

It shares with the Bayesian answer the graph, the data and the question; not the model. A linear
regression has no carry-over, no saturation and no priors: where the two differ, one of these
matters, and which is worth knowing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal import checks
from bayescausal._display import Page
from bayescausal._types import Draws
from bayescausal.data.dataset import Dataset
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import RATIOS, Estimand
from bayescausal.graphs.graph import Graph
from bayescausal.identification.question import as_estimand, as_graph
from bayescausal.thresholds import RESAMPLED_GROUPS, STRONG_FIRST_STAGE
from bayescausal.validation.dowhy_bridge import estimate, in_words
from bayescausal.validation.lagged_table import (
    Exposure,
    Slices,
    change_of,
    read_controls,
    read_table,
    unroll_lags,
)
from bayescausal.validation.linear_design import Design, Resampled, design_of
from bayescausal.validation.linear_estimators import METHODS, Method, plans


@dataclass(frozen=True)
class Estimate:
    """An estimate, its bootstrap interval, and the p-value of "it is zero"."""

    effect: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, repr=False)
class SecondOpinion(Page):
    """DoWhy's estimate of an estimand, with a block-bootstrap interval.

    Parameters
    ----------
    estimand : Estimand
    method : str
        One of `METHODS`.
    effect, low, high, p_value : float
        On the estimand's scale; the interval holds `prob`.
    per_unit : float
        Effect of one more unit of exposure in every period, per period: the coefficient.
    change : float
        What the estimand changes in exposure, so that ``effect = per_unit * change``; with lags
        that is an approximation at the ends of the window.
    parts : mapping of str to Estimate
        ``direct`` and ``indirect`` of a mediation, else empty.
    adjustment : tuple of str
        What the regression holds fixed: from our identification, not from DoWhy's.
    via : str or None
        The instrument, or the mediator.
    n, block, bootstrap, prob
        Rows; length of the blocks in periods (0: whole units were resampled); resamples;
        probability inside the interval.
    identification : str
        What DoWhy says about the graph, in words.
    assumptions, notes : tuple of str
        What the number rests on; what was seen on the way.
    """

    estimand: Estimand
    method: Method
    effect: float
    low: float
    high: float
    p_value: float
    per_unit: float
    change: float
    adjustment: tuple[str, ...]
    n: int
    block: int
    bootstrap: int
    prob: float
    identification: str
    assumptions: tuple[str, ...]
    notes: tuple[str, ...] = ()
    via: str | None = None
    parts: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the interval, low and high."""
        return self.low, self.high

    def __str__(self) -> str:
        adjustment = ", ".join(self.adjustment) or "nothing"
        resamples = f"blocks of {self.block} periods" if self.block else "whole units"
        lines = [
            f"{self.estimand.label}: {self.effect:.4g} "
            f"[{self.low:.4g}, {self.high:.4g}] ({self.prob:.0%}), p = {self.p_value:.3g}",
            f"{self.method}{f' via {self.via}' if self.via else ''}, adjusting for {adjustment}; "
            f"{self.per_unit:.4g} per unit; {self.n} rows, "
            f"{self.bootstrap} resamples of {resamples}",
            *(f"{k}: {v.effect:.4g} [{v.low:.4g}, {v.high:.4g}]" for k, v in self.parts.items()),
            self.identification,
            *(f"Assumed: {line}" for line in self.assumptions),
            *(f"Note: {line}" for line in self.notes),
        ]
        return "\n".join(lines)


def second_opinion(
    data: Dataset | pd.DataFrame,
    graph: Graph,
    estimand: Estimand | str,
    *,
    method: Method | Literal["auto"] = "auto",
    exposure: Exposure | None = None,
    controls: pd.DataFrame | None = None,
    mediator: str | None = None,
    prob: float = 0.9,
    bootstrap: int = 400,
    block: int | None = None,
    seed: int,
) -> SecondOpinion:
    """Estimate the effect once more, by DoWhy's linear estimators: a check, not the answer.

        effect = coefficient * sum over the window (and tail) of the change in exposure

    The columns adjusted for come from `identify`, the estimate from DoWhy, the interval from a
    block bootstrap of that estimator: DoWhy's own draws single rows, too narrow in a time series.

    Parameters
    ----------
    data : Dataset or pandas.DataFrame
        A frame has one row a period, and dates as its index if the estimand has a window. The
        units of a panel get fixed effects.
    graph : Graph
    estimand : Estimand, or the name of a treatment
        Of one treatment, on the scale ``total`` or ``mean``.
    method : str
        One of `METHODS`; "auto" takes the first that the graph allows.
    exposure : function, optional
        Carry-over and saturation, taken as known: from the treatment's path, dims ``(time,)`` or
        ``(unit, time)``, to what acts. Without it exposure acts in its own period only.
    controls : pandas.DataFrame, optional
        Trend and seasonality, one row a period; always adjusted for.
    mediator : str, optional
        Which one, for the two-stage methods, when there are several.
    prob : float
        Probability inside the interval.
    bootstrap : int
        Number of resamples.
    block : int, optional
        Periods a block, the same for all units; by default `block_rule`'s, but with eight units
        or more whole units are resampled instead.
    seed : int

    Raises
    ------
    GraphError
        None of the methods identifies the effect, feedback through lags, unknown names.
    SpecError
        Several treatments, an edge, a scale per spend, a setting out of range.
    DataError
        Missing columns, too few rows, columns that cannot be told apart, no change of exposure.

    Notes
    -----
    Source: Sharma and Kiciman (2020), DoWhy, arXiv:2011.04216.

    Examples
    --------
    >>> from bayescausal.experiments.estimand import incremental
    >>> season, noise, other = np.random.default_rng(1).normal(size=(3, 200))
    >>> frame = pd.DataFrame({"season": season, "tv": season + noise})
    >>> frame["sales"] = 2 * frame["tv"] + 3 * season + other
    >>> graph = Graph((("season", "tv"), ("season", "sales"), ("tv", "sales")), outcomes="sales")
    >>> opinion = second_opinion(frame, graph, incremental("tv"), bootstrap=50, seed=0)
    >>> opinion.method, opinion.adjustment, round(opinion.per_unit)
    ('backdoor regression', ('season',), 2)
    """
    _check_settings(method, prob, bootstrap, block, seed)
    graph = as_graph("second_opinion", graph)
    question = _with_outcome(graph, as_estimand(estimand))
    slices, table = unroll_lags(graph), read_table(data, graph.observed)
    extra = read_controls(controls, table, slices)
    candidates = plans(graph, question, method, mediator, lagged=slices.depth > 0)
    designs = [design_of(table, slices, plan, exposure, extra) for plan in candidates]
    design = max(designs, key=Design.first_stage_f) if len(designs) > 1 else designs[0]
    lags = [slices.columns[column][1] for column in design.treatments]
    change, by_column = change_of(table, question, lags, exposure)
    resampled = design.bootstrap(by_column, bootstrap, block, seed, prob)
    point = design.effects(partial(estimate, design), by_column)
    parts = {k: _interval(float(v), resampled.deviations[k], prob) for k, v in point.items()}
    return SecondOpinion(
        estimand=question,
        method=design.plan.method,
        **asdict(parts.pop("total")),
        per_unit=float(design.effects(partial(estimate, design), [1.0] * len(lags))["total"]),
        change=change,
        adjustment=design.plan.conditioned,
        via=design.plan.via,
        parts=parts,
        n=design.n,
        block=resampled.block,
        bootstrap=bootstrap,
        prob=prob,
        identification=in_words(slices, design),
        assumptions=_assumptions(design, slices, exposure is not None, extra),
        notes=_notes(design, resampled, bootstrap),
    )


def _check_settings(method: str, prob: float, bootstrap: int, block: int | None, seed: int) -> None:
    checks.name("method", method, ("auto", *METHODS))
    checks.probability("prob", prob)
    checks.seed("seed", seed)
    checks.count("bootstrap", bootstrap, maximum=100_000)
    if block is not None:
        checks.count("block, a number of periods,", block, 1)
    least = max(20, round(4 / (1 - prob)))
    if bootstrap < least:
        raise SpecError(
            f"bootstrap={bootstrap} resamples are too few for the ends of a {prob:.0%} interval: "
            f"{least} are the least, 400 are usual."
        )


def _with_outcome(graph: Graph, estimand: Estimand) -> Estimand:
    """Return the estimand with its outcome; raise when no regression can answer it."""
    if any("->" in key for key in estimand.keys):
        raise SpecError(
            f"{estimand!r} acts along one edge. The second opinion is on whole effects: name the "
            "node, and read the direct and the indirect part with method='two-stage mediation'."
        )
    if len(estimand.treatments) > 1:
        raise SpecError(
            f"{estimand!r} changes {', '.join(estimand.treatments)} together. A linear regression "
            "has no synergy to find: ask one treatment at a time."
        )
    if estimand.scale in RATIOS:
        raise SpecError(
            f"{estimand!r} is a ratio. Ask scale='total', and divide by the spend moved or by the "
            "outcome."
        )
    if estimand.off_panel:
        raise SpecError(f"{estimand!r} is about a world that no rows of the data show.")
    return replace(estimand, outcome=estimand.outcome or graph.outcome)


def _interval(point: float, deviations: np.ndarray, prob: float) -> Estimate:
    """Return the percentile interval, and the p-value that agrees with it."""
    if not np.isfinite(point) or len(deviations) < 20:
        raise DataError(
            "The estimate is not defined in most resamples: the treatment does not vary in them "
            "once the adjustment set is known. Give more periods, or a smaller set."
        )
    samples = point + deviations
    low, high = np.quantile(samples, [(1 - prob) / 2, (1 + prob) / 2])
    crossings = min(int((samples <= 0).sum()), int((samples >= 0).sum()))
    return Estimate(
        point, float(low), float(high), min(1.0, 2 * (1 + crossings) / (1 + len(samples)))
    )


def _assumptions(
    design: Design, slices: Slices, shaped: bool, controls: Collection[str]
) -> tuple[str, ...]:
    plan = design.plan
    t, y, via = plan.treatment, plan.outcome, plan.via
    lines = [f"linear: one more unit of {t} adds the same to {y} at every level"]
    if shaped:
        lines.append(
            f"the carry-over and saturation given for {t} are right; their error is not shown"
        )
    elif slices.depth:
        lines.append(f"no carry-over but the lagged edges; it ends after {slices.depth} periods")
    else:
        lines.append(f"no carry-over: {t} acts in its own period only")
    adjustment = ", ".join(plan.adjustment) or "nothing"
    if plan.method == "instrument":
        lines.append(
            f"{via} moves {y} only through {t}, given {adjustment}; the effect is that of the "
            f"{t} that {via} moves"
        )
    elif plan.method == "two-stage front-door":
        lines.append(f"{t} acts on {y} only through {via}, and nothing unobserved drives {via}")
    else:
        lines.append(f"no unobserved cause of both {t} and {y} once {adjustment} is known")
    if plan.method == "two-stage mediation":
        lines.append(f"{t} and {via} do not interact, and no unobserved cause joins {via} and {y}")
    if not controls:
        lines.append("no trend or season beyond the nodes of the graph")
    if design.columns.shape[1] > 1:
        lines.append("one coefficient for all units, which differ by a constant only")
    return tuple(lines)


def _notes(design: Design, resampled: Resampled, repeats: int) -> tuple[str, ...]:
    lines = []
    if resampled.void:
        lines.append(
            f"{resampled.void} of {repeats} resamples are left out, in which "
            f"{design.plan.treatment} did not vary: few periods carry the estimate"
        )
    if resampled.groups < RESAMPLED_GROUPS:
        groups = "blocks fit into the data" if resampled.block else "units"
        lines.append(
            f"{resampled.groups:.0f} {groups}: the interval is likely too narrow "
            "(`Design.bootstrap` has figures)"
        )
    if design.plan.method == "instrument":
        f = design.first_stage_f()
        verdict = "strong"
        if f < STRONG_FIRST_STAGE:
            verdict = f"below {STRONG_FIRST_STAGE:g}, so weak: the interval cannot be relied on"
        lines.append(
            f"first-stage F of {design.plan.via} {f:.3g}, {verdict}; autocorrelation raises it"
        )
    return tuple(lines)


def compare(opinion: SecondOpinion, draws: Draws, prob: float | None = None) -> pd.DataFrame:
    """Put the posterior and the second opinion side by side, and say whether they agree.

    "agree" when each estimate lies in the other's interval, "tension" when only the intervals
    overlap, "disagree" when they do not. Agreement is no proof: both rest on the same graph.

    Parameters
    ----------
    opinion : SecondOpinion
    draws : xarray.DataArray
        Dims ``(chain, draw)``, from `effect` with the same estimand.
    prob : float, optional
        Probability inside the intervals; that of the opinion.

    Returns
    -------
    pandas.DataFrame
        Rows ``Bayesian`` and ``frequentist``; columns ``estimate`` (posterior median; DoWhy's
        point), ``low``, ``high``. ``attrs["agree"]`` is the verdict, ``attrs["sentence"]`` says
        it in words.

    Raises
    ------
    SpecError
        Draws with other dims, of another estimand, or another ``prob`` than the opinion's.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(460, 2))
    >>> frame = pd.DataFrame(noise[:60], columns=["tv", "sales"])
    >>> more = Estimand(active={"tv": 1.0}, control={"tv": 0.0}, scale="mean")
    >>> opinion = second_opinion(frame, Graph((("tv", "sales"),), outcomes="sales"), more, seed=0)
    >>> draws = xr.DataArray(9 + noise[60:].reshape(8, 100), dims=("chain", "draw"))
    >>> compare(opinion, draws).attrs["agree"]
    'disagree'
    """
    if not isinstance(draws, xr.DataArray) or set(draws.dims) != {"chain", "draw"}:
        raise SpecError(
            "draws have the dims (chain, draw), as effect(fit, estimand) returns them; got "
            f"{getattr(draws, 'dims', type(draws).__name__)}."
        )
    if prob is not None and prob != opinion.prob:
        raise SpecError(
            f"The opinion has a {opinion.prob:.0%} interval, not {prob:.0%}. Ask "
            f"second_opinion(..., prob={prob})."
        )
    labels = {repr(opinion.estimand), repr(replace(opinion.estimand, outcome=None))}
    if "estimand" in draws.attrs and draws.attrs["estimand"] not in labels:
        raise SpecError(
            f"The draws answer {draws.attrs['estimand']}, the opinion {opinion.estimand!r}. "
            "Ask both the same question."
        )
    tail = (1 - opinion.prob) / 2
    low, middle, high = np.quantile(draws.to_numpy(), [tail, 0.5, 1 - tail])
    table = pd.DataFrame(
        [[middle, low, high], [opinion.effect, opinion.low, opinion.high]],
        index=pd.Index(["Bayesian", "frequentist"], name=opinion.estimand.label),
        columns=["estimate", "low", "high"],
    )
    mutual = low <= opinion.effect <= high and opinion.low <= middle <= opinion.high
    overlap = low <= opinion.high and opinion.low <= high
    agree = "agree" if mutual else "tension" if overlap else "disagree"
    model, regression = (f"{a:.4g} [{b:.4g}, {c:.4g}]" for a, b, c in table.to_numpy())
    sentence = f"{opinion.estimand.label}: the model says {model}, {opinion.method} {regression}; "
    if agree == "agree":
        sentence += "they agree."
    else:
        relation = "overlap, but" if overlap else "do not meet:"
        sentence += (
            f"their intervals {relation} the model's carry-over, saturation or priors, or the "
            "regression's assumptions, matter here. The regression assumes: "
            f"{'; '.join(opinion.assumptions)}."
        )
    table.attrs = {"agree": agree, "sentence": sentence}
    return table
