"""A question on a graph, and the sets of observed nodes to adjust for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from bayescausal.graphs.separation import Mixed, bits, closure, eliminated, separators, union
from bayescausal.identification.compiled import Compiled

MOST_SETS = 1000


def proper_causal(graph: Mixed, x: int, y: int) -> int:
    """Return the nodes, not in `x`, on directed paths from `x` to `y` that leave `x` at once.

    Examples
    --------
    >>> graph = Mixed.of("abcd", [("a", "b"), ("b", "c"), ("a", "d")])
    >>> graph.labels(proper_causal(graph, graph.mask("a"), graph.mask("c")))
    ('b', 'c')
    """
    region = graph.everything & ~x
    return closure(union(graph.children, x), graph.children, region) & closure(
        y, graph.parents, region
    )


def backdoor_graph(graph: Mixed, x: int, y: int) -> Mixed:
    """Return the proper backdoor graph, which lacks the first edges of the causal paths.

    References
    ----------
    van der Zander, Liskiewicz and Textor (2019), Separators and adjustment sets in causal graphs,
    Artificial Intelligence 270.
    """
    return graph.cut(x, proper_causal(graph, x, y))


@dataclass(frozen=True)
class Question:
    """A question about the joint effect of `treatments` on `outcome`, with `held` nodes fixed too.

    A node, in masks and in sets to adjust for, is its whole series.
    """

    compiled: Compiled
    treatments: tuple[str, ...]
    outcome: str
    held: tuple[str, ...] = ()

    @cached_property
    def x(self) -> int:
        """The mask of the nodes that are intervened on, held nodes included."""
        return self.compiled.bits((*self.treatments, *self.held))

    @cached_property
    def y(self) -> int:
        """The mask of the outcome."""
        return self.compiled.bits([self.outcome])

    @cached_property
    def causal(self) -> int:
        """The mask of the nodes on proper causal paths, the outcome included."""
        return proper_causal(self.compiled.projection, self.x, self.y)

    @cached_property
    def mediators(self) -> tuple[str, ...]:
        """The nodes between a treatment and the outcome, on paths that avoid intervened nodes."""
        compiled = self.compiled
        acting = compiled.bits(self.treatments)
        region = compiled.projection.everything & ~self.x
        reached = closure(
            union(compiled.projection.children, acting), compiled.projection.children, region
        )
        return compiled.words(reached & self.causal & ~self.ends)

    @cached_property
    def backdoor(self) -> Mixed:
        """The proper backdoor graph of the observed nodes."""
        return self.compiled.projection.cut(self.x, self.causal)

    @cached_property
    def forbidden(self) -> int:
        """The mask of the descendants of causal paths, which no adjustment set may contain."""
        return self.compiled.projection.descendants(self.causal)

    @cached_property
    def ends(self) -> int:
        """The mask of the intervened nodes and of the outcome."""
        return self.x | self.y

    @cached_property
    def allowed(self) -> int:
        """The mask of the nodes that an adjustment set may contain."""
        return self.compiled.projection.everything & ~self.forbidden & ~self.ends

    def separates(self, z: int) -> bool:
        """Return whether the nodes `z` close every path that is not causal."""
        return self.backdoor.separated(self.x, self.y, z)

    def is_valid(self, z: int) -> bool:
        """Return whether the nodes `z` are a valid adjustment set."""
        return not z & ~self.allowed and self.separates(z)

    @cached_property
    def has_sets(self) -> bool:
        """Whether there is an adjustment set: if so, all allowed ancestors are one."""
        return self.separates(self.backdoor.ancestors(self.x | self.y) & self.allowed)

    @cached_property
    def minimal_sets(self) -> tuple[int, ...]:
        """Every minimal adjustment set, by size and then by names; at most `MOST_SETS` + 1."""
        if not self.has_sets:
            return ()
        separating = minimal_separators(self.backdoor, self.x, self.y, self.allowed, MOST_SETS)
        sound = [z for z in separating if self.separates(z)]
        return tuple(sorted(sound, key=lambda z: (z.bit_count(), self.compiled.words(z))))

    @cached_property
    def optimal(self) -> int | None:
        """The adjustment set of least asymptotic variance, when theory gives one.

            Pa(Cn) without Cn and X, with Cn the nodes on proper causal paths

        None when an unobserved common cause touches an ancestor of the outcome, when the graph
        feeds back, or when nothing identifies by adjustment.

        References
        ----------
        Henckel, Perkovic and Maathuis (2022), Graphical criteria for efficient total effect
        estimation, JRSS B 84. Rotnitzky and Smucler (2020), JMLR 21.
        """
        projection = self.compiled.projection
        ancestors = projection.ancestors(self.y)
        if self.compiled.feeds_back or any(projection.siblings[i] for i in bits(ancestors)):
            return None
        parents = union(projection.parents, self.causal) & ~self.causal & ~self.x
        return parents if self.is_valid(parents) else None


def minimal_separators(graph: Mixed, a: int, b: int, allowed: int, limit: int) -> list[int]:
    """Return the minimal sets of allowed nodes that separate nodes `a` from nodes `b`.

    Minimal sets are made of ancestors of the two, and separate them in the augmented graph in
    which nodes that are not allowed are marginalized.
    """
    ancestors = graph.ancestors(a | b)
    neighbors = graph.moral(ancestors)
    return separators(eliminated(neighbors, ancestors & ~allowed & ~a & ~b), a, b, limit)
