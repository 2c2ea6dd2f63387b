"""Headings and Markdown tables of the augmentation benchmarks."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def heading(title: str, packages: Sequence[str]) -> str:
    """Title, command, date, machine and versions: what a number needs to be checked.

    Packages that are not installed are left out: one of several names of a package is enough.
    """
    found = {name: _version(name) for name in ("bayescausal", *packages)}
    versions = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    return "\n".join(
        [
            f"## {title}",
            f"`python benchmarks/augmentation/{' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])}`",
            f"{date.today().isoformat()}, {os.cpu_count()} cores, {platform.machine()}, "
            f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}; {versions}",
        ]
    )


def _version(name: str) -> str:
    with suppress(PackageNotFoundError):
        return version(name)
    return ""


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Markdown table; numbers are formatted by whoever made them.

    >>> print(table(["a", "b"], [[1, "x"]]))
    | a | b |
    |---|---|
    | 1 | x |
    """
    lines = [header, ["---"] * len(header), *rows]
    text = ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]
    text[1] = text[1].replace(" ", "")
    return "\n".join(text)
