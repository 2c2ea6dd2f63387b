"""Plot whether the sampler can be trusted."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescausal.errors import SpecError
from bayescausal.inference.evidence import totals
from bayescausal.inference.fit import Fit, total_effect
from bayescausal.inference.verb import verb
from bayescausal.presentation.plot_style import BLUE, DASHED, GRID, INK, open_sheet, styled
from bayescausal.thresholds import MAX_RHAT, MAX_RHAT_NUISANCE, MIN_ESS
from bayescausal.validation.diagnostics import Diagnostics, diagnose

_MAX_EFFECTS = 6
_MAX_PARAMETERS = 14


@verb
def plot_diagnostics(fit: Fit) -> Figure:
    """Plot whether the sampler can be trusted: R-hat, effective sample sizes, ranks by chain.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    matplotlib.figure.Figure
        R-hat, effective sample sizes, and one panel of ranks an effect.

    Raises
    ------
    SpecError
        The fit is a draft, which has no chains.

    Notes
    -----
    Ranks of the draws by chain are level when the chains agree (Vehtari et al., 2021).
    """
    if fit.convergence.is_draft:
        raise SpecError(
            "plot_diagnostics compares chains, and a draft has none: its draws are independent. "
            "fit.convergence says by Pareto k whether it can be read; fit with method='nuts' for "
            "chains."
        )
    return diagnostics_sheet(fit, diagnose(fit))


@styled()
def diagnostics_sheet(fit: Fit, diagnostics: Diagnostics) -> Figure:
    """Draw what `diagnose` found of the sampler of a fit."""
    effects = diagnostics.effects.drop(columns="contraction").sort_values("r_hat", ascending=False)
    ranked = list(effects.index[:_MAX_EFFECTS])
    effects.index = [f"effect of {name}" for name in effects.index]
    table = pd.concat([effects[:_MAX_PARAMETERS], diagnostics.parameters[:_MAX_PARAMETERS]])
    columns = min(3, len(ranked))
    panel_rows = math.ceil(len(ranked) / columns)
    table_height = 0.7 + 0.2 * len(table)
    sheet = open_sheet(
        fit,
        table_height + 1.9 * panel_rows,
        title="Diagnostics of the sampler",
        subtitle="Total effects, and the "
        f"{min(_MAX_PARAMETERS, len(diagnostics.parameters))} parameters with the largest "
        "R-hat. Dashed: the limits (in blue for effects). Below: "
        "ranks of the draws of each total effect, one line a chain; level within the grey 99% "
        "band when chains agree.",
    )
    grid = sheet.add_gridspec(1 + panel_rows, 6, height_ratios=[table_height, *[1.9] * panel_rows])
    rhat_axes = sheet.add_subplot(grid[0, :3])
    ess_axes = sheet.add_subplot(grid[0, 3:], sharey=rhat_axes)
    _limits(rhat_axes, ess_axes, table, len(effects[:_MAX_PARAMETERS]))
    for k, name in enumerate(ranked):
        span = 6 // columns
        row, column = 1 + k // columns, span * (k % columns)
        _ranks(sheet.add_subplot(grid[row, column : column + span]), fit, name)
    return sheet


def _limits(rhat_axes: Axes, ess_axes: Axes, table: pd.DataFrame, effects: int) -> None:
    rows = np.arange(len(table))
    colors = [BLUE] * effects + [INK] * (len(table) - effects)
    rhat_axes.scatter(table["r_hat"], rows, c=colors, s=22)
    rhat_axes.axvline(MAX_RHAT, color=BLUE, **DASHED)
    rhat_axes.axvline(MAX_RHAT_NUISANCE, color=INK, **DASHED)
    rhat_axes.set_xlim(0.999, max(1.032, float(table["r_hat"].max()) * 1.002))
    rhat_axes.set_title("R-hat")
    rhat_axes.set_yticks(rows, list(table.index), color=INK)
    rhat_axes.set_ylim(len(table) - 0.5, -0.5)
    ess_axes.scatter(table["ess_bulk"], rows, c=colors, s=22, label="bulk")
    ess_axes.scatter(
        table["ess_tail"], rows, facecolors="none", edgecolors=colors, s=22, label="tail"
    )
    ess_axes.axvline(MIN_ESS, color=BLUE, **DASHED)
    ess_axes.set_xlim(left=0)
    ess_axes.set_title("Effective sample size (filled: bulk, open: tail)")
    ess_axes.tick_params(labelleft=False)


def _ranks(ax: Axes, fit: Fit, name: str) -> None:
    values = total_effect(fit, totals(fit.spec, fit.data)[name])
    ranks = values.ravel().argsort().argsort().reshape(values.shape)
    bins = min(20, max(2, values.shape[1] // 10))
    edges = np.linspace(0, values.size, bins + 1)
    expected = values.shape[1] / bins
    spread = 2.58 * math.sqrt(expected * (1 - 1 / bins))
    ax.axhspan(max(0, expected - spread), expected + spread, color=GRID, linewidth=0)
    for chain, shade in zip(ranks, np.linspace(0.45, 1, len(ranks)), strict=True):
        ax.stairs(np.histogram(chain, edges)[0], edges, baseline=None, color=BLUE, alpha=shade)
    ax.set_ylim(0, None)
    ax.set_title(f"ranks: effect of {name}")
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.set_ylabel("draws per bin")
