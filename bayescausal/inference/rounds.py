"""Sampling in rounds: it goes on until it has converged, or until the rounds are used up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from bayescausal.inference.convergence import Convergence
from bayescausal.inference.sample import Sampler
from bayescausal.inference.settings import Settings
from bayescausal.thresholds import MAX_DIVERGENT, MAX_RHAT_TO_KEEP

_HIGHEST_TARGET = 0.98

type Judge = Callable[[xr.DataTree, dict[str, Any]], Convergence]


def sample_in_rounds(
    sample: Sampler, judge: Judge, settings: Settings, seed: int
) -> tuple[xr.DataTree, dict[str, Any], Convergence]:
    """Sample until a run has converged, at most `Settings.rounds` times.

    Each round has twice the warm-up and twice the draws of the one before, and learns its
    coordinates from it. When draws diverged it also takes smaller steps: half of the distance
    between the target acceptance and 1. The draws of earlier rounds are kept where only their
    number was too small, and thrown away where they diverged or where chains disagreed. A round
    that is interrupted is thrown away, not those before it. A draft has one round, as no number of
    draws about the mode mends weights with a heavy tail.

    Parameters
    ----------
    sample : Sampler
        From `bayescausal.inference.sample.prepare`.
    judge : callable
        ``(tree, run) -> Convergence``.
    settings : Settings
    seed : int

    Returns
    -------
    tree : DataTree
        Groups ``posterior`` and ``sample_stats`` of the draws that are kept.
    run : dict
        As a `Sampler` returns it, summed over rounds, with ``rounds``, one record for each:
        ``tune``, ``draws``, ``target_accept``, ``problems``, and whether its draws are ``kept``.
    state : Convergence
        What was judged of them.
    """
    seeds = np.random.SeedSequence(seed).generate_state(settings.rounds)
    tree, run = sample(settings, seed, None)
    state, records = judge(tree, run), [_record(settings)]
    records[-1]["problems"] = list(state.problems)
    for following in map(int, seeds[1:]):
        if state.converged or state.is_draft or run["interrupted"]:
            break
        settings = _stricter(settings, state)
        try:
            longer, latest = sample(settings, following, tree)
        except KeyboardInterrupt:  # before the first draw of this round
            longer, latest = tree, {**run, "interrupted": True}
        if latest["interrupted"]:  # the whole round before it is worth more
            run["interrupted"] = True
            state = judge(tree, run)
            break
        records.append(_record(settings))
        if _only_short(state):
            longer = _appended(tree, longer)
            latest["divergences"] += run["divergences"]
        else:
            for record in records[:-1]:
                record["kept"] = False
        for total in ("compile_seconds", "sample_seconds", "leapfrogs"):
            latest[total] += run[total]
        tree, run = longer, latest
        state = judge(tree, run)
        records[-1]["problems"] = list(state.problems)
    return tree, {**run, "rounds": records}, replace(state, rounds=len(records))


def _record(settings: Settings) -> dict[str, Any]:
    lengths = {key: getattr(settings, key) for key in ("tune", "draws", "target_accept")}
    return {**lengths, "problems": [], "kept": True}


def _stricter(settings: Settings, state: Convergence) -> Settings:
    target = settings.target_accept
    if state.divergences:
        target = max(target, min(_HIGHEST_TARGET, 1 - (1 - target) / 2))
    return replace(
        settings,
        tune=2 * settings.tune,
        draws=2 * settings.draws,
        target_accept=target,
    )


def _only_short(state: Convergence) -> bool:
    """Whether all that is wrong with a run is its length."""
    has_few_divergent = state.divergences <= MAX_DIVERGENT * state.draws
    return has_few_divergent and state.max_rhat <= MAX_RHAT_TO_KEEP


def _appended(first: xr.DataTree, second: xr.DataTree) -> xr.DataTree:
    """Join the draws of two runs, chain by chain."""
    groups = {}
    for group in ("posterior", "sample_stats"):
        parts = [run[group].to_dataset() for run in (first, second)]
        shared = [name for name in parts[0].data_vars if name in parts[1].data_vars]
        chains = min(part.sizes["chain"] for part in parts)
        cut = [
            part[shared].isel(chain=slice(chains)).drop_vars("draw", errors="ignore")
            for part in parts
        ]
        groups[group] = xr.concat(cut, dim="draw", join="override")
    return xr.DataTree.from_dict(groups)
