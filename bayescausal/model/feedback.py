"""Worlds that feed back on themselves: `evolve` repeats `forward` until it agrees with itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytensor

from bayescausal._types import Array, Node, Theta
from bayescausal.model.scm import SCM, Mechanism, forward
from bayescausal.specs.edge import Edge


def evolve(
    scm: SCM,
    theta: Theta,
    x: Mapping[Node, Array],
    edges: Mapping[Edge, Mechanism],
    xp: Any = np,
    *,
    do: Mapping[Node | Edge, Array] | None = None,
    settle: Callable[[Node, Array], Array] | None = None,
    guess: Mapping[Node, Array] | None = None,
    periods: int | None = None,
) -> dict[Node, Array]:
    """Evaluate a world, period by period where it feeds back on itself.

    Without feedback this is `forward`. With it, each round of `forward` settles at least one more
    lag of the cycle, since an effect never precedes its cause; ``periods`` rounds are exact, and
    numbers stop as soon as a round changes nothing.

    Parameters
    ----------
    scm, theta, x, edges, xp, do, settle, guess
        As `forward`; ``settle`` must give the same errors in each round.
    periods : int, optional
        Periods from the first intervention to the last that is counted; all by default.

    Returns
    -------
    dict of node to array
        As `forward`.
    """
    rounds = periods or len(scm.data.time)
    loops = scm.feedback(do or {}, everything=settle is not None)

    def again(last: Mapping[Node, Array] | None) -> dict[Node, Array]:
        return forward(scm, theta, x, edges, xp, do=do, settle=settle, guess=last)

    world = again(guess)
    last = {v: world[v] for v in loops}
    if settle is None and all(last[v] is x[v] for v in loops):
        return world  # there is no cycle, or none was moved
    if xp is np:
        for _ in range(rounds):
            world = again(last)
            if all(np.array_equal(world[v], last[v]) for v in loops):
                break
            last = {v: world[v] for v in loops}
        return world
    return again(_repeated(scm, theta, x, edges, xp, do or {}, last, rounds))


def _repeated(
    scm: SCM,
    theta: Theta,
    x: Mapping[Node, Array],
    edges: Mapping[Edge, Mechanism],
    xp: Any,
    do: Mapping[Node | Edge, Array],
    first: Mapping[Node, Array],
    rounds: int,
) -> dict[Node, Array]:
    """Repeat `forward` as a symbolic loop: one round is compiled, however many are run.

    Everything that a round reads is handed in: what it would only close over, PyMC could not
    replace by values.
    """
    parts = [part for made in edges.values() for part in made]
    given = [xp.as_tensor(v) for v in (*theta.values(), *x.values(), *do.values(), *parts)]
    once = list(dict.fromkeys(given))

    def step(*args: Array) -> list[Array]:
        paths, seen = args[: len(first)], dict(zip(once, args[len(first) :], strict=True))
        rest = (seen[v] for v in given)
        inside = {name: next(rest) for name in theta}
        known = {v: next(rest) for v in x}
        fixed = {key: next(rest) for key in do}
        ways = {e: Mechanism(next(rest), next(rest), next(rest)) for e in edges}
        guess = dict(zip(first, paths, strict=True))
        made = forward(scm, inside, known, ways, xp, do=fixed, guess=guess)
        return [made[v] for v in first]

    paths = pytensor.scan(
        step,
        outputs_info=[*first.values()],
        non_sequences=once,
        n_steps=rounds,
        strict=True,
        return_updates=False,
    )
    several = paths if isinstance(paths, list) else [paths]
    return {v: path[-1] for v, path in zip(first, several, strict=True)}
