"""The regressions that test the claims of a graph, one for each claim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayescausal.identification.compiled import Compiled
from bayescausal.identification.implications import Implication, implications
from bayescausal.validation.lagged_regression import Column, Regression, memory_of
from bayescausal.validation.lagged_table import Table


@dataclass(frozen=True, eq=False)
class Setting:
    """What all tests share: the columns, the graph, the calendar, the memory if it is stated."""

    table: Table
    compiled: Compiled
    calendar: np.ndarray
    lags: int | None
    level: float

    @cached_property
    def memories(self) -> dict[str, int]:
        """The memory of each observed node, in periods."""
        if self.lags is not None:
            return dict.fromkeys(self.compiled.names, self.lags)
        return {v: memory_of(self.table, v, self.calendar) for v in self.compiled.names}

    @cached_property
    def reach(self) -> dict[str, int]:
        """The largest sum of lags over directed paths out of each node; zero with feedback."""
        reach = dict.fromkeys(self.compiled.names, 0)
        if self.compiled.feeds_back:
            return reach
        for node in reversed([v for v in self.compiled.graph.order if v in reach]):
            for edge in self.compiled.edges:
                if edge.source == node != edge.target:
                    reach[node] = max(reach[node], edge.lag + reach[edge.target])
        return reach

    @cached_property
    def claims(self) -> tuple[Implication, ...]:
        """The independences that are tested, each with the set that is held fixed."""
        return tuple(self._sharpened(claim) for claim in implications(self.compiled))

    def _sharpened(self, claim: Implication) -> Implication:
        """Hold the other causes of both ends fixed too, where the graph still separates the two.

        What else moves sales hides what is looked for. The listed separator stays where the
        columns of the larger set would take more than a third of the periods.
        """
        graph = self.compiled.projection
        a, b, separator = (graph.mask(v) for v in ([claim.a], [claim.b], claim.given))
        causes = graph.parents[graph.index[claim.a]] | graph.parents[graph.index[claim.b]]
        larger = (separator | causes) & ~a & ~b
        sharpened = Implication(claim.a, claim.b, graph.labels(larger))
        is_sharp = self.is_sharp(same_period(self, sharpened))
        return sharpened if is_sharp and graph.separated(a, b, larger) else claim

    def is_sharp(self, regression: Regression) -> bool:
        """Return whether the columns of a regression take no more than a third of the periods."""
        columns = len(regression.memory) + len(regression.conditioned) + self.calendar.shape[1]
        return columns * 3 <= self.table.shape[1] - self.table.first

    def memory(self, *nodes: str) -> int:
        """Return the longest memory of some nodes."""
        return max(self.memories[v] for v in nodes)


def _past(node: str, first: int, last: int) -> tuple[Column, ...]:
    return tuple(Column(node, lag) for lag in range(first, last + 1))


def same_period(setting: Setting, claim: Implication) -> Regression:
    """Return the regression of b on a of the same period, the pasts of both and the separator."""
    depth = setting.memory(claim.a, claim.b)
    memory = (*_past(claim.a, 1, depth), *_past(claim.b, 1, depth))
    conditioned = (c for v in claim.given for c in _past(v, 0, depth + setting.reach[v]))
    return Regression(claim.b, (Column(claim.a, 0),), memory, tuple(conditioned))


def earlier_values(setting: Setting, source: str, target: str, claim: Implication) -> Regression:
    """Return the regression of one side on earlier values of the other.

    One lag more than is tested enters untested on both sides, so that the test keeps its law when
    the memory is as long as the data (Toda and Yamamoto).
    """
    depth = setting.memory(source, target)
    memory = (*_past(target, 1, depth + 1), Column(source, depth + 1))
    conditioned = (c for v in claim.given for c in _past(v, 0, depth + 1 + setting.reach[v]))
    return Regression(target, _past(source, 1, depth), memory, tuple(conditioned))


def later_values(
    setting: Setting, treatment: str, outcome: str, adjustment: Iterable[str]
) -> Regression:
    """Return the regression of an outcome on later spend, given spend so far."""
    depth = setting.memory(treatment, outcome)
    conditioned = [*_past(treatment, 0, depth + setting.reach[treatment])]
    for node in adjustment:
        conditioned += _past(node, -depth, depth + setting.reach[node])
    tested = _past(treatment, -depth, -1)
    return Regression(outcome, tested, _past(outcome, 1, depth), tuple(conditioned))


def edge_regressions(setting: Setting) -> Iterator[tuple[str, Regression]]:
    """Yield a name and a regression for each direct effect, all lags of a pair together.

    The effect is regressed on its cause at the lags of the edges and a few more, since effects
    carry over, given its other causes, from the first lag at which they act.
    """
    lags: dict[tuple[str, str], list[int]] = {}
    for source, target, lag in sorted(setting.compiled.edges):
        lags.setdefault((source, target), []).append(lag)
    for (source, target), edge_lags in lags.items():
        name = f"{source} -> {target}"
        if edge_lags != [0]:
            name += f" @ {', '.join(map(str, edge_lags))}"
        if source == target:
            tested = _past(source, 1, max(edge_lags))
            memory: tuple[Column, ...] = ()
        else:
            depth = setting.memory(source, target)
            reached = sorted({lag + k for lag in edge_lags for k in range(depth + 1)})
            tested = tuple(Column(source, lag) for lag in reached)
            memory = (*_past(target, 1, depth + 1), Column(source, reached[-1] + 1))
        conditioned: list[Column] = []
        for (cause, effect), cause_lags in lags.items():
            if effect == target and cause not in (source, target):
                depth = setting.memory(source, target, cause)
                conditioned += _past(cause, min(cause_lags), min(cause_lags) + depth + 1)
        yield name, Regression(target, tested, memory, tuple(conditioned))
