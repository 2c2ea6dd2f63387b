"""Series that remember, alone or with a common cause, national and in panels."""

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from bayescausal.graphs.graph import Graph
from bayescausal.identification.compiled import Compiled
from bayescausal.identification.implications import Implication
from bayescausal.validation.claim_regressions import Setting
from bayescausal.validation.lagged_table import Table

FORK = "x <- z -> y"
CLAIM = Implication("x", "y", ("z",))


def remembering(rng, phi, n, units=None):
    """Autoregressive series of unit variance, ``(time,)`` or ``(unit, time)``."""
    shape = (n + 200,) if units is None else (units, n + 200)
    return lfilter([np.sqrt(1 - phi**2)], [1, -phi], rng.normal(size=shape))[..., 200:]


def fork(rng, phi, n, correlation=0.0, units=None):
    """x and y follow z; their shocks have a correlation, which makes it a partial correlation."""
    z, u, v = (remembering(rng, phi, n, units) for _ in range(3))
    v = correlation * u + np.sqrt(1 - correlation**2) * v
    return {"x": 0.7 * z + u, "y": 0.7 * z + v, "z": z}


def carried(x, alpha):
    """Geometric adstock, normalized."""
    return lfilter([1 - alpha], [1, -alpha], x)


def saturating_fork(rng, phi, n):
    """x and y answer one channel with carry-over and a Hill curve."""
    z = np.exp(0.6 * remembering(rng, 0.5, n + 60))
    responses = (carried(z, 0.6) ** 1.5, carried(z, 0.3))
    x, y = (r / (r + np.median(r)) for r in responses)
    x, y = (1.5 * (v - v.mean()) / v.std() + remembering(rng, phi, n + 60) for v in (x, y))
    return {"x": x[60:], "y": y[60:], "z": z[60:]}


def setting(columns, text=FORK):
    """What `check_graph` makes of columns, without a calendar."""
    x = {name: np.atleast_2d(path) for name, path in columns.items()}
    units, periods = next(iter(x.values())).shape
    names = tuple(map(str, range(units))) if units > 1 else ()
    table = Table(x, 0, None, names)
    return Setting(table, Compiled(Graph.parse(text)), np.empty((periods, 0)), None, 0.05)


def weekly(columns):
    """A frame with weeks as its index."""
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=pd.date_range("2022-01-03", periods=n, freq="7D"))
