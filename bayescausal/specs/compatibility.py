"""Check that a spec and data agree: columns, signs, windows, units."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pandas as pd

from bayescausal.data.dataset import Dataset
from bayescausal.data.periods import (
    covered,
    covered_days,
    days_of,
    frequency,
    is_whole,
    period_mask,
    whole_windows,
    window_text,
)
from bayescausal.errors import DataError, SpecError, did_you_mean
from bayescausal.experiments.estimand import Estimand
from bayescausal.experiments.experiment import Experiment, covariance_between
from bayescausal.graphs.edge import Edge
from bayescausal.specs.cautions import cautions
from bayescausal.specs.defaults import decided
from bayescausal.specs.response import Response, ReturnOnSpend
from bayescausal.specs.saturation import NoSaturation, Saturation
from bayescausal.specs.spec import Spec

PERCENT = ("percent", "%")
"""How the unit of a percent lift may be written."""


def check(spec: Spec, data: Dataset) -> None:
    """Raise when the data do not fit: a missing, constant or impossible column, a window.

    Warns of what is allowed and seldom meant, see `cautions`.
    """
    if not isinstance(data, Dataset):
        raise DataError(
            f"data must be a Dataset; got {type(data).__name__}. Write "
            "Dataset.from_frame(frame, time='week')."
        )
    spec = decided(spec, data)
    for node in sorted(spec.graph.latent & {*data.columns}):
        raise DataError(
            f"'{node}' is declared latent, but the data have a column of that name. Use it "
            "(drop 'latent:'), or leave the column out of the data."
        )
    for node in dict.fromkeys([*spec.inputs, *spec.modelled]):
        _check_column(spec, node, data)
    _check_value(spec, data)
    _check_history(spec, data)
    for edge, response in spec.mechanisms.items():
        _check_reach(edge, response, data)
        curved = [t for t in response.transforms if isinstance(t, Saturation)]
        if any(not isinstance(t, NoSaturation) for t in curved):
            low = float(data.array(edge.source).min())
            if low < 0:
                raise DataError(
                    f"'{edge.source}' is negative (down to {low:g}), but the edge {edge} "
                    "saturates. Exposure cannot be negative: mend the data, or use a plain "
                    "edge."
                )
        if isinstance(response.strength, ReturnOnSpend):
            _check_return(spec, edge, data)
    for test in spec.experiments:
        _check_test(spec, test, data)
    for kind, words in cautions(spec, data):
        warnings.warn(words, kind, stacklevel=1)  # one place, whoever checks: it is shown once


def _check_return(spec: Spec, edge: Edge, data: Dataset) -> None:
    if edge.source not in data.spend:
        raise DataError(
            f"The prior of {edge} is a return on spend, but no spend is given for "
            f"'{edge.source}'. Add it to Dataset.from_frame(spend=...)."
        )
    if spec.link(edge.target) == "log":
        raise SpecError(
            f"The prior of {edge} is a return on spend, but '{edge.target}' has a log link, where "
            "causes multiply and have no fixed return. Use MeanContribution, in log units."
        )
    if float(data.array(edge.source).min()) < 0:
        raise DataError(
            f"The prior of {edge} is a return on spend, but '{edge.source}' is negative somewhere."
        )


def _check_column(spec: Spec, node: str, data: Dataset) -> None:
    if reason := data.left_out.get(node):
        raise DataError(
            f"The graph has the node '{node}', and its column was left out of the data: {reason}."
        )
    if node not in data.columns:
        besides = f" (left out: {', '.join(sorted(data.left_out))})" if data.left_out else ""
        raise DataError(
            f"The graph has the node '{node}', but the data have no such column. Columns: "
            f"{', '.join(data.columns)}{besides}. Rename the column, or declare 'latent: {node}'."
            f"{did_you_mean(node, [*data.columns, *data.left_out])}"
        )
    x = data.array(node)[..., data.history :]
    if not np.ptp(x, axis=-1).any():
        scope = " in time" if np.ptp(x) else f" ({x.flat[0]:g})"
        raise DataError(
            f"Column '{node}' is constant{scope}: it cannot be told from the intercept. Leave "
            "the node out of the graph."
        )
    if spec.link(node) == "log" and x.min() <= 0:
        raise DataError(
            f"'{node}' has a log link but is {x.min():g} at its lowest; use the identity link."
        )


def _check_value(spec: Spec, data: Dataset) -> None:
    """Raise when the column that values the outcome is the outcome itself."""
    if not isinstance(data.value, str):
        return
    worth = data.array(data.value)[..., data.history :]
    for outcome in spec.graph.outcomes:
        if data.value == outcome:
            problem = "is the outcome itself"
        elif np.array_equal(worth, data.array(outcome)[..., data.history :]):
            problem = f"holds the same numbers as the outcome '{outcome}'"
        else:
            continue
        raise DataError(
            f"value='{data.value}' {problem}, so that returns would count its square. It is "
            f"currency per unit of the outcome: a price or a margin. If '{outcome}' is in "
            "currency, leave value out."
        )


def _check_reach(edge: Edge, response: Response, data: Dataset) -> None:
    """Raise when an effect would arrive after the end of the data."""
    rows = len(data.time)
    if edge.lag > rows - 2:
        raise DataError(
            f"The edge {edge} acts {edge.lag} periods later, and the data have {rows} rows: no two "
            f"of them show it. Give a lag below {rows - 1}, or more data."
        )
    if edge.lag + response.reach >= rows:
        raise DataError(
            f"The response of {edge} carries over {response.reach} periods, and the data have "
            f"{rows} rows: nothing shows the end of it. Give l_max={max(1, rows // 4)} or less, or "
            "more data."
        )


def _check_history(spec: Spec, data: Dataset) -> None:
    """Raise when a node that acts on another has no value in the history."""
    for edge in spec.structure.edges:
        if edge.source not in data.columns:
            continue
        holes = data.holes(edge.source)
        if len(holes):
            raise DataError(
                f"'{edge.source}' has no value in {len(holes)} rows of the history, the first at "
                f"{holes[0].date()}, and acts on '{edge.target}' from there. Fill them knowingly "
                "(0 where nothing ran), or give fewer rows of history."
            )


def _check_test(spec: Spec, test: Experiment, data: Dataset) -> None:
    question = test.estimand
    _check_unit(spec, test, data)
    unknown = [u for u in question.units or () if u not in data.units]
    if unknown:
        raise DataError(
            f"Experiment '{test.name}': unit '{unknown[0]}' is not in the data. "
            f"{_ways(data)}{did_you_mean(unknown[0], data.units)}"
        )
    if question.off_panel:
        return  # its paths are checked where its world is made
    periods = _window_mask(test, data)
    _check_source(test, data)
    last = int(np.flatnonzero(periods)[-1])
    excess = last + (question.tail or 0) - (len(data.time) - 1)
    if excess > 0:
        raise DataError(
            f"Experiment '{test.name}' counts a tail of {question.tail} periods after "
            f"{data.time[last].date()}, but the data end {excess} short of it, at "
            f"{data.time[-1].date()}. Extend the data, or state the tail that was measured: "
            f"carryover={question.tail - excess if question.tail else 0}."
        )
    mask = periods & (np.arange(len(data.time)) >= data.history)
    if question.units:
        mask = mask & np.isin(data.units, question.units)[:, None]
    if not any(_moves(question, key, data, mask) for key in question.keys):
        nodes = " and ".join(f"'{node}'" for node in question.treatments)
        raise DataError(
            f"Experiment '{test.name}': both worlds have the same {nodes} throughout the "
            "test's window (is it zero there?), so the model's effect is zero whatever was "
            "measured. Check the window, or write what the test added in Estimand(active=...)."
        )


def _ways(data: Dataset) -> str:
    """Name the units; for national data, say how a test in some units can still be used."""
    if data.is_panel:
        return f"Units: {', '.join(data.units)}."
    return (
        "Units: none, the data are national. Give a panel that has it, Dataset.from_frame(unit=...)"
        "; or state the lift for the whole nation, without units=: scale='per_spend' or 'percent' "
        "as measured, or the total times nation over units. That assumes that the units respond "
        "like the nation, and that the two worlds of the estimand are those of all of it."
    )


def _window_mask(test: Experiment, data: Dataset) -> np.ndarray:
    """Return the periods of a test's window, or raise when the data do not hold all of it."""
    window = test.estimand.window
    if window is None:
        return np.ones(len(data.time), bool)
    first, last = covered(data.time, data.history)
    if window[0] < first or window[1] > last:
        raise DataError(
            f"Experiment '{test.name}' ran {window_text(window)}, outside the data "
            f"({data.training[0].date()}..{data.time[-1].date()}), and gives no spend path of its "
            "own. Extend the data to cover the test; or give what was spent in it, period by "
            "period, with the test (active) and without it (control), and off_panel='path'."
        )
    if not is_whole(data.time, window):
        partial, candidates = covered_days(data.time, window), whole_windows(data.time, window)
        consequence = (
            f"the model would count {window_text(partial)}" if partial else "none starts in it"
        )
        raise DataError(
            f"Experiment '{test.name}' ran {window_text(window)}, which are not whole "
            f"{data.frequency} periods of the data: {consequence}. Whole periods are "
            f"{' or '.join(map(window_text, candidates))}. Give one of these windows and the lift "
            "in it, or data whose periods begin and end with the test (daily data fit every "
            "window)."
        )
    return period_mask(data.time, window)


def _check_source(test: Experiment, data: Dataset) -> None:
    """Raise when a lift read from a panel with other periods is another number in the data's."""
    source, estimand = test.source, test.estimand
    if source is None or len(source.time) < 2 or estimand.window is None:
        return
    step = frequency(source.time)
    if step == data.frequency:
        return
    advice = f"Aggregate the panel to {data.frequency} periods before from_geo_panel"
    if estimand.tail or estimand.scale == "mean":
        problem = f"a tail of {estimand.tail} counts" if estimand.tail else "a mean is of"
        raise SpecError(
            f"Experiment '{test.name}' was read from a {step} panel, and the data are "
            f"{data.frequency}: {problem} other periods there than here. {advice}; or read the "
            "panel again with scale='total' and no tail, which is the same sum in both."
        )
    source_window, data_window = (
        covered_days(source.time, estimand.window),
        covered_days(data.time, estimand.window),
    )
    if source_window and data_window and source_window != data_window:
        raise DataError(
            f"Experiment '{test.name}' counts {window_text(source_window)} in its own {step} "
            f"panel, and {window_text(data_window)} in the {data.frequency} data. {advice}, or "
            "give a window that begins and ends with periods of both."
        )


def _check_unit(spec: Spec, test: Experiment, data: Dataset) -> None:
    """Raise when a lift is declared in another unit than its scale, or its outcome, has."""
    if test.unit is None:
        return
    outcome, scale = spec.outcome_of(test.estimand), test.estimand.scale
    unit = data.table[outcome].attrs.get("units") if outcome in data.columns else None
    if scale == "percent" and test.unit not in PERCENT:
        raise SpecError(
            f"Experiment '{test.name}' is in '{test.unit}', but its scale is percent. Write "
            "unit='percent', or scale='total'."
        )
    if scale != "percent" and test.unit in PERCENT:
        raise SpecError(
            f"Experiment '{test.name}' is in '{test.unit}', but its scale is {scale}, which is no "
            "percentage. Write scale='percent', or the unit that the lift is in."
        )
    if scale in ("total", "mean") and unit and test.unit != unit:
        raise DataError(
            f"Experiment '{test.name}' is in '{test.unit}', but '{outcome}' is in '{unit}' in the "
            "data. Convert the lift and its standard error, or correct unit=."
        )


def age(test: Experiment, data: Dataset) -> float:
    """Count the periods from the end of a test to the end of the data; 0 without a window."""
    if test.estimand.window is None:
        return 0.0
    end, (first, _) = test.estimand.window[1], days_of(data.time)[0]
    passed = float((first > end).sum())
    if end < first[0]:
        step = (first[-1] - first[0]) / (len(first) - 1)
        passed += float((first[0] - end - pd.Timedelta(days=1)) // step)
    return passed


def overlapping(spec: Spec, data: Dataset) -> list[tuple[Experiment, Experiment]]:
    """Return pairs of tests of one channel, in the same units and weeks, without a covariance."""
    tests = [
        test
        for test in spec.experiments
        if not test.estimand.off_panel and test.design != "prior-belief"
    ]
    windows = {test.name: _window_mask(test, data) for test in tests}
    return [
        (a, b)
        for a, b in combinations(tests, 2)
        if {*a.estimand.treatments} & {*b.estimand.treatments}
        and (not data.is_panel or _units(a, data) & _units(b, data))
        and (windows[a.name] & windows[b.name]).any()
        and covariance_between(a, b) is None
    ]


def _units(test: Experiment, data: Dataset) -> set[str]:
    return {*(test.estimand.units or data.units)}


def _moves(question: Estimand, key: str, data: Dataset, mask: np.ndarray) -> bool:
    x = data.array(key.split("->")[0])
    worlds = []
    for side in (question.active, question.control):
        value = side.get(key, x)
        value = np.asarray(value(x.copy()) if callable(value) else value, dtype=float)
        if value.shape not in ((), x.shape, x.shape[-1:]) or not np.isfinite(value).all():
            raise DataError(
                f"do({key}=...) must give finite values in the shape of the data, {x.shape}; "
                f"got shape {value.shape}."
            )
        worlds.append(value)
    return bool(((worlds[0] != worlds[1]) & mask).any())
