"""Write a spec as a plain dict or YAML, and read it: no code runs, unknown keys are errors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import yaml

from bayescausal.checks import check_keys
from bayescausal.errors import SpecError, did_you_mean, shown
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.graph import Graph
from bayescausal.specs.augmentation import Augmentation
from bayescausal.specs.baseline import (
    HSGPTrend,
    Intercept,
    LinearTrend,
    MonthlySeasonality,
    PiecewiseTrend,
    Term,
    WeeklySeasonality,
    YearlySeasonality,
)
from bayescausal.specs.events import Event, Holidays
from bayescausal.specs.graph_decision import GraphDecision
from bayescausal.specs.noise import noise_from_dict, noise_to_dict
from bayescausal.specs.prior import Prior
from bayescausal.specs.response import Response

KEYS = (
    "graph",
    "outcome",
    "responses",
    "baseline",
    "experiments",
    "noise",
    "links",
    "treatments",
    "policy",
    "correlations",
    "augmentation",
    "decisions",
)
TERMS: dict[str, type[Term]] = {
    kind.__name__: kind
    for kind in (
        Intercept,
        LinearTrend,
        PiecewiseTrend,
        YearlySeasonality,
        MonthlySeasonality,
        WeeklySeasonality,
        Event,
        Holidays,
        HSGPTrend,
    )
}


def fingerprint(claims: list[Any]) -> str:
    """Return the SHA-256 of plain values: equal ones ask the same of the same data."""
    text = json.dumps(claims, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def term_from_dict(entry: Any) -> Term:
    """Read what `Term.to_dict` wrote, or a bare kind."""
    kind = entry.get("kind") if isinstance(entry, dict) else entry
    if not isinstance(kind, str) or kind not in TERMS:
        raise SpecError(
            f"{shown(kind)} is no baseline term. Known: {', '.join(TERMS)}."
            f"{did_you_mean(str(kind), TERMS)}"
        )
    settings = {} if isinstance(entry, str) else {k: v for k, v in entry.items() if k != "kind"}
    check_keys(settings, [item.name for item in fields(TERMS[kind])], kind)
    for key, value in settings.items():
        if isinstance(value, dict):
            settings[key] = Prior.from_dict(value)
        elif isinstance(value, list):
            settings[key] = tuple(value)
    return TERMS[kind](**settings)


def write_spec(spec: Any) -> dict[str, Any]:
    """Return a `Spec` as a plain dict."""
    base: Any = spec.baseline
    base = (
        {k: [t.to_dict() for t in v] for k, v in base.items()}
        if isinstance(base, Mapping)
        else [t.to_dict() for t in base]
    )
    noise: Any = spec.noise
    noise = (
        {k: noise_to_dict(v) for k, v in noise.items()}
        if isinstance(noise, Mapping)
        else None
        if noise is None
        else noise_to_dict(noise)
    )
    return {
        "graph": spec.graph.to_text(),
        "outcome": list(spec.graph.outcomes),
        "responses": {k: r.to_dict() for k, r in spec.responses.items()},
        "baseline": base,
        "experiments": [e.to_dict() for e in spec.experiments],
        **({} if noise is None else {"noise": noise}),
        "links": dict(spec.links),
        "treatments": list(spec.treatments),
        "policy": dict(spec.policy),
        "correlations": {k: p.to_dict() for k, p in spec.correlations.items()},
        **({"augmentation": spec.augmentation.to_dict()} if spec.augmentation else {}),
        **({"decisions": [d.to_dict() for d in spec.decisions]} if spec.decisions else {}),
    }


def read_spec(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `Spec` from what `write_spec` wrote."""
    check_keys(mapping, KEYS, "spec")
    if "graph" not in mapping:
        raise SpecError("spec: 'graph' is missing.")
    if not isinstance(mapping["graph"], str):
        raise SpecError(
            f"spec: 'graph' is text, one statement a line; got {shown(mapping['graph'])}."
        )
    outcome = _part(mapping, "outcome", str, list, tuple) or None
    base: Any = _part(mapping, "baseline", Mapping, list, tuple)
    noise: Any = mapping.get("noise")
    by_node = isinstance(noise, Mapping) and not isinstance(noise.get("kind"), str)
    try:
        return {
            "graph": Graph.parse(mapping["graph"], outcome=outcome),
            "responses": {
                k: Response.from_dict(v) for k, v in _part(mapping, "responses", Mapping).items()
            },
            "baseline": (
                {k: tuple(map(term_from_dict, _part(base, k, list, tuple))) for k in base}
                if isinstance(base, Mapping)
                else tuple(map(term_from_dict, base))
            ),
            "experiments": tuple(
                map(Experiment.from_dict, _part(mapping, "experiments", list, tuple))
            ),
            "noise": (
                None
                if noise is None
                else {k: noise_from_dict(v) for k, v in noise.items()}
                if by_node
                else noise_from_dict(noise)
            ),
            "links": _part(mapping, "links", Mapping),
            "treatments": _part(mapping, "treatments", list, tuple, str),
            "policy": _part(mapping, "policy", Mapping),
            "correlations": {
                k: Prior.from_dict(v) for k, v in _part(mapping, "correlations", Mapping).items()
            },
            "augmentation": (
                None
                if mapping.get("augmentation") is None
                else Augmentation.from_dict(mapping["augmentation"])
            ),
            "decisions": tuple(
                map(GraphDecision.from_dict, _part(mapping, "decisions", list, tuple))
            ),
        }
    except TypeError as error:
        raise SpecError(f"spec: {error}") from None


def _part(mapping: Mapping[str, Any], key: str, *kinds: type) -> Any:
    """Return the value of a key, an empty one when it is missing; raise for another kind."""
    value = mapping.get(key)
    if value is None:
        return {} if kinds[0] is Mapping else ()
    if not isinstance(value, kinds):
        names = {Mapping: "mapping", list: "list", str: "name"}
        expected = " or a ".join(names[kind] for kind in kinds if kind in names)
        raise SpecError(f"spec: '{key}' is a {expected}; got {shown(value)}.")
    return value


def dump_yaml(mapping: dict[str, Any]) -> str:
    """Write YAML, keys in their order and texts of several lines as blocks."""
    return yaml.dump(mapping, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Writes the graph as a block of lines and tuples as lists."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)
_Dumper.add_representer(tuple, lambda dumper, items: dumper.represent_list(list(items)))
