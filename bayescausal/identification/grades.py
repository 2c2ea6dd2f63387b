"""`GRADES` holds the condition of each grade, what a report must say with it, and its source."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bayescausal.thresholds import STRONG_FIRST_STAGE


class Letter(StrEnum):
    """A grade. The alphabet is the order of strength: the weaker of two grades is the greater.

    Examples
    --------
    >>> max(Letter.A, Letter.F), Letter.X == "X"
    ('F', True)
    """

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"
    G = "G"
    X = "X"

    def __repr__(self) -> str:
        return repr(str(self))


_LADDER = (
    "Order of the causal ladder: randomized experiment, instrument, difference in differences or "
    "synthetic control, discontinuity, calibrated model, observational model. Many econometricians "
    "put discontinuities above differences in differences."
)


ADDITIVE = (
    "It is composed of its edges: causes are assumed to add up, each along its own curve, on the "
    "scale of a node's link. Without that the graph does not tell it."
)
"""The sentence that a report adds to F and G where the status is ``additive``."""


class Rung(NamedTuple):
    """A grade: its condition, what a report must say with it, and the source for that."""

    title: str
    condition: str
    statements: tuple[str, ...]
    source: str


GRADES: dict[Letter, Rung] = {
    Letter.A: Rung(
        "randomized lift test in scope",
        "A randomized test measured this very effect: these worlds, this window, these units.",
        (
            "Where and when it was measured, its lift with its standard error, and how far the "
            "model agrees (z) stand with the test.",
            "Compliance is assumed, and that treated units do not spill over to others.",
        ),
        _LADDER + " Randomization: Fisher (1935), The Design of Experiments.",
    ),
    Letter.B: Rung(
        "instrument",
        "The graph has a valid instrument, and its first stage is not known to be weak.",
        (
            "The exclusion restriction is assumed, not tested.",
            "It is the effect of the variation that the instrument moves, under linearity.",
            "Its strength is judged only where the fit has an equation for the treatment.",
        ),
        _LADDER + " Imbens and Angrist (1994); Stock and Yogo (2005) for weak instruments.",
    ),
    Letter.C: Rung(
        "difference in differences or synthetic control",
        "A test without randomization measured this very effect.",
        (
            "Parallel trends are assumed: without the test, treated and control units would have "
            "moved alike.",
            "How alike they moved before the test is shown only where its raw panel was given.",
        ),
        _LADDER + " Abadie, Diamond and Hainmueller (2010) for synthetic controls.",
    ),
    Letter.D: Rung(
        "discontinuity",
        "A discontinuity, at a threshold that assigned the treatment, measured this very effect.",
        ("It is local to the threshold.", "That nobody chose their side of it is assumed."),
        _LADDER + " Thistlethwaite and Campbell (1960).",
    ),
    Letter.E: Rung(
        "calibrated model",
        "The treatment has a test, but outside this exact window, units or change of spend; or the "
        "model contradicts a test of it.",
        (
            "Beyond the window, the units and the change of spend of the test it is extrapolated.",
            "The effect is assumed stable, and to follow the model's curves between.",
            "The test anchors this treatment only.",
        ),
        _LADDER,
    ),
    Letter.F: Rung(
        "observational, identified under the graph",
        "The graph identifies the effect from data, which are not known to say little of it.",
        (
            "It assumes that nothing unobserved moves treatment and outcome beyond what the graph "
            "draws.",
            "The robustness value, where a regression has the effect as its coefficient, says how "
            "strong such a driver would have to be to change the conclusion.",
            "The functional form is assumed.",
        ),
        _LADDER + " Pearl (2009), Causality.",
    ),
    Letter.G: Rung(
        "observational, weak",
        "As F, but the data barely narrow the prior; or as B, but the first stage has F below "
        f"{STRONG_FIRST_STAGE:g}.",
        (
            "The number is mostly the prior's.",
            "Do not use it as an absolute return; rankings only with caution.",
        ),
        _LADDER,
    ),
    Letter.X: Rung(
        "not identified",
        "The graph does not identify the effect, and no test measures it.",
        (
            "Data cannot answer this, even without end, given the graph.",
            "The open paths, and what to observe or to test, stand with the effect.",
            "The interval is as wide as the priors make it.",
        ),
        "Shpitser and Pearl (2006), Identification of joint interventional distributions.",
    ),
}
