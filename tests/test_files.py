"""A file is written whole or not at all; a table in it runs no formula."""

import csv
import io
import os
import resource
import stat
import threading
from contextlib import contextmanager

import pandas as pd
import pytest

from bayescausal._files import csv_text, try_target, write_file
from bayescausal.errors import FileError


@contextmanager
def full_after(size):
    """No file of this process may grow beyond this size, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_file_is_written_and_its_folder_made(tmp_path):
    path = write_file(tmp_path / "new" / "er" / "a.txt", "süd ", b"und ", memoryview(b"west"))
    assert path == tmp_path / "new" / "er" / "a.txt"
    assert path.read_text(encoding="utf-8") == "süd und west"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_file(tmp_path / "a.txt", "good")
    with full_after(1000), pytest.raises(FileError, match=r"'.*a.txt' cannot be written") as caught:
        write_file(path, "new", "x" * 5000)
    assert isinstance(caught.value, OSError)
    assert caught.value.errno
    assert path.read_text() == "good"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_interrupt_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_file(tmp_path / "a.txt", "good")

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, "new")
    assert path.read_text() == "good"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_permissions_are_those_of_the_old_file_or_of_the_user(tmp_path):
    fresh, plain = write_file(tmp_path / "a.txt", "a"), tmp_path / "b.txt"
    plain.write_text("b")
    assert fresh.stat().st_mode == plain.stat().st_mode
    fresh.chmod(0o640)
    assert stat.S_IMODE(write_file(fresh, "c").stat().st_mode) == 0o640


def test_symbolic_link_stays_one(tmp_path):
    target = write_file(tmp_path / "real" / "a.txt", "old")
    (tmp_path / "link.txt").symlink_to(target)
    write_file(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize("verb", [try_target, lambda path: write_file(path, "x")])
def test_target_that_takes_no_file_is_refused_with_advice(tmp_path, verb):
    blocking = write_file(tmp_path / "file", "x")
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path, "is a folder. Name a file in it"),
        (f"{tmp_path}/new/", "is a folder. Name a file in it"),
        (tmp_path / "pipe", "is a pipe or a device"),
        ("/dev/null", "is a pipe or a device"),
        (blocking / "a.txt", "cannot be written: .*Choose a folder"),
        ("/proc/none/a.txt", "cannot be written: .*Choose a folder"),
        (tmp_path / ("a" * 300), "cannot be written: .*Choose a shorter name"),
        ("", "A path is text"),
        (" ", "A path is text"),
        (None, "A path is text .*got None"),
        (3.5, "A path is text .*got 3.5"),
        ("a\0b", "A path is text"),
        (b"bytes.txt", "A path is text"),
    ):
        with pytest.raises(FileError, match=words) as caught:
            verb(path)
        assert len(str(caught.value)) < 600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "pipe"]


def test_trying_a_target_makes_its_folder_and_touches_no_file(tmp_path):
    path = write_file(tmp_path / "a.txt", "good")
    try_target(path)
    try_target(tmp_path / "new" / "b.txt")
    assert path.read_text() == "good"
    assert [p.name for p in (tmp_path / "new").iterdir()] == []
    with full_after(1000), pytest.raises(FileError):
        try_target(path)


def test_two_writers_and_a_reader_see_whole_files(tmp_path):
    """Sizes differ, so that a file made of both, or a part, would not be one letter."""
    path, texts = write_file(tmp_path / "a.txt", "a" * 100_000), set()

    def write(letter, size):
        for _ in range(30):
            write_file(path, letter * size, letter * size)

    writers = [threading.Thread(target=write, args=a) for a in (("a", 50_000), ("b", 70_000))]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        texts.add(path.read_text())
    assert texts <= {"a" * 100_000, "b" * 140_000}
    assert len(list(tmp_path.iterdir())) == 1


def test_csv_runs_no_formula():
    """Text that begins as OWASP lists it gets a quote; numbers, also negative ones, stay."""
    starts = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "a=1", "tv", "'x", ""]
    frame = pd.DataFrame(
        {"=HYPERLINK": starts, "change": [-1.5] * len(starts), "note, a": pd.Categorical(starts)},
        index=pd.MultiIndex.from_tuples([(s, -1) for s in starts], names=["-channel", "lag"]),
    )
    rows = list(csv.reader(io.StringIO(csv_text(frame), newline="")))
    assert rows[0] == ["'-channel", "lag", "'=HYPERLINK", "change", "note, a"]
    safe = [f"'{s}" if s and s[0] in "=+-@\t\r\n＝" else s for s in starts]
    assert rows[1:] == [[s, "-1", s, "-1.5", s] for s in safe]
    assert csv_text(frame[["change"]].reset_index(drop=True), index=False).startswith("change\n-1")
