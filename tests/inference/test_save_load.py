"""A saved fit is the fit, bit for bit; a changed file is refused; nothing in a file is run."""

import json
import pickle
import pickletools
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescausal as bc
from bayescausal.errors import BayesCausalError, SpecError
from bayescausal.inference.fit import Fit
from bayescausal.model.scm import compile_scm
from bayescausal.specs.estimand import Estimand, Times, incremental


def by_hand(units):
    """A fit without sampling: names with spaces and accents, history, an experiment, lags."""
    rng, rows = np.random.default_rng(2), 20
    frame = pd.concat(
        [
            pd.DataFrame(
                {
                    "week": pd.date_range("2024-01-01", periods=rows, freq="7D"),
                    "geo": unit,
                    "tv": rng.gamma(2, 1, rows),
                    "paid search": rng.gamma(2, 1, rows),
                    "prix": rng.normal(9, 1, rows),
                    "net sales": rng.normal(100, 5, rows),
                }
            )
            for unit in units or ("all",)
        ]
    )
    data = bc.Dataset.from_frame(
        frame,
        time="week",
        unit="geo" if units else None,
        spend=["tv", "paid search"],
        value="prix",
        history=2,
    )
    media = bc.Response(bc.GeometricAdstock(l_max=3), bc.HillSaturation())
    graph = bc.Graph.parse(
        'tv -> "paid search" -> "net sales"\ntv, prix -> "net sales"\ntv -> "net sales" @ 1',
        outcome="net sales",
    )
    asked = Estimand({"tv": Times(1.5)}, name="a b").during("2024-02-05", "2024-02-25")
    test = bc.Experiment(asked.within(units[-1]) if units else asked, 3, 1, "geo-rct")
    spec = bc.Spec(
        graph,
        {"tv": media, "paid search -> net sales": media},
        baseline={"net sales": (bc.LinearTrend(), bc.Event("black friday", "2024-02-03"))},
        noise={"net sales": bc.StudentTNoise()},
        links={"paid search": "log"},
        experiments=test,
        policy={"paid search": "reacts"},
    )
    scm = compile_scm(spec, data)
    draws = {
        group: xr.Dataset(
            {
                p.name: (
                    ("chain", "draw", *([p.dim] if p.dim else [])),
                    rng.gamma(25, 0.02, (chains, 5, *([p.size] if p.dim else []))),
                )
                for p in scm.parameters
            },
            coords={k: v for k, v in scm.coords.items() if k != "time"},
        )
        for group, chains in (("prior", 1), ("posterior", 2))
    }
    observed = data.table[["net sales", "paid search"]].isel(time=slice(2, None))
    stats = xr.Dataset(
        {
            "diverging": (("chain", "draw"), np.zeros((2, 5), bool)),
            "energy": (("chain", "draw"), np.full((2, 5), np.nan)),
            "depth": (("chain", "draw"), np.full((2, 5), 3, np.uint64)),
        }
    )
    tree = xr.DataTree.from_dict(draws | {"observed_data": observed, "sample_stats": stats})
    state = {
        "converged": False,
        "max_rhat": 1.2,
        "worst": "tv",
        "min_ess_bulk": 9.5,
        "min_ess_tail": 8.0,
        "divergences": 0,
        "draws": 10,
        "problems": ["R-hat of tv is 1.2"],
    }
    run = {"sample_seconds": 0.0, "compile_seconds": 0.0}
    tree.attrs = {
        "info": json.dumps({"seed": 1, "run": run, "data_hash": data.hash}),
        "convergence": json.dumps(state),
    }
    return Fit(spec, data, tree)


@pytest.fixture(params=["example", "national", "panel"])
def fit(request):
    if request.param == "example":
        return request.getfixturevalue("example_fit")
    return by_hand(("north east", "süd") if request.param == "panel" else None)


def test_round_trip_is_exact(fit, tmp_path):
    before = fit.tree.copy(deep=True)
    again = bc.load(fit.save(tmp_path / "a fit.nc"))
    assert set(again.tree.children) == set(fit.tree.children)
    for name, group in fit.tree.children.items():
        xr.testing.assert_identical(again.tree[name].to_dataset(), group.to_dataset())
    assert again.tree.attrs == fit.tree.attrs
    assert again.spec == fit.spec
    assert again.data.hash == fit.data.hash
    assert again.data.settings() == fit.data.settings()
    assert again.data.units == fit.data.units
    xr.testing.assert_identical(again.data.table, fit.data.table)
    assert again.info == fit.info
    assert str(again.convergence) == str(fit.convergence)
    assert repr(again) == repr(fit)
    xr.testing.assert_identical(fit.tree, before)  # saving changes nothing


def test_loaded_fit_gives_the_same_answers_bit_for_bit(fit, tmp_path):
    again = bc.load(fit.save(tmp_path / "fit.nc"))
    tv = incremental("tv")
    for ask in (
        lambda f: bc.effect(f, tv),
        lambda f: bc.contributions(f),
        lambda f: bc.roas(f, spend="induced"),
        lambda f: bc.decompose(f, tv),
        lambda f: bc.do(f, {"tv": 0}, seed=3),
    ):
        xr.testing.assert_identical(ask(again), ask(fit))


def test_saving_again_gives_an_equal_file(tmp_path):
    fit = by_hand(("a", "b"))
    once = bc.load(fit.save(tmp_path / "once.nc"))
    twice = bc.load(once.save(tmp_path / "twice.nc"))
    xr.testing.assert_identical(twice.tree, once.tree)
    once.save(tmp_path / "twice.nc")  # over a file that is there
    assert bc.load(str(tmp_path / "twice.nc")).spec == fit.spec


def test_file_is_plain_netcdf_with_named_groups(fit, tmp_path):
    path = fit.save(tmp_path / "fit.nc")
    with xr.open_dataset(path, group="data", engine="h5netcdf") as table:
        assert set(table.data_vars) == set(fit.data.columns)
    with h5py.File(path) as file:
        assert set(file) == {*fit.tree.children, "data"}
        assert json.loads(file.attrs["spec"]) == json.loads(json.dumps(fit.spec.to_dict()))


def walk(path):
    """Every attribute and every value of a file."""
    found = []

    def visit(name, item):
        found.extend((f"{name}@{key}", value) for key, value in item.attrs.items())
        if isinstance(item, h5py.Dataset):
            found.append((name, item[()]))
            assert item.dtype.kind != "V" or "REFERENCE" in item.attrs.get("CLASS", b"").decode()

    with h5py.File(path) as file:
        found.extend(file.attrs.items())
        file.visititems(visit)
    return found


def test_file_holds_no_pickle(tmp_path):
    path = by_hand(None).save(tmp_path / "fit.nc")
    blobs = [v for _, v in walk(path) if isinstance(v, bytes | np.void)]
    for blob in blobs:
        with pytest.raises((ValueError, IndexError)):
            list(pickletools.genops(bytes(blob)))
    assert b"\x80\x04\x95" not in path.read_bytes()  # how protocols 4 and 5 begin
    assert b"\x80\x05\x95" not in path.read_bytes()


def test_loading_runs_nothing(tmp_path, monkeypatch):
    path = by_hand(None).save(tmp_path / "fit.nc")

    def never(*args, **settings):
        raise AssertionError("a file was executed")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, never)
    monkeypatch.setattr("builtins.eval", never)
    assert bc.load(path).info["seed"] == 1


@pytest.fixture
def saved(tmp_path):
    return by_hand(("a", "b")).save(tmp_path / "fit.nc")


def changed(path, change):
    other = path.with_name("changed.nc")
    shutil.copy(path, other)
    with h5py.File(other, "r+") as file:
        change(file)
    return other


def in_data(name, value):
    def change(file):
        file["data"][name][3, 1] = value

    return change


def in_settings(**given):
    def change(file):
        settings = json.loads(file.attrs["data_settings"])
        file.attrs["data_settings"] = json.dumps(settings | given)

    return change


def later(file):
    file["data/time"][...] = file["data/time"][...] + 7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (in_data("tv", 9.0), "data in '.*' are not those that were fitted"),
        (in_data("prix", 9.0), "not those that were fitted"),
        (in_data("tv", np.nan), "missing or infinite|not those"),
        (in_settings(history=3), "not those that were fitted"),
        (in_settings(value=1.0), "not those that were fitted"),
        (in_settings(spend={"tv": "prix"}), "not those that were fitted"),
        (later, "not those that were fitted"),
        (lambda f: f.attrs.__setitem__("bayescausal_format", 99), "newer bayescausal; upgrade"),
    ],
)
def test_changed_file_is_refused(saved, change, words):
    assert bc.load(saved)
    with pytest.raises(BayesCausalError, match=words):
        bc.load(changed(saved, change))


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.__delitem__("data"),
        lambda f: f.attrs.__delitem__("info"),
        lambda f: f.attrs.__delitem__("spec"),
        lambda f: f.attrs.__setitem__("spec", "{"),
        lambda f: f.attrs.__setitem__("bayescausal_format", "one"),
    ],
)
def test_damaged_file_is_refused_with_advice(saved, change):
    with pytest.raises(BayesCausalError, match="damaged"):
        bc.load(changed(saved, change))


def test_tag_in_the_spec_is_not_run(saved):
    def change(file):
        given = json.loads(file.attrs["spec"])
        given["noise"] = {"kind": "os.system"}
        file.attrs["spec"] = json.dumps(given)

    with pytest.raises(SpecError, match="noise is one of"):
        bc.load(changed(saved, change))


def test_what_is_no_fit_is_refused_with_advice(saved, tmp_path):
    with pytest.raises(BayesCausalError, match="There is no file"):
        bc.load(tmp_path / "none.nc")
    text = tmp_path / "notes.txt"
    text.write_text("tv -> sales")
    with pytest.raises(BayesCausalError, match="is not a netCDF file"):
        bc.load(text)
    (tmp_path / "empty.nc").touch()
    with pytest.raises(BayesCausalError, match="is not a netCDF file"):
        bc.load(tmp_path / "empty.nc")
    short = tmp_path / "short.nc"
    short.write_bytes(saved.read_bytes()[:5000])
    with pytest.raises(BayesCausalError, match=r"is not a netCDF file.*truncated"):
        bc.load(short)
    pickled = tmp_path / "fit.pickle"
    pickled.write_bytes(pickle.dumps({"spec": 1}))
    with pytest.raises(BayesCausalError, match="is not a netCDF file"):
        bc.load(pickled)
    other = tmp_path / "other.nc"
    xr.Dataset({"tv": ("week", [1.0])}).to_netcdf(other, engine="h5netcdf")
    with pytest.raises(BayesCausalError, match=r"was not written by Fit.save"):
        bc.load(other)


def test_function_in_an_experiment_is_refused_before_anything_is_written(tmp_path):
    made = by_hand(None)
    asked = Estimand({"tv": lambda x: 2 * x})
    test = bc.Experiment(asked, 1, 1, "did")
    with pytest.raises(SpecError, match=r"use Times\(factor\)"):
        replace(made, spec=replace(made.spec, experiments=test)).save(tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())
