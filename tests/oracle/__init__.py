"""A second, slow reading of MODEL.md: loops over units and periods, `math`, one draw at a time.

Nothing of `bayescausal.model` is imported, and no formula of `bayescausal.specs` is called. Spec
objects are read for what they state: edges, settings of transforms, priors and their defaults.

Layout: a path is ``x[unit][time]``; national data are one unit. Parameters are a dict of floats,
or lists for parameters with a dim, by the names of `build`. A world is a dict of paths.
"""

from .contrasts import acts, contrast, counts, effect, outcome, reach, sides, split
from .curves import adstock_weights, pulses, saturate, spread, term_path
from .density import (
    correlation_matrix,
    draw,
    factors,
    frozen,
    left_over,
    lift_groups,
    log_jacobian,
    log_lifts,
    log_likelihood,
    log_prior,
    noise,
    stationary,
    swing,
)
from .worlds import Worlds

__all__ = [
    "Worlds",
    "acts",
    "adstock_weights",
    "contrast",
    "correlation_matrix",
    "counts",
    "draw",
    "effect",
    "factors",
    "frozen",
    "left_over",
    "lift_groups",
    "log_jacobian",
    "log_lifts",
    "log_likelihood",
    "log_prior",
    "noise",
    "outcome",
    "pulses",
    "reach",
    "saturate",
    "sides",
    "split",
    "spread",
    "stationary",
    "swing",
    "term_path",
]
