"""Designs of lift tests: randomized, or with a bias that the design cannot exclude."""

from __future__ import annotations

from typing import NamedTuple


class Design(NamedTuple):
    """A design: its rung on the ladder of evidence, its possible bias, and advice for the test.

    ``bias`` is the default standard deviation of the bias as a multiple of the standard error.
    """

    rung: str
    bias: float
    advice: str


DESIGNS: dict[str, Design] = {
    "geo-rct": Design(
        "A",
        0.0,
        "Randomize regions, in matched pairs where they are few; keep them apart, so that people "
        "and delivery do not cross; read on after the test, as the tail is part of the effect.",
    ),
    "user-rct": Design(
        "A",
        0.0,
        "Compare all who were assigned, whether or not they were reached. Say with share= which "
        "part of all users took part. Devices that are lost dilute the lift.",
    ),
    "switchback": Design(
        "A",
        0.0,
        "Draw on and off periods at random, each longer than the carry-over, or count the tail "
        "of every pulse.",
    ),
    "instrument": Design(
        "B",
        0.5,
        "Show the first stage (F above 10), and argue why the instrument has no other way to the "
        "outcome: that is assumed, not tested.",
    ),
    "did": Design(
        "C",
        1.0,
        "Show that treated and control units moved alike before the test, and a placebo in time.",
    ),
    "synthetic-control": Design(
        "C",
        1.0,
        "Show the fit before the test and the rank of the lift among placebos in space.",
    ),
    "regression-discontinuity": Design(
        "D",
        1.0,
        "Show that no one chose their side of the threshold, and the lift at half and at twice "
        "the bandwidth. It holds at the threshold only.",
    ),
    "prior-belief": Design(
        "G",
        2.0,
        "Say whose belief it is and what it rests on. It is a prior, never evidence: plan a test.",
    ),
}
"""How a lift was obtained, strongest first; rung A is randomized.

Why the bias is a multiple of the standard error: at 1 the error that the design cannot exclude is
as large as the error of sampling, and the interval is wider by a factor of 1.4; at 2, by 2.2. A
share of the lift would vanish for lifts near zero and would let the noise of the lift set its own
weight. A bias does not shrink with the sample though: for a large quasi-experiment a default that
follows the standard error is too small, and `bias_sd` should be given, from placebos.
"""
