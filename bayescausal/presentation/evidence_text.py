"""Say in words what a number rests on: for the report, and for `bayescausal identify`.

Needs no data and no PyMC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bayescausal._types import Node
from bayescausal.experiments.estimand import incremental
from bayescausal.identification.compiled import Compiled
from bayescausal.identification.grades import GRADES, Letter
from bayescausal.identification.identification import Identification
from bayescausal.identification.implications import implications
from bayescausal.identification.ladder import Grade
from bayescausal.identification.page import MOST_LINES, fate, headline, node_list
from bayescausal.identification.status import WEAK, Status
from bayescausal.inference.evidence import Evidence, advice, channels
from bayescausal.presentation.formatting import listed, standing
from bayescausal.specs.adstock import Adstock
from bayescausal.specs.saturation import NoSaturation
from bayescausal.specs.spec import Spec

type Judged = tuple[Identification, Grade]

_ARROWS = (("<->", "↔"), ("<-", "←"), ("->", "→"))
_SPLITS = {
    Status.RANDOMIZED: "tests measure both",
    Status.BACKDOOR: "the data can tell them apart",
    Status.FRONTDOOR: "the data can tell them apart",
    Status.ID: "the data can tell them apart",
    Status.EXPERIMENT: "only a test tells them apart",
    Status.INSTRUMENT: "told apart only under linearity",
    Status.NOT_IDENTIFIED: "not identified: the data cannot tell them apart",
}


def judge(evidence: Evidence, treatment: Node, outcome: Node) -> Judged:
    """Return the verdict and the grade of a treatment's effect on an outcome, over all periods."""
    estimand = incremental(treatment, outcome=outcome)
    return evidence.verdict(estimand), evidence.grade(estimand)


def verdicts(spec: Spec, treatment: Node | None = None, spend: Iterable[Node] = ()) -> list[Judged]:
    """Return the verdict and the grade of every channel, or one node, on each outcome it reaches.

    The grade is the one before any data: whether they narrow the prior is not known yet.

    Raises
    ------
    GraphError
        The node is not in the graph, or reaches no outcome.

    Examples
    --------
    >>> from bayescausal.graphs.graph import Graph
    >>> spec = Spec(Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",))
    >>> [(found.treatments, grade.letter) for found, grade in verdicts(spec)]
    [(('tv',), 'F')]
    """
    evidence, outcomes = Evidence(spec), spec.graph.outcomes
    if treatment is None:
        return [judge(evidence, node, y) for y in outcomes for node in channels(spec, y, spend)]
    reached = [y for y in outcomes if treatment in spec.reduced.ancestors(y)]
    return [judge(evidence, treatment, y) for y in reached or outcomes[:1]]


def unidentified(effects: Iterable[Judged]) -> list[str]:
    """Say of each effect without a strategy and without a test why, and what would settle it."""
    return [advice(identification) for identification, grade in effects if grade.letter == Letter.X]


def remedy(identification: Identification) -> str:
    """Say what would settle an effect, or that nothing was found to settle it."""
    words = " Or: ".join(r.words for r in identification.remedies if r.settles == "total")
    if words:
        return f"What would settle it: {words}"
    return "Nothing that was tried would settle it: ask for another effect."


def obstacle(identification: Identification) -> str:
    """Say in words which path keeps an effect from being identified, when one does."""
    stubborn = [path.words for path in identification.paths if str(path) in identification.stubborn]
    return f"{stubborn[0][:1].upper()}{stubborn[0][1:]}." if stubborn else ""


def arrows(text: object) -> str:
    """Write the arrows of a path or an edge for a reader: ``tv ← demand → sales``."""
    line = str(text)
    for plain, symbol in _ARROWS:
        line = line.replace(plain, symbol)
    return line


def paths(identification: Identification) -> list[tuple[str, str]]:
    """Return the backdoor paths with arrows and in words, and say which are closed, and how.

    Examples
    --------
    >>> from bayescausal.identification.verdicts import identify
    >>> from bayescausal.graphs.graph import Graph
    >>> paths(identify(Graph.parse("tv <- season -> sales <- tv", outcome="sales"), "tv"))
    [('tv ← season → sales', 'season moves both tv and sales: closed by adjusting for season')]
    """
    rows = [
        (arrows(path), f"{path.words}: {fate(identification, path)}")
        for path in identification.paths[:MOST_LINES]
    ]
    if not rows:  # of the treatment alone; what is held with it may be confounded
        rows = [(arrows(path), "open") for path in identification.stubborn]
    if remainder := max(0, len(identification.paths) - len(rows)):
        rows.append((f"and {remainder} more", "`bayescausal identify --json` lists all"))
    return rows


def split(identification: Identification) -> str:
    """Say whether direct and indirect effects can be told apart; empty when nothing mediates."""
    if not identification.mediators:
        return ""
    weak = identification.split in WEAK
    reason = f" ({arrows(identification.split_reason)})" if weak else ""
    mediators = listed(identification.mediators)
    return f"Direct part and part through {mediators}: {_SPLITS[identification.split]}{reason}."


def described(identification: Identification, grade: Grade, spec: Spec) -> dict[str, Any]:
    """Return what a report says of one effect, as text."""
    channel = identification.treatments[0]
    # A source that the verdict states already is not said twice.
    stated = ("", *(strategy.words for strategy in identification.strategies[:1]))
    tests = [e for e in spec.experiments if channel in e.estimand.treatments]
    return {
        "channel": channel,
        "outcome": identification.outcome,
        "verdict": headline(identification),
        "standing": standing(grade.letter),
        "source": "" if grade.source in stated or grade.letter == Letter.X else grade.source,
        "reasons": listed(grade.reasons) if grade.reasons else "",
        "assumptions": identification.assumptions,
        "adjust": node_list(identification.adjustment_sets[0])
        if identification.adjustment_sets
        else None,
        "never": [(node, arrows(reason)) for node, reason in identification.forbidden.items()][
            :MOST_LINES
        ],
        "paths": paths(identification),
        "no_paths": "No backdoor path is open, by the graph."
        if identification.status != Status.NOT_IDENTIFIED
        else "No backdoor path is open, and yet the crossed arrows are not identified.",
        "split": split(identification),
        "remedy": remedy(identification) if grade.letter == Letter.X else "",
        "split_remedies": [r.words for r in identification.remedies if r.settles == "split"],
        "tests": [f"{e.name} ({e.design})" for e in tests],
        "drawing": identification.draw(),
        "crossed": any(v.status == Status.NOT_IDENTIFIED for v in identification.edges.values()),
    }


def roles(spec: Spec) -> list[tuple[str, str]]:
    """Return the roles of the nodes, as pairs of a description and the names."""
    irrelevant = [v for v in spec.graph.observed if v not in spec.reduced.nodes]
    held_treatments = [t for t in spec.treatments if t not in spec.modelled]
    groups = [
        ("Conditioned on, at their observed values", listed(spec.inputs)),
        (
            "Treatments held at their observed path when another channel changes",
            listed(held_treatments),
        ),
        ("Mediators, which react", listed(spec.mediators)),
    ]
    if spec.proxies:
        groups.append(("Proxies, whose errors tell of those of the outcome", listed(spec.proxies)))
    if irrelevant:
        groups.append(("Left out, since they cause nothing that is measured", listed(irrelevant)))
    if spec.graph.latent:
        groups.append(("Declared unobserved", listed(sorted(spec.graph.latent))))
    return groups


def double_credit(spec: Spec, names: Sequence[Node], outcomes: Sequence[Node]) -> str:
    """Say why contributions do not add up: a channel acts through another, or causes multiply.

    Empty when neither holds.

    Examples
    --------
    >>> from bayescausal.graphs.graph import Graph
    >>> text = "tv -> search -> sales <- tv"
    >>> spec = Spec(Graph.parse(text, outcome="sales"), treatments=("tv",))
    >>> double_credit(spec, ["search", "tv"], ["sales"])
    'Contributions do not add up: tv acts through search, which is credited with that part too.'
    >>> double_credit(spec, ["tv"], ["sales"])
    ''
    """
    through = [
        f"{a} acts through {listed(mediators)}"
        for a in names
        if (mediators := [b for b in names if b != a and a in spec.reduced.ancestors(b)])
    ]
    if through:
        return (
            f"Contributions do not add up: {listed(through)}, which is credited with that part too."
        )
    logs = [y for y in outcomes if spec.link(y) == "log"]
    if logs and len(names) > 1:
        return f"Contributions do not add up: causes of {listed(logs)} multiply."
    return ""


def proportional(spec: Spec, channel: Node, outcome: Node) -> bool:
    """Return whether the model makes the outcome linear in the channel, so that mROAS is ROAS.

    Every edge on the way is without saturation, and every node without a log link.

    Examples
    --------
    >>> from bayescausal.graphs.graph import Graph
    >>> spec = Spec(Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",))
    >>> proportional(spec, "tv", "sales")
    True
    """
    graph = spec.reduced
    nodes = {channel, *graph.descendants(channel)} & {outcome, *graph.ancestors(outcome)}
    way = [e for e in graph.edges if {e.source, e.target} <= nodes]
    steps = [step for edge in way for step in spec.mechanisms[edge].transforms]
    return all(isinstance(step, Adstock | NoSaturation) for step in steps) and all(
        spec.link(edge.target) == "identity" for edge in way
    )


def rungs(letters: set[str]) -> list[dict[str, Any]]:
    """Return what each grade that occurs means, and what a report must say with it."""
    return [
        {"letter": letter, "plain": standing(letter), **GRADES[letter]._asdict()}
        for letter in Letter
        if letter in letters
    ]


def implied(spec: Spec, outcome: Node) -> list[str]:
    """Return in words what the graph implies and data could contradict.

    Examples
    --------
    >>> from bayescausal.graphs.graph import Graph
    >>> graph = Graph.parse("price -> sales <- tv <- season", outcome="sales")
    >>> implied(Spec(graph, treatments=("tv",)), "sales")[0]
    'price and season are unrelated'
    """
    if not channels(spec, outcome):
        return []
    return [
        f"{c.a} and {c.b} are unrelated" + (f" once {listed(c.given)} is fixed" if c.given else "")
        for c in implications(Compiled(spec.graph))
    ]


def with_and_without_test(spec: Spec, names: Sequence[Node]) -> tuple[list[str], list[str]]:
    """Return the channels that an experiment measured, and the others; a belief measures none."""
    tested = {
        node
        for test in spec.experiments
        if test.design != "prior-belief"
        for node in test.estimand.treatments
    }
    return [c for c in names if c in tested], [c for c in names if c not in tested]
