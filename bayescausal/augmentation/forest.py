"""Quantile regression forest: rows donate that share leaves with the given parents."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy import sparse

from bayescausal.augmentation.blocks import Block
from bayescausal.augmentation.donors import Conditional, Donors, Given
from bayescausal.augmentation.regression import features
from bayescausal.errors import SpecError

with contextlib.suppress(ImportError):  # an extra; `Forest` says how to get it
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor


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
        A number out of range; scikit-learn is not installed.

    Notes
    -----
    Source: Meinshausen (2006), Quantile regression forests, JMLR 7.

    Examples
    --------
    >>> x = Block("x", ("x",), np.arange(20.0)[:, None])
    >>> y = Block("y", ("y",), np.where(x.values < 10, 0.0, 5.0))
    >>> fitted = Forest(trees=20).fit([x], y)
    >>> (fitted.probabilities([Given(np.array([[2.0]]))]) @ y.values).round()
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
        if find_spec("sklearn") is None:
            raise SpecError(
                "Forest needs scikit-learn, which is not installed: "
                "pip install 'bayescausal[augmentation]'. KNearest() and LocalLinear() do not."
            )

    def bind(self, parents: tuple[Block, ...], own: Block) -> ForestDonors:
        """Grow the trees."""
        estimator = RandomForestClassifier if own.discrete else RandomForestRegressor
        forest = estimator(
            self.trees, min_samples_leaf=self.smallest, max_features=1.0, random_state=self.seed
        )
        x = features(parents, [p.values for p in parents])
        forest.fit(x, own.values[:, 0] if own.values.shape[1] == 1 else own.values)
        return ForestDonors(parents, own, forest)


@dataclass(frozen=True, eq=False)
class ForestDonors(Donors):
    """A fitted `Forest`: rows are weighted by the leaves they share with the given parents.

    Parameters
    ----------
    forest : sklearn.ensemble.RandomForestRegressor or RandomForestClassifier
        All rows count, also those that a tree was not grown on.
    """

    forest: Any

    def probabilities(self, given: Sequence[Given]) -> np.ndarray:
        """Return the mean over trees of equal weights within the leaf of the given parents."""
        _, sizes, members = self._leaves
        shared = self._leaf_indicators([g.values for g in given]) @ (members / sizes).T
        probability = np.asarray(shared.todense())
        return probability / probability.sum(axis=1, keepdims=True)

    @cached_property
    def _leaves(self) -> tuple[np.ndarray, np.ndarray, Any]:
        """First column of each tree, number of rows in each leaf, and which rows it holds."""
        counts = np.array([tree.tree_.node_count for tree in self.forest.estimators_])
        first = np.concatenate([[0], np.cumsum(counts)])
        members = _indicators(self._apply([p.values for p in self.parents]), first)
        return first, np.maximum(np.asarray(members.sum(axis=0)), 1.0), members

    def _leaf_indicators(self, values: Sequence[np.ndarray]) -> Any:
        return _indicators(self._apply(values), self._leaves[0])

    def _apply(self, values: Sequence[np.ndarray]) -> np.ndarray:
        return self.forest.apply(features(self.parents, values))


def _indicators(leaves: np.ndarray, first: np.ndarray) -> Any:
    """Return a sparse indicator matrix of shape (row, leaf of any tree)."""
    rows = np.repeat(np.arange(len(leaves)), leaves.shape[1])
    columns = (leaves + first[:-1]).ravel()
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), (len(leaves), first[-1]))
