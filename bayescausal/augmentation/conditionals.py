"""Estimators of a node given its pillow: kernels, nearest neighbors, residual bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bayescausal import checks
from bayescausal.augmentation import donor_draw
from bayescausal.augmentation.bandwidths import likelihood_bandwidths
from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.donors import Conditional, Donors, ParentValues
from bayescausal.augmentation.kernel_loop import draw_nearby
from bayescausal.augmentation.kernels import (
    CONSTANTS,
    KERNELS,
    Rule,
    aitchison_aitken,
    log_kernel,
    most_alike_rows,
    nearest_rows,
    rule_of_thumb,
    spread_of,
)
from bayescausal.augmentation.regression import Mean, fit_mean
from bayescausal.errors import SpecError

TABLE_CELLS = 4_000_000
"""Parents x rows x rows above which kernels are evaluated as needed, not tabulated: 32 MB."""


@dataclass(frozen=True)
class NadarayaWatson(Conditional):
    """Donors are weighted by a kernel of the distance between their parents and the given ones.

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
    >>> fitted.probabilities([ParentValues(np.array([[4.9]]))]).round(2)
    array([[0., 0., 1.]])
    """

    bandwidth: Rule | float = "silverman"
    kernel: str = "gaussian"
    temperature: float = 1.0
    mismatch: float | None = 0.0

    def __post_init__(self) -> None:
        checks.name("kernel", self.kernel, KERNELS)
        sizes = {"temperature": self.temperature}
        if isinstance(self.bandwidth, str):
            checks.name("bandwidth", self.bandwidth, (*CONSTANTS, "likelihood"))
        else:
            sizes["bandwidth"] = self.bandwidth
        if self.bandwidth == "likelihood" and self.kernel != "gaussian":
            raise SpecError("bandwidth='likelihood' needs kernel='gaussian', which has a gradient.")
        for label, size in sizes.items():
            if checks.number(label, size) <= 0:
                raise SpecError(f"{label} is a positive number; got {size!r}.")
        if self.mismatch is not None and not 0 <= checks.number("mismatch", self.mismatch) <= 1:
            raise SpecError(
                f"mismatch lies between 0 (identity) and 1 (categories play no part), or is None; "
                f"got {self.mismatch!r}."
            )

    def bind(self, parents: tuple[Block, ...], child: Block) -> KernelDonors:
        """Choose the bandwidths of the parents."""
        if self.bandwidth == "likelihood":
            widths = likelihood_bandwidths(parents, child)
        else:
            widths = [self._width(parent) for parent in parents]
        return KernelDonors(parents, child, self, tuple(w * self.temperature for w in widths))

    def _width(self, parent: Block) -> np.ndarray:
        if isinstance(self.bandwidth, str):
            return rule_of_thumb(parent.values, self.bandwidth)
        return self.bandwidth * spread_of(parent)

    def mismatch_of(self, parent: Block) -> float:
        """Return the kernel of two different categories of a parent."""
        if self.mismatch is not None or parent.divides:
            return 0.0 if parent.divides else float(self.mismatch or 0.0)
        return aitchison_aitken(len(parent.levels or ()), len(parent.values))


@dataclass(frozen=True, eq=False)
class KernelDonors(Donors):
    """A fitted `NadarayaWatson`: donors weighted by kernels at fixed bandwidths, by parent."""

    setting: NadarayaWatson
    bandwidths: tuple[np.ndarray, ...]
    engine: donor_draw.Engine = "numpy"

    @cached_property
    def tables(self) -> np.ndarray:
        """The log kernels of all pairs of rows, by parent."""
        return np.stack([self._score(p, q.values) for p, q in enumerate(self.parents)])

    @cached_property
    def reaches(self) -> bool:
        """Whether every row can donate to every other, so that no kernel is zero."""
        return bool(np.isfinite(self.tables).all())

    @property
    def tabulated(self) -> bool:
        """Whether the tables are small enough to be built."""
        return len(self.parents) * len(self.child.values) ** 2 <= TABLE_CELLS

    def draw(
        self, parent_values: Sequence[ParentValues], rows: np.ndarray, u: np.ndarray
    ) -> np.ndarray:
        """Draw donors; where rows are many, in one loop without an array of all weights."""
        is_large = not self.tabulated and len(rows) == len(parent_values[0].values)
        is_gaussian = self.setting.kernel == "gaussian"
        if not (is_large and is_gaussian) or any(p.discrete for p in self.parents):
            return super().draw(parent_values, rows, u)
        widths = np.concatenate(self.bandwidths)
        donor_points = np.concatenate([p.values for p in self.parents], axis=1) / widths
        points = np.concatenate([z.values for z in parent_values], axis=1) / widths
        return draw_nearby(points[rows], donor_points, u)

    def probabilities(self, parent_values: Sequence[ParentValues]) -> np.ndarray:
        """Return the kernel weights of all donors, from tables where all parents were observed.

        A row that no donor is like, such as a pair of categories that was not seen, has the
        donors with most categories equal, and out of a kernel's reach the nearest one.
        """
        rows = [z.rows for z in parent_values if z.rows is not None]
        if self.tabulated and len(rows) == len(parent_values):
            if self.reaches:
                return donor_draw.probabilities(self.tables, np.stack(rows, axis=1), self.engine)
            scores = (table[index] for table, index in zip(self.tables, rows, strict=True))
        else:
            scores = (self._score(p, z.values) for p, z in enumerate(parent_values))
        score = sum(scores)
        orphans = ~(score > -np.inf).any(axis=1)
        if orphans.any():
            score[orphans] = self._fallback_scores([z.values[orphans] for z in parent_values])
        return donor_draw.softmax(score)

    def using(self, engine: donor_draw.Engine) -> Donors:
        """Return the same weights from tables, summed by another engine."""
        return replace(self, engine=engine)

    def _score(self, p: int, values: np.ndarray) -> Any:
        parent, mismatch = self.parents[p], self.setting.mismatch_of(self.parents[p])
        return log_kernel(parent, values, self.bandwidths[p], self.setting.kernel, mismatch)

    def _fallback_scores(self, values: list[np.ndarray]) -> np.ndarray:
        """Score the rows with most categories equal, or else the nearest ones."""
        score = np.where(most_alike_rows(self.parents, values), 0.0, -np.inf)
        for p, (parent, z) in enumerate(zip(self.parents, values, strict=True)):
            if not parent.discrete:
                score += self._score(p, z)
        orphans = ~(score > -np.inf).any(axis=1)
        is_nearest = nearest_rows(self.parents, [z[orphans] for z in values])
        score[orphans] = np.where(is_nearest, 0.0, -np.inf)
        return score


@dataclass(frozen=True)
class KNearest(Conditional):
    """The k rows with the nearest parents donate with equal probability.

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

    def bind(self, parents: tuple[Block, ...], child: Block) -> NearestDonors:
        """Fix the number of donors."""
        rows = len(child.values)
        if self.k is not None and self.k > rows:
            raise SpecError(
                f"k={self.k} rows are to donate and there are {rows}, so '{child.name}' would not "
                f"depend on its parents. Take fewer; by default it is {round(np.sqrt(rows))}."
            )
        return NearestDonors(parents, child, round(np.sqrt(rows)) if self.k is None else self.k)


@dataclass(frozen=True, eq=False)
class NearestDonors(Donors):
    """A fitted `KNearest`: the ``k`` nearest rows donate."""

    k: int

    def probabilities(self, parent_values: Sequence[ParentValues]) -> np.ndarray:
        """Return 1/k for the nearest rows; rows that tie with the k-th share what is left."""
        similarity = np.zeros((len(parent_values[0].values), len(self.child.values)))
        for parent, z in zip(self.parents, parent_values, strict=True):
            # At this width the Gaussian log kernel is minus the squared distance in deviations.
            width = spread_of(parent) / np.sqrt(2)
            unlike = 0.0 if parent.divides else np.exp(-1.0)
            similarity += log_kernel(parent, z.values, width, "gaussian", unlike)
        kth = -np.partition(-similarity, self.k - 1, axis=1)[:, self.k - 1, None]
        is_nearer, is_tied = similarity > kth, similarity == kth
        places = self.k - is_nearer.sum(axis=1, keepdims=True)
        return (is_nearer + is_tied * places / is_tied.sum(axis=1, keepdims=True)) / self.k


@dataclass(frozen=True)
class ResidualBootstrap(Conditional):
    """Values are a regression on the parents plus the residual of a random row.

        value = m(z) + r_k,    r_k = (x_k - m(x_k,parents)) sqrt(n / (n - p))

    The recommended default for a continuous node: the slope of its values is the slope that was
    fitted, so effects are not attenuated. The mean is linear, plus nonlinear terms (curves,
    products of two parents) as far as generalized cross-validation finds them in the rows; a term
    that few rows show is drawn toward zero, and so is what rests on it. It needs errors that add to
    the mean; `local` lets their spread depend on the parents.

    Parameters
    ----------
    knots : int
        Inner knots of the curve in each parent; 0 for none.
    products : bool
        Whether parents may reinforce each other. ``ResidualBootstrap(knots=0, products=False)``
        is linear.
    local : bool
        Take residuals from rows with like parents (kernel weights), not from all alike.

    Notes
    -----
    See `fit_mean`. With many features for the rows it is linear, with a ridge penalty. Source:
    Gajewski, Xiao and Mazaheri (2026), causal-residual bootstrapping.
    """

    knots: int = 3
    products: bool = True
    local: bool = False

    def __post_init__(self) -> None:
        if type(self.knots) is not int or self.knots < 0:
            raise SpecError(f"knots is a number of inner knots, 0, 1, ...; got {self.knots!r}.")

    def bind(self, parents: tuple[Block, ...], child: Block) -> ResidualDonors:
        """Fit the regression."""
        require_scalar(child)
        kernels = NadarayaWatson(mismatch=None).bind(parents, child) if self.local else None
        mean = fit_mean(parents, child, self.knots, self.products)
        return ResidualDonors(parents, child, mean, mean.residuals, kernels)


@dataclass(frozen=True, eq=False)
class ResidualDonors(Donors):
    """A fitted `ResidualBootstrap`: a mean and the residuals around it."""

    mean: Mean
    residuals: np.ndarray
    kernels: Donors | None = None

    @property
    def moves(self) -> bool:
        """True: a mean plus a residual is a value that was not observed."""
        return True

    @property
    def alike(self) -> bool:
        """Whether residuals of all rows are equally likely, as they are unless local."""
        return self.kernels is None

    def probabilities(self, parent_values: Sequence[ParentValues]) -> np.ndarray:
        """Return equal probabilities, or kernel weights where residuals are local."""
        if self.kernels is None:
            return super().probabilities(parent_values)
        return self.kernels.probabilities(parent_values)

    def donate(self, donor: np.ndarray, parent_values: Sequence[ParentValues]) -> np.ndarray:
        """Return the mean at the given parents plus the donor's residual."""
        fitted = self.mean.predict([g.values for g in parent_values])
        return (fitted + self.residuals[donor])[:, None]


def require_scalar(child: Block) -> None:
    """Refuse a node that is no single continuous number: its values cannot be shifted."""
    if child.scalar:
        return
    problem = "has several columns" if child.values.shape[1] > 1 else "is only taken as observed"
    raise SpecError(
        f"'{child.name}' {'is a category' if child.discrete else problem}, so there is no residual "
        f"to add to a mean. Use NadarayaWatson(): conditional={{'{child.name}': NadarayaWatson()}}."
    )


def default_conditional(parents: Sequence[Block], child: Block) -> Conditional:
    """Choose `ResidualBootstrap` for one continuous number, else `NadarayaWatson`.

    A root of a panel, whose only parent is the unit, takes the values of its unit as they are.
    """
    is_root = all(parent.divides for parent in parents)
    return ResidualBootstrap() if child.scalar and not is_root else NadarayaWatson()
