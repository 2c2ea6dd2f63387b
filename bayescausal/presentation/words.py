"""Numbers and probabilities as a reader wants them; used by the report and the command line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable


def number(x: float) -> str:
    """Three figures, and thousands in full.

    Examples
    --------
    >>> number(7207.15), number(584.8), number(1.2953), number(0.0042), number(-0.001e-9)
    ('7,207', '585', '1.30', '0.0042', '0')
    """
    if not math.isfinite(x):
        return "n/a"
    size = abs(x)
    if size < 1e-9:
        return "0"
    if size < 0.1:
        return f"{x:.2g}"
    return f"{x:,.{0 if size >= 99.95 else 1 if size >= 9.995 else 2}f}"


def share(x: float) -> str:
    """A proportion in percent.

    Examples
    --------
    >>> share(0.0634), share(0.63)
    ('6.3%', '63%')
    """
    if not math.isfinite(x):
        return "n/a"
    return f"{x:.1%}" if abs(x) < 0.0995 else f"{x:.0%}"


def chance(p: float, draws: int) -> str:
    """A probability as precisely as that many draws can tell it.

    Examples
    --------
    >>> chance(1.0, 2000), chance(0.0, 400), chance(0.934, 2000)
    ('above 99.9%', 'below 0.3%', '93%')
    """
    step = max(0.001, math.ceil(1000 / draws) / 1000)
    if p > 1 - step:
        return f"above {1 - step:.1%}"
    if p < step:
        return f"below {step:.1%}"
    return f"{p:.1%}" if p > 0.99 or p < 0.01 else f"{p:.0%}"


def verdict(p: float) -> str:
    """Say how sure it is that a channel returned more than it cost, from P(ROAS > 1).

    Examples
    --------
    >>> verdict(0.99), verdict(0.5)
    ('almost certainly returned more than it cost', 'may or may not have returned what it cost')
    """
    for least, words in (
        (0.975, "almost certainly returned more than it cost"),
        (0.9, "very likely returned more than it cost"),
        (0.75, "probably returned more than it cost"),
        (0.25, "may or may not have returned what it cost"),
        (0.1, "probably returned less than it cost"),
        (0.025, "very likely returned less than it cost"),
    ):
        if p >= least:
            return words
    return "almost certainly returned less than it cost"


PLAIN = {
    "A": "measured by a randomized test",
    "B": "rests on an outside nudge to the channel (an instrument)",
    "C": "measured by a test without randomization",
    "D": "measured at a threshold",
    "E": "a model that a test anchors",
    "F": "no test: from the data, if the graph is right",
    "G": "weak: mostly the prior, barely the data",
    "X": "not identified: the data cannot tell it",
}
"""Grades of evidence for those who do not know the ladder."""


def standing(letter: str) -> str:
    """What a number rests on, in plain words; the letter is a key of `ladder.GRADES`.

    Examples
    --------
    >>> standing("E"), standing("X")
    ('Grade E: a model that a test anchors', 'Not identified (X): the data cannot tell it')
    """
    if letter == "X":
        return "Not identified (X): the data cannot tell it"
    return f"Grade {letter}: {PLAIN[letter]}"


def marked(name: str, letter: str) -> str:
    """A name with its grade; what is not identified says so.

    Examples
    --------
    >>> marked("tv", "E"), marked("tv", "X"), marked("tv", "")
    ('tv (E)', 'tv (X): not identified', 'tv')
    """
    if not letter:
        return name
    return f"{name} ({letter}){': not identified' if letter == 'X' else ''}"


def code(text: str) -> str:
    """Text that Markdown must show as it stands: a name, a line of a graph.

    Examples
    --------
    >>> code("tv -> sales"), code("a`b"), code("`")
    ('`tv -> sales`', '``a`b``', '`` ` ``')
    """
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def listed(names: Iterable[str], last: str = "and") -> str:
    """Join names as a sentence does.

    Examples
    --------
    >>> listed(["tv", "social", "search"]), listed([])
    ('tv, social and search', 'none')
    """
    names = list(names)
    if len(names) < 2:
        return names[0] if names else "none"
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
