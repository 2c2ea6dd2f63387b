"""`Spec` holds a graph, how its edges act, what else moves its nodes, and the lift tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any

import pandas as pd

from bayescausal._display import filled, wrapped
from bayescausal.checks import several
from bayescausal.errors import SpecError
from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.edge import Edge
from bayescausal.graphs.graph import Graph, components
from bayescausal.specs import rules
from bayescausal.specs.augmentation import Augmentation
from bayescausal.specs.baseline import Intercept, Term
from bayescausal.specs.confounder import CORRELATION, Confounder
from bayescausal.specs.graph_decision import GraphDecision
from bayescausal.specs.noise import AR1Noise, Noise, NormalNoise
from bayescausal.specs.prior import COMMON, Prior, Spread
from bayescausal.specs.response import Response
from bayescausal.specs.serialization import dump_yaml, read_spec, write_spec
from bayescausal.specs.yaml_loader import load_yaml

_PART = 20  # the width of names in a printed spec; longer ones push what follows


@dataclass(frozen=True)
class Spec:
    """Everything that is claimed, checked as a whole.

    For each modelled node ``v`` (an outcome, a node between a treatment and an outcome, or one
    that shares an unobserved cause with such a node)

        g_v(x_v) = baseline_v + sum_{p -> v} r_pv(x_p) + e_v

    with errors that are correlated where the graph has ``<->``. Every other node is conditioned
    on. A treatment that shares an unobserved cause with the outcome so gets an equation too, its
    budget rule, whose residual is the control function. A *proxy*, a node that causes no outcome
    but shares an unobserved cause with one or with a mediator, has an equation: its errors tell of
    theirs, while adjusting for it could open a path. Other nodes that cause nothing that is
    measured are left out.

    Parameters
    ----------
    graph : Graph
        The causal graph, with its outcome.
    responses : mapping of str to Response
        How causes act. A key is a node (all of its outgoing edges) or one edge, ``"tv->sales"``.
        Edges without an entry are plain: ``beta * x``. A node with a response is a treatment,
        the memory of an outcome (``"sales->sales@1"``) excepted.
    baseline : sequence of terms, or mapping of node to sequence
        For every equation, or equation by equation. Each has an intercept anyway.
    experiments : sequence of Experiment
        Lift tests, as likelihood terms.
    noise : NormalNoise, StudentTNoise, AR1Noise, or mapping of node to one, optional
        The errors. By default they remember the period before (`AR1Noise`), since what is in no
        equation lasts for weeks; see `remembers` for the exceptions.
    links : mapping of node to {"identity", "log"}
        ``log`` for a positive node whose causes multiply. By default identity; of a budget that has
        an equation, the one on which its data are closer to normal.
    treatments : sequence of str
        Nodes that can be acted on, besides those that have a response of their own.
    policy : mapping of node to {"held", "reacts"}
        Needed for a treatment that other treatments move (media that drive media): does it keep
        its plan when they change, or react as a mediator does? A budget that follows past sales
        (``sales -> tv @ 1``) is held unless it says ``reacts``.
    correlations : mapping of str to Prior
        Of the errors of a pair with an unobserved common cause, ``"search<->tv"``, or of the
        loadings of a cause of several nodes, ``"a<->b<->c"``. By default
        ``TruncatedNormal(0, 0.5)`` on (-1, 1).
    augmentation : Augmentation, optional
        Fit rows that the graph recombined beside the observed ones.
    decisions : sequence of GraphDecision
        What people decided about doubts in the graph, as a log; no equation depends on it.

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
    noise: Noise | Mapping[str, Noise] | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    treatments: tuple[str, ...] = ()
    policy: Mapping[str, str] = field(default_factory=dict)
    correlations: Mapping[str, Prior] = field(default_factory=dict)
    augmentation: Augmentation | None = None
    decisions: tuple[GraphDecision, ...] = ()

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
        for part in ("responses", "links", "policy", "correlations"):
            value = getattr(self, part)
            if not isinstance(value, Mapping):
                raise SpecError(f"{part} is a mapping, such as {{'tv': ...}}; got {value!r}.")
            object.__setattr__(self, part, dict(value))
        tidy = {
            "<->".join(sorted(name.strip() for name in str(key).split("<->"))): prior
            for key, prior in self.correlations.items()
        }
        object.__setattr__(self, "correlations", tidy)
        terms: Any = (
            {k: _as_tuple(v, Term, f"baseline['{k}']") for k, v in self.baseline.items()}
            if isinstance(self.baseline, Mapping)
            else _as_tuple(self.baseline, Term, "baseline")
        )
        object.__setattr__(self, "baseline", terms)
        if isinstance(self.noise, Mapping):
            object.__setattr__(self, "noise", dict(self.noise))
        tests = _as_tuple(self.experiments, Experiment, "experiments")
        object.__setattr__(self, "experiments", tests)
        log = _as_tuple(self.decisions, GraphDecision, "decisions")
        object.__setattr__(self, "decisions", log)
        object.__setattr__(self, "responses", rules.tidy_responses(self))
        memory = {f"{v}->{v}@" for v in self.graph.outcomes}
        acts = [k for k in self.responses if not k.startswith(tuple(memory))]
        sources = [key.split("->")[0] for key in acts]
        acting = {*_as_tuple(self.treatments, str, "treatments"), *sources}
        object.__setattr__(self, "treatments", tuple(sorted(acting)))
        rules.check_policy(self)
        rules.check_graph(self)
        rules.check_equations(self)
        rules.check_confounding(self)
        rules.check_experiments(self)
        rules.check_augmentation(self)

    # -- what follows from the graph -----------------------------------------------------------

    @cached_property
    def measured(self) -> frozenset[str]:
        """The outcomes of the graph and of the experiments."""
        return frozenset(
            {*self.graph.outcomes, *(self.outcome_of(e.estimand) for e in self.experiments)}
        )

    @cached_property
    def structure(self) -> Graph:
        """The graph of the equations, latents projected out: what bears on the outcomes.

        These are what is measured, its ancestors, and its *proxies*: nodes that an unobserved cause
        ties to an outcome or a mediator, with their ancestors. Nothing causes sales through a
        proxy, and adjusting for one may bias; but its errors tell of those of sales, so the joint
        likelihood knows more than that of the ancestors. What descends from an outcome is no
        proxy: how it follows the outcome and what ties them cannot be told apart.
        """
        observed = self.graph.project()
        nodes = {*self.measured, *observed.ancestors(*self.measured)}
        descendants = {*observed.descendants(*self.measured)}
        acting = [t for t in self.treatments if t in observed.nodes]
        reacting = {*observed.descendants(*acting)} - {*acting} if acting else set()
        while True:
            equations = nodes & {*self.measured, *reacting}
            proxies = {w for v in equations for w in observed.district(v)} - descendants
            closure = nodes | proxies | {*observed.ancestors(*proxies)}
            if closure == nodes:
                return observed.restrict(nodes)
            nodes = closure

    @cached_property
    def held(self) -> frozenset[str]:
        """The treatments that keep their plan in every world.

        Those with that policy, and those without one that follow the past of their own effects.
        """
        loops = {t for t in self.treatments if t in self.structure.nodes and self._follows(t)}
        return frozenset(t for t in loops | {*self.policy} if self.policy.get(t, "held") == "held")

    def _follows(self, node: str) -> bool:
        return node in self.structure.ancestors(node)

    @cached_property
    def reduced(self) -> Graph:
        """The causal graph of every world: `structure` without the edges into what is held."""
        graph = self.structure
        return replace(
            graph,
            edges=tuple(e for e in graph.edges if e.target not in self.held),
            isolated=graph.nodes,
        )

    @cached_property
    def reacting(self) -> Spec:
        """The same spec, but every treatment with an equation reacts in its worlds."""
        react = {t: "reacts" for t in self.held if t in self.modelled}
        noise = {v: self.noise_of(v) for v in self.modelled}
        return replace(self, policy={**self.policy, **react}, noise=noise)

    @cached_property
    def modelled(self) -> tuple[str, ...]:
        """The nodes with a structural equation, causes first; a district is modelled as a whole."""
        graph = self.reduced
        acting = [t for t in self.treatments if t in graph.nodes]
        descendants = {*graph.descendants(*acting)} if acting else set()
        nodes = {v for v in graph.nodes if v in descendants or v in graph.outcomes}
        nodes |= {v for district in graph.districts if nodes & {*district} for v in district}
        edges = [e for e in self.structure.edges if nodes.issuperset(e[:2])]
        return tuple(chain(*components(nodes, edges)))

    @cached_property
    def mechanisms(self) -> dict[Edge, Response]:
        """The response of every edge into a modelled node."""
        plain = Response()
        return {
            edge: self.responses.get(str(edge), self.responses.get(edge.source, plain))
            for node in self.modelled
            for edge in self.structure.incoming(node)
        }

    @cached_property
    def confounders(self) -> tuple[Confounder, ...]:
        """The unobserved causes of two modelled nodes or more."""
        groups = {tuple(v for v in g if v in self.modelled) for g in self.graph.common_causes}
        sizable = sorted(g for g in groups if len(g) > 1)
        return tuple(
            Confounder(g, self.correlations.get("<->".join(g), CORRELATION)) for g in sizable
        )

    @cached_property
    def spreads(self) -> dict[str, Spread]:
        """How far the units of a panel differ, by strength (``tv->sales``) and scale of errors.

        What an unobserved cause ties together is common to all units: the scales of the nodes, and
        the strength of an edge between them. The cause adds ``rho sigma_y / sigma_x`` to the slope
        of y on x. If either part could differ between units, their differences would tell the
        two apart, on the strength of an assumption (Rigobon 2003) that no verdict counts on.
        """
        district = {v: group for group in self.structure.districts for v in group}
        edges = {str(e): (e.source, e.target, r.spread) for e, r in self.mechanisms.items()}
        strengths = {name: s for name, (v, w, s) in edges.items() if district[v] != district[w]}
        unconfounded = [v for v in self.modelled if len(district[v]) == 1]
        return strengths | {f"{v}:sigma": self.noise_of(v).spread for v in unconfounded}

    @property
    def inputs(self) -> tuple[str, ...]:
        """The nodes that the model conditions on."""
        sources = {edge.source for edge in self.mechanisms}
        return tuple(sorted(sources - set(self.modelled)))

    @property
    def mediators(self) -> tuple[str, ...]:
        """The nodes between a treatment and what is measured, which react to interventions."""
        graph = self.reduced
        descendants = {*graph.descendants(*(t for t in self.treatments if t in graph.nodes))}
        ancestors = {*self.measured, *graph.ancestors(*self.measured)} - {*graph.outcomes}
        return tuple(v for v in self.modelled if v in descendants & ancestors)

    @property
    def planned(self) -> tuple[str, ...]:
        """The nodes whose paths a plan of the time to come states: all that does not react.

        Inputs, and treatments with an equation (a district, a budget rule) that are no mediators.
        """
        acting = (v for v in self.modelled if v in self.treatments)
        return (*self.inputs, *(v for v in acting if v not in self.mediators))

    @cached_property
    def proxies(self) -> tuple[str, ...]:
        """The modelled nodes through which nothing acts on what is measured."""
        acting = {*self.measured, *self.structure.ancestors(*self.measured)}
        return tuple(v for v in self.modelled if v not in acting)

    def terms(self, node: str) -> tuple[Term, ...]:
        """Return the baseline terms of a node's equation, its intercept first."""
        if isinstance(self.baseline, Mapping):
            stated = tuple(self.baseline.get(node, ()))
        else:
            stated = self.baseline
        time_terms = [t for t in stated if not isinstance(t, Intercept)]
        levels = [t for t in stated if isinstance(t, Intercept)] or [Intercept()]
        return (*levels, *time_terms)

    def noise_of(self, node: str) -> Noise:
        """Return the noise of a node's equation."""
        stated = self.noise.get(node) if isinstance(self.noise, Mapping) else self.noise
        if stated is not None:
            return stated
        return AR1Noise() if self.remembers(node) else NormalNoise()

    def remembers(self, node: str) -> bool:
        """Whether the errors of a node have memory unless ``noise`` says otherwise.

        Independent are those of a node whose memory is an edge of the graph (``sales -> sales @
        1``), which would compete with it; and all errors under augmentation, which takes periods
        out of their order. Others have memory. Data of periods longer than a week have independent
        errors too: see `bayescausal.specs.defaults`.
        """
        has_memory = any(e.source == e.target == node for e in self.structure.edges)
        return not has_memory and self.augmentation is None

    def is_plan(self, node: str) -> bool:
        """Whether a node is a treatment that keeps its path in every world that does not set it."""
        return node in self.treatments and node not in (*self.graph.outcomes, *self.mediators)

    def link(self, node: str) -> str:
        """Return the link of a node's equation; see also `bayescausal.specs.defaults`."""
        return self.links.get(node, "identity")

    def outcome_of(self, estimand: Estimand) -> str:
        """Return the node whose change an estimand counts."""
        return estimand.outcome or self.graph.outcome

    def check_estimand(self, estimand: Estimand) -> None:
        """Raise when the model cannot answer, or when the answer is zero by construction."""
        rules.check_estimand(self, estimand)

    # -- reading, writing, showing -------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict for YAML and JSON."""
        return write_spec(self)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Spec:
        """Read what `to_dict` wrote, or the ``spec`` part of a YAML file."""
        return cls(**read_spec(mapping))

    def to_yaml(self) -> str:
        """Write YAML that `from_yaml` reads back to an equal value."""
        return dump_yaml(self.to_dict())

    @classmethod
    def from_yaml(cls, text: str) -> Spec:
        """Read YAML; tags that would run code are refused."""
        return cls.from_dict(load_yaml(text))

    def table(self, panel: bool = False) -> pd.DataFrame:
        """List the parameter groups: equation, part, form, prior, and for a panel the spreads."""
        rows = []
        spreads = {k: s for k, s in self.spreads.items() if panel and s != COMMON}
        units = {name: f"; spread of units: {prior!r}" for name, prior in spreads.items()}
        for node in self.modelled:
            for term in self.terms(node):
                if isinstance(term, Intercept):
                    suffix = f"; spread of units: {term.spread!r}" if panel else ""
                    rows.append((node, "intercept", "level", repr(term.prior) + suffix))
                else:
                    prior = "; ".join(
                        (f"{k}: " if k else "") + repr(p) for k, (p, _) in term.priors.items()
                    )
                    rows.append((node, term.key, type(term).__name__, prior))
            for edge in self.structure.incoming(node):
                response = self.mechanisms[edge]
                form = (
                    " > ".join(type(t).__name__ for t in response.transforms)
                    or "linear, no carry-over"
                )
                view = f"{type(response.strength).__name__}: {response.strength.prior!r}"
                priors = "".join(f"; {k}: {p!r}" for k, p in response.priors.items())
                rows.append((node, str(edge), form, view + priors + units.get(str(edge), "")))
            noise = self.noise_of(node)
            prior = "; ".join(f"{k}: {p!r}" for k, p in noise.priors.items())
            prior += units.get(f"{node}:sigma", "")
            rows.append((node, "error", f"{type(noise).__name__}, {self.link(node)} link", prior))
        rows.extend(
            (c.nodes[-1], name, "unobserved common cause", repr(prior))
            for c in self.confounders
            for name, prior in c.priors.items()
        )
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
        lines = [wrapped(f"Spec: conditions on {', '.join(self.inputs) or 'nothing'}")]
        for node, equation in self.table().groupby("equation", sort=False):
            lines.append(f"{node}")
            for part, form, prior in equation[["part", "form", "prior"]].itertuples(index=False):
                phrases = [form, *prior.split("; ")]
                lines.append(filled(f"  {part:<{_PART}} ", phrases, "; ", " " * (_PART + 3)))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return self.table().to_html(index=False, border=0)


def _as_tuple(argument: Any, kind: type, label: str) -> tuple:
    """Return one value of a kind, or a sequence of them, as a tuple."""
    values = several(argument, kind)
    if values is None:
        raise SpecError(f"{label} takes one {kind.__name__} or a sequence; got {argument!r}.")
    for value in values:
        if not isinstance(value, kind):
            call = " Write it with brackets, to make a value." if isinstance(value, type) else ""
            raise SpecError(f"{label} takes {kind.__name__} values; got {value!r}.{call}")
    return values
