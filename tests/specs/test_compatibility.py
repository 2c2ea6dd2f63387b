"""Tests against the data: whole periods, panels of another step, units that are not there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import lognorm, norm

from bayescausal.data.dataset import Dataset
from bayescausal.data.periods import period_mask
from bayescausal.errors import DataError, SpecError
from bayescausal.experiments.estimand import incremental
from bayescausal.experiments.experiment import Experiment
from bayescausal.graphs.graph import Graph
from bayescausal.model.scm import compile_scm
from bayescausal.specs.adstock import GeometricAdstock
from bayescausal.specs.compatibility import check
from bayescausal.specs.defaults import budget_link, decided
from bayescausal.specs.noise import NormalNoise
from bayescausal.specs.response import Response
from bayescausal.specs.saturation import HillSaturation
from bayescausal.specs.spec import Spec

TV = incremental("tv")
DAYS = pd.date_range("2024-07-01", "2025-01-05", freq="D")  # Monday to Sunday
LIFT = 5.0


def daily(units=8):
    """Sales of units by day; from 2024-11-04 on, for four weeks, tv adds to those of u0 and u1."""
    rng = np.random.default_rng(3)
    rows = []
    for k in range(units):
        frame = pd.DataFrame({"date": DAYS, "geo": f"u{k}", "tv": 1.0 + rng.random(len(DAYS))})
        frame["sales"] = 50.0 + k + rng.normal(0, 1, len(DAYS))
        inside = (DAYS >= "2024-11-04") & (DAYS <= "2024-12-01") & (k < 2)
        frame["sales"] += LIFT * inside
        rows.append(frame)
    return pd.concat(rows, ignore_index=True)


def weekly(frame):
    week = frame["date"] - pd.to_timedelta(frame["date"].dt.dayofweek, unit="D")
    grouped = frame.assign(date=week).groupby(["geo", "date"], as_index=False)
    return grouped[["tv", "sales"]].sum()


def read(frame):
    return Dataset.from_frame(frame, time="date", unit="geo")


def measured(frame, window=("2024-11-04", "2024-12-01"), **changed):
    scale = changed.pop("scale", "total")
    settings = {"time": "date", "unit": "geo", "outcome": "sales", "seed": 1} | changed
    asked = replace(TV, scale=scale)
    return Experiment.from_geo_panel(frame, ["u0", "u1"], window, estimand=asked, **settings)


def agrees(test, data):
    spec = Spec(Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",), experiments=test)
    check(spec, data)


def lift(estimand):
    return Experiment(estimand, lift=3.0, std_error=1.0, design="geo-rct", name="autumn")


def test_a_mean_of_days_is_no_mean_of_weeks():
    days = daily()
    test = measured(days, scale="mean")
    assert test.lift == pytest.approx(LIFT, abs=1)
    agrees(test, read(days))
    with pytest.raises(SpecError, match=r"daily panel.*weekly: a mean.*Aggregate.*from_geo_panel"):
        agrees(test, read(weekly(days)))
    there = measured(weekly(days), scale="mean")
    assert there.lift == pytest.approx(7 * LIFT, abs=7)
    agrees(there, read(weekly(days)))
    with pytest.raises(SpecError, match="weekly panel, and the data are daily: a mean"):
        agrees(there, read(days))


def test_a_tail_of_days_is_no_tail_of_weeks():
    days = daily()
    with pytest.raises(SpecError, match=r"a tail of 7 counts other periods.*scale='total'"):
        agrees(measured(days, tail=7), read(weekly(days)))
    agrees(measured(days, tail=7), read(days))
    agrees(measured(weekly(days), tail=1), read(weekly(days)))


@pytest.mark.parametrize("scale", ["total", "percent"])
def test_a_sum_over_whole_weeks_is_the_same_from_days(scale):
    days = daily()
    test = measured(days, scale=scale)
    agrees(test, read(weekly(days)))
    assert test.lift == pytest.approx(measured(weekly(days), scale=scale).lift)


def test_a_window_of_days_within_weeks_is_refused():
    days = daily()
    test = measured(days, ("2024-11-06", "2024-12-01"))
    agrees(test, read(days))
    with pytest.raises(DataError, match=r"2024-11-06..2024-12-01, which are not whole weekly"):
        agrees(test, read(weekly(days)))


def test_a_last_week_named_by_its_first_day_is_no_single_day():
    days = daily()
    test = measured(weekly(days), ("2024-11-04", "2024-11-25"))
    agrees(test, read(weekly(days)))
    with pytest.raises(DataError, match=r"11-04..2024-12-01 in its own weekly.*11-04..2024-11-25"):
        agrees(test, read(days))


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (
            ("2024-10-02", "2024-10-29"),
            "would count 2024-10-07..2024-11-03. Whole periods are 2024-10-07..2024-10-27 or "
            "2024-09-30..2024-11-03. ",
        ),
        (
            ("2024-10-06", "2024-10-07"),
            "would count 2024-10-07..2024-10-13. Whole periods are 2024-09-30..2024-10-13. ",
        ),
        (
            ("2024-10-08", "2024-10-09"),
            "none starts in it. Whole periods are 2024-10-07..2024-10-13",
        ),
    ],
)
def test_a_test_in_parts_of_weeks_is_refused(window, words):
    with pytest.raises(DataError, match="not whole weekly periods") as error:
        agrees(lift(TV.during(*window)), read(weekly(daily())))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("window", "weeks"),
    [
        (("2024-10-07", "2024-11-03"), 4),
        (("2024-10-07", "2024-10-28"), 4),
        (("2024-12-30", "2025-01-05"), 1),
    ],
)
def test_a_test_ends_on_the_first_or_the_last_day_of_a_week(window, weeks):
    data = read(weekly(daily()))
    agrees(lift(TV.during(*window)), data)
    assert period_mask(data.time, TV.during(*window).window).sum() == weeks


def test_a_week_after_the_data_is_outside():
    with pytest.raises(DataError, match=r"outside the data.*without it \(control\)") as error:
        agrees(lift(TV.during("2024-12-30", "2025-01-06")), read(weekly(daily())))
    assert "{'" not in str(error.value)


def test_months_dated_by_their_end_are_inside():
    rows = pd.DataFrame({"date": pd.date_range("2024-01-31", periods=12, freq="ME")})
    rows["tv"], rows["sales"] = np.arange(12.0) % 5, np.arange(12.0) % 7
    data = Dataset.from_frame(rows, time="date")
    agrees(lift(TV.during("2024-01", "2024-12")), data)
    agrees(lift(TV.during("2024-03", "2024-03")), data)
    with pytest.raises(DataError, match="outside"):
        agrees(lift(TV.during("2023-12", "2024-03")), data)


def test_a_test_in_units_says_how_national_data_can_use_it():
    national = weekly(daily()).groupby("date", as_index=False)[["tv", "sales"]].sum()
    with pytest.raises(DataError, match=r"'u0' is not in the data. Units: none") as error:
        agrees(measured(daily()), Dataset.from_frame(national, time="date"))
    for way in ("unit=...", "without units=", "'per_spend'", "'percent'", "That assumes"):
        assert way in str(error.value)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["12,345.60", "7"], r"left out.*text such as '12,345.60', not numbers.*str\.replace"),
        (["n/a", "7"], "left out.*text such as 'n/a'"),
    ],
)
def test_a_node_whose_column_is_text_says_so(column, words):
    rows = weekly(daily(1)).drop(columns="geo")
    rows = rows.assign(tv=[column[k % 2] for k in range(len(rows))])
    with pytest.raises(DataError, match=f"node 'tv'.*{words}") as error:
        agrees((), Dataset.from_frame(rows, time="date"))
    assert "latent" not in str(error.value)


def test_a_node_that_columns_leaves_out_says_so():
    data = Dataset.from_frame(daily(), time="date", unit="geo", columns=["sales"])
    with pytest.raises(DataError, match=r"'tv', and its column.*columns= does not name it"):
        agrees((), data)


def test_a_node_without_a_column_may_be_one_that_was_left_out():
    rows = weekly(daily(1)).drop(columns="geo").rename(columns={"tv": "TV spots"})
    rows["tvs"] = "12,5"
    with pytest.raises(DataError, match=r"no such column.*\(left out: tvs\).*mean 'tvs'"):
        agrees((), Dataset.from_frame(rows, time="date"))


@pytest.mark.parametrize(
    ("freq", "rows", "periods"),
    [
        ("D", 90, 56),
        ("7D", 90, 8),
        ("14D", 90, 4),
        ("MS", 36, 2),
        ("ME", 36, 2),
        ("QS", 20, 1),
        ("YS", 20, 1),
        ("D", 20, 19),
    ],
)
def test_carry_over_lasts_eight_weeks_by_default_whatever_a_period_is(freq, rows, periods):
    dates = pd.date_range("2023-01-01", periods=rows, freq=freq)
    frame = pd.DataFrame({"week": dates, "tv": np.arange(rows), "y": np.arange(rows) ** 2.0})
    data = Dataset.from_frame(frame, time="week")
    graph = Graph.parse("tv -> y", outcome="y")
    noise = {"noise": NormalNoise()}
    spec = Spec(graph, {"tv": Response(GeometricAdstock(), HillSaturation())}, **noise)
    whole = decided(spec, data)
    assert whole.responses["tv"].reach == periods
    assert decided(whole, data) is whole
    assert compile_scm(spec, data).spec == whole
    assert Spec.from_yaml(spec.to_yaml()) == spec
    if freq == "7D":  # default priors speak of weeks
        assert whole.responses["tv"] == Response(GeometricAdstock(l_max=8), HillSaturation())
    own = Spec(
        graph, {"tv": Response(GeometricAdstock(l_max=5), HillSaturation())}, noise=NormalNoise()
    )
    assert decided(own, data) is own


@pytest.mark.parametrize(
    ("text", "settings", "link"),
    [
        ("tv -> sales\ntv <-> sales", {}, "log"),
        ("tv -> sales\ntv <-> sales", {"links": {"tv": "identity"}}, "identity"),
        ("flat -> sales\nflat <-> sales", {}, "identity"),
        ("dark -> sales\ndark <-> sales", {}, "identity"),
        ("price -> tv -> sales\nprice <-> sales", {"policy": {"tv": "reacts"}}, "identity"),
    ],
)
def test_the_link_of_a_budget_is_the_one_on_which_it_is_closer_to_normal(text, settings, link):
    """The larger density of normal x or log x, by hand; budgets that react keep the identity."""
    rng = np.random.default_rng(3)
    shape = rng.normal(size=120)
    tv = 100 * np.exp(0.4 * shape)
    columns = {"tv": tv, "flat": 100 + 20 * shape, "dark": np.where(shape > 1.5, 0, tv)}
    week = pd.date_range("2022-01-03", periods=120, freq="7D")
    frame = pd.DataFrame({"week": week, "price": shape**2, "sales": 5 * tv} | columns)
    budget = text.split(" -> sales")[0].split()[-1]
    treatments = ("price", "tv") if "policy" in settings else (budget,)
    spec = Spec(Graph.parse(text, outcome="sales"), treatments=treatments, **settings)
    data = Dataset.from_frame(frame, time="week")
    assert decided(spec, data).link(budget) == link
    assert decided(decided(spec, data), data) == decided(spec, data)
    x = columns[budget]
    if "links" not in settings and budget != "dark" and "policy" not in settings:
        of_x = norm(x.mean(), x.std()).logpdf(x).sum()
        of_logs = lognorm(np.log(x).std(), scale=np.exp(np.log(x).mean())).logpdf(x).sum()
        assert link == ("log" if of_logs > of_x else "identity")


def test_a_budget_of_a_panel_is_judged_within_its_units():
    """Markets of different size are alike within themselves: normal, not log-normal."""
    rng = np.random.default_rng(4)
    shape = 1 + 0.15 * rng.normal(size=(2, 400))
    assert budget_link(shape * [[1.0], [100.0]]) == "identity"
    assert budget_link(np.exp(shape * 4) * [[1.0], [100.0]]) == "log"
