"""Compare plans of the time to come: `plan`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bayescausal import checks
from bayescausal._types import Array, Draws, Node
from bayescausal.data.future import Future
from bayescausal.decisions.decision import gain_of, payoff_weights
from bayescausal.errors import SpecError, shown
from bayescausal.experiments.estimand import Estimand
from bayescausal.inference.extension import ExtendedFit, extend
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import reach
from bayescausal.model.scm import Equations
from bayescausal.queries.forecasts import extrapolation
from bayescausal.queries.questions import attributes_of, worth_in_words
from bayescausal.queries.worlds import label

SCALES = ("net", "value", "outcome")


@verb
def plan(
    fit: Fit,
    plans: Mapping[str, Future],
    *,
    reference: str | None = None,
    outcome: Node | None = None,
    scale: str = "net",
    seed: int = 0,
    strict: bool = False,
) -> Draws:
    """Compare plans of the time to come with one of them.

        sum value (Y_plan - Y_reference) - (spend_plan - spend_reference)

    The errors are the same in both worlds, so that their noise cancels: much less uncertain than
    the difference of two forecasts. Mediators react and carry-over counts, also after the last
    period: there every input is at the mean of the reference, in all plans.

    Parameters
    ----------
    fit : Fit
    plans : mapping of str to Future
        Futures of the same periods, by name.
    reference : str, optional
        The plan that others are compared with; the first one by default.
    outcome : str, optional
        Needed when the graph has several.
    scale : {"net", "value", "outcome"}
        Currency, spend subtracted; currency; or units of the outcome.
    seed : int
        Of the errors, which matter where responses are not linear in them.
    strict : bool
        Raise when a plan changes what has no identified effect.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, plan)``, without the reference; coords ``spend``, of all paid inputs
        over the periods, and ``extra_spend``. ``p_positive`` of `summarize` is P(better).

    Raises
    ------
    SpecError, DataError
        Fewer than two plans, an unknown reference, plans of other periods, plans that are equal.

    Examples
    --------
    >>> import bayescausal as bc
    >>> same = bc.Future.like(fit.data, periods=13)  # doctest: +SKIP
    >>> more = same.assign(tv=bc.Times(1.2))  # doctest: +SKIP
    >>> bc.summarize(bc.plan(fit, {"same": same, "more tv": more}))  # doctest: +SKIP
    """
    reference = _reference(plans, reference)
    checks.choice("scale", scale, SCALES)
    outcome = outcome or fit.spec.graph.outcome
    extended = _extended(fit, plans, reference, seed)
    alternatives = [name for name in plans if name != reference]
    longer, questions = _questions(extended, reference, outcome)
    grades = [fit.evidence.grade(question) for question in questions]
    if strict:
        for question in questions:
            fit.evidence.require_identified(question, "total")
    spends = {name: _spend(extended_fit) for name, extended_fit in extended.items()}
    extra = [spends[name] - spends[reference] for name in alternatives]
    treatments = sorted({t for question in questions for t in question.treatments})
    values = longer.evaluate(
        _gains(longer, questions, extra, scale), only=edges_below(fit.spec, treatments)
    )
    weakest = max(range(len(grades)), key=lambda k: grades[k].letter)
    tail = len(longer.future.time) - len(extended[reference].future.time)
    attributes = {
        **attributes_of(longer, questions[weakest], grades[weakest]),
        "reference": reference,
        "scale": scale,
        "value": "" if scale == "outcome" else worth_in_words(fit, outcome),
        "carry_over_counted": f"{tail} periods after the last one",
        "extrapolation": "; ".join(
            f"{name}: {words}"
            for name in alternatives
            if (words := extrapolation(fit, extended[name].future, fit.spec.planned))
        ),
    }
    coords = {"plan": alternatives}
    draws = label(fit, values, ("plan",), coords, "gain", grades={"plan": grades}, **attributes)
    return draws.assign_coords(
        spend=("plan", [spends[name] for name in alternatives]), extra_spend=("plan", extra)
    )


def _gains(
    longer: ExtendedFit, questions: Sequence[Estimand], extra: Sequence[float], scale: str
) -> Callable[[Equations], Array]:
    """Return what computes the gain of each plan in draws, ``(draw, plan)``."""
    worth = np.ones(1) if scale == "outcome" else longer.data.value_of_outcome()
    weights = [
        payoff_weights(longer, question, worth)
        if scale == "net"
        else {str(question.outcome): worth}
        for question in questions
    ]
    costs = extra if scale == "net" else np.zeros(len(questions))

    def gains(equations: Equations) -> Array:
        plan_gains = [
            np.broadcast_to(gain_of(equations, question, weight) - cost, (equations.draws,))
            for question, weight, cost in zip(questions, weights, costs, strict=True)
        ]
        return np.stack(plan_gains, axis=1)

    return gains


def _reference(plans: Any, reference: Any) -> str:
    if not isinstance(plans, Mapping) or len(plans) < 2:
        raise SpecError(
            "plans are two futures or more, by name: {'same': future, 'more tv': "
            f"future.assign(tv=Times(1.2))}}; got {shown(plans)}."
        )
    names = [checks.name("plan: the name of a plan", name) for name in plans]
    if reference is None:
        return names[0]
    return checks.name("plan: reference", reference, names)


def _extended(
    fit: Fit, plans: Mapping[str, Future], reference: str, seed: int
) -> dict[str, ExtendedFit]:
    """Extend the fit by each plan, or raise when they are of other periods than the reference."""
    extended = {name: extend(fit, future, seed=seed) for name, future in plans.items()}
    expected = extended[reference].future.time
    for name, extended_fit in extended.items():
        time = extended_fit.future.time
        if not time.equals(expected):
            raise SpecError(
                f"Plan '{name}' has {len(time)} periods from {time[0].date()}, '{reference}' "
                f"{len(expected)} from {expected[0].date()}. Compare plans of the same periods."
            )
    return extended


def _questions(
    extended: Mapping[str, ExtendedFit], reference: str, outcome: Node
) -> tuple[ExtendedFit, list[Estimand]]:
    """Return the reference with time for carry-over after it, and each plan as a question to it."""
    base = extended[reference]
    changes = {
        name: _changes(extended_fit, base, name, outcome)
        for name, extended_fit in extended.items()
        if name != reference
    }
    nodes = {v for change in changes.values() for v in change}
    tail = reach(base.scm, Estimand(dict.fromkeys(nodes, 0.0), outcome=outcome))
    future = base.future.followed_by(base.base.data, tail)
    longer = extend(base.base, future, seed=base.seed)
    return longer, [_question(longer, base, name, changes[name], outcome) for name in changes]


def _changes(
    extended: ExtendedFit, base: ExtendedFit, name: str, outcome: Node
) -> dict[Node, np.ndarray]:
    """Return the paths that a plan sets otherwise than the reference, over data and future."""
    reaching = {*base.spec.planned} & {*base.spec.reduced.ancestors(outcome)}
    paths = {v: extended.data.array(v) for v in sorted(reaching)}
    changes = {v: path for v, path in paths.items() if (path != base.data.array(v)).any()}
    if not changes:
        raise SpecError(
            f"Plan '{name}' sets nothing otherwise than the reference that '{outcome}' depends on. "
            f"A plan sets {', '.join(sorted(reaching))}; other nodes are simulated."
        )
    return changes


def _question(
    longer: ExtendedFit,
    base: ExtendedFit,
    name: str,
    changes: Mapping[Node, np.ndarray],
    outcome: Node,
) -> Estimand:
    """Return a plan as a question: what it sets in its periods, against the reference."""
    active = {}
    for node, path in changes.items():
        active[node] = longer.data.array(node).copy()
        active[node][..., : path.shape[-1]] = path
    question = Estimand(active, window=base.future.window, name=name, outcome=outcome)
    longer.spec.check_estimand(question)
    return question


def _spend(extended: ExtendedFit) -> float:
    """Return what the planned inputs cost in the periods of the future."""
    start = len(extended.base.data.time)
    paid = [v for v in extended.spec.planned if v in extended.data.spend]
    return sum(float(extended.data.spend_of(v)[..., start:].sum()) for v in paid)
