"""Simulation-based calibration of the library: small models, the bundled one, broken ones.

    python benchmarks/validation/calibration.py [--models one_channel ...] [--simulations 200]

Prints a table for each model and one of all of them, and writes the rank plots to
``benchmarks/figures/calibration_<model>.png``. Simulations are kept in ``--folder``, where a call
that was interrupted resumes. Seeds: inputs 1, simulations 16007; no default was chosen with them.

* one_channel: 104 weeks, tv with carry-over and a Hill curve, AR(1) errors.
* mediator: tv reaches sales through search too; Student-t errors of sales.
* hidden_cause: tv <-> sales, with an equation of tv's on the log scale and a test of it; radio.
* panel: four markets, a response that differs between them, errors of different scale, log link.
* bundled: the model of `bayescausal.load_example`: a mediator, two lift tests, trend and seasons.

Broken models, which must fail, are in ``tests/validation/test_calibration.py``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import bayescausal as bc

SEED = 16007
FIGURES = Path(__file__).parents[1] / "figures"
type Model = tuple[bc.Spec, bc.Dataset]


def inputs(weeks: int, names: str, seed: int = 1) -> pd.DataFrame:
    """Spend of channels that are dark in a third of the weeks, and columns of the modelled nodes.

    What stands in the columns of modelled nodes only sets their scale.
    """
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"week": pd.date_range("2023-01-02", periods=weeks, freq="7D")})
    for name in names.split():
        frame[name] = rng.gamma(2.0, 10.0, weeks) * (rng.random(weeks) < 2 / 3)
    frame["search"] = 100 + frame["tv"] + rng.normal(0, 10, weeks)
    frame["sales"] = 500 + 3 * frame["tv"] + rng.normal(0, 30, weeks)
    return frame


MEDIA = bc.Response(bc.GeometricAdstock(l_max=6), bc.HillSaturation())


def one_channel() -> Model:
    frame = inputs(104, "tv")[["week", "tv", "sales"]]
    data = bc.Dataset.from_frame(frame, time="week", spend=["tv"])
    return bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), {"tv": MEDIA}), data


def mediator() -> Model:
    data = bc.Dataset.from_frame(inputs(104, "tv"), time="week", spend=["tv"])
    graph = bc.Graph.parse("tv -> search -> sales\ntv -> sales", outcome="sales")
    return bc.Spec(graph, {"tv": MEDIA}, noise={"sales": bc.StudentTNoise()}), data


def hidden_cause() -> Model:
    frame = inputs(104, "tv radio").drop(columns="search")
    frame["tv"] = np.random.default_rng(2).lognormal(3.0, 0.5, len(frame))
    data = bc.Dataset.from_frame(frame, time="week", spend=["tv", "radio"])
    test = bc.Experiment(
        bc.incremental("tv").during("2024-03-04", "2024-04-14"),
        300.0,
        100.0,
        "geo-rct",
        name="spring",
    )
    graph = bc.Graph.parse("tv <-> sales\ntv, radio -> sales", outcome="sales")
    responses = {"tv": MEDIA, "radio": bc.Response(bc.GeometricAdstock(l_max=6))}
    return bc.Spec(graph, responses, links={"tv": "log"}, experiments=(test,)), data


def panel() -> Model:
    frames = [
        inputs(52, "tv", seed)[["week", "tv", "sales"]].assign(market=market)
        for seed, market in enumerate(("north", "south", "east", "west"), 1)
    ]
    data = bc.Dataset.from_frame(pd.concat(frames), time="week", unit="market", spend=["tv"])
    graph = bc.Graph.parse("tv -> sales", outcome="sales")
    return bc.Spec(graph, {"tv": MEDIA}, links={"sales": "log"}), data


def bundled() -> Model:
    example = bc.load_example()
    return example.spec, example.data


MODELS: dict[str, Callable[[], Model]] = {
    model.__name__: model for model in (one_channel, mediator, hidden_cause, panel, bundled)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--folder", type=Path, default=Path("calibration"))
    arguments = parser.parse_args()
    rows = {}
    for name in arguments.models:
        begin, cpu = time.perf_counter(), time.process_time()
        folder = arguments.folder / f"{name}-{arguments.seed}"
        spec, data = MODELS[name]()
        result = bc.calibrate(spec, data, arguments.simulations, seed=arguments.seed, folder=folder)
        print(f"\n{name}\n{result}\n", flush=True)
        FIGURES.mkdir(exist_ok=True)
        figure = bc.plot_calibration(result)
        figure.savefig(FIGURES / f"calibration_{name}.png", dpi=80, metadata={"Software": None})
        rows[name] = {
            "status": str(result.status),
            "simulations": len(result.simulations),
            "converged": result.counts.get("converged", 0),
            "redrawn": int(result.simulations["redrawn"].sum()),
            "quantities": len(result.table),
            "smallest p (Holm)": result.table["p_holm"].min(),
            "CPU s each": result.simulations["seconds"].median(),
            "wall s": time.perf_counter() - begin,
            "CPU s": time.process_time() - cpu,
        }
    print(pd.DataFrame.from_dict(rows, orient="index").round(3).to_string())


if __name__ == "__main__":
    main()
