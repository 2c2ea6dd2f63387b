"""Markets that differ in what a channel does and in how noisy they are."""

import warnings
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescausal as bc
from bayescausal.decisions.experiment_ranking import expected_std_error
from bayescausal.errors import BayesCausalError, DataError, SpecError
from bayescausal.inference.archive import FORMAT
from bayescausal.model.scm import compile_scm
from bayescausal.specs.prior import COMMON, UNIT_SPECIFIC

MEDIA = bc.Response(bc.GeometricAdstock(l_max=2), bc.HillSaturation())
GRAPH = bc.Graph.parse("tv -> sales", outcome="sales")
MARKETS = ("north", "east", "south", "west")
STRENGTH = (0.5, 1.0, 1.0, 2.0)
NOISE = (1.0, 1.0, 4.0, 1.0)
SIZE = (1.0, 3.0, 0.5, 2.0)


def panel(weeks=78):
    """Sales per head gain ``STRENGTH * 20 x / (3 + x)`` of tv per head; south is noisy."""
    rng = np.random.default_rng(8)
    frames, truth = [], {}
    for name, size, strength, noise in zip(MARKETS, SIZE, STRENGTH, NOISE, strict=True):
        tv = rng.gamma(1.5, 2, weeks) * (rng.random(weeks) < 0.7)
        gained = strength * 20 * tv / (3 + tv)
        sales = 60 + gained + noise * rng.normal(size=weeks)
        week = pd.date_range("2023-01-02", periods=weeks, freq="7D")
        columns = {"week": week, "market": name, "tv": size * tv, "sales": size * sales}
        frames.append(pd.DataFrame(columns))
        truth[name] = size * gained.sum()
    data = bc.Dataset.from_frame(pd.concat(frames), time="week", unit="market", spend=["tv"])
    return data, pd.Series(truth)


@pytest.fixture(scope="module")
def differing(tmp_path_factory, shared):
    """A real posterior of a spec whose errors are independent, as those of the world are."""

    def write(path):
        bc.fit(
            bc.Spec(GRAPH, {"tv": MEDIA}, noise=bc.NormalNoise()),
            panel()[0],
            seed=1,
            progress=False,
        ).save(path)

    return bc.load(shared("differing.nc", write))


def test_effects_of_single_markets_are_recovered(differing):
    _, truth = panel()
    assert differing.convergence.converged
    settings = differing.info["settings"]
    assert (settings["tune"], settings["draws"]) == (200, 500)  # as of one market
    found = {m: bc.effect(differing, bc.incremental("tv", units=m)) for m in MARKETS}
    table = pd.concat({m: bc.summarize(draws).iloc[0] for m, draws in found.items()}, axis=1).T
    wide = (table["high"] - table["low"]).astype(float)
    off = (table["mean"] - truth).astype(float)
    assert (abs(off) < wide).all()  # within about three posterior sd
    assert (wide < truth).all()  # and the data say something of each
    per_head = table[["low", "high"]].div(SIZE, axis=0)
    assert per_head.loc["west", "low"] > per_head.loc["north", "high"]


def test_simulated_markets_are_alike_until_the_outcome_is_known():
    """The same media in each: what they bring is the same, as no market is known to be larger."""
    weeks = pd.date_range("2023-01-02", periods=20, freq="7D")
    tv = np.random.default_rng(1).gamma(2, 50, 20)
    frame = pd.concat(pd.DataFrame({"week": weeks, "market": m, "tv": tv}) for m in MARKETS)
    data = bc.Dataset.from_frame(frame, time="week", unit="market")
    spec = bc.Spec(GRAPH, {"tv": MEDIA}, (), noise=bc.NormalNoise(spread=COMMON))
    theta = {"tv->sales": 30.0, "tv->sales:alpha": 0.5, "tv->sales:half": 0.4}
    theta |= {"tv->sales:slope": 1.2, "sales:sigma": 0.1, "sales:intercept": np.full(4, 80.0)}
    theta |= {"sales:intercept:mean": 80.0, "sales:intercept:spread": 1.0}
    theta |= {"tv->sales:spread": 0.1, "tv->sales:unit": np.zeros(4)}
    world = bc.simulate(spec, data, theta, 1)
    each = [world.effect(bc.incremental("tv", units=m)) for m in MARKETS]
    np.testing.assert_allclose(each, each[0])


def test_noise_of_single_markets_is_recovered(differing):
    own = np.exp(differing.theta()["sales:sigma:unit"])
    low, high = np.quantile(own[:, 2] / own[:, [0, 1, 3]].mean(axis=1), [0.005, 0.995])
    assert low < 4 < high
    assert low > 2


def test_returns_of_markets_average_to_that_of_all(differing):
    spent = differing.data.spend_of("tv").sum(axis=-1)
    each = [bc.roas(differing, units=m).to_numpy() for m in MARKETS]
    spent = dict(zip(differing.data.units, spent, strict=True))
    spent, total = [spent[m] for m in MARKETS], bc.roas(differing)
    by_unit = bc.roas(differing, by_unit=True)
    assert np.allclose(by_unit.sel(unit=list(MARKETS)).to_numpy(), np.stack(each, axis=-1))
    some = bc.mroas(differing, units=("west", "north"), by_unit=True)
    assert some["unit"].to_numpy().tolist() == ["west", "north"]
    assert np.allclose(np.average(each, axis=0, weights=spent), total.to_numpy())
    assert bc.mroas(differing, units=("north", "west")).attrs["units"] == "north, west"
    assert total.attrs["units"] == ", ".join(differing.data.units)


def test_a_return_by_market_has_the_weakest_grade_of_the_markets(differing):
    """A randomized test of one market says what it says of that market."""
    asked = bc.incremental("tv", units="east", outcome="sales")
    lift = float(bc.effect(differing, asked).mean())
    test = bc.Experiment(asked, lift, 0.02 * lift, "geo-rct", name="east")
    told = replace(differing, spec=replace(differing.spec, experiments=(test,)))
    alone = bc.roas(told, units="east")
    assert alone["grade"].item() == "A"
    both = bc.roas(told, units=("east", "west"), by_unit=True)
    assert both["grade"].item() > "A"


def test_returns_by_market_are_drawn_best_first(differing):
    (ax,) = bc.plot_roas_by_unit(differing).axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    table = bc.summarize(bc.roas(differing, by_unit=True)).droplevel("channel")
    assert names == table["median"].sort_values(ascending=False).index.tolist()
    assert names[0] == "west"
    assert np.allclose(sorted(ax.lines[1].get_xdata()), sorted(table["median"]))


def test_a_market_without_spend_has_no_return(differing):
    """The draws of a fit, over data in which one market was silent."""
    data, _ = panel()
    table = data.table.copy(deep=True)
    table["tv"].loc[{"unit": "north"}] = 0.0
    silent = bc.Dataset(table, data.spend, data.value, data.history)
    fit = replace(differing, data=silent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = bc.roas(fit, by_unit=True).sel(unit="north")
        (ax,) = bc.plot_roas_by_unit(fit).axes
    assert np.isnan(found).all()
    assert len(ax.get_yticklabels()) == 3


def test_national_data_have_no_return_by_market(example_fit):
    with pytest.raises(DataError, match="by_unit: the data are national"):
        bc.roas(example_fit, by_unit=True)


def test_a_test_in_a_noisy_market_is_expected_to_be_noisy(differing):
    during = {m: bc.incremental("tv", units=m, carryover=False) for m in ("east", "south")}
    scale = dict(zip(differing.data.units, differing.scm.scale["sales"].ravel(), strict=True))
    found = {m: expected_std_error(differing, asked) / scale[m] for m, asked in during.items()}
    theta = differing.theta()
    for market, each in found.items():
        own = np.exp(theta["sales:sigma:unit"][:, differing.data.units.index(market)])
        sd = np.median((theta["sales:sigma"] * own) ** 2) ** 0.5
        assert each == pytest.approx(sd * np.sqrt(2 * 78))
    assert found["south"] > 2 * found["east"]


def test_the_response_curve_of_a_panel_is_the_mean_over_its_markets(differing):
    curve = bc.response_curve(differing, "tv->sales", points=3, upto=1.0)
    theta, scm = differing.theta(), differing.scm
    edge = next(iter(differing.spec.mechanisms))
    steady = np.ones((4, 5)) * scm.scale["tv"]
    f = scm.curve(edge, theta, np.broadcast_to(np.pad(steady, ((0, 0), (0, 73)), "edge"), (4, 78)))
    beta = differing.evaluate(lambda equations: equations.edges[edge].beta[..., 0, 0])
    by_hand = beta.ravel() * (scm.scale["sales"].ravel() * f[..., -1]).mean(axis=1)
    assert np.allclose(curve.to_numpy()[..., -1].ravel(), by_hand)


def test_a_declared_size_is_what_outcomes_and_media_are_counted_per(tmp_path):
    data, _ = panel(30)
    people = xr.DataArray(list(SIZE), coords={"unit": list(MARKETS)}, dims="unit")
    table = data.table.assign(people=people.broadcast_like(data.table["tv"]))
    told = bc.Dataset(table, data.spend, size="people")
    spec = bc.Spec(GRAPH, {"tv": MEDIA})
    size = np.array([SIZE[MARKETS.index(u)] for u in told.units])[:, None]
    for node in ("tv", "sales"):
        scale = compile_scm(spec, told).scale[node]
        assert np.allclose(scale / size, (data.array(node) / size).max())
        assert not np.allclose(compile_scm(spec, data).scale[node] / scale, 1, rtol=0.02)
    assert told.hash != data.hash
    assert "size" not in data.settings()
    frame = table.to_dataframe().reset_index()
    read = bc.Dataset.from_frame(frame, time="time", unit="unit", spend=["tv"], size="people")
    assert read.settings() == told.settings()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.assign(people=0.0), "positive"),
        (lambda frame: frame.drop(columns="people"), "no column 'people'"),
        (lambda frame: frame[frame["market"] == "north"].drop(columns="market"), "of a panel"),
    ],
)
def test_a_size_that_is_none_is_refused(change, words):
    data, _ = panel(30)
    frame = data.table.to_dataframe().reset_index().rename(columns={"unit": "market"})
    frame = change(frame.assign(people=3.0))
    unit = "market" if "market" in frame else None
    with pytest.raises(DataError, match=words):
        bc.Dataset.from_frame(frame, time="time", unit=unit, size="people")


def test_what_is_common_has_no_deviations():
    data, _ = panel(30)
    alike = bc.Response(*MEDIA.transforms, spread="common")
    spec = bc.Spec(GRAPH, {"tv": alike}, noise=bc.NormalNoise(spread="common"))
    assert not compile_scm(spec, data).unit_specific
    usual = compile_scm(bc.Spec(GRAPH, {"tv": MEDIA}), data)
    assert usual.unit_specific == {"tv->sales", "sales:sigma"}
    plain = bc.Spec(GRAPH, treatments=("tv",))
    assert compile_scm(plain, data).unit_specific == {"sales:sigma"}


def test_what_an_unobserved_cause_ties_is_common_to_all_markets():
    """Or the differences between markets would tell the effect from the cause."""
    graph = bc.Graph.parse("tv -> search -> sales\ntv -> sales\ntv <-> sales", outcome="sales")
    spec = bc.Spec(graph, {"tv": MEDIA})
    assert set(spec.spreads) == {"tv->search", "search->sales", "search:sigma"}
    own = bc.Response(*MEDIA.transforms, spread=bc.Prior("HalfNormal", sigma=0.1))
    with pytest.raises(SpecError, match=r"tv->sales: spread=.*unobserved cause ties"):
        bc.Spec(graph, {"tv": own})
    bc.Spec(graph, {"tv": own, "tv->sales": MEDIA})
    with pytest.raises(SpecError, match="sales:sigma: spread="):
        bc.Spec(graph, {"tv": MEDIA}, noise={"sales": bc.NormalNoise(spread=own.spread)})


def test_the_table_of_a_panel_has_the_spreads():
    spec = bc.Spec(GRAPH, {"tv": MEDIA})
    assert not spec.table()["prior"].str.contains("spread").any()
    shown = spec.table(panel=True).set_index("part")["prior"]
    spreads = shown[["intercept", "tv->sales", "error"]].str.extract("spread of units: (.*)")[0]
    assert spreads.tolist() == [
        repr(bc.Intercept().spread),
        repr(UNIT_SPECIFIC),
        repr(UNIT_SPECIFIC),
    ]


def test_national_data_and_a_panel_of_one_market_have_no_deviations():
    data, _ = panel(30)
    frame = data.table.to_dataframe().reset_index()
    one = frame[frame["unit"] == "north"]
    spec = bc.Spec(GRAPH, {"tv": MEDIA})
    for unit in ("unit", None):
        table = one if unit else one.drop(columns="unit")
        alone = bc.Dataset.from_frame(
            table[["time", "tv", "sales", *([unit] if unit else [])]], time="time", unit=unit
        )
        assert not compile_scm(spec, alone).unit_specific


@pytest.mark.parametrize(
    "spread",
    [bc.Prior("Normal"), bc.Prior("Uniform", lower=-1, upper=1), 0.3, "comon"],
)
def test_a_spread_is_a_prior_of_a_standard_deviation_or_common(spread):
    with pytest.raises(SpecError, match="spread"):
        bc.Response(bc.HillSaturation(), spread=spread)
    for kind in (bc.NormalNoise, bc.StudentTNoise, bc.AR1Noise):
        with pytest.raises(SpecError, match="spread"):
            kind(spread=spread)


def test_a_scale_of_errors_cannot_be_negative():
    with pytest.raises(SpecError, match="lies above 0"):
        bc.NormalNoise(sigma=bc.Prior("Normal", mu=0, sigma=1))


@pytest.mark.parametrize("spread", [None, "common", bc.Prior("HalfNormal", sigma=0.2)])
def test_spreads_are_written_and_read(spread):
    media = bc.Response(bc.HillSaturation(), spread=spread)
    noise = bc.AR1Noise() if spread is None else bc.AR1Noise(spread=spread)
    spec = bc.Spec(GRAPH, {"tv": media}, noise=noise)
    assert bc.Spec.from_yaml(spec.to_yaml()) == spec
    assert media.spread == (UNIT_SPECIFIC if spread is None else spread)
    assert bc.Response(spread=spread).spread == (COMMON if spread is None else spread)


def test_a_panel_of_a_format_in_which_markets_were_alike_is_refused(differing, tmp_path):
    path = differing.save(tmp_path / "old.nc")
    with h5py.File(path, "r+") as file:
        file.attrs["bayescausal_format"] = FORMAT - 1
    with pytest.raises(BayesCausalError, match=r"before files ended with a digest.*fit again"):
        bc.load(path)
