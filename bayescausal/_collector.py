"""Python's garbage collector pauses where much is built that stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector, for imports and while a model compiles.

    Both build hundreds of thousands of objects that stay, and the collector would search all of
    them again and again: a twelfth of the time to a first posterior. JAX has a callback of the
    collector, too, and a Ctrl-C that falls into such a callback is printed and dropped by Python,
    so that it would do nothing while a model compiles.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
