"""PC and FCI of causal-learn, run with our test of independence on series without their past.

Loaded on demand: causal-learn is an optional extra. What it prints is swallowed. Its FCI turns
tiers into edges that are directed at both ends, so that it then finds no common cause across tiers
(measured, tests/validation/test_discovery.py): FCI runs without tiers here, for the common causes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from itertools import combinations

import numpy as np
from causallearn.graph.GraphNode import GraphNode
from causallearn.search.ConstraintBased.FCI import fci
from causallearn.search.ConstraintBased.PC import pc
from causallearn.utils.cit import CIT_Base, register_ci_test
from causallearn.utils.PCUtils.BackgroundKnowledge import BackgroundKnowledge

from bayescausal.specs.experts import Experts
from bayescausal.validation.independence_tests import pooled_p_value

METHOD = "bayescausal"
_TAIL, _HEAD = -1, 1

type Marks = np.ndarray
"""Entry ``[i, j]`` is the mark at j of their edge: 1 head, -1 tail, 2 circle; 0 no edge."""


class InnovationTest(CIT_Base):
    """The robust partial correlation of innovations, units pooled by period.

    `panel` has dims ``(unit, time, node)``; `controls` is the number of columns that prewhitening
    took from each series. With `tiers`, one a node and NaN where there is none, sets that hold a
    node later than both ends are no separators: one among their causes exists, and what follows
    both can hide what joins them (conditioning on sales cancels demand -> tv). causal-learn itself
    takes any neighbors.
    """

    def __init__(
        self, data: np.ndarray, panel: np.ndarray, controls: int, tiers: np.ndarray | None = None
    ) -> None:
        super().__init__(data)
        self.check_cache_method_consistent(METHOD, str(controls))
        self.panel, self.controls = panel, controls
        self.tiers = np.full(panel.shape[-1], np.nan) if tiers is None else tiers

    def __call__(self, x: int, y: int, condition: Sequence[int] | None = None) -> float:
        """Return the p-value of independence of columns x and y given others."""
        others = tuple(sorted(condition or ()))
        if (self.tiers[list(others)] > max(self.tiers[x], self.tiers[y])).any():
            return 0.0
        key = (min(x, y), max(x, y), others)
        if key not in self.pvalue_cache:
            self.pvalue_cache[key] = self._p_value(*key)
        return self.pvalue_cache[key]

    def _p_value(self, x: int, y: int, others: tuple[int, ...]) -> float:
        sides = self.panel[..., [x, y]]
        if others:
            basis, _ = np.linalg.qr(self.panel[..., list(others)])
            sides = sides - basis @ (np.swapaxes(basis, 1, 2) @ sides)
        size = np.sqrt((sides**2).sum(axis=1, keepdims=True))
        sides = sides / np.where(size > 0, size, 1.0)
        score = (sides[..., 0] * sides[..., 1]).sum(axis=0)
        return pooled_p_value(score[:, None], len(score) - self.controls - len(others))


register_ci_test(METHOD, InnovationTest)


def knowledge_of(experts: Experts, names: Sequence[str]) -> BackgroundKnowledge:
    """Return what tiers and prohibitions rule out; the edges of the experts' graph are no part.

    A search that was told the graph would find it.
    """
    knowledge = BackgroundKnowledge()
    nodes = {name: GraphNode(name) for name in names}
    for a, b in combinations(names, 2):
        for source, target in ((a, b), (b, a)):
            if not experts.allows(source, target):
                knowledge.add_forbidden_by_node(nodes[source], nodes[target])
    return knowledge


def tiers_of(experts: Experts, names: Sequence[str]) -> np.ndarray:
    """Return the position of the tier of each node, NaN where there is none."""
    return np.array([experts.tier_of.get(name, np.nan) for name in names], dtype=float)


def run_pc(
    panel: np.ndarray, controls: int, names: Sequence[str], experts: Experts, level: float
) -> Marks:
    """Return the graph of the PC algorithm under tiers and prohibitions, as marks."""
    with redirect_stdout(io.StringIO()):
        result = pc(
            panel.mean(axis=0),
            level,
            METHOD,
            background_knowledge=knowledge_of(experts, names),
            show_progress=False,
            node_names=list(names),
            panel=panel,
            controls=controls,
            tiers=tiers_of(experts, names),
        )
    return _marks(result.G.graph)


def run_fci(
    panel: np.ndarray,
    controls: int,
    names: Sequence[str],
    level: float,
    knowledge: BackgroundKnowledge | None = None,
) -> Marks:
    """Return the graph of the FCI algorithm, as marks."""
    with redirect_stdout(io.StringIO()):
        result, _ = fci(
            panel.mean(axis=0),
            METHOD,
            level,
            background_knowledge=knowledge,
            show_progress=False,
            node_names=list(names),
            panel=panel,
            controls=controls,
        )
    return _marks(result.graph)


def _marks(matrix: np.ndarray) -> Marks:
    """Turn causal-learn's matrix: its entry [j, i] is the mark at j of the edge of i and j."""
    return np.array(matrix, dtype=int).T
