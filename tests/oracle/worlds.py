"""Worlds at one draw of the parameters: abduction, action, prediction."""

import math

from .curves import respond, term_path
from .structure import Structure


class Worlds(Structure):
    """The structural causal model of a spec and data at one draw of the parameters."""

    def __init__(self, spec, data, theta):
        super().__init__(spec)
        self.data, self.history = data, data.history
        self.theta = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in theta.items()}
        self.time, self.training = list(data.time), list(data.time)[data.history :]
        self.units = list(range(max(1, len(data.units))))
        sources = {e.source for e in self.edges if e.target in self.modelled}
        self.x = {v: self.path(v) for v in sorted({*self.modelled, *sources})}
        self.scale = {v: self._scales(v) for v in self.x}
        self.mechanism = {e: self._mechanism(e) for e in self.edges if e.target in self.modelled}
        self.levels = {v: self.baseline(v) for v in self.modelled}

    # data

    def path(self, name):
        """Values by unit and time, read from the table by label."""
        column = self.data.table[name]
        if not self.data.units:
            by_label = column.to_series().to_dict()
            return [[by_label[t] for t in self.time]]
        by_label = column.transpose("unit", "time").to_series().to_dict()
        return [[by_label[u, t] for t in self.time] for u in self.data.units]

    def _scales(self, node):
        tops = [max(abs(v) for v in row[self.history :]) for row in self.x[node]]
        curved = any(e.source == node and self._curved(e) for e in self.edges)
        grows = node in self.spec.graph.outcomes or node in self.data.spend or curved
        if not self.data.units or not grows:
            return [top if top > 0 else max(tops) for top in tops]
        first = self.path(self.data.size or self.spec.graph.outcomes[0])
        sizes = [math.fsum(map(abs, row[self.history :])) / len(self.training) for row in first]
        most = max(top / size for top, size in zip(tops, sizes, strict=True))
        return [size * most for size in sizes]

    def link(self, node, value, u):
        value = value / self.scale[node][u]
        return math.log(value) if self.spec.links.get(node) == "log" else value

    def inverse(self, node, eta, u):
        value = math.exp(eta) if self.spec.links.get(node) == "log" else eta
        return value * self.scale[node][u]

    # equations

    def curve(self, edge, path):
        """``f`` of an edge on a source path in original units."""
        response = self.response(edge)
        out = []
        for u in self.units:
            x = [value / self.scale[edge.source][u] for value in path[u]]
            if response is None or not response.transforms:
                mean = self.before(edge.source, u)
                out.append([x[t - edge.lag] if t >= edge.lag else mean for t in range(len(x))])
            else:
                own = {k: self.theta[f"{edge}:{k}"] for k in response.priors}
                out.append(respond(response, own, x, edge.lag))
            if f"{edge}:unit" in self.theta:
                own = math.exp(self.theta[f"{edge}:unit"][u])
                out[-1] = [own * value for value in out[-1]]
        return out

    def before(self, node, u):
        """What a node was before the data start: its usual level, scaled."""
        seen = [value / self.scale[node][u] for value in self.x[node][u]][self.history :]
        return math.fsum(seen) / len(seen)

    def _share(self, edge):
        """Root of the spend on the source over the sum of those of the target's media."""
        sources = {e.source for e in self.edges if e.target == edge.target and self._steps(e)}
        spends = {}
        for v in sources | {edge.source}:
            paid = self.path(self.data.spend[v]) if v in self.data.spend else []
            spends[v] = math.fsum(s for row in paid for s in row[self.history :])
        known = [spend for spend in spends.values() if spend > 0]
        usual = math.fsum(known) / len(known) if known else 1.0
        roots = {v: math.sqrt(spend if spend > 0 else usual) for v, spend in spends.items()}
        return roots[edge.source] / math.fsum(roots.values())

    def _mechanism(self, edge):
        """Coefficient and center of an edge, from the factual path over the training periods."""
        f = self.curve(edge, self.x[edge.source])
        seen = [value for row in f for value in row[self.history :]]
        value, response = self.theta[str(edge)], self.response(edge)
        view = "RangeContribution" if response is None else type(response.strength).__name__
        if view == "MediaContribution":
            mean = math.fsum(abs(v) for v in seen) / len(seen)
            beta = value * self._share(edge) / mean
        elif view == "MeanContribution":
            beta = value / (math.fsum(abs(v) for v in seen) / len(seen))
        elif view == "RangeContribution":
            rows = [row[self.history :] for row in f]
            beta = value / max(max(row) - min(row) for row in rows)
        elif view == "ReturnOnSpend":
            paid = self.path(self.data.spend[edge.source])
            spent = math.fsum(v for row in paid for v in row[self.history :])
            gained = math.fsum(
                self.scale[edge.target][u] * v for u in self.units for v in f[u][self.history :]
            )
            beta = value * spent / gained
        else:
            beta = value
        return beta, math.fsum(seen) / len(seen)

    def baseline(self, node):
        level = self.theta[f"{node}:intercept"]
        levels = level if self.data.units else [level]
        given = self.spec.baseline
        terms = given.get(node, ()) if isinstance(given, dict) else given
        out = [[levels[u]] * len(self.time) for u in self.units]
        for term in terms:
            if type(term).__name__ == "Intercept":
                continue
            path = term_path(term, node, self.theta, self.time, self.training)
            out = [[a + b for a, b in zip(row, path, strict=True)] for row in out]
        return out

    def mu(self, node, world, fed=None):
        """Mean of a node given the world's parents, on the link scale; `fed` overrides by edge.

        Over the periods of the world's paths, which may end before the data do.
        """
        total = None
        for edge, (beta, center) in self.mechanism.items():
            if edge.target != node:
                continue
            f = self.curve(edge, (fed or {}).get(edge, world[edge.source]))
            total = total or [row[: len(f[0])] for row in self.levels[node]]
            for u in self.units:
                for t in range(len(f[u])):
                    total[u][t] += beta * (f[u][t] - center)
        return total or self.levels[node]

    def errors(self):
        """Abduction: the error that each equation needs to reproduce the data."""
        out = {}
        for node in self.modelled:
            mean = self.mu(node, self.x)
            out[node] = [
                [self.link(node, self.x[node][u][t], u) - mean[u][t] for t in range(len(self.time))]
                for u in self.units
            ]
        return out

    def world(self, nodes=None, edges=None):
        """Abduction, action, prediction, for whole paths that replace nodes or feed edges."""
        return self.unfold(
            self.errors(), {v: self.x[v] for v in self.held & {*self.x}} | (nodes or {}), edges
        )

    def unfold(self, e, nodes, edges=None):
        """Play a world with the errors `e`, period by period: nothing later is known to a period.

        Paths in `nodes` replace equations; paths in `edges` are fed along an edge.
        """
        given = {v: nodes.get(v, path) for v, path in self.x.items()}
        free = [v for v in self.modelled if v not in nodes]
        whole = len(self.time)
        inner = [e for e in self.mechanism if e.source in free and e.target in free]
        if all(free.index(e.source) < free.index(e.target) for e in inner):
            steps = [whole]  # no cause is read before it is made: all periods at once
        else:
            steps = range(1, whole + 1)
        made = {v: [[] for _ in self.units] for v in free}
        for last in steps:
            so_far = {v: [row[:last] for row in path] for v, path in given.items()}
            fed = {k: [row[:last] for row in path] for k, path in (edges or {}).items()}
            for node in free:  # what is not settled yet in this period has no value
                gap = [math.nan] * (last - len(made[node][0]))
                so_far[node] = [[*row, *gap] for row in made[node]]
            for node in free:
                mean = self.mu(node, so_far, fed)
                for u in self.units:
                    for t in range(len(made[node][u]), last):
                        eta = mean[u][t] + e[node][u][t]
                        made[node][u].append(self.inverse(node, eta, u))
                so_far[node] = made[node]
        return {**given, **made}
