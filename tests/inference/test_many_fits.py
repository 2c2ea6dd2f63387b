"""Many fits: each in a file of its own, resumed where they were left, failures apart."""

from __future__ import annotations

import json
import logging
import os
import signal
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

import bayescausal as bc
from bayescausal.errors import BayesCausalError, SpecError
from bayescausal.inference import many_fits

QUICK = {"draws": 40, "tune": 40, "chains": 2, "progress": False}


def market(seed, weeks=60):
    rng = np.random.default_rng(seed)
    tv = rng.gamma(3.0, 10.0, weeks)
    week = pd.date_range("2025-01-06", periods=weeks, freq="7D")
    frame = pd.DataFrame({"week": week, "tv": tv, "sales": 500 + 3 * tv + rng.normal(0, 20, weeks)})
    data = bc.Dataset.from_frame(frame, time="week")
    spec = bc.Spec(
        bc.Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",), noise=bc.NormalNoise()
    )
    return spec, data


JOBS = {"north": market(1), "south": market(2)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    with ThreadPoolExecutor(1) as pool:
        return bc.fit_many(JOBS, folder, executor=pool, seed=3, **QUICK)


def test_each_fit_is_that_of_its_data(finished):
    assert list(finished) == ["north", "south"]
    assert list(finished.table["status"]) == ["done", "done"]
    for name, (_, data) in JOBS.items():
        assert finished[name].data.hash == data.hash
        assert finished[name].shape == (2, 40)
    assert "2 fits in" in repr(finished)
    manifest = json.loads((finished.folder / many_fits.MANIFEST).read_text())
    assert {name: record["status"] for name, record in manifest.items()} == {
        "north": "done",
        "south": "done",
    }


def test_a_job_does_not_depend_on_the_others(finished, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        alone = bc.fit_many({"south": JOBS["south"]}, tmp_path, executor=pool, seed=3, **QUICK)
    np.testing.assert_array_equal(
        alone["south"].theta()["tv->sales"], finished["south"].theta()["tv->sales"]
    )


def test_what_is_done_is_kept_and_what_has_changed_is_fitted_again(finished, monkeypatch):
    again = []
    whole = many_fits.fit
    monkeypatch.setattr(many_fits, "fit", lambda *a, **k: again.append(a) or whole(*a, **k))
    changed = {**JOBS, "south": market(4)}
    before = (finished.folder / "north.nc").stat().st_mtime_ns
    with ThreadPoolExecutor(1) as pool:
        fits = bc.fit_many(changed, finished.folder, executor=pool, seed=3, **QUICK)
    assert list(fits.table["status"]) == ["kept", "done"]
    assert len(again) == 1
    assert (finished.folder / "north.nc").stat().st_mtime_ns == before
    assert fits["south"].data.hash == changed["south"][1].hash


def test_a_failure_is_reported_and_the_others_go_on(tmp_path):
    spec, data = JOBS["north"]
    graph = bc.Graph.parse("radio -> sales", outcome="sales")
    broken = replace(spec, graph=graph, treatments=("radio",))
    with ThreadPoolExecutor(1) as pool:
        fits = bc.fit_many(
            {"bad": (broken, data), "good": JOBS["north"]}, tmp_path, executor=pool, **QUICK
        )
    assert list(fits) == ["good"]
    assert "radio" in fits.failures["bad"]
    assert "Traceback" in fits.failures["bad"]
    with pytest.raises(BayesCausalError, match="'bad' failed"):
        fits["bad"]
    with pytest.raises(SpecError, match="Did you mean 'good'"):
        fits["goood"]


class Restarted(Executor):
    """Cancel every job, as a cluster of dask does that is restarted."""

    def submit(self, function, *arguments):
        future = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future


def test_jobs_that_a_cluster_cancels_are_reported(tmp_path):
    fits = bc.fit_many(JOBS, tmp_path, executor=Restarted(), **QUICK)
    assert list(fits.table["status"]) == ["failed", "failed"]
    assert "CancelledError" in fits.failures["north"]


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ({}, "at least one"),
        ([], "map names"),
        ({"a/b": JOBS["north"]}, "name of a job"),
        ({"../up": JOBS["north"]}, "name of a job"),
        ({"north": JOBS["north"][0]}, "pair"),
        ({"north": (1, 2)}, "pair"),
    ],
)
def test_jobs_that_are_none_are_refused(jobs, said, tmp_path):
    with pytest.raises(SpecError, match=said):
        bc.fit_many(jobs, tmp_path, **QUICK)


def test_a_setting_that_fit_does_not_have_is_refused_at_once(tmp_path):
    with pytest.raises(SpecError, match="drawz"):
        bc.fit_many(JOBS, tmp_path / "none", drawz=10)
    assert not (tmp_path / "none").exists()


def dies(*arguments):
    """Die as a worker does that is out of memory, once, after the first job has been written."""
    folder, name = arguments[2], arguments[3]
    if name == "south" and not (folder / "died").exists():
        (folder / "died").write_text("")
        os._exit(9)
    return many_fits_fitted(*arguments)


many_fits_fitted = many_fits._fitted


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_doubles_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(many_fits, "_fitted", dies)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        first = bc.fit_many(JOBS, tmp_path, executor=pool, seed=3, **QUICK)
    assert list(first) == ["north"]
    assert "terminated abruptly" in first.failures["south"]
    written = (tmp_path / "north.nc").stat().st_mtime_ns
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        second = bc.fit_many(JOBS, tmp_path, executor=pool, seed=3, **QUICK)
    assert list(second.table["status"]) == ["kept", "done"]
    assert (tmp_path / "north.nc").stat().st_mtime_ns == written
    assert sorted(p.name for p in tmp_path.glob("*.nc")) == ["north.nc", "south.nc"]


class Killer(logging.Handler):
    """Kill a process as soon as anything is logged, once."""

    def __init__(self, pid):
        super().__init__()
        self.pid = pid

    def emit(self, record):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        self.pid = None


@pytest.mark.slow
def test_a_cluster_of_dask_survives_a_killed_worker_and_a_job_that_fails(
    finished, tmp_path, monkeypatch
):
    distributed = pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    spec, data = JOBS["north"]
    graph = bc.Graph.parse("radio -> sales", outcome="sales")
    broken = replace(spec, graph=graph, treatments=("radio",))
    jobs = {**JOBS, "east": market(5), "west": market(6), "bad": (broken, data)}
    local = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(**local, local_directory=tmp_path, timeout="5 minutes") as client:
        killer = Killer(next(iter(client.run(os.getpid).values())))
        monkeypatch.setattr(many_fits.LOG, "handlers", [killer])
        monkeypatch.setattr(many_fits.LOG, "level", logging.INFO)
        fits = bc.fit_many(
            jobs, "fits", executor=client.get_executor(), seed=3, **QUICK | {"progress": True}
        )
        assert killer.pid is None
        fits["north"].save("copy.nc")  # with a client active, as in a worker
        written = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "fits").glob("*.nc")}
        again = bc.fit_many(jobs, "fits", executor=client.get_executor(), seed=3, **QUICK)
    assert list(fits) == list(again) == ["north", "south", "east", "west"]
    assert "no such column" in fits.failures["bad"]
    assert "Traceback" in fits.failures["bad"]
    assert set(again.table["status"]) == {"kept", "failed"}
    assert written == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "fits").glob("*.nc")}
    for name in JOBS:
        np.testing.assert_array_equal(
            fits[name].theta()["tv->sales"], finished[name].theta()["tv->sales"]
        )


def test_a_refit_has_the_settings_of_the_fit_and_other_data(finished):
    fit = finished["north"]
    other = bc.refit(fit, data=JOBS["south"][1], seed=5)
    assert other.data.hash == JOBS["south"][1].hash
    assert other.shape == fit.shape
    same = bc.fit(*JOBS["south"], seed=5, **QUICK)
    np.testing.assert_array_equal(other.theta()["tv->sales"], same.theta()["tv->sales"])
