"""How often tests of independence reject what is true, and see what is not.

    python benchmarks/validation/independence.py [--worlds 1000] [--parts memory curves panel graph]

All worlds are made by plain numpy (or by the bundled world's own simulator, part `graph`). Seeds
start at 70000; those below were free for choosing the tests.

* memory: x = 0.7 z + u, y = 0.7 z + v with z, u, v autoregressive; x and y independent given z, or
  with shocks that have a correlation of 0.35. Every test by name, and the naive ones.
* curves: z is spend; x and y answer it with carry-over and a Hill curve, and errors that remember.
  Conditioning in proportion (lags only) beside what `check_graph` does.
* panel: 12 units that share a shock in x and one in y; pooled rows beside pooled periods.
* graph: the bundled world drawn anew; the right graph, and graphs with one mistake.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy import stats

from bayescausal.graphs.graph import Graph
from bayescausal.identification.compiled import Compiled
from bayescausal.identification.implications import Implication
from bayescausal.truth.bundle import BASELINE, GRAPH, bundled_world
from bayescausal.validation.claim_regressions import Setting, earlier_values, same_period
from bayescausal.validation.independence import check_graph
from bayescausal.validation.independence_tests import (
    both_directions,
    chi_squared,
    effective_size,
    kernel,
    partial_correlation,
)
from bayescausal.validation.lagged_regression import Untestable, partial_out
from bayescausal.validation.lagged_table import Table

LEVEL = 0.05
FIRST = 70_000
CLAIM = Implication("x", "y", ("z",))
FORK = Compiled(Graph.parse("x <- z -> y"))


def autoregressive(rng: np.random.Generator, phi: float, n: int) -> np.ndarray:
    """Unit variance, started in its stationary law."""
    out = np.empty(n)
    out[0] = rng.normal()
    for t, shock in enumerate(rng.normal(size=n - 1) * np.sqrt(1 - phi**2), 1):
        out[t] = phi * out[t - 1] + shock
    return out


def setting_of(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Setting:
    columns = {name: np.atleast_2d(path) for name, path in zip("xyz", (x, y, z), strict=True)}
    units = tuple(map(str, range(len(columns["x"])))) if len(columns["x"]) > 1 else ()
    periods = columns["x"].shape[1]
    return Setting(Table(columns, 0, None, units), FORK, np.empty((periods, 0)), None, LEVEL)


def attempt(test: Callable[[], float]) -> float:
    """Return a p-value, NaN where the test refuses."""
    try:
        return test()
    except Untestable:
        return np.nan


def tests_of(setting: Setting, dear: bool) -> Iterator[tuple[str, float]]:
    """Yield the p-value of every test by name; the dear ones if that is asked."""
    table, calendar = setting.table, setting.calendar
    regression = same_period(setting, CLAIM)
    static = regression._replace(memory=())
    plain = static._replace(conditioned=static.conditioned[:1])
    residuals = partial_out(table, regression, calendar)
    naive = partial_out(table, plain, calendar, curves=False)
    yield "naive partial correlation", partial_correlation(naive, LEVEL, "").p_value
    yield (
        "chi-squared (terciles or halves)",
        attempt(lambda: chi_squared(*(table.x[v][0] for v in "xy"), [table.x["z"][0]]).p_value),
    )
    yield "**lag-augmented (default)**", partial_correlation(residuals, LEVEL, "").p_value
    directions = [
        (
            a,
            partial_correlation(
                partial_out(table, earlier_values(setting, a, b, CLAIM), calendar), LEVEL, "lags"
            ),
        )
        for a, b in (("x", "y"), ("y", "x"))
    ]
    yield "earlier values (both directions)", both_directions(directions).p_value
    yield (
        "effective sample size",
        effective_size(partial_out(table, static, calendar), LEVEL).p_value,
    )
    if dear:
        yield "kernel", kernel(residuals, 1).p_value


def memory(worlds: int) -> None:
    """Print false-positive rates and power by memory and length."""
    cells = [(n, phi) for n in (104, 156) for phi in (0.0, 0.5, 0.8, 0.95)]
    for correlation, title in ((0.0, "rejected though true"), (0.35, "seen, correlation 0.35")):
        rates: dict[str, dict] = defaultdict(dict)
        for n, phi in cells:
            p_values = defaultdict(list)
            for k in range(worlds):
                rng = np.random.default_rng([FIRST, k, n, round(100 * phi)])
                z, u, v = (autoregressive(rng, phi, n) for _ in range(3))
                v = correlation * u + np.sqrt(1 - correlation**2) * v
                setting = setting_of(0.7 * z + u, 0.7 * z + v, z)
                for name, p in tests_of(setting, dear=k < worlds // 4):
                    p_values[name].append(p)
            for name, values in p_values.items():
                rates[name][f"{n}, AR {phi:g}"] = rejected(values)
        show(title, rates)


def rejected(p_values: list[float]) -> str:
    """Return the share of p-values below the level, of those that were given."""
    finite = np.array(p_values)[np.isfinite(p_values)]
    return f"{np.mean(finite < LEVEL):.3f}" if len(finite) else "refused"


def show(title: str, rates: dict) -> None:
    print(f"\n{title}")
    print(pd.DataFrame.from_dict(rates, orient="index").to_string(), flush=True)


def carried(x: np.ndarray, alpha: float) -> np.ndarray:
    weights = alpha ** np.arange(13)
    return np.convolve(x, weights / weights.sum())[: len(x)]


def hill(x: np.ndarray, half: float, slope: float) -> np.ndarray:
    return x**slope / (half**slope + x**slope)


def spend(rng: np.random.Generator, kind: str, n: int) -> np.ndarray:
    """Always-on spend with heavy tails, or flights of three to eight weeks."""
    if kind == "always on":
        return np.exp(0.6 * autoregressive(rng, 0.5, n))
    on, t = np.zeros(n), 0
    while t < n:
        on[t : t + rng.integers(3, 9)] = rng.uniform(0.5, 1.5)
        t += int(rng.integers(6, 18))
    return on * np.exp(0.2 * rng.normal(size=n))


def standard(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / x.std()


def curves(worlds: int) -> None:
    """Print false-positive rates where the common cause carries over and saturates."""
    rates: dict[str, dict] = defaultdict(dict)
    for kind in ("always on", "flights"):
        for n in (104, 156):
            for phi in (0.5, 0.8):
                p_values = defaultdict(list)
                for k in range(worlds):
                    rng = np.random.default_rng([FIRST, k, n, round(100 * phi), len(kind)])
                    z = spend(rng, kind, n + 60)
                    x = 1.5 * standard(hill(carried(z, 0.6), 0.6, 1.5))
                    y = 1.5 * standard(hill(carried(z, 0.3), 0.8, 1.0))
                    x, y = (path + autoregressive(rng, phi, n + 60) for path in (x, y))
                    setting = setting_of(x[60:], y[60:], z[60:])
                    regression = same_period(setting, CLAIM)
                    for name, curved in (("in proportion", False), ("**with curves**", True)):
                        left = partial_out(setting.table, regression, setting.calendar, curved)
                        p = partial_correlation(left, LEVEL, "").p_value
                        p_values[f"same period, {name}"].append(p)
                    lagged = earlier_values(setting, "x", "y", CLAIM)
                    left = partial_out(setting.table, lagged, setting.calendar)
                    p = partial_correlation(left, LEVEL, "").p_value
                    p_values["earlier values, **with curves**"].append(p)
                for name, values in p_values.items():
                    rates[name][f"{kind}, {n}, AR {phi:g}"] = rejected(values)
    show("a common cause that carries over and saturates: rejected though true", rates)


def panel(worlds: int) -> None:
    """Print rates in a panel whose units move together."""
    rates: dict[str, dict] = defaultdict(dict)
    units = 12
    for correlation in (0.0, 0.15):
        for n in (52, 104):
            for shared in (0.0, 0.7):
                p_values = defaultdict(list)
                for k in range(worlds):
                    rng = np.random.default_rng([FIRST, k, n, round(100 * shared)])
                    draw = [
                        np.sqrt(shared) * autoregressive(rng, 0.5, n)
                        + np.sqrt(1 - shared)
                        * np.stack([autoregressive(rng, 0.5, n) for _ in range(units)])
                        for _ in range(3)
                    ]
                    z, u, v = draw
                    v = correlation * u + np.sqrt(1 - correlation**2) * v
                    setting = setting_of(0.7 * z + u, 0.7 * z + v, z)
                    regression = same_period(setting, CLAIM)
                    left = partial_out(setting.table, regression, setting.calendar)
                    test = partial_correlation(left, LEVEL, "")
                    p_values["**periods are the sample**"].append(test.p_value)
                    freedom = units * left.freedom - 1
                    t = test.correlation * np.sqrt(freedom / (1 - test.correlation**2))
                    p_values["unit-periods are the sample"].append(2 * stats.t.sf(abs(t), freedom))
                    static = partial_out(
                        setting.table, regression._replace(memory=()), setting.calendar
                    )
                    p_values["effective sample size"].append(effective_size(static, LEVEL).p_value)
                column = f"r {correlation:g}, {n} weeks, shared {shared:g}"
                for name, values in p_values.items():
                    rates[name][column] = rejected(values)
    show("panel of 12 units", rates)


def without(*edges: str) -> Graph:
    """Return the graph of the bundled world without some edges."""
    right = Graph.parse(GRAPH, outcome="sales")
    kept = tuple(edge for edge in right.edges if f"{edge.source} -> {edge.target}" not in edges)
    return Graph(kept, outcomes=right.outcomes, isolated=right.nodes)


MISTAKES = ((), *((str(edge).replace("->", " -> "),) for edge in without().edges))


def graph(worlds: int) -> None:
    """Print how often a whole graph is rejected."""
    count = max(40, worlds // 5)
    rows: dict[str, list] = defaultdict(list)
    took, calls = 0.0, 0
    for k in range(count):
        data = bundled_world(FIRST + k).data
        for edges in MISTAKES:
            name, claims = f"no {edges[0]}" if edges else "the right graph", without(*edges)
            start = time.process_time()
            check = check_graph(data, claims, baseline=BASELINE, companions=())
            took, calls = took + time.process_time() - start, calls + 1
            raw = [row.p_value < LEVEL for row in check.claims if not row.reason]
            rows[name].append((check.rejected, any(raw), len(raw)))
    table = {
        name: dict(
            zip(("rejected (Holm)", "some p < 0.05", "claims"), np.mean(v, axis=0), strict=True)
        )
        for name, v in rows.items()
    }
    show(f"bundled world, {count} draws, {1000 * took / calls:.0f} ms a check", table)


PARTS = {"memory": memory, "curves": curves, "panel": panel, "graph": graph}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    for part in args.parts:
        start = time.process_time()
        PARTS[part](args.worlds)
        print(f"({part}: {time.process_time() - start:.0f} s of CPU)")


if __name__ == "__main__":
    main()
