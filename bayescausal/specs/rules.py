"""Check what the parts of a `Spec` must satisfy together; errors name the part and a way out.

`Spec` calls these on itself, so its type is not imported here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import networkx as nx
import numpy as np

from bayescausal.checks import choice
from bayescausal.errors import GraphError, SpecError, did_you_mean
from bayescausal.experiments.estimand import Estimand, node_or_edge
from bayescausal.experiments.experiment import (
    Experiment,
    correlated,
    covariance_between,
    error_covariance,
)
from bayescausal.graphs.edge import Edge
from bayescausal.specs.augmentation import Augmentation
from bayescausal.specs.noise import NOISES, AR1Noise
from bayescausal.specs.prior import COMMON, UNIT_SPECIFIC
from bayescausal.specs.response import Response

LINKS = ("identity", "log")
POLICIES = ("held", "reacts")
PARTS = ("", ":observed", ":sd", ":covariance")
"""What follows the name of an experiment in the names of its variables."""

_ROUNDING = 1e-9
_RESERVED = {"sigma", "nu", "phi", "intercept"}


def tidy_responses(spec: Any) -> dict[str, Response]:
    """Return the responses under tidy keys, or raise."""
    tidy: dict[str, Response] = {}
    projected = spec.graph.project().edges
    edges = {str(e) for e in (*spec.graph.edges, *projected)}
    for name, response in spec.responses.items():
        key = node_or_edge(name)
        if not isinstance(response, Response):
            raise SpecError(
                f"responses['{key}'] must be a Response; got {response!r}. "
                "Write Response(GeometricAdstock(l_max=8), HillSaturation())."
            )
        if "->" not in key:
            require_node(spec, key, f"responses['{key}']")
        elif key not in edges:
            raise SpecError(
                f"responses['{key}']: there is no such edge. Edges: "
                f"{', '.join(sorted(edges))}.{did_you_mean(key, edges)}"
            )
        if key in tidy:
            raise SpecError(f"responses names '{key}' twice.")
        tidy[key] = response
        hidden = [v for v in key.split("@")[0].split("->") if v in spec.graph.latent]
        if hidden:
            raise SpecError(
                f"responses['{key}']: '{hidden[0]}' is latent; it has no exposure and no "
                "equation. Give the response to an observed node or edge: "
                f"{', '.join(map(str, projected))}."
            )
    return tidy


def require_node(spec: Any, name: str, label: str) -> None:
    """Raise unless the graph has the node."""
    if name not in spec.graph.nodes:
        raise SpecError(
            f"{label}: '{name}' is not in the graph. Nodes: {', '.join(spec.graph.nodes)}."
            f"{did_you_mean(name, spec.graph.nodes)}"
        )


def check_policy(spec: Any) -> None:
    """Raise when a plan that other treatments move is neither held nor reacts."""
    for node, policy in spec.policy.items():
        require_node(spec, node, "policy")
        choice(f"policy['{node}']", policy, POLICIES)
        if node not in spec.treatments:
            raise SpecError(
                f"policy['{node}']: only a treatment has a plan that can be held. Treatments: "
                f"{', '.join(spec.treatments)}. If '{node}' can be set, make it one: "
                f"treatments={sorted([*spec.treatments, node])}."
            )
    graph = spec.structure
    present = [t for t in spec.treatments if t in graph.nodes]
    for node in present:
        movers = sorted({*present} & {*_before_feedback(spec, node)})
        if movers and node not in spec.policy:
            raise SpecError(
                f"'{node}' is a treatment and is itself moved by {', '.join(movers)}. When "
                f"they change, does it react, or is its plan held? The effects differ: say "
                f"policy={{'{node}': 'reacts'}} or policy={{'{node}': 'held'}}."
            )


def _before_feedback(spec: Any, node: str) -> tuple[str, ...]:
    """Return the ancestors of a node along edges that close no cycle through its own effects."""
    graph = spec.structure
    inner = [
        e
        for e in graph.edges
        if not (e.lag and e.source in (e.target, *_effects_of_target(spec, e)))
    ]
    forward = nx.DiGraph([e[:2] for e in inner])
    return tuple(nx.ancestors(forward, node)) if node in forward else ()


def _effects_of_target(spec: Any, edge: Edge) -> tuple[str, ...]:
    return spec.structure.descendants(edge.target)


def check_graph(spec: Any) -> None:
    """Raise when a treatment cannot act, or an outcome is acted on by nothing."""
    for node in spec.treatments:
        require_node(spec, node, "treatments")
        if node in spec.graph.latent:
            raise SpecError(f"treatments: '{node}' is latent; it cannot be set.")
    for outcome in spec.graph.outcomes:
        if not spec.graph.parents(outcome):
            raise GraphError(
                f"The outcome '{outcome}' has no parents: nothing in the graph acts on it. "
                f"Add an edge such as 'tv -> {outcome}'."
            )
    if not spec.treatments:
        raise SpecError(
            "No treatment: give at least one node a Response, e.g. responses={'tv': "
            "Response(GeometricAdstock(), HillSaturation())}, or name it in treatments=."
        )
    for node in spec.treatments:
        if node not in spec.reduced.nodes or not spec.reduced.descendants(node):
            raise GraphError(
                f"The treatment '{node}' reaches no outcome "
                f"({', '.join(spec.graph.outcomes)}): there is no directed path, so its effect "
                "is zero by your graph. Add the missing edge, or drop the treatment."
            )


def check_equations(spec: Any) -> None:
    """Raise when settings name a node without an equation, or two parameters share a name."""
    for part in ("baseline", "noise", "links"):
        value = getattr(spec, part)
        for node in value if isinstance(value, Mapping) else ():
            require_node(spec, node, part)
            if node not in spec.modelled:
                raise SpecError(
                    f"{part}['{node}']: '{node}' has no equation; it is conditioned on. "
                    f"Modelled nodes: {', '.join(spec.modelled)}."
                )
    for node, link in spec.links.items():
        choice(f"links['{node}']", link, LINKS)
    for node in spec.modelled:
        if not isinstance(spec.noise_of(node), tuple(NOISES.values())):
            raise SpecError(
                f"noise: NormalNoise(), StudentTNoise() or AR1Noise(); got {spec.noise!r}."
            )
        keys = [t.key for t in spec.terms(node)]
        clashes = sorted({*keys} & {*spec.graph.nodes})
        if clashes:
            raise SpecError(
                f"baseline: the term '{clashes[0]}' has the name of a node. Rename the "
                "event, or the node and its column."
            )
        names = [k for k in keys if k != "intercept"]
        twice = sorted({k for k in keys if keys.count(k) > 1} | (_RESERVED & {*names}))
        if twice:
            raise SpecError(f"baseline: two terms of '{node}' are called '{twice[0]}'.")


def check_confounding(spec: Any) -> None:
    """Raise when a correlation has no pair, or when an unobserved cause rules out a spread."""
    names = [factor.name for factor in spec.confounders]
    for key in spec.correlations:
        if key not in names:
            raise SpecError(
                f"correlations['{key}']: no unobserved cause of these modelled nodes. There is "
                f"{', '.join(names) or 'none'}.{did_you_mean(key, names)}"
            )

    defaults = {UNIT_SPECIFIC, COMMON}
    spreads = {str(edge): response.spread for edge, response in spec.mechanisms.items()}
    spreads |= {f"{node}:sigma": spec.noise_of(node).spread for node in spec.modelled}
    for name in sorted({*spreads} - {*spec.spreads}):
        if spreads[name] not in defaults:
            raise SpecError(
                f"{name}: spread={spreads[name]!r}, but an unobserved cause ties its nodes, "
                "and what it ties is common to all units: their differences would seem to "
                "tell the effect from the cause. Leave spread out there; of a channel "
                "with several edges give this one a Response of its own."
            )


def check_experiments(spec: Any) -> None:
    """Raise when an experiment asks what the model cannot answer, or two share a name."""
    names = [e.name for e in spec.experiments]
    twice = sorted({str(n) for n in names if names.count(n) > 1})
    if twice:
        raise SpecError(f"Two experiments are called '{twice[0]}'; give each its own name=.")
    for test in spec.experiments:
        check_estimand(spec, test.estimand)
        for node in test.estimand.treatments:
            if node not in (*spec.treatments, *spec.mediators):
                raise SpecError(
                    f"Experiment '{test.name}' acts on '{node}', which is not a treatment. "
                    f"Treatments: {', '.join(spec.treatments)}; mediators: "
                    f"{', '.join(spec.mediators) or 'none'}. If it can be set, add it to "
                    f"treatments=.{did_you_mean(node, spec.treatments)}"
                )
        for partner in test.covariance:
            if partner not in names:
                partners = [str(n) for n in names if n != test.name]
                raise SpecError(
                    f"Experiment '{test.name}' gives a covariance with '{partner}', which is no "
                    f"experiment of this spec. There is {', '.join(partners) or 'no other'}."
                    f"{did_you_mean(partner, partners)}"
                )
    groups = correlated(spec.experiments)
    _check_names(groups)
    for group in groups:
        if len(group) > 1:
            _check_group(group)


def _check_names(groups: tuple[tuple[Experiment, ...], ...]) -> None:
    """Raise when two likelihood terms, or their data, would share a name in the model."""
    terms = ["+".join(str(test.name) for test in group) for group in groups]
    uses = Counter(f"{term}{part}" for term in terms for part in PARTS)
    twice = sorted(name for name, times in uses.items() if times > 1)
    if twice:
        raise SpecError(
            f"Two things would be called '{twice[0]}': an experiment, and what the model keeps of "
            f"another ({', '.join(p for p in PARTS if p)} after its name, '+' between those of a "
            "group). Rename the experiment."
        )


def _check_group(group: tuple[Experiment, ...]) -> None:
    """Raise when the stated covariances of errors are impossible."""
    names = ", ".join(repr(test.name) for test in group)
    heavy = [repr(test.name) for test in group if test.nu]
    if heavy:
        raise SpecError(
            f"{', '.join(heavy)} has nu= (Student-t) and is tied by a covariance ({names}). Only "
            "normal errors can share a covariance here: leave nu out, or the covariance."
        )
    for a, b in combinations(group, 2):
        stated, limit = covariance_between(a, b) or 0.0, a.std_error * b.std_error
        if abs(stated) > limit * (1 + _ROUNDING):
            raise SpecError(
                f"The covariance of '{a.name}' and '{b.name}', {stated:g}, is more than their "
                f"standard errors allow ({a.std_error:g} x {b.std_error:g} = {limit:g}): a "
                "correlation beyond 1. Give a covariance, in squared units of the lift; for "
                "arms that share a control it is the variance of the control's mean."
            )
    # Sampling errors may be perfectly correlated, so long as biases keep the whole invertible.
    sampled = np.linalg.eigvalsh(error_covariance(group, [t.std_error for t in group]))
    eigenvalues = np.linalg.eigvalsh(error_covariance(group, [t.sd for t in group]))
    if sampled[0] < -_ROUNDING * sampled[-1] or eigenvalues[0] <= _ROUNDING * eigenvalues[-1]:
        raise SpecError(
            f"The errors of {names} cannot have these covariances: their matrix is not positive "
            f"definite (its smallest eigenvalue is {min(sampled[0], eigenvalues[0]):.3g}). Check "
            "the covariances against the standard errors, and state those of the other pairs."
        )


def check_estimand(spec: Any, estimand: Estimand) -> None:
    """Raise when the model cannot answer, or when the answer is zero by construction."""
    graph, outcome = spec.reduced, spec.outcome_of(estimand)
    require_node(spec, outcome, "outcome")
    if outcome not in spec.modelled:
        raise SpecError(
            f"'{outcome}' has no equation in this model, so no effect on it can be told. "
            f"Modelled nodes: {', '.join(spec.modelled)}."
        )
    for key in estimand.keys:
        source = key.split("->")[0].strip()
        require_node(spec, source, f"do({key}=...)")
        if "->" in key and Edge.parse(key) not in graph.edges:
            raise SpecError(
                f"do({key}=...): there is no such edge. Edges: {', '.join(map(str, graph.edges))}."
            )
        if source in spec.graph.latent:
            raise SpecError(f"do({key}=...): '{source}' is latent; it cannot be set.")
        if source == outcome or outcome not in graph.descendants(source):
            raise SpecError(
                f"do({key}=...): there is no directed path from '{source}' to '{outcome}', so "
                "the effect is zero by your graph."
            )
        nodes = {*graph.descendants(source)} & {*graph.ancestors(outcome)}
        frozen = sorted(nodes - {*spec.modelled} - {*spec.treatments})
        if frozen:
            raise SpecError(
                f"do({key}=...): '{source}' acts through '{frozen[0]}', which this model "
                f"conditions on. Name '{source}' in treatments= so that it gets an equation."
            )


def check_augmentation(spec: Any) -> None:
    """Raise when the model needs the order of rows, which augmentation does not keep."""
    augmentation = spec.augmentation
    if augmentation is None:
        return
    if not isinstance(augmentation, Augmentation):
        raise SpecError(f"augmentation is an Augmentation(weight=0.3); got {augmentation!r}.")
    remedy = "Leave augmentation out; the graph is in the model anyway."
    for node in spec.modelled:
        if isinstance(spec.noise_of(node), AR1Noise):
            raise SpecError(
                f"The errors of '{node}' remember the week before (AR1Noise), and augmentation "
                f"takes weeks out of their order, so no augmented row has a week before. {remedy}"
            )
    if spec.structure.has_feedback:
        cycle = [v for v in spec.structure.nodes if v in spec.structure.ancestors(v)]
        raise SpecError(
            f"'{cycle[0]}' acts on its own future, and augmentation takes weeks out of their "
            f"order, so no augmented row has a past. {remedy}"
        )
    conditionals = augmentation.conditional if isinstance(augmentation.conditional, Mapping) else {}
    for node in conditionals:
        require_node(spec, node, "augmentation: conditional")
