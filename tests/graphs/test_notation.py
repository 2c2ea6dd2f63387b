"""The three languages: what each statement means, and every error with its place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescausal.errors import GraphError
from bayescausal.graphs.graph import Edge, Graph

laws = settings(deadline=None, max_examples=80)  # a busy machine is no counterexample


def edges(*texts):
    return tuple(sorted(Edge.parse(text) for text in texts))


# Text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a -> b", edges("a->b")),
        ("a->b", edges("a->b")),
        ("b <- a", edges("a->b")),
        ("a, b -> c, d", edges("a->c", "a->d", "b->c", "b->d")),
        ("a -> b -> c", edges("a->b", "b->c")),
        ("a -> b <- c", edges("a->b", "c->b")),
        ("a, b -> c -> d, e", edges("a->c", "b->c", "c->d", "c->e")),
        ("sales -> tv @ 1", edges("sales->tv@1")),
        ("sales->tv@12", edges("sales->tv@12")),
        ("tv <- sales @ 1", edges("sales->tv@1")),
        ("a, b -> c @ 2", edges("a->c@2", "b->c@2")),
        ("a -> b @ 0", edges("a->b")),
        ("a -> b # c -> d", edges("a->b")),
        ("a -> b\r\n\n   # only a comment\n\tb -> c\r\n", edges("a->b", "b->c")),
        ('"paid search" -> "a -b.c", d', edges("paid search->a -b.c", "paid search->d")),
        ('"tv"->tv2', edges("tv->tv2")),
        ("paid-search -> ctr.v2 -> é市_1", edges("paid-search->ctr.v2", "ctr.v2->é市_1")),
        ("latent -> outcome", edges("latent->outcome")),
    ],
)
def test_text_edges(text, expected):
    assert Graph.parse(text).edges == expected


def test_text_statements_that_are_no_edges():
    graph = Graph.parse("a <-> b, c <-> d\nx, y\nu -> a\nlatent: u\nlatent: b, c\noutcome: a")
    assert graph.bidirected == (("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"))
    assert graph.isolated == ("x", "y")
    assert graph.latent == {"u", "b", "c"}
    assert graph.outcomes == ("a",)


def test_chain_of_mixed_arrows():
    graph = Graph.parse("z -> x <-> y")
    assert graph == Graph.parse("z -> x\nx <-> y")


def test_outcome_argument_overrides_the_text():
    assert Graph.parse("a -> b\noutcome: b", outcome="a").outcomes == ("a",)
    assert Graph.parse("a -> b\noutcome: b", outcome=()).outcomes == ()
    assert Graph.from_dagitty("dag { a -> b; b [outcome] }", outcome=["a"]).outcomes == ("a",)


NAME = "expected the name of a node"
END = "expected an arrow, a comma"


@pytest.mark.parametrize(
    ("text", "token", "advice"),
    [
        ("a ->", "the end", NAME),
        ("-> a", "'->'", NAME),
        ("a -> -> b", "'->'", NAME),
        ("a, -> b", "'->'", NAME),
        ("a -> b,", "the end", NAME),
        ("a b -> c", "'b'", "A name with spaces stands in double quotes"),
        ("a => b", "'=>'", "Arrows are ->, <-, <->"),
        ("a --> b", "'-->'", "Arrows are"),
        ("a <--> b", "'<-->'", "Arrows are"),
        ("a -- b", "'--'", "makes no causal claim"),
        ("a @-@ b", "'@-@'", "orient the open ends"),
        ("a ~ b", "'~'", "Arrows are"),
        ("a + b -> c", "'+'", "stand in double quotes"),
        ("a -> b;", "';'", END),
        ("a -> b; b -> c", "';'", END),
        ("tv/radio -> b", "'/'", "stand in double quotes"),
        ('"tv/radio" -> b', "'tv/radio'", "it holds '/'"),
        ('"" -> b', "''", "it is empty"),
        ('" a" -> b', "' a'", "white space"),
        ('"a -> b', "'\"'", "never closed"),
        ('a" -> b', "'\"'", "never closed"),
        ('"a#b" -> c', "'a#b'", "it holds '#'"),
        ("digraph { a -> b }", "'{'", "Graph.from_dot"),
        ("dag{ a -> b }", "'{'", "Graph.from_dagitty"),
        ("a -> b @", "the end", "expected a whole number"),
        ("a -> b @ x", "'x'", "a lag is a whole number"),
        ("a -> b @ 1.5", "'1.5'", "a lag is a whole number"),
        ("a -> b @ -1", "'-'", "expected a whole number"),
        ("a -> b @-1", "'@-'", "Write a lag as `a -> b @ 1`"),
        ("a -> b @ 1 2", "'2'", END),
        ("a -> b @ 1 -> c", "'->'", END),
        ("a -> b -> c @ 1", "'@'", "Give each arrow of a chain its own line"),
        ("a <-> b @ 1", "'@'", "belongs to one directed arrow"),
        ("a @ 1", "'@'", "belongs to one directed arrow"),
        ("latents: a", "'latents'", "Did you mean 'latent'?"),
        ("a: b", "'a'", "starts with `latent:` or `outcome:`"),
        ("latent:", "the end", NAME),
        ("latent: a b", "'b'", END),
        ("outcome: a -> b", "'->'", END),
        ("@", "'@'", NAME),
    ],
)
def test_text_errors_name_the_token_the_line_and_its_number(text, token, advice):
    with pytest.raises(GraphError) as error:
        Graph.parse(f"x -> y\n\n  {text}  \ny -> z")
    first, second = str(error.value).split("\n")
    assert first.startswith(f"Line 3, at {token}: ")
    assert advice in first
    assert second == f"    {text}"


@laws
@given(st.text('ab ,->@1:"#\n<latent', max_size=25))
def test_no_token_of_a_text_is_dropped(text):
    """A text either is refused, or each name in it, comments aside, is a node."""
    try:
        graph = Graph.parse(text)
    except GraphError:
        return
    for line in text.split("\n"):
        bare = line.split("#")[0]
        for mark in ("latent:", "<->", "->", "<-", "@", ","):
            bare = bare.replace(mark, "\0")
        words = {word.strip().strip('"') for word in bare.split("\0")} - {""}
        assert all(word in graph.nodes or word.isdigit() for word in words)


# DOT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("digraph { a -> b }", "a -> b"),
        ("strict digraph G { a -> b; b -> c; }", "a -> b -> c"),
        ('digraph "my graph" {\n a -> b -> c\n}', "a -> b -> c"),
        ('digraph{"paid search"->sales}', '"paid search" -> sales'),
        ("digraph { {a b} -> c }", "a, b -> c"),
        ("digraph { {a; b} -> {c d;} -> e }", "a, b -> c, d -> e"),
        ("digraph { a -> b [lag=1]; a -> b }", "a -> b\na -> b @ 1"),
        ("digraph { a -> b -> c [lag=2] }", "a -> b @ 2\nb -> c @ 2"),
        ('digraph { a -> b [lag="1", color=red][style=dashed] }', "a -> b @ 1"),
        ("digraph { a -> b [dir=both] }", "a <-> b"),
        ("digraph { a -> b [dir=forward] }", "a -> b"),
        ("digraph { u [observed=no]; u -> x; u -> y }", "u -> x, y\nlatent: u"),
        ("digraph { u [latent=TRUE]; u -> x; x [observed=yes] }", "u -> x\nlatent: u"),
        ("digraph { u [latent=no]; u -> x }", "u -> x"),
        ("digraph { y [outcome=true]; x -> y }", "x -> y\noutcome: y"),
        ('digraph { a; b [shape=box, label="B \\"x\\""]; c -> d }', "a, b\nc -> d"),
        ("digraph { a a; a -> b }", "a -> b"),
        (
            "digraph { rankdir=LR; node [shape=circle]; edge [color=red, penwidth=2]; "
            'graph [bgcolor="#ffffff"]; a -> b }',
            "a -> b",
        ),
        ("# c\ndigraph { // a -> x\n a -> b /* b ->\n c */ }", "a -> b"),
        ('digraph { "node" -> "edge" }', "node -> edge"),
        ("digraph { 1 -> 2 }", "1 -> 2"),
    ],
)
def test_dot(text, expected):
    assert Graph.from_dot(text) == Graph.parse(expected)


@pytest.mark.parametrize(
    ("text", "line", "token", "advice"),
    [
        ("graph { a -- b }", 1, "'graph'", "expected 'digraph {'"),
        ("dag { a -> b }", 1, "'dag'", "Graph.from_dagitty"),
        ("digraph a -> b", 1, "'->'", "expected 'digraph {'"),
        ("", 1, "the end", "expected 'digraph {'"),
        ("digraph {\n a -> b", 2, "the end", NAME),
        ("digraph { a -> b } c", 1, "'c'", "nothing after the closing brace"),
        ("digraph {\n a -- b\n}", 2, "'--'", "makes no causal claim"),
        ("digraph { a -> }", 1, "'}'", NAME),
        ("digraph { a:n -> b }", 1, "':'", NAME),
        ("digraph { {} -> b }", 1, "'}'", NAME),
        ("digraph { {a -> b} -> c }", 1, "'->'", NAME),
        ("digraph { subgraph cluster { a -> b } }", 1, "'subgraph'", "subgraphs are not read"),
        ("digraph { a [label=<b>] }", 1, "'<'", "expected a value"),
        ("digraph { a -> b [lag=one] }", 1, "'one'", "a lag is a whole number"),
        ("digraph { a -> b [lag] }", 1, "'true'", "a lag is a whole number"),
        ("digraph { a -> b [lag=-1] }", 1, "'-'", "expected a value"),
        ("digraph {\n a -> b [lag=1, dir=both]\n}", 3, "'}'", "has no lag"),
        ("digraph { a -> b [dir=back] }", 1, "'dir'", "turn the arrow"),
        ("digraph { a -> b [lagg=1] }", 1, "'lagg'", "Did you mean 'lag'?"),
        ("digraph { a -> b [beta=0.3] }", 1, "'beta'", "not understood here"),
        ("digraph { a [latnet=true] }", 1, "'latnet'", "Did you mean 'latent'?"),
        ("digraph { a [lag=1] }", 1, "'lag'", "not understood here"),
        ("digraph { a [latent=perhaps] }", 1, "'latent'", "'perhaps' is neither yes nor no"),
        ("digraph { node [latent=true] }", 1, "'latent'", "not understood here"),
        ("digraph { edge [lag=1]; a -> b }", 1, "'lag'", "not understood here"),
        ("digraph { lag=1; a -> b }", 1, "'lag'", "not understood here"),
        ("digraph { a [=1] }", 1, "'='", "expected the name of an attribute"),
        ("digraph { a [color= ] }", 1, "']'", "expected a value"),
        ('digraph { "a/b" -> c }', 1, "'a/b'", "it holds '/'"),
        ('digraph { "a -> b }', 1, "'\"'", "never closed"),
        ("digraph { a -> b, c }", 1, "','", NAME),
    ],
)
def test_dot_errors(text, line, token, advice):
    with pytest.raises(GraphError) as error:
        Graph.from_dot(text)
    first, second = str(error.value).split("\n")
    assert first.startswith(f"Line {line}, at {token}: ")
    assert advice in first
    assert second.strip() == (text.split("\n")[line - 1]).strip()


def test_dot_that_we_write_is_dot_to_others():
    graph = Graph.parse('"paid search", x -> node -> y\nx -> y @ 1\nx <-> y\nlatent: x\nz')
    pydot = pytest.importorskip("pydot")
    (other,) = pydot.graph_from_dot_data(graph.to_dot())
    ends = sorted(
        (e.get_source().strip('"'), e.get_destination().strip('"')) for e in other.get_edges()
    )
    expected = [e[:2] for e in graph.edges] + list(graph.bidirected)
    assert ends == sorted(expected)
    (lagged,) = [e for e in other.get_edges() if e.get("lag")]
    assert (lagged.get_source(), lagged.get("lag")) == ("x", "1")
    (both,) = [e for e in other.get_edges() if e.get("dir")]
    assert both.get("dir") == "both"


@pytest.mark.parametrize("language", ["dot", "dagitty"])
def test_a_misspelled_role_is_found_and_a_bare_statement_declares(language):
    keyword = {"dot": "digraph", "dagitty": "dag"}[language]
    read = {"dot": Graph.from_dot, "dagitty": Graph.from_dagitty}[language]
    with pytest.raises(GraphError, match=r"latent 'demnad' is in no edge.*'demand'"):
        read(f"{keyword} {{ demnad [latent=true]; demand -> sales }}")
    with pytest.raises(GraphError, match=r"outcome 'slaes' is in no edge.*'sales'"):
        read(f"{keyword} {{ slaes [outcome=true]; demand -> sales }}")
    graph = read(f"{keyword} {{ u; u [latent=true]; x -> y }}")
    assert graph.isolated == ("u",)
    assert graph.latent == {"u"}


# dagitty


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dag { x -> y }", "x -> y"),
        ("dag{x->y;y->z}", "x -> y -> z"),
        ('dag {\nbb="-2.2,-2.3,1.9,1.8"\nx [pos="-1,-1"]\nx -> y\n}', "x -> y"),
        ("dag { y <- x <-> z }", "y <- x <-> z"),
        ("dag { {a b} -> c -> {d e} }", "a, b -> c -> d, e"),
        ('dag { U [latent,pos="0,1"]\n U -> x\n U -> y }', "U -> x, y\nlatent: U"),
        (
            "dag { U [unobserved] V [u] W [l] U -> x V -> x W -> x }",
            "U, V, W -> x\nlatent: U, V, W",
        ),
        ('dag { x [exposure,pos="0,0"] y [outcome] x -> y }', "x -> y\noutcome: y"),
        (
            "dag { x [e] y [o] z [adjusted] w [a] z -> x -> y w -> y }",
            "z -> x -> y <- w\noutcome: y",
        ),
        ("dag { x [exposure] z -> y }", "x\nz -> y"),
        ('dag { x -> y [lag=1] x -> z [pos="0.3,0.1"] }', "x -> y @ 1\nx -> z"),
        ('dag { "paid search" -> y }', '"paid search" -> y'),
        ("dag { node -> edge -> subgraph }", "node -> edge -> subgraph"),
    ],
)
def test_dagitty(text, expected):
    assert Graph.from_dagitty(text) == Graph.parse(expected)


@pytest.mark.parametrize(
    ("text", "token", "advice"),
    [
        ("digraph { x -> y }", "'digraph'", "Graph.from_dot"),
        ("pdag { x -- y }", "'pdag'", "partially directed"),
        ("dag { x -- y }", "'--'", "makes no causal claim"),
        ("dag { x @-@ y }", "'@-@'", "orient the open ends"),
        ("dag { x @-> y }", "'@->'", "orient the open ends"),
        ("dag { x [selected] x -> y }", "'selected'", "not understood here"),
        ("dag { x -> y [beta=0.3] }", "'beta'", "not understood here"),
        ("dag { x <-> y [lag=1] }", "'}'", "has no lag"),
        ("dag { x -> y", "the end", NAME),
        ("dag { a _||_ b ! }", "'||'", NAME),
    ],
)
def test_dagitty_errors(text, token, advice):
    with pytest.raises(GraphError) as error:
        Graph.from_dagitty(text)
    first, second = str(error.value).split("\n")
    assert first.startswith(f"Line 1, at {token}: ")
    assert advice in first
    assert second.strip() == text
