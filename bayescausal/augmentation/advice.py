"""The advice of `diagnose_augmentation`: what its numbers mean, and what to do about them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bayescausal.thresholds import (
    COPIED_WEIGHT,
    CORE_MASS,
    DISTANT_SHARE,
    EFFECTIVE_SHARE,
    ISOLATED_SHARE,
    ISOLATED_SURPLUS,
    OUTSIDE_SHARE,
    SLOPE_CHANGE,
)

_KERNELS = ("Kernel", "Nearest", "Forest")


def remarks(
    rows: pd.Series, nodes: pd.DataFrame, support: pd.Series, notes: Sequence[str]
) -> list[str]:
    """List what is wrong with augmented rows and what to do about it, most important first.

    Tables are those of `AugmentationDiagnostics`; `notes` are what the sampler had to say.
    """
    sentences = list(notes)
    if not rows["rows"]:
        return [
            *sentences,
            "There are no rows, so augmentation does nothing here. Ancestral() always has as many "
            "as you ask for.",
        ]
    extremes = nodes["outside"][nodes["outside"] > OUTSIDE_SHARE] if len(nodes) else {}
    extrapolations = [
        f"{share:.0%} of the values of '{node}' lie farther outside the observed range than the "
        "range is wide: the regression is extended to causes that were never seen together, where "
        "curves and products run away. A linear one goes less far: "
        f"conditional={{'{node}': ResidualBootstrap(knots=0, products=False)}}. If it is linear "
        "already, the causes move together: say so in the graph (a common cause, or <->)."
        for node, share in extremes.items()
    ]
    sentences = [*extrapolations, *sentences, *_slope_remarks(nodes)]
    if rows["mass"] < CORE_MASS:
        sentences.append(
            f"The rows hold {rows['mass']:.0%} of the probability: the dense core of the law, so "
            "spreads are too small. Lower theta, or take Ancestral() or Reduce(), which are "
            "unbiased."
        )
    for node, row in nodes.iterrows():
        is_kernel = row["estimator"] in _KERNELS
        # A regression is not blamed for causes that are as rare among the observed rows.
        observed_share = 0.0 if is_kernel else row["alone_observed"] + ISOLATED_SURPLUS
        if row["alone"] > max(ISOLATED_SHARE, observed_share):
            sentences.append(_isolation_remark(str(node), row))
    if support["beyond"] > DISTANT_SHARE:
        sentences.append(
            f"{support['beyond']:.0%} of the rows are farther from every observed row than 95% of "
            "observed rows are from their neighbors: they combine what never occurred together. "
            "If causes were planned together they are not independent: say so in the graph (a "
            "common cause, or <->), or give augmented rows less weight."
        )
    if rows["copies"] > COPIED_WEIGHT:
        sentences.append(
            f"{rows['copies']:.0%} of the weight is on copies of observed rows, which add nothing: "
            "the graph leaves little to recombine, or bandwidths are too small (temperature). "
            "Copies must not straddle the folds of a cross validation."
        )
    if rows["effective_rows"] < EFFECTIVE_SHARE * rows["rows"]:
        sentences.append(
            f"{rows['rows']:.0f} rows weigh as {rows['effective_rows']:.0f}: a few heavy ones "
            "dominate. Ancestral() has even weights."
        )
    return sentences or [
        "Nothing to mend. That says nothing about the graph: the rows are right only as far as the "
        "independences are that it claims, and they hold no more information than the observed "
        "rows and the graph."
    ]


def _slope_remarks(nodes: pd.DataFrame) -> list[str]:
    """Warn of nodes whose slopes on their causes differ from the observed ones."""
    if not len(nodes):
        return []
    changes = nodes[(nodes["slope"] - 1).abs() > SLOPE_CHANGE + 2 * nodes["slope_error"]]
    is_attenuated = changes["estimator"].isin(_KERNELS) & (changes["slope"] < 1)
    sentences = []
    if is_attenuated.any():
        node = changes.index[is_attenuated][0]
        sentences.append(
            f"Slopes on the causes are smaller in the augmented rows than in the observed ones: "
            f"{_percentages(changes[is_attenuated])}. Donors' causes are only near the given ones, "
            "which attenuates effects. For a number use "
            f"conditional={{'{node}': ResidualBootstrap()}}, "
            "which follows curves and products too, or LocalLinear() if its noise does not add to "
            "the mean; for a category a smaller bandwidth, such as NadarayaWatson('likelihood')."
        )
    if (~is_attenuated).any():
        sentences.append(
            f"Slopes on the causes differ from the observed ones, at the same causes: "
            f"{_percentages(changes[~is_attenuated])}. There are few rows for the number of "
            "causes, or causes that are nearly copies of each other, and a penalty shrinks the "
            "mean; or it is a curve or an interaction that the estimator cannot follow. Try fewer "
            "causes, or ResidualBootstrap(), whose nonlinear terms go as far as the rows bear them "
            "out."
        )
    return sentences


def _percentages(nodes: pd.DataFrame) -> str:
    return ", ".join(f"{node} {slope - 1:+.0%}" for node, slope in nodes["slope"].items())


def _isolation_remark(node: str, row: pd.Series) -> str:
    """Warn that many values of a node rest on fewer than two observed rows."""
    is_kernel = row["estimator"] in _KERNELS
    return (
        f"{row['alone']:.0%} of the values of '{node}' are drawn at causes that fewer than two "
        f"observed rows are like (median {row['donors']:.1f} rows, {row['donors_observed']:.1f} at "
        "observed causes): "
        + (
            "each is a copy of its nearest row, which biases effects. ResidualBootstrap() or "
            "LocalLinear() extrapolate along a slope instead."
            if is_kernel
            else "there it rests on the shape of the regression alone."
        )
    )
