"""Refits of one compiled model: a test that is switched off has no say, and nothing else changes.

Whether what is sampled this way is the posterior without the test, known by hand, is asked in
`test_experiments.py` of the fit that its fixture `agreeing` makes.
"""

import json
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

import bayescausal as bc
from bayescausal.inference import compile as compiling
from bayescausal.inference.compile import compile_jax
from bayescausal.inference.settings import Settings
from bayescausal.model.lifts import lift_data
from bayescausal.validation import compiled_refits
from bayescausal.validation.compiled_refits import spec_without
from bayescausal.validation.refits import evidence, leave_out

QUICK = {"draws": 40, "tune": 60, "chains": 2, "progress": False}
WINDOWS = {"a": (2, 5), "b": (7, 10), "c": (12, 15), "d": (17, 20), "e": (22, 25), "f": (27, 30)}


def world():
    """Forty weeks in which ``x`` moves ``m`` and ``y``; ``m`` causes nothing that is measured."""
    rng = np.random.default_rng(4)
    x = rng.gamma(3.0, 10.0, 40)
    frame = pd.DataFrame({"week": pd.date_range("2024-01-01", periods=40, freq="7D"), "x": x})
    frame["y"] = 300 + 2 * x + rng.normal(0, 15, 40)
    frame["m"] = 20 + x + rng.normal(0, 5, 40)
    data = bc.Dataset.from_frame(frame.assign(eur=3 * x), time="week", spend={"x": "eur"})
    graph = bc.Graph.parse("x -> y\nx -> m", outcome="y")
    return bc.Spec(graph, {"x": bc.Response()}, noise=bc.NormalNoise()), data


SPEC, DATA = world()


def measured(name, lift, error, design="geo-rct", on=None, scale="total", **more):
    first, last = WINDOWS[name]
    question = bc.incremental("x", scale=scale).during(DATA.time[first], DATA.time[last])
    question = question.on(on) if on else question
    return bc.Experiment(question, lift, error, design, name=name, **more)


TESTS = (
    measured("a", 200, 30),
    measured("b", 250, 40, covariance={"c": 600.0}),
    measured("c", 180, 35),
    measured("d", 300, 20, nu=4.0),
    measured("e", 1.4, 0.2, scale="cost"),
    measured("f", 240, 60, design="prior-belief", half_life=8.0),
)
FULL = replace(SPEC, experiments=TESTS)
NAMES = tuple(str(test.name) for test in TESTS)


@pytest.fixture(scope="module")
def kept():
    """The density of the model with all tests, whose data are arguments."""
    return compile_jax(bc.build(FULL, DATA))


@pytest.fixture(scope="module")
def tried():
    """A quick fit with two tests."""
    return bc.fit(replace(SPEC, experiments=(TESTS[3], TESTS[0])), DATA, seed=1, **QUICK)


def at(density, data=None, seed=0):
    """Value, and gradient by name, where the parameters are drawn by their names."""
    parts = {}
    for name in sorted(density.layout):
        rng = np.random.default_rng([seed, *name.encode()])
        parts[name] = rng.normal(0, 0.3, density.layout[name]).ravel()
    value, gradient = density.at_data(data)(np.concatenate([parts[k] for k in density.layout]))
    ends = np.cumsum([len(parts[name]) for name in density.layout])
    return value, dict(zip(density.layout, np.split(gradient, ends[:-1]), strict=True))


# The compiled density


def test_exchanged_data_are_those_of_a_model_built_with_them(kept):
    tests = tuple(replace(test, lift=2 * test.lift) for test in FULL.experiments)
    other = compile_jax(bc.build(replace(FULL, experiments=tests), DATA))
    assert other.form is kept.form
    measured_in_kept = lift_data(FULL, DATA)
    for seed in range(3):
        (value, gradient), (wanted, exact) = at(other, measured_in_kept, seed), at(kept, seed=seed)
        assert value == pytest.approx(wanted, rel=1e-12)
        assert at(other, seed=seed)[0] != pytest.approx(wanted, rel=1e-6)
        for name, part in exact.items():
            np.testing.assert_allclose(gradient[name], part, rtol=1e-10)


@pytest.mark.parametrize(
    "left",
    [
        # Each compiles a model of its own. One of two that are tied, and all, are always asked.
        *(pytest.param(one, marks=pytest.mark.slow) for one in (("a",), ("d",), ("c", "e"))),
        ("b",),
        pytest.param(("b", "c", "f"), marks=pytest.mark.slow),
        NAMES,
    ],
    ids="+".join,
)
def test_a_test_that_is_switched_off_has_no_influence(kept, left):
    """The gradient is that of a model that never had the test; the density is off by a constant."""
    alone = compile_jax(bc.build(spec_without(FULL, left), DATA))
    assert alone.layout.keys() == kept.layout.keys()
    off, on = lift_data(FULL, DATA, excluded=left), lift_data(FULL, DATA)
    apart = []
    for seed in range(4):
        (value, gradient), (wanted, exact) = at(kept, off, seed), at(alone, seed=seed)
        apart.append(value - wanted)
        for name, part in exact.items():
            np.testing.assert_allclose(gradient[name], part, rtol=1e-9, atol=1e-9)
        with_it = np.concatenate(list(at(kept, on, seed)[1].values()))
        assert np.abs(with_it - np.concatenate(list(gradient.values()))).max() > 0.1
    np.testing.assert_allclose(apart, apart[0], rtol=1e-9)


def mode_of(density, data=None):
    """The parameters where sampling starts."""
    return density.restore(density.coordinates(data).center[None], data)


def test_the_mode_is_that_of_the_model_without_the_test(kept):
    """Where sampling starts: preconditioned at new values, not at those of the compilation."""
    alone = mode_of(compile_jax(bc.build(spec_without(FULL, ("d",)), DATA)))
    off = mode_of(kept, lift_data(FULL, DATA, excluded=("d",)))
    all_on = mode_of(kept)
    for name, value in alone.items():
        np.testing.assert_allclose(off[name], value, rtol=0.01, atol=0.01)
    assert abs(all_on["x->y"] - off["x->y"]).item() > 0.01


# Refits


def test_what_a_fit_compiled_serves_every_refit(tried):
    fit = replace(tried)
    first = leave_out(fit, "a", seed=3)
    compiled = [kind.cache_info().misses for kind in (compiling._form, compiling._advance)]
    leave_out(fit, ["a", "d"], seed=3)
    with pytest.warns(bc.errors.NotConverged):
        table = evidence(fit, "x", seed=3)
    assert compiled == [k.cache_info().misses for k in (compiling._form, compiling._advance)]
    again = leave_out(fit, "a", seed=3)
    np.testing.assert_array_equal(first.theta()["x->y"], again.theta()["x->y"])
    assert table.attrs["estimand"] == "Estimand(factual vs do(x=0), on y)"
    assert "Without 'd'" in table.attrs["problem"]
    assert "NOT CONVERGED" in table.attrs["problem"]


def test_a_refit_is_a_fit_whose_spec_has_no_such_test(tried, tmp_path):
    fit = leave_out(tried, "d", seed=8)
    assert fit.spec == replace(SPEC, experiments=(TESTS[0],))
    assert {*fit.evidence.learned["z"]} == {"a"}
    assert fit.info["seed"] == 8
    assert fit.info["settings"] == tried.info["settings"] | {"progress": False}
    assert fit.shape == tried.shape
    assert {*fit.tree["posterior"].data_vars} == {*tried.tree["posterior"].data_vars}
    np.testing.assert_array_equal(fit.theta("prior")["x->y"], tried.theta("prior")["x->y"])
    back = bc.load(fit.save(tmp_path / "fit.nc"))
    assert back.spec == fit.spec
    np.testing.assert_array_equal(back.theta()["x->y"], fit.theta()["x->y"])


def test_without_its_last_test_an_effect_is_no_longer_identified():
    graph = bc.Graph.parse("x -> y\nx <-> y", outcome="y")
    spec = bc.Spec(graph, treatments=("x",), experiments=TESTS[:1])
    fit = bc.fit(spec, DATA, seed=1, **QUICK)
    assert fit.grades["x"].letter != "X"
    assert leave_out(fit, "a", seed=2).grades["x"].letter == "X"


def test_a_covariance_with_a_test_that_is_left_out_goes_with_it():
    (b,) = spec_without(replace(SPEC, experiments=TESTS[1:3]), ["c"]).experiments
    assert b == replace(TESTS[1], covariance={})
    assert spec_without(FULL, []) == FULL


def test_a_node_that_only_a_test_brought_in_leaves_the_spec_with_it():
    spec = replace(SPEC, experiments=(TESTS[0], measured("b", 60, 5, on="m")))
    assert spec.modelled == ("m", "y")
    assert spec_without(spec, ["b"]).modelled == ("y",)
    assert spec_without(spec, ["a"]).modelled == ("m", "y")


@pytest.mark.slow
def test_a_node_that_only_the_test_brought_in_leaves_with_it():
    """Its equation is no part of the model without the test, so this model is another one."""
    spec = replace(SPEC, experiments=(TESTS[0], measured("b", 60, 5, on="m")))
    fit = bc.fit(spec, DATA, seed=1, **QUICK)
    assert fit.spec.modelled == ("m", "y")
    refitted = leave_out(fit, "b", seed=2)
    assert refitted.spec.modelled == ("y",)
    assert not [name for name in refitted.theta() if name.startswith(("m", "x->m"))]
    assert "x->m" in fit.theta()
    assert leave_out(fit, "a", seed=2).spec.modelled == ("m", "y")


@pytest.mark.parametrize("other", [{"sampler": "pymc"}, {"sampler": "nutpie"}], ids=str)
def test_other_samplers_are_left_to_fit(tried, monkeypatch, other):
    """They take a minute, so that only what `fit` is asked is looked at here."""
    settings = tried.info["settings"] | other
    tree = tried.tree.copy()
    tree.attrs = {**tree.attrs, "info": json.dumps(tried.info | {"settings": settings})}
    asked = []
    monkeypatch.setattr(compiled_refits, "fit_with", lambda *arguments: asked.append(arguments))
    monkeypatch.setattr(compiled_refits, "compile_jax", None)  # whoever called it would fail
    leave_out(replace(tried, tree=tree), "a", seed=2)
    ((how, spec, data, seed),) = asked
    assert [test.name for test in spec.experiments] == ["d"]
    assert data is tried.data
    assert (seed, how) == (2, replace(Settings.from_dict(settings), progress=False))
    assert {key: getattr(how, key) for key in other} == other


@pytest.mark.slow
def test_another_sampler_really_refits(tried):
    if find_spec("numpyro") is None:
        pytest.skip("numpyro is not installed: pip install 'bayescausal[samplers]'")
    fit = bc.fit(tried.spec, DATA, seed=1, sampler="numpyro", **{**QUICK, "draws": 20, "tune": 20})
    refitted = leave_out(fit, "a", seed=2)
    assert refitted.info["settings"]["sampler"] == "numpyro"
    assert [test.name for test in refitted.spec.experiments] == ["d"]
