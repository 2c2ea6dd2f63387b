"""One real fit of the bundled data, shared by every test that needs a posterior."""

from __future__ import annotations

import pytest
from filelock import FileLock

import bayescausal as bc


@pytest.fixture(scope="session")
def example() -> bc.Example:
    """The bundled world."""
    return bc.load_example()


@pytest.fixture(scope="session")
def example_fit(example, tmp_path_factory, worker_id) -> bc.Fit:
    """A real posterior of the bundled world; nothing in it is mocked.

    One is made a session: the workers of pytest-xdist share it through a file.
    """
    root = tmp_path_factory.getbasetemp()
    shared = (root if worker_id == "master" else root.parent) / "example_fit.nc"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            bc.fit(example.spec, example.data, seed=20260301, progress=False).save(shared)
    return bc.load(shared)
