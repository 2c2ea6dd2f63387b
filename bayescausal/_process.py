"""Two states of the whole process that a call may need; threads that need one share it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock

from threadpoolctl import threadpool_limits


class Shared:
    """A context of the whole process: the first thread enters it, and the last one leaves it.

    Each thread by itself would restore what another has set, and it would last.

    Parameters
    ----------
    context : callable
        Makes the context.
    """

    def __init__(self, context: Callable[[], AbstractContextManager]):
        self._context, self._lock, self._users = context, Lock(), 0
        self._entered = ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Be in the context."""
        with self._lock:
            if not self._users:
                self._entered.enter_context(self._context())
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._entered.close()


@contextmanager
def _without_collector() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


collector_paused = Shared(_without_collector)
"""Pause Python's garbage collector, for imports and while a model compiles.

Both build hundreds of thousands of objects that stay, and the collector would search all of them
again and again: a twelfth of the time to a first posterior. JAX has a callback of the collector,
too, and a Ctrl-C that falls into such a callback is printed and dropped by Python, so that it would
do nothing while a model compiles.
"""

one_blas_thread = Shared(lambda: threadpool_limits(1, "blas"))
"""Multiply matrices in one thread: they are small, and threads that wait for the next one burn a
third of the CPU of a refit for nothing."""
