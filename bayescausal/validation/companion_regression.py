"""`companion_regression`: least squares with t statistics beside the posterior of one equation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.stattools import durbin_watson

from bayescausal import checks
from bayescausal._display import TablePage, wrapped
from bayescausal._types import Array, Node
from bayescausal.errors import DataError
from bayescausal.graphs.edge import Edge
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.model.scm import Equations
from bayescausal.specs.baseline import Intercept
from bayescausal.validation.lagged_regression import SPARE_ROWS

NOT = (
    "It is not the answer: carry-over and saturation are taken as known, at their posterior means, "
    "so that standard errors leave out what is not known of them, and p-values are too small.",
    "It knows no priors and no lift tests: where these speak, the posterior differs, and should.",
    "It is one equation, of direct effects along edges; totals run through mediators too.",
    "A coefficient is causal only where the graph identifies its edge: see the grade.",
)
"""What a companion regression is not."""

_PROB = 0.9


@dataclass(frozen=True, eq=False)
class CompanionRegression(TablePage):
    """A least-squares regression with the regressors of one equation of a fit.

    Parameters
    ----------
    table : pandas.DataFrame
        By regressor: ``coefficient``, ``se`` (robust to autocorrelation), ``t``, ``p_value``,
        ``vif``; of edges also the posterior ``median``, ``low`` and ``high`` (90 percent) of the
        same coefficient, and the ``grade`` of the edge.
    node, unit : str
        The node that is explained, and what its coefficients are counted in.
    r_squared, durbin_watson : float
        Of the residuals. Two is no autocorrelation, zero much.
    rows, lags : int
        Unit-periods, and lags of the robust errors.
    notes : tuple of str
        What was seen on the way.
    """

    table: pd.DataFrame
    node: Node
    unit: str
    r_squared: float
    durbin_watson: float
    rows: int
    lags: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        head = (
            f"Least squares of {self.node} on the regressors of its equation, in {self.unit}: "
            f"{self.rows} rows, R2 {self.r_squared:.2f}, Durbin-Watson {self.durbin_watson:.2f}; "
            f"standard errors robust to {self.lags} lags of autocorrelation (Newey-West)."
        )
        numbers = self.table.drop(columns="grade").map(_significant)
        body = numbers.assign(grade=self.table["grade"]).to_string()
        return "\n".join([wrapped(head), body, *map(wrapped, (*self.notes, *NOT))])

    def _repr_html_(self) -> str:
        words = "".join(f"<p>{escape(line)}</p>" for line in (*self.notes, *NOT))
        return self.table.round(4).to_html(border=0, na_rep="") + words


def _significant(x: float) -> str:
    return "" if np.isnan(x) else f"{x:.3g}"


@verb
def companion_regression(
    fit: Fit, node: Node | None = None, *, lags: int | None = None
) -> CompanionRegression:
    """Regress a node on the regressors of its equation, with t statistics, VIF and Durbin-Watson.

        g(y) = constant + sum_e b_e f_e(x) + sum_k c_k D_k + residual,   by least squares

    with carry-over and saturation f at the posterior means of their parameters, and the trend,
    seasons and events of the equation. For those who ask for t statistics; `NOT` says what it is
    not, and every print repeats it.

    Parameters
    ----------
    fit : Fit
    node : str, optional
        A node with an equation; the outcome by default.
    lags : int, optional
        Of the robust standard errors; by default 4 (n / 100)^(2/9), rounded down.

    Returns
    -------
    CompanionRegression

    Raises
    ------
    DataError
        Too few rows for the regressors.

    Notes
    -----
    In a panel each unit has a constant, and standard errors allow for units that move together
    (Driscoll and Kraay 1998). Source: Newey and West (1987), Econometrica 55, and (1994), Review of
    Economic Studies 61, for the lags; Durbin and Watson (1950), Biometrika 37.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.companion_regression(fit)  # doctest: +SKIP
    """
    scm, spec = fit.scm, fit.spec
    node = checks.name(
        "companion_regression: node", node or spec.graph.outcomes[0], choices=spec.modelled
    )
    edges = spec.structure.incoming(node)
    columns = dict(_regressors(fit, node, edges))
    target = np.atleast_2d(scm.link(node, scm.factual[node]))[:, fit.data.history :]
    units, periods = target.shape
    single = 1 if fit.data.is_panel or spec.link(node) == "log" else scm.scale[node].item()
    y = single * target.ravel()
    design = pd.DataFrame({name: column.ravel() for name, column in columns.items()})
    levels = np.repeat(np.eye(units), periods, axis=0)
    names = ["constant"] if units == 1 else [f"level of {unit}" for unit in fit.data.units]
    design = pd.concat([design, pd.DataFrame(levels, columns=names)], axis=1)
    if len(y) - design.shape[1] < SPARE_ROWS:
        raise DataError(
            f"{len(y)} rows are too few for {design.shape[1]} regressors: {SPARE_ROWS} rows more "
            "are the least."
        )
    most = int(4 * (periods / 100) ** (2 / 9))
    lags = most if lags is None else checks.count("companion_regression: lags", lags)
    result = _robust(y, design, units, periods, lags)
    fitted = design.to_numpy() @ np.asarray(result.params)
    residuals = (y - fitted).reshape(units, periods)
    statistics = {
        "coefficient": result.params,
        "se": result.bse,
        "t": result.tvalues,
        "p_value": result.pvalues,
    }
    table = pd.DataFrame(statistics).loc[[*columns]]
    table["vif"] = _inflation(design, [*columns])
    posterior = _posterior(fit, edges, single)
    table = table.join(posterior).assign(
        grade=[str(fit.evidence.edge_letter(e)) for e in edges] + [""] * (len(columns) - len(edges))
    )
    return CompanionRegression(
        table.rename_axis("regressor"),
        node,
        _counted_in(fit, node),
        float(result.rsquared),
        float(np.mean([durbin_watson(row) for row in residuals])),
        len(y),
        lags,
        tuple(_notes(table, edges, node)),
    )


def _regressors(fit: Fit, node: Node, edges: tuple[Edge, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the centered regressors of an equation by name, dims ``(unit, time)``."""
    scm, start = fit.scm, fit.data.history
    theta = {name: np.array(value) for name, value in fit.mean_shapes().items()}
    shape = (max(1, len(fit.data.units)), len(fit.data.training))
    for edge in edges:
        arriving = scm.delayed(edge, scm.factual[edge.source])
        path = np.atleast_2d(scm.common_curve(edge, theta, arriving, np, scm.depth))[:, start:]
        yield str(edge), path - path.mean()
    for term in fit.spec.terms(node):
        if isinstance(term, Intercept):
            continue
        labels = term.labels(fit.data.training)
        for label, column in zip(labels, scm.design[node][term.key], strict=True):
            yield f"{term.key} {label}", np.broadcast_to(column[start:], shape)


def _robust(
    y: np.ndarray, design: pd.DataFrame, units: int, periods: int, lags: int
) -> sm.regression.linear_model.RegressionResults:
    """Fit by least squares, with errors robust to autocorrelation and to units in step."""
    model = sm.OLS(y, design)
    if units == 1:
        robust: dict[str, Any] = {"maxlags": lags, "use_correction": True}
        return model.fit(cov_type="HAC", cov_kwds=robust, use_t=True)
    order = np.arange(len(y)).reshape(units, periods).T.ravel()  # period by period
    sorted_model = sm.OLS(y[order], design.iloc[order].reset_index(drop=True))
    robust = {"time": np.repeat(np.arange(periods), units), "maxlags": lags}
    return sorted_model.fit(cov_type="hac-groupsum", cov_kwds=robust, use_t=True)


def _inflation(design: pd.DataFrame, names: list[str]) -> list[float]:
    values = design.to_numpy()
    return [float(variance_inflation_factor(values, design.columns.get_loc(n))) for n in names]


def _posterior(fit: Fit, edges: tuple[Edge, ...], single: float) -> pd.DataFrame:
    """Return median and interval of the coefficients of edges."""
    tails = [(1 - _PROB) / 2, 0.5, (1 + _PROB) / 2]
    rows = {}
    for edge in edges:

        def coefficient(equations: Equations, edge: Edge = edge) -> Array:
            beta = np.asarray(equations.edges[edge].beta).reshape(-1)
            return np.broadcast_to(beta * single, (equations.draws,))

        low, median, high = np.quantile(fit.evaluate(coefficient, only=[edge]), tails)
        rows[str(edge)] = {"median": median, "low": low, "high": high}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["median", "low", "high"])


def _counted_in(fit: Fit, node: Node) -> str:
    if fit.spec.link(node) == "log":
        return "log units"
    return f"units of {node}" if not fit.data.is_panel else f"shares of {node}'s scale in each unit"


def _notes(table: pd.DataFrame, edges: tuple[Edge, ...], node: Node) -> Iterator[str]:
    outside = [
        str(edge)
        for edge in edges
        if not table.loc[str(edge), "low"]
        <= table.loc[str(edge), "coefficient"]
        <= table.loc[str(edge), "high"]
    ]
    if outside:
        yield (
            f"Outside of the 90% posterior interval: {', '.join(outside)}. A prior, a test, an "
            "unobserved cause or the shape of the curve makes the difference."
        )
    if any(edge.source == edge.target for edge in edges):
        yield f"{node} depends on its own past, so Durbin-Watson is near two whatever is left."
