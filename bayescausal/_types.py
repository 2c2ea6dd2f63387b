"""Aliases that read like the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

type Node = str
"""A variable of the graph, and a column of the data."""

type Draws = xr.DataArray
"""Posterior draws of a quantity, with dims ``(chain, draw, ...)``."""

type Array = Any
"""A numpy array, or a symbolic PyTensor tensor of the same shape."""

type Theta = dict[str, Array]
"""Parameter values by name, with leading draw dims (or none)."""

type Intervention = float | np.ndarray | Callable[[Any], Any]
"""A value to set, an array of them, or a function of the factual value."""
