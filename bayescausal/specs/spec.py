"""`Spec`: a graph, how its edges act, what else moves its nodes, and what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pandas as pd

from bayescausal.errors import GraphError, SpecError, did_you_mean
from bayescausal.specs.baseline import Intercept, Term
from bayescausal.specs.edge import Edge
from bayescausal.specs.estimand import Estimand, node_or_edge
from bayescausal.specs.experiment import Experiment
from bayescausal.specs.files import dump_yaml, load_yaml, read_spec, write_spec
from bayescausal.specs.graph import Graph
from bayescausal.specs.noise import (
    NOISES,
    Noise,
    NormalNoise,
)
from bayescausal.specs.response import Response

LINKS = ("identity", "log")
POLICIES = ("held", "reacts")


@dataclass(frozen=True)
class Spec:
    """Everything that is claimed, checked as a whole.

    For each modelled node ``v`` (an outcome, or a node between a treatment and an outcome)

        g_v(x_v) = baseline_v + sum_{p -> v} r_pv(x_p) + e_v

    and every other node is conditioned on. Nodes that are no ancestor of an outcome, or of a
    node that an experiment measures, are left out: adjusting for them could open a path.

    Parameters
    ----------
    graph : Graph
        The causal graph, with its outcome.
    responses : mapping of str to Response
        How causes act. A key is a node (all of its outgoing edges) or one edge, ``"tv->sales"``.
        Edges without an entry are plain: ``beta * x``.
    baseline : sequence of terms, or mapping of node to sequence
        For every equation, or equation by equation. Each has an intercept anyway.
    experiments : sequence of Experiment
        Lift tests, as likelihood terms.
    noise : NormalNoise, StudentTNoise, or mapping of node to one
        The errors.
    links : mapping of node to {"identity", "log"}
        ``log`` for a positive node whose causes multiply.
    treatments : sequence of str
        Nodes that can be acted on, besides those that have a response of their own.
    policy : mapping of node to {"held", "reacts"}
        Needed for a treatment that other treatments move (media that drive media, a budget that
        follows sales): does it keep its plan when they change, or react as a mediator does?

    Raises
    ------
    SpecError, GraphError
        Parts that do not fit each other; the message says which and what to do.

    Notes
    -----
    Source: MODEL.md section 3.

    Examples
    --------
    >>> from bayescausal.specs.adstock import GeometricAdstock
    >>> from bayescausal.specs.saturation import HillSaturation
    >>> graph = Graph.parse("tv -> search -> sales; tv -> sales".replace(";", chr(10)),
    ...                     outcome="sales")
    >>> media = Response(GeometricAdstock(l_max=4), HillSaturation())
    >>> Spec(graph, {"tv": media}).modelled
    ('search', 'sales')
    """

    graph: Graph
    responses: Mapping[str, Response] = field(default_factory=dict)
    baseline: tuple[Term, ...] | Mapping[str, tuple[Term, ...]] = ()
    experiments: tuple[Experiment, ...] = ()
    noise: Noise | Mapping[str, Noise] = NormalNoise()  # noqa: RUF009 (frozen value)
    links: Mapping[str, str] = field(default_factory=dict)
    treatments: tuple[str, ...] = ()
    policy: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.graph, self.treatments, frozenset(self.responses)))

    def __post_init__(self) -> None:
        if not isinstance(self.graph, Graph):
            raise SpecError(
                f"graph must be a Graph; got {type(self.graph).__name__}. "
                "Write Graph.parse('tv -> sales', outcome='sales')."
            )
        if not self.graph.outcomes:
            raise SpecError(
                "The graph has no outcome: write Graph.parse(text, outcome='sales'). "
                f"Nodes: {', '.join(self.graph.nodes)}."
            )
        for what in ("responses", "links", "policy"):
            given = getattr(self, what)
            if not isinstance(given, Mapping):
                raise SpecError(f"{what} is a mapping, such as {{'tv': ...}}; got {given!r}.")
            object.__setattr__(self, what, dict(given))
        terms: Any = (
            {k: _several(v, Term, f"baseline['{k}']") for k, v in self.baseline.items()}
            if isinstance(self.baseline, Mapping)
            else _several(self.baseline, Term, "baseline")
        )
        object.__setattr__(self, "baseline", terms)
        if isinstance(self.noise, Mapping):
            object.__setattr__(self, "noise", dict(self.noise))
        tests = _several(self.experiments, Experiment, "experiments")
        object.__setattr__(self, "experiments", tests)
        self._check_responses()
        own = [key.split("->")[0] for key in self.responses]
        acting = {*_several(self.treatments, str, "treatments"), *own}
        object.__setattr__(self, "treatments", tuple(sorted(acting)))
        self._check_policy()
        self._check_graph()
        self._check_equations()
        self._check_experiments()

    # -- what follows from the graph -----------------------------------------------------------

    @cached_property
    def reduced(self) -> Graph:
        """The graph of the model: latents projected out, only ancestors of what is measured.

        Edges into treatments that are held are left out: they set a plan that worlds do not change.
        """
        observed = self.graph.project()
        targets = {*observed.outcomes, *(self.outcome_of(e.estimand) for e in self.experiments)}
        inside = observed.restrict({*targets, *observed.ancestors(*targets)})
        held = {node for node, policy in self.policy.items() if policy == "held"}
        return replace(inside, edges=tuple(e for e in inside.edges if e.target not in held))

    @cached_property
    def modelled(self) -> tuple[str, ...]:
        """Nodes with a structural equation, causes first."""
        graph = self.reduced
        acting = [t for t in self.treatments if t in graph.nodes]
        below = {*graph.descendants(*acting)} if acting else set()
        return tuple(v for v in graph.order if v in below or v in graph.outcomes)

    @cached_property
    def mechanisms(self) -> dict[Edge, Response]:
        """The response of every edge into a modelled node."""
        plain = Response()
        return {
            edge: self.responses.get(str(edge), self.responses.get(edge.source, plain))
            for node in self.modelled
            for edge in self.reduced.incoming(node)
        }

    @property
    def inputs(self) -> tuple[str, ...]:
        """Nodes that are conditioned on."""
        sources = {edge.source for edge in self.mechanisms}
        return tuple(sorted(sources - set(self.modelled)))

    @property
    def mediators(self) -> tuple[str, ...]:
        """Modelled nodes that are no outcome."""
        return tuple(v for v in self.modelled if v not in self.graph.outcomes)

    def terms(self, node: str) -> tuple[Term, ...]:
        """Baseline terms of a node's equation, its intercept first."""
        if isinstance(self.baseline, Mapping):
            given = tuple(self.baseline.get(node, ()))
        else:
            given = self.baseline
        rest = [t for t in given if not isinstance(t, Intercept)]
        levels = [t for t in given if isinstance(t, Intercept)] or [Intercept()]
        return (*levels, *rest)

    def noise_of(self, node: str) -> Noise:
        """The errors of a node's equation."""
        if isinstance(self.noise, Mapping):
            return self.noise.get(node, NormalNoise())
        return self.noise

    def link(self, node: str) -> str:
        """The link of a node's equation."""
        return self.links.get(node, "identity")

    def outcome_of(self, estimand: Estimand) -> str:
        """The node whose change an estimand counts."""
        return estimand.outcome or self.graph.outcome

    # -- checks --------------------------------------------------------------------------------

    def _check_responses(self) -> None:
        tidy: dict[str, Response] = {}
        edges = {str(e) for e in (*self.graph.edges, *self.graph.project().edges)}
        for given, response in self.responses.items():
            key = node_or_edge(given)
            if not isinstance(response, Response):
                raise SpecError(
                    f"responses['{key}'] must be a Response; got {response!r}. "
                    "Write Response(GeometricAdstock(l_max=8), HillSaturation())."
                )
            if "->" not in key:
                self._require_node(key, f"responses['{key}']")
            elif key not in edges:
                raise SpecError(
                    f"responses['{key}']: there is no such edge. Edges: "
                    f"{', '.join(sorted(edges))}.{did_you_mean(key, edges)}"
                )
            if key in tidy:
                raise SpecError(f"responses names '{key}' twice.")
            tidy[key] = response
            hidden = [v for v in key.split("@")[0].split("->") if v in self.graph.latent]
            if hidden:
                raise SpecError(
                    f"responses['{key}']: '{hidden[0]}' is latent; it has no exposure and no "
                    "equation. Give the response to an observed node or edge: "
                    f"{', '.join(map(str, self.graph.project().edges))}."
                )
        object.__setattr__(self, "responses", tidy)

    def _require_node(self, name: str, where: str) -> None:
        if name not in self.graph.nodes:
            raise SpecError(
                f"{where}: '{name}' is not in the graph. Nodes: {', '.join(self.graph.nodes)}."
                f"{did_you_mean(name, self.graph.nodes)}"
            )

    def _check_graph(self) -> None:
        for node in self.treatments:
            self._require_node(node, "treatments")
            if node in self.graph.latent:
                raise SpecError(f"treatments: '{node}' is latent; it cannot be set.")
        for outcome in self.graph.outcomes:
            if not self.graph.parents(outcome):
                raise GraphError(
                    f"The outcome '{outcome}' has no parents: nothing in the graph acts on it. "
                    f"Add an edge such as 'tv -> {outcome}'."
                )
        if not self.treatments:
            raise SpecError(
                "No treatment: give at least one node a Response, e.g. responses={'tv': "
                "Response(GeometricAdstock(), HillSaturation())}, or name it in treatments=."
            )
        for node in self.treatments:
            if node not in self.reduced.nodes or not self.reduced.descendants(node):
                raise GraphError(
                    f"The treatment '{node}' reaches no outcome "
                    f"({', '.join(self.graph.outcomes)}): there is no directed path, so its effect "
                    "is zero by your graph. Add the missing edge, or drop the treatment."
                )
        for node in self.modelled:
            district = self.reduced.district(node)
            if len(district) > 1:
                raise SpecError(
                    f"'{node}' shares an unobserved cause with "
                    f"{', '.join(d for d in district if d != node)}. This version does not model "
                    "correlated errors, and ignoring them would sell an association as an effect. "
                    "Observe the common cause, or leave a confounded mediator out with "
                    "graph.project(latent={...})."
                )
        loop = [v for v in self.modelled if v in self.reduced.ancestors(v)]
        if loop:
            paid = next((v for v in loop if v in self.treatments), None)
            raise SpecError(
                f"{', '.join(loop)} feed back on themselves through lagged edges. This version "
                "solves equations node by node, not period by period. "
                + (
                    f"Hold the plan as it was: policy={{'{paid}': 'held'}}."
                    if paid
                    else "Leave the lagged edge out."
                )
            )

    def _check_policy(self) -> None:
        for node, policy in self.policy.items():
            self._require_node(node, "policy")
            if policy not in POLICIES:
                raise SpecError(
                    f"policy['{node}'] is one of {', '.join(POLICIES)}; got {policy!r}."
                )
            if node not in self.treatments:
                raise SpecError(
                    f"policy['{node}']: only a treatment has a plan that can be held. Treatments: "
                    f"{', '.join(self.treatments)}."
                )
        graph = self.reduced
        for node in self.treatments:
            above = graph.ancestors(node) if node in graph.nodes else ()
            movers = [t for t in self.treatments if t in above]
            if movers and node not in self.policy:
                raise SpecError(
                    f"'{node}' is a treatment and is itself moved by {', '.join(movers)}. When "
                    f"they change, does it react, or is its plan held? The effects differ: say "
                    f"policy={{'{node}': 'reacts'}} or policy={{'{node}': 'held'}}."
                )

    def _check_equations(self) -> None:
        for what in ("baseline", "noise", "links"):
            given = getattr(self, what)
            for node in given if isinstance(given, Mapping) else ():
                self._require_node(node, what)
                if node not in self.modelled:
                    raise SpecError(
                        f"{what}['{node}']: '{node}' has no equation; it is conditioned on. "
                        f"Modelled nodes: {', '.join(self.modelled)}."
                    )
        for node, link in self.links.items():
            if link not in LINKS:
                raise SpecError(f"links['{node}'] is one of {', '.join(LINKS)}; got {link!r}.")
        for node in self.modelled:
            if not isinstance(self.noise_of(node), tuple(NOISES.values())):
                raise SpecError(f"noise: NormalNoise() or StudentTNoise(); got {self.noise!r}.")
            keys = [t.key for t in self.terms(node)]
            taken = sorted({*keys} & {*self.graph.nodes})
            if taken:
                raise SpecError(
                    f"baseline: the term '{taken[0]}' has the name of a node. Rename the "
                    "event, or the node and its column."
                )
            twice = sorted({k for k in keys if keys.count(k) > 1} | ({"sigma", "nu"} & {*keys}))
            if twice:
                raise SpecError(f"baseline: two terms of '{node}' are called '{twice[0]}'.")

    def _check_experiments(self) -> None:
        names = [e.name for e in self.experiments]
        twice = sorted({str(n) for n in names if names.count(n) > 1})
        if twice:
            raise SpecError(f"Two experiments are called '{twice[0]}'; give each its own name=.")
        for test in self.experiments:
            self.check_estimand(test.estimand)
            for node in test.estimand.treatments:
                if node not in (*self.treatments, *self.mediators):
                    raise SpecError(
                        f"Experiment '{test.name}' acts on '{node}', which is not a treatment. "
                        f"Treatments: {', '.join(self.treatments)}; mediators: "
                        f"{', '.join(self.mediators) or 'none'}. If it can be set, add it to "
                        f"treatments=.{did_you_mean(node, self.treatments)}"
                    )

    def check_estimand(self, estimand: Estimand) -> None:
        """Raise when the model cannot answer, or when the answer is zero by construction."""
        graph, outcome = self.reduced, self.outcome_of(estimand)
        self._require_node(outcome, "outcome")
        if outcome not in self.modelled:
            raise SpecError(
                f"'{outcome}' has no equation in this model, so no effect on it can be told. "
                f"Modelled nodes: {', '.join(self.modelled)}."
            )
        for key in estimand.keys:
            source = key.split("->")[0].strip()
            self._require_node(source, f"do({key}=...)")
            if "->" in key and Edge.parse(key) not in graph.edges:
                raise SpecError(
                    f"do({key}=...): there is no such edge. Edges: "
                    f"{', '.join(map(str, graph.edges))}."
                )
            if source in self.graph.latent:
                raise SpecError(f"do({key}=...): '{source}' is latent; it cannot be set.")
            if source == outcome or outcome not in graph.descendants(source):
                raise SpecError(
                    f"do({key}=...): there is no directed path from '{source}' to '{outcome}', so "
                    "the effect is zero by your graph."
                )
            between = {*graph.descendants(source)} & {*graph.ancestors(outcome)}
            frozen = sorted(between - {*self.modelled} - {*self.treatments})
            if frozen:
                raise SpecError(
                    f"do({key}=...): '{source}' acts through '{frozen[0]}', which this model "
                    f"conditions on. Name '{source}' in treatments= so that it gets an equation."
                )

    # -- reading, writing, showing -------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict for YAML and JSON."""
        return write_spec(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Spec:
        """Read what `to_dict` wrote, or the ``spec`` part of a YAML file."""
        return cls(**read_spec(given))

    def to_yaml(self) -> str:
        """Write YAML that `from_yaml` reads back to an equal value."""
        return dump_yaml(self.to_dict())

    @classmethod
    def from_yaml(cls, text: str) -> Spec:
        """Read YAML; tags that would run code are refused."""
        return cls.from_dict(load_yaml(text))

    def table(self) -> pd.DataFrame:
        """One row a parameter group: equation, part, form, prior."""
        rows = []
        for node in self.modelled:
            for term in self.terms(node):
                if isinstance(term, Intercept):
                    rows.append((node, "intercept", "level", repr(term.prior)))
                else:
                    prior = "; ".join(
                        (f"{k}: " if k else "") + repr(p) for k, (p, _) in term.priors.items()
                    )
                    rows.append((node, term.key, type(term).__name__, prior))
            for edge in self.reduced.incoming(node):
                response = self.mechanisms[edge]
                form = " > ".join(type(t).__name__ for t in response.transforms) or "plain"
                view = f"{type(response.strength).__name__}: {response.strength.prior!r}"
                rest = "".join(f"; {k}: {p!r}" for k, p in response.priors.items())
                rows.append((node, str(edge), form, view + rest))
            noise = self.noise_of(node)
            prior = "; ".join(f"{k}: {p!r}" for k, p in noise.priors.items())
            rows.append((node, "error", f"{type(noise).__name__}, {self.link(node)} link", prior))
        rows.extend(
            (
                self.outcome_of(e.estimand),
                f"lift:{e.name}",
                f"{e.estimand!r}, {e.design}",
                f"measured {e.lift:g} +/- {e.sd:g}",
            )
            for e in self.experiments
        )
        return pd.DataFrame(rows, columns=["equation", "part", "form", "prior"])

    def __repr__(self) -> str:
        table = self.table()
        table["equation"] = table["equation"].where(~table["equation"].duplicated(), "")
        given = ", ".join(self.inputs) or "nothing"
        return f"Spec: conditions on {given}\n{table.to_string(index=False, justify='left')}"

    def _repr_html_(self) -> str:
        return self.table().to_html(index=False, border=0)


def _several(given: Any, kind: type, what: str) -> tuple:
    """Return one value of a kind, or a sequence of them, as a tuple."""
    values = (given,) if isinstance(given, kind) else given
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise SpecError(f"{what} takes one {kind.__name__} or a sequence; got {given!r}.")
    values = tuple(values)
    for value in values:
        if not isinstance(value, kind):
            call = " Write it with brackets, to make a value." if isinstance(value, type) else ""
            raise SpecError(f"{what} takes {kind.__name__} values; got {value!r}.{call}")
    return values
