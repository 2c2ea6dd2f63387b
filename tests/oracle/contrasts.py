"""Contrasts of two worlds: what an estimand asks, on its own scale."""

import math

from .curves import response_reach


def outcome(worlds, estimand):
    return estimand.outcome or worlds.spec.graph.outcomes[0]


def acts(worlds, estimand):
    """Unit-periods in which the intervention is switched on."""
    start, end = estimand.window or (worlds.time[0], worlds.time[-1])
    return {
        (u, t)
        for u in _units(worlds, estimand)
        for t in range(worlds.history, len(worlds.time))
        if start <= worlds.time[t] <= end
    }


def _units(worlds, estimand):
    if not worlds.data.units:
        return worlds.units
    return [
        u
        for u, name in enumerate(worlds.data.units)
        if estimand.units is None or name in estimand.units
    ]


def counts(worlds, estimand):
    """Unit-periods that are counted: the window, and the longest path's tail after it."""
    periods = sorted({t for _, t in acts(worlds, estimand)})
    last = min(periods[-1] + tail(worlds, estimand), len(worlds.time) - 1)
    return {(u, t) for u in _units(worlds, estimand) for t in range(periods[0], last + 1)}


def tail(worlds, estimand):
    """Periods counted after the window: as far as exposure reaches, none, or as stated."""
    if estimand.carryover is True:
        return reach(worlds, estimand)
    return estimand.carryover if estimand.carryover else 0


def reach(worlds, estimand):
    """Enumerate directed paths of each world; add up lags and windows along each; the most.

    A path ends at a node that the world sets. One that comes back to a node has no last period.
    """
    target, lengths = outcome(worlds, estimand), [0]

    def walk(node, length, passed, side):
        if node == target:
            lengths.append(length)
        for edge in worlds.mechanism:
            if edge.source != node or edge.target in side or edge.target in worlds.held:
                continue
            if edge.target in passed:  # a cycle: it counts if it leads to the outcome
                ways = [e for e in worlds.mechanism if e.target not in {*side, *worlds.held}]
                if target in worlds.below([edge.target], ways):
                    lengths.append(len(worlds.time))
                continue
            response = worlds.response(edge)
            own = 0 if response is None else response_reach(response)
            walk(edge.target, length + edge.lag + own, passed | {edge.target}, side)

    for side in (estimand.active, estimand.control):
        for key in side:
            start = key.split("->")[0].strip()
            walk(start, 0, {start}, side)
    return max(lengths)


def sides(worlds, estimand, side):
    """Whole paths of a side of the estimand: by node, and by edge."""
    nodes, edges, switched = {}, {}, acts(worlds, estimand)
    for key, value in side.items():
        edge = next(
            (e for e in worlds.mechanism if str(e).replace(" ", "") == key.replace(" ", "")), None
        )
        factual = worlds.x[edge.source if edge else key]
        path = [
            [
                _at(value, row[t], u, t) if (u, t) in switched else row[t]
                for t in range(len(worlds.time))
            ]
            for u, row in enumerate(factual)
        ]
        if edge:
            edges[edge] = path
        else:
            nodes[key] = path
    return nodes, edges


def both(worlds, estimand):
    """The active world and the control world."""
    return [worlds.world(*sides(worlds, estimand, s)) for s in (estimand.active, estimand.control)]


def contrast(worlds, estimand):
    """``Y_active - Y_control`` by unit and period, zero where it is not counted."""
    active, control = both(worlds, estimand)
    target = outcome(worlds, estimand)
    return _counted(worlds, estimand, active[target], control[target])


def _counted(worlds, estimand, a, b):
    inside = counts(worlds, estimand)
    return [
        [a[u][t] - b[u][t] if (u, t) in inside else 0.0 for t in range(len(worlds.time))]
        for u in worlds.units
    ]


def effect(worlds, estimand):
    """The effect on the estimand's own scale."""
    if estimand.off_panel:
        return effect_off_panel(worlds, estimand)
    total = math.fsum(v for row in contrast(worlds, estimand) for v in row)
    if estimand.scale == "mean":
        return total / len(acts(worlds, estimand))
    if estimand.scale == "per_spend":
        return total / moved_spend(worlds, estimand)
    if estimand.scale == "cost":
        return moved_spend(worlds, estimand) / total
    if estimand.scale == "percent":
        control = both(worlds, estimand)[1][outcome(worlds, estimand)]
        return 100 * total / math.fsum(control[u][t] for u, t in counts(worlds, estimand))
    return total


def effect_off_panel(worlds, estimand):
    """The effect in a world of its own, where everything else stands still at its mean.

    One list of levels for the control world and one for the active; causes before effects.
    """
    far, target = reach(worlds, estimand), outcome(worlds, estimand)
    steady = estimand.off_panel == "steady"
    sizes = {
        len(v[0]) if isinstance(v[0], tuple) else len(v)
        for side in (estimand.active, estimand.control)
        for v in side.values()
        if isinstance(v, tuple)
    }
    length = 1 if steady else sizes.pop()
    after = 0 if steady else tail(worlds, estimand)
    whole = far + length + after

    def level(v, u):
        seen = worlds.x[v][u][worlds.history :]
        return math.fsum(seen) / len(seen)

    def play(side, v, u):
        inner = [_at(side[v], level(v, u), u, t) for t in range(length)]
        control = [_at(estimand.control[v], level(v, u), u, t) for t in range(length)]
        first, last = (inner[0], inner[-1]) if steady else (control[0], control[-1])
        return [first] * far + inner + [last] * after

    b = {v: [[level(v, u)] * whole for u in worlds.units] for v in worlds.x}
    for v in estimand.control:
        b[v] = [play(estimand.control, v, u) for u in worlds.units]
    a = dict(b)
    for v in estimand.active:
        a[v] = [play(estimand.active, v, u) for u in worlds.units]
    for node in worlds.modelled:
        if node in estimand.active or node in worlds.held:
            continue
        eta = [[worlds.link(node, value, u) for value in b[node][u]] for u in worlds.units]
        for edge, (beta, _) in worlds.mechanism.items():
            if edge.target == node:
                high, low = worlds.curve(edge, a[edge.source]), worlds.curve(edge, b[edge.source])
                for u in worlds.units:
                    for t in range(whole):
                        eta[u][t] += beta * (high[u][t] - low[u][t])
        a[node] = [[worlds.inverse(node, value, u) for value in eta[u]] for u in worlds.units]
    places = [(u, t) for u in _units(worlds, estimand) for t in range(far, whole)]
    total = math.fsum(a[target][u][t] - b[target][u][t] for u, t in places)
    moved = 0.0
    if estimand.scale in ("per_spend", "cost"):
        for v in estimand.active:
            paid, bought = worlds.path(worlds.data.spend[v]), worlds.x[v]
            price = sum(map(sum, paid)) / sum(map(sum, bought))
            for u in _units(worlds, estimand):
                for t in range(far, far + length):
                    moved += price * (a[v][u][t] - b[v][u][t])
    return {
        "total": lambda: total,
        "mean": lambda: total / (length * len(_units(worlds, estimand))),
        "per_spend": lambda: total / moved,
        "cost": lambda: moved / total,
        "percent": lambda: 100 * total / math.fsum(b[target][u][t] for u, t in places),
    }[estimand.scale]()


def moved_spend(worlds, estimand):
    (active, _), (control, _) = (
        sides(worlds, estimand, side) for side in (estimand.active, estimand.control)
    )
    moved = 0.0
    for node in {*active, *control}:
        spend, exposure = worlds.path(worlds.data.spend[node]), worlds.x[node]
        mean = sum(map(sum, spend)) / sum(map(sum, exposure))
        for u in worlds.units:
            for t in range(len(worlds.time)):
                fee = _fee(worlds, spend, exposure, u, t >= worlds.history)
                price = spend[u][t] / exposure[u][t] + fee if exposure[u][t] > 0 else mean
                a = active.get(node, exposure)[u][t]
                moved += price * (a - control.get(node, exposure)[u][t])
    return moved


def _fee(worlds, spend, exposure, unit, trained):
    """Spend booked where nothing ran, per exposure; that of a silent unit is borne by all."""
    span = [t for t in range(len(worlds.time)) if (t >= worlds.history) == trained]
    runs = {u: math.fsum(exposure[u][t] for t in span) for u in worlds.units}
    loose = {u: math.fsum(spend[u][t] for t in span if not exposure[u][t]) for u in worlds.units}
    silent = math.fsum(loose[u] for u in worlds.units if not runs[u])
    return loose[unit] / (runs[unit] or math.inf) + silent / sum(runs.values())


def split(worlds, estimand):
    """NDE and NIE: mediators of one world, treatments of the other, edge by edge."""
    target = outcome(worlds, estimand)
    a, b = both(worlds, estimand)
    treated = {*estimand.active, *estimand.control}
    fed = {e: a[e.source] for e in worlds.mechanism if e.target == target and e.source in treated}
    # Y(a, M(b)): every other node keeps the path it has in b; the outcome goes its own way.
    rest = {v: path for v, path in b.items() if v != target}
    mixed = worlds.unfold(worlds.errors(), rest, fed)[target]
    return {
        "total": _counted(worlds, estimand, a[target], b[target]),
        "direct": _counted(worlds, estimand, mixed, b[target]),
        "indirect": _counted(worlds, estimand, a[target], mixed),
    }


def _at(value, factual, u, t):
    if callable(value):
        return value(factual)
    while isinstance(value, (tuple, list)):
        value = value[u][t] if isinstance(value[0], (tuple, list)) else value[t]
    return float(value)
