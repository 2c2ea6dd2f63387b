"""What the graph of a spec lets data tell, bound to what its fit has learned."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from bayescausal._types import Node
from bayescausal.errors import NotIdentified
from bayescausal.identification.identification import Identification
from bayescausal.identification.ladder import Grade, grade
from bayescausal.identification.verdicts import identify
from bayescausal.specs.estimand import Estimand, incremental
from bayescausal.specs.experiment import Experiment
from bayescausal.specs.graph import Graph
from bayescausal.specs.spec import Spec


def verdict(spec: Spec, estimand: Estimand) -> Identification:
    """Return the verdict on an effect in the worlds of a spec: its tests, its policy.

    Treatments that are held keep their plan, unless they are asked about.
    """
    held = spec.held.difference(estimand.treatments)
    if estimand.outcome is None:
        estimand = estimand.on(spec.graph.outcomes[0])
    return _verdict(spec.graph, estimand, spec.experiments, tuple(sorted(held)))


@lru_cache(maxsize=512)
def _verdict(
    graph: Graph, estimand: Estimand, tests: tuple[Experiment, ...], held: tuple[Node, ...]
) -> Identification:
    return identify(graph, estimand, tests, held=held)


def graded(
    spec: Spec,
    estimand: Estimand,
    part: str = "total",
    learned: Mapping[str, Mapping[str, float]] | None = None,
) -> Grade:
    """Return the grade of an effect.

    ``learned`` is what a fit says: ``contraction`` by treatment, ``z`` by test.
    """
    found = verdict(spec, estimand)
    by_treatment = (learned or {}).get("contraction", {})
    shares = [by_treatment[t] for t in found.treatments if t in by_treatment]
    share = min(shares) if len(shares) == len(found.treatments) else None
    z = (learned or {}).get("z")
    return grade(found, spec.experiments, part=part, contraction=share, z=z)


def require_identified(spec: Spec, estimand: Estimand, part: str = "total") -> None:
    """Raise `NotIdentified`, with what would settle it, when data cannot tell the effect."""
    found = verdict(spec, estimand)
    status = graded(spec, estimand, part).status
    if status == "not identified":
        raise NotIdentified(advice(found, part))


def advice(found: Identification, part: str = "total") -> str:
    """Say that an effect is not identified, why, and what would settle it."""
    effect = f"the {part} effect of {', '.join(found.treatments)} on {found.outcome}"
    why = f" Open: {found.stubborn[0]}." if found.stubborn and part == "total" else ""
    if part != "total":
        why = f" {found.split_reason[:1].upper()}{found.split_reason[1:]}."
    remedies = " ".join(remedy.words for remedy in found.remedies)
    return (
        f"{effect[:1].upper()}{effect[1:]} is not identified by your graph: the priors, not the "
        f"data, set its interval.{why} {remedies or 'Ask for another effect.'}"
    )


def require_all(spec: Spec, treatments: tuple[Node, ...]) -> None:
    """Raise `NotIdentified` when the total effect of a treatment is not identified."""
    for treatment in treatments:
        require_identified(spec, incremental(treatment))
