"""Thresholds at which a number changes a verdict, a grade, a warning or a sentence of advice.

Sizes, tolerances and limits of an algorithm stand beside the algorithm.
"""

from __future__ import annotations

from math import log10

# --- evidence: what a grade rests on (MODEL.md section 8.4) --------------------------------------

TEST_CONFLICT = 2.0
"""A test whose z against the fitted model is further from zero contradicts it: the grade is no
better than E. Of a model that is right, about one sound test in twenty does."""

INFORMATIVE_CONTRACTION = 0.1
"""Data that contract the prior of an effect by less say little of it, which makes F a G: the
interval is then at most 5 percent narrower than the prior's, as sqrt(1 - 0.1) = 0.95."""

INFORMATIVE_SHARE = 0.1
"""A test with a smaller share in the precision of its effect does not count: without it the
standard deviation of the effect would be at most 5 percent larger, as 1 / sqrt(1 - 0.1) = 1.05."""

STRONG_FIRST_STAGE = 10.0
"""An instrument with a smaller first-stage F is weak, which makes B a G: the bias of two-stage
least squares can then be more than about a tenth of that of least squares (Staiger and Stock
1997)."""

# --- convergence: whether the draws can be read --------------------------------------------------

MAX_RHAT = 1.01
"""R-hat of an effect above which chains disagree about it (Vehtari et al. 2021)."""

MAX_RHAT_NUISANCE = 1.03
"""The same for every other parameter: the shape of a curve may mix more slowly than the effects,
which are what is reported."""

MAX_RHAT_TO_KEEP = 1.05
"""R-hat of any parameter above which chains have not found the same posterior: more draws do not
help them, so those of an earlier round are thrown away."""

MIN_ESS = 400
"""Bulk and tail effective sample size that an effect needs: 100 for each of four chains, from which
R-hat and the Monte-Carlo error can be trusted (Vehtari et al. 2021)."""

MAX_DIVERGENT = 0.005
"""Share of divergent draws above which a part of the posterior may have been avoided. Theory names
no number; this is a convention, and `diagnose` gives advice from the first divergence on."""

MIN_ENERGY_FRACTION = 0.3
"""Bayesian fraction of missing information of a chain below which energy changes too slowly to
reach the tails; the limit is Stan's (Betancourt 2016)."""

# --- fit: whether the model reproduces the data --------------------------------------------------

ERROR_CHECK_P = 0.01
"""Two-sided p-value of the check of the errors below which every number of a fit says so. It
travels with all of them, so it is to be wrong once in a hundred only."""

PREDICTIVE_TAIL = 0.025
"""Posterior predictive p-value, from either end, below which `diagnose` gives advice: the observed
statistic is outside of the 95 percent predictive interval."""

CARRY_OVER_CUT = 0.03
"""Share of an effect beyond the window of its adstock that is said. Returns fall short by more than
it, as the intercept takes up some of the rest: with 0.05 cut (730 days, half-life 14 days, 57 lags)
by 0.08 to 0.11. At 0.03 the shortfall is some 5 percent, less than the half-width of ordinary
intervals; eight weeks of the default prior cut 0.011."""

CARRY_OVER_LEFT = 0.02
"""Share that the advised window leaves out: less than `CARRY_OVER_CUT`, for some room."""

MAX_PARETO_K = 0.7
"""Pareto k from which importance weights have too heavy a tail, however many draws there are
(Vehtari, Simpson, Gelman, Yao and Gabry 2024)."""


MIN_WEIGHTED_ESS = 100
"""Effective number of weighted draws below which their interval is not read: five draws are then
beyond either end of a 90 percent interval."""


def pareto_k_limit(draws: int) -> float:
    """Return the Pareto k below which importance weights from so many draws can be trusted.

        min(0.7, 1 - 1 / log10(draws)),   and 0 for ten draws or fewer

    Examples
    --------
    >>> pareto_k_limit(100), pareto_k_limit(10_000)
    (0.5, 0.7)

    References
    ----------
    Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto smoothed importance sampling, JMLR 25.
    """
    return min(MAX_PARETO_K, 1 - 1 / log10(draws)) if draws > 10 else 0.0


POWER_SENSITIVITY = 0.05
"""Sensitivity of a quantity to its prior, or to its likelihood, from which it counts (Kallioinen et
al. 2024): of a normal one the mean then moves by a quarter of its standard deviation when the power
doubles."""

MISSPECIFIED_P = 0.05
"""p-value of all tests of responses together, after Holm, below which one is said to be rejected:
of models that are right one in twenty says so."""

# --- comparisons: two answers to one question ----------------------------------------------------

COMPARABLE_R2 = 0.5
"""Squared correlation from which the effects of two tests are readings of one quantity, so that the
tests can be compared: most of what is not known of one is then not known of the other."""

ONE_QUANTITY_VARIANCE = 0.05
"""Where what sets two effects apart is less than this share of the variance of the tests' errors,
they are one quantity, and their comparison needs no importance weights."""

AUGMENTATION_SHIFT = 1.0
"""Posterior standard deviations by which augmentation may move an effect before it is flagged: by
more, the interval of the fit without it hardly speaks of the same number."""

RESAMPLED_GROUPS = 20
"""With fewer blocks or units than these an interval from resampling them is likely too narrow; its
coverage is measured in `Design.bootstrap`."""

# --- augmentation: whether rows can enter a likelihood -------------------------------------------

FEW_DONORS = 2.0
"""Effective number of donors, 1 / sum p^2, below which a value hangs on one observed row: the
likeliest donor then has more than half of the probability."""

ISOLATED_SHARE = 0.2
"""Share of a node's values with fewer than `FEW_DONORS` above which it is said. Theory names no
number; this is a convention."""

ISOLATED_SURPLUS = 0.1
"""A regression is not blamed for causes that are as rare among the observed rows: the share must be
larger than theirs by this much, twice the standard error of a share of a hundred rows."""

OUTSIDE_SHARE = 0.01
"""Share of values farther outside the observed range than that is wide above which it is said:
residuals alone carry none so far, so the regression itself has been extended."""

DISTANT_SHARE = 0.25
"""Share of rows farther from every observed row than 95 percent of observed rows are from their
neighbors: five times the share that there would be were rows and data alike."""

SLOPE_CHANGE = 0.05
"""Relative change of a slope, beyond two of its Monte-Carlo errors, above which it is said: effects
change in proportion."""

CLEAR_SLOPE_F = 4.0
"""F statistic of the parents below which their slope in the observed rows is mostly noise, and so
is what it is compared with; 4 is about the 95 percent point for one parent."""

CORE_MASS = 0.9
"""Probability that the rows of `Threshold` should hold: what is cut off lies in the tails, so that
with a tenth of a normal distribution gone its standard deviation is a fifth too small."""

COPIED_WEIGHT = 0.5
"""Share of weight on copies of observed rows above which it is said: most rows are then not new."""

EFFECTIVE_SHARE = 0.1
"""Kish's size as a share of the number of rows below which a few heavy ones dominate."""

# --- data: what a table can tell -----------------------------------------------------------------

UNEXPOSED_SPEND = 0.05
"""Share of a treatment's spend in periods without exposure above which it is said: booking dates
move some spend across the end of a campaign, rarely more."""

COPIED_CHANNEL_CORRELATION = 0.99
"""Correlation of two channels above which data do not tell them apart: one is then all but a copy
of the other, with 2 percent of its variance to itself."""

PRE_TEST_DRIFT = 2.5
"""The t value of a drift before a geo test above which it is noted. It rests on few periods and on
an estimated autocorrelation, so that 2 would be passed too often."""

PRE_TEST_R2 = 0.3
"""R2 of a counterfactual before a geo test below which it is noted: the controls then explain less
than a third of what moves the treated units."""

STATED_INTERVAL_ERROR = 0.05
"""Share of its width by which a stated interval may differ from the stated lift or standard error:
what rounding explains; by more, one of them is something else."""

# --- overlap: whether data have seen what is asked -----------------------------------------------

EXTRAPOLATED_PART, EXTRAPOLATED_MOST = 0.2, 0.5
"""Shares of an effect below the lowest exposure that was observed from which it is pointed out, and
from which it is mostly the form of the curve: then more is extrapolated than was seen."""

VIF_AMBER, VIF_RED = 5.0, 10.0
"""Variance inflation of a channel by what is held fixed: conventions. At 5 a fifth of its swings is
its own, at 10 a tenth."""

OWN_SWING = 0.1
"""Standard deviation of the swings of a channel that are its own, over its mean, below which there
is no experiment in the data: it was about the same all the time, or followed the rest."""

SUPPORTED_AMBER, SUPPORTED_RED = 0.5, 0.2
"""Shares of periods in which the world asked about lies inside what was observed, given what is
held fixed, below which most of the contrast, or nearly all of it, is extrapolation."""

WEIGHTED_SIZE = 0.3
"""Effective share of periods once they are weighted to make a channel independent of what is held
fixed, below which a few periods stand for the rest (a convention)."""

CARRYING_SHARE = 0.05
"""Share of periods below which those that carry half of the information are called few: of three
years, seven weeks."""

TWIN_CORRELATION = 0.8
"""Correlation of the carried exposure of two channels from which they are named together: each then
has about a third of its variance to itself."""

# --- refutation: what is said of refits in altered worlds ----------------------------------------

REFUTED_LOOK, REFUTED_FAIL = 0.05, 0.005
"""Chances of so many intervals beside the truth, were each as sure as it says and all independent,
below which refits are to be looked at, and below which they fail. Of 20 refits at 90 percent these
are 5 and 7. How often models that are right are flagged is in benchmarks/RESULTS.md."""

USABLE_REFITS = 0.75
"""Share of refits below which nothing is said: those that fail may be those that differ."""

DRAFT_GAP = 0.3
"""Posterior standard deviations by which medians of drafts may lie beside those of NUTS in the same
worlds, before refits by drafts say nothing: z-scores of refits scatter by 1, so that their ranks
hardly move, and the Monte-Carlo error of two medians is some 0.06."""

COMMON_CAUSE_MOVE, COMMON_CAUSE_FAIL = 0.1, 0.25
"""Shares of its 90 percent interval by which an effect may typically move when a column that causes
nothing is added: of a regression of 100 weeks with lasting errors it is about a twentieth."""

BLOCK_MOVE = 3.0
"""Standard deviations by which an effect may move without one block of periods, against those that
it is expected to move as there are fewer data. The largest of ten is so one time in forty."""

JACKKNIFE_RATIO = 1.5
"""The jackknife's standard error over the standard deviation of the posterior above which blocks
disagree by more than the interval knows: of ten blocks one time in sixty by chance."""

# --- tests of the graph --------------------------------------------------------------------------

REJECTION_LEVEL = 0.05
"""Chance with which a graph that is right is rejected by all of its tests together (Holm), and with
which one test alone errs: the convention."""

FEWEST_SIMULATIONS = 50
"""Converged simulations below which calibration is not judged: with fewer, only a posterior that is
more than a standard deviation off would be seen."""

BINNED_AUTOCORRELATION = 0.1
"""Product of the first autocorrelations of two columns above which a chi-squared test of them is
not to be relied on: the variance of a correlation is then 1.1 / 0.9 times what the test takes it
for, and 5 percent become more than 7."""

CARRYING_PERIODS = 3.0
"""Effective number of periods in the spread of a correlation below which they are pointed out: one
week can then make the difference."""

CERTAIN = 0.9
"""Certainty of experts from which an edge that data do not show is a question to the data; below,
it is one more edge without support."""

ABSENT_P = 0.2
"""p-value of an edge above which it is "not seen": an effect that is seen in 8 of 10 such data sets
at 5 percent has a larger one in about 1 of 20."""

STABLE_SHARE = 0.7
"""Share of block resamples above which a direction that structure search finds is mentioned."""

# --- plans: what is said of spend by period ------------------------------------------------------

UNEVEN_PRICES = 1.5
"""Price of the dearest period of a channel over that of the cheapest above which it is said that a
plan by period buys where it is cheap. A convention: seasons of media markets mostly stay below it,
a bill that is booked in another week does not."""

CLOSE_OPTIMA = 0.01
"""Share of the gain within which plans that several searches end at count as equally good: no gain
is known as exactly."""

# --- words: what a report says of a chance -------------------------------------------------------

LIKELY, UNLIKELY = 0.9, 0.1
"""Chances from which "very likely" is said that the next spend pays back, or that it does not: the
ends of a one-sided 90 percent interval."""
