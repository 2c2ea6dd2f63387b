"""Guards check the arguments of calls, one for each kind of value.

Each takes the name of the argument and its value, and returns the value in its plain Python type
or raises a SpecError that says what was wrong with it and what to write.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from functools import wraps
from numbers import Integral, Real
from types import UnionType
from typing import Any

import numpy as np

from bayescausal.errors import SpecError, did_you_mean, shown

MEMORY = 2e9
"""Bytes above which a request is refused."""

_SEEDS = 2**128


def number(label: str, value: Any) -> float:
    """Return a finite number of any library as a float."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise SpecError(f"{label} must be a number; got {shown(value)}.{_text_hint(value)}")
    if not math.isfinite(value):
        raise SpecError(f"{label} must be finite; got {shown(value)}.")
    try:
        return float(value)
    except OverflowError:
        raise SpecError(f"{label} is too large: {shown(value)}.") from None


def _text_hint(value: Any) -> str:
    """Say which number a text looks like."""
    text = value.strip() if isinstance(value, str) else ""
    point = text.replace(",", ".", 1)
    try:
        parsed = float(point)
    except ValueError:
        return ""
    if not math.isfinite(parsed) or "_" in text:
        return ""
    reason = "A comma is no decimal point." if point != text else "This is text, no number."
    return f" {reason} Write {int(parsed) if parsed.is_integer() else parsed}."


def count(label: str, value: Any, least: int = 0, maximum: int | None = None) -> int:
    """Return a whole number of any library, from ``least`` to ``most``, as an int."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral) or int(value) < least:
        raise SpecError(
            f"{label} is a whole number, {least} or more; got {shown(value)}.{_text_hint(value)}"
        )
    if maximum is not None and int(value) > maximum:
        raise SpecError(f"{label} is at most {maximum:,}; got {shown(int(value))}.")
    return int(value)


def affordable(label: str, value: int, size: float) -> None:
    """Raise when ``value`` things of ``each`` bytes take more than `MEMORY`."""
    if value * size > MEMORY:
        raise SpecError(
            f"{label}={shown(value)} would take about {value * size / 1e9:,.3g} GB of memory; "
            f"requests above {MEMORY / 1e9:g} GB are refused. At most {int(MEMORY / size):,} "
            "would do."
        )


def seed(label: str, value: Any) -> int:
    """Return a seed as an int."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral) or int(value) < 0:
        raise SpecError(
            f"{label} is a whole number, 0 or more, from which a generator is made, so that the "
            f"same draws come again; got {shown(value)}. Try {label.split()[-1]}=1."
        )
    if int(value) >= _SEEDS:
        raise SpecError(f"{label} has at most 128 bits; got {shown(int(value))}. Try 1.")
    return int(value)


def seed_or_drawn(label: str, value: Any) -> int:
    """Return a seed as an int, a fresh one for None."""
    return int(np.random.default_rng().integers(2**31)) if value is None else seed(label, value)


def probability(label: str, value: Any) -> float:
    """Return a number between 0 and 1, both excluded."""
    chance = number(label, value)
    if not 0 < chance < 1:
        percent = f" Write {chance / 100:g} for {chance:g} percent." if 1 < chance < 100 else ""
        raise SpecError(f"{label} lies between 0 and 1; got {shown(value)}.{percent}")
    return chance


def flag(label: str, value: Any) -> bool:
    """Return a truth value; raise for a text such as "false"."""
    if not isinstance(value, bool | np.bool_):
        raise SpecError(f"{label} is True or False; got {shown(value)}.")
    return bool(value)


def name(label: str, value: Any, choices: Iterable[str] | None = None) -> str:
    """Return a name; raise unless it is one of the known ones, when these are stated."""
    if not isinstance(value, str):
        raise SpecError(f"{label} is a name, which is text; got {shown(value)}.{_listing(choices)}")
    if choices is not None and value not in (choices := list(choices)):
        raise SpecError(
            f"{label}: there is no {shown(value)}.{_listing(choices)}{did_you_mean(value, choices)}"
        )
    return str(value)


def choice(label: str, value: Any, choices: Iterable[str]) -> str:
    """Return one of several words; raise for another value, and suggest the nearest word."""
    words = list(choices)
    if not isinstance(value, str) or value not in words:
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
        raise SpecError(f"{label} is one of {', '.join(words)}; got {shown(value)}.{hint}")
    return value


def unit_name(label: str, value: Any) -> str:
    """Return the name of a unit as text; raise for a number that was read from another text."""
    if isinstance(value, str) and value.strip():
        return str(value)
    if isinstance(value, Integral) and not isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, Real) and not (isinstance(value, bool) or float(value).is_integer()):
        return str(value)
    value = value.item() if isinstance(value, np.generic) else value
    content = "truth values" if isinstance(value, bool | np.bool_) else shown(value)
    raise SpecError(
        f"{label} holds {content}, and the names of units are text: 'NO', '01' and '1e5' are lost "
        "when they are read as something else. Write them in quotes, or read the column as text: "
        "pd.read_csv(path, dtype={'geo': str})."
    )


def several(value: Any, single: type | UnionType = str) -> tuple[Any, ...] | None:
    """Return one value as a tuple, or a sequence of values; None for what is neither.

    A text is one value and no sequence of letters, and a mapping is no sequence of its keys.

    Examples
    --------
    >>> several("tv"), several(["tv", "radio"]), several({"tv": 1}), several(5)
    (('tv',), ('tv', 'radio'), None, None)
    """
    if isinstance(value, single):
        return (value,)
    is_sequence = isinstance(value, Iterable) and not isinstance(value, str | Mapping)
    return tuple(value) if is_sequence else None


def names(label: str, value: Any, choices: Iterable[str] | None = None) -> list[str]:
    """Return one name or a sequence of names as a list; raise for a name that stands twice."""
    values = several(value)
    if values is None:
        raise SpecError(
            f"{label} is one name or a list of names; got {shown(value)}.{_listing(choices)}"
        )
    choices = None if choices is None else list(choices)
    items = [name(label, item, choices) for item in values]
    for item in items:
        if items.count(item) > 1:
            raise SpecError(f"{label} names '{item}' twice: name it once.")
    return items


def _listing(choices: Iterable[str] | None) -> str:
    if choices is None:
        return ""
    first = sorted(choices)
    suffix = f" and {len(first) - 20} more" if len(first) > 20 else ""
    return f" There is {', '.join(first[:20]) or 'none'}{suffix}."


def instance(verb: str, value: Any, kind: type, advice: str) -> None:
    """Raise for a value of another kind, and say how to get one of the right kind."""
    if not isinstance(value, kind):
        title = f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"
        raise SpecError(f"{verb} takes {title}; got {shown(value)}. {advice}")


def bound(
    title: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    """Bind the arguments of a call; raise for one that is missing, and suggest a known name."""
    parameters = list(signature.parameters)
    for keyword in kwargs:
        if keyword not in parameters:
            raise SpecError(
                f"{title} has no argument '{keyword}'. It takes {', '.join(parameters)}."
                f"{did_you_mean(keyword, parameters)}"
            )
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        raise SpecError(f"{title}: {error}. It takes {', '.join(parameters)}.") from None


def executor(label: str, value: Any) -> Executor | None:
    """Return an executor of `concurrent.futures`, or None."""
    if not isinstance(value, Executor | None):
        raise SpecError(
            f"{label} is one of concurrent.futures, such as ProcessPoolExecutor(2), or "
            f"client.get_executor() of dask; got {shown(value)}."
        )
    return value


def arguments[**P, T](function: Callable[P, T]) -> Callable[P, T]:
    """Refuse arguments that a function does not take, as `verb` does for questions to a fit."""
    signature = inspect.signature(function)

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        bound(function.__name__, signature, args, kwargs)
        return function(*args, **kwargs)

    return checked


def check_keys(mapping: Any, keys: Iterable[str], label: str) -> None:
    """Raise for a value that is no mapping, or an unknown key, and suggest a known one."""
    keys = list(keys)
    if not isinstance(mapping, Mapping):
        raise SpecError(f"{label} must be a mapping; got {shown(mapping)}.")
    for key in mapping:
        if key not in keys:
            word = key if isinstance(key, str) and len(key) < 80 else shown(key)
            raise SpecError(
                f"{label}: unknown key '{word}'. Known: {', '.join(keys)}."
                f"{did_you_mean(str(word), keys)}"
            )
