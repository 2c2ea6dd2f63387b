"""What happens to files when the machine fails: a full disk, a kill, other processes.

Run by `make faults`, and once by CI. What needs a small disk of its own is skipped where none can
be mounted.
"""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import yaml
from saved_cases import tiny

import bayescausal as bc
from bayescausal._files import try_target
from bayescausal.errors import BayesCausalError, FileError

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]


@pytest.fixture(scope="module")
def fits():
    """Two fits that differ in their draws, and what each says of tv."""
    one, two = tiny(), tiny()
    for variable in two.tree["posterior"].data_vars.values():
        variable[...] = variable * 2
    return {effect(fit): fit for fit in (one, two)}


def effect(fit):
    return float(bc.effect(fit, bc.incremental("tv")).sum())


@pytest.fixture
def disk(tmp_path):
    """A folder on a disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder):
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def forked(function):
    """Run a function in a process of its own; return its number."""
    child = os.fork()
    if child == 0:
        try:
            function()
        finally:
            os._exit(0)
    return child


def test_kill_while_saving_leaves_the_good_file(fits, tmp_path):
    """Killed between two writes, at the flush, before the new file takes its name, and anywhere."""
    (good, first), (_, second) = fits.items()
    path = first.save(tmp_path / "fit.nc")

    def kill(*args):
        os.kill(os.getpid(), signal.SIGKILL)

    def half():
        size = path.stat().st_size // 2
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the write beyond it kills
        second.save(path)

    def at(name):
        def save():
            setattr(os, name, kill)
            second.save(path)

        return save

    for function in (half, at("fsync"), at("replace")):
        assert os.WIFSIGNALED(os.waitpid(forked(function), 0)[1])
        assert effect(bc.load(path)) == good
    for _ in range(12):
        child = forked(lambda: [second.save(path) for _ in range(100)])
        time.sleep(random.uniform(0.01, 0.8))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert effect(bc.load(path)) in fits


def test_full_disk_leaves_the_good_file_and_the_interpreter(fits, disk):
    (good, first), (_, second) = fits.items()
    path = first.save(disk / "fit.nc")
    fill(disk)
    for _ in range(3):
        with pytest.raises(FileError, match=r"No space left on device\. Free some space"):
            second.save(path)
    assert sorted(p.name for p in disk.iterdir()) == ["filler", "fit.nc"]
    assert effect(bc.load(path)) == good
    (disk / "filler").unlink()
    assert effect(bc.load(second.save(path))) == effect(second)


def test_full_disk_does_not_cost_the_draws_of_a_command(disk, tmp_path):
    """The disk has room for the trial before the sampler runs, and not for what comes out."""
    data = tiny().data
    frame = pd.DataFrame({name: data.array(name) for name in data.columns}, index=data.time)
    frame.rename_axis("week").to_csv(tmp_path / "weekly.csv")
    model = {
        "data": {"path": "weekly.csv", "time": "week"},
        "spec": {"graph": "tv -> sales", "outcome": "sales", "treatments": ["tv"]},
        "fit": {"seed": 5, "draws": 2000, "tune": 50, "chains": 2},
        "output": "disk/fit.nc",
    }
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(model))
    (disk / "filler").write_bytes(bytes(800_000))
    (tmp_path / "temporary").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "bayescausal", "fit", str(tmp_path / "model.yaml"), "--quiet"],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )
    assert done.returncode == 2, done.stderr
    assert "No space left on device" in done.stderr
    place = Path(done.stderr.split("The draws are kept in '")[1].split("'")[0])
    assert place.is_relative_to(tmp_path / "temporary")
    assert bc.load(place).shape == (2, 2000)
    assert [p.name for p in disk.iterdir()] == ["filler"]


def test_disk_that_is_read_only_is_refused_also_when_only_tried(disk):
    (disk / "old.nc").write_bytes(b"old")
    if subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True).returncode:
        pytest.skip("no disk can be made read-only here")
    with pytest.raises(FileError, match=r"is read-only|Read-only file system"):
        tiny().save(disk / "old.nc")
    with pytest.raises(FileError, match=r"Read-only file system\. Choose a folder"):
        try_target(disk / "fit.nc")  # what the command line asks before it samples
    with pytest.raises(FileError, match=r"Read-only file system\. Choose a folder"):
        tiny().save(disk / "new" / "fit.nc")
    assert (disk / "old.nc").read_bytes() == b"old"


def test_two_writers_and_a_reader(fits, tmp_path):
    """Each of 12 loads, made while two processes save without end, is of one of the two fits."""
    first, second = fits.values()
    path = first.save(tmp_path / "fit.nc")
    writers = [
        forked(lambda fit=fit: [fit.save(path) for _ in range(10_000)]) for fit in (first, second)
    ]
    try:
        seen = [effect(bc.load(path)) for _ in range(12)]
    finally:
        for writer in writers:
            os.kill(writer, signal.SIGKILL)
            os.waitpid(writer, 0)
    assert {*seen} <= {*fits}


def test_file_damaged_while_it_is_read_is_no_other_fit(fits, tmp_path):
    """Another program writes into the file as it likes: what loads is the fit that was saved."""
    (good, first), _ = fits.items()
    path = first.save(tmp_path / "fit.nc")
    content = path.read_bytes()

    def scribble():
        for seed in range(10**6):
            with path.open("r+b") as file:
                file.seek(random.Random(seed).randrange(len(content)))
                file.write(b"\xff\x00")
                file.seek(0)
                file.write(content)

    seen, refused = [], []
    writer = forked(scribble)
    try:
        for _ in range(40):
            try:
                seen.append(effect(bc.load(path)))
            except BayesCausalError as error:
                refused.append(str(error))
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    assert {*seen} <= {good}
    assert all("damaged" in line for line in refused)
    assert len(seen) + len(refused) == 40
