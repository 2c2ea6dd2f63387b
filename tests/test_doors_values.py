"""Nonsense in nouns: what each door says of a value that cannot be meant, in a table of cases.

A case is a call, the class of what it must raise or warn of, and words of the message. `ACCEPTED`
has the neighbors of such values that are right, and what must come of them.
"""

import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescausal import errors
from bayescausal.data.dataset import Dataset
from bayescausal.experiments.estimand import incremental
from bayescausal.experiments.experiment import Experiment
from bayescausal.experiments.table import experiments_from_frame
from bayescausal.graphs.graph import Graph
from bayescausal.presentation.config import Config
from bayescausal.specs.adstock import (
    BinomialAdstock,
    DelayedAdstock,
    GeometricAdstock,
    WeibullCDFAdstock,
    WeibullPDFAdstock,
)
from bayescausal.specs.baseline import HSGPTrend, Intercept
from bayescausal.specs.compatibility import check
from bayescausal.specs.noise import AR1Noise, NormalNoise, StudentTNoise
from bayescausal.specs.prior import Prior
from bayescausal.specs.response import Response, ReturnOnSpend
from bayescausal.specs.saturation import (
    ExponentialSaturation,
    HillSaturation,
    LogisticSaturation,
    MichaelisMentenSaturation,
    RootSaturation,
    TanhSaturation,
)
from bayescausal.specs.spec import Spec
from bayescausal.specs.yaml_loader import load_yaml

ROWS = 30
WEEKS = pd.date_range("2024-01-01", periods=ROWS, freq="7D")
NORMAL, WIDE = Prior("Normal", mu=0, sigma=1), Prior("Uniform", lower=1, upper=5)
BELOW = Prior("Uniform", lower=-5, upper=0)
MEDIA = Response(GeometricAdstock(l_max=3), HillSaturation())


def frame(**changed):
    rng = np.random.default_rng(7)
    columns = {
        "week": WEEKS,
        "tv": rng.gamma(2, 50, ROWS),
        "radio": rng.gamma(2, 50, ROWS),
        "sales": rng.normal(2000, 60, ROWS),
    }
    return pd.DataFrame(columns | changed)


def read(table=None, **settings):
    return Dataset.from_frame(frame() if table is None else table, time="week", **settings)


def geo(units=("north", "south")):
    return pd.concat([frame(geo=unit) for unit in units], ignore_index=True)


def table(**columns):
    """A table as `Dataset` takes it, with other columns or coordinates."""
    return read().table.assign(columns)


def panel_table():
    return read(geo(), unit="geo").table


def spec(text="tv, radio -> sales", responses=None, **settings):
    graph = Graph.parse(text.replace("; ", "\n"), outcome="sales")
    return Spec(
        graph, {"tv": MEDIA, "radio": MEDIA} if responses is None else responses, **settings
    )


def meet(claims=None, data=None):
    """Where a spec meets its data."""
    check(claims or spec(), data or read())


def holed(name, rows):
    """Data of which a column has no values in its first rows."""
    return frame(**{name: frame()[name].where(np.arange(ROWS) >= rows)})


def lift(name="autumn", units=None, treatment="tv"):
    asked = incremental(treatment).within(*units) if units else incremental(treatment)
    return Experiment(asked, lift=30, std_error=10, design="geo-rct", name=name)


def listed(**cells):
    row = {"treatment": "tv", "lift": 3.0, "std_error": 1.0, "design": "geo-rct"}
    return experiments_from_frame(pd.DataFrame([row | cells]))


def yaml_units(text):
    estimand = f"{{control: {{tv: 0}}, units: [{text}]}}"
    test = f"{{estimand: {estimand}, lift: 3, std_error: 1, design: geo-rct}}"
    lines = f"graph: tv -> sales\noutcome: sales\ntreatments: [tv]\nexperiments:\n- {test}"
    return Spec.from_yaml(lines).experiments[0].estimand.units


def yaml_prior(kind, text):
    step = f"{{kind: {kind}, priors: {text}}}"
    responses = f"{{tv: {{transforms: [{step}]}}}}"
    return Spec.from_yaml(f"graph: tv -> sales\noutcome: sales\nresponses: {responses}")


def from_csv(folder, cells):
    rows = [f"{week.date()},{cell},{k + 1},{k % 5 + 9}" for cell in cells for k, week in WEEKS_OF]
    (folder / "data.csv").write_text("\n".join(["week,geo,tv,sales", *rows]))
    lines = "data: {path: data.csv, time: week, unit: geo}\nspec:\n  graph: tv -> sales\n"
    lines += "  outcome: sales\n  treatments: [tv]\n"
    (folder / "config.yaml").write_text(lines)
    return Config.read(folder / "config.yaml").data


WEEKS_OF = list(enumerate(WEEKS))
NEAR = np.random.default_rng(1).normal(0, 6, ROWS)

CASES = {
    # what the outcome is worth
    "value: the outcome": (
        lambda: meet(data=read(value="sales")),
        "DataError",
        "value='sales' is the outcome itself.*currency per unit.*leave value out",
    ),
    "value: a copy of the outcome": (
        lambda: meet(data=read(frame(worth=frame()["sales"]), value="worth")),
        "DataError",
        "value='worth' .*the same numbers as the outcome 'sales'",
    ),
    "value: negative column": (
        lambda: read(frame(margin=-5.0), value="margin"),
        "DataError",
        "value='margin' is negative in 30 rows.*2024-01-01.*costs",
    ),
    "value: negative number": (lambda: read(value=-3.0), "DataError", "value=-3.*negative"),
    "value: zero": (lambda: read(value=0), "DataError", "value=0.*every return would be 0"),
    "value: zero column": (
        lambda: read(frame(margin=0.0), value="margin"),
        "DataError",
        "value='margin' is zero in every row",
    ),
    # history
    "history: a hole in exposure": (
        lambda: meet(data=read(holed("tv", 4), history=6)),
        "DataError",
        "'tv' has no value in 4 rows of the history, the first at 2024-01-01.*0 where nothing ran",
    ),
    "history: a hole that a lag reads": (
        lambda: meet(
            spec("tv, radio -> sales; sales -> tv @ 1"), read(holed("sales", 4), history=6)
        ),
        "DataError",
        "'sales' has no value in 4 rows of the history",
    ),
    "history: a hole in spend": (
        lambda: read(frame(cost=holed("tv", 4)["tv"]), spend={"tv": "cost"}, history=6),
        "DataError",
        "'cost' has 4 missing.*2024-01-01",
    ),
    "history: a hole in training rows": (
        lambda: read(holed("sales", 7), history=6),
        "DataError",
        "'sales' has 1 missing or infinite values, the first at 2024-02-12",
    ),
    # units
    "unit: decimal numbers": (
        lambda: read(geo((1.0, 100000.0)), unit="geo"),
        "DataError",
        "'geo' holds (1.0|100000.0),.*as text.*dtype=",
    ),
    "unit: truth values": (
        lambda: read(geo((True, False)), unit="geo"),
        "DataError",
        "'geo' holds truth values.*as text",
    ),
    "unit: truth value in a question": (
        lambda: incremental("tv").within(False),
        "SpecError",
        "units holds truth values.*'NO'.*quotes",
    ),
    "unit: decimal number in a question": (
        lambda: incremental("tv").within(100000.0),
        "SpecError",
        "units holds 100000.0.*quotes",
    ),
    "unit: None in a question": (
        lambda: incremental("tv").within(None),
        "SpecError",
        "units holds None.*text",
    ),
    "unit: empty in a question": (
        lambda: incremental("tv").within(""),
        "SpecError",
        "holds ''.*names of units",
    ),
    # columns
    "columns: text is left out": (
        lambda: read(frame(region="north", note=list("ab") * 15)),
        "ColumnsLeftOut",
        "'region' .*text such as 'north'.*'note'.*columns=",
    ),
    "columns: a number written as text is left out": (
        lambda: read(frame(radio=["1,200"] * ROWS)),
        "ColumnsLeftOut",
        r"'radio'.*'1,200'.*str.replace\(',', ''\)",
    ),
    "columns: a name that no file holds is left out": (
        lambda: read(frame(**{"cost/1000": 1.0})),
        "ColumnsLeftOut",
        "'cost/1000'.*cannot be saved",
    ),
    "columns: an empty name is left out": (
        lambda: read(frame(**{"": 1.0})),
        "ColumnsLeftOut",
        "the name '' cannot be saved",
    ),
    "columns: a blank name is left out": (
        lambda: read(frame(**{"  ": 1.0})),
        "ColumnsLeftOut",
        "the name ' ' cannot be saved",
    ),
    "columns: many are left out, in a short message": (
        lambda: read(frame(**{f"note{k}": "x" * 900 for k in range(500)})),
        "ColumnsLeftOut",
        r"(?=.{0,1200}$).*and 49\d more",
    ),
    "columns: complex is left out": (
        lambda: read(frame(z=1j)),
        "ColumnsLeftOut",
        "'z'.*complex numbers",
    ),
    "columns: complex that is asked for": (
        lambda: read(frame(z=1j), columns=["tv", "sales", "z"]),
        "DataError",
        "'z' cannot be used: it holds complex numbers.*real part",
    ),
    "columns: complex in a table": (
        lambda: Dataset(table(z=("time", np.ones(ROWS) * 1j))),
        "DataError",
        "'z' cannot be used: it holds complex numbers",
    ),
    "columns: empty name that is asked for": (
        lambda: read(frame(**{"": 1.0}), columns=["tv", ""]),
        "DataError",
        "the name '' cannot be saved",
    ),
    "columns: Indian digits": (
        lambda: read(frame(tv=["5,54,97,076.1"] * ROWS), spend=["tv"]),
        "DataError",
        r"'5,54,97,076.1'.*str.replace\(',', ''\)",
    ),
    "columns: decimal commas": (
        lambda: read(frame(tv=["1.234,56", "7,5"] * 15), spend=["tv"]),
        "DataError",
        r"'1.234,56'.*str.replace\('.', ''.*str.replace\(',', '.'\)",
    ),
    "columns: currency": (
        lambda: read(frame(tv=["€ 1,200.50", "€ 3"] * 15), spend=["tv"]),
        "DataError",
        r"'€ 1,200.50'.*replace\(r'\[",
    ),
    "columns: words that no call converts": (
        lambda: read(frame(tv=["1", "about 5"] * 15), spend=["tv"]),
        "DataError",
        "'about 5'.*Write a number in its place",
    ),
    # spend
    "spend: the exposure is not in the table": (
        lambda: read(frame().rename(columns={"tv": "tv_cost"}), spend={"tv": "tv_cost"}),
        "DataError",
        r"'tv'.*the key is the exposure.*spend=\['tv_cost'\]",
    ),
    "spend: a number": (lambda: Dataset(table(), 3), "DataError", "spend takes names.*got 3"),
    "spend: a mapping to a number": (
        lambda: read(spend={"tv": 3}),
        "DataError",
        r"spend=\{'tv': 3\}.*name of a column",
    ),
    # a table made by hand
    "table: gaps": (
        lambda: Dataset(table().isel(time=[*range(10), *range(14, ROWS)])),
        "DataError",
        "gaps: 4 periods",
    ),
    "table: reversed": (
        lambda: Dataset(table().isel(time=slice(None, None, -1))),
        "DataError",
        "out of order.*Sort",
    ),
    "table: one period twice": (
        lambda: Dataset(table().isel(time=[0, *range(ROWS)])),
        "DataError",
        "2024-01-01 twice",
    ),
    "table: no time": (
        lambda: Dataset(table().rename(time="date")),
        "DataError",
        r"dims .*\('date',\).*time.*rename",
    ),
    "table: time without dates": (
        lambda: Dataset(table().drop_vars("time")),
        "DataError",
        "no coordinate 'time'.*assign_coords",
    ),
    "table: numbers for dates": (
        lambda: Dataset(table().assign_coords(time=np.arange(ROWS))),
        "DataError",
        "int64, not dates",
    ),
    "table: another dim": (
        lambda: Dataset(table().expand_dims(brand=["a", "b"])),
        "DataError",
        "dims .*brand.*one dim 'unit'",
    ),
    "table: a column without time": (
        lambda: Dataset(table(size=3.0)),
        "DataError",
        "'size' has the dims \\(\\).*every column",
    ),
    "table: a column without unit": (
        lambda: Dataset(panel_table().assign(gdp=("time", np.arange(ROWS) + 1.0))),
        "DataError",
        "'gdp' has the dims \\('time',\\).*every column",
    ),
    "table: text": (
        lambda: Dataset(table(note=("time", ["a"] * ROWS))),
        "DataError",
        "'note' cannot be used: it holds text such as 'a'",
    ),
    "table: objects": (
        lambda: Dataset(table(note=("time", np.array([None] * ROWS)))),
        "DataError",
        "'note' cannot be used",
    ),
    "table: dates": (
        lambda: Dataset(table(late=("time", WEEKS))),
        "DataError",
        "'late' cannot be used: it holds datetime64",
    ),
    "table: no column": (lambda: Dataset(xr.Dataset()), "DataError", "no column"),
    "table: units twice": (
        lambda: Dataset(panel_table().assign_coords(unit=["a", "a"])),
        "DataError",
        "unit 'a' stands twice",
    ),
    "table: units of numbers": (
        lambda: Dataset(panel_table().assign_coords(unit=[1.0, 2.0])),
        "DataError",
        "holds 1.0.*as text",
    ),
    "table: units without names": (
        lambda: Dataset(panel_table().drop_vars("unit")),
        "DataError",
        "no coordinate 'unit'",
    ),
    # a paid channel
    "paid: no response": (
        lambda: meet(spec(responses={"tv": MEDIA}), read(spend=["tv", "radio"])),
        "LinearPaidChannel",
        r"'radio' is paid for.*in proportion.*no carry-over.*responses=\{'radio': Response\(",
    ),
    # copies
    "copies: the same numbers": (
        lambda: meet(data=read(frame(radio=frame()["tv"] * 3))),
        "CopiedChannels",
        r"'radio' and 'tv'.*1\.00.*incremental\(\['radio', 'tv'\]\)",
    ),
    "copies: nearly the same": (
        lambda: meet(data=read(frame(radio=frame()["tv"] + NEAR))),
        "CopiedChannels",
        r"'radio' and 'tv'.*0\.99",
    ),
    "copies: mirrored": (
        lambda: meet(data=read(frame(radio=900 - frame()["tv"]))),
        "CopiedChannels",
        "'radio' and 'tv'",
    ),
    "copies: three": (
        lambda: meet(
            spec("tv, radio, print -> sales", dict.fromkeys(("tv", "radio", "print"), MEDIA)),
            read(frame(radio=frame()["tv"], print=frame()["tv"] * 2)),
        ),
        "CopiedChannels",
        "'print', 'radio' and 'tv'",
    ),
    # how far effects reach
    "reach: a lag beyond the rows": (
        lambda: meet(spec("tv, radio -> sales; radio -> sales @ 40")),
        "DataError",
        "radio->sales@40.*40 periods.*30 rows",
    ),
    "reach: carry-over beyond the rows": (
        lambda: meet(spec(responses={"tv": Response(GeometricAdstock(l_max=200)), "radio": MEDIA})),
        "DataError",
        "tv->sales.*200 periods.*30 rows.*l_max=",
    ),
    "reach: an endless lag": (
        lambda: Graph.parse("tv -> sales @ 99999999999"),
        "GraphError",
        "99999999999.*at most",
    ),
    "reach: an endless adstock": (
        lambda: GeometricAdstock(l_max=10**9),
        "SpecError",
        "l_max.*at most 10,000; got 1000000000",
    ),
    # names of experiments
    "experiment: a slash": (lambda: lift("tv/radio"), "SpecError", "'tv/radio'.*'/'.*Rename"),
    "experiment: a line break": (lambda: lift("a\nb"), "SpecError", "Rename"),
    "experiment: white space": (lambda: lift(" a"), "SpecError", "white space"),
    "experiment: a name that collides": (
        lambda: spec(experiments=(lift("x"), lift("x:observed"))),
        "SpecError",
        "'x:observed'.*Rename",
    ),
    "experiment: a name of a group": (
        lambda: spec(
            experiments=(
                Experiment(incremental("tv"), 3, 1, "geo-rct", name="a", covariance={"b": 0.5}),
                Experiment(incremental("radio"), 3, 1, "geo-rct", name="b"),
                lift("a+b"),
            )
        ),
        "SpecError",
        r"'a\+b'.*Rename",
    ),
    # what a response is made of
    "response: a strength among the steps": (
        lambda: Response(GeometricAdstock(), HillSaturation(), ReturnOnSpend(NORMAL)),
        "SpecError",
        "strength=ReturnOnSpend",
    ),
    "response: a prior among the steps": (
        lambda: Response(GeometricAdstock(), NORMAL),
        "SpecError",
        r"strength=Prior\('Normal'",
    ),
    "response: a class": (
        lambda: Response(GeometricAdstock, HillSaturation()),
        "SpecError",
        r"GeometricAdstock\(\), with brackets",
    ),
    "policy: of a node that is no treatment": (
        lambda: spec("tv -> radio -> sales", {"tv": MEDIA}, policy={"radio": "held"}),
        "SpecError",
        r"policy\['radio'\].*treatments=\['radio', 'tv'\]",
    ),
    # graphs of anything but text
    "graph: networkx": (
        lambda: Graph.parse(nx.DiGraph([("tv", "sales")])),
        "GraphError",
        "got a DiGraph.*Graph.from_networkx",
    ),
    "graph: a list of edges": (
        lambda: Graph.parse([("tv", "sales")]),
        "GraphError",
        r"got a list.*Graph\(edges=",
    ),
    "graph: None": (lambda: Graph.parse(None), "GraphError", "got None.*'tv -> sales'"),
    "graph: a path": (lambda: Graph.from_dot(3), "GraphError", "text.*got an int"),
    "graph: dagitty of bytes": (
        lambda: Graph.from_dagitty(b"dag {a->b}"),
        "GraphError",
        "got a bytes.*decode",
    ),
    "graph: text for networkx": (
        lambda: Graph.from_networkx("tv -> sales"),
        "GraphError",
        "got a str.*Graph.parse",
    ),
    "graph: outcome of a number": (
        lambda: Graph.parse("tv -> sales", outcome=3),
        "GraphError",
        "outcome.*name.*got 3",
    ),
    "graph: edges=None": (lambda: Graph(edges=None), "GraphError", "edges.*got None"),
    "graph: an edge of numbers": (lambda: Graph(edges=[3]), "GraphError", "3 is not an edge"),
}

LEAVES = {
    "Hill: half": (lambda: HillSaturation(priors={"half": NORMAL}), "half.*above 0.*LogNormal"),
    "Hill: slope": (lambda: HillSaturation(priors={"slope": NORMAL}), "slope.*above 0.*LogNormal"),
    "logistic: lam": (lambda: LogisticSaturation(priors={"lam": NORMAL}), "lam.*above 0"),
    "exponential: lam": (lambda: ExponentialSaturation(priors={"lam": BELOW}), "lam.*above 0"),
    "Michaelis-Menten: half": (
        lambda: MichaelisMentenSaturation(priors={"half": NORMAL}),
        "half.*above 0",
    ),
    "tanh: knee": (lambda: TanhSaturation(priors={"knee": NORMAL}), "knee.*above 0"),
    "root: power": (lambda: RootSaturation(priors={"power": WIDE}), "power.*between 0 and 1.*Beta"),
    "geometric: alpha": (
        lambda: GeometricAdstock(priors={"alpha": WIDE}),
        r"alpha.*between 0 and 1.*lower=1, upper=5.*Beta",
    ),
    "geometric: alpha, half-normal": (
        lambda: GeometricAdstock(priors={"alpha": Prior("HalfNormal", sigma=0.3)}),
        "alpha.*between 0 and 1.*Beta",
    ),
    "delayed: alpha": (lambda: DelayedAdstock(priors={"alpha": NORMAL}), "alpha.*between 0 and 1"),
    "delayed: theta": (lambda: DelayedAdstock(priors={"theta": NORMAL}), "theta.*above 0"),
    "binomial: alpha": (lambda: BinomialAdstock(priors={"alpha": NORMAL}), "alpha.*between 0 and"),
    "Weibull pdf: shape": (lambda: WeibullPDFAdstock(priors={"shape": NORMAL}), "shape.*above 0"),
    "Weibull cdf: scale": (lambda: WeibullCDFAdstock(priors={"scale": NORMAL}), "scale.*above 0"),
    "noise: sigma": (lambda: NormalNoise(sigma=NORMAL), "sigma.*above 0.*HalfNormal"),
    "noise: nu": (lambda: StudentTNoise(nu=BELOW), "nu.*above 0.*Gamma"),
    "AR1: nu": (lambda: AR1Noise(nu=NORMAL), "nu.*above 0"),
    "AR1: phi": (lambda: AR1Noise(phi=NORMAL), "phi.*between -1 and 1.*TruncatedNormal"),
    "noise: spread": (lambda: NormalNoise(spread=NORMAL), "spread.*above 0"),
    "response: spread": (lambda: Response(spread=BELOW), "spread.*above 0"),
    "intercept: spread": (lambda: Intercept(spread=NORMAL), "spread.*above 0"),
    "trend: amplitude": (lambda: HSGPTrend(amplitude=NORMAL), "amplitude.*above 0"),
    "trend: lengthscale": (lambda: HSGPTrend(lengthscale=NORMAL), "lengthscale.*above 0"),
    "correlation": (
        lambda: spec("tv, radio -> sales; tv <-> sales", correlations={"sales<->tv": NORMAL}),
        "sales<->tv.*between -1 and 1.*Uniform",
    ),
    "YAML": (
        lambda: yaml_prior("GeometricAdstock", "{alpha: {distribution: Gamma, alpha: 2, beta: 1}}"),
        "alpha.*between 0 and 1",
    ),
}
CASES |= {f"support: {k}": (call, "SpecError", words) for k, (call, words) in LEAVES.items()}

QUIET = {
    "value: a number": lambda: meet(data=read(value=2.5)),
    "value: zero in some rows": lambda: read(frame(price=[0.0, *[5.0] * 29]), value="price"),
    "value: negative in the history only": lambda: read(
        frame(price=[-1.0, *[5.0] * 29]), value="price", history=1
    ),
    "history: holes that nothing reads": lambda: meet(
        data=read(
            holed("sales", 4).assign(price=holed("radio", 3)["radio"]), value="price", history=6
        )
    ),
    "paid: a plain response that is stated": lambda: meet(
        spec(responses={"tv": MEDIA, "radio": Response()}), read(spend=["tv", "radio"])
    ),
    "paid: one edge has a response": lambda: meet(
        spec(responses={"tv": MEDIA, "radio->sales": MEDIA}), read(spend=["tv", "radio"])
    ),
    "copies: of something that is no channel": lambda: meet(
        spec("tv, radio, warm, cold -> sales"),
        read(frame(warm=np.arange(30.0), cold=-np.arange(30.0))),
    ),
    "support: a uniform inside": lambda: HillSaturation(
        priors={"slope": Prior("Uniform", lower=0.5, upper=3), "half": Prior("HalfNormal")}
    ),
    "support: a truncated normal inside": lambda: GeometricAdstock(
        priors={"alpha": Prior("TruncatedNormal", mu=0.5, sigma=0.2, lower=0, upper=1)}
    ),
    "support: phi above 0": lambda: AR1Noise(phi=Prior("Beta", alpha=2, beta=2)),
    "columns: text that columns= leaves out": lambda: read(
        frame(note="a"), columns=["tv", "radio", "sales"]
    ),
    "table: rows of a reader": lambda: Dataset(read().table, {"tv": "tv"}),
    "table: a panel, unit last": lambda: Dataset(panel_table().transpose("time", "unit")),
    "experiment: a name with points and spaces": lambda: lift("Q1 2024 (tv), wave 2"),
}

READ = {
    "spend as a list": (lambda: Dataset(table(), ["tv"]).spend, {"tv": "tv"}),
    "whole numbers for units": (lambda: read(geo((1, 2)), unit="geo").units, ("1", "2")),
    "a zero in front, in YAML": (lambda: yaml_units("01, 1e5, 010"), ("01", "1e5", "010")),
    "Norway in YAML": (lambda: yaml_units("NO, on, y, Off"), ("NO", "on", "y", "Off")),
    "a time-like unit in YAML": (lambda: yaml_units("12:30"), ("12:30",)),
    "truth in YAML stays truth": (
        lambda: load_yaml("{a: true, b: False}"),
        {"a": True, "b": False},
    ),
    "numbers in YAML": (lambda: load_yaml("{a: 10, b: -1.5, c: 0}"), {"a": 10, "b": -1.5, "c": 0}),
    "units of a table": (lambda: listed(units="01|1e5")[0].estimand.units, ("01", "1e5")),
}


def said(call):
    """What a call raises or warns of: its class and its text, or what it returns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except Exception as error:
            return type(error).__name__, " ".join(str(error).split())
    ours = [w for w in caught if hasattr(errors, w.category.__name__)]
    if ours:
        return ours[0].category.__name__, " ".join(str(ours[0].message).split())
    return "", result


@pytest.mark.parametrize("case", CASES)
def test_a_value_that_cannot_be_meant_is_refused_or_named(case):
    call, kind, words = CASES[case]
    name, text = said(call)
    assert name == kind, text
    with pytest.raises(ValueError, match=f"(?s){words}"):
        raise ValueError(text)
    assert len(text) < 1500


@pytest.mark.parametrize("case", QUIET)
def test_its_neighbor_that_is_right_is_taken_without_a_word(case):
    assert said(QUIET[case])[0] == "", said(QUIET[case])[1]


@pytest.mark.parametrize("case", READ)
def test_a_value_is_read_as_it_was_written(case):
    call, value = READ[case]
    assert said(call) == ("", value)


@pytest.mark.parametrize("units", [("01", "1"), ("1e5", "100000"), ("NO", "on"), ("NA", "007")])
def test_units_of_a_csv_file_are_text(tmp_path, units):
    assert from_csv(tmp_path, units).units == units


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["5,54,97,076.1", "12"], [55497076.1, 12]),
        (["1,234", "1,234,567"], [1234, 1234567]),
        (["1.234,56", "7,5"], [1234.56, 7.5]),
        (["7,5", "8"], [7.5, 8]),
        (["€ 1,200.50", "€ 3"], [1200.5, 3]),
        (["12 %", "3.5 %"], [12, 3.5]),
        (["1 234,5 EUR", "-7 EUR"], [1234.5, -7]),
        (["1'234.5", "7"], [1234.5, 7]),
        (["+3", " 4 "], [3, 4]),
    ],
)
def test_the_advice_for_text_works_on_that_text(texts, numbers):
    name, message = said(lambda: read(frame(tv=texts * (ROWS // 2)), spend=["tv"]))
    assert name == "DataError"
    namespace = {"pd": pd, "frame": pd.DataFrame({"tv": texts})}
    code = message[message.index("frame['tv'] = ") :].removesuffix(".").split(", or write")[0]
    exec(code, namespace)
    np.testing.assert_array_equal(namespace["frame"]["tv"], numbers)


def test_a_hole_in_the_history_stands_at_the_mean_of_its_unit():
    rows = geo()
    hole = (rows["week"] < WEEKS[2]) & (rows["geo"] == "south")
    rows["sales"] = rows["sales"].where(~hole)
    data = read(rows, unit="geo", history=3)
    assert list(data.holes("sales")) == list(WEEKS[:2])
    assert list(data.holes("tv")) == []
    np.testing.assert_array_equal(data.array("sales")[0], frame()["sales"])
    np.testing.assert_allclose(data.array("sales")[1, :2], frame()["sales"][3:].mean())
    np.testing.assert_array_equal(data.array("sales")[1, 2:], frame()["sales"][2:])
    again = Dataset(data.table, **data.settings())  # as a saved fit is read
    assert again.hash == data.hash


def test_copies_are_found_within_units_and_after_the_lag_of_the_edge():
    rows = geo()
    rows["radio"] = rows["tv"] + np.where(rows["geo"] == "south", 1e4, 0)  # levels tell nothing
    assert said(lambda: meet(data=read(rows, unit="geo")))[0] == "CopiedChannels"
    late = frame()
    late["radio"] = late["tv"].shift(-1, fill_value=0.0)
    text = "tv -> sales; radio -> sales @ 1"
    plain = {"tv": Response(), "radio": Response()}
    assert said(lambda: meet(spec(text, plain), read(late)))[0] == "CopiedChannels"
    assert said(lambda: meet(spec("tv, radio -> sales", plain), read(late)))[0] == ""
