"""A decision is a choice among plans; `payoffs` says what each pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import WIDTH, wrapped
from bayescausal._types import Array, Draws, Node
from bayescausal.checks import number
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import Estimand, Times
from bayescausal.identification.grades import Letter
from bayescausal.identification.ladder import weaker
from bayescausal.inference.evidence import advice
from bayescausal.inference.fit import Fit, edges_below
from bayescausal.inference.verb import verb
from bayescausal.model.contrast import contrast, scope, spend_change, unit_cost
from bayescausal.model.scm import SCM, Equations
from bayescausal.queries.questions import worth_in_words
from bayescausal.queries.worlds import label


@dataclass(frozen=True)
class Decision:
    """A choice among plans, of which each is a contrast with what was.

        u(a) = sum value * (Y_a - Y) - (spend_a - spend)        payoff of plan a, in currency

    One plan is carried out; keeping things as they were is an option only if it is in the list.
    It is a finite choice, not an optimizer, and it is indifferent to risk.

    Parameters
    ----------
    plans : sequence of Estimand
        Worlds that set treatments with a spend, ``Estimand({"tv": Times(1.2)}, name="more tv")``,
        in a window of the data that stands for the time to come. Treatments that a plan does not
        set keep their path; mediators react, and what they then cost is part of the payoff.
    value : float, optional
        Currency per unit of the outcome; that of the `Dataset` by default, where it is 1 unless
        it was given.

    Raises
    ------
    SpecError
        Fewer than two plans, two of one name, a plan with a control world, on another scale than
        ``total``, off the panel or along an edge.

    See Also
    --------
    budget_plans : reallocations of a budget, ready made.

    Examples
    --------
    >>> keep = Estimand({"tv": Times(1.0)}, name="keep")
    >>> more = Estimand({"tv": Times(1.2)}, name="more tv")
    >>> Decision([keep, more])
    Decision(2 plans for tv)
              tv
    plan
    keep     1.0
    more tv  1.2
    """

    plans: Sequence[Estimand]
    value: float | None = None

    def __post_init__(self) -> None:
        plans = self.plans
        if isinstance(plans, Estimand | str | Mapping) or not isinstance(plans, Sequence):
            raise SpecError(
                f"A Decision is among several plans, a list of Estimand; got {plans!r}."
            )
        for plan in plans:
            _check_plan(plan)
        object.__setattr__(self, "plans", tuple(plans))
        if len(plans) < 2:
            raise SpecError(
                f"A decision needs two plans or more; got {len(plans)}. What was is one: "
                "Estimand({'tv': Times(1.0)}, name='status quo')."
            )
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise SpecError(f"Two plans are named '{twice[0]}'. Give them name=.")
        if self.value is not None:
            object.__setattr__(self, "value", number("Decision: value", self.value))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the plans, in their order."""
        return tuple(plan.label for plan in self.plans)

    @property
    def treatments(self) -> tuple[Node, ...]:
        """Every treatment that a plan sets."""
        return tuple(sorted({t for plan in self.plans for t in plan.treatments}))

    def table(self) -> pd.DataFrame:
        """Return what each plan sets: a factor of the factual path, the value, or "path"."""
        rows = [{t: _shown_value(v) for t, v in plan.active.items()} for plan in self.plans]
        index = pd.Index(self.names, name="plan")
        return pd.DataFrame(rows, index=index, columns=list(self.treatments))

    def __repr__(self) -> str:
        title = f"Decision({len(self.plans)} plans for {', '.join(self.treatments)})"
        rows = self.table().to_string(line_width=WIDTH).splitlines()
        return "\n".join([wrapped(title), *(row.rstrip() for row in rows)])

    def _repr_html_(self) -> str:
        return self.table().to_html(border=0, na_rep="")


def _shown_value(value: Any) -> Any:
    if isinstance(value, Times):
        return value.factor
    return "path" if isinstance(value, tuple) else value


@verb
def payoffs(fit: Fit, decision: Decision, *, draws: int | None = None) -> Draws:
    """Return posterior draws of what each plan pays, compared with what was.

        u(a) = sum value * (Y_a - Y) - (spend_a - spend)

    Spend is that of the treatments that are set and, at the price of each period, of paid
    mediators that react. Not a forecast: the plan is replayed in its window.

    Parameters
    ----------
    fit : Fit
    decision : Decision
    draws : int, optional
        At most as many, evenly spaced in each chain; all by default.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw, plan)``, in currency. By plan, as columns of `summarize`, which puts
        the best plan first: ``status`` and ``grade``; for each channel ``"tv factor"``, its spend
        in the plan's window over what was spent; and ``spend``, that of these channels together.
        ``value`` in the attributes says what a unit of the outcome counts.

    Raises
    ------
    SpecError, DataError
        A treatment without spend, plans for different outcomes or for a node that is none, a plan
        that the model or the data cannot carry out.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.payoffs(fit, bc.budget_plans(fit))  # doctest: +SKIP
    """
    if not isinstance(decision, Decision):
        raise SpecError(
            f"Payoffs are of a Decision; got {decision!r}. Write Decision([plan, ...]) or "
            "budget_plans(fit)."
        )
    outcomes = sorted({fit.spec.outcome_of(plan) for plan in decision.plans})
    if len(outcomes) > 1:
        raise SpecError(
            f"The plans count different outcomes ({', '.join(outcomes)}), of which a unit is not "
            "worth the same. Give all plans one outcome."
        )
    outcome = outcomes[0]
    if outcome not in fit.spec.graph.outcomes:
        raise SpecError(
            f"The plans count '{outcome}', which is no outcome of the graph and has no value in "
            f"currency. Outcomes: {', '.join(fit.spec.graph.outcomes)}."
        )
    plans = [_feasible(fit, plan.on(outcome)) for plan in decision.plans]
    worth = fit.data.value_of_outcome() if decision.value is None else np.array(decision.value)
    indices = draw_indices(fit.shape, draws)
    thin = fit.thinned(indices)
    scm = thin.scm
    weights = [payoff_weights(thin, plan, worth) for plan in plans]
    costs = [spend_change(scm, plan) for plan in plans]

    def pays(equations: Equations) -> Array:
        rows = zip(plans, weights, costs, strict=True)
        gains = [gain_of(equations, plan, weight) - cost for plan, weight, cost in rows]
        return np.stack([np.broadcast_to(g, (equations.draws,)) for g in gains], axis=1)

    values = thin.evaluate(pays, only=edges_below(fit.spec, decision.treatments))
    grades = [fit.evidence.grade(plan) for plan in plans]
    letter = weaker(*(grade.letter for grade in grades))
    weak = next(grade for grade in grades if grade.letter == letter)
    attributes: dict[str, Any] = {
        "outcome": outcome,
        "scale": "currency",
        "best_first": 1,
        "value": worth_in_words(fit, outcome, decision.value),
        "tail_truncated": int(any(scope(scm, plan).truncated for plan in plans)),
        "rests_on": str(weak),
        "statements": list(weak.statements),
    }
    if weak.letter == Letter.X:
        attributes["advice"] = advice(fit.evidence.verdict(plans[grades.index(weak)]))
    names = {"plan": list(decision.names)}
    draws_by_plan = label(
        thin, values, ("plan",), names, "payoff", grades={"plan": grades}, **attributes
    )
    return draws_by_plan.assign_coords(draw=indices, **_outlay(scm, plans, decision.treatments))


def _outlay(scm: SCM, plans: Sequence[Estimand], channels: Sequence[Node]) -> dict[str, Any]:
    """Return each plan's spend by channel, relative to what was spent, and its total spend."""
    factual, planned = np.zeros((2, len(plans), len(channels)))
    for k, plan in enumerate(plans):
        for c, name in enumerate(channels):
            removal = replace(plan, active={}, control={name: 0.0})
            factual[k, c] = planned[k, c] = spend_change(scm, removal)
            if name in plan.active:
                planned[k, c] += spend_change(scm, replace(plan, active={name: plan.active[name]}))
    factors = np.divide(planned, factual, out=np.full(factual.shape, np.nan), where=factual != 0)
    columns = {f"{name} factor": factors[:, c] for c, name in enumerate(channels)}
    return {
        name: ("plan", values) for name, values in (*columns.items(), ("spend", planned.sum(1)))
    }


def gain_of(equations: Equations, plan: Estimand, weights: Mapping[Node, Array]) -> Array:
    """Return the change of each node that counts, times its weight, summed over what is counted."""
    axes = tuple(range(-equations.scm.depth, 0))
    paths = [contrast(equations, plan.on(node)) * weight for node, weight in weights.items()]
    return sum(path.sum(axis=axes) for path in paths)


def payoff_weights(fit: Fit, plan: Estimand, worth: Array) -> dict[Node, Array]:
    """Return the value of a unit of the outcome, and minus the price of one of paid mediators."""
    descendants = {*fit.spec.reduced.do(plan.treatments).descendants(*plan.treatments)}
    costly = [v for v in fit.spec.mediators if v in descendants and v in fit.data.spend]
    prices = {v: -unit_cost(fit.data, v) for v in costly}
    return {str(plan.outcome): worth, **prices}


def _check_plan(plan: Any) -> None:
    if not isinstance(plan, Estimand):
        raise SpecError(
            f"A plan is an Estimand, such as Estimand({{'tv': Times(1.2)}}); got {plan!r}."
        )
    if plan.control:
        raise SpecError(
            f"{plan!r}: a plan is compared with what was. Give the active world only: "
            "Estimand({'tv': 0}) for a plan without tv."
        )
    if plan.scale != "total":
        raise SpecError(
            f"{plan!r}: a payoff is a sum in currency, not on scale '{plan.scale}'. Leave scale "
            "out."
        )
    if plan.off_panel:
        raise SpecError(
            f"{plan!r}: a plan acts in the periods of the data. Leave off_panel out and give the "
            "window that is most like the time to come."
        )
    edge_keys = [key for key in plan.keys if "->" in key]
    if edge_keys:
        raise SpecError(
            f"{plan!r}: money is spent on a treatment, not along one edge ('{edge_keys[0]}'). Set "
            f"'{edge_keys[0].split('->')[0]}'."
        )


def _feasible(fit: Fit, plan: Estimand) -> Estimand:
    fit.spec.check_estimand(plan)
    for name in plan.treatments:
        if name not in fit.data.spend:
            raise DataError(
                f"Plan '{plan.label}' sets '{name}', which has no spend, so what the plan costs is "
                f"not known. There is spend for {', '.join(sorted(fit.data.spend)) or 'nothing'}: "
                "give Dataset.from_frame(spend=...), or set other treatments."
            )
    return plan


def draw_indices(shape: tuple[int, int], draws: int | None) -> np.ndarray:
    """Return the indices of the draws to use, the same in each chain."""
    chains, length = shape
    if draws is None:
        return np.arange(length)
    draws = checks.count("payoffs: draws, one a chain at the least,", draws, chains)
    return np.linspace(0, length - 1, min(length, draws // chains)).round().astype(int)
