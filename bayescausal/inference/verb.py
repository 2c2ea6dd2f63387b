"""`verb`: the door through which every question to a fit comes in."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import xarray as xr

from bayescausal import checks
from bayescausal.data.dataset import Dataset
from bayescausal.errors import SpecError, shown
from bayescausal.inference.fit import Fit
from bayescausal.specs.spec import Spec

CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "prob": checks.probability,
    "seed": checks.seed,
    "strict": checks.flag,
    "by_unit": checks.flag,
    "channels": checks.names,
}
"""How an argument is checked that has this name in any verb."""

FORWARD = ("bayescausal.queries", "bayescausal.decisions", "bayescausal.presentation.spend_plots")
"""Where the verbs live that may ask about the time to come."""


def verb[**P, T](function: Callable[P, T]) -> Callable[P, T]:
    """Check what verbs share before one runs: a `Fit`, and arguments that have one meaning.

    An argument of a name in `CHECKS` is checked unless it is the default, and so is ``outcome``,
    a node. What is missing, or is no argument of the verb, is named with a suggestion.
    """
    signature = inspect.signature(function)
    title = function.__name__

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        if "fit" in signature.parameters and (args or "fit" in kwargs):
            _require_fit(title, args[0] if args else kwargs["fit"], function.__module__)
        bound = checks.bound(title, signature, args, kwargs)
        for name, value in bound.arguments.items():
            parameter = signature.parameters[name]
            if name == "outcome" and value is not parameter.default:
                graph = bound.arguments["fit"].spec.graph
                graph.parents(checks.name(f"{title}: outcome", value))  # raises, with advice
            elif name in CHECKS and value is not parameter.default:
                bound.arguments[name] = CHECKS[name](f"{title}: {name}", value)
        return function(*bound.args, **bound.kwargs)

    return checked


def _require_fit(title: str, value: Any, module: str) -> None:
    """Raise unless a verb of this module may be asked of what was passed as its fit."""
    if isinstance(value, Fit):
        if value.observed is not value and not module.startswith(FORWARD):
            raise SpecError(
                f"{title} is about the data, and this fit has a future. Give it `fit.observed`."
            )
        return
    advice = "It is what fit(spec, data) or load(path) returns."
    if isinstance(value, Spec | Dataset):
        advice = f"Sample first: {title}(fit(spec, data), ...)."
    elif isinstance(value, str | Path):
        advice = f"Read the file first: {title}(load({shown(str(value))}), ...)."
    elif isinstance(value, xr.DataArray | xr.Dataset):
        advice = "These look like draws, which are reduced by summarize(draws)."
    kind = "" if value is None else f" of type {type(value).__name__}"
    raise SpecError(f"{title} asks a Fit; got {shown(value)}{kind}. {advice}")
