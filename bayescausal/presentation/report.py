"""`report` writes one offline HTML file: first what a decision needs, then what it rests on."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from bayescausal import checks
from bayescausal._files import as_path, write_file
from bayescausal._process import collector_paused, one_blas_thread
from bayescausal._types import Draws, Node
from bayescausal.errors import NotConverged
from bayescausal.inference.evidence import question_name
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.presentation.augmentation_section import comparison_section
from bayescausal.presentation.decision_section import decision_sections
from bayescausal.presentation.diagnostics_plots import diagnostics_sheet
from bayescausal.presentation.evidence_text import (
    described,
    double_credit,
    implied,
    judge,
    roles,
    rungs,
    with_and_without_test,
)
from bayescausal.presentation.experiment_plots import plot_evidence, plot_reconciliation
from bayescausal.presentation.formatting import listed, number, share, worth
from bayescausal.presentation.geo_plots import plot_geo_test
from bayescausal.presentation.headline_cards import (
    Cells,
    Questions,
    cells,
    headlines,
    questions_of,
    returns_of,
)
from bayescausal.presentation.market_plots import plot_roas_by_unit
from bayescausal.presentation.plot_style import arrow, encode, period, table_of
from bayescausal.presentation.plots import (
    channels_of,
    curved_edges,
    delayed_edges,
    plot_adstock,
    plot_contributions,
    plot_curves,
    plot_fit,
    returns_sheet,
)
from bayescausal.queries.effects import effect
from bayescausal.queries.summary import common_head, summarize
from bayescausal.thresholds import PREDICTIVE_TAIL, TEST_CONFLICT
from bayescausal.validation.checkup import CAVEAT, Checkup
from bayescausal.validation.diagnostics import Diagnostics, diagnose
from bayescausal.validation.experiment_checks import Reconciliation, conflicts
from bayescausal.validation.sensitivity import Sensitivity
from bayescausal.validation.status import Status

type Rows = list[dict[str, Any]]

_MAX_FITS = 4
_MAX_MARKETS = 40
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@verb
def report(
    fit: Fit,
    path: str | Path = "report.html",
    *,
    prob: float = 0.9,
    title: str | None = None,
    evidence: pd.DataFrame | Sequence[pd.DataFrame] = (),
    reconciliation: Reconciliation | None = None,
    checkup: Checkup | None = None,
) -> Path:
    """Write one HTML file that needs no network, no script and no other file.

    It says what to do with the budget and how sure that is, where the outcome came from, what each
    channel did and what it costs, each number with its grade of evidence; then what the numbers
    rest on: the verdict of the graph on every channel, the lift tests, the
    fit, the priors, the sampler. A number that is not identified is never shown without saying so.
    Effects are causal only if the graph is right.

    Parameters
    ----------
    fit : Fit
    path : str or Path
        A file, or a folder to put ``report.html`` in.
    prob : float
        Probability inside all credible intervals.
    title : str, optional
    evidence : DataFrame or sequence of DataFrame, optional
        What `evidence` found of one effect or several: it samples, so it is not asked here.
    reconciliation : Reconciliation, optional
        What `reconcile` found of tests that were held out.
    checkup : Checkup, optional
        The page of `check`: it takes its time, so it is not asked here.

    Returns
    -------
    Path
        Where it was written. The same fit gives the same bytes.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.report(fit, "report.html")  # doctest: +SKIP
    """
    path = as_path(path)
    if checkup is not None:
        checks.instance("report: checkup", checkup, Checkup, "Write checkup=check(fit).")
    if path.is_dir():
        path = path / "report.html"
    figures = _test_figures(evidence, reconciliation)
    with collector_paused(), one_blas_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)  # the page says it, and one warning below
        page = _TEMPLATES.get_template("report.html.j2").render(
            **_page(fit, prob, title), **figures, checkup=_checks(checkup)
        )
    write_file(path, page)
    if not fit.convergence.converged:
        warnings.warn(str(fit.convergence), NotConverged, stacklevel=3)
    return path


@verb
def effects_table(fit: Fit, prob: float = 0.9, outcome: Node | None = None) -> pd.DataFrame:
    """Collect every effect of every channel in one tidy table.

    Parameters
    ----------
    fit : Fit
    prob : float
        Probability inside ``low``..``high``.
    outcome : str, optional
        The first one by default.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``channel`` and ``quantity``: ``total, direct, indirect`` in units of the
        outcome, ``share`` of the outcome, and where there is spend ``roas, induced roas, mroas``;
        columns as `summarize` gives them, with ``status`` and ``grade`` of every number. The
        columns are headed NOT IDENTIFIED, or NOT CONVERGED, when a number is, and DRAFT when
        the posterior is approximated.
    """
    outcome = fit.spec.graph.outcomes[0] if outcome is None else outcome
    checks.name("outcome", outcome, fit.spec.modelled)
    questions = questions_of(fit, outcome, returns_of(fit, outcome))
    tables = {key: summarize(draws, prob) for key, draws in questions.items()}
    table = pd.concat(tables.values())
    if "note" in table:
        table["note"] = table["note"].fillna("")
    table.index = pd.MultiIndex.from_tuples(tables, names=["channel", "quantity"])
    table.columns.name = common_head(part for part in tables.values() if _varies(part))
    table.attrs = {"prob": prob} | ({"posterior": fit.label} if fit.label else {})
    return table


def _varies(table: pd.DataFrame) -> bool:
    """Whether a number differs between draws; along a path that does not exist it does not."""
    return bool(table["low"].iloc[0] != table["high"].iloc[0])


def _conflicts(fit: Fit) -> list[str]:
    if not fit.spec.experiments:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what cannot be judged stands under Experiments
        return [conflict.sentence for conflict in conflicts(fit)]


def _page(fit: Fit, prob: float, title: str | None) -> dict[str, Any]:
    spec, data, state = fit.spec, fit.data, fit.convergence
    outcome = spec.graph.outcomes[0]
    diagnostics = diagnose(fit)
    returns = {name: returns_of(fit, name) for name in spec.graph.outcomes}
    questions = {name: questions_of(fit, name, draws) for name, draws in returns.items()}
    texts = {name: cells(fit, answers, prob) for name, answers in questions.items()}
    info = fit.info
    step = period(fit)
    units = f" in {len(data.units)} units" if data.is_panel else ""
    return {
        "title": title or f"What each channel added to {outcome}",
        "span": f"{len(data.training)} {step}s{units}, "
        f"{data.training[0].date()} to {data.training[-1].date()}",
        "prob": f"{prob:.0%}",
        "outcome": outcome,
        "period": step,
        "state": str(state),
        "converged": state.converged,
        "draft": state.is_draft,
        "conflicts": _conflicts(fit),
        "augmented": comparison_section(fit, prob),
        "decision": _with_figures(decision_sections(fit, prob)),
        "graph": Markup(spec.graph._repr_svg_()),  # the drawing escapes its names
        "edges": [*map(arrow, spec.graph.edges), *(f"{a} ↔ {b}" for a, b in spec.graph.bidirected)],
        "headlines": headlines(fit, texts[outcome], outcome, prob),
        "outcomes": [_outcome(fit, name, questions[name], texts[name]) for name in questions],
        **_basis(fit, questions, diagnostics.hidden_drivers),
        "roles": roles(spec),
        "tests": _tests(fit, prob, diagnostics),
        "value": f"what the column '{data.value}' says"
        if isinstance(data.value, str)
        else number(data.value),
        "figures": _figures(fit, prob, returns, diagnostics),
        "worth": worth(outcome, data.value),
        "diagnostics": _diagnostics(diagnostics),
        "spec": spec.table(data.is_panel).to_dict("records"),
        "seed": info["seed"],
        "hash": info["data_hash"],
        "appendix": {
            "Sampler settings": _pairs(info["settings"]),
            "Run": _pairs(info["run"]),
            "Versions": _pairs(info["versions"]),
        },
    }


def _outcome(fit: Fit, outcome: Node, questions: Questions, texts: Cells) -> dict[str, Any]:
    """Return the tables of effects and returns on one outcome."""
    rows, returns = [], []
    for channel, quantities in texts.items():
        rows.append({"channel": channel, "tests": "", **quantities})
        if "roas" in quantities:
            differ = quantities["roas"]["median"] != quantities["induced roas"]["median"]
            spend = float(fit.data.spend_of(channel)[..., fit.data.history :].sum())
            returns.append(
                {"channel": channel, "spend": number(spend), "differ": differ, **quantities}
            )
    return {
        "name": outcome,
        "rows": rows,
        "returns": returns,
        "differ": any(row["differ"] for row in returns),
        "truncated": any(
            draws.attrs.get("tail_truncated")
            for key, draws in questions.items()
            if key[1] == "total"
        ),
    }


def _basis(
    fit: Fit, questions: dict[Node, Questions], hidden_drivers: Sensitivity
) -> dict[str, Any]:
    """Say what each channel's numbers rest on, and once for each grade what it obliges to say."""
    spec, rows, sentences = fit.spec, [], hidden_drivers.sentences
    for outcome in questions:
        for channel in channels_of(fit, outcome):
            row = described(*judge(fit.evidence, channel, outcome), spec)
            row["hidden_drivers"] = sentences.get(question_name(spec, channel, outcome), "")
            rows.append({**row, "drawing": Markup(row["drawing"])})  # it escapes its names
    letters = {
        str(letter)
        for answers in questions.values()
        for draws in answers.values()
        if bool((draws != draws[0, 0]).any())  # also where all have no value
        for letter in [draws["grade"].item()]
    }
    names = list(dict.fromkeys(r["channel"] for r in rows))
    tested, untested = with_and_without_test(spec, names)
    return {
        "basis": rows,
        "rungs": rungs(letters),
        "tested": listed(tested),
        "untested": listed(untested),
        "double_credit": double_credit(spec, names, list(questions)),
        "claims": implied(spec, *list(questions)[:1]),
    }


def _tests(fit: Fit, prob: float, diagnostics: Diagnostics) -> Rows:
    rows = []
    for test in fit.spec.experiments:
        line = table_of(effect(fit, test.estimand), prob).iloc[0]
        z = float(diagnostics.experiments.loc[test.name, "z"])
        rows.append(
            {
                "name": test.name,
                "estimand": repr(test.estimand).removeprefix("Estimand(").removesuffix(")"),
                "design": test.design,
                "lift": f"{number(test.lift)} ± {number(test.sd)}",
                "median": number(line["median"]),
                "interval": f"{number(line['low'])} to {number(line['high'])}",
                "z": f"{z:+.1f}",
                "conflict": abs(z) > TEST_CONFLICT,
                "source": test.source
                and {"text": repr(test.source), **_figure(plot_geo_test(test.source), "")},
            }
        )
    return rows


def _figures(
    fit: Fit, prob: float, returns: dict[Node, dict[str, Draws]], diagnostics: Diagnostics
) -> dict[str, Any]:
    """Encode every figure as a ``data:`` address, with a text for those who cannot see it."""
    outcome, nodes = next(iter(returns)), [*returns, *fit.spec.mediators][:_MAX_FITS]
    figures: dict[str, Any] = {
        "fits": [
            _figure(
                plot_fit(fit, node, prob),
                f"{node} over time, observed and predicted. The "
                "table of posterior predictive checks gives the numbers.",
            )
            for node in nodes
        ],
        "contributions": _figure(
            plot_contributions(fit, prob=prob),
            f"Contribution of each channel to {outcome} over time, with intervals. The table of "
            "effects gives the sums.",
        ),
        "diagnostics": None,
        "roas": None,
        "markets": None,
        "curves": None,
        "adstock": None,
    }
    if not fit.convergence.is_draft:
        figures["diagnostics"] = _figure(
            diagnostics_sheet(fit, diagnostics),
            "R-hat, effective sample sizes and rank plots. The table of diagnostics gives the "
            "numbers.",
        )
    if len(returns) == 1 and returns[outcome]:
        average, marginal = returns[outcome]["roas"], returns[outcome]["mroas"]
        figures["roas"] = _figure(
            returns_sheet(fit, average, marginal, prob),
            "ROAS and mROAS by channel with intervals. The table of returns gives the numbers.",
        )
        if fit.data.is_panel and len(fit.data.units) <= _MAX_MARKETS:
            figures["markets"] = _figure(
                plot_roas_by_unit(fit, prob),
                "ROAS of each channel in each market with intervals, best market first.",
            )
    if curved_edges(fit):
        figures["curves"] = _figure(
            plot_curves(fit, prob),
            "Response to constant exposure along "
            f"{listed(f'{e.source} to {e.target}' for e in curved_edges(fit))}, with intervals.",
        )
    if delayed_edges(fit):
        figures["adstock"] = _figure(
            plot_adstock(fit, prob),
            "Share of the effect by time since exposure along "
            f"{listed(f'{e.source} to {e.target}' for e in delayed_edges(fit))}, with intervals.",
        )
    return figures


def _test_figures(
    tables: pd.DataFrame | Sequence[pd.DataFrame], reconciliation: Reconciliation | None
) -> dict[str, Any]:
    """Draw the tables of tests that the user has passed, as figures with captions."""
    several = [tables] if isinstance(tables, pd.DataFrame) else list(tables)
    precision = [
        _figure(
            plot_evidence(table),
            "Share of the final precision: "
            + listed(f"{name} {share(part)}" for name, part in table[["source", "share"]].values)
            + ".",
        )
        for table in several
    ]
    if reconciliation is None:
        return {"bought": precision, "held_out": None}
    return {
        "bought": precision,
        "held_out": _figure(plot_reconciliation(reconciliation), reconciliation.sentence),
    }


def _figure(sheet: Figure, alt: str) -> dict[str, Any]:
    width, height = sheet.get_size_inches()
    return {"src": encode(sheet), "alt": alt, "width": int(96 * width), "height": int(96 * height)}


def _with_figures(decision: dict[str, Any]) -> dict[str, Any]:
    """Encode the figures of the sections that have one."""
    for section in (*decision["origins"], decision["spending"]):
        if section.get("figure") is not None:
            section["figure"] = _figure(section["figure"], section["alt"])
    return decision


def _checks(checkup: Checkup | None) -> dict[str, Any] | None:
    """Return the rows of the page of checks, the gravest first; None without a page."""
    if checkup is None:
        return None
    rows = [row for status in reversed(Status) for row in checkup.with_status(status)]
    return {"sentence": checkup.sentence, "rows": rows, "caveat": CAVEAT}


def _diagnostics(diagnostics: Diagnostics) -> dict[str, Any]:
    def contraction(part: float) -> str:
        if math.isnan(part):  # not identified
            return "–"
        return "above 99%" if part > 0.99 else share(part)

    effects = [
        {
            "channel": name,
            "r_hat": f"{row['r_hat']:.3f}",
            "bulk": number(row["ess_bulk"]),
            "tail": number(row["ess_tail"]),
            "contraction": contraction(row["contraction"]),
        }
        for name, row in diagnostics.effects.iterrows()
    ]
    checks = [
        {
            "node": node,
            "statistic": statistic,
            "observed": number(row["observed"]),
            "interval": f"{number(row['low'])} to {number(row['high'])}",
            "p": f"{row['p_value']:.2f}",
            "odd": min(row["p_value"], 1 - row["p_value"]) < PREDICTIVE_TAIL,
        }
        for (node, statistic), row in diagnostics.predictive.iterrows()
    ]
    ridge = bool(diagnostics.effects["contraction"].isna().any())
    return {"effects": effects, "checks": checks, "advice": diagnostics.advice, "ridge": ridge}


def _pairs(mapping: dict[str, Any]) -> list[tuple[str, str]]:
    def text(value: Any) -> str:
        return f"{value:.2f}" if isinstance(value, float) else json.dumps(value).strip('"')

    return [(name.replace("_", " "), text(value)) for name, value in mapping.items()]
