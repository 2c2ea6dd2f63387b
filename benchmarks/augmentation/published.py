"""Medians that Poinsot and Leite (2023) published, recomputed from the authors' result files.

Theirs are medians of R2 over 20 runs: of augmented rows over the runs in which there were some, of
the baseline over all. So the two of a cell are not over the same runs.
"""

from __future__ import annotations

from typing import NamedTuple


class Cell(NamedTuple):
    """Medians of R2, and the share of runs without usable augmentation, where it is known."""

    augmented: float | None
    baseline: float | None
    empty: float | None = None


PUBLISHED: dict[tuple[str, float | str], Cell] = {
    ("n", 30): Cell(0.797, 0.877, 0.05),
    ("n", 40): Cell(0.552, 0.893),
    ("n", 60): Cell(0.893, 0.926),
    ("n", 80): Cell(0.927, 0.944, 0.05),
    ("n", 100): Cell(0.953, 0.963, 0.0),
    ("n", 300): Cell(0.984, 0.979, 0.25),
    ("n", 500): Cell(0.984, 0.976, 0.70),
    ("n", 700): Cell(0.988, 0.988, 0.40),
    ("d", 7): Cell(0.988, 0.987, 0.0),
    ("d", 8): Cell(0.986, 0.985, 0.20),
    ("d", 9): Cell(None, None, 0.30),
    ("d", 10): Cell(0.983, 0.980, 0.30),
    ("d", 15): Cell(0.980, 0.973, 0.75),
    ("d", 20): Cell(0.980, 0.974, 0.95),
    ("d", 25): Cell(None, 0.960, 1.0),
    ("degree", 0): Cell(None, None, 1.0),
    ("degree", 1): Cell(None, None, 1.0),
    ("degree", 2): Cell(None, None, 0.95),
    ("degree", 3): Cell(None, None, 0.80),
    ("degree", 4): Cell(None, None, 0.60),
    ("degree", 5): Cell(None, None, 0.40),
    ("degree", 6): Cell(None, None, 0.15),
    ("degree", 7): Cell(0.985, 0.985, 0.0),
    ("theta", 1e-1): Cell(0.983, 0.982),
    ("theta", 1e-2): Cell(0.980, 0.981),
    ("theta", 1e-3): Cell(0.977, 0.983),
    ("theta", 1e-4): Cell(0.979, 0.980),
    ("theta", 1e-5): Cell(0.979, 0.984),
    ("outliers", 0.01): Cell(0.984, None),
    ("outliers", 0.15): Cell(0.967, None),
    ("noise", 0.1): Cell(0.998, 0.996),
    ("noise", 1.0): Cell(0.949, 0.948),
    ("mechanism", "gp"): Cell(0.867, 0.840),
    ("mechanism", "sigmoid"): Cell(0.986, 0.978),
    ("mechanism", "polynomial"): Cell(0.817, 0.826),
    ("mechanism", "linear"): Cell(0.977, 0.970),
}
