"""From effects to a decision: where the outcome came from, what to spend, what to change."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayescausal._types import Draws, Node
from bayescausal.decisions.allocation import Allocation
from bayescausal.decisions.budget_plans import last_year
from bayescausal.decisions.channel_roster import allocated_channels
from bayescausal.decisions.decision import draw_indices
from bayescausal.decisions.optimizer import optimize
from bayescausal.errors import BayesCausalError
from bayescausal.experiments.estimand import incremental
from bayescausal.identification.grades import Letter
from bayescausal.identification.status import Status
from bayescausal.inference.fit import Fit
from bayescausal.model.contrast import window_in_words
from bayescausal.presentation.decomposition_plots import plot_decomposition
from bayescausal.presentation.evidence_text import (
    double_credit,
    obstacle,
    proportional,
    remedy,
    with_and_without_test,
)
from bayescausal.presentation.formatting import chance, listed, number, share, standing
from bayescausal.presentation.headline_cards import cell
from bayescausal.presentation.plot_style import period, table_of
from bayescausal.presentation.plots import channels_of
from bayescausal.presentation.spend_plots import plot_spend_response
from bayescausal.queries.curves import observed_factor
from bayescausal.queries.decomposition import decomposition
from bayescausal.queries.measures import business_measures
from bayescausal.queries.questions import paid
from bayescausal.thresholds import LIKELY

type Section = dict[str, Any]

_CURVE_DRAWS = 400
_SMALL_MOVE = 0.01
"""Share of the budget below which a change of one channel is not worth a sentence."""
_PROBABLE = 0.75
_NAMED_MOVES = 3
_STEEP, _FLAT = 0.9, 0.5
_SHOWN = {
    "contribution": "total",
    "share": "share",
    "spend": "total",
    "spend_share": "share",
    "roas": "roas",
    "mroas": "mroas",
}
"""Measures of a channel, and as what each is written."""
_KINDS = {
    "baseline": "baseline",
    "control": "other cause",
    "channel": "channel",
    "interaction": "interaction",
    "residual": "not explained",
}


_SAID_BEFORE = ("Held", "NOT CONVERGED", "DRAFT")  # on the first screen


def decision_sections(fit: Fit, prob: float) -> Section:
    """Return the first-screen decision and the three sections behind it, as text and figures.

    A section that cannot be computed has only ``why``, one sentence.
    """
    origins = [_computed(_origin, fit, outcome, prob) for outcome in fit.spec.graph.outcomes]
    spending = change = {"why": _no_plan(fit)}
    if not spending["why"]:
        spending = _computed(_spending, fit, fit.spec.graph.outcome, prob)
        change = _computed(_change, fit, fit.spec.graph.outcome, prob)
    if not fit.convergence.converged:
        change = {"why": "The fit has not converged, so no change of spend is worked out."}
    action = change.get("action") or (
        "No change of spend is recommended."
        if fit.convergence.converged
        else "Nothing is recommended yet: the fit has not converged."
    )
    if fit.convergence.is_draft and fit.convergence.converged:
        action = f"Only a draft, to be fitted with NUTS before it is acted on: {action}"
    return {
        "origins": origins,
        "spending": spending,
        "change": change,
        "lead": {
            "action": action,
            "evidence": change.get("evidence", change.get("why", "")),
            "origins": [origin["lead"] for origin in origins if "lead" in origin],
        },
    }


def _computed(section: Callable[..., Section], *args: Any) -> Section:
    try:
        return section(*args)
    except BayesCausalError as error:
        return {"why": str(error)}


def _no_plan(fit: Fit) -> str:
    """Say why there is no plan of spend before anything is computed; empty when there may be."""
    outcomes = fit.spec.graph.outcomes
    if len(outcomes) > 1:
        return (
            f"The model has {len(outcomes)} outcomes ({listed(outcomes)}), and what a plan gains "
            "on one of them is not all that it gains: ask optimize for one by name."
        )
    if not paid(fit, outcomes[0]):
        return "No channel has spend, so there is no budget to plan."
    return ""


# Where the outcome came from


def _origin(fit: Fit, outcome: Node, prob: float) -> Section:
    names = channels_of(fit, outcome)
    draws = decomposition(fit, outcome=outcome, channels=names, total=True)
    observed = float(draws.isel(chain=0, draw=0).sum())
    size = abs(draws).max(("chain", "draw")).to_numpy()
    is_present = size > 1e-9 * abs(observed)
    is_described = np.isin(draws["kind"], ["baseline", "control"])
    zero_parts = draws["component"].to_numpy()[~is_present & is_described]
    parts = draws.isel(component=is_present)
    kinds = parts["kind"].to_numpy()
    rows = [_part(fit, parts.isel(component=k), observed, prob) for k in range(len(kinds))]
    is_baseline = np.isin(kinds, ["baseline", "control"])
    is_media = np.isin(kinds, ["channel", "interaction"])
    letter = fit.evidence.grade(incremental(names, outcome=outcome)).letter
    baseline_row = _sum(
        parts.isel(component=is_baseline), "without the channels", "", fit, observed, prob
    )
    media_row = _sum(
        parts.isel(component=is_media), "all channels together", str(letter), fit, observed, prob
    )
    groups = [(is_baseline, baseline_row), (is_media, media_row), (kinds == "residual", None)]
    listing = []
    for chosen, total in groups:
        group = [row for row, is_member in zip(rows, chosen, strict=True) if is_member]
        listing += group + ([total] if total and len(group) > 1 else [])
    return {
        "outcome": outcome,
        "rows": listing,
        "observed": number(observed),
        "even": listed(zero_parts) if len(zero_parts) else "",
        "interacts": "interaction" in kinds,
        "why_interaction": double_credit(fit.spec, names, [outcome]).partition(": ")[2],
        "log": fit.spec.link(outcome) == "log",
        "figure": plot_decomposition(parts, prob=prob),
        "alt": f"Waterfall of {outcome} from its baseline through each channel to what was "
        "observed, with intervals. The table of parts gives the numbers.",
        "lead": _media_share(media_row, outcome, names, prob),
    }


def _part(fit: Fit, draws: Draws, observed: float, prob: float) -> Section:
    kind, name = str(draws["kind"].item()), str(draws["component"].item())
    letter = str(draws["grade"].item())
    bare = draws.drop_vars(["component", "kind", "channel"])
    return {
        "name": name,
        "kind": _KINDS[kind],
        "total": False,
        "amount": cell(fit, bare, "total", prob),
        "share": cell(fit, bare / observed, "share", prob),
        "standing": standing(letter) if letter else "described, so without a grade",
    }


def _sum(parts: Draws, name: str, letter: str, fit: Fit, observed: float, prob: float) -> Section:
    total = parts.reset_coords(drop=True).sum("component")
    total = total.assign_coords(grade=letter, component=name, kind="channel", channel="")
    return {**_part(fit, total, observed, prob), "kind": "", "total": True}


def _media_share(media_row: Section, outcome: Node, names: Sequence[Node], prob: float) -> str:
    if media_row["amount"]["unknown"]:
        return (
            f"How much of {outcome} {listed(names)} made is not known: not all of it is identified."
        )
    subject = f"{names[0]} made" if len(names) == 1 else f"{listed(names)} together made"
    part, interval = media_row["share"]["median"], media_row["share"]["interval"]
    return (
        f"{subject} {part} of {outcome} ({prob:.0%} interval {interval}). {media_row['standing']}."
    )


# What to spend


def _window(fit: Fit, outcome: Node) -> tuple[Any, Any]:
    """Return the window that stands for the time to come, the one of `optimize`."""
    try:
        names = allocated_channels(fit, None, outcome)
    except BayesCausalError:  # only mediators are paid
        names = list(paid(fit, outcome))
    return last_year(fit, names, outcome)


def _spending(fit: Fit, outcome: Node, prob: float) -> Section:
    names, window = list(paid(fit, outcome)), _window(fit, outcome)
    place = {"outcome": outcome, "window": window}
    draws = business_measures(fit, names, outcome=outcome, window=window)
    rows: list[Section] = []
    for name in names:
        channel_draws = draws.sel(channel=name).drop_vars("channel")
        row: Section = {
            measure: cell(fit, channel_draws.sel(measure=measure).drop_vars("measure"), kind, prob)
            for measure, kind in _SHOWN.items()
        }
        row["curve"] = _place(fit, name, channel_draws, place, prob)
        rows.append({"channel": name, **row})
    running = [str(row["channel"]) for row in rows if math.isfinite(row["spend"]["size"])]
    figure = None
    if running:
        thinned = fit.thinned(draw_indices(fit.shape, max(_CURVE_DRAWS, fit.shape[0])))
        figure = plot_spend_response(thinned, running, outcome=outcome, window=window, prob=prob)
    count = min(_CURVE_DRAWS, fit.shape[0] * fit.shape[1])
    return {
        "rows": rows,
        "window": _dates(
            window_in_words(fit.data, incremental(names[0], outcome=outcome, window=window))
        ),
        "figure": figure,
        "alt": f"Effect on {outcome} of each channel by its spend, with intervals; grey where an "
        f"average {period(fit)} would spend more than the largest that was seen. The table of "
        "spend gives the numbers at the present spend.",
        "draws": f"{count:,} of {fit.shape[0] * fit.shape[1]:,}",
        "unpriced": listed(c for c in channels_of(fit, outcome) if c not in names)
        if {*channels_of(fit, outcome)} - {*names}
        else "",
    }


def _place(fit: Fit, name: Node, draws: Draws, place: dict[str, Any], prob: float) -> str:
    """Say where on its curve a channel is: what the next 1 brings over what the average 1 did."""
    if not math.isfinite(float(draws.sel(measure="spend").isel(chain=0, draw=0))):
        return "no spend in this window"
    if proportional(fit.spec, name, place["outcome"]):
        return "straight line, by assumption: nothing is known of saturation"
    furthest = observed_factor(fit, incremental(name, **place))
    room = f"; the largest {period(fit)} seen is {furthest:.1f} times the average"
    average, following = (draws.sel(measure=m, drop=True) for m in ("roas", "mroas"))
    if float(table_of(average, prob)["p_positive"].iloc[0]) < 1 - (1 - prob) / 2:
        return f"not known: whether it adds anything is open{room}"
    ratio = (following / average.where(average > 0)).reset_coords(drop=True)
    line = table_of(ratio, prob).iloc[0]
    shape = "flattening" if line["median"] < _FLAT else "bending"
    if line["median"] >= _STEEP:
        shape = "nearly straight" if line["median"] <= 2 - _STEEP else "rising"
    return (
        f"{shape}: the next 1 brings {share(line['median'])} of what the average 1 did "
        f"({share(line['low'])} to {share(line['high'])}){room}"
    )


# What to change


def _change(fit: Fit, outcome: Node, prob: float) -> Section:
    best = optimize(fit, outcome=outcome, window=_window(fit, outcome))
    gain = table_of(best.gain, prob).iloc[0]
    count = fit.shape[0] * fit.shape[1]
    moves = [c for c in best.table.index if not _is_held(best, c)]
    reasons = {str(c): str(best.table.loc[c, "at"]) for c in best.table.index if c not in moves}
    reasons |= {
        c: _why_left_out(fit, c) for c in channels_of(fit, outcome) if c not in best.table.index
    }
    stays = [f"{c}: {_in_full(fit, c, outcome, reason)}" for c, reason in reasons.items()]
    interval = f"{number(gain['low'])} to {number(gain['high'])}"
    window = _dates(best.gain.attrs["window"])
    words = {
        "median": number(gain["median"]),
        "interval": interval,
        "chance": chance(best.p_gain, count),
        "standing": standing(str(gain["grade"])),
    }
    action = _action(fit, best, moves, str(gain["grade"]))
    evidence = (
        f"Among splits of what {window} cost, each channel at half to one and a half times "
        f"what it got, the best would bring {words['median']} more {_units(fit, outcome)} "
        f"(median; {prob:.0%} interval {interval}); the chance that it brings more at all is "
        f"{words['chance']}. {words['standing']}."
    )
    if len(moves) == 1:
        evidence = f"Only {moves[0]} can move, and the total is kept."
    if stays:
        evidence += f" Not moved: {listed(f'{c} ({reason})' for c, reason in reasons.items())}."
    return {
        "action": action,
        "evidence": evidence,
        "gain": words,
        "alone": len(moves) == 1,
        "units": _units(fit, outcome),
        "window": window,
        "value": best.gain.attrs["value"],
        "rows": [_move(best, str(name)) for name in best.table.index],
        "stays": stays,
        "unspent": number(-best.spend_change)
        if best.spend_change < -1e-4 * best.table["present"].sum()
        else "",
        "price": number(best.shadow_price),
        "regret": {k: number(max(v, 0.0)) for k, v in best.regret.items()},
        "said": [s for s in best.statements if not s.startswith(_SAID_BEFORE)],
        "truncated": bool(best.gain.attrs["tail_truncated"]),
    }


def _is_held(best: Allocation, name: Node) -> bool:
    return name not in best.plan.active


def _why_left_out(fit: Fit, name: Node) -> str:
    return "it follows other channels" if name in fit.data.spend else "no spend on record"


def _in_full(fit: Fit, name: Node, outcome: Node, reason: str) -> str:
    """Say why a channel is not moved, and what would let it move."""
    if reason == Status.NOT_IDENTIFIED:
        page = fit.evidence.verdict(incremental(name, outcome=outcome))
        return " ".join(
            filter(None, ["its effect is not identified.", obstacle(page), remedy(page)])
        )
    if reason == "it follows other channels":
        return (
            "its spend follows other channels, and what that costs is taken off the gain. To set "
            "it by hand, name it in optimize(channels=...)."
        )
    return f"{reason}."


def _units(fit: Fit, outcome: Node) -> str:
    return outcome if fit.data.value == 1 else f"in value of {outcome}"


def _dates(window: str) -> str:
    return window.replace("..", " to ")


def _move(best: Allocation, name: Node) -> Section:
    line = best.table.loc[name]
    is_held = _is_held(best, name)
    change = line["optimum"] - line["present"]
    scatter = f"{number(line['scatter_5%'])} to {number(line['scatter_95%'])}"
    scatter = scatter if math.isfinite(line["scatter_5%"]) else ""
    return {
        "channel": name,
        "now": number(line["present"]),
        "then": number(line["optimum"]),
        "held": is_held,
        "change": "held" if is_held else f"{_signed(change)} ({line['factor'] - 1:+.0%})",
        "range": scatter,
        "before": "" if is_held else number(line["mroas_present"]),
        "after": ""
        if is_held
        else {
            "median": number(line["mroas"]),
            "interval": f"{number(line['mroas_5%'])} to {number(line['mroas_95%'])}",
        },
        "at": str(line["at"]),
        "standing": standing(str(line["grade"])),
    }


def _signed(amount: float) -> str:
    return f"{'+' if amount > 0 else ''}{number(amount)}"


def _action(fit: Fit, best: Allocation, moves: Sequence[Node], letter: str) -> str:
    """Say what to do with the budget in one sentence, no surer than the evidence."""
    if not best.solved:
        return "Change nothing on this: the search for a better split did not end at an optimum."
    if len(moves) == 1:
        return "There is no budget to shift between channels."
    if letter in (Letter.G, Letter.X):
        return "Change nothing yet: a better split would rest on the priors, not on the data."
    if fit.evidence.grade(best.plan).conflict:
        return "Change nothing yet: a test and the model disagree."
    shifts = _shifts(best, moves)
    if not shifts or best.p_gain < _PROBABLE:
        return "Leave the split of the budget as it is: no other is clearly better."
    tested, _ = with_and_without_test(fit.spec, moves)
    firm = letter != Letter.F and {*moves} <= {*tested}
    graph = "" if firm else "If the graph is right, "
    if best.p_gain < LIKELY:
        words = f"{graph}it is probably better to {shifts}: a small step first, or a test."
    elif firm:
        words = f"{shifts}."
    else:
        words = f"{graph}{shifts}: in steps, with a test before much money moves."
    return words[:1].upper() + words[1:]


def _shifts(best: Allocation, moves: Sequence[Node]) -> str:
    """Write the moves of a plan as a sentence does; empty when none is worth one."""
    change = (best.table["optimum"] - best.table["present"]).loc[list(moves)]
    large = change[abs(change) >= _SMALL_MOVE * best.table["present"].sum()]
    giving, taking = large[large < 0].sort_values(), large[large > 0].sort_values(ascending=False)
    if large.empty:
        return ""

    def channels_in(part: Any) -> str:
        names = [str(c) for c in part.index[:_NAMED_MOVES]]
        if len(part) > _NAMED_MOVES:
            names.append(f"{len(part) - _NAMED_MOVES} more")
        return listed(names)

    if giving.empty or taking.empty:
        verb = "spend {} less on {}" if taking.empty else "spend {} more on {}"
        return verb.format(number(abs(large.sum())), channels_in(large))
    return f"move {number(-giving.sum())} from {channels_in(giving)} to {channels_in(taking)}"
