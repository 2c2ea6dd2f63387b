"""`Augmentation` sets the weight of recombined rows in the likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bayescausal import checks
from bayescausal._display import described
from bayescausal.checks import check_keys, number
from bayescausal.errors import SpecError
from bayescausal.specs.row_methods import Ancestral, Method, Threshold, as_method

RESIDUALS = ("residual-bootstrap", "residual-bootstrap-linear")
CONDITIONALS = (*RESIDUALS, "nadaraya-watson", "k-nearest", "local-linear", "forest")

ROW = 4 + 3 * 8
"""Bytes that a row takes for each node while rows are drawn."""

_ROWS = 5000
_DEFAULT = Ancestral(rows=_ROWS)
_METHOD_KEYS = {"budget": "rows", "theta": "theta", "absolute": "absolute", "uniforms": "uniforms"}
"""Keys of a file, which is flat, and the settings of methods that they are."""


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
    method : Ancestral, Threshold, Reduce, or the name of one
        How rows are sampled. A name, and a `Threshold` that states no limit, has 5,000 rows.
    conditional : str or mapping of node to str, optional
        Names of `CONDITIONALS`; ``residual-bootstrap-linear`` is the one without curves and
        products. By default residual bootstrap for continuous modelled nodes, Nadaraya-Watson for
        what has a lag window, and for ``threshold`` Nadaraya-Watson for all.
    seed : int
        Of the rows; the same for every fit of the spec.

    Raises
    ------
    SpecError
        A number out of range, an unknown name, a setting that another one makes void.

    Notes
    -----
    Source: Teshima and Sugiyama (2021); Bissiri, Holmes and Walker (2016) for weighted-likelihood
    posteriors; MODEL.md section 9.

    Examples
    --------
    >>> Augmentation(weight=0.3, method=Ancestral(rows=2000)).to_dict()
    {'budget': 2000}
    """

    weight: float = 0.3
    eta: float = 1.0
    method: Method | str = _DEFAULT
    conditional: str | Mapping[str, str] = field(default_factory=dict)
    seed: int = 0

    def __hash__(self) -> int:
        return hash((self.weight, self.eta, self.method, self.seed))

    __repr__ = described

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
        method = as_method(self.method)
        if isinstance(self.method, str) or method.rows is None:
            method = replace(method, rows=_ROWS)
        object.__setattr__(self, "method", method)
        object.__setattr__(self, "seed", checks.seed("Augmentation: seed", self.seed))
        checks.affordable("Augmentation: rows", method.rows or 0, 2 * ROW)  # cause and outcome
        self._check_conditional()

    def _check_conditional(self) -> None:
        names = self.conditional
        for name in names.values() if isinstance(names, Mapping) else [names]:
            checks.choice("Augmentation: conditional", name, CONDITIONALS)
            if isinstance(self.method, Threshold) and name in RESIDUALS:
                raise SpecError(
                    f"Augmentation: conditional={name!r} leaves Threshold() nothing to choose: "
                    "with residuals of all rows alike every row is as unlikely. Leave conditional "
                    "out, for kernels, or take method=Ancestral()."
                )
        if isinstance(names, Mapping):
            object.__setattr__(self, "conditional", dict(names))

    @property
    def share(self) -> float:
        """The share of the total weight that augmented rows have when all weigh the same."""
        rows = self.weight * self.eta
        return rows / (1 - self.weight + rows)

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict: what differs from the defaults."""
        method = as_method(self.method)
        kind = type(method)
        plain, values = vars(Augmentation(method=kind.name)), vars(self)
        changed = {k: v for k, v in values.items() if k != "method" and v != plain[k]}
        settings, usual = vars(method), vars(plain["method"])
        for key, name in _METHOD_KEYS.items():
            if name in settings and settings[name] != usual[name]:
                changed[key] = settings[name]
        return changed | ({} if kind is Ancestral else {"method": kind.name})

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Augmentation:
        """Read what `to_dict` wrote."""
        check_keys(mapping, [*cls.__dataclass_fields__, *_METHOD_KEYS], "augmentation")
        options = {k: v for k, v in mapping.items() if k not in _METHOD_KEYS}
        method = replace(as_method(mapping.get("method", Ancestral.name)), rows=_ROWS)
        stated = {k: v for k, v in mapping.items() if k in _METHOD_KEYS and v is not None}
        settings = {_METHOD_KEYS[k]: v for k, v in stated.items()}
        setting_names = [key for key, name in _METHOD_KEYS.items() if name in vars(method)]
        for key in stated:
            if key not in setting_names:
                raise SpecError(
                    f"augmentation: {key} is no setting of method '{method.name}', which has "
                    f"{' and '.join(setting_names)}. Leave it out."
                )
        return cls(**options | {"method": replace(method, **settings)})
