"""Conditional strategies by the names that a spec, and so a YAML file, has for them."""

from __future__ import annotations

from collections.abc import Mapping

from bayescausal._types import Node
from bayescausal.augmentation.conditionals import (
    Conditional,
    KNearest,
    NadarayaWatson,
    ResidualBootstrap,
)

NAMED: dict[str, Conditional] = {
    "residual-bootstrap": ResidualBootstrap(),
    "nadaraya-watson": NadarayaWatson(),
    "k-nearest": KNearest(),
}


def named(given: str | Mapping[Node, str]) -> Conditional | dict[Node, Conditional]:
    """Return the strategies that a spec names."""
    if isinstance(given, str):
        return NAMED[given]
    return {node: NAMED[name] for node, name in given.items()}
