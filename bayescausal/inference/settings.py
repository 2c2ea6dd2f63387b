"""`Settings`: how to sample. Light to import: a YAML file is checked without a sampler."""

from __future__ import annotations

from dataclasses import dataclass

from bayescausal.errors import SpecError

SAMPLERS = ("nutpie", "pymc", "numpyro", "blackjax")
BACKENDS = ("auto", "jax", "numba")
MASS_MATRICES = ("auto", "low_rank", "diag")
_LONG_RUN = 12_000


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
    progress : bool
    """

    sampler: str = "nutpie"
    backend: str = "auto"
    mass_matrix: str = "auto"
    draws: int = 500
    tune: int = 200
    chains: int = 4
    target_accept: float = 0.85
    progress: bool = True

    def __post_init__(self) -> None:
        for label, known in (
            ("sampler", SAMPLERS),
            ("backend", BACKENDS),
            ("mass_matrix", MASS_MATRICES),
        ):
            if getattr(self, label) not in known:
                raise SpecError(
                    f"{label} is one of {', '.join(known)}; got {getattr(self, label)!r}."
                )
        for label, least in (("draws", 1), ("tune", 1), ("chains", 1)):
            value = getattr(self, label)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SpecError(f"{label} must be an integer from {least} up; got {value!r}.")
        if not 0.5 <= self.target_accept < 1:
            raise SpecError(f"target_accept lies in [0.5, 1); got {self.target_accept!r}.")

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
