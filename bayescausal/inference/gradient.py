"""Derivatives of what is computed from equations, by JAX: one compiled function for many draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bayescausal._types import Array
from bayescausal.inference.compilation_cache import keep_compiled
from bayescausal.inference.compile import require_jax, switch_jax
from bayescausal.model.scm import SCM, Equations

type Pullback = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From a point and weights of draws to values by draw and the slope of their weighted sum."""


def differentiated(
    function: Callable[[Equations, Array], Array], scm: SCM
) -> Callable[[Equations], Pullback]:
    """Return what binds draws to a function and its derivative.

        values_d = f_d(x),    slope = d sum_d w_d f_d(x) / dx

    Reverse mode: the derivative by hundreds of elements costs about as much as the value. The
    equations are those of numpy, evaluated over ``jax.numpy``. It is compiled when it first meets
    a number of draws, which takes a second or more.

    Parameters
    ----------
    function : callable
        ``(equations, x) -> (draw,)``, written over ``equations.xp``.
    scm : SCM
        Of all equations that it will be called with.

    Returns
    -------
    callable
        ``equations -> ((x, weights) -> (values, slope))``; equations of as many draws share what is
        compiled.

    Raises
    ------
    BayesCausalError
        In a process that was forked from one in which JAX had run.
    """
    require_jax()
    switch_jax()
    keep_compiled()

    @jax.jit
    def compiled(x: jax.Array, weights: jax.Array, parts: Any) -> tuple[jax.Array, jax.Array]:
        theta, factual, edges = parts
        equations = Equations(scm, theta, factual, edges, jnp)
        values, back = jax.vjp(
            lambda point: jnp.broadcast_to(function(equations, point), weights.shape), x
        )
        return values, back(weights)[0]

    def bound(equations: Equations) -> Pullback:
        parts = (equations.theta, dict(equations.x), dict(equations.edges))
        on_device = jax.device_put(parts)

        def evaluated(x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            values, slope = compiled(x, weights, on_device)
            return np.asarray(values), np.asarray(slope)

        return evaluated

    return bound
