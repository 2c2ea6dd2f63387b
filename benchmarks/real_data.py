"""Fit the three public data sets and say what came out, and which intervals cover a known truth.

    python benchmarks/real_data.py --data FOLDER [--only roas robyn geo]

FOLDER holds `mmm_roas_data.csv` (PyMC-Marketing), `robyn_dt_simulated_weekly.csv` (Robyn) and
`geo_full_funnel_data.csv` (Meridian). Nothing of them is kept here. Graphs are stated below.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import bayescausal as bc

SEED = 20261122
MEDIA = bc.Response(bc.GeometricAdstock(l_max=8), bc.HillSaturation())
LOGISTIC = bc.Response(bc.GeometricAdstock(l_max=8), bc.LogisticSaturation())
BASELINE = (bc.LinearTrend(), bc.YearlySeasonality(2))

# What made mmm_roas_data.csv; its own columns x1_effect, x2_effect are reproduced to 1e-12 below.
ROAS_WORLD = {"x1": (0.3, 1.0, 200.0), "x2": (0.5, 2.5, 150.0)}
ROAS_TRUTH = {"x1": 93.388, "x2": 171.409}
WINDOW = ("2023-04-15", "2023-06-03")  # eight weeks
TEST_ERROR = 0.12  # standard error as a share of the lift


def roas_effect(x: np.ndarray, alpha: float, lam: float, beta: float) -> np.ndarray:
    """Sales from one channel in the world of mmm_roas_data.csv: adstock of 4 lags, logistic."""
    weights = alpha ** np.arange(4)
    carried = np.convolve(x, weights / weights.sum())[: len(x)]
    return beta * np.tanh(lam * carried / 2)


def roas_tests(frame: pd.DataFrame) -> tuple[bc.Experiment, ...]:
    """Go-dark tests of eight weeks with all of their carry-over, and an error of 12 percent.

    The lift is y - y01 (y - y02) of the world in which the channel is off in the window only:
    the file's y01 and y02 are off throughout, so the same formula is run on the dark path.
    """
    rng = np.random.default_rng(SEED)
    dark = frame["date"].between(*WINDOW).to_numpy()
    tests = []
    for channel, world in ROAS_WORLD.items():
        x = frame[channel].to_numpy()
        given = roas_effect(x, *world)
        known = frame["y"] - frame["y01" if channel == "x1" else "y02"]
        assert np.allclose(given, known, atol=1e-9)
        lift = float((given - roas_effect(np.where(dark, 0, x), *world)).sum())
        error = TEST_ERROR * lift
        tests.append(
            bc.Experiment(
                bc.incremental(channel).during(*WINDOW),
                lift=lift + rng.normal(0, error),
                std_error=error,
                design="geo-rct",
                name=f"dark_{channel}",
            )
        )
        seen = f"measured {tests[-1].lift:.1f} +/- {error:.1f}"
        print(f"  test {channel}: exact lift {lift:.1f}, {seen}")
    return tuple(tests)


def show(label: str, fit: bc.Fit, truth: dict[str, float] | None = None) -> None:
    state, run = fit.convergence, fit.info["run"]
    print(
        f"\n{label}\n  {state} divergences {state.divergences}; min ESS {state.min_ess_bulk:.0f}; "
        f"compile {run['compile_seconds']:.0f} s, sample {run['sample_seconds']:.0f} s, "
        f"{run['leapfrogs']} leapfrogs"
    )
    table = bc.summarize(bc.roas(fit)).drop(columns=["mean", "p_positive"])
    if truth:
        table["truth"] = pd.Series(truth)
        table["covers"] = table["truth"].between(table["low"], table["high"])
    print(table.round(2).to_string())
    print("  advice:", *bc.diagnose(fit).advice, sep="\n  - ")


def roas(folder: Path) -> None:
    frame = pd.read_csv(folder / "mmm_roas_data.csv", parse_dates=["date"])
    data = bc.Dataset.from_frame(
        frame, time="date", spend=["x1", "x2"], columns=["x1", "x2", "z", "y"]
    )
    tests = roas_tests(frame)
    hidden = bc.Graph.parse("x1, x2 -> y", outcome="y")
    given = bc.Graph.parse("x1, x2, z -> y\nz -> x1", outcome="y")
    told = bc.Graph.parse("x1, x2 -> y\nx1 <-> y", outcome="y")
    for label, graph, media, used in (
        ("z hidden, no test", hidden, MEDIA, ()),
        ("z hidden, no test, logistic saturation", hidden, LOGISTIC, ()),
        ("z given, no test", given, MEDIA, ()),
        ("z hidden, one test on x1 and one on x2", hidden, MEDIA, tests),
        ("x1 <-> y told, no test", told, MEDIA, ()),
        ("x1 <-> y told, no test, logistic saturation", told, LOGISTIC, ()),
        ("x1 <-> y told, one test on x1 and one on x2", told, MEDIA, tests),
        ("x1 <-> y told, both tests, logistic saturation", told, LOGISTIC, tests),
    ):
        spec = bc.Spec(graph, {"x1": media, "x2": media}, BASELINE, used)
        show(f"mmm_roas_data: {label}", bc.fit(spec, data, seed=SEED, progress=False), ROAS_TRUTH)


def robyn(folder: Path) -> None:
    frame = pd.read_csv(folder / "robyn_dt_simulated_weekly.csv", parse_dates=["DATE"])
    frame = frame.rename(
        columns={
            "tv_S": "tv",
            "ooh_S": "ooh",
            "print_S": "print",
            "facebook_I": "facebook",
            "search_clicks_P": "search",
            "competitor_sales_B": "competitor",
        }
    )
    data = bc.Dataset.from_frame(
        frame,
        time="DATE",
        spend={
            "tv": "tv",
            "ooh": "ooh",
            "print": "print",
            "facebook": "facebook_S",
            "search": "search_S",
        },
    )
    graph = bc.Graph.parse(
        """
        competitor -> tv, search, revenue
        newsletter -> search, revenue
        tv, ooh, print, facebook, search -> revenue
        """,
        outcome="revenue",
    )
    paid = ("tv", "ooh", "print", "facebook", "search")
    events = bc.Event("event1", frame.loc[frame["events"] == "event1", "DATE"].tolist())
    other = bc.Event("event2", frame.loc[frame["events"] == "event2", "DATE"].tolist())
    spec = bc.Spec(graph, dict.fromkeys(paid, MEDIA), (*BASELINE, events, other))
    show("robyn_dt_simulated_weekly", bc.fit(spec, data, seed=SEED, progress=False))


def geo(folder: Path) -> None:
    frame = pd.read_csv(folder / "geo_full_funnel_data.csv", parse_dates=["time"])
    frame = frame.rename(columns=lambda c: c.replace("_impression", "").replace("_control", ""))
    paid = ("AwarenessVideo", "PerformanceDisplay", "PerformanceNative")
    data = bc.Dataset.from_frame(
        frame,
        time="time",
        unit="geo",
        spend={c: f"{c}_spend" for c in paid},
        value="revenue_per_conversion",
        size="population",
    )
    graph = bc.Graph.parse(
        """
        GenericGQV -> AwarenessVideo, PerformanceDisplay, PerformanceNative, BrandedGQV, conversions
        AwarenessVideo -> BrandedGQV -> PerformanceDisplay, PerformanceNative, conversions
        AwarenessVideo, PerformanceDisplay, PerformanceNative -> conversions
        """,
        outcome="conversions",
    )
    spec = bc.Spec(
        graph,
        dict.fromkeys(paid, MEDIA),
        (bc.LinearTrend(), bc.YearlySeasonality(2)),
        policy={"PerformanceDisplay": "held", "PerformanceNative": "held"},
    )
    for label, noise in (("independent errors", bc.NormalNoise()), ("AR(1) errors", bc.AR1Noise())):
        fit = bc.fit(replace(spec, noise=noise), data, seed=SEED, progress=False)
        show(f"geo_full_funnel_data, 20 units, {label}", fit)
        split = bc.decompose(fit, bc.incremental("AwarenessVideo"))
        print(bc.summarize(split).drop(columns=["mean", "p_positive"]).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="*", choices=["roas", "robyn", "geo"])
    chosen = parser.parse_args()
    for name, run in {"roas": roas, "robyn": robyn, "geo": geo}.items():
        if not chosen.only or name in chosen.only:
            start = time.perf_counter()
            run(chosen.data)
            print(f"  [{name}: {time.perf_counter() - start:.0f} s in all]")


if __name__ == "__main__":
    main()
