"""`load`: a saved fit, read and checked. Nothing in the file is executed."""

from __future__ import annotations

import json
from pathlib import Path

import xarray as xr

from bayescausal.errors import BayesCausalError
from bayescausal.inference.fit import FORMAT, PLAIN, Fit
from bayescausal.specs.dataset import Dataset
from bayescausal.specs.spec import Spec

_UNITS_DIFFER = 2  # the first format in which the units of a panel differ


def load(path: str | Path) -> Fit:
    """Read what `Fit.save` wrote. Nothing in the file is executed.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Fit

    Raises
    ------
    BayesCausalError
        The file is no saved fit, is of a newer format, or its data were changed.
    """
    path = Path(path)
    if not path.exists():
        raise BayesCausalError(f"There is no file '{path}'.")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except OSError as error:
        raise BayesCausalError(f"'{path}' is not a netCDF file: {error}") from None
    attrs = dict(tree.attrs)
    if "bayescausal_format" not in attrs:
        raise BayesCausalError(f"'{path}' was not written by Fit.save.")
    try:
        wrote = int(attrs.pop("bayescausal_format"))
        if wrote > FORMAT:
            raise BayesCausalError(
                f"'{path}' was written by a newer bayescausal; upgrade to read it."
            )
        spec = Spec.from_dict(json.loads(attrs.pop("spec")))
        data = Dataset(tree["data"].to_dataset(), **json.loads(attrs.pop("data_settings")))
        if wrote < _UNITS_DIFFER and data.is_panel:
            raise BayesCausalError(
                f"'{path}' is a panel fitted when all units had one response and one scale of "
                "errors. Fit it again; spread='common' says that they are alike."
            )
        apart = {"data", PLAIN}
        groups = {name: tree[name].to_dataset() for name in tree.children if name not in apart}
        made = Fit(spec, data, xr.DataTree.from_dict(groups))
        if PLAIN in tree:
            made.tree[PLAIN] = tree[PLAIN]
        made.tree.attrs = attrs
        fitted = made.info["data_hash"]
    except BayesCausalError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise BayesCausalError(f"'{path}' is damaged: {error!r}.") from None
    if fitted != data.hash:
        raise BayesCausalError(f"The data in '{path}' are not those that were fitted.")
    return made
