"""How often `discover` asks without cause, and which planted errors it lists, where.

    python benchmarks/validation/discovery.py [--worlds 50] [--first 65000] [--parts clean ...]

* clean: right graphs and sound data, with experts who state tiers and signs; the number of data
  sets with any row. Worlds of `benchmarks/truth/worlds.py` (an independent simulator) and the
  bundled world drawn anew.
* experts: the bundled world, a graph with one mistake.
* data: the bundled world, a table with one fault.
* shifts: the test of a level shift alone, on series that remember.
* search: how often PC and FCI find, turn and miss the edges of the bundled world.

Seeds from 65,000 judge; those below were free for tuning.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import bayescausal as bc
from bayescausal.specs.experts import Experts
from bayescausal.truth.bundle import BASELINE, GRAPH, bundled_world
from bayescausal.validation.data_faults import breaks
from bayescausal.validation.discovery import discover
from bayescausal.validation.lagged_table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))
from truth.worlds import autoregressive, make_world

FAMILIES = ("plain", "confounded", "null", "m-bias", "instrument", "single", "panel")
"""Without `collinear`, whose graph leaves out what moves two channels: it is among the errors."""
TIERS = {
    "calendar": ["demand", "price"],
    "media": ["tv", "social"],
    "mediators": ["search"],
    "KPI": ["sales"],
}
SIGNS = {"tv -> sales": 1, "social -> sales": 1, "search -> sales": 1, "price -> sales": -1}
NODES = ("demand", "price", "tv", "social", "search", "sales")


def bundled(seed: int) -> pd.DataFrame:
    """The bundled world drawn anew, as a table."""
    data = bundled_world(seed).data
    frame = pd.DataFrame({v: data.array(v) for v in NODES})
    return frame.assign(week=data.time)


def dataset(frame: pd.DataFrame, **settings: object) -> bc.Dataset:
    spend = [v for v in ("tv", "social") if v in frame]
    return bc.Dataset.from_frame(frame, **{"time": "week", "spend": spend} | settings)


def experts_of(text: str = GRAPH, **claims: object) -> Experts:
    graph = bc.Graph.parse(text, outcome="sales")
    edges = {f"{e.source} -> {e.target}" for e in graph.edges}
    signs = {key: sign for key, sign in SIGNS.items() if key in edges}
    return Experts(graph, **{"tiers": TIERS, "signs": signs} | claims)


def asked(data: bc.Dataset, experts: Experts) -> bc.Discovery:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return discover(data, experts, baseline=BASELINE, resamples=0)


def clean(worlds: int, first: int) -> None:
    """Print the number of clean data sets with a row, by family, and of which kind."""
    rows: dict[str, dict[str, object]] = {}
    for family in ("bundled", *FAMILIES):
        kinds: Counter[str] = Counter()
        some, lists, tests = 0, np.zeros(2, int), []
        count = worlds if family == "bundled" else max(1, worlds // 4)
        for k in range(count):
            if family == "bundled":
                data, experts = dataset(bundled(first + k)), experts_of()
            else:
                data, experts = _family(family, first + k)
            result = asked(data, experts)
            kinds.update(str(row.doubt) for row in result.rows)
            lists += [bool(result.data_question_experts), bool(result.experts_question_data)]
            some += bool(result.rows)
            tests.append(sum(result.tests))
        rows[family] = {
            "worlds": count,
            "any row": some,
            "of the graph": int(lists[0]),
            "of the data": int(lists[1]),
            "tests": f"{min(tests)}-{max(tests)}",
            "kinds": ", ".join(f"{name} {count}" for name, count in kinds.most_common()),
        }
        print(family, rows[family], flush=True)
    print(pd.DataFrame.from_dict(rows, orient="index").to_string(), flush=True)


def _family(family: str, seed: int) -> tuple[bc.Dataset, Experts]:
    world = make_world(family, seed, memory=0.5)
    panel = {"unit": "market"} if family == "panel" else {}
    data = bc.Dataset.from_frame(world.frame, time="week", spend=list(world.channels), **panel)
    graph = bc.Graph.parse(world.graph, outcome="sales")
    signs = {f"{c} -> sales": 1 for c in world.channels}
    tiers = {"media": list(world.channels), "KPI": ["sales"]}
    return data, Experts(graph, tiers=tiers, signs=signs)


EXPERT_ERRORS: dict[str, tuple[str, dict[str, object]]] = {
    "reversed tv -> search": (
        "demand -> search, sales, tv\nsearch -> tv\ntv -> sales\nsocial, price, search -> sales",
        {"tiers": {"calendar": ["demand", "price"], "KPI": ["sales"]}},
    ),
    "reversed social -> sales": (
        "demand -> search, sales, tv\ntv -> search, sales\nprice, search -> sales\nsales -> social",
        {"tiers": {}},
    ),
    "forbidden price -> sales": (
        "demand -> search, sales, tv\ntv -> search, sales\nsocial, search -> sales\nprice",
        {"forbidden": ["price -> sales"]},
    ),
    "forbidden social -> sales": (
        "demand -> search, sales, tv\ntv -> search, sales\nprice, search -> sales\nsocial",
        {"forbidden": ["social -> sales"]},
    ),
    "confounding of tv forgotten": (
        "demand -> search, sales\ntv -> search, sales\nsocial, price, search -> sales",
        {},
    ),
    "demand no node": (
        "tv -> search, sales\nsocial, price, search -> sales",
        {"tiers": {"media": ["tv", "social"], "mediators": ["search"], "KPI": ["sales"]}},
    ),
}


def collinear(worlds: int, first: int) -> None:
    """Print how often the hidden mood behind two channels is listed: the graph has no such tie."""
    found, wrong, kinds = 0, 0, Counter()
    for k in range(worlds):
        result = asked(*_family("collinear", first + k))
        found += "search _||_ tv" in [row.subject for row in result.data_question_experts]
        wrong += bool(result.experts_question_data)
        kinds.update({(row.doubt.value, row.subject) for row in result.rows})
    _say("hidden cause of tv and search", found, wrong, kinds, worlds)


def shifted(column: str, by: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{column: frame[column].shift(by)}).iloc[
            max(by, 0) : min(by, 0) or None
        ]

    return change


def rescaled(column: str, factor: float, rows: slice) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        values = frame[column].to_numpy(dtype=float).copy()
        values[rows] *= factor
        return frame.assign(**{column: values})

    return change


def duplicated(at: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A week is entered twice, and takes the place of the next."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        changed = frame.copy()
        changed.loc[changed.index[at + 1], list(NODES)] = frame.loc[frame.index[at], list(NODES)]
        return changed

    return change


def flipped(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**{column: frame[column].max() - frame[column]})


DATA_FAULTS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "tv two weeks late": ("misaligned dates", shifted("tv", 2)),
    "tv two weeks early": ("misaligned dates", shifted("tv", -2)),
    "social three weeks late": ("misaligned dates", shifted("social", 3)),
    "price one week late": ("misaligned dates", shifted("price", 1)),
    "sales one week early": ("misaligned dates", shifted("sales", -1)),
    "tv in thousands from week 90": ("change of unit", rescaled("tv", 1e-3, slice(90, None))),
    "social times 10 from week 60": ("change of unit", rescaled("social", 10, slice(60, None))),
    "sales times 1000 for 12 weeks": ("change of unit", rescaled("sales", 1e3, slice(40, 52))),
    "price times 1.2 from week 80": ("level shift", rescaled("price", 1.2, slice(80, None))),
    "social times 1.95 from week 80": ("level shift", rescaled("social", 1.95, slice(80, None))),
    "sales times 1.1 from week 80": ("level shift", rescaled("sales", 1.1, slice(80, None))),
    "one week twice": ("duplicated periods", duplicated(70)),
    "price as a discount": ("wrong sign", flipped("price")),
    "tv is 5 throughout": ("zero variance", lambda frame: frame.assign(tv=5.0)),
}


def experts(worlds: int, first: int) -> None:
    """Print how often each mistake of a graph is listed, and in which list."""
    for name, (text, claims) in EXPERT_ERRORS.items():
        found, wrong, kinds = 0, 0, Counter()
        for k in range(worlds):
            result = asked(dataset(bundled(first + k)), experts_of(text, **claims))
            found += bool(result.data_question_experts)
            wrong += bool(result.experts_question_data)
            kinds.update({(row.doubt.value, row.subject) for row in result.rows})
        _say(name, found, wrong, kinds, worlds)
    collinear(worlds, first)


def data(worlds: int, first: int) -> None:
    """Print how often each fault of a table is listed by its name, in the second list."""
    for name, (doubt, change) in DATA_FAULTS.items():
        found, wrong, kinds = 0, 0, Counter()
        for k in range(worlds):
            result = asked(dataset(change(bundled(first + k))), experts_of())
            found += doubt in [str(row.doubt) for row in result.experts_question_data]
            wrong += bool(result.data_question_experts)
            kinds.update({(row.doubt.value, row.subject) for row in result.rows})
        _say(name, found, wrong, kinds, worlds)


def _say(name: str, found: int, other: int, kinds: Counter, worlds: int) -> None:
    common = ", ".join(f"{' '.join(key)} {n / worlds:.2f}" for key, n in kinds.most_common(4))
    print(
        f"{name:32} right list {found / worlds:.2f}  other list {other / worlds:.2f}  {common}",
        flush=True,
    )


def search(worlds: int, first: int) -> None:
    """Print shares of resamples by edge of the bundled world, averaged over worlds."""
    for tiers in (TIERS, {}):
        tables = [
            discover(
                dataset(bundled(first + k)),
                experts_of(tiers=tiers),
                baseline=BASELINE,
                resamples=50,
                seed=k,
            ).frequencies
            for k in range(worlds)
        ]
        mean = pd.concat(tables).groupby(["a", "b", "graph"])[[*tables[0].columns[3:]]].mean()
        stable = pd.concat(tables).assign(stable=lambda t: t["adjacent"] > 0.7)
        mean["adjacent in over .7"] = stable.groupby(["a", "b", "graph"])["stable"].mean()
        print(f"\ntiers: {bool(tiers)}\n{mean.round(2).to_string()}", flush=True)


def shifts(worlds: int, first: int) -> None:
    """Print how often a level shift is seen at 5 percent in series without one, and with one."""
    rates: dict[str, dict[str, str]] = {}
    graph = bc.Graph.parse("x -> y")
    for phi in (0.0, 0.5, 0.8, 0.95):
        for n in (104, 156):
            for size in (0.0, 3.0):
                p_values = []
                for k in range(worlds):
                    rng = np.random.default_rng([first, k, n, round(100 * phi)])
                    x = autoregressive(rng, phi, n) + size * (np.arange(n) >= n // 2)
                    time_index = pd.date_range("2022-01-03", periods=n, freq="7D")
                    table = Table({"x": x[None]}, 0, time_index)
                    p_values += [c.p_values[0] for c in breaks(table, graph) if c.p_values]
                share = np.mean(np.array(p_values) < 0.05)
                rates.setdefault(f"shift of {size:g} sd", {})[f"{n}, AR {phi:g}"] = f"{share:.3f}"
    print(pd.DataFrame.from_dict(rates, orient="index").to_string(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=50)
    parser.add_argument("--first", type=int, default=65_000)
    parts = {"clean": clean, "experts": experts, "data": data, "shifts": shifts, "search": search}
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
    args = parser.parse_args()
    for part in args.parts:
        start = time.process_time()
        print(f"\n== {part}: {args.worlds} worlds from seed {args.first}", flush=True)
        parts[part](args.worlds, args.first)
        print(f"{time.process_time() - start:.0f} s of CPU", flush=True)


if __name__ == "__main__":
    main()
