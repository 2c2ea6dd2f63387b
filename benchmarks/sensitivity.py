"""Rates of rejection of the tests for short series, and the sensitivity of the bundled world.

python benchmarks/sensitivity.py [--worlds 600]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from scipy import stats

import bayescausal as bc
from bayescausal.validation.effective_dof import (
    effective_dof,
    error_autocorrelation,
    orthonormal,
)
from bayescausal.validation.misspecification import f_test
from bayescausal.validation.tipping_point import refit_at

NOMINAL, SEED = 0.05, 20261129


def ar1(phi: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    x = rng.standard_normal(shape)
    x[..., 0] /= np.sqrt(1 - phi**2)
    for t in range(1, shape[-1]):
        x[..., t] += phi * x[..., t - 1]
    return x


def remainder(y: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return y - basis @ np.einsum("utk,ut->k", basis, y)


def rates(phi: float, periods: int, worlds: int) -> list[float]:
    """Rejections: a null effect, by rows and by effective dof; a right form, plain and whitened;
    and of a form that lacks a square of 0.3."""
    rng = np.random.default_rng([SEED, periods, int(100 * phi)])
    t = np.arange(periods)
    waves = [f(2 * np.pi * k * t / 52) for k in (1, 2) for f in (np.sin, np.cos)]
    calendar = np.stack([np.ones(periods), t / periods - 0.5, *waves])[:, None]
    counts = np.zeros(5)
    for _ in range(worlds):
        x, y, *z = ar1(phi, (7, 1, periods), rng)
        controls = np.concatenate([calendar, z])
        columns = np.concatenate([controls, x[None]])
        basis = orthonormal(columns)
        a, e = remainder(x, orthonormal(controls)), remainder(y, basis)
        rows = y.size - basis.shape[-1]
        statistic = abs(float((a * y).sum())) / np.sqrt((a**2).sum() * (e**2).sum() / rows)
        dof = effective_dof(a, e, basis)
        counts[0] += 2 * stats.t.sf(statistic, rows) < NOMINAL
        counts[1] += 2 * stats.t.sf(statistic * np.sqrt(dof / rows), dof) < NOMINAL
        added = np.concatenate([columns, [x**2, x**3]])
        counts[2] += f_test(y, columns, added).p < NOMINAL
        counts[3] += f_test(y, columns, added, error_autocorrelation(e, basis)).p < NOMINAL
        bent = y + 0.3 * x**2
        phi_bent = error_autocorrelation(remainder(bent, basis), basis)
        counts[4] += f_test(bent, columns, added, phi_bent).p < NOMINAL
    return list(counts / worlds)


def seconds() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def timed[T](name: str, call: Callable[[], T]) -> T:
    wall, cpu = time.perf_counter(), seconds()
    result = call()
    print(f"{name}: {time.perf_counter() - wall:.1f} s, {seconds() - cpu:.1f} s of CPU", flush=True)
    return result


def bundled() -> None:
    example = bc.load_example()
    settings = {"seed": 20260301, "progress": False}
    fit = timed("fit", lambda: bc.fit(example.spec, example.data, **settings))
    print(timed("sensitivity", lambda: bc.sensitivity(fit)))
    print(timed("prior_sensitivity", lambda: bc.prior_sensitivity(fit)))
    print(timed("misspecification", lambda: bc.misspecification(fit)))
    for channel in ("tv", "social", "search"):

        def ask(channel: str = channel) -> bc.TippingPoint:
            return bc.tipping_point(fit, channel, refits=0, seed=1)

        found = timed(f"tipping_point of {channel}", ask)
        print(found)
        for rho in (-0.3, 0.0, 0.3):
            draws = bc.effect(refit_at(fit, channel, "sales", rho, seed=5), channel).to_numpy()
            low, median, high = np.quantile(draws, [0.05, 0.5, 0.95])
            print(f"refit of {channel} at {rho:+.1f}: {median:,.0f} [{low:,.0f}, {high:,.0f}]")
    curve = timed(
        "specification_curve", lambda: bc.specification_curve(fit, seed=1, progress=False)
    )
    print(curve)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=600)
    worlds = parser.parse_args().worlds
    print("weeks phi | t: rows, effective | F: plain, whitened, power")
    for periods in (104, 156):
        for phi in (0.0, 0.5, 0.8, 0.95):
            numbers = " ".join(f"{rate:.3f}" for rate in rates(phi, periods, worlds))
            print(f"{periods} {phi:.2f} | {numbers}", flush=True)
    bundled()


if __name__ == "__main__":
    main()
