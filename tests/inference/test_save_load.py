"""A saved fit is the fit, bit for bit; a changed file is refused; nothing in a file is run."""

import json
import os
import pickle
import pickletools
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from saved_cases import by_hand, tiny

import bayescausal as bc
from bayescausal.errors import BayesCausalError, DataError, FileError, SpecError
from bayescausal.experiments.estimand import Estimand, incremental
from bayescausal.inference.archive import seal
from bayescausal.inference.groups import DERIVED


# National data are in the example, and what is odd about the national one is in the panel too.
@pytest.fixture(params=["example", pytest.param("national", marks=pytest.mark.slow), "panel"])
def fit(request):
    if request.param == "example":
        return request.getfixturevalue("example_fit")
    return by_hand(("north east", "süd") if request.param == "panel" else None)


def test_round_trip_is_exact(fit, tmp_path):
    before = fit.tree.copy(deep=True)
    again = bc.load(fit.save(tmp_path / "a fit.nc"))
    assert set(again.tree.children) == {*fit.tree.children, *DERIVED}
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
    fit = tiny()
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
        assert set(file) == {*fit.tree.children, "data"} - {*DERIVED}
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


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return tiny().save(tmp_path_factory.mktemp("saved") / "fit.nc").read_bytes()


@pytest.fixture
def saved(content, tmp_path):
    path = tmp_path / "fit.nc"
    path.write_bytes(content)
    return path


def changed(path, change):
    """A copy that somebody changed, and gave a digest that fits."""
    other = path.with_name("changed.nc")
    other.write_bytes(path.read_bytes()[: -len(seal(b""))])
    with h5py.File(other, "r+") as file:
        change(file)
    content = other.read_bytes()
    other.write_bytes(content + seal(content))
    return other


def in_data(name, value):
    def change(file):
        file["data"][name][3] = value

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
        (in_data("sales", 9.0), "not those that were fitted"),
        (in_data("tv", np.nan), "missing or infinite|not those"),
        (in_settings(history=3), "not those that were fitted"),
        (in_settings(value=2.0), "not those that were fitted"),
        (in_settings(spend={"tv": "sales"}), "not those that were fitted"),
        (later, "not those that were fitted"),
        (lambda f: f.attrs.__setitem__("bayescausal_format", 99), "newer bayescausal; upgrade"),
    ],
)
def test_changed_file_is_refused(saved, change, words):
    assert bc.load(saved)
    with pytest.raises(BayesCausalError, match=words):
        bc.load(changed(saved, change))


def without(name):
    return lambda file: file.__delitem__(name)


def without_attribute(name):
    return lambda file: file.attrs.__delitem__(name)


def attribute(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def link(name, target):
    return lambda file: file.__setitem__(name, target)


def group_again(file):
    file["posterior/again"] = file["/"]


def array_for_group(file):
    del file["prior"]
    file["prior"] = np.zeros(3)


def sparse(file):
    file.create_dataset("posterior/huge", (4_000_000_000,), "f8", chunks=(4096,))


def outside(file):
    file.create_dataset("posterior/else", (8,), "u1", external=[("/etc/hostname", 0, 8)])


def deep(file):
    file.create_group("posterior/a/b/c")


def odd_units(file):
    file["data/time"].attrs["units"] = "fortnights since the flood"


def other_shape(file):
    del file["posterior/tv->sales"]
    file["posterior/tv->sales"] = np.zeros(3)


@pytest.mark.parametrize(
    "change",
    [
        *map(without, ("data", "prior", "posterior", "observed_data", "sample_stats")),
        *map(without, ("posterior/tv->sales", "data/sales", "data/time")),
        *map(without_attribute, ("info", "spec", "data_settings", "data_notes", "convergence")),
        without_attribute("bayescausal_format"),
        attribute("bayescausal_format", "one"),
        *(attribute("spec", text) for text in ("{", "[1, 2]", "3", "[" * 100_000, "9" * 5000)),
        attribute("spec", 7),
        *(attribute("data_settings", text) for text in ("[1]", '{"colour": 1}', "null")),
        *(attribute("info", text) for text in ("{}", '{"run": 1}', '{"seed": "a", "run": {}}')),
        *(attribute("convergence", text) for text in ("{}", "[]", '{"converged": true}')),
        *(attribute("evidence", text) for text in ("[]", '{"z": 3}', '{"z": {"a": "b"}}')),
        link("loop", h5py.SoftLink("/loop")),
        link("posterior/away", h5py.SoftLink("/prior")),
        link("other", h5py.ExternalLink("other.nc", "/")),
        group_again,
        array_for_group,
        sparse,
        outside,
        deep,
        odd_units,
        other_shape,
    ],
)
def test_what_no_fit_has_is_damage_also_under_a_digest_that_fits(saved, change):
    with pytest.raises(BayesCausalError, match="damaged") as caught:
        bc.load(changed(saved, change))
    assert len(str(caught.value)) < 600


def test_damage_of_any_kind_is_seen_before_the_file_is_read(saved, monkeypatch):
    """150 copies with bytes changed, with zeros, and cut short; HDF5 sees none of them."""
    content, rng = saved.read_bytes(), np.random.default_rng(17)
    monkeypatch.setattr("h5py.File", None)
    copies = [content[:-1], content + b"\0", content[:-84] + content[-83:], content[:-84]]
    for _ in range(150):
        copy = np.frombuffer(content, np.uint8).copy()
        places = rng.integers(len(copy), size=rng.integers(1, 65))
        copy[places] ^= rng.integers(1, 256, size=len(places)).astype(np.uint8)
        copies.append(copy.tobytes())
        start, length = rng.integers(len(copy)), int(2 ** rng.uniform(3, 12))
        copies.append(content[:start] + bytes(length) + content[start + length :])
        copies.append(content[: rng.integers(len(copy))])
    for copy in copies:
        if copy != content:
            saved.write_bytes(copy)
            with pytest.raises(BayesCausalError, match="damaged"):
                bc.load(saved)


def test_file_of_before_digests_is_refused_with_advice(saved):
    saved.write_bytes(saved.read_bytes()[: -len(seal(b""))])
    with pytest.raises(BayesCausalError, match=r"before files ended with a digest.*fit again"):
        bc.load(saved)


def test_digest_does_not_disturb_other_readers(saved):
    """It stands after the end of the HDF5 file."""
    fit = bc.load(saved)
    with xr.open_datatree(saved) as tree:  # the engine is guessed from the first bytes
        assert set(tree.children) == {*fit.tree.children, "data"} - {*DERIVED}
    with h5py.File(saved) as file:
        np.testing.assert_array_equal(file["data/tv"], fit.data.table["tv"])


def test_tag_in_the_spec_is_not_run(saved):
    def change(file):
        given = json.loads(file.attrs["spec"])
        given["noise"] = {"kind": "os.system"}
        file.attrs["spec"] = json.dumps(given)

    with pytest.raises(SpecError, match="noise is one of"):
        bc.load(changed(saved, change))


def test_what_is_no_fit_is_refused_with_advice(saved, tmp_path):
    with pytest.raises(FileError, match="There is no file"):
        bc.load(tmp_path / "none.nc")
    text = tmp_path / "notes.txt"
    text.write_text("tv -> sales")
    pickled = tmp_path / "fit.pickle"
    pickled.write_bytes(pickle.dumps({"spec": 1}))
    (tmp_path / "empty.nc").touch()
    for path in (text, pickled, tmp_path / "empty.nc"):
        with pytest.raises(BayesCausalError, match="is not a netCDF file, or is damaged"):
            bc.load(path)
    other = tmp_path / "other.nc"
    xr.Dataset({"tv": ("week", [1.0])}).to_netcdf(other, engine="h5netcdf")
    with pytest.raises(BayesCausalError, match=r"was not written by Fit.save"):
        bc.load(other)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(FileError, match="is a folder, a pipe or a device"):
            bc.load(path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(FileError, match="cannot be read"):
        bc.load(tmp_path / "loop")
    for path in (None, 3, "", "a\0b", ["fit.nc"], b"fit.nc"):
        with pytest.raises(FileError, match="A path is text such as"):
            bc.load(path)


def test_huge_file_of_something_else_is_not_read(tmp_path):
    with (tmp_path / "huge.nc").open("wb") as file:
        file.truncate(30_000_000_000)
    with pytest.raises(BayesCausalError, match="is not a netCDF file"):
        bc.load(tmp_path / "huge.nc")


def doubled(tv):
    return 2 * tv


@pytest.mark.parametrize("place", ["save", "fit"])
def test_function_in_an_experiment_is_refused_before_it_costs_anything(
    tmp_path, monkeypatch, place
):
    fit = tiny()
    test = bc.Experiment(Estimand({"tv": doubled}), 1, 1, "did")
    odd = replace(fit, spec=replace(fit.spec, experiments=test))
    monkeypatch.setattr("bayescausal.inference.fitting.write", None)
    with pytest.raises(SpecError, match=r"use Times\(factor\)"):
        odd.save(tmp_path / "fit.nc") if place == "save" else bc.fit(odd.spec, odd.data)
    assert not list(tmp_path.iterdir())


def noted(fit, **attrs):
    table = fit.data.table.copy(deep=True)
    table["tv"].attrs, table["time"].attrs, table.attrs = attrs, attrs, attrs
    return replace(fit, data=replace(fit.data, table=table))


def test_attributes_that_netcdf_cannot_hold_are_saved(tmp_path):
    attrs = {"source": None, "by": {"a": [1, None, True]}, "ok": False, "empty": ""}
    attrs |= {"size": np.float32(1.5), "range": np.array([1, 9]), "text": "süd"}
    table = bc.load(noted(tiny(), **attrs).save(tmp_path / "fit.nc")).data.table
    expected = attrs | {"size": 1.5, "range": [1, 9]}
    assert table.attrs == table["tv"].attrs == table["time"].attrs == expected


@pytest.mark.parametrize(
    "attrs",
    [
        {"when": pd.Timestamp("2024-01-01")},
        {"raw": b"a"},
        {"by": {(1, 2): 3}},
        {"z": 1 + 2j},
    ],
)
def test_attributes_that_no_file_can_hold_are_refused_before_sampling(tmp_path, monkeypatch, attrs):
    good = tiny()
    path = good.save(tmp_path / "fit.nc")
    before, odd = path.read_bytes(), noted(good, **attrs)
    monkeypatch.setattr("bayescausal.inference.fitting.write", None)
    for verb in (lambda: bc.fit(odd.spec, odd.data), lambda: odd.save(path)):
        with pytest.raises(
            DataError, match=r"attribute '(when|raw|by|z)' of the table cannot be written"
        ):
            verb()
    assert path.read_bytes() == before


def test_tree_that_netcdf_cannot_hold_leaves_the_good_file(tmp_path):
    fit = tiny()
    path = fit.save(tmp_path / "fit.nc")
    before = path.read_bytes()
    fit.tree["posterior"].attrs["notes"] = {"a": 1}
    with pytest.raises(BayesCausalError, match="cannot be written as netCDF"):
        fit.save(path)
    assert path.read_bytes() == before


def test_how_the_table_was_stored_before_does_not_round_it(tmp_path):
    """A table read from a packed netCDF file remembers its packing, 16 bits a number."""
    fit = tiny()
    table = fit.data.table.copy(deep=True)
    table["tv"].encoding = {"dtype": "int16", "scale_factor": 0.1, "_FillValue": -1}
    packed = replace(fit, data=replace(fit.data, table=table))
    again = bc.load(packed.save(tmp_path / "fit.nc"))
    xr.testing.assert_identical(again.data.table, fit.data.table)
