"""The causal graph: an acyclic directed mixed graph (ADMG), possibly with lagged edges.

Directed edges ``a -> b`` are direct effects, bidirected edges ``a <-> b`` unobserved common
causes. Everything is stored sorted, so no result depends on a hash seed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import chain

import networkx as nx

from bayescausal.errors import GraphError, did_you_mean
from bayescausal.graphs.drawing import svg
from bayescausal.graphs.edge import Edge, as_tuple, checked_edge, checked_pair, node_names
from bayescausal.graphs.notation import (
    TRUTH,
    Claims,
    a_kind,
    read_braces,
    read_text,
    write_braces,
    write_text,
)
from bayescausal.graphs.projection import eliminate, reach, shared_causes
from bayescausal.graphs.separation import Mixed


@dataclass(frozen=True, repr=False)
class Graph:
    """An acyclic directed mixed graph, immutable and compared by value.

    Lagged edges may close a cycle (last week's sales set this week's budget) as long as the edges
    within one period do not: then the graph unrolled in time is acyclic.

    Parameters
    ----------
    edges : Edges, or tuples ``(source, target[, lag])``
    bidirected : pairs of nodes that share an unobserved common cause
    latent : nodes that the data do not hold
    outcomes : one name or several
    isolated : nodes without edges; a name that has edges is left out of it

    Raises
    ------
    GraphError
        For a cycle without lag, a self-loop, a lag that is not a whole number, a name that cannot
        name a variable, a latent or an outcome that is no node, an outcome that is latent.

    Examples
    --------
    >>> print(Graph((Edge("tv", "sales"), Edge("sales", "tv", 1)), outcomes=("sales",)))
    sales -> tv @ 1
    tv -> sales
    outcome: sales
    """

    edges: tuple[Edge, ...] = ()
    bidirected: tuple[tuple[str, str], ...] = ()
    latent: frozenset[str] = frozenset()
    outcomes: tuple[str, ...] = ()
    isolated: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        edges = sorted({checked_edge(edge) for edge in as_tuple("edges", self.edges)})
        bidirected = sorted(
            {checked_pair(pair) for pair in as_tuple("bidirected", self.bidirected)}
        )
        linked = {*chain(*(e[:2] for e in edges), *bidirected)}
        isolated = sorted({*node_names("isolated", self.isolated)} - linked)
        object.__setattr__(self, "edges", tuple(edges))
        object.__setattr__(self, "bidirected", tuple(bidirected))
        object.__setattr__(self, "latent", frozenset(node_names("latent", self.latent)))
        object.__setattr__(self, "outcomes", tuple(sorted({*node_names("outcome", self.outcomes)})))
        object.__setattr__(self, "isolated", tuple(isolated))
        if not self.nodes:
            raise GraphError("The graph has no node. Write at least one edge: 'tv -> sales'.")
        self._node_set(self.latent, "The latent ")
        self._node_set(self.outcomes, "The outcome ")
        _check(self)

    @classmethod
    def parse(cls, text: str, outcome: str | Iterable[str] | None = None) -> Graph:
        """Read the text grammar, one statement a line; `outcome` overrides ``outcome:`` lines.

        Examples
        --------
        >>> graph = Graph.parse('''
        ...     demand -> search, sales       # a list
        ...     tv -> "paid search" -> sales  # a chain; a name with a space
        ...     tv <-> sales                  # an unobserved common cause
        ...     sales -> tv @ 1               # a lag
        ... ''', outcome="sales")
        >>> graph.parents("sales")
        ('demand', 'paid search')
        """
        return cls._from_claims(read_text(text), outcome)

    @classmethod
    def from_dot(cls, text: str, outcome: str | Iterable[str] | None = None) -> Graph:
        """Read Graphviz DOT; `notation.read_braces` says which attributes have a meaning."""
        return cls._from_claims(read_braces(text, "digraph"), outcome)

    @classmethod
    def from_dagitty(cls, text: str, outcome: str | Iterable[str] | None = None) -> Graph:
        """Read dagitty's model code, ``dag {...}``; attributes as in `notation.read_braces`."""
        return cls._from_claims(read_braces(text, "dag"), outcome)

    @classmethod
    def _from_claims(cls, claims: Claims, outcome: str | Iterable[str] | None) -> Graph:
        return cls(
            edges=tuple(Edge(*edge) for edge in claims.edges),
            bidirected=tuple(claims.bidirected),
            latent=frozenset(claims.latent),
            outcomes=node_names("outcome", claims.outcomes if outcome is None else outcome),
            isolated=tuple(claims.isolated),
        )

    @classmethod
    def from_networkx(
        cls,
        graph: nx.DiGraph,
        outcome: str | Iterable[str] | None = None,
        bidirected: Iterable[tuple[str, str]] = (),
        latent: str | Iterable[str] = (),
    ) -> Graph:
        """Read a ``DiGraph``, or a ``MultiDiGraph`` when a pair has edges at several lags.

        Read are the edge attribute ``lag``, the node attributes ``latent=True`` or
        ``observed=False`` (or "no"), and what `to_networkx` keeps in ``graph.graph``.
        """
        return cls._from_claims(_read_networkx(graph, bidirected, latent), outcome)

    def to_text(self) -> str:
        """Write the text grammar, which `Graph.parse` reads back."""
        return write_text(self._claims())

    def to_dot(self) -> str:
        """Write Graphviz DOT, which `Graph.from_dot` reads back."""
        return write_braces(self._claims(), "digraph")

    def to_dagitty(self) -> str:
        """Write dagitty's model code, which `Graph.from_dagitty` reads back."""
        return write_braces(self._claims(), "dag")

    def to_networkx(self) -> nx.DiGraph:
        """Return a ``DiGraph``; a ``MultiDiGraph`` when a pair has edges at several lags.

        Bidirected edges and outcomes, which networkx has no word for, are in ``graph.graph``.
        """
        single = len({e[:2] for e in self.edges}) == len(self.edges)
        graph = nx.DiGraph() if single else nx.MultiDiGraph()
        graph.graph.update(bidirected=self.bidirected, outcomes=self.outcomes)
        for node in self.nodes:
            graph.add_node(node, observed=node not in self.latent)
        for source, target, lag in self.edges:
            graph.add_edge(source, target, lag=lag)
        return graph

    def _claims(self) -> Claims:
        edges = [(e.source, e.target, e.lag) for e in self.edges]
        pairs, latent = list(self.bidirected), sorted(self.latent)
        return Claims(edges, pairs, latent, list(self.outcomes), list(self.isolated))

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        lines = "".join(f"    {line}\n" for line in self.to_text().split("\n"))
        return f'Graph.parse("""\n{lines}""")'

    def _repr_svg_(self) -> str:
        return svg(self._claims(), self.order)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Every node, latent ones included."""
        linked = chain(*(e[:2] for e in self.edges), *self.bidirected)
        return tuple(sorted({*linked, *self.isolated}))

    @property
    def observed(self) -> tuple[str, ...]:
        """The nodes that are not latent."""
        return tuple(v for v in self.nodes if v not in self.latent)

    @property
    def outcome(self) -> str:
        """The only outcome; a GraphError unless there is exactly one."""
        if len(self.outcomes) != 1:
            raise GraphError(
                f"One outcome is needed; the graph has {', '.join(self.outcomes) or 'none'}. Name "
                "it in the question, or in the graph: Graph.parse(text, outcome='sales')."
            )
        return self.outcomes[0]

    def incoming(self, node: str) -> tuple[Edge, ...]:
        """Return the edges into `node`, of every lag."""
        self._node_set(node)
        return tuple(e for e in self.edges if e.target == node)

    def outgoing(self, node: str) -> tuple[Edge, ...]:
        """Return the edges out of `node`, of every lag."""
        self._node_set(node)
        return tuple(e for e in self.edges if e.source == node)

    def parents(self, node: str) -> tuple[str, ...]:
        """Return the direct causes of `node`, at any lag."""
        return tuple(sorted({e.source for e in self.incoming(node)}))

    def children(self, node: str) -> tuple[str, ...]:
        """Return the direct effects of `node`, at any lag."""
        return tuple(sorted({e.target for e in self.outgoing(node)}))

    def siblings(self, node: str) -> tuple[str, ...]:
        """Return the nodes that share an unobserved cause with `node` (``<->``)."""
        self._node_set(node)
        return tuple(sorted({v for p in self.bidirected if node in p for v in p if v != node}))

    def ancestors(self, *nodes: str) -> tuple[str, ...]:
        """Return the nodes with a directed path of one edge or more to `nodes`, at any lag.

        The convention is strict: a node is its own ancestor only in a feedback cycle, and one of
        `nodes` is returned only when it is an ancestor of another.

        Examples
        --------
        >>> graph = Graph.parse("tv -> search -> sales")
        >>> graph.ancestors("sales"), graph.ancestors("search", "sales")
        (('search', 'tv'), ('search', 'tv'))
        """
        return tuple(sorted(reach(self._node_set(nodes), self.parents)))

    def descendants(self, *nodes: str) -> tuple[str, ...]:
        """Return the nodes with a directed path of one edge or more from `nodes`, at any lag."""
        return tuple(sorted(reach(self._node_set(nodes), self.children)))

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The nodes with causes before effects at every lag, and by name where there is a choice.

        Within a feedback cycle only edges without lag count.
        """
        return tuple(chain(*components(self.nodes, self.edges)))

    @cached_property
    def has_feedback(self) -> bool:
        """Whether lagged edges close a cycle, a node's effect on its own future included."""
        return not nx.is_directed_acyclic_graph(_digraph(self.nodes, self.edges))

    @cached_property
    def districts(self) -> tuple[tuple[str, ...], ...]:
        """The connected components of ``<->``, single nodes included."""
        return tuple(sorted({tuple(sorted({v, *reach([v], self.siblings)})) for v in self.nodes}))

    def district(self, node: str) -> tuple[str, ...]:
        """Return the district that holds `node`."""
        self._node_set(node)
        return next(district for district in self.districts if node in district)

    def project(self, latent: str | Iterable[str] = ()) -> Graph:
        """Marginalize the declared latents and the nodes given: the latent projection.

        With L the nodes that go: ``a -> b @ k`` when a directed path from a to b has all inner
        nodes in L and lags that sum to k; ``a <-> b`` when a path without colliders, all inner
        nodes in L, points at both ends. All m-separations of the nodes that stay are kept. A bare
        ``<->`` does not say how far apart in time a latent reaches its effects, nor that a latent
        can tie a node to its own past: that much is lost.

        Raises
        ------
        GraphError
            If an outcome would go, or if a latent that feeds back on itself carries the effect of
            one node on another: the lags would have no end.

        References
        ----------
        Verma and Pearl (1990), Equivalence and synthesis of causal models, UAI.
        Evans (2016), Graphs for margins of Bayesian networks, Scand. J. Stat. 43.

        Examples
        --------
        >>> graph = Graph.parse("tv -> search -> sales <- demand -> search")
        >>> print(graph.project(latent=["search", "demand"]))
        tv -> sales
        """
        hidden = self.latent.union(self._node_set(latent))
        if hidden_outcomes := hidden.intersection(self.outcomes):
            raise GraphError(
                f"The outcome {min(hidden_outcomes)!r} cannot be marginalized: it is the question."
            )
        edges, arcs = eliminate(self.edges, self.bidirected, hidden)
        stay = tuple(v for v in self.nodes if v not in hidden)
        return Graph(tuple(edges), tuple(arcs), frozenset(), self.outcomes, stay)

    @cached_property
    def common_causes(self) -> tuple[tuple[str, ...], ...]:
        """Groups of observed nodes that share one unobserved cause.

        Declared latents give groups of any size, a bare ``<->`` a pair. Their pairs are the
        bidirected edges of `project`.

        Examples
        --------
        >>> Graph(bidirected=(("a", "b"), ("b", "c"))).common_causes
        (('a', 'b'), ('b', 'c'))
        """
        return shared_causes(self.edges, self.bidirected, self.latent)

    @cached_property
    def mixed(self) -> Mixed:
        """The graph of whole series: lags merged, self-loops dropped; a cycle is an error."""
        pairs = (e[:2] for e in self.edges if e.source != e.target)
        return Mixed.of(self.nodes, pairs, self.bidirected)

    def d_separated(
        self, a: str | Iterable[str], b: str | Iterable[str], given: str | Iterable[str] = ()
    ) -> bool:
        """Return whether `given` blocks every path between `a` and `b`: m-separation.

        A path is blocked by an inner non-collider in `given`, or by a collider that has no
        descendant in `given`. Nodes are whole series; a GraphError when lagged edges close a
        cycle. It is a claim of the graph, not a test on data. A node in `given` is constant.

        Source: Richardson (2003), Markov properties for ADMGs, Scand. J. Stat. 30.

        Examples
        --------
        >>> graph = Graph.parse("sales <- demand -> tv -> visits")
        >>> graph.d_separated("visits", "sales"), graph.d_separated("visits", "sales", "tv")
        (False, True)
        """
        sides = [self.mixed.mask(self._node_set(names)) for names in (a, b, given)]
        return self.mixed.separated(*sides)

    def do(self, nodes: str | Iterable[str]) -> Graph:
        """Cut what determines `nodes`: their incoming edges, and ``<->`` at them.

        Examples
        --------
        >>> print(Graph.parse("demand -> tv -> sales").do("tv"))
        tv -> sales
        demand
        """
        cut = self._node_set(nodes)
        return replace(
            self,
            edges=tuple(e for e in self.edges if e.target not in cut),
            bidirected=tuple(p for p in self.bidirected if not cut.intersection(p)),
            isolated=self.nodes,
        )

    def restrict(self, nodes: str | Iterable[str]) -> Graph:
        """Return the induced subgraph on `nodes`, with the outcomes among them.

        Examples
        --------
        >>> print(Graph.parse("demand -> tv -> sales").restrict(["tv", "sales"]))
        tv -> sales
        """
        members = self._node_set(nodes)
        return Graph(
            edges=tuple(e for e in self.edges if members.issuperset(e[:2])),
            bidirected=tuple(p for p in self.bidirected if members.issuperset(p)),
            latent=self.latent & members,
            outcomes=tuple(v for v in self.outcomes if v in members),
            isolated=tuple(members),
        )

    def unchecked(self, nodes: tuple[str, ...], **changes: object) -> Graph:
        """Return a graph with changed fields, which the caller knows to be valid and sorted."""
        graph = object.__new__(Graph)
        vars(graph).update({f.name: getattr(self, f.name) for f in fields(self)}, **changes)
        vars(graph)["nodes"] = nodes
        return graph

    def _node_set(self, nodes: str | Iterable[str], role: str = "") -> frozenset[str]:
        node_set = frozenset(node_names("a node", nodes))
        for name in sorted(node_set.difference(self.nodes)):
            raise GraphError(
                f"{role}{name!r} is in no edge. Nodes: {', '.join(self.nodes)}."
                f"{did_you_mean(name, self.nodes)}"
            )
        return node_set


def components(nodes: Iterable[str], edges: Collection[Edge]) -> tuple[tuple[str, ...], ...]:
    """Return the nodes in groups, causes before effects: the strongly connected components.

    A feedback cycle is one group, in the order of its edges without lag; any other node is a
    group of its own. Where the edges leave a choice, it is by name.
    """
    nodes = tuple(nodes)
    today = _digraph(nodes, (e for e in edges if not e.lag))
    place = {v: k for k, v in enumerate(nx.lexicographical_topological_sort(today))}
    quotient = nx.condensation(_digraph(nodes, edges))
    groups = {k: sorted(group, key=place.__getitem__) for k, group in quotient.nodes("members")}
    causes_first = nx.lexicographical_topological_sort(quotient, key=lambda k: min(groups[k]))
    return tuple(tuple(groups[k]) for k in causes_first)


def _digraph(nodes: Iterable[str], edges: Iterable[Edge]) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edge[:2] for edge in edges)
    return graph


def _check(graph: Graph) -> None:
    if overlap := graph.latent.intersection(graph.outcomes):
        raise GraphError(
            f"The outcome {min(overlap)!r} is declared latent, so there are no data to explain. "
            "Take it out of `latent`, or name an observed outcome."
        )
    today = _digraph(graph.nodes, (e for e in graph.edges if not e.lag))
    if not nx.is_directed_acyclic_graph(today):
        cycle = [source for source, _ in nx.find_cycle(today)]
        raise GraphError(
            f"The edges without lag form a cycle: {' -> '.join([*cycle, cycle[0]])}. Within "
            "one period a cause cannot be its own effect. Lag one edge "
            f"(`{cycle[-1]} -> {cycle[0]} @ 1`), or write `<->` for an unobserved common cause."
        )


def _read_networkx(
    graph: nx.DiGraph, bidirected: Iterable[tuple[str, str]], latent: str | Iterable[str]
) -> Claims:
    if not isinstance(graph, nx.Graph):
        raise GraphError(
            f"from_networkx reads a DiGraph; got {a_kind(graph)}. Text is read by Graph.parse."
        )
    if not graph.is_directed():
        raise GraphError(
            "An undirected networkx graph makes no causal claim. Pass a DiGraph, and pairs "
            "that share an unobserved cause as `bidirected`."
        )
    hidden = list(node_names("latent", latent))
    for node, node_attributes in graph.nodes(data=True):
        for key, flag in (("latent", True), ("observed", False)):
            value = str(node_attributes.get(key, not flag)).lower()
            if value not in TRUTH:
                raise GraphError(f"{key}={value!r} of {node!r} is neither yes nor no.")
            if TRUTH[value] == flag:
                hidden.append(node)
    edges = [(a, b, attributes.get("lag", 0)) for a, b, attributes in graph.edges(data=True)]
    pairs = [*bidirected, *graph.graph.get("bidirected", ())]
    return Claims(edges, pairs, hidden, list(graph.graph.get("outcomes", ())), list(graph))
