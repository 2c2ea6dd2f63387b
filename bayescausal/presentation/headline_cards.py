"""Build the cards of a report's first screen: one for each channel, from the tables' draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayescausal._types import Draws, Node
from bayescausal.experiments.estimand import incremental
from bayescausal.identification.grades import Letter
from bayescausal.inference.fit import Fit
from bayescausal.presentation.evidence_text import judge, obstacle, proportional, remedy
from bayescausal.presentation.formatting import (
    chance,
    extrapolated,
    next_step,
    number,
    share,
    standing,
    verdict,
)
from bayescausal.presentation.plot_style import table_of
from bayescausal.presentation.plots import channels_of
from bayescausal.queries.effects import decompose, mroas, roas
from bayescausal.queries.questions import paid
from bayescausal.queries.summary import PRIOR, PRIOR_COORDS

type Questions = dict[tuple[Node, str], Draws]
type Cells = dict[Node, dict[str, dict[str, Any]]]


def returns_of(fit: Fit, outcome: Node) -> dict[str, Draws]:
    """Return the returns of all channels that are paid; none where there is no spend."""
    names = paid(fit, outcome)
    if not names:
        return {}
    return {
        "roas": roas(fit, names, outcome=outcome),
        "induced roas": roas(fit, names, outcome=outcome, spend="induced"),
        "mroas": mroas(fit, names, outcome=outcome),
    }


def questions_of(fit: Fit, outcome: Node, returns: dict[str, Draws]) -> Questions:
    """Return the draws of every number on an outcome, by channel and quantity."""
    questions: Questions = {}
    observed = float(fit.tree["observed_data"][outcome].sum())
    for channel in channels_of(fit, outcome):
        parts = decompose(fit, incremental(channel, outcome=outcome))
        for path in ("total", "direct", "indirect"):
            questions[channel, path] = parts.sel(path=path).drop_vars("path")
        if observed > 0:
            total = questions[channel, "total"]
            scaled = {k: total.coords[k] / observed for k in PRIOR_COORDS if k in total.coords}
            part = (total / observed).assign_coords(scaled).assign_attrs(total.attrs)
            questions[channel, "share"] = part
        if channel in fit.data.spend:
            for name, draws in returns.items():
                questions[channel, name] = draws.sel(channel=channel).drop_vars("channel")
    return questions


def cells(fit: Fit, questions: Questions, prob: float) -> Cells:
    """Return the text of every number on an outcome, by channel and quantity."""
    texts: Cells = {}
    for (channel, quantity), draws in questions.items():
        texts.setdefault(channel, {})[quantity] = cell(fit, draws, quantity, prob)
    return texts


def cell(fit: Fit, draws: Draws, quantity: str, prob: float) -> dict[str, Any]:
    """Return the median, interval and chances of scalar draws, as text with their grade."""
    write = share if quantity == "share" else number
    line = table_of(draws, prob).iloc[0]
    above_one = np.mean((draws > 1) & np.isfinite(draws))
    p_above = math.nan if np.isnan(line["p_positive"]) else float(above_one)
    count = fit.shape[0] * fit.shape[1]
    return {
        "median": write(line["median"]),
        "interval": f"{write(line['low'])} to {write(line['high'])}",
        "prior": " to ".join(write(line[end]) for end in PRIOR if end in line),
        "note": str(line.get("note", "")),
        "extrapolated_share": float(line.get("extrapolated_share", math.nan)),
        "fixed": line["low"] == line["high"],
        "size": float(line["median"]),
        "p_above_one": p_above,
        "above_one": chance(p_above, count),
        "positive": chance(float(line["p_positive"]), count),
        "grade": line["grade"],
        "unknown": line["grade"] == Letter.X and line["low"] != line["high"],
        "standing": standing(line["grade"]) if line["grade"] else "",
    }


def headlines(fit: Fit, texts: Cells, outcome: Node, prob: float) -> list[dict[str, Any]]:
    """Return the text of each channel's card, paid channels first, the largest return on top."""
    rows, spec = [], fit.spec
    priced = fit.data.value != 1 and len(spec.graph.outcomes) == 1
    for channel, quantities in texts.items():
        page, grade = judge(fit.evidence, channel, outcome)
        paid = "roas" in quantities
        lead = quantities["roas" if paid else "total"]
        tests = [
            e
            for e in spec.experiments
            if channel in e.estimand.treatments and e.design != "prior-belief"
        ]
        tested = any(test in fit.evidence.informative for test in tests)
        rows.append(
            {
                "channel": channel,
                "paid": paid,
                "lead": lead,
                "verdict": verdict(lead["p_above_one"], priced),
                "why": obstacle(page),
                "remedy": remedy(page),
                "total": quantities["total"],
                "share": quantities.get("share"),
                "mroas": quantities.get("mroas"),
                "linear": proportional(spec, channel, outcome),
                "extrapolated": extrapolated(quantities["total"]["extrapolated_share"]),
                "step": _step(fit, channel, quantities, tested, grade.conflict, prob),
                "tests": len(tests),
            }
        )
    return sorted(rows, key=lambda row: (not row["paid"], -row["lead"]["size"]))


def _step(
    fit: Fit,
    channel: Node,
    quantities: dict[str, dict[str, Any]],
    tested: bool,
    conflict: bool,
    prob: float,
) -> str:
    """Say what to do with the next unit of spend; nothing where that would rest on too little.

    That is without mROAS, without convergence, and with several outcomes: what the next unit
    returns on one of them is not all that it returns. It pays back when it returns more than all
    the spend that it moves, that of other channels included.
    """
    margin = quantities.get("mroas")
    single_outcome = len(fit.spec.graph.outcomes) == 1
    if margin is None or not (single_outcome and fit.convergence.converged):
        return ""
    terms = [f"at {number(1)} a unit"] if fit.data.value == 1 else []
    if quantities["roas"]["median"] != quantities["induced roas"]["median"]:
        draws = mroas(fit, [channel], spend="induced").isel(channel=0).drop_vars("channel")
        margin = cell(fit, draws, "mroas", prob)
        terms.append("counting the spend that it causes elsewhere")
    if not math.isfinite(margin["size"]):
        return ""
    return next_step(
        margin["grade"],
        margin["p_above_one"],
        margin["above_one"],
        tested=tested,
        conflict=conflict,
        terms=terms,
    )
