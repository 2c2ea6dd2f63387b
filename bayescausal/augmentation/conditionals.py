"""Conditional distributions of a node given its Markov pillow, as strategies.

Every one of them lends what was observed: given the values of the parents, each observed row is a
donor with some probability. A `Conditional` is a setting; `fit` binds it to data and gives a
`Donors`. To write one, subclass both: `Donors.probabilities` says who donates, and
`Donors.donate` what, by default the donor's own value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from bayescausal.augmentation import steps
from bayescausal.augmentation.bandwidths import likelihood_bandwidths
from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.kernels import (
    CONSTANTS,
    KERNELS,
    Rule,
    aitchison_aitken,
    log_kernel,
    rule_of_thumb,
)
from bayescausal.augmentation.regression import fit_mean
from bayescausal.errors import SpecError, did_you_mean

TABLE_ROWS = 2_000
"""Rows above which kernels are evaluated as they are needed, not tabulated for all pairs."""


class Given(NamedTuple):
    """A parent's values in some rows, and the observed rows they are from.

    ``rows`` is None when the values were made, not observed.
    """

    values: np.ndarray
    rows: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Donors:
    """A conditional distribution, fitted: who donates given the parents, and what.

    Parameters
    ----------
    parents : tuple of Block
        The node's pillow, sorted by name; at least one.
    own : Block
        The node.
    """

    parents: tuple[Block, ...]
    own: Block

    moves = False
    """Whether values are made that were not observed."""

    def probabilities(self, given: Sequence[Given]) -> np.ndarray:
        """Return the probability of each donor, shape ``(given, row)``; each row adds up to 1.

        Parameters
        ----------
        given : sequence of Given
            Values of the parents, in their order.
        """
        return np.full((len(given[0].values), len(self.own.values)), 1 / len(self.own.values))

    def donate(self, donor: np.ndarray, given: Sequence[Given]) -> np.ndarray:
        """Return what the donors give, shape ``(given, column)``: their own observed values."""
        return self.own.values[donor]


@dataclass(frozen=True)
class Conditional:
    """A way to estimate a conditional distribution."""

    def fit(self, parents: Sequence[Block], own: Block) -> Donors:
        """Bind to the observed rows."""
        raise NotImplementedError


@dataclass(frozen=True)
class NadarayaWatson(Conditional):
    """Donors in proportion to the kernel of the distance between parents.

        P(k | z) = prod_p K_p(z_p - x_kp) / sum_l prod_p K_p(z_p - x_lp)

    It is the estimator of the published method. It attenuates: a donor's parents are not z but up
    to a bandwidth h away, so slopes shrink by about s^2 / (s^2 + h^2), which biases effects toward
    zero by ten percent and more at marketing size. Use it for categories and windows, and
    `ResidualBootstrap` for a continuous node.

    Parameters
    ----------
    bandwidth : {"silverman", "scott", "likelihood"} or float
        A rule, the leave-one-out likelihood, or one number in units of each parent's standard
        deviation.
    kernel : str
        Of continuous parents: one of `KERNELS`.
    temperature : float
        Factor of the bandwidth. The papers' runs had 0.001, which copies rows.
    mismatch : float or None
        Kernel of different categories relative to equal ones: 0 is the identity kernel, None the
        one of Aitchison and Aitken.

    Examples
    --------
    >>> x = Block("x", ("x",), np.array([[0.0], [1.0], [5.0]]))
    >>> fitted = NadarayaWatson(bandwidth=0.1).fit([x], x)
    >>> fitted.probabilities([Given(np.array([[4.9]]))]).round(2)
    array([[0., 0., 1.]])
    """

    bandwidth: Rule | float = "silverman"
    kernel: str = "gaussian"
    temperature: float = 1.0
    mismatch: float | None = 0.0

    def __post_init__(self) -> None:
        rules = (*CONSTANTS, "likelihood")
        if isinstance(self.bandwidth, str) and self.bandwidth not in rules:
            raise SpecError(
                f"bandwidth is {', '.join(rules)} or a number; got {self.bandwidth!r}."
                f"{did_you_mean(self.bandwidth, rules)}"
            )
        if self.kernel not in KERNELS:
            raise SpecError(
                f"kernel is one of {', '.join(KERNELS)}; got {self.kernel!r}."
                f"{did_you_mean(self.kernel, KERNELS)}"
            )
        sizes = [self.temperature, *([] if isinstance(self.bandwidth, str) else [self.bandwidth])]
        if not all(np.isfinite(size) and size > 0 for size in sizes):
            raise SpecError(f"A bandwidth and its temperature are positive; got {self!r}.")
        if self.mismatch is not None and not 0 <= self.mismatch <= 1:
            raise SpecError(
                f"mismatch lies between 0 (identity) and 1 (categories play no part), or is None; "
                f"got {self.mismatch!r}."
            )

    def fit(self, parents: Sequence[Block], own: Block) -> Donors:
        """Choose the bandwidths of the parents."""
        if self.bandwidth == "likelihood":
            widths = likelihood_bandwidths(parents, own, self.kernel)
        else:
            widths = [self._width(parent) for parent in parents]
        return KernelDonors(tuple(parents), own, self, tuple(w * self.temperature for w in widths))

    def _width(self, parent: Block) -> np.ndarray:
        if isinstance(self.bandwidth, str):
            return rule_of_thumb(parent.values, self.bandwidth)
        spread = parent.values.std(axis=0, ddof=1)
        return self.bandwidth * np.where(spread > 0, spread, 1.0)

    def mismatch_of(self, parent: Block) -> float:
        """Kernel of two different categories of a parent."""
        if self.mismatch is not None:
            return self.mismatch
        return aitchison_aitken(len(parent.levels or ()), len(parent.values))


@dataclass(frozen=True, eq=False)
class KernelDonors(Donors):
    """Nadaraya-Watson at fixed bandwidths.

    Parameters
    ----------
    how : NadarayaWatson
    bandwidths : tuple of array, shape (column,)
        By parent.
    engine : {"auto", "numpy", "pytensor"}
    """

    how: NadarayaWatson
    bandwidths: tuple[np.ndarray, ...]
    engine: steps.Engine = "auto"

    @cached_property
    def tables(self) -> np.ndarray:
        """Log kernel of every pair of rows, by parent."""
        return np.stack([self._score(p, q.values) for p, q in enumerate(self.parents)])

    def probabilities(self, given: Sequence[Given]) -> np.ndarray:
        """Kernel weights of all donors; from tables where the parents' values were observed."""
        rows = [at.rows for at in given if at.rows is not None]
        tabulated = len(self.own.values) <= TABLE_ROWS and len(rows) == len(given)
        if tabulated and np.isfinite(self.tables).all():
            return steps.probabilities(self.tables, np.stack(rows, axis=1), self.engine)
        score = sum(self._score(p, at.values) for p, at in enumerate(given))
        lost = ~(score > -np.inf).any(axis=1)
        chosen = steps.normalized(score)
        return self._mend(chosen, given, lost) if lost.any() else chosen

    def _score(self, p: int, values: np.ndarray, kernel: str = "", mismatch: Any = None) -> Any:
        parent = self.parents[p]
        other = self.how.mismatch_of(parent) if mismatch is None else mismatch
        kind = kernel or self.how.kernel
        return log_kernel(parent, values, self.bandwidths[p], kind, other)

    def _mend(self, chosen: np.ndarray, given: Sequence[Given], lost: np.ndarray) -> np.ndarray:
        """Give the rows that no donor is like the nearest one: most categories equal, then near."""
        near = sum(self._score(p, g.values[lost], "gaussian", 1e-300) for p, g in enumerate(given))
        chosen[lost] = steps.normalized(near)
        return chosen


@dataclass(frozen=True)
class KNearest(Conditional):
    """The k rows with the nearest parents donate, all alike.

        d^2(z, x_k) = sum over columns of (z - x_k)^2 / sd^2,  + 1 for each category that differs

    It adapts to how dense the data are, and attenuates as kernels do.

    Parameters
    ----------
    k : int, optional
        By default the square root of the number of rows.
    """

    k: int | None = None

    def __post_init__(self) -> None:
        if self.k is not None and (type(self.k) is not int or self.k < 1):
            raise SpecError(f"k is a number of rows, 1, 2, ...; got {self.k!r}.")

    def fit(self, parents: Sequence[Block], own: Block) -> Donors:
        """Fix the number of donors and the scale of each parent."""
        rows = len(own.values)
        k = min(rows, round(np.sqrt(rows)) if self.k is None else self.k)
        return NearestDonors(tuple(parents), own, k)


@dataclass(frozen=True, eq=False)
class NearestDonors(Donors):
    """The ``k`` nearest rows."""

    k: int

    def probabilities(self, given: Sequence[Given]) -> np.ndarray:
        """One over k for the nearest; rows that tie with the last of them share its part."""
        near = np.zeros((len(given[0].values), len(self.own.values)))
        for parent, at in zip(self.parents, given, strict=True):
            spread = parent.values.std(axis=0, ddof=1)
            width = np.where(spread > 0, spread, 1.0) / np.sqrt(2)
            near += log_kernel(parent, at.values, width, "gaussian", np.exp(-1.0))
        last = -np.partition(-near, self.k - 1, axis=1)[:, self.k - 1, None]
        inside, edge = near > last, near == last
        left = self.k - inside.sum(axis=1, keepdims=True)
        return (inside + edge * left / edge.sum(axis=1, keepdims=True)) / self.k


@dataclass(frozen=True)
class ResidualBootstrap(Conditional):
    """A regression on the parents, plus the residual of a random row.

        value = m(z) + r_k,    r_k = (x_k - m(x_k,parents)) sqrt(n / (n - p))

    The recommended default for a continuous node: the slope of what it makes is the slope that was
    fitted, so effects are not attenuated. It needs errors that add to the mean; `local` lets
    their spread depend on the parents. It says no more of a curve than the regression does.

    Parameters
    ----------
    knots : int
        Inner knots of a natural cubic spline in each continuous parent; 0 is linear.
    local : bool
        Take residuals from rows with like parents (kernel weights), not from all alike.

    Notes
    -----
    With many features for the rows, a ridge penalty is chosen by generalized cross-validation.
    Source: Gajewski, Xiao and Mazaheri (2026), causal-residual bootstrapping.
    """

    knots: int = 0
    local: bool = False

    def __post_init__(self) -> None:
        if type(self.knots) is not int or self.knots < 0:
            raise SpecError(f"knots is a number of inner knots, 0, 1, ...; got {self.knots!r}.")

    def fit(self, parents: Sequence[Block], own: Block) -> Donors:
        """Fit the regression."""
        if not own.scalar:
            raise SpecError(
                f"'{own.name}' is a category or has {len(own.columns)} columns, which have no "
                "residual. Use NadarayaWatson() for it."
            )
        near = NadarayaWatson(mismatch=None).fit(parents, own) if self.local else None
        mean = fit_mean(parents, own, self.knots)
        return ResidualDonors(tuple(parents), own, mean, mean.residuals, near)


@dataclass(frozen=True, eq=False)
class ResidualDonors(Donors):
    """A fitted mean and its residuals."""

    mean: Any
    residuals: np.ndarray
    near: Donors | None = field(default=None)

    moves = True

    def probabilities(self, given: Sequence[Given]) -> np.ndarray:
        """Every row alike, or rows with like parents."""
        return super().probabilities(given) if self.near is None else self.near.probabilities(given)

    def donate(self, donor: np.ndarray, given: Sequence[Given]) -> np.ndarray:
        """The mean at the given parents plus the donor's residual."""
        fitted = self.mean.predict([g.values for g in given])
        return (fitted + self.residuals[donor])[:, None]


def by_default(parents: Sequence[Block], own: Block) -> Conditional:
    """Choose `ResidualBootstrap` for one continuous number, else `NadarayaWatson`."""
    return ResidualBootstrap() if own.scalar else NadarayaWatson()
