"""Leave-one-week-out predictive accuracy, by importance sampling; observed weeks only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from scipy.stats import norm
from scipy.stats import t as student

from bayescausal._display import Page
from bayescausal._types import Array, Node
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.model.errors import mixing
from bayescausal.model.predict import pointwise
from bayescausal.model.scm import Equations
from bayescausal.model.weighted import augmented_rows, district_rows, row_density
from bayescausal.specs.augmentation import Augmentation
from bayescausal.specs.transform import widen
from bayescausal.thresholds import MAX_PARETO_K
from bayescausal.validation.importance_sampling import smoothed

_CHUNK = 50


@dataclass(frozen=True, repr=False)
class LeaveOneOut(Page):
    """Expected log predictive density of weeks that were left out, one at a time.

    Parameters
    ----------
    elpd, se : float
        Sum over weeks and units, and its standard error. Higher is better.
    p_loo : float
        Effective number of parameters: in-sample log density less `elpd`.
    pointwise : pandas.DataFrame
        By row: ``elpd``, Pareto ``k``.
    augmented : bool
        Whether the fit has augmented rows.
    """

    elpd: float
    se: float
    p_loo: float
    pointwise: pd.DataFrame
    augmented: bool = False

    @property
    def unreliable(self) -> int:
        """Rows whose Pareto k is above 0.7: their terms are not to be trusted."""
        return int((self.pointwise["k"] > MAX_PARETO_K).sum())

    def __str__(self) -> str:
        text = f"elpd {self.elpd:.1f} (se {self.se:.1f}), p_loo {self.p_loo:.1f}"
        if self.augmented and self.p_loo < 0:
            text = (
                f"{text}. A negative p_loo is no number of parameters: the weighted fit predicts "
                "its own weeks worse than it does when a week, and the augmented rows that hold a "
                "value of it, are left out. The rows speak against the weeks that they are made "
                "of; compare_augmentation(fit) shows what they move"
            )
        if not self.unreliable:
            return text
        return (
            f"{text}. Pareto k is above {MAX_PARETO_K} in {self.unreliable} of "
            f"{len(self.pointwise)} rows: leaving one out changes the posterior too much to be "
            "had by weights. Refit without these rows, or do not compare by this number."
        )


@verb
def leave_one_out(fit: Fit) -> LeaveOneOut:
    """Estimate how well weeks are predicted that were not fitted, from one fit.

        elpd = sum_t log sum_s w_s p(x_t | theta_s),    w_s ~ 1 / prod of the terms that hold week t

    smoothed by a Pareto tail. A row is a week of a unit: all of its modelled nodes given their
    observed parents. With augmentation the terms that hold week t are the week itself and every
    augmented row that has an index of it, each with its weight; of a value that several weeks have,
    and a method merges, each week holds an even part. The rows were drawn with the week in the
    data, which this does not undo. It is no test of the graph: an association predicts too.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    LeaveOneOut

    Notes
    -----
    With AR(1) errors a week is predicted given its neighbors' errors. Source: Vehtari, Gelman and
    Gabry (2017), Practical Bayesian model evaluation using leave-one-out cross-validation.

    Examples
    --------
    >>> import bayescausal as bc
    >>> print(bc.leave_one_out(fit))  # doctest: +SKIP
    """

    def observed(equations: Equations) -> Array:
        parts = pointwise(equations).values()
        total = sum(part.reshape(part.shape[0], -1) for part in parts)
        return np.asarray(total)

    density = fit.evaluate(observed)
    chains, draws, count = density.shape
    influence = density
    if fit.plain is not None:
        influence = _term_density(fit, density)
    flat = density.reshape(-1, count)
    rows = []
    for t in range(count):
        if not np.ptp(influence[..., t]):  # no term holds it: nothing is left out
            rows.append((float(logsumexp(flat[:, t]) - np.log(len(flat))), 0.0))
            continue
        logs, k = smoothed(influence[..., t])
        rows.append((float(logsumexp(logs + flat[:, t])), k))
    index = fit.data.training
    if fit.data.is_panel:
        index = pd.MultiIndex.from_product([fit.data.units, index], names=["unit", "time"])
    table = pd.DataFrame(rows, columns=["elpd", "k"], index=index)
    in_sample = logsumexp(flat, axis=0).sum() - count * np.log(chains * draws)
    elpd = float(table["elpd"].sum())
    se = float(np.sqrt(count * table["elpd"].var(ddof=1)))
    return LeaveOneOut(elpd, se, float(in_sample - elpd), table, fit.plain is not None)


def _term_density(fit: Fit, density: np.ndarray) -> np.ndarray:
    """Sum the weighted log density of all terms with a week: shape ``(chain, draw, row)``."""
    scm, augmentation = fit.scm, fit.spec.augmentation or Augmentation()
    augmented, count = augmented_rows(scm, fit.shapes), density.shape[-1]
    total = (1 - augmentation.weight) * density
    for district in scm.spec.structure.districts:
        nodes: tuple[Node, ...] = tuple(v for v in scm.spec.modelled if v in district)
        if not nodes:
            continue
        rows = district_rows(scm, augmented, nodes)
        size = len(rows.weights) - count
        holds = np.zeros((size, count))
        for block, index in rows.indices.items():
            origins = augmented.alike(block)
            alike = origins[index[:size], None] == origins
            holds += (1 - holds) * alike / alike.sum(axis=1, keepdims=True)
        holds *= augmentation.weight * augmentation.eta * rows.weights[:size, None]

        def summed(
            equations: Equations,
            rows=rows,
            nodes=nodes,
            holds=holds,
            size=size,
        ) -> Array:
            theta = equations.theta
            densities = row_density(equations, mixing(scm, theta), rows)
            parts = [log_density(theta.get(f"{v}:nu"), *densities[v]) for v in nodes]
            return np.sum(parts, axis=0)[..., :size] @ holds

        total = total + fit.evaluate(summed)
    return total


def log_density(nu: Array | None, location: Array, spread: Array, value: Array) -> Array:
    """Return the log density of rows, Normal or Student-t: see `row_density`."""
    law = norm(location, spread) if nu is None else student(widen(nu, 1), location, spread)
    return law.logpdf(value)
