"""Files that are written whole or not at all, and tables in them that run no formula.

A file is written beside its target, flushed to the disk, and then takes the target's name in one
step. A full disk, a killed process, a second writer or a reader meanwhile see the old file or the
new one, never a part. What a process that was killed leaves is a hidden file that ends in
``.part``.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bayescausal.errors import FileError, shown

_PROBE = bytes(65_536)
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_ADVICE = {
    errno.ENOSPC: "Free some space or choose another disk",
    errno.EDQUOT: "Free some space or choose another disk",
    errno.ENAMETOOLONG: "Choose a shorter name",
}


def as_path(path: Any) -> Path:
    """Return a path; raise a FileError for what names no file."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise FileError(f"A path is text such as 'results/fit.nc', or a Path; got {shown(path)}.")
    return Path(text)


def as_folder(path: Any) -> Path:
    """Return the path of a folder, which is made where there is none, or raise a FileError."""
    folder = as_path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "Choose a folder that you may write to")
        raise FileError(
            f"The folder '{folder}' cannot be made: {error.strerror or error}. {advice}."
        ) from error
    return folder


def write_file(path: str | Path, *parts: bytes | memoryview | str) -> Path:
    """Write a file whole or not at all; its folder is made.

    Parameters
    ----------
    path : str or Path
        A symbolic link stays one; what it points to is written.
    parts : bytes or str
        One after the other; text is written in UTF-8.

    Raises
    ------
    FileError
        The file cannot be written. What was there before is untouched.
    """
    with _new_file(path, parts) as (part, target):
        if target.exists():
            shutil.copymode(target, part)
        os.replace(part, target)
        with suppress(OSError):  # not every system can flush a folder
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    return as_path(path)


def try_target(path: str | Path) -> None:
    """Raise a FileError when `write_file` could not write there; its folder is made."""
    with _new_file(path, (_PROBE,)):
        pass


@contextmanager
def _new_file(path: str | Path, parts: tuple[bytes | memoryview | str, ...]) -> Iterator[Any]:
    """Write a new file in the target's folder; it is removed unless it was renamed."""
    target = Path(os.path.realpath(as_path(path)))
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        _check_target(path, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                for content in parts:
                    file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            yield part, target
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    except FileError:
        raise
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "Choose a folder that you may write to")
        failed = FileError(f"'{path}' cannot be written: {error.strerror or error}. {advice}.")
        failed.errno = error.errno
        raise failed from error


def _check_target(path: str | Path, target: Path) -> None:
    if os.fspath(path).endswith(("/", os.sep)) or target.is_dir():
        raise FileError(f"'{path}' is a folder. Name a file in it.")
    if target.exists() and not target.is_file():
        raise FileError(f"'{path}' is a pipe or a device. Name a file.")
    if target.exists() and not os.access(target, os.W_OK):
        raise FileError(f"'{path}' is read-only. Name another file, or make it writable.")


def csv_text(table: Any, **settings: Any) -> str:
    """Write a table as CSV; text that a spreadsheet would run as a formula gets a quote before it.

    Such is text, of cells, labels and headings, that begins with ``=``, ``+``, ``-``, ``@``, a tab
    or the end of a line. Numbers stay as they are. Source: OWASP, CSV Injection.

    Parameters
    ----------
    table : pandas.DataFrame
    settings
        Of `pandas.DataFrame.to_csv`.
    """
    plain = table.map(_inert).rename(columns=_inert, index=_inert)
    plain.index.names = [_inert(name) for name in plain.index.names]
    return plain.to_csv(**settings)


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
