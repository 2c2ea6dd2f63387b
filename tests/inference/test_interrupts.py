"""Ctrl-C: one that Python drops in a callback of its garbage collector is raised after all."""

from __future__ import annotations

import gc
import os
import signal

import pytest

from bayescausal.inference.interrupts import no_interrupt_lost

DROPPED = "ignore::pytest.PytestUnraisableExceptionWarning"


@pytest.fixture
def pressed_while_collecting():
    """The next collection of garbage presses Ctrl-C, as a user may by chance."""

    def press(phase, _):
        if phase == "start":
            os.kill(os.getpid(), signal.SIGINT)

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.callbacks.append(press)
    yield lambda: gc.callbacks.remove(press)
    signal.signal(signal.SIGINT, previous)


@pytest.mark.filterwarnings(DROPPED)
def test_an_interrupt_that_was_dropped_is_raised_at_the_end(pressed_while_collecting):
    done = []

    def block():
        with no_interrupt_lost():
            gc.collect()
            pressed_while_collecting()
            done.append("the block went on, as nothing was raised in it")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.filterwarnings(DROPPED)
def test_python_drops_it_otherwise(pressed_while_collecting):
    gc.collect()
    pressed_while_collecting()


def test_a_handler_of_the_user_is_left_alone():
    calls = []
    previous = signal.signal(signal.SIGINT, lambda *_: calls.append(1))
    try:
        with no_interrupt_lost():
            os.kill(os.getpid(), signal.SIGINT)
        assert calls == [1]
    finally:
        signal.signal(signal.SIGINT, previous)
