"""The distribution of a node's innovations: its density, its draws and its PyMC variable.

A kind of innovations is one class here; every other module asks `innovations` for that of a node.
All densities are of innovations of location zero and scale one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable
from scipy import stats

from bayescausal._types import Array, Node, Theta
from bayescausal.specs.transform import widen


class Innovations(Protocol):
    """What the equations need to know of the distribution of innovations."""

    def draws(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draw standard innovations, draw dims first, then the data dims."""
        ...

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Evaluate the log density of standard innovations."""
        ...

    def distribution(self, mu: Array, sigma: Array) -> TensorVariable:
        """Return the distribution of a value at this location and scale, unregistered."""
        ...

    def variable(self, name: str, mu: Array, sigma: Array, **settings: Any) -> TensorVariable:
        """Make the random variable of a value, inside a model context."""
        ...

    def log_variable(self, name: str, mu: Array, sigma: Array, **settings: Any) -> TensorVariable:
        """Make that of a value whose logarithm has this location and scale."""
        ...


@dataclass(frozen=True)
class NormalInnovations:
    """Normal innovations."""

    def draws(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draw standard innovations, draw dims first, then the data dims."""
        return rng.standard_normal(shape)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Evaluate the log density of standard innovations."""
        return stats.norm.logpdf(z)

    def distribution(self, mu: Array, sigma: Array) -> TensorVariable:
        """Return the distribution of a value at this location and scale, unregistered."""
        return pm.Normal.dist(mu=mu, sigma=sigma)

    def variable(self, name: str, mu: Array, sigma: Array, **settings: Any) -> TensorVariable:
        """Make the random variable of a value, inside a model context."""
        return pm.Normal(name, mu=mu, sigma=sigma, **settings)

    def log_variable(self, name: str, mu: Array, sigma: Array, **settings: Any) -> TensorVariable:
        """Make that of a value whose logarithm has this location and scale."""
        return pm.LogNormal(name, mu=mu, sigma=sigma, **settings)


@dataclass(frozen=True)
class StudentTInnovations:
    """Student-t innovations.

    Parameters
    ----------
    nu : array
        Degrees of freedom, with draw dims or none.
    depth : int
        Number of data dims.
    """

    nu: Array
    depth: int

    def draws(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draw standard innovations, draw dims first, then the data dims."""
        return rng.standard_t(np.broadcast_to(widen(np.asarray(self.nu), self.depth), shape))

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Evaluate the log density of standard innovations."""
        return stats.t.logpdf(z, widen(self.nu, self.depth))

    def distribution(self, mu: Array, sigma: Array) -> TensorVariable:
        """Return the distribution of a value at this location and scale, unregistered."""
        return pm.StudentT.dist(nu=self.nu, mu=mu, sigma=sigma)

    def variable(self, name: str, mu: Array, sigma: Array, **settings: Any) -> TensorVariable:
        """Make the random variable of a value, inside a model context."""
        return pm.StudentT(name, nu=self.nu, mu=mu, sigma=sigma, **settings)

    def log_variable(self, name: str, mu: Array, sigma: Array, **settings: Any) -> TensorVariable:
        """Make that of a value whose logarithm has this location and scale."""
        return pm.CustomDist(name, self.nu, mu, sigma, dist=_log_student_t, **settings)


def _log_student_t(
    nu: TensorVariable, mu: TensorVariable, sigma: TensorVariable, size: TensorVariable
) -> TensorVariable:
    return pt.exp(pm.StudentT.dist(nu=nu, mu=mu, sigma=sigma, size=size))


def innovations(theta: Theta, node: Node, depth: int) -> Innovations:
    """Return the innovations of a node: Student-t where its noise has degrees of freedom.

    Parameters
    ----------
    theta : dict of str to array
        Parameters by name.
    node : str
    depth : int
        Number of data dims, `SCM.depth`.
    """
    nu = theta.get(f"{node}:nu")
    return NormalInnovations() if nu is None else StudentTInnovations(nu, depth)
