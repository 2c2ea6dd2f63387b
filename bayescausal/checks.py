"""What a call may be given: one guard for each kind of value, whatever the noun or verb.

Each takes the name of the argument and its value, and returns the value in its plain Python type
or raises a SpecError that says what was wrong with it and what to write.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from bayescausal.errors import SpecError, did_you_mean, shown

MEMORY = 2e9
"""Bytes above which a request is refused."""

_SEEDS = 2**128


def number(what: str, value: Any) -> float:
    """Return a finite number as a float, whichever library it is of."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise SpecError(f"{what} must be a number; got {shown(value)}.{_text_hint(value)}")
    if not math.isfinite(value):
        raise SpecError(f"{what} must be finite; got {shown(value)}.")
    try:
        return float(value)
    except OverflowError:
        raise SpecError(f"{what} is too large: {shown(value)}.") from None


def _text_hint(value: Any) -> str:
    """Say which number a text would be."""
    text = value.strip() if isinstance(value, str) else ""
    point = text.replace(",", ".", 1)
    try:
        meant = float(point)
    except ValueError:
        return ""
    if not math.isfinite(meant) or "_" in text:
        return ""
    why = "A comma is no decimal point." if point != text else "This is text, no number."
    return f" {why} Write {int(meant) if meant.is_integer() else meant}."


def count(what: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """Return a whole number from ``least`` to ``most`` as an int, whichever library it is of."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral) or int(value) < least:
        raise SpecError(
            f"{what} is a whole number, {least} or more; got {shown(value)}.{_text_hint(value)}"
        )
    if most is not None and int(value) > most:
        raise SpecError(f"{what} is at most {most:,}; got {shown(int(value))}.")
    return int(value)


def affordable(what: str, value: int, each: float) -> None:
    """Raise when ``value`` things of ``each`` bytes take more than `MEMORY`."""
    if value * each > MEMORY:
        raise SpecError(
            f"{what}={shown(value)} would take about {value * each / 1e9:,.3g} GB of memory; "
            f"requests above {MEMORY / 1e9:g} GB are refused. At most {int(MEMORY / each):,} "
            "would do."
        )


def seed(what: str, value: Any) -> int:
    """Return a seed as an int."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral) or int(value) < 0:
        raise SpecError(
            f"{what} is a whole number, 0 or more, from which a generator is made, so that the "
            f"same draws come again; got {shown(value)}. Try {what.split()[-1]}=1."
        )
    if int(value) >= _SEEDS:
        raise SpecError(f"{what} has at most 128 bits; got {shown(int(value))}. Try 1.")
    return int(value)


def seed_or_drawn(what: str, value: Any) -> int:
    """Return a seed as an int, a fresh one for None."""
    return int(np.random.default_rng().integers(2**31)) if value is None else seed(what, value)


def probability(what: str, value: Any) -> float:
    """Return a number between 0 and 1, both excluded."""
    chance = number(what, value)
    if not 0 < chance < 1:
        percent = f" Write {chance / 100:g} for {chance:g} percent." if 1 < chance < 100 else ""
        raise SpecError(f"{what} lies between 0 and 1; got {shown(value)}.{percent}")
    return chance


def flag(what: str, value: Any) -> bool:
    """Return a truth value; the text "false" is none."""
    if not isinstance(value, bool | np.bool_):
        raise SpecError(f"{what} is True or False; got {shown(value)}.")
    return bool(value)


def name(what: str, value: Any, known: Iterable[str] | None = None) -> str:
    """Return a name, if need be one of those that are there."""
    if not isinstance(value, str):
        raise SpecError(f"{what} is a name, which is text; got {shown(value)}.{_there(known)}")
    if known is not None and value not in (known := list(known)):
        raise SpecError(
            f"{what}: there is no {shown(value)}.{_there(known)}{did_you_mean(value, known)}"
        )
    return str(value)


def unit_name(what: str, value: Any) -> str:
    """Return the name of a unit as text; a number that was read from another text is refused."""
    if isinstance(value, str) and value.strip():
        return str(value)
    if isinstance(value, Integral) and not isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, Real) and not (isinstance(value, bool) or float(value).is_integer()):
        return str(value)
    value = value.item() if isinstance(value, np.generic) else value
    held = "truth values" if isinstance(value, bool | np.bool_) else shown(value)
    raise SpecError(
        f"{what} holds {held}, and the names of units are text: 'NO', '01' and '1e5' are lost when "
        "they are read as something else. Write them in quotes, or read the column as text: "
        "pd.read_csv(path, dtype={'geo': str})."
    )


def names(what: str, value: Any, known: Iterable[str] | None = None) -> list[str]:
    """Return one name or a sequence of names as a list; a name that stands twice is refused."""
    if isinstance(value, str):
        return [name(what, value, known)]
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise SpecError(
            f"{what} is one name or a list of names; got {shown(value)}.{_there(known)}"
        )
    known = None if known is None else list(known)
    several = [name(what, each, known) for each in value]
    for each in several:
        if several.count(each) > 1:
            raise SpecError(f"{what} names '{each}' twice: name it once.")
    return several


def _there(known: Iterable[str] | None) -> str:
    if known is None:
        return ""
    first = sorted(known)
    more = f" and {len(first) - 20} more" if len(first) > 20 else ""
    return f" There is {', '.join(first[:20]) or 'none'}{more}."


def instance(verb: str, value: Any, kind: type, advice: str) -> None:
    """Raise for a value of another kind, with what gives one of the right kind."""
    if not isinstance(value, kind):
        raise SpecError(f"{verb} takes a {kind.__name__}; got {shown(value)}. {advice}")


def check_keys(given: Any, known: Iterable[str], where: str) -> None:
    """Raise for what is no mapping, and for a key that nothing reads, with a suggestion."""
    known = list(known)
    if not isinstance(given, Mapping):
        raise SpecError(f"{where} must be a mapping; got {shown(given)}.")
    for key in given:
        if key not in known:
            word = key if isinstance(key, str) and len(key) < 80 else shown(key)
            raise SpecError(
                f"{where}: unknown key '{word}'. Known: {', '.join(known)}."
                f"{did_you_mean(str(word), known)}"
            )
