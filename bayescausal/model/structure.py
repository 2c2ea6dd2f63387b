"""The structural causal model: scales, designs and parameters of its equations. Constants only.

Everything here is written once over an array namespace ``xp``: ``pytensor.tensor`` for the
sampler, numpy for thousands of draws at once. Arrays end in the data dims, ``(time,)`` or
``(unit, time)``; parameters have draw dims in front, or none.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from bayescausal._types import Array, Node, Theta
from bayescausal.data.dataset import Dataset
from bayescausal.errors import DataError, SpecError
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import components
from bayescausal.specs.adstock import shift
from bayescausal.specs.baseline import Intercept, Term
from bayescausal.specs.compatibility import check
from bayescausal.specs.defaults import decided
from bayescausal.specs.prior import COMMON, Prior
from bayescausal.specs.response import Response
from bayescausal.specs.saturation import NoSaturation, Saturation
from bayescausal.specs.spec import Spec
from bayescausal.specs.transform import widen


class Parameter(NamedTuple):
    """A free parameter: its name, its prior, and the dim it varies over.

    ``pooled`` names the mean and the spread of a partially pooled parameter, whose prior is then
    ``Normal(mean, spread)``; without a mean they are deviations that sum to zero.
    """

    name: str
    prior: Prior
    dim: str | None = None
    size: int = 1
    pooled: tuple[str | None, str] | None = None


class Group(NamedTuple):
    """Nodes that are evaluated together.

    ``lag`` is the shortest lag at which one of them reads itself, or one that is evaluated after
    it; zero where none does, and one pass is exact.
    """

    nodes: tuple[Node, ...]
    lag: int


@dataclass(frozen=True)
class SCM:
    """A spec meets data: scales, designs and parameters. Constants only; no draws, no state.

    Parameters
    ----------
    spec, data : Spec, Dataset
        Checked against each other by `compile_scm`.
    scale : dict of str to array
        By node, shape ``(1,)`` or ``(unit, 1)``: what its column is divided by.
    design : dict of str to dict of str to array
        By node and term, shape ``(column, time)``.
    parameters : tuple of Parameter
        Every free parameter, in the order of the equations.
    coords : dict
        Labels of the dims.
    initial_level : dict of str to array
        By node that acts plainly and later: its scaled level before the data start.
    """

    spec: Spec
    data: Dataset
    scale: dict[Node, np.ndarray]
    design: dict[Node, dict[str, np.ndarray]]
    parameters: tuple[Parameter, ...]
    coords: dict[str, Any]
    initial_level: dict[Node, np.ndarray]

    @property
    def depth(self) -> int:
        """Number of data dims: 1 national, 2 panel."""
        return 2 if self.data.is_panel else 1

    @cached_property
    def factual(self) -> dict[Node, np.ndarray]:
        """The observed path of every node, in original units."""
        return {v: self.data.array(v) for v in (*self.spec.inputs, *self.spec.modelled)}

    @cached_property
    def unit_specific(self) -> frozenset[str]:
        """Strengths and scales that differ between units."""
        names = (p.name for p in self.parameters if p.pooled and p.pooled[0] is None)
        return frozenset(name.removesuffix(":unit") for name in names)

    def groups(
        self, do: Collection[Node | Edge] = (), everything: bool = False
    ) -> tuple[Group, ...]:
        """Modelled nodes that an intervention leaves free, in the order of their evaluation.

        Causes come before effects at every lag. A feedback cycle that the intervention leaves
        whole is one group; any other node is a group of its own.

        Parameters
        ----------
        do : collection of Node or Edge
            What the intervention sets, or feeds.
        everything : bool
            By all equations, those of held treatments included, instead of those of the worlds.
        """
        key = frozenset(do), everything
        if key not in self._known_groups:
            self._known_groups[key] = self._grouped(*key)
        return self._known_groups[key]

    @cached_property
    def _known_groups(self) -> dict[tuple[frozenset[Node | Edge], bool], tuple[Group, ...]]:
        """Groups of interventions that were asked before: a search asks one thousands of times."""
        return {}

    @cached_property
    def known_scopes(self) -> dict[tuple, Any]:
        """Where estimands act and are counted that were asked before, by `contrast.scope`."""
        return {}

    def _grouped(self, do: Collection[Node | Edge], everything: bool) -> tuple[Group, ...]:
        equations = [v for v in self.spec.modelled if v not in do]
        graph = self.spec.structure if everything else self.spec.reduced
        edges = [e for e in graph.edges if {*e[:2]} <= {*equations} and e not in do]
        groups = []
        for nodes in components(equations, edges):
            place = {v: k for k, v in enumerate(nodes)}
            inner = [e for e in edges if e.source in place and e.target in place]
            lags = [e.lag for e in inner if place[e.source] >= place[e.target]]
            groups.append(Group(nodes, min(lags, default=0)))
        return tuple(groups)

    def saturates(self, key: str) -> bool:
        """Whether a node, or an edge by name, acts through a curve that has no negative part."""
        return any(
            isinstance(step, Saturation) and not isinstance(step, NoSaturation)
            for edge, response in self.spec.mechanisms.items()
            if key in (edge.source, str(edge))
            for step in response.transforms
        )

    def link(self, node: Node, x: Array, xp: Any = np) -> Array:
        """Bring values to the scale of the link, on which causes add up."""
        scaled = x / self.scale[node]
        return xp.log(scaled) if self.spec.link(node) == "log" else scaled

    def inverse(self, node: Node, eta: Array, xp: Any = np) -> Array:
        """Bring values from the scale of the link back to original units."""
        return self.scale[node] * (xp.exp(eta) if self.spec.link(node) == "log" else eta)

    def move(self, node: Node, x: Array, change: Array, xp: Any = np) -> Array:
        """``inverse(link(x) + change)``, exactly ``x`` when ``change`` is zero."""
        return (
            x * xp.exp(change) if self.spec.link(node) == "log" else x + self.scale[node] * change
        )

    def baseline(self, node: Node, theta: Theta, xp: Any = np) -> Array:
        """Intercept and baseline terms of a node's equation, on the link scale."""
        total, *terms = self.baseline_terms(node, theta, xp).values()
        for path in terms:
            total = total + path
        return total + np.zeros(len(self.data.time))

    def baseline_terms(self, node: Node, theta: Theta, xp: Any = np) -> dict[str, Array]:
        """What `baseline` sums, by the key of the term; the intercept first."""
        level = theta[f"{node}:intercept"]
        intercept, *terms = self.spec.terms(node)
        paths = {
            intercept.key: level[..., None] if self.data.is_panel else widen(level, self.depth)
        }
        for term in terms:
            coefficients = {suffix: theta[_name(node, term, suffix)] for suffix in term.priors}
            path = xp.dot(term.coefficients(xp, coefficients), self.design[node][term.key])
            paths[term.key] = path[..., None, :] if self.data.is_panel else path
        return paths

    def curve(self, edge: Edge, theta: Theta, x: Array, xp: Any = np) -> Array:
        """``f(x)`` of an edge: its transforms on the scaled, lagged source, per unit.

        No coefficient. Where units respond differently, ``f`` has the unit's factor, so that every
        view of the strength is of all units together.
        """
        f = self.common_curve(edge, theta, self.delayed(edge, x, xp), xp, self.depth)
        return f * self.factor(str(edge), theta, xp) if str(edge) in self.unit_specific else f

    def common_curve(
        self, edge: Edge, theta: Theta, scaled: Array, xp: Any = np, depth: int = 1
    ) -> Array:
        """``f`` of an edge at scaled exposure with ``depth`` data dims, without a unit's factor."""
        response = self.spec.mechanisms[edge]
        shape = {name: theta[f"{edge}:{name}"] for name in response.priors}
        return response.curve(xp, scaled, shape, depth)

    def delayed(self, edge: Edge, x: Array, xp: Any = np) -> Array:
        """The source of an edge as it arrives: scaled, and later by the lag."""
        curved = self.spec.mechanisms[edge].transforms
        first = None if curved else self.initial_level.get(edge.source)
        return shift(xp, x / self.scale[edge.source], edge.lag, first)

    def sigma(self, node: Node, theta: Theta, xp: Any = np) -> Array:
        """Scale of a node's innovations: ``(..., 1)``; of a panel ``(..., unit or 1, 1)``."""
        name = f"{node}:sigma"
        common = widen(theta[name], self.depth)
        return common * self.factor(name, theta, xp) if name in self.unit_specific else common

    def factor(self, name: str, theta: Theta, xp: Any = np) -> Array:
        """The ratio of a unit's strength, or scale, to that of all units: ``(..., unit, 1)``."""
        return xp.exp(theta[f"{name}:unit"])[..., None]


def _name(node: Node, term: Term, suffix: str) -> str:
    return f"{node}:{term.key}" + (f":{suffix}" if suffix else "")


def compile_scm(spec: Spec, data: Dataset) -> SCM:
    """Check a spec against data and gather the constants of its equations."""
    if not isinstance(spec, Spec):
        raise SpecError(f"A Spec comes first, then a Dataset; got {type(spec).__name__}.")
    check(spec, data)
    spec = decided(spec, data)
    nodes = (*spec.inputs, *spec.modelled)
    coords: dict[str, Any] = {"time": data.time}
    if data.is_panel:
        coords = {"unit": list(data.units), **coords}
    design: dict[Node, dict[str, np.ndarray]] = {}
    parameters = [Parameter(k, p) for cause in spec.confounders for k, p in cause.priors.items()]
    for node in spec.modelled:
        design[node] = {}
        for term in spec.terms(node):
            if isinstance(term, Intercept):
                parameters += _levels(node, term, data)
                continue
            design[node][term.key] = term.design(data.time, data.training).T
            labels = term.labels(data.training)
            shared = coords.get(term.key, labels) == labels
            dim = term.key if shared else f"{term.key}[{node}]"
            coords[dim] = labels
            parameters += [
                Parameter(_name(node, term, suffix), prior, dim, len(labels))
                if is_per_column
                else Parameter(_name(node, term, suffix), prior)
                for suffix, (prior, is_per_column) in term.priors.items()
            ]
        for edge in spec.structure.incoming(node):
            response: Response = spec.mechanisms[edge]
            parameters += [Parameter(f"{edge}:{k}", p) for k, p in response.priors.items()]
            parameters += _deviations(str(edge), spec, data)
            parameters.append(Parameter(str(edge), response.strength.prior))
        parameters += [Parameter(f"{node}:{k}", p) for k, p in spec.noise_of(node).priors.items()]
        parameters += _deviations(f"{node}:sigma", spec, data)
    scale = {v: _scale(spec, data, v) for v in nodes}
    lagged = {e.source for e in spec.mechanisms if e.lag}
    start = data.history
    initial_level = {
        v: data.array(v)[..., start:].mean(axis=-1, keepdims=True) / scale[v] for v in lagged
    }
    return SCM(spec, data, scale, design, tuple(parameters), coords, initial_level)


def _scale(spec: Spec, data: Dataset, node: Node) -> np.ndarray:
    """What a column is divided by, shape ``(1,)`` or ``(unit, 1)``.

    Nationally its largest absolute value. In a panel outcomes and media are counted per size of a
    market, as declared or else its mean outcome (its share of each, if there are several): a
    response that is common to all units then does the same in each, and no unit's largest week
    sets its return. Other nodes, such as a price, are relative to their own largest value in the
    unit.
    """
    curved = any(e.source == node and r.transforms for e, r in spec.mechanisms.items())
    grows = node in spec.graph.outcomes or node in data.spend or curved
    if not data.is_panel or not grows:
        return data.scale(node)
    paths = [data.array(v) for v in ([data.size] if data.size else spec.graph.outcomes)]
    levels = [np.abs(path[..., data.history :]).mean(axis=-1, keepdims=True) for path in paths]
    size = np.sum([level / (level.mean() or 1.0) for level in levels], axis=0)
    if not size.all():
        unit = data.units[int(np.flatnonzero(size.ravel() == 0)[0])]
        raise DataError(
            f"'{"', '".join(spec.graph.outcomes)}' is zero in every period of unit '{unit}', so "
            "there is no market to model there. Leave the unit out."
        )
    return size * (np.abs(data.array(node)[..., data.history :]) / size).max()


def _levels(node: Node, term: Intercept, data: Dataset) -> list[Parameter]:
    name = f"{node}:intercept"
    if not data.is_panel:
        return [Parameter(name, term.prior)]
    mean, spread = f"{name}:mean", f"{name}:spread"
    unit = Parameter(name, term.prior, "unit", len(data.units), pooled=(mean, spread))
    return [Parameter(mean, term.prior), Parameter(spread, term.spread), unit]


def _deviations(name: str, spec: Spec, data: Dataset) -> list[Parameter]:
    """How the units of a panel deviate, in logs, from what is common to them."""
    spread = spec.spreads.get(name, COMMON)
    if len(data.units) < 2 or not isinstance(spread, Prior):
        return []
    pooled = (None, f"{name}:spread")
    unit = Parameter(f"{name}:unit", spread, "unit", len(data.units), pooled=pooled)
    return [Parameter(f"{name}:spread", spread), unit]


class Mechanism(NamedTuple):
    """An edge at given parameters: ``response = beta (f(x) - center)``.

    ``factual`` is ``f`` at the observed source; ``center`` its mean over the training data, which
    makes the intercept the level at mean media and cancels in every contrast.
    """

    beta: Array
    center: Array
    factual: Array

    def response(self, f: Array) -> Array:
        """What a curve ``f`` adds to the mean of the target: ``beta (f - center)``."""
        return self.beta * (f - self.center)
