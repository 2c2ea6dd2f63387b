"""`Experts`: what people claim of the causes, how sure they are, and what they rule out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from bayescausal import checks
from bayescausal.errors import SpecError, did_you_mean, shown
from bayescausal.graphs.edge import Edge, as_tuple, checked_edge, checked_pair
from bayescausal.graphs.graph import Graph
from bayescausal.specs.spec import Spec

LAYERS = ("calendar", "planning", "media", "mediators", "KPI")
"""Names of tiers as marketing uses them, causes first; any other names will do."""

type Pair = tuple[str, str]


@dataclass(frozen=True)
class Experts:
    """A causal graph as experts drew it, and what they say beyond its arrows.

    A claim of people, not a result: nothing here is estimated, and `discover` never changes it.

    Parameters
    ----------
    graph : Graph or Spec
        The graph; a spec also gives the baseline and the treatments.
    required : sequence of Edge or str
        Edges of the graph for which the experts vouch.
    forbidden : sequence of Edge or str
        Direct effects that they rule out at any lag, ``"sales -> price"``. The graph has none.
    tiers : mapping of str to sequence of str
        Groups of nodes in the order of time, causes first: ``{"calendar": ["season"], "media":
        ["tv"], "KPI": ["sales"]}``. Within a period no node causes one of an earlier tier; a lagged
        edge may (a budget that follows past sales). Nodes may be left out.
    certainty : float, or mapping of str to float
        The chance that an edge is as they say, above 0.5 and at most 1; for all edges, or edge by
        edge, ``{"tv -> sales": 0.95}``, others 0.8.
    latents : sequence of pairs
        Pairs that may share an unobserved cause, though the graph does not say so.
    signs : mapping of str to {1, -1}
        Directions of effects, ``{"price -> sales": -1}``.
    lags : mapping of str to pair of int
        Earliest and latest period at which an effect is largest, ``{"tv -> sales": (0, 2)}``.

    Raises
    ------
    SpecError, GraphError
        Claims that contradict each other or the graph, unknown nodes, values out of range.

    Examples
    --------
    >>> graph = Graph.parse("season -> tv -> sales <- season", outcome="sales")
    >>> experts = Experts(graph, required=["tv -> sales"], certainty=0.95, signs={"tv->sales": 1},
    ...                   tiers={"calendar": ["season"], "media": ["tv"], "KPI": ["sales"]})
    >>> experts.allows("sales", "tv"), experts.allows("sales", "tv", lag=1)
    (False, True)
    """

    graph: Graph | Spec
    required: tuple[Edge, ...] = ()
    forbidden: tuple[Edge, ...] = ()
    tiers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    certainty: float | Mapping[str, float] = 0.8
    latents: tuple[Pair, ...] = ()
    signs: Mapping[str, int] = field(default_factory=dict)
    lags: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.graph, Graph | Spec):
            raise SpecError(
                f"Experts takes a Graph or a Spec; got {shown(self.graph)}. Write "
                "Experts(Graph.parse('tv -> sales', outcome='sales'), ...)."
            )
        for name in ("required", "forbidden"):
            object.__setattr__(self, name, _edges(name, getattr(self, name)))
        pairs = sorted({checked_pair(pair) for pair in as_tuple("latents", self.latents)})
        object.__setattr__(self, "latents", tuple(pairs))
        object.__setattr__(self, "tiers", _tiers(self.tiers))
        for name in ("signs", "lags"):
            object.__setattr__(self, name, self._by_edge(name, getattr(self, name)))
        certainty: Any = self.certainty
        if isinstance(certainty, Mapping):
            certainty = self._by_edge("certainty", certainty)
        object.__setattr__(self, "certainty", certainty)
        for value in certainty.values() if isinstance(certainty, Mapping) else [certainty]:
            if not 0.5 < checks.number("Experts: certainty", value) <= 1:
                raise SpecError(
                    "Experts: certainty is a chance above 0.5 and at most 1 (0.5 would say that "
                    f"an edge is as likely absent); got {shown(value)}."
                )
        self._check_values()
        self._check_graph()

    @cached_property
    def claims(self) -> Graph:
        """The graph that the experts drew."""
        return self.graph.graph if isinstance(self.graph, Spec) else self.graph

    @cached_property
    def tier_of(self) -> dict[str, int]:
        """The position of the tier of each node that is in one."""
        return {v: place for place, nodes in enumerate(self.tiers.values()) for v in nodes}

    def certainty_of(self, source: str, target: str) -> float:
        """Return how sure the experts are of an edge."""
        if isinstance(self.certainty, Mapping):
            return float(self.certainty.get(f"{source}->{target}", 0.8))
        return float(self.certainty)

    def rules_out(self, source: str, target: str) -> bool:
        """Return whether a direct effect is forbidden."""
        return any(edge[:2] == (source, target) for edge in self.forbidden)

    def allows(self, source: str, target: str, lag: int = 0) -> bool:
        """Return whether a direct effect is neither forbidden nor against the tiers."""
        tiers = self.tier_of.get(source), self.tier_of.get(target)
        backward = None not in tiers and tiers[0] > tiers[1] and not lag  # type: ignore[operator]
        return not backward and not self.rules_out(source, target)

    def to_dict(self) -> dict[str, Any]:
        """Return what is said beyond the graph, as a plain dict for YAML."""
        return {
            "required": [str(edge) for edge in self.required],
            "forbidden": [str(edge) for edge in self.forbidden],
            "tiers": {name: list(nodes) for name, nodes in self.tiers.items()},
            "certainty": dict(self.certainty)
            if isinstance(self.certainty, Mapping)
            else self.certainty,
            "latents": [list(pair) for pair in self.latents],
            "signs": dict(self.signs),
            "lags": {name: list(ends) for name, ends in self.lags.items()},
        }

    @classmethod
    def from_dict(cls, graph: Graph | Spec, mapping: Mapping[str, Any]) -> Experts:
        """Read what `to_dict` wrote, or the ``experts`` part of a YAML file."""
        checks.check_keys(mapping, [f.name for f in fields(cls) if f.name != "graph"], "experts")
        return cls(graph, **{name: value for name, value in mapping.items() if value is not None})

    def _by_edge(self, label: str, mapping: Any) -> dict[str, Any]:
        """Return a mapping by edge with its keys written in one way, or raise."""
        if not isinstance(mapping, Mapping):
            raise SpecError(
                f"Experts: {label} is a mapping by edge, such as {{'tv -> sales': ...}}; got "
                f"{shown(mapping)}."
            )
        pairs = {f"{e.source}->{e.target}" for e in self.claims.edges}
        values = {}
        for key, value in mapping.items():
            edge = _edge(label, key)
            name = f"{edge.source}->{edge.target}"
            if name not in pairs:
                raise SpecError(
                    f"Experts: {label} speaks of '{key}', and the graph has no such edge. Edges: "
                    f"{', '.join(sorted(pairs))}.{did_you_mean(name, pairs)}"
                )
            values[name] = tuple(value) if isinstance(value, list) else value
        return values

    def _check_values(self) -> None:
        for key, sign in self.signs.items():
            if isinstance(sign, bool) or sign not in (1, -1):
                raise SpecError(f"Experts: signs['{key}'] is 1 or -1; got {shown(sign)}.")
        for key, ends in self.lags.items():
            if not isinstance(ends, tuple) or len(ends) != 2:
                raise SpecError(
                    f"Experts: lags['{key}'] is the earliest and the latest period at which the "
                    f"effect is largest, such as (0, 2); got {shown(ends)}."
                )
            first = checks.count(f"Experts: lags['{key}']", ends[0])
            checks.count(f"Experts: lags['{key}']", ends[1], first)

    def _check_graph(self) -> None:
        """Raise where the experts contradict their own graph."""
        graph = self.claims
        for name in {*self.tier_of, *(v for pair in self.latents for v in pair)}:
            graph.parents(name)  # raises for an unknown name, with advice
        pairs = {edge[:2] for edge in graph.edges}
        for edge in self.required:
            if edge[:2] not in pairs:
                raise SpecError(
                    f"Experts: '{edge}' is required, and the graph does not have it. Add it to the "
                    "graph: discover compares data with that graph."
                )
        for edge in graph.edges:
            if self.rules_out(edge.source, edge.target):
                raise SpecError(
                    f"Experts: '{edge.source} -> {edge.target}' is forbidden, and the graph has "
                    "it. Take it out of one of the two."
                )
            if not self.allows(*edge):
                early, late = (list(self.tiers)[self.tier_of[v]] for v in (edge[1], edge[0]))
                raise SpecError(
                    f"Experts: '{edge.source} -> {edge.target}' runs from the tier '{late}' back "
                    f"to '{early}' within one period. Lag the edge (@ 1), or change the tiers."
                )


def _edge(label: str, value: Any) -> Edge:
    return checked_edge(Edge.parse(value) if isinstance(value, str) else value)


def _edges(label: str, values: Any) -> tuple[Edge, ...]:
    """Return one edge or several, as text or as tuples."""
    parts = (values,) if isinstance(values, str | Edge) else as_tuple(f"Experts: {label}", values)
    return tuple(sorted({_edge(label, value) for value in parts}))


def _tiers(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise SpecError(
            "Experts: tiers map names to nodes, causes first: {'calendar': ['season'], 'media': "
            f"['tv'], 'KPI': ['sales']}}; got {shown(value)}."
        )
    tiers: dict[str, tuple[str, ...]] = {}
    for tier, nodes in value.items():
        checks.name("Experts: tiers", tier)
        tiers[tier] = tuple(checks.names(f"Experts: tiers['{tier}']", nodes))
        _once(tier, tiers)
    return tiers


def _once(tier: str, tiers: Mapping[str, Iterable[str]]) -> None:
    for node in tiers[tier]:
        if other := next((t for t, v in tiers.items() if t != tier and node in v), ""):
            raise SpecError(
                f"Experts: '{node}' is in the tiers '{other}' and '{tier}'. A node has one tier."
            )
