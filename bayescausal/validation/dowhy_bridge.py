"""Translate a graph and data into DoWhy's `CausalModel`, and run its estimators.

Importing DoWhy takes seconds, so nothing imports this module before it is needed. DoWhy estimates;
which columns it adjusts for is said to it, since its own choice has known faults: they are listed
and tested in ``tests/identification/test_dowhy_known_faults.py``.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dowhy
import networkx as nx
import numpy as np
import pandas as pd
from dowhy.causal_estimators.linear_regression_estimator import LinearRegressionEstimator
from dowhy.causal_identifier import EstimandType, IdentifiedEstimand
from dowhy.causal_identifier.auto_identifier import identify_generalized_adjustment_set
from dowhy.graph import get_instruments, get_proper_backdoor_graph

from bayescausal.data.dataset import Dataset
from bayescausal.errors import GraphError, did_you_mean
from bayescausal.graphs.graph import Graph
from bayescausal.specs.adstock import shift
from bayescausal.validation.block_bootstrap import residuals
from bayescausal.validation.lagged_table import Slices, read_table, unroll_lags
from bayescausal.validation.linear_design import Design


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
    return causal_model(slices.dag, frame, slices.acting(treatment, outcome), outcome)


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


def causal_model(
    dag: nx.DiGraph, frame: pd.DataFrame, treatments: Sequence[str], outcome: str
) -> dowhy.CausalModel:
    """Build the model; nodes without a column are latent to DoWhy, whatever their attributes."""
    with _quietly():
        return dowhy.CausalModel(
            frame, list(treatments), outcome, graph=dag, effect_modifiers=[], identify_vars=False
        )


def estimate(design: Design, slices: Slices, weights: Sequence[float]) -> dict[str, float]:
    """Estimate with DoWhy what `Design.effects` estimates: ``total``, parts of a mediation.

    DoWhy is given standardized columns, and our sets of them. Its instrument estimator conditions
    on nothing, so it is given what the set leaves of each column: the same ratio.
    """
    plan, y, t = design.plan, design.plan.outcome, design.treatments
    scaled = [w * design.scale[y] / design.scale[c] for w, c in zip(weights, t, strict=True)]
    frame = pd.DataFrame({c: design.columns[design.positions(c)[0]].ravel() for c in design.names})
    sets = {group: [*design.base[1:], *names] for group, names in design.sets.items()}
    if plan.method == "instrument" and plan.via:
        positions = design.controls("adjustment")
        for name in (y, *t, plan.via):
            frame[name] = residuals(design.columns, design.positions(name)[0], positions).ravel()
        if frame[plan.via].nunique() == 2:  # DoWhy looks for the values 0 and 1
            frame[plan.via] = (frame[plan.via] > frame[plan.via].mean()).astype(float)
    model = causal_model(slices.dag, frame, t, y)
    if plan.method == "backdoor regression":
        estimand = _identified(
            model, "backdoor", backdoor_variables={"backdoor": sets["adjustment"]}
        )
        return {"total": _estimate(model, estimand, "backdoor.linear_regression", scaled)}
    if plan.method == "instrument":
        estimand = _identified(model, "iv", instrumental_variables=[plan.via])
        return {"total": scaled[0] * _estimate(model, estimand, "iv.instrumental_variable", [1.0])}
    front_door = plan.method == "two-stage front-door"
    kind = "frontdoor" if front_door else "mediation"
    arguments = {
        "mediation_first_stage_confounders": {"backdoor": sets["first"]},
        "mediation_second_stage_confounders": {"backdoor": sets["second"]},
        "backdoor_variables": {"backdoor": sets["adjustment"]},
        "frontdoor_variables" if front_door else "mediator_variables": [plan.via],
    }
    parts = {}
    for part in ("indirect",) if front_door else ("direct", "indirect"):
        effect = EstimandType(f"nonparametric-n{part[0]}e")
        estimand = _identified(model, kind, estimand_type=effect, **arguments)
        # One unit at a time: DoWhy multiplies the stages, and with them the change, twice.
        parts[part] = scaled[0] * _estimate(model, estimand, f"{kind}.two_stage_regression", [1.0])
    return {"total": parts["indirect"]} if front_door else {"total": sum(parts.values()), **parts}


def _identified(model: dowhy.CausalModel, kind: str, **sets: object) -> IdentifiedEstimand:
    """Write DoWhy's identified estimand with our sets: it is not asked to choose."""
    sets.setdefault("estimand_type", EstimandType.NONPARAMETRIC_ATE)
    return IdentifiedEstimand(
        None,
        list(model._treatment),
        list(model._outcome),
        estimands={kind: {"estimand": None, "assumptions": {}}},
        default_backdoor_id="backdoor",
        identifier_method=kind,
        **sets,
    )


def _estimate(
    model: dowhy.CausalModel, estimand: IdentifiedEstimand, method: str, change: list[float]
) -> float:
    treatment_value = change if len(change) > 1 else change[0]
    stages = ("first_stage_model", "second_stage_model")
    two_stages = method.endswith("two_stage_regression")
    with _quietly():
        answer = model.estimate_effect(
            estimand,
            method_name=method,
            control_value=[0.0] * len(change) if len(change) > 1 else 0.0,
            treatment_value=treatment_value,
            effect_modifiers=[],
            method_params=dict.fromkeys(stages, LinearRegressionEstimator) if two_stages else None,
        )
    return float(answer.value)


def in_words(slices: Slices, design: Design) -> str:
    """Say what DoWhy identifies: its own set, its verdict on ours, its instruments.

    Latent nodes among its instruments are marked: it lists those too.
    """
    t, y, ours = set(design.treatments), {design.plan.outcome}, design.sets["adjustment"]
    with _quietly():
        adjustments = identify_generalized_adjustment_set(slices.dag, t, y, sorted(slices.columns))
        listed = sorted(get_instruments(slices.dag, sorted(t), sorted(y)))
        backdoor_graph = get_proper_backdoor_graph(slices.dag, t, y)
    text = f"DoWhy {dowhy.__version__} finds no adjustment set"
    if adjustments:
        chosen = sorted(adjustments[0].get_adjustment_variables())
        text = f"DoWhy {dowhy.__version__} adjusts for {', '.join(chosen) or 'nothing'}"
    if design.plan.method in ("backdoor regression", "two-stage mediation"):
        closed = nx.is_d_separator(backdoor_graph, t, y, set(ours))
        text += f"; by its check {', '.join(ours) or 'the empty set'} " + (
            "closes every backdoor path" if closed else "leaves a backdoor path open"
        )
    if listed:
        instruments = [v if v in slices.columns else f"{v} (latent, so of no use)" for v in listed]
        text += f"; instruments: {', '.join(instruments)}"
    return text + "."
