"""`Config` reads one YAML file: what is claimed, where the data are, and how to sample."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from bayescausal import checks
from bayescausal._display import wrapped
from bayescausal._files import as_path, write_file
from bayescausal.checks import check_keys
from bayescausal.data.dataset import Dataset
from bayescausal.data.future import Future
from bayescausal.errors import DataError, SpecError
from bayescausal.inference.settings import Settings
from bayescausal.specs.compatibility import check
from bayescausal.specs.experts import Experts
from bayescausal.specs.spec import Spec
from bayescausal.specs.yaml_loader import load_yaml

KEYS = ("data", "spec", "experts", "fit", "output")
DATA_KEYS = ("path", "time", "unit", "spend", "value", "history", "columns", "size")
_BY_FIT = ("tune", "target_accept")  # when they are left out the spec decides
FIT_KEYS = ("seed", "strict", *(f.name for f in fields(Settings) if f.name != "progress"))


@dataclass(frozen=True)
class Config:
    """The content of a YAML file, which drives the command line.

        data: {path: weekly.csv, time: week, spend: {tv: tv_cost}}
        spec: {graph: "tv -> sales", outcome: sales, responses: {...}}
        fit: {seed: 1}
        output: results

    Parameters
    ----------
    spec : Spec
    data : Dataset
        Read from the CSV file; its path is relative to the YAML file.
    settings : dict
        Arguments of `fit`; what is left out, `fit` decides.
    output : Path
        Where the fitted model goes.

    See Also
    --------
    Config.read : the usual way in.
    """

    spec: Spec
    data: Dataset
    settings: dict[str, Any]
    output: Path

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        head = wrapped(f"Config: fit({settings}) goes to {self.output}")
        return f"{head}\n{self.data!r}\n{self.spec!r}"

    @classmethod
    def read(cls, path: str | Path) -> Config:
        """Read and check a YAML file, its data included.

        Parameters
        ----------
        path : str or Path

        Raises
        ------
        SpecError, DataError, GraphError, OSError
            A key that nothing reads, or parts that do not fit each other.
        """
        path = as_path(path)
        mapping = _parts(path, needed=("data", "spec"))
        settings = _settings(mapping.get("fit") or {})
        spec = Spec.from_dict(mapping["spec"])
        data = _data(mapping["data"], path.parent)
        check(spec, data)
        return cls(spec, data, settings, _output(mapping.get("output"), path.parent))

    @staticmethod
    def read_spec(path: str | Path) -> Spec:
        """Read only what is claimed: the part ``spec``. No data are opened, none need exist.

        Parameters
        ----------
        path : str or Path

        Raises
        ------
        SpecError, GraphError, OSError
            As in `read`.
        """
        return Spec.from_dict(_parts(as_path(path), needed=("spec",))["spec"])

    @staticmethod
    def read_experts(path: str | Path) -> Experts:
        """Read the spec and what experts say of it: the part ``experts``, which may be missing.

        Parameters
        ----------
        path : str or Path

        Raises
        ------
        SpecError, GraphError, OSError
            As in `read`.
        """
        parts = _parts(as_path(path), needed=("spec",))
        return Experts.from_dict(Spec.from_dict(parts["spec"]), parts.get("experts") or {})

    @staticmethod
    def write(
        path: str | Path,
        spec: Spec,
        data: Mapping[str, Any],
        settings: Mapping[str, Any],
        output: str,
    ) -> Path:
        """Write a YAML file that `read` reads back.

        Parameters
        ----------
        path : str or Path
        spec : Spec
        data : mapping
            The file's part ``data``: ``path``, ``time``, ``spend``, ...
        settings : mapping
            The part ``fit``.
        output : str
        """
        blocks = (
            yaml.safe_dump({"data": dict(data)}, sort_keys=False, allow_unicode=True),
            "spec:\n" + textwrap.indent(spec.to_yaml(), "  "),
            yaml.safe_dump({"fit": dict(settings), "output": output}, sort_keys=False),
        )
        return write_file(path, "\n".join(blocks))


def _parts(path: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    try:
        mapping = load_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SpecError(f"'{path}' is not text in UTF-8.") from None
    check_keys(mapping, KEYS, str(path))
    for key in needed:
        if mapping.get(key) is None:
            raise SpecError(f"{path}: '{key}' is missing.")
    return mapping


def _settings(mapping: Any) -> dict[str, Any]:
    for key in ("backend", "mass_matrix"):
        if isinstance(mapping, Mapping) and key in mapping:
            raise SpecError(f"fit: '{key}' is gone, as a sampler has one of its own: leave it out.")
    check_keys(mapping, FIT_KEYS, "fit")
    seed = mapping.get("seed")
    if seed is not None:
        checks.seed("fit: seed", seed)
    checks.flag("fit: strict", mapping.get("strict", False))
    arguments = {k: v for k, v in mapping.items() if not (v is None and k in _BY_FIT)}
    Settings(**{key: value for key, value in arguments.items() if key not in ("seed", "strict")})
    return arguments


def _data(mapping: Any, folder: Path) -> Dataset:
    check_keys(mapping, DATA_KEYS, "data")
    for key in ("path", "time"):
        if not isinstance(mapping.get(key), str):
            raise SpecError(f"data: '{key}' is missing or no text; got {mapping.get(key)!r}.")
    frame = _table(folder / mapping["path"], mapping["time"], mapping.get("unit"))
    arguments = {
        key: value for key, value in mapping.items() if key != "path" and value is not None
    }
    return Dataset.from_frame(frame, **arguments)


def read_future(path: Path, time: str | None = None, unit: str | None = None) -> Future:
    """Read a plan of the time to come from a CSV file; its first column is that of dates."""
    try:
        time = time or str(pd.read_csv(path, nrows=0).columns[0])
    except (ValueError, IndexError) as error:
        raise DataError(f"'{path}' cannot be read as CSV: {error}") from None
    return Future.from_frame(_table(path, time, unit), time=time, unit=unit)


def _table(path: Path, time: str, unit: Any) -> pd.DataFrame:
    """Read a CSV file; units are text as it stands there, and only an empty cell is missing."""
    try:
        _check_separator(path, pd.read_csv(path, nrows=0).columns, time)
        frame = pd.read_csv(path)
        if isinstance(unit, str) and unit in frame.columns:
            names = pd.read_csv(
                path, usecols=[unit], dtype=str, keep_default_na=False, na_values=[""]
            )
            frame[unit] = names[unit].to_numpy()
    except DataError:
        raise
    except ValueError as error:  # the parser's errors, text in another encoding
        raise DataError(f"'{path}' cannot be read as CSV: {error}") from None
    return frame


def _check_separator(path: Path, names: pd.Index, time: str) -> None:
    """Raise when the columns are not separated by commas."""
    header = ",".join(map(str, names))
    for sign, word in ((";", "semicolons"), ("\t", "tabs")):
        if header.count(sign) >= len(names) and time not in names:
            raise DataError(
                f"'{path}' looks like a file with {word} between its columns: the first line is "
                f"{header!r}. Commas between columns and points in numbers are read. Write it so "
                f"in Python: pd.read_csv(path, sep={sign!r}, decimal=',').to_csv(path, "
                "index=False); with decimal='.' if its numbers have points."
            )


def _output(target: Any, folder: Path) -> Path:
    if target is None:
        return folder / "model.nc"
    if not isinstance(target, str) or Path(target).suffix not in ("", ".nc"):
        raise SpecError(f"output: a folder, or a file that ends in .nc; got {target!r}.")
    path = folder / target
    return path if path.suffix else path / "model.nc"
