"""Random structural worlds of the published protocol: Erdos-Renyi DAGs, mixtures at the roots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescausal import Graph
from bayescausal.graphs.edge import Edge

MECHANISMS = ("linear", "polynomial", "sigmoid", "gp", "nn")


@dataclass(frozen=True)
class Setting:
    """One cell of a sweep; the defaults are those of the published code.

    Parameters
    ----------
    n : int
        Rows, of which 70 percent train.
    d : int
        Variables.
    degree : float
        Edges per variable: a pair is joined with probability ``2 degree / (d - 1)``, at most 1.
    noise : float
        Largest standard deviation of a variable's noise, relative to that of its mechanism; each
        variable's is uniform below it.
    outliers : float
        Share of the training rows in which a variable is replaced by an extreme value.
    theta : float
    mechanism : str
        One of `MECHANISMS`.
    """

    n: int = 500
    d: int = 10
    degree: float = 3.0
    noise: float = 0.4
    outliers: float = 0.0
    theta: float = 1e-2
    mechanism: str = "nn"


@dataclass(frozen=True, eq=False)
class World:
    """Training rows, rows for testing, and many rows of the truth; z-scored by training moments."""

    graph: Graph
    train: pd.DataFrame
    test: pd.DataFrame
    truth: pd.DataFrame


def make_world(setting: Setting, seed: int, truth: int = 1000) -> World:
    """Draw a graph, its mechanisms and rows.

    The same seed gives the same graph and mechanisms for any noise, theta or share of outliers, so
    that cells of those sweeps are paired too.
    """
    rng = np.random.default_rng([seed, setting.d])
    d, rows = setting.d, setting.n + truth
    joined = np.triu(rng.random((d, d)) < 2 * setting.degree / (d - 1), 1)
    names = [f"v{j:02d}" for j in range(d)]
    shuffled = [names[j] for j in rng.permutation(d)]  # the order of names says nothing
    edges = tuple(Edge(shuffled[i], shuffled[j]) for i, j in zip(*np.nonzero(joined), strict=True))
    x = np.empty((rows, d))
    for j in range(d):
        parents = np.flatnonzero(joined[:, j])
        made = np.random.default_rng([seed, setting.d, j, rows])
        if len(parents):
            mean = mechanism(setting.mechanism, x[:, parents], made)
            mean = (mean - mean.mean()) / mean.std()
            spread = setting.noise * made.random()
            x[:, j] = mean + spread * made.normal(size=rows)
        else:
            x[:, j] = mixture(rows, made)
        x[:, j] = (x[:, j] - x[:, j].mean()) / x[:, j].std()
    frame = pd.DataFrame(x, columns=shuffled)[names]
    trained = int(0.7 * setting.n)
    train, test, rest = (
        frame.iloc[a:b].reset_index(drop=True)
        for a, b in ((0, trained), (trained, setting.n), (setting.n, rows))
    )
    train = contaminated(train, setting.outliers, np.random.default_rng([seed, d, 999]))
    center, scale = train.mean(), train.std(ddof=0)
    graph = Graph(edges=edges, isolated=tuple(names))
    return World(graph, *((part - center) / scale for part in (train, test, rest)))


def mixture(rows: int, rng: np.random.Generator) -> np.ndarray:
    """A root: a mixture of four normal distributions."""
    means, spreads = 2 * rng.normal(size=4), np.abs(2 * rng.normal(size=4) + 1)
    share = rng.random(4)
    part = rng.choice(4, rows, p=share / share.sum())
    return rng.normal(means[part], spreads[part])


def mechanism(kind: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mean of a variable given its parents.

    Linear: coefficients uniform on (0, 1). Polynomial: of degree 2 in each parent, each part cut
    off at -1 and 1. Sigmoid: ``a b (x + c) / (1 + |b (x + c)|)``, summed. Gaussian process: of all
    parents together, kernel exp(-d^2 / 2), drawn through 300 random Fourier features. nn: 20 tanh
    units, weights uniform within 1 / sqrt(inputs).
    """
    p = x.shape[1]
    if kind == "linear":
        return x @ rng.random(p)
    if kind == "polynomial":
        c = rng.random((3, p))
        return np.clip(c[0] + c[1] * x + c[2] * x**2, -1, 1).sum(axis=1)
    if kind == "sigmoid":
        a = rng.exponential(0.25) + 1
        b, c = rng.choice([-1, 1]) * rng.uniform(0.5, 2), rng.uniform(-2, 2)
        return (a * b * (x + c) / (1 + np.abs(b * (x + c)))).sum(axis=1)
    if kind == "gp":
        phases = x @ rng.normal(size=(p, 300)) + rng.uniform(0, 2 * np.pi, 300)
        return np.cos(phases) @ rng.normal(size=300) * np.sqrt(2 / 300)
    if kind == "nn":
        edge, inner = p**-0.5, 20**-0.5
        hidden = np.tanh(x @ rng.uniform(-edge, edge, (p, 20)) + rng.uniform(-edge, edge, 20))
        return hidden @ rng.uniform(-inner, inner, 20)
    raise ValueError(f"mechanism is one of {', '.join(MECHANISMS)}; got {kind!r}.")


def contaminated(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Replace one random variable of a share of the rows by 5 to 10 standard deviations."""
    out = frame.copy()
    hit = rng.choice(len(frame), round(share * len(frame)), replace=False)
    for row in hit:
        column = rng.integers(frame.shape[1])
        size = rng.choice([-1, 1]) * rng.uniform(5, 10)
        out.iloc[row, column] = frame.iloc[:, column].mean() + size * frame.iloc[:, column].std()
    return out
