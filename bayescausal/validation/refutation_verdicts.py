"""What refits in altered worlds say: p-values, and the status with its sentence.

A p-value is a rank among refits, so that n refits give none below 1 / (n + 1); what has no null
hypothesis has no p-value.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from bayescausal._display import amount
from bayescausal._types import Node
from bayescausal.thresholds import (
    BLOCK_MOVE,
    COMMON_CAUSE_FAIL,
    COMMON_CAUSE_MOVE,
    JACKKNIFE_RATIO,
    REFUTED_FAIL,
    REFUTED_LOOK,
)
from bayescausal.validation.status import Status, worst


class Results(NamedTuple):
    """Refits whose numbers can be used, and the fit that they are compared with.

    ``table`` has ``median``, ``sd``, ``low``, ``high``, ``truth`` and ``z`` of the effect in each;
    ``reference`` the first four.
    """

    treatment: Node
    table: pd.DataFrame
    reference: pd.Series
    prob: float

    @property
    def z(self) -> float:
        """How many standard deviations the effect that is compared is from zero."""
        return float(self.reference["median"] / self.reference["sd"])

    @property
    def claims_effect(self) -> bool:
        """Whether the interval of the effect that is compared excludes zero."""
        return bool(self.reference["low"] > 0 or self.reference["high"] < 0)

    @property
    def misses(self) -> int:
        """How many intervals do not hold what is true in their world."""
        truth = self.table["truth"]
        return int(((self.table["low"] > truth) | (self.table["high"] < truth)).sum())


class Verdict(NamedTuple):
    """What follows from refits: a status, a sentence, and a p-value where there is one."""

    status: Status
    sentence: str
    p_value: float = np.nan
    meaning: str = "None: the refits have no null hypothesis."
    interval: tuple[float, float] | None = None


def rank_p_value(z: np.ndarray, reference: float) -> float:
    """Return the two-sided share of worlds whose z is as far from zero as that of the data.

        p = (1 + #{ |z_k| >= |z| }) / (n + 1),    never below 1 / (n + 1)

    Examples
    --------
    >>> rank_p_value(np.array([0.5, -2.0, 1.0]), 1.5), rank_p_value(np.zeros(19), 3.0)
    (0.5, 0.05)
    """
    return float((1 + (np.abs(z) >= abs(reference)).sum()) / (len(z) + 1))


def alarm(misses: int, refits: int, prob: float) -> Status:
    """Return the status of so many intervals beside the truth, of those that each hold it by prob.

    Examples
    --------
    >>> [str(alarm(misses, 20, 0.9)) for misses in (4, 5, 6, 7)]
    ['pass', 'look', 'look', 'fail']
    """
    chance = stats.binom.sf(misses - 1, refits, 1 - prob)
    if chance < REFUTED_FAIL:
        return Status.FAIL
    return Status.LOOK if chance < REFUTED_LOOK else Status.PASS


def zero_verdict(results: Results, worlds: str) -> Verdict:
    """Judge refits in worlds in which the effect is zero; ``worlds`` is what they are called."""
    table, prob, n = results.table, results.prob, len(results.table)
    p = rank_p_value(table["z"].to_numpy(), results.z)
    least = 1 / (n + 1)
    meaning = (
        f"Two-sided: the share of {n} {worlds}, and of the data themselves, whose effect is as "
        f"many standard deviations from zero; never below {least:.3f}."
    )
    count = f"{results.misses} of {n} {worlds}"
    status = alarm(results.misses, n, prob)
    expected = f"{1 - prob:.0%} would by chance"
    effect = f"the effect of {results.treatment}"
    if status != "pass":
        sentence = (
            f"{count} show an effect where there is none ({expected}): intervals are too narrow, "
            f"or lean, so that {effect} cannot be read as surely as it looks (p = {p:.2g})."
        )
    elif results.claims_effect and p > 1 - prob >= least:
        status = Status.LOOK
        sentence = (
            f"The interval of {effect} excludes zero, but effects as clear are found in {worlds} "
            f"(p = {p:.2g})."
        )
    elif results.claims_effect:
        smallest = f", the smallest that {n} refits can give" if np.isclose(p, least) else ""
        sentence = (
            f"The effect of {results.treatment} stands out (p = {p:.2g}{smallest}); {count} show "
            f"one ({expected})."
        )
    else:
        sentence = (
            f"No effect of {results.treatment} is claimed here: the interval that is compared "
            f"holds zero (p = {p:.2g}); {count} show one ({expected})."
        )
    return Verdict(status, sentence, p, meaning)


def sampling_verdict(results: Results) -> Verdict:
    """Judge refits of resampled errors, in which the effect is that of a draw of the posterior."""
    table, prob, n = results.table, results.prob, len(results.table)
    z, m, sd = table["z"].to_numpy(), results.reference["median"], results.reference["sd"]
    p = rank_p_value(z, results.z)
    interval = studentized_interval(z, m, sd, prob)
    status = alarm(results.misses, n, prob)
    scatter = float(np.sqrt(np.mean(z**2)))
    sentence = (
        f"Estimates scatter {scatter:.2f} times as far as their posteriors say, and "
        f"{results.misses} of {n} intervals miss the effect that was simulated ({1 - prob:.0%} "
        "would by chance)"
    )
    if interval is None:
        sentence += f"; {prob:.0%} intervals need {_fewest(prob)} refits or more."
    else:
        low, high = interval
        sentence += f"; {prob:.0%} interval by bootstrap: {amount(low)} to {amount(high)}."
        if results.claims_effect and low <= 0 <= high:
            status = worst([status, Status.LOOK])
            sentence += " It holds zero, which that of the fit does not."
    meaning = (
        f"Two-sided: the share of {n} estimates, and of the fit's, that are as many standard "
        "deviations from the truth as the fit's is from zero, if scatter does not depend on the "
        f"effect; never below {1 / (n + 1):.3f}."
    )
    return Verdict(status, sentence, p, meaning, interval)


def studentized_interval(
    z: np.ndarray, median: float, sd: float, prob: float
) -> tuple[float, float] | None:
    """Return the interval of an effect by the scatter of standardized errors; None of too few.

        [m - sd q(1 - a/2), m - sd q(a/2)],    q at ranks k / (n + 1)

    Examples
    --------
    >>> studentized_interval(np.arange(-9.5, 10), 0.0, 1.0, 0.9)
    (-9.45, 9.45)
    >>> studentized_interval(np.zeros(10), 0.0, 1.0, 0.9)
    """
    if len(z) < _fewest(prob):
        return None
    low, high = np.quantile(z, [(1 - prob) / 2, (1 + prob) / 2], method="weibull")
    return float(round(median - sd * high, 12)), float(round(median - sd * low, 12))


def _fewest(prob: float) -> int:
    """Return how many refits an interval needs: less than ``(1 - prob) / 2`` beyond either end."""
    return int(np.ceil(2 / (1 - prob) - 1 - 1e-9))


def common_cause_verdict(results: Results) -> Verdict:
    """Judge refits with an added cause that is noise."""
    table, reference = results.table, results.reference
    width = float(reference["high"] - reference["low"])
    moves = (table["median"] - reference["median"]).abs() / width
    typical = float(moves.median())
    status: Status = Status.PASS
    if typical > COMMON_CAUSE_MOVE:
        status = Status.FAIL if typical > COMMON_CAUSE_FAIL else Status.LOOK
    sentence = (
        f"With a cause that is noise the effect of {results.treatment} typically moves by "
        f"{typical:.1%} of its {results.prob:.0%} interval, at most by {moves.max():.1%} "
        f"({COMMON_CAUSE_MOVE:.0%} typically is allowed)."
    )
    if status != "pass":
        sentence += " It hangs on which controls there are: shorten the model or get more periods."
    return Verdict(status, sentence)


def block_verdict(results: Results) -> Verdict:
    """Judge refits without a block of periods each."""
    table, reference, blocks = results.table, results.reference, len(results.table)
    moves = table["median"] - reference["median"]
    deviations = table["median"] - table["median"].mean()
    error = sqrt((blocks - 1) / blocks * float((deviations**2).sum()))
    ratio = error / float(reference["sd"])
    expected = float(reference["sd"]) / sqrt(blocks - 1)
    largest = moves.abs().idxmax()
    t = float(stats.t.ppf((1 + results.prob) / 2, blocks - 1))
    interval = (
        float(reference["median"] - t * error),
        float(reference["median"] + t * error),
    )
    sentence = (
        f"Without one of {blocks} blocks the effect of {results.treatment} moves by "
        f"{abs(moves[largest]) / reference['sd']:.1f} of its standard deviations at most "
        f"({table['world'][largest]}); the jackknife's standard error is {ratio:.2f} times that of "
        "the posterior."
    )
    status: Status = Status.PASS
    if abs(moves[largest]) > BLOCK_MOVE * expected or ratio > JACKKNIFE_RATIO:
        status = Status.LOOK
        sentence += " Look at these periods: they carry more of the effect than their share."
    turned = np.sign(table["median"]) != np.sign(reference["median"])
    if results.claims_effect and turned.any():
        status = Status.FAIL
        sentence += " Its sign turns, though its interval excludes zero."
    return Verdict(status, sentence, interval=interval)
