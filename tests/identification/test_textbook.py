"""Textbook graphs with the whole expected answer, equality both ways."""

from dataclasses import dataclass

import pytest

from bayescausal.experiments.estimand import incremental
from bayescausal.graphs.graph import Graph
from bayescausal.identification.strategies import find_front_door
from bayescausal.identification.verdicts import identify

B, F, ID, IV, NO = "backdoor", "frontdoor", "id", "instrument", "not identified"


@dataclass(frozen=True)
class Case:
    """A graph and everything that is expected of x on y, written by hand.

    `sets` are the minimal adjustment sets, each a word of letters or of names; `door` the front
    door (mediators, given) or None; `forbidden` the nodes not to adjust for.
    """

    text: str
    status: str
    sets: tuple[str, ...] = ()
    optimal: str | None = None
    open: tuple[str, ...] = ()
    mediators: str = ""
    forbidden: str = ""
    instruments: tuple[str, ...] = ()
    door: tuple[str, str] | None = None
    hedge: bool = False
    split: str = B
    treatments: str = "x"
    g_computation: bool = False
    testable: tuple[str, ...] = ()


SEASON = "season -> tv, digital, sales; tv, digital, search, email -> sales; tv -> search"
CASES = {
    "alone": Case("x -> y", B, ("",), optimal=""),
    "bow (Pearl 2009, fig. 3.5a)": Case(
        "x -> y; x <-> y", NO, open=("x <-> y",), hedge=True, split=NO
    ),
    "confounded fork": Case("u -> x, y; x -> y", B, ("u",), "u", ("x <- u -> y",)),
    "fork with a latent": Case(
        "u -> x, y; x -> y; latent: u",
        NO,
        open=("x <- u (unobserved) -> y",),
        hedge=True,
        split=NO,
    ),
    "chain": Case(
        "x -> m -> y",
        B,
        ("",),
        "",
        mediators="m",
        forbidden="m",
        door=("m", ""),
        testable=("x _||_ y | m",),
    ),
    "front door (Pearl 2009, fig. 3.3)": Case(
        "x -> m -> y; x <-> y", F, open=("x <-> y",), mediators="m", forbidden="m", door=("m", "")
    ),
    "front door with a covariate": Case(
        "x -> m -> y; x <-> y; w -> x, m, y",
        F,
        open=("x <-> y", "x <- w -> y", "x <- w -> m -> y"),
        mediators="m",
        forbidden="m",
        door=("m", "w"),
    ),
    "front door of two mediators in a row": Case(
        "x -> m -> n -> y; x <-> y",
        F,
        open=("x <-> y",),
        mediators="m n",
        forbidden="m n",
        door=("m", ""),
        testable=("m _||_ y | n, x", "n _||_ x | m"),
    ),
    "front door of two mediators side by side": Case(
        "x -> m, n; m, n -> y; x <-> y",
        F,
        open=("x <-> y",),
        mediators="m n",
        forbidden="m n",
        door=("m n", ""),
        testable=("m _||_ n | x",),
    ),
    "front door that a direct edge breaks": Case(
        "x -> m -> y; x -> y; x <-> y",
        NO,
        open=("x <-> y",),
        mediators="m",
        forbidden="m",
        hedge=True,
        split=NO,
    ),
    "napkin (Pearl and Mackenzie 2018)": Case(
        "w -> z -> x -> y; w <-> x; w <-> y",
        ID,
        open=("x <- z <- w <-> y",),
        instruments=("z | w",),
        split=ID,
    ),
    "M-bias": Case(
        "a -> x, m; b -> m, y; x -> y; latent: a, b",
        B,
        ("",),
        forbidden="m",
    ),
    "M-bias, causes observed": Case(
        "a -> x, m; b -> m, y; x -> y",
        B,
        ("",),
        "b",
        forbidden="m",
        instruments=("a", "m | b"),
        testable=("a _||_ b", "a _||_ y | x", "b _||_ x", "m _||_ x | a", "m _||_ y | a, b"),
    ),
    "butterfly": Case(
        "a -> x, m; b -> m, y; m -> x, y; x -> y",
        B,
        ("a m", "b m"),
        "b m",
        ("x <- m -> y", "x <- a -> m -> y", "x <- m <- b -> y"),
        instruments=("a | b, m",),
        testable=("a _||_ b", "a _||_ y | b, m, x", "b _||_ x | a, m"),
    ),
    "butterfly, causes latent": Case(
        "a -> x, m; b -> m, y; m -> x, y; x -> y; latent: a, b",
        NO,
        open=(
            "x <- m -> y",
            "x <- a (unobserved) -> m -> y",
            "x <- m <- b (unobserved) -> y",
        ),
        hedge=True,
        split=NO,
    ),
    "instrument": Case(
        "z -> x -> y; x <-> y", IV, open=("x <-> y",), instruments=("z",), hedge=True, split=IV
    ),
    "instrument by a common cause": Case(
        "z <-> x; x -> y; x <-> y", IV, open=("x <-> y",), instruments=("z",), hedge=True, split=IV
    ),
    "conditional instrument (Brito and Pearl 2002)": Case(
        "w -> z, y; z -> x -> y; x <-> y",
        IV,
        open=("x <-> y", "x <- z <- w -> y"),
        instruments=("z | w",),
        hedge=True,
        split=IV,
        testable=("w _||_ x | z",),
    ),
    "ancestral instrument, its cause latent": Case(
        "u -> z, x; x -> y; x <-> y; latent: u",
        IV,
        open=("x <-> y",),
        instruments=("z",),
        hedge=True,
        split=IV,
    ),
    "ancestor of an instrument": Case(
        "v -> z -> x -> y; x <-> y",
        IV,
        open=("x <-> y",),
        instruments=("v", "z"),
        hedge=True,
        split=IV,
        testable=("v _||_ x | z", "v _||_ y | z"),
    ),
    "descendant of an instrument": Case(
        "z -> x -> y; z -> p; x <-> y",
        IV,
        open=("x <-> y",),
        instruments=("p", "z"),
        hedge=True,
        split=IV,
        testable=("p _||_ x | z", "p _||_ y | z"),
    ),
    "instrument that acts on the outcome": Case(
        "z -> x -> y; x <-> y; z -> y",
        NO,
        open=("x <-> y", "x <- z -> y"),
        hedge=True,
        split=NO,
    ),
    "instrument confounded with the outcome": Case(
        "z -> x -> y; x <-> y; z <-> y",
        NO,
        open=("x <-> y", "x <- z <-> y"),
        hedge=True,
        split=NO,
    ),
    "mediator confounded with the outcome": Case(
        "x -> m -> y; x -> y; m <-> y", B, ("",), mediators="m", forbidden="m", split=NO
    ),
    "funnel": Case(
        "x -> m -> n -> y; x -> y; d -> m, n, y",
        B,
        ("",),
        "d",
        mediators="m n",
        forbidden="m n",
        testable=("d _||_ x", "m _||_ y | d, n, x", "n _||_ x | d, m"),
    ),
    "Verma": Case(
        "x -> b -> c -> y; b <-> y",
        B,
        ("",),
        mediators="b c",
        forbidden="b c",
        testable=("c _||_ x | b",),
    ),
    "selection on a common effect": Case(
        "x -> y; x, y -> s; u -> x, y",
        B,
        ("u",),
        "u",
        ("x <- u -> y",),
        forbidden="s",
        testable=("s _||_ u | x, y",),
    ),
    "effect of the treatment off the way": Case("x -> y; x -> p; p <-> y", B, ("",), forbidden="p"),
    "latent parent of a confounder": Case(
        "l -> u; l -> x; u -> y; x -> y; latent: l",
        B,
        ("u",),
        None,
        ("x <- l (unobserved) -> u -> y",),
    ),
    "two ways to close one path": Case(
        "a -> b -> y; a -> x; x -> y",
        B,
        ("a", "b"),
        "b",
        ("x <- a -> b -> y",),
        instruments=("a | b",),
        testable=("a _||_ y | b, x", "b _||_ x | a"),
    ),
    "two treatments jointly": Case(
        "c -> x, z; x -> z; x, z -> y; c -> y",
        B,
        ("c",),
        "c",
        ("x <- c -> y", "z <- c -> y"),
        treatments="x z",
    ),
    "time-varying confounder affected by treatment (Robins 1986)": Case(
        "x -> l -> z; x, z -> y; u -> l, y; latent: u",
        ID,
        open=("z <- l <- u (unobserved) -> y",),
        treatments="x z",
        g_computation=True,
        split=ID,
    ),
    "time-varying confounder, its cause a treatment's too": Case(
        "x -> l -> z; x, z -> y; u -> l, y, x; latent: u",
        NO,
        open=("x <- u (unobserved) -> y", "z <- l <- u (unobserved) -> y"),
        treatments="x z",
        hedge=True,
        split=NO,
    ),
    "Shpitser and Pearl (2006), two hidden causes at one remove": Case(
        "w -> x -> y; w <-> x; w <-> y",
        NO,
        open=("x <- w <-> y",),
        hedge=True,
        split=NO,
    ),
    "Pearl (2009), fig. 3.4": Case(
        "a -> c, v; b -> v, d; c -> x; d -> y; v -> x, y; x -> m -> y",
        B,
        ("a v", "b v", "c v", "d v"),
        "d v",
        (
            "x <- v -> y",
            "x <- v <- b -> d -> y",
            "x <- c <- a -> v -> y",
        ),
        mediators="m",
        forbidden="m",
        instruments=("a | b, v", "b | d, v", "c | a"),
        door=("m", ""),
    ),
    "the two-channel example": Case(
        SEASON,
        B,
        ("season",),
        "digital email season",
        ("tv <- season -> sales", "tv <- season -> digital -> sales"),
        mediators="search",
        forbidden="search",
        treatments="tv",
        testable=(
            "digital _||_ email",
            "digital _||_ search | season",
            "digital _||_ tv | season",
            "email _||_ search",
            "email _||_ season",
            "email _||_ tv",
            "search _||_ season | tv",
        ),
    ),
    "the two-channel example, season unobserved": Case(
        SEASON + "; latent: season",
        NO,
        open=(
            "tv <- season (unobserved) -> sales",
            "tv <- season (unobserved) -> digital -> sales",
        ),
        mediators="search",
        forbidden="search",
        treatments="tv",
        hedge=True,
        split=NO,
    ),
    "competitor's price unobserved": Case(
        "rival -> price, sales; price -> sales; cost -> price; latent: rival",
        IV,
        open=("price <- rival (unobserved) -> sales",),
        instruments=("cost",),
        hedge=True,
        split=IV,
        treatments="price",
    ),
    "feedback, with memory": Case(
        "sales -> tv @ 1; tv -> sales; sales -> sales @ 1",
        ID,
        open=("tv <- sales (earlier)",),
        treatments="tv",
        g_computation=True,
        split=ID,
    ),
    "feedback with a latent cause": Case(
        "sales -> tv @ 1; tv -> sales; d -> tv, sales; latent: d",
        NO,
        open=("tv <- sales (earlier)", "tv <- d (unobserved) -> sales"),
        treatments="tv",
        hedge=True,
        split=NO,
    ),
    "feedback among confounders": Case(
        "p -> d @ 1; d -> p @ 1; d -> tv, sales; tv -> sales",
        B,
        ("d",),
        open=("tv <- d -> sales",),
        treatments="tv",
    ),
    "feedback off the way": Case(
        "sales -> stock @ 1; stock -> stock @ 1; stock -> order; order -> stock @ 1; tv -> sales",
        B,
        ("",),
        treatments="tv",
        forbidden="order stock",
    ),
    "lags without feedback": Case(
        "u -> x @ 2; u -> y; x -> y @ 1; x -> y; y -> y @ 1",
        B,
        ("u",),
        "u",
        ("x <- u -> y",),
        split=B,
    ),
}


def sets(text):
    return frozenset(text.split())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_textbook(case):
    outcome = "sales" if "sales" in case.text else "y"
    graph = Graph.parse(case.text.replace("; ", "\n"), outcome=outcome)
    found = identify(graph, incremental(case.treatments.split()))
    door = find_front_door(found.question)
    got = {
        "status": found.status,
        "sets": found.adjustment_sets,
        "optimal": found.optimal,
        "open": set(found.open_paths),
        "mediators": set(found.mediators),
        "forbidden": set(found.forbidden),
        "instruments": {str(z) for z in found.instruments},
        "door": door and (" ".join(door.mediators), " ".join(door.given)),
        "hedge": found.hedge is not None,
        "split": found.split,
        "g_computation": found.g_computation,
    }
    assert got == {
        "status": case.status,
        "sets": [sets(z) for z in case.sets],
        "optimal": None if case.optimal is None else sets(case.optimal),
        "open": set(case.open),
        "mediators": sets(case.mediators),
        "forbidden": sets(case.forbidden),
        "instruments": set(case.instruments),
        "door": case.door,
        "hedge": case.hedge,
        "split": case.split,
        "g_computation": case.g_computation,
    }
    if case.testable:
        assert tuple(map(str, found.implications)) == case.testable
    assert len(found.open_paths) == len(set(found.open_paths))
    assert (found.hedge is not None) == (case.status in (IV, NO))


def test_the_table_covers_every_status():
    assert len(CASES) >= 25
    assert {case.status for case in CASES.values()} == {B, F, ID, IV, NO}
