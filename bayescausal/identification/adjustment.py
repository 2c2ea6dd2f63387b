"""A question on a graph, and the sets of observed nodes to adjust for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from bayescausal.identification.unroll import Compiled
from bayescausal.specs.separation import Mixed, bits, closure, eliminated, separators, union

MOST_SETS = 1000


def proper_causal(graph: Mixed, x: int, y: int) -> int:
    """Return the nodes, not in `x`, on directed paths from `x` to `y` that leave `x` at once.

    Examples
    --------
    >>> graph = Mixed.of("abcd", [("a", "b"), ("b", "c"), ("a", "d")])
    >>> graph.labels(proper_causal(graph, graph.mask("a"), graph.mask("c")))
    ('b', 'c')
    """
    free = graph.everything & ~x
    return closure(union(graph.children, x), graph.children, free) & closure(y, graph.parents, free)


def backdoor_graph(graph: Mixed, x: int, y: int) -> Mixed:
    """Return the proper backdoor graph: without the first edges of the causal paths.

    References
    ----------
    van der Zander, Liskiewicz and Textor (2019), Separators and adjustment sets in causal graphs,
    Artificial Intelligence 270.
    """
    return graph.cut(x, proper_causal(graph, x, y))


@dataclass(frozen=True)
class Question:
    """The joint effect of `treatments` on `outcome`, with the plan of `held` set too.

    Masks named after nodes (`x`, `y`) are over slices; without feedback a node is one slice. Sets
    to adjust for hold whole series: all slices of a node, or none.
    """

    at: Compiled
    treatments: tuple[str, ...]
    outcome: str
    held: tuple[str, ...] = ()

    @cached_property
    def x(self) -> int:
        """All slices of what is set."""
        return self.at.slices(self.at.bits((*self.treatments, *self.held)))

    @cached_property
    def y(self) -> int:
        """All slices of the outcome."""
        return self.at.slices(self.at.bits([self.outcome]))

    @cached_property
    def causal(self) -> int:
        """Slices on proper causal paths, the outcome's included."""
        return proper_causal(self.at.seen, self.x, self.y)

    @cached_property
    def mediators(self) -> tuple[str, ...]:
        """Nodes between a treatment and the outcome, on paths that avoid what is set."""
        at = self.at
        acting = at.slices(at.bits(self.treatments))
        free = at.seen.everything & ~self.x
        reached = closure(union(at.seen.children, acting), at.seen.children, free)
        return at.words(at.grouped(reached & self.causal) & ~self.ends)

    @cached_property
    def backdoor(self) -> Mixed:
        """The proper backdoor graph of the observed nodes."""
        return self.at.seen.cut(self.x, self.causal)

    @cached_property
    def forbidden(self) -> int:
        """Descendants of causal paths: slices that no adjustment set may hold."""
        return self.at.seen.descendants(self.causal)

    @cached_property
    def ends(self) -> int:
        """What is set and the outcome, over nodes."""
        return self.at.bits((*self.treatments, *self.held, self.outcome))

    @cached_property
    def allowed(self) -> int:
        """Nodes that an adjustment set may hold."""
        everything = (1 << len(self.at.names)) - 1
        return everything & ~self.at.grouped(self.forbidden) & ~self.ends

    def separates(self, given: int) -> bool:
        """Return whether all slices of some nodes close every path that is not causal."""
        return self.backdoor.separated(self.x, self.y, self.at.slices(given))

    def is_valid(self, given: int) -> bool:
        """Return whether some nodes are an adjustment set."""
        return not given & ~self.allowed and self.separates(given)

    @cached_property
    def minimal_sets(self) -> tuple[int, ...]:
        """Every minimal adjustment set, by size and then by names; at most `MOST_SETS` + 1."""
        target = self.at.bits([self.outcome])
        found = between(
            self.at, self.backdoor, self.ends & ~target, target, self.allowed, MOST_SETS
        )
        sound = [z for z in found if self.separates(z)]
        return tuple(sorted(sound, key=lambda z: (z.bit_count(), self.at.words(z))))

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
        seen = self.at.seen
        above = seen.ancestors(self.y)
        if self.at.unrolled or any(seen.siblings[i] for i in bits(above)):
            return None
        parents = union(seen.parents, self.causal) & ~self.causal & ~self.x
        return parents if self.is_valid(parents) else None


def between(at: Compiled, graph: Mixed, a: int, b: int, allowed: int, most: int) -> list[int]:
    """Return the minimal sets of allowed nodes that separate nodes `a` from nodes `b`.

    Minimal sets are made of ancestors of the two, and separate them in the augmented graph in
    which nodes that are not allowed are marginalized. The slices of a node are one vertex.
    """
    ends = at.slices(a | b)
    above = at.grouped(graph.ancestors(ends)) & allowed
    near = graph.moral(graph.ancestors(ends | at.slices(above)))
    if at.unrolled is not None:
        near = [at.grouped(union(near, group)) & ~(1 << i) for i, group in enumerate(at.groups)]
    everything = (1 << len(near)) - 1
    return separators(eliminated(near, everything & ~allowed & ~a & ~b), a, b, most)
