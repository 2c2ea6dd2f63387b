"""`Settings`: how to sample. Light to import: a YAML file is checked without a sampler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from bayescausal import checks
from bayescausal.errors import SpecError, did_you_mean, shown

SAMPLERS = ("nutpie", "pymc", "numpyro", "blackjax")
BACKENDS = ("auto", "jax", "numba")
MASS_MATRICES = ("auto", "low_rank", "diag")
CHAINS, LONGEST, ROUNDS = 256, 1_000_000, 8
"""The most chains, and the most draws of one."""

_LONG_RUN = 12_000
_COPIES = 3  # of every parameter: as sampled, in natural units, by parameter
_STATISTICS = 20  # of the sampler, each draw


@dataclass(frozen=True)
class Settings:
    """How to sample. The defaults were chosen on worlds of `benchmarks/speed`, see RESULTS.md.

    Parameters
    ----------
    sampler : {"nutpie", "pymc", "numpyro", "blackjax"}
    backend : {"auto", "jax", "numba"}
        Of nutpie. JAX compiles in seconds and pays at every step; numba compiles for a minute on
        first use and steps several times faster. ``auto`` takes JAX unless the run is long
        (``chains * (tune + draws)`` above 12,000).
    mass_matrix : {"auto", "low_rank", "diag"}
        Of nutpie. ``auto`` is diagonal with JAX, whose coordinates are already whitened, and low
        rank with numba.
    draws, tune, chains : int
    target_accept : float
    rounds : int
        How often to sample at most: see `bayescausal.inference.rounds`.
    progress : bool
    """

    sampler: str = "nutpie"
    backend: str = "auto"
    mass_matrix: str = "auto"
    draws: int = 500
    tune: int = 200
    chains: int = 4
    target_accept: float = 0.85
    rounds: int = 1
    progress: bool = True

    def __post_init__(self) -> None:
        for label, choices in (
            ("sampler", SAMPLERS),
            ("backend", BACKENDS),
            ("mass_matrix", MASS_MATRICES),
        ):
            value = getattr(self, label)
            if not isinstance(value, str) or value not in choices:
                raise SpecError(
                    f"{label} is one of {', '.join(choices)}; got {shown(value)}."
                    f"{did_you_mean(value, choices) if isinstance(value, str) else ''}"
                )
        limits = {"draws": LONGEST, "tune": LONGEST, "chains": CHAINS, "rounds": ROUNDS}
        for label in limits:
            value = checks.count(label, getattr(self, label), 1, limits[label])
            object.__setattr__(self, label, value)
        accept = checks.probability("target_accept", self.target_accept)
        if accept < 0.5:
            raise SpecError(f"target_accept lies in [0.5, 1); got {accept:g}. The default is 0.85.")
        object.__setattr__(self, "target_accept", accept)
        object.__setattr__(self, "progress", checks.flag("progress", self.progress))

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict, also of what ``auto`` stands for."""
        return asdict(self) | {"engine": self.engine, "adaptation": self.adaptation}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Settings:
        """Read what `to_dict` wrote."""
        return cls(**{f.name: saved[f.name] for f in fields(cls) if f.name in saved})

    def require_memory(self, parameters: int) -> None:
        """Raise when so many draws of so many numbers do not fit into memory."""
        bytes_per_draw = self.chains * 8 * (_COPIES * parameters + _STATISTICS)
        checks.affordable(f"{self.chains} chains of draws", self.draws, bytes_per_draw)

    @property
    def engine(self) -> str:
        """The backend that ``auto`` stands for."""
        if self.backend != "auto":
            return self.backend
        return "numba" if self.chains * (self.tune + self.draws) > _LONG_RUN else "jax"

    @property
    def adaptation(self) -> str:
        """The mass matrix that ``auto`` stands for."""
        if self.mass_matrix != "auto":
            return self.mass_matrix
        return "diag" if self.engine == "jax" else "low_rank"
