"""Conditional strategies by the names that a spec, and so a YAML file, has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bayescausal import augmentation
from bayescausal._types import Node
from bayescausal.augmentation.conditionals import KNearest, NadarayaWatson, ResidualBootstrap
from bayescausal.augmentation.donors import Conditional
from bayescausal.augmentation.local_linear import LocalLinear

NAMED: dict[str, Callable[[], Conditional]] = {
    "residual-bootstrap": ResidualBootstrap,
    "residual-bootstrap-linear": lambda: ResidualBootstrap(knots=0, products=False),
    "nadaraya-watson": NadarayaWatson,
    "k-nearest": KNearest,
    "local-linear": LocalLinear,
    "forest": lambda: augmentation.forest.Forest(),  # loads scikit-learn
}


def named(given: str | Mapping[Node, str]) -> Conditional | dict[Node, Conditional]:
    """Return the strategies that a spec names."""
    if isinstance(given, str):
        return NAMED[given]()
    return {node: NAMED[name]() for node, name in given.items()}
