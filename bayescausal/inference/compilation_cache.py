"""What JAX has compiled is kept on disk, so that the next process need not compile it again."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

import jax
from platformdirs import user_cache_path

from bayescausal.errors import BayesCausalError

VARIABLE = "BAYESCAUSAL_CACHE"
"""Environment variable: a folder for compiled models, or ``off``."""

_TRAITS = ("flags", "Features", "model name")
_SHORTEST = 0.2
"""Seconds; what compiles faster is not worth a file."""


_LARGEST = 2**30
"""Bytes of the folder; what was not used for longest goes first. One model takes some 2 MB."""


def cache_folder() -> Path | None:
    """Return the folder of compiled models, or None where ``BAYESCAUSAL_CACHE=off``."""
    chosen = os.environ.get(VARIABLE, "").strip()
    if chosen.lower() == "off":
        return None
    folder = Path(chosen).expanduser() if chosen else user_cache_path("bayescausal") / "programs"
    if folder.exists() and not folder.is_dir():
        raise BayesCausalError(
            f"{VARIABLE} names '{chosen}', which is a file. Name a folder, or write {VARIABLE}=off."
        )
    return folder / _processor()


def keep_compiled() -> None:
    """Switch JAX's cache on, for the whole process, unless it has one already."""
    folder = cache_folder()
    if folder is None or jax.config.jax_compilation_cache_dir:
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _SHORTEST)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    jax.config.update("jax_compilation_cache_max_size", _LARGEST)


def _processor() -> str:
    """Name the processor: machine code of one may not run on another that shares the folder."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        kind = sorted({line for line in lines if line.startswith(_TRAITS)})
    except OSError:
        kind = [platform.processor(), platform.machine()]
    return hashlib.sha256("\n".join(kind).encode()).hexdigest()[:12]
