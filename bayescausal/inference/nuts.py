"""NUTS on all chains at once: one XLA program, and no Python between two leapfrogs.

The step of NUTS is blackjax's. Here it is mapped over chains, repeated for some draws, and told
how long a step is: chains share the step size and the coordinates, so that each window of the
warm-up learns from all of them. Python is called between blocks of draws only, where Ctrl-C is
heard and the bar moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from blackjax.mcmc.hmc import HMCState
from blackjax.mcmc.nuts import build_kernel
from blackjax.optimizers.dual_averaging import DualAveragingState, dual_averaging
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bayescausal.errors import BayesCausalError
from bayescausal.inference.settings import Settings

BLOCK = 50
"""The most draws of one call: its buffers have this length."""

STATISTICS = ("lp", "energy", "diverging", "n_steps", "tree_depth", "acceptance_rate", "step_size")

TOO_EARLY = "Sampling was stopped before the first draw after tuning."

_AVERAGING = dual_averaging(t0=10, gamma=0.05, kappa=0.75)
_FIRST_STEP = 0.3
_DEEPEST = 10
_OVERDISPERSION, _ATTEMPTS = 1.5, 8
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


class Chains(NamedTuple):
    """Where all chains are: ``position`` and ``slope`` ``(chain, dim)``, ``value`` ``(chain,)``.

    ``averaging`` is the state of the step size that they share.
    """

    position: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    averaging: DualAveragingState

    def moved_to(self, mean: np.ndarray, root: np.ndarray) -> Chains:
        """Return the same points as ``z' = root^-1 (z - mean)``; the step size starts anew."""
        position = np.linalg.solve(root, (np.asarray(self.position) - mean).T).T
        step = float(np.exp(self.averaging.log_x_avg))
        return Chains(position, self.value, np.asarray(self.slope) @ root, first_step(step))


def first_step(size: float = _FIRST_STEP) -> DualAveragingState:
    """Begin to average the step size, from a guess."""
    state = _AVERAGING[0](size)
    return DualAveragingState(*(np.float64(value) for value in state))


def advance_with(density: LogDensity) -> Callable[..., tuple[Chains, dict[str, jax.Array]]]:
    """Write the program that advances all chains by some draws.

    Parameters
    ----------
    density : callable
        ``(x, numbers) -> log density``.

    Returns
    -------
    callable
        ``(chains, center, scale, numbers, key, draws, tuning, target) -> chains, record``: at most
        `BLOCK` draws, with the step size tuned to the target acceptance or held. ``record`` has the
        positions ``(BLOCK, chain, dim)`` and the `STATISTICS` ``(BLOCK, chain)``.
    """
    kernel = build_kernel()
    update = _AVERAGING[1]

    def advance(
        chains: Chains,
        center: jax.Array,
        scale: jax.Array,
        numbers: Sequence[jax.Array],
        key: jax.Array,
        draws: jax.Array,
        tuning: jax.Array,
        target: jax.Array,
    ) -> tuple[Chains, dict[str, jax.Array]]:
        count, dim = chains.position.shape

        def whitened(z: jax.Array) -> jax.Array:
            return density(center + scale @ z, numbers)

        def draw(index: jax.Array, state: tuple) -> tuple:
            now, averaging, record = state
            step = jnp.exp(jnp.where(tuning, averaging.log_x, averaging.log_x_avg))
            keys = jax.random.split(jax.random.fold_in(key, index), count)

            def one(key: jax.Array, state: HMCState) -> tuple:
                return kernel(key, state, whitened, step, jnp.ones(dim), _DEEPEST)

            now, info = jax.vmap(one)(keys, now)
            rate = jnp.where(jnp.isfinite(info.acceptance_rate), info.acceptance_rate, 0.0)
            tuned = update(averaging, target - rate.mean())
            averaging = jax.tree.map(lambda new, old: jnp.where(tuning, new, old), tuned, averaging)
            values = {
                "position": now.position,
                "lp": now.logdensity,
                "energy": info.energy,
                "diverging": info.is_divergent,
                "n_steps": info.num_integration_steps,
                "tree_depth": info.num_trajectory_expansions,
                "acceptance_rate": rate,
                "step_size": jnp.full(count, step),
            }
            record = {name: record[name].at[index].set(values[name]) for name in record}
            return now, averaging, record

        kinds = {"diverging": bool, "n_steps": int, "tree_depth": int}
        record = {k: jnp.zeros((BLOCK, count), kinds.get(k, float)) for k in STATISTICS}
        record["position"] = jnp.zeros((BLOCK, count, dim))
        start = HMCState(chains.position, chains.value, chains.slope)
        averaging = DualAveragingState(*map(jnp.asarray, chains.averaging))
        now, averaging, record = jax.lax.fori_loop(0, draws, draw, (start, averaging, record))
        return Chains(now.position, now.logdensity, now.logdensity_grad, averaging), record

    return advance


def windows(tune: int) -> list[int]:
    """Split the warm-up: after each window but the last the coordinates are learned anew.

    The last one fits the step size to coordinates that no longer change.
    """
    parts = [round(tune * share) for share in (0.15, 0.2, 0.4)] if tune >= 20 else []
    return [*parts, tune - sum(parts)]


def learned(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean, and Cholesky factor of the covariance, of draws ``(number, dim)``: both shrunk.

    The coordinates so far are the prior belief: with few draws for each dimension little changes.
    """
    number, dim = z.shape
    effective = number / 4  # draws of a chain are correlated while it warms up
    weight = effective / (effective + dim + 5)
    covariance = weight * np.cov(z, rowvar=False).reshape(dim, dim) + (1 - weight) * np.eye(dim)
    return weight * z.mean(axis=0), np.linalg.cholesky(covariance)


class Run(NamedTuple):
    """Draws of x ``(chain, draw, dim)``, the `STATISTICS` of each, leapfrogs of the warm-up."""

    draws: np.ndarray
    stats: dict[str, np.ndarray]
    warmup_steps: int


def sample(
    program: Callable[..., tuple[Chains, dict[str, jax.Array]]],
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
    chains = _start(evaluate, coordinates, settings.chains, rng)
    walk = _Walk(program, numbers, coordinates, chains, jax.random.key(seed), settings)
    kept: list[_Block] = []
    warmup_steps = 0
    with _bar(settings) as moved:
        for position, length in enumerate(lengths := windows(settings.tune)):
            window = joined([moved(block) for block in walk.blocks(length, tuning=True)])
            warmup_steps += int(window["n_steps"].sum())
            if position + 1 < len(lengths):
                z = window["position"][:, length // 3 :]
                walk.learn(z.reshape(-1, z.shape[-1]))
        try:
            for block in walk.blocks(settings.draws, tuning=False):
                kept.append(moved(block))
        except KeyboardInterrupt:
            if not kept:
                raise KeyboardInterrupt(TOO_EARLY) from None
    record = joined(kept)
    stats = {name: record[name] for name in STATISTICS}
    stats["reached_max_treedepth"] = stats["tree_depth"] == _DEEPEST
    return Run(walk.coordinates.natural(record["position"]), stats, warmup_steps)


type _Block = dict[str, np.ndarray]


def joined(blocks: Sequence[_Block]) -> _Block:
    """Join blocks of draws, chains first: ``(chain, draw, ...)``."""
    return {k: np.concatenate([b[k] for b in blocks]).swapaxes(0, 1) for k in blocks[0]}


@dataclass
class _Walk:
    """Where the chains are, and in which coordinates: what changes from one block to the next."""

    program: Callable[..., tuple[Chains, dict[str, jax.Array]]]
    numbers: Sequence[jax.Array]
    coordinates: Coordinates
    chains: Chains
    key: jax.Array
    settings: Settings
    pace: int = 1

    def blocks(self, length: int, *, tuning: bool) -> Iterator[_Block]:
        """Advance in blocks of draws that take about as long as Ctrl-C may have to wait."""
        while length:
            draws, start = min(length, self.pace), time.perf_counter()
            self.key, key = jax.random.split(self.key)
            constants = *self.coordinates, self.numbers, key
            self.chains, record = self.program(
                self.chains, *constants, draws, tuning, self.settings.target_accept
            )
            block = {name: np.asarray(values)[:draws] for name, values in record.items()}
            seconds = max(time.perf_counter() - start, 1e-6)
            self.pace = int(np.clip(draws * _PATIENCE / seconds, 1, BLOCK))
            length -= draws
            yield block

    def learn(self, z: np.ndarray) -> None:
        """Take the mean and the covariance of draws ``(number, dim)`` for new coordinates."""
        mean, root = learned(z)
        self.coordinates = self.coordinates.moved_to(mean, root)
        self.chains = self.chains.moved_to(mean, root)


def _start(
    evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]],
    coordinates: Coordinates,
    count: int,
    rng: np.random.Generator,
) -> Chains:
    """Begin wider than the posterior; nearer to the mode where the density is not finite there."""
    center, scale = coordinates
    positions, values, slopes = [], [], []
    for z in rng.normal(0, _OVERDISPERSION, (count, len(center))):
        for nearer in 0.5 ** np.arange(_ATTEMPTS):
            value, gradient = evaluate(center + scale @ (nearer * z))
            if np.isfinite(value) and np.isfinite(gradient).all():
                break
        else:
            raise BayesCausalError(
                "The log density is not finite where chains start, near its mode. A prior may give "
                "no weight to what the data need, or a column may be out of scale: look at "
                "build(spec, data).debug()."
            )
        positions.append(nearer * z)
        values.append(value)
        slopes.append(scale.T @ gradient)
    return Chains(np.array(positions), np.array(values), np.array(slopes), first_step())


@contextmanager
def _bar(settings: Settings) -> Iterator[Callable[[_Block], _Block]]:
    """Show a bar, if it is wanted, that moves by the draws of each block that passes through."""
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, disable=not settings.progress) as progress:
        task = progress.add_task("Sampling", total=settings.tune + settings.draws)

        def moved(block: _Block) -> _Block:
            progress.advance(task, len(block["lp"]))
            return block

        yield moved
