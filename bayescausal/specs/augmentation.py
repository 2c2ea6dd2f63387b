"""`Augmentation`: how much a likelihood listens to rows that the graph recombined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bayescausal.errors import SpecError, did_you_mean
from bayescausal.specs.prior import check_keys, number

METHODS = ("ancestral", "threshold", "reduce")
CONDITIONALS = ("residual-bootstrap", "nadaraya-watson", "k-nearest", "local-linear", "forest")


@dataclass(frozen=True)
class Augmentation:
    """Causal data augmentation as a stage before sampling.

        log p = (1 - weight) sum_t l(x_t) + weight n eta sum_i w_i l(z_i),    sum_i w_i = 1

    with x the observed rows and z rows drawn from the Markov factorization. What comes out is a
    weighted-likelihood posterior: the total weight is ``(1 - weight + weight eta) n``, however
    many rows are drawn, so that a pseudo-sample does not narrow an interval by existing. It is not
    new data. A fit that has it also makes the fit without, and shows both.

    Parameters
    ----------
    weight : float
        lambda, between 0 (off) and 1 (augmented rows only).
    eta : float
        What an augmented row is worth in observed ones, above 0 and at most 1;
        `calibrate_eta` finds it.
    method : {"ancestral", "threshold", "reduce"}
        See `augment`.
    budget : int
        Rows to draw, or the most to keep.
    theta : float, optional
        Of ``threshold``.
    conditional : str or mapping of node to str, optional
        Names of `CONDITIONALS`. By default residual bootstrap for continuous modelled nodes,
        Nadaraya-Watson for what has a lag window.
    seed : int
        Of the rows; the same for every fit of the spec.

    Raises
    ------
    SpecError
        A number out of range, an unknown name.

    Notes
    -----
    Source: Teshima and Sugiyama (2021); Bissiri, Holmes and Walker (2016) for weighted-likelihood
    posteriors; MODEL.md section 9.

    Examples
    --------
    >>> Augmentation(weight=0.3).budget
    5000
    """

    weight: float = 0.3
    eta: float = 1.0
    method: str = "ancestral"
    budget: int = 5000
    theta: float | None = None
    conditional: str | Mapping[str, str] = field(default_factory=dict)
    seed: int = 0

    def __hash__(self) -> int:
        return hash((self.weight, self.eta, self.method, self.budget, self.theta, self.seed))

    def __post_init__(self) -> None:
        for name in ("weight", "eta"):
            object.__setattr__(self, name, number(f"Augmentation: {name}", getattr(self, name)))
        if not 0 <= self.weight <= 1:
            raise SpecError(
                f"Augmentation: weight lies between 0 (off) and 1 (augmented rows only); got "
                f"{self.weight:g}."
            )
        if not 0 < self.eta <= 1:
            raise SpecError(
                "Augmentation: eta is above 0 and at most 1, since an augmented row is never "
                f"worth more than an observed one; got {self.eta:g}."
            )
        if self.method not in METHODS:
            raise SpecError(
                f"Augmentation: method is one of {', '.join(METHODS)}; got {self.method!r}."
                f"{did_you_mean(self.method, METHODS)}"
            )
        if isinstance(self.budget, bool) or not isinstance(self.budget, int) or self.budget < 1:
            raise SpecError(
                f"Augmentation: budget is a number of rows, 1 or more; got {self.budget!r}."
            )
        if self.theta is not None and not 0 < number("Augmentation: theta", self.theta) < 1:
            raise SpecError(f"Augmentation: theta lies between 0 and 1; got {self.theta!r}.")
        given = self.conditional
        for name in given.values() if isinstance(given, Mapping) else [given]:
            if name not in CONDITIONALS:
                raise SpecError(
                    f"Augmentation: conditional is one of {', '.join(CONDITIONALS)}; got {name!r}."
                    f"{did_you_mean(str(name), CONDITIONALS)}"
                )
        if isinstance(given, Mapping):
            object.__setattr__(self, "conditional", dict(given))

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict: what differs from the defaults."""
        plain, own = vars(Augmentation()), vars(self)
        return {k: v for k, v in own.items() if v != plain[k]}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Augmentation:
        """Read what `to_dict` wrote."""
        check_keys(given, list(cls.__dataclass_fields__), "augmentation")
        return cls(**given)
