"""Sampling: repeatable, interruptible, and honest about what it did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import jax
import numpy as np
import pymc as pm
import pytest
import xarray as xr

import bayescausal as bc
from bayescausal.errors import BayesCausalError, NotConverged, SpecError
from bayescausal.inference.compile import _ascended, compile_jax, laplace, require_jax
from bayescausal.inference.convergence import assess, ess, rhat
from bayescausal.inference.sample import Settings

SMALL = {"draws": 60, "tune": 120, "chains": 2, "progress": False}


@pytest.fixture(scope="module")
def small():
    """Forty weeks, one channel: compiles in two seconds."""
    rng = np.random.default_rng(3)
    frame = bc.load_example().frame.iloc[:40].copy()
    frame["sales"] = 500 + 2 * frame["tv"] + rng.normal(0, 20, 40)
    data = bc.Dataset.from_frame(
        frame, time="week", spend={"tv": "tv_cost"}, columns=["tv", "sales"]
    )
    graph = bc.Graph.parse("tv -> sales", outcome="sales")
    return bc.Spec(graph, treatments=("tv",)), data


@pytest.fixture(scope="module")
def short(small):
    """A short fit, with a seed of 1."""
    return bc.fit(*small, seed=1, **SMALL)


def test_one_seed_gives_one_posterior(small, short):
    one, (two, other) = short, (bc.fit(*small, seed=s, **SMALL) for s in (1, 2))
    for group in ("prior", "prior_predictive", "posterior", "posterior_predictive"):
        assert one.tree[group].to_dataset().identical(two.tree[group].to_dataset())
    same = one.tree["posterior"]["tv->sales"].equals(other.tree["posterior"]["tv->sales"])
    assert not same


@pytest.mark.parametrize("progress", [True, False])
def test_compiling_is_announced_unless_progress_is_off(small, caplog, progress):
    with caplog.at_level("INFO", "bayescausal"):
        bc.fit(*small, seed=1, **{**SMALL, "progress": progress})
    lines = [r.getMessage() for r in caplog.records if r.name == "bayescausal"]
    assert lines == (["Compiling the model ..."] if progress else [])


def test_the_fit_keeps_what_a_reader_needs(small, short):
    fit = short
    assert set(fit.tree.children) == {
        "prior",
        "prior_predictive",
        "posterior",
        "posterior_predictive",
        "sample_stats",
        "observed_data",
        "constant_data",
        "log_likelihood",
    }
    info = json.loads(fit.tree.attrs["info"])
    assert info["seed"] == 1
    assert info["data_hash"] == small[1].hash
    assert info["versions"]["pymc"].startswith("6.")
    assert info["run"]["leapfrogs"] > 0


def test_too_few_draws_are_reported_wherever_numbers_appear(short):
    """A stated length is taken as it is, however short."""
    fit = short
    assert fit.shape == (SMALL["chains"], SMALL["draws"])
    assert not fit.convergence.converged
    assert "NOT CONVERGED" in " ".join(repr(fit).split())
    with pytest.warns(NotConverged, match="ESS"):
        table = bc.summarize(bc.effect(fit, bc.incremental("tv")))
    assert "NOT CONVERGED" in table.to_string()
    assert "Do not read the numbers yet" in str(bc.diagnose(fit))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sampler": "nuts"}, "nutpie"),
        ({"draws": 0}, "draws"),
        ({"target_accept": 1.2}, "target_accept"),
        ({"chains": 2.5}, "chains"),
    ],
)
def test_wrong_settings_advise(wrong, said):
    with pytest.raises(SpecError, match=said):
        Settings(**wrong)


@pytest.mark.parametrize(
    ("saved", "now"),
    [
        ({"sampler": "nutpie", "engine": "jax"}, "blackjax"),
        ({"sampler": "nutpie", "engine": "numba"}, "nutpie"),
        ({"sampler": "pymc", "engine": "jax"}, "pymc"),
    ],
)
def test_settings_of_before_are_read(saved, now):
    """An engine was written down whichever sampler ran; it was that of nutpie."""
    read = Settings.from_dict(saved | {"draws": 70, "backend": "auto", "mass_matrix": "auto"})
    assert (read.sampler, read.draws) == (now, 70)


def test_a_missing_sampler_names_the_extra(small, monkeypatch):
    monkeypatch.setattr("bayescausal.inference.sample.find_spec", lambda name: None)
    with pytest.raises(BayesCausalError, match=r"bayescausal\[samplers\]"):
        bc.fit(*small, seed=1, sampler="numpyro", **SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("other", [{"sampler": "pymc"}, {"sampler": "nutpie"}])
def test_samplers_agree(small, other):
    """Means within four standard errors of Monte-Carlo, both fits counted."""
    run = {"draws": 500, "tune": 500, "chains": 2, "progress": False}
    one, two = bc.fit(*small, seed=1, **run), bc.fit(*small, seed=2, **run | other)
    a, b = (bc.effect(f, bc.incremental("tv")).to_numpy() for f in (one, two))
    error = np.hypot(a.std() / np.sqrt(ess(a, "bulk")), b.std() / np.sqrt(ess(b, "bulk")))
    assert abs(a.mean() - b.mean()) < 4 * error


@pytest.mark.faults
@pytest.mark.parametrize(
    ("sampler", "patience"),
    [("blackjax", 5), ("pymc", 30)],  # seconds: of sampling, and of compiling and sampling
)
def test_ctrl_c_keeps_the_draws_so_far(sampler, patience):
    """A real interrupt of a real run; as from a keyboard, all its processes get the signal."""
    script = textwrap.dedent(f"""
        import signal, sys, bayescausal as bc
        # a shell starts what runs in its background deaf to Ctrl-C, and children inherit that
        signal.signal(signal.SIGINT, signal.default_int_handler)
        frame = bc.load_example().frame
        data = bc.Dataset.from_frame(frame, time="week", columns=["tv", "sales"])
        spec = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",))
        bc.build(spec, data)
        from bayescausal.inference import nuts
        sample = nuts.sample
        def announced(*arguments):
            print("ready", flush=True)
            return sample(*arguments)
        nuts.sample = announced
        if "{sampler}" != "blackjax":
            print("ready", flush=True)
        fit = bc.fit(spec, data, seed=1, draws=1_000_000, tune=200, chains=2,
                     target_accept=0.999, progress=False, sampler="{sampler}")
        print("kept", fit.shape[1], fit.convergence, flush=True)
    """)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout.readline().strip() == "ready"
    time.sleep(patience)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=90)[0].split()
    assert said[0] == "kept"
    assert 0 < int(said[1]) < 1_000_000
    assert "interrupted" in " ".join(said)


@pytest.mark.faults
def test_ctrl_c_while_it_compiles_leaves_nothing_and_costs_the_cache_nothing(tmp_path):
    """The signal comes while PyTensor rewrites; then the same fit again, here and anew."""
    script = textwrap.dedent("""
        import signal, sys, bayescausal as bc
        from bayescausal.inference import fitting  # an import that is cut short stays broken
        signal.signal(signal.SIGINT, signal.default_int_handler)
        example = bc.load_example()
        bc.build(example.spec, example.data)
        print("ready", flush=True)
        try:
            bc.fit(example.spec, example.data, seed=1, draws=100, tune=100, progress=False)
            print("done", flush=True)
        except KeyboardInterrupt:
            print("stopped", flush=True)
        fit = bc.fit(example.spec, example.data, seed=1, draws=100, tune=100, progress=False)
        print(fit.theta()["tv->sales"].sum(), flush=True)
    """)

    def run(patience):
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", script],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "BAYESCAUSAL_CACHE": str(tmp_path)},
        )
        assert process.stdout.readline().strip() == "ready"
        if patience is not None:
            time.sleep(patience)
            os.killpg(process.pid, signal.SIGINT)
        return process.communicate(timeout=180)[0].split()

    first, total = run(patience=0.3)
    assert first == "stopped"
    assert run(patience=None) == [
        "done",
        total,
    ]  # with whatever the interrupted one has left in the cache


def test_fork_after_jax_is_refused_in_the_child_only():
    jax.numpy.zeros(1).block_until_ready()
    child = os.fork()
    if child == 0:
        try:
            compile_jax(None)
        except BayesCausalError as error:
            os._exit(42 if "get_context('spawn')" in str(error) else 1)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
    require_jax()


@pytest.mark.slow
def test_fit_in_a_child_works_when_spawned_and_is_refused_when_forked(tmp_path):
    """A real fit in real children, after one in their parent."""
    script = tmp_path / "children.py"
    script.write_text(
        textwrap.dedent("""
            import multiprocessing, warnings
            import bayescausal as bc

            def sampled(queue, **settings):
                frame = bc.load_example().frame
                data = bc.Dataset.from_frame(frame, time="week", columns=["tv", "sales"])
                spec = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",))
                run = dict(seed=1, draws=20, tune=20, chains=1, progress=False)
                try:
                    queue.put(str(bc.fit(spec, data, **run, **settings).shape))
                except bc.errors.BayesCausalError as error:
                    queue.put(str(error))

            def of_child(method, **settings):
                context = multiprocessing.get_context(method)
                queue = context.Queue()
                child = context.Process(target=sampled, args=(queue,), kwargs=settings)
                child.start()
                print(queue.get(timeout=100))
                child.join()

            if __name__ == "__main__":
                warnings.simplefilter("ignore")
                of_child("fork")
                sampled(multiprocessing.Queue())
                of_child("fork")
                of_child("spawn")
                of_child("fork", sampler="pymc")
        """)
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    before, refused, spawned, other = done.stdout.splitlines()
    assert "This process was forked" in refused
    assert before == spawned == other == "(1, 20)"


def test_the_search_ends_at_the_mode(example):
    """In the coordinates of the curvature the slope is the distance that is left."""
    density = compile_jax(bc.build(example.spec, example.data))
    evaluate, points = density.at_data(), []

    def counted(x):
        points.append(x)
        return evaluate(x)

    mode, root = laplace(counted, density.start)
    assert np.linalg.norm(root @ evaluate(mode)[1]) < 0.1
    assert len(points) < 400  # one search in the first coordinates took 605, and ended at .16


def test_laplace_finds_the_normal():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    precision = root @ root.T + np.eye(4)
    center = np.array([1.0, -2, 0.5, 3])

    def evaluate(x):
        return -0.5 * (x - center) @ precision @ (x - center), -precision @ (x - center)

    mode, scale = laplace(evaluate, np.zeros(4))
    np.testing.assert_allclose(mode, center, atol=1e-4)
    np.testing.assert_allclose(scale @ scale.T, np.linalg.inv(precision), atol=1e-5)


def test_laplace_arrives_where_one_search_is_too_short():
    """Two hundred parameters, all of them tied: far in 500 steps, and not yet there."""
    rng = np.random.default_rng(0)
    turned, _ = np.linalg.qr(rng.normal(size=(200, 200)))
    precision = (turned * np.geomspace(1, 1e7, 200)) @ turned.T
    center = rng.normal(size=200)

    def evaluate(x):
        pull, wide = precision @ (x - center), (x - center) ** 2
        value = -0.5 * (x - center) @ pull - 0.25 * (wide**2).sum()
        return value, -pull - wide * (x - center)

    assert abs(_ascended(evaluate, np.zeros(200)) - center).max() > 0.1
    mode, scale = laplace(evaluate, np.zeros(200))
    np.testing.assert_allclose(mode, center, atol=1e-3)
    np.testing.assert_allclose(scale @ precision @ scale, np.eye(200), atol=0.05)


def test_laplace_survives_a_density_without_curvature():
    mode, scale = laplace(lambda x: (float("nan"), np.full(2, np.nan)), np.ones(2))
    np.testing.assert_array_equal(mode, np.ones(2))
    np.testing.assert_array_equal(scale, np.eye(2))


def test_convergence_sees_chains_that_disagree():
    rng = np.random.default_rng(1)
    good = rng.normal(size=(4, 500))
    bad = good + np.arange(4)[:, None]
    assert rhat(good) < 1.01 < rhat(bad)
    assert ess(good, "bulk") > 1000
    run = {"divergences": 0, "interrupted": False}
    posterior = xr.Dataset({"a": (("chain", "draw"), good)})
    assert assess(posterior, {"tv": good}, run).converged
    state = assess(posterior, {"tv": bad}, run)
    assert not state.converged
    assert "effect of tv" in str(state)


def test_data_that_cannot_be_exchanged_are_named():
    with pm.Model() as model:
        pm.Normal("x", pm.Data("center", 0.0), pm.Data("width", 1.0))
    density = compile_jax(model)
    assert density.at_data({"center": 1.0})(np.ones(1))[1] == pytest.approx(0)
    with pytest.raises(BayesCausalError, match=r"height cannot be exchanged.*is center, width"):
        density.at_data({"height": 2.0})
