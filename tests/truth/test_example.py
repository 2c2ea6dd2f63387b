"""The bundled data are what the committed simulator makes."""

from __future__ import annotations

import json

import pytest

import bayescausal as bc
from bayescausal.truth.bundle import DATA, SEED, bundled_world, write


def test_the_bundle_is_what_the_simulator_writes(tmp_path):
    write(tmp_path)
    assert (tmp_path / "example.csv").read_text() == (DATA / "example.csv").read_text()
    made, kept = (json.loads((p / "example.json").read_text()) for p in (tmp_path, DATA))
    assert made["spec"] == kept["spec"]
    for name, parts in kept["truth"]["effects"].items():
        assert made["truth"]["effects"][name] == pytest.approx(parts, rel=1e-9)


def test_the_bundle_is_small():
    assert sum(f.stat().st_size for f in DATA.iterdir()) < 200_000


def test_effects_add_up(example):
    for parts in example.truth["effects"].values():
        assert parts["total"] == pytest.approx(parts["direct"] + parts["indirect"], rel=1e-9)
    assert example.truth["effects"]["tv"]["indirect"] > 0
    assert example.truth["seed"] == SEED


def test_truth_does_not_depend_on_how_the_effect_is_reached():
    """Switching tv off week by week adds up to the whole only without saturation; check both."""
    world = bundled_world()
    whole = world.effect(bc.incremental("tv"))
    first, last = world.data.time[0], world.data.time[-1]
    assert world.effect(bc.incremental("tv").during(first, last)) == pytest.approx(whole)
    assert world.effect(bc.incremental("tv").reversed()) == pytest.approx(-whole)


def test_simulate_names_what_is_missing():
    world = bundled_world()
    theta = dict(world.theta)
    del theta["sales:sigma"]
    with pytest.raises(ValueError, match="sales:sigma"):
        bc.simulate(world.scm.spec, world.data, theta, 1)
