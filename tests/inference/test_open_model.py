"""One compilation for all models of a structure, and it is the density of the PyMC model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
from model.test_forward import CASES, case
from modes import AS_WRITTEN

import bayescausal as bc
from bayescausal.errors import BayesCausalError
from bayescausal.inference import compilation_cache
from bayescausal.inference import compile as compiling
from bayescausal.inference.compile import compile_jax
from bayescausal.inference.open_model import opened_model


def scaled(data, factor):
    """The same weeks with other numbers: every spend and the sales of another size."""
    table = data.table.copy(deep=True)
    for name in table.data_vars:
        if table[name].dtype.kind == "f":
            table[name] = table[name] * factor
    return replace(data, table=table)


def test_models_of_one_structure_share_what_is_compiled(example):
    one = compile_jax(bc.build(example.spec, example.data))
    two = compile_jax(bc.build(example.spec, scaled(example.data, 1.3)))
    assert one.form is two.form
    before = compiling._gradient.cache_info()
    x = one.start + 0.1
    values = [density.at_data()(x)[0] for density in (one, two, one)]
    after = compiling._gradient.cache_info()
    assert after.misses - before.misses <= 1
    assert after.hits - before.hits >= 2
    assert values[0] == values[2] != values[1]


def test_a_density_is_traced_once_for_the_gradient_and_the_sampler(example):
    density = compile_jax(bc.build(example.spec, scaled(example.data, 1.1)))
    program, calls = density.form.logp, []

    def counted(x, *numbers):
        calls.append(x)
        return program.function(x, *numbers)

    form = replace(density.form, logp=replace(program, function=counted))
    density = replace(density, form=form)
    density.at_data()(density.start)
    density.advance()
    assert len(calls) == 1


def test_other_structures_share_nothing(example):
    """What is compiled is kept by the open model, whose equality is that of structures."""
    plain, again = (opened_model(bc.build(example.spec, example.data)) for _ in range(2))
    assert plain == again
    without = replace(example.spec, experiments=())
    shorter = replace(example.spec, noise=bc.NormalNoise())
    for spec in (without, shorter):
        assert opened_model(bc.build(spec, example.data)) != plain


@pytest.mark.parametrize(
    "name",
    [name if name == "national" else pytest.param(name, marks=pytest.mark.slow) for name in CASES],
)
def test_what_is_sampled_is_the_density_of_the_model(name):
    """Value against PyMC's own compilation, gradient against differences along a line."""
    scm, _, _ = case(name)
    model = bc.build(scm.spec, scm.data)
    density = compile_jax(model)
    assert compile_jax(bc.build(scm.spec, scm.data)).form is density.form
    rng = np.random.default_rng(3)
    x = density.start + rng.normal(0, 0.1, density.start.size)
    ends = np.cumsum([int(np.prod(shape)) for shape in density.layout.values()])
    parts = np.split(x, ends[:-1])
    point = {
        key: part.reshape(shape)
        for part, (key, shape) in zip(parts, density.layout.items(), strict=True)
    }
    terms = model.compile_logp(sum=False, mode="FAST_COMPILE")(point)
    wanted = sum(float(np.sum(term)) for term in terms)
    value, gradient = density.at_data()(x)
    assert value == pytest.approx(wanted, rel=1e-9)
    way, step = rng.normal(size=x.size), 1e-5
    ahead, behind = (density.at_data()(x + sign * step * way)[0] for sign in (1, -1))
    slope = (ahead - behind) / (2 * step)
    assert gradient @ way == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_parameters_are_restored_in_any_number(example):
    density = compile_jax(bc.build(example.spec, example.data))
    x = density.start + np.random.default_rng(0).normal(0, 0.1, (3, 100, density.start.size))
    values = density.restore(x)
    assert values["tv->sales"].shape == (3, 100)
    alone = density.restore(x[1, 7])
    for name, value in alone.items():
        np.testing.assert_allclose(values[name][1, 7], value, rtol=1e-12)


def test_the_folder_of_compiled_models_is_the_users_choice(monkeypatch, tmp_path):
    monkeypatch.setenv(compilation_cache.VARIABLE, str(tmp_path / "kept"))
    assert compilation_cache.cache_folder().parent == tmp_path / "kept"
    monkeypatch.setenv(compilation_cache.VARIABLE, "off")
    assert compilation_cache.cache_folder() is None
    monkeypatch.delenv(compilation_cache.VARIABLE)
    assert "bayescausal" in compilation_cache.cache_folder().parts
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(compilation_cache.VARIABLE, str(tmp_path / "file"))
    with pytest.raises(BayesCausalError, match="which is a file"):
        compilation_cache.cache_folder()


def test_numbers_are_arguments_and_masks_are_not():
    def model(center, mask):
        with pm.Model() as written:
            x = pm.Normal("x", center)
            pm.Potential("masked", pm.math.where(np.array(mask), x**2, 0.0).sum())
        return compile_jax(written).form

    assert model(1.25, [True, False]) is model(3.75, [True, False])
    assert model(1.25, [True, False]) is not model(1.25, [False, True])


def log_density(model, density):
    """Return the log density of PyMC and of what is sampled, at a point."""
    x = density.start + np.linspace(-0.2, 0.3, density.start.size)
    ends = np.cumsum([int(np.prod(shape)) for shape in density.layout.values()])
    parts = np.split(x, ends[:-1])
    layout = zip(density.layout.items(), parts, strict=True)
    point = {key: part.reshape(shape) for (key, shape), part in layout}
    terms = model.compile_logp(sum=False, mode=AS_WRITTEN)(point)
    return sum(float(np.sum(term)) for term in terms), density.at_data()(x)[0]


def test_data_registered_in_another_order_are_another_structure():
    def model(names):
        values = {"spend": np.array([1.1, 2.2, 3.3]), "observed": np.array([4.0, 5.5, 6.0])}
        with pm.Model() as written:
            data = {name: pm.Data(name, values[name]) for name in names}
            slope = pm.Normal("slope", 0.3, 1.7)
            pm.Normal("sales", slope * data["spend"], 1.3, observed=data["observed"])
        return written

    for names in (("spend", "observed"), ("observed", "spend")):
        wanted, value = log_density(model(names), compile_jax(model(names)))
        assert value == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("nu", [3.0, 4.0])
def test_priors_that_pymc_writes_as_graphs_keep_their_numbers(nu):
    with pm.Model() as model:
        scale = pm.HalfStudentT("scale", nu=nu, sigma=2.5)
        pm.Normal("sales", 0.3, scale, observed=np.array([0.4, 0.9]))
    wanted, value = log_density(model, compile_jax(model))
    assert value == pytest.approx(wanted, rel=1e-6)
