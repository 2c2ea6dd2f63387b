"""Readers and writers of graphs as text: our own grammar, Graphviz DOT and dagitty.

Everything here works on `Claims`, plain lists of what a text says; `Graph` turns them into a
checked value. No token is dropped in silence: what cannot be read is an error that names the
token, the line number and the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, pairwise, product
from os import PathLike
from typing import NamedTuple

from bayescausal.errors import GraphError, did_you_mean, shortened, shown

_FORBIDDEN = '<>@:/,"#\\'
_WORD = r"[\w.]+(?:-[\w.]+)*"
_PLAIN = r"(?i:(?!(?:strict|(di|sub)?graph|node|edge|dag|mag|pdag|pag)$))[A-Za-z_][A-Za-z0-9_]*"
_COSMETIC = re.compile(
    r"arrow\w+|bb|bgcolor|center|class|(fill)?color(scheme)?|comment|concentrate|constraint|dpi|"
    r"fixedsize|font\w+|group|(head|tail|x)?label\w*|(head|tail)port|height|href|id|image|layout|lp|"
    r"margin|minlen|ordering|orientation|overlap|pad|penwidth|peripheries|pos|rank(dir|sep)?|ratio|"
    r"rotate|nodesep|shape|sides|size|splines|style|target|tooltip|url|URL|weight|width|xlp"
)
_DIALECTS = {  # a latent node, an outcome, a lagged edge, a bidirected edge
    "digraph": (
        "[observed=no, style=dashed]",
        "[outcome=true]",
        '{0} -> {1} [lag={2}, label="@{2}"]',
        "{} -> {} [dir=both, style=dashed]",
    ),
    "dag": ("[latent]", "[outcome]", "{} -> {} [lag={}]", "{} <-> {}"),
}
TRUTH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_ROLES = {
    **dict.fromkeys(("latent", "unobserved", "l", "u", "observed"), "latent"),
    **dict.fromkeys(("outcome", "o"), "outcome"),
    **dict.fromkeys(("exposure", "e", "adjusted", "a"), ""),  # part of a question, not of a graph
}


@dataclass
class Claims:
    """The unchecked content of a text: the fields of a `Graph` as plain lists."""

    edges: list[tuple[str, str, int]] = field(default_factory=list)
    bidirected: list[tuple[str, str]] = field(default_factory=list)
    latent: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    isolated: list[str] = field(default_factory=list)

    def connect(self, groups: Sequence[list[str]], arrows: Iterable[str], lag: int) -> None:
        """Add the edges of a chain of groups: ``a, b -> c <- d`` joins neighbors, all with all."""
        for (left_group, right_group), arrow in zip(pairwise(groups), arrows, strict=True):
            for a, b in product(left_group, right_group):
                if arrow == "<->":
                    self.bidirected.append((a, b))
                else:
                    self.edges.append((a, b, lag) if arrow == "->" else (b, a, lag))


def name_problem(name: object) -> str:
    """Say why `name` cannot name a node, or return an empty string.

    Examples
    --------
    >>> name_problem("paid search"), name_problem("tv/radio")[:43]
    ('', "'tv/radio' cannot name a node: it holds '/'")
    """
    if not isinstance(name, str):
        reason = f"it is of type {type(name).__name__}, not a string"
    elif not name.strip("."):
        reason = "it is empty or only dots"
    elif name != name.strip():
        reason = "it starts or ends with white space"
    elif characters := [c for c in name if c in _FORBIDDEN or not c.isprintable()]:
        reason = f"it holds {characters[0]!r}"
    else:
        return ""
    return (
        f"{shown(name)} cannot name a node: {reason}. Names become variables of the model and "
        f"groups of a netCDF file: no {' '.join(_FORBIDDEN)} or line break, no white space around. "
        "Rename it."
    )


class _Token(NamedTuple):
    kind: str  # word, quoted, arrow, mark, bad or end
    text: str
    line: int


def _scanner(comment: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?P<skip>\s+|{comment})"
        r'|(?P<quoted>"(?:[^"\\]|\\.)*")'
        r"|(?P<arrow>(?:<->|->|<-)(?![-<>=@]))"
        rf"|(?P<word>{_WORD})"
        r"|(?P<mark>[,:;{}\[\]]|=(?![=>])|@(?![-@>]))"
        r"|(?P<bad>[-<>=@~|]+|.)",
        re.DOTALL,
    )


_TEXT = _scanner(r"\#[^\n]*")
_BRACES = _scanner(r"\#[^\n]*|//[^\n]*|/\*.*?\*/")


class _Reader:
    """A cursor over the tokens of `source`, whose errors show the place."""

    def __init__(self, source: str, scanner: re.Pattern[str], line: int = 1) -> None:
        self.lines = dict(enumerate(source.split("\n"), line))
        self.tokens: list[_Token] = []
        for match in scanner.finditer(source):
            kind, lexeme = str(match.lastgroup), match.group()
            if kind != "skip":
                text = lexeme[1:-1] if kind == "quoted" else lexeme
                self.tokens.append(_Token(kind, text, line))
            line += lexeme.count("\n")
        self.tokens.append(_Token("end", "the end", line))

    @property
    def token(self) -> _Token:
        return self.tokens[0]

    def fail(self, expected: str, token: _Token | None = None) -> GraphError:
        """Return the error for `token`, by default for the current token."""
        token = token or self.token
        label = token.text if token.kind == "end" else shown(token.text)
        advice = _advice(token.text) if token.kind == "bad" else ""
        place = f"Line {token.line}, at {label}: "
        line = shortened(self.lines[token.line].strip(), 300)
        return GraphError(f"{place}{expected}{advice}\n    {line}")

    def take(self, *texts: str) -> _Token | None:
        """Consume and return the current token if it is one of `texts`, unquoted."""
        if self.token.kind in ("quoted", "end") or self.token.text not in texts:
            return None
        return self.tokens.pop(0)

    def word(self, expected: str) -> _Token:
        if self.token.kind not in ("word", "quoted"):
            raise self.fail(f"expected {expected}.")
        return self.tokens.pop(0)

    def name(self) -> str:
        token = self.word("the name of a node")
        if problem := name_problem(token.text):
            raise self.fail(problem, token)
        return token.text

    def followed_by(self, text: str) -> bool:
        return self.token.kind == "word" and self.tokens[1][:2] == ("mark", text)


def _advice(token: str) -> str:
    if token == '"':
        return " The double quote is never closed."
    if token == "--":
        return " It makes no causal claim: write `a -> b`, or `a <-> b` for a latent common cause."
    if "@" in token:
        return " Write a lag as `a -> b @ 1`, and orient the open ends of a PAG: it is many graphs."
    return " Arrows are ->, <-, <->. Such characters stand in double quotes; HTML is not read."


def a_kind(value: object) -> str:
    """Return the type of a value with its article: ``a list``, ``an int``, ``None``."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _checked_text(text: object) -> str:
    """Return the text, or raise an error that says how to read another type of value."""
    if isinstance(text, str):
        return text
    if hasattr(text, "is_directed"):
        way = "Graph.from_networkx reads a DiGraph."
    elif isinstance(text, bytes):
        way = "Decode it first: text.decode()."
    elif isinstance(text, PathLike):
        way = "Read the file first: path.read_text()."
    elif isinstance(text, Iterable):
        way = "Edges as values are Graph(edges=[('tv', 'sales')], outcomes='sales')."
    else:
        way = "Write 'tv -> sales', one statement a line."
    raise GraphError(f"A graph is read from text; got {a_kind(text)}. {way}")


def read_text(text: str) -> Claims:
    """Read our own grammar, one statement a line.

    ``a, b -> c, d``; chains ``a -> b -> c``; ``a <- b``; ``a <-> b`` (an unobserved common cause);
    a lag ``sales -> tv @ 1``; ``latent: u, v``; ``outcome: y``; a bare ``a, b`` declares nodes
    without edges; ``# comment``; names with spaces stand in double quotes.

    Examples
    --------
    >>> read_text('"paid search" -> sales @ 1').edges
    [('paid search', 'sales', 1)]
    """
    claims = Claims()
    for number, line in enumerate(_checked_text(text).splitlines(), 1):
        reader = _Reader(line, _TEXT, number)
        if reader.token.kind != "end":
            _read_statement(reader, claims)
    return claims


def _read_statement(reader: _Reader, claims: Claims) -> None:
    if reader.followed_by(":"):
        lists = {"latent": claims.latent, "outcome": claims.outcomes}
        if (keyword := reader.token.text) not in lists:
            close = did_you_mean(keyword, lists)
            raise reader.fail(f"a line starts with `latent:` or `outcome:`.{close}")
        del reader.tokens[:2]
        lists[keyword] += _read_names(reader)
    else:
        groups, arrows = _read_chain(reader, _read_names)
        claims.connect(groups, arrows, _read_lag(reader, arrows))
        if not arrows:
            claims.isolated += groups[0]
    if reader.token.kind != "end":
        advice = " A name with spaces stands in double quotes; DOT is read by Graph.from_dot, "
        advice = "" if reader.token.kind == "bad" else advice + "dagitty by Graph.from_dagitty."
        raise reader.fail(f"expected an arrow, a comma, `@` or the end of the line.{advice}")


def _read_chain(
    reader: _Reader, read_group: Callable[[_Reader], list[str]]
) -> tuple[list[list[str]], list[str]]:
    groups, arrows = [read_group(reader)], []
    while arrow := reader.take("->", "<-", "<->"):
        arrows.append(arrow.text)
        groups.append(read_group(reader))
    return groups, arrows


def _read_names(reader: _Reader) -> list[str]:
    names = [reader.name()]
    while reader.take(","):
        names.append(reader.name())
    return names


def _read_lag(reader: _Reader, arrows: list[str]) -> int:
    mark = reader.take("@")
    if mark and arrows not in (["->"], ["<-"]):
        advice = "Give each arrow of a chain its own line, `a -> b @ 1` then `b -> c`."
        raise reader.fail(f"a lag belongs to one directed arrow; `<->` has none. {advice}", mark)
    return _parse_lag(reader, reader.word("a whole number of periods")) if mark else 0


def _parse_lag(reader: _Reader, token: _Token) -> int:
    if not re.fullmatch(r"[0-9]+", token.text):
        raise reader.fail("a lag is a whole number of periods, zero or more: 0, 1, 2.", token)
    digits = token.text.lstrip("0") or "0"
    if len(digits) > 18:
        raise reader.fail(
            "a lag is at most 10,000 periods.", token._replace(text=digits[:18] + "...")
        )
    return int(digits)


def read_braces(text: str, keyword: str) -> Claims:
    """Read DOT (``digraph {...}``) or dagitty (``dag {...}``), which share one syntax.

    Nodes take ``[latent]``, ``[unobserved]``, ``[observed=no]``, ``[latent=true]``, ``[outcome]``
    and dagitty's short forms; edges ``[lag=1]`` and ``[dir=both]`` (bidirected), on each edge of a
    chain. ``[exposure]`` and ``[adjusted]`` belong to a question, not to a graph: they are read
    and left out, as are attributes of the drawing (color, pos, label). Any other attribute is an
    error. ``x [latent]`` and ``x [outcome]`` speak of a node that other statements declare, so
    that a misspelled one is found.

    Examples
    --------
    >>> read_braces("digraph { {a b} -> c [lag=1] }", "digraph").edges
    [('a', 'c', 1), ('b', 'c', 1)]
    >>> read_braces('dag { u [latent,pos="0,1"]; x <- u -> y }', "dag").latent
    ['u']
    """
    reader, claims = _Reader(_checked_text(text), _BRACES), Claims()
    reader.take("strict")
    opening = reader.take(keyword)
    if opening and reader.token.kind in ("word", "quoted"):
        reader.word("a title")
    if not (opening and reader.take("{")):
        raise reader.fail(
            f"expected '{keyword} {{'. Graph.from_dot reads `digraph {{...}}`, Graph.from_dagitty "
            "`dag {...}`; undirected and partially directed graphs are not one causal claim."
        )
    while not reader.take("}"):
        if not reader.take(";"):
            _read_braced(reader, claims, reserved=keyword == "digraph")
    if reader.token.kind != "end":
        raise reader.fail("expected nothing after the closing brace.")
    return claims


def _read_braced(reader: _Reader, claims: Claims, reserved: bool) -> None:
    if reserved and reader.followed_by("[") and reader.take("graph", "node", "edge"):
        for key, _ in _read_attributes(reader):
            _check_cosmetic(reader, key)
        return
    if reserved and reader.token[:2] == ("word", "subgraph"):
        raise reader.fail("subgraphs are not read. Write `{a b} -> c` without a name.")
    if reader.followed_by("="):
        _check_cosmetic(reader, reader.word("an attribute"))
        del reader.tokens[0]
        reader.word("a value")
        return
    groups, arrows = _read_chain(reader, _read_group)
    if arrows:
        arrows, lag = _read_edge_attributes(reader, arrows)
        claims.connect(groups, arrows, lag)
    else:
        _read_node_attributes(reader, claims, groups[0])


def _read_group(reader: _Reader) -> list[str]:
    if not reader.take("{"):
        return [reader.name()]
    names = [reader.name()]
    while not reader.take("}"):
        if not reader.take(";", ","):
            names.append(reader.name())
    return names


def _read_attributes(reader: _Reader) -> list[tuple[_Token, str]]:
    attributes = []
    while reader.take("["):
        while not reader.take("]"):
            if not reader.take(",", ";"):
                key = reader.word("the name of an attribute")
                attributes.append(
                    (key, reader.word("a value").text if reader.take("=") else "true")
                )
    return attributes


def _check_cosmetic(reader: _Reader, key: _Token) -> None:
    if not _COSMETIC.fullmatch(key.text):
        close = did_you_mean(key.text, [*_ROLES, "lag", "dir"])
        raise reader.fail(
            f"this attribute is not understood here.{close} Nodes take latent, observed, outcome, "
            "edges lag and dir, each at its place; those of a drawing are ignored. Delete others.",
            key,
        )


def _read_edge_attributes(reader: _Reader, arrows: list[str]) -> tuple[list[str], int]:
    lag = 0
    for key, value in _read_attributes(reader):
        if key.text == "lag":
            lag = _parse_lag(reader, key._replace(text=value))
        elif key.text == "dir" and value == "both":
            arrows = ["<->"] * len(arrows)
        elif key.text == "dir" and value != "forward":
            raise reader.fail(f"dir={value} is unclear: write dir=both or turn the arrow.", key)
        elif key.text != "dir":
            _check_cosmetic(reader, key)
    if lag and "<->" in arrows:
        raise reader.fail("a bidirected edge, just before this, has no lag. Delete `lag`.")
    return arrows, lag


def _read_node_attributes(reader: _Reader, claims: Claims, names: list[str]) -> None:
    declared = names
    for key, value in _read_attributes(reader):
        if key.text not in _ROLES:
            _check_cosmetic(reader, key)
            continue
        role, holds = _ROLES[key.text], TRUTH.get(value.lower())
        if holds is None:
            raise reader.fail(f"'{value}' is neither yes nor no (true, false).", key)
        if role == "latent" and holds != (key.text == "observed"):
            claims.latent += names
            declared = []
        elif role == "outcome" and holds:
            claims.outcomes += names
            declared = []
    claims.isolated += declared


def _quoted(*names: str, pattern: str = _WORD) -> str:
    return ", ".join(v if re.fullmatch(pattern, v) else f'"{v}"' for v in names)


def write_text(claims: Claims) -> str:
    """Write our own grammar, one line for each source and lag; `read_text` reads it back.

    Examples
    --------
    >>> print(write_text(Claims([("a", "b", 0), ("a", "c", 0), ("b", "a", 1)])))
    a -> b, c
    b -> a @ 1
    """
    edges = sorted(claims.edges, key=lambda e: (e[0], e[2], e[1]))
    lines = [
        f"{_quoted(source)} -> {_quoted(*(e[1] for e in group))}" + (f" @ {lag}" if lag else "")
        for (source, lag), group in groupby(edges, key=lambda e: (e[0], e[2]))
    ]
    lines += [f"{_quoted(a)} <-> {_quoted(b)}" for a, b in claims.bidirected]
    roles = (("", claims.isolated), ("latent: ", claims.latent), ("outcome: ", claims.outcomes))
    lines += [label + _quoted(*sorted(names)) for label, names in roles if names]
    return "\n".join(lines)


def write_braces(claims: Claims, keyword: str) -> str:
    """Write DOT (keyword ``digraph``) or dagitty (``dag``); `read_braces` reads it back.

    Examples
    --------
    >>> write_braces(Claims([("a", "b", 1)], latent=["a"]), "dag").splitlines()
    ['dag {', '  a [latent]', '  a -> b [lag=1]', '}']
    """
    name = partial(_quoted, pattern=_PLAIN)
    latent, outcome, lagged, bidirected = _DIALECTS[keyword]
    lines = [name(v) for v in claims.isolated]
    lines += [f"{name(v)} {latent}" for v in sorted(claims.latent)]
    lines += [f"{name(v)} {outcome}" for v in sorted(claims.outcomes)]
    for source, target, lag in claims.edges:
        lines.append((lagged if lag else "{} -> {}").format(name(source), name(target), lag))
    lines += [bidirected.format(name(a), name(b)) for a, b in claims.bidirected]
    return "\n".join([f"{keyword} {{", *(f"  {line}" for line in lines), "}"])
