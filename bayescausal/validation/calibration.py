"""`calibrate`: whether posteriors of simulated data hold the truth as often as they say."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescausal import checks
from bayescausal._display import TablePage, html_page
from bayescausal._files import as_folder, write_file
from bayescausal.data.dataset import Dataset
from bayescausal.errors import SpecError
from bayescausal.inference.fitting import settings_for
from bayescausal.inference.sample import LOG
from bayescausal.inference.settings import Settings
from bayescausal.model.scm import compile_scm
from bayescausal.specs.serialization import fingerprint
from bayescausal.specs.spec import Spec
from bayescausal.thresholds import FEWEST_SIMULATIONS, REJECTION_LEVEL
from bayescausal.validation.graph_check import holm
from bayescausal.validation.simulated_fits import Simulations, fitted
from bayescausal.validation.status import Status
from bayescausal.validation.uniformity import detectable, shape, uniformity_p
from bayescausal.validation.world_refits import each_done

NOT_RUN = "not run"


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(TablePage):
    """Ranks of true values among the draws of their posteriors, and whether they are uniform.

    Parameters
    ----------
    ranks : xarray.DataArray
        Dims ``(simulation, quantity)``: how many of `draws` lie below the truth, of simulations
        that converged. Quantities are parameters, total effects and the joint log likelihood.
    draws : int
        Of each posterior, so that a rank is one of ``0..draws``.
    simulations : pandas.DataFrame
        By ``simulation``: its ``status`` ("converged", "not converged", "failed", "not run" for
        want of time), the ``problem``, ``redrawn``, how many data sets before it could not be
        fitted, and ``seconds`` of the processor.
    level : float
        Chance that a calibrated model is said to be none, over all quantities (Holm).
    """

    ranks: xr.DataArray
    draws: int
    simulations: pd.DataFrame
    level: float

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row a quantity: ``p``, ``p_holm``, ``shift``, ``spread``, and their ``shape`` in words.

        ``shift``: how far its posterior lies too high, in standard deviations. ``spread``: how many
        times as wide it should be. See `uniformity.Shape`.
        """
        names = [str(name) for name in self.ranks["quantity"].to_numpy()]
        columns = self.ranks.transpose("quantity", "simulation").to_numpy()
        if not self.ranks.sizes["simulation"]:
            return pd.DataFrame(index=pd.Index(names, name="quantity"), columns=_COLUMNS)
        p = [uniformity_p(ranks, self.draws) for ranks in columns]
        rows = []
        for ranks, p_value, p_holm in zip(columns, p, holm(p), strict=True):
            form = shape(ranks, self.draws)
            words = form.words if p_holm < self.level else "as expected"
            rows.append((p_value, p_holm, form.shift, form.spread, words))
        return pd.DataFrame(rows, index=pd.Index(names, name="quantity"), columns=_COLUMNS)

    @property
    def counts(self) -> dict[str, int]:
        """How many simulations ended how."""
        return {str(k): int(n) for k, n in self.simulations["status"].value_counts().items()}

    @property
    def status(self) -> Status:
        """Whether any quantity is rejected, and whether there were simulations enough to tell."""
        if len(self.table) and (self.table["p_holm"].astype(float) < self.level).any():
            return Status.FAIL
        is_enough = self.ranks.sizes["simulation"] >= FEWEST_SIMULATIONS
        return Status.PASS if is_enough else Status.NOT_RUN

    @cached_property
    def detectable(self) -> tuple[float, float]:
        """What would be seen of one quantity in 8 of 10 such studies, see `uniformity.detectable`.

        A shift of its posterior, in standard deviations, and the ratio of its standard deviation to
        the right one. Both are infinite where no simulation converged.
        """
        number = self.ranks.sizes["simulation"]
        if not number:
            return np.inf, np.inf
        return detectable(number, self.draws, self.level / max(1, len(self.table)))

    @property
    def sentence(self) -> str:
        """What follows, in one sentence."""
        number, total = self.ranks.sizes["simulation"], len(self.simulations)
        if self.status == Status.NOT_RUN:
            return (
                f"Too few simulations to judge: {number} of {total} converged, and "
                f"{FEWEST_SIMULATIONS} are needed."
            )
        if self.status == Status.PASS:
            shift, ratio = self.detectable
            return (
                f"Posteriors of {number} simulated data sets hold the truth as often as they "
                f"should (at {self.level:.0%} over {len(self.table)} quantities); a posterior "
                f"shifted by {shift:.2g} of its standard deviation, or {ratio:.2g} times as wide "
                "as it should be, would have been seen in 8 of 10 such studies."
            )
        wrong = self.table[self.table["p_holm"] < self.level].sort_values("p_holm", kind="stable")
        words = [f"{name} ({row['shape']})" for name, row in wrong.head(4).iterrows()]
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        return (
            f"Posteriors are not what the model implies, in {len(wrong)} of {len(self.table)} "
            f"quantities over {number} simulated data sets: {', '.join(words)}{more}. Do not trust "
            "their intervals."
        )

    @property
    def sentences(self) -> list[str]:
        """What follows, and what became of simulations that do not count."""
        counts, total = self.counts, len(self.simulations)
        begun = total - counts.get(NOT_RUN, 0)
        lines = [self.sentence]
        if unfit := counts.get("not converged", 0) + counts.get("failed", 0):
            problems = self.simulations.loc[
                self.simulations["status"].isin(["not converged", "failed"]), "problem"
            ]
            lines.append(
                f"{unfit} of {begun} simulations did not converge or failed, and do not count; the "
                f"first: {problems.iloc[0]}"
            )
        if redrawn := int(self.simulations["redrawn"].sum()):
            lines.append(
                f"{redrawn} of {redrawn + begun} simulated data sets could not be fitted (not "
                "finite, or exposure below zero) and were drawn again: the priors allow them."
            )
        if missing := counts.get(NOT_RUN, 0):
            lines.append(f"{missing} simulations were not run, for want of time.")
        return lines

    @property
    def tree(self) -> xr.DataTree:
        """Ranks as ArviZ takes them: ``arviz.plot_ecdf_pit(calibration.tree)``."""
        if not self.ranks.size:
            raise SpecError("No simulation converged, so there are no ranks for ArviZ.")
        u = (self.ranks + 0.5) / (self.draws + 1)
        columns = {str(q): u.sel(quantity=q, drop=True) for q in u["quantity"].to_numpy()}
        dataset = xr.Dataset(columns).rename(simulation="sample")
        return xr.DataTree.from_dict({"prior_sbc": dataset})

    def __str__(self) -> str:
        lines = [*self.sentences]
        if len(self.table):
            lines += ["", self.table.astype(_TYPES).round(3).to_string()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_page(self.sentences, self.table.astype(_TYPES))


_COLUMNS = ["p", "p_holm", "shift", "spread", "shape"]
_TYPES = dict.fromkeys(_COLUMNS[:-1], float)


@checks.arguments
def calibrate(
    spec: Spec,
    data: Dataset,
    simulations: int = 200,
    *,
    ranks: int = 99,
    level: float = REJECTION_LEVEL,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    budget: float | None = None,
    seed: int | None = None,
    progress: bool = True,
    draws: int | None = None,
    tune: int | None = None,
    chains: int = 4,
    target_accept: float | None = None,
    rounds: int | None = None,
) -> Calibration:
    """Fit data simulated from the priors of a spec, and test whether true values rank uniformly.

        theta ~ prior,   data ~ p(data | theta),   draws ~ p(theta | data):
        rank of f(theta) among f(draws) is uniform, for every f

    Here f are all parameters, the total effects and the joint log likelihood. Mediators are
    simulated causes first, errors with their memory and correlations, and each lift test is
    measured anew in the simulated world. Priors, scales and designs are those of ``data``,
    resolved once; only inputs, dates and spend are taken from them.

    It tests that model and sampler agree with each other, over worlds that the priors allow. Not
    whether the model is that of the world (`check_graph`, `diagnose`), not a calibration by lift
    tests (give the spec an `Experiment`), and not `calibrate_eta`.

    Parameters
    ----------
    spec, data : Spec, Dataset
        As `fit` takes them.
    simulations : int
        See `Calibration.detectable` for what so many can see.
    ranks : int
        Draws of each posterior among which the truth is ranked, spaced evenly. A fit counts when
        every parameter has a bulk ESS of as many.
    level : float
        Chance that a calibrated model is said to be none, over all quantities.
    folder : str or Path, optional
        Each simulation is written there as soon as it is done; called again with the same
        arguments, it resumes. Asking for more simulations keeps those that are done.
    executor : concurrent.futures.Executor, optional
        Runs simulations beside each other, as that of `fit_many`. By default one after another in
        this process, with their chains beside each other.
    budget : float, optional
        Seconds after which no simulation is begun.
    seed : int, optional
        That of a simulation follows from this one and its number.
    progress : bool
        Log every tenth part.
    draws, tune, chains, target_accept, rounds
        As `fit` takes them, with its defaults.

    Returns
    -------
    Calibration

    Raises
    ------
    SpecError
        A spec with augmented rows, whose posterior is no posterior of data that it could simulate;
        a negative budget, or an ``executor`` that is none.
    DataError
        The spec and the data do not fit.
    FileError
        The folder cannot be made.

    Notes
    -----
    A simulation costs about as much as the sampling of ``fit(spec, data)``, and the first one
    compiles; figures in RESULTS.md. Simulations that do not converge are left out of the ranks and
    counted: as what is left out depends on the simulated data alone, other ranks stay uniform.
    Under feedback see `bayescausal.model.prior_worlds.simulated`.

    Source: Talts, Betancourt, Simpson, Vehtari & Gelman (2018), Validating Bayesian inference
    algorithms with simulation-based calibration; Modrák et al. (2023) for the log likelihood;
    Säilynoja, Bürkner & Vehtari (2022) for the test.

    Examples
    --------
    >>> import bayescausal as bc
    >>> example = bc.load_example()
    >>> bc.calibrate(example.spec, example.data, 100, budget=300, seed=1)  # doctest: +SKIP
    """
    number = checks.count("calibrate: simulations", simulations, 1, maximum=1_000_000)
    ranks = checks.count("calibrate: ranks", ranks, 9, maximum=9_999)
    level = checks.probability("calibrate: level", level)
    budget = np.inf if budget is None else checks.number("calibrate: budget", budget)
    if budget < 0:
        raise SpecError(f"calibrate: budget is in seconds, 0 or more; got {budget:g}.")
    executor = checks.executor("calibrate: executor", executor)
    progress = checks.flag("calibrate: progress", progress)
    scm = compile_scm(spec, data)
    if scm.spec.augmentation and scm.spec.augmentation.weight:
        raise SpecError(
            "With augmented rows a posterior weighs its likelihood, and no data can be simulated "
            "from that. Calibrate replace(spec, augmentation=None), or ask calibrate_eta."
        )
    settings = settings_for(scm, "blackjax", draws, tune, chains, target_accept, rounds, False)
    plan = _planned(scm.spec, data, settings, ranks, checks.seed_or_drawn("seed", seed))
    place = None if folder is None else as_folder(folder)
    records = _records(plan, number, place, executor, budget, progress)
    return _gathered(records, ranks, level)


def _planned(spec: Spec, data: Dataset, settings: Settings, ranks: int, seed: int) -> Simulations:
    claims = [spec.to_dict(), data.hash, settings.to_dict(), ranks, seed]
    return Simulations(fingerprint(claims), spec, data, settings, ranks, seed)


def _records(
    plan: Simulations,
    number: int,
    folder: Path | None,
    executor: Executor | None,
    budget: float,
    progress: bool,
) -> list[dict[str, Any]]:
    """Return the record of each simulation, in order; those that are done are read."""
    deadline = time.time() + budget
    known = {} if folder is None else _kept(folder, plan, number)
    missing = [k for k in range(number) if k not in known]
    run = partial(_in_time, plan, deadline)
    jobs = each_done(run, dict(zip(missing, missing, strict=True)), executor)
    for done, (number_done, result) in enumerate(jobs, len(known) + 1):
        known[number_done] = record = result()
        if folder is not None and record["status"] != NOT_RUN:
            content = json.dumps({"digest": plan.digest, **record})
            write_file(_file(folder, number_done), content)
        if progress and done * 10 // number > (done - 1) * 10 // number:
            LOG.info("%d of %d simulations", done, number)
    return [known[k] for k in range(number)]


def _in_time(plan: Simulations, deadline: float, number: int) -> dict[str, Any]:
    """Run one simulation if there is time for it: what another process runs."""
    if time.time() < deadline:
        return fitted(plan, number)
    empty = {"ranks": {}, "redrawn": 0, "problem": "", "seconds": 0.0}
    return {"number": number, "status": NOT_RUN, **empty}


def _file(folder: Path, number: int) -> Path:
    return folder / f"simulation-{number:06d}.json"


def _kept(folder: Path, plan: Simulations, number: int) -> dict[int, dict[str, Any]]:
    """Read the simulations that an earlier call has done."""
    known = {}
    for k in range(number):
        try:
            record = json.loads(_file(folder, k).read_text())
            if record.pop("digest") == plan.digest:
                known[k] = record
        except (OSError, ValueError, KeyError, AttributeError):
            continue  # not there, or not what a simulation has written: it is run again
    return known


def _gathered(records: Sequence[dict[str, Any]], draws: int, level: float) -> Calibration:
    converged = [record for record in records if record["status"] == "converged"]
    names = list(next((record["ranks"] for record in records if record["ranks"]), {}))
    values = np.array([[record["ranks"][name] for name in names] for record in converged], int)
    ranks = xr.DataArray(
        values.reshape(len(converged), len(names)),
        dims=("simulation", "quantity"),
        coords={"simulation": [record["number"] for record in converged], "quantity": names},
        name="rank",
    )
    columns = ["status", "problem", "redrawn", "seconds"]
    index = pd.Index([record["number"] for record in records], name="simulation")
    rows = [[record[name] for name in columns] for record in records]
    return Calibration(ranks, draws, pd.DataFrame(rows, index=index, columns=columns), level)
