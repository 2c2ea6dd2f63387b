"""Columns of a frame: which of them a `Dataset` can keep, and why not the others."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from bayescausal.errors import shown

_SPACE = r"[ \u00a0\u202f'\u2019]"
_ENGLISH = re.compile(r"[-+]?\d{1,3}(,\d{2,3})*,\d{3}(\.\d*)?")
_SPACED = re.compile(rf"[-+]?\d{{1,3}}({_SPACE}\d{{3}})+(\.\d*)?")
_COMMA = re.compile(rf"[-+]?(\d{{1,3}}(({_SPACE}|\.)\d{{3}})+|\d+)(,\d+)?")


def unwritable(name: str) -> str:
    """Say why a column of this name could not be saved with a fit, or return an empty string.

    Examples
    --------
    >>> unwritable("tv cost"), unwritable("cost/1000")
    ('', "a name with '/' cannot be saved. Rename it")
    """
    if name in ("", "."):
        return f"the name {name!r} cannot be saved. Rename it"
    bad = [c for c in name if c in "/\0" or "\ud800" <= c <= "\udfff"]
    return f"a name with {bad[0]!r} cannot be saved. Rename it" if bad else ""


def not_numbers(column: pd.Series) -> str:
    """Say what a column holds in place of numbers and how to convert it, or return ''."""
    if pd.api.types.is_numeric_dtype(column):
        return ""
    own = f"frame['{column.name}']"
    values = column.dropna().astype(object)
    odd = values[pd.to_numeric(values, errors="coerce").isna()]
    sample = next(iter([*odd[:1], *values[:1]]), None)
    convert = f"{own} = pd.to_numeric({own})"
    if not isinstance(sample, str):
        if len(odd) or pd.api.types.is_datetime64_any_dtype(column):
            return f"it holds {column.dtype}, not numbers. Leave it out"
        return f"it holds {column.dtype}, not numbers. Convert it: {convert}"
    held = f"it holds text such as {shown(sample)}, not numbers"
    if change := _plain(values, odd):
        return f"{held}. Convert it: {own} = {change}, or write plain numbers in the file"
    first = "Write a number in its place, then convert it" if len(odd) else "Convert it"
    return f"{held}. {first}: {convert}"


def _plain(values: pd.Series, odd: pd.Series) -> str:
    """Return code that makes plain numbers of text with parted thousands or a decimal comma."""
    own = f"frame['{values.name}']"
    own = own if values.map(lambda value: isinstance(value, str)).all() else f"{own}.astype(str)"

    def fits(pattern: re.Pattern[str], column: pd.Series) -> bool:
        return len(odd) > 0 and all(pattern.fullmatch(str(text).strip()) for text in column)

    if fits(_ENGLISH, odd):
        return f"pd.to_numeric({own}.str.replace(',', ''))"
    if fits(_SPACED, odd):
        return f"pd.to_numeric({own}.str.replace(r'[^\\d.+-]', '', regex=True))"
    if fits(_COMMA, values):
        strip = f"{own}.str.replace(r'[^\\d,+-]', '', regex=True)"
        return f"pd.to_numeric({strip}.str.replace(',', '.'))"
    return ""


def left_out(frame: pd.DataFrame, kept: Iterable[str], chosen: bool) -> dict[str, str]:
    """Return why each column that is not kept is left out; ``chosen`` by ``columns=`` or not."""
    kept = {*kept}
    reasons = {}
    for name, column in frame.items():
        if name not in kept:
            why = "columns= does not name it" if chosen else ""
            reasons[str(name)] = why or not_numbers(column) or unwritable(str(name))
    return reasons
