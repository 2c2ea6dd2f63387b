"""`load`: a saved fit, read and checked. Nothing in the file is executed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from bayescausal.data.dataset import Dataset
from bayescausal.errors import BayesCausalError
from bayescausal.inference import groups
from bayescausal.inference.archive import damaged, parsed, unpack
from bayescausal.inference.evidence import Learned
from bayescausal.inference.fit import PLAIN, Fit
from bayescausal.specs.spec import Spec


def load(path: str | Path) -> Fit:
    """Read what `Fit.save` wrote. Nothing in the file is executed.

    The file is read only when its digest is right: a file of which one byte has changed is refused.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Fit

    Raises
    ------
    FileError
        There is no such file, or it cannot be read.
    BayesCausalError
        The file is no saved fit, is damaged, is of another format, or its data were changed.
    """
    attrs, tree = unpack(path)
    try:
        spec = Spec.from_dict(parsed(attrs, "spec"))
        data = _data(attrs, tree["data"].to_dataset())
        fit = Fit(spec, data, _draws(tree))
        if PLAIN in tree:
            fit.tree[PLAIN] = _draws(tree.children[PLAIN])
        metadata = ("spec", "data_settings", "data_notes")
        fit.tree.attrs = {name: value for name, value in attrs.items() if name not in metadata}
        for part in (fit, fit.plain):
            if part is not None:
                _check(part)
                groups.add_derived(part.scm, part.tree, part.evaluate)
    except Exception as error:  # a part that is missing or of another shape than `save` writes
        raise damaged(Path(path), error) from None
    if fit.info["data_hash"] != data.hash:
        raise BayesCausalError(f"The data in '{path}' are not those that were fitted.")
    return fit


def _draws(tree: xr.DataTree) -> xr.DataTree:
    """Return the groups of a fit, named and numbered as now, whichever version wrote them."""
    parts = {
        name: groups.statistics(group.to_dataset())
        if name == "sample_stats"
        else groups.numbered(group.to_dataset())
        for name, group in tree.children.items()
        if name not in ("data", PLAIN)
    }
    draws = xr.DataTree.from_dict(parts)
    draws.attrs = tree.attrs
    return draws


def _data(attrs: dict[str, str], table: xr.Dataset) -> Dataset:
    """Return the data with the attributes that they had."""
    notes = parsed(attrs, "data_notes")
    table.attrs = notes["table"]
    for name, column_attrs in notes["columns"].items():
        table[name].attrs = column_attrs
    return Dataset(table, **parsed(attrs, "data_settings"))


def _check(fit: Fit) -> None:
    """Raise when a part that every fit has is missing, or has another shape than the spec says."""
    for group in ("prior", "posterior"):
        draws = fit.tree[group].to_dataset()
        for parameter in fit.scm.parameters:
            label_dims = {parameter.dim: parameter.size} if parameter.dim else {}
            shape = {dim: draws.sizes[dim] for dim in ("chain", "draw")} | label_dims
            variable = draws[parameter.name]
            if dict(variable.sizes) != shape or not np.issubdtype(variable.dtype, np.floating):
                raise ValueError(f"{group}: '{parameter.name}' has no {shape} numbers")
    for name in ("observed_data", "sample_stats"):
        fit.tree[name]
    numbers = [fit.info["seed"], fit.info["run"]["sample_seconds"], *_leaves(fit.evidence.learned)]
    if not all(isinstance(number, int | float) for number in numbers):
        raise TypeError(f"no numbers: {numbers!r:.100}")
    str(fit.convergence)


def _leaves(learned: Learned) -> list[float]:
    return [number for part in learned.values() for number in part.values()]
