"""The data set that ships with the package."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from bayescausal.data.dataset import Dataset
from bayescausal.graphs.graph import Graph
from bayescausal.specs.spec import Spec
from bayescausal.truth.bundle import DATA


@dataclass(frozen=True)
class Example:
    """A simulated brand: three years of weekly data, two lift tests, and the exact effects.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table as an analyst would receive it.
    data : Dataset
    spec : Spec
        Graph, responses, baseline and both experiments.
    truth : dict
        ``effects`` (total, direct, indirect by channel), ``roas``, ``mroas``, ``parameters``.
    """

    frame: pd.DataFrame
    data: Dataset
    spec: Spec
    truth: dict[str, Any]

    def __repr__(self) -> str:
        return f"Example of a simulated brand: frame, truth, and\n{self.data!r}\n{self.spec!r}"

    @property
    def graph(self) -> Graph:
        """The causal graph that made the data."""
        return self.spec.graph

    @property
    def without_tests(self) -> Spec:
        """The same spec without its experiments."""
        return replace(self.spec, experiments=())


def load_example() -> Example:
    """Load the bundled world: tv, social, search, price and demand against sales.

    TV is bought when demand is high (a confounder, observed), and acts on sales directly and
    through search (a mediator with a spend of its own). Made by ``truth/bundle.py`` from a
    seed; amounts in thousand euro.

    Returns
    -------
    Example

    Examples
    --------
    >>> example = load_example()
    >>> example.data.frequency, len(example.data.time)
    ('weekly', 156)
    """
    frame = pd.read_csv(DATA / "example.csv", parse_dates=["week"])
    truth = json.loads((DATA / "example.json").read_text())
    data = Dataset.from_frame(frame, **truth["data"])
    return Example(frame, data, Spec.from_dict(truth["spec"]), truth["truth"])
