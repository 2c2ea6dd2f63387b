"""Effects in a compiled model: alike ones as one array, each over the periods that matter to it.

Tests of a channel differ in their weeks, in their units and in what they set: in numbers. So their
worlds are evaluated together, in the place of draws; and where an intervention acts for four weeks,
the rest of the data adds nothing to a contrast.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayescausal._types import Array, Node
from bayescausal.experiments.estimand import Estimand
from bayescausal.model.contrast import WorldPair, evaluated, on_scale, sums, world_pair
from bayescausal.model.scm import SCM, Equations


def measures(equations: Equations, estimands: Sequence[Estimand]) -> list[Array]:
    """`contrast.measure` of each estimand in a compiled model, alike ones in one evaluation.

    Estimands are alike that set the same nodes and count the same outcome. What they set, where and
    when, and the scale of each are their own.

    Parameters
    ----------
    equations : Equations
        For PyTensor, without draw dims.
    estimands : sequence of Estimand

    Returns
    -------
    list of scalar
    """
    scm, xp = equations.scm, equations.xp
    pairs = [world_pair(equations, estimand) for estimand in estimands]
    alike: dict[tuple[Node, bool, int | None, Hashable], list[int]] = {}
    for k, (pair, estimand) in enumerate(zip(pairs, estimands, strict=True)):
        sides = frozenset(pair.active), frozenset(pair.control)
        # Off the panel and in an excerpt curves are evaluated at the factual paths, too.
        periods = pair.counts.shape[-1] if estimand.off_panel else None
        is_short = periods is None and 2 * excerpt_length(scm, pair) < len(scm.data.time)
        alike.setdefault((scm.spec.outcome_of(estimand), is_short, periods, sides), []).append(k)
    effects: dict[int, Array] = {}
    for (outcome, is_short, periods, _), places in alike.items():
        group = [pairs[k] for k in places]
        pair = together(excerpts(scm, group) if is_short else group, xp)
        is_of_data = not is_short and periods is None
        bound = replace(equations, x=pair.x) if is_of_data else equations.along(pair.x)
        active, control = evaluated(bound, pair, outcome)
        total, level = sums(scm, active, control, pair.counts, xp)
        for row, k in enumerate(places):
            effects[k] = on_scale(scm, estimands[k], total[row], level[row], xp)
    return [effects[k] for k in range(len(estimands))]


def excerpts(scm: SCM, pairs: Sequence[WorldPair]) -> list[WorldPair]:
    """Cut worlds to the periods that are counted, and as many before as an edge looks back.

    The two worlds are equal before the first period that is counted, so that nothing is lost. All
    are cut to the length of the longest.
    """
    length = max(excerpt_length(scm, pair) for pair in pairs)
    cut = []
    for pair in pairs:
        end = max(counted(pair)[1], length)
        place = slice(end - length, end)
        x, active, control = (
            {v: path[..., place] for v, path in paths.items()} for paths in paths_of(pair)
        )
        cut.append(WorldPair(x, active, control, pair.counts[..., place], pair.span))
    return cut


def paths_of(pair: WorldPair) -> tuple[Mapping[Any, Array], ...]:
    """Return the factual paths, and those that either world sets."""
    return pair.x, pair.active, pair.control


def excerpt_length(scm: SCM, pair: WorldPair) -> int:
    """Return how many periods matter to a contrast."""
    lead = max(edge.lag + response.reach for edge, response in scm.spec.mechanisms.items())
    first, end = counted(pair)
    return end - max(first - lead, 0)


def counted(pair: WorldPair) -> tuple[int, int]:
    """Return the first period that is counted, and the one after the last."""
    periods = np.flatnonzero(pair.counts.reshape(-1, pair.counts.shape[-1]).any(axis=0))
    return int(periods[0]), int(periods[-1]) + 1


def together(pairs: Sequence[WorldPair], xp: Any) -> WorldPair:
    """Stack the worlds of pairs as the first dim of every path."""
    x, active, control = (
        {v: xp.stack([one[v] for one in paths]) for v in paths[0]}
        for paths in zip(*map(paths_of, pairs), strict=True)
    )
    counts = np.stack([pair.counts for pair in pairs])
    return WorldPair(x, active, control, counts, max(pair.span for pair in pairs))
