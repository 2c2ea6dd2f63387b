"""Does augmentation improve predictions? The protocol of Poinsot and Leite (2023), paired.

    python benchmarks/augmentation/poinsot_leite.py --quick
    python benchmarks/augmentation/poinsot_leite.py [--sweeps n d degree] [--out records.csv]
    python benchmarks/augmentation/poinsot_leite.py --read records.csv ...    # one line a cell

Random DAGs, mixtures at the roots, additive noise, 70 percent to train on, z-scored by training
moments; XGBoost predicts each variable from all others. Three ways to train it:

* observed: the training rows, the baseline;
* published: `augment` by `Threshold`, Scott bandwidths x 0.001, on augmented rows only, with
  weights n w: what the published runs did (their text says bandwidths without the factor);
* ours: `augment()`, ancestral with `ResidualBootstrap`, on augmented rows only, total weight n;
* both: half of the weight on observed rows, half on ours.

Differences are paired: the same world, the same variable, with and without. A run in which nothing
survives the threshold, or in which the search for so small a theta is refused, is counted as empty
and enters no difference. Folds do not leak: see
`rows.FOLDS`. Seeds from 1; those from 9,000 judge and are used by nothing else
(`--first 9000`).
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import metrics
import numpy as np
import pandas as pd
from boosting import predict, tuned
from published import PUBLISHED
from random_worlds import MECHANISMS, Setting, World, make_world
from rows import ARMS, FOLDS, Rows, augmented, held_out, usable, weighted
from tables import heading, table

from bayescausal.errors import DataError

SWEEPS: dict[str, list[Setting]] = {
    "n": [Setting(n=n) for n in (30, 40, 60, 80, 100, 300, 500, 700)],
    "d": [Setting(d=d) for d in (7, 8, 9, 10, 15, 20, 25)],
    "degree": [Setting(d=15, degree=k) for k in range(8)],
    "theta": [Setting(degree=2, theta=10.0**-k) for k in (1, 2, 3, 4, 5)],
    "outliers": [Setting(outliers=s) for s in (0.01, 0.02, 0.05, 0.1, 0.15)],
    "noise": [Setting(noise=s) for s in (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)],
    "mechanism": [Setting(mechanism=m) for m in MECHANISMS],
}
QUICK = {
    "n": [Setting(n=100), Setting()],
    "theta": [Setting(degree=2, theta=1e-3)],
    "mechanism": [Setting(mechanism="linear")],
}


def run(
    setting: Setting, seed: int, arms: list[str], targets: int, how: str
) -> list[dict[str, Any]]:
    """One repetition: a record for each arm and variable."""
    world = make_world(setting, seed)
    rng = np.random.default_rng([seed, 7])
    d, train = setting.d, world.train
    chosen = np.sort(rng.permutation(d)[:targets]) if targets else np.arange(d)
    fold = metrics.folds(len(train), 3, rng)
    records: list[dict[str, Any]] = []
    for arm in ["observed", *arms]:
        try:
            records += one_arm(world, setting, seed, arm, chosen, fold, how)
        except DataError:  # the search for so small a theta is refused: too many rows to begin
            records.append({"arm": arm, "seed": seed, "target": None, "empty": True})
    return records


def one_arm(
    world: World,
    setting: Setting,
    seed: int,
    arm: str,
    chosen: np.ndarray,
    fold: np.ndarray,
    how: str,
) -> list[dict[str, Any]]:
    """Train on the rows of one arm, and judge on the test rows: a record for each variable."""
    train, test, start = world.train.to_numpy(), world.test.to_numpy(), time.perf_counter()
    whole = None
    rows = Rows(train, np.ones(len(train)))
    if arm != "observed":
        whole = augmented(world.train, world, arm, setting.theta, seed)
        rows = weighted(whole, world.train, arm)
    base = {"arm": arm, "seed": seed, "rows": len(rows), "mass": rows.weights.sum()}
    base["mass"] /= len(train)
    if not usable(rows):
        return [{**base, "target": None, "empty": True}]
    base |= distances(world, rows, seed)
    base["seconds"] = time.perf_counter() - start
    splits = list(held_out(world, arm, whole, fold, how, setting.theta))
    records = []
    for j in chosen:
        mine = [s for v, s in splits if v is None or v == j]
        model, rounds, penalty = tuned(rows, j, mine)
        guess = predict(model, test, j, rounds)
        y = test[:, j]
        records.append(
            {**base, "target": int(j), "empty": False, "rounds": rounds, "penalty": penalty}
            | {"r2": metrics.r2(y, guess), "mape": metrics.mape(y, guess)}
            | {"folds": len(mine)}
        )
    return records


def distances(world: World, rows: Rows, seed: int) -> dict[str, float]:
    """How far rows are from fresh rows of the truth, and from the training rows.

    For KL no more rows are used than were observed, since its bias depends on their number.
    """
    rng = np.random.default_rng([seed, 11])
    truth, train = world.truth.to_numpy(), world.train.to_numpy()
    few = np.arange(len(rows))
    if len(rows) > len(train):
        few = np.sort(rng.choice(len(rows), len(train), replace=False))
    copies = {row.tobytes() for row in train}
    kept = [row.tobytes() in copies for row in np.ascontiguousarray(rows.values)]
    return {
        "kl": metrics.kl_divergence(truth, rows.values[few], rows.weights[few]),
        "sliced": metrics.sliced_wasserstein(truth, rows.values, rows.weights, 100, rng),
        "exact": metrics.exact_wasserstein(truth, rows.values, rows.weights, 250, rng),
        "variance": metrics.relative_variance_difference(train, rows.values, rows.weights),
        "copies": float(np.mean(kept)),
    }


SCORES = ("r2", "mape", "kl", "sliced", "exact", "variance")


def compare(records: pd.DataFrame, arm: str) -> dict[str, Any]:
    """Medians of an arm, and paired differences to the baseline over runs that are not empty."""
    observed = records[records["arm"] == "observed"].set_index(["seed", "target"])
    mine = records[records["arm"] == arm]
    empty = int(mine["empty"].sum())
    used = mine[~mine["empty"].astype(bool)].set_index(["seed", "target"])
    out: dict[str, Any] = {"runs": observed.index.get_level_values(0).nunique(), "empty": empty}
    for score in SCORES:
        out[score] = used[score].median() if len(used) else np.nan
        if not len(used):
            out[f"d_{score}"] = np.nan
            continue
        difference = used[score] - observed.loc[used.index, score]
        by_run = difference.groupby("seed").mean()
        out[f"d_{score}"] = by_run.median()
        if score == "r2":
            spread = by_run.quantile([0.25, 0.75])
            out |= {"low": spread.iloc[0], "high": spread.iloc[1]}
            out["wins"] = f"{int((by_run > 0).sum())}/{len(by_run)}"
    for column in ("rows", "mass", "copies"):
        out[column] = used[column].median() if len(used) else 0.0
    return out


def report(sweep: str, setting: Setting, records: pd.DataFrame) -> list[list[str]]:
    """Rows of the table: the baseline, and each arm beside what was published."""
    key = getattr(setting, sweep)
    theirs = PUBLISHED.get((sweep, key))
    lines = []
    for arm in records["arm"].drop_duplicates():
        x = compare(records, arm)
        known = {"observed": theirs.baseline, "published": theirs.augmented} if theirs else {}
        printed = f"{known[arm]:.3f}" if known.get(arm) is not None else "-"
        if arm == "published" and theirs and theirs.empty is not None:
            printed += f" ({100 * theirs.empty:.0f} %)"
        line = [f"{sweep} = {key}", arm, f"{x['empty']}/{x['runs']}", f"{x['r2']:.3f}", printed]
        if arm == "observed":
            line += ["", "", f"{x['mape']:.2f}", f"{x['kl']:.2f}", f"{x['sliced']:.3f}"]
            line += [f"{x['exact']:.2f}", "", f"{x['rows']:.0f}", "", ""]
        elif x["empty"] == x["runs"]:
            line += ["-"] * 10
        else:
            line += [f"{x['d_r2']:+.4f} [{x['low']:+.4f}, {x['high']:+.4f}]", x["wins"]]
            line += [f"{x['d_mape']:+.2f}", f"{x['d_kl']:+.2f}", f"{x['d_sliced']:+.3f}"]
            line += [f"{x['d_exact']:+.2f}", f"{100 * x['variance']:+.1f} %"]
            line += [f"{x['rows']:.0f}", f"{x['mass']:.2f}", f"{100 * x['copies']:.0f} %"]
        lines.append(line)
    return lines


HEADER = ("cell", "arm", "empty runs", "median R2", "theirs (empty)", "dR2 [quartiles]", "better")
HEADER += ("MAPE, d", "KL, d", "SW1, d", "W1, d", "variance", "rows", "mass", "copies")
KEY = """R2: median over runs and variables. Theirs: the published median of R2 (share of empty
runs). Columns named d: for augmented rows, paired differences to the observed rows, medians over
runs that are not empty; for observed rows, the value itself. KL, SW1 (sliced Wasserstein-1, 100
directions) and W1 (optimal assignment of 250 rows) are distances to 1,000 fresh rows of the truth.
Variance: relative difference of variances. Copies: share of rows that are observed rows."""


def brief(records: pd.DataFrame) -> list[list[str]]:
    """One row a cell: the baseline, and the paired differences of R2 of each arm."""
    lines = []
    for sweep, part in records.groupby("sweep", sort=False):
        for key, cell in part.groupby(sweep, sort=False):
            theirs = PUBLISHED.get((str(sweep), key))
            line = [f"{sweep} = {key}", f"{compare(cell, 'observed')['r2']:.3f}"]
            for arm in list(ARMS)[:3]:
                x = compare(cell, arm)
                if x["empty"] == x["runs"]:
                    line.append("-")
                    continue
                line.append(f"{x['d_r2']:+.4f} [{x['low']:+.4f}, {x['high']:+.4f}], {x['wins']}")
            empty = compare(cell, "published")
            known = theirs.empty if theirs else None
            line.append(f"{empty['empty']}/{empty['runs']}")
            lines.append([*line, "-" if known is None else f"{100 * known:.0f} %"])
    return lines


BRIEF = ("cell", "median R2, observed", *list(ARMS)[:3], "empty", "theirs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="four cells, few runs: minutes")
    parser.add_argument("--sweeps", nargs="*", choices=list(SWEEPS), default=list(SWEEPS))
    parser.add_argument("--arms", nargs="*", choices=list(ARMS), default=list(ARMS)[:3])
    parser.add_argument("--runs", type=int, help="repetitions; 20, or 4 with --quick")
    parser.add_argument("--targets", type=int, help="variables a run; 0 for all, 2 with --quick")
    parser.add_argument("--folds", choices=FOLDS, default="refit")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--first", type=int, default=1, help="first seed")
    parser.add_argument("--out", help="file for the records of all runs")
    parser.add_argument("--read", nargs="*", help="print what such files hold, and run nothing")
    chosen = parser.parse_args()
    if chosen.read:
        print(table(BRIEF, brief(pd.concat(map(pd.read_csv, chosen.read)))))
        return
    runs = chosen.runs or (4 if chosen.quick else 20)
    targets = chosen.targets if chosen.targets is not None else (2 if chosen.quick else 0)
    print(heading("Poinsot and Leite's protocol", ("xgboost", "xgboost-cpu", "numpy", "scipy")))
    which = f"{targets} variables of each" if targets else "every variable"
    print(f"\n{runs} runs a cell, {which}, folds: {chosen.folds}.", flush=True)
    lines: list[list[str]] = []
    kept = []
    done: dict[Setting, pd.DataFrame] = {}
    one = partial(run, arms=chosen.arms, targets=targets, how=chosen.folds)
    seeds = range(chosen.first, chosen.first + runs)
    for sweep in chosen.sweeps:
        for setting in (QUICK if chosen.quick else SWEEPS).get(sweep, []):
            if setting not in done:
                with ProcessPoolExecutor(chosen.jobs) as pool:
                    several = list(pool.map(partial(one, setting), seeds))
                done[setting] = pd.DataFrame([r for records in several for r in records])
            kept.append(done[setting].assign(sweep=sweep, **vars(setting)))
            lines += report(sweep, setting, done[setting])
            print(f"{sweep} {getattr(setting, sweep)} done", file=sys.stderr, flush=True)
    print(KEY + "\n\n" + table(HEADER, lines))
    if chosen.out:
        pd.concat(kept).to_csv(chosen.out, index=False)


if __name__ == "__main__":
    main()
