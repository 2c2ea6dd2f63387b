"""`overlap` says whether what is asked of each channel has been seen, other things equal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from math import isnan, nan

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import wrapped
from bayescausal._types import Node, Theta
from bayescausal.data.dataset import Dataset
from bayescausal.errors import DataError, SpecError, shown
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.inference.evidence import Evidence
from bayescausal.inference.evidence import channels as crediting_channels
from bayescausal.inference.fit import Fit
from bayescausal.model.scm import SCM, compile_scm
from bayescausal.queries.questions import extrapolated_share_of
from bayescausal.specs.spec import Spec
from bayescausal.thresholds import (
    CARRYING_SHARE,
    EXTRAPOLATED_MOST,
    EXTRAPOLATED_PART,
    OWN_SWING,
    SUPPORTED_AMBER,
    SUPPORTED_RED,
    TWIN_CORRELATION,
    VIF_AMBER,
    VIF_RED,
    WEIGHTED_SIZE,
)
from bayescausal.validation.own_variation import OwnVariation, correlations, own_variation

QUESTIONS = ("spend off", "20% more")
"""What is asked of each channel: its total effect, and what somewhat more would bring."""

MORE = 1.2


class Light(StrEnum):
    """Whether a question is answered by data: green yes, amber in part, red hardly."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    NONE = "not known"


@dataclass(frozen=True)
class ChannelOverlap:
    """What data have seen of one channel and one question about it.

    Parameters
    ----------
    channel, outcome, question : str
    held : tuple of str
        Nodes that are held fixed beside trend and seasons: an adjustment set, and other channels.
    residual_share, vif : float
        The part of the variance of carried exposure that is the channel's own, and its inverse.
    own_swing : float
        Standard deviation of its own swings over its mean.
    carrying_periods, periods : int
        How many periods carry half of the information, and of how many.
    flights : int
        Runs of periods with exposure: natural experiments, as it were. Of the most varied unit.
    supported : float
        The share of unit-periods in which the world asked about lies inside what was observed
        given what is held fixed; of more exposure, among those that have some.
    weighted_size : float
        Effective share of unit-periods under the weights of a generalized propensity.
    extrapolated_share : float
        The share of the total effect below the lowest exposure observed; NaN without a fit, and
        for other questions.
    twins : tuple of str
        Channels whose carried exposure moves with it.
    reason : str
        Why nothing is known.
    """

    channel: Node
    outcome: Node
    question: str
    held: tuple[Node, ...] = ()
    residual_share: float = nan
    own_swing: float = nan
    carrying_periods: int = 0
    periods: int = 0
    flights: int = 0
    supported: float = nan
    weighted_size: float = nan
    extrapolated_share: float = nan
    twins: tuple[Node, ...] = ()
    reason: str = ""

    @property
    def vif(self) -> float:
        """Variance inflation factor: the inverse of the residual share."""
        return 1 / self.residual_share

    @property
    def findings(self) -> tuple[tuple[Light, str], ...]:
        """What speaks against relying on data, the worst first."""
        return tuple(sorted(self._findings(), key=lambda item: item[0] != Light.RED))

    def _findings(self) -> Iterable[tuple[Light, str]]:
        condition = f"once {', '.join(self.held) or 'the calendar'} is held fixed"
        world = "without it" if self.question == QUESTIONS[0] else "with 20% more"
        if self.extrapolated_share >= EXTRAPOLATED_PART:
            color = Light.RED if self.extrapolated_share >= EXTRAPOLATED_MOST else Light.AMBER
            yield (
                color,
                f"{self.extrapolated_share:.0%} of its effect lies below the lowest exposure that "
                "was seen, where the curve speaks",
            )
        if self.own_swing < OWN_SWING:
            yield (
                Light.RED,
                f"{condition} it swings by {self.own_swing:.0%} of its mean only: there is no "
                "experiment in the data",
            )
        if self.vif > VIF_AMBER:
            color = Light.RED if self.vif > VIF_RED else Light.AMBER
            yield (
                color,
                f"{self.residual_share:.0%} of its variance is its own {condition} "
                f"(VIF {self.vif:.1f})",
            )
        if self.supported < SUPPORTED_AMBER:
            color = Light.RED if self.supported < SUPPORTED_RED else Light.AMBER
            yield (
                color,
                f"a period {world} lies inside what was seen in {self.supported:.0%} of periods",
            )
        if self.carrying_periods < CARRYING_SHARE * self.periods:
            yield (
                Light.AMBER,
                f"{self.carrying_periods} of {self.periods} periods carry half of the information",
            )
        if self.weighted_size < WEIGHTED_SIZE:
            yield (
                Light.AMBER,
                f"made independent of what is held fixed, {self.weighted_size:.0%} of its periods "
                "are left",
            )
        if self.twins:
            yield Light.AMBER, f"it moves with {', '.join(self.twins)}: the sum is told, not each"

    @property
    def light(self) -> Light:
        """The traffic light."""
        if self.reason:
            return Light.NONE
        return self.findings[0][0] if self.findings else Light.GREEN

    @property
    def sentence(self) -> str:
        """Say in one sentence how far data answer the question."""
        start = f"{self.channel}, {self.question}: {self.light}"
        if self.reason:
            return f"{start}, since {self.reason}"
        if self.findings:
            return f"{start}; {'; '.join(text for _, text in self.findings[:2])}."
        return (
            f"{start}; the world asked about lies inside what was seen in {self.supported:.0%} "
            f"of periods, and {self.carrying_periods} of {self.periods} carry half of the "
            "information."
        )


@dataclass(frozen=True, eq=False)
class Overlap:
    """What data have seen of each channel. Made by `overlap`.

    It says how far an answer is carried by data and how far by curves and priors; not whether the
    graph is right, and not how precise the answer is.

    Parameters
    ----------
    rows : tuple of ChannelOverlap
        By channel and question.
    """

    rows: tuple[ChannelOverlap, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a channel and question, with the light and a sentence."""
        names = [
            "residual_share",
            "vif",
            "own_swing",
            "carrying_periods",
            "periods",
            "flights",
            "supported",
            "weighted_size",
            "extrapolated_share",
        ]
        table = [
            {
                "channel": row.channel,
                "outcome": row.outcome,
                "question": row.question,
                "light": str(row.light),
                **{name: getattr(row, name) for name in names},
                "twins": ", ".join(row.twins),
                "held": ", ".join(row.held),
                "sentence": row.sentence,
            }
            for row in self.rows
        ]
        return pd.DataFrame(table).set_index(["channel", "question"])

    def __repr__(self) -> str:
        head = "Overlap: has what is asked of each channel been seen, other things equal?"
        lines = [_LINE.format("", "own", "VIF", "half", "inside", "extra", "channel, question")]
        for row in self.rows:
            cells = [
                "" if isnan(x) else text
                for x, text in (
                    (row.residual_share, f"{row.residual_share:.0%}"),
                    (row.vif, f"{row.vif:.1f}"),
                    (row.vif, f"{row.carrying_periods}"),
                    (row.supported, f"{row.supported:.0%}"),
                    (row.extrapolated_share, f"{row.extrapolated_share:.0%}"),
                )
            ]
            lines.append(_LINE.format(str(row.light), *cells, f"{row.channel}, {row.question}"))
        words = [wrapped(row.sentence) for row in self.rows if row.light != Light.GREEN]
        return "\n".join([head, *(line.rstrip() for line in lines), *words, *_FOOTNOTE])

    def _repr_html_(self) -> str:
        table = self.to_frame().reset_index().round(3)
        return f"<p>{escape(_FOOTNOTE[0])}</p>{table.to_html(border=0, index=False, na_rep='')}"


_LINE = "  {:10}{:>6}{:>7}{:>6}{:>8}{:>7}   {}"
_FOOTNOTE = (
    wrapped(
        "own: share of the variance that is the channel's own. half: periods that carry half of "
        "the information. inside: share of periods in which the world asked about lies inside "
        "what was seen. extra: share of the effect below the lowest exposure seen."
    ),
)


@checks.arguments
def overlap(
    model: Fit | Spec,
    data: Dataset | None = None,
    *,
    channels: str | Sequence[str] | None = None,
    outcome: Node | None = None,
) -> Overlap:
    """Say how far data have seen what is asked of each channel, other things equal.

    Asked are the effect against no spend, and that of 20 percent more. Seen is a world that lies
    within two residual standard deviations of what an adjustment set, the other channels and the
    calendar make of the exposure of that period, and within what any period showed. Exposure is
    carried over, at the posterior mean of a fit, or at the prior median of a spec.

    Of a panel units have levels of their own and share slopes; rows are unit-periods, and periods
    carry information.

    It does not say that the graph is right. A red light does not say that an answer is wrong: it is
    the curve's, or the prior's, and a test would help.

    Parameters
    ----------
    model : Fit or Spec
    data : Dataset, optional
        With a spec.
    channels : sequence of str, optional
        Treatments that reach the outcome, and paid mediators, by default.
    outcome : str, optional
        Needed when the graph has several.

    Returns
    -------
    Overlap

    Raises
    ------
    SpecError, DataError
        A spec without data, names that are no channels.

    Notes
    -----
    Source: Hirano and Imbens (2004); Imai and van Dyk (2004), JASA 99, for propensity scores of
    treatments that are numbers. Belsley, Kuh and Welsch (1980), Regression Diagnostics, for VIF.

    Examples
    --------
    >>> import bayescausal as bc
    >>> example = bc.load_example()
    >>> table = bc.overlap(example.spec, example.data).to_frame()
    >>> table.loc[("tv", "spend off"), "light"]
    'green'
    """
    fit, scm = _read(model, data)
    outcome = outcome or scm.spec.graph.outcome
    candidates = crediting_channels(scm.spec, outcome, scm.data.spend)
    names = (
        candidates if channels is None else checks.names("overlap: channels", channels, candidates)
    )
    theta = _shapes(fit, scm)
    evidence = fit.evidence if fit else Evidence(scm.spec)
    held = {v: _held_fixed(scm, evidence, v, outcome, candidates) for v in candidates}
    variations, reasons = {}, {}
    for name in candidates:
        try:
            variations[name] = own_variation(scm, theta, name, outcome, held[name])
        except DataError as error:
            reasons[name] = str(error)
    rows = []
    for name in names:
        for question in QUESTIONS:
            if name in reasons:
                rows.append(ChannelOverlap(name, outcome, question, reason=reasons[name]))
            else:
                rows.append(_row(fit, variations, name, outcome, question, held[name]))
    return Overlap(tuple(rows))


def _read(model: Fit | Spec, data: Dataset | None) -> tuple[Fit | None, SCM]:
    if isinstance(model, Fit):
        if data is not None:
            raise SpecError("overlap: a fit has its data. Leave data= out, or give the spec.")
        return model.observed, model.observed.scm
    if not isinstance(model, Spec):
        raise SpecError(f"overlap takes a Fit, or a Spec and a Dataset; got {shown(model)}.")
    if not isinstance(data, Dataset):
        raise SpecError(f"overlap: a spec needs data, a Dataset; got {shown(data)}.")
    return None, compile_scm(model, data)


def _shapes(fit: Fit | None, scm: SCM) -> Theta:
    """Return a value of every shape: its posterior mean, or its prior median."""
    if fit is not None:
        return {name: np.array(value) for name, value in fit.mean_shapes().items()}
    return {
        f"{edge}:{name}": np.array(prior.median)
        for edge, response in scm.spec.mechanisms.items()
        for name, prior in response.priors.items()
    }


def _held_fixed(
    scm: SCM, evidence: Evidence, channel: Node, outcome: Node, candidates: Sequence[Node]
) -> tuple[Node, ...]:
    """Return an adjustment set, the most precise that theory gives, and the other channels."""
    verdict = evidence.verdict(incremental(channel, outcome=outcome))
    adjustment: frozenset[Node] = frozenset()
    if verdict.adjustment_sets:
        adjustment = verdict.adjustment_sets[0] if verdict.optimal is None else verdict.optimal
    below = {channel, outcome, *scm.spec.graph.descendants(channel)}
    others = {v for v in candidates if v not in below}
    known = {v for v in adjustment | others if v in scm.data.columns}
    return tuple(sorted(known))


def _row(
    fit: Fit | None,
    variations: dict[Node, OwnVariation],
    channel: Node,
    outcome: Node,
    question: str,
    held: tuple[Node, ...],
) -> ChannelOverlap:
    variation = variations[channel]
    x = variation.exposure
    if question == QUESTIONS[0]:
        inside = variation.supported(np.zeros_like(x))
        share = float(inside.mean())
    else:
        runs = variation.raw > 0
        share = float(variation.supported(MORE * x)[runs].mean()) if runs.any() else nan
    pairs = correlations(variations, channel)
    twins = [v for v, r in pairs.items() if v in held and abs(r) >= TWIN_CORRELATION]
    removal = incremental(channel, outcome=outcome)
    return ChannelOverlap(
        channel,
        outcome,
        question,
        held,
        variation.residual_share,
        variation.residual_sd / max(float(x.mean()), 1e-300),
        variation.carrying_periods,
        x.shape[1],
        _flights(variation.raw),
        share,
        variation.weighted_size,
        _extrapolated_share(fit, removal) if question == QUESTIONS[0] else nan,
        tuple(twins),
    )


def _extrapolated_share(fit: Fit | None, removal: Estimand) -> float:
    return nan if fit is None else extrapolated_share_of(fit, removal)


def _flights(raw: np.ndarray) -> int:
    """Return the number of runs of periods with exposure, of the unit that has the most."""
    runs = np.diff((raw > 0).astype(int), axis=1, prepend=0) == 1
    return int(runs.sum(axis=1).max())
