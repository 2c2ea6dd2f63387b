"""Whether carry-over runs into the end of its window: what an adstock is too short to count.

An adstock divides its weights by their sum over ``l_max + 1`` lags. If those of the posterior
stand high at the last one, the effect of exposure goes on after it, and returns are too low. With
the posterior-mean weights ``w`` and their last ratio ``q`` the tail goes on as a geometric one,

    tail = w[L] q / (1 - q),   share = tail / (sum_l w[l] + tail),

which is exact for `GeometricAdstock`, where it is ``alpha^(L + 1)``, and too high for tails that
fall faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bayescausal.graphs.edge import Edge
from bayescausal.inference.fit import Fit
from bayescausal.specs.adstock import Adstock
from bayescausal.thresholds import CARRY_OVER_CUT, CARRY_OVER_LEFT

_LONGEST = 10


class Cut(NamedTuple):
    """What an adstock cuts: weight of the last lag over the largest, share of the effect after it.

    ``enough`` is an ``l_max`` that would leave `CARRY_OVER_LEFT` of the effect out.
    """

    edge: Edge
    adstock: str
    last: int
    weight: float
    share: float
    enough: int


def cuts(fit: Fit) -> list[Cut]:
    """Return the adstocks whose posterior cuts more than `CARRY_OVER_CUT`, worst first."""
    large = (cut for cut in _all_cuts(fit) if cut.share > CARRY_OVER_CUT)
    return sorted(large, key=lambda cut: -cut.share)


def cut_in_words(fit: Fit) -> str:
    """Say which carry-over is cut, and what to do; empty if none is."""
    sentences = [
        f"The carry-over of {cut.edge} runs into the end of its window: lag {cut.last}, the last, "
        f"has {cut.weight:.0%} of the largest weight, and some {cut.share:.0%} of the effect comes "
        f"later and is not counted: returns are too low. Write {cut.adstock}(l_max={cut.enough})."
        for cut in cuts(fit)
    ]
    return " ".join(sentences)


def _all_cuts(fit: Fit) -> Iterator[Cut]:
    posterior = fit.tree["posterior"].to_dataset()
    for edge, response in fit.spec.mechanisms.items():
        for step in response.transforms:
            if not isinstance(step, Adstock) or not step.reach:
                continue
            theta = {k: posterior[f"{edge}:{k}"].to_numpy().ravel() for k in step.priors}
            weights = step.weights(np, theta).mean(axis=0)
            share, enough = tail_share(weights)
            weight = float(weights[-1] / weights.max())
            yield Cut(edge, type(step).__name__, step.reach, weight, share, enough)


def tail_share(weights: np.ndarray) -> tuple[float, int]:
    """Share of the effect after the last weight, and the lag after which little is left.

    Examples
    --------
    >>> share, enough = tail_share(0.5 ** np.arange(3.0))
    >>> share, enough, 0.5 ** (enough + 1) <= 0.02 < 0.5**enough
    (0.125, 5, True)
    """
    last, longest = len(weights) - 1, _LONGEST * len(weights)
    ratio = float(weights[-1] / weights[-2])
    if ratio >= 1:
        return 1.0, longest
    tail = float(weights[-1]) * ratio / (1 - ratio)
    share = tail / (float(weights.sum()) + tail)
    if share <= CARRY_OVER_LEFT:
        return share, last
    further_lags = np.ceil(np.log(CARRY_OVER_LEFT / share) / np.log(ratio))
    return share, int(min(last + further_lags, longest))
