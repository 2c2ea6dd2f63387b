"""Commands that end in a decision: decompose, forecast, plan, optimize, of a saved model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import bayescausal as bc
from bayescausal import presentation
from bayescausal._files import csv_text
from bayescausal.presentation.cli_remarks import (
    say_conflicts,
    say_everything,
    say_state,
    say_unidentified,
    standing,
    strict_row,
)
from bayescausal.presentation.formatting import number

FORMATS = ("table", "csv", "json")


def add_decisions(commands: Any) -> None:
    """Add the parsers of these commands."""
    decompose = commands.add_parser("decompose", help="print the parts that the outcome is made of")
    decompose.add_argument(
        "--by", choices=("week", "month", "quarter", "year"), help="by default all periods together"
    )
    decompose.add_argument(
        "--channels", nargs="+", metavar="NODE", help="by default treatments that reach the outcome"
    )
    decompose.add_argument("--outcome", metavar="NODE", help="needed when there are several")
    decompose.add_argument("--currency", action="store_true", help="at the value of the outcome")
    decompose.set_defaults(run=_decompose)

    optimize = commands.add_parser(
        "optimize", help="print the best spend of each channel; csv of a free pattern is by period"
    )
    target = optimize.add_mutually_exclusive_group()
    target.add_argument("--budget", type=float, help="of all channels; the present one by default")
    target.add_argument("--target-outcome", type=float, help="reach it with the least spend")
    target.add_argument("--target-mroas", type=float, help="return of the last unit spent")
    optimize.add_argument(
        "--bounds", type=float, nargs=2, metavar=("LEAST", "MOST"), help="0.5 1.5 by default"
    )
    optimize.add_argument(
        "--pattern",
        type=_pattern,
        default="kept",
        metavar="kept|free|N",
        help="timing within the window: as it is, an amount for each period, or for N together",
    )
    optimize.add_argument("--window", nargs=2, metavar=("START", "END"))
    optimize.add_argument("--outcome", metavar="NODE", help="needed when there are several")
    optimize.add_argument("--fixed", action="append", default=[], metavar="NODE")
    optimize.add_argument(
        "--allow", action="append", default=[], metavar="NODE", help="or extrapolation"
    )
    _add_future(optimize)
    optimize.set_defaults(run=_optimize)

    forecast = commands.add_parser("forecast", help="print what may happen after the data")
    forecast.add_argument("--seed", type=int, default=0, metavar="N", help="of the errors")
    _add_future(forecast)
    forecast.set_defaults(run=_forecast)

    plan = commands.add_parser("plan", help="compare plans of the time to come")
    plan.add_argument(
        "--plan",
        action="append",
        default=[],
        metavar="NAME=PLAN.csv",
        help="periods after the data, a column each input; the first one is the reference",
    )
    plan.add_argument(
        "--periods", type=int, metavar="N", help="the reference repeats the year before instead"
    )
    plan.add_argument("--time", metavar="COLUMN", help="of dates; the first column by default")
    plan.add_argument("--unit", metavar="COLUMN", help="of the units of a panel")
    plan.add_argument("--scale", choices=("net", "value", "outcome"), default="net")
    plan.add_argument("--outcome", metavar="NODE", help="needed when there are several")
    plan.add_argument("--seed", type=int, default=0, metavar="N", help="of the errors")
    plan.set_defaults(run=_plan)

    for command in (decompose, forecast, plan, optimize):
        command.add_argument("model", type=Path, metavar="model.nc")
        command.add_argument("--format", choices=FORMATS, default="table")
    for command in (decompose, forecast, plan):
        command.add_argument("--prob", type=float, default=0.9, help="of intervals; 0.9 by default")


def _add_future(command: argparse.ArgumentParser) -> None:
    """Add the options that say what comes after the data."""
    command.add_argument("--future", type=Path, metavar="PLAN.csv", help="periods after the data")
    command.add_argument(
        "--periods", type=int, metavar="N", help="repeat the year before instead of a file"
    )
    command.add_argument("--time", metavar="COLUMN", help="of dates; the first column by default")
    command.add_argument("--unit", metavar="COLUMN", help="of the units of a panel")


def _pattern(text: str) -> str | int:
    """Read a pattern; what is none is refused by `optimize`, with advice."""
    return int(text) if text.isdecimal() else text


def _future(args: argparse.Namespace, fit: Any, path: Path | None, periods: int | None) -> Any:
    if path is not None:
        return presentation.config.read_future(path, args.time, args.unit)
    return bc.Future.like(fit.data, 13 if periods is None else periods)


def _decompose(args: argparse.Namespace) -> None:
    fit = bc.load(args.model)
    draws = bc.decomposition(
        fit,
        outcome=args.outcome,
        channels=args.channels,
        currency=args.currency,
        total=args.by is None,
        by=args.by,
    )
    table = bc.summarize(draws, args.prob)
    name = draws.attrs["outcome"]
    if args.format == "json":
        head = {"outcome": name, "counted_in": draws.attrs["counted_in"], "prob": args.prob}
        head |= {**standing(fit), "convergence": str(fit.convergence)}
        rows = table.reset_index().to_dict("records")
        print(json.dumps({**head, "parts": [*map(strict_row, rows)]}, indent=1))
    elif args.format == "csv":
        print(csv_text(table.assign(outcome=name, **standing(fit))), end="")
    else:
        print(f"What {name} is made of, in {draws.attrs['counted_in']}. In each draw the parts sum")
        print(f"to the data. low and high bound the {args.prob:.0%} credible interval. grade: A")
        print("(randomized test) to G, or X: not identified, the priors set the number.")
        columns = ["median", "low", "high", "grade"]
        numbers = table[columns].select_dtypes("number").apply(lambda column: column.map(number))
        print(table[columns].assign(**numbers).to_string())
    say_everything(fit)


def _forecast(args: argparse.Namespace) -> None:
    fit = bc.load(args.model)
    future = _future(args, fit, args.future, args.periods)
    draws = bc.forecast(fit, future, seed=args.seed)
    table = bc.summarize(draws, args.prob).drop(columns="p_positive")
    head = {"world": draws.attrs["world"], "extrapolation": draws.attrs["extrapolation"]}
    lines = [f"What may happen under the plan; errors included, {args.prob:.0%} interval of each."]
    _print_table(args, fit, table, "periods", head, lines)
    say_everything(fit)


def _plan(args: argparse.Namespace) -> None:
    fit = bc.load(args.model)
    plans = {}
    if args.periods is not None:
        plans["same"] = _future(args, fit, None, args.periods)
    for text in args.plan:
        name, _, path = text.partition("=")
        if not path:
            raise bc.errors.SpecError(f"--plan is NAME=PLAN.csv; got {text!r}.")
        plans[name] = _future(args, fit, Path(path), None)
    draws = bc.plan(fit, plans, scale=args.scale, outcome=args.outcome, seed=args.seed)
    table = bc.summarize(draws, args.prob).rename(columns={"p_positive": "p_better"})
    names = ("reference", "scale", "value", "window", "extrapolation", "rests_on")
    lines = [f"Against '{draws.attrs['reference']}', {draws.attrs['window']}; {args.scale}."]
    _print_table(args, fit, table, "plans", {name: draws.attrs[name] for name in names}, lines)
    say_everything(fit)


def _allocation_record(best: Any) -> dict[str, Any]:
    """Return an allocation as values of JSON."""
    gains = {"gain": best.gain, "timing_gain": best.timing_gain}
    schedule = best.schedule.reset_index().astype({"time": str})
    return {
        "title": best.title,
        "statements": list(best.statements),
        "solved": best.solved,
        **{
            name: None if draws is None else strict_row(bc.summarize(draws).iloc[0].to_dict())
            for name, draws in gains.items()
        },
        "channels": [strict_row(row) for row in best.to_frame().reset_index().to_dict("records")],
        "schedule": [strict_row(row) for row in schedule.to_dict("records")],
    }


def _print_table(
    args: argparse.Namespace,
    fit: Any,
    table: Any,
    title: str,
    head: dict[str, Any],
    lines: list[str],
) -> None:
    """Print a table in the format that was asked, with what is to be said of all its rows."""
    if args.format == "json":
        rows = json.loads(table.reset_index().to_json(orient="records", date_format="iso"))
        head = {**head, "prob": args.prob, **standing(fit), "convergence": str(fit.convergence)}
        print(json.dumps({**head, title: rows}, indent=1))
    elif args.format == "csv":
        print(csv_text(table.assign(**standing(fit))), end="")
    else:
        print("\n".join(lines))
        wide = table.drop(columns=["mean", "sd"])
        numbers = wide.select_dtypes("number").apply(lambda column: column.map(number))
        print(wide.assign(**numbers).to_string())


def _optimize(args: argparse.Namespace) -> None:
    fit = bc.load(args.model)
    names = ("budget", "target_outcome", "target_mroas", "pattern", "bounds", "window", "outcome")
    if args.future or args.periods:
        fit = bc.extend(fit, _future(args, fit, args.future, args.periods))
    best = bc.optimize(
        fit, fixed=args.fixed, allow=args.allow, **{name: getattr(args, name) for name in names}
    )
    if args.format == "csv":
        table = best.to_frame() if args.pattern == "kept" else best.schedule
        print(csv_text(table), end="")
    elif args.format == "json":
        print(json.dumps(_allocation_record(best), indent=1))
    else:
        print(best)
    fit = fit.observed
    say_state(fit)
    say_unidentified(fit)
    say_conflicts(fit)
