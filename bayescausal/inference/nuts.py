"""NUTS as one XLA program a chain: no Python between two leapfrogs.

The step of NUTS is blackjax's. Here it is repeated for some draws of one chain, and told how long a
step is. Chains are not mapped over: alone, the loop of a small model is compiled into one function,
whose leapfrog takes ten microseconds, where four chains together take more than a hundred. They
run in threads, and meet after each window of the warm-up to learn coordinates and a step size from
the draws of all. Python is called between blocks of draws only, where Ctrl-C is heard and the bar
moves.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from blackjax.mcmc.hmc import HMCState
from blackjax.mcmc.nuts import build_kernel
from blackjax.optimizers.dual_averaging import DualAveragingState, dual_averaging
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bayescausal.errors import BayesCausalError
from bayescausal.inference.settings import Settings

BLOCK = 250
"""The most draws of one call: its buffers have this length."""

STATISTICS = ("lp", "energy", "diverging", "n_steps", "tree_depth", "acceptance_rate", "step_size")

NOT_FINITE = (
    "The log density is not finite where chains start, near its mode. A prior may give no weight "
    "to what the data need, or a column may be out of scale: look at build(spec, data).debug()."
)
TOO_EARLY = "Sampling was stopped before the first draw after tuning."

_AVERAGING = dual_averaging(t0=10, gamma=0.05, kappa=0.75)
_FIRST_STEP = 0.3
_DEEPEST = 10
_OVERDISPERSION, _ATTEMPTS = 1.5, 8
_FEW = 100
"""Dimensions up to which the draws of a window tell correlations by themselves."""
_RIDGE = 0.1
"""Added to covariances of draws and of slopes: what has not been seen keeps its scale."""
_PATIENCE = 0.25
"""Seconds of one call: as long as Ctrl-C may have to wait, where a draw takes no longer."""

type LogDensity = Callable[[jax.Array, Sequence[jax.Array]], jax.Array]


class Coordinates(NamedTuple):
    """``x = center + scale @ z``: the sampler moves in z, in which the posterior is round."""

    center: np.ndarray
    scale: np.ndarray

    def natural(self, z: np.ndarray) -> np.ndarray:
        """Return points of z, ``(..., dim)``, as points of x."""
        return self.center + z @ self.scale.T

    def moved_to(self, mean: np.ndarray, root: np.ndarray) -> Coordinates:
        """Return coordinates ``z' = root^-1 (z - mean)`` of the same x."""
        return Coordinates(self.natural(mean), self.scale @ root)


class Chain(NamedTuple):
    """Where a chain is: ``position`` and ``slope``, both ``(dim,)``, and the log density there.

    The step size follows from ``averaging``, the state of dual averaging.
    """

    position: np.ndarray
    value: float
    slope: np.ndarray
    averaging: DualAveragingState

    def moved_to(self, mean: np.ndarray, root: np.ndarray) -> Chain:
        """Return the same point as ``z' = root^-1 (z - mean)``."""
        position = np.linalg.solve(root, np.asarray(self.position) - mean)
        return self._replace(position=position, slope=np.asarray(self.slope) @ root)


def first_step(size: float = _FIRST_STEP) -> DualAveragingState:
    """Begin to average the step size, from a guess."""
    state = _AVERAGING[0](size)
    begun = DualAveragingState(*(np.float64(value) for value in state))
    return begun._replace(log_x_avg=begun.log_x)


def advance_with(density: LogDensity) -> Callable[..., tuple[Chain, dict[str, jax.Array]]]:
    """Write the program that advances a chain by some draws.

    Parameters
    ----------
    density : callable
        ``(x, numbers) -> log density``.

    Returns
    -------
    callable
        ``(chain, center, scale, numbers, key, first, draws, tuning, target) -> chain, record``: at
        most `BLOCK` draws, with the step size tuned to the target acceptance or held. The random
        numbers of a draw follow from the key and its number, the first being ``first``, so that
        blocks may be of any length. ``record`` has positions and slopes ``(BLOCK, dim)`` and the
        `STATISTICS` ``(BLOCK,)``.
    """
    kernel = build_kernel()
    update = _AVERAGING[1]

    def advance(
        chain: Chain,
        center: jax.Array,
        scale: jax.Array,
        numbers: Sequence[jax.Array],
        key: jax.Array,
        first: jax.Array,
        draws: jax.Array,
        tuning: jax.Array,
        target: jax.Array,
    ) -> tuple[Chain, dict[str, jax.Array]]:
        dim = chain.position.size

        def whitened(z: jax.Array) -> jax.Array:
            return density(center + scale @ z, numbers)

        def draw(index: jax.Array, state: tuple) -> tuple:
            now, averaging, record = state
            step = jnp.exp(jnp.where(tuning, averaging.log_x, averaging.log_x_avg))
            now, info = kernel(
                jax.random.fold_in(key, first + index), now, whitened, step, jnp.ones(dim), _DEEPEST
            )
            rate = jnp.where(jnp.isfinite(info.acceptance_rate), info.acceptance_rate, 0.0)
            tuned = update(averaging, target - rate)
            averaging = jax.tree.map(lambda new, old: jnp.where(tuning, new, old), tuned, averaging)
            values = {
                "position": now.position,
                "slope": now.logdensity_grad,
                "lp": now.logdensity,
                "energy": info.energy,
                "diverging": info.is_divergent,
                "n_steps": info.num_integration_steps,
                "tree_depth": info.num_trajectory_expansions,
                "acceptance_rate": rate,
                "step_size": step,
            }
            record = {name: record[name].at[index].set(values[name]) for name in record}
            return now, averaging, record

        kinds = {"diverging": bool, "n_steps": int, "tree_depth": int}
        record = {k: jnp.zeros(BLOCK, kinds.get(k, float)) for k in STATISTICS}
        record |= {name: jnp.zeros((BLOCK, dim)) for name in ("position", "slope")}
        start = HMCState(chain.position, chain.value, chain.slope)
        averaging = DualAveragingState(*map(jnp.asarray, chain.averaging))
        now, averaging, record = jax.lax.fori_loop(0, draws, draw, (start, averaging, record))
        return Chain(now.position, now.logdensity, now.logdensity_grad, averaging), record

    return advance


def windows(tune: int) -> list[int]:
    """Split the warm-up: after each window but the last the coordinates are learned anew.

    The last one fits the step size to coordinates that no longer change.
    """
    parts = [round(tune * share) for share in (0.05, 0.1, 0.15, 0.2, 0.25)] if tune >= 20 else []
    return [*parts, tune - sum(parts)]


def learned(z: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of draws ``(number, dim)``, and a root of their covariance, from the slopes there too.

        D_i^2 = sd(z_i) / sd(slope_i),    root = D chol((1 - w) I + w corr(z / D))

    In a normal the slope has the inverse of the scale of the draw, so that ``D`` is right even
    where draws have not yet reached the posterior. Correlations need many draws for each dimension:
    ``w = n / (n + dim + 5)``, with a quarter of the draws for n, as those of a chain are dependent.
    In more than `_FEW` dimensions a window has too few of them, and slopes are asked for the
    correlations as well: see `_bridge`.

    Source: for D, Seyboldt, Carlson & Carpenter (2026), preconditioning by the Fisher divergence.
    """
    number, dim = z.shape
    spread, steepness = z.std(axis=0), slope.std(axis=0)
    moves = (spread > 0) & (steepness > 0)
    scale = np.sqrt(np.divide(spread, steepness, out=np.ones(dim), where=moves))
    centered = (z - z.mean(axis=0)) / scale
    if dim > _FEW:
        covariance = _bridge(centered, (slope - slope.mean(axis=0)) * scale)
    else:
        effective = number / 4
        weight = effective / (effective + dim + 5)
        covariance = weight * centered.T @ centered / number + (1 - weight) * np.eye(dim)
    return z.mean(axis=0), scale[:, None] * np.linalg.cholesky(covariance)


def _bridge(z: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Covariance between that of draws and the inverse of that of slopes, both centered.

        S = B^(-1/2) (B^(1/2) A B^(1/2))^(1/2) B^(-1/2),    A = cov(z) + I / 10

    with B that of slopes. It solves ``S B S = A``. In a normal ``slope = -precision @ z``, so that
    its covariance does whatever the draws are: with more draws than dimensions it comes out almost
    without error. A direction in which no draw lies is left as it is, as A and B are alike there.

    Source: Seyboldt, Carlson & Carpenter (2026), preconditioning by the Fisher divergence.
    """
    number, dim = z.shape
    spread = z.T @ z / number + _RIDGE * np.eye(dim)
    values, vectors = np.linalg.eigh(slope.T @ slope / number + _RIDGE * np.eye(dim))
    half, inverse_half = ((vectors * values**power) @ vectors.T for power in (0.5, -0.5))
    values, vectors = np.linalg.eigh(half @ spread @ half)
    bridge = inverse_half @ (vectors * np.sqrt(values)) @ vectors.T @ inverse_half
    return (bridge + bridge.T) / 2


class Run(NamedTuple):
    """Draws of x ``(chain, draw, dim)``, the `STATISTICS` of each, leapfrogs of the warm-up."""

    draws: np.ndarray
    stats: dict[str, np.ndarray]
    warmup_steps: int


def sample(
    program: Callable[..., tuple[Chain, dict[str, jax.Array]]],
    evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]],
    numbers: Sequence[jax.Array],
    coordinates: Coordinates,
    settings: Settings,
    seed: int,
) -> Run:
    """Warm up, then draw; Ctrl-C ends it and keeps the draws so far.

    Parameters
    ----------
    program : callable
        What `advance_with` writes, compiled.
    evaluate : callable
        ``x -> log density, gradient``.
    numbers : sequence of array
        The arguments of the density.
    coordinates : Coordinates
        In which to start.
    settings : Settings
        Its draws, tune, chains, target_accept and progress.
    seed : int

    Raises
    ------
    KeyboardInterrupt
        When it was stopped before the first draw after tuning.
    BayesCausalError
        When the density is not finite anywhere near the mode.
    """
    rng = np.random.default_rng(seed)
    # Split by numpy: JAX would compile a program to split a key, and one to take the parts.
    keys = [jax.random.key(k) for k in np.random.SeedSequence(seed).generate_state(settings.chains)]
    chains = [_start(evaluate, coordinates, rng) for _ in keys]
    kept: list[_Block] = []
    warmup_steps = 0
    *learning, last = windows(settings.tune)
    with _bar(settings) as moved, ThreadPoolExecutor(min(settings.chains, cores())) as pool:
        walk = _Walk(program, numbers, coordinates, chains, keys, settings, pool)
        try:
            for length in learning:
                window = joined([moved(block) for block in walk.blocks(length, tuning=True)])
                warmup_steps += int(window["n_steps"].sum())
                walk.share_step()
                walk.learn(*(window[name][:, length // 3 :] for name in ("position", "slope")))
            for block in walk.blocks(last, tuning=True):
                warmup_steps += int(moved(block)["n_steps"].sum())
            walk.share_step()
            for block in walk.blocks(settings.draws, tuning=False):
                del block["slope"]
                kept.append(moved(block))
        except KeyboardInterrupt:
            if not kept:
                raise KeyboardInterrupt(TOO_EARLY) from None
    record = joined(kept)
    stats = {name: record[name] for name in STATISTICS}
    stats["reached_max_treedepth"] = stats["tree_depth"] == _DEEPEST
    return Run(walk.coordinates.natural(record["position"]), stats, warmup_steps)


def cores() -> int:
    """Return how many chains can run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


type _Block = dict[str, np.ndarray]


def joined(blocks: Sequence[_Block]) -> _Block:
    """Join blocks of draws, ``(chain, draw, ...)``."""
    return {k: np.concatenate([b[k] for b in blocks], axis=1) for k in blocks[0]}


@dataclass
class _Walk:
    """Where the chains are, and in which coordinates: what changes from one block to the next."""

    program: Callable[..., tuple[Chain, dict[str, jax.Array]]]
    numbers: Sequence[jax.Array]
    coordinates: Coordinates
    chains: list[Chain]
    keys: list[jax.Array]
    settings: Settings
    pool: ThreadPoolExecutor
    past: int = 0
    pace: int = 1

    def blocks(self, length: int, *, tuning: bool) -> Iterator[_Block]:
        """Advance in blocks of draws that take about as long as Ctrl-C may have to wait."""
        while length:
            draws, start = min(length, self.pace), time.perf_counter()
            schedule = self.past, draws, tuning, self.settings.target_accept

            def advance(chain: Chain, key: jax.Array, schedule: tuple = schedule) -> tuple:
                chain, record = self.program(chain, *self.coordinates, self.numbers, key, *schedule)
                block = {name: np.asarray(values) for name, values in record.items()}
                return chain, {name: values[: schedule[1]] for name, values in block.items()}

            self.chains, blocks = map(
                list, zip(*self.pool.map(advance, self.chains, self.keys), strict=True)
            )
            seconds = max(time.perf_counter() - start, 1e-6)
            self.pace = int(np.clip(draws * _PATIENCE / seconds, 1, BLOCK))
            self.past += draws
            length -= draws
            yield {name: np.stack([block[name] for block in blocks]) for name in blocks[0]}

    def share_step(self) -> None:
        """Give all chains one step size, the geometric mean of theirs, from which to go on."""
        mean = np.mean([chain.averaging.log_x_avg for chain in self.chains])
        step = first_step(float(np.exp(mean)))
        self.chains = [chain._replace(averaging=step) for chain in self.chains]

    def learn(self, position: np.ndarray, slope: np.ndarray) -> None:
        """Take new coordinates from draws and slopes of all chains, ``(chain, draw, dim)``."""
        mean, root = learned(*(v.reshape(-1, v.shape[-1]) for v in (position, slope)))
        self.coordinates = self.coordinates.moved_to(mean, root)
        self.chains = [chain.moved_to(mean, root) for chain in self.chains]


def _start(
    evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]],
    coordinates: Coordinates,
    rng: np.random.Generator,
) -> Chain:
    """Begin wider than the posterior; nearer to the mode where the density is not finite there."""
    center, scale = coordinates
    z = rng.normal(0, _OVERDISPERSION, len(center))
    for nearer in 0.5 ** np.arange(_ATTEMPTS):
        value, gradient = evaluate(center + scale @ (nearer * z))
        if np.isfinite(value) and np.isfinite(gradient).all():
            return Chain(nearer * z, np.float64(value), scale.T @ gradient, first_step())
    raise BayesCausalError(NOT_FINITE)


@contextmanager
def _bar(settings: Settings) -> Iterator[Callable[[_Block], _Block]]:
    """Show a bar, if it is wanted, that moves by the draws of each block that passes through.

    It is written to the standard error, by a console of its own: fits may run beside each other.
    """
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not settings.progress) as progress:
        task = progress.add_task("Sampling", total=settings.tune + settings.draws)

        def moved(block: _Block) -> _Block:
            progress.advance(task, block["lp"].shape[1])
            return block

        yield moved
