"""Columns of a frame: which of them a `Dataset` can hold, and why it leaves out the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from bayescausal import checks
from bayescausal.errors import DataError, did_you_mean, shown

RESERVED = ("time", "unit", "chain", "draw")
"""Names of dims, which no column may have."""

LARGEST = 1e50
"""The largest number in a table, and one over the smallest maximum of a column."""

_POINT = re.compile(r"[-+]?(\d{1,3}(,\d{2,3})*,\d{3}|\d+)(\.\d*)?")
_COMMA = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
_SIGN = "(?:[A-Z]{3}|[€$£¥₹%])"
_CURRENCY = re.compile(
    rf"(?:{_SIGN}\s*)?[-+]?\d[\d.,]*(?:[\s'\u2019]\d{{3}})*(?:[.,]\d*)?\s*{_SIGN}?"
)


def unwritable(name: str) -> str:
    """Say why a column of this name could not be saved with a fit, or return an empty string.

    Examples
    --------
    >>> unwritable("tv cost"), unwritable("cost/1000")
    ('', "a name with '/' cannot be saved. Rename it")
    """
    if not name.strip() or name == ".":
        return f"the name {name!r} cannot be saved. Rename it"
    characters = [c for c in name if c in "/\0" or "\ud800" <= c <= "\udfff"]
    return f"a name with {characters[0]!r} cannot be saved. Rename it" if characters else ""


def not_numbers(column: pd.Series) -> str:
    """Say what a column holds instead of numbers and how to convert it; empty for numbers."""
    if _is_real(column.dtype):
        return ""
    frame = f"frame['{column.name}']"
    if pd.api.types.is_complex_dtype(column):
        return f"it holds complex numbers. Keep the real part: {frame} = np.real({frame})"
    values = column.dropna().astype(object)
    odd = values[pd.to_numeric(values, errors="coerce").isna()]
    sample = next(iter([*odd[:1], *values[:1]]), None)
    if not isinstance(sample, str):
        if len(odd) or pd.api.types.is_datetime64_any_dtype(column) or sample is None:
            return f"it holds {column.dtype}, not numbers. Leave it out"
        return f"it holds {column.dtype}, not numbers. Convert it: {_numbers(frame, frame)}"
    problem = f"it holds text such as {shown(sample)}, not numbers"
    call = _conversion(values)
    if call is None:
        return f"{problem}. Write a number in its place, then convert it: {_numbers(frame, frame)}"
    alternative = "" if call == "{0}" else ", or write plain numbers in the file"
    return f"{problem}. Convert it: {_numbers(frame, call.format(frame))}{alternative}"


def _numbers(frame: str, text: str) -> str:
    return f"{frame} = pd.to_numeric({text})"


def _conversion(values: pd.Series) -> str | None:
    """Return the pandas calls that turn a column of texts into numbers, None if no calls can."""
    texts = values.astype(str).str.strip()
    if pd.to_numeric(texts, errors="coerce").notna().all():
        return "{0}"
    bare = texts.str.replace(r"[^0-9.,+-]", "", regex=True)
    call = "{0}" if values.map(lambda value: isinstance(value, str)).all() else "{0}.astype(str)"
    if not bare.equals(texts):
        call += ".str.replace(r'[^0-9.,+-]', '', regex=True)"
    if not texts.map(lambda text: bool(_CURRENCY.fullmatch(text))).all():
        return None
    if bare.map(lambda text: bool(_POINT.fullmatch(text))).all():
        return call + (".str.replace(',', '')" if bare.str.contains(",").any() else "")
    if bare.map(lambda text: bool(_COMMA.fullmatch(text))).all():
        call += ".str.replace('.', '')" if bare.str.contains(".", regex=False).any() else ""
        return call + ".str.replace(',', '.')"
    return None


def left_out(frame: pd.DataFrame, selection: Iterable[str], chosen: bool) -> dict[str, str]:
    """Return the reason why each column outside the selection is left out.

    `chosen` tells whether the user named the selection with ``columns=``.
    """
    selection = {*selection}
    reasons = {}
    for name, column in frame.items():
        if name not in selection:
            reason = "columns= does not name it" if chosen else ""
            reasons[str(name)] = reason or not_numbers(column) or unwritable(str(name))
    return reasons


def require(name: Any, choices: Iterable[Any], kind: str, hint: str = "") -> None:
    """Raise unless a name is among the choices; the message lists the choices."""
    names = sorted(map(str, choices))
    if name not in names:
        raise DataError(
            f"There is no {kind} '{name}'. There are: {', '.join(names[:30]) or 'none'}.{hint}"
            f"{did_you_mean(name, names)}"
        )


def require_once(name: Any, frame: pd.DataFrame, costs: Mapping[str, str]) -> None:
    """Raise unless a frame has a column exactly once; `costs` are as `costs_of` returns them."""
    odd = [c for c in frame.columns if not isinstance(c, str)]
    if odd:
        raise DataError(
            f"Names of columns must be text; got {odd[0]!r}. Flatten or rename them: "
            "frame.columns = frame.columns.map(str)."
        )
    hint = _index_hint(name, frame.index)
    if name in costs and name not in costs.values():
        cost = costs[name]
        hint += (
            f" In spend={{'{name}': '{cost}'}} the key is the exposure, a column too, and the "
            f"value what it costs; where the cost is all there is, name it: spend=['{cost}']."
        )
    require(name, frame.columns, "column", hint)
    if (frame.columns == name).sum() > 1:
        raise DataError(f"There are two columns '{name}'. Rename or drop one of them.")


def require_number(name: Any, column: pd.Series) -> None:
    """Raise unless a column holds numbers, under a name that a fit can save."""
    if name in RESERVED:
        raise DataError(
            f"A column cannot be called '{name}', which names a dim ({', '.join(RESERVED)}). "
            "Rename it, or leave it out with columns=."
        )
    if problem := unwritable(str(name)):
        raise DataError(
            f"Column '{name}' cannot be used: {problem}, or leave it out with columns=."
        )
    if problem := not_numbers(column):
        raise DataError(f"Column '{name}' cannot be used: {problem}.")


def require_computable(label: str, largest: float) -> None:
    """Raise where the square of an effect in currency per spend would leave the floating range."""
    if largest and not 1 / LARGEST <= largest <= LARGEST:
        raise DataError(
            f"{label} is {largest:.3g} at its largest. Beyond {LARGEST:g} or below {1 / LARGEST:g} "
            "a spread comes out as infinite or as zero, because computers square it. State it in "
            "other units, such as thousands or millions."
        )


def costs_of(spend: Any) -> dict[str, str]:
    """Return the cost column of each treatment; a bare name is its own cost column."""
    if not isinstance(spend, Mapping):
        return {name: name for name in as_names(spend, "spend")}
    for treatment, name in spend.items():
        if not isinstance(treatment, str) or not isinstance(name, str):
            raise DataError(
                f"spend={shown(dict(spend))} says what a treatment costs by the name of a column: "
                "{'tv': 'tv_cost'}."
            )
    return dict(spend)


def as_names(value: Any, argument: str) -> list[str]:
    """Return one name or several as a list."""
    names = checks.several(value)
    if names is None:
        raise DataError(f"{argument} takes names of columns; got {shown(value)}.")
    return list(names)


def numeric(frame: pd.DataFrame, keys: set[str | None]) -> list[str]:
    """Return the names of the columns of real numbers, except the `keys`."""
    return [c for c in frame.columns[[*map(_is_real, frame.dtypes)]] if c not in keys]


def _is_real(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)


def _index_hint(name: Any, index: pd.Index) -> str:
    """Say how the column that a name means comes out of the index, if it is there."""
    if name is not None and name in index.names:
        return f" '{name}' is the index: give frame.reset_index()."
    if isinstance(index, pd.DatetimeIndex) and index.name is None:
        return f" The index has dates and no name: give frame.rename_axis('{name}').reset_index()."
    return ""
