"""Translate a graph and data into DoWhy's `CausalModel`, and run its estimators.

Importing DoWhy takes seconds, so nothing imports this module before it is needed. DoWhy estimates;
which columns it adjusts for is said to it, since its own choice has known faults: they are listed
and tested in ``tests/validation/test_dowhy_known_faults.py``.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dowhy
import networkx as nx
import numpy as np
import pandas as pd
from dowhy.causal_estimators.instrumental_variable_estimator import InstrumentalVariableEstimator
from dowhy.causal_estimators.linear_regression_estimator import LinearRegressionEstimator
from dowhy.causal_identifier import EstimandType, IdentifiedEstimand
from dowhy.causal_identifier.auto_identifier import identify_generalized_adjustment_set
from dowhy.graph import get_instruments, get_proper_backdoor_graph

from bayescausal.data.dataset import Dataset
from bayescausal.errors import GraphError, did_you_mean
from bayescausal.graphs.graph import Graph
from bayescausal.specs.adstock import shift
from bayescausal.validation.lagged_table import Slices, read_table, unroll_lags
from bayescausal.validation.linear_design import CONSTANT, Design, Regression, residuals


def to_dowhy(
    graph: Graph, treatment: str, outcome: str, data: Dataset | pd.DataFrame
) -> dowhy.CausalModel:
    """Translate a graph and data into DoWhy's model, so that nothing is lost on the way.

    Columns of latent nodes are left out (DoWhy would take them for observed), every ``a <-> b``
    becomes a fresh latent node with edges to both (DoWhy drops ``<->``), and lagged edges get
    lagged columns: ``tv@1`` is tv one period before. When there are lags, every node also has a
    latent history that ties its columns together. Units of a panel are pooled, without fixed
    effects. Effect modifiers are none; DoWhy looks for its own again unless
    ``effect_modifiers=[]`` is given to its ``estimate_effect``, too.

    Parameters
    ----------
    graph : Graph
    treatment, outcome : str
    data : Dataset or pandas.DataFrame
        A frame has one row a period, in order, and a column for each observed node.

    Returns
    -------
    dowhy.CausalModel
        Its data start where all lagged columns do, and after the history of a `Dataset`.

    Raises
    ------
    GraphError
        Unknown or latent names, feedback through lags.
    DataError
        A column that is missing, or not finite.

    Examples
    --------
    >>> graph = Graph.parse('''
    ...     tv -> sales
    ...     tv <-> sales
    ...     season -> tv @ 1
    ... ''')
    >>> frame = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 3)),
    ...                      columns=["tv", "sales", "season"])
    >>> model = to_dowhy(graph, "tv", "sales", frame)
    >>> sorted(map(str, model._graph._graph.predecessors("sales")))
    ['U_sales', 'U_sales_tv', 'tv']
    >>> len(model._data), model._data.columns[-2:].tolist()
    (8, ['tv', 'tv@1'])
    """
    for name, role in ((treatment, "treatment"), (outcome, "outcome")):
        if name not in graph.observed:
            hint = " It is declared latent." if name in graph.latent else ""
            raise GraphError(
                f"The {role} {name!r} is no observed node of the graph.{hint} Observed: "
                f"{', '.join(graph.observed)}.{did_you_mean(name, graph.observed)}"
            )
    slices = unroll_lags(graph)
    table = read_table(data, graph.observed)
    first = max(table.first, slices.depth)
    frame = pd.DataFrame(
        {
            column: shift(np, table.x[node], lag)[:, first:].ravel()
            for column, (node, lag) in slices.columns.items()
        }
    )
    treatments = slices.acting(treatment, outcome)
    with _quietly():
        return dowhy.CausalModel(
            frame, treatments, outcome, graph=slices.dag, effect_modifiers=[], identify_vars=False
        )


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence what DoWhy says on every call: deprecations, and nodes without a column."""
    log = logging.getLogger("dowhy")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for kind in (DeprecationWarning, FutureWarning, PendingDeprecationWarning):
                warnings.simplefilter("ignore", kind)
            warnings.filterwarnings("ignore", ".*assumed unobserved.*", UserWarning)
            yield
    finally:
        log.setLevel(level)


def estimate(design: Design, regression: Regression) -> np.ndarray:
    """Estimate with DoWhy the coefficients that `Design.solve` estimates from moments.

    DoWhy is given standardized columns, and our sets of them. Its instrument estimator conditions
    on nothing, so it is given what the controls leave of each column: the same ratio.
    """
    outcome, regressors, controls, instruments = regression
    columns = dict(zip(design.names, design.columns, strict=True))
    if instruments:
        positions = design.positions(controls)
        for name in (outcome, *regressors, *instruments):
            columns[name] = residuals(design.columns, design.names.index(name), positions)
    frame = pd.DataFrame({name: column.ravel() for name, column in columns.items()})
    kind = "iv" if instruments else "backdoor"
    estimand = IdentifiedEstimand(
        None,
        list(regressors),
        [outcome],
        estimand_type=EstimandType.NONPARAMETRIC_ATE,
        estimands={kind: {"estimand": None, "assumptions": {}}},
        backdoor_variables={"backdoor": [name for name in controls if name != CONSTANT]},
        instrumental_variables=list(instruments),
        default_backdoor_id="backdoor",
        identifier_method=kind,
    )
    with _quietly():
        if not instruments:
            fitted = LinearRegressionEstimator(estimand).fit(frame, effect_modifier_names=[])
            return np.asarray(fitted.model.params)[1 : 1 + len(regressors)]
        (z,) = instruments
        if frame[z].nunique() == 2:  # DoWhy looks for the values 0 and 1
            frame[z] = (frame[z] > frame[z].mean()).astype(float)
        fitted = InstrumentalVariableEstimator(estimand).fit(frame, effect_modifier_names=[])
        return np.array([fitted.estimate_effect(frame).value])


def in_words(slices: Slices, design: Design) -> str:
    """Say what DoWhy identifies: its own set, its verdict on ours, its instruments.

    Latent nodes among its instruments are marked: it lists those too.
    """
    t, y = set(design.treatments), {design.plan.outcome}
    with _quietly():
        adjustments = identify_generalized_adjustment_set(slices.dag, t, y, sorted(slices.columns))
        listed = sorted(get_instruments(slices.dag, sorted(t), sorted(y)))
        backdoor_graph = get_proper_backdoor_graph(slices.dag, t, y)
    text = f"DoWhy {dowhy.__version__} finds no adjustment set"
    if adjustments:
        chosen = sorted(adjustments[0].get_adjustment_variables())
        text = f"DoWhy {dowhy.__version__} adjusts for {', '.join(chosen) or 'nothing'}"
    if design.plan.method in ("backdoor regression", "two-stage mediation"):
        ours = [c for c in design.regressions["total"].controls if c in slices.columns]
        closed = nx.is_d_separator(backdoor_graph, t, y, set(ours))
        text += f"; by its check {', '.join(ours) or 'the empty set'} " + (
            "closes every backdoor path" if closed else "leaves a backdoor path open"
        )
    if listed:
        instruments = [v if v in slices.columns else f"{v} (latent, so of no use)" for v in listed]
        text += f"; instruments: {', '.join(instruments)}"
    return text + "."
