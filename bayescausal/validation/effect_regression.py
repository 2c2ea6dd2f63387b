"""Total effects as least squares: what the likelihood alone says, at the posterior's transforms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayescausal._types import Node, Theta
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import incremental
from bayescausal.identification.adjustment import Question
from bayescausal.inference.fit import Fit
from bayescausal.model.contrast import contrast
from bayescausal.model.feedback import evolve
from bayescausal.model.scm import Equations, bind
from bayescausal.validation.effective_dof import effective_dof, orthonormal
from bayescausal.validation.linear_design import SPARE_ROWS
from bayescausal.validation.robustness_values import LinearEffect, Strength

_NEGLIGIBLE = 1e-10
"""Share of a column's sum of squares below which nothing is left of it once others are known."""


@dataclass(frozen=True, eq=False)
class EffectRegression:
    """The regression of an outcome on what the model says that a channel added, and on controls.

        g(Y_t) = a + b (g(Y_t) - g(Y_t(do(x = 0)))) + controls + e_t

    The channel's column is its response at the posterior medians of all parameters, with its
    carry-over, its curve and what goes through mediators, so that b = 1 where the data by
    themselves agree with the posterior. No prior and no lift test bears on b or on its error.

    Parameters
    ----------
    channel, outcome : str
    y, x : array
        Outcome and response of the channel on the scale of the link, shape ``(unit, time)``.
    controls : mapping of str to array
        Columns by baseline term or node, shape ``(column, unit, time)``; each unit has a level too.
    gain, worth : float
        What b = 1 adds in all, in units of the outcome and in currency.
    """

    channel: Node
    outcome: Node
    y: np.ndarray
    x: np.ndarray
    controls: Mapping[str, np.ndarray]
    gain: float
    worth: float

    @cached_property
    def effect(self) -> LinearEffect:
        """The total effect in units of the outcome, its error that of errors that last."""
        basis = self.basis(*self.controls, treatment=True)
        x = _residuals(self.x, self.basis(*self.controls))
        residuals = _residuals(self.y, basis)
        slope, power = float((x * self.y).sum()), float((x**2).sum())
        dof = effective_dof(x, residuals, basis)
        std_error = np.sqrt((residuals**2).sum() / (dof * power))
        return LinearEffect(slope / power * self.gain, float(std_error) * abs(self.gain), dof)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.y.size

    def strength(self, name: str) -> Strength:
        """Return the partial R2 of a control with the channel's response and with the outcome."""
        others = [other for other in self.controls if other != name]
        shares = [
            1
            - _power_left(target, self.basis(*self.controls, treatment=known))
            / _power_left(target, self.basis(*others, treatment=known))
            for target, known in ((self.x, False), (self.y, True))
        ]
        return Strength(*(float(np.clip(share, 0.0, 1 - _NEGLIGIBLE)) for share in shares))

    def basis(self, *names: str, treatment: bool = False) -> np.ndarray:
        """Return an orthonormal basis of controls, and of the channel: ``(unit, time, column)``.

        The levels of units are in every basis.
        """
        units, periods = self.y.shape
        columns = [np.broadcast_to(np.eye(units)[..., None], (units, units, periods))]
        columns += [self.controls[name] for name in names]
        columns += [self.x[None]] if treatment else []
        return orthonormal(np.concatenate(columns))


def posterior_medians(fit: Fit) -> Theta:
    """Return the median of every parameter, as a single draw."""
    return {name: np.median(v, axis=0, keepdims=True) for name, v in fit.theta().items()}


def effect_regression(fit: Fit, channel: Node, outcome: Node) -> EffectRegression:
    """Return the regression whose coefficient is the total effect of a channel on an outcome.

    Controls are the baseline terms and the parents of the outcome and of the mediators: the set of
    least variance. Where an unobserved cause makes that one wrong, a set of `identify` is added, or
    stands alone.

    Raises
    ------
    SpecError
        No regression has this effect as its coefficient.
    DataError
        There are too few rows, or the response does not vary once the controls are known.

    Notes
    -----
    Source: Henckel, Perkovic and Maathuis (2022), JRSS B 84, for the set of controls.
    """
    scm, start = fit.scm, fit.data.history
    equations = bind(scm, posterior_medians(fit))
    causal, nodes = _controls(fit, channel, outcome)
    factual = scm.factual
    world = evolve(equations, do={channel: np.zeros_like(factual[channel])})
    shape = (max(1, len(fit.data.units)), len(fit.data.time))

    def path(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.reshape(values, (-1, shape[1])), shape)[:, start:]

    y = scm.link(outcome, factual[outcome])
    without = np.broadcast_to(world[outcome], (1, *factual[outcome].shape))[0]
    columns: dict[str, list[np.ndarray]] = {}
    for node in causal:
        for key, design in scm.design.get(node, {}).items():
            columns.setdefault(key, []).extend(path(column) for column in design)
    for node in nodes:
        columns[node] = [path(column) for column in _responses(equations, node, causal)]
    controls = {key: _distinct(parts) for key, parts in columns.items()}
    added = contrast(equations, incremental(channel, outcome=outcome))[0]
    regression = EffectRegression(
        channel,
        outcome,
        path(y),
        path(y - scm.link(outcome, without)),
        controls,
        float(added.sum()),
        float((added * fit.data.value_of_outcome()).sum()),
    )
    _check(regression)
    return regression


def _controls(fit: Fit, channel: Node, outcome: Node) -> tuple[list[Node], list[Node]]:
    """Return the nodes on causal paths, and a set of nodes that adjusts; or raise a SpecError."""
    verdict = fit.evidence.verdict(incremental(channel, outcome=outcome))
    question: Question = verdict.question
    if question.compiled.feeds_back:
        raise SpecError(
            f"Lagged edges feed back, so no one regression has the effect of {channel} on "
            f"{outcome} as its coefficient."
        )
    if not verdict.adjustment_sets:
        raise SpecError(
            "No set of measured nodes is enough to adjust for, so no regression has the effect of "
            f"{channel} on {outcome} as its coefficient."
        )
    reduced, measured = fit.spec.reduced, {*fit.spec.inputs, *fit.spec.modelled}
    causal = [v for v in question.compiled.words(question.causal) if v in reduced.nodes]
    parents = {p for v in causal for p in reduced.parents(v)} - {*causal, channel}
    held = sorted(parents & {*verdict.held})
    best = parents - {*verdict.held}
    minimal = [z for z in verdict.adjustment_sets if {*z} <= measured]
    for nodes in (best, *(best | z for z in minimal), *minimal):
        if question.is_valid(question.compiled.bits(nodes)):
            return causal, sorted(nodes) + held
    raise SpecError(
        f"The model has no column of what must be adjusted for, so no regression has the effect of "
        f"{channel} on {outcome} as its coefficient."
    )


def _responses(equations: Equations, node: Node, causal: list[Node]) -> list[np.ndarray]:
    """Return the curves of a control into nodes on causal paths; its own path where it has none."""
    edges = [e for e in equations.edges if e.source == node and e.target in causal]
    curves = [np.asarray(equations.edges[e].factual) for e in edges]
    if not curves:
        curves = [equations.x[node] / equations.scm.scale[node]]
    return [np.broadcast_to(f, (1, *equations.x[node].shape))[0] for f in curves]


def _distinct(columns: list[np.ndarray]) -> np.ndarray:
    """Stack columns, those that are the same once: mediators have terms of the outcome too."""
    return np.stack(list({column.tobytes(): column for column in columns}.values()))


def _residuals(target: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return target - basis @ np.einsum("utk,ut->k", basis, target)


def _power_left(target: np.ndarray, basis: np.ndarray) -> float:
    return float((_residuals(target, basis) ** 2).sum())


def _check(regression: EffectRegression) -> None:
    basis = regression.basis(*regression.controls, treatment=True)
    rows, columns = regression.rows, basis.shape[-1]
    if rows - columns < SPARE_ROWS:
        raise DataError(
            f"{rows} rows are too few for {columns} coefficients: at least {SPARE_ROWS} rows must "
            "be left over. Give more periods, or fewer baseline terms."
        )
    x = regression.x
    if _power_left(x, regression.basis(*regression.controls)) <= _NEGLIGIBLE * (x**2).sum():
        raise DataError(
            f"Nothing is left of the response to {regression.channel} once the controls are known, "
            "so that the data by themselves say nothing of it."
        )
