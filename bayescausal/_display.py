"""Values as text that fits a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import fields
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 96
"""The longest line of a repr, so that a terminal of 100 columns breaks none."""


def wrapped(text: str, indent: str = "    ") -> str:
    """Break long lines between words; those that follow are indented."""
    return "\n".join(
        line
        if len(line) <= WIDTH
        else textwrap.fill(
            line,
            WIDTH,
            subsequent_indent=indent,
            break_on_hyphens=False,
            tabsize=4,
        )
        for line in text.split("\n")
    )


class Page:
    """A result that prints as a page: lines of text and tables that fit a terminal."""

    def __repr__(self) -> str:
        return wrapped(str(self))


class TablePage(Page):
    """A page of a result whose numbers are one table, its field ``table``."""

    table: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the table, a copy."""
        return self.table.copy()


def html_page(lines: Iterable[str], *tables: pd.DataFrame) -> str:
    """Write lines as paragraphs, and tables below them, as Jupyter shows them."""
    paragraphs = [f"<p>{escape(line)}</p>" for line in lines]
    return "".join([*paragraphs, *(t.round(3).to_html(border=0, na_rep="") for t in tables)])


def amount(x: float) -> str:
    """Write an amount to the unit from 100 on, and to three digits below."""
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"


def filled(start: str, parts: Iterable[str], separator: str, indent: str) -> str:
    """Write parts one after another, and those that do not fit on a line of their own."""
    lines, parts = [start], list(parts)
    for part in parts[:-1]:
        lines = _added(lines, part + separator, indent)
    lines = _added(lines, parts[-1], indent) if parts else lines
    return "\n".join(line.rstrip() for line in lines)


def _added(lines: list[str], part: str, indent: str) -> list[str]:
    if len(lines[-1]) + len(part.rstrip()) <= WIDTH:
        return [*lines[:-1], lines[-1] + part]
    first, *overflow = textwrap.wrap(
        part,
        WIDTH - len(indent),
        drop_whitespace=False,
        break_on_hyphens=False,
    )
    fresh = [indent + first, *(f"{indent}{line.lstrip()}" for line in overflow)]
    return [*lines, *fresh] if lines[-1].strip() else [*lines[:-1], *fresh]


def described(value: Any) -> str:
    """Return the repr of a dataclass: its fields, without those that are None or empty."""
    parts = []
    for field in fields(value):
        content = getattr(value, field.name)
        is_empty = content is None or (isinstance(content, dict | tuple | str) and not content)
        if field.repr and not is_empty:
            parts.append(f"{field.name}={content!r}")
    title = f"{type(value).__name__}("
    if any("\n" in part for part in parts):  # a part with lines of its own, as a graph has
        body = "".join(f"    {part},\n".replace("\n", "\n    ").rstrip() + "\n" for part in parts)
        return f"{title}\n{body})"
    return filled(title, [*parts[:-1], (parts[-1] if parts else "") + ")"], ", ", "    ")
