"""`misspecification`: whether residuals still follow a response that the model has taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from bayescausal._display import TablePage, html_page
from bayescausal._types import Node
from bayescausal.errors import DataError
from bayescausal.graphs.edge import Edge
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.model.scm import bind
from bayescausal.specs.adstock import shift
from bayescausal.thresholds import MISSPECIFIED_P
from bayescausal.validation.effect_regression import posterior_medians
from bayescausal.validation.effective_dof import between_units, error_autocorrelation, orthonormal
from bayescausal.validation.graph_check import holm
from bayescausal.validation.linear_design import SPARE_ROWS

CURVE, CARRY_OVER = "curve", "carry-over"
_STEP = 1e-4
_ADVICE = {
    CURVE: "its curve is another one: try another saturation",
    CARRY_OVER: "it acts with other lags: try another adstock, or a lag",
}


class FTest(NamedTuple):
    """An F test of columns that an equation lacks, with the share of the errors they explain."""

    f: float
    p: float
    r2: float
    columns: int
    dof: float


@dataclass(frozen=True, eq=False, repr=False)
class Misspecification(TablePage):
    """Tests of each response against what is left of its outcome.

    Parameters
    ----------
    table : pandas.DataFrame
        By ``edge`` and ``kind``, curve or carry-over: ``f``, ``p`` and ``p_holm``, that of all
        tests together; ``r2``, the share of what is left that such a change would explain;
        ``columns`` that were added and ``dof``.
    autocorrelation : dict of str to float
        Of the errors of each node, which the tests take into account.
    obstacles : mapping of str to str
        Why an equation was not tested.
    """

    table: pd.DataFrame
    autocorrelation: Mapping[Node, float]
    obstacles: Mapping[Node, str]

    @property
    def sentences(self) -> list[str]:
        """What follows, in words."""
        rejected = self.table[self.table["p_holm"] < MISSPECIFIED_P]
        lines = []
        for (name, kind), row in rejected.iterrows():
            edge = Edge.parse(str(name))
            lines.append(
                f"What is left of {edge.target} follows {edge.source} (p = {row['p_holm']:.3f} "
                f"among all tests, {row['r2']:.0%} of the errors): {_ADVICE[str(kind)]}."
            )
        if not lines and len(self.table):
            lines = [
                f"No response is rejected by {len(self.table)} tests at {MISSPECIFIED_P:.0%} "
                "together. Another form may fit as well and say something else: see "
                "specification_curve."
            ]
        return lines + [f"{node}: {why}" for node, why in self.obstacles.items()]

    def __str__(self) -> str:
        return "\n".join([*self.sentences, "", self.table.round(3).to_string()])

    def _repr_html_(self) -> str:
        return html_page(self.sentences, self.table)


@verb
def misspecification(fit: Fit) -> Misspecification:
    """Test whether residuals follow a response further than its form lets it.

        e_t = gradients_t a + added_t b + v_t,    v AR(1),    b = 0

    Added are the square and the cube of the response (``curve``), and its exposure now and one and
    two periods ago, for a plain edge one and two periods ago (``carry-over``). Gradients of the
    mean by every parameter of the equation stand beside, so that what another value of a parameter
    would explain is not held against its form. Errors that last, and are common to units, are
    taken out first (`error_autocorrelation`). Not a test of the graph: a hidden driver that moves
    with a channel can bend its residuals too, and one that moves all of them alike leaves no trace.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    Misspecification

    Notes
    -----
    At posterior medians. Source: Ramsey (1969), JRSS B 31, for powers; Davidson and MacKinnon
    (1993), Estimation and inference in econometrics, chapter 6, for gradients; Holm (1979).

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.misspecification(fit)  # doctest: +SKIP
    """
    rows: dict[tuple[str, str], FTest] = {}
    autocorrelation, obstacles = {}, {}
    for node in fit.spec.modelled:
        residuals, gradients = linearized(fit, node)
        tied = [
            v for v in fit.spec.structure.district(node) if v in fit.spec.modelled and v != node
        ]
        shocks = [linearized(fit, v)[0][None] for v in tied]  # of nodes that share a cause
        gradients = np.concatenate([gradients, *shocks])
        basis = orthonormal(gradients)
        if residuals.size - basis.shape[-1] < SPARE_ROWS:
            obstacles[node] = (
                f"{residuals.size} rows are too few to test {basis.shape[-1]} coefficients."
            )
            continue
        remainder = residuals - basis @ np.einsum("utk,ut->k", basis, residuals)
        phi, rho = error_autocorrelation(remainder, basis), between_units(remainder)
        autocorrelation[node] = phi
        for edge in fit.spec.structure.incoming(node):
            if edge.source == node:
                continue  # memory has the shape of the errors
            for kind, added in _alternatives(fit, edge).items():
                columns = np.concatenate([gradients, added])
                try:
                    rows[str(edge), kind] = f_test(residuals, gradients, columns, phi, rho)
                except DataError as error:
                    obstacles[f"{edge}, {kind}"] = str(error)
    index = pd.MultiIndex.from_tuples(rows, names=["edge", "kind"]) if rows else None
    table = pd.DataFrame(list(rows.values()), index=index, columns=list(FTest._fields))
    table.insert(2, "p_holm", holm([test.p for test in rows.values()]))
    return Misspecification(table, autocorrelation, obstacles)


def f_test(
    y: np.ndarray, null: np.ndarray, columns: np.ndarray, phi: float = 0.0, rho: float = 0.0
) -> FTest:
    """Test whether columns explain more than the first of them do, under errors that last.

    Parameters
    ----------
    y : array
        Shape ``(unit, time)``.
    null, columns : array
        Shape ``(column, unit, time)``; ``columns`` begins with ``null``.
    phi, rho : float
        Autocorrelation of errors, and their correlation between units.

    Raises
    ------
    DataError
        The added columns are combinations of the others, or too few rows are left.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, e = rng.normal(size=(2, 1, 200))
    >>> one = np.ones((1, 1, 200))
    >>> f_test(x**2 + e, np.stack([*one, x]), np.stack([*one, x, x**2])).p < 1e-6
    True
    """
    y, null, columns = (whitened(part, phi, rho) for part in (y, null, columns))
    before, after = orthonormal(null), orthonormal(columns)
    count, dof = after.shape[-1] - before.shape[-1], y.size - after.shape[-1]
    if count <= 0:
        raise DataError("What would be added is a combination of what is there.")
    if dof < SPARE_ROWS:
        raise DataError(f"{y.size} rows are too few for {after.shape[-1]} coefficients.")
    power = float((y**2).sum())
    restricted, full = (
        power - float((np.einsum("utk,ut->k", basis, y) ** 2).sum()) for basis in (before, after)
    )
    f = (restricted - full) / count / (full / dof)
    return FTest(f, float(stats.f.sf(f, count, dof)), 1 - full / restricted, count, dof)


def whitened(x: np.ndarray, phi: float, rho: float = 0.0) -> np.ndarray:
    """Take out AR(1) over time, and what is common to the units of a panel: GLS.

    The last two dims are ``(unit, time)``.

    Examples
    --------
    >>> whitened(np.array([[1.0, 0.5, 0.25]]), 0.5).round(3)
    array([[0.866, 0.   , 0.   ]])
    """
    first = np.sqrt(1 - phi**2) * x[..., :1]
    shocks = np.concatenate([first, x[..., 1:] - phi * x[..., :-1]], axis=-1)
    units = x.shape[-2]
    share = 1 - np.sqrt((1 - rho) / (1 - rho + units * rho))
    return shocks - share * shocks.mean(axis=-2, keepdims=True)


def linearized(fit: Fit, node: Node) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals of a node and gradients of its mean, at the posterior medians.

    In units of each unit's scale of errors: ``(unit, time)`` and ``(column, unit, time)``.
    """
    scm, start = fit.scm, fit.data.history
    medians = posterior_medians(fit)
    incoming = scm.spec.structure.incoming(node)
    prefixes = (f"{node}:", *(f"{edge}:" for edge in incoming))
    names = [p.name for p in scm.parameters if p.name.startswith(prefixes)]
    names += [str(edge) for edge in incoming]
    directions = [(k, j) for k in names for j in range(medians[k].size)]
    theta = {k: np.repeat(v, 1 + len(directions), axis=0) for k, v in medians.items()}
    steps = []
    for row, (name, j) in enumerate(directions, start=1):
        flat = theta[name].reshape(len(theta[name]), -1)  # a view: what is written stays
        steps.append(_STEP * max(1.0, abs(float(flat[0, j]))))
        flat[row, j] += steps[-1]
    equations = bind(scm, theta, only=incoming)
    mean = equations.mean(node, dict.fromkeys(incoming))[..., start:]
    shape = (len(mean), max(1, len(fit.data.units)), mean.shape[-1])
    mean = np.broadcast_to(mean.reshape(len(mean), -1, mean.shape[-1]), shape)
    eta = scm.link(node, scm.factual[node])[..., start:].reshape(shape[1:])
    sigma = np.reshape(scm.sigma(node, medians), (-1, 1))
    gradients = (mean[1:] - mean[0]) / np.reshape(steps, (-1, 1, 1)) / sigma
    levels = np.broadcast_to(np.eye(shape[1])[..., None], (shape[1], *shape[1:]))
    moving = gradients[np.abs(gradients).reshape(len(gradients), -1).max(axis=1) > 0]
    return (eta - mean[0]) / sigma, np.concatenate([levels / sigma, moving])


def _alternatives(fit: Fit, edge: Edge) -> dict[str, np.ndarray]:
    """Return columns that another curve, or other lags, would add to a response."""
    scm, start = fit.scm, fit.data.history
    medians = posterior_medians(fit)
    shape = (max(1, len(fit.data.units)), len(fit.data.time))

    def path(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.reshape(values, (-1, shape[1])), shape)[:, start:]

    response = path(scm.curve(edge, medians, scm.factual[edge.source][None]))
    centered = (response - response.mean()) / (response.std() or 1.0)
    exposure = scm.delayed(edge, scm.factual[edge.source])
    lags = (0, 1, 2) if scm.spec.mechanisms[edge].reach else (1, 2)
    later = np.stack([path(shift(np, exposure, k)) for k in lags])
    sigma = np.reshape(scm.sigma(edge.target, medians), (-1, 1))
    return {CURVE: np.stack([centered**2, centered**3]) / sigma, CARRY_OVER: later / sigma}
