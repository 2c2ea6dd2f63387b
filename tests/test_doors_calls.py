"""Hostile and awkward calls: each is refused at the door, in words that say what to do.

A row is a name, the call, the class of its error, and words that its message holds. The calls of
values (tables, experiments, priors) are in `test_doors_values`.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescausal as bc
from bayescausal.errors import BayesCausalError, DataError, GraphError, SpecError, shown
from bayescausal.inference.settings import Settings

LONGEST = 1000
WEEKS = 40
GRAPH = "tv -> search -> sales\ntv, radio -> sales"


def tiny() -> bc.Fit:
    """Two paid channels, a mediator and a lift test; a few real draws."""
    rng = np.random.default_rng(7)
    tv, radio = rng.gamma(2, 10, WEEKS), rng.gamma(2, 10, WEEKS)
    search = 30 + 0.5 * tv + rng.normal(0, 3, WEEKS)
    frame = pd.DataFrame(
        {
            "week": pd.date_range("2025-01-06", periods=WEEKS, freq="7D"),
            "tv": tv,
            "radio": radio,
            "search": search,
            "sales": 200 + 2 * tv + radio + search + rng.normal(0, 5, WEEKS),
        }
    )
    data = bc.Dataset.from_frame(frame, time="week", spend=["tv", "radio"])
    test = bc.Experiment(
        bc.incremental("tv").during("2025-03-03", "2025-03-30"),
        200.0,
        60.0,
        "geo-rct",
        name="spring",
    )
    spec = bc.Spec(
        bc.Graph.parse(GRAPH, outcome="sales"),
        {"tv": bc.Response(bc.GeometricAdstock(l_max=2)), "radio": bc.Response()},
        experiments=(test,),
    )
    return bc.fit(spec, data, seed=1, draws=25, tune=50, chains=2, progress=False)


@pytest.fixture(scope="module")
def world(shared, tmp_path_factory) -> SimpleNamespace:
    fit = bc.load(shared("doors_fit.nc", lambda path: tiny().save(path)))
    return around(fit, tmp_path_factory.mktemp("doors"))


def around(fit: bc.Fit, folder: Path) -> SimpleNamespace:
    """What the calls are made of."""
    parts = {"fit": fit, "spec": fit.spec, "data": fit.data, "graph": fit.spec.graph}
    return SimpleNamespace(**parts, draws=bc.effect(fit, "tv"), folder=folder)


def yaml_bomb(depth: int = 12, width: int = 9) -> str:
    """A few hundred bytes that stand for width ** depth values."""
    lines = ["a0: &a0 [x, x, x]"]
    for k in range(1, depth):
        lines.append(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * width)}]")
    return "\n".join([*lines, f"graph: *a{depth - 1}"])


HUGE = "9" * 5000
TV = {"tv": 0}
SEEDS = {
    "negative": -1,
    "fractional": 1.7,
    "whole but a float": 1.0,
    "text": "a",
    "a digit as text": "1",
    "a list": [1, 2],
    "a truth value": True,
    "not a number": float("nan"),
    "wider than 128 bits": 2**200,
    "a generator": np.random.default_rng(1),
}
GEO = pd.DataFrame(
    {
        "week": np.tile(pd.date_range("2025-01-06", periods=30, freq="7D"), 6),
        "geo": np.repeat(list("abcdef"), 30),
        "sales": 100 + np.random.default_rng(1).normal(size=180),
    }
)
PLACE = {"time": "week", "unit": "geo", "outcome": "sales"}
WINDOW = ("2025-07-07", "2025-07-27")


def geo(**settings):
    asked = {"estimand": bc.incremental("tv"), **PLACE, **settings}
    return bc.geo_test(GEO, ["a", "b"], WINDOW, **asked)


SEEDED = {  # everything that takes a seed
    "fit": lambda w, seed: bc.fit(w.spec, w.data, seed=seed, draws=2, tune=2, chains=1),
    "do": lambda w, seed: bc.do(w.fit, TV, seed=seed),
    "leave_out": lambda w, seed: bc.leave_out(w.fit, "spring", seed=seed),
    "evidence": lambda w, seed: bc.evidence(w.fit, "tv", seed=seed),
    "calibrate_eta": lambda w, seed: bc.calibrate_eta(w.fit, seed=seed),
    "second_opinion": lambda w, seed: bc.second_opinion(
        w.data, w.graph, "tv", bootstrap=50, seed=seed
    ),
    "augment": lambda w, seed: bc.augment(w.data, w.graph, seed=seed, method=bc.Ancestral(10)),
    "Augmentation": lambda w, seed: bc.Augmentation(seed=seed),
    "optimize": lambda w, seed: bc.optimize(w.fit, seed=seed),
    "tipping_point": lambda w, seed: bc.tipping_point(w.fit, "tv", seed=seed),
    "refute": lambda w, seed: bc.refute(w.fit, "tv", seed=seed),
    "specification_curve": lambda w, seed: bc.specification_curve(w.fit, seed=seed),
    "check_graph": lambda w, seed: bc.check_graph(w.data, w.graph, seed=seed),
    "geo_test": lambda w, seed: geo(seed=seed),
}
PROBABLE = {  # everything that takes the probability of an interval
    "summarize": lambda w, prob: bc.summarize(w.draws, prob),
    "effects_table": lambda w, prob: bc.effects_table(w.fit, prob),
    "reconcile": lambda w, prob: bc.reconcile(w.fit, w.spec.experiments, prob=prob),
    "rank_experiments": lambda w, prob: bc.rank_experiments(w.fit, CANDIDATE, prob=prob),
    "compare_augmentation": lambda w, prob: bc.compare_augmentation(w.fit, prob=prob),
    "calibrate_eta": lambda w, prob: bc.calibrate_eta(w.fit, prob=prob),
    "second_opinion": lambda w, prob: bc.second_opinion(
        w.data, w.graph, "tv", prob=prob, bootstrap=50, seed=1
    ),
    "geo_test": lambda w, prob: geo(prob=prob),
    "sensitivity": lambda w, prob: bc.sensitivity(w.fit, prob=prob),
    "tipping_point": lambda w, prob: bc.tipping_point(w.fit, "tv", prob=prob),
    "refute": lambda w, prob: bc.refute(w.fit, "tv", prob=prob),
    "specification_curve": lambda w, prob: bc.specification_curve(w.fit, prob=prob),
    "report": lambda w, prob: bc.report(w.fit, w.folder / "report.html", prob=prob),
    "plot_fit": lambda w, prob: bc.plot_fit(w.fit, prob=prob),
    "plot_roas": lambda w, prob: bc.plot_roas(w.fit, prob),
    "plot_curves": lambda w, prob: bc.plot_curves(w.fit, prob),
    "plot_spend_response": lambda w, prob: bc.plot_spend_response(w.fit, prob=prob),
}
PROBABILITIES = {
    "percent": (90, "Write 0.9"),
    "text": ("high", "must be a number; got 'high'"),
    "a decimal comma": ("0,9", "A comma is no decimal point. Write 0.9"),
    "zero": (0, "between 0 and 1; got 0"),
    "nothing": (None, "must be a number; got None"),
    "a truth value": (True, "must be a number; got True"),
    "two": ([0.5, 0.9], "must be a number; got [0.5, 0.9]"),
}
CANDIDATE = bc.Candidate(bc.incremental("tv").during("2025-03-03", "2025-03-30"), 10.0)
NOT_FITS = {
    "nothing": (lambda w: None, "got None"),
    "a spec": (lambda w: w.spec, "fit(spec, data)"),
    "data": (lambda w: w.data, "fit(spec, data)"),
    "a path": (lambda w: "model.nc", "load('model.nc')"),
    "draws": (lambda w: w.draws, "summarize"),
    "the verb": (lambda w: bc.fit, "got"),
}
VERBS = {  # every verb that asks a fit
    "diagnose": lambda fit: bc.diagnose(fit),
    "effect": lambda fit: bc.effect(fit, "tv"),
    "contributions": lambda fit: bc.contributions(fit),
    "decomposition": lambda fit: bc.decomposition(fit),
    "business_measures": lambda fit: bc.business_measures(fit),
    "synergy": lambda fit: bc.synergy(fit),
    "roas": lambda fit: bc.roas(fit),
    "mroas": lambda fit: bc.mroas(fit),
    "companion_regression": lambda fit: bc.companion_regression(fit),
    "extrapolated_share": lambda fit: bc.extrapolated_share(fit, "tv"),
    "decompose": lambda fit: bc.decompose(fit, "tv"),
    "response_curve": lambda fit: bc.response_curve(fit, "tv->sales"),
    "adstock_curve": lambda fit: bc.adstock_curve(fit, "tv->sales"),
    "counterfactual": lambda fit: bc.counterfactual(fit, TV),
    "do": lambda fit: bc.do(fit, TV, seed=1),
    "check_experiments": lambda fit: bc.check_experiments(fit),
    "conflicts": lambda fit: bc.conflicts(fit),
    "reconcile": lambda fit: bc.reconcile(fit, []),
    "leave_out": lambda fit: bc.leave_out(fit, "spring"),
    "evidence": lambda fit: bc.evidence(fit, "tv"),
    "compare_augmentation": lambda fit: bc.compare_augmentation(fit),
    "leave_one_out": lambda fit: bc.leave_one_out(fit),
    "sensitivity": lambda fit: bc.sensitivity(fit),
    "tipping_point": lambda fit: bc.tipping_point(fit, "tv"),
    "prior_sensitivity": lambda fit: bc.prior_sensitivity(fit),
    "misspecification": lambda fit: bc.misspecification(fit),
    "alternative_specs": lambda fit: bc.alternative_specs(fit),
    "refute": lambda fit: bc.refute(fit, "tv"),
    "specification_curve": lambda fit: bc.specification_curve(fit),
    "rank_experiments": lambda fit: bc.rank_experiments(fit, CANDIDATE),
    "payoffs": lambda fit: bc.payoffs(fit, None),
    "budget_plans": lambda fit: bc.budget_plans(fit),
    "calibrate_eta": lambda fit: bc.calibrate_eta(fit),
    "effects_table": lambda fit: bc.effects_table(fit),
    "report": lambda fit: bc.report(fit),
    "plot_fit": lambda fit: bc.plot_fit(fit),
    "plot_contributions": lambda fit: bc.plot_contributions(fit),
    "plot_roas": lambda fit: bc.plot_roas(fit),
    "plot_curves": lambda fit: bc.plot_curves(fit),
    "plot_adstock": lambda fit: bc.plot_adstock(fit),
    "plot_diagnostics": lambda fit: bc.plot_diagnostics(fit),
    "plot_roas_by_unit": lambda fit: bc.plot_roas_by_unit(fit),
}


def settings_of(**settings):
    return lambda w: bc.fit(w.spec, w.data, **{"seed": 1, "progress": False, **settings})


def from_yaml(text):
    return lambda w: bc.Spec.from_yaml(text)


def table() -> list[tuple]:
    """Name, call, class of the error, words of its message."""
    rows: list[tuple] = [
        (f"{verb}: a seed that is {kind}", lambda w, f=f, s=s: f(w, s), SpecError, ["seed", "Try"])
        for verb, f in SEEDED.items()
        for kind, s in SEEDS.items()
    ]
    rows += [
        (
            f"{verb}: a probability that is {kind}",
            lambda w, f=f, p=p: f(w, p),
            SpecError,
            ["prob", words],
        )
        for verb, f in PROBABLE.items()
        for kind, (p, words) in PROBABILITIES.items()
    ]
    rows += [
        (f"{verb}: of {kind}", lambda w, f=f, v=v: f(v(w)), SpecError, [verb, "Fit", words])
        for verb, f in VERBS.items()
        for kind, (v, words) in NOT_FITS.items()
    ]
    rows += [
        # -- no draws ------------------------------------------------------------------------
        ("summarize: of nothing", lambda w: bc.summarize(None), SpecError, ["draws", "None"]),
        ("summarize: of a fit", lambda w: bc.summarize(w.fit), SpecError, ["draws", "effect("]),
        ("summarize: of a number", lambda w: bc.summarize(3.0), SpecError, ["draws"]),
        ("summarize: of an array", lambda w: bc.summarize(np.ones(9)), SpecError, ["draws"]),
        (
            "summarize: of a Decision",
            lambda w: bc.summarize(bc.budget_plans(w.fit)),
            SpecError,
            ["draws"],
        ),
        # -- fit -----------------------------------------------------------------------------
        ("fit: nothing as spec", lambda w: bc.fit(None, w.data), SpecError, ["Spec", "None"]),
        (
            "fit: strict, no spec",
            lambda w: bc.fit(None, w.data, strict=True),
            SpecError,
            ["Spec"],
        ),
        (
            "fit: a graph as spec",
            lambda w: bc.fit(w.graph, w.data),
            SpecError,
            ["Spec comes first", "Graph"],
        ),
        (
            "fit: spec and data swapped",
            lambda w: bc.fit(w.data, w.spec),
            SpecError,
            ["Spec", "Dataset"],
        ),
        ("fit: a frame as data", lambda w: bc.fit(w.spec, GEO), DataError, ["Dataset.from_frame"]),
        (
            "fit: a typo",
            lambda w: bc.fit(w.spec, w.data, chans=2),
            SpecError,
            ["fit has no argument 'chans'", "Did you mean 'chains'"],
        ),
        ("fit: no data", lambda w: bc.fit(w.spec), SpecError, ["'data'"]),
        ("build: nothing as spec", lambda w: bc.build(None, w.data), SpecError, ["Spec", "None"]),
        (
            "build: a frame as data",
            lambda w: bc.build(w.spec, GEO),
            DataError,
            ["Dataset.from_frame"],
        ),
        (
            "fit: strict is text",
            settings_of(strict="yes"),
            SpecError,
            ["strict is True or False", "'yes'"],
        ),
        ("fit: strict is one", settings_of(strict=1), SpecError, ["strict is True or False"]),
        (
            "fit: progress is text",
            settings_of(progress="no"),
            SpecError,
            ["progress is True or False"],
        ),
        ("fit: draws as text", settings_of(draws="100"), SpecError, ["draws", "Write 100"]),
        ("fit: draws are a float", settings_of(draws=100.0), SpecError, ["draws", "100.0"]),
        ("fit: no draws", settings_of(draws=0), SpecError, ["draws", "1 or more"]),
        ("fit: negative tune", settings_of(tune=-1), SpecError, ["tune", "1 or more"]),
        ("fit: chains are a list", settings_of(chains=[4]), SpecError, ["chains", "[4]"]),
        (
            "fit: target_accept as text",
            settings_of(target_accept="0,9"),
            SpecError,
            ["target_accept", "Write 0.9"],
        ),
        (
            "fit: target_accept is true",
            settings_of(target_accept=True),
            SpecError,
            ["target_accept"],
        ),
        (
            "fit: target_accept is percent",
            settings_of(target_accept=95),
            SpecError,
            ["target_accept", "0.95"],
        ),
        ("fit: sampler is a number", settings_of(sampler=3), SpecError, ["sampler is one of", "3"]),
        ("fit: method is none", settings_of(method=None), SpecError, ["method is one of nuts"]),
        ("fit: method misspelled", settings_of(method="lapalce"), SpecError, ["mean 'laplace'?"]),
        (
            "fit: pathfinder",
            settings_of(method="pathfinder"),
            SpecError,
            ["method='pathfinder' is not offered", "Write method='laplace'"],
        ),
        (
            "fit: a draft has no sampler",
            settings_of(method="laplace", sampler="pymc"),
            SpecError,
            ["belongs to method='nuts'", "Leave one of the two out"],
        ),
        (
            "refute: draft is text",
            lambda w: bc.refute(w.fit, "tv", draft="laplace"),
            SpecError,
            ["draft is True or False"],
        ),
        ("fit: sampler is a list", settings_of(sampler=["pymc"]), SpecError, ["sampler is one of"]),
        (
            "fit: a sampler misspelled",
            settings_of(sampler="nutpy"),
            SpecError,
            ["Did you mean 'nutpie'"],
        ),
        # -- names ---------------------------------------------------------------------------
        (
            "effect: a number",
            lambda w: bc.effect(w.fit, 5),
            BayesCausalError,
            ["incremental('tv')", "5"],
        ),
        ("effect: a list", lambda w: bc.effect(w.fit, ["tv"]), BayesCausalError, ["incremental("]),
        (
            "effect: nothing",
            lambda w: bc.effect(w.fit, None),
            BayesCausalError,
            ["incremental('tv')"],
        ),
        ("effect: no name", lambda w: bc.effect(w.fit, ""), BayesCausalError, ["", "a node"]),
        (
            "effect: unknown",
            lambda w: bc.effect(w.fit, "tvv"),
            BayesCausalError,
            ["Did you mean 'tv'"],
        ),
        (
            "effect: strict is text",
            lambda w: bc.effect(w.fit, "tv", strict="no"),
            SpecError,
            ["strict is True or False"],
        ),
        (
            "contributions: the same channel twice",
            lambda w: bc.contributions(w.fit, ["tv", "tv"]),
            SpecError,
            ["'tv' twice"],
        ),
        (
            "contributions: a number",
            lambda w: bc.contributions(w.fit, 5),
            SpecError,
            ["channels", "5"],
        ),
        (
            "contributions: numbers",
            lambda w: bc.contributions(w.fit, [1, 2]),
            SpecError,
            ["channels", "text"],
        ),
        (
            "contributions: a list in a list",
            lambda w: bc.contributions(w.fit, [["tv"]]),
            SpecError,
            ["channels", "['tv']"],
        ),
        (
            "contributions: a mapping",
            lambda w: bc.contributions(w.fit, {"tv": 1}),
            SpecError,
            ["channels"],
        ),
        (
            "contributions: an unknown channel",
            lambda w: bc.contributions(w.fit, ["tvv"]),
            BayesCausalError,
            ["Did you mean 'tv'"],
        ),
        (
            "contributions: total is text",
            lambda w: bc.contributions(w.fit, total="no"),
            SpecError,
            ["total is True or False"],
        ),
        (
            "contributions: an unknown outcome",
            lambda w: bc.contributions(w.fit, outcome="sale"),
            BayesCausalError,
            ["'sale'", "sales"],
        ),
        (
            "contributions: a number as outcome",
            lambda w: bc.contributions(w.fit, outcome=5),
            SpecError,
            ["outcome", "5"],
        ),
        (
            "contributions: outcomes as a list",
            lambda w: bc.contributions(w.fit, outcome=["sales"]),
            SpecError,
            ["outcome", "['sales']"],
        ),
        (
            "roas: an unknown outcome",
            lambda w: bc.roas(w.fit, outcome="sale"),
            BayesCausalError,
            ["'sale'", "sales"],
        ),
        ("roas: twice", lambda w: bc.roas(w.fit, ["tv", "tv"]), SpecError, ["'tv' twice"]),
        (
            "roas: by_unit is text",
            lambda w: bc.roas(w.fit, by_unit="yes"),
            SpecError,
            ["by_unit is True or False"],
        ),
        (
            "roas: spend is a list",
            lambda w: bc.roas(w.fit, spend=["own"]),
            SpecError,
            ["spend is 'own' or 'induced'"],
        ),
        (
            "roas: units are a number",
            lambda w: bc.roas(w.fit, units=3.5),
            BayesCausalError,
            ["units", "3.5"],
        ),
        (
            "mroas: a channel without spend",
            lambda w: bc.mroas(w.fit, ["search"]),
            DataError,
            ["search"],
        ),
        (
            "decompose: a list",
            lambda w: bc.decompose(w.fit, ["tv"]),
            BayesCausalError,
            ["incremental("],
        ),
        (
            "response_curve: no edge",
            lambda w: bc.response_curve(w.fit, 5),
            SpecError,
            ["tv->sales"],
        ),
        (
            "response_curve: nothing",
            lambda w: bc.response_curve(w.fit, None),
            SpecError,
            ["tv->sales"],
        ),
        (
            "response_curve: points are text",
            lambda w: bc.response_curve(w.fit, "tv->sales", points="50"),
            SpecError,
            ["points", "Write 50"],
        ),
        (
            "response_curve: negative points",
            lambda w: bc.response_curve(w.fit, "tv->sales", points=-1),
            SpecError,
            ["points"],
        ),
        (
            "response_curve: upto is text",
            lambda w: bc.response_curve(w.fit, "tv->sales", upto="2"),
            SpecError,
            ["upto", "Write 2"],
        ),
        (
            "response_curve: upto is negative",
            lambda w: bc.response_curve(w.fit, "tv->sales", upto=-1),
            SpecError,
            ["upto"],
        ),
        (
            "response_curve: upto is no number",
            lambda w: bc.response_curve(w.fit, "tv->sales", upto=float("nan")),
            SpecError,
            ["upto", "finite"],
        ),
        (
            "adstock_curve: an unknown edge",
            lambda w: bc.adstock_curve(w.fit, "tv->sale"),
            SpecError,
            ["Did you mean 'tv->sales'"],
        ),
        (
            "effects_table: an outcome without an equation",
            lambda w: bc.effects_table(w.fit, outcome="tv"),
            SpecError,
            ["'tv'", "sales"],
        ),
        (
            "effects_table: an unknown outcome",
            lambda w: bc.effects_table(w.fit, outcome="sale"),
            BayesCausalError,
            ["'sale'", "sales"],
        ),
        (
            "plot_fit: an unknown node",
            lambda w: bc.plot_fit(w.fit, "sale"),
            BayesCausalError,
            ["sales"],
        ),
        ("plot_fit: a number", lambda w: bc.plot_fit(w.fit, 5), BayesCausalError, ["5", "sales"]),
        (
            "plot_contributions: a number",
            lambda w: bc.plot_contributions(w.fit, 5),
            SpecError,
            ["channels", "5"],
        ),
        (
            "plot_roas: an unknown outcome",
            lambda w: bc.plot_roas(w.fit, outcome="sale"),
            BayesCausalError,
            ["'sale'", "sales"],
        ),
        (
            "leave_out: a number",
            lambda w: bc.leave_out(w.fit, 5),
            SpecError,
            ["name", "5"],
        ),
        ("leave_out: nothing", lambda w: bc.leave_out(w.fit, None), SpecError, ["name", "None"]),
        (
            "leave_out: an unknown test",
            lambda w: bc.leave_out(w.fit, "sprin"),
            SpecError,
            ["Did you mean 'spring'"],
        ),
        (
            "evidence: nothing",
            lambda w: bc.evidence(w.fit, None),
            BayesCausalError,
            ["incremental('tv')"],
        ),
        (
            "conflicts: the threshold is text",
            lambda w: bc.conflicts(w.fit, "2"),
            SpecError,
            ["threshold", "Write 2"],
        ),
        (
            "conflicts: the threshold is no number",
            lambda w: bc.conflicts(w.fit, float("nan")),
            SpecError,
            ["threshold"],
        ),
        (
            "conflicts: strict is text",
            lambda w: bc.conflicts(w.fit, strict="no"),
            SpecError,
            ["strict is True or False"],
        ),
        (
            "reconcile: nothing",
            lambda w: bc.reconcile(w.fit, None),
            SpecError,
            ["reconcile", "None"],
        ),
        (
            "reconcile: names",
            lambda w: bc.reconcile(w.fit, "spring"),
            SpecError,
            ["experiments", "'spring'"],
        ),
        (
            "reconcile: an estimand",
            lambda w: bc.reconcile(w.fit, bc.incremental("tv")),
            SpecError,
            ["reconcile", "Estimand"],
        ),
        (
            "rank_experiments: nothing",
            lambda w: bc.rank_experiments(w.fit, None),
            SpecError,
            ["Candidate"],
        ),
        (
            "rank_experiments: a name",
            lambda w: bc.rank_experiments(w.fit, "tv"),
            SpecError,
            ["Candidate"],
        ),
        (
            "rank_experiments: a number as target",
            lambda w: bc.rank_experiments(w.fit, CANDIDATE, 5),
            BayesCausalError,
            ["incremental('tv')"],
        ),
        (
            "rank_experiments: a number as utility",
            lambda w: bc.rank_experiments(w.fit, CANDIDATE, utility=5),
            SpecError,
            ["Decision"],
        ),
        ("payoffs: a name", lambda w: bc.payoffs(w.fit, "tv"), SpecError, ["Decision"]),
        (
            "payoffs: draws are text",
            lambda w: bc.payoffs(w.fit, bc.budget_plans(w.fit), draws="9"),
            SpecError,
            ["draws", "Write 9"],
        ),
        (
            "budget_plans: a number as channels",
            lambda w: bc.budget_plans(w.fit, 5),
            BayesCausalError,
            ["channels", "5"],
        ),
        (
            "budget_plans: the same twice",
            lambda w: bc.budget_plans(w.fit, ["tv", "tv"]),
            BayesCausalError,
            ["'tv' twice"],
        ),
        (
            "budget_plans: the shift is text",
            lambda w: bc.budget_plans(w.fit, shift="0,5"),
            SpecError,
            ["shift", "Write 0.5"],
        ),
        (
            "budget_plans: mixtures are a float",
            lambda w: bc.budget_plans(w.fit, mixtures=3.5),
            SpecError,
            ["mixtures", "3.5"],
        ),
        (
            "budget_plans: an unknown outcome",
            lambda w: bc.budget_plans(w.fit, outcome="sale"),
            BayesCausalError,
            ["'sale'", "sales"],
        ),
        (
            "budget_plans: the value is text",
            lambda w: bc.budget_plans(w.fit, value="2"),
            SpecError,
            ["value", "Write 2"],
        ),
        (
            "compare_augmentation: a name",
            lambda w: bc.compare_augmentation(w.fit, "tv"),
            SpecError,
            ["augmentation"],
        ),
        # -- worlds --------------------------------------------------------------------------
        (
            "do: a typo",
            lambda w: bc.do(w.fit, seed=1, windoww=3),
            SpecError,
            ["'windoww'", "Did you mean 'window'"],
        ),
        (
            "do: a typo with a world",
            lambda w: bc.do(w.fit, TV, seed=1, windoww=3),
            SpecError,
            ["Did you mean 'window'"],
        ),
        ("do: no seed", lambda w: bc.do(w.fit, TV), SpecError, ["do: missing", "seed"]),
        ("do: a name", lambda w: bc.do(w.fit, "tv", seed=1), SpecError, ["{'tv': 0}", "'tv'"]),
        ("do: a list", lambda w: bc.do(w.fit, ["tv"], seed=1), SpecError, ["{'tv': 0}"]),
        (
            "do: a text to set",
            lambda w: bc.do(w.fit, {"tv": "a"}, seed=1),
            SpecError,
            ["do(tv", "'a'"],
        ),
        (
            "do: a window without a world",
            lambda w: bc.do(w.fit, seed=1, window=("2025-03-03", "2025-03-30")),
            SpecError,
            ["window"],
        ),
        (
            "counterfactual: a typo",
            lambda w: bc.counterfactual(w.fit, TV, unit="a"),
            SpecError,
            ["Did you mean 'units'"],
        ),
        (
            "counterfactual: nothing",
            lambda w: bc.counterfactual(w.fit, None),
            SpecError,
            ["{'tv': 0}"],
        ),
        (
            "counterfactual: a number as node",
            lambda w: bc.counterfactual(w.fit, {5: 0}),
            SpecError,
            ["5"],
        ),
        (
            "counterfactual: an empty world",
            lambda w: bc.counterfactual(w.fit, {}),
            SpecError,
            ["{'tv': 0}"],
        ),
        (
            "effect: a typo",
            lambda w: bc.effect(w.fit, "tv", stric=True),
            SpecError,
            ["Did you mean 'strict'"],
        ),
        (
            "incremental: a typo",
            lambda w: bc.incremental("tv", windoww=3),
            SpecError,
            ["Did you mean 'window'"],
        ),
        ("incremental: a number", lambda w: bc.incremental(5), SpecError, ["5"]),
        ("incremental: nothing", lambda w: bc.incremental(None), SpecError, ["None"]),
        (
            "Estimand: a text as outcome's list",
            lambda w: bc.Estimand(TV, outcome=["sales"]),
            SpecError,
            ["outcome"],
        ),
        ("Times: text", lambda w: bc.Times("1,1"), SpecError, ["Times", "Write 1.1"]),
        (
            "steady_state: text",
            lambda w: bc.steady_state("tv", at="100", by=1),
            SpecError,
            ["at", "Write 100"],
        ),
        # -- questions of a graph ------------------------------------------------------------
        ("identify: no graph", lambda w: bc.identify(None, "tv"), GraphError, ["Graph", "None"]),
        ("identify: text", lambda w: bc.identify(GRAPH, "tv"), GraphError, ["Graph.parse("]),
        ("identify: a fit", lambda w: bc.identify(w.fit, "tv"), GraphError, ["fit.spec.graph"]),
        ("identify: a spec", lambda w: bc.identify(w.spec, "tv"), GraphError, ["spec.graph"]),
        (
            "identify: a number",
            lambda w: bc.identify(w.graph, 3),
            GraphError,
            ["incremental('tv')"],
        ),
        (
            "identify: a typo",
            lambda w: bc.identify(w.graph, "tv", heldd="radio"),
            SpecError,
            ["identify has no argument 'heldd'", "Did you mean 'held'"],
        ),
        ("identify: no question", lambda w: bc.identify(w.graph), SpecError, ["'estimand'"]),
        (
            "identify: held is a number",
            lambda w: bc.identify(w.graph, "tv", held=3),
            SpecError,
            ["held"],
        ),
        (
            "identify: no tests",
            lambda w: bc.identify(w.graph, "tv", experiments=3),
            GraphError,
            ["experiments"],
        ),
        ("workshop: no graph", lambda w: bc.workshop(None, "tv"), GraphError, ["Graph", "None"]),
        ("workshop: a number", lambda w: bc.workshop(w.graph, 5), SpecError, ["5"]),
        (
            "second_opinion: no data",
            lambda w: bc.second_opinion(None, w.graph, "tv", seed=1),
            BayesCausalError,
            ["Dataset", "None"],
        ),
        (
            "second_opinion: no graph",
            lambda w: bc.second_opinion(w.data, "x", "tv", seed=1),
            GraphError,
            ["Graph.parse("],
        ),
        (
            "second_opinion: bootstrap is text",
            lambda w: bc.second_opinion(w.data, w.graph, "tv", bootstrap="9", seed=1),
            SpecError,
            ["bootstrap"],
        ),
        (
            "second_opinion: a block of text",
            lambda w: bc.second_opinion(w.data, w.graph, "tv", block="4", seed=1),
            SpecError,
            ["block"],
        ),
        (
            "augment: no graph",
            lambda w: bc.augment(w.data, None, seed=1),
            GraphError,
            ["Graph", "None"],
        ),
        (
            "augment: no data",
            lambda w: bc.augment(None, w.graph, seed=1),
            BayesCausalError,
            ["Dataset", "None"],
        ),
        (
            "augment: absolute is text",
            lambda w: bc.augment(w.data, w.graph, bc.Threshold(theta=0.1, absolute="no")),
            SpecError,
            ["absolute is True or False"],
        ),
        (
            "diagnose_augmentation: nothing",
            lambda w: bc.diagnose_augmentation(None),
            SpecError,
            ["augment(", "None"],
        ),
        (
            "plot_geo_test: nothing",
            lambda w: bc.plot_geo_test(None),
            SpecError,
            ["GeoTest", "None"],
        ),
        (
            "plot_reconciliation: nothing",
            lambda w: bc.plot_reconciliation(None),
            SpecError,
            ["reconcile(", "None"],
        ),
        (
            "plot_augmentation: nothing",
            lambda w: bc.plot_augmentation(None),
            SpecError,
            ["augment(", "None"],
        ),
        (
            "plot_evidence: nothing",
            lambda w: bc.plot_evidence(None),
            SpecError,
            ["evidence(", "None"],
        ),
        # -- truth values --------------------------------------------------------------------
        (
            "adstock: normalize is text",
            lambda w: bc.GeometricAdstock(normalize="false"),
            SpecError,
            ["normalize is True or False", "'false'"],
        ),
        (
            "adstock: normalize is none",
            lambda w: bc.GeometricAdstock(normalize=None),
            SpecError,
            ["normalize is True or False"],
        ),
        ("geo_test: dark is text", lambda w: geo(dark="yes"), SpecError, ["dark is True or False"]),
        ("geo_test: the tail is text", lambda w: geo(tail="2"), SpecError, ["tail", "Write 2"]),
        # -- sizes ---------------------------------------------------------------------------
        (
            "chains beyond memory",
            lambda w: Settings(chains=10**7),
            SpecError,
            ["chains", "at most"],
        ),
        (
            "draws beyond memory",
            settings_of(draws=10**9),
            SpecError,
            ["draws", "at most 1,000,000"],
        ),
        ("tune beyond a life", settings_of(tune=10**9), SpecError, ["tune", "at most"]),
        (
            "draws of many parameters",
            settings_of(draws=400_000, chains=64),
            SpecError,
            ["draws", "GB", "would do"],
        ),
        (
            "mixtures beyond memory",
            lambda w: bc.budget_plans(w.fit, mixtures=10**9),
            SpecError,
            ["mixtures", "would do"],
        ),
        (
            "points beyond memory",
            lambda w: bc.response_curve(w.fit, "tv->sales", points=10**9),
            SpecError,
            ["points", "GB", "would do"],
        ),
        (
            "worlds without end",
            lambda w: bc.calibrate_eta(w.fit, worlds=10**9),
            SpecError,
            ["worlds", "at most"],
        ),
        (
            "bootstrap without end",
            lambda w: bc.second_opinion(w.data, w.graph, "tv", bootstrap=10**9, seed=1),
            SpecError,
            ["bootstrap", "at most"],
        ),
        (
            "carry-over of a billion periods",
            lambda w: bc.GeometricAdstock(l_max=10**9),
            SpecError,
            ["l_max", "at most"],
        ),
        (
            "carry-over that is a float",
            lambda w: bc.DelayedAdstock(l_max=8.0),
            SpecError,
            ["l_max", "8.0"],
        ),
        (
            "a lag of a billion",
            lambda w: bc.Graph.parse("tv -> sales @ 99999999999", outcome="sales"),
            GraphError,
            ["lag", "at most"],
        ),
        (
            "a lag of 5,000 digits",
            lambda w: bc.Graph.parse(f"tv -> sales @ {HUGE}", outcome="sales"),
            GraphError,
            ["lag"],
        ),
        (
            "an edge of a lag of a billion",
            lambda w: bc.Graph((bc.Edge("tv", "sales", 10**9),), outcomes=("sales",)),
            GraphError,
            ["lag", "at most"],
        ),
        (
            "a season of a billion waves",
            lambda w: bc.YearlySeasonality(order=10**9),
            SpecError,
            ["order", "at most"],
        ),
        (
            "rows beyond memory",
            lambda w: bc.Augmentation(method=bc.Ancestral(10**9)),
            SpecError,
            ["rows", "GB", "would do"],
        ),
        # -- YAML ----------------------------------------------------------------------------
        (
            "yaml: a date that does not exist",
            from_yaml("graph: tv -> sales\nlinks: {a: 2024-13-45}"),
            SpecError,
            ["line 2", "2024-13-45"],
        ),
        (
            "yaml: a time that does not exist",
            from_yaml("graph: 2024-01-01 25:61:00"),
            SpecError,
            ["line 1", "25:61"],
        ),
        ("yaml: no whole number", from_yaml("graph: !!int abc"), SpecError, ["line 1", "abc"]),
        ("yaml: an empty whole number", from_yaml("graph: !!int ''"), SpecError, ["line 1"]),
        ("yaml: no number", from_yaml("graph: !!float abc"), SpecError, ["line 1", "abc"]),
        (
            "yaml: no truth value",
            from_yaml("graph: !!bool perhaps"),
            SpecError,
            ["line 1", "perhaps"],
        ),
        ("yaml: no date", from_yaml("graph: !!timestamp soon"), SpecError, ["line 1", "soon"]),
        ("yaml: no base64", from_yaml("graph: !!binary '*'"), SpecError, ["graph", "text"]),
        ("yaml: 5,000 digits", from_yaml(f"graph: {HUGE}"), SpecError, ["line 1", "digits"]),
        ("yaml: 5,000 digits of a float", from_yaml(f"graph: {HUGE}.0"), SpecError, ["graph"]),
        (
            "yaml: nested 5,000 deep",
            from_yaml("graph: " + "[" * 5000 + "]" * 5000),
            SpecError,
            ["line 1", "deep"],
        ),
        (
            "yaml: mappings 5,000 deep",
            from_yaml("{a: " * 5000 + "1" + "}" * 5000),
            SpecError,
            ["deep"],
        ),
        ("yaml: an alias bomb", from_yaml(yaml_bomb()), SpecError, ["line", "aliases"]),
        (
            "yaml: an alias inside itself",
            from_yaml("graph: &a [*a]"),
            SpecError,
            ["line 1", "itself"],
        ),
        ("yaml: an alias of nothing", from_yaml("graph: *nothing"), SpecError, ["nothing"]),
        ("yaml: a key that is a list", from_yaml("? [a, b]\n: 1"), SpecError, ["line 1", "key"]),
        (
            "yaml: code",
            from_yaml("graph: !!python/object/apply:os.system [true]"),
            SpecError,
            ["tag"],
        ),
        ("yaml: two documents", from_yaml("graph: a\n---\ngraph: b"), SpecError, ["YAML"]),
        ("yaml: nothing", from_yaml(""), SpecError, ["mapping"]),
        ("yaml: a list", from_yaml("- a"), SpecError, ["mapping"]),
        ("yaml: no text", from_yaml(5), SpecError, ["text"]),
        ("yaml: a byte that is none", from_yaml("graph: \x00"), SpecError, ["YAML"]),
        (
            "yaml: ten million characters",
            from_yaml("# " + "x" * 10_000_000),
            SpecError,
            ["characters"],
        ),
        (
            "yaml: a huge value is quoted short",
            from_yaml("graph: {" + ", ".join(f"k{i}: {i}" for i in range(5000)) + "}"),
            SpecError,
            ["graph", "text"],
        ),
    ]
    return rows


ROWS = table()


def test_the_table_has_no_row_twice():
    names = [row[0] for row in ROWS]
    assert len(names) == len({*names}) > 90


@pytest.mark.parametrize(
    ("call", "error", "words"), [pytest.param(*row[1:], id=row[0]) for row in ROWS]
)
def test_a_hostile_call_is_refused_with_advice(world, call, error, words):
    with pytest.raises(error) as refused:
        call(world)
    message = str(refused.value)
    assert len(message) < LONGEST, message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("name", [n for n in bc.__all__ if callable(getattr(bc, n))])
def test_whatever_asks_a_fit_is_a_verb(name):
    function = getattr(bc, name)
    if next(iter(inspect.signature(function).parameters), "") == "fit":
        with pytest.raises(SpecError, match=f"{name} asks a Fit; got None"):
            function(*([None] * _needed(function)))


def _needed(function) -> int:
    parameters = inspect.signature(function).parameters.values()
    return sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)


WELCOME = {  # values of other libraries, and all that is near a limit and fine; beside plain ones
    "a seed of numpy": (
        lambda w: bc.do(w.fit, TV, seed=np.int64(3)),
        lambda w: bc.do(w.fit, TV, seed=3),
    ),
    "a seed of 128 bits": (
        lambda w: bc.do(w.fit, TV, seed=2**128 - 1),
        lambda w: bc.do(w.fit, TV, seed=2**128 - 1),
    ),
    "a probability of numpy": (
        lambda w: bc.summarize(w.draws, np.float32(0.5)),
        lambda w: bc.summarize(w.draws, 0.5),
    ),
    "a flag of numpy": (
        lambda w: bc.effect(w.fit, "tv", strict=np.True_),
        lambda w: bc.effect(w.fit, "tv", strict=True),
    ),
    "channels of an index": (
        lambda w: bc.contributions(w.fit, pd.Index(["tv", "radio"])),
        lambda w: bc.contributions(w.fit, ["tv", "radio"]),
    ),
    "one channel": (lambda w: bc.roas(w.fit, "tv"), lambda w: bc.roas(w.fit, ["tv"])),
    "settings of numpy": (
        lambda w: Settings(draws=np.int64(5), chains=np.int32(2), tune=np.uint8(9)),
        lambda w: Settings(draws=5, chains=2, tune=9),
    ),
    "a carry-over of numpy": (
        lambda w: bc.GeometricAdstock(l_max=np.int64(4)),
        lambda w: bc.GeometricAdstock(l_max=4),
    ),
    "mixtures of numpy": (
        lambda w: bc.budget_plans(w.fit, mixtures=np.int16(2)),
        lambda w: bc.budget_plans(w.fit, mixtures=2),
    ),
    "the longest lag": (
        lambda w: bc.identify(bc.Graph.parse("tv -> sales @ 10000", outcome="sales"), "tv").status,
        lambda w: bc.identify(bc.Graph.parse("tv -> sales", outcome="sales"), "tv").status,
    ),
    "small aliases": (
        lambda w: bc.Spec.from_yaml(
            "graph: tv -> sales\noutcome: sales\nresponses:\n"
            "  tv: &r {transforms: [GeometricAdstock]}\n  tv->sales: *r"
        ),
        lambda w: bc.Spec.from_yaml(
            "graph: tv -> sales\noutcome: sales\nresponses:\n"
            "  tv: {transforms: [GeometricAdstock]}\n"
            "  tv->sales: {transforms: [GeometricAdstock]}"
        ),
    ),
}


@pytest.mark.parametrize(("call", "plain"), WELCOME.values(), ids=WELCOME)
def test_what_is_right_is_welcome(world, call, plain):
    answer, expected = call(world), plain(world)
    if isinstance(answer, xr.DataArray | xr.Dataset):
        xr.testing.assert_equal(answer, expected)
    elif isinstance(answer, pd.DataFrame):
        pd.testing.assert_frame_equal(answer, expected)
    else:
        assert answer == expected


def test_a_number_of_another_library_is_kept_as_one_of_python():
    kept = Settings(draws=np.int64(5), chains=np.int32(2), target_accept=np.float32(0.75))
    assert [type(v) for v in (kept.draws, kept.chains, kept.target_accept)] == [int, int, float]
    assert type(bc.GeometricAdstock(l_max=np.int64(4)).l_max) is int


def test_every_message_is_short_and_keeps_its_start_and_its_end():
    for error in (BayesCausalError, SpecError, GraphError, DataError):
        text = str(error("What is wrong. " + "x" * 10**6 + " What to do."))
        assert len(text) < LONGEST
        assert text.startswith("What is wrong.")
        assert text.endswith("What to do.")


class Unwritable:
    def __repr__(self):
        raise RuntimeError("no")


def test_a_value_is_quoted_on_one_short_line():
    assert shown("tv") == "'tv'"
    assert shown(10**5000) == "a whole number of about 5,000 digits"
    assert shown(Unwritable()) == "an object of type Unwritable"
    assert shown(pd.DataFrame({"a": [1]})) == "a 0 1"


def test_nested_copies_are_quoted_at_once():
    value: list = ["x"]
    for _ in range(60):
        value = [value] * 9
    assert len(shown(value)) <= 160
