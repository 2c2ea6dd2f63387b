"""States of the whole process: entered by the first thread that needs them, left by the last."""

from __future__ import annotations

import gc
import importlib
from threading import Barrier, Thread

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from bayescausal import _process
from bayescausal._process import collector_paused, one_blas_thread


@pytest.fixture
def collections():
    """Collections of garbage since the test began."""
    starts = []

    def note(phase, _):
        if phase == "start":
            starts.append(phase)

    gc.callbacks.append(note)
    yield starts
    gc.callbacks.remove(note)


def build():
    return [[] for _ in range(20 * gc.get_threshold()[0])]


def test_nothing_is_collected_in_a_pause_so_that_no_interrupt_is_lost_in_a_callback(collections):
    with collector_paused():
        build()
        assert not collections
    build()
    assert collections


def test_an_error_ends_the_pause():
    with pytest.raises(ZeroDivisionError), collector_paused():
        1 / 0  # noqa: B018
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_last_thread_ends_the_pause_of_all():
    first_is_in, first_is_out = Barrier(2), Barrier(2)
    states = {}

    def second():
        first_is_in.wait()
        with collector_paused():
            first_is_in.wait()
            first_is_out.wait()
            states["second alone"] = gc.isenabled()

    thread = Thread(target=second)
    thread.start()
    with collector_paused():
        first_is_in.wait()
        first_is_in.wait()
    first_is_out.wait()
    thread.join()
    assert states == {"second alone": False}
    assert gc.isenabled()


def test_matrices_are_multiplied_in_one_thread_and_then_in_as_many_as_before():
    def threads():
        return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}

    with threadpool_limits(2, "blas"):
        importlib.reload(_process)  # to load it sets nothing
        assert threads() == {2}
        with one_blas_thread():
            assert threads() == {1}
        assert threads() == {2}
