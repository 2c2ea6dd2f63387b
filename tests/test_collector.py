"""The garbage collector: it pauses while a model compiles, and goes on after it."""

from __future__ import annotations

import gc

import pytest

from bayescausal._collector import collector_paused


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
