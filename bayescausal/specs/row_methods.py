"""Methods by which augmented rows are sampled, each with the settings that serve it."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Literal, get_args

from bayescausal import checks
from bayescausal.errors import SpecError, did_you_mean, shown

type Uniforms = Literal["latin", "sobol", "independent"]
type Method = Ancestral | Threshold | Reduce

UNIFORMS: tuple[str, ...] = get_args(Uniforms.__value__)


@dataclass(frozen=True)
class Ancestral:
    """Draw rows of equal weight, parents before children. It never comes out empty.

    Parameters
    ----------
    rows : int
        Rows to draw.
    uniforms : {"latin", "sobol", "independent"}
        The uniforms that are turned into rows: a Latin hypercube has one in each of ``rows``
        strata of every node; a scrambled Sobol sequence is even in several nodes at once, best when
        ``rows`` is a power of two.

    Examples
    --------
    >>> Ancestral(rows=4096, uniforms="sobol")
    Ancestral(rows=4096, uniforms='sobol')
    """

    name: ClassVar[str] = "ancestral"
    rows: int = 10_000
    uniforms: Uniforms = "latin"

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", checks.count("rows", self.rows, 1))
        checks.choice("uniforms", self.uniforms, UNIFORMS)


@dataclass(frozen=True)
class Threshold:
    """List every row whose weight is at least ``theta / n``, the published algorithm.

    Parameters
    ----------
    theta : float
        Between 0 and 1, relative to the weight 1/n of one observed row.
    absolute : bool
        Compare with ``theta`` itself, as the papers have it.
    rows : int, optional
        The most rows to return, without limit by default: if there are more, the heaviest, with a
        note of the theta that this amounts to.

    Notes
    -----
    Source: Teshima and Sugiyama (2021), UAI; Poinsot and Leite (2023), arXiv 2304.01237.

    Examples
    --------
    >>> Threshold(theta=0.01)
    Threshold(theta=0.01, absolute=False, rows=None)
    """

    name: ClassVar[str] = "threshold"
    theta: float = 0.001
    absolute: bool = False
    rows: int | None = None

    def __post_init__(self) -> None:
        theta = self.theta
        if isinstance(theta, bool) or not isinstance(theta, Real) or not 0 < theta < 1:
            raise SpecError(
                f"theta lies between 0 and 1, both left out; got {shown(theta)}. It is the weight "
                "of a row relative to that of an observed one, 1/n: try 0.001."
            )
        object.__setattr__(self, "theta", float(theta))
        object.__setattr__(self, "absolute", checks.flag("absolute", self.absolute))
        if self.rows is not None:
            object.__setattr__(self, "rows", checks.count("rows", self.rows, 1))


@dataclass(frozen=True)
class Reduce:
    """Hold a set of distinct weighted rows, resampled without bias at every node.

    Parameters
    ----------
    rows : int
        The most rows to hold.

    Notes
    -----
    Source: Fearnhead and Clifford (2003), JRSS B 65.

    Examples
    --------
    >>> Reduce(rows=500)
    Reduce(rows=500)
    """

    name: ClassVar[str] = "reduce"
    rows: int = 10_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", checks.count("rows", self.rows, 1))


METHODS: dict[str, type[Ancestral | Threshold | Reduce]] = {
    kind.name: kind for kind in (Ancestral, Threshold, Reduce)
}


def as_method(method: Any) -> Method:
    """Return a method; a name stands for that method with its defaults."""
    if isinstance(method, Ancestral | Threshold | Reduce):
        return method
    if isinstance(method, str) and method in METHODS:
        return METHODS[method]()
    raise SpecError(
        f"method is one of {', '.join(METHODS)}, or Ancestral(rows=...), Threshold(theta=...), "
        f"Reduce(rows=...); got {shown(method)}."
        f"{did_you_mean(method, METHODS) if isinstance(method, str) else ''}"
    )
