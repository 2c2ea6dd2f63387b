"""Quantile regression forest: rows donate that share leaves with the given parents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.preprocessing import OneHotEncoder

from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.donors import Conditional, Donors, ParentValues
from bayescausal.augmentation.regression import features
from bayescausal.errors import SpecError


@dataclass(frozen=True)
class Forest(Conditional):
    """Donors are weighted by how often they fall into the same leaf as the given parents.

        P(k | z) = mean over trees of 1{leaf(x_k) = leaf(z)} / size of leaf(z)

    The weights of a quantile regression forest: any shape of mean and noise, many parents, and
    categories. Values are observed ones. It needs many rows: within a leaf slopes are flat, so of
    three channels and a hundred rows it loses more than kernels do, most of the weak effects, and
    it is constant beyond the data.

    Parameters
    ----------
    trees : int
    smallest : int
        Fewest rows in a leaf: fewer follow the data more closely and copy them more often.
    seed : int
        Of the trees.

    Raises
    ------
    SpecError
        A number out of range.

    Notes
    -----
    Source: Meinshausen (2006), Quantile regression forests, JMLR 7.

    Examples
    --------
    >>> x = Block("x", ("x",), np.arange(20.0)[:, None])
    >>> y = Block("y", ("y",), np.where(x.values < 10, 0.0, 5.0))
    >>> fitted = Forest(trees=20).fit([x], y)
    >>> (fitted.probabilities([ParentValues(np.array([[2.0]]))]) @ y.values).round()
    array([[0.]])
    """

    trees: int = 200
    smallest: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("trees", 1), ("smallest", 1), ("seed", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise SpecError(f"Forest: {name} is a whole number, {least} or more; got {value!r}")

    def bind(self, parents: tuple[Block, ...], child: Block) -> ForestDonors:
        """Grow the trees."""
        estimator = RandomForestClassifier if child.discrete else RandomForestRegressor
        forest = estimator(
            self.trees, min_samples_leaf=self.smallest, max_features=1.0, random_state=self.seed
        )
        x = features(parents, [p.values for p in parents])
        forest.fit(x, child.values[:, 0] if child.values.shape[1] == 1 else child.values)
        return ForestDonors(parents, child, forest)


@dataclass(frozen=True, eq=False)
class ForestDonors(Donors):
    """A fitted `Forest`: rows are weighted by the leaves they share with the given parents.

    All rows count, also those that a tree was not grown on.
    """

    forest: Any

    def probabilities(self, parent_values: Sequence[ParentValues]) -> np.ndarray:
        """Return the mean over trees of equal weights within the leaf of the given parents."""
        encoder, shares = self._leaves
        probability = (
            encoder.transform(self._apply([g.values for g in parent_values])) @ shares
        ).toarray()
        return probability / probability.sum(axis=1, keepdims=True)

    @cached_property
    def _leaves(self) -> tuple[OneHotEncoder, Any]:
        """An encoder of the leaves of all trees, and each row's share of them, (leaf, row)."""
        leaves = self._apply([p.values for p in self.parents])
        encoder = OneHotEncoder().fit(leaves)
        members = encoder.transform(leaves)
        return encoder, (members / members.sum(axis=0)).T

    def _apply(self, values: Sequence[np.ndarray]) -> np.ndarray:
        return self.forest.apply(features(self.parents, values))
