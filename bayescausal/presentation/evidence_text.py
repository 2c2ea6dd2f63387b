"""What a number rests on, in words: for the report, and for `bayescausal identify`.

Needs no data and no PyMC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bayescausal._types import Node
from bayescausal.experiments.estimand import incremental
from bayescausal.identification.grades import GRADES, LETTERS
from bayescausal.identification.identification import Identification
from bayescausal.identification.ladder import Grade
from bayescausal.identification.page import MOST_LINES, fate, headline, named
from bayescausal.inference.evidence import advice, channels, graded, verdict
from bayescausal.presentation.formatting import listed, standing
from bayescausal.specs.adstock import Adstock
from bayescausal.specs.saturation import NoSaturation
from bayescausal.specs.spec import Spec

type Judged = tuple[Identification, Grade]

_ARROWS = (("<->", "↔"), ("<-", "←"), ("->", "→"))
_SPLITS = {
    "randomized": "tests measure both",
    "backdoor": "the data can tell them apart",
    "frontdoor": "the data can tell them apart",
    "id": "the data can tell them apart",
    "experiment": "only a test tells them apart",
    "instrument": "told apart only under linearity",
    "not identified": "not identified: the data cannot tell them apart",
}


def judge(
    spec: Spec,
    treatment: Node,
    outcome: Node,
    learned: Mapping[str, Mapping[str, float]] | None = None,
) -> Judged:
    """Return verdict and grade of what a treatment added to an outcome, over all periods."""
    asked = incremental(treatment, outcome=outcome)
    return verdict(spec, asked, learned), graded(spec, asked, learned=learned)


def verdicts(spec: Spec, treatment: Node | None = None, spend: Iterable[Node] = ()) -> list[Judged]:
    """Return verdict and grade of every channel, or of one node, on every outcome it reaches.

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
    outcomes = spec.graph.outcomes
    if treatment is None:
        return [judge(spec, node, y) for y in outcomes for node in channels(spec, y, spend)]
    reached = [y for y in outcomes if treatment in spec.reduced.ancestors(y)]
    return [judge(spec, treatment, y) for y in reached or outcomes[:1]]


def unidentified(judged: Iterable[Judged]) -> list[str]:
    """Say of each effect without a strategy and without a test why, and what would settle it."""
    return [advice(found) for found, grade in judged if grade.letter == "X"]


def remedy(found: Identification) -> str:
    """Say what would settle an effect, or that nothing was found that would."""
    words = " Or: ".join(r.words for r in found.remedies if r.settles == "total")
    if words:
        return f"What would settle it: {words}"
    return "Nothing that was tried would settle it: ask for another effect."


def why(found: Identification) -> str:
    """Say in words which path keeps an effect from being identified, when one does."""
    stubborn = [path.words for path in found.paths if str(path) in found.stubborn]
    return f"{stubborn[0][:1].upper()}{stubborn[0][1:]}." if stubborn else ""


def arrows(text: object) -> str:
    """Write the arrows of a path or an edge for a reader: ``tv ← demand → sales``."""
    shown = str(text)
    for plain, drawn in _ARROWS:
        shown = shown.replace(plain, drawn)
    return shown


def paths(found: Identification) -> list[tuple[str, str]]:
    """Return the backdoor paths, drawn and in words, each with what becomes of it.

    Examples
    --------
    >>> from bayescausal.identification.verdicts import identify
    >>> from bayescausal.graphs.graph import Graph
    >>> paths(identify(Graph.parse("tv <- season -> sales <- tv", outcome="sales"), "tv"))
    [('tv ← season → sales', 'season moves both tv and sales: closed by adjusting for season')]
    """
    rows = [
        (arrows(path), f"{path.words}: {fate(found, path)}") for path in found.paths[:MOST_LINES]
    ]
    if not rows:  # of the treatment alone; what is held with it may be confounded
        rows = [(arrows(path), "open") for path in found.stubborn]
    if left := max(0, len(found.paths) - len(rows)):
        rows.append((f"and {left} more", "`bayescausal identify --json` lists all"))
    return rows


def split(found: Identification) -> str:
    """Say whether direct and indirect effects can be told apart; empty when nothing mediates."""
    if not found.mediators:
        return ""
    weak = found.split in ("instrument", "not identified")
    why = f" ({arrows(found.split_reason)})" if weak else ""
    return f"Direct part and part through {listed(found.mediators)}: {_SPLITS[found.split]}{why}."


def described(found: Identification, grade: Grade, spec: Spec) -> dict[str, Any]:
    """Return what a report says of one effect, as text."""
    channel = found.treatments[0]
    known = ("", *(strategy.words for strategy in found.strategies[:1]))  # the verdict says these
    tests = [e for e in spec.experiments if channel in e.estimand.treatments]
    return {
        "channel": channel,
        "outcome": found.outcome,
        "verdict": headline(found),
        "standing": standing(grade.letter),
        "source": "" if grade.source in known or grade.letter == "X" else grade.source,
        "reasons": listed(grade.reasons) if grade.reasons else "",
        "assumptions": found.assumptions,
        "adjust": named(found.adjustment_sets[0]) if found.adjustment_sets else None,
        "never": [(node, arrows(why)) for node, why in found.forbidden.items()][:MOST_LINES],
        "paths": paths(found),
        "no_paths": "No backdoor path is open, by the graph."
        if found.status != "not identified"
        else "No backdoor path is open, and yet the crossed arrows are not identified.",
        "split": split(found),
        "remedy": remedy(found) if grade.letter == "X" else "",
        "split_remedies": [r.words for r in found.remedies if r.settles == "split"],
        "tests": [f"{e.name} ({e.design})" for e in tests],
        "drawing": found.draw(),
        "crossed": any(v.status == "not identified" for v in found.edges.values()),
    }


def roles(spec: Spec) -> list[tuple[str, str]]:
    """Return how the nodes are treated, as pairs of words and names."""
    outside = [v for v in spec.graph.observed if v not in spec.reduced.nodes]
    held = [t for t in spec.treatments if t not in spec.modelled]
    found = [
        ("Conditioned on, at their observed values", listed(spec.inputs)),
        ("Treatments held at their observed path when another channel changes", listed(held)),
        ("Mediators, which react", listed(spec.mediators)),
    ]
    if outside:
        found.append(("Left out, since they cause nothing that is measured", listed(outside)))
    if spec.graph.latent:
        found.append(("Declared unobserved", listed(sorted(spec.graph.latent))))
    return found


def overlap(spec: Spec, names: Sequence[Node], outcomes: Sequence[Node]) -> str:
    """Say why contributions do not add up: a channel acts through another, or causes multiply.

    Empty when neither holds.

    Examples
    --------
    >>> from bayescausal.graphs.graph import Graph
    >>> text = "tv -> search -> sales <- tv"
    >>> spec = Spec(Graph.parse(text, outcome="sales"), treatments=("tv",))
    >>> overlap(spec, ["search", "tv"], ["sales"])
    'Contributions do not add up: tv acts through search, which is credited with that part too.'
    >>> overlap(spec, ["tv"], ["sales"])
    ''
    """
    through = [
        f"{a} acts through {listed(found)}"
        for a in names
        if (found := [b for b in names if b != a and a in spec.reduced.ancestors(b)])
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
    """Whether the model makes the outcome linear in the channel: mROAS is ROAS by assumption.

    Every edge on the way is without saturation, and every node without a log link.

    Examples
    --------
    >>> from bayescausal.graphs.graph import Graph
    >>> spec = Spec(Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",))
    >>> proportional(spec, "tv", "sales")
    True
    """
    graph = spec.reduced
    between = {channel, *graph.descendants(channel)} & {outcome, *graph.ancestors(outcome)}
    way = [e for e in graph.edges if {e.source, e.target} <= between]
    steps = [step for edge in way for step in spec.mechanisms[edge].transforms]
    return all(isinstance(step, Adstock | NoSaturation) for step in steps) and all(
        spec.link(edge.target) == "identity" for edge in way
    )


def rungs(letters: set[str]) -> list[dict[str, Any]]:
    """Return, once for each grade that occurs, what it means and what must be said with it."""
    return [
        {"letter": letter, "plain": standing(letter), **GRADES[letter]._asdict()}
        for letter in LETTERS
        if letter in letters
    ]


def implied(spec: Spec, outcome: Node) -> list[str]:
    """Return what the graph implies and data could contradict, in words.

    Examples
    --------
    >>> from bayescausal.graphs.graph import Graph
    >>> graph = Graph.parse("price -> sales <- tv <- season", outcome="sales")
    >>> implied(Spec(graph, treatments=("tv",)), "sales")[0]
    'price and season are unrelated'
    """
    asked = channels(spec, outcome)
    found = verdict(spec, incremental(asked[0], outcome=outcome)) if asked else None
    return [
        f"{c.a} and {c.b} are unrelated" + (f" once {listed(c.given)} is fixed" if c.given else "")
        for c in (found.implications if found else ())
    ]


def with_and_without_test(spec: Spec, names: Sequence[Node]) -> tuple[list[str], list[str]]:
    """Return the channels that an experiment measured, and the others; a belief measures none."""
    measured = {
        node
        for test in spec.experiments
        if test.design != "prior-belief"
        for node in test.estimand.treatments
    }
    return [c for c in names if c in measured], [c for c in names if c not in measured]
