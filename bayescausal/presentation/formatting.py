"""Format numbers and probabilities for readers of the report and the command line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from bayescausal.identification.grades import Letter
from bayescausal.thresholds import EXTRAPOLATED_MOST, EXTRAPOLATED_PART, LIKELY, UNLIKELY


def number(x: float) -> str:
    """Format a number with three significant figures, or with all its digits before the point.

    Examples
    --------
    >>> number(7207.15), number(584.8), number(1.2953), number(0.0042), number(-0.001e-9)
    ('7,207', '585', '1.30', '0.0042', '0')
    >>> number(math.nan), number(math.inf)
    ('n/a', '∞')
    """
    if math.isnan(x):
        return "n/a"
    if math.isinf(x):
        return "∞" if x > 0 else "-∞"
    size = abs(x)
    if size < 1e-9:
        return "0"
    if size < 0.1:
        return f"{x:.2g}"
    return f"{x:,.{0 if size >= 99.95 else 1 if size >= 9.995 else 2}f}"


def share(x: float) -> str:
    """Format a proportion in percent.

    Examples
    --------
    >>> share(0.0634), share(0.63), share(-0.00001)
    ('6.3%', '63%', '0.0%')
    """
    if not math.isfinite(x):
        return "n/a"
    return f"{round(x, 3) + 0.0:.1%}" if abs(x) < 0.0995 else f"{x:.0%}"


def chance(p: float, draws: int) -> str:
    """Format a probability as precisely as that many draws can tell it.

    Examples
    --------
    >>> chance(1.0, 2000), chance(0.0, 400), chance(0.934, 2000)
    ('above 99.9%', 'below 0.3%', '93%')
    """
    if math.isnan(p):
        return "n/a"
    step = max(0.001, math.ceil(1000 / draws) / 1000)
    if p > 1 - step:
        return f"above {1 - step:.1%}"
    if p < step:
        return f"below {step:.1%}"
    return f"{p:.1%}" if p > 0.99 or p < 0.01 else f"{p:.0%}"


def verdict(p: float, priced: bool = True) -> str:
    """Say how sure it is that a channel returned more than it cost, from P(ROAS > 1).

    Unless a unit of the outcome was `priced`, ROAS counts units, and 1 need not be break-even.

    Examples
    --------
    >>> verdict(0.99), verdict(0.5)
    ('almost certainly returned more than it cost', 'may or may not have returned what it cost')
    >>> verdict(0.99, priced=False)
    'almost certainly returned more than 1 per 1 spent'
    """
    cost = "it cost" if priced else "1 per 1 spent"
    break_even = "what it cost" if priced else "1 per 1 spent"
    for least, words in (
        (0.975, f"almost certainly returned more than {cost}"),
        (LIKELY, f"very likely returned more than {cost}"),
        (0.75, f"probably returned more than {cost}"),
        (0.25, f"may or may not have returned {break_even}"),
        (UNLIKELY, f"probably returned less than {cost}"),
        (0.025, f"very likely returned less than {cost}"),
    ):
        if p >= least:
            return words
    return f"almost certainly returned less than {cost}"


def worth(outcome: str, value: str | float) -> str:
    """Say what one unit of the outcome counts; 1 is the default, so it may be no price at all.

    Examples
    --------
    >>> worth("sales", 1.0)  # doctest: +ELLIPSIS
    'Counts one unit of sales as worth 1.00. If that is revenue, not margin, ...'
    >>> worth("sales", 0.4)
    'Counts one unit of sales as worth 0.40.'
    """
    if isinstance(value, str):
        return f"Counts one unit of {outcome} as worth what the column '{value}' says."
    caveat = " If that is revenue, not margin, break-even lies above 1." if value == 1 else ""
    return f"Counts one unit of {outcome} as worth {number(value)}.{caveat}"


def next_step(
    letter: str,
    p: float,
    p_text: str,
    *,
    tested: bool,
    conflict: bool = False,
    terms: Sequence[str] = (),
) -> str:
    """Say what follows for the next unit of spend, in one sentence.

    It is about the margin only: where mROAS is not known there is nothing to say. Not for a fit
    that has not converged.

    Parameters
    ----------
    letter : str
        Grade of mROAS.
    p : float
        P(mROAS > 1), with units of the outcome counted at their worth.
    p_text : str
        The same in words, see `chance`.
    tested : bool
        Whether an experiment measured the channel; without one, even grades A to E are hedged.
    conflict : bool
        Whether a test of it disagrees with the fitted model.
    terms : sequence of str
        Conditions to say first, such as what a unit of the outcome is worth.

    Examples
    --------
    >>> next_step("E", 0.96, "96%", tested=True)
    'The next 1 spent very likely pays back (chance 96%): room to spend more.'
    >>> next_step("X", 0.96, "96%", tested=False)
    'Do not move money on this number: test it first.'
    """
    if letter in (Letter.G, Letter.X):
        return "Do not move money on this number: test it first."
    if conflict:
        return "Do not move money on this number: a test and the model disagree."
    firm = tested and letter != Letter.F
    terms = [*terms] if firm else [*terms, "if the graph is right"]
    if p >= LIKELY:
        words = f"the next 1 spent very likely pays back (chance {p_text}): "
        words += "room to spend more." if firm else "test before moving much money."
    elif p <= UNLIKELY:
        words = f"the next 1 spent very likely does not pay back (chance that it does: {p_text}): "
        words += "spend less." if firm else "test before moving much money."
    else:
        words = f"whether the next 1 spent pays back is open (chance {p_text}): "
        words += "a test of more spend would tell."
    words = f"{listed(terms)}, {words}" if terms else words
    return words[:1].upper() + words[1:]


def extrapolated(part: float) -> str:
    """Say how much of an effect lies below what was observed; nothing where it is little.

    Examples
    --------
    >>> extrapolated(0.75)
    '75% of it lies below the lowest exposure that was seen: mostly the curve, not the data.'
    >>> extrapolated(0.3)
    '30% of it lies below the lowest exposure that was seen, where the curve speaks.'
    >>> extrapolated(0.1), extrapolated(math.nan)
    ('', '')
    """
    if not part >= EXTRAPOLATED_PART:
        return ""
    text = f"{part:.0%} of it lies below the lowest exposure that was seen"
    if part >= EXTRAPOLATED_MOST:
        return f"{text}: mostly the curve, not the data."
    return f"{text}, where the curve speaks."


PLAIN = {
    Letter.A: "measured by a randomized test",
    Letter.B: "rests on an outside nudge to the channel (an instrument)",
    Letter.C: "measured by a test without randomization",
    Letter.D: "measured at a threshold",
    Letter.E: "a model that a test anchors",
    Letter.F: "no test: from the data, if the graph is right",
    Letter.G: "weak: mostly the prior, barely the data",
    Letter.X: "not identified: the data cannot tell it",
}
"""Grades of evidence for those who do not know the ladder."""


def standing(letter: str) -> str:
    """Say in plain words what a number rests on; the letter is a key of `ladder.GRADES`.

    Examples
    --------
    >>> standing("E"), standing("X")
    ('Grade E: a model that a test anchors', 'Not identified (X): the data cannot tell it')
    """
    if letter == Letter.X:
        return "Not identified (X): the data cannot tell it"
    return f"Grade {letter}: {PLAIN[Letter(letter)]}"


def graded_name(name: str, letter: str) -> str:
    """Put the grade behind a name, and say so when its effect is not identified.

    Examples
    --------
    >>> graded_name("tv", "E"), graded_name("tv", "X"), graded_name("tv", "")
    ('tv (E)', 'tv (X): not identified', 'tv')
    """
    if not letter:
        return name
    return f"{name} ({letter}){': not identified' if letter == Letter.X else ''}"


def code(text: str) -> str:
    """Quote text that Markdown must show unchanged: a name, or a line of a graph.

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
