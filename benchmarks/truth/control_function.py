"""What the equation of a budget must be like for an instrument to work, by least squares.

    python benchmarks/truth/control_function.py [--worlds 300] [--first 100]

Worlds of the family `instrument` of `worlds.py`: demand that nobody recorded moves the budget of tv
and sales, the price of air time moves tv only. What each channel brings is known up to a factor,
whose truth is 1, so no curve and no prior plays a part. The factor of tv is estimated with the
residual of a first stage among the regressors: of the spend itself, or of its logarithm. Errors are
parts of what all media brought.
"""

from __future__ import annotations

import argparse

import numpy as np
from worlds import WEEKS, World, make_world


def regressors() -> np.ndarray:
    """Return a level, a trend and two yearly harmonics."""
    t = np.arange(WEEKS)
    angles = [2 * np.pi * k * t / 52.18 for k in (1, 2)]
    waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    return np.column_stack([np.ones(WEEKS), t / WEEKS - 0.5, *waves])


def residual(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return what a regression leaves."""
    return y - x @ np.linalg.lstsq(x, y, rcond=None)[0]


def errors(world: World) -> dict[str, float]:
    """Return the error of the effect of tv, by estimator."""
    frame, plain = world.frame, regressors()
    first = np.column_stack([plain, frame["price"]])
    sales, tv = frame["sales"].to_numpy(), frame["tv"].to_numpy()
    responses = [world.respond(c, frame[c].to_numpy()) for c in world.channels]
    second = np.column_stack([*responses, plain])
    controls = {
        "no control function": np.empty((WEEKS, 0)),
        "residual of spend": residual(tv, first)[:, None],
        "residual of log spend": residual(np.log(tv), first)[:, None],
    }
    share = world.truth["tv"] / sum(world.truth.values())
    return {
        name: (np.linalg.lstsq(np.hstack([second, control]), sales, rcond=None)[0][0] - 1) * share
        for name, control in controls.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=300)
    parser.add_argument("--first", type=int, default=100)
    chosen = parser.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.worlds)
    rows = [errors(make_world("instrument", seed)) for seed in seeds]
    for name in rows[0]:
        each = np.array([row[name] for row in rows])
        print(f"{name:24s} bias {each.mean():+.3f}  RMSE {np.sqrt((each**2).mean()):.3f}")


if __name__ == "__main__":
    main()
