"""A Ctrl-C that Python has dropped is raised after all."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def no_interrupt_lost() -> Iterator[None]:
    """Raise a Ctrl-C at the end of a block in which it was lost.

    JAX has a callback of Python's garbage collector, and what is raised in such a callback is
    printed and dropped: a Ctrl-C that falls there, while a model compiles, would do nothing.
    Handlers of a user's own are left alone, and so are threads, which get no signals.
    """
    previous = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or previous is not signal.default_int_handler:
        yield
        return
    pressed: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if pressed:
        raise KeyboardInterrupt
