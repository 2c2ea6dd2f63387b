"""Refuters: what each of them alters before a model is fitted again, and what it may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from bayescausal import checks
from bayescausal._types import Node
from bayescausal.data.dataset import Dataset
from bayescausal.data.future import year_of
from bayescausal.errors import SpecError, did_you_mean, shown
from bayescausal.experiments.block_bootstrap import block_length
from bayescausal.experiments.estimand import Estimand
from bayescausal.inference.fit import Fit, edges_below, total_effect
from bayescausal.model.lifts import remeasured
from bayescausal.model.predict import observed_shocks
from bayescausal.model.scm import Equations
from bayescausal.specs.spec import Spec
from bayescausal.validation.altered_worlds import (
    experiments_on,
    permuted_blocks,
    persistence,
    persistent_noise,
    rearranged,
    replica,
    resampled_shocks,
    unused_names,
    with_causes,
    with_columns,
    without_effect,
    without_leaning,
    without_tests_of,
)
from bayescausal.validation.refutation_verdicts import (
    Results,
    Verdict,
    block_verdict,
    common_cause_verdict,
    sampling_verdict,
    zero_verdict,
)

_FEWEST_BLOCKS = 4  # to be put in another order, or resampled
_BLOCK_RULE_BLOCKS = 6  # the block rule may not leave fewer


class World(NamedTuple):
    """Data that are fitted again, and the effect that is true in them; NaN where it is not known.

    ``lifts`` are other measurements of the tests, by the names of their `pymc.Data`.
    """

    data: Dataset
    truth: float = np.nan
    label: str = ""
    lifts: Mapping[str, np.ndarray] = MappingProxyType({})


class Plan(NamedTuple):
    """One spec and the worlds in which it is fitted.

    With ``reference`` it is fitted to these data too, to be compared with; where that is None,
    refits are compared with the fit itself.
    """

    spec: Spec
    worlds: list[World]
    reference: World | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlaceboShift:
    """Move the whole series of a treatment in time, in a circle: its effect is then zero.

    A shifted series has the autocorrelation, the flights and the sizes of the true one; all
    other columns stay, so that its ties to them are cut. It asks whether the model finds an effect
    of a series that has none, as it does where errors last longer than it knows, and whether the
    effect of the true series is larger. It says nothing of unobserved causes: it cuts their ties
    too.

    Parameters
    ----------
    least : int, optional
        Periods that the series is moved by at least, in both directions. By default as long as its
        carry-over, its memory (`block_rule`) and a quarter of a year.

    Notes
    -----
    Priors of what the treatment does are centered on zero, in the fit that is compared with too:
    one that leans to positive effects is no finding. Its tests, which speak of the true series, are
    left out. Offsets are drawn one in each of as many strata.

    Examples
    --------
    >>> PlaceboShift(least=8)
    PlaceboShift(least=8)
    """

    name: ClassVar[str] = "placebo shift"
    refits: ClassVar[int] = 20
    least: int | None = None

    def __post_init__(self) -> None:
        _set_count(self, "least")

    def plan(self, fit: Fit, estimand: Estimand, refits: int, rng: np.random.Generator) -> Plan:
        """Return the worlds to fit."""
        (treatment,), periods = estimand.treatments, len(fit.data.time)
        least = self.least or max(
            carry_over(fit.spec, treatment) + 1,
            _memory(fit.data, treatment),
            year_of(fit.data) // 4,
        )
        room = periods - 2 * least + 1
        if room < refits:
            raise SpecError(
                f"Too few offsets: of {periods} periods {max(0, room)} can start a series that is "
                f"{least} periods or more from the true one on both sides, and {refits} refits "
                "need as many. Ask for fewer refits=, or PlaceboShift(least=...) with a smaller "
                "distance."
            )
        edges = np.linspace(0, room, refits + 1).round().astype(int)
        offsets = least + rng.integers(edges[:-1], edges[1:])
        orders = [np.roll(np.arange(periods), offset) for offset in offsets]
        labels = [f"{offset} periods later" for offset in offsets]
        return _placebo_plan(fit, treatment, orders, labels)

    def judge(self, results: Results) -> Verdict:
        """Say what follows."""
        return zero_verdict(results, f"shifted series of {results.treatment}")


@dataclass(frozen=True)
class PlaceboBlocks:
    """Put blocks of a treatment's series in another order: its effect is then zero.

    As `PlaceboShift`, for series that are short or that repeat themselves every year: inside a
    block all is as it was, also the order of periods.

    Parameters
    ----------
    length : int, optional
        Periods of a block. By default as long as its carry-over and its memory (`block_rule`).

    Examples
    --------
    >>> PlaceboBlocks(length=8)
    PlaceboBlocks(length=8)
    """

    name: ClassVar[str] = "placebo blocks"
    refits: ClassVar[int] = 20
    length: int | None = None

    def __post_init__(self) -> None:
        _set_count(self, "length")

    def plan(self, fit: Fit, estimand: Estimand, refits: int, rng: np.random.Generator) -> Plan:
        """Return the worlds to fit."""
        (treatment,), periods = estimand.treatments, len(fit.data.time)
        length = self.length or max(
            carry_over(fit.spec, treatment) + 1, _memory(fit.data, treatment)
        )
        if periods < _FEWEST_BLOCKS * length:
            raise SpecError(
                f"{periods} periods are fewer than {_FEWEST_BLOCKS} blocks of {length}. Ask for "
                "PlaceboBlocks(length=...) with shorter ones, or for PlaceboShift()."
            )
        orders = [permuted_blocks(periods, length, rng) for _ in range(refits)]
        labels = [f"blocks of {length} periods" for _ in orders]
        return _placebo_plan(fit, treatment, orders, labels)

    def judge(self, results: Results) -> Verdict:
        """Say what follows."""
        return zero_verdict(results, f"series of {results.treatment} in another order")


@dataclass(frozen=True)
class DummyOutcome:
    """Simulate the outcome as the fitted model has it, but for the effect, which is switched off.

    Every refit takes one draw of the posterior; causes, treatments, seasons and the memory of
    errors are as in the data. It asks whether the model, on such data and with its priors, says
    none where there is none: an interval that leans by its prior is found out. It says nothing of
    the world: the replica is made by the model itself.

    Notes
    -----
    Tests of the treatment, which speak of the true effect, are left out; priors are kept.

    Examples
    --------
    >>> DummyOutcome()
    DummyOutcome()
    """

    name: ClassVar[str] = "dummy outcome"
    refits: ClassVar[int] = 20

    def plan(self, fit: Fit, estimand: Estimand, refits: int, rng: np.random.Generator) -> Plan:
        """Return the worlds to fit."""
        (treatment,) = estimand.treatments
        spec = without_tests_of(fit.spec, treatment)
        worlds = [
            World(replica(without_effect(equations, treatment), rng), 0.0, f"draw {index}")
            for index, equations in _posterior_draws(fit, refits, rng)
        ]
        notes = _test_notes(fit.spec, treatment)
        return Plan(spec, worlds, World(fit.data) if notes else None, notes)

    def judge(self, results: Results) -> Verdict:
        """Say what follows."""
        return zero_verdict(results, f"simulated worlds in which {results.treatment} does nothing")


@dataclass(frozen=True)
class BlockBootstrap:
    """Simulate the outcome with the fitted effect and resampled blocks of the fitted shocks.

        z = (median - effect of the draw) / sd,    interval: m - sd q(z),    by the fit's m and sd

    Every refit takes one draw of the posterior and the shocks that it leaves of the data, of all
    nodes and units together, in moving blocks: what is left of memory, outliers and swings of
    variance stays. Not a resampling of rows, which would cut carry-over to pieces. It asks whether
    estimates scatter as the posterior says, and says nothing of what is wrong with the means.

    Parameters
    ----------
    length : int, optional
        Periods of a block; by default that of `block_rule` for the shocks of the outcome.

    Notes
    -----
    Tests are measured again, with their errors. Source: Künsch (1989), Ann. Statist. 17; for
    studentized intervals Hall (1992), The Bootstrap and Edgeworth Expansion.

    Examples
    --------
    >>> BlockBootstrap(length=8)
    BlockBootstrap(length=8)
    """

    name: ClassVar[str] = "block bootstrap"
    refits: ClassVar[int] = 20
    length: int | None = None

    def __post_init__(self) -> None:
        _set_count(self, "length")

    def plan(self, fit: Fit, estimand: Estimand, refits: int, rng: np.random.Generator) -> Plan:
        """Return the worlds to fit."""
        periods = len(fit.data.training)
        if self.length is not None and self.length * _FEWEST_BLOCKS > periods:
            raise SpecError(
                f"{periods} periods are fewer than {_FEWEST_BLOCKS} blocks of {self.length}. Ask "
                "for BlockBootstrap(length=...) with shorter ones."
            )
        effects = total_effect(fit, estimand).ravel()
        worlds = []
        for index, equations in _posterior_draws(fit, refits, rng):
            shocks = observed_shocks(equations)[str(estimand.outcome)][0]
            length = self.length or block_length(shocks, _BLOCK_RULE_BLOCKS)
            data = replica(equations, rng, resampled_shocks(equations, length, rng))
            label = f"draw {index}, blocks of {length} periods"
            worlds.append(World(data, float(effects[index]), label, remeasured(equations, rng)))
        notes = ("Tests were measured again, with their errors.",) if fit.spec.experiments else ()
        return Plan(fit.spec, worlds, notes=notes)

    def judge(self, results: Results) -> Verdict:
        """Say what follows."""
        return sampling_verdict(results)


@dataclass(frozen=True)
class RandomCommonCause:
    """Add a recorded cause of treatment and outcome that is noise: the effect should stay.

    The column is AR(1), with the persistence of the other inputs. It asks whether the effect hangs
    on which controls are there: with few effective periods, noise that lasts explains much. It has
    no p-value: where the effect stands among refits with noise says nothing of a null hypothesis.

    Examples
    --------
    >>> RandomCommonCause()
    RandomCommonCause()
    """

    name: ClassVar[str] = "random common cause"
    refits: ClassVar[int] = 20

    def plan(self, fit: Fit, estimand: Estimand, refits: int, rng: np.random.Generator) -> Plan:
        """Return the worlds to fit."""
        (treatment,), (name,) = estimand.treatments, unused_names(fit, "noise", 1)
        spec = with_causes(fit.spec, [name], (treatment, str(estimand.outcome)))
        phi = persistence(fit.data, fit.spec.inputs)
        shape = fit.data.array(treatment).shape
        worlds = [
            World(
                with_columns(fit.data, {name: persistent_noise(phi, shape, rng)}),
                label=f"noise {k}",
            )
            for k in range(refits)
        ]
        note = f"The added cause has a first autocorrelation of {phi:.2f}."
        return Plan(spec, worlds, notes=(note,))

    def judge(self, results: Results) -> Verdict:
        """Say what follows."""
        return common_cause_verdict(results)


@dataclass(frozen=True)
class LeftOutBlocks:
    """Leave out one block of periods after the other: no few weeks should carry the effect.

        se = sqrt((B - 1) / B  sum_b (m_b - mean m)^2),    the jackknife of B blocks

    The periods stay in the table and carry over; a level of their own in every equation, a column
    that is 1 in one period, takes them out of the likelihood, also where errors remember. As many
    blocks as refits, which together are all periods. It asks whether blocks agree as well as the
    interval says. It has no p-value: a jackknife has an error, and no null hypothesis. Not of
    panels, whose periods have a level a unit.

    Examples
    --------
    >>> LeftOutBlocks()
    LeftOutBlocks()
    """

    name: ClassVar[str] = "left-out blocks"
    refits: ClassVar[int] = 10

    def plan(self, fit: Fit, estimand: Estimand, refits: int, rng: np.random.Generator) -> Plan:
        """Return the worlds to fit."""
        if fit.data.is_panel:
            raise SpecError(
                "Periods of a panel are not left out: each has a level a unit. Leave units out: "
                "refit(fit, data=...) without some of them."
            )
        periods, history = len(fit.data.training), fit.data.history
        if refits < _FEWEST_BLOCKS or 2 * refits > periods:
            raise SpecError(
                f"Between {_FEWEST_BLOCKS} and {periods // 2} blocks can be left out of {periods} "
                f"periods; got refits={refits}."
            )
        length = -(-periods // refits)
        starts = history + np.linspace(0, periods - length, refits).round().astype(int)
        levels = unused_names(fit, "level", length)
        worlds, pulses = [], np.eye(len(fit.data.time))
        for start in starts:
            columns = dict(zip(levels, pulses[start : start + length], strict=True))
            first, last = (fit.data.time[k].date() for k in (start, start + length - 1))
            worlds.append(World(with_columns(fit.data, columns), label=f"without {first}..{last}"))
        return Plan(with_causes(fit.spec, levels, fit.spec.modelled), worlds)

    def judge(self, results: Results) -> Verdict:
        """Say what follows."""
        return block_verdict(results)


type Refuter = (
    PlaceboShift | PlaceboBlocks | DummyOutcome | BlockBootstrap | RandomCommonCause | LeftOutBlocks
)
_KINDS = (
    *(PlaceboShift, PlaceboBlocks, DummyOutcome, BlockBootstrap),
    *(RandomCommonCause, LeftOutBlocks),
)
REFUTERS = {kind.name: kind for kind in _KINDS}
"""The refuters by name."""


def as_refuter(method: Any) -> Refuter:
    """Return a refuter; a name stands for that refuter with its defaults."""
    if isinstance(method, _KINDS):
        return method
    if isinstance(method, str) and method in REFUTERS:
        return REFUTERS[method]()
    kinds = ", ".join(f"{kind.__name__}()" for kind in _KINDS)
    raise SpecError(
        f"method is one of {', '.join(map(repr, REFUTERS))}, or {kinds}; got {shown(method)}."
        f"{did_you_mean(method, REFUTERS) if isinstance(method, str) else ''}"
    )


def _set_count(refuter: Refuter, label: str) -> None:
    """Check a number of periods that may be left out, and keep it in its plain type."""
    if (value := getattr(refuter, label)) is not None:
        value = checks.count(f"{type(refuter).__name__}: {label}", value, 1)
        object.__setattr__(refuter, label, value)


def carry_over(spec: Spec, treatment: Node) -> int:
    """Return how many periods the longest edge below a treatment carries over, its lag included."""
    edges = edges_below(spec, [treatment])
    return max((e.lag + spec.mechanisms[e].reach for e in edges), default=0)


def _memory(data: Dataset, treatment: Node) -> int:
    return block_length(data.array(treatment), _BLOCK_RULE_BLOCKS)


def _placebo_plan(fit: Fit, treatment: Node, orders: list[np.ndarray], labels: list[str]) -> Plan:
    spec = without_leaning(tested := without_tests_of(fit.spec, treatment), treatment)
    worlds = [
        World(rearranged(fit.data, treatment, order), 0.0, label)
        for order, label in zip(orders, labels, strict=True)
    ]
    notes = _test_notes(fit.spec, treatment)
    if spec != tested:
        notes += (
            f"Priors of what {treatment} does were centered on zero, so that no lean of theirs is "
            "read as an effect; the effect that is compared is of a fit with these priors.",
        )
    return Plan(spec, worlds, World(fit.data) if notes else None, notes)


def _test_notes(spec: Spec, treatment: Node) -> tuple[str, ...]:
    names = experiments_on(spec, treatment)
    if not names:
        return ()
    return (
        f"Tests of {treatment}, which speak of its true effect, were left out: {', '.join(names)}.",
    )


def _posterior_draws(
    fit: Fit, number: int, rng: np.random.Generator
) -> list[tuple[int, Equations]]:
    chains, draws = fit.shape
    chosen = rng.choice(chains * draws, size=number, replace=number > chains * draws)
    return [(int(index), fit.equations(np.array([index]))) for index in chosen]
