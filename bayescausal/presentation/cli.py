"""The command line: from demo, validate and identify to fit, effects, report, and decisions.

Only light modules load here: ``bc.fit`` and its like come on first use, so that ``--help``
answers at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import bayescausal as bc
from bayescausal import presentation
from bayescausal._files import csv_text, try_target, write_file
from bayescausal.errors import (
    BayesCausalError,
    CheckFailed,
    FileError,
    GraphRejected,
    NotConverged,
    NotIdentified,
)
from bayescausal.presentation.cli_decisions import add_decisions
from bayescausal.presentation.cli_remarks import (
    say_conflicts,
    say_everything,
    say_moved,
    say_state,
    say_unidentified,
    standing,
    strict_row,
)
from bayescausal.presentation.formatting import number

_EPILOG = """\
A model is one YAML file:

  data: {path: weekly.csv, time: week, spend: {tv: tv_cost}}   # unit, value, history, columns, size
  spec:
    graph: |
      demand -> tv, sales
      tv -> sales
    outcome: sales
    responses:
      tv: {transforms: [WeibullPDFAdstock, HillSaturation]}
    baseline: [{kind: LinearTrend}]                            # experiments, noise, links, policy
  fit: {seed: 1}                                               # draws, chains, strict, ...
  experts: {tiers: {media: [tv], KPI: [sales]}}                # for discover: signs, certainty, ...
  output: results                                              # a folder, or a file ending in .nc

`bayescausal demo` writes a complete one.
"""


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    0 when it worked, 1 when ``strict`` and an effect is not identified or the graph is rejected, 2
    for a mistake in the input, 130 for Ctrl-C.
    """
    args = _parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)  # every command says it itself, once
        warnings.showwarning = _warn
        try:
            args.run(args)
            sys.stdout.flush()
        except KeyboardInterrupt:
            print("bayescausal: interrupted", file=sys.stderr)
            return 130
        except (NotIdentified, GraphRejected, CheckFailed) as error:
            return _fail(str(error), code=1)
        except BayesCausalError as error:
            return _fail(str(error))
        except BrokenPipeError:  # the reader of `effects | head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            message = f"{error.strerror}: '{error.filename}'" if error.filename else str(error)
            return _fail(message)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bayescausal",
        description="Causal marketing-mix models: the causal graph is the model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"bayescausal {bc.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    demo = commands.add_parser("demo", help="fit the bundled data; compare truth and estimates")
    demo.add_argument("--output", type=Path, default=Path("demo-output"), metavar="DIR")
    demo.set_defaults(run=_demo)

    validate = commands.add_parser("validate", help="check a YAML file and its data")
    validate.set_defaults(run=_validate)

    identify = commands.add_parser("identify", help="say what the graph lets data tell; no data")
    identify.add_argument("--json", action="store_true", help="everything, for machines")
    identify.add_argument(
        "--strict", action="store_true", help="exit with 1 when a total effect is not identified"
    )
    identify.set_defaults(run=_identify)

    check_graph = commands.add_parser("check-graph", help="test what the graph claims of the data")
    check_graph.add_argument("--format", choices=("table", "csv", "json"), default="table")
    check_graph.add_argument(
        "--strict", action="store_true", help="exit with 1 when the data reject the graph"
    )
    check_graph.set_defaults(run=_check_graph)

    discover = commands.add_parser("discover", help="what data ask of the experts, and they of it")
    discover.add_argument("--format", choices=("table", "csv", "json"), default="table")
    discover.add_argument(
        "--resamples", type=int, default=100, metavar="N", help="for PC and FCI; 0 for none"
    )
    discover.set_defaults(run=_discover)

    workshop = commands.add_parser("workshop", help="questions for those who set the budgets")
    workshop.set_defaults(run=_workshop)

    fit = commands.add_parser("fit", help="sample the posterior and save it")
    fit.add_argument("--output", type=Path, metavar="MODEL.nc", help="overrides the YAML file's")
    fit.add_argument(
        "--method", metavar="nuts|laplace", help="laplace is a draft; overrides the YAML file's"
    )
    fit.set_defaults(run=_fit)

    effects = commands.add_parser("effects", help="print effects, ROAS and mROAS of a saved model")
    effects.add_argument("--format", choices=("table", "csv", "json"), default="table")
    effects.set_defaults(run=_effects)

    overlap = commands.add_parser("overlap", help="say how far a saved model's data show effects")
    overlap.add_argument("--format", choices=("table", "csv", "json"), default="table")
    overlap.set_defaults(run=_overlap)

    check = commands.add_parser("check", help="print the graded page of checks of a saved model")
    check.add_argument("--format", choices=("table", "csv", "json"), default="table")
    check.add_argument("--seed", type=_seed, metavar="N", help="makes the refits repeatable")
    check.add_argument("--strict", action="store_true", help="exit with 1 when a check fails")
    check.set_defaults(run=_check)

    report = commands.add_parser("report", help="write the report of a saved model")
    report.add_argument(
        "--output", type=Path, metavar="REPORT.html", help="by default beside the model"
    )
    report.add_argument("--title")
    report.add_argument("--check", action="store_true", help="with the page of checks")
    report.set_defaults(run=_report)

    add_decisions(commands)

    for command in (validate, identify, check_graph, discover, workshop, fit):
        command.add_argument("config", type=Path, metavar="model.yaml")
    for command in (identify, workshop):
        command.add_argument("--treatment", metavar="NODE", help="of one only")
    for command in (demo, fit):
        command.add_argument("--seed", type=_seed, metavar="N", help="makes the draws repeatable")
        command.add_argument("--quiet", action="store_true", help="no progress bar")
    for command in (check, report):
        command.add_argument(
            "--budget",
            type=float,
            default=240.0,
            metavar="SECONDS",
            help="of checks; 240 by default",
        )
    for command in (effects, overlap, check, report):
        command.add_argument("model", type=Path, metavar="model.nc")
    for command in (effects, report):
        command.add_argument("--prob", type=float, default=0.9, help="of intervals; 0.9 by default")
    return parser


def _validate(args: argparse.Namespace) -> None:
    config = bc.Config.read(args.config)
    print(config.spec)
    print()
    print(config.data)
    print("ok")


def _identify(args: argparse.Namespace) -> None:
    effects = presentation.evidence_text.verdicts(bc.Config.read_spec(args.config), args.treatment)
    if args.json:
        print(json.dumps({"effects": [page.to_dict() for page, _ in effects]}, indent=1))
    else:
        print("\n".join(str(page) for page, _ in effects), end="")
    weak = presentation.evidence_text.unidentified(effects)
    if args.strict and weak:
        raise NotIdentified(" ".join(weak))


def _check_graph(args: argparse.Namespace) -> None:
    config = bc.Config.read(args.config)
    check = bc.check_graph(config.data, config.spec)
    _print(args, check, {"rejected": check.rejected, "sentence": check.sentence})
    if args.strict and check.rejected:
        raise GraphRejected(check.sentence)


def _discover(args: argparse.Namespace) -> None:
    data, experts = bc.Config.read(args.config).data, bc.Config.read_experts(args.config)
    result = bc.discover(data, experts, resamples=args.resamples)
    _print(args, result, {"sentence": result.sentence})


def _print(args: argparse.Namespace, result: Any, facts: dict[str, Any]) -> None:
    """Print a result as a page, or its table as CSV, or facts and table as JSON."""
    table = result.to_frame()
    if args.format == "json":
        rows = [*map(strict_row, table.to_dict("records"))]
        print(json.dumps({**facts, "rows": rows}, indent=1))
    else:
        print(csv_text(table, index=False) if args.format == "csv" else repr(result))


def _workshop(args: argparse.Namespace) -> None:
    spec = bc.Config.read_spec(args.config)
    print(presentation.workshop.workshop(spec.graph, args.treatment or spec.treatments), end="")


def _fit(args: argparse.Namespace) -> None:
    config = bc.Config.read(args.config)
    path = args.output or config.output
    try_target(path)  # before the sampler runs, not after
    seed = config.settings.get("seed") if args.seed is None else args.seed
    settings = {**config.settings, "seed": seed, "progress": not args.quiet}
    if args.method is not None:
        settings["method"] = args.method
    fitted = bc.fit(config.spec, config.data, **settings)
    print(fitted)
    print(f"Wrote {_saved(fitted, path)}")
    say_state(fitted)
    say_unidentified(fitted)
    say_conflicts(fitted)
    say_moved(fitted)


def _saved(fit: Any, path: Path) -> Path:
    """Save a fit; when that fails, keep its draws in another folder and say where."""
    try:
        return fit.save(path)
    except FileError as error:
        for folder in (None, ".", os.path.expanduser("~")):  # None: that of temporary files
            with suppress(OSError):
                private = tempfile.mkdtemp(prefix="bayescausal-", dir=folder)
                place = fit.save(Path(private).resolve() / path.name)
                break
        else:
            raise
        raise FileError(f"{error} The draws are kept in '{place}'; move them from there.") from None


def _effects(args: argparse.Namespace) -> None:
    fit = bc.load(args.model)
    outcomes = fit.spec.graph.outcomes
    tables = {name: bc.effects_table(fit, args.prob, name) for name in outcomes}
    if args.format == "json":
        rows = [
            {"outcome": name, **row}
            for name, table in tables.items()
            for row in table.reset_index().to_dict("records")
        ]
        attributes = {**tables[outcomes[0]].attrs, **standing(fit)}
        attributes |= {"convergence": str(fit.convergence)}
        print(json.dumps({**attributes, "effects": [*map(strict_row, rows)]}, indent=1))
    for name, table in tables.items():
        if args.format == "csv":
            text = table.assign(outcome=name, **standing(fit))
            print(csv_text(text, header=name == outcomes[0]), end="")
        elif args.format == "table":
            print(f"Effects on {name}: factual against do(channel = 0), all periods.")
            print(f"low and high bound the {args.prob:.0%} credible interval.")
            print("prior_5% and prior_95%: the 90% interval of the prior alone.")
            print("extrapolated_share: of a total effect, below the lowest exposure observed.")
            print("status: what the graph lets data tell. grade: A (randomized test) to G, or X:")
            print("not identified, the priors set the number.")
            if kind := table.attrs.get("posterior"):
                print(kind)
            chances = table["p_positive"].map("{:.3f}".format)
            numbers = table.select_dtypes("number").apply(lambda column: column.map(number))
            print(table.assign(**numbers).assign(p_positive=chances).to_string())
    say_everything(fit)


def _overlap(args: argparse.Namespace) -> None:
    fit = bc.load(args.model)
    for outcome in fit.spec.graph.outcomes:
        result = bc.overlap(fit, outcome=outcome)
        table = result.to_frame().reset_index()
        if args.format == "json":
            print(json.dumps({"overlap": [*map(strict_row, table.to_dict("records"))]}, indent=1))
        else:
            print(csv_text(table, index=False) if args.format == "csv" else result)


def _check(args: argparse.Namespace) -> None:
    page = bc.check(bc.load(args.model), budget=args.budget, seed=args.seed)
    _print(args, page, {"status": page.status})
    if args.strict and page.status == "fail":
        failed = ", ".join(dict.fromkeys(row.name for row in page.with_status("fail")))
        raise CheckFailed(f"A check failed: {failed}. The page says what to do.")


def _report(args: argparse.Namespace) -> None:
    fit = bc.load(args.model)
    path = args.output or args.model.with_name("report.html")
    page = bc.check(fit, budget=args.budget) if args.check else None
    print(f"Wrote {bc.report(fit, path, prob=args.prob, title=args.title, checkup=page)}")
    say_everything(fit)


def _demo(args: argparse.Namespace) -> None:
    folder: Path = args.output
    try_target(folder / "model.nc")
    seed = 2026 if args.seed is None else args.seed
    example = bc.load_example()
    print(example.data)
    fit = bc.fit(example.spec, example.data, seed=seed, progress=not args.quiet)
    print(fit)
    print("\nThe bundled world is simulated, so the answers are known. 90% credible intervals:\n")
    for cells in _comparison(example.truth, bc.effects_table(fit)):
        print("{:8}{:10}{:>8}{:>11}{:>9}{:>9}  {}".format(*cells))
    write_file(folder / "weekly.csv", csv_text(example.frame, index=False))
    time = example.frame.select_dtypes("datetime").columns[0]
    data = {"path": "weekly.csv", "time": time, **example.data.settings()}
    bc.Config.write(folder / "model.yaml", example.spec, data, {"seed": seed}, "model.nc")
    _saved(fit, folder / "model.nc")
    bc.report(fit, folder / "report.html")
    print(f"\nWrote {folder / 'report.html'} (open it), {folder / 'model.nc'},")
    print(f"{folder / 'model.yaml'} and {folder / 'weekly.csv'}; go on from these two with")
    print(f"  bayescausal fit {folder / 'model.yaml'}")
    say_state(fit)


def _comparison(truth: dict[str, Any], table: Any) -> Iterator[tuple[str, ...]]:
    """Yield rows of truth and estimate; direct and indirect only where something mediates."""
    yield "channel", "quantity", "true", "median", "low", "high", "covered"
    for (channel, quantity), line in table.iterrows():
        effects = truth["effects"][channel] | {"roas": truth["roas"][channel]}
        split = table.loc[(channel, "indirect"), "sd"] > 0
        if quantity not in effects or (quantity in ("direct", "indirect") and not split):
            continue
        value, low, high = effects[quantity], line["low"], line["high"]
        cells = [number(x) for x in (value, line["median"], low, high)]
        yield channel, quantity, *cells, "yes" if low <= value <= high else "no"


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number from 0 up is needed; got {text!r}")
    return int(text)


def _warn(message: Any, *args: Any, **kwargs: Any) -> None:
    print(f"bayescausal: warning: {_one_line(str(message))}", file=sys.stderr)


def _fail(message: str, code: int = 2) -> int:
    print(f"bayescausal: {_one_line(message)}", file=sys.stderr)
    return code


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
