"""The names by which a spec or a YAML file chooses conditional strategies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bayescausal import augmentation
from bayescausal._types import Node
from bayescausal.augmentation.conditionals import KNearest, NadarayaWatson, ResidualBootstrap
from bayescausal.augmentation.donors import Conditional
from bayescausal.augmentation.local_linear import LocalLinear

STRATEGIES: dict[str, Callable[[], Conditional]] = {
    "residual-bootstrap": ResidualBootstrap,
    "residual-bootstrap-linear": lambda: ResidualBootstrap(knots=0, products=False),
    "nadaraya-watson": NadarayaWatson,
    "k-nearest": KNearest,
    "local-linear": LocalLinear,
    "forest": lambda: augmentation.forest.Forest(),  # loads scikit-learn
}


def conditional_from_names(
    names: str | Mapping[Node, str],
) -> Conditional | dict[Node, Conditional]:
    """Return the strategy, or the strategies by node, that a spec names."""
    if isinstance(names, str):
        return STRATEGIES[names]()
    return {node: STRATEGIES[name]() for node, name in names.items()}
