"""`Settings`: how to sample. Light to import: a YAML file is checked without a sampler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from bayescausal import checks
from bayescausal.errors import SpecError, did_you_mean, shown

METHODS = ("nuts", "laplace")
SAMPLERS = ("blackjax", "nutpie", "pymc", "numpyro")
OPTIONAL = ("nutpie", "numpyro")
"""Samplers that are packages of their own, which PyMC calls."""
CHAINS, LONGEST, ROUNDS = 256, 1_000_000, 8
"""The most chains, and the most draws of one."""

_COPIES = 3  # of every parameter: as sampled, in natural units, by parameter
_STATISTICS = 20  # of the sampler, each draw


@dataclass(frozen=True)
class Settings:
    """How to sample. The defaults were chosen on worlds of `benchmarks/speed`, see RESULTS.md.

    Parameters
    ----------
    sampler : {"blackjax", "nutpie", "pymc", "numpyro"}
        The first runs each chain as one XLA program, in whitened coordinates. The others are called
        through PyMC; nutpie compiles with numba, for a minute on first use.
    draws, tune, chains : int
    target_accept : float
    rounds : int
        How often to sample at most: see `bayescausal.inference.rounds`.
    progress : bool
    method : {"nuts", "laplace"}
        The second is a draft: weighted draws about the mode, see `bayescausal.inference.laplace`.
        It has draws and chains, and reads no ``tune``, ``target_accept`` or ``rounds``.
    """

    sampler: str = "blackjax"
    draws: int = 500
    tune: int = 200
    chains: int = 4
    target_accept: float = 0.85
    rounds: int = 1
    progress: bool = True
    method: str = "nuts"

    def __post_init__(self) -> None:
        _require_known("sampler", self.sampler, SAMPLERS)
        if isinstance(self.method, str) and self.method == "pathfinder":
            raise SpecError(
                "method='pathfinder' is not offered: its normals were further from the posterior "
                "than those of the curvature at the mode, and slower to get. Write "
                "method='laplace' for a first look, or 'nuts'."
            )
        _require_known("method", self.method, METHODS)
        if self.is_draft and self.sampler != "blackjax":
            raise SpecError(
                f"sampler={shown(self.sampler)} belongs to method='nuts': method={self.method!r} "
                "draws about the mode and has no sampler. Leave one of the two out."
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

    @property
    def is_draft(self) -> bool:
        """Whether the posterior is approximated, for a first look."""
        return self.method != "nuts"

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Settings:
        """Read what `to_dict` wrote, also before blackjax took the place of nutpie on JAX.

        Settings that were saved before there were methods are those of NUTS.
        """
        known = {f.name: saved[f.name] for f in fields(cls) if f.name in saved}
        was_nutpie_on_jax = (saved.get("sampler"), saved.get("engine")) == ("nutpie", "jax")
        return cls(**known | ({"sampler": "blackjax"} if was_nutpie_on_jax else {}))

    def require_memory(self, parameters: int) -> None:
        """Raise when so many draws of so many numbers do not fit into memory."""
        bytes_per_draw = self.chains * 8 * (_COPIES * parameters + _STATISTICS)
        checks.affordable(f"{self.chains} chains of draws", self.draws, bytes_per_draw)


def _require_known(label: str, value: Any, names: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in names:
        advice = did_you_mean(value, names) if isinstance(value, str) else ""
        raise SpecError(f"{label} is one of {', '.join(names)}; got {shown(value)}.{advice}")
