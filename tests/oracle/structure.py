"""The structure that a spec states: causes first, districts, what is modelled and what is held."""

from itertools import pairwise


class Structure:
    """The graph of a spec as its equations read it: no data, no parameters."""

    def __init__(self, spec):
        self.spec = spec
        graph = spec.structure
        self.edges, self.names = list(graph.edges), list(graph.nodes)
        self.held = self._held()
        self.order = self._order()
        self.districts = self._districts(graph.bidirected)
        self.modelled = self._modelled()
        self.causes = self._causes()

    def below(self, start, edges):
        found, waiting = set(), list(start)
        while waiting:
            node = waiting.pop()
            for edge in edges:
                if edge.source == node and edge.target not in found:
                    found.add(edge.target)
                    waiting.append(edge.target)
        return found

    def _held(self):
        """Treatments whose plan stays: by their policy, or because it follows its own effects."""
        return {
            v
            for v in self.spec.treatments
            if v in self.names
            and (
                self.spec.policy[v] == "held"
                if v in self.spec.policy
                else v in self.below([v], self.edges)
            )
        }

    def _order(self):
        """Causes first; lagged edges count unless they close a cycle between nodes."""
        links = [e for e in self.edges if e.source != e.target]
        if any(v in self.below([v], links) for v in self.names):
            links = [e for e in links if not e.lag]
        order = []
        while len(order) < len(self.names):
            ready = (
                v
                for v in sorted({*self.names} - {*order})
                if all(e.source in order for e in links if e.target == v)
            )
            order.append(next(ready))
        return order

    def _districts(self, pairs):
        """Nodes joined by ``<->``, merged pair by pair."""
        parts = [{v} for v in self.names]
        for pair in pairs:
            joined = set().union(*(part for part in parts if part & {*pair}))
            parts = [*(part for part in parts if not part & {*pair}), joined]
        return parts

    def _causes(self):
        """Groups of modelled nodes with an unobserved common cause.

        Written for latents whose children are all observed, and for ``<->`` between observed nodes.
        """
        graph = self.spec.graph
        groups = {tuple(sorted(pair)) for pair in graph.bidirected}
        for latent in graph.latent:
            children = {e.target for e in graph.edges if e.source == latent}
            assert not children & graph.latent
            groups.add(tuple(sorted(children & {*self.modelled})))
        return sorted(g for g in groups if len(g) > 1 and {*g} <= {*self.modelled})

    def _modelled(self):
        """Outcomes, what a treatment moves, and the districts of these, whole; causes first."""
        moving = [e for e in self.edges if e.target not in self.held]
        acting = {*self.spec.treatments} & {*self.names}
        wanted = {*self.spec.graph.outcomes, *self.below(acting, moving)}
        wanted = set().union(*(part for part in self.districts if part & wanted))
        return [v for v in self.order if v in wanted]

    def response(self, edge):
        for key, value in self.spec.responses.items():
            if key.replace(" ", "") == str(edge).replace(" ", ""):
                return value
        return self.spec.responses.get(edge.source)

    def _curved(self, edge):
        response = self.response(edge)
        return response is not None and bool(response.transforms)

    def _steps(self, edge):
        response = self.response(edge)
        return () if response is None else response.transforms

    def remembers(self, node, time):
        """Whether errors have memory by default: of all nodes but those with an edge of memory."""
        own = any(e.source == node == e.target for e in self.edges)
        step = min(b - a for a, b in pairwise(time))
        return not own and not self.spec.augmentation and step.days <= 7
