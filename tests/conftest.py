"""Expensive fixtures, made once a session and shared by all workers of pytest-xdist."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from augmented_cases import augmented_spec, mediated, quick
from filelock import FileLock
from hypothesis import settings

import bayescausal as bc

# Compiled models are shared by the workers of one run, and never come from a run before it.
if "BAYESCAUSAL_CACHE" not in os.environ:
    os.environ["BAYESCAUSAL_CACHE"] = tempfile.mkdtemp(prefix="bayescausal-tests-")
    atexit.register(shutil.rmtree, os.environ["BAYESCAUSAL_CACHE"], ignore_errors=True)

settings.register_profile("suite", deadline=None)  # the machine may be busy: time is no verdict
settings.load_profile("suite")


LONGEST = (
    "test_notebooks.py",
    "test_cli.py",
    "test_free_pattern.py",  # needs no fit of the bundled world, which the other worker samples
    "test_report.py",
    "test_optimizer.py",
    "test_plots.py",
)


def pytest_collection_modifyitems(items):
    """The longest files go first: as the last one each would leave the other worker idle."""
    place = {name: k for k, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id) -> Callable[[str, Callable[[Path], object]], Path]:
    """``shared(name, write)`` is the file of that name, written by the first worker that asks.

    It is put in its place when it is whole: a writer that fails leaves nothing to be read.
    """
    own = tmp_path_factory.getbasetemp()
    folder = own if worker_id == "master" else own.parent

    def file(name: str, write: Callable[[Path], object]) -> Path:
        path = folder / name
        with FileLock(f"{path}.lock"):
            if not path.exists():
                part = folder / f"part-{name}"
                write(part)
                part.replace(path)
        return path

    return file


@pytest.fixture(scope="session")
def example() -> bc.Example:
    """The bundled world."""
    return bc.load_example()


@pytest.fixture(scope="session")
def example_fit(example, shared) -> bc.Fit:
    """A real posterior of the bundled world; nothing in it is mocked."""

    def write(path):
        bc.fit(example.spec, example.data, seed=20260301, progress=False).save(path)

    return bc.load(shared("example_fit.nc", write))


@pytest.fixture(scope="session")
def augmented_fit(shared) -> bc.Fit:
    """A short fit with augmentation, a mediator and a lift test, and the one without beside it."""
    return bc.load(
        shared("augmented_fit.nc", lambda path: quick(augmented_spec(), mediated()).save(path))
    )
