"""The grades as data: when each is given, and what a report must then say, with its source."""

from __future__ import annotations

from typing import NamedTuple

LETTERS = "ABCDEFGX"
"""Grades, strongest first."""
_LADDER = (
    "Order of the causal ladder: randomized experiment, instrument, difference in differences or "
    "synthetic control, discontinuity, calibrated model, observational model. Many econometricians "
    "put discontinuities above differences in differences."
)


class Rung(NamedTuple):
    """A grade: when it is given, what a report must say with it, where that comes from."""

    title: str
    when: str
    statements: tuple[str, ...]
    source: str


GRADES: dict[str, Rung] = {
    "A": Rung(
        "randomized lift test in scope",
        "A randomized test measured this treatment inside this window and these units.",
        (
            "When and where it was randomized, over how many units, with which interval.",
            "Compliance is assumed, and that treated units do not spill over to others.",
            "Whether the model agrees with the test (z-score).",
        ),
        _LADDER + " Randomization: Fisher (1935), The Design of Experiments.",
    ),
    "B": Rung(
        "instrument",
        "The graph has a valid instrument, and its first stage is not weak.",
        (
            "The exclusion restriction is assumed, not tested.",
            "It is the effect of the variation that the instrument moves, under linearity.",
            "The strength of the first stage (F, robust to autocorrelation, should exceed 10).",
        ),
        _LADDER + " Imbens and Angrist (1994); Stock and Yogo (2005) for weak instruments.",
    ),
    "C": Rung(
        "difference in differences or synthetic control",
        "A test without randomization measured this treatment inside this scope.",
        (
            "Parallel trends are assumed: without the test, treated and control units would have "
            "moved alike.",
            "The fit before the test and the result of a placebo.",
        ),
        _LADDER + " Abadie, Diamond and Hainmueller (2010) for synthetic controls.",
    ),
    "D": Rung(
        "discontinuity",
        "A threshold assigned the treatment inside this scope.",
        ("It is local to the threshold.", "The bandwidth, and that nobody chose their side."),
        _LADDER + " Thistlethwaite and Campbell (1960).",
    ),
    "E": Rung(
        "calibrated model",
        "The treatment has a test, but outside this exact window, units or change of spend.",
        (
            "Which number comes from the test and which is extrapolated in time, place or spend.",
            "The effect is assumed stable, and to follow the model's curves between.",
            "The test anchors this treatment only.",
        ),
        _LADDER,
    ),
    "F": Rung(
        "observational, identified under the graph",
        "The graph identifies the effect from data, and the data speak.",
        (
            "It assumes no unmeasured driver of both the treatment and the outcome beyond the "
            "adjustment set.",
            "What variation identifies it, in words.",
            "How strong a hidden driver would have to be to change the conclusion.",
            "The functional form is assumed.",
        ),
        _LADDER + " Pearl (2009), Causality; Cinelli and Hazlett (2020) for hidden drivers.",
    ),
    "G": Rung(
        "observational, weak",
        "As F, but the data barely move the prior, or an implication of the graph is rejected.",
        (
            "The number is mostly prior or extrapolation.",
            "Do not use it as an absolute return; rankings only with caution.",
        ),
        _LADDER,
    ),
    "X": Rung(
        "not identified",
        "The graph does not identify the effect, and no test measures it.",
        (
            "Data cannot answer this, even without end, given the graph.",
            "The open paths, and what to observe or to test.",
            "The interval is as wide as the priors make it.",
        ),
        "Shpitser and Pearl (2006), Identification of joint interventional distributions.",
    ),
}
