"""Coverage of an effect that one lift test identifies, by quadrature instead of sampling.

    python benchmarks/truth/ridge.py [--worlds 600] [--first 5000]

The worlds are those of `intervals.py --kinds tested`. Data tell `b = beta + z tau / sigma_x`, z =
rho / sqrt(1 - rho^2), and the test tells beta; the posterior of beta is an integral over b. Scales
are taken at their estimates. It says what the prior of the correlation does, and no more.
"""

from __future__ import annotations

import argparse

import numpy as np
from intervals import tested

PRIORS = {"TruncatedNormal(0, 0.5)": 0.5, "(0, 0.7)": 0.7, "(0, 1)": 1.0, "uniform": np.inf}


def covers(seed: int) -> list[bool]:
    """Whether the 90 percent interval covers, for each of `PRIORS`."""
    spec, data, _, truth = tested(np.random.default_rng(seed))
    tv, sales, test = data.array("tv"), data.array("sales"), spec.experiments[0]
    x, y = tv - tv.mean(), sales - sales.mean()
    slope, squares = (x @ y) / (x @ x), x @ x
    tau = np.sqrt(((y - slope * x) ** 2).sum() / (len(x) - 2))
    dose = tv[60:68].sum()
    lift, error = test.lift / dose, test.std_error / dose
    beta = np.linspace(lift - 5 * error, lift + 5 * error, 801)
    at = np.linspace(-3, 3, 31)[:, None]
    z = (slope + at * tau / np.sqrt(squares) - beta) * np.sqrt(squares / (len(x) - 1)) / tau
    rho = z / np.sqrt(1 + z**2)
    out = []
    for sd in PRIORS.values():
        log = -0.5 * (rho / sd) ** 2 - 1.5 * np.log1p(z**2) - 0.5 * at**2
        density = np.exp(log).sum(axis=0) * np.exp(-0.5 * ((beta - lift) / error) ** 2)
        below = np.cumsum(density) / density.sum()
        low, high = np.interp([0.05, 0.95], below, beta)
        out.append(bool(low <= truth <= high))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=600)
    parser.add_argument("--first", type=int, default=5000)
    chosen = parser.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.worlds)
    hits = np.array([covers(seed) for seed in seeds]).mean(axis=0)
    for name, hit in zip(PRIORS, hits, strict=True):
        print(f"{name:24s} {100 * hit:.1f} percent of {chosen.worlds} cover")


if __name__ == "__main__":
    main()
