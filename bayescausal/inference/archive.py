"""The file of a fit: netCDF bytes that end with their digest, and what is believed of them.

HDF5 reads nothing that fails the digest: bytes that were lost or changed could hang it, or change a
number unseen. The digest stands after the end of the HDF5 file, where netCDF tools do not look, so
`xarray.open_datatree` reads the file as it is. It tells accidents, not forgers: whoever edits a
file can compute a new one. So what passes is still checked for what a fit never has: links, parts
in other files, more data than bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from bayescausal._files import as_path
from bayescausal.data.dataset import Dataset
from bayescausal.errors import BayesCausalError, DataError, FileError, SpecError, shortened, shown
from bayescausal.inference.groups import DERIVED
from bayescausal.specs.spec import Spec

FORMAT = 3
"""Of the files that `Fit.save` writes. Those of formats 1 and 2 have no digest and are refused."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_STAMP = re.compile(rb"\nbayescausal sha256 ([0-9a-f]{64})\n\Z")
_STAMP_SIZE = len("\nbayescausal sha256 \n") + 64
_MARK = "bayescausal_format"
_LOOK = 1 << 26
_SLACK = 1 << 20  # dimensions without coordinates have a size and no bytes
_DEPTH = 2  # a fit with augmentation holds the groups of the fit without in a group


def header(spec: Spec, data: Dataset) -> dict[str, str]:
    """Write all that a file says besides arrays, as JSON.

    Raises
    ------
    SpecError, DataError
        A part cannot be written, such as a function in an experiment. `fit` asks before it
        samples.
    """
    return {
        "spec": _json(spec.to_dict(), SpecError, "The spec"),
        "data_settings": _json(data.settings(), DataError, "The settings of the data"),
        "data_notes": _notes(data.table),
    }


def _notes(table: xr.Dataset) -> str:
    """Write the attributes of a table and of its columns, netCDF's or not."""
    columns = {str(name): dict(v.attrs) for name, v in table.variables.items() if v.attrs}
    places = {"the table": dict(table.attrs)} | {f"column '{k}'": v for k, v in columns.items()}
    for place, attrs in places.items():
        for key, value in attrs.items():
            _json({key: value}, DataError, f"The attribute {shown(key)} of {place}")
    return json.dumps({"table": dict(table.attrs), "columns": columns}, default=_plain)


def _json(value: Any, kind: type[BayesCausalError], subject: str) -> str:
    try:
        return json.dumps(value, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise kind(
            f"{subject} cannot be written to a file: {shortened(str(error), 200)}. Use text, "
            "numbers, lists and mappings of these, or leave it out."
        ) from None


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray) and value.dtype.kind in "biufU":
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} is not JSON")


def pack(spec: Spec, data: Dataset, tree: xr.DataTree) -> tuple[bytes, bytes]:
    """Return the bytes of a fit's file, made in memory, and the digest that follows them."""
    parts = tree.copy().to_dict()  # a copy stands alone: paths of a part begin at the whole
    saved_tree = xr.DataTree.from_dict(
        {path: part for path, part in parts.items() if path.split("/")[-1] not in DERIVED}
    )
    saved_tree["data"] = xr.DataTree(data.table.drop_attrs().drop_encoding())
    saved_tree.attrs = {**tree.attrs, _MARK: FORMAT, **header(spec, data)}
    try:
        content = _netcdf(saved_tree)
    except (TypeError, ValueError) as error:
        raise BayesCausalError(
            f"The fit cannot be written as netCDF: {shortened(str(error), 300)}. Look at what was "
            "added to its tree and to the attributes of its groups."
        ) from None
    return content, seal(content)


def _netcdf(tree: xr.DataTree) -> bytes:
    """Return the bytes of a netCDF file, as `DataTree.to_netcdf` does, without a lock.

    Where a client of dask is active, as in each of its workers, xarray takes a lock of the
    scheduler by the name of the file. A file in memory has no name, and saving it fails.
    """
    file = io.BytesIO()
    root = xr.backends.H5NetCDFStore.open(file, mode="w", lock=False)
    try:
        for node in tree.subtree:
            store = root if node is tree else root.get_child_store(node.path)
            node.to_dataset(inherit=node is tree).dump_to_store(store)
    finally:
        root.close()
    return file.getvalue()


def seal(content: bytes) -> bytes:
    """Return what stands at the end of a file with this content."""
    return f"\nbayescausal sha256 {hashlib.sha256(content).hexdigest()}\n".encode()


def damaged(path: Path, cause: str | Exception) -> BayesCausalError:
    """Return the error that says that a file is not what was saved; of the kind of its reason."""
    kind = type(cause) if isinstance(cause, BayesCausalError) else BayesCausalError
    reason = str(cause) if isinstance(cause, BayesCausalError | str) else repr(cause)
    return kind(
        f"'{path}' is damaged: {shortened(reason.rstrip('.'), 250)}. Take a copy of it from "
        "elsewhere, or fit again."
    )


def unpack(path: str | Path) -> tuple[dict[str, Any], xr.DataTree]:
    """Read the attributes and groups of a file whose digest is right.

    Raises
    ------
    FileError
        There is no such file, or it cannot be read.
    BayesCausalError
        It is damaged, of another format, or no file of a fit.
    """
    path = as_path(path)
    content = io.BytesIO(_content(path))
    try:
        with h5py.File(content, "r") as file:
            _check_layout(file, content.getbuffer().nbytes)
        with xr.open_datatree(content, engine="h5netcdf", phony_dims="access") as opened:
            tree: Any = opened.load()
        attrs = {str(name): value for name, value in tree.attrs.items()}
        number = int(attrs.pop(_MARK))
    except Exception as error:  # whatever HDF5, netCDF and their readers raise
        raise damaged(path, error) from None
    if number > FORMAT:
        raise BayesCausalError(f"'{path}' was written by a newer bayescausal; upgrade to read it.")
    return attrs, tree.map_over_datasets(lambda group: group.drop_encoding())


def _content(path: Path) -> bytes:
    """Read a file, its digest first."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileError(f"'{path}' is a folder, a pipe or a device. Name the file of a fit.")
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(0, size - _STAMP_SIZE))
            stamp = _STAMP.fullmatch(file.read(_STAMP_SIZE))
            file.seek(0)
            content = file.read(size - _STAMP_SIZE if stamp else _LOOK)
    except FileNotFoundError:
        raise FileError(f"There is no file '{path}'.") from None
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    if stamp is None:
        raise _unsealed(path, content)
    if hashlib.sha256(content).hexdigest().encode() != stamp[1]:
        raise damaged(path, "it is not what was saved, some of its bytes have changed")
    return content


def _unsealed(path: Path, content: bytes) -> BayesCausalError:
    """Say what a file is that does not end with a digest."""
    if _MARK.encode() in content:
        return BayesCausalError(
            f"'{path}' is damaged (cut short or changed), or was written by a bayescausal of "
            "before files ended with a digest. In the first case take a copy of it from elsewhere; "
            "in the second fit again: an old file cannot be told from a damaged one."
        )
    kind = "was not written by Fit.save" if content.startswith(_HDF5) else "is not a netCDF file"
    return BayesCausalError(f"'{path}' {kind}, or is damaged: it ends without the digest of a fit.")


def _check_layout(file: h5py.File, size: int) -> None:
    """Refuse what a file of a fit never holds, before anything large is read."""
    addresses, cells = set(), 0
    groups: list[tuple[h5py.Group, int]] = [(file, 0)]
    while groups:
        group, depth = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"'{name}' is a link")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in addresses:
                raise ValueError(f"'{name}' stands in it twice")
            addresses.add(address)
            if isinstance(item, h5py.Group):
                if depth == _DEPTH:
                    raise ValueError(f"'{name}' is nested too deep")
                groups.append((item, depth + 1))
            elif not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
                raise ValueError(f"'{name}' is no array of this file")
            else:
                cells += item.nbytes
                if cells > size + _SLACK:
                    raise ValueError(f"with '{name}' it claims to hold more than its size")


def parsed(attrs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Read a JSON attribute that is a mapping."""
    value = json.loads(attrs[name])
    if not isinstance(value, dict):
        raise TypeError(f"the attribute '{name}' is no mapping")
    return value
